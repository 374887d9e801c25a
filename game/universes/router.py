"""Endpoints of universes, and the one that reads their log."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from game.accounts.current import CurrentUser
from game.core import pages
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Unprocessable, documented
from game.core.hot import hot
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, created, etag, not_modified, require_match, tagged
from game.events import queries as events
from game.events.models import EventPage
from game.permissions import Role
from game.universes import access, queries
from game.universes.access import Access
from game.universes.models import (
    MemberRole,
    OwnerWrite,
    UniversePage,
    UniversePatch,
    UniverseRead,
    UniverseWrite,
)

router = APIRouter(
    prefix="/universes", tags=["Universes"], route_class=StrictRoute, responses=documented(Unauthorized)
)

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable)


@router.post(
    "",
    status_code=201,
    response_model=UniverseRead,
    responses=documented(NotFound, Unprocessable, IdempotencyKeyReused),
)
async def create_universe(body: UniverseWrite, user: CurrentUser, session: Session, once: Once) -> Response:
    """Create a universe. You become its owner."""

    async def create() -> Response:
        universe = queries.read(await queries.create(session, user, body.model_dump()))
        return created(f"/universes/{universe.id}", universe)

    return await once(
        user.id, create, check=lambda first: access.get_created(session, user, first.headers["location"])
    )


@router.get("", response_model=UniversePage, responses=documented(Unprocessable))
@hot(queries.LIST)
async def list_universes(
    query: pages.PageParameters,
    user: CurrentUser,
    session: Session,
    role: Annotated[MemberRole | None, Query(description="Only universes in which you have this role.")] = None,
) -> Any:
    """List the universes that you are a member of."""
    return await queries.page(session, user, query, Role(role) if role else None)


@router.get("/{id}", response_model=UniverseRead, responses=documented(NotFound))
@hot(queries.BY_ID)
async def read_universe(
    request: Request, response: Response, id: UUID, user: CurrentUser, session: Session, _: IfNoneMatch = None
) -> Any:
    """Read a universe."""
    universe = queries.read(await access.get(session, user, id, "readUniverse"))
    return not_modified(request, universe.version) or tagged(response, universe)


async def _to_change(
    session: Session, operation: str, user: CurrentUser, id: UUID, if_match: str | None
) -> Access:
    """A locked universe on which the user may do an operation; If-Match must name its current version."""
    locked = (await access.lock(session, user, {id: operation}))[id]
    require_match(if_match, locked.universe)
    return locked


@router.put("/{id}", response_model=UniverseRead, responses=_CHANGES)
async def replace_universe(
    response: Response, id: UUID, body: UniverseWrite, user: CurrentUser, session: Session, if_match: IfMatch
) -> Any:
    """Replace a universe. Fields that you leave out get their defaults."""
    locked = await _to_change(session, "replaceUniverse", user, id, if_match)
    await queries.change(session, locked, body.model_dump())
    return tagged(response, queries.read(locked))


@router.patch("/{id}", response_model=UniverseRead, responses=_CHANGES)
async def update_universe(
    response: Response, id: UUID, body: UniversePatch, user: CurrentUser, session: Session, if_match: IfMatch
) -> Any:
    """Change the fields of a universe that you send, and no others."""
    locked = await _to_change(session, "updateUniverse", user, id, if_match)
    await queries.change(session, locked, body.model_dump(exclude_unset=True))
    return tagged(response, queries.read(locked))


@router.delete("/{id}", status_code=204, responses=_CHANGES)
async def delete_universe(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete a universe with everything in it, including its event log."""
    await queries.remove(session, await _to_change(session, "deleteUniverse", user, id, if_match))


@router.post("/{id}/owner", response_model=UniverseRead, responses=_CHANGES)
async def transfer_universe(
    response: Response,
    id: UUID,
    body: OwnerWrite,
    user: CurrentUser,
    session: Session,
    if_match: IfMatch,
    once: Once,
) -> Any:
    """Transfer a universe to one of its members. You become a game master in it."""

    async def transfer() -> Response:
        locked = await _to_change(session, "transferUniverse", user, id, if_match)
        universe = queries.read(await queries.transfer(session, locked, body.user_id))
        headers = {"ETag": etag(universe.version)}
        return Response(universe.model_dump_json(), headers=headers, media_type="application/json")

    # The previous owner is a game master since then.
    return await once(user.id, transfer, check=lambda _: access.get(session, user, id, "updateUniverse"))


@router.get(
    "/{id}/events",
    response_model=EventPage,
    response_model_exclude_unset=True,
    responses=documented(Forbidden, NotFound, Unprocessable),
)
async def list_events(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    after: Annotated[
        int | None,
        Query(ge=0, le=2**53 - 1, description="For game masters: the last `seq` that you have, or 0."),
    ] = None,
    cursor: Annotated[
        str | None, Query(max_length=100, description="The `cursor` of the last event or page that you have.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """Read the events of a universe, in order.

    Continue with `cursor` = `next_cursor`: you get each event exactly once. Players get the events that they may
    know of, without `seq`.
    """
    found = await access.get(session, user, id, "listEvents")
    if after is not None and not found.is_game_master:
        raise Forbidden("`after` is for game masters, because it counts hidden events, too. Use `cursor`.")
    reader = await events.reader(session, request.app.state.cursors, user.id, id)
    start = after or 0 if cursor is None else reader.seq_of(cursor)
    return await events.page(session, reader, start, limit, for_game_masters=found.is_game_master)
