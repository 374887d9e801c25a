"""The fast way of painting cells: the same as the plain way in all that it leaves behind."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest
from fastapi import FastAPI

from game.accounts.tokens import COOKIE
from tests.conftest import Person, new_client
from tests.editing.test_router import edit, grid, rows, set_cells


class Spy:
    """Counts what the coalescer of writes answered."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.carried_out, self.passed_on = inner, 0, 0

    async def fetch(self, *parameters: Any) -> Any:
        row = await self.inner.fetch(*parameters)
        self.carried_out += row is not None
        self.passed_on += row is None
        return row


@pytest.fixture
async def spy(app: FastAPI) -> AsyncIterator[Spy]:
    spy = app.state.hot_writes = Spy(app.state.hot_writes)
    yield spy
    app.state.hot_writes = spy.inner


@pytest.mark.parametrize(
    "cells",
    [
        [(0, 0, "#")],
        [(69, 66, "#"), (64, 64, "~"), (69, 64, "#"), (65, 64, "#")],
        [(0, 0, "#"), (1, 0, "."), (63, 63, "~")],
    ],
)
@pytest.mark.parametrize("visibility", ["game_masters", "members"])
async def test_leaves_behind_what_the_plain_way_does(
    owner: Person,
    app: FastAPI,
    spy: Spy,
    database: asyncpg.Connection,
    cells: list[tuple[int, int, str]],
    visibility: str,
) -> None:
    left = []
    for hot in (True, False):
        app.state.hot_writes = spy if hot else None
        one = await owner.map(grid_data=grid(70, 67), visibility=visibility)
        answer = await edit(owner, one["id"], set_cells(*cells))
        assert answer.status_code == 200, answer.text
        stored = (await owner.client.get(f"/maps/{one['id']}")).json()
        event = await database.fetchrow(
            "SELECT actor_id, kind, subject_id, payload, before, shared, audience FROM event"
            " WHERE universe_id = $1 AND seq = 3",
            one["universe_id"],
        )
        before, payload = orjson.loads(event["before"]), orjson.loads(event["payload"])
        # One way joins neighbours to runs, the other does not: what they say is the same.
        shared = orjson.loads(event["shared"] or "null")
        assert (shared is not None) == (visibility == "members")
        for part in (*before["change"], *payload["cells"], *(shared or {}).get("cells", ())):
            part["runs"] = [
                (x + at, y, *(text if len(text) == 1 else text[at] for text in texts))
                for x, y, count, *texts in part["runs"]
                for at in range(count)
            ]
        headers = {name: answer.headers[name] for name in answer.headers if name != "x-request-id"}
        whose = (str(event["subject_id"]) == one["id"], str(event["actor_id"]) == owner.id)
        event_row = (event["kind"], payload, before, shared, event["audience"])
        left.append((answer.content, headers, stored["grid_data"], stored["version"], *whose, *event_row))
        assert stored["updated_at"] > one["updated_at"]
    assert left[0] == left[1]
    assert (spy.carried_out, spy.passed_on) == (1, 0)


@pytest.mark.parametrize(
    ("cells", "layer"),
    [
        ([(0, 0, "#")], "roof"),
        ([(70, 0, "#")], "ground"),
        ([(0, 67, "#")], "ground"),
        ([(0, 0, "?")], "ground"),
        ([(0, 0, "#"), (1, 0, "?")], "ground"),
    ],
)
async def test_what_breaks_a_rule_is_passed_on(
    owner: Person, spy: Spy, cells: list[tuple[int, int, str]], layer: str
) -> None:
    one = await owner.map(grid_data=grid(70, 67))
    answer = await edit(owner, one["id"], {**set_cells(*cells), "layer": layer})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_EDIT")
    assert spy.passed_on == 1
    assert (await owner.client.get(f"/maps/{one['id']}")).json() == one


async def test_a_map_of_another_user_and_an_ended_session(owner: Person, stranger: Person, spy: Spy) -> None:
    one = await owner.map(grid_data=grid(4, 4))
    assert (await edit(stranger, one["id"], set_cells((0, 0, "#")))).status_code == 404
    await owner.client.post("/auth/jwt/logout")
    assert (await edit(owner, one["id"], set_cells((0, 0, "#")))).status_code == 401
    assert (spy.carried_out, spy.passed_on) == (0, 2)


