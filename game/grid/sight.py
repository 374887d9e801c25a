"""What is visible from a cell: the field of view, the same in both directions.

The rules:

- The line of sight goes from centre to centre. It is blocked by an opaque cell between, and by a wall or a
  door that is not open. So A sees B whenever B sees A, as long as neither is opaque itself.
- A line that only grazes something, at the corner of a cell or the end of a wall, passes on the free side.
  Where there is something on both sides (two walls that meet, two rocks that touch at a corner) it is
  blocked: nothing leaks. In other words, a cell is visible if the line, moved the least bit to the left or
  to the right, is clear.
- An opaque cell is visible if a visible cell beside it is not opaque: one sees the rock that a room ends at. The
  viewer's own cell is visible and hides nothing.
- A range counts as the map's distance does, in cells. What lies further is not visible, and there is no
  light or darkness here. What touches the viewer's own centre, or that of the other cell, does not come
  between them.

The method: all cells within the range are sorted by their direction once. What blocks then hides, of the
cells in the directions that it spans, those behind it. It works on the lattice in whole numbers, so it is
exact, and squares and hexes differ only in the corners of a cell. For the rule of symmetry: Albert Ford,
"Symmetric Shadowcasting".
"""

from bisect import bisect_left, bisect_right
from functools import lru_cache
from math import floor
from typing import Final, NamedTuple

from game.grid.canvas import Canvas, Steps
from game.grid.chunks import Frame
from game.grid.distance import lattice_distance
from game.grid.geometry import AXIAL, DIAGONAL, STRAIGHT, Cell, Grid, from_lattice, to_lattice
from game.grid.obstacles import SCALE, Obstacles, look

MAX_RANGE: Final = 128
"""Cells; the work grows with the square of the range."""

# The sight of most creatures: 160 ft.
_KEPT_RANGE: Final = 32

_THIRD: Final = SCALE // 3
_HALF: Final = SCALE // 2
_HEX_CORNERS: Final = ((1, 1), (-1, 2), (-2, 1), (-1, -1), (1, -2), (2, -1))  # in thirds of a step
_SQUARE_CORNERS: Final = ((1, 1), (-1, 1), (-1, -1), (1, -1))  # in halves


class View(NamedTuple):
    """What is visible in the rectangle of `width` x `height` cells from (x, y): rows of `1` (visible) and
    `0`."""

    x: int
    y: int
    width: int
    height: int
    rows: list[str]


def shows(view: View, x: int, y: int) -> bool:
    """Whether a view shows a cell."""
    column, row = x - view.x, y - view.y
    return 0 <= column < view.width and 0 <= row < view.height and view.rows[row][column] == "1"


def view(frame: Frame, width: int, height: int, cell: Cell, radius: int | float) -> Steps[View]:
    """Find the cells of a stored map that are visible from a cell; yields the chunks it wants, returns the
    View.

    Takes the range in cells, up to MAX_RANGE. Raises ValueError if the range is not from 0 to MAX_RANGE, or
    the cell does not lie on the map.
    """
    if not 0 <= radius <= MAX_RANGE:
        raise ValueError(f"the range must be from 0 to {MAX_RANGE} cells")
    if not (0 <= cell[0] < width and 0 <= cell[1] < height):
        raise ValueError("the cell is not on the map")
    reach = floor(radius)
    left, top = max(cell[0] - reach, 0), max(cell[1] - reach, 0)
    right, bottom = min(cell[0] + reach + 1, width), min(cell[1] + reach + 1, height)
    obstacles = yield from look(frame, Canvas(width, height), left, top, right - left, bottom - top)
    return visible(obstacles, cell, radius)


def visible(obstacles: Obstacles, cell: Cell, radius: int | float) -> View:
    """Find the cells of a rectangle that are visible from a cell in it, within a range in cells."""
    grid, width = obstacles.grid, obstacles.width
    around = _around(grid, radius)
    here_u, here_v = to_lattice(grid.type, cell)
    on_map: dict[Cell, int] = {}  # the place in the rectangle's cells, by (du, dv)
    for du, dv in (*around.steps, (0, 0)):
        x, y = from_lattice(grid.type, here_u + du, here_v + dv)
        if 0 <= x - obstacles.x < width and 0 <= y - obstacles.y < obstacles.height:
            on_map[du, dv] = (y - obstacles.y) * width + x - obstacles.x
    beside = AXIAL if grid.is_hex else STRAIGHT + DIAGONAL
    opaque = {step for step, place in on_map.items() if obstacles.opaque[place] and step != (0, 0)}
    hidden = bytearray(len(around.steps))
    for u1, v1, u2, v2 in obstacles.screens:
        ends = u1 - here_u * SCALE, v1 - here_v * SCALE, u2 - here_u * SCALE, v2 - here_v * SCALE
        around.hide(hidden, around.shadow(*ends))
    for du, dv in opaque:
        # Within rock, nothing is hidden that the rock around does not hide.
        if not all((du + su, dv + sv) in opaque for su, sv in beside):
            around.hide_behind(hidden, (du, dv))
    clear = {step for step, sides in zip(around.steps, hidden, strict=True) if sides != _BOTH and step in on_map}
    clear = (clear - opaque) | {(0, 0)}
    seen = clear | {step for step in opaque if any((step[0] + su, step[1] + sv) in clear for su, sv in beside)}
    mask = bytearray(b"0" * (width * obstacles.height))
    for step in seen:
        mask[on_map[step]] = 49
    text = mask.decode()
    rows = [text[at : at + width] for at in range(0, len(text), width)]
    return View(obstacles.x, obstacles.y, width, obstacles.height, rows)


