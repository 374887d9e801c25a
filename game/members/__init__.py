"""Members: the members of a universe, their roles, and invitations."""
