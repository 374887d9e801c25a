"""`python -m bench.fog`: times of moves and reads on maps with fog, on a server. Writes bench/FOG.md."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import orjson

from bench.__main__ import free_port, machine, say
from bench.maps import Line, wait_for
from bench.vision import town
from game.core.embedded import running as postgresql

HERE = Path(__file__).parent
CONNECTIONS = 32
SECONDS = 4.0
RANGE = 12
WAY = 6
FOG = {"visibility": "members", "fog": "explored"}

Request = tuple[str, str, str, Any]
"""Method, path, token, and body."""


class Person:
    """A user of a running server."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def log_in(self) -> "Person":
        email, password = f"{uuid4().hex}@example.com", "long enough for this"
        self.id = (await self.call("POST", "/auth/register", email=email, password=password))["id"]
        answer = await self.client.post("/auth/jwt/login", data={"username": email, "password": password})
        self.token = answer.json()["access_token"]
        return self

    async def call(self, method: str, path: str, **body: Any) -> Any:
        headers = {"authorization": f"Bearer {self.token}"} if hasattr(self, "token") else {}
        answer = await self.client.request(method, path, json=body, headers=headers)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    async def join(self, owner: "Person", universe_id: str) -> None:
        code = (await owner.call("POST", f"/universes/{universe_id}/invitations", role="player"))["code"]
        await self.call("POST", f"/invitations/{code}/accept")


class Connection:
    """A connection that sends requests one by one, with little overhead, so that the server is measured."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> "Connection":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def call(self, request: Request) -> tuple[int, bytes]:
        method, path, token, body = request
        data = b"" if body is None else orjson.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        if body is not None:
            head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + data)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        length = int(lines.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(lines[9:12]), await self.reader.readexactly(length)


async def load(port: int, requests: list[Iterator[Request]], seconds: float = SECONDS) -> tuple[float, float]:
    """Requests per second, and the median time in milliseconds, with one connection for each generator of
    requests."""
    connections = [await Connection(port).open() for _ in requests]
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def work(connection: Connection, mine: Iterator[Request]) -> None:
        while (start := time.perf_counter()) < end:
            request = next(mine)
            while (answer := await connection.call(request))[0] == 503:
                pass
            assert answer[0] == 200, answer
            taken.append(time.perf_counter() - start)

    await asyncio.gather(*(work(*one) for one in zip(connections, requests, strict=True)))
    for connection in connections:
        connection.writer.close()
    return len(taken) / seconds, median(taken) * 1000


class Bench:
    """A game master and players at a server."""

    def __init__(self, port: int, client: httpx2.AsyncClient) -> None:
        self.port, self.client = port, client

    async def begin(self) -> None:
        self.owner = await Person(self.client).log_in()
        self.player = await Person(self.client).log_in()

    async def map(self, document: dict[str, Any], **settings: Any) -> tuple[str, str]:
        """A published map in a new universe with the player as a member."""
        universe = (await self.owner.call("POST", "/universes", name="Bench"))["id"]
        await self.player.join(self.owner, universe)
        fields = {"universe_id": universe, "name": "Bench", "grid_data": document, **FOG, **settings}
        return universe, (await self.owner.call("POST", "/maps", **fields))["id"]

    async def token(self, map_id: str, x: int, y: int, reach: float = RANGE, **fields: Any) -> str:
        grants = {self.player.id: ["act"]}
        body = {"name": "Ashe", "x": x, "y": y, "sight": {"range": reach}, "grants": grants, **fields}
        return str((await self.owner.call("POST", f"/maps/{map_id}/tokens", **body))["id"])

    def walk(self, token_id: str, x: int, y: int, steps: int = WAY) -> Iterator[Request]:
        """Endless moves back and forth."""
        there = [{"x": x + n, "y": y} for n in range(1, steps + 1)]
        back = [{"x": x + n, "y": y} for n in range(steps - 1, -1, -1)]
        while True:
            for path in (there, back):
                yield "POST", f"/tokens/{token_id}/move", self.player.token, {"path": path}

    async def walks(self, count: int, **settings: Any) -> tuple[list[str], list[Iterator[Request]]]:
        """Maps of 64 x 64 with 200 walls, each with a token that moves back and forth without obstacles."""
        map_ids, walks = [], []
        for number in range(count):
            document = town(64, 200, seed=number).document
            _, map_id = await self.map(document, **settings)
            for x, y in free(document):
                token_id = await self.token(map_id, x, y)
                break
            map_ids.append(map_id)
            walks.append(self.walk(token_id, x, y))
        return map_ids, walks


def free(document: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Positions without obstacles to the right."""
    dice = random.Random(5)
    upright = [*document["walls"], *document["doors"]]
    while True:
        x, y = dice.randrange(2, 56), dice.randrange(2, 62)
        if not any(
            x < wall["x1"] <= x + WAY and wall["x1"] == wall["x2"] and wall["y1"] <= y + 1 and y <= wall["y2"]
            for wall in upright
        ):
            yield x, y


