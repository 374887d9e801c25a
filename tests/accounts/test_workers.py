"""Accounts on a real server with two workers: what one knows, the other knows."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.conftest import PASSWORD, PATIENCE_SECONDS, Server, serving

SECRET = "a secret for two workers, long enough: 0123456789"


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two workers and the limits that are its own."""
    with serving(
        tmp_path_factory.mktemp("workers"),
        *("--workers", "2"),
        DATABASE_URL=new_database(),
        WORLDKEEP_SECRET_KEY=SECRET,
        WORLDKEEP_LIMIT_LOGIN="8/minute",
        WORLDKEEP_LOG_FORMAT="json",
        WORLDKEEP_LOG_LEVEL="debug",
    ) as server:
        yield server


def client(server: Server, address: str = "127.0.0.1") -> httpx2.Client:
    """A client of its own connection, and so of either worker."""
    return httpx2.Client(base_url=server.url, transport=httpx2.HTTPTransport(verify=False, local_address=address))


def ask(server: Server, method: str, path: str, **options: Any) -> httpx2.Response:
    with client(server) as one:
        return one.request(method, path, **options)


def sign_up(server: Server) -> str:
    email = f"{uuid4().hex[:16]}@example.com"
    assert ask(server, "POST", "/auth/register", json={"email": email, "password": PASSWORD}).status_code == 201
    return email


def log_in(server: Server, email: str, password: str = PASSWORD, **headers: str) -> httpx2.Response:
    form = {"username": email, "password": password}
    return ask(server, "POST", "/auth/jwt/login", data=form, headers=headers)


def test_wrong_passwords_from_one_client(server: Server) -> None:
    """20 wrong passwords, rotating X-Forwarded-For: refused by the tenth; the owner logs in from elsewhere."""
    email = sign_up(server)
    answers = [
        log_in(server, email, f"wrong password {number}", **{"x-forwarded-for": f"203.0.113.{number}"})
        for number in range(20)
    ]
    assert [answer.status_code for answer in answers] == [400] * 8 + [429] * 12
    assert 1 <= int(answers[9].headers["retry-after"]) <= 60
    assert log_in(server, email).status_code == 429
    with client(server, "127.0.0.2") as elsewhere:
        form = {"username": email, "password": PASSWORD}
        assert elsewhere.post("/auth/jwt/login", data=form).status_code == 200


def test_a_session_that_ends_is_over_everywhere(server: Server) -> None:
    tokens = log_in(server, sign_up(server)).json()
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    # Often enough that both have it in memory.
    for _ in range(10):
        assert ask(server, "GET", "/users/me", headers=bearer).status_code == 200
    refreshed = ask(server, "POST", "/auth/jwt/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 200
    assert ask(server, "POST", "/auth/jwt/logout", headers=bearer).status_code == 204
    for _ in range(10):
        assert ask(server, "GET", "/users/me", headers=bearer).status_code == 401


def test_secrets_stand_in_no_log(server: Server) -> None:
    email, password = sign_up(server), "a password that nobody logs"
    tokens = log_in(server, email).json()
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    body = {"password": password, "current_password": PASSWORD}
    assert ask(server, "PATCH", "/users/me", json=body, headers=bearer).status_code == 200
    assert log_in(server, email, password).status_code == 200
    assert log_in(server, email, password + "x").status_code == 400
    ask(server, "POST", "/auth/forgot-password", json={"email": email})
    ask(server, "POST", "/auth/reset-password", json={"token": tokens["access_token"], "password": password})
    ask(server, "POST", "/auth/jwt/refresh", json={"refresh_token": tokens["refresh_token"]})
    ask(server, "GET", f"/users/me?access_token={tokens['access_token']}")
    ask(server, "POST", "/auth/register", json={"email": email, "password": password})
    end = time.monotonic() + PATIENCE_SECONDS
    while "mail_written" not in (log := server.log.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    assert log.count('"event":"request"') >= 10
    assert "mail_written" in log
    for secret in (PASSWORD, password, SECRET, email, tokens["access_token"], tokens["refresh_token"]):
        assert secret not in log
