"""The ordered log of what happened in a universe."""
