"""The ops of edits and their fields: the rules of each field, and the parsed edit."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from game.grid.document import DEFAULT_LIMITS, GridError, Violation
from game.grid.rules import Rule, boolean, cell, json_object, of_type, one_of, string, whole

Edit: TypeAlias = Mapping[str, Any]

KINDS: Final = {"entity": "entities", "wall": "walls", "door": "doors", "light": "lights"}
"""The kinds of objects on a map, and the lists of the document that contain them."""

REQUIRED: Final = object()


OTHER_EDITS: Final[Mapping[str, str]] = {
    "width": "resize",
    "height": "resize",
    "legend": "update_legend or remove_legend_entry",
    "layers": "add_layer, update_layer, move_layer or remove_layer",
    **{name: f"put_{kind}, update_{kind} or remove_{kind}" for kind, name in KINDS.items()},
}
"""The keys of a document that `update_map` does not change, and the edits that do."""


class Field(NamedTuple):
    """The rule of a field, except for what depends on the map, and its default."""

    rule: Rule
    default: Any = REQUIRED


ANCHORS: Final = {
    "top_left": (0, 0),
    "top": (1, 0),
    "top_right": (2, 0),
    "left": (0, 1),
    "center": (1, 1),
    "right": (2, 1),
    "bottom_left": (0, 2),
    "bottom": (1, 2),
    "bottom_right": (2, 2),
}
"""The position of the old map in the new one when it is resized: at the start, in the middle or at the end,
across and down."""

_count = whole(0)
_side = whole(0, DEFAULT_LIMITS.max_size)
_list = of_type(list, "a list")

_PLACE: Final[Mapping[str, Field]] = {"layer": Field(string), "x": Field(_count), "y": Field(_count)}
_CHANGES: Final[Mapping[str, Field]] = {"changes": Field(json_object)}

FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "set": {"layer": Field(string), "cells": Field(_list)},
    "fill_rectangle": {**_PLACE, "width": Field(_count), "height": Field(_count), "symbol": Field(cell)},
    "flood_fill": {**_PLACE, "symbol": Field(cell)},
    "paste": {**_PLACE, "rows": Field(_list), "transparent": Field(boolean, False)},
    "replace": {"layer": Field(string), "symbol": Field(cell), "with": Field(cell)},
    **{f"put_{kind}": {kind: Field(json_object)} for kind in KINDS},
    **{f"update_{kind}": {"id": Field(string), **_CHANGES} for kind in KINDS},
    **{f"remove_{kind}": {"id": Field(string)} for kind in KINDS},
    "move_entity": {"id": Field(string), "x": Field(_count), "y": Field(_count)},
    "add_layer": {"layer": Field(json_object), "index": Field(_count, None)},
    "update_layer": {"name": Field(string), **_CHANGES},
    "remove_layer": {"name": Field(string)},
    "move_layer": {"name": Field(string), "index": Field(_count)},
    "update_legend": {"legend": Field(_list), "index": Field(_count, None)},
    "remove_legend_entry": {"symbol": Field(cell)},
    "update_map": _CHANGES,
    "resize": {"width": Field(_side), "height": Field(_side), "anchor": Field(one_of(tuple(ANCHORS)), "top_left")},
}
"""The fields of each op."""

CELL: Final[Mapping[str, Field]] = {"x": Field(_count), "y": Field(_count), "symbol": Field(cell)}
"""The fields of a cell that `set` sets."""


def fault(place: str, code: str, message: str) -> GridError:
    """The error for an invalid edit at a place of the request."""
    return GridError([Violation(place, code, message)])


def parsed(edit: Any, place: str) -> dict[str, Any]:
    """An edit with all fields of its op, validated and with defaults.

    Raises:
        GridError: a field is missing, unknown or invalid; names the place.
    """
    if not isinstance(edit, dict):
        raise fault(place, "wrong_type", "must be an object")
    if "op" not in edit:
        raise fault(f"{place}.op", "missing", "is required")
    fields = FIELDS.get(edit["op"]) if isinstance(edit["op"], str) else None
    if fields is None:
        raise fault(f"{place}.op", "not_an_option", f"must be one of {', '.join(FIELDS)}")
    values = _values({name: value for name, value in edit.items() if name != "op"}, fields, place)
    for index, one in enumerate(values.get("cells", ())):
        _values(one, CELL, f"{place}.cells[{index}]")
    rows = values.get("rows", ())
    for index, row in enumerate(rows):
        if not isinstance(row, str):
            raise fault(f"{place}.rows[{index}]", "wrong_type", "must be a string")
        if len(row) != len(rows[0]):
            message = f"must have as many cells as the first row, {len(rows[0])}"
            raise fault(f"{place}.rows[{index}]", "uneven_rows", message)
    return {"op": edit["op"], **values}


def _values(value: Any, fields: Mapping[str, Field], place: str) -> dict[str, Any]:
    """The fields of an object, validated and with defaults."""
    if not isinstance(value, dict):
        raise fault(place, "wrong_type", "must be an object")
    if not fields.keys() >= value.keys():
        unknown = next(key for key in value if key not in fields)
        raise fault(f"{place}.{unknown}", "unknown_field", f"is not one of {', '.join(fields)}")
    values = {}
    for name, (rule, default) in fields.items():
        item = value.get(name, default)
        if item is REQUIRED:
            raise fault(f"{place}.{name}", "missing", "is required")
        if name in value and (wrong := rule.check(item)):
            raise fault(f"{place}.{name}", *wrong)
        values[name] = item
    return values
