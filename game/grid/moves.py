"""Checks a token's move step by step, on the real map and on the map as the mover knows it.

The rules, in addition to those of `game.grid.paths` (steps, sizes, diagonals, costs):

- The whole path is first checked on the map as the mover knows it. An obstacle there refuses the move
  (`MoveBlocked`): nothing moves.
- Then the path is walked on the real map. The first obstacle that the mover could not know of ends the move:
  the token stops before it, and the result says where, and what kind of object stopped it. A secret or
  hidden door counts as a `wall`.
- An obstacle's id is included only if the mover knows an object with that id.
- A step is blocked by the map's `edge`; by a `cell` that blocks movement, among those that it enters and those
  beside a diagonal step; or by a `wall` or a `door` that is not open. A token may leave a position that it could
  not have entered.
- Costs are counted on the map without its secrets (`game.grid.player_view`): hidden terrain costs nothing extra.
- On a grid of type none, positions are points, and a path's positions may be any distance apart: the token
  walks the cells on the straight lines between them. It ends at the last point, or on the cell before an
  obstacle.

Maps are passed as the frames of stored maps; the functions are generators that yield the chunks they need
(`game.grid.canvas`). What the mover knows is a `Known`; for game masters that is the stored map.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from game.grid.canvas import Canvas, Steps
from game.grid.chunks import Frame
from game.grid.geometry import Cell, Grid, GridType, Point, centre, from_lattice, neighbours, to_lattice
from game.grid.obstacles import Obstacles, Segment, crossings, look, survey
from game.grid.player_view import is_disguised, is_hidden
from game.grid.vision import anchor, cells_a_side

MAX_PATH: Final = 1024
"""The maximum number of positions of a path that a client sends; on a grid of type none also of its cells."""

_RUN: Final = 64  # steps that are checked at once

Kind: TypeAlias = Literal["wall", "door", "cell", "edge"]
Passage: TypeAlias = Callable[[Steps[Any]], Steps[Any]]


class Obstruction(NamedTuple):
    """What blocks a step: the position (top left cell) that the token cannot step to, the kind of obstacle, and
    its id if the mover knows it."""

    at: Cell
    kind: Kind
    id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """`{at: {x, y}, by: {kind, id?}}`."""
        by = {"kind": self.kind} if self.id is None else {"kind": self.kind, "id": self.id}
        return {"at": {"x": self.at[0], "y": self.at[1]}, "by": by}


class Move(NamedTuple):
    """The result of a move.

    `x, y`: where the token stands now. `cells`: its top left cells on the way, the first and the last included.
    `cost`: in the map's unit. `stopped`: the unknown obstacle that ended the move, if one did; `blocker` is the
    real id of that wall or door, which is only for those who see the door after the move (`named`).
    """

    x: float
    y: float
    cells: list[Cell]
    cost: int | float
    stopped: Obstruction | None = None
    blocker: str | None = None

    def named(self, doors: Iterable[Mapping[str, Any]]) -> Obstruction | None:
        """The obstacle that stopped the move, with its id if it is among the doors that the mover sees
        afterwards."""
        if self.stopped is None or self.blocker is None or self.stopped.kind != "door":
            return self.stopped
        is_seen = any(door.get("id") == self.blocker for door in doors)
        return self.stopped._replace(id=self.blocker) if is_seen else self.stopped


class Known(NamedTuple):
    """A map as a mover knows it: its frame, and a function that turns steps on it into steps on the stored map.

    Without fog: the frame of `players_document`, whose chunks are as stored. With fog: `FoggedView.known`.
    """

    frame: Frame
    through: Passage = lambda steps: steps


class MoveBlocked(Exception):
    """An obstacle that the mover knows of blocks the path."""

    def __init__(self, obstruction: Obstruction) -> None:
        self.obstruction = obstruction
        super().__init__(f"a {obstruction.kind} is in the way at {obstruction.at}")


class BadPath(Exception):
    """An invalid path: it is too long, or the position at `index` is not next to the one before it."""

    def __init__(self, index: int, message: str) -> None:
        self.index = index
        super().__init__(message)


class Token(NamedTuple):
    """A token's position (top left cell, or a point on a grid of type none) and size in cells per side."""

    x: float
    y: float
    size: float = 1


