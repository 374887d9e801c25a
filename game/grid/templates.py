"""The squares of effects in whole squares, like templates on a battle map, regardless of their centres.

| shape | squares, for a size of n |
|---|---|
| cone | k squares side by side at each distance k from 1 to n: a 15 ft cone is 1 + 2 + 3 |
| cube | n x n |
| line | one after the other, as far as the map's diagonal rule reaches: n with 5-5-5, fewer with 5-10-5 |
| sphere, cylinder | all whose distance by the map's diagonal rule is at most n |

Cones are as wide as they are far away (5e SRD). Cones and cubes go in the nearest of the eight directions; a
diagonal cone is a triangle in its quadrant, with k squares at step k. If a row of squares cannot be centred on the
origin, the extra square is below it, or to its right. Only spheres and cylinders have the square whose centre is
their origin.

For square and isometric maps; on others, `game.grid.area` has the rule.
"""

from collections.abc import Iterable, Iterator
from math import ceil, cos, floor, pi, radians, sin

from game.grid.distance import lattice_distance
from game.grid.geometry import Cell, Grid, Point

_EDGE = 1e-9


def cone(origin: Point, length: int, direction: float) -> set[Cell]:
    """The squares of a cone, given its length in squares and its direction in degrees."""
    along, is_diagonal = _eighth(direction)
    if is_diagonal:
        x, y = _first(origin, along)
        return {(x + along[0] * i, y + along[1] * j) for i in range(length) for j in range(length - i)}
    return {cell for k in range(1, length + 1) for cell in _across(origin, along, k, k)}


def cube(origin: Point, side: int, direction: float) -> set[Cell]:
    """The squares of a cube."""
    along, is_diagonal = _eighth(direction)
    if is_diagonal:
        x, y = _first(origin, along)
        return {(x + along[0] * i, y + along[1] * j) for i in range(side) for j in range(side)}
    return {cell for k in range(1, side + 1) for cell in _across(origin, along, k, side)}


def line(grid: Grid, origin: Point, length: int, direction: float, width: int) -> set[Cell]:
    """The squares of a line, given its length and width in squares."""
    angle = radians(direction)
    unit_x, unit_y = cos(angle), sin(angle)
    longest = max(abs(unit_x), abs(unit_y))
    step_x, step_y = unit_x / longest, unit_y / longest
    in_centre = _is_centre(origin[0]) and _is_centre(origin[1])
    covered = set()
    for k in range(1, length + 1):
        # Counted from the origin's square, or from the corner or side that the line begins at.
        if lattice_distance(grid, round(abs(step_x) * k), round(abs(step_y) * k)) > length:
            break
        at = k if in_centre else k - 0.5
        for n in range(width):
            sideways = n - (width - 1) / 2
            x = origin[0] + step_x * at - unit_y * sideways
            y = origin[1] + step_y * at + unit_x * sideways
            covered.add((floor(x + _EDGE), floor(y + _EDGE)))
    return covered


def sphere(grid: Grid, origin: Point, radius: int, cells: Iterable[Cell]) -> Iterator[Cell]:
    """The squares among these that a sphere or cylinder covers."""
    for x, y in cells:
        steps = (ceil(abs(centre + 0.5 - start) - _EDGE) for centre, start in zip((x, y), origin, strict=True))
        if lattice_distance(grid, *steps) <= radius:
            yield x, y


def _eighth(direction: float) -> tuple[Cell, bool]:
    """The nearest of the eight directions as a step, and whether it is a diagonal one."""
    angle = round(direction / 45) * pi / 4
    step = round(cos(angle)), round(sin(angle))
    return step, all(step)


def _first(origin: Point, along: Cell) -> Cell:
    """The first square in a diagonal direction."""
    x, y = (
        floor(start + step) if _is_centre(start) else floor(start + step / 2)
        for start, step in zip(origin, along, strict=True)
    )
    return x, y


def _across(origin: Point, along: Cell, k: int, count: int) -> Iterator[Cell]:
    """`count` squares side by side across a straight direction, the k-th from the origin."""
    is_horizontal = along[1] == 0
    start, centre = (origin[0], origin[1]) if is_horizontal else (origin[1], origin[0])
    sign = along[0] + along[1]
    at = floor(start + sign * (k if _is_centre(start) else k - 0.5))
    first = floor(centre - count / 2 + 0.5 + _EDGE)
    for other in range(first, first + count):
        yield (at, other) if is_horizontal else (other, at)


def _is_centre(place: float) -> bool:
    """Whether a coordinate is in the middle of squares, with a tolerance for rounding."""
    return abs(place - floor(place) - 0.5) < 1e-6
