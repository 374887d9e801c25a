"""Idempotency-Key: one row and one response, however often and however parallel a POST is sent."""

import asyncio
import io
import random
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from game.core import idempotency
from tests.conftest import Person
from tests.members.test_router import join


def keyed(key: str | None = None) -> dict[str, str]:
    return {"idempotency-key": key or uuid4().hex}


def without_request(answer: httpx2.Response) -> list[tuple[str, str]]:
    return sorted(pair for pair in answer.headers.items() if pair[0] != "x-request-id")


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    return file.getvalue()


class TestCompress:
    @given(st.binary(max_size=3000), st.binary(max_size=3000))
    def test_round_trip(self, answer: bytes, request: bytes) -> None:
        for body in (answer, request + answer, answer + request):
            delta = idempotency._compress(body, request)
            assert idempotency._decompress(delta, request) == body


class TestOnce:
    async def test_ten_at_once_make_one_row_and_get_one_answer(self, owner: Person) -> None:
        headers = keyed()
        body = {"name": "Once"}
        answers = await asyncio.gather(
            *(owner.client.post("/universes", json=body, headers=headers) for _ in range(10))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert len({str(without_request(answer)) for answer in answers}) == 1
        assert len((await owner.client.get("/universes")).json()["items"]) == 1

    async def test_a_retry_gets_the_first_answer_byte_for_byte(self, owner: Person) -> None:
        universe = await owner.universe()
        headers = keyed()
        body = {
            "name": "Crypt",
            "universe_id": universe["id"],
            "grid_data": {"b": 1.5, "a": ["ü", None], "width": 3},
        }
        first = await owner.client.post("/maps", json=body, headers=headers)
        assert first.status_code == 201
        # What has happened since does not matter: the response is the one that got lost.
        await owner.client.patch(first.headers["location"], json={"name": "Renamed"})
        for path in ("/maps", "/maps/"):
            again = await owner.client.post(path, json=body, headers=headers)
            assert (again.status_code, again.content) == (201, first.content)
            assert without_request(again) == without_request(first)
        await owner.client.delete(first.headers["location"])
        assert (await owner.client.post("/maps", json=body, headers=headers)).content == first.content
        assert (await owner.client.get("/maps")).json()["items"] == []

    async def test_another_body_with_the_same_key(self, owner: Person) -> None:
        headers = keyed()
        await owner.client.post("/universes", json={"name": "One"}, headers=headers)
        answer = await owner.client.post("/universes", json={"name": "Two"}, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert len((await owner.client.get("/universes")).json()["items"]) == 1

    async def test_another_path_with_the_same_key(self, owner: Person) -> None:
        grid = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["  "]}]}
        first, second = await owner.map(grid_data=grid), await owner.map(grid_data=grid)
        headers = keyed()
        body = {"edits": [{"op": "set", "layer": "a", "cells": [{"x": 0, "y": 0, "symbol": "#"}]}]}
        assert (
            await owner.client.post(f"/maps/{first['id']}/edits", json=body, headers=headers)
        ).status_code == 200
        answer = await owner.client.post(f"/maps/{second['id']}/edits", json=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert (await owner.client.get(f"/maps/{second['id']}")).json()["grid_data"] == grid

    async def test_another_query_with_the_same_key(self, owner: Person) -> None:
        """The response to an import is not repeated for another universe with the same key."""
        first, second = await owner.universe(), await owner.universe()
        tiled = {
            "type": "map",
            "orientation": "orthogonal",
            "width": 1,
            "height": 1,
            "tilewidth": 8,
            "tileheight": 8,
            "layers": [],
            "tilesets": [],
        }
        headers = keyed()
        path = f"/maps/import?universe_id={first['id']}"
        made = await owner.client.post(path, json=tiled, headers=headers)
        assert made.status_code == 201
        again = await owner.client.post(path, json=tiled, headers=headers)
        assert again.content == made.content
        path = f"/maps/import?universe_id={second['id']}"
        answer = await owner.client.post(path, json=tiled, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert (await owner.client.get(f"/maps?universe_id={second['id']}")).json()["items"] == []

    async def test_another_file_name_with_the_same_key(self, owner: Person) -> None:
        universe, headers = await owner.universe(), keyed()
        path, png = f"/universes/{universe['id']}/assets", picture()
        answers = [
            await owner.client.post(path, files={"file": (name, png)}, headers=headers)
            for name in ("one.png", "one.png", "two.png")
        ]
        assert [answer.status_code for answer in answers] == [201, 201, 422]
        assert answers[0].content == answers[1].content

    async def test_a_large_answer_is_not_stored_again(self, owner: Person, database: asyncpg.Connection) -> None:
        """What rebuilds it: the request, which the retry brings along, and a few kilobytes."""
        universe, headers = await owner.universe(), keyed()
        chance = random.Random(7)
        rows = ["".join(chance.choices("#.~ab", k=1500)) for _ in range(1500)]
        grid = {"legend": [{"symbol": one} for one in "#.~ab"], "layers": [{"name": "ground", "rows": rows}]}
        body = {"name": "Large", "universe_id": universe["id"], "grid_data": grid}
        first = await owner.client.post("/maps", json=body, headers=headers)
        assert first.status_code == 201, first.text
        assert len(first.content) > 2_000_000
        query = "SELECT octet_length(body) FROM idempotency_key WHERE key = $1"
        assert await database.fetchval(query, headers["idempotency-key"]) < 20_000
        again = await owner.client.post("/maps", json=body, headers=headers)
        assert again.content == first.content
        assert without_request(again) == without_request(first)

    async def test_an_answer_that_is_too_large(
        self, owner: Person, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not repeated, and the retry is not carried out: it says where to look."""
        monkeypatch.setattr(idempotency, "_MAX_STORED", 10)
        headers = keyed()
        first = await owner.client.post("/universes", json={"name": "Once"}, headers=headers)
        assert first.status_code == 201
        query = "SELECT body FROM idempotency_key WHERE key = $1"
        assert await database.fetchval(query, headers["idempotency-key"]) is None
        again = await owner.client.post("/universes", json={"name": "Once"}, headers=headers)
        assert (again.status_code, again.json()["code"]) == (409, "IDEMPOTENT_ANSWER_NOT_KEPT")
        assert again.headers["location"] == first.headers["location"]
        assert len((await owner.client.get("/universes")).json()["items"]) == 1

    async def test_another_user_with_the_same_key(self, owner: Person, stranger: Person) -> None:
        headers = keyed()
        mine = await owner.client.post("/universes", json={"name": "Same"}, headers=headers)
        theirs = await stranger.client.post("/universes", json={"name": "Same"}, headers=headers)
        assert mine.status_code == theirs.status_code == 201
        assert mine.json()["id"] != theirs.json()["id"]
        assert theirs.json()["owner_id"] == stranger.id

    async def test_a_refused_request_does_not_spend_the_key(self, owner: Person) -> None:
        headers = keyed()
        nowhere = {"name": "A", "universe_id": str(uuid4())}
        assert (await owner.client.post("/maps", json=nowhere, headers=headers)).status_code == 404
        assert (await owner.client.post("/maps", json={}, headers=headers)).status_code == 422
        universe = await owner.universe()
        good = {"name": "A", "universe_id": universe["id"]}
        assert (await owner.client.post("/maps", json=good, headers=headers)).status_code == 201

    async def test_ten_at_once_that_are_refused(self, owner: Person) -> None:
        headers = keyed()
        nowhere = {"name": "A", "universe_id": str(uuid4())}
        answers = await asyncio.gather(
            *(owner.client.post("/maps", json=nowhere, headers=headers) for _ in range(10))
        )
        assert [answer.status_code for answer in answers] == [404] * 10

    async def test_an_expired_key_is_new_again(self, owner: Person, database: asyncpg.Connection) -> None:
        headers = keyed()
        first = await owner.client.post("/universes", json={"name": "One"}, headers=headers)
        await database.execute(
            "UPDATE idempotency_key SET expires_at = now() - interval '1 second' WHERE key = $1",
            headers["idempotency-key"],
        )
        second = await owner.client.post("/universes", json={"name": "Two"}, headers=headers)
        assert second.status_code == 201
        assert second.json()["name"] == "Two"
        again = await owner.client.post("/universes", json={"name": "Two"}, headers=headers)
        assert again.content == second.content != first.content

    async def test_lasts_24_hours(self, owner: Person, database: asyncpg.Connection) -> None:
        headers = keyed()
        await owner.client.post("/universes", json={"name": "One"}, headers=headers)
        hours = await database.fetchval(
            "SELECT extract(epoch FROM expires_at - now()) / 3600 FROM idempotency_key WHERE key = $1",
            headers["idempotency-key"],
        )
        assert 23.9 < hours <= 24

    async def test_without_a_key_every_request_makes_one(self, owner: Person) -> None:
        for _ in range(2):
            await owner.client.post("/universes", json={"name": "Twice"})
        assert len((await owner.client.get("/universes")).json()["items"]) == 2

    @pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "ü", "a\tb"])
    async def test_what_is_no_key(self, owner: Person, key: str) -> None:
        headers = {"idempotency-key": key.encode("latin-1")}
        answer = await owner.client.post("/universes", json={"name": "A"}, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


class TestRoles:
    async def test_an_answer_is_for_the_role_that_it_was_made_for(self, owner: Person, stranger: Person) -> None:
        """Who is no game master any more gets none of the responses that they got as one."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"], "game_master")
        path, member = f"/universes/{universe['id']}", f"/universes/{universe['id']}/members/{stranger.id}"
        grants = {"members": ["see"]}
        body = {
            "name": "Ashe",
            "gm": "a spy",
            "grants": grants,
            "sheet": {"hit_points": {"current": 9, "maximum": 9}},
        }
        ashe = (await stranger.client.post(f"{path}/characters", json=body)).json()["id"]
        grid = {"width": 2, "height": 1, "doors": [{"id": "gate", "x1": 0, "y1": 0, "x2": 0, "y2": 1}]}
        made = await owner.map(universe["id"], grid_data=grid, visibility="members")
        token = {"name": "Ashe", "x": 0, "y": 0, "gm": "a spy", "bars": [{"name": "hp", "value": 5, "max": 9}]}
        token_id = (await owner.client.post(f"/maps/{made['id']}/tokens", json=token)).json()["id"]
        asked = [
            (f"{path}/characters", body),
            (f"/characters/{ashe}/damage", {"amount": 1}),
            (f"/characters/{ashe}/heal", {"amount": 1}),
            (f"/tokens/{token_id}/damage", {"amount": 1}),
            (f"/tokens/{token_id}/heal", {"amount": 1}),
            (f"/tokens/{token_id}/move", {"x": 1, "y": 0}),
            (f"/maps/{made['id']}/doors/gate", {"state": "open"}),
            (f"{path}/notes", {"title": "Plans", "body": "", "grants": {owner.id: ["act"]}}),
            (f"{path}/rolls", {"expression": "d20", "visibility": "blind"}),
        ]
        keys = [keyed() for _ in asked]

        async def ask() -> list[tuple[int, str | None]]:
            found = []
            for headers, (address, json) in zip(keys, asked, strict=True):
                answer = await stranger.client.post(address, json=json, headers=headers)
                found.append((answer.status_code, answer.json().get("code")))
            return found

        first = await ask()
        assert {status for status, _ in first} == {200, 201}
        act = {"grants": {stranger.id: ["act"]}}
        for address in (f"/characters/{ashe}", f"/tokens/{token_id}"):
            assert (await owner.client.patch(address, json=act)).status_code == 200
        for role, expected in (
            ("player", [(409, "IDEMPOTENT_ANSWER_FOR_ANOTHER_ROLE")] * len(asked)),
            ("game_master", first),
        ):
            assert (await owner.client.patch(member, json={"role": role})).status_code == 200
            assert await ask() == expected
        assert (await owner.client.delete(member)).status_code == 204
        assert await ask() == [(404, "NOT_FOUND")] * len(asked)
