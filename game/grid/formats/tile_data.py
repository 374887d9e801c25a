"""Decodes and encodes the cells of a Tiled layer: global tile ids as an array, in Tiled's encodings.

Source: Tiled's TMX Map Format, "Tile layer data" and "Global tile ids".
"""

import base64
import binascii
import sys
import zlib
from array import array
from typing import Final

import zstandard

from game.grid.formats.strict import Node

FLIPPED_HORIZONTALLY: Final = 0x80000000
FLIPPED_VERTICALLY: Final = 0x40000000
FLIPPED_DIAGONALLY: Final = 0x20000000
ROTATED_HEXAGONAL_120: Final = 0x10000000
GID_MASK: Final = 0x0FFFFFFF
"""The bits of a global tile id that are the tile; the four bits above are flips and rotations."""

MAX_ID: Final = 2**31 - 1
"""For layers, objects and tiles: Tiled's integers have 32 bits."""

_MAX_WINDOW: Final = 1 << 27
_WBITS: Final = {"zlib": 15, "gzip": 31}


def decode(data: Node, encoding: str, compression: str, cells: int) -> "array[int]":
    """The global tile ids (with flip flags) of `cells` cells, row by row.

    Takes the data (a list of numbers, or a string in `csv` or `base64`), and the compression of base64: none,
    `zlib`, `gzip` or `zstd`. Never decompresses more than the cells need. Raises FormatError with the position.
    """
    if isinstance(data.value, list):
        gids = _from_numbers(data, data.value)
    elif not isinstance(data.value, str):
        raise data.fail("must be a list of numbers or a string")
    elif encoding == "csv":
        gids = _from_csv(data, data.value, cells)
    elif encoding == "base64":
        gids = _from_base64(data, data.value, compression, cells)
    else:
        raise data.fail("has an encoding other than csv and base64")
    if len(gids) != cells:
        raise data.fail(f"has {len(gids)} cells instead of {cells}")
    return gids


def encode_csv(gids: "array[int]", width: int) -> str:
    """Global tile ids as Tiled writes CSV: one line per row, with a comma at the end of each line but the last."""
    lines = (",".join(map(str, gids[at : at + width])) for at in range(0, len(gids), width or 1))
    return "\n" + ",\n".join(lines) + "\n"


def encode_packed(gids: "array[int]") -> str:
    """Global tile ids as zlib-compressed base64."""
    if sys.byteorder == "big":
        gids = gids[:]
        gids.byteswap()
    return base64.b64encode(zlib.compress(gids.tobytes())).decode()


def _from_numbers(data: Node, numbers: list[object]) -> "array[int]":
    try:
        return array("I", numbers)  # type: ignore[arg-type]  # `array` itself checks them
    except (TypeError, OverflowError):
        for index, number in enumerate(numbers):
            if not isinstance(number, int) or not 0 <= number < 1 << 32:
                place = f"{data.place}[{index}]"
                raise Node(number, place).fail("must be a whole number from 0 to 4294967295") from None
        raise


def _from_csv(data: Node, text: str, cells: int) -> "array[int]":
    parts = [] if not text.strip() else text.rstrip().removesuffix(",").split(",")
    if len(parts) != cells:
        raise data.fail(f"has {len(parts)} cells instead of {cells}")
    numbers: list[object] = []
    for index, part in enumerate(parts):
        # int() alone would accept "1_000", and takes quadratic time for long numbers.
        if not (digits := part.strip()).isdecimal() or not digits.isascii() or len(digits) > 10:
            raise Node(part, f"{data.place}[{index}]").fail("must be a whole number")
        numbers.append(int(digits))
    return _from_numbers(data, numbers)


def _from_base64(data: Node, text: str, compression: str, cells: int) -> "array[int]":
    try:
        packed = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise data.fail("is not base64") from None
    raw = _unpack(data, packed, compression, 4 * cells)
    if len(raw) != 4 * cells:
        size = f"more than {4 * cells}" if len(raw) > 4 * cells else str(len(raw))
        raise data.fail(f"holds {size} bytes; {cells} cells take {4 * cells}")
    gids = array("I")
    gids.frombytes(raw)
    if sys.byteorder == "big":
        gids.byteswap()
    return gids


def _unpack(data: Node, packed: bytes, compression: str, size: int) -> bytes:
    """Decompress at most size + 1 bytes, enough to detect that there are too many."""
    if compression == "":
        return packed
    try:
        if compression in _WBITS:
            return zlib.decompressobj(_WBITS[compression]).decompress(packed, size + 1)
        if compression == "zstd":
            with zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(packed) as reader:
                return reader.read(size + 1)
    except (zlib.error, zstandard.ZstdError) as error:
        raise data.fail(f"cannot be decompressed: {error}") from None
    raise data.fail(f"has the unknown compression {compression!r:.40}")
