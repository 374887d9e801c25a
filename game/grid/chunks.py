"""Splits a document's rows into chunks of 64 x 64 cells, joins them, and reads regions.

Every chunk has the size that the map gives it: 64 x 64, less at the right and the bottom edge. Code that stores
chunks must preserve this, also when a map's size changes.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import count, zip_longest
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson

from game.grid.document import EMPTY, size

CHUNK: Final = 64

# No number of a client reaches 2^53 (its JSON would not be exact in JavaScript, so it is refused): from there
# on a number is ours, and can be told from the client's data in the frame's text without parsing it.
ROWS_MARK: Final = 2**53

# In JSON text a quote inside a string is escaped, so `"rows":` can only be a key. The look-ahead leaves out
# fractions; smaller numbers of the same beginning are left out where they are read.
_MARKED_ROWS: Final = re.compile(r'"rows": ?(9007199254\d{6})(?=[,}])')

Frame: TypeAlias = dict[str, Any]
ChunkKey: TypeAlias = tuple[int, int, int]
"""Layer key, chunk x, chunk y: the chunk holds the cells from (64 x, 64 y)."""


def split(
    document: Mapping[str, Any], keys: Mapping[str, int] = MappingProxyType({})
) -> tuple[Frame, dict[ChunkKey, list[str]]]:
    """Split a valid document into its frame (`frame_of`) and its chunks (`cut`)."""
    frame = frame_of(document, keys)
    return frame, cut(document, frame)


def frame_of(document: Mapping[str, Any], keys: Mapping[str, int] = MappingProxyType({})) -> Frame:
    """The document with ROWS_MARK + layer key in place of each layer's rows.

    A layer whose name is in `keys` has that key; the others get the ones that are free, from 0. A key is unique,
    and stays with its layer when others are added or removed. The document is not modified.
    """
    frame = dict(document)
    if "layers" not in document:
        return frame
    taken = {keys[layer["name"]] for layer in document["layers"] if layer["name"] in keys}
    free = (key for key in count() if key not in taken)
    frame["layers"] = []
    for layer in document["layers"]:
        if "rows" in layer:
            key = keys[layer["name"]] if layer["name"] in keys else next(free)
            layer = {**layer, "rows": ROWS_MARK + key}
        frame["layers"].append(layer)
    return frame


def cut(
    document: Mapping[str, Any],
    frame: Frame,
    layers: Container[int] | None = None,
    bands: range | None = None,
) -> dict[ChunkKey, list[str]]:
    """The chunks of a document with this frame, each a list of rows; empty ones are left out.

    Given `layers` and `bands`, only those of these layers (their keys) and chunk ys.
    """
    chunks: dict[ChunkKey, list[str]] = {}
    width, height = size(document)
    bands = range(-(-height // CHUNK)) if bands is None else bands
    for layer, framed in zip(document.get("layers", ()), frame.get("layers", ()), strict=True):
        key = framed["rows"] - ROWS_MARK if "rows" in framed else None
        if key is None or (layers is not None and key not in layers):
            continue
        for y in bands:
            band = layer["rows"][y * CHUNK : (y + 1) * CHUNK]
            for left in range(0, width if band else 0, CHUNK):
                rows = [row[left : left + CHUNK] for row in band]
                if any(row.strip(EMPTY) for row in rows):
                    chunks[key, left // CHUNK, y] = rows
    return chunks


def layer_keys(frame: Mapping[str, Any]) -> dict[str, int]:
    """The keys of the layers of a frame that have rows, by name."""
    layers = frame.get("layers", ())
    return {layer["name"]: layer["rows"] - ROWS_MARK for layer in layers if "rows" in layer}


def join(frame_text: str, chunks: Iterable[tuple[int, int, int, str]], width: int, height: int) -> str:
    """Insert the rows into a frame; takes and returns JSON text.

    Takes the frame's text, chunks as (layer key, chunk x, chunk y, JSON list of rows) in any order, and the
    map's size in cells. A chunk that is not given is empty; one of a layer that the frame lacks is ignored.
    Where a layer is one chunk, its text is the rows' text, and nothing is parsed.
    """
    if width <= CHUNK and height <= CHUNK:
        texts = {layer: rows for layer, _, _, rows in chunks}
    else:
        layers: dict[int, dict[tuple[int, int], list[str]]] = defaultdict(dict)
        for layer, chunk_x, chunk_y, rows in chunks:
            layers[layer][chunk_x, chunk_y] = orjson.loads(rows)
        texts = {layer: _rows_text(region(parts, 0, 0, width, height)) for layer, parts in layers.items()}

    def rows_of(match: re.Match[str]) -> str:
        key = int(match[1]) - ROWS_MARK
        if key < 0:
            return match[0]
        return f'"rows": {texts[key] if key in texts else _rows_text([EMPTY * width] * height)}'

    return _MARKED_ROWS.sub(rows_of, frame_text)


Bands: TypeAlias = Callable[[int, int], Mapping[int, Sequence[str]]]
"""Returns the stored chunks of a layer (its key) in a band (its chunk y), by chunk x."""


def pieces(frame_text: str, bands: Bands, width: int, height: int) -> Iterator[str]:
    """The result of `join` for these chunks, in pieces: each a band of 64 rows, or the text between two layers.

    The texts are as `orjson` writes them; `join` leaves those of a single chunk as they are stored.
    """
    end = 0
    blanks = {lines: _lines_text([EMPTY * width] * lines) for lines in {CHUNK, height % CHUNK}}
    for match in _MARKED_ROWS.finditer(frame_text):
        key = int(match[1]) - ROWS_MARK
        if key < 0:
            continue
        yield f'{frame_text[end : match.start()]}"rows": ['
        for top in range(0, height, CHUNK):
            lines = min(CHUNK, height - top)
            stored = bands(key, top // CHUNK)
            rows = region({(x, 0): rows for x, rows in stored.items()}, 0, 0, width, lines) if stored else None
            yield ("," if top else "") + (blanks[lines] if rows is None else _lines_text(rows))
        yield "]"
        end = match.end()
    yield frame_text[end:]


def marked_layers(frame_text: str) -> list[int]:
    """The keys of the layers with rows of a frame's text, in its order."""
    keys = (int(match[1]) - ROWS_MARK for match in _MARKED_ROWS.finditer(frame_text))
    return [key for key in keys if key >= 0]


