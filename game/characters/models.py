"""Characters: their table, and the API's request and response models."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import BaseModel
from pydantic import Field as Constraint
from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlmodel import Field

from game.characters.sheets import MAX_AMOUNT, SheetData
from game.core.bounded import GameMastersOnly
from game.core.ids import uuid7
from game.core.models import MAX_NAME, ApiModel, Assigned, Document, Name, Timestamp, example, unset
from game.events.payloads import Named, Payload, describes, optional
from game.grants import Grants

SHEET_EXAMPLE: dict[str, Any] = {
    "abilities": {"strength": 10, "dexterity": 16, "wisdom": 13},
    "level": 3,
    "proficiency_bonus": 2,
    "armor_class": 15,
    "hit_points": {"current": 24, "maximum": 24, "temporary": 0},
    "speed": {"walk": 30},
    "senses": {"darkvision": 60},
    "languages": ["Common", "Elvish"],
}
_EXAMPLE = {"name": "Ashe", "kind": "player", "sheet": SHEET_EXAMPLE}


class Kind(StrEnum):
    """Who plays a character."""

    player = "player"
    nonplayer = "nonplayer"


class Character(Document, table=True):
    """A character of a universe."""

    __tablename__ = "character"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id.
        UniqueConstraint("id"),
        Index("ix_character_universe_id_name", "universe_id", "name", "id"),
        Index("ix_character_universe_id_asset_id", "universe_id", "asset_id"),
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("kind IN ('player', 'nonplayer')", name="kind"),
        CheckConstraint("jsonb_typeof(sheet) = 'object'", name="sheet_object"),
        CheckConstraint("jsonb_typeof(grants) = 'object'", name="grants_object"),
    )

    id: UUID = Field(default_factory=uuid7)
    universe_id: UUID = Field(foreign_key="universe.id", ondelete="CASCADE")
    name: str = Field(max_length=MAX_NAME)
    kind: str = Field(default="player", max_length=20)
    # No foreign key: if the picture is deleted, the character has none.
    asset_id: UUID | None = None
    grants: dict[str, list[str]] = Field(default_factory=dict, sa_type=Assigned)
    sheet: dict[str, Any] = Field(default_factory=dict, sa_type=Assigned)
    gm: Any = Field(default=None, sa_type=Assigned(none_as_null=True), nullable=True)
    # The key of the hash that is the players' ETag; it is never sent to anybody.
    etag_key: UUID = Field(default_factory=uuid4, sa_column_kwargs={"server_default": text("gen_random_uuid()")})

    def __str__(self) -> str:
        return self.name


_Kind = Annotated[Kind, Field(description="Players create only `player`.")]
_Picture = Annotated[
    UUID | None, Field(description="The id of a picture of the universe that you may see, or null.")
]
_Amount = Annotated[int, Constraint(ge=0, le=MAX_AMOUNT, strict=True)]


class CharacterRead(ApiModel):
    """A character, with the fields that you may see."""

    id: UUID
    universe_id: UUID
    name: str
    kind: Kind
    asset_id: UUID | None
    grants: Grants
    sheet: SheetData = unset("Only present with the right `sheet`.")
    gm: Any = unset("Not for players.")
    version: int = unset("Incremented by each change; also the ETag. Absent for players.")
    created_at: Timestamp
    updated_at: Timestamp = unset("Not for players.")


class CharacterPage(ApiModel):
    """A page of the characters of a universe, with their sheets."""

    items: list[CharacterRead]
    next_cursor: str | None


class CharacterWrite(ApiModel):
    """Creates a character, or replaces one. Only game masters may set `grants` and `gm`."""

    model_config = example(_EXAMPLE)

    name: Name
    kind: _Kind = Kind.player
    asset_id: _Picture = None
    sheet: SheetData = Field(default_factory=dict)
    grants: Grants = Field(default_factory=dict)
    gm: GameMastersOnly = None


class CharacterPatch(ApiModel):
    """Changes the fields that it contains. `sheet` is a merge patch (RFC 7396): null removes a key."""

    model_config = example({"sheet": {"hit_points": {"temporary": 5}}})

    name: Name = unset()
    kind: _Kind = unset()
    asset_id: _Picture = None
    sheet: dict[str, Any] = unset("A merge patch (RFC 7396): only the keys that it contains change, at any depth.")
    grants: Grants = unset()
    gm: GameMastersOnly = None


class Amount(ApiModel):
    """An amount of hit points."""

    model_config = example({"amount": 7})

    amount: _Amount


class ChangedSheet(BaseModel):
    """The keys of a sheet that were set, with their values, and those that were removed."""

    put: dict[str, Any]
    removed: list[str]


@describes("character.created", "character.updated")
class CharacterChanged(Payload):
    """A character was created or changed: its fields with their new values, as far as all recipients of the event
    may see them."""

    name: str = optional()
    kind: Kind = optional()
    asset_id: UUID | None = optional()
    sheet: ChangedSheet = optional()
    grants: Grants = optional("Not for players.")
    gm: Any = optional("Not for players.")
    version: int = optional("Not for players.")


@describes("character.damaged", "character.healed")
class CharacterPoints(CharacterChanged):
    """A character lost or regained hit points."""

    amount: int = optional()


@describes("character.deleted")
class CharacterDeleted(Named):
    """A character was deleted."""
