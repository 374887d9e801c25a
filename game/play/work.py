"""The computations on maps in play: paths, sight and pictures. Pure functions for compute processes."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import orjson

from game.fog.packed import PackedView
from game.grid import drawing, paths, sight
from game.grid.canvas import Wanted
from game.grid.chunks import ROWS_MARK, Frame
from game.grid.drawing import Region, draw_png, draw_svg
from game.grid.drawing.scene import Projection
from game.grid.geometry import Cell
from game.grid.loading import ChunkTexts, LayerPart, StoredFrame, layer_rows, parsed
from game.grid.moves import Known
from game.grid.paths import Path, Walker
from game.grid.player_view import EVERY_SYMBOL, players_document
from game.grid.sight import View


class UnfoggedMap(NamedTuple):
    """A stored map without fog, and whether to leave out its secrets."""

    stored: StoredFrame
    for_players: bool

    def known(self) -> Known:
        """The frame that the viewer may see."""
        frame: Frame = orjson.loads(self.stored.text)
        return Known(players_document(frame, EVERY_SYMBOL).frame if self.for_players else frame)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in cells."""
        return self.stored.width, self.stored.height


Map: TypeAlias = UnfoggedMap | PackedView
"""A map as a viewer sees it."""


class Picture(NamedTuple):
    """What is drawn: a rectangle in cells, pixels per cell, names of layers (None: all visible), lines or not, and
    tokens (`drawing.Region`)."""

    x: int
    y: int
    width: int
    height: int
    cell_size: int
    layers: list[str] | None = None
    grid: bool = False
    tokens: Sequence[Mapping[str, Any]] = ()


def find_path(seen: Map, start: Cell, goal: Cell, walker: Walker) -> Generator[Wanted, ChunkTexts, Path]:
    """The cheapest path between two cells of the map."""
    known = seen.known()
    return parsed(known.through(paths.find(known.frame, *seen.size, start, goal, walker)))


def see(seen: Map, cell: Cell, radius: float) -> Generator[Wanted, ChunkTexts, tuple[View, list[dict[str, Any]]]]:
    """What is visible from a cell: the cells, and the entities in them."""
    known = seen.known()
    view: View = yield from parsed(known.through(sight.view(known.frame, *seen.size, cell, radius)))
    return view, [one for one in known.frame.get("entities", ()) if sight.shows(view, one["x"], one["y"])]


def draw(
    seen: Map, picture: Picture, background: bytes | None, *, as_svg: bool
) -> Generator[Wanted | LayerPart, Any, bytes]:
    """A PNG or SVG of a part of the map.

    Raises:
        PictureError: it cannot be drawn with these parameters.
    """
    with_secrets = isinstance(seen, UnfoggedMap) and not seen.for_players
    options: dict[str, Any] = {"background": background, "secrets": with_secrets, "grid": picture.grid}
    options |= {"cell_size": picture.cell_size, "layers": picture.layers}
    if isinstance(seen, UnfoggedMap):
        empty = _empty(seen.known().frame, seen.size, picture)
        rectangle = empty.x, empty.y, empty.width, empty.height
        shown = []
        for layer in empty.shown(picture.layers):
            rows = yield from layer_rows(layer["rows"] - ROWS_MARK, *rectangle)
            shown.append({**layer, "rows": rows})
    else:
        view = seen.open()
        empty = _empty(view.known.frame, seen.size, picture)
        rectangle = empty.x, empty.y, empty.width, empty.height
        texts = yield Wanted(view.keys_in(*rectangle), [])
        known = view.chunks({key: orjson.loads(text) for key, text in texts.items()}, view.keys_in(*rectangle))
        shown = view.layers_in(known, *rectangle)
        options["fog"] = view.fog(*rectangle)
    region = replace(empty, layers=shown, tokens=picture.tokens)
    if as_svg:
        return draw_svg(region, **options).encode()
    return draw_png(region, **options)


def draw_background(seen: Map, picture: Picture, background: bytes) -> bytes:
    """A PNG of the background of a part of the map.

    Raises:
        PictureError: it cannot be drawn with these parameters.
    """
    if isinstance(seen, UnfoggedMap):
        empty = _empty(seen.known().frame, seen.size, picture)
        return drawing.draw_background(empty, background, None, cell_size=picture.cell_size)
    view = seen.open()
    empty = _empty(view.scene.frame, seen.size, picture)
    fog = view.fog(empty.x, empty.y, empty.width, empty.height)
    return drawing.draw_background(empty, background, fog, cell_size=picture.cell_size)


def _empty(frame: Mapping[str, Any], size: tuple[int, int], picture: Picture) -> Region:
    """The part of the map that is drawn, with layers without rows.

    Raises:
        PictureTooLarge: the picture is too large; raised before its cells are loaded.
    """
    x, y = picture.x, picture.y
    width, height = (max(0, min(*pair)) for pair in ((picture.width, size[0] - x), (picture.height, size[1] - y)))
    empty = Region(x, y, width, height, frame, frame.get("layers", ()))
    Projection(empty, picture.cell_size)
    return empty
