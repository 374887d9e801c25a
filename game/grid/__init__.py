"""What a grid is and does, pure: no database, no HTTP."""
