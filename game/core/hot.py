"""Hot routes: documented and validated like any other, but answered by a coalesced statement.

A hot route answers only the plain case: a valid token, an ordinary request, a row that the caller may read.
Everything else (no token, an unknown id, unusual parameters) is passed on to the plain endpoint of the same route,
which reports the error. So errors cannot differ between the two.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import asyncpg
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from game.core.coalescer import Coalescer, HotStatement, Parameters, RowFuture
from game.core.errors import OutcomeUnknown
from game.core.versions import etag, matches

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class HotResponse(NamedTuple):
    """A response: JSON text, its version if it is one document (a hash if the version is secret), and its
    status."""

    body: bytes
    version: int | str | None = None
    status: int = 200


class HotRead(NamedTuple):
    """How a route's response is built from its statement.

    `parameters` returns the statement's parameters after session and user, or None if the plain endpoint is to
    handle the request. `render` builds the response from the row, or returns None for the same reason.
    """

    statement: HotStatement
    parameters: Callable[[Scope], Parameters | None]
    render: Callable[[asyncpg.Record], HotResponse | None]


class HotWrite(NamedTuple):
    """How a POST is carried out by one statement, which does either everything that the endpoint would do, or
    nothing.

    `parameters` returns the statement's parameters after session and user, from the request and its body. The last
    parameter, which is added to them, is whether listeners want the event. `written` returns the hint of what was
    written, or None; it is passed to the app's `state.announce` after the commit.
    """

    statement: HotStatement
    parameters: Callable[[Scope, bytes], Parameters | None]
    render: Callable[[asyncpg.Record], HotResponse]
    written: Callable[[asyncpg.Record], Any]


class HotWork(NamedTuple):
    """How a POST is carried out by several statements: some read what is needed, Python decides, and the last one
    writes, only if nothing has changed meanwhile.

    `parameters` is as for a HotWrite; the request may have an Idempotency-Key. `run` takes the app's state,
    session, user and the parameters. It returns the response and the hint of what was written (or None). If the
    endpoint is to handle the request, it returns None and has changed nothing. It raises OutcomeUnknown if it
    is cancelled after a write may have been sent.
    """

    parameters: Callable[[Scope, bytes], Parameters | None]
    run: Callable[..., Awaitable[tuple[HotResponse, Any] | None]]


def hot(read: HotRead | HotWrite | HotWork) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint as hot. Must be placed below the router's decorator."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__hot__ = read  # type: ignore[attr-defined]  # our mark
        return endpoint

    return mark


class PendingRead(NamedTuple):
    """A read whose statement has been sent."""

    template: str
    read: HotRead
    row: RowFuture


class HotEndpoints:
    """ASGI middleware that handles the hot routes of an app.

    `inner` is the app's own middleware and router, for everything else. The app's `state.hot` is the coalescer, or
    None if all requests are to be handled by the plain endpoints. The hint of a fast write is left in the scope as
    `written`, for callers in this process.
    """

    def __init__(
        self,
        app: FastAPI,
        inner: ASGIApp,
        identify: Callable[[Scope], Any],
        is_cross_site: Callable[[Scope], bool],
    ) -> None:
        self._inner = inner
        self._identify, self._is_cross_site = identify, is_cross_site
        self._state = app.state
        marked = [
            (str(route.path), found, route.methods or ())
            for route in iter_route_contexts(app.routes)
            if (found := getattr(route.endpoint, "__hot__", None))
        ]
        self._reads: dict[str, HotRead] = {path: found for path, found, methods in marked if "GET" in methods}
        self._writes: dict[str, HotWrite | HotWork] = {
            path: found for path, found, methods in marked if "POST" in methods
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request here if possible, otherwise in the app."""
        response = None
        if scope["type"] == "http" and scope["method"] == "GET":
            response = scope.pop("response", None)
            pending = None if response else scope.pop("pending_read", None) or self.start_read(scope)
            if pending is not None:
                await pending.row
                response = self.finish_read(scope, pending)
        elif scope["type"] == "http" and scope["method"] == "POST":
            # A read only waits for one statement, which has a time limit; this also waits for the client's body.
            async with asyncio.timeout(self._state.settings.request_timeout):
                response, receive = await self._write(scope, receive)
        if response is None:
            await self._inner(scope, receive, send)
        else:
            await send(response)

    def start_read(self, scope: Scope) -> PendingRead | None:
        """Send the statement of a GET; None if the plain endpoint is to handle it."""
        template = _template(scope)
        read = self._reads.get(template)
        coalescer: Coalescer | None = self._state.hot
        if read is None or coalescer is None:
            return None
        parameters = read.parameters(scope)
        identity = self._identify(scope)
        if parameters is None or identity is None:
            return None
        return PendingRead(
            template, read, coalescer.fetch(read.statement, identity.session_id, identity.user_id, *parameters)
        )

    def finish_read(self, scope: Scope, pending: PendingRead) -> Message | None:
        """The response from the row of the statement; None if the plain endpoint is to handle the request."""
        row = pending.row.result()
        if row is None:
            return None
        response = pending.read.render(row)
        if response is None:
            return None
        scope["template"] = pending.template
        return _message(scope, response)

    async def _write(self, scope: Scope, receive: Receive) -> tuple[Message | None, Receive]:
        """The response to a request or None, and a `receive` that yields the body again."""
        template = _template(scope)
        write = self._writes.get(template)
        writer: Coalescer | None = self._state.hot_writes
        if (
            write is None
            or writer is None
            or not _is_plain_json(scope, self._state.settings.max_body_size, with_key=isinstance(write, HotWork))
        ):
            return None, receive
        identity = self._identify(scope)
        if identity is None or (identity.by_cookie and self._is_cross_site(scope)):
            return None, receive
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        replayed = _replay(messages, receive)
        if messages[-1]["type"] != "http.request":
            return None, replayed
        parameters = write.parameters(scope, b"".join(message.get("body", b"") for message in messages))
        if parameters is None:
            return None, replayed
        done = await self._execute(write, writer, identity.session_id, identity.user_id, *parameters)
        if done is None:
            return None, replayed
        response, written = done
        if written is not None:
            self._state.announce([written])
            scope["written"] = written
        self._state.metrics.fast_edits.inc()
        scope["template"] = template
        return _message(scope, response), replayed

    async def _execute(
        self, write: HotWrite | HotWork, writer: Coalescer, *parameters: Any
    ) -> tuple[HotResponse, Any] | None:
        """Execute a write with its parameters; returns the response, and the hint of what was written."""
        if isinstance(write, HotWork):
            return await write.run(self._state, *parameters)
        try:
            row = await writer.fetch(write.statement, *parameters, self._state.live.has_listeners)
        except asyncio.CancelledError:
            # The time limit was reached, and the statement may have been sent.
            raise OutcomeUnknown from None
        return None if row is None else (write.render(row), write.written(row))


