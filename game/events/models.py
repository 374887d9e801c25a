"""The event log: one row for every write in a universe, in the order of their commits."""

from collections import defaultdict
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field as Constraint
from pydantic import TypeAdapter, create_model
from sqlalchemy import BigInteger, CheckConstraint, Index, SmallInteger, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from game.core.models import ApiModel, Timestamp, now, timestamp_column, unset
from game.events.payloads import KINDS, Payload


class Event(SQLModel, table=True):
    """An event. `before` contains what the write replaced, so that it can be shown and undone.

    No foreign keys: the log outlives the accounts in it, and a universe's last event outlives the universe.
    """

    __tablename__ = "event"
    __table_args__ = (
        # A map's history, newest first.
        Index("ix_event_subject", "universe_id", "subject_id", "seq"),
        # Recent activity on the whole server, for superusers: the only index that does not start with the
        # universe.
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
    # The payload for members other than game masters (None: not for them), and its recipients (None: all members).
    shared: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    audience: list[UUID] | None = Field(default=None, sa_type=ARRAY(Uuid))
    created_at: datetime = timestamp_column(default_factory=now, sa_column_kwargs={"server_default": func.now()})


class Epoch(SQLModel, table=True):
    """One row: a new value after each restore of the database, which invalidates older cursors."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True, sa_type=SmallInteger, sa_column_kwargs={"autoincrement": False})
    epoch: UUID


class EventRead(ApiModel):
    """An event in a universe."""

    seq: int = unset("The number of the event in its universe, from 1, without gaps. Absent for players.")
    cursor: str = Field(description="Continues after this event. Valid only for you.")
    kind: str = Field(
        description="Such as `map.updated`. `private`, with an empty payload, stands for a whisper between "
        "others, or a roll that only its roller sees."
    )
    actor_id: UUID | None = Field(description="Who did it; null for the server.")
    subject_id: UUID = Field(description="The id of what the event is about: the universe, or something in it.")
    payload: dict[str, Any] = Field(
        description="What changed, as far as you may know. Its fields depend on `kind`."
    )
    created_at: Timestamp


class _ByKind:
    """The schema of events: a union that is discriminated by `kind`. Events are sent as they are stored."""

    def __get_pydantic_json_schema__(self, _: Any, handler: Any) -> Any:
        # When the schema is built, all domains have registered their payloads.
        # As a list's item, Pydantic refers to a model by its name.
        events: Any = list.__class_getitem__(event_models())
        return handler(TypeAdapter(events).core_schema)["items"]


def event_models() -> Any:
    """The union of all events: one for each payload model, and one for kinds without a payload model."""
    kinds: dict[type[Payload], list[str]] = defaultdict(list)
    for kind, payload in sorted(KINDS.items()):
        kinds[payload].append(kind)
    known = [
        _event(f"{payload.__name__}Event", payload.__doc__, kind=Literal[*names], payload=payload)
        for payload, names in kinds.items()
    ]
    none_of_them = Constraint(json_schema_extra={"not": {"enum": [*sorted(KINDS)]}})
    about = "An event of another kind: it was imported, or is private to others."
    other = _event("OtherEvent", about, kind=Annotated[str, none_of_them])
    return Annotated[reduce(or_, known), Constraint(discriminator="kind")] | other


def _event(name: str, about: str | None, **types: Any) -> Any:
    fields: Any = {field: (type_, ...) for field, type_ in types.items()}
    return create_model(name, __base__=EventRead, __doc__=about, **fields)


class EventPage(ApiModel):
    """Events in order. `next_cursor` also works if there are no more events yet."""

    items: list[Annotated[EventRead, _ByKind()]]
    next_cursor: str
    next_after: int = unset("The last `seq`. Absent for players.")
