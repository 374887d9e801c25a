"""A whole map as one small picture."""

from typing import Any

import orjson

from game.grid.drawing.png import draw_png
from game.grid.drawing.scene import Region

_MAX_CELLS = 1024
"""The maximum number of columns and rows that are drawn, from the top left."""
_MAX_CELL_SIZE = 32


def draw_overview(grid_data: bytes, pixels: int, background: bytes | None = None) -> bytes:
    """Grid data, as JSON, drawn as a PNG whose longer side has about `pixels` pixels."""
    document: dict[str, Any] = orjson.loads(grid_data)
    region = Region.of(document, 0, 0, _MAX_CELLS, _MAX_CELLS)
    cell_size = pixels // max(region.width, region.height, 1)
    cell_size = min(max(cell_size, 1), _MAX_CELL_SIZE)
    return draw_png(region, cell_size=cell_size, background=background, secrets=True)
