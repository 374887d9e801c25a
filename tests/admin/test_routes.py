"""Every route of the admin, for every view, in every role. A route or view without a row in CALLS fails."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from starlette.routing import Match, Mount, Route

from admin.views import VIEWS
from game.core.ids import uuid7
from game.maps.models import GRID_EXAMPLE
from tests.admin.conftest import Browse
from tests.conftest import Person, new_client, sign_up_and_log_in
from tests.document import APP

SITE = APP.state.admin
IDENTITIES = [view.identity for view in SITE.views]
NEW_PASSWORD = "a better horse battery"
PICTURE = Path("tests/grid/formats/files/diamond.png").read_bytes()
FILES = {"map": ("cellar.txt", b"####\n#..#\n####\n"), "picture": ("tile.png", PICTURE)}
"""What is uploaded; `make_things` adds a universe."""


class Things(NamedTuple):
    """The owner's objects, each marked with a word that nobody else may read."""

    marker: str
    owner: Person
    pks: dict[str, str]

    def elsewhere(self) -> "Things":
        """The same, with ids that were never used."""
        never = {name: str(uuid7()) for name in self.pks}
        never |= {"event": f"{uuid7()};1", "member": f"{uuid7()};{uuid7()}"}
        return self._replace(pks=never)

    def secrets(self) -> list[str]:
        """What tells of the owner."""
        return [self.marker, self.owner.id, self.owner.email, self.pks["universe"], self.pks["map"]]


Fields = Callable[[Things], dict[str, Any]]


class Call(NamedTuple):
    """How a route is called, and who gets what they ask for.

    `mine`: everybody with an account, but only of what is theirs. `named`: it is about one row of the owner's.
    `makes`: who calls it makes something of their own. `file`: what is uploaded with it.
    """

    method: str
    path: str
    fields: Fields | None = None
    mine: bool = True
    named: bool = True
    makes: bool = False
    file: str = ""


def _universe(things: Things) -> dict[str, Any]:
    return {"name": f"Other {things.marker}", "description": "", "version": "1"}


def _map(things: Things) -> dict[str, Any]:
    return {
        "name": f"Other {things.marker}",
        "description": "",
        "universe_id": things.pks["universe"],
        "grid_data": "{}",
        "version": "1",
    }


def _character(things: Things) -> dict[str, Any]:
    fields = {"name": f"Other {things.marker}", "kind": "player", "sheet": '{"level": 2}', "grants": "", "gm": ""}
    return {**fields, "universe_id": things.pks["universe"], "version": "1"}


def _token(things: Things) -> dict[str, Any]:
    numbers = {"x": "1", "y": "0", "size": "1", "rotation": "0", "elevation": "0"}
    texts = {"name": f"Other {things.marker}", "disposition": "hostile", "hidden": "true", "bars": ""}
    return {**numbers, **texts, "version": "1"}


def _encounter(things: Things) -> dict[str, Any]:
    return {"name": f"Other {things.marker}", "gm": '{"plan": 1}', "version": "1"}


def _note(things: Things) -> dict[str, Any]:
    fields = {"title": f"Other {things.marker}", "body": "A *text*.", "grants": '{"members": ["see"]}'}
    return {**fields, "universe_id": things.pks["universe"], "version": "1"}


def _background(things: Things) -> dict[str, Any]:
    return {"asset_id": things.pks["asset"], "x": "0", "y": "0.5", "width": "6", "height": "3", "version": "1"}


def _invitation(_: Things) -> dict[str, Any]:
    return {"do": "invite", "role": "player", "max_uses": "", "expires_in": "86400", "key": uuid4().hex}


def _user(things: Things) -> dict[str, Any]:
    fields = {"email": f"{uuid4().hex}@example.com", "display_name": f"Other {things.marker}"}
    return {**fields, "password": NEW_PASSWORD, "is_active": "y", "version": ""}


def _user_edit(things: Things) -> dict[str, Any]:
    return {**_user(things), "password": "", "version": "1"}


