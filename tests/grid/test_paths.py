"""Paths."""

from heapq import heappop, heappush
from itertools import pairwise, product
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.canvas import run
from game.grid.distance import distance
from game.grid.geometry import Cell, Grid, neighbours, to_lattice
from game.grid.obstacles import SCALE
from game.grid.paths import BUDGET, Path, Walker, diagonals, find, length
from tests.grid.grids import documents, whole
from tests.grid.maps import Store
from tests.grid.test_obstacles import touch


def explore(document: dict[str, Any], start: Cell, goal: Cell, walker: str = "walk", budget: int = BUDGET) -> Path:
    """The path on a map."""
    store = Store(document)
    steps = find(store.frame, store.width, store.height, start, goal, Walker.of(walker), budget)
    return run(steps, store.load)


def drawn(*rows: str, **more: Any) -> dict[str, Any]:
    """A map of rock, floor, mud (2) and road (0.5)."""
    legend = [
        {"symbol": "#", "blocks_movement": True},
        {"symbol": "."},
        {"symbol": "~", "movement_cost": 2},
        {"symbol": "=", "movement_cost": 0.5},
    ]
    size = {"width": len(rows[0]), "height": len(rows)}
    return {**size, "legend": legend, "layers": [{"name": "ground", "rows": list(rows)}], **more}


class Plain:
    """The rules once more, cell by cell and with no speed: Dijkstra over single steps."""

    def __init__(self, document: dict[str, Any], walker: Walker) -> None:
        self.grid = Grid.of(document)
        self.width, self.height = document["width"], document["height"]
        self.obstacles = whole(document)
        self.walker = walker
        self.size = 1 if self.grid.is_hex else walker.size

    def body(self, cell: Cell) -> list[Cell]:
        return [(cell[0] + i, cell[1] + j) for i, j in product(range(self.size), repeat=2)]

    def free(self, cell: Cell) -> bool:
        on_map = 0 <= cell[0] < self.width and 0 <= cell[1] < self.height
        return on_map and not self.obstacles.solid[cell[1] * self.width + cell[0]]

    def may_step(self, a: Cell, b: Cell) -> bool:
        """Whether one cell of a walker can move to a neighbour."""
        (u1, v1), (u2, v2) = to_lattice(self.grid.type, a), to_lattice(self.grid.type, b)
        line = u1 * SCALE, v1 * SCALE, u2 * SCALE, v2 * SCALE
        corner = (
            self.grid.is_hex
            or a[0] == b[0]
            or a[1] == b[1]
            or (self.free((a[0], b[1])) and self.free((b[0], a[1])))
        )
        clear = not any(touch(line, segment) for segment in self.obstacles.barriers)
        return corner and clear and self.free(a) and self.free(b)

    def stands(self, cell: Cell) -> bool:
        body = self.body(cell)
        pairs = [(a, b) for a in body for b in body if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1]
        return all(map(self.free, body)) and all(self.may_step(*pair) for pair in pairs)

    def steps(self, cell: Cell) -> list[Cell]:
        reached = []
        for other in neighbours(self.grid, cell):
            moves = zip(self.body(cell), self.body(other), strict=True)
            if self.stands(other) and all(self.may_step(*move) for move in moves):
                reached.append(other)
        return reached

    def enter(self, cell: Cell) -> float:
        if self.walker.flies:
            return 1
        numbers = [self.obstacles.terrain[y * self.width + x] for x, y in self.body(cell)]
        return float(max(self.obstacles.costs[number] for number in numbers))

    def cost(self, start: Cell, goal: Cell) -> float | None:
        """The least cost in cells."""
        best = self.best(start, goal)
        return None if best is None else best[0]

    def best(self, start: Cell, goal: Cell) -> tuple[float, int] | None:
        """The least cost in cells, and the fewest diagonal steps of the ways that cost no more."""
        if not self.stands(start) or not self.stands(goal):
            return None
        counted = self.grid.diagonal_rule == "5-10-5" and not self.grid.is_hex and self.grid.type != "none"
        heap: list[tuple[float, int, Cell, bool]] = [(0, 0, start, False)]
        done = set()
        while heap:
            spent, slanted, cell, dear = heappop(heap)
            if cell == goal:
                return spent, slanted
            if (cell, dear) in done:
                continue
            done.add((cell, dear))
            for other in self.steps(cell):
                slant = not self.grid.is_hex and cell[0] != other[0] and cell[1] != other[1]
                step = 1.0
                if slant and self.grid.type == "none":
                    step = sqrt(2)
                if slant and counted and dear:
                    step = 2
                cost = spent + step * self.enter(other)
                heappush(heap, (cost, slanted + slant, other, dear ^ (slant and counted)))
        return None


