"""Moves, against single steps that are tried on the map as it is and as the mover knows it."""

from dataclasses import replace
from itertools import pairwise
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.canvas import run
from game.grid.cell_sets import intersection, rectangle
from game.grid.fogged_view import FoggedView
from game.grid.geometry import Cell, neighbours
from game.grid.memory import Memory
from game.grid.moves import (
    MAX_PATH,
    BadPath,
    Known,
    Move,
    MoveBlocked,
    Obstruction,
    Token,
    clamped,
    move_along,
)
from game.grid.paths import Walker, find
from game.grid.player_view import players_document
from game.grid.scene import Scene
from tests.grid.maps import Store
from tests.grid.secret_worlds import MARK, secret_worlds
from tests.grid.test_paths import Plain as Steps
from tests.grid.test_paths import drawn
from tests.grid.test_player_view import seen_by_players

Document = dict[str, Any]
Outcome = tuple[str, Any, Any]


def players(store: Store) -> Known:
    return Known(players_document(store.frame, [entry["symbol"] for entry in store.frame.get("legend", ())]).frame)


def walk(
    document: Document, token: Token, path: list[Any], *, secrets: bool = False, known: Known | None = None
) -> Move:
    """The move of a player on a map without fog, or of a game master."""
    store = Store(document)
    seen = players(store)
    knows = Known(store.frame) if secrets else known or seen
    steps = move_along(store.frame, store.width, store.height, token, path, knows, seen.frame)
    return run(steps, store.load)


def go(document: Document, place: Cell, *, secrets: bool = False) -> Move:
    """The move from the top left cell along the cheapest path that the mover knows."""
    store = Store(document)
    frame = store.frame if secrets else players(store).frame
    path = run(find(frame, store.width, store.height, (0, 0), place), store.load)
    return walk(document, Token(0, 0), path.cells, secrets=secrets)


class Plain:
    """The rules of moves, step by step, on two whole maps."""

    def __init__(self, document: Document, known: Document, size: int) -> None:
        walker = Walker(size)
        self.true, self.known, self.open = (Steps(d, walker) for d in (document, known, seen_by_players(document)))

    def blocked(self, on: Steps, a: Cell, b: Cell) -> str | None:
        """What kind of thing bars a step."""
        body, after = on.body(a), on.body(b)
        if not all(0 <= x < on.width and 0 <= y < on.height for x, y in after):
            return "edge"
        beside = (
            {c for x, y in body for c in ((x + b[0] - a[0], y), (x, y + b[1] - a[1]))}
            if not on.grid.is_hex
            else set()
        )
        if not all(on.free(cell) for cell in {*after, *beside} - {*body}):
            return "cell"
        solid, on.obstacles = on.obstacles, _without_rock(on.obstacles)
        moves = zip(body, after, strict=True)
        clear = all(on.may_step(*move) for move in moves) and on.stands(b)
        on.obstacles = solid
        return None if clear else "barrier"

    def move(self, cells: list[Cell]) -> Outcome:
        for a, b in pairwise(cells):
            if kind := self.blocked(self.known, a, b):
                return "blocked", b, kind
        for index, (a, b) in enumerate(pairwise(cells)):
            if kind := self.blocked(self.true, a, b):
                return "stopped", (cells[: index + 1], self.cost(cells[: index + 1])), (b, kind)
        return "moved", (cells, self.cost(cells)), None

    def cost(self, cells: list[Cell]) -> float:
        grid, spent, slanted = self.open.grid, 0.0, 0
        for a, b in pairwise(cells):
            slant = not grid.is_hex and a[0] != b[0] and a[1] != b[1]
            slanted += slant
            step = 1.0
            if slant and grid.type == "none":
                step = sqrt(2)
            elif slant and grid.diagonal_rule == "5-10-5" and slanted % 2 == 0:
                step = 2
            spent += step * self.open.enter(b)
        return spent * grid.cell_distance


def _without_rock(obstacles: Any) -> Any:
    return replace(obstacles, solid=bytes(len(obstacles.solid)))


