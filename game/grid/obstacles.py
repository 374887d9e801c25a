"""The obstacles in a rectangle of a map: solid and opaque cells, terrain, walls and doors.

The rules:

- All visible layers count (those without `"visible": false`). A cell blocks movement, or sight, if the
  symbol of any of them does.
- The cost of a cell is the `movement_cost` of its topmost symbol that has one, otherwise 1:
  difficult terrain does not add up (5e SRD, "Difficult Terrain"), and a road through a forest is a road.
- A wall blocks movement and sight, unless its keys say otherwise. So does a door that is not open.
- An open door makes the blocking cells passable that it lies on or at the edge of: they block neither movement nor
  sight. (A cell that only its end touches is not affected.) So a door on the side of a wall that is drawn
  with cells opens a way through that wall, if it is one cell thick.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, hypot
from typing import Any, Final, TypeAlias

from game.grid.canvas import Canvas, Steps
from game.grid.chunks import Frame, layer_keys
from game.grid.geometry import Cell, Grid, GridType, beside, cell_at, centre, point_to_lattice

SCALE: Final = 3 * 256
"""Segments are snapped to 1/768 of a cell, so that all tests on them are exact in whole numbers.

With rounded numbers, what A sees of B and B of A could differ. Halves and thirds, where the corners of
squares and hexes lie, fit exactly.
"""

# The ends of a wall may be any finite numbers; beyond this distance, only the direction matters.
_FAR: Final = 1e300
FAR_DOOR: Final = 1e6
"""Coordinates of doors are limited to this, which is beyond every map."""

_BESIDE: Final = 0.05
"""The distance from a door, in cells, within which a point is in a cell at whose edge the door lies."""
_MIDDLE: Final = ((1, 0.4), (2, 0.6))
_POINTS: Final = 4
"""The number of points that are tested per cell of a door's length."""

Segment: TypeAlias = tuple[int, int, int, int]
"""u1, v1, u2, v2: a straight wall on the lattice, in SCALE parts of a cell."""


@dataclass(frozen=True)
class Obstacles:
    """The obstacles in the rectangle of `width` x `height` cells from (x, y).

    `solid` (blocks movement), `opaque` (blocks sight) and `terrain` hold one number a cell, row by row;
    `terrain` is an index into `costs`. `barriers` are the segments that block movement, `screens` those that
    block sight; both also hold those a few cells outside.
    """

    grid: Grid
    x: int
    y: int
    width: int
    height: int
    solid: bytes
    opaque: bytes
    terrain: Sequence[int]
    costs: tuple[int | float, ...]
    barriers: tuple[Segment, ...]
    screens: tuple[Segment, ...]


def look(frame: Frame, canvas: Canvas, x: int, y: int, width: int, height: int) -> Steps[Obstacles]:
    """Find the obstacles in a rectangle of a stored map; reads only the chunks it
    touches."""
    named = layer_keys(frame)
    keys = [named.get(layer["name"]) if layer.get("visible", True) else None for layer in frame.get("layers", ())]
    yield from canvas.want(
        chunk for key in keys if key is not None for chunk in canvas.keys(key, x, y, width, height)
    )
    rows = [None if key is None else canvas.region(key, x, y, width, height) for key in keys]
    return survey(frame, rows, x, y, width, height)


def survey(
    document: Mapping[str, Any], rows: Iterable[Sequence[str] | None], x: int, y: int, width: int, height: int
) -> Obstacles:
    """Find the obstacles in a rectangle.

    Takes a valid grid data document or its frame (for the legend, the layers but not their rows, the walls and
    doors), the rows of each of its layers within the rectangle (None for one without cells), and the rectangle,
    which must be on the map.
    """
    legend: Sequence[Mapping[str, Any]] = document.get("legend", ())
    layers: Sequence[Mapping[str, Any]] = document.get("layers", ())
    seen = [
        "".join(cells)
        for layer, cells in zip(layers, rows, strict=True)
        if cells is not None and layer.get("visible", True)
    ]
    stated = {entry["symbol"]: entry["movement_cost"] for entry in legend if "movement_cost" in entry}
    costs = costs_of(document)
    number = {cost: index for index, cost in enumerate(costs) if index}
    grid = Grid.of(document)
    left, top, right, bottom = _box(grid.type, x, y, width, height)
    segments = [
        (item, segment_of(grid.type, item))
        for item in _barriers(document)
        # The bounding box of the segment touches the rectangle.
        if (item["x1"] <= right or item["x2"] <= right) and (item["x1"] >= left or item["x2"] >= left)
        if (item["y1"] <= bottom or item["y2"] <= bottom) and (item["y1"] >= top or item["y2"] >= top)
    ]
    solid, opaque = (
        _any(seen, {entry["symbol"] for entry in legend if entry.get(key)}, width * height)
        for key in ("blocks_movement", "blocks_sight")
    )
    for door in document.get("doors", ()):
        if door.get("state", "closed") == "open":
            for column, row in opened_cells(grid.type, door, x, y, width, height):
                index = (row - y) * width + column - x
                solid[index] = opaque[index] = 0
    return Obstacles(
        grid, x, y, width, height,
        bytes(solid), bytes(opaque),
        _topmost(seen, {symbol: number[cost] for symbol, cost in stated.items()}, width * height),
        costs,
        tuple(segment for item, segment in segments if item.get("blocks_movement", True)),
        tuple(segment for item, segment in segments if item.get("blocks_sight", True)),
    )  # fmt: skip


