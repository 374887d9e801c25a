"""Raw WebSocket clients for load: they record the times of messages with as little overhead as possible."""

import asyncio
import base64
import gc
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

import orjson

# Socket.IO escapes the quotes. Searching for a pattern that starts with letters is fast.
_STAMP = re.compile(rb'at\\?":\\?"T?([0-9][0-9T:.-]+)[Z"\\]')
_STAMP_BYTES = 48
"""The maximum length of a timestamp with its name."""
_DRAIN_SECONDS = 0.2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def pings(data: bytes) -> Iterator[bytes]:
    """The contents of the pings in data that begins with a frame; long frames come alone."""
    at = 0
    while at + 2 <= len(data) and data[at + 1] < 0x7E:
        end = at + 2 + data[at + 1]
        if data[at] == 0x89:
            yield data[at + 2 : end]
        at = end


def frame(opcode: int, content: bytes) -> bytes:
    """A frame of a client, masked with zeroes."""
    size = len(content)
    head = (
        struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        if size < 126
        else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    )
    return head + bytes(4) + content


def sent_at(data: bytes) -> tuple[list[float], bytes]:
    """The times, in seconds, at which the messages in some bytes were sent, and the trailing bytes of an
    incomplete message."""
    found, end = [], 0
    for match in _STAMP.finditer(data):
        found.append(_seconds(match[1]))
        end = match.end()
    return found, data[max(end, len(data) - _STAMP_BYTES) :]


@cache
def _seconds(stamp: bytes) -> float:
    """A time in seconds, from milliseconds or an RFC 3339 time without a zone. Cached, because each is received by
    many clients."""
    if b"-" not in stamp:
        return float(stamp) / 1000
    return (datetime.fromisoformat(stamp.decode()).replace(tzinfo=UTC) - _EPOCH).total_seconds()


class RawSocket(asyncio.Protocol):
    """A client. `first` is sent after the handshake, and `taken` is called with all received bytes."""

    def __init__(
        self, path: str, first: bytes, taken: Callable[["RawSocket", bytes], None], subprotocol: str
    ) -> None:
        self.path, self._first, self._taken, self._subprotocol = path, first, taken, subprotocol
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head: bytes | None = b""
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's.
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # it is uvloop's
        lines = [
            f"GET {self.path} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *([f"Sec-WebSocket-Protocol: {self._subprotocol}"] if self._subprotocol else []),
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = None
            assert b" 101 " in head, head
            if self._first:
                self.transport.write(self._first)
            if not self.ready.done():
                self.ready.set_result(None)
        if data:
            for ping in pings(data):
                self.transport.write(frame(10, ping))
            self._taken(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed"))


class Receivers:
    """Many clients of one server, and the delay of each message for each client."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sockets: list[RawSocket] = []
        self.late: dict[float, list[float]] = {}
        self.created: dict[str, list[float]] = {}
        """The times at which the messages on a path were sent."""
        self.views: list[tuple[str, float]] = []
        """The paths and times of received views."""
        self.count = self._maps = 0
        self._greeted: set[RawSocket] = set()
        self._draining: asyncio.TimerHandle | None = None
        self._lost = 0
        """The number of reads that found a socket closed by the server."""

    async def connect(
        self, paths: list[str], first: list[bytes], reply: bytes = b"", subprotocol: str = ""
    ) -> None:
        """Connect one client per path; `reply` is sent after the first received bytes."""

        def taken(socket: RawSocket, data: bytes) -> None:
            now = time.time()
            if socket not in self._greeted:
                self._greeted.add(socket)
                if reply:
                    socket.transport.write(reply)
            elif data[:3] == b"\x81\x012":
                # The ping of Socket.IO.
                socket.transport.write(frame(1, b"3"))
            stamps, socket.rest = sent_at(socket.rest + data)
            for stamp in stamps:
                self.count += 1
                self.late.setdefault(stamp, []).append(now - stamp)
                self.created.setdefault(socket.path, []).append(stamp)
            self._maps += data.count(b'{"type":"map"')
            self.views += [(socket.path, now)] * data.count(b'{"type":"view"')

        loop = asyncio.get_running_loop()
        for at in range(0, len(paths), 50):
            made = [
                loop.create_connection(
                    lambda path=path, one=one: RawSocket(path, one, taken, subprotocol), "127.0.0.1", self.port
                )
                for path, one in zip(paths[at : at + 50], first[at : at + 50], strict=True)
            ]
            sockets = [socket for _, socket in await asyncio.gather(*made)]
            await asyncio.gather(*(socket.ready for socket in sockets))
            self.sockets += sockets

    async def until(self, count: int) -> None:
        """Wait for a number of messages, with a time limit."""
        await _until(lambda: self.count >= count, 20)

    async def until_greeted(self) -> None:
        """Wait until every client has received a message."""
        await _until(lambda: len(self._greeted) >= len(self.sockets), 60)

    async def until_watching(self, count: int) -> None:
        """Wait for a number of maps."""
        await _until(lambda: self._maps >= count, 60)
        assert self._maps >= count, self._maps

    async def until_silent(self) -> None:
        """Wait until no message was received for a second."""
        before, now = -1, self.count + len(self.views)
        while before != now:
            await asyncio.sleep(1)
            before, now = now, self.count + len(self.views)

    def forget(self) -> None:
        """Start to measure."""
        self.late.clear()
        self.created.clear()
        self.views.clear()
        self.count = 0
        # A garbage collection that scans every socket would take longer than what is measured.
        gc.collect()
        gc.freeze()

    def ignore(self) -> None:
        """Only read from now on, for seconds, and many messages at once: real clients have their own processors,
        so these should not compete with the server for its processors."""
        for socket in self.sockets:
            socket.transport.pause_reading()
        self._drain([socket.transport.get_extra_info("socket").fileno() for socket in self.sockets])

    def _drain(self, files: list[int]) -> None:
        for file in files:
            with suppress(BlockingIOError):
                self._lost += not os.read(file, 2**20)
        self._draining = asyncio.get_running_loop().call_later(_DRAIN_SECONDS, self._drain, files)

    def close(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
        assert not self._lost, "the server has closed sockets while rates were measured"
        for socket in self.sockets:
            socket.transport.abort()


def hello(token: str, **more: str) -> bytes:
    """The first message of our feed."""
    return frame(1, orjson.dumps({"type": "hello", "token": token, **more}))


async def _until(is_reached: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition, with a time limit."""
    end = time.monotonic() + seconds
    while not is_reached() and time.monotonic() < end:  # noqa: ASYNC110 - protocols count by callbacks
        await asyncio.sleep(0.05)
