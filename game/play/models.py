"""What the endpoints of playing answer."""

from typing import Any, Literal

from sqlmodel import Field

from game.core.models import Shape, example, unset


class CellShape(Shape):
    """A cell: column and row, from the top left."""

    x: int
    y: int


class PathRead(Shape):
    """The cheapest way, or why there is none."""

    found: bool
    cells: list[CellShape] = Field(description="From the start to the goal, both included.")
    cost: float = Field(description="The movement it takes, in `unit`.")
    distance: float = Field(description="How long it is, in `unit`.")
    unit: str
    reason: str | None = Field(description="Why there is no way, for people; null if there is one.")


class SightRead(Shape):
    """What is visible: a mask over a rectangle, and the entities in its visible cells."""

    x: int
    y: int
    width: int
    height: int
    rows: list[str] = Field(description="`1` for a visible cell, `0` for a hidden one.")
    entities: list[dict[str, Any]]


class DistanceRead(Shape):
    """How far two cells are apart, whatever lies between them."""

    cells: float
    distance: float = Field(description="In `unit`.")
    unit: str


class AreaRead(Shape):
    """The cells that an effect covers."""

    cells: list[CellShape]


class DoorChange(Shape):
    """Opens, closes or locks a door."""

    model_config = example({"state": "open"})

    state: Literal["open", "closed", "locked"]


class DoorResult(Shape):
    """What became of it."""

    seq: int | None = unset("The number of the event; null when the door was so already. Not for players.")
