"""Characters: who plays, and who is played with; each with a sheet."""
