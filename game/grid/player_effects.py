"""The effect of an edit of a map without fog on what players see.

It has the shape of `grid.effects`, with three differences. `walls`, when they changed, are all walls that players
see: they are merged, and so have no ids. `legend` has the entries to add or replace, by symbol: those that came
into use, or are in use and have changed. `region` is the bounding box of the visible changed cells.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from game.grid.changes import Change, same
from game.grid.chunks import Frame, layer_keys
from game.grid.effects import MAX_BYTES, Effect
from game.grid.player_view import EVERY_SYMBOL, players_document, shown_layers

_BY_ID: Final = ("entities", "doors", "lights")
_APART: Final = frozenset({*_BY_ID, "walls", "layers", "legend"})
_MAX_RUNS: Final = 4096


def players_effect(
    change: Change, before: Frame, after: Frame, size: tuple[int, int], used: Container[str]
) -> Effect | None:
    """The effect, for players, of a change from one stored frame of a map to another, of this size in cells.

    `used` are the symbols in use in the visible layers after the change; only queried for legend entries that
    changed. None if the change is invisible to players.
    """
    layers, (width, height) = shown_layers(after), size
    if any("size" in part for part in change):
        # Even if only hidden objects were cut off, because the size is no secret.
        return {"size": {"width": width, "height": height}, "reload": True}
    effect = _frame_effect(before, after, used) if before is not after else {}
    if layers - shown_layers(before):
        # A newly visible layer has cells that are not in the change.
        return {**effect, "reload": True}
    _add_cells(effect, change, after, layers)
    return effect or None


def _frame_effect(before: Frame, after: Frame, used: Container[str]) -> Effect:
    old, new = (players_document(frame, EVERY_SYMBOL).frame for frame in (before, after))
    effect: Effect = {}
    for name in _BY_ID:
        if not same(old.get(name), new.get(name)):
            was, now = _by_id(old.get(name, ())), _by_id(new.get(name, ()))
            if was is None or now is None:
                effect["reload"] = True
                continue
            put = [item for key, item in now.items() if not same(item, was.get(key))]
            effect[name] = {"put": put, "removed": [key for key in was if key not in now]}
    if not same(old.get("walls"), new.get("walls")):
        effect["walls"] = new.get("walls", [])
    if not same(_without_rows(old), _without_rows(new)):
        effect["layers"] = _without_rows(new)
    known = {entry["symbol"]: entry for entry in old.get("legend", ())}
    entries = [
        entry
        for entry in new.get("legend", ())
        if not same(entry, known.get(entry["symbol"])) and entry["symbol"] in used
    ]
    if entries:
        effect["legend"] = entries
    keys = [key for key in {**old, **new} if key not in _APART and not same(old.get(key), new.get(key))]
    if keys:
        effect["map"] = {
            "put": {key: new[key] for key in keys if key in new},
            "removed": [key for key in keys if key not in new],
        }
    return effect


def _by_id(items: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]] | None:
    """Objects by their ids; None if one has no id."""
    return {item["id"]: item for item in items} if all("id" in item for item in items) else None


def _without_rows(frame: Frame) -> list[dict[str, Any]]:
    return [{key: value for key, value in layer.items() if key != "rows"} for layer in frame.get("layers", ())]


def _add_cells(effect: Effect, change: Change, frame: Frame, layers: frozenset[int]) -> None:
    names = {key: name for name, key in layer_keys(frame).items()}
    parts = [part for part in change if "cells" in part and part["cells"] in layers]
    runs = [run for part in parts for run in part["runs"]]
    if not runs:
        return
    left, top = min(run[0] for run in runs), min(run[1] for run in runs)
    right, bottom = max(run[0] + run[2] for run in runs), max(run[1] for run in runs)
    effect["region"] = {"x": left, "y": top, "width": right - left, "height": bottom - top + 1}
    if len(runs) > _MAX_RUNS or sum(len(run[4]) for run in runs) > MAX_BYTES:
        effect["reload"] = True
        return
    effect["cells"] = [
        {"layer": names[part["cells"]], "runs": [[x, y, count, after] for x, y, count, _, after in part["runs"]]}
        for part in parts
    ]
    painted = {symbol for run in runs for symbol in run[4]}
    entries = players_document({"legend": frame.get("legend", [])}, painted).frame.get("legend", [])
    mentioned = {entry["symbol"] for entry in effect.get("legend", ())}
    if more := [entry for entry in entries if entry["symbol"] not in mentioned]:
        effect["legend"] = [*effect.get("legend", ()), *more]
