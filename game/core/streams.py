"""Large responses that are built and sent in pieces, so that a slow client costs the memory of one piece only."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol
from uuid import UUID

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from game.core.fair_semaphore import FairSemaphore

_AT_ONCE, _AT_ONCE_PER_USER = 64, 8
_THREADS = 2
_PIECE_BYTES = 131_072


class Streams:
    """Limits the large responses that a worker sends at the same time, per user and in total. Separate threads
    build their pieces, which take about a millisecond each.
    """

    def __init__(self) -> None:
        self.slots = FairSemaphore(_AT_ONCE, _AT_ONCE_PER_USER)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="streams")

    async def read(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces; small ones are joined."""
        loop = asyncio.get_running_loop()
        while piece := await loop.run_in_executor(self._threads, _next, pieces):
            yield piece

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()


def _next(pieces: Iterator[bytes]) -> bytes:
    parts, size = [], 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            break
    return b"".join(parts)


class Pieces(Protocol):
    """A response in pieces, each of which takes about a millisecond to build."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Free the resources of the pieces. May be called at any time."""


class StreamedResponse(StreamingResponse):
    """A large JSON response in pieces, which are closed when it ends or fails.

    Sending it raises:
        TooMuchAtOnce, Unavailable: too many are being sent to this user, or in total.
    """

    def __init__(self, streams: Streams, user_id: UUID, pieces: Pieces, headers: Mapping[str, str]) -> None:
        super().__init__(streams.read(pieces), 200, headers, "application/json")
        self._streams, self._user_id, self._pieces = streams, user_id, pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a free slot, then send the response."""
        try:
            async with self._streams.slots.slot(self._user_id):
                await super().__call__(scope, receive, send)
        finally:
            self._pieces.close()
