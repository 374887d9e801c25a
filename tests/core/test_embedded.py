"""The embedded PostgreSQL: shared, killed, adopted, refused. Every test runs a real one."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
import pytest

from game.core import embedded
from game.core.embedded import EmbeddedError, binary, default_data_dir, running
from tests.conftest import PATIENCE_SECONDS

ROOT = os.geteuid() == 0
NOBODY = 65534
FAST = {"fsync": "off"}
HOLDER = """
import signal, sys
from pathlib import Path
from game.core.embedded import running

# Ignored if a shell has started the tests in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
with running(Path(sys.argv[1]), settings={"fsync": "off"}) as url:
    try:
        print(url, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.stdin.read()
"""


PASSER_BY = """
import subprocess, sys
from pathlib import Path
from game.core.embedded import binary, running

for _ in range(4):
    with running(Path(sys.argv[1])) as url:
        subprocess.run([binary("psql"), url, "-c", "SELECT n FROM kept"], check=True)
"""
Hold = Callable[[Path], subprocess.Popen[str]]


def line(process: subprocess.Popen[str]) -> str:
    """What the process prints next."""
    assert process.stdout
    return process.stdout.readline().strip()


def ask(url: str, sql: str) -> str:
    """What psql answers; its error text when it fails."""
    done = subprocess.run([binary("psql"), "-XAtq", "-d", url, "-c", sql], capture_output=True, text=True)
    return (done.stdout or done.stderr).strip()


def postmaster(data_dir: Path) -> psutil.Process | None:
    """The postmaster, as the process table tells it."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "postgres" and str(data_dir / "postgres") in (process.info["cmdline"] or []):
            return process
    return None


def kill_postmaster(data_dir: Path) -> None:
    """Kill it, and wait for its end, without waiting for its exit code to be read."""
    process = postmaster(data_dir)
    assert process is not None
    process.kill()
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.005)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Straight under /tmp: pytest's own folders close themselves to PostgreSQL's user in the next session."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-test-") as path:
        Path(path).chmod(0o755)
        yield Path(path).resolve()


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Path:
    """A data directory, stopped, with one row in the table `kept`."""
    path = folder / "data"
    with running(path, settings=FAST) as url:
        assert ask(url, "CREATE TABLE kept AS SELECT 7 AS n") == ""
    return path


