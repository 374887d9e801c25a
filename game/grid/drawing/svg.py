"""A map as SVG: the same scene as the PNG, as shapes and text that a browser draws. Everything is escaped."""

import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Final
from xml.sax.saxutils import escape

from game.grid.drawing.fog import FOG_COLOR, OPACITIES
from game.grid.drawing.png import cut_background
from game.grid.drawing.scene import (
    DARK,
    DARK_SYMBOLS,
    GRID_OPACITY,
    LIGHT,
    LIGHT_SYMBOLS,
    PAPER,
    RGB,
    RGBA,
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
from game.grid.geometry import Point

MAX_CELLS: Final = 262_144  # 512 x 512; a browser has to draw each of them
_FONTS: Final = "'DejaVu Sans', Verdana, 'Noto Sans', 'Segoe UI Symbol', 'Noto Sans Symbols 2', sans-serif"
_TYPES: Final = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))
# Characters that XML 1.0 does not allow, not even escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def draw_svg(
    region: Region,
    *,
    cell_size: int = 32,
    layers: Collection[str] | None = None,
    grid: bool = False,
    secrets: bool = False,
    background: bytes | None = None,
    fog: Sequence[str] | None = None,
) -> str:
    """A region of a map as the text of an SVG file; takes and raises the same as `draw_png`.

    Also raises PictureError for a region of more than MAX_CELLS cells.
    """
    projection = Projection(region, cell_size)
    if region.width * region.height > MAX_CELLS:
        raise PictureError(f"an SVG has at most {MAX_CELLS:,} cells; draw a smaller region, or a PNG")
    scene = compose(projection, grid=grid, secrets=secrets)
    if background is not None and fog is not None:
        background, scene = cut_background(projection, scene, background, fog)
    shown, legend = region.shown(layers), looks(region)
    width, height = projection.width, projection.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" '
        f'font-family="{_FONTS}" font-weight="bold" text-anchor="middle">',
        f'<rect width="{width}" height="{height}" fill="{_hex(PAPER)}"/>',
    ]
    if background is not None:
        parts.append(_background(background, scene.backdrop))
    if region.width and region.height:
        parts += _cells(projection, shown, legend)
        parts += _glows(scene)
        if cell_size >= SYMBOLS_FROM:
            parts += _symbols(projection, shown, legend)
    parts += _strokes(scene.grid, GRID_OPACITY)
    parts += _strokes(scene.strokes)
    parts += map(_token, scene.tokens)
    if fog is not None:
        parts += _fog(projection, fog)
    parts += map(_label, scene.labels)
    return "\n".join([*parts, "</svg>\n"])


def _text(text: str) -> str:
    """Any text, safe between tags."""
    return escape(_NOT_XML.sub("", text))


def _hex(color: Sequence[int]) -> str:
    return "#" + bytes(color[:3]).hex()


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _path(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)


# Cells


def _cells(
    projection: Projection, layers: Sequence[Mapping[str, Any]], legend: Mapping[str, Look]
) -> Iterator[str]:
    """One path for all cells of a colour; cells that block sight come last, above their shadow."""
    first, *_ = shape = projection.shape
    outline = "".join(f"l{_number(x2 - x1)} {_number(y2 - y1)}" for (x1, y1), (x2, y2) in pairwise(shape)) + "z"
    paths: dict[tuple[bool, RGBA], list[str]] = defaultdict(list)
    for cell, stack in _stacks(projection.region, layers, legend):
        color = _blend(stack, legend)
        if color[3]:
            x, y = projection.centre(cell)
            blocks = any(legend[symbol].blocks_sight for symbol, _ in stack)
            paths[blocks, color].append(f"M{_number(x + first[0])} {_number(y + first[1])}{outline}")
    # A hairline in the cell's own colour closes the gaps that smoothing leaves between neighbours.
    for (blocks, color), cells in paths.items():
        if not blocks:
            yield _cell_path(color, cells)
    walls = "".join(path for (blocks, _), cells in paths.items() if blocks for path in cells)
    if walls and projection.cell_size >= SHADE_FROM:
        away, blur = _number(0.14 * projection.unit), _number(0.06 * projection.unit)
        yield f'<filter id="shade"><feGaussianBlur stdDeviation="{blur}"/></filter>'
        yield (
            f'<path fill="{_hex(DARK)}" opacity="{SHADE_OPACITY}" filter="url(#shade)" '
            f'transform="translate({away} {away})" d="{walls}"/>'
        )
    for (blocks, color), cells in paths.items():
        if blocks:
            yield _cell_path(color, cells)


