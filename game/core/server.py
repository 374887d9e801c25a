"""uvicorn's HTTP protocol, with a fast path for hot responses, and deadlines for silent or slow connections.

A complete response is sent in one write. uvicorn writes the head of a response and then its body: two system
calls, and two packets for the client. It also checks every header of every response for invalid characters. The
edge, which has built these headers itself, avoids both with an extension in the request's `extensions` (a part of
the ASGI specification); on another server it sends as usual.

The app also gets a request before a task is started for it. A hot read only waits for a row, for which a callback
on the row's future is enough: a task with its coroutines would be a quarter of the work.

A connection that does not send a request's head, or does not read its response, is closed after a time limit. If
there are too many connections for the limit of open files, the one that has been silent longest is closed.
"""

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from game.core.edge import SEND_WHOLE
from game.core.files import raise_file_limit

_HEAD_SECONDS = 10.0
_CHECK_SECONDS = 1.0
_CLOSING_SECONDS = 10.0
_OTHER_FILES = 256
"""Open files of a worker other than client connections: database, log, modules that are loaded later."""


class HotProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with deadlines, and with a fast path for hot responses.

    The app may have `head_timeout`, the seconds within which a new connection must send a request's head.
    """

    _owes_head_since: float | None = None
    _closing_since: float | None = None
    _check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it
        """Wait for the first request."""
        super().connection_made(transport)
        self._head_seconds: float = getattr(self.app, "head_timeout", _HEAD_SECONDS)
        self._head_limit = self._head_seconds
        self._silent: dict[HotProtocol, None] = self.server_state.__dict__.setdefault("silent", {})
        self._await_head()
        self._check = self.loop.call_later(_CHECK_SECONDS, self._check_deadlines)
        if len(self.connections) > max_connections():
            next(iter(self._silent)).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection."""
        super().connection_lost(exc)
        self._silent.pop(self, None)
        if self._check is not None:
            self._check.cancel()

    def on_headers_complete(self) -> None:
        """The head of a request was received: from now on, the request's own deadline applies."""
        self._owes_head_since = None
        self._silent.pop(self, None)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it was already received."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        # Like uvicorn's method, but without a timer for each idle connection: one timer checks all of them.
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._head_limit = self.timeout_keep_alive + self._head_seconds
        self._await_head()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol."""
        if self._check is not None:
            self._check.cancel()
        super().handle_websocket_upgrade()

    def _await_head(self) -> None:
        self._owes_head_since = self.loop.time()
        self._silent.pop(self, None)
        self._silent[self] = None

    def _check_deadlines(self) -> None:
        now = self.loop.time()
        if self.transport.is_closing():
            # It closes when everything is sent, which a client that reads nothing would prevent forever.
            self._closing_since = self._closing_since or now
            if now - self._closing_since > _CLOSING_SECONDS:
                self.transport.abort()
                return
        elif self._owes_head_since is not None and now - self._owes_head_since > self._head_limit:
            self.transport.close()
        self._check = self.loop.call_later(_CHECK_SECONDS, self._check_deadlines)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # With too many connections, uvicorn calls another app, which does not have this method.
        answer = getattr(app, "answer_without_task", None)
        if not answer or not answer(cycle.scope, partial(_send, cycle), partial(self._start, cycle, app)):
            self._start(cycle, app)

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        extensions: dict[str, Any] = {SEND_WHOLE: partial(_send, cycle)}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)


_max_connections: int | None = None


def max_connections() -> int:
    """The maximum number of connections, from the limit of open files."""
    global _max_connections
    if _max_connections is None:
        _max_connections = max(64, raise_file_limit() - _OTHER_FILES)
    return _max_connections


def _nothing() -> None:
    pass


_date: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The default headers of the server as lines. The server creates a new list of them each second."""
    global _date
    if _date[0] is not headers:
        _date = headers, b"".join([b"%s: %s\r\n" % header for header in headers])
    return _date[1]


def _send(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> bool:
    """Does what `RequestResponseCycle.send` does for the start of a response and its only body; returns False if
    that would wait."""
    if cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    if not cycle.disconnected:
        date = _lines(cycle.default_headers)
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        cycle.response_started = cycle.response_complete = True
        cycle.transport.write(b"".join((STATUS_LINE[status], date, head, end, body)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        # As in uvicorn's own method; otherwise, protocol and cycle would be a reference cycle.
        on_response, cycle.on_response = cycle.on_response, _nothing
        on_response()
    return True
