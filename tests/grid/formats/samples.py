"""Small maps and pictures for the tests of formats."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

FILES = Path(__file__).parent / "files"


def file(name: str) -> bytes:
    """A fixture's bytes."""
    return (FILES / name).read_bytes()


def png(width: int, height: int, *colors: str) -> bytes:
    """A PNG of stripes of equal width, one a colour."""
    image = Image.new("RGBA", (width, height))
    for index, color in enumerate(colors):
        stripe = width // len(colors)
        image.paste(color, (index * stripe, 0, (index + 1) * stripe, height))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def tmj(**changes: Any) -> dict[str, Any]:
    """A Tiled map of 3 x 2 cells as JSON."""
    return {
        "type": "map",
        "orientation": "orthogonal",
        "width": 3,
        "height": 2,
        "tilewidth": 16,
        "tileheight": 16,
        "tilesets": [
            {"firstgid": 1, "name": "ground", "tilewidth": 16, "tileheight": 16, "tilecount": 8, "columns": 4}
        ],
        "layers": [tile_layer([1, 2, 3, 0, 1, 2])],
    } | changes


def tile_layer(data: Any, **changes: Any) -> dict[str, Any]:
    """A layer of 3 x 2 cells in Tiled's JSON."""
    layer = {"type": "tilelayer", "id": 1, "name": "Ground", "width": 3, "height": 2, "data": data}
    return {**layer, "opacity": 1, "visible": True, "x": 0, "y": 0} | changes


def without(value: Any, *keys: str) -> Any:
    """A copy of JSON without some keys, at every level."""
    if isinstance(value, dict):
        return {key: without(item, *keys) for key, item in value.items() if key not in keys}
    return [without(item, *keys) for item in value] if isinstance(value, list) else value
