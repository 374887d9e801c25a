"""The page of a universe's members: what it offers to whom, and what its buttons do."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.admin.conftest import Browse
from tests.conftest import Person

NewPerson = Callable[..., Awaitable[Person]]

# No id that differs from run to run: the workers of pytest-xdist must collect the same tests.
NOBODY = "01a1fbbf-0000-7000-8000-000000000000"


class Table:
    """A universe with one member of each role."""

    def __init__(self, universe: dict[str, Any], people: dict[str, Person]) -> None:
        self.universe, self.people = universe, people
        self.page = f"/admin/universe/members/{universe['id']}"
        self.api = f"/universes/{universe['id']}"

    async def role(self, name: str) -> str:
        """The current role of a person; None without a membership."""
        found = (await self.people["owner"].client.get(f"{self.api}/members")).json()["items"]
        return next((one["role"] for one in found if one["user_id"] == self.people[name].id), "")


@pytest.fixture
async def table(owner: Person, new_person: NewPerson) -> Table:
    universe = await owner.universe(name="The Marches")
    people = {"owner": owner}
    for role in ("game_master", "player", "spectator"):
        people[role] = await new_person(display_name=f"A {role}")
        invited = await owner.client.post(f"/universes/{universe['id']}/invitations", json={"role": role})
        answer = await people[role].client.post(f"/invitations/{invited.json()['code']}/accept")
        assert answer.status_code == 200
    return Table(universe, people)


async def press(
    browser: httpx2.AsyncClient, table: Table, do: str, name: str = "", **fields: str
) -> httpx2.Response:
    form = {"do": do, **fields}
    if name:
        form["user_id"] = table.people[name].id
    return await browser.post(table.page, data=form)


def offers(page: str, table: Table, name: str) -> set[str]:
    """The buttons that the page has for a member."""
    item = next(one for one in re.findall(r"<li .*?</li>", page, re.S) if f">{labels(table)[name]}<" in one)
    return set(re.findall(r'name="do" value="(\w+)"', item))


def labels(table: Table) -> dict[str, str]:
    return {name: "Owner" if name == "owner" else f"A {name}" for name in table.people}


class TestWhatIsOffered:
    async def test_to_the_owner(self, table: Table, browse: Browse) -> None:
        page = (await (await browse(table.people["owner"])).get(table.page)).text
        assert {name: offers(page, table, name) for name in table.people} == {
            "owner": set(),
            "game_master": {"role", "remove", "hand_over"},
            "player": {"role", "remove", "hand_over"},
            "spectator": {"role", "remove", "hand_over"},
        }
        assert page.count('value="game_master"') == 4, "three members, and the form of invitations"
        assert not any(person.email in page for person in table.people.values())

    async def test_to_a_game_master(self, table: Table, browse: Browse) -> None:
        page = (await (await browse(table.people["game_master"])).get(table.page)).text
        assert {name: offers(page, table, name) for name in table.people} == {
            "owner": set(),
            "game_master": {"remove"},
            "player": {"role", "remove"},
            "spectator": {"role", "remove"},
        }
        assert ">Leave…<" in page
        assert 'value="game_master"' not in page

    async def test_to_a_superuser(self, table: Table, browse: Browse, superuser: Person) -> None:
        page = (await (await browse(superuser)).get(table.page)).text
        assert offers(page, table, "game_master") == {"role", "remove", "hand_over"}

    async def test_to_a_superuser_who_plays_there(self, table: Table, browse: Browse, superuser: Person) -> None:
        """They are a player to the API: the page is there, and offers no more than leaving."""
        invited = await table.people["owner"].client.post(f"{table.api}/invitations", json={"role": "player"})
        await superuser.client.post(f"/invitations/{invited.json()['code']}/accept")
        page = (await (await browse(superuser)).get(table.page)).text
        assert re.findall(r'name="do" value="(\w+)"', page) == ["remove"]


class TestButtons:
    async def test_roles(self, table: Table, browse: Browse) -> None:
        owner = await browse(table.people["owner"])
        assert (await press(owner, table, "role", "player", role="game_master")).status_code == 303
        assert await table.role("player") == "game_master"
        assert (await press(owner, table, "role", "game_master", role="spectator")).status_code == 303
        assert await table.role("game_master") == "spectator"

    async def test_what_only_the_owner_may(self, table: Table, browse: Browse) -> None:
        """Whatever a game master's form says, the API refuses it; the page says why."""
        browser = await browse(table.people["game_master"])
        for do, name, fields in (
            ("role", "player", {"role": "game_master"}),
            ("role", "owner", {"role": "player"}),
            ("remove", "owner", {}),
            ("hand_over", "game_master", {}),
            ("invite", "", {"role": "game_master", "max_uses": "", "expires_in": "60", "key": uuid4().hex}),
        ):
            answer = await press(browser, table, do, name, **fields)
            assert answer.status_code == 403, do
            assert 'role="alert"' in answer.text
        roles = [await table.role(name) for name in table.people]
        assert roles == ["owner", "game_master", "player", "spectator"]

    async def test_remove_and_leave(self, table: Table, browse: Browse) -> None:
        browser = await browse(table.people["game_master"])
        assert (await press(browser, table, "remove", "player")).status_code == 303
        assert await table.role("player") == ""
        answer = await press(browser, table, "remove", "game_master")
        assert answer.headers["location"] == "/admin/universe/list?done=left"
        assert await table.role("game_master") == ""
        assert (await browser.get(table.page)).status_code == 404

    async def test_hand_over(self, table: Table, browse: Browse) -> None:
        browser = await browse(table.people["owner"])
        assert (await press(browser, table, "hand_over", "player")).status_code == 303
        assert (await table.role("player"), await table.role("owner")) == ("owner", "game_master")
        assert (await press(browser, table, "hand_over", "owner")).status_code == 403

    async def test_invitations(self, table: Table, browse: Browse) -> None:
        browser = await browse(table.people["owner"])
        path = f"{table.api}/invitations"
        for one in (await table.people["owner"].client.get(path)).json()["items"]:
            await table.people["owner"].client.delete(f"{path}/{one['id']}")
        key = uuid4().hex
        fields = {"role": "spectator", "max_uses": "3", "expires_in": "86400", "key": key}
        for _ in range(2):
            # Sent twice by a double click: one invitation.
            assert (await press(browser, table, "invite", **fields)).status_code == 303
        (made,) = (await table.people["owner"].client.get(path)).json()["items"]
        assert (made["role"], made["max_uses"]) == ("spectator", 3)
        page = (await browser.get(table.page)).text
        assert f'value="{made["url"]}"' in page
        assert "Spectator, used 0 of 3 times" in page
        assert (await press(browser, table, "withdraw", invitation_id=made["id"])).status_code == 303
        assert "No open invitations." in (await browser.get(table.page)).text

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"do": "nonsense"}, 404),
            ({}, 404),
            ({"do": "remove", "user_id": "nobody"}, 404),
            ({"do": "remove", "user_id": NOBODY}, 404),
            ({"do": "role", "user_id": NOBODY}, 404),
            ({"do": "hand_over", "user_id": NOBODY}, 422),
            ({"do": "hand_over", "user_id": "x"}, 422),
            ({"do": "withdraw", "invitation_id": NOBODY}, 404),
            ({"do": "invite", "role": "owner", "max_uses": "", "expires_in": "60", "key": "a"}, 422),
            ({"do": "invite", "role": "player", "max_uses": "-1", "expires_in": "60", "key": "a"}, 422),
            ({"do": "invite", "role": "player", "max_uses": "9" * 400, "expires_in": "60", "key": "a"}, 422),
            ({"do": "invite", "role": "player", "max_uses": "", "expires_in": "9" * 400, "key": "a"}, 422),
        ],
    )
    async def test_invalid_forms(self, table: Table, browse: Browse, fields: dict[str, str], status: int) -> None:
        browser = await browse(table.people["owner"])
        assert (await browser.post(table.page, data=fields)).status_code == status
        assert (await browser.get(f"{table.page}?cursor=forged")).status_code == 422