def outcome(document: Document, token: Token, path: list[Cell], known: Known | None = None) -> Outcome:
    try:
        move = walk(document, token, path, known=known)
    except MoveBlocked as blocked:
        kind = blocked.obstruction.kind
        return "blocked", blocked.obstruction.at, "barrier" if kind in ("wall", "door") else kind
    done = move.cells, pytest.approx(move.cost)
    assert (move.x, move.y) == move.cells[-1]
    if move.stopped is None:
        return "moved", done, None
    kind = move.stopped.kind
    assert move.stopped.id is None or MARK not in move.stopped.id
    return "stopped", done, (move.stopped.at, "barrier" if kind in ("wall", "door") else kind)


class TestMoveAlong:
    @given(secret_worlds(), st.sampled_from([1, 1, 2, 3]), st.booleans(), st.data())
    def test_is_what_the_rules_say(self, document: Document, size: int, fog: bool, data: Any) -> None:
        store = Store(document)
        known, view = seen_by_players(document), None
        if fog:
            area = data.draw(st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(1, 7), st.integers(1, 6)))
            scene = Scene(store.frame, store.width, store.height)
            cells = intersection(rectangle(*area), rectangle(0, 0, store.width, store.height))
            fogged = FoggedView(scene, Memory(), cells, "sight")
            view = fogged.known
            x, y, width, height = area
            known["layers"] = [
                {
                    **layer,
                    "rows": [
                        "".join(
                            c if x <= i < x + width and y <= j < y + height else " " for i, c in enumerate(row)
                        )
                        for j, row in enumerate(layer["rows"])
                    ],
                }
                for layer in known.get("layers", [])
            ]
            known["walls"], known["doors"] = fogged.walls(cells), fogged.doors(cells)
        known.setdefault("layers", [])
        plain = Plain(document, known, size)
        side = plain.true.size
        cell = data.draw(st.tuples(st.integers(0, 7 - side), st.integers(0, 6 - side)))
        path = [cell]
        for _ in range(data.draw(st.integers(0, 6))):
            path.append(data.draw(st.sampled_from(neighbours(plain.true.grid, path[-1]))))
        token = Token(*cell, size)
        sent = path if data.draw(st.booleans()) else path[1:]
        assert outcome(document, token, sent, view) == plain.move(path)

    def test_the_id_of_a_door_is_only_for_those_who_see_it(self) -> None:
        door = {"id": "d", "x1": 2, "y1": 0, "x2": 2, "y2": 1}
        with pytest.raises(MoveBlocked) as blocked:
            walk(drawn("....", doors=[door]), Token(0, 0), [(1, 0), (2, 0)])
        assert blocked.value.obstruction.as_json() == {"at": {"x": 2, "y": 0}, "by": {"kind": "door", "id": "d"}}

    @pytest.mark.parametrize("secret", [{"secret": True}, {"hidden": True}])
    def test_a_door_that_is_not_seen_is_a_wall(self, secret: Document) -> None:
        door = {"id": "d", "x1": 2, "y1": 0, "x2": 2, "y2": 1, **secret}
        document = drawn("....", doors=[door])
        if "hidden" in secret:
            move = walk(document, Token(0, 0), [(1, 0), (2, 0), (3, 0)])
            assert move == Move(1, 0, [(0, 0), (1, 0)], 5, Obstruction((2, 0), "wall"), "d")
            assert move.named([door]) == Obstruction((2, 0), "wall")
        else:
            with pytest.raises(MoveBlocked) as blocked:
                walk(document, Token(0, 0), [(1, 0), (2, 0), (3, 0)])
            assert blocked.value.obstruction == Obstruction((2, 0), "wall")
        with pytest.raises(MoveBlocked) as known:
            walk(document, Token(0, 0), [(1, 0), (2, 0)], secrets=True)
        assert known.value.obstruction == Obstruction((2, 0), "door", "d")

    def test_the_id_of_a_door_that_comes_into_sight_is_shown(self) -> None:
        door = {"id": "d", "x1": 2, "y1": 0, "x2": 2, "y2": 1}
        store = Store(drawn("....", doors=[door]))
        scene = Scene(store.frame, store.width, store.height)
        start = FoggedView(scene, Memory(), rectangle(0, 0, 1, 1), "sight")
        steps = move_along(store.frame, 4, 1, Token(0, 0), [(1, 0), (2, 0)], start.known, store.frame)
        move = run(steps, store.load)
        assert move.stopped == Obstruction((2, 0), "door")
        assert move.named(start.doors(start.visible)) == Obstruction((2, 0), "door")
        after = FoggedView(scene, Memory(), rectangle(0, 0, 2, 1), "sight")
        assert move.named(after.doors(after.visible)) == Obstruction((2, 0), "door", "d")
        assert move._replace(stopped=None).named([door]) is None

    def test_hidden_ground_costs_nothing(self) -> None:
        document = drawn("....")
        document["layers"].append({"name": "traps", "rows": ["~~~~"], "visible_to": "game_masters"})
        assert walk(document, Token(0, 0), [(1, 0)]).cost == 5
        assert walk(document, Token(0, 0), [(1, 0)], secrets=True).cost == 5

    def test_a_token_in_rock_may_leave(self) -> None:
        assert walk(drawn("#."), Token(0, 0), [(1, 0)]).cells == [(0, 0), (1, 0)]

    def test_without_cells_positions_are_points(self) -> None:
        document = drawn("......", "......", grid_type="none", walls=[{"x1": 4, "y1": 0, "x2": 4, "y2": 1}])
        move = walk(document, Token(0.2, 0.9), [(2.4, 1.1), (5, 1)])
        assert move[:2] == (5, 1)
        assert move.cells == [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]
        hidden = {**document, "walls": [{"x1": 4, "y1": 0, "x2": 4, "y2": 2, "hidden": True}]}
        stopped = walk(hidden, Token(0.2, 0.9), [(2.4, 1.1), (5, 1)])
        assert (stopped.x, stopped.y, stopped.stopped) == (3, 1, Obstruction((4, 1), "wall"))

    @pytest.mark.parametrize("path", [[(2, 0)], [(1, 0), (1, 0)], [(1, 0), (3, 0)], [(1, 1), (3, 3)]])
    def test_refuses_a_path_with_holes(self, path: list[Cell]) -> None:
        with pytest.raises(BadPath, match="next to") as bad:
            walk(drawn("....", "....", "....", "...."), Token(0, 0), path)
        assert bad.value.index == len(path) - 1

    def test_refuses_a_path_without_end(self) -> None:
        store = Store(drawn("..", grid_type="none"))
        known = players(store)
        for path in ([(1e6, 0)], [(1, 0), (0, 0)] * MAX_PATH):
            steps = move_along(store.frame, 2, 1, Token(0, 0), path, known, known.frame, max_cells=MAX_PATH)
            with pytest.raises(BadPath, match="at most"):
                run(steps, store.load)

    def test_stops_at_the_edge(self) -> None:
        for path in ([(1, 0), (2, 0)], [(-1, 0)], [(0, -1)]):
            with pytest.raises(MoveBlocked) as blocked:
                walk(drawn(".."), Token(0, 0), path)
            assert blocked.value.obstruction == Obstruction(path[-1], "edge")

    def test_walks_far_in_parts(self) -> None:
        document = drawn("." * 300, ".." * 150)
        path = [(x, 0) for x in range(300)]
        assert walk(document, Token(0, 0), path).cost == 5 * 299
        hidden = {**document, "walls": [{"x1": 256, "y1": 0, "x2": 256, "y2": 1, "hidden": True}]}
        move = walk(hidden, Token(0, 0), path)
        assert (move.x, len(move.cells), move.stopped) == (255, 256, Obstruction((256, 0), "wall"))

    def test_walks_into_what_it_does_not_know(self) -> None:
        wall = {"x1": 2, "y1": 0, "x2": 2, "y2": 2, "hidden": True}
        document = drawn("....", "....", "....", walls=[wall])
        move = go(document, (3, 0))
        assert (move.x, move.y, move.stopped) == (1, 0, Obstruction((2, 0), "wall"))
        assert go(document, (3, 0), secrets=True).stopped is None

    @pytest.mark.parametrize("kind", ["square", "hex_row", "hex_column", "isometric", "none"])
    def test_a_move_to_the_same_cell_costs_nothing(self, kind: str) -> None:
        document = drawn("..", "..", grid_type=kind)
        assert walk(document, Token(1, 1), [(1, 1)]) == Move(1, 1, [(1, 1)], 0, None)


class TestClamped:
    def test_is_the_nearest_place_on_the_map(self) -> None:
        assert clamped("square", 9, 2, 2, 5, 4) == (3, 2)
        assert clamped("none", 4.5, -1.0, 0.5, 5, 4) == (4.5, 0)
        assert clamped("hex_row", 9, 9, 3, 5, 4) == (4, 3)
        assert clamped("square", 3, 3, 4, 2, 2) == (0, 0)
