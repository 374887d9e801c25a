"""The live feed: what happens in a universe, told to its members as it happens."""
