"""A map as PNG, by Pillow.

The colours of all cells are computed as an image of one pixel per cell, which is then enlarged: the only Python
loop over cells is the one that draws symbols. Everything else is drawn on top at a larger scale and reduced, for
antialiasing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from itertools import product
from math import ceil, sqrt
from typing import Any, Final

from PIL import Image, ImageChops, ImageDraw, UnidentifiedImageError

from game.grid.drawing import lettering
from game.grid.drawing.fog import cut, fog_image, shown_mask
from game.grid.drawing.scene import (
    DARK,
    DARK_SYMBOLS,
    GRID_OPACITY,
    LIGHT,
    LIGHT_SYMBOLS,
    PAPER,
    RGB,
    SHADE_FROM,
    SHADE_OPACITY,
    SYMBOLS_FROM,
    Label,
    Look,
    PictureError,
    Projection,
    Region,
    Scene,
    Stroke,
    Token,
    compose,
    ink,
    looks,
    luma,
    tidy_rows,
    top_symbols,
)
from game.grid.geometry import HEXES

_NEAREST: Final = Image.Resampling.NEAREST
_SMOOTH: Final = Image.Resampling.BILINEAR
_MAX_BACKGROUND: Final = 4096 * 4096
"""The maximum number of pixels of a background; each takes four bytes."""
_FINE: Final = 8  # pixels per cell, which is enough for shade and light


def draw_png(
    region: Region,
    *,
    cell_size: int = 32,
    layers: Collection[str] | None = None,
    grid: bool = False,
    secrets: bool = False,
    background: bytes | None = None,
    fog: Sequence[str] | None = None,
) -> bytes:
    """A region of a map as a PNG file.

    Takes the width of a cell in pixels; the names of the layers to draw (None: all that are not hidden);
    whether to draw the lines of the grid, and the secret doors; and the background picture's file (PNG, JPEG
    or WebP); the region's rows of `fog`, where there is fog. Raises PictureTooLarge, and PictureError for a
    background that cannot be read.
    """
    projection = Projection(region, cell_size)
    scene = compose(projection, grid=grid, secrets=secrets)
    if background is not None and fog is not None:
        background, scene = cut_background(projection, scene, background, fog)
    shown, legend = region.shown(layers), looks(region)
    full = projection.width, projection.height
    # Squares of one colour are shaded and lit at this small scale.
    small = (
        bool(region.width and region.height)
        and background is None
        and region.grid_type in ("square", "none")
        and cell_size > _FINE
    )
    canvas = Image.new("RGB", (region.width * _FINE, region.height * _FINE) if small else full, PAPER)
    if background is not None:
        _paint_background(canvas, background, scene.backdrop)
    if region.width and region.height:
        cells = _colors(region, shown, legend)
        solid = Image.new("RGB", cells.size, PAPER)
        solid.paste(cells, (0, 0), cells)
        _paint_cells(canvas, projection, solid if background is None else cells)
        if cell_size >= SHADE_FROM:
            _paint_shade(canvas, projection, _blocked(region, shown, legend))
        _paint_light(canvas, scene, canvas.width / projection.width)
        canvas = canvas.resize(full, _NEAREST) if small else canvas
        if cell_size >= SYMBOLS_FROM:
            _paint_symbols(canvas, projection, shown, legend, solid)
    _paint_strokes(canvas, scene.grid, GRID_OPACITY)
    _paint_strokes(canvas, scene.strokes)
    _paint_tokens(canvas, scene.tokens)
    if fog is not None and region.width and region.height:
        _paint_cells(canvas, projection, fog_image(fog))
    _paint_labels(canvas, scene.labels)
    file = BytesIO()
    canvas.save(file, "PNG", compress_level=1)
    return file.getvalue()


def draw_background(region: Region, background: bytes, fog: Sequence[str] | None, *, cell_size: int) -> bytes:
    """The background picture of a region of a map, at its position in the picture of the region, as a PNG file.

    It is transparent outside the background, and where the cells were never seen. Takes and raises the same
    as `draw_png`.
    """
    projection = Projection(region, cell_size)
    scene = compose(projection, grid=False, secrets=False)
    rows = ["2" * region.width] * region.height if fog is None else fog
    return cut_background(projection, scene, background, rows)[0]


def cut_background(
    projection: Projection, scene: Scene, background: bytes, fog: Sequence[str]
) -> tuple[bytes, Scene]:
    """The parts of a background picture in cells that are or were in sight, as a picture of the whole region."""
    canvas = Image.new("RGBA", (projection.width, projection.height))
    _paint_background(canvas, background, scene.backdrop)
    place = 0.0, 0.0, float(projection.width), float(projection.height)
    return cut(canvas, shown_mask(projection, fog)), replace(scene, backdrop=place)


# Cells


def _indexes(
    layer: Mapping[str, Any], size: tuple[int, int], symbols: Collection[str]
) -> Iterator[tuple[list[str], Image.Image]]:
    """The symbols that a layer uses, in groups of at most 255, and an image of the layer for each group: the index
    of each cell's symbol in the group, from 1, or 0."""
    text = "".join(tidy_rows(layer, *size))
    used = sorted(set(text).intersection(symbols))
    for start in range(0, len(used), 255):
        group = used[start : start + 255]
        places = defaultdict(int, {ord(symbol): place for place, symbol in enumerate(group, 1)})
        yield group, Image.frombytes("L", size, text.translate(places).encode("latin-1"))


