"""Endpoints of encounters."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from game.accounts.current import CurrentUser
from game.core import pages
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, not_modified, require_tag
from game.encounters import queries
from game.encounters.models import EncounterPage, EncounterPatch, EncounterRead, EncounterWrite
from game.encounters.queries import AlreadyRunning, FirstTurn, Found, NoCombatants, NotRunning
from game.universes import access
from game.universes.quotas import QuotaExceeded

router = APIRouter(tags=["Encounters"], route_class=StrictRoute, responses=documented(Unauthorized))

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable)
_STEP = (Forbidden, NotFound, Unprocessable, IdempotencyKeyReused)


@router.post(
    "/universes/{id}/encounters",
    status_code=201,
    response_model=EncounterRead,
    responses=documented(Forbidden, NotFound, QuotaExceeded, Unprocessable, IdempotencyKeyReused),
)
async def create_encounter(
    id: UUID, body: EncounterWrite, user: CurrentUser, session: Session, once: Once
) -> Response:
    """Prepare an encounter. Players see it when it starts."""

    async def create() -> Response:
        caller = (await access.lock(session, user, {id: "createEncounter"}))[id]
        found = await queries.create(session, caller, _fields(body, "name", "map_id", "combatants", "gm"))
        return found.document().answer(201, Location=f"/encounters/{found.row.id}")

    return await once(user.id, create, check=lambda _: access.get(session, user, id, "createEncounter"))


@router.get(
    "/universes/{id}/encounters",
    response_model=EncounterPage,
    response_model_exclude_unset=True,
    responses=documented(NotFound, Unprocessable),
)
async def list_encounters(
    id: UUID, query: pages.ConstantPageParameters, user: CurrentUser, session: Session
) -> Any:
    """List the encounters of a universe. Only game masters see prepared ones."""
    return await queries.page(session, await access.get(session, user, id, "listEncounters"), query)


@router.get("/encounters/{id}", response_model=EncounterRead, responses=documented(NotFound))
async def read_encounter(
    request: Request, id: UUID, user: CurrentUser, session: Session, _: IfNoneMatch = None
) -> Response:
    """Read an encounter: its combatants in the order of their turns, and whose turn it is.

    Players do not see hidden combatants: while it is the turn of a hidden one, they see the last turn that was not
    hidden.
    """
    document = (await queries.get(session, user, id, "readEncounter")).document()
    return not_modified(request, document.tag) or document.answer()


@router.patch("/encounters/{id}", response_model=EncounterRead, responses=_CHANGES)
async def update_encounter(
    id: UUID, body: EncounterPatch, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Change the fields of an encounter that you send, and no others. `combatants` is replaced as a whole.

    Send existing combatants with their ids. If the combatant whose turn it is gets a later place, its turn is
    delayed, and the next one begins.
    """
    found = await queries.get_to_change(session, user, id, "updateEncounter")
    require_tag(if_match, found.document().tag)
    return (await queries.change(session, found, _fields(body, *body.model_fields_set))).document().answer()


@router.delete("/encounters/{id}", status_code=204, responses=_CHANGES)
async def delete_encounter(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete an encounter."""
    found = await queries.get_to_change(session, user, id, "deleteEncounter")
    require_tag(if_match, found.document().tag)
    await queries.remove(session, found)


Step = Callable[[Session, Found], Awaitable[Found]]


async def _take(step: Step, session: Session, user: CurrentUser, id: UUID, operation: str, once: Once) -> Response:
    async def take() -> Response:
        found = await queries.get_to_change(session, user, id, operation)
        return (await step(session, found)).document().answer()

    return await once(user.id, take, check=lambda _: queries.get(session, user, id, operation))


@router.post(
    "/encounters/{id}/start",
    response_model=EncounterRead,
    responses=documented(*_STEP, AlreadyRunning, NoCombatants),
)
async def start_encounter(id: UUID, user: CurrentUser, session: Session, once: Once) -> Response:
    """Start an encounter with round 1. An encounter that has ended can be started again."""
    return await _take(queries.start, session, user, id, "startEncounter", once)


@router.post(
    "/encounters/{id}/next", response_model=EncounterRead, responses=documented(*_STEP, NotRunning, NoCombatants)
)
async def advance_encounter(id: UUID, user: CurrentUser, session: Session, once: Once) -> Response:
    """Begin the next turn. The `rounds` of effects are decremented when their combatant's turn begins."""
    return await _take(queries.advance, session, user, id, "advanceEncounter", once)


@router.post(
    "/encounters/{id}/previous", response_model=EncounterRead, responses=documented(*_STEP, NotRunning, FirstTurn)
)
async def revert_encounter(id: UUID, user: CurrentUser, session: Session, once: Once) -> Response:
    """Undo the last `next`. Can be repeated back to the start."""
    return await _take(queries.go_back, session, user, id, "revertEncounter", once)


@router.post("/encounters/{id}/end", response_model=EncounterRead, responses=documented(*_STEP, NotRunning))
async def end_encounter(id: UUID, user: CurrentUser, session: Session, once: Once) -> Response:
    """End an encounter."""
    return await _take(queries.end, session, user, id, "endEncounter", once)


@router.post(
    "/encounters/{id}/initiative", response_model=EncounterRead, responses=documented(*_STEP, NoCombatants)
)
async def roll_initiative(id: UUID, user: CurrentUser, session: Session, once: Once) -> Response:
    """Roll a d20 plus bonus for each combatant without an initiative. Each is a roll in the universe's list of
    rolls.

    Everyone sees these rolls, except those of hidden combatants and those before the encounter starts.
    """
    return await _take(queries.roll_initiative, session, user, id, "rollInitiative", once)


def _fields(body: EncounterWrite | EncounterPatch, *names: str) -> dict[str, Any]:
    fields = {name: getattr(body, name) for name in names}
    return fields | ({"combatants": body.stored_combatants()} if "combatants" in fields else {})