def _of(identity: str, mine: bool) -> Iterator[tuple[tuple[str, str], list[Call]]]:
    """The calls that every view has."""
    queries = ["", "?search={marker}", "?page=999999&pageSize=100", "?search={marker}&sort=desc"]
    columns = next(view for view in VIEWS if view.identity == identity).column_sortable_list
    in_order = [f"?sortBy={column}&sort=desc" for column in columns]
    filters = next(view for view in VIEWS if view.identity == identity).filters
    for name in filters:
        of = {"universe_id": "universe", "subject_id": "map", "map_id": "map"}.get(name, "user")
        queries.append(f"?{name}=yes" if filters[name].options else f"?{name}={{{of}}}")
    yield (
        ("list", identity),
        [Call("GET", f"/{identity}/list{query}", mine=mine, named=False) for query in [*queries, *in_order]],
    )
    yield (
        ("export", identity),
        [Call("GET", f"/{identity}/export/csv{query}", mine=mine, named=False) for query in queries],
    )
    yield ("details", identity), [Call("GET", f"/{identity}/details/{{{identity}}}", mine=mine)]


DOOR = {
    ("statics", "", "GET"),
    ("login", "", "GET"),
    ("login", "", "POST"),
    ("logout", "", "POST"),
}
"""Public routes: see `test_guard.py`."""

CALLS: dict[tuple[str, str], list[Call]] = {
    ("index", ""): [Call("GET", "/", named=False)],
    **dict(_of("universe", True)),
    **dict(_of("map", True)),
    **dict(_of("character", True)),
    **dict(_of("token", True)),
    **dict(_of("encounter", True)),
    **dict(_of("note", True)),
    **dict(_of("roll", True)),
    **dict(_of("message", True)),
    **dict(_of("asset", True)),
    **dict(_of("event", True)),
    **dict(_of("user", False)),
    **dict(_of("session", False)),
    **dict(_of("member", False)),
    ("create", "universe"): [
        Call("GET", "/universe/create", named=False),
        Call("POST", "/universe/create", _universe, named=False, makes=True),
    ],
    ("create", "map"): [
        Call("GET", "/map/create?universe_id={universe}", named=False),
        Call("POST", "/map/create", _map),
    ],
    ("create", "character"): [
        Call("GET", "/character/create?universe_id={universe}", named=False),
        Call("POST", "/character/create", _character),
    ],
    ("create", "note"): [
        Call("GET", "/note/create?universe_id={universe}", named=False),
        Call("POST", "/note/create", _note),
    ],
    ("create", "user"): [
        Call("GET", "/user/create", mine=False, named=False),
        Call("POST", "/user/create", _user, mine=False, named=False),
    ],
    ("edit", "universe"): [
        Call("GET", "/universe/edit/{universe}"),
        Call("POST", "/universe/edit/{universe}", _universe),
    ],
    ("edit", "map"): [Call("GET", "/map/edit/{map}"), Call("POST", "/map/edit/{map}", _map)],
    ("edit", "character"): [
        Call("GET", "/character/edit/{character}"),
        Call("POST", "/character/edit/{character}", _character),
    ],
    ("edit", "token"): [Call("GET", "/token/edit/{token}"), Call("POST", "/token/edit/{token}", _token)],
    ("edit", "encounter"): [
        Call("GET", "/encounter/edit/{encounter}"),
        Call("POST", "/encounter/edit/{encounter}", _encounter),
    ],
    ("edit", "note"): [Call("GET", "/note/edit/{note}"), Call("POST", "/note/edit/{note}", _note)],
    ("edit", "user"): [
        Call("GET", "/user/edit/{user}", mine=False),
        Call("POST", "/user/edit/{user}", _user_edit, mine=False),
    ],
    **{
        ("delete", identity): [
            Call("POST", f"/{identity}/delete", lambda things, name=identity: {"pks": things.pks[name]}, mine),
            Call(
                "POST",
                f"/{identity}/delete",
                lambda things, name=identity: {"pks": [str(uuid7()), things.pks[name]], "sure": "yes"},
                mine,
            ),
            Call("DELETE", f"/{identity}/delete?pks={{{identity}}}", None, mine),
        ]
        for identity, mine in (
            ("map", True),
            ("universe", True),
            ("character", True),
            ("token", True),
            ("encounter", True),
            ("note", True),
            ("asset", True),
            ("session", False),
            ("user", False),
        )
    },
    ("import_maps", ""): [
        Call("GET", "/map/import?universe_id={universe}", named=False),
        Call("POST", "/map/import?universe_id={universe}", file="map"),
    ],
    ("import_universe", ""): [
        Call("GET", "/universe/import", named=False),
        Call("POST", "/universe/import", named=False, makes=True, file="bundle"),
    ],
    ("upload_picture", ""): [
        Call("GET", "/asset/upload?universe_id={universe}", named=False),
        Call("POST", "/asset/upload?universe_id={universe}", file="picture"),
    ],
    ("show_members", ""): [Call("GET", "/universe/members/{universe}")],
    ("change_members", ""): [Call("POST", "/universe/members/{universe}", _invitation)],
    ("export_map", ""): [Call("GET", "/map/files/{map}")],
    ("copy_map", ""): [Call("POST", "/map/copy/{map}", lambda _: {})],
    ("edit_background", ""): [
        Call("GET", "/map/background/{map}"),
        Call("GET", "/map/background/{map}?asset_id={asset}"),
        Call("POST", "/map/background/{map}", _background),
        Call("POST", "/map/background/{map}", lambda _: {"remove": "yes", "version": "1"}),
    ],
    ("show_history", ""): [
        Call("GET", "/map/history/{map}?seq=2"),
        Call("GET", "/map/history/{map}?cursor=9&seq=x"),
    ],
    ("draw_past_map", ""): [Call("GET", "/map/history/{map}/picture?seq=2")],
    ("restore_map", ""): [Call("POST", "/map/restore/{map}", lambda _: {"seq": "2", "version": "1"})],
    ("view-map-picture", ""): [Call("GET", "/map/picture/{map}"), Call("GET", "/map/picture/{map}?large")],
    ("view-user-end_sessions", ""): [Call("POST", "/user/end-sessions/{user}", lambda _: {}, mine=False)],
}
"""By route and view."""

