"""Smaller versions of a picture. Pure; runs in a compute process, whose memory is limited."""

from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image

from game.assets.pictures import PictureError

BACKGROUND_SIDE: Final = 4096
"""The side length, in pixels, of the version for drawings of maps, which have at most twice as many."""
THUMBNAIL_SIDE: Final = 256
_MAX_PIXELS: Final = 150_000_000
"""The maximum number of pixels: PNG and WebP are decoded as a whole, with four bytes per pixel."""
_QUALITY: Final = 85


class Scaled(NamedTuple):
    """A smaller version: its variant, kind and file."""

    variant: str
    media_type: str
    data: bytes


def is_small(width: int, height: int, side: int) -> bool:
    """Whether a picture needs no smaller version with this maximum side length."""
    return max(width, height) <= side


def scale(data: bytes) -> list[Scaled]:
    """Make the smaller versions of a picture, except those that would not be smaller.

    Raises:
        PictureError: it cannot be read, or has too many pixels.
    """
    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            width, height = image.size
            # JPEGs are decoded at a half, a quarter or an eighth of their size, but not smaller than this.
            image.draft(None, (BACKGROUND_SIDE, BACKGROUND_SIDE))
            if image.width * image.height > _MAX_PIXELS:
                raise PictureError(f"It has more than {_MAX_PIXELS:,} pixels.")
            current = _plain(image)
    except PictureError:
        raise
    except MemoryError:
        raise
    except Exception:
        raise PictureError("It is broken.") from None
    scaled = []
    for variant, side in (("background", BACKGROUND_SIDE), ("thumbnail", THUMBNAIL_SIDE)):
        if not is_small(width, height, side):
            current.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2)
            scaled.append(_file(variant, current))
    return scaled


def _plain(image: Image.Image) -> Image.Image:
    """A decoded picture as RGB, or RGBA where a part of it may be transparent."""
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _file(variant: str, image: Image.Image) -> Scaled:
    file = BytesIO()
    if image.mode == "RGBA":
        image.save(file, "PNG")
        return Scaled(variant, "image/png", file.getvalue())
    image.save(file, "JPEG", quality=_QUALITY)
    return Scaled(variant, "image/jpeg", file.getvalue())