def _colors(region: Region, layers: Sequence[Mapping[str, Any]], legend: Mapping[str, Look]) -> Image.Image:
    """The colours of the cells, one pixel per cell; transparent where a cell is empty."""
    cells = Image.new("RGBA", (region.width, region.height))
    for layer in layers:
        for group, image in _indexes(layer, cells.size, legend):
            colors = [(0, 0, 0, 0), *(legend[symbol].color for symbol in group)]
            opacity = layer.get("opacity", 1)
            image.putpalette(
                bytes(part for r, g, b, a in colors for part in (r, g, b, round(a * opacity))), "RGBA"
            )
            cells.alpha_composite(image.convert("RGBA"))
    return cells


def _blocked(region: Region, layers: Sequence[Mapping[str, Any]], legend: Mapping[str, Look]) -> Image.Image:
    """A mask with 255 for the cells that block sight, one pixel per cell."""
    blocked = Image.new("L", (region.width, region.height))
    blocking = [symbol for symbol, look in legend.items() if look.blocks_sight]
    for layer in layers:
        for _, image in _indexes(layer, blocked.size, blocking):
            blocked = ImageChops.lighter(blocked, image.point(lambda place: 255 * (place > 0)))
    return blocked


def _paint_cells(canvas: Image.Image, projection: Projection, cells: Image.Image) -> None:
    """Enlarge an image of one pixel per cell onto the canvas; transparent pixels leave it unchanged."""
    if projection.grid_type in HEXES:
        _paint_hexes(canvas, projection, cells)
    elif projection.grid_type == "isometric":
        _paint_diamonds(canvas, projection, cells)
    else:
        large = cells.resize(canvas.size, _NEAREST)
        canvas.paste(large, (0, 0), large if large.mode == "RGBA" else None)


def _paint_hexes(canvas: Image.Image, projection: Projection, cells: Image.Image) -> None:
    """Draw the staggered lines one by one, each cut along its zigzag, overlapping the previous one."""
    region, unit = projection.region, projection.cell_size
    upright = projection.grid_type == "hex_row"
    transposed = canvas if upright else canvas.transpose(Image.Transpose.TRANSPOSE)
    cells = cells if upright else cells.transpose(Image.Transpose.TRANSPOSE)
    start = region.y if upright else region.x
    shift = any(line % 2 == 0 for line in range(start, start + min(2, cells.height)))
    mask = _zigzag(cells.width, unit)
    for line in range(cells.height):
        strip = cells.crop((0, line, cells.width, line + 1)).resize(mask.size, _NEAREST)
        left = round(unit / 2) if shift and (start + line) % 2 else 0
        top = round(line * unit * sqrt(3) / 2)
        cut = mask if strip.mode == "RGB" else ImageChops.multiply(mask, strip.getchannel("A"))
        transposed.paste(strip.convert("RGB"), (left, top), cut)
    if not upright:
        canvas.paste(transposed.transpose(Image.Transpose.TRANSPOSE))


