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

from game.core.coalescer import Answer, Coalescer, HotStatement, Question
from game.core.errors import OutcomeUnknown
from game.core.versions import etag, matches

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class HotAnswer(NamedTuple):
    """An answer: JSON text, its version if it is one document (a hash if the version is secret), and its
    status."""

    body: bytes
    version: int | str | None = None
    status: int = 200


class HotRead(NamedTuple):
    """How a route is answered from its statement.

    `question` returns the statement's parameters after session and user, or None if the plain endpoint is to
    handle the request. `render` builds the answer from the row, or returns None for the same reason.
    """

    statement: HotStatement
    question: Callable[[Scope], Question | None]
    render: Callable[[asyncpg.Record], HotAnswer | None]


class HotWrite(NamedTuple):
    """How a POST is carried out by one statement, which does either everything that the endpoint would do, or
    nothing.

    `question` returns the statement's parameters after session and user, from the request and its body. `written`
    returns the id of the universe that the statement wrote to, or None; it is passed to the app's `state.announce`
    after the commit.
    """

    statement: HotStatement
    question: Callable[[Scope, bytes], Question | None]
    render: Callable[[asyncpg.Record], HotAnswer]
    written: Callable[[asyncpg.Record], Any]


class HotWork(NamedTuple):
    """How a POST is carried out by several statements: some read what is needed, Python decides, and the last one
    writes, only if nothing has changed meanwhile.

    `question` is as for a HotWrite; the request may have an Idempotency-Key. `run` takes the app's state, session,
    user and the question. It returns the answer and the universe that was written to (or None). If the endpoint is
    to handle the request, it returns None and has changed nothing. It raises OutcomeUnknown if it is cancelled
    after a write may have been sent.
    """

    question: Callable[[Scope, bytes], Question | None]
    run: Callable[..., Awaitable[tuple[HotAnswer, Any] | None]]


def hot(read: HotRead | HotWrite | HotWork) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint as hot. Must be placed below the router's decorator."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__hot__ = read  # type: ignore[attr-defined]  # our mark
        return endpoint

    return mark


class Asked(NamedTuple):
    """A read whose statement has been sent."""

    template: str
    read: HotRead
    row: Answer


class HotEndpoints:
    """ASGI middleware that answers the hot routes of an app.

    `inner` is the app's own middleware and router, for everything else. The app's `state.hot` is the coalescer, or
    None if all requests are to be handled by the plain endpoints.
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
        """Answer a request here if possible, otherwise in the app."""
        answer = None
        if scope["type"] == "http" and scope["method"] == "GET":
            answer = scope.pop("answer", None)
            asked = None if answer else scope.pop("asked", None) or self.ask(scope)
            if asked is not None:
                await asked.row
                answer = self.answer(scope, asked)
        elif scope["type"] == "http" and scope["method"] == "POST":
            # A read only waits for one statement, which has a time limit; this also waits for the client's body.
            async with asyncio.timeout(self._state.settings.request_timeout):
                answer, receive = await self._write(scope, receive)
        if answer is None:
            await self._inner(scope, receive, send)
        else:
            await send(answer)

    def ask(self, scope: Scope) -> Asked | None:
        """Send the statement of a GET; None if the plain endpoint is to handle it."""
        template = _template(scope)
        read = self._reads.get(template)
        coalescer: Coalescer | None = self._state.hot
        if read is None or coalescer is None:
            return None
        question = read.question(scope)
        identity = self._identify(scope)
        if question is None or identity is None:
            return None
        return Asked(
            template, read, coalescer.ask(read.statement, identity.session_id, identity.user_id, *question)
        )

    def answer(self, scope: Scope, asked: Asked) -> Message | None:
        """The answer from the row of the statement; None if the plain endpoint is to handle the request."""
        row = asked.row.result()
        if row is None:
            return None
        answer = asked.read.render(row)
        if answer is None:
            return None
        scope["template"] = asked.template
        return _message(scope, answer)

    async def _write(self, scope: Scope, receive: Receive) -> tuple[Message | None, Receive]:
        """The answer to a request or None, and a `receive` that yields the body again."""
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
        question = write.question(scope, b"".join(message.get("body", b"") for message in messages))
        if question is None:
            return None, replayed
        done = await self._carry_out(write, writer, identity.session_id, identity.user_id, *question)
        if done is None:
            return None, replayed
        answer, written = done
        if written is not None:
            self._state.announce([written])
        self._state.metrics.fast_edits.inc()
        scope["template"] = template
        return _message(scope, answer), replayed

    async def _carry_out(
        self, write: HotWrite | HotWork, writer: Coalescer, *question: Any
    ) -> tuple[HotAnswer, Any] | None:
        """The answer to a question with session and user, and the universe that was written to."""
        if isinstance(write, HotWork):
            return await write.run(self._state, *question)
        try:
            row = await writer.ask(write.statement, *question)
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
        return path.replace("{", "")  # somebody may ask for "/maps/{id}", literally
    scope["path_params"] = {"id": found[0]}
    return f"{path[: found.start()]}{{id}}{path[found.end() :]}"


def _is_plain_json(scope: Scope, most: int, *, with_key: bool) -> bool:
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
            short = value.isdigit() and len(value) < 6 and int(value) <= most
    return is_json and short and not scope["query_string"]


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """A `receive` that first returns messages that were already received."""
    waiting = iter(messages)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return again


def _message(scope: Scope, answer: HotAnswer) -> Message:
    """The start message of an answer, with its body, and with its headers as lines, as the edge expects it."""
    body, version, status = answer
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
