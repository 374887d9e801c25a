"""Authentication before the body: without a valid token, the server does not read it."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from game.core.openapi import operations
from tests.conftest import Person


async def answer_without_body(app: FastAPI, method: str, path: str, headers: dict[str, str]) -> tuple[int, bool]:
    """The status of a request, and whether its body was read."""
    statuses: list[int] = []
    asked = False

    async def receive() -> Any:
        nonlocal asked
        asked = True
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()],
        "client": ("203.0.113.7", 5000),
        "server": ("localhost", 80),
    }
    await app(scope, receive, send)
    return statuses[0], asked


def with_bodies(app: FastAPI) -> list[tuple[str, str, str]]:
    """Method, path and media type of each operation that takes a body and needs a user."""
    return [
        (method, path.replace("{id}", str(uuid4())).replace("{session_id}", str(uuid4())), media_type)
        for path, method, operation in operations(app.openapi())
        if operation.get("security")
        for media_type in operation.get("requestBody", {}).get("content", ())
    ]


LENGTHS = [{"content-length": "1000000"}, {"content-length": "2"}, {"transfer-encoding": "chunked"}]


@pytest.mark.parametrize("length", LENGTHS, ids=["long", "short", "chunked"])
@pytest.mark.parametrize("token", [None, "Bearer forged", "Basic YTpi"])
async def test_a_body_without_a_token_is_not_read(app: FastAPI, token: str | None, length: dict[str, str]) -> None:
    tried = with_bodies(app)
    assert {method for method, _, _ in tried} == {"post", "put", "patch"}
    assert any(media_type.startswith("multipart/") for _, _, media_type in tried)
    for method, path, media_type in tried:
        headers = {"content-type": media_type, **length, **({"authorization": token} if token else {})}
        assert await answer_without_body(app, method, path, headers) == (401, False), (method, path)


@pytest.mark.parametrize("length", [LENGTHS[0], LENGTHS[2]], ids=["long", "chunked"])
async def test_a_long_body_after_log_out_is_not_read(app: FastAPI, owner: Person, length: dict[str, str]) -> None:
    token = owner.client.headers["authorization"]
    assert (await owner.client.post("/auth/jwt/logout")).status_code == 204
    for method, path, media_type in with_bodies(app):
        headers = {"content-type": media_type, **length, "authorization": token}
        assert await answer_without_body(app, method, path, headers) == (401, False), (method, path)
