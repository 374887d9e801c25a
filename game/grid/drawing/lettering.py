"""The font of the pictures: which characters it has, and how wide a text is.

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
    # The basic layout is the same on every system, and fails for no text.
    return ImageFont.truetype(_FILE, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=8192)
def has_glyph(character: str) -> bool:
    """Whether the font can draw a character: neither white space, nor what would come out as an empty box."""
    mask = font(16).getmask(character)
    return mask.getbbox() is not None and bytes(mask) != _missing()


@lru_cache(maxsize=1)
def _missing() -> bytes:
    """What the font draws for a character that it lacks."""
    return bytes(font(16).getmask("\uffff"))


def readable(text: str, longest: int = 32) -> str:
    """A text in one line, without the characters that the font lacks, cut to `longest` characters.

    Also without those of scripts that run from right to left: the basic layout would turn words around.
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
