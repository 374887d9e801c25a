"""Many universes with a few sockets each, where tokens move: the delay of the messages, and their cost for the
moves."""

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any
from uuid import uuid4

import httpx2
import orjson

from bench.fog import Connection
from bench.sockets import Receivers, frame, hello

GRID = {
    "width": 16,
    "height": 16,
    "legend": [{"symbol": "#", "name": "wall"}, {"symbol": ".", "name": "floor"}],
    "layers": [{"name": "ground", "rows": ["." * 16] * 16}],
}
SUBPROTOCOL = "worldkeep.v1"
CLIENTS = 32
UNIVERSES = 200
PLAYERS = 4
"""The number of players' sockets in each universe, besides that of its game master."""


class Person:
    """A user of a server with separate connections, each for one request at a time."""

    def __init__(self, port: int) -> None:
        self.port, self.token, self.id = port, "", ""
        self._free: asyncio.Queue[Connection] = asyncio.Queue()

    async def log_in(self) -> "Person":
        """Create an account, and connect."""
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
            account = {"email": f"{uuid4().hex}@example.com", "password": "correct horse battery"}
            self.id = (await client.post("/auth/register", json=account)).raise_for_status().json()["id"]
            form = {"username": account["email"], "password": account["password"]}
            login = (await client.post("/auth/jwt/login", data=form)).raise_for_status().json()
            self.token = login["access_token"]
        for _ in range(CLIENTS):
            self._free.put_nowait(await Connection(self.port).open())
        return self

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The response to a request; the server may be busy for a while."""
        connection = await self._free.get()
        status, answer = 503, b""
        try:
            while status == 503:
                try:
                    status, answer = await connection.call((method, path, self.token, body))
                except (asyncio.IncompleteReadError, ConnectionError):
                    # The server closes connections that are idle for seconds.
                    connection = await Connection(self.port).open()
        finally:
            self._free.put_nowait(connection)
        assert status < 400, (path, answer)
        return orjson.loads(answer)


class Game(Person):
    """A game master, with universes of one map each."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.maps: list[tuple[str, str]] = []
        """The ids of universes and of their maps."""

    async def begin(self, universes: int, **settings: Any) -> "Game":
        """Create the universes."""
        await self.log_in()

        async def one() -> tuple[str, str]:
            home = (await self.call("POST", "/universes", {"name": "Table"}))["id"]
            body = {"universe_id": home, "name": "Map", "grid_data": GRID, **settings}
            return home, (await self.call("POST", "/maps", body))["id"]

        self.maps += await asyncio.gather(*(one() for _ in range(universes)))
        return self

    async def edit(self, number: int, turn: int) -> None:
        """Paint a few cells of a map, so that the event is as long as the messages of the alternatives."""
        cells = [{"x": (turn + n) % 16, "y": n, "symbol": "#."[turn // 16 % 2]} for n in range(4)]
        body = {"edits": [{"op": "set", "layer": "ground", "cells": cells}]}
        await self.call("POST", f"/maps/{self.maps[number][1]}/edits", body)

    async def listen(self, receivers: Receivers, universes: list[str], **more: str) -> None:
        """Connect one socket for each of these universes."""
        paths = [f"/universes/{one}/live" for one in universes]
        await receivers.connect(paths, [hello(self.token, **more)] * len(paths), subprotocol=SUBPROTOCOL)


class Tables:
    """Universes with a token each; its player has four sockets that watch the map, and the owner has one."""

    def __init__(self, port: int) -> None:
        self.game, self.player = Game(port), Person(port)
        self.tokens: list[str] = []
        self._turns: Counter[int] = Counter()
        self._locks = [asyncio.Lock() for _ in range(UNIVERSES)]

    async def lay(self, fog: str) -> "Tables":
        """Create the universes, maps, members and tokens."""
        await self.game.begin(UNIVERSES, visibility="members", fog=fog)
        await self.player.log_in()
        hero = {"name": "Hero", "x": 4, "y": 8, "sight": {"range": 4}, "grants": {self.player.id: ["act"]}}

        async def one(home: str, made: str) -> str:
            code = (await self.game.call("POST", f"/universes/{home}/invitations", {"role": "player"}))["code"]
            await self.player.call("POST", f"/invitations/{code}/accept")
            return str((await self.game.call("POST", f"/maps/{made}/tokens", hero))["id"])

        self.tokens += await asyncio.gather(*(one(*ids) for ids in self.game.maps))
        return self

    async def move(self, number: int) -> None:
        """Move a token to the next cell, or back."""
        async with self._locks[number]:
            x = 4 + self._turns[number] % 2
            path = [{"x": x, "y": 8}, {"x": 9 - x, "y": 8}]
            await self.player.call("POST", f"/tokens/{self.tokens[number]}/move", {"path": path})
            self._turns[number] += 1

    async def listen(self) -> Receivers:
        """Connect all sockets, and wait until they have the current state."""
        receivers = Receivers(self.player.port)
        await self.game.listen(receivers, [home for home, _ in self.game.maps])
        ids = self.game.maps * PLAYERS
        paths = [f"/universes/{home}/live" for home, _ in ids]
        watches = [frame(1, orjson.dumps({"type": "watch", "map_id": made})) for _, made in ids]
        first = [hello(self.player.token) + watch for watch in watches]
        await receivers.connect(paths, first, subprotocol=SUBPROTOCOL)
        await receivers.until_watching(len(ids))
        return receivers


async def steadily(times: int, a_second: float, act: Callable[[int], Awaitable[Any]]) -> None:
    """Call `act` at a constant rate, even if previous calls have not ended."""
    tasks = []
    start = time.monotonic()
    for number in range(times):
        await asyncio.sleep(max(0.0, start + number / a_second - time.monotonic()))
        tasks.append(asyncio.ensure_future(act(number)))
    await asyncio.gather(*tasks)


async def flat_out(act: Callable[[int, int], Awaitable[Any]], seconds: float, count: int) -> float:
    """The rate per second at which 32 clients complete `act(number, turn)`, each with every 32nd of `count`
    numbers."""
    end, done = time.monotonic() + seconds, 0

    async def work(own: int) -> None:
        nonlocal done
        turn = 0
        while time.monotonic() < end:
            await act((own + turn * CLIENTS) % count, turn)
            turn += 1
            done += 1

    await asyncio.gather(*(work(own) for own in range(CLIENTS)))
    return done / seconds


async def share(tables: Tables, seconds: float) -> tuple[float, float]:
    """Moves per second at full speed with all sockets, and the ratio to moves without sockets."""
    together, alone = [], []
    for _ in range(7):
        receivers = await tables.listen()
        receivers.ignore()
        together.append(await flat_out(lambda number, _: tables.move(number), seconds, UNIVERSES))
        receivers.close()
        await asyncio.sleep(0.5)
        alone.append(await flat_out(lambda number, _: tables.move(number), seconds, UNIVERSES))
    return median(together), median(together) / median(alone)


async def late(tables: Tables, seconds: int) -> tuple[list[float], float]:
    """The delay of each message, in seconds, with a move per second in each universe, and the achieved moves per
    second."""
    receivers = await tables.listen()
    receivers.forget()
    start = time.monotonic()
    await steadily(UNIVERSES * seconds, UNIVERSES, lambda turn: tables.move(turn % UNIVERSES))
    rate = UNIVERSES * seconds / (time.monotonic() - start)
    await receivers.until_silent()
    receivers.close()
    return [*_of_events(receivers), *_of_views(receivers)], rate


def _of_events(receivers: Receivers) -> list[float]:
    return [one for every in receivers.late.values() for one in every]


def _of_views(receivers: Receivers) -> list[float]:
    """A view has no time, so its delay is measured from the last event before it that its game master received."""
    found = []
    created = {path: sorted(times) for path, times in receivers.created.items()}
    for path, at in receivers.views:
        before = bisect_right(created.get(path, []), at)
        if before:
            found.append(at - created[path][before - 1])
    return found
