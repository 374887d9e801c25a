"""Tokens: their table, and the API's request and response models."""

from enum import StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID, uuid4

from pydantic import AfterValidator, PlainSerializer, StringConstraints, WithJsonSchema, model_validator
from pydantic import Field as Constraint
from pydantic_core import PydanticCustomError
from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlmodel import Field

from game.core.bounded import GameMastersOnly, bounded
from game.core.ids import uuid7
from game.core.models import MAX_NAME, ApiModel, Assigned, Document, Name, Timestamp, example, unset
from game.events.payloads import Named, Payload, describes, optional
from game.grants import Grants
from game.grid.rules import color
from game.grid.sight import MAX_RANGE
from game.grid.vision import SIZES

MAX_SIDE: Final = 4096
"""The side length, in cells, of the largest map."""
MAX_TOKENS: Final = 2000
"""The maximum number of tokens on a map."""
MAX_POINTS: Final = 1_000_000
"""The maximum of a bar, and of damage in one request."""
MAX_ELEVATION: Final = 100_000
_MAX_PROPERTIES_BYTES = 64 * 2**10
_MAX_CONDITIONS = 50
_MAX_BARS = 20


class Disposition(StrEnum):
    """The attitude of a token towards the party."""

    friendly = "friendly"
    neutral = "neutral"
    hostile = "hostile"


class Token(Document, table=True):
    """A token on a map."""

    __tablename__ = "token"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id. At the commit: a token whose map is moved is in both universes for a
        # moment.
        UniqueConstraint("id", deferrable=True, initially="DEFERRED"),
        ForeignKeyConstraint(["universe_id", "map_id"], ["map.universe_id", "map.id"], ondelete="CASCADE"),
        Index("ix_token_universe_id_map_id", "universe_id", "map_id", "id"),
        Index("ix_token_universe_id_character_id", "universe_id", "character_id"),
        Index("ix_token_universe_id_asset_id", "universe_id", "asset_id"),
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("version > 0", name="version_positive"),
        # NaN is greater than any number.
        CheckConstraint(f"x BETWEEN 0 AND {MAX_SIDE} AND y BETWEEN 0 AND {MAX_SIDE}", name="place"),
        CheckConstraint("size IN (0.5, 1, 2, 3, 4)", name="size"),
        CheckConstraint("rotation BETWEEN -360 AND 360", name="rotation"),
        CheckConstraint(f"elevation BETWEEN -{MAX_ELEVATION} AND {MAX_ELEVATION}", name="elevation"),
        CheckConstraint("disposition IN ('friendly', 'neutral', 'hostile')", name="disposition"),
        CheckConstraint("jsonb_typeof(sight) = 'object'", name="sight_object"),
        CheckConstraint("jsonb_typeof(light) = 'object'", name="light_object"),
        CheckConstraint("jsonb_typeof(conditions) = 'array'", name="conditions_array"),
        CheckConstraint("jsonb_typeof(bars) = 'array'", name="bars_array"),
        CheckConstraint("jsonb_typeof(grants) = 'object'", name="grants_object"),
        CheckConstraint("jsonb_typeof(properties) = 'object'", name="properties_object"),
    )

    id: UUID = Field(default_factory=uuid7)
    universe_id: UUID
    map_id: UUID
    # No foreign key: one that sets only this column to null requires PostgreSQL 15. `characters.queries.remove`
    # does it.
    character_id: UUID | None = None
    name: str = Field(max_length=MAX_NAME)
    x: float = Field(sa_type=Double)
    y: float = Field(sa_type=Double)
    size: float = Field(default=1, sa_type=Double)
    rotation: float = Field(default=0, sa_type=Double)
    elevation: float = Field(default=0, sa_type=Double)
    # No foreign key: if the picture is deleted, the token has none.
    asset_id: UUID | None = None
    color: str | None = Field(default=None, max_length=9)
    disposition: str = Field(default="neutral", max_length=20)
    hidden: bool = False
    sight: dict[str, Any] | None = Field(default=None, sa_type=Assigned(none_as_null=True), nullable=True)
    light: dict[str, Any] | None = Field(default=None, sa_type=Assigned(none_as_null=True), nullable=True)
    conditions: list[str] = Field(default_factory=list, sa_type=Assigned)
    bars: list[dict[str, Any]] = Field(default_factory=list, sa_type=Assigned)
    grants: dict[str, list[str]] = Field(default_factory=dict, sa_type=Assigned)
    properties: dict[str, Any] = Field(default_factory=dict, sa_type=Assigned)
    gm: Any = Field(default=None, sa_type=Assigned(none_as_null=True), nullable=True)
    # The key of the hash that is the players' ETag; it is never sent to anybody.
    etag_key: UUID = Field(default_factory=uuid4, sa_column_kwargs={"server_default": text("gen_random_uuid()")})

    def __str__(self) -> str:
        return self.name


