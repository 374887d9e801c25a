"""What players are sent of maps with fog."""

import io
import re
from typing import Any

import httpx2
from fastapi import FastAPI
from PIL import Image

from tests.conftest import Person, new_client, somebody
from tests.fog.conftest import ROOM, SIGHT, Table
from tests.members.test_router import join

BEYOND = {
    "entities": [
        {"id": "near", "kind": "chest", "x": 2, "y": 2},
        {"id": "far", "kind": "idol", "x": 9, "y": 2},
    ],
    "lights": [{"id": "lamp", "x": 9.5, "y": 2.5, "range": 2}],
}


async def get(person: Person, path: str, status: int = 200) -> httpx2.Response:
    answer = await person.client.get(path)
    assert answer.status_code == status, answer.text
    return answer


async def test_a_map_in_all_its_forms(table: Table, stranger: Person) -> None:
    """A map, its region, fog, sight, paths and pictures show the same: the room this side of the door."""
    await table.patch(grid_data={**ROOM, **BEYOND})
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    path = f"/maps/{table.map_id}"
    # The second time it is answered by the fast way.
    first, second = await get(stranger, path), await get(stranger, path)
    assert (first.content, first.headers["etag"]) == (second.content, second.headers["etag"])
    grid = first.json()["grid_data"]
    assert "version" not in first.json()
    assert grid["fog"] == {"mode": "explored", "rows": ["222222000000"] * 5}
    assert grid["layers"][0]["rows"] == ["......      "] * 5
    assert [one["id"] for one in grid["entities"]] == ["near"]
    assert "lights" not in grid
    assert [one["id"] for one in grid["doors"]] == ["door"]
    again = await stranger.client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304

    region = (await get(stranger, f"{path}/region?x=4&y=1&width=4&height=2")).json()
    assert region == {
        "x": 4,
        "y": 1,
        "width": 4,
        "height": 2,
        "layers": [{"name": "ground", "rows": ["..  ", "..  "]}],
        "fog": ["2200", "2200"],
    }
    fog = (await get(stranger, f"{path}/fog")).json()
    assert fog == {"mode": "explored", "sharing": "party", "rows": ["222222000000"] * 5}
    sight = (await get(stranger, f"{path}/sight?from=5,2&range=8")).json()
    assert [one["id"] for one in sight["entities"]] == ["near"]
    assert not (await get(stranger, f"{path}/path?from=1,2&to=5,2")).json()["reason"]
    # A game master sees the same with `?as=`.
    for part in ("", "/fog", "/region?x=0&y=0&width=12&height=5", "/sight?from=5,2", "/image.png", "/image.svg"):
        mine = await get(stranger, path + part)
        theirs = await get(table.owner, f"{path}{part}{'&' if '?' in part else '?'}as={stranger.id}")
        assert (mine.content, mine.headers.get("etag")) == (theirs.content, theirs.headers.get("etag")), part
        refused = await stranger.client.get(f"{path}{part}{'&' if '?' in part else '?'}as={stranger.id}")
        assert refused.status_code == 403
        unknown = await table.owner.client.get(f"{path}{part}{'&' if '?' in part else '?'}as={table.map_id}")
        assert unknown.status_code == 422
    picture = Image.open(io.BytesIO((await get(stranger, f"{path}/image.png?cell_size=16")).content))
    dark = {picture.getpixel((x * 16 + 8, 40)) for x in range(6, 12)}
    assert len(dark) == 1
    assert picture.getpixel((24, 40)) not in dark


async def test_as_a_member_without_grants(table: Table, stranger: Person) -> None:
    path = f"/maps/{table.map_id}"
    await table.patch(fog_sharing="each")

    async def place(**fields: Any) -> None:
        body = {"name": "Ashe", "sight": SIGHT, **fields}
        assert (await table.owner.client.post(f"{path}/tokens", json=body)).status_code == 201

    async def rows() -> list[str]:
        return list((await get(table.owner, f"{path}/fog?as=members")).json()["rows"])

    await place(x=1, y=2, grants={stranger.id: ["act"]})
    assert await rows() == ["0" * 12] * 5
    assert (await get(table.owner, f"{path}/tokens?as=members")).json() == {"items": []}
    await place(x=8, y=2, grants={"members": ["sight"]})
    assert await rows() == ["000000222222"] * 5
    assert [one["x"] for one in (await get(table.owner, f"{path}/tokens?as=members")).json()["items"]] == [8]
    await table.patch(fog_sharing="party")
    assert await rows() == (await get(stranger, f"{path}/fog")).json()["rows"]
    assert (await stranger.client.get(f"{path}?as=members")).status_code == 403
    await table.patch(visibility="game_masters")
    assert (await table.owner.client.get(f"{path}?as=members")).status_code == 404


