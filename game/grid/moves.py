"""A token's move, step by step, with what is really in the way and with what the mover knows of it.

The rules, beside those of `game.grid.paths` (steps, sizes, diagonals, costs):

- First the whole path is tried on the map as the mover knows it. What is in the way there refuses the move
  (`MoveBlocked`), and nothing moves.
- Then it is walked on the map as it is. What the mover could not know of stops the token before it: the move ends
  there, and says where and by what. A secret or a hidden door is a `wall` then.
- What is in the way is named only by the id that it has on the map that the mover knows.
- A step is blocked by the map's `edge`, a `cell` that blocks movement (one that it enters, or on squares one
  beside a diagonal step), a `wall` or a `door` that is not open. A token that stands where it could not have
  walked to may leave.
- A move costs what its steps cost on the map without its secrets (`game.grid.player_view`): hidden ground costs
  nothing.
- A path to a place alone is the cheapest on the map that the mover knows, of equal ones one with the fewest
  diagonals.
- On a grid of type none, positions are points and a step of a path may be of any length: the token walks from
  cell to cell on the straight line, and stands at the last point in the end; where it is stopped, on the cell.

Everything here takes stored maps as frames, and yields the chunks that it wants (`game.grid.canvas`). What a
mover knows is given as `Known`; for game masters that is the map itself.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from game.grid.canvas import Canvas, Steps
from game.grid.chunks import Frame
from game.grid.geometry import Cell, Grid, GridType, Point, centre, from_lattice, neighbours, to_lattice
from game.grid.obstacles import Obstacles, Segment, crossings, look, survey
from game.grid.paths import BUDGET, Walker, find
from game.grid.player_view import is_disguised, is_hidden
from game.grid.vision import anchor, cells_a_side

MAX_PATH: Final = 1024
"""Positions that a path may have; on a grid of type none also the cells that it leads over."""

_RUN: Final = 64  # steps that are looked at together

Kind: TypeAlias = Literal["wall", "door", "cell", "edge"]
Passage: TypeAlias = Callable[[Steps[Any]], Steps[Any]]


class Obstruction(NamedTuple):
    """What is in the way of a step: the place (top left cell) that the token could not step to, what kind of
    thing it is, and its id if the mover knows it."""

    at: Cell
    kind: Kind
    id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """`{at: {x, y}, by: {kind, id?}}`."""
        by = {"kind": self.kind} if self.id is None else {"kind": self.kind, "id": self.id}
        return {"at": {"x": self.at[0], "y": self.at[1]}, "by": by}


class Move(NamedTuple):
    """What a move did: where the token stands, the cells (top left ones) that it walked over with the first and
    the last, what it cost in the map's unit, and what stopped it, if something did."""

    x: float
    y: float
    cells: list[Cell]
    cost: int | float
    stopped: Obstruction | None


class Known(NamedTuple):
    """A map as a mover knows it: its frame, and a way from steps on it to steps on the stored map.

    Without fog: the frame of `players_document`, whose chunks are as stored. With fog: `FoggedView.known`.
    """

    frame: Frame
    through: Passage = lambda steps: steps


class MoveError(Exception):
    """A move that cannot be made; nothing moved."""


class MoveBlocked(MoveError):
    """Something that the mover knows of is in the way."""

    def __init__(self, obstruction: Obstruction) -> None:
        self.obstruction = obstruction
        super().__init__(f"a {obstruction.kind} is in the way at {obstruction.at}")


class NoPath(MoveError):
    """No path that the mover knows leads there; the message says why."""


class BadPath(MoveError):
    """A path that is none: the position at `index` is too much, or not beside the one before it."""

    def __init__(self, index: int, message: str) -> None:
        self.index = index
        super().__init__(message)


class Token(NamedTuple):
    """Who moves: where it stands (top left cell, or point on a grid of type none), and its size in cells a
    side."""

    x: float
    y: float
    size: float = 1


