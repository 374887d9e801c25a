"""Demo content: a universe as data files, and its loader."""
