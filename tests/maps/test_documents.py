"""Large maps: streamed in pieces, equal to the document, without delaying others."""

import asyncio
import itertools
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import orjson
import psutil
import pytest

from game.grid.loading import LayerPart
from game.grid.past import Changed
from game.maps.documents import StoredRows
from tests.conftest import PATIENCE_SECONDS, Person, Server, serving, sign_up_and_log_in

SIDE = 300
"""Cells; 90,000 of them are a large map, of chunks that are cut off at its edges."""
EDGE_CASES = '"\\é中\ue000'


def rows(offset: int) -> list[str]:
    symbols = f"#. {EDGE_CASES}"
    return ["".join(symbols[(x * y + offset) % len(symbols)] for x in range(SIDE)) for y in range(SIDE)]


def grid() -> dict[str, Any]:
    return {
        "width": SIDE,
        "height": SIDE,
        "legend": [{"symbol": symbol, "name": f"U+{ord(symbol):04X}"} for symbol in f"#.{EDGE_CASES}"],
        "layers": [
            {"name": "ground", "rows": rows(0)},
            {"name": "no rows"},
            {"name": "empty", "rows": [" " * SIDE] * SIDE},
            {"name": "one corner", "rows": [*([" " * SIDE] * (SIDE - 1)), " " * (SIDE - 1) + "#"]},
        ],
    }


