"""Playing on maps: paths, sight, distances, areas of effect, and the map drawn."""
