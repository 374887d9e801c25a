"""Watched maps: what a member sees of one now, and what of that has changed since it was sent.

Game masters are told everything by events. To others much of what changes is no event: what comes into sight or
goes out of it, what is hidden or shown. After each step of the log that touches a watched map, they get the
difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any
from uuid import UUID

from game.core.errors import Conflict, NotFound
from game.fog.viewers import viewer_of
from game.fog.views import MapView
from game.grid.cell_sets import Cells, bounds, contains
from game.live import frames
from game.live.looks import Box, Look
from game.permissions import GAME_MASTERS
from game.play.boards import Changed
from game.tokens.queries import STORED

if TYPE_CHECKING:
    from game.live.frames import LoggedEvent
    from game.live.rooms import Room
    from game.live.session import LiveSession

Region = dict[str, Any] | None

MAX_WATCHED = 8
_SETTINGS = frozenset({"visibility", "fog", "fog_sharing", "lighting"})
_HIDING = frozenset({"hidden", "character_id"})
"""What, changed in a token, may hide it or show it. New grants are sent with the whole map."""
_OF_PEOPLE = ("member.", "character.")
"""Kinds of events that may change what somebody sees of any map."""


class TooManyWatched(Conflict):
    """You watch too many maps. Send `unwatch` for one of them first."""

    code = "TOO_MANY_WATCHED"


@dataclass
class Shown:
    """What a member is shown of a map at one moment: after event `seq` of the universe."""

    seq: int
    version: int | None
    tokens: dict[str, dict[str, Any]]
    """What they know of the tokens: by the map, by views and, on a map without fog, by events since, which do not
    tell all fields."""
    view: MapView | None
    in_sight: dict[str, Any] | None
    """The region around everything in sight, under fog: what of the grid can change before their eyes."""
    region: dict[str, Any] | None = None
    """Where what they know of the grid differs from what they were shown before."""

    def hear(self, events: Iterable[LoggedEvent]) -> None:
        """Note what they were told of tokens by events that were shared with them."""
        for event in events:
            token_id = str(event.subject_id)
            if event.kind == "token.deleted":
                self.tokens.pop(token_id, None)
                continue
            known = self.tokens.setdefault(token_id, {})
            payload = event.shared
            known |= {name: payload[name] for name in STORED if name in payload}
            # An event does not tell whoever reads the sheet all bars, but they get an event of every change.
            if "bars" in payload:
                del known["bars"]

    def message(self, session: LiveSession, map_id: UUID) -> bytes:
        """The map as it is now, as a frame."""
        fields: dict[str, Any] = {"map_id": map_id, "cursor": session.reader.cursor(self.seq)}
        if self.version is not None:
            fields["version"] = self.version
        fields["tokens"] = list(self.tokens.values())
        if self.view is not None:
            fogged_view = self.view.fogged
            scene = fogged_view.scene
            rows = fogged_view.fog(0, 0, scene.width, scene.height)
            fields["fog"] = {"mode": fogged_view.mode, "rows": rows}
        return frames.message("map", **fields)


async def _shown(look: Look, session: LiveSession, before: Shown | None, *, with_grid: bool = True) -> Shown:
    """What a session's member is shown of a map.

    `with_grid`: whether the grid may have changed since `before`, not only who sees what of it.

    Raises:
        NotFound: they may not read it.
        Changed: it is another by now.
    """
    role = look.role_of(session)
    is_game_master = role in GAME_MASTERS
    view = await look.view(session.user_id) if look.has_fog and not is_game_master else None
    seen = look.tokens(session, role, view)
    shown = Shown(look.seq, look.version if is_game_master else None, seen, view, None)
    if view is not None:
        # Whoever was shown the same before is shown the same now. What the key names stays alive in the answer.
        key = id(view), id(before and before.view), with_grid
        if key not in look.answers:
            look.answers[key] = view, before, await _regions(look, view, before, with_grid=with_grid)
        *_, (shown.in_sight, shown.region) = look.answers[key]
    return shown


async def _regions(look: Look, view: MapView, before: Shown | None, *, with_grid: bool) -> tuple[Region, Region]:
    """The region around everything in sight, and the one that differs from what was shown before."""
    fogged = view.fogged
    around, in_sight = bounds(fogged.visible), None
    old = before.view.fogged if before and before.view else None
    if before is not None and old is not None and old.visible == fogged.visible and not with_grid:
        in_sight = before.in_sight
    elif around is not None:
        in_sight = await look.region(view, around)
    if before is None or old is None:
        return in_sight, None
    boxes = [bounds(_differing(old.visible, fogged.visible)), bounds(_differing(old.shown, fogged.shown))]
    if with_grid and in_sight != before.in_sight:
        boxes.append(around)
    box = reduce(_both, filter(None, boxes), None)
    return in_sight, None if box is None else await look.region(view, box)


def _differing(one: Cells, other: Cells) -> dict[Any, int]:
    chunks = one.keys() | other.keys()
    return {chunk: bits for chunk in chunks if (bits := one.get(chunk, 0) ^ other.get(chunk, 0))}


def _both(one: Box | None, other: Box) -> Box:
    """The rectangle around two."""
    if one is None:
        return other
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right, bottom = max(one[0] + one[2], other[0] + other[2]), max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, bottom - top


class _Changes:
    """What happened on a map since the last look at it."""

    def __init__(self, map_id: UUID, events: Sequence[LoggedEvent]) -> None:
        self._map_id, self.events = str(map_id), events
        self.is_of_grid = not all(event.kind.startswith("token.") for event in events)
        self.is_public = not self.is_of_grid and all(event.is_public for event in events)
        self.is_anew = any(event.kind == "map.updated" and event.payload.keys() & _SETTINGS for event in events)
        self._told: dict[UUID | None, list[LoggedEvent]] = {}

    @cached_property
    def is_of_grants(self) -> bool:
        """Whether grants have changed."""
        return any("grants" in event.payload for event in self.events)

    def told(self, user_id: UUID) -> list[LoggedEvent]:
        """The events of tokens that are shared with a user."""
        reader = None if self.is_public else user_id
        if reader not in self._told:
            self._told[reader] = [
                event
                for event in self.events
                if event.kind.startswith("token.")
                and event.is_for(user_id, for_game_master=False)
                and event.shared.get("map_id") == self._map_id
            ]
        return self._told[reader]

    def walked(self, token_id: str, views: Sequence[MapView], viewer: UUID) -> list[Any]:
        """The part of a token's way that a group has seen, which saw the token before and sees it now.

        While the token may have been hidden from it, it saw nothing; and of what came into sight or went out of it
        meanwhile, it is not known when. What it sees with its own eyes has seen all of its way itself.
        """
        own = [event for event in self.events if str(event.subject_id) == token_id]
        turns = [index for index, event in enumerate(own) if event.payload.keys() & _HIDING]
        if turns:
            own = own[: turns[0]] + own[turns[-1] + 1 :]
        cells = [cell for event in own for cell in event.payload.get("cells") or ()]
        if any(str(eye.id) == token_id for view in views for eye in view.table.eyes_of(viewer)):
            return cells
        sights = [view.fogged.visible for view in views]
        return [cell for cell in cells if all(contains(one, int(cell["x"]), int(cell["y"])) for one in sights)]


def _touches(event: LoggedEvent, map_id: UUID) -> bool:
    return event.subject_id == map_id or event.kind.startswith(_OF_PEOPLE) or event.names(map_id)


class WatchedMaps:
    """The maps that the sessions of a room watch."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._pending: list[LoggedEvent] = []
        self._anew: set[LiveSession] = set()

    async def watch(self, session: LiveSession, map_id: UUID) -> None:
        """Send a session a map, between the events before and behind it, and from then on what changes in it.

        Raises:
            NotFound: it may not read it.
            TooManyWatched: it watches too many.
        """
        if map_id not in session.watched and len(session.watched) >= MAX_WATCHED:
            raise TooManyWatched
        async with session.watching:
            self._room.part(session)
            try:
                shown = await self._first_look(session, map_id)
                while session.seq < shown.seq:
                    await self._room.read_alone(session, until=shown.seq)
                session.watched[map_id] = shown
                session.transport.send(shown.message(session, map_id))
            finally:
                await self._room.join(session)
            # What it read alone had no views.
            while stale := [one for one, shown in session.watched.items() if shown.seq < session.seq]:
                for one in stale:
                    await self._refresh(one, [session], None)

    async def _first_look(self, session: LiveSession, map_id: UUID) -> Shown:
        while True:
            with suppress(Changed):
                look = await Look.at(self._room.hub, self._room.universe_id, map_id, [session.user_id])
                return await _shown(look, session, None)

    def role_changed(self, session: LiveSession) -> None:
        """Send a session its maps anew: its member sees something else now."""
        self._anew.add(session)

    async def follow(self, events: Sequence[LoggedEvent]) -> None:
        """Send what events changed in watched maps. What fails for want of a database is done the next time."""
        self._pending += events
        if not self._pending and not self._anew:
            return
        for map_id in dict.fromkeys(map_id for session in self._room.live() for map_id in session.watched):
            touching = [event for event in self._pending if _touches(event, map_id)]
            if not touching and not self._anew:
                continue
            changes = _Changes(map_id, touching)
            looking = [
                session
                for session in self._room.live()
                if map_id in session.watched and self._must_look(session, map_id, changes)
            ]
            async with AsyncExitStack() as stack:
                for session in looking:
                    await stack.enter_async_context(session.watching)
                await self._refresh(map_id, looking, changes)
        self._pending.clear()
        self._anew.clear()

    def _must_look(self, session: LiveSession, map_id: UUID, changes: _Changes) -> bool:
        """Whether a session needs another look at a map; not where events tell it everything."""
        if session.watching.locked():
            # It is looking by itself, and goes on until it has seen all.
            return False
        if changes.is_anew or session in self._anew:
            return True
        if not changes.events or session.is_game_master:
            return False
        shown = session.watched[map_id]
        if changes.is_public and shown.view is None:
            shown.hear(changes.told(session.user_id))
            return False
        return True

    async def _refresh(self, map_id: UUID, looking: Sequence[LiveSession], changes: _Changes | None) -> None:
        """Look at a map for these sessions, and send them what is different."""
        waiting = deque(looking)
        while waiting:
            # Whoever is behind a change of the map gets another look.
            with suppress(Changed):
                look = await self._look(map_id, [session.user_id for session in waiting])
                while waiting:
                    session = waiting[0]
                    # They may have stopped to watch, and left.
                    if map_id in session.watched:
                        await self._show(look, session, map_id, changes)
                    waiting.popleft()

    async def _look(self, map_id: UUID, user_ids: Sequence[UUID]) -> Look | None:
        """A map as it is now; None when it is gone."""
        with suppress(NotFound):
            return await Look.at(self._room.hub, self._room.universe_id, map_id, user_ids)
        return None

    async def _show(self, look: Look | None, session: LiveSession, map_id: UUID, changes: _Changes | None) -> None:
        before = session.watched[map_id]
        if changes is not None and not session.is_game_master:
            before.hear(changes.told(session.user_id))
        with_grid = changes is None or changes.is_of_grid
        try:
            if look is None:
                raise NotFound
            shown = await _shown(look, session, before, with_grid=with_grid)
        except NotFound:
            # It is gone for them.
            session.watched.pop(map_id, None)
            if before.tokens:
                session.transport.send(frames.message("view", map_id=map_id, gone=list(before.tokens)))
            return
        if map_id not in session.watched:
            return
        session.watched[map_id] = shown
        if changes is not None and (changes.is_anew or session in self._anew):
            session.transport.send(shown.message(session, map_id))
        elif not session.is_game_master:
            difference = _difference(before, shown, changes, session.user_id)
            if difference and changes is not None and changes.is_of_grants:
                session.transport.send(shown.message(session, map_id))
            elif difference:
                session.transport.send(frames.message("view", map_id=map_id, **difference))


def _difference(before: Shown, after: Shown, changes: _Changes | None, user_id: UUID) -> dict[str, Any]:
    """What a view tells a user: tokens that are shown, gone or moved, and the region that looks different."""
    views = [shown.view for shown in (before, after) if shown.view]
    shown, moved = [], []
    for token_id, token in after.tokens.items():
        known = before.tokens.get(token_id)
        if known is not None and known.items() <= token.items():
            continue
        if known is not None and {**known, "x": token["x"], "y": token["y"]}.items() <= token.items():
            viewer = viewer_of(views[-1].table.sharing, user_id) if views else None
            cells = changes.walked(token_id, views, viewer) if changes and viewer else []
            moved.append({"id": token_id, "x": token["x"], "y": token["y"], "cells": cells})
        else:
            shown.append(token)
    gone = [token_id for token_id in before.tokens if token_id not in after.tokens]
    found = {"shown": shown, "gone": gone, "moved": moved, "region": after.region}
    return {name: value for name, value in found.items() if value}
