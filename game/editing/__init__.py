"""Editing maps: edits, undo and redo, history, and reading a region."""
