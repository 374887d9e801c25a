"""What is visible from a cell: the field of view, the same in both directions.

The rules:

- The line of sight goes from centre to centre. It is blocked by an opaque cell between, and by a wall or a
  door that is not open. So A sees B whenever B sees A, as long as neither is opaque itself.
- A line that only touches an obstacle, at the corner of a cell or the end of a wall, passes on the free side. If
there are obstacles on both sides (two walls that meet, two rocks that touch at a corner), it is blocked. In other
words, a cell is visible if the line is clear after an infinitesimal shift to the left or to the right.
- An opaque cell is visible if a visible cell beside it is not opaque: one sees the rock around a room. The
  viewer's own cell is visible and hides nothing.
- A range counts as the map's distance does, in cells. Cells beyond the range are not visible. Light and darkness
  are not considered here. Obstacles that touch the viewer's own centre, or that of the other cell, are not between
  them.

The method: the cells within the range are bits of one number, laid out as the map is, and sorted by their
direction once. An obstacle hides, of the cells in the directions that it spans, those behind a straight line:
both are numbers that are looked up or made line by line, so that one `and` decides over all cells at once. It
works on the lattice in whole numbers, so it is exact, and squares and hexes differ only in the corners of a
cell. For the rule of symmetry: Albert Ford, "Symmetric Shadowcasting".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import lru_cache
from math import floor, gcd
from typing import Final, NamedTuple, TypeAlias

from game.grid.canvas import Canvas, Steps
from game.grid.cell_sets import bits_of
from game.grid.chunks import CHUNK, Frame
from game.grid.distance import lattice_distance
from game.grid.geometry import AXIAL, Cell, Grid, to_lattice
from game.grid.obstacles import SCALE, Obstacles, Segment, look

MAX_RANGE: Final = 128
"""Cells; the work grows with the square of the range."""

# The sight of most creatures: 240 ft.
_COMMON_RANGE: Final = 48

_TABLE_BYTES: Final = 2**20
"""The maximum size of a table for one range; larger ones store every nth entry."""

# Directions with components up to this count as along the grid.
_ALONG: Final = 3

_DIGITS: Final = b"01" + bytes(254)  # of a byte 0 or 1, its digit

_THIRD: Final = SCALE // 3
_HALF: Final = SCALE // 2
_HEX_CORNERS: Final = ((1, 1), (-1, 2), (-2, 1), (-1, -1), (1, -2), (2, -1))  # in thirds of a step
_SQUARE_CORNERS: Final = ((1, 1), (-1, 1), (-1, -1), (1, -1))  # in halves


class View(NamedTuple):
    """The visible cells in the rectangle of `width` x `height` cells from (x, y): rows of `1` (visible) and
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
    """Find the cells of a stored map that are visible from a cell; yields requests for chunks, and returns the
    View.

    Takes the range in cells, up to MAX_RANGE. Raises ValueError if the range is not from 0 to MAX_RANGE, or the
    cell is not on the map.
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
    grid = obstacles.grid
    transposed = grid.type == "hex_column"
    origin = to_lattice(grid.type, cell)
    window = window_around(grid, radius, origin)
    reach, stride = window.reach, window.stride
    along, across = cell[::-1] if transposed else cell
    x, y, width, height = obstacles.x, obstacles.y, obstacles.width, obstacles.height
    marks = obstacles.opaque.translate(_DIGITS)
    lines = [marks[at : at + width] for at in range(0, len(marks), width)]
    if transposed:
        x, y, width, height = y, x, height, width
        lines = [*map(bytes, zip(*lines, strict=True))]
    # The part of the rectangle within the window.
    left, right = max(along - reach, x), min(along + reach + 1, x + width)
    window_rows = range(max(across - reach, y), min(across + reach + 1, y + height))
    opaque = 0
    for row in window_rows if b"1" in marks else ():
        opaque |= int(lines[row - y][left - x : right - x][::-1], 2) << (row - across + reach) * stride
    offset = left - along + reach
    on_map = window.in_range & window.rectangle(
        offset, window_rows.start - across + reach, offset + right - left, len(window_rows)
    )
    seen = window.visible(origin, (opaque << offset) & on_map, on_map, obstacles.screens) >> offset
    result = ["0" * width] * height
    for row in window_rows:
        digits = f"{seen >> (row - across + reach) * stride & (1 << right - left) - 1:0{right - left}b}"[::-1]
        result[row - y] = "0" * (left - x) + digits + "0" * (x + width - right)
    if transposed:
        result = [*map("".join, zip(*result, strict=True))]
    return View(obstacles.x, obstacles.y, obstacles.width, obstacles.height, result)


_Sides: TypeAlias = tuple[int, int]
"""The cells whose line of sight is blocked if it is moved to the left, and if to the right."""


class Window:
    """The cells within a range of a cell, as bits: lines `stride` bits long, with the cell in the middle.

    On all grids but hex_column that is the layout of the map. There a line is a column of the map, from top to
    bottom (`transposed` turns one into the other). It is the same for all cells of a grid; on hexes, for all
    whose line is even, or odd.
    """

    def __init__(self, grid: Grid, radius: int | float, odd: int) -> None:
        self.is_hex = grid.is_hex
        self.reach = reach = floor(radius)
        # At least one bit between the lines, so that a step does not wrap into the next line.
        self.stride = (2 * reach + 2 + CHUNK - 1) // CHUNK * CHUNK
        self.centre = 1 << reach * self.stride + reach
        lines = range(-reach, reach + 1)
        # The offset between a line of cells on the map and the line of the lattice.
        self._shear = [(odd + line) >> 1 if grid.is_hex else 0 for line in lines]
        steps = [(du, dv) for dv in lines for du in lines if lattice_distance(grid, du, dv) <= radius]
        steps.remove((0, 0))
        steps.sort(key=lambda step: _direction(*step))
        self._directions = [_direction(*step) for step in steps]
        self._sorted_bits = [(dv + reach) * self.stride + du + self._shear[dv + reach] + reach for du, dv in steps]
        self._step_of = dict(zip(self._sorted_bits, steps, strict=True))
        size = self.stride * (2 * reach + 1) // 8 + 1  # of a set of cells, in bytes
        self._interval = 1 + len(steps) * size // _TABLE_BYTES
        self._max_cached = max(_TABLE_BYTES // size, 64)
        self._max_cached_cells = 8 * self._max_cached
        self._prefix_sets = self._prefixes(size)
        self.in_range = self._prefix_sets[-1] | self.centre
        self._half_planes: dict[tuple[int, int, int], int] = {}
        self._shadows: dict[Segment, _Sides] = {}
        self._cell_shadows: dict[int, _Sides] = {}
        end = 2 * reach + 1
        full = (1 << end) - 1
        tails = [full >> at << at for at in range(end + 1)]
        self._tails = [tail.to_bytes(self.stride // 8, "little") for tail in tails]
        self._heads = [(full ^ tail).to_bytes(self.stride // 8, "little") for tail in tails]
        self._neighbour_shifts = self._neighbours(odd)
        part, corners = (_THIRD, _HEX_CORNERS) if grid.is_hex else (_HALF, _SQUARE_CORNERS)
        self._corners = [(part * u, part * v) for u, v in corners]

    def visible(self, origin: Cell, opaque: int, on_map: int, screens: Iterable[Segment]) -> int:
        """The cells that are visible from the lattice cell `origin`, given the opaque cells and the cells on the
        map."""
        opaque &= ~self.centre
        left = right = 0
        origin_u, origin_v = origin[0] * SCALE, origin[1] * SCALE
        reach = self.reach * SCALE
        for u1, v1, u2, v2 in screens:
            u1, v1, u2, v2 = u1 - origin_u, v1 - origin_v, u2 - origin_u, v2 - origin_v
            if (
                (u1 > reach and u2 > reach)
                or (v1 > reach and v2 > reach)
                or (u1 < -reach and u2 < -reach)
                or (v1 < -reach and v2 < -reach)
            ):
                continue
            sides = self._shadows.get((u1, v1, u2, v2))
            if sides is None:
                if len(self._shadows) >= self._max_cached:
                    self._shadows.clear()
                sides = self._shadows[u1, v1, u2, v2] = self._shadow(u1, v1, u2, v2)
            left |= sides[0]
            right |= sides[1]
        if opaque:
            # Cells inside of rock hide nothing that the surrounding rock does not hide.
            for bit in bits_of(opaque & ~self._eroded(opaque)):
                sides = self._cell_shadows.get(bit)
                if sides is None:
                    if len(self._cell_shadows) >= self._max_cached_cells:
                        self._cell_shadows.clear()
                    sides = self._cell_shadows[bit] = self._shadow(*self._outline(self._step_of[bit]))
                left |= sides[0]
                right |= sides[1]
        clear = on_map & ~(left & right) & ~opaque | self.centre
        return clear | (self._dilated(clear) & opaque if opaque else 0)

    def transposed(self, cells: int) -> int:
        """Transposed cells: lines and positions within lines are exchanged."""
        length = 2 * self.reach + 1
        text = f"{cells:0{length * self.stride}b}"[::-1]
        blank = "0" * (self.stride - length)
        lines = (text[index :: self.stride] for index in range(length))
        return int(blank.join(lines)[::-1], 2)

    def rectangle(self, left: int, top: int, right: int, height: int) -> int:
        """The cells from position `left` to before `right` in the lines from `top`."""
        row = (1 << right) - (1 << left)
        return sum(row << line * self.stride for line in range(top, top + height))

    def _prefixes(self, size: int) -> list[int]:
        """The sets of the first n cells in the order of directions, for every nth n."""
        prefix, kept = bytearray(size), []
        for index, bit in enumerate(self._sorted_bits):
            if index % self._interval == 0:
                kept.append(int.from_bytes(prefix, "little"))
            prefix[bit >> 3] |= 1 << (bit & 7)
        return [*kept, int.from_bytes(prefix, "little")]

    def _before(self, index: int) -> int:
        """The first cells in the order of directions."""
        if index == len(self._sorted_bits):
            return self._prefix_sets[-1]
        kept, rest = divmod(index, self._interval)
        if not rest:
            return self._prefix_sets[kept]
        prefix = bytearray(self.in_range.bit_length() // 8 + 1)
        for bit in self._sorted_bits[index - rest : index]:
            prefix[bit >> 3] |= 1 << (bit & 7)
        return self._prefix_sets[kept] | int.from_bytes(prefix, "little")

    def _shadow(self, u1: int, v1: int, u2: int, v2: int) -> _Sides:
        """The cells that a segment hides; none if it points at the viewer."""
        area = u1 * v2 - v1 * u2
        if not area:
            return 0, 0
        if area < 0:
            u1, v1, u2, v2 = u2, v2, u1, v1
        first, last = _direction(u1, v1), _direction(u2, v2)
        order = self._directions
        left, right = bisect_left(order, first), bisect_right(order, first)
        left_end, right_end = bisect_left(order, last), bisect_right(order, last)
        if left == right_end:
            return 0, 0
        eu, ev = u2 - u1, v2 - v1
        # In SCALE parts what is hidden has eu * v - ev * u < limit: in cells, at most (limit - 1) // SCALE.
        limit = (eu * v1 - ev * u1 - 1) // SCALE
        shared = gcd(eu, ev)
        behind = self._half_plane(eu // shared, ev // shared, limit // shared)
        blocked_left = self._before(left_end) ^ self._before(left)
        blocked_right = self._before(right_end) ^ self._before(right)
        if right > left_end:
            # The span turns past the end of the order.
            blocked_left, blocked_right = self.in_range & ~blocked_left, self.in_range & ~blocked_right
        return blocked_left & behind, blocked_right & behind

    def _half_plane(self, eu: int, ev: int, limit: int) -> int:
        """The cells (du, dv) with eu * dv - ev * du <= limit."""
        found = self._half_planes.get((eu, ev, limit))
        if found is not None:
            return found
        reach, end = self.reach, 2 * self.reach + 1
        first = limit + eu * reach  # -ev * du is at most this in the first line, and eu less in each that follows
        if ev == 0:
            rows = [self._tails[0 if first >= eu * line else end] for line in range(end)]
        elif ev > 0:
            columns = [
                (eu * line - first + ev - 1) // ev + shear + reach for line, shear in enumerate(self._shear)
            ]
            rows = [self._tails[0 if column < 0 else column if column < end else end] for column in columns]
        else:
            columns = [(eu * line - first) // ev + 1 + shear + reach for line, shear in enumerate(self._shear)]
            rows = [self._heads[0 if column < 0 else column if column < end else end] for column in columns]
        found = int.from_bytes(b"".join(rows), "little")
        # Only lines along the grid are cached, because they recur for other viewers.
        if -_ALONG <= eu <= _ALONG and -_ALONG <= ev <= _ALONG:
            if len(self._half_planes) >= self._max_cached:
                self._half_planes.clear()
            self._half_planes[eu, ev, limit] = found
        return found

    def _outline(self, step: Cell) -> Segment:
        """The two outermost corners of a cell as seen from the viewer."""
        points = [(step[0] * SCALE + u, step[1] * SCALE + v) for u, v in self._corners]
        first = last = points[0]
        for point in points:
            if first[0] * point[1] < first[1] * point[0]:
                first = point
            if last[0] * point[1] > last[1] * point[0]:
                last = point
        return *first, *last

    def _neighbours(self, odd: int) -> list[tuple[int, tuple[int, ...]]]:
        """Operations on sets of cells as bits, with the shifts to the neighbours of each cell."""
        stride = self.stride
        if not self.is_hex:
            return [(-1, (1, -1, stride, -stride, stride + 1, stride - 1, -stride + 1, -stride - 1))]
        line = int.from_bytes(self._tails[0], "little")
        found = []
        for parity in (0, 1):
            lines = [index for index in range(2 * self.reach + 1) if (index - self.reach + odd) & 1 == parity]
            shifts = tuple(dv * stride + du + ((parity + dv) >> 1) for du, dv in AXIAL)
            found.append((sum(line << index * stride for index in lines), shifts))
        return found

    def _dilated(self, cells: int) -> int:
        """The neighbours of some cells, including ones out of range."""
        found = 0
        for mask, shifts in self._neighbour_shifts:
            part = cells & mask
            for shift in shifts:
                found |= part << shift if shift > 0 else part >> -shift
        return found

    def _eroded(self, cells: int) -> int:
        """The cells whose neighbours are all in the set."""
        found = 0
        for mask, shifts in self._neighbour_shifts:
            part = cells & mask
            for shift in shifts:
                part &= cells >> shift if shift > 0 else cells << -shift
            found |= part
        return found


def _direction(u: int, v: int) -> float:
    """A number from -1 to 3 that increases with the direction of (u, v), like an angle.

    Unlike an angle, it is exactly equal for two points in one direction, because it is computed by one division.
    """
    slope = v / (abs(u) + abs(v))
    return slope if u >= 0 else 2 - slope


@lru_cache(maxsize=8)
def _common(grid: Grid, radius: int | float, odd: int) -> Window:
    return Window(grid, radius, odd)


@lru_cache(maxsize=2)
def _large(grid: Grid, radius: int | float, odd: int) -> Window:
    return Window(grid, radius, odd)


def window_around(grid: Grid, radius: int | float, origin: Cell) -> Window:
    """The cells within a range of the lattice cell `origin`. The most recently used ranges are cached: a few
    MB each, up to 20 MB beyond _COMMON_RANGE."""
    if grid.type != "none":
        radius = floor(radius)
    kept = _common if radius <= _COMMON_RANGE else _large
    # Both kinds of hexes are the same on the lattice.
    plain = Grid("hex_row" if grid.is_hex else grid.type, grid.diagonal_rule)
    return kept(plain, radius, origin[1] & 1 if grid.is_hex else 0)
