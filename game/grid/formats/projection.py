"""Converts between Tiled's pixels and our cells, for each of Tiled's orientations.

There are two kinds of pixels. Objects have *map pixels*, which on isometric maps run along the map's own axes, in
units of the tile's height. Offsets of layers, rotations and the boxes of tiles are in *screen pixels*. On other
maps, both are the same.
Source: Tiled's TMX Map Format (orientation, staggeraxis, staggerindex, hexsidelength).
"""

import math
from dataclasses import dataclass
from typing import Any, Final

from game.grid.formats.imported import FormatError, Notes
from game.grid.formats.strict import Node
from game.grid.geometry import GridType, centre

ORIENTATIONS: Final = ("orthogonal", "isometric", "hexagonal", "oblique")
"""Staggered maps are read as isometric ones: see `game.grid.formats.staggered`."""

Point = tuple[float, float]

MAX_TILE: Final = 65_536
"""The maximum length of a tile's side, in pixels."""


@dataclass(frozen=True)
class Projection:
    """The layout of a Tiled map's cells. Sizes are in pixels; axis and index define which rows are staggered."""

    orientation: str
    tile_width: float
    tile_height: float
    side: float = 0
    axis: str = "y"
    index: str = "odd"

    @property
    def staggered(self) -> bool:
        """Whether every other row or column is shifted by half a tile."""
        return self.orientation == "hexagonal"

    @property
    def grid_type(self) -> GridType:
        """The grid type that is most similar."""
        if self.orientation == "hexagonal":
            return "hex_row" if self.axis == "y" else "hex_column"
        return "isometric" if self.orientation == "isometric" else "square"

    @property
    def pitch(self) -> Point:
        """Map pixels from one column to the next, and from one row to the next."""
        if self.orientation == "isometric":
            return self.tile_height, self.tile_height
        if not self.staggered:
            return self.tile_width, self.tile_height
        if self.axis == "y":
            return self.tile_width, (self.tile_height + self.side) / 2
        return (self.tile_width + self.side) / 2, self.tile_height

    @property
    def unit(self) -> Point:
        """The map pixels of one of our points (see `game.grid.geometry`), horizontally and vertically."""
        across, down = self.pitch
        if self.orientation != "hexagonal":
            return across, down
        # Lines of hexes are closer together than a cell is wide, and in Tiled hexes may be stretched.
        line = math.sqrt(3) / 2
        return (across, down / line) if self.axis == "y" else (across / line, down)

    def to_point(self, x: float, y: float) -> Point:
        """A position in map pixels as one of our points: cells and fractions of cells."""
        across, down = self.unit
        left, top = self._first_middle
        middle = centre(self.grid_type, (0, 0))
        return (x - left) / across + middle[0], (y - top) / down + middle[1]

    def to_pixels(self, px: float, py: float) -> Point:
        """The inverse of `to_point`: the map pixels of one of our points."""
        across, down = self.unit
        left, top = self._first_middle
        middle = centre(self.grid_type, (0, 0))
        return (px - middle[0]) * across + left, (py - middle[1]) * down + top

    @property
    def _first_middle(self) -> Point:
        """The centre of the cell (0, 0) in map pixels, as if its line were not shifted."""
        across, down = self.pitch
        if self.orientation == "hexagonal":
            return self.tile_width / 2, self.tile_height / 2
        return across / 2, down / 2

    def to_screen(self, x: float, y: float) -> Point:
        """Map pixels as screen pixels, relative to the origin of the cell (0, 0)."""
        if self.orientation != "isometric":
            return x, y
        return (x - y) * self.tile_width / self.tile_height / 2, (x + y) / 2

    def from_screen(self, x: float, y: float) -> Point:
        """The inverse of `to_screen`."""
        if self.orientation != "isometric":
            return x, y
        along = x * self.tile_height / self.tile_width
        return y + along, y - along

    def moved(self, x: float, y: float, across: float, down: float) -> Point:
        """A position in map pixels, moved by an offset in screen pixels."""
        if self.orientation != "isometric":
            return x + across, y + down
        screen_x, screen_y = self.to_screen(x, y)
        return self.from_screen(screen_x + across, screen_y + down)

    def origin(self, column: int, row: int) -> Point:
        """The offset of our points if this cell of Tiled's is our (0, 0). It must not be on a shifted line."""
        across, down = self.pitch
        unit_across, unit_down = self.unit
        return column * across / unit_across, row * down / unit_down

    def is_shifted(self, column: int, row: int) -> bool:
        """Whether the cell's row or column is shifted by half a tile."""
        line = row if self.axis == "y" else column
        return self.staggered and (line % 2 == 1) == (self.index == "odd")

    def center(self, column: int, row: int) -> Point:
        """The centre of a cell in map pixels."""
        across, down = self.pitch
        if not self.staggered:
            return (column + 0.5) * across, (row + 0.5) * down
        shifted = self.is_shifted(column, row)
        x, y = column * across + self.tile_width / 2, row * down + self.tile_height / 2
        if self.axis == "y":
            return x + shifted * self.tile_width / 2, y
        return x, y + shifted * self.tile_height / 2

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """The cell at a position in map pixels; on hexagonal maps, the cell with the nearest centre."""
        across, down = self.pitch
        column, row = math.floor(x / across), math.floor(y / down)
        if not self.staggered:
            return column, row
        near = [(column + i, row + j) for j in (-1, 0, 1) for i in (-1, 0, 1)]
        return min(near, key=lambda cell: math.dist((x, y), self.center(*cell)))

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


