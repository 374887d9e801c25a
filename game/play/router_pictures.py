"""Endpoints of the drawing of a map, and of its background."""

from functools import partial
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.current import CurrentUser
from game.accounts.models import User
from game.core.compute import Computing
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, Unauthorized, Unprocessable, documented
from game.core.strict_json import StrictRoute
from game.core.tags import players_tag
from game.core.versions import IfNoneMatch, etag, not_modified
from game.grid.document import DEFAULT_LIMITS
from game.grid.drawing import PictureError
from game.maps import fogged
from game.maps.models import AsMember
from game.play import queries, tokens, work
from game.play.seen import HEAVY, map_as_seen

router = APIRouter(
    prefix="/maps",
    tags=["Playing"],
    route_class=StrictRoute,
    responses=documented(Unauthorized, NotFound, Unprocessable),
)

MAX_SIZE = DEFAULT_LIMITS.max_size


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
    found, seen, load = await map_as_seen(session, user, id, operation, as_id, fogged.view_map_in_snapshot)
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
    responses={200: {"description": "The picture.", "content": {"image/png": {}}}, **HEAVY},
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
    responses={200: {"description": "The picture.", "content": {"image/svg+xml": {}}}, **HEAVY},
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
        **HEAVY,
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
    found, seen, _load = await map_as_seen(session, user, id, "readBackground", as_id)
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
