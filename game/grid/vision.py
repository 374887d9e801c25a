"""The vision of tokens: the rules of `game.grid.sight`, applied to tokens and light.

The rules, in addition to those of `sight` (what blocks a line of sight, symmetry, ranges by the map's distance):

- A token sees what is visible from any of the cells that it occupies (`footprint`), within its range. It always
  sees those cells themselves, even without `sight`.
- If the map's `lighting` is `dark`, it sees of that only what is lit or within its darkvision. `bright` and
  `dim` make no difference here. Darkvision does not extend the range.
- A light lights the cells that are visible from its own cell, within its range. A map light has a `range`; a
  token's light reaches as far as the larger of `bright` and `dim`, both measured from the token, from each of
  its cells. Hidden lights are off, and so are lights off the map.

`Vision` reads only the chunks in reach; its methods are generators that yield the chunks they want
(`game.grid.canvas`). docs/performance.md has measurements.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import ceil, floor, inf
from typing import Any, Final, NamedTuple

from game.grid.canvas import Canvas, Steps
from game.grid.cell_sets import NONE, Cells, ChunkXY, cells_from, gather, intersection, spread, union
from game.grid.chunks import CHUNK, Frame, layer_keys, touching
from game.grid.geometry import HEXES, Cell, Grid, GridType, to_lattice
from game.grid.obstacles import Segment, survey
from game.grid.player_view import is_hidden
from game.grid.scene import light_cell
from game.grid.sight import MAX_RANGE, window_around

SIZES: Final = (0.5, 1, 2, 3, 4)
"""Sizes of tokens, in cells per side: tiny to gargantuan (5e)."""

# The distance beyond a range, in columns and rows, within which obstacles can still matter, on any grid.
_SLACK: Final = 3

# The maximum number of cached views from cells, of about 1 KB each.
_KEPT: Final = 10_000
_KEPT_GROUPS: Final = 16

_DIGITS: Final = b"01" + bytes(254)  # of a byte 0 or 1, its digit


class Sight(NamedTuple):
    """How far a token sees, in cells: its range, and its range without light. A token without `sight` has (0,
    0)."""

    range: int | float = 0
    darkvision: int | float = 0

    @classmethod
    def of(cls, sight: Mapping[str, Any] | None) -> "Sight":
        """The `sight` of a token: null or `{range, darkvision}`."""
        return cls() if sight is None else cls(sight.get("range", 0), sight.get("darkvision", 0))


class Observer(NamedTuple):
    """A token as an observer: the cells that it occupies (`footprint`), and how far it sees."""

    cells: tuple[Cell, ...]
    sight: Sight


class Light(NamedTuple):
    """A light: the cells that it shines from, and its range in cells."""

    cells: tuple[Cell, ...]
    range: int | float


@lru_cache(maxsize=2**14)
def footprint(grid_type: GridType, x: float, y: float, size: float, width: int, height: int) -> tuple[Cell, ...]:
    """The cells of a map of the given size that a token occupies, row by row.

    Takes its top left cell, or on a grid of type none the point of its top left corner in cells, and its `size`.
    There, it occupies the cells whose centres it covers or, if it covers none (size 0.5), the cell of its middle.
    On hexes all tokens occupy one cell, like all walkers (`game.grid.paths`). Cells outside the map are left out.
    """
    side = cells_a_side(grid_type, size)
    left, top = anchor(grid_type, x, y, size)
    columns = range(max(left, 0), min(left + side, width))
    return tuple((column, row) for row in range(max(top, 0), min(top + side, height)) for column in columns)


def anchor(grid_type: GridType, x: float, y: float, size: float) -> Cell:
    """The top left cell that a token occupies, even outside the map; takes its position like `footprint`."""
    if grid_type != "none":
        return int(x), int(y)
    return (floor(x + size / 2), floor(y + size / 2)) if size < 1 else (ceil(x - 0.5), ceil(y - 0.5))


def cells_a_side(grid_type: GridType, size: float) -> int:
    """The number of cells per side that a token of this size occupies."""
    return 1 if grid_type in HEXES or size < 1 else int(size)


def map_lights(document: Mapping[str, Any], width: int, height: int) -> list[Light]:
    """The lights of a grid data document, or a frame, that are on the map and not hidden."""
    grid_type = Grid.of(document).type
    found = []
    for light in document.get("lights", ()):
        cell = None if is_hidden(light) else light_cell(grid_type, light, width, height)
        if cell is not None:
            found.append(Light((cell,), light.get("range", 0)))
    return found


def token_light(cells: Sequence[Cell], light: Mapping[str, Any] | None) -> Light | None:
    """The light that a token carries, from its cells and its `light`: null or `{bright, dim, color}`."""
    reach = max(light.get("bright", 0), light.get("dim", 0)) if light else 0
    return Light(tuple(cells), reach) if reach > 0 else None


class Vision:
    """Computes what is visible on one version of a stored map.

    Results are cached, so one Vision is used for all tokens of a map, and may be kept between requests under the
    map's id and version. `after` returns the Vision of the next version, with the results that the change cannot
    affect. Not thread-safe.
    """

    def __init__(self, frame: Frame, width: int, height: int) -> None:
        self.frame, self.width, self.height = frame, width, height
        self.grid = Grid.of(frame)
        named = layer_keys(frame)
        layers = frame.get("layers", ())
        self._keys = [named.get(layer["name"]) if layer.get("visible", True) else None for layer in layers]
        self._opaque: dict[ChunkXY, int] = {}
        self._screens: dict[ChunkXY, tuple[Segment, ...]] = {}
        self._joined: dict[tuple[ChunkXY, ...], tuple[Segment, ...]] = {}
        self._seen: dict[tuple[Cell, int | float], Cells] = {}
        self._groups: dict[tuple[tuple[Observer, ...], tuple[Light, ...], str], Cells] = {}

    @property
    def views(self) -> int:
        """The number of cached views from cells."""
        return len(self._seen)

    def after(self, frame: Frame, changed: Iterable[Cell]) -> "Vision":
        """The Vision of the same map after a change, given its new frame.

        `changed` are the cells in which something that blocks sight may have changed: cells whose symbols
        changed, and those that changed walls and doors lie in, before and after (`Scene.cells_of`,
        `segments.pieces_by_cell`). Only their bounding box counts. Size, grid type, diagonal rule and the
        layers' `visible` must be the same.
        """
        after = Vision(frame, self.width, self.height)
        cells = list(changed)
        xs, ys = [x for x, _ in cells], [y for _, y in cells]
        left, top = min(xs, default=inf) - _SLACK, min(ys, default=inf) - _SLACK
        right, bottom = max(xs, default=-inf) + _SLACK, max(ys, default=-inf) + _SLACK
        # Copied, because another thread may be using them.
        for (column, band), opaque in self._opaque.copy().items():
            x, y = column * CHUNK, band * CHUNK
            if right < x or bottom < y or left >= x + CHUNK or top >= y + CHUNK:
                after._opaque[column, band] = opaque
                after._screens[column, band] = self._screens[column, band]
        for (cell, reach), seen in self._seen.copy().items():
            if not (left - reach <= cell[0] <= right + reach and top - reach <= cell[1] <= bottom + reach):
                after._seen[cell, reach] = seen
        return after

    def seen_by(self, cells: Sequence[Cell], sight: Sight, lit: Cells | None = None) -> Steps[Cells]:
        """The cells that a token on some cells sees.

        `lit` are the cells that are lit on a dark map (`lit_by`); None on a map that is not dark.
        """
        found = cells_from(cells)
        if sight.range <= 0:
            return found
        parts = [found]
        for cell in cells:
            around = yield from self.visible_from(cell, sight.range)
            if lit is None:
                parts.append(around)
                continue
            parts.append(intersection(around, lit))
            if sight.darkvision > 0:
                parts.append((yield from self.visible_from(cell, min(sight.darkvision, sight.range))))
        return union(*parts)

    def seen_by_group(self, observers: Iterable[Observer], lights: Iterable[Light], lighting: str) -> Steps[Cells]:
        """The cells that a group of observers sees together. `lights` are the map's and the tokens' lights."""
        group = tuple(observers), tuple(lights), lighting
        known = self._groups.get(group)
        if known is None:
            known = yield from self._look_together(*group)
            if len(self._groups) >= _KEPT_GROUPS:
                self._groups.clear()
            self._groups[group] = known
        return known

    def knows_group(self, observers: Iterable[Observer], lights: Iterable[Light], lighting: str) -> bool:
        """Whether the result for a group is cached."""
        return (tuple(observers), tuple(lights), lighting) in self._groups

    def _look_together(
        self, observers: Sequence[Observer], lights: Sequence[Light], lighting: str
    ) -> Steps[Cells]:
        lit = None
        if lighting == "dark":
            lit = yield from self.lit_by(lights, observers)
        found = []
        for cells, sight in observers:
            found.append((yield from self.seen_by(cells, sight, lit)))
        return union(NONE, *found)

    def lit_by(self, lights: Iterable[Light], near: Iterable[Observer]) -> Steps[Cells]:
        """The cells that are lit. Lights that reach nothing within the range of any of the tokens are skipped."""
        boxes = []
        for cells, sight in near:
            xs, ys = [x for x, _ in cells], [y for _, y in cells]
            if cells and sight.range > 0:
                reach = sight.range
                boxes.append((min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach))
        found: list[Cells] = [NONE]
        for light in lights:
            for x, y in light.cells:
                reach = light.range
                if any(a - reach <= x <= c + reach and b - reach <= y <= d + reach for a, b, c, d in boxes):
                    found.append((yield from self.visible_from((x, y), reach)))
        return union(*found)

    def visible_from(self, cell: Cell, radius: int | float) -> Steps[Cells]:
        """The cells that are visible from a cell on the map, within a range in cells (at most MAX_RANGE
        counts)."""
        radius = self._counted(radius)
        known = self._seen.get((cell, radius))
        if known is None:
            known = yield from self._look(cell, radius)
            if len(self._seen) >= _KEPT:
                self._seen.clear()
            self._seen[cell, radius] = known
        return known

    def knows(self, cell: Cell, radius: int | float) -> bool:
        """Whether the view from a cell is cached."""
        return (cell, self._counted(radius)) in self._seen

    def _counted(self, radius: int | float) -> int | float:
        radius = min(radius, MAX_RANGE)
        return radius if self.grid.type == "none" else floor(radius)

    def _look(self, cell: Cell, radius: int | float) -> Steps[Cells]:
        reach = floor(radius)
        left, top = cell[0] - reach, cell[1] - reach
        x, y = max(left, 0), max(top, 0)
        right, bottom = min(cell[0] + reach + 1, self.width), min(cell[1] + reach + 1, self.height)
        columns, bands = touching(x, y, right - x, bottom - y)
        chunks = tuple((column, band) for band in bands for column in columns)
        if any(chunk not in self._opaque for chunk in chunks):
            yield from self._survey(chunks)
        screens = self._joined.get(chunks)
        if screens is None:
            parts = (self._screens[chunk] for chunk in chunks)
            screens = self._joined[chunks] = tuple(dict.fromkeys(segment for part in parts for segment in part))
        origin = to_lattice(self.grid.type, cell)
        window = window_around(self.grid, radius, origin)
        opaque = gather(self._opaque, window.stride, left, top, 2 * reach + 1)
        transposed = self.grid.type == "hex_column"
        if transposed and opaque:
            opaque = window.transposed(opaque)
        on_map = window.in_range
        if left < 0 or top < 0 or right - left <= 2 * reach or bottom - top <= 2 * reach:
            box = (x - left, y - top, right - left, bottom - top)
            left_, top_, right_, bottom_ = (box[1], box[0], box[3], box[2]) if transposed else box
            on_map &= window.rectangle(left_, top_, right_, bottom_ - top_)
        seen = window.visible(origin, opaque & on_map, on_map, screens)
        return spread(window.transposed(seen) if transposed else seen, window.stride, left, top)

    def _survey(self, chunks: Iterable[ChunkXY]) -> Steps[None]:
        missing = [chunk for chunk in chunks if chunk not in self._opaque]
        keys = [key for key in self._keys if key is not None]
        canvas = Canvas(self.width, self.height)
        yield from canvas.want((key, *chunk) for key in keys for chunk in missing)
        for column, band in missing:
            x, y = column * CHUNK, band * CHUNK
            width, height = min(CHUNK, self.width - x), min(CHUNK, self.height - y)
            rows = [None if key is None else canvas.region(key, x, y, width, height) for key in self._keys]
            obstacles = survey(self.frame, rows, x, y, width, height)
            self._screens[column, band] = obstacles.screens
            self._opaque[column, band] = _bits(obstacles.opaque, width, height)


def _bits(marks: bytes, width: int, height: int) -> int:
    """Marks of 0 and 1, one per cell, row by row, as the bits of a chunk."""
    if not any(marks):
        return 0
    if width < CHUNK:
        marks = b"".join(marks[line * width : (line + 1) * width].ljust(CHUNK, b"\0") for line in range(height))
    return int(marks.translate(_DIGITS)[::-1], 2)
