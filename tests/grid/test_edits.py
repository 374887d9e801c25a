"""Edits of a map."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.canvas import TooCostly, run
from game.grid.changes import replay
from game.grid.chunks import CHUNK
from game.grid.document import GridError, Limits, Violation, check
from game.grid.edits import apply, budget
from tests.grid.maps import Document, Store, edits, maps, naive, paints


def tavern(**changes: Any) -> Document:
    """A small map with one layer."""
    rows = ["#####", "#...#", "#.~.#", "#####"]
    legend = [{"symbol": symbol} for symbol in "#.~"]
    layers = [{"name": "ground", "rows": rows}]
    return {"width": 5, "height": 4, "legend": legend, "layers": layers, **changes}


def plain(side: int) -> Document:
    """An empty square map."""
    return tavern(width=side, height=side, layers=[{"name": "ground", "rows": [" " * side] * side}])


class TestApply:
    @given(st.data())
    def test_equals_the_naive_model(self, data: st.DataObject) -> None:
        document = data.draw(maps())
        store, model = Store(document), document
        requests = data.draw(st.integers(1, 3))
        for _ in range(requests):
            request = []
            for _ in range(data.draw(st.integers(1, 3))):
                edit = data.draw(edits(model))
                model = naive(model, edit)
                request.append(edit)
            store.edit(*request)
            assert store.document() == model
            check(model)

    @given(st.data())
    def test_what_is_stored_is_as_split_stores_it(self, data: st.DataObject) -> None:
        store = Store(data.draw(maps()))
        for _ in range(3):
            store.edit(data.draw(edits(store.document())))
        again = Store(store.document())
        assert sorted(map(str, again.chunks.values())) == sorted(map(str, store.chunks.values()))

    @given(st.data())
    def test_edits_of_different_cells_commute(self, data: st.DataObject) -> None:
        document = data.draw(maps())
        width, height = document["width"], document["height"]
        places = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
        cells = [
            {"x": x, "y": y, "symbol": data.draw(st.sampled_from("#.~ "))}
            for x, y in data.draw(st.lists(places, unique=True, max_size=8))
        ]
        parts = [{"op": "set", "layer": "ground", "cells": part} for part in (cells[::2], cells[1::2])]
        one, other = Store(document), Store(document)
        for part in parts:
            one.edit(part)
        for part in reversed(parts):
            other.edit(part)
        assert one.document() == other.document()

    def test_the_given_frame_and_chunks_are_not_modified(self) -> None:
        store = Store(tavern(entities=[{"id": "e", "x": 1, "y": 1}]))
        frame, before = store.frame, str(store.frame)
        chunk, rows = store.chunks[0, 0, 0], str(store.chunks)
        store.edit(
            {"op": "put_entity", "entity": {"id": "e", "x": 2, "y": 2}},
            {
                "op": "fill_rectangle",
                "layer": "ground",
                "x": 0,
                "y": 0,
                "width": 2,
                "height": 2,
                "symbol": "~",
            },
            {"op": "update_legend", "legend": [{"symbol": "#", "name": "wall"}]},
        )
        assert (str(frame), str({(0, 0, 0): chunk})) == (before, rows)

    def test_cells_leave_the_frame_alone(self) -> None:
        store = Store(tavern())
        frame = store.frame
        store.edit({"op": "set", "layer": "ground", "cells": [{"x": 1, "y": 1, "symbol": "#"}]})
        assert store.frame is frame


class TestLoading:
    def test_cells_load_their_chunks_at_once(self) -> None:
        store = Store(plain(300))
        cells = [{"x": x, "y": 7, "symbol": "#"} for x in (0, 70, 299)]
        store.edit(*({"op": "set", "layer": "ground", "cells": [cell]} for cell in cells))
        assert (store.rounds, store.loaded) == (1, {(0, 0, 0), (0, 1, 0), (0, 4, 0)})

    def test_an_edit_of_nothing_loads_nothing(self) -> None:
        store = Store(plain(300))
        store.edit({"op": "put_entity", "entity": {"x": 1, "y": 1}})
        assert store.rounds == 0

    def test_a_flood_in_a_room_loads_its_chunk(self) -> None:
        document = plain(300)
        rows = document["layers"][0]["rows"]
        rows[100:104] = [" " * 100 + wall + " " * 196 for wall in ("####", "#  #", "#  #", "####")]
        store = Store(document)
        store.edit({"op": "flood_fill", "layer": "ground", "x": 101, "y": 101, "symbol": "."})
        assert store.loaded == {(0, 1, 1)}
        assert store.document()["layers"][0]["rows"][101][98:106] == "  #..#  "

    def test_a_layer_is_loaded_whole_to_be_replaced(self) -> None:
        document = plain(300)
        document["layers"][0]["rows"][200] = "~" + " " * 299
        store = Store(document)
        store.edit({"op": "replace", "layer": "ground", "symbol": "~", "with": "#"})
        assert (store.rounds, store.loaded) == (1, {(0, 0, 3)})


class TestFloodFill:
    @given(st.data())
    def test_of_a_maze_equals_the_naive_model(self, data: st.DataObject) -> None:
        width, height = 2 * CHUNK + 3, 5
        rows = data.draw(
            st.lists(st.text("..#", min_size=width, max_size=width), min_size=height, max_size=height)
        )
        document = tavern(width=width, height=height, layers=[{"name": "ground", "rows": rows}])
        document["grid_type"] = data.draw(st.sampled_from(["square", "hex_row", "hex_column"]))
        edit = {
            "op": "flood_fill",
            "layer": "ground",
            "x": data.draw(st.integers(60, 70)),
            "y": 2,
            "symbol": "~",
        }
        store = Store(document)
        store.edit(edit)
        assert store.document() == naive(document, edit)


class TestIds:
    def test_objects_without_an_id_get_one(self) -> None:
        store = Store(tavern())
        ends = {"x1": 0, "y1": 0, "x2": 1, "y2": 1}
        store.edit(
            {"op": "put_wall", "wall": ends},
            {"op": "put_light", "light": {"x": 1, "y": 1}},
            {"op": "put_door", "door": {**ends, "id": "mine", "state": "open"}},
        )
        document = store.document()
        ids = [document[name][0]["id"] for name in ("walls", "lights", "doors")]
        assert ids == ["new-0", "new-1", "mine"]
        kinds = ("wall", "light", "door")
        store.edit(*({"op": f"remove_{kind}", "id": id} for kind, id in zip(kinds, ids, strict=True)))
        assert all(store.document()[name] == [] for name in ("walls", "lights", "doors"))


class TestMerging:
    def test_only_named_keys_change_and_null_removes(self) -> None:
        document = tavern(
            legend=[{"symbol": "#", "name": "wall", "color": "#000"}, {"symbol": "."}, {"symbol": "~"}]
        )
        document["layers"][0] |= {"opacity": 0.5, "mine": 1}
        store = Store(document)
        store.edit(
            {"op": "update_legend", "legend": [{"symbol": "#", "color": None, "blocks_sight": True}]},
            {"op": "update_layer", "name": "ground", "changes": {"visible": False, "opacity": None}},
        )
        after = store.document()
        assert after["legend"][0] == {"symbol": "#", "name": "wall", "blocks_sight": True}
        assert {**after["layers"][0], "rows": 0} == {"name": "ground", "visible": False, "mine": 1, "rows": 0}

    def test_at_any_depth(self) -> None:
        store = Store(tavern())
        entry = {"symbol": "#", "properties": {"hp": 9, "made": {"of": "oak", "in": 1203}}}
        store.edit(
            {"op": "update_legend", "legend": [entry]},
            {
                "op": "update_legend",
                "legend": [{"symbol": "#", "properties": {"hp": None, "made": {"of": "ash"}}}],
            },
        )
        assert store.document()["legend"][0]["properties"] == {"made": {"of": "ash", "in": 1203}}

    @pytest.mark.parametrize(
        ("value", "patch", "after"),
        [
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
            ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
            ({"a": "foo"}, "bar", "bar"),
            (["a", "b"], ["c", None], ["c", None]),
        ],
    )
    def test_the_examples_of_rfc_7396(self, value: Any, patch: Any, after: Any) -> None:
        store = Store(tavern(mine=value))
        store.edit({"op": "update_map", "changes": {"mine": patch}})
        assert store.document() == tavern(mine=after)


class TestLegend:
    def test_new_entries_go_to_an_index_and_the_others_stay_where_they_are(self) -> None:
        store = Store(tavern())
        legend = [{"symbol": "a"}, {"symbol": "~", "name": "water"}, {"symbol": "b"}]
        store.edit({"op": "update_legend", "legend": legend, "index": 1})
        assert "".join(entry["symbol"] for entry in store.document()["legend"]) == "#ab.~"
        store.edit({"op": "update_legend", "legend": [{"symbol": "c"}], "index": 5})
        assert "".join(entry["symbol"] for entry in store.document()["legend"]) == "#ab.~c"

    def test_an_entry_can_be_removed_once_no_cell_uses_it(self) -> None:
        store = Store(tavern())
        remove = {"op": "remove_legend_entry", "symbol": "~"}
        with pytest.raises(GridError, match=r"edits\[0\].symbol: is still in cell \(2, 2\) of the layer ground"):
            store.edit(remove)
        store.edit({"op": "replace", "layer": "ground", "symbol": "~", "with": "."}, remove)
        assert "".join(entry["symbol"] for entry in store.document()["legend"]) == "#."

    def test_the_first_cell_in_the_way_is_named(self) -> None:
        document = plain(200)
        document["layers"] = [{"name": "note"}, {"name": "far", "rows": [" " * 200] * 200}]
        document["layers"][1]["rows"][70:72] = [" " * 150 + "~" + " " * 49, "~" * 200]
        with pytest.raises(GridError, match=r"cell \(150, 70\) of the layer far"):
            Store(document).edit({"op": "remove_legend_entry", "symbol": "~"})


class TestMap:
    def test_keys_of_the_document_and_of_a_game(self) -> None:
        store = Store(tavern(grid_type="square", background={"x": 1, "y": 2}, properties={"a": 1}, mine=[1]))
        store.edit(
            {"op": "update_map", "changes": {"grid_type": "hex_row", "cell_distance": 1.5, "diagonal_rule": None}},
            {"op": "update_map", "changes": {"background": {"x": None}, "properties": None, "mine": {"a": True}}},
        )
        more = {"grid_type": "hex_row", "cell_distance": 1.5, "background": {"y": 2}, "mine": {"a": True}}
        assert store.document() == tavern(**more)

    @pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (1, 1.0), ([{"a": 1}], [{"a": True}])])
    def test_what_python_takes_for_equal_is_a_change(self, old: Any, new: Any) -> None:
        store = Store(tavern(mine=old))
        change = store.edit({"op": "update_map", "changes": {"mine": new}})
        assert change == [{"value": "mine", "before": [old], "after": [new]}]
        assert str(store.document()["mine"]) == str(new)
        store.edit({"op": "update_legend", "legend": [{"symbol": "#", "mine": {"a": old}}]})
        store.edit({"op": "update_legend", "legend": [{"symbol": "#", "mine": {"a": new}}]})
        assert str(store.document()["legend"][0]["mine"]) == str({"a": new})

    def test_a_type_of_grid_holds_for_what_follows(self) -> None:
        store = Store(tavern())
        store.edit(
            {"op": "update_map", "changes": {"grid_type": "hex_row"}},
            {"op": "resize", "width": 5, "height": 7, "anchor": "bottom"},
        )
        assert store.document()["layers"][0]["rows"].index("#####") == 2

    def test_edits_make_a_map_only_so_large(self) -> None:
        limits = Limits(max_frame=1000)

        def edit(document: Document, *edits: Document) -> Document:
            store = Store(document)
            steps = apply(store.frame, store.width, store.height, list(edits), str, limits)
            store.keep(run(steps, store.load))
            return store.document()

        def grow(length: int) -> Document:
            return {"op": "update_map", "changes": {"mine": "x" * length}}

        assert edit(tavern(), grow(900), grow(10))["mine"] == "x" * 10
        for more in (
            grow(1000),
            {"op": "put_entity", "entity": {"id": "e", "x": 0, "y": 0, "name": "x" * 1000}},
            {"op": "update_layer", "name": "ground", "changes": {"mine": "x" * 1000}},
        ):
            with pytest.raises(GridError) as caught:
                edit(tavern(), more)
            assert [(violation.place, violation.code) for violation in caught.value.violations] == [
                ("edits", "too_large")
            ]
        # An imported one that is larger can still be edited, but not grow.
        large = tavern(mine="x" * 2000)
        assert edit(large, grow(1999))["mine"] == "x" * 1999
        with pytest.raises(GridError, match="too large"):
            edit(large, grow(2001))


class TestResize:
    def test_a_crop_takes_what_is_outside_with_it(self) -> None:
        lights = [{"id": "in", "x": 1, "y": 1}, {"id": "out", "x": 4.5, "y": 1}]
        entities = [{"id": "in", "x": 1, "y": 1}, {"id": "out", "x": 2, "y": 3}]
        background = {"asset_id": "a", "x": 0, "y": 0, "width": 5, "height": 4}
        store = Store(tavern(lights=lights, entities=entities, background=background))
        store.edit({"op": "resize", "width": 3, "height": 3, "anchor": "bottom_right"})
        document = store.document()
        assert document["layers"][0]["rows"] == ["..#", "~.#", "###"]
        assert document["entities"] == [{"id": "out", "x": 0, "y": 2}]
        assert document["lights"] == [{"id": "out", "x": 2.5, "y": 0}]
        assert document["background"] == {**background, "x": -2, "y": -1}

    @pytest.mark.parametrize("anchor", ["top", "center", "bottom"])
    def test_hexes_move_by_whole_pairs_of_rows(self, anchor: str) -> None:
        store = Store(tavern(grid_type="hex_row"))
        store.edit({"op": "resize", "width": 5, "height": 7, "anchor": anchor})
        rows = store.document()["layers"][0]["rows"]
        assert rows.index("#####") == {"top": 0, "center": 0, "bottom": 2}[anchor]


CELL = {"x": 0, "y": 0, "symbol": "#"}
RECTANGLE = {
    "op": "fill_rectangle",
    "layer": "ground",
    "x": 1,
    "y": 1,
    "width": 1,
    "height": 1,
    "symbol": "#",
}
PASTE = {"op": "paste", "layer": "ground", "x": 3, "y": 2}
BAD: list[tuple[Any, str, str]] = [
    (3, "", "wrong_type"),
    ({}, ".op", "missing"),
    ({"op": "explode"}, ".op", "not_an_option"),
    ({"op": []}, ".op", "not_an_option"),
    ({"op": "set", "layer": "ground"}, ".cells", "missing"),
    ({"op": "set", "layer": "ground", "cells": [], "more": 1}, ".more", "unknown_field"),
    ({"op": "set", "layer": "roof", "cells": []}, ".layer", "not_found"),
    ({"op": "set", "layer": "ground", "cells": [CELL, 1]}, ".cells[1]", "wrong_type"),
    ({"op": "set", "layer": "ground", "cells": [{**CELL, "x": 5}]}, ".cells[0].x", "out_of_bounds"),
    ({"op": "set", "layer": "ground", "cells": [{**CELL, "x": True}]}, ".cells[0].x", "wrong_type"),
    ({"op": "set", "layer": "ground", "cells": [{**CELL, "y": -1}]}, ".cells[0].y", "out_of_range"),
    (
        {"op": "set", "layer": "ground", "cells": [{**CELL, "symbol": "?"}]},
        ".cells[0].symbol",
        "unknown_symbol",
    ),
    ({"op": "set", "layer": "ground", "cells": [{**CELL, "symbol": ""}]}, ".cells[0].symbol", "not_a_symbol"),
    ({**RECTANGLE, "width": 5}, ".width", "out_of_bounds"),
    ({**RECTANGLE, "y": 9}, ".y", "out_of_bounds"),
    ({**RECTANGLE, "symbol": "##"}, ".symbol", "not_a_symbol"),
    ({"op": "flood_fill", "layer": "ground", "x": 0, "y": 10**30, "symbol": "#"}, ".y", "out_of_bounds"),
    ({**PASTE, "rows": ["...", "..."]}, ".width", "out_of_bounds"),
    ({**PASTE, "rows": ["..", "."]}, ".rows[1]", "uneven_rows"),
    ({**PASTE, "rows": ["..", ".?"]}, ".rows[1]", "unknown_symbol"),
    ({"op": "replace", "layer": "ground", "symbol": ".", "with": "?"}, ".with", "unknown_symbol"),
    ({"op": "put_entity", "entity": {"id": "e", "x": 5, "y": 0}}, ".entity.x", "out_of_bounds"),
    ({"op": "put_entity", "entity": {"id": 1, "x": 0, "y": 0}}, ".entity.id", "wrong_type"),
    ({"op": "put_wall", "wall": {"x1": 0, "y1": 0, "x2": "1"}}, ".wall.y2", "missing"),
    ({"op": "remove_door", "id": "none"}, ".id", "not_found"),
    ({"op": "add_layer", "layer": {}}, ".layer.name", "missing"),
    ({"op": "add_layer", "layer": {"name": "ground"}}, ".layer.name", "duplicate_name"),
    ({"op": "add_layer", "layer": {"name": "a", "rows": ["."]}}, ".layer.rows", "too_few_rows"),
    ({"op": "add_layer", "layer": {"name": "a"}, "index": 2}, ".index", "out_of_range"),
    ({"op": "update_layer", "name": "ground", "changes": {"rows": []}}, ".changes.rows", "unknown_field"),
    ({"op": "update_layer", "name": "ground", "changes": {"opacity": 7}}, ".changes.opacity", "out_of_range"),
    ({"op": "update_layer", "name": "ground", "changes": {"name": None}}, ".changes.name", "missing"),
    ({"op": "remove_layer", "name": "roof"}, ".name", "not_found"),
    ({"op": "move_layer", "name": "ground", "index": 1}, ".index", "out_of_range"),
    ({"op": "update_legend", "legend": [{"symbol": "#"}, 4]}, ".legend[1]", "wrong_type"),
    ({"op": "update_legend", "legend": [{"symbol": "ab"}]}, ".legend[0].symbol", "not_a_symbol"),
    ({"op": "update_legend", "legend": [], "index": 4}, ".index", "out_of_range"),
    ({"op": "remove_legend_entry", "symbol": "?"}, ".symbol", "not_found"),
    ({"op": "remove_legend_entry", "symbol": "#"}, ".symbol", "in_use"),
    ({"op": "update_map", "changes": []}, ".changes", "wrong_type"),
    ({"op": "update_map", "changes": {"grid_type": "round"}}, ".changes.grid_type", "not_an_option"),
    ({"op": "update_map", "changes": {"fog": {"mode": "sight"}}}, ".changes.fog", "reserved"),
    ({"op": "update_map", "changes": {"cell_distance": 0}}, ".changes.cell_distance", "out_of_range"),
    ({"op": "update_map", "changes": {"background": {"x": "1"}}}, ".changes.background.x", "wrong_type"),
    ({"op": "update_map", "changes": {"background": 1}}, ".changes.background", "wrong_type"),
    ({"op": "update_map", "changes": {"properties": []}}, ".changes.properties", "wrong_type"),
    *(
        ({"op": "update_map", "changes": {key: None}}, f".changes.{key}", "unknown_field")
        for key in ("width", "height", "legend", "layers", "entities", "walls", "doors", "lights")
    ),
    ({"op": "resize", "width": 5000, "height": 1}, ".width", "out_of_range"),
    ({"op": "resize", "width": 5, "height": 1, "anchor": "middle"}, ".anchor", "not_an_option"),
]


class TestBadEdits:
    @pytest.mark.parametrize(("edit", "place", "code"), BAD, ids=[str(bad[0])[:60] for bad in BAD])
    def test_are_named_by_place(self, edit: Any, place: str, code: str) -> None:
        fine = {"op": "set", "layer": "ground", "cells": [CELL]}
        with pytest.raises(GridError) as caught:
            Store(tavern()).edit(fine, edit)
        named = [(violation.place, violation.code) for violation in caught.value.violations]
        assert (f"edits[1]{place}", code) in named

    def test_too_many(self) -> None:
        store = Store({"width": 1, "height": 1, "layers": [{"name": str(n)} for n in range(32)]})
        with pytest.raises(GridError, match=r"edits\[0\].layer: is too many"):
            store.edit({"op": "add_layer", "layer": {"name": "a"}})

    @given(st.data())
    def test_any_json_is_refused_by_name_or_applied(self, data: st.DataObject) -> None:
        document = data.draw(maps())
        edit = dict(data.draw(edits(document)))
        key = data.draw(st.sampled_from(sorted(edit)))
        values = st.recursive(
            st.none()
            | st.booleans()
            | st.integers(1 - 2**53, 2**53 - 1)
            | st.floats(allow_nan=False)
            | st.text(max_size=2),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
            max_leaves=4,
        )
        edit[key] = data.draw(values)
        refused: tuple[Violation, ...] = ()
        try:
            Store(document).edit(edit)
        except GridError as error:
            refused = error.violations
        assert all(violation.place.startswith("edits[0]") for violation in refused)


class TestPaints:
    @given(st.data())
    def test_runs_hold_exactly_the_cells_that_changed(self, data: st.DataObject) -> None:
        document = data.draw(maps())
        store, edit = Store(document), data.draw(paints(document))
        after = naive(document, edit)
        changed = {
            (layer["name"], x, y)
            for layer, new in zip(document["layers"], after["layers"], strict=True)
            for y, (row, painted) in enumerate(zip(layer["rows"], new["rows"], strict=True))
            for x in range(len(row))
            if row[x] != painted[x]
        }
        runs = [(part["cells"], *run) for part in store.edit(edit) for run in part["runs"]]
        names = [layer["name"] for layer in document["layers"]]
        assert sorted((names[key], x + n, y) for key, x, y, count, *_ in runs for n in range(count)) == sorted(
            changed
        )

    def test_a_rectangle_is_a_short_run_for_each_row(self) -> None:
        fill = {
            "op": "fill_rectangle",
            "layer": "ground",
            "x": 60,
            "y": 63,
            "width": 200,
            "height": 2,
            "symbol": "#",
        }
        runs = [[60, 63, 200, " ", "#"], [60, 64, 200, " ", "#"]]
        assert Store(plain(300)).edit(fill) == [{"cells": 0, "runs": runs}]


def fill(x: int, width: int) -> Document:
    """All rows of a map that is 128 high."""
    return {
        "op": "fill_rectangle",
        "layer": "ground",
        "x": x,
        "y": 0,
        "width": width,
        "height": 128,
        "symbol": "#",
    }


class TestCosts:
    @pytest.mark.parametrize(
        ("costly", "refused"),
        [
            ([fill(0, 128)], 4),
            ([fill(63, 2)], 4),
            ([{"op": "set", "layer": "ground", "cells": [{"x": 0, "y": 0, "symbol": "#"}] * 200}], 5),
            ([{"op": "paste", "layer": "ground", "x": 0, "y": 0, "rows": ["#"] * 100}], 10),
            (
                [
                    {"op": "replace", "layer": "ground", "symbol": old, "with": new}
                    for old, new in ((".", "#"), ("#", "."))
                ],
                4,
            ),
            (
                [{"op": "flood_fill", "layer": "ground", "x": 100, "y": 100, "symbol": new} for new in "#."],
                4,
            ),
            ([{"op": "resize", "width": width, "height": 128} for width in (127, 128)], 4),
        ],
        ids=lambda costly: costly[0]["op"] if isinstance(costly, list) else "",
    )
    def test_are_bounded_for_a_request(
        self, costly: list[dict[str, Any]], refused: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each edit counts; the place is that of the first that is too much."""
        monkeypatch.setattr(budget, "MAX_CELLS", 4 * 128 * 128)
        legend = [{"symbol": symbol} for symbol in "#."]
        store = Store({"legend": legend, "layers": [{"name": "ground", "rows": ["." * 128] * 128}]})
        requests = (costly * 12)[:12]
        with pytest.raises(GridError) as error:
            store.edit(*requests)
        [violation] = error.value.violations
        assert (violation.place, violation.code) == (f"edits[{refused}]", "too_costly")
        store.edit(*requests[: refused - 1])

    def test_of_a_maze_are_counted_by_its_stretches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget, "MAX_CELLS", 4 * 128 * 128)
        rows = [".#" * 64] * 127 + ["." * 128]
        store = Store({"legend": [{"symbol": s} for s in "#.~"], "layers": [{"name": "ground", "rows": rows}]})
        with pytest.raises(GridError, match="too much work"):
            store.edit({"op": "flood_fill", "layer": "ground", "x": 0, "y": 0, "symbol": "~"})

    @pytest.mark.parametrize("side", [704, 768])
    def test_leaves_no_more_runs_than_an_event_may_keep(self, side: int) -> None:
        """A chessboard of 704 x 704 cells has 247,808 runs of a symbol, one of 768 x 768 more than the limit."""
        rows = [".#" * (side // 2), "#." * (side // 2)] * (side // 2)
        store = Store({"legend": [{"symbol": s} for s in "#.~"], "layers": [{"name": "ground", "rows": rows}]})
        replace = {"op": "replace", "layer": "ground", "symbol": "#", "with": "~"}
        if side == 704:
            store.edit(replace)
            return
        with pytest.raises(GridError) as error:
            store.edit(replace)
        assert [(one.place, one.code) for one in error.value.violations] == [("edits", "too_costly")]
        # Cells side by side are one run, whatever was there: this leaves one in each row.
        store.edit({"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": side, "height": side,
                    "symbol": "~"})  # fmt: skip

    def test_chunks_are_not_loaded_without_end(self) -> None:
        store = Store({"legend": [{"symbol": "#"}], "layers": [{"name": "ground", "rows": ["#" * 200] * 200}]})
        steps = replay(store.frame, 200, 200, [{"cells": 0, "runs": [[0, 0, 200, "#", " "]]}], max_chunks=3)
        wanted = next(steps)
        assert (len(wanted.chunks), wanted.limit) == (4, 3)
        with pytest.raises(TooCostly):
            steps.send(store.load(wanted))


class TestThings:
    def test_update_changes_what_it_names_and_put_replaces(self) -> None:
        goblin = {"id": "g", "x": 1, "y": 1, "name": "Goblin", "properties": {"hp": 7, "items": {"gold": 3}}}
        store = Store(tavern(entities=[goblin]))
        store.edit(
            {"op": "update_entity", "id": "g", "changes": {"properties": {"items": {"gold": None}, "hp": 5}}}
        )
        [after] = store.document()["entities"]
        assert after == {**goblin, "properties": {"hp": 5, "items": {}}}
        store.edit({"op": "move_entity", "id": "g", "x": 2, "y": 0})
        assert store.document()["entities"] == [{**after, "x": 2, "y": 0}]
        store.edit({"op": "put_entity", "entity": {"id": "g", "x": 0, "y": 0}})
        assert store.document()["entities"] == [{"id": "g", "x": 0, "y": 0}]

    def test_update_of_walls_doors_and_lights(self) -> None:
        ends = {"x1": 0, "y1": 0, "x2": 1, "y2": 0}
        light = {"id": "l", "x": 1, "y": 1}
        store = Store(tavern(walls=[{"id": "w", **ends}], doors=[{"id": "d", **ends}], lights=[light]))
        store.edit(
            {"op": "update_wall", "id": "w", "changes": {"blocks_sight": False}},
            {"op": "update_door", "id": "d", "changes": {"state": "open", "x2": 2}},
            {"op": "update_light", "id": "l", "changes": {"range": 4}},
        )
        document = store.document()
        assert document["walls"] == [{"id": "w", **ends, "blocks_sight": False}]
        assert document["doors"] == [{"id": "d", **ends, "x2": 2, "state": "open"}]
        assert document["lights"] == [{"id": "l", "x": 1, "y": 1, "range": 4}]

    @pytest.mark.parametrize(
        ("edit", "place", "code"),
        [
            ({"op": "update_entity", "id": "no", "changes": {}}, "edits[0].id", "not_found"),
            ({"op": "update_entity", "id": "g", "changes": {"x": 99}}, "edits[0].changes.x", "out_of_bounds"),
            ({"op": "update_entity", "id": "g", "changes": {"x": None}}, "edits[0].changes.x", "missing"),
            ({"op": "update_entity", "id": "g", "changes": {"id": "h"}}, "edits[0].changes.id", "unknown_field"),
            ({"op": "update_entity", "id": "g", "changes": {"id": None}}, "edits[0].changes.id", "unknown_field"),
            ({"op": "move_entity", "id": "g", "x": 5, "y": 0}, "edits[0].x", "out_of_bounds"),
            ({"op": "move_entity", "id": "g", "x": 1}, "edits[0].y", "missing"),
            ({"op": "update_door", "id": "g", "changes": {"state": "open"}}, "edits[0].id", "not_found"),
        ],
    )
    def test_refused(self, edit: dict[str, Any], place: str, code: str) -> None:
        store = Store(tavern(entities=[{"id": "g", "x": 1, "y": 1}]))
        with pytest.raises(GridError) as error:
            store.edit(edit)
        assert [(one.place, one.code) for one in error.value.violations] == [(place, code)]
