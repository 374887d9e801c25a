"""The grid data document and the edits as Pydantic models: for descriptions of the API.

They are generated from the tables of rules of `document.check` and `edits.fields`, so both are consistent. The
models are not used for validation: the checks are faster, and name all places.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, create_model

from game.grid import document
from game.grid.edits.fields import CELL, FIELDS, OTHER_EDITS, REQUIRED
from game.grid.edits.fields import Field as EditField
from game.grid.rules import Rules, json_object, reserved, whole

_LIMITS: Final = document.DEFAULT_LIMITS
_SIDE: Final = whole(0, _LIMITS.max_size)
_COLUMN: Final = whole(0, _LIMITS.max_size - 1)


def _optional() -> Any:
    """An optional field; the schema has no default, because it depends on other fields."""
    return Field(default_factory=lambda: None)


def _model(name: str, about: str, rules: Rules, required: tuple[str, ...] = (), **more: Any) -> type[BaseModel]:
    """A model with the fields of a table of rules, which also accepts others."""
    fields = {
        key: (Annotated[Any, WithJsonSchema(dict(rule.schema))], ... if key in required else _optional())
        for key, rule in rules.items()
        if key != "fog" and key not in more
    }
    fields["gm"] = (
        Annotated[Any, WithJsonSchema({"description": "For game masters only: any JSON."})],
        _optional(),
    )
    made: type[BaseModel] = create_model(
        name, __config__=ConfigDict(extra="allow"), __doc__=about, **{**fields, **more}
    )
    return made


def _list(item: Any, limit: int) -> Any:
    return Annotated[list[item], Field(max_length=limit)], _optional()


_XY: Final[Rules] = {"x": _COLUMN, "y": _COLUMN}
_ROWS: Final = (list[str], _optional())

LegendEntry = _model("LegendEntry", "What a symbol means.", document.LEGEND, ("symbol",))
Layer = _model("Layer", "A layer of cells: one symbol for each cell.", document.LAYER, ("name",), rows=_ROWS)
Entity = _model("Entity", "An object in a cell.", {**document.ENTITY, **_XY}, ("id", "x", "y"))
Wall = _model("Wall", "A straight wall between two points.", document.WALL, document.ENDS)
Door = _model("Door", "A straight door between two points.", document.DOOR, document.ENDS)
Light = _model("Light", "A light at a point.", document.LIGHT, ("x", "y"))
Background = _model("Background", "A picture under the cells, and the rectangle it fills.", document.BACKGROUND)
_Fog = create_model(
    "GridFog",
    __doc__="What a player has seen: in `rows` 0 never, 1 before, 2 now. Only in responses to players.",
    mode=(str, ...),
    rows=(list[str], ...),
)
GridData = _model(
    "GridData",
    "The grid of a map; docs/grid.md describes its keys. Other keys are allowed.",
    {**document.DOCUMENT, "width": _SIDE, "height": _SIDE},
    legend=_list(LegendEntry, _LIMITS.max_legend),
    layers=_list(Layer, _LIMITS.max_layers),
    entities=_list(Entity, _LIMITS.max_entities),
    walls=_list(Wall, _LIMITS.max_walls),
    doors=_list(Door, _LIMITS.max_doors),
    lights=_list(Light, _LIMITS.max_lights),
    background=(Background, _optional()),
    fog=(_Fog, _optional()),
)

# Objects without an id get a new one.
_PutEntity = _model("PutEntity", "An entity; without an id it gets one.", {**document.ENTITY, **_XY}, ("x", "y"))
_THINGS: Final[Mapping[str, type[BaseModel]]] = {
    "entity": _PutEntity,
    "wall": Wall,
    "door": Door,
    "light": Light,
    "layer": Layer,
}


def _patch(rules: Rules, required: Collection[str] = (), **more: Any) -> dict[str, Any]:
    """The schema of a merge patch of an object with these rules; `required` keys cannot be removed."""
    schemas = {key: dict(rule.schema) for key, rule in rules.items()} | more
    return {
        "type": "object",
        "description": "A merge patch (RFC 7396): null removes a key.",
        "properties": {
            key: schema if key in required or schema == reserved.schema else {"anyOf": [schema, {"type": "null"}]}
            for key, schema in schemas.items()
        },
    }


_LEGEND_PATCH: Final = {**_patch(document.LEGEND, ("symbol",)), "required": ["symbol"]}
_PATCHES: Final[Mapping[str, Any]] = {
    "update_entity": _patch({**document.ENTITY, **_XY}, ("id", "x", "y")),
    "update_wall": _patch(document.WALL, ("id", *document.ENDS)),
    "update_door": _patch(document.DOOR, ("id", *document.ENDS)),
    "update_light": _patch(document.LIGHT, ("id", "x", "y")),
    "update_layer": _patch({**document.LAYER, "rows": reserved}, ("name",)),
    "update_map": _patch(
        {**document.DOCUMENT, **dict.fromkeys(OTHER_EDITS, reserved)}, background=_patch(document.BACKGROUND)
    ),
}
"""The schemas of `changes`, by op."""


def _edit_model(op: str, fields: Mapping[str, EditField]) -> type[BaseModel]:
    name = "".join(word.capitalize() for word in op.split("_")) + "Edit"
    made: type[BaseModel] = create_model(
        name,
        __config__=ConfigDict(extra="forbid"),
        op=(Literal[op], ...),  # type: ignore[arg-type]  # each model has its own op
        **{_attribute(key): _edit_field(key, field, _PATCHES.get(op)) for key, field in fields.items()},
    )
    return made


def _attribute(key: str) -> str:
    """A valid Python name for a field."""
    return f"{key}_" if key == "with" else key


def _edit_field(key: str, field: EditField, patch: Any = None) -> Any:
    kind: Any
    if key in _THINGS and field.rule is json_object:
        kind = _THINGS[key]
    elif key == "cells":
        kind = list[_Cell]
    elif key == "rows":
        kind = list[str]
    elif key == "legend":
        kind = Annotated[Any, WithJsonSchema({"type": "array", "items": _LEGEND_PATCH})]
    elif key == "changes":
        kind = Annotated[Any, WithJsonSchema(patch)]
    else:
        kind = Annotated[Any, WithJsonSchema(dict(field.rule.schema))]
    if field.default is REQUIRED:
        default = Field(alias=key)
    elif field.default is None:
        default = Field(alias=key, default_factory=lambda: None)
    else:
        default = Field(field.default, alias=key)
    return kind, default


_Cell = create_model(
    "SetCell",
    __doc__="A cell and its new symbol.",
    __config__=ConfigDict(extra="forbid"),
    **{key: _edit_field(key, field) for key, field in CELL.items()},
)
EDITS: Final[Mapping[str, type[BaseModel]]] = {op: _edit_model(op, fields) for op, fields in FIELDS.items()}
"""The model of each edit, by its op."""
Edit: Any = Annotated[Union[tuple(EDITS.values())], Field(discriminator="op")]  # noqa: UP007 - built from a tuple


class Described:
    """Marks a type whose JSON schema is that of a model, though the model does not validate it."""

    def __init__(self, model: Any) -> None:
        # As a list's item, Pydantic refers to a model by its name.
        self._listed = TypeAdapter(list[model]).core_schema

    def __get_pydantic_json_schema__(self, _: Any, handler: Any) -> Any:
        """Pydantic's hook for the schema."""
        return handler(self._listed)["items"]
