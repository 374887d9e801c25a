"""Exports entities, walls, doors and lights as objects of Tiled's object layers.

What was not changed is written as it was imported: the object's shape, rotation, template, id. Anyone may have
edited the kept data, so its structure is not trusted.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from game.grid.formats.imported import Document, FormatError, Notes
from game.grid.formats.projection import Point, Projection
from game.grid.formats.strict import MAX_COORDINATE, Node
from game.grid.formats.tile_data import MAX_ID
from game.grid.formats.tiled_objects import AS_ENTITY, DIGITS, is_light, place, segments
from game.grid.formats.tiled_properties import as_object, objects_of, tiled_color, write_properties
from game.grid.formats.tiled_shapes import SHAPES, Shape, TileLooks, read_shape
from game.grid.formats.tiled_templates import Template, template_of
from game.grid.formats.tiled_tiles import LEGEND_RULES

Json = dict[str, Any]

_SAME: Final = 10**-DIGITS * 2
"""Positions that differ by a smaller fraction of a cell are equal, because both were rounded."""
_FLOAT: Final = {"type": "float"}
OWN_TYPES: Final = {"color": {"type": "color"}, "range": _FLOAT, "intensity": _FLOAT, "movement_cost": _FLOAT}
_OWN_NAMES: Final = frozenset(
    ("symbol", "color", *LEGEND_RULES, "state", "secret", "range", "intensity", "blocks_movement", "blocks_sight")
)
"""The fields of walls, doors, lights and legend entries that are written as custom properties."""
_ENDS: Final = ("x1", "y1", "x2", "y2")


class Ids:
    """Allocates ids: the preferred one if it is free, else the next."""

    def __init__(self, preferred: Iterable[Any]) -> None:
        self.used: set[int] = set()
        self.next = 1 + max(filter(is_id, preferred), default=0)

    def take(self, preferred: Any = None) -> int:
        """A unique id."""
        if not is_id(preferred) or preferred in self.used:
            preferred, self.next = self.next, self.next + 1
        self.used.add(preferred)
        return int(preferred)


def own_properties(
    owner: Mapping[str, Any], types: Any, packed: Json, place: str, notes: Notes, own: Json | None = None
) -> list[Json]:
    """The custom properties of a thing: its fields, its `properties`, and what Tiled cannot represent.

    `own` are the fields that are written as properties; None if there are none for this kind of thing.
    """
    values = as_object(owner.get("properties"))
    clash = {key: value for key, value in values.items() if own is not None and key in _OWN_NAMES}
    if clash:
        packed = {**packed, "properties": clash}
        values = {key: value for key, value in values.items() if key not in clash}
    written = write_properties(own or {}, OWN_TYPES, {}, place, notes)
    return written + write_properties(values, types, packed, place, notes)


@dataclass
class _Kept:
    """The kept data of an object: a valid object of Tiled's, its template, and its shape, if it has one."""

    about: Json
    item: Json
    template: Template | None
    shape: Shape | None
    shift: Point
    usual_kind: str = ""


