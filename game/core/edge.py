"""The outermost layer of the app, which every request and response passes through, hot or not. Each step has its
own module: `request_ids`, `hosts`, `deadline`, `headers`, `compression`, `metrics`, `logs`.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import orjson
import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from game.core.coalescer import RowFuture
from game.core.compression import GZIP_MINIMUM, Compression
from game.core.errors import (
    BodyTooLarge,
    FieldError,
    NotFound,
    Problem,
    Unavailable,
    Unprocessable,
    problem_document,
    problem_of,
    problem_response,
)
from game.core.headers import Headers
from game.core.hosts import Hosts, InvalidHost, Proxies
from game.core.hot import HotEndpoints
from game.core.logs import RequestLog
from game.core.metrics import Metrics
from game.core.request_ids import request_id
from game.core.sockets import SERVE

SendWhole = Callable[[int, bytes, bytes], bool]
SEND_WHOLE = "worldkeep.send_whole"
"""An extension of our server (`game.core.server`): called with the status, the header lines and the body of a
response, it sends them in one write and returns True, or returns False and has done nothing."""
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_PROBLEM_TYPE = (b"content-type", b"application/problem+json")


class Edge:
    """Wraps the whole app."""

    def __init__(
        self,
        app: ASGIApp,
        hot: HotEndpoints,
        *,
        hosts: Hosts,
        proxies: Proxies,
        headers: Headers,
        metrics: Metrics,
        log: RequestLog,
    ) -> None:
        self.app, self._hot = app, hot
        self.hosts, self.proxies, self.headers = hosts, proxies, headers
        self.metrics, self.log = metrics, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the common headers to its response."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Removed, because it refers to the scope: each request would leave a cycle for the garbage collector.
        send_whole = extensions.pop(SEND_WHOLE, None) if (extensions := scope.get("extensions")) else None
        await _Exchange(self, scope, receive, send, send_whole).run()

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a WebSocket on; it is counted when it is accepted or refused, and logged when it ends."""
        started = time.perf_counter()
        fields = dict(scope["headers"])
        self.proxies.set_client(scope)
        scope["request_id"] = request_id(fields.get(b"x-request-id")).decode()
        scope["path"] = scope["path"].rstrip("/") or "/"
        status = 0

        def begun(as_status: int) -> None:
            nonlocal status
            status = as_status
            self.metrics.count("GET", _template(scope), status, time.perf_counter() - started)

        async def refuse(problem: Problem) -> None:
            begun(problem.status)
            body = orjson.dumps(problem_document(problem, scope["request_id"]))
            start = {"status": problem.status, "headers": [_PROBLEM_TYPE]}
            await send({"type": "websocket.http.response.start", **start})
            await send({"type": "websocket.http.response.body", "body": body})

        async def watched(message: Message) -> None:
            if status:
                await send(message)
            elif message["type"] == "websocket.accept":
                begun(101)
                await send(message)
            else:
                # The framework closes sockets of unknown paths.
                await refuse(NotFound("There is no WebSocket at this path."))

        try:
            if self.hosts.allows(scope["headers"], fields):
                await self.app(scope, receive, watched)
                if serve := scope.get("extensions", {}).pop(SERVE, None):
                    await serve()
            else:
                await refuse(InvalidHost())
        finally:
            self.log_end(scope, "GET", status or 499, time.perf_counter() - started)

    def log_end(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        """Log a request, or a socket, that has ended."""
        client: Any = scope.get("client") or ("", 0)
        # Quoted, so that clients cannot send control characters to the terminal of a person who reads the log.
        path = scope["path"] if "template" in scope else quote(scope["path"][:200])
        self.log(method, path, status, seconds * 1000, client[0], scope["request_id"])

    def answer_without_task(self, scope: Scope, send_whole: SendWhole, start_task: Callable[[], None]) -> bool:
        """Start a hot read without a task. If the plain endpoint has to handle it, `start_task` is called. Returns
        False if it is not a hot read.
        """
        if scope["method"] != "GET":
            return False
        try:
            exchange = _Exchange(self, scope, _nothing, _nothing, send_whole)
            pending = None if exchange.has_origin or exchange.problem() else self._hot.start_read(scope)
        except Exception:
            # The task encounters the same error, and reports it.
            return False
        if pending is None:
            return False

        def respond(_: RowFuture) -> None:
            sent = False
            scope["pending_read"] = pending
            # The task reports an error here, too.
            with suppress(Exception):
                message = scope["response"] = self._hot.finish_read(scope, pending)
                sent = message is not None and exchange.send_in_one_piece(message)
            if sent:
                del scope["pending_read"], scope["response"]
                exchange.finish()
            else:
                start_task()

        pending.row.add_done_callback(respond)
        return True


async def _nothing(*_: Any) -> Any:
    """Receive or send nothing."""


class _Exchange:
    """One request and its response."""

    def __init__(
        self, edge: Edge, scope: Scope, receive: Receive, send: Send, send_whole: SendWhole | None
    ) -> None:
        self._edge, self._receive, self._send, self._send_whole = edge, receive, send, send_whole
        self._started = scope.setdefault("started", time.perf_counter())
        edge.proxies.set_client(scope)
        self._status = 0
        self._start: Message | None = None
        """The start of the response, not sent yet."""
        self._replaced = False
        self._scope = scope
        fields = dict(scope["headers"])
        self.has_origin = b"origin" in fields
        self._compression = Compression(fields.get(b"accept-encoding", b""))
        self._id = request_id(fields.get(b"x-request-id"))
        scope["request_id"] = self._id.decode()
        self._allows_host = edge.hosts.allows(scope["headers"], fields)
        if scope["method"] == "HEAD":
            # The server drops the body; otherwise the response is that of a GET.
            self._scope = scope = {**scope, "method": "GET"}
        path = scope["path"]
        if path != "/" and path.endswith("/") and not path.startswith("/admin"):
            scope["path"] = path.rstrip("/") or "/"

    async def run(self) -> None:
        scope = self._scope
        try:
            if problem := self.problem():
                await self._refuse(problem)
            else:
                await self._edge.app(scope, self._receive, self.send)
        except TimeoutError:
            await self._refuse(Unavailable("The request took too long."))
        except asyncio.CancelledError:
            # The server is stopping, and its grace period is over.
            await self._refuse(Unavailable("The server stops."))
        except Exception as error:
            # The app has already sent a 500, and raises the error again for servers that log it. Ours has logged
            # it.
            if not self._has_begun():
                with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
                    await self._refuse(problem_of(error))
        finally:
            self.finish()

    def problem(self) -> Problem | None:
        """An error that does not depend on the route."""
        if not self._allows_host:
            return InvalidHost()
        query = self._scope["query_string"]
        if query and (b"%00" in query or b"\0" in query):
            error = FieldError("query", "null_character", "A parameter may not contain U+0000.")
            return Unprocessable(errors=[error])
        return None

    def _has_begun(self) -> bool:
        """Whether a part of the response was sent."""
        return self._status != 0 and self._start is None

    async def _refuse(self, problem: Problem) -> None:
        if not self._has_begun():
            response = problem_response(Request(self._scope), problem)
            await response(self._scope, self._receive, self.send)

    async def send(self, message: Message) -> None:
        """Add the common headers. The start is sent with the first bytes, which determine whether to compress."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if message["status"] == 413 and _PROBLEM_TYPE not in message["headers"]:
                # The framework's limit responds in plain text, without our error handlers.
                await self._refuse(BodyTooLarge.of(self._scope))
                self._replaced = True
                return
            if "lines" in message:
                # Headers besides the lines are from the CORS middleware.
                more = message.get("headers", ())
                if not more and self.send_in_one_piece(message):
                    return
                lines = message.pop("lines").splitlines()
                message["headers"] = [*(tuple(line.split(b": ", 1)) for line in lines), *more]
            self._status = message["status"]
            self._edge.headers.add(message, self._scope["path"], self._id)
            self._start = message
            if "body" not in message:
                return
            message = {"type": "http.response.body", "body": message.pop("body")}
        if self._start is not None:
            start, self._start = self._start, None
            message = await self._compression.first(start, message)
            await self._send(start)
        else:
            message = await self._compression.next(message)
        await self._send(message)

    def send_in_one_piece(self, message: Message) -> bool:
        """Send a hot response, head and body, in one write if possible."""
        if self._send_whole is None or len(message["body"]) >= GZIP_MINIMUM:
            return False
        common = self._edge.headers.lines(self._scope["path"])
        head = b"%sx-request-id: %s\r\n%s" % (message["lines"], self._id, common)
        sent = self._send_whole(message["status"], head, message["body"])
        if sent:
            self._status = message["status"]
        return sent

    def finish(self) -> None:
        """Count and log the request."""
        seconds = time.perf_counter() - self._started
        scope = self._scope
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        status = self._status or 499
        self._edge.metrics.count(method, _template(scope), status, seconds)
        self._edge.log_end(scope, method, status, seconds)


def _template(scope: Scope) -> str:
    """The route template of a request; unknown paths share one, so that a scanner cannot fill the memory."""
    if "template" in scope:
        return str(scope["template"])
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "admin" if scope["path"].startswith("/admin") else "unknown"
    context = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path", None) or path)
