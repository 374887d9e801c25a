"""Reads Tiled's tilesets, and makes a legend of the tiles that a map uses."""

import base64
import binascii
import posixpath
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

from game.grid.document import EMPTY, Limits
from game.grid.formats import tmx
from game.grid.formats.imported import FormatError, TooLarge
from game.grid.formats.legend import Legend, is_entry, is_symbol, stable_color, usual_rules, usual_symbol
from game.grid.formats.pictures import Box, Picture, average_colors, probe
from game.grid.formats.projection import MAX_TILE, Point, Projection
from game.grid.formats.strict import Node, kept, parse_json, parse_xml
from game.grid.formats.tile_data import GID_MASK, MAX_ID
from game.grid.formats.tiled_properties import as_object, modern_properties, our_color, read_properties
from game.grid.formats.tiled_shapes import tiles_by_id
from game.grid.formats.tiled_wang import modern
from game.grid.formats.uploads import Pictures, Uploads

Json = dict[str, Any]

GENERATED: Final = "worldkeep_legend"
"""The custom property that marks a tileset that our export generated from a legend."""
LEGEND_RULES: Final = ("blocks_movement", "blocks_sight", "movement_cost")
_ABSOLUTE: Final = re.compile(r"/|\\|[A-Za-z][A-Za-z0-9+.-]*:")
MAX_TILESETS: Final = 1000
MAX_TILES: Final = 100_000
"""The maximum number of tiles with data, over all tilesets of a map."""


def parse_tileset(data: bytes, name: str, uploads: Uploads) -> Node:
    """An external tileset (TSX or TSJ) in the structure of TSJ. Raises FormatError with its name."""
    try:
        if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            root = parse_xml(data)
            if root.tag != "tileset":
                raise FormatError(f"line {root.line}", "is not a tileset")
            return Node(tmx.to_json(root, uploads.notes), name)
        node = parse_json(data)
        node.integer("tilewidth", 0, MAX_TILE)
        return Node(node.value, name)
    except FormatError as error:
        raise FormatError(f"{name}: {error.place}".removesuffix(": "), error.message) from None


@dataclass
class Tileset:
    """A tileset of a map: its first global tile id, its raw form, and the layout of its picture."""

    first: int
    node: Node
    raw: Json
    tiles: dict[int, Node]
    generated: bool

    @property
    def name(self) -> str:
        """Its name, or `tile` if it has none."""
        return self.node.text("name", "") or "tile"

    def box(self, tile: int) -> Box:
        """The position and size of a tile in the tileset's picture, in pixels."""
        node = self.node
        width, height = node.integer("tilewidth", 0, MAX_TILE), node.integer("tileheight", 0, MAX_TILE)
        margin, spacing = node.integer("margin", 0, MAX_TILE, 0), node.integer("spacing", 0, MAX_TILE, 0)
        row, column = divmod(tile, max(node.integer("columns", 0, MAX_ID, 0), 1))
        return margin + column * (width + spacing), margin + row * (height + spacing), width, height


def modern_tileset(tileset: Json) -> Json:
    """A tileset as in Tiled 1.2 and later; before, `tiles` and `tileproperties` were objects by tile id."""
    result: Json = modern_properties(tileset)
    old = {key: as_object(result.pop(key, None)) for key in ("tileproperties", "tilepropertytypes")}
    tiles = result.get("tiles")
    if isinstance(tiles, dict):
        tiles = [{**as_object(value), "id": int(key)} for key, value in tiles.items() if _is_number(key)]
    tiles = [tile for tile in tiles if isinstance(tile, dict)] if isinstance(tiles, list) else []
    by_id = tiles_by_id(tiles)
    for key, values in old["tileproperties"].items():
        if _is_number(key) and isinstance(values, dict):
            types = {"properties": values, "propertytypes": old["tilepropertytypes"].get(key)}
            if int(key) in by_id:
                by_id[int(key)] |= modern_properties(types)
            else:
                tiles.append({"id": int(key), **modern_properties(types)})
    return {key: value for key, value in result.items() if key != "tiles"} | ({"tiles": tiles} if tiles else {})


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdecimal() and len(key) < 10


