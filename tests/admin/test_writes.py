"""Writes of the admin: one event and one version each, as through the API; entered values are not lost."""

import asyncio
import html
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest
from wtforms import Form

from admin.views import VIEWS
from game.maps.models import GRID_EXAMPLE
from tests.accounts.conftest import Mails
from tests.accounts.conftest import mails as mails
from tests.admin.conftest import Browse, events_of, version_in
from tests.conftest import Person
from tests.members.test_router import join


async def edit(browser: httpx2.AsyncClient, path: str, **fields: Any) -> httpx2.Response:
    """Open a form, change fields of it, and send it."""
    page = (await browser.get(f"/admin{path}")).text
    return await browser.post(f"/admin{path}", data={"version": version_in(page), **fields})


VIEW = {view.identity: view for view in VIEWS}
FORMS: dict[str, type[Form]] = {view.identity: view.edit_form for view in VIEWS if view.edit_form}


async def with_a_form(owner: Person, made: dict[str, Any]) -> dict[str, str]:
    """The ids of one of each thing that has a form, beside a map."""
    pks = {"map": made["id"], "universe": made["universe_id"], "user": owner.id}
    for kind, name in (("character", "name"), ("encounter", "name"), ("note", "title")):
        created = await owner.client.post(f"/universes/{made['universe_id']}/{kind}s", json={name: "x"})
        pks[kind] = created.json()["id"]
    ground = await owner.map(made["universe_id"], grid_data=GRID_EXAMPLE)
    token = await owner.client.post(f"/maps/{ground['id']}/tokens", json={"name": "x", "x": 0, "y": 0})
    assert token.status_code == 201, token.text
    return {**pks, "token": token.json()["id"]}


