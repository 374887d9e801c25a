"""The basis of all tests: a real PostgreSQL, a migrated database for each worker, the app, users.

Tests share their worker's database and never empty it: every test signs up its own people, and nobody sees what
is not theirs.
"""

import asyncio
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from fasteners import InterProcessLock
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import event
from xdist.scheduler import LoadScopeScheduling

from game.accounts import passwords
from game.accounts import queries as accounts
from game.accounts.models import User, UserRegister, default_display_name
from game.accounts.passwords import hash_password
from game.core import schema
from game.core.embedded import running
from game.core.limits import Rate
from game.core.server import HotProtocol
from game.core.settings import Settings
from game.core.sockets import MAX_MESSAGE, PING_SECONDS, PONG_SECONDS, SocketProtocol
from game.main import create_app, lifespan
from tests.forked import Forked

PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 300
"""How long a test waits for what must come, on a machine however busy."""

# The suite tries the same few examples each time: a run says what a change did. `make soak` tries new ones.
_EXAMPLES = {"suite": 30, "soak": 1000}
for _name, _examples in _EXAMPLES.items():
    hypothesis_settings.register_profile(
        _name,
        max_examples=_examples,
        derandomize=_name == "suite",
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
hypothesis_settings.load_profile("suite")

# Files that take longest, the longest first: started last, they would leave one worker without work at the end.
_LONGEST = (
    "browser/",
    "test_faults.py",
    "live/",
    "admin/test_routes.py",
    "test_matrix.py",
    "test_cli.py",
    "test_secrets.py",
    "admin/test_roles.py",
    "admin/test_writes.py",
    "test_openapi.py",
    "core/test_hot.py",
    "core/test_server.py",
    "exchange/",
)


def _group(nodeid: str) -> str:
    """What one worker does alone: the tests of a file, or those in the browser. They share what is set up."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    return "browser/" if path.startswith("browser/") else path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes longest."""

    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(_LONGEST) if _group(item.nodeid).startswith(name)), len(_LONGEST))

    items.sort(key=place)


# Nothing of what is collected is garbage.
gc.disable()


