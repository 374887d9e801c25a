"""The door of the admin: who comes in, what other sites may not do, and how it says no.

Stands around every route, so that a new one is closed before anybody thinks of it.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.scope import PERSON
from game.accounts import login, queries
from game.accounts.current import CrossSite, comes_from_our_page
from game.accounts.manager import UserManager
from game.accounts.models import User
from game.accounts.tokens import Identity
from game.core.database import Database
from game.core.errors import (
    MethodNotAllowed,
    NotFound,
    Problem,
    Unauthorized,
    Unprocessable,
    problem_of,
)

BASE = "/admin"
LOGIN = f"{BASE}/login"
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page below BASE: nothing inline, nothing of another site."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_PUBLIC = (f"{BASE}/statics/",)


def policy_of(path: str) -> bytes | None:
    """The Content-Security-Policy of a path; None for one that is not the admin's."""
    return POLICY if path == BASE or path.startswith(f"{BASE}/") else None


def problem_for(error: Exception) -> Problem:
    """What an exception means for the person at the screen; never its own words, unless they are ours."""
    if isinstance(error, Problem) or not isinstance(error, HTTPException):
        return problem_of(error)
    match error.status_code:
        case 400:
            return Unprocessable("Something in the address or the form of this page cannot be understood.")
        case 403 | 404:
            # SQLAdmin's 403 would tell that there is something.
            return NotFound("There is nothing here, or it is not yours to see.")
        case 405:
            return MethodNotAllowed("This address is not for that.", headers=error.headers)
        case status:
            problem = Problem(f"{HTTPStatus(status).phrase}.")
            problem.status_code = status
            return problem


class Guard:
    """ASGI middleware: sets PERSON for a request and takes it back; answers errors as pages."""

    def __init__(self, app: ASGIApp, site: Any) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        if scope["type"] != "http" or scope["path"].startswith(_PUBLIC):
            await self._app(scope, receive, send)
            return
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        request = Request(scope, receive)
        token = PERSON.set(None)
        try:
            answer = await self._refusal(request)
            await (answer or self._app)(scope, receive, watch)
        except Exception as error:
            if begun:
                raise
            answer = await self._site.error_page(request, problem_for(error))
            await answer(scope, receive, send)
        finally:
            PERSON.reset(token)

    async def _refusal(self, request: Request) -> Response | None:
        """Who may not go on is told here; of who may, the context knows from now on."""
        if request.method not in _SAFE and not comes_from_our_page(request):
            raise CrossSite("Another site's page may not do this in your name.")
        user = await user_of(request)
        PERSON.set(user)
        if user is not None or request.url.path == LOGIN:
            return None
        if request.method not in _SAFE:
            raise Unauthorized("You are logged out. Log in again; then go back and send this once more.")
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{LOGIN}?next={quote(request.url.path + query, safe='')}", 303)


async def user_of(request: Request) -> User | None:
    """Who is logged in with the cookie of a request; None when nobody is, or not any more."""
    identity: Identity | None = request.app.state.tokens.identify(request.scope)
    if identity is None or not identity.by_cookie:
        return None
    async with _sessions(request) as session:
        return await queries.user_of_session(session, identity)


def _sessions(request: Request) -> AsyncSession:
    database: Database = request.app.state.database
    return database.session()


class Door(AuthenticationBackend):
    """SQLAdmin's log-in, by the accounts and sessions of the API."""

    def __init__(self) -> None:
        # SQLAdmin's own would bring a session cookie of its own, which nobody can end.
        self.middlewares = []

    async def authenticate(self, request: Request) -> bool:
        """Whether somebody is logged in; the guard has looked already."""
        return PERSON.get() is not None

    async def get_user_id(self, request: Request) -> Any:
        """Who is logged in."""
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
        """End the session, and forget the cookie."""
        identity: Identity | None = request.app.state.tokens.identify(request.scope)
        if identity is not None:
            async with _sessions(request) as session:
                await queries.end_session(session, identity.user_id, identity.session_id)
                await session.commit()
        response = RedirectResponse(LOGIN, 303)
        login.delete_cookie(request, response)
        return response


def _local(path: str) -> str:
    """A path of the admin to go on to; anything else leads to its start."""
    return path if path.startswith(f"{BASE}/") and "\\" not in path and path.isprintable() else f"{BASE}/"