def _fog(projection: Projection, fog: Sequence[str]) -> Iterator[str]:
    """One path for all cells that are out of sight, and one for those that were never seen."""
    region, shape = projection.region, projection.shape
    outline = "".join(f"l{_number(x2 - x1)} {_number(y2 - y1)}" for (x1, y1), (x2, y2) in pairwise(shape)) + "z"
    paths: dict[str, list[str]] = defaultdict(list)
    for cell in region.cells():
        digit = fog[cell[1] - region.y][cell[0] - region.x]
        if digit in OPACITIES:
            x, y = projection.centre(cell)
            paths[digit].append(f"M{_number(x + shape[0][0])} {_number(y + shape[0][1])}{outline}")
    for digit, cells in paths.items():
        yield _cell_path((*FOG_COLOR, round(255 * OPACITIES[digit])), cells)


def _cell_path(color: RGBA, cells: list[str]) -> str:
    fill, opacity = _hex(color), "" if color[3] == 255 else f' opacity="{_number(color[3] / 255)}"'
    return f'<path fill="{fill}" stroke="{fill}" stroke-width="0.6"{opacity} d="{"".join(cells)}"/>'


def _stacks(
    region: Region, layers: Sequence[Mapping[str, Any]], legend: Mapping[str, Look]
) -> Iterator[tuple[tuple[int, int], tuple[tuple[str, float], ...]]]:
    """Each cell with its symbols and their layers' opacities, from the bottom up."""
    rows = [tidy_rows(layer, region.width, region.height) for layer in layers]
    opacities = [layer.get("opacity", 1) for layer in layers]
    for y, x in product(range(region.height), range(region.width)):
        stack = zip((layer[y][x] for layer in rows), opacities, strict=True)
        yield (region.x + x, region.y + y), tuple(item for item in stack if item[0] in legend)


def _blend(stack: Sequence[tuple[str, float]], legend: Mapping[str, Look]) -> RGBA:
    """The colour of symbols laid over each other (Porter and Duff's "over")."""
    color, alpha = [0.0, 0.0, 0.0], 0.0
    for symbol, opacity in stack:
        *above, own = legend[symbol].color
        own_alpha = own / 255 * opacity
        both = own_alpha + alpha * (1 - own_alpha)
        if both:
            color = [
                (a * own_alpha + b * alpha * (1 - own_alpha)) / both for a, b in zip(above, color, strict=True)
            ]
        alpha = both
    red, green, blue = (round(part) for part in color)
    return red, green, blue, round(255 * alpha)


def _symbols(
    projection: Projection, layers: Sequence[Mapping[str, Any]], legend: Mapping[str, Look]
) -> Iterator[str]:
    region, size = projection.region, round(0.46 * projection.unit, 2)
    groups: dict[tuple[RGB, float], list[str]] = defaultdict(list)
    stacks = _stacks(region, layers, legend)
    for row in top_symbols(layers, region.width, region.height):
        for (symbol, opacity), (cell, stack) in zip(row, stacks, strict=False):
            if symbol in legend and legend[symbol].glyph:
                color = ink(luma(_over_paper(_blend(stack, legend))))
                x, y = projection.centre(cell)
                # Not dominant-baseline, which some viewers do not support.
                text = f'<text x="{_number(x)}" y="{_number(y + 0.36 * size)}">{_text(symbol)}</text>'
                groups[color, opacity * (DARK_SYMBOLS if color == DARK else LIGHT_SYMBOLS)].append(text)
    for (color, opacity), texts in groups.items():
        yield f'<g font-size="{size}" fill="{_hex(color)}" opacity="{_number(opacity)}">'
        yield from texts
        yield "</g>"


