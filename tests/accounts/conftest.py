"""Fixtures of the tests of accounts: log-ins, received mails, apps with other settings, threads for passwords."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from game.accounts import passwords
from game.core import mail
from game.core.settings import Settings
from game.main import create_app, lifespan
from tests.conftest import PASSWORD, Person, new_client, sign_up_and_log_in

PATIENCE_SECONDS = 5.0


async def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds; returns what it gave."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := condition()):  # noqa: ASYNC110 - it is about threads and files
            await asyncio.sleep(0.01)
    return found


def new_address() -> str:
    return f"{uuid4().hex[:16]}@example.com"


async def log_in(client: httpx2.AsyncClient, person: Person, **form: str) -> httpx2.Response:
    return await client.post("/auth/jwt/login", data={"username": person.email, "password": PASSWORD, **form})


async def refresh(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post("/auth/jwt/refresh", json={"refresh_token": token})


async def knows(client: httpx2.AsyncClient, access_token: str) -> bool:
    """Whether an access token works, the hot way and the plain way alike."""
    headers = {"authorization": f"Bearer {access_token}"}
    hot = await client.get("/users/me", headers=headers)
    plain = await client.get("/users/me?plain=1", headers=headers)
    assert hot.status_code == plain.status_code
    assert hot.status_code in (200, 401)
    return hot.status_code == 200


async def lets_in(client: httpx2.AsyncClient, email: str, password: str) -> bool:
    answer = await client.post("/auth/jwt/login", data={"username": email, "password": password})
    assert answer.status_code in (200, 400)
    return answer.status_code == 200


async def waits_for_a_lock(database: asyncpg.Connection) -> None:
    """Wait until another connection of this database waits for a lock that this one holds."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await database.fetchval(query):
            await asyncio.sleep(0.01)
            await database.execute("SELECT pg_stat_clear_snapshot()")


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails leave at once."""
    monkeypatch.setattr(mail, "_DELAY_SECONDS", (0, 0))


Mails = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def mails(settings: Settings) -> Mails:
    """Waits for a number of mails to an address with a subject; returns their texts, oldest first."""

    def arrived(to: str, subject: str, count: int) -> list[str]:
        slug = subject.lower().replace(" ", "-")
        texts = []
        for path in sorted((settings.data_dir / "mail").glob(f"*-{slug}.eml")):
            message = message_from_bytes(path.read_bytes(), policy=default)
            if isinstance(message, EmailMessage) and message["To"] == to:
                texts.append(message.get_content())
        return texts if len(texts) >= count else []

    async def wait(to: str, subject: str, count: int = 1) -> list[str]:
        texts: list[str] = await until(lambda: arrived(to, subject, count))
        assert len(texts) == count
        return texts

    return wait


def token_in(text: str) -> str:
    """The token of a mail: it is on a separate line."""
    [token] = [line for line in text.splitlines() if line.count(".") == 2 and " " not in line]
    return token


@pytest.fixture
async def another_app(settings: Settings) -> AsyncIterator[Callable[..., Awaitable[FastAPI]]]:
    """Makes an app on the same database with other settings: like another worker of the server."""
    async with AsyncExitStack() as stack:

        async def make(**changes: Any) -> FastAPI:
            app = create_app(settings.model_copy(update=changes))
            await stack.enter_async_context(lifespan(app))
            return app

        yield make


class Threads(ThreadPoolExecutor):
    """One thread for passwords, that counts its jobs and can be made to wait."""

    def __init__(self) -> None:
        super().__init__(1, thread_name_prefix="counted")
        self.jobs: list[str] = []
        self.waiting = 0
        self._go = threading.Event()
        self._go.set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self.jobs.append(getattr(fn, "__name__", "?"))
        self.waiting += 1
        return super().submit(self._work, fn, *args, **kwargs)

    def _work(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._go.wait(PATIENCE_SECONDS)
        self.waiting -= 1
        return fn(*args, **kwargs)

    def hold(self) -> None:
        self._go.clear()

    def release(self) -> None:
        self._go.set()


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Threads]:
    """The threads that hash passwords in this test."""
    with Threads() as threads:
        monkeypatch.setattr(passwords, "_THREADS", threads)
        yield threads
        threads.release()


@pytest.fixture
async def new_person(app: FastAPI) -> AsyncIterator[Callable[..., Awaitable[Person]]]:
    """Signs people up through the API, including the mails."""
    clients = []

    async def make(**fields: Any) -> Person:
        clients.append(new_client(app))
        return await sign_up_and_log_in(clients[-1], **fields)

    yield make
    for client in clients:
        await client.aclose()
