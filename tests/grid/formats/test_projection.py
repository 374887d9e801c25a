"""Cells and pixels of Tiled's orientations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.formats.projection import OF_GRID_TYPE, Projection

ALL = [
    *OF_GRID_TYPE.values(),
    Projection("hexagonal", 14, 12, 6, "y", "even"),
    Projection("hexagonal", 60, 60, 30, "x", "odd"),
]
COORDINATES = st.integers(-50, 50)


class TestCell:
    @pytest.mark.parametrize("projection", ALL)
    @given(column=COORDINATES, row=COORDINATES)
    def test_of_a_middle_is_the_cell(self, projection: Projection, column: int, row: int) -> None:
        assert projection.cell(*projection.center(column, row)) == (column, row)


class TestToCells:
    @pytest.mark.parametrize("projection", ALL)
    @given(x=COORDINATES, y=COORDINATES)
    def test_is_undone_by_to_pixels(self, projection: Projection, x: int, y: int) -> None:
        assert projection.to_point(*projection.to_pixels(x, y)) == pytest.approx((x, y))


class TestCenter:
    def test_shifts_odd_rows_of_hexagons_by_half_a_tile(self) -> None:
        hexes = OF_GRID_TYPE["hex_row"]
        assert hexes.center(0, 0) == (16, 18)
        assert hexes.center(0, 1) == (32, 45)
