"""Memory as it is moved, copied, joined and stored; what it holds is tested with the view (`test_fogged_view`)."""

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid import memory as memories
from game.grid.cell_sets import contains, rectangle, union
from game.grid.fogged_view import FoggedView, part, whole
from game.grid.geometry import Grid
from game.grid.memory import NOTHING, Memory, chunks_of, pack, unpack
from game.grid.scene import Scene
from tests.grid.grids import GRIDS
from tests.grid.maps import Store
from tests.grid.secret_worlds import secret_worlds
from tests.grid.test_fogged_view import Table, edited, named, tidy

Document = dict[str, Any]


def room(grid: Grid = GRIDS[0], size: int = 6) -> Document:
    """A map with a door, a light and a chest, all of which will change."""
    return {
        "width": size,
        "height": size,
        "grid_type": grid.type,
        "legend": [{"symbol": "."}, {"symbol": "#"}],
        "layers": [{"name": "ground", "rows": ["." * size] * size}],
        "walls": [
            {"id": "w", "x1": 2, "y1": 2, "x2": 4, "y2": 2},
            {"id": "v", "x1": 3, "y1": 2, "x2": 3, "y2": 4},
        ],
        "doors": [{"x1": 1, "y1": 1, "x2": 1, "y2": 2, "state": "open"}],
        "entities": [{"id": "chest", "x": 3, "y": 3}],
        "lights": [{"x": 2.5, "y": 2.5, "range": 2}],
    }


def left(table: Table) -> None:
    """Everything is seen, nobody is there any more, and all of it changes."""
    table.tokens = {
        0: ((1, 1), 20),
        1: ((table.width - 2, table.height - 2), 20),
        2: ((2, 2), 20),
        3: ((3, 3), 20),
    }
    table.move()
    table.tokens = {}
    table.move()
    changed = deepcopy(table.document)
    changed["layers"][0]["rows"] = ["#" * table.width] * table.height
    changed["walls"], changed["doors"], changed["lights"] = [], [{**changed["doors"][0], "state": "closed"}], []
    changed["entities"][0] |= {"x": 4, "y": 1}
    table.change(changed)


def shown(table: Table) -> Document:
    document = whole(table.view("explored"), table.chunks)
    for key in ("walls", "doors"):
        document[key] = [
            {k: round(v, 3) if k[0] in "xy" else v for k, v in one.items()} for one in document.get(key, [])
        ]
    return document


class TestResized:
    @pytest.mark.parametrize("grid", GRIDS)
    @pytest.mark.parametrize(
        ("anchor", "size"), [("bottom_right", 68), ("center", 8), ("top_left", 4), ("center", 4)]
    )
    def test_moves_what_is_remembered(self, grid: Grid, anchor: str, size: int) -> None:
        table = Table(room(grid))
        left(table)
        before = shown(table)
        store = Store(table.document)
        edit = {"op": "resize", "width": size, "height": size, "anchor": anchor}
        store.edit(edit)
        old = Store(room(grid))
        old.edit(edit)
        moved = old.document()
        dx = moved["entities"][0]["x"] - 3 if moved["entities"] else {"top_left": 0, "center": -1}[anchor]
        dy = moved["entities"][0]["y"] - 3 if moved["entities"] else {"top_left": 0, "center": -1}[anchor]
        shift = moved["walls"][0]["x1"] - 2, moved["walls"][0]["y1"] - 2
        table.store(store.document())
        table.memory = memories.resized(table.memory, table.scene, dx, dy, shift)
        after = shown(table)
        inside = {(x, y) for x in range(6) for y in range(6) if 0 <= x + dx < size and 0 <= y + dy < size}
        for x, y in inside:
            for mine, other in ((before["fog"]["rows"], after["fog"]["rows"]), (
                before["layers"][0]["rows"], after["layers"][0]["rows"])):  # fmt: skip
                assert other[y + dy][x + dx] == mine[y][x]
        assert sum(row.count("1") for row in after["fog"]["rows"]) == sum(
            before["fog"]["rows"][y][x] == "1" for x, y in inside
        )
        for kind in ("entities", "lights", "doors"):
            if size >= 6:
                keys = [
                    {k: v for k, v in thing.items() if k not in ("x", "y", "x1", "y1", "x2", "y2")}
                    for thing in before[kind]
                ]
                assert [
                    {k: v for k, v in t.items() if k not in ("x", "y", "x1", "y1", "x2", "y2")}
                    for t in after[kind]
                ] == keys
                place = "x1" if kind == "doors" else "x"
                assert after[kind][0][place] - before[kind][0][place] == pytest.approx(
                    dx if kind == "entities" else shift[0], abs=2e-3
                )
        if size >= 6:
            assert len(after["walls"]) == len(before["walls"])
            assert after["walls"][0]["y1"] - before["walls"][0]["y1"] == pytest.approx(shift[1], abs=2e-3)


