"""A client's connection: messages in; frames out, through one bounded queue.

The queue is the transport's own buffer, and the event loop its one writer.
"""

import asyncio
import time
from typing import Any

from game.core.sockets import Close, SocketProtocol
from game.live.metrics import LiveMetrics

SIGNALS_DROPPED = 64 * 2**10
"""Bytes in the queue from which signals are dropped."""
MAX_QUEUE = 2**20
"""Bytes in the queue from which a client counts as too slow. A single write that is larger, such as the `map` of a
large map, may wait in addition: otherwise the next message would close the socket, again after each reconnect."""
_DRAIN_SECONDS = 10.0


class Disconnected(Exception):
    """The socket is closed."""


class Bucket:
    """A rate limit of one connection: `rate` per second, `burst` at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst, self._left, self._at = rate, burst, burst, time.monotonic()

    def take(self) -> bool:
        """Count one; returns whether it is within the limit."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Transport:
    """One socket, accepted."""

    def __init__(self, protocol: SocketProtocol, metrics: LiveMetrics) -> None:
        self._protocol, self._metrics = protocol, metrics
        self._largest = 0
        """The size of the largest write above the limit that may still be in the queue."""

    @property
    def protocol(self) -> SocketProtocol:
        """The connection in the server."""
        return self._protocol

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            Disconnected: there will be none.
        """
        message: Any = await self._protocol.receive()
        if message["type"] == "websocket.disconnect":
            raise Disconnected
        text = message.get("text")
        if text is None:
            self.close(Close.NOT_UNDERSTOOD, "Messages are text.")
            raise Disconnected
        raw: bytes = text.encode()
        self._metrics.received(len(raw))
        return raw

    def send(self, frames: bytes, count: int = 1) -> None:
        """Send `count` frames; a client whose queue is full is closed instead."""
        self._metrics.sent(count, len(frames), self.write(frames))

    def write(self, frames: bytes) -> int:
        """Send frames that the caller counts in the metrics; returns the bytes that were in the queue."""
        protocol = self._protocol
        queued: int = protocol.transport.get_write_buffer_size()
        if queued < MAX_QUEUE:
            self._largest = 0
        elif queued >= MAX_QUEUE + self._largest:
            self._close_too_slow()
            return queued
        if len(frames) > MAX_QUEUE:
            self._largest = max(self._largest, len(frames))
        protocol.write(frames)
        return queued

    def send_signal(self, frame: bytes) -> None:
        """Send a frame that may get lost, unless the queue is long."""
        if self._protocol.buffered >= SIGNALS_DROPPED:
            self._metrics.dropped("signal")
        else:
            self.send(frame)

    async def drain(self) -> None:
        """Wait until the queue is short.

        Raises:
            Disconnected: the client does not read, or is gone.
        """
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._protocol.writable.wait()
        except TimeoutError:
            self._close_too_slow()
        if not self._protocol.is_open:
            raise Disconnected

    def _close_too_slow(self) -> None:
        if self._protocol.is_open:
            self._metrics.dropped("socket")
            self.close(Close.TOO_SLOW, "Too slow: resume from the last cursor.")

    def close(self, code: int, reason: str) -> None:
        """Close the socket after what was sent."""
        if self._protocol.is_open:
            self._metrics.closed(code)
            self._protocol.close(code, reason)
