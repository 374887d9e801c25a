"""Tiled's tilesets, and the legend that the used tiles of a map become."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from game.grid.document import EMPTY, Limits
from game.grid.formats import tmx
from game.grid.formats.imported import FormatError
from game.grid.formats.legend import Legend, is_entry, is_symbol, stable_color, usual_rules, usual_symbol
from game.grid.formats.pictures import Box, average_colors, probe
from game.grid.formats.projection import MAX_TILE
from game.grid.formats.strict import Node, kept, parse_json, parse_xml
from game.grid.formats.tile_data import GID_MASK, MAX_ID
from game.grid.formats.tiled_properties import as_object, our_color, read_properties
from game.grid.formats.uploads import Pictures, Uploads

Json = dict[str, Any]

GENERATED: Final = "worldkeep_legend"
"""The custom property of a tileset that our export made from a legend."""
LEGEND_RULES: Final = ("blocks_movement", "blocks_sight", "movement_cost")
MAX_TILESETS: Final = 1000


def parse_tileset(data: bytes, name: str, uploads: Uploads) -> Node:
    """An external tileset (TSX or TSJ) in the shape of Tiled's JSON. Raises FormatError with its name."""
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
    """A tileset of a map: its first global tile id, its raw form, and where its tiles are in a picture."""

    first: int
    node: Node
    raw: Json
    tiles: dict[int, Node]
    generated: bool

    @property
    def name(self) -> str:
        """Its name, or what it is instead."""
        return self.node.text("name", "") or "tile"

    def box(self, tile: int) -> Box:
        """Where a tile lies in the tileset's picture, in pixels."""
        node = self.node
        width, height = node.integer("tilewidth", 0, MAX_TILE), node.integer("tileheight", 0, MAX_TILE)
        margin, spacing = node.integer("margin", 0, MAX_TILE, 0), node.integer("spacing", 0, MAX_TILE, 0)
        columns = node.integer("columns", 0, MAX_ID, 0)
        if not columns:
            columns = (int(node.number("imagewidth", 0)) - margin + spacing) // ((width + spacing) or 1)
        row, column = divmod(tile, max(columns, 1))
        return margin + column * (width + spacing), margin + row * (height + spacing), width, height


def find_picture(owner: Node, uploads: Uploads, pictures: Pictures) -> tuple[str, bytes] | None:
    """The picture of a tileset, tile or image layer, if it is embedded or was uploaded: (name, bytes)."""
    if "imagedata" in owner:
        text, place = owner.value["imagedata"], owner.at("image")
        if not isinstance(text, str):
            raise FormatError(place, "must be a string")
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise FormatError(place, "is not base64") from None
        return pictures.add(data, owner.text("name", ""), place), data
    source = owner.text("image", "")
    found = uploads.find(source) if source else None
    if found is None:
        return None
    return pictures.add(found[1], source, found[0]), found[1]


