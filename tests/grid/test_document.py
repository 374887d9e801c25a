"""The rules of the grid data document: what is accepted, and where each violation is found."""

import copy
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.document import (
    DEFAULT_LIMITS,
    DIAGONAL_RULES,
    DOOR_STATES,
    GRID_TYPES,
    MAX_VIOLATIONS,
    GridError,
    Limits,
    Violation,
    check,
    size,
)

TAVERN: dict[str, Any] = {
    "width": 6,
    "height": 3,
    "grid_type": "square",
    "cell_distance": 5,
    "distance_unit": "ft",
    "diagonal_rule": "5-5-5",
    "legend": [
        {"symbol": "#", "name": "wall", "color": "#5b5348", "blocks_movement": True, "blocks_sight": True},
        {"symbol": ".", "name": "floor", "color": "#cfc6b0"},
        {"symbol": "~", "name": "water", "color": "#4f7cac", "movement_cost": 2},
    ],
    "layers": [
        {"name": "ground", "rows": ["######", "#..~ #", "######"]},
        {"name": "notes", "visible": False},
    ],
    "entities": [
        {"id": "c1", "kind": "chest", "name": "Old chest", "x": 2, "y": 1, "properties": {"locked": True}}
    ],
    "walls": [{"x1": 0, "y1": 3, "x2": 6, "y2": 3, "blocks_movement": True, "blocks_sight": True}],
    "doors": [{"id": "d1", "x1": 2, "y1": 3, "x2": 3, "y2": 3, "state": "closed"}],
    "lights": [{"x": 2.5, "y": 1.5, "range": 4, "color": "#ffd28a", "intensity": 1}],
    "background": {"asset_id": "a1", "x": 0, "y": 0, "width": 6, "height": 3},
    "properties": {},
}

own_values = st.sampled_from([None, True, -5, 2.5, "text", [1, [None]], {"rows": 5, "x": "wide"}])
own_keys = st.dictionaries(st.sampled_from(["my_rows", "Width", "", "é"]), own_values, max_size=2)
symbols = st.sampled_from("#.~\"\\'{éß中字\ue000\uf8ff\u0378")
colors = st.sampled_from(["#fff", "#A1b2C3", "#00000080"])
numbers = st.integers(-5000, 5000) | st.floats(-5000, 5000)
positive = st.integers(1, 5000) | st.floats(0.001, 5000)
ids = st.text(min_size=1, max_size=64)


