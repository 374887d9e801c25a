"""Tiled's object templates (TX, TJ): finds them among the uploads, and merges them with their objects.

An object with a template contains only what differs from it. The template is kept with the map, so that an export
writes the same. Source: Tiled's TMX Map Format ("template files"), and Tiled itself.
"""

from dataclasses import dataclass
from typing import Any, Final

from game.grid.formats import tmx
from game.grid.formats.imported import FormatError
from game.grid.formats.strict import kept, parse_json, parse_xml
from game.grid.formats.tile_data import GID_MASK
from game.grid.formats.tiled_properties import as_object, modern_properties
from game.grid.formats.tiled_shapes import TileLook, TileLooks
from game.grid.formats.tiled_tiles import Tiles

Json = dict[str, Any]

MAX_TEMPLATES: Final = 1000


@dataclass(frozen=True)
class Template:
    """The object of a template in the structure of TMJ, and the look of its tile, if it has one."""

    item: Json
    look: TileLook

    def merged(self, own: Json) -> Json:
        """An object merged with the template."""
        properties = {}
        for owner in (self.item, own):
            for item in owner.get("properties") or ():
                if isinstance(item, dict):
                    properties[str(item.get("name"))] = item
        return {**self.item, **own, "properties": list(properties.values())}

    def as_kept(self) -> Json:
        """The data that a map keeps of it; `template_of` is the inverse."""
        look = {"size": self.look.size, "alignment": self.look.alignment, "kind": self.look.kind}
        return {"object": self.item, "look": look}


def template_of(value: Any) -> Template | None:
    """A template that was kept with a map; None if it is not an object, because anyone may have edited it."""
    about = as_object(value)
    if not isinstance(about.get("object"), dict):
        return None
    look = as_object(about.get("look"))
    size = look.get("size")
    sides = [side for side in size if type(side) in (int, float)] if isinstance(size, list | tuple) else []
    known = (sides[0], sides[1]) if len(sides) == 2 else None
    return Template(about["object"], TileLook(known, str(look.get("alignment")), str(look.get("kind") or "")))


class Templates:
    """Reads the templates to which the objects of a map refer."""

    def __init__(self, tiles: Tiles) -> None:
        self.tiles, self.uploads = tiles, tiles.uploads
        self.found: dict[str, Template | None] = {}

    def find(self, source: str, place: str) -> Template | None:
        """The template with this path, by its name among the uploads; None with a warning if it cannot be read."""
        if source not in self.found:
            found = self.uploads.find(source) if len(self.found) < MAX_TEMPLATES else None
            self.found[source] = None
            if found is None:
                message = f"The template {source} was not uploaded; the reference to it is kept."
                self.uploads.notes.add("TEMPLATE_NOT_READ", place, message)
            else:
                with self.uploads.notes.skipping("TEMPLATE_NOT_READ"):
                    self.found[source] = self.read(found[1], found[0])
        return self.found[source]

    def read(self, data: bytes, name: str) -> Template:
        """Parse a template file. Raises FormatError with its name."""
        notes = self.uploads.notes
        try:
            is_xml = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
            value = tmx.to_json(parse_xml(data), notes) if is_xml else parse_json(data).value
        except FormatError as error:
            raise FormatError(f"{name}: {error.place}".removesuffix(": "), error.message) from None
        item = kept(modern_properties(as_object(value).get("object")), name, notes)
        if not isinstance(item, dict):
            raise FormatError(name, "has no object")
        item = {key: part for key, part in item.items() if key not in ("id", "x", "y", "template")}
        look = TileLook()
        about = as_object(as_object(value).get("tileset"))
        if type(item.get("gid")) is int and isinstance(about.get("source"), str):
            tileset = self.tiles.external(about["source"], name)
            first = about.get("firstgid")
            if tileset and type(first) is int and 0 < first <= GID_MASK:
                one = self.tiles.tileset(tileset, first)
                look = TileLooks([one.raw]).of(item["gid"])
        return Template(item, look)

    def as_kept(self) -> Json:
        """The data that a map keeps of the templates that were read, by path."""
        return {source: template.as_kept() for source, template in self.found.items() if template}
