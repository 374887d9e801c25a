"""The command line: `python -m game serve`, `migrate`, `seed`, `superuser`, `backup`, `restore`, `doctor`."""

import asyncio
import errno
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import asyncpg
import structlog
import typer
import uvicorn
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.markup import escape
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from game.accounts.manager import UserManager
from game.accounts.models import MAX_PASSWORD, MIN_PASSWORD
from game.core import logs, schema
from game.core.backups import BackupError, check_backup, read_backup, write_backup
from game.core.database import Database, connections_of_a_worker
from game.core.embedded import EmbeddedError, running
from game.core.files import raise_file_limit
from game.core.settings import Settings, documentation, unknown_settings
from game.core.sockets import MAX_MESSAGE, PING_SECONDS, PONG_SECONDS
from game.dice.verification import Checked, commitments_of, verify
from game.live.asyncapi import document as live_document
from game.main import create_app
from seed import loader

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)

DataDir = Annotated[Path | None, typer.Option(help="The directory of the embedded database.")]

_PAGES = {"Play": "/play", "Back office": "/admin", "API docs": "/docs", "Docs": "/guide"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BACKLOG = 2048


@app.callback()
def _prepare() -> None:
    """Make SIGTERM and SIGHUP unwind the stack, as Ctrl-C does, so that the embedded database is stopped."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # nohup has set SIGHUP to be ignored.
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def _error(message: str) -> None:
    console.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)


def _unknown_setting(name: str, meant: str | None) -> str:
    hint = f": did you mean {meant}?" if meant else "."
    return f"{name} is not a setting{hint} docs/settings.md lists all settings"


def _fail(message: str, code: int = 1) -> NoReturn:
    _error(message)
    raise typer.Exit(code)


def _settings(**options: object) -> Settings:
    """The settings. Options of the command line take precedence, also in processes that this one starts."""
    for name, value in options.items():
        if value is not None:
            os.environ[f"WORLDKEEP_{name.upper()}"] = str(value)
    try:
        return Settings()
    except ValidationError as error:
        for one in error.errors():
            name = "".join(str(part) for part in one["loc"][:1]).upper()
            message = str(one["msg"]).removeprefix("Value error, ")
            prefix = f"WORLDKEEP_{name.removeprefix('WORLDKEEP_')}: " if name else ""
            for sentence in message.split("; "):
                _error(f"{prefix}{sentence}.")
        raise typer.Exit(2) from None
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"The file .env cannot be read: {error}.", 2)


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """The settings with a running database: the configured one, or the embedded one during the block.

    If the database or a file cannot be used, the command ends with a sentence that says why.
    """
    try:
        if settings.database_url is not None:
            yield settings
            return
        connections = max(200, settings.workers * connections_of_a_worker(settings) + 50)
        with running(settings.data_dir, settings={"max_connections": str(connections)}) as url:
            os.environ["WORLDKEEP_DATABASE_URL"] = url
            yield settings.model_copy(update={"database_url": SecretStr(url)})
    except EmbeddedError as error:
        _fail(str(error))
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if isinstance(error, OSError) and error.filename:
            _fail(f"{error.filename}: {error.strerror}.")
        cause = (isinstance(error, DBAPIError) and error.orig and error.orig.__cause__) or error
        reason = str(cause).strip().partition("\n")[0].rstrip(".") or "it does not respond"
        _fail(f"The database cannot be used: {reason}. Check WORLDKEEP_DATABASE_URL.")


async def _revision(settings: Settings) -> str | None:
    database = Database(settings)
    try:
        async with database.engine.connect() as connection:
            return await schema.current_revision(connection)
    finally:
        await database.close()


def _migrate(settings: Settings) -> None:
    """Migrate the database, unless it has the schema of a newer version."""
    revision = asyncio.run(_revision(settings))
    if revision is not None and not schema.is_known(revision):
        _fail(f"The database was created by a newer version of Worldkeep (schema {revision}): run that version.")
    if revision != schema.head_revision():
        schema.upgrade(settings.direct_url())


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket. From now on, no other server can use the port."""
    listener = None
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = error.strerror if isinstance(error, OSError) else "this is not a host name"
        _fail(f"Cannot listen on {host}:{port}: {reason}. {_bind_hint(error, port)}.")
    listener.set_inheritable(True)
    return listener


def _bind_hint(error: Exception, port: int) -> str:
    """What to do if a port cannot be used."""
    other = 8080 if port != 8080 else 8081
    choose = f"choose another port with `--port {other}`, or `make run PORT={other}`"
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"Another program uses the port: stop it, or {choose}"
        case errno.EACCES:
            return f"Only root may use ports below 1024: {choose}"
    return "Check --host and --port"


def _announce(settings: Settings, listener: socket.socket, lines: list[str]) -> None:
    """Print the addresses of the server and some more lines as soon as it answers."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where to find it, not to bind
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def wait() -> None:
        for _ in range(600):
            connection = HTTPConnection(host, port, timeout=10)
            try:
                connection.request("GET", "/health")
                connection.getresponse()
            except (OSError, HTTPException):
                time.sleep(0.02)
            else:
                break
            finally:
                connection.close()
        else:
            return
        if logs.is_json(settings):
            structlog.get_logger().info("serving", url=url)
            return
        pages = [f"  {name:<13}{url}{path}" for name, path in _PAGES.items()]
        for line in [f"Worldkeep is running at {url}", *pages, *lines]:
            console.print(line, soft_wrap=True, markup=False)

    threading.Thread(target=wait, daemon=True).start()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes that serve requests.")] = None,
    data_dir: DataDir = None,
    demo: Annotated[bool, typer.Option("--demo", help="Load the demo universe and its accounts.")] = False,
) -> None:
    """Serve the API."""
    settings = _settings(host=host, port=port, workers=workers, data_dir=data_dir)
    for name, meant in unknown_settings().items():
        console.print(f"[bold yellow]Warning:[/] {escape(_unknown_setting(name, meant))}.", soft_wrap=True)
    if demo and (settings.is_production or settings.host not in _LOOPBACK):
        _fail("--demo is for development on this machine: it works only with 127.0.0.1, and not in production.")
    with (
        _bind(settings.host, settings.port) as listener,
        _database(settings) as settings,
        _metrics_directory(settings.workers),
    ):
        if settings.is_production and asyncio.run(_revision(settings)) != schema.head_revision():
            _fail("The database does not have the schema of this version: run `python -m game migrate` first.")
        _migrate(settings)
        # Generated before the workers start: otherwise each would generate a key, and sign with that.
        settings.secret()
        lines = []
        if demo:
            logins = asyncio.run(loader.load_demo(settings))
            title = f"  Demo log-ins, also in {loader.logins_file(settings)}"
            lines = [title, *(f"    {line}" for line in _login_lines(logins))]
        logs.configure(settings)
        _announce(settings, listener, lines)
        _run_server(settings, listener)


def _login_lines(logins: list[loader.DemoLogin]) -> list[str]:
    """One line for each account of the demo."""
    kept = "(existing account, password unchanged)"
    return [f"{one.role:<12} {one.email:<28} {one.password or kept}" for one in logins]


class _Supervisor(Multiprocess):
    """Closes the listening sockets before it waits for running requests, so that clients are refused at once."""

    def terminate_all(self) -> None:
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _run_server(settings: Settings, listener: socket.socket) -> None:
    """Serve until a signal asks to stop, then finish the running requests."""
    raise_file_limit()
    config = uvicorn.Config(
        "game.main:create_app",
        factory=True,
        http="game.core.server:HotProtocol" if find_spec("httptools") else "auto",
        ws="game.core.sockets:SocketProtocol",
        ws_max_size=MAX_MESSAGE,
        # Compression costs memory for each socket, and a small message could decompress to a huge one.
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        # The app handles them: the fast path bypasses uvicorn's middleware, but needs the client's address, too.
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_grace,
        timeout_keep_alive=30,
        backlog=_BACKLOG,
    )
    if settings.workers > 1:
        supervisor = _Supervisor(config, sockets=[listener])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            raise typer.Exit(STARTUP_FAILURE)
        return
    server = uvicorn.Server(config)
    try:
        server.run(sockets=[listener])
    except (KeyboardInterrupt, SystemExit):
        # After it has finished, the server raises the signal again that stopped it.
        if not (server.started and server.should_exit):
            raise
    if not server.started:
        raise typer.Exit(STARTUP_FAILURE)


@contextmanager
def _metrics_directory(workers: int) -> Iterator[None]:
    """The directory of the metrics that several workers share, while this is open."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="worldkeep-metrics-") as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        yield


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Migrate the database to the schema of this version."""
    with _database(_settings(data_dir=data_dir)) as settings:
        _migrate(settings)
        console.print(f"The database is at revision {schema.head_revision()}.")


@app.command()
def seed(data_dir: DataDir = None) -> None:
    """Load the demo universe and its accounts. Loading it twice changes nothing."""
    settings = _settings(data_dir=data_dir)
    if settings.is_production:
        _fail("The demo is for development: its passwords are stored in a file.")
    with _database(settings) as settings:
        _migrate(settings)
        for line in _login_lines(asyncio.run(loader.load_demo(settings))):
            console.print(line, markup=False, soft_wrap=True)


@app.command()
def superuser(
    email: Annotated[
        str, typer.Argument(help="E-mail address of the account, which is created if it does not exist.")
    ],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Create a superuser, or make an existing account one."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        _fail("There is no terminal to ask for a password: pass it with --password-stdin.")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        _fail(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    with _database(_settings(data_dir=data_dir)) as settings:
        _migrate(settings)
        asyncio.run(_make_superuser(settings, email, password))
    console.print(f"{email} is a superuser now.", markup=False)


async def _make_superuser(settings: Settings, email: str, password: str) -> None:
    database = Database(settings)
    try:
        async with AsyncSession(database.engine, expire_on_commit=False) as session, session.begin():
            await loader.put_superuser(UserManager(session, settings.secret()), email, password)
    except ValidationError:
        _fail(f"{email} is not an e-mail address.")
    finally:
        await database.close()


@app.command()
def backup(
    file: Path,
    data_dir: DataDir = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write the whole database to a file. The server may keep running."""
    if file.is_dir():
        _fail(f"{file} is a directory: give the name of a file.")
    if file.exists() and not force:
        _fail(f"{file} already exists: choose another name, or use --force to replace it.")
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
    except OSError as error:
        _fail(f"Cannot write {file}: {error.strerror}.")
    with _database(_settings(data_dir=data_dir)) as settings:
        try:
            if not asyncio.run(_count_tables(settings)):
                _fail("There is nothing to back up: the database is empty. Is it the right database?")
            with console.status("Writing") as status:
                write_backup(
                    part, settings.direct_url(), lambda size: status.update(f"Writing {size / 2**20:.1f} MiB")
                )
            os.replace(part, file)
        except BackupError as error:
            _fail(str(error))
        finally:
            part.unlink(missing_ok=True)
    console.print(f"{file}: {file.stat().st_size / 2**20:.1f} MiB. Keep it safe: it contains password hashes.")


@app.command()
def restore(file: Path, data_dir: DataDir = None) -> None:
    """Read a backup into an empty database."""
    if not file.is_file():
        _fail(f"The file {file} does not exist.")
    with _database(_settings(data_dir=data_dir)) as settings:
        tables = asyncio.run(_count_tables(settings))
        if tables:
            _fail(
                f"The database is not empty: it has {tables} tables. A restore never overwrites data. "
                "Choose another with --data-dir or WORLDKEEP_DATABASE_URL."
            )
        try:
            with console.status("Reading"):
                check_backup(file)
                read_backup(file, settings.direct_url())
        except BackupError as error:
            _fail(str(error))
        _migrate(settings)
    console.print(f"Restored {file}.")


async def _count_tables(settings: Settings) -> int:
    database = Database(settings)
    try:
        async with database.engine.connect() as connection:
            query = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            return int(await connection.scalar(text(query)) or 0)
    finally:
        await database.close()


@app.command("verify-rolls")
def verify_rolls(file: Path) -> None:
    """Check the proofs of rolls in a file. The exit code is 1 if one is wrong.

    The file contains the response of GET /universes/{id}/rolls and, in a list under `dice`, earlier responses of
    GET /universes/{id}/dice. No server and no database are needed.
    """
    try:
        document = json.loads(file.read_bytes())
        rolls = document["items"]
        checked = [*verify(rolls, commitments_of(document.get("dice", [])))]
    except OSError as error:
        _fail(f"{file} cannot be read: {error.strerror}.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        _fail(f"{file} contains no rolls: it should contain the response of GET /universes/{{id}}/rolls.")
    _report_rolls(checked)


def _report_rolls(checked: list[Checked]) -> None:
    faults = [one for one in checked if one.fault]
    for one in faults:
        console.print(f"False: roll {one.roll_id}: {one.fault}.", markup=False, soft_wrap=True)
    proved = sum(one.is_proved for one in checked)
    committed = sum(one.was_committed for one in checked)
    unknown = len(checked) - proved - len(faults)
    console.print(
        f"{proved} fair, {committed} of them with a key that was promised before; {len(faults)} false; "
        f"{unknown} without a key."
    )
    if faults:
        raise typer.Exit(1)


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Check this installation, and say how to fix what is wrong."""
    settings = _settings(data_dir=data_dir)
    faults = 0

    def report(good: bool, what: str, todo: str = "") -> None:
        nonlocal faults
        faults += not good
        mark = "[green]ok[/]  " if good else "[red]bad[/] "
        console.print(f"{mark} {what}{'' if good or not todo else f'. {todo}'}", soft_wrap=True)

    report(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "Use 3.11 or newer")
    report(True, f"Environment {settings.environment}, settings are valid")
    for name, meant in unknown_settings().items():
        report(False, _unknown_setting(name, meant))
    existing = next(path for path in (settings.data_dir, *settings.data_dir.parents) if os.path.exists(path))
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    report(writable, f"Data directory {settings.data_dir}", "Make it writable, or set WORLDKEEP_DATA_DIR")
    free = shutil.disk_usage(existing).free
    report(free > 2**30, f"{free / 2**30:.1f} GiB of disk space free", "At least 1 GiB is needed")
    in_use = _answers(settings.host, settings.port)
    report(True, f"Port {settings.port} is {'in use (is a server running?)' if in_use else 'free'}")
    if settings.smtp_url is None:
        report(True, f"No SMTP server: mails are written to files in {settings.data_dir / 'mail'}")
    else:
        smtp = urlsplit(settings.smtp_url.get_secret_value())
        default = 465 if smtp.scheme == "smtps" else 587
        good = _answers(smtp.hostname or "localhost", smtp.port or default)
        report(good, f"SMTP server {smtp.hostname}", "It does not respond: check WORLDKEEP_SMTP_URL")
    with suppress(typer.Exit):
        # Counted as a fault until the database has responded; `_database` reports what is wrong with it.
        faults += 1
        with _database(settings) as connected:
            revision = asyncio.run(_revision(connected))
        faults -= 1
        report(True, "The database responds")
        if revision is None and not settings.is_production:
            report(True, "The database is empty: `serve` creates the tables")
        else:
            newer = revision is not None and not schema.is_known(revision)
            todo = "Run `python -m game migrate`"
            if newer:
                todo = "A newer version of Worldkeep created it: run that version"
            report(revision == schema.head_revision(), f"The schema is at {revision}", todo)
    raise typer.Exit(1 if faults else 0)


@app.command(hidden=True, name="settings")
def print_settings() -> None:
    """Print docs/settings.md."""
    typer.echo(documentation(), nl=False)


@app.command(hidden=True)
def openapi() -> None:
    """Print the API's OpenAPI document."""
    settings = Settings(environment="development", secret_key=SecretStr("signs nothing: this app never serves"))
    typer.echo(json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False))


@app.command()
def asyncapi() -> None:
    """Print the AsyncAPI document of the live feed."""
    settings = Settings(environment="development", secret_key=SecretStr("signs nothing: this app never serves"))
    typer.echo(json.dumps(live_document(create_app(settings)), indent=2, ensure_ascii=False))


def _answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=2):
        return True
    return False
