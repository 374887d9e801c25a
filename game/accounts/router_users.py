"""One's own account, and everybody's for superusers."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Request, Response

from game.accounts import emails, login, policy, queries
from game.accounts.current import CurrentCaller, CurrentUser
from game.accounts.dependencies import Manager, get_limiter, send_after_answer
from game.accounts.errors import CannotChangeSelf, OwnsUniverses, UserAlreadyExists
from game.accounts.models import User, UserPage, UserRead, UserUpdate, UserUpdateMe
from game.accounts.passwords import verify_password
from game.core import pages
from game.core.database import Session
from game.core.errors import (
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.hot import hot
from game.core.limits import Rate
from game.core.settings import Settings
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, not_modified, require_match, tagged

router = APIRouter(prefix="/users", tags=["Users"], route_class=StrictRoute, responses=documented(Unauthorized))


@router.get("/me", response_model=UserRead)
@hot(queries.ME)
async def read_me(request: Request, response: Response, user: CurrentUser, _: IfNoneMatch = None) -> Any:
    """Read your own account."""
    return not_modified(request, user.version) or tagged(response, user)


@router.patch(
    "/me",
    response_model=UserRead,
    responses=documented(UserAlreadyExists, PreconditionFailed, Unprocessable, TooManyRequests),
)
async def update_me(
    request: Request,
    response: Response,
    background: BackgroundTasks,
    body: UserUpdateMe,
    caller: CurrentCaller,
    session: Session,
    manager: Manager,
    if_match: IfMatch,
) -> Any:
    """Change your own account.

    A new password needs `current_password`, and ends all your other sessions.
    """
    fields = body.model_dump(exclude_unset=True)
    current = fields.pop("current_password", None)
    user = await queries.lock(session, caller.user.id)
    # Again, now that nobody else can change the account: another device may have just ended this session.
    if user is None or await queries.user_of_session(session, caller.identity) is None:
        raise Unauthorized
    require_match(if_match, user)
    if "password" in fields:
        await _check_current_password(request, user, current)
    if fields.keys() & {"email", "password"}:
        await _count_notice(request, user)
    old_address = user.email
    user = await manager.change(user, fields, session_to_keep=caller.identity.session_id)
    if "password" in fields:
        send_after_answer(request, background, emails.password_changed(user))
    if user.email.lower() != old_address.lower():
        send_after_answer(request, background, emails.address_changed(user, old_address))
    return tagged(response, user)


async def _check_current_password(request: Request, user: User, current: str | None) -> None:
    if current is None:
        error = FieldError("current_password", "missing", "A new password needs the current one too.")
        raise Unprocessable(errors=[error])
    key = f"password:{user.id}"
    settings: Settings = request.app.state.settings
    await get_limiter(request).count({key: settings.limit_login})
    right, _ = await verify_password(current, user.hashed_password)
    if not right:
        error = FieldError("current_password", "wrong", "This is not the current password.")
        raise Unprocessable(errors=[error])
    await get_limiter(request).refund([key])


async def _count_notice(request: Request, user: User) -> None:
    """Count a change that is announced by mail, so that repeating it does not flood a mailbox."""
    rate: Rate = request.app.state.settings.limit_mail
    keys = (f"notice:{user.id}", f"notice:{login.address_key(user.email)}")
    await get_limiter(request).count(dict.fromkeys(keys, rate))


@router.get("", response_model=UserPage, responses=documented(Forbidden, Unprocessable))
async def list_users(query: pages.PageParameters, user: CurrentUser, session: Session) -> Any:
    """List all users. For superusers."""
    policy.require("listUsers", user)
    return await queries.page(session, user, query)


@router.get("/{id}", response_model=UserRead, responses=documented(Forbidden, NotFound))
async def read_user(
    request: Request, response: Response, id: UUID, user: CurrentUser, session: Session, _: IfNoneMatch = None
) -> Any:
    """Read an account. For superusers."""
    policy.require("readUser", user)
    other = await queries.get(session, user, id)
    if other is None:
        raise NotFound
    return not_modified(request, other.version) or tagged(response, other)


async def _lock_for_change(session: Session, operation: str, user: User, id: UUID, if_match: str | None) -> User:
    """The account that a superuser is about to change, locked; If-Match must name its current version."""
    policy.require(operation, user)
    other = await queries.lock(session, id)
    if other is None:
        raise NotFound
    require_match(if_match, other)
    return other


@router.patch(
    "/{id}",
    response_model=UserRead,
    responses=documented(
        UserAlreadyExists, Forbidden, NotFound, CannotChangeSelf, PreconditionFailed, Unprocessable
    ),
)
async def update_user(
    response: Response,
    id: UUID,
    body: UserUpdate,
    user: CurrentUser,
    session: Session,
    manager: Manager,
    if_match: IfMatch,
) -> Any:
    """Change an account. For superusers.

    A new password, a deactivation or a demotion ends all sessions of the account.
    """
    other = await _lock_for_change(session, "updateUser", user, id, if_match)
    fields = body.model_dump(exclude_unset=True)
    takes_rights = fields.get("is_active") is False or fields.get("is_superuser") is False
    policy.forbid_self_lockout(user, other, takes_rights=takes_rights)
    return tagged(response, await manager.change(other, fields))


@router.delete(
    "/{id}",
    status_code=204,
    responses=documented(Forbidden, NotFound, OwnsUniverses, CannotChangeSelf, PreconditionFailed),
)
async def delete_user(id: UUID, user: CurrentUser, session: Session, manager: Manager, if_match: IfMatch) -> None:
    """Delete an account that owns no universes. For superusers."""
    other = await _lock_for_change(session, "deleteUser", user, id, if_match)
    policy.forbid_self_lockout(user, other, takes_rights=True)
    await manager.user_db.delete(other)
