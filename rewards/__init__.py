"""Credits, gifts and discounts. The room is reserved: who may lean on whom already counts with it (see pyproject.toml)."""
