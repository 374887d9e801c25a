"""The font of pictures: its characters, and the width of a text.

The font file is next to this module, so that a map looks the same on every server: DejaVu Sans Bold, which
has the Latin, Greek and Cyrillic scripts and most of the symbols that maps are drawn with.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final
from unicodedata import bidirectional

from PIL import ImageFont

_FILE: Final = Path(__file__).with_name("DejaVuSans-Bold.ttf")


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font at a size in pixels."""
    # The basic layout is the same on every system, and supports any text.
    return ImageFont.truetype(_FILE, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=8192)
def has_glyph(character: str) -> bool:
    """Whether the font has a visible glyph for a character."""
    mask = font(16).getmask(character)
    return mask.getbbox() is not None and bytes(mask) != _missing()


@lru_cache(maxsize=1)
def _missing() -> bytes:
    """The glyph that the font uses for missing characters."""
    return bytes(font(16).getmask("\uffff"))


def readable(text: str, longest: int = 32) -> str:
    """A text in one line, without characters that the font does not have, truncated to `longest` characters.

    Also without characters of right-to-left scripts, which the basic layout would reverse.
    """
    line = "".join(
        letter if has_glyph(letter) and bidirectional(letter) not in ("R", "AL") else " " * letter.isspace()
        for letter in text[: 4 * longest]
    )
    line = " ".join(line.split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def width(text: str, size: int) -> float:
    """The width of a text in pixels."""
    return font(size).getlength(text)
