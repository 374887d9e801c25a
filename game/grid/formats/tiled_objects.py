"""Imports the objects of Tiled's object layers as entities, walls, doors and lights.

Each keeps its object under `tiled`, without its name, class and custom properties. A line with several corners
becomes several walls: the first keeps the object, the others only its id.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from game.grid.document import Limits
from game.grid.formats.imported import Document, TooLarge, unique
from game.grid.formats.legend import is_entry
from game.grid.formats.projection import Point, Projection
from game.grid.formats.staggered import Staggered
from game.grid.formats.strict import Node, kept
from game.grid.formats.tile_data import MAX_ID
from game.grid.formats.tiled_properties import as_object, modern_properties, our_color, read_properties
from game.grid.formats.tiled_shapes import Shape, TileLooks, read_shape, shape_of
from game.grid.formats.tiled_templates import Templates

Json = dict[str, Any]

DIGITS: Final = 5
"""Decimals of a position in cells: finer than a pixel, coarser than the decimals that Tiled writes."""
MAX_ENTITY_ID: Final = 64
"""The maximum length of an id."""
_OWN_KEYS: Final = ("name", "type", "class", "properties")
"""Keys of an object that are not kept under `tiled`, because entities have their own keys for them."""
AS_ENTITY: Final = "as_entity"
"""A key of the packed data: the object is an entity, although it could be a wall, a door or a light."""


@dataclass(frozen=True)
class Found:
    """An object of a file: its node merged with its template, and the offset of its layer.

    `name` and `kind` are its name and class, `usual_kind` the kind of such an object without a class, `values` its
    custom properties, `packed` what our export packed into them, `tiled` what is kept of it.
    """

    node: Node
    shape: Shape
    shift: Point
    name: str
    kind: str
    usual_kind: str
    values: Json
    packed: Json
    tiled: Json

    @property
    def hidden(self) -> Json:
        """The key that hides a thing from players, if its object is invisible in Tiled."""
        return {} if self.node.flag("visible", True) else {"hidden": True}

    def moved(self, projection: Projection, x: float, y: float) -> Point:
        """A position in map pixels, moved by the offset of the layer."""
        return projection.moved(x, y, *self.shift)


def segments(shape: Shape, shift: Point, projection: Projection, origin: Point) -> Iterator[Json]:
    """The line segments of a polyline or a polygon, in our points."""
    corners = [
        place(projection, origin, *projection.moved(*corner, *shift)) for corner in shape.outline(projection)
    ]
    if shape.kind == "polygon" and len(corners) > 2:
        corners.append(corners[0])
    for (x1, y1), (x2, y2) in pairwise(corners):
        yield {"x1": x1, "y1": y1, "x2": x2, "y2": y2}


def place(projection: Projection, origin: Point, x: float, y: float) -> Point:
    """A position in map pixels as one of our points; `origin` is the offset of our cell (0, 0) from Tiled's."""
    px, py = projection.to_point(x, y)
    return round(px - origin[0], DIGITS), round(py - origin[1], DIGITS)


def is_light(shape: Shape) -> bool:
    """Whether an object of the class `light` is a light: it has a centre, and is no rectangle without a size."""
    if shape.kind == "rectangle":
        return bool(shape.width or shape.height)
    return shape.kind in ("point", "ellipse", "capsule", "tile", "polygon")


class Numbers:
    """Gives each object a unique id: Tiled before 0.12 wrote none, and a file may contain duplicates."""

    def __init__(self) -> None:
        self.used: set[int] = set()
        self.next = 1

    def reserve(self, nodes: Iterable[Node]) -> None:
        """Reserve the ids of these objects."""
        numbers = (node.value.get("id") for node in nodes)
        self.next = max(self.next, 1 + max((each for each in numbers if _is_number(each)), default=0))

    def numbered(self, node: Node) -> Node:
        """An object with its own id, or with the next free one."""
        number = node.value.get("id")
        if not _is_number(number) or number in self.used:
            number, self.next = self.next, self.next + 1
            node = Node({**node.value, "id": number}, node.place)
        self.used.add(number)
        return node


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 < value < MAX_ID


