"""Exchange: import and export: maps as files of other programs, and whole universes as one file."""
