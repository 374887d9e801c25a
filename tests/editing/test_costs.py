"""What edits may cost: said before it is done, and work whose answer is given up stops."""

import asyncio
import contextlib
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import psutil

from tests.conftest import PASSWORD, PATIENCE_SECONDS, Person, Server, serving
from tests.editing.test_router import edit, grid, set_cells

SIDE = 4096


def whole(symbol: str, layer: str = "ground") -> dict[str, Any]:
    return {
        "op": "fill_rectangle",
        "layer": layer,
        "x": 0,
        "y": 0,
        "width": SIDE,
        "height": SIDE,
        "symbol": symbol,
    }


async def test_a_thousand_huge_fills_are_refused_at_once(owner: Person) -> None:
    one = await owner.map(grid_data=grid(8, 8))
    await edit(owner, one["id"], {"op": "resize", "width": SIDE, "height": SIDE})
    answers = await asyncio.gather(*(edit(owner, one["id"], *[whole("#")] * 1000) for _ in range(6)))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_EDIT")
        [error] = answer.json()["errors"]
        assert (error["field"], error["code"]) == ("edits[1]", "too_costly")
    assert (await edit(owner, one["id"], set_cells((0, 0, "#")))).json()["version"] == 3


async def test_a_large_fill_and_its_undo_in_another_process(owner: Person) -> None:
    one = await owner.map(grid_data=grid(8, 8))
    await edit(owner, one["id"], {"op": "resize", "width": 1000, "height": 800})
    filled = await edit(owner, one["id"], {**whole("#"), "width": 1000, "height": 800})
    assert (filled.status_code, filled.json()["changed"]) == (200, 800_000), filled.text
    undone = await owner.client.post(f"/maps/{one['id']}/undo")
    assert (undone.status_code, undone.json()["changed"]) == (200, 800_000), undone.text
    redone = await owner.client.post(f"/maps/{one['id']}/redo")
    assert (redone.status_code, redone.json()["seq"]) == (200, 6), redone.text
    assert (await owner.client.post(f"/maps/{one['id']}/undo")).status_code == 200
    region = (await owner.client.get(f"/maps/{one['id']}/region?x=0&y=0&width=10&height=9")).json()
    assert region["layers"][0]["rows"] == [*["........  "] * 8, " " * 10]


def cpu_seconds(server: Server) -> float:
    """The processor time that a server and its compute processes have used."""
    used = 0.0
    process = psutil.Process(server.process.pid)
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            used += times.user + times.system
    return used


def wait_until(busy: bool, server: Server) -> None:
    """Wait until a server computes, or until it does not."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        before = cpu_seconds(server)
        time.sleep(0.5)
        # A process that ended takes its time along.
        if (abs(cpu_seconds(server) - before) > 0.1) is busy:
            return
        assert time.monotonic() < end, "it goes on" if busy is False else "it has nothing to do"


def test_work_that_is_given_up_stops(tmp_path: Path, new_database: Any) -> None:
    with serving(tmp_path, DATABASE_URL=new_database()) as server, httpx2.Client(base_url=server.url) as client:
        email = "owner@example.com"
        client.post("/auth/register", json={"email": email, "password": PASSWORD}).raise_for_status()
        token = client.post("/auth/jwt/login", data={"username": email, "password": PASSWORD}).json()[
            "access_token"
        ]
        client.headers["authorization"] = f"Bearer {token}"
        universe = client.post("/universes", json={"name": "Somewhere"}).json()["id"]
        body = {"universe_id": universe, "name": "World", "grid_data": grid(8, 8)}
        map_id = client.post("/maps", json=body).json()["id"]
        resize = {"op": "resize", "width": SIDE, "height": SIDE}
        client.post(f"/maps/{map_id}/edits", json={"edits": [resize]}).raise_for_status()
        # Stripes make the flood slow.
        stripes = [
            {"op": "fill_rectangle", "layer": "ground", "x": x, "y": 8, "width": 1, "height": 3000, "symbol": "#"}
            for x in range(0, 160, 2)
        ]
        flood = {"op": "flood_fill", "layer": "ground", "x": 4000, "y": 4000, "symbol": "#"}
        content = orjson.dumps({"edits": [*stripes, flood]})
        address = urlsplit(server.url)
        open_sockets = []
        for _ in range(6):
            one = socket.create_connection((address.hostname, address.port))
            head = f"POST /maps/{map_id}/edits HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            one.sendall(head.encode() + content)
            open_sockets.append(one)
        wait_until(True, server)
        for one in open_sockets:
            one.close()
        wait_until(False, server)
        version = client.get(f"/maps/{map_id}/region?x=0&y=0&width=1&height=1").json()["version"]
        assert version == 2, "an edit that was given up was carried out"
        answer = client.post(f"/maps/{map_id}/edits", json={"edits": [set_cells((0, 0, "#"))]})
        assert answer.json()["version"] == 3
