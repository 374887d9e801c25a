"""The OpenAPI document: it is the committed one, says everything, and tells the truth about each response."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from game.cli import app as command_line
from game.core.ids import uuid7
from game.core.openapi import operations
from game.core.schema import ROOT
from tests.conftest import Person, new_client, sign_up_and_log_in
from tests.document import DOCUMENT, OPERATIONS

SCHEMAS = DOCUMENT["components"]["schemas"]


def nodes(node: Any, inside: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every object of the document with the keys that lead to it, but for examples: those are anything."""
    if isinstance(node, dict):
        yield inside, node
        for name, inner in node.items():
            if name not in ("example", "examples"):
                yield from nodes(inner, (*inside, name))
    elif isinstance(node, list):
        for inner in node:
            yield from nodes(inner, inside)


class TestCommitted:
    def test_is_current(self) -> None:
        committed = (ROOT / "openapi.json").read_text(encoding="utf-8")
        assert json.loads(committed) == DOCUMENT, "run `make openapi`"

    def test_the_command_prints_it(self) -> None:
        result = CliRunner().invoke(command_line, ["openapi"])
        assert result.exit_code == 0
        assert result.stdout == (ROOT / "openapi.json").read_text(encoding="utf-8")

    async def test_the_server_gives_it(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/openapi.json")
        assert answer.status_code == 200
        assert answer.json() == DOCUMENT


class TestOperations:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_says_what_it_does(self, name: str) -> None:
        _, _, operation = OPERATIONS[name]
        assert len(operation["summary"]) > 5
        assert not operation["summary"].endswith(".")
        assert operation["description"].endswith((".", "`"))
        assert operation["tags"]

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_has_a_name_for_generated_clients(self, name: str) -> None:
        assert re.fullmatch("[a-z]+([A-Z][a-z]*)*", name)
        assert sum(1 for _, _, operation in operations(DOCUMENT) if operation["operationId"] == name) == 1

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_has_an_example_of_its_body(self, name: str) -> None:
        _, _, operation = OPERATIONS[name]
        for kind, body in operation.get("requestBody", {}).get("content", {}).items():
            if "$ref" in body["schema"] and kind != "multipart/form-data":
                schema = SCHEMAS[body["schema"]["$ref"].rpartition("/")[2]]
                assert "example" in body or schema.get("examples")

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_describes_its_errors(self, name: str) -> None:
        path, _, operation = OPERATIONS[name]
        responses = operation["responses"]
        for status, response in responses.items():
            assert response["description"]
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"]
                assert response["content"]["application/problem+json"]["schema"]["$ref"].endswith("Problem")
                assert re.match("`[A-Z_]+`: .", response["description"])
        assert ("401" in responses) or not operation.get("security")
        assert ("404" in responses) or "{" not in path
        assert ("412" in responses) == any(
            parameter["name"] == "If-Match" for parameter in operation.get("parameters", ())
        )
        assert {"413", "422"} <= responses.keys() or "requestBody" not in operation

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_documents_the_headers_of_its_answers(self, name: str) -> None:
        path, method, operation = OPERATIONS[name]
        names = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
        assert names <= {"If-Match", "If-None-Match", "Idempotency-Key"}
        if "If-None-Match" in names:
            assert "ETag" in operation["responses"]["200"]["headers"]
            assert "ETag" in operation["responses"]["304"]["headers"]
        if method == "post" and path in ("/universes", "/maps"):
            assert operation["responses"]["201"]["headers"].keys() == {"ETag", "Location"}


class TestDocument:
    def test_every_reference_leads_somewhere(self) -> None:
        for _, node in nodes(DOCUMENT):
            if isinstance(reference := node.get("$ref"), str):
                found: Any = DOCUMENT
                for part in reference.removeprefix("#/").split("/"):
                    found = found[part]

    def test_nothing_is_left_over(self) -> None:
        text = json.dumps(DOCUMENT)
        assert "HTTPValidationError" not in SCHEMAS
        for name in SCHEMAS:
            assert f'"#/components/schemas/{name}"' in text, name

    def test_no_default_is_null_and_no_parameter_may_be(self) -> None:
        for place, node in nodes(DOCUMENT):
            assert node.get("default", "") is not None, place
            if "parameters" in place:
                assert {"type": "null"} not in node.get("anyOf", ())

    def test_fields_of_a_patch_may_be_left_out_but_not_be_null(self) -> None:
        for name, schema in SCHEMAS.items():
            if name.endswith("Patch"):
                assert "required" not in schema
                # The party may be on no map, a note have no place, a token no eyes: here null says something.
                nullable = {"active_map_id", "asset_id", "character_id", "color", "map_id", "x", "y"}
                nullable |= {"sight", "light"}
                own = {field: one for field, one in schema["properties"].items() if field not in nullable}
                assert "null" not in json.dumps(own)

    def test_times_say_that_they_are(self) -> None:
        for schema in SCHEMAS.values():
            for name, field in schema.get("properties", {}).items():
                if name.endswith("_at"):
                    assert field["format"] == "date-time"


IDS = st.sampled_from(
    ["own", "", "0", "x", "%00", "9" * 30, "%2e%2e", "01a1fbbf-0000-7000-8000-000000000000", "me"]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
TEXTS = (
    st.text(max_size=12)
    | st.integers(-(2**70), 2**70).map(str)
    | st.sampled_from(["", "*", '"1"', "%", "\\", "null"])
)


@cache
def bodies(name: str) -> st.SearchStrategy[bytes | None]:
    """Bodies for an operation: its example, the example with fields changed or gone, and anything at all."""
    _, _, operation = OPERATIONS[name]
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref")
    if reference is None:
        return (
            st.none() | st.binary(max_size=20) | JUNK.map(lambda value: json.dumps(value).encode(errors="replace"))
        )
    schema = SCHEMAS[reference.rpartition("/")[2]]
    [example, *_] = schema["examples"]

    def mixed(changes: dict[str, Any]) -> bytes:
        return json.dumps({**example, **changes}).encode(errors="surrogatepass")

    changed = st.dictionaries(st.sampled_from(list(schema["properties"])) | st.text(max_size=5), JUNK, max_size=3)
    grids = st.fixed_dictionaries(
        {"grid_data": st.dictionaries(st.sampled_from(["width", "layers", "legend", "entities", "a"]), JUNK)}
    )
    return (
        changed.map(mixed)
        | (grids if "grid_data" in example else changed).map(mixed)
        | JUNK.map(lambda value: json.dumps(value).encode(errors="surrogatepass"))
    )


@pytest.fixture(scope="module")
async def fuzzer(app: FastAPI) -> Person:
    return await sign_up_and_log_in(new_client(app))


# What ends the fuzzer's own log-in, or accepts only tokens.
UNTOUCHED = {"logOut", "logOutWithCookie"}


class TestFuzz:
    """Whatever is sent to whichever operation: no 5xx, and only answers that the document names."""

    @pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - UNTOUCHED))
    async def test_answers_as_documented(self, name: str, fuzzer: Person) -> None:
        path, method, operation = OPERATIONS[name]
        own = await fuzzer.map()
        ids = {"maps": own["id"], "universes": own["universe_id"], "users": fuzzer.id}
        requests: list[tuple[str, dict[str, str], dict[str, str], bytes | None]] = []

        # Drawn first, sent later: hypothesis and the event loop of the tests do not mix.
        @hypothesis_settings(
            max_examples=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(st.data())
        def draw(data: st.DataObject) -> None:
            place = data.draw(IDS)
            own_id = ids.get(path.strip("/").partition("/")[0], str(uuid7()))
            url = path.replace("{id}", own_id if place == "own" else place)
            query, headers = {}, {}
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" or not data.draw(st.booleans()):
                    continue
                text = data.draw(TEXTS)
                if parameter["in"] == "query":
                    query[parameter["name"]] = text
                else:
                    headers[parameter["name"]] = re.sub(r"[^\x20-\x7e]", "?", text).strip()
            requests.append((url, query, headers, data.draw(bodies(name))))

        draw()
        documented = {int(status) for status in operation["responses"]}
        for url, query, headers, body in requests:
            answer = await fuzzer.client.request(
                method.upper(),
                url,
                params={key: value.encode("utf-8", "replace").decode() for key, value in query.items()},
                content=body,
                headers={"content-type": "application/json", **headers},
            )
            # A path with a strange id may be another path, or none.
            allowed = documented | {404, 405} if "{id}" in path else documented
            assert answer.status_code in allowed, (method, url, query, headers, body, answer.text)
            assert answer.status_code < 500
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
                assert orjson.loads(answer.content)["status"] == answer.status_code
        assert requests


def test_a_412_tells_the_current_version(app: FastAPI) -> None:
    document = app.openapi()
    schema = document["components"]["schemas"]["PreconditionFailedProblem"]
    assert "current_version" in schema["properties"]
    answer = document["paths"]["/maps/{id}"]["patch"]["responses"]["412"]
    assert answer["content"]["application/problem+json"]["schema"]["$ref"].endswith("/PreconditionFailedProblem")


def test_a_log_in_needs_an_address_and_a_password_only(app: FastAPI) -> None:
    form = app.openapi()["components"]["schemas"]["Body_logIn"]
    assert form["properties"].keys() == {"grant_type", "username", "password"}
    assert form["required"] == ["username", "password"]
