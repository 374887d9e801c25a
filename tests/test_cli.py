"""The command line: what each command does, and the sentence it ends with when it cannot."""

import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner, Result

from game.cli import app
from game.core import logs, schema
from game.core.embedded import binary, running
from game.core.settings import Settings
from tests.conftest import PASSWORD, PATIENCE_SECONDS, clean_environment, free_port, serving

ROOT = os.geteuid() == 0
COMMANDS = ("serve", "migrate", "seed", "superuser", "backup", "restore", "doctor")
PRODUCTION = {
    "WORLDKEEP_ENVIRONMENT": "production",
    "WORLDKEEP_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "WORLDKEEP_ALLOWED_HOSTS": "games.example.org",
}

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Runs a command in this process, with no settings but those given; its data directory is the test's."""
    before = dict(os.environ)

    def run(*arguments: str, text: str = "", **environment: str) -> Result:
        os.environ.clear()
        os.environ.update(clean_environment(**{"WORLDKEEP_DATA_DIR": str(tmp_path / "data"), **environment}))
        return CliRunner().invoke(app, arguments, input=text)

    monkeypatch.chdir(tmp_path)
    yield run
    os.environ.clear()
    os.environ.update(before)
    logs.configure(settings)


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    return new_database()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Straight under /tmp: pytest's own folders close themselves to PostgreSQL's user in the next session."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-cli-", ignore_cleanup_errors=True) as path:
        Path(path).chmod(0o755)
        yield Path(path).resolve()


def ask(url: str, sql: str) -> str:
    """psql's answer."""
    call = [binary("psql"), "-XAtq", "-d", url, "-c", sql]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()


