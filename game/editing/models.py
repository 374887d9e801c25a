"""The request and response models of editing. Its tables are those of maps and events."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field as Constraint
from sqlmodel import Field

from game.core.models import ApiModel, Timestamp, example, unset
from game.grid import shapes
from game.grid.document import DEFAULT_LIMITS
from game.grid.shapes import Described

MAX_EDITS = 1000
MAX_SIZE = DEFAULT_LIMITS.max_size
MAX_REGION = 512
"""Cells a side of a region: a screen shows far fewer."""

Edit = Annotated[Any, Described(shapes.Edit)]
_EXAMPLE = [
    {"op": "set", "layer": "ground", "cells": [{"x": 1, "y": 2, "symbol": "#"}]},
    {"op": "move_entity", "id": "goblin-1", "x": 3, "y": 1},
]


class EditRequest(ApiModel):
    """Edits to apply in order. Either all of them are applied or none."""

    model_config = example({"edits": _EXAMPLE})

    edits: Annotated[list[Edit], Constraint(min_length=1, max_length=MAX_EDITS)]


class EditResult(ApiModel):
    """The result of an edit."""

    version: int = Field(description="The new version of the map.")
    seq: int | None = Field(description="The number of the event; null if nothing changed.")
    changed: int = Field(description="The number of cells and objects that changed.")


class RestoreRequest(ApiModel):
    """Restores an earlier state of a map."""

    model_config = example({"seq": 12})

    seq: Annotated[int, Constraint(ge=1, le=2**53 - 1, description="The event whose state is to be restored.")]


class HistoryEntry(ApiModel):
    """A change of a map."""

    seq: int
    actor_id: UUID | None
    actor_name: str | None = Field(description="Null if the account was deleted.")
    kind: str
    summary: str = Field(description="What was done, as text for users.")
    created_at: Timestamp


class HistoryPage(ApiModel):
    """Changes of a map, newest first."""

    items: list[HistoryEntry]
    next_cursor: str | None


class RegionLayer(ApiModel):
    """The cells of one layer in a region."""

    name: str
    rows: list[str]


class Region(ApiModel):
    """A part of a map, clipped to the map."""

    x: int
    y: int
    width: int
    height: int
    version: int = unset("The map's version. Not for players.")
    layers: list[RegionLayer]
    fog: list[str] = unset("With fog: one character for each cell: `0` never seen, `1` seen before, `2` in sight.")
