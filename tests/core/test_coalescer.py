"""Coalesced reads, on a real PostgreSQL: the error of one query must not affect others."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from game.core.coalescer import Coalescer, HotStatement
from game.core.errors import is_database_away

SQUARE = HotStatement("SELECT q.n, q.x * q.x AS y FROM unnest($1::int[]) WITH ORDINALITY AS q (x, n)")
"""Refuses 2^16 and more: the square is no int4."""
POSITIVE = HotStatement("SELECT q.n, q.x FROM unnest($1::int[]) WITH ORDINALITY AS q (x, n) WHERE q.x > 0")
SLEEP = HotStatement("SELECT q.n, q.x, pg_sleep(q.x / 1000.0) FROM unnest($1::int[]) WITH ORDINALITY AS q (x, n)")
TIMEOUT = 10


class Connector:
    """Makes connections, counts them, and keeps the size of each batch that was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"coalescer-{uuid4().hex[:8]}"
        self.made: list[asyncpg.Connection] = []
        self.batches: list[int] = []
        self.refuses = False

    async def __call__(self) -> Any:
        if self.refuses:
            raise ConnectionRefusedError("connection refused")
        connection = await asyncpg.connect(
            self.url, timeout=2, command_timeout=2, server_settings={"application_name": self.name}
        )
        connection.add_query_logger(self._note)
        self.made.append(connection)
        return connection

    def _note(self, query: Any) -> None:
        if query.query in (SQUARE.sql, SLEEP.sql):
            self.batches.append(len(query.args[0]))


@pytest.fixture
async def connector(database_url: str) -> AsyncIterator[Connector]:
    connector = Connector(database_url)
    yield connector
    for connection in connector.made:
        connection.terminate()


@pytest.fixture
async def coalescer(connector: Connector) -> Coalescer:
    return Coalescer(connector, 2)


async def fetch_all(coalescer: Coalescer, statement: HotStatement, values: Iterable[Any]) -> list[Any]:
    """The rows or errors of queries that are sent at the same time; none is left waiting."""
    queries = (coalescer.fetch(statement, value) for value in values)
    async with asyncio.timeout(TIMEOUT):
        return await asyncio.gather(*queries, return_exceptions=True)


async def assert_works(coalescer: Coalescer) -> None:
    """Both connections, and more queries than fit into a batch."""
    assert [row["y"] for row in await fetch_all(coalescer, SQUARE, range(200))] == [x * x for x in range(200)]


class TestAnswers:
    async def test_each_question_gets_its_own(self, coalescer: Coalescer) -> None:
        rows = await fetch_all(coalescer, SQUARE, range(500))
        assert [row["y"] for row in rows] == [x * x for x in range(500)]

    async def test_a_missing_row_is_none(self, coalescer: Coalescer) -> None:
        rows = await fetch_all(coalescer, POSITIVE, [1, -1, 2, 0])
        assert [row and row["x"] for row in rows] == [1, None, 2, None]

    async def test_values_of_one_moment_share_statements(self, coalescer: Coalescer, connector: Connector) -> None:
        await fetch_all(coalescer, SQUARE, range(200))
        assert sum(connector.batches) == 200
        assert len(connector.batches) == 13

    async def test_every_answer_is_of_now(self, coalescer: Coalescer, database: asyncpg.Connection) -> None:
        await database.execute("CREATE TABLE fresh (n int)")
        count = HotStatement(
            "SELECT q.n, (SELECT count(*) FROM fresh) AS count FROM unnest($1::int[]) WITH ORDINALITY AS q (x, n)"
        )
        try:
            for number in range(5):
                row = await coalescer.fetch(count, 0)
                assert row is not None
                assert row["count"] == number
                await database.execute("INSERT INTO fresh VALUES (1)")
        finally:
            await database.execute("DROP TABLE fresh")

    async def test_a_statement_is_parsed_once_a_connection(self, connector: Connector) -> None:
        coalescer = Coalescer(connector, 1)
        for size in (1, 7, 64, 200):
            await fetch_all(coalescer, SQUARE, range(size))
        runs = await connector.made[0].fetch(
            "SELECT generic_plans + custom_plans AS n FROM pg_prepared_statements WHERE statement = $1", SQUARE.sql
        )
        assert [row["n"] for row in runs] == [1 + 1 + 4 + 13]


