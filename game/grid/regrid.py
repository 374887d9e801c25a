"""Converts walls, doors and lights when a map's grid type changes, so that the same cells stay separated,
connected and lit.

Square and isometric maps, and those without a grid, have the same coordinates. Between these and hexes, and from
one kind of hexes to the other, edges are in other places, so objects are located by the cells around them:

- a wall becomes the edges between all neighbours that it separated (a straight one becomes a zigzag on hexes, and
  pieces
  that go on in a straight line become one wall on squares);
- a door becomes the one edge between the two cells that it connects;
- a light stays in its cell, with the same distance to the centre as far as the cell reaches.
"""

from collections.abc import Iterator, Mapping
from math import ceil, floor, hypot
from typing import Any, Final, TypeAlias

from game.grid.geometry import (
    AXIAL,
    HEXES,
    STRAIGHT,
    Cell,
    GridType,
    Point,
    cell_at,
    centre,
    corners,
    from_lattice,
    point_to_lattice,
    to_lattice,
)
from game.grid.obstacles import crossings, segment_of

Item: TypeAlias = Mapping[str, Any]
Edge: TypeAlias = tuple[Point, Point]

_SHORTER: Final = 0.1
"""The fraction of a door that is ignored at each end, where it only touches adjacent cells."""
_SAME: Final = 1e-6


class DoesNotFit(Exception):
    """A wall or door has no equivalent position on the other grid; the message says why."""


def is_other_plane(old: GridType, new: GridType) -> bool:
    """Whether the coordinates of points differ on the new grid."""
    return old != new and (old in HEXES or new in HEXES)


def light(old: GridType, new: GridType, item: Item) -> dict[str, Any]:
    """A light on the new grid."""
    cell = cell_at(old, item["x"], item["y"])
    (was_x, was_y), (x, y) = centre(old, cell), centre(new, cell)
    dx, dy = item["x"] - was_x, item["y"] - was_y
    # The corners of squares are outside of hexes. A light on an edge between cells belongs to one of them.
    shrink = min(1.0, 0.49 / length) if (length := hypot(dx, dy)) else 1.0
    return {**item, "x": x + dx * shrink, "y": y + dy * shrink}


def door(old: GridType, new: GridType, item: Item, width: int, height: int) -> dict[str, Any]:
    """A door on the new grid of a map of this size.

    Raises:
        DoesNotFit: it connects no two cells that are neighbours there, or more than two.
    """
    pieces = _pieces(old, new, _shortened(item), width, height)
    if len(pieces) != 1:
        raise DoesNotFit(
            "is not between two cells that are neighbours on the new grid"
            if not pieces
            else "would be on several edges, but a door is one straight line"
        )
    return _placed(item, pieces[0])


def wall(old: GridType, new: GridType, item: Item, width: int, height: int) -> list[dict[str, Any]]:
    """The walls that replace a wall on the new grid of a map of this size.

    Raises:
        DoesNotFit: it does not separate any cells.
    """
    pieces = _pieces(old, new, item, width, height)
    if not pieces:
        raise DoesNotFit("does not separate two cells that are neighbours on the new grid")
    return [_placed(item, piece) for piece in pieces]


def _pieces(old: GridType, new: GridType, item: Item, width: int, height: int) -> list[Edge]:
    """The edges on the new grid between the cells that a segment separates on the old one."""
    steps = AXIAL if new in HEXES else STRAIGHT
    edges: dict[frozenset[Cell], Edge] = {}
    for one, other in _parted(old, item, width, height):
        (u1, v1), (u2, v2) = to_lattice(new, one), to_lattice(new, other)
        if (u2 - u1, v2 - v1) in steps:
            edges.setdefault(frozenset((one, other)), _edge(new, one, other))
    return list(edges.values()) if new in HEXES else _joined(edges.values())


def _parted(grid_type: GridType, item: Item, width: int, height: int) -> Iterator[tuple[Cell, Cell]]:
    """The pairs of neighbours, on the map or next to it, that a segment separates."""
    ends = [point_to_lattice(grid_type, item[f"x{n}"], item[f"y{n}"]) for n in (1, 2)]
    us, vs = [u for u, _ in ends], [v for _, v in ends]
    far = 2 * (width + height) + 4
    low_u, high_u = max(floor(min(us)) - 1, -far), min(ceil(max(us)) + 1, far)
    low_v, high_v = max(floor(min(vs)) - 1, -far), min(ceil(max(vs)) + 1, far)
    for u, v, du, dv in crossings(segment_of(grid_type, item), grid_type in HEXES, (low_u, low_v, high_u, high_v)):
        one, other = from_lattice(grid_type, u, v), from_lattice(grid_type, u + du, v + dv)
        if all(-1 <= x <= width and -1 <= y <= height for x, y in (one, other)):
            yield one, other


def _edge(grid_type: GridType, one: Cell, other: Cell) -> Edge:
    """The edge that two neighbours share: the corners of the first that are the nearest to the second's centre."""
    x, y = centre(grid_type, other)
    near = sorted(corners(grid_type, one), key=lambda corner: round(hypot(corner[0] - x, corner[1] - y), 6))
    first, second = sorted(near[:2])
    return first, second


def _joined(edges: Any) -> list[Edge]:
    """The edges of squares, merged where they continue each other."""
    joined: list[Edge] = []
    # Horizontal ones row by row, then vertical ones column by column.
    for (x1, y1), (x2, y2) in sorted(edges, key=lambda e: (e[0][1] != e[1][1], e[0][e[0][1] == e[1][1]], e)):
        if joined:
            (a1, b1), (a2, b2) = joined[-1]
            level = b1 == b2 == y1 == y2
            upright = a1 == a2 == x1 == x2
            if (level or upright) and abs(a2 - x1) < _SAME and abs(b2 - y1) < _SAME:
                joined[-1] = (a1, b1), (x2, y2)
                continue
        joined.append(((x1, y1), (x2, y2)))
    return joined


def _shortened(item: Item) -> dict[str, Any]:
    dx, dy = (item["x2"] - item["x1"]) * _SHORTER, (item["y2"] - item["y1"]) * _SHORTER
    ends = {"x1": item["x1"] + dx, "y1": item["y1"] + dy, "x2": item["x2"] - dx, "y2": item["y2"] - dy}
    return {**item, **ends}


def _placed(item: Item, edge: Edge) -> dict[str, Any]:
    (x1, y1), (x2, y2) = edge
    return {**item, "x1": x1, "y1": y1, "x2": x2, "y2": y2}
