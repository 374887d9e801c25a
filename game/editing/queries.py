"""The SQL of editing: applying steps to a locked map, and reading back the events that undo and redo go by."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.events import queries as events
from game.events.models import Event
from game.grid.canvas import Steps
from game.grid.changes import Change, Edited, counts
from game.maps import queries as maps
from game.maps.models import Map

_UNDO_DEPTH = 1000
STEPS = ("map.edited", "map.undone", "map.redone")


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
    return edited


async def record(
    session: AsyncSession, kind: str, user: User, row: Map, change: Change, payload: dict[str, Any]
) -> int:
    """Count a change of a locked map as its next version, and write its event; returns the event's number."""
    row.touch()
    payload = {**payload, "version": row.version, "touched": counts(change)}
    return await events.record(session, kind, user.id, row, payload, {"change": change})


async def steps_of(session: AsyncSession, row: Map, user: User) -> Sequence[Any]:
    """The edits of a user on a map and what became of them, oldest first: (seq, kind, of)."""
    statement = (
        events.log_of(row)
        .where(col(Event.actor_id) == user.id, col(Event.kind).in_(STEPS))
        .with_only_columns(col(Event.seq), col(Event.kind), col(Event.payload)["of"].as_integer().label("of"))
        .limit(_UNDO_DEPTH)
    )
    return (await session.execute(statement)).all()[::-1]


async def events_since(session: AsyncSession, row: Map, seq: int) -> Sequence[Event]:
    """An event of a map and what came after it, oldest first; of too many, only the newest."""
    statement = events.log_of(row).where(col(Event.seq) >= seq).limit(_UNDO_DEPTH)
    return (await session.execute(statement)).scalars().all()[::-1]