async def test_background(table: Table, stranger: Person) -> None:
    """Players get of it what they see; the whole picture never, whatever else shows it."""
    file = io.BytesIO()
    art = Image.new("RGB", (120, 50), (10, 200, 30))
    art.paste((200, 10, 30), (60, 0, 120, 50))
    art.save(file, "PNG")
    files = {"file": ("art.png", file.getvalue(), "image/png")}
    asset = (await table.owner.client.post(f"/universes/{table.universe_id}/assets", files=files)).json()
    background = {"asset_id": asset["id"], "x": 0, "y": 0, "width": 12, "height": 5}
    entity = {"id": "art", "kind": "painting", "x": 1, "y": 1, "asset_id": asset["id"]}
    await table.patch(grid_data={**ROOM, "background": background, "entities": [entity]})
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    path = f"/maps/{table.map_id}"
    assert (await get(stranger, path)).json()["grid_data"]["background"].keys() == {"x", "y", "width", "height"}
    await get(stranger, f"/assets/{asset['id']}", 404)
    # A note shows it, too, and the map writes its id in another way.
    note = {"title": "Art", "body": f"![art](/assets/{asset['id']})", "grants": {"members": ["see"]}}
    await table.owner.client.post(f"/universes/{table.universe_id}/notes", json=note)
    await table.patch(grid_data={**ROOM, "background": {**background, "asset_id": asset["id"].replace("-", "")}})
    await get(stranger, f"{path}/background?cell_size=10", 404)
    await get(table.owner, f"{path}/background?cell_size=10", 404)
    await table.patch(grid_data={**ROOM, "background": {**background, "asset_id": asset["id"].upper()}})
    await get(stranger, f"/assets/{asset['id']}", 404)
    cut = Image.open(io.BytesIO((await get(stranger, f"{path}/background?cell_size=10")).content)).convert("RGBA")
    assert cut.size == (120, 50)
    assert cut.getpixel((30, 20)) == (10, 200, 30, 255)
    assert {cut.getpixel((x, y)) for x in range(60, 120) for y in range(50)} == {(0, 0, 0, 0)}
    for part in ("image.png", "image.svg"):
        drawn = await get(stranger, f"{path}/{part}?cell_size=10&layers=none")
        assert b"\xc8\x0a\x1e" not in drawn.content
    whole = Image.open(io.BytesIO((await get(table.owner, f"{path}/background?cell_size=10")).content))
    assert whole.convert("RGBA").getpixel((100, 20)) == (200, 10, 30, 255)
    await table.patch(fog="off")
    await get(stranger, f"/assets/{asset['id']}")


