"""Presence: which members have a socket, in this worker or another.

Each worker announces to the others who comes and goes and, because messages may get lost, at intervals all of its
members. A worker that has sent nothing for a while is considered gone, and so are its members.
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

_ANNOUNCE_SECONDS = 8.0
_TIMEOUT_SECONDS = 20.0
"""Checked at each announcement, so the members of a worker that dies are offline after at most the sum of both."""
_BATCH = 10
"""The maximum number of users in one message between workers. It is small enough for the longest names, because a
message that is too large is dropped."""

People = dict[UUID, str]
"""Display names by user."""


class _Worker:
    """Another worker: its members by universe, and when its last message arrived."""

    def __init__(self) -> None:
        self.people: dict[UUID, People] = {}
        self.announced: dict[UUID, People] = {}
        """Its complete list, as far as it has arrived; replaces `people` when it is complete."""
        self.heard_at = time.monotonic()


class Presence:
    """The online members of the universes with sockets in this worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._id = uuid4().hex
        self._sockets: Counter[tuple[UUID, UUID]] = Counter()
        self._local: dict[UUID, People] = {}
        self._workers: dict[str, _Worker] = {}
        self._notified: dict[UUID, People] = {}
        """Who is online as far as the rooms of this worker were notified."""

    def online(self, universe_id: UUID) -> People:
        """Who is online in a universe, in any worker."""
        found: People = {}
        for worker in self._workers.values():
            found.update(worker.people.get(universe_id, {}))
        return found | self._local.get(universe_id, {})

    @property
    def is_anybody_elsewhere(self) -> bool:
        """Whether another worker has members online. It may still be true for a while after the last one left."""
        return any(worker.people for worker in self._workers.values())

    def enter(self, universe_id: UUID, user_id: UUID, display_name: str) -> None:
        """Count one more socket of a user."""
        self._sockets[universe_id, user_id] += 1
        if self._sockets[universe_id, user_id] == 1:
            self._local.setdefault(universe_id, {})[user_id] = display_name
            self._publish("came", universe_id, {user_id: display_name})
            self.notify(universe_id)
        else:
            self.rename(universe_id, user_id, display_name)

    def rename(self, universe_id: UUID, user_id: UUID, display_name: str) -> None:
        """Change the name of a user who is online in this worker."""
        people = self._local[universe_id]
        if people[user_id] != display_name:
            people[user_id] = display_name
            self._publish("came", universe_id, {user_id: display_name})
            self.notify(universe_id)

    def leave(self, universe_id: UUID, user_id: UUID) -> None:
        """Count one socket of a user less."""
        self._sockets[universe_id, user_id] -= 1
        if not self._sockets[universe_id, user_id]:
            del self._sockets[universe_id, user_id]
            people = self._local[universe_id]
            del people[user_id]
            if not people:
                del self._local[universe_id]
            self._publish("left", universe_id, {user_id: ""})
            self.notify(universe_id)

    async def run(self) -> None:
        """Announce this worker's members at intervals, and forget silent workers."""
        self._hub.publish("who", {"worker": self._id})
        while True:
            self._announce()
            await asyncio.sleep(_ANNOUNCE_SECONDS)
            now = time.monotonic()
            for name, worker in list(self._workers.items()):
                if now - worker.heard_at > _TIMEOUT_SECONDS:
                    del self._workers[name]
                    for universe_id in worker.people:
                        self.notify(universe_id)

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Handle a message of another worker."""
        if kind == "who":
            self._announce()
            return
        worker = self._workers.setdefault(content["worker"], _Worker())
        worker.heard_at = time.monotonic()
        if kind == "all":
            before, worker.people, worker.announced = worker.people, worker.announced, {}
            for universe_id in {*before, *worker.people}:
                self.notify(universe_id)
            return
        universe_id = UUID(content["universe_id"])
        people = {UUID(user_id): name for user_id, name in content["people"].items()}
        if kind == "here":
            worker.announced.setdefault(universe_id, {}).update(people)
            return
        for known in (worker.people, worker.announced):
            there = known.setdefault(universe_id, {})
            if kind == "came":
                there.update(people)
            else:
                for user_id in people:
                    there.pop(user_id, None)
        self.notify(universe_id)

    def _announce(self) -> None:
        """Send the other workers all members of this one: some `here`, then `all`, which completes the list."""
        for universe_id, people in self._local.items():
            rest = list(people.items())
            while rest:
                self._publish("here", universe_id, dict(rest[:_BATCH]))
                rest = rest[_BATCH:]
        self._hub.publish("all", {"worker": self._id})

    def _publish(self, kind: str, universe_id: UUID, people: People) -> None:
        named = {str(user_id): name for user_id, name in people.items()}
        self._hub.publish(kind, {"worker": self._id, "universe_id": universe_id, "people": named})

    def notify(self, universe_id: UUID) -> None:
        """Notify a room of who came online, also with another name, and who went offline."""
        room = self._hub.rooms.get(universe_id)
        now = self.online(universe_id)
        before = self._notified.get(universe_id, {})
        if room is None or not now:
            self._notified.pop(universe_id, None)
        else:
            self._notified[universe_id] = now
        if room is None:
            return
        for user_id, name in now.items():
            if before.get(user_id) != name:
                room.broadcast(frames.message("online", user_id=user_id, display_name=name))
        for user_id in before.keys() - now.keys():
            room.broadcast(frames.message("offline", user_id=user_id))
