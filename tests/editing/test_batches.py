"""Edits that come at once: written together, each answered for itself; what is said when a commit is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from game.core.errors import may_have_happened
from game.core.settings import Settings
from game.main import create_app, lifespan
from tests.conftest import PATIENCE_SECONDS, Person, new_client
from tests.editing.test_router import edit, grid, rows, set_cells


def put(id: str, x: int = 0, y: int = 0, **more: Any) -> dict[str, Any]:
    return {"op": "put_entity", "entity": {"id": id, "x": x, "y": y, **more}}


async def entities(person: Person, map_id: str) -> dict[str, Any]:
    document = (await person.client.get(f"/maps/{map_id}")).json()["grid_data"]
    return {one["id"]: one for one in document.get("entities", [])}


async def test_each_is_an_event_of_its_own(owner: Person) -> None:
    one = await owner.map(grid_data=grid(40, 30))
    answers = await asyncio.gather(*(edit(owner, one["id"], put(f"e{n}", n, 1)) for n in range(24)))
    assert [answer.status_code for answer in answers] == [200] * 24
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 26))
    assert len(await entities(owner, one["id"])) == 24
    log = (await owner.client.get(f"/universes/{one['universe_id']}/events?after=2")).json()["items"]
    assert [event["payload"]["version"] for event in log] == list(range(2, 26))
    assert all(len(event["payload"]["entities"]["put"]) == 1 for event in log)
    for seq in (3, 14, 26):
        was = await owner.client.get(f"/maps/{one['id']}", params={"at_seq": seq})
        assert len(was.json()["grid_data"]["entities"]) == seq - 2


async def test_one_that_is_refused_leaves_the_others(owner: Person) -> None:
    one = await owner.map(grid_data=grid(8, 8))
    requests = [
        [put("a")],
        [put("b"), put("c", 99)],
        [
            put("d"),
            {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": 9, "height": 1, "symbol": "#"},
        ],
        [put("e"), set_cells((1, 1, "#"))],
        [{"op": "update_entity", "id": "nobody", "changes": {}}],
    ]
    answers = await asyncio.gather(*(edit(owner, one["id"], *request) for request in requests))
    assert [answer.status_code for answer in answers] == [200, 422, 422, 200, 422]
    assert set(await entities(owner, one["id"])) == {"a", "e"}
    assert (await rows(owner, one["id"]))[:2] == ["........", ".#......"]


async def test_later_ones_see_what_earlier_ones_wrote(owner: Person) -> None:
    """In any order: the version of the map is that of the last event."""
    one = await owner.map(grid_data=grid(8, 8))
    fill = {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": 8, "height": 8, "symbol": "~"}
    assert (await edit(owner, one["id"], put("a"))).status_code == 200
    requests = [
        [fill],
        [set_cells((0, 0, "#")), put("b")],
        [{"op": "move_entity", "id": "a", "x": 5, "y": 6}],
    ]
    answers = await asyncio.gather(*(edit(owner, one["id"], *request) for request in requests))
    assert {answer.status_code for answer in answers} == {200}
    filled_last = answers[0].json()["seq"] > answers[1].json()["seq"]
    assert (await rows(owner, one["id"]))[0] == ("~~~~~~~~" if filled_last else "#~~~~~~~")
    assert (await entities(owner, one["id"]))["a"] == {"id": "a", "x": 5, "y": 6}


async def test_with_if_match_exactly_one(owner: Person) -> None:
    one = await owner.map(grid_data=grid(8, 8))
    answers = await asyncio.gather(
        *(edit(owner, one["id"], put(f"e{n}"), **{"If-Match": '"1"'}) for n in range(6))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 5}


async def test_a_key_is_applied_once_and_given_back_by_what_is_refused(owner: Person) -> None:
    one = await owner.map(grid_data=grid(8, 8))
    keys = [{"Idempotency-Key": str(uuid4())} for _ in range(6)]
    first = await asyncio.gather(*(edit(owner, one["id"], put(f"e{n}"), **key) for n, key in enumerate(keys)))
    again = await asyncio.gather(*(edit(owner, one["id"], put(f"e{n}"), **key) for n, key in enumerate(keys)))
    assert [answer.json() for answer in first] == [answer.json() for answer in again]
    assert max(answer.json()["version"] for answer in again) == 7
    key = {"Idempotency-Key": str(uuid4())}
    refused, other = await asyncio.gather(
        edit(owner, one["id"], {"op": "move_entity", "id": "late", "x": 1, "y": 1}, **key),
        edit(owner, one["id"], put("another")),
    )
    assert (refused.status_code, other.status_code) == (422, 200)
    assert (await edit(owner, one["id"], put("late"))).status_code == 200
    repeated = await edit(owner, one["id"], {"op": "move_entity", "id": "late", "x": 1, "y": 1}, **key)
    assert repeated.status_code == 200


async def waiting_for_locks(database: asyncpg.Connection, count: int) -> None:
    """Wait until a number of statements wait for a lock of this connection, or for each other."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await database.fetchval(query) < count:
            await asyncio.sleep(0.02)
            await database.execute("SELECT pg_stat_clear_snapshot()")


