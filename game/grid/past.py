"""Rebuilds past versions of a map: applies the inverses of later events to the current map. Pure; runs in a
compute process.

The stored data of events is validated before it is used (`grid.stored`), and so is the result. A map may have
half a gigabyte of cells: only the chunks that events have changed are loaded, and they are stored compressed.
"""

import zlib
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from game.grid.canvas import Wanted
from game.grid.changes import Conflict, Edited, inverse, replay
from game.grid.chunks import CHUNK, ChunkKey, Frame, layer_keys
from game.grid.loading import BandTexts, LayerPart, StoredFrame
from game.grid.stored import ChunkRules, StoredError, Take, check_change, check_frame, check_replaced

_MAX_TEXT: Final = {"name": 100, "description": 10_000}
"""The maximum length of a map's name and description, in characters."""
_BANDS_AT_ONCE: Final = 16
_CHANGED_AT_ONCE: Final = 512
_LEVEL: Final = 1
_ALIKE: Final = 64
"""The size of the cache of packed chunks, which are often equal in large areas."""


class PastError(ValueError):
    """An event cannot be undone: `seq` is its number, the message says why."""

    def __init__(self, seq: int, message: str) -> None:
        super().__init__(seq, message)
        self.seq, self.message = seq, message


class PastMap(NamedTuple):
    """A past version of a map without its chunks: its frame as JSON text, its size, and its name and description
    if they have changed since."""

    frame: str
    width: int
    height: int
    texts: dict[str, str]


class Changed(NamedTuple):
    """Past versions of chunks that may differ from the stored ones: JSON text of the rows, None for an empty
    chunk."""

    chunks: list[tuple[ChunkKey, bytes | None]]


Rebuilding: TypeAlias = Generator[LayerPart | Changed, BandTexts, PastMap]
"""Yields requests for stored data and is sent it; then yields the chunks that have changed (the value sent back is
ignored)."""
_Chunks: TypeAlias = dict[tuple[int, int], bytes | None]


def rebuild(stored: StoredFrame, events: Iterable[tuple[int, str]]) -> Rebuilding:
    """Undo events of a map, given as (seq, JSON text of `before`), newest first.

    Raises:
        PastError: the data of an event is invalid, or does not fit the map.
    """
    past = _Past(stored)
    seq = 0
    for seq, text in events:
        try:
            yield from past.undo(orjson.loads(text))
        except (StoredError, Conflict) as error:
            raise PastError(seq, str(error)[:300]) from None
    try:
        yield from past.check()
    except StoredError as error:
        raise PastError(seq, str(error)[:300]) from None
    yield from past.changed()
    return PastMap(orjson.dumps(past.frame).decode(), past.width, past.height, past.texts)


def check_before(before: Any, *, is_of_token: bool = False, take: Take | None = None) -> None:
    """Check `before` of an event of a map: a change, or the replaced grid, name or description.

    `before` of a token's event has another kind of `size`, and no grid. `take` is called with each replaced chunk.

    Raises:
        StoredError: at the first fault.
    """
    if not isinstance(before, dict):
        raise StoredError("before", "must be an object")
    for key, limit in _MAX_TEXT.items():
        if key in before and not (isinstance(before[key], str) and len(before[key]) <= limit):
            raise StoredError(f"before.{key}", f"must be a string of at most {limit:,} characters")
    if before.keys() & {"grid_data", "size", "chunks"} and not is_of_token:
        check_replaced(before, take=take)
    if "change" in before:
        check_change(before["change"], "before.change")


