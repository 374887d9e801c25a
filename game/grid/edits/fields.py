"""The ops of edits and their fields: what each field must be, and the edit as it is read by that."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from game.grid.document import Breach, GridError

Edit: TypeAlias = Mapping[str, Any]

KINDS: Final = {"entity": "entities", "wall": "walls", "door": "doors", "light": "lights"}
"""The kinds of things on a map, and the lists of the document that hold them."""

REQUIRED: Final = object()


class Field(NamedTuple):
    """What a field must be ("text", "whole", "boolean", "list", "object"), and what it is when it is left out."""

    kind: str
    default: Any = REQUIRED


_PLACE: Final[Mapping[str, Field]] = {"layer": Field("text"), "x": Field("whole"), "y": Field("whole")}
_CHANGES: Final[Mapping[str, Field]] = {"changes": Field("object")}

FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "set": {"layer": Field("text"), "cells": Field("list")},
    "fill_rectangle": {**_PLACE, "width": Field("whole"), "height": Field("whole"), "symbol": Field("text")},
    "flood_fill": {**_PLACE, "symbol": Field("text")},
    "paste": {**_PLACE, "rows": Field("list"), "transparent": Field("boolean", False)},
    "replace": {"layer": Field("text"), "symbol": Field("text"), "with": Field("text")},
    **{f"put_{kind}": {kind: Field("object")} for kind in KINDS},
    **{f"update_{kind}": {"id": Field("text"), **_CHANGES} for kind in KINDS},
    **{f"remove_{kind}": {"id": Field("text")} for kind in KINDS},
    "move_entity": {"id": Field("text"), "x": Field("whole"), "y": Field("whole")},
    "add_layer": {"layer": Field("object"), "index": Field("whole", None)},
    "update_layer": {"name": Field("text"), **_CHANGES},
    "remove_layer": {"name": Field("text")},
    "move_layer": {"name": Field("text"), "index": Field("whole")},
    "update_legend": {"legend": Field("list"), "index": Field("whole", None)},
    "remove_legend_entry": {"symbol": Field("text")},
    "update_map": _CHANGES,
    "resize": {"width": Field("whole"), "height": Field("whole"), "anchor": Field("text", "top_left")},
}
"""The fields of each op."""

CELL: Final[Mapping[str, Field]] = {"x": Field("whole"), "y": Field("whole"), "symbol": Field("text")}
"""The fields of a cell that `set` sets."""

_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "text": (str, "a string"),
    "whole": (int, "a whole number, 0 or more"),
    "boolean": (bool, "true or false"),
    "list": (list, "a list"),
    "object": (dict, "an object"),
}


def fault(place: str, code: str, message: str) -> GridError:
    """The error for an edit that breaks a rule at a place of the request."""
    return GridError([Breach(place, code, message)])


def parsed(edit: Any, place: str) -> dict[str, Any]:
    """An edit with all fields of its op, each of its type, and the defaults filled in.

    Raises:
        GridError: a field is missing, unknown or of another type; names the place.
    """
    if not isinstance(edit, dict):
        raise fault(place, "wrong_type", "must be an object")
    if "op" not in edit:
        raise fault(f"{place}.op", "missing", "is required")
    fields = FIELDS.get(edit["op"]) if isinstance(edit["op"], str) else None
    if fields is None:
        raise fault(f"{place}.op", "not_an_option", f"must be one of {', '.join(FIELDS)}")
    values = _values({name: value for name, value in edit.items() if name != "op"}, fields, place)
    for index, cell in enumerate(values.get("cells", ())):
        _values(cell, CELL, f"{place}.cells[{index}]")
    rows = values.get("rows", ())
    for index, row in enumerate(rows):
        if not isinstance(row, str):
            raise fault(f"{place}.rows[{index}]", "wrong_type", "must be a string")
        if len(row) != len(rows[0]):
            message = f"must have as many cells as the first row, {len(rows[0])}"
            raise fault(f"{place}.rows[{index}]", "uneven_rows", message)
    return {"op": edit["op"], **values}


def _values(value: Any, fields: Mapping[str, Field], place: str) -> dict[str, Any]:
    """An object's fields, each of its type, with the defaults filled in."""
    if not isinstance(value, dict):
        raise fault(place, "wrong_type", "must be an object")
    if not fields.keys() >= value.keys():
        unknown = next(key for key in value if key not in fields)
        raise fault(f"{place}.{unknown}", "unknown_field", f"is not one of {', '.join(fields)}")
    values = {}
    for name, (kind, default) in fields.items():
        item = value.get(name, default)
        if item is REQUIRED:
            raise fault(f"{place}.{name}", "missing", "is required")
        if name in value:
            wanted, described = _TYPES[kind]
            # In Python a bool is an int; in JSON it is not a number.
            fits = isinstance(item, wanted) and (kind != "whole" or (item is not True and item is not False))
            if not fits:
                raise fault(f"{place}.{name}", "wrong_type", f"must be {described}")
            if isinstance(item, int) and item < 0:
                raise fault(f"{place}.{name}", "out_of_range", f"must be {described}")
        values[name] = item
    return values
