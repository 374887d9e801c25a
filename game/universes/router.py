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
from game.core.versions import IfMatch, IfNoneMatch, created, not_modified, require_match, tagged
from game.events import queries as events
from game.events.models import EventPage
from game.universes import policy, queries
from game.universes.models import Universe, UniversePage, UniversePatch, UniverseRead, UniverseWrite

router = APIRouter(
    prefix="/universes", tags=["Universes"], route_class=StrictRoute, responses=documented(Unauthorized)
)

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable)


@router.post(
    "", status_code=201, response_model=UniverseRead, responses=documented(Unprocessable, IdempotencyKeyReused)
)
async def create_universe(body: UniverseWrite, user: CurrentUser, session: Session, once: Once) -> Response:
    """Create a universe; you are its owner."""

    async def create() -> Response:
        universe = await queries.create(session, user, body.model_dump())
        return created(f"/universes/{universe.id}", UniverseRead.model_validate(universe, from_attributes=True))

    return await once(user.id, create)


@router.get("", response_model=UniversePage, responses=documented(Unprocessable))
@hot(queries.LIST)
async def list_universes(query: pages.PageParameters, user: CurrentUser, session: Session) -> Any:
    """List your universes."""
    return await queries.page(session, user, query)


@router.get("/{id}", response_model=UniverseRead, responses=documented(NotFound))
@hot(queries.BY_ID)
async def read_universe(
    request: Request, response: Response, id: UUID, user: CurrentUser, session: Session, _: IfNoneMatch = None
) -> Any:
    """Read a universe."""
    universe = await queries.get(session, user, id)
    return not_modified(request, universe.version) or tagged(response, universe)


async def _to_change(
    session: Session, operation: str, user: CurrentUser, id: UUID, if_match: str | None
) -> Universe:
    """A universe, locked, that the user may do this to and has read in its last version."""
    universe = await queries.get(session, user, id, lock=True)
    policy.require(operation, user, universe)
    require_match(if_match, universe)
    return universe


@router.put("/{id}", response_model=UniverseRead, responses=_CHANGES)
async def replace_universe(
    response: Response, id: UUID, body: UniverseWrite, user: CurrentUser, session: Session, if_match: IfMatch
) -> Any:
    """Replace a universe: what you leave out gets its default."""
    universe = await _to_change(session, "replaceUniverse", user, id, if_match)
    await queries.change(session, user, universe, body.model_dump())
    return tagged(response, universe)


@router.patch("/{id}", response_model=UniverseRead, responses=_CHANGES)
async def update_universe(
    response: Response, id: UUID, body: UniversePatch, user: CurrentUser, session: Session, if_match: IfMatch
) -> Any:
    """Change a universe: what you name, and nothing else."""
    universe = await _to_change(session, "updateUniverse", user, id, if_match)
    await queries.change(session, user, universe, body.model_dump(exclude_unset=True))
    return tagged(response, universe)


@router.delete("/{id}", status_code=204, responses=_CHANGES)
async def delete_universe(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete a universe with all of its maps and its log."""
    await queries.remove(session, user, await _to_change(session, "deleteUniverse", user, id, if_match))


@router.get("/{id}/events", response_model=EventPage, responses=documented(NotFound, Unprocessable))
async def list_events(
    id: UUID,
    user: CurrentUser,
    session: Session,
    after: Annotated[int, Query(ge=0, le=2**53 - 1, description="The last `seq` you have.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """Read what happened in a universe, in order.

    Continue with `after` = `next_after`; nothing is left out and nothing comes twice.
    """
    universe = await queries.get(session, user, id)
    items = await events.after(session, universe.id, after, limit)
    return {"items": items, "next_after": items[-1]["seq"] if items else after}
