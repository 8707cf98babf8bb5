"""Credits, gifts and discounts, on a ledger that the database keeps honest."""
