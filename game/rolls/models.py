"""Rolls: their tables, and the API's request and response models."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.models import ApiModel, Timestamp, example, now, timestamp_column
from game.events.payloads import Payload, describes, optional
from game.grid.shapes import Described
from game.rolls.terms import MAX_EXPRESSION, MAX_REASON, Term

MAX_NONCE = 100


class Visibility(StrEnum):
    """Who sees the result of a roll."""

    everyone = "everyone"
    game_masters = "game_masters"
    blind = "blind"
    me = "me"


class Roll(SQLModel, table=True):
    """A roll, with the key that it was drawn from.

    No foreign keys to the roller and the character, because a roll outlives them.
    """

    __tablename__ = "roll"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id.
        UniqueConstraint("id"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
        # Rolls that players see in addition to their own, rolls that game masters see in addition to their own,
        # and one's own.
        Index("ix_roll_everyone", "universe_id", "id", postgresql_where=sql("visibility = 'everyone'")),
        Index("ix_roll_not_private", "universe_id", "id", postgresql_where=sql("visibility <> 'me'")),
        Index("ix_roll_actor", "universe_id", "actor_id", "id"),
        CheckConstraint("visibility IN ('everyone', 'game_masters', 'blind', 'me')", name="visibility"),
        CheckConstraint("(key IS NULL) = (number IS NULL)", name="proof"),
    )

    universe_id: UUID
    id: UUID = Field(default_factory=uuid7)
    # Unknown for imported rolls.
    actor_id: UUID | None = None
    expression: str = Field(max_length=MAX_EXPRESSION)
    total: int = Field(sa_type=BigInteger)
    terms: list[dict[str, Any]] = Field(sa_type=JSONB)
    text: str
    visibility: str = Field(max_length=20)
    reason: str | None = Field(default=None, max_length=MAX_REASON)
    character_id: UUID | None = None
    nonce: str = Field(default="", max_length=MAX_NONCE)
    # Whether its key is from the roller's hidden series, or from the series for rolls that everyone sees.
    is_hidden: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    number: int | None = Field(default=None, sa_type=BigInteger)
    key: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = timestamp_column(default_factory=now)

    def __str__(self) -> str:
        return self.expression


class DiceSeries(SQLModel, table=True):
    """A series of keys: those of rolls that everyone sees, or of the hidden rolls of one user.

    The key of a number is derived from the seed, which is never sent to anybody (`rolls.keys`).
    """

    __tablename__ = "dice_series"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "owner_id"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
    )

    universe_id: UUID
    # The roller or, for the series of rolls that everyone sees, the universe.
    owner_id: UUID
    seed: bytes = Field(sa_type=LargeBinary)
    next: int = Field(default=1, sa_type=BigInteger)


class Proof(ApiModel):
    """The proof that a roll was fair: see the page on dice in the guide."""

    series: Literal["everyone", "hidden"] = Field(description="The series of keys that the key belongs to.")
    number: int | None = Field(
        description="The number of the key in the series. For hidden rolls, only the roller gets it, because it "
        "counts their hidden rolls."
    )
    hash: str = Field(
        description="The SHA-256 hash of the key, in hexadecimal: the commitment, which was "
        "published before the roll."
    )
    key: str | None = Field(description="The key, in hexadecimal; null while the result is hidden from you.")
    nonce: str = Field(description="The nonce that the roller sent.")


class RollRead(ApiModel):
    """A roll, with the fields that you may see."""

    id: UUID
    actor_id: UUID | None = Field(description="The roller; null if it is not known, as in imported rolls.")
    expression: str
    total: int | None = Field(description="The result; null for the roller of a blind roll.")
    terms: Annotated[Any, Described(list[Term] | None)] = Field(
        description="The terms of the sum with every die; null where `total` is."
    )
    text: str | None = Field(description="The result in a line, such as `2d20kh1 (~3~, 15) + 5 = 20`.")
    visibility: Visibility
    reason: str | None
    character_id: UUID | None = Field(
        description="The character that the roll was for; null if you do not see it."
    )
    proof: Proof | None = Field(description="Null for an imported roll.")
    created_at: Timestamp


class RollPage(ApiModel):
    """A page of the rolls of a universe, newest first."""

    items: list[RollRead]
    next_cursor: str | None


class RollWrite(ApiModel):
    """Rolls dice."""

    model_config = example({"expression": "2d20kh1+5", "reason": "Stealth"})

    # The parser checks the length, and reports the column.
    expression: str = Field(description="The dice expression; see the page on dice in the guide.")
    visibility: Visibility = Field(
        default=Visibility.everyone,
        description="Who sees the result. `game_masters`: you and game masters; `blind`: game masters only; "
        "`me`: only you.",
    )
    reason: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON)] | None
    ) = None
    character_id: UUID | None = Field(
        default=None,
        description="The character that you roll for: one that you may act for. `@` paths refer to its sheet.",
    )
    nonce: Annotated[str, StringConstraints(max_length=MAX_NONCE)] = Field(
        default="",
        description="Any text that the server cannot predict. The dice depend on it, so the server "
        "cannot choose them.",
    )


class Commitment(ApiModel):
    """The hash of a key that a later roll will use."""

    number: int
    hash: str = Field(description="The SHA-256 hash of the key, in hexadecimal.")


class Commitments(ApiModel):
    """The commitments of a series."""

    commitments: list[Commitment] = Field(description="The commitments for the next rolls, in order.")
    next: int = Field(description="The number of the next roll.")


class DiceRead(Commitments):
    """The commitments for rolls that everyone sees, and for your hidden ones."""

    hidden: Commitments = Field(description="For your hidden rolls. Only you see these.")


@describes("roll.created", "roll.revealed")
class RollMade(Payload):
    """Dice were rolled, or a hidden roll was shown to everyone."""

    expression: str = optional()
    total: int | None = optional("The result; null for the roller of a blind roll.")
    terms: Annotated[Any, Described(list[Term] | None)] = optional("The terms of the sum with every die.")
    text: str | None = optional("The result in a line.")
    visibility: Visibility = optional()
    reason: str | None = optional()
    character_id: UUID | None = optional("The character that the roll was for; null if you do not see it.")
    proof: Proof | None = optional()
