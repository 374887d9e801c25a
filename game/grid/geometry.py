"""The geometry of each grid type: neighbours, centres and corners of cells, and the cell at a point.

Three kinds of coordinates:

- **cell** (x, y): whole numbers, as rows and entities have them. Hexes have offset coordinates, staggered as in
  Tiled with stagger index "odd": in `hex_row` (Tiled's stagger axis y, pointy tops) every odd row is shifted right
  by half a cell, in `hex_column` (stagger axis x, flat tops) every odd column down by half a cell.
- **point** (px, py): fractions, as walls, doors and lights have them. A cell is 1 wide, and the cell (0, 0)
  begins at (0, 0). Hexes are regular: the centres of any two neighbours are exactly 1 apart, so the
  staggered lines are sqrt(3)/2 apart. An isometric map is a square one that is drawn rotated.
- **lattice** (u, v): an affine image of the points in which the centres of cells are whole numbers and the
  steps to the neighbours are the same everywhere; axial coordinates for hexes. Straight lines stay straight in it,
  so paths and sight are computed there, the same for all grids.

Source of the hexes: Red Blob Games, "Hexagonal Grids" (odd-r, odd-q, axial, rounding).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, sqrt
from typing import Any, Final, Literal, TypeAlias, cast

GridType: TypeAlias = Literal["square", "hex_row", "hex_column", "isometric", "none"]
DiagonalRule: TypeAlias = Literal["5-5-5", "5-10-5", "none"]
Cell: TypeAlias = tuple[int, int]
Point: TypeAlias = tuple[float, float]

HEXES: Final = ("hex_row", "hex_column")

# Of a hexagon that is 1 wide between two flat sides.
_LINE: Final = sqrt(3) / 2  # from one staggered line of centres to the next
_RADIUS: Final = 1 / sqrt(3)  # from the centre to a corner

STRAIGHT: Final = ((1, 0), (0, 1), (-1, 0), (0, -1))
DIAGONAL: Final = ((1, 1), (-1, 1), (-1, -1), (1, -1))
AXIAL: Final = ((1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1))


@dataclass(frozen=True)
class Grid:
    """The geometry and the distances of one map's cells; the defaults are those of a document without
    them.

    `cell_distance` is the distance in `distance_unit` from a cell to the next.
    """

    type: GridType = "square"
    diagonal_rule: DiagonalRule = "5-5-5"
    cell_distance: int | float = 5
    distance_unit: str = "ft"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Grid":
        """The grid of a valid grid data document, or of its frame."""
        return cls(
            cast(GridType, document.get("grid_type", cls.type)),
            cast(DiagonalRule, document.get("diagonal_rule", cls.diagonal_rule)),
            document.get("cell_distance", cls.cell_distance),
            document.get("distance_unit", cls.distance_unit),
        )

    @property
    def is_hex(self) -> bool:
        """Whether the cells are hexagons."""
        return self.type in HEXES


def to_lattice(grid_type: GridType, cell: Cell) -> Cell:
    """The lattice coordinates of a cell."""
    if grid_type not in HEXES:
        return cell
    x, y = cell if grid_type == "hex_row" else (cell[1], cell[0])
    return x - (y >> 1), y


def from_lattice(grid_type: GridType, u: int, v: int) -> Cell:
    """The cell at lattice coordinates; the inverse of `to_lattice`."""
    if grid_type not in HEXES:
        return u, v
    x, y = u + (v >> 1), v
    return (x, y) if grid_type == "hex_row" else (y, x)


def point_to_lattice(grid_type: GridType, px: float, py: float) -> Point:
    """The lattice coordinates of any point; those of a cell's centre are whole (to rounding, for hexes)."""
    if grid_type not in HEXES:
        return px - 0.5, py - 0.5
    along, across = (px, py) if grid_type == "hex_row" else (py, px)
    v = (across - _RADIUS) / _LINE
    return along - 0.5 - v / 2, v


