"""Distances between cells, by the grid's type and its rule for diagonals.

| grid | rule | distance of a cells one way and b <= a the other |
|---|---|---|
| square, isometric | 5-5-5 | a: a diagonal counts as one cell (5e SRD) |
| square, isometric | 5-10-5 | a + b // 2: every second diagonal counts double (5e DMG, "Diagonals") |
| square, isometric | none | a + b: there are no diagonal steps, as in the paths on such a map (Manhattan) |
| hex_row, hex_column | | axial: the steps from hex to hex (Red Blob Games) |
| none | | sqrt(a^2 + b^2): the straight line between the centres |

All are symmetric. The triangle inequality holds for all but 5-10-5, where each leg starts with a cheap diagonal,
so a detour may count one cell less than the direct way.
"""

from math import hypot
from typing import NamedTuple

from game.grid.geometry import Cell, Grid, to_lattice


class Distance(NamedTuple):
    """A distance in cells, and the same in the map's unit."""

    cells: int | float
    distance: int | float
    unit: str


def distance(grid: Grid, start: Cell, goal: Cell) -> Distance:
    """The distance between two cells, regardless of what is between them; a fraction only on grids of type
    none."""
    (u1, v1), (u2, v2) = to_lattice(grid.type, start), to_lattice(grid.type, goal)
    cells = lattice_distance(grid, u2 - u1, v2 - v1)
    return Distance(cells, cells * grid.cell_distance, grid.distance_unit)


def lattice_distance(grid: Grid, du: int, dv: int) -> int | float:
    """The distance in cells of two cells that are (du, dv) apart on the lattice."""
    if grid.is_hex:
        return max(abs(du), abs(dv), abs(du + dv))
    if grid.type == "none":
        return hypot(du, dv)
    short, long = sorted((abs(du), abs(dv)))
    if grid.diagonal_rule == "5-10-5":
        return long + short // 2
    return long + short if grid.diagonal_rule == "none" else long