async def test_one_key_on_an_edit_and_another_request(owner: Person, database: asyncpg.Connection) -> None:
    """The batch of the edit has the universe when the other request has the key: neither waits for the other."""
    one = await owner.map(grid_data=grid(8, 8))
    key = {"Idempotency-Key": str(uuid4())}
    async with database.transaction():
        await database.execute("SELECT FROM universe WHERE id = $1 FOR UPDATE", one["universe_id"])
        editing = asyncio.create_task(edit(owner, one["id"], put("a"), **key))
        await waiting_for_locks(database, 1)
        body = {"name": "A", "universe_id": one["universe_id"]}
        creating = asyncio.create_task(owner.client.post("/maps", json=body, headers=key))
        await waiting_for_locks(database, 2)
    assert (await creating).status_code == 201
    assert (await editing).json()["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_locked_key_does_not_delay_other_edits(owner: Person, database: asyncpg.Connection) -> None:
    """An edit whose key another request holds is applied by itself once that one is through."""
    one, other = await owner.map(grid_data=grid(8, 8)), await owner.map(grid_data=grid(8, 8))
    keys = [{"Idempotency-Key": str(uuid4())} for _ in range(2)]
    await edit(owner, one["id"], put("first"), **keys[0])
    async with database.transaction():
        # As a request with this key does, which then waits for this universe.
        await database.execute("SELECT FROM universe WHERE id = $1 FOR UPDATE", one["universe_id"])
        creating = asyncio.create_task(
            owner.client.post("/maps", json={"name": "A", "universe_id": one["universe_id"]}, headers=keys[1])
        )
        await waiting_for_locks(database, 1)
        kept = asyncio.create_task(edit(owner, other["id"], put("kept"), **keys[1]))
        answers = await asyncio.gather(*(edit(owner, other["id"], put(f"e{n}")) for n in range(3)))
        assert [answer.status_code for answer in answers] == [200] * 3
    assert (await creating).status_code == 201
    assert (await kept).json()["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert set(await entities(owner, other["id"])) == {"e0", "e1", "e2"}


async def test_a_repeat_is_for_members_alone(
    owner: Person, stranger: Person, database: asyncpg.Connection
) -> None:
    """Of small edits, which are applied in a batch, and of large ones."""
    one = await owner.map(grid_data=grid(300, 300))
    member = UUID(one["universe_id"]), UUID(stranger.id)
    fill = {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": 300, "height": 300, "symbol": "~"}
    for request in (put("a"), fill):
        await database.execute("INSERT INTO member VALUES ($1, $2, 'game_master')", *member)
        key = {"Idempotency-Key": str(uuid4())}
        assert (await edit(stranger, one["id"], request, **key)).status_code == 200
        await database.execute(
            "UPDATE member SET role = 'player' WHERE universe_id = $1 AND user_id = $2", *member
        )
        await owner.client.patch(f"/maps/{one['id']}", json={"visibility": "members"})
        assert (await edit(stranger, one["id"], request, **key)).status_code == 403
        await database.execute("DELETE FROM member WHERE universe_id = $1 AND user_id = $2", *member)
        assert (await edit(stranger, one["id"], request, **key)).status_code == 404


async def test_strangers_among_them_find_nothing(owner: Person, stranger: Person) -> None:
    one = await owner.map(grid_data=grid(8, 8))
    answers = await asyncio.gather(
        *(edit(who, one["id"], put(f"e{n}")) for n, who in enumerate((stranger, owner, stranger, owner)))
    )
    assert [answer.status_code for answer in answers] == [404, 200, 404, 200]
    assert set(await entities(owner, one["id"])) == {"e1", "e3"}


@pytest.fixture
async def hurried(owner: Person, settings: Settings) -> AsyncIterator[Person]:
    """The owner, at a server whose requests may take no longer than by default."""
    app = create_app(settings.model_copy(update={"request_timeout": 4}))
    async with lifespan(app), new_client(app, headers=owner.client.headers) as client:
        yield replace(owner, client=client)


async def test_a_lost_commit_says_that_the_outcome_is_unknown(
    hurried: Person, database: asyncpg.Connection
) -> None:
    """A commit that takes longer than the server waits for the database: it may have happened or not."""
    one = await hurried.map(grid_data=grid(8, 8))
    await database.execute(
        f"""
        CREATE FUNCTION slow_{hurried.id.replace("-", "")}() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(30); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (NEW.universe_id = '{one["universe_id"]}')
            EXECUTE FUNCTION slow_{hurried.id.replace("-", "")}();
        """
    )
    try:
        answers = [
            await edit(hurried, one["id"], put("e")),
            await hurried.client.patch(f"/maps/{one['id']}", json={"name": "Other"}),
        ]
    finally:
        await database.execute("DROP TRIGGER slow_commit ON event")
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "OUTCOME_UNKNOWN")
        assert answer.headers["retry-after"]
    assert (await edit(hurried, one["id"], put("f"))).status_code == 200


async def test_a_locked_map_says_that_nothing_has_happened(hurried: Person, database: asyncpg.Connection) -> None:
    one = await hurried.map(grid_data=grid(8, 8))
    async with database.transaction():
        await database.execute("SELECT FROM map WHERE id = $1 FOR UPDATE", one["id"])
        answers = await asyncio.gather(*(edit(hurried, one["id"], put(f"e{n}")) for n in range(3)))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "UNAVAILABLE")}
    assert await entities(hurried, one["id"]) == {}


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (asyncpg.QueryCanceledError(), False),
        (asyncpg.DeadlockDetectedError(), False),
        (asyncpg.ConnectionDoesNotExistError(), True),
        (asyncpg.AdminShutdownError(), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
    ],
)
def test_what_the_database_reports_has_not_happened(error: Exception, unknown: bool) -> None:
    assert may_have_happened(error) is unknown