def pytest_collection_finish() -> None:
    """Let the collector pass over the program and six thousand tests: they stay until the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


class _Groups(LoadScopeScheduling):
    """Gives workers one group after another.

    `--dist loadgroup` silently does nothing with pytest 9.2: pytest-xdist issue 1386.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """With `-n`, tests are given to workers by groups, in the order above."""
    config.option.loadscopereorder = False
    return _Groups(config, log)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Passwords are hashed with the least that Argon2 takes. `real_passwords` has what the server uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASH", passwords.password_hash(8, 1))
        patch.setattr(passwords, "_DUMMY_HASH", passwords.dummy_hash(8, 1))
        yield


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost in this test what they cost on a server."""
    monkeypatch.setattr(passwords, "_HASH", passwords.password_hash())
    monkeypatch.setattr(passwords, "_DUMMY_HASH", passwords.dummy_hash())


_QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
}
"""Settings of PostgreSQL for temporary data."""


@pytest.fixture(scope="session")
def cluster(testrun_uid: str) -> Iterator[str]:
    """The URL of a PostgreSQL that all test workers share; its durability is off, for speed."""
    # Not below pytest's folder: that one is closed to the system user that PostgreSQL runs as for root.
    folder = Path(tempfile.gettempdir()) / f"worldkeep-tests-{testrun_uid}"
    with running(folder, settings=_QUICK) as url:
        yield url
    if not (folder / "postgres" / "postmaster.pid").exists():
        shutil.rmtree(folder, ignore_errors=True)


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _exists(url: str, name: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name))
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def new_database(cluster: str) -> Callable[..., str]:
    """Makes another migrated database, as a copy of one that the real migrations made, or an empty one.

    Returns its URL.
    """

    def make(*, empty: bool = False) -> str:
        lock = Path(urlsplit(cluster).query.partition("host=")[2].partition("&")[0]).parent / "template.lock"
        with InterProcessLock(str(lock)):
            if not asyncio.run(_exists(cluster, "migrated")):
                asyncio.run(_execute(cluster, "CREATE DATABASE migrating"))
                schema.upgrade(_named(cluster, "migrating"))
                asyncio.run(_execute(cluster, "ALTER DATABASE migrating RENAME TO migrated"))
            name = f"test_{uuid4().hex[:12]}"
            template = "template0" if empty else "migrated"
            asyncio.run(_execute(cluster, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
        return _named(cluster, name)

    return make


@pytest.fixture(scope="session")
def database_url(new_database: Callable[..., str]) -> str:
    """The database of this test worker."""
    return new_database()


@pytest.fixture(scope="session")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings without limits that a test would run into; and with time enough on a busy machine."""
    often = Rate(100_000, 3600)
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings, untyped
        database_url=database_url,
        data_dir=tmp_path_factory.mktemp("data"),
        secret_key="a secret for tests, long enough: 0123456789",
        limit_login=often,
        limit_signup=often,
        limit_mail=often,
        limit_code=often,
        limit_roll=often,
        limit_message=often,
        request_timeout=PATIENCE_SECONDS,
        log_level="warning",
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running app of this test worker."""
    app = create_app(settings)
    async with lifespan(app):
        yield app


@pytest.fixture(scope="session")
async def url(app: FastAPI) -> AsyncIterator[str]:
    """The address of the running app, on a real socket in the same event loop."""
    config = uvicorn.Config(
        app,
        http=HotProtocol,
        ws=SocketProtocol,
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        task = asyncio.create_task(server._serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@dataclass
class Person:
    """A user, and their HTTP client."""

    client: httpx2.AsyncClient
    id: str
    email: str
    password: str
    tokens: dict[str, Any] = field(default_factory=dict)

    async def universe(self, **fields: Any) -> dict[str, Any]:
        """A new universe of theirs."""
        answer = await self.client.post("/universes", json={"name": "Somewhere", **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def map(self, universe_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """Create a map of this user, by default in a new universe."""
        universe_id = universe_id or (await self.universe())["id"]
        answer = await self.client.post("/maps", json={"name": "Cellar", **fields, "universe_id": universe_id})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def new_client(app: FastAPI, address: str = "127.0.0.1", **options: Any) -> httpx2.AsyncClient:
    """An HTTP client at an address that talks to the app in this process."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 1234))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost", **options)


