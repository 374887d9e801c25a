"""Calls of the API within this process: pages for files, history and backgrounds follow its rules.

A call passes the API's routes, permissions, limits and error handling as the user of the page's request, so that a
page cannot do more than a client could.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from game.core.errors import BodyTooLarge, FieldError, Problem

_PASSED_ON = (b"cookie", b"host", b"origin", b"sec-fetch-site", b"user-agent")
_BODY_HEADERS = (b"content-type", b"content-length")
_ROUTING = ("router", "route", "endpoint", "starlette.exception_handlers")
"""The keys that routing has added to the scope of a page's request."""


class ApiResponse(NamedTuple):
    """A successful response of the API."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)


class Refused(Problem):
    """The API refused the call; status, message and errors are those of its response."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        errors = [FieldError(**error) for error in body.get("errors") or ()]
        super().__init__(str(body.get("detail") or "The server refused this."), errors=errors)
        self.status_code = status
        self.answer = body


async def call(
    request: Request,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    forward_body: bool = False,
) -> ApiResponse:
    """Call the API as the user of a page's request; `forward_body` sends the body of that request, unread.

    Raises:
        Refused: the response is an error.
        BodyTooLarge: the forwarded body is larger than the route takes.
    """
    body = b"" if json is None else orjson.dumps(json)
    names = (*_PASSED_ON, *(_BODY_HEADERS if forward_body else ()))
    sent = [pair for pair in request.scope["headers"] if pair[0] in names]
    sent += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    if body:
        sent += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    app: Any = request.app.state.admin.app
    scope: Scope = {
        **{name: value for name, value in request.scope.items() if name not in _ROUTING},
        "app": app,
        "path_params": {},
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query or {}).encode(),
        "headers": sent,
        "extensions": {},
    }
    status, fields, parts = 0, [], []

    async def send(message: Message) -> None:
        nonlocal status, fields
        if message["type"] == "http.response.start":
            status, fields = message["status"], message["headers"]
        else:
            parts.append(message.get("body", b""))

    try:
        await app.state.api(scope, request.receive if forward_body else _receiver(request, body), send)
    except HTTPException as error:
        # The framework's limit of bodies, which the page's request shares with the call.
        if error.status_code != BodyTooLarge.status:
            raise
        raise BodyTooLarge from None
    response = ApiResponse(status, {name.decode(): value.decode() for name, value in fields}, b"".join(parts))
    if status < 400:
        return response
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        raise BodyTooLarge
    raise Refused(status, response.json())


def _receiver(request: Request, body: bytes) -> Receive:
    """Yields a body, then the messages of the page's client: its disconnect."""
    is_sent = False

    async def receive() -> Message:
        nonlocal is_sent
        if is_sent:
            return await request.receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
