"""Paginated lists: every item once in every order, searches, limits, and forged cursors."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from game.core.errors import Unprocessable
from game.core.ids import uuid7
from game.core.pages import Sort, decode_cursor, encode_cursor
from tests.conftest import Person

LISTS = ["/universes", "/maps"]
ORDERS = [order.value for order in Sort]
NAMES = ["Ash", "Ash", "ash", "Ash", "Äsche", "zeta", "Zeta", "", "龍", "Ash", "100%", "a_b", "Ash"]


def forged(content: Any) -> str:
    raw = content if isinstance(content, bytes) else orjson.dumps(content)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


async def fill(owner: Person, path: str, names: list[str]) -> list[str]:
    """Things with these names in a list of the owner's; an empty name becomes a long one."""
    universe = None if path == "/universes" else (await owner.universe())["id"]
    names = [name or "x" * 100 for name in names]
    made = [await (owner.map(universe, name=name) if universe else owner.universe(name=name)) for name in names]
    return [one["id"] for one in made]


async def walk(client: httpx2.AsyncClient, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = None
    for _ in range(200):
        page = await client.get(path, params={**parameters, **({"cursor": cursor} if cursor else {})})
        assert page.status_code == 200, page.text
        assert len(page.json()["items"]) <= parameters.get("limit", 20)
        items += page.json()["items"]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return items
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("path", LISTS)
class TestWalk:
    @pytest.mark.parametrize("order", ORDERS)
    async def test_every_item_once_in_order(self, owner: Person, path: str, order: str) -> None:
        ids = await fill(owner, path, NAMES)
        for touched in (ids[3], ids[0]):
            await owner.client.patch(f"{path}/{touched}", json={"description": "later"})
        whole = await walk(owner.client, path, sort=order, limit=100)
        assert sorted(item["id"] for item in whole) == sorted(ids)
        for limit in (1, 4, len(ids) - 1, len(ids)):
            assert await walk(owner.client, path, sort=order, limit=limit) == whole
        key, down = order.removeprefix("-"), order.startswith("-")
        opposite = await walk(owner.client, path, sort=key if down else f"-{key}", limit=5)
        assert opposite == whole[::-1]
        if key != "name":
            keys = [(item[key], item["id"]) for item in whole]
            assert keys == sorted(keys, reverse=down)
        else:
            # Equal names are next to each other; how PostgreSQL orders different ones is its own affair.
            equal = [item["id"] for item in whole if item["name"] == "Ash"]
            assert equal == sorted(equal, reverse=down)
            at = [item["name"] for item in whole].index("Ash")
            assert {item["name"] for item in whole[at : at + 5]} == {"Ash"}

    @pytest.mark.parametrize("order", ORDERS)
    async def test_existing_rows_are_listed_once_while_others_are_created(
        self, owner: Person, path: str, order: str
    ) -> None:
        ids = await fill(owner, path, ["b", "a", "a", "c", "a", "b"])
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            parameters = {"limit": 2, "sort": order, **({"cursor": cursor} if cursor else {})}
            page = (await owner.client.get(path, params=parameters)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if len(seen) < 8:
                await fill(owner, path, ["a"])
        assert len(seen) == len(set(seen))
        assert set(ids) <= set(seen)

    async def test_a_cursor_of_the_hot_route_works_in_the_plain_one(self, owner: Person, path: str) -> None:
        ids = await fill(owner, path, NAMES)
        seen: list[str] = []
        cursor = None
        for turn in range(len(ids)):
            # `sort` is not for the hot route, even when it names what the hot route does.
            parameters: dict[str, Any] = {"limit": 1, **({"sort": "created_at"} if turn % 2 else {})}
            if cursor:
                parameters["cursor"] = cursor
            page = (await owner.client.get(path, params=parameters)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert seen == ids
        assert cursor is None

    async def test_hot_and_plain_pages_are_equal(self, app: FastAPI, owner: Person, path: str) -> None:
        await fill(owner, path, NAMES)
        for limit in (1, 5, len(NAMES), 100):
            hot = await owner.client.get(f"{path}?limit={limit}")
            plain = await owner.client.get(f"{path}?limit={limit}&sort=created_at")
            assert hot.json() == plain.json()
            assert hot.headers["content-type"] == plain.headers["content-type"]

    async def test_the_default_is_20(self, owner: Person, path: str) -> None:
        await fill(owner, path, ["x"] * 21)
        for query in ("", "?sort=name"):
            page = (await owner.client.get(path + query)).json()
            assert len(page["items"]) == 20
            assert page["next_cursor"]

    async def test_an_empty_list(self, owner: Person, path: str) -> None:
        for query in ("", "?sort=name", "?q=x", "?cursor="):
            assert (await owner.client.get(path + query)).json() == {"items": [], "next_cursor": None}

    async def test_a_trailing_slash(self, owner: Person, path: str) -> None:
        answer = await owner.client.get(path + "/", params={"limit": 3})
        assert answer.status_code == 200


@pytest.mark.parametrize("path", LISTS)
class TestBounds:
    async def test_limit(self, owner: Person, path: str) -> None:
        for limit in ("-1", "0", "101", "1000000000", "99999999999999999999", "1.5", "x", "", "NaN"):
            answer = await owner.client.get(f"{path}?limit={limit}")
            assert answer.status_code == 422, limit
            assert answer.json()["errors"][0]["field"] == "limit"

    async def test_others(self, owner: Person, path: str) -> None:
        for query in ("sort=hacked", "sort=owner_id", "sort=", "q=" + "x" * 101, "cursor=" + "x" * 1001):
            assert (await owner.client.get(f"{path}?{query}")).status_code == 422, query

    async def test_a_null_character(self, owner: Person, path: str) -> None:
        for query in ("q=%00", "q=a%00b", "cursor=%00", "limit=%00", "sort=%00", "other=%00"):
            assert (await owner.client.get(f"{path}?{query}")).status_code == 422, query

    async def test_a_query_that_is_not_utf_8(self, owner: Person, path: str) -> None:
        assert (await owner.client.get(f"{path}?q=%ff%fe")).status_code in (200, 422)


@pytest.mark.parametrize("path", LISTS)
class TestSearch:
    TEXTS = (
        "100% sure",
        "1000 sure",
        "a_b",
        "axb",
        "back\\slash",
        "backslash",
        "Größe",
        "größe",
        "龍の巣",
        "it's",
        "50%",
    )
    FINDS = (
        ("%", {"100% sure", "50%"}),
        ("0%", {"100% sure", "50%"}),
        ("_", {"a_b"}),
        ("a_b", {"a_b"}),
        ("\\", {"back\\slash"}),
        ("k\\s", {"back\\slash"}),
        ("\\%", set()),
        ("GRÖ", {"Größe", "größe"}),
        ("龍", {"龍の巣"}),
        ("'", {"it's"}),
        ("SURE", {"100% sure", "1000 sure"}),
        ("'; DROP TABLE map; --", set()),
        (" ", {"100% sure", "1000 sure"}),
        ("", set(TEXTS)),
    )

    async def test_takes_every_character_as_itself(self, owner: Person, path: str) -> None:
        await fill(owner, path, list(self.TEXTS))
        for q, found in self.FINDS:
            items = await walk(owner.client, path, q=q, limit=2)
            assert [item["name"] for item in items] == [name for name in self.TEXTS if name in found], q

    async def test_looks_into_the_description_too(self, owner: Person, path: str) -> None:
        [first, _] = await fill(owner, path, ["one", "two"])
        await owner.client.patch(f"{path}/{first}", json={"description": "Here be DRAGONS."})
        assert [item["id"] for item in await walk(owner.client, path, q="dragons")] == [first]


ID = "01a1fbbf-0000-7000-8000-000000000000"
FORGED = (
    "x",
    "====",
    "%F0%9F%90%89",
    forged(b"\xff\xfe"),
    forged(b"["),
    forged([]),
    forged(5),
    forged(None),
    forged("abc"),
    forged({"created_at": 1, "b": 2, "c": 3}),
    forged([[], {}, []]),
    *(
        forged([order, value, last_id])
        for order in ("created_at", "-created_at", "name", "updated_at", "owner_id", None, 1)
        for value, last_id in [
            (2**53, ID),
            (-1, ID),
            (None, ID),
            ("2026-01-01T00:00:00", ID),
            ("0001-01-01T00:00:00+14:00", ID),
            ("9999-12-31T23:59:59.999999-14:00", ID),
            ("10000-01-01T00:00:00Z", ID),
            ("\0", ID),
            ("a", "\0"),
            ("a", "1"),
            ("a", None),
            ("a", 7),
            ("a", [ID]),
            ({}, ID),
            ("a" * 400, ID),
            (True, ID),
        ]
    ),
)


class TestCursor:
    @given(st.text(max_size=100), st.uuids())
    def test_survives_a_round_trip(self, name: str, last_id: UUID) -> None:
        if "\0" not in name:
            assert decode_cursor(encode_cursor("name", name, last_id), "name", str) == (name, last_id)

    @given(st.text(max_size=60) | st.binary(max_size=60).map(forged))
    def test_junk_is_refused(self, cursor: str) -> None:
        with pytest.raises(Unprocessable):
            decode_cursor(cursor, "name", str)

    @pytest.mark.parametrize("path", LISTS)
    async def test_forged_ones_never_hurt(self, owner: Person, path: str) -> None:
        await fill(owner, path, ["a", "b"])
        orders = ("created_at", "-name", "updated_at")
        for cursor in FORGED:
            for sort in ({}, *({"sort": order} for order in orders)):
                query = "&".join(f"{name}={value}" for name, value in {**sort, "cursor": cursor}.items())
                answer = await owner.client.get(f"{path}?{query}")
                assert answer.status_code in (200, 422), (cursor, answer.text)
                if answer.status_code == 422:
                    assert answer.json()["errors"][0]["field"] == "cursor"

    @pytest.mark.parametrize("path", LISTS)
    async def test_of_another_order(self, owner: Person, path: str) -> None:
        await fill(owner, path, ["a", "b", "c"])
        cursors = {
            order: (await owner.client.get(path, params={"sort": order, "limit": 1})).json()["next_cursor"]
            for order in ORDERS
        }
        for made_for, cursor in cursors.items():
            for order in ORDERS:
                answer = await owner.client.get(path, params={"sort": order, "cursor": cursor})
                assert answer.status_code == (200 if order == made_for else 422)

    @pytest.mark.parametrize("path", LISTS)
    async def test_of_a_deleted_row(self, owner: Person, path: str) -> None:
        ids = await fill(owner, path, ["a", "b", "c"])
        for order in ("created_at", "name", "updated_at"):
            page = await owner.client.get(path, params={"sort": order, "limit": 1})
            if order == "created_at":
                await owner.client.delete(f"{path}/{ids[0]}")
            rest = await owner.client.get(path, params={"sort": order, "cursor": page.json()["next_cursor"]})
            assert {item["id"] for item in rest.json()["items"]} >= {ids[2]}

    @pytest.mark.parametrize("path", LISTS)
    async def test_a_stranger_learns_nothing_from_one(self, owner: Person, stranger: Person, path: str) -> None:
        await fill(owner, path, ["a", "b", "c"])
        mine = await fill(stranger, path, ["z"])
        for order in ORDERS:
            page = await owner.client.get(path, params={"sort": order, "limit": 1})
            answer = await stranger.client.get(path, params={"sort": order, "cursor": page.json()["next_cursor"]})
            assert {item["id"] for item in answer.json()["items"]} <= set(mine)


class TestPrivacy:
    """Lists, search, cursors and ETags as a stranger: no leak."""

    async def test_lists_and_search(self, owner: Person, stranger: Person) -> None:
        secret = f"Secret {uuid4().hex}"
        universe = await owner.universe(name=secret)
        await owner.map(universe["id"], name=secret)
        for path in LISTS:
            for parameters in ({}, {"q": secret}, {"sort": "name"}, {"q": "Secret", "sort": "-updated_at"}):
                answer = await stranger.client.get(path, params=parameters)
                assert answer.json() == {"items": [], "next_cursor": None}

    async def test_maps_of_a_universe(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        await owner.map(universe["id"])
        theirs = await stranger.client.get("/maps", params={"universe_id": universe["id"]})
        nothing = await stranger.client.get("/maps", params={"universe_id": str(uuid7())})
        assert theirs.status_code == nothing.status_code == 404
        assert {**theirs.json(), "request_id": 0} == {**nothing.json(), "request_id": 0}

    async def test_etags(self, owner: Person, stranger: Person) -> None:
        made = await owner.map()
        for path in (f"/maps/{made['id']}", f"/universes/{made['universe_id']}"):
            for query in ("", "?x=1"):
                answer = await stranger.client.get(path + query, headers={"if-none-match": '"1", *'})
                assert answer.status_code == 404
                assert "etag" not in answer.headers
            for method in ("PUT", "PATCH", "DELETE"):
                body = {} if method == "DELETE" else {"json": {"name": "Mine"}}
                answer = await stranger.client.request(method, path, headers={"if-match": '"7"'}, **body)
                assert answer.status_code == 404


@contextmanager
def counted(app: FastAPI) -> Iterator[Callable[[], int]]:
    """Counts the statements of the app's engine; the hot routes have a pool of their own."""
    statements: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = app.state.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield lambda: len(statements)
    finally:
        event.remove(engine, "before_cursor_execute", count)


class TestStatements:
    @pytest.mark.parametrize(
        "query", ["/universes?sort=name", "/maps?sort=name", "/maps?q=a", "/maps?universe_id={}"]
    )
    async def test_a_list_takes_as_many_however_long_it_is(self, app: FastAPI, owner: Person, query: str) -> None:
        universe = await owner.universe()
        counts = []
        for _ in range(3):
            with counted(app) as count:
                answer = await owner.client.get(query.format(universe["id"]) + "&limit=100")
            assert answer.status_code == 200
            counts.append(count())
            await asyncio.gather(
                *(owner.map(universe["id"], name="a") for _ in range(4)), owner.universe(name="b")
            )
        assert len(set(counts)) == 1
        # Who asks; the universe, where one is named; the list.
        assert counts[0] <= 3

    async def test_hot_lists_take_none_of_the_engine(self, app: FastAPI, owner: Person) -> None:
        await owner.map()
        with counted(app) as count:
            for path in (*LISTS, "/maps?limit=5"):
                assert (await owner.client.get(path)).status_code == 200
        assert count() == 0

    async def test_events_take_as_many_however_many_there_are(self, app: FastAPI, owner: Person) -> None:
        universe = await owner.universe()
        counts = []
        for _ in range(2):
            with counted(app) as count:
                await owner.client.get(f"/universes/{universe['id']}/events")
            counts.append(count())
            await owner.map(universe["id"])
        assert len(set(counts)) == 1

    async def test_pages_follow_an_index(self, owner: Person, database: asyncpg.Connection) -> None:
        # With few rows, PostgreSQL prefers to sort. With sequential scans disabled, it must use an index for each
        # order.
        await database.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        plan = await database.fetch(
            "EXPLAIN SELECT u.* FROM member m JOIN universe u ON u.id = m.universe_id"
            " WHERE m.user_id = $1 ORDER BY m.universe_id LIMIT 21",
            UUID(owner.id),
        )
        text = "\n".join(row[0] for row in plan)
        assert "uq_member_user_id_universe_id_role" in text, text
        assert "Sort" not in text, text
