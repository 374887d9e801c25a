"""Moves of tokens and doors, on the API: what blocks, what stops, who may, and what is remembered."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import Person
from tests.members.test_router import join
from tests.play.test_tokens import events_of, listed, patch, put

#   0123456
# 0 .......
# 1 .#.|~..    a door between columns 3 and 4 in row 1, a hidden wall right of column 5
# 2 .......
GRID = {
    "width": 7,
    "height": 3,
    "cell_distance": 5,
    "legend": [
        {"symbol": ".", "name": "floor"},
        {"symbol": "#", "name": "rock", "blocks_movement": True, "blocks_sight": True},
        {"symbol": "~", "name": "mud", "movement_cost": 2},
    ],
    "layers": [{"name": "ground", "rows": [".......", ".#..~..", "......."]}],
    "walls": [
        {"x1": 4, "y1": 0, "x2": 4, "y2": 1},
        {"x1": 4, "y1": 2, "x2": 4, "y2": 3},
        {"id": "unseen", "x1": 6, "y1": 0, "x2": 6, "y2": 3, "hidden": True},
    ],
    "doors": [{"id": "gate", "x1": 4, "y1": 1, "x2": 4, "y2": 2, "state": "closed"}],
}


async def move(person: Person, token_id: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = await person.client.post(f"/tokens/{token_id}/move", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def path(*cells: tuple[float, float]) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in cells]


@pytest.fixture
async def table(owner: Person, stranger: Person) -> dict[str, Any]:
    """A published map in a universe in which the stranger is a player."""
    made = await owner.map(grid_data=GRID, visibility="members")
    await join(stranger, owner, made["universe_id"])
    return made


@pytest.fixture
async def mine(owner: Person, stranger: Person, table: dict[str, Any]) -> str:
    """The stranger's token, at (2, 1)."""
    return str((await put(owner, table["id"], x=2, y=1, grants={stranger.id: ["act"]}))["id"])


