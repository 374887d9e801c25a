"""The objects of Tiled's object layers to entities, walls, doors and lights."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from game.grid.document import Limits
from game.grid.formats.imported import Document, Notes
from game.grid.formats.legend import is_entry
from game.grid.formats.projection import Projection
from game.grid.formats.strict import Node, kept
from game.grid.formats.tile_data import MAX_ID
from game.grid.formats.tiled_properties import as_object, our_color, read_properties

Json = dict[str, Any]

SHAPES: Final = ("point", "ellipse", "capsule", "polygon", "polyline", "text")
DIGITS: Final = 6
"""Decimals of a place in cells: finer than a pixel, coarser than what a division leaves."""


def anchor(item: Node, isometric: bool) -> tuple[float, float]:
    """The pixel that says in which cell an object is: its corner, or the middle of a tile object."""
    x, y = item.number("x", 0), item.number("y", 0)
    if "gid" in item and not isometric:  # a tile object stands on its position, at the left
        return x + item.number("width", 0) / 2, y - item.number("height", 0) / 2
    return x, y


def shape_of(item: Node) -> str:
    """The name of an object's shape."""
    if "gid" in item:
        return "tile"
    return next((shape for shape in SHAPES if item.value.get(shape)), "rectangle")


class Objects:
    """Reads object layers: entities, and the walls, doors and lights that are objects of these classes."""

    def __init__(
        self, document: Document, projection: Projection, left: int, top: int, notes: Notes, limits: Limits
    ) -> None:
        """Takes the document to add to, and the cell of Tiled's map that is our cell (0, 0)."""
        self.document, self.projection, self.notes = document, projection, notes
        self.left, self.top, self.limits = left, top, limits
        self.width, self.height = document["width"], document["height"]
        self.used: set[str] = set()
        self.spare = 0

    def read_layer(self, layer: Node, item: Json) -> None:
        """Read a layer's objects. On a map without cells they have no place, and are kept in the layer."""
        if not self.width or not self.height:
            objects = [node.value for node in layer.list_of("objects")]
            if objects:
                self.notes.add("OBJECTS_NOT_SHOWN", layer.place, "The map has no cells; its objects are kept.")
                item["objects"] = kept(objects, layer.at("objects"), self.notes)
            return
        shift = layer.number("offsetx", 0), layer.number("offsety", 0)
        for node in layer.list_of("objects"):
            self.read_object(node, item["id"], shift)

    def read_object(self, node: Node, layer: int, shift: tuple[float, float]) -> None:
        """Read an object of the layer with this id; `shift` is the layer's offset in pixels."""
        kind = node.text("type", "") or node.text("class", "")
        values, types, packed = read_properties(node, self.notes)
        shape = shape_of(node)
        raw = {
            key: value for key, value in node.value.items() if key not in ("name", "type", "class", "properties")
        }
        tiled: Json = {"layer": layer, **kept(raw, node.place, self.notes)}
        if types:
            tiled["property_types"] = types
        if "template" in node:
            message = "The object's template was not read; the reference to it is kept."
            self.notes.add("TEMPLATE_NOT_READ", node.place, message)
        thing: Json = {key: value for key, value in packed.items() if key != "properties"}
        values |= as_object(packed.get("properties"))
        known = kind.casefold()
        about = {"name": node.text("name", ""), "type": kind}
        feature = tiled | {key: text for key, text in about.items() if text not in ("", "wall", "door", "light")}
        if known in ("wall", "door") and shape in ("polyline", "polygon"):
            for segment in self.segments(node, shape, shift):
                self.add_segment(node, known + "s", {**thing, **segment}, values, feature)
        elif known == "light" and shape in ("point", "ellipse"):
            self.add_light(node, thing, values, feature, shift)
        else:
            self.add_entity(node, thing, kind, values, tiled, shift)

    def add(self, key: str, thing: Json, node: Node) -> None:
        """Add to the document, as long as it may hold more of the kind."""
        most = {
            "entities": self.limits.max_entities,
            "walls": self.limits.max_walls,
            "doors": self.limits.max_doors,
            "lights": self.limits.max_lights,
        }[key]
        if len(self.document[key]) == most:
            raise node.fail(f"is one too many: a map has at most {most} {key}")
        self.document[key].append(thing)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Cells and their fractions in our map, of pixels in Tiled's."""
        across, down = self.projection.to_cells(x, y)
        return round(across, DIGITS) - self.left, round(down, DIGITS) - self.top

    def segments(self, node: Node, shape: str, shift: tuple[float, float]) -> Iterator[Json]:
        """The lines of a polyline or polygon, in cells; turned by the object's rotation (clockwise)."""
        x, y = node.number("x", 0) + shift[0], node.number("y", 0) + shift[1]
        angle = math.radians(node.number("rotation", 0))
        cosine, sine = math.cos(angle), math.sin(angle)
        corners = []
        for corner in node.list_of(shape):
            across, down = corner.number("x"), corner.number("y")
            if angle:
                across, down = across * cosine - down * sine, across * sine + down * cosine
            corners.append(self.place(x + across, y + down))
        if shape == "polygon" and len(corners) > 2:
            corners.append(corners[0])
        for (x1, y1), (x2, y2) in pairwise(corners):
            yield {"x1": x1, "y1": y1, "x2": x2, "y2": y2}

    def add_segment(self, node: Node, key: str, segment: Json, values: Json, tiled: Json) -> None:
        """Add a wall or a door. Of the object, what is not its shape is kept."""
        rest = dict(values)
        rules: dict[str, Any] = {"blocks_movement": bool, "blocks_sight": bool}
        rules |= {"state": str, "secret": bool} if key == "doors" else {}
        for name, kind in rules.items():
            if isinstance(rest.get(name), kind):
                segment[name] = rest.pop(name)
        if rest:
            segment["properties"] = rest
        shape = ("id", "x", "y", "width", "height", "rotation", "visible", "polyline", "polygon")
        segment["tiled"] = {name: value for name, value in tiled.items() if name not in shape}
        self.add(key, segment, node)

    def add_light(self, node: Node, light: Json, values: Json, tiled: Json, shift: tuple[float, float]) -> None:
        """Add a light; an ellipse without a range shines as far as it reaches."""
        rest = dict(values)
        width, height = node.number("width", 0), node.number("height", 0)
        left, top = node.number("x", 0) + shift[0], node.number("y", 0) + shift[1]
        light["x"], light["y"] = self.place(left + width / 2, top + height / 2)
        if width > 0:
            light["range"] = self.projection.to_cells(width / 2, 0)[0]
        for name in ("range", "intensity"):
            if type(rest.get(name)) in (int, float) and rest[name] >= 0:
                light[name] = rest.pop(name)
        if isinstance(rest.get("color"), str) and is_entry({"color": our_color(rest["color"])}):
            light["color"] = our_color(rest.pop("color"))
        if rest:
            light["properties"] = rest
        shape = ("id", "x", "y", "width", "height", "rotation", "visible", "point", "ellipse")
        light["tiled"] = {name: value for name, value in tiled.items() if name not in shape}
        self.add("lights", light, node)

    def add_entity(
        self, node: Node, thing: Json, kind: str, values: Json, tiled: Json, shift: tuple[float, float]
    ) -> None:
        """Add an entity, in the cell that its object's anchor lies in."""
        x, y = anchor(node, self.projection.orientation == "isometric")
        column, row = self.projection.cell(x + shift[0], y + shift[1])
        column, row = column - self.left, row - self.top
        inside = min(max(column, 0), self.width - 1), min(max(row, 0), self.height - 1)
        if max(abs(column - inside[0]), abs(row - inside[1])) > 1:
            self.notes.add(
                "OBJECT_OUTSIDE", node.place, "The object lies outside the map; it was put at its edge."
            )
        if not kind:
            tiled["type"] = ""
        entity: Json = {
            **thing,
            "id": self.entity_id(node, thing.get("id")),
            "kind": kind or shape_of(node),
            "name": node.text("name", ""),
            "x": inside[0],
            "y": inside[1],
        }
        if values:
            entity["properties"] = values
        entity["tiled"] = tiled
        self.add("entities", entity, node)

    def entity_id(self, node: Node, wish: Any) -> str:
        """An id of its own: what our export wrote, or else Tiled's number."""
        number = node.integer("id", 0, MAX_ID, 0)
        result = wish if isinstance(wish, str) and 0 < len(wish) <= 64 else str(number or "")
        while result in self.used or not result:
            self.spare += 1
            result = f"object-{self.spare}"
        self.used.add(result)
        return result