class TestJoin:
    @given(st.data(), secret_worlds())
    def test_knows_what_any_knew_and_no_more(self, data: Any, first: Document) -> None:
        """Two groups look at different places of a map at different times."""
        tables = [Table(tidy(named(deepcopy(first), 0, 0))) for _ in range(2)]
        cell = st.tuples(st.integers(0, 6), st.integers(0, 5))
        for _ in range(3):
            changed = edited(data.draw, tables[0]) if data.draw(st.booleans()) else None
            for table in tables:
                table.tokens = {0: (data.draw(cell), data.draw(st.sampled_from([1, 3])))}
                table.move()
                if changed:
                    table.change(deepcopy(changed))
        visible = union(*(table.visible for table in tables))
        one, two = tables
        joined = memories.join([one.memory, two.memory], one.scene, visible)
        view = whole(FoggedView(one.scene, joined, visible, "explored"), one.chunks)
        views = [whole(table.view("explored"), table.chunks) for table in tables]
        blank = [" " * 7] * 6
        layers, *others = ({layer["name"]: layer["rows"] for layer in v.get("layers", [])} for v in (view, *views))
        for y in range(6):
            for x in range(7):
                marks = [v["fog"]["rows"][y][x] for v in views]
                assert view["fog"]["rows"][y][x] == max(marks)
                for name in {name for known in (layers, *others) for name in known}:
                    symbol, *both = (known.get(name, blank)[y][x] for known in (layers, *others))
                    known_symbols = [s for s, mark in zip(both, marks, strict=True) if mark != "0"]
                    assert symbol in (known_symbols or [" "])
                    if "2" in marks:
                        assert symbol == both[marks.index("2")]
        for kind in ("entities", "lights"):
            known = [thing for v in views for thing in v.get(kind, [])]
            assert all(thing in known for thing in view.get(kind, []))
            assert {thing["id"] for thing in known} >= {thing["id"] for thing in view.get(kind, [])}
        for table, v in zip(tables, views, strict=True):
            in_sight = [t for t in v.get("entities", []) if contains(table.visible, t["x"], t["y"])]
            assert all(thing in view["entities"] for thing in in_sight)

    def test_of_one_is_the_same(self) -> None:
        table = Table(room())
        left(table)
        again = memories.join([table.memory], table.scene, table.visible)
        assert whole(FoggedView(table.scene, again, {}, "explored"), table.chunks) == shown(table)
        assert memories.join([], table.scene, {}) == NOTHING