CLOSED = {
    "new event": ("GET", "/event/create"),
    "make event": ("POST", "/event/create"),
    "new session": ("GET", "/session/create"),
    "make session": ("POST", "/session/create"),
    "new encounter": ("GET", "/encounter/create"),
    "new token": ("GET", "/token/create"),
    "make token": ("POST", "/token/create"),
    "make encounter": ("POST", "/encounter/create"),
    **{
        f"{verb} {identity}": (method, f"/{identity}/{path}")
        for identity in ("roll", "message")
        for verb, method, path in (
            ("new", "GET", "create"),
            ("make", "POST", "create"),
            ("edit", "GET", f"edit/{{{identity}}}"),
            ("save", "POST", f"edit/{{{identity}}}"),
            ("delete", "DELETE", f"delete?pks={{{identity}}}"),
            ("delete by form", "POST", f"delete?pks={{{identity}}}&sure=yes"),
        )
    },
    "new picture": ("GET", "/asset/create"),
    "make picture": ("POST", "/asset/create"),
    "edit picture": ("GET", "/asset/edit/{asset}"),
    "save picture": ("POST", "/asset/edit/{asset}"),
    "edit event": ("GET", "/event/edit/{event}"),
    "save event": ("POST", "/event/edit/{event}"),
    "edit session": ("GET", "/session/edit/{session}"),
    "save session": ("POST", "/session/edit/{session}"),
    "delete event": ("DELETE", "/event/delete?pks={event}"),
    "delete event by form": ("POST", "/event/delete?pks={event}&sure=yes"),
    "new member": ("GET", "/member/create"),
    "make member": ("POST", "/member/create"),
    "edit member": ("GET", "/member/edit/{member}"),
    "save member": ("POST", "/member/edit/{member}"),
    "delete member": ("DELETE", "/member/delete?pks={member}"),
    "delete member by form": ("POST", "/member/delete?pks={member}&sure=yes"),
    "import by SQLAdmin": ("POST", "/user/import"),
    "ajax look-up": ("GET", "/map/ajax/lookup?name=universe&term=a"),
    "download": ("GET", "/map/{map}/name/download/"),
    "preview": ("GET", "/map/{map}/name/preview/"),
    "JSON export": ("GET", "/map/export/json"),
    "delete by GET": ("GET", "/map/delete?pks={map}&sure=yes"),
    "end sessions by GET": ("GET", "/user/end-sessions/{user}"),
    "an unknown view": ("GET", "/account/list"),
    "a table's name": ("GET", "/auth-session/list"),
    "action": ("GET", "/user/action/end-sessions?pks={user}"),
}
"""Routes of SQLAdmin that are disabled, even for superusers."""


