"""Hot routes: every case goes the plain way and the hot way, and the responses are the same, byte for byte."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx2
import orjson
import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from game.core.coalescer import Coalescer, HotStatement, RowFuture
from game.core.server import HotProtocol
from tests.conftest import Person, new_client, serving

NOBODY = "01a1fbbf-0000-7000-8000-000000000000"
ODD_TEXTS = ['a "quoted" name', "back\\slash \\n \\u0041", "Ünïcödé Ω 龍 🐉", "<b>&amp;</b> / %00 {} $1"]
CONTROLS = "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f\u00a0\u2028\u2029\u200b\u202e\ufeff\ufffd\U0010ffff"


class CountingCoalescer(Coalescer):
    """Counts its queries."""

    queries = 0

    def fetch(self, statement: HotStatement, *parameters: Any) -> RowFuture:
        self.queries += 1
        return super().fetch(statement, *parameters)


@pytest.fixture(autouse=True)
async def coalescer(app: FastAPI) -> AsyncIterator[CountingCoalescer]:
    before = app.state.hot
    app.state.hot = CountingCoalescer(app.state.database.hot_connection, 2)
    yield app.state.hot
    app.state.hot.close()
    app.state.hot = before


Answer = tuple[int, list[tuple[str, str]], bytes]


Served = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


@pytest.fixture
async def served(app: FastAPI) -> AsyncIterator[Served]:
    """Sends a request to the app by a socket and the protocol of our server; headers go as they are."""
    app.middleware_stack = app.middleware_stack or app.build_middleware_stack()
    quiet: Any = {"log_config": None, "access_log": False, "server_header": False}
    config = uvicorn.Config(app, http=HotProtocol, proxy_headers=False, **quiet)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HotProtocol(config, ServerState(), {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())

    async def send(request: httpx2.Request) -> httpx2.Response:
        lines = [b"%s: %s" % header for header in request.headers.raw]
        writer.write(
            b"\r\n".join([f"{request.method} ".encode() + request.url.raw_path + b" HTTP/1.1", *lines, b"", b""])
        )
        head, *pairs = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        headers = httpx2.Headers([tuple(pair.split(b": ", 1)) for pair in pairs])
        status = int(head.split()[1])
        length = 0 if request.method == "HEAD" or status == 304 else int(headers["content-length"])
        return httpx2.Response(status, headers=headers, content=await reader.readexactly(length))

    yield send
    writer.close()
    server.close()


@pytest.fixture
def both(app: FastAPI, coalescer: CountingCoalescer, served: Served) -> Callable[..., Awaitable[httpx2.Response]]:
    """Sends a request the plain way, and the hot way with a server and without; the responses are to be the same.

    Returns the hot one. `hot` says whether the coalescer must have been used.
    """

    async def get(
        client: httpx2.AsyncClient, path: str, *, hot: bool | None = None, method: str = "GET", **options: Any
    ) -> httpx2.Response:
        queries = coalescer.queries
        fast = await client.request(method, path, **options)
        if hot is not None:
            assert (coalescer.queries > queries) is hot, path
        soon = await served(client.build_request(method, path, **options))
        if hot is not None:
            assert coalescer.queries - queries == 2 * hot, path
        assert comparable(soon) == comparable(fast), path
        app.state.hot = None
        try:
            plain = await client.request(method, path, **options)
        finally:
            app.state.hot = coalescer
        assert comparable(fast) == comparable(plain), path
        return fast

    return get


def comparable(answer: httpx2.Response) -> Answer:
    request_id = answer.headers["x-request-id"]
    headers = sorted(
        (name, value) for name, value in answer.headers.multi_items() if name not in ("x-request-id", "date")
    )
    return answer.status_code, headers, answer.content.replace(request_id.encode(), b"")


def grid(width: int, height: int, layers: int = 1, **others: Any) -> dict[str, Any]:
    rows = ["".join("#."[(x * y) % 7 == 0] for x in range(width)) for y in range(height)]
    return {
        "width": width,
        "height": height,
        "legend": [{"symbol": "#", "name": "wall"}, {"symbol": ".", "name": "floor"}],
        "layers": [{"name": f"layer {number}", "rows": rows} for number in range(layers)],
        **others,
    }


GRIDS = [
    {},
    {"mine": {"a": [1, 2.5, None, True, "x"], "ROWS": 'rows": 9007199254740992'}},
    grid(0, 0),
    grid(1, 1),
    grid(64, 64),
    grid(65, 64),
    grid(130, 70, layers=3),
    grid(3, 2, properties={ODD_TEXTS[0]: ODD_TEXTS[2], "rows": 9007199254740991}),
    {**grid(70, 70), "layers": [{"name": "empty", "rows": [" " * 70] * 70}, {"name": "without rows"}]},
]


class TestUniverse:
    async def test_found(self, both: Any, owner: Person) -> None:
        universe = await owner.universe(name="Here", description="There.")
        answer = await both(owner.client, f"/universes/{universe['id']}", hot=True)
        assert answer.status_code == 200
        assert answer.json() == universe
        assert answer.headers["etag"] == '"1"'

    @pytest.mark.parametrize("text", ODD_TEXTS)
    async def test_odd_texts(self, both: Any, owner: Person, text: str) -> None:
        universe = await owner.universe(name=f"x{text}x", description=text + CONTROLS)
        answer = await both(owner.client, f"/universes/{universe['id']}", hot=True)
        assert answer.json()["description"] == text + CONTROLS

    @pytest.mark.parametrize("microsecond", [0, 1, 100_000, 999_999])
    async def test_every_fraction_of_a_second(
        self, both: Any, owner: Person, database: asyncpg.Connection, microsecond: int
    ) -> None:
        universe = await owner.universe()
        moment = datetime(2024, 2, 29, 23, 59, 59, microsecond, tzinfo=UTC)
        await database.execute(
            "UPDATE universe SET created_at = $2, updated_at = $2 WHERE id = $1", UUID(universe["id"]), moment
        )
        answer = await both(owner.client, f"/universes/{universe['id']}", hot=True)
        assert answer.json()["created_at"] == f"2024-02-29T23:59:59.{microsecond:06}Z"

    async def test_strangers_and_anonymous_callers(self, both: Any, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        theirs = await both(stranger.client, f"/universes/{universe['id']}", hot=True)
        nothing = await both(stranger.client, f"/universes/{NOBODY}", hot=True)
        assert theirs.status_code == 404
        assert comparable(theirs) == comparable(nothing)

    async def test_odd_ids(self, both: Any, owner: Person) -> None:
        id = (await owner.universe())["id"]
        upper = await both(owner.client, f"/universes/{id.upper()}", hot=False)
        assert upper.status_code == 200
        slash = await both(owner.client, f"/universes/{id}/", hot=True)
        assert slash.status_code == 200
        bare = id.replace("-", "")
        for odd in (
            id[:-1],
            f"{id}0",
            f"0{id}",
            bare,
            f"{{{id}}}",
            f"urn:uuid:{id}",
            "9" * 20,
            "{id}",
            "%7Bid%7D",
        ):
            await both(owner.client, f"/universes/{odd}", hot=False)
        for odd in (f"/universes/{id}/{id}", f"/{id}", f"/universes{id}", f"//universes/{id}"):
            answer = await both(owner.client, odd, hot=False)
            assert answer.status_code == 404

    async def test_query_strings(self, both: Any, owner: Person) -> None:
        id = (await owner.universe())["id"]
        for query in ("?", "?x", "?id=1", "?" + "a" * 500):
            answer = await both(owner.client, f"/universes/{id}{query}")
            assert answer.status_code == 200

    async def test_a_change_is_seen_at_once(self, both: Any, owner: Person) -> None:
        path = f"/universes/{(await owner.universe())['id']}"
        for version in range(2, 6):
            await owner.client.patch(path, json={"name": f"Version {version}"})
            answer = await both(owner.client, path, hot=True)
            assert (answer.json()["name"], answer.json()["version"]) == (f"Version {version}", version)
        await owner.client.delete(path)
        assert (await both(owner.client, path)).status_code == 404

    async def test_head(self, both: Any, owner: Person) -> None:
        await both(owner.client, f"/universes/{(await owner.universe())['id']}", method="HEAD")

    async def test_from_another_origin(self, both: Any, owner: Person) -> None:
        id = (await owner.universe())["id"]
        await both(owner.client, f"/universes/{id}", hot=True, headers={"Origin": "https://game.example"})


class TestIfNoneMatch:
    @pytest.mark.parametrize(
        ("tags", "status"),
        [
            ('"1"', 304),
            ('W/"1"', 304),
            ('"0", "1"', 304),
            ('"0" , W/"1","7"', 304),
            ("*", 304),
            (" * ", 304),
            ('"2"', 200),
            ('"11"', 200),
            ("", 200),
            ("1", 200),
            ('"', 200),
            ('"1', 200),
            ("\u00e9\u00ff", 200),
            ('"x", ' * 199 + '"1"', 304),
        ],
    )
    async def test_lists(self, both: Any, owner: Person, tags: str, status: int) -> None:
        universe = await owner.universe()
        headers = {"If-None-Match": tags.encode("latin-1")}
        answer = await both(owner.client, f"/universes/{universe['id']}", headers=headers)
        assert answer.status_code == status
        if status == 304:
            assert answer.content == b""
            assert answer.headers["etag"] == '"1"'

    async def test_twice(self, both: Any, owner: Person) -> None:
        universe = await owner.universe()
        for pair in (('"1"', '"7"'), ('"7"', '"1"')):
            headers = [("If-None-Match", tag) for tag in pair]
            await both(owner.client, f"/universes/{universe['id']}", headers=headers)

    async def test_maps_and_me(self, both: Any, owner: Person) -> None:
        place = await owner.map(grid_data=grid(3, 3))
        for path in (f"/maps/{place['id']}", "/users/me"):
            assert (await both(owner.client, path, hot=True, headers={"If-None-Match": '"1"'})).status_code == 304

    async def test_lists_have_none(self, both: Any, owner: Person) -> None:
        assert (await both(owner.client, "/universes", headers={"If-None-Match": "*"})).status_code == 200


class TestWhoAsks:
    """Revocation is immediate: what ended a moment ago is refused by the next request."""

    @pytest.fixture
    async def paths(self, owner: Person) -> list[str]:
        place = await owner.map(grid_data=grid(3, 3))
        one = f"/maps/{place['id']}"
        region = f"{one}/region?x=0&y=0&width=2&height=2"
        return [f"/universes/{place['universe_id']}", "/universes", one, "/maps", region, "/users/me"]

    async def check(
        self, both: Any, client: httpx2.AsyncClient, paths: list[str], status: int, **options: Any
    ) -> None:
        for path in paths:
            answer = await both(client, path, **options)
            assert answer.status_code == status, path

    async def test_nobody(self, both: Any, client: httpx2.AsyncClient, paths: list[str]) -> None:
        await self.check(both, client, paths, 401, hot=False)

    @pytest.mark.parametrize(
        "value", ["Bearer", "Bearer ", "Bearer x.y.z", "Basic YTpi", "Bearer a b", "bearer\t", "x" * 5000]
    )
    async def test_no_token(self, both: Any, client: httpx2.AsyncClient, paths: list[str], value: str) -> None:
        await self.check(both, client, paths, 401, hot=False, headers={"Authorization": value})

    async def test_log_out(self, both: Any, owner: Person, paths: list[str]) -> None:
        await self.check(both, owner.client, paths, 200, hot=True)
        assert (await owner.client.post("/auth/jwt/logout")).status_code == 204
        await self.check(both, owner.client, paths, 401)

    async def test_log_out_under_load(self, app: FastAPI, owner: Person, paths: list[str]) -> None:
        ended = asyncio.Event()
        late: list[int] = []

        async def keep_asking(path: str) -> None:
            while True:
                after = ended.is_set()
                status = (await owner.client.get(path)).status_code
                if after:
                    late.append(status)
                    return

        asking = [asyncio.create_task(keep_asking(path)) for path in paths * 4]
        await asyncio.sleep(0.05)
        assert (await owner.client.post("/auth/jwt/logout")).status_code == 204
        ended.set()
        await asyncio.gather(*asking)
        assert late == [401] * len(asking)

    async def test_expired_session(
        self, both: Any, owner: Person, paths: list[str], database: asyncpg.Connection
    ) -> None:
        await self.check(both, owner.client, paths, 200, hot=True)
        await database.execute("UPDATE auth_session SET expires_at = now() WHERE user_id = $1", UUID(owner.id))
        await self.check(both, owner.client, paths, 401)

    async def test_deactivated(
        self, both: Any, owner: Person, paths: list[str], database: asyncpg.Connection
    ) -> None:
        await self.check(both, owner.client, paths, 200, hot=True)
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(owner.id))
        await self.check(both, owner.client, paths, 401)

    async def test_a_remembered_token_expires(
        self, both: Any, owner: Person, paths: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.check(both, owner.client, paths, 200, hot=True)
        monkeypatch.setattr("game.accounts.tokens.time", SimpleNamespace(time=lambda: time.time() + 3600))
        await self.check(both, owner.client, paths, 401, hot=False)

    async def test_a_session_of_another_user(
        self, both: Any, app: FastAPI, owner: Person, stranger: Person, paths: list[str]
    ) -> None:
        mine = app.state.tokens.read(stranger.tokens["access_token"].encode())
        token = app.state.tokens.sign(UUID(owner.id), mine.session_id, 60)
        await self.check(both, stranger.client, paths, 401, headers={"Authorization": f"Bearer {token}"})

    async def test_cookie(self, both: Any, app: FastAPI, owner: Person, paths: list[str]) -> None:
        async with new_client(app) as browser:
            form = {"username": owner.email, "password": owner.password}
            assert (await browser.post("/auth/cookie/login", data=form)).status_code in (200, 204)
            await self.check(both, browser, paths, 200, hot=True)


class TestLists:
    @pytest.fixture
    async def crowd(self, owner: Person) -> Person:
        """A user with 23 universes and 23 maps."""
        home = None
        for number, text in zip(range(23), ODD_TEXTS * 6, strict=False):
            universe = await owner.universe(name=f"{number:02} {text}", description=text + CONTROLS)
            home = universe["id"] if number % 3 == 0 else home
            await owner.map(home, name=f"{number:02} {text}", description=text, grid_data=grid(70, 2))
        return owner

    @pytest.mark.parametrize("path", ["/universes", "/maps"])
    async def test_empty(self, both: Any, owner: Person, path: str) -> None:
        answer = await both(owner.client, path, hot=True)
        assert answer.json() == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize("path", ["/universes", "/maps"])
    async def test_pages(self, both: Any, crowd: Person, path: str) -> None:
        for limit in (1, 7, 20, 22, 23, 24, 100):
            seen: list[str] = []
            cursor = None
            while cursor is not None or not seen:
                query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
                page = (await both(crowd.client, path + query, hot=True)).json()
                seen += [item["id"] for item in page["items"]]
                cursor = page["next_cursor"]
            assert len(seen) == len(set(seen)) == 23
            assert seen == sorted(seen)

    @pytest.mark.parametrize("path", ["/universes", "/maps"])
    async def test_odd_query_strings(self, both: Any, crowd: Person, path: str) -> None:
        cursor = (await crowd.client.get(f"{path}?limit=3")).json()["next_cursor"]
        by_name = (await crowd.client.get(f"{path}?limit=3&sort=name")).json()["next_cursor"]
        limits = [
            "",
            "?",
            "0",
            "-1",
            "101",
            "1e2",
            "+5",
            "%2B5",
            "%35",
            "05",
            "5.0",
            " 5",
            "٣",
            "²",
            "1_0",
            "9" * 20,
        ]
        others = (
            "?&&limit=3 ?limit=3& ?limit=3&limit=5 ?limit=5&limit=x ?limit ?LIMIT=5 ?x ?x=1 ?limit=5&x=1 "
            "?limit=5;x ?sort=name ?sort=created_at ?sort=-created_at ?sort=nothing ?q= ?q=1 ?q=%00 ?q=% "
            f"?universe_id=x ?cursor= ?cursor=x ?cursor=%00 ?cursor=bnVsbA ?cursor={by_name} ?cursor={cursor} "
            f"?cursor={cursor}&cursor=x ?cursor=x&cursor={cursor} ?cursor={quote(cursor, safe='')}%20 "
            f"?cursor={cursor}&limit=2 ?cursor={cursor}&limit=0 ?cursor={cursor}&sort=name ?cursor={cursor}= "
            f"?cursor={by_name}&sort=name ?universe_id={NOBODY}"
        )
        for query in ("", *(f"?limit={limit}" for limit in limits), *others.split()):
            await both(crowd.client, path + query)

    async def test_maps_of_one_universe(self, both: Any, crowd: Person, stranger: Person) -> None:
        for universe in (await crowd.client.get("/universes")).json()["items"][:4]:
            path = f"/maps?universe_id={universe['id']}"
            assert (await both(crowd.client, path)).status_code == 200
            assert (await both(stranger.client, path)).status_code == 404

    async def test_a_strangers_cursor_shows_nothing(self, both: Any, crowd: Person, stranger: Person) -> None:
        for path in ("/universes", "/maps"):
            cursor = (await crowd.client.get(f"{path}?limit=3")).json()["next_cursor"]
            answer = await both(stranger.client, f"{path}?cursor={cursor}", hot=True)
            assert answer.json() == {"items": [], "next_cursor": None}


class TestMap:
    @pytest.mark.parametrize("document", GRIDS)
    async def test_found(self, both: Any, owner: Person, document: dict[str, Any]) -> None:
        place = await owner.map(name=ODD_TEXTS[0], description=ODD_TEXTS[1], grid_data=document)
        answer = await both(owner.client, f"/maps/{place['id']}", hot=True)
        assert answer.status_code == 200
        assert answer.json() == place
        assert answer.json()["grid_data"] == document

    async def test_compressed(self, both: Any, owner: Person) -> None:
        place = await owner.map(grid_data=grid(200, 200))
        for encoding in ("gzip", "identity", "br, gzip;q=0.5", "gzip;q=0"):
            answer = await both(
                owner.client, f"/maps/{place['id']}", hot=True, headers={"Accept-Encoding": encoding}
            )
            assert answer.json() == place

    async def test_strangers_and_anonymous_callers(self, both: Any, owner: Person, stranger: Person) -> None:
        place = await owner.map(grid_data=grid(3, 3))
        theirs = await both(stranger.client, f"/maps/{place['id']}", hot=True)
        nothing = await both(stranger.client, f"/maps/{NOBODY}", hot=True)
        assert theirs.status_code == 404
        assert comparable(theirs) == comparable(nothing)


class TestRegion:
    PLACE = "x=60&y=5&width=9&height=70"

    @pytest.mark.parametrize("document", GRIDS)
    async def test_found(self, both: Any, owner: Person, document: dict[str, Any]) -> None:
        place = await owner.map(grid_data=document)
        for query in ("x=0&y=0&width=1&height=1", "x=63&y=63&width=2&height=1", self.PLACE):
            await both(owner.client, f"/maps/{place['id']}/region?{query}")

    @pytest.mark.parametrize(
        ("more", "status"),
        [
            ("", 200),
            ("&layers=layer 0", 200),
            ("&layers=layer%201,layer+0", 200),
            ("&layers=", 200),
            ("&layers=nowhere", 200),
            ("&layers=layer 0,", 200),
            ("&layers=%00", 422),
            ("&layers=%ff", 200),
            ("&layers=" + "x" * 6000, 422),
            ("&layers=layer 0&layers=layer 1", None),
            ("&x=1", None),
            ("&z=1", None),
            ("&", None),
            ("&=", None),
            ("&x", None),
        ],
    )
    async def test_layers_and_oddities(self, both: Any, owner: Person, more: str, status: int | None) -> None:
        place = await owner.map(grid_data=grid(130, 70, layers=3))
        answer = await both(owner.client, f"/maps/{place['id']}/region?{self.PLACE}{more}")
        assert status is None or answer.status_code == status, answer.text

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "x=0&y=0&width=1",
            *(
                f"x={x}&y=0&width=1&height=1"
                for x in ("-1", "%2B5", "+5", "5.0", "1_0", "", "٣", "1e1", "130", "9" * 30)
            ),
            *(f"x=0&y=0&width={width}&height=1" for width in ("0", "256", "257", "513", "4096", "4097")),
        ],
    )
    async def test_odd_numbers(self, both: Any, owner: Person, query: str) -> None:
        place = await owner.map(grid_data=grid(130, 70))
        await both(owner.client, f"/maps/{place['id']}/region?{query}")

    async def test_versions_and_clients(self, both: Any, owner: Person, stranger: Person) -> None:
        place = await owner.map(grid_data=grid(130, 70))
        path = f"/maps/{place['id']}/region?{self.PLACE}"
        assert (await both(owner.client, path, hot=True)).headers["etag"] == '"1"'
        assert (await both(owner.client, path, headers={"if-none-match": '"1"'})).status_code == 304
        assert (await both(owner.client, path, method="HEAD")).status_code == 200
        assert (await both(stranger.client, path)).status_code == 404


class TestMe:
    async def test_found(self, both: Any, new_person: Callable[..., Awaitable[Person]]) -> None:
        for name in (*ODD_TEXTS, "x" * 100):
            person = await new_person(display_name=name)
            answer = await both(person.client, "/users/me", hot=True)
            assert answer.json()["id"] == person.id
            assert answer.json()["display_name"] == name.strip()
            assert answer.headers["cache-control"] == "no-store"

    async def test_query_string(self, both: Any, owner: Person) -> None:
        assert (await both(owner.client, "/users/me?x=1")).status_code == 200


class TestTheDatabaseAway:
    async def test_503_with_retry_after(self, app: FastAPI, owner: Person) -> None:
        path = f"/universes/{(await owner.universe())['id']}"

        async def refuse() -> Any:
            raise ConnectionRefusedError

        app.state.hot = Coalescer(refuse, 2)
        answers = await asyncio.gather(*(owner.client.get(path) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        assert {answer.json()["code"] for answer in answers} == {"UNAVAILABLE"}

    async def test_without_a_task(self, app: FastAPI, owner: Person, served: Served) -> None:
        path = f"/universes/{(await owner.universe())['id']}"

        async def refuse() -> Any:
            raise ConnectionRefusedError

        app.state.hot = Coalescer(refuse, 2)
        answer = await served(owner.client.build_request("GET", path))
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")


class TestWithoutATask:
    async def test_the_app_is_not_called(self, app: FastAPI, owner: Person, served: Served) -> None:
        path = f"/universes/{(await owner.universe())['id']}"

        async def fail(*_: Any) -> None:
            raise AssertionError("called")

        stack, app.middleware_stack = app.middleware_stack, fail
        try:
            assert (await served(owner.client.build_request("GET", path))).status_code == 200
        finally:
            app.middleware_stack = stack

    async def test_an_error_of_ours_is_a_500(
        self, app: FastAPI, owner: Person, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> Any:
            raise RuntimeError("broken")

        path = f"/universes/{(await owner.universe())['id']}"
        monkeypatch.setattr("game.core.hot._message", fail)
        answer = await served(owner.client.build_request("GET", path))
        assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("hot-server")
    with serving(folder, DATABASE_URL=new_database(), WORLDKEEP_LOG_FORMAT="json") as server:
        yield server


@pytest.fixture(scope="module")
async def person(server: Any) -> AsyncIterator[dict[str, str]]:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        body = {"email": f"{uuid4().hex}@example.com", "password": "correct horse battery"}
        assert (await client.post("/auth/register", json=body)).status_code == 201
        form = {"username": body["email"], "password": body["password"]}
        token = (await client.post("/auth/jwt/login", data=form)).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        universe = (await client.post("/universes", json={"name": ODD_TEXTS[0]})).json()
        body = {"universe_id": universe["id"], "name": "M", "grid_data": grid(64, 64)}
        place = (await client.post("/maps", json=body)).json()
        yield {"token": token, "universe": universe["id"], "map": place["id"]}


class TestRealServer:
    """Over a socket, hot responses leave in one piece: with the very same lines as plain ones."""

    def exchange(self, server: Any, *requests: str) -> list[Answer]:
        """Sends requests over one connection, all at once, and returns the responses in their order."""
        parts = urlsplit(server.url)
        answers = []
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall("".join(requests).encode())
            with connection.makefile("rb") as stream:
                for request in requests:
                    status = int(stream.readline().split()[1])
                    headers = []
                    while line := stream.readline().strip():
                        name, _, value = line.decode().partition(": ")
                        headers.append((name, value))
                    length = 0 if request.startswith("HEAD") else int(dict(headers).get("content-length", 0))
                    body = stream.read(length)
                    kept = sorted(one for one in headers if one[0] not in ("date", "x-request-id"))
                    assert len(headers) == len(kept) + 2
                    answers.append((status, kept, body))
        return answers

    def request(self, person: dict[str, str], path: str, *lines: str, method: str = "GET") -> str:
        head = [f"{method} {path} HTTP/1.1", "host: localhost", f"authorization: Bearer {person['token']}", *lines]
        return "\r\n".join([*head, "", ""])

    @pytest.mark.parametrize("lines", [(), ('if-none-match: "1"',), ("accept-encoding: gzip",)])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_the_same_lines(
        self, server: Any, person: dict[str, str], lines: tuple[str, ...], method: str
    ) -> None:
        for path, plain in (
            (f"/universes/{person['universe']}", "?plain"),
            (f"/maps/{person['map']}", "?plain"),
            ("/universes", "?sort=created_at"),
            ("/maps", "?sort=created_at"),
            ("/users/me", "?plain"),
        ):
            hot, cold = await asyncio.to_thread(
                self.exchange,
                server,
                self.request(person, path, *lines, method=method),
                self.request(person, path + plain, *lines, method=method),
            )
            assert hot == cold

    async def test_many_requests_at_once_over_one_connection(self, server: Any, person: dict[str, str]) -> None:
        universe, place = f"/universes/{person['universe']}", f"/maps/{person['map']}"
        requests = [self.request(person, path) for path in (universe, place, "/universes", "/maps") * 10]
        answers = await asyncio.to_thread(self.exchange, server, *requests)
        assert answers == answers[:4] * 10
        assert [len(body) > 100 for status, _, body in answers[:4] if status == 200] == [True] * 4

    async def test_connection_close(self, server: Any, person: dict[str, str]) -> None:
        path = f"/universes/{person['universe']}"
        ((status, headers, _),) = await asyncio.to_thread(
            self.exchange, server, self.request(person, path, "connection: close")
        )
        assert status == 200
        assert ("connection", "close") in headers

    async def test_no_line_of_the_log_is_lost_at_a_clean_exit(
        self, tmp_path: Path, new_database: Callable[[], str]
    ) -> None:
        def ask() -> tuple[str, int]:
            with serving(tmp_path, DATABASE_URL=new_database(), WORLDKEEP_LOG_FORMAT="json") as server:
                requests = ["GET /users/me HTTP/1.1\r\nhost: localhost\r\n\r\n"] * 50
                self.exchange(server, *requests)
                status = server.stop()
                return server.log.read_text(), status

        text, _ = await asyncio.to_thread(ask)
        assert text.count('"path":"/users/me"') == 50

    async def test_a_trusted_proxy_reports_the_client(
        self, tmp_path: Path, new_database: Callable[[], str]
    ) -> None:
        def ask() -> str:
            environment = {"WORLDKEEP_LOG_FORMAT": "json", "WORLDKEEP_TRUSTED_PROXIES": "127.0.0.1"}
            with serving(tmp_path, DATABASE_URL=new_database(), **environment) as server:
                body = {"email": "a@example.com", "password": "correct horse battery"}
                httpx2.post(f"{server.url}/auth/register", json=body)
                form = {"username": body["email"], "password": body["password"]}
                token = httpx2.post(f"{server.url}/auth/jwt/login", data=form).json()["access_token"]
                for path in ("/users/me", "/users/me?plain"):
                    request = self.request({"token": token}, path, "x-forwarded-for: 203.0.113.7")
                    self.exchange(server, request)
                server.stop()
                return server.log.read_text()

        lines = [
            orjson.loads(line) for line in (await asyncio.to_thread(ask)).splitlines() if '"/users/me"' in line
        ]
        assert [line["client"] for line in lines] == ["203.0.113.7"] * 2