@pytest.mark.parametrize(
    "body",
    [
        b'{"edits":[{"op":"set","layer":"ground","cells":[{"x":0,"y":0,"symbol":"#","x":1}]}]}',
        b'{"edits":[{"op":"set","layer":"ground","cells":[{"x":0,"y":0,"symbol":"#"}]}],"more":1}',
        b'{"edits":[{"op":"set","layer":"ground","cells":[{"x":true,"y":0,"symbol":"#"}]}]}',
        b'{"edits":[{"op":"set","layer":"ground","cells":[{"x":-1,"y":0,"symbol":"#"}]}]}',
        b'{"edits":[{"op":"set","layer":"ground","cells":[{"x":0,"y":0,"symbol":"##"}]}]}',
        b'{"edits":[{"op":"set","layer":"ground\\u0000","cells":[{"x":0,"y":0,"symbol":"#"}]}]}',
        b'{"edits":[{"op":"set","layer":"ground","cells":[]},{"op":"set"}]}',
        b'{"edits":5}',
        b"[",
    ],
)
async def test_an_odd_body_gets_the_plain_answer(owner: Person, spy: Spy, body: bytes) -> None:
    one = await owner.map(grid_data=grid(4, 4))
    answer = await owner.client.post(
        f"/maps/{one['id']}/edits", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert spy.carried_out == 0


async def test_many_at_once_with_the_plain_way_among_them(
    owner: Person, spy: Spy, database: asyncpg.Connection
) -> None:
    """Fast and plain edits of one map, all at once: none is lost, the events have no gaps, the log replays."""
    one = await owner.map(grid_data=grid(66, 40))
    order = random.Random(5)
    cells = [(x, y) for x in range(66) for y in range(40)]
    order.shuffle(cells)
    edits = []
    for number, (x, y) in enumerate(cells[:120]):
        change = [set_cells((x, y, "#"))]
        if number % 4 == 0:
            change.append({"op": "put_entity", "entity": {"id": f"goblin-{number}", "x": x, "y": y}})
        edits.append(edit(owner, one["id"], *change))
    answers = await asyncio.gather(*edits)
    assert {answer.status_code for answer in answers} == {200}, {a.text for a in answers if a.status_code != 200}
    assert sorted(answer.json()["seq"] for answer in answers) == list(range(3, 123))
    painted = await rows(owner, one["id"])
    assert {(x, y) for y in range(40) for x in range(66) if painted[y][x] == "#"} == set(cells[:120])
    assert len((await owner.client.get(f"/maps/{one['id']}")).json()["grid_data"]["entities"]) == 30
    assert spy.carried_out == 90
    was = await owner.client.get(f"/maps/{one['id']}", params={"at_seq": 2})
    assert was.json()["grid_data"] == one["grid_data"]


async def test_cells_that_are_so_already_are_no_change(
    owner: Person, app: FastAPI, spy: Spy, database: asyncpg.Connection
) -> None:
    one = await owner.map(grid_data=grid(4, 1))
    answers = []
    for hot in (True, False):
        app.state.hot_writes = spy if hot else None
        answers.append(await edit(owner, one["id"], set_cells((0, 0, "."), (2, 0, "."))))
    assert answers[0].content == answers[1].content == b'{"version":1,"seq":null,"changed":0}'
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    assert spy.carried_out == 1
    assert (await owner.client.get(f"/maps/{one['id']}")).json() == one


async def test_if_none_match_is_for_reads(owner: Person) -> None:
    one = await owner.map(grid_data=grid(4, 1))
    body = {"edits": [set_cells((0, 0, "#"))]}
    answer = await owner.client.post(f"/maps/{one['id']}/edits", json=body, headers={"if-none-match": "*"})
    assert (answer.status_code, answer.json()["changed"]) == (200, 1)


async def hand_over(connection: asyncpg.Connection, universe_id: str, owner: Person, stranger: Person) -> None:
    """Make a stranger the owner, and the owner a stranger, as the queries of universes and members do."""
    await connection.execute(
        "UPDATE universe SET owner_id = $1, access_version = access_version + 1 WHERE id = $2",
        stranger.id,
        universe_id,
    )
    await connection.execute("DELETE FROM member WHERE universe_id = $1 AND user_id = $2", universe_id, owner.id)
    await connection.execute("INSERT INTO member VALUES ($1, $2, 'owner')", universe_id, stranger.id)


async def test_a_previous_owner(owner: Person, stranger: Person, spy: Spy, database_url: str) -> None:
    one = await owner.map(grid_data=grid(4, 4))
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await hand_over(other, one["universe_id"], owner, stranger)
            late = asyncio.create_task(edit(owner, one["id"], set_cells((0, 0, "#"))))
            await asyncio.sleep(0.3)
        assert (await late).status_code == 404
    finally:
        await other.close()
    assert (await stranger.client.get(f"/maps/{one['id']}")).json()["version"] == 1


async def test_many_maps_of_two_universes_at_once(owner: Person, spy: Spy, database: asyncpg.Connection) -> None:
    """Batches with several maps of a universe: each edit is an event, and numbers have no duplicates and no
    gaps."""
    first, second = await owner.universe(), await owner.universe()
    homes = [first, second] * 6
    maps = [await owner.map(universe_id=home["id"], grid_data=grid(8, 8)) for home in homes]
    answers = await asyncio.gather(
        *(edit(owner, one["id"], set_cells((x, y, "#"))) for one in maps for x, y in [(1, 1), (2, 5), (7, 0)])
    )
    assert {answer.status_code for answer in answers} == {200}
    assert spy.carried_out == 36
    for universe in (first, second):
        events = await database.fetch(
            "SELECT seq, subject_id, (payload->>'version')::int AS version FROM event"
            " WHERE universe_id = $1 AND kind = 'map.edited' ORDER BY seq",
            universe["id"],
        )
        assert [event["seq"] for event in events] == list(range(8, 26))
        for one in maps:
            assert [e["version"] for e in events if str(e["subject_id"]) == one["id"]] in ([], [2, 3, 4])
    for one in maps:
        painted = await rows(owner, one["id"])
        assert {(x, y) for y in range(8) for x in range(8) if painted[y][x] == "#"} == {(1, 1), (2, 5), (7, 0)}


async def test_a_locked_map_does_not_block_others(owner: Person, spy: Spy, database_url: str) -> None:
    """A batch skips locked universes; the skipped edit waits separately for the lock."""
    held, free = await owner.map(grid_data=grid(4, 4)), [await owner.map(grid_data=grid(4, 4)) for _ in range(5)]
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM universe WHERE id = $1 FOR UPDATE", held["universe_id"])
            edits = [asyncio.create_task(edit(owner, one["id"], set_cells((0, 0, "#")))) for one in [held, *free]]
            await asyncio.wait(edits[1:])
            assert not edits[0].done()
        assert (await edits[0]).status_code == 200
    finally:
        await other.close()
    assert spy.carried_out == 6


async def test_it_can_be_undone(owner: Person, spy: Spy) -> None:
    one = await owner.map(grid_data=grid(4, 1))
    await edit(owner, one["id"], set_cells((0, 0, "#"), (2, 0, "~")))
    assert spy.carried_out == 1
    assert (await owner.client.post(f"/maps/{one['id']}/undo")).status_code == 200
    assert await rows(owner, one["id"]) == ["...."]


async def test_serves_the_editor(app: FastAPI, owner: Person, spy: Spy) -> None:
    """A browser's request as the back office sends it: with the session's cookie and the version that was read."""
    one = await owner.map(grid_data=grid(4, 4))
    cookie = {"cookie": f"{COOKIE}={owner.tokens['access_token']}"}
    ours = {**cookie, "sec-fetch-site": "same-origin", "origin": "http://localhost"}
    async with new_client(app) as browser:
        page = replace(owner, client=browser)
        first = await edit(page, one["id"], set_cells((0, 0, "#")), **ours, **{"If-Match": '"1"'})
        assert (first.status_code, first.headers["etag"]) == (200, '"2"')
        assert (spy.carried_out, spy.passed_on) == (1, 0)
        stale = await edit(page, one["id"], set_cells((1, 0, "#")), **ours, **{"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["current_version"]) == (412, 2)
        assert (spy.carried_out, spy.passed_on) == (1, 1)
        for theirs in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            answer = await edit(page, one["id"], set_cells((2, 0, "#")), **cookie, **theirs)
            assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_SITE_REQUEST")
    assert (spy.carried_out, spy.passed_on) == (1, 1)
    assert (await rows(owner, one["id"]))[0] == "#..."


@pytest.mark.parametrize("header", ['"2", "1"', "*", 'W/"1"'])
async def test_other_conditions_go_the_plain_way(owner: Person, spy: Spy, header: str) -> None:
    one = await owner.map(grid_data=grid(4, 4))
    answer = await edit(owner, one["id"], set_cells((0, 0, "#")), **{"If-Match": header})
    assert answer.status_code == 200
    assert spy.carried_out == spy.passed_on == 0
