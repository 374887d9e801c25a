"""The event log: numbers without gaps, in the order of the commits, and nothing missed after resuming."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import FastAPI

from game.events import queries
from game.universes.models import Universe
from tests.conftest import Person


async def page(person: Person, universe_id: str, after: int, limit: int = 3) -> Any:
    answer = await person.client.get(f"/universes/{universe_id}/events", params={"after": after, "limit": limit})
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestRecord:
    async def test_numbers_have_no_gaps_under_parallel_writes(self, owner: Person) -> None:
        universe = await owner.universe()
        other = await owner.universe()
        maps = [(await owner.map(universe["id"]))["id"] for _ in range(3)]

        async def write(number: int) -> None:
            for turn in range(4):
                name = {"name": f"{number} {turn}"}
                answers = [
                    await owner.client.patch(f"/maps/{maps[number % 3]}", json=name),
                    await owner.client.patch(f"/universes/{universe['id']}", json=name),
                    # Refused or without a change: no event, and no gap.
                    await owner.client.patch(f"/maps/{maps[0]}", json={"name": "X"}, headers={"if-match": '"0"'}),
                    await owner.client.patch(f"/maps/{maps[1]}", json={}),
                    await owner.client.patch(f"/maps/{maps[1]}", json={"universe_id": other["owner_id"]}),
                    await owner.client.post("/maps", json={"universe_id": universe["id"], **name}),
                ]
                assert [answer.status_code for answer in answers] == [200, 200, 412, 200, 404, 201]

        read: list[int] = []
        done = asyncio.Event()

        async def follow() -> None:
            # Resumes from the highest number seen, as a client of the live feed would.
            after = 0
            while not (done.is_set() and after == last):
                answer = await page(owner, universe["id"], after)
                read.extend(event["seq"] for event in answer["items"])
                after = answer["next_after"]
                await asyncio.sleep(0)

        last = -1
        reader = asyncio.create_task(follow())
        await asyncio.gather(*(write(number) for number in range(6)))
        last = 1 + 3 + 6 * 4 * 3
        done.set()
        await asyncio.wait_for(reader, 20)
        assert read == list(range(1, last + 1))

    async def test_a_write_and_its_event_share_a_transaction(
        self, app: FastAPI, owner: Person, database: asyncpg.Connection
    ) -> None:
        universe = await owner.universe()
        async with app.state.database.session() as session:
            row = await session.get(Universe, UUID(universe["id"]))
            seq = await queries.record(session, "test.happened", None, row, {"a": 1}, {"a": 0})
            assert seq == 2
            await session.rollback()
        assert await database.fetchval("SELECT event_seq FROM universe WHERE id = $1", universe["id"]) == 1
        assert await database.fetchval("SELECT count(*) FROM event WHERE universe_id = $1", universe["id"]) == 1

    async def test_universes_count_for_themselves(self, owner: Person) -> None:
        first, second = await owner.universe(), await owner.universe()
        for universe in (first, second):
            await owner.map(universe["id"])
            assert [event["seq"] for event in (await page(owner, universe["id"], 0))["items"]] == [1, 2]

    async def test_in_the_order_of_time(self, owner: Person) -> None:
        universe = await owner.universe()
        await asyncio.gather(*(owner.map(universe["id"]) for _ in range(8)))
        items = (await page(owner, universe["id"], 0, 100))["items"]
        times = [event["created_at"] for event in items]
        assert times == sorted(times)


class TestAfter:
    async def test_a_page_of_large_events_is_shorter_and_nothing_is_missed(
        self, app: FastAPI, owner: Person
    ) -> None:
        universe = await owner.universe()
        async with app.state.database.session() as session:
            row = await session.get(Universe, UUID(universe["id"]))
            for _ in range(6):
                await queries.record(session, "test.happened", None, row, {"large": "x" * 3_000_000})
            await session.commit()
        after, seen = 0, []
        while items := (answer := await page(owner, universe["id"], after, 1000))["items"]:
            assert len(items) <= 3
            seen += [event["seq"] for event in items]
            after = answer["next_after"]
        assert seen == [1, 2, 3, 4, 5, 6, 7]

    async def test_says_who_did_what_to_what(self, owner: Person) -> None:
        made = await owner.map(name="A")
        await owner.client.patch(f"/maps/{made['id']}", json={"name": "B"})
        await owner.client.delete(f"/maps/{made['id']}")
        items = (await page(owner, made["universe_id"], 1))["items"]
        assert [event["kind"] for event in items] == ["map.created", "map.updated", "map.deleted"]
        for event in items:
            assert event.keys() == {"cursor", "seq", "kind", "actor_id", "subject_id", "payload", "created_at"}
            assert (event["actor_id"], event["subject_id"]) == (owner.id, made["id"])
