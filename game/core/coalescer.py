"""Coalesced reads: the requests of one moment are answered together, by one statement over arrays.

A table full of players asks for the same few things again and again. Each question becomes a row of `unnest`, so
that a hundred requests cost one round trip, one plan and one snapshot. Nothing is remembered between batches: each
answer is as fresh as that of a query of its own.

    requests  --ask()-->  waiting  --lane: take all, one statement, hand out by number-->  futures
                             ^------------- while a lane is out, newcomers gather here -----'
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

from game.core.errors import is_database_away

_BATCH = 64
_ACQUIRE_SECONDS = 1.5

Question = tuple[Any, ...]


class HotStatement(NamedTuple):
    """A statement over arrays, `$1` to `$n` one column of the questions each.

    It gives at most one row a question, with the question's number (from 1) as column `n`.
    """

    sql: str


class _Asked(NamedTuple):
    question: Question
    future: "asyncio.Future[asyncpg.Record | None]"


class Coalescer:
    """Answers the questions of one statement, with a few batches under way at a time."""

    def __init__(
        self, statement: HotStatement, pool: Callable[[], Awaitable[asyncpg.Pool]], lanes: int = 2
    ) -> None:
        self._sql = statement.sql
        self._pool = pool
        self._free_lanes = lanes
        self._waiting: deque[_Asked] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def ask(self, *question: Any) -> asyncpg.Record | None:
        """The row that answers a question; None when there is none.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: the database cannot answer.
        """
        asked = _Asked(question, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._free_lanes:
            self._free_lanes -= 1
            lane = asyncio.create_task(self._lane())
            self._running.add(lane)
            lane.add_done_callback(self._running.discard)
        return await asked.future

    async def _lane(self) -> None:
        # Between the last look at `waiting` and the release of the lane nothing is awaited: a request that arrives
        # later finds the lane free.
        try:
            while self._waiting:
                try:
                    pool = await self._pool()
                    async with pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                        while self._waiting and not connection.is_closed():
                            await self._answer(connection, self._take())
                except Exception as error:
                    # No connection to be had: whoever waits would wait in vain.
                    self._refuse(self._take(len(self._waiting)), error)
        finally:
            self._free_lanes += 1

    def _take(self, most: int = _BATCH) -> list[_Asked]:
        batch: list[_Asked] = []
        while self._waiting and len(batch) < most:
            asked = self._waiting.popleft()
            if not asked.future.done():
                batch.append(asked)
        return batch

    async def _answer(self, connection: Any, batch: list[_Asked]) -> None:
        """Answer a batch: every one of its futures is done when this returns."""
        try:
            rows = await self._ask_database(connection, batch)
        except asyncio.CancelledError:
            self._refuse(batch, ConnectionAbortedError("the server stops"))
            raise
        except Exception as error:
            if is_database_away(error) or len(batch) == 1:
                self._refuse(batch, error)
                return
            # One question that the database refuses must not take the others with it.
            for asked in batch:
                await self._answer(connection, [asked])
            return
        for number, asked in enumerate(batch, 1):
            if not asked.future.done():
                asked.future.set_result(rows.get(number))

    async def _ask_database(self, connection: Any, batch: list[_Asked]) -> dict[int, asyncpg.Record]:
        columns = zip(*(asked.question for asked in batch), strict=True)
        rows = await connection.fetch(self._sql, *map(list, columns))
        return {row["n"]: row for row in rows}

    @staticmethod
    def _refuse(batch: list[_Asked], error: Exception) -> None:
        for asked in batch:
            if not asked.future.done():
                asked.future.set_exception(error)
