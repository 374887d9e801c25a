"""Pieces of wall."""

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from game.grid.segments import Piece, merge, piece
from tests.grid.grids import walls


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
    @settings(max_examples=300, deadline=None)
    def test_covers_the_same_points_and_no_others(self, pieces: list[Piece]) -> None:
        merged = merge(pieces)
        for some, others in ((pieces, merged), (merged, pieces)):
            for one in some:
                alike = [other for other in others if other[4:] == one[4:]]
                assert all(any(covers(other, *point) for other in alike) for point in points(one))

    @given(st.lists(any_piece, max_size=12), st.randoms(use_true_random=False))
    @settings(max_examples=200, deadline=None)
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
