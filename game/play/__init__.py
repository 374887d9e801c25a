"""Playing on maps: paths, sight, distances, areas of effect, and drawings of the map."""
