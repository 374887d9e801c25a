"""Logging in, the same for the API and the admin: rate limits, sessions, the cookie."""

import hashlib
import ipaddress

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts import queries
from game.accounts.errors import BadCredentials
from game.accounts.manager import UserManager
from game.accounts.models import AuthSession, User, as_stored
from game.accounts.tokens import COOKIE
from game.core.limits import Limiter, Rate
from game.core.settings import Settings

_MAX_ADDRESS = 300
_MAX_PASSWORD = 1024


def client_address(request: Request) -> str:
    """The client that limits count a request for: an IPv4 address, or the /64 network of an IPv6 one."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:45]
    if address.version == 6 and address.ipv4_mapped:
        # A socket for both families writes IPv4 addresses so.
        return str(address.ipv4_mapped)
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return host


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
    rate: Rate = request.app.state.settings.limit_login
    email = as_stored(email[:_MAX_ADDRESS])
    client_key = f"login:{client_address(request)}"
    address_on_client_key = f"{client_key}:{address_key(email)}"
    # The client's own counter first: once it is refused, it adds no more rows for addresses.
    await limiter.count({client_key: rate.scaled(10)})
    await limiter.count({address_on_client_key: rate})
    user = await manager.log_in(email, password) if len(password) <= _MAX_PASSWORD else None
    if user is None:
        raise BadCredentials
    await limiter.refund([address_on_client_key, client_key])
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
