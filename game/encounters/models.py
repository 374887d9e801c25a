"""Encounters: their tables, and the API's request and response models."""

from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from pydantic import AfterValidator, PlainSerializer, StringConstraints
from pydantic import Field as Constraint
from pydantic_core import PydanticCustomError
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from game.core.bounded import GameMastersOnly
from game.core.ids import uuid7
from game.core.models import MAX_NAME, ApiModel, Assigned, Document, Name, Timestamp, example, unset
from game.events.payloads import Named, Payload, describes, optional
from game.tokens.models import json_number

MAX_COMBATANTS: Final = 500
_MAX_EFFECTS = 50


class State(StrEnum):
    """The state of an encounter."""

    prepared = "prepared"
    running = "running"
    ended = "ended"


class Encounter(Document, table=True):
    """An encounter of a universe."""

    __tablename__ = "encounter"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id.
        UniqueConstraint("id"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
        Index("ix_encounter_universe_id_name", "universe_id", "name", "id"),
        Index("ix_encounter_universe_id_map_id", "universe_id", "map_id"),
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("state IN ('prepared', 'running', 'ended')", name="state"),
        CheckConstraint("jsonb_typeof(combatants) = 'array'", name="combatants_array"),
    )

    id: UUID = Field(default_factory=uuid7)
    universe_id: UUID
    name: str = Field(max_length=MAX_NAME)
    # No foreign key: the queries of maps remove it with the map.
    map_id: UUID | None = None
    state: str = Field(default="prepared", max_length=20, sa_column_kwargs={"server_default": "prepared"})
    round: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    turn: UUID | None = None
    # The turn that players see, see `turns`.
    shown_round: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    shown_turn: UUID | None = None
    combatants: list[dict[str, Any]] = Field(default_factory=list, sa_type=Assigned)
    gm: Any = Field(default=None, sa_type=Assigned(none_as_null=True), nullable=True)
    # The key of the hash that is the players' ETag; it is never sent to anybody.
    etag_key: UUID = Field(default_factory=uuid4, sa_column_kwargs={"server_default": text("gen_random_uuid()")})

    def __str__(self) -> str:
        return self.name


class EncounterTurn(SQLModel, table=True):
    """A turn that `next` ended. `previous` restores it."""

    __tablename__ = "encounter_turn"
    __table_args__ = (
        ForeignKeyConstraint(
            ["universe_id", "encounter_id"], ["encounter.universe_id", "encounter.id"], ondelete="CASCADE"
        ),
    )

    universe_id: UUID = Field(primary_key=True)
    encounter_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    round: int
    turn: UUID | None = None
    shown_round: int
    shown_turn: UUID | None = None
    # By the id of a combatant: [before, after] of the effects that counted down.
    effects: dict[str, Any] = Field(default_factory=dict, sa_type=Assigned)


