"""Validates what events store of a map: a change, or the replaced grid.

An event may come from an untrusted bundle, or may have been stored by an older version. The code that replays a
change relies on this validation. Pure; nothing is modified.
"""

import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import orjson

from game.grid.changes import NAMED_BY
from game.grid.chunks import CHUNK, ROWS_MARK, ChunkKey, Frame, layer_keys
from game.grid.document import DEFAULT_LIMITS, EMPTY, GridError, check

MAX_LAYER_KEY: Final = 259_000
"""Layer keys are less than this: `chunks.join` finds only numbers from ROWS_MARK to ROWS_MARK + this."""
MAX_PARTS: Final = 100_000
MAX_RUNS: Final = 4096 * 4096
PACKED_CHUNKS: Final = 128
"""The maximum number of chunks that are packed together."""

_MAX_CHUNKS: Final = DEFAULT_LIMITS.max_layers * 2 * 64 * 64
_MAX_UNPACKED: Final = 4 * 2**20
"""The maximum size of the JSON of `PACKED_CHUNKS` chunks, in bytes."""
_KNOWN_CHUNKS: Final = 64
"""The size of the cache of checked chunks, which are often equal in large areas."""
_LEVEL: Final = 1
Take: TypeAlias = Callable[[ChunkKey, list[str] | None], object]

_SIDE: Final = DEFAULT_LIMITS.max_size
_KEYS: Final = {
    "cells": {"cells", "runs"},
    "list": {"list", "before", "after", "from", "to", "new"},
    "value": {"value", "before", "after"},
    "size": {"size", "before", "shift"},
}


