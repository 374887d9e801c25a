"""uvicorn's HTTP protocol, with one thing more: an answer that is complete goes out in one piece.

uvicorn writes the head of an answer and then its body: two system calls, and two packets for the client to wake
up for. It also looks through every header of every answer for characters that may not be there. For hot answers,
whose headers the edge has made itself, that is a third of all work. The edge finds the way past both in the
request's `extensions`, where the ASGI specification has room for such; on another server it sends as usual.
"""

from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from game.core.edge import WHOLE


class WholeAnswers(HttpToolsProtocol):
    """uvicorn's protocol, offering the extension to the app."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        extensions: dict[str, Any] = {WHOLE: partial(_send, cycle)}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)


def _send(cycle: RequestResponseCycle, status: int, head: bytes, body: bytes) -> bool:
    """What `RequestResponseCycle.send` does for the start of an answer and its only body; False where it waits."""
    if cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    if not cycle.disconnected:
        date = b"".join([b"%s: %s\r\n" % header for header in cycle.default_headers])
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        cycle.response_started = cycle.response_complete = True
        cycle.transport.write(b"".join((STATUS_LINE[status], date, head, end, body)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
    return True
