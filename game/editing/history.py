"""The history of a map: its changes, newest first, each with a summary for users."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.editing.models import HistoryEntry
from game.events import phrases
from game.events import queries as events
from game.events.models import Event
from game.maps.models import Map


async def entries(session: AsyncSession, row: Map, before: int, limit: int) -> Sequence[Any]:
    """The changes of a map before an event, newest first, with the names of their authors."""
    statement = (
        events.log_of(row)
        .where(col(Event.seq) < before)
        .outerjoin(User, col(User.id) == col(Event.actor_id))
        .with_only_columns(
            col(Event.seq),
            col(Event.kind),
            col(Event.actor_id),
            col(User.display_name).label("actor_name"),
            col(Event.payload),
            col(Event.created_at),
        )
        .limit(limit)
    )
    return (await session.execute(statement)).all()


def entry(event: Any) -> HistoryEntry:
    """The history entry of an event, from a row of `entries`."""
    names = HistoryEntry.model_fields.keys() - {"summary"}
    return HistoryEntry(
        **{name: getattr(event, name) for name in names}, summary=phrases.summary(event.kind, event.payload)
    )