def _zigzag(count: int, unit: int) -> Image.Image:
    """The mask of a line of hexes with pointed tops, `unit` pixels wide each."""
    oversampling = 4
    height = ceil(unit * 2 / sqrt(3))
    hexagon = Image.new("L", (unit * oversampling, height * oversampling))
    # Slightly larger, so that there are no gaps between two lines.
    half, full_height, grown = unit * oversampling / 2, unit * oversampling * 2 / sqrt(3), 0.5 * oversampling
    outline = [
        (half, -grown),
        (2 * half, full_height / 4 - grown),
        (2 * half, 3 * full_height / 4 + grown),
        (half, full_height + grown),
        (0, 3 * full_height / 4 + grown),
        (0, full_height / 4 - grown),
    ]
    ImageDraw.Draw(hexagon).polygon(outline, fill=255)
    hexagon = hexagon.reduce(oversampling)
    mask = Image.new("L", (count * unit, height))
    for place in range(count):
        mask.paste(hexagon, (place * unit, 0))
    return mask


def _affine(projection: Projection, scale: float, pixels: float, top: int) -> tuple[float, ...]:
    """The inverse of `picture_point`, as Pillow wants it.

    From a pixel of an isometric picture, `scale` times as fine and from the line `top` on, to a pixel of an
    image of the cells with `pixels` pixels a cell.
    """
    step, half = pixels / projection.cell_size, projection.region.height / 2 * pixels
    return (
        step / scale,
        2 * step / scale,
        2 * step * top - half,
        -step / scale,
        2 * step / scale,
        2 * step * top + half,
    )


def _paint_diamonds(canvas: Image.Image, projection: Projection, cells: Image.Image) -> None:
    cells = cells.convert("RGBA")
    for top in range(0, canvas.height, 256):
        height = min(256, canvas.height - top)
        enlarged = cells.transform(
            (2 * canvas.width, 2 * height), Image.Transform.AFFINE, _affine(projection, 2, 1, top), _NEAREST
        )
        band = enlarged.reduce(2)
        canvas.paste(band, (0, top), band)


def _paint_shade(canvas: Image.Image, projection: Projection, blocked: Image.Image) -> None:
    """Draw the shadow of cells that block sight, to the bottom right, on square and isometric maps."""
    if projection.grid_type in HEXES or blocked.getbbox() is None:
        return
    walls = blocked.resize((blocked.width * _FINE, blocked.height * _FINE), _NEAREST)
    shade = Image.new("L", walls.size)
    for reach, depth in ((2, 0.55), (1, 1.0)):
        moved = Image.new("L", walls.size)
        moved.paste(
            round(255 * depth * SHADE_OPACITY),
            (reach, reach),
            walls.crop((0, 0, walls.width - reach, walls.height - reach)),
        )
        shade = ImageChops.lighter(shade, moved)
    shade = ImageChops.subtract(shade, walls)
    if projection.grid_type == "isometric":
        shade = shade.transform(canvas.size, Image.Transform.AFFINE, _affine(projection, 1, _FINE, 0), _SMOOTH)
    else:
        shade = shade.resize(canvas.size, _NEAREST)
    canvas.paste(DARK, (0, 0), shade)


def _paint_symbols(
    canvas: Image.Image,
    projection: Projection,
    layers: Sequence[Mapping[str, Any]],
    legend: Mapping[str, Look],
    colors: Image.Image,
) -> None:
    region = projection.region
    size = max(7, round(0.46 * projection.unit))
    stamps: dict[tuple[tuple[str, float], RGB], Image.Image | None] = {}
    bright = iter(colors.convert("L").tobytes())
    for y, row in enumerate(top_symbols(layers, region.width, region.height), region.y):
        # On all grids, every second cell of a row is on one line.
        (left, top), (right, bottom) = projection.centre((region.x, y)), projection.centre((region.x + 2, y))
        dx, dy = (right - left) / 2, (bottom - top) / 2
        odd = projection.centre((region.x + 1, y))
        odd_x, odd_y = odd[0] - left - dx, odd[1] - top - dy
        for x, (symbol, brightness) in enumerate(zip(row, bright, strict=False)):
            color = ink(brightness)
            key = symbol, color
            if key not in stamps:
                look = legend.get(symbol[0])
                opacity = symbol[1] * (DARK_SYMBOLS if color == DARK else LIGHT_SYMBOLS)
                stamps[key] = _stamp(look.glyph, size, opacity) if look and look.glyph else None
            if stamp := stamps[key]:
                px, py = left + x * dx + (x % 2) * odd_x, top + x * dy + (x % 2) * odd_y
                canvas.paste(color, (round(px - stamp.width / 2), round(py - stamp.height / 2)), stamp)


