"""A locked map while edits are applied to it. Each edit sees the changes of the previous ones; all are written at
the end."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.models import now
from game.editing.work import Stored
from game.events import queries as events
from game.fog.changes import ChangeTracker
from game.grid.canvas import Loaded, Steps, Wanted
from game.grid.changes import Change
from game.grid.chunks import ChunkKey, Frame, layer_keys
from game.grid.effects import Effect
from game.grid.geometry import Grid, GridType
from game.grid.player_effects import players_effect
from game.grid.player_view import shown_layers
from game.maps.chunks import load_chunks, symbols_used, write_chunks
from game.maps.models import Map
from game.tokens import positions
from game.tokens.positions import Placed

_MAX_SYMBOLS = 64
"""The maximum number of changed legend entries of an edit that are searched in the cells; players get the others
later."""
_LARGE_CHANGE = 65_536
"""The size of a change's JSON, in bytes, from which it is processed in a thread."""


class OpenMap:
    """A map whose row is locked by the session's transaction. Only `store` changes the row object."""

    def __init__(self, session: AsyncSession, row: Map) -> None:
        self.session, self.row = session, row
        self.width, self.height, self.version = row.width, row.height, row.version
        self._frame: Frame | bytes = row.grid_data
        self._is_framed = False
        self._tracker: ChangeTracker | None = None
        self._written: dict[ChunkKey, bytes | None] = {}

    @property
    def frame(self) -> Frame:
        """The current frame."""
        if not isinstance(self._frame, bytes):
            return self._frame
        frame: Frame = orjson.loads(self._frame)
        self._frame = frame
        return frame

    async def load(self, wanted: Wanted) -> Loaded:
        """The current chunks that steps need."""
        limit = None if wanted.limit is None else wanted.limit + 1
        missing = [key for key in wanted.chunks if key not in self._written]
        loaded: dict[ChunkKey, Any] = {}
        if missing or wanted.layers:
            loaded = await load_chunks(self.session, self.row, missing, wanted.layers, limit)
        for key in self._written:
            if key[0] in wanted.layers:
                loaded.pop(key, None)
        known = [key for key in self._written if key[0] in wanted.layers or key in wanted.chunks]
        return loaded | {key: orjson.loads(rows) for key in known if (rows := self._written[key]) is not None}

    async def run(self, steps: Steps[Stored]) -> Stored:
        """Run steps in the event loop, for work that is known to be small."""
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send(await self.load(wanted))
        except StopIteration as stop:
            done: Stored = stop.value
            return done

    async def record(self, kind: str, user: User, stored: Stored, payload: Mapping[str, Any]) -> int:
        """Increment the version, and write the event of a change; returns the event's number."""
        await self._watch(stored)
        has_recipients = self.row.is_published and not self.row.has_fog
        shared = await self._for_players(stored) if has_recipients else None
        self.version += 1
        placed = Placed([], [])
        if stored.frame is not None:
            before = Grid.of(self.frame).type, self.width, self.height
            self._frame, self._is_framed = stored.frame, True
            self.width, self.height = stored.width, stored.height
            placed = await self._settle(stored, before)
            if placed.tokens and self._tracker is not None:
                self._tracker.tokens_stay = False
        self._written |= stored.chunks
        full = {**payload, "version": self.version, "touched": stored.touched, **stored.effect}
        replaced = {"change": orjson.Fragment(stored.change or b"[]")}
        full, shared = placed.for_game_masters(full), placed.for_others(shared)
        return await events.record(self.session, kind, user.id, self.row, full, replaced, shared=shared)

    async def _settle(self, stored: Stored, before: tuple[GridType, int, int]) -> Placed:
        """Move the tokens on the map after a change of its frame; `before` is the old grid type and size."""
        after = Grid.of(self.frame).type, self.width, self.height
        if after == before and b'"shift"' not in (stored.change or b""):
            return Placed([], [])
        shifts = [part["shift"] for part in orjson.loads(stored.change or b"[]") if "shift" in part]
        shift = sum(dx for dx, _ in shifts), sum(dy for _, dy in shifts)
        row, size = self.row, (self.width, self.height)
        return await positions.fit_tokens(self.session, row.universe_id, row.id, after[0], size, shift)

    async def _watch(self, stored: Stored) -> None:
        """Update what players remember of the parts that a change is about to replace."""
        if self._tracker is None:
            self._tracker = ChangeTracker(self.session, self.row)
            self._tracker.tokens_stay = True
            await self._tracker.begin()
        if self._tracker.is_idle:
            return
        moves = [part["shift"] for part in orjson.loads(stored.change or b"[]") if "shift" in part]
        await self._tracker.keep(stored.chunks, layer_keys(self.row.grid_data).values() if moves else ())
        for shift in moves:
            self._tracker.shift_cells(*shift)

    async def _for_players(self, stored: Stored) -> Effect | None:
        """The event payload for players, computed before the change is recorded."""
        before, text = self.frame, stored.change or b"[]"
        after = before if stored.frame is None else stored.frame
        frame: Frame = orjson.loads(after) if isinstance(after, bytes) else after
        is_large = len(text) > _LARGE_CHANGE
        change: Change = await asyncio.to_thread(orjson.loads, text) if is_large else orjson.loads(text)
        used: Collection[str] = ()
        entries = [part["after"] for part in change if part.get("list") == "legend" and part["after"]]
        if entries:
            # Flush, so that the query sees the previous edits.
            await write_chunks(self.session, self.row, self._written | stored.chunks)
            symbols = {entry["symbol"] for entry in entries[:_MAX_SYMBOLS]}
            used = await symbols_used(self.session, self.row, shown_layers(frame), symbols)
        size = stored.width, stored.height
        if is_large:
            return await asyncio.to_thread(players_effect, change, before, frame, size, used)
        return players_effect(change, before, frame, size, used)

    async def store(self) -> None:
        """Write all changes."""
        if self.version == self.row.version:
            return
        row = self.row
        await write_chunks(self.session, row, self._written)
        if self._is_framed:
            row.grid_data = self.frame
            row.width, row.height = self.width, self.height
            row.publish()
        row.version, row.updated_at = self.version, now()
        if self._tracker is not None:
            await self._tracker.finish()
        await self.session.flush()