def move_along(
    frame: Frame,
    width: int,
    height: int,
    token: Token,
    path: Sequence[Point],
    known: Known,
    priced: Frame,
    *,
    max_cells: int | None = None,
) -> Steps[Move]:
    """Move a token along a path of neighbouring cells; the path may begin with the token's own cell.

    Takes the stored map, the map as the mover knows it, and the frame without secrets on which costs are counted.
    On a grid of type none, `max_cells` limits the cells on the lines between the positions.
    Raises BadPath or MoveBlocked.
    """
    grid = Grid.of(frame)
    cells, side = _cells(grid, token, path, max_cells), cells_a_side(grid.type, token.size)
    blocked = yield from known.through(_first(known.frame, width, height, cells, side))
    if blocked is not None:
        raise MoveBlocked(blocked[1])
    if known.frame is not frame:
        blocked = yield from _first(frame, width, height, cells, side)
    if blocked is None:
        cost = yield from _cost(priced, width, height, cells, side)
        return Move(*(path[-1] if path else (token.x, token.y)), cells, cost)
    index, obstruction = blocked
    cells = cells[: index + 1]
    x, y = (token.x, token.y) if index == 0 else cells[-1]
    cost = yield from _cost(priced, width, height, cells, side)
    return Move(x, y, cells, cost, _as_reported(obstruction, frame, known.frame), obstruction.id)


def clamped(grid_type: GridType, x: float, y: float, size: float, width: int, height: int) -> Point:
    """The position on a map that is nearest to a token's position, for tokens outside a map that became
    smaller."""
    side = size if grid_type == "none" else cells_a_side(grid_type, size)
    return max(min(x, width - side), 0), max(min(y, height - side), 0)


def is_on_map(grid_type: GridType, cell: Cell, size: float, width: int, height: int) -> bool:
    """Whether a token of this size, with this top left cell, is on the map with all its cells."""
    side = cells_a_side(grid_type, size)
    return 0 <= cell[0] <= width - side and 0 <= cell[1] <= height - side


def _cells(grid: Grid, token: Token, path: Sequence[Point], max_cells: int | None) -> list[Cell]:
    """The cells of a path, beginning with the token's own."""
    cells = [anchor(grid.type, token.x, token.y, token.size)]
    for index, (x, y) in enumerate(path):
        cell = anchor(grid.type, x, y, token.size)
        if grid.type == "none":
            count = max(abs(cell[0] - cells[-1][0]), abs(cell[1] - cells[-1][1])) + len(cells)
            if max_cells is not None and count > max_cells:
                raise BadPath(index, f"a path may have at most {max_cells} cells")
            cells += _line(cells[-1], cell)
        elif index == 0 and cell == cells[0]:
            continue
        elif cell not in neighbours(grid, cells[-1]):
            raise BadPath(index, "is not next to the previous position")
        else:
            cells.append(cell)
    return cells


