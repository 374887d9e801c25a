"""Endpoints of playing on maps."""

import asyncio
import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import FieldError, NotFound, Unauthorized, Unprocessable, documented
from game.core.strict_json import StrictRoute
from game.grid import area, paths, sight
from game.grid.distance import distance
from game.grid.geometry import Cell, Grid
from game.maps import queries as maps
from game.maps.models import Map
from game.play.models import AreaRead, DistanceRead, PathRead, SightRead

router = APIRouter(
    prefix="/maps",
    tags=["Playing"],
    route_class=StrictRoute,
    responses=documented(Unauthorized, NotFound, Unprocessable),
)

_LARGE_RANGE = 12

CellText = Annotated[str, Query(max_length=20, description="A cell as `x,y`.", examples=["3,4"])]
Column = Annotated[int, Query(ge=0, le=4095)]


def _refuse(field: str, code: str, message: str) -> Unprocessable:
    return Unprocessable(errors=[FieldError(field, code, message)])


def _cell(row: Map, name: str, value: str) -> Cell:
    match = re.fullmatch(r"(\d{1,4}),(\d{1,4})", value)
    if match is None:
        raise _refuse(name, "not_a_cell", "A cell is written as x,y: 3,4.")
    return _on_map(row, name, int(match[1]), int(match[2]))


def _on_map(row: Map, name: str, x: int, y: int) -> Cell:
    if x >= row.width or y >= row.height:
        raise _refuse(name, "out_of_bounds", f"The map ends before: it is {row.width} x {row.height}.")
    return x, y


def _cells(cells: Any) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in cells]


@router.get("/{id}/path", response_model=PathRead)
async def find_path(
    id: UUID,
    user: CurrentUser,
    session: Session,
    start: Annotated[CellText, Query(alias="from")],
    to: CellText,
    walker: Annotated[
        str, Query(max_length=100, description="A size and a way of moving: `large`, `fly`, `large,fly`.")
    ] = "",
) -> Any:
    """Find the cheapest path between two cells by the 5e rules, around walls, doors and difficult terrain."""
    row = await maps.get(session, user, id)
    try:
        who = paths.Walker.of(walker)
    except ValueError as error:
        raise _refuse("walker", "not_an_option", str(error)) from None
    steps = paths.find(row.grid_data, row.width, row.height, _cell(row, "from", start), _cell(row, "to", to), who)
    path = await maps.follow(session, row, steps, large=True)
    return {**path._asdict(), "cells": _cells(path.cells)}


@router.get("/{id}/sight", response_model=SightRead)
async def read_sight(
    id: UUID,
    user: CurrentUser,
    session: Session,
    x: Column,
    y: Column,
    range: Annotated[float, Query(ge=0, le=sight.MAX_RANGE, description="In cells.")] = 12,
) -> Any:
    """Find what is visible from a cell: the cells, and the entities in them."""
    row = await maps.get(session, user, id)
    steps = sight.view(row.grid_data, row.width, row.height, _on_map(row, "x", x, y), range)
    view = await maps.follow(session, row, steps, large=range > _LARGE_RANGE)
    entities = [one for one in row.grid_data.get("entities", ()) if sight.shows(view, one["x"], one["y"])]
    return {**view._asdict(), "entities": entities}


@router.get("/{id}/distance", response_model=DistanceRead)
async def read_distance(
    id: UUID, user: CurrentUser, session: Session, start: Annotated[CellText, Query(alias="from")], to: CellText
) -> Any:
    """Measure how far two cells are apart, in cells and in the map's unit."""
    row = await maps.get(session, user, id)
    grid = Grid.of(row.grid_data)
    return distance(grid, _cell(row, "from", start), _cell(row, "to", to))._asdict()


@router.get("/{id}/area", response_model=AreaRead)
async def read_area(
    id: UUID,
    user: CurrentUser,
    session: Session,
    shape: Annotated[area.Shape, Query()],
    x: Annotated[
        float, Query(ge=-4096, le=8192, description="Where it begins, in cells: 2.5 is a cell's middle.")
    ],
    y: Annotated[float, Query(ge=-4096, le=8192)],
    size: Annotated[float, Query(ge=0, le=100_000, description="Length, side or radius, in the map's unit.")],
    direction: Annotated[
        float, Query(ge=-360, le=360, description="Degrees clockwise on the screen: 0 right, 90 down.")
    ] = 0,
    line_width: Annotated[
        float | None, Query(ge=0, le=100_000, description="Of a line, in the map's unit; none: one cell.")
    ] = None,
) -> Any:
    """Find the cells that an effect covers: a cone, cube, sphere, cylinder or line of the 5e rules."""
    row = await maps.get(session, user, id)
    grid = Grid.of(row.grid_data)
    try:
        covered = await asyncio.to_thread(
            area.area, grid, row.width, row.height, shape, (x, y), size, direction, line_width
        )
    except ValueError as error:
        raise _refuse("size", "out_of_range", str(error)) from None
    return {"cells": _cells(covered)}
