"""The position of a Tiled object: its cell, centre and corners, for every shape, alignment and rotation.

The position of a rectangle, an ellipse or a text is its top left corner; that of a tile is the point given by the
`objectalignment` of its tileset. An object is rotated clockwise around its position, on the screen, and moved by
the offset of its layer.
Source: Tiled's TMX Map Format (object, objectalignment), and Tiled itself.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from game.grid.formats.projection import Point, Projection
from game.grid.formats.strict import Node
from game.grid.formats.tile_data import GID_MASK

Json = dict[str, Any]

SHAPES: Final = ("point", "ellipse", "capsule", "polygon", "polyline", "text")
_ALIGNMENTS: Final = {
    "topleft": (0.0, 0.0),
    "top": (0.5, 0.0),
    "topright": (1.0, 0.0),
    "left": (0.0, 0.5),
    "center": (0.5, 0.5),
    "right": (1.0, 0.5),
    "bottomleft": (0.0, 1.0),
    "bottom": (0.5, 1.0),
    "bottomright": (1.0, 1.0),
}
"""The point of a tile that is its object's position, as fractions of the tile's width and height."""


@dataclass(frozen=True)
class TileLook:
    """How a tileset places the objects that show one of its tiles; `size` is in pixels, if it is known."""

    size: Point | None = None
    alignment: str = "unspecified"
    kind: str = ""


class TileLooks:
    """The looks of tiles by global tile id, from the tilesets that a map keeps; any part may be invalid."""

    def __init__(self, tilesets: Iterable[Json]) -> None:
        self._tilesets = [item for item in tilesets if _is_id(item.get("firstgid"))]
        self._tiles = [tiles_by_id(item.get("tiles")) for item in self._tilesets]

    def of(self, gid: Any) -> TileLook:
        """The look of a tile; the id may have flip flags."""
        tile = gid & GID_MASK if _is_id(gid) else 0
        index = max(
            (at for at, item in enumerate(self._tilesets) if item["firstgid"] <= tile),
            key=lambda at: self._tilesets[at]["firstgid"],
            default=None,
        )
        if index is None:
            return TileLook()
        tileset = self._tilesets[index]
        about = self._tiles[index].get(tile - tileset["firstgid"], {})
        size = _size(about, "imagewidth", "imageheight") or _size(tileset, "tilewidth", "tileheight")
        kind = about.get("type") or about.get("class")
        return TileLook(size, str(tileset.get("objectalignment")), kind if isinstance(kind, str) else "")


def _size(owner: Json, across: str, down: str) -> Point | None:
    sides = owner.get(across), owner.get(down)
    if not all(_is_id(side) for side in sides):
        return None
    # Tiled 1.9 and later show a part of a tile's picture.
    part = owner.get("width"), owner.get("height")
    width, height = part if "tilewidth" not in owner and all(map(_is_id, part)) else sides
    return float(width), float(height)  # type: ignore[arg-type]  # `_is_id`: both are integers


def _is_id(value: Any) -> bool:
    return type(value) is int and value > 0


def tiles_by_id(tiles: Any) -> dict[int, Json]:
    """The tiles of a tileset by their ids; invalid ones are left out."""
    return {tile["id"]: tile for tile in _objects(tiles) if type(tile.get("id")) is int}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@dataclass(frozen=True)
class Shape:
    """An object's shape: position, size and `points` (from the position) in map pixels, rotation in radians."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    rotation: float
    points: tuple[Point, ...]
    alignment: Point

    def outline(self, projection: Projection) -> list[Point]:
        """The corners in map pixels: of an ellipse or a capsule, those of its box; of a point, none."""
        if self.points:
            offsets = [projection.to_screen(*point) for point in self.points]
        elif not self.width and not self.height:
            return []
        elif self.kind == "tile":
            left, top = -self.alignment[0] * self.width, -self.alignment[1] * self.height
            right, bottom = left + self.width, top + self.height
            offsets = [(left, top), (right, top), (right, bottom), (left, bottom)]
        else:
            box = (0, 0), (self.width, 0), (self.width, self.height), (0, self.height)
            offsets = [projection.to_screen(*corner) for corner in box]
        cosine, sine = math.cos(self.rotation), math.sin(self.rotation)
        turned = ((x * cosine - y * sine, x * sine + y * cosine) for x, y in offsets)
        return [projection.moved(self.x, self.y, *offset) for offset in turned]

    def anchor(self, projection: Projection) -> Point:
        """The point that determines its cell, in map pixels.

        A tile belongs to the cell where Tiled draws the same tile of a layer: that of its lower left corner, or on
        isometric maps that of the middle of its lower edge. An area belongs to the cell of its upper left corner,
        anything else to that of its position. What is smaller than a cell belongs to the cell of its centre.
        """
        if self.kind in ("point", "polygon", "polyline") or not (corners := self.outline(projection)):
            return self.x, self.y
        if self.kind == "tile" and projection.orientation == "isometric":
            left, top, right, bottom = _box([projection.to_screen(*corner) for corner in corners])
            low = bottom - min(bottom - top, projection.tile_height) / 2
            return projection.from_screen((left + right) / 2, low)
        left, top, right, bottom = _box(corners)
        across, down = projection.pitch if projection.orientation == "isometric" else (
            projection.tile_width, projection.tile_height
        )  # fmt: skip
        half = min(bottom - top, down) / 2
        return left + min(right - left, across) / 2, bottom - half if self.kind == "tile" else top + half

    def middle(self, projection: Projection) -> Point:
        """The centre of its box, in map pixels."""
        corners = self.outline(projection)
        if not corners:
            return self.x, self.y
        left, top, right, bottom = _box([projection.to_screen(*corner) for corner in corners])
        return projection.from_screen((left + right) / 2, (top + bottom) / 2)

    def reach(self) -> float:
        """How far it extends from its centre, in map pixels; 0 for a point and for a tile."""
        if self.points:
            left, top, right, bottom = _box(self.points)
            return max(right - left, bottom - top) / 2
        return 0 if self.kind == "tile" else max(self.width, self.height) / 2


def _box(points: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def shape_of(item: Json) -> str:
    """The name of an object's shape."""
    if item.get("gid") is not None:
        return "tile"
    return next((shape for shape in SHAPES if item.get(shape)), "rectangle")


def read_shape(node: Node, look: TileLook, projection: Projection) -> Shape:
    """The shape of an object in the structure of TMJ. Raises FormatError."""
    kind = shape_of(node.value)
    size = look.size if look.size and kind == "tile" else (0, 0)
    points: tuple[Point, ...] = ()
    if kind in ("polygon", "polyline"):
        points = tuple((point.number("x"), point.number("y")) for point in node.list_of(kind))
    usual = (0.5, 1.0) if projection.orientation == "isometric" else (0.0, 1.0)
    return Shape(
        kind,
        node.number("x", 0),
        node.number("y", 0),
        node.number("width", size[0]),
        node.number("height", size[1]),
        math.radians(node.number("rotation", 0)),
        points,
        _ALIGNMENTS.get(look.alignment, usual),
    )
