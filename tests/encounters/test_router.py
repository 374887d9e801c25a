"""Encounters: their states and turns, what players see of them, and what is refused."""

import asyncio
from typing import Any

import httpx2
import pytest

from game.encounters.models import MAX_COMBATANTS
from tests.characters.test_router import create as create_character
from tests.conftest import Person
from tests.members.test_router import join
from tests.notes.test_router import eyes, fogged_map

UNKNOWN = "01a1fbbf-0000-7000-8000-000000000000"
PARTY = [
    {"name": "Ashe", "initiative": 18},
    {"name": "Bram", "initiative": 12, "effects": [{"name": "bless", "rounds": 2}]},
    {"name": "Spy", "initiative": 15, "hidden": True, "gm": {"plan": "poison"}},
]


async def prepare(person: Person, universe_id: str, combatants: Any = PARTY, **fields: Any) -> dict[str, Any]:
    body = {"name": "At the well", "combatants": combatants, **fields}
    answer = await person.client.post(f"/universes/{universe_id}/encounters", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/encounters/{answer.json()['id']}"
    return dict(answer.json())


async def step(person: Person, made: dict[str, Any], verb: str, status: int = 200) -> dict[str, Any]:
    answer = await person.client.post(f"/encounters/{made['id']}/{verb}")
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def turn(encounter: dict[str, Any]) -> tuple[int, str | None]:
    names = {one["id"]: one["name"] for one in encounter["combatants"]}
    return encounter["round"], names.get(encounter["turn"])


async def events_of(person: Person, universe_id: str) -> list[tuple[str, Any]]:
    items = (await person.client.get(f"/universes/{universe_id}/events")).json()["items"]
    return [
        (one["kind"].partition(".")[2], one["payload"]) for one in items if one["kind"].startswith("encounter.")
    ]


@pytest.fixture
async def universe_id(owner: Person, stranger: Person) -> str:
    """A universe in which the stranger is a player."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    return str(universe["id"])


class TestTurns:
    async def test_the_whole_way(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await prepare(owner, universe_id)
        assert [one["name"] for one in made["combatants"]] == ["Ashe", "Spy", "Bram"]
        assert (made["state"], made["round"], made["turn"], made["version"]) == ("prepared", 0, None, 1)
        path = f"/encounters/{made['id']}"
        assert (await stranger.client.get(path)).status_code == 404
        assert (await stranger.client.get(f"/universes/{universe_id}/encounters")).json()["items"] == []
        seen, etags = [], []
        for verb in ("start", "next", "next", "next"):
            now = await step(owner, made, verb)
            seen.append(turn(now))
            shown = await stranger.client.get(path)
            etags.append(shown.headers["etag"])
            assert "Spy" not in shown.text
            assert not shown.json().keys() & {"gm", "version", "updated_at"}
        assert seen == [(1, "Ashe"), (1, "Spy"), (1, "Bram"), (2, "Ashe")]
        # Nothing tells of the turn of one who is hidden.
        assert etags[0] == etags[1]
        assert len(set(etags)) == 3
        listed = (await stranger.client.get(f"/universes/{universe_id}/encounters")).json()["items"]
        assert [(one["state"], one["round"]) for one in listed] == [("running", 2)]
        events = await events_of(stranger, universe_id)
        assert [verb for verb, _ in events] == ["started", "advanced", "advanced"]
        ids = {one["name"]: one["id"] for one in made["combatants"]}
        assert events[1][1]["turn"] == ids["Bram"]
        bram = events[1][1]["combatants"][-1]
        assert bram["effects"] == [{"name": "bless", "rounds": 1}]
        assert "gm" not in bram
        assert events[2][1] == {"round": 2, "turn": ids["Ashe"]}
        # Back to the start, effects and all.
        seen = [turn(await step(owner, made, "previous")) for _ in range(3)]
        assert seen == [(1, "Bram"), (1, "Spy"), (1, "Ashe")]
        back = (await owner.client.get(path)).json()
        assert back["combatants"][-1]["effects"] == [{"name": "bless", "rounds": 2}]
        assert (await step(owner, made, "previous", 409))["code"] == "FIRST_TURN"
        assert (await step(owner, made, "end"))["state"] == "ended"
        assert (await step(owner, made, "next", 409))["code"] == "NOT_RUNNING"
        assert (await stranger.client.get(path)).json()["state"] == "ended"
        assert turn(await step(owner, made, "start")) == (1, "Ashe")
        assert (await step(owner, made, "previous", 409))["code"] == "FIRST_TURN"

    async def test_two_next_at_once(self, owner: Person, universe_id: str) -> None:
        """One turn each, and none is skipped."""
        listed = [{"name": str(n), "initiative": 30 - n} for n in range(8)]
        made = await prepare(owner, universe_id, listed)
        await step(owner, made, "start")
        path = f"/encounters/{made['id']}/next"
        answers: list[httpx2.Response] = await asyncio.gather(*[owner.client.post(path) for _ in range(7)])
        assert sorted(turn(one.json()) for one in answers) == [(1, str(n)) for n in range(1, 8)]
        headers = {"idempotency-key": f"next-{made['id']}"}
        for _ in range(2):
            answer = await owner.client.post(path, headers=headers)
            assert turn(answer.json()) == (2, "0")

    async def test_a_delayed_turn(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await prepare(owner, universe_id)
        await step(owner, made, "start")
        listed = (await owner.client.get(f"/encounters/{made['id']}")).json()["combatants"]
        changed = [{**one, "initiative": 11.5} if one["name"] == "Ashe" else one for one in listed]
        answer = await owner.client.patch(f"/encounters/{made['id']}", json={"combatants": changed})
        assert turn(answer.json()) == (1, "Spy")
        assert [one["name"] for one in answer.json()["combatants"]] == ["Spy", "Bram", "Ashe"]
        assert turn((await stranger.client.get(f"/encounters/{made['id']}")).json()) == (1, "Ashe")
        assert [turn(await step(owner, made, "next")) for _ in range(3)] == [(1, "Bram"), (1, "Ashe"), (2, "Spy")]

    async def test_initiative(self, owner: Person, universe_id: str) -> None:
        listed = [{"name": "Slow", "initiative_bonus": -5}, {"name": "Fixed", "initiative": 41}]
        made = await prepare(
            owner, universe_id, [*listed, *({"name": "x", "initiative_bonus": 20} for _ in "abc")]
        )
        await step(owner, made, "start")
        rolled = (await step(owner, made, "initiative"))["combatants"]
        assert (rolled[0]["name"], rolled[0]["initiative"]) == ("Fixed", 41)
        assert all(21 <= one["initiative"] <= 40 for one in rolled[1:-1])
        assert -4 <= rolled[-1]["initiative"] <= 15
        assert (await step(owner, made, "initiative"))["combatants"] == rolled

    async def test_initiative_is_rolled_with_dice(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """Each is a roll in the log; players see those of sheets that all may read, because it shows the bonus."""
        sheet = {"initiative_bonus": 7}
        given = {
            "Read": {"members": ["see", "sheet"]},
            "Seen": {"members": ["see"]},
            "Own": {stranger.id: ["act"]},
        }
        known = [
            await create_character(owner, universe_id, name=name, sheet=sheet, grants=grants)
            for name, grants in given.items()
        ]
        listed = [{"character_id": one["id"]} for one in known]
        spy = {**listed[0], "name": "Spy", "hidden": True}
        made = await prepare(owner, universe_id, [*listed, spy, {"name": "Wolf", "initiative_bonus": 3}])
        early = await prepare(owner, universe_id, [{**listed[0], "name": "Early"}])
        await step(owner, early, "initiative")
        await step(owner, made, "start")
        rolled = (await step(owner, made, "initiative"))["combatants"]
        path = f"/universes/{universe_id}/rolls"
        logged = {one["reason"]: one for one in (await owner.client.get(path)).json()["items"]}
        names = (*given, "Spy", "Wolf", "Early")
        assert logged.keys() == {f"Initiative: {name}" for name in names}
        for one in rolled:
            assert one["initiative"] == logged[f"Initiative: {one['name']}"]["total"]
        shown = await stranger.client.get(path)
        assert [one["reason"] for one in shown.json()["items"]] == ["Initiative: Read"]
        events = (await stranger.client.get(f"/universes/{universe_id}/events")).json()["items"]
        assert [one["payload"]["reason"] for one in events if one["kind"] == "roll.created"] == [
            "Initiative: Read"
        ]

    async def test_initiatives_rolled_together(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """Nor can bonuses be derived from the dice of many."""
        sheet = {"initiative_bonus": 7}
        known = await create_character(owner, universe_id, sheet=sheet, grants={"members": ["see"]})
        made = await prepare(owner, universe_id, [{"character_id": known["id"]}] * 21)
        await step(owner, made, "start")
        await step(owner, made, "initiative")
        assert (await stranger.client.get(f"/universes/{universe_id}/rolls")).json()["items"] == []


class TestCombatants:
    async def test_tokens_and_characters(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """They give names and bonuses, and when they are deleted the combatant stays."""
        sheet = {"abilities": {"dexterity": 7}}
        known = await create_character(owner, universe_id, sheet=sheet, grants={"members": ["see"]})
        unknown = await create_character(owner, universe_id, name="Cole", sheet={"initiative_bonus": 4})
        listed = [{"character_id": known["id"]}, {"character_id": unknown["id"], "name": "A shade"}]
        made = await prepare(owner, universe_id, listed)
        assert [(one["name"], one["initiative_bonus"]) for one in made["combatants"]] == [
            ("A shade", 4),
            ("Ashe", -2),
        ]
        await step(owner, made, "start")
        path = f"/encounters/{made['id']}"
        shown = (await stranger.client.get(path)).json()["combatants"]
        assert [one.get("character_id") for one in shown] == [None, known["id"]]
        assert (await owner.client.delete(f"/characters/{known['id']}")).status_code == 204
        left = (await owner.client.get(path)).json()["combatants"]
        assert [one["name"] for one in left] == ["A shade", "Ashe"]
        assert (await owner.client.patch(path, json={"combatants": left, "name": "x"})).status_code == 200

    async def test_disguised(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """Whose a token is stays with those who may read its sheet, and so does the character's name."""
        count = await create_character(owner, universe_id, name="The Count", grants={"members": ["see"]})
        made = await owner.map(universe_id, grid_data={"width": 1, "height": 1}, visibility="members")
        token = {"name": "Beggar", "x": 0, "y": 0, "character_id": count["id"]}
        token_id = (await owner.client.post(f"/maps/{made['id']}/tokens", json=token)).json()["id"]
        encounter = await prepare(owner, universe_id, [{"token_id": token_id}])
        await step(owner, encounter, "start")
        path = f"/encounters/{encounter['id']}"
        [shown] = (await stranger.client.get(path)).json()["combatants"]
        assert (shown["name"], shown["token_id"], shown.get("character_id")) == ("Beggar", token_id, None)
        assert count["id"] not in (await stranger.client.get(f"/tokens/{token_id}")).text
        grants = {stranger.id: ["sheet"]}
        assert (await owner.client.patch(f"/tokens/{token_id}", json={"grants": grants})).status_code == 200
        [shown] = (await stranger.client.get(path)).json()["combatants"]
        assert shown["character_id"] == count["id"]

    async def test_of_hidden_tokens(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """They are hidden unless said otherwise, so that a fight does not show players who waits for them."""
        made = await owner.map(universe_id, grid_data={"width": 1, "height": 1}, visibility="members")
        token = {"name": "Assassin", "x": 0, "y": 0, "hidden": True}
        token_id = (await owner.client.post(f"/maps/{made['id']}/tokens", json=token)).json()["id"]
        listed = [{"token_id": token_id}, {"token_id": token_id, "name": "Shadow", "hidden": False}]
        encounter = await prepare(owner, universe_id, listed)
        hidden = {one["name"]: one["hidden"] for one in encounter["combatants"]}
        assert hidden == {"Assassin": True, "Shadow": False}
        await step(owner, encounter, "start")
        path = f"/encounters/{encounter['id']}"
        shown = (await stranger.client.get(path)).json()["combatants"]
        assert [one["name"] for one in shown] == ["Shadow"]
        # The same for a combatant that is added to a running fight.
        left = (await owner.client.get(path)).json()["combatants"]
        more = [*left, {"token_id": token_id, "name": "Archer"}]
        assert (await owner.client.patch(path, json={"combatants": more})).status_code == 200
        answer = await stranger.client.get(path)
        assert [one["name"] for one in answer.json()["combatants"]] == ["Shadow"]
        assert "Archer" not in str(await events_of(stranger, universe_id))

    async def test_bonuses_are_of_sheets(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """Players get those of sheets that they may read, in responses but not in events."""
        sheet = {"initiative_bonus": 7}
        grants = [{"members": ["see"]}, {"members": ["sheet", "see"]}]
        known = [await create_character(owner, universe_id, sheet=sheet, grants=one) for one in grants]
        named = zip(known, ("seen", "read"), strict=True)
        listed = [{"character_id": one["id"], "name": name} for one, name in named]
        made = await prepare(owner, universe_id, [*listed, {"name": "nobody", "initiative_bonus": 7}])
        await step(owner, made, "start")
        shown = (await stranger.client.get(f"/encounters/{made['id']}")).json()["combatants"]
        assert {one["name"]: one.get("initiative_bonus") for one in shown} == {
            "seen": None,
            "read": 7,
            "nobody": None,
        }
        assert "initiative_bonus" not in str(await events_of(stranger, universe_id))

    async def test_pages_tell_nothing_of_what_is_hidden(
        self, owner: Person, stranger: Person, universe_id: str
    ) -> None:
        """Fewer large encounters fit on a page; their size is that of what the reader sees."""
        large = [{"name": "x", "hidden": True}, *({"name": "x", "gm": "x" * 60_000} for _ in range(16))]
        for _ in range(5):
            await step(owner, await prepare(owner, universe_id, large), "start")
        path = f"/universes/{universe_id}/encounters"
        for person, count in ((owner, 4), (stranger, 5)):
            page = (await person.client.get(path)).json()
            assert (len(page["items"]), page["next_cursor"] is None) == (count, count == 5)

    async def test_tokens_that_are_not_seen(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """Players do not get the tokens of combatants that they do not see."""
        made = await fogged_map(owner, universe_id)
        await eyes(owner, made, stranger)
        ids = {}
        for name, x, hidden in (("near", 1, False), ("far", 5, False), ("unseen", 2, True)):
            token = {"name": name, "x": x, "y": 0, "hidden": hidden}
            ids[name] = (await owner.client.post(f"/maps/{made['id']}/tokens", json=token)).json()["id"]
        listed = [{"token_id": token_id, "hidden": False} for token_id in ids.values()]
        encounter = await prepare(owner, universe_id, listed)
        await step(owner, encounter, "start")
        shown = (await stranger.client.get(f"/encounters/{encounter['id']}")).json()["combatants"]
        assert {one["name"]: one.get("token_id") for one in shown} == {
            "near": ids["near"],
            "far": None,
            "unseen": None,
        }
        assert (await owner.client.delete(f"/tokens/{ids['near']}")).status_code == 204
        left = (await owner.client.get(f"/encounters/{encounter['id']}")).json()["combatants"]
        assert len(left) == 3
        path = f"/encounters/{encounter['id']}"
        assert (await owner.client.patch(path, json={"combatants": left, "name": "x"})).status_code == 200

    @pytest.mark.parametrize(
        ("combatants", "place"),
        [
            ([{}], "combatants[0].name"),
            ([{"name": "x"}, {"name": "x", "token_id": UNKNOWN}], "combatants[1].token_id"),
            ([{"character_id": UNKNOWN}], "combatants[0].character_id"),
            ([{"name": "x", "id": UNKNOWN}], "combatants[0].id"),
            ([{"name": "x", "id": UNKNOWN}] * 2, "combatants"),
            ([{"name": "x", "initiative": "12"}], "combatants[0].initiative"),
            ([{"name": "x", "initiative": True}], "combatants[0].initiative"),
            ([{"name": "x", "effects": [{"name": "x", "rounds": 0}]}], "combatants[0].effects[0].rounds"),
            ([{"name": "x", "turn": 1}], "combatants[0].turn"),
            ([{"name": "x"}] * (MAX_COMBATANTS + 1), "combatants"),
            ([{"name": "x", "gm": "x" * 60_000}] * 20, "combatants"),
        ],
    )
    async def test_bad_input(self, owner: Person, universe_id: str, combatants: Any, place: str) -> None:
        path = f"/universes/{universe_id}/encounters"
        answer = await owner.client.post(path, json={"name": "x", "combatants": combatants})
        assert (answer.status_code, answer.json()["errors"][0]["field"][: len(place)]) == (422, place), answer.text

    async def test_the_most_of_them(self, owner: Person, universe_id: str) -> None:
        made = await prepare(owner, universe_id, [{"name": "Goblin"}] * MAX_COMBATANTS)
        rolled = (await step(owner, made, "initiative"))["combatants"]
        assert len(rolled) == MAX_COMBATANTS
        [one] = (await owner.client.get(f"/universes/{universe_id}/rolls")).json()["items"]
        dice = [die["value"] for die in one["terms"][0]["dice"]]
        assert sorted(dice, reverse=True) == [combatant["initiative"] for combatant in rolled]
        assert turn(await step(owner, made, "start")) == (1, "Goblin")

    async def test_nobody(self, owner: Person, universe_id: str) -> None:
        made = await prepare(owner, universe_id, [])
        for verb in ("start", "initiative"):
            assert (await step(owner, made, verb, 409))["code"] == "NO_COMBATANTS"
        for verb in ("next", "previous", "end"):
            assert (await step(owner, made, verb, 409))["code"] == "NOT_RUNNING"
        other = await prepare(owner, universe_id)
        await step(owner, other, "start")
        assert (await step(owner, other, "start", 409))["code"] == "ALREADY_RUNNING"
        assert (await owner.client.patch(f"/encounters/{other['id']}", json={"combatants": []})).is_success
        assert (await step(owner, other, "next", 409))["code"] == "NO_COMBATANTS"


class TestChange:
    async def test_recipients_of_events(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await prepare(owner, universe_id, gm="secret")
        path = f"/encounters/{made['id']}"
        await owner.client.patch(path, json={"name": "Before"})
        await step(owner, made, "start")
        listed = (await owner.client.get(path)).json()["combatants"]
        for body in (
            {"gm": "other"},
            {"combatants": [{**one, "hidden": True, "name": "x"} if one["hidden"] else one for one in listed]},
            {"name": "After"},
        ):
            assert (await owner.client.patch(path, json=body)).status_code == 200
        assert [verb for verb, _ in await events_of(owner, universe_id)] == [
            "created",
            *["updated"],
            "started",
            *["updated"] * 3,
        ]
        events = await events_of(stranger, universe_id)
        assert [verb for verb, _ in events] == ["started", "updated"]
        assert events[1][1] == {"name": "After"}
        stale = await owner.client.delete(path, headers={"if-match": '"1"'})
        assert stale.status_code == 412
        assert (await owner.client.delete(path)).status_code == 204
        assert (await events_of(stranger, universe_id))[-1] == ("deleted", {})

    async def test_its_map(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """Players get the map if they see it; a deleted map is removed from the encounter."""
        shown = await owner.map(universe_id)
        made = await prepare(owner, universe_id, map_id=shown["id"])
        path = f"/encounters/{made['id']}"
        await step(owner, made, "start")
        assert (await stranger.client.get(path)).json()["map_id"] is None
        await owner.client.patch(f"/maps/{shown['id']}", json={"visibility": "members"})
        assert (await stranger.client.get(path)).json()["map_id"] == shown["id"]
        assert (await owner.client.delete(f"/maps/{shown['id']}")).status_code == 204
        assert (await owner.client.get(path)).json()["map_id"] is None
        answer = await owner.client.patch(path, json={"map_id": shown["id"]})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "map_id")
