"""A region of a map as JSON text: pure, so that a large one can be built in a compute process."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from game.grid.chunks import layer_keys, region


class RegionParts(NamedTuple):
    """The data for a region.

    `layers` are those of the frame, parsed or as JSON text. `chunks` are texts of layer key, chunk x, chunk y and
    the JSON list of rows, separated by spaces. `names` are the requested layers, separated by commas; None for
    all. The rectangle is in cells, and is clipped to the map. `version` is left out if it is None.
    """

    layers: Any
    chunks: Sequence[str]
    map_width: int
    map_height: int
    x: int
    y: int
    width: int
    height: int
    names: str | None
    version: int | None

    def cells(self) -> int:
        """The number of its cells, over all layers of the map."""
        return self.width * self.height * len(self._layers())

    def text(self) -> bytes:
        """The JSON text of the region."""
        names = None if self.names is None else self.names.split(",")
        width = min(self.width, self.map_width - self.x)
        height = min(self.height, self.map_height - self.y)
        chunks: dict[int, dict[tuple[int, int], list[str]]] = defaultdict(dict)
        for chunk in self.chunks:
            layer, x, y, rows = chunk.split(" ", 3)
            chunks[int(layer)][int(x), int(y)] = orjson.loads(rows)
        shown = [
            {"name": name, "rows": region(chunks[key], self.x, self.y, width, height)}
            for name, key in layer_keys({"layers": self._layers()}).items()
            if names is None or name in names
        ]
        version = {} if self.version is None else {"version": self.version}
        rectangle = {"x": self.x, "y": self.y, "width": width, "height": height}
        return orjson.dumps({**rectangle, **version, "layers": shown})

    def _layers(self) -> list[Any]:
        layers: list[Any] = self.layers if isinstance(self.layers, list) else orjson.loads(self.layers or "[]")
        return layers