def centre(grid_type: GridType, cell: Cell) -> Point:
    """The point in the middle of a cell."""
    if grid_type not in HEXES:
        return cell[0] + 0.5, cell[1] + 0.5
    u, v = to_lattice(grid_type, cell)
    along, across = u + v / 2 + 0.5, v * _LINE + _RADIUS
    return (along, across) if grid_type == "hex_row" else (across, along)


def cell_at(grid_type: GridType, px: float, py: float) -> Cell:
    """The cell that holds a point. On the border of squares it is the one to the right or below."""
    if grid_type not in HEXES:
        return floor(px), floor(py)
    u, v = point_to_lattice(grid_type, px, py)
    # Cube rounding: the coordinate that was rounded the most is set from the two others.
    near_u, near_v, near_w = round(u), round(v), round(-u - v)
    off_u, off_v, off_w = abs(near_u - u), abs(near_v - v), abs(near_w + u + v)
    if off_u > off_v and off_u > off_w:
        near_u = -near_v - near_w
    elif off_v > off_w:
        near_v = -near_u - near_w
    return from_lattice(grid_type, near_u, near_v)


def corners(grid_type: GridType, cell: Cell) -> tuple[Point, ...]:
    """The corner points of a cell, 4 or 6, clockwise on the screen from the top (left) one."""
    px, py = centre(grid_type, cell)
    half, low, high = 0.5, _RADIUS / 2, _RADIUS
    around: tuple[Point, ...]
    if grid_type == "hex_row":
        around = ((0.0, -high), (half, -low), (half, low), (0.0, high), (-half, low), (-half, -low))
    elif grid_type == "hex_column":
        around = ((-low, -half), (low, -half), (high, 0.0), (low, half), (-low, half), (-high, 0.0))
    else:
        around = ((-half, -half), (half, -half), (half, half), (-half, half))
    return tuple((px + dx, py + dy) for dx, dy in around)


def lattice_steps(grid: Grid) -> tuple[Cell, ...]:
    """The steps (du, dv) to the neighbours of any cell: 6 on hexes; else the 4 straight and the 4 diagonal
    ones.

    A square or isometric map whose diagonal rule is "none" has no diagonal steps.
    """
    if grid.is_hex:
        return AXIAL
    without = grid.diagonal_rule == "none" and grid.type != "none"
    return STRAIGHT if without else STRAIGHT + DIAGONAL


def neighbours(grid: Grid, cell: Cell) -> list[Cell]:
    """The cells that one step from a cell reaches, in the order of `lattice_steps`; also those off the
    map."""
    u, v = to_lattice(grid.type, cell)
    return [from_lattice(grid.type, u + du, v + dv) for du, dv in lattice_steps(grid)]


def beside(grid: Grid, cell: Cell) -> list[Cell]:
    """The cells that share a side with a cell; also those off the map."""
    u, v = to_lattice(grid.type, cell)
    steps = AXIAL if grid.is_hex else STRAIGHT
    return [from_lattice(grid.type, u + du, v + dv) for du, dv in steps]


def extent(grid_type: GridType, width: int, height: int) -> Point:
    """The point at the bottom right of a map's bounding box, in cells: its width and height as a plane
    figure."""
    if not width or not height:
        return 0.0, 0.0
    if grid_type == "hex_row":
        return width + (0.5 if height > 1 else 0.0), (height - 1) * _LINE + 2 * _RADIUS
    if grid_type == "hex_column":
        return (width - 1) * _LINE + 2 * _RADIUS, height + (0.5 if width > 1 else 0.0)
    return float(width), float(height)


def picture_point(grid_type: GridType, px: float, py: float, height: int) -> Point:
    """Where a point is drawn in a picture of a map that is `height` cells high, in widths of a cell.

    Isometric maps are drawn as diamonds twice as wide as high, with the cell (0, 0) at the top, as Tiled
    draws them; in all others a point is drawn where it is.
    """
    return ((px - py + height) / 2, (px + py) / 4) if grid_type == "isometric" else (px, py)


def picture_size(grid_type: GridType, width: int, height: int) -> Point:
    """The width and height of a picture of a whole map, in widths of a cell."""
    if grid_type == "isometric":
        return (width + height) / 2, (width + height) / 4
    return extent(grid_type, width, height)
