"""Endpoints of playing on maps."""

import re
from functools import partial
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.current import CurrentUser
from game.accounts.models import User
from game.core.compute import Computing, TooLarge, TooMuchAtOnce
from game.core.database import Session
from game.core.errors import FieldError, NotFound, Unauthorized, Unprocessable, documented
from game.core.strict_json import StrictRoute
from game.core.versions import IfNoneMatch, etag, not_modified
from game.grid import area, sight
from game.grid.distance import distance
from game.grid.document import DEFAULT_LIMITS
from game.grid.drawing import PictureError
from game.grid.geometry import Cell
from game.grid.paths import Walker
from game.maps import queries as maps
from game.maps.loading import frame_of, loader
from game.maps.models import Map
from game.maps.players import players_tag
from game.maps.queries import Found
from game.play import queries, work
from game.play.models import AreaRead, DistanceRead, PathRead, SightRead
from game.play.work import Seen

router = APIRouter(
    prefix="/maps",
    tags=["Playing"],
    route_class=StrictRoute,
    responses=documented(Unauthorized, NotFound, Unprocessable),
)

MAX_SIZE = DEFAULT_LIMITS.max_size

CellText = Annotated[
    str | None, Query(max_length=20, description="A cell as `x,y`, column and row.", examples=["3,4"])
]
Number = Annotated[int | None, Query(ge=0, le=4095, description="Column or row of a cell, in place of `x,y`.")]


def _refuse(field: str, code: str, message: str) -> Unprocessable:
    return Unprocessable(errors=[FieldError(field, code, message)])


class _CellParameter(NamedTuple):
    """A cell in a query: as `name=3,4`, or as two numbers."""

    name: str
    text: str | None
    x: int | None
    y: int | None

    def on(self, row: Map) -> Cell:
        """The cell, on a map.

        Raises:
            Unprocessable: it is missing, given twice, or not on the map.
        """
        numbers = [number for number in (self.x, self.y) if number is not None]
        if len(numbers) != (2 if self.text is None else 0):
            raise _refuse(self.name, "not_a_cell", "A cell is given as x,y or as two numbers, and only once.")
        if self.text is not None:
            match = re.fullmatch(r"(\d{1,4}),(\d{1,4})", self.text)
            if match is None:
                raise _refuse(self.name, "not_a_cell", "A cell is written as x,y: 3,4.")
            x, y = int(match[1]), int(match[2])
        else:
            x, y = numbers
        if x >= row.width or y >= row.height:
            raise _refuse(self.name, "out_of_bounds", f"The map ends before: it is {row.width} x {row.height}.")
        return x, y


def _start(
    start: Annotated[CellText, Query(alias="from")] = None, x: Number = None, y: Number = None
) -> _CellParameter:
    return _CellParameter("from", start, x, y)


def _goal(to: CellText = None, to_x: Number = None, to_y: Number = None) -> _CellParameter:
    return _CellParameter("to", to, to_x, to_y)


Start = Annotated[_CellParameter, Depends(_start)]
Goal = Annotated[_CellParameter, Depends(_goal)]


def _cells(cells: Any) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in cells]


async def _seen(session: AsyncSession, found: Found) -> Seen:
    return Seen(await frame_of(session, found), not found.access.is_game_master)


_HEAVY = documented(TooLarge, TooMuchAtOnce)


@router.get("/{id}/path", response_model=PathRead, responses=_HEAVY)
async def find_path(
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    start: Start,
    goal: Goal,
    walker: Annotated[
        str, Query(max_length=100, description="A size and a way of moving: `large`, `fly`, `large,fly`.")
    ] = "",
) -> Any:
    """Find the cheapest path between two cells by the 5e rules, around walls, doors and difficult terrain.

    The cells are `from=1,1&to=5,3`, or `x=1&y=1&to_x=5&to_y=3`.
    """
    found = await maps.get(session, user, id, "findPath", with_grid=False)
    try:
        who = Walker.of(walker)
    except ValueError as error:
        raise _refuse("walker", "not_an_option", str(error)) from None
    cells = start.on(found.row), goal.on(found.row)
    seen = await _seen(session, found)
    await session.close()
    path = await computing.run(user.id, work.find_path, seen, *cells, who, load=loader(session, found.row))
    return {**path._asdict(), "cells": _cells(path.cells)}


