"""Messages: their tables, and the API's request and response models."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field as Constraint
from pydantic import StringConstraints
from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, Uuid
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.models import ApiModel, Timestamp, example, now, timestamp_column
from game.core.names import MAX_MESSAGE
from game.events.payloads import Payload, describes, optional

MAX_RECIPIENTS = 100


class Message(SQLModel, table=True):
    """A message. No foreign keys to the sender and their character, because it outlives them."""

    __tablename__ = "message"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
        # What all members see.
        Index("ix_message_to_all", "universe_id", "id", postgresql_where=sql('"to" IS NULL')),
    )

    universe_id: UUID
    id: UUID = Field(default_factory=uuid7)
    # Unknown for imported messages.
    actor_id: UUID | None = None
    text: str = Field(max_length=MAX_MESSAGE)
    # The recipients of a whisper; None for all members.
    to: list[UUID] | None = Field(default=None, sa_type=ARRAY(Uuid))
    character_id: UUID | None = None
    created_at: datetime = timestamp_column(default_factory=now)

    def __str__(self) -> str:
        return self.text


class WhisperReader(SQLModel, table=True):
    """A user who sees a whisper: its sender or a recipient."""

    __tablename__ = "whisper_reader"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "user_id", "message_id"),
        ForeignKeyConstraint(
            ["universe_id", "message_id"], ["message.universe_id", "message.id"], ondelete="CASCADE"
        ),
        Index("ix_whisper_reader_message", "universe_id", "message_id"),
    )

    universe_id: UUID
    user_id: UUID
    message_id: UUID


class MessageRead(ApiModel):
    """A message."""

    id: UUID
    actor_id: UUID | None = Field(description="The sender; null if it is not known, as in imported messages.")
    text: str
    to: list[UUID] | None = Field(description="The recipients of a whisper; null for a message to all members.")
    character_id: UUID | None = Field(description="The character that spoke; null if you do not see it.")
    created_at: Timestamp


class MessagePage(ApiModel):
    """A page of the messages of a universe, newest first."""

    items: list[MessageRead]
    next_cursor: str | None


class MessageWrite(ApiModel):
    """Sends a message."""

    model_config = example({"text": "Who goes there?"})

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_MESSAGE)]
    to: Annotated[list[UUID], Constraint(min_length=1, max_length=MAX_RECIPIENTS)] | None = Field(
        default=None,
        description="The members to whisper to: nobody else sees the message. Null for a message to all members.",
    )
    character_id: UUID | None = Field(
        default=None, description="The character that speaks: one that you may act for."
    )


@describes("message.created")
class MessageSent(Payload):
    """A message was sent."""

    text: str = optional()
    to: list[UUID] | None = optional("The recipients of a whisper; null for a message to all members.")
    character_id: UUID | None = optional("The character that spoke; null if you do not see it.")
