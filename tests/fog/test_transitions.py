"""The sights of a map, from one version of its grid to the next."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.fog.sights import Sights
from game.fog.transitions import next_sights
from game.grid.canvas import run
from game.grid.scene import Scene
from game.grid.vision import Vision
from tests.grid.maps import Store

SIDE = 24
EDGE = [*((n, 0) for n in range(9)), *((0, n) for n in range(9))]
EYES = [(4, 4), (12, 12), (19, 6)]


def house(random: Random) -> dict[str, Any]:
    """A map with a few walls and rocks, and two doors."""
    rows = [["."] * SIDE for _ in range(SIDE)]
    for _ in range(20):
        rows[random.randrange(SIDE)][random.randrange(SIDE)] = "#"
    lines = [random.sample(range(SIDE), 4) for _ in range(8)]
    items = [{"id": f"i{n}", "x1": x1, "y1": y1, "x2": x2, "y2": y2} for n, (x1, y1, x2, y2) in enumerate(lines)]
    return {
        "width": SIDE,
        "height": SIDE,
        "legend": [{"symbol": "#", "blocks_sight": True}, {"symbol": "."}],
        "layers": [{"name": "ground", "rows": ["".join(row) for row in rows]}],
        "walls": items[2:],
        "doors": [{**one, "state": "closed"} for one in items[:2]],
    }


def edit(random: Random) -> dict[str, Any]:
    """An edit that changes what blocks sight; most often a door's state."""
    cell = {"x": random.randrange(SIDE), "y": random.randrange(SIDE), "symbol": random.choice("#.")}
    door = {"op": "update_door", "id": random.choice(["i0", "i1"])}
    x1, y1, x2, y2 = random.sample(range(SIDE), 4)
    wall = {"id": f"i{random.randrange(2, 8)}", "x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return random.choice(
        [
            *[{**door, "changes": {"state": random.choice(["open", "closed"])}}] * 6,
            {**door, "changes": {"secret": random.choice([True, False])}},
            {"op": "set", "layer": "ground", "cells": [cell]},
            {"op": "put_wall", "wall": wall},
        ]
    )


def changed(sights: Sights, store: Store, *edits: dict[str, Any]) -> Sights:
    """The sights after edits of a stored map."""
    before = dict(store.chunks)
    store.edit(*edits)
    keys = [key for key in before.keys() | store.chunks.keys() if before.get(key) != store.chunks.get(key)]
    rows = {key: (before.get(key), store.chunks.get(key)) for key in keys}
    return next_sights(sights, store.frame, SIDE, SIDE, rows)


def look(vision: Vision, store: Store) -> list[Any]:
    """What is visible from some cells."""
    return [run(vision.visible_from(eye, 12), store.load) for eye in EYES]


class TestNextSights:
    @given(st.randoms(use_true_random=False))
    def test_equal_new_ones(self, random: Random) -> None:
        store = Store(house(random))
        sights = Sights.of(Scene(store.frame, SIDE, SIDE), Vision(store.frame, SIDE, SIDE))
        for _ in range(10):
            look(sights.vision, store)
            assert sights.scene.pieces
            sights = changed(sights, store, edit(random))
            new = Scene(store.frame, SIDE, SIDE)
            assert look(sights.vision, store) == look(Vision(store.frame, SIDE, SIDE), store)
            assert sights.scene.pieces == new.pieces
            assert sights.scene.piece_set == new.piece_set

    @pytest.mark.parametrize("grid_type", ["square", "isometric", "hex_row", "hex_column", "none"])
    @pytest.mark.parametrize("ends", [(0, 0, -0.5, 7), (-1, -1, 12, 0), (0, 7, 0, 2), (0, 1e308, -1e-3, -1e308)])
    def test_of_a_door_at_the_edge(self, grid_type: str, ends: tuple[float, float, float, float]) -> None:
        """It opens cells in which it does not lie."""
        door = {"id": "i0", "state": "closed", **dict(zip(("x1", "y1", "x2", "y2"), ends, strict=True))}
        rock = {**house(Random(1)), "grid_type": grid_type, "doors": [door], "walls": []}
        rock["layers"] = [{"name": "ground", "rows": ["#" * SIDE, *["#" + "." * (SIDE - 1)] * (SIDE - 1)]}]
        store = Store(rock)
        sights = Sights.of(Scene(store.frame, SIDE, SIDE), Vision(store.frame, SIDE, SIDE))
        for state in ("open", "closed"):
            for place in EDGE:
                run(sights.vision.visible_from(place, 9), store.load)
            sights = changed(sights, store, {"op": "update_door", "id": "i0", "changes": {"state": state}})
            new = Vision(store.frame, SIDE, SIDE)
            for place in EDGE:
                now = run(sights.vision.visible_from(place, 9), store.load)
                assert now == run(new.visible_from(place, 9), store.load)

    def test_of_a_door_that_is_closed_again_are_known(self) -> None:
        """And not after a cell has changed."""
        store = Store(house(Random(1)))
        closed = Sights.of(Scene(store.frame, SIDE, SIDE), Vision(store.frame, SIDE, SIDE))
        turn = {"op": "update_door", "id": "i0"}
        opened = changed(closed, store, {**turn, "changes": {"state": "open"}})
        assert opened.vision is not closed.vision
        again = changed(opened, store, {**turn, "changes": {"state": "closed"}})
        assert again.vision is closed.vision
        cell = {"op": "set", "layer": "ground", "cells": [{"x": 12, "y": 5, "symbol": "#"}]}
        dug = changed(again, store, cell, {**turn, "changes": {"state": "open"}})
        assert dug.vision is not opened.vision
