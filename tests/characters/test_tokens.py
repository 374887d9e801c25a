"""What tokens take from their character: name, picture, bars, sight; and that their damage is the character's."""

from typing import Any

import pytest

from game.characters.token_defaults import bars, sight
from tests.characters.test_router import create
from tests.conftest import Person
from tests.members.test_router import join
from tests.notes.test_router import fogged_map
from tests.test_matrix import _png as png

SHEET = {"hit_points": {"current": 10, "maximum": 12, "temporary": 3}, "senses": {"darkvision": 60}}


@pytest.fixture
async def universe_id(owner: Person, stranger: Person) -> str:
    """A universe in which the stranger is a player."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    return str(universe["id"])


async def put(owner: Person, map_id: str, **fields: Any) -> dict[str, Any]:
    answer = await owner.client.post(f"/maps/{map_id}/tokens", json={"x": 0, "y": 0, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


class TestRules:
    def test_bars(self) -> None:
        assert bars(None) == []
        assert bars(SHEET["hit_points"]) == [{"name": "hit points", "value": 10, "max": 12, "public": False}]

    def test_sight(self) -> None:
        assert sight(None, 5) is None
        assert sight({}, None) == {"range": 128, "darkvision": 0}
        assert sight({"darkvision": 60}, 5) == {"range": 128, "darkvision": 12}
        assert sight({"darkvision": 60}, 0) == {"range": 128, "darkvision": 12}
        assert sight({"darkvision": 60}, 10) == {"range": 128, "darkvision": 6}


async def test_name_picture_and_bars(owner: Person, stranger: Person, universe_id: str) -> None:
    file = {"file": ("dot.png", png(), "image/png")}
    asset = (await owner.client.post(f"/universes/{universe_id}/assets", files=file)).json()
    character = await create(owner, universe_id, sheet=SHEET, asset_id=asset["id"])
    made = await owner.map(universe_id, grid_data={"width": 4, "height": 4}, visibility="members")
    token = await put(owner, made["id"], character_id=character["id"])
    path = f"/tokens/{token['id']}"
    assert (token["name"], token["asset_id"]) == ("Ashe", asset["id"])
    assert token["bars"] == bars(SHEET["hit_points"])
    own = [{"name": "shield", "value": 1, "max": 1, "public": True}]
    other = await put(owner, made["id"], character_id=character["id"], name="Shade", bars=own)
    assert (other["name"], other["bars"]) == ("Shade", own)
    # Players see its picture with the token; its numbers with the right to the sheet.
    shown = (await stranger.client.get(path)).json()
    assert (shown["asset_id"], shown["bars"]) == (asset["id"], [])
    assert (await stranger.client.get(asset["url"])).status_code == 200
    grants = {"grants": {"members": ["sheet"]}, "name": "Ashe the Grey"}
    assert (await owner.client.patch(f"/characters/{character['id']}", json=grants)).status_code == 200
    shown = (await stranger.client.get(path)).json()
    assert (shown["name"], shown["bars"]) == ("Ashe the Grey", bars(SHEET["hit_points"]))
    assert (await owner.client.get(f"/tokens/{other['id']}")).json()["name"] == "Shade"
    refused = await owner.client.post(f"/maps/{made['id']}/tokens", json={"x": 0, "y": 0})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "name")


async def test_damage_to_a_token_is_its_characters(owner: Person, stranger: Person, universe_id: str) -> None:
    character = await create(owner, universe_id, sheet=SHEET, grants={stranger.id: ["act"]})
    made = await owner.map(universe_id, grid_data={"width": 4, "height": 4}, visibility="members")
    token = await put(owner, made["id"], character_id=character["id"])
    answer = await stranger.client.post(f"/tokens/{token['id']}/damage", json={"amount": 5})
    assert answer.status_code == 200, answer.text
    assert [bar["value"] for bar in answer.json()["bars"]] == [8]
    sheet = (await owner.client.get(f"/characters/{character['id']}")).json()["sheet"]
    assert sheet["hit_points"] == {"current": 8, "maximum": 12, "temporary": 0}
    # And the other way round.
    await owner.client.post(f"/characters/{character['id']}/heal", json={"amount": 1})
    assert (await stranger.client.get(f"/tokens/{token['id']}")).json()["bars"][0]["value"] == 9
    answer = await stranger.client.post(f"/tokens/{token['id']}/heal", json={"amount": 1, "bar": "mana"})
    assert (answer.status_code, answer.json()["code"]) == (409, "NO_BAR")


async def test_its_eyes(owner: Person, stranger: Person, universe_id: str) -> None:
    """A token sees on a map with fog as the senses of its character say."""
    made = await fogged_map(owner, universe_id)
    character = await create(owner, universe_id, sheet=SHEET, grants={stranger.id: ["sight"]})
    await put(owner, made["id"], character_id=character["id"])
    seen = (await stranger.client.get(f"/maps/{made['id']}/fog")).json()
    assert seen["rows"] == ["2222000"]
    blind = {"sheet": {"senses": None}}
    assert (await owner.client.patch(f"/characters/{character['id']}", json=blind)).status_code == 200
    seen = (await stranger.client.get(f"/maps/{made['id']}/fog")).json()
    assert seen["rows"][0][3] != "2"
