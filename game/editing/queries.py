"""The SQL of editing: applying steps to a locked map, and reading back the events that undo and redo go by."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.editing.undoing import Step
from game.events import queries as events
from game.events.models import Event
from game.grid.canvas import Steps
from game.grid.changes import Change, Edited, counts
from game.maps import queries as maps
from game.maps.models import Map

MAX_STEPS = 20_000
"""Steps since an edit that undo and redo look through."""
_UNDO_DEPTH = 2000
_STEPS = ("map.edited", "map.undone", "map.redone")


async def apply_steps(session: AsyncSession, row: Map, steps: Steps[Edited], *, large: bool = False) -> Edited:
    """Run steps on a locked map, load the chunks they ask for, and store the result.

    Raises:
        GridError, Conflict: as the steps do; then nothing is stored.
    """
    edited = await maps.follow(session, row, steps, large=large)
    await maps.write_chunks(session, row, edited.chunks)
    if edited.frame is not None:
        row.grid_data = edited.frame
        row.width, row.height = edited.width, edited.height
        row.publish()
    return edited


async def record(
    session: AsyncSession, kind: str, user: User, row: Map, change: Change, payload: dict[str, Any]
) -> int:
    """Count a change of a locked map as its next version, and write its event; returns the event's number."""
    row.touch()
    payload = {**payload, "version": row.version, "touched": counts(change)}
    return await events.record(session, kind, user.id, row, payload, {"change": change})


def _steps(row: Map) -> Select[Any]:
    """The edits of a map, and their undos and redos, newest first."""
    of = col(Event.payload)["of"].label("of")
    return (
        events.log_of(row)
        .where(col(Event.kind).in_(_STEPS))
        .with_only_columns(col(Event.seq), col(Event.kind), of)
        .limit(MAX_STEPS)
    )


async def steps_by(session: AsyncSession, row: Map, user: User) -> Sequence[Step]:
    """A user's last steps on a map, oldest first."""
    return await _read_steps(session, _steps(row).where(col(Event.actor_id) == user.id).limit(_UNDO_DEPTH))


async def steps_since(session: AsyncSession, row: Map, seq: int) -> Sequence[Step]:
    """Everybody's steps on a map after an event, oldest first; of more than MAX_STEPS the newest."""
    return await _read_steps(session, _steps(row).where(col(Event.seq) > seq))


async def _read_steps(session: AsyncSession, statement: Select[Any]) -> Sequence[Step]:
    rows = (await session.execute(statement)).all()[::-1]
    # What an imported universe brought is of any type.
    return [Step(row.seq, row.kind, row.of if type(row.of) is int else None) for row in rows]


async def replaced_since(session: AsyncSession, row: Map, seq: int) -> Event | None:
    """An event after another one that replaced the whole grid of a map; None if there is none."""
    statement = events.log_of(row).where(col(Event.seq) > seq, col(Event.before).op("?")("grid_data")).limit(1)
    return (await session.execute(statement)).scalar_one_or_none()


async def events_at(session: AsyncSession, row: Map, seqs: Sequence[int]) -> Sequence[Event]:
    """The events of a map with these numbers, oldest first."""
    statement = events.log_of(row).where(col(Event.seq).in_(seqs)).order_by(None).order_by(col(Event.seq))
    return (await session.execute(statement)).scalars().all()
