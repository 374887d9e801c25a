"""The cells that an effect covers: cones, cubes, spheres, cylinders and lines of the 5e rules.

By the rule "centre" a cell is covered when its centre is inside the shape; of a round shape that is nearly the
rule of the 5e DMG ("Areas of Effect": at least half of the square). "template" counts whole squares, as
`game.grid.templates` says. The shapes are those of the 5e SRD, "Areas of Effect":

| shape | size | origin and direction |
|---|---|---|
| cone | length | begins at its origin; at its end as wide as it is long (53.13 degrees) |
| cube | side | begins at its origin, the middle of the side that it leaves from |
| line | length | begins at its origin; `line_width` wide |
| sphere, cylinder | radius | around its origin, whatever the direction |

The origin is a point in cells: (2.5, 2.5) is the centre of the cell (2, 2), (3, 3) its lower right corner.
It is not part of a cone, cube or line (5e SRD), so a cell with the origin in its centre is not covered. Of
two cells whose centres lie exactly on the two long sides of a cube or line, one is covered, so that a line
one cell wide never takes two. Directions are degrees clockwise on the screen, as in Tiled: 0 right, 90 down.
"""

from collections.abc import Callable, Iterable
from math import cos, floor, hypot, inf, isfinite, radians, sin
from typing import Final, Literal, TypeAlias, get_args

from game.grid import templates
from game.grid.geometry import Cell, Grid, Point, cell_at, centre

Shape: TypeAlias = Literal["cone", "cube", "sphere", "cylinder", "line"]
Rule: TypeAlias = Literal["centre", "template"]
SHAPES: Final[tuple[Shape, ...]] = get_args(Shape)

MAX_CELLS: Final = 250_000
"""The maximum number of cells in the bounding box of an effect, because all of them are tested."""

# A tolerance, so that centres exactly on the edge of a shape are inside in spite of rounding.
_EDGE: Final = 1e-9


def area(
    grid: Grid,
    width: int,
    height: int,
    shape: Shape,
    origin: Point,
    size: float,
    direction: float = 0,
    line_width: float | None = None,
    rule: Rule = "centre",
) -> list[Cell]:
    """The cells of a map that an effect covers, row by row.

    Takes the map's size in cells, the origin as a point in cells, `size` and `line_width` in the map's unit
    (by default as wide as a cell), the direction in degrees, and the rule. Raises ValueError for a size that is
    negative or too large, or for an unknown shape.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}")
    if not all(map(isfinite, (*origin, direction))):
        raise ValueError("the origin and the direction of an effect must be finite")
    length = size / grid.cell_distance
    across = 1 if line_width is None else line_width / grid.cell_distance
    if shape in ("cube", "cone"):
        across = length
    if not (0 <= length < inf and 0 <= across < inf):
        raise ValueError("the size of an effect must be 0 or more")
    reach = length if shape in ("sphere", "cylinder") else hypot(length, across / 2)
    left, top = cell_at(grid.type, origin[0] - reach, origin[1] - reach)
    right, bottom = cell_at(grid.type, origin[0] + reach, origin[1] + reach)
    # A staggered row may reach one cell further than the corner's.
    columns = range(max(left - 1, 0), min(right + 2, width))
    rows = range(max(top - 1, 0), min(bottom + 2, height))
    if len(columns) * len(rows) > MAX_CELLS:
        raise ValueError(f"the effect is too large: the box around it may have {MAX_CELLS} cells")
    if rule == "template" and grid.type in ("square", "isometric"):
        cells = _template(grid, shape, origin, length, across, direction, columns, rows)
        return sorted(
            (cell for cell in cells if cell[0] in columns and cell[1] in rows), key=lambda c: (c[1], c[0])
        )
    inside = _inside(shape, length, across, radians(direction))
    covered = []
    for y in rows:
        for x in columns:
            px, py = centre(grid.type, (x, y))
            if inside(px - origin[0], py - origin[1]):
                covered.append((x, y))
    return covered


def _template(
    grid: Grid,
    shape: Shape,
    origin: Point,
    length: float,
    across: float,
    direction: float,
    columns: range,
    rows: range,
) -> Iterable[Cell]:
    """The squares of a shape's template, with sizes rounded to whole squares; some may be off the map."""
    size, wide = floor(length + 0.5 + _EDGE), max(1, floor(across + 0.5 + _EDGE))
    if shape in ("cone", "cube", "line") and size * wide > MAX_CELLS:
        raise ValueError(f"the effect is too large: it may have {MAX_CELLS} cells")
    if shape == "cone":
        return templates.cone(origin, size, direction)
    if shape == "cube":
        return templates.cube(origin, size, direction)
    if shape == "line":
        return templates.line(grid, origin, size, direction, wide)
    return templates.sphere(grid, origin, size, ((x, y) for y in rows for x in columns))


def _inside(shape: Shape, length: float, across: float, angle: float) -> Callable[[float, float], bool]:
    """Whether a point, relative to the origin, is inside a shape; sizes in cells."""
    along_x, along_y = cos(angle), sin(angle)

    def sphere(dx: float, dy: float) -> bool:
        return hypot(dx, dy) <= length + _EDGE

    def cone(dx: float, dy: float) -> bool:
        along, sideways = dx * along_x + dy * along_y, dy * along_x - dx * along_y
        return _EDGE < along <= length + _EDGE and abs(sideways) <= along / 2 + _EDGE

    def box(dx: float, dy: float) -> bool:
        along, sideways = dx * along_x + dy * along_y, dy * along_x - dx * along_y
        return _EDGE < along <= length + _EDGE and -across / 2 - _EDGE <= sideways < across / 2 - _EDGE

    return {"sphere": sphere, "cylinder": sphere, "cone": cone, "cube": box, "line": box}[shape]
