"""uvicorn's HTTP protocol, with one thing more: an answer that is complete goes out in one piece.

uvicorn writes the head and the body of an answer one after the other: two system calls, and two packets for the
client to wake up for. It also checks every header of every answer anew. For short answers that is a third of all
work. An app finds the way past both in `scope["extensions"]`, where the ASGI specification has room for such;
without it (another server, a test) it sends as usual.
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from itertools import chain
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from game.core.edge import WHOLE

_LONG_WAY = {b"connection", b"transfer-encoding"}
_WITHOUT_BODY = (204, 304)


class WholeAnswers(HttpToolsProtocol):
    """uvicorn's protocol, offering the extension to the app."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        extensions: dict[str, Any] = {WHOLE: partial(_send, cycle)}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)


def _send(cycle: RequestResponseCycle, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
    """What `RequestResponseCycle.send` does for the start of an answer and its only body."""
    names = {name for name, _ in headers}
    if (
        cycle.response_started
        or cycle.flow.write_paused
        or cycle.scope["method"] == "HEAD"
        or not names.isdisjoint(_LONG_WAY)
        or (b"content-length" not in names and status not in _WITHOUT_BODY)
    ):
        return False
    if cycle.disconnected:
        return True
    content = [STATUS_LINE[status], *(_line(name, value) for name, value in chain(cycle.default_headers, headers))]
    content += [b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body]
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"".join(content))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


@lru_cache(512)
def _line(name: bytes, value: bytes) -> bytes:
    """A header as it is sent. Most are the same in every answer: what was checked once is remembered.

    Raises:
        RuntimeError: it could pass for something else, such as two headers.
    """
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError(f"Not a valid header: {name!r}.")
    return b"%s: %s\r\n" % (name.lower(), value)
