"""Pictures in map files: their type and size without decoding, the colours of tiles, generated tiles."""

import io
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageStat

from game.grid.formats.imported import FormatError

MAX_SIDE: Final = 16_384
"""Pixels: the limit of WebP, and more than 100 cells of 140 pixels."""
MAX_DECODED: Final = 4096 * 4096
"""The maximum number of pixels of a picture that is decoded for the colours of its tiles."""

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


class Picture(NamedTuple):
    """The header of a picture: its type (`png`, `jpeg` or `webp`) and its size in pixels."""

    kind: str
    width: int
    height: int


def probe(data: bytes, place: str) -> Picture:
    """Read a picture's header, without decoding the picture.

    Raises FormatError at `place` for anything but PNG, JPEG and WebP, and for a side above MAX_SIDE.
    Sources: PNG (W3C, 11.2.2), JPEG (ITU T.81, B.2.2), WebP (RFC 9649).
    """
    try:
        picture = _header(data)
    except (struct.error, IndexError):
        picture = None
    if picture is None:
        raise FormatError(place, "is not a PNG, JPEG or WebP picture")
    if not (0 < picture.width <= MAX_SIDE and 0 < picture.height <= MAX_SIDE):
        size = f"{picture.width} x {picture.height}"
        raise FormatError(place, f"is a picture of {size} pixels; a side has 1 to {MAX_SIDE}")
    return picture


def is_picture(data: bytes) -> bool:
    """Whether a file begins like a picture, including unsupported formats (GIF, BMP, Aseprite)."""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")) or (
        (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or (data[:2] == b"BM" and data[6:10] == bytes(4))
        or (data[4:6] == b"\xe0\xa5" and len(data) >= 128)
    )


def _header(data: bytes) -> Picture | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return Picture("png", *struct.unpack_from(">II", data, 16))
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg_header(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_header(data)
    return None


def _jpeg_header(data: bytes) -> Picture | None:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        # Start of frame: every marker from C0 to CF except those of tables (C4), JPG (C8) and coding (CC).
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Picture("jpeg", width, height)
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _webp_header(data: bytes) -> Picture | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        return Picture("webp", width, int.from_bytes(data[27:30], "little") + 1)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Picture("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Picture("webp", width & 0x3FFF, height & 0x3FFF)
    return None


def average_colors(
    data: bytes,
    boxes: Sequence[Box],
    place: str,
    clear: str = "",
    shape: Sequence[tuple[float, float]] | None = None,
) -> list[str | None]:
    """The average colour of each box of a picture, weighted by opacity; None for a box outside the picture.

    `clear` is the colour that means transparent, or "". `shape` is the cell in a box, if it does not fill the box:
    corners relative to the lower left one; only the opacity inside it counts. A picture with more than MAX_DECODED
    pixels is not decoded, and all colours are None. Raises FormatError at `place` if a picture cannot be decoded.
    """
    header = probe(data, place)
    if header.width * header.height > MAX_DECODED:
        return [None] * len(boxes)
    try:
        with Image.open(io.BytesIO(data), formats=[header.kind]) as opened:
            if opened.size != header[1:]:
                raise FormatError(place, "is a broken picture")
            image = opened.convert("RGBA")
            if re.fullmatch("#[0-9a-fA-F]{6}", clear):
                key = Image.new("RGB", image.size, clear)
                red, green, blue = ImageChops.difference(image.convert("RGB"), key).split()
                other = ImageChops.lighter(ImageChops.lighter(red, green), blue).point(
                    lambda level: 255 * bool(level)
                )
                image.putalpha(ImageChops.darker(image.getchannel("A"), other))
            # Premultiplied, so that the colour of a transparent pixel does not count.
            image = image.convert("RGBa")
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(place, "is a broken picture") from None
    return [_average(image, box, shape) for box in boxes]


def _average(image: Image.Image, box: Box, shape: Sequence[tuple[float, float]] | None) -> str | None:
    left, top, width, height = box
    if left < 0 or top < 0 or width < 1 or height < 1 or left >= image.width or top >= image.height:
        return None
    part = image.crop((left, top, min(left + width, image.width), min(top + height, image.height)))
    pixel = part.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    red, green, blue, alpha = pixel
    parts = [min(255, round(255 * part / alpha)) if alpha else 0 for part in (red, green, blue)]
    if shape:
        alpha = _alpha_within(part.getchannel(3), [(x, y + height) for x, y in shape], alpha)
    # A mostly transparent tile, such as a shadow, must not hide what is below it.
    return "#" + bytes([*parts, alpha] if alpha < 128 else parts).hex()


def _alpha_within(alpha: Image.Image, shape: list[tuple[float, float]], default: int) -> int:
    """The average opacity of a shape in a picture; `default` if the shape lies outside the picture."""
    mask = Image.new("L", alpha.size)
    ImageDraw.Draw(mask).polygon(shape, fill=255)
    area = ImageStat.Stat(mask).sum[0]
    return round(ImageStat.Stat(ImageChops.multiply(alpha, mask)).sum[0] / area * 255) if area else default


def tile_picture(color: str, symbol: str, outline: list[tuple[int, int]], size: tuple[int, int]) -> bytes:
    """A PNG of one tile: a filled shape with its symbol, if that is ASCII.

    Takes the colour of the legend entry, the corners of the shape and the size of the picture in pixels.
    """
    image = Image.new("RGBA", size)
    draw = ImageDraw.Draw(image)
    red, green, blue, alpha = _rgba(color)
    draw.polygon(
        outline, fill=(red, green, blue, alpha), outline=(red * 3 // 4, green * 3 // 4, blue * 3 // 4, alpha)
    )
    if symbol.isascii():
        ink = (0, 0, 0, 160) if red * 3 + green * 6 + blue > 1280 else (255, 255, 255, 180)
        left, top, right, bottom = draw.textbbox((0, 0), symbol)
        draw.text(((size[0] - left - right) / 2, (size[1] - top - bottom) / 2), symbol, fill=ink)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _rgba(color: str) -> tuple[int, int, int, int]:
    digits = color.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
    return red, green, blue, alpha
