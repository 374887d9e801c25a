"""The shapes that the API describes say the same as the checks."""

import re
from typing import Annotated, Any
from uuid import UUID

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from game.grid import document, rules, shapes
from game.grid.canvas import run
from game.grid.edits import apply
from game.grid.edits.fields import FIELDS, OTHER_EDITS, REQUIRED, parsed
from game.grid.rules import Rule
from tests.grid.maps import Store
from tests.grid.test_document import TAVERN, documents

TABLES = {
    "LegendEntry": document.LEGEND,
    "Layer": document.LAYER,
    "Entity": document.ENTITY,
    "Wall": document.WALL,
    "Door": document.DOOR,
    "Light": document.LIGHT,
    "Background": document.BACKGROUND,
    "GridData": document.DOCUMENT,
}
RULES = [(f"{name}.{key}", rule) for name, table in TABLES.items() for key, rule in table.items()]
KINDS = {"boolean": bool, "string": str, "object": dict, "array": list, "integer": int, "number": (int, float)}

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer()),
    st.text(max_size=3),
    st.text(max_size=200),
    st.sampled_from([*document.GRID_TYPES, *document.DOOR_STATES, "#fff", "#12345678", "#12345", "game_masters"]),
    st.just([]),
    st.just({}),
)


def accepts(schema: Any, value: Any) -> bool:
    """Whether a schema of the kind that rules have accepts a value."""
    if schema == {"not": {}}:
        return False
    if not isinstance(value, KINDS[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return False
    if isinstance(value, str):
        long = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        fits = re.search(schema.get("pattern", ""), value) is not None
        return long and fits and value in schema.get("enum", [value])
    if isinstance(value, int | float) and not isinstance(value, bool):
        bounds = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return bounds and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
    return True


@pytest.mark.parametrize("rule", [rule for _, rule in RULES], ids=[name for name, _ in RULES])
@given(value=values)
def test_a_rules_schema_accepts_what_its_check_does(rule: Rule, value: Any) -> None:
    if rule is rules.symbol:
        # No schema knows the categories of Unicode.
        assert rule.check(value) is not None or accepts(rule.schema, value)
    else:
        assert (rule.check(value) is None) == accepts(rule.schema, value)


class Request(BaseModel):
    grid_data: Annotated[dict[str, Any], shapes.Described(shapes.GridData)]
    edits: list[Annotated[Any, shapes.Described(shapes.Edit)]]


SCHEMAS: dict[str, Any] = Request.model_json_schema()["$defs"]


@pytest.mark.parametrize("name", TABLES)
def test_a_model_has_the_keys_of_its_table(name: str) -> None:
    told = SCHEMAS[name]["properties"]
    for key, rule in TABLES[name].items():
        if key not in ("fog", "rows"):
            assert {**told[key], "title": ""} == {**rule.schema, "title": ""}
    assert SCHEMAS[name]["additionalProperties"] is True
    assert "gm" in told


@pytest.mark.parametrize("op", FIELDS)
def test_an_edits_model_has_its_fields(op: str) -> None:
    schema = shapes.EDITS[op].model_json_schema()
    assert schema["properties"]["op"]["const"] == op
    assert schema["properties"].keys() - {"op"} == FIELDS[op].keys()
    assert set(schema["required"]) == {
        "op",
        *(key for key, field in FIELDS[op].items() if field.default is REQUIRED),
    }
    assert schema["additionalProperties"] is False
    choices = Request.model_json_schema()["properties"]["edits"]["items"]
    assert choices["discriminator"]["mapping"][op] in [choice["$ref"] for choice in choices["oneOf"]]


BORDERS: dict[str, list[Any]] = {
    "cell": ["", " ", "#", "##", "\U0001f409", None, 1, ["#"]],
    "whole": [-1, 0, 1, 4095, 4096, 4097, 2**53, 0.5, "1", True, None],
    "string": ["", "ground", 1, None, []],
    "boolean": [True, False, 0, "true", None],
    "list": [[], {}, "", None],
    "object": [[], "", 1, None],
    "anchor": ["top_left", "center", "middle", "", 1, None],
}
"""Values at and beyond what fields take."""

EDITS: dict[str, dict[str, Any]] = {
    "set": {"layer": "ground", "cells": [{"x": 0, "y": 0, "symbol": "#"}]},
    "fill_rectangle": {"layer": "ground", "x": 0, "y": 0, "width": 1, "height": 1, "symbol": "#"},
    "flood_fill": {"layer": "ground", "x": 0, "y": 0, "symbol": "#"},
    "paste": {"layer": "ground", "x": 0, "y": 0, "rows": ["#"], "transparent": True},
    "replace": {"layer": "ground", "symbol": "#", "with": "."},
    "move_entity": {"id": "chest", "x": 0, "y": 0},
    "remove_layer": {"name": "ground"},
    "move_layer": {"name": "ground", "index": 0},
    "remove_legend_entry": {"symbol": "#"},
    "resize": {"width": 1, "height": 1, "anchor": "center"},
}


@pytest.mark.parametrize("op", EDITS)
def test_an_edits_schema_accepts_what_its_check_does(op: str) -> None:
    """For each field, every value at a border, one that is missing, and one that there is not."""
    validator = jsonschema_rs.validator_for(shapes.EDITS[op].model_json_schema())
    valid = {"op": op, **EDITS[op]}
    values = [value for some in BORDERS.values() for value in some]
    edits = [valid, {**valid, "more": 1}, *({**valid, key: value} for key in EDITS[op] for value in values)]
    edits += [{name: value for name, value in valid.items() if name != key} for key in EDITS[op]]
    if op == "set":
        [cell] = EDITS[op]["cells"]
        cells = [{}, {**cell, "z": 1}, *({**cell, key: value} for key in cell for value in values)]
        edits += [{**valid, "cells": [one]} for one in cells]
    for edit in edits:
        assert validator.is_valid(edit) == is_taken(edit), edit
    assert is_taken(valid)


MAP = {
    "width": 4096,
    "height": 4096,
    "legend": [{"symbol": "#"}],
    "layers": [{"name": "cellar", "rows": [" " * 4096] * 4096}],
    "entities": [{"id": "one", "x": 0, "y": 0}],
    **{kind: [{"id": "one", "x1": 0, "y1": 0, "x2": 1, "y2": 1}] for kind in ("walls", "doors")},
    "lights": [{"id": "one", "x": 0, "y": 0}],
    "background": {"asset_id": str(UUID(int=1)), "x": 0, "y": 0, "width": 1, "height": 1},
}
ENTITY = {"id": "two", "kind": "chest", "name": "Chest", "x": 0, "y": 0, "hidden": True, "properties": {}, "gm": 1}
SEGMENT = {
    "id": "two",
    "x1": 0,
    "y1": 0.5,
    "x2": 1,
    "y2": 1,
    "hidden": True,
    "properties": {},
    "gm": 1,
    "blocks_movement": True,
    "blocks_sight": False,
}
OBJECTS: dict[str, dict[str, Any]] = {
    "entity": ENTITY,
    "wall": SEGMENT,
    "door": {**SEGMENT, "state": "open", "secret": True},
    "light": {
        "id": "two",
        "x": 0,
        "y": 0.5,
        "range": 4,
        "color": "#ffcc00",
        "intensity": 1,
        "hidden": True,
        "properties": {},
        "gm": 1,
    },
}
LAYER = {"name": "roof", "visible": True, "visible_to": "game_masters", "opacity": 0.5, "properties": {}, "gm": 1}
ENTRY = {
    "symbol": "#",
    "name": "wall",
    "color": "#fff",
    "blocks_movement": True,
    "blocks_sight": True,
    "movement_cost": 2,
    "properties": {},
    "gm": 1,
}
OWN_KEYS = {
    "grid_type": "square",
    "cell_distance": 5,
    "distance_unit": "ft",
    "diagonal_rule": "5-5-5",
    "properties": {},
    "gm": 1,
    "background": MAP["background"],
}
INNER: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    **{f"put_{kind}": ({}, kind, item) for kind, item in OBJECTS.items()},
    # An id cannot be changed.
    **{
        f"update_{kind}": ({"id": "one"}, "changes", {key: item[key] for key in item if key != "id"})
        for kind, item in OBJECTS.items()
    },
    "add_layer": ({"index": 0}, "layer", LAYER),
    "update_layer": ({"name": "cellar"}, "changes", LAYER),
    "update_legend": ({"index": 0}, "legend", ENTRY),
    "update_map": ({}, "changes", OWN_KEYS),
}
"""Edits with an object: their other fields, the field of the object, and the object with all of its keys."""
MORE = ["#fff", "#12345", "open", "ajar", "square", "5-5-5", "game_masters", *("x" * n for n in (32, 33, 64, 65))]
MORE += ["x" * 128, "x" * 129, 1e300, 1_000_000, 1_000_001, 1.5, -0.5, str(UUID(int=2)), {"deep": [None]}]
REFUSED = {"update_map": [*OTHER_EDITS, "fog"], "update_layer": ["rows"]}


@pytest.mark.parametrize("op", INNER)
def test_the_schema_of_an_edits_object_accepts_what_its_check_does(op: str) -> None:
    """For each of its keys, every value at a border, null, and one that is missing."""
    validator = jsonschema_rs.validator_for(shapes.EDITS[op].model_json_schema())
    others, field, item = INNER[op]
    values = [*(value for some in BORDERS.values() for value in some), *MORE]
    items = [item, {}, {**item, "more": 1}, *({**item, key: value} for key in item for value in values)]
    items += [{name: value for name, value in item.items() if name != key} for key in item]
    items += [{**item, key: value} for key in REFUSED.get(op, ()) for value in ([], 1)]
    edits = [{"op": op, **others, field: [one] if field == "legend" else one} for one in items]
    edits += [{"op": op, **others, field: value} for value in values if value != []]
    store = Store(MAP)
    for edit in edits:
        entry = edit["legend"][0] if op == "update_legend" and isinstance(edit["legend"], list) else None
        if isinstance(entry, dict) and rules.symbol.check(entry.get("symbol")):
            # No schema knows the categories of Unicode.
            assert not is_done(store, edit)
        else:
            assert validator.is_valid(edit) == is_done(store, edit), edit
    assert is_done(store, edits[0])


def is_done(store: Store, edit: Any) -> bool:
    """Whether an edit is done on the map, which is not changed."""
    try:
        run(apply(store.frame, store.width, store.height, [edit], lambda: "new"), store.load)
    except document.GridError:
        return False
    return True


@pytest.mark.parametrize("op", [op for op in FIELDS if op.startswith("remove_")])
def test_ids_in_edits(op: str) -> None:
    [field] = FIELDS[op]
    validator = jsonschema_rs.validator_for(shapes.EDITS[op].model_json_schema())
    for value in [value for some in BORDERS.values() for value in some]:
        assert validator.is_valid({"op": op, field: value}) == is_taken({"op": op, field: value})


def test_every_edit_is_tried() -> None:
    assert {*EDITS, *INNER, *(op for op in FIELDS if op.startswith("remove_"))} == FIELDS.keys()


def is_taken(edit: Any) -> bool:
    """Whether the check of edits takes an edit, on some map."""
    try:
        parsed(edit, "edits[0]")
    except document.GridError:
        return False
    return True


@given(documents())
def test_models_take_every_valid_document(valid: dict[str, Any]) -> None:
    shapes.GridData.model_validate(valid)


def test_nothing_is_validated_by_them() -> None:
    assert Request.model_validate({"grid_data": {"width": "no"}, "edits": [1]}).edits == [1]
    shapes.GridData.model_validate(TAVERN)
