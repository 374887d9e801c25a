"""Real faults: the database and the server are stopped, frozen and killed while people play."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import psutil
import pytest
from alembic import command
from sqlmodel import SQLModel

from game.core import schema
from game.core.embedded import binary, running
from tests import conftest
from tests.conftest import PASSWORD, PATIENCE_SECONDS, Server, game

# They stop whole servers and need both cores: one at a time.

Call = Callable[[], httpx2.Response]
Answers = list[tuple[httpx2.Response, float]]

GRID = {
    "width": 3,
    "height": 2,
    "legend": [{"symbol": "#", "name": "wall"}],
    "layers": [{"name": "ground", "rows": ["###", "# #"]}],
}


def serving(folder: Path, *arguments: str, **environment: str) -> AbstractContextManager[Server]:
    """A server with the deadlines that it has by default: here they are what is tested."""
    return conftest.serving(folder, *arguments, WORLDKEEP_REQUEST_TIMEOUT="4", **environment)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Straight under /tmp: pytest's own folders close themselves to PostgreSQL's user in the next session."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-faults-", ignore_cleanup_errors=True) as path:
        Path(path).chmod(0o755)
        yield Path(path).resolve()


@pytest.fixture(scope="module")
def home(folder: Path) -> Path:
    """A data directory whose database is stopped between tests."""
    path = folder / "home"
    path.mkdir()
    return path


@contextmanager
def player(server: Server, email: str | None = None) -> Iterator[httpx2.Client]:
    """The HTTP client of a logged-in user, who is signed up unless an address is given."""
    limits = httpx2.Limits(max_connections=200)
    with httpx2.Client(base_url=server.url, timeout=20, limits=limits) as client:
        if email is None:
            email = f"{uuid4().hex}@example.com"
            client.post("/auth/register", json={"email": email, "password": PASSWORD}).raise_for_status()
        login = client.post("/auth/jwt/login", data={"username": email, "password": PASSWORD})
        client.headers["authorization"] = f"Bearer {login.raise_for_status().json()['access_token']}"
        yield client


def make(client: httpx2.Client, path: str, **fields: Any) -> str:
    """Make something; returns its path."""
    answer = client.post(path, json={"name": "Here", **fields})
    assert answer.status_code == 201, answer.text
    return f"{path}/{answer.json()['id']}"


def make_map(client: httpx2.Client) -> tuple[str, str]:
    """Make a universe with a map; returns their paths."""
    universe = make(client, "/universes")
    return universe, make(client, "/maps", universe_id=universe.rpartition("/")[2], grid_data=GRID)


def all_kinds(client: httpx2.Client) -> list[Call]:
    """A request of each kind: hot, plain, and a write."""
    universe, map_ = make_map(client)
    return [
        lambda: client.get("/users/me"),
        lambda: client.get(universe),
        lambda: client.get(map_),
        lambda: client.get("/universes"),
        lambda: client.get("/universes?q=here"),
        lambda: client.get(f"{universe}/events"),
        lambda: client.get("/health/ready"),
        lambda: client.patch(universe, json={"description": uuid4().hex}),
        lambda: client.put(map_, json={"name": uuid4().hex, "grid_data": GRID}),
        lambda: client.post("/universes", json={"name": "More"}),
        lambda: client.post("/auth/jwt/login", data={"username": "a@b.example", "password": "wrong"}),
    ]


def timed(call: Call) -> tuple[httpx2.Response, float]:
    """A response, and the seconds until it came."""
    start = time.perf_counter()
    answer = call()
    return answer, time.perf_counter() - start


def at_once(calls: list[Call]) -> Answers:
    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(timed, calls))


def assert_refused(answers: Answers, within: float) -> None:
    """All of them are deliberate 503s, and came in time."""
    for answer, seconds in answers:
        assert answer.status_code == 503, (answer.request.url, answer.text)
        assert answer.json()["code"] == "UNAVAILABLE"
        assert int(answer.headers["retry-after"]) > 0
        assert seconds < within, (answer.request.method, answer.request.url)


def assert_well_within(seconds: float, calls: list[Call]) -> None:
    """Each of these works within a number of seconds."""
    end = time.monotonic() + seconds
    for call in calls:
        while (answer := call()).status_code == 503:
            assert time.monotonic() < end, (answer.request.url, answer.text)
            time.sleep(0.05)
        assert answer.status_code in (200, 201, 400), (answer.request.url, answer.text)


def assert_alive(client: httpx2.Client) -> None:
    answer, seconds = timed(lambda: client.get("/health"))
    assert answer.status_code == 200
    assert seconds < 0.5


def postgres(data_dir: Path) -> list[psutil.Process]:
    """All processes of the embedded PostgreSQL, the postmaster first; none when it is stopped."""
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        pid = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        return [psutil.Process(pid), *psutil.Process(pid).children()]
    return []


def kill_all(processes: list[psutil.Process]) -> None:
    """Kill them, the first one first, and wait for their end."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([process for process in processes if process.is_running()], timeout=5)


