"""The command line: `python -m game serve`, `migrate`, `seed`, `superuser`, `backup`, `restore`, `doctor`."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

import typer
import uvicorn
from pydantic import SecretStr, ValidationError
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from uvicorn.supervisors import Multiprocess

from game.accounts.manager import UserManager
from game.accounts.models import MAX_PASSWORD, MIN_PASSWORD
from game.core import logs, schema
from game.core.database import Database
from game.core.embedded import EmbeddedError, binary, running
from game.core.settings import Settings
from seed import loader

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded database lives.")]


def _fail(message: str, code: int = 1) -> NoReturn:
    console.print(f"[bold red]Error:[/] {message}", soft_wrap=True)
    raise typer.Exit(code)


def _settings(**options: object) -> Settings:
    """The settings; options of the command line win, also in the processes that this one starts."""
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
                console.print(f"[bold red]Error:[/] {prefix}{sentence}.", soft_wrap=True)
        raise typer.Exit(2) from None


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """The settings with a database that runs: the given one, or the embedded one as long as this is open."""
    if settings.database_url is not None:
        yield settings
        return
    try:
        with running(settings.data_dir) as url:
            os.environ["WORLDKEEP_DATABASE_URL"] = url
            yield settings.model_copy(update={"database_url": SecretStr(url)})
    except EmbeddedError as error:
        _fail(str(error))


async def _revision(settings: Settings) -> str | None:
    database = Database(settings)
    try:
        async with database.engine.connect() as connection:
            return await schema.current_revision(connection)
    finally:
        await database.close()


def _migrate(settings: Settings) -> None:
    """Bring the database up to date, or say in a sentence why that cannot be."""
    try:
        revision = asyncio.run(_revision(settings))
        if revision == schema.head_revision():
            return
        if revision is not None and not schema.is_known(revision):
            _fail(f"The database was written by a newer Worldkeep (its schema is {revision}): start that one.")
        direct = settings.migration_database_url
        schema.upgrade(direct.get_secret_value() if direct else settings.url())
    except (OSError, DBAPIError) as error:
        cause = getattr(error, "orig", None) or error
        _fail(f"The database cannot be reached or migrated: {cause}. Check WORLDKEEP_DATABASE_URL.")


def _bind(host: str, port: int) -> socket.socket:
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        _fail(f"Cannot listen on {host}:{port}: {error.strerror or error}. Is another program there? Try --port.")
    listener.set_inheritable(True)
    return listener


def _announce(url: str, lines: list[str]) -> None:
    """Print where the server is, once it answers."""

    def wait() -> None:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=1):  # noqa: S310 - ours
                break
            time.sleep(0.02)
        else:
            return
        for line in [f"Worldkeep serves at {url}", f"  API docs  {url}/docs", *lines]:
            console.print(line, soft_wrap=True, markup=False)

    threading.Thread(target=wait, daemon=True).start()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.")] = None,
    data_dir: DataDir = None,
    demo: Annotated[bool, typer.Option("--demo", help="Load the demo universe and its log-ins.")] = False,
) -> None:
    """Serve the API."""
    settings = _settings(host=host, port=port, workers=workers, data_dir=data_dir)
    loopback = settings.host in ("127.0.0.1", "localhost", "::1")
    if demo and (settings.is_production or not loopback):
        _fail("--demo is for development on this machine: not in production, and only on 127.0.0.1.")
    listener = _bind(settings.host, settings.port)
    with _database(settings) as settings, _metrics_directory(settings.workers):
        if settings.is_production and asyncio.run(_revision(settings)) != schema.head_revision():
            _fail("The database is not at this version's schema: run `python -m game migrate` first.")
        _migrate(settings)
        lines = []
        if demo:
            logins = asyncio.run(loader.load_demo(settings))
            lines = ["  Demo log-ins", *(f"    {one.role:<12} {one.email:<28} {one.password}" for one in logins)]
        logs.configure(settings)
        host, port = listener.getsockname()[:2]
        _announce(f"http://{f'[{host}]' if ':' in str(host) else host}:{port}", lines)
        config = uvicorn.Config(
            "game.main:create_app",
            factory=True,
            workers=settings.workers,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=settings.shutdown_grace,
            timeout_keep_alive=30,
            backlog=2048,
        )
        if settings.workers > 1:
            Multiprocess(config, sockets=[listener]).run()
        else:
            server = uvicorn.Server(config)
            server.run(sockets=[listener])
            if not server.started:
                raise typer.Exit(3)


@contextmanager
def _metrics_directory(workers: int) -> Iterator[None]:
    """Where several workers keep their counters together, as long as this is open."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="worldkeep-metrics-") as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        yield


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database up to date."""
    with _database(_settings(data_dir=data_dir)) as settings:
        _migrate(settings)
        console.print(f"The database is at revision {schema.head_revision()}.")


@app.command()
def seed(data_dir: DataDir = None) -> None:
    """Load the demo universe and its log-ins. Loading twice changes nothing."""
    settings = _settings(data_dir=data_dir)
    if settings.is_production:
        _fail("The demo is for development: its log-ins stand in a file.")
    with _database(settings) as settings:
        _migrate(settings)
        for one in asyncio.run(loader.load_demo(settings)):
            console.print(f"{one.role:<12} {one.email:<28} {one.password}", markup=False)


@app.command()
def superuser(
    email: Annotated[str, typer.Argument(help="The address of the account: made when there is none.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make an account that runs the server, or let an account run it."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        _fail(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    with _database(_settings(data_dir=data_dir)) as settings:
        _migrate(settings)
        asyncio.run(_make_superuser(settings, email, password))
    console.print(f"{email} runs this server now.", markup=False)


async def _make_superuser(settings: Settings, email: str, password: str) -> None:
    database = Database(settings)
    try:
        async with AsyncSession(database.engine, expire_on_commit=False) as session, session.begin():
            await loader.put_account(UserManager(session, settings.secret()), email, password, is_superuser=True)
    except ValidationError:
        _fail(f"{email} is not an e-mail address.")
    finally:
        await database.close()


def _pg(program: str, url: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """A call of one of PostgreSQL's programs; the password goes by the environment, where no `ps` shows it."""
    parts = urlsplit(url)
    environment = dict(os.environ)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
        user, _, place = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}@{place}")
    return [str(binary(program)), f"--dbname={urlunsplit(parts)}", *arguments], environment


