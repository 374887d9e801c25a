"""The caller's sessions, one for each device."""

from uuid import UUID

from fastapi import APIRouter

from game.accounts import queries
from game.accounts.current import CurrentCaller
from game.accounts.models import AuthSessionPage, AuthSessionRead
from game.core.database import Session
from game.core.errors import NotFound, Unauthorized, documented
from game.core.strict_json import StrictRoute

router = APIRouter(prefix="/auth/sessions", tags=["Accounts"], route_class=StrictRoute)


@router.get("", response_model=AuthSessionPage, responses=documented(Unauthorized))
async def list_sessions(caller: CurrentCaller, session: Session) -> AuthSessionPage:
    """List your sessions, one for each device."""
    rows = await queries.sessions_of(session, caller.user.id)
    current = caller.identity.session_id
    items = [
        AuthSessionRead(**row.model_dump(include=set(AuthSessionRead.model_fields)), current=row.id == current)
        for row in rows
    ]
    return AuthSessionPage(items=items)


@router.delete("/{id}", status_code=204, responses=documented(Unauthorized, NotFound))
async def end_session(id: UUID, caller: CurrentCaller, session: Session) -> None:
    """End one of your sessions; its tokens stop working at once."""
    if not await queries.end_session(session, caller.user.id, id):
        raise NotFound
