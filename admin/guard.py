"""Access to the back office: authentication, protection against cross-site requests, and error pages.

It wraps every route, so that a new route is protected without further code.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.auth import BASE, LOGIN, LOGOUT, is_only_player, user_of
from admin.scope import PERSON
from game.accounts.current import CrossSite, comes_from_our_page
from game.core.errors import (
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unauthorized,
    Unprocessable,
    problem_of,
)

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page below BASE: nothing inline, nothing from other sites."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_PUBLIC = (f"{BASE}/statics/",)


def csp_of(path: str) -> bytes | None:
    """The Content-Security-Policy of a page of the back office; None for any other path."""
    return POLICY if path == BASE or path.startswith(f"{BASE}/") else None


def problem_for(error: Exception) -> Problem:
    """The problem that an error page shows for an exception, without texts of SQLAdmin or Starlette."""
    if isinstance(error, Problem) or not isinstance(error, HTTPException):
        return problem_of(error)
    match error.status_code:
        case 400:
            return Unprocessable("The URL or the form of this page is not valid.")
        case 403 | 404:
            # SQLAdmin's 403 would reveal that the row exists.
            return NotFound("This page does not exist, or you have no access to it.")
        case 405:
            return MethodNotAllowed("This URL does not support that request.", headers=error.headers)
        case status:
            problem = Problem(f"{HTTPStatus(status).phrase}.")
            problem.status_code = status
            return problem


class ForGameMasters(Forbidden):
    """The back office is for game masters. You are a player in other people's universes."""

    code = "FOR_GAME_MASTERS"


class Guard:
    """ASGI middleware: sets PERSON for the duration of a request, and renders errors as pages."""

    def __init__(self, app: ASGIApp, site: Any) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an authenticated request on; answer any other with a redirect or an error page."""
        if scope["type"] != "http" or scope["path"].startswith(_PUBLIC):
            await self._app(scope, receive, send)
            return
        response_started = False

        async def watch(message: Message) -> None:
            nonlocal response_started
            response_started = True
            await send(message)

        request = Request(scope, receive)
        token = PERSON.set(None)
        try:
            redirect = await self._check(request)
            await (redirect or self._app)(scope, receive, watch)
        except Exception as error:
            if response_started:
                raise
            page = await self._site.error_page(request, problem_for(error))
            await page(scope, receive, send)
        finally:
            PERSON.reset(token)

    async def _check(self, request: Request) -> Response | None:
        """Set PERSON; returns a redirect to the log-in page if a page was requested without a valid session.

        Raises:
            CrossSite: another site's page sent the request.
            Unauthorized: a write without a valid session.
        """
        if request.method not in _SAFE_METHODS and not comes_from_our_page(request):
            raise CrossSite("A page of another site sent this request. It was refused.")
        user = await user_of(request)
        if user is not None and request.url.path not in (LOGIN, LOGOUT) and await is_only_player(request, user):
            raise ForGameMasters
        PERSON.set(user)
        if user is not None or request.url.path == LOGIN:
            return None
        if request.method not in _SAFE_METHODS:
            raise Unauthorized("You are logged out. Log in again, then go back and send the form once more.")
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{LOGIN}?next={quote(request.url.path + query, safe='')}", 303)
