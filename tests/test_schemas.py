"""The document against the server: what its schemas allow is taken, and every response is as they say."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NotSet
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, ScenarioFinished

from tests.conftest import PASSWORD, Person, Server, serving
from tests.document import DOCUMENT, OPERATIONS
from tests.test_matrix import Crowd, call, make_crowd, make_things

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
STATE = {"cursor", "Idempotency-Key"}
"""Parameters that are right or wrong by what was sent before: left out."""
UNSAYABLE = {
    "asset_not_found",
    "not_found",
    "not_a_member",
    "not_a_player",
    "out_of_bounds",
    "wrong",
    # A number within an object that may hold anything.
    "number_too_large",
    "number_too_small",
    "integer_too_large",
    # Either of two parameters, or groups of fields, and not both.
    "not_a_cell",
    "one_area",
    "path_or_place",
    "place_incomplete",
    "not_a_path",
    # A grammar with parentheses.
    "expression_invalid",
}
"""Why a request may be refused that keeps to its schema: what it is about, or what no schema can say."""


FILES = {"multipart/form-data", "application/zip", "application/octet-stream"}
"""Bodies that are files: no schema says what is in them."""


@pytest.fixture(scope="module")
async def shared_crowd(app: FastAPI, database_url: str) -> Crowd:
    return await make_crowd(app, database_url)


@pytest.fixture
async def crowd(request: Any, app: FastAPI, database_url: str, shared_crowd: Crowd) -> Crowd:
    """People; others than before for operations that may end log-ins."""
    path, _, _ = OPERATIONS[request.node.callspec.params["name"]]
    return await make_crowd(app, database_url) if path.startswith("/auth") else shared_crowd


def examples(name: str) -> list[Any]:
    """Requests for an operation, as its schemas allow them."""
    found: list[Any] = []

    @settings(max_examples=settings.default.max_examples // 3)
    @given(case=SCHEMA.find_operation_by_id(name).as_strategy(generation_mode=GenerationMode.POSITIVE))
    def draw(case: Any) -> None:
        found.append(case)

    # Drawn first, sent later: hypothesis and the event loop of the tests do not mix.
    draw()
    return found


def request_of(case: Any) -> dict[str, Any]:
    headers = {name: str(value) for name, value in (case.headers or {}).items() if name not in STATE}
    query = {name: value for name, value in (case.query or {}).items() if name not in STATE}
    rest: dict[str, Any] = {"params": query, "headers": headers}
    if isinstance(case.body, NotSet):
        return rest
    headers.pop("Content-Type", None)
    kinds = {"application/json": "json", "application/x-www-form-urlencoded": "data"}
    return {**rest, kinds[case.media_type]: case.body}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_takes_what_its_schema_allows(
    name: str, crowd: Crowd, new_person: Callable[..., Awaitable[Person]], database: asyncpg.Connection
) -> None:
    """At least half of the requests that conform to the schema are not rejected for their content."""
    things = await make_things(name, crowd, new_person, database)
    method, path, _ = call(name, things)
    documented = {int(status) for status in OPERATIONS[name][2]["responses"]}
    cases = [case for case in examples(name) if case.media_type not in FILES]
    refused = []
    for case in cases:
        answer = await crowd.owner.client.request(method, path, **request_of(case))
        assert answer.status_code in documented, (request_of(case), answer.text)
        assert answer.status_code < 500, (request_of(case), answer.text)
        if answer.status_code == 422:
            errors = answer.json()["errors"]
            refused += [errors] * any(error["code"] not in UNSAYABLE for error in errors)
    assert len(refused) <= len(cases) / 2, refused


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("schemas")
    with serving(folder, DATABASE_URL=new_database()) as server:
        yield server


CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


def config(server: Server, token: str) -> SchemathesisConfig:
    """Only stories: what one operation made is what the next is about."""
    examples = settings.default.max_examples * 2
    off = {"enabled": False}
    return SchemathesisConfig.from_dict(
        {
            "base-url": server.url,
            "headers": {"Authorization": f"Bearer {token}"},
            "continue-on-failure": True,
            "generation": {"mode": "positive", "max-examples": examples, "deterministic": True, "no-shrink": True},
            "phases": {"examples": off, "coverage": off, "fuzzing": off, "stateful": {"max-steps": 12}},
            "checks": {**off, **{name: {"enabled": True} for name in CHECKS}},
        }
    )


def test_one_operation_after_another(server: Server) -> None:
    """No 5xx and no undocumented answer, deep in: to operations on what others have made."""
    with httpx2.Client(base_url=server.url) as client:
        login = {"email": "somebody@example.com", "password": PASSWORD}
        client.post("/auth/register", json=login).raise_for_status()
        form = {"username": login["email"], "password": PASSWORD}
        token = client.post("/auth/jwt/login", data=form).raise_for_status().json()["access_token"]
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=config(server, token))
    statuses: Counter[tuple[str, int]] = Counter()
    failures = []
    # Accounts have no sequences, because they start with tokens in mails.
    for event in from_schema(schema.exclude(path_regex="^/(auth|users|health|metrics)")).execute():
        assert not isinstance(event, FatalError), event
        if isinstance(event, ScenarioFinished):
            for node in event.recorder.cases.values():
                answer = event.recorder.interactions[node.value.id].response
                if answer is not None:
                    statuses[node.value.operation.definition.raw["operationId"], answer.status_code] += 1
            failures += [
                check for checks in event.recorder.checks.values() for check in checks if check.failure_info
            ]
    assert failures == []
    found = {name for name, status in statuses if "{" in OPERATIONS[name][0] and status < 300}
    assert found, statuses
