"""Notes: their table, and the API's request and response models."""

from typing import Annotated
from uuid import UUID, uuid4

from pydantic import Field as Constraint
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlmodel import Field

from game.core.ids import uuid7
from game.core.json_gate import MAX_STRING
from game.core.models import MAX_NAME, ApiModel, Assigned, Document, Name, Timestamp, example, unset
from game.events.payloads import Payload, describes, optional
from game.grants import NoteGrants
from game.grid.document import DEFAULT_LIMITS

_EXAMPLE = {
    "title": "A letter, much folded",
    "body": "The bell rang **twice**. Come at once.",
}

# The words of a note, with its universe as an additional word, because a combined index needs an extension. Each
# search includes the word of the universe.
_WORDS = (
    "to_tsvector('simple', title || ' ' || body) || array_to_tsvector(ARRAY['universe:' || universe_id::text])"
)


class Note(Document, table=True):
    """A note of a universe. With a position on a map, it is a pin."""

    __tablename__ = "note"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id.
        UniqueConstraint("id"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
        Index("ix_note_universe_id_title", "universe_id", "title", "id"),
        Index("ix_note_universe_id_map_id", "universe_id", "map_id"),
        Index("ix_note_asset_ids", "asset_ids", postgresql_using="gin"),
        CheckConstraint("title <> ''", name="title_not_empty"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("jsonb_typeof(grants) = 'object'", name="grants_object"),
        CheckConstraint(
            "(map_id IS NULL) = (x IS NULL) AND (map_id IS NULL) = (y IS NULL)", name="place_is_whole"
        ),
    )

    id: UUID = Field(default_factory=uuid7)
    universe_id: UUID
    # No foreign key: a note outlives the account of its author.
    author_id: UUID | None = None
    title: str = Field(max_length=MAX_NAME)
    body: str = Field(default="", sa_type=Text)
    grants: dict[str, list[str]] = Field(default_factory=dict, sa_type=Assigned)
    # No foreign key: the queries of maps remove pins with their map.
    map_id: UUID | None = None
    x: float | None = None
    y: float | None = None
    # The pictures in the body. All readers of the note may see them.
    asset_ids: list[UUID] = Field(
        default_factory=list, sa_type=ARRAY(Uuid), sa_column_kwargs={"server_default": text("'{}'")}
    )
    # The key of the hash that is the players' ETag; it is never sent to anybody.
    etag_key: UUID = Field(default_factory=uuid4, sa_column_kwargs={"server_default": text("gen_random_uuid()")})

    def __str__(self) -> str:
        return self.title


# Not mapped, because it is only used in conditions.
_TABLE: Table = getattr(Note, "__table__")  # noqa: B009 - no attribute to a type checker
SEARCH = Column("search", TSVECTOR, Computed(_WORDS, persisted=True), nullable=True)
_TABLE.append_column(SEARCH)
Index("ix_note_search", SEARCH, postgresql_using="gin")


_Body = Annotated[str, Constraint(max_length=MAX_STRING, description="Markdown.")]
_Coordinate = Annotated[float, Constraint(ge=0, le=DEFAULT_LIMITS.max_size)]
_Map = Annotated[
    UUID | None,
    Constraint(
        description="The id of a map of the universe that you may see, or null for a note without a place."
    ),
]
_Place = Annotated[_Coordinate | None, Constraint(description="In cells. Requires `map_id`.")]


class NoteSummary(ApiModel):
    """A note without its text."""

    id: UUID
    universe_id: UUID
    author_id: UUID | None = Field(description="The author; null if unknown.")
    title: str
    grants: NoteGrants
    map_id: UUID | None = Field(
        description="The map on which the note is a pin; null if you do not see that place."
    )
    x: float | None
    y: float | None
    version: int = unset("Incremented by each change; also the ETag. Absent for players.")
    created_at: Timestamp
    updated_at: Timestamp = unset("Not for players.")


class NoteRead(NoteSummary):
    """A note."""

    body: str = Field(description="The Markdown as it was written.")


class NoteHtml(NoteRead):
    """A note with its text as HTML."""

    html: str = Field(description="The body as safe HTML, without scripts and pictures from other sites.")


class NotePage(ApiModel):
    """A page of the notes of a universe, without their texts."""

    items: list[NoteSummary]
    next_cursor: str | None


class NoteWrite(ApiModel):
    """Creates a note, or replaces one. Only game masters may replace its `grants`."""

    model_config = example(_EXAMPLE)

    title: Name
    body: _Body = ""
    grants: NoteGrants = Field(default_factory=dict)
    map_id: _Map = None
    x: _Place = None
    y: _Place = None


class NotePatch(ApiModel):
    """Changes the fields that it contains. Only game masters may change `grants`."""

    model_config = example({"title": "A letter, burnt"})

    title: Name = unset()
    body: _Body = unset()
    grants: NoteGrants = unset()
    map_id: _Map = None
    x: _Place = None
    y: _Place = None


@describes("note.created", "note.updated")
class NoteChanged(Payload):
    """A note was created or changed: its fields with their new values, as far as all recipients of the event may
    see them."""

    title: str = optional()
    body: str = optional("`replaced`: read the note again.")
    grants: NoteGrants = optional("Not for players.")
    map_id: UUID | None = optional()
    x: float | None = optional()
    y: float | None = optional()
    version: int = optional("Not for players.")


@describes("note.deleted")
class NoteDeleted(Payload):
    """A note was deleted."""

    title: str = optional()
