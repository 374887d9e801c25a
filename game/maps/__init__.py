"""Maps: their tables, queries and endpoints."""