def find_picture(owner: Node, uploads: Uploads, pictures: Pictures) -> tuple[str, bytes] | None:
    """The picture of a tileset, tile or image layer, if it is embedded or was uploaded: (name, bytes).

    None, with a warning, if it is missing, broken or in an unsupported format.
    """
    if "imagedata" not in owner and "image" not in owner:
        return None
    with uploads.notes.skipping("PICTURE_REFUSED"):
        if "imagedata" in owner:
            text, place = owner.value["imagedata"], owner.at("image")
            try:
                data = base64.b64decode("".join(text.split()), validate=True)
            except (AttributeError, binascii.Error, ValueError):
                raise FormatError(place, "is not base64") from None
            return pictures.add(data, owner.text("name", ""), place), data
        source = owner.text("image")
        if found := uploads.find(source):
            return pictures.add(found[1], source, found[0]), found[1]
        uploads.notes.add("PICTURE_MISSING", owner.at("image"), f"The picture {source} was not uploaded.")
    return None


class Tiles:
    """Reads the tilesets of a map."""

    def __init__(
        self, tmj: Node, projection: Projection, uploads: Uploads, pictures: Pictures, limits: Limits
    ) -> None:
        """Takes the map in the structure of TMJ. Raises FormatError."""
        self.uploads, self.notes, self.pictures, self.limits = uploads, uploads.notes, pictures, limits
        self.projection = projection
        self.parsed: dict[str, Node | None] = {}
        self.tilesets = self.read(tmj)

    def read(self, tmj: Node) -> list[Tileset]:
        """The map's tilesets. Their first tile ids must be ascending, as Tiled writes them."""
        result: list[Tileset] = []
        for node in tmj.list_of("tilesets"):
            first = node.integer("firstgid", 1, GID_MASK)
            if result and first <= result[-1].first:
                raise FormatError(node.at("firstgid"), "must be greater than that of the tileset before")
            result.append(self.tileset(node, first))
            if len(result) > MAX_TILESETS:
                raise TooLarge("tilesets", f"has more than {MAX_TILESETS} tilesets")
            if sum(len(tileset.tiles) for tileset in result) > MAX_TILES:
                raise TooLarge(node.place, f"is too much: the tilesets describe more than {MAX_TILES} tiles")
        return result

    def tileset(self, node: Node, first: int) -> Tileset:
        """A tileset, from the uploaded file to which it refers or from the map itself."""
        if "source" in node:
            source = node.text("source")
            external = self.external(source, node.place)
            if external is None:
                raw = {"firstgid": first, "source": source}
                return Tileset(first, Node({"name": _stem(source)}, node.place), raw, {}, False)
            node = external
        value = modern_tileset(node.value)
        if isinstance(value.get("wangsets"), list):
            sets = [(f"{node.at('wangsets')}[{at}]", each) for at, each in enumerate(value["wangsets"])]
            value["wangsets"] = [modern(each, place, self.notes) for place, each in sets if isinstance(each, dict)]
        node = self.measured(Node(value, node.place))
        values, _, _ = read_properties(node, self.notes)
        tiles: dict[int, Node] = {}
        for index, tile in enumerate(value.get("tiles", ())):
            with self.notes.skipping("TILESET_UNREADABLE"):
                one = Node(tile, f"{node.at('tiles')}[{index}]")
                tiles[one.integer("id", 0, MAX_ID)] = self.measured(one)
        raw = kept(_without_picture(node.value), node.place, self.notes)
        raw = {key: value for key, value in raw.items() if key != "tiles"} | {"firstgid": first}
        if tiles:
            about = [_without_picture(tile.value) for tile in tiles.values()]
            raw["tiles"] = kept(about, node.at("tiles"), self.notes)
        return Tileset(first, node, raw, tiles, values.get(GENERATED) is True)

    def external(self, source: str, place: str) -> Node | None:
        """The tileset in an uploaded file; None, with a warning, if it is missing or invalid."""
        if source not in self.parsed:
            self.parsed[source] = None
            found = self.uploads.find(source)
            if found is None:
                message = f"The tileset {source} was not uploaded: its tiles have no names or pictures."
                self.notes.add("TILESET_MISSING", place, message)
            else:
                with self.notes.skipping("TILESET_UNREADABLE"):
                    node = parse_tileset(found[1], found[0], self.uploads)
                    self.parsed[source] = Node(_from_folder(node.value, source), node.place)
        return self.parsed[source]

    def measured(self, owner: Node) -> Node:
        """A tileset or a tile with the size of its picture and the number of tiles in it, if the picture is known.

        Like Tiled, this reads the picture, because the values in the file may be outdated or missing.
        """
        value = owner.value
        source = value.get("image")
        found = self.uploads.find(source) if isinstance(source, str) and source else None
        try:
            picture = probe(found[1], found[0]) if found else None
        except FormatError:
            picture = None
        if picture:
            value = {**value, "imagewidth": picture.width, "imageheight": picture.height}
        if "tilewidth" in owner and "imagewidth" in value and not isinstance(value.get("source"), str):
            counts = _counts(Node(value, owner.place), picture)
            value = {**counts, **value} if picture is None else {**value, **counts}
        return Node(value, owner.place)

    def legend(self, used: set[int]) -> tuple[list[Json], dict[int, str]]:
        """The legend, and the symbol of each global tile id in use."""
        turned = len({gid for gid in used if gid & GID_MASK}) <= self.limits.max_legend
        if not turned:
            message = (
                f"There are more than {self.limits.max_legend} tiles, counting flipped ones: flips were removed."
            )
            self.notes.add("TILE_FLIPS_LOST", "tilesets", message)
        firsts = [tileset.first for tileset in self.tilesets]
        tiles: dict[int, dict[int, list[int]]] = {}
        for gid in sorted(used):
            if gid & GID_MASK:
                index = bisect_right(firsts, gid & GID_MASK) - 1
                flat = not turned or (index >= 0 and self.tilesets[index].generated)
                tiles.setdefault(index, {}).setdefault(gid & GID_MASK if flat else gid, []).append(gid)
        legend = Legend(self.limits)
        symbols = dict.fromkeys(used, EMPTY)
        for index in sorted(tiles):
            entries = self.entries(self.tilesets[index] if index >= 0 else None, list(tiles[index]))
            for same, (entry, preferred) in zip(tiles[index].values(), entries, strict=True):
                symbol = legend.add(entry, preferred, "tilesets")
                symbols.update(dict.fromkeys(same, symbol))
        return legend.entries, symbols

    def entries(self, tileset: Tileset | None, gids: list[int]) -> list[tuple[Json, str | None]]:
        """Legend entries for the used tiles of a tileset, each with its preferred symbol."""
        if tileset is None:
            self.notes.add(
                "UNKNOWN_TILE", "tilesets", f"No tileset has the tiles {gids[:10]}; they are kept as cells."
            )
            return [({"name": f"tile {gid}", "color": stable_color(str(gid))}, None) for gid in gids]
        numbers = [(gid & GID_MASK) - tileset.first for gid in gids]
        looks = {} if tileset.generated else self.looks(tileset, sorted(set(numbers)))
        result = []
        for gid, number in zip(gids, numbers, strict=True):
            entry, preferred = self.entry(tileset, number)
            color, picture = looks.get(number, (None, None))
            if not tileset.generated:
                entry.setdefault("color", color or stable_color(f"{tileset.name} {number}"))
                entry["tiled"] = {"gid": gid}
            if picture:
                entry["picture"] = picture
            result.append((entry, preferred))
        return result

    def entry(self, tileset: Tileset, number: int) -> tuple[Json, str | None]:
        """The legend entry of a tile, from its class and custom properties; and its preferred symbol."""
        tile = tileset.tiles.get(number)
        if tile is None:
            return {"name": f"{tileset.name} {number}"}, None
        values, _, packed = read_properties(tile, self.notes)
        named = tile.text("type", "") or tile.text("class", "") or values.get("name")
        name = named if isinstance(named, str) and named else f"{tileset.name} {number}"
        entry: Json = {"name": name} if named or not tileset.generated else {}
        color = values.get("color")
        if isinstance(color, str) and is_entry({"color": our_color(color)}):
            entry["color"] = our_color(values.pop("color"))
        for rule in LEGEND_RULES:
            if rule in values and is_entry({rule: values[rule]}):
                entry[rule] = values.pop(rule)
        preferred = values.pop("symbol", None) if is_symbol(str(values.get("symbol"))) else usual_symbol(name)
        if tileset.generated:
            entry = {
                **{key: value for key, value in packed.items() if key not in ("symbol", "properties")},
                **entry,
            }
            values |= as_object(packed.get("properties"))
        elif rules := {key: value for key, value in usual_rules(name).items() if key not in entry}:
            self.notes.add("RULES_GUESSED", tile.place, f"What {name} blocks was guessed from its name.")
            entry |= rules
        if values:
            entry["properties"] = values
        return entry, preferred

    def looks(self, tileset: Tileset, numbers: list[int]) -> dict[int, tuple[str | None, Json]]:
        """The average colour of each tile, and its part of a picture, if there is a picture."""
        node = tileset.node
        result: dict[int, tuple[str | None, Json]] = {}
        if sheet := find_picture(node, self.uploads, self.pictures):
            tileset.raw["asset_id"] = sheet[0]
            with self.notes.skipping("TILESET_UNREADABLE"):
                boxes = [tileset.box(number) for number in numbers]
                colors = self.colors(sheet[1], boxes, node, node)
                for number, box, color in zip(numbers, boxes, colors, strict=True):
                    result[number] = color, _part(sheet[0], box)
        kept_tiles = tiles_by_id(tileset.raw.get("tiles"))
        for number in numbers:
            tile = tileset.tiles.get(number)
            own = find_picture(tile, self.uploads, self.pictures) if tile else None
            if tile and own:
                with self.notes.skipping("TILESET_UNREADABLE"):
                    box = _own_box(tile, probe(own[1], tile.at("image")))
                    [color] = self.colors(own[1], [box], tile, node)
                    result[number] = color, _part(own[0], box)
                    kept_tiles[number]["asset_id"] = own[0]
        return result

    def colors(self, data: bytes, boxes: list[Box], owner: Node, tileset: Node) -> list[str | None]:
        """The average colours of boxes in a tileset's picture, within the import's limit of decoded pixels."""
        place = owner.at("image")
        if not self.uploads.count_pixels(probe(data, place)):
            message = "The pictures have too many pixels to compute all average colours."
            self.notes.add("COLORS_MADE_UP", place, message)
            return [None] * len(boxes)
        shape = None if self.projection.grid_type == "square" else self.cell_shape(tileset)
        with self.notes.skipping("PICTURE_REFUSED"):
            return average_colors(data, boxes, place, owner.text("transparentcolor", ""), shape)
        return [None] * len(boxes)

    def cell_shape(self, tileset: Node) -> list[Point]:
        """The corners of a cell, in pixels from the lower left corner of the tile that Tiled draws there."""
        offset = Node(as_object(tileset.value.get("tileoffset")), tileset.at("tileoffset"))
        across, down = offset.number("x", 0), offset.number("y", 0) + self.projection.tile_height
        return [(x - across, y - down) for x, y in self.projection.outline()]