def _stamp(glyph: str, size: int, opacity: float) -> Image.Image | None:
    """The mask of a symbol; None if the font does not have it."""
    if not lettering.has_glyph(glyph):
        return None
    side = 2 * size
    stamp = Image.new("L", (side, side))
    ImageDraw.Draw(stamp).text(
        (side / 2, side / 2), glyph, fill=round(255 * opacity), font=lettering.font(size), anchor="mm"
    )
    left, top, right, bottom = stamp.getbbox() or (0, 0, 0, 0)
    # Cropped evenly on all sides, so that the stamp stays centred in the cell.
    cut_x, cut_y = min(left, side - right), min(top, side - bottom)
    return stamp.crop((cut_x, cut_y, side - cut_x, side - cut_y))


# Below and above the cells


def _paint_background(canvas: Image.Image, file: bytes, place: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = place
    x1, y1, x2, y2 = (
        max(0, round(left)),
        max(0, round(top)),
        min(canvas.width, round(right)),
        min(canvas.height, round(bottom)),
    )
    try:
        with Image.open(BytesIO(file)) as picture:
            if x1 < x2 and y1 < y2:
                across, down = picture.width / (right - left), picture.height / (bottom - top)
                seen = (
                    max(0.0, (x1 - left) * across),
                    max(0.0, (y1 - top) * down),
                    min(float(picture.width), (x2 - left) * across),
                    min(float(picture.height), (y2 - top) * down),
                )
                if picture.width * picture.height > _MAX_BACKGROUND:
                    raise PictureError(f"the background has more than {_MAX_BACKGROUND:,} pixels")
                # Converted after it was reduced, because that is faster; only these modes can be reduced without a
                # conversion.
                plain = picture if picture.mode in ("RGB", "RGBA", "L") else picture.convert("RGBA")
                scaled = plain.resize((x2 - x1, y2 - y1), _SMOOTH, seen, reducing_gap=2).convert("RGBA")
                canvas.paste(scaled, (x1, y1), scaled)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError("the background is not a picture that can be read") from error


def _paint_light(canvas: Image.Image, scene: Scene, scale: float) -> None:
    """Brighten a canvas, `scale` pixels of which are one of the picture.

    Middle tones are brightened most, dark and light ones less.
    """
    ellipses = [(*glow.middle, *glow.radii) for glow in scene.glows]
    if not ellipses:
        return
    left = max(0, int(min(x - across for x, _, across, _ in ellipses) * scale))
    top = max(0, int(min(y - down for _, y, _, down in ellipses) * scale))
    right = min(canvas.width, ceil(max(x + across for x, _, across, _ in ellipses) * scale))
    bottom = min(canvas.height, ceil(max(y + down for _, y, _, down in ellipses) * scale))
    before = canvas.crop((left, top, right, bottom))
    # Light has no sharp edges, so it is painted at a small scale and enlarged; at an even smaller one if there are
    # many lights.
    smaller = min(1.0, (512 if len(ellipses) <= 500 else 128) / max(before.size))
    light = Image.new("RGB", (ceil(before.width * smaller), ceil(before.height * smaller)))
    for glow, ellipse in zip(scene.glows, ellipses, strict=True):
        x, y, across, down = (part * scale * smaller for part in ellipse)
        x, y = x - left * smaller, y - top * smaller
        x1, x2 = max(0, round(x - across)), min(light.width, round(x + across))
        y1, y2 = max(0, round(y - down)), min(light.height, round(y + down))
        if x1 < x2 and y1 < y2:
            falloff = _falloff(round(100 * glow.strength))
            middle, far_x, far_y = falloff.width / 2, falloff.width / 2 / across, falloff.height / 2 / down
            part = (x1 - x) * far_x, (y1 - y) * far_y, (x2 - x) * far_x, (y2 - y) * far_y
            seen = tuple(max(0.0, min(float(falloff.width), middle + edge)) for edge in part)
            mask = falloff.resize((x2 - x1, y2 - y1), _SMOOTH, (seen[0], seen[1], seen[2], seen[3]))
            light.paste(glow.color, (x1, y1), mask)
    inside = Image.new("L", light.size)
    outline = [((x * scale - left) * smaller, (y * scale - top) * smaller) for x, y in scene.outline]
    ImageDraw.Draw(inside).polygon(outline, fill=255)
    light = Image.composite(light, Image.new("RGB", light.size), inside).resize(before.size, _SMOOTH)
    canvas.paste(ImageChops.screen(before, ImageChops.multiply(before, light)), (left, top))


@lru_cache(maxsize=64)
def _falloff(percent: int) -> Image.Image:
    # Pillow's gradient reaches white in the corners of its square; light ends at the middle of the sides.
    side = 255 / sqrt(2)
    return Image.radial_gradient("L").point(lambda far: round(2.55 * percent * max(0.0, 1 - far / side) ** 1.2))


def _paint_strokes(canvas: Image.Image, strokes: Sequence[Stroke], opacity: float = 1) -> None:
    """Draw lines twice as large on the squares of the canvas that they touch."""
    side = 128 if len(strokes) <= 5000 else 1024
    squares: dict[tuple[int, int], list[Stroke]] = defaultdict(list)
    for stroke in strokes:
        columns, rows = (
            range(
                max(0, int(min(line) - stroke.width)) // side,
                min(end - 1, int(max(line) + stroke.width)) // side + 1,
            )
            for line, end in zip(zip(*stroke.points, strict=True), canvas.size, strict=True)
        )
        for square in product(columns, rows):
            squares[square].append(stroke)
    for (column, row), inside in squares.items():
        left, top = column * side, row * side
        before = canvas.crop((left, top, min(canvas.width, left + side), min(canvas.height, top + side)))
        enlarged = before.resize((2 * before.width, 2 * before.height), _NEAREST)
        draw = ImageDraw.Draw(enlarged)
        for stroke in inside:
            points = [(2 * (x - left) - 0.5, 2 * (y - top) - 0.5) for x, y in stroke.points]
            width = max(1, round(2 * stroke.width))
            draw.line(points, stroke.color, width)
            if stroke.round_ends:
                for point in points:
                    draw.circle(point, width / 2 - 0.5, stroke.color)
        canvas.paste(Image.blend(before, enlarged.reduce(2), opacity), (left, top))


def _paint_tokens(canvas: Image.Image, tokens: Sequence[Token]) -> None:
    for token in tokens:
        disc = _disc(token.radius, token.color, token.initial)
        canvas.paste(
            disc, (round(token.middle[0] - disc.width / 2), round(token.middle[1] - disc.height / 2)), disc
        )


@lru_cache(maxsize=512)
def _disc(radius: float, color: RGB, initial: str) -> Image.Image:
    oversampling = 4
    side = ceil(2 * radius) + 4
    disc = Image.new("RGBA", (side * oversampling, side * oversampling), (*DARK, 0))
    draw, middle = ImageDraw.Draw(disc), side * oversampling / 2 - 0.5
    border = max(0.8, radius * 0.14)
    draw.circle((middle, middle + 0.07 * radius * oversampling), (radius + 0.8) * oversampling, (*DARK, 110))
    draw.circle((middle, middle), radius * oversampling, (*LIGHT, 255))
    draw.circle((middle, middle), (radius - border) * oversampling, (*color, 255))
    if radius >= 6.5 and initial:
        font = lettering.font(max(7, round(1.05 * radius)) * oversampling)
        # Centred by the letter's own box, because the middle of the line is too high for a capital letter.
        left, top, right, bottom = font.getbbox(initial)
        draw.text(
            (middle - (left + right) / 2, middle - (top + bottom) / 2),
            initial,
            (*ink(luma(color)), 255),
            font,
        )
    return disc.reduce(oversampling)


def _paint_labels(canvas: Image.Image, labels: Sequence[Label]) -> None:
    draw = ImageDraw.Draw(canvas)
    for label in labels:
        draw.text(
            label.middle,
            label.text,
            DARK,
            lettering.font(label.size),
            anchor="mm",
            stroke_width=max(1, round(label.size / 7)),
            stroke_fill=LIGHT,
        )
