"""The current user: from a request's access token or cookie, checked against their session each time."""

from collections.abc import Collection
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, OAuth2PasswordBearer

from game.accounts import queries
from game.accounts.models import User
from game.accounts.tokens import COOKIE, Identity
from game.core.database import USER, Database, Session
from game.core.errors import Forbidden, Unauthorized
from game.core.strict_json import checked_before_body

_SHORT_BODY = 65_536
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

# For the OpenAPI document; the token is read by `AccessTokens.identify`.
_bearer = OAuth2PasswordBearer(
    tokenUrl="/auth/jwt/login", refreshUrl="/auth/jwt/refresh", scheme_name="Bearer", auto_error=False
)
_cookie = APIKeyCookie(name=COOKIE, scheme_name="Cookie", auto_error=False)


class CrossSite(Forbidden):
    """Pages of other sites may not send this request with your cookie."""

    code = "CROSS_SITE_REQUEST"


class Caller(NamedTuple):
    """A user and the session they are using."""

    user: User
    identity: Identity


def comes_from_our_page(request: Request) -> bool:
    """Whether a request comes from a page of this server, or from no page, by what its browser sends."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def is_cross_site(request: Request, allowed_origins: Collection[str]) -> bool:
    """Whether a browser sent a request from a page of another site, and not of an allowed origin."""
    return request.headers.get("origin") not in allowed_origins and not comes_from_our_page(request)


def refuse_cross_site(request: Request) -> None:
    """Check that a request comes from a page of this server or of an allowed origin.

    Raises:
        CrossSite: a browser sent it from another site.
    """
    if is_cross_site(request, request.app.state.settings.cors_origins):
        raise CrossSite


async def _check_before_body(request: Request) -> None:
    """Refuse a request without a valid token before its body is read.

    For a short body, only the token is checked, because `current_caller` checks the session right after.

    Raises:
        Unauthorized: see `current_caller`.
    """
    identity: Identity | None = request.app.state.tokens.identify(request.scope)
    if identity is None:
        raise Unauthorized
    USER.set(identity.user_id)
    if _has_long_body(request):
        database: Database = request.app.state.database
        async with database.session() as session:
            if await queries.user_of_session(session, identity) is None:
                raise Unauthorized


def _has_long_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return "transfer-encoding" in request.headers or not length.isdigit() or int(length) > _SHORT_BODY


@checked_before_body(_check_before_body)
async def current_caller(
    request: Request,
    session: Session,
    bearer: Annotated[str | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    """The current user and their session.

    Raises:
        Unauthorized: no valid token, or its session was ended, or the account deactivated.
        CrossSite: a write with a cookie, from a page of another site.
    """
    identity: Identity | None = request.app.state.tokens.identify(request.scope)
    if identity is None:
        raise Unauthorized
    if identity.by_cookie and request.method not in _SAFE_METHODS:
        refuse_cross_site(request)
    user = await queries.user_of_session(session, identity)
    if user is None:
        raise Unauthorized
    return Caller(user, identity)


async def current_user(caller: Annotated[Caller, Depends(current_caller)]) -> User:
    """The current user."""
    return caller.user


CurrentCaller = Annotated[Caller, Depends(current_caller)]
CurrentUser = Annotated[User, Depends(current_user)]