class TestRefusals:
    async def test_a_refused_query_fails_no_other(self, coalescer: Coalescer) -> None:
        values = [*range(40), 2**16, *range(40, 60)]
        rows = await fetch_all(coalescer, SQUARE, values)
        for value, row in zip(values, rows, strict=True):
            if value == 2**16:
                assert isinstance(row, asyncpg.NumericValueOutOfRangeError)
            else:
                assert row["y"] == value**2

    async def test_a_query_that_the_driver_refuses_fails_no_other(self, coalescer: Coalescer) -> None:
        rows = await fetch_all(coalescer, SQUARE, [1, "two", 3, 2**40])
        assert (rows[0]["y"], rows[2]["y"]) == (1, 9)
        assert isinstance(rows[1], asyncpg.DataError)
        assert isinstance(rows[3], asyncpg.DataError)

    async def test_a_refused_question_is_found_by_halves(self, connector: Connector) -> None:
        await fetch_all(Coalescer(connector, 1), SQUARE, [*range(63), 2**16])
        assert len(connector.batches) <= 13

    async def test_all_refused(self, coalescer: Coalescer) -> None:
        rows = await fetch_all(coalescer, SQUARE, [2**16] * 70)
        assert all(isinstance(row, asyncpg.NumericValueOutOfRangeError) for row in rows)
        await assert_works(coalescer)


class TestWithoutConnections:
    async def test_survive_that_no_connection_can_be_had(self, coalescer: Coalescer, connector: Connector) -> None:
        connector.refuses = True
        for _ in range(5):
            rows = await fetch_all(coalescer, SQUARE, range(100))
            assert all(isinstance(row, ConnectionRefusedError) for row in rows)
        connector.refuses = False
        await assert_works(coalescer)

    async def test_a_question_at_the_moment_of_release_is_answered(self, coalescer: Coalescer) -> None:
        # Each query comes some steps after the previous row: while its connection looks for more,
        # while the task ends, and when it has ended.
        async with asyncio.timeout(TIMEOUT):
            for steps in range(60):
                row = await coalescer.fetch(SQUARE, steps)
                assert row is not None
                assert row["y"] == steps * steps
                for _ in range(steps % 6):
                    await asyncio.sleep(0)

    async def test_at_most_the_given_number(self, coalescer: Coalescer, connector: Connector) -> None:
        await asyncio.gather(*(fetch_all(coalescer, statement, range(1, 100)) for statement in (SQUARE, POSITIVE)))
        assert len(connector.made) <= 2

    async def test_no_statement_starves_another(self, coalescer: Coalescer) -> None:
        stop = False

        async def keep_asking() -> None:
            while not stop:
                await coalescer.fetch(SQUARE, 1)

        busy = [asyncio.create_task(keep_asking()) for _ in range(200)]
        try:
            await asyncio.sleep(0.05)
            async with asyncio.timeout(1):
                for _ in range(5):
                    assert await coalescer.fetch(POSITIVE, 5)
        finally:
            stop = True
            await asyncio.gather(*busy)


