"""The pages of the admin: lists, search, order, filters, export; hostile names and addresses."""

import asyncio
import csv
import html
import io
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from PIL import Image
from sqlalchemy.event import listen as listen_to
from sqlalchemy.event import remove

from admin.export import cell
from admin.views import VIEWS
from game.accounts.tokens import COOKIE
from game.maps.models import GRID_EXAMPLE
from tests.admin.conftest import Browse
from tests.conftest import Person, new_client

VIEW = {view.identity: view for view in VIEWS}
IDENTITIES = list(VIEW)
HOSTILE = '<img src=x onerror="alert(1)">{{7*7}}'
ODD = [
    "search=%00",
    "search=" + "x" * 200,
    "page=x",
    "page=-1",
    "page=0",
    "page=1e9",
    "page=%D9%A3",
    "pageSize=0",
    "pageSize=abc",
    "sortBy=hashed_password",
    "sortBy=grid_data",
    "sortBy=__class__",
    "sortBy=name.x",
    "{filter}=x",
    "{filter}=yes",
    "{filter}=%00",
    "{filter}=%27%20OR%201=1",
]
ODD_FOR_SUPERUSERS = [
    "search=%00",
    "search=" + "x" * 200,
    "sortBy=hashed_password",
    "sortBy=refresh_hash",
    "sortBy=is_superuser",
    "is_active=01a00000-0000-7000-8000-000000000000",
    "is_superuser=true",
    "user_id=no",
    "user_id=%00",
]
FINE = [
    "search=%25",
    "search=%27%22%5C_%F0%9F%90%89",
    "page=99999999999999999999",
    "pageSize=1000000000",
    "sort=sideways",
    "unknown=1",
    "done=unknown",
]


async def rows_of(browser: httpx2.AsyncClient, path: str) -> list[list[str]]:
    """The rows of an export."""
    answer = await browser.get(f"/admin/{path}")
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))


MANY_EVENTS = """
    INSERT INTO event (universe_id, seq, kind, subject_id, payload)
    SELECT $1, 1 + number, 'map.edited', $1, '{}' FROM generate_series(1, $2::int) AS number
"""


async def download(
    app: FastAPI, browser: httpx2.AsyncClient, path: str, after_first: Callable[[], Awaitable[None]] | None
) -> list[bytes]:
    """The parts of a response as the server sends them; `after_first` happens when the first rows have come."""
    parts: list[bytes] = []

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        elif message["body"]:
            parts.append(message["body"])
            if len(parts) == 2 and after_first:
                await after_first()

    path, _, query = path.partition("?")
    cookie = f"{COOKIE}={browser.cookies[COOKIE]}".encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"cookie", cookie)],
        "client": ("127.0.0.1", 1234),
        "server": ("localhost", 80),
    }
    await app(scope, receive, send)
    return parts


