"""Universes: game worlds, each with one owner."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field

from game.core.models import (
    MAX_DESCRIPTION,
    MAX_NAME,
    Description,
    Document,
    Name,
    Shape,
    Timestamp,
    example,
    unset,
)

_EXAMPLE = {"name": "The Sunken Marches", "description": "Salt marsh, old gods, and a road that sinks."}


class Universe(Document, table=True):
    """A game world; its owner is its game master."""

    __tablename__ = "universe"
    __table_args__ = (
        Index("ix_universe_owner_id_id", "owner_id", "id"),
        Index("ix_universe_owner_id_name", "owner_id", "name", "id"),
        Index("ix_universe_owner_id_updated_at", "owner_id", "updated_at", "id"),
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("version > 0", name="version_positive"),
    )

    # No cascade: whoever deletes an account must first say what becomes of its worlds.
    owner_id: UUID = Field(foreign_key="account.id", ondelete="RESTRICT")
    name: str = Field(max_length=MAX_NAME)
    description: str = Field(default="", max_length=MAX_DESCRIPTION)
    event_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})

    def __str__(self) -> str:
        return self.name

    @property
    def universe_id(self) -> UUID:
        """Its own: as of everything that is in a universe."""
        return self.id


class UniverseRead(Shape):
    """A game world."""

    id: UUID
    name: str
    description: str
    owner_id: UUID
    version: int = Field(description="Grows by one at each change; also the ETag.")
    created_at: Timestamp
    updated_at: Timestamp


class UniverseWrite(Shape):
    """Makes a universe, or replaces what it says."""

    model_config = example(_EXAMPLE)

    name: Name
    description: Description = ""


class UniversePatch(Shape):
    """Changes what it names, and nothing else."""

    model_config = example({"name": "The Drowned Marches"})

    name: Name = unset()
    description: Description = unset()


class UniversePage(Shape):
    """Some of the caller's universes."""

    items: list[UniverseRead]
    next_cursor: str | None
