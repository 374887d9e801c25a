"""Logging in to the back office, with the accounts and sessions of the API."""

from typing import Any

from fastapi import Request, Response
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from admin.scope import PERSON
from game.accounts import login, queries
from game.accounts.manager import UserManager
from game.accounts.models import User
from game.accounts.tokens import Identity
from game.core.database import USER, Database
from game.universes import access

BASE = "/admin"
LOGIN = f"{BASE}/login"
LOGOUT = f"{BASE}/logout"


async def user_of(request: Request) -> User | None:
    """The user whose session cookie a request carries; None without a valid session."""
    identity: Identity | None = request.app.state.tokens.identify(request.scope)
    if identity is None or not identity.by_cookie:
        return None
    USER.set(identity.user_id)
    async with _sessions(request) as session:
        return await queries.user_of_session(session, identity)


async def is_only_player(request: Request, user: User) -> bool:
    """Whether a user is only a player in other people's universes."""
    async with _sessions(request) as session:
        return await access.is_only_player(session, user)


def _sessions(request: Request) -> AsyncSession:
    database: Database = request.app.state.database
    return database.session()


class AdminAuth(AuthenticationBackend):
    """SQLAdmin's authentication, on the accounts and sessions of the API."""

    def __init__(self) -> None:
        # SQLAdmin's own middleware would add a session cookie that the server cannot revoke.
        self.middlewares = []

    async def authenticate(self, request: Request) -> bool:
        """Whether a user is logged in; `admin.guard` has already checked it."""
        return PERSON.get() is not None

    async def get_user_id(self, request: Request) -> Any:
        """The id of the user who is logged in; None without one."""
        user = PERSON.get()
        return user and user.id

    async def login(self, request: Request, form: FormData | None = None) -> Response:
        """Log in with the form's e-mail address and password.

        Raises:
            BadCredentials: one of them is wrong.
            TooManyRequests: there were too many attempts.
        """
        form = form or FormData()
        email, password = (str(form.get(name, "")) for name in ("username", "password"))
        async with _sessions(request) as session:
            manager = UserManager(session, request.app.state.secret)
            user = await login.log_in(request, manager, email, password)
            row, _ = await login.start_session(request, session, user)
            await session.commit()
        response = RedirectResponse(_local(str(form.get("next", ""))), 303)
        login.set_cookie(request, response, row)
        return response

    async def logout(self, request: Request) -> Response:
        """End the session and delete its cookie."""
        identity: Identity | None = request.app.state.tokens.identify(request.scope)
        if identity is not None:
            async with _sessions(request) as session:
                await queries.end_session(session, identity.user_id, identity.session_id)
                await session.commit()
        response = RedirectResponse(LOGIN, 303)
        login.delete_cookie(request, response)
        return response


def _local(path: str) -> str:
    """The path to continue at after the log-in: one of the back office, otherwise its start page."""
    return path if path.startswith(f"{BASE}/") and "\\" not in path and path.isprintable() else f"{BASE}/"
