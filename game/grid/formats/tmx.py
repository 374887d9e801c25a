"""Converts Tiled's XML (TMX, TSX, TX) to the structure of its JSON (TMJ, TSJ, TJ), and back.

Source: Tiled's TMX Map Format and JSON Map Format. Only XML has the types of a class property's members; they are
stored next to the value, under `members`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from xml.etree import ElementTree

from game.grid.formats.imported import FormatError, Notes
from game.grid.formats.strict import Element, number_from
from game.grid.formats.tiled_wang import legacy_id

Json = dict[str, Any]

_SIZES: Final = "width|height|tilewidth|tileheight|hexsidelength|margin|spacing|columns|tilecount|pixelsize"
_PLACES: Final = "x|y|offsetx|offsety|parallaxx|parallaxy|parallaxoriginx|parallaxoriginy|skewx|skewy|rotation"
_COUNTS: Final = "id|gid|firstgid|tileid|tile|nextlayerid|nextobjectid|compressionlevel|duration"
_NUMBERS: Final = frozenset(f"{_SIZES}|{_PLACES}|{_COUNTS}|opacity|probability".split("|"))
_FONT_FLAGS: Final = "bold|italic|underline|strikeout|kerning|wrap"
_FLAGS: Final = frozenset(
    f"infinite|visible|locked|repeatx|repeaty|hflip|vflip|rotate|preferuntransformed|{_FONT_FLAGS}".split("|")
)
_LAYER_TYPES: Final = {
    "layer": "tilelayer",
    "objectgroup": "objectgroup",
    "imagelayer": "imagelayer",
    "group": "group",
}
_XML_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_json(root: Element, notes: Notes) -> Json:
    """A `map`, `tileset` or `template` element in the structure of Tiled's JSON.

    Values that cannot be read (a number, the corners of an object) are left out with a warning.
    """
    reader = _Reader(notes)
    match root.tag:
        case "map":
            return reader.map(root)
        case "template":
            return reader.template(root)
        case _:
            return reader.tileset(root)


class _Reader:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def attributes(self, element: Element, *numbers: str) -> Json:
        """An element's attributes, converted to JSON types, and its custom properties."""
        result: Json = {}
        for name, text in element.attributes.items():
            if name in _FLAGS:
                result[name] = text in ("1", "true")
            elif name in _NUMBERS or name in numbers:
                number = number_from(text)
                if number is None:
                    message = f"<{element.tag} {name}> must be a number; it was left out."
                    self.notes.add("NOT_KEPT", f"line {element.line}", message)
                else:
                    result[name] = number
            else:
                result[name] = text
        for child in element.children:
            if child.tag == "properties":
                result["properties"] = self.properties(child)
        return result

    def unknown(self, element: Element, *known: str) -> None:
        for child in element.children:
            if child.tag not in known and child.tag != "properties":
                where = f"line {child.line}"
                self.notes.add(
                    "NOT_KEPT", where, f"<{child.tag}> in <{element.tag}> is not known, and was left out"
                )

    def properties(self, element: Element) -> list[Json]:
        return [self.property(child) for child in element.children if child.tag == "property"]

    def property(self, element: Element) -> Json:
        kind = element.attributes.get("type", "string")
        result: Json = {"name": element.attributes.get("name", ""), "type": kind}
        if "propertytype" in element.attributes:
            result["propertytype"] = element.attributes["propertytype"]
        text = element.attributes.get("value", element.text)
        if kind == "bool":
            result["value"] = text == "true"
        elif kind in ("int", "float", "object"):
            result["value"] = number_from(text) or 0
        elif kind == "class":
            members = [
                self.property(member)
                for child in element.children
                if child.tag == "properties"
                for member in child.children
                if member.tag == "property"
            ]
            result["value"] = {member["name"]: member["value"] for member in members}
            result["members"] = members
        else:
            result["value"] = text
        return result

    def map(self, element: Element) -> Json:
        result = {"type": "map", **self.attributes(element), "layers": self.layers(element)}
        tilesets = (child for child in element.children if child.tag == "tileset")
        result["tilesets"] = [self.tileset(child) for child in tilesets]
        for child in element.children:
            if child.tag == "editorsettings":
                result["editorsettings"] = {part.tag: self.attributes(part) for part in child.children}
        self.unknown(element, "tileset", "editorsettings", *_LAYER_TYPES)
        return result

    def layers(self, element: Element) -> list[Json]:
        return [self.layer(child) for child in element.children if child.tag in _LAYER_TYPES]

    def layer(self, element: Element) -> Json:
        result: Json = {**self.attributes(element), "type": _LAYER_TYPES[element.tag]}
        match element.tag:
            case "layer":
                for child in element.children:
                    if child.tag == "data":
                        result |= self.data(child)
                self.unknown(element, "data")
            case "objectgroup":
                result["objects"] = []
                for child in element.children:
                    if child.tag == "object":
                        with self.notes.skipping("OBJECT_UNREADABLE"):
                            result["objects"].append(self.object(child))
                self.unknown(element, "object")
            case "imagelayer":
                for child in element.children:
                    if child.tag == "image":
                        result |= self.image(child)
                self.unknown(element, "image")
            case _:
                result["layers"] = self.layers(element)
                self.unknown(element, *_LAYER_TYPES)
        return result

    def data(self, element: Element) -> Json:
        result: Json = {
            key: value for key, value in element.attributes.items() if key in ("encoding", "compression")
        }
        chunks = [child for child in element.children if child.tag == "chunk"]
        if chunks:
            result["chunks"] = [
                {**self.attributes(chunk), "data": self.cells(chunk, "encoding" in result)} for chunk in chunks
            ]
        else:
            result["data"] = self.cells(element, "encoding" in result)
        return result

    def cells(self, element: Element, encoded: bool) -> str | list[int]:
        if encoded:
            return element.text
        return [self.attributes(child).get("gid", 0) for child in element.children if child.tag == "tile"]

    def image(self, element: Element) -> Json:
        """An image with TMJ's keys. Embedded data, which only TMX has, is base64 under `imagedata`."""
        names = {
            "source": "image",
            "width": "imagewidth",
            "height": "imageheight",
            "trans": "transparentcolor",
        }
        attributes = self.attributes(element)
        result = {names[key]: value for key, value in attributes.items() if key in names}
        if "transparentcolor" in result:
            result["transparentcolor"] = "#" + result["transparentcolor"].removeprefix("#")
        for child in element.children:
            if child.tag == "data":
                if child.attributes.get("encoding") == "base64" and not child.attributes.get("compression"):
                    result["imagedata"] = child.text
                else:
                    message = "An embedded picture must be plain base64; it was left out."
                    self.notes.add("PICTURE_REFUSED", f"line {child.line}", message)
        return result

    def template(self, element: Element) -> Json:
        result: Json = {"type": "template"}
        for child in element.children:
            if child.tag == "object":
                result["object"] = self.object(child)
            elif child.tag == "tileset":
                result["tileset"] = self.attributes(child)
        return result

    def object(self, element: Element) -> Json:
        result = self.attributes(element)
        for child in element.children:
            if child.tag in ("ellipse", "point", "capsule"):
                result[child.tag] = True
            elif child.tag in ("polygon", "polyline"):
                result[child.tag] = [
                    self.corner(child, pair) for pair in child.attributes.get("points", "").split()
                ]
            elif child.tag == "text":
                result["text"] = {**self.attributes(child), "text": child.text}
        self.unknown(element, "ellipse", "point", "capsule", "polygon", "polyline", "text")
        return result

    def corner(self, element: Element, pair: str) -> Json:
        numbers = [number_from(part) for part in pair.split(",")]
        if len(numbers) != 2 or None in numbers:
            raise FormatError(f"line {element.line}", "points must be pairs of numbers")
        return {"x": numbers[0], "y": numbers[1]}

    def tileset(self, element: Element) -> Json:
        result = {"type": "tileset", **self.attributes(element)}
        tiles = [self.tile(child) for child in element.children if child.tag == "tile"]
        if tiles:
            result["tiles"] = tiles
        for child in element.children:
            match child.tag:
                case "image":
                    result |= self.image(child)
                case "tileoffset" | "grid" | "transformations":
                    result[child.tag] = self.attributes(child)
                case "terraintypes":
                    result["terrains"] = [self.attributes(terrain) for terrain in child.children]
                case "wangsets":
                    result["wangsets"] = [self.wangset(wangset) for wangset in child.children]
        known = ("image", "tileoffset", "grid", "transformations", "terraintypes", "wangsets", "tile")
        self.unknown(element, *known)
        return result

    def tile(self, element: Element) -> Json:
        result = self.attributes(element)
        if "terrain" in result:
            corners = (number_from(corner) for corner in result["terrain"].split(","))
            result["terrain"] = [-1 if corner is None else corner for corner in corners]
        for child in element.children:
            match child.tag:
                case "image":
                    result |= self.image(child)
                case "objectgroup":
                    result["objectgroup"] = self.layer(child)
                case "animation":
                    result["animation"] = [self.attributes(frame) for frame in child.children]
        self.unknown(element, "image", "objectgroup", "animation")
        return result

    def wangset(self, element: Element) -> Json:
        colors = []
        for child in element.children:
            if child.tag == "wangcolor":
                colors.append(self.attributes(child))
            elif child.tag in ("wangedgecolor", "wangcornercolor"):  # Tiled 1.1 to 1.4
                colors.append({**self.attributes(child), "kind": child.tag[4:-5]})
        tiles = [self.attributes(child) for child in element.children if child.tag == "wangtile"]
        for tile in tiles:
            text = str(tile.get("wangid", ""))
            parts = [number_from(part) for part in text.split(",")]
            tile["wangid"] = parts if len(parts) > 1 else legacy_id(text)
        self.unknown(element, "wangcolor", "wangedgecolor", "wangcornercolor", "wangtile")
        return {**self.attributes(element), "colors": colors, "wangtiles": tiles}


