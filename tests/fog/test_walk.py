"""A door, a goblin and a trap, as two players and a game master see them."""

from typing import Any

from fastapi import FastAPI

from tests.conftest import Person, somebody
from tests.fog.conftest import SIGHT
from tests.members.test_router import join

CELLAR = {
    "width": 7,
    "height": 5,
    "legend": [
        {"symbol": "#", "name": "rock", "blocks_movement": True, "blocks_sight": True},
        {"symbol": ".", "name": "floor"},
        {"symbol": "^", "name": "spikes"},
    ],
    "layers": [{"name": "ground", "rows": ["...#...", "...#...", ".......", "...#...", "...#..."]}],
    "doors": [{"id": "door", "x1": 3, "y1": 2, "x2": 3, "y2": 3, "state": "closed"}],
}


async def test_two_players_and_a_game_master(app: FastAPI, owner: Person, stranger: Person) -> None:
    other = await somebody(app)
    universe = (await owner.universe())["id"]
    for person in (stranger, other):
        await join(person, owner, universe)
    settings: dict[str, Any] = {"visibility": "members", "fog": "explored", "fog_sharing": "each"}
    path = f"/maps/{(await owner.map(universe, grid_data=CELLAR, **settings))['id']}"

    async def ask(person: Person, method: str, where: str, body: Any = None, status: int = 200) -> Any:
        answer = await person.client.request(method, where, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def token(**fields: Any) -> str:
        return str((await ask(owner, "POST", f"{path}/tokens", fields, 201))["id"])

    async def names(person: Person) -> set[str]:
        return {one["name"] for one in (await ask(person, "GET", f"{path}/tokens"))["items"]}

    async def grid(person: Person) -> Any:
        return (await ask(person, "GET", path))["grid_data"]

    async def events(person: Person) -> list[str]:
        items = (await ask(person, "GET", f"/universes/{universe}/events"))["items"]
        return [one["kind"] for one in items]

    front = await token(name="Front", x=2, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    aside = await token(name="Aside", x=2, y=0, sight=SIGHT, grants={other.id: ["act"]})
    await token(name="Goblin", x=6, y=2)
    before = await events(stranger)
    for person in (stranger, other):
        assert await names(person) == {"Front", "Aside"}
        assert (await grid(person))["layers"][0]["rows"][2] == "...    "

    # The door opens: the goblin appears to the player on the right, and not to the other.
    await ask(stranger, "POST", f"{path}/doors/door", {"state": "open"})
    assert await names(stranger) == {"Front", "Aside", "Goblin"}
    assert await names(other) == {"Front", "Aside"}
    assert (await grid(stranger))["layers"][0]["rows"][2] == "......."
    assert (await grid(other))["layers"][0]["rows"][2] == "...    "

    # They walk back: it is not shown any more, but the room is.
    moved = await ask(stranger, "POST", f"/tokens/{front}/move", {"x": 0, "y": 0})
    assert (moved["x"], moved["y"], moved["stopped"]) == (0, 0, None)
    assert "Goblin" not in await names(stranger)
    back = await grid(stranger)
    assert back["layers"][0]["rows"][2] == "......."
    assert back["fog"]["rows"][2][5:] == "11"

    # A trap is built in it, which is not seen until they look again.
    spikes = [{"x": x, "y": 2, "symbol": "^"} for x in (4, 5)]
    trap = {"id": "trap", "kind": "trap", "x": 5, "y": 2}
    edits = [{"op": "set", "layer": "ground", "cells": spikes}, {"op": "put_entity", "entity": trap}]
    await ask(owner, "POST", f"{path}/edits", {"edits": edits})
    assert await grid(stranger) == back
    assert "trap" not in str(await grid(other))
    await ask(stranger, "POST", f"/tokens/{front}/move", {"path": [{"x": 1, "y": 1}, {"x": 2, "y": 2}]})
    again = await grid(stranger)
    assert again["layers"][0]["rows"][2] == "....^^."
    assert [one["id"] for one in again["entities"]] == ["trap"]
    assert "trap" not in str(await grid(other))

    # What was seen on the way was seen: out of the room and back in one move.
    await ask(owner, "POST", f"{path}/fog/hide", {"all": True})
    await ask(
        other,
        "POST",
        f"/tokens/{aside}/move",
        {"path": [{"x": x, "y": y} for x, y in ((2, 1), (1, 2), (1, 1), (2, 0))]},
    )
    assert (await grid(other))["fog"]["rows"][2][4:] == "111"
    # Nothing of all this was an event to them.
    assert await events(stranger) == before
    await other.client.aclose()
