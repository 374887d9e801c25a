"""What players remember while a map and its tokens change, in the database."""

from uuid import UUID

import pytest

from tests.conftest import Person
from tests.fog.conftest import ROOM, SIGHT, Table, forget_sights
from tests.members.test_router import join


async def test_what_is_behind_a_door(table: Table, stranger: Person) -> None:
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    assert await table.fog() == ["222222000000"] * 5
    await table.edit({"op": "update_door", "id": "door", "changes": {"state": "open"}})
    fog = await table.fog()
    assert fog[2] == "222222222222"
    assert fog[0] == "222222000000"
    await table.edit({"op": "update_door", "id": "door", "changes": {"state": "closed"}})
    assert (await table.fog())[2] == "222222111111"
    # Built out of sight: unknown until they look again.
    await table.edit({"op": "set", "layer": "ground", "cells": [{"x": 9, "y": 2, "symbol": "#"}]})
    assert (await table.ground())[2] == "............"
    await table.edit({"op": "update_door", "id": "door", "changes": {"state": "open"}})
    assert (await table.ground())[2] == ".........#.."
    await table.edit({"op": "set", "layer": "ground", "cells": [{"x": 8, "y": 2, "symbol": "#"}]})
    assert (await table.ground())[2] == "........##.."
    assert (await table.fog())[2] == "222222222211"


async def test_grants_of_a_character(table: Table, stranger: Person) -> None:
    """Who gets a character's grants has seen what its tokens see, and remembers it when they lose them."""
    universe = f"/universes/{table.universe_id}"
    made = await table.owner.client.post(f"{universe}/characters", json={"name": "Ashe"})
    character_id = made.json()["id"]
    await table.token(x=9, y=2, sight=SIGHT, character_id=character_id)
    assert await table.fog() == ["000000000000"] * 5
    for given, mark in (({stranger.id: ["sight"]}, "2"), ({}, "1")):
        answer = await table.owner.client.patch(f"/characters/{character_id}", json={"grants": given})
        assert answer.status_code == 200, answer.text
        assert await table.fog() == ["000000" + 6 * mark] * 5


async def test_senses_of_a_character(table: Table, stranger: Person) -> None:
    """What its tokens see with new senses is explored, even if no request reads it before the token loses them."""
    body = {"name": "Ashe", "grants": {stranger.id: ["sight"]}}
    made = await table.owner.client.post(f"/universes/{table.universe_id}/characters", json=body)
    await table.token(x=9, y=2, character_id=made.json()["id"])
    assert await table.fog() == ["000000000000"] * 2 + ["000000000200"] + ["000000000000"] * 2
    for senses in ({"darkvision": 60}, None):
        sheet = {"sheet": {"senses": senses}}
        answer = await table.owner.client.patch(f"/characters/{made.json()['id']}", json=sheet)
        assert answer.status_code == 200, answer.text
    assert await table.fog() == ["000000111111"] * 2 + ["000000111211"] + ["000000111111"] * 2


async def test_a_removed_member_who_returns_remembers_nothing(table: Table, stranger: Person) -> None:
    await table.patch(fog_sharing="each")
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["sight"]})
    assert await table.fog(UUID(stranger.id)) == ["222222000000"] * 5
    gone = await table.owner.client.delete(f"/universes/{table.universe_id}/members/{stranger.id}")
    assert gone.status_code == 204
    await join(stranger, table.owner, table.universe_id)
    assert await table.fog(UUID(stranger.id)) == ["000000000000"] * 5


async def test_an_account_that_is_deleted_sees_no_more(table: Table, stranger: Person, superuser: Person) -> None:
    """The party's view, which is cached until the next event, is computed without the tokens of the account."""
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["sight"]})
    path = f"/maps/{table.map_id}/fog?as=members"
    assert (await table.owner.client.get(path)).json()["rows"] == ["222222000000"] * 5
    assert (await superuser.client.delete(f"/users/{stranger.id}")).status_code == 204
    assert (await table.owner.client.get(path)).json()["rows"] == ["111111000000"] * 5


