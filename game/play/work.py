"""What computing processes do for playing: paths, sight and pictures. Pure, on maps as they are stored."""

from collections.abc import Generator
from typing import Any, NamedTuple

import orjson

from game.grid import paths, sight
from game.grid.canvas import Wanted
from game.grid.chunks import ROWS_MARK, Frame
from game.grid.drawing import Region, draw_png, draw_svg
from game.grid.drawing.scene import Projection
from game.grid.geometry import Cell
from game.grid.loading import BandTexts, ChunkTexts, LayerPart, StoredFrame, layer_rows, parsed
from game.grid.paths import Path, Walker
from game.grid.player_view import players_document
from game.grid.sight import View
from game.maps.players import EVERY_SYMBOL


class Seen(NamedTuple):
    """A stored map, and whether its secrets are left out."""

    stored: StoredFrame
    for_players: bool

    def frame(self) -> Frame:
        """The frame as it may be seen."""
        frame: Frame = orjson.loads(self.stored.text)
        return players_document(frame, EVERY_SYMBOL).frame if self.for_players else frame


class Picture(NamedTuple):
    """What is drawn: a rectangle in cells, pixels per cell, names of layers (None: all visible), lines or not."""

    x: int
    y: int
    width: int
    height: int
    cell_size: int
    layers: list[str] | None
    grid: bool


def find_path(seen: Seen, start: Cell, goal: Cell, walker: Walker) -> Generator[Wanted, ChunkTexts, Path]:
    """The cheapest path between two cells of the map."""
    return parsed(paths.find(seen.frame(), seen.stored.width, seen.stored.height, start, goal, walker))


def see(seen: Seen, cell: Cell, radius: float) -> Generator[Wanted, ChunkTexts, tuple[View, list[dict[str, Any]]]]:
    """What is visible from a cell: the cells, and the entities in them."""
    frame = seen.frame()
    view = yield from parsed(sight.view(frame, seen.stored.width, seen.stored.height, cell, radius))
    return view, [one for one in frame.get("entities", ()) if sight.shows(view, one["x"], one["y"])]


def draw(
    seen: Seen, picture: Picture, background: bytes | None, *, as_svg: bool
) -> Generator[LayerPart, BandTexts, bytes]:
    """A PNG or SVG of a part of the map.

    Raises:
        PictureError: it cannot be drawn so.
    """
    frame = seen.frame()
    x, y = picture.x, picture.y
    width = max(0, min(picture.width, seen.stored.width - x))
    height = max(0, min(picture.height, seen.stored.height - y))
    empty = Region(x, y, width, height, frame, frame.get("layers", ()))
    # Refuses a picture that is too large before its cells are loaded.
    Projection(empty, picture.cell_size)
    shown = []
    for layer in empty.shown(picture.layers):
        rows = yield from layer_rows(layer["rows"] - ROWS_MARK, x, y, width, height)
        shown.append({**layer, "rows": rows})
    region = Region(x, y, width, height, frame, shown)
    options: dict[str, Any] = {"background": background, "secrets": not seen.for_players, "grid": picture.grid}
    options |= {"cell_size": picture.cell_size, "layers": picture.layers}
    if as_svg:
        return draw_svg(region, **options).encode()
    return draw_png(region, **options)