def opened_cells(
    grid_type: GridType, door: Mapping[str, Any], x: int, y: int, width: int, height: int
) -> set[Cell]:
    """The cells of a rectangle that a door opens when it is open: those that it lies on or at the edge of.

    They are found by points close to the door on both of its sides, some in each cell along it.
    """
    ends = _within(door, _box(grid_type, x, y, width, height))
    if ends is None:
        return set()
    (x1, y1), (x2, y2) = ends
    length = hypot(x2 - x1, y2 - y1)
    if not length:
        return set()
    beside_x, beside_y = (y1 - y2) / length * _BESIDE, (x2 - x1) / length * _BESIDE
    count = max(2, ceil(length * _POINTS))
    points = ((x1 + (x2 - x1) * part, y1 + (y2 - y1) * part) for part in ((n + 0.5) / count for n in range(count)))
    cells = {
        cell_at(grid_type, px + side * beside_x, py + side * beside_y) for px, py in points for side in (-1, 1)
    }
    return {cell for cell in cells if x <= cell[0] < x + width and y <= cell[1] < y + height}


def can_open(obstacles: Obstacles, door: Mapping[str, Any]) -> bool:
    """Whether a token can pass a door once it is open.

    Takes the obstacles around the door (two cells to each side), without the door itself. It can if each side of
    the door has a free cell, among those that it opens and those that share a side with one of them (moves do not
    cut the corners of rocks), and no wall crosses its middle.
    """
    grid, x, y, width, height = obstacles.grid, obstacles.x, obstacles.y, obstacles.width, obstacles.height
    opened = opened_cells(grid.type, door, x, y, width, height)
    dx, dy = door["x2"] - door["x1"], door["y2"] - door["y1"]
    sides = set()
    for column, row in {*opened, *(cell for one in opened for cell in beside(grid, one))}:
        on_map = x <= column < x + width and y <= row < y + height
        if on_map and not obstacles.solid[(row - y) * width + column - x]:
            px, py = centre(grid.type, (column, row))
            across = dx * (py - door["y1"]) - dy * (px - door["x1"])
            if abs(across) > _BESIDE:
                sides.add(across > 0)
    ends = {f"{axis}{n}": door[f"{axis}1"] + d * at for axis, d in (("x", dx), ("y", dy)) for n, at in _MIDDLE}
    middle = segment_of(grid.type, ends)
    return len(sides) == 2 and not any(_lies_on(barrier, middle) for barrier in obstacles.barriers)


def _lies_on(barrier: Segment, piece: Segment) -> bool:
    """Whether a piece of a straight line is a part of a barrier."""
    u1, v1, u2, v2 = barrier
    du, dv = u2 - u1, v2 - v1
    for u, v in (piece[:2], piece[2:]):
        # With a tolerance, because the ends of both are snapped.
        off_line = abs(du * (v - v1) - dv * (u - u1)) > 2 * (abs(du) + abs(dv))
        if off_line or not min(u1, u2) - 2 <= u <= max(u1, u2) + 2 or not min(v1, v2) - 2 <= v <= max(v1, v2) + 2:
            return False
    return True


