"""`python -m bench`: starts all servers, measures them in interleaved rounds, prints a table and writes
bench/RESULTS.md."""

import asyncio
import os
import platform
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NamedTuple

import orjson
import psutil
import typer

from bench import data, edits, members
from bench.contenders import (
    CACHE,
    CONTENDERS,
    HERE,
    PAINTERS,
    SECRET,
    Command,
    Running,
    Unavailable,
    running,
    worldkeep,
)
from bench.data import Keys
from bench.load import Figures, has_wrk, load, tool
from game.accounts import queries as accounts
from game.core import schema
from game.core.database import Database
from game.core.embedded import running as postgresql
from game.core.settings import Settings
from game.maps import texts as maps
from game.universes import queries as universes

MANY = 32
FEW = 40
SHARED_BUFFERS = min(psutil.virtual_memory().total // 4 // 2**20, 4096)
"""In MB: a quarter of the memory, as PostgreSQL's manual recommends, up to what the benchmarks need."""
STATEMENTS = {
    "GET /users/me": accounts.ME,
    "GET /universes/{id}": universes.BY_ID,
    "GET /universes": universes.LIST,
    "GET /maps/{id}": maps.BY_ID,
    "GET /maps": maps.LIST,
}
_HEAD = [
    "| | requests/s, 32 connections | rate of the first row, relative | p50 ms | p99 ms | p50 ms, 1 connection "
    "| CPU seconds a million requests | memory MB |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
]
_NOTES = """\
One server process each, the same rows, the same checks in each request: signature, session, active user,
ownership, ETag. Worldkeep also logs a line, counts its metrics and sends security headers and a request id each
time; the others do not log. Signatures that were verified once are remembered by Worldkeep, the bare limit and
Fastify. CPU seconds and memory are the server's own, without the database and the load.
"""


def say(line: str = "") -> None:
    print(line, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def machine() -> str:
    """A description of the machine in one line."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.partition(": ")[2] for line in info.read_text().splitlines() if "model name" in line]
        name = (models or [name])[0]
    memory = psutil.virtual_memory().total / 2**30
    return f"{name}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def versions() -> str:
    """The versions of the measured software in one line."""
    names = ["fastapi", "starlette", "uvicorn", "uvloop", "httptools", "asyncpg", "sqlmodel", "sqlalchemy"]
    found = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)]
    lock = HERE / "baselines" / "fastify" / "package-lock.json"
    packages: dict[str, Any] = orjson.loads(lock.read_bytes())["packages"]
    found += [f"{name} {packages[f'node_modules/{name}']['version']}" for name in ("fastify", "pg")]
    if (CACHE / "fastify").exists():
        found.append("Node " + subprocess.run(["node", "--version"], capture_output=True, text=True).stdout[1:-1])
    django = (HERE / "baselines" / "django" / "requirements.txt").read_text().split()
    return ", ".join([*found, *(line.replace("==", " ") for line in django)])


def check_alike(port: int, keys: Keys) -> None:
    """Check that a contender does the work: the right document with its ETag, 401 without a log-in.

    Raises:
        Unavailable: it does not.
    """
    path, token = keys.pairs[0]

    def ask(authorization: str) -> tuple[int, Any, str | None]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={"Authorization": authorization}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, orjson.loads(answer.read()), answer.headers["etag"]
        except urllib.error.HTTPError as error:
            return error.code, None, None

    status, document, etag = ask(f"Bearer {token}")
    if "items" in (document or {}) or "results" in (document or {}):
        good = len(document.get("items", document.get("results"))) == 20
    else:
        good = status == 200 and document["id"] in path and etag == '"1"'
        good = good and (len(document["grid_data"]["layers"][0]["rows"]) == 64 if "map" in path else True)
    broken = f"Bearer {token[:-2]}{'AA' if token[-2:] != 'AA' else 'BB'}"
    if not good or ask(broken)[0] not in (401, 404):
        raise Unavailable(f"it does not respond to {path} as expected")


class Entry(NamedTuple):
    """A measured server: how it is started, its database, and its requests."""

    command: Command
    url: str
    workloads: list[Keys]


def start(stack: ExitStack, entries: dict[str, Entry], folder: Path) -> tuple[dict[str, Running], list[str]]:
    """Start all contenders. Returns those that respond as expected, and a sentence about each other one."""
    contenders: dict[str, Running] = {}
    skipped = []
    for name, entry in entries.items():
        try:
            one = stack.enter_context(running(entry.command, free_port(), entry.url, folder))
            for keys in entry.workloads:
                check_alike(one.port, keys)
            contenders[name] = one
        except Unavailable as reason:
            skipped.append(f"{name} is left out: {reason}.")
            say(skipped[-1])
    return contenders, skipped


def measure(contenders: dict[str, Running], entries: dict[str, Entry], rounds: int, seconds: float) -> str:
    """Load all contenders in interleaved rounds. Returns a table for each workload, with the medians of all
    rounds."""
    measured: dict[tuple[str, str, int], list[Figures]] = {}
    costs: dict[tuple[str, str], list[float]] = {}
    turns = [
        (name, one, keys)
        for group in zip(*(entries[name].workloads for name in contenders), strict=True)
        for (name, one), keys in zip(contenders.items(), group, strict=True)
    ]
    for _, one, keys in turns:
        load(one.port, keys, MANY, 1)
    for number in range(rounds):
        for connections in (MANY, 1):
            for name, one, keys in turns:
                before = one.cpu_seconds()
                figures = load(one.port, keys, connections, seconds if connections == MANY else seconds / 2)
                measured.setdefault((name, keys.name, connections), []).append(figures)
                if connections == MANY:
                    cost = (one.cpu_seconds() - before) / figures.requests * 1e6
                    costs.setdefault((name, keys.name), []).append(cost)
                say(
                    f"  round {number + 1}  {keys.name:<12} {connections:>2} connections  {name:<30}"
                    f"{figures.rate:>9,.0f}/s  p50 {figures.p50:.2f} ms  p99 {figures.p99:.2f} ms"
                )
    lines = []
    for workload in dict.fromkeys(keys.name for _, _, keys in turns):
        lines += [f"### {workload}", "", *_HEAD]
        first = 0.0
        for name, one in contenders.items():
            many, alone = measured[name, workload, MANY], measured[name, workload, 1]
            rate = median(figures.rate for figures in many)
            first = first or rate
            lines.append(
                f"| {name} | {rate:,.0f} | {first / rate:.2f} | {median(one.p50 for one in many):.2f} "
                f"| {median(one.p99 for one in many):.2f} | {median(one.p50 for one in alone):.2f} "
                f"| {median(costs[name, workload]):.0f} | {one.memory():.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


def side_by_side(rounds: int, seconds: float, only: list[str]) -> str:
    """All contenders on one database of 25,000 universes and 2,000 maps."""
    with ExitStack() as stack:
        folder, url = database(stack, 1000, 2000)
        workloads = asyncio.run(data.choose_keys(url, SECRET, folder))
        entries = {
            name: Entry(command, url, workloads)
            for name, command in CONTENDERS.items()
            if not only or any(name.startswith(one) for one in only)
        }
        contenders, skipped = start(stack, entries, folder)
        tables = measure(contenders, entries, rounds, seconds)
        painters = {name: one for name, one in contenders.items() if name in PAINTERS}
        if painters and has_wrk():
            tables += "\n" + edits.side_by_side(painters, url, folder, rounds, seconds, say)
        else:
            skipped.append("Edits are left out: they need wrk.")
        if ours := contenders.get("Worldkeep"):
            about = members.rows(ours, url, folder, rounds, seconds, say)
            tables += "\n".join(["\n### Members", "", *members.HEAD, *about, ""])
    return "\n".join(["## Side by side: 25,000 universes, 2,000 maps", "", *skipped, "", tables])


def at_scale(rounds: int, seconds: float) -> str:
    """Worldkeep alone: a small database against a large one, one worker against two, and the indexes in use."""
    with ExitStack() as stack:
        folder, small = database(stack, FEW, 5 * FEW)
        few = asyncio.run(data.choose_keys(small, SECRET, folder))
        entries = {f"1,000 universes, 200 maps, asked by {FEW} people": Entry(worldkeep(), small, few)}
        folder, url = database(stack, 1000 * FEW, 5000 * FEW)
        few = asyncio.run(data.choose_keys(url, SECRET, folder, FEW))
        many = asyncio.run(data.choose_keys(url, SECRET, folder))
        entries[f"1,000,000 and 200,000, asked by {FEW} people"] = Entry(worldkeep(), url, few)
        entries["the same, asked by 2,000 people"] = Entry(worldkeep(), url, many)
        entries["the same, 2 workers"] = Entry(worldkeep(2), url, many)
        contenders, _ = start(stack, entries, folder)
        tables = measure(contenders, entries, rounds, seconds)
        ours = contenders["the same, asked by 2,000 people"]
        lists = members.many_universes(ours, url, folder, rounds, seconds, say)
        tables += "\n".join(["\n### Members", "", *members.HEAD, lists, ""])
        indexes = asyncio.run(explain(url))
    return "\n".join(
        ["## Scale", "", tables, "Each statement and the indexes that it reads by:", "", *indexes, ""]
    )


def database(stack: ExitStack, users: int, places: int) -> tuple[Path, str]:
    """A filled database in a separate folder, while the stack is open."""
    say(f"{users:,} accounts, {users * data.UNIVERSES_EACH:,} universes, {places:,} maps ...")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="worldkeep-bench-")))
    folder.chmod(0o711)
    url = stack.enter_context(postgresql(folder, settings={"shared_buffers": f"{SHARED_BUFFERS}MB"}))
    schema.upgrade(url)
    asyncio.run(data.fill(url, users, places))
    return folder, url


async def explain(url: str) -> list[str]:
    """For each hot read, the scans in its plan."""
    os.environ["DATABASE_URL"] = url
    connection = await Database(Settings()).hot_connection()
    try:
        lines = []
        for name, read in STATEMENTS.items():
            sql = read.statement.sql
            await connection.execute(f"PREPARE hot AS {sql}")
            values = ", ".join("NULL" for number in range(1, 10) if f"${number}" in sql)
            plan = await connection.fetch(f"EXPLAIN EXECUTE hot({values})")
            await connection.execute("DEALLOCATE hot")
            scans = [line[0].partition("->")[2].partition("  (")[0].strip() for line in plan if " Scan" in line[0]]
            lines.append(
                f"- {name}: " + ", ".join(dict.fromkeys(scan for scan in scans if "Function" not in scan))
            )
        return lines
    finally:
        await connection.close()


def main(
    rounds: Annotated[int, typer.Option(help="Number of rounds; the medians are reported.")] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds of load per round.")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="Only contenders whose names start with this.")] = None,
    scale: Annotated[bool, typer.Option(help="Also with 1,000,000 universes and 200,000 maps (minutes).")] = False,
) -> None:
    """Measure Worldkeep and its alternatives side by side."""
    report = [
        "# Results of `make bench`",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}. {machine()}. Load average before: {os.getloadavg()[0]:.1f}.",
        f"The load: {tool()}, on the same machine as server and database. {rounds} interleaved rounds, medians.",
        f"PostgreSQL with default settings, except for {SHARED_BUFFERS} MB of shared buffers.",
        "",
        versions(),
        "",
        _NOTES,
        side_by_side(rounds, seconds, only or []),
    ]
    if scale:
        report.append(at_scale(rounds, seconds))
    text = "\n".join(report)
    say(f"\n{text}")
    (HERE / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
