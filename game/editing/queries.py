"""The SQL of editing: the events that undo and redo use, and the cost of edits."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from game.accounts.models import User
from game.editing.undo_stack import Step
from game.editing.work import LoggedChange
from game.events import queries as events
from game.events.models import Event
from game.maps.models import Map
from game.universes.models import Member

MAX_STEPS = 20_000
"""The maximum number of steps since an edit that undo and redo examine."""
_UNDO_DEPTH = 2000
_MOVES_OF_A_TOKEN = 500
"""The number of a token's newest events that are searched for moves."""
_STEPS = ("map.edited", "map.undone", "map.redone")


def _steps(row: events.Subject) -> Select[Any]:
    """The edits of a map with their undos and redos, newest first."""
    of = col(Event.payload)["of"].label("of")
    return (
        events.log_of(row)
        .where(col(Event.kind).in_(_STEPS))
        .with_only_columns(col(Event.seq), col(Event.kind), of)
        .limit(MAX_STEPS)
    )


async def steps_by(session: AsyncSession, row: events.Subject, user: User) -> Sequence[Step]:
    """A user's last steps on a map, oldest first."""
    return await _read_steps(session, _steps(row).where(col(Event.actor_id) == user.id).limit(_UNDO_DEPTH))


_MOVES = text("""
    SELECT e.seq, e.kind, e.payload->'of' AS of
    FROM token t
    CROSS JOIN LATERAL (
        SELECT * FROM event e WHERE e.universe_id = t.universe_id AND e.subject_id = t.id
        ORDER BY e.seq DESC LIMIT :limit
    ) e
    WHERE t.universe_id = :universe_id AND t.map_id = :map_id AND e.actor_id = :user_id
        AND e.kind IN ('token.moved', 'token.move_undone', 'token.move_redone')
    ORDER BY e.seq DESC LIMIT :limit
""").columns(of=JSONB)


async def moves_by(session: AsyncSession, row: events.Subject, user: User) -> Sequence[Step]:
    """A user's last moves of tokens that are on a map, with their undos and redos, oldest first."""
    values = {"universe_id": row.universe_id, "map_id": row.id, "user_id": user.id, "limit": _MOVES_OF_A_TOKEN}
    return _as_steps((await session.execute(_MOVES, values)).all())


async def steps_since(session: AsyncSession, row: Map, seq: int) -> Sequence[Step]:
    """All users' steps on a map after an event, oldest first; the newest MAX_STEPS if there are more."""
    return await _read_steps(session, _steps(row).where(col(Event.seq) > seq))


async def _read_steps(session: AsyncSession, statement: Select[Any]) -> Sequence[Step]:
    return _as_steps((await session.execute(statement)).all())


def _as_steps(newest_first: Sequence[Any]) -> list[Step]:
    # In an imported universe, the value may have any type.
    return [Step(row.seq, row.kind, row.of if type(row.of) is int else None) for row in newest_first[::-1]]


async def replaced_since(session: AsyncSession, row: Map, seq: int) -> int | None:
    """The number of an event after another one that replaced the whole grid of a map; None if there is none."""
    statement = events.log_of(row).where(col(Event.seq) > seq, col(Event.before).op("?")("grid_data")).limit(1)
    return (await session.execute(statement.with_only_columns(col(Event.seq)))).scalar_one_or_none()


async def changes_at(session: AsyncSession, row: Map, seqs: Sequence[int], max_bytes: int) -> list[LoggedChange]:
    """The stored changes of these events of a map, oldest first; up to `max_bytes` of JSON."""
    change = cast(col(Event.before)["change"], Text)
    ordered = events.log_of(row).where(col(Event.seq).in_(seqs)).order_by(None).order_by(col(Event.seq))
    # Measured before they are loaded, because a change may be megabytes.
    sizes = (await session.execute(ordered.with_only_columns(func.octet_length(change)))).scalars().all()
    if sum(size or 0 for size in sizes) > max_bytes:
        seqs = []
    found = ordered.with_only_columns(col(Event.seq), change).where(col(Event.seq).in_(seqs))
    return [LoggedChange(*one) for one in await session.execute(found)]


async def move_at(session: AsyncSession, universe_id: UUID, seq: int) -> Event:
    """The event of a token's move."""
    statement = select(Event).where(col(Event.universe_id) == universe_id, col(Event.seq) == seq)
    return (await session.execute(statement)).scalar_one()


async def event_at(session: AsyncSession, row: Map, seq: int) -> Event:
    """An event of a map, without its stored data."""
    without_before = defer(Event.before)  # type: ignore[arg-type]  # SQLModel types a column as its value
    statement = events.log_of(row).where(col(Event.seq) == seq).options(without_before)
    return (await session.execute(statement)).scalar_one()


async def weight_of(session: AsyncSession, row: events.Subject, seq: int) -> tuple[int, Any]:
    """The approximate cost of replaying the change of an event: the size of its JSON, and `touched` of its
    payload."""
    weight = func.octet_length(cast(col(Event.before)["change"], Text)), col(Event.payload)["touched"]
    statement = events.log_of(row).where(col(Event.seq) == seq).with_only_columns(*weight)
    found = (await session.execute(statement)).one_or_none()
    return (0, None) if found is None else (found[0] or 0, found[1])


class Outline(NamedTuple):
    """A map without its document."""

    id: UUID
    universe_id: UUID
    width: int
    height: int
    layers: int


async def outline(session: AsyncSession, user: User, map_id: UUID) -> Outline | None:
    """The outline of a map in a universe that the user is a member of; None if there is none.

    Only for estimates: permissions are checked when it is locked.
    """
    layers = func.coalesce(func.jsonb_array_length(col(Map.grid_data)["layers"]), 0)
    statement = (
        select(col(Map.id), col(Map.universe_id), col(Map.width), col(Map.height), layers)
        .join(Member, col(Member.universe_id) == col(Map.universe_id))
        .where(col(Member.user_id) == user.id, col(Map.id) == map_id)
    )
    found = (await session.execute(statement)).one_or_none()
    return None if found is None else Outline(*found)
