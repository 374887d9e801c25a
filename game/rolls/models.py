"""Rolls: their tables, and what the API takes and gives."""

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
from game.core.models import Shape, Timestamp, example, instant, now
from game.events.payloads import Payload, optional, tells
from game.grid.shapes import Described
from game.rolls.terms import MAX_EXPRESSION, MAX_REASON, Term

MAX_NONCE = 100


class Visibility(StrEnum):
    """Who sees what a roll came to."""

    everyone = "everyone"
    game_masters = "game_masters"
    blind = "blind"
    me = "me"


class Roll(SQLModel, table=True):
    """A roll, with the key that it was drawn from.

    No foreign keys of who rolled and for whom: a roll outlives the account and the character.
    """

    __tablename__ = "roll"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id.
        UniqueConstraint("id"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
        # What players see besides their own, what game masters see besides their own, and one's own.
        Index("ix_roll_everyone", "universe_id", "id", postgresql_where=sql("visibility = 'everyone'")),
        Index("ix_roll_not_private", "universe_id", "id", postgresql_where=sql("visibility <> 'me'")),
        Index("ix_roll_actor", "universe_id", "actor_id", "id"),
        CheckConstraint("visibility IN ('everyone', 'game_masters', 'blind', 'me')", name="visibility"),
        CheckConstraint("(key IS NULL) = (number IS NULL)", name="proof"),
    )

    universe_id: UUID
    id: UUID = Field(default_factory=uuid7)
    # Of an imported one it is not known.
    actor_id: UUID | None = None
    expression: str = Field(max_length=MAX_EXPRESSION)
    total: int = Field(sa_type=BigInteger)
    terms: list[dict[str, Any]] = Field(sa_type=JSONB)
    text: str
    visibility: str = Field(max_length=20)
    reason: str | None = Field(default=None, max_length=MAX_REASON)
    character_id: UUID | None = None
    nonce: str = Field(default="", max_length=MAX_NONCE)
    # Whether its key is of the series for rolls that everyone sees, or of the roller's hidden one.
    is_hidden: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    number: int | None = Field(default=None, sa_type=BigInteger)
    key: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = instant(default_factory=now)

    def __str__(self) -> str:
        return self.expression


class DiceSeries(SQLModel, table=True):
    """A series of keys: those of rolls that everyone sees, or of the hidden rolls of one user.

    The key of a number is made from the seed, which nobody is ever sent (`rolls.keys`).
    """

    __tablename__ = "dice_series"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "owner_id"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
    )

    universe_id: UUID
    # The roller; of the series for everyone the universe itself.
    owner_id: UUID
    seed: bytes = Field(sa_type=LargeBinary)
    next: int = Field(default=1, sa_type=BigInteger)


class Proof(Shape):
    """What shows that a roll was fair: see the guide's page on dice."""

    series: Literal["everyone", "hidden"] = Field(description="Whose series of keys it was drawn from.")
    number: int | None = Field(
        description="Its number there. Of a hidden roll only for the roller: it counts their hidden rolls."
    )
    hash: str = Field(description="SHA-256 of the key, in hexadecimal: the commitment, shown before the roll.")
    key: str | None = Field(description="The key, in hexadecimal; null while its result is hidden from you.")
    nonce: str = Field(description="The roller's part of it.")


class RollRead(Shape):
    """A roll, as far as you may see it."""

    id: UUID
    actor_id: UUID | None = Field(description="Who rolled; null where that is not known, as of an imported roll.")
    expression: str
    total: int | None = Field(description="The result; null for the roller of a blind roll.")
    terms: Annotated[Any, Described(list[Term] | None)] = Field(
        description="The terms of the sum with every die; null where `total` is."
    )
    text: str | None = Field(description="The result in a line, such as `2d20kh1 (~3~, 15) + 5 = 20`.")
    visibility: Visibility
    reason: str | None
    character_id: UUID | None = Field(description="Whom it was rolled for; null for one that you do not see.")
    proof: Proof | None = Field(description="Null for an imported roll.")
    created_at: Timestamp


class RollPage(Shape):
    """Some of the rolls of a universe, newest first."""

    items: list[RollRead]
    next_cursor: str | None


class RollWrite(Shape):
    """Rolls dice."""

    model_config = example({"expression": "2d20kh1+5", "reason": "Stealth"})

    # How long it may be is for the parser to say, with the column.
    expression: str = Field(description="In the notation of the guide's page on dice.")
    visibility: Visibility = Field(
        default=Visibility.everyone,
        description="`game_masters`: you and game masters; `blind`: game masters, you only that it was made; "
        "`me`: you alone.",
    )
    reason: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON)] | None
    ) = None
    character_id: UUID | None = Field(
        default=None,
        description="Whom you roll for: a character that you may act for; `@` paths are of its sheet.",
    )
    nonce: Annotated[str, StringConstraints(max_length=MAX_NONCE)] = Field(
        default="", description="Anything of yours: the dice depend on it, so the server cannot have chosen them."
    )


class Commitment(Shape):
    """A key of the future, by its hash."""

    number: int
    hash: str = Field(description="SHA-256 of the key, in hexadecimal.")


class Commitments(Shape):
    """The commitments of a series."""

    commitments: list[Commitment] = Field(description="Of the next rolls, in their order.")
    next: int = Field(description="The number of the next roll.")


class DiceRead(Commitments):
    """The commitments for rolls that everyone sees, and for your hidden ones."""

    hidden: Commitments = Field(description="For your rolls that not everyone sees. Nobody else is shown these.")


@tells("roll.created", "roll.revealed")
class RollMade(Payload):
    """Dice were rolled, or a hidden roll was shown to everyone."""

    expression: str = optional()
    total: int | None = optional("The result; null for the roller of a blind roll.")
    terms: Annotated[Any, Described(list[Term] | None)] = optional("The terms of the sum with every die.")
    text: str | None = optional("The result in a line.")
    visibility: Visibility = optional()
    reason: str | None = optional()
    character_id: UUID | None = optional("Whom it was rolled for; null for one that you do not see.")
    proof: Proof | None = optional()
