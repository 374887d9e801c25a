"""Endpoints of moving tokens."""

from uuid import UUID

from fastapi import APIRouter, Response

from game.accounts.current import CurrentUser
from game.core.compute import Computing, TooLarge
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, Unauthorized, Unprocessable, documented
from game.core.fair_semaphore import TooMuchAtOnce
from game.core.hot import hot
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.strict_json import StrictRoute
from game.play import hot_moves, moves, tokens
from game.play.models import MoveRead, MoveRequest
from game.tokens.queries import as_json
from game.universes.quotas import QuotaExceeded

router = APIRouter(tags=["Tokens"], route_class=StrictRoute, responses=documented(Unauthorized))


@router.post(
    "/tokens/{id}/move",
    response_model=MoveRead,
    responses=documented(
        Forbidden,
        NotFound,
        moves.Blocked,
        moves.NoKnownPath,
        Unprocessable,
        IdempotencyKeyReused,
        QuotaExceeded,
        TooLarge,
        TooMuchAtOnce,
    ),
)
@hot(hot_moves.MOVE)
async def move_token(
    id: UUID, body: MoveRequest, user: CurrentUser, session: Session, computing: Computing, once: Once
) -> Response:
    """Move a token along a path, or to a place by the cheapest path that you know.

    If something that you know of is in the way, the move is refused. If it is something that you do not know of,
    the token stops there.
    """
    piece = await tokens.get_to_act(session, user, id, "moveToken")
    # A repeated request is not planned again.
    plan = None
    if not await once.is_repeated(user.id):
        plan = await moves.plan_move(session, computing, user, piece, body)
    # Nothing is locked, and no connection is held, while the move is planned.
    await session.close()

    async def move() -> Response:
        locked = await tokens.get_to_change(session, user, id, "moveToken")
        once.depend_on_role(locked.role)
        answer = await moves.move(session, locked, body, plan)
        return Response(as_json(answer), media_type="application/json")

    return await once(user.id, move, check=lambda _: tokens.get_to_act(session, user, id, "moveToken"))
