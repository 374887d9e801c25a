"""Universal VTT (`.dd2vtt`, `.df2vtt`, `.uvtt`) to grid data and back.

Walls are lines, portals are doors, lights are lights, and the picture is the background. What grid data does
not model is kept under `uvtt` and comes back. Source: Arkenforge, "All about Universal VTT files".
"""

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import orjson

from game.grid.document import Limits, size
from game.grid.formats.imported import Document, FormatError, ImportedMap, Notes
from game.grid.formats.pictures import probe
from game.grid.formats.strict import Node, kept
from game.grid.formats.uploads import Pictures, Uploads

Json = dict[str, Any]
Point = tuple[float, float]
Line = tuple[float, float, float, float]

PIXELS_PER_CELL: Final = 70
"""For a map without a picture; what virtual tabletops take for a cell where nothing is said."""
DIGITS: Final = 6
"""Decimals of a coordinate, as Dungeondraft writes them."""
_LINES: Final = ("line_of_sight", "objects_line_of_sight")
_WHITE: Final = "ffffffff"


def read_uvtt(root: Node, name: str, uploads: Uploads, limits: Limits) -> ImportedMap:
    """A Universal VTT file as grid data, its coordinates counted from `map_origin`. Raises FormatError."""
    notes = uploads.notes
    resolution = root["resolution"]
    area = resolution["map_size"]
    width, height = (_side(area, key, limits) for key in ("x", "y"))
    origin = _point(resolution["map_origin"]) if "map_origin" in resolution else (0, 0)
    if not float(area.number("x")).is_integer() or not float(area.number("y")).is_integer():
        notes.add("SIZE_ROUNDED", area.place, f"The size was rounded up to {width} x {height} cells.")
    pictures = Pictures()
    document: Document = {"width": width, "height": height, "grid_type": "square"}
    if "image" in root:
        image = root["image"]
        asset = pictures.add(_picture(image), name, image.place)
        document["background"] = {"asset_id": asset, "x": 0, "y": 0, "width": width, "height": height}
    else:
        notes.add("PICTURE_MISSING", "image", "The file has no picture.")
    walls = [wall for key in _LINES for wall in _walls(root, key, origin)]
    doors = [_door(portal, index, origin) for index, portal in enumerate(root.list_of("portals"))]
    lights = [_light(light, origin) for light in root.list_of("lights")]
    things = {"walls": walls, "doors": doors, "lights": lights}
    document |= {key: value for key, value in things.items() if value}
    without = ("image", "portals", "lights", *_LINES)
    rest = {key: value for key, value in root.value.items() if key not in without}
    document["uvtt"] = kept(rest, "", notes)
    return ImportedMap(name, "", document, pictures.files)


def _side(area: Node, key: str, limits: Limits) -> int:
    side = math.ceil(area.number(key))
    if not 0 <= side <= limits.max_size:
        raise FormatError(area.at(key), f"must be from 0 to {limits.max_size}")
    return side


def _point(node: Node, origin: Point = (0, 0)) -> Point:
    return round(node.number("x") - origin[0], DIGITS), round(node.number("y") - origin[1], DIGITS)


def _picture(image: Node) -> bytes:
    if not isinstance(image.value, str):
        raise image.fail("must be a string")
    text = image.value
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise image.fail("is not base64") from None


def _walls(root: Node, key: str, origin: Point) -> Iterator[Json]:
    lines = root.value.get(key)
    if lines is None:
        return
    if not isinstance(lines, list):
        raise FormatError(key, "must be a list")
    for index in range(len(lines)):
        holder = Node({f"{key}[{index}]": lines[index]})
        points = [_point(point, origin) for point in holder.list_of(f"{key}[{index}]")]
        for (x1, y1), (x2, y2) in pairwise(points):
            wall: Json = {
                "x1": x1,
                "y1": y1,
                "x2": x2,
                "y2": y2,
                "blocks_movement": True,
                "blocks_sight": True,
            }
            if key == "objects_line_of_sight":
                wall["uvtt"] = {"object": True}
            yield wall