@pytest.fixture
def statements(app: FastAPI) -> Iterator[list[str]]:
    """The SQL that the app's requests run in this test."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engine = app.state.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """An anonymous client."""
    async with new_client(app) as client:
        yield client


async def sign_up_and_log_in(client: httpx2.AsyncClient, **fields: Any) -> Person:
    """Make an account through a client, log it in, and send its token from then on."""
    body = {"email": f"{uuid4().hex[:16]}@example.com", "password": PASSWORD, **fields}
    registered = await client.post("/auth/register", json=body)
    assert registered.status_code == 201, registered.text
    form = {"username": body["email"], "password": body["password"]}
    login = await client.post("/auth/jwt/login", data=form)
    assert login.status_code == 200, login.text
    client.headers["authorization"] = f"Bearer {login.json()['access_token']}"
    return Person(client, registered.json()["id"], body["email"], body["password"], login.json())


_hashes: dict[str, str] = {}


async def somebody(app: FastAPI, **fields: Any) -> Person:
    """A logged-in user, as the endpoints create them, except that each password is hashed only once."""
    state, body = app.state, {"email": f"{uuid4().hex[:16]}@example.com", "password": PASSWORD, **fields}
    shape = UserRegister(**body)
    if shape.password not in _hashes:
        _hashes[shape.password] = await hash_password(shape.password)
    async with state.database.session() as session, session.begin():
        user = User(email=shape.email, hashed_password=_hashes[shape.password], display_name=shape.display_name)
        user.display_name = shape.display_name or default_display_name(user.id)
        session.add(user)
        await session.flush()
        row, refresh = await accounts.start_session(
            session, state.refresh_tokens, user.id, 30, user_agent="a test", ip_address="127.0.0.1"
        )
    access = state.tokens.sign(user.id, row.id, 900)
    client = new_client(app, headers={"authorization": f"Bearer {access}"})
    tokens = {"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 900}
    return Person(client, str(user.id), body["email"], body["password"], tokens)


@pytest.fixture
async def new_person(app: FastAPI) -> AsyncIterator[Callable[..., Awaitable[Person]]]:
    """Makes people."""
    people = []

    async def make(**fields: Any) -> Person:
        people.append(await somebody(app, **fields))
        return people[-1]

    yield make
    for person in people:
        await person.client.aclose()


@pytest.fixture
async def owner(new_person: Callable[..., Awaitable[Person]]) -> Person:
    """The user who owns the objects of a test."""
    return await new_person(display_name="Owner")


@pytest.fixture
async def stranger(new_person: Callable[..., Awaitable[Person]]) -> Person:
    """Another user."""
    return await new_person(display_name="Stranger")


@pytest.fixture
async def superuser(new_person: Callable[..., Awaitable[Person]], database_url: str) -> Person:
    """A superuser."""
    person = await new_person(display_name="Superuser")
    await _execute(database_url, f"UPDATE account SET is_superuser = true WHERE id = '{person.id}'")
    return person


@pytest.fixture(scope="session")
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """What `database` hands from test to test."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def database(connection: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """A connection for the test alone."""
    yield connection
    await connection.reset()


def free_port() -> int:
    """An unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A server in processes of its own."""

    process: subprocess.Popen[bytes] | Forked
    url: str
    log: Path

    def wait_until_up(self) -> None:
        """Wait until it answers."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError(f"the server does not answer:\n{self.log.read_text()}")

    def stop(self, sign: int = signal.SIGTERM, timeout: float = PATIENCE_SECONDS) -> int:
        """Send a signal, and wait for the end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        return self.process.wait(timeout)


def clean_environment(**environment: str) -> dict[str, str]:
    """The environment of a process that is to have no settings but these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WORLDKEEP_")}
    clean.pop("DATABASE_URL", None)
    # Otherwise each start would compile the whole program again.
    clean.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**clean, "PYTHONPATH": str(schema.ROOT), **environment}


def game(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as by `python -m game`, and wait for its end."""
    output, errors = (folder / f"{uuid4().hex}.{name}" for name in ("stdout", "stderr"))
    process = Forked(list(arguments), clean_environment(**environment), folder, output, errors)
    try:
        status = process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
    return subprocess.CompletedProcess(arguments, status, output.read_text(), errors.read_text())


def _command(
    arguments: list[str], environment: dict[str, str], folder: Path, log: Path
) -> subprocess.Popen[bytes]:
    """`python -m game` in a process group of its own."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "game", *arguments],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )


@contextmanager
def serving(
    folder: Path,
    *arguments: str,
    port: int = 0,
    before: Callable[[], object] | None = None,
    as_command: bool = False,
    **environment: str,
) -> Iterator[Server]:
    """A real server, as by `python -m game serve`, on a port of its own unless one is given; stopped at the end.

    By default (without DATABASE_URL), it runs an embedded database in `folder`, and requests may take minutes.
    `before` is called in its process first. With `as_command` it is a new Python that imports the program.
    """
    port = port or free_port()
    log = folder / f"server-{port}.log"
    limits = {
        f"WORLDKEEP_LIMIT_{name}": "100000/hour" for name in ("LOGIN", "SIGNUP", "MAIL", "CODE", "ROLL", "MESSAGE")
    }
    defaults = {**limits, "WORLDKEEP_REQUEST_TIMEOUT": str(PATIENCE_SECONDS)}
    command = ["serve", "--port", str(port), "--data-dir", str(folder), *arguments]
    environment = clean_environment(**{**defaults, **environment})
    log.touch()
    process: subprocess.Popen[bytes] | Forked
    if as_command:
        process = _command(command, environment, folder, log)
    else:
        process = Forked(command, environment, folder, log, before=before)
    server = Server(process, f"http://127.0.0.1:{port}", log)
    try:
        server.wait_until_up()
        yield server
    finally:
        try:
            server.stop()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
