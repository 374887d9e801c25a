"""`python -m bench.live`: the live feed and its alternatives side by side. Writes bench/LIVE.md.

    python -m bench.live [--seconds N] [--only PART]

One server process each, in interleaved rounds; the load runs on the same machine. With `--only`, that part of
bench/LIVE.md is rewritten: `one`, `many`, `fog`, `workers`, `resume` or `idle`.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx2
import psutil
import typer
import uvloop

from bench.__main__ import free_port, machine, say
from bench.contenders import HERE, Unavailable, _install
from bench.maps import Line
from bench.sockets import Receivers, frame
from bench.tables import UNIVERSES, Game, Tables, flat_out, late, share, steadily
from game.core.embedded import running as postgresql
from game.core.files import raise_file_limit

SOCKETS = 1000
EVENTS_A_SECOND = 5
REPORT = HERE / "LIVE.md"


class Server:
    """A server process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port, self._process = port, psutil.Process(process.pid)

    def _tree(self) -> list[psutil.Process]:
        children = [one for one in self._process.children(recursive=True) if "postgres" not in one.name()]
        return [self._process, *children]

    def cpu(self) -> float:
        return sum(sum(one.cpu_times()[:2]) for one in self._tree())

    def memory(self) -> float:
        return sum(one.memory_info().rss for one in self._tree()) / 1e6


