"""uvicorn's HTTP protocol, with more for hot answers and for connections that are silent or slow.

An answer that is complete goes out in one piece. uvicorn writes the head of an answer and then its body: two
system calls, and two packets for the client to wake up for. It also looks through every header of every answer
for characters that may not be there. The edge, which has made these headers itself, finds the way past both in
the request's `extensions`, where the ASGI specification has room for such; on another server it sends as usual.

And a request is shown to the app before a task is started for it. A hot read waits for a row, and the row's future
can do that: the task, and the layers of coroutines in it, are a quarter of the work.

A connection that owes a request's head, or does not take an answer, is closed after a time; where there are more
connections than files may be open, the one that has been silent longest makes room.
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
"""Open files of a worker besides its clients' connections: database, log, code that is loaded late."""


class HotProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with deadlines, and with short ways for hot answers.

    The app may have `head_timeout`, the seconds within which a new connection must send a request's head.
    """

    _owes_head_since: float | None = None
    _closing_since: float | None = None
    _check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._head_seconds: float = getattr(self.app, "head_timeout", _HEAD_SECONDS)
        self._head_limit = self._head_seconds
        self._silent: dict[HotProtocol, None] = self.server_state.__dict__.setdefault("silent", {})
        self._await_head()
        self._check = self.loop.call_later(_CHECK_SECONDS, self._check_deadlines)
        if len(self.connections) > max_connections():
            next(iter(self._silent)).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._silent.pop(self, None)
        if self._check is not None:
            self._check.cancel()

    def on_headers_complete(self) -> None:
        """The head of a request is there: from now on its own deadline counts."""
        self._owes_head_since = None
        self._silent.pop(self, None)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there already."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        # What uvicorn does, without its timer for idle connections: one of ours looks after all of them.
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._head_limit = self.timeout_keep_alive + self._head_seconds
        self._await_head()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the other protocol."""
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
            # It closes when all is sent, which a client that reads nothing can put off for ever.
            self._closing_since = self._closing_since or now
            if now - self._closing_since > _CLOSING_SECONDS:
                self.transport.abort()
                return
        elif self._owes_head_since is not None and now - self._owes_head_since > self._head_limit:
            self.transport.close()
        self._check = self.loop.call_later(_CHECK_SECONDS, self._check_deadlines)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # With too many connections uvicorn has another app answer, which knows nothing of this.
        answer = getattr(app, "answer_without_task", None)
        if not answer or not answer(cycle.scope, partial(_send, cycle), partial(self._start, cycle, app)):
            self._start(cycle, app)

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        extensions: dict[str, Any] = {SEND_WHOLE: partial(_send, cycle)}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)


_max_connections: int | None = None


def max_connections() -> int:
    """How many connections this process may have, by the number of files that it may open."""
    global _max_connections
    if _max_connections is None:
        _max_connections = max(64, raise_file_limit() - _OTHER_FILES)
    return _max_connections


def _nothing() -> None:
    pass


_date: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The headers of the server as lines. It makes a new list of them each second."""
    global _date
    if _date[0] is not headers:
        _date = headers, b"".join([b"%s: %s\r\n" % header for header in headers])
    return _date[1]


def _send(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> bool:
    """What `RequestResponseCycle.send` does for the start of an answer and its only body; False where it waits."""
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
        # As uvicorn's own way does it: without, protocol and cycle hold each other.
        on_response, cycle.on_response = cycle.on_response, _nothing
        on_response()
    return True
