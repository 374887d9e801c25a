"""What a worker's sockets share: rooms, reading of the log, the channel to other workers, periodic checks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson
import structlog
from fastapi import FastAPI

from game.core.coalescer import Coalescer, HotStatement
from game.core.errors import is_database_away
from game.core.sockets import Close
from game.events.hints import Hint
from game.live import queries
from game.live.fanout import Fanout
from game.live.metrics import LiveMetrics
from game.live.presence import Presence
from game.live.rooms import Room
from game.live.transport import Disconnected
from game.permissions import Role

if TYPE_CHECKING:
    from game.live.session import LiveSession

log = structlog.get_logger()

Login = tuple[UUID, UUID, bool]
"""The session of a login, its user, and whether they are here as a superuser."""

_READERS = 2
_CHECK_SECONDS = 0.5
"""The interval of checks for ended sessions and memberships, and for lost hints."""
_PATIENCE_SECONDS = 10.0
_MAX_HINT = 2_000
"""The maximum length of an event in a hint to other workers; they read longer ones from the log."""


class Hub:
    """The live feed of one worker of an app."""

    def __init__(self, app: FastAPI, fanout: Fanout, metrics: LiveMetrics) -> None:
        self.app, self.metrics = app, metrics
        self.state: Any = app.state
        self.reads = Coalescer(self.state.database.hot_connection, _READERS)
        self.rooms: dict[UUID, Room] = {}
        self.presence = Presence(self)
        self._fanout = fanout
        self._logins: dict[Login, set[LiveSession]] = {}
        """The sockets of each login. Whether it is still valid is checked once for all of them."""
        self._count = 0
        self._clients: Counter[str] = Counter()
        self._users: Counter[UUID] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the periodic tasks while this is open."""
        await self._fanout.start(self._receive)
        tasks = [asyncio.create_task(work()) for work in (self._check_periodically, self.presence.run)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for room in self.rooms.values():
                room.close()
            await self._fanout.close()
            self.reads.close()

    @property
    def has_listeners(self) -> bool:
        """Whether anybody has a socket, in this worker or, as far as is known, in another."""
        return bool(self.rooms) or self.presence.is_anybody_elsewhere

    def announce(self, hints: Iterable[Hint]) -> None:
        """Something was committed: tell the rooms, here and in other workers."""
        for universe_id, access_version, text in hints:
            room = self.rooms.get(universe_id)
            if room is not None:
                room.hint(access_version, None if text is None else orjson.loads(text))
            short = orjson.Fragment(text) if text is not None and len(text) <= _MAX_HINT else None
            self.publish("hint", [universe_id, access_version, short])

    def publish(self, kind: str, content: Any) -> None:
        """Tell the other workers."""
        self._fanout.publish(orjson.dumps([kind, content], default=str))

    def _receive(self, message: bytes) -> None:
        kind, content = orjson.loads(message)
        if kind == "hint":
            universe_id, access_version, event = content
            room = self.rooms.get(UUID(universe_id))
            if room is not None:
                room.hint(access_version, event)
        elif kind == "signal":
            room = self.rooms.get(UUID(content["universe_id"]))
            if room is not None:
                room.signals.receive(content["content"])
        else:
            self.presence.receive(kind, content)

    def admit(self, client: str) -> bool:
        """Count a socket of a client; returns False if it, or this worker, has too many. `dismiss` undoes it."""
        self._clients[client] += 1
        self._count += 1
        self.metrics.sockets.inc()
        limits = self.state.settings
        return bool(self._clients[client] <= limits.max_client_sockets and self._count <= limits.max_sockets)

    def dismiss(self, client: str) -> None:
        """Uncount a socket of a client."""
        self.metrics.sockets.dec()
        self._count -= 1
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]

    @contextmanager
    def entered(self, session: LiveSession) -> Iterator[Room]:
        """The room of an authenticated session, while this is open.

        Raises:
            Disconnected: its user or its universe has too many sockets.
        """
        user_id, universe_id = session.user_id, session.universe_id
        room = self.rooms.get(universe_id)
        for number, most, whose in (
            (self._users[user_id], self.state.settings.max_user_sockets, "user"),
            (len(room.sessions) if room else 0, self.state.settings.max_universe_sockets, "universe"),
        ):
            if number >= most:
                session.transport.close(Close.TOO_MUCH, f"Too many sockets of one {whose}.")
                raise Disconnected
        if room is None:
            room = self.rooms[universe_id] = Room(self, universe_id)
        self._users[user_id] += 1
        room.sessions.add(session)
        self._appear(session)
        try:
            yield room
        finally:
            self._users[user_id] -= 1
            if not self._users[user_id]:
                del self._users[user_id]
            room.leave(session)
            room.sessions.discard(session)
            self._disappear(session)
            if not room.sessions:
                room.close()
                del self.rooms[universe_id]

    def logged_in(self, session: LiveSession) -> None:
        """Check a session's login from now on."""
        self._logins.setdefault(session.login, set()).add(session)

    def logged_out(self, session: LiveSession) -> None:
        """Stop checking it."""
        sockets = self._logins[session.login]
        sockets.discard(session)
        if not sockets:
            del self._logins[session.login]

    async def fetch(self, statement: HotStatement, *parameters: Any) -> asyncpg.Record | None:
        """The row that a statement returns for these parameters; waits while the database is unavailable.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: it stayed unavailable.
        """
        end = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            try:
                return await self.reads.fetch(statement, *parameters)
            except Exception as error:
                if not is_database_away(error) or asyncio.get_running_loop().time() > end:
                    raise
            await asyncio.sleep(0.2)

    async def roles(self, universe_id: UUID, sessions: Collection[LiveSession]) -> None:
        """Update the roles of sessions; close those whose user is no longer a member, or not active."""
        async with self.state.database.session() as database:
            roles = await queries.roles(database, universe_id, {session.user_id for session in sessions})
        for session in sessions:
            if session not in session.room.sessions:
                # Its socket was closed meanwhile.
                continue
            role = roles.get(session.user_id)
            if role is None:
                if session.user_id in roles:
                    session.transport.close(Close.NOT_A_MEMBER, "You are no longer a member.")
                else:
                    session.transport.close(Close.NOT_LOGGED_IN, "The account is not active.")
                session.room.leave(session)
            elif role != session.role:
                if session.is_visitor == (role == Role.superuser):
                    session.set_role(role)
                else:
                    # A superuser has become a member, or is none any more.
                    self._disappear(session)
                    session.set_role(role)
                    self._appear(session)

    def _appear(self, session: LiveSession) -> None:
        """Check a session's login, and show its user as online, unless they are not a member."""
        self.logged_in(session)
        if session.is_visitor:
            self.presence.notify(session.universe_id)
        else:
            self.presence.enter(session.universe_id, session.user_id, session.display_name)

    def _disappear(self, session: LiveSession) -> None:
        """Undo `_appear`."""
        self.logged_out(session)
        if not session.is_visitor:
            self.presence.leave(session.universe_id, session.user_id)

    def _rename(self, session: LiveSession, display_name: str) -> None:
        """Show a member's new name to the others."""
        session.display_name = display_name
        if not session.is_visitor:
            self.presence.rename(session.universe_id, session.user_id, display_name)

    async def _check_periodically(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            try:
                await self._check()
            except Exception as error:
                # While the database is unavailable, sockets stay open with their last known roles.
                if not is_database_away(error):
                    log.error("live_check_failed", exc_info=error)

    async def _check(self) -> None:
        """Close sockets whose session has ended, show new names, and wake rooms that missed a hint."""
        self.metrics.flush()
        if not self.rooms:
            return
        pool = await self.state.database.side_pool()
        logins = list(self._logins)
        names = [next(iter(self._logins[login])).display_name for login in logins]
        for index, name in (await queries.changed_logins(pool, logins, names)).items():
            for session in list(self._logins.get(logins[index], ())):
                if name is None:
                    session.transport.close(Close.NOT_LOGGED_IN, "The session has ended.")
                else:
                    self._rename(session, name)
        for universe_id, head in (await queries.heads(pool, self.rooms)).items():
            room = self.rooms.get(universe_id)
            if room is not None and room.seq is not None and head != (room.seq, room.access_version):
                room.wake()
