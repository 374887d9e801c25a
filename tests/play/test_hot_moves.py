"""The fast move: the same as the plain way in all that it leaves behind, also where others write meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
from fastapi import FastAPI

from game.grid.moves import MAX_PATH
from game.play import hot_moves
from tests.conftest import Person
from tests.fast_writes import Spy, spying
from tests.members.test_router import join
from tests.play.test_moves import GRID, move, path
from tests.play.test_tokens import patch, put


@pytest.fixture
async def spy(app: FastAPI) -> AsyncIterator[Spy]:
    with spying(app, hot_moves.WRITTEN) as spy:
        yield spy


_MOVES: list[tuple[str, dict[str, Any]]] = [
    ("player", {"path": path((2, 1), (3, 1), (3, 2))}),
    ("player", {"x": 5, "y": 2}),
    ("game master", {"x": 2, "y": 1}),
    ("game master", {"x": 5, "y": 1, "force": True}),
    # Stopped by what they do not know of, on the way and at once.
    ("player", {"path": path((5, 0), (6, 0))}),
    ("player", {"path": path((6, 0))}),
    ("player", {"path": []}),
]


@pytest.mark.parametrize("grid_type", ["square", "none"])
async def test_a_long_way(owner: Person, app: FastAPI, spy: Spy, grid_type: str) -> None:
    """A path that was searched may be longer than one that is sent."""

    async def winding(side: int) -> dict[str, Any]:
        """A map with one way: through every second row, from one side to the other."""
        rows = ["." * side, "#" * (side - 1) + ".", "." * side, "." + "#" * (side - 1)] * side
        grid = {"grid_type": grid_type, "width": side, "height": side, "legend": GRID["legend"]}
        return await owner.map(grid_data={**grid, "layers": [{"name": "ground", "rows": rows[:side]}]})

    side = 63
    made = await winding(side)
    for hot in (True, False):
        token = await put(owner, made["id"], x=0, y=0)
        app.state.hot_writes = spy if hot else None
        done = await move(owner, token["id"], x=side - 1, y=side - 1)
        assert (done["x"], done["y"]) == (side - 1, side - 1)
        assert len(done["cells"]) > MAX_PATH
        assert (await move(owner, token["id"], 422, path=done["cells"]))["errors"][0]["field"] == "path"
    assert spy.written == 1
    made = await winding(101)
    token = await put(owner, made["id"], x=0, y=0)
    problem = await move(owner, token["id"], 409, x=100, y=100)
    assert (problem["code"], "4,096" in problem["detail"]) == ("NO_PATH", True)
    if grid_type == "none":
        wide = await owner.map(grid_data={"width": 2000, "height": 2, "grid_type": "none"})
        token = await put(owner, wide["id"], x=0.5, y=0.5)
        problem = await move(owner, token["id"], 422, path=path((1500, 0)))
        assert problem["errors"][0]["field"] == "path[0]"
        assert (await move(owner, token["id"], x=1500, y=0.5))["x"] == 1500


@pytest.mark.parametrize(
    "fields",
    [
        {"visibility": "game_masters"},
        {"visibility": "members"},
        {"visibility": "members", "fog": "explored"},
        {"visibility": "members", "fog": "sight", "fog_sharing": "each", "lighting": "dark"},
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
async def test_leaves_behind_what_the_plain_way_does(
    owner: Person,
    stranger: Person,
    app: FastAPI,
    spy: Spy,
    database: asyncpg.Connection,
    fields: dict[str, Any],
    hidden: bool,
) -> None:
    left = []
    for hot in (True, False):
        made = await owner.map(grid_data=GRID, **fields)
        await join(stranger, owner, made["universe_id"])
        eyes = {"sight": {"range": 2, "darkvision": 1}, "light": {"bright": 1}}
        token = await put(owner, made["id"], x=2, y=1, hidden=hidden, grants={stranger.id: ["act"]}, **eyes)
        await put(owner, made["id"], x=6, y=2, grants={"members": ["sight"]}, **eyes)
        app.state.hot_writes = spy if hot else None
        answers = []
        for who, body in _MOVES:
            if who == "player" and fields["visibility"] == "game_masters":
                continue
            person = stranger if who == "player" else owner
            answer = await person.client.post(f"/tokens/{token['id']}/move", json=body)
            assert answer.status_code in (200, 409), answer.text
            headers = {name: answer.headers[name] for name in answer.headers if name != "x-request-id"}
            answers.append(({**answer.json(), "request_id": None}, headers))
        ids = {made["id"]: "map", token["id"]: "token", made["universe_id"]: "universe"}
        left.append((answers, await _stored(database, made, ids)))
        if hot:
            assert spy.written == len(await _moved(database, made)) > 0
    assert left[0] == left[1]


async def _moved(database: asyncpg.Connection, made: dict[str, Any]) -> list[asyncpg.Record]:
    return await database.fetch(
        "SELECT seq, actor_id, kind, subject_id, payload, before, shared, audience FROM event"
        " WHERE universe_id = $1 AND kind = 'token.moved' ORDER BY seq",
        made["universe_id"],
    )


async def _stored(database: asyncpg.Connection, made: dict[str, Any], ids: dict[str, str]) -> list[Any]:
    """What the database holds of moves, in the universe of a map; without times, and with names for ids."""
    events = await _moved(database, made)
    tokens = await database.fetch("SELECT x, y, version FROM token WHERE map_id = $1 ORDER BY id", made["id"])
    memory = await database.fetch(
        "SELECT viewer_id, x, y, explored, differs FROM map_memory_chunk WHERE map_id = $1 ORDER BY 1, 2, 3",
        made["id"],
    )
    wholes = await database.fetch(
        "SELECT viewer_id, whole FROM map_memory WHERE map_id = $1 ORDER BY 1", made["id"]
    )
    text = repr([events, tokens, memory, wholes])
    for one, name in ids.items():
        text = text.replace(one, name)
    return text.split("<Record")


async def test_a_concurrent_change_causes_a_new_decision(
    owner: Person, stranger: Person, spy: Spy, database: asyncpg.Connection
) -> None:
    made = await owner.map(grid_data=GRID, visibility="members")
    await join(stranger, owner, made["universe_id"])
    token = await put(owner, made["id"], x=2, y=1, grants={stranger.id: ["act"]})
    # A wall is put in the way: it refuses the move.
    wall = {"x1": 3, "y1": 1, "x2": 3, "y2": 2}
    edits = {"edits": [{"op": "put_wall", "wall": wall}]}
    spy.meanwhile = owner.client.post(f"/maps/{made['id']}/edits", json=edits)
    assert (await move(stranger, token["id"], 409, path=path((3, 1))))["code"] == "MOVE_BLOCKED"
    # The token is elsewhere: the path does not begin at it.
    spy.meanwhile = patch(owner, token["id"], x=0, y=0)
    await move(stranger, token["id"], 422, path=path((2, 2)))
    # Something else happened: the move is carried out.
    spy.meanwhile = patch(owner, token["id"], name="Ashe the Bold")
    assert (await move(stranger, token["id"], path=path((1, 0))))["x"] == 1
    # The token is not theirs any more.
    spy.meanwhile = patch(owner, token["id"], grants={})
    await move(stranger, token["id"], 403, path=path((2, 0)))
    assert (spy.written, spy.refused) == (1, 4)
    events = await database.fetch(
        "SELECT seq, payload FROM event WHERE universe_id = $1 ORDER BY seq", made["universe_id"]
    )
    assert [one["seq"] for one in events] == list(range(1, len(events) + 1))
    assert orjson.loads(events[-2]["payload"])["version"] == 4


@pytest.mark.parametrize("fog", ["off", "sight"])
async def test_a_map_that_shrinks_meanwhile(owner: Person, stranger: Person, spy: Spy, fog: str) -> None:
    """The token is moved to the edge, and the move goes on from there, or not at all."""
    plain = {**GRID, "layers": [], "walls": [], "doors": []}
    made = await owner.map(grid_data=plain, visibility="members", fog=fog)
    await join(stranger, owner, made["universe_id"])
    token = await put(owner, made["id"], x=2, y=2, sight={"range": 3}, grants={stranger.id: ["act"]})
    resize = {"op": "resize", "width": 3, "height": 2, "anchor": "top_left"}
    spy.meanwhile = owner.client.post(f"/maps/{made['id']}/edits", json={"edits": [resize]})
    blocked = await move(stranger, token["id"], 409, path=path((3, 2)))
    assert (blocked["code"], blocked["by"]) == ("MOVE_BLOCKED", {"kind": "edge"})
    small = {**plain, "width": 2, "height": 2}
    spy.meanwhile = owner.client.patch(f"/maps/{made['id']}", json={"grid_data": small})
    assert (await move(stranger, token["id"], path=path((1, 0))))["x"] == 1
    where = (await stranger.client.get(f"/tokens/{token['id']}")).json()
    assert (where["x"], where["y"]) == (1, 0)
    assert spy.refused == 2


async def test_many_at_once(owner: Person, spy: Spy, database: asyncpg.Connection) -> None:
    """Moves of many tokens of two universes: each is carried out, and the events have no gaps."""
    tokens = []
    maps = [await owner.map(grid_data=GRID) for _ in range(2)]
    for number in range(12):
        tokens.append((await put(owner, maps[number % 2]["id"], x=0, y=2))["id"])
    steps = [path((n, 2)) for n in range(1, 4)]

    async def walk(token_id: str) -> None:
        for step in steps:
            assert (await move(owner, token_id, path=step))["stopped"] is None

    await asyncio.gather(*map(walk, tokens))
    for one in maps:
        rows = await database.fetch("SELECT x, version FROM token WHERE map_id = $1", one["id"])
        assert {tuple(row) for row in rows} == {(3, 4)}
        seqs = await database.fetch(
            "SELECT seq FROM event WHERE universe_id = $1 ORDER BY seq", one["universe_id"]
        )
        assert [row["seq"] for row in seqs] == list(range(1, len(seqs) + 1))
    assert spy.written > 0


async def test_a_key_is_stored_with_the_move(owner: Person, app: FastAPI, spy: Spy) -> None:
    made = await owner.map(grid_data=GRID)
    token = await put(owner, made["id"], x=2, y=1)

    async def step(y: int, key: str = "step") -> Any:
        headers = {"idempotency-key": key}
        body = {"path": path((2, y))}
        return await owner.client.post(f"/tokens/{token['id']}/move", json=body, headers=headers)

    answers = await asyncio.gather(*(step(2) for _ in range(5)))
    assert {(one.status_code, one.content) for one in answers} == {(200, answers[0].content)}
    assert spy.written == 1
    app.state.hot_writes = None
    again = await step(2)
    assert (again.content, again.headers["content-type"]) == (answers[0].content, "application/json")
    assert (await step(1)).json()["code"] == "IDEMPOTENCY_KEY_REUSED"
    # The other way round: the endpoint's answer is found, too.
    first = await step(1, "back")
    app.state.hot_writes = spy
    assert (await step(1, "back")).content == first.content
    assert (await owner.client.get(f"/tokens/{token['id']}")).json()["version"] == 3
    assert (await step(0, "bad key")).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b'{"path":[{"x":3,"y":1,"x":9}]}',
        b'{"path":[{"x":3,"y":1}],"x":3}',
        b'{"path":[{"x":"3","y":1}]}',
        b'{"path":[{"x":NaN,"y":1}]}',
        b'{"path":[{"x":5,"y":1}]}',
        b'{"x":3,"y":1,"more":1}',
        b'{"x":-1,"y":1}',
        b"[]",
        b"{",
    ],
)
async def test_an_odd_body_gets_the_plain_answer(owner: Person, spy: Spy, body: bytes) -> None:
    made = await owner.map(grid_data=GRID)
    token = await put(owner, made["id"], x=2, y=1)
    headers = {"content-type": "application/json"}
    answer = await owner.client.post(f"/tokens/{token['id']}/move", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert spy.written == 0


async def test_memory_of_many_chunks(
    owner: Person, stranger: Person, app: FastAPI, spy: Spy, database: asyncpg.Connection
) -> None:
    """Across the borders of chunks, with things that changed out of sight, both ways leave the same memory."""
    dice = random.Random(7)
    walls = [
        {"x1": x, "y1": y, "x2": x + dice.randrange(4), "y2": y + dice.randrange(4)}
        for x, y in ((dice.randrange(140), dice.randrange(140)) for _ in range(80))
    ]
    doors = [{"id": f"d{n}", "x1": 60 + n, "y1": 58, "x2": 60 + n, "y2": 59} for n in range(0, 9, 2)]
    rows = ["".join(dice.choice("...~") for _ in range(150)) for _ in range(150)]
    legend = [{"symbol": ".", "name": "floor"}, {"symbol": "~", "name": "mud", "movement_cost": 2}]
    grid = {"width": 150, "height": 150, "legend": legend, "walls": walls, "doors": doors}
    ways = [
        [(61 + n, 63 + n) for n in range(9)],
        [(69 - n, 71) for n in range(9)],
        [(61 - n, 71 - n) for n in range(12)],
        [(50, 60), (51, 60)],
    ]
    left = []
    for hot in (True, False):
        made = await owner.map(
            grid_data={**grid, "layers": [{"name": "a", "rows": rows}]},
            visibility="members",
            fog="explored",
            fog_sharing="each",
        )
        await join(stranger, owner, made["universe_id"])
        token = await put(owner, made["id"], x=60, y=62, grants={stranger.id: ["act"]}, sight={"range": 14})
        app.state.hot_writes = spy if hot else None
        answers = []
        for number, way in enumerate(ways):
            for person in (stranger, owner):
                body = {"path": path(*way)}
                answer = await person.client.post(f"/tokens/{token['id']}/move", json=body)
                answers.append({**answer.json(), "request_id": None})
            edits = [
                {
                    "op": "fill_rectangle",
                    "layer": "a",
                    "x": 55 + number,
                    "y": 60,
                    "width": 20,
                    "height": 3,
                    "symbol": "~",
                },
                {"op": "update_door", "id": f"d{2 * number}", "changes": {"state": "open"}},
            ]
            answer = await owner.client.post(f"/maps/{made['id']}/edits", json={"edits": edits})
            assert answer.status_code == 200, answer.text
        ids = {made["id"]: "map", token["id"]: "token", made["universe_id"]: "universe"}
        left.append((answers, await _stored(database, made, ids)))
        if hot:
            assert spy.written == len(await _moved(database, made)) > 0
    assert left[0] == left[1]
    chunks = await database.fetch("SELECT differs FROM map_memory_chunk WHERE map_id = $1", made["id"])
    assert len(chunks) > 2
    assert any(one["differs"] for one in chunks)
