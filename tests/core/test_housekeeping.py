"""Sweeping out what has expired."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest
from fastapi import FastAPI

from game.core import housekeeping
from game.core.housekeeping import delete_expired
from tests.conftest import PATIENCE_SECONDS, Person

_COUNT = """
    SELECT (SELECT count(*) FROM rate_limit WHERE key LIKE $1 || '%'),
        (SELECT count(*) FROM idempotency_key WHERE key LIKE $1 || '%'),
        (SELECT count(*) FROM auth_session WHERE user_agent LIKE $1 || '%')
"""


@pytest.fixture
def mark() -> str:
    return uuid4().hex


async def put(database: asyncpg.Connection, person: Person, mark: str, age: str) -> None:
    """A row of each kind that expires, or has expired, this long from now."""
    user = UUID(person.id)
    await database.execute(
        f"INSERT INTO rate_limit VALUES ($1 || gen_random_uuid(), 1, now() + interval '{age}')", mark
    )
    await database.execute(
        "INSERT INTO idempotency_key (user_id, key, fingerprint, expires_at) "
        f"VALUES ($1, $2 || gen_random_uuid(), '', now() + interval '{age}')",
        user,
        mark,
    )
    await database.execute(
        "INSERT INTO auth_session SELECT gen_random_uuid(), $1, '', $2, '', now(), now(), "
        f"now() + interval '{age}'",
        user,
        mark,
    )


class TestSweep:
    async def test_what_has_expired_and_nothing_else(
        self, app: FastAPI, owner: Person, mark: str, database: asyncpg.Connection
    ) -> None:
        await put(database, owner, mark, "-1 second")
        await put(database, owner, mark, "1 minute")
        assert await delete_expired(app.state.database) >= 3
        assert tuple(await database.fetchrow(_COUNT, mark) or ()) == (1, 1, 1)
        assert (await owner.client.get("/users/me")).status_code == 200

    async def test_one_worker_at_a_time(
        self, app: FastAPI, owner: Person, mark: str, database: asyncpg.Connection
    ) -> None:
        await put(database, owner, mark, "-1 second")
        async with database.transaction():
            await database.execute("SELECT pg_advisory_xact_lock($1)", housekeeping._LOCK)
            assert await delete_expired(app.state.database) == 0
        assert await delete_expired(app.state.database) >= 3

    async def test_runs_periodically_until_all_expired_rows_are_deleted(
        self,
        owner: Person,
        app: FastAPI,
        mark: str,
        database: asyncpg.Connection,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(housekeeping, "_INTERVAL_SECONDS", 0.01)
        monkeypatch.setattr(housekeeping, "_BATCH", 2)
        for _ in range(5):
            await put(database, owner, mark, "-1 second")

        async with asyncio.timeout(PATIENCE_SECONDS), housekeeping.housekeeping(app.state.database):
            while any(await database.fetchrow(_COUNT, mark) or ()):  # noqa: ASYNC110 - another task is at it
                await asyncio.sleep(0.01)