class Effect(ApiModel):
    """An effect with a duration."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
    rounds: Annotated[int, Constraint(ge=1, le=10_000, strict=True)] = unset(
        "Decremented when the combatant's turn begins; at 0, the effect ends. Null: it does not end by itself."
    )


_Initiative = Annotated[
    float,
    Constraint(ge=-1000, le=1000, allow_inf_nan=False, strict=True),
    PlainSerializer(json_number, return_type=int | float, when_used="json"),
]
_Bonus = Annotated[int, Constraint(ge=-100, le=100, strict=True)]
_Effects = Annotated[list[Effect], Constraint(max_length=_MAX_EFFECTS)]


class CombatantWrite(ApiModel):
    """A combatant. The id of an existing one updates that one."""

    id: UUID = unset("Default: a new id.")
    token_id: UUID | None = None
    character_id: UUID | None = None
    name: Name = unset("Default: the name of the token or the character.")
    initiative: _Initiative | None = Field(
        default=None, description="May be a fraction, to place a delayed turn between two others."
    )
    initiative_bonus: _Bonus = unset("Default: the bonus from the character's sheet, or 0.")
    hidden: bool = unset("Hidden from players and spectators. Default: whether the token is hidden.")
    defeated: bool = Field(default=False, description="A defeated combatant takes no turns.")
    effects: _Effects = Field(default_factory=list)
    gm: GameMastersOnly = None


class CombatantRead(ApiModel):
    """A combatant."""

    id: UUID
    token_id: UUID | None = unset("Only present if you see the token.")
    character_id: UUID | None = unset(
        "Only present if you see the character and, for a combatant with a token, may read the sheet of either."
    )
    name: str
    initiative: _Initiative | None
    initiative_bonus: int = unset(
        "Only present if you may read the sheet of the character or, without one, of the token."
    )
    hidden: bool
    defeated: bool
    effects: list[Effect]
    gm: Any = unset("Not for players.")


class EncounterRead(ApiModel):
    """An encounter, with the fields that you may see."""

    id: UUID
    universe_id: UUID
    name: str
    map_id: UUID | None = Field(description="Also null if you do not see the map.")
    state: State
    round: int = Field(description="From 1; 0 before it starts.")
    turn: UUID | None = Field(
        description="The combatant whose turn it is; for players, the last one that they could see."
    )
    version: int = unset("Incremented by each change; also the ETag. Absent for players.")
    created_at: Timestamp
    updated_at: Timestamp = unset("Not for players.")

    combatants: list[CombatantRead] = Field(description="In the order of their turns.")
    gm: Any = unset("Not for players.")


class EncounterPage(ApiModel):
    """A page of the encounters of a universe."""

    items: list[EncounterRead]
    next_cursor: str | None


def _distinct(combatants: list[CombatantWrite]) -> list[CombatantWrite]:
    ids = [one.id for one in combatants if one.id is not None]
    if len(set(ids)) < len(ids):
        raise PydanticCustomError("not_unique", "ids of combatants must be unique")
    return combatants


_Combatants = Annotated[
    list[CombatantWrite],
    Constraint(max_length=MAX_COMBATANTS, description="In any order."),
    AfterValidator(_distinct),
]
_Map = Annotated[UUID | None, Constraint(description="The id of a map of the universe, or null.")]


class _WithCombatants(ApiModel):
    """A body that may have combatants."""

    combatants: _Combatants

    def stored_combatants(self) -> list[dict[str, Any]]:
        """The combatants as JSON; effects without an end have no `rounds`."""
        return [
            {**one.model_dump(), "effects": [effect.model_dump(exclude_unset=True) for effect in one.effects]}
            for one in self.combatants
        ]


_EXAMPLE = {
    "name": "At the well",
    "combatants": [{"name": "Goblin", "initiative_bonus": 2, "hidden": True}, {"name": "Ashe", "initiative": 14}],
}


class EncounterWrite(_WithCombatants):
    """Creates an encounter."""

    model_config = example(_EXAMPLE)

    name: Name
    map_id: _Map = None
    combatants: _Combatants = Field(default_factory=list)
    gm: GameMastersOnly = None


class EncounterPatch(_WithCombatants):
    """Changes the fields that it contains; `combatants` is replaced as a whole."""

    model_config = example({"name": "At the old well"})

    name: Name = unset()
    map_id: _Map = None
    combatants: _Combatants = unset()
    gm: GameMastersOnly = None


@describes(
    "encounter.created",
    "encounter.updated",
    "encounter.started",
    "encounter.advanced",
    "encounter.reverted",
    "encounter.ended",
)
class EncounterChanged(Payload):
    """An encounter was created or changed: its fields with their new values."""

    name: str = optional()
    map_id: UUID | None = optional("Not for players.")
    state: State = optional()
    round: int = optional()
    turn: UUID | None = optional()
    combatants: list[CombatantRead] = optional("All of them, if any changed.")
    gm: Any = optional("Not for players.")
    version: int = optional("Not for players.")


@describes("encounter.deleted")
class EncounterDeleted(Named):
    """An encounter was deleted."""
