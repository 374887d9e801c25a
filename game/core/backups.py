"""Backups: PostgreSQL's own archives, written by pg_dump, and read into PostgreSQL 14 to 18."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from game.core.embedded import binary

_MAGIC = b"PGDMP"
_POLL_SECONDS = 0.1
_NOT_EVERYWHERE = re.compile(
    # pg_restore 17 and newer always sets it, but PostgreSQL before 17 does not support it.
    rb"SET transaction_timeout = "
    # PostgreSQL 15.20 and other releases of that time set it on columns, but older ones do not support it.
    rb"|ALTER TABLE ONLY .+ ALTER COLUMN .+ SET \(pg_attver=\d+\);"
)
"""Statements of a dump that some PostgreSQL versions from 14 to 18 reject, and that a restored database does not
need."""
_FIRST_DATA = b"COPY "
_TABLES = ("TABLE public account ", "TABLE public alembic_version ")


class BackupError(Exception):
    """A backup cannot be written or read; the message is a sentence for the user of the command."""


def write_backup(file: Path, url: str, progress: Callable[[int], object]) -> None:
    """Write the database at a URL to a file; `progress` is called with the file's size in bytes meanwhile.

    Raises:
        BackupError: pg_dump failed.
    """
    arguments, environment = _command("pg_dump", url, "--format=custom", f"--file={file}")
    with subprocess.Popen(  # noqa: S603 - our program, our arguments
        arguments, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                progress(file.stat().st_size if file.exists() else 0)
        except BaseException:
            process.terminate()
            raise
        if process.returncode:
            raise BackupError(_reason(process.stderr.read() if process.stderr else "") or "pg_dump failed.")


def check_backup(file: Path) -> None:
    """Check that a file is a backup of this program.

    Raises:
        BackupError: it is not.
    """
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(_MAGIC))
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror}.") from None
    if magic != _MAGIC:
        raise BackupError(f"{file} is not a backup: `python -m game backup` writes one.")
    listed = subprocess.run(  # noqa: S603 - our program, our arguments
        [binary("pg_restore"), "--list", str(file)], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        raise BackupError(f"{file} is damaged: {_reason(listed.stderr)}.")
    if not all(table in listed.stdout for table in _TABLES):
        raise BackupError(f"{file} is a backup of another program: it has no accounts of Worldkeep.")


def read_backup(file: Path, url: str) -> None:
    """Read a backup into the empty database at a URL, in one transaction.

    pg_restore writes SQL, and psql runs it: statements that older servers do not support are removed in between.
    Nothing is committed before pg_restore has read the whole file.

    Raises:
        BackupError: the file is damaged, or the database refuses it. The database is unchanged.
    """
    restore = [str(binary("pg_restore")), "--file=-", "--no-owner", "--no-privileges", str(file)]
    psql, environment = _command(
        "psql", url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output", os.devnull
    )
    with (
        tempfile.TemporaryFile() as restore_errors,
        tempfile.TemporaryFile() as psql_errors,
        subprocess.Popen(restore, stdout=subprocess.PIPE, stderr=restore_errors) as reader,  # noqa: S603 - our programs, no shell
        subprocess.Popen(psql, env=environment, stdin=subprocess.PIPE, stderr=psql_errors) as writer,  # noqa: S603 - our programs, no shell
    ):
        assert reader.stdout
        assert writer.stdin
        try:
            try:
                writer.stdin.write(b"BEGIN;\n")
                _copy_sql(reader.stdout, writer.stdin)
                is_complete = reader.wait() == 0
                writer.stdin.write(b"\nCOMMIT;\n" if is_complete else b"")
                writer.stdin.close()
            except BrokenPipeError:
                # psql has stopped at an error, and its output names it.
                is_complete = True
                with suppress(BrokenPipeError):
                    writer.stdin.close()
            failed = writer.wait() != 0
        except BaseException:
            reader.terminate()
            writer.terminate()
            raise
        finally:
            reader.stdout.close()
        if not is_complete:
            raise BackupError(f"{file} is damaged: {_reason(_text(restore_errors))}.")
        if failed:
            raise BackupError(f"The database refuses {file}: {_reason(_text(psql_errors))}.")


def _copy_sql(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy a script without the statements (all before the data) that some servers do not support."""
    for line in source:
        if not _NOT_EVERYWHERE.match(line):
            target.write(line)
        if line.startswith(_FIRST_DATA):
            break
    shutil.copyfileobj(source, target, 2**20)


def _command(program: str, url: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command line and environment of a PostgreSQL program. The password is in the environment, because `ps`
    shows arguments."""
    parts = urlsplit(url)
    environment = dict(os.environ)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
        user, _, place = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}@{place}")
    return [str(binary(program)), f"--dbname={urlunsplit(parts)}", *arguments], environment


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _reason(output: str) -> str:
    """The error message in a program's output, without the program's name."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    reason_line = next((line for line in lines if "error: " in line or "ERROR: " in line or "FATAL: " in line), "")
    reason = reason_line or (lines[0] if lines else "it gave no reason")
    for mark in ("error: ", "ERROR: ", "FATAL: "):
        reason = reason.rpartition(mark)[2]
    return reason.strip().rstrip(".")
