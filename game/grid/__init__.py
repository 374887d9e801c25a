"""Grids and their rules. Pure: no database, no HTTP."""
