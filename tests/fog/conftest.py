"""Maps with fog, with tokens on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.cache import LruCache
from game.fog import changes, queries, sights, views
from game.fog.models import PARTY
from game.grid.canvas import Wanted
from game.grid.fogged_view import whole
from game.maps import queries as maps
from game.tokens.models import Token
from tests.conftest import Person
from tests.members.test_router import join

SIGHT = {"range": 12, "darkvision": 0}
ROOM = {
    "width": 12,
    "height": 5,
    "legend": [
        {"symbol": "#", "name": "wall", "blocks_movement": True, "blocks_sight": True},
        {"symbol": ".", "name": "floor"},
    ],
    "layers": [{"name": "ground", "rows": ["............"] * 5}],
    "doors": [{"id": "door", "x1": 6, "y1": 2, "x2": 6, "y2": 3, "state": "closed"}],
    "walls": [{"x1": 6, "y1": 0, "x2": 6, "y2": 2}, {"x1": 6, "y1": 3, "x2": 6, "y2": 5}],
}


class Table:
    """A published map with fog, its game master, and what players see of it, below the API."""

    def __init__(self, app: FastAPI, owner: Person, universe_id: str, map_id: str) -> None:
        self.app, self.owner, self.universe_id, self.map_id = app, owner, universe_id, UUID(map_id)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[tuple[AsyncSession, Any, changes.ChangeTracker]]:
        async with self.app.state.database.session() as session, session.begin():
            user = await session.get(User, UUID(self.owner.id))
            found = await maps.get_to_change(session, user, self.map_id, "updateMap")
            async with changes.watch(session, found.row) as tracker:
                yield session, found.row, tracker

    async def token(self, **fields: Any) -> Token:
        async with self.changing() as (session, row, _):
            token = Token(universe_id=row.universe_id, map_id=row.id, name="Ashe", **fields)
            session.add(token)
        return token

    async def edit(self, *edits: dict[str, Any]) -> None:
        answer = await self.owner.client.post(f"/maps/{self.map_id}/edits", json={"edits": edits})
        assert answer.status_code == 200, answer.text

    async def patch(self, **fields: Any) -> None:
        answer = await self.owner.client.patch(f"/maps/{self.map_id}", json=fields)
        assert answer.status_code == 200, answer.text

    async def view(self, viewer: UUID = PARTY) -> views.MapView:
        async with self.app.state.database.session() as session:
            user = await session.get(User, UUID(self.owner.id))
            found = await maps.get(session, user, self.map_id, "readMap")
            return await views.view_of(session, found.row, viewer)

    async def fog(self, viewer: UUID = PARTY) -> list[str]:
        view = await self.view(viewer)
        return view.fogged.fog(0, 0, view.map_state.width, view.map_state.height)

    async def ground(self, viewer: UUID = PARTY) -> list[str]:
        """The cells of the lowest layer as a group knows them."""
        fogged = (await self.view(viewer)).fogged
        async with self.app.state.database.session() as session:
            place = {"universe_id": UUID(self.universe_id), "map_id": self.map_id}
            stored = await queries.cells(session, place, Wanted(fogged.keys(), []))
        return list(whole(fogged, stored)["layers"][0]["rows"])


def forget_sights() -> None:
    """Go on without anything that was computed of maps, as another worker does."""
    sights._cache = LruCache(1024, 150_000)


@pytest.fixture
async def table(app: FastAPI, owner: Person, stranger: Person) -> Table:
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    made = await owner.map(universe["id"], grid_data=ROOM, visibility="members", fog="explored")
    return Table(app, owner, universe["id"], made["id"])
