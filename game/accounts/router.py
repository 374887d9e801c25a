"""Signing up, logging in and out, and accounts."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import exceptions
from sqlalchemy.exc import IntegrityError

from game.accounts import entrance, letters, policy, queries
from game.accounts.current import CurrentCaller, CurrentUser, refuse_cross_site
from game.accounts.entrance import BadCredentials
from game.accounts.letters import Letter
from game.accounts.manager import UserManager
from game.accounts.models import (
    Accepted,
    AuthSession,
    AuthSessionPage,
    AuthSessionRead,
    EmailOnly,
    RefreshToken,
    ResetPassword,
    Token,
    TokenPair,
    User,
    UserPage,
    UserRead,
    UserRegister,
    UserUpdate,
    UserUpdateMe,
)
from game.accounts.passwords import verify_password
from game.accounts.tokens import RefreshTokens
from game.core import pages
from game.core.database import Session
from game.core.errors import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.hot import HotRoute, hot
from game.core.limits import Limiter, Rate
from game.core.settings import Settings
from game.core.versions import IfMatch, IfNoneMatch, not_modified, require_match, tagged

auth = APIRouter(prefix="/auth", tags=["Accounts"], route_class=HotRoute)
users = APIRouter(prefix="/users", tags=["Users"], route_class=HotRoute, responses=documented(Unauthorized))


class UserAlreadyExists(BadRequest):
    """There is an account with this e-mail address already."""

    code = "REGISTER_USER_ALREADY_EXISTS"


class BadResetToken(BadRequest):
    """This token does not work, has expired, or was used."""

    code = "RESET_PASSWORD_BAD_TOKEN"


class BadVerifyToken(BadRequest):
    """This token does not work or has expired."""

    code = "VERIFY_USER_BAD_TOKEN"


class AlreadyVerified(BadRequest):
    """This address is verified already."""

    code = "VERIFY_USER_ALREADY_VERIFIED"


class SpentRefreshToken(Unauthorized):
    """This refresh token was used before. Somebody may have stolen it, so this log-in was ended: log in again."""

    code = "REFRESH_TOKEN_REUSED"
    commits = True


class OwnsUniverses(Conflict):
    """This account owns universes. Delete them first, or deactivate the account."""

    code = "USER_OWNS_UNIVERSES"


def get_manager(request: Request, session: Session) -> UserManager:
    """FastAPI Users in this request's transaction."""
    return UserManager(session, request.app.state.secret)


Manager = Annotated[UserManager, Depends(get_manager)]
Credentials = Annotated[OAuth2PasswordRequestForm, Depends()]


def _post(request: Request, background: BackgroundTasks, letter: Letter) -> None:
    background.add_task(request.app.state.mailer.post, lambda: letter)


def _limiter(request: Request) -> Limiter:
    limiter: Limiter = request.app.state.limiter
    return limiter


async def _count_mail(request: Request, email: str) -> None:
    """Count a mail that anybody may ask for, of this client and to this address."""
    rate: Rate = request.app.state.settings.limit_mail
    await _limiter(request).count({f"mail:{entrance.client_address(request)}": entrance.ten_times(rate)})
    await _limiter(request).count({f"mail:{entrance.address_key(email)}": rate})


def _pair(request: Request, row: AuthSession, refresh_token: str) -> TokenPair:
    lifetime = request.app.state.settings.access_token_minutes * 60
    access = request.app.state.tokens.sign(row.user_id, row.id, lifetime)
    return TokenPair(access_token=access, refresh_token=refresh_token, expires_in=lifetime)


@auth.post(
    "/register",
    status_code=201,
    response_model=UserRead,
    responses=documented(UserAlreadyExists, Unprocessable, TooManyRequests),
)
async def register_user(
    request: Request, background: BackgroundTasks, response: Response, body: UserRegister, manager: Manager
) -> Any:
    """Sign up."""
    settings: Settings = request.app.state.settings
    await _limiter(request).count({f"signup:{entrance.client_address(request)}": settings.limit_signup})
    try:
        user = await manager.sign_up(body.email, body.password, body.display_name)
    except exceptions.UserAlreadyExists:
        raise UserAlreadyExists from None
    _post(request, background, letters.welcome(user, manager.verify_token(user)))
    return tagged(response, user)


_LOGIN_FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "example": {"username": "mira@example.com", "password": "correct horse battery"}
            }
        }
    }
}


@auth.post(
    "/jwt/login",
    response_model=TokenPair,
    responses=documented(BadCredentials, Unprocessable, TooManyRequests),
    openapi_extra=_LOGIN_FORM,
)
async def log_in(request: Request, session: Session, manager: Manager, form: Credentials) -> TokenPair:
    """Log in: for games and scripts.

    Send the access token as `Authorization: Bearer ...`. It works for a quarter of an hour; the refresh token gets
    the next one.
    """
    user = await entrance.log_in(request, manager, form.username, form.password)
    return _pair(request, *await entrance.start_session(request, session, user))