@dataclass(frozen=True)
class Frame:
    """Converts Tiled's offsets of background pictures in screen pixels to our boxes in points, and back.

    `corner` is the cell of Tiled's map that is our cell (0, 0); `size` is the size of our map, `height` that of
    Tiled's map.
    """

    projection: Projection
    corner: tuple[int, int]
    size: tuple[int, int]
    height: int

    def box(self, shift: Point, pixels: Point) -> tuple[dict[str, float], bool]:
        """The box of a picture of this size (x, y, width, height), and whether it keeps its proportions.

        On an isometric map, the box surrounds the diamond of a rectangle of cells, twice as wide as high.
        """
        projection = self.projection
        if projection.orientation != "isometric":
            (x, y), (left, top) = projection.to_point(*shift), projection.origin(*self.corner)
            across, down = projection.unit
            return _rounded(x - left, y - top, pixels[0] / across, pixels[1] / down), True
        left, top = self._top_left()
        u, v = (shift[0] - left) / projection.tile_width, (shift[1] - top) / projection.tile_height / 2
        both = 2 * pixels[0] / projection.tile_width
        width, height = self._sides(both)
        is_exact = abs(2 * pixels[1] / projection.tile_height - both) < 1e-6
        return _rounded(2 * v + u + height / 2, 2 * v - u - height / 2, width, height), is_exact

    def shift(self, x: float, y: float, height: float) -> Point:
        """The inverse of `box`: the offset of a picture at a position in points."""
        projection = self.projection
        if projection.orientation != "isometric":
            left, top = projection.origin(*self.corner)
            return projection.to_pixels(x + left, y + top)
        left, top = self._top_left()
        u, v = (x - y - height) / 2, (x + y) / 4
        return u * projection.tile_width + left, 2 * v * projection.tile_height + top

    def _top_left(self) -> Point:
        """The top corner of our cell (0, 0) on an isometric map, as an offset in screen pixels."""
        x, y = self.projection.to_screen(*self.projection.to_pixels(*self.corner))
        return x + self.height * self.projection.tile_width / 2, y

    def _sides(self, both: float) -> Point:
        """Two sides with this sum, in the proportions of the map."""
        width, height = self.size
        part = height / (width + height) if width + height else 0.5
        return both * (1 - part), both * part


def _rounded(*box: float) -> dict[str, float]:
    return dict(zip(("x", "y", "width", "height"), (round(side, 6) for side in box), strict=True))


def read_projection(tmj: Node, notes: Notes) -> Projection:
    """Read the layout of a Tiled map's cells. Raises FormatError."""
    orientation = tmj.text("orientation", "orthogonal")
    if orientation not in ORIENTATIONS:
        raise FormatError("orientation", f"must be one of {', '.join(ORIENTATIONS)}, staggered")
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
    if orientation == "oblique":
        notes.add("OBLIQUE_AS_SQUARE", "orientation", "The map was imported as a square grid.")
    return projection


OF_GRID_TYPE: Final[dict[str, Projection]] = {
    "square": Projection("orthogonal", 32, 32),
    "none": Projection("orthogonal", 32, 32),
    "isometric": Projection("isometric", 64, 32),
    # A hexagon with sides of 18 pixels measures 36 pixels between corners and 31.2 pixels between sides.
    "hex_row": Projection("hexagonal", 32, 36, 18, "y"),
    "hex_column": Projection("hexagonal", 36, 32, 18, "x"),
}
"""The layouts for maps that were not imported from Tiled."""


def as_tiled(projection: Projection) -> dict[str, Any]:
    """A projection as attributes of a Tiled map."""
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
