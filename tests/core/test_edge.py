"""What happens to every request and response: driven as a server drives an app, with routes of the test's own."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import orjson
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from game.core.compression import GZIP_MINIMUM
from game.core.settings import Settings
from game.main import create_app, lifespan

TIMEOUT = 0.6
PRODUCTION = {
    "environment": "production",
    "secret_key": "0123456789abcdef0123456789abcdef",
    "allowed_hosts": ["localhost", "games.example.org", "*.worlds.example"],
}


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        return dict(json.loads(self.body))


class Client:
    """Talks to an app as a server does: whole bodies, pieces of them, and any header."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(
        self,
        path: str = "/test/echo",
        *headers: tuple[str, str],
        method: str = "GET",
        query: str = "",
        pieces: Iterable[bytes] = (b"",),
        pause: float = 0,
        ends: bool = True,
    ) -> Answer:
        """Ask for a path. The body comes in pieces, with pauses between; if it never `ends`, more is awaited."""
        waiting = list(pieces)
        messages: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(pause)
            if waiting:
                return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or not ends}
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            messages.append(message)

        names = {name for name, _ in headers}
        pairs = [*headers, *(() if "host" in names else [("host", "localhost")])]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
            "client": ("203.0.113.7", 5000),
            "server": ("localhost", 80),
        }
        await self.app(scope, receive, send)
        start, *bodies = messages
        assert start["type"] == "http.response.start"
        assert all(message["type"] == "http.response.body" for message in bodies)
        found: dict[str, str] = {}
        for name, value in start["headers"]:
            key = name.decode()
            found[key] = f"{found[key]}, {value.decode()}" if key in found else value.decode()
        return Answer(start["status"], found, b"".join(message.get("body", b"") for message in bodies))


async def _echo(request: Request) -> Response:
    return PlainTextResponse(await request.body(), headers={"x-method": request.method})


async def _hang(_: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _broken(_: Request) -> Response:
    raise RuntimeError("a detail of the inside")


async def _never_begins(_: Request) -> Response:
    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    return StreamingResponse(nothing())


async def _drips(_: Request) -> Response:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(TIMEOUT * 0.4)
            yield b"drop "

    return StreamingResponse(drops())


async def _breaks_off(_: Request) -> Response:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("broke")

    return StreamingResponse(half())


async def _large(request: Request) -> Response:
    text = "a map " * (GZIP_MINIMUM // 6 + 1)
    kind = request.query_params.get("kind", "application/json")
    headers = {"content-encoding": "br"} if kind == "encoded" else {"vary": "Origin"}
    return Response(json.dumps(text), media_type=kind, headers=headers)


@pytest.fixture(scope="module")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The app with a short deadline, and with routes of the test's own."""
    app = create_app(settings.model_copy(update={"request_timeout": TIMEOUT}))
    routes = {
        "echo": _echo,
        "hang": _hang,
        "broken": _broken,
        "never-begins": _never_begins,
        "drips": _drips,
        "breaks-off": _breaks_off,
        "large": _large,
    }
    for name, endpoint in routes.items():
        app.add_route(f"/test/{name}", endpoint, methods=["GET", "POST"])
    async with lifespan(app):
        yield app


@pytest.fixture
def ask(app: FastAPI) -> Client:
    return Client(app)


@pytest.fixture(scope="module")
async def in_production(settings: Settings) -> AsyncIterator[Client]:
    app = create_app(Settings(**{**settings.model_dump(), **PRODUCTION}))
    async with lifespan(app):
        yield Client(app)


class TestHost:
    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "localhost:8000",
            "LocalHost:8000",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8000",
            "games.example.org",
            "Games.Example.ORG:443",
            "a.worlds.example",
            "a.b.worlds.example:8443",
        ],
    )
    async def test_takes_ours(self, host: str, in_production: Client) -> None:
        assert (await in_production("/health", ("host", host))).status == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "evil.example:80",
            "localhost.evil.example",
            "evillocalhost",
            "worlds.example",
            "worlds.example.evil.example",
            "evilworlds.example",
            "localhost:80@evil.example",
            "localhost:evil.example",
            "localhost/evil.example",
            "localhost evil.example",
            "[::2]:80",
            "::1",
            "",
        ],
    )
    async def test_refuses_others(self, host: str, in_production: Client) -> None:
        """Host: evil.example is a 400."""
        answer = await in_production("/health", ("host", host))
        assert (answer.status, answer.problem()["code"]) == (400, "INVALID_HOST")
        assert host not in answer.body.decode() or not host

    async def test_refuses_two(self, ask: Client) -> None:
        answer = await ask("/health", ("host", "evil.example"), ("host", "localhost"))
        assert answer.status == 400

    async def test_takes_all_where_that_is_set(self, settings: Settings) -> None:
        app = create_app(settings.model_copy(update={"allowed_hosts": ["*"]}))
        async with lifespan(app):
            assert (await Client(app)("/health", ("host", "anything.example"))).status == 200

    async def test_other_paths_too(self, ask: Client) -> None:
        for path in ("/", "/docs", "/metrics", "/universes", "/nowhere", "/docs/assets/redoc.standalone.js"):
            assert (await ask(path, ("host", "evil.example"))).status == 400