@router.get("/{id}/sight", response_model=SightRead, responses=_HEAVY)
async def read_sight(
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    start: Start,
    range: Annotated[float, Query(ge=0, le=sight.MAX_RANGE, description="In cells.")] = 12,
) -> Any:
    """Find what is visible from a cell, `x=1&y=1` or `from=1,1`: the cells, and the entities in them."""
    found = await maps.get(session, user, id, "readSight", with_grid=False)
    cell = start.on(found.row)
    seen = await _seen(session, found)
    await session.close()
    view, entities = await computing.run(user.id, work.see, seen, cell, range, load=loader(session, found.row))
    return {**view._asdict(), "entities": entities}


@router.get("/{id}/distance", response_model=DistanceRead)
async def read_distance(id: UUID, user: CurrentUser, session: Session, start: Start, goal: Goal) -> Any:
    """Measure how far two cells are apart, in cells and in the map's unit. Cells are given as for a path."""
    row = (await maps.get(session, user, id, "readDistance", with_grid=False)).row
    cells = start.on(row), goal.on(row)
    return distance(await queries.grid_of(session, row), *cells)._asdict()


@router.get("/{id}/area", response_model=AreaRead, responses=_HEAVY)
async def read_area(
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
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
    row = (await maps.get(session, user, id, "readArea", with_grid=False)).row
    grid = await queries.grid_of(session, row)
    await session.close()
    arguments = (grid, row.width, row.height, shape, (x, y), size, direction, line_width, rule)
    try:
        covered = await computing.run(user.id, area.area, *arguments)
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
        names = None if layers is None else layers.split(",")
        self.drawn = work.Picture(x, y, width, height, cell_size, names, grid)


async def drawn(
    request: Request,
    session: AsyncSession,
    computing: Computing,
    user: User,
    id: UUID,
    picture: Picture,
    operation: str = "drawMapAsPng",
) -> Response:
    """The answer to a request for a picture of a map.

    Raises:
        NotFound: there is no such map for this user.
        PictureRefused: it cannot be drawn so.
        TooLarge, TooMuchAtOnce, Unavailable: see `Computing`.
    """
    found = await maps.get(session, user, id, operation, with_grid=False)
    row = found.row
    # For players the version is a secret: what they see is the tag.
    if found.access.is_game_master and (unchanged := not_modified(request, row.version)):
        return unchanged
    seen = await _seen(session, found)
    background = await queries.background_of(session, row)
    await session.close()
    as_svg = operation == "drawMapAsSvg"
    draw = partial(work.draw, as_svg=as_svg)
    try:
        content = await computing.run(user.id, draw, seen, picture.drawn, background, load=loader(session, row))
    except PictureError as error:
        raise PictureRefused(str(error)) from None
    tag = row.version if found.access.is_game_master else players_tag(row.etag_key, content)
    media_type = "image/svg+xml" if as_svg else "image/png"
    return not_modified(request, tag) or Response(content, headers={"ETag": etag(tag)}, media_type=media_type)


@router.get(
    "/{id}/image.png",
    response_class=Response,
    responses={200: {"description": "The picture.", "content": {"image/png": {}}}, **_HEAVY},
)
async def draw_map_as_png(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    picture: Annotated[Picture, Depends()],
    _: IfNoneMatch = None,
) -> Response:
    """Draw a map, or a part of it, as a PNG. The ETag is the map's version."""
    return await drawn(request, session, computing, user, id, picture)


@router.get(
    "/{id}/image.svg",
    response_class=Response,
    responses={200: {"description": "The picture.", "content": {"image/svg+xml": {}}}, **_HEAVY},
)
async def draw_map_as_svg(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    picture: Annotated[Picture, Depends()],
    _: IfNoneMatch = None,
) -> Response:
    """Draw a map, or a part of it, as an SVG. The ETag is the map's version."""
    return await drawn(request, session, computing, user, id, picture, "drawMapAsSvg")
