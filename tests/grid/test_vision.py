"""What tokens see, against the rules written out plainly."""

import sys
from random import Random
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.canvas import run
from game.grid.cell_sets import cells_from
from game.grid.distance import distance
from game.grid.geometry import Cell, Grid, cell_at
from game.grid.scene import Scene
from game.grid.sight import view
from game.grid.vision import Light, Observer, Sight, Vision, footprint, map_lights, token_light
from tests.grid.grids import GRIDS, documents, each, grids, whole
from tests.grid.maps import Store
from tests.grid.test_sight import Plain

Document = dict[str, Any]


def across_chunks(grid: Grid, random: Random) -> Document:
    """A map of four chunks with rocks and walls where they meet."""
    width, height = 140, 90
    rows = [[" "] * width for _ in range(height)]
    for _ in range(random.choice([0, 40, 200])):
        rows[random.randrange(50, 80)][random.randrange(50, 80)] = "#"
    walls = []
    for _ in range(random.choice([0, 20])):
        x, y = random.randrange(220, 300) / 4, random.randrange(220, 300) / 4
        walls.append(
            {"x1": x, "y1": y, "x2": x + random.randrange(-12, 13) / 4, "y2": y + random.randrange(-12, 13) / 4}
        )
    return {
        "width": width,
        "height": height,
        "grid_type": grid.type,
        "diagonal_rule": grid.diagonal_rule,
        "legend": [{"symbol": "#", "blocks_sight": True}],
        "layers": [{"name": "ground", "rows": ["".join(row) for row in rows]}],
        "walls": walls,
    }


def vision_of(document: Document) -> tuple[Vision, Store]:
    store = Store(document)
    return Vision(store.frame, store.width, store.height), store


class TestVisibleFrom:
    @given(st.data(), grids, st.randoms(use_true_random=False))
    def test_equals_the_sight_of_a_cell(self, data: Any, grid: Grid, random: Random) -> None:
        vision, store = vision_of(across_chunks(grid, random))
        near = st.tuples(st.integers(52, 78), st.integers(52, 78))
        edges = st.tuples(st.sampled_from([0, 1, 63, 64, 139]), st.sampled_from([0, 63, 64, 89]))
        for _ in range(4):
            cell = data.draw(st.one_of(near, edges))
            radius = data.draw(st.sampled_from([0, 1, 3.5, 12, 24, 31, 32]))
            found = run(view(store.frame, store.width, store.height, cell, radius), store.load)
            cells = {
                (found.x + i, found.y + j)
                for j, row in enumerate(found.rows)
                for i, mark in enumerate(row)
                if mark == "1"
            }
            assert set(each(run(vision.visible_from(cell, radius), store.load))) == cells

    @pytest.mark.parametrize("grid", GRIDS)
    def test_reads_only_the_chunks_in_reach(self, grid: Grid) -> None:
        layer = {"name": "ground", "rows": [" " * 300] * 300}
        document = {"width": 300, "height": 300, "layers": [layer], "grid_type": grid.type}
        vision, store = vision_of(document)
        run(vision.visible_from((100, 100), 20), store.load)
        assert (store.rounds, store.loaded) == (1, {(0, 1, 1)})
        run(vision.visible_from((120, 100), 20), store.load)
        run(vision.visible_from((120, 100), 20), store.load)
        assert (store.rounds, store.loaded) == (2, {(0, 1, 1), (0, 2, 1)})


class TestSeenBy:
    @given(
        documents(),
        st.sampled_from([0.5, 1, 2, 3]),
        st.integers(0, 6),
        st.integers(0, 5),
        st.integers(0, 5),
        st.integers(0, 4),
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.sampled_from([0.5, 1, 2, 3])), max_size=3),
        st.booleans(),
    )
    def test_is_what_the_rules_say(
        self, document: Document, size: float, x: int, y: int, reach: int, darkvision: int, lamps: Any, dark: bool
    ) -> None:
        plain, (vision, store) = Plain(whole(document)), vision_of(document)
        side = 1 if plain.grid.is_hex or size < 1 else int(size)
        own = {(x + i, y + j) for i in range(side) for j in range(side)} & set(plain.cells)
        sight = Sight(reach, darkvision)
        lights = [Light(((i, j),), radius) for i, j, radius in lamps]
        expected = set(own)
        for cell in own:
            expected |= {
                other
                for other in plain.seen_from(cell, reach)
                if not dark
                or distance(plain.grid, cell, other).cells <= darkvision
                or any(other in plain.seen_from((i, j), radius) for i, j, radius in lamps)
            }
        if not reach:
            expected = own
        cells = footprint(plain.grid.type, x, y, size, store.width, store.height)
        assert set(cells) == own
        lit = run(vision.lit_by(lights, [Observer(cells, sight)]), store.load) if dark else None
        assert set(each(run(vision.seen_by(cells, sight, lit), store.load))) == expected

    def test_without_sight_it_sees_its_own_cells(self) -> None:
        vision, store = vision_of({"width": 5, "height": 5})
        assert set(each(run(vision.seen_by([(1, 1), (2, 1)], Sight.of(None)), store.load))) == {(1, 1), (2, 1)}


HALL: Document = {"width": 20, "height": 3}
LAMP = Light(((10, 1),), 2)


