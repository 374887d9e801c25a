"""The live feed: the events of a universe, sent to its members as they happen."""
