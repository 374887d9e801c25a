"""What the endpoints of playing take and answer."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field as Constraint
from pydantic import model_validator
from pydantic_core import PydanticCustomError
from sqlmodel import Field

from game.core.models import Shape, example, unset
from game.grid.moves import MAX_PATH
from game.tokens.models import Coordinate


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


class Position(Shape):
    """A position of a token: its top left cell, or a point on maps without a grid."""

    x: Coordinate
    y: Coordinate


class MoveRequest(Shape):
    """Moves a token: `path` along these positions, each beside the one before; `x` and `y` to that place."""

    model_config = example({"path": [{"x": 3, "y": 2}, {"x": 4, "y": 3}]})

    path: Annotated[list[Position], Constraint(max_length=MAX_PATH)] = unset("May begin with its own position.")
    x: Coordinate = unset()
    y: Coordinate = unset()
    force: bool = Field(default=False, description="Through everything, to the last position. For game masters.")

    @model_validator(mode="after")
    def _path_or_place(self) -> Self:
        given = self.model_fields_set & {"path", "x", "y"}
        if given not in ({"path"}, {"x", "y"}):
            raise PydanticCustomError("path_or_place", "give either `path`, or `x` and `y`")
        return self


class ObstructionBy(Shape):
    """What was in the way."""

    kind: Literal["wall", "door", "cell", "edge"]
    id: str = unset("Only of what you see.")


class ObstructionRead(Shape):
    """Where something was in the way: the position that the token could not step to."""

    at: Position
    by: ObstructionBy


class MoveRead(Shape):
    """Where a token stands after a move."""

    x: Coordinate
    y: Coordinate
    cells: list[Position] = Field(description="The positions on its way, the first and the last included.")
    cost: float = Field(description="In the map's unit.")
    stopped: ObstructionRead | None = Field(description="What ended the move before, that you did not know of.")
    version: int = unset("The token's version now. Not for players.")
    seq: int = unset("The number of the event, if it moved. Not for players.")