def move_along(
    frame: Frame, width: int, height: int, token: Token, path: Sequence[Point], known: Known, priced: Frame
) -> Steps[Move]:
    """Move a token along a path of neighbouring cells, which may begin with its own.

    Takes the stored map, the map as the mover knows it, and the frame without secrets that costs are counted on.
    Raises BadPath, MoveBlocked.
    """
    grid = Grid.of(frame)
    cells = _cells(grid, token, path)
    side = cells_a_side(grid.type, token.size)
    if (wrong := (yield from known.through(_first(known.frame, width, height, cells, side)))) is not None:
        index, obstruction = wrong
        raise MoveBlocked(obstruction)
    wrong = yield from _first(frame, width, height, cells, side)
    stopped = None
    if wrong is not None:
        index, obstruction = wrong
        stopped = _told(obstruction, frame, known.frame)
        cells = cells[: index + 1]
    cost = yield from _cost(priced, width, height, cells, side)
    x, y = path[-1] if path and stopped is None else (token.x, token.y) if len(cells) == 1 else cells[-1]
    return Move(x, y, cells, cost, stopped)


def move_to(
    frame: Frame,
    width: int,
    height: int,
    token: Token,
    place: Point,
    known: Known,
    priced: Frame,
    budget: int = BUDGET,
) -> Steps[Move]:
    """Move a token on the cheapest path that the mover knows to a place, as `move_along`.

    Raises NoPath, and MoveBlocked where a token that may leave its place only by a path of its own cannot.
    """
    grid = Grid.of(frame)
    start, goal = anchor(grid.type, token.x, token.y, token.size), anchor(grid.type, *place, token.size)
    walker = Walker(cells_a_side(grid.type, token.size))
    path = yield from known.through(find(known.frame, width, height, start, goal, walker, budget))
    if not path.found:
        raise NoPath(path.reason)
    move: Move = yield from move_along(frame, width, height, token, path.cells[1:], known, priced)
    return move._replace(x=place[0], y=place[1]) if move.stopped is None else move


def is_on_map(grid_type: GridType, cell: Cell, size: float, width: int, height: int) -> bool:
    """Whether a token of a size whose top left cell this is lies on a map with all its cells."""
    side = cells_a_side(grid_type, size)
    return 0 <= cell[0] <= width - side and 0 <= cell[1] <= height - side


def _cells(grid: Grid, token: Token, path: Sequence[Point]) -> list[Cell]:
    """The cells that a path leads over, from the token's own."""
    if len(path) > MAX_PATH:
        raise BadPath(MAX_PATH, f"a path has at most {MAX_PATH} positions")
    cells = [anchor(grid.type, token.x, token.y, token.size)]
    for index, (x, y) in enumerate(path):
        cell = anchor(grid.type, x, y, token.size)
        if grid.type == "none":
            if max(abs(cell[0] - cells[-1][0]), abs(cell[1] - cells[-1][1])) + len(cells) > MAX_PATH:
                raise BadPath(index, f"a path leads over at most {MAX_PATH} cells")
            cells += _line(cells[-1], cell)
        elif index == 0 and cell == cells[0]:
            continue
        elif cell not in neighbours(grid, cells[-1]):
            raise BadPath(index, "is not beside the position before it")
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
    """The first step of a way that is blocked on a map: its index, and what is in the way."""
    canvas, grid = Canvas(width, height), Grid.of(frame)
    for begin in range(0, len(cells) - 1, _RUN):
        run = cells[begin : begin + _RUN + 1]
        off = next((n for n, cell in enumerate(run) if not is_on_map(grid.type, cell, side, width, height)), None)
        inside = run if off is None else run[:off]
        if len(inside) > 1:
            left, top = min(x for x, _ in inside), min(y for _, y in inside)
            right, bottom = max(x for x, _ in inside) + side, max(y for _, y in inside) + side
            obstacles = yield from look(frame, canvas, left, top, right - left, bottom - top)
            barred = _barred(obstacles)
            for index, (a, b) in enumerate(pairwise(inside)):
                if fault := _fault(obstacles, barred, a, b, side):
                    if isinstance(fault, str):
                        return begin + index, Obstruction(b, "cell")
                    return begin + index, _barrier(frame, obstacles, b, fault)
        if off is not None and off > 0:
            return begin + off - 1, Obstruction(run[off], "edge")
        if off == 0:
            return begin, Obstruction(run[0], "edge")
    return None


