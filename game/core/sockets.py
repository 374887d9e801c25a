"""uvicorn's WebSocket protocol, with limits for untrusted clients.

The app may write encoded frames directly to the transport: a frame for a thousand sockets is encoded once, and
written at a third of the cost of ASGI. The app finds the protocol in the `extensions` of the scope.

A closing connection is aborted after a time limit, even if its client reads nothing. A client that sends too many
frames, or a message of too many fragments, is disconnected.
"""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from math import ceil
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

SOCKET = "worldkeep.socket"
"""A scope extension of our server: the connection, a `SocketProtocol`."""
SERVE = "worldkeep.serve"
"""An extension that an endpoint may set: a function that serves the socket after the endpoint has returned.
Otherwise the coroutines of the whole framework would stay in memory as long as the socket is open."""
MAX_MESSAGE = 64 * 2**10
PING_SECONDS, PONG_SECONDS = 30.0, 20.0
_PINGS_TOGETHER = 0.1
"""Pings are sent at multiples of this interval, in seconds, so that many are sent and answered together: a wake-up
of the event loop takes about as long as a ping."""


class Close(IntEnum):
    """Close codes of this server, in addition to those of the WebSocket standard."""

    NOT_UNDERSTOOD = 4400
    NOT_LOGGED_IN = 4401
    NOT_A_MEMBER = 4403
    NOT_FOUND = 4404
    TOO_SLOW = 4408
    STOPPING = 4410
    TOO_MUCH = 4429


_MAX_PIECES = 64
_FRAMES_PER_SECOND, _FRAMES_AT_ONCE = 200.0, 400.0
_CLOSING_SECONDS = 5.0


def text_frame(text: bytes) -> bytes:
    """A text message as a frame of the server."""
    return frame_head(len(text)) + text


def frame_head(length: int) -> bytes:
    """The header of a frame with a text message of `length` bytes."""
    if length < 126:
        return struct.pack("!BB", 0x81, length)
    return struct.pack("!BBH", 0x81, 126, length) if length < 65_536 else struct.pack("!BBQ", 0x81, 127, length)


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket. `on_shutdown` is called instead of closing it when the server stops.

    `on_ping` is called before each ping; what it writes goes out in the same system call.
    """

    on_shutdown: Callable[[], None] | None = None
    on_ping: Callable[[], None] | None = None
    _abort: asyncio.TimerHandle | None = None
    _refused = False
    _frames_left, _counted_at = _FRAMES_AT_ONCE, 0.0

    @property
    def buffered(self) -> int:
        """The number of bytes that were written, but are not sent yet."""
        return self.transport.get_write_buffer_size()

    @property
    def is_open(self) -> bool:
        """Whether frames can still be sent."""
        return self.handshake_complete and not self.close_sent and not self.transport.is_closing()

    def write(self, frames: bytes) -> None:
        """Send encoded frames, without waiting; does nothing if the socket is closed."""
        # The condition is `is_open`, without a call: this is executed for every event and socket.
        transport = self.transport
        if self.handshake_complete and not self.close_sent and not transport.is_closing():
            transport.write(frames)

    def close(self, code: int, reason: str = "") -> None:
        """Close with a code, after what was written before; the client has a few seconds to read it."""
        if not self.is_open:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        with suppress(InvalidState):
            self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._abort_later()

    def handle_connect(self, event: Request) -> None:
        """Give the app access to this connection."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[SOCKET] = self

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection."""
        super().connection_lost(exc)
        self.on_shutdown = self.on_ping = None
        if self._abort is not None:
            self._abort.cancel()
        if scope := getattr(self, "scope", None):
            # Breaks a reference cycle.
            scope["extensions"].pop(SOCKET, None)

    def data_received(self, data: bytes) -> None:
        """Handle data of the client, except after a protocol error."""
        if not self._refused:
            super().data_received(data)

    def handle_events(self) -> None:
        """Handle frames, within the rate limit."""
        now = self.loop.time()
        refill = (now - self._counted_at) * _FRAMES_PER_SECOND
        self._frames_left = min(_FRAMES_AT_ONCE, self._frames_left + refill) - len(self.conn.events)
        self._counted_at = now
        if self._frames_left < 0:
            self.conn.events_received()
            self._refused = True
            self.close(Close.TOO_MUCH, "Too many messages.")
        else:
            super().handle_events()

    def handle_cont(self, event: Frame) -> None:
        """Handle a continuation frame."""
        super().handle_cont(event)
        if len(self.frames) > _MAX_PIECES:
            self.frames = []
            self._refused = True
            self.close(CloseCode.MESSAGE_TOO_BIG, "Too many pieces.")

    def handle_ping(self) -> None:
        """Respond to a ping, unless the client does not read."""
        if self.buffered < MAX_MESSAGE:
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        """Pass a message on, if it is valid UTF-8."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self._refused = True
                self.close(CloseCode.INVALID_DATA, "Not valid UTF-8.")
                return
        super().send_receive_event_to_app()

    def handle_close(self, event: Frame) -> None:
        """Close because the client has closed."""
        super().handle_close(event)
        # uvicorn stops the timer, but a client that reads nothing could keep the connection open.
        self._abort_later()

    def eof_received(self) -> None:
        """The client sends nothing more; the transport closes after what was written before."""
        self._abort_later()

    def handle_parser_exception(self) -> None:
        """Close after a protocol error, with its code; the client may still be sending."""
        self._refused = True
        sent = self.conn.close_sent
        code, reason = (sent.code, sent.reason) if sent else (CloseCode.PROTOCOL_ERROR, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._abort_later()

    def schedule_ping(self) -> None:
        """Send a ping after the interval, at the same time as other sockets."""
        due = ceil((self.loop.time() + (self.ping_interval or 0.0)) / _PINGS_TOGETHER) * _PINGS_TOGETHER
        self.ping_timer = self.loop.call_at(due, self.send_keepalive_ping)

    def send_keepalive_ping(self) -> None:
        """Send a ping."""
        if self.on_ping is not None:
            self.on_ping()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Close because a ping was not answered."""
        self.pong_timer = self.pending_ping_payload = None
        self.close(Close.TOO_SLOW, "No response to a ping.")

    def shutdown(self) -> None:
        """The server is stopping: the app may finish first."""
        self.stop_keepalive()
        if self.on_shutdown is not None:
            self.on_shutdown()
        elif self.is_open:
            self.close(Close.STOPPING, "The server stops.")
        else:
            super().shutdown()

    def _abort_later(self) -> None:
        """Abort the connection after a time limit: a client that reads nothing could otherwise keep it open
        forever."""
        if self._abort is None or self._abort.cancelled():
            self._abort = self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)
            # It also tells uvicorn that it need not close at once.
            self.close_timer = self._abort
