"""The effect of a change, in a form that a client applies to its map: the payload of events of edits.

An effect is an object without empty keys:

    {
      "region": {"x": 3, "y": 0, "width": 2, "height": 1},         around all cells that changed
      "cells": [{"layer": "ground", "runs": [[3, 0, 2, "#"]]}],    in order; x, y, cells to the right, symbols
      "entities": {"put": [{...}], "removed": ["goblin-1"]},        likewise walls, doors, lights
      "legend": [{...}],                                            all entries, when any changed
      "layers": [{"name": "ground"}],                               all layers without rows, when any changed
      "renamed_layers": {"old name": "new name"},
      "map": {"put": {"grid_type": "hex_row"}, "removed": ["mood"]},
      "size": {"width": 40, "height": 30},                          when it changed
      "reload": true                                                the rest is too large, or moved: read it again
    }

The symbols of a run are one character for all of its cells, or one for each. A layer that is new is empty before
its runs are applied. With `reload`, a client reads the region again (or the whole map if there is no region); the
other keys still hold.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import orjson

from game.grid.changes import Change, same
from game.grid.chunks import CHUNK, Frame, layer_keys

Effect: TypeAlias = dict[str, Any]

MAX_BYTES: Final = 32_768
"""The maximum size of an effect's JSON, in bytes; a larger effect has only its region and size."""
_MAX_RUNS: Final = 4096
_THINGS: Final = ("entities", "walls", "doors", "lights")


def effect(change: Change, frame: Frame, width: int, height: int) -> Effect:
    """The effect of a change that led to this frame and size."""
    result: Effect = {}
    resized = any("size" in part for part in change)
    if resized:
        result |= {"size": {"width": width, "height": height}, "reload": True}
    elif region := _region(change):
        result["region"] = region
    small = dict(result)
    is_whole = sum(len(part.get("runs", ())) for part in change) <= _MAX_RUNS and _add_things(result, change)
    if is_whole and not resized:
        _add_cells(result, change, frame)
    if is_whole:
        _add_frame(result, change, frame)
    if not is_whole or len(orjson.dumps(result)) > MAX_BYTES:
        return {**small, "reload": True}
    return result


def replaced(before: Mapping[str, Any], frame: Frame, width: int, height: int) -> Effect:
    """The effect of a write that replaced the grid; `before` is the replaced state, as stored in its event."""
    if before["size"] == [width, height] and same(before["grid_data"], frame):
        if "packed" in before:
            # With very many chunks, about the whole map.
            return {"region": {"x": 0, "y": 0, "width": width, "height": height}, "reload": True}
        corners = [(x * CHUNK, y * CHUNK) for _, x, y, _ in before["chunks"]]
        left, top = min(x for x, _ in corners), min(y for _, y in corners)
        right = min(max(x for x, _ in corners) + CHUNK, width)
        bottom = min(max(y for _, y in corners) + CHUNK, height)
        region = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        return {"region": region, "reload": True}
    return {"size": {"width": width, "height": height}, "reload": True}


def _region(change: Change) -> dict[str, int] | None:
    runs = [run for part in change for run in part.get("runs", ())]
    if not runs:
        return None
    left, top = min(run[0] for run in runs), min(run[1] for run in runs)
    right, bottom = max(run[0] + run[2] for run in runs), max(run[1] for run in runs)
    return {"x": left, "y": top, "width": right - left, "height": bottom - top + 1}


def _add_cells(result: Effect, change: Change, frame: Frame) -> None:
    names = {key: name for name, key in layer_keys(frame).items()}
    cells = [
        {"layer": names[part["cells"]], "runs": [[x, y, count, after] for x, y, count, _, after in part["runs"]]}
        for part in change
        # Removed layers need no cells.
        if "cells" in part and part["cells"] in names
    ]
    if cells:
        result["cells"] = cells


def _add_things(result: Effect, change: Change) -> bool:
    """Add the objects that were put or removed; returns False if an object has no id."""
    for name in _THINGS:
        last: dict[Any, Mapping[str, Any] | None] = {}
        for part in change:
            if part.get("list") == name:
                for item in (part["before"], part["after"]):
                    if item is not None:
                        if "id" not in item:
                            return False
                        last[item["id"]] = None
                if part["after"] is not None:
                    last[part["after"]["id"]] = part["after"]
        if last:
            put = [item for item in last.values() if item is not None]
            result[name] = {"put": put, "removed": [id for id, item in last.items() if item is None]}
    return True


def _add_frame(result: Effect, change: Change, frame: Frame) -> None:
    lists = {part.get("list") for part in change}
    if "legend" in lists:
        result["legend"] = frame.get("legend", [])
    if "layers" in lists:
        result["layers"] = [_without_rows(layer) for layer in frame.get("layers", ())]
        if renamed := _renamed(part for part in change if part.get("list") == "layers"):
            result["renamed_layers"] = renamed
    if values := [part["value"] for part in change if "value" in part]:
        put = {key: frame[key] for key in values if key in frame}
        result["map"] = {"put": put, "removed": [key for key in values if key not in frame]}


def _renamed(parts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The new names of renamed layers, by their old names."""
    first: dict[str, str] = {}
    """By their current names."""
    for part in parts:
        before, after = part["before"], part["after"]
        if before is not None:
            old = first.pop(before["name"], before["name"])
            if after is not None:
                first[after["name"]] = old
    return {old: new for new, old in first.items() if old != new}


def _without_rows(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in layer.items() if key != "rows"}
