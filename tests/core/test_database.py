"""The database as requests use it: one transaction each, committed before the response; and its connections."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from game.core.database import Database, Session, connections_of_a_worker, hot_connection_options
from game.core.errors import Conflict
from game.core.schema import ROOT, head_revision
from game.core.settings import Settings
from game.main import create_app, lifespan
from tests.conftest import new_client, sign_up_and_log_in


class Kept(Conflict):
    """Refused, but what was written stays."""

    commits = True


def with_database(settings: Settings, url: str, **others: int) -> Settings:
    """The same settings for another database."""
    values = settings.model_dump(exclude={"database_url", *others})
    return Settings(_env_file=None, **values, **others, database_url=url)  # type: ignore[call-arg]  # of pydantic-settings, untyped


async def _write(session: Session, value: int, end: str = "") -> dict[str, int]:
    await session.execute(text("INSERT INTO written_number VALUES (:value)"), {"value": value})
    if end == "refused":
        raise Conflict
    if end == "kept":
        raise Kept
    if end == "broken":
        raise RuntimeError("broken")
    return {"value": value}


@pytest.fixture(scope="module")
def url(new_database: Callable[..., str]) -> str:
    """A database with one more table, whose constraint is only checked at the commit."""
    url = new_database()

    async def prepare() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE written_number (value int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        await connection.close()

    asyncio.run(prepare())
    return url


@pytest.fixture
def another_url(new_database: Callable[..., str]) -> str:
    return new_database()


@pytest.fixture(scope="module")
async def app(url: str, settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(with_database(settings, url))
    app.add_api_route("/test/write", _write, methods=["POST"])
    async with lifespan(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with new_client(app) as client:
        yield client


async def rows(url: str, sql: str = "SELECT value FROM written_number ORDER BY 1") -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


class TestTransaction:
    async def test_is_committed(self, client: httpx2.AsyncClient, url: str) -> None:
        answer = await client.post("/test/write?value=1")
        assert answer.status_code == 200
        assert 1 in await rows(url)

    async def test_a_commit_that_fails_is_no_success(self, client: httpx2.AsyncClient, url: str) -> None:
        """The commit comes before the response, so that a 200 always means that the write is stored."""
        await client.post("/test/write?value=2")
        answer = await client.post("/test/write?value=2")
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
        assert (await rows(url)).count(2) == 1

    @pytest.mark.parametrize(("value", "end", "status"), [(3, "refused", 409), (4, "broken", 500)])
    async def test_an_error_undoes_it(
        self, value: int, end: str, status: int, client: httpx2.AsyncClient, url: str
    ) -> None:
        assert (await client.post(f"/test/write?value={value}&end={end}")).status_code == status
        assert value not in await rows(url)

    async def test_an_error_that_keeps_it(self, client: httpx2.AsyncClient, url: str) -> None:
        assert (await client.post("/test/write?value=5&end=kept")).status_code == 409
        assert 5 in await rows(url)


class TestConnections:
    @pytest.fixture
    async def database(self, settings: Settings) -> AsyncIterator[Database]:
        """The connections of a server with the default timeout of requests."""
        database = Database(settings.model_copy(update={"request_timeout": 4}))
        yield database
        await database.close()

    async def test_limits_are_set(self, database: Database) -> None:
        async with database.engine.connect() as connection:
            for name, value in (("statement_timeout", "3s"), ("idle_in_transaction_session_timeout", "10s")):
                assert await connection.scalar(text(f"SHOW {name}")) == value
        hot = await database.hot_connection()
        assert await hot.fetchval("SHOW statement_timeout") == "3s"
        await hot.close()

    async def test_a_statement_that_takes_too_long_is_ended(self, database: Database) -> None:
        start = asyncio.get_running_loop().time()
        async with database.engine.connect() as connection:
            with pytest.raises((TimeoutError, DBAPIError)):
                await connection.execute(text("SELECT pg_sleep(10)"))
        assert asyncio.get_running_loop().time() - start < 9

    @pytest.mark.parametrize("option", ["sslmode=disable", "application_name=other", "sslmode=prefer"])
    async def test_takes_the_options_of_libpq(self, option: str, url: str, settings: Settings) -> None:
        database = Database(with_database(settings, f"{url}&{option}"))
        try:
            async with database.engine.connect() as connection:
                assert await connection.scalar(text("SELECT 1")) == 1
            pool = await database.side_pool()
            assert await pool.fetchval("SELECT 1") == 1
        finally:
            await database.close()

    async def test_are_no_more_than_said(self, another_url: str, settings: Settings) -> None:
        changed = with_database(settings, another_url, database_pool_size=3, hot_pool_size=2)
        app = create_app(changed)
        async with lifespan(app), new_client(app) as client:
            await sign_up_and_log_in(client)
            paths = ("/health/ready", "/universes", "/users/me", "/universes?q=x") * 10
            await asyncio.gather(*(client.get(path) for path in paths))
            database: Database = app.state.database
            async with database.engine.connect() as connection:
                count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                assert 5 <= await connection.scalar(text(count)) <= connections_of_a_worker(changed)

    async def test_one_user_does_not_take_all(self, another_url: str, settings: Settings) -> None:
        """Somebody whose many writes wait for a locked universe keeps nobody from writing to others."""
        app = create_app(with_database(settings, another_url, database_pool_size=6))
        async with lifespan(app), new_client(app) as busy, new_client(app) as other:
            for client in (busy, other):
                await sign_up_and_log_in(client)
            universe = (await busy.post("/universes", json={"name": "Locked"})).json()
            holder = await asyncpg.connect(another_url)
            async with holder.transaction():
                await holder.execute("SELECT FROM universe WHERE id = $1 FOR UPDATE", universe["id"])
                path = f"/universes/{universe['id']}"
                waiting = [asyncio.create_task(busy.patch(path, json={"name": str(n)})) for n in range(20)]
                blocked: list[int] = []
                for _ in range(500):
                    await asyncio.sleep(0.02)
                    blocked = await rows(another_url, "SELECT pid FROM pg_locks WHERE NOT granted")
                    if len(blocked) == 2:
                        break
                assert len(blocked) == 2
                for number in range(10):
                    assert (await other.post("/universes", json={"name": str(number)})).status_code == 201
                assert not any(task.done() for task in waiting)
            assert {task.status_code for task in await asyncio.gather(*waiting)} <= {200, 503}
            await holder.close()

    async def test_what_a_pooler_must_know_is_documented(self) -> None:
        page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
        (known,) = re.findall("ignore_startup_parameters = (.*)", page)
        names = hot_connection_options(4)["server_settings"].keys()
        assert set(known.split(", ")) == names - {"application_name"}


class TestReady:
    async def test_ready(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    async def test_not_migrated(self, url: str, client: httpx2.AsyncClient) -> None:
        await rows(url, "UPDATE alembic_version SET version_num = 'other' RETURNING 1")
        try:
            answer = await client.get("/health/ready")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "python -m game migrate" in answer.json()["detail"]
        finally:
            await rows(url, f"UPDATE alembic_version SET version_num = '{head_revision()}' RETURNING 1")

    async def test_database_away(self, settings: Settings) -> None:
        app = create_app(with_database(settings, "postgresql://127.0.0.1:1/nothing"))
        async with lifespan(app), new_client(app) as client:
            answer = await client.get("/health/ready")
            assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
            assert (await client.get("/health")).status_code == 200
