"""Walls and doors as straight pieces: merges pieces that continue each other, and cuts them to cells.

Merging is exact, also for fractions: pieces are merged only if they are on exactly the same line. Cutting is not:
cut ends are rounded to 1/10,000 of a cell, and a cell counts as a millionth of a cell larger than it is, so
that a piece along its side belongs to both neighbours even if its ends are rounded. A piece that only touches
the corner of a cell is not in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import floor, gcd, sqrt
from typing import Final, NamedTuple, TypeAlias

from game.grid.cell_sets import ChunkXY
from game.grid.chunks import CHUNK
from game.grid.geometry import HEXES, Cell, GridType, corners, extent

Number: TypeAlias = int | float

Ends: TypeAlias = tuple[Number, Number, Number, Number]
"""x1, y1, x2, y2: a straight piece from one point to another."""

Box: TypeAlias = tuple[int, int, int, int]
"""Cells: left, top, right, bottom; right and bottom are exclusive."""

Part: TypeAlias = tuple[float, float]
"""A part of a piece: from and to, each between 0 (its first end) and 1 (its second)."""

_EXACT: Final = 2**53  # larger whole numbers may not be exact as floats
_FAR: Final = 100_000
_SLACK: Final = 1e-6
_DIGITS: Final = 4
_LINE: Final = sqrt(3) / 2  # from one staggered line of hexes to the next
_DIAMETER: Final = 2 / sqrt(3)


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
    """The piece between two ends in any order. Whole numbers become ints."""
    one, other = (_plain(x1), _plain(y1)), (_plain(x2), _plain(y2))
    return Piece(*min(one, other), *max(one, other), blocks_movement, blocks_sight)


def merge(pieces: Iterable[Piece]) -> list[Piece]:
    """Merge pieces on one line that overlap or touch and block the same; the result is in ascending order.

    The result depends only on what is covered by walls, not on the number and order of the pieces.
    """
    lines: dict[tuple[Number, ...], list[Piece]] = defaultdict(list)
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


def touched(grid_type: GridType, ends: Ends, box: Box) -> Iterator[tuple[Cell, Part]]:
    """The cells of a box that a piece lies in, each with its part of the piece, in any order.

    The ends must be within _FAR cells of the map (`near_map`).
    """
    if grid_type == "hex_column":
        x1, y1, x2, y2 = ends
        swapped = touched("hex_row", (y1, x1, y2, x2), (box[1], box[0], box[3], box[2]))
        yield from ((cell[::-1], part) for cell, part in swapped)
        return
    is_hex = grid_type in HEXES
    row_step, cell_height = (_LINE, _DIAMETER) if is_hex else (1.0, 1.0)
    x1, y1, x2, y2 = ends
    left, top, right, bottom = box
    first_row = max(floor((min(y1, y2) - cell_height - _SLACK) / row_step), top)
    for y in range(first_row, min(floor((max(y1, y2) + _SLACK) / row_step) + 1, bottom)):
        band = _between(y1, y2, y * row_step - _SLACK, y * row_step + cell_height + _SLACK)
        if band is None:
            continue
        xs = x1 + band[0] * (x2 - x1), x1 + band[1] * (x2 - x1)
        shift = 0.5 if is_hex and y & 1 else 0.0
        first = max(floor(min(xs) - shift - _SLACK), left)
        for x in range(first, min(floor(max(xs) - shift + _SLACK) + 1, right)):
            if part := _within_cell(grid_type, ends, (x, y), band):
                yield (x, y), part


def near_map(grid_type: GridType, ends: Ends, width: int, height: int) -> Ends | None:
    """A piece clipped to the surroundings of a map; None if it is not near the map."""
    if max(map(abs, ends)) < _FAR:
        return ends
    right, bottom = extent(grid_type, width, height)
    x1, y1, x2, y2 = map(Fraction, ends)
    begin, end = Fraction(0), Fraction(1)
    for first, last, low, high in ((x1, x2, -2, right + 2), (y1, y2, -2, bottom + 2)):
        if first == last:
            if not low <= first <= high:
                return None
            continue
        a, b = sorted(((Fraction(low) - first) / (last - first), (Fraction(high) - first) / (last - first)))
        begin, end = max(begin, a), min(end, b)
    if begin > end:
        return None
    dx, dy = x2 - x1, y2 - y1
    return float(x1 + begin * dx), float(y1 + begin * dy), float(x1 + end * dx), float(y1 + end * dy)


def cut(ends: Ends, part: Part) -> Ends | None:
    """A part of a piece; None if nothing is left of it."""
    x1, y1, x2, y2 = ends
    if (x1, y1) == (x2, y2):
        return ends
    if (part[1] - part[0]) * max(abs(x2 - x1), abs(y2 - y1)) < 10**-_DIGITS / 2:
        return None
    begin = (x1, y1) if part[0] <= 0 else _rounded(ends, part[0])
    end = (x2, y2) if part[1] >= 1 else _rounded(ends, part[1])
    return None if begin == end else (*begin, *end)


def joined(parts: Iterable[Part]) -> list[Part]:
    """The parts of a piece, merged where they overlap or touch."""
    found: list[Part] = []
    for begin, end in sorted(parts):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def pieces_by_cell(
    grid_type: GridType, pieces: Iterable[Piece], width: int, height: int, box: Box | None = None
) -> dict[Cell, list[Piece]]:
    """The pieces in each cell of a map of this size, or of a box on it, merged; without cells that have none."""
    box = box or (0, 0, width, height)
    found: dict[Cell, list[Piece]] = defaultdict(list)
    for one in pieces:
        if grid_type not in HEXES and (along := _along_the_grid(one, box)):
            for cell, whole in along:
                found[cell].append(whole)
        elif ends := near_map(grid_type, one[:4], width, height):
            for cell, part in touched(grid_type, ends, box):
                if inside := cut(ends, part):
                    found[cell].append(piece(*inside, *one[4:]))
    return {cell: merge(parts) if len(parts) > 1 else parts for cell, parts in found.items()}


def pieces_by_chunk(
    grid_type: GridType, pieces: Iterable[Piece], width: int, height: int
) -> dict[ChunkXY, list[Piece]]:
    """For each chunk of a map of this size a superset of the pieces that lie in its cells."""
    transposed, is_hex = grid_type == "hex_column", grid_type in HEXES
    across, down = (height, width) if transposed else (width, height)
    row_step, cell_height = (_LINE, _DIAMETER) if is_hex else (1.0, 1.0)
    found: dict[ChunkXY, list[Piece]] = defaultdict(list)
    for one in pieces:
        ends = near_map(grid_type, one[:4], width, height)
        if ends is None:
            continue
        x1, y1, x2, y2 = (ends[1], ends[0], ends[3], ends[2]) if transposed else ends
        first = max(floor((min(y1, y2) - cell_height - _SLACK) / row_step), 0) // CHUNK
        last = min(floor((max(y1, y2) + _SLACK) / row_step), down - 1) // CHUNK
        for band in range(first, last + 1):
            low, top = band * CHUNK * row_step, ((band + 1) * CHUNK - 1) * row_step + cell_height
            if part := _between(y1, y2, low - _SLACK, top + _SLACK):
                xs = x1 + part[0] * (x2 - x1), x1 + part[1] * (x2 - x1)
                begin, end = max(floor(min(xs)) - 1, 0) // CHUNK, min(floor(max(xs)) + 1, across - 1) // CHUNK
                for column in range(begin, end + 1):
                    found[(band, column) if transposed else (column, band)].append(one)
    return found


def _along_the_grid(one: Piece, box: Box) -> list[tuple[Cell, Piece]] | None:
    """The parts of a piece along the sides of squares from corner to corner, each with its cell; None for other
    pieces. These are the most common walls, and this is ten times as fast as `touched`."""
    x1, y1, x2, y2, *blocks = one
    if not (type(x1) is type(y1) is type(x2) is type(y2) is int) or (x1 == x2) == (y1 == y2):
        return None
    left, top, right, bottom = box
    if x1 == x2:
        parts = [(y, Piece(x1, y, x1, y + 1, *blocks)) for y in range(max(y1, top), min(y2, bottom))]
        return [((x, y), part) for x in (x1 - 1, x1) if left <= x < right for y, part in parts]
    parts = [(x, Piece(x, y1, x + 1, y1, *blocks)) for x in range(max(x1, left), min(x2, right))]
    return [((x, y), part) for y in (y1 - 1, y1) if top <= y < bottom for x, part in parts]


def divide(grid_type: GridType, pieces: Iterable[Piece], cells: Sequence[Cell]) -> tuple[list[Piece], list[Piece]]:
    """Split pieces into the parts inside and outside of some cells. The sides of a cell are inside."""
    inside, outside = [], []
    for one in pieces:
        ends = one[:4]
        parts = [
            part for cell in cells if (part := _within_cell(grid_type, ends, cell, (0.0, 1.0))) and cut(ends, part)
        ]
        at = 0.0
        for begin, end in joined(parts):
            if begin > at and (left := cut(ends, (at, begin))):
                outside.append(piece(*left, *one[4:]))
            if kept := cut(ends, (begin, end)):
                inside.append(piece(*kept, *one[4:]))
            at = end
        if not parts:
            outside.append(one)
        elif at < 1 and (left := cut(ends, (at, 1.0))):
            outside.append(piece(*left, *one[4:]))
    return inside, outside


def _between(first: Number, last: Number, low: float, high: float) -> Part | None:
    """The part of a piece in which a coordinate, which changes from first to last, is between low and high."""
    if first == last:
        return (0.0, 1.0) if low <= first <= high else None
    a, b = (low - first) / (last - first), (high - first) / (last - first)
    begin, end = max(min(a, b), 0.0), min(max(a, b), 1.0)
    return (begin, end) if begin <= end else None


def _within_cell(grid_type: GridType, ends: Ends, cell: Cell, part: Part) -> Part | None:
    """The intersection of a part of a piece with a cell."""
    x1, y1, x2, y2 = ends
    begin, end = part
    if grid_type not in HEXES:
        for first, last, low in ((x1, x2, cell[0]), (y1, y2, cell[1])):
            inside = _between(first, last, low - _SLACK, low + 1 + _SLACK)
            if inside is None:
                return None
            begin, end = max(begin, inside[0]), min(end, inside[1])
        return (begin, end) if begin <= end else None
    around = corners(grid_type, cell)
    for (ax, ay), (bx, by) in zip(around, around[1:] + around[:1], strict=True):
        # Clockwise on the screen, the inside is to the right of each side; the cross product is the distance,
        # scaled.
        length = _DIAMETER / 2
        first = ((bx - ax) * (y1 - ay) - (by - ay) * (x1 - ax)) / length
        last = ((bx - ax) * (y2 - ay) - (by - ay) * (x2 - ax)) / length
        if first < -_SLACK and last < -_SLACK:
            return None
        if first < -_SLACK or last < -_SLACK:
            crossing = (-_SLACK - first) / (last - first)
            begin, end = (max(begin, crossing), end) if first < last else (begin, min(end, crossing))
    return (begin, end) if begin <= end else None


def _rounded(ends: Ends, at: float) -> tuple[Number, Number]:
    x1, y1, x2, y2 = ends
    return _plain(round(x1 + at * (x2 - x1), _DIGITS)), _plain(round(y1 + at * (y2 - y1), _DIGITS))


def _plain(value: Number) -> Number:
    return int(value) if isinstance(value, float) and abs(value) < _EXACT and value.is_integer() else value


def _line(one: Piece) -> tuple[Number, ...]:
    """The line that a piece lies on: the same numbers for all pieces on it.

    These are the direction in lowest terms, and the cross product of direction and any of its points as a
    fraction in lowest terms; for a piece along an axis, what of its points is the same. A point by itself has
    the direction (0, 0), and its place.
    """
    x1, y1, x2, y2 = one[:4]
    if x1 == x2 or y1 == y2:
        return (0, 0, x1, y1) if x1 == x2 and y1 == y2 else (0, 1, x1) if x1 == x2 else (1, 0, y1)
    parts = [value.as_integer_ratio() for value in one[:4]]
    scale = max(below for _, below in parts)  # all of them are powers of two
    x1, y1, x2, y2 = (above * (scale // below) for above, below in parts)
    shared = gcd(x2 - x1, y2 - y1)
    du, dv = (x2 - x1) // shared, (y2 - y1) // shared
    cross = du * y1 - dv * x1
    common = gcd(cross, scale)
    return du, dv, cross // common, scale // common