def json_number(value: float) -> int | float:
    """A number as JSON has it: whole ones without a fraction."""
    return int(value) if float(value).is_integer() else value


def _size(value: float) -> float:
    if value not in SIZES:
        raise PydanticCustomError("not_an_option", "must be 0.5, 1, 2, 3 or 4")
    return value


_AsJson = PlainSerializer(json_number, return_type=int | float)


def _within(lowest: float, highest: float, description: str) -> Any:
    return Constraint(strict=True, allow_inf_nan=False, ge=lowest, le=highest, description=description)


Coordinate = Annotated[
    float, _within(0, MAX_SIDE, "In cells. A whole number, except on maps without a grid."), _AsJson
]
_Size = Annotated[
    float,
    Constraint(strict=True),
    AfterValidator(_size),
    WithJsonSchema(
        {
            "type": "number",
            "enum": list(SIZES),
            "description": "Side length in cells: 0.5 (tiny) to 4 (gargantuan).",
        }
    ),
    _AsJson,
]
_Degrees = Annotated[float, _within(-360, 360, "Clockwise, in degrees."), _AsJson]
_Elevation = Annotated[
    float, _within(-MAX_ELEVATION, MAX_ELEVATION, "The height above the ground, in the map's unit."), _AsJson
]
_Color = Annotated[str, Constraint(pattern=color.schema["pattern"])]
_Reach = Annotated[float, _within(0, MAX_RANGE, "In cells."), _AsJson]
_Points = Annotated[int, Constraint(ge=0, le=MAX_POINTS, strict=True)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=50, strip_whitespace=True)]
_Conditions = Annotated[
    list[_Word],
    Constraint(
        max_length=_MAX_CONDITIONS,
        description="Names of conditions, such as `poisoned`, or other short words.",
    ),
]
_Properties = Annotated[
    dict[str, Any],
    Constraint(description=f"Any JSON up to {_MAX_PROPERTIES_BYTES >> 10} KiB."),
    bounded(_MAX_PROPERTIES_BYTES),
]


class Sight(ApiModel):
    """How far a token sees."""

    range: _Reach
    darkvision: _Reach = 0


class TokenLight(ApiModel):
    """The light that a token carries."""

    bright: _Reach = 0
    dim: _Reach = 0
    color: _Color | None = None


class Bar(ApiModel):
    """A value of a token between 0 and a maximum, such as hit points."""

    name: _Word
    value: _Points
    max: _Points
    public: bool = Field(default=False, description="Whether everybody who sees the token sees the bar.")

    @model_validator(mode="after")
    def _within_max(self) -> Self:
        if self.value > self.max:
            raise PydanticCustomError("above_maximum", "value may not be more than max")
        return self


def _distinct(bars: list[Bar]) -> list[Bar]:
    if len({bar.name for bar in bars}) < len(bars):
        raise PydanticCustomError("not_unique", "names of bars must be unique")
    return bars


_Bars = Annotated[list[Bar], Constraint(max_length=_MAX_BARS), AfterValidator(_distinct)]
_CharacterId = Annotated[
    UUID | None, Field(description="A character of the universe. Its grants also apply to the token.")
]
_Picture = Annotated[
    UUID | None, Field(description="The id of a picture of the universe that you may see, or null.")
]
_Hidden = Annotated[
    bool, Field(description="Whether only game masters, and members with the grant `see`, see the token.")
]
_EXAMPLE = {
    "name": "Goblin",
    "x": 3,
    "y": 1,
    "disposition": "hostile",
    "sight": {"range": 12, "darkvision": 12},
    "bars": [{"name": "hit points", "value": 7, "max": 7}],
}


