"""The models of a bundle's content, and the payloads of its events by kind.

A kind that is not listed here may come from a newer server. Its payload may be any JSON that passes the general
checks; no code relies on it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from game.characters.sheets import SheetData
from game.core.bounded import GameMastersOnly
from game.core.json_gate import MAX_STRING
from game.core.names import MAX_DESCRIPTION, MAX_MESSAGE, MAX_NAME, Description, Name
from game.dice.syntax import MAX_NUMBER
from game.fog.models import Fog, FogSharing, Lighting
from game.rolls.terms import MAX_EXPRESSION, MAX_REASON, Term
from game.tokens.models import TokenCreate

_MAX_RESULT = 100_000
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Text = Annotated[str, StringConstraints(max_length=MAX_NAME)]
Number = Annotated[int, Field(ge=1, lt=2**31, strict=True)]
Seq = Annotated[int, Field(ge=1, lt=2**53, strict=True)]
Id = Annotated[str, StringConstraints(max_length=64)]
_Coordinate = Annotated[float, Field(ge=0, le=4096)] | None
_Round = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Counted = dict[str, Annotated[int, Field(strict=True, ge=0)] | list[str]]


class Fields(BaseModel):
    """Fields that are read from a bundle; others are ignored."""


class BundledUniverse(Fields):
    """A universe in a bundle."""

    name: Name
    description: Description = ""
    active_map_id: Id | None = None


class BundledAsset(Fields):
    """A picture in a bundle."""

    name: Name = "picture"


class BundledMap(Fields):
    """A map in a bundle."""

    name: Name
    description: Description = ""
    visibility: Literal["game_masters", "members"] = "game_masters"
    fog: Fog = Fog.off
    fog_sharing: FogSharing = FogSharing.party
    lighting: Lighting = Lighting.bright
    grid_data: dict[str, Any] = Field(default_factory=dict)
    version: Number = 1


_Grants = Annotated[
    dict[Literal["members"], list[Literal["see", "sheet", "sight", "act"]]], Field(default_factory=dict)
]
"""Drop grants to single users, because a file could name anybody."""


class BundledCharacter(Fields):
    """A character in a bundle."""

    id: Id
    name: Name
    kind: Literal["player", "nonplayer"]
    asset_id: Id | None = None
    grants: _Grants
    sheet: SheetData = Field(default_factory=dict)
    gm: GameMastersOnly = None
    version: Number = 1


class BundledToken(TokenCreate, Fields):
    """A token in a bundle."""

    model_config = ConfigDict(extra="ignore")  # type: ignore[assignment]  # SQLModel narrows it

    id: Id
    map_id: Id
    name: Name
    # Ids are strings here, and only grants to all members are kept.
    character_id: Id | None = None  # type: ignore[assignment]  # narrower
    asset_id: Id | None = None  # type: ignore[assignment]  # narrower
    grants: _Grants  # type: ignore[assignment]  # narrower
    version: Number = 1


class BundledNote(Fields):
    """A note in a bundle."""

    id: Id
    title: Name
    body: Annotated[str, StringConstraints(max_length=MAX_STRING)] = ""
    grants: Annotated[dict[Literal["members"], list[Literal["see", "act"]]], Field(default_factory=dict)]
    map_id: Id | None = None
    x: _Coordinate = 0
    y: _Coordinate = 0
    version: Number = 1


class BundledEffect(Fields):
    """An effect on a combatant in a bundle."""

    name: Name
    rounds: Annotated[int, Field(ge=1, le=10_000, strict=True)] | None = None


class BundledCombatant(Fields):
    """A combatant in a bundle."""

    id: UUID
    token_id: Id | None = None
    character_id: Id | None = None
    name: Name
    initiative: Annotated[int | float, Field(ge=-1000, le=1000)] | None = None
    initiative_bonus: Annotated[int, Field(ge=-100, le=100)] = 0
    tiebreak: Annotated[int, Field(ge=0, lt=2**31)] = 0
    hidden: bool = False
    defeated: bool = False
    effects: Annotated[list[BundledEffect], Field(max_length=50)] = Field(default_factory=list)
    gm: GameMastersOnly = None


class BundledEncounter(Fields):
    """An encounter in a bundle, without its earlier turns."""

    id: Id
    name: Name
    map_id: Id | None = None
    state: Literal["prepared", "running", "ended"]
    round: _Round = 0
    turn: UUID | None = None
    shown_round: _Round = 0
    shown_turn: UUID | None = None
    combatants: Annotated[list[BundledCombatant], Field(max_length=500)]
    gm: GameMastersOnly = None
    version: Number = 1

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = {one.id for one in self.combatants}
        if len(ids) < len(self.combatants):
            raise ValueError("ids of combatants must be unique")
        if not {self.turn, self.shown_turn} <= ids | {None}:
            raise ValueError("turn must be that of a combatant")
        return self


class _Timed(Fields):
    """The base of records with a time."""

    created_at: AwareDatetime

    @field_validator("created_at")
    @classmethod
    def _plausible(cls, value: datetime) -> datetime:
        if not _EARLIEST <= value <= _LATEST:
            raise ValueError("must be between 1970 and 2200")
        return value


class BundledEvent(_Timed):
    """An event in a bundle."""

    seq: Seq
    kind: Annotated[str, StringConstraints(max_length=50, pattern=r"^([a-z]+\.[a-z_]+|private)$")]
    subject_id: Id
    payload: dict[str, Any]
    before: dict[str, Any] | None = None


class BundledRoll(_Timed):
    """A roll in a bundle. The roller and the proof are not imported, because a file could forge them."""

    id: Id
    expression: Annotated[str, StringConstraints(max_length=MAX_EXPRESSION)]
    total: Annotated[int, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, strict=True)]
    terms: Annotated[list[Term], Field(max_length=MAX_EXPRESSION)]
    text: Annotated[str, StringConstraints(max_length=_MAX_RESULT)]
    visibility: Literal["everyone", "game_masters", "blind"]
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] | None = None
    character_id: Id | None = None


class BundledMessage(_Timed):
    """A message to all members in a bundle. Its sender is not imported."""

    id: Id
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE)]
    character_id: Id | None = None


class _Payload(Fields):
    """The payload of an event."""


class _Named(_Payload):
    name: Text


class _Described(_Payload):
    name: Text | None = None
    description: Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION)] | None = None


class _Versioned(_Described):
    version: Number


class _Moved(_Named):
    to: Id


class _Arrived(_Versioned):
    origin: Id = Field(alias="from")


class _Replaced(_Versioned):
    grid_data: Literal["replaced"] | None = None


class _Restored(_Versioned):
    seq: Seq


class _Edited(_Versioned):
    edits: list[dict[str, Any]] | None = None
    touched: Counted = Field(default_factory=dict)


class _Turned(_Edited):
    of: Seq


class _Picture(_Named):
    media_type: Text


PAYLOADS: Final[Mapping[str, type[_Payload]]] = {
    "universe.created": _Described,
    "universe.imported": _Named,
    "universe.updated": _Versioned,
    "universe.deleted": _Named,
    "map.created": _Versioned,
    "map.updated": _Replaced,
    "map.moved_out": _Moved,
    "map.moved_in": _Arrived,
    "map.restored": _Restored,
    "map.edited": _Edited,
    "map.undone": _Turned,
    "map.redone": _Turned,
    "map.deleted": _Named,
    "asset.created": _Picture,
    "asset.deleted": _Picture,
}
CHANGES: Final = ("map.edited", "map.undone", "map.redone")
"""The kinds whose `before` is a change."""