@pytest.fixture
def data_dir(cluster: Path) -> Iterator[Path]:
    """The same for one test, which leaves it stopped and with that row."""
    yield cluster
    # It removes its files a moment before its process ends.
    end = time.monotonic() + 20
    while left := postmaster(cluster):
        assert time.monotonic() < end, f"PostgreSQL was left running: {left}"
        time.sleep(0.05)


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Start another process that goes into `running`, prints the URL, and leaves when its input ends."""
    holders: list[subprocess.Popen[str]] = []

    def start(data_dir: Path) -> subprocess.Popen[str]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, data_dir],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        holders.append(holder)
        return holder

    yield start
    for holder in holders:
        holder.communicate()


class TestRunning:
    def test_makes_cluster_and_database(self, data_dir: Path) -> None:
        with running(data_dir, settings=FAST) as url:
            assert ask(url, "SELECT current_database(), n FROM kept") == "worldkeep|7"
            assert ask(url, "SHOW server_version_num").startswith(embedded.MAJOR)
            # By code point: capitals, small letters, then the rest, whatever the system's locale is.
            assert ask(url, "SELECT string_agg(c, '' ORDER BY c) FROM unnest('{é,b,B,a,Z}'::text[]) c") == "BZabé"
            assert ask(url, "SELECT upper('é')") == "É"

    def test_applies_settings(self, data_dir: Path) -> None:
        with running(data_dir, settings={"work_mem": "5MB", "cluster_name": "mine"}) as url:
            assert ask(url, "SELECT current_setting('max_connections'), current_setting('work_mem')") == "200|5MB"
            assert ask(url, "SHOW listen_addresses") == ""

    @pytest.mark.parametrize("name", ["x" * 120, 'odd \'n"am%e" $HOME, `x`'])
    def test_takes_any_path(self, data_dir: Path, folder: Path, name: str) -> None:
        path = data_dir.rename(folder / name)
        with running(path) as url:
            assert ask(url, "SELECT n FROM kept") == "7"
            (host,) = parse_qs(urlsplit(url).query)["host"]
            assert Path(host).stat().st_mode & 0o777 == 0o700
        path.rename(data_dir)
        assert not Path(host).exists(), "a folder made for the socket goes with it"

    async def test_ignores_the_settings_of_another_postgresql(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGPORT", "1")
        monkeypatch.setenv("PGOPTIONS", "--nonsense=1")
        with running(data_dir) as url:
            monkeypatch.delenv("PGOPTIONS")
            connection = await asyncpg.connect(url)
            assert await connection.fetchval("SELECT n FROM kept") == 7
            await connection.close()

    def test_trims_the_log(self, data_dir: Path) -> None:
        log = data_dir / "postgres.log"
        log.write_text("old\n" * (embedded.LOG_LIMIT_BYTES // 4 + 1) + "newest\n")
        with running(data_dir):
            text = log.read_text()
        assert len(text) < embedded.LOG_LIMIT_BYTES / 5
        assert "old\nnewest\n" in text
        assert text.endswith("ready to accept connections\n")


class TestPrivacy:
    def test_strangers_cannot_connect(self, data_dir: Path) -> None:
        with running(data_dir) as url:
            (host,) = parse_qs(urlsplit(url).query)["host"]
            assert Path(host).stat().st_mode & 0o077 == 0
            if ROOT:
                command = [str(binary("psql")), "-d", url, "-c", "SELECT 1"]
                done = subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True)
                assert b"Permission denied" in done.stderr

    def test_files_beside_the_cluster_stay_ours(self, data_dir: Path) -> None:
        for name in ("postgres.log", "postgres.turn", "postgres.users"):
            found = (data_dir / name).stat()
            assert (found.st_uid, found.st_mode & 0o777) == (os.geteuid(), 0o600)
        assert data_dir.stat().st_mode & 0o777 == (0o711 if ROOT else 0o700)
        assert (data_dir / "postgres").stat().st_mode & 0o777 == 0o700


class TestSharing:
    def test_the_last_one_stops_it(self, data_dir: Path, hold: Hold) -> None:
        holder = hold(data_dir)
        url = line(holder)
        with running(data_dir) as ours:
            assert ours == url
        assert ask(url, "SELECT n FROM kept") == "7"
        holder.communicate()
        assert postmaster(data_dir) is None

    def test_stays_when_the_first_one_leaves(self, data_dir: Path, hold: Hold) -> None:
        holder = hold(data_dir)
        url = line(holder)
        with running(data_dir):
            holder.communicate()
            assert ask(url, "SELECT n FROM kept") == "7"

    def test_threads_share_it_too(self, data_dir: Path) -> None:
        answers, together = [], threading.Barrier(4)

        def use() -> None:
            with running(data_dir) as url:
                together.wait()
                answers.append(ask(url, "SELECT n FROM kept"))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == ["7"] * 4

    def test_many_enter_and_leave_at_once(self, data_dir: Path) -> None:
        users = [
            subprocess.Popen([sys.executable, "-c", PASSER_BY, data_dir], stdout=subprocess.DEVNULL)
            for _ in range(3)
        ]
        assert [user.wait() for user in users] == [0, 0, 0]

    def test_two_first_starts_make_one_cluster(self, folder: Path, hold: Hold) -> None:
        path = folder / "new"
        holders = [hold(path), hold(path)]
        first, second = map(line, holders)
        assert first == second
        assert ask(first, "SELECT 1") == "1"
        for holder in holders:
            holder.communicate()
        assert sorted(path.glob("postgres*")) == [path / name for name in (
            "postgres", "postgres.log", "postgres.turn", "postgres.users"
        )]  # fmt: skip

    def test_interrupt_at_the_terminal_is_for_the_application(self, data_dir: Path, hold: Hold) -> None:
        holder = hold(data_dir)
        url = line(holder)
        os.killpg(holder.pid, signal.SIGINT)
        assert line(holder) == "interrupted"
        assert ask(url, "SELECT n FROM kept") == "7"
        holder.communicate()
        assert holder.returncode == 0
        assert postmaster(data_dir) is None


class TestRecovery:
    def test_adopts_what_a_killed_holder_left(self, data_dir: Path, hold: Hold) -> None:
        holder = hold(data_dir)
        url = line(holder)
        orphan = postmaster(data_dir)
        holder.kill()
        holder.wait()
        assert ask(url, "SELECT n FROM kept") == "7"
        with running(data_dir):
            assert postmaster(data_dir) == orphan
        assert postmaster(data_dir) is None

    def test_starts_again_after_the_postmaster_was_killed(self, data_dir: Path) -> None:
        with running(data_dir) as url:
            ask(url, "INSERT INTO kept VALUES (8)")
            kill_postmaster(data_dir)
            with running(data_dir) as again:
                assert ask(again, "DELETE FROM kept WHERE n = 8 RETURNING n") == "8"

    def test_ends_a_query_that_outlived_the_postmaster(self, data_dir: Path) -> None:
        busy = "DO $$ BEGIN LOOP EXIT WHEN clock_timestamp() > now() + interval '20 s'; END LOOP; END $$"
        with running(data_dir) as url:
            client = subprocess.Popen([binary("psql"), url, "-c", busy], stderr=subprocess.DEVNULL)
            while ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %'") != "1":
                time.sleep(0.02)
            kill_postmaster(data_dir)
            assert client.poll() is None
        with running(data_dir) as url:
            assert client.wait(PATIENCE_SECONDS)
            assert ask(url, "SELECT n FROM kept") == "7"

    def test_is_not_misled_by_a_pid_that_another_process_has_now(self, data_dir: Path) -> None:
        cluster = data_dir / "postgres"
        with running(data_dir):
            kill_postmaster(data_dir)
        owner = cluster.stat().st_uid
        stranger = subprocess.Popen(["sleep", "60"], user=owner)
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            _, *rest = (cluster / name).read_text().splitlines(keepends=True)
            (cluster / name).write_text("".join([f"{stranger.pid}\n", *rest]))
        with running(data_dir) as url:
            assert ask(url, "SELECT n FROM kept") == "7"
        assert stranger.poll() is None
        stranger.kill()
        stranger.wait()

    def test_removes_what_a_killed_setup_left(self, folder: Path) -> None:
        path = folder / "half"
        (path / "postgres.new-half" / "cluster").mkdir(parents=True)
        (path / "postgres.new-half" / "cluster" / "PG_VERSION").write_text(embedded.MAJOR)
        with running(path, settings=FAST) as url:
            assert ask(url, "SELECT 1") == "1"
        assert not list(path.glob("postgres.new-*"))


class TestRefusals:
    def test_other_release(self, folder: Path) -> None:
        path = folder / "old"
        (path / "postgres").mkdir(parents=True)
        (path / "postgres" / "PG_VERSION").write_text("16\n")
        with pytest.raises(EmbeddedError, match=r"created by PostgreSQL 16, but this is PostgreSQL 18: .*backup"):
            running(path).__enter__()

    def test_folder_of_another_program(self, folder: Path) -> None:
        path = folder / "foreign"
        (path / "postgres" / "photos").mkdir(parents=True)
        with pytest.raises(EmbeddedError, match="created by another program"):
            running(path).__enter__()
        assert (path / "postgres" / "photos").exists()

    @pytest.mark.parametrize("path", ["/proc/worldkeep", "/dev/null/worldkeep", "/dev/null"])
    def test_unusable_directory(self, path: str) -> None:
        with pytest.raises(EmbeddedError, match=rf"data directory {path} cannot be used \(.*--data-dir"):
            running(Path(path)).__enter__()

    def test_full_disk(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedded, "MIN_FREE_BYTES", 2**60)
        with pytest.raises(EmbeddedError, match=r"Only \d+ MB are free on the disk of .*: free at least"):
            running(data_dir).__enter__()

    def test_setting_that_postgresql_refuses(self, data_dir: Path) -> None:
        with pytest.raises(EmbeddedError, match=r'does not start: .*"work_mem".*log is .*postgres\.log'):
            running(data_dir, settings={"work_mem": "much"}).__enter__()
        with running(data_dir) as url:
            assert ask(url, "SELECT 1") == "1"

    if ROOT:  # Nobody else can be two people.

        def test_directory_of_another_user(self, data_dir: Path) -> None:
            os.seteuid(NOBODY)
            try:
                with pytest.raises(EmbeddedError, match=r"Permission denied.*run as its owner"):
                    running(data_dir).__enter__()
            finally:
                os.seteuid(0)

        def test_cluster_of_another_user(self, folder: Path) -> None:
            path = folder / "mixed"
            (path / "postgres").mkdir(parents=True)
            os.chown(path, NOBODY, NOBODY)
            os.seteuid(NOBODY)
            try:
                with pytest.raises(EmbeddedError, match=r"belongs to another user \(id 0\): run as that user"):
                    running(path).__enter__()
            finally:
                os.seteuid(0)

        def test_cluster_of_root(self, folder: Path) -> None:
            path = folder / "restored"
            (path / "postgres").mkdir(parents=True)
            (path / "postgres" / "PG_VERSION").write_text(embedded.MAJOR)
            with pytest.raises(EmbeddedError, match=r"belongs to root.*chown -R pgserver"):
                running(path).__enter__()

    def test_no_system_user_for_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedded, "SYSTEM_USER", "worldkeep-nobody")
        monkeypatch.setenv("PATH", "")
        with pytest.raises(EmbeddedError, match=r"does not run as root.*'useradd'.*DATABASE_URL"):
            embedded._system_account()

    def test_program_that_is_not_there(self) -> None:
        with pytest.raises(EmbeddedError, match="pg_nonsense of PostgreSQL 18 is not installed"):
            binary("pg_nonsense")


def test_default_data_dir() -> None:
    expected = "/var/lib/worldkeep" if ROOT else str(Path.home())
    assert str(default_data_dir()).startswith(expected)
