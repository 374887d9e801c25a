"""Sight."""

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.canvas import run
from game.grid.distance import distance
from game.grid.geometry import Cell, Grid, corners, neighbours, point_to_lattice, to_lattice
from game.grid.obstacles import SCALE, Obstacles, Segment
from game.grid.sight import MAX_RANGE, View, shows, view, visible
from tests.grid.grids import documents, whole
from tests.grid.maps import Store


def seen_from(obstacles: Obstacles, cell: Cell, radius: float) -> set[Cell]:
    return shown(visible(obstacles, cell, radius))


def shown(found: View) -> set[Cell]:
    return {(x, y) for x in range(-1, 9) for y in range(-1, 9) if shows(found, x, y)}


def blocked_sides(line: Segment, segment: Segment) -> set[str]:
    """The sides to which the line of sight cannot be moved for a segment, by the definition."""
    au, av, bu, bv = line

    def side(u: int, v: int) -> int:
        return (bu - au) * (v - av) - (bv - av) * (u - au)

    first, last = side(*segment[:2]), side(*segment[2:])
    eu, ev = segment[2] - segment[0], segment[3] - segment[1]
    before = eu * (av - segment[1]) - ev * (au - segment[0])
    behind = eu * (bv - segment[1]) - ev * (bu - segment[0])
    if first == last == 0 or before * behind >= 0:
        return set()
    if first * last < 0:
        return {"left", "right"}
    if first == 0 or last == 0:
        return {"left"} if first + last > 0 else {"right"}
    return set()


class Plain:
    """The rules once more, line by line and with no speed."""

    def __init__(self, obstacles: Obstacles) -> None:
        self.obstacles, self.grid = obstacles, obstacles.grid
        self.cells = [(x, y) for y in range(obstacles.height) for x in range(obstacles.width)]
        self.opaque = {cell for cell, mark in zip(self.cells, obstacles.opaque, strict=True) if mark}

    def edges(self, cell: Cell) -> list[Segment]:
        points = []
        for point in corners(self.grid.type, cell):
            u, v = point_to_lattice(self.grid.type, *point)
            points.append((round(u * SCALE), round(v * SCALE)))
        return [(*a, *b) for a, b in zip(points, points[1:] + points[:1], strict=True)]

    def clear(self, a: Cell, b: Cell) -> bool:
        (u1, v1), (u2, v2) = to_lattice(self.grid.type, a), to_lattice(self.grid.type, b)
        line = u1 * SCALE, v1 * SCALE, u2 * SCALE, v2 * SCALE
        blocked: set[str] = set()
        for segment in self.obstacles.screens:
            blocked |= blocked_sides(line, segment)
        for cell in self.opaque - {a, b}:
            for edge in self.edges(cell):
                blocked |= blocked_sides(line, edge)
        return len(blocked) < 2

    def seen_from(self, cell: Cell, radius: float) -> set[Cell]:
        near = {other for other in self.cells if distance(self.grid, cell, other).cells <= radius}
        rooms = {other for other in near - self.opaque if self.clear(cell, other)} | {cell}
        beside = Grid(self.grid.type) if not self.grid.is_hex else self.grid
        return rooms | {o for o in near & self.opaque if any(n in rooms for n in neighbours(beside, o))}


def look(document: dict[str, Any], cell: Cell, radius: float) -> View:
    store = Store(document)
    return run(view(store.frame, store.width, store.height, cell, radius), store.load)


def cave(*rows: str, **more: Any) -> dict[str, Any]:
    legend = [{"symbol": "#", "blocks_sight": True}, {"symbol": "."}]
    layers = [{"name": "ground", "rows": list(rows)}]
    return {"width": len(rows[0]), "height": len(rows), "legend": legend, "layers": layers, **more}


