"""Backups go from any PostgreSQL to any other: here between the embedded one and those of this machine."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from game.core import schema
from game.core.backups import BackupError, check_backup, read_backup, write_backup
from game.core.embedded import binary

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
"""Where Debian and its derivatives install PostgreSQL."""


def ask(url: str, sql: str) -> str:
    call = [binary("psql"), "-XAtq", "-d", url, "-c", sql]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()


def contents(url: str) -> dict[str, str]:
    """All rows of all tables, as text."""
    tables = ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split()
    return {table: ask(url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables}


def fill(url: str) -> None:
    """Some rows that could be taken for definitions."""
    account = "id, email, hashed_password, display_name, is_active, is_superuser, is_verified, version"
    ask(
        url,
        f"INSERT INTO account ({account}) SELECT gen_random_uuid(), n || '@example.com', '', "
        "E'SET transaction_timeout = 0;\\nCOPY ' || n, true, false, false, 1 "
        "FROM generate_series(1, 500) n",
    )


def backup(url: str, file: Path) -> Path:
    write_backup(file, url, lambda _: None)
    return file


@pytest.fixture(scope="module", params=INSTALLED or [None], ids=lambda path: path.parent.name if path else "none")
def other(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a PostgreSQL of another version."""
    if request.param is None:
        # A person may have none; where changes are let in, these tests must run.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no PostgreSQL is installed on this machine")
    with tempfile.TemporaryDirectory(prefix="worldkeep-pg-", ignore_cleanup_errors=True) as path:
        folder = Path(path)
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            found = pwd.getpwnam("postgres")
            user = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
            os.chown(folder, found.pw_uid, found.pw_gid)

        def run(program: str, *arguments: str) -> None:
            call = [str(request.param / program), "-D", str(folder / "data"), *arguments]
            subprocess.run(call, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)

        run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "start", "-s", "-w", "-o", options, "-l", str(folder / "log"))
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "stop", "-s", "-m", "immediate")
        shutil.rmtree(folder / "data", ignore_errors=True)


@pytest.fixture
def other_database(other: str) -> Callable[[], str]:
    """Makes an empty database there."""

    def make() -> str:
        name = f"test_{os.urandom(6).hex()}"
        ask(other, f"CREATE DATABASE {name}")
        return other.replace("/postgres?", f"/{name}?")

    return make


class TestBetweenVersions:
    def test_there_and_back(
        self, new_database: Callable[..., str], other_database: Callable[[], str], tmp_path: Path
    ) -> None:
        """From the embedded PostgreSQL to another, from there to one like it, and back: all is equal."""
        here, there, again, back = new_database(), other_database(), other_database(), new_database(empty=True)
        fill(here)
        read_backup(backup(here, tmp_path / "here"), there)
        read_backup(backup(there, tmp_path / "there"), again)
        read_backup(tmp_path / "there", back)
        assert contents(there) == contents(again) == contents(back) == contents(here)
        indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        assert ask(there, indexes) == ask(back, indexes) == ask(here, indexes)
        constraints = """
            SELECT conname, contype FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1
        """
        assert ask(there, constraints) == ask(back, constraints) == ask(here, constraints)

    def test_a_dump_of_its_own(
        self,
        request: pytest.FixtureRequest,
        new_database: Callable[..., str],
        other_database: Callable[[], str],
        tmp_path: Path,
    ) -> None:
        """One that its own pg_dump wrote."""
        there, back = other_database(), new_database(empty=True)
        schema.upgrade(there)
        fill(there)
        programs = request.node.callspec.params["other"]
        subprocess.run([programs / "pg_dump", "-Fc", f"--file={tmp_path / 'own'}", there], check=True)
        check_backup(tmp_path / "own")
        read_backup(tmp_path / "own", back)
        assert contents(back) == contents(there)


class TestCheck:
    def test_good(self, new_database: Callable[..., str], tmp_path: Path) -> None:
        check_backup(backup(new_database(), tmp_path / "good"))

    @pytest.mark.parametrize("content", [b"", b"PGDM", b"DROP DATABASE worldkeep;", b"\x7fELF" * 100])
    def test_garbage(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(BackupError, match="file is not a backup: `python -m game backup` writes one"):
            check_backup(tmp_path / "file")

    @pytest.mark.parametrize("content", [b"PGDMP", b"PGDMP" + bytes(2000), b"PGDMP\xff\xff\xff\xff" * 50])
    def test_garbage_that_begins_like_one(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(BackupError, match=r"file is damaged: \w.*\."):
            check_backup(tmp_path / "file")

    def test_of_another_program(self, new_database: Callable[..., str], tmp_path: Path) -> None:
        url = new_database(empty=True)
        ask(url, "CREATE TABLE account_of_theirs (id int)")
        with pytest.raises(BackupError, match="is a backup of another program"):
            check_backup(backup(url, tmp_path / "theirs"))


class TestRead:
    def test_a_file_that_ends_early(self, new_database: Callable[..., str], tmp_path: Path) -> None:
        """Wherever it was cut: nothing of it stays."""
        here, empty = new_database(), new_database(empty=True)
        fill(here)
        whole = backup(here, tmp_path / "whole").read_bytes()
        for size in range(len(whole) // 2, len(whole), max(1, len(whole) // 12)):
            (tmp_path / "cut").write_bytes(whole[:size])
            with pytest.raises(BackupError, match="is damaged"):
                read_backup(tmp_path / "cut", empty)
            assert contents(empty) == {}
        read_backup(tmp_path / "whole", empty)
        assert contents(empty) == contents(here)

    def test_a_database_that_refuses_it(self, new_database: Callable[..., str], tmp_path: Path) -> None:
        here, there = new_database(), new_database(empty=True)
        ask(there, "CREATE TABLE account (id int)")
        with pytest.raises(BackupError, match=r'refuses .*: relation "account" already exists'):
            read_backup(backup(here, tmp_path / "file"), there)
        assert contents(there) == {"account": ""}
