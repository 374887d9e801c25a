"""Fair shares of something limited, such as compute processes or database connections."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from game.core.errors import TooManyRequests, Unavailable

_WAIT_SECONDS = 3.0
_WAITING_PER_USER = 16
_WAITING = 128
_RETRY_SECONDS = 2


class TooMuchAtOnce(TooManyRequests):
    """Too many of your requests need heavy computing at the same time. Wait for them, then try again."""

    code = "TOO_MUCH_AT_ONCE"


class FairSemaphore:
    """A semaphore with `total` slots, at most `per_user` of them for one user. Waiting users are served in turn.

    Many requests of one user delay only that user's other requests.
    """

    def __init__(
        self,
        total: int,
        per_user: int,
        *,
        waiting: int = _WAITING,
        waiting_per_user: int = _WAITING_PER_USER,
        wait_seconds: float = _WAIT_SECONDS,
    ) -> None:
        self._free, self._per_user = total, per_user
        self._max_waiting, self._max_waiting_per_user = waiting, waiting_per_user
        self._wait_seconds = wait_seconds
        self._running: Counter[UUID] = Counter()
        # Of users with equally many running requests, the one who was served longest ago comes first.
        self._waiting: dict[UUID, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def slot(self, user_id: UUID, wait_seconds: float | None = None) -> AsyncIterator[None]:
        """Hold one of this user's slots; waits until one is free, at most `wait_seconds` if given.

        Raises:
            TooMuchAtOnce: too many requests of this user are already waiting.
            Unavailable: too many requests are already waiting, or no slot became free in time.
        """
        await self.acquire(user_id, wait_seconds)
        try:
            yield
        finally:
            self.release(user_id)

    async def acquire(self, user_id: UUID, wait_seconds: float | None = None) -> None:
        """Take one of this user's slots, which must be released.

        Raises: as `slot` does.
        """
        if self._free and self._running[user_id] < self._per_user:
            # Users without waiting requests never wait for those of others.
            self._start(user_id)
            return
        if len(self._waiting.get(user_id, ())) >= self._max_waiting_per_user:
            raise TooMuchAtOnce(_RETRY_SECONDS)
        if sum(map(len, self._waiting.values())) >= self._max_waiting:
            raise Unavailable
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user_id, deque()).append(future)
        try:
            async with asyncio.timeout(self._wait_seconds if wait_seconds is None else wait_seconds):
                await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                self.release(user_id)
            else:
                self._forget(user_id, future)
            if isinstance(error, TimeoutError):
                raise Unavailable("The server is busy with other requests. Try again in a moment.") from None
            raise

    def _start(self, user_id: UUID) -> None:
        self._free -= 1
        self._running[user_id] += 1

    def _forget(self, user_id: UUID, future: asyncio.Future[None]) -> None:
        queue = self._waiting.get(user_id, deque())
        with suppress(ValueError):
            queue.remove(future)
        if not queue:
            self._waiting.pop(user_id, None)

    def release(self, user_id: UUID) -> None:
        """Release one of this user's slots."""
        self._free += 1
        self._running[user_id] -= 1
        if not self._running[user_id]:
            del self._running[user_id]
        for waiting_id in list(self._waiting):
            if not self._free:
                return
            if self._running[waiting_id] < self._per_user:
                queue = self._waiting.pop(waiting_id)
                # If the future is done, the request was cancelled a moment ago.
                while queue and queue[0].done():
                    queue.popleft()
                if queue:
                    self._start(waiting_id)
                    queue.popleft().set_result(None)
                if queue:
                    self._waiting[waiting_id] = queue
