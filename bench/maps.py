"""`python -m bench.maps`: the costs of large maps, and of the rules of grids. Writes bench/MAPS.md."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import httpx2

from bench.__main__ import free_port, machine, say
from game.core.embedded import running as postgresql
from game.grid import paths, sight
from game.grid.canvas import run
from game.grid.chunks import ChunkKey, split
from game.grid.document import size
from game.grid.drawing import Region, draw_png

HERE = Path(__file__).parent
LEGEND = [{"symbol": "#", "blocks_movement": True, "blocks_sight": True}, {"symbol": "."}, {"symbol": "~"}]

Line = tuple[str, str, str]


def grid(side: int, rows: list[str] | None = None, **more: Any) -> dict[str, Any]:
    rows = rows or ["." * side] * side
    return {
        "width": side,
        "height": side,
        "legend": LEGEND,
        "layers": [{"name": "ground", "rows": rows}],
        **more,
    }


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    await work()
    return (time.perf_counter() - start) * 1000


async def in_turns(times: int, *works: Callable[[], Awaitable[Any]]) -> list[float]:
    """The median time of each, alternating (A B A B ...), so that both run under the same conditions."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for work, results in zip(works, taken, strict=True):
            results.append(await timed(work))
    return [median(results) for results in taken]


class Game:
    """A game master at a running server."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def log_in(self) -> None:
        email, password = f"{uuid4().hex}@example.com", "long enough for this"
        await self.post("/auth/register", email=email, password=password)
        answer = await self.client.post("/auth/jwt/login", data={"username": email, "password": password})
        self.client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self.client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def new_map(self, document: dict[str, Any]) -> str:
        universe = await self.post("/universes", name="Bench")
        made = await self.post("/maps", universe_id=universe["id"], name="Bench", grid_data=document)
        return str(made["id"])

    async def large_map(self, side: int) -> str:
        """A map that is too large for one request: created small, resized, and painted in some places."""
        one = await self.new_map(grid(64))
        await self.edit(one, {"op": "resize", "width": side, "height": side, "anchor": "top_left"})
        for x, y in [(0, 0), (side // 2, side // 2), (side - 128, side - 128)]:
            fill = {"op": "fill_rectangle", "layer": "ground", "x": x, "y": y, "width": 128, "height": 128}
            await self.edit(one, {**fill, "symbol": "."})
        return one

    async def edit(self, map_id: str, *edits: dict[str, Any]) -> Any:
        return await self.post(f"/maps/{map_id}/edits", edits=list(edits))

    async def paint(self, map_id: str, x: int, y: int) -> None:
        cell = {"x": x, "y": y, "symbol": random.choice("#~.")}
        await self.edit(map_id, {"op": "set", "layer": "ground", "cells": [cell]})


async def growth(game: Game) -> list[Line]:
    """The cost of an edit and a read on a large map and on a small one."""
    small, large = await game.new_map(grid(64)), await game.large_map(4096)
    near, far = [0], [2048]

    async def one(map_id: str, start: int) -> None:
        await game.paint(map_id, start + random.randrange(60), start + random.randrange(60))

    a, b = await in_turns(200, lambda: one(large, far[0]), lambda: one(small, near[0]))
    whole = f"/maps/{small}"
    region = f"/maps/{large}/region?x=2060&y=2060&width=64&height=64"
    c, d = await in_turns(200, lambda: game.client.get(region), lambda: game.client.get(whole))
    return [
        ("set one cell, 4096 x 4096 against 64 x 64", f"{a:.2f} ms / {b:.2f} ms = {a / b:.2f}", "1.2"),
        ("a 64 x 64 region of 4096 x 4096 against a whole 64 x 64", f"{c:.2f} / {d:.2f} ms = {c / d:.2f}", "1.3"),
    ]


async def crowding(game: Game) -> list[Line]:
    """The effect of the largest map on other requests: eight concurrent reads of it, and a user who requests its
    pictures in a loop."""
    largest = await game.new_map({"width": 4096, "height": 4096, "legend": LEGEND})
    await game.edit(largest, *({"op": "add_layer", "layer": {"name": f"layer {number}"}} for number in range(32)))
    url = f"{str(game.client.base_url).rstrip('/')}/maps/{largest}"
    command = [
        "curl",
        "-sS",
        "--fail",
        "-o",
        os.devnull,
        "-H",
        f"Authorization: {game.client.headers['authorization']}",
    ]

    async def read() -> bool:
        process = await asyncio.create_subprocess_exec(*command, url)
        return await process.wait() == 0

    async def waits(work: asyncio.Future[Any], path: str, method: str = "GET", **body: Any) -> list[float]:
        taken = []
        while not work.done():
            taken.append(await timed(lambda: game.client.request(method, path, **body)))
            await asyncio.sleep(0.005)
        return sorted(taken)

    reading = asyncio.gather(*(read() for _ in range(8)))
    health = await waits(reading, "/health")
    answered = sum(await reading)
    for number in range(32):
        for y in range(0, 4096, 1024):
            place = {"x": 0, "y": y, "width": 4096, "height": 1024}
            fill = {"op": "fill_rectangle", "layer": f"layer {number}", **place, "symbol": "#~."[number % 3]}
            await game.edit(largest, fill)
    reading = asyncio.gather(*(read() for _ in range(8)))
    health_when_full = await waits(reading, "/health")
    answered_when_full = sum(await reading)

    async def draw() -> None:
        for _ in range(10):
            await game.client.get(f"/maps/{largest}/image.png", params={"cell_size": 1, "width": 2048})

    other = Game(httpx2.AsyncClient(base_url=game.client.base_url, timeout=60))
    await other.log_in()
    drawing = asyncio.gather(*(draw() for _ in range(8)))
    game.client, looping = other.client, game.client
    posts = await waits(drawing, "/universes", "POST", json={"name": "Bench"})
    game.client = looping
    await other.client.aclose()
    return [
        (
            "longest GET /health while eight read 4096 x 4096 with 32 empty layers (537 MB each)",
            f"{health[-1]:.0f} ms (median {median(health):.1f}); {answered} of 8 reads succeeded",
            "50 ms",
        ),
        (
            "the same with 32 full layers",
            f"{health_when_full[-1]:.0f} ms (median {median(health_when_full):.1f}); {answered_when_full} of 8",
            "50 ms",
        ),
        (
            "slowest of others' POST /universes while one user loops pictures of it",
            f"{posts[-1]:.0f} ms (median {median(posts):.1f}, {len(posts)} of them)",
            "",
        ),
    ]


def maze(side: int) -> list[str]:
    """A perfect maze, generated by a depth-first search with a fixed seed."""
    order, cells = random.Random(7), [["#"] * side for _ in range(side)]
    stack = [(1, 1)]
    cells[1][1] = "."
    while stack:
        x, y = stack[-1]
        ways = [(dx, dy) for dx, dy in ((2, 0), (-2, 0), (0, 2), (0, -2))]
        open_ways = [
            (dx, dy)
            for dx, dy in ways
            if 0 < x + dx < side - 1 and 0 < y + dy < side - 1 and cells[y + dy][x + dx] == "#"
        ]
        if not open_ways:
            stack.pop()
            continue
        dx, dy = order.choice(open_ways)
        cells[y + dy // 2][x + dx // 2] = cells[y + dy][x + dx] = "."
        stack.append((x + dx, y + dy))
    return ["".join(line) for line in cells]


def pure(document: dict[str, Any], steps: Callable[..., Any], *arguments: Any) -> Any:
    """Computes a rule of the grid on a document, without a server."""
    frame, chunks = split(document)

    def load(wanted: Any) -> dict[ChunkKey, list[str]]:
        return {key: rows for key, rows in chunks.items() if key in wanted.chunks or key[0] in wanted.layers}

    return run(steps(frame, *size(document), *arguments), load)


async def rules() -> list[Line]:
    walls = [
        {"x1": x, "y1": y, "x2": x + 2, "y2": y + 1}
        for x, y in (random.Random(3).choices(range(60, 190), k=2) for _ in range(500))
    ]
    random_walls = grid(256, walls=walls)
    dug = grid(256, maze(256))
    room = grid(64, ["".join(random.Random(y).choices(".#~", k=64)) for y in range(64)])

    async def see() -> None:
        pure(random_walls, sight.view, (128, 128), 24)

    async def walk() -> None:
        assert pure(dug, paths.find, (1, 1), (253, 253)).found

    async def draw() -> None:
        draw_png(Region.of(room), cell_size=32)

    a, b, c = await in_turns(15, see, walk, draw)
    return [
        ("sight with range 24, 256 x 256, 500 walls", f"{a:.1f} ms", "10 ms"),
        ("path across a 256 x 256 maze", f"{b:.1f} ms", "50 ms"),
        ("PNG of 64 x 64 at 32 px a cell", f"{c:.0f} ms", "150 ms"),
    ]


async def measure(base: str) -> list[Line]:
    async with httpx2.AsyncClient(base_url=base, timeout=60, limits=httpx2.Limits(max_connections=64)) as client:
        game = Game(client)
        await game.log_in()
        lines = await growth(game) + await crowding(game)
    return lines + await rules()


def main() -> None:
    """Measure, print and write bench/MAPS.md."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-bench-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o711)
        with postgresql(folder) as url:
            command = [sys.executable, "-m", "game", "serve", "--port", str(port)]
            environment = {"DATABASE_URL": url, "WORLDKEEP_DATA_DIR": name, "WORLDKEEP_LOG_FORMAT": "json"}
            with (
                (folder / "log").open("wb") as log,
                subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log) as server,
            ):
                try:
                    wait_for(f"http://127.0.0.1:{port}")
                    lines = asyncio.run(measure(f"http://127.0.0.1:{port}"))
                finally:
                    server.terminate()
    text = "\n".join(
        ["| what | measured | target |", "|---|--:|--:|", *(f"| {a} | {b} | {c} |" for a, b, c in lines), ""]
    )
    say(text)
    (HERE / "MAPS.md").write_text(f"# Maps, measured by `python -m bench.maps`\n\n{machine()}\n\n{text}")


def wait_for(url: str) -> None:
    """Wait until a server responds."""
    for _ in range(300):
        try:
            assert httpx2.get(f"{url}/health").status_code == 200
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
