"""Doors that are opened in play: who may, from where, and the events for others."""

import asyncio
from typing import Any

import pytest

from tests.conftest import Person
from tests.members.test_router import join

GRID = {
    "width": 8,
    "height": 4,
    "grid_type": "square",
    "layers": [{"name": "ground", "rows": ["        "] * 4}],
    "doors": [
        {"id": "oak", "x1": 3, "y1": 1, "x2": 3, "y2": 2, "state": "closed"},
        {"id": "far", "x1": 7, "y1": 3, "x2": 8, "y2": 3, "state": "closed"},
        {"id": "iron", "x1": 3, "y1": 2, "x2": 3, "y2": 3, "state": "locked"},
        {"id": "panel", "x1": 2, "y1": 1, "x2": 3, "y2": 1, "state": "closed", "secret": True},
        {"id": "ajar", "x1": 2, "y1": 2, "x2": 3, "y2": 2, "state": "open", "secret": True},
        {"id": "dream", "x1": 1, "y1": 1, "x2": 2, "y2": 1, "state": "closed", "hidden": True},
    ],
}


@pytest.fixture
async def table(owner: Person, stranger: Person) -> dict[str, Any]:
    """A published map, on which the stranger acts for a token beside most of its doors."""
    made = await owner.map(grid_data=GRID, visibility="members")
    await join(stranger, owner, made["universe_id"])
    grants = {stranger.id: ["act"]}
    token = await owner.client.post(
        f"/maps/{made['id']}/tokens", json={"name": "Ashe", "x": 2, "y": 1, "grants": grants}
    )
    assert token.status_code == 201, token.text
    return {**made, "token": token.json()}


async def turn(person: Person, table: dict[str, Any], door: str, state: str = "open", **headers: str) -> Any:
    path = f"/maps/{table['id']}/doors/{door}"
    return await person.client.post(path, json={"state": state}, headers=headers)


async def state_of(person: Person, table: dict[str, Any], door: str) -> Any:
    doors = (await person.client.get(f"/maps/{table['id']}")).json()["grid_data"].get("doors", [])
    return next((one["state"] for one in doors if one["id"] == door), None)


async def test_a_player_opens_and_closes_the_door_beside_them(
    owner: Person, stranger: Person, table: dict[str, Any]
) -> None:
    answer = await turn(stranger, table, "oak")
    assert (answer.status_code, answer.json()) == (200, {})
    assert await state_of(stranger, table, "oak") == "open"
    assert (await turn(stranger, table, "oak", "closed")).status_code == 200
    assert await state_of(owner, table, "oak") == "closed"
    events = (await stranger.client.get(f"/universes/{table['universe_id']}/events")).json()["items"]
    edits = [one for one in events if one["kind"] == "map.edited"]
    assert [one["payload"]["doors"]["put"][0]["state"] for one in edits] == ["open", "closed"]


@pytest.mark.parametrize(
    ("door", "state", "status"),
    [
        ("far", "open", 403),
        ("iron", "open", 403),
        ("iron", "closed", 403),
        ("oak", "locked", 403),
        ("ajar", "closed", 403),
        ("panel", "open", 404),
        ("dream", "open", 404),
        ("none", "open", 404),
        ("%00", "open", 404),
        ("oak", "broken", 422),
    ],
)
async def test_a_player_may_not(
    owner: Person, stranger: Person, table: dict[str, Any], door: str, state: str, status: int
) -> None:
    before = (await owner.client.get(f"/maps/{table['id']}")).json()
    answer = await turn(stranger, table, door, state)
    assert answer.status_code == status, answer.text
    if status == 404:
        nothing = await turn(stranger, table, "nothing", state)
        assert {**answer.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
    assert (await owner.client.get(f"/maps/{table['id']}")).json() == before


async def test_spectators_and_removed_members_open_no_door(
    owner: Person, stranger: Person, table: dict[str, Any]
) -> None:
    member = f"/universes/{table['universe_id']}/members/{stranger.id}"
    assert (await owner.client.patch(member, json={"role": "spectator"})).status_code == 200
    assert (await turn(stranger, table, "oak")).status_code == 403
    assert (await owner.client.delete(member)).status_code == 204
    assert (await turn(stranger, table, "oak")).status_code == 404


async def test_a_game_master_moves_every_door(owner: Person, stranger: Person, table: dict[str, Any]) -> None:
    for door, state in [
        ("far", "open"),
        ("iron", "open"),
        ("panel", "open"),
        ("dream", "locked"),
        ("oak", "locked"),
    ]:
        answer = await turn(owner, table, door, state)
        assert answer.status_code == 200, answer.text
        assert answer.json()["seq"] > 0
        assert await state_of(owner, table, door) == state
    assert (await turn(owner, table, "oak", "locked")).json() == {"seq": None}
    # Everybody sees a secret door that is open.
    assert await state_of(stranger, table, "panel") == "open"


async def test_undo_takes_a_door_back(owner: Person, table: dict[str, Any]) -> None:
    await turn(owner, table, "oak")
    assert (await owner.client.post(f"/maps/{table['id']}/undo")).status_code == 200
    assert await state_of(owner, table, "oak") == "closed"


async def test_many_at_once(stranger: Person, owner: Person, table: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(turn(stranger, table, "oak", ("open", "closed")[i % 2]) for i in range(16)))
    assert {one.status_code for one in answers} == {200}
    same = await asyncio.gather(*(turn(owner, table, "far", **{"Idempotency-Key": "k"}) for _ in range(5)))
    assert len({one.text for one in same}) == 1


async def test_a_door_out_of_sight_is_a_404(owner: Person, stranger: Person, table: dict[str, Any]) -> None:
    wall = {"id": "wall", "x1": 3, "y1": 0, "x2": 3, "y2": 4}
    behind = {"id": "behind", "x1": 4, "y1": 1, "x2": 4, "y2": 2, "state": "closed"}
    edits = [{"op": "put_wall", "wall": wall}, {"op": "put_door", "door": behind}]
    assert (await owner.client.post(f"/maps/{table['id']}/edits", json={"edits": edits})).status_code == 200
    assert (await turn(stranger, table, "behind")).status_code == 200
    token = f"/tokens/{table['token']['id']}"
    assert (await owner.client.patch(token, json={"sight": {"range": 12}})).status_code == 200
    assert (await owner.client.patch(f"/maps/{table['id']}", json={"fog": "sight"})).status_code == 200
    assert (await turn(stranger, table, "behind", "closed")).status_code == 404
    assert (await turn(stranger, table, "oak")).status_code == 200