async def test_ids_of_pictures_in_capitals(table: Table, stranger: Person) -> None:
    """Players see a picture whose id is written in capitals as on a map without fog."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    files = {"file": ("art.png", file.getvalue(), "image/png")}
    asset = (await table.owner.client.post(f"/universes/{table.universe_id}/assets", files=files)).json()
    entity = {"id": "art", "kind": "painting", "x": 1, "y": 1, "asset_id": asset["id"].upper()}
    await table.patch(grid_data={**ROOM, "entities": [entity]})
    await get(stranger, f"/assets/{asset['id']}", 404)
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    await get(stranger, f"/assets/{asset['id']}")


async def test_reveal_and_hide(table: Table, stranger: Person) -> None:
    owner, path = table.owner.client, f"/maps/{table.map_id}/fog"
    await table.token(x=1, y=2, sight={"range": 1}, grants={stranger.id: ["act"]})
    answer = await owner.post(f"{path}/reveal", json={"x": 8, "y": 0, "width": 9, "height": 2})
    assert answer.status_code == 200, answer.text
    assert (await get(stranger, path)).json()["rows"][:2] == ["000000001111", "222000001111"]
    triangle = [{"x": 8, "y": 0}, {"x": 12, "y": 0}, {"x": 12, "y": 5}]
    assert (await owner.post(f"{path}/hide", json={"polygon": triangle})).is_success
    assert (await get(stranger, path)).json()["rows"][:2] == ["000000000000", "222000001000"]
    assert (await owner.post(f"{path}/hide", json={"all": True})).is_success
    assert (await get(stranger, path)).json()["rows"] == [
        "000000000000",
        "222000000000",
        "222000000000",
        "222000000000",
        "000000000000",
    ]
    assert (await stranger.client.post(f"{path}/reveal", json={"all": True})).status_code == 403
    for body in ({}, {"x": 1}, {"all": True, "polygon": triangle}, {"polygon": triangle[:2]}, {"all": False}):
        assert (await owner.post(f"{path}/reveal", json=body)).status_code == 422, body
    for_one = {"all": True, "for": [stranger.id]}
    assert (await owner.post(f"{path}/reveal", json=for_one)).status_code == 422
    await table.patch(fog_sharing="each")
    assert (await owner.post(f"{path}/reveal", json=for_one)).is_success
    assert set("".join((await get(stranger, path)).json()["rows"])) == {"1", "2"}
    assert (await owner.post(f"{path}/reveal", json={"all": True, "for": [table.owner.id]})).status_code == 422
    # Players get no events of it.
    events = (await get(stranger, f"/universes/{table.universe_id}/events")).json()["items"]
    assert not any("fog" in event["kind"] for event in events)


async def test_each_for_themselves(table: Table, stranger: Person, app: FastAPI) -> None:
    """From party to each all know the same, then each more; back, they know it together."""
    other = await somebody(app)
    await join(other, table.owner, table.universe_id)
    await table.token(x=0, y=0, sight={"range": 1}, grants={stranger.id: ["act"]})
    await table.token(x=11, y=4, sight={"range": 1}, grants={other.id: ["sight"]})
    path = f"/maps/{table.map_id}/fog"

    async def rows(person: Person) -> list[str]:
        return list((await get(person, path)).json()["rows"])

    party = ["220000000000", "220000000000", "000000000000", "000000000022", "000000000022"]
    assert await rows(stranger) == await rows(other) == party
    await table.patch(fog_sharing="each")
    assert await rows(stranger) == [*party[:3], "000000000011", "000000000011"]
    assert await rows(other) == ["110000000000", "110000000000", *party[2:]]
    await table.owner.client.post(
        f"{path}/reveal", json={"x": 5, "y": 0, "width": 1, "height": 1, "for": [other.id]}
    )
    assert (await rows(stranger))[0] == "220000000000"
    assert (await rows(other))[0] == "110001000000"
    await table.patch(fog_sharing="party")
    assert (await rows(stranger))[0] == (await rows(other))[0] == "220001000000"
    # A resize moves what they know along.
    await table.edit({"op": "resize", "width": 14, "height": 5, "anchor": "top_right"})
    assert (await rows(other))[0][7:] == "1000000"
    await other.client.aclose()


async def test_out_of_sight_of_strangers(table: Table, app: FastAPI) -> None:
    async with new_client(app) as client:
        for part in ("fog", "background"):
            assert (await client.get(f"/maps/{table.map_id}/{part}")).status_code == 401


async def test_work_out_of_sight_leaves_no_trace(table: Table, stranger: Person) -> None:
    """Also where they have been: each response is the same as before, to the byte, ETags included."""
    await table.patch(grid_data={**ROOM, **BEYOND})
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    goblin = await table.token(x=8, y=1)
    owner, path = table.owner.client, f"/maps/{table.map_id}"
    await owner.post(f"{path}/fog/reveal", json={"x": 8, "y": 0, "width": 3, "height": 5})
    asked = [path, f"/universes/{table.universe_id}/events", "/maps"]
    asked += [f"{path}/{part}" for part in ("fog", "tokens", "region?x=0&y=0&width=12&height=5", "image.svg")]
    asked.append(f"{path}/sight?from=9,2")

    async def answers() -> list[tuple[str, str | None]]:
        found = [await get(stranger, one) for one in asked]
        return [(re.sub(r'"(next_)?cursor":"[^"]*"', "", one.text), one.headers.get("etag")) for one in found]

    before = await answers()
    await table.edit({"op": "set", "layer": "ground", "cells": [{"x": 9, "y": 1, "symbol": "#"}]})
    await table.edit({"op": "move_entity", "id": "far", "x": 8, "y": 4})
    await table.edit({"op": "put_wall", "wall": {"id": "w", "x1": 8, "y1": 1, "x2": 10, "y2": 1}})
    await table.edit({"op": "put_light", "light": {"id": "l", "x": 8.5, "y": 3.5, "range": 2}})
    await table.edit({"op": "remove_light", "id": "lamp"})
    assert (await owner.patch(f"/tokens/{goblin.id}", json={"x": 9, "y": 3})).is_success
    assert (await owner.post(f"{path}/tokens", json={"name": "Ogre", "x": 10, "y": 2})).is_success
    assert (await owner.post(f"{path}/undo")).is_success
    for old, new in zip(before, await answers(), strict=True):
        assert new[0] == old[0]
        assert new == old