def registered() -> set[tuple[str, str, str]]:
    """Every route of the admin, with every view that it may be called for and every method that it takes."""
    found = set()
    for route in SITE.admin.routes:
        assert isinstance(route, Route | Mount)
        methods = (route.methods or set()) - {"HEAD"} if isinstance(route, Route) else {"GET"}
        identities = IDENTITIES if "{identity}" in route.path else [""]
        found |= {(str(route.name), identity, method) for identity in identities for method in methods}
    return found


def reached(method: str, path: str) -> tuple[str, str, str] | None:
    """The route that a call comes to; None when there is none."""
    scope = {"type": "http", "method": method, "path": path.partition("?")[0], "root_path": ""}
    for route in SITE.admin.routes:
        match, more = route.matches(scope)
        if match is Match.FULL:
            return str(route.name), more["path_params"].get("identity", ""), method
    return None


def listed() -> set[tuple[str, str, str] | None]:
    """The routes that the tables call."""
    calls = {(call.method, call.path) for calls in CALLS.values() for call in calls}
    return DOOR | {reached(*call) for call in (*calls, *CLOSED.values())}


class TestTable:
    def test_every_route_of_every_view_has_its_row(self) -> None:
        assert registered() - listed() == set(), "say in CALLS how it is called and who may"
        assert DOOR - registered() == set()

    def test_every_row_is_of_its_route(self) -> None:
        """Not of another that takes the path first."""
        for (name, identity), calls in CALLS.items():
            for call in calls:
                assert reached(call.method, call.path) == (name, identity, call.method), call

    def test_every_view_is_listed(self) -> None:
        assert [type(view) for view in SITE.views] == list(VIEWS)

    def test_a_new_route_or_view_is_missed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The check finds routes that are not listed."""
        more = [
            Route("/{identity}/details/{pk}/copy", lambda _: None, name="details", methods=["POST"]),
            Route("/backup", lambda _: None, name="backup"),
        ]
        monkeypatch.setattr(SITE.admin.router, "routes", [*SITE.admin.routes, *more])
        copies = {("details", identity, "POST") for identity in IDENTITIES}
        assert registered() - listed() == {("backup", "", "GET"), *copies}
        monkeypatch.undo()
        monkeypatch.setitem(globals(), "IDENTITIES", [*IDENTITIES, "scene"])
        assert {identity for _, identity, _ in registered() - listed()} == {"scene"}


async def upload(owner: Person, universe_id: str, name: str = "picture") -> dict[str, Any]:
    """A picture in a universe."""
    answer = await owner.client.post(f"/universes/{universe_id}/assets", files={"file": (f"{name}.png", PICTURE)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def make_things(owner: Person, marker: str, database_url: str, call: Call | None = None) -> Things:
    """One of each thing, the owner's; or a universe with a map, and what else a call is about."""

    def is_wanted(kind: str) -> bool:
        # With a universe, all that is in it is deleted.
        return call is None or call.path.startswith((f"/{kind}/", "/universe/")) or f"{{{kind}}}" in call.path

    if "bundle" not in FILES:
        path = f"/universes/{(await owner.universe(name='Empty'))['id']}"
        FILES["bundle"] = ("universe.zip", (await owner.client.get(f"{path}/export")).content)
        await owner.client.delete(path)
    universe = await owner.universe(name=f"Universe {marker}", description=f"About {marker}")
    made = await owner.map(
        universe["id"], name=f"Map {marker}", description=f"On {marker}", grid_data={**GRID_EXAMPLE, "x": marker}
    )
    played = {}
    if is_wanted("session"):
        connection = await asyncpg.connect(database_url)
        session = await connection.fetchval(
            "INSERT INTO auth_session SELECT $2, user_id, refresh_hash, $3, ip_address, created_at, last_used_at,"
            " expires_at FROM auth_session WHERE user_id = $1 LIMIT 1 RETURNING id",
            UUID(owner.id),
            uuid7(),
            marker,
        )
        played["session"] = str(session)
        await connection.close()
    for kind, body in (
        ("character", {"name": f"Character {marker}", "sheet": {"secret": marker}, "gm": marker}),
        ("encounter", {"name": f"Encounter {marker}", "combatants": [{"name": marker}], "gm": marker}),
        ("note", {"title": f"Note {marker}", "body": marker}),
        ("roll", {"expression": f"d20 [{marker}]"}),
        ("message", {"text": f"Message {marker}"}),
    ):
        if not is_wanted(kind):
            continue
        answer = await owner.client.post(f"/universes/{universe['id']}/{kind}s", json=body)
        assert answer.status_code == 201, answer.text
        played[kind] = answer.json()["id"]
    if is_wanted("token"):
        body = {"name": f"Token {marker}", "x": 0, "y": 0, "gm": marker}
        token = await owner.client.post(f"/maps/{made['id']}/tokens", json=body)
        assert token.status_code == 201, token.text
        played["token"] = token.json()["id"]
    if is_wanted("asset") or (call and "/background/" in call.path):
        played["asset"] = (await upload(owner, universe["id"], marker))["id"]
    pks = {
        **played,
        "universe": universe["id"],
        "map": made["id"],
        "event": f"{universe['id']};1",
        "user": owner.id,
        "member": f"{universe['id']};{owner.id}",
    }
    return Things(marker, owner, pks)


