"""Writing and reading the event log."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import orjson
from sqlalchemy import Select, Text, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.events.models import Event, EventRead

_MOST_BYTES = 4 * 2**20
"""Of payloads in one page, but for its last event."""
_MAX_DEPTH = 40
"""Of a payload: a request's body, and the levels that an event adds."""

# The counter stands in the universe's row: whoever writes holds that row until the commit, so the numbers
# have no gaps and become visible in their order. A reader that resumes from a number misses nothing.
_RECORD = text("""
    WITH counted AS (
        UPDATE universe SET event_seq = event_seq + 1 WHERE id = :universe_id RETURNING event_seq
    )
    INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, before, created_at)
    SELECT :universe_id, event_seq, :actor_id, :kind, :subject_id,
        cast(:payload AS jsonb), cast(:before AS jsonb), clock_timestamp()
    FROM counted
    RETURNING seq
""")


class Subject(Protocol):
    """What an event is about: a universe, or something in one."""

    id: UUID

    @property
    def universe_id(self) -> UUID:
        """Whose log it is."""


async def record(
    session: AsyncSession,
    kind: str,
    actor_id: UUID | None,
    subject: Subject,
    payload: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> int:
    """Add an event to a universe's log, in the transaction of the write it tells of; returns its number."""
    await session.flush()
    result = await session.execute(
        _RECORD,
        {
            "universe_id": subject.universe_id,
            "actor_id": actor_id,
            "kind": kind,
            "subject_id": subject.id,
            "payload": orjson.dumps(payload).decode(),
            "before": None if before is None else orjson.dumps(before).decode(),
        },
    )
    return int(result.scalar_one())


def log_of(subject: Subject) -> Select[tuple[Event]]:
    """The events of one subject of a universe, newest first."""
    return (
        select(Event)
        .where(col(Event.universe_id) == subject.universe_id, col(Event.subject_id) == subject.id)
        .order_by(col(Event.seq).desc())
    )


async def after(session: AsyncSession, universe_id: UUID, seq: int, limit: int) -> Sequence[Mapping[str, Any]]:
    """The events of a universe that follow number `seq`, oldest first: up to `limit`, fewer if they are large.

    Without `before`: it may be megabytes, and is for undo. A payload that no request could have made is left out:
    an event may have come from elsewhere.
    """
    columns = [Event.seq, Event.kind, Event.actor_id, Event.subject_id, Event.created_at]
    payload = cast(col(Event.payload), Text)
    some = (
        select(*map(col, columns), payload.label("payload"), func.octet_length(payload).label("bytes"))
        .where(col(Event.universe_id) == universe_id, col(Event.seq) > seq)
        .order_by(col(Event.seq))
        .limit(limit)
        .subquery()
    )
    ahead = func.sum(some.c.bytes).over(order_by=some.c.seq) - some.c.bytes
    fitting = select(some, ahead.label("ahead")).subquery()
    shown = [fitting.c[name] for name in EventRead.model_fields]
    statement = select(*shown).where(fitting.c.ahead < _MOST_BYTES).order_by(fitting.c.seq)
    rows = (await session.execute(statement)).mappings()
    return [{**row, "payload": _payload(row["payload"])} for row in rows]


def _payload(text: str) -> dict[str, Any]:
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return payload if isinstance(payload, dict) and _is_flat(payload, _MAX_DEPTH) else {}


def _is_flat(value: Any, depth: int) -> bool:
    """Whether a JSON value is nested at most `depth` deep: pydantic cannot write what is much deeper."""
    inner = value.values() if type(value) is dict else value
    return depth > 0 and all(_is_flat(one, depth - 1) for one in inner if type(one) in (dict, list))