class TestFind:
    @given(st.data(), st.sampled_from(["walk", "fly", "large", "huge,fly"]))
    def test_costs_what_a_search_step_by_step_finds(self, data: st.DataObject, words: str) -> None:
        document, walker = data.draw(documents()), Walker.of(words)
        plain = Plain(document, walker)
        span = plain.size - 1
        places = st.tuples(st.integers(0, plain.width - 1 - span), st.integers(0, plain.height - 1 - span))
        start, goal = data.draw(places), data.draw(places)
        path, best = explore(document, start, goal, words), plain.best(start, goal)
        assert path.found == (best is not None)
        assert path.found == (path.reason is None)
        if best is None:
            return
        assert path.cost == pytest.approx(best[0] * plain.grid.cell_distance)
        # On a grid of type none costs are rounded, so that hardly two are the same.
        assert diagonals(plain.grid, path.cells) == best[1] or plain.grid.type == "none"
        assert (path.cells[0], path.cells[-1]) == (start, goal)
        for a, b in pairwise(path.cells):
            assert b in plain.steps(a)
        assert path.distance == pytest.approx(length(plain.grid, path.cells) * plain.grid.cell_distance)

    @given(st.data())
    def test_is_as_long_as_the_distance_where_nothing_is_in_the_way(self, data: st.DataObject) -> None:
        document = data.draw(documents())
        document |= {"layers": [], "walls": [], "doors": []}
        places = st.tuples(st.integers(0, document["width"] - 1), st.integers(0, document["height"] - 1))
        start, goal = data.draw(places), data.draw(places)
        path, apart = explore(document, start, goal), distance(Grid.of(document), start, goal)
        assert path.cost == pytest.approx(path.distance)
        if document["grid_type"] == "none":
            assert apart.distance - 1e-9 <= path.distance <= 1.09 * apart.distance
        else:
            assert path.distance == apart.distance

    @given(
        documents(),
        st.tuples(st.integers(0, 6), st.integers(0, 5)),
        st.tuples(st.integers(0, 6), st.integers(0, 5)),
    )
    def test_counts_diagonals_as_a_search_step_by_step(
        self, document: dict[str, Any], start: Cell, goal: Cell
    ) -> None:
        document |= {"grid_type": "square", "diagonal_rule": "5-10-5", "walls": []}
        path, expected = explore(document, start, goal), Plain(document, Walker()).cost(start, goal)
        assert path.found == (expected is not None)
        assert path.cost == 5 * (expected or 0)

    def test_every_way_on_an_open_map_is_one_of_neighbours(self) -> None:
        document = drawn(*["." * 9] * 9, diagonal_rule="5-10-5")
        for goal in product(range(9), range(9)):
            path = explore(document, (4, 0), goal)
            assert path.cost == distance(Grid(diagonal_rule="5-10-5"), (4, 0), goal).distance
            assert all(b in neighbours(Grid(), a) for a, b in pairwise(path.cells))

    @pytest.mark.parametrize("wall", [{"x1": 1, "y1": 0, "x2": 1, "y2": 4}, {"x1": 0, "y1": 1, "x2": 4, "y2": 1}])
    def test_no_wall_cuts_through_a_large_walker(self, wall: dict[str, int]) -> None:
        document = drawn(*["...."] * 4, walls=[wall])
        assert explore(document, (0, 0), (2, 2), "large").reason == "the start is blocked"
        assert explore(document, (1, 1), (2, 2), "large").cost == 5

    def test_avoids_mud_and_uses_a_road(self) -> None:
        path = explore(drawn(".~~.", "====", "...."), (0, 0), (3, 0))
        assert path == (True, [(0, 0), (1, 1), (2, 1), (3, 0)], 10, 15, "ft", None)

    def test_cuts_no_corner(self) -> None:
        path = explore(drawn(".#", ".."), (0, 0), (1, 1))
        assert path.cells == [(0, 0), (0, 1), (1, 1)]

    def test_every_second_diagonal_costs_double(self) -> None:
        document = drawn("....", "....", "....", "....", diagonal_rule="5-10-5")
        assert explore(document, (0, 0), (3, 3)).cost == 20

    def test_walks_through_an_open_door_only(self) -> None:
        walls = [{"x1": 1, "y1": 0, "x2": 1, "y2": 1}, {"x1": 1, "y1": 2, "x2": 1, "y2": 3}]
        door = {"x1": 1, "y1": 1, "x2": 1, "y2": 2}
        found = {}
        for state in ("open", "closed", "locked"):
            document = drawn("..", "..", "..", walls=walls, doors=[{**door, "state": state}])
            found[state] = explore(document, (0, 0), (1, 0)).cells
        assert found == {"open": [(0, 0), (0, 1), (1, 1), (1, 0)], "closed": [], "locked": []}

    @pytest.mark.parametrize(
        ("start", "goal", "reason"),
        [
            ((0, 0), (4, 0), "the goal is not on the map"),
            ((-1, 0), (0, 0), "the start is not on the map"),
            ((2, 0), (0, 0), "the start is blocked"),
            ((0, 0), (2, 1), "the goal is blocked"),
            ((0, 0), (3, 1), "there is no path"),
        ],
    )
    def test_gives_the_reason_if_there_is_none(self, start: Cell, goal: Cell, reason: str) -> None:
        assert explore(drawn("..#.", "..#."), start, goal) == (False, [], 0, 0, "ft", reason)

    def test_stays_where_it_is(self) -> None:
        assert explore(drawn("."), (0, 0), (0, 0)) == (True, [(0, 0)], 0, 0, "ft", None)

    @pytest.mark.parametrize("grid_type", ["square", "hex_column"])
    def test_a_wall_from_nowhere_to_nowhere(self, grid_type: str) -> None:
        wall = {"x1": 1.5, "y1": -1.7e308, "x2": 1.5, "y2": 1.7e308}
        document = drawn("....", "....", grid_type=grid_type, walls=[wall])
        assert explore(document, (0, 0), (3, 0)).reason == "there is no path"

    def test_free_ground_costs_nothing(self) -> None:
        document = drawn("....")
        document["legend"] = [{"symbol": ".", "movement_cost": 0}]
        assert explore(document, (0, 0), (3, 0))[2:4] == (0, 15)


