"""Endpoints of maps."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from game.accounts.current import CurrentUser
from game.core import pages
from game.core.compute import Computing
from game.core.database import Session
from game.core.errors import (
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.hot import hot
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, etag, not_modified, require_match
from game.grid.document import GridError, check
from game.maps import history, policy, queries
from game.maps.models import MapCreate, MapPage, MapPatch, MapRead, MapReplace
from game.universes import queries as universes

router = APIRouter(prefix="/maps", tags=["Maps"], route_class=StrictRoute, responses=documented(Unauthorized))

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable)


class InvalidGrid(Unprocessable):
    """The grid data breaks its rules."""

    code = "INVALID_GRID_DATA"


async def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body whose grid data, if any, keeps the rules.

    Raises:
        InvalidGrid: it does not; says where.
    """
    if "grid_data" in fields:
        try:
            await asyncio.to_thread(check, fields["grid_data"])
        except GridError as error:
            raise InvalidGrid(
                errors=[FieldError(one.place, one.code, one.message) for one in error.breaches]
            ) from None
    return fields


def _answer(document: str, version: int, status: int = 200, **headers: str) -> Response:
    """A map as JSON. Its text is built once, in `queries`, for hot and plain answers alike."""
    return Response(document, status, {"ETag": etag(version), **headers}, "application/json")


@router.post(
    "",
    status_code=201,
    response_model=MapRead,
    responses=documented(Forbidden, NotFound, Unprocessable, IdempotencyKeyReused),
)
async def create_map(body: MapCreate, user: CurrentUser, session: Session, once: Once) -> Response:
    """Create a map in one of your universes."""
    fields = await _checked(body.model_dump())

    async def create() -> Response:
        universe = await universes.get(session, user, body.universe_id, lock=True)
        policy.require("createMap", user, universe)
        row = await queries.create(session, user, universe, fields)
        return _answer(*await queries.document(session, user, row.id), 201, Location=f"/maps/{row.id}")

    return await once(user.id, create)


@router.get("", response_model=MapPage, responses=documented(NotFound, Unprocessable))
@hot(queries.LIST)
async def list_maps(
    query: pages.PageParameters,
    user: CurrentUser,
    session: Session,
    universe_id: Annotated[UUID | None, Query(description="Only the maps of this universe.")] = None,
) -> Any:
    """List your maps, without their grids."""
    return await queries.page(session, user, query, universe_id)


@router.get(
    "/{id}", response_model=MapRead, responses=documented(NotFound, history.HistoryBroken, history.TooLongAgo)
)
@hot(queries.BY_ID)
async def read_map(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    _: IfNoneMatch = None,
    at_seq: Annotated[
        int | None, Query(ge=1, le=2**53 - 1, description="The map as it was after this event of its universe.")
    ] = None,
) -> Response:
    """Read a map with its grid."""
    if at_seq is not None:
        return _answer(*await history.document(session, computing, user, id, at_seq))
    document, version = await queries.document(session, user, id)
    return not_modified(request, version) or _answer(document, version)


async def _change(
    session: Session, operation: str, user: CurrentUser, id: UUID, if_match: str | None, fields: dict[str, Any]
) -> Response:
    target_id: UUID | None = fields.pop("universe_id", None)
    if target_id is None:
        row, universe = await queries.get_to_change(session, user, id)
        target = universe
    else:
        row, universe, target = await queries.get_to_move(session, user, id, target_id)
        policy.require("createMap", user, target)
    policy.require(operation, user, universe)
    require_match(if_match, row)
    await queries.change(session, user, row, fields, target)
    await session.flush()
    return _answer(*await queries.document(session, user, id))


@router.put("/{id}", response_model=MapRead, responses=_CHANGES)
async def replace_map(
    id: UUID, body: MapReplace, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Replace a map: what you leave out gets its default."""
    fields = {"description": body.description, "grid_data": body.grid_data, **body.model_dump(exclude_unset=True)}
    return await _change(session, "replaceMap", user, id, if_match, await _checked(fields))


@router.patch("/{id}", response_model=MapRead, responses=_CHANGES)
async def update_map(id: UUID, body: MapPatch, user: CurrentUser, session: Session, if_match: IfMatch) -> Response:
    """Change a map: what you name, and nothing else."""
    fields = await _checked(body.model_dump(exclude_unset=True))
    return await _change(session, "updateMap", user, id, if_match, fields)


@router.delete("/{id}", status_code=204, responses=_CHANGES)
async def delete_map(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete a map."""
    row, universe = await queries.get_to_change(session, user, id)
    policy.require("deleteMap", user, universe)
    require_match(if_match, row)
    await queries.remove(session, user, row)
