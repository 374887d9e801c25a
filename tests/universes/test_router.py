"""Universes over HTTP: one class for each operation."""

import asyncio
from typing import Any

import asyncpg
import httpx2
import pytest

from game.core.ids import uuid7
from tests.conftest import Person

FORBIDDEN = {
    "id": str(uuid7()),
    "owner_id": str(uuid7()),
    "version": 7,
    "created_at": "2020-01-01T00:00:00Z",
    "event_seq": 0,
    "is_superuser": True,
    "role": "owner",
    "Name": "A",
}
"""Fields that no body may set."""


def same(one: httpx2.Response, other: httpx2.Response) -> bool:
    """Whether two responses are the same, except for the request's id."""
    texts = [answer.text.replace(answer.headers["x-request-id"], "") for answer in (one, other)]
    return one.status_code == other.status_code and texts[0] == texts[1]


async def events(person: Person, universe_id: str) -> list[dict[str, Any]]:
    """The log of a universe."""
    answer = await person.client.get(f"/universes/{universe_id}/events", params={"limit": 1000})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def without_cursors(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events but for their cursors, which are new each time."""
    return [{name: value for name, value in item.items() if name != "cursor"} for item in items]


class TestCreate:
    async def test_anonymous(self, client: httpx2.AsyncClient) -> None:
        assert (await client.post("/universes", json={"name": "A"})).status_code == 401

    async def test_valid(self, owner: Person) -> None:
        answer = await owner.client.post("/universes", json={"name": " The Marches ", "description": "Wet."})
        assert answer.status_code == 201
        body = answer.json()
        assert answer.headers["location"] == f"/universes/{body['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (body["name"], body["description"], body["owner_id"]) == ("The Marches", "Wet.", owner.id)
        assert body.keys() == {
            *[
                "id",
                "name",
                "description",
                "owner_id",
                "role",
                "active_map_id",
                "version",
                "created_at",
                "updated_at",
            ]
        }
        assert (await owner.client.get(answer.headers["location"])).json() == body
        assert (await owner.client.get(answer.headers["location"] + "?x=1")).json() == body

    async def test_is_the_first_event(self, owner: Person) -> None:
        universe = await owner.universe(name="A", description="B")
        [event] = await events(owner, universe["id"])
        assert event.pop("created_at").endswith("Z")
        assert event.pop("cursor")
        assert event == {
            "seq": 1,
            "kind": "universe.created",
            "actor_id": owner.id,
            "subject_id": universe["id"],
            "payload": {"name": "A", "description": "B"},
        }

    @pytest.mark.parametrize(
        "name", ["", " ", "\u2003\u3000", "x" * 101, "a\nb", "a\x1bb", "a\x85b", "a\u2028b", None, 5]
    )
    async def test_names_that_are_none(self, owner: Person, name: Any) -> None:
        answer = await owner.client.post("/universes", json={"name": name})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "name"

    @pytest.mark.parametrize(
        "name", ["x", "x" * 100, "🐉" * 100, "Ærø — «龍»", "<img src=x onerror=alert(1)>", "=HYPERLINK(1)", ".env"]
    )
    async def test_names_that_are(self, owner: Person, name: str) -> None:
        universe = await owner.universe(name=name)
        assert universe["name"] == name
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == universe

    @pytest.mark.parametrize("description", ["x" * 10_001, None, 5, []])
    async def test_descriptions_that_are_none(self, owner: Person, description: Any) -> None:
        answer = await owner.client.post("/universes", json={"name": "A", "description": description})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "description"

    async def test_a_description_may_be_long_and_have_lines(self, owner: Person) -> None:
        description = "línea\n\t" + "🐉" * 9_993
        assert (await owner.universe(description=description))["description"] == description

    async def test_fields_that_are_not_the_clients(self, owner: Person) -> None:
        for field, value in FORBIDDEN.items():
            answer = await owner.client.post("/universes", json={"name": "A", field: value})
            assert answer.status_code == 422
            assert answer.json()["errors"] == [
                {"field": field, "code": "extra_forbidden", "message": "Extra inputs are not permitted"}
            ]
        assert (await owner.client.get("/universes")).json()["items"] == []


class TestRead:
    async def test_anonymous(self, client: httpx2.AsyncClient, owner: Person) -> None:
        universe = await owner.universe()
        assert (await client.get(f"/universes/{universe['id']}")).status_code == 401

    async def test_stranger_gets_the_same_as_for_nothing(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        theirs = await stranger.client.get(f"/universes/{universe['id']}")
        nothing = await stranger.client.get(f"/universes/{uuid7()}")
        assert theirs.status_code == 404
        assert same(theirs, nothing)

    async def test_superuser(self, owner: Person, superuser: Person) -> None:
        """A superuser reads every universe, but has none in their list that they are no member of."""
        universe = await owner.universe()
        answer = await superuser.client.get(f"/universes/{universe['id']}")
        assert (answer.status_code, answer.json()) == (200, {**universe, "role": "superuser"})
        assert (await superuser.client.get("/universes")).json()["items"] == []


class TestReplace:
    async def test_stranger(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        answer = await stranger.client.put(f"/universes/{universe['id']}", json={"name": "Mine"})
        assert same(answer, await stranger.client.put(f"/universes/{uuid7()}", json={"name": "Mine"}))
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == universe

    async def test_what_is_left_out_gets_its_default(self, owner: Person) -> None:
        universe = await owner.universe(name="A", description="Old")
        answer = await owner.client.put(f"/universes/{universe['id']}", json={"name": "B"})
        assert answer.status_code == 200
        assert answer.headers["etag"] == '"2"'
        changed = answer.json()
        assert (changed["name"], changed["description"], changed["version"]) == ("B", "", 2)
        assert changed["updated_at"] > universe["updated_at"]
        assert changed["created_at"] == universe["created_at"]
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == changed

    async def test_needs_a_name(self, owner: Person) -> None:
        universe = await owner.universe()
        answer = await owner.client.put(f"/universes/{universe['id']}", json={"description": "B"})
        assert answer.status_code == 422

    async def test_the_same_is_no_change(self, owner: Person) -> None:
        universe = await owner.universe(name="A", description="B")
        answer = await owner.client.put(
            f"/universes/{universe['id']}", json={"name": "A", "description": "B"}, headers={"if-match": '"1"'}
        )
        assert answer.json() == universe
        assert answer.headers["etag"] == '"1"'
        assert len(await events(owner, universe["id"])) == 1

    async def test_fields_that_are_not_the_clients(self, owner: Person) -> None:
        universe = await owner.universe()
        for field, value in FORBIDDEN.items():
            body = {"name": "A", field: value}
            assert (await owner.client.put(f"/universes/{universe['id']}", json=body)).status_code == 422, field
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == universe


class TestUpdate:
    async def test_stranger(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        answer = await stranger.client.patch(f"/universes/{universe['id']}", json={"name": "Mine"})
        assert same(answer, await stranger.client.patch(f"/universes/{uuid7()}", json={"name": "Mine"}))
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == universe

    async def test_what_is_not_named_stays(self, owner: Person, database: asyncpg.Connection) -> None:
        universe = await owner.universe(name="A", description="Old")
        answer = await owner.client.patch(f"/universes/{universe['id']}", json={"name": "B"})
        assert answer.status_code == 200
        changed = answer.json()
        assert (changed["name"], changed["description"], changed["version"]) == ("B", "Old", 2)
        event = (await events(owner, universe["id"]))[-1]
        assert event["kind"] == "universe.updated"
        assert event["payload"] == {"name": "B", "version": 2}
        before = await database.fetchval(
            "SELECT before FROM event WHERE universe_id = $1 AND seq = 2", universe["id"]
        )
        assert before == '{"name": "A"}'

    @pytest.mark.parametrize("body", [{}, {"name": "A"}, {"name": "A", "description": "B"}])
    async def test_nothing_and_the_same_are_no_change(self, owner: Person, body: dict[str, str]) -> None:
        universe = await owner.universe(name="A", description="B")
        answer = await owner.client.patch(f"/universes/{universe['id']}", json=body)
        assert (answer.status_code, answer.json()) == (200, universe)
        assert len(await events(owner, universe["id"])) == 1

    @pytest.mark.parametrize(
        "body", [{"name": None}, {"description": None}, {"name": ""}, {"name": "B", "description": 1}]
    )
    async def test_null_is_no_value(self, owner: Person, body: dict[str, Any]) -> None:
        universe = await owner.universe()
        assert (await owner.client.patch(f"/universes/{universe['id']}", json=body)).status_code == 422
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == universe

    async def test_fields_that_are_not_the_clients(self, owner: Person) -> None:
        universe = await owner.universe()
        for field, value in FORBIDDEN.items():
            answer = await owner.client.patch(f"/universes/{universe['id']}", json={field: value})
            assert answer.status_code == 422, field
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == universe

    async def test_eight_at_once_with_one_etag(self, owner: Person) -> None:
        universe = await owner.universe()
        answers = await asyncio.gather(
            *(
                owner.client.patch(
                    f"/universes/{universe['id']}", json={"name": f"N{number}"}, headers={"if-match": '"1"'}
                )
                for number in range(8)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
        [winner] = [answer for answer in answers if answer.status_code == 200]
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == winner.json()
        assert {answer.json()["current_version"] for answer in answers if answer.status_code == 412} == {2}

    async def test_eight_at_once_of_different_fields_all_survive(self, owner: Person) -> None:
        universe = await owner.universe()
        path = f"/universes/{universe['id']}"
        # Each field's last word is the same, whichever of its four comes last.
        answers = await asyncio.gather(
            *(
                owner.client.patch(path, json={"name": "New"} if number % 2 else {"description": "Told"})
                for number in range(8)
            )
        )
        assert {answer.status_code for answer in answers} == {200}
        now = (await owner.client.get(path)).json()
        assert (now["name"], now["description"], now["version"]) == ("New", "Told", 3)

    async def test_where_the_party_is(self, owner: Person) -> None:
        universe = await owner.universe()
        path = f"/universes/{universe['id']}"
        hidden, shown, elsewhere = [
            (await owner.map(home, visibility=visibility))["id"]
            for home, visibility in (
                (universe["id"], "game_masters"),
                (universe["id"], "members"),
                (None, "members"),
            )
        ]
        for map_id in (hidden, elsewhere):
            answer = await owner.client.patch(path, json={"active_map_id": map_id})
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "not_visible")
        for map_id in (shown, None):
            assert (await owner.client.patch(path, json={"active_map_id": map_id})).status_code == 200
            assert (await owner.client.get(path)).json()["active_map_id"] == map_id


class TestDelete:
    async def test_stranger(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        answer = await stranger.client.delete(f"/universes/{universe['id']}")
        assert same(answer, await stranger.client.delete(f"/universes/{uuid7()}"))
        assert (await owner.client.get(f"/universes/{universe['id']}")).status_code == 200

    async def test_takes_maps_chunks_and_events_but_for_the_last(
        self, owner: Person, database: asyncpg.Connection
    ) -> None:
        universe = await owner.universe(name="Doomed")
        grid = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["#" * 70] * 70}]}
        made = [await owner.map(universe["id"], grid_data=grid) for _ in range(3)]
        other = await owner.map(grid_data=grid)
        answer = await owner.client.delete(f"/universes/{universe['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        for path in (
            f"/universes/{universe['id']}",
            f"/universes/{universe['id']}/events",
            f"/maps/{made[0]['id']}",
        ):
            assert (await owner.client.get(path)).status_code == 404
            assert (await owner.client.get(path + "?limit=5")).status_code == 404
        for table in ("map", "map_chunk"):
            count = await database.fetchval(f"SELECT count(*) FROM {table} WHERE universe_id = $1", universe["id"])
            assert count == 0
        [last] = await database.fetch("SELECT * FROM event WHERE universe_id = $1", universe["id"])
        assert (last["kind"], last["seq"]) == ("universe.deleted", 5)
        assert str(last["actor_id"]) == owner.id
        assert (await owner.client.get(f"/maps/{other['id']}")).json()["grid_data"] == {**grid}

    async def test_twice(self, owner: Person) -> None:
        universe = await owner.universe()
        path = f"/universes/{universe['id']}"
        answers = await asyncio.gather(*(owner.client.delete(path) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]

    async def test_while_its_maps_are_made_and_changed_and_moved(
        self, owner: Person, database: asyncpg.Connection
    ) -> None:
        grid = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["#" * 3] * 3}]}
        for _ in range(4):
            universe, haven = await owner.universe(), await owner.universe()
            maps = [await owner.map(universe["id"], grid_data=grid) for _ in range(4)]
            incoming = await owner.map(haven["id"], grid_data=grid)
            work = [
                owner.client.patch(f"/maps/{maps[0]['id']}", json={"name": "A"}),
                owner.client.post("/maps", json={"name": "B", "universe_id": universe["id"], "grid_data": grid}),
                owner.client.put(f"/maps/{maps[1]['id']}", json={"name": "C", "grid_data": {}}),
                owner.client.patch(f"/maps/{maps[2]['id']}", json={"universe_id": haven["id"]}),
                owner.client.delete(f"/universes/{universe['id']}"),
                owner.client.patch(f"/maps/{incoming['id']}", json={"universe_id": universe["id"]}),
                owner.client.delete(f"/maps/{maps[3]['id']}"),
                owner.client.patch(f"/universes/{universe['id']}", json={"name": "D"}),
                owner.client.get(f"/maps/{maps[0]['id']}?x=1"),
                owner.client.get(f"/universes/{universe['id']}/events"),
            ]
            answers = await asyncio.gather(*work)
            assert {answer.status_code for answer in answers} <= {200, 201, 204, 404}, [a.text for a in answers]
            assert answers[4].status_code == 204
            left = await database.fetch("SELECT kind FROM event WHERE universe_id = $1", universe["id"])
            assert [event["kind"] for event in left] == ["universe.deleted"]
        orphans = """
            SELECT count(*) FROM map m FULL JOIN universe u ON u.id = m.universe_id WHERE u.id IS NULL
            UNION ALL
            SELECT count(*) FROM map_chunk c
            LEFT JOIN map m ON m.id = c.map_id AND m.universe_id = c.universe_id WHERE m.id IS NULL
        """
        assert [row[0] for row in await database.fetch(orphans)] == [0, 0]


class TestEvents:
    async def test_anonymous(self, client: httpx2.AsyncClient, owner: Person) -> None:
        universe = await owner.universe()
        assert (await client.get(f"/universes/{universe['id']}/events")).status_code == 401

    async def test_stranger(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        answer = await stranger.client.get(f"/universes/{universe['id']}/events")
        assert same(answer, await stranger.client.get(f"/universes/{uuid7()}/events"))

    async def test_in_order_and_from_a_number_on(self, owner: Person) -> None:
        universe = await owner.universe()
        for number in range(5):
            await owner.client.patch(f"/universes/{universe['id']}", json={"name": f"N{number}"})
        path = f"/universes/{universe['id']}/events"
        whole = (await owner.client.get(path)).json()
        assert [event["seq"] for event in whole["items"]] == [1, 2, 3, 4, 5, 6]
        assert whole["next_after"] == 6
        part = (await owner.client.get(path, params={"after": 2, "limit": 3})).json()
        assert without_cursors(part["items"]) == without_cursors(whole["items"][2:5])
        assert part["next_after"] == 5
        for after in (6, 7, 2**53 - 1):
            empty = (await owner.client.get(path, params={"after": after})).json()
            assert (empty["items"], empty["next_after"]) == ([], after)

    async def test_cursors(self, owner: Person, stranger: Person) -> None:
        """They go on where they stand, and are good for one reader and one universe only."""
        universe, other = await owner.universe(), await owner.universe()
        for number in range(3):
            await owner.client.patch(f"/universes/{universe['id']}", json={"name": f"N{number}"})
        path = f"/universes/{universe['id']}/events"
        whole = (await owner.client.get(path)).json()
        for index, event in enumerate(whole["items"]):
            rest = (await owner.client.get(path, params={"cursor": event["cursor"]})).json()
            assert without_cursors(rest["items"]) == without_cursors(whole["items"][index + 1 :])
        end = (await owner.client.get(path, params={"cursor": whole["next_cursor"]})).json()
        assert end["items"] == []
        foreign = (await owner.client.get(f"/universes/{other['id']}/events")).json()["next_cursor"]
        for cursor in (foreign, "x", whole["next_cursor"][:-4] + "AAAA", ""):
            answer = await owner.client.get(path, params={"cursor": cursor})
            assert answer.status_code == 422, cursor

    @pytest.mark.parametrize(
        "query",
        ["after=-1", "after=x", "after=9007199254740992", "after=1e3", "limit=0", "limit=1001", "limit=-5"],
    )
    async def test_bounds(self, owner: Person, query: str) -> None:
        universe = await owner.universe()
        assert (await owner.client.get(f"/universes/{universe['id']}/events?{query}")).status_code == 422