def _run(call: tuple[list[str], dict[str, str]], doing: str, growing: Path | None = None) -> None:
    """Run a program with a line in the terminal that shows that it works."""
    arguments, environment = call
    with (
        console.status(doing) as status,
        subprocess.Popen(  # noqa: S603 - our program, our arguments
            arguments, env=environment, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        while process.poll() is None:
            time.sleep(0.1)
            if growing is not None and growing.exists():
                status.update(f"{doing} {growing.stat().st_size / 2**20:.1f} MiB")
        if process.returncode:
            error = (process.stderr.read() if process.stderr else "").strip().splitlines()
            _fail(error[0] if error else f"{arguments[0]} failed.")


@app.command()
def backup(file: Path, data_dir: DataDir = None) -> None:
    """Write the whole database to a file. The server may go on meanwhile."""
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
    except OSError as error:
        _fail(f"Cannot write {file}: {error.strerror}.")
    with _database(_settings(data_dir=data_dir)) as settings:
        try:
            _run(_pg("pg_dump", settings.url(), "--format=custom", f"--file={part}"), "Writing", part)
            os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)
    console.print(f"{file}: {file.stat().st_size / 2**20:.1f} MiB. Keep it safe: it holds password hashes.")


@app.command()
def restore(file: Path, data_dir: DataDir = None) -> None:
    """Read a backup into an empty database."""
    if not file.is_file():
        _fail(f"There is no file {file}.")
    with _database(_settings(data_dir=data_dir)) as settings:
        tables = asyncio.run(_count_tables(settings))
        if tables:
            _fail(
                f"The database is not empty: it has {tables} tables, and a restore never overwrites. "
                "Choose another with --data-dir or WORLDKEEP_DATABASE_URL."
            )
        options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", str(file))
        _run(_pg("pg_restore", settings.url(), *options), "Reading")
        _migrate(settings)
    console.print(f"{file} is restored.")


async def _count_tables(settings: Settings) -> int:
    database = Database(settings)
    try:
        async with database.engine.connect() as connection:
            query = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            return int(await connection.scalar(text(query)) or 0)
    finally:
        await database.close()


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Say what is wrong with this installation, and what to do."""
    settings = _settings(data_dir=data_dir)
    faults = 0

    def report(good: bool, what: str, todo: str = "") -> None:
        nonlocal faults
        faults += not good
        mark = "[green]ok[/]  " if good else "[red]bad[/] "
        console.print(f"{mark} {what}{'' if good or not todo else f'. {todo}'}", soft_wrap=True)

    report(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "Use 3.11 or newer")
    report(True, f"Environment {settings.environment}, settings are valid")
    folder = settings.data_dir if settings.data_dir.exists() else settings.data_dir.parent
    writable = os.access(folder, os.W_OK) or not folder.exists()
    report(writable, f"Data directory {settings.data_dir}", "Make it writable, or set WORLDKEEP_DATA_DIR")
    existing = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    report(free > 2**30, f"{free / 2**30:.1f} GiB of disk are free", "Make room: at least 1 GiB")
    in_use = _answers(settings.host, settings.port)
    report(True, f"Port {settings.port} is {'in use (a server runs?)' if in_use else 'free'}")
    if settings.smtp_url is None:
        report(True, f"No SMTP server: mails become files in {settings.data_dir / 'mail'}")
    else:
        smtp = urlsplit(settings.smtp_url.get_secret_value())
        default = 465 if smtp.scheme == "smtps" else 587
        good = _answers(smtp.hostname or "localhost", smtp.port or default)
        report(good, f"SMTP server {smtp.hostname}", "It does not answer: check WORLDKEEP_SMTP_URL")
    try:
        with _database(settings) as connected:
            revision = asyncio.run(_revision(connected))
            report(True, "The database answers")
            current = revision == schema.head_revision()
            report(current, f"The schema is at {revision or 'nothing'}", "Run `python -m game migrate`")
    except (OSError, DBAPIError) as error:
        report(False, f"The database does not answer ({type(error).__name__})", "Check WORLDKEEP_DATABASE_URL")
    except typer.Exit:
        faults += 1
    raise typer.Exit(1 if faults else 0)


def _answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=2):
        return True
    return False