def _line(start: Cell, end: Cell) -> list[Cell]:
    """The cells on the straight line from one to another, without the first, each beside the one before."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    count = max(abs(dx), abs(dy))
    return [
        (start[0] + (2 * n * dx + count) // (2 * count), start[1] + (2 * n * dy + count) // (2 * count))
        for n in range(1, count + 1)
    ]


def _first(
    frame: Frame, width: int, height: int, cells: Sequence[Cell], side: int
) -> Steps[tuple[int, Obstruction] | None]:
    """The first blocked step of a path on a map: its index, and the obstacle."""
    canvas, grid = Canvas(width, height), Grid.of(frame)
    for begin in range(0, len(cells) - 1, _RUN):
        run = cells[begin : begin + _RUN + 1]
        off = next((n for n, cell in enumerate(run) if not is_on_map(grid.type, cell, side, width, height)), None)
        inside = run if off is None else run[:off]
        if len(inside) > 1:
            left, top = min(x for x, _ in inside), min(y for _, y in inside)
            right, bottom = max(x for x, _ in inside) + side, max(y for _, y in inside) + side
            obstacles = yield from look(frame, canvas, left, top, right - left, bottom - top)
            blocked = _blocked_steps(obstacles)
            for index, (a, b) in enumerate(pairwise(inside)):
                if fault := _fault(obstacles, blocked, a, b, side):
                    if isinstance(fault, str):
                        return begin + index, Obstruction(b, "cell")
                    return begin + index, _barrier(frame, obstacles, b, fault)
        if off is not None and off > 0:
            return begin + off - 1, Obstruction(run[off], "edge")
        if off == 0:
            return begin, Obstruction(run[0], "edge")
    return None


def _fault(
    obstacles: Obstacles, blocked: set[Segment], a: Cell, b: Cell, side: int
) -> Literal["cell"] | Segment | None:
    """The obstacle of a step from a position to a neighbour: a cell, a step that a barrier blocks, or None."""
    grid = obstacles.grid
    own = {(a[0] + i, a[1] + j) for i in range(side) for j in range(side)}
    after = [(b[0] + i, b[1] + j) for j in range(side) for i in range(side)]
    entered = set(after)
    if not grid.is_hex:
        dx, dy = b[0] - a[0], b[1] - a[1]
        entered |= {cell for x, y in own for cell in ((x + dx, y), (x, y + dy))}
    if any(_is_solid(obstacles, *cell) for cell in entered - own):
        return "cell"
    (u1, v1), (u2, v2) = to_lattice(grid.type, a), to_lattice(grid.type, b)
    du, dv = u2 - u1, v2 - v1
    for x, y in own:
        u, v = to_lattice(grid.type, (x, y))
        if (u, v, du, dv) in blocked:
            return u, v, du, dv
    for u, v in after if side > 1 else ():
        for step in ((1, 0), (0, 1)):
            if (
                (u + step[0], v + step[1]) in entered
                and (u, v, *step) in blocked
                and (u + step[0], v + step[1]) in after
            ):
                return u, v, *step
    return None


def _is_solid(obstacles: Obstacles, x: int, y: int) -> bool:
    column, row = x - obstacles.x, y - obstacles.y
    return bool(obstacles.solid[row * obstacles.width + column])


def _blocked_steps(obstacles: Obstacles) -> set[Segment]:
    """The steps (u, v, du, dv) that barriers block, in both directions."""
    x, y, width, height = obstacles.x, obstacles.y, obstacles.width, obstacles.height
    kind = obstacles.grid.type
    corners = [to_lattice(kind, (i, j)) for i in (x, x + width - 1) for j in (y, y + height - 1)]
    us, vs = [u for u, _ in corners], [v for _, v in corners]
    bounds = min(us) - 1, min(vs) - 1, max(us) + 1, max(vs) + 1
    found = set()
    for segment in obstacles.barriers:
        for u, v, du, dv in crossings(segment, obstacles.grid.is_hex, bounds):
            found.add((u, v, du, dv))
            found.add((u + du, v + dv, -du, -dv))
    return found


def _barrier(frame: Frame, obstacles: Obstacles, at: Cell, step: Segment) -> Obstruction:
    """The wall or door of a map that blocks a step."""
    kind = obstacles.grid.type
    (x1, y1), (x2, y2) = from_lattice(kind, *step[:2]), from_lattice(kind, step[0] + step[2], step[1] + step[3])
    left, top = min(x1, x2), min(y1, y2)
    box = left, top, max(x1, x2) - left + 1, max(y1, y2) - top + 1
    px, _ = centre(kind, (x1, y1))
    for name in ("walls", "doors"):
        for item in frame.get(name, ()):
            if min(item["x1"], item["x2"]) < px + 3 and max(item["x1"], item["x2"]) > px - 3:
                alone = {"grid_type": kind, name: [item]}
                if step in _blocked_steps(survey(alone, (), *box)):
                    return Obstruction(at, "door" if name == "doors" else "wall", item.get("id"))
    return Obstruction(at, "wall")


def _as_reported(obstruction: Obstruction, frame: Frame, known: Frame) -> Obstruction:
    """The obstacle as it is reported to the mover."""
    if obstruction.id is None:
        return obstruction
    name = "walls" if obstruction.kind == "wall" else "doors"
    reported = obstruction
    if name == "doors":
        door = next(door for door in frame["doors"] if door.get("id") == obstruction.id)
        if is_hidden(door) or is_disguised(door):
            reported = reported._replace(kind="wall")
    is_known = any(item.get("id") == obstruction.id for item in known.get(name, ()))
    return reported if is_known and reported.kind == obstruction.kind else reported._replace(id=None)


def _cost(frame: Frame, width: int, height: int, cells: Sequence[Cell], side: int) -> Steps[int | float]:
    """The cost of a path, in the map's unit."""
    canvas, grid = Canvas(width, height), Grid.of(frame)
    # Walls and doors cost nothing.
    frame = {key: value for key, value in frame.items() if key not in ("walls", "doors")}
    spent: int | float = 0
    counted = not grid.is_hex and grid.diagonal_rule == "5-10-5" and grid.type != "none"
    dear = False
    for begin in range(0, len(cells) - 1, _RUN):
        run = cells[begin : begin + _RUN + 1]
        left, top = min(x for x, _ in run), min(y for _, y in run)
        right, bottom = max(x for x, _ in run) + side, max(y for _, y in run) + side
        ground = yield from look(frame, canvas, left, top, right - left, bottom - top)
        for a, b in pairwise(run):
            step: int | float = 1
            if not grid.is_hex and a[0] != b[0] and a[1] != b[1]:
                if grid.type == "none":
                    step = sqrt(2)
                elif counted:
                    step, dear = 1 + dear, not dear
            spent += step * max(_ground(ground, b[0] + i, b[1] + j) for i in range(side) for j in range(side))
    return spent * grid.cell_distance


def _ground(obstacles: Obstacles, x: int, y: int) -> int | float:
    return obstacles.costs[obstacles.terrain[(y - obstacles.y) * obstacles.width + x - obstacles.x]]
