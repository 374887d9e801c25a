"""Checks untrusted pictures: their format and size, without decoding them."""

from io import BytesIO
from typing import NamedTuple

from PIL import Image

from game.grid.formats.imported import FormatError
from game.grid.formats.pictures import probe


class PictureError(ValueError):
    """A file that is not a supported picture; the message says why."""


class Picture(NamedTuple):
    """The format and the size in pixels from a file's header."""

    media_type: str
    width: int
    height: int


def inspect(data: bytes) -> Picture:
    """The format and the size of a picture.

    Raises:
        PictureError: it is not a PNG, JPEG or WebP, it is broken, or it is too large.
    """
    try:
        kind, width, height = probe(data, "")
        if kind == "png":
            # Verifies the checksum of each chunk, without decoding the picture.
            with Image.open(BytesIO(data), formats=("PNG",)) as image:
                image.verify()
    except FormatError as error:
        raise PictureError(f"The file {error.message}.") from None
    except Exception:
        raise PictureError("The picture is broken.") from None
    return Picture(f"image/{kind}", width, height)
