"""The cells that effects cover."""

from collections import Counter
from math import dist, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.area import SHAPES, Shape, area
from game.grid.geometry import Cell, Grid, Point, centre
from tests.grid.grids import grids

SQUARE = Grid()
shapes = st.sampled_from(SHAPES)
sizes = st.integers(0, 9).map(lambda cells: cells * 5)
angles = st.sampled_from([0, 30, 45, 90, 135, 180, 225, 270, 300])


def covered(shape: Shape, origin: Point, size: float, direction: float = 0, grid: Grid = SQUARE) -> set[Cell]:
    return set(area(grid, 40, 40, shape, origin, size, direction))


class TestArea:
    def test_a_cone_is_as_wide_as_long(self) -> None:
        found = area(SQUARE, 9, 9, "cone", (3, 4.5), 20)
        rows = ["".join("x" if (x, y) in found else "." for x in range(9)) for y in range(2, 7)]
        assert rows == [".........", ".....xx..", "...xxxx..", ".....xx..", "........."]

    def test_a_cube_of_two_cells(self) -> None:
        assert area(SQUARE, 9, 9, "cube", (3, 4), 10) == [(3, 3), (4, 3), (3, 4), (4, 4)]
        assert area(SQUARE, 9, 9, "cube", (3, 4), 10, 180) == [(1, 3), (2, 3), (1, 4), (2, 4)]

    def test_a_line_is_one_cell_wide(self) -> None:
        assert area(SQUARE, 9, 9, "line", (1.5, 1.5), 15) == [(2, 1), (3, 1), (4, 1)]
        assert area(SQUARE, 9, 9, "line", (1, 1), 15) == [(1, 0), (2, 0), (3, 0)]
        assert area(SQUARE, 9, 9, "line", (1.5, 1.5), 15, 45) == [(2, 2), (3, 3)]
        assert len(area(SQUARE, 9, 9, "line", (1, 2), 15, line_width=10)) == 6

    def test_a_sphere_around_a_corner(self) -> None:
        assert area(SQUARE, 9, 9, "sphere", (2, 2), 5) == [(1, 1), (2, 1), (1, 2), (2, 2)]
        assert len(area(SQUARE, 20, 20, "sphere", (10, 10), 20)) == 52

    def test_a_sphere_of_hexes_takes_its_neighbours(self) -> None:
        for grid_type in ("hex_row", "hex_column"):
            grid = Grid.of({"grid_type": grid_type})
            assert len(area(grid, 9, 9, "sphere", centre(grid.type, (4, 4)), 5)) == 7

    def test_the_unit_is_the_maps(self) -> None:
        metres = Grid(cell_distance=1.5, distance_unit="m")
        assert area(metres, 9, 9, "line", (1.5, 1.5), 4.5) == area(SQUARE, 9, 9, "line", (1.5, 1.5), 15)

    @given(grids, st.sampled_from(["sphere", "cylinder"]), st.floats(10, 20), st.floats(10, 20), sizes)
    def test_a_sphere_is_all_centres_within_reach(
        self, grid: Grid, shape: Shape, x: float, y: float, size: float
    ) -> None:
        cells = [(cx, cy) for cy in range(40) for cx in range(40)]
        within = [cell for cell in cells if dist(centre(grid.type, cell), (x, y)) <= size / 5 + 1e-9]
        assert area(grid, 40, 40, shape, (x, y), size) == within

    @given(grids, shapes, st.integers(30, 50), st.integers(30, 50), sizes, angles)
    def test_grows_with_its_size(
        self, grid: Grid, shape: Shape, x: int, y: int, size: float, angle: float
    ) -> None:
        origin = x / 2, y / 2
        assert covered(shape, origin, size, angle, grid) <= covered(shape, origin, size + 5, angle, grid)

    @given(shapes, st.integers(30, 50), st.integers(30, 50), sizes, angles, st.integers(1, 5))
    def test_moves_with_its_origin(self, shape: Shape, x: int, y: int, size: float, angle: float, by: int) -> None:
        there = covered(shape, (x / 2 + by, y / 2), size, angle)
        assert there == {(cx + by, cy) for cx, cy in covered(shape, (x / 2, y / 2), size, angle)}

    @given(shapes, st.integers(15, 25), st.integers(15, 25), st.sampled_from([0, 0.5]), sizes, angles)
    def test_turns_with_its_direction(
        self, shape: Shape, x: int, y: int, part: float, size: float, angle: float
    ) -> None:
        ox, oy = x + part, y + part
        cells = covered(shape, (ox, oy), size, angle)
        quarter = {(int(ox - (cy + 0.5 - oy)), int(oy + (cx + 0.5 - ox))) for cx, cy in cells}
        assert covered(shape, (ox, oy), size, angle + 90) == quarter

    @given(st.integers(10, 20), st.integers(10, 20), st.integers(1, 6), st.sampled_from([0, 90, 180, 270]))
    def test_a_cube_has_as_many_cells_as_its_side_squared(self, x: int, y: int, side: int, angle: float) -> None:
        for origin in ((x, y), (x + 0.5, y), (x + 0.5, y + 0.5), (x + 0.3, y + 0.7)):
            assert len(covered("cube", origin, side * 5, angle)) == side**2

    @pytest.mark.parametrize("origin", [(inf, 0), (0, nan)])
    def test_refuses_an_origin_nowhere(self, origin: Point) -> None:
        with pytest.raises(ValueError, match="finite"):
            area(SQUARE, 9, 9, "cone", origin, 5)

    @pytest.mark.parametrize("size", [-1, inf, nan, 5_000])
    def test_refuses_a_size_out_of_reach(self, size: float) -> None:
        with pytest.raises(ValueError, match="effect"):
            area(SQUARE, 4096, 4096, "sphere", (1000, 1000), size)

    def test_refuses_an_unknown_shape(self) -> None:
        with pytest.raises(ValueError, match="must be one of cone, cube"):
            area(SQUARE, 9, 9, "star", (0, 0), 5)  # type: ignore[arg-type]  # the rule that is not there


