"""Processes stored maps in a compute process: from the frame's JSON text, requesting rows as needed.

Generators yield requests and are sent JSON text, so the server process never parses a large map or holds all of it
in memory.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import orjson

from game.grid.canvas import Loaded, Result, Steps, Wanted
from game.grid.chunks import ROWS_MARK, ChunkKey, Frame, region, touching
from game.grid.document import EMPTY


class StoredFrame(NamedTuple):
    """The frame of a map as JSON text, and the map's size in cells."""

    text: str
    width: int
    height: int


class LayerPart(NamedTuple):
    """Stored chunks to load: those of a layer (its key) from chunk (left, top) to chunk (right, bottom)."""

    layer: int
    left: int
    top: int
    right: int
    bottom: int


ChunkTexts: TypeAlias = Mapping[ChunkKey, str]
"""What is loaded for `Wanted`: the JSON text of the rows of each stored chunk."""
BandTexts: TypeAlias = Sequence[tuple[int, Sequence[int], str]]
"""What is loaded for a `LayerPart`: chunk y, chunk xs, and a JSON list of the rows of each chunk, by band."""

Part = Generator[LayerPart, BandTexts, Result]


def parsed(steps: Steps[Result]) -> Generator[Wanted, ChunkTexts, Result]:
    """Steps over cells, given the texts of chunks."""
    loaded: Loaded | None = None
    while True:
        try:
            wanted = next(steps) if loaded is None else steps.send(loaded)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        texts = yield wanted
        loaded = {key: orjson.loads(text) for key, text in texts.items()}


def layer_rows(layer: int, x: int, y: int, width: int, height: int) -> Part[list[str]]:
    """The rows of a layer in a rectangle of the map."""
    columns, bands = touching(x, y, width, height)
    if not columns or not bands:
        return [EMPTY * width] * height
    stored = yield LayerPart(layer, columns[0], bands[0], columns[-1], bands[-1])
    chunks = {
        (column, band): rows
        for band, columns_stored, text in stored
        for column, rows in zip(columns_stored, orjson.loads(text), strict=True)
    }
    # Rows of a layer that is all empty are one string.
    return region(chunks, x, y, width, height) if chunks else [EMPTY * width] * height


def with_rows(frame: Frame, x: int, y: int, width: int, height: int) -> Part[list[dict[str, Any]]]:
    """The layers of a frame, each with its rows in a rectangle of the map; none for one that has no rows."""
    layers = []
    for layer in frame.get("layers", ()):
        if "rows" in layer:
            rows = yield from layer_rows(layer["rows"] - ROWS_MARK, x, y, width, height)
            layer = {**layer, "rows": rows}
        layers.append(layer)
    return layers


def document(stored: StoredFrame) -> Part[dict[str, Any]]:
    """The whole grid data document."""
    frame: Frame = orjson.loads(stored.text)
    if "layers" in frame:
        frame["layers"] = yield from with_rows(frame, 0, 0, stored.width, stored.height)
    return frame