class TestFields:
    """What the forms of universes and maps say about the members."""

    async def test_visibility_and_the_party(self, table: Table, browse: Browse) -> None:
        owner, browser = table.people["owner"], await browse(table.people["owner"])
        made = await owner.map(table.universe["id"], name="The Inn")
        edit = f"/admin/universe/edit/{table.universe['id']}"
        assert "The Inn" not in (await browser.get(edit)).text, "the party can be on published maps only"
        fields = {"name": "The Inn", "description": "", "universe_id": table.universe["id"], "version": "1"}
        path = f"/admin/map/edit/{made['id']}"
        assert (await browser.post(path, data=fields)).status_code == 303
        assert (await owner.client.get(f"/maps/{made['id']}")).json()["visibility"] == "game_masters"
        answer = await browser.post(path, data={**fields, "version": "1", "visibility": "members"})
        assert answer.status_code == 303, answer.text
        assert (await owner.client.get(f"/maps/{made['id']}")).json()["visibility"] == "members"
        assert f'<option value="{made["id"]}">The Inn</option>' in (await browser.get(edit)).text
        version = (await owner.client.get(table.api)).json()["version"]
        form = {"name": "The Marches", "description": "", "version": str(version), "active_map_id": made["id"]}
        assert (await browser.post(edit, data=form)).status_code == 303
        assert (await owner.client.get(table.api)).json()["active_map_id"] == made["id"]
        assert f'<option selected value="{made["id"]}">' in (await browser.get(edit)).text
        form |= {"version": str(version + 1), "active_map_id": ""}
        assert (await browser.post(edit, data=form)).status_code == 303
        assert (await owner.client.get(table.api)).json()["active_map_id"] is None

    @pytest.mark.parametrize(("field", "value"), [("active_map_id", "x"), ("active_map_id", NOBODY)])
    async def test_another_party(self, table: Table, browse: Browse, field: str, value: str) -> None:
        browser = await browse(table.people["owner"])
        form = {"name": "The Marches", "description": "", "version": "1", field: value}
        answer = await browser.post(f"/admin/universe/edit/{table.universe['id']}", data=form)
        assert answer.status_code == 422
        assert "invalid-feedback" in answer.text

    async def test_another_visibility(self, table: Table, browse: Browse) -> None:
        browser = await browse(table.people["owner"])
        fields = {"name": "A", "description": "", "universe_id": table.universe["id"], "visibility": "all"}
        assert (await browser.post("/admin/map/create", data=fields)).status_code == 422