def _template(scope: Scope) -> str:
    """The route template that a path would have; its id, if any, is left in the scope."""
    path: str = scope["path"]
    found = _ID.search(path)
    if found is None:
        scope["path_params"] = {}
        return path.replace("{", "")  # a client may request "/maps/{id}", literally
    scope["path_params"] = {"id": found[0]}
    return f"{path[: found.start()]}{{id}}{path[found.end() :]}"


def _is_plain_json(scope: Scope, max_size: int, *, with_key: bool) -> bool:
    """Whether a request has a short JSON body, and no headers that need the plain endpoint."""
    is_json = short = False
    for name, value in scope["headers"]:
        if name in (b"if-none-match", b"expect", b"content-encoding") or (
            name == b"idempotency-key" and not with_key
        ):
            return False
        if name == b"content-type":
            is_json = value == b"application/json"
        elif name == b"content-length":
            short = value.isdigit() and len(value) < 6 and int(value) <= max_size
    return is_json and short and not scope["query_string"]


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """A `receive` that first returns messages that were already received."""
    waiting = iter(messages)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return again


def _message(scope: Scope, response: HotResponse) -> Message:
    """The start message of a response, with its body, and with its headers as lines, as the edge expects it."""
    body, version, status = response
    lines = b"content-length: %d\r\ncontent-type: application/json\r\n" % len(body)
    if version is not None:
        tag = b"etag: %s\r\n" % etag(version).encode()
        tags = b",".join([value for name, value in scope["headers"] if name == b"if-none-match"])
        if tags and matches(tags.decode("latin-1"), version):
            status, body, lines = 304, b"", tag
        else:
            lines += tag
    return {"type": "http.response.start", "status": status, "lines": lines, "body": body}


def if_match(scope: Scope) -> list[bytes]:
    """The If-Match headers of a request."""
    return [value for name, value in scope["headers"] if name == b"if-match"]


def path_id(scope: Scope, name: str) -> str | None:
    """The id in the path of a hot request; None if there is a query string."""
    return None if scope["query_string"] else scope["path_params"][name]