class TestStored:
    def test_512_bytes_a_chunk_and_nothing_else_where_nothing_changed(self) -> None:
        document = {"width": 1024, "height": 1024}
        scene = Scene(document, 1024, 1024)
        memory = memories.reveal(NOTHING, scene, rectangle(0, 0, 5000, 5000))
        assert sum(bits.bit_count() for bits in memory.explored.values()) == 1024 * 1024
        chunks, things = pack(memory)
        assert sum(len(bits) + (0 if differs is None else 1) for bits, differs in chunks.values()) == 256 * 512
        assert things == {"things": {}, "legend": {}, "layers": {}, "order": []}
        assert unpack(chunks, things) == memory
        assert unpack({}, None) == NOTHING

    def test_differs_only_while_it_differs(self) -> None:
        table = Table(room())
        left(table)
        chunks, things = pack(table.memory)
        assert orjson.loads(orjson.dumps(things)) == things
        assert chunks[0, 0][1] is not None
        assert things["things"].keys() == {"doors", "entities", "lights"}
        table.change(room())
        chunks, things = pack(table.memory)
        assert [differs for _, differs in chunks.values()] == [None]
        assert things["things"] == {}

    def test_a_part_of_a_memory_is_enough(self) -> None:
        """A move reads the chunks that are in sight, and around, and those of remembered things."""
        table = Table(
            {**room(size=200), "entities": [{"id": "far", "x": 190, "y": 190}, {"id": "chest", "x": 3, "y": 3}]}
        )
        table.memory = memories.reveal(NOTHING, table.scene, rectangle(0, 0, 200, 200))
        changed = deepcopy(table.document)
        changed["entities"] = [{"id": "far", "x": 10, "y": 190}, {"id": "chest", "x": 4, "y": 4}]
        table.change(changed)
        table.tokens = {0: ((20, 20), 30)}
        visible = table.look()
        needed = memories.chunks_beside(visible) | chunks_of(table.memory, table.scene)
        chunks, things = pack(table.memory)
        partial = unpack({chunk: kept for chunk, kept in chunks.items() if chunk in needed}, things)
        assert (1, 2) not in partial.explored
        seen, all_seen = (memories.see(m, table.scene, visible) for m in (partial, table.memory))
        assert seen.things == all_seen.things != table.memory.things
        assert all(seen.explored[chunk] == all_seen.explored[chunk] for chunk in seen.explored)


class TestPart:
    @given(secret_worlds(), st.data())
    def test_is_that_part_of_the_whole(self, document: Document, data: Any) -> None:
        table = Table(tidy(named(document, 0, 0)))
        table.tokens = {0: ((data.draw(st.integers(0, 6)), data.draw(st.integers(0, 5))), 3)}
        table.move()
        table.tokens = {0: ((data.draw(st.integers(0, 6)), data.draw(st.integers(0, 5))), 2)}
        table.change(edited(data.draw, table))
        x, y = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 5))
        width, height = data.draw(st.integers(1, 7 - x)), data.draw(st.integers(1, 6 - y))
        view = table.view("explored")
        all_of_it, some = whole(view, table.chunks), part(view, table.chunks, x, y, width, height)
        assert some["fog"] == [row[x : x + width] for row in all_of_it["fog"]["rows"][y : y + height]]
        rows = {layer["name"]: layer["rows"] for layer in some["layers"]}
        for layer in all_of_it.get("layers", []):
            inside = [row[x : x + width] for row in layer["rows"][y : y + height]]
            # A layer that is gone is left out where nothing of it is remembered.
            assert rows.pop(layer["name"], [" " * width] * height) == inside
        assert not rows
        inside = [t for t in all_of_it.get("entities", []) if x <= t["x"] < x + width and y <= t["y"] < y + height]
        assert some["entities"] == inside
        assert {door.get("id") for door in some["doors"]} <= {
            door.get("id") for door in all_of_it.get("doors", [])
        }
        assert part(view, table.chunks, 0, 0, 7, 6)["walls"] == all_of_it.get("walls", [])


def test_a_memory_is_never_changed() -> None:
    table = Table(room())
    left(table)
    before = deepcopy(pack(table.memory))
    memory: Memory = table.memory
    table.change(room())
    memories.hide(memory, table.scene, rectangle(0, 0, 3, 3), {})
    assert pack(memory) == before


class TestScene:
    def test_a_token_reaches_what_is_in_its_cells_or_beside(self) -> None:
        table = Table(room())
        door = table.document["doors"][0]
        assert set(table.scene.cells_of("doors", door)) == {(0, 1), (1, 1)}
        assert table.scene.is_beside("doors", door, [(2, 2)])
        assert not table.scene.is_beside("doors", door, [(3, 1), (3, 2)])


def test_true_is_not_one() -> None:
    """To Python they are equal."""
    table = Table({**room(), "entities": [{"id": "chest", "x": 3, "y": 3, "properties": {"locked": True}}]})
    table.memory = memories.reveal(NOTHING, table.scene, rectangle(0, 0, 6, 6))
    table.change({**room(), "entities": [{"id": "chest", "x": 3, "y": 3, "properties": {"locked": 1}}]})
    assert shown(table)["entities"][0]["properties"]["locked"] is True