def _fault(
    obstacles: Obstacles, barred: set[Segment], a: Cell, b: Cell, side: int
) -> Literal["cell"] | Segment | None:
    """What is in the way of a step from one place to a neighbour: a cell, a step that a barrier bars, or
    nothing."""
    grid = obstacles.grid
    own = {(a[0] + i, a[1] + j) for i in range(side) for j in range(side)}
    after = [(b[0] + i, b[1] + j) for j in range(side) for i in range(side)]
    entered = set(after)
    if not grid.is_hex:
        dx, dy = b[0] - a[0], b[1] - a[1]
        entered |= {cell for x, y in own for cell in ((x + dx, y), (x, y + dy))}
    if any(_solid(obstacles, *cell) for cell in entered - own):
        return "cell"
    (u1, v1), (u2, v2) = to_lattice(grid.type, a), to_lattice(grid.type, b)
    du, dv = u2 - u1, v2 - v1
    for x, y in own:
        u, v = to_lattice(grid.type, (x, y))
        if (u, v, du, dv) in barred:
            return u, v, du, dv
    for u, v in after if side > 1 else ():
        for step in ((1, 0), (0, 1)):
            if (
                (u + step[0], v + step[1]) in entered
                and (u, v, *step) in barred
                and (u + step[0], v + step[1]) in after
            ):
                return u, v, *step
    return None


def _solid(obstacles: Obstacles, x: int, y: int) -> bool:
    column, row = x - obstacles.x, y - obstacles.y
    return bool(obstacles.solid[row * obstacles.width + column])


def _barred(obstacles: Obstacles) -> set[Segment]:
    """The steps (u, v, du, dv) that barriers bar, in both directions."""
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
    """The wall or door of a map that bars a step."""
    kind = obstacles.grid.type
    (x1, y1), (x2, y2) = from_lattice(kind, *step[:2]), from_lattice(kind, step[0] + step[2], step[1] + step[3])
    left, top = min(x1, x2), min(y1, y2)
    box = left, top, max(x1, x2) - left + 1, max(y1, y2) - top + 1
    px, _ = centre(kind, (x1, y1))
    for name in ("walls", "doors"):
        for item in frame.get(name, ()):
            if min(item["x1"], item["x2"]) < px + 3 and max(item["x1"], item["x2"]) > px - 3:
                alone = {"grid_type": kind, name: [item]}
                if step in _barred(survey(alone, (), *box)):
                    return Obstruction(at, "door" if name == "doors" else "wall", item.get("id"))
    return Obstruction(at, "wall")


def _told(obstruction: Obstruction, frame: Frame, known: Frame) -> Obstruction:
    """What a mover is told of what stopped them."""
    if obstruction.id is None:
        return obstruction
    name = "walls" if obstruction.kind == "wall" else "doors"
    told = obstruction
    if name == "doors":
        door = next(door for door in frame["doors"] if door.get("id") == obstruction.id)
        if is_hidden(door) or is_disguised(door):
            told = told._replace(kind="wall")
    is_known = any(item.get("id") == obstruction.id for item in known.get(name, ()))
    return told if is_known and told.kind == obstruction.kind else told._replace(id=None)


def _cost(frame: Frame, width: int, height: int, cells: Sequence[Cell], side: int) -> Steps[int | float]:
    """What a way costs, in the map's unit."""
    canvas, grid = Canvas(width, height), Grid.of(frame)
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