def region(chunks: Mapping[tuple[int, int], Sequence[str]], x: int, y: int, width: int, height: int) -> list[str]:
    """The cells of one layer in a rectangle: `height` rows of `width` characters.

    Takes the layer's chunks by (chunk x, chunk y), at least those of `touching` that are not empty, and the
    rectangle in cells, which may reach beyond the map. Cells outside the given chunks are empty.
    """
    columns, bands = touching(x, y, width, height)
    if not columns:
        return [""] * height
    blank = [EMPTY * CHUNK] * CHUNK
    left = x - columns.start * CHUNK
    rows: list[str] = []
    for band in bands:
        first, last = max(y - band * CHUNK, 0), min(y + height - band * CHUNK, CHUNK)
        # Only chunks at the map's edge are smaller than a blank one, and only empty cells follow them, so padding
        # at the end does not move any cell.
        parts = (chunks.get((column, band), blank)[first:last] for column in columns)
        lines = ["".join(cells)[left : left + width].ljust(width) for cells in zip_longest(*parts, fillvalue="")]
        rows += lines + [EMPTY * width] * (last - first - len(lines))
    return rows


def touching(x: int, y: int, width: int, height: int) -> tuple[range, range]:
    """The chunk xs and chunk ys that a rectangle of cells touches; none where a side is 0."""
    return (
        range(x // CHUNK, (x + width - 1) // CHUNK + 1 if width else x // CHUNK),
        range(y // CHUNK, (y + height - 1) // CHUNK + 1 if height else y // CHUNK),
    )


def _lines_text(rows: list[str]) -> str:
    """Rows as they appear in a list."""
    return _rows_text(rows)[1:-1]


def _rows_text(rows: list[str]) -> str:
    return orjson.dumps(rows).decode()