def _door(portal: Node, index: int, origin: Point) -> Json:
    bounds = [_point(point, origin) for point in portal.list_of("bounds")]
    if len(bounds) != 2:
        raise FormatError(portal.at("bounds"), "must have two points")
    rest = {key: value for key, value in portal.value.items() if key not in ("bounds", "closed")}
    middle = _point(portal["position"], origin) if "position" in portal else None
    if middle and math.dist(middle, _middle(bounds)) < 0.01:
        del rest["position"]
    return {
        "id": f"portal-{index + 1}",
        **_ends(bounds),
        "state": "closed" if portal.flag("closed", True) else "open",
        "uvtt": kept(rest, portal.place, Notes()),
    }


def _ends(points: list[Point]) -> Json:
    (x1, y1), (x2, y2) = points
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2}


def _middle(points: list[Point]) -> Point:
    return (points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2


def _light(node: Node, origin: Point) -> Json:
    x, y = _point(node["position"], origin)
    light: Json = {"x": x, "y": y, "range": max(0, node.number("range", 0))}
    light["intensity"] = max(0, node.number("intensity", 1))
    rest = {key: value for key, value in node.value.items() if key not in ("position", "range", "intensity")}
    color = node.text("color", _WHITE).removeprefix("#").lower()
    if len(color) in (6, 8) and set(color) <= set("0123456789abcdef"):
        light["color"] = "#" + color[-6:]
        rest.pop("color", None)
        if len(color) == 8 and not color.startswith("ff"):
            rest["alpha"] = color[:2]
    light["uvtt"] = kept(rest, node.place, Notes())
    return light


def write_uvtt(document: Document, picture: bytes | None, notes: Notes) -> bytes:
    """Grid data as Universal VTT. Takes a valid document, and its picture: the background or a drawing of it.

    Cells that block sight become lines around them, since the format has no cells.
    """
    width, height = size(document)
    rest = document.get("uvtt")
    rest = dict(rest) if isinstance(rest, dict) else {}
    resolution = rest.pop("resolution", None)
    resolution = dict(resolution) if isinstance(resolution, dict) else {}
    origin = _kept_origin(resolution)
    pixels = PIXELS_PER_CELL
    if picture:
        header = probe(picture, "background")
        pixels = max(1, round(header.width / width)) if width else pixels
    else:
        notes.add("PICTURE_LOST", "background", "No picture was written: many virtual tabletops ask for one.")
    walls = [wall for wall in document.get("walls", []) if wall.get("blocks_sight", True)]
    if len(walls) < len(document.get("walls", [])):
        notes.add("WALLS_LOST", "walls", "Walls that do not block sight have no place in Universal VTT.")
    outline = list(_outline(document, width, height))
    result: Json = {
        "format": 0.3,
        **rest,
        "resolution": {
            **resolution,
            "map_origin": {"x": origin[0], "y": origin[1]},
            "map_size": _written_size(resolution, width, height),
            "pixels_per_grid": pixels,
        },
        _LINES[0]: _lines([_ends_of(wall) for wall in walls if not _is_object(wall)] + outline, origin),
        _LINES[1]: _lines([_ends_of(wall) for wall in walls if _is_object(wall)], origin),
        "portals": [_portal(door, origin) for door in document.get("doors", [])],
        "lights": [_written_light(light, origin) for light in document.get("lights", [])],
    }
    result.setdefault("environment", {"baked_lighting": False, "ambient_light": _WHITE})
    if picture:
        result["image"] = base64.b64encode(picture).decode()
    for key, name in (("layers", "cells"), ("entities", "entities")):
        if document.get(key):
            notes.add(f"{key.upper()}_LOST", key, f"Universal VTT has no {name}; they are only in the picture.")
    return orjson.dumps(result, option=orjson.OPT_INDENT_2)


def _kept_origin(resolution: Json) -> Point:
    try:
        return _point(Node(resolution)["map_origin"])
    except FormatError:
        return 0, 0


def _written_size(resolution: Json, width: int, height: int) -> Json:
    """The size that the file said, where it still is the map's: it may have had fractions of a cell."""
    try:
        area = Node(resolution)["map_size"]
        if (math.ceil(area.number("x")), math.ceil(area.number("y"))) == (width, height):
            return {"x": area.number("x"), "y": area.number("y")}
    except FormatError:
        pass
    return {"x": width, "y": height}


def _ends_of(thing: Mapping[str, Any]) -> Line:
    return thing["x1"], thing["y1"], thing["x2"], thing["y2"]


def _is_object(wall: Mapping[str, Any]) -> bool:
    about = wall.get("uvtt")
    return isinstance(about, dict) and about.get("object") is True


def _xy(x: float, y: float, origin: Point) -> Json:
    return {"x": round(x + origin[0], DIGITS), "y": round(y + origin[1], DIGITS)}


def _lines(walls: Iterable[Line], origin: Point) -> list[list[Json]]:
    """Walls as lines of points: a wall that begins where the one before ends goes on with its line."""
    lines: list[list[Json]] = []
    end: Point | None = None
    for x1, y1, x2, y2 in walls:
        if (x1, y1) != end:
            lines.append([_xy(x1, y1, origin)])
        lines[-1].append(_xy(x2, y2, origin))
        end = x2, y2
    return lines


def _outline(document: Document, width: int, height: int) -> Iterator[Line]:
    """The lines between cells that block sight and cells that do not, joined along rows and columns."""
    blocking = {entry["symbol"] for entry in document.get("legend", []) if entry.get("blocks_sight") is True}
    blocked = [bytearray(width) for _ in range(height)]
    for layer in document.get("layers", []):
        for y, row in enumerate(layer.get("rows", []) if blocking else []):
            if not blocking.isdisjoint(row):
                for x, symbol in enumerate(row):
                    blocked[y][x] |= symbol in blocking
    for y in range(1, height):
        above, below = blocked[y - 1], blocked[y]
        if above != below:
            yield from ((x1, y, x2, y) for x1, x2 in _runs(a != b for a, b in zip(above, below, strict=True)))
    columns = [bytes(column) for column in zip(*blocked, strict=True)] if any(map(any, blocked)) else []
    for x, (left, right) in enumerate(pairwise(columns), 1):
        if left != right:
            yield from ((x, y1, x, y2) for y1, y2 in _runs(a != b for a, b in zip(left, right, strict=True)))


def _runs(flags: Iterable[bool]) -> Iterator[tuple[int, int]]:
    """The stretches of true flags: (first, one past the last)."""
    start = None
    index = -1
    for index, flag in enumerate(flags):
        if flag and start is None:
            start = index
        elif not flag and start is not None:
            yield start, index
            start = None
    if start is not None:
        yield start, index + 1


def _about(thing: Mapping[str, Any]) -> Json:
    about = thing.get("uvtt")
    return dict(about) if isinstance(about, dict) else {}


def _portal(door: Mapping[str, Any], origin: Point) -> Json:
    x1, y1, x2, y2 = _ends_of(door)
    portal: Json = {
        "position": _xy((x1 + x2) / 2, (y1 + y2) / 2, origin),
        "bounds": [_xy(x1, y1, origin), _xy(x2, y2, origin)],
        "rotation": round(math.atan2(y2 - y1, x2 - x1), DIGITS),
        "freestanding": False,
    }
    return {
        **portal,
        **_about(door),
        "bounds": portal["bounds"],
        "closed": door.get("state", "closed") != "open",
    }


def _written_light(light: Mapping[str, Any], origin: Point) -> Json:
    about = _about(light)
    alpha = about.pop("alpha", "ff")
    color = str(light.get("color", "#ffffff")).removeprefix("#")
    if len(color) == 3:
        color = "".join(2 * digit for digit in color)
    if not isinstance(alpha, str) or len(alpha) != 2:
        alpha = "ff"
    return {
        "shadows": True,
        "color": (color[6:] or alpha) + color[:6],
        **about,
        "position": _xy(light["x"], light["y"], origin),
        "range": light.get("range", 0),
        "intensity": light.get("intensity", 1),
    }
