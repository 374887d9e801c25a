"""Logging in, the same for the API and the admin: within the limits, and as a session that can be ended."""

import hashlib
import ipaddress

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts import queries
from game.accounts.manager import UserManager
from game.accounts.models import AuthSession, User, as_stored
from game.accounts.tokens import COOKIE
from game.core.errors import BadRequest
from game.core.limits import Limiter, Rate
from game.core.settings import Settings

_LONGEST_ADDRESS = 300
_LONGEST_PASSWORD = 1024


class BadCredentials(BadRequest):
    """The e-mail address or the password is wrong."""

    code = "LOGIN_BAD_CREDENTIALS"


def client_address(request: Request) -> str:
    """Where a request comes from, for limits: an IPv4 address, or the /64 network of an IPv6 one."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:45]
    if address.version == 6 and address.ipv4_mapped:
        # How a socket for both families writes an IPv4 address.
        return str(address.ipv4_mapped)
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return host


def address_key(email: str) -> str:
    """An e-mail address as a part of a limit's key: short, and not to be read."""
    return hashlib.sha256(email.lower().encode()).hexdigest()[:32]


def ten_times(rate: Rate) -> Rate:
    """What a client gets for all addresses together, when this is for one."""
    return rate._replace(times=rate.times * 10)


async def log_in(request: Request, manager: UserManager, email: str, password: str) -> User:
    """The user with this address and password, held, within the limits.

    Raises:
        BadCredentials: there is none, or the account is not active.
        TooManyRequests: there were too many attempts.
    """
    limiter: Limiter = request.app.state.limiter
    rate: Rate = request.app.state.settings.limit_login
    email = as_stored(email[:_LONGEST_ADDRESS])
    every = f"login:{client_address(request)}"
    one = f"{every}:{address_key(email)}"
    # First of all its addresses together: who is stopped there leaves no more counters behind.
    await limiter.count({every: ten_times(rate)})
    await limiter.count({one: rate})
    user = await manager.log_in(email, password) if len(password) <= _LONGEST_PASSWORD else None
    if user is None:
        raise BadCredentials
    await limiter.give_back([one, every])
    return user


async def start_session(request: Request, session: AsyncSession, user: User) -> tuple[AuthSession, str]:
    """A new session of a held user, and its refresh token."""
    return await queries.start_session(
        session,
        request.app.state.refresh_tokens,
        user.id,
        request.app.state.settings.session_days,
        user_agent=request.headers.get("user-agent", ""),
        ip_address=request.client.host if request.client else "",
    )


def set_cookie(request: Request, response: Response, row: AuthSession) -> None:
    """Give a browser its session: in a cookie that scripts cannot read and other sites cannot use."""
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
    """Make a browser forget its session."""
    secure = request.app.state.settings.is_production
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