class _Past:
    """The state of a map while events are undone: its frame, its size, and the chunks that differ from the stored
    ones."""

    def __init__(self, stored: StoredFrame) -> None:
        self.frame: Frame = orjson.loads(stored.text)
        self.width, self.height = stored.width, stored.height
        self.texts: dict[str, str] = {}
        self._stored = stored
        self._symbols, self._layers = _symbols(self.frame), set(layer_keys(self.frame).values())
        self._chunks: dict[int, _Chunks] = defaultdict(dict)

    def undo(self, before: Mapping[str, Any]) -> Generator[LayerPart, BandTexts, None]:
        """Undo one event with its `before`."""
        check_before(before, take=self._put)
        self.texts |= {key: before[key] for key in _MAX_TEXT if key in before}
        if "grid_data" in before:
            self.frame = before["grid_data"]
            self.width, self.height = before["size"]
        if "change" in before:
            edited = yield from self._replayed(before["change"])
            self.frame = self.frame if edited.frame is None else edited.frame
            self.width, self.height = edited.width, edited.height
            for key, rows in edited.chunks.items():
                self._put(key, rows)

    def _replayed(self, change: Any) -> Generator[LayerPart, BandTexts, Edited]:
        # `check` searches for symbols that are not in the legend, once for all events.
        steps = replay(self.frame, self.width, self.height, inverse(change), records=False)
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send((yield from self._load(wanted)))
        except StopIteration as stop:
            edited: Edited = stop.value
            return edited

    def _load(self, wanted: Wanted) -> Generator[LayerPart, BandTexts, dict[ChunkKey, list[str]]]:
        found: dict[ChunkKey, list[str]] = {}
        missing: dict[tuple[int, int], list[int]] = defaultdict(list)
        for layer, x, y in wanted.chunks:
            if (x, y) not in self._chunks[layer]:
                missing[layer, y].append(x)
            elif packed := self._chunks[layer][x, y]:
                found[layer, x, y] = _unpacked(packed)
        parts = [LayerPart(layer, min(xs), y, max(xs), y) for (layer, y), xs in missing.items()]
        parts += [part for layer in wanted.layers for part in self._parts(layer)]
        for part in parts:
            found |= yield from self._unchanged(part)
        for layer in wanted.layers:
            changed = ((key, packed) for key, packed in self._chunks[layer].items() if packed)
            found |= {(layer, *key): _unpacked(packed) for key, packed in changed}
        return found

    def _parts(self, layer: int) -> Iterator[LayerPart]:
        """All of a layer, some bands at a time."""
        right, bottom = (self._stored.width - 1) // CHUNK, (self._stored.height - 1) // CHUNK
        for top in range(0, bottom + 1, _BANDS_AT_ONCE):
            yield LayerPart(layer, 0, top, right, min(top + _BANDS_AT_ONCE - 1, bottom))

    def _unchanged(self, part: LayerPart) -> Generator[LayerPart, BandTexts, dict[ChunkKey, list[str]]]:
        """The chunks of a part that are equal to the stored ones."""
        known = self._chunks[part.layer]
        bands = yield part
        return {
            (part.layer, x, y): rows
            for y, xs, text in bands
            for x, rows in zip(xs, orjson.loads(text), strict=True)
            if (x, y) not in known
        }

    def _put(self, key: ChunkKey, rows: list[str] | None) -> None:
        layer, x, y = key
        self._chunks[layer][x, y] = _packed(orjson.dumps(rows)) if rows else None

    def check(self) -> Generator[LayerPart, BandTexts, None]:
        """Check the rebuilt map by the rules of the document, and that all chunks belong to a layer.

        Raises:
            StoredError: at the first fault.
        """
        check_frame(self.frame, self.width, self.height)
        rules = ChunkRules(self.frame, self.width, self.height)
        layers = set(layer_keys(self.frame).values())
        for layer, chunks in self._chunks.items():
            for (x, y), packed in chunks.items():
                if packed and layer not in layers:
                    raise StoredError("cells", "are of a layer that does not exist")
                if packed:
                    rules.check(x, y, _unpacked(packed), "cells")
        for part in [part for layer in self._layers - layers for part in self._parts(layer)]:
            if (yield from self._unchanged(part)):
                raise StoredError("cells", "are of a layer that does not exist")
        is_as_stored = (self.width, self.height) == (self._stored.width, self._stored.height)
        if is_as_stored and self._symbols <= _symbols(self.frame):
            return
        for part in [part for layer in layers for part in self._parts(layer)]:
            for (_, x, y), rows in (yield from self._unchanged(part)).items():
                rules.check(x, y, rows, "cells")

    def changed(self) -> Iterator[Changed]:
        """The chunks that differ from the stored ones, in batches."""
        some: list[tuple[ChunkKey, bytes | None]] = []
        for layer, chunks in sorted(self._chunks.items()):
            for x, y in sorted(chunks, key=lambda place: place[::-1]):
                packed = chunks[x, y]
                some.append(((layer, x, y), packed and _text(packed)))
                if len(some) == _CHANGED_AT_ONCE:
                    yield Changed(some)
                    some = []
        if some:
            yield Changed(some)


def _symbols(frame: Mapping[str, Any]) -> set[str]:
    return {entry["symbol"] for entry in frame.get("legend", ())}


@lru_cache(_ALIKE)
def _packed(text: bytes) -> bytes:
    return zlib.compress(text, _LEVEL)


@lru_cache(_ALIKE)
def _text(packed: bytes) -> bytes:
    return zlib.decompress(packed)


def _unpacked(packed: bytes) -> list[str]:
    rows: list[str] = orjson.loads(_text(packed))
    return rows