class TestCancelling:
    async def test_cancelled_queries_are_not_sent(self, connector: Connector) -> None:
        coalescer = Coalescer(connector, 1)
        first = coalescer.fetch(SLEEP, 200)
        await asyncio.sleep(0.05)
        gone = [coalescer.fetch(SQUARE, x) for x in range(10)]
        stays = coalescer.fetch(SQUARE, 11)
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        row = await stays
        assert row is not None
        assert row["y"] == 121
        assert await first
        assert connector.batches == [1, 1]

    async def test_a_disconnect_during_a_batch_does_not_affect_others(self, coalescer: Coalescer) -> None:
        tasks = [coalescer.fetch(SLEEP, 5) for _ in range(10)]
        await asyncio.sleep(0.02)
        for task in tasks[::2]:
            task.cancel()
        async with asyncio.timeout(TIMEOUT):
            rows = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(row, asyncio.CancelledError) for row in rows[::2])
        assert all(row["x"] == 5 for row in rows[1::2])

    async def test_all_gone(self, coalescer: Coalescer) -> None:
        tasks = [coalescer.fetch(SQUARE, x) for x in range(10)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await assert_works(coalescer)


class TestStopping:
    async def test_waiting_queries_fail(self, connector: Connector) -> None:
        coalescer = Coalescer(connector, 1)
        queries = [coalescer.fetch(SLEEP, 1000)]
        await asyncio.sleep(0.1)
        queries.append(coalescer.fetch(SQUARE, 2))
        coalescer.close()
        async with asyncio.timeout(0.5):
            rows = await asyncio.gather(*queries, return_exceptions=True)
        assert {type(row) for row in rows} == {ConnectionAbortedError}

    async def test_waiting_for_a_connection_has_a_time_limit(self, connector: Connector) -> None:
        coalescer = Coalescer(connector, 1)
        first = coalescer.fetch(SLEEP, 1800)
        await asyncio.sleep(0.1)
        late = coalescer.fetch(SQUARE, 2)
        await asyncio.sleep(0.5)
        in_time = coalescer.fetch(SQUARE, 3)
        rows = await asyncio.gather(first, late, in_time, return_exceptions=True)
        assert isinstance(rows[1], TimeoutError)
        assert not any(isinstance(row, Exception) for row in (rows[0], rows[2]))


class TestConnections:
    async def test_connections_killed_under_load_mix_up_no_rows_and_leave_no_query_waiting(
        self, coalescer: Coalescer, connector: Connector, database: asyncpg.Connection
    ) -> None:
        answered = refused = killed = 0
        end = time.monotonic() + 1.5

        async def keep_asking(x: int) -> None:
            nonlocal answered, refused
            while time.monotonic() < end:
                try:
                    row = await coalescer.fetch(SQUARE, x)
                    assert row is not None
                    assert row["y"] == x * x
                    answered += 1
                except Exception as error:
                    if not is_database_away(error):
                        raise
                    refused += 1
                    await asyncio.sleep(0.001)
                x = (x + 97) % 40_000

        async def keep_killing() -> None:
            nonlocal killed
            while time.monotonic() < end:
                await asyncio.sleep(0.05)
                killed += await database.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1",
                    connector.name,
                )

        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(keep_killing(), *(keep_asking(x) for x in range(100)))
        assert killed
        assert refused
        assert answered
        await asyncio.sleep(0.1)
        await assert_works(coalescer)

    async def test_one_that_was_closed_while_idle_is_replaced_unnoticed(
        self, coalescer: Coalescer, connector: Connector, database: asyncpg.Connection
    ) -> None:
        await assert_works(coalescer)
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", connector.name
        )
        await asyncio.sleep(0.1)
        assert all(connection.is_closed() for connection in connector.made)
        await assert_works(coalescer)

    async def test_a_statement_that_takes_too_long_ends(self, coalescer: Coalescer) -> None:
        rows = await fetch_all(coalescer, SLEEP, [30_000])
        assert isinstance(rows[0], TimeoutError)
        await assert_works(coalescer)

    async def test_one_whose_server_process_is_frozen_is_given_up(self, connector: Connector) -> None:
        coalescer = Coalescer(connector, 1)
        await assert_works(coalescer)
        frozen = connector.made[0].get_server_pid()
        os.kill(frozen, signal.SIGSTOP)
        try:
            rows = await fetch_all(coalescer, SQUARE, [1])
            assert isinstance(rows[0], TimeoutError)
            await assert_works(coalescer)
        finally:
            os.kill(frozen, signal.SIGCONT)

    async def test_closed(self, coalescer: Coalescer, connector: Connector) -> None:
        await assert_works(coalescer)
        await asyncio.sleep(0)
        coalescer.close()
        assert all(connection.is_closed() for connection in connector.made)


