"""Obstacles."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.geometry import AXIAL, DIAGONAL, STRAIGHT, GridType, corners
from game.grid.obstacles import SCALE, Segment, can_open, crossings, opened_cells, survey
from tests.grid.grids import documents, whole


def touch(a: Segment, b: Segment) -> bool:
    """Whether two segments have a point in common, by the signs of their corners' areas."""

    def side(ax: int, ay: int, bx: int, by: int, cx: int, cy: int) -> int:
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        return (area > 0) - (area < 0)

    first, second = a[:2], a[2:]
    third, fourth = b[:2], b[2:]
    if side(*first, *second, *third) * side(*first, *second, *fourth) > 0:
        return False
    if side(*third, *fourth, *first) * side(*third, *fourth, *second) > 0:
        return False
    return all(
        max(min(a[i], a[i + 2]), min(b[i], b[i + 2])) <= min(max(a[i], a[i + 2]), max(b[i], b[i + 2]))
        for i in (0, 1)
    )


numbers = st.one_of(st.integers(-6, 6).map(lambda n: n * SCALE // 2), st.integers(-3 * SCALE, 3 * SCALE))


class TestCrossings:
    @given(st.tuples(numbers, numbers, numbers, numbers), st.booleans())
    def test_are_the_steps_that_touch_the_segment(self, segment: Segment, is_hex: bool) -> None:
        steps = [(1, 0), (0, 1), (1, -1)] + [(1, 1)] * (not is_hex)
        expected = {
            (u, v, du, dv)
            for u in range(-4, 5)
            for v in range(-4, 5)
            for du, dv in steps
            if touch(segment, (u * SCALE, v * SCALE, (u + du) * SCALE, (v + dv) * SCALE))
        }
        found = list(crossings(segment, is_hex, (-4, -4, 4, 4)))
        assert set(found) == expected

    @given(st.tuples(numbers, numbers, numbers, numbers), st.booleans())
    def test_stay_within_the_bounds(self, segment: Segment, is_hex: bool) -> None:
        everywhere = set(crossings(segment, is_hex, (-9, -9, 9, 9)))
        inside = {step for step in everywhere if -1 <= step[0] <= 2 and 0 <= step[1] <= 1}
        assert set(crossings(segment, is_hex, (-1, 0, 2, 1))) == inside

    def test_a_wall_without_end_takes_no_time(self) -> None:
        assert len(set(crossings((-(10**300), 384, 10**300, 384), False, (0, 0, 9, 9)))) == 30

    def test_half_of_all_steps_are_named(self) -> None:
        named = {(1, 0), (0, 1), (1, -1)}
        assert {(-u, -v) for u, v in named} | named == set(AXIAL)
        named |= {(1, 1)}
        assert {(-u, -v) for u, v in named} | named == set(STRAIGHT + DIAGONAL)


class TestSurvey:
    @given(documents(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 3))
    def test_equals_a_look_at_each_cell(
        self, document: dict[str, Any], x: int, y: int, width: int, height: int
    ) -> None:
        rows = [[row[x : x + width] for row in layer["rows"][y : y + height]] for layer in document["layers"]]
        found = survey(document, rows, x, y, width, height)
        legend = {entry["symbol"]: entry for entry in document["legend"]} | {" ": {}}
        opened = {
            cell
            for door in document["doors"]
            if door["state"] == "open"
            for cell in opened_cells(found.grid.type, door, x, y, width, height)
        }
        for index in range(width * height):
            stack = [legend[cells[index // width][index % width]] for cells in rows]
            stated = [entry["movement_cost"] for entry in stack if "movement_cost" in entry]
            shut = (x + index % width, y + index // width) not in opened
            assert found.solid[index] == (shut and any(entry.get("blocks_movement") for entry in stack))
            assert found.opaque[index] == (shut and any(entry.get("blocks_sight") for entry in stack))
            assert found.costs[found.terrain[index]] == (stated[-1] if stated else 1)

    def test_hidden_layers_and_layers_without_cells_do_not_count(self) -> None:
        layers = [{"name": "roof", "visible": False}, {"name": "notes"}]
        document = {"legend": [{"symbol": "#", "blocks_movement": True}], "layers": layers}
        assert survey(document, [["#"], None], 0, 0, 1, 1).solid == b"\0"

    def test_more_costs_than_a_byte_counts(self) -> None:
        symbols = [chr(0xE000 + n) for n in range(400)]
        legend = [{"symbol": symbol, "movement_cost": n} for n, symbol in enumerate(symbols)]
        layers = [{"name": "a"}, {"name": "b"}]
        rows = ["".join(symbols)], ["".join(reversed(symbols))]
        found = survey({"legend": legend, "layers": layers}, rows, 0, 0, 400, 1)
        assert [found.costs[n] for n in found.terrain] == [399 - n for n in range(400)]

    def test_a_door_counts_while_it_is_not_open(self) -> None:
        document = {"width": 2, "height": 1, "layers": []}
        counts = {}
        for state in ("open", "closed", "locked"):
            door = {"x1": 1, "y1": 0, "x2": 1, "y2": 1, "state": state}
            counts[state] = len(whole({**document, "doors": [door]}).barriers)
        assert counts == {"open": 0, "closed": 1, "locked": 1}

    def test_a_window_lets_light_through(self) -> None:
        wall = {"x1": 1, "y1": 0, "x2": 1, "y2": 1}
        document = {"width": 2, "height": 1, "layers": [], "walls": [{**wall, "blocks_sight": False}]}
        found = whole(document)
        assert (found.barriers, found.screens) == (((SCALE // 2, -SCALE // 2, SCALE // 2, SCALE // 2),), ())

    def test_walls_far_away_are_left_out(self) -> None:
        document = {"layers": [], "walls": [{"x1": 50, "y1": 0, "x2": 50, "y2": 9}]}
        assert survey(document, [], 0, 0, 9, 9).barriers == ()
        assert len(survey(document, [], 45, 0, 9, 9).barriers) == 1


ROOM = ["......", ".####.", ".#..#.", ".####.", "......"]


def room(*doors: dict[str, Any], rows: list[str] = ROOM, **more: Any) -> dict[str, Any]:
    """A room whose wall is drawn with cells, and doors."""
    legend = [{"symbol": "#", "blocks_movement": True, "blocks_sight": True}, {"symbol": "."}]
    layers = [{"name": "ground", "rows": rows}]
    return {"width": 6, "height": 5, "legend": legend, "layers": layers, "doors": list(doors), **more}


def blocking(document: dict[str, Any]) -> list[str]:
    """The map, with # for cells that block both, and . for those that block neither."""
    found = whole(document)
    assert found.solid == found.opaque
    return ["".join(".#"[cell] for cell in found.solid[y * 6 : y * 6 + 6]) for y in range(5)]


class TestDoorsOnCells:
    """An open door lets through the blocking cells that it lies on or at the edge of."""

    @pytest.mark.parametrize(
        ("ends", "rows"),
        [
            ((2, 1, 3, 1), ["......", ".#.##.", ".#..#.", ".####.", "......"]),
            ((3, 2, 2, 2), ["......", ".#.##.", ".#..#.", ".####.", "......"]),
            ((2, 1.5, 3, 1.5), ["......", ".#.##.", ".#..#.", ".####.", "......"]),
            ((2, 1, 4, 1), ["......", ".#..#.", ".#..#.", ".####.", "......"]),
            ((2, 1, 2, 2), ["......", "...##.", ".#..#.", ".####.", "......"]),
            ((1.5, 2, 1.5, 3), ["......", ".####.", "....#.", ".####.", "......"]),
            ((2.5, 2, 2.5, 2), ROOM),
            ((2.5, 0, 3.5, 0), ROOM),
        ],
    )
    def test_open_and_closed(self, ends: tuple[float, ...], rows: list[str]) -> None:
        door = dict(zip(("x1", "y1", "x2", "y2"), ends, strict=True))
        assert blocking(room({**door, "state": "open"})) == rows
        assert blocking(room({**door, "state": "closed"}, door, {**door, "state": "locked"})) == ROOM

    def test_is_the_same_in_every_rectangle(self) -> None:
        document = room({"x1": -1e300, "y1": 1.5, "x2": 1e300, "y2": 1.5, "state": "open"})
        assert blocking(document)[1] == "......"
        part = survey(document, [[row[2:4] for row in ROOM[1:3]]], 2, 1, 2, 2)
        assert part.solid == bytes(4)

    @pytest.mark.parametrize("grid_type", ["hex_row", "hex_column", "isometric", "none"])
    def test_on_every_grid(self, grid_type: GridType) -> None:
        """A door along the edge of a cell opens it."""
        rows = ["......", "......", "..#...", "......", "......"]
        around = corners(grid_type, (2, 2))
        for (x1, y1), (x2, y2) in pairwise((*around, around[0])):
            door = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "state": "open"}
            assert "#" not in "".join(blocking(room(door, rows=rows, grid_type=grid_type)))

    def test_which_let_anybody_through(self) -> None:
        thick = ["......", ".####.", ".####.", "......", "......"]
        wall = {"x1": 0, "y1": 1, "x2": 6, "y2": 1}
        for rows, more, ends, expected in (
            (ROOM, {}, (2, 1, 3, 1), True),
            (ROOM, {}, (2, 1, 2, 2), True),
            (thick, {}, (2, 2, 3, 2), True),
            (thick, {}, (2, 1, 3, 1), False),
            (ROOM, {}, (2, 0, 3, 0), False),
            (ROOM, {"walls": [wall]}, (2, 1, 3, 1), False),
            (["#.####", "######", "######", "......", "......"], {}, (2, 2, 3, 2), False),
            (ROOM, {"walls": [{**wall, "blocks_movement": False}]}, (2, 1, 3, 1), True),
            (ROOM, {"walls": [{"x1": 2.5, "y1": 0, "x2": 2.5, "y2": 1}]}, (2, 1, 3, 1), True),
        ):
            door = dict(zip(("x1", "y1", "x2", "y2"), ends, strict=True))
            assert can_open(whole(room(rows=rows, **more)), door) is expected, (rows, more, ends)