def _within(
    item: Mapping[str, Any], box: tuple[float, float, float, float]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The ends of the part of a straight line in a box (Liang and Barsky's clipping); None if it is outside."""
    x1, y1, x2, y2 = (max(-FAR_DOOR, min(item[key], FAR_DOOR)) for key in ("x1", "y1", "x2", "y2"))
    dx, dy = x2 - x1, y2 - y1
    begin, end = 0.0, 1.0
    for step, room in ((-dx, x1 - box[0]), (dx, box[2] - x1), (-dy, y1 - box[1]), (dy, box[3] - y1)):
        if not step:
            if room < 0:
                return None
        elif step < 0:
            begin = max(begin, room / step)
        else:
            end = min(end, room / step)
    if begin > end:
        return None
    return (x1 + begin * dx, y1 + begin * dy), (x1 + end * dx, y1 + end * dy)


def costs_of(document: Mapping[str, Any]) -> tuple[int | float, ...]:
    """The movement costs in a document's legend, in order, after 1, which is the default."""
    stated = {entry["movement_cost"] for entry in document.get("legend", ()) if "movement_cost" in entry}
    return 1, *sorted(stated)


def crossings(
    segment: Segment, is_hex: bool, bounds: tuple[int, int, int, int]
) -> Iterator[tuple[int, int, int, int]]:
    """The steps that a segment crosses or touches, as (u, v, du, dv): the step from (u, v) to (u + du, v +
    dv).

    A step is the straight line between the centres of two neighbours, ends included. Each is given once, in
    one of its two directions: (1, 0), (0, 1), (1, -1), and on squares also (1, 1). Only steps that begin
    within `bounds`, the lowest u and v and the highest u and v, are given.

    The steps in one direction are on parallel lines; so it is enough to ask where the segment meets each
    line.
    """
    u1, v1, u2, v2 = segment
    low_u, low_v, high_u, high_v = bounds
    for k, n in _meetings(v1, v2, low_v, high_v, u1, u2, low_u, high_u):
        yield n, k, 1, 0
    for k, n in _meetings(u1, u2, low_u, high_u, v1, v2, low_v, high_v):
        yield k, n, 0, 1
    for k, n in _meetings(u1 + v1, u2 + v2, low_u + low_v, high_u + high_v, u1, u2, low_u, high_u):
        if low_v <= k - n <= high_v:
            yield n, k - n, 1, -1
    for k, n in _meetings(u1 - v1, u2 - v2, low_u - high_v, high_u - low_v, u1, u2, low_u, high_u):
        if low_v <= n - k <= high_v and not is_hex:
            yield n, n - k, 1, 1


def _meetings(
    w1: int, w2: int, low: int, high: int, p1: int, p2: int, first: int, last: int
) -> Iterator[tuple[int, int]]:
    """Where a segment meets the lines w = low, low + 1, ... high, as (w, n) with n <= place <= n + 1.

    Takes the segment's w and place p at both ends, in SCALE parts, and the smallest and largest n of
    interest.
    """
    if w1 > w2:
        w1, w2, p1, p2 = w2, w1, p2, p1
    if w1 == w2:
        if w1 % SCALE == 0 and low <= w1 // SCALE <= high:
            begin, end = -(-min(p1, p2) // SCALE) - 1, max(p1, p2) // SCALE
            for n in range(max(begin, first), min(end, last) + 1):
                yield w1 // SCALE, n
        return
    rise, run = w2 - w1, p2 - p1
    whole = rise * SCALE
    for w in range(max(-(-w1 // SCALE), low), min(w2 // SCALE, high) + 1):
        n, rest = divmod(p1 * rise + (w * SCALE - w1) * run, whole)
        if first <= n <= last:
            yield w, n
        if not rest and first < n <= last + 1:
            yield w, n - 1


def _barriers(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The walls, and the doors that are not open."""
    yield from document.get("walls", ())
    for door in document.get("doors", ()):
        if door.get("state", "closed") != "open":
            yield door


def segment_of(grid_type: GridType, item: Mapping[str, Any]) -> Segment:
    """A wall or door of a document as a segment on the lattice."""
    ends = [max(-_FAR, min(item[key], _FAR)) for key in ("x1", "y1", "x2", "y2")]
    u1, v1 = point_to_lattice(grid_type, *ends[:2])
    u2, v2 = point_to_lattice(grid_type, *ends[2:])
    return round(u1 * SCALE), round(v1 * SCALE), round(u2 * SCALE), round(v2 * SCALE)


def _box(grid_type: GridType, x: int, y: int, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of all steps that begin or end in a rectangle, and a little more."""
    (left, top), (right, bottom) = centre(grid_type, (x, y)), centre(grid_type, (x + width, y + height))
    return left - 2, top - 2, right + 2, bottom + 2


def _any(layers: Sequence[str], symbols: set[str], count: int) -> bytearray:
    """1 for each cell with one of the symbols in any layer."""
    marks = defaultdict(lambda: "\0", {ord(symbol): "\1" for symbol in symbols})
    marked = 0
    for cells in layers if symbols else ():
        marked |= int.from_bytes(cells.translate(marks).encode("latin-1"), "little")
    return bytearray(marked.to_bytes(count, "little"))


def _topmost(layers: Sequence[str], numbers: Mapping[str, int], count: int) -> Sequence[int]:
    """The number of the topmost of these symbols in each cell, or 0. The last layer is on top."""
    marks = defaultdict(lambda: "\0", {ord(symbol): chr(number) for symbol, number in numbers.items()})
    topmost: Sequence[int] = bytes(count)
    for cells in layers if numbers else ():
        # Up to 255 numbers fit into bytes, for which any() is fast.
        marked = cells.translate(marks)
        few = max(numbers.values()) < 256
        values: Sequence[int] = marked.encode("latin-1") if few else [*map(ord, marked)]
        if any(topmost) and any(values):
            topmost = [above or below for above, below in zip(values, topmost, strict=True)]
        elif any(values):
            topmost = values
    return topmost