class TestRequestId:
    async def test_is_taken_over(self, ask: Client) -> None:
        answer = await ask("/nowhere", ("x-request-id", "from-the.proxy_1"))
        assert answer.headers["x-request-id"] == answer.problem()["request_id"] == "from-the.proxy_1"

    @pytest.mark.parametrize("sent", [None, "short", "x" * 65, "with space", "new\nline-----", "ünicode--"])
    async def test_is_made(self, sent: str | None, ask: Client) -> None:
        headers = [] if sent is None else [("x-request-id", sent)]
        first, second = [(await ask("/nowhere", *headers)).problem()["request_id"] for _ in range(2)]
        assert re.fullmatch("[0-9a-f]{16}", first)
        assert first != second

    async def test_is_also_in_successful_responses(self, ask: Client) -> None:
        assert (await ask("/health")).headers["x-request-id"]


class TestDeadline:
    async def test_ends_what_takes_too_long(self, ask: Client) -> None:
        start = asyncio.get_running_loop().time()
        answer = await ask("/test/hang")
        assert (answer.status, answer.problem()["code"]) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        assert TIMEOUT <= asyncio.get_running_loop().time() - start < TIMEOUT * 3

    async def test_waits_for_a_slow_line(self, ask: Client) -> None:
        """Time counts only while nothing comes."""
        pieces = [b"slow ", b"and ", b"steady ", b"wins"]
        answer = await ask(method="POST", pieces=pieces, pause=TIMEOUT * 0.4)
        assert (answer.status, answer.body) == (200, b"slow and steady wins")

    async def test_ends_a_half_sent_body(self, ask: Client) -> None:
        answer = await ask(method="POST", pieces=[b"half"], ends=False)
        assert answer.status == 503

    async def test_streams_a_response_that_arrives_in_parts(self, ask: Client) -> None:
        assert (await ask("/test/drips")).body == b"drop " * 4

    async def test_an_answer_that_never_begins(self, ask: Client) -> None:
        """The head was not sent yet, so the client gets an error."""
        answer = await ask("/test/never-begins")
        assert (answer.status, answer.problem()["code"]) == (503, "UNAVAILABLE")

    async def test_when_the_server_stops(self, ask: Client) -> None:
        task = asyncio.create_task(ask("/test/hang"))
        await asyncio.sleep(TIMEOUT / 3)
        task.cancel()
        answer = await task
        assert (answer.status, answer.problem()["detail"]) == (503, "The server stops.")


class TestErrors:
    async def test_unexpected_error(self, ask: Client) -> None:
        answer = await ask("/test/broken")
        problem = answer.problem()
        assert (answer.status, problem["code"]) == (500, "INTERNAL_ERROR")
        assert b"detail of" not in answer.body
        assert b"RuntimeError" not in answer.body

    async def test_answer_that_breaks_off(self, ask: Client) -> None:
        """Too late to say so: it just ends, and the server cuts the connection."""
        assert (await ask("/test/breaks-off")).body == b"half"

    @pytest.mark.parametrize("query", ["q=%00", "q=a%00b", "%00=1"])
    async def test_null_character_in_the_query(self, query: str, ask: Client) -> None:
        answer = await ask("/universes", query=query)
        assert answer.status == 422
        assert answer.problem()["errors"][0]["code"] == "null_character"


