"""Coalesced reads: the requests of one moment are answered together, by one statement over arrays.

A table full of players asks for the same few things again and again. Each question becomes a row of `unnest`, so
that a hundred requests cost one round trip, one plan and one snapshot. Nothing is remembered between batches: each
answer is as fresh as that of a query of its own.

    requests  --ask()-->  waiting  --lane: take a batch, one statement, hand out by number-->  futures
                             ^------------- while the lanes are out, newcomers gather here -------'
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from game.core.errors import is_database_away

# Few enough that the server can hand out the answers to one batch while the database works at the next.
_BATCH = 16
_LONGEST_WAIT = 1.5
"""Seconds after which nobody is asked for any more: with a statement's own time, a request ends within five."""

Question = tuple[Any, ...]
Answer: TypeAlias = "asyncio.Future[asyncpg.Record | None]"


class HotStatement(NamedTuple):
    """A statement over arrays, `$1` to `$n` one column of the questions each.

    It gives at most one row a question, with the question's number (from 1) as column `n`.

    One that changes something says in `subject` which part of a question names what it changes: two changes of one
    thing are never under way at once. It leaves out what somebody else has locked, and says so: its column
    `locked` names the lock. The questions of one lock are then asked again together, as `patient`, which waits.
    """

    sql: str
    subject: int | None = None
    patient: str | None = None


class _Asked(NamedTuple):
    question: Question
    future: Answer
    since: float


class _Batch(NamedTuple):
    statement: HotStatement
    asked: list[_Asked]
    patient: bool = False

    def subjects(self) -> set[Any]:
        """What its questions would change."""
        place = self.statement.subject
        return set() if place is None else {asked.question[place] for asked in self.asked}

    def only(self, asked: list[_Asked]) -> "_Batch":
        """The same with these questions, but for those of whoever has gone (a client, a deadline)."""
        return self._replace(asked=[one for one in asked if not one.future.done()])

    def refuse(self, error: Exception) -> None:
        """Tell this error to whoever has no answer yet."""
        for asked in self.asked:
            if not asked.future.done():
                asked.future.set_exception(error)


