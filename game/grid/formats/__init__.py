"""Imports and exports map files of other programs: `read` and `write`."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from game.grid.document import DEFAULT_LIMITS, GridError, Limits, check, size
from game.grid.formats import tmx
from game.grid.formats.imported import (
    WARNINGS,
    Document,
    Exported,
    FormatError,
    FormatWarning,
    Imported,
    ImportedMap,
    Notes,
    TooLarge,
    link_pictures,
)
from game.grid.formats.ldtk import read_ldtk
from game.grid.formats.ldtk_export import write_ldtk
from game.grid.formats.pictures import is_picture
from game.grid.formats.strict import Node, parse_json, parse_xml
from game.grid.formats.text import read_text, write_text
from game.grid.formats.tiled import read_tiled
from game.grid.formats.tiled_export import write_tiled
from game.grid.formats.uploads import Uploads
from game.grid.formats.uvtt import drawn, read_uvtt, whole_background, write_uvtt

__all__ = [
    "WARNINGS",
    "Exported",
    "FormatError",
    "FormatWarning",
    "Imported",
    "ImportedMap",
    "drawn_for",
    "link_pictures",
    "read",
    "write",
]

_DEPENDENCIES: Final = ("picture", "tileset", "template", "level")
"""Kinds of files that are uploaded with a map, but are not maps."""
_XML_START: Final = re.compile(rb"\s*<(\?xml|!|[a-z]+[\s>/])")
_JSON_START: Final = re.compile(rb'\s*\{\s*["}]')
_COMPRESSED_START: Final = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!")
_STRUCTURED: Final = re.compile(
    r"\.(tmx|tsx|tx|tmj|tsj|tj|json|xml|ldtk|ldtkl|uvtt|dd2vtt|df2vtt)$", re.IGNORECASE
)


def read(files: Mapping[str, bytes], main: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Imported:
    """Read the maps of a file.

    Takes the uploaded files by name: the map, and the tilesets and pictures that it refers to. `main` is the name
    of the map; by default, it is the only file that is a map. The format is detected from the content. Every
    document is valid by `check`. Raises only FormatError.
    """
    uploads = Uploads(files)
    name, kind, content = _main(files, main, uploads)
    title = re.split(r"[/\\]", name)[-1].rpartition(".")[0] or name
    match kind:
        case "tiled":
            maps = [read_tiled(content, title, uploads, limits)]
        case "ldtk":
            maps = read_ldtk(content, title, uploads, limits)
        case "uvtt":
            maps = [read_uvtt(content, title, uploads, limits)]
        case _:
            maps = [read_text(content, title, uploads, limits)]
    for made in maps:
        try:
            check(made.grid_data, limits, "")
        except GridError as error:
            violation = error.violations[0]
            raise FormatError(violation.place.removeprefix("."), violation.message) from None
        frame = {**made.grid_data, "layers": [_without_rows(layer) for layer in made.grid_data.get("layers", ())]}
        if (length := len(orjson.dumps(frame))) > limits.max_frame:
            message = f"holds {length} bytes besides the cells; a map may have {limits.max_frame}"
            raise TooLarge("", message)
    return Imported(kind, maps, uploads.notes.all())


def _without_rows(layer: Document) -> Document:
    return {key: value for key, value in layer.items() if key != "rows"}


WRITTEN: Final[Mapping[str, tuple[str, str]]] = {
    "tiled": (".tmx", "application/xml"),
    "tmj": (".tmj", "application/json"),
    "ldtk": (".ldtk", "application/json"),
    "uvtt": (".uvtt", "application/json"),
    "text": (".txt", "text/plain; charset=utf-8"),
}
"""The formats that can be written, with the extension and the media type of their files."""


def write(
    document: Document,
    format: str,
    *,
    name: str = "map",
    pictures: Mapping[str, bytes] = MappingProxyType({}),
    drawing: bytes | None = None,
) -> Exported:
    """Write a map in a format of another program: `tiled` (TMX), `tmj`, `ldtk`, `uvtt` or `text`.

    Takes a valid document, the map's name, from which the file name is made, the stored pictures to embed by asset
    id, and a drawing of what `drawn_for` returns.
    Raises ValueError for an unknown format, and FormatError if the kept data makes it impossible to write the map.
    """
    ending, media_type = WRITTEN.get(format) or ("", "")
    if not ending:
        raise ValueError(f"format must be one of {', '.join(WRITTEN)}")
    notes = Notes()
    match format:
        case "uvtt":
            background = whole_background(document, _background(document, pictures))
            content = write_uvtt(document, background, drawing, notes)
        case "ldtk":
            content = write_ldtk(document, name, notes)
        case "text":
            content = write_text(document, notes)
        case _:
            content = write_tiled(document, pictures, notes, as_json=format == "tmj")
    stem = re.sub(r"[^\w -]+", "-", name).strip(" -")[:80] or "map"
    return Exported(stem + ending, media_type, content, notes.all())


def drawn_for(format: str, document: Document, pictures: Mapping[str, bytes]) -> Document | None:
    """The part of a document that has to be drawn as the picture that `write` takes; None if it needs none."""
    if format != "uvtt" or not any(size(document)) or whole_background(document, _background(document, pictures)):
        return None
    return drawn(document)


def _background(document: Document, pictures: Mapping[str, bytes]) -> bytes | None:
    return pictures.get(str(document.get("background", {}).get("asset_id")))


def _main(files: Mapping[str, bytes], main: str | None, uploads: Uploads) -> tuple[str, str, Any]:
    """The map among the files: (its name, its format, its content)."""
    if main is not None:
        if main not in files:
            raise FormatError(main, "was not uploaded")
        kind, content = _open(main, files[main], uploads)
        if kind in _DEPENDENCIES:
            raise FormatError(main, f"is a {kind}, not a map")
        return main, kind, content
    faults: list[FormatError] = []
    maps = []
    for name, data in files.items():
        try:
            kind, content = _open(name, data, uploads)
        except FormatError as error:
            faults.append(error)
        else:
            if kind not in _DEPENDENCIES:
                maps.append((name, kind, content))
    # Next to a map, a text file is taken for a note or a licence.
    maps = [found for found in maps if found[1] != "text"] or maps
    if not maps:
        raise faults[0] if faults else FormatError("", "there is no map among the files")
    if len(maps) > 1:
        names = ", ".join(name for name, _, _ in maps)
        raise FormatError("", f"there is more than one map; name the one to import: {names}"[:300])
    return maps[0]


def _open(name: str, data: bytes, uploads: Uploads) -> tuple[str, Any]:
    """The kind of a file, detected from its content; and the content: a Node, bytes of text, or None."""
    if is_picture(data):
        return "picture", None
    if data.startswith(_COMPRESSED_START):
        raise FormatError(name, "is a compressed file; decompress it first")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or _XML_START.match(data.removeprefix(b"\xef\xbb\xbf")):
        root = parse_xml(data)
        if root.tag in ("map", "tileset"):
            node = Node(tmx.to_json(root, uploads.notes)) if root.tag == "map" else None
            return "tiled" if root.tag == "map" else "tileset", node
        if root.tag == "template":
            return "template", None
        raise FormatError(f"line {root.line}", "is XML of an unknown kind: a Tiled map begins with <map>")
    if _JSON_START.match(data.removeprefix(b"\xef\xbb\xbf")):
        node = parse_json(data)
        return _kind_of_json(node), node
    if _STRUCTURED.search(name):
        raise FormatError(name, "is neither JSON nor XML")
    return "text", data


def _kind_of_json(node: Node) -> str:
    if "__header__" in node or ("defs" in node and ("levels" in node or "worlds" in node)):
        return "ldtk"
    if "layerInstances" in node:
        return "level"
    if "resolution" in node:
        return "uvtt"
    if node.value.get("type") == "map" or ("layers" in node and "tilewidth" in node):
        return "tiled"
    if node.value.get("type") == "template":
        return "template"
    if node.value.get("type") == "tileset" or "tilecount" in node:
        return "tileset"
    raise FormatError("", "is JSON of an unknown kind: neither Tiled, nor LDtk, nor Universal VTT")
