"""Editing maps: edits, taking them back, their history, and reading a region."""