class TestMove:
    async def test_along_a_path(self, owner: Person, stranger: Person, table: Any, mine: str) -> None:
        done = await move(stranger, mine, path=path((2, 1), (3, 1), (3, 2)))
        assert done == {"x": 3, "y": 2, "cells": path((2, 1), (3, 1), (3, 2)), "cost": 10, "stopped": None}
        again = await move(owner, mine, path=path((2, 2)))
        assert (again["version"], again["seq"]) == (3, 7)
        assert (await owner.client.get(f"/tokens/{mine}")).json()["x"] == 2
        event = {"map_id": table["id"], "x": 3, "y": 2, "cells": path((2, 1), (3, 1), (3, 2))}
        assert (await events_of(stranger, table["universe_id"]))[1] == ("token.moved", event)

    async def test_to_a_place(self, owner: Person, stranger: Person, table: Any, mine: str) -> None:
        await patch(owner, mine, x=0)
        refused = await move(stranger, mine, 409, x=4, y=1)
        assert refused["code"] == "NO_PATH"
        answer = await stranger.client.post(f"/maps/{table['id']}/doors/gate", json={"state": "open"})
        assert answer.status_code == 403, "none of their tokens is beside it"
        assert (await move(stranger, mine, x=3, y=1))["cost"] == 20
        answer = await stranger.client.post(f"/maps/{table['id']}/doors/gate", json={"state": "open"})
        assert (answer.status_code, answer.json()) == (200, {})
        done = await move(stranger, mine, x=5, y=1)
        assert (done["x"], done["cost"]) == (5, 15)

    async def test_what_is_known_blocks(self, stranger: Person, mine: str) -> None:
        for steps, at, by in (
            ([(1, 1)], (1, 1), {"kind": "cell"}),
            ([(3, 1), (4, 1)], (4, 1), {"kind": "door", "id": "gate"}),
            ([(2, 0), (2, -1)], None, None),
        ):
            if by is None:
                await move(stranger, mine, 422, path=path(*steps))
                continue
            problem = await move(stranger, mine, 409, path=path(*steps))
            assert (problem["code"], problem["at"], problem["by"]) == ("MOVE_BLOCKED", path(at)[0], by)
        assert (await stranger.client.get(f"/tokens/{mine}")).json()["x"] == 2

    async def test_what_is_unknown_stops(self, owner: Person, stranger: Person, table: Any, mine: str) -> None:
        await patch(owner, mine, x=4)
        steps = path((5, 1), (6, 1))
        done = await move(stranger, mine, path=steps)
        assert done["stopped"] == {"at": {"x": 6, "y": 1}, "by": {"kind": "wall"}}
        assert (done["x"], done["cells"]) == (5, path((4, 1), (5, 1)))
        # Stopped at its own position, it has not moved: that is no event.
        before = len(await events_of(stranger, table["universe_id"]))
        assert (await move(stranger, mine, x=6, y=1))["x"] == 5
        assert len(await events_of(stranger, table["universe_id"])) == before
        problem = await move(owner, mine, 409, path=path((6, 1)))
        assert problem["by"] == {"kind": "wall", "id": "unseen"}

    async def test_by_force(self, owner: Person, stranger: Person, mine: str) -> None:
        await move(stranger, mine, 403, x=6, y=1, force=True)
        done = await move(owner, mine, x=6, y=1, force=True)
        assert (done["x"], done["cost"], done["stopped"]) == (6, 0, None)
        await move(owner, mine, 422, x=9, y=1, force=True)

    async def test_who_may(self, owner: Person, stranger: Person, table: Any) -> None:
        theirs = await put(owner, table["id"], x=2, y=1)
        await move(stranger, theirs["id"], 403, x=3, y=1)
        await patch(owner, theirs["id"], hidden=True)
        await move(stranger, theirs["id"], 404, x=3, y=1)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, ""),
            ({"x": 1}, ""),
            ({"x": 1, "y": 1, "path": []}, ""),
            ({"path": [{"x": 1, "y": 1}] * 100_000}, "path"),
            ({"path": [{"x": 2, "y": 1}, {"x": 5, "y": 1}]}, "path[1]"),
            ({"path": [{"x": 2.5, "y": 1}]}, "path[0]"),
            ({"x": 9, "y": 1}, "x"),
            ({"x": 1.5, "y": 1}, "x"),
            ({"x": 1e308, "y": 1}, "x"),
        ],
    )
    async def test_bad_input(self, owner: Person, mine: str, body: Any, field: str) -> None:
        problem = await move(owner, mine, 422, **body)
        assert problem["errors"][0]["field"].startswith(field)

    async def test_without_a_grid(self, owner: Person) -> None:
        made = await owner.map(grid_data={"width": 9, "height": 9, "grid_type": "none"})
        token = await put(owner, made["id"], x=1.5, y=1.5)
        done = await move(owner, token["id"], x=4.25, y=2.5)
        assert (done["x"], done["y"]) == (4.25, 2.5)
        assert (await move(owner, token["id"], path=path((5.25, 3.75))))["x"] == 5.25

    async def test_two_at_once_happen_one_after_the_other(self, owner: Person, mine: str) -> None:
        answers = await asyncio.gather(*(move(owner, mine, x=x, y=0) for x in (0, 1, 2, 3, 2, 1)))
        # One that stays where it is makes no version: it comes behind the one that made it.
        by_version = sorted(answers, key=lambda one: (one["version"], len(one["cells"]) == 1))
        for before, after in pairwise(by_version):
            assert after["cells"][0] == {"x": before["x"], "y": before["y"]}
        now = (await owner.client.get(f"/tokens/{mine}")).json()
        assert now["x"] == by_version[-1]["x"]

    async def test_a_key_moves_once(self, owner: Person, mine: str) -> None:
        headers = {"idempotency-key": "step"}
        first, second = [
            await owner.client.post(f"/tokens/{mine}/move", json={"x": 3, "y": 1}, headers=headers)
            for _ in range(2)
        ]
        assert first.text == second.text
        assert (await owner.client.get(f"/tokens/{mine}")).json()["version"] == 2


