"""Watched maps: what a member sees of one, and how that differs from what they were sent before.

Game masters get every change as an event. Other members do not: they get no event for what comes into sight, goes
out of sight, is hidden or is revealed. After each page of the log that affects a watched map, they are sent the
difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson

from game.core.errors import Conflict, NotFound
from game.fog.viewers import viewer_of
from game.fog.views import MapView
from game.grid.cell_sets import Cells, bounds, contains
from game.grid.fogged_view import FoggedView
from game.live import frames
from game.live.snapshots import Box, Snapshot
from game.permissions import GAME_MASTERS, Role
from game.play.boards import Changed
from game.tokens.queries import SHEET, STORED

if TYPE_CHECKING:
    from game.core.coalescer import Reads
    from game.live.frames import LoggedEvent
    from game.live.rooms import Room
    from game.live.session import LiveSession

MAX_WATCHED = 8
_ATTEMPTS = 3
"""How often a map is read without a transaction, if it changes meanwhile."""
_MAX_CHANGES = 64
"""The number of changes of tokens that a `Shown` collects."""
_SETTINGS = frozenset({"visibility", "fog", "fog_sharing", "lighting"})
_ENDS = frozenset({"map.deleted", "map.moved_out"})
_STORED = frozenset(STORED)
_SHEET = frozenset(SHEET)
_BY_RIGHTS = _SHEET | {"bars", "grants"}
"""Fields of a token of which members see different parts."""
_HIDING = frozenset({"hidden", "character_id"})
"""Fields of a token whose change may hide or reveal it. After a change of grants, the whole map is sent again."""
_OF_PEOPLE = ("member.", "character.")
"""Kinds of events that may change what somebody sees of any map."""


class TooManyWatched(Conflict):
    """You are watching too many maps. Send `unwatch` for one of them first."""

    code = "TOO_MANY_WATCHED"


@dataclass
class Shown:
    """What a member is shown of a map at one moment: after event `seq` of the universe."""

    seq: int
    role: Role
    version: int | None
    _tokens: dict[str, dict[str, Any]]
    view: MapView | None
    in_sight: dict[str, Any] | None
    """With fog: the region around everything in sight, the only part of the grid whose changes they see."""
    region: orjson.Fragment | None = None
    """The region in which what they know of the grid differs from what they were shown before, encoded."""
    is_redrawn: bool = False
    """Whether more of the map differs than a region can show."""
    _changes: list[_TokenChange] = field(default_factory=list)
    """Changes that `_tokens` does not contain yet."""

    def apply(self, changes: Sequence[_TokenChange]) -> None:
        """Update the tokens by what was shared with the member.

        Most changes are not looked at before the map's next snapshot, so it is done when the tokens are needed.
        """
        self._changes += changes
        if len(self._changes) >= _MAX_CHANGES:
            _ = self.tokens

    @property
    def tokens(self) -> dict[str, dict[str, Any]]:
        """The tokens as the client knows them: from `map` and `view` messages and, on a map without fog, from
        later events, which do not contain all fields."""
        for token_id, fields in self._changes:
            if fields is None:
                self._tokens.pop(token_id, None)
                continue
            known = self._tokens.setdefault(token_id, {})
            known |= fields
        self._changes.clear()
        return self._tokens

    def message(self, session: LiveSession, map_id: str) -> bytes:
        """The `map` message, as a frame."""
        fields: dict[str, Any] = {"map_id": map_id, "cursor": session.reader.cursor(self.seq)}
        if self.version is not None:
            fields["version"] = self.version
        fields["tokens"] = list(self.tokens.values())
        if self.view is not None:
            fields["fog"] = _fog(self.view)
        return frames.message("map", **fields)


def _fog(view: MapView) -> orjson.Fragment:
    """The field `fog` of `map` messages; encoded once for each group of viewers."""
    if "live fog" not in view.cache:
        fogged, scene = view.fogged, view.fogged.scene
        fog = {"mode": fogged.mode, "rows": fogged.fog(0, 0, scene.width, scene.height)}
        view.cache["live fog"] = orjson.Fragment(orjson.dumps(fog))
    encoded: orjson.Fragment = view.cache["live fog"]
    return encoded


async def _shown(
    snapshot: Snapshot | None, session: LiveSession, before: Shown | None, *, with_grid: bool = True
) -> Shown:
    """What a session's member is shown of a map.

    `with_grid`: whether the grid itself may have changed since `before`, not only what they see of it.

    Raises:
        NotFound: it no longer exists, or they may not read it.
        Changed: the map has changed meanwhile.
    """
    if snapshot is None:
        raise NotFound
    role = snapshot.role_of(session)
    is_game_master = role in GAME_MASTERS
    view = await snapshot.view(session.user_id) if snapshot.has_fog and not is_game_master else None
    seen = snapshot.tokens(session, role, view)
    shown = Shown(snapshot.seq, role, snapshot.version if is_game_master else None, seen, view, None)
    if view is None:
        shown.is_redrawn = before is not None and before.view is not None
    else:
        # These are the same for all sessions with the same view and the same `before.view`. The value keeps alive
        # the objects whose ids are in the key.
        old = before.view if before else None
        key = id(view), id(old), with_grid
        if key not in snapshot.cache:
            is_redrawn = with_grid and before is not None and await _is_redrawn(snapshot, old, view)
            regions = await _regions(snapshot, view, before, with_grid=with_grid)
            snapshot.cache[key] = view, before, is_redrawn, *regions
        *_, shown.is_redrawn, shown.in_sight, shown.region = snapshot.cache[key]
    return shown


async def _regions(
    snapshot: Snapshot, view: MapView, before: Shown | None, *, with_grid: bool
) -> tuple[dict[str, Any] | None, orjson.Fragment | None]:
    """The region around everything in sight, and the region that differs from what was shown before."""
    fogged = view.fogged
    around, in_sight = bounds(fogged.visible), None
    old = before.view.fogged if before and before.view else None
    if before is not None and old is not None and old.visible == fogged.visible and not with_grid:
        in_sight = before.in_sight
    elif around is not None:
        in_sight = await snapshot.region(view, around)
    if before is None or old is None:
        return in_sight, None
    boxes = [bounds(_differing(old.visible, fogged.visible)), bounds(_differing(old.shown, fogged.shown))]
    if with_grid and in_sight != before.in_sight:
        boxes.append(around)
    box = reduce(_union, filter(None, boxes), None)
    return in_sight, None if box is None else orjson.Fragment(orjson.dumps(await snapshot.region(view, box)))


async def _is_redrawn(snapshot: Snapshot, before: MapView | None, after: MapView) -> bool:
    """Whether a map with fog had no fog before, or has another size, or anything else has changed that the fog
    does not hide, such as the legend entry of a remembered cell."""
    if before is None:
        return True
    old, new = before.fogged, after.fogged
    if _outline(old) != _outline(new):
        return True
    renamed = {symbol for symbol, entry in new.legend.items() if old.legend.get(symbol, entry) != entry}
    return bool(renamed) and not renamed.isdisjoint(await snapshot.symbols(after))


def _outline(view: FoggedView) -> tuple[Any, ...]:
    return view.mode, view.scene.width, view.scene.height, view.bare


def _differing(one: Cells, other: Cells) -> dict[Any, int]:
    chunks = one.keys() | other.keys()
    return {chunk: bits for chunk in chunks if (bits := one.get(chunk, 0) ^ other.get(chunk, 0))}


def _union(one: Box | None, other: Box) -> Box:
    """The smallest box that contains both."""
    if one is None:
        return other
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right, bottom = max(one[0] + one[2], other[0] + other[2]), max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, bottom - top


class _TokenChange(NamedTuple):
    """The fields of a token that an event contains; None if it was deleted."""

    token_id: str
    fields: dict[str, Any] | None

    @classmethod
    def of(cls, event: LoggedEvent) -> _TokenChange:
        if event.kind == "token.deleted":
            return cls(event.subject_id, None)
        fields = {name: value for name, value in event.shared.items() if name in _STORED}
        return cls(event.subject_id, {"grants": {}, **fields} if event.kind == "token.created" else fields)


class _Changes:
    """The events that affected a map since its last snapshot."""

    def __init__(self, map_id: str, events: Sequence[LoggedEvent]) -> None:
        self._map_id, self.events = map_id, events
        self.include_grid = not all(event.kind.startswith("token.") for event in events)
        self.are_public = not self.include_grid and all(event.is_public for event in events)
        self.are_complete = self.are_public and all(map(_is_complete, events))
        self.include_settings = any(
            event.kind == "map.updated" and event.payload.keys() & _SETTINGS for event in events
        )
        self.include_end = any(event.subject_id == self._map_id and event.kind in _ENDS for event in events)
        self._shared: dict[UUID | None, list[_TokenChange]] = {}

    @cached_property
    def include_grants(self) -> bool:
        """Whether grants have changed."""
        return any("grants" in event.payload for event in self.events if event.kind != "token.created")

    def shared_with(self, user_id: UUID) -> list[_TokenChange]:
        """What the events of tokens that are shared with a user contain."""
        reader = None if self.are_public else user_id
        if reader not in self._shared:
            self._shared[reader] = [
                _TokenChange.of(event)
                for event in self.events
                if event.kind.startswith("token.")
                and event.is_for(user_id, for_game_master=False)
                and event.shared.get("map_id") == self._map_id
            ]
        return self._shared[reader]

    def seen_path(self, token_id: str, views: Sequence[MapView], viewer: UUID) -> list[Any]:
        """The cells of a token's path that a group of viewers saw, who saw the token before and see it now.

        Leaves out the moves while the token may have been hidden, and the cells that are not in sight in all of
        `views`, because it is not known when they were. If the group sees with the token itself, it saw the whole
        path.
        """
        own = [event for event in self.events if event.subject_id == token_id]
        indexes = [index for index, event in enumerate(own) if event.payload.keys() & _HIDING]
        if indexes:
            own = own[: indexes[0]] + own[indexes[-1] + 1 :]
        cells = [cell for event in own for cell in event.payload.get("cells") or ()]
        if any(
            str(observer.id) == token_id for view in views for observer in view.map_state.observing_tokens(viewer)
        ):
            return cells
        sights = [view.fogged.visible for view in views]
        return [cell for cell in cells if all(contains(one, int(cell["x"]), int(cell["y"])) for one in sights)]


def _is_complete(event: LoggedEvent) -> bool:
    """Whether what all members get of a change of a token is all that any of them sees of it."""
    changed = {name: value for name, value in event.payload.items() if name in _BY_RIGHTS}
    if event.kind == "token.created":
        changed = {name: value for name, value in changed.items() if value}
    # A token that has no bars of its own may have one of its character.
    return all(value and event.shared.get(name) == value for name, value in changed.items())


def _affects(event: LoggedEvent, map_id: str) -> bool:
    return event.subject_id == map_id or event.kind.startswith(_OF_PEOPLE) or event.mentions(map_id)


class WatchedMaps:
    """The maps that the sessions of a room watch."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._pending: list[LoggedEvent] = []
        self._behind: set[LiveSession] = set()
        """Sessions that were sent events without what they change in watched maps."""

    async def watch(self, session: LiveSession, map_id: str) -> None:
        """Send a session a map, in its place between the events, and from then on its changes.

        Raises:
            NotFound: it may not read it.
            TooManyWatched: it watches too many.
        """
        if map_id not in session.watched and len(session.watched) >= MAX_WATCHED:
            raise TooManyWatched
        async with session.watching:
            self._room.leave(session)
            try:
                shown = await self._first_shown(session, map_id)
                while session.seq < shown.seq:
                    await self._room.read_alone(session, until=shown.seq)
                session.watched[map_id] = shown
                session.transport.send(shown.message(session, map_id))
            finally:
                await self._room.join(session)
                # While it read alone, it was sent events but no views.
                if any(shown.seq < session.seq for shown in session.watched.values()):
                    self._behind.add(session)
                    self._room.wake()

    async def _first_shown(self, session: LiveSession, map_id: str) -> Shown:
        attempt = 0
        while True:
            attempt += 1
            with suppress(Changed):
                async with self._snapshot(map_id, [session], attempt) as snapshot:
                    return await _shown(snapshot, session, None)

    async def follow(self, events: Sequence[LoggedEvent]) -> None:
        """Send what events changed in watched maps. If the database is unavailable, the next call sends it."""
        self._pending += events
        await self._catch_up()
        if not self._pending:
            return
        for map_id in dict.fromkeys(map_id for session in self._room.live() for map_id in session.watched):
            affecting = [event for event in self._pending if _affects(event, map_id)]
            if not affecting:
                continue
            changes = _Changes(map_id, affecting)
            sessions = [
                session
                for session in self._room.live()
                if map_id in session.watched and self._needs_snapshot(session, map_id, changes)
            ]
            if not sessions:
                continue
            async with AsyncExitStack() as stack:
                for session in sessions:
                    await stack.enter_async_context(session.watching)
                await self._refresh(map_id, sessions, changes)
        self._pending.clear()

    async def _catch_up(self) -> None:
        """Send the sessions that read alone what has changed in watched maps; after this, they follow the room."""
        for session in list(self._behind):
            if session.watching.locked():
                # It reads alone again.
                continue
            async with session.watching:
                for map_id in [one for one, shown in session.watched.items() if shown.seq < session.seq]:
                    await self._refresh(map_id, [session], None)
                self._behind.discard(session)

    def _needs_snapshot(self, session: LiveSession, map_id: str, changes: _Changes) -> bool:
        """Whether a session needs a new snapshot of a map; not if its events contain all changes."""
        if session.watching.locked():
            # `watch` is reading for it, and `_catch_up` will.
            return False
        shown = session.watched[map_id]
        if changes.include_settings or shown.role != session.role:
            return True
        if session.is_game_master:
            return changes.include_end
        if changes.are_complete and shown.view is None:
            shown.apply(changes.shared_with(session.user_id))
            return False
        return True

    async def _refresh(self, map_id: str, sessions: Sequence[LiveSession], changes: _Changes | None) -> None:
        """Take a snapshot of a map for these sessions, and send each what is different for it."""
        waiting, attempt = deque(sessions), 0
        while waiting:
            attempt += 1
            # If the map changes meanwhile, the remaining sessions get another snapshot.
            with suppress(Changed):
                async with self._snapshot(map_id, waiting, attempt) as snapshot:
                    while waiting:
                        session = waiting[0]
                        # It may have stopped watching meanwhile.
                        if map_id in session.watched:
                            await self._show(snapshot, session, map_id, changes)
                        waiting.popleft()

    @asynccontextmanager
    async def _snapshot(
        self, map_id: str, sessions: Iterable[LiveSession], attempt: int
    ) -> AsyncIterator[Snapshot | None]:
        """A map as it is now; None if it no longer exists.

        It may change faster than it can be read. Therefore, after some attempts, it is read in one transaction, in
        which it does not change.
        """
        hub, user_ids = self._room.hub, [session.user_id for session in sessions]
        async with AsyncExitStack() as stack:
            reads: Reads = hub
            if attempt > _ATTEMPTS:
                reads = await stack.enter_async_context(hub.state.database.one_moment())
            snapshot = None
            with suppress(NotFound):
                snapshot = await Snapshot.at(reads, self._room.universe_id, UUID(map_id), user_ids)
            yield snapshot

    async def _show(
        self, snapshot: Snapshot | None, session: LiveSession, map_id: str, changes: _Changes | None
    ) -> None:
        before = session.watched[map_id]
        if changes is not None and not session.is_game_master:
            before.apply(changes.shared_with(session.user_id))
        with_grid = changes is None or changes.include_grid
        try:
            shown = await _shown(snapshot, session, before, with_grid=with_grid)
        except NotFound:
            # The map is gone, or not visible to them any longer.
            session.watched.pop(map_id, None)
            if before.tokens and not session.is_game_master:
                session.transport.send(frames.message("view", map_id=map_id, gone=list(before.tokens)))
            return
        if map_id not in session.watched:
            return
        session.watched[map_id] = shown
        has_settings = changes is not None and changes.include_settings
        if shown.role != before.role or shown.is_redrawn or has_settings:
            session.transport.send(shown.message(session, map_id))
        elif not session.is_game_master:
            difference = _difference(before, shown, changes, session.user_id)
            if difference and changes is not None and changes.include_grants:
                session.transport.send(shown.message(session, map_id))
            elif difference:
                session.transport.send(frames.message("view", map_id=map_id, **difference))


def _is_known(known: dict[str, Any], token: dict[str, Any]) -> bool:
    """Whether a client knows a token as its member sees it. From events, it does not know the fields that never
    change."""
    return known.items() <= token.items() and known.keys() >= token.keys() & _SHEET


def _difference(before: Shown, after: Shown, changes: _Changes | None, user_id: UUID) -> dict[str, Any]:
    """The fields of a `view` message: tokens shown, gone or moved, and the region that looks different."""
    views = [shown.view for shown in (before, after) if shown.view]
    shown, moved = [], []
    for token_id, token in after.tokens.items():
        known = before.tokens.get(token_id)
        if known is not None and _is_known(known, token):
            continue
        if known is not None and _is_known({**known, "x": token["x"], "y": token["y"]}, token):
            viewer = viewer_of(views[-1].map_state.sharing, user_id) if views else None
            cells = changes.seen_path(token_id, views, viewer) if changes and viewer else []
            moved.append({"id": token_id, "x": token["x"], "y": token["y"], "cells": cells})
        else:
            shown.append(token)
    gone = [token_id for token_id in before.tokens if token_id not in after.tokens]
    found = {"shown": shown, "gone": gone, "moved": moved, "region": after.region}
    return {name: value for name, value in found.items() if value}
