"""Sets of cells, against sets of pairs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid import cell_sets
from game.grid.cell_sets import Cells, cells_from, contains
from game.grid.geometry import Cell, centre
from tests.grid.grids import GRIDS, each

coordinates = st.one_of(st.integers(0, 200), st.sampled_from([0, 63, 64, 65, 127, 128]))
some = st.sets(st.tuples(coordinates, coordinates), max_size=30)


def plain(cells: Cells) -> set[Cell]:
    assert all(cells.values())
    return set(each(cells))


class TestSets:
    @given(some)
    def test_hold_what_was_put_in(self, cells: set[Cell]) -> None:
        made = cells_from(cells)
        assert plain(made) == cells
        assert len(list(each(made))) == len(cells)
        assert all(contains(made, *cell) == (cell in cells) for cell in [*cells, (0, 0), (63, 63), (64, 0)])

    @given(some)
    def test_have_bounds(self, cells: set[Cell]) -> None:
        found = cell_sets.bounds(cells_from(cells))
        assert (found is None) == (not cells)
        if found is not None:
            x, y, width, height = found
            xs, ys = [x for x, _ in cells], [y for _, y in cells]
            assert (x, y, x + width - 1, y + height - 1) == (min(xs), min(ys), max(xs), max(ys))

    @given(some, some, some)
    def test_are_joined_and_cut(self, one: set[Cell], two: set[Cell], three: set[Cell]) -> None:
        a, b, c = map(cells_from, (one, two, three))
        assert plain(cell_sets.union(a, b, c)) == one | two | three
        assert plain(cell_sets.intersection(a, b)) == one & two
        assert plain(cell_sets.difference(a, b)) == one - two

    @given(st.integers(-70, 150), st.integers(-70, 150), st.integers(0, 150), st.integers(0, 150))
    def test_rectangles(self, x: int, y: int, width: int, height: int) -> None:
        expected = {(i, j) for i in range(max(x, 0), x + width) for j in range(max(y, 0), y + height)}
        assert plain(cell_sets.rectangle(x, y, width, height)) == expected

    @given(some, st.integers(-140, 140), st.integers(-140, 140))
    def test_are_moved(self, cells: set[Cell], dx: int, dy: int) -> None:
        moved = {(x + dx, y + dy) for x, y in cells if 0 <= x + dx < 150 and 0 <= y + dy < 140}
        assert plain(cell_sets.moved(cells_from(cells), dx, dy, 150, 140)) == moved

    @given(st.sampled_from([64, 65, 80, 200]), st.integers(-70, 140), st.integers(-70, 140), st.data())
    def test_windows_come_back(self, stride: int, left: int, top: int, data: Any) -> None:
        window = data.draw(st.sets(st.tuples(st.integers(0, stride - 1), st.integers(0, 79)), max_size=20))
        bits = sum(1 << y * stride + x for x, y in window)
        found = cell_sets.spread(bits, stride, left, top)
        inside = {(x, y) for x, y in window if x + left >= 0 and y + top >= 0}
        assert plain(found) == {(x + left, y + top) for x, y in inside}
        again = cell_sets.gather(found, stride, left, top, 80)
        assert again == sum(1 << y * stride + x for x, y in inside)

    @given(some, st.sampled_from([64, 90]), st.integers(-70, 140), st.integers(-70, 140), st.integers(1, 100))
    def test_windows_hold_what_lies_in_them(
        self, cells: set[Cell], stride: int, left: int, top: int, height: int
    ) -> None:
        bits = cell_sets.gather(cells_from(cells), stride, left, top, height)
        inside = {(x - left, y - top) for x, y in cells if 0 <= x - left < stride and 0 <= y - top < height}
        assert bits == sum(1 << y * stride + x for x, y in inside)


class TestPolygon:
    @pytest.mark.parametrize("grid", GRIDS)
    def test_of_a_rectangle_holds_the_centres_in_it(self, grid: Any) -> None:
        corners = [(2.25, 1.25), (7.75, 1.25), (7.75, 5.25), (2.25, 5.25)]
        found = plain(cell_sets.polygon(grid.type, corners, 9, 9))
        centres = {(x, y): centre(grid.type, (x, y)) for x in range(9) for y in range(9)}
        assert found == {c for c, (px, py) in centres.items() if 2.25 <= px < 7.75 and 1.25 <= py < 5.25}

    def test_may_be_far_larger_than_the_map(self) -> None:
        far = [(-1e299, -1e299), (1e299, -1e299), (1e299, 1e299), (-1e299, 1e299)]
        assert len(plain(cell_sets.polygon("hex_row", far, 5, 4))) == 20

    def test_with_a_hole_by_crossing_itself(self) -> None:
        star = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0), (1.0, 1.0), (3.0, 1.0), (3.0, 3.0)]
        found = plain(cell_sets.polygon("square", [*star, (1.0, 3.0), (1.0, 1.0)], 9, 9))
        assert len(found) == 12

    def test_needs_three_points(self) -> None:
        with pytest.raises(ValueError, match="three points"):
            cell_sets.polygon("square", [(0, 0), (1, 1)], 9, 9)
