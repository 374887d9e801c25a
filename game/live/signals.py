"""Signals: shown to others at once, and never stored. One about a map goes only to those who see the place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlmodel import col

from game.core.errors import NotFound, is_database_away
from game.fog.viewers import viewer_of
from game.grid.cell_sets import Cells, contains
from game.live import frames
from game.live.maps import SNAPSHOT, seen_of
from game.live.models import Signal
from game.maps.models import Map
from game.maps.queries import WITHOUT_GRID
from game.universes.models import Universe

if TYPE_CHECKING:
    from game.live.rooms import Room
    from game.live.session import LiveSession

log = structlog.get_logger()


class Signals:
    """The signals of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._seq: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._maps: dict[UUID, Map | None] = {}
        self._sights: dict[tuple[UUID, UUID], Cells] = {}

    async def send(self, session: LiveSession, signal: Signal) -> None:
        """Pass a member's signal on, here and to the other workers.

        Raises:
            NotFound: they may not read its map.
        """
        content = signal.model_dump(mode="json", exclude_none=True, exclude={"type"})
        content = {"user_id": session.user_id, **content, "data": signal.data}
        if signal.map_id is not None:
            row = await self._map(signal.map_id)
            if row is None or not (session.is_game_master or row.is_published):
                raise NotFound
        await self._show(content, session)
        self._room.hub.publish("signal", {"universe_id": self._room.universe_id, "content": content})

    def receive(self, content: dict[str, Any]) -> None:
        """Pass on a signal that somebody sent to another worker."""
        task = asyncio.create_task(self._show_received(content))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _show_received(self, content: dict[str, Any]) -> None:
        try:
            await self._show(content, None)
        except Exception as error:
            # A signal may get lost.
            if not is_database_away(error):
                log.error("live_signal_failed", exc_info=error)

    async def _show(self, content: dict[str, Any], sender: LiveSession | None) -> None:
        frame = frames.message("signal", **content)
        for session in self._room.live():
            if session is not sender and await self._sees(session, content):
                session.transport.send_signal(frame)

    async def _sees(self, session: LiveSession, content: dict[str, Any]) -> bool:
        """Whether a session's member sees the place of a signal."""
        if "map_id" not in content or session.is_game_master:
            return True
        row = await self._map(UUID(content["map_id"]))
        if row is None or not row.is_published:
            return False
        if not row.has_fog:
            return True
        if "x" not in content or "y" not in content:
            return True
        sight = await self._sight(row, viewer_of(row.fog_sharing, session.user_id))
        return contains(sight, int(content["x"]), int(content["y"]))

    def _forget(self) -> None:
        """Whatever changes what anybody sees is an event: what is known holds until the next one."""
        if self._seq != self._room.seq:
            self._seq = self._room.seq
            self._maps.clear()
            self._sights.clear()

    async def _map(self, map_id: UUID) -> Map | None:
        self._forget()
        if map_id not in self._maps:
            seq = self._seq
            here = col(Map.universe_id) == self._room.universe_id, col(Map.id) == map_id
            async with self._room.hub.database() as database:
                statement = select(Map).where(*here).options(*WITHOUT_GRID)
                row = (await database.execute(statement)).scalar_one_or_none()
            if seq != self._room.seq:
                return row
            self._maps[map_id] = row
        return self._maps[map_id]

    async def _sight(self, row: Map, viewer: UUID) -> Cells:
        self._forget()
        key = row.id, viewer
        if key not in self._sights:
            async with self._room.hub.database() as database:
                await database.execute(SNAPSHOT)
                last = select(col(Universe.event_seq)).where(col(Universe.id) == row.universe_id)
                seq = (await database.execute(last)).scalar_one()
                view = await seen_of(database, row, viewer, seq)
            self._sights[key] = view.fogged.visible
        return self._sights[key]
