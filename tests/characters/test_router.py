"""Characters: who creates, sees and changes what of them, and damage and healing."""

import asyncio
from typing import Any

import httpx2
import pytest

from game.characters.sheets import MAX_BYTES
from tests.conftest import Person
from tests.members.test_router import join
from tests.test_matrix import _png as png

SHEET = {"hit_points": {"current": 10, "maximum": 12, "temporary": 3}, "notes": {"deep": [1, True]}}


async def create(person: Person, universe_id: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "Ashe", "sheet": SHEET, **fields}
    answer = await person.client.post(f"/universes/{universe_id}/characters", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/characters/{answer.json()['id']}"
    return dict(answer.json())


async def events_of(person: Person, universe_id: str) -> list[tuple[str, Any]]:
    items = (await person.client.get(f"/universes/{universe_id}/events")).json()["items"]
    return [(one["kind"], one["payload"]) for one in items if one["kind"].startswith("character.")]


@pytest.fixture
async def universe_id(owner: Person, stranger: Person) -> str:
    """A universe in which the stranger is a player."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    return str(universe["id"])


class TestCreate:
    async def test_a_player_may_act_for_their_own(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await create(stranger, universe_id)
        assert made["grants"] == {stranger.id: ["act"]}
        assert (made["kind"], made["sheet"]) == ("player", SHEET)
        assert not made.keys() & {"version", "updated_at", "gm"}
        seen = (await owner.client.get(f"/characters/{made['id']}")).json()
        assert (seen["version"], seen["gm"]) == (1, None)
        assert await events_of(stranger, universe_id) == [
            (
                "character.created",
                {"name": "Ashe", "kind": "player", "asset_id": None, "sheet": {"put": SHEET, "removed": []}},
            )
        ]

    @pytest.mark.parametrize("field", [{"kind": "nonplayer"}, {"grants": {}}, {"gm": 1}])
    async def test_what_is_for_game_masters(self, stranger: Person, universe_id: str, field: Any) -> None:
        path = f"/universes/{universe_id}/characters"
        answer = await stranger.client.post(path, json={"name": "Ashe", **field})
        assert answer.status_code == 403, answer.text

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"name": " "}, "name"),
            ({"sheet": {"abilities": {"strength": 0}}}, "sheet.abilities.strength"),
            ({"sheet": {"story": "x" * 65_000, "more": ["x" * 65_000] * 4}}, "sheet"),
            ({"sheet": []}, "sheet"),
            ({"grants": {"x": ["see"]}}, "grants"),
            ({"grants": {"members": ["fly"]}}, "grants.members[0]"),
            ({"grants": {"01a1fbbf-0000-7000-8000-000000000000": ["see"]}}, "grants.01a1fbbf-"),
            ({"asset_id": "01a1fbbf-0000-7000-8000-000000000000"}, "asset_id"),
            ({"gm": "x" * 65_535}, "gm"),
            ({"version": 3}, "version"),
        ],
    )
    async def test_bad_input(self, owner: Person, universe_id: str, fields: Any, place: str) -> None:
        path = f"/universes/{universe_id}/characters"
        answer = await owner.client.post(path, json={"name": "Ashe", **fields})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"].startswith(place)

    async def test_too_deep(self, owner: Person, universe_id: str) -> None:
        text = f'{{"name": "Ashe", "sheet": {{"a": {"[" * 31}1{"]" * 31}}}}}'
        headers = {"content-type": "application/json"}
        path = f"/universes/{universe_id}/characters"
        answer = await owner.client.post(path, content=text, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_deep")

    async def test_a_key_repeats_the_answer(self, owner: Person, universe_id: str) -> None:
        headers = {"idempotency-key": "once"}
        path = f"/universes/{universe_id}/characters"
        answers = [await owner.client.post(path, json={"name": "Ashe"}, headers=headers) for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert len((await owner.client.get(path)).json()["items"]) == 1


class TestRead:
    async def test_by_rights(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await create(owner, universe_id, gm={"plan": "betrayal"})
        path, listed = f"/characters/{made['id']}", f"/universes/{universe_id}/characters"
        unknown = await stranger.client.get("/characters/01a1fbbf-0000-7000-8000-000000000000")
        answer = await stranger.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, unknown.json()["code"])
        assert (await stranger.client.get(listed)).json()["items"] == []
        common = {"id", "universe_id", "name", "kind", "asset_id", "grants", "created_at"}
        for right, keys in (("see", common), ("sheet", None), ("act", {*common, "sheet"})):
            grants = {"members": [right], owner.id: ["see"]}
            assert (await owner.client.patch(path, json={"grants": grants})).status_code == 200
            answer = await stranger.client.get(path)
            if keys is None:
                # The rights are independent: a sheet of what one does not know to exist cannot be read.
                assert answer.status_code == 404
                continue
            assert answer.json().keys() == keys
            assert answer.json()["grants"] == {"members": [right]}
            assert (await stranger.client.get(listed)).json()["items"] == [answer.json()]

    async def test_etags(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """A player's changes with what they see, and with nothing else."""
        made = await create(owner, universe_id, grants={"members": ["see"]})
        path = f"/characters/{made['id']}"
        etag = (await stranger.client.get(path)).headers["etag"]
        assert (await owner.client.patch(path, json={"sheet": {"level": 2}, "gm": 3})).headers["etag"] == '"2"'
        answer = await stranger.client.get(path, headers={"if-none-match": etag})
        assert (answer.status_code, answer.headers["etag"]) == (304, etag)
        await owner.client.patch(path, json={"name": "Bram"})
        assert (await stranger.client.get(path)).headers["etag"] != etag

    async def test_a_page_of_large_sheets_has_fewer(
        self, owner: Person, stranger: Person, universe_id: str
    ) -> None:
        """The size of a page depends on what its reader may read, so that it reveals nothing about hidden
        sheets."""
        large = {"story": ["x" * 60_000] * 4}
        for number in range(20):
            await create(owner, universe_id, name=f"{number:02}", sheet=large, grants={"members": ["see"]})
        path, names, cursor = f"/universes/{universe_id}/characters?sort=-name", [], ""
        while cursor is not None:
            page = (await owner.client.get(path + (f"&cursor={cursor}" if cursor else ""))).json()
            assert 0 < len(page["items"]) < 20
            names += [one["name"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert names == [f"{number:02}" for number in reversed(range(20))]
        page = (await stranger.client.get(path)).json()
        assert (len(page["items"]), page["next_cursor"]) == (20, None)


class TestChange:
    async def test_the_sheet_by_a_merge_patch(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await create(stranger, universe_id)
        path = f"/characters/{made['id']}"
        patch = {"sheet": {"hit_points": {"temporary": None, "current": 7}, "notes": None, "level": 1}}
        changed = (await stranger.client.patch(path, json=patch)).json()
        expected = {"hit_points": {"current": 7, "maximum": 12}, "level": 1}
        assert changed["sheet"] == expected
        payload = {"sheet": {"put": expected, "removed": ["notes"]}}
        assert (await events_of(stranger, universe_id))[1:] == [("character.updated", payload)]
        assert (await events_of(owner, universe_id))[1:] == [("character.updated", {**payload, "version": 2})]
        # The same again is no change.
        await stranger.client.patch(path, json=patch)
        assert len(await events_of(owner, universe_id)) == 2
        answer = await stranger.client.patch(path, json={"sheet": {"hit_points": {"maximum": 6}}})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "sheet.hit_points"
        parts = [{"sheet": {str(n): ["x" * 60_000] * 2}} for n in range(3)]
        answers = [await stranger.client.patch(path, json=part) for part in parts]
        assert [one.status_code for one in answers] == [200, 200, 422]
        assert len(answers[1].content) < MAX_BYTES + 1_000

    async def test_one_is_not_true(self, owner: Person, universe_id: str) -> None:
        made = await create(owner, universe_id, sheet={"flag": 1})
        answer = await owner.client.patch(f"/characters/{made['id']}", json={"sheet": {"flag": True}})
        assert answer.json()["sheet"]["flag"] is True
        assert (await owner.client.get(f"/characters/{made['id']}")).json()["sheet"]["flag"] is True

    async def test_put(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await create(owner, universe_id, grants={stranger.id: ["act"]}, gm=[1])
        path = f"/characters/{made['id']}"
        answer = await stranger.client.put(path, json={"name": "Bram"})
        assert (answer.json()["sheet"], answer.json()["grants"]) == ({}, {stranger.id: ["act"]})
        assert (await owner.client.get(path)).json()["gm"] == [1]
        replaced = (await owner.client.put(path, json={"name": "Cole", "kind": "nonplayer"})).json()
        assert (replaced["grants"], replaced["gm"], replaced["kind"]) == ({}, None, "nonplayer")

    async def test_who_may(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await create(owner, universe_id, grants={"members": ["see", "sheet", "sight"]})
        path = f"/characters/{made['id']}"
        for method, end, body in (
            ("PATCH", "", {"name": "x"}),
            ("PUT", "", {"name": "x"}),
            ("DELETE", "", None),
            ("POST", "/damage", {"amount": 1}),
            ("POST", "/heal", {"amount": 1}),
        ):
            answer = await stranger.client.request(method, path + end, json=body)
            assert answer.status_code == 403, (method, answer.text)
        await owner.client.patch(path, json={"grants": {"members": ["act"]}})
        assert (await stranger.client.patch(path, json={"grants": {}})).status_code == 403
        assert (await stranger.client.delete(path)).status_code == 403
        assert (await stranger.client.patch(path, json={"name": "x"})).status_code == 200

    async def test_if_match(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await create(stranger, universe_id)
        path = f"/characters/{made['id']}"
        etag = (await stranger.client.get(path)).headers["etag"]
        patch = {"json": {"name": "Bram"}, "headers": {"if-match": etag}}
        assert (await stranger.client.patch(path, **patch)).status_code == 200
        stale = await stranger.client.patch(path, **patch)
        assert stale.status_code == 412
        assert "current_version" not in stale.json()
        stale = await owner.client.patch(path, json={"name": "Cole"}, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["current_version"]) == (412, 2)

    async def test_recipients_of_events(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """Those who see a difference, of what they may read."""
        made = await create(owner, universe_id)
        path = f"/characters/{made['id']}"
        for body in (
            {"sheet": {"level": 3}},
            {"grants": {stranger.id: ["see"]}},
            {"sheet": {"level": 4}},
            {"gm": "secret"},
            {"name": "Bram", "sheet": {"level": 5}},
            {"grants": {owner.id: ["act"], stranger.id: ["see"]}},
            {"grants": {}, "name": "Cole"},
            {"name": "Dara"},
        ):
            assert (await owner.client.patch(path, json=body)).status_code == 200
        expected: list[Any] = [{}, {"name": "Bram"}, {}]
        assert [payload for _, payload in await events_of(stranger, universe_id)] == expected
        await owner.client.patch(path, json={"grants": {"members": ["see"]}})
        assert (await owner.client.delete(path)).status_code == 204
        assert (await events_of(stranger, universe_id))[3:] == [
            ("character.updated", {}),
            ("character.deleted", {}),
        ]
        assert (await owner.client.get(path)).status_code == 404


class TestPoints:
    async def test_damage_and_healing(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await create(stranger, universe_id)
        path = f"/characters/{made['id']}"
        answer = await stranger.client.post(f"{path}/damage", json={"amount": 5})
        assert answer.json()["sheet"]["hit_points"] == {"current": 8, "maximum": 12, "temporary": 0}
        points = {"current": 12, "maximum": 12, "temporary": 0}
        answer = await owner.client.post(f"{path}/heal", json={"amount": 100})
        assert answer.json()["sheet"]["hit_points"] == points
        payload = {"amount": 100, "sheet": {"put": {"hit_points": points}, "removed": []}}
        assert (await events_of(stranger, universe_id))[-1] == ("character.healed", payload)

    async def test_many_at_once_all_count(self, owner: Person, universe_id: str) -> None:
        points = {"current": 50, "maximum": 60, "temporary": 10}
        made = await create(owner, universe_id, sheet={"hit_points": points})
        path = f"/characters/{made['id']}"
        blows = [owner.client.post(f"{path}/damage", json={"amount": 5}) for _ in range(6)]
        answers: list[httpx2.Response] = await asyncio.gather(*blows)
        assert [one.status_code for one in answers] == [200] * 6
        left = (await owner.client.get(path)).json()["sheet"]["hit_points"]
        assert left == {"current": 30, "maximum": 60, "temporary": 0}

    async def test_without_hit_points(self, owner: Person, universe_id: str) -> None:
        made = await create(owner, universe_id, sheet={})
        answer = await owner.client.post(f"/characters/{made['id']}/damage", json={"amount": 5})
        assert (answer.status_code, answer.json()["code"]) == (409, "NO_HIT_POINTS")
        for amount in (-1, 1.5, "1", True, 10**9, None):
            answer = await owner.client.post(f"/characters/{made['id']}/damage", json={"amount": amount})
            assert answer.status_code == 422, amount


async def test_pictures(owner: Person, stranger: Person, universe_id: str) -> None:
    """A character shows its picture to those who see it; players give theirs one that they see."""
    file = {"file": ("dot.png", png(), "image/png")}
    asset = (await owner.client.post(f"/universes/{universe_id}/assets", files=file)).json()
    body = {"name": "Ashe", "asset_id": asset["id"]}
    path = f"/universes/{universe_id}/characters"
    assert (await stranger.client.post(path, json=body)).status_code == 422
    made = await create(owner, universe_id, asset_id=asset["id"])
    assert (await stranger.client.get(asset["url"])).status_code == 404
    await owner.client.patch(f"/characters/{made['id']}", json={"grants": {stranger.id: ["see"]}})
    assert (await stranger.client.get(asset["url"])).status_code == 200
    assert (await stranger.client.post(path, json=body)).status_code == 201


async def test_a_removed_member_loses_their_grants(owner: Person, stranger: Person, universe_id: str) -> None:
    made = await create(owner, universe_id, grants={stranger.id: ["act"], owner.id: ["see"]})
    assert (await owner.client.delete(f"/universes/{universe_id}/members/{stranger.id}")).status_code == 204
    await join(stranger, owner, universe_id)
    assert (await stranger.client.get(f"/characters/{made['id']}")).status_code == 404
    left = (await owner.client.get(f"/characters/{made['id']}")).json()
    assert (left["grants"], left["version"]) == ({owner.id: ["see"]}, 2)
