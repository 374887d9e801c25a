"""Exports layers to Tiled: the original tree of groups, new layers next to their neighbours, the background."""

import base64
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from game.grid.document import EMPTY
from game.grid.formats.imported import Document, Notes
from game.grid.formats.pictures import probe
from game.grid.formats.projection import Frame, Point, Projection
from game.grid.formats.tile_data import encode_csv, encode_packed
from game.grid.formats.tiled import whole_cells
from game.grid.formats.tiled_export_objects import (
    Ids,
    clean_object,
    is_id,
    is_number,
    is_whole,
    own_properties,
)
from game.grid.formats.tiled_properties import as_object, objects_of

Json = dict[str, Any]

MAX_LISTED: Final = 1 << 20
"""A TMJ layer with more cells is written as base64, because a list of numbers would take gigabytes."""
_KEPT_ONLY: Final = ("parent", "asset_id", "background", "property_types", "properties", "objects", "layers")


@dataclass(frozen=True)
class Bounds:
    """The cells that are written: Tiled's cell for our (0, 0), the first column and row, and the size.

    An infinite map may state another size, `size`.
    """

    corner: tuple[int, int]
    first: tuple[int, int]
    width: int
    height: int
    infinite: bool
    size: tuple[int, int] | None = None

    @property
    def stated(self) -> tuple[int, int]:
        """The size in the map's attributes."""
        return self.size or (self.width, self.height)


class Skeleton:
    """The kept layers of a map from Tiled, in order, each with its groups; any of them may be invalid."""

    def __init__(self, kept: Json) -> None:
        items = [item for item in objects_of(kept.get("layers")) if is_id(item.get("id"))]
        self.items = list({item["id"]: item for item in reversed(items)}.values())[::-1]
        self.by_id = {item["id"]: item for item in self.items}
        self.parents: dict[int, int] = {}
        groups: set[int] = set()
        for item in self.items:
            if is_id(item.get("parent")) and item["parent"] in groups:
                self.parents[item["id"]] = item["parent"]
            if item.get("type") == "group":
                groups.add(item["id"])

    def groups(self, number: int) -> list[Json]:
        """The groups of a layer, from the innermost to the outermost. A group precedes its content."""
        result: list[Json] = []
        while (number := self.parents.get(number, 0)) and len(result) < len(self.items):
            result.append(self.by_id[number])
        return result

    def shift(self, number: int) -> Point:
        """The offset of a layer in screen pixels, including its groups'."""
        chain = [self.by_id[number], *self.groups(number)]
        return sum(_number(each, "offsetx", 0) for each in chain), sum(
            _number(each, "offsety", 0) for each in chain
        )

    def is_shown(self, number: int) -> bool:
        """Whether all groups of a layer are visible."""
        return all(group.get("visible", True) is not False for group in self.groups(number))

    def opacity(self, number: int) -> float:
        """The product of the opacities of a layer's groups."""
        result = 1.0
        for group in self.groups(number):
            result *= min(1, max(0, _number(group, "opacity", 1)))
        return result


def _number(item: Json, key: str, default: float) -> float:
    value = item.get(key, default)
    return value if is_number(value) else default


