"""Exports grid data as an LDtk project with one level.

If the map was imported from LDtk, the data kept under `ldtk` is written again: the project's settings and
definitions, the level, its layers and entities. Everything else is generated: a layer becomes an IntGrid layer
whose values are the legend, and each kind of entity gets a definition. What LDtk cannot represent (walls, doors,
lights, what a cell blocks) is packed into one field of the level as JSON text. Anyone may have edited the kept
data, so it is not trusted.
Source: LDtk's JSON format documentation and its JSON schema (ldtk.io/json).
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from game.grid.document import size
from game.grid.formats import ldtk_shapes as shapes
from game.grid.formats.imported import Document, FormatError, Notes
from game.grid.formats.ldtk_definitions import Definitions, rgb, whole
from game.grid.formats.ldtk_export_cells import Cells
from game.grid.formats.ldtk_level import MAX_PIXELS, entity_cell
from game.grid.formats.ldtk_shapes import shaped
from game.grid.formats.legend import stable_color
from game.grid.formats.tiled_properties import PACKED, as_object, objects_of

Json = dict[str, Any]

CELL: Final = 16
"""The size of a cell, in pixels, of a map that was not imported from LDtk."""
MAX_CELLS: Final = 2048 * 2048
"""Over all layers. The file contains each cell as a number."""
_TYPES: Final[Mapping[type, tuple[str, str, str]]] = {
    bool: ("Bool", "F_Bool", "V_Bool"),
    int: ("Int", "F_Int", "V_Int"),
    float: ("Float", "F_Float", "V_Float"),
    str: ("String", "F_String", "V_String"),
}
"""The field types for each type of property: in instances, in definitions, of values."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def write_ldtk(document: Document, name: str, notes: Notes) -> bytes:
    """Write a valid document as an LDtk project with one level of this name.

    Raises FormatError for a map with more than MAX_CELLS cells.
    """
    width, height = size(document)
    if width * height * max(1, len(document.get("layers", ()))) > MAX_CELLS:
        raise FormatError("layers", f"has more than {MAX_CELLS} cells, the limit for exports to LDtk")
    return orjson.dumps(_Writer(document, name, notes).project())


def _numbers(value: Any) -> list[int] | None:
    """The value as two whole numbers, rounded down; None if it is not a list of two numbers."""
    fits = isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)
    return [math.floor(part) for part in value] if fits else None


class _Writer:
    def __init__(self, document: Document, name: str, notes: Notes) -> None:
        self.document, self.name, self.notes = document, name, notes
        self.width, self.height = size(document)
        self.kept = as_object(document.get("ldtk"))
        self.kept_project = as_object(self.kept.get("project"))
        self.definitions = Definitions(as_object(self.kept_project.get("defs")), self.kept_project.get("nextUid"))
        self.cell = whole(self.kept.get("cell"), 1, 4096, CELL)
        self.legend = {entry["symbol"]: entry for entry in document.get("legend", [])}
        self.kinds: dict[int, str] = {}
        """The kinds of entities for which definitions were generated, by uid."""
        self.level_uid = whole(self.kept.get("uid"), 0, 2**30, 0) or self.definitions.uid()
        self.cells = Cells(document, self.definitions, self.cell, self.level_uid, self.iid)

    def iid(self, *parts: object) -> str:
        """An instance id: the same for the same map and parts."""
        return str(uuid5(NAMESPACE_URL, "/".join(map(str, ("worldkeep", self.name, *parts)))))

    def project(self) -> Json:
        """The whole project."""
        kept_instances = {
            item["iid"]: item for item in objects_of(self.kept.get("layers")) if isinstance(item.get("iid"), str)
        }
        self.cells.write(kept_instances)
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

    def entities(self, kept: Mapping[str, Json]) -> Json:
        """Add the entities to their layers; returns what LDtk cannot represent of each, by id."""
        order = list(kept)
        layers = {}
        for iid in order:
            if kept[iid].get("__type") == "Entities":
                layers[iid] = self.entity_layer(kept[iid])
                below = [each["iid"] for each in self.cells.instances if each["iid"] in order[order.index(iid) :]]
                at = next(
                    (n for n, each in enumerate(self.cells.instances) if each["iid"] in below),
                    len(self.cells.instances),
                )
                self.cells.instances.insert(at, layers[iid])
        packed: Json = {}
        for entity in self.document.get("entities", []):
            about = as_object(entity.get("ldtk"))
            layer = layers.get(about["layer"]) if isinstance(about.get("layer"), str) else None
            if layer is None:
                layer = next(iter(layers.values()), None)
            if layer is None:
                layer = layers["made"] = self.entity_layer({})
                self.cells.instances.insert(0, layer)
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
        """The LDtk entity for an entity, and what it cannot represent of it."""
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
        """An entity's kept position in pixels, moved with the entity; or that of its pivot in its cell."""
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
        return whole(self.kept.get(key), -MAX_PIXELS, MAX_PIXELS, 0)

    def entity_definition(self, entity: Json, about: Json) -> Json:
        """The definition for an entity's kind: the kept one, another one for this kind, or a new one."""
        kind = str(entity.get("kind", ""))
        kept = self.definitions.of("entities", about.get("defUid"))
        if kept and kept["identifier"] == kind:
            return kept
        for each in self.definitions.lists["entities"]:
            if kind in (each["identifier"], self.kinds.get(each["uid"])):
                return each
        identifier = self.definitions.identifier(kind or "Entity")
        about = {"width": self.cell, "height": self.cell, "identifier": identifier, "fieldDefs": []}
        about["color"] = rgb(stable_color(kind))
        made = self.definitions.add("entities", shapes.ENTITY_DEFINITION, **about)
        self.kinds[made["uid"]] = kind
        return made

    def fields(self, properties: Any, kept: Any, definitions: list[Json]) -> tuple[list[Json], Json]:
        """Properties as fields, and those that cannot be fields. Unchanged fields are written as they were."""
        raw = {str(field.get("__identifier")): field for field in objects_of(kept)}
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
        """What LDtk cannot represent, as JSON text."""
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
            | ({"of": self.cells.keys[symbol]} if symbol in self.cells.keys else {})
            for symbol, entry in self.legend.items()
        ]
        layers = [item for _, item in sorted(self.cells.layers, key=lambda each: each[0])]
        parts = {"document": document, "legend": legend, "layers": layers, "entities": entities}
        return orjson.dumps({key: value for key, value in parts.items() if value}).decode()

    def background(self) -> Json:
        """The background's position, if it is still the level's picture and was moved."""
        background = as_object(self.document.get("background"))
        shown = as_object(self.kept.get("shown"))
        if not background.get("asset_id"):
            return {}
        if background["asset_id"] != shown.get("asset_id"):
            message = "LDtk keeps pictures in separate files; the background was left out."
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
            # A level's size need not be a multiple of the cell's: keep the original while the map has its size.
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
            "layerInstances": self.cells.instances,
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


def _is_small(value: Any) -> bool:
    """Whether a number fits into 32 bits, as LDtk requires."""
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
