"""Reads and restores past states of a map. A compute process rebuilds the map from what is loaded here."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from fastapi import Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.compute import Computing, until_disconnected
from game.core.database import allow_idle, snapshot
from game.core.errors import Conflict, NotFound, Unprocessable
from game.events import queries as events
from game.fog import changes as fog
from game.fog.models import Fog, FogSharing, Lighting
from game.grid import effects
from game.grid.chunks import Frame
from game.grid.loading import BandTexts, LayerPart, StoredFrame
from game.grid.past import Changed, PastError, PastMap, rebuild
from game.maps import changes, documents, queries
from game.maps.chunks import map_key_of
from game.maps.loading import frame_of, part_loader
from game.maps.models import Map, MapRead, Visibility
from game.maps.queries import Found
from game.maps.replacing import Replaced
from game.tokens.positions import Placed
from game.universes.access import set_busy

_MAX_EVENTS = 20_000
_MAX_BYTES = 64 * 2**20
"""The maximum size, in bytes, of `before` of all these events together."""
_BUSY_BYTES = 2**20
"""Undoing events with more bytes than this takes more than a second."""
_BEGINNINGS = ("map.created", "map.moved_in")
_ENDS = ("map.moved_out", "map.deleted")


class TooLongAgo(Unprocessable):
    """There were too many changes to this map since then."""

    code = "TOO_LONG_AGO"


class HistoryBroken(Conflict):
    """An event since then cannot be undone: its stored data is broken."""

    code = "HISTORY_BROKEN"


class LastEvent(NamedTuple):
    """The last event of a map up to a given event: its time, and the map's version after it."""

    created_at: datetime
    version: int


class Record(NamedTuple):
    """What is needed to rebuild a map: its last event at that time, and `before` of each later event.

    `events` are (seq, JSON text), newest first.
    """

    last: LastEvent
    events: Sequence[tuple[int, str]]


_LAST_EVENT = text("""
    SELECT kind, created_at, payload->'version' AS version FROM event
    WHERE universe_id = :universe_id AND subject_id = :map_id AND seq <= :seq
    ORDER BY seq DESC LIMIT 1
""")
_SINCE = text("""
    SELECT count(*) AS events, coalesce(sum(octet_length(before::text)), 0) AS bytes,
        coalesce(bool_or(kind = ANY (:beginnings)), false) AS begins
    FROM (
        SELECT kind, before FROM event
        WHERE universe_id = :universe_id AND subject_id = :map_id AND seq > :seq
        ORDER BY seq DESC LIMIT :limit
    ) later
""")
_BEFORES = text("""
    SELECT seq, before::text AS before FROM event
    WHERE universe_id = :universe_id AND subject_id = :map_id AND seq > :seq AND before IS NOT NULL
    ORDER BY seq DESC
""")


async def record_of(session: AsyncSession, row: Map, seq: int) -> Record:
    """What is needed to rebuild a map as it was right after the event `seq` of its universe.

    The map must be locked, or read from one snapshot. Its history begins when it was created in the universe or
    moved into it.

    Raises:
        NotFound: the map did not exist then, or there is no such event yet.
        TooLongAgo: there are too many events since then, or they are too large.
        HistoryBroken: the event lacks the map's version.
    """
    place = {**map_key_of(row), "seq": seq}
    last = (await session.execute(_LAST_EVENT, place)).one_or_none()
    if last is None or last.kind in _ENDS:
        raise NotFound
    if type(last.version) is not int or not 0 < last.version < 2**31:
        raise HistoryBroken
    limits = {"limit": _MAX_EVENTS + 1, "beginnings": list(_BEGINNINGS)}
    since = (await session.execute(_SINCE, {**place, **limits})).one()
    if since.begins:
        raise NotFound
    if since.events > _MAX_EVENTS or since.bytes > _MAX_BYTES:
        raise TooLongAgo
    befores = [(one.seq, one.before) for one in await session.execute(_BEFORES, place)]
    return Record(LastEvent(last.created_at, last.version), befores)


async def _rebuilt(
    request: Request,
    computing: Computing,
    user: User,
    stored: StoredFrame,
    record: Record,
    exchange: Callable[[LayerPart | Changed], Awaitable[BandTexts]],
) -> PastMap:
    """Rebuild a past state of a map in a compute process.

    `exchange` is called with each part of the map that the process needs, and returns it; and with chunks that
    have changed.

    Raises:
        HistoryBroken: the stored data of an event is broken, or does not match the map.
    """
    seconds = request.app.state.settings.bundle_timeout
    try:
        return await computing.run(user.id, rebuild, stored, record.events, load=exchange, seconds=seconds)
    except PastError as error:
        raise HistoryBroken(f"Event {error.seq} cannot be undone: {error.message}.", seq=error.seq) from None


