"""Exports grid data as a Tiled map (TMX or TMJ).

If the map was imported from Tiled, the data kept under `tiled` is written again. Everything else is generated: a
legend entry without a tile of Tiled's becomes a tile of a generated tileset; walls, doors, lights and entities
become objects. Anyone may have edited the kept data, so its structure is not trusted.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from game.grid.document import EMPTY, size
from game.grid.formats import tmx
from game.grid.formats.imported import Document, FormatError, Notes
from game.grid.formats.legend import stable_color, usual_rules
from game.grid.formats.pictures import probe, tile_picture
from game.grid.formats.projection import OF_GRID_TYPE, Projection, as_tiled, read_projection
from game.grid.formats.strict import Node
from game.grid.formats.tile_data import GID_MASK
from game.grid.formats.tiled import MODELLED
from game.grid.formats.tiled_export_layers import Bounds, Layers, Skeleton, embedded_image
from game.grid.formats.tiled_export_objects import (
    OWN_TYPES,
    Objects,
    is_number,
    is_whole,
    own_properties,
)
from game.grid.formats.tiled_properties import as_object, objects_of, tiled_color, write_properties
from game.grid.formats.tiled_tiles import GENERATED, LEGEND_RULES
from game.grid.formats.tiled_wang import modern

Json = dict[str, Any]

VERSION: Final = "1.10"
"""The version of the format that is written; Tiled 1.0 and later read it."""
MAX_CELL_PIXELS: Final = 512


def write_tiled(document: Document, pictures: Mapping[str, bytes], notes: Notes, as_json: bool) -> bytes:
    """Write a Tiled map. Takes a valid document, and the pictures to embed by asset id (TMX only)."""
    tmj = _Writer(document, pictures, notes, as_json).map()
    return orjson.dumps(tmj) if as_json else tmx.to_xml(tmj, notes)


class _Writer:
    def __init__(self, document: Document, pictures: Mapping[str, bytes], notes: Notes, as_json: bool) -> None:
        self.document, self.pictures, self.notes, self.as_json = document, pictures, notes, as_json
        self.width, self.height = size(document)
        self.kept = as_object(document.get("tiled"))
        self.about = as_object(self.kept.get("map"))
        self.skeleton = Skeleton(self.kept)
        self.projection = self.choose_projection()
        self.bounds = self.choose_bounds()
        if self.projection.orientation == "hexagonal" and self.projection.is_shifted(*self.bounds.corner):
            # In our grids, the first line of hexes is never shifted.
            other = "even" if self.projection.index == "odd" else "odd"
            self.projection = replace(self.projection, index=other)

    def things(self, key: str) -> list[Json]:
        return list(self.document.get(key, []))

    def choose_projection(self) -> Projection:
        """The projection of the original Tiled map if the grid type is still the same, or else a default."""
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
            # Tiled does not scale pictures: make the cells as large as they are in the background.
            pixels = min(MAX_CELL_PIXELS, max(1, round(probe(data, "background").width / width)))
            made = replace(made, tile_width=pixels, tile_height=pixels)
        return made

    def choose_bounds(self) -> Bounds:
        """The cells to write: all except a line that the import added to a hexagonal map, if it is still empty."""
        origin = as_object(self.kept.get("origin"))
        left, top = (_whole(origin.get(key)) for key in ("x", "y"))
        if self.about.get("infinite") is True:
            stated = as_object(self.kept.get("size"))
            sides = (stated.get(key) for key in ("width", "height"))
            usual = self.width, self.height
            width, height = (
                side if is_whole(side) and 0 < side < 1 << 16 else other
                for side, other in zip(sides, usual, strict=True)
            )
            return Bounds((left, top), (0, 0), *usual, infinite=True, size=(width, height))
        added = (-1, 0) if self.projection.axis == "x" else (0, -1)
        if self.projection.orientation == "hexagonal" and (left, top) == added and self.is_free(-left, -top):
            return Bounds(added, (-left, -top), self.width + left, self.height + top, infinite=False)
        return Bounds((0, 0), (0, 0), self.width, self.height, infinite=False)

    def is_free(self, columns: int, rows: int) -> bool:
        """Whether the first columns or rows are empty, and the map has others."""
        if self.width <= columns or self.height <= rows:
            return False
        layers = [layer.get("rows", []) for layer in self.things("layers")]
        lines = [row[:columns] if columns else row for each in layers for row in each[: rows or None]]
        entities = (entity["x"] < columns or entity["y"] < rows for entity in self.things("entities"))
        return not any(line.strip(EMPTY) for line in lines) and not any(entities)

    def map(self) -> Json:
        """The whole map in the structure of TMJ."""
        tilesets, gids = self.tilesets()
        shifts = {item["id"]: self.skeleton.shift(item["id"]) for item in self.skeleton.items}
        shifts = {
            number: shifts[number]
            for number, item in self.skeleton.by_id.items()
            if item.get("type") == "objectgroup"
        }
        objects = Objects(self.document, self.kept, self.projection, self.bounds.corner, shifts, self.notes)
        layers = Layers(
            self.document, self.kept, self.skeleton, self.projection, self.bounds, gids, self.pictures,
            self.embedded, self.notes, self.as_json,
        )  # fmt: skip
        tree = layers.tree(objects.layers(), objects.ids)
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
        types = self.kept.get("property_types")
        return {
            **defaults,
            **about,
            **as_tiled(self.projection),
            "type": "map",
            "width": self.bounds.stated[0],
            "height": self.bounds.stated[1],
            "nextlayerid": layers.ids.next,
            "nextobjectid": objects.ids.next,
            "properties": own_properties(self.document, types, packed, "properties", self.notes),
            "tilesets": tilesets,
            "layers": tree,
        }

    # Tilesets

    def tilesets(self) -> tuple[list[Json], dict[str, int]]:
        """The kept tilesets, and a generated one for the other symbols; and the global tile id of each symbol."""
        tilesets: list[Json] = []
        for raw in objects_of(self.kept.get("tilesets")):
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
        tiles = [self.embedded(dict(tile)) for tile in objects_of(raw.get("tiles")) if is_number(tile.get("id"))]
        result = self.embedded({**raw, "tiles": tiles})
        if not tiles:
            del result["tiles"]
        if "wangsets" in result:
            sets = objects_of(result["wangsets"])
            result["wangsets"] = [modern(each, "tiled.tilesets", self.notes) for each in sets]
        return result

    def embedded(self, owner: Json) -> Json:
        """A copy of a tileset, tile or layer, with its picture embedded if that is not a separate file."""
        owner = {key: value for key, value in owner.items() if key not in ("imagedata", "imageformat")}
        asset = owner.pop("asset_id", None)
        data = self.pictures.get(asset) if isinstance(asset, str) else None
        if asset is None or "image" in owner:
            return owner
        if data is None or self.as_json:
            name = str(owner.get("name", "a tile"))[:100]
            self.notes.add(
                "PICTURE_LOST", "tiled", f"The picture of {name} is not available, or can be written to TMX only."
            )
            return owner
        return {**owner, **embedded_image(data)}

    def keep_rules(self, tilesets: list[Json], entry: Json, gid: int) -> None:
        """Write the rules of a legend entry to its tile if they were changed; only in embedded tilesets."""
        tileset = [tileset for tileset in tilesets if tileset["firstgid"] <= gid & GID_MASK][-1]
        if "source" in tileset or gid != gid & GID_MASK:
            return
        number = gid - tileset["firstgid"]
        tile = next((tile for tile in tileset.get("tiles", []) if tile["id"] == number), None)
        old = objects_of((tile or {}).get("properties"))
        usual = usual_rules(str(entry.get("name", "")))
        names = [item.get("name") for item in old]
        rules = {
            name: entry[name]
            for name in LEGEND_RULES
            if name in entry and (name in names or entry[name] != usual.get(name))
        }
        new = {item["name"]: item for item in write_properties(rules, OWN_TYPES, {}, "legend", self.notes)}
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
        """A tileset with one embedded picture for each tile (TMX only)."""
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
                "properties": own_properties(entry, {}, packed, f"legend[{index}]", self.notes, own),
            }
            if not self.as_json:
                tile |= embedded_image(
                    tile_picture(color, entry["symbol"], self.projection.outline(), (width, height))
                )
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


def _whole(value: Any) -> int:
    return int(value) if is_whole(value) and abs(value) < 1 << 32 else 0
