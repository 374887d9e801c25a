"""The fast roll: the same as the plain way in all that it leaves behind, also where others write meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
from fastapi import FastAPI

from game.rolls import hot_rolls
from tests.conftest import Person
from tests.fast_writes import Spy, spying
from tests.rolls.test_router import Table, table

__all__ = ["table"]


@pytest.fixture
async def spy(app: FastAPI, table: Table) -> AsyncIterator[Spy]:
    # The first look begins the series of keys.
    for person in (table.owner, table.player):
        await person.client.get(f"/universes/{table.universe_id}/dice")
    with spying(app, hot_rolls.WRITTEN) as spy:
        yield spy


_DRAWN = ("id", "subject_id", "number", "key", "hash", "total", "terms", "text", "seq", "created_at")


def _without_luck(value: Any) -> Any:
    """The same, with what is drawn, or is another each time, as its type."""
    if isinstance(value, dict):
        return {
            key: type(one).__name__ if key in _DRAWN else _without_luck(one) for key, one in sorted(value.items())
        }
    return value


@pytest.mark.parametrize("visibility", ["everyone", "game_masters", "blind"])
@pytest.mark.parametrize("who", ["player", "owner"])
async def test_leaves_behind_what_the_plain_way_does(
    table: Table, spy: Spy, app: FastAPI, database: asyncpg.Connection, visibility: str, who: str
) -> None:
    person: Person = getattr(table, who)
    left = []
    for is_fast in (True, False):
        before = spy.written
        app.state.hot_writes = spy if is_fast else None
        answer = await table.roll(person, "2d20kh1+3", visibility=visibility, reason=" Stealth ", nonce="mine")
        assert spy.written - before == is_fast
        roll = dict(await database.fetchrow("SELECT * FROM roll WHERE id = $1", answer["id"]))
        event = dict(await database.fetchrow("SELECT * FROM event WHERE subject_id = $1", roll["id"]))
        texts = {name: orjson.loads(event.pop(name)) for name in ("payload", "shared")}
        state = await database.fetchrow(
            "SELECT event_seq - $2 AS ahead, s.next - $3 AS next FROM universe u"
            " JOIN dice_series s ON s.universe_id = u.id AND s.owner_id = $4 WHERE u.id = $1",
            roll["universe_id"],
            event["seq"],
            roll["number"],
            roll["universe_id"] if visibility == "everyone" else roll["actor_id"],
        )
        left.append([_without_luck(one) for one in (answer, roll, event, texts, dict(state))])
    assert left[0] == left[1]
    assert left[0][-1] == {"ahead": 0, "next": 1}


async def test_what_happens_meanwhile_does_not_lose_a_roll(table: Table, spy: Spy) -> None:
    path = f"/universes/{table.universe_id}"
    spy.meanwhile = table.owner.client.patch(path, json={"name": "Another"})
    await table.roll(table.player)
    assert (spy.written, spy.refused) == (1, 1)


async def test_members_removed_meanwhile_do_not_roll(table: Table, spy: Spy) -> None:
    path = f"/universes/{table.universe_id}"
    spy.meanwhile = table.owner.client.delete(f"{path}/members/{table.player.id}")
    answer = await table.player.client.post(f"{path}/rolls", json={"expression": "1d20"})
    assert (answer.status_code, spy.written) == (404, 0)
    assert await table.rolls(table.owner) == []


async def test_many_at_once_take_one_key_each(table: Table, spy: Spy) -> None:
    people = [table.owner, table.game_master, table.player, table.other] * 8
    talk = [
        table.owner.client.post(f"/universes/{table.universe_id}/messages", json={"text": "Hm."}) for _ in range(5)
    ]
    rolls, _ = await asyncio.gather(
        asyncio.gather(*(table.roll(person) for person in people)), asyncio.gather(*talk)
    )
    assert sorted(roll["proof"]["number"] for roll in rolls) == [*range(1, 33)]
    assert spy.written > len(people) / 2


async def test_the_error_after_waiting_says_that_nothing_was_stored(
    table: Table, spy: Spy, app: FastAPI, database: asyncpg.Connection
) -> None:
    path, settings = f"/universes/{table.universe_id}/rolls", app.state.settings
    app.state.settings = settings.model_copy(update={"request_timeout": 3})
    async with database.transaction():
        await database.execute("SELECT FROM universe WHERE id = $1 FOR UPDATE", table.universe_id)
        answers = await asyncio.gather(
            *(table.player.client.post(path, json={"expression": "1d20"}) for _ in range(4))
        )
    # The first was being written; the others were still waiting for their turn.
    codes = sorted((answer.status_code, answer.json()["code"]) for answer in answers)
    assert codes == [(503, "OUTCOME_UNKNOWN"), *[(503, "UNAVAILABLE")] * 3]
    app.state.settings = settings
    await table.roll(table.player)
    assert len(await table.rolls(table.owner)) in (1, 2)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"expression":"1d6","reason":"a: b"}', 201),
        (b'{"expression":"1d6","reason":"a\\u0000"}', 422),
        (b'{"expression":"1d6","expression":"1d8"}', 422),
        (b'{"expression":"1d6","visibility":"all"}', 422),
        (b'{"expression":"1d"}', 422),
        (b'["expression"]', 422),
    ],
)
async def test_unusual_bodies_go_the_plain_way(table: Table, spy: Spy, body: bytes, status: int) -> None:
    path = f"/universes/{table.universe_id}/rolls"
    answer = await table.player.client.post(path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, spy.written) == (status, 0), answer.text
