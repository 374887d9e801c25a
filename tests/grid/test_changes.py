"""Changes: undo, redo, conflicts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.changes import Change, Conflict, counts, inverse, overlaps, summary
from tests.grid.maps import Document, Store, edits, maps, paints


def tavern(**changes: Any) -> Document:
    """A small map with two layers."""
    legend = [{"symbol": symbol} for symbol in "#.~"]
    layers = [{"name": "ground", "rows": ["####", "#..#", "####"]}, {"name": "roof", "rows": ["    "] * 3}]
    return {"width": 4, "height": 3, "legend": legend, "layers": layers, **changes}


def cell(x: int, y: int, symbol: str) -> Document:
    return {"op": "set", "layer": "ground", "cells": [{"x": x, "y": y, "symbol": symbol}]}


def entity(x: int, y: int) -> Document:
    return {"op": "put_entity", "entity": {"id": "e", "x": x, "y": y}}


def resize(width: int, height: int) -> Document:
    return {"op": "resize", "width": width, "height": height}


ENTITY = {"op": "put_entity", "entity": {"id": "e", "x": 3, "y": 2, "name": "Old chest"}}


class TestReplay:
    @given(st.data())
    def test_undo_restores_exactly_and_redo_again(self, data: st.DataObject) -> None:
        store = Store(data.draw(maps()))
        states, changes = [store.document()], []
        for _ in range(data.draw(st.integers(1, 3))):
            request: list[Document] = []
            ahead = Store(store.document())
            for _ in range(data.draw(st.integers(1, 2))):
                request.append(data.draw(edits(ahead.document())))
                ahead.edit(request[-1])
            changes.append(store.edit(*request))
            states.append(store.document())
        undone = []
        for change, state in zip(reversed(changes), reversed(states[:-1]), strict=True):
            undone.append(store.replay(inverse(change)))
            assert store.document() == {**state, "width": store.width, "height": store.height}
        for change, state in zip(reversed(undone), states[1:], strict=True):
            store.replay(inverse(change))
            assert store.document() == state

    @pytest.mark.parametrize("has_ids", [True, False])
    def test_ten_thousand_things_that_were_cut_off_come_back_in_order(self, has_ids: bool) -> None:
        places = [(index * 37 % 100, index // 100) for index in range(10_000)]
        walls = [{"x1": x, "y1": y, "x2": x + 1, "y2": y, "id": f"{x} {y}"} for x, y in places]
        if not has_ids:
            for wall in walls:
                del wall["id"]
        store = Store({"width": 100, "height": 100, "legend": [], "layers": [], "walls": walls})
        # Those that stay do so in place: without a move, walls without ids are not looked for.
        change = store.edit({"op": "resize", "width": 50, "height": 50, "anchor": "top_left"})
        assert 0 < len(store.frame["walls"]) < 5000
        store.replay(inverse(change))
        assert store.document()["walls"] == walls

    @given(st.data())
    def test_several_changes_are_taken_back_at_once(self, data: st.DataObject) -> None:
        store = Store(data.draw(maps()))
        before = store.document()
        back: Change = []
        for _ in range(3):
            back = inverse(store.edit(data.draw(edits(store.document())))) + back
        after = store.document()
        restored = store.replay(back)
        assert store.document() == before
        store.replay(inverse(restored))
        assert store.document() == after

    @given(st.data())
    def test_undo_leaves_later_edits_of_other_cells(self, data: st.DataObject) -> None:
        document = data.draw(maps())
        store = Store(document)
        change = store.edit(data.draw(paints(document)))
        later = store.edit(data.draw(paints(document)))
        expected = store.document()
        for key, x, y, count, *_ in [(part["cells"], *run) for part in change for run in part["runs"]]:
            row, old = expected["layers"][key]["rows"][y], document["layers"][key]["rows"][y]
            expected["layers"][key]["rows"][y] = row[:x] + old[x : x + count] + row[x + count :]
        if not overlaps(change, later):
            store.replay(inverse(change))
            assert store.document() == expected

    def test_refuses_a_cell_that_changed_since(self) -> None:
        store = Store(tavern())
        change = store.edit(cell(1, 1, "~"))
        store.edit(cell(1, 1, "#"))
        with pytest.raises(Conflict, match=r"cell \(1, 1\) has changed since"):
            store.replay(inverse(change))

    @pytest.mark.parametrize(
        ("first", "later", "reason"),
        [
            (ENTITY, {"op": "remove_entity", "id": "e"}, "the entity e no longer exists"),
            (
                ENTITY,
                {"op": "put_entity", "entity": {"id": "e", "x": 0, "y": 0}},
                "the entity e has changed since",
            ),
            (cell(1, 1, "~"), {"op": "remove_layer", "name": "ground"}, "a layer that it changed was deleted"),
            (
                cell(3, 2, "~"),
                {"op": "resize", "width": 3, "height": 3},
                r"cell \(3, 2\) is no longer on the map",
            ),
            (
                {"op": "resize", "width": 9, "height": 3},
                {"op": "resize", "width": 9, "height": 9},
                "size has changed",
            ),
            (
                {"op": "resize", "width": 9, "height": 3},
                cell(8, 0, "~"),
                "cells that it added have been painted on",
            ),
            (
                {"op": "resize", "width": 9, "height": 3},
                {"op": "put_entity", "entity": {"id": "e", "x": 8, "y": 0}},
                "the entity e would not be on the map",
            ),
            (
                {"op": "update_layer", "name": "roof", "changes": {"name": "sky"}},
                {"op": "add_layer", "layer": {"name": "roof"}},
                "there is another layer roof",
            ),
            (
                {"op": "add_layer", "layer": {"name": "new"}},
                {"op": "set", "layer": "new", "cells": [{"x": 0, "y": 0, "symbol": "#"}]},
                "the layer new has been painted on since",
            ),
            (
                {"op": "update_legend", "legend": [{"symbol": "%"}]},
                {"op": "set", "layer": "roof", "cells": [{"x": 0, "y": 0, "symbol": "%"}]},
                "the legend entry % is in use",
            ),
            (
                {"op": "remove_legend_entry", "symbol": "~"},
                {"op": "update_legend", "legend": [{"symbol": "~", "name": "ice"}]},
                "there is another legend entry ~",
            ),
            (
                {"op": "update_map", "changes": {"grid_type": "hex_row"}},
                {"op": "update_map", "changes": {"grid_type": None}},
                "the grid_type has changed since",
            ),
            (
                {"op": "update_map", "changes": {"mine": None}},
                {"op": "update_map", "changes": {"mine": 1}},
                "the mine has changed since",
            ),
        ],
    )
    def test_refuses_what_would_break_the_map(self, first: Document, later: Document, reason: str) -> None:
        store = Store(tavern(mine=None))
        change = store.edit(first)
        later_change = store.edit(later)
        before = store.document()
        with pytest.raises(Conflict, match=reason):
            store.replay(inverse(change))
        assert store.document() == before
        assert overlaps(change, later_change)

    def test_refuses_a_symbol_that_left_the_legend(self) -> None:
        store = Store(tavern())
        added = store.edit({"op": "update_legend", "legend": [{"symbol": "%"}]})
        store.edit(cell(1, 1, "%"))
        over = store.edit(cell(1, 1, "#"))
        store.replay(inverse(added))
        with pytest.raises(Conflict, match=r"the legend no longer has a symbol that belongs in cell \(1, 1\)"):
            store.replay(inverse(over))

    @pytest.mark.parametrize(
        ("mine", "patch"),
        [
            ({}, None),
            ({}, 1),
            ({"mine": None}, None),
            ({"mine": None}, 1),
            ({"mine": 1}, None),
            ({"mine": 1}, True),
        ],
    )
    def test_absent_null_and_present_are_three(self, mine: Document, patch: Any) -> None:
        store = Store(tavern(**mine))
        change = store.edit({"op": "update_map", "changes": {"mine": patch}})
        after = tavern() if patch is None else tavern(mine=patch)
        for _ in range(2):
            assert str(store.document().get("mine", "absent")) == str(after.get("mine", "absent"))
            change = store.replay(inverse(change))
            assert store.document() == tavern(**mine)
            assert str(store.document().get("mine", "absent")) == str(mine.get("mine", "absent"))
            change = store.replay(inverse(change))

    def test_a_value_that_was_set_often_is_recorded_once(self) -> None:
        store = Store(tavern())
        there = [{"op": "update_map", "changes": {"mine": number}} for number in range(3)]
        back = {"op": "update_map", "changes": {"mine": None}}
        assert store.edit(*there, back) == []
        assert store.edit(*there) == [{"value": "mine", "before": [], "after": [2]}]

    @pytest.mark.parametrize(
        "together",
        [
            [
                {"op": "replace", "layer": "ground", "symbol": ".", "with": "~"},
                {"op": "remove_legend_entry", "symbol": "."},
            ],
            [
                {"op": "update_legend", "legend": [{"symbol": "o", "name": "stone"}], "index": 1},
                {"op": "replace", "layer": "ground", "symbol": "#", "with": "o"},
                {"op": "remove_legend_entry", "symbol": "#"},
                {"op": "add_layer", "layer": {"name": "new", "rows": ["o   ", "    ", "    "]}},
            ],
            [{"op": "update_legend", "legend": [{"symbol": "%"}]}, cell(2, 1, "%")],
        ],
    )
    def test_entries_come_and_go_with_what_is_painted_in_them(self, together: list[Document]) -> None:
        """Back and forth, each time by what the step before has recorded."""
        store = Store(tavern())
        before = store.document()
        change = store.edit(*together)
        after = store.document()
        for state in (before, after, before, after):
            change = store.replay(inverse(change))
            assert store.document() == state

    def test_undo_restores_a_removed_layer_with_its_cells(self) -> None:
        store = Store(tavern())
        before = store.document()
        change = store.edit({"op": "remove_layer", "name": "ground"})
        assert not store.chunks
        store.replay(inverse(change))
        assert store.document() == before

    def test_walls_without_an_id_move_and_return(self) -> None:
        wall = {"x1": 0, "y1": 0, "x2": 4, "y2": 3}
        store = Store(tavern(walls=[wall, wall], grid_type="hex_row"))
        before = store.document()
        change = store.edit({"op": "resize", "width": 9, "height": 8, "anchor": "center"})
        assert store.document()["walls"] != before["walls"]
        store.replay(inverse(change))
        assert store.document() == before


class TestOverlaps:
    @given(st.data())
    def test_of_cells_is_a_cell_in_common(self, data: st.DataObject) -> None:
        document = data.draw(maps())
        one, other = (Store(document).edit(data.draw(paints(document))) for _ in range(2))
        cells = [
            {
                (part["cells"], x + n, y)
                for part in change
                for x, y, count, *_ in part["runs"]
                for n in range(count)
            }
            for change in (one, other)
        ]
        assert overlaps(one, other) == overlaps(other, one) == bool(cells[0] & cells[1])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (cell(1, 1, "~"), cell(2, 1, "~")),
            (cell(1, 1, "~"), {"op": "set", "layer": "roof", "cells": [{"x": 1, "y": 1, "symbol": "~"}]}),
            (cell(1, 1, "~"), ENTITY),
            (cell(1, 1, "~"), {"op": "update_layer", "name": "ground", "changes": {"name": "floor"}}),
            (cell(1, 1, "~"), {"op": "remove_layer", "name": "roof"}),
            (ENTITY, {"op": "put_entity", "entity": {"id": "f", "x": 0, "y": 0}}),
            (ENTITY, {"op": "put_wall", "wall": {"id": "e", "x1": 0, "y1": 0, "x2": 1, "y2": 1}}),
            (cell(1, 1, "~"), {"op": "update_legend", "legend": [{"symbol": "%"}]}),
            (cell(1, 1, "#"), {"op": "remove_legend_entry", "symbol": "~"}),
            (cell(1, 1, "~"), {"op": "update_map", "changes": {"mine": 1}}),
            ({"op": "update_map", "changes": {"mine": 1}}, {"op": "update_map", "changes": {"grid_type": "none"}}),
            (resize(9, 3), {"op": "update_map", "changes": {"mine": 1}}),
        ],
    )
    def test_different_things_do_not_overlap(self, one: Document, other: Document) -> None:
        store = Store(tavern())
        assert not overlaps(store.edit(one), store.edit(other))

    def test_undo_restores_an_entry_before_its_painted_cells(self) -> None:
        store = Store(tavern())
        store.edit(cell(1, 1, "~"))
        painted = store.edit(cell(1, 1, "."))
        assert overlaps(painted, store.edit({"op": "remove_legend_entry", "symbol": "~"}))

    def test_a_new_size_moves_the_background(self) -> None:
        store = Store(tavern())
        sized = store.edit(resize(9, 3))
        assert overlaps(sized, store.edit({"op": "update_map", "changes": {"background": {"x": 1}}}))

    def test_removing_a_layer_removes_its_cells(self) -> None:
        store = Store(tavern())
        painted = store.edit(cell(1, 1, "~"))
        assert overlaps(painted, store.edit({"op": "remove_layer", "name": "ground"}))


class TestSummary:
    def test_in_words_and_for_programs(self) -> None:
        wall = {"op": "put_wall", "wall": {"x1": 0, "y1": 0, "x2": 1, "y2": 1}}
        store = Store(tavern(background={"x": 0, "y": 0}))
        change = store.edit(cell(1, 1, "~"), ENTITY, wall, wall)
        assert summary(change) == "1 cell, entity Old chest, 2 walls"
        assert counts(change) == {"cells": 1, "entities": ["e"], "walls": ["new-0", "new-1"]}
        change = store.edit({"op": "resize", "width": 5, "height": 3, "anchor": "right"})
        assert summary(change) == "size 5 x 3, entity Old chest, 2 walls, background"
        assert (counts(change)["width"], counts(change)["map"]) == (5, ["background"])
        assert summary(store.edit()) == "nothing"
