"""Members: who is in a universe, their roles, and the invitations by which they come."""