class TestLists:
    async def test_search(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        for name in ("Red Cave", "Blue Cave", "100% Sure"):
            await owner.map(universe["id"], name=name)
        browser = await browse(owner)
        page = (await browser.get("/admin/map/list?search=cave")).text
        assert "Red Cave" in page
        assert "100% Sure" not in page
        # A percent sign is one, not a pattern.
        page = (await browser.get("/admin/map/list?search=%25")).text
        assert "100% Sure" in page
        assert "Red Cave" not in page

    async def test_order_and_pages(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        for number in range(28):
            await owner.map(universe["id"], name=f"Map {number:02}")
        browser = await browse(owner)
        first = (await browser.get("/admin/map/list?sortBy=name&sort=desc")).text
        assert first.index("Map 27") < first.index("Map 10")
        assert "Map 02" not in first
        assert "1–25 of 28" in first
        second = (await browser.get("/admin/map/list?sortBy=name&sort=desc&page=2")).text
        assert "Map 02" in second
        assert "Map 27" not in second
        beyond = (await browser.get("/admin/map/list?sortBy=name&sort=desc&page=99")).text
        assert "Page 2 of 2" in beyond

    async def test_filter(self, browse: Browse, owner: Person) -> None:
        one, two = await owner.universe(name="One"), await owner.universe(name="Two")
        await owner.map(one["id"], name="In one")
        await owner.map(two["id"], name="In two")
        browser = await browse(owner)
        page = (await browser.get(f"/admin/map/list?universe_id={one['id']}")).text
        assert "In one" in page
        assert "In two" not in page

    async def test_filter_options_are_mine(self, browse: Browse, owner: Person, stranger: Person) -> None:
        await owner.universe(name="Secret place")
        await stranger.map(name="Known")
        page = (await (await browse(stranger)).get("/admin/map/list")).text
        assert "Known" in page
        assert "Secret place" not in page

    @pytest.mark.parametrize("identity", ["universe", "map", "event"])
    async def test_odd_addresses(self, browse: Browse, owner: Person, identity: str) -> None:
        await owner.map()
        browser = await browse(owner)
        name = {"universe": "owner_id"}.get(identity, "universe_id")
        for query in ODD:
            answer = await browser.get(f"/admin/{identity}/list?{query.format(filter=name)}")
            assert answer.status_code == 422, query
            if "%00" not in query:
                assert "<h1>" in answer.text
        for query in FINE:
            assert (await browser.get(f"/admin/{identity}/list?{query}")).status_code == 200, query

    async def test_odd_addresses_by_superusers(self, browse: Browse, superuser: Person) -> None:
        browser = await browse(superuser)
        for query in ODD_FOR_SUPERUSERS:
            identity = "session" if query.startswith(("user_id", "sortBy=refresh")) else "user"
            answer = await browser.get(f"/admin/{identity}/list?{query}")
            assert answer.status_code == 422, query
            assert "argon2" not in answer.text

    @pytest.mark.parametrize("identity", IDENTITIES)
    async def test_u0000(self, browse: Browse, superuser: Person, identity: str) -> None:
        """In the search, and wherever else in an address."""
        browser = await browse(superuser)
        names = ["search", "page", "pageSize", "sortBy", "sort", "done", "else", *VIEW[identity].filters]
        for name in names:
            for page in ("list", "export/csv"):
                answer = await browser.get(f"/admin/{identity}/{page}?{name}=a%00b")
                assert answer.status_code == 422, (page, name)
        assert (await browser.get(f"/admin/{identity}/list?a%00b=c")).status_code == 422
        assert (await browser.get(f"/admin/{identity}/details/%00")).status_code == 404

    async def test_a_filter_stays_chosen_among_many(
        self, browse: Browse, owner: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else the next search would forget it, and a saved form would move its map."""
        monkeypatch.setattr("admin.views.base.MAX_OPTIONS", 1)
        await owner.universe(name="A first one")
        last = await owner.universe(name="Zuletzt")
        made = await owner.map(last["id"])
        browser = await browse(owner)
        for path in (
            f"list?universe_id={last['id']}",
            f"edit/{made['id']}",
            f"create?universe_id={last['id']}",
        ):
            page = (await browser.get(f"/admin/map/{path}")).text
            assert f'<option value="{last["id"]}" selected>' in page, path

    @pytest.mark.parametrize(
        "path",
        [
            "map/details/x",
            "map/details/%00",
            "map/details/..%2F..%2Fetc",
            "map/edit/99999999999999999999",
            "event/details/x",
            "event/details/x;y",
            "event/details/01a00000-0000-7000-8000-000000000000;99999999999999999999",
            "event/details/01a00000-0000-7000-8000-000000000000;" + "9" * 5000,
            "event/details/01a00000-0000-7000-8000-000000000000;1;2",
            "%00/list",
            "../list",
        ],
    )
    async def test_no_such_row(self, browse: Browse, owner: Person, path: str) -> None:
        answer = await (await browse(owner)).get(f"/admin/{path}")
        assert 400 <= answer.status_code < 500

    async def test_of_very_many_the_first(
        self, browse: Browse, owner: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To count a log of millions for each page takes seconds."""
        monkeypatch.setattr("admin.views.base.MAX_COUNTED", 25)
        universe = await owner.universe()
        for number in range(27):
            await owner.map(universe["id"], name=f"Map {number:02}")
        browser = await browse(owner)
        page = (await browser.get("/admin/map/list?sortBy=name&page=99")).text
        assert "1–25 of 25+" in page
        assert "Map 24" in page
        assert "Map 25" not in page
        assert "<strong>25+</strong><span>Maps</span>" in (await browser.get("/admin/")).text

    async def test_the_log_without_what_it_says(self, browse: Browse, owner: Person, superuser: Person) -> None:
        """The payload of an event may be megabytes: lists show many events, the page of one shows its start."""
        universe = await owner.universe(name="Named in the log")
        made = await owner.map(universe["id"], grid_data={"width": 1, "height": 1})
        thing = {"id": "a", "kind": "book", "x": 0, "y": 0, "properties": {"text": ["told " * 1000] * 100}}
        edits = {"edits": [{"op": "put_entity", "entity": thing}]}
        assert (await owner.client.post(f"/maps/{made['id']}/edits", json=edits)).status_code == 200
        browser = await browse(owner)
        for path in (
            "",
            f"event/list?universe_id={universe['id']}",
            f"event/export/csv?universe_id={universe['id']}",
            f"universe/details/{universe['id']}",
            f"map/details/{made['id']}",
        ):
            page = (await browser.get(f"/admin/{path}")).text
            assert "told" not in page, path
        changed = await owner.client.patch(f"/maps/{made['id']}", json={"description": "told " * 1900})
        assert changed.status_code == 200
        page = (await browser.get(f"/admin/event/details/{universe['id']};4")).text
        assert "told" in page
        assert len(page) < 150_000
        # The log has the names of deleted rows.
        await browser.post("/admin/map/delete", data={"pks": made["id"], "sure": "yes"})
        page = (await browser.get(f"/admin/event/list?universe_id={universe['id']}")).text
        assert page.count('<span class="text-secondary">Cellar</span>') == 2

    async def test_few_queries(self, browse: Browse, owner: Person) -> None:
        """The grid of a map is nowhere loaded for a list, however many maps there are."""
        grid = {"private_to_the_grid": "x" * 1000}
        await owner.map(grid_data=grid)
        browser = await browse(owner)
        for path in ("map/list", "", "map/export/csv"):
            assert "private_to_the_grid" not in (await browser.get(f"/admin/{path}")).text


class TestTheLog:
    """The log is the one list that grows for ever: of it, a page reads no more than it shows."""

    @pytest.mark.parametrize(
        ("who", "path", "found_by"),
        [
            ("superuser", "", "ix_event_created_at"),
            ("superuser", "event/list", "ix_event_created_at"),
            ("superuser", "event/list?sortBy=created_at&sort=asc", "ix_event_created_at"),
            ("superuser", "event/list?universe_id={id}", "pk_event"),
            # Not by time, because a game master's events may be few and old.
            ("owner", "", "(universe_id = member.universe_id)"),
            ("owner", "event/list", "(universe_id = member.universe_id)"),
            ("owner", "event/list?universe_id={id}", "pk_event"),
            ("owner", "universe/details/{id}", "pk_event"),
        ],
    )
    async def test_is_read_by_an_index(
        self,
        browse: Browse,
        owner: Person,
        superuser: Person,
        app: FastAPI,
        database: asyncpg.Connection,
        who: str,
        path: str,
        found_by: str,
    ) -> None:
        universe = await owner.universe()
        browser = await browse(superuser if who == "superuser" else owner)
        asked: list[tuple[str, Any]] = []

        def listen(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
            if "FROM event" in statement and "ORDER BY" in statement:
                asked.append((statement, parameters))

        engine = app.state.database.engine.sync_engine
        listen_to(engine, "before_cursor_execute", listen)
        try:
            assert (await browser.get(f"/admin/{path.format(id=universe['id'])}")).status_code == 200
        finally:
            remove(engine, "before_cursor_execute", listen)
        ((statement, parameters),) = asked
        async with database.transaction():
            # The tables of a test are too small for the planner to look for an index by itself.
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
                await database.execute(f"SET LOCAL enable_{way} = off")
            lines = await database.fetch(f"EXPLAIN {statement}", *parameters)
        plan = "\n".join(line[0] for line in lines)
        assert found_by in plan, plan
        assert found_by == "ix_event_created_at" or "ix_event_created_at" not in plan, plan

    async def test_is_in_the_order_of_time(self, browse: Browse, owner: Person, superuser: Person) -> None:
        first, second = await owner.universe(name="Alpha"), await owner.universe(name="Beta")
        for number, universe in enumerate((first, second, first)):
            await owner.map(universe["id"], name=f"Made {number}")
        for person, query, shown in (
            (owner, "", [2, 1, 0]),
            (owner, "?sortBy=created_at&sort=asc", [0, 1, 2]),
            (owner, "?sortBy=created_at&sort=desc", [2, 1, 0]),
            (superuser, "", [2, 1, 0]),
            (superuser, f"?universe_id={first['id']}", [2, 0]),
            (owner, f"?universe_id={first['id']}&sortBy=created_at", [0, 2]),
        ):
            page = (await (await browse(person)).get(f"/admin/event/list{query}")).text
            assert [int(number) for number in re.findall(r">Made (\d)<", page)] == shown, query


class TestPicture:
    async def test_small_and_large(self, browse: Browse, owner: Person, superuser: Person) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        sizes = {}
        for person in (owner, superuser):
            browser = await browse(person)
            for query in ("", "?large"):
                answer = await browser.get(f"/admin/map/picture/{made['id']}{query}")
                assert answer.headers["content-type"] == "image/png"
                sizes[query] = Image.open(io.BytesIO(answer.content)).size
        assert sizes == {"": (54, 27), "?large": (192, 96)}

    async def test_is_drawn_from_the_grid_data(self, browse: Browse, owner: Person) -> None:
        """The URL of a map's picture changes with the map, so that no outdated one is shown."""
        legend = [
            {"symbol": "r", "name": "red", "color": "#ff0000"},
            {"symbol": "b", "name": "blue", "color": "#0000ff"},
        ]
        grid = {"width": 1, "height": 1, "legend": legend, "layers": [{"name": "ground", "rows": ["r"]}]}
        made = await owner.map(grid_data=grid)
        browser = await browse(owner)
        cell = {"op": "set", "layer": "ground", "cells": [{"x": 0, "y": 0, "symbol": "b"}]}
        for version, color in ((1, (255, 0, 0)), (2, (0, 0, 255))):
            src = f'src="/admin/map/picture/{made["id"]}?v={version}'
            for path in ("", "map/list", f"map/details/{made['id']}", f"universe/details/{made['universe_id']}"):
                assert src in (await browser.get(f"/admin/{path}")).text, path
            answer = await browser.get(f"/admin/map/picture/{made['id']}?v={version}")
            picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
            assert picture.getpixel((4, 4)) == color
            assert "no-cache" in answer.headers["cache-control"]
            await owner.client.post(f"/maps/{made['id']}/edits", json={"edits": [cell]})

    async def test_unchanged(self, browse: Browse, owner: Person) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        browser = await browse(owner)
        answer = await browser.get(f"/admin/map/picture/{made['id']}", headers={"if-none-match": '"1"'})
        assert answer.status_code == 304

    async def test_a_map_without_cells(self, browse: Browse, owner: Person) -> None:
        made = await owner.map()
        answer = await (await browse(owner)).get(f"/admin/map/picture/{made['id']}")
        assert answer.status_code in (200, 422)


def texts_of(page: str) -> str:
    """The text of a page."""
    page = re.sub(r"<(script|style|textarea|pre|code)\b.*?</\1>", " ", page, flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|placeholder|title)="([^"]*)"', page)
    return html.unescape(" ".join([re.sub(r"<[^>]+>", " ", page), *labels]))


class TestLabels:
    """Pages show labels, not the names of tables, columns and classes."""

    async def test_on_every_page(self, browse: Browse, owner: Person, superuser: Person) -> None:
        made = await owner.map(grid_data=GRID_EXAMPLE)
        session = (await owner.client.get("/auth/sessions")).json()["items"][0]["id"]
        played = {}
        for kind, body in (
            ("character", {"name": "Ashe", "sheet": {"level": 3}}),
            ("encounter", {"name": "At the well", "combatants": [{"name": "Ashe"}]}),
            ("note", {"title": "A letter", "body": "The bell rang."}),
            ("roll", {"expression": "2d20kh1+5"}),
            ("message", {"text": "Who goes there? " * 10}),
        ):
            answer = await owner.client.post(f"/universes/{made['universe_id']}/{kind}s", json=body)
            played[kind] = answer.json()["id"]
        pks = {
            **played,
            "universe": made["universe_id"],
            "map": made["id"],
            "event": f"{made['universe_id']};1",
            "user": owner.id,
            "session": session,
        }
        columns = {column.name for view in VIEWS for column in view.model.__table__.columns}
        never = {name for name in columns if "_" in name}
        never |= {"authsession", "auth", "mapchunk", "chunk", "model", "row", "pk", "pks", "none", "null", "true"}
        browser = await browse(superuser)
        for identity, pk in pks.items():
            view = VIEW[identity]
            pages = ["list", f"details/{pk}"]
            pages += ["create"] * view.can_create + [f"edit/{pk}"] * view.can_edit
            for path in pages:
                page = (await browser.get(f"/admin/{identity}/{path}")).text
                said = set(re.findall(r"[\w.]+", texts_of(page).lower()))
                assert {identity, f"{identity}s"} & said, path
                assert not said & never - {"account"} if identity in ("user", "session") else not said & never, (
                    path
                )

    async def test_of_every_event(self, browse: Browse, owner: Person) -> None:
        universe, other = await owner.universe(), await owner.universe()
        made = await owner.map(universe["id"], grid_data=GRID_EXAMPLE)
        client, path = owner.client, f"/maps/{made['id']}"
        cell = {"op": "set", "layer": "ground", "cells": [{"x": 1, "y": 1, "symbol": "#"}]}
        for method, end, body in (
            ("POST", "/edits", {"edits": [cell]}),
            ("POST", "/undo", None),
            ("POST", "/redo", None),
            ("POST", "/restore", {"seq": 2}),
            ("PATCH", "", {"name": "Renamed"}),
            ("PATCH", "", {"universe_id": other["id"]}),
            ("PATCH", "", {"universe_id": universe["id"]}),
            ("DELETE", "", None),
        ):
            answer = await client.request(method, f"{path}{end}", json=body)
            assert answer.status_code < 300, answer.text
        await client.patch(f"/universes/{universe['id']}", json={"name": "Renamed too"})
        page = (await (await browse(owner)).get(f"/admin/event/list?universe_id={universe['id']}")).text
        said = re.findall(r'<td class="wa-col-kind"[^>]*>\s*<a [^>]*>([^<]*)</a>', page)
        assert said == [
            "Universe changed",
            "Map deleted",
            "Map moved here",
            "Map moved away",
            "Map changed",
            "Map restored to an earlier state",
            "Map edit redone",
            "Map edit undone",
            "Map edited",
            "Map created",
            "Universe created",
        ]


class TestErrors:
    """Errors are sentences, that say what to do and nothing of the inside."""

    @pytest.mark.parametrize(
        ("method", "path", "form"),
        [
            ("GET", "map/list?page=x", {}),
            ("GET", "map/list?sortBy=x", {}),
            ("GET", "map/list?universe_id=x", {}),
            ("GET", "map/list?search=" + "x" * 200, {}),
            ("GET", "map/details/x", {}),
            ("GET", "map/picture/x", {}),
            ("GET", "nothing/list", {}),
            ("GET", "logout", {}),
            ("GET", "map/delete", {}),
            ("GET", "map/export/json", {}),
            ("GET", "user/list", {}),
            ("POST", "map/create", {"name": "", "universe_id": ""}),
            ("POST", "map/create", {"name": "x", "universe_id": "x"}),
            ("POST", "map/create", {"name": "x", "universe_id": "01a00000-0000-7000-8000-000000000000"}),
            ("POST", "map/create", {"name": "x\u2028y", "universe_id": "{universe}"}),
            ("POST", "map/create", {"name": "x", "universe_id": "{universe}", "grid_data": "["}),
            ("POST", "map/create", {"name": "x", "universe_id": "{universe}", "grid_data": '{"width": -1}'}),
            ("POST", "map/edit/{map}", {"name": "x"}),
            ("POST", "map/edit/{map}", {"name": "x\0", "version": "1"}),
            ("POST", "map/edit/{map}", {"name": "x", "universe_id": "{universe}", "version": "7"}),
            ("POST", "map/delete", {}),
            ("POST", "map/delete", {"pks": "x", "sure": "yes"}),
            ("POST", "map/delete", {"pks": "{map}", "sure": "yes", "version": "7"}),
            ("POST", "map/delete", {"pks": "{map}", "sure": "yes", "version": "x"}),
            ("POST", "event/delete", {"pks": "{universe};1", "sure": "yes"}),
            ("POST", "login", {"username": "x", "password": "x"}),
            ("PUT", "map/list", {}),
        ],
    )
    async def test_to_a_game_master(
        self, browse: Browse, owner: Person, method: str, path: str, form: dict[str, str]
    ) -> None:
        universe = await owner.universe()
        made = await owner.map(universe["id"])
        ids = {"{universe}": universe["id"], "{map}": made["id"]}
        for name, pk in ids.items():
            path = path.replace(name, pk)
            form = {key: text.replace(name, pk) for key, text in form.items()}
        answer = await (await browse(owner)).request(method, f"/admin/{path}", data=form or None)
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.speaks(answer.text)

    @pytest.mark.parametrize(
        ("path", "form"),
        [
            ("user/list?is_active=x", None),
            ("session/list?user_id=yes", None),
            ("user/create", {"email": "x", "display_name": "", "password": "x"}),
            ("user/create", {"email": "a@b", "display_name": " ", "password": "x" * 200}),
            ("user/create", {"email": "a" * 300 + "@example.com", "display_name": "x" * 101, "password": ""}),
            ("user/create", {"email": "{email}", "display_name": "x", "password": "a new horse battery"}),
            ("user/edit/{me}", {"email": "{email}", "display_name": "x", "version": "1"}),
            ("user/delete", {"pks": "{me}", "sure": "yes"}),
            ("user/delete", {"pks": "{owner}", "sure": "yes"}),
        ],
    )
    async def test_to_a_superuser(
        self, browse: Browse, superuser: Person, owner: Person, path: str, form: dict[str, str] | None
    ) -> None:
        await owner.universe()
        for name, text in {"{me}": superuser.id, "{owner}": owner.id, "{email}": superuser.email}.items():
            path = path.replace(name, text)
            form = form and {key: value.replace(name, text) for key, value in form.items()}
        answer = await (await browse(superuser)).request("POST" if form else "GET", f"/admin/{path}", data=form)
        assert answer.status_code in (409, 422)
        self.speaks(answer.text)

    @staticmethod
    def speaks(page: str) -> None:
        """Every error on a page is one or more sentences."""
        alerts = re.findall(r'role="alert">(.*?)</div>', page, re.DOTALL)
        said = [alert for alert in alerts if "<" not in alert]
        said += re.findall(r'<h2 class="alert-title">(.*?)</h2>', page)
        said += re.findall(r"<li><code>.*?</code>: (.*?)</li>", page)
        said += re.findall(r'invalid-feedback d-block">(.*?)</div>', page)
        said += re.findall(r'(?:wa-empty|text-center)">.*?<p>(.*?)</p>', page, re.DOTALL)
        assert said, page
        for text in map(html.unescape, said):
            assert re.match(r"[A-Z“`]", text), text
            assert text.endswith((".", "?", ":")), text
            assert " " in text
            assert not re.search(r"\b(found|Traceback|\w*Error|SQL|asyncpg|None|uuid|UUID)\b", text), text


class TestHostileNames:
    async def test_are_shown_unchanged(self, browse: Browse, owner: Person, superuser: Person) -> None:
        universe = await owner.universe(name=HOSTILE, description=HOSTILE)
        made = await owner.map(universe["id"], name=HOSTILE, description=HOSTILE, grid_data={HOSTILE: HOSTILE})
        await owner.client.patch("/users/me", json={"display_name": HOSTILE})
        for person in (owner, superuser):
            browser = await browse(person)
            paths = [
                "",
                "map/list?search=img",
                "universe/list?search=img",
                "event/list",
                f"map/details/{made['id']}",
                f"map/edit/{made['id']}",
                f"universe/details/{universe['id']}",
                f"universe/edit/{universe['id']}",
                f"event/details/{universe['id']};1",
                f"map/create?universe_id={universe['id']}",
                "map/create?universe_id=%3Cimg%20onerror%3D%22alert(1)%22%3E",
            ]
            if person is superuser:
                paths += ["user/list?search=img", f"user/details/{owner.id}", "session/list"]
            for path in paths:
                page = (await browser.get(f"/admin/{path}")).text
                assert "<img src=x" not in page, path
                assert "<img onerror" not in page, path
                assert "49" not in page.partition("&lt;img")[2][:60], path
            answer = await browser.post("/admin/map/delete", data={"pks": made["id"]})
            assert "&lt;img" in answer.text
            assert "<img src=x" not in answer.text

    async def test_in_a_refused_form(self, browse: Browse, owner: Person) -> None:
        browser = await browse(owner)
        form = {"name": HOSTILE * 20, "description": HOSTILE, "grid_data": "{" + HOSTILE}
        answer = await browser.post("/admin/map/create", data=form)
        assert answer.status_code == 422
        assert "<img src=x" not in answer.text

    async def test_at_the_log_in(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get(f"/admin/login?next={HOSTILE}")
        assert "<img" not in answer.text
        answer = await client.post("/admin/login", data={"username": HOSTILE, "password": "x", "next": HOSTILE})
        assert "<img" not in answer.text


class TestExport:
    @pytest.mark.parametrize(
        "text",
        ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "\n=1"],
    )
    def test_formulas_are_neutralised(self, text: str) -> None:
        assert cell(text) == f"'{text}"

    @pytest.mark.parametrize("text", ["a=1", "", "The Crypt", "5 - 3"])
    def test_other_texts_stay(self, text: str) -> None:
        assert cell(text) == text

    async def test_maps(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        await owner.map(universe["id"], name="=HYPERLINK(1)", description='a "quoted"\nline, and a comma')
        await owner.map(universe["id"], name="Plain")
        head, *rows = await rows_of(await browse(owner), "map/export/csv")
        assert head[:4] == ["id", "universe_id", "name", "description"]
        assert "grid_data" not in head
        assert [row[2] for row in rows] == ["'=HYPERLINK(1)", "Plain"]
        assert rows[0][3] == 'a "quoted"\nline, and a comma'

    async def test_what_the_list_shows(self, browse: Browse, owner: Person) -> None:
        universe = await owner.universe()
        for name in ("Red Cave", "Blue Cave", "Hall"):
            await owner.map(universe["id"], name=name)
        browser = await browse(owner)
        _, *rows = await rows_of(browser, "map/export/csv?search=cave")
        assert [row[2] for row in rows] == ["Red Cave", "Blue Cave"]
        assert (await browser.get("/admin/map/export/csv?universe_id=x")).status_code == 422

    async def test_more_than_a_batch(self, browse: Browse, owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("admin.views.base._EXPORT_BATCH", 2)
        universe = await owner.universe()
        for number in range(5):
            await owner.map(universe["id"], name=f"Map {number}")
        browser = await browse(owner)
        _, *rows = await rows_of(browser, "map/export/csv")
        assert [row[2] for row in rows] == [f"Map {number}" for number in range(5)]
        _, *rows = await rows_of(browser, f"event/export/csv?universe_id={universe['id']}")
        assert [row[1] for row in rows] == ["1", "2", "3", "4", "5", "6"]

    async def test_a_batch_at_a_time(
        self, browse: Browse, owner: Person, app: FastAPI, database: asyncpg.Connection
    ) -> None:
        """However long a list is, there is never more of it in memory than a batch."""
        universe = await owner.universe()
        await database.execute(MANY_EVENTS, UUID(universe["id"]), 5000)
        browser = await browse(owner)
        parts = await download(app, browser, f"/admin/event/export/csv?universe_id={universe['id']}", None)
        assert sum(part.count(b"\r\n") for part in parts) == 1 + 1 + 5000
        assert max(part.count(b"\r\n") for part in parts) == 500

    @pytest.mark.parametrize("end", ["log out", "deactivate", "take the universe away"])
    async def test_the_rest_requires_a_log_in(
        self, browse: Browse, owner: Person, stranger: Person, app: FastAPI, database: asyncpg.Connection, end: str
    ) -> None:
        universe = await owner.universe()
        await database.execute(MANY_EVENTS, UUID(universe["id"]), 2000)
        browser = await browse(owner)

        async def stop() -> None:
            if end == "log out":
                headers = {"cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
                async with new_client(app, headers=headers) as other:
                    assert (await other.post("/admin/logout")).status_code == 303
            elif end == "deactivate":
                await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(owner.id))
            else:
                sql = "UPDATE universe SET owner_id = $1 WHERE id = $2"
                await database.execute(sql, UUID(stranger.id), UUID(universe["id"]))

        path = f"/admin/event/export/csv?universe_id={universe['id']}"
        parts = await download(app, browser, path, stop)
        assert sum(part.count(b"\r\n") for part in parts) == 1 + 500

    async def test_as_a_file(self, browse: Browse, owner: Person) -> None:
        answer = await (await browse(owner)).get("/admin/universe/export/csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="universes.csv"'
