"""LDtk projects to grid data: every level is a map.

IntGrid values become cells named by their definition; tiles and auto-layer tiles become cells by tile id,
stacked ones on layers of their own; entities keep their fields as properties. What else a level says is kept
under `ldtk`. Source: LDtk's JSON format documentation (ldtk.io/json).
"""

import math
from array import array
from collections.abc import Iterator
from typing import Any, Final

from game.grid.document import EMPTY, Limits
from game.grid.formats.imported import Document, FormatError, ImportedMap, unique
from game.grid.formats.legend import Legend, is_entry, stable_color, usual_rules, usual_symbol
from game.grid.formats.pictures import probe
from game.grid.formats.strict import Node, kept, parse_json
from game.grid.formats.uploads import Pictures, Uploads

Json = dict[str, Any]
Key = tuple[int, int, int]
"""What a cell shows: (uid of the tileset, tile id, flips), or (-1 - uid of the layer, value, 0)."""

MAX_LEVELS: Final = 1000
MAX_UID: Final = 2**31 - 1
MAX_PIXELS: Final = 2**24
_KINDS: Final = ("IntGrid", "Entities", "Tiles", "AutoLayer")


def read_ldtk(root: Node, name: str, uploads: Uploads, limits: Limits) -> list[ImportedMap]:
    """Every level of every world, in the project's order. Raises FormatError."""
    levels = list(_levels(root, uploads))
    if not levels:
        raise FormatError("levels", "the project has no level")
    if len(levels) > MAX_LEVELS:
        raise FormatError("levels", f"the project has more than {MAX_LEVELS} levels")
    definitions = _Definitions(root, uploads)
    return [_Level(node, world, definitions, uploads, limits).read() for world, node in levels]


def _levels(root: Node, uploads: Uploads) -> Iterator[tuple[str, Node]]:
    worlds = [(world.text("identifier", ""), world) for world in root.list_of("worlds")]
    used: set[str] = set()
    for world, holder in worlds or [("", root)]:
        for level in holder.list_of("levels"):
            if "layerInstances" in level:
                yield world, level
                continue
            path = level.text("externalRelPath", "")
            found = uploads.find(path) if path else None
            if found is None:
                message = f"The level's own file {path} was not uploaded along; it was left out."
                uploads.notes.add("LEVEL_MISSING", level.place, message)
                continue
            if found[0] in used:
                raise FormatError(level.at("externalRelPath"), "is the file of another level")
            used.add(found[0])
            with uploads.notes.skipping("LEVEL_UNREADABLE"):
                yield world, _external_level(*found)


def _external_level(name: str, data: bytes) -> Node:
    try:
        node = Node(parse_json(data).value, name)
    except FormatError as error:
        raise FormatError(f"{name}: {error.place}", error.message) from None
    if "layerInstances" not in node:
        raise FormatError(name, "is not a level of LDtk")
    return node


class _Definitions:
    """A project's definitions of layers and tilesets by uid."""

    def __init__(self, root: Node, uploads: Uploads) -> None:
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
        rules = sum(1 for node in self.layers.values() if node.value.get("autoRuleGroups"))
        if rules:
            message = f"The rules of {rules} auto-layers are not kept; the tiles that they painted are."
            uploads.notes.add("AUTO_RULES_LOST", "defs.layers", message)

    def value(self, layer: int, value: int) -> tuple[str, str | None]:
        """The name and the colour of an IntGrid value."""
        node = self.layers.get(layer)
        for entry in node.list_of("intGridValues") if node else ():
            if entry.value.get("value") == value:
                color = entry.text("color", "")
                name = entry.text("identifier", "")
                return name or f"value {value}", color if is_entry({"color": color}) else None
        return f"value {value}", None

    def tile(self, tileset: int, tile: int) -> tuple[str, str | None]:
        """The name and the average colour of a tile; LDtk keeps the colours as 4 hex digits each, ARGB."""
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
        # A tile that is mostly clear, such as a shadow, must not hide what is beneath it.
        return name, color + 2 * digits[0] if digits[0] in "01234567" else color

    def box(self, tileset: int, tile: int) -> Json:
        """Where a tile lies in its tileset's picture, in pixels."""
        node = self.tilesets[tileset]
        side = node.integer("tileGridSize", 1, MAX_PIXELS)
        step = side + node.integer("spacing", 0, MAX_PIXELS, 0)
        padding = node.integer("padding", 0, MAX_PIXELS, 0)
        row, column = divmod(tile, node.integer("__cWid", 1, MAX_PIXELS))
        return {"x": padding + column * step, "y": padding + row * step, "width": side, "height": side}


