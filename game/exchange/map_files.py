"""Reads and writes map files. Pure functions of bytes, for compute processes."""

from collections.abc import Generator
from typing import Any, NamedTuple

import orjson

from game.assets.pictures import Picture, PictureError, inspect
from game.core.names import MAX_DESCRIPTION, MAX_NAME
from game.grid.document import size
from game.grid.drawing import PictureError as DrawingError
from game.grid.drawing import PictureTooLarge, Region, draw_png
from game.grid.formats import Exported, FormatWarning, ImportedMap, drawn_for, link_pictures, read, write
from game.grid.loading import BandTexts, LayerPart, StoredFrame, document

_PIXELS_PER_CELL = 64


class ReadMap(NamedTuple):
    """A map of a file: `found` describes it, `document` is its grid data as JSON, `pictures` are checked."""

    name: str
    description: str
    found: dict[str, Any]
    document: bytes
    pictures: dict[str, tuple[Picture, bytes]]


class ReadFile(NamedTuple):
    """The content of a file."""

    format: str
    maps: list[ReadMap]
    warnings: list[FormatWarning]


def read_file(files: dict[str, bytes], main: str | None) -> ReadFile:
    """The maps of uploaded files. Raises FormatError."""
    imported = read(files, main)
    warnings = list(imported.warnings)
    maps = []
    for one in imported.maps:
        pictures = {}
        for name, data in one.pictures.items():
            try:
                pictures[name] = inspect(data), data
            except PictureError as error:
                warnings.append(FormatWarning("PICTURE_REFUSED", name[:100], str(error)))
        name, description = _called(one.name), one.description[:MAX_DESCRIPTION]
        maps.append(ReadMap(name, description, _found(one), orjson.dumps(one.grid_data), pictures))
    return ReadFile(imported.format, maps, warnings)


def _called(name: str) -> str:
    """The name of a file's map, without characters that are not allowed in names."""
    return "".join(character for character in name if character.isprintable()).strip()[:MAX_NAME] or "Map"


def _found(one: ImportedMap) -> dict[str, Any]:
    width, height = size(one.grid_data)
    return {
        "name": _called(one.name),
        "width": width,
        "height": height,
        "layers": [layer["name"] for layer in one.grid_data.get("layers", ())],
        "entities": len(one.grid_data.get("entities", ())),
    }


def link_document(document: bytes, ids: dict[str, str]) -> dict[str, Any]:
    """The grid data of a file's map, with the ids of the stored pictures in place of their names."""
    result: dict[str, Any] = link_pictures(orjson.loads(document), ids)
    return result


def write_file(
    stored: StoredFrame, name: str, format: str, pictures: dict[str, bytes]
) -> Generator[LayerPart, BandTexts, Exported]:
    """Write a stored map as a file of another program; with a drawing of the map if the format needs one.

    Raises FormatError: the preserved data of the other program cannot be written.
    """
    return written((yield from document(stored)), format, name, pictures)


def written(document: dict[str, Any], format: str, name: str, pictures: dict[str, bytes]) -> Exported:
    """`write_file` of grid data."""
    drawing = None
    if drawn := drawn_for(format, document, pictures):
        background = pictures.get(str(drawn.get("background", {}).get("asset_id")))
        drawing = _drawing(drawn, background)
    return write(document, format, name=name, pictures=pictures, drawing=drawing)


def _drawing(document: dict[str, Any], background: bytes | None) -> bytes | None:
    """A picture of a map in the largest possible size; None if the map is too large or cannot be drawn."""
    cell_size = _PIXELS_PER_CELL
    for _ in range(3):
        try:
            return draw_png(Region.of(document), cell_size=cell_size, background=background)
        except PictureTooLarge as error:
            cell_size = error.cell_size
        except DrawingError:
            background = None
    return None