def contents(url: str) -> dict[str, str]:
    """All rows of all tables, as text."""
    tables = ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split()
    return {table: ask(url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables}


def assert_fails(result: Result | subprocess.CompletedProcess[str], sentence: str, status: int = 1) -> None:
    """It ended with this status and this sentence (a pattern), and with no traceback."""
    code = result.exit_code if isinstance(result, Result) else result.returncode
    assert "Traceback" not in result.stderr
    if isinstance(result, Result) and result.exception is not None:
        assert isinstance(result.exception, SystemExit), result.exception
    assert code == status, result.stderr
    lines = result.stderr.strip().splitlines()
    assert any(re.search(f"^Error: .*{sentence}", line) for line in lines), result.stderr


class TestHelp:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_of_each_command(self, name: str, call: Call) -> None:
        result = call(name, "--help")
        assert result.exit_code == 0
        assert f"python -m game {name}" in result.stdout or f"{name} [OPTIONS]" in result.stdout

    def test_lists_the_commands(self, call: Call) -> None:
        result = call("--help")
        assert result.exit_code == 0
        for name in COMMANDS:
            assert re.search(rf"^. {name}\s+[A-Z]", result.stdout, re.MULTILINE), name

    def test_no_command(self, call: Call) -> None:
        result = call()
        assert "Commands" in result.stdout + result.stderr

    def test_unknown_command(self, call: Call) -> None:
        result = call("fly")
        assert result.exit_code == 2
        assert "No such command 'fly'" in result.stderr


class TestOptions:
    def test_win_over_the_environment(self, call: Call, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            result = call("serve", "--port", port, WORLDKEEP_PORT=str(free_port()))
            assert_fails(result, f"Cannot listen on 127.0.0.1:{port}")
        result = call("serve", "--host", "host.invalid", WORLDKEEP_HOST="127.0.0.1")
        assert_fails(result, "Cannot listen on host.invalid:8000")
        result = call("serve", "--workers", "0", WORLDKEEP_WORKERS="2")
        assert_fails(result, "WORLDKEEP_WORKERS: .*greater than or equal to 1", 2)
        (tmp_path / "file").touch()
        result = call("migrate", "--data-dir", str(tmp_path / "file"), WORLDKEEP_DATA_DIR=str(tmp_path / "other"))
        assert_fails(result, f"data directory {tmp_path}/file cannot be used")
        assert not (tmp_path / "other").exists()

    def test_the_file_is_read(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("WORLDKEEP_PORT=nowhere\n")
        assert_fails(call("serve"), "WORLDKEEP_PORT: .*integer", 2)
        (tmp_path / ".env").write_bytes(b"WORLDKEEP_MAIL_FROM=\xff\n")
        assert_fails(call("serve"), r"\.env cannot be read", 2)

    def test_unknown_ones_are_warned_of(self, call: Call) -> None:
        result = call("serve", WORLDKEEP_PROT="8001", WORLDKEEP_WORKERS="0")
        assert "WORLDKEEP_PROT" not in result.stderr
        result = call("serve", "--demo", "--host", "0.0.0.0", WORLDKEEP_PROT="8001")
        assert "Warning: WORLDKEEP_PROT is not a setting: did you mean WORLDKEEP_PORT?" in result.stderr

    def test_every_fault_is_named(self, call: Call) -> None:
        result = call("serve", WORLDKEEP_PORT="x", WORLDKEEP_LIMIT_LOGIN="often", DATABASE_URL="mysql://db/x")
        assert_fails(result, "WORLDKEEP_PORT", 2)
        assert_fails(result, "WORLDKEEP_LIMIT_LOGIN: a limit is written as .* 10/minute", 2)
        assert_fails(result, "WORLDKEEP_DATABASE_URL: .*postgresql://", 2)


class TestProduction:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"WORLDKEEP_SECRET_KEY": ""}, "WORLDKEEP_SECRET_KEY is missing: set it to"),
            ({"WORLDKEEP_SECRET_KEY": "changeme"}, "WORLDKEEP_SECRET_KEY is too short or too easy to guess: use"),
            ({"WORLDKEEP_ALLOWED_HOSTS": "*"}, r"WORLDKEEP_ALLOWED_HOSTS may not be `\*`: set"),
            ({"WORLDKEEP_LOG_LEVEL": "debug"}, "WORLDKEEP_LOG_LEVEL may not be `debug`: set"),
            ({"DATABASE_URL": ""}, "WORLDKEEP_DATABASE_URL is missing"),
        ],
    )
    def test_does_not_start_unsafe(self, changes: dict[str, str], sentence: str, call: Call) -> None:
        """Production with a default, short or missing secret, host `*`, or debug: exits, and says what to set."""
        environment = {"DATABASE_URL": "postgresql://127.0.0.1:1/x", **PRODUCTION, **changes}
        assert_fails(call("serve", **environment), sentence, 2)

    def test_no_demo(self, call: Call, url: str) -> None:
        assert_fails(call("serve", "--demo", DATABASE_URL=url, **PRODUCTION), "--demo is for development")
        assert_fails(call("seed", DATABASE_URL=url, **PRODUCTION), "demo is for development")
        assert ask(url, "SELECT count(*) FROM account") == "0"

    def test_does_not_migrate_automatically(self, call: Call, new_database: Callable[..., str]) -> None:
        result = call("serve", "--port", "0", DATABASE_URL=new_database(empty=True), **PRODUCTION)
        assert_fails(result, "run `python -m game migrate` first")


