"""Messages of the members of a universe, whispers among them."""
