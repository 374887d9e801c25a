"""Imports Tiled maps (TMX, TMJ).

Tiled's data that grid data cannot represent is kept under `tiled`: in the document (the map's attributes, the
tilesets, the templates, and every layer in Tiled's order), in a layer (its id), in an entity, wall, door or light
(its object), in a legend entry (its global tile id with flips).
Source: Tiled's TMX Map Format and JSON Map Format.
"""

from array import array
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from game.grid.document import Limits
from game.grid.formats.imported import Document, FormatError, ImportedMap, Notes, unique
from game.grid.formats.pictures import probe
from game.grid.formats.projection import Frame, Point, Projection, read_projection
from game.grid.formats.staggered import Block, Staggered
from game.grid.formats.strict import Node, kept
from game.grid.formats.tile_data import MAX_ID, decode
from game.grid.formats.tiled_objects import Objects
from game.grid.formats.tiled_properties import as_object, read_properties
from game.grid.formats.tiled_shapes import TileLooks
from game.grid.formats.tiled_templates import Templates
from game.grid.formats.tiled_tiles import Tiles, find_picture
from game.grid.formats.uploads import Pictures, Uploads

Json = dict[str, Any]

_THINGS: Final = ("legend", "layers", "entities", "walls", "doors", "lights", "background")
MODELLED: Final = frozenset(("width", "height", *_THINGS, "properties", "tiled"))
"""The keys of a document that are not packed into one property."""
MAX_GROUPS: Final = 16
EXACT: Final = 1e-6
"""Smaller fractions of a cell in the offset of a layer are ignored."""
MAX_LAYERS: Final = 1000
"""The maximum number of layers of all kinds; layers with cells also count for the limits of a document."""
MAX_OUTSIDE: Final = 10_000
"""The maximum number of cells outside the map that are kept of a layer, for an export to Tiled."""
_NOT_KEPT: Final = ("data", "chunks", "objects", "layers", "properties", "imagedata", "asset_id", "background")
_OF_CELLS: Final = ("name", "visible", "opacity", "width", "height", "x", "y", "encoding", "compression")


def read_tiled(tmj: Node, name: str, uploads: Uploads, limits: Limits) -> ImportedMap:
    """Import a Tiled map in the structure of TMJ. Raises FormatError."""
    reader = _Reader(tmj, uploads, limits)
    document = reader.document()
    return ImportedMap(name, "", document, reader.pictures.files)


def whole_cells(projection: Projection, shift: Point) -> tuple[int, int, bool]:
    """A layer's offset in screen pixels, as whole cells: columns, rows, and whether it is exact.

    Across the lines of a hexagonal map it is an even number, so that shifted lines remain shifted.
    """
    x, y = projection.moved(0, 0, *shift)
    pitch = projection.pitch
    steps = [1, 1]
    if projection.staggered:
        steps[projection.axis == "y"] = 2
    moves = [step * round(pixels / (size * step)) for pixels, size, step in zip((x, y), pitch, steps, strict=True)]
    left = [abs(pixels / size - move) for pixels, size, move in zip((x, y), pitch, moves, strict=True)]
    return moves[0], moves[1], max(left) < EXACT


@dataclass(frozen=True)
class Shown:
    """The offset in screen pixels, visibility and opacity of a layer, including those of its groups."""

    shift: Point = (0, 0)
    visible: bool = True
    opacity: float = 1

    def within(self, node: Node) -> "Shown":
        """The same of a layer in this one."""
        across, down = self.shift
        return Shown(
            (across + node.number("offsetx", 0), down + node.number("offsety", 0)),
            self.visible and node.flag("visible", True),
            self.opacity * min(1, max(0, node.number("opacity", 1))),
        )


