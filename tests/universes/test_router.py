"""Universes over HTTP: one class for each operation."""

import httpx2

from tests.conftest import Person


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
        assert (await owner.client.get(answer.headers["location"])).json() == body


class TestRead:
    async def test_stranger_gets_the_same_as_for_nothing(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        theirs = await stranger.client.get(f"/universes/{universe['id']}")
        nothing = await stranger.client.get("/universes/01a1fbbf-0000-7000-8000-000000000000")
        assert theirs.status_code == nothing.status_code == 404
        assert {**theirs.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