def to_xml(tmj: Mapping[str, Any], notes: Notes) -> bytes:
    """A map in the structure of TMJ as TMX. Values of a wrong type are left out."""
    root = _Writer(notes).map(tmj)
    ElementTree.indent(root, " ")
    body: bytes = ElementTree.tostring(root, "utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _objects(value: Any) -> Iterable[Json]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


class _Writer:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def text(self, text: str) -> str:
        clean = _NOT_XML.sub("\ufffd", text)
        if clean != text:
            self.notes.add("CHARACTERS_REPLACED", "", "Control characters, which XML cannot hold, were replaced.")
        return clean

    def attribute(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return self.text(str(value))

    def element(self, tag: str, source: Mapping[str, Any], *without: str) -> ElementTree.Element:
        """An element with each scalar value of an object as an attribute, and with its custom properties."""
        element = ElementTree.Element(tag)
        for key, value in source.items():
            if key not in without and isinstance(value, str | int | float) and _XML_NAME.fullmatch(key):
                element.set(key, self.attribute(value))
        properties = [self.property(item) for item in _objects(source.get("properties"))]
        if properties:
            ElementTree.SubElement(element, "properties").extend(properties)
        return element

    def property(self, item: Json) -> ElementTree.Element:
        element = ElementTree.Element("property", name=self.text(str(item.get("name", ""))))
        kind, value = str(item.get("type", "string")), item.get("value")
        if kind != "string":
            element.set("type", self.text(kind))
        if isinstance(item.get("propertytype"), str):
            element.set("propertytype", self.text(item["propertytype"]))
        if kind == "class":
            members = [self.property(member) for member in _objects(item.get("members"))]
            if members:
                ElementTree.SubElement(element, "properties").extend(members)
        elif isinstance(value, bool):
            element.set("value", "true" if value else "false")
        elif isinstance(value, str) and "\n" in value:
            element.text = self.text(value)
        else:
            element.set("value", "" if value is None else self.attribute(value))
        return element

    def map(self, tmj: Mapping[str, Any]) -> ElementTree.Element:
        element = self.element("map", tmj, "type")
        settings = tmj.get("editorsettings")
        if isinstance(settings, dict):
            parent = ElementTree.SubElement(element, "editorsettings")
            parts = ((key, value) for key, value in settings.items() if isinstance(value, dict))
            parent.extend([self.element(key, value) for key, value in parts if _XML_NAME.fullmatch(key)])
        element.extend([self.tileset(tileset) for tileset in _objects(tmj.get("tilesets"))])
        element.extend([self.layer(layer) for layer in _objects(tmj.get("layers"))])
        return element

    def layer(self, layer: Json) -> ElementTree.Element:
        tags = {name: tag for tag, name in _LAYER_TYPES.items()}
        tag = tags.get(str(layer.get("type")), "objectgroup")
        if tag == "layer":
            element = self.element(tag, layer, "type", "x", "y", "data", *_CELL_KEYS)
            self.data(ElementTree.SubElement(element, "data", encoding="csv"), layer)
        elif tag == "imagelayer":
            element = self.element(tag, layer, "type", *_IMAGE_KEYS)
            self.image(element, layer)
        else:
            element = self.element(tag, layer, "type", "width", "height", "x", "y")
            element.extend([self.object(item) for item in _objects(layer.get("objects"))])
            element.extend([self.layer(child) for child in _objects(layer.get("layers"))])
        return element

    def data(self, element: ElementTree.Element, layer: Json) -> None:
        if "chunks" not in layer:
            element.text = layer["data"]
        for chunk in layer.get("chunks", ()):
            child = self.element("chunk", chunk, "data")
            child.text = chunk["data"]
            element.append(child)

    def image(self, parent: ElementTree.Element, source: Json) -> None:
        names = {
            "image": "source",
            "imagewidth": "width",
            "imageheight": "height",
            "transparentcolor": "trans",
        }
        values = {tag: source[key] for key, tag in names.items() if isinstance(source.get(key), str | int | float)}
        if "trans" in values:
            values["trans"] = str(values["trans"]).removeprefix("#")
        if "imagedata" in source and "imageformat" in source:
            element = self.element("image", {"format": source["imageformat"], **values}, "source")
            ElementTree.SubElement(element, "data", encoding="base64").text = source["imagedata"]
            parent.append(element)
        elif values:
            parent.append(self.element("image", values))

    def object(self, item: Json) -> ElementTree.Element:
        element = self.element("object", item, "point", "ellipse", "capsule")
        for shape in ("point", "ellipse", "capsule"):
            if item.get(shape) is True:
                ElementTree.SubElement(element, shape)
        for shape in ("polygon", "polyline"):
            if shape in item:
                corners = [(corner.get("x"), corner.get("y")) for corner in _objects(item[shape])]
                points = " ".join(f"{self.attribute(x)},{self.attribute(y)}" for x, y in corners)
                ElementTree.SubElement(element, shape, points=points)
        text = item.get("text")
        if isinstance(text, dict):
            child = self.element("text", text, "text")
            child.text = self.text(str(text.get("text", "")))
            element.append(child)
        return element

    def tileset(self, tileset: Json) -> ElementTree.Element:
        element = self.element("tileset", tileset, "type", *_IMAGE_KEYS)
        for tag in ("tileoffset", "grid"):
            if isinstance(tileset.get(tag), dict):
                element.append(self.element(tag, tileset[tag]))
        if isinstance(tileset.get("transformations"), dict):
            element.append(self.element("transformations", tileset["transformations"]))
        self.image(element, tileset)
        self.children(element, "terraintypes", tileset.get("terrains"), lambda item: self.element("terrain", item))
        element.extend([self.tile(tile) for tile in _objects(tileset.get("tiles"))])
        self.children(element, "wangsets", tileset.get("wangsets"), self.wangset)
        return element

    def children(
        self, parent: ElementTree.Element, tag: str, items: Any, write: Callable[[Json], ElementTree.Element]
    ) -> None:
        elements = [write(item) for item in _objects(items)]
        if elements:
            ElementTree.SubElement(parent, tag).extend(elements)

    def tile(self, tile: Json) -> ElementTree.Element:
        element = self.element("tile", tile, *_IMAGE_KEYS)
        if isinstance(tile.get("terrain"), list):
            corners = ("" if corner == -1 else self.attribute(corner) for corner in tile["terrain"])
            element.set("terrain", ",".join(corners))
        self.image(element, tile)
        if isinstance(tile.get("objectgroup"), dict):
            element.append(self.layer({**tile["objectgroup"], "type": "objectgroup", "layers": None}))
        self.children(element, "animation", tile.get("animation"), lambda item: self.element("frame", item))
        return element

    def wangset(self, wangset: Json) -> ElementTree.Element:
        element = self.element("wangset", wangset)
        element.extend([self.element("wangcolor", color) for color in _objects(wangset.get("colors"))])
        for tile in _objects(wangset.get("wangtiles")):
            child = self.element("wangtile", tile)
            if isinstance(tile.get("wangid"), list):
                child.set("wangid", ",".join(self.attribute(part) for part in tile["wangid"]))
            element.append(child)
        return element


_CELL_KEYS: Final = ("encoding", "compression", "startx", "starty")
_IMAGE_KEYS: Final = (
    "image", "imagewidth", "imageheight", "imageformat", "imagedata", "transparentcolor", "asset_id",
)  # fmt: skip
