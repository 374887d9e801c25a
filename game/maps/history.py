"""A map as it was: the map as it is, taken back event by event through its log."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.core.errors import NotFound, Unprocessable
from game.events.models import Event
from game.events.queries import log_of
from game.grid.canvas import Loaded, Wanted, run
from game.grid.changes import inverse, replay
from game.grid.chunks import ChunkKey, Frame, join, layer_keys
from game.maps import queries
from game.maps.models import Map, MapRead

_BATCH = 200
_MOST_EVENTS = 20_000
_NO_SEQ = 2**63 - 1
_BEGINNINGS = ("map.created", "map.moved_in")


class TooLongAgo(Unprocessable):
    """Too much has happened to this map since then."""

    code = "TOO_LONG_AGO"


class Past:
    """A map on its way back: its fields, frame, size and chunks."""

    def __init__(self, row: Map, chunks: Mapping[ChunkKey, Sequence[str]]) -> None:
        self.name, self.description = row.name, row.description
        self.frame: Frame = row.grid_data
        self.width, self.height = row.width, row.height
        self.chunks = {key: list(rows) for key, rows in chunks.items()}

    def take_back(self, before: Mapping[str, Any]) -> None:
        """Undo one event, by what it kept of the time before."""
        self.name = before.get("name", self.name)
        self.description = before.get("description", self.description)
        if "grid_data" in before:
            self.frame = before["grid_data"]
            self.width, self.height = before["size"]
            for layer, x, y, rows in before["chunks"]:
                self._put((layer, x, y), rows)
        if "change" in before:
            steps = replay(self.frame, self.width, self.height, inverse(before["change"]))
            edited = run(steps, self._load)
            self.frame = self.frame if edited.frame is None else edited.frame
            self.width, self.height = edited.width, edited.height
            for key, rows in edited.chunks.items():
                self._put(key, rows)

    def document(self) -> dict[str, Any]:
        """The grid data."""
        chunks = [(*key, orjson.dumps(rows).decode()) for key, rows in self.chunks.items()]
        frame = orjson.dumps(self.frame).decode()
        document: dict[str, Any] = orjson.loads(join(frame, chunks, self.width, self.height))
        return document

    def _load(self, wanted: Wanted) -> Loaded:
        keys = {key for key in self.chunks if key[0] in wanted.layers}.union(wanted.chunks)
        return {key: self.chunks[key] for key in keys if key in self.chunks}

    def _put(self, key: ChunkKey, rows: list[str] | None) -> None:
        if rows is None:
            self.chunks.pop(key, None)
        else:
            self.chunks[key] = rows


async def as_it_was(session: AsyncSession, row: Map, seq: int) -> tuple[Past, Event]:
    """A map right after the event `seq` of its universe, and the map's last event until then.

    The map's row is held, so that no write comes between the map and its log. Its history begins when it was
    made, or when it came from another universe.

    Raises:
        NotFound: the map was not there then, or there is no such event yet.
        TooLongAgo: so many events lie between that the way back would take too long.
    """
    log = log_of(row)
    then = (await session.execute(log.where(col(Event.seq) <= seq).limit(1))).scalar_one_or_none()
    if then is None or then.kind in ("map.moved_out", "map.deleted"):
        raise NotFound
    past = Past(row, await queries.load_chunks(session, row, layers=layer_keys(row.grid_data).values()))
    upper = _NO_SEQ
    for _ in range(_MOST_EVENTS // _BATCH):
        part = log.where(col(Event.seq) > seq, col(Event.seq) < upper).limit(_BATCH)
        events = (await session.execute(part)).scalars().all()
        if any(event.kind in _BEGINNINGS for event in events):
            raise NotFound
        await asyncio.to_thread(_take_back, past, [event.before for event in events if event.before])
        if len(events) < _BATCH:
            return past, then
        upper = events[-1].seq
    raise TooLongAgo


def _take_back(past: Past, befores: Sequence[Mapping[str, Any]]) -> None:
    for before in befores:
        past.take_back(before)


async def document(session: AsyncSession, user: User, map_id: UUID, seq: int) -> tuple[str, int]:
    """The JSON text of a map that the user may read, as it was after event `seq`, and its version then.

    Raises:
        NotFound: there is none such for this user, or was none then.
        TooLongAgo: as `as_it_was` does.
    """
    row = await queries.get_held(session, user, map_id)
    past, then = await as_it_was(session, row, seq)
    version = int(then.payload["version"])
    read = MapRead(
        id=row.id,
        universe_id=row.universe_id,
        name=past.name,
        description=past.description,
        grid_data=past.document(),
        version=version,
        created_at=row.created_at,
        updated_at=then.created_at,
    )
    return read.model_dump_json(), version
