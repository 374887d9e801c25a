"""Exports layers of cells to LDtk: kept layers with their values and tiles, and IntGrid layers for all others.

A symbol of the legend becomes an IntGrid value of a layer, or a tile of a tileset; the same one as at the import.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from game.grid.document import EMPTY, size
from game.grid.formats import ldtk_shapes as shapes
from game.grid.formats.imported import Document
from game.grid.formats.ldtk_definitions import Definitions, rgb, whole
from game.grid.formats.ldtk_level import MAX_PIXELS, Key
from game.grid.formats.ldtk_shapes import shaped
from game.grid.formats.legend import stable_color
from game.grid.formats.tiled_properties import as_object

Json = dict[str, Any]

_GRIDS: Final = ("IntGrid", "Tiles", "AutoLayer")


@dataclass
class Cells:
    """Writes the layers of cells of a document. `iid` makes an instance id from parts."""

    document: Document
    definitions: Definitions
    cell: int
    level_uid: int
    iid: Callable[..., str]
    keys: dict[str, list[Key]] = field(default_factory=dict)
    """The values and tiles that each symbol is in LDtk."""
    instances: list[Json] = field(default_factory=list)
    """The layers, the topmost first."""
    layers: list[tuple[float, Json]] = field(default_factory=list)
    """What LDtk cannot represent of the layers, with their indexes in the document."""
    _taken: dict[Key, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.width, self.height = size(self.document)
        self.legend = {entry["symbol"]: entry for entry in self.document.get("legend", [])}

    def write(self, kept: Mapping[str, Json]) -> None:
        """Write the layers, the topmost first: the kept ones in their places, and a new one for each other."""
        done: set[str] = set()
        for index, layer in reversed(list(enumerate(self.document.get("layers", [])))):
            iid = _iid(layer)
            if not isinstance(iid, str) or iid not in kept or kept[iid].get("__type") not in _GRIDS:
                self.made_layer(layer, index)
            elif iid not in done:
                done.add(iid)
                self.kept_layer(kept[iid])

    def kept_layer(self, kept: Json) -> None:
        """Add a kept layer with its present cells."""
        definition = self.layer_definition(kept)
        side = whole(kept.get("__gridSize"), 1, MAX_PIXELS, self.cell)
        scale = max(1, side // self.cell)
        columns, rows = math.ceil(self.width / scale), math.ceil(self.height / scale)
        instance = shaped(shapes.LAYER, kept)
        instance |= {"__cWid": columns, "__cHei": rows, "__gridSize": scale * self.cell, "levelId": self.level_uid}
        instance |= {"layerDefUid": definition["uid"], "__type": definition["type"], "entityInstances": []}
        is_grid = definition["type"] == "IntGrid"
        instance |= {"intGridCsv": [0] * (columns * rows * is_grid), "gridTiles": [], "autoLayerTiles": []}
        planes = [each for each in enumerate(self.document["layers"]) if _iid(each[1]) == kept["iid"]]
        instance["visible"] = any(layer.get("visible", True) for _, layer in planes)
        instance["__opacity"] = max(layer.get("opacity", 1) for _, layer in planes)
        definition["displayOpacity"] = instance["__opacity"]
        self.use_tileset(instance, definition)
        offset = instance["__pxTotalOffsetX"], instance["__pxTotalOffsetY"]
        rests = []
        has_values = False
        for index, layer in planes:
            lines = list(_lines(layer, columns, rows, scale, offset[0] // self.cell, offset[1] // self.cell))
            if is_grid and not has_values and as_object(layer.get("ldtk")).get("plane") == "values":
                has_values = True
                used = self.put_values(lines, instance, definition)
            else:
                used = self.put_tiles(lines, instance, scale)
            rest = _rest(layer, lines, used, scale, offset[0] // self.cell, offset[1] // self.cell)
            if any(row.strip(EMPTY) for row in rest):
                rests.append((index, {**layer, "name": f"{layer['name']} cells", "rows": rest}))
            self.note_layer(layer, index, instance)
        for index, layer in reversed(rests):
            self.made_layer(layer, index + 0.5)
        self.instances.append(instance)

    def layer_definition(self, kept: Json) -> Json:
        """The definition of a kept layer, or a new one for it."""
        definition = self.definitions.of("layers", kept.get("layerDefUid"))
        if definition:
            return definition
        kind = str(kept["__type"])
        identifier = self.definitions.identifier(str(kept.get("__identifier", "Layer")))
        about = {
            "identifier": identifier,
            "type": kind,
            "__type": kind,
            "gridSize": self.cell,
            "intGridValues": [],
        }
        definition = self.definitions.add("layers", shapes.LAYER_DEFINITION, **about)
        # The legend refers to the layer by its uid.
        definition["uid"] = whole(kept.get("layerDefUid"), 1, 2**30, definition["uid"])
        return definition

    def use_tileset(self, instance: Json, definition: Json) -> None:
        """Remove references of a layer to tilesets that do not exist."""
        for owner, key in (
            (instance, "__tilesetDefUid"),
            (instance, "overrideTilesetUid"),
            (definition, "tilesetDefUid"),
        ):
            if self.definitions.of("tilesets", owner[key]) is None:
                owner[key] = None
        used = self.definitions.of("tilesets", instance["__tilesetDefUid"])
        instance["__tilesetRelPath"] = used["relPath"] if used else None

    def put_values(self, lines: list[str], instance: Json, definition: Json) -> set[str]:
        """Write cells as IntGrid values; returns the symbols that were written."""
        used = set().union(*lines) - {EMPTY}
        table = {EMPTY: 0} | {symbol: self.value(definition, symbol) for symbol in sorted(used)}
        instance["intGridCsv"] = [table[symbol] for line in lines for symbol in line]
        return used

    def value(self, definition: Json, symbol: str) -> int:
        """The IntGrid value of a symbol in a layer: the kept one, or a new one."""
        known = {item["value"] for item in definition["intGridValues"]}
        entry = self.legend[symbol]
        for owner, number, _ in _keys_of(entry):
            if owner == -1 - definition["uid"] and number in known and self.take((owner, number, 0), symbol):
                return number
        number = 1 + max(known, default=0)
        identifier = re.sub(r"[^A-Za-z0-9_]+", "_", str(entry.get("name", ""))).strip("_") or None
        if identifier in {item["identifier"] for item in definition["intGridValues"]}:
            identifier = None
        made = {
            "value": number,
            "identifier": identifier,
            "color": rgb(entry.get("color") or stable_color(symbol)),
        }
        definition["intGridValues"].append({**shapes.VALUE_DEFINITION, **made})
        self.take((-1 - definition["uid"], number, 0), symbol)
        return number

    def take(self, key: Key, symbol: str) -> bool:
        """Assign a value or tile to a symbol; returns False if another symbol has it."""
        if self._taken.setdefault(key, symbol) != symbol:
            return False
        if key not in self.keys.setdefault(symbol, []):
            self.keys[symbol].append(key)
        return True

    def put_tiles(self, lines: list[str], instance: Json, scale: int) -> set[str]:
        """Write cells as tiles of the layer's tileset; returns the symbols that were written."""
        uid = instance["overrideTilesetUid"] or instance["__tilesetDefUid"]
        tileset = self.definitions.of("tilesets", uid)
        tiles: dict[str, Key] = {}
        for symbol in sorted(set().union(*lines) - {EMPTY}) if tileset else ():
            for key in _keys_of(self.legend[symbol]):
                if key[0] == uid and symbol not in tiles and self.take(key, symbol):
                    tiles[symbol] = key
        where = "gridTiles" if instance["__type"] == "Tiles" else "autoLayerTiles"
        for row, line in enumerate(lines if tiles else ()):
            for column, symbol in enumerate(line):
                if symbol in tiles:
                    _, number, flips = tiles[symbol]
                    at = row * instance["__cWid"] + column
                    side = scale * self.cell
                    made = {"px": [column * side, row * side], "src": _source(tileset or {}, number), "f": flips}
                    made |= {"t": number, "d": [at] if where == "gridTiles" else [0, at], "a": 1}
                    instance[where].append(made)
        return set(tiles)

    def made_layer(self, layer: Json, index: float) -> None:
        """Add an IntGrid layer for a layer that was not kept."""
        about = {"identifier": self.definitions.identifier(layer["name"]), "gridSize": self.cell}
        about |= {"displayOpacity": layer.get("opacity", 1), "intGridValues": []}
        definition = self.definitions.add("layers", shapes.LAYER_DEFINITION, **about)
        instance = {
            **shapes.LAYER,
            "__identifier": definition["identifier"],
            "__cWid": self.width,
            "__cHei": self.height,
            "__gridSize": self.cell,
            "__opacity": layer.get("opacity", 1),
            "iid": self.iid("layer", index),
            "levelId": self.level_uid,
            "layerDefUid": definition["uid"],
            "visible": layer.get("visible", True),
        }
        self.put_values(list(_lines(layer, self.width, self.height, 1, 0, 0)), instance, definition)
        self.instances.append(instance)
        self.note_layer({**layer, "ldtk": {"plane": "values"}}, index, instance)

    def note_layer(self, layer: Json, index: float, instance: Json) -> None:
        """Note what the instance cannot represent of a layer."""
        known = ("visible", "opacity", "rows", "ldtk")
        more = {key: value for key, value in layer.items() if key not in known}
        if layer.get("visible", True) != instance["visible"]:
            more["visible"] = layer.get("visible", True)
        if layer.get("opacity", 1) != instance["__opacity"]:
            more["opacity"] = layer.get("opacity", 1)
        plane = as_object(layer.get("ldtk")).get("plane")
        self.layers.append((index, {"iid": instance["iid"], "plane": plane, **more}))