_LEFT: Final = 1
_RIGHT: Final = 2
_BOTH: Final = 3


class _Shadow(NamedTuple):
    """The directions that a segment spans, as places in the order of directions, and what lies behind it.

    The line moved to one side is blocked from `left` to before `left_end`, moved to the other from `right`
    to before `right_end`; without a turn past the end, left <= right and left_end <= right_end. A cell (u,
    v) is behind if eu * v - ev * u < limit, in SCALE parts.
    """

    left: int
    right: int
    left_end: int
    right_end: int
    eu: int
    ev: int
    limit: int


class _Around:
    """The cells within a range of a cell, by direction; the same for all cells of a grid."""

    def __init__(self, grid: Grid, radius: int | float) -> None:
        reach = range(-floor(radius), floor(radius) + 1)
        near = ((du, dv) for du in reach for dv in reach if lattice_distance(grid, du, dv) <= radius)
        self.steps = sorted((step for step in near if step != (0, 0)), key=lambda step: _direction(*step))
        self.directions = [_direction(*step) for step in self.steps]
        self.us = [du * SCALE for du, _ in self.steps]
        self.vs = [dv * SCALE for _, dv in self.steps]
        part, corners = (_THIRD, _HEX_CORNERS) if grid.is_hex else (_HALF, _SQUARE_CORNERS)
        self.corners = [(part * u, part * v) for u, v in corners]
        self._shadows: dict[Cell, _Shadow | None] = {}

    def shadow(self, u1: int, v1: int, u2: int, v2: int) -> _Shadow | None:
        """The shadow of a segment, relative to the viewer; None if it points at the viewer and hides
        nothing."""
        area = u1 * v2 - v1 * u2
        if not area:
            return None
        if area < 0:
            u1, v1, u2, v2 = u2, v2, u1, v1
        first, last = _direction(u1, v1), _direction(u2, v2)
        order, eu, ev = self.directions, u2 - u1, v2 - v1
        return _Shadow(
            bisect_left(order, first),
            bisect_right(order, first),
            bisect_left(order, last),
            bisect_right(order, last),
            eu,
            ev,
            eu * v1 - ev * u1,
        )

    def hide(self, hidden: bytearray, shadow: _Shadow | None) -> None:
        """Mark the sides on which the line to a cell is blocked by a shadow."""
        if shadow is None:
            return
        left, right, left_end, right_end, eu, ev, limit = shadow
        us, vs = self.us, self.vs
        spans: tuple[tuple[int, int, int], ...] = (
            (left, right, _LEFT),
            (right, left_end, _BOTH),
            (left_end, right_end, _RIGHT),
        )
        if right > left_end:
            # The shadow turns past the end of the order.
            spans = (
                (left, right, _LEFT),
                (right, len(us), _BOTH),
                (0, left_end, _BOTH),
                (left_end, right_end, _RIGHT),
            )
        for begin, end, sides in spans:
            for at in range(begin, end):
                if eu * vs[at] - ev * us[at] < limit:
                    hidden[at] |= sides

    def hide_behind(self, hidden: bytearray, step: Cell) -> None:
        """Mark what an opaque cell hides, maybe itself."""
        if step not in self._shadows:
            self._shadows[step] = self.shadow(*self._outline(step))
        self.hide(hidden, self._shadows[step])

    def _outline(self, step: Cell) -> tuple[int, int, int, int]:
        """The two corners of a cell that are the outermost as seen from the viewer."""
        points = [(step[0] * SCALE + u, step[1] * SCALE + v) for u, v in self.corners]
        first = last = points[0]
        for point in points:
            if first[0] * point[1] < first[1] * point[0]:
                first = point
            if last[0] * point[1] > last[1] * point[0]:
                last = point
        return *first, *last


def _direction(u: int, v: int) -> float:
    """A number that grows with the direction of (u, v), from -1 to 3.

    As an angle would; but two points in one direction give exactly the same number, because it comes from one
    division whose true result is the same.
    """
    slope = v / (abs(u) + abs(v))
    return slope if u >= 0 else 2 - slope


@lru_cache(maxsize=8)
def _kept(grid: Grid, radius: int | float) -> _Around:
    return _Around(grid, radius)


def _around(grid: Grid, radius: int | float) -> _Around:
    """The cells within a range; those of ranges that are asked again and again are kept, a few MB each."""
    if grid.type != "none":
        radius = floor(radius)
    plain = Grid("hex_row" if grid.is_hex else grid.type, grid.diagonal_rule)
    return _kept(plain, radius) if radius <= _KEPT_RANGE else _Around(plain, radius)