@contextmanager
def held(url: str, sql: str) -> Iterator[None]:
    """Hold the locks that a statement takes."""
    psql = subprocess.Popen(
        [binary("psql"), "-XAtq", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert psql.stdin
    assert psql.stdout
    psql.stdin.write(f"BEGIN; {sql}; SELECT 'held';\n")
    psql.stdin.flush()
    while psql.stdout.readline() != "held\n":
        assert psql.poll() is None
    try:
        yield
    finally:
        psql.communicate("ROLLBACK;\n")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server with few connections."""
    with serving(folder, WORLDKEEP_DATABASE_POOL_SIZE="2") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx2.Client]:
    with player(server) as client:
        yield client


@pytest.fixture(scope="module")
def calls(client: httpx2.Client) -> list[Call]:
    return all_kinds(client)


class TestDatabaseAway:
    def test_full_pool(self, folder: Path, client: httpx2.Client) -> None:
        """A full connection pool: 503 with Retry-After within 2 seconds; /health answers, hot reads too."""
        universe = make(client, "/universes")
        with running(folder) as url, held(url, "SELECT 1 FROM universe FOR UPDATE"), ThreadPoolExecutor(2) as two:
            for number in range(2):
                two.submit(client.patch, universe, json={"name": f"waits {number}"})
            time.sleep(0.3)
            answers = at_once([lambda: client.get("/universes?q=x"), lambda: client.patch(universe, json={})] * 3)
            assert_refused(answers, within=2)
            assert_alive(client)
            assert client.get(universe).status_code == 200
        assert client.patch(universe, json={"name": "free"}).status_code == 200

    def test_killed_and_started_again(self, folder: Path, client: httpx2.Client, calls: list[Call]) -> None:
        """The database stopped hard: fast 503s. Started again: all is well within 5 s, by the same server."""
        assert_well_within(1, calls)
        kill_all(postgres(folder))
        for _ in range(3):
            assert_refused(at_once(calls), within=1.5)
            assert_alive(client)
        with running(folder):
            assert_well_within(5, calls)

    def test_lost_connections(self, folder: Path, calls: list[Call]) -> None:
        """Connections cut by the database, all at once: the next requests just get new ones."""
        assert_well_within(1, calls)
        with running(folder) as url:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worldkeep'"
            subprocess.run([binary("psql"), "-d", url, "-c", cut], check=True, stdout=subprocess.DEVNULL)
            assert {answer.status_code for answer, _ in at_once(calls * 2)} <= {200, 201, 400, 503}
            assert_well_within(1, calls)
            subprocess.run([binary("psql"), "-d", url, "-c", cut], check=True, stdout=subprocess.DEVNULL)
            time.sleep(0.3)
            assert {answer.status_code for answer, _ in at_once(calls)} == {200, 201, 400}

    def test_frozen(self, folder: Path, client: httpx2.Client, calls: list[Call]) -> None:
        """Every PostgreSQL process frozen: every request ends within 5 seconds, and all is well afterwards."""
        assert_well_within(1, calls)
        processes = postgres(folder)
        for process in processes:
            process.suspend()
        try:
            with ThreadPoolExecutor(1) as thread:
                time.sleep(0.2)
                alive = thread.submit(assert_alive, client)
                assert_refused(at_once(calls * 6), within=5)
                alive.result()
            assert_alive(client)
        finally:
            for process in processes:
                process.resume()
        assert_well_within(5, calls)
        # No connection was lost for good.
        assert {answer.status_code for answer, _ in at_once(calls * 2)} <= {200, 201, 400}


class Writer(threading.Thread):
    """Writes one number after another, and remembers the last one that was acknowledged."""

    def __init__(self, url: str, headers: dict[str, str], write: Callable[[httpx2.Client, int], Any]) -> None:
        super().__init__()
        self.number = self.acknowledged = 0
        self._client = httpx2.Client(base_url=url, headers=headers, timeout=20)
        self._write = write

    def run(self) -> None:
        """Write until the server has stopped."""
        with self._client, suppress(httpx2.TransportError):
            while True:
                self.number += 1
                self._write(self._client, self.number)
                self.acknowledged = self.number


def kill_while(writers: list[Writer], acknowledged: int, server: Server, database: Path | None) -> None:
    """Kill a server, and a folder's database, after each writer has had a number of writes acknowledged."""
    for writer in writers:
        writer.start()
    end = time.monotonic() + 20
    while any(writer.acknowledged < acknowledged for writer in writers):
        assert time.monotonic() < end, "no writes"
        time.sleep(0.01)
    processes = postgres(database) if database else []
    server.process.kill()
    kill_all(processes)
    for writer in writers:
        writer.join()


WALK = [(x, 1) for x in range(1, 38)] + [(37, 2)] + [(x, 3) for x in range(37, 0, -1)] + [(1, 2)]
"""Along one row and back along another, round and round."""
RUINS = {
    "width": 40,
    "height": 30,
    "legend": [{"symbol": "#", "name": "pillar", "blocks_movement": True, "blocks_sight": True}],
    "layers": [{"name": "ground", "rows": [*[" " * 40] * 2, "  #" * 13 + " ", *[" " * 40] * 7] * 3}],
}


def cell_of_walk(token: int, number: int) -> dict[str, int]:
    """The destination of a token's move with this number; number 0 is its initial cell."""
    x, y = WALK[number % len(WALK)]
    return {"x": x, "y": y + 10 * token}


def make_fog(client: httpx2.Client, universe: str) -> tuple[str, list[str]]:
    """Create a map with fog and three tokens that all players see through; returns their paths."""
    settings = {"visibility": "members", "fog": "explored"}
    path = make(client, "/maps", universe_id=universe, grid_data=RUINS, **settings)
    eyes = {"size": 1, "sight": {"range": 4}, "grants": {"members": ["sight"]}}
    bodies = [{"name": "Ashe", **eyes, **cell_of_walk(token, 0)} for token in range(3)]
    made = [client.post(f"{path}/tokens", json=body) for body in bodies]
    return path, [f"/tokens/{answer.raise_for_status().json()['id']}" for answer in made]


class TestServerKilled:
    def test_every_acknowledged_write_is_there(self, home: Path) -> None:
        """The server, and once PostgreSQL too, killed again and again under writes: nothing is lost."""
        headers: dict[str, str] = {}
        made: list[str] = []
        patched = replaced = universe = ""

        def post(client: httpx2.Client, number: int) -> None:
            made.append(make(client, "/universes", name=f"Number {number}"))

        def patch(client: httpx2.Client, number: int) -> None:
            grid = {**GRID, "layers": [{"name": f"layer {number}", "rows": ["###", "###"]}]}
            client.patch(patched, json={"name": str(number), "grid_data": grid}).raise_for_status()

        def put(client: httpx2.Client, number: int) -> None:
            grid = {**GRID, "properties": {"number": number}}
            client.put(replaced, json={"name": str(number), "grid_data": grid}).raise_for_status()

        writers: list[Writer] = []
        for with_postgresql in (False, True, None):
            with serving(home) as server, httpx2.Client(base_url=server.url, headers=headers) as client:
                if not headers:
                    with player(server) as somebody:
                        universe, patched = make_map(somebody)
                        replaced = make(somebody, "/maps", universe_id=universe.rpartition("/")[2])
                        headers = {"authorization": somebody.headers["authorization"]}
                for path in made:
                    assert client.get(path).status_code == 200, path
                if writers:
                    for path, writer in zip((patched, replaced), writers[1:], strict=True):
                        # The last one may have been written without a response.
                        name = client.get(path).json()["name"]
                        assert name in (str(writer.acknowledged), str(writer.number))
                    map_ = client.get(patched).json()
                    assert map_["grid_data"]["layers"][0]["name"] == f"layer {map_['name']}"
                    events = client.get(f"{universe}/events?limit=1000").json()["items"]
                    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
                if with_postgresql is None:
                    break
                made.clear()
                writers = [Writer(server.url, headers, write) for write in (post, patch, put)]
                kill_while(writers, 8, server, home if with_postgresql else None)

    def test_moves_with_fog(self, home: Path) -> None:
        """The server, and once PostgreSQL too, killed while tokens walk: each is at the position of its last
        acknowledged move, or of the unfinished one; and explored is what those moves saw, no less and no more."""
        headers: dict[str, str] = {}
        path, tokens = "", [""] * 3
        taken = [0] * 3
        """The number of each token's last move."""
        writers: list[Writer] = []

        def step(token: int) -> Callable[[httpx2.Client, int], None]:
            first, at = taken[token], tokens[token]

            def move(client: httpx2.Client, number: int) -> None:
                body = {"path": [cell_of_walk(token, first + number)]}
                client.post(f"{at}/move", json=body).raise_for_status()

            return move

        for with_postgresql in (False, True, None):
            with serving(home) as server, httpx2.Client(base_url=server.url, headers=headers) as client:
                if not headers:
                    with player(server) as somebody:
                        headers = {"authorization": somebody.headers["authorization"]}
                        client.headers.update(headers)
                    universe = make(client, "/universes").rpartition("/")[2]
                    path, tokens = make_fog(client, universe)
                for token, writer in enumerate(writers):
                    place = client.get(tokens[token]).json()
                    walked = taken[token] + writer.acknowledged, taken[token] + writer.number
                    cells = [cell_of_walk(token, number) for number in walked]
                    taken[token] = walked[cells.index({"x": place["x"], "y": place["y"]})]
                if writers:
                    again, others = make_fog(client, universe)
                    for token, other in enumerate(others):
                        cells = [cell_of_walk(token, number) for number in range(taken[token] + 1)]
                        client.post(f"{other}/move", json={"path": cells}).raise_for_status()
                    seen, expected = (client.get(f"{one}/fog?as=members").json()["rows"] for one in (path, again))
                    assert seen == expected
                    assert {"0", "1", "2"} <= set("".join(seen))
                if with_postgresql is None:
                    break
                writers = [Writer(server.url, headers, step(token)) for token in range(3)]
                kill_while(writers, 6, server, home if with_postgresql else None)

    def test_leaves_no_orphans(self, home: Path) -> None:
        """The main process of several workers killed: the workers end too, and the next start has the port."""
        # Its temporary files, too, end with the test.
        with serving(home, "--workers", "2", TMPDIR=str(home)) as server:
            port = urlsplit(server.url).port
            workers = [
                one
                for one in psutil.Process(server.process.pid).children()
                if "spawn_main" in " ".join(one.cmdline())
            ]
            assert len(workers) == 2
            server.process.kill()
            _, left = psutil.wait_procs(workers, timeout=5)
            assert not left
            server.process.wait()
            socket.create_server(("127.0.0.1", port)).close()
        with running(home):
            assert postgres(home)
        assert not postgres(home)


def wait_until_refused(server: Server) -> None:
    """Wait until the port is closed, which it is soon after the server was asked to stop."""
    address = urlsplit(server.url)
    end = time.monotonic() + 2
    with suppress(ConnectionRefusedError):
        while time.monotonic() < end:
            socket.create_connection((address.hostname or "", address.port or 0)).close()
            time.sleep(0.05)
        pytest.fail("it still listens")


def drip(connection: socket.socket) -> None:
    """Send a body slowly until the connection is closed."""
    with suppress(OSError):
        while True:
            connection.sendall(b" ")
            time.sleep(0.2)


def half_sent(server: Server) -> socket.socket:
    """A request of whose body only a part comes."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname or "", address.port or 0))
    connection.sendall(
        b"POST /auth/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 1000\r\n\r\n{"email": '
    )
    return connection


class TestStop:
    # Seconds. What the tests allow beyond it is for processes to end in on a busy machine, not for requests.
    GRACE = 2

    @pytest.mark.parametrize(
        ("workers", "sign", "group"), [("1", signal.SIGTERM, False), ("2", signal.SIGINT, True)]
    )
    def test_finishes_what_is_under_way(self, home: Path, workers: str, sign: int, group: bool) -> None:
        """SIGTERM, or Ctrl-C to the whole process group, with a request under way and a half-sent body.

        The request finishes; exit status 0 within the grace time; the embedded PostgreSQL is stopped too.
        """
        with (
            serving(home, "--workers", workers, WORLDKEEP_SHUTDOWN_GRACE=str(self.GRACE)) as server,
            player(server) as client,
            ThreadPoolExecutor(2) as threads,
            half_sent(server) as half,
        ):
            threads.submit(drip, half)
            universe = make(client, "/universes")
            # Our own psql is outside of `running`, so that the server is the last to leave.
            with running(home) as url:
                pass
            with held(url, "SELECT 1 FROM universe FOR UPDATE"):
                slow = threads.submit(client.patch, universe, json={"name": "in time"})
                time.sleep(0.5)
                start = time.monotonic()
                (os.killpg if group else os.kill)(server.process.pid, sign)
                wait_until_refused(server)
                assert not slow.done()
            assert slow.result().status_code == 200
            assert slow.result().json()["name"] == "in time"
            assert server.process.wait(10) == 0
            assert time.monotonic() - start < self.GRACE + 4
            assert half.recv(12) == b"HTTP/1.1 503"
        assert not postgres(home)
        assert "Traceback" not in server.log.read_text()

    def test_while_the_database_is_frozen(self, home: Path) -> None:
        """It does not wait for a database that does not answer."""
        with (
            serving(home, WORLDKEEP_SHUTDOWN_GRACE=str(self.GRACE)) as server,
            player(server) as client,
            ThreadPoolExecutor(5) as threads,
        ):
            assert_well_within(1, all_kinds(client))
            processes = postgres(home)
            for process in processes:
                process.suspend()
            try:
                for _ in range(5):
                    threads.submit(client.get, "/universes?q=x")
                time.sleep(0.3)
                server.process.send_signal(signal.SIGTERM)
                end = time.monotonic() + self.GRACE + 4
                # It is done with serving when it comes to stop PostgreSQL.
                while not any(one.name() == "pg_ctl" for one in psutil.Process(server.process.pid).children()):
                    assert time.monotonic() < end
                    time.sleep(0.05)
            finally:
                for process in processes:
                    process.resume()
            assert server.process.wait(5) == 0
        assert not postgres(home)


WELL = {200, 201, 400}
"""Of `all_kinds`."""


def wait_until_all_are_in(statuses: list[int]) -> None:
    """Wait until all kinds of requests were answered well."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not set(statuses) >= WELL:
        assert time.monotonic() < end, statuses
        time.sleep(0.05)


def wait_for_rounds(statuses: list[int], requests: int) -> None:
    """Wait until this many more requests were answered."""
    end, wanted = time.monotonic() + PATIENCE_SECONDS, len(statuses) + requests
    while len(statuses) < wanted:
        assert time.monotonic() < end, statuses
        time.sleep(0.05)


_JSON_HEAD = str(SQLModel.metadata.tables["universe"].c.json_head.computed.sqltext)


class TestMigrationUnderLoad:
    SLOW_READER = "SELECT count(*) FROM map, universe"
    ADDS = """
    op.add_column("map", sa.Column("weather", sa.String(20), server_default="fog", nullable=False))
    op.create_index("ix_map_weather", "map", ["universe_id", "weather"])
"""
    # A generated column must be dropped before the type of a column changes that it depends on.
    CHANGES_A_TYPE = f"""
    op.drop_column("universe", "json_head")
    op.alter_column("universe", "name", type_=sa.String(120))
    op.add_column("universe", sa.Column("json_head", sa.Text(), sa.Computed({_JSON_HEAD!r}, persisted=True)))
"""
    REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {name!r}
down_revision = {before!r}
branch_labels = depends_on = None


def upgrade() -> None:
    {body}
"""

    @pytest.fixture
    def migrations(self, tmp_path: Path) -> Path:
        """Ours, and two that may come after them: `adds` and `changes`."""
        path = tmp_path / "migrations"
        shutil.copytree(schema.ROOT / "migrations", path)
        for name, before, body in (
            ("adds", schema.head_revision(), self.ADDS),
            ("changes", "adds", self.CHANGES_A_TYPE),
        ):
            (path / "versions" / f"{name}.py").write_text(
                self.REVISION.format(name=name, before=before, body=body)
            )
        return path

    def test_no_errors(self, tmp_path: Path, migrations: Path, new_database: Callable[..., str]) -> None:
        """A migration under load: no 5xx; one that cannot have its table steps back, and tries again."""
        url = new_database()
        config = schema.config(url)
        config.set_main_option("script_location", str(migrations))
        statuses: list[int] = []
        slowest = 0.0
        done = threading.Event()
        with (
            serving(tmp_path, DATABASE_URL=url) as server,
            player(server) as client,
            ThreadPoolExecutor(5) as threads,
        ):
            kinds = all_kinds(client)
            # It answers 503 as long as the schema is not the server's.
            del kinds[6]

            def play(first: int) -> None:
                nonlocal slowest
                number = first
                while not done.is_set():
                    answer, seconds = timed(kinds[number % len(kinds)])
                    statuses.append(answer.status_code)
                    slowest = max(slowest, seconds)
                    number += 1

            playing = [threads.submit(play, first) for first in range(4)]
            try:
                with held(url, self.SLOW_READER):
                    migration = threads.submit(command.upgrade, config, "adds")
                    time.sleep(4)
                    assert not migration.done()
                migration.result(10)
                wait_until_all_are_in(statuses)
                assert set(statuses) == WELL
                assert slowest < 3
                assert client.get("/health/ready").status_code == 503
                # What the driver knows of a column's type is wrong now: a few 503s at most, and only for the first
                # requests of each kind.
                statuses.clear()
                command.upgrade(config, "changes")
                wait_for_rounds(statuses, 8 * len(kinds))
                statuses.clear()
                wait_for_rounds(statuses, 8 * len(kinds))
            finally:
                done.set()
            for one in playing:
                one.result()
            assert set(statuses) == WELL
            log = server.log.read_text()
            assert "status=500" not in log
            assert log.count("status=503") <= 4


def without_cursors(answer: dict[str, Any]) -> dict[str, Any]:
    """A response without cursors, whose encryption differs each time."""
    items = [{key: value for key, value in item.items() if key != "cursor"} for item in answer.get("items", ())]
    return {**answer, "items": items, "next_cursor": None}


class TestBackup:
    def test_restored_elsewhere_is_equal(self, tmp_path: Path, new_database: Callable[..., str]) -> None:
        """Backup while serving, restore into an empty database, log in, compare: equal."""
        here, there = new_database(), new_database(empty=True)
        file = tmp_path / "world.backup"
        with serving(tmp_path, DATABASE_URL=here) as server, player(server) as client:
            email = client.get("/users/me").json()["email"]
            universe, map_ = make_map(client)
            paths = ["/users/me", universe, map_, f"{universe}/events", "/universes", "/maps"]
            before = [client.get(path).json() for path in paths]
            with ThreadPoolExecutor(1) as thread:
                writing = Writer(server.url, dict(client.headers), lambda one, _: make(one, "/universes"))
                writing.start()
                done = thread.submit(game, tmp_path, "backup", str(file), DATABASE_URL=here)
                assert done.result().returncode == 0, done.result().stderr
            assert server.stop() == 0
            writing.join()
        assert file.stat().st_mode & 0o777 == 0o600
        assert game(tmp_path, "restore", str(file), DATABASE_URL=there).returncode == 0
        with serving(tmp_path, DATABASE_URL=there) as server, player(server, email) as client:
            for path, expected in zip(paths[:4], before, strict=False):
                assert without_cursors(client.get(path).json()) == without_cursors(expected)
            for path, expected in zip(paths[4:], before[4:], strict=True):
                found = {item["id"]: item for item in client.get(f"{path}?limit=100").json()["items"]}
                assert all(found[item["id"]] == item for item in expected["items"])
