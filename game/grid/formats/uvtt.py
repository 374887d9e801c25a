"""Imports and exports Universal VTT (`.dd2vtt`, `.df2vtt`, `.uvtt`).

Walls are lines, portals are doors, lights are lights, and the picture is the background. What grid data does not
model is kept under `uvtt`, and exported again. Source: Arkenforge, "All about Universal VTT files".
"""

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, pairwise
from typing import Any, Final

import orjson

from game.grid.document import EMPTY, Limits, size
from game.grid.formats.imported import Document, FormatError, ImportedMap, Notes
from game.grid.formats.outlines import Line, outlines
from game.grid.formats.pictures import MAX_SIDE, probe
from game.grid.formats.strict import Node, kept
from game.grid.formats.uploads import Pictures, Uploads
from game.grid.geometry import HEXES, extent

Json = dict[str, Any]
Point = tuple[float, float]

PIXELS_PER_CELL: Final = 70
"""For a map without a picture: the default of virtual tabletops."""
DIGITS: Final = 6
"""Decimals of a coordinate, as in Dungeondraft."""
MAX_OUTLINES: Final = 100_000
"""The maximum number of lines around cells that block sight: more than any program could use."""
_LINES: Final = ("line_of_sight", "objects_line_of_sight")
_WHITE: Final = "ffffffff"


def read_uvtt(root: Node, name: str, uploads: Uploads, limits: Limits) -> ImportedMap:
    """Import a Universal VTT file; coordinates become relative to `map_origin`.

    A wall, portal, light or picture that cannot be read is left out with a warning. Raises FormatError.
    """
    notes = uploads.notes
    resolution = root["resolution"]
    area = resolution["map_size"]
    width, height = (_side(area, key, limits) for key in ("x", "y"))
    origin = _point(resolution["map_origin"]) if "map_origin" in resolution else (0, 0)
    stated = area.number("x"), area.number("y")
    if stated != (width, height):
        notes.add("SIZE_ROUNDED", area.place, f"The size was rounded up to {width} x {height} cells.")
    pictures = Pictures()
    document: Document = {"width": width, "height": height, "grid_type": "square"}
    if "image" in root:
        with notes.skipping("PICTURE_REFUSED"):
            asset = pictures.add(_picture(root["image"]), name, "image")
            # The picture has the size that the file states, even if our whole cells extend beyond it.
            box = {"x": 0, "y": 0, "width": stated[0], "height": stated[1]}
            document["background"] = {"asset_id": asset, **box}
    else:
        notes.add("PICTURE_MISSING", "image", "The file has no picture.")
    things: dict[str, list[Json]] = {
        "walls": [wall for key in _LINES for wall in _walls(root, key, origin, notes)],
        "doors": [],
        "lights": [],
    }
    for index, portal in enumerate(root.parts("portals", "PORTAL_UNREADABLE", notes)):
        with notes.skipping("PORTAL_UNREADABLE"):
            things["doors"].append(_door(portal, index, origin))
    for light in root.parts("lights", "LIGHT_UNREADABLE", notes):
        with notes.skipping("LIGHT_UNREADABLE"):
            things["lights"].append(_light(light, origin))
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


def _walls(root: Node, key: str, origin: Point, notes: Notes) -> Iterator[Json]:
    lines: Any = [] if root.value.get(key) is None else root.value[key]
    if not isinstance(lines, list):
        notes.add("WALL_UNREADABLE", key, "This must be a list; it was left out.")
        return
    for index, line in enumerate(lines):
        place = f"{key}[{index}]"
        points: list[Point] = []
        with notes.skipping("WALL_UNREADABLE"):
            points = [_point(point, origin) for point in Node({place: line}).list_of(place)]
        for (x1, y1), (x2, y2) in pairwise(points):
            wall: Json = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "blocks_movement": True, "blocks_sight": True}
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


def whole_background(document: Document, picture: bytes | None) -> bytes | None:
    """The picture of the background if it can be exported as it is: it covers exactly the map, without cells."""
    width, height = size(document)
    box = _background_box(document)
    covers = box[:2] == (0, 0) and (math.ceil(box[2]), math.ceil(box[3])) == (width, height)
    layers = (layer for layer in document.get("layers", ()) if layer.get("visible", True))
    has_cells = any(row.strip(EMPTY) for layer in layers for row in layer.get("rows", ()))
    return picture if covers and not has_cells else None


def _background_box(document: Document) -> tuple[float, float, float, float]:
    background, (width, height) = document.get("background", {}), size(document)
    usual = {"x": 0, "y": 0, "width": width, "height": height}
    x, y, across, down = (background.get(key, value) for key, value in usual.items())
    return x, y, across, down


def drawn(document: Document) -> Document:
    """The part of a map that is drawn as the picture for Universal VTT: cells and background, on a flat grid.

    An isometric map is drawn as a square grid, without its slanted background.
    """
    without = {"entities", "walls", "doors", "lights"}
    if document.get("grid_type") == "isometric":
        without |= {"grid_type", "background"}
    return {key: value for key, value in document.items() if key not in without}