class Tiles:
    """Reads the tilesets of a map."""

    def __init__(self, tmj: Node, uploads: Uploads, pictures: Pictures, limits: Limits) -> None:
        """Takes the map in the shape of Tiled's JSON. Raises FormatError."""
        self.uploads, self.notes, self.pictures, self.limits = uploads, uploads.notes, pictures, limits
        self.parsed: dict[str, Node] = {}
        self.tilesets = self.read(tmj)

    def read(self, tmj: Node) -> list[Tileset]:
        """The map's tilesets, by rising first tile ids as Tiled writes them."""
        result: list[Tileset] = []
        for node in tmj.list_of("tilesets"):
            first = node.integer("firstgid", 1, GID_MASK)
            if result and first <= result[-1].first:
                raise FormatError(node.at("firstgid"), "must be greater than that of the tileset before")
            result.append(self.tileset(node, first))
        if len(result) > MAX_TILESETS:
            raise FormatError("tilesets", f"has more than {MAX_TILESETS} tilesets")
        return result

    def tileset(self, node: Node, first: int) -> Tileset:
        """A tileset, from the upload that it names or from the map itself."""
        if "source" in node:
            source = node.text("source")
            found = self.uploads.find(source)
            if found is None:
                message = f"The tileset {source} was not uploaded along: its tiles have no names or pictures."
                self.notes.add("TILESET_MISSING", node.place, message)
                raw = {"firstgid": first, "source": source}
                return Tileset(first, Node({"name": _stem(source)}, node.place), raw, {}, False)
            if source not in self.parsed:
                self.parsed[source] = parse_tileset(found[1], found[0], self.uploads)
            node = self.parsed[source]
        values, _, _ = read_properties(node, self.notes)
        tiles = {tile.integer("id", 0, MAX_ID): tile for tile in self.tiles(node)}
        raw = kept(_without_picture(node.value), node.place, self.notes)
        raw = {key: value for key, value in raw.items() if key != "tiles"} | {"firstgid": first}
        if tiles:
            about = [_without_picture(tile.value) for tile in tiles.values()]
            raw["tiles"] = kept(about, node.at("tiles"), self.notes)
        return Tileset(first, node, raw, tiles, values.get(GENERATED) is True)

    def tiles(self, node: Node) -> Iterator[Node]:
        """The tiles of which a tileset says anything."""
        tiles = node.value.get("tiles")
        if isinstance(tiles, dict):  # Tiled before 1.2: an object by tile id
            place = node.at("tiles")
            for key, value in tiles.items():
                if key.isdecimal() and isinstance(value, dict):
                    yield Node({**value, "id": int(key[:9])}, f"{place}.{key}")
            return
        yield from node.list_of("tiles")

    def legend(self, used: set[int]) -> tuple[list[Json], dict[int, str]]:
        """The legend, and the symbol of every global tile id that is used."""
        turned = len({gid for gid in used if gid & GID_MASK}) <= self.limits.max_legend
        if not turned:
            message = f"More than {self.limits.max_legend} tiles count with their flips: the flips were left out."
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
            for same, (entry, wish) in zip(tiles[index].values(), entries, strict=True):
                symbol = legend.add(entry, wish, "tilesets")
                symbols.update(dict.fromkeys(same, symbol))
        return legend.entries, symbols

    def entries(self, tileset: Tileset | None, gids: list[int]) -> list[tuple[Json, str | None]]:
        """Legend entries for the used tiles of a tileset, each with the symbol it would like to have."""
        if tileset is None:
            self.notes.add(
                "UNKNOWN_TILE", "tilesets", f"No tileset has the tiles {gids[:10]}; they are kept as cells."
            )
            return [({"name": f"tile {gid}", "color": stable_color(str(gid))}, None) for gid in gids]
        numbers = [(gid & GID_MASK) - tileset.first for gid in gids]
        looks = {} if tileset.generated else self.looks(tileset, sorted(set(numbers)))
        result = []
        for gid, number in zip(gids, numbers, strict=True):
            entry, wish = self.entry(tileset, number)
            color, picture = looks.get(number, (None, None))
            if not tileset.generated:
                entry.setdefault("color", color or stable_color(f"{tileset.name} {number}"))
                entry["tiled"] = {"gid": gid}
            if picture:
                entry["picture"] = picture
            result.append((entry, wish))
        return result

    def entry(self, tileset: Tileset, number: int) -> tuple[Json, str | None]:
        """A tile's legend entry from its class and custom properties; and its wish for a symbol."""
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
        wish = values.pop("symbol", None) if is_symbol(str(values.get("symbol"))) else usual_symbol(name)
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
        return entry, wish

    def looks(self, tileset: Tileset, numbers: list[int]) -> dict[int, tuple[str | None, Json]]:
        """The average colour of tiles and the part of a picture that shows them, where there is a picture."""
        node = tileset.node
        sheet = find_picture(node, self.uploads, self.pictures)
        if "image" in node and not sheet:
            message = f"The picture {node.text('image')} was not uploaded along: the colours are made up."
            self.notes.add("PICTURE_MISSING", node.at("image"), message)
        result: dict[int, tuple[str | None, Json]] = {}
        if sheet:
            tileset.raw["asset_id"] = sheet[0]
            boxes = [tileset.box(number) for number in numbers]
            clear = node.text("transparentcolor", "")
            colors = self.colors(sheet[1], boxes, node.at("image"), clear)
            for number, box, color in zip(numbers, boxes, colors, strict=True):
                result[number] = color, _part(sheet[0], box)
        kept_tiles = {tile["id"]: tile for tile in tileset.raw.get("tiles", [])}
        for number in numbers:
            tile = tileset.tiles.get(number)
            own = find_picture(tile, self.uploads, self.pictures) if tile else None
            if tile and own:
                size = probe(own[1], tile.at("image"))
                box = (0, 0, size.width, size.height)
                [color] = self.colors(own[1], [box], tile.at("image"))
                result[number] = color, _part(own[0], box)
                kept_tiles[number]["asset_id"] = own[0]
        return result

    def colors(self, data: bytes, boxes: list[Box], place: str, clear: str = "") -> list[str | None]:
        """The average colours of the boxes, as long as this import may decode pictures."""
        if self.uploads.take_pixels(probe(data, place)):
            return average_colors(data, boxes, place, clear)
        self.notes.add("COLORS_MADE_UP", place, "The pictures have too many pixels to average all their colours.")
        return [None] * len(boxes)


def _without_picture(value: Json) -> Json:
    return {key: item for key, item in value.items() if key not in ("imagedata", "asset_id")}


def _part(name: str, box: Box) -> Json:
    return {"asset_id": name, "x": box[0], "y": box[1], "width": box[2], "height": box[3]}


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].partition(".")[0]