@auth.post("/jwt/refresh", response_model=TokenPair, responses=documented(Unauthorized, Unprocessable))
async def refresh_tokens(request: Request, session: Session, body: RefreshToken) -> TokenPair:
    """Get a new pair of tokens.

    The old refresh token is spent: using it again ends the log-in, for then it is in two hands.
    """
    tokens: RefreshTokens = request.app.state.refresh_tokens
    session_id, stored = tokens.read(body.refresh_token) or (None, b"")
    row = await queries.refreshable(session, session_id) if session_id else None
    if row is None:
        raise Unauthorized("Log in again: this log-in has ended.")
    if row.refresh_hash != stored:
        await queries.end_session(session, row.user_id, row.id)
        raise SpentRefreshToken
    token = queries.spend_refresh_token(row, tokens, request.app.state.settings.session_days)
    return _pair(request, row, token)


@auth.post("/jwt/logout", status_code=204, responses=documented(Unauthorized))
async def log_out(caller: CurrentCaller, session: Session) -> None:
    """Log out: the access token and its refresh token stop working at once."""
    await queries.end_session(session, caller.user.id, caller.identity.session_id)


@auth.post(
    "/cookie/login",
    status_code=204,
    responses=documented(BadCredentials, Forbidden, Unprocessable, TooManyRequests),
    openapi_extra=_LOGIN_FORM,
)
async def log_in_with_cookie(request: Request, session: Session, manager: Manager, form: Credentials) -> Response:
    """Log in: for pages of this site. Sets a cookie that scripts cannot read and other sites cannot use."""
    refuse_cross_site(request)
    user = await entrance.log_in(request, manager, form.username, form.password)
    row, _ = await entrance.start_session(request, session, user)
    response = Response(status_code=204)
    entrance.set_cookie(request, response, row)
    return response


@auth.post("/cookie/logout", status_code=204, responses=documented(Unauthorized, Forbidden))
async def log_out_with_cookie(request: Request, caller: CurrentCaller, session: Session) -> Response:
    """Log out, and forget the cookie."""
    await queries.end_session(session, caller.user.id, caller.identity.session_id)
    response = Response(status_code=204)
    entrance.delete_cookie(request, response)
    return response


@auth.get("/sessions", response_model=AuthSessionPage, responses=documented(Unauthorized))
async def list_sessions(caller: CurrentCaller, session: Session) -> AuthSessionPage:
    """List your log-ins, by device."""
    rows = await queries.sessions_of(session, caller.user.id)
    current = caller.identity.session_id
    items = [
        AuthSessionRead(**row.model_dump(include=set(AuthSessionRead.model_fields)), current=row.id == current)
        for row in rows
    ]
    return AuthSessionPage(items=items)


@auth.delete("/sessions/{id}", status_code=204, responses=documented(Unauthorized, NotFound))
async def end_session(id: UUID, caller: CurrentCaller, session: Session) -> None:
    """End one of your log-ins; its tokens stop working at once."""
    if not await queries.end_session(session, caller.user.id, id):
        raise NotFound


@auth.post(
    "/forgot-password",
    status_code=202,
    response_model=Accepted,
    responses=documented(Unprocessable, TooManyRequests),
)
async def forgot_password(
    request: Request, background: BackgroundTasks, manager: Manager, body: EmailOnly
) -> Accepted:
    """Ask for a mail with a token that sets a new password."""
    await _count_mail(request, body.email)
    user = await manager.user_db.get_by_email(body.email)
    background.add_task(_send_reset, request, manager, user)
    return Accepted()


async def _send_reset(request: Request, manager: UserManager, user: User | None) -> None:
    # Known or not, the answer is the same and takes the same time: even the token is made later.
    if user is not None and user.is_active:
        await request.app.state.mailer.post(lambda: letters.reset(user, manager.reset_token(user)))


@auth.post("/reset-password", response_model=UserRead, responses=documented(BadResetToken, Unprocessable))
async def reset_password(
    request: Request, response: Response, background: BackgroundTasks, manager: Manager, body: ResetPassword
) -> Any:
    """Set a new password with a token from a mail; ends all log-ins."""
    try:
        user = await manager.reset(body.token, body.password)
    except exceptions.InvalidResetPasswordToken:
        raise BadResetToken from None
    _post(request, background, letters.password_changed(user))
    return tagged(response, user)


@auth.post(
    "/request-verify-token",
    status_code=202,
    response_model=Accepted,
    responses=documented(Unprocessable, TooManyRequests),
)
async def request_verify_token(
    request: Request, background: BackgroundTasks, manager: Manager, body: EmailOnly
) -> Accepted:
    """Ask for a mail with a token that verifies your address."""
    await _count_mail(request, body.email)
    user = await manager.user_db.get_by_email(body.email)
    background.add_task(_send_verify, request, manager, user)
    return Accepted()


async def _send_verify(request: Request, manager: UserManager, user: User | None) -> None:
    if user is not None and user.is_active and not user.is_verified:
        await request.app.state.mailer.post(lambda: letters.verify(user, manager.verify_token(user)))


