"""`python -m bench`: starts everything, measures in turns, prints a table and writes bench/RESULTS.md."""

import asyncio
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
from typing import Annotated, Any

import orjson
import psutil
import typer

from bench import data
from bench.contenders import CACHE, CONTENDERS, HERE, SECRET, TWO_WORKERS, Running, Unavailable, running
from bench.data import Keys
from bench.load import Figures, load, tool
from game.core import schema
from game.core.embedded import running as postgresql

CONNECTIONS = (32, 1)
Results = dict[tuple[str, str, int], list[Figures]]


def say(line: str = "") -> None:
    print(line, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def machine() -> str:
    """The machine, in a line."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.partition(": ")[2] for line in info.read_text().splitlines() if "model name" in line]
        name = (models or [name])[0]
    memory = psutil.virtual_memory().total / 2**30
    return f"{name}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def versions() -> str:
    """The versions of what was measured, in a line."""
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
    """Make sure that a contender does the work: the right document with its ETag, 401 without a log-in.

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
        raise Unavailable(f"it does not answer {path} as it should")


def measure(
    contenders: dict[str, Running], workloads: list[Keys], rounds: int, seconds: float
) -> tuple[Results, dict[tuple[str, str], float]]:
    """Load everybody in turns. Returns the figures, and the processor seconds a million requests."""
    results: Results = {}
    costs: dict[tuple[str, str], list[float]] = {}
    for keys in workloads:
        for one in contenders.values():
            load(one.port, keys, max(CONNECTIONS), 1)
    for number in range(rounds):
        for keys in workloads:
            for connections in CONNECTIONS:
                for name, one in contenders.items():
                    before = one.cpu_seconds()
                    figures = load(one.port, keys, connections, seconds if connections > 1 else seconds / 2)
                    if connections > 1:
                        cost = (one.cpu_seconds() - before) / figures.requests * 1e6
                        costs.setdefault((name, keys.name), []).append(cost)
                    results.setdefault((name, keys.name, connections), []).append(figures)
                    say(
                        f"  round {number + 1}  {keys.name:<12} {connections:>2} connections  {name:<26}"
                        f"{figures.rate:>9,.0f}/s  p50 {figures.p50:.2f} ms  p99 {figures.p99:.2f} ms"
                    )
    return results, {key: median(values) for key, values in costs.items()}


def table(contenders: dict[str, Running], results: Results, costs: dict[tuple[str, str], float]) -> str:
    """The medians of all rounds as a table in Markdown; ratios are to the first contender, Worldkeep."""
    lines = []
    for workload in dict.fromkeys(key[1] for key in results):
        lines += [
            f"### {workload}",
            "",
            "| | requests/s, 32 connections | Worldkeep is | p50 ms | p99 ms | p50 ms, 1 connection "
            "| CPU s a million requests | memory MB |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        first = None
        for name, one in contenders.items():
            many, single = (results[name, workload, connections] for connections in CONNECTIONS)
            rate = median(figures.rate for figures in many)
            first = first or rate
            p50, p99 = median(figures.p50 for figures in many), median(figures.p99 for figures in many)
            alone = median(figures.p50 for figures in single)
            lines.append(
                f"| {name} | {rate:,.0f} | {first / rate:.2f} x | {p50:.2f} | {p99:.2f} | {alone:.2f} "
                f"| {costs[name, workload]:.0f} | {one.memory():.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


def run(accounts: int, maps: int, rounds: int, seconds: float, only: list[str]) -> tuple[str, list[str], Results]:
    """Build a database, start everybody on it and measure. Returns the table, who was left out, the figures."""
    skipped: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="worldkeep-bench-")))
        folder.chmod(0o711)
        url = stack.enter_context(postgresql(folder))
        say(f"{accounts:,} accounts, {accounts * data.UNIVERSES_EACH:,} universes, {maps:,} maps ...")
        schema.upgrade(url)
        asyncio.run(data.fill(url, accounts, maps))
        workloads = asyncio.run(data.choose_keys(url, SECRET, folder))
        contenders: dict[str, Running] = {}
        for name, command in CONTENDERS.items():
            if only and not any(name.startswith(one) for one in only):
                continue
            try:
                one = stack.enter_context(running(command, free_port(), url, folder))
                for keys in workloads:
                    check_alike(one.port, keys)
                contenders[name] = one
            except Unavailable as reason:
                skipped.append(f"{name} is left out: {reason}.")
                say(skipped[-1])
        results, costs = measure(contenders, workloads, rounds, seconds)
        return table(contenders, results, costs), skipped, results


def main(
    rounds: Annotated[int, typer.Option(help="Rounds; the median counts.")] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds of load each time.")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="Only contenders whose names begin so.")] = None,
    scale: Annotated[bool, typer.Option(help="Also with 1,000,000 universes and 200,000 maps (minutes).")] = False,
) -> None:
    """Measure Worldkeep side by side with what people would pick instead."""
    text, skipped, _ = run(1000, 2000, rounds, seconds, only or [])
    say()
    say(text)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
