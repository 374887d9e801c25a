"""The cells of a map while they are changed: only the chunks that are needed are requested and kept.

Nothing here waits for a database. Work that needs chunks is a generator: it yields what it wants (`Wanted`),
is sent what is stored of that, and returns its result. `run` shows the whole exchange.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import ne
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from game.grid.chunks import CHUNK, ChunkKey, region, touching
from game.grid.document import EMPTY

MAX_RUNS: Final = 2**18
"""The maximum number of runs of changed cells in one request. Events store them with 25 bytes or more each, and
replacing a symbol on a random layer could produce millions."""


class TooCostly(Exception):
    """A request causes more work than allowed; the message names the limit."""


class Wanted(NamedTuple):
    """Chunks to load (in ascending order, so that all requests lock them in the same order), layers to load as a
    whole, and the maximum number of stored chunks (None: no limit)."""

    chunks: list[ChunkKey]
    layers: list[int]
    limit: int | None = None


Loaded: TypeAlias = Mapping[ChunkKey, Sequence[str]]
"""The rows of every wanted chunk that is stored; those that are left out are empty. If more than `limit` are
stored, only `limit` + 1 of them."""

Result = TypeVar("Result")
Steps: TypeAlias = Generator[Wanted, Loaded, Result]

Run: TypeAlias = list[Any]
"""[x, y, count, before, after]: `count` cells to the right from (x, y), and their symbols before and after.
A text of only one symbol stands for `count` times that symbol."""


def run(steps: Steps[Result], load: Callable[[Wanted], Loaded]) -> Result:
    """Run steps with a function that loads what they need; returns their result."""
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(load(wanted))
    except StopIteration as stop:
        result: Result = stop.value
        return result


class Canvas:
    """The cells of a map of a given size: the stored ones, with later changes.

    Every chunk must be known before it is read or painted: `yield from canvas.want(...)`. With `max_chunks`, no
    more stored chunks are loaded, and no more than `MAX_RUNS` runs are created: `want` and `take_runs` raise
    TooCostly.
    """

    def __init__(self, width: int, height: int, max_chunks: int | None = None) -> None:
        self.width, self.height, self._max_chunks = width, height, max_chunks
        self._stored: dict[ChunkKey, list[str]] = {}
        self._now: dict[ChunkKey, list[str]] = {}  # empty chunks may be missing
        self._before: dict[ChunkKey, list[str]] = {}  # of those painted since the last `take_runs`
        self._known: set[ChunkKey] = set()
        self._whole: set[int] = set()
        self._runs = 0

    def want(self, chunks: Iterable[ChunkKey] = (), layers: Iterable[int] = ()) -> Steps[None]:
        """Load chunks, and all chunks of layers."""
        whole = sorted(set(layers) - self._whole)
        missing = sorted({key for key in chunks if not self.knows(key) and key[0] not in whole})
        if not missing and not whole:
            return
        limit = None if self._max_chunks is None else self._max_chunks - len(self._stored)
        loaded = yield Wanted(missing, whole, limit)
        if limit is not None and len(loaded) > limit:
            raise TooCostly(f"needs more than {self._max_chunks:,} parts of {CHUNK} x {CHUNK} cells of the map")
        for key, rows in loaded.items():
            if not self.knows(key):
                self._stored[key] = self._now[key] = list(rows)
        self._known.update(missing)
        self._whole.update(whole)

    def knows(self, key: ChunkKey) -> bool:
        """Whether a chunk is loaded."""
        return key in self._known or key[0] in self._whole

    def add_layer(self, layer: int) -> None:
        """Declare a layer new: all of its chunks are known to be empty."""
        self._whole.add(layer)

    def keys(self, layer: int, x: int, y: int, width: int, height: int) -> list[ChunkKey]:
        """The chunks of a layer that a rectangle on the map touches."""
        columns, bands = touching(x, y, width, height)
        return [(layer, column, band) for band in bands for column in columns]

    def region(self, layer: int, x: int, y: int, width: int, height: int) -> list[str]:
        """The rows of a rectangle on the map."""
        keys = self.keys(layer, x, y, width, height)
        parts = {key[1:]: self._now[key] for key in keys if key in self._now}
        return region(parts, x, y, width, height)

    def read(self, layer: int, x: int, y: int, count: int) -> str:
        """The symbols of `count` cells from (x, y) to the right."""
        return self.region(layer, x, y, count, 1)[0]

    def paint(self, layer: int, x: int, y: int, symbols: str) -> None:
        """Set the cells from (x, y) to the right."""
        band, line = divmod(y, CHUNK)
        while symbols:
            column, left = divmod(x, CHUNK)
            part = symbols[: CHUNK - left]
            rows = self.open((layer, column, band))
            rows[line] = rows[line][:left] + part + rows[line][left + len(part) :]
            x += len(part)
            symbols = symbols[len(part) :]

    def fill(self, layer: int, x: int, y: int, width: int, height: int, symbol: str) -> None:
        """Set all cells of a rectangle on the map to one symbol."""
        for key in self.keys(layer, x, y, width, height):
            rows, left, top = self.open(key), key[1] * CHUNK, key[2] * CHUNK
            first, last = max(x - left, 0), min(x + width - left, len(rows[0]))
            lines = slice(max(y - top, 0), min(y + height - top, len(rows)))
            if first == 0 and last == len(rows[0]):
                rows[lines] = [symbol * last] * len(rows[lines])
            else:
                painted = symbol * (last - first)
                rows[lines] = [row[:first] + painted + row[last:] for row in rows[lines]]

    def open(self, key: ChunkKey) -> list[str]:
        """The rows of a chunk, to be painted on in place."""
        rows = self._now.get(key)
        if rows is not None and key in self._before:
            return rows
        if rows is None:
            left, top = key[1] * CHUNK, key[2] * CHUNK
            rows = [EMPTY * min(CHUNK, self.width - left)] * min(CHUNK, self.height - top)
        self._before[key] = rows
        self._now[key] = list(rows)
        return self._now[key]

    def used(self, layer: int) -> list[ChunkKey]:
        """The chunks of a loaded layer that may have cells that are not empty."""
        return [key for key in self._now if key[0] == layer]

    def find(self, layer: int, symbol: str) -> tuple[int, int] | None:
        """The first cell (x, y), row by row, with this symbol (not the space) in a loaded layer."""
        cells = (
            (band * CHUNK + line, column * CHUNK + row.index(symbol))
            for _, column, band in self.used(layer)
            for line, row in enumerate(self._now[layer, column, band])
            if symbol in row
        )
        first = min(cells, default=None)
        return first and (first[1], first[0])

    def is_empty(self, layer: int) -> bool:
        """Whether all cells of a loaded layer are empty."""
        return not any(row.strip(EMPTY) for key in self.used(layer) for row in self._now[key])

    def resize(self, width: int, height: int, dx: int, dy: int) -> None:
        """Change the map's size, with all layers loaded, and move all cells by (dx, dy).

        Cells that leave the map are lost; take_runs must have been called before.
        """
        old: dict[int, dict[tuple[int, int], list[str]]] = defaultdict(dict)
        for (layer, column, band), rows in self._now.items():
            old[layer][column, band] = rows
        self._now, self.width, self.height = {}, width, height
        for layer, parts in old.items():
            reached = {
                target
                for column, band in parts
                for target in self.keys(layer, column * CHUNK + dx, band * CHUNK + dy, CHUNK, CHUNK)
            }
            for _, column, band in reached:
                left, top = column * CHUNK, band * CHUNK
                if 0 <= left < width and 0 <= top < height:
                    across, down = min(CHUNK, width - left), min(CHUNK, height - top)
                    self._now[layer, column, band] = region(parts, left - dx, top - dy, across, down)

    def take_runs(self) -> dict[int, list[Run]]:
        """What was painted since the last call, as runs of cells that differ, by layer, row by row."""
        changed: dict[int, list[tuple[int, int, str, str]]] = defaultdict(list)
        # Large changes consist of few different rows.
        differences = lru_cache(4096)(_differences)
        for key, rows in self._before.items():
            left, runs = key[1] * CHUNK, changed[key[0]]
            for y, (old, new) in enumerate(zip(rows, self._now[key], strict=True), key[2] * CHUNK):
                if old != new:
                    found = differences(old, new)
                    runs += [(y, left + x, was, now) for x, was, now in found]
                    # Runs that fill a row of the chunk usually continue in the next chunk.
                    self._runs += len(found) if len(found) > 1 or len(found[0][1]) < len(old) else 0
            if self._max_chunks is not None and self._runs > MAX_RUNS:
                raise TooCostly(f"changes more than {MAX_RUNS:,} separate runs of cells")
        self._before = {}
        return {layer: _joined(runs) for layer, runs in sorted(changed.items()) if runs}

    def written(self) -> dict[ChunkKey, list[str] | None]:
        """The chunks to store: their rows, or None for a stored chunk that is empty now."""
        out: dict[ChunkKey, list[str] | None] = {}
        for key in sorted(self._stored.keys() | self._now.keys()):
            rows, stored = self._now.get(key), self._stored.get(key)
            if rows is not None and not any(row.strip(EMPTY) for row in rows):
                rows = None
            if rows != stored:
                out[key] = rows
        return out


def unpack(count: int, text: str) -> str:
    """The symbols of a run's cells, from its packed text."""
    return text * count if len(text) == 1 else text


def _differences(old: str, new: str) -> list[tuple[int, str, str]]:
    """The ranges (x, old, new) in which two rows of a chunk differ."""
    runs = []
    marks = bytes(map(ne, old, new)) + b"\0"
    first = marks.find(1)
    while first >= 0:
        end = marks.find(0, first)
        runs.append((first, old[first:end], new[first:end]))
        first = marks.find(1, end)
    return runs


def _joined(runs: list[tuple[int, int, str, str]]) -> list[Run]:
    """Runs (y, x, before, after) in order, joined where one follows the other across chunks, and packed."""
    joined: list[tuple[int, int, list[str], list[str]]] = []
    end = -1
    for y, x, before, after in sorted(runs):
        if joined and joined[-1][0] == y and end == x:
            joined[-1][2].append(before)
            joined[-1][3].append(after)
        else:
            joined.append((y, x, [before], [after]))
        end = x + len(before)
    packed: list[Run] = []
    for y, x, befores, afters in joined:
        before, after = "".join(befores), "".join(afters)
        packed.append([x, y, len(before), _pack(before), _pack(after)])
    return packed


def _pack(text: str) -> str:
    return text[0] if text == text[0] * len(text) else text
