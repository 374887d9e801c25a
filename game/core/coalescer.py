"""Coalesced reads: the requests of one moment are answered together, by one statement over arrays.

A table full of players asks for the same few things again and again. Each question becomes a row of `unnest`, so
that a hundred requests cost one round trip, one plan and one snapshot. Nothing is remembered between batches: each
answer is as fresh as that of a query of its own.

    requests  --ask()-->  waiting  --lane: take a batch, one statement, hand out by number-->  futures
                             ^------------- while the lanes are out, newcomers gather here -------'
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

from game.core.errors import is_database_away

_BATCH = 64

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
    """Answers questions in batches, a few of them under way at a time: one a lane, each lane with a connection.

    A batch is of one statement. The statements take turns, so that none waits for another to fall silent.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], lanes: int, batch: int = _BATCH
    ) -> None:
        self._connect = connect
        self._batch = batch
        self._idle: list[asyncpg.Connection | None] = [None] * lanes
        self._waiting: dict[HotStatement, list[_Asked]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def ask(self, statement: HotStatement, *question: Any) -> asyncpg.Record | None:
        """The row that answers a question; None when there is none.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: the database cannot answer.
        """
        asked = _Asked(question, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(statement, []).append(asked)
        if self._idle:
            lane = asyncio.create_task(self._lane(self._idle.pop()))
            self._running.add(lane)
            lane.add_done_callback(self._running.discard)
        return await asked.future

    def close(self) -> None:
        """Close the connections of the lanes."""
        for connection in self._idle:
            if connection is not None:
                connection.terminate()

    async def _lane(self, connection: asyncpg.Connection | None) -> None:
        # Between the last look at `waiting` and the release of the lane nothing is awaited: a request that arrives
        # later finds the lane idle.
        try:
            while self._waiting:
                if connection is None or connection.is_closed():
                    connection = await self._replace(connection)
                await self._answer(connection, *self._take())
        except Exception as error:
            # No connection to be had: whoever waits would wait in vain.
            while self._waiting:
                _refuse(self._take()[1], error)
        finally:
            self._idle.append(connection)

    async def _replace(self, connection: asyncpg.Connection | None) -> asyncpg.Connection:
        if connection is not None:
            # It was lost, but holds on to its parts until it is told.
            connection.terminate()
        return await self._connect()

    def _take(self) -> tuple[HotStatement, list[_Asked]]:
        """The next batch: of the statement that has waited longest, its first questions."""
        statement = next(iter(self._waiting))
        asked = self._waiting.pop(statement)
        if len(asked) > self._batch:
            self._waiting[statement] = asked[self._batch :]
        # Whoever has gone in the meantime (a client that hung up, a deadline) needs no answer.
        return statement, [one for one in asked[: self._batch] if not one.future.done()]

    async def _answer(self, connection: asyncpg.Connection, statement: HotStatement, batch: list[_Asked]) -> None:
        """Answer a batch: every one of its futures is done when this returns."""
        if not batch:
            return
        columns = zip(*(asked.question for asked in batch), strict=True)
        try:
            rows = await connection.fetch(statement.sql, *map(list, columns))
        except Exception as error:
            if is_database_away(error):
                # Whatever state this connection is in, the next batch is not to find out.
                connection.terminate()
            elif len(batch) > 1:
                # One question that the database refuses must not take the others with it: look for it by halves.
                half = len(batch) // 2
                await self._answer(connection, statement, batch[:half])
                await self._answer(connection, statement, batch[half:])
                return
            _refuse(batch, error)
            return
        answers = {row["n"]: row for row in rows}
        for number, asked in enumerate(batch, 1):
            if not asked.future.done():
                asked.future.set_result(answers.get(number))


def _refuse(batch: list[_Asked], error: Exception) -> None:
    for asked in batch:
        if not asked.future.done():
            asked.future.set_exception(error)