class TestGroups:
    """In a hall in the dark, with a lamp in the middle."""

    def seen(self, observers: list[Observer], lighting: str) -> set[int]:
        vision, store = vision_of(HALL)
        return {x for x, _ in each(run(vision.seen_by_group(observers, [LAMP], lighting), store.load))}

    def test_see_together(self) -> None:
        observers = [Observer(((0, 1),), Sight(9, 1)), Observer(((19, 1),), Sight(5))]
        assert self.seen(observers, "dark") == {0, 1, 8, 9, 19}
        assert self.seen(observers, "dim") == self.seen(observers, "bright") == {*range(10), *range(14, 20)}
        assert self.seen([], "dark") == set()


class TestFootprint:
    @pytest.mark.parametrize(
        ("x", "y", "size", "cells"),
        [
            (2, 3, 1, [(2, 3)]),
            (2.4, 3.6, 1, [(2, 4)]),
            (2.5, 3.5, 1, [(2, 3)]),
            (2.6, 0, 0.5, [(2, 0)]),
            (2.8, 0, 0.5, [(3, 0)]),
            (0.2, 0, 2, [(0, 0), (1, 0), (0, 1), (1, 1)]),
        ],
    )
    def test_without_cells_is_what_it_covers(self, x: float, y: float, size: float, cells: list[Cell]) -> None:
        assert list(footprint("none", x, y, size, 9, 9)) == cells

    def test_ends_at_the_edge(self) -> None:
        assert footprint("square", 3, 3, 4, 5, 4) == ((3, 3), (4, 3))
        assert footprint("hex_row", 3, 3, 4, 9, 9) == ((3, 3),)


class TestLights:
    def test_are_on_the_map_and_not_hidden(self) -> None:
        lights = [
            {"x": 2.5, "y": 1.5, "range": 4},
            {"x": 1, "y": 1, "range": 4, "hidden": True},
            {"x": 1e300, "y": 1, "range": 4},
            {"x": 0.6, "y": 0.5},
        ]
        document = {"lights": lights, "grid_type": "hex_column"}
        assert map_lights(document, 4, 4) == [Light((cell_at("hex_column", 2.5, 1.5),), 4), Light(((0, 0),), 0)]

    def test_of_tokens_reach_as_far_as_dim(self) -> None:
        assert token_light([(1, 1)], {"bright": 2, "dim": 4, "color": "#fff"}) == Light(((1, 1),), 4)
        assert token_light([(1, 1)], {"bright": 0, "dim": 0}) is None
        assert token_light([(1, 1)], None) is None

    def test_out_of_reach_are_not_looked_at(self) -> None:
        vision, store = vision_of({"width": 200, "height": 9, "layers": [{"name": "g", "rows": [" " * 200] * 9}]})
        lights = [Light(((199, 4),), 5), Light(((12, 4),), 2)]
        lit = run(vision.lit_by(lights, [Observer(((2, 4),), Sight(9))]), store.load)
        assert lit == cells_from((x, y) for x in range(10, 15) for y in range(2, 7))
        assert store.loaded == {(0, 0, 0)}


class TestAfter:
    @given(grids, st.randoms(use_true_random=False))
    def test_sees_what_a_new_one_sees(self, grid: Grid, random: Random) -> None:
        """After a cell and a door have changed."""
        document = across_chunks(grid, random)
        x, y = random.randrange(55, 75), random.randrange(55, 75)
        door = {"id": "d", "x1": x, "y1": y, "x2": x + random.choice([0, 1]), "y2": y + 1, "state": "closed"}
        document["doors"] = [door]
        vision, store = vision_of(document)
        viewers = [
            (random.randrange(45, 85), random.randrange(45, 85), random.choice([2, 5, 12])) for _ in range(20)
        ]
        for i, j, reach in viewers:
            run(vision.visible_from((i, j), reach), store.load)
        door["state"] = "open"
        cells = [*Scene(store.frame, store.width, store.height).cells_of("doors", door)]
        if random.random() < 0.5:
            rows = document["layers"][0]["rows"]
            rows[y] = rows[y][:x] + random.choice("# ") + rows[y][x + 1 :]
            cells.append((x, y))
        anew, changed = vision_of(document)
        after = vision.after(changed.frame, cells)
        for i, j, reach in viewers:
            one = run(after.visible_from((i, j), reach), changed.load)
            assert one == run(anew.visible_from((i, j), reach), changed.load)

    def test_of_no_change_looks_nowhere(self) -> None:
        vision, store = vision_of({"width": 9, "height": 9, "layers": [{"name": "g", "rows": [" " * 9] * 9}]})
        run(vision.visible_from((1, 1), 3), store.load)
        after = vision.after(store.frame, [])
        store.loaded.clear()
        run(after.visible_from((1, 1), 3), store.load)
        run(after.visible_from((5, 5), 3), store.load)
        assert store.loaded == set()

    def test_while_another_thread_looks(self) -> None:
        side = 64
        vision, store = vision_of(
            {"width": side, "height": side, "layers": [{"name": "g", "rows": [" " * side] * side}]}
        )
        cells = [(x, y) for x in range(side) for y in range(side)]
        for cell in cells[:1000]:
            run(vision.visible_from(cell, 2), store.load)

        def look() -> None:
            for cell in cells[1000:]:
                run(vision.visible_from(cell, 2), store.load)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            thread = Thread(target=look)
            thread.start()
            while thread.is_alive():
                vision.after(store.frame, [(0, 0)])
        finally:
            sys.setswitchinterval(interval)
            thread.join()