class TestEveryForm:
    """What holds for each of them, and for each of their fields."""

    @pytest.mark.parametrize("identity", FORMS)
    @pytest.mark.parametrize("in_parts", [False, True])
    async def test_u0000(
        self, browse: Browse, superuser: Person, owner: Person, identity: str, in_parts: bool
    ) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        pk = (await with_a_form(owner, made))[identity]
        browser = await browse(superuser)
        fine = {
            "title": "Fine",
            "kind": "player",
            "version": "1",
            "name": "Fine",
            "description": "",
            "universe_id": made["universe_id"],
            "email": f"{uuid4().hex}@example.com",
            "display_name": "Fine",
            "password": "a new horse battery",
            "is_active": "y",
        }
        for name in (*FORMS[identity]()._fields, "overwrite", "else\0"):
            form = {**fine, name: "a\0b"}
            sent: Any = (
                {"files": {key: (None, text) for key, text in form.items()}} if in_parts else {"data": form}
            )
            for path in (*["create"] * VIEW[identity].can_create, f"edit/{pk}"):
                answer = await browser.post(f"/admin/{identity}/{path}", **sent)
                assert answer.status_code == 422, (path, name)
                assert "U+0000" in answer.text
        assert (await owner.client.get(f"/maps/{made['id']}")).json() == made
        assert (await owner.client.get("/users/me")).json()["version"] == 1

    @pytest.mark.parametrize("name", ["pks", "version", "sure", "else\0"])
    async def test_u0000_in_a_deletion(self, browse: Browse, owner: Person, name: str) -> None:
        made = await owner.map()
        browser = await browse(owner)
        form = {"pks": made["id"], "sure": "yes", name: "a\0b"}
        assert (await browser.post("/admin/map/delete", data=form)).status_code == 422
        assert (await owner.client.get(f"/maps/{made['id']}")).status_code == 200

    @pytest.mark.parametrize("identity", FORMS)
    async def test_bodies_that_are_no_forms(
        self, browse: Browse, superuser: Person, owner: Person, identity: str
    ) -> None:
        made = await owner.map()
        pk = (await with_a_form(owner, made))[identity]
        browser = await browse(superuser)
        urlencoded = {"content-type": "application/x-www-form-urlencoded"}
        parts = {"content-type": "multipart/form-data; boundary=b"}
        for headers, body in (
            ({}, b""),
            ({"content-type": "application/json"}, b'{"name": "x", "version": 1}'),
            (urlencoded, b"description=%ff%fe&version=1"),
            (urlencoded, b"description=\xff&version=1"),
            (urlencoded, b"&".join(b"f%d=1" % number for number in range(2000))),
            ({"content-type": "multipart/form-data"}, b"x"),
            (parts, b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nab'),
            (parts, b'--b\r\nContent-Disposition: form-data; name="name"; filename="x"\r\n\r\nab\r\n--b--\r\n'),
        ):
            for path in (*["create"] * VIEW[identity].can_create, f"edit/{pk}"):
                answer = await browser.post(f"/admin/{identity}/{path}", content=body, headers=headers)
                assert answer.status_code == 422, (path, body[:60])
        assert (await owner.client.get(f"/maps/{made['id']}")).json() == made


class TestUniverses:
    async def test_make(self, browse: Browse, owner: Person) -> None:
        browser = await browse(owner)
        answer = await browser.post(
            "/admin/universe/create", data={"name": " The Marches ", "description": "Salt.\r\nReeds."}
        )
        assert answer.status_code == 303
        made = (await owner.client.get("/universes")).json()["items"][0]
        assert made["name"] == "The Marches"
        assert made["description"] == "Salt.\nReeds."
        assert made["owner_id"] == owner.id
        assert f"/details/{made['id']}" in answer.headers["location"]
        events = await events_of(owner, made["id"])
        assert [(one["kind"], one["actor_id"]) for one in events] == [("universe.created", owner.id)]

    async def test_change(self, browse: Browse, owner: Person) -> None:
        made = await owner.universe(description="As it was")
        browser = await browse(owner)
        answer = await edit(browser, f"/universe/edit/{made['id']}", name="Renamed", description="As it was")
        assert answer.status_code == 303
        read = (await owner.client.get(f"/universes/{made['id']}")).json()
        assert (read["name"], read["version"]) == ("Renamed", 2)
        last = (await events_of(owner, made["id"]))[-1]
        assert last["payload"] == {"name": "Renamed", "version": 2}

    async def test_the_same_is_no_change(self, browse: Browse, owner: Person) -> None:
        made = await owner.universe(name="Same", description="Two\nlines")
        browser = await browse(owner)
        fields = {"name": "Same", "description": "Two\r\nlines"}
        assert (await edit(browser, f"/universe/edit/{made['id']}", **fields)).status_code == 303
        assert (await owner.client.get(f"/universes/{made['id']}")).json()["version"] == 1
        assert len(await events_of(owner, made["id"])) == 1

    async def test_a_superuser_acts_as_themselves(self, browse: Browse, owner: Person, superuser: Person) -> None:
        made = await owner.universe()
        browser = await browse(superuser)
        await edit(browser, f"/universe/edit/{made['id']}", name="Better so", description="")
        read = (await owner.client.get(f"/universes/{made['id']}")).json()
        assert (read["name"], read["owner_id"]) == ("Better so", owner.id)
        assert (await events_of(owner, made["id"]))[-1]["actor_id"] == superuser.id
        # To the owner they are nobody by name.
        page = (await (await browse(owner)).get(f"/admin/universe/details/{made['id']}")).text
        assert superuser.id not in page
        assert "another user" in page

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"name": "   "}, "This field is required."),
            ({"name": "x" * 101}, "At most 100 characters."),
            ({"name": "a\nb"}, "Must not contain control characters."),
            ({"name": "Fine", "description": "x" * 10_001}, "At most 10,000 characters."),
        ],
    )
    async def test_what_is_wrong_is_said(
        self, browse: Browse, owner: Person, fields: dict[str, str], sentence: str
    ) -> None:
        browser = await browse(owner)
        answer = await browser.post("/admin/universe/create", data=fields)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert fields.get("description", "")[:9000] in answer.text
        assert (await owner.client.get("/universes")).json()["items"] == []

    @pytest.mark.parametrize("name", ["owner_id", "id", "event_seq", "created_at"])
    async def test_more_fields_change_nothing(
        self, browse: Browse, owner: Person, stranger: Person, name: str
    ) -> None:
        made = await owner.universe()
        browser = await browse(owner)
        fields = {"name": "New", "description": "", name: stranger.id}
        await edit(browser, f"/universe/edit/{made['id']}", **fields)
        read = (await owner.client.get(f"/universes/{made['id']}")).json()
        assert {**read, "name": "", "version": 0, "updated_at": ""} == {
            **made,
            "name": "",
            "version": 0,
            "updated_at": "",
        }