def some(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the required keys, any of the optional ones, and keys of a game's own."""
    known = st.fixed_dictionaries(required, optional={**optional, "properties": own_keys})
    return st.builds(lambda own, rest: {**own, **rest}, own_keys, known)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Valid documents of every kind, small."""
    width, height = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    legend = draw(
        st.lists(
            some(
                {"symbol": symbols},
                name=st.text(max_size=5),
                color=colors,
                blocks_movement=st.booleans(),
                blocks_sight=st.booleans(),
                movement_cost=st.just(0) | positive,
            ),
            max_size=4,
            unique_by=lambda entry: entry["symbol"],
        )
    )
    cell = st.sampled_from([" ", *(entry["symbol"] for entry in legend)])
    row = st.lists(cell, min_size=width, max_size=width).map("".join)
    rows = st.lists(row, min_size=height, max_size=height)
    layer = some(
        {"name": st.text(min_size=1, max_size=8)}, rows=rows, visible=st.booleans(), opacity=st.floats(0, 1)
    )
    document: dict[str, Any] = {
        **draw(own_keys),
        "legend": legend,
        "layers": draw(st.lists(layer, max_size=3, unique_by=lambda layer: layer["name"])),
    }
    if draw(st.booleans()) or not any("rows" in layer and layer["rows"] for layer in document["layers"]):
        document |= {"width": width, "height": height}
    if width and height:
        on_map = {"id": ids, "x": st.integers(0, width - 1), "y": st.integers(0, height - 1)}
        entity = some(on_map, kind=st.text(max_size=5), name=st.text(max_size=5))
        document["entities"] = draw(st.lists(entity, max_size=3, unique_by=lambda entity: entity["id"]))
    ends = dict.fromkeys(("x1", "y1", "x2", "y2"), numbers)
    blocks = {"blocks_movement": st.booleans(), "blocks_sight": st.booleans()}
    optional = st.fixed_dictionaries(
        {},
        optional={
            "grid_type": st.sampled_from(GRID_TYPES),
            "cell_distance": positive,
            "distance_unit": st.text(max_size=32),
            "diagonal_rule": st.sampled_from(DIAGONAL_RULES),
            "walls": st.lists(some(ends, **blocks), max_size=2),
            "doors": st.lists(
                some(ends, id=ids, state=st.sampled_from(DOOR_STATES), secret=st.booleans(), **blocks),
                max_size=1,
            ),
            "lights": st.lists(
                some({"x": numbers, "y": numbers}, range=positive, color=colors, intensity=positive),
                max_size=2,
            ),
            "background": some({}, asset_id=ids, x=numbers, y=numbers, width=positive, height=positive),
            "properties": own_keys,
        },
    )
    return document | draw(optional)


def violations(document: Any, limits: Limits = DEFAULT_LIMITS) -> list[tuple[str, str]]:
    """Place (without its prefix) and code of every violation."""
    with pytest.raises(GridError) as caught:
        check(document, limits)
    assert all(violation.message and len(violation.message) < 150 for violation in caught.value.violations)
    return [(violation.place.removeprefix("grid_data"), violation.code) for violation in caught.value.violations]


def tavern(path: str, value: Any) -> dict[str, Any]:
    """The tavern with one value, addressed as `.layers.0.name`, set."""
    document = copy.deepcopy(TAVERN)
    target: Any = document
    *parents, last = path.removeprefix(".").split(".")
    for key in parents:
        target = target[int(key) if isinstance(target, list) else key]
    target[int(last) if isinstance(target, list) else last] = value
    return document


class TestAccepts:
    def test_the_tavern(self) -> None:
        check(TAVERN)

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"tiles": [[1, 2], [3, 4]], "Layers": 5, "size": None},
            {"width": 0, "height": 0, "layers": [{"name": "none", "rows": []}]},
            {"width": 0, "height": 2, "layers": [{"name": "none", "rows": ["", ""]}]},
            {"width": 4096, "height": 4096},
            {"layers": [{"name": "empty", "rows": ["   "]}]},
            {"entities": [{"id": "a", "x": 4095, "y": 0}]},
        ],
        ids=["empty", "its_own", "no_cells", "no_columns", "largest", "spaces_need_no_legend", "no_size"],
    )
    def test_documents_without_much(self, document: dict[str, Any]) -> None:
        check(document)

    @given(documents())
    def test_every_valid_document_and_leaves_it_alone(self, document: dict[str, Any]) -> None:
        before = copy.deepcopy(document)
        check(document)
        assert document == before


class TestRefuses:
    @pytest.mark.parametrize("document", [None, [], "{}", 1, True])
    def test_anything_but_an_object(self, document: Any) -> None:
        assert violations(document) == [("", "wrong_type")]

    @pytest.mark.parametrize("key", ["legend", "layers", "entities", "walls", "doors", "lights"])
    @pytest.mark.parametrize("value", [None, {}, "text", 0, False])
    def test_what_is_not_a_list(self, key: str, value: Any) -> None:
        assert violations({key: value}) == [(f".{key}", "wrong_type")]

    @pytest.mark.parametrize("key", ["legend", "layers", "entities", "walls", "doors", "lights"])
    @pytest.mark.parametrize("value", [None, [], "text", 0])
    def test_elements_that_are_not_objects(self, key: str, value: Any) -> None:
        assert violations({key: [value]}) == [(f".{key}[0]", "wrong_type")]

    @pytest.mark.parametrize(
        ("path", "value", "code"),
        [
            (".grid_type", "triangle", "not_an_option"),
            (".grid_type", None, "not_an_option"),
            (".diagonal_rule", "10-5-5", "not_an_option"),
            (".diagonal_rule", ["none"], "not_an_option"),
            (".cell_distance", 0, "out_of_range"),
            (".cell_distance", float("nan"), "out_of_range"),
            (".cell_distance", float("inf"), "out_of_range"),
            (".cell_distance", True, "wrong_type"),
            (".cell_distance", "5", "wrong_type"),
            (".distance_unit", "f" * 33, "too_long"),
            (".distance_unit", 5, "wrong_type"),
            (".properties", [], "wrong_type"),
            (".legend.1.name", 5, "wrong_type"),
            (".legend.1.color", "red", "not_a_color"),
            (".legend.1.color", "#12345", "not_a_color"),
            (".legend.1.color", "#123456\n", "not_a_color"),
            (".legend.1.color", 0x123456, "not_a_color"),
            (".legend.1.blocks_movement", 1, "wrong_type"),
            (".legend.1.blocks_sight", "true", "wrong_type"),
            (".legend.1.movement_cost", -1, "out_of_range"),
            (".legend.1.movement_cost", None, "wrong_type"),
            (".layers.0.name", "", "too_short"),
            (".layers.0.name", "n" * 129, "too_long"),
            (".layers.0.name", 7, "wrong_type"),
            (".layers.0.name", "notes", None),
            (".layers.0.visible", 0, "wrong_type"),
            (".layers.0.opacity", 1.5, "out_of_range"),
            (".layers.0.opacity", -0.1, "out_of_range"),
            (".layers.0.rows", "######", "wrong_type"),
            (".layers.0.rows", None, "wrong_type"),
            (".entities.0.id", "", "too_short"),
            (".entities.0.id", "i" * 65, "too_long"),
            (".entities.0.id", 5, "wrong_type"),
            (".entities.0.kind", 5, "wrong_type"),
            (".entities.0.name", None, "wrong_type"),
            (".entities.0.x", 1.5, "wrong_type"),
            (".entities.0.x", True, "wrong_type"),
            (".entities.0.x", 6, "out_of_bounds"),
            (".entities.0.x", -1, "out_of_bounds"),
            (".entities.0.y", 3, "out_of_bounds"),
            (".entities.0.y", 10**400, "out_of_bounds"),
            (".entities.0.properties", None, "wrong_type"),
            (".walls.0.x1", "0", "wrong_type"),
            (".walls.0.blocks_sight", None, "wrong_type"),
            (".walls.0.id", "", "too_short"),
            (".doors.0.y2", False, "wrong_type"),
            (".doors.0.state", "ajar", "not_an_option"),
            (".doors.0.secret", "yes", "wrong_type"),
            (".doors.0.hidden", 1, "wrong_type"),
            (".walls.0.hidden", None, "wrong_type"),
            (".lights.0.hidden", "true", "wrong_type"),
            (".entities.0.hidden", 0, "wrong_type"),
            (".layers.0.visible_to", "players", "not_an_option"),
            (".layers.0.visible_to", None, "not_an_option"),
            (".fog", {"mode": "sight"}, "reserved"),
            (".fog", None, "reserved"),
            (".lights.0.x", None, "wrong_type"),
            (".lights.0.range", -1, "out_of_range"),
            (".lights.0.color", "", "not_a_color"),
            (".lights.0.intensity", float("-inf"), "out_of_range"),
            (".background", None, "wrong_type"),
            (".background.asset_id", 5, "wrong_type"),
            (".background.x", "0", "wrong_type"),
            (".background.width", -1, "out_of_range"),
        ],
    )
    def test_a_value_at_its_place(self, path: str, value: Any, code: str | None) -> None:
        found = violations(tavern(path, value))
        if code is None:  # the first of two layers takes the name of the second, and the second is reported
            assert found == [(".layers[1].name", "duplicate_name")]
        else:
            place = path
            for index in "01":
                place = place.replace(f".{index}", f"[{index}]")
            assert found == [(place, code)]

    @pytest.mark.parametrize("key", ["width", "height"])
    @pytest.mark.parametrize(
        ("value", "code"),
        [
            (-1, "out_of_range"),
            (4097, "out_of_range"),
            (6.0, "wrong_type"),
            (True, "wrong_type"),
            ("6", "wrong_type"),
        ],
    )
    def test_a_size(self, key: str, value: Any, code: str) -> None:
        assert violations({key: value}) == [(f".{key}", code)]

    @pytest.mark.parametrize(
        ("key", "element", "missing"),
        [
            ("legend", {"name": "wall"}, ["symbol"]),
            ("layers", {"rows": []}, ["name"]),
            ("entities", {"kind": "chest"}, ["id", "x", "y"]),
            ("walls", {"x1": 0, "y1": 0}, ["x2", "y2"]),
            ("doors", {"id": "d"}, ["x1", "y1", "x2", "y2"]),
            ("lights", {"range": 1}, ["x", "y"]),
        ],
    )
    def test_missing_keys(self, key: str, element: dict[str, Any], missing: list[str]) -> None:
        assert violations({key: [element]}) == [(f".{key}[0].{name}", "missing") for name in missing]

    @pytest.mark.parametrize(
        ("key", "element", "unique"),
        [
            ("legend", {"symbol": "#"}, "symbol"),
            ("layers", {"name": "ground"}, "name"),
            ("entities", {"id": "a", "x": 0, "y": 0}, "id"),
            ("walls", {"id": "a", "x1": 0, "y1": 0, "x2": 1, "y2": 1}, "id"),
            ("doors", {"id": "a", "x1": 0, "y1": 0, "x2": 1, "y2": 1}, "id"),
            ("lights", {"id": "a", "x": 0, "y": 0}, "id"),
        ],
    )
    def test_duplicates(self, key: str, element: dict[str, Any], unique: str) -> None:
        other = {**element, unique: "o"}
        check({key: [element, other]})
        found = violations({key: [element, other, element]})
        assert found == [(f".{key}[2].{unique}", f"duplicate_{unique}")]

    @pytest.mark.parametrize(
        ("key", "limit"),
        [
            ("legend", "max_legend"),
            ("layers", "max_layers"),
            ("entities", "max_entities"),
            ("walls", "max_walls"),
            ("doors", "max_doors"),
            ("lights", "max_lights"),
        ],
    )
    def test_more_than_the_limit(self, key: str, limit: str) -> None:
        document = {key: [{"symbol": c, "name": c, "id": c, "x": 0, "y": 0} for c in "abc"]}
        for element in document[key]:
            element |= {"x1": 0, "y1": 0, "x2": 1, "y2": 1}
        check(document, Limits(**{limit: 3}))
        assert violations(document, Limits(**{limit: 2})) == [(f".{key}", "too_many")]

    def test_a_side_beyond_the_limit_also_when_only_rows_give_it(self) -> None:
        assert violations({"width": 5}, Limits(max_size=4)) == [(".width", "out_of_range")]
        rows = {"layers": [{"name": "ground", "rows": ["     "] * 5}]}
        assert violations(rows, Limits(max_size=4))[:2] == [
            (".layers[0].rows", "too_many_rows"),
            (".layers[0].rows[0]", "row_too_long"),
        ]

    def test_stops_collecting(self) -> None:
        assert len(violations({"layers": [{"name": "ground", "rows": [0] * 1000}]})) == MAX_VIOLATIONS

    def test_names_the_place_it_is_given(self) -> None:
        with pytest.raises(GridError) as caught:
            check({"width": -1}, place="body.map")
        assert caught.value.violations == (Violation("body.map.width", "out_of_range", "must be from 0 to 4096"),)
        assert str(caught.value) == "body.map.width: must be from 0 to 4096"


class TestRows:
    def test_of_a_wrong_size(self) -> None:
        layers = [
            {"name": "a", "rows": ["..", "...", "."]},
            {"name": "b", "rows": ["..", ".."]},
            {"name": "c", "rows": ["..", "..", "..", None]},
        ]
        document = {"width": 2, "height": 3, "legend": [{"symbol": "."}], "layers": layers}
        expected = [
            (".layers[0].rows[1]", "row_too_long"),
            (".layers[0].rows[2]", "row_too_short"),
            (".layers[1].rows", "too_few_rows"),
            (".layers[2].rows", "too_many_rows"),
            (".layers[2].rows[3]", "wrong_type"),
        ]
        assert violations(document) == expected
        del document["width"], document["height"]  # the first layer gives the same size
        assert violations(document) == expected

    def test_with_a_symbol_that_the_legend_lacks(self) -> None:
        document = {
            "legend": [{"symbol": "."}],
            "layers": [{"name": "a", "rows": [". ", ".#", "\U0001f600."]}],
        }
        with pytest.raises(GridError) as caught:
            check(document)
        assert [(violation.place, violation.code, violation.message) for violation in caught.value.violations] == [
            (
                f"grid_data.layers[0].rows[{y}]",
                "unknown_symbol",
                f"has {shown} in cell {x}, which is not in the legend",
            )
            for y, x, shown in [(1, 1, "'#' (U+0023)"), (2, 0, "'\U0001f600' (U+1F600)")]
        ]

    def test_are_not_blamed_for_an_unreadable_legend(self) -> None:
        assert violations({"legend": {}, "layers": [{"name": "a", "rows": ["##"]}]}) == [(".legend", "wrong_type")]

    @given(documents(), st.data())
    def test_any_strange_cell_is_found(self, document: dict[str, Any], data: st.DataObject) -> None:
        cells = [
            (index, y, x)
            for index, layer in enumerate(document["layers"])
            for y, row in enumerate(layer.get("rows", ()))
            for x in range(len(row))
        ]
        if cells:
            index, y, x = data.draw(st.sampled_from(cells))
            rows = document["layers"][index]["rows"]
            rows[y] = f"{rows[y][:x]}?{rows[y][x + 1 :]}"
            assert violations(document) == [(f".layers[{index}].rows[{y}]", "unknown_symbol")]


class TestSymbols:
    @pytest.mark.parametrize("symbol", list('#a"\\é中\ue000\uf8ff\ufffd\u0378'))
    def test_accepted(self, symbol: str) -> None:
        check({"legend": [{"symbol": symbol}]})

    @pytest.mark.parametrize(
        "symbol",
        [
            *("", "ab", "e\u0301", "\U0001f600", 35, None),
            *" \t\x00\x7f\x85\xa0\u2028\u3000",
            *"\u0301\u200d\ufeff\xad\ufe0f",
            *"\ud800\udfff\ufffe\uffff\ufdd0",
        ],
    )
    def test_refused(self, symbol: Any) -> None:
        assert violations({"legend": [{"symbol": symbol}]}) == [(".legend[0].symbol", "not_a_symbol")]

    @given(st.characters(max_codepoint=0xFFFF, categories=["L", "N", "P", "S", "Co"]))
    def test_visible_characters_are_accepted(self, symbol: str) -> None:
        assert not unicodedata.combining(symbol)
        check({"legend": [{"symbol": symbol}]})


class TestSize:
    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            ({}, (0, 0)),
            ({"width": 3}, (3, 0)),
            ({"width": 3, "height": 2}, (3, 2)),
            ({"layers": [{"name": "a"}, {"name": "b", "rows": ["....", "...."]}]}, (4, 2)),
            ({"height": 2, "layers": [{"name": "b", "rows": ["....", "...."]}]}, (4, 2)),
            ({"layers": [{"name": "a", "rows": []}]}, (0, 0)),
        ],
    )
    def test_is_stated_or_that_of_the_first_rows(
        self, document: dict[str, Any], expected: tuple[int, int]
    ) -> None:
        assert size(document) == expected
