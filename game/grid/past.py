"""A map as it was: the current map, to which the inverses of events are applied. Pure; runs in a compute process.

The data of events is validated before it is used (`grid.stored`), and so is the resulting document.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from game.grid.canvas import Loaded, Wanted, run
from game.grid.changes import Conflict, inverse, replay
from game.grid.chunks import ChunkKey, Frame, join
from game.grid.document import GridError, check
from game.grid.stored import StoredError, check_change, check_replaced

_MAX_TEXT = {"name": 100, "description": 10_000}
"""The maximum length of a map's name and description, in characters."""


class PastError(ValueError):
    """An event that cannot be taken back: `seq` is its number, the message says why."""

    def __init__(self, seq: int, message: str) -> None:
        super().__init__(seq, message)
        self.seq, self.message = seq, message


class StoredMap(NamedTuple):
    """A map as it is stored: its frame as JSON text, its size in cells, and its chunks as
    (layer, x, y, JSON text of the rows)."""

    frame: str
    width: int
    height: int
    chunks: Sequence[tuple[int, int, int, str]]


class PastMap(NamedTuple):
    """A map as it was: the JSON text of its grid data, and those of its name and description that have changed
    since."""

    grid_data: str
    texts: dict[str, str]


def rebuild(stored: StoredMap, events: Iterable[tuple[int, str]]) -> PastMap:
    """Undo events on a map, given as (seq, JSON text of `before`), newest first.

    Raises:
        PastError: the data of an event is invalid, or does not fit the map.
    """
    past = _Past(stored)
    seq = 0
    for seq, text in events:
        try:
            past.take_back(orjson.loads(text))
        except (StoredError, Conflict) as error:
            raise PastError(seq, str(error)[:300]) from None
    text = past.text()
    try:
        check(orjson.loads(text))
    except GridError as error:
        raise PastError(seq, str(error)[:300]) from None
    return PastMap(text, past.texts)


def check_before(before: Any, *, is_of_token: bool = False) -> None:
    """Refuse an invalid `before` of an event of a map: a change, the replaced grid, name or description.

    That of an event of a token has a `size` of another kind, and no grid.

    Raises:
        StoredError: at the first fault.
    """
    if not isinstance(before, dict):
        raise StoredError("before", "must be an object")
    for key, most in _MAX_TEXT.items():
        if key in before and not (isinstance(before[key], str) and len(before[key]) <= most):
            raise StoredError(f"before.{key}", f"must be a string of at most {most:,} characters")
    if before.keys() & {"grid_data", "size", "chunks"} and not is_of_token:
        check_replaced(before)
    if "change" in before:
        check_change(before["change"], "before.change")


class _Past:
    """A map while events are undone."""

    def __init__(self, stored: StoredMap) -> None:
        self._frame: Frame = orjson.loads(stored.frame)
        self._width, self._height = stored.width, stored.height
        self._chunks: dict[ChunkKey, list[str]] = {
            (layer, x, y): orjson.loads(rows) for layer, x, y, rows in stored.chunks
        }
        self.texts: dict[str, str] = {}

    def take_back(self, before: Mapping[str, Any]) -> None:
        """Undo one event with its `before`."""
        check_before(before)
        self.texts |= {key: before[key] for key in _MAX_TEXT if key in before}
        if "grid_data" in before:
            self._frame = before["grid_data"]
            self._width, self._height = before["size"]
            for layer, x, y, rows in before["chunks"]:
                self._put((layer, x, y), rows)
        if "change" in before:
            steps = replay(self._frame, self._width, self._height, inverse(before["change"]))
            edited = run(steps, self._load)
            self._frame = self._frame if edited.frame is None else edited.frame
            self._width, self._height = edited.width, edited.height
            for key, rows in edited.chunks.items():
                self._put(key, rows)

    def text(self) -> str:
        """The JSON text of the document."""
        chunks = [(*key, orjson.dumps(rows).decode()) for key, rows in self._chunks.items()]
        return join(orjson.dumps(self._frame).decode(), chunks, self._width, self._height)

    def _load(self, wanted: Wanted) -> Loaded:
        keys = {key for key in self._chunks if key[0] in wanted.layers}.union(wanted.chunks)
        return {key: self._chunks[key] for key in keys if key in self._chunks}

    def _put(self, key: ChunkKey, rows: list[str] | None) -> None:
        if rows is None:
            self._chunks.pop(key, None)
        else:
            self._chunks[key] = rows
