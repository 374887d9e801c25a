"""`python -m bench.live`: the live feed beside what people would pick instead. Writes bench/LIVE.md.

    python -m bench.live [--seconds N] [--only ROW]

One server process each, in turns; the load runs on the same machine.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import httpx2
import psutil
import typer
import uvloop

from bench.__main__ import free_port, machine, say
from bench.contenders import HERE, Unavailable, _install
from bench.sockets import Receivers, frame, hello
from game.core.embedded import running as postgresql
from game.core.files import raise_file_limit

SOCKETS = 1000
EVENTS_A_SECOND = 5
GRID = {
    "width": 16,
    "height": 16,
    "legend": [{"symbol": "#", "name": "wall"}, {"symbol": ".", "name": "floor"}],
    "layers": [{"name": "ground", "rows": ["." * 16] * 16}],
}
SUBPROTOCOL = "worldkeep.v1"


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
    """Start a server; wait until it answers."""
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
    more = {f"WORLDKEEP_MAX_{name}_SOCKETS": "50000" for name in ("USER", "CLIENT")}
    with serving(command, port, DATABASE_URL=url, **limits, **more, WORLDKEEP_LOG_LEVEL="warning") as server:
        yield server


class Game:
    """A game master at a server, with universes of one map each."""

    def __init__(self, server: Server) -> None:
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
        self.client = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30, limits=limits)
        self.token = ""
        self.maps: list[tuple[str, str]] = []
        """Ids of universes and of their maps."""

    async def begin(self, universes: int) -> None:
        account = {"email": f"{uuid4().hex}@example.com", "password": "correct horse battery"}
        (await self.client.post("/auth/register", json=account)).raise_for_status()
        form = {"username": account["email"], "password": account["password"]}
        login = (await self.client.post("/auth/jwt/login", data=form)).raise_for_status().json()
        self.token = login["access_token"]
        self.client.headers["authorization"] = f"Bearer {self.token}"
        for _ in range(universes):
            home = (await self.client.post("/universes", json={"name": "Table"})).raise_for_status().json()["id"]
            body = {"universe_id": home, "name": "Map", "grid_data": GRID}
            made = (await self.client.post("/maps", json=body)).raise_for_status().json()["id"]
            self.maps.append((home, made))

    async def edit(self, number: int, turn: int) -> None:
        """Paint a few cells of a map, so that the event is as long as the others' message."""
        cells = [{"x": (turn + n) % 16, "y": n, "symbol": "#."[turn // 16 % 2]} for n in range(4)]
        body = {"edits": [{"op": "set", "layer": "ground", "cells": cells}]}
        (await self.client.post(f"/maps/{self.maps[number][1]}/edits", json=body)).raise_for_status()

    async def listen(self, receivers: Receivers, universes: list[str], **more: str) -> None:
        paths = [f"/universes/{one}/live" for one in universes]
        await receivers.connect(paths, [hello(self.token, **more)] * len(paths), subprotocol=SUBPROTOCOL)


async def steadily(times: int, a_second: float, act: Callable[[int], Awaitable[Any]]) -> None:
    """Do something at a steady pace, whether the one before has ended or not."""
    tasks = []
    start = time.monotonic()
    for number in range(times):
        await asyncio.sleep(max(0.0, start + number / a_second - time.monotonic()))
        tasks.append(asyncio.ensure_future(act(number)))
    await asyncio.gather(*tasks)


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000 if values else float("nan")


def delays(receivers: Receivers) -> tuple[float, float, float]:
    """Of what came: the median, the 99th percentile, and that of the last receivers; in milliseconds."""
    every = [one for late in receivers.late.values() for one in late]
    last = [max(late) for late in receivers.late.values()]
    return percentile(every, 0.5), percentile(every, 0.99), percentile(last, 0.99)


# 1: one universe


async def one_table_of_ours(url: str, seconds: int) -> tuple[float, float, float]:
    with worldkeep(url) as server:
        game, receivers = Game(server), Receivers(server.port)
        await game.begin(1)
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
                        # A seat that is not taken within seconds is lost.
                        await receivers.connect(paths, [b""] * len(paths), frame(2, bytes([10])))
                        paths = []
        case _:
            await receivers.connect(["/ws"] * count, [b""] * count)


# 2: many universes


async def many_tables(url: str, seconds: int) -> tuple[tuple[float, float, float], float]:
    """Delays at an edit a second in each of 200 universes of 5; and edits a second flat out, as a share of those
    that are possible with nobody listening."""
    with worldkeep(url) as server:
        game, receivers = Game(server), Receivers(server.port)
        await game.begin(200)
        alone, together = [], []
        await game.listen(receivers, [home for home, _ in game.maps for _ in range(5)])
        await receivers.until_greeted()
        receivers.forget()
        await steadily(200 * seconds, 200, lambda turn: game.edit(turn % 200, turn // 200))
        await receivers.until(200 * seconds * 5)
        found = delays(receivers)
        for _ in range(3):
            together.append(await flat_out(game, 3))
            receivers.close()
            await asyncio.sleep(0.5)
            alone.append(await flat_out(game, 3))
            receivers = Receivers(server.port)
            await game.listen(receivers, [home for home, _ in game.maps for _ in range(5)])
        receivers.close()
        return found, median(together) / median(alone)


async def flat_out(game: Game, seconds: float, clients: int = 32) -> float:
    """Edits a second of so many clients, each at maps of its own."""
    end, done = time.monotonic() + seconds, 0

    async def work(own: int) -> None:
        nonlocal done
        turn = 0
        while time.monotonic() < end:
            await game.edit((own + turn * clients) % len(game.maps), turn)
            turn += 1
            done += 1

    await asyncio.gather(*(work(own) for own in range(clients)))
    return done / seconds


# 3: idle sockets


async def idle(url: str, count: int) -> tuple[float, float]:
    """The memory that so many sockets take, in MB, and the share of a core."""
    with worldkeep(url) as server:
        game, receivers = Game(server), Receivers(server.port)
        await game.begin(20)
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


# 4: two workers


async def two_workers(url: str) -> float:
    """Edits a second with 100 watchers on two workers, as a share of those without."""
    with worldkeep(url, workers=2) as server:
        game = Game(server)
        await game.begin(32)
        await flat_out(game, 2)
        alone, together = [], []
        for _ in range(3):
            alone.append(await flat_out(game, 3))
            receivers = Receivers(server.port)
            await game.listen(receivers, [game.maps[n % 32][0] for n in range(100)])
            together.append(await flat_out(game, 3))
            receivers.close()
            await asyncio.sleep(0.5)
        return median(together) / median(alone)


# 5: resuming


async def resume(url: str) -> float:
    """Seconds until a client that missed 10,000 events has them."""
    with worldkeep(url) as server:
        game = Game(server)
        await game.begin(1)
        home = game.maps[0][0]
        cursor = (await game.client.get(f"/universes/{home}/events?after=0&limit=1000")).json()["next_cursor"]
        done = 0
        while done < 10_000:
            await asyncio.gather(*(game.edit(0, done + n) for n in range(16)))
            done += 16
        taken = []
        for _ in range(3):
            receivers = Receivers(server.port)
            start = time.monotonic()
            await game.listen(receivers, [home], after=cursor)
            while receivers.count < 10_000:  # noqa: ASYNC110 - what counts them is no task
                await asyncio.sleep(0.005)
            taken.append(time.monotonic() - start)
            receivers.close()
        return median(taken)


def run(seconds: int, only: str) -> list[str]:
    lines = ["| what | measured | target |", "|---|--:|--:|"]

    def row(what: str, measured: str, reach: str = "") -> None:
        line = f"| {what} | {measured} | {reach} |"
        lines.append(line)
        say(line)

    def wants(name: str) -> bool:
        return not only or only == name

    raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="worldkeep-bench-") as folder:
        Path(folder).chmod(0o755)
        with postgresql(Path(folder), settings={"max_connections": "300"}) as url:
            if wants("one"):
                table(url, seconds, row)
            if wants("many"):
                (_, late, _), share = uvloop.run(many_tables(url, seconds))
                row("200 universes of 5 sockets, an edit a second each: p99", f"{late:.0f} ms", "< 50 ms")
                row("the same, edits flat out: share of those with nobody listening", f"{share:.2f}", "> 0.8")
            if wants("workers"):
                row(
                    "edits by 32 clients, 100 watchers, 2 workers: share",
                    f"{uvloop.run(two_workers(url)):.2f}",
                    "> 0.8",
                )
            if wants("resume"):
                row("resume after 10,000 events", f"{uvloop.run(resume(url)):.2f} s", "< 1 s")
            if wants("idle"):
                count = 10_000
                memory, cpu = uvloop.run(idle(url, count))
                row(f"{count:,} idle sockets: memory", f"{memory:.0f} MB", "< 350 MB")
                row(f"{count:,} idle sockets: of a core", f"{cpu:.1%}", "< 5 %")
                for name in PEERS[:3]:
                    row(f"{count:,} idle sockets, {name}: memory", f"{uvloop.run(idle_peer(name, count)):.0f} MB")
    return lines


def table(url: str, seconds: int, row: Callable[..., None]) -> None:
    """One universe, 1,000 sockets: everybody in turns, three times."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(3):
        found.setdefault("Worldkeep", []).append(uvloop.run(one_table_of_ours(url, seconds)))
        for name in PEERS:
            with suppress(Unavailable):
                found.setdefault(name, []).append(uvloop.run(one_table_of(name, seconds)))
        say(f"{ ({name: [round(value) for value in rounds[-1]] for name, rounds in found.items()}) }")
    for name, rounds in found.items():
        middle, late, last = (median(values) for values in zip(*rounds, strict=True))
        reach = "p99 < 60 ms" if name == "Worldkeep" else ""
        row(
            f"1,000 sockets, 5 a second, {name}",
            f"p50 {middle:.0f}, p99 {late:.0f}, last receiver p99 {last:.0f} ms",
            reach,
        )


def main(seconds: int = 8, only: str = "") -> None:
    """Measure, and write bench/LIVE.md when everything was measured."""
    say(machine())
    lines = run(seconds, only)
    if not only:
        text = f"# The live feed, measured\n\n`python -m bench.live` on {machine()}.\n\n" + "\n".join(lines) + "\n"
        (HERE / "LIVE.md").write_text(text)


if __name__ == "__main__":
    typer.run(main)