class Objects:
    """Reads object layers: objects of the classes wall, door and light, and all others as entities."""

    def __init__(
        self,
        document: Document,
        projection: Projection,
        corner: tuple[int, int],
        looks: TileLooks,
        templates: Templates,
        limits: Limits,
    ) -> None:
        """Takes the document to which things are added, and the cell of Tiled's map that is our cell (0, 0)."""
        self.document, self.projection, self.notes = document, projection, templates.uploads.notes
        self.corner, self.origin = corner, projection.origin(*corner)
        self.looks, self.templates, self.limits = looks, templates, limits
        self.width, self.height = document["width"], document["height"]
        self.used: set[str] = set()
        self.doors: set[str] = set()
        self.numbers = Numbers()
        self.staggered: Staggered | None = None

    def read_layer(self, layer: Node, item: Json, shift: Point) -> None:
        """Read the objects of a layer; `shift` is its offset in screen pixels.

        On a map without cells they cannot be entities, and are kept with the layer.
        """
        nodes = list(layer.parts("objects", "OBJECT_UNREADABLE", self.notes))
        if not self.width or not self.height:
            if nodes:
                self.notes.add("OBJECTS_NOT_SHOWN", layer.place, "The map has no cells; its objects are kept.")
                objects = [modern_properties(node.value) for node in nodes]
                item["objects"] = kept(objects, layer.at("objects"), self.notes)
            return
        for index, node in enumerate(nodes):
            node = self.numbers.numbered(node)
            about = {"layer": item["id"]} | ({"index": index} if item.get("draworder") == "index" else {})
            with self.notes.skipping("OBJECT_UNREADABLE"):
                self.read_object(node, about, shift)

    def read_object(self, node: Node, about: Json, shift: Point) -> None:
        """Read an object; `about` is the data to keep of its place in the file."""
        found = self.find(node, about, shift)
        shape, known = found.shape, found.kind.casefold()
        if AS_ENTITY in found.packed:
            self.add_entity(found)
        elif known in ("wall", "door") and shape.kind in ("polyline", "polygon"):
            self.add_segments(found, known + "s")
        elif known == "light" and is_light(shape):
            self.add_light(found)
        else:
            self.add_entity(found)

    def find(self, own: Node, about: Json, shift: Point) -> Found:
        """An object merged with its template. Raises FormatError."""
        node = Node(modern_properties(own.value, 0), own.place)
        raw = {key: value for key, value in node.value.items() if key not in _OWN_KEYS}
        look = self.looks.of(node.value.get("gid"))
        template = self.templates.find(node.text("template"), node.place) if "template" in node else None
        if template:
            look = look if "gid" in node else template.look
            node = Node(template.merged(node.value), node.place)
        usual_kind = look.kind or shape_of(node.value)
        if self.staggered:
            # The values of the template were converted too, so the object no longer needs it.
            node = self.staggered.object(node, look)
            without = (*_OWN_KEYS, "template") if template else _OWN_KEYS
            raw = {key: value for key, value in node.value.items() if key not in without}
        shape = read_shape(node, look, self.projection)
        if shape.kind == "tile" and not template and "template" not in node and shape.width and shape.height:
            raw = {**raw, "width": shape.width, "height": shape.height}
        values, types, packed = read_properties(node, self.notes)
        tiled: Json = {**kept(raw, node.place, self.notes), **about}
        if types:
            tiled["property_types"] = types
        return Found(
            node,
            shape,
            shift,
            node.text("name", ""),
            node.text("type", "") or node.text("class", ""),
            usual_kind,
            values | as_object(packed.get("properties")),
            {key: value for key, value in packed.items() if key != "properties"},
            tiled,
        )

    def add(self, key: str, thing: Json, node: Node) -> None:
        """Add a thing to the document. Raises TooLarge if there are too many."""
        limit = {
            "entities": self.limits.max_entities,
            "walls": self.limits.max_walls,
            "doors": self.limits.max_doors,
            "lights": self.limits.max_lights,
        }[key]
        if len(self.document[key]) == limit:
            raise TooLarge(node.place, f"is too many: a map has at most {limit} {key}")
        self.document[key].append(thing)

    def feature(self, found: Found, usual: str, values: Json) -> Json:
        """What walls, doors and lights keep of their object, and the properties that are not their fields."""
        about = {"name": found.name, "type": found.kind}
        tiled = found.tiled | {key: text for key, text in about.items() if text not in ("", usual)}
        return {**({"properties": values} if values else {}), "tiled": tiled}

    def add_segments(self, found: Found, key: str) -> None:
        """Add the walls or doors of an object: one for each segment of its line."""
        rest = dict(found.values)
        rules: dict[str, Any] = {"blocks_movement": bool, "blocks_sight": bool}
        rules |= {"state": str, "secret": bool} if key == "doors" else {}
        own = {name: rest.pop(name) for name, kind in rules.items() if isinstance(rest.get(name), kind)}
        if own.get("state") not in (None, "open", "closed", "locked"):
            rest["state"] = own.pop("state")
        feature = self.feature(found, key[:-1], rest)
        for part, segment in enumerate(segments(found.shape, found.shift, self.projection, self.origin)):
            thing = {**found.packed, **segment, **own, **feature}
            if part:
                thing["tiled"] = {"layer": found.tiled["layer"], "id": found.tiled.get("id"), "part": part}
            if key == "doors":
                thing["id"] = self.door_id(found, part)
            self.add(key, thing, found.node)

    def door_id(self, found: Found, part: int) -> str:
        """A door's id: the one that our export wrote, or else Tiled's; numbered for further parts of a line."""
        number = found.tiled["id"]
        return self.own_id(found.packed.get("id"), f"{number}-{part + 1}" if part else str(number), self.doors)

    def own_id(self, preferred: Any, default: str, used: set[str]) -> str:
        """The preferred id if it is valid, or else `default`; with a number if it is in `used`."""
        is_id = isinstance(preferred, str) and 0 < len(preferred) <= MAX_ENTITY_ID
        return unique(preferred if is_id else default, used, MAX_ENTITY_ID)

    def add_light(self, found: Found) -> None:
        """Add a light in the centre of its object; without a range, it shines as far as the object extends."""
        light, rest = dict(found.packed), dict(found.values)
        middle = found.moved(self.projection, *found.shape.middle(self.projection))
        light["x"], light["y"] = place(self.projection, self.origin, *middle)
        if reach := found.shape.reach():
            light["range"] = round(reach / self.projection.unit[0], DIGITS)
        for name in ("range", "intensity"):
            if type(rest.get(name)) in (int, float) and rest[name] >= 0:
                light[name] = rest.pop(name)
        if isinstance(rest.get("color"), str) and is_entry({"color": our_color(rest["color"])}):
            light["color"] = our_color(rest.pop("color"))
        self.add("lights", {**light, **found.hidden, **self.feature(found, "light", rest)}, found.node)

    def add_entity(self, found: Found) -> None:
        """Add an entity, in the cell of its object's anchor."""
        column, row = self.projection.cell(*found.moved(self.projection, *found.shape.anchor(self.projection)))
        column, row = column - self.corner[0], row - self.corner[1]
        inside = min(max(column, 0), self.width - 1), min(max(row, 0), self.height - 1)
        if max(abs(column - inside[0]), abs(row - inside[1])) > 1:
            message = "The object lies outside the map; it was moved to the edge."
            self.notes.add("OBJECT_OUTSIDE", found.node.place, message)
        entity: Json = {
            **{key: value for key, value in found.packed.items() if key != AS_ENTITY},
            "id": self.own_id(found.packed.get("id"), str(found.tiled["id"]), self.used),
            "kind": found.kind or found.usual_kind,
            "name": found.name,
            "x": inside[0],
            "y": inside[1],
            **found.hidden,
        }
        if found.values:
            entity["properties"] = found.values
        entity["tiled"] = found.tiled | ({} if found.kind else {"type": ""})
        self.add("entities", entity, found.node)
