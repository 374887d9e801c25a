"""Hot routes: documented and checked like any other, but answered by a coalesced statement.

A hot route serves only what is plainly right: a valid token, an ordinary request, a row that its caller may
read. Everything else (no token, an unknown id, unusual parameters) goes on to the plain endpoint of the same
route, which finds out what is wrong and says so. So errors cannot differ between the two.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import asyncpg
from starlette.types import Receive, Scope, Send

from game.core.coalescer import Coalescer, HotStatement, Question
from game.core.database import Database
from game.core.strict_json import StrictRoute
from game.core.versions import etag, matches

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class HotAnswer(NamedTuple):
    """The JSON text of an answer, and its version when it is one document."""

    body: bytes
    version: int | None = None


class HotRead(NamedTuple):
    """How a route is answered from its statement.

    `question` gives the statement's parameters behind session and user, or None for a request that the plain
    endpoint should look at. `render` makes the answer from the row.
    """

    statement: HotStatement
    question: Callable[[Scope], Question | None]
    render: Callable[[asyncpg.Record], HotAnswer]


def hot(read: HotRead) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint as hot. Stands beneath the router's decorator."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__hot__ = read  # type: ignore[attr-defined]
        return endpoint

    return mark


class HotReads:
    """The coalescers of one worker, one for each statement."""

    def __init__(self, database: Database, identify: Callable[[Scope], Any]) -> None:
        self._database = database
        self._identify = identify
        self._coalescers: dict[HotStatement, Coalescer] = {}

    async def read(self, read: HotRead, scope: Scope) -> HotAnswer | None:
        """The answer to a request; None when the plain endpoint should look at it."""
        identity = self._identify(scope)
        if identity is None:
            return None
        question = read.question(scope)
        if question is None:
            return None
        coalescer = self._coalescers.get(read.statement)
        if coalescer is None:
            coalescer = self._coalescers[read.statement] = Coalescer(read.statement, self._database.hot_pool)
        row = await coalescer.ask(identity.session_id, identity.user_id, *question)
        return None if row is None else read.render(row)


class HotRoute(StrictRoute):
    """A route whose endpoint may be marked as hot."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from the hot statement where that can be done, else from the endpoint."""
        read: HotRead | None = getattr(self.endpoint, "__hot__", None)
        if read is not None and scope["method"] == "GET":
            reads: HotReads | None = getattr(scope["app"].state, "hot", None)
            answer = await reads.read(read, scope) if reads else None
            if answer is not None:
                await _send(scope, send, answer)
                return
        await super().handle(scope, receive, send)


async def _send(scope: Scope, send: Send, answer: HotAnswer) -> None:
    headers = [(b"content-length", b"%d" % len(answer.body)), (b"content-type", b"application/json")]
    status, body = 200, answer.body
    if answer.version is not None:
        headers.append((b"etag", etag(answer.version).encode()))
        for name, value in scope["headers"]:
            if name == b"if-none-match" and matches(value.decode("latin-1"), answer.version):
                status, body, headers = 304, b"", headers[2:]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def path_id(scope: Scope, name: str) -> UUID | None:
    """The id in a request's path; None when it is not one, or when there is a query string too."""
    if scope["query_string"]:
        return None
    try:
        return UUID(scope["path_params"][name])
    except ValueError:
        return None
