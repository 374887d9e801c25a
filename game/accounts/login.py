"""Logging in, the same for the API and the admin: rate limits, sessions, the cookie."""

import hashlib

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts import queries
from game.accounts.errors import BadCredentials
from game.accounts.manager import UserManager
from game.accounts.models import AuthSession, User, as_stored
from game.accounts.tokens import COOKIE
from game.core.limits import Limiter, client_limits
from game.core.settings import Settings

_MAX_ADDRESS = 300
_MAX_PASSWORD = 1024


def address_key(email: str) -> str:
    """A hash of an e-mail address for the key of a limit: short, and it does not reveal the address."""
    return hashlib.sha256(email.lower().encode()).hexdigest()[:32]


async def log_in(request: Request, manager: UserManager, email: str, password: str) -> User:
    """Check an address and a password, counting failures per client and per address; returns the locked user.

    Raises:
        BadCredentials: no active account has this address and password.
        TooManyRequests: the client has failed too often.
    """
    limiter: Limiter = request.app.state.limiter
    rate = request.app.state.settings.limit_login
    email = as_stored(email[:_MAX_ADDRESS])
    all_addresses = client_limits(request, "login", rate.scaled(10))
    this_address = client_limits(request, "login", rate, of=address_key(email))
    # The client's own counter first, so that a blocked client does not add rows for more addresses.
    async with limiter.guess(all_addresses), limiter.guess(this_address):
        user = await manager.log_in(email, password) if len(password) <= _MAX_PASSWORD else None
        if user is None:
            raise BadCredentials
    return user


async def start_session(request: Request, session: AsyncSession, user: User) -> tuple[AuthSession, str]:
    """Create a session for a locked user; returns it and its refresh token."""
    return await queries.start_session(
        session,
        request.app.state.refresh_tokens,
        user.id,
        request.app.state.settings.session_days,
        user_agent=request.headers.get("user-agent", ""),
        ip_address=request.client.host if request.client else "",
    )


def set_cookie(request: Request, response: Response, row: AuthSession) -> None:
    """Set the session cookie: scripts cannot read it, and browsers send it for this site only."""
    settings: Settings = request.app.state.settings
    lifetime = settings.session_days * 86_400
    response.set_cookie(
        COOKIE,
        request.app.state.tokens.sign(row.user_id, row.id, lifetime),
        max_age=lifetime,
        httponly=True,
        samesite="strict",
        secure=settings.is_production,
    )


def delete_cookie(request: Request, response: Response) -> None:
    """Delete the session cookie."""
    secure = request.app.state.settings.is_production
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