class Crowd(NamedTuple):
    """A person of every kind, with their browsers."""

    nobody: httpx2.AsyncClient
    stranger: httpx2.AsyncClient
    superuser: httpx2.AsyncClient
    owner: httpx2.AsyncClient
    owner_person: Person


@pytest.fixture(scope="module")
async def crowd(app: FastAPI, database_url: str) -> Crowd:
    """One crowd for all routes: passwords take long to hash."""
    people = {}
    for role in ("stranger", "superuser", "owner"):
        people[role] = await sign_up_and_log_in(new_client(app), display_name=f"{role} {uuid4().hex}")
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE account SET is_superuser = true WHERE id = $1", UUID(people["superuser"].id))
    await connection.close()
    browsers = {}
    for role, person in people.items():
        browsers[role] = new_client(app)
        form = {"username": person.email, "password": person.password}
        assert (await browsers[role].post("/admin/login", data=form)).status_code == 303
    await people["stranger"].map(name="Of the stranger")
    return Crowd(new_client(app), **browsers, owner_person=people["owner"])


async def send(browser: httpx2.AsyncClient, call: Call, things: Things) -> httpx2.Response:
    """Send a call."""
    path = f"/admin{call.path}".format(**things.pks, marker=things.marker)
    body: dict[str, Any] = {"data": call.fields(things)} if call.fields else {}
    if call.file:
        body["files"] = {"file": FILES[call.file]}
    return await browser.request(call.method, path, **body)


def comparable(answer: httpx2.Response) -> tuple[int, str]:
    """A response without the request's id."""
    return answer.status_code, answer.text