async def moves(bench: Bench) -> list[Line]:
    """Moves without fog against edits of one cell; with fog, alone and of 32 at once; and reads with fog."""
    plain_ids, plain = await bench.walks(CONNECTIONS, fog="off")
    fog_ids, fogged = await bench.walks(CONNECTIONS)

    def edits(map_id: str) -> Iterator[Request]:
        while True:
            for symbol in ".#":
                edit = {"op": "set", "layer": "ground", "cells": [{"x": 63, "y": 63, "symbol": symbol}]}
                yield "POST", f"/maps/{map_id}/edits", bench.owner.token, {"edits": [edit]}

    def reads(token: str) -> list[Iterator[Request]]:
        return [iter(lambda one=one: ("GET", f"/maps/{one}", token, None), None) for one in fog_ids]

    def measured(make: Callable[[], list[Iterator[Request]]]) -> Callable[[], Any]:
        return lambda: load(bench.port, make())

    works = {
        "edit": measured(lambda: [edits(one) for one in plain_ids]),
        "move": measured(lambda: plain),
        "fogged": measured(lambda: fogged),
        "one": measured(lambda: fogged[:1]),
        "owner": measured(lambda: reads(bench.owner.token)),
        "player": measured(lambda: reads(bench.player.token)),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(3):
        for name, work in works.items():
            taken[name].append(await work())
    rate = {name: median(one for one, _ in results) for name, results in taken.items()}
    p50 = {name: median(one for _, one in results) for name, results in taken.items()}
    return [
        (
            "token move of 6 cells, no fog, 32 connections, 32 maps, against edits of a cell",
            f"{rate['move']:,.0f} / {rate['edit']:,.0f} a second = {rate['move'] / rate['edit']:.2f}",
            "0.5",
        ),
        ("token move of 6 cells with fog, range 12, 64 x 64, 200 walls, p50", f"{p50['one']:.1f} ms", "15 ms"),
        ("the same, 32 connections on 32 maps", f"{rate['fogged']:,.0f} a second", "150 a second"),
        (
            "GET /maps/{id} 64 x 64 as a player with fog, 32 connections, against its owner",
            f"{rate['player']:,.0f} / {rate['owner']:,.0f} a second = {rate['player'] / rate['owner']:.2f}",
            "0.7",
        ),
    ]


async def sight(bench: Bench) -> list[Line]:
    """A move of one cell with a range of 24, on a large and on a small map."""
    walks = []
    for side in (256, 4096):
        small = town(64, 200).document
        _, map_id = await bench.map(small)
        edit = {"op": "resize", "width": side, "height": side, "anchor": "top_left"}
        await bench.owner.call("POST", f"/maps/{map_id}/edits", edits=[edit])
        x, y = next(free(small))
        walks.append(bench.walk(await bench.token(map_id, x, y, 24), x, y, 1))
    connection = await Connection(bench.port).open()
    taken: list[list[float]] = [[], []]
    for _ in range(100):
        for walk, results in zip(walks, taken, strict=True):
            start = time.perf_counter()
            status, body = await connection.call(next(walk))
            assert status == 200, body
            results.append((time.perf_counter() - start) * 1000)
    small_ms, large_ms = (median(results) for results in taken)
    return [
        (
            "a move of a token with sight of range 24, 4096 x 4096 against 256 x 256",
            f"{large_ms:.1f} / {small_ms:.1f} ms = {large_ms / small_ms:.2f}",
            "1.2",
        )
    ]


async def memory(bench: Bench, url: str) -> list[Line]:
    """The size in the database of 6 players' memory of a whole large map."""
    universe, map_id = await bench.map({"width": 1024, "height": 1024}, fog_sharing="each")
    for _ in range(5):
        await (await Person(bench.client).log_in()).join(bench.owner, universe)
    connection = await asyncpg.connect(url)
    size = "SELECT pg_total_relation_size('map_memory_chunk') + pg_total_relation_size('map_memory')"
    try:
        before = await connection.fetchval(size)
        await bench.owner.call("POST", f"/maps/{map_id}/fog/reveal", all=True)
        after = await connection.fetchval(size)
    finally:
        await connection.close()
    return [
        (
            "explored memory of 1024 x 1024 for 6 viewers, with its index",
            f"{(after - before) / 1e6:.2f} MB",
            "1 MB",
        )
    ]


async def doors(bench: Bench) -> list[Line]:
    """Open and close doors on a map with 200 tokens and 6 players."""
    dice = random.Random(3)
    document = town(64, 200).document
    universe, map_id = await bench.map(document, fog_sharing="each")
    players = [bench.player, *[await Person(bench.client).log_in() for _ in range(5)]]
    for player in players[1:]:
        await player.join(bench.owner, universe)
    for number in range(200):
        grants = {players[number % 6].id: ["act"]}
        await bench.token(map_id, dice.randrange(64), dice.randrange(64), grants=grants)
    connection = await Connection(bench.port).open()
    taken = []
    for turn in range(100):
        for state in ("open", "closed"):
            door = document["doors"][turn % len(document["doors"])]["id"]
            request = ("POST", f"/maps/{map_id}/doors/{door}", bench.owner.token, {"state": state})
            start = time.perf_counter()
            status, body = await connection.call(request)
            assert status == 200, body
            taken.append((time.perf_counter() - start) * 1000)
    return [("a door opened or closed, 200 tokens that see, 6 players, p50", f"{median(taken):.1f} ms", "40 ms")]


async def measure(port: int, url: str) -> list[Line]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        bench = Bench(port, client)
        await bench.begin()
        return [*await moves(bench), *await sight(bench), *await memory(bench, url), *await doors(bench)]


def main() -> None:
    """Measure, print and write bench/FOG.md."""
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="worldkeep-bench-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o711)
        with postgresql(folder) as url:
            command = [sys.executable, "-m", "game", "serve", "--port", str(port), "--workers", "2"]
            limits = {f"WORLDKEEP_LIMIT_{one}": "100000/minute" for one in ("LOGIN", "SIGNUP", "CODE")}
            environment = {
                "DATABASE_URL": url,
                "WORLDKEEP_DATA_DIR": name,
                "WORLDKEEP_LOG_FORMAT": "json",
                **limits,
            }
            with (
                (folder / "log").open("wb") as log,
                subprocess.Popen(
                    command, env={**os.environ, **environment, **limits}, stdout=log, stderr=log
                ) as server,
            ):
                try:
                    wait_for(f"http://127.0.0.1:{port}")
                    lines = asyncio.run(measure(port, url))
                finally:
                    server.terminate()
    text = "\n".join(
        ["| what | measured | target |", "|---|--:|--:|", *(f"| {a} | {b} | {c} |" for a, b, c in lines), ""]
    )
    say(text)
    about = f"{machine()}. Load average before: {load_before:.1f}."
    (HERE / "FOG.md").write_text(f"# Maps with fog, measured by `python -m bench.fog`\n\n{about}\n\n{text}")


if __name__ == "__main__":
    main()
