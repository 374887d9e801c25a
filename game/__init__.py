"""Worldkeep's API: universes, maps and accounts for D&D-style games."""
