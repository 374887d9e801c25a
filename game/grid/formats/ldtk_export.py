"""Grid data to an LDtk project with one level.

A map that came from LDtk gets back what was kept under `ldtk`: the project's settings and definitions, the level,
its layers and entities. Everything else is made: a layer becomes an IntGrid layer whose values are the legend, an
entity one of a definition for its kind. What LDtk has no place for (walls, doors, lights, what a cell blocks) is
packed into one field of the level as JSON text. Anyone may have edited what is kept, so nothing of it is trusted.
Source: LDtk's JSON format documentation and its JSON schema (ldtk.io/json).
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from game.grid.document import EMPTY, size
from game.grid.formats import ldtk_shapes as shapes
from game.grid.formats.imported import Document, FormatError, Notes
from game.grid.formats.ldtk import MAX_PIXELS, Key, entity_cell
from game.grid.formats.ldtk_shapes import shaped
from game.grid.formats.legend import stable_color
from game.grid.formats.tiled_properties import PACKED, as_object

Json = dict[str, Any]

CELL: Final = 16
"""Pixels of a cell of a map that did not come from LDtk."""
MAX_CELLS: Final = 2048 * 2048
"""Over all layers: LDtk writes each as a number of its own."""
_TYPES: Final[Mapping[type, tuple[str, str, str]]] = {
    bool: ("Bool", "F_Bool", "V_Bool"),
    int: ("Int", "F_Int", "V_Int"),
    float: ("Float", "F_Float", "V_Float"),
    str: ("String", "F_String", "V_String"),
}
"""The types of fields that properties become: in instances, in definitions, of values."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def write_ldtk(document: Document, name: str, notes: Notes) -> bytes:
    """A map as an LDtk project with one level of this name. Takes a valid document.

    Raises FormatError for a map with more than MAX_CELLS cells.
    """
    width, height = size(document)
    if width * height * max(1, len(document.get("layers", ()))) > MAX_CELLS:
        raise FormatError("layers", f"has more than {MAX_CELLS} cells, the most that an LDtk file gets")
    return orjson.dumps(_Writer(document, name, notes).project())


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _whole(value: Any, low: int, high: int, otherwise: int) -> int:
    return value if type(value) is int and low <= value <= high else otherwise


def _numbers(value: Any) -> list[int] | None:
    """Two whole numbers."""
    fits = isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)
    return [math.floor(part) for part in value] if fits else None


class _Definitions:
    """The definitions of the project, those that were kept and new ones, with uids of their own."""

    def __init__(self, kept: Json, last: Any) -> None:
        usual = {
            "layers": shapes.LAYER_DEFINITION,
            "entities": shapes.ENTITY_DEFINITION,
            "tilesets": shapes.TILESET_DEFINITION,
            "levelFields": shapes.FIELD_DEFINITION,
        }
        self.lists = {
            key: [shaped(template, item) for item in _objects(kept.get(key))] for key, template in usual.items()
        }
        for each in self.lists["layers"]:
            each["intGridValues"] = [
                shaped(shapes.VALUE_DEFINITION, item) for item in _objects(each["intGridValues"])
            ]
            if each["type"] not in ("IntGrid", "Entities", "Tiles", "AutoLayer"):
                each["type"] = "IntGrid"
            each["__type"] = each["type"]
        for each in self.lists["entities"]:
            each["fieldDefs"] = [shaped(shapes.FIELD_DEFINITION, item) for item in _objects(each["fieldDefs"])]
        self.enums = {key: shapes.complete(key, kept.get(key)) for key in ("enums", "externalEnums")}
        everything = [each for items in (*self.lists.values(), *self.enums.values()) for each in items]
        fields = [field for each in self.lists["entities"] for field in each["fieldDefs"]]
        used = [_whole(each.get("uid"), 0, 2**30, 0) for each in everything + fields]
        self.next = max(1 + max([0, *used]), _whole(last, 0, 2**30, 0))
        self.identifiers = {str(each.get("identifier")) for each in everything}

    def uid(self) -> int:
        """A new uid."""
        self.next += 1
        return self.next - 1

    def identifier(self, name: str) -> str:
        """An identifier of its own, as like the name as may be."""
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:48] or "Thing"
        plain = plain if not plain[0].isdigit() else f"_{plain}"
        result, number = plain, 2
        while result in self.identifiers:
            result, number = f"{plain}_{number}", number + 1
        self.identifiers.add(result)
        return result

    def of(self, key: str, uid: Any) -> Json | None:
        """The definition with a uid."""
        return next((each for each in self.lists[key] if each["uid"] == uid), None)

    def add(self, key: str, template: Json, **values: Any) -> Json:
        """A new definition."""
        made = {**template, **values, "uid": self.uid()}
        self.lists[key].append(made)
        return made