@dataclass
class Layers:
    """Writes the layers of a document. `embedded` returns a layer with its picture embedded."""

    document: Document
    kept: Json
    skeleton: Skeleton
    projection: Projection
    bounds: Bounds
    gids: Mapping[str, int]
    pictures: Mapping[str, bytes]
    embedded: Callable[[Json], Json]
    notes: Notes
    as_json: bool
    _revealed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        last = as_object(self.kept.get("map")).get("nextlayerid")
        self.ids = Ids([*self.skeleton.by_id, last - 1 if is_id(last) else None])
        size = self.document.get("width", 0), self.document.get("height", 0)
        self.frame = Frame(self.projection, self.bounds.corner, size, self.bounds.stated[1])

    def tree(self, things: dict[int | str, list[Json]], object_ids: Ids) -> list[Json]:
        """All layers as a tree: the kept ones in their original places, new ones after their neighbours.

        Takes the objects by the id of their layer, or by the name of a new one.
        """
        slots, loose = self.slots()
        for number, layers in slots.items():
            if any(layer.get("visible", True) for layer in layers):
                hidden = (group for group in self.skeleton.groups(number) if group.get("visible", True) is False)
                self._revealed.update(group["id"] for group in hidden)
        flat: list[tuple[int | None, Json]] = []
        groups: dict[int, Json] = {}
        for item in self.skeleton.items:
            number = item["id"]
            parent = self.skeleton.parents.get(number)
            match item.get("type"):
                case "tilelayer":
                    flat += [(parent, self.tile_layer(layer, item)) for layer in slots.get(number, [])]
                case "group":
                    groups[number] = self.kept_layer(item, layers=[])
                    flat.append((parent, groups[number]))
                case "objectgroup":
                    kept = [clean_object(thing) for thing in objects_of(item.get("objects"))]
                    for thing in kept:
                        thing["id"] = object_ids.take(thing.get("id"))
                    flat.append((parent, self.kept_layer(item, objects=kept + things.pop(number, []))))
                case "imagelayer" if self.is_wanted(item):
                    flat.append((parent, self.image_layer(item)))
        roots = self.new_background()
        for parent, layer in flat:
            (roots if parent is None else groups[parent]["layers"]).append(layer)
        pictures = next((at for at, layer in enumerate(roots) if layer["type"] != "imagelayer"), len(roots))
        roots[pictures:pictures] = [self.tile_layer(layer, {}) for layer in loose]
        made = {"type": "objectgroup", "visible": True, "opacity": 1, "draworder": "topdown", "x": 0, "y": 0}
        for name, objects in things.items():
            roots.append({**made, "name": name, "id": self.ids.take(), "objects": objects})
        return roots

    def slots(self) -> tuple[dict[int, list[Json]], list[Json]]:
        """The layers for each place of a kept layer that still exists, and the layers without such a place.

        The layers fill the places in order; a new one shares the place of the layer before it, or else the first.
        """
        layers = list(self.document.get("layers", []))
        numbers = [as_object(layer.get("tiled")).get("id") for layer in layers]
        tile_layers = [item["id"] for item in self.skeleton.items if item.get("type") == "tilelayer"]
        known = [number for number in tile_layers if number in numbers]
        if not known:
            return {}, layers
        places: dict[int, list[Json]] = {number: [] for number in known}
        at = 0
        seen: set[int] = set()
        for layer, number in zip(layers, numbers, strict=True):
            if is_id(number) and number in places and number not in seen:
                at += bool(seen)
                seen.add(number)
            places[known[at]].append(layer)
        return places, []

    def kept_layer(self, item: Json, **content: list[Json]) -> Json:
        """A kept layer without cells, with its present content."""
        layer = {key: value for key, value in item.items() if key not in _KEPT_ONLY}
        layer["properties"] = own_properties(item, item.get("property_types"), {}, "tiled.layers", self.notes)
        layer["id"] = self.ids.take(item["id"])
        if item["id"] in self._revealed:
            layer["visible"] = True
        elif self.is_revealed(item["id"]) and not self.skeleton.is_shown(item["id"]):
            layer["visible"] = False
        return {"visible": True, "opacity": 1, "x": 0, "y": 0, **layer, **content}

    def is_revealed(self, number: int) -> bool:
        """Whether a hidden group of the layer must be made visible."""
        return any(group["id"] in self._revealed for group in self.skeleton.groups(number))

    # Layers with cells

    def tile_layer(self, layer: Json, slot: Json) -> Json:
        """A layer in the place of a kept one; if `slot` is empty, in no group."""
        about = as_object(layer.get("tiled"))
        own = self.skeleton.by_id.get(about["id"], {}) if is_id(about.get("id")) else {}
        own = own if own.get("type") == "tilelayer" else {}
        # The import made names unique with numbers: restore the original name.
        name = about.get("name", "") if about.get("as") == layer["name"] else layer["name"]
        known = ("name", "visible", "opacity", "rows", "properties", "tiled")
        packed = {key: value for key, value in layer.items() if key not in known}
        item = {
            **{key: value for key, value in own.items() if key not in _KEPT_ONLY},
            "id": self.ids.take(own.get("id")),
            "name": str(name),
            "type": "tilelayer",
            "x": 0,
            "y": 0,
            "width": self.bounds.width,
            "height": self.bounds.height,
            **self.look(layer, about, slot),
            "properties": own_properties(layer, about.get("property_types"), packed, "layers", self.notes),
        }
        packing = {"encoding": "base64", "compression": "zlib"} if self.is_packed else {}
        return item | packing | self.cells(layer, item, slot)

    def look(self, layer: Json, about: Json, slot: Json) -> Json:
        """The visibility and opacity of a layer without its groups': the kept ones, if they still apply."""
        visible, opacity = layer.get("visible", True), layer.get("opacity", 1)
        if not slot or not self.skeleton.groups(slot["id"]):
            return {"visible": visible, "opacity": opacity}
        shown = all(
            group["id"] in self._revealed or group.get("visible", True) is not False
            for group in self.skeleton.groups(slot["id"])
        )
        own = about.get("visible", True) is not False
        limit = self.skeleton.opacity(slot["id"])
        was = _number(about, "opacity", 1)
        if abs(was * limit - opacity) > 1e-9:
            if opacity > limit:
                message = f"The layer {layer['name']} cannot be more opaque than its group."
                self.notes.add("OPACITY_LIMITED", "layers", message)
            was = min(1, opacity / limit) if limit else opacity
        return {"visible": own if (own and shown) == visible else visible, "opacity": was}

    def cells(self, layer: Json, item: Json, slot: Json) -> Json:
        """The cells of a layer, moved back by its offset; with another offset if some would be outside the map."""
        bounds = self.bounds
        chain = [item, *(self.skeleton.groups(slot["id"]) if slot else [])]
        shift = (
            sum(_number(each, "offsetx", 0) for each in chain),
            sum(_number(each, "offsety", 0) for each in chain),
        )
        right, down, _ = whole_cells(self.projection, shift)
        rows: list[str] = layer.get("rows") or [""] * self.document.get("height", 0)
        if bounds.infinite:
            cells = array("I", [self.gids[symbol] for row in rows for symbol in row])
            cells = cells or array("I", bytes(4)) * (bounds.width * bounds.height)
            area = {"x": bounds.corner[0] - right, "y": bounds.corner[1] - down}
            area |= {"width": bounds.width, "height": bounds.height}
            return {"chunks": [{**area, "data": self.encoded(cells)}] if cells else []}
        left, top = right + bounds.first[0], down + bounds.first[1]
        if (right or down) and self.would_lose(rows, left, top):
            across, high = self.projection.pitch
            x, y = self.projection.to_screen(right * across, down * high)
            offset = {"offsetx": _number(item, "offsetx", 0) - x, "offsety": _number(item, "offsety", 0) - y}
            return {**offset, "data": self.encoded(self.part(rows, *bounds.first))}
        cells = self.part(rows, left, top)
        self.put_outside(cells, as_object(layer.get("tiled")).get("outside"), right, down)
        return {"data": self.encoded(cells)}

    def put_outside(self, cells: "array[int]", outside: Any, right: int, down: int) -> None:
        """Restore the cells that were kept because the layer's offset moves them outside the map."""
        bounds = self.bounds
        for cell in outside if isinstance(outside, list) else ():
            if not isinstance(cell, list) or len(cell) != 3 or not all(map(is_whole, cell)):
                continue
            x, y, gid = cell
            ours = x + right + bounds.first[0], y + down + bounds.first[1]
            size = bounds.width + bounds.first[0], bounds.height + bounds.first[1]
            is_shown = all(0 <= place < side for place, side in zip(ours, size, strict=True))
            if not is_shown and 0 <= x < bounds.width and 0 <= y < bounds.height and 0 < gid < 1 << 32:
                cells[y * bounds.width + x] = gid

    def would_lose(self, rows: list[str], left: int, top: int) -> bool:
        """Whether cells are outside the map if a layer is written from this column and row on."""
        right, bottom = max(0, left + self.bounds.width), max(0, top + self.bounds.height)
        return any(
            (row if y < top or y >= bottom else row[: max(0, left)] + row[right:]).strip(EMPTY)
            for y, row in enumerate(rows)
        )

    def part(self, rows: list[str], left: int, top: int) -> "array[int]":
        """The global tile ids of the cells to write, from this column and row of the document on."""
        width, height = self.bounds.width, self.bounds.height
        cells = array("I", bytes(4)) * (width * height)
        for y in range(max(0, -top), min(height, len(rows) - top)):
            row = rows[top + y]
            start = max(0, -left)
            line = row[max(0, left) : max(0, left + width)]
            cells[y * width + start : y * width + start + len(line)] = array(
                "I", [self.gids[cell] for cell in line]
            )
        return cells

    def encoded(self, cells: "array[int]") -> list[int] | str:
        """Global tile ids in the encoding of the file."""
        if not self.as_json:
            return encode_csv(cells, self.bounds.width)
        return encode_packed(cells) if self.is_packed else cells.tolist()

    @property
    def is_packed(self) -> bool:
        """Whether the cells are written as compressed base64."""
        return self.as_json and self.bounds.width * self.bounds.height > MAX_LISTED

    # Pictures

    def is_wanted(self, item: Json) -> bool:
        """Whether an image layer is still needed: the background may have been replaced or removed."""
        background = as_object(self.document.get("background"))
        return item.get("background") is not True or item.get("asset_id") == background.get("asset_id")

    def image_layer(self, item: Json) -> Json:
        """A kept image layer; that of the background in the background's present position."""
        layer = self.kept_layer(self.embedded(dict(item)))
        if item.get("background") is True:
            own = _number(item, "offsetx", 0), _number(item, "offsety", 0)
            shift = self.skeleton.shift(item["id"])
            layer |= self.background_place((shift[0] - own[0], shift[1] - own[1]))
        return layer

    def background_place(self, outer: Point = (0, 0)) -> Json:
        """The offset of the background's layer, in groups with the offset `outer`."""
        background = as_object(self.document.get("background"))
        box = {"x": 0, "y": 0, "height": self.document.get("height", 0), **background}
        across, down = self.frame.shift(box["x"], box["y"], box["height"])
        return {"offsetx": round(across - outer[0], 6), "offsety": round(down - outer[1], 6)}

    def new_background(self) -> list[Json]:
        """An image layer for a background that was not imported from Tiled, below all others."""
        background = as_object(self.document.get("background"))
        asset = background.get("asset_id")
        items = self.skeleton.items
        if not asset or any(item.get("background") is True and self.is_wanted(item) for item in items):
            return []
        data = self.pictures.get(asset)
        if data is None or self.as_json:
            self.notes.add("BACKGROUND_LOST", "background", "The background picture could not be embedded.")
            return []
        picture = probe(data, "background")
        drawn, _ = self.frame.box((0, 0), (picture.width, picture.height))
        sides = "width", "height"
        usual = dict(zip(sides, self.frame.size, strict=True))
        stated = {key: background.get(key, usual[key]) for key in sides}
        scaled = any(abs(stated[key] - drawn[key]) > 1e-6 for key in sides)
        if scaled:
            self.notes.add("BACKGROUND_SCALED", "background", "Tiled shows the picture in its own size.")
        layer = {"type": "imagelayer", "name": "background", "id": self.ids.take(), **embedded_image(data)}
        layer |= self.background_place()
        packed = stated if scaled else {}
        layer["properties"] = own_properties({}, {}, packed, "background", self.notes)
        return [{"visible": True, "opacity": 1, "x": 0, "y": 0, **layer}]


def embedded_image(data: bytes) -> Json:
    """A picture as an embedded image (TMX only)."""
    picture = probe(data, "picture")
    return {
        "imagedata": base64.b64encode(data).decode(),
        "imageformat": picture.kind,
        "imagewidth": picture.width,
        "imageheight": picture.height,
    }
