"""Grid data to a Tiled map (TMX or TMJ).

A map that came from Tiled gets back what was kept under `tiled`. Everything else is made: a legend entry
without a tile of Tiled's becomes a tile of a generated tileset, walls, doors, lights and entities become
objects. Anyone may have edited what is kept, so nothing of it is trusted to have its shape.
"""

import base64
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from game.grid.document import EMPTY, size
from game.grid.formats import tmx
from game.grid.formats.imported import Document, FormatError, Notes
from game.grid.formats.legend import stable_color, usual_rules
from game.grid.formats.pictures import probe, tile_picture
from game.grid.formats.projection import OF_GRID_TYPE, Projection, as_tiled, read_projection
from game.grid.formats.strict import MAX_COORDINATE, Node
from game.grid.formats.tile_data import GID_MASK, MAX_ID, encode_csv
from game.grid.formats.tiled import MODELLED
from game.grid.formats.tiled_objects import SHAPES, anchor, shape_of
from game.grid.formats.tiled_properties import as_object, tiled_color, write_properties
from game.grid.formats.tiled_tiles import GENERATED, LEGEND_RULES

Json = dict[str, Any]

VERSION: Final = "1.10"
"""Of the format that is written; Tiled 1.0 and later read it."""
MAX_CELL_PIXELS: Final = 512


def write_tiled(document: Document, pictures: Mapping[str, bytes], notes: Notes, as_json: bool) -> bytes:
    """A Tiled map. Takes a valid document, and by asset id the pictures to embed (TMX only)."""
    tmj = _Writer(document, pictures, notes, as_json).map()
    return orjson.dumps(tmj, option=orjson.OPT_INDENT_2) if as_json else tmx.to_xml(tmj, notes)


class _Ids:
    """Gives ids: the one that is wished for where it is free, else the next."""

    def __init__(self, wishes: Iterable[Any]) -> None:
        self.used: set[int] = set()
        self.next = 1 + max((wish for wish in wishes if _is_id(wish)), default=0)

    def take(self, wish: Any = None) -> int:
        """An id of its own."""
        if not _is_id(wish) or wish in self.used:
            wish, self.next = self.next, self.next + 1
        self.used.add(wish)
        return int(wish)


