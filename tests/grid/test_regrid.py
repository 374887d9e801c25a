"""Changing the type of a grid: what was apart stays apart, and what does not fit is named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.canvas import run
from game.grid.changes import inverse
from game.grid.document import GridError
from game.grid.geometry import HEXES, Grid, GridType, cell_at, neighbours
from game.grid.paths import find
from game.grid.regrid import DoesNotFit, door, light, wall
from tests.grid.maps import Store

TYPES: tuple[GridType, ...] = ("square", "hex_row", "hex_column", "isometric", "none")
SIDE = 6


def document(grid_type: GridType, **things: Any) -> dict[str, Any]:
    rows = ["." * SIDE] * SIDE
    return {"grid_type": grid_type, "legend": [{"symbol": "."}], "layers": [{"name": "a", "rows": rows}], **things}


def can_step(map_: dict[str, Any], one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one step leads from a cell to its neighbour."""
    store = Store(map_)
    path = run(find(store.frame, SIDE, SIDE, one, other), store.load)
    return len(path.cells) == 2


@pytest.mark.parametrize("new", HEXES)
def test_a_wall_on_squares_parts_the_same_cells_on_hexes(new: GridType) -> None:
    level = {"id": "w", "x1": 1, "y1": 3, "x2": 5, "y2": 3}
    pieces = wall("square", new, level, SIDE, SIDE)
    assert len(pieces) > 1
    map_ = document(new, walls=pieces)
    for x in range(1, 5):
        for other in neighbours(Grid(new), (x, 2)):
            if other[1] == 3 and 1 <= other[0] < 5:
                assert not can_step(map_, (x, 2), other)
    assert can_step(map_, (2, 1), (2, 2))
    assert can_step(document(new, walls=[]), (2, 2), (2, 3))


@pytest.mark.parametrize("old", HEXES)
def test_a_zigzag_becomes_a_straight_wall_on_squares(old: GridType) -> None:
    level = {"x1": 1, "y1": 3, "x2": 4, "y2": 3}
    back = [piece for one in wall("square", old, level, SIDE, SIDE) for piece in pieces_back(old, one)]
    rows = {(piece["y1"], piece["y2"]) for piece in back}
    assert rows == {(3, 3)}
    assert {1, 2, 3} <= {x for piece in back for x in range(int(piece["x1"]), int(piece["x2"]))}


def pieces_back(old: GridType, one: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return wall(old, "square", one, SIDE, SIDE)
    except DoesNotFit:
        return []


@given(st.sampled_from(TYPES), st.sampled_from(TYPES), st.floats(0.1, 4.9), st.floats(0.1, 4.9))
def test_a_light_stays_in_its_cell(old: GridType, new: GridType, x: float, y: float) -> None:
    moved = light(old, new, {"x": x, "y": y, "range": 3})
    assert moved["range"] == 3
    assert cell_at(new, moved["x"], moved["y"]) == cell_at(old, x, y)


@pytest.mark.parametrize("new", HEXES)
def test_a_door_in_a_wall_still_opens_a_way(new: GridType) -> None:
    closed = {"id": "d", "x1": 2, "y1": 3, "x2": 3, "y2": 3, "state": "closed"}
    walls = [{"id": "w", "x1": 0, "y1": 3, "x2": 2, "y2": 3}, {"id": "v", "x1": 3, "y1": 3, "x2": 6, "y2": 3}]
    store = Store(document("square", doors=[closed], walls=walls))
    before = store.document()
    change = store.edit({"op": "update_map", "changes": {"grid_type": new}})
    [moved] = store.document()["doors"]
    assert {**moved, **{key: closed[key] for key in ("x1", "y1", "x2", "y2")}} == closed
    assert not can_step(store.document(), (2, 2), (2, 3))
    store.edit({"op": "update_door", "id": "d", "changes": {"state": "open"}})
    assert can_step(store.document(), (2, 2), (2, 3))
    store.edit({"op": "update_door", "id": "d", "changes": {"state": "closed"}})
    store.replay(inverse(change))
    assert {**store.document(), "width": 0, "height": 0} == {**before, "width": 0, "height": 0}


def test_what_does_not_fit_is_named() -> None:
    inside = {"id": "pillar", "x1": 2.1, "y1": 2.25, "x2": 2.2, "y2": 2.3}
    wide = {"id": "gate", "x1": 1, "y1": 3, "x2": 4, "y2": 3}
    store = Store(document("square", walls=[inside], doors=[wide]))
    with pytest.raises(GridError) as error:
        store.edit({"op": "update_map", "changes": {"grid_type": "hex_row"}})
    assert [(one.place, one.code, one.message.split(" ")[:2]) for one in error.value.violations] == [
        ("edits[0].changes.grid_type", "does_not_fit", ["walls[0]", "(pillar)"]),
        ("edits[0].changes.grid_type", "does_not_fit", ["doors[0]", "(gate)"]),
    ]
    assert door("square", "hex_row", {"x1": 2, "y1": 3, "x2": 3, "y2": 3}, SIDE, SIDE)


@pytest.mark.parametrize("new", ["isometric", "none", None])
def test_types_of_the_same_plane_change_nothing_else(new: str | None) -> None:
    wall_ = {"id": "w", "x1": 0.5, "y1": 0, "x2": 3, "y2": 2}
    store = Store(document("square", walls=[wall_], lights=[{"x": 1, "y": 1}]))
    store.edit({"op": "update_map", "changes": {"grid_type": new}})
    assert (store.document()["walls"], store.document()["lights"]) == ([wall_], [{"x": 1, "y": 1}])
