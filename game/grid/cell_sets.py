"""Sets of cells as bits: one integer per chunk, so that sets are combined 4096 cells at a time.

In a chunk, the cell in column x and row y of it (each 0 to 63) is bit 64 y + x, also in the narrower chunks at
a map's edge. Chunks without any cell of the set are left out. As bytes a chunk takes 512: bit n is bit n % 8 of
byte n // 8.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import floor
from typing import Final, TypeAlias

from game.grid.chunks import CHUNK, touching
from game.grid.geometry import Cell, GridType, Point, centre

ChunkXY: TypeAlias = tuple[int, int]
"""Chunk x, chunk y: the chunk holds the cells from (64 x, 64 y)."""

Cells: TypeAlias = Mapping[ChunkXY, int]
"""A set of cells: the bits of each chunk that has any. Sets are never modified."""

CHUNK_BYTES: Final = CHUNK * CHUNK // 8
NONE: Final[Cells] = {}

_WHOLE: Final = (1 << CHUNK * CHUNK) - 1


def cells_from(cells: Iterable[Cell]) -> Cells:
    """The set of some cells (x, y), each 0 or more."""
    found: dict[ChunkXY, int] = defaultdict(int)
    for x, y in cells:
        found[x // CHUNK, y // CHUNK] |= 1 << (y % CHUNK * CHUNK + x % CHUNK)
    return dict(found)


def bits_of(bits: int) -> list[int]:
    """The positions of the one bits of a number, ascending."""
    text = f"{bits:b}"[::-1]
    found = []
    at = text.find("1")
    while at >= 0:
        found.append(at)
        at = text.find("1", at + 1)
    return found


def contains(cells: Cells, x: int, y: int) -> bool:
    """Whether a cell is in a set."""
    return bool(cells.get((x // CHUNK, y // CHUNK), 0) >> (y % CHUNK * CHUNK + x % CHUNK) & 1)


def bounds(cells: Cells) -> tuple[int, int, int, int] | None:
    """The bounding box (x, y, width, height) of a set; None for no cells."""
    boxes = []
    for (column, band), bits in cells.items():
        row, rest = 0, bits
        while rest:
            row |= rest & (1 << CHUNK) - 1
            rest >>= CHUNK
        left, right = (row & -row).bit_length() - 1, row.bit_length()
        top, bottom = ((bits & -bits).bit_length() - 1) // CHUNK, (bits.bit_length() - 1) // CHUNK + 1
        x, y = column * CHUNK, band * CHUNK
        boxes.append((x + left, y + top, x + right, y + bottom))
    if not boxes:
        return None
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    left, top = min(lefts), min(tops)
    return left, top, max(rights) - left, max(bottoms) - top


def union(*sets: Cells) -> Cells:
    """The cells that are in any of the sets."""
    found = dict(sets[0]) if sets else {}
    for cells in sets[1:]:
        for chunk, bits in cells.items():
            found[chunk] = found.get(chunk, 0) | bits
    return found


def intersection(one: Cells, other: Cells) -> Cells:
    """The cells that are in both sets."""
    return {chunk: both for chunk, bits in one.items() if (both := bits & other.get(chunk, 0))}


def difference(one: Cells, other: Cells) -> Cells:
    """The cells of one set that are not in the other."""
    return {chunk: left for chunk, bits in one.items() if (left := bits & ~other.get(chunk, 0))}


def rectangle(x: int, y: int, width: int, height: int) -> Cells:
    """The cells of a rectangle from (x, y), which may reach beyond the map to the left and the top."""
    right, bottom = x + width, y + height
    left, top = max(x, 0), max(y, 0)
    found = {}
    columns, bands = touching(left, top, max(right - left, 0), max(bottom - top, 0))
    for column in columns:
        begin, end = max(left - column * CHUNK, 0), min(right - column * CHUNK, CHUNK)
        for band in bands:
            first, last = max(top - band * CHUNK, 0), min(bottom - band * CHUNK, CHUNK)
            found[column, band] = _repeated(begin, end, CHUNK, last - first) << first * CHUNK
    return found


def polygon(grid_type: GridType, points: Sequence[Point], width: int, height: int) -> Cells:
    """The cells of a map of a size whose centres lie within a closed polygon, by the even-odd rule.

    A cell counts as inside if the ray to the left crosses an odd number of sides; so of two polygons that share
    a side each cell belongs to one. Raises ValueError for less than three points.
    """
    if len(points) < 3:
        raise ValueError("a polygon must have at least three points")
    classes = ((0, 1),) if grid_type != "hex_column" else ((0, 2), (1, 2))  # columns whose centres are in line
    found: dict[ChunkXY, int] = {}
    for y in range(height):
        row = 0
        for first, step in classes:
            px, py = centre(grid_type, (first, y))
            apart = (centre(grid_type, (first + step, y))[0] - px) / step
            row |= (
                _row_within(points, px - first * apart, apart, py, width) & _repeated(0, 1, step, width) << first
            )
        row &= (1 << width) - 1
        for column in range(-(-width // CHUNK)) if row else ():
            if part := row >> column * CHUNK & (1 << CHUNK) - 1:
                chunk = column, y // CHUNK
                found[chunk] = found.get(chunk, 0) | part << y % CHUNK * CHUNK
    return found


def moved(cells: Cells, dx: int, dy: int, width: int, height: int) -> Cells:
    """The cells shifted by (dx, dy), without those that are then outside a map of this size."""
    found: dict[ChunkXY, int] = {}
    for (column, band), bits in cells.items():
        for chunk, part in spread(bits, CHUNK, column * CHUNK + dx, band * CHUNK + dy).items():
            found[chunk] = found.get(chunk, 0) | part
    return intersection(found, rectangle(0, 0, width, height))


def spread(bits: int, stride: int, left: int, top: int) -> Cells:
    """The set of the cells of a window: of bit n the cell (left + n % stride, top + n // stride).

    Takes a stride of CHUNK or more. Cells above or to the left of (0, 0) are left out.
    """
    found: dict[ChunkXY, int] = {}
    first, offset = divmod(left, CHUNK)
    band, line = divmod(top, CHUNK)
    for place in range((stride + offset - 1) // CHUNK + 1):
        begin = place * CHUNK - offset  # of the chunks' column, in the window
        part = bits & _repeated(max(begin, 0), min(begin + CHUNK, stride), stride, bits.bit_length() // stride + 1)
        if stride == CHUNK:
            by = line * CHUNK - begin
            part = part << by if by >= 0 else part >> -by
        else:
            part = _restrided(part, stride, CHUNK, -begin) << line * CHUNK
        y = band
        while part:
            if y >= 0 and first + place >= 0 and (here := part & _WHOLE):
                found[first + place, y] = here
            part >>= CHUNK * CHUNK
            y += 1
    return found


def gather(cells: Cells, stride: int, left: int, top: int, height: int) -> int:
    """The cells of a set in a window `stride` wide (CHUNK or more), as bits like those of `spread`; its
    inverse."""
    found = 0
    first, offset = divmod(left, CHUNK)
    bands, line = range(top // CHUNK, (top + height - 1) // CHUNK + 1), top % CHUNK
    for place in range((stride + offset - 1) // CHUNK + 1):
        part = 0
        for index, band in enumerate(bands):
            part |= cells.get((first + place, band), 0) << index * CHUNK * CHUNK
        if not part:
            continue
        begin = place * CHUNK - offset
        part = part >> line * CHUNK & (1 << height * CHUNK) - 1
        inside = _repeated(max(-begin, 0), min(stride - begin, CHUNK), CHUNK, height)
        part &= inside
        if stride == CHUNK:
            found |= part << begin if begin >= 0 else part >> -begin
        else:
            found |= _restrided(part, CHUNK, stride, begin)
    return found


def _row_within(points: Sequence[Point], px: float, apart: float, py: float, width: int) -> int:
    """Which cells of a row lie within a polygon, as bits; the centre of the nth is at (px + n * apart, py)."""
    row = 0
    for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
        if (y1 <= py) != (y2 <= py):
            crossing = x1 + (py - y1) / (y2 - y1) * (x2 - x1)
            row ^= -1 << min(max(floor((crossing - px) / apart) + 1, 0), width)
    return row


@lru_cache(maxsize=4096)
def _repeated(begin: int, end: int, stride: int, lines: int) -> int:
    """Ones from `begin` to before `end` in each of some lines."""
    return ((1 << end - begin) - 1 << begin) * _column(stride, lines) if end > begin else 0


@lru_cache(maxsize=1024)
def _column(stride: int, lines: int) -> int:
    """Ones at the beginning of each line."""
    return sum(1 << stride * line for line in range(lines))


def _restrided(bits: int, old: int, new: int, by: int) -> int:
    """The same bits in lines of another length, moved within their lines so that none leaves its own."""
    found, line, one = 0, 0, (1 << old) - 1
    while bits:
        if row := bits & one:
            found |= (row << by if by >= 0 else row >> -by) << line * new
        bits >>= old
        line += 1
    return found
