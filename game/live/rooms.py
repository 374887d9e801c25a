"""A room: the sockets of one universe in this worker, and their common position in its event log.

A hint wakes the room. If it contains the next event, the room sends that to its sockets. Otherwise the room reads
the log from its position on, once for all of its sockets, and sends them the new events. A socket that resumes is
behind: it reads by itself until it has caught up, and then joins.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from websockets.frames import CloseCode

from game.core.errors import is_database_away
from game.core.sockets import Close
from game.live import queries
from game.live.frames import FrameParts, LoggedEvent, events_of
from game.live.maps import WatchedMaps
from game.live.signals import Signals
from game.live.transport import Disconnected

if TYPE_CHECKING:
    from game.live.hub import Hub
    from game.live.session import LiveSession

log = structlog.get_logger()

_MIN_WAIT, _MAX_WAIT = 0.05, 1.0
_BATCH = 100
"""The number of frames that are sent before other tasks get a turn."""


class Room:
    """The sockets of one universe in this worker."""

    def __init__(self, hub: Hub, universe_id: UUID) -> None:
        self.hub, self.universe_id = hub, universe_id
        self.seq: int | None = None
        self.access_version: int | None = None
        self.sessions: set[LiveSession] = set()
        """All sockets, including those that have not caught up."""
        self._live: set[LiveSession] = set()
        self.maps = WatchedMaps(self)
        self.signals = Signals(self)
        self._hinted: list[tuple[int | None, LoggedEvent]] = []
        """Events from hints that were not looked at yet, with the access version when each was written."""
        self._requested = self._completed = 0
        self._must_read = False
        """Whether the log must be read, because something may have happened that is not in hints."""
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Read the log: there may be new events."""
        self._must_read = True
        self._request()

    def hint(self, access_version: int | None, event: list[Any] | None) -> None:
        """There is a new event; it may be given as in `events.hints.Hint`, parsed."""
        if event is None or self.seq is None:
            self.wake()
        else:
            self._hinted.append((access_version, LoggedEvent(event)))
            self._request()

    def _request(self) -> None:
        self._requested += 1
        if self._task is None and self.seq is not None:
            self._task = asyncio.create_task(self._follow())

    async def caught_up(self, *, is_hinted: bool = False) -> None:
        """Return when everything that was committed before this call has been sent.

        `is_hinted`: only what was hinted before this call, so that the log need not be read for it.
        """
        if not is_hinted:
            self.wake()
        if self._completed == self._requested:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((self._requested, future))
        await future

    def start_at(self, seq: int, access_version: int) -> None:
        """Start a new room at position `seq` of its first socket; read the log if access has changed."""
        if self.seq is None:
            self.seq, self.access_version = seq, access_version
            # Hints before now were ignored, because there was no position to read from.
            self.wake()
        elif self.access_version != access_version:
            self.access_version = None
            self.wake()

    async def join(self, session: LiveSession) -> None:
        """Send events to a session from now on, once it has read the log as far as the room.

        Raises:
            Disconnected: it is closed.
        """
        while session.seq < (self.seq or 0):
            await self.read_alone(session)
        self._live.add(session)

    def leave(self, session: LiveSession) -> None:
        """Stop sending events to a session."""
        self._live.discard(session)

    def live(self) -> list[LiveSession]:
        """The sessions that get new events."""
        return list(self._live)

    async def read_alone(self, session: LiveSession, until: int | None = None) -> None:
        """Send a session the next page of the log, but nothing after event `until`.

        Raises:
            Disconnected: it is closed, or its universe no longer exists.
        """
        row = await self.hub.fetch(queries.SINCE, self.universe_id, session.seq)
        if row is None:
            session.transport.close(Close.NOT_FOUND, "The universe no longer exists.")
            raise Disconnected
        if row["access_version"] != session.access_version:
            await self.hub.roles(self.universe_id, [session])
            session.access_version = row["access_version"]
        events = [event for event in events_of(row["events"]) if until is None or event.seq <= until]
        self._send(events, [session])
        session.seq = max(session.seq, events[-1].seq if events else row["event_seq"] if until is None else until)
        await session.transport.drain()

    def close(self) -> None:
        """Stop following the log."""
        if self._task is not None:
            self._task.cancel()
        for _, future in self._waiting:
            future.cancel()

    async def _follow(self) -> None:
        wait = _MIN_WAIT
        try:
            while self._completed < self._requested:
                goal = self._requested
                try:
                    await self._deliver(self._take_hinted())
                    is_done = True
                    if self._must_read:
                        self._must_read = False
                        is_done = not await self._step()
                except Exception as error:
                    if not is_database_away(error):
                        raise
                    # The sockets stay open; missed events are read when the database is available again.
                    self._must_read = True
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, _MAX_WAIT)
                    continue
                wait = _MIN_WAIT
                if is_done:
                    self._release(goal)
                else:
                    self._must_read = True
        except Exception as error:
            log.error("live_room_failed", exc_info=error)
            for session in list(self.sessions):
                session.transport.close(CloseCode.INTERNAL_ERROR, "Internal server error: reconnect and resume.")
            # What could not be sent must not fail again for those who connect while others are still closing.
            self.maps = WatchedMaps(self)
        finally:
            self._task = None

    def _release(self, goal: int) -> None:
        self._completed = goal
        waiting, self._waiting = self._waiting, []
        for number, future in waiting:
            if number > goal:
                self._waiting.append((number, future))
            elif not future.done():
                future.set_result(None)

    async def _step(self) -> bool:
        """Read and send a page of the log; returns whether there is more."""
        row = await self.hub.reads.fetch(queries.SINCE, self.universe_id, self.seq)
        if row is None:
            for session in list(self.sessions):
                session.transport.close(Close.NOT_FOUND, "The universe no longer exists.")
            return False
        if row["access_version"] != self.access_version:
            # Before the events are sent: who gets them depends on the roles after them.
            sessions = list(self.sessions)
            await self.hub.roles(self.universe_id, sessions)
            self.access_version = row["access_version"]
            for session in sessions:
                session.access_version = row["access_version"]
        events = events_of(row["events"])
        await self._deliver(events)
        return bool(events) and events[-1].seq < row["event_seq"]

    def _take_hinted(self) -> list[LoggedEvent]:
        """The events from hints, if they directly follow what was sent; otherwise the log is to be read."""
        hinted, self._hinted = self._hinted, []
        events: list[LoggedEvent] = []
        assert self.seq is not None
        for access_version, event in hinted:
            new = self.seq + len(events) + 1
            if event.seq > new or access_version != self.access_version:
                self._must_read = True
                return []
            if event.seq == new:
                events.append(event)
        return events

    async def _deliver(self, events: Sequence[LoggedEvent]) -> None:
        """Send the events that follow what was sent before, and what they change in watched maps."""
        if events:
            self.seq = events[-1].seq
            await self._send_to_all(events)
        await self.maps.follow(events)

    async def _send_to_all(self, events: Sequence[LoggedEvent]) -> None:
        sessions = self.live()
        size = max(1, _BATCH // len(events))
        for start in range(0, len(sessions), size):
            if start:
                await asyncio.sleep(0)
            self._send(events, [session for session in sessions[start : start + size] if session in self._live])
        now = time.time()
        for event in events:
            self.hub.metrics.lag(now - event.created)

    def _send(self, events: Sequence[LoggedEvent], sessions: Sequence[LiveSession]) -> None:
        """Send each session those events that are new to it and that its reader may see."""
        receivers: list[tuple[LiveSession, FrameParts]] = []
        positions: list[tuple[int, bytes]] = []
        for session in sessions:
            for event in events:
                if event.seq > session.seq:
                    session.seq = event.seq
                    parts = event.parts(session.user_id, for_game_master=session.is_game_master)
                    if parts is not None:
                        receivers.append((session, parts))
                        positions.append((event.seq, session.reader.bound))
        cursors = self.hub.state.cursors.encrypt_all(positions)
        unsent: dict[LiveSession, list[bytes]] = {}
        for (session, (before, after)), cursor in zip(receivers, cursors, strict=True):
            unsent.setdefault(session, []).append(before + cursor + after)
        size = queued = 0
        for session, frames in unsent.items():
            joined = b"".join(frames)
            size += len(joined)
            queued = max(queued, session.transport.write(joined))
        self.hub.metrics.sent(len(receivers), size, queued)

    def broadcast(self, frame: bytes) -> None:
        """Send a frame to all sockets that have got their `welcome`."""
        for session in self.sessions:
            if session.is_welcome:
                session.transport.send(frame)
