"""Malicious bundles, sent to a real server: rejected at once or stopped in time, without affecting others."""

import asyncio
import io
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx2
import orjson
import psutil
import pytest

from tests.conftest import PATIENCE_SECONDS, Person, Server, serving, sign_up_and_log_in

RUNS = [[x, 0, 1, " ", "#"] for x in range(100)]
EVENT = {
    "kind": "map.edited",
    "subject_id": "one",
    "payload": {"version": 2},
    "before": {"change": [{"cells": 0, "runs": RUNS}]},
    "created_at": "2026-01-01T00:00:00Z",
}


def bundle(events: list[bytes], **manifest: Any) -> bytes:
    """A bundle, by default without maps."""
    out = io.BytesIO()
    whole = {"format": "worldkeep-universe", "version": 1, "universe": {"name": "Here"}, **manifest}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("worldkeep.json", orjson.dumps(whole))
        file.writestr("events.jsonl", b"\n".join(events))
        file.writestr("maps/one.json", b'{"name": "A"}')
    return out.getvalue()


def long_bundle(events: int = 60_000) -> bytes:
    """A good bundle that takes half a minute to check."""
    return bundle([orjson.dumps({**EVENT, "seq": seq}) for seq in range(1, events + 1)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_database: Any) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "tmp").mkdir()
    environment = {"WORLDKEEP_BUNDLE_TIMEOUT": "8", "DATABASE_URL": new_database(), "TMPDIR": str(folder / "tmp")}
    with serving(folder, **environment) as server:
        yield server


@pytest.fixture
async def person(server: Server) -> AsyncIterator[Person]:
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        yield await sign_up_and_log_in(client)


async def bring_in(person: Person, data: bytes) -> httpx2.Response:
    return await person.client.post("/universes/import", files={"file": ("universe.zip", data)})


def computing(server: Server) -> list[psutil.Process]:
    """The server's processes that computed in the last third of a second."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    before = {}
    for child in children:
        # One that was ended just now is a zombie.
        with suppress(psutil.NoSuchProcess):
            if "compute_process" in " ".join(child.cmdline()):
                before[child] = child.cpu_times().user
    time.sleep(0.3)
    found = []
    for child, was in before.items():
        with suppress(psutil.NoSuchProcess):
            if child.cpu_times().user - was > 0.02:
                found.append(child)
    return found


async def until_idle(server: Server) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while await asyncio.to_thread(computing, server):
        assert time.monotonic() < end, "it goes on"


async def nothing_is_left(server: Server, person: Person) -> None:
    await until_idle(server)
    assert (await person.client.get("/universes")).json()["items"] == []
    assert list((server.log.parent / "tmp").glob("worldkeep-*")) == []


async def test_one_map_named_very_often(server: Server, person: Person) -> None:
    data = bundle([], maps=["one"] * 200_000)
    assert len(data) < 4000
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        other = await sign_up_and_log_in(client)
        attack = asyncio.gather(*(bring_in(person, data) for _ in range(10)))
        written = []
        while not attack.done():
            written.append((await other.client.post("/universes", json={"name": "Mine"})).status_code)
        answers = await attack
    assert {answer.status_code for answer in answers} == {422}
    assert answers[0].json()["errors"][0]["field"] == "worldkeep.json: maps"
    assert set(written) == {201}
    await nothing_is_left(server, person)


async def test_one_map_named_twice(server: Server, person: Person) -> None:
    answer = await bring_in(person, bundle([], maps=["one", "one"]))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "worldkeep.json: maps[1]")


async def test_a_client_that_hangs_up_ends_it(server: Server, person: Person) -> None:
    task = asyncio.create_task(bring_in(person, long_bundle()))
    end = time.monotonic() + PATIENCE_SECONDS
    while not await asyncio.to_thread(computing, server):
        assert time.monotonic() < end
        assert not task.done(), task.result().text
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await nothing_is_left(server, person)


async def test_there_is_a_time_limit(server: Server, person: Person) -> None:
    answer = await bring_in(person, long_bundle())
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"]
    await nothing_is_left(server, person)


async def test_others_are_not_blocked(server: Server, person: Person) -> None:
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        other = await sign_up_and_log_in(client)
        attack = asyncio.gather(*(bring_in(person, long_bundle(2_000)) for _ in range(5)))
        statuses = []
        while not attack.done():
            statuses.append((await other.client.post("/universes", json={"name": "Mine"})).status_code)
            statuses.append((await other.client.get("/health")).status_code)
        assert {answer.status_code for answer in await attack} <= {201, 429, 503}
    assert set(statuses) == {200, 201}