class TestDatabase:
    @pytest.mark.parametrize("command", ["migrate", "serve", "seed", "superuser", "backup", "restore", "doctor"])
    def test_away(self, command: str, call: Call, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"PGDMP")
        arguments = {
            "serve": ["--port", "0"],
            "superuser": ["a@b.example", "--password-stdin"],
            "backup": ["world.backup"],
            "restore": ["file"],
        }.get(command, [])
        result = call(command, *arguments, text=PASSWORD, DATABASE_URL="postgresql://127.0.0.1:1/x")
        assert_fails(result, r"database cannot be used: .*127\.0\.0\.1.*Check WORLDKEEP_DATABASE_URL\.")
        assert not (tmp_path / "world.backup").exists()

    def test_unknown_host(self, call: Call) -> None:
        assert_fails(call("migrate", DATABASE_URL="postgresql://host.invalid/x"), "database cannot be used: ")

    def test_no_such_database(self, call: Call, cluster: str) -> None:
        url = cluster.replace("/worldkeep?", "/nothing?")
        assert_fails(call("migrate", DATABASE_URL=url), 'database "nothing" does not exist')

    def test_wrong_password(self, call: Call, cluster: str) -> None:
        rules = Path(ask(cluster, "SHOW hba_file"))
        before = rules.read_text()
        ask(cluster, "CREATE ROLE locked LOGIN PASSWORD 'right'")
        rules.write_text(f"local all locked scram-sha-256\n{before}")
        try:
            ask(cluster, "SELECT pg_reload_conf()")
            url = cluster.replace("postgres@", "locked:wrong@")
            result = call("migrate", DATABASE_URL=url)
            assert_fails(result, 'password authentication failed for user "locked"')
            assert "wrong" not in result.stderr
            # With the right one it gets as far as to what this role may not do.
            assert_fails(call("migrate", DATABASE_URL=url.replace("wrong", "right")), "permission denied")
        finally:
            rules.write_text(before)
            ask(cluster, "SELECT pg_reload_conf()")
            ask(cluster, "DROP ROLE locked")

    @pytest.mark.parametrize("command", ["migrate", "serve", "doctor"])
    def test_of_a_newer_worldkeep(self, command: str, call: Call, url: str) -> None:
        ask(url, "UPDATE alembic_version SET version_num = 'later'")
        result = call(command, DATABASE_URL=url, WORLDKEEP_PORT="0")
        assert result.exit_code == 1
        assert re.search(
            "newer version of Worldkeep.*run that version", result.stderr + result.stdout, re.IGNORECASE
        )

    def test_of_another_postgresql(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "data" / "postgres").mkdir(parents=True)
        (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("19\n")
        assert_fails(call("migrate"), "was created by PostgreSQL 19, but this is PostgreSQL 18")

    @pytest.mark.parametrize("path", ["/proc/worldkeep", "/dev/null"])
    def test_unusable_data_directory(self, path: str, call: Call) -> None:
        assert_fails(call("serve", "--port", "0", "--data-dir", path), f"data directory {path} cannot be used")

    if ROOT:

        def test_data_directory_of_another_user(
            self, call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
        ) -> None:
            monkeypatch.chdir(folder)
            (folder / "data").mkdir(mode=0o700)
            os.seteuid(65534)
            try:
                result = call("migrate", "--data-dir", str(folder / "data"))
            finally:
                os.seteuid(0)
            assert_fails(result, "Permission denied.*run as its owner, or choose another one with --data-dir")

        def test_full_disk(self, call: Call, folder: Path) -> None:
            """A file system without room: a sentence that says how much is needed."""
            mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "none", folder], check=False)
            if mount.returncode:
                # In a container, root may not mount.
                return
            try:
                result = call("serve", "--port", "0", "--data-dir", str(folder / "data"))
                assert_fails(result, r"Only \d+ MB are free on the disk of .*: free at least 200 MB")
            finally:
                subprocess.run(["umount", folder], check=True)