async def state(things: Things, database: asyncpg.Connection) -> list[Any]:
    """What the owner has, without the times of the sessions."""
    queries = (
        "SELECT * FROM account WHERE id = $1",
        "SELECT * FROM universe WHERE owner_id = $1 ORDER BY id",
        "SELECT m.* FROM map m JOIN universe u ON u.id = m.universe_id WHERE u.owner_id = $1 ORDER BY m.id",
        "SELECT a.* FROM asset a JOIN universe u ON u.id = a.universe_id WHERE u.owner_id = $1 ORDER BY a.id",
        "SELECT c.* FROM character c JOIN universe u ON u.id = c.universe_id WHERE u.owner_id = $1 ORDER BY c.id",
        "SELECT c.* FROM token c JOIN universe u ON u.id = c.universe_id WHERE u.owner_id = $1 ORDER BY c.id",
        "SELECT c.* FROM encounter c JOIN universe u ON u.id = c.universe_id WHERE u.owner_id = $1 ORDER BY c.id",
        "SELECT c.* FROM note c JOIN universe u ON u.id = c.universe_id WHERE u.owner_id = $1 ORDER BY c.id",
        "SELECT id FROM auth_session WHERE user_id = $1 ORDER BY id",
        "SELECT universe_id, seq FROM event e WHERE actor_id = $1 ORDER BY 1, 2",
    )
    texts = (f"(SELECT string_agg(one::text, ',') FROM ({query}) one)" for query in queries)
    return list(await database.fetchrow(f"SELECT {', '.join(texts)}", UUID(things.owner.id)) or ())


EACH = [
    pytest.param(call, id=f"{call.method} {call.path}{' sure' if call.fields and number else ''}")
    for calls in CALLS.values()
    for number, call in enumerate(calls)
]


@pytest.fixture(scope="module")
async def shared(crowd: Crowd, database_url: str) -> Things:
    """Things that are only looked at."""
    return await make_things(crowd.owner_person, uuid4().hex, database_url)


class TestEverybody:
    """Callers without access learn nothing and change nothing."""

    @pytest.mark.parametrize("call", EACH)
    async def test_everybody(
        self, call: Call, crowd: Crowd, shared: Things, database: asyncpg.Connection, database_url: str
    ) -> None:
        fresh = call.method != "GET"
        things = await make_things(crowd.owner_person, uuid4().hex, database_url, call) if fresh else shared
        before = await state(things, database)
        await self.nobody(call, crowd, things)
        await self.stranger(call, crowd, things)
        if fresh or call.path == "/":
            assert await state(things, database) == before
        await self.allowed(call, crowd, things, "owner", call.mine, database_url)
        if fresh:
            things = await make_things(crowd.owner_person, uuid4().hex, database_url, call)
        await self.allowed(call, crowd, things, "superuser", True, database_url)

    async def nobody(self, call: Call, crowd: Crowd, things: Things) -> None:
        answer = await send(crowd.nobody, call, things)
        assert answer.status_code == (303 if call.method == "GET" else 401)
        if call.method == "GET":
            assert answer.headers["location"].startswith("/admin/login?next=")
        assert not any(secret in answer.text for secret in things.secrets())

    async def stranger(self, call: Call, crowd: Crowd, things: Things) -> None:
        answer = await send(crowd.stranger, call, things)
        expected = {303} if call.makes else {200} if call.mine and not call.named else {404, 422}
        assert answer.status_code in expected, answer.text
        # Their own input is shown in their form again.
        typed = call.path.format(**things.pks, marker=things.marker) + str(
            call.fields(things) if call.fields else ""
        )
        for secret in things.secrets():
            assert secret not in answer.text or secret in typed
        if call.named and answer.status_code == 404:
            never = await send(crowd.stranger, call, things.elsewhere())
            assert comparable(answer) == comparable(never)

    async def allowed(
        self, call: Call, crowd: Crowd, things: Things, role: str, allowed: bool, database_url: str
    ) -> None:
        if call.path.startswith(("/user/delete", "/user/end-sessions")):
            things = await self.with_another_user(things, crowd, database_url)
        answer = await send(getattr(crowd, role), call, things)
        for secret in ("argon2", "hashed_password", "refresh_hash"):
            assert secret not in answer.text
        if allowed:
            missing = call.fields and isinstance(call.fields(things).get("pks"), list)
            assert answer.status_code == (404 if missing else 303 if self.writes(call) else 200), answer.text
        else:
            assert answer.status_code == 404
            assert things.marker not in answer.text

    @staticmethod
    def writes(call: Call) -> bool:
        return call.method == "DELETE" or (call.method == "POST" and not call.path.endswith("/delete"))

    @staticmethod
    async def with_another_user(things: Things, crowd: Crowd, database_url: str) -> Things:
        """Things with an account that may be lost."""
        connection = await asyncpg.connect(database_url)
        spare = uuid7()
        await connection.execute(
            "INSERT INTO account (id, email, hashed_password, display_name, is_active, is_superuser, is_verified,"
            " version) VALUES ($1, $2, '', 'Spare', true, false, false, 1)",
            spare,
            f"{spare.hex}@example.com",
        )
        await connection.close()
        return things._replace(pks={**things.pks, "user": str(spare)})


