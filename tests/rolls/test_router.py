"""Rolls: who sees what of them, in responses, lists and the log."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI

from game.core.limits import Rate
from game.dice.drawing import Drawing
from tests.characters.test_router import create as create_character
from tests.conftest import Person
from tests.members.test_router import join

HIDDEN = {"total": None, "terms": None, "text": None}


class Table(NamedTuple):
    universe_id: str
    owner: Person
    game_master: Person
    player: Person
    other: Person

    async def roll(self, person: Person, expression: str = "1d20+5", **fields: Any) -> dict[str, Any]:
        answer = await person.client.post(
            f"/universes/{self.universe_id}/rolls", json={"expression": expression, **fields}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def rolls(self, person: Person, **query: Any) -> list[dict[str, Any]]:
        answer = await person.client.get(f"/universes/{self.universe_id}/rolls", params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def events(self, person: Person) -> list[dict[str, Any]]:
        """The last events, without their times and numbers."""
        path = f"/universes/{self.universe_id}/events"
        items = (await person.client.get(path, params={"limit": 1000})).json()["items"]
        skipped = ("cursor", "created_at", "seq")
        return [
            {name: value for name, value in item.items() if name not in skipped}
            for item in items
            if not item["kind"].startswith(("universe.", "member.", "invitation.", "character."))
        ]


@pytest.fixture
async def table(new_person: Callable[..., Awaitable[Person]], owner: Person) -> Table:
    universe_id = (await owner.universe())["id"]
    people = [await new_person() for _ in range(3)]
    for person, role in zip(people, ("game_master", "player", "player"), strict=True):
        await join(person, owner, universe_id, role)
    return Table(universe_id, owner, *people)


class TestCreate:
    async def test_everyone_sees_it(self, table: Table) -> None:
        made = await table.roll(table.player, "2d20kh1+5 [luck]", reason=" Stealth ", nonce="mine")
        assert made["total"] == made["terms"][0]["value"] + 5
        assert (made["actor_id"], made["visibility"], made["reason"]) == (table.player.id, "everyone", "Stealth")
        assert made["text"].endswith(f"+ 5 [luck] = {made['total']}")
        event = {
            "kind": "roll.created",
            "actor_id": made.pop("actor_id"),
            "subject_id": made.pop("id"),
            "payload": {name: value for name, value in made.items() if name != "created_at"},
        }
        for person in table[1:]:
            assert await table.events(person) == [event]
            [listed] = await table.rolls(person)
            assert listed["total"] == made["total"]

    @pytest.mark.parametrize(
        ("visibility", "results", "knows"),
        [
            ("everyone", {"player", "game_master", "owner", "other"}, set()),
            ("game_masters", {"player", "game_master", "owner"}, set()),
            ("blind", {"game_master", "owner"}, {"player"}),
            ("me", {"player"}, set()),
        ],
    )
    async def test_visibility(self, table: Table, visibility: str, results: set[str], knows: set[str]) -> None:
        made = await table.roll(table.player, visibility=visibility, reason="A secret")
        assert (made["total"] is None) == ("player" not in results)
        for name in ("owner", "game_master", "player", "other"):
            person = getattr(table, name)
            rolls, events = await table.rolls(person), await table.events(person)
            if name in results:
                assert rolls[0]["total"] is not None
                assert rolls[0]["proof"]["key"]
                assert events[0]["payload"]["total"] == rolls[0]["total"]
                assert events[0]["actor_id"] == table.player.id
            elif name in knows:
                assert {key: rolls[0][key] for key in HIDDEN} == HIDDEN
                assert rolls[0]["proof"]["key"] is None
                assert {key: events[0]["payload"][key] for key in HIDDEN} == HIDDEN
            else:
                assert rolls == []
                private = {
                    "kind": "private",
                    "actor_id": None,
                    "subject_id": table.universe_id,
                    "payload": {},
                }
                assert events == ([] if name == "other" else [private])

    async def test_a_superuser_does_not_see_what_is_for_one_alone(self, table: Table, superuser: Person) -> None:
        await table.roll(table.player, visibility="me")
        hidden = await table.roll(table.player, visibility="game_masters")
        assert [one["id"] for one in await table.rolls(superuser)] == [hidden["id"]]
        assert [one["kind"] for one in await table.events(superuser)] == ["private", "roll.created"]

    async def test_a_game_master_rolls_blindly_for_themselves(self, table: Table) -> None:
        made = await table.roll(table.game_master, visibility="blind")
        assert made["total"] is not None
        assert await table.rolls(table.player) == await table.events(table.player) == []

    @pytest.mark.parametrize(
        ("fields", "field", "column"),
        [
            ({"expression": "1d6 + 2d"}, "expression", 9),
            ({"expression": "@level"}, "expression", 1),
            ({"expression": "7" * 201}, "expression", 201),
            ({"expression": ""}, "expression", 1),
            ({"expression": "1", "reason": "r" * 201}, "reason", None),
            ({"expression": "1", "reason": " "}, "reason", None),
            ({"expression": "1", "nonce": "n" * 101}, "nonce", None),
            ({"expression": "1", "visibility": "nobody"}, "visibility", None),
            ({"expression": 7}, "expression", None),
            ({"expression": "1", "total": 20}, "total", None),
            ({}, "expression", None),
        ],
    )
    async def test_what_is_wrong(self, table: Table, fields: Any, field: str, column: int | None) -> None:
        answer = await table.player.client.post(f"/universes/{table.universe_id}/rolls", json=fields)
        assert answer.status_code == 422, answer.text
        body = answer.json()
        assert body["errors"][0]["field"] == field
        assert body.get("column") == column
        assert column is None or body["errors"][0]["message"].startswith(f"column {column}: ")
        assert await table.events(table.owner) == []

    async def test_a_character_of_ones_own(self, table: Table) -> None:
        sheet = {"abilities": {"dexterity": 15, "wisdom": 8}, "attacks": [{"bonus": 4}], "speed": {"walk": 30.0}}
        ashe = (await create_character(table.player, table.universe_id, sheet=sheet))["id"]
        for path, value in (
            ("abilities.dexterity.modifier", 2),
            ("abilities.wisdom.modifier", -1),
            ("abilities.wisdom", 8),
            ("attacks.0.bonus", 4),
            ("speed.walk", 30),
        ):
            made = await table.roll(table.player, f"1+@{path}", character_id=ashe)
            assert (made["total"], made["character_id"]) == (1 + value, ashe)
            assert made["terms"][1] == {"operator": "+", "kind": "path", "value": value, "path": path}
        for path in ("level", "abilities", "abilities.charisma.modifier", "attacks.1.bonus", "attacks.bonus"):
            answer = await table.player.client.post(
                f"/universes/{table.universe_id}/rolls", json={"expression": f"d6+@{path}", "character_id": ashe}
            )
            assert (answer.status_code, answer.json()["column"]) == (422, 4)

    async def test_a_character_of_another_user(self, table: Table) -> None:
        """Not there, whether it is seen or not; to game masters every one is."""
        ids = [
            (await create_character(table.owner, table.universe_id, grants={"members": ["see", "sheet"]}))["id"],
            (await create_character(table.owner, table.universe_id))["id"],
            table.universe_id,
        ]
        for character_id in ids:
            answer = await table.player.client.post(
                f"/universes/{table.universe_id}/rolls",
                json={"expression": "d20+@hit_points.current", "character_id": character_id},
            )
            assert answer.status_code == 404, answer.text
        made = await table.roll(table.game_master, "@hit_points.current", character_id=ids[1])
        assert made["total"] == 10

    async def test_with_a_key_only_once(self, table: Table) -> None:
        path, body = f"/universes/{table.universe_id}/rolls", {"expression": "1d1000", "visibility": "me"}
        headers = {"idempotency-key": "the-one"}
        first, second = await asyncio.gather(
            *(table.player.client.post(path, json=body, headers=headers) for _ in range(2))
        )
        assert first.text == second.text
        assert len(await table.rolls(table.player)) == 1

    async def test_not_too_often(self, table: Table, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(app.state.settings, "limit_roll", Rate(2, 3600))
        for expression in ("1d6", "wrong"):
            await table.player.client.post(
                f"/universes/{table.universe_id}/rolls", json={"expression": expression}
            )
        answer = await table.player.client.post(f"/universes/{table.universe_id}/rolls", json={"expression": "1"})
        assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
        await table.roll(table.other)


class TestList:
    async def test_pages(self, table: Table) -> None:
        made = []
        for number in range(7):
            visibility = "me" if number % 3 else "everyone"
            made.append((await table.roll(table.player, str(number), visibility=visibility))["id"])
            await table.roll(table.other, "1", visibility="me")
        seen: list[str] = []
        cursor = None
        while cursor is not None or not seen:
            params: dict[str, Any] = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = (await table.player.client.get(f"/universes/{table.universe_id}/rolls", params=params)).json()
            seen += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert seen == made[::-1]
        assert [one["total"] for one in await table.rolls(table.other) if one["expression"] != "1"] == [6, 3, 0]

    async def test_a_wrong_cursor(self, table: Table) -> None:
        answer = await table.player.client.get(f"/universes/{table.universe_id}/rolls?cursor=x")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "cursor_invalid")


class TestReveal:
    @pytest.mark.parametrize(
        ("visibility", "by", "status"),
        [
            ("me", "player", 200),
            ("me", "owner", 404),
            ("game_masters", "player", 200),
            ("game_masters", "game_master", 200),
            ("game_masters", "other", 404),
            ("blind", "player", 403),
            ("blind", "game_master", 200),
            ("everyone", "other", 200),
        ],
    )
    async def test_who_may(self, table: Table, visibility: str, by: str, status: int) -> None:
        made = await table.roll(table.player, visibility=visibility)
        before = [await table.events(person) for person in table[1:]]
        answer = await getattr(table, by).client.post(f"/rolls/{made['id']}/reveal")
        assert answer.status_code == status, answer.text
        if status != 200 or visibility == "everyone":
            assert [await table.events(person) for person in table[1:]] == before
            return
        assert answer.json()["visibility"] == "everyone"
        for person in table[1:]:
            [shown] = await table.rolls(person)
            assert shown["total"] is not None
            # The number counts the roller's hidden rolls.
            assert (shown["proof"]["number"] is None) == (person is not table.player)
            event = (await table.events(person))[-1]
            assert (event["kind"], event["subject_id"]) == ("roll.revealed", made["id"])
            assert event["payload"]["total"] == shown["total"]
            assert event["payload"]["proof"]["number"] is None
        again = await getattr(table, by).client.post(f"/rolls/{made['id']}/reveal")
        assert (again.status_code, again.json()["total"]) == (200, answer.json()["total"])


class TestProof:
    async def test_the_key_was_known_by_its_hash(self, table: Table) -> None:
        path = f"/universes/{table.universe_id}/dice"
        before, others = [(await person.client.get(path)).json() for person in (table.player, table.other)]
        assert before["commitments"] == others["commitments"]
        assert before["hidden"] != others["hidden"]
        assert [one["number"] for one in before["commitments"]] == list(range(1, 101))
        shown = await table.roll(table.other, "3d6+1d20", nonce="a nonce")
        hidden = await table.roll(table.player, "1d20", visibility="me")
        for roll, series, known in (
            (shown, "everyone", before["commitments"]),
            (hidden, "hidden", before["hidden"]["commitments"]),
        ):
            proof = roll["proof"]
            assert (proof["series"], {"number": proof["number"], "hash": proof["hash"]}) == (series, known[0])
            assert sha256(bytes.fromhex(proof["key"])).hexdigest() == proof["hash"]
        draw = Drawing(bytes.fromhex(shown["proof"]["key"]), "a nonce")
        dice = [(term["sides"], die["rolled"]) for term in shown["terms"] for die in term["dice"]]
        assert [draw(sides) for sides, _ in dice] == [rolled for _, rolled in dice]
        after = (await table.player.client.get(path)).json()
        assert (after["next"], after["hidden"]["next"]) == (2, 2)
        assert after["commitments"][:-1] == before["commitments"][1:]

    async def test_many_at_once_take_each_key_once(self, table: Table) -> None:
        made = await asyncio.gather(*(table.roll(table.player, "d20") for _ in range(12)))
        assert sorted(roll["proof"]["number"] for roll in made) == list(range(1, 13))
