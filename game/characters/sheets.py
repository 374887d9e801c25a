"""The sheet of a character: any JSON object, of which some keys are validated; and the rules of hit points.

The rules are those of the System Reference Document 5.1 (CC-BY-4.0): "Ability Scores", "Damage and Healing",
"Temporary Hit Points", "Appendix PH-A: Conditions".
"""

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from game.core.bounded import Checked, bounded

MAX_BYTES: Final = 256 * 2**10
MAX_AMOUNT: Final = 1_000_000
"""The maximum of hit points, and of damage in one request."""


def _optional(description: str | None = None) -> Any:
    """A key that may be absent, but not null."""
    return Field(default_factory=lambda: None, description=description)


class _Part(BaseModel):
    """A part of a sheet. It takes more keys: games have their own."""

    model_config = ConfigDict(extra="allow", strict=True)


Score = Annotated[int, Field(ge=1, le=30)]
Points = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
Distance = Annotated[float, Field(ge=0, le=100_000)]
Saves = Annotated[int, Field(ge=0, le=3)]


class Abilities(_Part):
    """Ability scores."""

    strength: Score = _optional()
    dexterity: Score = _optional()
    constitution: Score = _optional()
    intelligence: Score = _optional()
    wisdom: Score = _optional()
    charisma: Score = _optional()


class HitPoints(_Part):
    """Hit points."""

    current: Points
    maximum: Points
    temporary: Points = Field(default=0)

    @model_validator(mode="after")
    def _within_maximum(self) -> Self:
        if self.current > self.maximum:
            raise PydanticCustomError("above_maximum", "current must not be more than maximum")
        return self


class Speed(_Part):
    """Speeds, in the unit of the maps' distances: feet by the 5e rules."""

    walk: Distance = _optional()
    fly: Distance = _optional()
    swim: Distance = _optional()
    climb: Distance = _optional()
    burrow: Distance = _optional()


class DeathSaves(_Part):
    """Death saving throws."""

    successes: Saves = _optional()
    failures: Saves = _optional()


class Senses(_Part):
    """Senses; ranges are in the unit of the maps' distances."""

    darkvision: Distance = _optional()
    blindsight: Distance = _optional()
    tremorsense: Distance = _optional()
    truesight: Distance = _optional()
    passive_perception: Annotated[int, Field(ge=0, le=100)] = _optional()


class Sheet(_Part):
    """A character sheet: any JSON. These keys are checked; they may be missing, and there may be others."""

    abilities: Abilities = _optional()
    level: Annotated[int, Field(ge=1, le=20)] = _optional()
    proficiency_bonus: Annotated[int, Field(ge=0, le=20)] = _optional()
    armor_class: Annotated[int, Field(ge=0, le=100)] = _optional()
    hit_points: HitPoints = _optional()
    speed: Speed = _optional()
    initiative_bonus: Annotated[int, Field(ge=-100, le=100)] = _optional()
    conditions: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=100)]], Field(max_length=100)
    ] = _optional("Names of conditions, such as `poisoned`, or other short words.")
    exhaustion: Annotated[int, Field(ge=0, le=6)] = _optional()
    death_saves: DeathSaves = _optional()
    senses: Senses = _optional()


SheetData = Annotated[dict[str, Any], Checked(Sheet), bounded(MAX_BYTES)]
"""A validated sheet, as it was sent."""
SHEET: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(SheetData)


def damaged(points: dict[str, Any], amount: int) -> dict[str, Any]:
    """Hit points after damage: temporary ones are lost first, and neither value falls below 0."""
    temporary = points.get("temporary", 0)
    absorbed = min(temporary, amount)
    left = {**points, "current": max(points["current"] - (amount - absorbed), 0)}
    return {**left, "temporary": temporary - absorbed} if absorbed else left


def healed(points: dict[str, Any], amount: int) -> dict[str, Any]:
    """Hit points after healing: up to the maximum. Healing restores no temporary ones."""
    return {**points, "current": min(points["current"] + amount, points["maximum"])}
