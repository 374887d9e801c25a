"""Endpoints of playing on maps."""

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import FieldError, NotFound, Unauthorized, Unprocessable, documented
from game.core.strict_json import StrictRoute
from game.core.versions import IfNoneMatch, etag, not_modified
from game.grid import area, paths, sight
from game.grid.distance import distance
from game.grid.document import DEFAULT_LIMITS
from game.grid.drawing import PictureError, Region, draw_png, draw_svg
from game.grid.geometry import Cell, Grid
from game.maps import queries as maps
from game.maps.models import Map
from game.play import queries
from game.play.models import AreaRead, DistanceRead, PathRead, SightRead

router = APIRouter(
    prefix="/maps",
    tags=["Playing"],
    route_class=StrictRoute,
    responses=documented(Unauthorized, NotFound, Unprocessable),
)

_LARGE_RANGE = 12
MAX_SIZE = DEFAULT_LIMITS.max_size

CellText = Annotated[str, Query(max_length=20, description="A cell as `x,y`.", examples=["3,4"])]
Column = Annotated[int, Query(ge=0, le=4095)]


def _refuse(field: str, code: str, message: str) -> Unprocessable:
    return Unprocessable(errors=[FieldError(field, code, message)])


def _cell(row: Map, name: str, value: str) -> Cell:
    match = re.fullmatch(r"(\d{1,4}),(\d{1,4})", value)
    if match is None:
        raise _refuse(name, "not_a_cell", "A cell is written as x,y: 3,4.")
    return _on_map(row, name, int(match[1]), int(match[2]))


def _on_map(row: Map, name: str, x: int, y: int) -> Cell:
    if x >= row.width or y >= row.height:
        raise _refuse(name, "out_of_bounds", f"The map ends before: it is {row.width} x {row.height}.")
    return x, y


def _cells(cells: Any) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in cells]


@router.get("/{id}/path", response_model=PathRead)
async def find_path(
    id: UUID,
    user: CurrentUser,
    session: Session,
    start: Annotated[CellText, Query(alias="from")],
    to: CellText,
    walker: Annotated[
        str, Query(max_length=100, description="A size and a way of moving: `large`, `fly`, `large,fly`.")
    ] = "",
) -> Any:
    """Find the cheapest path between two cells by the 5e rules, around walls, doors and difficult terrain."""
    found = await maps.get(session, user, id, "findPath")
    row = found.row
    try:
        who = paths.Walker.of(walker)
    except ValueError as error:
        raise _refuse("walker", "not_an_option", str(error)) from None
    steps = paths.find(found.frame, row.width, row.height, _cell(row, "from", start), _cell(row, "to", to), who)
    path = await maps.follow(session, row, steps, large=True)
    return {**path._asdict(), "cells": _cells(path.cells)}


@router.get("/{id}/sight", response_model=SightRead)
async def read_sight(
    id: UUID,
    user: CurrentUser,
    session: Session,
    x: Column,
    y: Column,
    range: Annotated[float, Query(ge=0, le=sight.MAX_RANGE, description="In cells.")] = 12,
) -> Any:
    """Find what is visible from a cell: the cells, and the entities in them."""
    found = await maps.get(session, user, id, "readSight")
    row, frame = found.row, found.frame
    steps = sight.view(frame, row.width, row.height, _on_map(row, "x", x, y), range)
    view = await maps.follow(session, row, steps, large=range > _LARGE_RANGE)
    entities = [one for one in frame.get("entities", ()) if sight.shows(view, one["x"], one["y"])]
    return {**view._asdict(), "entities": entities}


@router.get("/{id}/distance", response_model=DistanceRead)
async def read_distance(
    id: UUID, user: CurrentUser, session: Session, start: Annotated[CellText, Query(alias="from")], to: CellText
) -> Any:
    """Measure how far two cells are apart, in cells and in the map's unit."""
    row = (await maps.get(session, user, id, "readDistance")).row
    grid = Grid.of(row.grid_data)
    return distance(grid, _cell(row, "from", start), _cell(row, "to", to))._asdict()


