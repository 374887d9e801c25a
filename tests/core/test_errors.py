"""Errors: problem documents of RFC 9457, small, with a code and the request's id, and never with the input."""

import itertools
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx2
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from game.core import errors
from game.core.errors import Conflict, FieldError, Unavailable, Unprocessable, as_problem, documented
from tests.conftest import Person, Server, new_client, serving, sign_up_and_log_in

JSON = {"content-type": "application/json"}
SECRET = "hunter2-hunter2"


@pytest.fixture(scope="module")
async def owner(app: FastAPI) -> Person:
    """A user for all tests of this module, because hashing passwords is slow."""
    return await sign_up_and_log_in(new_client(app))


def check_problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """That a response is a problem document with this status and code; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"].endswith((".", "`"))
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem.keys() >= {"errors"}
    return problem


class TestFrameworkErrors:
    @pytest.mark.parametrize(
        "path", ["/nothing", "/universes/a/b/c", "/.env", "/admin.php", "/maps/%2e%2e/x", "/é"]
    )
    async def test_unknown_paths(self, client: httpx2.AsyncClient, path: str) -> None:
        check_problem(await client.get(path), 404, "NOT_FOUND")

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("POST", "/universes/{}", "GET, HEAD, PUT, PATCH, DELETE"),
            ("DELETE", "/universes", "GET, HEAD, POST"),
            ("DELETE", "/universes/", "GET, HEAD, POST"),
            ("OPTIONS", "/maps/{}", "GET, HEAD, PUT, PATCH, DELETE"),
            ("GET", "/auth/register", "POST"),
            ("HEAD", "/auth/jwt/login", "POST"),
            ("POST", "/health", "GET, HEAD"),
            ("BREW", "/maps", "GET, HEAD, POST"),
            ("POST", "/docs", "GET, HEAD"),
            ("POST", "/docs/assets/favicon.png", "GET, HEAD"),
        ],
    )
    async def test_405_says_which_methods_there_are(
        self, client: httpx2.AsyncClient, method: str, path: str, allow: str
    ) -> None:
        answer = await client.request(method, path.format("01a1fbbf-0000-7000-8000-000000000000"))
        assert answer.status_code == 405
        assert answer.headers["allow"] == allow
        if method != "HEAD":
            check_problem(answer, 405, "METHOD_NOT_ALLOWED")

    async def test_head_is_a_get_without_a_body(self, owner: Person, client: httpx2.AsyncClient) -> None:
        made = await owner.map()
        for path in ("/health", f"/maps/{made['id']}", "/universes", f"/universes/{made['universe_id']}/events"):
            get, head = await owner.client.get(path), await owner.client.head(path)
            assert head.status_code == get.status_code == 200
            assert head.headers.get("etag") == get.headers.get("etag")
            assert head.headers["content-length"] == str(len(get.content))

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json", "junk", ""])
    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/universes"), ("POST", "/maps"), ("PATCH", "/users/me")]
    )
    async def test_a_body_that_does_not_say_that_it_is_json(
        self, owner: Person, method: str, path: str, kind: str
    ) -> None:
        answer = await owner.client.request(method, path, content=b'{"name": "A"}', headers={"content-type": kind})
        check_problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")

    @pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/x+json"])
    async def test_a_body_that_does(self, owner: Person, kind: str) -> None:
        answer = await owner.client.post("/universes", content=b'{"name": "A"}', headers={"content-type": kind})
        assert answer.status_code == 201

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"1", b"{}"])
    async def test_a_body_that_is_no_object(self, owner: Person, body: bytes) -> None:
        check_problem(await owner.client.post("/universes", content=body, headers=JSON), 422, "VALIDATION_ERROR")

    async def test_no_body_at_all(self, owner: Person) -> None:
        check_problem(await owner.client.post("/universes"), 422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("slashes", ["/", "//"])
    async def test_a_trailing_slash_is_no_redirect(self, owner: Person, slashes: str) -> None:
        made = await owner.map()
        for path in (
            "/health",
            "/universes",
            "/maps",
            f"/maps/{made['id']}",
            f"/universes/{made['universe_id']}/members",
        ):
            answer = await owner.client.get(path + slashes)
            assert answer.status_code == 200
            assert answer.content == (await owner.client.get(path)).content
        created = await owner.client.post("/universes" + slashes, json={"name": "A"})
        assert created.status_code == 201
        assert (await owner.client.delete(created.headers["location"] + slashes)).status_code == 204


class TestIds:
    """A path with what is no id is a path to nothing: the same response as for an id that was never used."""

    @pytest.mark.parametrize(
        "id", ["99999999999999999999", "0", "x", "-1", "%00", "null", "01a1fbbf", "%F0%9F%90%89"]
    )
    @pytest.mark.parametrize("path", ["/universes/{}", "/maps/{}", "/universes/{}/events", "/auth/sessions/{}"])
    async def test_no_id(self, owner: Person, path: str, id: str) -> None:
        method = "DELETE" if "sessions" in path else "GET"
        never = await owner.client.request(method, path.format("01a1fbbf-0000-7000-8000-000000000000"))
        answer = await owner.client.request(method, path.format(id))
        problem = check_problem(answer, 404, "NOT_FOUND")
        assert {**problem, "request_id": ""} == {**never.json(), "request_id": ""}

    async def test_anonymous(self, client: httpx2.AsyncClient) -> None:
        check_problem(await client.get("/maps/99999999999999999999"), 401, "UNAUTHORIZED")


class TestValidation:
    async def test_names_the_fields_and_echoes_nothing(self, client: httpx2.AsyncClient) -> None:
        body = {"email": SECRET, "password": SECRET[:7], "display_name": f"{SECRET}\n{SECRET}", "role": SECRET}
        answer = await client.post("/auth/register", json=body)
        problem = check_problem(answer, 422, "VALIDATION_ERROR")
        assert {error["field"] for error in problem["errors"]} == {"email", "password", "display_name", "role"}
        assert SECRET not in answer.text
        assert SECRET[:7] not in answer.text

    async def test_a_login_form(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post("/auth/jwt/login", data={"password": SECRET})
        check_problem(answer, 422, "VALIDATION_ERROR")
        assert SECRET not in answer.text

    @pytest.mark.parametrize("size", [100_000, 5_000_000])
    async def test_a_huge_address(self, client: httpx2.AsyncClient, size: int) -> None:
        body = {"email": f"{SECRET}{'a' * size}@example.com", "password": SECRET}
        answer = await client.post("/auth/register", json=body)
        assert answer.status_code in (413, 422)
        assert SECRET not in answer.text
        assert len(answer.content) < 4096

    @pytest.mark.parametrize("character", ["k", "ü", "龍", "🐉", "\x1f", '"'])
    async def test_stays_small_whatever_the_fields_are_called(self, owner: Person, character: str) -> None:
        body = {f"{number}{character * 5000}": SECRET for number in range(90)}
        answer = await owner.client.post("/universes", json=body)
        problem = check_problem(answer, 422, "VALIDATION_ERROR")
        assert 1 <= len(problem["errors"]) <= 20
        assert len(answer.content) < 4096
        assert SECRET not in answer.text

    async def test_a_grid_with_many_faults(self, owner: Person) -> None:
        universe = await owner.universe()
        grid = {"legend": [{"symbol": SECRET} for _ in range(100)]}
        body = {"name": "A", "universe_id": universe["id"], "grid_data": grid}
        answer = await owner.client.post("/maps", json=body)
        problem = check_problem(answer, 422, "INVALID_GRID_DATA")
        assert len(problem["errors"]) == 20
        assert len(answer.content) < 4096
        assert SECRET not in answer.text

    async def test_in_a_query(self, owner: Person) -> None:
        answer = await owner.client.get("/maps", params={"universe_id": SECRET, "sort": SECRET, "limit": SECRET})
        check_problem(answer, 422, "VALIDATION_ERROR")
        assert SECRET not in answer.text


class TestAsProblem:
    @pytest.mark.parametrize(
        ("error", "problem"),
        [
            (Conflict(), Conflict),
            (PoolTimeout(), Unavailable),
            (ConnectionRefusedError(), Unavailable),
            (asyncpg.DeadlockDetectedError(), Unavailable),
            (asyncpg.SerializationError(), Unavailable),
            (asyncpg.TooManyConnectionsError(), Unavailable),
            (asyncpg.QueryCanceledError(), Unavailable),
            (asyncpg.AdminShutdownError(), Unavailable),
            (asyncpg.DataError("a value"), Unprocessable),
            (IntegrityError("INSERT", {"secret": SECRET}, Exception(SECRET)), Conflict),
        ],
    )
    def test_what_the_database_says(self, error: Exception, problem: type[errors.Problem]) -> None:
        found = as_problem(error)
        assert type(found) is problem
        assert SECRET not in str(found.detail)

    @pytest.mark.parametrize("error", [ValueError(), asyncpg.UndefinedTableError(), KeyError("x")])
    def test_a_bug_is_nothing_else(self, error: Exception) -> None:
        assert as_problem(error) is None


class TestUnexpected:
    async def test_a_bug_tells_nothing(self, app: FastAPI, owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any) -> None:
            raise RuntimeError(SECRET)

        monkeypatch.setattr("game.universes.queries.page", broken)
        answer = await owner.client.get("/universes?sort=name")
        check_problem(answer, 500, "INTERNAL_ERROR")
        assert SECRET not in answer.text
        assert "Traceback" not in answer.text


class TestDocumented:
    def test_problems_of_one_status_share_its_row(self) -> None:
        class Other(Unprocessable):
            """Something else."""

            code = "OTHER"

        [(status, answer)] = documented(Unprocessable, Other).items()
        assert status == 422
        assert "`VALIDATION_ERROR`" in answer["description"]
        assert "`OTHER`: Something else." in answer["description"]

    def test_codes_are_upper_snake_words_of_one_meaning(self) -> None:
        def below(kind: type[errors.Problem]) -> Iterator[type[errors.Problem]]:
            for one in kind.__subclasses__():
                yield one
                yield from below(one)

        # Tests may define problems of their own.
        problems = [one for one in below(errors.Problem) if one.__module__.startswith("game.")]
        own = [one for one in problems if "code" in vars(one)]
        assert len({one.code for one in own}) == len(own)
        for problem in problems:
            assert problem.code.isupper()
            assert problem.code.replace("_", "").isalnum()
            assert problem.__doc__, problem


class TestFew:
    def test_keeps_the_first_even_when_it_is_long(self) -> None:
        long = FieldError("x" * 300, "code", "y" * 4000)
        assert Unprocessable(errors=[long, long]).errors == [long]

    def test_keeps_at_most_twenty(self) -> None:
        assert len(Unprocessable(errors=[FieldError("a", "b", "c")] * 50).errors) == 20


HUGE = 100 * 2**20
PART = b'{"name": "' + b"a" * (2**16 - 10)


def send(server: Server, head: str, parts: Iterable[bytes]) -> bytes:
    """Send a raw request until the server stops reading, and read the beginning of the response."""
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as connection:
        connection.sendall(head.encode())
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
        with suppress(OSError):
            return connection.recv(4096)
    return b""


def peak_mebibytes(pid: int) -> float:
    """The peak memory of a process since the last reset of the counter."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Only Linux tells a process's peak memory.")
