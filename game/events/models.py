"""The event log: one row for every write in a universe, in the order of their commits."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from game.core.models import Shape, Timestamp, instant, now


class Event(SQLModel, table=True):
    """What happened. `before` holds what the write replaced, so that it can be shown and undone.

    No foreign keys: the log outlives the accounts in it, and a universe's last event outlives the universe.
    """

    __tablename__ = "event"
    __table_args__ = (
        # A map's history, newest first.
        Index("ix_event_subject", "universe_id", "subject_id", "seq"),
        # What happened last on the whole server, for those who run it: the one index that is about no universe.
        Index("ix_event_created_at", "created_at"),
        CheckConstraint("seq > 0", name="seq_positive"),
    )

    universe_id: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    actor_id: UUID | None = None
    kind: str = Field(max_length=50)
    subject_id: UUID
    payload: dict[str, Any] = Field(sa_type=JSONB)
    before: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    created_at: datetime = instant(default_factory=now, sa_column_kwargs={"server_default": func.now()})


class EventRead(Shape):
    """What happened in a universe."""

    seq: int = Field(description="Counts the universe's events from 1, without gaps.")
    kind: str = Field(description="Such as `map.updated`.")
    actor_id: UUID | None = Field(description="Who did it; null for the server itself.")
    subject_id: UUID = Field(description="The universe or map that it happened to.")
    payload: dict[str, Any] = Field(description="What changed; depends on the kind.")
    created_at: Timestamp


class EventPage(Shape):
    """Events in order; `next_after` continues, also when there are no more yet."""

    items: list[EventRead]
    next_after: int
