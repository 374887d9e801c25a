"""A map as it was: what is needed to rebuild it is read here, and a compute process does the rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.compute import Computing
from game.core.errors import Conflict, NotFound, Unprocessable
from game.fog.models import Fog, FogSharing, Lighting
from game.grid.past import PastError, PastMap, StoredMap, rebuild
from game.maps import queries
from game.maps.models import Map, MapRead, Visibility

_MAX_EVENTS = 20_000
_MAX_BYTES = 64 * 2**20
"""Of JSON that all these events kept."""
_BEGINNINGS = ("map.created", "map.moved_in")
_ENDS = ("map.moved_out", "map.deleted")


class TooLongAgo(Unprocessable):
    """There were too many changes to this map since then."""

    code = "TOO_LONG_AGO"


class HistoryBroken(Conflict):
    """An event since then cannot be undone: its stored data is broken."""

    code = "HISTORY_BROKEN"


class Then(NamedTuple):
    """The last event of a map at some time: when it was, and the map's version after it."""

    created_at: datetime
    version: int


class Recorded(NamedTuple):
    """A map as it is, and what its events since then kept of the time before: (seq, JSON text), newest first."""

    then: Then
    stored: StoredMap
    events: Sequence[tuple[int, str]]


_THEN = text("""
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
        ORDER BY seq DESC LIMIT :most
    ) later
""")
_BEFORES = text("""
    SELECT seq, before::text AS before FROM event
    WHERE universe_id = :universe_id AND subject_id = :map_id AND seq > :seq AND before IS NOT NULL
    ORDER BY seq DESC
""")
_STORED = text("""
    SELECT grid_data::text AS frame, width, height,
        ARRAY(
            SELECT (c.layer, c.x, c.y, c.rows::text) FROM map_chunk c
            WHERE c.universe_id = m.universe_id AND c.map_id = m.id
        ) AS chunks
    FROM map m WHERE m.universe_id = :universe_id AND m.id = :map_id
""")


async def record_of(session: AsyncSession, row: Map, seq: int) -> Recorded:
    """What is needed to rebuild a locked map as it was right after the event `seq` of its universe.

    A map's history begins when it was created, or when it came from another universe.

    Raises:
        NotFound: the map was not there then, or there is no such event yet.
        TooLongAgo: there are too many events since then, or they are too large.
        HistoryBroken: the event does not tell the map's version.
    """
    place = {"universe_id": row.universe_id, "map_id": row.id, "seq": seq}
    then = (await session.execute(_THEN, place)).one_or_none()
    if then is None or then.kind in _ENDS:
        raise NotFound
    if type(then.version) is not int or not 0 < then.version < 2**31:
        raise HistoryBroken
    limits = {"most": _MAX_EVENTS + 1, "beginnings": list(_BEGINNINGS)}
    since = (await session.execute(_SINCE, {**place, **limits})).one()
    if since.begins:
        raise NotFound
    if since.events > _MAX_EVENTS or since.bytes > _MAX_BYTES:
        raise TooLongAgo
    stored = (await session.execute(_STORED, place)).one()
    events = [(one.seq, one.before) for one in await session.execute(_BEFORES, place)]
    chunks = [tuple(chunk) for chunk in stored.chunks]
    return Recorded(
        Then(then.created_at, then.version),
        StoredMap(stored.frame, stored.width, stored.height, chunks),
        events,
    )


async def rebuilt(computing: Computing, user: User, recorded: Recorded) -> PastMap:
    """A map as it was, rebuilt in a compute process.

    Raises:
        HistoryBroken: what an event stored is broken, or does not fit the map.
    """
    try:
        past: PastMap = await computing.run(user.id, rebuild, recorded.stored, recorded.events)
    except PastError as error:
        raise HistoryBroken(f"Event {error.seq} cannot be taken back: {error.message}.", seq=error.seq) from None
    return past


async def document(
    session: AsyncSession, computing: Computing, user: User, map_id: UUID, seq: int
) -> queries.MapText:
    """The JSON text of a map that the user may read, as it was after event `seq`, and its version then.

    Raises:
        NotFound: there is none such for this user, or was none then.
        TooLongAgo, HistoryBroken: as `record_of` and `rebuilt` do.
    """
    row = (await queries.get(session, user, map_id, "listHistory", lock=True)).row
    recorded = await record_of(session, row, seq)
    # Nothing is locked, and no connection is held, while it computes.
    await session.close()
    past = await rebuilt(computing, user, recorded)
    fields: dict[str, Any] = {
        "id": row.id,
        "universe_id": row.universe_id,
        "name": row.name,
        "description": row.description,
        "visibility": Visibility(row.visibility),
        "fog": Fog(row.fog),
        "fog_sharing": FogSharing(row.fog_sharing),
        "lighting": Lighting(row.lighting),
        "version": recorded.then.version,
        "created_at": row.created_at,
        "updated_at": recorded.then.created_at,
        **past.texts,
    }
    head = MapRead(**fields, grid_data={}).model_dump_json(exclude={"grid_data"})
    return queries.MapText(f'{head[:-1]},"grid_data":{past.grid_data}}}'.encode(), recorded.then.version)
