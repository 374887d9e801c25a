"""Fog in pictures of maps: cells that were never seen are dark, those out of sight are dimmed."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

from game.grid.drawing.scene import RGB, Projection

FOG_COLOR: Final[RGB] = (18, 15, 13)
OPACITIES: Final = {"0": 1.0, "1": 0.5}
"""The opacity of the fog, by the digit in the rows of `fog` (`game.grid.fogged_view`)."""


def fog_image(fog: Sequence[str]) -> Image.Image:
    """The fog over the cells of a region, one pixel a cell."""
    size = len(fog[0]) if fog else 0, len(fog)
    levels = bytes(round(255 * OPACITIES.get(digit, 0.0)) for row in fog for digit in row)
    image = Image.new("RGBA", size, (*FOG_COLOR, 0))
    image.putalpha(Image.frombytes("L", size, levels))
    return image


def shown_mask(projection: Projection, fog: Sequence[str]) -> Image.Image:
    """A mask with 255 for the pixels of cells that are or were in sight, else 0, without antialiasing."""
    size = projection.width, projection.height
    region = projection.region
    if not (region.width and region.height):
        return Image.new("L", size)
    if projection.grid_type in ("square", "none"):
        marks = bytes(255 * (digit != "0") for row in fog for digit in row)
        cells = Image.frombytes("L", (region.width, region.height), marks)
        return cells.resize(size, Image.Resampling.NEAREST)
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    shape = projection.shape
    for cell in region.cells():
        if fog[cell[1] - region.y][cell[0] - region.x] != "0":
            x, y = projection.centre(cell)
            draw.polygon([(x + dx, y + dy) for dx, dy in shape], fill=255)
    return mask


def cut(picture: Image.Image, mask: Image.Image) -> bytes:
    """A picture as a PNG file. Where the mask is 0, it has no data, not even transparent colours."""
    clear = Image.new("RGBA", picture.size)
    clear.paste(picture, (0, 0), mask)
    file = BytesIO()
    clear.save(file, "PNG", compress_level=1)
    return file.getvalue()
