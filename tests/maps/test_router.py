"""Maps over HTTP: one class for each operation."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import orjson
import pytest
from fastapi import FastAPI

from game.core.ids import uuid7
from game.maps.models import GRID_EXAMPLE
from tests.conftest import Person

FORBIDDEN = {
    "id": str(uuid7()),
    "owner_id": str(uuid7()),
    "version": 7,
    "updated_at": "2020-01-01T00:00:00Z",
    "width": 5,
    "is_superuser": True,
    "role": "owner",
    "gridData": {},
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


async def read(person: Person, map_id: str) -> dict[str, Any]:
    """A map by the hot and by the plain way, which are equal."""
    hot, plain = [await person.client.get(f"/maps/{map_id}{query}") for query in ("", "?x=1")]
    assert (hot.status_code, hot.content) == (200, plain.content)
    assert hot.headers["etag"] == plain.headers["etag"] == f'"{hot.json()["version"]}"'
    return dict(hot.json())


class TestCreate:
    async def test_anonymous(self, client: httpx2.AsyncClient, owner: Person) -> None:
        body = {"name": "A", "universe_id": (await owner.universe())["id"]}
        assert (await client.post("/maps", json=body)).status_code == 401

    async def test_in_a_universe_of_another_user(self, owner: Person, stranger: Person, superuser: Person) -> None:
        body = {"name": "A", "universe_id": (await owner.universe())["id"]}
        answer = await stranger.client.post("/maps", json=body)
        assert answer.status_code == 404
        assert same(answer, await stranger.client.post("/maps", json={**body, "universe_id": str(uuid7())}))
        assert (await owner.client.get("/maps")).json()["items"] == []
        assert (await superuser.client.post("/maps", json=body)).status_code == 201

    async def test_valid(self, owner: Person) -> None:
        universe = await owner.universe()
        body = {"name": " Crypt ", "description": "Wet.", "universe_id": universe["id"], "grid_data": GRID_EXAMPLE}
        answer = await owner.client.post("/maps", json=body)
        assert answer.status_code == 201
        made = answer.json()
        assert answer.headers["location"] == f"/maps/{made['id']}"
        assert answer.headers["etag"] == '"1"'
        assert made["grid_data"] == GRID_EXAMPLE
        assert made.keys() == {
            "id",
            "universe_id",
            "name",
            "description",
            "visibility",
            "fog",
            "fog_sharing",
            "lighting",
            "grid_data",
            "version",
            "created_at",
            "updated_at",
        }
        assert (made["name"], made["description"], made["universe_id"]) == ("Crypt", "Wet.", universe["id"])
        assert await read(owner, made["id"]) == made
        [listed] = (await owner.client.get("/maps")).json()["items"]
        assert listed == {name: value for name, value in made.items() if name != "grid_data"}

    async def test_without_a_grid_it_is_empty(self, owner: Person) -> None:
        made = await owner.map()
        assert (made["grid_data"], made["description"], made["version"]) == ({}, "", 1)

    async def test_is_an_event(self, owner: Person) -> None:
        made = await owner.map(name="Crypt")
        event = (await events(owner, made["universe_id"]))[-1]
        assert (event["seq"], event["kind"], event["subject_id"]) == (2, "map.created", made["id"])
        seen = {"visibility": "game_masters", "fog": "off", "fog_sharing": "party", "lighting": "bright"}
        assert event["payload"] == {"name": "Crypt", **seen, "version": 1}

    @pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\tb", None])
    async def test_names_that_are_none(self, owner: Person, name: Any) -> None:
        body = {"name": name, "universe_id": (await owner.universe())["id"]}
        assert (await owner.client.post("/maps", json=body)).status_code == 422

    @pytest.mark.parametrize("universe_id", ["", "x", 5, None, [], "99999999999999999999", "\ud7ff"])
    async def test_universe_ids_that_are_none(self, owner: Person, universe_id: Any) -> None:
        answer = await owner.client.post("/maps", json={"name": "A", "universe_id": universe_id})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "universe_id"

    async def test_fields_that_are_not_the_clients(self, owner: Person) -> None:
        body = {"name": "A", "universe_id": (await owner.universe())["id"]}
        for field, value in FORBIDDEN.items():
            answer = await owner.client.post("/maps", json={**body, field: value})
            assert answer.status_code == 422
            assert [error["field"] for error in answer.json()["errors"]] == [field]


GRID = {"width": 3, "height": 2, "legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["# #", "###"]}]}


class TestGridRules:
    """A violation of the rules of the grid is a 422 that names the place, whichever way the grid comes."""

    VIOLATIONS = (
        ({"layers": [{"name": "a", "rows": ["# #", "##"]}]}, "grid_data.layers[0].rows[1]", "row_too_short"),
        ({"layers": [{"name": "a", "rows": ["# #", "####"]}]}, "grid_data.layers[0].rows[1]", "row_too_long"),
        ({"layers": [{"name": "a", "rows": ["# #", "#?#"]}]}, "grid_data.layers[0].rows[1]", "unknown_symbol"),
        ({"layers": [{"name": "a", "rows": ["# #"]}]}, "grid_data.layers[0].rows", "too_few_rows"),
        ({"layers": [{"name": "a"}, {"name": "a"}]}, "grid_data.layers[1].name", "duplicate_name"),
        ({"entities": [{"id": "e", "x": 3, "y": 0}]}, "grid_data.entities[0].x", "out_of_bounds"),
        ({"entities": [{"id": "e", "x": 0, "y": -1}]}, "grid_data.entities[0].y", "out_of_bounds"),
        ({"width": 4097}, "grid_data.width", "out_of_range"),
        ({"width": "3"}, "grid_data.width", "wrong_type"),
        ({"width": True}, "grid_data.width", "wrong_type"),
        ({"legend": [{"symbol": "🐉"}]}, "grid_data.legend[0].symbol", "not_a_symbol"),
        ({"layers": {}}, "grid_data.layers", "wrong_type"),
        ({"layers": [{"name": str(n)} for n in range(33)]}, "grid_data.layers", "too_many"),
    )

    @pytest.mark.parametrize(
        ("change", "place", "code"), VIOLATIONS, ids=[violation[1] for violation in VIOLATIONS]
    )
    async def test_names_the_place(self, owner: Person, change: dict[str, Any], place: str, code: str) -> None:
        made = await owner.map(grid_data=GRID)
        grid = {**GRID, **change}
        path = f"/maps/{made['id']}"
        for answer in (
            await owner.client.post(
                "/maps", json={"name": "A", "universe_id": made["universe_id"], "grid_data": grid}
            ),
            await owner.client.put(path, json={"name": "A", "grid_data": grid}),
            await owner.client.patch(path, json={"grid_data": grid}),
        ):
            assert answer.status_code == 422
            assert answer.json()["code"] == "INVALID_GRID_DATA"
            assert (place, code) in [(error["field"], error["code"]) for error in answer.json()["errors"]]
        assert await read(owner, made["id"]) == made
        assert len((await owner.client.get("/maps")).json()["items"]) == 1

    @pytest.mark.parametrize("grid", [None, [], "x", 5, True])
    async def test_what_is_no_object(self, owner: Person, grid: Any) -> None:
        made = await owner.map(grid_data=GRID)
        for method in ("PUT", "PATCH"):
            body = {"name": "A", "grid_data": grid}
            assert (await owner.client.request(method, f"/maps/{made['id']}", json=body)).status_code == 422
        assert await read(owner, made["id"]) == made


class TestRead:
    async def test_anonymous(self, client: httpx2.AsyncClient, owner: Person) -> None:
        made = await owner.map()
        assert (await client.get(f"/maps/{made['id']}")).status_code == 401

    async def test_stranger_and_superuser(self, owner: Person, stranger: Person, superuser: Person) -> None:
        made = await owner.map()
        for query in ("", "?x=1"):
            theirs = await stranger.client.get(f"/maps/{made['id']}{query}")
            assert theirs.status_code == 404
            assert same(theirs, await stranger.client.get(f"/maps/{uuid7()}{query}"))
            assert (await superuser.client.get(f"/maps/{made['id']}{query}")).json() == made

    async def test_a_document_of_a_games_own_making(self, owner: Person) -> None:
        grid = {"tiles": [[1, 2], [3, {"a": None}]], "rows": ["x"], "": {"layer": 1.5}, "é🐉": True, "width": 0}
        made = await owner.map(grid_data=grid)
        assert (await read(owner, made["id"]))["grid_data"] == grid

    async def test_whole_floats_come_back_as_integers(self, owner: Person) -> None:
        universe = await owner.universe()
        body = (
            '{"name": "G", "universe_id": "%s", "grid_data": {"width": 2.0, "height": 1.0, "n": -0.0, "f": 0.5,'
            ' "big": 9007199254740991.0, "legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["# "]}],'
            ' "entities": [{"id": "e", "x": 1.0, "y": 0.0}]}}'
        )
        headers = {"content-type": "application/json"}
        answer = await owner.client.post("/maps", content=body % universe["id"], headers=headers)
        assert answer.status_code == 201, answer.text
        grid = (await read(owner, answer.json()["id"]))["grid_data"]
        assert '"width": 2,' in (await owner.client.get(answer.headers["location"])).text
        numbers = (grid["width"], grid["n"], grid["big"], grid["entities"][0]["x"])
        assert numbers == (2, 0, 2**53 - 1, 1)
        assert all(type(number) is int for number in numbers)
        assert grid["f"] == 0.5


class TestReplace:
    async def test_ends_when_the_client_disconnects(self, app: FastAPI, owner: Person) -> None:
        """Nothing is stored, and nobody waits for the lock of the universe."""
        made = await owner.map()
        path = f"/maps/{made['id']}"
        body = orjson.dumps({"name": "Renamed", "grid_data": GRID_EXAMPLE})
        headers = {"authorization": owner.client.headers["authorization"], "content-type": "application/json"}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "PUT",
            "scheme": "http",
            "path": path,
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
            "headers": [(b"host", b"localhost"), *((one.encode(), headers[one].encode()) for one in headers)],
        }
        received = iter([{"type": "http.request", "body": body, "more_body": False}])
        statuses = []

        async def receive() -> Any:
            return next(received, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        await app(scope, receive, send)
        assert statuses[0] == 503
        assert (await owner.client.get(path)).json() == made

    async def test_stranger(self, owner: Person, stranger: Person) -> None:
        made = await owner.map(grid_data=GRID)
        body = {"name": "Mine"}
        answer = await stranger.client.put(f"/maps/{made['id']}", json=body)
        assert answer.status_code == 404
        assert same(answer, await stranger.client.put(f"/maps/{uuid7()}", json=body))
        assert await read(owner, made["id"]) == made

    async def test_what_is_left_out_gets_its_default(self, owner: Person) -> None:
        made = await owner.map(name="A", description="Old", grid_data=GRID)
        answer = await owner.client.put(f"/maps/{made['id']}", json={"name": "B"})
        assert answer.status_code == 200
        assert answer.headers["etag"] == '"2"'
        now = answer.json()
        assert (now["name"], now["description"], now["grid_data"], now["version"]) == ("B", "", {}, 2)
        assert now["universe_id"] == made["universe_id"]
        assert await read(owner, made["id"]) == now

    async def test_the_same_is_no_change(self, owner: Person) -> None:
        made = await owner.map(name="A", description="B", grid_data=GRID)
        body = {"name": "A", "description": "B", "grid_data": GRID, "universe_id": made["universe_id"]}
        answer = await owner.client.put(f"/maps/{made['id']}", json=body)
        assert (answer.status_code, answer.json()) == (200, made)
        assert len(await events(owner, made["universe_id"])) == 2

    async def test_true_is_not_1(self, owner: Person) -> None:
        made = await owner.map(grid_data={"a": 1, "b": [0, {"c": True}]})
        for grid in ({"a": True, "b": [0, {"c": True}]}, {"a": True, "b": [False, {"c": 1}]}):
            for method, body in (("PATCH", {"grid_data": grid}), ("PUT", {"name": "A", "grid_data": grid})):
                answer = await owner.client.request(method, f"/maps/{made['id']}", json=body)
                assert str(answer.json()["grid_data"]) == str(grid)
                assert str((await read(owner, made["id"]))["grid_data"]) == str(grid)

    async def test_fields_that_are_not_the_clients(self, owner: Person) -> None:
        made = await owner.map()
        for field, value in FORBIDDEN.items():
            for method in ("PUT", "PATCH"):
                body = {"name": "B", field: value}
                answer = await owner.client.request(method, f"/maps/{made['id']}", json=body)
                assert answer.status_code == 422, field
        assert await read(owner, made["id"]) == made


class TestUpdate:
    async def test_stranger(self, owner: Person, stranger: Person) -> None:
        made = await owner.map()
        answer = await stranger.client.patch(f"/maps/{made['id']}", json={"name": "Mine"})
        assert answer.status_code == 404
        assert same(answer, await stranger.client.patch(f"/maps/{uuid7()}", json={"name": "Mine"}))
        assert await read(owner, made["id"]) == made

    @pytest.mark.parametrize(
        "change", [{"name": "B"}, {"description": "New"}, {"grid_data": {"width": 1}}, {"grid_data": {}}]
    )
    async def test_what_is_not_named_stays(self, owner: Person, change: dict[str, Any]) -> None:
        made = await owner.map(name="A", description="Old", grid_data=GRID)
        answer = await owner.client.patch(f"/maps/{made['id']}", json=change)
        now = answer.json()
        assert now["updated_at"] > made["updated_at"]
        assert now == {**made, **change, "version": 2, "updated_at": now["updated_at"]}
        assert await read(owner, made["id"]) == now
        event = (await events(owner, made["universe_id"]))[-1]
        assert event["kind"] == "map.updated"
        assert event["payload"].keys() == {*change, "version"}

    @pytest.mark.parametrize(
        "change", [{}, {"name": "A"}, {"grid_data": GRID}, {"name": "A", "description": "Old"}]
    )
    async def test_nothing_and_the_same_are_no_change(self, owner: Person, change: dict[str, Any]) -> None:
        made = await owner.map(name="A", description="Old", grid_data=GRID)
        answer = await owner.client.patch(f"/maps/{made['id']}", json=change)
        assert (answer.status_code, answer.json()) == (200, made)
        assert len(await events(owner, made["universe_id"])) == 2

    @pytest.mark.parametrize("field", ["name", "description", "grid_data", "universe_id"])
    async def test_null_is_no_value(self, owner: Person, field: str) -> None:
        made = await owner.map(grid_data=GRID)
        answer = await owner.client.patch(f"/maps/{made['id']}", json={field: None})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field
        assert await read(owner, made["id"]) == made

    async def test_eight_at_once_with_one_etag(self, owner: Person) -> None:
        made = await owner.map()
        answers = await asyncio.gather(
            *(
                owner.client.patch(
                    f"/maps/{made['id']}", json={"grid_data": {"n": number}}, headers={"if-match": '"1"'}
                )
                for number in range(8)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
        [winner] = [answer for answer in answers if answer.status_code == 200]
        assert await read(owner, made["id"]) == winner.json()

    async def test_eight_at_once_of_different_fields_all_survive(self, owner: Person) -> None:
        made = await owner.map()
        other = await owner.universe()
        changes: list[dict[str, Any]] = [
            {"name": "New"},
            {"description": "Told"},
            {"grid_data": GRID},
            {"universe_id": other["id"]},
        ] * 2
        answers = await asyncio.gather(
            *(owner.client.patch(f"/maps/{made['id']}", json=change) for change in changes)
        )
        assert [answer.status_code for answer in answers] == [200] * 8
        now = await read(owner, made["id"])
        for change in changes:
            assert now.items() >= change.items()
        assert now["version"] == 5


class TestMove:
    async def test_into_a_universe_of_another_user(self, owner: Person, stranger: Person) -> None:
        made = await owner.map()
        theirs = await stranger.universe()
        for method in ("PUT", "PATCH"):
            path = f"/maps/{made['id']}"
            answer = await owner.client.request(method, path, json={"name": "A", "universe_id": theirs["id"]})
            nowhere = await owner.client.request(method, path, json={"name": "A", "universe_id": str(uuid7())})
            assert answer.status_code == 404
            assert same(answer, nowhere)
        assert await read(owner, made["id"]) == made
        assert len(await events(stranger, theirs["id"])) == 1

    async def test_out_of_a_universe_of_another_user(self, owner: Person, stranger: Person) -> None:
        made = await owner.map()
        mine = await stranger.universe()
        answer = await stranger.client.patch(f"/maps/{made['id']}", json={"universe_id": mine["id"]})
        assert answer.status_code == 404
        assert await read(owner, made["id"]) == made

    async def test_chunks_follow_and_both_logs_tell(self, owner: Person, database: asyncpg.Connection) -> None:
        layers = [{"name": "a", "rows": ["#" * 70] * 3}, {"name": "b", "rows": [" " * 69 + "#"] * 3}]
        grid = {"legend": [{"symbol": "#"}], "layers": layers}
        made = await owner.map(name="Wagon", grid_data=grid)
        target = await owner.universe()
        answer = await owner.client.patch(
            f"/maps/{made['id']}", json={"universe_id": target["id"], "name": "Cart"}, headers={"if-match": '"1"'}
        )
        assert answer.status_code == 200
        now = await read(owner, made["id"])
        assert now == answer.json()
        assert (now["universe_id"], now["name"], now["version"]) == (target["id"], "Cart", 2)
        assert now["grid_data"] == grid
        homes = await database.fetch("SELECT DISTINCT universe_id FROM map_chunk WHERE map_id = $1", made["id"])
        assert [str(row[0]) for row in homes] == [target["id"]]
        out = (await events(owner, made["universe_id"]))[-1]
        into = (await events(owner, target["id"]))[-1]
        assert (out["kind"], out["payload"]["to"]) == ("map.moved_out", target["id"])
        assert (into["kind"], into["payload"]["from"]) == ("map.moved_in", made["universe_id"])
        assert into["payload"]["version"] == 2
        assert (await owner.client.get("/maps", params={"universe_id": made["universe_id"]})).json()["items"] == []

    async def test_to_where_it_is(self, owner: Person) -> None:
        made = await owner.map()
        answer = await owner.client.patch(f"/maps/{made['id']}", json={"universe_id": made["universe_id"]})
        assert (answer.status_code, answer.json()) == (200, made)
        assert len(await events(owner, made["universe_id"])) == 2

    async def test_with_another_grid_at_the_same_time(self, owner: Person) -> None:
        made = await owner.map(grid_data=GRID)
        target = await owner.universe()
        grid = {**GRID, "layers": [{"name": "a", "rows": ["   ", "#  "]}, {"name": "b", "rows": ["###", "###"]}]}
        body = {"universe_id": target["id"], "name": "B", "grid_data": grid}
        answer = await owner.client.put(f"/maps/{made['id']}", json=body)
        assert answer.json()["grid_data"] == grid
        assert (await read(owner, made["id"]))["grid_data"] == grid

    @pytest.mark.parametrize("change", [{"name": "New"}, {"universe_id": "haven"}])
    async def test_a_write_that_waited_meanwhile_follows_the_map(
        self, owner: Person, database: asyncpg.Connection, change: dict[str, str]
    ) -> None:
        made, new_home, haven = await owner.map(), await owner.universe(), await owner.universe()
        body = {name: value.replace("haven", haven["id"]) for name, value in change.items()}
        async with database.transaction():
            # Somebody else holds the map's universe, and then commits the map's move.
            await database.execute("SELECT 1 FROM universe WHERE id = $1 FOR UPDATE", made["universe_id"])
            waiting = asyncio.create_task(owner.client.patch(f"/maps/{made['id']}", json=body))
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            for _ in range(300):
                if await database.fetchval(blocked):
                    break
                await asyncio.sleep(0.01)
            await database.execute("UPDATE map SET universe_id = $1 WHERE id = $2", new_home["id"], made["id"])
        answer = await waiting
        assert answer.status_code == 200
        now = await read(owner, made["id"])
        assert now["universe_id"] == body.get("universe_id", new_home["id"])
        assert now["name"] == body.get("name", made["name"])

    async def test_many_at_once_while_others_write(self, owner: Person) -> None:
        homes = [(await owner.universe())["id"] for _ in range(3)]
        maps = [(await owner.map(homes[number % 3]))["id"] for number in range(3)]
        for turn in range(4):
            work = [
                owner.client.patch(f"/maps/{map_id}", json={"universe_id": homes[(number + turn) % 3]})
                for number, map_id in enumerate(maps)
            ]
            work += [
                owner.client.patch(f"/maps/{map_id}", json={"description": f"turn {turn}"}) for map_id in maps
            ]
            work += [
                owner.client.patch(f"/universes/{home}", json={"description": f"turn {turn}"}) for home in homes
            ]
            answers = await asyncio.gather(*work)
            assert [answer.status_code for answer in answers] == [200] * len(work)
        for number, map_id in enumerate(maps):
            now = await read(owner, map_id)
            assert (now["universe_id"], now["description"]) == (homes[number % 3], "turn 3")
        for home in homes:
            log = await events(owner, home)
            assert [event["seq"] for event in log] == list(range(1, len(log) + 1))


class TestDelete:
    async def test_stranger(self, owner: Person, stranger: Person) -> None:
        made = await owner.map()
        answer = await stranger.client.delete(f"/maps/{made['id']}")
        assert answer.status_code == 404
        assert same(answer, await stranger.client.delete(f"/maps/{uuid7()}"))
        assert await read(owner, made["id"]) == made

    async def test_valid(self, owner: Person, database: asyncpg.Connection) -> None:
        made = await owner.map(name="Gone", grid_data=GRID)
        answer = await owner.client.delete(f"/maps/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        for query in ("", "?x=1"):
            assert (await owner.client.get(f"/maps/{made['id']}{query}")).status_code == 404
        assert (await owner.client.delete(f"/maps/{made['id']}")).status_code == 404
        assert await database.fetchval("SELECT count(*) FROM map_chunk WHERE map_id = $1", made["id"]) == 0
        event = (await events(owner, made["universe_id"]))[-1]
        assert (event["kind"], event["payload"]) == ("map.deleted", {"name": "Gone"})

    async def test_of_a_map_that_is_too_large_for_its_event(
        self, owner: Person, database: asyncpg.Connection
    ) -> None:
        made = await owner.map(name="Large", grid_data=GRID)
        await database.execute(
            """INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)
            SELECT $1, $2, 0, x, y, '["#"]' FROM generate_series(1, 64) x, generate_series(1, 65) y""",
            UUID(made["universe_id"]),
            UUID(made["id"]),
        )
        answer = await owner.client.delete(f"/maps/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        before = await database.fetchval(
            "SELECT before FROM event WHERE universe_id = $1 AND kind = 'map.deleted'", UUID(made["universe_id"])
        )
        assert "chunks" not in orjson.loads(before)

    async def test_while_it_is_read(self, owner: Person) -> None:
        for _ in range(5):
            made = await owner.map(grid_data=GRID)
            path = f"/maps/{made['id']}"
            reads = [owner.client.get(f"{path}{query}") for query in ("", "?x=1") for _ in range(4)]
            answers = await asyncio.gather(*reads[:4], owner.client.delete(path), *reads[4:])
            assert {answer.status_code for answer in answers} <= {200, 204, 404}


class TestList:
    async def test_anonymous(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/maps")).status_code == 401

    async def test_of_one_universe_or_of_all(self, owner: Person) -> None:
        first, second = await owner.map(), await owner.map()
        everything = (await owner.client.get("/maps")).json()["items"]
        assert [item["id"] for item in everything] == [first["id"], second["id"]]
        one = await owner.client.get("/maps", params={"universe_id": second["universe_id"]})
        assert [item["id"] for item in one.json()["items"]] == [second["id"]]
        assert "grid_data" not in one.json()["items"][0]

    @pytest.mark.parametrize("universe_id", ["x", "", "99999999999999999999", "null"])
    async def test_of_what_is_no_universe(self, owner: Person, universe_id: str) -> None:
        answer = await owner.client.get("/maps", params={"universe_id": universe_id})
        assert answer.status_code == 422
