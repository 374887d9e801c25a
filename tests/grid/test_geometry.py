"""Where cells lie."""

from math import dist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.geometry import (
    AXIAL,
    Cell,
    Grid,
    cell_at,
    centre,
    corners,
    extent,
    from_lattice,
    neighbours,
    picture_point,
    picture_size,
    point_to_lattice,
    to_lattice,
)
from tests.grid.grids import cells, grids


class TestGrid:
    def test_defaults_of_an_empty_document(self) -> None:
        assert Grid.of({}) == Grid("square", "5-5-5", 5, "ft")

    def test_reads_a_document(self) -> None:
        document = {"grid_type": "hex_row", "diagonal_rule": "none", "cell_distance": 2, "distance_unit": "m"}
        assert Grid.of(document) == Grid("hex_row", "none", 2, "m")


class TestLattice:
    @given(grids, cells(-9, 9))
    def test_round_trip(self, grid: Grid, cell: Cell) -> None:
        assert from_lattice(grid.type, *to_lattice(grid.type, cell)) == cell

    @given(grids, cells(-9, 9))
    def test_a_centre_is_whole(self, grid: Grid, cell: Cell) -> None:
        assert point_to_lattice(grid.type, *centre(grid.type, cell)) == pytest.approx(to_lattice(grid.type, cell))


class TestNeighbours:
    def test_of_a_square(self) -> None:
        assert neighbours(Grid(diagonal_rule="none"), (3, 3)) == [(4, 3), (3, 4), (2, 3), (3, 2)]
        assert set(neighbours(Grid(), (3, 3))) == {(x, y) for x in (2, 3, 4) for y in (2, 3, 4)} - {(3, 3)}

    def test_odd_rows_lie_further_right(self) -> None:
        row = Grid("hex_row")
        assert set(neighbours(row, (2, 2))) == {(1, 2), (3, 2), (1, 1), (2, 1), (1, 3), (2, 3)}
        assert set(neighbours(row, (2, 3))) == {(1, 3), (3, 3), (2, 2), (3, 2), (2, 4), (3, 4)}

    def test_odd_columns_lie_further_down(self) -> None:
        column = Grid("hex_column")
        assert set(neighbours(column, (2, 2))) == {(2, 1), (2, 3), (1, 1), (1, 2), (3, 1), (3, 2)}
        assert set(neighbours(column, (3, 2))) == {(3, 1), (3, 3), (2, 2), (2, 3), (4, 2), (4, 3)}

    @given(grids, cells(-9, 9))
    def test_are_mutual(self, grid: Grid, cell: Cell) -> None:
        assert all(cell in neighbours(grid, other) for other in neighbours(grid, cell))

    @given(st.sampled_from(["hex_row", "hex_column"]), cells(-9, 9))
    def test_of_a_hex_are_one_cell_away(self, grid_type: str, cell: Cell) -> None:
        grid = Grid.of({"grid_type": grid_type})
        middle = centre(grid.type, cell)
        around = [dist(middle, centre(grid.type, other)) for other in neighbours(grid, cell)]
        assert around == pytest.approx([1] * len(AXIAL))


class TestCorners:
    @given(grids, cells(-9, 9))
    def test_neighbours_share_a_side_or_a_corner(self, grid: Grid, cell: Cell) -> None:
        mine = {(round(x, 6), round(y, 6)) for x, y in corners(grid.type, cell)}
        for other in neighbours(grid, cell):
            theirs = {(round(x, 6), round(y, 6)) for x, y in corners(grid.type, other)}
            assert len(mine & theirs) == (2 if grid.is_hex or cell[0] == other[0] or cell[1] == other[1] else 1)

    def test_run_clockwise_on_the_screen(self) -> None:
        for grid_type in ("square", "hex_row", "hex_column"):
            points = corners(grid_type, (1, 1))
            turns = zip(points, points[1:] + points[:1], strict=True)
            assert sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in turns) > 0


class TestCellAt:
    @given(grids, cells(-9, 9), st.floats(0, 0.999), st.integers(0, 5))
    def test_a_point_between_centre_and_corner(self, grid: Grid, cell: Cell, part: float, nth: int) -> None:
        (cx, cy), points = centre(grid.type, cell), corners(grid.type, cell)
        px, py = points[nth % len(points)]
        assert cell_at(grid.type, cx + (px - cx) * part, cy + (py - cy) * part) == cell

    @given(grids, st.floats(-9, 9), st.floats(-9, 9))
    def test_no_other_centre_is_nearer(self, grid: Grid, px: float, py: float) -> None:
        cell = cell_at(grid.type, px, py)
        mine = dist((px, py), centre(grid.type, cell))
        assert all(mine <= dist((px, py), centre(grid.type, n)) + 1e-9 for n in neighbours(grid, cell))


class TestExtent:
    @given(grids, st.integers(1, 6), st.integers(1, 6))
    def test_just_holds_every_cell(self, grid: Grid, width: int, height: int) -> None:
        points = [p for x in range(width) for y in range(height) for p in corners(grid.type, (x, y))]
        right, bottom = max(x for x, _ in points), max(y for _, y in points)
        assert extent(grid.type, width, height) == pytest.approx((right, bottom))
        assert (min(x for x, _ in points), min(y for _, y in points)) == pytest.approx((0, 0))

    def test_of_no_cells(self) -> None:
        assert extent("hex_row", 0, 3) == (0, 0)


class TestPicture:
    @given(grids, st.integers(1, 6), st.integers(1, 6))
    def test_just_holds_every_cell(self, grid: Grid, width: int, height: int) -> None:
        plane = [p for x in range(width) for y in range(height) for p in corners(grid.type, (x, y))]
        drawn = [picture_point(grid.type, *point, height) for point in plane]
        assert (min(x for x, _ in drawn), min(y for _, y in drawn)) == pytest.approx((0, 0))
        corner = max(x for x, _ in drawn), max(y for _, y in drawn)
        assert corner == pytest.approx(picture_size(grid.type, width, height))
