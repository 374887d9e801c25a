"""Assets: the pictures of a universe, for backgrounds and tilesets."""