class _Level:
    """Reads one level."""

    def __init__(
        self, node: Node, world: str, definitions: _Definitions, uploads: Uploads, limits: Limits
    ) -> None:
        self.node, self.world = node, world
        self.definitions, self.uploads, self.limits = definitions, uploads, limits
        self.notes = uploads.notes
        self.pictures = Pictures()
        self.instances = list(node.list_of("layerInstances"))
        for instance in self.instances:
            if instance.text("__type") not in _KINDS:
                raise FormatError(instance.at("__type"), f"must be one of {', '.join(_KINDS)}")
        sizes = [
            (instance.text("__type") == "Entities", instance.integer("__gridSize", 1, MAX_PIXELS))
            for instance in self.instances
        ]
        # Entities lie between the cells; the cells are what the other layers have.
        self.cell = min(sizes)[1] if sizes else 16
        if sizes and not min(sizes)[0]:
            self.cell = min(size for entities, size in sizes if not entities)
        self.width, self.height = self.side("pxWid"), self.side("pxHei")
        self.keys: dict[Key, int] = {}
        self.planes: list[tuple[Json, array[int]]] = []
        self.names: set[str] = set()

    def side(self, key: str) -> int:
        pixels = self.node.integer(key, 0, MAX_PIXELS)
        if pixels % self.cell:
            self.notes.add("SIZE_ROUNDED", self.node.at(key), f"{pixels} is no multiple of {self.cell} pixels.")
        side = math.ceil(pixels / self.cell)
        if side > self.limits.max_size:
            raise FormatError(self.node.at(key), f"is {side} cells; a side has at most {self.limits.max_size}")
        return side

    def read(self) -> ImportedMap:
        """The level as a map."""
        for instance in reversed(self.instances):  # LDtk lists the uppermost first
            if instance.text("__type") != "Entities":
                self.layer(instance)
        legend = self.legend()
        symbols = [EMPTY, *(entry["symbol"] for entry in legend)]
        layers = []
        for about, cells in self.planes:
            text = "".join(map(symbols.__getitem__, cells))
            rows = [text[at : at + self.width] for at in range(0, len(text), self.width or 1)]
            layers.append({**about, "rows": rows or [""] * self.height})
        entities = [entity for instance in self.instances for entity in self.entities(instance)]
        kept_keys = ("iid", "uid", "worldX", "worldY", "worldDepth", "__bgColor", "__neighbours")
        about = {key: self.node.value[key] for key in kept_keys if key in self.node}
        document: Document = {
            "width": self.width,
            "height": self.height,
            "grid_type": "square",
            "legend": legend,
            "layers": layers,
            "entities": entities,
            "properties": self.fields(self.node),
            **self.background(),
            "ldtk": kept({**about, **({"world": self.world} if self.world else {})}, self.node.place, self.notes),
        }
        document = {key: value for key, value in document.items() if value not in ([], {})}
        name = self.node.text("identifier", "") or "level"
        return ImportedMap(f"{self.world} {name}".strip(), "", document, self.pictures.files)

    def layer(self, instance: Node) -> None:
        """Add a layer's cells: its values, and its tiles above them."""
        size, name = instance.integer("__gridSize", 1, MAX_PIXELS), instance.text("__identifier", "layer")
        if size % self.cell:
            message = f"The layer {name} has cells of {size} pixels on a map with cells of {self.cell}: left out."
            self.notes.add("LAYER_LOST", instance.place, message)
            return
        scale = size // self.cell
        about: Json = {"ldtk": {"iid": instance.text("iid", "", 64), "type": instance.text("__type")}}
        if not instance.flag("visible", True):
            about["visible"] = False
        if (opacity := instance.number("__opacity", 1)) != 1:
            about["opacity"] = min(1, max(0, opacity))
        has_values = instance.text("__type") == "IntGrid"
        if has_values:
            self.values(instance, {"name": name, **about}, scale)
        tiles = [*instance.list_of("autoLayerTiles"), *instance.list_of("gridTiles")]
        if tiles or not has_values:
            self.tiles(instance, tiles, f"{name} tiles" if has_values else name, about, scale)

    def plane(self, about: Json, place: str) -> "array[int] | None":
        """A new empty layer, or None when the map has as many as it may have."""
        if len(self.planes) == self.limits.max_layers:
            message = f"A map has at most {self.limits.max_layers} layers; {about['name']} was left out."
            self.notes.add("LAYER_LOST", place, message)
            return None
        cells = array("I", bytes(4)) * self.uploads.take_cells(self.width, self.height, place)
        self.planes.append(({**about, "name": unique(about["name"], self.names)}, cells))
        return cells

    def put(self, cells: "array[int]", x: int, y: int, scale: int, key: Key) -> bool:
        """Set the cells that a part of a layer covers; answers whether all of them are on the map."""
        number = self.keys.setdefault(key, len(self.keys) + 1)
        left, right = max(0, x), min(self.width, x + scale)
        top, bottom = max(0, y), min(self.height, y + scale)
        if left < right and top < bottom:
            if scale > 1:
                self.uploads.take_cells(right - left, bottom - top, self.node.place)
            line = array("I", [number]) * (right - left)
            for row in range(top, bottom):
                cells[row * self.width + left : row * self.width + right] = line
        return x >= 0 and y >= 0 and x + scale <= self.width and y + scale <= self.height

    def offset(self, instance: Node) -> tuple[int, int]:
        across = instance.integer("__pxTotalOffsetX", -MAX_PIXELS, MAX_PIXELS, 0)
        down = instance.integer("__pxTotalOffsetY", -MAX_PIXELS, MAX_PIXELS, 0)
        if across % self.cell or down % self.cell:
            message = "The layer is shifted by a part of a cell; its cells were put where they begin."
            self.notes.add("LAYER_OFFSET", instance.place, message)
        return across, down

    def values(self, instance: Node, about: Json, scale: int) -> None:
        columns, rows = (instance.integer(key, 0, self.limits.max_size) for key in ("__cWid", "__cHei"))
        values = instance["intGridCsv"]
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
        tileset = instance.integer("__tilesetDefUid", 0, MAX_UID, 0)
        across, down = self.offset(instance)
        planes: list[array[int] | None] = [self.plane({"name": name, **about}, instance.place)]
        height: dict[tuple[int, int], int] = {}
        outside = 0
        for tile in tiles:
            x, y = (part // self.cell for part in _pixels(tile, "px", across, down))
            key = (tileset, tile.integer("t", 0, MAX_UID), tile.integer("f", 0, 3, 0))
            level = height[x, y] = height.get((x, y), -1) + 1
            if level == len(planes):
                planes.append(self.plane({"name": f"{name} {level + 1}", **about}, instance.place))
            cells = planes[level]
            if cells is not None and not self.put(cells, x, y, scale, key):
                outside += 1
        if outside:
            message = f"{outside} tiles lie outside the level, at least in part, and were cut off."
            self.notes.add("TILES_OUTSIDE", instance.place, message)

    def legend(self) -> list[Json]:
        legend = Legend(self.limits)
        sheets: dict[int, str | None] = {}
        guessed = []
        for owner, number, flips in self.keys:
            entry: Json
            if owner < 0:
                name, color = self.definitions.value(-1 - owner, number)
                rules = usual_rules(name)
                entry = {"name": name, **rules, "ldtk": {"layer": -1 - owner, "value": number}}
                guessed += [name] if rules else []
            else:
                name, color = self.definitions.tile(owner, number)
                entry = {"name": name, "ldtk": {"tileset": owner, "tile": number, "flips": flips}}
                if owner not in sheets:
                    sheets[owner] = self.sheet(owner)
                if asset := sheets[owner]:
                    entry["picture"] = {"asset_id": asset, **self.definitions.box(owner, number)}
            entry["color"] = color or stable_color(f"{owner} {number}")
            legend.add(entry, usual_symbol(name) if owner < 0 else None, self.node.place)
        if guessed:
            message = f"What blocks movement or sight was guessed from the names: {', '.join(guessed)}"
            self.notes.add("RULES_GUESSED", self.node.place, message[:1000])
        return legend.entries

    def sheet(self, tileset: int) -> str | None:
        node = self.definitions.tilesets.get(tileset)
        with self.notes.skipping("PICTURE_REFUSED"):
            path = node.text("relPath", "") if node else ""
            found = self.uploads.find(path) if path else None
            return self.pictures.add(found[1], path, found[0]) if found else None
        return None

    def entities(self, instance: Node) -> Iterator[Json]:
        if not self.width or not self.height:
            return
        across, down = self.offset(instance)
        for node in instance.list_of("entityInstances"):
            kind = node.text("__identifier")
            x, y = _pixels(node, "px", across, down)
            pivot = node.value.get("__pivot")
            # An entity that stands on its lower right edge belongs to the cell above and to the left of it.
            right, bottom = (
                (pivot[0] == 1, pivot[1] == 1) if isinstance(pivot, list) and len(pivot) == 2 else (0, 0)
            )
            column, row = (x - right) // self.cell, (y - bottom) // self.cell
            inside = min(max(column, 0), self.width - 1), min(max(row, 0), self.height - 1)
            if (column, row) != inside:
                message = f"The {kind} lies outside the level; it was put at its edge."
                self.notes.add("OBJECT_OUTSIDE", node.place, message)
            fields = self.fields(node)
            name = fields.get("name", fields.get("Name"))
            rest = ("__tags", "__smartColor", "px", "width", "height", "defUid")
            entity: Json = {
                "id": unique(node.text("iid", "", 64) or kind[:60] or "entity", self.names, 64),
                "kind": kind,
                "name": name if isinstance(name, str) else kind,
                "x": inside[0],
                "y": inside[1],
                "ldtk": kept({key: node.value[key] for key in rest if key in node}, node.place, self.notes),
            }
            if fields:
                entity["properties"] = fields
            yield entity

    def fields(self, owner: Node) -> Json:
        """The values of custom fields by name."""
        fields = (field for field in owner.list_of("fieldInstances"))
        values = {field.text("__identifier"): field.value.get("__value") for field in fields}
        result = kept(values, owner.at("fieldInstances"), self.notes)
        return result if isinstance(result, dict) else {}

    def background(self) -> Json:
        path = self.node.text("bgRelPath", "")
        found = self.uploads.find(path) if path else None
        if found is None:
            if path:
                message = f"The level's picture {path} was not uploaded along."
                self.notes.add("PICTURE_MISSING", self.node.at("bgRelPath"), message)
            return {}
        picture = probe(found[1], found[0])
        asset = self.pictures.add(found[1], path, found[0])
        x, y, across, down = 0.0, 0.0, 1.0, 1.0
        if "__bgPos" in self.node:
            position = self.node["__bgPos"]
            (left, top), (across, down) = _pair(position, "topLeftPx"), _pair(position, "scale")
            crop = position.value.get("cropRect")
            crop_x, crop_y = _pair(Node({"cropRect": crop[:2]}), "cropRect") if isinstance(crop, list) else (0, 0)
            x, y = left - crop_x * across, top - crop_y * down
        box = {"x": x, "y": y, "width": abs(picture.width * across), "height": abs(picture.height * down)}
        return {"background": {"asset_id": asset, **{key: value / self.cell for key, value in box.items()}}}


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