class _Writer:
    def __init__(self, document: Document, pictures: Mapping[str, bytes], notes: Notes, as_json: bool) -> None:
        self.document, self.pictures, self.notes, self.as_json = document, pictures, notes, as_json
        self.width, self.height = size(document)
        self.kept = as_object(document.get("tiled"))
        self.about = as_object(self.kept.get("map"))
        items = [item for item in _objects(self.kept.get("layers")) if _is_id(item.get("id"))]
        self.skeleton = list({item["id"]: item for item in reversed(items)}.values())[::-1]
        self.about_tiles = {item["id"]: item for item in self.skeleton if item.get("type") == "tilelayer"}
        self.projection = self.choose_projection()
        origin = as_object(self.kept.get("origin")) if self.about.get("infinite") is True else {}
        self.left, self.top = (_whole(origin.get(key)) for key in ("x", "y"))
        kept_objects = (
            item.get("tiled") for key in ("entities", "walls", "doors", "lights") for item in self.things(key)
        )
        last = {key: _whole(self.about.get(key)) - 1 for key in ("nextlayerid", "nextobjectid")}
        self.object_ids = _Ids([*(as_object(item).get("id") for item in kept_objects), last["nextobjectid"]])
        self.layer_ids = _Ids([*(item["id"] for item in self.skeleton), last["nextlayerid"]])

    def things(self, key: str) -> list[Json]:
        return list(self.document.get(key, []))

    def choose_projection(self) -> Projection:
        """That of the Tiled map it came from, as long as the grid is the same; else one made for the grid."""
        grid_type = str(self.document.get("grid_type", "square"))
        try:
            kept = read_projection(Node(self.about), Notes())
            if kept.grid_type == grid_type or (kept.grid_type, grid_type) == ("square", "none"):
                return kept
        except FormatError:
            pass
        made = OF_GRID_TYPE[grid_type]
        background = as_object(self.document.get("background"))
        data, width = self.pictures.get(str(background.get("asset_id"))), background.get("width")
        if data and made.grid_type == "square" and isinstance(width, int | float) and width > 0:
            # Tiled draws a picture pixel by pixel: the cells take the size that they have in it.
            pixels = min(MAX_CELL_PIXELS, max(1, round(probe(data, "background").width / width)))
            made = replace(made, tile_width=pixels, tile_height=pixels)
        return made

    def map(self) -> Json:
        """The whole map in the shape of Tiled's JSON."""
        tilesets, gids = self.tilesets()
        layers = self.layers(gids)
        packed = {key: value for key, value in self.document.items() if key not in MODELLED}
        if packed.get("grid_type") == self.projection.grid_type:
            del packed["grid_type"]
        defaults = {
            "renderorder": "right-down",
            "infinite": False,
            "version": VERSION,
            "tiledversion": VERSION,
        }
        about = {key: value for key, value in self.about.items() if key not in as_tiled(OF_GRID_TYPE["hex_row"])}
        return {
            **defaults,
            **about,
            **as_tiled(self.projection),
            "type": "map",
            "width": self.width,
            "height": self.height,
            "nextlayerid": self.layer_ids.next,
            "nextobjectid": self.object_ids.next,
            "properties": self.properties(self.document, self.kept, packed, "properties"),
            "tilesets": tilesets,
            "layers": layers,
        }

    def properties(
        self,
        owner: Mapping[str, Any],
        kept: Mapping[str, Any],
        packed: Json,
        place: str,
        own: Json | None = None,
    ) -> list[Json]:
        """Custom properties of a thing: its own values, its `properties`, and what Tiled cannot hold."""
        own = own or {}
        values = as_object(owner.get("properties"))
        clash = {key: value for key, value in values.items() if key in own or (own and key in _OWN_NAMES)}
        if clash:
            packed = {**packed, "properties": clash}
            values = {key: value for key, value in values.items() if key not in clash}
        written = write_properties(own, _OWN_TYPES, {}, place, self.notes)
        return written + write_properties(values, kept.get("property_types"), packed, place, self.notes)

    # Tilesets

    def tilesets(self) -> tuple[list[Json], dict[str, int]]:
        """Tiled's own tilesets, one made for the other symbols; and every symbol's global tile id."""
        tilesets: list[Json] = []
        for raw in _objects(self.kept.get("tilesets")):
            last = tilesets[-1]["firstgid"] if tilesets else 0
            if last < _whole(raw.get("firstgid")) <= GID_MASK:
                tilesets.append(self.tileset(raw))
        gids = {EMPTY: 0}
        made = []
        for entry in self.things("legend"):
            gid = _whole(as_object(entry.get("tiled")).get("gid"))
            if tilesets and 0 < gid < 1 << 32 and gid & GID_MASK >= tilesets[0]["firstgid"]:
                gids[entry["symbol"]] = gid
                self.keep_rules(tilesets, entry, gid)
            else:
                made.append(entry)
        if made:
            counts = [_whole(tileset.get("tilecount")) for tileset in tilesets]
            ends = [tileset["firstgid"] + max(1, count) for tileset, count in zip(tilesets, counts, strict=True)]
            first = max([1, *ends, *(1 + (gid & GID_MASK) for gid in gids.values())])
            if first + len(made) > GID_MASK:
                raise FormatError("tiled.tilesets", "leave no room for the tiles of new legend entries")
            tilesets.append(self.generated(first, made))
            gids |= {entry["symbol"]: first + index for index, entry in enumerate(made)}
        return tilesets, gids

    def tileset(self, raw: Json) -> Json:
        tiles = [self.embedded(dict(tile)) for tile in _objects(raw.get("tiles")) if _is_number(tile.get("id"))]
        result = self.embedded({**raw, "tiles": tiles})
        if not tiles:
            del result["tiles"]
        return result

    def embedded(self, owner: Json) -> Json:
        """A copy of something with a picture, with the picture in it where it has no file of its own."""
        owner = {key: value for key, value in owner.items() if key not in ("imagedata", "imageformat")}
        asset = owner.pop("asset_id", None)
        data = self.pictures.get(asset) if isinstance(asset, str) else None
        if asset is None or "image" in owner:
            return owner
        if data is None or self.as_json:
            name = str(owner.get("name", "a tile"))[:100]
            self.notes.add("PICTURE_LOST", "tiled", f"The picture of {name} was not at hand, or is for TMX only.")
            return owner
        return {**owner, **_image(data)}

    def keep_rules(self, tilesets: list[Json], entry: Json, gid: int) -> None:
        """Write what an entry blocks to its tile, where it was changed here; in tilesets of the map only."""
        tileset = [tileset for tileset in tilesets if tileset["firstgid"] <= gid & GID_MASK][-1]
        if "source" in tileset or gid != gid & GID_MASK:
            return
        number = gid - tileset["firstgid"]
        tile = next((tile for tile in tileset.get("tiles", []) if tile["id"] == number), None)
        old = _objects((tile or {}).get("properties"))
        usual = usual_rules(str(entry.get("name", "")))
        names = [item.get("name") for item in old]
        rules = {
            name: entry[name]
            for name in LEGEND_RULES
            if name in entry and (name in names or entry[name] != usual.get(name))
        }
        new = {item["name"]: item for item in write_properties(rules, _OWN_TYPES, {}, "legend", self.notes)}
        properties = [
            new.pop(str(item.get("name")), item)
            for item in old
            if item.get("name") not in LEGEND_RULES or item.get("name") in new
        ]
        properties += new.values()
        if properties == old:
            return
        if tile is None:
            tile = {"id": number}
            tileset.setdefault("tiles", []).append(tile)
        tile["properties"] = properties

    def generated(self, first: int, entries: list[Json]) -> Json:
        """A tileset of one picture a tile, which Tiled keeps in the map's own file (only TMX can hold it)."""
        width, height = int(self.projection.tile_width), int(self.projection.tile_height)
        tiles = []
        for index, entry in enumerate(entries):
            color = str(entry.get("color") or stable_color(entry["symbol"]))
            own: Json = {"symbol": entry["symbol"]}
            if "color" in entry:
                own["color"] = tiled_color(color)
            own |= {rule: entry[rule] for rule in LEGEND_RULES if rule in entry}
            known = ("symbol", "name", "color", "properties", "tiled", *LEGEND_RULES)
            packed = {key: value for key, value in entry.items() if key not in known}
            tile = {
                "id": index,
                "type": str(entry.get("name", "")),
                "properties": self.properties(entry, {}, packed, f"legend[{index}]", own),
            }
            if not self.as_json:
                tile |= _image(tile_picture(color, entry["symbol"], self.projection.outline(), (width, height)))
            tiles.append(tile)
        if self.as_json:
            self.notes.add("PICTURE_LOST", "legend", "TMJ cannot hold the pictures of tiles; TMX can.")
        return {
            "firstgid": first,
            "name": "legend",
            "tilewidth": width,
            "tileheight": height,
            "tilecount": len(tiles),
            "columns": 0,
            "margin": 0,
            "spacing": 0,
            "properties": [{"name": GENERATED, "type": "bool", "value": True}],
            "tiles": tiles,
        }

    # Layers

    def layers(self, gids: Mapping[str, int]) -> list[Json]:
        """All layers as a tree: the kept ones where Tiled had them, new ones after their neighbours."""
        slots, loose = self.slots()
        flat: list[tuple[int | None, Json]] = []
        groups: dict[int, Json] = {}
        things = self.objects()
        for item in self.skeleton:
            parent = item["parent"] if _is_id(item.get("parent")) and item["parent"] in groups else None
            match item.get("type"):
                case "tilelayer":
                    flat += [(parent, self.tile_layer(layer, gids)) for layer in slots.get(item["id"], [])]
                case "group":
                    groups[item["id"]] = self.kept_layer(item, layers=[])
                    flat.append((parent, groups[item["id"]]))
                case "objectgroup":
                    kept = [_clean(thing, self.object_ids) for thing in _objects(item.get("objects"))]
                    objects = kept + things.pop(item["id"], [])
                    flat.append((parent, self.kept_layer(item, objects=objects)))
                case "imagelayer" if self.is_shown(item):
                    flat.append((parent, self.image_layer(item)))
        roots = self.new_background()
        for parent, layer in flat:
            (roots if parent is None else groups[parent]["layers"]).append(layer)
        pictures = next((at for at, layer in enumerate(roots) if layer["type"] != "imagelayer"), len(roots))
        roots[pictures:pictures] = [self.tile_layer(layer, gids) for layer in loose]
        made = {"type": "objectgroup", "visible": True, "opacity": 1, "draworder": "topdown", "x": 0, "y": 0}
        for name, objects in things.items():
            roots.append({**made, "name": name, "id": self.layer_ids.take(), "objects": objects})
        return roots

    def slots(self) -> tuple[dict[int, list[Json]], list[Json]]:
        """The layers for each place where Tiled had one that is still there, and those for no such place.

        The layers fill the places in their order; a new one shares the place of the one before it, or else
        the first place.
        """
        layers = self.things("layers")
        ids = [_whole(as_object(layer.get("tiled")).get("id")) for layer in layers]
        known = [number for number in self.about_tiles if number in ids]
        if not known:
            return {}, layers
        places: dict[int, list[Json]] = {number: [] for number in known}
        at = 0
        seen: set[int] = set()
        for layer, number in zip(layers, ids, strict=True):
            if number in places and number not in seen:
                at += bool(seen)
                seen.add(number)
            places[known[at]].append(layer)
        return places, []

    def kept_layer(self, item: Json, **content: list[Json]) -> Json:
        layer = {key: value for key, value in item.items() if key not in _KEPT_ONLY}
        layer["properties"] = self.properties(item, item, {}, "tiled.layers")
        layer["id"] = self.layer_ids.take(item["id"])
        return {"visible": True, "opacity": 1, "x": 0, "y": 0, **layer, **content}

    def tile_layer(self, layer: Json, gids: Mapping[str, int]) -> Json:
        about = as_object(layer.get("tiled"))
        kept = self.about_tiles.get(_whole(about.get("id")), {})
        # A name that was numbered, as ours are unique, goes back to what it was.
        name = about.get("name", "") if about.get("as") == layer["name"] else layer["name"]
        known = ("name", "visible", "opacity", "rows", "properties", "tiled")
        packed = {key: value for key, value in layer.items() if key not in known}
        cells = array("I", bytes(4)) * (self.width * self.height)
        if "rows" in layer:
            cells = array("I", [gids[symbol] for row in layer["rows"] for symbol in row])
        data: list[int] | str = cells.tolist() if self.as_json else encode_csv(cells, self.width)
        area = {"x": self.left, "y": self.top, "width": self.width, "height": self.height}
        infinite = self.about.get("infinite") is True
        return {
            **{key: value for key, value in kept.items() if key not in _KEPT_ONLY},
            "id": self.layer_ids.take(kept.get("id")),
            "name": str(name),
            "type": "tilelayer",
            "x": 0,
            "y": 0,
            "width": self.width,
            "height": self.height,
            "visible": layer.get("visible", True),
            "opacity": layer.get("opacity", 1),
            "properties": self.properties(layer, as_object(layer.get("tiled")), packed, "layers"),
            **({"chunks": [{**area, "data": data}] if cells else []} if infinite else {"data": data}),
        }

    def is_shown(self, item: Json) -> bool:
        """Whether an image layer is still wanted: the background may have been replaced or taken away."""
        background = as_object(self.document.get("background"))
        return item.get("background") is not True or item.get("asset_id") == background.get("asset_id")

    def image_layer(self, item: Json) -> Json:
        layer = self.kept_layer(self.embedded(dict(item)))
        if item.get("background") is True:
            layer |= self.background_place()
        return layer

    def background_place(self) -> Json:
        background = as_object(self.document.get("background"))
        x, y = background.get("x", 0) + self.left, background.get("y", 0) + self.top
        across, down = self.projection.to_pixels(x, y)
        return {"offsetx": round(across, 6), "offsety": round(down, 6)}

    def new_background(self) -> list[Json]:
        """An image layer for a background that did not come from Tiled, beneath all others."""
        background = as_object(self.document.get("background"))
        asset = background.get("asset_id")
        if not asset or any(item.get("background") is True and self.is_shown(item) for item in self.skeleton):
            return []
        data = self.pictures.get(asset)
        if data is None or self.as_json:
            self.notes.add("BACKGROUND_LOST", "background", "The background picture could not be embedded.")
            return []
        picture = probe(data, "background")
        drawn = self.projection.to_cells(picture.width, picture.height)
        stated = {key: background.get(key, side) for key, side in zip(("width", "height"), drawn, strict=True)}
        scaled = any(abs(stated[key] - side) > 1e-6 for key, side in zip(stated, drawn, strict=True))
        if scaled:
            self.notes.add("BACKGROUND_SCALED", "background", "Tiled shows the picture in its own size.")
        layer = {"type": "imagelayer", "name": "background", "id": self.layer_ids.take(), **_image(data)}
        layer |= self.background_place()
        layer["properties"] = self.properties({}, {}, stated if scaled else {}, "background")
        return [{"visible": True, "opacity": 1, "x": 0, "y": 0, **layer}]

    # Objects

    def objects(self) -> dict[int | str, list[Json]]:
        """All objects by the id of the object layer they belong to, or by the name of a new one."""
        layers = {item["id"]: item for item in self.skeleton if item.get("type") == "objectgroup"}
        result: dict[int | str, list[Json]] = {}
        for key in ("entities", "walls", "doors", "lights"):
            for thing in self.things(key):
                kept = as_object(thing.get("tiled"))
                layer = layers.get(kept["layer"]) if _is_id(kept.get("layer")) else None
                if key == "entities":
                    written = self.entity(thing, kept, layer or {})
                elif key == "lights":
                    written = self.light(thing, kept, layer or {})
                else:
                    written = self.segment(thing, kept, key[:-1], layer or {})
                result.setdefault(layer["id"] if layer else key, []).append(written)
        return result

    def entity(self, entity: Json, kept: Json, layer: Json) -> Json:
        item = _clean(kept, self.object_ids)
        known = {"id", "kind", "name", "x", "y", "properties", "tiled"}
        packed = {key: value for key, value in entity.items() if key not in known}
        if entity["id"] != str(item["id"]):
            packed["id"] = entity["id"]
        x, y = self.position(entity, item, layer)
        kind = str(entity.get("kind", ""))
        # A point of this class is read as a light of the map; a rectangle without a size is not.
        if "x" not in item and kind.casefold() != "light":
            item["point"] = True
        unnamed = kept.get("type") == "" and kind == shape_of(Node(item))
        return {
            **item,
            "name": str(entity.get("name", "")),
            "type": "" if unnamed else kind,
            "x": x,
            "y": y,
            "properties": self.properties(entity, kept, packed, "entities"),
        }

    def position(self, entity: Json, item: Json, layer: Json) -> tuple[float, float]:
        """Where Tiled had the object, moved as far as it was moved here; or its cell."""
        target = entity["x"] + self.left, entity["y"] + self.top
        middle = self.projection.center(*target)
        if "x" not in item or "y" not in item:
            return middle
        across, down = anchor(Node(item), self.projection.orientation == "isometric")
        shift_x, shift_y = self.shift(layer)
        column, row = self.projection.cell(across + shift_x, down + shift_y)
        right, bottom = self.left + self.width - 1, self.top + self.height - 1
        inside = min(max(column, self.left), right), min(max(row, self.top), bottom)
        if inside == target:
            return item["x"], item["y"]
        before = self.projection.center(column, row)
        return item["x"] + middle[0] - before[0], item["y"] + middle[1] - before[1]

    def shift(self, layer: Json) -> tuple[float, float]:
        across, down = layer.get("offsetx", 0), layer.get("offsety", 0)
        return across if _is_number(across) else 0, down if _is_number(down) else 0

    def pixels(self, x: float, y: float, layer: Json) -> tuple[float, float]:
        across, down = self.projection.to_pixels(x + self.left, y + self.top)
        shift_x, shift_y = self.shift(layer)
        return across - shift_x, down - shift_y

    def segment(self, thing: Json, kept: Json, kind: str, layer: Json) -> Json:
        x1, y1 = self.pixels(thing["x1"], thing["y1"], layer)
        x2, y2 = self.pixels(thing["x2"], thing["y2"], layer)
        names = ("blocks_movement", "blocks_sight", *(("state", "secret") if kind == "door" else ()))
        line = [{"x": 0, "y": 0}, {"x": x2 - x1, "y": y2 - y1}]
        return {
            **self.feature(thing, kept, kind, names, ("x1", "y1", "x2", "y2")),
            "x": x1,
            "y": y1,
            "polyline": line,
        }

    def light(self, thing: Json, kept: Json, layer: Json) -> Json:
        x, y = self.pixels(thing["x"], thing["y"], layer)
        names = ("range", "intensity", "color")
        return {**self.feature(thing, kept, "light", names, ("x", "y")), "x": x, "y": y, "point": True}

    def feature(self, thing: Json, kept: Json, kind: str, names: Iterable[str], place: Iterable[str]) -> Json:
        """The object of a wall, a door or a light, without its place."""
        own = {name: thing[name] for name in names if name in thing}
        if "color" in own:
            own["color"] = tiled_color(own["color"])
        known = {*own, *place, "properties", "tiled"}
        packed = {key: value for key, value in thing.items() if key not in known}
        item = {key: value for key, value in _clean(kept, self.object_ids).items() if key not in SHAPES}
        # An empty `own` would let a property of the same name through.
        properties = self.properties(thing, kept, packed, f"{kind}s", own or {"": ""})
        properties = [item for item in properties if item["name"]]
        spelt = str(kept.get("type", kind))
        named = {"name": str(kept.get("name", "")), "type": spelt if spelt.casefold() == kind else kind}
        return {**item, **named, "properties": properties, "rotation": 0}


