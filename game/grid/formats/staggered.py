"""Converts Tiled's staggered isometric maps to isometric maps that look the same.

The cells of a staggered map are diamonds in shifted lines, which fill a rectangle of the screen. An isometric map
whose diamond surrounds this rectangle has the same cells, and empty cells in its corners. On staggered maps,
objects are positioned in screen pixels.
Source: Tiled's TMX Map Format (staggeraxis, staggerindex), and Tiled itself.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from math import cos, pi, sin
from typing import Any, Final, Self

from game.grid.document import Limits
from game.grid.formats.imported import FormatError
from game.grid.formats.projection import MAX_TILE, Point, Projection
from game.grid.formats.strict import Node
from game.grid.formats.tiled_shapes import Shape, TileLook, read_shape

Json = dict[str, Any]
Cell = tuple[int, int]

_CORNERS_OF_ELLIPSE: Final = 32


@dataclass
class Block:
    """A rectangle of global tile ids: a layer, or a chunk of an infinite map. Position and size are in cells."""

    x: int
    y: int
    width: int
    height: int
    gids: "array[int]"


@dataclass(frozen=True)
class Staggered:
    """Maps the cells of a staggered map to those of the isometric one.

    `width` and `height` are the size of the staggered map in cells; `top` is the row of its first cell in the
    isometric map; `projection` is that of the isometric map.
    """

    projection: Projection
    axis: str
    index: str
    width: int
    height: int
    top: int

    @classmethod
    def of(cls, tmj: Node, limits: Limits) -> "tuple[Node, Self | None]":
        """A Tiled map, with the attributes of an isometric one if it is staggered. Raises FormatError."""
        if tmj.text("orientation", "orthogonal") != "staggered":
            return tmj, None
        axis, index = tmj.text("staggeraxis", "y"), tmj.text("staggerindex", "odd")
        if axis not in ("x", "y") or index not in ("odd", "even"):
            raise FormatError("staggeraxis", "must be x or y, and staggerindex odd or even")
        # Tiled draws these maps with tiles of an even size.
        across, down = (max(2, tmj.integer(key, 1, MAX_TILE) & ~1) for key in ("tilewidth", "tileheight"))
        size = tmj.integer("width", 0, limits.max_size), tmj.integer("height", 0, limits.max_size)
        made = cls(Projection("isometric", across, down), axis, index, *size, 0)
        width, height = size
        if all(size) and not tmj.flag("infinite", False):
            block = made.box(0, 0, *size)
            made = replace(made, top=-block.y)
            width, height = block.x + block.width, block.height
        if max(width, height) > limits.max_size:
            message = f"is staggered and becomes an isometric map of {width} x {height} cells"
            raise FormatError("width", f"{message}; a side has at most {limits.max_size}")
        changes = {"orientation": "isometric", "tilewidth": across, "tileheight": down}
        value = {key: item for key, item in tmj.value.items() if key not in ("staggeraxis", "staggerindex")}
        return Node({**value, **changes, "width": width, "height": height}, tmj.place), made

    def cell(self, column: int, row: int) -> Cell:
        """The isometric cell for a staggered one."""
        is_odd = (row if self.axis == "y" else column) % 2 == 1
        shifted = is_odd == (self.index == "odd")
        across, down = (2 * column + shifted, row) if self.axis == "y" else (column, 2 * row + shifted)
        # Counted in half tiles. Their sum is odd where the even lines are shifted.
        down += self.index == "even"
        return (across + down) // 2, (down - across) // 2 + self.top

    def box(self, x: int, y: int, width: int, height: int) -> Block:
        """An empty block of the isometric map that contains a non-empty rectangle of the staggered map."""
        # The corners of the rectangle are in its first two and last two lines.
        edges = [(first, first + 1, last - 1, last) for first, last in ((x, x + width - 1), (y, y + height - 1))]
        inside = [
            (column, row) for column, row in product(*edges) if x <= column < x + width and y <= row < y + height
        ]
        columns, rows = zip(*(self.cell(*cell) for cell in inside), strict=True)
        left, top = min(columns), min(rows)
        return Block(left, top, max(columns) - left + 1, max(rows) - top + 1, array("I"))

    def turned(self, blocks: list[Block], count: Callable[[int, int], int]) -> list[Block]:
        """The blocks of a layer, as one block of the isometric map; `count` is called with its size."""
        blocks = [block for block in blocks if block.gids]
        if not blocks:
            return []
        boxes = [self.box(block.x, block.y, block.width, block.height) for block in blocks]
        left, top = min(box.x for box in boxes), min(box.y for box in boxes)
        width = max(box.x + box.width for box in boxes) - left
        height = max(box.y + box.height for box in boxes) - top
        result = Block(left, top, width, height, array("I", bytes(4)) * count(width, height))
        for block in blocks:
            self._draw(block, result)
        return [result]

    def _draw(self, block: Block, on: Block) -> None:
        """Copy a block's cells: each line, or every second cell of it, is a diagonal of the isometric map."""
        step = max(on.width - 1, 1)
        every = 1 if self.axis == "y" else 2
        for row in range(block.height):
            line = block.gids[row * block.width : (row + 1) * block.width]
            for first in range(min(every, block.width)):
                part = line[first::every][::-1]
                # The last cell of the part becomes the topmost.
                column, over = self.cell(block.x + first + (len(part) - 1) * every, block.y + row)
                at = (over - on.y) * on.width + column - on.x
                end = at + step * (len(part) - 1) + 1
                on.gids[at:end:step] = part

    @property
    def corner(self) -> Point:
        """The top corner of the isometric map's cell (0, 0), in pixels of the staggered map."""
        half_width, half_height = self.projection.tile_width / 2, self.projection.tile_height / 2
        return (self.top + 1) * half_width, (-self.top - (self.index == "even")) * half_height

    def picture(self, node: Node, height: int) -> Node:
        """An image layer, with its offset on the isometric map; `height` is that of the isometric map in Tiled."""
        left, top = self.corner
        x = node.number("offsetx", 0) - left + height * self.projection.tile_width / 2
        return Node({**node.value, "offsetx": x, "offsety": node.number("offsety", 0) - top}, node.place)

    def tileset(self, raw: Json) -> Json:
        """A tileset whose tile objects are aligned as on staggered maps, where the default alignment differs."""
        stated = raw.get("objectalignment", "unspecified")
        return {**raw, "objectalignment": "bottomleft"} if stated == "unspecified" else raw

    def object(self, node: Node, look: TileLook) -> Node:
        """An object of a staggered map, merged with its template, as an object of the isometric map.

        A rectangle or an ellipse becomes a polygon, because isometric maps skew it. Its position is the point that
        determines its cell.
        """
        flat = replace(self.projection, orientation="orthogonal")
        shape = read_shape(node, look, flat)
        if shape.points:
            points = [self._offset(*point) for point in shape.points]
            return self._moved(node, (shape.x, shape.y), {shape.kind: points})
        if shape.kind in ("point", "tile", "text") or not (shape.width or shape.height):
            return self._moved(node, (shape.x, shape.y), {})
        anchor = shape.anchor(flat)
        corners = [self._offset(x - anchor[0], y - anchor[1]) for x, y in _outline(shape, flat)]
        without = (shape.kind, "width", "height", "rotation")
        value = {key: item for key, item in node.value.items() if key not in without}
        return self._moved(Node(value, node.place), anchor, {"polygon": corners})

    def _moved(self, node: Node, position: Point, changes: Json) -> Node:
        left, top = self.corner
        return Node({**node.value, **self._offset(position[0] - left, position[1] - top), **changes}, node.place)

    def _offset(self, x: float, y: float) -> dict[str, float]:
        across, down = self.projection.from_screen(x, y)
        return {"x": round(across, 6), "y": round(down, 6)}


def _outline(shape: Shape, flat: Projection) -> list[Point]:
    """The corners of a rectangle, or of a polygon that approximates an ellipse, in screen pixels."""
    corners = shape.outline(flat)
    if shape.kind != "ellipse":
        return corners
    (x, y), (right_x, right_y), _, (low_x, low_y) = corners
    turns = [2 * pi * step / _CORNERS_OF_ELLIPSE for step in range(_CORNERS_OF_ELLIPSE)]
    parts = [((1 + cos(turn)) / 2, (1 + sin(turn)) / 2) for turn in turns]
    return [
        (x + (right_x - x) * along + (low_x - x) * down, y + (right_y - y) * along + (low_y - y) * down)
        for along, down in parts
    ]
