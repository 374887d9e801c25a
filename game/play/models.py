"""The request and response models of play."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field as Constraint
from pydantic import model_validator
from pydantic_core import PydanticCustomError
from sqlmodel import Field

from game.core.models import ApiModel, example, unset
from game.grid.moves import MAX_PATH
from game.tokens.models import Coordinate


class CellShape(ApiModel):
    """A cell: column and row, from the top left."""

    x: int
    y: int


class PathRead(ApiModel):
    """The cheapest path, or why there is none."""

    found: bool
    cells: list[CellShape] = Field(description="The cells from start to destination, both included.")
    cost: float = Field(description="The movement cost, in `unit`.")
    distance: float = Field(description="The length, in `unit`.")
    unit: str
    reason: str | None = Field(description="Why there is no path, as text for users; null if there is one.")


class SightRead(ApiModel):
    """What is visible: a mask over a rectangle, and the entities in its visible cells."""

    x: int
    y: int
    width: int
    height: int
    rows: list[str] = Field(description="`1` for a visible cell, `0` for a hidden one.")
    entities: list[dict[str, Any]]


class DistanceRead(ApiModel):
    """The distance between two cells, regardless of what lies between them."""

    cells: float
    distance: float = Field(description="In `unit`.")
    unit: str


class AreaRead(ApiModel):
    """The cells that an effect covers."""

    cells: list[CellShape]


class DoorChange(ApiModel):
    """Opens, closes or locks a door."""

    model_config = example({"state": "open"})

    state: Literal["open", "closed", "locked"]


class DoorResult(ApiModel):
    """The result of the change."""

    seq: int | None = unset(
        "The number of the event; null if the door was already in this state. Absent for players."
    )


class Position(ApiModel):
    """A position of a token: its top left cell or, on maps without a grid, a point."""

    x: Coordinate
    y: Coordinate


class MoveRequest(ApiModel):
    """Moves a token along `path`, in which each position is next to the one before, or to the place `x`, `y`."""

    model_config = example({"path": [{"x": 3, "y": 2}, {"x": 4, "y": 3}]})

    path: Annotated[list[Position], Constraint(max_length=MAX_PATH)] = unset(
        "May begin with the token's position."
    )
    x: Coordinate = unset()
    y: Coordinate = unset()
    force: bool = Field(
        default=False, description="For game masters: move through everything, to the last position."
    )

    @model_validator(mode="after")
    def _path_or_place(self) -> Self:
        given = self.model_fields_set & {"path", "x", "y"}
        if given not in ({"path"}, {"x", "y"}):
            raise PydanticCustomError("path_or_place", "give either `path`, or `x` and `y`")
        return self


class ObstructionBy(ApiModel):
    """What was in the way."""

    kind: Literal["wall", "door", "cell", "edge"]
    id: str = unset("Only if you see it.")


class ObstructionRead(ApiModel):
    """Where something was in the way: the position that the token could not step to."""

    at: Position
    by: ObstructionBy


class MoveRead(ApiModel):
    """The result of a move."""

    x: Coordinate
    y: Coordinate
    cells: list[Position] = Field(description="The positions of the move, including the first and the last.")
    cost: float = Field(description="In the map's unit.")
    stopped: ObstructionRead | None = Field(
        description="What stopped the token, if it was stopped by something that you did not know of."
    )
    version: int = unset("The token's new version. Absent for players.")
    seq: int = unset("The number of the event, if the token moved. Absent for players.")
