"""Tokens: who may create, see and change them, and who gets the events."""

import asyncio
from typing import Any

import pytest

from game.tokens.models import MAX_TOKENS, TokenRead
from tests.conftest import Person
from tests.members.test_router import join

GRID = {"width": 6, "height": 4, "grid_type": "square", "layers": [{"name": "ground", "rows": ["      "] * 4}]}
BARS = [
    {"name": "hit points", "value": 5, "max": 9, "public": False},
    {"name": "shield", "value": 1, "max": 3, "public": True},
]
NOBODY = "01a1fbbf-0000-7000-8000-000000000000"


async def put(person: Person, map_id: str, **fields: Any) -> dict[str, Any]:
    answer = await person.client.post(f"/maps/{map_id}/tokens", json={"name": "Ashe", "x": 1, "y": 1, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/tokens/{answer.json()['id']}"
    TokenRead.model_validate(answer.json())
    return dict(answer.json())


async def patch(person: Person, token_id: str, **fields: Any) -> dict[str, Any]:
    answer = await person.client.patch(f"/tokens/{token_id}", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def listed(person: Person, map_id: str) -> list[dict[str, Any]]:
    answer = await person.client.get(f"/maps/{map_id}/tokens")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def events_of(person: Person, universe_id: str) -> list[tuple[str, Any]]:
    items = (await person.client.get(f"/universes/{universe_id}/events")).json()["items"]
    return [(one["kind"], one["payload"]) for one in items if one["kind"].startswith("token.")]


@pytest.fixture
async def table(owner: Person, stranger: Person) -> dict[str, Any]:
    """A published map in a universe in which the stranger is a player."""
    made = await owner.map(grid_data=GRID, visibility="members")
    await join(stranger, owner, made["universe_id"])
    return made


class TestRead:
    async def test_all_fields(self, owner: Person, table: dict[str, Any]) -> None:
        sight, light = {"range": 12, "darkvision": 0.5}, {"bright": 2, "dim": 4, "color": "#ffcc00"}
        fields = {"size": 2, "rotation": 90.5, "elevation": -10, "color": "#123456", "disposition": "hostile"}
        fields |= {"hidden": True, "sight": sight, "light": light, "conditions": ["prone"], "bars": BARS}
        fields |= {"grants": {"members": ["see"]}, "properties": {"a": [1, True]}, "gm": {"plan": 1}}
        made = await put(owner, table["id"], **fields)
        assert {name: made[name] for name in fields} == fields
        assert (made["x"], made["y"], made["version"], made["map_id"]) == (1, 1, 1, table["id"])
        assert (await owner.client.get(f"/tokens/{made['id']}")).json() == made
        assert await listed(owner, table["id"]) == [made]

    async def test_by_grants(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        made = await put(
            owner, table["id"], hidden=True, bars=BARS, gm=1, sight={"range": 3}, grants={owner.id: ["see"]}
        )
        path = f"/tokens/{made['id']}"
        unknown = await stranger.client.get(f"/tokens/{NOBODY}")
        for right, sees, sheet in (
            (None, False, False),
            ("sheet", False, False),
            ("sight", False, False),
            ("see", True, False),
            ("act", True, True),
        ):
            await patch(owner, made["id"], grants={stranger.id: [right]} if right else {})
            answer = await stranger.client.get(path)
            assert await listed(stranger, table["id"]) == ([answer.json()] if sees else [])
            if not sees:
                assert (answer.status_code, answer.json()["code"]) == (404, unknown.json()["code"])
                continue
            assert not answer.json().keys() & {"gm", "version", "updated_at"}
            assert answer.json()["grants"] == {stranger.id: [right]}
            assert answer.json()["bars"] == (BARS if sheet else BARS[1:])
            assert ({"sight", "properties", "character_id"} <= answer.json().keys()) == sheet

    async def test_characters_grants_hold_too(
        self, owner: Person, stranger: Person, table: dict[str, Any]
    ) -> None:
        path = f"/universes/{table['universe_id']}/characters"
        character = (await stranger.client.post(path, json={"name": "Ashe"})).json()
        made = await put(owner, table["id"], hidden=True, character_id=character["id"])
        mine = (await stranger.client.get(f"/tokens/{made['id']}")).json()
        assert (mine["character_id"], mine["grants"]) == (character["id"], {})
        assert (await patch(stranger, made["id"], conditions=["prone"]))["conditions"] == ["prone"]
        assert (await owner.client.delete(f"/characters/{character['id']}")).status_code == 204
        now = (await owner.client.get(f"/tokens/{made['id']}")).json()
        assert (now["character_id"], now["version"]) == (None, 3)
        assert (await stranger.client.get(f"/tokens/{made['id']}")).status_code == 404

    async def test_a_map_for_game_masters(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        made = await put(owner, table["id"], grants={"members": ["act"]})
        before = await events_of(stranger, table["universe_id"])
        assert len(before) == 1
        await owner.client.patch(f"/maps/{table['id']}", json={"visibility": "game_masters"})
        assert (await stranger.client.get(f"/tokens/{made['id']}")).status_code == 404
        assert (await stranger.client.get(f"/maps/{table['id']}/tokens")).status_code == 404
        assert await events_of(stranger, table["universe_id"]) == []

    async def test_etags(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        """A player's changes with what they see, and with nothing else."""
        made = await put(owner, table["id"], bars=BARS, grants={stranger.id: ["see"]})
        path = f"/tokens/{made['id']}"
        etag = (await stranger.client.get(path)).headers["etag"]
        await patch(owner, made["id"], gm=3, sight={"range": 3})
        same = await stranger.client.get(path, headers={"if-none-match": etag})
        assert (same.status_code, same.headers["etag"]) == (304, etag)
        await patch(owner, made["id"], x=2)
        assert (await stranger.client.get(path)).headers["etag"] != etag
        stale = await owner.client.patch(path, json={"x": 3}, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["current_version"]) == (412, 3)
        assert (await owner.client.delete(path, headers={"if-match": '"3"'})).status_code == 204
        assert (await stranger.client.get(path)).status_code == 404


class TestChange:
    async def test_the_fields_that_act_allows_to_change(
        self, owner: Person, stranger: Person, table: dict[str, Any]
    ) -> None:
        made = await put(owner, table["id"], bars=BARS)
        path = f"/tokens/{made['id']}"
        assert (await stranger.client.patch(path, json={"name": "Mine"})).status_code == 403
        await patch(owner, made["id"], grants={stranger.id: ["act"]})
        own = {"name": "Mine", "color": "#abc", "rotation": 45, "elevation": 10, "conditions": [], "bars": BARS}
        changed = await patch(stranger, made["id"], **own)
        assert {name: changed[name] for name in own} == own
        for fields in (
            {"x": 2},
            {"hidden": True},
            {"grants": {}},
            {"gm": 1},
            {"size": 2},
            {"name": "x", "light": None},
        ):
            assert (await stranger.client.patch(path, json=fields)).status_code == 403
        assert (await stranger.client.delete(path)).status_code == 403
        assert (await stranger.client.post(f"/maps/{table['id']}/tokens", json={})).status_code in (403, 422)

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"name": " "}, "name"),
            ({"x": 6}, "x"),
            ({"x": 5, "size": 2}, "x"),
            ({"x": 0.5}, "x"),
            ({"x": -1}, "x"),
            ({"x": True}, "x"),
            ({"y": "1"}, "y"),
            ({"size": 0}, "size"),
            ({"size": 5}, "size"),
            ({"rotation": 1e308}, "rotation"),
            ({"elevation": 1e9}, "elevation"),
            ({"color": "red"}, "color"),
            ({"disposition": "sad"}, "disposition"),
            ({"sight": {"range": 1e9}}, "sight.range"),
            ({"sight": {"darkvision": 3}}, "sight.range"),
            ({"light": {"bright": -1}}, "light.bright"),
            ({"conditions": [""]}, "conditions[0]"),
            ({"conditions": ["x"] * 51}, "conditions"),
            ({"bars": [{"name": "a", "value": 2, "max": 1}]}, "bars[0]"),
            ({"bars": [{"name": "a", "value": 0, "max": 1}] * 2}, "bars"),
            ({"bars": [{"name": f"{n}", "value": 0, "max": 1} for n in range(21)]}, "bars"),
            ({"grants": {NOBODY: ["see"]}}, "grants."),
            ({"asset_id": NOBODY}, "asset_id"),
            ({"character_id": NOBODY}, "character_id"),
            ({"properties": {"a": ["x" * 65_000] * 2}}, "properties"),
            ({"version": 3}, "version"),
            ({"map_id": NOBODY}, "map_id"),
        ],
    )
    async def test_bad_input(self, owner: Person, table: dict[str, Any], fields: Any, place: str) -> None:
        body = {"name": "Ashe", "x": 1, "y": 1, **fields}
        answer = await owner.client.post(f"/maps/{table['id']}/tokens", json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"].startswith(place)

    async def test_without_a_grid(self, owner: Person) -> None:
        made = await owner.map(grid_data={"width": 3, "height": 3, "grid_type": "none"})
        assert (await put(owner, made["id"], x=1.25, y=2.5, size=0.5))["x"] == 1.25
        answer = await owner.client.post(f"/maps/{made['id']}/tokens", json={"name": "A", "x": 2.25, "y": 0})
        assert answer.status_code == 422

    async def test_a_map_has_a_maximum_number_of_tokens(
        self, owner: Person, table: dict[str, Any], database: Any
    ) -> None:
        made = await put(owner, table["id"])
        names = """
            universe_id, map_id, name, x, y, size, rotation, elevation, disposition, hidden, conditions, bars,
            grants, properties
        """
        await database.execute(
            f"INSERT INTO token (id, {names}) "
            f"SELECT gen_random_uuid(), {names} FROM token, generate_series(2, $2) WHERE id = $1",
            made["id"],
            MAX_TOKENS,
        )
        answer = await owner.client.post(f"/maps/{table['id']}/tokens", json={"name": "A", "x": 1, "y": 1})
        assert (answer.status_code, answer.json()["code"]) == (409, "TOO_MANY_TOKENS")
        assert len(await listed(owner, table["id"])) == MAX_TOKENS


class TestPoints:
    async def test_two_at_once_both_count(self, owner: Person, table: dict[str, Any]) -> None:
        made = await put(owner, table["id"], bars=[{"name": "hp", "value": 100, "max": 100}])
        path = f"/tokens/{made['id']}/damage"
        answers = await asyncio.gather(*(owner.client.post(path, json={"amount": 7}) for _ in range(8)))
        assert sorted(one.json()["bars"][0]["value"] for one in answers) == [100 - 7 * n for n in range(8, 0, -1)]

    async def test_bounds_and_bars(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        made = await put(owner, table["id"], bars=BARS)
        path = f"/tokens/{made['id']}"
        assert (await stranger.client.post(f"{path}/damage", json={"amount": 1})).status_code == 403
        damaged = await owner.client.post(f"{path}/damage", json={"amount": 50})
        assert damaged.json()["bars"][0]["value"] == 0
        healed = await owner.client.post(f"{path}/heal", json={"amount": 50, "bar": "shield"})
        assert [bar["value"] for bar in healed.json()["bars"]] == [0, 3]
        missing = await owner.client.post(f"{path}/heal", json={"amount": 1, "bar": "mana"})
        assert (missing.status_code, missing.json()["code"]) == (409, "NO_BAR")
        assert (await owner.client.post(f"{path}/heal", json={"amount": -1})).status_code == 422
        # Others get the event of the bar that they see.
        [_, event] = await events_of(stranger, table["universe_id"])
        assert event[0] == "token.healed"
        assert event[1] == {
            "map_id": table["id"],
            "bars": [{**BARS[1], "value": 3}],
            "bar": "shield",
            "amount": 50,
        }


class TestEvents:
    async def test_of_a_token(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        made = await put(owner, table["id"], name="Goblin", bars=BARS, gm="plan", sight={"range": 3})
        await patch(owner, made["id"], gm="other", name="Gob")
        await patch(owner, made["id"], gm="third")
        await patch(owner, made["id"], grants={stranger.id: ["sheet"]})
        await patch(owner, made["id"], properties={"a": 1})
        assert (await owner.client.delete(f"/tokens/{made['id']}")).status_code == 204
        here = {"map_id": table["id"]}
        first, *others = await events_of(stranger, table["universe_id"])
        assert first[1]["bars"] == BARS[1:]
        assert not first[1].keys() & {"gm", "sight", "grants", "hidden", "version"}
        assert others == [
            ("token.updated", {**here, "name": "Gob"}),
            ("token.updated", here),
            ("token.updated", {**here, "properties": {"a": 1}}),
            ("token.deleted", {**here, "name": "Gob"}),
        ]
        assert len(await events_of(owner, table["universe_id"])) == 6

    async def test_of_a_hidden_one(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        made = await put(owner, table["id"], name="Spy", hidden=True)
        await patch(owner, made["id"], name="Assassin")
        await patch(owner, made["id"], hidden=False, color="#000")
        await patch(owner, made["id"], hidden=True)
        await patch(owner, made["id"], grants={stranger.id: ["see"]})
        assert await events_of(stranger, table["universe_id"]) == []
        await patch(owner, made["id"], color="#111")
        assert await events_of(stranger, table["universe_id"]) == [
            ("token.updated", {"map_id": table["id"], "color": "#111"})
        ]

    async def test_a_member_who_is_removed(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        made = await put(owner, table["id"], grants={stranger.id: ["act"], "members": ["see"]})
        path = f"/universes/{table['universe_id']}/members/{stranger.id}"
        assert (await owner.client.delete(path)).status_code == 204
        now = (await owner.client.get(f"/tokens/{made['id']}")).json()
        assert (now["grants"], now["version"]) == ({"members": ["see"]}, 2)
        assert (await stranger.client.get(f"/tokens/{made['id']}")).status_code == 404


class TestResize:
    async def test_tokens_go_along(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        near, far = await put(owner, table["id"], x=0, y=0), await put(owner, table["id"], x=4, y=2, size=2)
        spy = await put(owner, table["id"], x=5, y=3, hidden=True)
        path = f"/maps/{table['id']}"

        async def places() -> list[tuple[int, int]]:
            return [(one["x"], one["y"]) for one in await listed(owner, table["id"])]

        async def last(person: Person) -> Any:
            items = (await person.client.get(f"/universes/{table['universe_id']}/events")).json()["items"]
            return items[-1]["payload"].get("tokens")

        edit = {"op": "resize", "width": 5, "height": 3, "anchor": "bottom_right"}
        assert (await owner.client.post(f"{path}/edits", json={"edits": [edit]})).status_code == 200
        assert await places() == [(0, 0), (3, 1), (4, 2)]
        moved = [{"id": far["id"], "x": 3, "y": 1}, {"id": spy["id"], "x": 4, "y": 2}]
        assert (await last(owner), await last(stranger)) == (moved, moved[:1])
        assert (await owner.client.post(f"{path}/undo")).status_code == 200
        assert await places() == [(1, 1), (4, 2), (5, 3)]
        small = {**GRID, "width": 2, "height": 2, "layers": []}
        assert (await owner.client.patch(path, json={"grid_data": small})).status_code == 200
        assert await places() == [(1, 1), (0, 0), (1, 1)]
        assert len(await last(stranger)) == 1
        assert near["id"] not in str(await last(owner))
        assert (await owner.client.post(f"{path}/restore", json={"seq": 2})).status_code == 200


class TestMove:
    async def test_to_another_universe(self, owner: Person, stranger: Person, table: dict[str, Any]) -> None:
        other = await owner.universe()
        character = (
            await owner.client.post(f"/universes/{table['universe_id']}/characters", json={"name": "A"})
        ).json()
        grants = {stranger.id: ["act"], owner.id: ["see"], "members": ["see"]}
        made = await put(owner, table["id"], grants=grants, character_id=character["id"], gm="kept")
        answer = await owner.client.patch(f"/maps/{table['id']}", json={"universe_id": other["id"]})
        assert answer.status_code == 200, answer.text
        now = (await owner.client.get(f"/tokens/{made['id']}")).json()
        assert now["grants"] == {owner.id: ["see"], "members": ["see"]}
        assert (now["universe_id"], now["character_id"], now["gm"]) == (other["id"], None, "kept")
        assert (await stranger.client.get(f"/tokens/{made['id']}")).status_code == 404


class TestPictures:
    async def test_show_the_tokens_that_one_sees(
        self, owner: Person, stranger: Person, table: dict[str, Any]
    ) -> None:
        for name, fields in (("Ashe", {}), ("Ogre", {"x": 3, "size": 2, "disposition": "hostile"})):
            await put(owner, table["id"], name=name, **fields)
        spy = await put(owner, table["id"], name="Spy", x=0, y=3, hidden=True)
        path = f"/maps/{table['id']}/image"
        assert [name in (await owner.client.get(f"{path}.svg")).text for name in ("Ashe", "Ogre", "Spy")] == [
            True
        ] * 3
        drawn = (await stranger.client.get(f"{path}.svg")).text
        assert [name in drawn for name in ("Ashe", "Ogre", "Spy")] == [True, True, False]
        first = await owner.client.get(f"{path}.png")
        assert (
            await owner.client.get(f"{path}.png", headers={"if-none-match": first.headers["etag"]})
        ).status_code == 304
        await patch(owner, spy["id"], x=1)
        assert (await owner.client.get(f"{path}.png")).headers["etag"] != first.headers["etag"]
