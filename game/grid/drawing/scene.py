"""The content of a picture of a map, in pixels: colours, lines, tokens and names.

PNG and SVG are two ways to draw the same scene.
"""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import ceil, cos, hypot, radians, sin
from typing import Any, Final, TypeAlias
from zlib import crc32

from game.grid.document import EMPTY, size
from game.grid.drawing import lettering
from game.grid.geometry import HEXES, Cell, GridType, Point, centre, corners, picture_point, picture_size
from game.grid.vision import cells_a_side

RGB: TypeAlias = tuple[int, int, int]
RGBA: TypeAlias = tuple[int, int, int, int]

MAX_SIDE: Final = 8192  # pixels
MAX_PIXELS: Final = 40_000_000
# The minimum sizes of a cell, in pixels, for details that would otherwise be too small.
SYMBOLS_FROM: Final = 12
NAMES_FROM: Final = 10
GRID_FROM: Final = 4
SHADE_FROM: Final = 8

PAPER: Final[RGB] = (239, 230, 210)
DARK: Final[RGB] = (38, 29, 22)
LIGHT: Final[RGB] = (255, 248, 234)
DARK_SYMBOLS: Final = 0.26  # opacity
LIGHT_SYMBOLS: Final = 0.17
GRID_OPACITY: Final = 0.16
SHADE_OPACITY: Final = 0.34
GLOW_STRENGTH: Final = 0.9
_OAK: Final[RGB] = (201, 148, 84)
_IRON: Final[RGB] = (176, 58, 46)
_SECRET: Final[RGB] = (196, 64, 148)

# Kinds that many games share; any other kind has a colour derived from its name.
_DISPOSITIONS: Final[Mapping[str, RGB]] = {
    "friendly": (38, 112, 78),
    "neutral": (86, 84, 80),
    "hostile": (148, 40, 40),
}
_KINDS: Final[Mapping[str, RGB]] = {
    "animal": (138, 105, 52),
    "character": (30, 108, 140),
    "container": (186, 136, 40),
    "exit": (34, 32, 36),
    "hazard": (128, 44, 112),
    "item": (64, 92, 168),
    "landmark": (76, 64, 116),
    "monster": (148, 40, 40),
    "npc": (38, 112, 78),
    "object": (86, 84, 80),
    "player": (30, 108, 140),
    "settlement": (150, 56, 40),
    "sign": (226, 212, 172),
    "trap": (110, 56, 124),
    "vessel": (44, 80, 116),
}


class PictureError(ValueError):
    """A picture cannot be drawn; the message says why."""


class PictureTooLarge(PictureError):
    """The picture has too many pixels; `cell_size` is the largest possible size of a cell, or 0."""

    def __init__(self, width: int, height: int, cell_size: int) -> None:
        self.cell_size = cell_size
        remedy = f"the largest possible cell_size is {cell_size}" if cell_size else "draw a smaller region"
        super().__init__(
            f"{width} x {height} pixels are more than the {MAX_SIDE} a side and {MAX_PIXELS:,} in all that "
            f"a picture may have; {remedy}"
        )


@dataclass(frozen=True)
class Region:
    """A rectangle of a map, in cells, and everything in it.

    `frame` is the valid grid data document; the rows of its layers are not read. `layers` are from the bottom
    up {name, rows, visible, opacity}, with `height` rows of `width` symbols each. `tokens` are those to draw:
    {name, x, y, size, color, disposition}.
    """

    x: int
    y: int
    width: int
    height: int
    frame: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]
    tokens: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(
        cls, document: Mapping[str, Any], x: int = 0, y: int = 0, width: int = 4096, height: int = 4096
    ) -> "Region":
        """The rectangle of a document from the cell (x, y), clipped to the map."""
        across, down = size(document)
        width, height = max(0, min(width, across - x)), max(0, min(height, down - y))
        layers = [
            {**layer, "rows": [row[x : x + width] for row in layer.get("rows", ())[y : y + height]]}
            for layer in document.get("layers", ())
        ]
        return cls(x, y, width, height, document, layers)

    @property
    def grid_type(self) -> GridType:
        """The type of the map's grid."""
        grid_type: GridType = self.frame.get("grid_type", "square")
        return grid_type

    def cells(self) -> Iterator[Cell]:
        """All cells, row by row."""
        rows, columns = range(self.y, self.y + self.height), range(self.x, self.x + self.width)
        return ((x, y) for y, x in product(rows, columns))

    def shown(self, names: Collection[str] | None) -> list[Mapping[str, Any]]:
        """The layers to draw, from the bottom up: those named, or else all that are not hidden."""
        return [
            layer
            for layer in self.layers
            if layer.get("rows")
            and layer.get("opacity", 1) > 0
            and (layer["name"] in names if names is not None else layer.get("visible", True))
        ]