def write_uvtt(document: Document, background: bytes | None, drawing: bytes | None, notes: Notes) -> bytes:
    """Export a valid document as Universal VTT.

    Takes the result of `whole_background` as `background`, or else a drawing of the result of `drawn`. Cells that
    block sight become lines around them, because the format has no cells.
    """
    rest = document.get("uvtt")
    rest = dict(rest) if isinstance(rest, dict) else {}
    resolution = rest.pop("resolution", None)
    resolution = dict(resolution) if isinstance(resolution, dict) else {}
    origin = _kept_origin(resolution)
    across, down = _background_box(document)[2:] if background else _written_size(document, resolution)
    picture = background or drawing
    pixels = _kept_pixels(resolution)
    if picture and across:
        pixels = max(1, round(probe(picture, "background").width / across))
    if not picture:
        notes.add("PICTURE_LOST", "background", "No picture was written, but many virtual tabletops require one.")
    walls = [wall for wall in document.get("walls", []) if wall.get("blocks_sight", True)]
    _note_losses(document, len(walls), notes)
    outline = list(islice(outlines(document), MAX_OUTLINES + 1))
    if len(outline) > MAX_OUTLINES:
        notes.add("WALLS_LOST", "layers", f"Only {MAX_OUTLINES} of the lines around cells were written.")
    result: Json = {
        "format": 0.3,
        **rest,
        "resolution": {
            **resolution,
            "map_origin": {"x": origin[0], "y": origin[1]},
            "map_size": {"x": across, "y": down},
            "pixels_per_grid": pixels,
        },
        _LINES[0]: _lines(
            [_ends_of(wall) for wall in walls if not _is_object(wall)] + outline[:MAX_OUTLINES], origin
        ),
        _LINES[1]: _lines([_ends_of(wall) for wall in walls if _is_object(wall)], origin),
        "portals": [_portal(door, origin) for door in document.get("doors", [])],
        "lights": [_written_light(light, origin) for light in document.get("lights", [])],
    }
    result.setdefault("environment", {"baked_lighting": False, "ambient_light": _WHITE})
    if picture:
        result["image"] = base64.b64encode(picture).decode()
    return orjson.dumps(result, option=orjson.OPT_INDENT_2)


def _note_losses(document: Document, walls: int, notes: Notes) -> None:
    if walls < len(document.get("walls", [])):
        notes.add("WALLS_LOST", "walls", "Universal VTT cannot represent walls that do not block sight.")
    if any(door.get("state") == "locked" or door.get("secret") is True for door in document.get("doors", ())):
        notes.add("DOORS_CHANGED", "doors", "In Universal VTT a door is open or closed, not locked or secret.")
    if document.get("grid_type", "square") not in ("square", "none"):
        notes.add("GRID_LOST", "grid_type", "Universal VTT has square cells only.")
    for key, name in (("layers", "cells"), ("entities", "entities"), ("properties", "properties")):
        if document.get(key):
            where = "; they are only in the picture" if key == "layers" else ""
            notes.add(f"{key.upper()}_LOST", key, f"Universal VTT has no {name}{where}.")


def _kept_origin(resolution: Json) -> Point:
    try:
        return _point(Node(resolution)["map_origin"])
    except FormatError:
        return 0, 0


def _kept_pixels(resolution: Json) -> int:
    try:
        return Node(resolution).integer("pixels_per_grid", 1, MAX_SIDE)
    except FormatError:
        return PIXELS_PER_CELL


def _written_size(document: Document, resolution: Json) -> Point:
    """The size that the imported file stated, if it is still the map's; it may have fractions of cells.

    Otherwise that of the picture, which is wider than the columns on a hexagonal map.
    """
    width, height = size(document)
    try:
        area = Node(resolution)["map_size"]
        if (math.ceil(area.number("x")), math.ceil(area.number("y"))) == (width, height):
            return area.number("x"), area.number("y")
    except FormatError:
        pass
    if document.get("grid_type") in HEXES:
        across, down = extent(document["grid_type"], width, height)
        return round(across, DIGITS), round(down, DIGITS)
    return width, height


def _ends_of(thing: Mapping[str, Any]) -> Line:
    return thing["x1"], thing["y1"], thing["x2"], thing["y2"]


def _is_object(wall: Mapping[str, Any]) -> bool:
    about = wall.get("uvtt")
    return isinstance(about, dict) and about.get("object") is True


def _xy(x: float, y: float, origin: Point) -> Json:
    return {"x": round(x + origin[0], DIGITS), "y": round(y + origin[1], DIGITS)}


def _lines(walls: Iterable[Line], origin: Point) -> list[list[Json]]:
    """Walls as lists of points: a wall that begins where the previous one ends continues its line."""
    lines: list[list[Json]] = []
    end: Point | None = None
    for x1, y1, x2, y2 in walls:
        if (x1, y1) != end:
            lines.append([_xy(x1, y1, origin)])
        lines[-1].append(_xy(x2, y2, origin))
        end = x2, y2
    return lines


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
