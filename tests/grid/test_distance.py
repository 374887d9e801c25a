"""How far two cells are apart."""

import pytest
from hypothesis import given

from game.grid.distance import distance
from game.grid.geometry import Cell, DiagonalRule, Grid, neighbours
from tests.grid.grids import GRIDS, cells, grids

# Those whose distance is the number of steps.
COUNTED = [grid for grid in GRIDS if grid.diagonal_rule != "5-10-5" and grid.type != "none"]


class TestDistance:
    @pytest.mark.parametrize(
        ("rule", "cells"), [("5-5-5", 4), ("5-10-5", 5), ("none", 7)], ids=["5-5-5", "5-10-5", "none"]
    )
    def test_four_by_three_squares(self, rule: DiagonalRule, cells: int) -> None:
        assert distance(Grid(diagonal_rule=rule), (1, 1), (5, 4)) == (cells, cells * 5, "ft")

    def test_four_by_three_without_a_grid(self) -> None:
        assert distance(Grid("none", cell_distance=1.5, distance_unit="m"), (1, 1), (5, 4)) == (5.0, 7.5, "m")

    def test_staggered_hexes(self) -> None:
        assert distance(Grid("hex_row"), (0, 0), (2, 4)).cells == 4
        assert distance(Grid("hex_column"), (0, 0), (4, 2)).cells == 4
        assert distance(Grid("hex_row"), (0, 0), (4, 2)).cells == 5

    @given(grids, cells(), cells())
    def test_is_symmetric(self, grid: Grid, a: Cell, b: Cell) -> None:
        assert distance(grid, a, b) == distance(grid, b, a)

    @given(grids, cells(), cells())
    def test_is_zero_only_for_the_same_cell(self, grid: Grid, a: Cell, b: Cell) -> None:
        assert (distance(grid, a, b).cells == 0) == (a == b)

    @given(grids, cells(), cells(), cells())
    def test_triangle_inequality(self, grid: Grid, a: Cell, b: Cell, c: Cell) -> None:
        lost = 1 if grid.diagonal_rule == "5-10-5" else 1e-9
        detour = distance(grid, a, b).cells + distance(grid, b, c).cells
        assert distance(grid, a, c).cells <= detour + lost

    @pytest.mark.parametrize("grid", COUNTED, ids=str)
    def test_counts_steps(self, grid: Grid) -> None:
        reached, border = {(4, 4): 0}, [(4, 4)]
        for steps in range(1, 4):
            border = [n for cell in border for n in neighbours(grid, cell) if n not in reached]
            reached |= dict.fromkeys(border, steps)
        assert all(distance(grid, (4, 4), cell).cells == steps for cell, steps in reached.items())