@auth.post("/verify", response_model=UserRead, responses=documented(BadVerifyToken, Unprocessable))
async def verify_user(response: Response, manager: Manager, body: Token) -> Any:
    """Verify your address with a token from a mail."""
    try:
        return tagged(response, await manager.verify_address(body.token))
    except exceptions.InvalidVerifyToken:
        raise BadVerifyToken from None
    except exceptions.UserAlreadyVerified:
        raise AlreadyVerified from None


@users.get("/me", response_model=UserRead)
@hot(queries.ME)
async def read_me(request: Request, response: Response, user: CurrentUser, _: IfNoneMatch = None) -> Any:
    """Read your own account."""
    return not_modified(request, user.version) or tagged(response, user)


@users.patch(
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

    A new password needs `current_password`, and ends all your other log-ins.
    """
    fields = body.model_dump(exclude_unset=True)
    current = fields.pop("current_password", None)
    user = await queries.held(session, caller.user.id)
    # Once more, now that nobody else can change the account: another device may just have ended this log-in.
    if user is None or await queries.user_of_session(session, caller.identity) is None:
        raise Unauthorized
    require_match(if_match, user)
    if "password" in fields:
        await _check_current_password(request, user, current)
    if fields.keys() & {"email", "password"}:
        await _count_notice(request, user)
    old_address = user.email
    try:
        user = await manager.change(user, fields, session_to_keep=caller.identity.session_id)
    except exceptions.UserAlreadyExists:
        raise UserAlreadyExists from None
    if "password" in fields:
        _post(request, background, letters.password_changed(user))
    if user.email.lower() != old_address.lower():
        _post(request, background, letters.address_changed(user, old_address))
    return tagged(response, user)


async def _check_current_password(request: Request, user: User, current: str | None) -> None:
    if current is None:
        error = FieldError("current_password", "missing", "A new password needs the current one too.")
        raise Unprocessable(errors=[error])
    key = f"password:{user.id}"
    settings: Settings = request.app.state.settings
    await _limiter(request).count({key: settings.limit_login})
    right, _ = await verify_password(current, user.hashed_password)
    if not right:
        error = FieldError("current_password", "wrong", "This is not the current password.")
        raise Unprocessable(errors=[error])
    await _limiter(request).give_back([key])


async def _count_notice(request: Request, user: User) -> None:
    """Count a change that a mail tells of: whoever makes them one after the other fills somebody's mailbox."""
    rate: Rate = request.app.state.settings.limit_mail
    keys = (f"notice:{user.id}", f"notice:{entrance.address_key(user.email)}")
    await _limiter(request).count(dict.fromkeys(keys, rate))


@users.get("", response_model=UserPage, responses=documented(Forbidden, Unprocessable))
async def list_users(query: pages.PageParameters, user: CurrentUser, session: Session) -> Any:
    """List all users. For superusers."""
    policy.require("listUsers", user)
    return await queries.page(session, user, query)


async def _to_change(session: Session, operation: str, user: User, user_id: UUID, if_match: str | None) -> User:
    """An account, held, that a superuser has read in its last version."""
    policy.require(operation, user)
    other = await queries.held(session, user_id)
    if other is None:
        raise NotFound
    require_match(if_match, other)
    return other


@users.get("/{id}", response_model=UserRead, responses=documented(Forbidden, NotFound))
async def read_user(
    request: Request, response: Response, id: UUID, user: CurrentUser, session: Session, _: IfNoneMatch = None
) -> Any:
    """Read an account. For superusers."""
    policy.require("readUser", user)
    other = await queries.get(session, user, id)
    if other is None:
        raise NotFound
    return not_modified(request, other.version) or tagged(response, other)


@users.patch(
    "/{id}",
    response_model=UserRead,
    responses=documented(
        UserAlreadyExists, Forbidden, NotFound, policy.CannotChangeSelf, PreconditionFailed, Unprocessable
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

    A new password, a deactivation or a demotion ends all log-ins of the account.
    """
    other = await _to_change(session, "updateUser", user, id, if_match)
    fields = body.model_dump(exclude_unset=True)
    policy.spare_yourself(
        user, other, deactivates=fields.get("is_active") is False or fields.get("is_superuser") is False
    )
    try:
        return tagged(response, await manager.change(other, fields))
    except exceptions.UserAlreadyExists:
        raise UserAlreadyExists from None


@users.delete(
    "/{id}",
    status_code=204,
    responses=documented(Forbidden, NotFound, OwnsUniverses, PreconditionFailed),
)
async def delete_user(id: UUID, user: CurrentUser, session: Session, manager: Manager, if_match: IfMatch) -> None:
    """Delete an account that owns no universes. For superusers."""
    other = await _to_change(session, "deleteUser", user, id, if_match)
    policy.spare_yourself(user, other, deactivates=True)
    try:
        await manager.user_db.delete(other)
    except IntegrityError:
        raise OwnsUniverses from None
