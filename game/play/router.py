"""Endpoints of paths, sight, distances and areas of effect on maps."""

import re
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from game.accounts.current import CurrentUser
from game.core.compute import Computing
from game.core.database import Session
from game.core.errors import FieldError, NotFound, Unauthorized, Unprocessable, documented
from game.core.strict_json import StrictRoute
from game.grid import area, sight
from game.grid.distance import distance
from game.grid.geometry import Cell
from game.grid.paths import MODES, SIZES, Walker
from game.maps import queries as maps
from game.maps.models import AsMember, Map
from game.play import queries, work
from game.play.models import AreaRead, DistanceRead, PathRead, SightRead
from game.play.seen import HEAVY, map_as_seen

router = APIRouter(
    prefix="/maps",
    tags=["Playing"],
    route_class=StrictRoute,
    responses=documented(Unauthorized, NotFound, Unprocessable),
)

CellText = Annotated[
    str | None,
    Query(
        max_length=20,
        description="A cell as `x,y` (column, row).",
        examples=["3,4"],
        json_schema_extra={"pattern": "^[0-9]{1,4},[0-9]{1,4}$"},
    ),
]
Number = Annotated[int | None, Query(ge=0, le=4095, description="Column or row of a cell, instead of `x,y`.")]
_WALKERS = f"({'|'.join([*SIZES, *MODES])})"


def _refuse(field: str, code: str, message: str) -> Unprocessable:
    return Unprocessable(errors=[FieldError(field, code, message)])


class _CellParameter(NamedTuple):
    """A cell in a query: as `name=3,4`, or as two numbers."""

    name: str
    text: str | None
    x: int | None
    y: int | None

    def on(self, row: Map) -> Cell:
        """The cell, on a map.

        Raises:
            Unprocessable: it is missing, given twice, or not on the map.
        """
        numbers = [number for number in (self.x, self.y) if number is not None]
        if len(numbers) != (2 if self.text is None else 0):
            raise _refuse(self.name, "not_a_cell", "Give a cell either as x,y or as two numbers, and only once.")
        if self.text is not None:
            match = re.fullmatch(r"(\d{1,4}),(\d{1,4})", self.text)
            if match is None:
                raise _refuse(self.name, "not_a_cell", "A cell is written as x,y, such as 3,4.")
            x, y = int(match[1]), int(match[2])
        else:
            x, y = numbers
        if x >= row.width or y >= row.height:
            raise _refuse(self.name, "out_of_bounds", f"Not on the map of {row.width} x {row.height} cells.")
        return x, y


def _start(
    start: Annotated[CellText, Query(alias="from")] = None, x: Number = None, y: Number = None
) -> _CellParameter:
    return _CellParameter("from", start, x, y)


def _goal(to: CellText = None, to_x: Number = None, to_y: Number = None) -> _CellParameter:
    return _CellParameter("to", to, to_x, to_y)


Start = Annotated[_CellParameter, Depends(_start)]
Goal = Annotated[_CellParameter, Depends(_goal)]


def _cells(cells: Any) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in cells]


@router.get("/{id}/path", response_model=PathRead, responses=HEAVY)
async def find_path(
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    start: Start,
    goal: Goal,
    walker: Annotated[
        str,
        Query(
            max_length=100,
            description="A size, a kind of movement, or both: `large`, `fly`, `large,fly`.",
            json_schema_extra={"pattern": f"^({_WALKERS}(,{_WALKERS})*)?$"},
        ),
    ] = "",
) -> Any:
    """Find the cheapest path between two cells by the 5e rules, around walls, doors and difficult terrain.

    The cells are `from=1,1&to=5,3`, or `x=1&y=1&to_x=5&to_y=3`.
    """
    viewed = await map_as_seen(session, user, id, "findPath")
    try:
        who = Walker.of(walker)
    except ValueError as error:
        raise _refuse("walker", "not_an_option", str(error)) from None
    cells = start.on(viewed.found.row), goal.on(viewed.found.row)
    await session.close()
    path = await computing.run(user.id, work.find_path, viewed.seen, *cells, who, load=viewed.load)
    return {**path._asdict(), "cells": _cells(path.cells)}


@router.get("/{id}/sight", response_model=SightRead, responses=HEAVY)
async def read_sight(
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    start: Start,
    range: Annotated[float, Query(ge=0, le=sight.MAX_RANGE, description="In cells.")] = 12,
    as_id: AsMember = None,
) -> Any:
    """Find the cells that are visible from a cell, `x=1&y=1` or `from=1,1`, and the entities in them.

    On a map with fog, the response is based on what you know of the map.
    """
    viewed = await map_as_seen(session, user, id, "readSight", as_id)
    cell = start.on(viewed.found.row)
    await session.close()
    view, entities = await computing.run(user.id, work.see, viewed.seen, cell, range, load=viewed.load)
    return {**view._asdict(), "entities": entities}


@router.get("/{id}/distance", response_model=DistanceRead)
async def read_distance(id: UUID, user: CurrentUser, session: Session, start: Start, goal: Goal) -> Any:
    """Measure the distance between two cells, in cells and in the map's unit. Give the cells as for a path."""
    row = (await maps.get(session, user, id, "readDistance", with_grid=False)).row
    cells = start.on(row), goal.on(row)
    return distance(await queries.grid_of(session, row), *cells)._asdict()


@router.get("/{id}/area", response_model=AreaRead, responses=HEAVY)
async def read_area(
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    shape: Annotated[area.Shape, Query()],
    x: Annotated[
        float,
        Query(ge=-4096, le=8192, description="The origin of the effect, in cells; 2.5 is the centre of a cell."),
    ],
    y: Annotated[float, Query(ge=-4096, le=8192)],
    size: Annotated[float, Query(ge=0, le=100_000, description="Length, side or radius, in the map's unit.")],
    direction: Annotated[
        float, Query(ge=-360, le=360, description="Degrees clockwise on the screen: 0 right, 90 down.")
    ] = 0,
    line_width: Annotated[
        float | None,
        Query(ge=0, le=100_000, description="The width of a line, in the map's unit. Default: one cell."),
    ] = None,
    rule: Annotated[
        area.Rule,
        Query(
            description="`centre`: cells whose centre is inside. `template`: whole squares as on a battle map (a "
            "15 ft cone has 1 + 2 + 3), on square and isometric maps; on others, the same as `centre`."
        ),
    ] = "centre",
) -> Any:
    """Find the cells that an effect covers: a cone, cube, sphere, cylinder or line of the 5e rules."""
    row = (await maps.get(session, user, id, "readArea", with_grid=False)).row
    grid = await queries.grid_of(session, row)
    await session.close()
    arguments = (grid, row.width, row.height, shape, (x, y), size, direction, line_width, rule)
    try:
        covered = await computing.run(user.id, area.area, *arguments)
    except ValueError as error:
        raise _refuse("size", "out_of_range", str(error)) from None
    return {"cells": _cells(covered)}