@dataclass
class Objects:
    """Writes the objects of a document. `shifts` are offsets of object layers in screen pixels, by layer id."""

    document: Document
    kept: Json
    projection: Projection
    corner: tuple[int, int]
    shifts: Mapping[int, Point]
    notes: Notes
    _written: dict[int | str, list[tuple[float, Json]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.origin = self.projection.origin(*self.corner)
        self.looks = TileLooks(objects_of(self.kept.get("tilesets")))
        self.templates = {
            name: template_of(about) for name, about in as_object(self.kept.get("templates")).items()
        }
        kept = (as_object(thing.get("tiled")) for key in _KINDS for thing in self.things(key))
        last = as_object(self.kept.get("map")).get("nextobjectid")
        self.ids = Ids([*(about.get("id") for about in kept), last - 1 if is_id(last) else None])

    def things(self, key: str) -> list[Json]:
        """A list in the document."""
        return list(self.document.get(key, []))

    def layers(self) -> dict[int | str, list[Json]]:
        """All objects by the id of their object layer, or by the name of a new one."""
        for thing in self.things("entities"):
            self.put("entities", thing, self.entity(thing))
        for key in ("walls", "doors"):
            for group in _lines(self.things(key)):
                for first, item in self.line(group, key[:-1]):
                    self.put(key, first, item)
        for thing in self.things("lights"):
            self.put("lights", thing, self.light(thing))
        return {
            layer: [item for _, item in sorted(items, key=lambda each: each[0])]
            for layer, items in self._written.items()
        }

    def put(self, key: str, thing: Json, item: Json) -> None:
        """Add an object to the layer from which its thing was imported, or to a new one."""
        about = as_object(thing.get("tiled"))
        layer, index = about.get("layer"), about.get("index")
        where: int | str = layer if is_id(layer) and layer in self.shifts else key
        rank = index if type(index) is int else float("inf")
        self._written.setdefault(where, []).append((rank, item))

    # What was kept

    def read(self, thing: Json) -> _Kept:
        """The kept data of a thing's object."""
        about = as_object(thing.get("tiled"))
        source = about.get("template")
        template = self.templates.get(source) if isinstance(source, str) else None
        # The name and class come from the thing's present name and kind.
        item = clean_object({key: about[key] for key in about if key not in ("name", "type", "class")})
        shift = self.shifts.get(about["layer"], (0, 0)) if is_id(about.get("layer")) else (0, 0)
        look = template.look if template and "gid" not in item else self.looks.of(item.get("gid"))
        merged = template.merged(item) if template else item
        shape = None
        if "x" in item and "y" in item:
            with suppress(FormatError):
                shape = read_shape(Node(merged), look, self.projection)
        kept = _Kept(about, item, template, shape, shift)
        kept.usual_kind = look.kind or (shape.kind if shape else "")
        return kept

    def finished(self, kept: _Kept, name: str, kind: str, properties: list[Json]) -> Json:
        """An object with its name and class; if it has a template, only what differs from it."""
        item, template = kept.item, kept.template
        if "template" not in item:
            return {**item, "name": name, "type": kind, "properties": properties}
        usual = template.item if template else {}
        if name != usual.get("name", ""):
            item["name"] = name
        if kind != (usual.get("type") or usual.get("class") or ""):
            item["type"] = kind
        same = [(each.get("name"), each.get("value")) for each in objects_of(usual.get("properties"))]
        properties = [each for each in properties if (each["name"], each["value"]) not in same]
        return {**item, "properties": properties} if properties else item

    # Things

    def entity(self, entity: Json) -> Json:
        """The object of an entity; a point if it was not imported from Tiled."""
        kept = self.read(entity)
        known = {"id", "kind", "name", "x", "y", "properties", "tiled"}
        packed = {key: value for key, value in entity.items() if key not in known}
        _say_visible(entity, kept, packed)
        kept.item["id"] = self.ids.take(kept.about.get("id"))
        if entity["id"] != str(kept.item["id"]):
            packed["id"] = entity["id"]
        x, y = self.position(entity, kept)
        kept.item |= {"x": x, "y": y}
        if kept.shape is None and "template" not in kept.item:
            kept.item["point"] = True
        kind = str(entity.get("kind", ""))
        if _reads_as_feature(kind.casefold(), kept.shape):
            packed[AS_ENTITY] = True
        unnamed = kept.about.get("type") == "" and kind == kept.usual_kind
        properties = own_properties(entity, kept.about.get("property_types"), packed, "entities", self.notes)
        return self.finished(kept, str(entity.get("name", "")), "" if unnamed else kind, properties)

    def position(self, entity: Json, kept: _Kept) -> Point:
        """The kept position of an entity's object, moved with the entity; or the entity's cell."""
        left, top = self.corner
        target = entity["x"] + left, entity["y"] + top
        middle = self.projection.center(*target)
        if kept.shape is None:
            return self.projection.moved(*middle, -kept.shift[0], -kept.shift[1])
        anchor = kept.shape.anchor(self.projection)
        column, row = self.projection.cell(*self.projection.moved(*anchor, *kept.shift))
        width, height = self.document.get("width", 0), self.document.get("height", 0)
        inside = min(max(column, left), left + width - 1), min(max(row, top), top + height - 1)
        if inside == target:
            return kept.shape.x, kept.shape.y
        before = self.projection.center(column, row)
        return kept.shape.x + middle[0] - before[0], kept.shape.y + middle[1] - before[1]

    def pixels(self, x: float, y: float, shift: Point) -> Point:
        """One of our points in map pixels, in a layer with this offset."""
        pixels = self.projection.to_pixels(x + self.origin[0], y + self.origin[1])
        return self.projection.moved(*pixels, -shift[0], -shift[1])

    def line(self, group: list[Json], kind: str) -> Iterable[tuple[Json, Json]]:
        """The objects for walls or doors that were imported from one line: (the first wall or door, its object).

        It is one object if they still are one line with the same properties, or else one for each piece.
        """
        kept = self.read(group[0])
        if kept.shape and kept.shape.kind in ("polyline", "polygon"):
            lines = list(segments(kept.shape, kept.shift, self.projection, self.origin))
            moves = [
                (
                    thing["x1"] - line["x1"],
                    thing["y1"] - line["y1"],
                    thing["x2"] - line["x2"],
                    thing["y2"] - line["y2"],
                )
                for thing, line in zip(group, lines, strict=False)
            ]
            first = moves[0] if moves else (0, 0, 0, 0)
            same = all(
                abs(move[0] - first[0]) < _SAME
                and abs(move[1] - first[1]) < _SAME
                and abs(move[2] - first[0]) < _SAME
                and abs(move[3] - first[1]) < _SAME
                for move in moves
            )
            if (
                len(lines) == len(group)
                and same
                and all(_differs_only_in_ends(group[0], thing) for thing in group)
            ):
                across, down = self.projection.unit
                moved = [0 if abs(move) < _SAME else move for move in first[:2]]
                kept.item |= {"x": kept.shape.x + moved[0] * across, "y": kept.shape.y + moved[1] * down}
                yield group[0], self.feature(group[0], kept, kind)
                return
        run: list[Json] = []
        for thing in group:
            if run and not (_differs_only_in_ends(run[0], thing) and _ends_at(run[-1], thing)):
                yield run[0], self.polyline(run, kept, kind, first=run[0] is group[0])
                run = []
            run.append(thing)
        yield run[0], self.polyline(run, kept, kind, first=run[0] is group[0])

    def polyline(self, run: list[Json], kept: _Kept, kind: str, first: bool) -> Json:
        """A new polyline for consecutive walls or doors; the first one of a kept object gets the object's id."""
        corners = [self.pixels(run[0]["x1"], run[0]["y1"], kept.shift)]
        corners += [self.pixels(thing["x2"], thing["y2"], kept.shift) for thing in run]
        x, y = corners[0]
        item = {key: value for key, value in kept.item.items() if key not in (*SHAPES, "gid", "template")}
        item |= {"width": 0, "height": 0, "rotation": 0, "visible": item.get("visible", True), "x": x, "y": y}
        item["polyline"] = [{"x": across - x, "y": down - y} for across, down in corners]
        about = kept.about if first else {**kept.about, "id": None}
        return self.feature(run[0], _Kept(about, item, None, kept.shape, kept.shift), kind)

    def light(self, light: Json) -> Json:
        """The object of a light; a point if it was not imported from Tiled."""
        kept = self.read(light)
        x, y = self.pixels(light["x"], light["y"], kept.shift)
        if kept.shape is None or not is_light(kept.shape):
            kept.item = {key: value for key, value in kept.item.items() if key not in (*SHAPES, "gid", "template")}
            kept.item |= {"width": 0, "height": 0, "rotation": 0, "x": x, "y": y, "point": True}
            return self.feature(light, kept, "light")
        projection = self.projection
        middle = kept.shape.middle(projection)
        before = place(projection, self.origin, *projection.moved(*middle, *kept.shift))
        if max(abs(light["x"] - before[0]), abs(light["y"] - before[1])) < _SAME:
            kept.item |= {"x": kept.shape.x, "y": kept.shape.y}
        else:
            across, down = projection.unit
            moved = (light["x"] - before[0]) * across, (light["y"] - before[1]) * down
            kept.item |= {"x": kept.shape.x + moved[0], "y": kept.shape.y + moved[1]}
        reach = round(kept.shape.reach() / projection.unit[0], DIGITS)
        without = {"range": None} if reach and light.get("range") == reach else {}
        return self.feature(light, kept, "light", without)

    def feature(self, thing: Json, kept: _Kept, kind: str, without: Mapping[str, Any] | None = None) -> Json:
        """The object of a wall, a door or a light, with its fields as custom properties."""
        names = {
            "wall": ("blocks_movement", "blocks_sight"),
            "door": ("blocks_movement", "blocks_sight", "state", "secret"),
            "light": ("range", "intensity", "color"),
        }[kind]
        own = {name: thing[name] for name in names if name in thing and name not in (without or {})}
        if "color" in own:
            own["color"] = tiled_color(own["color"])
        known = {*names, *(("x", "y") if kind == "light" else _ENDS), "properties", "tiled"}
        packed = {key: value for key, value in thing.items() if key not in known}
        if kind == "light":
            _say_visible(thing, kept, packed)
        kept.item["id"] = self.ids.take(kept.about.get("id"))
        if kind == "door" and packed.get("id") == str(kept.item["id"]):
            del packed["id"]
        spelling = str(kept.about.get("type", kind))
        if kept.template and not kept.about.get("type"):
            spelling = str(kept.template.item.get("type") or kept.template.item.get("class") or kind)
        types = kept.about.get("property_types")
        properties = own_properties(thing, types, packed, f"{kind}s", self.notes, own)
        named = str(kept.about.get("name", ""))
        return self.finished(kept, named, spelling if spelling.casefold() == kind else kind, properties)


def _say_visible(thing: Json, kept: _Kept, packed: Json) -> None:
    """Set the visibility in Tiled of the object of an entity or a light: visible unless hidden from players."""
    is_hidden = thing.get("hidden") is True
    item = kept.template.merged(kept.item) if kept.template else kept.item
    if is_hidden == (item.get("visible", True) is not False):
        kept.item["visible"] = not is_hidden
    if is_hidden:
        del packed["hidden"]


def _reads_as_feature(kind: str, shape: Shape | None) -> bool:
    """Whether an object of this class and shape would be imported as a wall, a door or a light."""
    if kind == "light":
        return shape is None or is_light(shape)
    return kind in ("wall", "door") and shape is not None and shape.kind in ("polyline", "polygon")


_KINDS: Final = ("entities", "walls", "doors", "lights")


def _lines(things: list[Json]) -> list[list[Json]]:
    """Walls or doors in groups: consecutive ones that were imported from one object."""
    groups: list[list[Json]] = []
    for thing in things:
        about = as_object(thing.get("tiled"))
        before = as_object(groups[-1][-1].get("tiled")) if groups else {}
        part = about.get("part")
        follows = type(part) is int and part == (before.get("part") or 0) + 1
        if (
            follows
            and is_id(about.get("id"))
            and all(about.get(key) == before.get(key) for key in ("layer", "id"))
        ):
            groups[-1].append(thing)
        else:
            groups.append([thing])
    return groups


def _differs_only_in_ends(first: Json, thing: Json) -> bool:
    """Whether a wall or door of a group equals the first one, except for its ends."""
    without = ("id", "tiled", *_ENDS)
    own, others = ({key: each[key] for key in each if key not in without} for each in (first, thing))
    about = as_object(thing.get("tiled"))
    usual = {first.get("id"), f"{about.get('id')}-{(about.get('part') or 0) + 1}"}
    return own == others and thing.get("id") in usual


def _ends_at(before: Json, thing: Json) -> bool:
    return bool(max(abs(before["x2"] - thing["x1"]), abs(before["y2"] - thing["y1"])) < _SAME)


def clean_object(kept: Json) -> Json:
    """A valid object of Tiled's from a kept one; if it has a template, without default values."""
    item: Json = {}
    for key, value in kept.items():
        if key in ("polygon", "polyline"):
            corners = [(corner.get("x"), corner.get("y")) for corner in objects_of(value)]
            if corners and all(map(is_number, sum(corners, ()))):
                item[key] = [{"x": x, "y": y} for x, y in corners]
        elif key in ("x", "y", "width", "height", "rotation"):
            if is_number(value):
                item[key] = value
        elif key == "gid":
            if is_whole(value) and 0 < value < 1 << 32:
                item[key] = value
        elif key in ("point", "ellipse", "capsule", "visible"):
            item[key] = value is True
        elif key == "text":
            item |= {"text": value} if isinstance(value, dict) else {}
        elif key == "properties":
            item[key] = objects_of(value)
        elif key not in ("layer", "index", "part") and isinstance(value, str | int | float):
            item[key] = value
    if "template" in item:
        return item
    size = {} if "gid" in item else {"width": 0, "height": 0}
    return {**size, "rotation": 0, "visible": True, **item}


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is an integer, and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_id(value: Any) -> TypeGuard[int]:
    """Whether a value is a valid id in Tiled."""
    return is_whole(value) and 0 < value < MAX_ID


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a valid coordinate."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_COORDINATE