class TestConflict:
    """Two tabs save the same row: the second one gets an error, and keeps its values."""

    @pytest.mark.parametrize("identity", ["universe", "map"])
    async def test_two_tabs(self, browse: Browse, owner: Person, identity: str) -> None:
        made = await owner.map(name="First")
        path = f"/admin/{identity}/edit/{made['id'] if identity == 'map' else made['universe_id']}"
        browser = await browse(owner)
        version = version_in((await browser.get(path)).text)
        base = {"description": "", "universe_id": made["universe_id"], "version": version}
        assert (await browser.post(path, data={**base, "name": "By tab one"})).status_code == 303
        typed = {**base, "name": "By tab two", "description": "A long story"}
        second = await browser.post(path, data=typed)
        assert second.status_code == 412
        assert "Somebody else saved this while you were editing." in second.text
        assert 'value="By tab two"' in second.text
        assert "A long story" in second.text
        # Sent again unchanged, it is refused again.
        assert version_in(second.text) == version
        assert (await browser.post(path, data=typed)).status_code == 412
        where = f"/{identity}s/{path.rpartition('/')[2]}"
        assert (await owner.client.get(where)).json()["name"] == "By tab one"
        # Only who says so writes over it.
        assert (await browser.post(path, data={**typed, "overwrite": "2"})).status_code == 303
        assert (await owner.client.get(where)).json()["name"] == "By tab two"

    @pytest.mark.parametrize("identity", ["universe", "map", "user"])
    async def test_at_the_same_moment(
        self, browse: Browse, owner: Person, superuser: Person, identity: str
    ) -> None:
        """Of forms made from one version, one is saved; each of the others gets back what it sent."""
        made = await owner.map()
        pk = (await with_a_form(owner, made))[identity]
        browser = await browse(superuser)
        base = {"version": "1", "universe_id": made["universe_id"], "email": owner.email, "is_active": "y"}
        names = [f"By tab {number}" for number in range(4)]
        answers = await asyncio.gather(
            *(
                browser.post(f"/admin/{identity}/edit/{pk}", data={**base, "name": name, "display_name": name})
                for name in names
            )
        )
        assert sorted(answer.status_code for answer in answers) == [303, 412, 412, 412]
        for name, answer in zip(names, answers, strict=True):
            assert answer.status_code == 303 or f'value="{name}"' in answer.text
        saved = names[[answer.status_code for answer in answers].index(303)]
        page = (await browser.get(f"/admin/{identity}/details/{pk}")).text
        assert f"<h1>{saved}</h1>" in page

    async def test_a_grid_that_was_typed_is_kept(self, browse: Browse, owner: Person) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        path = f"/admin/map/edit/{made['id']}"
        browser = await browse(owner)
        version = version_in((await browser.get(path)).text)
        await owner.client.patch(f"/maps/{made['id']}", json={"grid_data": {"width": 2, "height": 2}})
        typed = '{"width": 3, "height": 1,\n "properties": {"of": "mine"}}'
        form = {"name": "Mine", "universe_id": made["universe_id"], "version": version, "grid_data": typed}
        answer = await browser.post(path, data=form)
        assert answer.status_code == 412
        text = answer.text.partition('name="grid_data"')[2].partition(">")[2].partition("</textarea>")[0]
        assert html.unescape(text).removeprefix("\r\n") == typed
        # The editor must not load the saved map over it.
        assert 'data-map-url=""' in answer.text
        assert (await owner.client.get(f"/maps/{made['id']}")).json()["grid_data"] == {"width": 2, "height": 2}

    async def test_overwriting_too_is_of_one_version(self, browse: Browse, owner: Person) -> None:
        made = await owner.universe()
        browser = await browse(owner)
        for name in ("Two", "Three"):
            await owner.client.patch(f"/universes/{made['id']}", json={"name": name})
        form = {"name": "Mine", "version": "1", "overwrite": "2"}
        answer = await browser.post(f"/admin/universe/edit/{made['id']}", data=form)
        assert answer.status_code == 412
        assert (await owner.client.get(f"/universes/{made['id']}")).json()["name"] == "Three"

    @pytest.mark.parametrize("version", ["", "x", "-1", "1.0", "9" * 30, "٣"])
    async def test_a_form_without_its_version(self, browse: Browse, owner: Person, version: str) -> None:
        made = await owner.universe()
        browser = await browse(owner)
        form = {"name": "Mine", "version": version}
        answer = await browser.post(f"/admin/universe/edit/{made['id']}", data=form)
        assert answer.status_code == 422
        assert 'value="Mine"' in answer.text

    async def test_a_user(self, browse: Browse, owner: Person, superuser: Person) -> None:
        browser = await browse(superuser)
        path = f"/admin/user/edit/{owner.id}"
        form = {"email": owner.email, "display_name": "Typed", "is_active": "y", "version": "1"}
        await owner.client.patch("/users/me", json={"display_name": "By themselves"})
        answer = await browser.post(path, data=form)
        assert answer.status_code == 412
        assert 'value="Typed"' in answer.text

    async def test_delete(self, browse: Browse, owner: Person) -> None:
        made = await owner.map()
        browser = await browse(owner)
        await owner.client.patch(f"/maps/{made['id']}", json={"name": "Better"})
        form = {"pks": made["id"], "version": "1", "sure": "yes"}
        answer = await browser.post("/admin/map/delete", data=form)
        assert answer.status_code == 412
        assert (await owner.client.get(f"/maps/{made['id']}")).status_code == 200