class TokenRead(ApiModel):
    """A token, with the fields that you may see."""

    id: UUID
    universe_id: UUID
    map_id: UUID
    character_id: UUID | None = unset("Only present with the right `sheet`.")
    name: str
    x: Coordinate
    y: Coordinate
    size: Annotated[float, _AsJson]
    rotation: _Degrees
    elevation: _Elevation
    asset_id: UUID | None
    color: _Color | None
    disposition: Disposition
    hidden: bool
    sight: Sight | None = unset(
        "Null if the token has the sight of its character, or none. Only present with the right `sheet`."
    )
    light: TokenLight | None
    conditions: list[str]
    bars: list[Bar] = Field(description="With the right `sheet`, all bars, otherwise the public ones.")
    grants: Grants = Field(description="Game masters see all grants, others only those that apply to them.")
    properties: dict[str, Any] = unset("Only present with the right `sheet`.")
    gm: Any = unset("Not for players.")
    version: int = unset("Incremented by each change; also the ETag. Absent for players.")
    created_at: Timestamp
    updated_at: Timestamp = unset("Not for players.")


class TokenList(ApiModel):
    """The tokens on a map that you may see."""

    items: list[TokenRead]


class TokenCreate(ApiModel):
    """Creates a token on a map."""

    model_config = example(_EXAMPLE)

    name: Name = unset("Default: that of its character.")
    x: Coordinate
    y: Coordinate
    character_id: _CharacterId = None
    size: _Size = 1
    rotation: _Degrees = 0
    elevation: _Elevation = 0
    asset_id: _Picture = None
    color: _Color | None = None
    disposition: Disposition = Disposition.neutral
    hidden: _Hidden = False
    sight: Sight | None = None
    light: TokenLight | None = None
    conditions: _Conditions = Field(default_factory=list)
    bars: _Bars = Field(default_factory=list)
    grants: Grants = Field(default_factory=dict)
    properties: _Properties = Field(default_factory=dict)
    gm: GameMastersOnly = None


class TokenPatch(ApiModel):
    """Changes the fields that it contains. With the right `act`, players may change name, color, rotation,
    elevation, conditions and bars."""

    model_config = example({"conditions": ["prone"]})

    name: Name = unset()
    x: Coordinate = unset()
    y: Coordinate = unset()
    character_id: _CharacterId = None
    size: _Size = unset()
    rotation: _Degrees = unset()
    elevation: _Elevation = unset()
    asset_id: _Picture = None
    color: _Color | None = None
    disposition: Disposition = unset()
    hidden: _Hidden = unset()
    sight: Sight | None = None
    light: TokenLight | None = None
    conditions: _Conditions = unset()
    bars: _Bars = unset()
    grants: Grants = unset()
    properties: _Properties = unset()
    gm: GameMastersOnly = None


class BarAmount(ApiModel):
    """An amount by which a bar changes."""

    model_config = example({"amount": 7})

    amount: _Points
    bar: _Word = unset("The name of the bar. Default: the first one.")


@describes("token.created", "token.updated")
class TokenChanged(Payload):
    """A token was created or changed: its fields with their new values, as far as all recipients of the event may
    see them."""

    map_id: UUID = optional()
    character_id: UUID | None = optional()
    name: str = optional()
    x: float = optional()
    y: float = optional()
    size: float = optional()
    rotation: float = optional()
    elevation: float = optional()
    asset_id: UUID | None = optional()
    color: str | None = optional()
    disposition: Disposition = optional()
    hidden: bool = optional()
    sight: Sight | None = optional()
    light: TokenLight | None = optional()
    conditions: list[str] = optional()
    bars: list[Bar] = optional("All bars. For players, those that all recipients may see.")
    grants: Grants = optional("Not for players.")
    properties: dict[str, Any] = optional()
    gm: Any = optional("Not for players.")
    version: int = optional("Not for players.")


@describes("token.damaged", "token.healed")
class TokenPoints(TokenChanged):
    """The value of a bar of a token changed."""

    bar: str = optional("The bar's name.")
    amount: int = optional()


@describes("token.moved")
class TokenMoved(Payload):
    """A token moved: its new position, and the positions on its way."""

    map_id: UUID = optional()
    x: float = optional()
    y: float = optional()
    cells: list[dict[str, int]] = optional("The positions of the move, including the first and the last.")
    cost: float = optional("In the map's unit. Absent for players.")
    version: int = optional("Not for players.")


@describes("token.move_undone", "token.move_redone")
class TokenMoveUndoOrRedo(TokenMoved):
    """A move was undone or redone."""

    of: int = optional("The number of the move's event. Absent for players.")


@describes("token.deleted")
class TokenDeleted(Named):
    """A token was deleted."""

    map_id: UUID = optional()