class TestTemplates:
    """Whole squares."""

    @staticmethod
    def drawn(shape: Shape, origin: Point, size: float, direction: float = 0, grid: Grid = SQUARE) -> list[str]:
        found = area(grid, 7, 7, shape, origin, size, direction, rule="template")
        assert found == sorted(found, key=lambda cell: (cell[1], cell[0]))
        rows = ["".join("x" if (x, y) in found else "." for x in range(7)) for y in range(7)]
        return [row for row in rows if "x" in row]

    @pytest.mark.parametrize("direction", range(0, 360, 45))
    @pytest.mark.parametrize("origin", [(9.0, 9.0), (9.5, 9.5), (9.0, 9.5)])
    def test_a_cone_of_15_feet_has_1_2_and_3(self, origin: Point, direction: int) -> None:
        found = area(SQUARE, 20, 20, "cone", origin, 15, direction, rule="template")
        by_step = Counter(
            max(abs(x + 0.5 - origin[0]), abs(y + 0.5 - origin[1]))
            if direction % 90 == 0
            else abs(x + 0.5 - origin[0]) + abs(y + 0.5 - origin[1])
            for x, y in found
        )
        if direction % 90 == 0:
            lines = Counter(x if direction in (0, 180) else y for x, y in found)
            assert sorted(lines.values()) == [1, 2, 3]
        else:
            assert sorted(by_step.values()) == [1, 2, 3]

    def test_a_cone_from_a_corner(self) -> None:
        assert self.drawn("cone", (1, 3), 15) == ["..xx...", ".xxx...", "...x..."]
        assert self.drawn("cone", (1, 1), 15, 45) == [".xxx...", ".xx....", ".x....."]

    def test_a_diagonal_line_by_the_rule_of_the_map(self) -> None:
        assert area(SQUARE, 9, 9, "line", (1.5, 1.5), 15, 45, rule="template") == [(2, 2), (3, 3), (4, 4)]
        assert area(SQUARE, 9, 9, "line", (1, 1), 15, 45, rule="template") == [(1, 1), (2, 2), (3, 3)]
        alternating = Grid(diagonal_rule="5-10-5")
        assert area(alternating, 9, 9, "line", (1.5, 1.5), 15, 45, rule="template") == [(2, 2), (3, 3)]
        assert area(SQUARE, 9, 9, "line", (1.5, 1.5), 15, rule="template") == [(2, 1), (3, 1), (4, 1)]
        wide = area(SQUARE, 9, 9, "line", (1, 3), 15, line_width=10, rule="template")
        assert wide == [(1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (3, 3)]

    def test_spheres_and_cubes(self) -> None:
        assert self.drawn("sphere", (3, 3), 10) == [".xxxx.."] * 4
        assert self.drawn("sphere", (3, 3), 10, grid=Grid(diagonal_rule="5-10-5")) == [
            "..xx...",
            ".xxxx..",
            ".xxxx..",
            "..xx...",
        ]
        assert self.drawn("cylinder", (3.5, 3.5), 5) == ["..xxx.."] * 3
        assert self.drawn("cube", (1, 3), 10) == [".xx...."] * 2
        assert self.drawn("cube", (3, 3), 10, 225) == [".xx...."] * 2

    @given(grids, shapes, sizes, angles)
    def test_is_the_other_rule_where_there_are_no_squares(
        self, grid: Grid, shape: Shape, size: float, direction: float
    ) -> None:
        one = area(grid, 40, 40, shape, (20, 20), size, direction, rule="template")
        assert len(set(one)) == len(one)
        if grid.type not in ("square", "isometric"):
            assert one == area(grid, 40, 40, shape, (20, 20), size, direction)