async def _load_past(
    request: Request, session: AsyncSession, computing: Computing, user: User, map_id: UUID, seq: int
) -> tuple[Map, Record, PastMap, documents.StoredRows]:
    """A map as it was after event `seq`: its present row, what was needed to rebuild it, and its rows."""
    async with computing.slot(user.id, documents.WAIT_SECONDS):
        await snapshot(session)
        found = await queries.get(session, user, map_id, "listHistory", with_grid=False)
        row = found.row
        record = await record_of(session, row, seq)
        stored = await frame_of(session, found)
        rows = await documents.rows_of(session, found, stored.text, request.scope["on_progress"])
        # Hold no connection while computing.
        await session.close()

        async def exchange(step: LayerPart | Changed) -> BandTexts:
            if isinstance(step, LayerPart):
                return await asyncio.to_thread(rows.part, step)
            await asyncio.to_thread(rows.replace, step)
            return ()

        try:
            past = await _rebuilt(request, computing, user, stored, record, exchange)
        except BaseException:
            rows.close()
            raise
    return row, record, past, rows


async def read(
    request: Request, session: AsyncSession, computing: Computing, user: User, map_id: UUID, seq: int
) -> Response:
    """The response with a map as it was after event `seq`.

    Raises:
        NotFound: the user may not read it, or it did not exist then.
        TooLongAgo, HistoryBroken: as `record_of` and `_rebuilt` do.
    """
    await session.close()
    work = _load_past(request, session, computing, user, map_id, seq)
    row, record, past, rows = await until_disconnected(request.receive, work)
    head = MapRead(
        id=row.id,
        universe_id=row.universe_id,
        name=past.texts.get("name", row.name),
        description=past.texts.get("description", row.description),
        grid_data={},
        visibility=Visibility(row.visibility),
        fog=Fog(row.fog),
        fog_sharing=FogSharing(row.fog_sharing),
        lighting=Lighting(row.lighting),
        version=record.last.version,
        created_at=row.created_at,
        updated_at=record.last.created_at,
    ).model_dump_json(exclude={"grid_data"})
    outline = {"head": f'{head[:-1]},"grid_data":', "tail": "}", "width": past.width, "height": past.height}
    return documents.streamed(request, user, documents.MapPieces(outline, past.frame, rows, record.last.version))


async def restore_grid(
    request: Request, session: AsyncSession, computing: Computing, found: Found, seq: int
) -> None:
    """Restore the grid that a locked map had after event `seq`; an equal grid is no change.

    Raises:
        NotFound: the map did not exist then.
        TooLongAgo, HistoryBroken: as `record_of` and `_rebuilt` do.
        TooLarge, QuotaExceeded: as `Replaced.put` does.
    """
    row, user = found.row, found.access.user
    record = await record_of(session, row, seq)
    stored = await frame_of(session, found)
    load = part_loader(session, row)
    if sum(len(before) for _, before in record.events) > _BUSY_BYTES:
        await set_busy(session, row.universe_id)
    await allow_idle(session, request.app.state.settings.bundle_timeout)
    async with fog.watch(session, row) as tracker:
        replaced = Replaced(session, row, tracker, request.scope["on_progress"])

        async def exchange(step: LayerPart | Changed) -> BandTexts:
            if isinstance(step, LayerPart):
                return await load(step)
            await replaced.put_keys(dict(step.chunks))
            return ()

        past = await _rebuilt(request, computing, user, stored, record, exchange)
        frame: Frame = await asyncio.to_thread(orjson.loads, past.frame)
        before, seen = await replaced.finish(frame, past.width, past.height)
        placed = await changes.fit_tokens(session, row) if before else Placed([], [])
    if before:
        row.touch()
        row.publish()
        shared = {"grid_data": "replaced"} if seen and row.is_published and not row.has_fog else None
        effect = effects.replaced(before, row.grid_data, row.width, row.height)
        payload = placed.for_game_masters({"seq": seq, "version": row.version, **effect})
        shared = placed.for_others(shared)
        await events.record(session, "map.restored", user.id, row, payload, before, shared=shared)