ROCK = {**ROOM, "walls": [], "doors": [], "layers": [{"name": "ground", "rows": ["......#....."] * 5}]}
WALL = {"id": "wall", "x1": 6, "y1": 0, "x2": 6, "y2": 5}


@pytest.mark.parametrize("is_known", [True, False])
async def test_rock_that_becomes_a_wall(table: Table, stranger: Person, is_known: bool) -> None:
    """Nothing behind it is seen, even if what was seen before is computed when the cells are already written."""
    await table.patch(grid_data=ROCK)
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["sight"]})
    assert await table.fog() == ["222222200000"] * 5
    if not is_known:
        forget_sights()
    dig = {"op": "replace", "layer": "ground", "symbol": "#", "with": "."}
    await table.edit(dig, {"op": "put_wall", "wall": WALL})
    assert await table.fog() == ["222222100000"] * 5
    await table.edit({"op": "remove_wall", "id": "wall"}, {**dig, "symbol": ".", "with": "#"})
    await table.patch(grid_data=ROCK)
    if not is_known:
        forget_sights()
    await table.patch(grid_data={**ROOM, "doors": [], "walls": [WALL]})
    assert await table.fog() == ["222222100000"] * 5


async def test_cells_that_move_while_the_size_stays(table: Table, stranger: Person) -> None:
    await table.patch(grid_data=ROCK)
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["sight"]})
    assert await table.fog() == ["222222200000"] * 5
    resize = {"op": "resize", "height": 5}
    await table.edit({**resize, "width": 14, "anchor": "right"}, {**resize, "width": 12, "anchor": "left"})
    assert await table.fog() == ["222222222000"] * 5


async def test_layers_that_are_added(table: Table, stranger: Person) -> None:
    """Their keys are random numbers, most of which need more than 16 bits."""
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    names = [f"roof {number}" for number in range(8)]
    for name in names:
        await table.edit({"op": "add_layer", "layer": {"name": name}})
        await table.edit({"op": "set", "layer": name, "cells": [{"x": 1, "y": 1, "symbol": "#"}]})
    answer = await stranger.client.get(f"/maps/{table.map_id}")
    layers = answer.json()["grid_data"]["layers"]
    assert [layer["name"] for layer in layers] == ["ground", *names]
    assert {layer["rows"][1] for layer in layers[1:]} == {" #          "}


async def test_another_type_of_grid_forgets_all(table: Table, stranger: Person) -> None:
    await table.owner.client.post(f"/maps/{table.map_id}/fog/reveal", json={"all": True})
    assert await table.fog() == ["111111111111"] * 5
    await table.patch(grid_data={**ROOM, "grid_type": "hex_row"})
    assert await table.fog() == ["000000000000"] * 5


async def test_undo_forgets_nothing(table: Table, stranger: Person) -> None:
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["sight"]})
    await table.edit({"op": "update_door", "id": "door", "changes": {"state": "open"}})
    assert (await table.owner.client.post(f"/maps/{table.map_id}/undo")).status_code == 200
    assert (await table.fog())[2] == "222222111111"


async def test_a_document_cannot_bring_fog(table: Table) -> None:
    fog = {"mode": "explored", "rows": ["1" * 12] * 5}
    answer = await table.owner.client.patch(f"/maps/{table.map_id}", json={"grid_data": {**ROOM, "fog": fog}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "grid_data.fog"


async def test_in_the_dark(table: Table, stranger: Person) -> None:
    """What is lit, and what is within darkvision; also by the light that somebody else carries along."""
    await table.patch(grid_data={**ROOM, "doors": [], "walls": []}, lighting="dark")
    await table.token(x=0, y=2, sight={"range": 12, "darkvision": 1}, grants={stranger.id: ["sight"]})
    assert (await table.fog())[2] == "220000000000"
    torch = await table.token(x=9, y=2, light={"bright": 1, "dim": 1})
    assert (await table.fog())[2] == "220000002220"
    moved = await table.owner.client.post(f"/tokens/{torch.id}/move", json={"x": 5, "y": 2})
    assert moved.status_code == 200, moved.text
    assert (await table.fog())[2] == "220022211110"
