"""Endpoints of messages."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, TooManyRequests, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.pages import DEFAULT_LIMIT, MAX_LIMIT
from game.core.strict_json import StrictRoute
from game.messages import queries
from game.messages.models import MessagePage, MessageRead, MessageWrite
from game.universes import access
from game.universes.quotas import QuotaExceeded

router = APIRouter(
    prefix="/universes", tags=["Messages"], route_class=StrictRoute, responses=documented(Unauthorized)
)


@router.post(
    "/{id}/messages",
    status_code=201,
    response_model=MessageRead,
    responses=documented(Forbidden, NotFound, QuotaExceeded, TooManyRequests, Unprocessable, IdempotencyKeyReused),
)
async def create_message(
    request: Request, id: UUID, body: MessageWrite, user: CurrentUser, session: Session, once: Once
) -> Response:
    """Send a message to all members, or whisper to some. Nobody else sees a whisper, not even game masters."""
    state = request.app.state
    await state.limiter.count({f"message:{user.id}": state.settings.limit_message})

    async def create() -> Response:
        caller = (await access.lock(session, user, {id: "createMessage"}))[id]
        message = await queries.create(session, caller, body.text, body.to, body.character_id)
        return Response(queries.read(message).model_dump_json(), 201, media_type="application/json")

    return await once(user.id, create, check=lambda _: access.get(session, user, id, "createMessage"))


@router.get("/{id}/messages", response_model=MessagePage, responses=documented(NotFound, Unprocessable))
async def list_messages(
    id: UUID,
    user: CurrentUser,
    session: Session,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next_cursor` of the previous page.")
    ] = None,
) -> Any:
    """List the messages of a universe that you may see, newest first: messages to all members, and your
    whispers."""
    return await queries.page(session, await access.get(session, user, id, "listMessages"), limit, cursor)
