"""Where Tiled draws a cell: between its pixels and our cells, for each of its orientations.

Source: Tiled's TMX Map Format (orientation, staggeraxis, staggerindex, hexsidelength). Objects on isometric
maps have coordinates along the map's own axes, in units of the tile's height.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

from game.grid.formats.imported import FormatError, Notes
from game.grid.formats.strict import Node

ORIENTATIONS: Final = ("orthogonal", "isometric", "staggered", "hexagonal", "oblique")

Point = tuple[float, float]

MAX_TILE: Final = 65_536
"""Pixels a side of a tile."""


@dataclass(frozen=True)
class Projection:
    """How a Tiled map lays its cells out. Sizes in pixels; axis and index say which rows are staggered."""

    orientation: str
    tile_width: float
    tile_height: float
    side: float = 0
    axis: str = "y"
    index: str = "odd"

    @property
    def staggered(self) -> bool:
        """Whether every other row or column is shifted by half a tile."""
        return self.orientation in ("staggered", "hexagonal")

    @property
    def grid_type(self) -> str:
        """The grid type of our documents that comes nearest."""
        if self.orientation == "hexagonal":
            return "hex_row" if self.axis == "y" else "hex_column"
        return "isometric" if self.orientation in ("isometric", "staggered") else "square"

    @property
    def pitch(self) -> Point:
        """Pixels from one column to the next, and from one row to the next."""
        if self.orientation == "isometric":
            return self.tile_height, self.tile_height
        if not self.staggered:
            return self.tile_width, self.tile_height
        if self.axis == "y":
            return self.tile_width, (self.tile_height + self.side) / 2
        return (self.tile_width + self.side) / 2, self.tile_height

    def to_cells(self, x: float, y: float) -> Point:
        """A place in pixels, in cells and their fractions. On staggered maps the shift is left out."""
        across, down = self.pitch
        return x / across, y / down

    def to_pixels(self, x: float, y: float) -> Point:
        """The inverse of `to_cells`."""
        across, down = self.pitch
        return x * across, y * down

    def center(self, column: int, row: int) -> Point:
        """The middle of a cell in pixels."""
        across, down = self.pitch
        if not self.staggered:
            return (column + 0.5) * across, (row + 0.5) * down
        shifted = ((row if self.axis == "y" else column) % 2 == 1) == (self.index == "odd")
        x, y = column * across + self.tile_width / 2, row * down + self.tile_height / 2
        if self.axis == "y":
            return x + shifted * self.tile_width / 2, y
        return x, y + shifted * self.tile_height / 2

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """The cell that a place in pixels lies in; on staggered maps, the one whose middle is nearest."""
        across, down = self.pitch
        column, row = math.floor(x / across), math.floor(y / down)
        if not self.staggered:
            return column, row
        near = [(column + i, row + j) for j in (-1, 0, 1) for i in (-1, 0, 1)]
        return min(near, key=lambda cell: self._away(x, y, *cell))

    def _away(self, x: float, y: float, column: int, row: int) -> float:
        middle_x, middle_y = self.center(column, row)
        if self.orientation == "hexagonal":
            return math.hypot(x - middle_x, y - middle_y)
        return abs(x - middle_x) / self.tile_width + abs(y - middle_y) / self.tile_height

    def outline(self) -> list[tuple[int, int]]:
        """The corners of a tile's shape in its picture, in pixels."""
        right, bottom = int(self.tile_width) - 1, int(self.tile_height) - 1
        if self.grid_type == "square":
            return [(0, 0), (right, 0), (right, bottom), (0, bottom)]
        middle, level = right // 2, bottom // 2
        if self.axis == "y" or self.orientation == "isometric":
            cut = int(self.tile_height - self.side) // 2 if self.staggered else level
            low = bottom - cut
            return [(middle, 0), (right, cut), (right, low), (middle, bottom), (0, low), (0, cut)]
        cut = int(self.tile_width - self.side) // 2
        return [(cut, 0), (right - cut, 0), (right, level), (right - cut, bottom), (cut, bottom), (0, level)]


def read_projection(tmj: Node, notes: Notes) -> Projection:
    """How a Tiled map lays its cells out. Raises FormatError."""
    orientation = tmj.text("orientation", "orthogonal")
    if orientation not in ORIENTATIONS:
        raise FormatError("orientation", f"must be one of {', '.join(ORIENTATIONS)}")
    axis, index = tmj.text("staggeraxis", "y"), tmj.text("staggerindex", "odd")
    if axis not in ("x", "y") or index not in ("odd", "even"):
        raise FormatError("staggeraxis", "must be x or y, and staggerindex odd or even")
    projection = Projection(
        orientation,
        tmj.integer("tilewidth", 1, MAX_TILE),
        tmj.integer("tileheight", 1, MAX_TILE),
        tmj.integer("hexsidelength", 0, MAX_TILE, 0) if orientation == "hexagonal" else 0,
        axis,
        index,
    )
    if orientation == "staggered":
        message = "Rows are staggered; distances and paths are measured as on a plain isometric map."
        notes.add("STAGGERED_AS_ISOMETRIC", "orientation", message)
    if orientation == "oblique":
        notes.add("OBLIQUE_AS_SQUARE", "orientation", "The map is taken as a square grid.")
    if projection.staggered and index == "even":
        message = "Even rows or columns are shifted here; our hexagonal grids shift the odd ones."
        notes.add("STAGGER_EVEN", "staggerindex", message)
    return projection


OF_GRID_TYPE: Final[dict[str, Projection]] = {
    "square": Projection("orthogonal", 32, 32),
    "none": Projection("orthogonal", 32, 32),
    "isometric": Projection("isometric", 64, 32),
    # A hexagon with sides of 18 pixels is 36 across its corners and 31.2 across its sides.
    "hex_row": Projection("hexagonal", 32, 36, 18, "y"),
    "hex_column": Projection("hexagonal", 36, 32, 18, "x"),
}
"""How a map that was not made in Tiled is laid out there."""


def as_tiled(projection: Projection) -> dict[str, Any]:
    """The attributes of a Tiled map that say a projection."""
    result: dict[str, Any] = {
        "orientation": projection.orientation,
        "tilewidth": projection.tile_width,
        "tileheight": projection.tile_height,
    }
    if projection.staggered:
        result |= {"staggeraxis": projection.axis, "staggerindex": projection.index}
    if projection.orientation == "hexagonal":
        result["hexsidelength"] = projection.side
    return result
