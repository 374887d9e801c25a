"""Messages: who gets them, and who never sees a whisper."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from game.core.ids import uuid7
from tests.characters.test_router import create as create_character
from tests.conftest import Person
from tests.live.client import Client
from tests.live.conftest import feed as feed
from tests.live.test_router import Feed
from tests.members.test_router import join
from tests.rolls.test_router import Table
from tests.rolls.test_router import table as table


async def say(table: Table, person: Person, text: str, **fields: Any) -> dict[str, Any]:
    answer = await person.client.post(f"/universes/{table.universe_id}/messages", json={"text": text, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def heard(table: Table, person: Person, **query: Any) -> list[str]:
    answer = await person.client.get(f"/universes/{table.universe_id}/messages", params=query)
    assert answer.status_code == 200, answer.text
    return [one["text"] for one in answer.json()["items"]]


class TestCreate:
    async def test_to_all(self, table: Table) -> None:
        made = await say(table, table.player, "  Hello.\n")
        assert made.pop("created_at")
        event = {
            "kind": "message.created",
            "actor_id": table.player.id,
            "subject_id": made["id"],
            "payload": {"text": "Hello.", "to": None, "character_id": None},
        }
        for person in table[1:]:
            assert await heard(table, person) == ["Hello."]
            assert await table.events(person) == [event]

    async def test_a_whisper(self, table: Table, superuser: Person) -> None:
        """The sender and the recipients see it; nobody else, whatever their role."""
        made = await say(table, table.player, "Psst", to=[table.other.id, table.other.id])
        assert made["to"] == [table.other.id]
        for person in (table.player, table.other):
            assert await heard(table, person) == ["Psst"]
            [event] = await table.events(person)
            assert (event["kind"], event["actor_id"], event["subject_id"], event["payload"]["text"]) == (
                "message.created",
                table.player.id,
                made["id"],
                "Psst",
            )
        private = {"kind": "private", "actor_id": None, "subject_id": table.universe_id, "payload": {}}
        for person in (table.owner, table.game_master, superuser):
            assert await heard(table, person) == []
            assert await table.events(person) == [private]

    async def test_how_long_a_whisper_is(self, table: Table) -> None:
        """What is stored for it, which owners read, does not say."""
        used = []
        for text in ("", "a", "a" * 300):
            if text:
                await say(table, table.player, text, to=[table.other.id])
            used.append((await table.owner.client.get("/users/me/storage")).json()["events"]["used"])
        assert used[1] - used[0] == used[2] - used[1] > 0

    async def test_a_whisper_to_a_game_master(self, table: Table) -> None:
        await say(table, table.player, "For you", to=[table.game_master.id])
        assert await heard(table, table.game_master) == ["For you"]
        [event] = await table.events(table.game_master)
        assert event["payload"]["text"] == "For you"
        assert await heard(table, table.owner) == await heard(table, table.other) == []

    async def test_removed_members_get_no_messages(self, table: Table) -> None:
        await say(table, table.player, "Psst", to=[table.other.id])
        path = f"/universes/{table.universe_id}/members/{table.other.id}"
        assert (await table.owner.client.delete(path)).status_code == 204
        answer = await table.other.client.get(f"/universes/{table.universe_id}/messages")
        assert answer.status_code == 404

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"text": " "}, "text"),
            ({"text": "x" * 4001}, "text"),
            ({"text": 7}, "text"),
            ({}, "text"),
            ({"text": "a", "to": []}, "to"),
            ({"text": "a", "to": ["x"]}, "to[0]"),
            ({"text": "a", "to": ["{player}", str(uuid7())]}, "to[1]"),
            ({"text": "a", "to": ["{superuser}"]}, "to[0]"),
            ({"text": "a", "actor_id": str(uuid7())}, "actor_id"),
        ],
    )
    async def test_what_is_wrong(self, table: Table, superuser: Person, fields: Any, field: str) -> None:
        if isinstance(fields.get("to"), list):
            known = {"player": table.player.id, "superuser": superuser.id}
            fields = {**fields, "to": [one.format(**known) for one in fields["to"]]}
        answer = await table.other.client.post(f"/universes/{table.universe_id}/messages", json=fields)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
        assert await table.events(table.owner) == []

    async def test_as_a_character(self, table: Table) -> None:
        ashe = (await create_character(table.player, table.universe_id))["id"]
        assert (await say(table, table.player, "I am Ashe.", character_id=ashe))["character_id"] == ashe
        path = f"/universes/{table.universe_id}/messages"
        answer = await table.other.client.post(path, json={"text": "So am I.", "character_id": ashe})
        assert answer.status_code == 404

    async def test_as_a_character_that_others_do_not_see(self, table: Table, feed: Feed) -> None:
        """Rolls and messages show it to its player, to game masters, and to others as long as they see it."""
        grants = {table.player.id: ["act"]}
        made = await create_character(table.owner, table.universe_id, grants=grants)
        ashe = made["id"]
        readers = (table.owner, table.player, table.other)
        clients = [await feed(person, table.universe_id) for person in readers]
        whisper = {"to": [table.other.id], "character_id": ashe}
        await say(table, table.player, "I am Ashe.", character_id=ashe)
        await say(table, table.player, "Psst", **whisper)
        await table.roll(table.player, "d20", character_id=ashe)
        kinds = {"message.created", "roll.created"}

        async def named(person: Person) -> list[str | None]:
            messages = (await person.client.get(f"/universes/{table.universe_id}/messages")).json()["items"]
            events = [one["payload"] for one in await table.events(person) if one["kind"] in kinds]
            return [one["character_id"] for one in (*messages, *await table.rolls(person), *events)]

        async def fed(client: Client) -> list[str | None]:
            await client.until(lambda: any(one["kind"] == "roll.created" for one in client.events))
            return [one["payload"]["character_id"] for one in client.events if one["kind"] in kinds]

        for person, client, count, seen in zip(readers, clients, (2, 3, 3), (ashe, ashe, None), strict=True):
            assert await named(person) == [seen] * 2 * count
            assert await fed(client) == [seen] * count
        for given, seen in (({table.other.id: ["see"]}, ashe), ({}, None)):
            body = {"grants": {**grants, **given}}
            assert (await table.owner.client.patch(f"/characters/{ashe}", json=body)).is_success
            assert await named(table.other) == [seen] * 6

    async def test_whispers_belong_to_the_person(self, table: Table) -> None:
        """Who was removed and comes back reads their old ones again, as docs/members.md says."""
        await say(table, table.player, "Psst", to=[table.other.id])
        path = f"/universes/{table.universe_id}/members/{table.other.id}"
        assert (await table.owner.client.delete(path)).status_code == 204
        answer = await table.other.client.get(f"/universes/{table.universe_id}/messages")
        assert answer.status_code == 404
        await join(table.other, table.owner, table.universe_id, "spectator")
        assert await heard(table, table.other) == ["Psst"]

    async def test_with_a_key_only_once(self, table: Table) -> None:
        path, headers = f"/universes/{table.universe_id}/messages", {"idempotency-key": str(uuid7())}
        body = {"text": "Once", "to": [table.other.id]}
        answers = [await table.player.client.post(path, json=body, headers=headers) for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert await heard(table, table.player) == ["Once"]


class TestList:
    async def test_pages(self, table: Table) -> None:
        for number in range(9):
            await say(table, table.player, str(number), **({"to": [table.other.id]} if number % 2 else {}))
            await say(table, table.owner, "between others", to=[table.game_master.id])
        seen: list[str] = []
        cursor = None
        while cursor is not None or not seen:
            params = {"limit": 4, **({"cursor": cursor} if cursor else {})}
            page = await table.other.client.get(f"/universes/{table.universe_id}/messages", params=params)
            seen += [one["text"] for one in page.json()["items"]]
            cursor = page.json()["next_cursor"]
        assert seen == [str(number) for number in reversed(range(9))]
        wrong = await table.other.client.get(f"/universes/{table.universe_id}/messages", params={"cursor": "x"})
        assert wrong.status_code == 422

    async def test_whispers_of_others_are_not_read(self, table: Table, database: asyncpg.Connection) -> None:
        """However many there are, a list takes as long."""
        universe_id, others = UUID(table.universe_id), [UUID(table.owner.id), UUID(table.game_master.id)]
        await say(table, table.player, "Hello")
        await database.execute(
            """INSERT INTO message (universe_id, id, text, "to", created_at)
            SELECT $1, gen_random_uuid(), 'x', $2, now() FROM generate_series(1, 20000)""",
            universe_id,
            others,
        )
        await database.execute("ANALYZE message")
        plan = await database.fetch(
            """EXPLAIN SELECT id FROM message WHERE universe_id = $1 AND "to" IS NULL ORDER BY id DESC LIMIT 51""",
            universe_id,
        )
        assert "ix_message_to_all" in "\n".join(row[0] for row in plan)
        assert await heard(table, table.player) == ["Hello"]