class Coalescer:
    """Answers questions in batches, a few of them under way at a time: one a lane, each lane with a connection.

    A batch is of one statement. The statements take turns, so that none waits for another to fall silent.

    A coalescer is made in the event loop that it works in.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], lanes: int, batch: int = _BATCH
    ) -> None:
        self._connect = connect
        # Kept: asyncio finds it by a system call.
        self._loop = asyncio.get_running_loop()
        self._batch = batch
        self._idle: list[asyncpg.Connection | None] = [None] * lanes
        self._waiting: dict[HotStatement, list[_Asked]] = {}
        self._changing: set[Any] = set()
        self._left: list[_Batch] = []
        # One lane is always for those who need not wait for a lock.
        self._patience = max(1, lanes - 1)
        self._running: set[asyncio.Task[None]] = set()
        self._starting = False

    def ask(self, statement: HotStatement, *question: Any) -> Answer:
        """The row that will answer a question; None when there is none.

        Awaiting it raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: the database cannot answer.
        """
        asked = _Asked(question, self._loop.create_future(), self._loop.time())
        self._waiting.setdefault(statement, []).append(asked)
        self._wake()
        return asked.future

    def close(self) -> None:
        """Refuse whoever still waits, and close the connections."""
        error = ConnectionAbortedError("the server stops")
        for batch in (*self._left, *(_Batch(one, asked) for one, asked in self._waiting.items())):
            batch.refuse(error)
        for lane in self._running:
            lane.cancel()
        for connection in self._idle:
            if connection is not None:
                connection.terminate()

    def _wake(self) -> None:
        if self._idle and not self._starting:
            # A turn of the event loop later, with all that came by then.
            self._starting = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        """Send a lane out."""
        self._starting = False
        lane = self._loop.create_task(self._lane(self._idle.pop()))
        self._running.add(lane)
        lane.add_done_callback(self._running.discard)

    async def _lane(self, connection: asyncpg.Connection | None) -> None:
        # Between the last look at `waiting` and the release of the lane nothing is awaited: a request that arrives
        # later finds the lane idle. What has to wait for a change under way is taken by the lane of that change.
        batch = None
        try:
            while batch := self._take():
                if connection is None or connection.is_closed():
                    connection = await self._replace(connection)
                left = await self._answer(connection, batch)
                self._done(batch, left)
        except (Exception, asyncio.CancelledError) as error:
            # No connection to be had: whoever waits would wait in vain. Or the server stops.
            reason = error if isinstance(error, Exception) else ConnectionAbortedError("the server stops")
            if reason is not error and connection is not None:
                connection.terminate()
            while batch:
                batch.refuse(reason)
                self._done(batch, [])
                batch = self._take()
        finally:
            self._idle.append(connection)

    def _done(self, batch: _Batch, left: list[_Batch]) -> None:
        """Let others change what a batch has changed, and wait with what it left."""
        self._patience += batch.patient
        self._changing -= batch.subjects()
        for one in left:
            self._changing |= one.subjects()
            self._left.append(one)
            self._wake()

    async def _replace(self, connection: asyncpg.Connection | None) -> asyncpg.Connection:
        if connection is not None:
            # It was lost, but holds on to its parts until it is told.
            connection.terminate()
        return await self._connect()

    def _take(self) -> _Batch | None:
        """The next batch: what others left, then of the statement that has waited longest what may be asked."""
        while self._left and self._patience:
            left = self._left.pop(0)
            self._changing -= left.subjects()
            if (batch := left.only(left.asked)).asked:
                self._changing |= batch.subjects()
                self._patience -= 1
                return batch
        too_long = self._loop.time() - _LONGEST_WAIT
        for statement, waiting in list(self._waiting.items()):
            batch, later = _Batch(statement, []), []
            for asked in waiting:
                subject = None if statement.subject is None else asked.question[statement.subject]
                if asked.future.done():
                    continue
                if asked.since < too_long:
                    asked.future.set_exception(TimeoutError())
                elif len(batch.asked) == self._batch or subject in self._changing:
                    later.append(asked)
                else:
                    batch.asked.append(asked)
                    if subject is not None:
                        self._changing.add(subject)
            del self._waiting[statement]
            if later:
                self._waiting[statement] = later
            if batch.asked:
                return batch
        return None

    async def _answer(self, connection: asyncpg.Connection, batch: _Batch) -> list[_Batch]:
        """Answer a batch. Its futures are done when this returns, but for what it left to be asked again."""
        if not batch.asked:
            return []
        statement, alone = batch.statement, len(batch.asked) == 1
        columns = zip(*(asked.question for asked in batch.asked), strict=True)
        try:
            sql = statement.patient if batch.patient and statement.patient else statement.sql
            rows = await connection.fetch(sql, *map(list, columns))
        except Exception as error:
            if is_database_away(error):
                # Whatever state this connection is in, the next batch is not to find out.
                connection.terminate()
            elif not alone:
                # One question that the database refuses must not take the others with it: look for it by halves.
                half = len(batch.asked) // 2
                left = await self._answer(connection, batch.only(batch.asked[:half]))
                return left + await self._answer(connection, batch.only(batch.asked[half:]))
            batch.refuse(error)
            return []
        answers = {row["n"]: row for row in rows}
        locked: dict[Any, list[_Asked]] = {}
        for number, asked in enumerate(batch.asked, 1):
            row = answers.get(number)
            if row is not None and statement.patient and row["locked"] is not None:
                if not batch.patient:
                    locked.setdefault(row["locked"], []).append(asked)
                    continue
                row = None
            if not asked.future.done():
                asked.future.set_result(row)
        return [_Batch(statement, those, patient=True) for those in locked.values()]