async def everything(database: asyncpg.Connection) -> dict[str, str]:
    """A fingerprint of each table, when no picture is being processed any more."""
    for _ in range(600):
        if not await database.fetchval("SELECT EXISTS (SELECT FROM picture WHERE state = 'processing')"):
            break
        await asyncio.sleep(0.05)
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    sql = "SELECT coalesce(md5(string_agg(one::text, ',' ORDER BY one::text)), '') FROM {} one"
    return {row[0]: await database.fetchval(sql.format(row[0])) for row in tables}


class TestNothingBy:
    """Requests that must not change anything, in any role."""

    async def test_get(self, crowd: Crowd, shared: Things, database: asyncpg.Connection) -> None:
        """Not with the fields of a form either, nor by a header that some servers take for the method."""
        fields = "pks={map}&sure=yes&version=1&overwrite=1&name=Theirs&_method=DELETE"
        calls = [(call.method, call.path) for calls in CALLS.values() for call in calls]
        calls += [*CLOSED.values(), ("POST", "/logout"), ("POST", "/login")]
        # How a list is sorted and filtered changes nothing that this test is about.
        paths = {path.partition("?")[0]: path for _, path in reversed(calls)}.values()
        before = await everything(database)
        for browser in (crowd.owner, crowd.superuser):
            for path in sorted(paths):
                path = f"/admin{path}{'&' if '?' in path else '?'}{fields}"
                path = path.format(**shared.pks, marker=shared.marker)
                for method in ("GET", "HEAD", "OPTIONS"):
                    headers = {"x-http-method-override": "DELETE", "x-http-method": "POST"}
                    answer = await browser.request(method, path, headers=headers)
                    assert answer.status_code < 500, path
        assert await everything(database) == before

    @pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
    async def test_another_site(
        self, crowd: Crowd, shared: Things, database: asyncpg.Connection, headers: dict[str, str]
    ) -> None:
        """Every write, with the cookie of who may do it."""
        calls = [call for calls in CALLS.values() for call in calls if call.method != "GET"]
        calls += [Call(method, path) for method, path in CLOSED.values() if method != "GET"]
        calls += [Call("POST", "/logout"), Call("POST", "/login"), Call("POST", "/map/action/x")]
        before = await everything(database)
        for browser in (crowd.owner, crowd.superuser):
            for call in calls:
                path = f"/admin{call.path}".format(**shared.pks, marker=shared.marker)
                data = {**(call.fields(shared) if call.fields else {}), "sure": "yes"}
                answer = await browser.request(call.method, path, data=data, headers=headers)
                assert answer.status_code == 403, path
        assert await everything(database) == before


