"""Logging in and out, by token and by cookie; refreshing tokens."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from game.accounts import login, queries
from game.accounts.current import CurrentCaller, refuse_cross_site
from game.accounts.dependencies import Credentials, Manager
from game.accounts.errors import BadCredentials, SpentRefreshToken
from game.accounts.models import AuthSession, RefreshToken, TokenPair
from game.accounts.tokens import RefreshTokens
from game.core.database import Session
from game.core.errors import Forbidden, TooManyRequests, Unauthorized, Unprocessable, documented
from game.core.strict_json import StrictRoute

router = APIRouter(prefix="/auth", tags=["Accounts"], route_class=StrictRoute)

_LOGIN_FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "example": {"username": "mira@example.com", "password": "correct horse battery"}
            }
        }
    }
}


def _token_pair(request: Request, row: AuthSession, refresh_token: str) -> TokenPair:
    lifetime = request.app.state.settings.access_token_minutes * 60
    # From when the session was created or refreshed, so that a refresh that is repeated gets the same pair.
    issued = row.last_used_at.timestamp()
    access = request.app.state.tokens.sign(row.user_id, row.id, lifetime, issued)
    passed = int(max(datetime.now(UTC).timestamp() - issued, 0))
    return TokenPair(access_token=access, refresh_token=refresh_token, expires_in=lifetime - passed)


@router.post(
    "/jwt/login",
    response_model=TokenPair,
    responses=documented(BadCredentials, Unprocessable, TooManyRequests),
    openapi_extra=_LOGIN_FORM,
)
async def log_in(request: Request, session: Session, manager: Manager, form: Credentials) -> TokenPair:
    """Log in, for games and scripts.

    Send the access token as `Authorization: Bearer ...`. It is valid for `expires_in` seconds; get a new one with
    the refresh token.
    """
    user = await login.log_in(request, manager, form.username, form.password)
    return _token_pair(request, *await login.start_session(request, session, user))


@router.post("/jwt/refresh", response_model=TokenPair, responses=documented(Unauthorized, Unprocessable))
async def refresh_tokens(request: Request, session: Session, body: RefreshToken) -> TokenPair:
    """Get a new pair of tokens.

    A refresh token can be used once. If it is sent again within 10 seconds, the response is the same pair, because
    two browser tabs may refresh at once. If it is sent again later, the session ends, because the token may have
    been stolen.
    """
    tokens: RefreshTokens = request.app.state.refresh_tokens
    session_id, token_hash = tokens.read(body.refresh_token) or (None, b"")
    row = await queries.lock_session(session, session_id) if session_id else None
    if row is None:
        raise Unauthorized("Log in again: this session has ended.")
    days = request.app.state.settings.session_days
    try:
        token = queries.rotate_refresh_token(row, tokens, body.refresh_token, token_hash, days)
    except SpentRefreshToken:
        await queries.end_session(session, row.user_id, row.id)
        raise
    return _token_pair(request, row, token)


@router.post("/jwt/logout", status_code=204, responses=documented(Unauthorized))
async def log_out(caller: CurrentCaller, session: Session) -> None:
    """Log out: the access token and its refresh token stop working at once."""
    await queries.end_session(session, caller.user.id, caller.identity.session_id)


@router.post(
    "/cookie/login",
    status_code=204,
    responses=documented(BadCredentials, Forbidden, Unprocessable, TooManyRequests),
    openapi_extra=_LOGIN_FORM,
)
async def log_in_with_cookie(request: Request, session: Session, manager: Manager, form: Credentials) -> Response:
    """Log in, for pages of this site. Sets a cookie that scripts cannot read and other sites cannot use."""
    refuse_cross_site(request)
    user = await login.log_in(request, manager, form.username, form.password)
    row, _ = await login.start_session(request, session, user)
    response = Response(status_code=204)
    login.set_cookie(request, response, row)
    return response


@router.post("/cookie/logout", status_code=204, responses=documented(Unauthorized, Forbidden))
async def log_out_with_cookie(request: Request, caller: CurrentCaller, session: Session) -> Response:
    """Log out, and delete the cookie."""
    await queries.end_session(session, caller.user.id, caller.identity.session_id)
    response = Response(status_code=204)
    login.delete_cookie(request, response)
    return response
