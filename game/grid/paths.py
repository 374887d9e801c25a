"""The cheapest path from cell to cell by the 5e rules, around obstacles.

The rules:

- A step goes to a neighbour, and costs what the distance rule counts for it (with 5-10-5 every second
  diagonal of the way two cells) times the movement cost of the cell that it enters ("Difficult Terrain", 5e
  SRD).
- No step enters a solid cell, or crosses or touches a wall or a door that is not open on its way from centre
  to centre. A diagonal step needs both cells beside it free: it cannot cross the corner of a wall ("Variant:
  Playing on a Grid", 5e).
- A walker is one or more words, such as `large,fly`: a size (tiny, small, medium: one cell; large 2 x 2, huge
  3 x 3, gargantuan 4 x 4 cells; 5e "Creature Size") and how it moves (`walk`, or `fly`: the ground's movement cost
  does not count). The position of a larger creature is its top left cell; it pays for the most expensive cell that
  it enters, and all its cells must be free. On hexes all walkers take one cell.
- Of paths with equal cost, one with the fewest diagonal steps is taken.
- On a grid of type none, paths lead over the centres of cells, with diagonals of length sqrt(2).

The search is A* with buckets (one stack for all nodes of equal estimate, so no comparison sorts them), on the
lattice, where the steps are the same everywhere. With 5-10-5, a node is a cell and whether the next diagonal is
the expensive one. The map is read in blocks of BLOCK x BLOCK cells as the search reaches them.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import chain, pairwise, repeat
from math import sqrt
from mmap import mmap
from typing import Any, Final, NamedTuple, TypeAlias

from game.grid.canvas import Canvas, Steps
from game.grid.chunks import Frame
from game.grid.geometry import Cell, Grid, from_lattice, lattice_steps, to_lattice
from game.grid.obstacles import Obstacles, costs_of, crossings, look

BLOCK: Final = 256
BUDGET: Final = 400_000
"""The maximum number of cells that a search examines: about a second of work."""

# Costs are counted in parts, and a diagonal step costs one part more, to prefer straight steps. Paths have fewer
# steps.
_PARTS: Final = 2**21

SIZES: Final = {"tiny": 1, "small": 1, "medium": 1, "large": 2, "huge": 3, "gargantuan": 4}
MODES: Final = {"walk": False, "fly": True}


class Path(NamedTuple):
    """A path, or the reason why there is none.

    `cells` leads from the start to the goal, both included. `cost` is the movement cost and `distance` the length,
    both in `unit`; without difficult terrain they are equal. `reason` is a text for users; None if a path was
    found.
    """

    found: bool
    cells: list[Cell]
    cost: int | float
    distance: int | float
    unit: str
    reason: str | None


class Walker(NamedTuple):
    """A walker: its size in cells per side, and whether the movement cost of the terrain applies to it."""

    size: int = 1
    flies: bool = False

    @classmethod
    def of(cls, words: str) -> "Walker":
        """Parse words such as `large,fly`; raises ValueError for an unknown word."""
        walker = cls()
        for word in filter(None, (word.strip() for word in words.split(","))):
            if word in SIZES:
                walker = walker._replace(size=SIZES[word])
            elif word in MODES:
                walker = walker._replace(flies=MODES[word])
            else:
                raise ValueError(f"must be made of {', '.join([*SIZES, *MODES])}")
        return walker


# The steps from a node by its exits (a bit for each step): the offset of the next node, the distance in cells, and
# whether the step is diagonal (1 or 0).
_Moves: TypeAlias = list[tuple[tuple[int, int | float, int], ...]]


def find(
    frame: Frame,
    width: int,
    height: int,
    start: Cell,
    goal: Cell,
    walker: Walker = Walker(),  # noqa: B008 - it is immutable
    budget: int = BUDGET,
) -> Steps[Path]:
    """Find the cheapest path between two cells of a stored map; yields requests for chunks, and returns the
    Path."""
    grid = Grid.of(frame)
    if grid.is_hex:
        walker = walker._replace(size=1)
    margin = walker.size - 1
    for name, (x, y) in (("start", start), ("goal", goal)):
        if not (0 <= x < width - margin and 0 <= y < height - margin):
            return _no_path(grid, f"the {name} is not on the map")
    graph = _Graph(frame, width, height, walker)
    yield from graph.read(start)
    yield from graph.read(goal)
    for name, cell in (("start", start), ("goal", goal)):
        if not graph.standing[graph.index(cell)]:
            return _no_path(grid, f"the {name} is blocked")
    alternates = grid.diagonal_rule == "5-10-5" and not grid.is_hex and grid.type != "none"
    shift = 1 if alternates else 0
    moves, estimate = _moves(graph, alternates), _estimate(graph, goal, shift)
    exits, terrain, costs = graph.exits, graph.terrain, [cost * _PARTS for cost in graph.costs]
    start_node, goal_index = graph.index(start) << shift, graph.index(goal)
    costs_to: dict[int, int | float] = {start_node: 0}
    came_from = {start_node: start_node}
    closed: set[int] = set()
    buckets: dict[int | float, list[int]] = {0: [start_node]}
    heap: list[int | float] = [0]
    while heap:
        bucket = buckets[lowest := heappop(heap)]
        while bucket:
            node = bucket.pop()
            if node in closed:
                continue
            index = node >> shift
            if index == goal_index:
                return _path_to(graph, came_from, node, shift, costs_to[node])
            closed.add(node)
            if len(closed) > budget:
                return _no_path(grid, f"no path was found within {budget} cells of search")
            if not exits[index]:
                # The cell's block is not read yet.
                yield from graph.read(graph.cell(index))
            cost_here = costs_to[node]
            for delta, step, diagonal in moves[node & shift][exits[index]]:
                neighbour = node + delta
                cost = cost_here + step * costs[terrain[neighbour >> shift]] + diagonal
                if neighbour not in costs_to or cost < costs_to[neighbour]:
                    costs_to[neighbour] = cost
                    came_from[neighbour] = node
                    priority = cost + estimate(neighbour)
                    if priority in buckets:
                        buckets[priority].append(neighbour)
                    else:
                        buckets[priority] = [neighbour]
                        heappush(heap, priority)
        del buckets[lowest]
    return _no_path(grid, "there is no path")


def _no_path(grid: Grid, reason: str) -> Path:
    return Path(False, [], 0, 0, grid.distance_unit, reason)


def _path_to(graph: "_Graph", came_from: dict[int, int], node: int, shift: int, cost: int | float) -> Path:
    """The path to a node."""
    nodes = [node]
    while (node := came_from[node]) != nodes[-1]:
        nodes.append(node)
    cells = [graph.cell(node >> shift) for node in reversed(nodes)]
    grid = graph.grid
    parts = cost - diagonals(grid, cells)
    return Path(
        True,
        cells,
        (parts // _PARTS if isinstance(parts, int) else parts / _PARTS) * grid.cell_distance,
        length(grid, cells) * grid.cell_distance,
        grid.distance_unit,
        None,
    )


def length(grid: Grid, cells: Sequence[Cell]) -> int | float:
    """The length of a path in cells, regardless of the terrain."""
    steps, diagonal_count = len(cells) - 1, diagonals(grid, cells)
    if grid.type == "none":
        return steps - diagonal_count + diagonal_count * sqrt(2)
    return steps + diagonal_count // 2 if grid.diagonal_rule == "5-10-5" else steps


def diagonals(grid: Grid, cells: Sequence[Cell]) -> int:
    """The number of diagonal steps of a path; 0 on hexes."""
    return 0 if grid.is_hex else sum(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(cells))


def _moves(graph: "_Graph", alternates: bool) -> list[_Moves]:
    """The steps by exits; with 5-10-5, separately for nodes whose next diagonal is cheap or expensive."""
    steps = lattice_steps(graph.grid)
    diagonal_length = sqrt(2) if graph.grid.type == "none" else 1
    tables: list[_Moves] = []
    for parity in (0, 1) if alternates else (0,):
        moves: list[tuple[int, int | float, int]] = []
        for du, dv in steps:
            delta, diagonal = dv * graph.stride + du, int(not graph.grid.is_hex and du != 0 and dv != 0)
            if not alternates:
                moves.append((delta, diagonal_length if diagonal else 1, diagonal))
            else:
                moves.append((2 * delta + (1 - 2 * parity) * diagonal, 1 + parity * diagonal, diagonal))
        # Straight steps last, because the search continues with the last of equal nodes, so that paths do not
        # zigzag.
        choices = [(1 << bit, move) for bit, move in enumerate(moves)][::-1]
        every = range(1 << len(steps))
        tables.append([tuple(move for bit, move in choices if exits & bit) for exits in every])
    return tables


def _estimate(graph: "_Graph", goal: Cell, shift: int) -> Callable[[int], int | float]:
    """A lower bound of the remaining cost from a node, in parts: the distance by the grid's rule at the lowest
    cost of any terrain, and the fewest diagonal steps of a path with that cost.

    It never falls by more than a step costs (it is consistent), so no node is visited twice.
    """
    grid, stride, min_cost = graph.grid, graph.stride, min(graph.costs) * _PARTS
    # If a step may cost as little as one part, diagonals are not estimated.
    diagonal_part = 1 if min_cost > 1 else 0
    goal_v, goal_u = divmod(graph.index(goal), stride)
    extra = sqrt(2) - 1

    def hex_distance(node: int) -> int | float:
        dv, du = node // stride - goal_v, node % stride - goal_u
        return max(abs(du), abs(dv), abs(du + dv)) * min_cost

    def chebyshev(node: int) -> int | float:
        dv, du = abs(node // stride - goal_v), abs(node % stride - goal_u)
        return du * min_cost + dv * diagonal_part if du > dv else dv * min_cost + du * diagonal_part

    def alternating(node: int) -> int | float:
        # Rounded up for a node whose next diagonal is the expensive one; it costs as much as two straight steps.
        is_double = node & 1
        dv, du = abs((node >> 1) // stride - goal_v), abs((node >> 1) % stride - goal_u)
        long, short = (du, dv) if du > dv else (dv, du)
        diagonal_count = short - (short + 1 + is_double & 1) if short else 0
        return (long + (short + is_double) // 2) * min_cost + diagonal_count * diagonal_part

    def manhattan(node: int) -> int | float:
        return (abs(node // stride - goal_v) + abs(node % stride - goal_u)) * min_cost

    def octile(node: int) -> int | float:
        dv, du = abs(node // stride - goal_v), abs(node % stride - goal_u)
        if du > dv:
            return (du + extra * dv) * min_cost + dv * diagonal_part
        return (dv + extra * du) * min_cost + du * diagonal_part

    if grid.is_hex:
        return hex_distance
    if grid.type == "none":
        return octile
    return {"5-5-5": chebyshev, "5-10-5": alternating, "none": manhattan}[grid.diagonal_rule]


class _Graph:
    """The read part of a map: the possible steps from each cell, and its terrain, as flat arrays.

    Lattice rows follow each other, with an empty cell between, so that each kind of step has a constant offset in
    the array, and none wraps around the edge. On hex_column the array's rows are the map's columns.
    """

    def __init__(self, frame: Frame, width: int, height: int, walker: Walker) -> None:
        self.frame, self.walker = frame, walker
        self.canvas = Canvas(width, height)
        self.grid = Grid.of(frame)
        self.transposed = self.grid.type == "hex_column"
        self.row_length, self.row_count = (height, width) if self.transposed else (width, height)
        self.shear = (self.row_count - 1) >> 1 if self.grid.is_hex else 0
        self.stride = self.row_length + self.shear + 1
        count = self.stride * (self.row_count + 2)
        self.exits, self.standing = _zeros(count), _zeros(count)
        self.costs = (1,) if walker.flies else costs_of(frame)
        if len(self.costs) == 1:
            # All terrain costs the same, so the values do not matter.
            self.terrain: bytearray | mmap | list[int] = self.exits
            self.costs = (1,) * 256
        else:
            self.terrain = _zeros(count) if len(self.costs) <= 256 else [0] * count
        self._blocks: set[Cell] = set()

    def index(self, cell: Cell) -> int:
        """The index of a cell in the array."""
        u, v = to_lattice(self.grid.type, cell)
        return (v + 1) * self.stride + u + self.shear

    def cell(self, index: int) -> Cell:
        """The cell at an index of the array."""
        v, u = divmod(index, self.stride)
        return from_lattice(self.grid.type, u - self.shear, v - 1)

    def read(self, cell: Cell) -> Steps[None]:
        """Read the block of a cell, if it was not read yet."""
        block = cell[0] // BLOCK, cell[1] // BLOCK
        if block in self._blocks:
            return
        self._blocks.add(block)
        # The surroundings determine which steps leave the block, and where larger walkers fit.
        margin = self.walker.size
        left, top = max(block[0] * BLOCK - margin, 0), max(block[1] * BLOCK - margin, 0)
        right = min((block[0] + 1) * BLOCK + margin, self.canvas.width)
        bottom = min((block[1] + 1) * BLOCK + margin, self.canvas.height)
        obstacles = yield from look(self.frame, self.canvas, left, top, right - left, bottom - top)
        part = _Part(obstacles, self.walker.size)
        self._keep(part, block, 0, part.exits, self.exits)
        self._keep(part, block, 1, part.standing, self.standing)
        if self.terrain is not self.exits:
            is_list = isinstance(self.terrain, list)
            self._keep(part, block, 1, part.terrain if is_list else bytes(part.terrain), self.terrain)

    def _keep(self, part: "_Part", block: Cell, margin: int, values: Sequence[int], target: Any) -> None:
        """Copy the data of a block, and `margin` cells around it."""
        column, row = (block[1], block[0]) if self.transposed else block
        for v in range(max(row * BLOCK - margin, 0), min((row + 1) * BLOCK + margin, self.row_count)):
            shear = v >> 1 if self.grid.is_hex else 0
            first = max(column * BLOCK - margin, 0) - shear
            last = min((column + 1) * BLOCK + margin, self.row_length) - shear
            to, source = (v + 1) * self.stride + self.shear, part.row(v)
            target[to + first : to + last] = values[source + first : source + last]


def _zeros(count: int) -> bytearray | mmap:
    """An array of zero bytes; if it is large, the system allocates only the pages that are used."""
    return bytearray(count) if count < 1 << 20 else mmap(-1, count)


class _Part:
    """The steps and the terrain of a rectangle, as flat arrays like those of _Graph, with separate lattice rows.

    The steps are computed for all cells at once: with one byte per cell, the cells are one long integer, and
    shifting it aligns each cell with its neighbour.
    """

    def __init__(self, obstacles: Obstacles, size: int) -> None:
        grid = obstacles.grid
        self.transposed = grid.type == "hex_column"
        x, y, width, height = obstacles.x, obstacles.y, obstacles.width, obstacles.height
        if self.transposed:
            x, y, width, height = y, x, height, width
        self.row_length, self.top = width, y
        self.starts = [x - (v >> 1 if grid.is_hex else 0) for v in range(y, y + height)]
        self.left = self.starts[-1]
        self.stride = self.starts[0] - self.left + self.row_length + 1
        self.count = self.stride * (height + 2)
        self.ones = int.from_bytes(b"\1" * self.count, "little")
        self.bits = {step: bit for bit, step in enumerate(lattice_steps(grid))}

        free = int.from_bytes(bytes(self._in_rows(obstacles.solid, 1)), "little") ^ self.ones
        exits = 0
        for (du, dv), bit in self.bits.items():
            possible = free & self._beside(free, du, dv)
            if du and dv and not grid.is_hex:
                possible &= self._beside(free, du, 0) & self._beside(free, 0, dv)
            exits |= possible << bit
        exits = self._without_barriers(exits, obstacles)
        self.terrain = self._in_rows(obstacles.terrain, 0)
        if size > 1:
            exits, free = self._for_size(exits, free, size)
            for step in (1, self.stride):
                for _ in range(size - 1):
                    beside = chain(self.terrain[step:], repeat(0))
                    self.terrain = [*map(max, self.terrain, beside)]
        self.exits = exits.to_bytes(self.count, "little")
        self.standing = free.to_bytes(self.count, "little")

    def row(self, v: int) -> int:
        """The index in the arrays of the cell u = 0 of a lattice row."""
        return (v - self.top + 1) * self.stride - self.left

    def _in_rows(self, values: Sequence[int], filler: int) -> list[int]:
        """The values of cells as lattice rows, with an empty row before and after."""
        padded = [filler] * self.count
        for line, start in enumerate(self.starts):
            at = (line + 1) * self.stride + start - self.left
            row = slice(line, None, len(self.starts))
            if not self.transposed:
                row = slice(line * self.row_length, (line + 1) * self.row_length)
            padded[at : at + self.row_length] = values[row]
        return padded

    def _beside(self, cells: int, du: int, dv: int) -> int:
        """For each cell, the value of the cell a step away."""
        by = 8 * (dv * self.stride + du)
        return cells >> by if by >= 0 else cells << -by

    def _without_barriers(self, exits: int, obstacles: Obstacles) -> int:
        """The exits without the steps that cross barriers."""
        open_steps = bytearray(exits.to_bytes(self.count, "little"))
        bounds = self.left, self.top, self.left + self.stride - 2, self.top + len(self.starts) - 1
        for segment in obstacles.barriers:
            for u, v, du, dv in crossings(segment, obstacles.grid.is_hex, bounds):
                if (du, dv) in self.bits:
                    at = self.row(v) + u
                    open_steps[at] &= ~(1 << self.bits[du, dv])
                    open_steps[at + dv * self.stride + du] &= ~(1 << self.bits[-du, -dv])
        return int.from_bytes(open_steps, "little")

    def _for_size(self, exits: int, free: int, size: int) -> tuple[int, int]:
        """The exits and free positions of a walker of size x size squares, by its top left cell.

        All its cells must be able to take the step, and no barrier may cross its position.
        """
        offsets = range(size)
        standing, leaving = free, exits
        for i in offsets:
            for j in offsets:
                standing &= self._beside(free, i, j)
                leaving &= self._beside(exits, i, j)
                if i < size - 1:
                    standing &= self._beside(exits >> self.bits[1, 0] & self.ones, i, j)
                if j < size - 1:
                    standing &= self._beside(exits >> self.bits[0, 1] & self.ones, i, j)
        fitting_exits = 0
        for (du, dv), bit in self.bits.items():
            fitting_exits |= (leaving >> bit & standing & self._beside(standing, du, dv)) << bit
        return fitting_exits, standing
