"""The measured servers: how each is installed and started, all on the same database."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from game.accounts.tokens import derive_key

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
"""The folder for the dependencies of the alternatives; ignored by git."""
SECRET = "a secret for benchmarks only: 0123456789abcdef"
_UVICORN = [sys.executable, "-m", "uvicorn", "--no-access-log", "--log-level", "warning", "--port"]


Command = Callable[[str], list[str]]
"""The command that serves at a port."""


class Unavailable(Exception):
    """A contender cannot be measured; the message is a sentence."""


def worldkeep(workers: int = 1) -> Command:
    """Worldkeep with a number of workers."""
    return lambda port: [sys.executable, "-m", "game", "serve", "--port", port, "--workers", str(workers)]


def _bare(port: str) -> list[str]:
    return [*_UVICORN, port, "bench.baselines.bare:app"]


def _plain_fastapi(port: str) -> list[str]:
    return [*_UVICORN, port, "bench.baselines.plain_fastapi:app"]


def _install(folder: str, *commands: list[str]) -> Path:
    place = CACHE / folder
    shutil.copytree(HERE / "baselines" / folder, place, dirs_exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    for command in commands:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise Unavailable(f"it could not be installed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return place


def _fastify(port: str) -> list[str]:
    if not shutil.which("node") or not shutil.which("npm"):
        raise Unavailable("node and npm are not installed")
    place = _install("fastify", ["npm", "ci", "--no-audit", "--no-fund", "--silent"])
    return ["node", str(place / "server.js")]


def _django(port: str) -> list[str]:
    python = CACHE / "django" / "venv" / "bin" / "python"
    place = _install(
        "django",
        [sys.executable, "-m", "venv", "venv"],
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"],
    )
    gunicorn = ["-m", "gunicorn", "--workers=1", "--threads=8", "--keep-alive=60", "--log-level=warning"]
    return [str(python), *gunicorn, f"--chdir={place}", f"--bind=127.0.0.1:{port}", "app:app"]


CONTENDERS: dict[str, Command] = {
    "Worldkeep": worldkeep(),
    "bare ASGI limit": _bare,
    "Fastify + pg": _fastify,
    "plain FastAPI + SQLModel": _plain_fastapi,
    "Django REST framework": _django,
}

PAINTERS = ("Worldkeep", "Fastify + pg")
"""The contenders with edits."""


@dataclass
class Running:
    """A running contender."""

    port: int
    process: psutil.Process

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """The processor seconds that it has used, in user mode and in the kernel."""
        return sum(times.user + times.system for times in (one.cpu_times() for one in self._tree()))

    def memory(self) -> float:
        """Its memory, in MB."""
        return sum(one.memory_info().rss for one in self._tree()) / 1e6


@contextmanager
def running(command: Command, port: int, url: str, folder: Path) -> Iterator[Running]:
    """Start a contender and wait until it responds.

    Raises:
        Unavailable: it cannot be installed or does not start.
    """
    parts = urlsplit(url)
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "PGHOST": parse_qs(parts.query).get("host", [parts.hostname or ""])[0],
        "PGUSER": parts.username or "postgres",
        "PGDATABASE": parts.path.lstrip("/"),
        "PORT": str(port),
        "JWT_KEY": derive_key(SECRET, "access"),
        "WORLDKEEP_SECRET_KEY": SECRET,
        "WORLDKEEP_ENVIRONMENT": "production",
        "WORLDKEEP_ALLOWED_HOSTS": "127.0.0.1",
        "WORLDKEEP_DATA_DIR": str(folder),
    }
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(str(port)), env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=HERE.parent
        )
    try:
        one = Running(port, psutil.Process(process.pid))
        end = time.monotonic() + 30
        while not any(c.status == "LISTEN" for p in one._tree() for c in p.net_connections("tcp")):
            if process.poll() is not None or time.monotonic() > end:
                raise Unavailable(f"it does not start: {(log.read_text().strip().splitlines() or ['?'])[-1]}")
            time.sleep(0.1)
        yield one
    finally:
        process.terminate()
        process.wait(30)
