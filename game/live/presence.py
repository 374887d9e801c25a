"""Who is here: the members with a socket, in this worker or another.

Each worker tells the others who comes and goes, and at intervals all of its members, which makes up for lost
messages. A worker that has been silent for a while is considered gone, and so are its members.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from game.live import frames

if TYPE_CHECKING:
    from game.live.hub import Hub

_TELL_SECONDS = 8.0
_GONE_SECONDS = 24.0
_AT_ONCE = 50
"""People in one message between workers, which is short."""

People = dict[UUID, str]
"""Display names by user."""


class _Worker:
    """Another worker: who is there by universe, and when it was heard of."""

    def __init__(self) -> None:
        self.people: dict[UUID, People] = {}
        self.told: dict[UUID, People] = {}
        """What it tells of all of its own, as far as it has come."""
        self.heard_at = time.monotonic()


class Presence:
    """The online members of the universes with sockets in this worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._id = uuid4().hex
        self._sockets: Counter[tuple[UUID, UUID]] = Counter()
        self._here: dict[UUID, People] = {}
        self._workers: dict[str, _Worker] = {}
        self._shown: dict[UUID, People] = {}

    def online(self, universe_id: UUID) -> People:
        """Who is in a universe, in any worker."""
        found: People = {}
        for worker in self._workers.values():
            found.update(worker.people.get(universe_id, {}))
        return found | self._here.get(universe_id, {})

    def enter(self, universe_id: UUID, user_id: UUID, display_name: str) -> None:
        """Somebody has one more socket."""
        self._sockets[universe_id, user_id] += 1
        if self._sockets[universe_id, user_id] == 1:
            self._here.setdefault(universe_id, {})[user_id] = display_name
            self._publish("came", universe_id, {user_id: display_name})
            self._show(universe_id)

    def leave(self, universe_id: UUID, user_id: UUID) -> None:
        """Somebody has one socket less."""
        self._sockets[universe_id, user_id] -= 1
        if not self._sockets[universe_id, user_id]:
            del self._sockets[universe_id, user_id]
            people = self._here[universe_id]
            del people[user_id]
            if not people:
                del self._here[universe_id]
            self._publish("left", universe_id, {user_id: ""})
            self._show(universe_id)

    async def run(self) -> None:
        """Tell the others at intervals, and forget silent workers."""
        self._hub.publish("who", {"worker": self._id})
        while True:
            self._tell()
            await asyncio.sleep(_TELL_SECONDS)
            now = time.monotonic()
            for name, worker in list(self._workers.items()):
                if now - worker.heard_at > _GONE_SECONDS:
                    del self._workers[name]
                    for universe_id in worker.people:
                        self._show(universe_id)

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Handle a message of another worker."""
        if kind == "who":
            self._tell()
            return
        worker = self._workers.setdefault(content["worker"], _Worker())
        worker.heard_at = time.monotonic()
        if kind == "all":
            before, worker.people, worker.told = worker.people, worker.told, {}
            for universe_id in {*before, *worker.people}:
                self._show(universe_id)
            return
        universe_id = UUID(content["universe_id"])
        people = {UUID(user_id): name for user_id, name in content["people"].items()}
        if kind == "here":
            worker.told.setdefault(universe_id, {}).update(people)
            return
        for known in (worker.people, worker.told):
            there = known.setdefault(universe_id, {})
            if kind == "came":
                there.update(people)
            else:
                for user_id in people:
                    there.pop(user_id, None)
        self._show(universe_id)

    def _tell(self) -> None:
        """Tell the others who is here: in parts, and when that was all."""
        for universe_id, people in self._here.items():
            rest = list(people.items())
            while rest:
                self._publish("here", universe_id, dict(rest[:_AT_ONCE]))
                rest = rest[_AT_ONCE:]
        self._hub.publish("all", {"worker": self._id})

    def _publish(self, kind: str, universe_id: UUID, people: People) -> None:
        named = {str(user_id): name for user_id, name in people.items()}
        self._hub.publish(kind, {"worker": self._id, "universe_id": universe_id, "people": named})

    def _show(self, universe_id: UUID) -> None:
        """Tell a room who came online and who went offline."""
        room = self._hub.rooms.get(universe_id)
        now = self.online(universe_id)
        before = self._shown.get(universe_id, {})
        if room is None or not now:
            self._shown.pop(universe_id, None)
        else:
            self._shown[universe_id] = now
        if room is None:
            return
        for user_id in now.keys() - before.keys():
            room.broadcast(frames.message("online", user_id=user_id, display_name=now[user_id]))
        for user_id in before.keys() - now.keys():
            room.broadcast(frames.message("offline", user_id=user_id))