class TestMaps:
    async def test_make_with_a_grid(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        browser = await browse(owner)
        grid = orjson.dumps(GRID_EXAMPLE).decode()
        form = {"name": "Crypt", "universe_id": universe["id"], "description": "", "grid_data": grid}
        answer = await browser.post("/admin/map/create", data=form)
        assert answer.status_code == 303
        made = answer.headers["location"].partition("?")[0].rpartition("/")[2]
        assert (await owner.client.get(f"/maps/{made}")).json()["grid_data"] == GRID_EXAMPLE
        assert [one["kind"] for one in await events_of(owner, universe["id"])] == [
            "universe.created",
            "map.created",
        ]

    async def test_the_page_without_javascript(self, browse: Browse, owner: Person) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        browser = await browse(owner)
        page = (await browser.get(f"/admin/map/edit/{made['id']}")).text
        text = html.unescape(page.partition('name="grid_data"')[2].partition(">")[2].partition("</textarea>")[0])
        assert orjson.loads(text) == GRID_EXAMPLE
        # Sent back as it is, it is no change.
        path = f"/map/edit/{made['id']}"
        fields = {"name": made["name"], "description": "", "universe_id": made["universe_id"]}
        await edit(browser, path, **fields, grid_data=text.replace("\n", "\r\n"))
        assert (await owner.client.get(f"/maps/{made['id']}")).json() == made
        changed = text.replace("#..~.#", "#....#")
        await edit(browser, path, **fields, grid_data=changed)
        read = (await owner.client.get(f"/maps/{made['id']}")).json()
        assert read["grid_data"]["layers"][0]["rows"][1] == "#....#"
        assert read["version"] == 2
        assert (await events_of(owner, made["universe_id"]))[-1]["kind"] == "map.updated"

    async def test_without_grid_data_the_grid_stays(self, browse: Browse, owner: Person) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        browser = await browse(owner)
        fields = {"name": "Renamed", "description": "", "universe_id": made["universe_id"]}
        assert (await edit(browser, f"/map/edit/{made['id']}", **fields)).status_code == 303
        read = (await owner.client.get(f"/maps/{made['id']}")).json()
        assert (read["name"], read["grid_data"]) == ("Renamed", GRID_EXAMPLE)

    @pytest.mark.parametrize(
        ("grid", "sentence"),
        [
            ("{", "Not valid JSON"),
            ("[]", "Grid data must be an object"),
            ("", "Not valid JSON"),
            ('{"a": NaN}', "Not valid JSON"),
            ('{"a": "\\u0000"}', "A string may not contain U+0000."),
            ('{"a": 1, "a": 2}', "The object contains this key twice."),
            ('{"width": 5000}', "grid_data.width"),
            ('{"width": 2, "height": 1, "layers": [{"name": "g", "rows": ["#"]}]}', "grid_data.layers[0].rows[0]"),
        ],
    )
    async def test_what_is_wrong_with_a_grid_is_said(
        self, browse: Browse, owner: Person, grid: str, sentence: str
    ) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        browser = await browse(owner)
        fields = {"name": "X", "description": "", "universe_id": made["universe_id"], "grid_data": grid}
        answer = await edit(browser, f"/map/edit/{made['id']}", **fields)
        assert answer.status_code == 422
        assert sentence in html.unescape(answer.text)
        text = answer.text.partition('name="grid_data"')[2].partition(">")[2].partition("</textarea>")[0]
        assert html.unescape(text).removeprefix("\r\n") == grid
        # With what was typed on the page, the editor must not load the map over it.
        assert 'data-map-url=""' in answer.text
        assert (await owner.client.get(f"/maps/{made['id']}")).json() == made

    async def test_a_grid_of_more_than_a_mebibyte(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        browser = await browse(owner)
        rows = ["#" * 1200] * 1000
        grid = {
            "width": 1200,
            "height": 1000,
            "legend": [{"symbol": "#", "name": "wall"}],
            "layers": [{"name": "ground", "rows": rows}],
        }
        files = {
            "name": (None, "Large"),
            "universe_id": (None, universe["id"]),
            "grid_data": (None, orjson.dumps(grid).decode()),
        }
        answer = await browser.post("/admin/map/create", files=files)
        assert answer.status_code == 303, answer.text[:2000]

    async def test_move(self, browse: Browse, owner: Person) -> None:
        made, target = await owner.map(grid_data=GRID_EXAMPLE), await owner.universe()
        browser = await browse(owner)
        fields = {"name": made["name"], "description": "", "universe_id": target["id"]}
        assert (await edit(browser, f"/map/edit/{made['id']}", **fields)).status_code == 303
        read = (await owner.client.get(f"/maps/{made['id']}")).json()
        assert (read["universe_id"], read["grid_data"]) == (target["id"], GRID_EXAMPLE)
        assert (await events_of(owner, target["id"]))[-1]["kind"] == "map.moved_in"

    async def test_users_who_may_save_through_the_api(
        self, browse: Browse, owner: Person, superuser: Person
    ) -> None:
        made = await owner.map()
        path = f"/admin/map/edit/{made['id']}"
        assert f'data-map-url="/maps/{made["id"]}"' in (await (await browse(owner)).get(path)).text
        # A superuser may do through the API what they may do here.
        assert f'data-map-url="/maps/{made["id"]}"' in (await (await browse(superuser)).get(path)).text


class TestDelete:
    async def test_asks_first(self, browse: Browse, owner: Person) -> None:
        made = await owner.map(name="The Cellar")
        browser = await browse(owner)
        answer = await browser.post("/admin/map/delete", data={"pks": made["id"]})
        assert answer.status_code == 200
        assert "The Cellar" in answer.text
        assert (await owner.client.get(f"/maps/{made['id']}")).status_code == 200
        assert (
            await browser.post("/admin/map/delete", data={"pks": made["id"], "sure": "yes"})
        ).status_code == 303
        assert (await owner.client.get(f"/maps/{made['id']}")).status_code == 404
        last = (await events_of(owner, made["universe_id"]))[-1]
        assert (last["kind"], last["actor_id"]) == ("map.deleted", owner.id)

    async def test_all_or_none(self, browse: Browse, owner: Person, stranger: Person) -> None:
        mine, other = await owner.map(), await stranger.map()
        browser = await browse(owner)
        form = {"pks": [mine["id"], other["id"]], "sure": "yes"}
        assert (await browser.post("/admin/map/delete", data=form)).status_code == 404
        assert (await owner.client.get(f"/maps/{mine['id']}")).status_code == 200
        assert (await stranger.client.get(f"/maps/{other['id']}")).status_code == 200

    async def test_several(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        made = [await owner.map(universe["id"]) for _ in range(3)]
        browser = await browse(owner)
        form = {"pks": [one["id"] for one in made], "sure": "yes"}
        assert (await browser.post("/admin/map/delete", data=form)).status_code == 303
        assert (await owner.client.get("/maps")).json()["items"] == []
        assert [one["seq"] for one in await events_of(owner, universe["id"])] == list(range(1, 8))

    async def test_a_universe(self, browse: Browse, owner: Person) -> None:
        made = await owner.map()
        browser = await browse(owner)
        form = {"pks": made["universe_id"], "sure": "yes"}
        assert (await browser.post("/admin/universe/delete", data=form)).status_code == 303
        assert (await owner.client.get(f"/maps/{made['id']}")).status_code == 404

    @pytest.mark.parametrize("pks", ["", ",", ",".join(map(str, range(101)))], ids=["none", "comma", "many"])
    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    async def test_none_or_too_many(self, browse: Browse, owner: Person, pks: str, method: str) -> None:
        browser = await browse(owner)
        answer = await browser.request(method, f"/admin/map/delete?pks={pks}")
        assert answer.status_code == 422

    @pytest.mark.parametrize("pk", ["x", "%00", "00000000-0000-0000-0000-00000000000", "'; DROP TABLE map"])
    async def test_no_id(self, browse: Browse, owner: Person, pk: str) -> None:
        browser = await browse(owner)
        answer = await browser.delete(f"/admin/map/delete?pks={pk}")
        assert answer.status_code in (404, 422)

    async def test_an_account_that_owns_universes(self, browse: Browse, owner: Person, superuser: Person) -> None:
        await owner.universe()
        browser = await browse(superuser)
        answer = await browser.post("/admin/user/delete", data={"pks": owner.id, "sure": "yes"})
        assert answer.status_code == 409
        assert "This account owns universes." in answer.text
        for word in ("IntegrityError", "asyncpg", "fk_universe", "violates", "DELETE FROM", owner.id + "'"):
            assert word not in answer.text
        assert (await owner.client.get("/users/me")).status_code == 200


class TestUsers:
    async def test_make(self, browse: Browse, superuser: Person, client: httpx2.AsyncClient) -> None:
        browser = await browse(superuser)
        email = f"{uuid4().hex}@example.com"
        form = {"email": email, "display_name": "Mira", "password": "a new horse battery", "is_active": "y"}
        assert (await browser.post("/admin/user/create", data=form)).status_code == 303
        login = await client.post("/auth/jwt/login", data={"username": email, "password": "a new horse battery"})
        assert login.status_code == 200

    async def test_the_old_address_is_notified_of_the_new_one(
        self, browse: Browse, superuser: Person, owner: Person, mails: Mails
    ) -> None:
        fields = {"email": f"{uuid4().hex}@example.com", "display_name": "Mira", "is_active": "y"}
        answer = await edit(await browse(superuser), f"/user/edit/{owner.id}", **fields)
        assert answer.status_code == 303
        await mails(owner.email, "Your address was changed")

    async def test_an_address_that_is_taken(self, browse: Browse, superuser: Person, owner: Person) -> None:
        browser = await browse(superuser)
        form = {"email": owner.email.upper(), "display_name": "Mira", "password": "a new horse battery"}
        answer = await browser.post("/admin/user/create", data=form)
        assert answer.status_code == 422
        assert "An account with this e-mail address already exists." in answer.text
        assert "a new horse battery" not in answer.text
        path = f"/user/edit/{superuser.id}"
        fields = {"email": owner.email, "display_name": "Me", "is_active": "y", "is_superuser": "y"}
        answer = await edit(browser, path, **fields)
        assert answer.status_code == 422

    @pytest.mark.parametrize("fields", [{"password": "short"}, {"email": "none"}, {"display_name": ""}])
    async def test_what_is_wrong_is_said(self, browse: Browse, superuser: Person, fields: dict[str, str]) -> None:
        browser = await browse(superuser)
        form = {"email": "a@example.com", "display_name": "A", "password": "long enough", **fields}
        answer = await browser.post("/admin/user/create", data=form)
        assert answer.status_code == 422
        assert "is-invalid" in answer.text

    async def test_set_a_password(
        self, browse: Browse, superuser: Person, owner: Person, client: httpx2.AsyncClient
    ) -> None:
        browser = await browse(superuser)
        fields = {"email": owner.email, "display_name": "Owner", "is_active": "y", "password": "new horse, new"}
        assert (await edit(browser, f"/user/edit/{owner.id}", **fields)).status_code == 303
        assert (await owner.client.get("/users/me")).status_code == 401
        login = await client.post("/auth/jwt/login", data={"username": owner.email, "password": "new horse, new"})
        assert login.status_code == 200

    async def test_an_empty_password_is_not_set(self, browse: Browse, superuser: Person, owner: Person) -> None:
        browser = await browse(superuser)
        fields = {"email": owner.email, "display_name": "Verified", "is_active": "y", "is_verified": "y"}
        assert (await edit(browser, f"/user/edit/{owner.id}", **fields, password="")).status_code == 303
        me = (await owner.client.get("/users/me")).json()
        assert (me["display_name"], me["is_verified"]) == ("Verified", True)

    async def test_deactivate(self, browse: Browse, superuser: Person, owner: Person) -> None:
        browser = await browse(superuser)
        fields = {"email": owner.email, "display_name": "Owner"}
        assert (await edit(browser, f"/user/edit/{owner.id}", **fields)).status_code == 303
        assert (await owner.client.get("/users/me")).status_code == 401

    async def test_make_superuser_and_back(self, browse: Browse, superuser: Person, owner: Person) -> None:
        browser, theirs = await browse(superuser), await browse(owner)
        fields = {"email": owner.email, "display_name": "Owner", "is_active": "y"}
        assert (await theirs.get("/admin/user/list")).status_code == 404
        assert (await edit(browser, f"/user/edit/{owner.id}", **fields, is_superuser="y")).status_code == 303
        assert (await theirs.get("/admin/user/list")).status_code == 200
        assert (await edit(browser, f"/user/edit/{owner.id}", **fields)).status_code == 303
        assert (await theirs.get("/admin/user/list")).status_code == 303
        assert (await theirs.get("/admin/")).status_code == 303

    @pytest.mark.parametrize("how", ["password", "deactivated", "ended", "session", "deleted"])
    async def test_what_ends_their_log_in_at_once(
        self, browse: Browse, superuser: Person, owner: Person, how: str
    ) -> None:
        browser, theirs = await browse(superuser), await browse(owner)
        fields = {"email": owner.email, "display_name": "Owner"}
        path = f"/user/edit/{owner.id}"
        if how == "password":
            answer = await edit(browser, path, **fields, is_active="y", password="a new horse battery")
        elif how == "deactivated":
            answer = await edit(browser, path, **fields)
        elif how == "ended":
            answer = await browser.post(f"/admin/user/end-sessions/{owner.id}")
        elif how == "session":
            sessions = (await owner.client.get("/auth/sessions")).json()["items"]
            form = {"pks": [one["id"] for one in sessions], "sure": "yes"}
            answer = await browser.post("/admin/session/delete", data=form)
        else:
            answer = await browser.post("/admin/user/delete", data={"pks": owner.id, "sure": "yes"})
        assert answer.status_code == 303
        for page in ("/admin/", "/admin/map/list", "/admin/map/export/csv"):
            assert (await theirs.get(page)).headers["location"].startswith("/admin/login?next=")
        assert (await theirs.post("/admin/universe/create", data={"name": "Too late"})).status_code == 401

    async def test_a_deleted_account_leaves_its_universes(
        self, browse: Browse, superuser: Person, owner: Person, stranger: Person
    ) -> None:
        universe = await owner.universe()
        for person in (stranger, superuser):
            await join(person, owner, universe["id"])
        browser = await browse(superuser)
        answer = await browser.post("/admin/user/delete", data={"pks": stranger.id, "sure": "yes"})
        assert answer.status_code == 303
        last = (await owner.client.get(f"/universes/{universe['id']}/events")).json()["items"][-1]
        assert (last["kind"], last["actor_id"], last["subject_id"]) == (
            "member.removed",
            superuser.id,
            stranger.id,
        )

    async def test_not_oneself(self, browse: Browse, superuser: Person) -> None:
        browser = await browse(superuser)
        fields = {"email": superuser.email, "display_name": "Me", "is_active": "y"}
        answer = await edit(browser, f"/user/edit/{superuser.id}", **fields)
        assert answer.status_code == 409
        assert "Ask another superuser" in answer.text
        form = {"pks": superuser.id, "sure": "yes"}
        assert (await browser.post("/admin/user/delete", data=form)).status_code == 409
        assert (await browser.get("/admin/user/list")).status_code == 200

    async def test_no_hash_anywhere(self, browse: Browse, superuser: Person, owner: Person) -> None:
        browser = await browse(superuser)
        session = (await owner.client.get("/auth/sessions")).json()["items"][0]["id"]
        for path in (
            "user/list",
            f"user/details/{owner.id}",
            f"user/edit/{owner.id}",
            "user/export/csv",
            "session/list",
            f"session/details/{session}",
            "session/export/csv",
        ):
            answer = await browser.get(f"/admin/{path}")
            assert answer.status_code == 200
            for word in ("argon2", "hashed", "refresh_hash", "\\x"):
                assert word not in answer.text


class TestNewMap:
    """A map is created with the grid that was chosen, and opens in the editor."""

    @pytest.mark.parametrize("grid_type", ["square", "hex_row", "hex_column", "isometric", "none"])
    async def test_with_a_grid(self, browse: Browse, owner: Person, grid_type: str) -> None:
        universe = await owner.universe()
        form = {"name": "x", "universe_id": universe["id"], "grid_type": grid_type, "width": "7", "height": "3"}
        answer = await (await browse(owner)).post("/admin/map/create", data={**form, "grid_data": ""})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/admin/map/edit/")
        map_id = answer.headers["location"].rpartition("/")[2]
        grid = (await owner.client.get(f"/maps/{map_id}")).json()["grid_data"]
        assert (grid["width"], grid["height"], grid["grid_type"]) == (7, 3, grid_type)
        assert grid["layers"] == [{"name": "ground", "rows": [" " * 7] * 3}]
        assert {one["name"] for one in grid["legend"]} == {"wall", "floor", "water"}

    @pytest.mark.parametrize(
        ("field", "value"),
        [("width", "0"), ("width", "1025"), ("height", "-1"), ("height", "2.5"), ("height", ""), ("width", "x")],
    )
    async def test_with_a_size_that_cannot_be(self, browse: Browse, owner: Person, field: str, value: str) -> None:
        universe = await owner.universe()
        form = {"name": "x", "universe_id": universe["id"], "grid_type": "square", "width": "7", "height": "3"}
        answer = await (await browse(owner)).post("/admin/map/create", data={**form, field: value})
        assert answer.status_code == 422
        assert "A whole number from 1 to 1,024." in answer.text

    async def test_with_a_grid_that_is_unknown(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        form = {"name": "x", "universe_id": universe["id"], "grid_type": "cube", "width": "7", "height": "3"}
        answer = await (await browse(owner)).post("/admin/map/create", data=form)
        assert answer.status_code == 422
        assert "Choose one." in answer.text


class TestDocuments:
    """Characters, encounters and notes."""

    async def test_a_character(self, browse: Browse, owner: Person) -> None:
        universe, browser = await owner.universe(), await browse(owner)
        fields = {"name": "Ashe", "kind": "nonplayer", "universe_id": universe["id"]}
        texts = {"sheet": '{"level": 3}', "grants": '{"members": ["see"]}', "gm": '"a spy"'}
        created = await browser.post("/admin/character/create", data={**fields, **texts})
        assert created.status_code == 303, created.text
        pk = created.headers["location"].rpartition("/")[2].partition("?")[0]
        made = (await owner.client.get(f"/characters/{pk}")).json()
        stored = {"kind": "nonplayer", "sheet": {"level": 3}, "grants": {"members": ["see"]}, "gm": "a spy"}
        assert made.items() >= stored.items()
        path = f"/character/edit/{pk}"
        page = html.unescape((await browser.get(f"/admin{path}")).text)
        assert '"level": 3' in page
        for sheet, said in (
            ('{"level": 30}', "level: "),
            ("{", "Not valid JSON"),
            ('{"abilities": []}', "abilities: "),
        ):
            refused = await edit(browser, path, **fields, **{**texts, "sheet": sheet})
            assert (refused.status_code, said in html.unescape(refused.text)) == (422, True), refused.text
        changed = await edit(browser, path, **{**fields, "name": "Bram"}, **{**texts, "sheet": ""})
        assert changed.status_code == 303
        assert (await owner.client.get(f"/characters/{pk}")).json().items() >= {
            "name": "Bram",
            "sheet": {},
        }.items()
        stale = await browser.post(f"/admin{path}", data={"version": "1", **fields, **texts})
        assert "Somebody else saved this" in stale.text
        assert "Bram" in (await browser.get(f"/admin/character/details/{pk}")).text

    async def test_a_note_and_an_encounter(self, browse: Browse, owner: Person) -> None:
        universe, browser = await owner.universe(), await browse(owner)
        body = {"name": "At the well", "combatants": [{"name": "<b>Spy</b>", "hidden": True}]}
        made = (await owner.client.post(f"/universes/{universe['id']}/encounters", json=body)).json()
        page = await browser.get(f"/admin/encounter/details/{made['id']}")
        assert "&lt;b&gt;Spy&lt;/b&gt;, hidden" in page.text
        assert (await edit(browser, f"/encounter/edit/{made['id']}", name="Later", gm="")).status_code == 303
        assert (await owner.client.get(f"/encounters/{made['id']}")).json()["name"] == "Later"
        fields = {"title": "A letter", "body": "Line\r\n<script>x</script>", "grants": ""}
        created = await browser.post("/admin/note/create", data={**fields, "universe_id": universe["id"]})
        pk = created.headers["location"].rpartition("/")[2].partition("?")[0]
        assert (await owner.client.get(f"/notes/{pk}")).json()["body"] == "Line\n<script>x</script>"
        assert "<script>x" not in (await browser.get(f"/admin/note/details/{pk}")).text
        refused = await edit(browser, f"/note/edit/{pk}", **{**fields, "grants": '{"members": ["fly"]}'})
        assert refused.status_code == 422
