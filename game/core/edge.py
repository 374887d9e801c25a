"""The edge of the app, outermost of all: what happens to every request and answer, hot or not, good or bad.

A request id, the host check, a deadline, security headers, compression, metrics and a line in the log.
"""

import asyncio
import gzip
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from game.core.errors import BadRequest, FieldError, Problem, Unavailable, Unprocessable, problem_response
from game.core.metrics import Metrics
from game.core.settings import Settings

log = structlog.get_logger()

GZIP_MINIMUM = 16_384
"""Bytes from which an answer is compressed: below, the processor time is worth more than the network's."""
_GZIP_LEVEL = 4
_LONGEST_UPLOAD_SECONDS = 120
_GZIP_TYPES = (b"application/json", b"application/problem+json", b"text/", b"image/svg")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")


class InvalidHost(BadRequest):
    """This server does not answer to that host name (WORLDKEEP_ALLOWED_HOSTS lists the ones that it does)."""

    code = "INVALID_HOST"


class Edge:
    """Wraps the whole app. `policies` gives pages under a path prefix a Content-Security-Policy of their own."""

    def __init__(
        self, app: ASGIApp, settings: Settings, metrics: Metrics, policies: Callable[[str], bytes | None]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._policies = policies
        self._timeout = settings.request_timeout
        self._any_host = "*" in settings.allowed_hosts
        self._hosts = {host.lower().encode() for host in settings.allowed_hosts}
        self._suffixes = tuple(host[1:] for host in self._hosts if host.startswith(b"*."))
        self._headers = [*_HEADERS, *([_HSTS] if settings.is_production else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and dress its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self, scope, receive, send).run()

    def knows_host(self, host: bytes) -> bool:
        """Whether a Host header names this server."""
        name = host.lower() if host.endswith(b"]") else host.lower().rpartition(b":")[0] or host.lower()
        return self._any_host or name in self._hosts or name.endswith(self._suffixes or (b"\0",))


class _Exchange:
    """One request and its answer."""

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self.edge, self._receive, self._send = edge, receive, send
        self.started = time.perf_counter()
        self.status = 0
        self._held: Message | None = None
        self._accepts_gzip = False
        self.scope = scope
        host = request_id = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                request_id = value
            elif name == b"accept-encoding" and b"gzip" in value:
                self._accepts_gzip = True
        self.request_id = request_id or secrets.token_hex(8).encode()
        scope["request_id"] = self.request_id.decode()
        self.knows_host = edge.knows_host(host)
        if scope["method"] == "HEAD":
            # The server drops the body; what is left is the answer of a GET.
            self.scope = scope = {**scope, "method": "GET"}
        path = scope["path"]
        if path != "/" and path.endswith("/") and not path.startswith("/admin"):
            scope["path"] = path.rstrip("/") or "/"

    async def run(self) -> None:
        structlog.contextvars.bind_contextvars(request_id=self.scope["request_id"])
        scope = self.scope
        try:
            if not self.knows_host:
                await self._refuse(InvalidHost())
            elif b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
                error = FieldError("query", "null_character", "A parameter may not contain U+0000.")
                await self._refuse(Unprocessable(errors=[error]))
            else:
                async with asyncio.timeout(self.edge._timeout) as self._deadline:
                    await self.edge._app(scope, self.receive, self.send)
        except TimeoutError:
            await self._refuse(Unavailable("This took too long."))
        except Exception as error:
            # The app has answered with a 500 already and passes the error on, for servers that log it. Ours did.
            if not self.status:
                log.error("unexpected_error", exc_info=error)
                await self._refuse(Problem("Something went wrong on the server."))
        finally:
            self._finish()
            structlog.contextvars.clear_contextvars()

    async def _refuse(self, problem: Problem) -> None:
        if not self.status:
            answer = problem_response(Request(self.scope), problem)
            await answer(self.scope, self._receive, self.send)

    async def receive(self) -> Message:
        """Take a part of the body. Time runs while nothing comes: a slow line is no reason to give up."""
        message = await self._receive()
        now = time.perf_counter()
        if message["type"] == "http.request" and now - self.started < _LONGEST_UPLOAD_SECONDS:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self.edge._timeout)
        return message

    async def send(self, message: Message) -> None:
        """Add what every answer carries; hold the start back until the first bytes say whether to compress."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._dress(message)
            self._held = message
            return
        if self._held is not None:
            start, self._held = self._held, None
            body = message.get("body", b"")
            if self._accepts_gzip and len(body) >= GZIP_MINIMUM and not message.get("more_body"):
                message = await self._compress(start, message)
            await self._send(start)
        await self._send(message)

    def _dress(self, message: Message) -> None:
        headers = list(message.get("headers", ()))
        names = {name for name, _ in headers}
        headers.append((b"x-request-id", self.request_id))
        headers.extend(self.edge._headers)
        path = self.scope["path"]
        if b"content-security-policy" not in names:
            headers.append((b"content-security-policy", self.edge._policies(path) or API_POLICY))
        if b"cache-control" not in names:
            secret = path.startswith(("/auth", "/users"))
            headers.append((b"cache-control", b"no-store" if secret else b"private, no-cache"))
        message["headers"] = headers

    async def _compress(self, start: Message, message: Message) -> Message:
        headers = dict(start["headers"])
        kind = headers.get(b"content-type", b"")
        if not kind.startswith(_GZIP_TYPES) or b"content-encoding" in headers:
            return message
        # zlib lets go of the interpreter: in a thread, megabytes do not hold others up.
        body = await asyncio.to_thread(gzip.compress, message["body"], _GZIP_LEVEL, mtime=0)
        kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        start["headers"] = [
            *kept,
            (b"content-length", b"%d" % len(body)),
            (b"content-encoding", b"gzip"),
            (b"vary", b"Accept-Encoding"),
        ]
        return {**message, "body": body}

    def _finish(self) -> None:
        seconds = time.perf_counter() - self.started
        scope = self.scope
        route = _template(scope)
        method = scope["method"] if len(scope["method"]) < 8 else "OTHER"
        status = self.status or 499
        self.edge._metrics.count(method, route, status, seconds)
        client: Any = scope.get("client") or ("", 0)
        log.info(
            "request",
            method=method,
            path=scope["path"][:200],
            status=status,
            ms=round(seconds * 1000, 2),
            client=client[0],
        )


def _template(scope: Scope) -> str:
    """The route template of a request; unknown paths share one, so that a scanner cannot fill the memory."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "admin" if scope["path"].startswith("/admin") else "unknown"
    context = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path", None) or path)
