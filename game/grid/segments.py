"""Straight pieces of walls and doors, as geometry: joined where they lie on one line.

Everything is exact, also for fractions: a piece is joined to another only if both lie on the very same line.
"""

from collections import defaultdict
from collections.abc import Iterable
from math import gcd
from typing import Final, NamedTuple, TypeAlias

Number: TypeAlias = int | float

_EXACT: Final = 2**53  # from here on not every whole number is a float


class Piece(NamedTuple):
    """A straight piece of wall, in points (`game.grid.geometry`), its lesser end first; ends are compared by x,
    then y."""

    x1: Number
    y1: Number
    x2: Number
    y2: Number
    blocks_movement: bool = True
    blocks_sight: bool = True


def piece(
    x1: Number, y1: Number, x2: Number, y2: Number, blocks_movement: bool = True, blocks_sight: bool = True
) -> Piece:
    """The piece between two ends given in any order. Whole numbers are ints, however they were written."""
    one, other = (_plain(x1), _plain(y1)), (_plain(x2), _plain(y2))
    return Piece(*min(one, other), *max(one, other), blocks_movement, blocks_sight)


def merge(pieces: Iterable[Piece]) -> list[Piece]:
    """Join the pieces that overlap or touch on one line and block the same; the result is in ascending order.

    So the result says what is covered by walls, and neither how many pieces it was drawn with nor in which order.
    """
    lines: dict[tuple[int | bool, ...], list[Piece]] = defaultdict(list)
    for one in pieces:
        lines[*_line(one), one.blocks_movement, one.blocks_sight].append(one)
    merged: list[Piece] = []
    for collinear in lines.values():
        collinear.sort()
        last = collinear[0]
        for one in collinear[1:]:
            if one[:2] > last[2:4]:
                merged.append(last)
                last = one
            elif one[2:4] > last[2:4]:
                last = last._replace(x2=one.x2, y2=one.y2)
        merged.append(last)
    merged.sort()
    return merged


def _plain(value: Number) -> Number:
    return int(value) if isinstance(value, float) and abs(value) < _EXACT and value.is_integer() else value


def _line(one: Piece) -> tuple[int, int, int, int]:
    """The line that a piece lies on: the same four numbers for all pieces on it.

    These are the direction in lowest terms, and the cross product of direction and any of its points as a
    fraction in lowest terms. A point by itself has the direction (0, 0), and its place instead.
    """
    parts = [value.as_integer_ratio() for value in one[:4]]
    scale = max(below for _, below in parts)  # all of them are powers of two
    x1, y1, x2, y2 = (above * (scale // below) for above, below in parts)
    shared = gcd(x2 - x1, y2 - y1)
    if not shared:
        return 0, scale, x1, y1
    du, dv = (x2 - x1) // shared, (y2 - y1) // shared
    cross = du * y1 - dv * x1
    common = gcd(cross, scale)
    return du, dv, cross // common, scale // common
