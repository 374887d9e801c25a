"""The history of a map with invalid stored data: reported or left out, but never a 500."""

import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from game.grid.chunks import ROWS_MARK
from tests.conftest import Person

GRID = {
    "width": 3,
    "height": 1,
    "legend": [{"symbol": "#"}, {"symbol": "."}],
    "layers": [{"name": "ground", "rows": ["#.#"]}],
}
FRAME = {**GRID, "layers": [{"name": "ground", "rows": ROWS_MARK}]}
DEEP: Any = 1
for _ in range(500):
    DEEP = [DEEP]
JUNK: list[Any] = [
    5,
    "grid_data",
    ["grid_data"],
    {"name": 7},
    {"name": "x" * 101},
    {"grid_data": 5},
    {"grid_data": FRAME},
    {"grid_data": FRAME, "size": [15000, 15000], "chunks": []},
    {"grid_data": FRAME, "size": [3, 1], "chunks": [[0, 0, 0, ["????"]]]},
    {"grid_data": {"entities": [{"id": "e"}]}, "size": [0, 0], "chunks": []},
    {"grid_data": {"note": DEEP}, "size": [0, 0], "chunks": []},
    {"grid_data": {"note": {"rows": ROWS_MARK}}, "size": [4096, 4096], "chunks": []},
    {"change": 5},
    {"change": [{}]},
    {"change": [{"size": [15000, 15000], "before": [3, 1], "shift": [0, 0]}]},
    {"change": [{"cells": 0, "runs": [[0, 0, 1, ".", "?"]]}]},
    {"change": [{"cells": 0, "runs": [[0, 0, 10**9, ".", "#"]]}]},
    {"change": [{"list": "entities", "before": None, "after": {"id": "e"}, "from": None, "to": 0}]},
]
PAYLOADS: list[Any] = [
    5,
    {"version": DEEP},
    [],
    {"version": 10**30},
    {"version": {}, "touched": 5},
    {"version": 2, "touched": {"walls": [{}]}, "of": []},
]


async def insert(
    database: asyncpg.Connection, person: Person, one: dict[str, Any], kind: str, payload: Any, before: Any
) -> int:
    """Put an event straight into the log of a map, as its owner's; its number."""
    async with database.transaction():
        seq = await database.fetchval(
            "UPDATE universe SET event_seq = event_seq + 1 WHERE id = $1 RETURNING event_seq",
            UUID(one["universe_id"]),
        )
        await database.execute(
            """INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, before)
            VALUES ($1, $2, $3, $4, $5, $6, $7)""",
            UUID(one["universe_id"]),
            seq,
            UUID(person.id),
            kind,
            UUID(one["id"]),
            json.dumps(payload),
            None if before is None else json.dumps(before),
        )
    return int(seq)


async def everything(person: Person, one: dict[str, Any]) -> dict[str, int]:
    """The status of every request that reads a map's past, or what it is now."""
    get, path = person.client.get, f"/maps/{one['id']}"
    cell = {"from": "1,0", "to": "1,0"}
    return {
        "map": (await get(path)).status_code,
        "history": (await get(f"{path}/history")).status_code,
        "events": (await get(f"/universes/{one['universe_id']}/events")).status_code,
        "export": (await get(f"/universes/{one['universe_id']}/export")).status_code,
        "map export": (await get(f"{path}/export", params={"format": "tmj"})).status_code,
        "png": (await get(f"{path}/image.png")).status_code,
        "svg": (await get(f"{path}/image.svg")).status_code,
        "path": (await get(f"{path}/path", params=cell)).status_code,
        "sight": (await get(f"{path}/sight", params={"x": 1, "y": 0})).status_code,
    }


class TestJunk:
    @pytest.mark.parametrize("before", JUNK, ids=range(len(JUNK)))
    async def test_in_before(self, owner: Person, database: asyncpg.Connection, before: Any) -> None:
        one = await owner.map(grid_data=GRID)
        path = f"/maps/{one['id']}"
        await insert(database, owner, one, "map.edited", {"version": 2}, before)
        was = await owner.client.get(path, params={"at_seq": 2})
        assert (was.status_code, was.json()["code"]) == (409, "HISTORY_BROKEN"), was.text
        assert was.json()["seq"] == 3
        for request, body in (("restore", {"seq": 2}), ("undo", {})):
            answer = await owner.client.post(f"{path}/{request}", json=body)
            assert answer.status_code == 409, answer.text
        assert set((await everything(owner, one)).values()) == {200}
        assert (await owner.client.get(path)).json() == one

    @pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
    @pytest.mark.parametrize("kind", ["map.edited", "map.restored"])
    async def test_in_payload(self, owner: Person, database: asyncpg.Connection, kind: str, payload: Any) -> None:
        one = await owner.map(grid_data=GRID)
        seq = await insert(database, owner, one, kind, payload, None)
        was = await owner.client.get(f"/maps/{one['id']}", params={"at_seq": seq})
        assert was.status_code == (200 if isinstance(payload, dict) and payload["version"] == 2 else 409)
        assert set((await everything(owner, one)).values()) == {200}
        for request in ("undo", "redo"):
            assert (await owner.client.post(f"/maps/{one['id']}/{request}")).status_code == 409

    async def test_before_junk_everything_can_be_read(self, owner: Person, database: asyncpg.Connection) -> None:
        one = await owner.map(grid_data=GRID)
        seq = await insert(database, owner, one, "map.updated", {"version": 2}, {"change": 5})
        cells = [{"x": 1, "y": 0, "symbol": "#"}]
        edits = [{"op": "set", "layer": "ground", "cells": cells}]
        edited = await owner.client.post(f"/maps/{one['id']}/edits", json={"edits": edits})
        assert edited.status_code == 200
        was = await owner.client.get(f"/maps/{one['id']}", params={"at_seq": seq})
        assert (was.status_code, was.json()["grid_data"]) == (200, GRID)
        assert (await owner.client.post(f"/maps/{one['id']}/undo")).status_code == 200