@pytest.fixture
async def counters(database: asyncpg.Connection) -> AsyncIterator[HotStatement]:
    """A change: adds 1 to a counter (0 to 4), and refuses to go beyond 1000."""
    await database.execute(
        "CREATE TABLE counter (id int PRIMARY KEY, n int CHECK (n <= 1000));"
        "INSERT INTO counter SELECT id, 0 FROM generate_series(0, 4) id"
    )
    change = """
        WITH asked AS (SELECT n, x AS id FROM unnest($1::int[]) WITH ORDINALITY AS q (x, n)),
        held AS MATERIALIZED (
            SELECT c.id FROM counter c WHERE c.id IN (SELECT id FROM asked) ORDER BY c.id FOR UPDATE WAIT
        ), changed AS (
            UPDATE counter c SET n = c.n + 1 FROM held WHERE c.id = held.id RETURNING c.id, c.n AS value
        )
        SELECT n, value, CASE WHEN value IS NULL THEN id END AS locked FROM asked LEFT JOIN changed USING (id)
    """
    yield HotStatement(change.replace("WAIT", "SKIP LOCKED"), subject=0, blocking=change.replace("WAIT", ""))
    await database.execute("DROP TABLE counter")


class TestChanges:
    async def test_each_is_made_once(self, coalescer: Coalescer, counters: HotStatement) -> None:
        rows = await fetch_all(coalescer, counters, [number % 5 for number in range(100)])
        for counter in range(5):
            assert [row["value"] for row in rows[counter::5]] == list(range(1, 21))

    async def test_what_is_locked_holds_up_no_other(
        self, coalescer: Coalescer, counters: HotStatement, database: asyncpg.Connection
    ) -> None:
        async with database.transaction():
            await database.execute("UPDATE counter SET n = 100 WHERE id = 0")
            locked, *others = (coalescer.fetch(counters, number) for number in range(5))
            async with asyncio.timeout(TIMEOUT):
                rows = await asyncio.gather(*others)
            assert [row and row["value"] for row in rows] == [1] * 4
            assert not locked.done()
        row = await locked
        assert row is not None
        assert row["value"] == 101

    async def test_blocked_changes_leave_a_connection_for_others(
        self, coalescer: Coalescer, counters: HotStatement, database: asyncpg.Connection
    ) -> None:
        async with database.transaction():
            await database.execute("SELECT FROM counter WHERE id < 4 FOR UPDATE")
            locked = []
            for number in range(4):
                locked.append(coalescer.fetch(counters, number))
                await asyncio.sleep(0.05)
            async with asyncio.timeout(TIMEOUT):
                row = await coalescer.fetch(counters, 4)
            assert row is not None
            assert row["value"] == 1
            assert not any(one.done() for one in locked)
        assert [row and row["value"] for row in await asyncio.gather(*locked)] == [1] * 4

    async def test_cancelled_changes_are_not_made(
        self, coalescer: Coalescer, counters: HotStatement, database: asyncpg.Connection
    ) -> None:
        async with database.transaction():
            await database.execute("SELECT FROM counter WHERE id < 3 FOR UPDATE")
            locked = [coalescer.fetch(counters, number) for number in range(3)]
            # The first waits in the database, the others in the coalescer.
            async with asyncio.timeout(TIMEOUT):
                while len(coalescer._locked) < 2:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.01)
            locked[1].cancel()
            locked[2].cancel()
        row = await locked[0]
        assert row is not None
        rows = await fetch_all(coalescer, counters, range(3))
        assert [row["value"] for row in rows] == [2, 1, 1]

    async def test_a_refused_change_fails_no_other(
        self, coalescer: Coalescer, counters: HotStatement, database: asyncpg.Connection
    ) -> None:
        await database.execute("UPDATE counter SET n = 1000 WHERE id = 2")
        rows = await fetch_all(coalescer, counters, range(5))
        assert isinstance(rows.pop(2), asyncpg.CheckViolationError)
        assert [row["value"] for row in rows] == [1] * 4

    async def test_after_a_lost_connection_the_same_can_be_changed_again(
        self, coalescer: Coalescer, counters: HotStatement, connector: Connector
    ) -> None:
        await fetch_all(coalescer, counters, range(5))
        connector.refuses = True
        for connection in connector.made:
            connection.terminate()
        rows = await fetch_all(coalescer, counters, range(5))
        assert {type(row) for row in rows} == {ConnectionRefusedError}
        connector.refuses = False
        assert [row["value"] for row in await fetch_all(coalescer, counters, range(5))] == [2] * 5
