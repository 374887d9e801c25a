"""The edge of the app, outermost of all: what happens to every request and answer, hot or not, good or bad.

A request id, the host check, a deadline, security headers, compression, metrics and a line in the log.
"""

import asyncio
import gzip
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from itertools import count
from typing import Any
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from game.core.coalescer import Answer
from game.core.errors import (
    BadRequest,
    BodyTooLarge,
    FieldError,
    Problem,
    Unavailable,
    Unprocessable,
    problem_of,
    problem_response,
)
from game.core.hot import HotReads
from game.core.logs import RequestLog
from game.core.metrics import Metrics
from game.core.settings import Settings

GZIP_MINIMUM = 16_384
"""Bytes from which an answer is compressed: below, the processor time is worth more than the network's."""
_GZIP_LEVEL = 4
_LONGEST_UPLOAD_SECONDS = 120
_GZIP = re.compile(rb"(?:^|,)\s*gzip(?![\w-])(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
_GZIP_TYPES = (b"application/json", b"application/problem+json", b"text/", b"image/svg")
_WORKER = secrets.token_hex(4).encode()
_NUMBERS = count(secrets.randbits(32))
"""A request's id is its worker's and its number: as unlikely to come twice as a random one, and made at once."""

Whole = Callable[[int, bytes, bytes], bool]
WHOLE = "worldkeep.whole"
"""An extension of our server (`game.core.server`): called with the status, the lines of the head and the body of
an answer, it sends them in one piece and returns True; or it returns False, and did nothing."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d*)?")
_LOOPBACK = (b"localhost", b"127.0.0.1", b"[::1]")
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_PROBLEM_TYPE = (b"content-type", b"application/problem+json")
API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_CACHE_CONTROL = [(b"cache-control", b"private, no-cache"), (b"cache-control", b"no-store")]
_HSTS = (b"strict-transport-security", b"max-age=31536000")


class InvalidHost(BadRequest):
    """This server does not answer to that host name (WORLDKEEP_ALLOWED_HOSTS lists the ones that it does)."""

    code = "INVALID_HOST"


class Edge:
    """Wraps the whole app. `policies` gives pages under a path prefix a Content-Security-Policy of their own."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        metrics: Metrics,
        requests: RequestLog,
        policies: Callable[[str], bytes | None],
        hot: HotReads,
    ) -> None:
        self._app = app
        self._hot = hot
        self._metrics = metrics
        self._policies = policies
        self._log = requests
        self._any_host = "*" in settings.allowed_hosts
        # A page of another site cannot have these names; a health check on this machine has no other.
        self._hosts = {*_LOOPBACK, *(host.lower().encode() for host in settings.allowed_hosts)}
        proxies = settings.trusted_proxies
        self._proxies: Any = ProxyHeadersMiddleware(_nothing, proxies) if proxies else None
        self._suffixes = tuple(host[1:] for host in self._hosts if host.startswith(b"*."))
        self._headers = [*_HEADERS, *([_HSTS] if settings.is_production else [])]
        policy = (b"content-security-policy", API_POLICY)
        self.lines = [
            b"".join(b"%s: %s\r\n" % header for header in (*self._headers, policy, cache_control))
            for cache_control in _CACHE_CONTROL
        ]
        """What is in the head of every hot answer: of an ordinary one, and of a secret one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and dress its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Taken out: it knows the scope, and a circle would be left for the garbage collector at each request.
        whole = extensions.pop(WHOLE, None) if (extensions := scope.get("extensions")) else None
        await _Exchange(self, scope, receive, send, whole).run()

    def answer_soon(self, scope: Scope, whole: Whole, otherwise: Callable[[], None]) -> bool:
        """Begin to answer a hot read right where it was received: it needs no task to wait in.

        `otherwise` starts the task, for an answer that is not plainly right. False: nothing was begun.
        """
        if scope["method"] != "GET":
            return False
        try:
            exchange = _Exchange(self, scope, _nothing, _nothing, whole)
            asked = None if exchange.has_origin or exchange.problem() else self._hot.ask(scope)
        except Exception:
            # The task meets the same error, and knows what to say.
            return False
        if asked is None:
            return False

        def answer(_: Answer) -> None:
            sent = False
            scope["asked"] = asked
            # Again, an error is the task's.
            with suppress(Exception):
                message = scope["answer"] = self._hot.answer(scope, asked)
                sent = message is not None and exchange.send_whole(message)
            if sent:
                del scope["asked"], scope["answer"]
                exchange.finish()
            else:
                otherwise()

        asked.row.add_done_callback(answer)
        return True

    def note_client(self, scope: Scope) -> None:
        """Have the scope name the client that a trusted proxy speaks for."""
        if self._proxies is not None:
            # It writes into the scope and comes to its end without having waited for anything.
            with suppress(StopIteration):
                self._proxies(scope, _nothing, _nothing).send(None)

    @lru_cache(64)  # noqa: B019 - there is one edge
    def knows_host(self, host: bytes) -> bool:
        """Whether a Host header names this server."""
        match = _HOST.fullmatch(host.lower())
        if self._any_host or match is None:
            return self._any_host
        return match[1] in self._hosts or match[1].endswith(self._suffixes or (b"\0",))


async def _nothing(*_: Any) -> Any:
    """An app that does nothing, and a receiver or sender of nothing."""


class _Exchange:
    """One request and its answer."""

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send, whole: Whole | None) -> None:
        self.edge, self._receive, self._send, self._whole = edge, receive, send, whole
        self.started = scope.setdefault("started", time.perf_counter())
        edge.note_client(scope)
        self.status = 0
        self._held: Message | None = None
        self._replaced = False
        self.scope = scope
        fields = dict(scope["headers"])
        host = fields.get(b"host", b"")
        # Two of them could name this server to us and another to the app.
        if len(fields) < len(scope["headers"]) and sum(name == b"host" for name, _ in scope["headers"]) > 1:
            host = b"two hosts"
        request_id = fields.get(b"x-request-id")
        if request_id and not _REQUEST_ID.fullmatch(request_id):
            request_id = None
        self.has_origin = b"origin" in fields
        self._accepted = fields.get(b"accept-encoding", b"")
        self.request_id = request_id or b"%s%08x" % (_WORKER, next(_NUMBERS) & 0xFFFFFFFF)
        scope["request_id"] = self.request_id.decode()
        # Remembered are only names that could be one.
        self.knows_host = len(host) < 300 and edge.knows_host(host)
        if scope["method"] == "HEAD":
            # The server drops the body; what is left is the answer of a GET.
            self.scope = scope = {**scope, "method": "GET"}
        path = scope["path"]
        if path != "/" and path.endswith("/") and not path.startswith("/admin"):
            scope["path"] = path.rstrip("/") or "/"

    async def run(self) -> None:
        scope = self.scope
        try:
            if problem := self.problem():
                await self._refuse(problem)
            else:
                await self.edge._app(scope, self._receive, self.send)
        except TimeoutError:
            await self._refuse(Unavailable("This took too long."))
        except asyncio.CancelledError:
            # The server stops, and its time of grace is over; nobody waits for this task but the client.
            await self._refuse(Unavailable("The server stops."))
        except Exception as error:
            # The app has answered with a 500 already and passes the error on, for servers that log it. Ours did.
            if not self._has_begun():
                with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
                    await self._refuse(problem_of(error))
        finally:
            self.finish()

    def problem(self) -> Problem | None:
        """What is wrong with a request, whatever it is for."""
        if not self.knows_host:
            return InvalidHost()
        query = self.scope["query_string"]
        if query and (b"%00" in query or b"\0" in query):
            error = FieldError("query", "null_character", "A parameter may not contain U+0000.")
            return Unprocessable(errors=[error])
        return None

    def _has_begun(self) -> bool:
        """Whether a part of an answer is with the client."""
        return self.status != 0 and self._held is None

    async def _refuse(self, problem: Problem) -> None:
        if not self._has_begun():
            answer = problem_response(Request(self.scope), problem)
            await answer(self.scope, self._receive, self.send)

    async def send(self, message: Message) -> None:
        """Add what every answer carries; hold the start back until the first bytes say whether to compress."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if message["status"] == 413 and _PROBLEM_TYPE not in message["headers"]:
                # The framework's limit answers in plain text, past every handler of ours.
                await self._refuse(BodyTooLarge())
                self._replaced = True
                return
            if "lines" in message:
                # Headers besides the lines are those of a middleware between: CORS.
                more = message.get("headers", ())
                if not more and self.send_whole(message):
                    return
                lines = message.pop("lines").splitlines()
                message["headers"] = [*(tuple(line.split(b": ", 1)) for line in lines), *more]
            self.status = message["status"]
            self._dress(message)
            self._held = message
            if "body" not in message:
                return
            message = {"type": "http.response.body", "body": message.pop("body")}
        if self._held is not None:
            start, self._held = self._held, None
            body = message.get("body", b"")
            if len(body) >= GZIP_MINIMUM and not message.get("more_body"):
                message = await self._compress(start, message)
            await self._send(start)
        await self._send(message)

    def send_whole(self, message: Message) -> bool:
        """Send a hot answer, its start and body in one, where that can be done; it is dressed the same."""
        if self._whole is None or len(message["body"]) >= GZIP_MINIMUM:
            return False
        same = self.edge.lines[_is_secret(self.scope["path"])]
        head = b"%sx-request-id: %s\r\n%s" % (message["lines"], self.request_id, same)
        sent = self._whole(message["status"], head, message["body"])
        if sent:
            self.status = message["status"]
        return sent

    def _dress(self, message: Message) -> None:
        headers = list(message.get("headers", ()))
        names = {name for name, _ in headers}
        headers += [(b"x-request-id", self.request_id), *self.edge._headers]
        path = self.scope["path"]
        if b"content-security-policy" not in names:
            headers.append((b"content-security-policy", self.edge._policies(path) or API_POLICY))
        if b"cache-control" not in names:
            headers.append(_CACHE_CONTROL[_is_secret(path)])
        message["headers"] = headers

    async def _compress(self, start: Message, message: Message) -> Message:
        headers = dict(start["headers"])
        kind = headers.get(b"content-type", b"")
        if not kind.startswith(_GZIP_TYPES) or b"content-encoding" in headers:
            return message
        start["headers"].append((b"vary", b"Accept-Encoding"))
        if not _GZIP.search(self._accepted):
            return message
        # zlib lets go of the interpreter: in a thread, megabytes do not hold others up.
        body = await asyncio.to_thread(gzip.compress, message["body"], _GZIP_LEVEL, mtime=0)
        kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        length = (b"content-length", b"%d" % len(body))
        start["headers"] = [*kept, length, (b"content-encoding", b"gzip")]
        return {**message, "body": body}

    def finish(self) -> None:
        """Count and log the request."""
        seconds = time.perf_counter() - self.started
        scope = self.scope
        route = _template(scope)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        status = self.status or 499
        self.edge._metrics.count(method, route, status, seconds)
        client: Any = scope.get("client") or ("", 0)
        self.edge._log(
            method=method,
            # Quoted: what a client sends must not steer the terminal of who reads the log.
            path=scope["path"] if "template" in scope else quote(scope["path"][:200]),
            status=status,
            ms=round(seconds * 1000, 2),
            client=client[0],
            request_id=scope["request_id"],
        )


def _is_secret(path: str) -> bool:
    return path.startswith(("/auth", "/users"))


class Deadline:
    """Stands right around an app: ends a request that takes too long, and gives its lines in the log its id.

    Time starts anew when a part of a body comes or goes, and when the app says that something came of its work
    (`scope["go_on"]`).

    Raises:
        TimeoutError: the time is over.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time
        started = now()

        def go_on() -> None:
            deadline.reschedule(now() + self._seconds)

        async def receive_in_time() -> Message:
            # Time runs while nothing comes: a slow line is no reason to give up.
            message = await receive()
            if message["type"] == "http.request" and now() - started < _LONGEST_UPLOAD_SECONDS:
                go_on()
            return message

        async def send_in_time(message: Message) -> None:
            await send(message)
            if message.get("more_body"):
                go_on()

        scope["go_on"] = go_on
        with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
            async with asyncio.timeout(self._seconds) as deadline:
                await self._app(scope, receive_in_time, send_in_time)


def _template(scope: Scope) -> str:
    """The route template of a request; unknown paths share one, so that a scanner cannot fill the memory."""
    if "template" in scope:
        return str(scope["template"])
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "admin" if scope["path"].startswith("/admin") else "unknown"
    context = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path", None) or path)