class _Writer:
    def __init__(self, document: Document, name: str, notes: Notes) -> None:
        self.document, self.name, self.notes = document, name, notes
        self.width, self.height = size(document)
        self.kept = as_object(document.get("ldtk"))
        self.kept_project = as_object(self.kept.get("project"))
        self.definitions = _Definitions(as_object(self.kept_project.get("defs")), self.kept_project.get("nextUid"))
        self.cell = _whole(self.kept.get("cell"), 1, 4096, CELL)
        self.legend = {entry["symbol"]: entry for entry in document.get("legend", [])}
        self.keys: dict[str, list[Key]] = {}
        """What each symbol is in LDtk."""
        self.taken: dict[Key, str] = {}
        self.kinds: dict[int, str] = {}
        """The kinds for which definitions were made, by uid."""
        self.layers: list[tuple[float, Json]] = []
        self.instances: list[Json] = []
        self.level_uid = _whole(self.kept.get("uid"), 0, 2**30, 0) or self.definitions.uid()

    def iid(self, *parts: object) -> str:
        """An instance id: the same for the same map and parts."""
        return str(uuid5(NAMESPACE_URL, "/".join(map(str, ("worldkeep", self.name, *parts)))))

    def project(self) -> Json:
        """The whole project."""
        kept_instances = {
            item["iid"]: item for item in _objects(self.kept.get("layers")) if isinstance(item.get("iid"), str)
        }
        self.cells(kept_instances)
        packed_entities = self.entities(kept_instances)
        packed = self.packed(packed_entities)
        level = self.level(packed)
        settings = shaped(shapes.ROOT, self.kept_project)
        settings |= {"jsonVersion": shapes.VERSION, "externalLevels": False, "toc": [], "customCommands": []}
        settings |= {"iid": settings["iid"] or self.iid("project"), "defaultGridSize": self.cell}
        settings |= {"dummyWorldIid": settings["dummyWorldIid"] or self.iid("world")}
        settings["flags"] = [flag for flag in settings["flags"] if flag in _FLAGS]
        for key, options in _OPTIONS.items():
            if settings[key] not in options:
                settings[key] = shapes.ROOT[key]
        return {
            "__header__": {"fileType": "LDtk Project JSON", "app": "LDtk", "appVersion": shapes.VERSION},
            **settings,
            "nextUid": self.definitions.next,
            "defs": {**self.definitions.lists, **self.definitions.enums},
            "levels": [level],
            "worlds": [],
        }

    # Layers

    def cells(self, kept: Mapping[str, Json]) -> None:
        """The layers with cells, the uppermost first: those of LDtk's where they were, and one for each other."""
        done: set[str] = set()
        for index, layer in reversed(list(enumerate(self.document.get("layers", [])))):
            iid = _iid(layer)
            if not isinstance(iid, str) or iid not in kept or kept[iid].get("__type") not in _GRIDS:
                self.made_layer(layer, index)
            elif iid not in done:
                done.add(iid)
                self.kept_layer(kept[iid])

    def kept_layer(self, kept: Json) -> None:
        """Add a layer of LDtk's with the cells that it has now."""
        definition = self.layer_definition(kept)
        side = _whole(kept.get("__gridSize"), 1, MAX_PIXELS, self.cell)
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
        """The definition of a layer that was kept, or a new one for it."""
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
        # The legend knows the layer by its uid.
        definition["uid"] = _whole(kept.get("layerDefUid"), 1, 2**30, definition["uid"])
        return definition

    def use_tileset(self, instance: Json, definition: Json) -> None:
        """Give a layer a tileset that there is, or none."""
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
        """Write cells as IntGrid values; returns the symbols that are some."""
        used = set().union(*lines) - {EMPTY}
        table = {EMPTY: 0} | {symbol: self.value(definition, symbol) for symbol in sorted(used)}
        instance["intGridCsv"] = [table[symbol] for line in lines for symbol in line]
        return used

    def value(self, definition: Json, symbol: str) -> int:
        """The IntGrid value of a symbol in a layer: LDtk's, or a new one."""
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
            "color": _rgb(entry.get("color") or stable_color(symbol)),
        }
        definition["intGridValues"].append({**shapes.VALUE_DEFINITION, **made})
        self.take((-1 - definition["uid"], number, 0), symbol)
        return number

    def take(self, key: Key, symbol: str) -> bool:
        """Note what a symbol is in LDtk, unless another one is the same."""
        if self.taken.setdefault(key, symbol) != symbol:
            return False
        if key not in self.keys.setdefault(symbol, []):
            self.keys[symbol].append(key)
        return True

    def put_tiles(self, lines: list[str], instance: Json, scale: int) -> set[str]:
        """Write cells as tiles of the layer's tileset; returns the symbols that are some."""
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
        """Add an IntGrid layer for one that LDtk did not have."""
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
        """Keep what the instance does not say of a layer."""
        known = ("visible", "opacity", "rows", "ldtk")
        more = {key: value for key, value in layer.items() if key not in known}
        if layer.get("visible", True) != instance["visible"]:
            more["visible"] = layer.get("visible", True)
        if layer.get("opacity", 1) != instance["__opacity"]:
            more["opacity"] = layer.get("opacity", 1)
        plane = as_object(layer.get("ldtk")).get("plane")
        self.layers.append((index, {"iid": instance["iid"], "plane": plane, **more}))

    # Entities

    def entities(self, kept: Mapping[str, Json]) -> Json:
        """Put the entities into their layers; returns what LDtk does not hold of them, by id."""
        order = list(kept)
        layers = {}
        for iid in order:
            if kept[iid].get("__type") == "Entities":
                layers[iid] = self.entity_layer(kept[iid])
                below = [each["iid"] for each in self.instances if each["iid"] in order[order.index(iid) :]]
                at = next(
                    (n for n, each in enumerate(self.instances) if each["iid"] in below), len(self.instances)
                )
                self.instances.insert(at, layers[iid])
        packed: Json = {}
        for entity in self.document.get("entities", []):
            about = as_object(entity.get("ldtk"))
            layer = layers.get(about["layer"]) if isinstance(about.get("layer"), str) else None
            if layer is None:
                layer = next(iter(layers.values()), None)
            if layer is None:
                layer = layers["made"] = self.entity_layer({})
                self.instances.insert(0, layer)
            instance, more = self.entity(entity, about, layer)
            layer["entityInstances"].append(instance)
            if more:
                packed[entity["id"]] = more
        return packed

    def entity_layer(self, kept: Json) -> Json:
        definition = self.definitions.of("layers", kept.get("layerDefUid"))
        if definition is None or definition["type"] != "Entities":
            identifier = self.definitions.identifier(str(kept.get("__identifier", "Entities")))
            about = {"identifier": identifier, "type": "Entities", "__type": "Entities", "gridSize": self.cell}
            definition = self.definitions.add("layers", shapes.LAYER_DEFINITION, **about)
        instance = shaped(shapes.LAYER, {"__identifier": definition["identifier"]}, kept)
        side = max(1, instance["__gridSize"]) if kept else self.cell
        instance |= {"__type": "Entities", "iid": instance["iid"] or self.iid("entities"), "__gridSize": side}
        instance |= {"layerDefUid": definition["uid"], "levelId": self.level_uid, "entityInstances": []}
        instance["__cWid"] = math.ceil(self.width * self.cell / side)
        instance["__cHei"] = math.ceil(self.height * self.cell / side)
        return instance

    def entity(self, entity: Json, about: Json, layer: Json) -> tuple[Json, Json]:
        """An entity of LDtk's, and what it does not hold."""
        definition = self.entity_definition(entity, about)
        known = ("id", "x", "y", "kind", "name", "properties", "ldtk")
        more = {key: value for key, value in entity.items() if key not in known}
        fields, rest = self.fields(entity.get("properties"), about.get("fields"), definition["fieldDefs"])
        if rest or ("properties" in entity and not fields):
            more["properties"] = rest
        values = as_object(entity.get("properties"))
        name = values.get("name", values.get("Name"))
        usual = name if isinstance(name, str) else definition["identifier"]
        for key, usual_value in (("kind", definition["identifier"]), ("name", usual)):
            if key not in entity:
                more[key] = ""
            elif entity[key] != usual_value:
                more[key] = entity[key]
        instance = shaped({**shapes.ENTITY, "__smartColor": definition["color"]}, about)
        pivot = instance["__pivot"]
        is_pivot = len(pivot) == 2 and all(type(part) in (int, float) for part in pivot)
        instance["__pivot"] = pivot if is_pivot else [0, 0]
        offset = layer["__pxTotalOffsetX"], layer["__pxTotalOffsetY"]
        x, y = self.pixels(entity, about, instance["__pivot"], offset)
        instance |= {
            "__identifier": definition["identifier"],
            "__grid": [x // layer["__gridSize"], y // layer["__gridSize"]],
            "iid": entity["id"],
            "defUid": definition["uid"],
            "px": [x, y],
            "fieldInstances": fields,
            "__worldX": self.world("worldX") + x,
            "__worldY": self.world("worldY") + y,
        }
        return instance, more

    def pixels(self, entity: Json, about: Json, pivot: list[Any], offset: tuple[int, int]) -> tuple[int, int]:
        """Where LDtk had an entity, moved as far as it was moved here; or the place of its pivot in its cell."""
        kept = _numbers(about.get("px"))
        if kept is None:
            x, y = (
                round((cell + part) * self.cell)
                for cell, part in zip((entity["x"], entity["y"]), pivot, strict=True)
            )
            return x - offset[0], y - offset[1]
        column, row = entity_cell((kept[0] + offset[0], kept[1] + offset[1]), pivot, self.cell)
        inside = min(max(column, 0), self.width - 1), min(max(row, 0), self.height - 1)
        if inside == (entity["x"], entity["y"]):
            return kept[0], kept[1]
        return kept[0] + (entity["x"] - column) * self.cell, kept[1] + (entity["y"] - row) * self.cell

    def world(self, key: str) -> int:
        return _whole(self.kept.get(key), -MAX_PIXELS, MAX_PIXELS, 0)

    def entity_definition(self, entity: Json, about: Json) -> Json:
        """The definition of an entity's kind: LDtk's, one that was made for another entity, or a new one."""
        kind = str(entity.get("kind", ""))
        kept = self.definitions.of("entities", about.get("defUid"))
        if kept and kept["identifier"] == kind:
            return kept
        for each in self.definitions.lists["entities"]:
            if kind in (each["identifier"], self.kinds.get(each["uid"])):
                return each
        identifier = self.definitions.identifier(kind or "Entity")
        about = {"width": self.cell, "height": self.cell, "identifier": identifier, "fieldDefs": []}
        about["color"] = _rgb(stable_color(kind))
        made = self.definitions.add("entities", shapes.ENTITY_DEFINITION, **about)
        self.kinds[made["uid"]] = kind
        return made

    def fields(self, properties: Any, kept: Any, definitions: list[Json]) -> tuple[list[Json], Json]:
        """Properties as fields, and those that can be none. Fields that were kept go back as they were."""
        raw = {str(field.get("__identifier")): field for field in _objects(kept)}
        written, rest = [], {}
        for name, value in as_object(properties).items():
            old = raw.get(name)
            if (
                old is not None
                and "__value" in old
                and old["__value"] == value
                and type(old["__value"]) is type(value)
            ):
                written.append(shaped(shapes.FIELD, old, {"__identifier": name}))
                continue
            types = _TYPES.get(type(value))
            definition = next((each for each in definitions if each["identifier"] == name), None)
            if types is None or not _IDENTIFIER.fullmatch(name) or name == PACKED or not _is_small(value):
                rest[name] = value
                continue
            if definition is None:
                definition = {**shapes.FIELD_DEFINITION, "identifier": name, "uid": self.definitions.uid()}
                definition |= {"__type": types[0], "type": types[1]}
                definitions.append(definition)
            if definition["type"] != types[1] or definition["isArray"]:
                rest[name] = value
                continue
            written.append(_field(definition, value, types[2]))
        return written, rest

    # The level

    def packed(self, entities: Json) -> str:
        """What LDtk has no place for, as JSON text."""
        without = ("width", "height", "legend", "layers", "entities", "properties", "background", "ldtk")
        document = {key: value for key, value in self.document.items() if key not in without}
        if document.get("grid_type") == "square":
            del document["grid_type"]
        elif document.get("grid_type") not in (None, "none"):
            self.notes.add("GRID_LOST", "grid_type", "LDtk has square cells only.")
        self.level_fields, rest = self.fields(
            self.document.get("properties"), self.kept.get("fields"), self.definitions.lists["levelFields"]
        )
        if rest:
            document["properties"] = rest
        if box := self.background():
            document["background"] = box
        legend = [
            {key: value for key, value in entry.items() if key not in ("ldtk", "picture")}
            | ({"of": self.keys[symbol]} if symbol in self.keys else {})
            for symbol, entry in self.legend.items()
        ]
        layers = [item for _, item in sorted(self.layers, key=lambda each: each[0])]
        parts = {"document": document, "legend": legend, "layers": layers, "entities": entities}
        return orjson.dumps({key: value for key, value in parts.items() if value}).decode()

    def background(self) -> Json:
        """The background's place, if it is LDtk's picture of the level and was moved."""
        background = as_object(self.document.get("background"))
        shown = as_object(self.kept.get("shown"))
        if not background.get("asset_id"):
            return {}
        if background["asset_id"] != shown.get("asset_id"):
            message = "LDtk keeps pictures in files of their own; the background was left out."
            self.notes.add("BACKGROUND_LOST", "background", message)
            return {}
        return {key: value for key, value in background.items() if key != "asset_id" and value != shown.get(key)}

    def level(self, packed: str) -> Json:
        """The level with its layers and fields."""
        fields = self.definitions.lists["levelFields"]
        field = next((each for each in fields if each["identifier"] == PACKED), None)
        if field is None:
            about = {"identifier": PACKED, "__type": "String", "type": "F_Text"}
            field = self.definitions.add("levelFields", shapes.FIELD_DEFINITION, **about)
        level = shaped(shapes.LEVEL, self.kept)
        sides = {"pxWid": self.width * self.cell, "pxHei": self.height * self.cell}
        for key, pixels in sides.items():
            # A level that was no multiple of its cells stays what it was.
            if not 0 <= pixels - level[key] < self.cell:
                level[key] = pixels
        shown = as_object(self.kept.get("shown"))
        if shown and as_object(self.document.get("background")).get("asset_id") != shown.get("asset_id"):
            level |= {"bgRelPath": None, "bgPos": None, "__bgPos": None}
        if level["bgPos"] not in (None, "Unscaled", "Contain", "Cover", "CoverDirty", "Repeat"):
            level["bgPos"] = None
        identifier = level["identifier"] if "identifier" in self.kept else self.definitions.identifier(self.name)
        return {
            **level,
            "identifier": identifier,
            "iid": level["iid"] or self.iid("level"),
            "uid": self.level_uid,
            "externalRelPath": None,
            "fieldInstances": [*self.level_fields, _field(field, packed, "V_String")],
            "layerInstances": self.instances,
            "__neighbours": [],
        }


_FLAGS: Final = (
    "DiscardPreCsvIntGrid",
    "ExportOldTableOfContentData",
    "ExportPreCsvIntGridFormat",
    "IgnoreBackupSuggest",
    "PrependIndexToLevelFileNames",
    "UseMultilinesType",
)
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "worldLayout": ("Free", "GridVania", "LinearHorizontal", "LinearVertical"),
    "identifierStyle": ("Capitalize", "Uppercase", "Lowercase", "Free"),
    "imageExportMode": ("None", "OneImagePerLayer", "OneImagePerLevel", "LayersAndLevels"),
}


