"""The positions of tokens on their maps."""

from collections.abc import Mapping
from math import floor
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Double, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from game.core import models
from game.core.errors import FieldError, Unprocessable
from game.grid.geometry import GridType
from game.grid.moves import clamped, is_on_map
from game.grid.vision import anchor
from game.tokens.models import json_number


class MapRow(Protocol):
    """The map that a token is on, without its grid."""

    id: UUID
    universe_id: UUID
    width: int
    height: int
    fog: str

    @property
    def is_published(self) -> bool:
        """Whether members may read it."""


def position_payload(x: float, y: float) -> dict[str, int | float]:
    """A position as in events."""
    return {"x": json_number(x), "y": json_number(y)}


def require_place(map_row: MapRow, grid_type: GridType, x: float, y: float, size: float) -> None:
    """Check that a token of this size can be at this place of a map.

    Raises:
        Unprocessable: it would be outside the map, or between cells.
    """
    if grid_type == "none":
        fits = x + size <= map_row.width and y + size <= map_row.height
    else:
        for name, value in (("x", x), ("y", y)):
            if not float(value).is_integer():
                message = "Must be a whole number, because this map has a grid."
                raise Unprocessable(errors=[FieldError(name, "not_whole", message)])
        fits = is_on_map(grid_type, anchor(grid_type, x, y, size), size, map_row.width, map_row.height)
    if not fits:
        message = f"The map is {map_row.width} x {map_row.height} cells: the token would not be on it."
        raise Unprocessable(errors=[FieldError("x", "out_of_bounds", message)])


class Placed(NamedTuple):
    """The tokens that a change of a map has moved, as in events: all of them, and those that are not hidden."""

    tokens: list[dict[str, Any]]
    shown: list[dict[str, Any]]

    def for_game_masters(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload with all moved tokens."""
        return {**payload, "tokens": self.tokens} if self.tokens else dict(payload)

    def for_others(self, payload: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The payload with the moved tokens that are not hidden."""
        if payload is None:
            return None
        return {**payload, "tokens": self.shown} if self.shown else dict(payload)


_POSITIONS = text("""
    SELECT id, x, y, size, hidden FROM token
    WHERE universe_id = :universe_id AND map_id = :map_id ORDER BY id
""")
_SET_POSITIONS = text("""
    UPDATE token t SET x = placed.x, y = placed.y, version = t.version + 1, updated_at = :now
    FROM unnest(:ids, :xs, :ys) AS placed (id, x, y)
    WHERE t.universe_id = :universe_id AND t.id = placed.id
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)), *(bindparam(name, type_=ARRAY(Double)) for name in ("xs", "ys"))
)


async def fit_tokens(
    session: AsyncSession,
    universe_id: UUID,
    map_id: UUID,
    grid_type: GridType,
    size: tuple[int, int],
    shift: tuple[int, int] = (0, 0),
) -> Placed:
    """Move the tokens of a locked map after a change of its size or grid type, or after its cells were shifted.

    Tokens that would be outside are moved to the edge, and those between cells to a cell.
    """
    map_key = {"universe_id": universe_id, "map_id": map_id}
    moved = []
    for one in await session.execute(_POSITIONS, map_key):
        x, y = clamped(grid_type, one.x + shift[0], one.y + shift[1], one.size, *size)
        if grid_type != "none":
            x, y = floor(x), floor(y)
        if (x, y) != (one.x, one.y):
            moved.append((one, {"id": one.id, "x": json_number(x), "y": json_number(y)}))
    if moved:
        columns = {name: [place[name] for _, place in moved] for name in ("id", "x", "y")}
        await session.execute(
            _SET_POSITIONS,
            {**map_key, **{f"{name}s": column for name, column in columns.items()}, "now": models.now()},
        )
    return Placed([place for _, place in moved], [place for one, place in moved if not one.hidden])
