"""Universes: game worlds, each with one owner, and the members who may be there."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlmodel import Field, SQLModel

from game.core.models import (
    MAX_DESCRIPTION,
    MAX_NAME,
    UNMAPPED_HEAD,
    ApiModel,
    Description,
    Document,
    Name,
    Timestamp,
    example,
    json_head,
    now,
    timestamp_column,
    unset,
)
from game.events.payloads import Named, Payload, describes, optional
from game.permissions import Role

_EXAMPLE = {"name": "The Sunken Marches", "description": "Salt marsh, old gods, and a road that sinks."}


def _counted() -> Any:
    """A column of bytes."""
    return Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})


class Universe(Document, table=True):
    """A game world.

    `owner_id` duplicates a row of `member`. A foreign key ensures that the owner is a member with the role
    `owner`, and a unique index that there is only one.
    """

    __tablename__ = "universe"
    __table_args__ = (
        ForeignKeyConstraint(
            ["owner_id", "id", "owner_role"],
            ["member.user_id", "member.universe_id", "member.role"],
            name="fk_universe_owner_is_member",
            # Checked at the commit, because a new universe and its first member refer to each other.
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        Index("ix_universe_owner_id_id", "owner_id", "id"),
        json_head(
            "universe",
            *("id", "name", "description", "owner_id", "active_map_id", "version", "created_at", "updated_at"),
        ),
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("version > 0", name="version_positive"),
    )
    __mapper_args__ = UNMAPPED_HEAD

    # No cascade: the universes of an account must be deleted or transferred before the account is deleted.
    owner_id: UUID = Field(foreign_key="account.id", ondelete="RESTRICT")
    owner_role: str | None = Field(
        default=None, sa_type=String(20), sa_column_args=(Computed("'owner'", persisted=True),)
    )
    name: str = Field(max_length=MAX_NAME)
    description: str = Field(default="", max_length=MAX_DESCRIPTION)
    # Only a map that members may see; `maps.moving` unsets it when the map is hidden, moved or deleted.
    active_map_id: UUID | None = None
    event_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    # The usage for quotas; only `universes.quotas` writes these columns.
    asset_bytes: int = _counted()
    map_bytes: int = _counted()
    event_bytes: int = _counted()
    has_exact_map_bytes: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    is_full: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    # Incremented by each change of the members, so that a transaction that waited for the universe's lock notices
    # it.
    access_version: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})

    def __str__(self) -> str:
        return self.name

    @property
    def universe_id(self) -> UUID:
        """The id of the universe itself, as required of the subjects of events."""
        return self.id


class Member(SQLModel, table=True):
    """A user's membership in a universe. Only this table determines permissions."""

    __tablename__ = "member"
    __table_args__ = (
        # For the list of a user's universes by id; also the target of the foreign key of a universe's owner.
        UniqueConstraint("user_id", "universe_id", "role"),
        Index("uq_member_owner", "universe_id", unique=True, postgresql_where=text("role = 'owner'")),
        CheckConstraint("role IN ('owner', 'game_master', 'player', 'spectator')", name="role"),
    )

    universe_id: UUID = Field(primary_key=True, foreign_key="universe.id", ondelete="CASCADE")
    user_id: UUID = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE")
    role: str = Field(max_length=20)
    created_at: datetime = timestamp_column(default_factory=now, sa_column_kwargs={"server_default": func.now()})

    @property
    def id(self) -> UUID:
        """The subject of events about a member."""
        return self.user_id


class UniverseRead(ApiModel):
    """A game world."""

    id: UUID
    name: str
    description: str
    owner_id: UUID
    active_map_id: UUID | None = Field(description="The map where the party is.")
    version: int = Field(description="Incremented by each change; also the ETag.")
    created_at: Timestamp
    updated_at: Timestamp
    role: Role = Field(description="Your role in it; `superuser` if you are not a member.")


class MemberRole(StrEnum):
    """A role that a member has."""

    owner = Role.owner
    game_master = Role.game_master
    player = Role.player
    spectator = Role.spectator


class UniverseWrite(ApiModel):
    """Creates or replaces a universe."""

    model_config = example(_EXAMPLE)

    name: Name
    description: Description = ""


class UniversePatch(ApiModel):
    """Changes the fields that it contains, and no others."""

    model_config = example({"name": "The Drowned Marches"})

    name: Name = unset()
    description: Description = unset()
    active_map_id: UUID | None = Field(
        default=None, description="The map where the party is, visible to members; null for none."
    )


class OwnerWrite(ApiModel):
    """Transfers a universe to another owner."""

    model_config = example({"user_id": "019a0000-0000-7000-8000-000000000002"})

    user_id: UUID


class UniversePage(ApiModel):
    """A page of the universes that the caller is a member of."""

    items: list[UniverseRead]
    next_cursor: str | None


@describes("universe.created", "universe.updated")
class UniverseChanged(Payload):
    """A universe was created or changed: its fields with their new values."""

    name: str = optional()
    description: str = optional()
    active_map_id: UUID | None = optional("The map where the party is; null for none.")
    version: int = optional()


@describes("universe.imported")
class UniverseImported(Named):
    """A universe was imported from a file."""


@describes("universe.transferred")
class UniverseTransferred(Payload):
    """A universe was transferred to another owner."""

    owner_id: UUID = optional()
    version: int = optional()


@describes("universe.deleted")
class UniverseDeleted(Named):
    """A universe was deleted; for game masters, with its name."""