_GRIDS: Final = ("IntGrid", "Tiles", "AutoLayer")


def _lines(layer: Json, columns: int, rows: int, scale: int, across: int, down: int) -> Iterator[str]:
    """The cells of a layer as LDtk has them, line by line: each stands for `scale` x `scale` of ours."""
    ours = layer.get("rows", [])
    for row in range(rows):
        y = row * scale + down
        line = ours[y] if 0 <= y < len(ours) else ""
        yield (EMPTY * max(0, -across) + line[max(0, across) :])[::scale][:columns].ljust(columns)


def _rest(layer: Json, lines: list[str], used: set[str], scale: int, across: int, down: int) -> list[str]:
    """The cells of a layer without those that these lines of LDtk's with these symbols show."""
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
    """What an entry of the legend was in LDtk, as an import kept it."""
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


def _rgb(color: str) -> str:
    """A colour as LDtk has it: without transparency."""
    digits = color.removeprefix("#")
    return "#" + ("".join(2 * digit for digit in digits) if len(digits) == 3 else digits[:6]).upper()


def _is_small(value: Any) -> bool:
    """Whether a number fits into 32 bits, as LDtk's do."""
    return type(value) is not int or abs(value) < 1 << 31


def _field(definition: Json, value: Any, kind: str) -> Json:
    return {
        "__identifier": definition["identifier"],
        "__type": definition["__type"],
        "__value": value,
        "__tile": None,
        "defUid": definition["uid"],
        "realEditorValues": [{"id": kind, "params": [value]}],
    }


def _source(tileset: Json, number: int) -> list[int]:
    """Where a tile lies in its tileset's picture, in pixels."""
    row, column = divmod(number, max(1, tileset["__cWid"]))
    step, padding = tileset["tileGridSize"] + tileset["spacing"], tileset["padding"]
    return [padding + column * step, padding + row * step]
