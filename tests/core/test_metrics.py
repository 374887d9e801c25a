"""Metrics: by route template, so that their number does not grow with what strangers ask for."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from game.core.settings import Settings
from game.main import create_app, lifespan
from tests.conftest import Person, new_client, sign_up_and_log_in

LINE = re.compile(r'worldkeep_request_seconds_count\{method="(.*?)",route="(.*?)",status="(.*?)"\} (\d+)\.0')


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """An app whose counters start at nothing."""
    app = create_app(settings)
    async with lifespan(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with new_client(app) as client:
        yield client


async def counted(client: httpx2.AsyncClient) -> dict[tuple[str, str, str], int]:
    """Requests by method, route and status."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {(method, route, status): int(count) for method, route, status, count in LINE.findall(answer.text)}


class TestRequests:
    async def test_hot_and_plain_have_the_same_template(self, client: httpx2.AsyncClient) -> None:
        person: Person = await sign_up_and_log_in(client)
        ids = [(await person.universe())["id"] for _ in range(3)]
        for id in ids:
            await client.get(f"/universes/{id}")
            await client.get(f"/universes/{id}?plain=1")
            await client.get(f"/universes/{id}/events")
            await client.patch(f"/universes/{id}", json={"name": "New"})
        counts = await counted(client)
        assert counts["GET", "/universes/{id}", "200"] == 6
        assert counts["PATCH", "/universes/{id}", "200"] == 3
        assert counts["GET", "/universes/{id}/events", "200"] == 3
        assert counts["POST", "/universes", "201"] == 3
        assert not any(id in route for id in ids for _, route, _ in counts)

    async def test_strangers_add_no_labels(self, client: httpx2.AsyncClient) -> None:
        """Unknown paths, methods and ids share their counters."""
        await client.get("/nowhere")
        await client.request("BREW", "/nowhere")
        await client.delete("/health")
        before = set(await counted(client)) | {("GET", "/metrics", "200")}
        for _ in range(20):
            await client.get(f"/{uuid4()}")
            await client.get(f"/docs/assets/{uuid4()}")
            await client.get(f"/health/{uuid4()}/", headers={"host": f"{uuid4()}.example"})
            await client.request(uuid4().hex[:6].upper(), "/nowhere")
            await client.delete(f"/{uuid4()}")
            await client.post("/health")
            await client.get(f"/maps/{uuid4()}")
            await client.get(f"/maps/{uuid4().hex[:7]}")
        new = set(await counted(client)) - before
        assert len(new) <= 10, new
        assert {route for _, route, _ in new} <= {"unknown", "/maps/{id}", "/health", "/docs/assets"}

    async def test_time_is_measured(self, client: httpx2.AsyncClient) -> None:
        await client.get("/health")
        text = (await client.get("/metrics")).text
        labels = 'method="GET",route="/health",status="200"'
        assert f'worldkeep_request_seconds_bucket{{le="+Inf",{labels}}} 1.0' in text
        assert f"worldkeep_request_seconds_count{{{labels}}} 1.0" in text