class TestServe:
    def test_port_in_use(self, call: Call) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            result = call("serve", "--port", str(taken.getsockname()[1]))
        assert_fails(
            result,
            "Cannot listen on .*: Address already in use. Another program uses the port: stop it, or choose "
            "another port with `--port 8080`, or `make run PORT=8080`",
        )

    def test_make_run_takes_a_port(self) -> None:
        """As the message above advises."""
        for arguments, expected in (([], "serve --demo"), (["PORT=8080"], "serve --demo --port 8080")):
            call = ["make", "--dry-run", "--silent", "run", *arguments]
            environment = {name: value for name, value in os.environ.items() if name != "PORT"}
            done = subprocess.run(
                call, cwd=schema.ROOT, env=environment, capture_output=True, text=True, check=True
            )
            assert done.stdout.rstrip().splitlines()[-1].rstrip().endswith(expected)

    def test_in_production(self, tmp_path: Path, url: str) -> None:
        """Several workers behind one port; JSON in the log, with no secret in it; metrics of all together."""
        environment = {**PRODUCTION, "DATABASE_URL": url}
        with (
            serving(tmp_path, "--workers", "2", as_command=True, **environment) as server,
            httpx2.Client(base_url=server.url) as client,
        ):
            secrets = self._use_every_secret(client, tmp_path)
            refused = client.get("/users/me", headers={"x-request-id": "known-to-the-proxy"})
            assert refused.status_code == 401
            assert refused.json()["request_id"] == refused.headers["x-request-id"] == "known-to-the-proxy"
            assert "strict-transport-security" in refused.headers
            head = client.head("/health")
            assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "15")
            upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x" * 22 + "=="}
            # There is a WebSocket at the live feed alone.
            assert client.get("/maps", headers={**upgrade, "sec-websocket-version": "13"}).status_code == 404
            for _ in range(30):
                # New connections, so that both workers get some.
                assert httpx2.get(f"{server.url}/health", headers={"host": "games.example.org"}).status_code == 200
            counts = [self._healthy(httpx2.get(f"{server.url}/metrics")) for _ in range(4)]
            assert min(counts) >= 31
            assert server.stop() == 0
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        assert [line["url"] for line in lines if line["event"] == "serving"] == [server.url]
        requests = [line for line in lines if line["event"] == "request"]
        assert {"method", "path", "status", "ms", "client", "request_id", "timestamp"} <= set(requests[0])
        assert [line["status"] for line in requests if line["request_id"] == "known-to-the-proxy"] == [401]
        assert any(line["event"] == "mail_written" for line in lines)
        for secret in [*secrets, PRODUCTION["WORLDKEEP_SECRET_KEY"]]:
            assert secret not in server.log.read_text()

    @staticmethod
    def _healthy(metrics: httpx2.Response) -> int:
        labels = r'\{method="GET",route="/health",status="200"\}'
        found = re.search(rf"request_seconds_count{labels} (\d+)", metrics.text)
        return int(found[1]) if found else 0

    @staticmethod
    def _use_every_secret(client: httpx2.Client, data_dir: Path) -> list[str]:
        """Send passwords and tokens, right and wrong, by all ways there are; returns them."""
        email, wrong, new = "mira@example.com", "a wrong password", "another password"
        client.post("/auth/register", json={"email": email, "password": PASSWORD}).raise_for_status()
        client.post("/auth/register", json={"email": "none", "password": PASSWORD, "passwd": wrong})
        client.post("/auth/jwt/login", data={"username": email, "password": wrong})
        pair = client.post("/auth/jwt/login", data={"username": email, "password": PASSWORD}).json()
        client.get(f"/universes?token={pair['access_token']}")
        headers = {"authorization": f"Bearer {pair['access_token']}"}
        client.get("/users/me", headers=headers).raise_for_status()
        client.patch("/users/me", headers=headers, json={"password": new, "current_password": wrong})
        again = client.post("/auth/jwt/refresh", json={"refresh_token": pair["refresh_token"]}).json()
        client.post("/auth/jwt/refresh", json={"refresh_token": pair["refresh_token"]})
        cookie = client.post("/auth/cookie/login", data={"username": email, "password": PASSWORD})
        client.cookies.clear()
        client.post("/auth/forgot-password", json={"email": email})
        client.post("/auth/request-verify-token", json={"email": email})
        tokens: list[str] = []
        end = time.monotonic() + PATIENCE_SECONDS
        while len(tokens) < 2:
            assert time.monotonic() < end
            mails = "\n".join(path.read_text() for path in (data_dir / "mail").glob("*.eml"))
            tokens = re.findall(r"^\s*(eyJ[\w.-]+)$", mails, re.MULTILINE)
        for token in tokens:
            client.post("/auth/verify", json={"token": token})
            client.post("/auth/reset-password", json={"token": token, "password": new})
        pairs = [pair["access_token"], pair["refresh_token"], again["access_token"], again["refresh_token"]]
        return [PASSWORD, wrong, new, *tokens, *pairs, *cookie.cookies.values()]

    def test_demo(self, tmp_path: Path, url: str) -> None:
        """It says where the docs are and how to log in; the log-ins work, and are the same the next time."""
        with serving(tmp_path, "--demo", as_command=True, DATABASE_URL=url) as server:
            file = tmp_path / "demo-logins.json"
            assert file.stat().st_mode & 0o777 == 0o600
            logins = json.loads(file.read_text())
            assert list(logins) == ["superuser", "game master", "player one", "player two"]
            text = self._announced(server.log)
            for name, path in (
                ("Play", "/play"),
                ("Back office", "/admin"),
                ("API docs", "/docs"),
                ("Docs", "/guide"),
            ):
                assert re.search(rf"^  {name} +{re.escape(server.url + path)}$", text, re.MULTILINE)
                assert httpx2.get(f"{server.url}{path}", follow_redirects=True).status_code == 200
            assert f"Demo log-ins, also in {file}" in text
            for role, one in logins.items():
                assert re.search(rf"{role} +{one['email']} +{re.escape(one['password'])}$", text, re.MULTILINE)
                form = {"username": one["email"], "password": one["password"]}
                httpx2.post(f"{server.url}/auth/jwt/login", data=form).raise_for_status()
            assert "request" not in server.log.read_text()
        with serving(tmp_path, "--demo", DATABASE_URL=url) as server:
            assert all(one["password"] in self._announced(server.log) for one in logins.values())

    @staticmethod
    def _announced(log: Path) -> str:
        end = time.monotonic() + PATIENCE_SECONDS
        while "player two" not in (text := log.read_text()):
            assert time.monotonic() < end, text
            time.sleep(0.02)
        return text

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
    def test_demo_is_for_this_machine_only(self, host: str, call: Call) -> None:
        assert_fails(call("serve", "--demo", "--host", host), "--demo is for development on this machine")