_OWN_NAMES: Final = frozenset(
    (
        "symbol",
        "color",
        *LEGEND_RULES,
        "state",
        "secret",
        "range",
        "intensity",
        "blocks_movement",
        "blocks_sight",
    )
)
"""The custom properties in which walls, doors, lights and legend entries say what they are."""
_FLOAT: Final = {"type": "float"}
_OWN_TYPES: Final = {
    "color": {"type": "color"},
    "range": _FLOAT,
    "intensity": _FLOAT,
    "movement_cost": _FLOAT,
}
_KEPT_ONLY: Final = ("parent", "asset_id", "background", "property_types", "properties", "objects", "layers")


def _clean(kept: Json, ids: _Ids) -> Json:
    """An object as Tiled expects it, of what was kept of one."""
    item: Json = {"width": 0, "height": 0, "rotation": 0, "visible": True}
    for key, value in kept.items():
        if key in ("polygon", "polyline"):
            corners = [(corner.get("x"), corner.get("y")) for corner in _objects(value)]
            if corners and all(map(_is_number, sum(corners, ()))):
                item[key] = [{"x": x, "y": y} for x, y in corners]
        elif key in ("x", "y", "width", "height", "rotation"):
            if _is_number(value):
                item[key] = value
        elif key == "gid":
            if _is_whole(value) and 0 < value < 1 << 32:
                item[key] = value
        elif key in ("point", "ellipse", "capsule", "visible"):
            item[key] = value is True
        elif key == "text":
            item |= {"text": value} if isinstance(value, dict) else {}
        elif key != "layer" and isinstance(value, str | int | float):
            item[key] = value
    item["id"] = ids.take(kept.get("id"))
    return item


def _image(data: bytes) -> Json:
    picture = probe(data, "picture")
    return {
        "imagedata": base64.b64encode(data).decode(),
        "imageformat": picture.kind,
        "imagewidth": picture.width,
        "imageheight": picture.height,
    }


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_id(value: Any) -> bool:
    return _is_whole(value) and 0 < value < MAX_ID


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_COORDINATE


def _whole(value: Any) -> int:
    return int(value) if _is_whole(value) and abs(value) < 1 << 32 else 0