class TestVisible:
    @given(documents(), st.integers(0, 6), st.integers(0, 5), st.sampled_from([1, 2.5, 3, 9]))
    def test_equals_the_union_of_its_lines(self, document: dict[str, Any], x: int, y: int, radius: float) -> None:
        plain = Plain(whole(document))
        assert seen_from(plain.obstacles, (x, y), radius) == plain.seen_from((x, y), radius)

    @given(documents())
    def test_is_symmetric(self, document: dict[str, Any]) -> None:
        plain = Plain(whole(document))
        rooms = [cell for cell in plain.cells if cell not in plain.opaque]
        views = {cell: seen_from(plain.obstacles, cell, 5) for cell in rooms}
        for one in rooms:
            for other in rooms:
                assert (other in views[one]) == (one in views[other])

    @given(documents(), st.integers(0, 6), st.integers(0, 5))
    def test_a_longer_range_shows_no_less(self, document: dict[str, Any], x: int, y: int) -> None:
        obstacles = whole(document)
        assert seen_from(obstacles, (x, y), 2) <= seen_from(obstacles, (x, y), 3)

    def test_of_nothing_in_the_way_is_the_range(self) -> None:
        rows = ["." * 9] * 9
        assert len(seen_from(whole(cave(*rows)), (4, 4), 2)) == 25
        assert len(seen_from(whole(cave(*rows, diagonal_rule="none")), (4, 4), 2)) == 13
        assert len(seen_from(whole(cave(*rows, grid_type="none")), (4, 4), 2.9)) == 25
        assert len(seen_from(whole(cave(*rows, grid_type="hex_row")), (4, 4), 2)) == 19

    def test_a_pillar_throws_a_shadow(self) -> None:
        found = look(cave(".......", ".......", "..#....", ".......", "......."), (1, 2), 9)
        assert found == (0, 0, 7, 5, ["1111000", "1110000", "1110000", "1110000", "1111000"])

    def test_a_room_ends_at_its_walls(self) -> None:
        found = look(cave("#######", "#.....#", "#######", "......."), (1, 1), 9)
        assert found.rows == ["1111111", "1111111", "1111111", "0000000"]

    def test_nothing_leaks_between_walls_that_meet(self) -> None:
        walls = [{"x1": x, "y1": 2, "x2": x + 1, "y2": 2} for x in range(4)]
        found = look(cave("....", "....", "....", "....", walls=walls), (1, 1), 9)
        assert found.rows == ["1111", "1111", "0000", "0000"]

    def test_nothing_leaks_between_rocks_that_touch(self) -> None:
        found = look(cave(".#.", "#..", "..."), (0, 0), 9)
        assert found.rows == ["110", "100", "000"]

    def test_a_line_passes_a_corner_on_the_free_side(self) -> None:
        assert look(cave(".#", ".."), (0, 0), 9).rows == ["11", "11"]

    def test_closed_doors_block_and_windows_do_not(self) -> None:
        door = {"x1": 1, "y1": 0, "x2": 1, "y2": 1}
        assert look(cave("...", doors=[{**door, "state": "open"}]), (0, 0), 9).rows == ["111"]
        assert look(cave("...", doors=[{**door, "state": "locked"}]), (0, 0), 9).rows == ["100"]
        assert look(cave("...", walls=[{**door, "blocks_sight": False}]), (0, 0), 9).rows == ["111"]


class TestView:
    @given(documents(), st.integers(0, 6), st.integers(0, 5), st.integers(0, 3))
    def test_of_a_part_equals_that_of_the_whole(
        self, document: dict[str, Any], x: int, y: int, radius: int
    ) -> None:
        found = look(document, (x, y), radius)
        assert (found.x, found.y) == (max(x - radius, 0), max(y - radius, 0))
        assert shown(found) == seen_from(whole(document), (x, y), radius)

    def test_reads_only_what_is_in_range(self) -> None:
        layer = {"name": "ground", "rows": [" " * 300] * 300}
        store = Store({"width": 300, "height": 300, "layers": [layer]})
        run(view(store.frame, 300, 300, (100, 100), 20), store.load)
        assert (store.rounds, store.loaded) == (1, {(0, 1, 1)})

    @pytest.mark.parametrize("radius", [-1, MAX_RANGE + 1, inf])
    def test_refuses_a_range_out_of_reach(self, radius: float) -> None:
        with pytest.raises(ValueError, match="range must be from 0 to 128 cells"):
            look(cave("."), (0, 0), radius)

    def test_refuses_a_cell_off_the_map(self) -> None:
        with pytest.raises(ValueError, match="not on the map"):
            look(cave("."), (0, 1), 1)