class TestFog:
    async def test_a_move_sees_what_is_on_its_way(
        self, owner: Person, stranger: Person, table: Any, mine: str
    ) -> None:
        await patch(owner, mine, sight={"range": 1})
        goblin = await put(owner, table["id"], name="Goblin", x=6, y=1)
        settings = {"fog": "explored", "fog_sharing": "each"}
        assert (await owner.client.patch(f"/maps/{table['id']}", json=settings)).status_code == 200
        assert [one["id"] for one in await listed(stranger, table["id"])] == [mine]
        assert (await stranger.client.get(f"/tokens/{goblin['id']}")).status_code == 404
        await patch(owner, mine, x=4)
        done = await move(stranger, mine, path=path((4, 0), (5, 0), (5, 1), (6, 1)))
        assert (done["x"], done["stopped"]["by"]) == (5, {"kind": "wall"})
        rows = (await stranger.client.get(f"/maps/{table['id']}/fog")).json()["rows"]
        # Around (2, 1) first, then what is beside its way.
        assert {row[4:6] for row in rows} == {"22"}
        await move(stranger, mine, path=path((5, 2)))
        rows = (await stranger.client.get(f"/maps/{table['id']}/fog")).json()["rows"]
        assert rows[0][4:6] == "11"
        seen = await owner.client.get(f"/maps/{table['id']}/tokens?as={stranger.id}")
        assert [one["id"] for one in seen.json()["items"]] == [mine]


class TestUndo:
    async def test_of_moves_and_edits(self, owner: Person, stranger: Person, table: Any, mine: str) -> None:
        undo, redo = f"/maps/{table['id']}/undo", f"/maps/{table['id']}/redo"
        edit = {"op": "set", "layer": "ground", "cells": [{"x": 0, "y": 0, "symbol": "#"}]}
        await move(owner, mine, x=3, y=1)
        await owner.client.post(f"/maps/{table['id']}/edits", json={"edits": [edit]})
        await move(owner, mine, x=3, y=2)

        async def place() -> tuple[int, int]:
            token = (await owner.client.get(f"/tokens/{mine}")).json()
            return token["x"], token["y"]

        assert (await owner.client.post(undo)).status_code == 200
        assert await place() == (3, 1)
        assert (await owner.client.post(undo)).json()["version"] == 3
        assert (await owner.client.post(undo)).status_code == 200
        assert await place() == (2, 1)
        assert (await owner.client.post(undo)).json()["code"] == "NOTHING_TO_UNDO"
        for _ in range(3):
            assert (await owner.client.post(redo)).status_code == 200
        assert await place() == (3, 2)
        await move(stranger, mine, x=2, y=2)
        answer = await owner.client.post(undo)
        assert (answer.status_code, answer.json()["code"]) == (409, "EDIT_OVERLAPPED")
        assert (await stranger.client.post(undo)).status_code == 403


class TestDoors:
    async def test_by_players(self, owner: Person, stranger: Person, table: Any, mine: str) -> None:
        gate = f"/maps/{table['id']}/doors/gate"
        secret = {"id": "hatch", "x1": 3, "y1": 0, "x2": 4, "y2": 0, "secret": True}
        hidden = {"id": "trap", "x1": 3, "y1": 3, "x2": 4, "y2": 3, "hidden": True}
        edits = [{"op": "put_door", "door": door} for door in (secret, hidden)]
        assert (await owner.client.post(f"/maps/{table['id']}/edits", json={"edits": edits})).is_success
        await move(stranger, mine, x=3, y=1)
        for door, state, status in (
            ("gate", "locked", 403),
            ("gate", "open", 200),
            ("gate", "open", 200),
            ("gate", "closed", 200),
            ("hatch", "open", 404),
            ("trap", "open", 404),
            ("nothing", "open", 404),
            ("gate", "ajar", 422),
        ):
            answer = await stranger.client.post(f"/maps/{table['id']}/doors/{door}", json={"state": state})
            assert answer.status_code == status, (door, state, answer.text)
        locked = await owner.client.post(gate, json={"state": "locked"})
        assert locked.json()["seq"] > 0
        assert (await stranger.client.post(gate, json={"state": "open"})).status_code == 403
        assert (await owner.client.post(f"/maps/{table['id']}/doors/hatch", json={"state": "open"})).is_success
        # It is seen now, but a secret still.
        answer = await stranger.client.post(f"/maps/{table['id']}/doors/hatch", json={"state": "closed"})
        assert answer.status_code == 403
        doors = (await owner.client.get(f"/maps/{table['id']}")).json()["grid_data"]["doors"]
        assert [door.get("state") for door in doors] == ["locked", "open", None]
        assert (await owner.client.post(f"/maps/{table['id']}/undo")).status_code == 200

    async def test_players_cannot_edit(self, stranger: Person, table: Any, mine: str) -> None:
        edits = [{"op": "update_door", "id": "gate", "changes": {"state": "open"}}]
        answer = await stranger.client.post(f"/maps/{table['id']}/edits", json={"edits": edits})
        assert answer.status_code == 403
