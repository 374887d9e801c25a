"""Imports a level of an LDtk project.

IntGrid values become cells named by their definition; tiles and auto-layer tiles become cells by tile id, stacked
ones on separate layers; entities keep their fields as properties. Other data of a level is kept under `ldtk`. Our
export writes data that LDtk cannot represent to the level's field PACKED. Source: LDtk's JSON format documentation
(ldtk.io/json).
"""

import math
from array import array
from collections.abc import Iterator
from typing import Any, Final

from game.grid.document import EMPTY, Limits
from game.grid.formats.imported import Document, FormatError, ImportedMap, Notes, unique
from game.grid.formats.legend import Legend, is_entry, stable_color, usual_rules, usual_symbol
from game.grid.formats.pictures import probe
from game.grid.formats.strict import Node, kept, parse_json
from game.grid.formats.tiled_properties import PACKED, as_object
from game.grid.formats.uploads import Pictures, Uploads

Json = dict[str, Any]
Key = tuple[int, int, int]
"""The content of a cell: (uid of the tileset, tile id, flips), or (-1 - uid of the layer, value, 0)."""

MAX_UID: Final = 2**31 - 1
MAX_PIXELS: Final = 2**24
_KINDS: Final = ("IntGrid", "Entities", "Tiles", "AutoLayer")


class Definitions:
    """A project's definitions of layers and tilesets by uid."""

    def __init__(self, root: Node) -> None:
        definitions = root["defs"]
        self.layers = {node.integer("uid", 0, MAX_UID): node for node in definitions.list_of("layers")}
        self.tilesets = {node.integer("uid", 0, MAX_UID): node for node in definitions.list_of("tilesets")}
        self.tags: dict[tuple[int, int], str] = {}
        for uid, node in self.tilesets.items():
            for tag in node.list_of("enumTags"):
                tiles = tag.value.get("tileIds")
                for tile in tiles if isinstance(tiles, list) else ():
                    if isinstance(tile, int):
                        self.tags.setdefault((uid, tile), tag.text("enumValueId", ""))

    def value(self, layer: int, value: int) -> tuple[str, str | None]:
        """The name and the colour of an IntGrid value."""
        node = self.layers.get(layer)
        for index, entry in enumerate(node.list_of("intGridValues") if node else ()):
            # LDtk before 0.8 numbered the values by their order.
            if entry.value.get("value", index + 1) == value:
                color = entry.text("color", "")
                name = entry.text("identifier", "")
                return name or f"value {value}", color if is_entry({"color": color}) else None
        return f"value {value}", None

    def tile(self, tileset: int, tile: int) -> tuple[str, str | None]:
        """The name and the average colour of a tile; LDtk stores colours as 4 hex digits each, ARGB."""
        node = self.tilesets.get(tileset)
        if node is None:
            return f"tile {tile}", None
        name = self.tags.get((tileset, tile)) or f"{node.text('identifier', 'tile')} {tile}"
        colors = node["cachedPixelData"].value if "cachedPixelData" in node else None
        text = colors.get("averageColors") if isinstance(colors, dict) else None
        digits = text[4 * tile : 4 * tile + 4] if isinstance(text, str) else ""
        color = "#" + "".join(2 * digit for digit in digits[1:])
        if len(color) != 7 or not is_entry({"color": color}):
            return name, None
        # A mostly transparent tile, such as a shadow, must not hide what is below it.
        return name, color + 2 * digits[0] if digits[0] in "01234567" else color

    def box(self, tileset: int, tile: int) -> Json:
        """The position and size of a tile in its tileset's picture, in pixels."""
        node = self.tilesets[tileset]
        side = node.integer("tileGridSize", 1, MAX_PIXELS)
        step = side + node.integer("spacing", 0, MAX_PIXELS, 0)
        padding = node.integer("padding", 0, MAX_PIXELS, 0)
        row, column = divmod(tile, node.integer("__cWid", 1, MAX_PIXELS))
        return {"x": padding + column * step, "y": padding + row * step, "width": side, "height": side}