class TestMigrate:
    def test_empty_then_nothing_to_do(self, call: Call, new_database: Callable[..., str]) -> None:
        url = new_database(empty=True)
        for _ in range(2):
            result = call("migrate", DATABASE_URL=url)
            assert (result.exit_code, result.stderr) == (
                0,
                f"The database is at revision {schema.head_revision()}.\n",
            )
        assert ask(url, "SELECT count(*) FROM map") == "0"


class TestSeed:
    def test_twice_changes_nothing(self, call: Call, url: str) -> None:
        first = call("seed", DATABASE_URL=url)
        assert first.exit_code == 0
        assert len(first.stderr.splitlines()) == 4
        before = contents(url)
        assert int(ask(url, "SELECT count(*) FROM map")) >= 3
        second = call("seed", DATABASE_URL=url)
        assert (second.exit_code, second.stderr) == (0, first.stderr)
        assert contents(url) == before

    def test_keeps_its_hands_off_other_universes(self, call: Call, url: str) -> None:
        call("seed", DATABASE_URL=url)
        ask(url, "DELETE FROM map; DELETE FROM event; UPDATE universe SET name = 'Mine'")
        assert call("seed", DATABASE_URL=url).exit_code == 0
        assert ask(url, "SELECT name FROM universe") == "Mine"
        assert ask(url, "SELECT count(*) FROM map") == "0"

    def test_leaves_existing_accounts_alone(self, call: Call, url: str, tmp_path: Path) -> None:
        """A restored backup and a new data directory: passwords and rights are not changed."""
        call("seed", DATABASE_URL=url)
        ask(url, "DELETE FROM account WHERE email LIKE 'bram@%'")
        ask(url, "UPDATE account SET is_superuser = false, is_active = false WHERE email LIKE 'keeper@%'")
        before = ask(url, "SELECT a::text FROM account a ORDER BY 1")
        result = call("seed", "--data-dir", str(tmp_path / "new"), DATABASE_URL=url)
        assert result.exit_code == 0
        assert set(before.splitlines()) < set(ask(url, "SELECT a::text FROM account a").splitlines())
        *others, bram = result.stderr.splitlines()
        assert all(line.endswith("(existing account, password unchanged)") for line in others)
        kept = json.loads((tmp_path / "new" / "demo-logins.json").read_text())
        assert list(kept) == ["player two"]
        assert bram.endswith(kept["player two"]["password"])


