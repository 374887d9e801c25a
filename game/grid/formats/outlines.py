"""The lines around cells that block sight, for formats that have walls and no cells."""

from collections.abc import Iterator
from itertools import pairwise

from game.grid.document import size
from game.grid.formats.imported import Document
from game.grid.geometry import HEXES, GridType, cell_at, centre, corners
from game.grid.obstacles import opened_cells

Line = tuple[float, float, float, float]
"""x1, y1, x2, y2 in points."""


def outlines(document: Document) -> Iterator[Line]:
    """The lines between cells that block sight and cells that do not; on square grids, joined to long lines.

    Cells that a door opens do not count as blocking: the door itself is exported.
    """
    blocking = {entry["symbol"] for entry in document.get("legend", []) if entry.get("blocks_sight") is True}
    width, height = size(document)
    if not blocking or not width or not height:
        return
    grid_type = document.get("grid_type", "square")
    blocked = _blocked(document, blocking, width, height)
    for door in document.get("doors", []):
        for x, y in opened_cells(grid_type, door, 0, 0, width, height):
            blocked[y] = blocked[y][:x] + b"\0" + blocked[y][x + 1 :]
    if grid_type in HEXES:
        yield from _around_hexes(grid_type, blocked)
        return
    for y, (above, below) in enumerate(pairwise(blocked), 1):
        yield from ((x1, y, x2, y) for x1, x2 in _differences(above, below))
    if any(map(any, blocked)):
        columns = map(bytes, zip(*blocked, strict=True))
        for x, (left, right) in enumerate(pairwise(columns), 1):
            yield from ((x, y1, x, y2) for y1, y2 in _differences(left, right))


def _blocked(document: Document, blocking: set[str], width: int, height: int) -> list[bytes]:
    """A byte for each cell: 1 where any layer blocks sight."""
    result = [bytes(width)] * height
    for layer in document.get("layers", []):
        for y, row in enumerate(layer.get("rows", [])):
            used = set(row)
            if not blocking.isdisjoint(used):
                marks = {ord(symbol): "\1" if symbol in blocking else "\0" for symbol in used}
                line = row.translate(marks).encode()
                result[y] = (int.from_bytes(line) | int.from_bytes(result[y])).to_bytes(width)
    return result


def _around_hexes(grid_type: GridType, blocked: list[bytes]) -> Iterator[Line]:
    height, width = len(blocked), len(blocked[0])
    for y, line in enumerate(blocked):
        x = line.find(1)
        while x >= 0:
            middle = centre(grid_type, (x, y))
            around = corners(grid_type, (x, y))
            for (x1, y1), (x2, y2) in pairwise((*around, around[0])):
                # The neighbour beyond an edge is as far from the edge as the cell itself.
                column, row = cell_at(grid_type, x1 + x2 - middle[0], y1 + y2 - middle[1])
                if 0 <= column < width and 0 <= row < height and not blocked[row][column]:
                    yield x1, y1, x2, y2
            x = line.find(1, x + 1)


def _differences(first: bytes, second: bytes) -> Iterator[tuple[int, int]]:
    """The ranges in which two lines of cells differ: (first, one past the last)."""
    differ = (int.from_bytes(first) ^ int.from_bytes(second)).to_bytes(len(first))
    end = 0
    while (start := differ.find(1, end)) >= 0:
        end = differ.find(0, start)
        end = len(differ) if end < 0 else end
        yield start, end
