"""Signals: sent to other members immediately, and never stored. A signal with a position on a map is sent only to
members who see that position."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from game.core.cache import LruCache
from game.core.errors import NotFound, is_database_away
from game.grid.cell_sets import contains
from game.live import frames
from game.live.models import Signal
from game.live.snapshots import Snapshot
from game.play.boards import Changed

if TYPE_CHECKING:
    from game.live.rooms import Room
    from game.live.session import LiveSession

log = structlog.get_logger()

_MAX_SNAPSHOTS = 8
_ATTEMPTS = 3
"""How often a map is read for a signal, if it changes meanwhile."""


class Signals:
    """The signals of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._seq: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._snapshots = _no_snapshots()

    async def send(self, session: LiveSession, signal: Signal) -> None:
        """Send a member's signal to the other members, in this worker and in others.

        Raises:
            NotFound: they may not read its map.
        """
        content = signal.model_dump(mode="json", exclude_none=True, exclude={"type"})
        content = {"user_id": session.user_id, **content, "data": signal.data}
        if signal.map_id is not None:
            snapshot = await self._snapshot(signal.map_id, session.user_id)
            if snapshot is None or not (session.is_game_master or snapshot.is_published):
                raise NotFound
        await self._deliver(content, session)
        self._room.hub.publish("signal", {"universe_id": self._room.universe_id, "content": content})

    def receive(self, content: dict[str, Any]) -> None:
        """Deliver a signal from another worker."""
        task = asyncio.create_task(self._deliver_received(content))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_received(self, content: dict[str, Any]) -> None:
        try:
            await self._deliver(content, None)
        except Exception as error:
            # Signals may get lost.
            if not is_database_away(error):
                log.error("live_signal_failed", exc_info=error)

    async def _deliver(self, content: dict[str, Any], sender: LiveSession | None) -> None:
        frame = frames.message("signal", **content)
        for session in self._room.live():
            if session is not sender and await self._sees(session, content):
                session.transport.send_signal(frame)

    async def _sees(self, session: LiveSession, content: dict[str, Any]) -> bool:
        """Whether a session's member may get a signal: they see its map, and its position if it has one."""
        if "map_id" not in content or session.is_game_master:
            return True
        map_id = UUID(content["map_id"])
        for _ in range(_ATTEMPTS):
            snapshot = await self._snapshot(map_id, session.user_id)
            if snapshot is None or not snapshot.is_published:
                return False
            if not snapshot.has_fog or "x" not in content or "y" not in content:
                return True
            try:
                view = await snapshot.view(session.user_id)
            except Changed:
                self._seq = None
                continue
            return contains(view.fogged.visible, int(content["x"]), int(content["y"]))
        # It changes faster than it can be read. Signals may get lost.
        return False

    async def _snapshot(self, map_id: UUID, user_id: UUID) -> Snapshot | None:
        """A map after the last event, read once: whatever changes what anybody sees is an event."""
        room = self._room
        if self._seq != room.seq:
            self._seq = room.seq
            self._snapshots = _no_snapshots()
        snapshot = self._snapshots.get(map_id)
        if snapshot is not None and snapshot.is_for(user_id):
            return snapshot
        seq = self._seq
        try:
            user_ids = [user_id, *(session.user_id for session in room.sessions if session.is_welcome)]
            snapshot = await Snapshot.at(room.hub, room.universe_id, map_id, user_ids)
        except NotFound:
            return None
        if seq == room.seq:
            self._snapshots.put(map_id, snapshot, 1)
        return snapshot


def _no_snapshots() -> LruCache[UUID, Snapshot]:
    return LruCache(_MAX_SNAPSHOTS, _MAX_SNAPSHOTS)