class TestCompression:
    @pytest.mark.parametrize(
        "accepts", ["gzip", "br;q=1.0, gzip;q=0.8", "deflate,GZIP", "identity, gzip ; q=0.001"]
    )
    async def test_with_accept_encoding_and_large(self, accepts: str, ask: Client) -> None:
        plain = await ask("/test/large")
        packed = await ask("/test/large", ("accept-encoding", accepts))
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) == len(packed.body) < len(plain.body) / 10
        assert gzip.decompress(packed.body) == plain.body

    @pytest.mark.parametrize("accepts", ["", "br", "gzip;q=0", "gzip ; q=0.0, br", "x-gzip", "gzip-ish", "*"])
    async def test_not_without_accept_encoding(self, accepts: str, ask: Client) -> None:
        answer = await ask("/test/large", ("accept-encoding", accepts))
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.body)

    async def test_not_when_small(self, ask: Client) -> None:
        answer = await ask("/health", ("accept-encoding", "gzip"))
        assert "content-encoding" not in answer.headers
        assert "vary" not in answer.headers

    @pytest.mark.parametrize("kind", ["image/png", "encoded"])
    async def test_not_what_is_compressed_already(self, kind: str, ask: Client) -> None:
        answer = await ask("/test/large", ("accept-encoding", "gzip"), query=f"kind={kind}")
        assert answer.headers.get("content-encoding") != "gzip"

    @pytest.mark.parametrize("accepts", ["gzip", "identity"])
    async def test_responses_tell_caches_what_to_do(self, accepts: str, ask: Client) -> None:
        answer = await ask("/test/large", ("accept-encoding", accepts))
        assert answer.headers["vary"] == "Origin, Accept-Encoding"


class TestHeaders:
    @pytest.mark.parametrize("path", ["/health", "/nowhere", "/universes", "/docs", "/metrics", "/"])
    async def test_security(self, path: str, ask: Client) -> None:
        headers = (await ask(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
        assert "server" not in headers

    @pytest.mark.parametrize("path", ["/docs", "/docs/", "/redoc"])
    async def test_pages_have_a_policy_of_their_own(self, path: str, ask: Client) -> None:
        answer = await ask(path)
        policy = answer.headers["content-security-policy"]
        assert (answer.status, policy.count("'unsafe-eval'")) == (200, 0)
        script = re.search("script-src ([^;]*)", policy)
        assert script
        assert "'unsafe-inline'" not in script[1]
        assert "http" not in policy
        assert b"cdn" not in answer.body

    async def test_answers_of_the_api_are_no_pages(self, ask: Client) -> None:
        policy = (await ask("/universes")).headers["content-security-policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'"

    async def test_transport_security_in_production(self, in_production: Client) -> None:
        assert "max-age=" in (await in_production("/health")).headers["strict-transport-security"]

    async def test_nothing_is_stored_where_there_is_a_token(self, ask: Client) -> None:
        assert (await ask("/users/me")).headers["cache-control"] == "no-store"
        assert (await ask("/auth/sessions")).headers["cache-control"] == "no-store"
        assert (await ask("/universes")).headers["cache-control"] == "private, no-cache"


class TestMethods:
    async def test_head_is_get_without_a_body(self, ask: Client) -> None:
        get, head = await ask("/health"), await ask("/health", method="HEAD")
        assert head.status == 200
        assert {**head.headers, "x-request-id": ""} == {**get.headers, "x-request-id": ""}

    async def test_trailing_slash(self, ask: Client) -> None:
        assert (await ask("/health/")).status == (await ask("/health//")).status == 200
        assert (await ask("/health/ready/")).status == 200
        assert (await ask("/universes/")).status == 401


class TestOrigins:
    async def _preflight(self, settings: Settings, origins: list[str], origin: str) -> Answer:
        app = create_app(settings.model_copy(update={"cors_origins": origins}))
        headers = (("origin", origin), ("access-control-request-method", "PATCH"))
        async with lifespan(app):
            return await Client(app)("/universes", *headers, method="OPTIONS")

    async def test_as_configured(self, settings: Settings) -> None:
        answer = await self._preflight(settings, ["https://play.example"], "https://play.example")
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "https://play.example"
        assert answer.headers["access-control-allow-credentials"] == "true"

    @pytest.mark.parametrize("origins", [[], ["https://play.example"]])
    async def test_foreign(self, origins: list[str], settings: Settings) -> None:
        answer = await self._preflight(settings, origins, "https://evil.example")
        assert "access-control-allow-origin" not in answer.headers

    async def test_all_but_without_credentials(self, settings: Settings) -> None:
        answer = await self._preflight(settings, ["*"], "https://any.example")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


class TestOtherScopes:
    async def test_websocket_is_refused(self, app: FastAPI) -> None:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        for host, status in ((b"localhost", 404), (b"evil.example", 400)):
            sent.clear()
            headers = [(b"host", host)]
            scope = {"type": "websocket", "path": "/maps", "headers": headers, "query_string": b""}
            await app({**scope, "subprotocols": []}, receive, send)
            start, body = sent
            assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
            assert orjson.loads(body["body"])["status"] == status

    async def test_lifespan(self, settings: Settings) -> None:
        incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await create_app(settings)({"type": "lifespan"}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/assets/swagger-ui.css", "/health", "/docs"])
async def test_everything_passes_the_edge(path: str, in_production: Client) -> None:
    """Routes of Starlette and FastAPI, and static files."""
    answer = await in_production(path)
    assert answer.status == 200
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
