"""Characters: player and non-player characters, with their sheets."""