def _lines(layer: Json, columns: int, rows: int, scale: int, across: int, down: int) -> Iterator[str]:
    """The cells of a layer as LDtk's rows, where one cell is `scale` x `scale` cells of the document."""
    ours = layer.get("rows", [])
    for row in range(rows):
        y = row * scale + down
        line = ours[y] if 0 <= y < len(ours) else ""
        yield (EMPTY * max(0, -across) + line[max(0, across) :])[::scale][:columns].ljust(columns)


def _rest(layer: Json, lines: list[str], used: set[str], scale: int, across: int, down: int) -> list[str]:
    """The rows of a layer without the cells that were written: those of `lines` with the symbols `used`."""
    result = []
    for y, row in enumerate(layer.get("rows", [])):
        index = (y - down) // scale
        line = lines[index] if 0 <= index < len(lines) else ""
        wide = "".join((symbol if symbol in used else EMPTY) * scale for symbol in line)
        shown = (EMPTY * max(0, across) + wide[max(0, -across) :])[: len(row)].ljust(len(row))
        same = zip(row, shown, strict=True)
        result.append(EMPTY * len(row) if row == shown else "".join(EMPTY if a == b else a for a, b in same))
    return result


def _keys_of(entry: Json) -> Iterator[Key]:
    """The values and tiles of a legend entry in LDtk, as the import kept them."""
    about = as_object(entry.get("ldtk"))
    layer, value = about.get("layer"), about.get("value")
    tileset, tile, flips = about.get("tileset"), about.get("tile"), about.get("flips")
    more = about.get("keys")
    candidates = [[tileset, tile, flips], *(more if isinstance(more, list) else ())]
    if type(layer) is int:
        candidates.append([-1 - layer, value, 0])
    for key in candidates:
        is_key = isinstance(key, list) and len(key) == 3 and all(type(part) is int for part in key)
        if is_key and key[1] >= 0 and 0 <= key[2] <= 3:
            yield key[0], key[1], key[2]


def _iid(layer: Json) -> Any:
    return as_object(layer.get("ldtk")).get("iid")


def _source(tileset: Json, number: int) -> list[int]:
    """The position of a tile in its tileset's picture, in pixels."""
    row, column = divmod(number, max(1, tileset["__cWid"]))
    step, padding = tileset["tileGridSize"] + tileset["spacing"], tileset["padding"]
    return [padding + column * step, padding + row * step]
