"""The app as a whole: which hosts and origins it serves, and what every response carries."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from game.core.settings import Settings
from game.main import create_app, lifespan
from tests.conftest import Person, new_client, sign_up_and_log_in

FOREIGN = "https://evil.example"
OURS = "https://play.example"


@asynccontextmanager
async def other_app(settings: Settings, **changes: Any) -> AsyncIterator[FastAPI]:
    """An app with other settings."""
    app = create_app(settings.model_copy(update=changes))
    async with lifespan(app):
        yield app


def preflight(client: httpx2.AsyncClient, origin: str, path: str = "/maps") -> Any:
    headers = {
        "origin": origin,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,content-type,if-match",
    }
    return client.options(path, headers=headers)


def cors_headers(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


class TestHost:
    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", "x"]
    )
    @pytest.mark.parametrize("path", ["/health", "/docs", "/nothing", "/maps"])
    async def test_a_foreign_one(self, client: httpx2.AsyncClient, host: str, path: str) -> None:
        answer = await client.get(path, headers={"host": host})
        assert answer.status_code == 400
        assert answer.json()["code"] == "INVALID_HOST"
        assert host not in answer.text

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
    async def test_ours(self, client: httpx2.AsyncClient, host: str) -> None:
        assert (await client.get("/health", headers={"host": host})).status_code == 200

    async def test_subdomains_where_they_are_allowed(self, settings: Settings) -> None:
        async with other_app(settings, allowed_hosts=["*.worlds.example"]) as app, new_client(app) as client:
            good = await client.get("/health", headers={"host": "eu.worlds.example"})
            bad = await client.get("/health", headers={"host": "evilworlds.example"})
        assert (good.status_code, bad.status_code) == (200, 400)


class TestCors:
    async def test_without_a_setting_no_origin_is_let_in(self, client: httpx2.AsyncClient, owner: Person) -> None:
        answer = await preflight(client, FOREIGN)
        assert answer.status_code == 405
        assert cors_headers(answer) == {}
        assert cors_headers(await owner.client.get("/maps", headers={"origin": FOREIGN})) == {}

    async def test_fast_answers_have_them_too(self, settings: Settings) -> None:
        async with other_app(settings, cors_origins=[OURS]) as app, new_client(app) as client:
            person = await sign_up_and_log_in(client)
            rows = ["." * 200] * 200
            grid = {
                "width": 200,
                "height": 200,
                "legend": [{"symbol": "."}],
                "layers": [{"name": "a", "rows": rows}],
            }
            for size, path in ((1, "/universes/{universe_id}"), (1, "/maps/{id}"), (200, "/maps/{id}")):
                place = await person.map(grid_data=grid if size > 1 else {})
                answer = await person.client.get(path.format(**place), headers={"origin": OURS})
                assert answer.status_code == 200
                assert answer.headers["access-control-allow-origin"] == OURS
                assert "Origin" in answer.headers["vary"]
            edit = {"op": "set", "layer": "a", "cells": [{"x": 1, "y": 1, "symbol": "."}]}
            answer = await person.client.post(
                f"/maps/{place['id']}/edits", json={"edits": [edit]}, headers={"origin": OURS}
            )
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-origin"] == OURS

    async def test_only_the_origins_of_the_setting(self, settings: Settings) -> None:
        async with other_app(settings, cors_origins=[OURS]) as app, new_client(app) as client:
            ours = await preflight(client, OURS)
            assert ours.status_code == 200
            assert ours.headers["access-control-allow-origin"] == OURS
            assert ours.headers["access-control-allow-credentials"] == "true"
            assert "PATCH" in ours.headers["access-control-allow-methods"]
            foreign = await preflight(client, FOREIGN)
            assert foreign.status_code == 400
            assert "access-control-allow-origin" not in foreign.headers
            for path in ("/health", "/maps", "/nothing"):
                answer = await client.get(path, headers={"origin": OURS})
                assert answer.headers["access-control-allow-origin"] == OURS
                assert "Origin" in answer.headers["vary"]
                exposed = answer.headers["access-control-expose-headers"]
                assert {"ETag", "Location", "Retry-After", "X-Request-ID"} <= set(exposed.split(", "))
                answer = await client.get(path, headers={"origin": FOREIGN})
                assert "access-control-allow-origin" not in answer.headers

    async def test_any_origin_gets_no_credentials(self, settings: Settings) -> None:
        async with other_app(settings, cors_origins=["*"]) as app, new_client(app) as client:
            for answer in (
                await preflight(client, FOREIGN),
                await client.get("/maps", headers={"origin": FOREIGN}),
            ):
                assert answer.headers["access-control-allow-origin"] == "*"
                assert "access-control-allow-credentials" not in answer.headers

    async def test_a_preflight_asks_for_what_a_game_sends(self, settings: Settings) -> None:
        async with other_app(settings, cors_origins=[OURS]) as app, new_client(app) as client:
            for name in ("Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"):
                headers = {
                    "origin": OURS,
                    "access-control-request-method": "POST",
                    "access-control-request-headers": name.lower(),
                }
                assert (await client.options("/maps", headers=headers)).status_code == 200


class TestHeaders:
    async def test_of_every_answer(self, client: httpx2.AsyncClient, owner: Person) -> None:
        universe = await owner.universe()
        answers = [
            await client.get("/health"),
            await client.get("/nothing"),
            await client.get("/maps"),
            await client.post("/auth/register", json={}),
            await client.get("/docs"),
            await client.get("/openapi.json"),
            await client.get("/health", headers={"host": "evil.example"}),
            await owner.client.get(f"/universes/{universe['id']}"),
            await owner.client.delete(f"/universes/{universe['id']}"),
        ]
        for answer in answers:
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-request-id"]
            assert "server" not in answer.headers

    async def test_tokens_are_never_stored(self, client: httpx2.AsyncClient, owner: Person) -> None:
        form = {"username": owner.email, "password": owner.password}
        login = await client.post("/auth/jwt/login", data=form)
        refreshed = await client.post("/auth/jwt/refresh", json={"refresh_token": login.json()["refresh_token"]})
        me = await owner.client.get("/users/me")
        for answer in (login, refreshed, me):
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"

    async def test_documents_are_private(self, owner: Person) -> None:
        made = await owner.map()
        for path in (f"/maps/{made['id']}", "/maps", f"/maps/{made['id']}?x=1"):
            assert "private" in (await owner.client.get(path)).headers["cache-control"]

    async def test_https_is_demanded_in_production_only(
        self, client: httpx2.AsyncClient, settings: Settings
    ) -> None:
        assert "strict-transport-security" not in (await client.get("/health")).headers
        async with other_app(settings, environment="production") as app, new_client(app) as production:
            assert "max-age" in (await production.get("/health")).headers["strict-transport-security"]

    @pytest.mark.parametrize("given", ["a-request-id.0001", "x" * 64])
    async def test_a_request_id_of_the_client_is_kept(self, client: httpx2.AsyncClient, given: str) -> None:
        answer = await client.get("/nothing", headers={"x-request-id": given})
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == given

    @pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "<script>", '"quoted"'])
    async def test_but_only_a_harmless_one(self, client: httpx2.AsyncClient, given: str) -> None:
        answer = await client.get("/nothing", headers={"x-request-id": given})
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


class TestPages:
    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    async def test_documentation_needs_no_other_site(self, client: httpx2.AsyncClient, path: str) -> None:
        page = await client.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert linked
        for link in linked:
            assert link.startswith("/docs/assets/"), link
            assert (await client.get(link)).status_code == 200
        assert "https://" not in re.sub(r"<title>.*?</title>", "", page.text)

    async def test_metrics_know_templates_and_no_ids(
        self, client: httpx2.AsyncClient, owner: Person, new_person: Callable[..., Any]
    ) -> None:
        made = await owner.map()
        for query in ("", "?x=1"):
            await owner.client.get(f"/maps/{made['id']}{query}")
        await client.get(f"/{made['id']}")
        text = (await client.get("/metrics")).text
        assert 'route="/maps/{id}",status="200"' in text
        assert 'route="unknown",status="404"' in text
        assert made["id"] not in text
