"""Exchange: files of other programs as maps and back, and whole universes as one file."""