class TestLargeMaps:
    def test_reads_only_what_it_walks_through(self) -> None:
        rows = ["~" * 20 + " " * 1080] * 1100
        document = {**drawn(*rows), "legend": [{"symbol": "~", "movement_cost": 2}]}
        store = Store(document)
        path = run(find(store.frame, 1100, 1100, (10, 10), (600, 20)), store.load)
        assert (path.cost, path.distance) == ((590 + 9) * 5, 590 * 5)
        assert {band for _, _, band in store.loaded} == {0, 1, 2, 3, 4}
        assert max(column for _, column, _ in store.loaded) == 12

    @pytest.mark.parametrize("grid_type", ["square", "hex_row", "hex_column"])
    def test_finds_its_way_from_block_to_block(self, grid_type: str) -> None:
        wall = "#" * 299
        lines = ["." * 300] * 300
        lines[100], lines[200], lines[257] = wall + ".", "." + wall, wall + "."
        document = drawn(*lines, grid_type=grid_type, diagonal_rule="none")
        path = explore(document, (0, 0), (0, 299))
        assert path.found
        assert len(path.cells) > 900
        assert explore(document, (0, 299), (0, 0)).cost == path.cost

    def test_gives_up_with_a_reason(self) -> None:
        lines = ["." * 80] * 80
        lines[40] = "#" * 80
        path = explore(drawn(*lines), (0, 0), (0, 79), budget=1000)
        assert path.reason == "no path was found within 1000 cells of search"


class TestWalker:
    def test_of_words(self) -> None:
        assert Walker.of("") == Walker.of("walk") == Walker.of("medium") == (1, False)
        assert Walker.of("fly, large") == (2, True)

    def test_of_an_unknown_word(self) -> None:
        with pytest.raises(ValueError, match="must be made of tiny, small"):
            Walker.of("crawl")
