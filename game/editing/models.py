"""What the endpoints of editing take and give. Their tables are those of maps and events."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field as Constraint
from pydantic import WithJsonSchema
from sqlmodel import Field

from game.core.models import Shape, Timestamp, example, unset
from game.grid.document import DEFAULT_LIMITS

MAX_EDITS = 1000
MAX_SIZE = DEFAULT_LIMITS.max_size
MAX_REGION = 512
"""Cells a side of a region: a screen shows far fewer."""

_EDITS: list[dict[str, Any]] = [
    {"op": "set", "layer": "ground", "cells": [{"x": 1, "y": 2, "symbol": "#"}]},
    {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": 4, "height": 2, "symbol": "."},
    {"op": "flood_fill", "layer": "ground", "x": 3, "y": 3, "symbol": "~"},
    {"op": "paste", "layer": "ground", "x": 5, "y": 5, "rows": ["##", "#."], "transparent": False},
    {"op": "replace", "layer": "ground", "symbol": ".", "with": ","},
    {"op": "put_entity", "entity": {"id": "goblin-1", "kind": "monster", "name": "Goblin", "x": 2, "y": 1}},
    {"op": "update_entity", "id": "goblin-1", "changes": {"name": "Grik", "properties": {"hp": 4}}},
    {"op": "move_entity", "id": "goblin-1", "x": 3, "y": 1},
    {"op": "remove_entity", "id": "goblin-1"},
    {"op": "put_door", "door": {"x1": 2, "y1": 3, "x2": 3, "y2": 3, "state": "closed"}},
    {"op": "add_layer", "layer": {"name": "roof"}, "index": 1},
    {"op": "update_layer", "name": "roof", "changes": {"opacity": 0.5}},
    {"op": "move_layer", "name": "roof", "index": 0},
    {"op": "remove_layer", "name": "roof"},
    {"op": "update_legend", "legend": [{"symbol": "~", "name": "water", "color": "#4f7cac"}], "index": 2},
    {"op": "remove_legend_entry", "symbol": ","},
    {"op": "update_map", "changes": {"grid_type": "hex_row", "background": None, "properties": {"mood": "dark"}}},
    {"op": "resize", "width": 80, "height": 60, "anchor": "top_left"},
]

_KINDS = ("entity", "wall", "door", "light")
_THINGS = {f"{verb}_{kind}" for verb in ("put", "update", "remove") for kind in _KINDS}

Edit = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "object",
            "required": ["op"],
            "properties": {
                "op": {
                    "type": "string",
                    "enum": sorted({edit["op"] for edit in _EDITS} | _THINGS),
                }
            },
            "additionalProperties": True,
            "description": "One edit; its fields depend on `op`.",
            "examples": _EDITS,
        }
    ),
]


class EditRequest(Shape):
    """Edits to apply in order: all of them or none."""

    model_config = example({"edits": _EDITS[:2]})

    edits: Annotated[list[Edit], Constraint(min_length=1, max_length=MAX_EDITS)]


class EditResult(Shape):
    """What became of the map."""

    version: int = Field(description="The map's version now.")
    seq: int | None = Field(description="The number of the event; null when nothing changed.")
    changed: int = Field(description="How many cells and things are other than before.")


class RestoreRequest(Shape):
    """Takes a map back to how it was."""

    model_config = example({"seq": 12})

    seq: Annotated[int, Constraint(ge=1, le=2**53 - 1, description="The event after which the map was so.")]


class HistoryEntry(Shape):
    """A change of a map."""

    seq: int
    actor_id: UUID | None
    actor_name: str | None = Field(description="Null when the account is gone.")
    kind: str
    summary: str = Field(description="What was done, for people.")
    created_at: Timestamp


class HistoryPage(Shape):
    """Changes of a map, newest first."""

    items: list[HistoryEntry]
    next_cursor: str | None


class RegionLayer(Shape):
    """The cells of one layer in a region."""

    name: str
    rows: list[str]


class Region(Shape):
    """A part of a map, cut off at the map's edges."""

    x: int
    y: int
    width: int
    height: int
    version: int = unset("The map's version. Not for players.")
    layers: list[RegionLayer]