class TestLists:
    """What a list shows: all of one's own, and nothing else."""

    @pytest.mark.parametrize(
        "identity",
        ["universe", "map", "token", "character", "encounter", "note", "roll", "message", "asset", "event"],
    )
    async def test_shows_what_is_mine(self, identity: str, crowd: Crowd, database_url: str) -> None:
        things = await make_things(crowd.owner_person, uuid4().hex, database_url)
        for browser in (crowd.owner, crowd.superuser):
            path = f"/admin/{identity}/list?pageSize=100"
            assert things.marker in (await browser.get(path)).text
        assert things.marker not in (await crowd.stranger.get(f"/admin/{identity}/list?pageSize=100")).text

    async def test_counts_tell_nothing(self, crowd: Crowd, database_url: str, new_person: Any) -> None:
        await make_things(crowd.owner_person, uuid4().hex, database_url)
        page = (await crowd.stranger.get("/admin/map/list")).text
        assert re.search(r"1–1 of 1\b", page)

    async def test_the_dashboard_counts_what_is_mine(
        self,
        browse: Browse,
        new_person: Callable[..., Awaitable[Person]],
        crowd: Crowd,
        database: asyncpg.Connection,
    ) -> None:
        person = await new_person()
        universe = await person.universe()
        for _ in range(3):
            await person.map(universe["id"])
        page = (await (await browse(person)).get("/admin/")).text
        found = re.findall(r"<strong>([\d,]+)</strong><span>(\w+)</span>", page)
        assert found == [("1", "Universe"), ("3", "Maps"), ("4", "Events")]
        page = (await crowd.superuser.get("/admin/")).text
        found = re.findall(r"<strong>([\d,]+\+?)</strong><span>(\w+)<", page)
        counts = {label: number for number, label in found}
        everybody = await database.fetchval("SELECT count(*) FROM account")
        assert counts["Users"] == f"{everybody:,}"
        assert counts.keys() == {"Universes", "Maps", "Events", "Users", "Sessions"}

    async def test_the_dashboard(self, crowd: Crowd, database_url: str) -> None:
        things = await make_things(crowd.owner_person, uuid4().hex, database_url)
        assert things.marker in (await crowd.owner.get("/admin/")).text
        assert things.marker in (await crowd.superuser.get("/admin/")).text
        assert things.marker not in (await crowd.stranger.get("/admin/")).text


class TestClosed:
    @pytest.mark.parametrize("name", CLOSED)
    async def test_for_everybody(
        self, name: str, crowd: Crowd, database: asyncpg.Connection, database_url: str
    ) -> None:
        call = Call(*CLOSED[name])
        things = await make_things(crowd.owner_person, uuid4().hex, database_url, call)
        before = await state(things, database)
        for browser in (crowd.stranger, crowd.owner, crowd.superuser):
            answer = await send(browser, call, things)
            assert answer.status_code in (404, 405)
            assert things.marker not in answer.text
        assert await state(things, database) == before

    @pytest.mark.parametrize("name", [".env", "pyproject.toml", "/etc/passwd", "game/main.py"])
    async def test_a_name_is_no_path(self, name: str, browse: Browse, owner: Person, superuser: Person) -> None:
        made = await owner.map(name=name)
        for person in (owner, superuser):
            browser = await browse(person)
            for end in (
                "name/download/",
                "name/preview/",
                "name/download",
                "name/preview",
                "description/download/",
            ):
                answer = await browser.get(f"/admin/map/{made['id']}/{end}")
                assert answer.status_code == 404
                assert "[project]" not in answer.text
                assert "create_app" not in answer.text


class TestForeignUniverse:
    """A posted universe of somebody else's."""

    async def test_make_a_map_there(self, crowd: Crowd, database_url: str, database: asyncpg.Connection) -> None:
        things = await make_things(crowd.owner_person, uuid4().hex, database_url)
        fields = {"name": "Mine", "universe_id": things.pks["universe"], "grid_data": ""}
        answer = await crowd.stranger.post("/admin/map/create", data=fields)
        assert answer.status_code == 422
        never = {**fields, "universe_id": str(uuid7())}
        other = await crowd.stranger.post("/admin/map/create", data=never)
        assert answer.text == other.text

    async def test_move_a_map_there(
        self, browse: Browse, new_person: Callable[..., Awaitable[Person]], crowd: Crowd, database_url: str
    ) -> None:
        things = await make_things(crowd.owner_person, uuid4().hex, database_url)
        thief = await new_person()
        mine = await thief.map(name="Mine")
        browser = await browse(thief)
        fields = {"name": "Mine", "description": "", "universe_id": things.pks["universe"], "version": "1"}
        answer = await browser.post(f"/admin/map/edit/{mine['id']}", data=fields)
        assert answer.status_code == 422
        assert (await thief.client.get(f"/maps/{mine['id']}")).json()["universe_id"] == mine["universe_id"]