class Level:
    """Reads one level."""

    def __init__(self, node: Node, world: str, definitions: Definitions, uploads: Uploads, limits: Limits) -> None:
        self.node, self.world = node, world
        self.definitions, self.uploads, self.limits = definitions, uploads, limits
        self.notes = uploads.notes
        self.pictures = Pictures()
        self.instances = []
        iids: set[str] = set()
        for index, layer in enumerate(node.list_of("layerInstances")):
            # Before LDtk 1.0, layers had no ids.
            iid = unique(layer.text("iid", "", 64) or f"layer-{index}", iids, 64)
            self.instances.append(Node({**layer.value, "iid": iid}, layer.place))
        for instance in self.instances:
            if instance.text("__type") not in _KINDS:
                raise FormatError(instance.at("__type"), f"must be one of {', '.join(_KINDS)}")
        sizes = [
            (instance.text("__type") == "Entities", instance.integer("__gridSize", 1, MAX_PIXELS))
            for instance in self.instances
        ]
        # The cells of the map are the smallest of the layers with cells; entities may have a finer grid.
        self.cell = min(sizes)[1] if sizes else 16
        if sizes and not min(sizes)[0]:
            self.cell = min(size for entities, size in sizes if not entities)
        self.width, self.height = self.side("pxWid"), self.side("pxHei")
        self.keys: dict[Key, int] = {}
        self.planes: list[tuple[Json, array[int]]] = []
        self.ids: set[str] = set()
        self.sheets: dict[int, str | None] = {}
        self.packed = self.unpacked()

    def unpacked(self) -> Json:
        """The data that our export packed: `document`, `legend`, `layers`, `entities`; {} without such a field."""
        for field in self.node.parts("fieldInstances", "NOT_KEPT", Notes()):
            text = field.value.get("__value")
            if field.value.get("__identifier") == PACKED and isinstance(text, str):
                try:
                    return as_object(kept(parse_json(text.encode()).value, field.place, self.notes))
                except (FormatError, UnicodeError):
                    message = f"The field {PACKED!r} is invalid, and was left out."
                    self.notes.add("NOT_KEPT", field.place, message)
        return {}

    def packed_list(self, key: str) -> list[Json]:
        """The objects of a list in the packed data."""
        items = self.packed.get(key)
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    def side(self, key: str) -> int:
        """The width or height in cells."""
        pixels = self.node.integer(key, 0, MAX_PIXELS)
        if pixels % self.cell:
            self.notes.add("SIZE_ROUNDED", self.node.at(key), f"{pixels} is not a multiple of {self.cell} pixels.")
        side = math.ceil(pixels / self.cell)
        if side > self.limits.max_size:
            raise FormatError(self.node.at(key), f"is {side} cells; a side has at most {self.limits.max_size}")
        return side

    def read(self, project: Json) -> ImportedMap:
        """The level as a map; `project` is what the map keeps of its project."""
        for instance in reversed(self.instances):  # LDtk lists the uppermost first
            if instance.text("__type") != "Entities":
                self.layer(instance)
        legend, symbols = self.legend()
        layers = []
        names: set[str] = set()
        for about, cells in self.ordered_planes():
            text = "".join(map(symbols.__getitem__, cells))
            rows = [text[at : at + self.width] for at in range(0, len(text), self.width or 1)]
            layers.append({**about, "name": unique(about["name"], names), "rows": rows or [""] * self.height})
        entities = [entity for instance in self.instances for entity in self.entities(instance)]
        background = self.background()
        packed = as_object(self.packed.get("document"))
        document: Document = {
            "width": self.width,
            "height": self.height,
            "grid_type": "square",
            **{key: value for key, value in packed.items() if key not in ("ldtk", "background")},
            "legend": legend,
            "layers": layers,
            "entities": entities,
            "properties": {**self.fields(self.node), **as_object(packed.get("properties"))},
            **background,
            "ldtk": self.about(project, background),
        }
        document = {key: value for key, value in document.items() if value not in ([], {})}
        name = self.node.text("identifier", "") or "level"
        return ImportedMap(f"{self.world} {name}".strip(), "", document, self.pictures.files)

    def about(self, project: Json, background: Json) -> Json:
        """What the map keeps of the level: everything but its cells and entities."""
        without = ("layerInstances", "fieldInstances")
        level = {key: value for key, value in self.node.value.items() if key not in without}
        data = ("intGridCsv", "intGrid", "autoLayerTiles", "gridTiles", "entityInstances")
        layers = [
            {key: value for key, value in instance.value.items() if key not in data} for instance in self.instances
        ]
        about = {**level, "cell": self.cell, "fields": self.raw_fields(self.node), "layers": layers}
        if background:
            about["shown"] = {"asset_id": background["background"]["asset_id"], **background["background"]}
        if self.world:
            about["world"] = self.world
        result = kept(about, self.node.place, self.notes)
        return {**result, "project": project}

    def ordered_planes(self) -> list[tuple[Json, "array[int]"]]:
        """The layers in the order of our export; each new one above the layer that is below it in LDtk."""
        packed = self.packed_list("layers")
        ranks = {(item.get("iid"), str(item.get("plane"))): rank for rank, item in enumerate(packed)}
        ranked = []
        rank = -1
        for about, cells in self.planes:
            rank = ranks.get((about["ldtk"]["iid"], str(about["ldtk"]["plane"])), -1 if not ranks else rank)
            item = packed[rank] if ranks and rank >= 0 and self.is_plane(packed[rank], about) else {}
            more = {key: value for key, value in item.items() if key not in ("iid", "plane", "rows", "ldtk")}
            if not (isinstance(more.get("name"), str) and more["name"]):
                more.pop("name", None)
            ranked.append((rank, {**about, **more}, cells))
        return [(about, cells) for _, about, cells in sorted(ranked, key=lambda each: each[0])]

    def is_plane(self, item: Json, about: Json) -> bool:
        """Whether an item of the packed layers belongs to this layer."""
        return all(bool(item.get(key) == about["ldtk"][key]) for key in ("iid", "plane"))

    def layer(self, instance: Node) -> None:
        """Add the cells of a layer: its IntGrid values, and its tiles above them."""
        size, name = instance.integer("__gridSize", 1, MAX_PIXELS), instance.text("__identifier", "layer")
        if size % self.cell:
            message = f"The layer {name} has cells of {size} pixels on a map with cells of {self.cell}: left out."
            self.notes.add("LAYER_LOST", instance.place, message)
            return
        scale = size // self.cell
        about: Json = {}
        if not instance.flag("visible", True):
            about["visible"] = False
        if (opacity := instance.number("__opacity", 1)) != 1:
            about["opacity"] = min(1, max(0, opacity))
        about["ldtk"] = {"iid": instance.text("iid", "", 64), "type": instance.text("__type")}
        has_values = instance.text("__type") == "IntGrid"
        if has_values:
            self.values(instance, {"name": name, **about, "ldtk": {**about["ldtk"], "plane": "values"}}, scale)
        tiles = [
            *instance.parts("autoLayerTiles", "TILES_UNREADABLE", self.notes),
            *instance.parts("gridTiles", "TILES_UNREADABLE", self.notes),
        ]
        if tiles or not has_values:
            self.tiles(instance, tiles, f"{name} tiles" if has_values else name, about, scale)

    def plane(self, about: Json, place: str) -> "array[int] | None":
        """Add an empty layer; returns None if the map already has the maximum number."""
        if len(self.planes) == self.limits.max_layers:
            message = f"A map has at most {self.limits.max_layers} layers; {about['name']} was left out."
            self.notes.add("LAYER_LOST", place, message)
            return None
        cells = array("I", bytes(4)) * self.uploads.count_cells(self.width, self.height, place)
        self.planes.append((about, cells))
        return cells

    def put(self, cells: "array[int]", x: int, y: int, scale: int, key: Key) -> bool:
        """Set the cells that a tile or value covers; returns whether all of them are on the map."""
        number = self.keys.setdefault(key, len(self.keys) + 1)
        left, right = max(0, x), min(self.width, x + scale)
        top, bottom = max(0, y), min(self.height, y + scale)
        if left < right and top < bottom:
            if scale > 1:
                self.uploads.count_cells(right - left, bottom - top, self.node.place)
            line = array("I", [number]) * (right - left)
            for row in range(top, bottom):
                cells[row * self.width + left : row * self.width + right] = line
        return x >= 0 and y >= 0 and x + scale <= self.width and y + scale <= self.height

    def offset(self, instance: Node) -> tuple[int, int]:
        """The offset of a layer in pixels."""
        across = instance.integer("__pxTotalOffsetX", -MAX_PIXELS, MAX_PIXELS, 0)
        down = instance.integer("__pxTotalOffsetY", -MAX_PIXELS, MAX_PIXELS, 0)
        if across % self.cell or down % self.cell:
            message = (
                "The layer is shifted by a fraction of a cell; its cells were moved to the cells in which "
                "they begin."
            )
            self.notes.add("LAYER_OFFSET", instance.place, message)
        return across, down

    def values(self, instance: Node, about: Json, scale: int) -> None:
        """Add a layer of the IntGrid values."""
        columns, rows = (instance.integer(key, 0, self.limits.max_size) for key in ("__cWid", "__cHei"))
        values = instance["intGridCsv"] if "intGrid" not in instance else _old_values(instance, columns * rows)
        if not isinstance(values.value, list) or len(values.value) != columns * rows:
            raise values.fail(f"must be a list of {columns * rows} values")
        cells = self.plane(about, instance.place)
        if cells is None:
            return
        across, down = self.offset(instance)
        layer = instance.integer("layerDefUid", 0, MAX_UID, 0)
        for index, value in enumerate(values.value):
            if not isinstance(value, int) or not 0 <= value <= MAX_UID:
                raise FormatError(f"{values.place}[{index}]", "must be a whole number")
            if value:
                x, y = (
                    index % columns * scale + across // self.cell,
                    index // columns * scale + down // self.cell,
                )
                self.put(cells, x, y, scale, (-1 - layer, value, 0))

    def tiles(self, instance: Node, tiles: list[Node], name: str, about: Json, scale: int) -> None:
        """Add layers for the tiles: as many as tiles are stacked on one cell."""
        tileset = instance.integer("__tilesetDefUid", 0, MAX_UID, 0)
        across, down = self.offset(instance)
        planes: list[array[int] | None] = []
        height: dict[tuple[int, int], int] = {}
        outside = between = 0

        def add_plane() -> None:
            level = len(planes)
            called = {"name": f"{name} {level + 1}" if level else name}
            planes.append(
                self.plane({**called, **about, "ldtk": {**about["ldtk"], "plane": level}}, instance.place)
            )

        add_plane()
        for tile in tiles:
            with self.notes.skipping("TILES_UNREADABLE"):
                pixels = _pixels(tile, "px", across, down)
                x, y = (part // self.cell for part in pixels)
                between += any(part % self.cell for part in pixels)
                key = (tileset, tile.integer("t", 0, MAX_UID), tile.integer("f", 0, 3, 0))
                level = height[x, y] = height.get((x, y), -1) + 1
                if level == len(planes):
                    add_plane()
                cells = planes[level]
                if cells is not None and not self.put(cells, x, y, scale, key):
                    outside += 1
        if outside:
            message = f"{outside} tiles lie outside the level, at least in part, and were cut off."
            self.notes.add("TILES_OUTSIDE", instance.place, message)
        if between:
            message = (
                f"{between} tiles are shifted by a fraction of a cell; they were moved to the cells in "
                "which they begin."
            )
            self.notes.add("LAYER_OFFSET", instance.place, message)

    def legend(self) -> tuple[list[Json], list[str]]:
        """The legend, and the symbol for each number in the planes."""
        guessed: list[str] = []
        items = self.packed_list("legend")
        packed = {key: rank for rank, item in enumerate(items) for key in _keys(item)}
        # One symbol may have been exported as values of several layers: they become one entry again.
        entries: dict[float, tuple[Json, Any, list[Key]]] = {}
        for index, key in enumerate(self.keys):
            rank = packed.get(key, len(items) + index)
            if rank in entries:
                entries[rank][2].append(key)
                continue
            entry, preferred = self.entry(key, guessed)
            if key in packed:
                entry = {name: entry[name] for name in ("ldtk", "picture") if name in entry}
                entry |= _packed_entry(items[rank])
                preferred = entry.pop("symbol", preferred)
            entries[rank] = entry, preferred, [key]
        for rank, item in enumerate(items):
            if rank not in entries:
                entry = _packed_entry(item)
                entries[rank] = entry, entry.pop("symbol", None), []
        legend = Legend(self.limits)
        symbols = [EMPTY] * (len(self.keys) + 1)
        for _, (entry, preferred, keys) in sorted(entries.items()):
            if len(keys) > 1:
                entry["ldtk"] = {**entry["ldtk"], "keys": [list(key) for key in keys]}
            symbol = legend.add(entry, preferred if isinstance(preferred, str) else None, self.node.place)
            for key in keys:
                symbols[self.keys[key]] = symbol
        if guessed and not packed:
            message = f"What blocks movement or sight was guessed from the names: {', '.join(guessed)}"
            self.notes.add("RULES_GUESSED", self.node.place, message[:1000])
        return legend.entries, symbols

    def entry(self, key: Key, guessed: list[str]) -> tuple[Json, str | None]:
        """The legend entry for the content of a cell, and its preferred symbol."""
        owner, number, flips = key
        if owner < 0:
            name, color = self.definitions.value(-1 - owner, number)
            rules = usual_rules(name)
            guessed += [name] if rules else []
            entry = {"name": name, **rules, "ldtk": {"layer": -1 - owner, "value": number}}
        else:
            name, color = self.definitions.tile(owner, number)
            entry = {"name": name, "ldtk": {"tileset": owner, "tile": number, "flips": flips}}
            if asset := self.sheet(owner):
                entry["picture"] = {"asset_id": asset, **self.definitions.box(owner, number)}
        entry["color"] = color or stable_color(f"{owner} {number}")
        return entry, usual_symbol(name) if owner < 0 else None

    def sheet(self, tileset: int) -> str | None:
        """The name of a tileset's picture, if it was uploaded."""
        if tileset not in self.sheets:
            self.sheets[tileset] = None
            node = self.definitions.tilesets.get(tileset)
            with self.notes.skipping("PICTURE_REFUSED"):
                path = node.text("relPath", "") if node else ""
                found = self.uploads.find(path) if path else None
                if found:
                    self.sheets[tileset] = self.pictures.add(found[1], path, found[0])
        return self.sheets[tileset]

    def entities(self, instance: Node) -> Iterator[Json]:
        """The entities of a layer."""
        if not self.width or not self.height:
            return
        across, down = self.offset(instance)
        packed = as_object(self.packed.get("entities"))
        for node in instance.parts("entityInstances", "OBJECT_UNREADABLE", self.notes):
            entity: Json = {}
            with self.notes.skipping("OBJECT_UNREADABLE"):
                entity = self.entity(node, across, down, packed)
                entity["ldtk"]["layer"] = instance.text("iid", "", 64)
            if entity:
                yield entity

    def entity(self, node: Node, across: int, down: int, packed: Json) -> Json:
        """An entity; `across` and `down` are its layer's offset in pixels."""
        kind = node.text("__identifier")
        pixels = _pixels(node, "px", across, down)
        column, row = entity_cell(pixels, node.value.get("__pivot"), self.cell)
        inside = min(max(column, 0), self.width - 1), min(max(row, 0), self.height - 1)
        if (column, row) != inside:
            message = f"The {kind} lies outside the level; it was moved to the edge."
            self.notes.add("OBJECT_OUTSIDE", node.place, message)
        fields = self.fields(node)
        name = fields.get("name", fields.get("Name"))
        rest = ("__pivot", "__tags", "__tile", "__smartColor", "px", "width", "height", "defUid")
        about = {key: node.value[key] for key in rest if key in node}
        entity: Json = {
            "id": unique(node.text("iid", "", 64) or kind[:60] or "entity", self.ids, 64),
            "kind": kind,
            "name": name if isinstance(name, str) else kind,
            "x": inside[0],
            "y": inside[1],
            "ldtk": kept({**about, "fields": self.raw_fields(node)}, node.place, self.notes),
        }
        more = as_object(packed.get(entity["id"]))
        fields |= as_object(more.get("properties"))
        entity |= {key: more[key] for key in more if key not in ("x", "y", "ldtk", "properties")}
        if fields or "properties" in more:
            entity["properties"] = fields
        return entity

    def fields(self, owner: Node) -> Json:
        """The values of custom fields by name."""
        values = {
            str(field["__identifier"]): field.get("__value")
            for field in self.raw_fields(owner)
            if isinstance(field.get("__identifier"), str)
        }
        result = kept(values, owner.at("fieldInstances"), self.notes)
        return result if isinstance(result, dict) else {}

    def raw_fields(self, owner: Node) -> list[Json]:
        """The custom fields in LDtk's form."""
        fields = owner.parts("fieldInstances", "NOT_KEPT", self.notes)
        return [field.value for field in fields if field.value.get("__identifier") != PACKED]

    def background(self) -> Json:
        """The background of the level, if its picture was uploaded."""
        path = self.node.text("bgRelPath", "")
        found = self.uploads.find(path) if path else None
        if found is None:
            if path:
                message = f"The level's picture {path} was not uploaded."
                self.notes.add("PICTURE_MISSING", self.node.at("bgRelPath"), message)
            return {}
        with self.notes.skipping("PICTURE_REFUSED"):
            picture = probe(found[1], found[0])
            x, y, across, down = 0.0, 0.0, 1.0, 1.0
            if "__bgPos" in self.node:
                position = self.node["__bgPos"]
                (left, top), (across, down) = _pair(position, "topLeftPx"), _pair(position, "scale")
                crop = position.value.get("cropRect")
                is_crop = isinstance(crop, list)
                crop_x, crop_y = _pair(Node({"cropRect": crop[:2]}), "cropRect") if is_crop else (0, 0)
                x, y = left - crop_x * across, top - crop_y * down
            box = {"x": x, "y": y, "width": abs(picture.width * across), "height": abs(picture.height * down)}
            place = {key: value / self.cell for key, value in box.items()}
            place |= as_object(as_object(self.packed.get("document")).get("background"))
            return {"background": {**place, "asset_id": self.pictures.add(found[1], path, found[0])}}
        return {}


def _old_values(instance: Node, cells: int) -> Node:
    """The IntGrid values of a file from before LDtk 1.0, which lists only non-empty cells, with values from 0."""
    if instance.value.get("intGridCsv"):
        return instance["intGridCsv"]
    values = [0] * cells
    for item in instance.list_of("intGrid"):
        values[item.integer("coordId", 0, cells - 1)] = item.integer("v", 0, MAX_UID - 1) + 1
    return Node(values, instance.at("intGrid"))


def entity_cell(pixels: tuple[int, int], pivot: Any, cell: int) -> tuple[int, int]:
    """The cell of an entity at a position in pixels.

    With its pivot at the right or at the bottom, it belongs to the cell to the left or above.
    """
    right, bottom = (pivot[0] == 1, pivot[1] == 1) if isinstance(pivot, list) and len(pivot) == 2 else (0, 0)
    return (pixels[0] - right) // cell, (pixels[1] - bottom) // cell


def _keys(item: Json) -> Iterator[Key]:
    """The values and tiles of a legend entry in LDtk, as our export packed them."""
    of = item.get("of")
    for key in of if isinstance(of, list) else ():
        if isinstance(key, list) and len(key) == 3 and all(type(part) is int for part in key):
            yield key[0], key[1], key[2]


def _packed_entry(item: Json) -> Json:
    return {key: value for key, value in item.items() if key not in ("of", "ldtk", "picture")}


def _pair(owner: Node, key: str) -> tuple[float, float]:
    """A list of two numbers."""
    node = owner[key]
    if not isinstance(node.value, list) or len(node.value) != 2:
        raise node.fail("must be two numbers")
    pair = Node({"x": node.value[0], "y": node.value[1]}, node.place)
    return pair.number("x"), pair.number("y")


def _pixels(owner: Node, key: str, across: int, down: int) -> tuple[int, int]:
    x, y = _pair(owner, key)
    return math.floor(x) + across, math.floor(y) + down
