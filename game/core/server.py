"""uvicorn's HTTP protocol, with two things more, for hot answers.

An answer that is complete goes out in one piece. uvicorn writes the head of an answer and then its body: two
system calls, and two packets for the client to wake up for. It also looks through every header of every answer
for characters that may not be there. The edge, which has made these headers itself, finds the way past both in
the request's `extensions`, where the ASGI specification has room for such; on another server it sends as usual.

And a request is shown to the app before a task is started for it. A hot read waits for a row, and the row's future
can do that: the task, and the layers of coroutines in it, are a quarter of the work.
"""

from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from game.core.edge import WHOLE


class HotProtocol(HttpToolsProtocol):
    """uvicorn's protocol, offering both to the app."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # With too many connections uvicorn has another app answer, which knows nothing of this.
        answer_soon = getattr(app, "answer_soon", None)
        if not answer_soon or not answer_soon(
            cycle.scope, partial(_send, cycle), partial(self._start, cycle, app)
        ):
            self._start(cycle, app)

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        extensions: dict[str, Any] = {WHOLE: partial(_send, cycle)}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)


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