@router.get("/{id}/area", response_model=AreaRead)
async def read_area(
    id: UUID,
    user: CurrentUser,
    session: Session,
    shape: Annotated[area.Shape, Query()],
    x: Annotated[
        float, Query(ge=-4096, le=8192, description="Where it begins, in cells: 2.5 is a cell's middle.")
    ],
    y: Annotated[float, Query(ge=-4096, le=8192)],
    size: Annotated[float, Query(ge=0, le=100_000, description="Length, side or radius, in the map's unit.")],
    direction: Annotated[
        float, Query(ge=-360, le=360, description="Degrees clockwise on the screen: 0 right, 90 down.")
    ] = 0,
    line_width: Annotated[
        float | None, Query(ge=0, le=100_000, description="Of a line, in the map's unit; none: one cell.")
    ] = None,
    rule: Annotated[
        area.Rule,
        Query(
            description="`centre`: cells whose centre is inside. `template`: whole squares as on a battle map, a "
            "15 ft cone is 1 + 2 + 3; on square and isometric maps, elsewhere as `centre`."
        ),
    ] = "centre",
) -> Any:
    """Find the cells that an effect covers: a cone, cube, sphere, cylinder or line of the 5e rules."""
    row = (await maps.get(session, user, id, "readArea")).row
    grid = Grid.of(row.grid_data)
    try:
        covered = await asyncio.to_thread(
            area.area, grid, row.width, row.height, shape, (x, y), size, direction, line_width, rule
        )
    except ValueError as error:
        raise _refuse("size", "out_of_range", str(error)) from None
    return {"cells": _cells(covered)}


class PictureRefused(Unprocessable):
    """The map cannot be drawn so."""

    code = "PICTURE_REFUSED"


class Picture:
    """The parameters of a picture."""

    def __init__(
        self,
        x: Annotated[int, Query(ge=0, le=MAX_SIZE)] = 0,
        y: Annotated[int, Query(ge=0, le=MAX_SIZE)] = 0,
        width: Annotated[int, Query(ge=1, le=MAX_SIZE, description="In cells.")] = MAX_SIZE,
        height: Annotated[int, Query(ge=1, le=MAX_SIZE, description="In cells.")] = MAX_SIZE,
        cell_size: Annotated[int, Query(ge=1, le=256, description="Pixels a cell.")] = 32,
        layers: Annotated[
            str | None, Query(max_length=5000, description="Names, separated by commas; none: all not hidden.")
        ] = None,
        grid: Annotated[bool, Query(description="With lines between the cells.")] = False,
    ) -> None:
        self.place = (x, y, width, height)
        self.options: dict[str, Any] = {"cell_size": cell_size, "grid": grid}
        self.options["layers"] = None if layers is None else layers.split(",")


# Drawing takes memory, much of it for large pictures: so one at a time in a worker.
_drawing = asyncio.Semaphore(1)


async def _drawn(
    request: Request,
    session: Session,
    operation: str,
    user: CurrentUser,
    id: UUID,
    picture: Picture,
    draw: Callable[..., bytes | str],
    media_type: str,
) -> Response:
    found = await maps.get(session, user, id, operation)
    document, tag, background = await queries.to_draw(session, found)
    if unchanged := not_modified(request, tag):
        return unchanged

    def work() -> bytes | str:
        region = Region.of(document(), *picture.place)
        return draw(region, background=background, secrets=found.access.is_game_master, **picture.options)

    try:
        async with _drawing:
            content = await asyncio.to_thread(work)
    except PictureError as error:
        raise PictureRefused(str(error)) from None
    return Response(content, headers={"ETag": etag(tag)}, media_type=media_type)


@router.get(
    "/{id}/image.png",
    response_class=Response,
    responses={200: {"description": "The picture.", "content": {"image/png": {}}}},
)
async def draw_map_as_png(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    picture: Annotated[Picture, Depends()],
    _: IfNoneMatch = None,
) -> Response:
    """Draw a map, or a part of it, as a PNG. The ETag is the map's version."""
    return await _drawn(request, session, "drawMapAsPng", user, id, picture, draw_png, "image/png")


@router.get(
    "/{id}/image.svg",
    response_class=Response,
    responses={200: {"description": "The picture.", "content": {"image/svg+xml": {}}}},
)
async def draw_map_as_svg(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    picture: Annotated[Picture, Depends()],
    _: IfNoneMatch = None,
) -> Response:
    """Draw a map, or a part of it, as an SVG. The ETag is the map's version."""
    return await _drawn(request, session, "drawMapAsSvg", user, id, picture, draw_svg, "image/svg+xml")