class StoredError(ValueError):
    """Stored data is invalid: `place` is where (`change[3].runs[0]`), and `message` what is wrong."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(place, message)
        self.place, self.message = place, message

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def check_change(change: Any, place: str = "change") -> None:
    """Check a change, as described in `grid.changes`.

    Takes parsed JSON. Items of lists and values must follow the rules of the document (`grid.document`); sizes are
    at most 4096 cells per side.

    Raises:
        StoredError: at the first fault.
    """
    parts = _list(change, place, MAX_PARTS)
    for index, part in enumerate(parts):
        here = f"{place}[{index}]"
        kind = next((key for key in _KINDS if key in part), None) if isinstance(part, dict) else None
        if kind is None:
            raise StoredError(here, "must be an object with cells, list, value or size")
        if unknown := part.keys() - _KEYS[kind]:
            raise StoredError(here, f"has an unknown key {min(unknown)[:64]!r}")
        _KINDS[kind](part, here)


def check_replaced(before: Any, place: str = "before", take: Take | None = None) -> None:
    """Check the grid that a write replaced.

    Takes parsed JSON: {"grid_data": frame, "size": [width, height], "chunks": [[layer, x, y, rows or null], …]}.
    Where there are very many chunks, most are in {"packed": [text, …]} (`pack`). `take` is called with each chunk.

    Raises:
        StoredError: at the first fault.
    """
    if not isinstance(before, dict) or not before.keys() >= {"grid_data", "size", "chunks"}:
        raise StoredError(place, "must have grid_data, size and chunks")
    width, height = _numbers(before["size"], f"{place}.size", (0, 0), (_SIDE, _SIDE))
    frame = before["grid_data"]
    check_frame(frame, width, height, f"{place}.grid_data")
    layers = set(layer_keys(frame).values())
    rules = ChunkRules(frame, width, height)
    last = MAX_LAYER_KEY, (_SIDE - 1) // CHUNK, (_SIDE - 1) // CHUNK
    _list(before["chunks"], f"{place}.chunks", _MAX_CHUNKS)
    for index, chunk in enumerate(replaced_chunks(before, place)):
        here = f"{place}.chunks[{index}]"
        if not isinstance(chunk, list) or len(chunk) != 4 or index == _MAX_CHUNKS:
            raise StoredError(here, "must be a list of layer, x, y and rows")
        layer, x, y = _numbers(chunk[:3], here, (0, 0, 0), last)
        if chunk[3] is not None:
            if layer not in layers:
                raise StoredError(here, "is of a layer that does not exist in its grid")
            rules.check(x, y, _list(chunk[3], here, CHUNK), here)
        if take:
            take((layer, x, y), chunk[3])


class ChunkRules:
    """The requirements for the chunks of a map with a checked frame."""

    def __init__(self, frame: Frame, width: int, height: int) -> None:
        self._width, self._height = width, height
        symbols = "".join({EMPTY, *(entry["symbol"] for entry in frame.get("legend", ()))})
        self._cells = re.compile(f"[{re.escape(symbols)}]*")
        self._known: set[str] = set()

    def check(self, x: int, y: int, rows: Sequence[Any], place: str) -> None:
        """Check the number, length and symbols of the rows of the chunk at this position.

        Raises:
            StoredError: at the first fault.
        """
        across, down = min(CHUNK, self._width - x * CHUNK), min(CHUNK, self._height - y * CHUNK)
        is_sized = across > 0 and len(rows) == down
        if not is_sized or any(not isinstance(row, str) or len(row) != across for row in rows):
            raise StoredError(place, f"must have {max(down, 0)} rows of {max(across, 0)} cells")
        cells = "".join(rows)
        if cells not in self._known:
            if not self._cells.fullmatch(cells):
                raise StoredError(place, "has a symbol that is not in its legend")
            self._known = {*self._known, cells} if len(self._known) < _KNOWN_CHUNKS else set()


def replaced_chunks(before: Mapping[str, Any], place: str = "before") -> Iterator[Any]:
    """The chunks that a write replaced, from its event.

    Raises:
        StoredError: what is packed cannot be unpacked.
    """
    yield from before["chunks"]
    for index, text in enumerate(_list(before.get("packed", []), f"{place}.packed", _MAX_CHUNKS)):
        yield from _unpacked(text, f"{place}.packed[{index}]")


def pack(chunks: Sequence[Any]) -> list[str]:
    """Up to `PACKED_CHUNKS` chunks as texts: base64 of compressed JSON, each no longer than a string may be."""
    text = b64encode(zlib.compress(orjson.dumps(chunks), _LEVEL)).decode()
    if len(text) <= DEFAULT_LIMITS.max_string or len(chunks) < 2:
        return [text]
    middle = len(chunks) // 2
    return pack(chunks[:middle]) + pack(chunks[middle:])


def _unpacked(text: Any, place: str) -> list[Any]:
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(b64decode(text, validate=True), _MAX_UNPACKED)
        value = orjson.loads(data)
    except (TypeError, ValueError, zlib.error):
        value = None
    if not unpacking.eof or not isinstance(value, list):
        raise StoredError(place, "must be a packed list of chunks")
    return value


def check_frame(frame: Any, width: int, height: int, place: str = "grid_data") -> None:
    """Check the frame (see `grid.chunks`) of a map of this size.

    Raises:
        StoredError: at the first fault.
    """
    if not isinstance(frame, dict):
        raise StoredError(place, "must be an object")
    layers = frame.get("layers", [])
    keys = (
        [layer["rows"] for layer in layers if isinstance(layer, dict) and "rows" in layer]
        if isinstance(layers, list)
        else []
    )
    for key in keys:
        _number(key, f"{place}.layers", ROWS_MARK, ROWS_MARK + MAX_LAYER_KEY)
    if len(set(keys)) < len(keys):
        raise StoredError(f"{place}.layers", "must have rows of their own")
    document = dict(frame)
    if "layers" in frame and isinstance(layers, list):
        document["layers"] = [_without_rows(layer) for layer in layers]
    if keys or width or height:
        if (frame.get("width", width), frame.get("height", height)) != (width, height):
            raise StoredError(place, f"must be {width} x {height}, the size that is stored with it")
        document |= {"width": width, "height": height}
    _check_document(document, place)


def _without_rows(layer: Any) -> Any:
    return {key: value for key, value in layer.items() if key != "rows"} if isinstance(layer, dict) else layer


def _check_document(document: Any, place: str) -> None:
    _check_json(document, place, DEFAULT_LIMITS.max_depth)
    try:
        check(document, place=place)
    except GridError as error:
        raise StoredError(error.violations[0].place, error.violations[0].message) from None


def _check_json(value: Any, place: str, depth: int) -> None:
    """Reject what clients cannot send: deep nesting, and numbers that `join` would interpret as rows."""
    if type(value) is int and not -ROWS_MARK < value < ROWS_MARK:
        raise StoredError(place, "has a number that is too large")
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    if inner and not depth:
        raise StoredError(place, "is nested too deeply")
    for one in inner:
        _check_json(one, place, depth - 1)


def _check_cells(part: Mapping[str, Any], place: str) -> None:
    _number(part["cells"], f"{place}.cells", 0, MAX_LAYER_KEY)
    used: set[str] = set()
    for index, run in enumerate(_list(part.get("runs"), f"{place}.runs", MAX_RUNS)):
        if not _is_run(run):
            here = f"{place}.runs[{index}]"
            raise StoredError(here, f"must be [x, y, count, before, after], of cells up to {_SIDE - 1}")
        used.update(run[3], run[4])
    used.discard(EMPTY)
    for start in range(0, len(symbols := sorted(used)), DEFAULT_LIMITS.max_legend):
        some = symbols[start : start + DEFAULT_LIMITS.max_legend]
        _check_document({"legend": [{"symbol": symbol} for symbol in some]}, f"{place}.runs")


def _is_run(run: Any) -> bool:
    """Whether this is a run of cells; there may be millions of them."""
    if type(run) is not list or len(run) != 5:
        return False
    x, y, count, before, after = run
    return (
        type(x) is int
        and type(y) is int
        and type(count) is int
        and 0 <= x < x + count <= _SIDE
        and 0 <= y < _SIDE
        and type(before) is str
        and type(after) is str
        and len(before) in (1, count)
        and len(after) in (1, count)
    )


def _check_item(part: Mapping[str, Any], place: str) -> None:
    name, before, after = part["list"], part.get("before"), part.get("after")
    if not isinstance(name, str) or name not in NAMED_BY:
        raise StoredError(f"{place}.list", f"must be one of {', '.join(NAMED_BY)}")
    if part.get("new", True) is not True:
        raise StoredError(f"{place}.new", "must be true, or left out")
    indexes = [part.get("from"), part.get("to")]
    for index in indexes:
        if index is not None:
            _number(index, place, 0, DEFAULT_LIMITS.max_entities)
    wanted = [before is not None, after is not None]
    given = [index is not None for index in indexes]
    if not any(wanted) or (given != wanted and not (all(wanted) and not any(given))):
        raise StoredError(place, "must have the old and the new index of an item that is moved")
    for side, item in (("before", before), ("after", after)):
        if item is not None:
            _check_listed(name, item, f"{place}.{side}")


def _check_listed(name: str, item: Any, place: str) -> None:
    """Check an item of this list of a frame."""
    if name == "layers" and isinstance(item, dict) and "rows" in item:
        _number(item["rows"], f"{place}.rows", ROWS_MARK, ROWS_MARK + MAX_LAYER_KEY)
        item = _without_rows(item)
    _check_document({name: [item]}, place)


def _check_value(part: Mapping[str, Any], place: str) -> None:
    key = part["value"]
    if not isinstance(key, str) or key in NAMED_BY or key in ("width", "height"):
        raise StoredError(f"{place}.value", "must be a key of the document that is no list of items")
    for side in ("before", "after"):
        for value in _list(part.get(side), f"{place}.{side}", 1):
            _check_document({key: value}, f"{place}.{side}")


def _check_size(part: Mapping[str, Any], place: str) -> None:
    for key in ("size", "before"):
        _numbers(part.get(key), f"{place}.{key}", (0, 0), (_SIDE, _SIDE))
    _numbers(part.get("shift"), f"{place}.shift", (-_SIDE, -_SIDE), (_SIDE, _SIDE))


_KINDS: Final = {"cells": _check_cells, "list": _check_item, "value": _check_value, "size": _check_size}


def _list(value: Any, place: str, limit: int) -> list[Any]:
    if not isinstance(value, list):
        raise StoredError(place, "must be a list")
    if len(value) > limit:
        raise StoredError(place, f"must have at most {limit} elements")
    return value


def _number(value: Any, place: str, low: int, high: int) -> int:
    # In Python, True is a whole number.
    if type(value) is not int or not low <= value <= high:
        raise StoredError(place, f"must be a whole number from {low} to {high}")
    return value


def _numbers(value: Any, place: str, low: Sequence[int], high: Sequence[int]) -> list[int]:
    if not isinstance(value, list) or len(value) != len(low):
        raise StoredError(place, f"must be a list of {len(low)} numbers")
    return [_number(one, place, *bounds) for one, *bounds in zip(value, low, high, strict=True)]
