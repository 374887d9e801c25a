"""The back office as members of a universe: game masters work in it, players are not offered it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from tests.admin.test_routes import EACH, Call, Things, comparable, make_things, send, state
from tests.conftest import Person, new_client, sign_up_and_log_in

ROLES = ("removed", "spectator", "player", "game_master")
ForOwners = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
async def owner_person(app: FastAPI) -> Person:
    return await sign_up_and_log_in(new_client(app), display_name=f"owner {uuid4().hex}")


@pytest.fixture(scope="module")
async def members(app: FastAPI) -> dict[str, tuple[Person, httpx2.AsyncClient]]:
    """A person with a browser for each role."""
    people = {}
    for role in ROLES:
        person = await sign_up_and_log_in(new_client(app), display_name=f"{role} {uuid4().hex}")
        browser = new_client(app)
        form = {"username": person.email, "password": person.password}
        assert (await browser.post("/admin/login", data=form)).status_code == 303
        people[role] = person, browser
    return people


async def join(members: dict[str, Any], things: Things, database: asyncpg.Connection) -> None:
    """Make all of them, except the removed one, members of one universe."""
    for role in ROLES[1:]:
        user_id = UUID(members[role][0].id)
        await database.execute("DELETE FROM member WHERE user_id = $1 AND role <> 'owner'", user_id)
        await database.execute(
            "INSERT INTO member VALUES ($1, $2, $3)", UUID(things.pks["universe"]), user_id, role
        )


@pytest.fixture(scope="module")
async def shared(owner_person: Person, database_url: str) -> Things:
    """Things that are only looked at."""
    return await make_things(owner_person, uuid4().hex, database_url)


# In which order a list is shown does not depend on who reads it.
@pytest.mark.parametrize("call", [one for one in EACH if not re.search("sort|page=", one.values[0].path)])
async def test_everybody(
    call: Call, members: Any, owner_person: Person, shared: Things, database: asyncpg.Connection, database_url: str
) -> None:
    is_read = call.method == "GET"
    things = shared if is_read else await make_things(owner_person, uuid4().hex, database_url, call)
    await join(members, things, database)
    before = await state(things, database)
    for role in ("spectator", "player"):
        answer = await send(members[role][1], call, things)
        assert (answer.status_code, things.marker in answer.text) == (403, False), role
        assert "for game masters" in answer.text
    removed = await send(members["removed"][1], call, things)
    if call.named and removed.status_code == 404:
        assert comparable(removed) == comparable(await send(members["removed"][1], call, things.elsewhere()))
    assert await state(things, database) == before
    answer = await send(members["game_master"][1], call, things)
    if call.path.startswith("/universe/delete") and (call.method == "DELETE" or "sure" in str(call.fields)):
        return
    if not call.mine:
        assert answer.status_code in (403, 404)
        assert things.marker not in answer.text
    elif is_read:
        assert answer.status_code == 200, answer.text
    assert answer.status_code < 500


class TestGameMasters:
    async def test_what_only_the_owner_may(
        self, members: Any, owner_person: Person, database: asyncpg.Connection, database_url: str
    ) -> None:
        things = await make_things(owner_person, uuid4().hex, database_url)
        await join(members, things, database)
        browser = members["game_master"][1]
        fields = {"pks": [things.pks["universe"]], "sure": "yes"}
        answer = await browser.post("/admin/universe/delete", data=fields)
        assert answer.status_code == 403
        assert (await owner_person.client.get(f"/universes/{things.pks['universe']}")).status_code == 200

    async def test_edit_and_out(
        self, members: Any, owner_person: Person, database: asyncpg.Connection, database_url: str
    ) -> None:
        """A game master changes a map; after removal, nothing exists for them, without a new log-in."""
        things = await make_things(owner_person, uuid4().hex, database_url)
        await join(members, things, database)
        person, browser = members["game_master"]
        path = f"/admin/map/edit/{things.pks['map']}"
        fields = {"name": "Ours", "description": "", "universe_id": things.pks["universe"], "version": "1"}
        assert (await browser.post(path, data=fields)).status_code == 303
        read = (await owner_person.client.get(f"/maps/{things.pks['map']}")).json()
        assert (read["name"], read["version"]) == ("Ours", 2)
        removal = f"/universes/{things.pks['universe']}/members/{person.id}"
        assert (await owner_person.client.delete(removal)).status_code == 204
        assert (await browser.get(path)).status_code == 404
        answer = await browser.post(path, data={**fields, "version": "2", "name": "Theirs"})
        assert answer.status_code == 404
        assert (await owner_person.client.get(f"/maps/{things.pks['map']}")).json()["name"] == "Ours"