class TestSuperuser:
    FIND = "SELECT email, is_superuser, is_active, is_verified FROM account"

    def test_new_account(self, call: Call, url: str) -> None:
        result = call(
            "superuser", "Keeper@Example.com", "--password-stdin", text=f"{PASSWORD}\r\n", DATABASE_URL=url
        )
        assert (result.exit_code, result.stderr) == (0, "Keeper@Example.com is a superuser now.\n")
        assert ask(url, self.FIND).lower() == "keeper@example.com|t|t|t"

    def test_existing_account(self, call: Call, url: str) -> None:
        """It gets the new password, and can log in even if it could not any more."""
        arguments = ("superuser", "keeper@example.com", "--password-stdin")
        call(*arguments, text="the old password", DATABASE_URL=url)
        old = ask(url, "SELECT hashed_password FROM account")
        ask(url, "UPDATE account SET is_superuser = false, is_active = false, is_verified = false")
        result = call("superuser", "KEEPER@example.com", "--password-stdin", text=PASSWORD, DATABASE_URL=url)
        assert result.exit_code == 0
        assert ask(url, self.FIND) == "keeper@example.com|t|t|t"
        assert ask(url, "SELECT hashed_password FROM account") != old

    @pytest.mark.parametrize("email", ["nonsense", "", "a@b", "a b@example.com"])
    def test_bad_address(self, email: str, call: Call, url: str) -> None:
        result = call("superuser", email, "--password-stdin", text=PASSWORD, DATABASE_URL=url)
        assert_fails(result, "is not an e-mail address")
        assert ask(url, "SELECT count(*) FROM account") == "0"

    @pytest.mark.parametrize("password", ["", "1234567", "x" * 129])
    def test_bad_password(self, password: str, call: Call, url: str) -> None:
        result = call("superuser", "a@b.example", "--password-stdin", text=password, DATABASE_URL=url)
        assert_fails(result, "A password has 8 to 128 characters")

    def test_no_terminal(self, call: Call, url: str) -> None:
        result = call("superuser", "a@b.example", DATABASE_URL=url)
        assert_fails(result, "no terminal.*--password-stdin")


class TestBackup:
    def test_nothing_to_back_up(self, call: Call, tmp_path: Path, new_database: Callable[..., str]) -> None:
        result = call("backup", "world.backup", DATABASE_URL=new_database(empty=True))
        assert_fails(result, "nothing to back up")
        assert not list(tmp_path.glob("world*"))

    def test_no_such_folder(self, call: Call, url: str) -> None:
        result = call("backup", "no/such/folder/file", DATABASE_URL=url)
        assert_fails(result, "Cannot write no/such/folder/file: No such file or directory")

    def test_a_folder(self, call: Call, url: str, tmp_path: Path) -> None:
        assert_fails(call("backup", str(tmp_path), DATABASE_URL=url), "is a directory: give the name of a file")

    def test_replaces_an_older_one_only_when_complete(self, call: Call, url: str, tmp_path: Path) -> None:
        file = tmp_path / "world.backup"
        file.write_text("older")
        ask(url, 'ALTER TABLE map RENAME COLUMN name TO "odd name\'"')
        assert call("backup", str(file), "--force", DATABASE_URL="postgresql://127.0.0.1:1/x").exit_code == 1
        assert file.read_text() == "older"
        refused = call("backup", str(file), DATABASE_URL=url)
        assert_fails(refused, "world.backup already exists: choose another name, or use --force to replace it")
        assert file.read_text() == "older"
        assert call("backup", str(file), "--force", DATABASE_URL=url).exit_code == 0
        assert file.read_bytes().startswith(b"PGDMP")
        assert [path.name for path in tmp_path.glob("world*")] == ["world.backup"]


