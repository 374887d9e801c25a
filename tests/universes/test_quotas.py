"""Quotas: exact for pictures, even with concurrent uploads; bounded for maps and events."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from game.core.settings import Settings
from game.main import create_app, lifespan
from game.universes import quotas
from tests.assets.test_router import picture, upload
from tests.conftest import Person, somebody
from tests.exchange.test_universes import bring_in

SIZE = 200
GRID = {"width": 2, "height": 1, "legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["##"]}]}


@pytest.fixture
async def limited(settings: Settings) -> AsyncIterator[FastAPI]:
    changes = {
        "quota_account_assets": 5 * SIZE,
        "quota_universe_assets": 3 * SIZE,
        "quota_universe_maps": 30_000,
        "quota_universe_events": 200_000,
    }
    app = create_app(settings.model_copy(update=changes))
    async with lifespan(app):
        yield app


@pytest.fixture
async def person(limited: FastAPI) -> AsyncIterator[Person]:
    person = await somebody(limited)
    yield person
    await person.client.aclose()


def pictures(count: int) -> list[bytes]:
    """Different pictures, all of SIZE bytes."""
    return [picture(size=(8, height)).ljust(SIZE, b"\0") for height in range(1, count + 1)]


class TestAssets:
    async def test_ten_at_once_at_the_limit(self, person: Person, database: asyncpg.Connection) -> None:
        first, second = await person.universe(), await person.universe()
        homes = [first, second] * 5
        answers = await asyncio.gather(
            *(upload(person, home, data) for home, data in zip(homes, pictures(10), strict=True))
        )
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(201), statuses.count(413)) == (5, 5)
        refused = next(answer.json() for answer in answers if answer.status_code == 413)
        assert refused["code"] == "QUOTA_EXCEEDED"
        assert refused["quota"] in ("account_assets", "universe_assets")
        # Players get such a response, too.
        assert "used" not in refused
        used = (await person.client.get("/users/me/storage")).json()["assets"]
        assert used == {"used": 5 * SIZE, "limit": 5 * SIZE}
        stored = """
            SELECT sum(length(f.data)) FROM picture_file f JOIN universe u ON u.id = f.universe_id
            WHERE u.owner_id = $1
        """
        assert await database.fetchval(stored, person.id) == 5 * SIZE

    async def test_of_a_universe(self, person: Person) -> None:
        home = await person.universe()
        statuses = [(await upload(person, home, data)).status_code for data in pictures(4)]
        assert statuses == [201, 201, 201, 413]

    async def test_the_same_picture_needs_no_room(self, person: Person) -> None:
        home = await person.universe()
        for data in pictures(3) + pictures(3):
            assert (await upload(person, home, data)).status_code == 201


class TestMaps:
    async def test_without_cells_count_too(self, person: Person) -> None:
        await person.map(grid_data={"note": "x" * 1000})
        assert (await person.client.get("/users/me/storage")).json()["maps"]["used"] > 1000

    async def test_a_large_one(self, person: Person) -> None:
        home = await person.universe()
        rows = ["#" * 200] * 200
        grid = {**GRID, "width": 200, "height": 200, "layers": [{"name": "a", "rows": rows}]}
        answer = await person.client.post(
            "/maps", json={"universe_id": home["id"], "name": "A", "grid_data": grid}
        )
        assert (answer.status_code, answer.json()["quota"]) == (413, "universe_maps")
        one = await person.map(home["id"], grid_data=GRID)
        answer = await person.client.patch(f"/maps/{one['id']}", json={"grid_data": grid})
        assert answer.status_code == 413
        assert (await person.client.get(f"/maps/{one['id']}")).json()["grid_data"] == GRID

    async def test_what_is_added_up_is_measured_before_it_is_refused(self, person: Person) -> None:
        one = await person.map(grid_data=GRID)
        rows = ["#" * 100] * 100
        large = {**GRID, "width": 100, "height": 100, "layers": [{"name": "a", "rows": rows}]}
        for grid in (large, GRID) * 4:
            answer = await person.client.patch(f"/maps/{one['id']}", json={"grid_data": grid})
            assert answer.status_code == 200, answer.text

    async def test_a_bundle(self, owner: Person, person: Person) -> None:
        universe = await owner.universe()
        # Noise: what counts is the size in the database, which compresses rows.
        dice = random.Random(5)
        rows = ["".join(dice.choices("# ", k=512)) for _ in range(512)]
        grid = {**GRID, "width": 512, "height": 512, "layers": [{"name": "a", "rows": rows}]}
        await owner.map(universe["id"], grid_data=grid)
        out = (await owner.client.get(f"/universes/{universe['id']}/export")).content
        answer = await bring_in(person, out)
        assert (answer.status_code, answer.json()["code"]) == (413, "QUOTA_EXCEEDED")
        assert (await person.client.get("/universes")).json()["items"] == []


class TestEvents:
    async def test_a_full_universe_takes_no_edits_until_there_is_room(
        self, limited: FastAPI, person: Person, database: asyncpg.Connection
    ) -> None:
        one = await person.map(grid_data=GRID)
        path = f"/maps/{one['id']}/edits"

        def edit(symbol: str) -> dict[str, Any]:
            return {"edits": [{"op": "set", "layer": "a", "cells": [{"x": 0, "y": 0, "symbol": symbol}]}]}

        universe_id = one["universe_id"]
        before = await database.fetchval("SELECT event_bytes FROM universe WHERE id = $1", universe_id)
        assert (await person.client.post(path, json=edit(" "))).status_code == 200
        assert (await person.client.post(path, json=edit("#"))).status_code == 200
        counted = await database.fetchval("SELECT event_bytes FROM universe WHERE id = $1", universe_id)
        assert counted > before + 400
        await database.execute("UPDATE universe SET event_bytes = 300000 WHERE id = $1", universe_id)
        await quotas.sweep(limited.state.database, limited.state.quotas)
        answer = await person.client.post(path, json=edit(" "))
        assert (answer.status_code, answer.json()["quota"]) == (413, "universe_events")
        await database.execute("UPDATE universe SET event_bytes = 0 WHERE id = $1", universe_id)
        assert (await person.client.post(path, json=edit(" "))).status_code == 200
        # What there is too much of can always be deleted.
        await database.execute("UPDATE universe SET event_bytes = 300000 WHERE id = $1", universe_id)
        assert (await person.client.delete(f"/maps/{one['id']}")).status_code == 204