def _from_folder(tileset: Json, source: str) -> Json:
    """A tileset from a separate file, with its pictures' paths made relative to the map's folder."""
    folder = posixpath.dirname(source.replace("\\", "/"))
    result = _moved(tileset, folder)
    if folder and isinstance(result.get("tiles"), list):
        result["tiles"] = [_moved(tile, folder) if isinstance(tile, dict) else tile for tile in result["tiles"]]
    return result


def _moved(owner: Json, folder: str) -> Json:
    image = owner.get("image")
    if not folder or not isinstance(image, str) or not image or _ABSOLUTE.match(image):
        return owner
    path = posixpath.normpath(posixpath.join(folder, image.replace("\\", "/")))
    return {**owner, "image": path}


def _counts(tileset: Node, picture: Picture | None) -> Json:
    """The number of columns and tiles in a tileset's picture; {} if the tileset's sizes are invalid."""
    try:
        width, height = tileset.integer("tilewidth", 1, MAX_TILE), tileset.integer("tileheight", 1, MAX_TILE)
        margin, spacing = tileset.integer("margin", 0, MAX_TILE, 0), tileset.integer("spacing", 0, MAX_TILE, 0)
        across = picture.width if picture else tileset.integer("imagewidth", 1, MAX_ID)
        down = picture.height if picture else tileset.integer("imageheight", 1, MAX_ID)
    except FormatError:
        return {}
    columns, rows = (
        (across - margin + spacing) // (width + spacing),
        (down - margin + spacing) // (height + spacing),
    )
    return {"columns": max(columns, 0), "tilecount": max(columns, 0) * max(rows, 0)}


def _own_box(tile: Node, size: Picture) -> Box:
    """The box of a tile in its own picture, of which Tiled 1.9 and later may show a part."""
    width = tile.integer("width", 0, MAX_TILE, 0) or size.width
    height = tile.integer("height", 0, MAX_TILE, 0) or size.height
    return tile.integer("x", 0, MAX_TILE, 0), tile.integer("y", 0, MAX_TILE, 0), width, height


def _without_picture(value: Json) -> Json:
    return {key: item for key, item in value.items() if key not in ("imagedata", "asset_id")}


def _part(name: str, box: Box) -> Json:
    return {"asset_id": name, "x": box[0], "y": box[1], "width": box[2], "height": box[3]}


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].partition(".")[0]