class _Reader:
    def __init__(self, tmj: Node, uploads: Uploads, limits: Limits) -> None:
        tmj, self.staggered = Staggered.of(tmj, limits)
        self.map = tmj
        self.uploads, self.notes, self.limits = uploads, uploads.notes, limits
        self.pictures = Pictures()
        self.infinite = tmj.flag("infinite", False)
        self.width = tmj.integer("width", 0, limits.max_size)
        self.height = tmj.integer("height", 0, limits.max_size)
        self.left = self.top = 0
        self.width_in_tiled, self.height_in_tiled = self.width, self.height
        self.projection = read_projection(tmj, self.notes)
        self.shown: list[Shown] = []
        self.outside: dict[int, list[list[int]]] = {}
        """Cells that a layer's offset moves outside the map: [column, row, global tile id] in Tiled's layer."""
        self.layers = self.read_layers()

    def document(self) -> Document:
        """The whole map; its parts are read in the order of their dependencies."""
        tmj = self.map
        tiles = Tiles(tmj, self.projection, self.uploads, self.pictures, self.limits)
        if self.staggered:
            for tileset in tiles.tilesets:
                tileset.raw = self.staggered.tileset(tileset.raw)
        cells = {
            index: self.blocks(index, node)
            for index, (node, item) in enumerate(self.layers)
            if _is(item, "tilelayer")
        }
        if self.infinite:
            self.grow(cells)
        self.straighten()
        grids = {index: self.grid(index, blocks) for index, blocks in cells.items()}
        legend, symbols = tiles.legend(set().union(*grids.values()))
        values, types, packed = read_properties(tmj, self.notes)
        document: Document = {
            "width": self.width,
            "height": self.height,
            "grid_type": self.projection.grid_type,
            **{key: value for key, value in packed.items() if key not in MODELLED},
            "legend": legend,
            "layers": self.tile_layers(grids, symbols),
            "entities": [],
            "walls": [],
            "doors": [],
            "lights": [],
            "properties": {**values, **as_object(packed.get("properties"))},
        }
        if self.projection.grid_type != "square" or document["grid_type"] != "none":
            document["grid_type"] = self.projection.grid_type
        templates = Templates(tiles)
        self.things(document, tiles, templates)
        document["tiled"] = self.about(tiles, templates, types)
        return {key: value for key, value in document.items() if value not in ([], {})}

    def things(self, document: Document, tiles: Tiles, templates: Templates) -> None:
        """Add the content of the layers without cells: objects, and the background."""
        looks = TileLooks(tileset.raw for tileset in tiles.tilesets)
        objects = Objects(document, self.projection, (self.left, self.top), looks, templates, self.limits)
        objects.staggered = self.staggered
        for node, item in self.layers:
            if _is(item, "objectgroup"):
                objects.numbers.reserve(node.parts("objects", "OBJECT_UNREADABLE", Notes()))
        for (node, item), shown in zip(self.layers, self.shown, strict=True):
            if _is(item, "objectgroup"):
                objects.read_layer(node, item, shown.shift)
            elif _is(item, "imagelayer"):
                self.image_layer(node, item, document, shown)
            if not _is(item, "tilelayer"):
                self.keep_properties(node, item)

    def about(self, tiles: Tiles, templates: Templates, types: Json) -> Json:
        """The data that the map keeps for an export to Tiled."""
        without = ("width", "height", "layers", "tilesets", "properties", "type")
        attributes = {key: value for key, value in self.map.value.items() if key not in without}
        result: Json = {
            "map": kept(attributes, "", self.notes),
            "tilesets": [tileset.raw for tileset in tiles.tilesets if not tileset.generated],
            "layers": [item for _, item in self.layers],
        }
        if types:
            result["property_types"] = types
        if kept_templates := templates.as_kept():
            result["templates"] = kept_templates
        if self.infinite or self.left or self.top:
            result["origin"] = {"x": self.left, "y": self.top}
        if self.infinite:
            # The stated size of an infinite map is unrelated to its cells.
            result["size"] = {"width": self.width_in_tiled, "height": self.height_in_tiled}
        return result

    def read_layers(self) -> list[tuple[Node, Json]]:
        """Every layer in Tiled's order, a group before its content: (its node, the data that is kept of it).

        Each gets a unique id, because Tiled before 1.2 did not write any; `parent` is the id of its group.
        """
        layers: list[tuple[Node, Json]] = []
        parents: list[int | None] = []

        def walk(owner: Node, parent: int | None, outer: Shown, depth: int) -> None:
            if depth > MAX_GROUPS:
                raise owner.fail(f"groups are nested more than {MAX_GROUPS} deep")
            for node in owner.list_of("layers"):
                if self.staggered and node.text("type") == "imagelayer":
                    node = self.staggered.picture(node, self.height)
                item = self.about_layer(node)
                shown = outer.within(node)
                layers.append((node, item))
                parents.append(parent)
                self.shown.append(shown)
                if _is(item, "group"):
                    walk(node, len(layers) - 1, shown, depth + 1)

        walk(self.map, None, Shown(), 0)
        if len(layers) > MAX_LAYERS:
            raise FormatError("layers", f"has more than {MAX_LAYERS} layers")
        used: set[int] = set()
        last = max((node.integer("id", 0, MAX_ID, 0) for node, _ in layers), default=0)
        for node, item in layers:
            number = node.integer("id", 0, MAX_ID, 0)
            if not number or number in used:
                number = last = last + 1
            item["id"] = number
            used.add(number)
        for (_, item), parent in zip(layers, parents, strict=True):
            if parent is not None:
                item["parent"] = layers[parent][1]["id"]
        return layers

    def about_layer(self, node: Node) -> Json:
        """The data that is kept of a layer; for a layer with cells, what grid data cannot represent."""
        kind = node.text("type")
        if kind not in ("tilelayer", "objectgroup", "imagelayer", "group"):
            raise FormatError(node.at("type"), "must be tilelayer, objectgroup, imagelayer or group")
        without = {*_NOT_KEPT, "id", "parent"}
        if kind == "tilelayer":
            without.update(_OF_CELLS)
        item = {key: value for key, value in node.value.items() if key not in without}
        result = kept(item, node.place, self.notes)
        assert isinstance(result, dict)
        return result

    def keep_properties(self, node: Node, item: Json) -> None:
        values, types, _ = read_properties(node, self.notes)
        if values:
            item["properties"] = values
        if types:
            item["property_types"] = types

    def blocks(self, index: int, node: Node) -> list[Block]:
        """The cells of a layer, moved by its offset. They are counted before anything is decompressed."""
        right, down, is_exact = whole_cells(self.projection, self.shown[index].shift)
        if not is_exact:
            message = "The layer is shifted by a fraction of a cell; its cells were moved to the nearest cells."
            self.notes.add("LAYER_OFFSET", node.place, message)
        encoding, compression = node.text("encoding", "csv"), node.text("compression", "")
        parts = list(node.list_of("chunks")) if "chunks" in node else [node]
        usual = self.staggered or self
        blocks = []
        for part in parts:
            width = part.integer("width", 0, self.limits.max_size, usual.width)
            height = part.integer("height", 0, self.limits.max_size, usual.height)
            x, y = part.integer("x", -MAX_ID, MAX_ID, 0), part.integer("y", -MAX_ID, MAX_ID, 0)
            cells = self.uploads.count_cells(width, height, part.place)
            data = part["data"] if cells or "data" in part else Node([], part.at("data"))
            blocks.append(Block(x, y, width, height, decode(data, encoding, compression, cells)))
        if self.staggered:
            blocks = self.staggered.turned(blocks, partial(self.count, node.place))
        return [replace(block, x=block.x + right, y=block.y + down) for block in blocks]

    def count(self, place: str, width: int, height: int) -> int:
        """Count the cells of a layer before it is created. Raises FormatError if it is larger than a map."""
        if max(width, height) > self.limits.max_size:
            message = f"covers {width} x {height} cells; a side has at most {self.limits.max_size}"
            raise FormatError(place, message)
        return self.uploads.count_cells(width, height, place)

    def grow(self, cells: dict[int, list[Block]]) -> None:
        """Set the bounds of an infinite map to those of its chunks."""
        blocks = [block for layer in cells.values() for block in layer if block.width and block.height]
        if not blocks:
            return
        self.left, self.top = min(block.x for block in blocks), min(block.y for block in blocks)
        self.width = max(block.x + block.width for block in blocks) - self.left
        self.height = max(block.y + block.height for block in blocks) - self.top
        if max(self.width, self.height) > self.limits.max_size:
            size = f"{self.width} x {self.height}"
            raise FormatError(
                "layers", f"the chunks cover {size} cells; a side has at most {self.limits.max_size}"
            )

    def straighten(self) -> None:
        """Add an empty first line if Tiled's first line of hexes is shifted: in our grids, the second one is.

        Distances and paths depend on it.
        """
        if self.projection.orientation != "hexagonal" or not self.projection.is_shifted(self.left, self.top):
            return
        rows = self.projection.axis == "y"
        if (self.height if rows else self.width) == self.limits.max_size:
            message = "The even lines are shifted in the file, the odd ones here; the map is too large to add one."
            self.notes.add("STAGGER_EVEN", "staggerindex", message)
            return
        if rows:
            self.top, self.height = self.top - 1, self.height + 1
        else:
            self.left, self.width = self.left - 1, self.width + 1
        line = "row was added at the top" if rows else "column was added at the left"
        message = f"An empty {line}: the shifted lines of our hexagonal grids are the odd ones."
        self.notes.add("ROW_ADDED", "staggerindex", message)

    def grid(self, index: int, blocks: list[Block]) -> "array[int]":
        """The cells of a layer within the map's bounds."""
        place = self.layers[index][0].place
        if len(blocks) == 1 and (blocks[0].x, blocks[0].y) == (self.left, self.top):
            only = blocks[0]
            if (only.width, only.height) == (self.width, self.height):
                return only.gids
        result = array("I", bytes(4)) * self.uploads.count_cells(self.width, self.height, place)
        right, down, _ = whole_cells(self.projection, self.shown[index].shift)
        outside: list[list[int]] = []
        lost = 0
        for block in blocks:
            x, y = block.x - self.left, block.y - self.top
            first, last = max(0, -x), min(block.width, self.width - x)
            for row in range(block.height):
                line = block.gids[row * block.width : (row + 1) * block.width]
                inside = line[first:last] if 0 <= y + row < self.height and first < last else line[:0]
                if hidden := len(line) - line.count(0) - len(inside) + inside.count(0):
                    lost += hidden
                    if lost <= MAX_OUTSIDE:
                        shown = range(first, last) if inside else range(0)
                        own = block.x - right, block.y - down + row
                        outside += [
                            [own[0] + at, own[1], gid] for at, gid in enumerate(line) if gid and at not in shown
                        ]
                at = (y + row) * self.width + x + first
                if inside:
                    result[at : at + len(inside)] = inside
        if lost:
            fits = lost <= MAX_OUTSIDE
            fate = "they are kept, and not shown" if fits else "they were left out"
            self.notes.add("CELLS_OUTSIDE", place, f"{lost} cells lie outside the map; {fate}.")
            if fits:
                self.outside[index] = outside
        return result

    def tile_layers(self, grids: dict[int, "array[int]"], symbols: dict[int, str]) -> list[Json]:
        layers: list[Json] = []
        names: set[str] = set()
        for index, gids in grids.items():
            node, item = self.layers[index]
            name = unique(node.text("name", "") or f"Layer {index + 1}", names)
            text = "".join(map(symbols.__getitem__, gids))
            rows = [text[at : at + self.width] for at in range(0, len(text), self.width or 1)]
            layer: Json = {"name": name}
            shown = self.shown[index]
            if not shown.visible:
                layer["visible"] = False
            if shown.opacity != 1:
                layer["opacity"] = shown.opacity
            about: Json = {"id": item["id"]} | {
                key: node.value[key] for key in ("visible", "opacity") if key in node and "parent" in item
            }
            values, types, packed = read_properties(node, self.notes)
            layer |= {key: value for key, value in packed.items() if key not in ("name", "rows", "tiled")}
            if values or "properties" in layer:
                layer["properties"] = values | as_object(packed.get("properties"))
            layer["rows"] = rows or [""] * self.height
            if index in self.outside:
                about["outside"] = self.outside[index]
            layer["tiled"] = {**about, **({"property_types": types} if types else {})}
            if (original := node.text("name", "")) != name:
                layer["tiled"] |= {"name": original, "as": name}
            layers.append(layer)
        return layers

    def image_layer(self, node: Node, item: Json, document: Document, shown: Shown) -> None:
        """Keep an image layer; the first visible one whose picture was uploaded becomes the map's background."""
        found = find_picture(node, self.uploads, self.pictures)
        if found is None:
            return
        item["asset_id"] = found[0]
        if "background" in document or not shown.visible:
            message = "A map shows one background; this one, another or a hidden one, is kept."
            self.notes.add("IMAGE_LAYER_NOT_SHOWN", node.place, message)
            return
        picture = probe(found[1], node.at("image"))
        frame = Frame(self.projection, (self.left, self.top), (self.width, self.height), self.height_in_tiled)
        box, is_exact = frame.box(shown.shift, (picture.width, picture.height))
        if not is_exact:
            message = "On an isometric map a background is twice as wide as high; it is shown stretched."
            self.notes.add("BACKGROUND_SCALED", node.at("image"), message)
        packed = read_properties(node, self.notes)[2]
        stated = {key: value for key, value in packed.items() if key in box and isinstance(value, int | float)}
        document["background"] = {"asset_id": found[0], **box, **stated}
        item["background"] = True


def _is(item: Json, kind: str) -> bool:
    return bool(item["type"] == kind)
