"""Coalesced reads: requests that arrive together are answered by one statement over arrays.

Players of a game send the same few reads again and again. Each question becomes a row of `unnest`, so that a
hundred requests cost one round trip, one plan and one snapshot. Nothing is cached between batches: each answer is
as fresh as that of a separate query.

    requests  --ask()-->  waiting  --take a batch, one statement, hand out by number-->  futures
                             ^--- while all connections are busy, newcomers gather here ---'
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from game.core.errors import OutcomeUnknown, is_database_away, may_have_happened

# Small enough that the server can send the answers of one batch while the database works on the next.
_BATCH = 16
_MAX_WAIT = 3 / 8
"""The share of a request's time limit after which a waiting question is abandoned: the statement has the rest."""

Question = tuple[Any, ...]
Answer: TypeAlias = "asyncio.Future[asyncpg.Record | None]"


class HotStatement(NamedTuple):
    """A statement over arrays, `$1` to `$n` one column of the questions each.

    It gives at most one row per question, with the question's number (from 1) as column `n`.

    For a statement that writes, `subject` is the index of the parameter that names what it changes: two changes of
    one subject never run at the same time. The statement skips what another transaction has locked, and reports
    it: its column `locked` names the lock. The questions of one lock are then sent again together with `blocking`,
    which waits for the lock.
    """

    sql: str
    subject: int | None = None
    blocking: str | None = None


class _Asked(NamedTuple):
    question: Question
    future: Answer
    since: float


class _Batch(NamedTuple):
    statement: HotStatement
    asked: list[_Asked]
    blocking: bool = False

    def subjects(self) -> set[Any]:
        """What its questions change."""
        index = self.statement.subject
        return set() if index is None else {asked.question[index] for asked in self.asked}

    def only(self, asked: list[_Asked]) -> "_Batch":
        """The same with these questions, without the cancelled ones (by a disconnect or a deadline)."""
        return self._replace(asked=[one for one in asked if not one.future.done()])

    def refuse(self, error: Exception) -> None:
        """Answer the questions that have no answer yet with this error."""
        for asked in self.asked:
            if not asked.future.done():
                asked.future.set_exception(error)


class Coalescer:
    """Answers questions in batches, one at a time on each of its connections.

    A batch is of one statement. The statements take turns, so that a busy one does not starve the others.

    A coalescer must be created in the event loop that it works in.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        connections: int,
        request_timeout: float = 4.0,
        batch: int = _BATCH,
    ) -> None:
        self._connect = connect
        self._max_wait = request_timeout * _MAX_WAIT
        # Stored, because asyncio looks it up with a system call.
        self._loop = asyncio.get_running_loop()
        self._batch = batch
        # None is a connection that is not open yet.
        self._idle: list[asyncpg.Connection | None] = [None] * connections
        self._waiting: dict[HotStatement, list[_Asked]] = {}
        self._changing: set[Any] = set()
        self._locked: list[_Batch] = []
        # One connection is always reserved for questions that do not wait for a lock.
        self._free_to_block = max(1, connections - 1)
        self._running: set[asyncio.Task[None]] = set()
        self._starting = False

    def ask(self, statement: HotStatement, *question: Any) -> Answer:
        """A future of the row that answers a question, or of None if there is no row.

        Awaiting it raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: the database cannot answer.
        """
        asked = _Asked(question, self._loop.create_future(), self._loop.time())
        self._waiting.setdefault(statement, []).append(asked)
        self._wake()
        return asked.future

    def close(self) -> None:
        """Refuse the waiting questions, and close the connections."""
        error = ConnectionAbortedError("the server stops")
        for batch in (*self._locked, *(_Batch(one, asked) for one, asked in self._waiting.items())):
            batch.refuse(error)
        for task in self._running:
            task.cancel()
        for connection in self._idle:
            if connection is not None:
                connection.terminate()

    def _wake(self) -> None:
        if self._idle and not self._starting:
            # One iteration of the event loop later, to include everything that arrives until then.
            self._starting = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        """Start an idle connection."""
        self._starting = False
        task = self._loop.create_task(self._work(self._idle.pop()))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _work(self, connection: asyncpg.Connection | None) -> None:
        """Answer batches on a connection until no question waits."""
        # Between the last look at `waiting` and the release of the connection nothing is awaited: a request that
        # arrives later finds it idle. A question whose subject is already in a batch waits for that batch.
        batch = None
        try:
            while batch := self._take():
                if connection is None or connection.is_closed():
                    connection = await self._replace(connection)
                locked = await self._answer(connection, batch)
                self._done(batch, locked)
        except (Exception, asyncio.CancelledError) as error:
            # No connection can be opened, so no waiting question could be answered, or the server is stopping.
            reason = error if isinstance(error, Exception) else ConnectionAbortedError("the server stops")
            if reason is not error and connection is not None:
                connection.terminate()
            while batch:
                batch.refuse(reason)
                self._done(batch, [])
                batch = self._take()
        finally:
            self._idle.append(connection)

    def _done(self, batch: _Batch, locked: list[_Batch]) -> None:
        """Allow other batches to change the subjects of this one, and queue its questions whose locks were
        taken."""
        self._free_to_block += batch.blocking
        self._changing -= batch.subjects()
        for one in locked:
            self._changing |= one.subjects()
            self._locked.append(one)
            self._wake()

    async def _replace(self, connection: asyncpg.Connection | None) -> asyncpg.Connection:
        if connection is not None:
            # The connection was lost, but frees its resources only when it is terminated.
            connection.terminate()
        return await self._connect()

    def _take(self) -> _Batch | None:
        """The next batch: first the questions whose locks were taken, then those of the statement that has waited
        longest."""
        while self._locked and self._free_to_block:
            locked = self._locked.pop(0)
            self._changing -= locked.subjects()
            if (batch := locked.only(locked.asked)).asked:
                self._changing |= batch.subjects()
                self._free_to_block -= 1
                return batch
        too_long = self._loop.time() - self._max_wait
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
        """Answer a batch. Its futures are done when this returns, except those of the batches that it returns,
        which have to wait for locks."""
        if not batch.asked:
            return []
        statement, alone = batch.statement, len(batch.asked) == 1
        columns = zip(*(asked.question for asked in batch.asked), strict=True)
        try:
            sql = statement.blocking if batch.blocking and statement.blocking else statement.sql
            rows = await connection.fetch(sql, *map(list, columns))
        except Exception as error:
            if is_database_away(error):
                # The state of this connection is unknown, so no other batch may use it.
                connection.terminate()
                if statement.subject is not None and may_have_happened(error):
                    error = OutcomeUnknown()
            elif not alone:
                # A question that the database refuses must not fail the others: find it by bisection.
                half = len(batch.asked) // 2
                locked = await self._answer(connection, batch.only(batch.asked[:half]))
                return locked + await self._answer(connection, batch.only(batch.asked[half:]))
            batch.refuse(error)
            return []
        answers = {row["n"]: row for row in rows}
        by_lock: dict[Any, list[_Asked]] = {}
        for number, asked in enumerate(batch.asked, 1):
            row = answers.get(number)
            if row is not None and statement.blocking and row["locked"] is not None:
                if not batch.blocking:
                    by_lock.setdefault(row["locked"], []).append(asked)
                    continue
                row = None
            if not asked.future.done():
                asked.future.set_result(row)
        return [_Batch(statement, those, blocking=True) for those in by_lock.values()]
