"""Coalesced reads: requests that arrive together are answered by one statement over arrays.

Players of a game send the same few reads again and again. The parameters of each query become a row of `unnest`,
so that a hundred requests cost one round trip, one plan and one snapshot. Nothing is cached between batches: each
result is as fresh as that of a separate statement.

    requests  --fetch()-->  waiting  --take a batch, run one statement, distribute the rows-->  futures
                             ^--- while all connections are busy, new queries wait here ---'
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

import asyncpg

from game.core.errors import OutcomeUnknown, is_database_away, may_have_happened

# Small enough that the server can send the responses of one batch while the database executes the next.
_BATCH = 16
_MAX_WAIT = 3 / 8
"""The share of a request's time limit after which a waiting query is abandoned; the rest is for the statement."""

Parameters = tuple[Any, ...]
RowFuture: TypeAlias = "asyncio.Future[asyncpg.Record | None]"


class HotStatement(NamedTuple):
    """A statement over arrays, one for each parameter of its queries (`$1` to `$n`).

    It returns at most one row per query, with the query's number (from 1) as column `n`.

    For a statement that writes, `subject` is the index of the parameter that names what it changes: two changes of
    one subject never run at the same time. The statement skips what another transaction has locked, and reports
    it: its column `locked` names the lock. The queries that need one lock are then sent again together with
    `blocking`, which waits for the lock.
    """

    sql: str
    subject: int | None = None
    blocking: str | None = None


class Reads(Protocol):
    """What can execute hot statements that read: a coalescer, or a transaction (`Database.one_moment`)."""

    def fetch(self, statement: HotStatement, *parameters: Any) -> Awaitable[asyncpg.Record | None]:
        """Return the row of a statement for these parameters."""


class _Query(NamedTuple):
    parameters: Parameters
    future: RowFuture
    since: float


class _Batch(NamedTuple):
    statement: HotStatement
    queries: list[_Query]
    blocking: bool = False

    def subjects(self) -> set[Any]:
        """What its queries change."""
        index = self.statement.subject
        return set() if index is None else {query.parameters[index] for query in self.queries}

    def only(self, queries: list[_Query]) -> "_Batch":
        """The same batch with these queries only, without those cancelled by a disconnect or a deadline."""
        return self._replace(queries=[one for one in queries if not one.future.done()])

    def refuse(self, error: Exception) -> None:
        """Fail the pending queries with this error."""
        for query in self.queries:
            if not query.future.done():
                query.future.set_exception(error)


class Coalescer:
    """Executes queries in batches, one batch at a time on each of its connections.

    A batch executes one statement. The statements take turns, so that a frequent one does not starve the others.

    A coalescer must be created in the event loop that uses it.
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
        self._waiting: dict[HotStatement, list[_Query]] = {}
        self._changing: set[Any] = set()
        self._locked: list[_Batch] = []
        # One connection is always reserved for queries that do not wait for a lock.
        self._free_to_block = max(1, connections - 1)
        self._running: set[asyncio.Task[None]] = set()
        self._starting = False

    def fetch(self, statement: HotStatement, *parameters: Any) -> RowFuture:
        """Execute a statement with these parameters; returns a future of the row, or of None if there is no row.

        Awaiting it raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: the database cannot answer.
        """
        query = _Query(parameters, self._loop.create_future(), self._loop.time())
        self._waiting.setdefault(statement, []).append(query)
        self._wake()
        return query.future

    def close(self) -> None:
        """Fail the waiting queries, and close the connections."""
        error = ConnectionAbortedError("the server stops")
        for batch in (*self._locked, *(_Batch(one, queries) for one, queries in self._waiting.items())):
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
        """Execute batches on a connection until no query waits."""
        # Between the last look at `waiting` and the release of the connection nothing is awaited: a request that
        # arrives later finds it idle. A query whose subject is already in a batch waits for that batch.
        batch = None
        try:
            while batch := self._take():
                if connection is None or connection.is_closed():
                    connection = await self._replace(connection)
                locked = await self._execute(connection, batch)
                self._done(batch, locked)
        except (Exception, asyncio.CancelledError) as error:
            # No connection can be opened, so every waiting query fails, or the server is stopping.
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
        """Allow other batches to change the subjects of this one, and queue its queries whose locks were taken."""
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
        """The next batch: first the queries whose locks were taken, then those of the statement that has waited
        longest."""
        while self._locked and self._free_to_block:
            locked = self._locked.pop(0)
            self._changing -= locked.subjects()
            if (batch := locked.only(locked.queries)).queries:
                self._changing |= batch.subjects()
                self._free_to_block -= 1
                return batch
        too_long = self._loop.time() - self._max_wait
        for statement, waiting in list(self._waiting.items()):
            batch, later = _Batch(statement, []), []
            for query in waiting:
                subject = None if statement.subject is None else query.parameters[statement.subject]
                if query.future.done():
                    continue
                if query.since < too_long:
                    query.future.set_exception(TimeoutError())
                elif len(batch.queries) == self._batch or subject in self._changing:
                    later.append(query)
                else:
                    batch.queries.append(query)
                    if subject is not None:
                        self._changing.add(subject)
            del self._waiting[statement]
            if later:
                self._waiting[statement] = later
            if batch.queries:
                return batch
        return None

    async def _execute(self, connection: asyncpg.Connection, batch: _Batch) -> list[_Batch]:
        """Execute a batch. Its futures are done when this returns, except those of the batches that it returns,
        which have to wait for locks."""
        if not batch.queries:
            return []
        statement, alone = batch.statement, len(batch.queries) == 1
        columns = zip(*(query.parameters for query in batch.queries), strict=True)
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
                # A query that the database refuses must not fail the others: find it by bisection.
                half = len(batch.queries) // 2
                locked = await self._execute(connection, batch.only(batch.queries[:half]))
                return locked + await self._execute(connection, batch.only(batch.queries[half:]))
            batch.refuse(error)
            return []
        answers = {row["n"]: row for row in rows}
        by_lock: dict[Any, list[_Query]] = {}
        for number, query in enumerate(batch.queries, 1):
            row = answers.get(number)
            if row is not None and statement.blocking and row["locked"] is not None:
                if not batch.blocking:
                    by_lock.setdefault(row["locked"], []).append(query)
                    continue
                row = None
            if not query.future.done():
                query.future.set_result(row)
        return [_Batch(statement, queries, blocking=True) for queries in by_lock.values()]
