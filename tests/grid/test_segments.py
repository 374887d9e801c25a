"""Pieces of wall."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.chunks import CHUNK
from game.grid.geometry import Cell, Grid, corners
from game.grid.segments import (
    Ends,
    Piece,
    cut,
    divide,
    joined,
    merge,
    piece,
    pieces_by_cell,
    pieces_by_chunk,
    touched,
)
from tests.grid.grids import GRIDS, grids, walls


def made(wall: dict[str, Any]) -> Piece:
    return piece(wall["x1"], wall["y1"], wall["x2"], wall["y2"])


def covers(one: Piece, x: Fraction, y: Fraction) -> bool:
    """Whether a point lies on a piece, by the definition."""
    x1, y1, x2, y2 = map(Fraction, one[:4])
    within = min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2)
    return within and (x2 - x1) * (y - y1) == (y2 - y1) * (x - x1)


def points(one: Piece) -> list[tuple[Fraction, Fraction]]:
    x1, y1, x2, y2 = map(Fraction, one[:4])
    return [(x1 + (x2 - x1) * n / 7, y1 + (y2 - y1) * n / 7) for n in range(8)]


small = st.builds(
    piece, *[st.integers(0, 4)] * 4, st.sampled_from([True, True, False]), st.sampled_from([True, True, False])
)
any_piece = st.one_of(small, walls().map(made))


class TestMerge:
    @given(st.lists(any_piece, max_size=12))
    def test_covers_the_same_points_and_no_others(self, pieces: list[Piece]) -> None:
        merged = merge(pieces)
        for some, others in ((pieces, merged), (merged, pieces)):
            for one in some:
                alike = [other for other in others if other[4:] == one[4:]]
                assert all(any(covers(other, *point) for other in alike) for point in points(one))

    @given(st.lists(any_piece, max_size=12), st.randoms(use_true_random=False))
    def test_does_not_tell_order_or_number(self, pieces: list[Piece], random: Any) -> None:
        merged = merge(pieces)
        again = [*pieces, *pieces[:3]]
        random.shuffle(again)
        assert merge(again) == merged == merge(merged)

    @given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 9))
    def test_parts_of_a_slanting_wall_are_one(self, du: int, dv: int, count: int) -> None:
        parts = [piece(n * du / 4, n * dv / 4, (n + 1) * du / 4, (n + 1) * dv / 4) for n in range(count)]
        assert merge(parts[::-1]) == [piece(0, 0, count * du / 4, count * dv / 4)]

    def test_what_blocks_otherwise_stays_apart(self) -> None:
        window = piece(1, 0, 2, 0, True, False)
        assert merge([piece(0, 0, 1, 0), window, piece(2, 0, 3, 0)]) == [
            piece(0, 0, 1, 0),
            window,
            piece(2, 0, 3, 0),
        ]

    def test_takes_numbers_of_any_size(self) -> None:
        far = [piece(-1e308, 1, 1e308, 1), piece(0, 1, 5e-324, 1), piece(5e-324, 0, 1e308, 5)]
        assert merge(far) == [far[0], far[2]]

    def test_whole_numbers_are_written_in_one_way(self) -> None:
        assert [*map(type, piece(2.0, 1.5, -0.0, 1)[:4])] == [int, int, int, float]


def inside(grid: Grid, cell: Cell, x: float, y: float, slack: float) -> bool:
    """Whether a point lies in a closed cell that is made a little larger, or smaller."""
    around = corners(grid.type, cell)
    sides = zip(around, around[1:] + around[:1], strict=True)
    return all((bx - ax) * (y - ay) - (by - ay) * (x - ax) >= -slack for (ax, ay), (bx, by) in sides)


def at(one: Ends, part: float) -> tuple[float, float]:
    return one[0] + part * (one[2] - one[0]), one[1] + part * (one[3] - one[1])


class TestCells:
    @given(grids, st.lists(any_piece, min_size=1, max_size=4))
    def test_hold_what_lies_in_them(self, grid: Grid, pieces: list[Piece]) -> None:
        found = pieces_by_cell(grid.type, pieces, 6, 5)
        for cell, parts in found.items():
            assert all(inside(grid, cell, *at(one[:4], part), 1e-3) for one in parts for part in (0, 0.5, 1))
        for one in pieces:
            for part in (0.01, 0.21, 0.52, 0.73, 0.99):
                point = at(one[:4], part)
                for cell in ((x, y) for x in range(6) for y in range(5)):
                    if inside(grid, cell, *point, -1e-3):
                        assert any(near(other, *point) for other in found[cell] if other[4:] == one[4:])

    @given(
        grids,
        st.lists(any_piece, min_size=1, max_size=3),
        st.sets(st.tuples(*[st.integers(0, 4)] * 2), max_size=5),
    )
    def test_divide_what_lies_in_them_from_the_rest(
        self, grid: Grid, pieces: list[Piece], cells: set[Cell]
    ) -> None:
        within, without = divide(grid.type, pieces, sorted(cells))
        for one in pieces:
            for part in (0.01, 0.21, 0.52, 0.73, 0.99):
                point = at(one[:4], part)
                deep = any(inside(grid, cell, *point, -1e-3) for cell in cells)
                far = not any(inside(grid, cell, *point, 1e-3) for cell in cells)
                covering = [other for other in within if near(other, *point) and other[4:] == one[4:]]
                others = [other for other in without if near(other, *point) and other[4:] == one[4:]]
                assert covering or not deep
                assert others or not far
        for one in within:
            assert any(inside(grid, cell, *at(one[:4], 0.5), 1e-3) for cell in cells)
        for one in without:
            assert not any(inside(grid, cell, *at(one[:4], 0.5), -1e-3) for cell in cells)

    def test_share_what_lies_between_them(self) -> None:
        found = pieces_by_cell("square", [piece(1, 0, 1, 3)], 9, 9)
        assert sorted(found) == [(x, y) for x in (0, 1) for y in (0, 1, 2)]
        assert found[0, 1] == found[1, 1] == [piece(1, 1, 1, 2)]

    def test_are_not_touched_at_a_corner(self) -> None:
        assert sorted(pieces_by_cell("square", [piece(1.23456789, 1, 1.3, 1.7)], 9, 9)) == [(1, 1)]

    def test_of_hexes_share_their_sides(self) -> None:
        (ax, ay), (bx, by) = corners("hex_row", (2, 2))[1:3]
        assert len(pieces_by_cell("hex_row", [piece(ax, ay, bx, by)], 9, 9)) == 2

    @pytest.mark.parametrize("grid", GRIDS)
    def test_of_a_wall_without_end_are_those_on_the_map(self, grid: Grid) -> None:
        found = pieces_by_cell(grid.type, [piece(-1e308, 1.25, 1e308, 1.25), piece(2e300, -5, 2e300, 5)], 4, 3)
        assert {y for _, y in found} <= {0, 1}
        assert {x for x, _ in found} == {0, 1, 2, 3}

    def test_a_door_in_several_cells_is_one_part(self) -> None:
        parts = [part for _, part in touched("square", (0.5, 0.5, 3.5, 2.5), (0, 0, 9, 9))]
        assert joined(parts) == [(0.0, 1.0)]
        assert cut((0, 0, 3, 0), (1 / 3, 0.5)) == (1, 0, 1.5, 0)


def near(one: Piece, x: float, y: float) -> bool:
    """Whether a point lies on a piece, or nearly."""
    x1, y1, x2, y2 = one[:4]
    long = (x2 - x1) ** 2 + (y2 - y1) ** 2
    part = 0.0 if not long else min(max(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / long, 0), 1)
    return abs(x1 + part * (x2 - x1) - x) < 2e-3 and abs(y1 + part * (y2 - y1) - y) < 2e-3


class TestChunks:
    @given(grids, st.lists(any_piece, min_size=1, max_size=6), st.integers(-4, 4), st.integers(-4, 4))
    def test_have_all_pieces_that_lie_in_them(self, grid: Grid, pieces: list[Piece], x: int, y: int) -> None:
        """Around the place where four chunks meet."""
        moved = [piece(a + 60 + x, b + 60 + y, c + 62 - x, d + 62 + y, *rest) for a, b, c, d, *rest in pieces]
        near = pieces_by_chunk(grid.type, moved, 140, 140)
        for one in moved:
            for column, row in pieces_by_cell(grid.type, [one], 140, 140):
                assert one in near[column // CHUNK, row // CHUNK]
