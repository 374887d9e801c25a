"""Endpoints of playing on maps."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.current import CurrentUser
from game.accounts.models import User
from game.core.compute import Computing, TooLarge
from game.core.database import Session
from game.core.errors import FieldError, Forbidden, NotFound, Unauthorized, Unprocessable, documented
from game.core.fair_semaphore import TooMuchAtOnce
from game.core.strict_json import StrictRoute
from game.core.tags import players_tag
from game.core.versions import IfNoneMatch, etag, not_modified
from game.grid import area, sight
from game.grid.distance import distance
from game.grid.document import DEFAULT_LIMITS
from game.grid.drawing import PictureError
from game.grid.geometry import Cell
from game.grid.paths import MODES, SIZES, Walker
from game.maps import fogged
from game.maps import queries as maps
from game.maps.loading import frame_of, loader
from game.maps.models import AsMember, Map
from game.maps.queries import Found
from game.play import queries, tokens, work
from game.play.models import AreaRead, DistanceRead, PathRead, SightRead
from game.play.work import UnfoggedMap

router = APIRouter(
    prefix="/maps",
    tags=["Playing"],
    route_class=StrictRoute,
    responses=documented(Unauthorized, NotFound, Unprocessable),
)

MAX_SIZE = DEFAULT_LIMITS.max_size

CellText = Annotated[
    str | None,
    Query(
        max_length=20,
        description="A cell as `x,y` (column, row).",
        examples=["3,4"],
        json_schema_extra={"pattern": "^[0-9]{1,4},[0-9]{1,4}$"},
    ),
]
Number = Annotated[int | None, Query(ge=0, le=4095, description="Column or row of a cell, instead of `x,y`.")]
_WALKERS = f"({'|'.join([*SIZES, *MODES])})"


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
            raise _refuse(self.name, "not_a_cell", "Give a cell either as x,y or as two numbers, and only once.")
        if self.text is not None:
            match = re.fullmatch(r"(\d{1,4}),(\d{1,4})", self.text)
            if match is None:
                raise _refuse(self.name, "not_a_cell", "A cell is written as x,y, such as 3,4.")
            x, y = int(match[1]), int(match[2])
        else:
            x, y = numbers
        if x >= row.width or y >= row.height:
            raise _refuse(self.name, "out_of_bounds", f"Not on the map of {row.width} x {row.height} cells.")
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


class _ViewedMap(NamedTuple):
    """A map as a viewer sees it, and a function that loads parts of it for a compute process."""

    found: Found
    seen: work.Map
    load: Callable[[Any], Awaitable[Any]]


async def _view_map(
    session: AsyncSession,
    user: User,
    map_id: UUID,
    operation: str,
    as_id: UUID | None = None,
    view: Any = fogged.view_map,
) -> _ViewedMap:
    """A map as the user sees it or, for a game master, as a member sees it. In a transaction that already has a
    snapshot, `view` is `fogged.view_map_in_snapshot`.

    Raises:
        NotFound, Forbidden, Unprocessable: as `maps.get` does.
    """
    found = await maps.get(session, user, map_id, operation, with_grid=False, as_id=as_id)
    if not found.has_fog:
        stored = await frame_of(session, found)
        return _ViewedMap(found, UnfoggedMap(stored, not found.access.is_game_master), loader(session, found.row))
    fog = await view(session, user, map_id, operation, as_id)
    packed = await asyncio.to_thread(lambda: fog.packed)
    return _ViewedMap(fog.found, packed, fogged.loader(session, fog))


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
        str,
        Query(
            max_length=100,
            description="A size, a kind of movement, or both: `large`, `fly`, `large,fly`.",
            json_schema_extra={"pattern": f"^({_WALKERS}(,{_WALKERS})*)?$"},
        ),
    ] = "",
) -> Any:
    """Find the cheapest path between two cells by the 5e rules, around walls, doors and difficult terrain.

    The cells are `from=1,1&to=5,3`, or `x=1&y=1&to_x=5&to_y=3`.
    """
    viewed = await _view_map(session, user, id, "findPath")
    try:
        who = Walker.of(walker)
    except ValueError as error:
        raise _refuse("walker", "not_an_option", str(error)) from None
    cells = start.on(viewed.found.row), goal.on(viewed.found.row)
    await session.close()
    path = await computing.run(user.id, work.find_path, viewed.seen, *cells, who, load=viewed.load)
    return {**path._asdict(), "cells": _cells(path.cells)}


@router.get("/{id}/sight", response_model=SightRead, responses=_HEAVY)
async def read_sight(
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    start: Start,
    range: Annotated[float, Query(ge=0, le=sight.MAX_RANGE, description="In cells.")] = 12,
    as_id: AsMember = None,
) -> Any:
    """Find the cells that are visible from a cell, `x=1&y=1` or `from=1,1`, and the entities in them.

    On a map with fog, the response is based on what you know of the map.
    """
    viewed = await _view_map(session, user, id, "readSight", as_id)
    cell = start.on(viewed.found.row)
    await session.close()
    view, entities = await computing.run(user.id, work.see, viewed.seen, cell, range, load=viewed.load)
    return {**view._asdict(), "entities": entities}


@router.get("/{id}/distance", response_model=DistanceRead)
async def read_distance(id: UUID, user: CurrentUser, session: Session, start: Start, goal: Goal) -> Any:
    """Measure the distance between two cells, in cells and in the map's unit. Give the cells as for a path."""
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
        float,
        Query(ge=-4096, le=8192, description="The origin of the effect, in cells; 2.5 is the centre of a cell."),
    ],
    y: Annotated[float, Query(ge=-4096, le=8192)],
    size: Annotated[float, Query(ge=0, le=100_000, description="Length, side or radius, in the map's unit.")],
    direction: Annotated[
        float, Query(ge=-360, le=360, description="Degrees clockwise on the screen: 0 right, 90 down.")
    ] = 0,
    line_width: Annotated[
        float | None,
        Query(ge=0, le=100_000, description="The width of a line, in the map's unit. Default: one cell."),
    ] = None,
    rule: Annotated[
        area.Rule,
        Query(
            description="`centre`: cells whose centre is inside. `template`: whole squares as on a battle map (a "
            "15 ft cone has 1 + 2 + 3), on square and isometric maps; on others, the same as `centre`."
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
    """The map cannot be drawn with these parameters."""

    code = "PICTURE_REFUSED"


Corner = Annotated[int, Query(ge=0, le=MAX_SIZE)]
Length = Annotated[int, Query(ge=1, le=MAX_SIZE, description="In cells.")]
CellSize = Annotated[int, Query(ge=1, le=256, description="Pixels a cell.")]


class Background:
    """The parameters of a background."""

    def __init__(
        self,
        x: Corner = 0,
        y: Corner = 0,
        width: Length = MAX_SIZE,
        height: Length = MAX_SIZE,
        cell_size: CellSize = 32,
    ) -> None:
        self.drawn = work.Picture(x, y, width, height, cell_size)


class Picture:
    """The parameters of a picture."""

    def __init__(
        self,
        x: Corner = 0,
        y: Corner = 0,
        width: Length = MAX_SIZE,
        height: Length = MAX_SIZE,
        cell_size: CellSize = 32,
        layers: Annotated[
            str | None,
            Query(
                max_length=5000,
                description="Names of layers, separated by commas. Default: all that are not hidden.",
            ),
        ] = None,
        grid: Annotated[bool, Query(description="Draw grid lines between the cells.")] = False,
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
    as_id: UUID | None = None,
) -> Response:
    """The response to a request for a picture of a map.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden, Unprocessable: as `maps.get` does.
        PictureRefused: it cannot be drawn with these parameters.
        TooLarge, TooMuchAtOnce, Unavailable: see `Computing`.
    """
    pieces = [one.for_drawing() for one in await tokens.on_map(session, user, id, operation, as_id)]
    # In the same transaction, so that tokens and map match.
    found, seen, load = await _view_map(session, user, id, operation, as_id, fogged.view_map_in_snapshot)
    row = found.row
    # Players must not see the version, and moves of tokens do not change it, so the tag is a hash.
    tag: int | str = row.version
    if pieces:
        tag = players_tag(row.etag_key, orjson.dumps([row.version, pieces]))
    if found.access.is_game_master and (unchanged := not_modified(request, tag)):
        return unchanged
    background = await queries.background_of(session, row)
    await session.close()
    as_svg = operation == "drawMapAsSvg"
    draw = partial(work.draw, as_svg=as_svg)
    try:
        drawn = picture.drawn._replace(tokens=pieces)
        content = await computing.run(user.id, draw, seen, drawn, background, load=load)
    except PictureError as error:
        raise PictureRefused(str(error)) from None
    if not found.access.is_game_master:
        tag = players_tag(row.etag_key, content)
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
    as_id: AsMember = None,
    _: IfNoneMatch = None,
) -> Response:
    """Draw a map, or a part of it, as a PNG. Unexplored cells are dark, explored cells out of sight are dim."""
    return await drawn(request, session, computing, user, id, picture, as_id=as_id)


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
    as_id: AsMember = None,
    _: IfNoneMatch = None,
) -> Response:
    """Draw a map, or a part of it, as an SVG. Unexplored cells are dark, explored cells out of sight are dim."""
    return await drawn(request, session, computing, user, id, picture, "drawMapAsSvg", as_id)


class NoBackground(NotFound):
    """The map has no background picture, or it is not ready yet."""

    code = "NO_BACKGROUND"


@router.get(
    "/{id}/background",
    response_class=Response,
    responses={
        200: {"description": "The picture.", "content": {"image/png": {}}},
        **documented(Forbidden, NoBackground),
        **_HEAVY,
    },
)
async def read_background(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    picture: Annotated[Background, Depends()],
    as_id: AsMember = None,
    _: IfNoneMatch = None,
) -> Response:
    """Get the background picture of a map, or of a part of it, as a PNG that shows only what you have seen.

    It has the size and position of `image.png` of the same part. On a map with fog, players cannot load the
    background in any other way.
    """
    found, seen, _load = await _view_map(session, user, id, "readBackground", as_id)
    background = await queries.background_of(session, found.row)
    await session.close()
    if background is None:
        raise NoBackground
    try:
        content = await computing.run(user.id, work.draw_background, seen, picture.drawn, background)
    except PictureError as error:
        raise PictureRefused(str(error)) from None
    tag = players_tag(found.row.etag_key, content)
    headers = {"ETag": etag(tag), "Cache-Control": "private, no-cache"}
    return not_modified(request, tag) or Response(content, headers=headers, media_type="image/png")
