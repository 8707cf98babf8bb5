"""PostgreSQL as Django speaks to it, but for how a request learns that its connection still lives."""