class TestRead:
    async def test_is_the_document(self, owner: Person) -> None:
        made = await owner.map(grid_data=grid(), description='with "quotes"')
        path = f"/maps/{made['id']}"
        answer = await owner.client.get(path)
        assert answer.json() == made
        assert made["grid_data"] == grid()
        assert answer.headers["etag"] == '"1"'
        assert "content-length" not in answer.headers
        packed = await owner.client.get(path, headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == answer.content

    async def test_not_modified(self, owner: Person) -> None:
        path = f"/maps/{(await owner.map(grid_data=grid()))['id']}"
        assert (await owner.client.get(path, headers={"if-none-match": '"1"'})).status_code == 304
        assert (await owner.client.get(path, headers={"if-none-match": '"2"'})).status_code == 200

    async def test_a_change_answers_with_it(self, owner: Person) -> None:
        made = await owner.map(grid_data=grid())
        path = f"/maps/{made['id']}"
        changed = await owner.client.patch(path, json={"name": "Large"})
        time = changed.json()["updated_at"]
        assert changed.json() == {**made, "name": "Large", "version": 2, "updated_at": time}
        assert changed.headers["etag"] == '"2"'
        replaced = await owner.client.put(path, json={"name": "Large", "grid_data": {**grid(), "mine": 1}})
        assert replaced.json()["grid_data"] == {**grid(), "mine": 1}

    async def test_a_restored_map_is_the_answer(self, owner: Person) -> None:
        path = f"/maps/{(await owner.map(grid_data=grid()))['id']}"
        fill = {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": 9, "height": 9, "symbol": "#"}
        assert (await owner.client.post(f"{path}/edits", json={"edits": [fill]})).status_code == 200
        once = {"idempotency-key": path}
        restored = await owner.client.post(f"{path}/restore", json={"seq": 2}, headers=once)
        assert (restored.status_code, restored.json()["grid_data"]) == (200, grid())
        again = await owner.client.post(f"{path}/restore", json={"seq": 2}, headers=once)
        assert (again.status_code, again.json()["code"]) == (409, "IDEMPOTENT_ANSWER_NOT_KEPT")

    async def test_players_get_no_secrets_and_a_hash(
        self, owner: Person, stranger: Person, database: asyncpg.Connection
    ) -> None:
        document = grid()
        document["legend"].append({"symbol": "$", "name": "treasure"})
        document["layers"].append({"name": "secret", "visible_to": "game_masters", "rows": ["$" * SIDE] * SIDE})
        made = await owner.map(grid_data=document, visibility="members")
        member = UUID(made["universe_id"]), UUID(stranger.id)
        await database.execute("INSERT INTO member VALUES ($1, $2, 'player')", *member)
        path = f"/maps/{made['id']}"
        answer = await stranger.client.get(path)
        assert answer.status_code == 200
        assert answer.json()["grid_data"]["layers"] == grid()["layers"]
        assert answer.json()["grid_data"]["legend"] == grid()["legend"]
        assert "version" not in answer.json()
        tag = answer.headers["etag"]
        assert (await stranger.client.get(path, headers={"if-none-match": tag})).status_code == 304
        hidden = {"op": "set", "layer": "secret", "cells": [{"x": 0, "y": 0, "symbol": "#"}]}
        assert (await owner.client.post(f"{path}/edits", json={"edits": [hidden]})).status_code == 200
        assert (await stranger.client.get(path)).headers["etag"] == tag
        shown = {**hidden, "layer": "empty"}
        assert (await owner.client.post(f"{path}/edits", json={"edits": [shown]})).status_code == 200
        assert (await stranger.client.get(path)).headers["etag"] != tag


async def grid_of(person: Person, path: str, seq: int) -> Any:
    answer = await person.client.get(path, params={"at_seq": seq})
    assert answer.status_code == 200, answer.text
    return answer.json()["grid_data"]


class TestPast:
    async def test_is_the_document_as_it_was(self, owner: Person) -> None:
        """Through edits of all kinds, and replaced grids."""
        path = f"/maps/{(await owner.map(grid_data=grid()))['id']}"
        entry = {"symbol": "~", "name": "water"}
        place = {"x": 60, "y": 0, "width": 200, "height": 300}
        fill = {"op": "fill_rectangle", "layer": "empty", **place, "symbol": "~"}
        batches: list[list[dict[str, Any]]] = [
            [{"op": "update_legend", "legend": [entry]}, fill],
            [{"op": "resize", "width": 290, "height": 330, "anchor": "bottom_right"}],
            [{"op": "replace", "layer": "ground", "symbol": "#", "with": "."}],
            [{"op": "remove_layer", "name": "empty"}, {"op": "remove_legend_entry", "symbol": "~"}],
            [{"op": "add_layer", "layer": {"name": "new"}, "index": 0}],
        ]
        states = {2: grid()}
        for edits in batches:
            answer = await owner.client.post(f"{path}/edits", json={"edits": edits})
            assert answer.status_code == 200, answer.text
            states[answer.json()["seq"]] = (await owner.client.get(path)).json()["grid_data"]
        for number, document in enumerate(({"width": 1, "height": 1}, grid())):
            answer = await owner.client.patch(path, json={"grid_data": document})
            assert answer.json()["grid_data"] == document
            states[len(states) + 2] = document
            was = (await owner.client.get(path, params={"at_seq": len(states) + 1})).json()
            assert (was["version"], was["grid_data"]) == (7 + number, document)
        for seq, document in states.items():
            assert await grid_of(owner, path, seq) == document
        for seq in (5, 3, 2, 8):
            restored = await owner.client.post(f"{path}/restore", json={"seq": seq})
            assert (restored.status_code, restored.json()["grid_data"]) == (200, states[seq])
            assert (await owner.client.get(path)).json() == restored.json()
        for seq, document in states.items():
            assert await grid_of(owner, path, seq) == document

    async def test_of_very_many_chunks(self, owner: Person, database: asyncpg.Connection) -> None:
        """The event keeps most of them packed, and a bundle brings them along."""
        side = 321
        layers = [
            {"name": f"layer {number}", "rows": [("#. "[number % 3] + "#" * number + ".") * side] * side}
            for number in range(32)
        ]
        for layer in layers:
            layer["rows"] = [row[:side] for row in layer["rows"]]
        document = {**grid(), "width": side, "height": side, "layers": layers}
        made = await owner.map(grid_data=document)
        path = f"/maps/{made['id']}"
        replaced = await owner.client.patch(path, json={"grid_data": {}})
        assert replaced.json()["grid_data"] == {}
        kept = await database.fetchval(
            "SELECT before FROM event WHERE subject_id = $1 AND kind = 'map.updated'", UUID(made["id"])
        )
        before = orjson.loads(kept)
        assert len(before["chunks"]) == 1024
        assert len(before["packed"]) >= 1
        assert await grid_of(owner, path, 2) == document
        restored = await owner.client.post(f"{path}/restore", json={"seq": 2})
        assert (restored.status_code, restored.json()["grid_data"]) == (200, document)
        assert await grid_of(owner, path, 3) == {}
        bundle = await owner.client.get(f"/universes/{made['universe_id']}/export")
        imported = await owner.client.post("/universes/import", files={"file": ("u.zip", bundle.content)})
        assert imported.status_code == 201, imported.text
        maps = await owner.client.get("/maps", params={"universe_id": imported.json()["id"]})
        copy = f"/maps/{maps.json()['items'][0]['id']}"
        assert await grid_of(owner, copy, 2) == document
        assert await grid_of(owner, copy, 3) == {}


class TestStoredRows:
    def test_chunks_are_replaced(self) -> None:
        stored = StoredRows()
        stored.add(5, 0, [0, 2], '[["a"],["c"]]')
        stored.replace(Changed([((5, 1, 0), b'["b"]'), ((5, 2, 0), None), ((6, 0, 9), b'["d"]')]))
        stored.replace(Changed([((6, 1, 9), None)]))
        assert (stored.band(5, 0), stored.band(6, 9)) == ({0: ["a"], 1: ["b"]}, {0: ["d"]})
        assert stored.part(LayerPart(5, 0, 0, 9, 3)) == [(0, [0, 1], '[["a"],["b"]]')]
        stored.close()

    @pytest.mark.parametrize("count", [3, 4000], ids=["in memory", "in a file"])
    def test_gives_back_what_was_added(self, count: int) -> None:
        stored = StoredRows(with_symbols=True)
        bands = {band: [[f"{band}é", "b\\"], [str(band * 7919), '"c']] for band in range(count)}
        for band, chunks in bands.items():
            stored.add(5, band, [1, 9], orjson.dumps(chunks).decode())
        assert stored.band(5, count) == stored.band(4, 0) == {}
        for band in reversed(bands):
            assert stored.band(5, band) == {1: bands[band][0], 9: bands[band][1]}
        assert set(stored.symbols()) >= set('é\\"bc0123456789'[: 6 + min(count, 10)])
        stored.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("large"), DATABASE_URL=new_database()) as server:
        yield server


@pytest.fixture(scope="module")
async def largest(server: Server) -> AsyncIterator[tuple[Person, str]]:
    """Somebody on a real server, and the path of their map of 4096 x 4096 cells with 8 empty layers."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        person = await sign_up_and_log_in(client)
        made = await person.map(grid_data={"width": 4096, "height": 4096, "legend": [{"symbol": "#"}]})
        path = f"/maps/{made['id']}"
        layers = [{"op": "add_layer", "layer": {"name": f"layer {number}"}} for number in range(LAYERS)]
        assert (await client.post(f"{path}/edits", json={"edits": layers})).status_code == 200
        yield person, path


async def health_while(server: Server, work: Awaitable[Any]) -> tuple[Any, float]:
    """The result of `work`, and the longest time that GET /health took meanwhile."""
    task = asyncio.ensure_future(work)
    longest = 0.0
    loop = asyncio.get_running_loop()
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        while not task.done():
            start = loop.time()
            assert (await client.get("/health")).status_code == 200
            longest = max(longest, loop.time() - start)
            await asyncio.sleep(0.01)
    return await task, longest


LAYERS = 8
LONG = 3
"""In seconds. `make bench` measures milliseconds; this only detects a blocked event loop."""


async def test_eight_read_the_largest_map_at_once(server: Server, largest: tuple[Person, str]) -> None:
    """A gigabyte in total: memory is bounded, and others are not delayed."""
    person, path = largest
    token = person.client.headers["authorization"]
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"]
    command += ["-H", f"Authorization: {token}"]

    async def read(*options: str) -> list[str]:
        process = await asyncio.create_subprocess_exec(*command, *options, f"{server.url}{path}", stdout=PIPE)
        output, _ = await process.communicate()
        return output.decode().split()

    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    readers = [read(*(["--compressed"] if number % 2 else [])) for number in range(8)]
    answers, longest = await health_while(server, asyncio.gather(*readers))
    assert [answer[0] for answer in answers] == ["200"] * 8
    assert all(int(size) > LAYERS * 4096 * 4096 for _, size in answers[::2])
    assert process.memory_info().rss - before < 200 * 2**20
    assert longest < LONG


async def test_the_past_of_the_largest_map_takes_bounded_memory(
    server: Server, largest: tuple[Person, str]
) -> None:
    """It is replaced, read as it was, and restored; the responses have 134 million cells."""
    person, path = largest
    for y in range(0, 4096, 1024):
        place = {"x": 0, "y": y, "width": 4096, "height": 1024}
        fill = {"op": "fill_rectangle", "layer": "layer 0", **place, "symbol": "#"}
        edited = await person.client.post(f"{path}/edits", json={"edits": [fill]})
        assert edited.status_code == 200, edited.text
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    most = 0

    async def cells(method: str, query: str = "", **body: Any) -> tuple[int, int]:
        """How many cells of a response are filled and empty."""
        nonlocal most
        filled = empty = 0
        options: dict[str, Any] = {"json": body} if body else {}
        async with person.client.stream(method, path + query, **options) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for part in answer.aiter_bytes():
                filled, empty = filled + part.count(b"#"), empty + part.count(b" ")
                most = max(most, process.memory_info().rss)
        return filled, empty

    full = await cells("GET")
    assert full[0] == 4096 * 4096 + 1  # and the symbol of the legend
    seq = edited.json()["seq"]
    was = await cells("GET", f"?at_seq={seq - 4}")
    assert was[0] == 1
    assert was[1] >= LAYERS * 4096 * 4096
    assert await cells("PATCH", grid_data={}) == (0, 0)
    assert (await cells("GET", f"?at_seq={seq}"))[0] == full[0]
    assert (await cells("GET", f"?at_seq={seq - 4}"))[0] == 1
    assert (await cells("POST", "/restore", seq=seq))[0] == full[0]
    assert (await cells("POST", "/restore", seq=seq - 4))[0] == 1
    assert most - before < 200 * 2**20


HEAVY = (
    "/image.png?cell_size=1",
    "/path?from=0,0&to=4095,4095",
    "/sight?x=2048&y=2048&range=200",
    "/region?x=0&y=0&width=512&height=512",
    "?at_seq=2",
    "/export?format=uvtt",
    "/export?format=tmj",
)


async def test_heavy_reads_in_a_loop_do_not_affect_others(server: Server, largest: tuple[Person, str]) -> None:
    """Each response is one that tells what to do; others' writes all succeed."""
    person, path = largest
    stop = asyncio.Event()
    asked = dict.fromkeys(HEAVY, 0)

    async def loop(first: int) -> set[int]:
        statuses = set()
        for number in itertools.count(first):
            query = HEAVY[number % len(HEAVY)]
            statuses.add((await person.client.get(path + query)).status_code)
            asked[query] += 1
            if stop.is_set():
                return statuses
        raise AssertionError

    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        other = await sign_up_and_log_in(client)
        loops = [asyncio.create_task(loop(first)) for first in range(3 * len(HEAVY))]

        async def write() -> None:
            while min(asked.values()) < 3:
                await other.universe()
                await asyncio.sleep(0.05)

        _, longest = await health_while(server, write())
        stop.set()
        statuses = set().union(*await asyncio.gather(*loops))
    assert statuses <= {200, 409, 422, 429, 503}
    assert longest < LONG