class TestHugeBody:
    """100 MB from an anonymous client, with a length and in chunks: refused with less than 10 MB of memory."""

    def test_memory(self, tmp_path: Path, database_url: str) -> None:
        kinds = {"/maps": "application/json", "/auth/register": "application/json", "/nothing": "application/json"}
        kinds["/auth/jwt/login"] = "application/x-www-form-urlencoded"
        with serving(tmp_path, DATABASE_URL=database_url) as server:
            for path, kind in kinds.items():
                head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
                # The first request of a kind loads code.
                send(server, f"{head}Content-Length: 2\r\n\r\n", [b"{}"])
                count = HUGE // len(PART)
                whole = f"{head}Content-Length: {count * len(PART)}\r\n\r\n", itertools.repeat(PART, count)
                chunk = b"%x\r\n%s\r\n" % (len(PART), PART)
                chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n", itertools.repeat(chunk, count)
                for request_head, parts in (whole, chunked):
                    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
                    before = peak_mebibytes(server.process.pid)
                    answer = send(server, request_head, parts)
                    # A server may close while more is coming; then its response is lost on the way. A form ends
                    # with a field of more than 1 MiB already.
                    assert answer[9:12] in (b"413", b"401", b"404", b"400" if "form" in kind else b"", b""), answer
                    assert peak_mebibytes(server.process.pid) - before < 10, (path, request_head)
            with httpx2.Client(base_url=server.url) as client:
                answer = client.post("/maps", content=b"a" * (5 * 2**20), headers=JSON)
                assert answer.status_code == 413
                assert orjson.loads(answer.content)["code"] == "BODY_TOO_LARGE"
                assert client.get("/health").status_code == 200
