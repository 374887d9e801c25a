"""Optimistic locking: ETag, If-Match and If-None-Match, in ordinary and in odd forms."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from game.core.errors import PreconditionFailed
from game.core.versions import matches, require_match
from tests.conftest import Person


class TestMatches:
    @pytest.mark.parametrize("header", ['"3"', ' "3" ', 'W/"3"', '"1", "3"', '"1","3" ,"4"', "*", '"2", W/"3"'])
    def test_the_version_is_named(self, header: str) -> None:
        assert matches(header, 3)

    @pytest.mark.parametrize("header", ["", "3", '"33"', '"30", "1"', '" 3"', '"3', "W/3", '"*"', '"0x3"'])
    def test_it_is_not(self, header: str) -> None:
        assert not matches(header, 3)

    @pytest.mark.parametrize("header", ['"1"' + " " * 20_000 + "x", '"' * 20_001, "W/" * 10_000, '"1",' * 5_000])
    def test_takes_no_longer_for_a_long_header(self, header: str) -> None:
        start = time.process_time()
        matches(header, 3)
        assert time.process_time() - start < 0.2


class TestRequireMatch:
    def test_without_the_header(self) -> None:
        require_match(None, SimpleNamespace(version=3))

    def test_stale(self) -> None:
        with pytest.raises(PreconditionFailed) as caught:
            require_match('"2"', SimpleNamespace(version=3))
        assert caught.value.extra == {"current_version": 3}


PLACES = ["universe", "map", "me"]


async def a_document(owner: Person, place: str) -> str:
    """The path of something with a version."""
    if place == "me":
        return "/users/me"
    made = await (owner.universe() if place == "universe" else owner.map())
    return f"/{place}s/{made['id']}"


def changes(place: str) -> dict[str, Any]:
    return {"display_name": "New"} if place == "me" else {"name": "New"}


@pytest.mark.parametrize("place", PLACES)
class TestIfNoneMatch:
    # With a query string, a request takes the plain way; without one, the hot one.
    @pytest.mark.parametrize("query", ["", "?x=1"])
    async def test_304_has_headers_and_no_body(self, owner: Person, place: str, query: str) -> None:
        path = await a_document(owner, place) + query
        first = await owner.client.get(path)
        assert first.headers["etag"] == '"1"'
        for header in ('"1"', 'W/"1"', "*", '"7", "1"'):
            again = await owner.client.get(path, headers={"if-none-match": header})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == '"1"'
            assert "x-request-id" in again.headers
            assert "content-length" not in again.headers

    @pytest.mark.parametrize("query", ["", "?x=1"])
    async def test_anything_else_gets_the_document(self, owner: Person, place: str, query: str) -> None:
        path = await a_document(owner, place) + query
        for header in ('"2"', "1", "junk", "", '"1', "\xff" * 10, '"a"' * 1000):
            answer = await owner.client.get(path, headers={"if-none-match": header.encode("latin-1")})
            assert answer.status_code == 200
            assert answer.json()["version"] == 1


@pytest.mark.parametrize("place", PLACES)
class TestIfMatch:
    @pytest.mark.parametrize("header", ['"1"', "*", '"5", "1"', 'W/"1"'])
    async def test_current(self, owner: Person, place: str, header: str) -> None:
        path = await a_document(owner, place)
        answer = await owner.client.patch(path, json=changes(place), headers={"if-match": header})
        assert answer.status_code == 200
        assert answer.headers["etag"] == '"2"'

    async def test_stale_says_which_is_current_and_changes_nothing(self, owner: Person, place: str) -> None:
        path = await a_document(owner, place)
        await owner.client.patch(path, json=changes(place))
        before = (await owner.client.get(path)).json()
        answer = await owner.client.patch(path, json=changes(place), headers={"if-match": '"1"'})
        assert answer.status_code == 412
        assert answer.json()["code"] == "PRECONDITION_FAILED"
        assert answer.json()["current_version"] == 2
        assert answer.headers["etag"] == '"2"'
        assert (await owner.client.get(path)).json() == before

    async def test_what_is_no_etag_is_not_guessed_at(self, owner: Person, place: str) -> None:
        path = await a_document(owner, place)
        for header in ("1", "", "junk", '"1', 'x"1"', '"1" "2"', '*, "1"', '"1"' + "," * 2000):
            answer = await owner.client.patch(path, json=changes(place), headers={"if-match": header})
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["field"] == "If-Match"
        assert (await owner.client.get(path)).json()["version"] == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("place", ["universe", "map"])
class TestOtherMethods:
    async def test_honour_if_match(self, owner: Person, place: str, method: str) -> None:
        path = await a_document(owner, place)
        body = {"json": {"name": "New"}} if method == "PUT" else {}
        stale = await owner.client.request(method, path, headers={"if-match": '"9"'}, **body)
        assert stale.status_code == 412
        assert (await owner.client.get(path)).json()["version"] == 1
        good = await owner.client.request(method, path, headers={"if-match": '"1"'}, **body)
        assert good.status_code == (200 if method == "PUT" else 204)