class Projection:
    """Converts points of a map to pixels in the picture of a region.

    `width` and `height` are those of the picture in pixels, 1 at least; `unit` is the length of a cell's side
    as it is drawn. Raises PictureTooLarge, and PictureError for a cell smaller than a pixel.
    """

    def __init__(self, region: Region, cell_size: int) -> None:
        if cell_size < 1:
            raise PictureError("cell_size must be 1 pixel or more")
        self.region, self.cell_size, self.grid_type = region, cell_size, region.grid_type
        # The length of an isometric cell's edge, which is the scale of objects on it.
        self.unit = cell_size * (5**0.5 / 4 if self.grid_type == "isometric" else 1.0)
        self.left, self.top = float(region.x), float(region.y)
        across, down = picture_size(self.grid_type, region.width, region.height)
        if self.grid_type in HEXES and across and down:
            # The hexes of a region that begins on an odd line are staggered the other way round.
            columns, rows = (
                {start, min(start + 1, start + count - 1), start + count - 1}
                for start, count in ((region.x, region.width), (region.y, region.height))
            )
            xs, ys = zip(
                *(corner for cell in product(columns, rows) for corner in corners(self.grid_type, cell)),
                strict=True,
            )
            self.left, self.top, across, down = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)

        def pixels(size: int) -> tuple[int, int]:
            # Rounded first, so that a rounding error does not make 3 hexes of 10 pixels 31 pixels wide.
            return max(1, ceil(round(across * size, 6))), max(1, ceil(round(down * size, 6)))

        def fits(size: int) -> bool:
            width, height = pixels(size)
            return max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS

        self.width, self.height = pixels(cell_size)
        if not fits(cell_size):
            smaller = range(min(cell_size - 1, MAX_SIDE), 0, -1)
            raise PictureTooLarge(self.width, self.height, next(filter(fits, smaller), 0))

    def __call__(self, px: float, py: float) -> Point:
        """The pixel of a point; the distance of far points is limited to a million cells."""
        px, py = (max(-1e6, min(1e6, value)) for value in (px - self.left, py - self.top))
        px, py = picture_point(self.grid_type, px, py, self.region.height)
        return px * self.cell_size, py * self.cell_size

    def centre(self, cell: Cell) -> Point:
        """The pixel in the middle of a cell."""
        return self(*centre(self.grid_type, cell))

    @property
    def shape(self) -> list[Point]:
        """The corners of any cell, in pixels from its middle."""
        x, y = self.centre((0, 0))
        return [(px - x, py - y) for px, py in (self(*corner) for corner in corners(self.grid_type, (0, 0)))]

    def sees(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Whether a rectangle, in pixels, touches the picture."""
        return right >= 0 and bottom >= 0 and left <= self.width and top <= self.height


@dataclass(frozen=True)
class Look:
    """How a symbol of the legend is drawn; `glyph` is empty if the font does not have it."""

    color: RGBA
    glyph: str
    blocks_sight: bool


@dataclass(frozen=True)
class Stroke:
    """A line through points, `width` pixels thick."""

    points: tuple[Point, ...]
    width: float
    color: RGB
    round_ends: bool = False


@dataclass(frozen=True)
class Glow:
    """The light that falls around a point, within an ellipse; `strength` from 0 to 1 in its middle."""

    middle: Point
    radii: Point
    color: RGB
    strength: float


@dataclass(frozen=True)
class Token:
    """An entity or a token as a disc with the initial of its name."""

    middle: Point
    radius: float
    color: RGB
    initial: str
    name: str


@dataclass(frozen=True)
class Label:
    """A name, centred on a point."""

    middle: Point
    size: int
    text: str


@dataclass(frozen=True)
class Scene:
    """Everything above the cells, in drawing order.

    `outline` is that of the region, which clips the light; `backdrop` is the rectangle of the background picture:
    left, top, right and bottom.
    """

    outline: tuple[Point, ...]
    backdrop: tuple[float, float, float, float]
    glows: list[Glow]
    grid: list[Stroke]
    strokes: list[Stroke]
    tokens: list[Token]
    labels: list[Label]


def compose(projection: Projection, *, grid: bool, secrets: bool) -> Scene:
    """The scene of a region; with the lines of the grid and the secret doors, if requested."""
    frame = projection.region.frame
    strokes: list[Stroke] = []
    for wall in frame.get("walls", ()):
        strokes += _wall(projection, wall)
    for door in frame.get("doors", ()):
        if secrets or not door.get("secret"):
            strokes += _door(projection, door)
    tokens = list(_tokens(projection))
    return Scene(
        _outline(projection),
        _backdrop(projection),
        list(_glows(projection)),
        list(_grid(projection)) if grid and projection.cell_size >= GRID_FROM else [],
        [clipped for stroke in strokes if (clipped := _clipped(projection, stroke))],
        tokens,
        list(_labels(projection, tokens)) if projection.cell_size >= NAMES_FROM else [],
    )


# Colours


def rgba(color: object, otherwise: RGB) -> RGBA:
    """The channels of #rgb, #rrggbb or #rrggbbaa; or those of another colour if there is none."""
    if not isinstance(color, str):
        return (*otherwise, 255)
    digits = color[1:] if len(color) > 4 else "".join(2 * digit for digit in color[1:])
    red, green, blue, alpha = bytes.fromhex(f"{digits}ff"[:8])
    return red, green, blue, alpha


@lru_cache(maxsize=1024)
def stable_color(name: str, lightness: float, saturation: float) -> RGB:
    """A colour derived from a name, the same in every picture."""
    hue = crc32(name.encode()) / 2**32
    red, green, blue = (round(255 * part) for part in hls_to_rgb(hue, lightness, saturation))
    return red, green, blue


def looks(region: Region) -> dict[str, Look]:
    """How each symbol of the legend is drawn."""
    return {
        entry["symbol"]: Look(
            rgba(entry.get("color"), stable_color(entry["symbol"], 0.62, 0.28)),
            # Private use (Co) and unassigned (Cn) characters look different in every font.
            "" if unicodedata.category(entry["symbol"]) in ("Co", "Cn") else entry["symbol"],
            bool(entry.get("blocks_sight")),
        )
        for entry in region.frame.get("legend", ())
    }


def luma(color: Sequence[int]) -> float:
    """The luma of a colour, 0 to 255 (ITU-R BT.601)."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def ink(brightness: float) -> RGB:
    """The text colour, dark or light, with more contrast to a colour of this luma."""
    return DARK if brightness > 105 else LIGHT


def top_symbols(layers: Sequence[Mapping[str, Any]], width: int, height: int) -> Iterator[list[tuple[str, float]]]:
    """Row by row, for each cell the uppermost symbol and the opacity of its layer."""
    rows = [tidy_rows(layer, width, height) for layer in layers]
    opacities = [layer.get("opacity", 1) for layer in layers]
    for y in range(height):
        top = [(EMPTY, 0.0)] * width
        for opacity, layer in zip(opacities, rows, strict=True):
            row = layer[y]
            if not row.isspace():
                top = [
                    (symbol, opacity) if symbol != EMPTY else below for symbol, below in zip(row, top, strict=True)
                ]
        yield top


def tidy_rows(layer: Mapping[str, Any], width: int, height: int) -> list[str]:
    """The rows of a layer, exactly `height` of exactly `width` symbols."""
    rows = [row[:width].ljust(width) for row in layer["rows"][:height]]
    return rows + [EMPTY * width] * (height - len(rows))


# Above the cells


def _outline(projection: Projection) -> tuple[Point, ...]:
    region, width, height = projection.region, float(projection.width), float(projection.height)
    if region.grid_type != "isometric":
        return (0.0, 0.0), (width, 0.0), (width, height), (0.0, height)
    right, bottom = region.x + region.width, region.y + region.height
    ends = (region.x, region.y), (right, region.y), (right, bottom), (region.x, bottom)
    return tuple(projection(*end) for end in ends)


def _backdrop(projection: Projection) -> tuple[float, float, float, float]:
    frame = projection.region.frame
    background, (width, height) = frame.get("background", {}), size(frame)
    left, top = background.get("x", 0), background.get("y", 0)
    right, bottom = left + background.get("width", width), top + background.get("height", height)
    return _box(tuple(projection(*corner) for corner in product((left, right), (top, bottom))))


def _box(points: Sequence[Point], margin: float = 0) -> tuple[float, float, float, float]:
    xs, ys = zip(*points, strict=True)
    return min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin


def _grid(projection: Projection) -> Iterator[Stroke]:
    region = projection.region
    lines: list[tuple[Point, ...]] = []
    if region.grid_type in HEXES:
        shape = projection.shape
        for x, y in map(projection.centre, region.cells()):
            lines.append(tuple((x + dx, y + dy) for dx, dy in (*shape, shape[0])))
    elif region.grid_type != "none":
        right, bottom = region.x + region.width, region.y + region.height
        lines += [(projection(x, region.y), projection(x, bottom)) for x in range(region.x, right + 1)]
        lines += [(projection(region.x, y), projection(right, y)) for y in range(region.y, bottom + 1)]
    for line in lines:
        # A line one pixel wide is sharp only at the centre of pixels.
        yield Stroke(tuple((x + 0.5, y + 0.5) for x, y in line), 1, DARK)


def _wall(projection: Projection, wall: Mapping[str, Any]) -> Iterator[Stroke]:
    ends = projection(wall["x1"], wall["y1"]), projection(wall["x2"], wall["y2"])
    yield Stroke(ends, max(1.5, 0.11 * projection.unit), DARK, round_ends=True)


def _door(projection: Projection, door: Mapping[str, Any]) -> Iterator[Stroke]:
    """The strokes of a door: a leaf in a dark frame, with an iron bar if it is locked, or swung out if it is
    open."""
    unit = projection.unit
    x1, y1, x2, y2 = (max(-1e6, min(1e6, door[key])) for key in ("x1", "y1", "x2", "y2"))
    state, dx, dy = door.get("state", "closed"), x2 - x1, y2 - y1
    length = hypot(dx, dy)

    def at(share: float) -> Point:
        return projection(x1 + share * dx, y1 + share * dy)

    def leaf(start: Point, end: Point, color: RGB) -> Iterator[Stroke]:
        yield Stroke((start, end), max(2.5, 0.26 * unit), DARK)
        inset = 0.04 * unit / max(1e-9, hypot(end[0] - start[0], end[1] - start[1]))
        inner = tuple(
            (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
            for share in (min(inset, 0.5), max(1 - inset, 0.5))
        )
        yield Stroke(inner, max(1.2, 0.17 * unit), color)

    if door.get("secret"):
        dashes = max(2, min(64, round(3 * length)))
        for dash in range(dashes):
            yield Stroke((at((dash + 0.15) / dashes), at((dash + 0.85) / dashes)), max(2, 0.18 * unit), _SECRET)
    elif state == "open":
        # Wide doors have two leaves, one at each end.
        hinges = ((x1, y1, 1), (x2, y2, -1)) if length >= 1.5 else ((x1, y1, 1),)
        turn = radians(80)
        for x, y, way in hinges:
            share = way / len(hinges)
            end_x = x + share * (dx * cos(turn) - way * dy * sin(turn))
            end_y = y + share * (dy * cos(turn) + way * dx * sin(turn))
            yield from leaf(projection(x, y), projection(end_x, end_y), _OAK)
        for share in (0.0, 1.0):
            post = min(0.12 / max(length, 1e-9), 0.5) * (1 - 2 * share)
            yield Stroke((at(share), at(share + post)), max(2.5, 0.26 * unit), DARK)
    else:
        yield from leaf(at(0), at(1), _OAK)
        if state == "locked":
            half = min(0.16 / max(length, 1e-9), 0.5)
            yield Stroke((at(0.5 - half), at(0.5 + half)), max(2.5, 0.26 * unit), DARK)
            yield Stroke((at(0.5 - 0.7 * half), at(0.5 + 0.7 * half)), max(1.5, 0.18 * unit), _IRON)


def _clipped(projection: Projection, stroke: Stroke) -> Stroke | None:
    """The part of a straight line inside the picture (Liang and Barsky), with some margin for its ends."""
    (x1, y1), (x2, y2) = stroke.points
    first, last = 0.0, 1.0
    margin = 2 * stroke.width
    for start, step, end in ((x1, x2 - x1, projection.width), (y1, y2 - y1, projection.height)):
        if step:
            near, far = sorted(((-margin - start) / step, (end + margin - start) / step))
            first, last = max(first, near), min(last, far)
        elif not -margin <= start <= end + margin:
            return None
    if first > last:
        return None
    ends = tuple((x1 + share * (x2 - x1), y1 + share * (y2 - y1)) for share in (first, last))
    return replace(stroke, points=ends)


def _glows(projection: Projection) -> Iterator[Glow]:
    # A circle on an isometric map is an ellipse in its picture.
    across, down = (0.5**0.5, 0.5**0.5 / 2) if projection.grid_type == "isometric" else (1.0, 1.0)
    most = 4 * max(projection.width, projection.height)
    for light in projection.region.frame.get("lights", ()):
        radius = min(light.get("range", 0) * projection.cell_size, most)
        red, green, blue, alpha = rgba(light.get("color"), (255, 224, 164))
        strength = GLOW_STRENGTH * min(light.get("intensity", 1), 1) * alpha / 255
        middle, radii = projection(light["x"], light["y"]), (radius * across, radius * down)
        box = (middle[0] - radii[0], middle[1] - radii[1], middle[0] + radii[0], middle[1] + radii[1])
        if radius >= 1 and strength > 0 and projection.sees(*box):
            yield Glow(middle, radii, (red, green, blue), strength)


def _tokens(projection: Projection) -> Iterator[Token]:
    region = projection.region
    share = 0.5 if projection.grid_type == "isometric" else 0.37
    radius = max(1.5, share * projection.unit, min(5.5, 0.5 * projection.unit))
    for entity in region.frame.get("entities", ()):
        x, y = entity["x"] - region.x, entity["y"] - region.y
        if 0 <= x < region.width and 0 <= y < region.height:
            kind = entity.get("kind", "")
            color = _KINDS.get(kind) or stable_color(kind, 0.36, 0.42)
            name = entity.get("name") or kind
            initial = next(filter(str.isalnum, lettering.readable(name)), "").upper()[:1]
            yield Token(projection.centre((entity["x"], entity["y"])), radius, color, initial, name)
    for token in region.tokens:
        x, y, side = token["x"], token["y"], token["size"]
        if not (-side < x - region.x < region.width and -side < y - region.y < region.height):
            continue
        red, green, blue, _ = rgba(token["color"], _DISPOSITIONS[token["disposition"]])
        initial = next(filter(str.isalnum, lettering.readable(token["name"])), "").upper()[:1]
        wide = max(1.5, share * side * projection.unit)
        yield Token(_middle(projection, x, y, side), wide, (red, green, blue), initial, token["name"])


def _middle(projection: Projection, x: float, y: float, side: float) -> Point:
    """The middle of the cells that a token covers."""
    if projection.grid_type == "none":
        return projection(x + side / 2, y + side / 2)
    last = cells_a_side(projection.grid_type, side) - 1
    left, top = projection.centre((int(x), int(y)))
    right, bottom = projection.centre((int(x) + last, int(y) + last))
    return (left + right) / 2, (top + bottom) / 2


def _labels(projection: Projection, tokens: Sequence[Token]) -> Iterator[Label]:
    """The names of tokens, placed above, below, right or left of them without overlaps; each name once."""
    size = max(11, min(14, round(0.3 * projection.cell_size)))
    step = size / 2
    taken: set[tuple[int, int]] = set()
    written: set[str] = set()

    def squares(left: float, top: float, right: float, bottom: float) -> Iterable[tuple[int, int]]:
        return product(
            range(int(left // step), int(right // step) + 1), range(int(top // step), int(bottom // step) + 1)
        )

    for token in tokens:
        (x, y), radius = token.middle, token.radius * 0.8
        taken.update(squares(x - radius, y - radius, x + radius, y + radius))
    for token in tokens:
        text = lettering.readable(token.name)
        if not text or text in written:
            continue
        (x, y), half = token.middle, lettering.width(text, size) / 2
        below, beside = token.radius + 0.62 * size, token.radius + half + 3
        for dx, dy in ((0, -below), (0, below), (beside, 0), (-beside, 0)):
            box = x + dx - half, y + dy - 0.4 * size, x + dx + half, y + dy + 0.4 * size
            inside = (
                box[0] >= 2 and box[1] >= 2 and box[2] <= projection.width - 2 and box[3] <= projection.height - 2
            )
            if inside and taken.isdisjoint(squares(*box)):
                taken.update(squares(*box))
                written.add(text)
                yield Label((x + dx, y + dy), size, text)
                break
