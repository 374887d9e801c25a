"""A locked map while edits are applied to it: what they see of each other, and one write of all in the end."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.models import now
from game.editing.work import Stored
from game.events import queries as events
from game.grid.canvas import Loaded, Steps, Wanted
from game.grid.chunks import ChunkKey, Frame
from game.maps import queries as maps
from game.maps.models import Map


class OpenMap:
    """A map whose row is locked by the session's transaction. The row object changes at `store` alone."""

    def __init__(self, session: AsyncSession, row: Map) -> None:
        self.session, self.row = session, row
        self.width, self.height, self.version = row.width, row.height, row.version
        self._frame: Frame | bytes = row.grid_data
        self._is_framed = False
        self._written: dict[ChunkKey, bytes | None] = {}

    @property
    def frame(self) -> Frame:
        """The frame as it is now."""
        if not isinstance(self._frame, bytes):
            return self._frame
        frame: Frame = orjson.loads(self._frame)
        self._frame = frame
        return frame

    async def load(self, wanted: Wanted) -> Loaded:
        """The chunks that steps want, as they are now."""
        most = None if wanted.most is None else wanted.most + 1
        missing = [key for key in wanted.chunks if key not in self._written]
        loaded: dict[ChunkKey, Any] = {}
        if missing or wanted.layers:
            loaded = await maps.load_chunks(self.session, self.row, missing, wanted.layers, most)
        for key in self._written:
            if key[0] in wanted.layers:
                loaded.pop(key, None)
        known = [key for key in self._written if key[0] in wanted.layers or key in wanted.chunks]
        return loaded | {key: orjson.loads(rows) for key in known if (rows := self._written[key]) is not None}

    async def run(self, steps: Steps[Stored]) -> Stored:
        """Run steps here, in the event loop: for what is known to be little work."""
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send(await self.load(wanted))
        except StopIteration as stop:
            done: Stored = stop.value
            return done

    async def record(self, kind: str, user: User, stored: Stored, payload: Mapping[str, Any]) -> int:
        """Take over a change as the next version, and write its event; returns the event's number."""
        self.version += 1
        if stored.frame is not None:
            self._frame, self._is_framed = stored.frame, True
            self.width, self.height = stored.width, stored.height
        self._written |= stored.chunks
        told = {**payload, "version": self.version, "touched": stored.touched, **stored.effect}
        before = {"change": orjson.Fragment(stored.change or b"[]")}
        return await events.record(self.session, kind, user.id, self.row, told, before)

    async def store(self) -> None:
        """Write all changes."""
        if self.version == self.row.version:
            return
        row = self.row
        await maps.write_chunks(self.session, row, self._written)
        if self._is_framed:
            row.grid_data = self.frame
            row.width, row.height = self.width, self.height
            row.publish()
        row.version, row.updated_at = self.version, now()
        await self.session.flush()