def _over_paper(color: RGBA) -> RGB:
    share = color[3] / 255
    red, green, blue = (
        round(part * share + paper * (1 - share)) for part, paper in zip(color, PAPER, strict=False)
    )
    return red, green, blue


# Below and above the cells


def _background(file: bytes, place: tuple[float, float, float, float]) -> str:
    kind = next((kind for start, kind in _TYPES if file.startswith(start)), None)
    if kind is None:
        raise PictureError("the background is not a picture that can be read")
    left, top, right, bottom = place
    return (
        f'<image x="{_number(left)}" y="{_number(top)}" width="{_number(right - left)}" '
        f'height="{_number(bottom - top)}" preserveAspectRatio="none" '
        f'href="data:{kind};base64,{b64encode(file).decode()}"/>'
    )


def _glows(scene: Scene) -> Iterator[str]:
    kinds = {(glow.color, round(glow.strength, 2)): "" for glow in scene.glows}
    for number, (color, strength) in enumerate(kinds):
        kinds[color, strength] = name = f"glow{number}"
        stops = "".join(
            f'<stop offset="{far}" stop-color="{_hex(color)}" '
            f'stop-opacity="{_number(strength * (1 - far) ** 1.2)}"/>'
            for far in (0, 0.25, 0.5, 0.75, 1)
        )
        yield f'<radialGradient id="{name}">{stops}</radialGradient>'
    if scene.glows:
        yield f'<clipPath id="map"><path d="{_path(scene.outline)}z"/></clipPath>'
    for glow in scene.glows:
        (x, y), (across, down) = glow.middle, glow.radii
        yield (
            f'<ellipse cx="{_number(x)}" cy="{_number(y)}" rx="{_number(across)}" ry="{_number(down)}" '
            f'fill="url(#{kinds[glow.color, round(glow.strength, 2)]})" clip-path="url(#map)" '
            f'style="mix-blend-mode:soft-light"/>'
        )


def _strokes(strokes: Sequence[Stroke], opacity: float = 1) -> Iterator[str]:
    if strokes:
        yield f'<g fill="none" opacity="{_number(opacity)}">'
        for stroke in strokes:
            ends = ' stroke-linecap="round"' if stroke.round_ends else ""
            yield (
                f'<path d="{_path(stroke.points)}" stroke="{_hex(stroke.color)}" '
                f'stroke-width="{_number(stroke.width)}"{ends}/>'
            )
        yield "</g>"


def _token(token: Token) -> str:
    x, y = map(_number, token.middle)
    letter = ""
    if token.initial and token.radius >= 6.5:
        size, baseline = _number(1.05 * token.radius), _number(token.middle[1] + 0.38 * token.radius)
        fill = _hex(ink(luma(token.color)))
        letter = f'<text x="{x}" y="{baseline}" font-size="{size}" fill="{fill}">{_text(token.initial)}</text>'
    return (
        f"<g><title>{_text(token.name)}</title>"
        f'<circle cx="{x}" cy="{y}" r="{_number(token.radius * 0.93)}" fill="{_hex(token.color)}" '
        f'stroke="{_hex(LIGHT)}" stroke-width="{_number(max(0.8, token.radius * 0.14))}"/>{letter}</g>'
    )


def _label(label: Label) -> str:
    x, y = label.middle
    return (
        f'<text x="{_number(x)}" y="{_number(y + 0.36 * label.size)}" font-size="{label.size}" '
        f'fill="{_hex(DARK)}" stroke="{_hex(LIGHT)}" stroke-width="{max(2, round(label.size / 3.5))}" '
        f'stroke-linejoin="round" paint-order="stroke">{_text(label.text)}</text>'
    )