@contextmanager
def serving(command: list[str], port: int, **environment: str) -> Iterator[Server]:
    """Start a server, and wait until it responds."""
    everything = {**os.environ, **environment}
    process = subprocess.Popen(command, env=everything, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            with suppress(httpx2.HTTPError):
                httpx2.get(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            if process.poll() is not None or time.monotonic() > end:
                raise Unavailable("it does not start")
            time.sleep(0.1)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def worldkeep(url: str, workers: int = 1) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "game", "serve", "--port", str(port), "--workers", str(workers)]
    limits = {f"WORLDKEEP_LIMIT_{name}": "100000/hour" for name in ("LOGIN", "SIGNUP", "CODE")}
    more = {f"WORLDKEEP_MAX_{name}_SOCKETS": "50000" for name in ("USER", "CLIENT", "UNIVERSE")}
    with serving(command, port, DATABASE_URL=url, **limits, **more, WORLDKEEP_LOG_LEVEL="warning") as server:
        yield server


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000 if values else float("nan")


def table(url: str, seconds: int) -> Iterator[Line]:
    """One universe, 1,000 sockets: all servers in three interleaved rounds."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(3):
        found.setdefault("Worldkeep", []).append(uvloop.run(one_table_of_ours(url, seconds)))
        for name in PEERS:
            with suppress(Unavailable):
                found.setdefault(name, []).append(uvloop.run(one_table_of(name, seconds)))
        say(f"{ ({name: [round(value) for value in rounds[-1]] for name, rounds in found.items()}) }")
    for name, rounds in found.items():
        middle, slow, last = (median(values) for values in zip(*rounds, strict=True))
        reach = "p99 < 60 ms, below FastAPI's manager and Colyseus" if name == "Worldkeep" else ""
        figures = f"p50 {middle:.0f}, p99 {slow:.0f}, last receiver p99 {last:.0f} ms"
        yield f"one universe, 1,000 sockets, 5 edits a second: {name}", figures, reach


def delays(receivers: Receivers) -> tuple[float, float, float]:
    """Delays of messages in milliseconds: the median, the 99th percentile, and that of the last receivers."""
    every = [one for late in receivers.late.values() for one in late]
    last = [max(late) for late in receivers.late.values()]
    return percentile(every, 0.5), percentile(every, 0.99), percentile(last, 0.99)


# 1: one universe


async def one_table_of_ours(url: str, seconds: int) -> tuple[float, float, float]:
    with worldkeep(url) as server:
        game, receivers = await Game(server.port).begin(1), Receivers(server.port)
        await game.listen(receivers, [game.maps[0][0]] * SOCKETS)
        await receivers.until_greeted()
        receivers.forget()
        await steadily(seconds * EVENTS_A_SECOND, EVENTS_A_SECOND, lambda turn: game.edit(0, turn))
        await receivers.until(seconds * EVENTS_A_SECOND * SOCKETS)
        assert receivers.count == seconds * EVENTS_A_SECOND * SOCKETS, receivers.count
        receivers.close()
        return delays(receivers)


async def one_table_of(name: str, seconds: int) -> tuple[float, float, float]:
    with peer(name) as server:
        receivers = Receivers(server.port)
        await connect_peer(name, receivers, SOCKETS)
        await asyncio.sleep(1)
        receivers.forget()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
            await steadily(seconds * EVENTS_A_SECOND, EVENTS_A_SECOND, lambda _: client.post("/emit"))
        await receivers.until(seconds * EVENTS_A_SECOND * SOCKETS)
        assert receivers.count > 0.9 * seconds * EVENTS_A_SECOND * SOCKETS, receivers.count
        receivers.close()
        return delays(receivers)


PEERS = ("ws", "Socket.IO", "FastAPI's manager", "Colyseus")
_FILES = {"ws": "ws.js", "Socket.IO": "socketio.js", "Colyseus": "colyseus.js"}


@contextmanager
def peer(name: str) -> Iterator[Server]:
    port = free_port()
    if name in _FILES:
        place = _install("live", ["npm", "ci", "--no-audit", "--no-fund", "--silent"])
        command = ["node", str(place / _FILES[name]), str(port)]
    else:
        options = ["--no-access-log", "--log-level", "warning", "--ws", "websockets-sansio"]
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            *options,
            "--port",
            str(port),
            "bench.baselines.live_fastapi:app",
        ]
    with serving(command, port) as server:
        yield server


async def connect_peer(name: str, receivers: Receivers, count: int) -> None:
    match name:
        case "Socket.IO":
            path = "/socket.io/?EIO=4&transport=websocket"
            await receivers.connect([path] * count, [b""] * count, frame(1, b"40"))
        case "Colyseus":
            paths = []
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{receivers.port}", timeout=30) as client:
                for _ in range(count):
                    seat = (await client.post("/matchmake/joinOrCreate/table", json={})).raise_for_status().json()
                    paths.append(f"/{seat['processId']}/{seat['roomId']}?sessionId={seat['sessionId']}")
                    if len(paths) == 50:
                        # A seat reservation expires within seconds.
                        await receivers.connect(paths, [b""] * len(paths), frame(2, bytes([10])))
                        paths = []
        case _:
            await receivers.connect(["/ws"] * count, [b""] * count)


# 2 and 3: many universes


def many(url: str, seconds: int) -> Iterator[Line]:
    """Moves without fog; each is an event for all five sockets."""

    async def measured() -> tuple[list[float], float, tuple[float, float]]:
        with worldkeep(url) as server:
            tables = await Tables(server.port).lay("off")
            return *await late(tables, seconds), await share(tables, 3)

    times, rate, (flat, part) = uvloop.run(measured())
    what = f"{UNIVERSES} universes of 5 sockets, a token move a second each, no fog"
    yield f"{what}: p99 ({rate:.0f} moves a second came about)", f"{percentile(times, 0.99):.0f} ms", "50 ms"
    yield f"the same flat out ({flat:.0f} a second), against nobody listening", f"{part:.2f}", "0.8"


def fog(url: str, seconds: int) -> Iterator[Line]:
    """Moves with fog; each is an event for the game master, and a view for the four sockets of players."""

    async def measured() -> tuple[list[float], float]:
        with worldkeep(url) as server:
            return await late(await Tables(server.port).lay("explored"), seconds)

    times, rate = uvloop.run(measured())
    what = f"{UNIVERSES} universes of 5 sockets, a token move a second each, with fog"
    yield f"{what}: p99 ({rate:.0f} moves a second came about)", f"{percentile(times, 0.99):.0f} ms", "150 ms"


# 4: idle sockets


async def idle(url: str, count: int) -> tuple[float, float]:
    """The memory of a number of sockets, in MB, and their share of a core."""
    with worldkeep(url) as server:
        game, receivers = await Game(server.port).begin(20), Receivers(server.port)
        await game.edit(0, 0)
        before = server.memory()
        await game.listen(receivers, [game.maps[n % 20][0] for n in range(count)])
        await asyncio.sleep(5)
        cpu, memory = server.cpu(), server.memory()
        await asyncio.sleep(30)
        used = (server.cpu() - cpu) / 30
        receivers.close()
        return memory - before, used


async def idle_peer(name: str, count: int) -> float:
    with peer(name) as server:
        receivers = Receivers(server.port)
        before = server.memory()
        await connect_peer(name, receivers, count)
        await asyncio.sleep(2)
        used = server.memory() - before
        receivers.close()
        return used


def idles(url: str, _: int) -> Iterator[Line]:
    """10,000 idle sockets."""
    count = 10_000
    memory, cpu = uvloop.run(idle(url, count))
    yield f"{count:,} idle sockets: memory", f"{memory:.0f} MB", "350 MB"
    yield f"{count:,} idle sockets: of a core", f"{cpu:.1%}", "5 %"
    for name in PEERS:
        with suppress(Unavailable):
            yield f"{count:,} idle sockets, {name}: memory", f"{uvloop.run(idle_peer(name, count)):.0f} MB", ""


# 5: two workers


async def two_workers(url: str) -> tuple[float, float]:
    """Edits per second with 100 watchers on two workers, and the ratio to edits without watchers."""
    with worldkeep(url, workers=2) as server:
        game = await Game(server.port).begin(32)
        await flat_out(game.edit, 2, 32)
        alone, together = [], []
        for _ in range(7):
            alone.append(await flat_out(game.edit, 3, 32))
            receivers = Receivers(server.port)
            await game.listen(receivers, [game.maps[n % 32][0] for n in range(100)])
            await receivers.until_greeted()
            receivers.ignore()
            together.append(await flat_out(game.edit, 3, 32))
            receivers.close()
            await asyncio.sleep(0.5)
        return median(together), median(together) / median(alone)


def workers(url: str, _: int) -> Iterator[Line]:
    """Edits at full speed, with and without watchers."""
    rate, part = uvloop.run(two_workers(url))
    what = "edits by 32 clients on 2 workers with 100 watchers, against no watchers"
    yield f"{what} ({rate:.0f} a second)", f"{part:.2f}", "0.8"


# 6: resuming


async def resume(url: str) -> float:
    """The seconds until a client that missed 10,000 events has received them."""
    with worldkeep(url) as server:
        game = await Game(server.port).begin(1)
        home = game.maps[0][0]
        cursor = (await game.call("GET", f"/universes/{home}/events?after=0&limit=1000"))["next_cursor"]
        for done in range(0, 10_000, 16):
            await asyncio.gather(*(game.edit(0, done + n) for n in range(16)))
        taken = []
        for _ in range(3):
            receivers = Receivers(server.port)
            start = time.monotonic()
            await game.listen(receivers, [home], after=cursor)
            await receivers.until(10_000)
            assert receivers.count == 10_000
            taken.append(time.monotonic() - start)
            receivers.close()
        return median(taken)


def resuming(url: str, _: int) -> Iterator[Line]:
    """Resuming after many missed events."""
    yield "resume after 10,000 missed events", f"{uvloop.run(resume(url)):.2f} s", "1 s"


PARTS: dict[str, Callable[[str, int], Iterator[Line]]] = {
    "one": table,
    "many": many,
    "fog": fog,
    "workers": workers,
    "resume": resuming,
    "idle": idles,
}


def write(name: str, lines: list[Line], load: float) -> None:
    """Rewrite one part of the report, and keep the others."""
    text = REPORT.read_text() if REPORT.exists() else ""
    parts = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    rows = ["| what | measured | target |", "|---|--:|--:|", *(f"| {' | '.join(line)} |" for line in lines)]
    about = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}. Load average before: {load:.1f}."
    parts[name] = "\n".join([name, "", about, "", *rows, ""])
    order = [parts[one].rstrip() for one in (*PARTS, *parts.keys() - PARTS.keys()) if one in parts]
    REPORT.write_text("\n\n## ".join(["# The live feed, measured by `python -m bench.live`", *order]) + "\n")


def main(seconds: int = 8, only: str = "") -> None:
    """Measure, print and write bench/LIVE.md."""
    raise_file_limit()
    for name, part in PARTS.items():
        if only and name != only:
            continue
        load, lines = os.getloadavg()[0], []
        with tempfile.TemporaryDirectory(prefix="worldkeep-bench-") as folder:
            Path(folder).chmod(0o755)
            with postgresql(Path(folder), settings={"max_connections": "300"}) as url:
                for line in part(url, seconds):
                    say(" | ".join(line))
                    lines.append(line)
        write(name, lines, load)


if __name__ == "__main__":
    typer.run(main)
