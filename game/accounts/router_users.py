"""The caller's own account and, for superusers, all accounts."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Request, Response

from game.accounts import emails, policy, queries
from game.accounts.current import Caller, CurrentCaller, CurrentUser
from game.accounts.dependencies import (
    VERIFY_PAGE,
    Manager,
    count_requested_mail,
    get_limiter,
    send_after_answer,
)
from game.accounts.errors import CannotChangeSelf, OwnsUniverses, UserAlreadyExists
from game.accounts.manager import UserManager
from game.accounts.models import MeRead, User, UserPage, UserRead, UserUpdate, UserUpdateMe
from game.accounts.pages import ACCOUNT, FORGOT_PASSWORD
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
from game.core.links import link
from game.core.settings import Settings
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, not_modified, require_match, tagged

router = APIRouter(prefix="/users", tags=["Users"], route_class=StrictRoute, responses=documented(Unauthorized))


@router.get("/me", response_model=MeRead)
@hot(queries.ME)
async def read_me(request: Request, response: Response, user: CurrentUser, _: IfNoneMatch = None) -> Any:
    """Read your own account."""
    return not_modified(request, user.version) or tagged(response, user)


@router.patch(
    "/me",
    response_model=MeRead,
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

    A new password or e-mail address needs `current_password`. A new password ends all your other sessions. A new
    address is pending until you open the link in the mail that is sent there. A mail to your current address tells
    you about it.
    """
    fields = body.model_dump(exclude_unset=True)
    current = fields.pop("current_password", None)
    require_match(if_match, caller.user)
    new_address = fields.get("email", "")
    has_new_address = bool(new_address) and new_address.lower() != caller.user.email.lower()
    needs_password = "password" in fields or has_new_address
    if needs_password:
        await _check_current_password(request, manager, caller, current)
        await _count_notices(request, caller.user, new_address if has_new_address else None)
    await manager.release_connection()
    changes = await manager.with_hash(fields)
    user = await queries.lock(session, caller.user.id)
    # Checked again under the lock, because another device may have just ended this session.
    if user is None or await queries.user_of_session(session, caller.identity) is None:
        raise Unauthorized
    require_match(if_match, user)
    if needs_password and user.hashed_password != caller.user.hashed_password:
        raise _wrong_password()
    user = await manager.change_own(user, changes, caller.identity.session_id)
    if "password" in fields:
        page = link(request, FORGOT_PASSWORD)
        send_after_answer(request, background, emails.password_changed(user, page))
    if has_new_address:
        for email in _address_change(request, manager, user, new_address):
            send_after_answer(request, background, email)
    return tagged(response, user)


def _address_change(
    request: Request, manager: UserManager, user: User, new_address: str
) -> tuple[emails.Email, emails.Email]:
    """The mails to the new and to the old address."""
    token = manager.verify_token(user, new_address)
    return (
        emails.confirm_address(new_address, link(request, VERIFY_PAGE + token), token),
        emails.address_change_requested(user, link(request, ACCOUNT)),
    )


async def _check_current_password(
    request: Request, manager: UserManager, caller: Caller, current: str | None
) -> None:
    """Check the caller's current password; failures are limited per session."""
    if current is None:
        message = "To set a new password or e-mail address, send the current password, too."
        raise Unprocessable(errors=[FieldError("current_password", "missing", message)])
    settings: Settings = request.app.state.settings
    # Not per account: a thief of a token must not be able to block the owner's change of the password.
    async with get_limiter(request).guess({f"password:{caller.identity.session_id}": settings.limit_login}):
        if not await manager.is_password_of(caller.user, current):
            raise _wrong_password()


def _wrong_password() -> Unprocessable:
    return Unprocessable(errors=[FieldError("current_password", "wrong", "This is not the current password.")])


async def _count_notices(request: Request, user: User, new_address: str | None) -> None:
    """Limit changes that send mails, so that they cannot flood a mailbox."""
    rate: Rate = request.app.state.settings.limit_mail
    await get_limiter(request).count({f"notice:{user.id}": rate})
    if new_address is not None:
        await count_requested_mail(request, new_address)


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
    request: Request,
    response: Response,
    background: BackgroundTasks,
    id: UUID,
    body: UserUpdate,
    user: CurrentUser,
    session: Session,
    manager: Manager,
    if_match: IfMatch,
) -> Any:
    """Change an account. For superusers.

    A new password, a deactivation or a demotion ends all sessions of the account. A new e-mail address is
    effective at once; a mail to the old one says so.
    """
    policy.require("updateUser", user)
    await manager.release_connection()
    fields = await manager.with_hash(body.model_dump(exclude_unset=True))
    other = await _lock_for_change(session, "updateUser", user, id, if_match)
    takes_rights = fields.get("is_active") is False or fields.get("is_superuser") is False
    policy.forbid_self_lockout(user, other, takes_rights=takes_rights)
    old_address = other.email
    other = await manager.change(other, fields)
    if other.email.lower() != old_address.lower():
        send_after_answer(request, background, emails.address_changed(other, old_address))
    return tagged(response, other)


@router.delete(
    "/{id}",
    status_code=204,
    responses=documented(Forbidden, NotFound, OwnsUniverses, CannotChangeSelf, PreconditionFailed),
)
async def delete_user(id: UUID, user: CurrentUser, session: Session, manager: Manager, if_match: IfMatch) -> None:
    """Delete an account that owns no universes. For superusers."""
    other = await _lock_for_change(session, "deleteUser", user, id, if_match)
    policy.forbid_self_lockout(user, other, takes_rights=True)
    await manager.remove(other, user)
