"""Endpoints of dice."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import (
    Forbidden,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.hot import hot
from game.core.idempotency import IdempotencyKeyReused, Once, ResponseForAnotherRole
from game.core.pages import DEFAULT_LIMIT, MAX_LIMIT
from game.core.strict_json import StrictRoute
from game.rolls import keys, queries, view
from game.rolls.batches import RollBatches, RollJob
from game.rolls.hot_rolls import ROLL
from game.rolls.models import DiceRead, RollPage, RollRead, RollWrite
from game.rolls.queries import ExpressionInvalid
from game.universes import access
from game.universes.access import Access
from game.universes.quotas import QuotaExceeded

router = APIRouter(tags=["Dice"], route_class=StrictRoute, responses=documented(Unauthorized))


@router.post(
    "/universes/{id}/rolls",
    status_code=201,
    response_model=RollRead,
    responses=documented(
        Forbidden,
        NotFound,
        QuotaExceeded,
        TooManyRequests,
        Unprocessable,
        IdempotencyKeyReused,
        ResponseForAnotherRole,
        ExpressionInvalid,
        OutcomeUnknown,
    ),
)
@hot(ROLL)
async def create_roll(
    request: Request, id: UUID, body: RollWrite, user: CurrentUser, session: Session, once: Once
) -> Response:
    """Roll dice. An error in the expression is reported with its column."""
    state = request.app.state
    await state.limiter.count({f"roll:{user.id}": state.settings.limit_roll})

    async def create(transaction: AsyncSession, caller: Access) -> Response:
        roll = await queries.create(transaction, caller, **body.model_dump())
        once.depend_on_role(caller.role)
        return _answer(view.shown(roll, user.id, caller.role), 201)

    async def alone() -> Response:
        return await create(session, (await access.lock(session, user, {id: "createRoll"}))[id])

    if once.has_key:
        return await once(user.id, alone, check=lambda _: access.get(session, user, id, "createRoll"))
    # It holds no connection while it waits for its turn.
    await session.close()
    batches: RollBatches = state.rolls
    return await batches.apply(id, RollJob(user, create))


@router.get("/universes/{id}/rolls", response_model=RollPage, responses=documented(NotFound, Unprocessable))
async def list_rolls(
    id: UUID,
    user: CurrentUser,
    session: Session,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next_cursor` of the previous page.")
    ] = None,
) -> Any:
    """List the rolls of a universe that you may see, newest first."""
    return await queries.page(session, await access.get(session, user, id, "listRolls"), limit, cursor)


@router.post(
    "/rolls/{id}/reveal",
    response_model=RollRead,
    responses=documented(Forbidden, NotFound, QuotaExceeded, IdempotencyKeyReused, ResponseForAnotherRole),
)
async def reveal_roll(id: UUID, user: CurrentUser, session: Session, once: Once) -> Response:
    """Show a roll to everyone. The roller may do this unless the roll is blind, and so may game masters who see
    it."""

    async def reveal() -> Response:
        roll, caller = await queries.reveal(session, user, id)
        once.depend_on_role(caller.role)
        return _answer(await queries.read(session, roll, caller), 200)

    async def check(_: Response) -> Access:
        return (await queries.get(session, user, id, "revealRoll"))[1]

    return await once(user.id, reveal, check=check)


@router.get("/universes/{id}/dice", response_model=DiceRead, responses=documented(NotFound))
async def read_dice(id: UUID, user: CurrentUser, session: Session) -> Any:
    """Read the hashes of the keys for the next rolls.

    Store them: a roll's `proof` contains its key, and you can compute the dice again. See the page on dice in the
    guide.
    """
    await access.get(session, user, id, "readDice")
    everyone = await keys.commitments(session, id, id)
    hidden = await keys.commitments(session, id, user.id)
    return DiceRead(**dict(everyone), hidden=hidden)


def _answer(shown: RollRead, status: int) -> Response:
    return Response(shown.model_dump_json(), status, media_type="application/json")