class TestRestore:
    def test_no_such_file(self, call: Call, url: str) -> None:
        assert_fails(call("restore", "nothing", DATABASE_URL=url), "The file nothing does not exist")

    def test_not_a_backup(self, call: Call, new_database: Callable[..., str], tmp_path: Path) -> None:
        url = new_database(empty=True)
        (tmp_path / "file").write_text("DROP DATABASE worldkeep;")
        assert_fails(
            call("restore", "file", DATABASE_URL=url), "file is not a backup: `python -m game backup` writes one"
        )
        assert contents(url) == {}

    def test_refuses_a_database_that_is_not_empty(self, call: Call, url: str, tmp_path: Path) -> None:
        call("backup", "world.backup", DATABASE_URL=url)
        before = contents(url)
        result = call("restore", "world.backup", DATABASE_URL=url)
        assert_fails(result, r"The database is not empty: it has \d+ tables. A restore never overwrites data")
        assert contents(url) == before

    def test_a_half_one_leaves_nothing(
        self, call: Call, url: str, new_database: Callable[..., str], tmp_path: Path
    ) -> None:
        """A backup that was cut short: nothing of it is there, and the restore can be tried again."""
        call("seed", DATABASE_URL=url)
        call("backup", "world.backup", DATABASE_URL=url)
        whole = (tmp_path / "world.backup").read_bytes()
        (tmp_path / "half.backup").write_bytes(whole[: len(whole) - 2000])
        empty = new_database(empty=True)
        assert call("restore", "half.backup", DATABASE_URL=empty).exit_code == 1
        assert contents(empty) == {}
        assert call("restore", "world.backup", DATABASE_URL=empty).exit_code == 0
        assert contents(empty) == contents(url)


class TestDoctor:
    def test_well(self, call: Call, url: str) -> None:
        result = call("doctor", DATABASE_URL=url)
        assert result.exit_code == 0
        assert all(line.startswith("ok ") for line in result.stderr.splitlines())
        assert "The database responds" in result.stderr

    def test_says_what_is_wrong_and_what_to_do(self, call: Call, new_database: Callable[..., str]) -> None:
        result = call(
            "doctor",
            DATABASE_URL=new_database(empty=True),
            WORLDKEEP_SMTP_URL="smtp://127.0.0.1:1",
            WORLDKEEP_SECRETKEY="mistyped",
            WORLDKEEP_DATA_DIR="/proc/nothing",
            **PRODUCTION,
        )
        assert result.exit_code == 1
        bad = [line for line in result.stderr.splitlines() if line.startswith("bad")]
        patterns = [
            "WORLDKEEP_SECRETKEY is not a setting",
            "SMTP server 127.0.0.1. It does not respond: check WORLDKEEP_SMTP_URL",
            "The schema is at None. Run `python -m game migrate`",
        ]
        for pattern in patterns:
            assert any(pattern in line for line in bad), result.stderr

    def test_starts_an_embedded_database(self, call: Call, folder: Path) -> None:
        """On a fresh machine: it finds out whether PostgreSQL can run."""
        result = call("doctor", "--data-dir", str(folder / "data"))
        assert result.exit_code == 0, result.stderr
        assert "The database is empty: `serve` creates the tables" in result.stderr
        with running(folder / "data") as url:
            assert contents(url) == {}


def test_openapi_needs_no_database(call: Call) -> None:
    document: dict[str, Any] = json.loads(call("openapi").stdout)
    assert document["info"]["title"] == "Worldkeep"
