"""The effects of edits for players: enough to follow what they see, and nothing of what they do not see."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from game.grid import edits
from game.grid.canvas import run
from game.grid.changes import same
from game.grid.chunks import layer_keys, split
from game.grid.player_effects import players_effect
from game.grid.player_view import EVERY_SYMBOL, players_document, shown_layers, symbols_of

SIZE = 4
LEGEND = [{"symbol": symbol, "name": f"n{symbol}", "gm": "secret"} for symbol in "#.~!"]
DOCUMENT: dict[str, Any] = {
    "width": SIZE,
    "height": SIZE,
    "legend": LEGEND,
    "layers": [
        {"name": "ground", "rows": ["####", "#..#", "#..#", "####"]},
        {"name": "secret", "rows": ["....", "....", "....", "...!"], "visible_to": "game_masters"},
    ],
    "entities": [
        {"id": "e1", "kind": "chest", "x": 1, "y": 1},
        {"id": "e2", "kind": "spy", "x": 1, "y": 2, "hidden": True},
    ],
    "walls": [{"id": "w1", "x1": 0, "y1": 0, "x2": 2, "y2": 0}],
    "doors": [{"id": "d1", "x1": 2, "y1": 0, "x2": 3, "y2": 0, "secret": True, "state": "closed"}],
}
_cell = st.integers(0, SIZE - 1)


def _edit(hidden: bool) -> st.SearchStrategy[dict[str, Any]]:
    layer, flags = ("secret", {"hidden": True}) if hidden else ("ground", {})
    set_cells = st.builds(
        lambda x, y, symbol: {"op": "set", "layer": layer, "cells": [{"x": x, "y": y, "symbol": symbol}]},
        _cell,
        _cell,
        st.sampled_from("#.~!"),
    )
    put = st.builds(
        lambda name, x, y: {"op": "put_entity", "entity": {"id": name, "kind": "k", "x": x, "y": y, **flags}},
        st.sampled_from(["e2", "e3"] if hidden else ["e1", "e4"]),
        _cell,
        _cell,
    )
    wall = st.builds(
        lambda x: {"op": "put_wall", "wall": {"id": f"w{x}{hidden}", "x1": x, "y1": 1, "x2": x, "y2": 3, **flags}},
        _cell,
    )
    values = ({"gm": "x"}, {"tiled": {"a": 1}}) if hidden else ({"mood": "dark"}, {"grid_type": "hex_row"})
    update = st.sampled_from(values).map(lambda changes: {"op": "update_map", "changes": changes})
    return st.one_of(set_cells, put, wall, update)


def apply(document: Mapping[str, Any], requests: list[Any]) -> tuple[Any, Any, Any, Any, dict[Any, Any]]:
    """The change of edits, the frames before and after, and the chunks before and after."""
    frame, chunks = split(document)
    steps = edits.apply(frame, SIZE, SIZE, requests, lambda: "new")
    edited = run(steps, lambda wanted: dict(chunks))
    now = {**chunks, **edited.chunks}
    after = frame if edited.frame is None else edited.frame
    return edited.change, frame, after, chunks, {key: rows for key, rows in now.items() if rows is not None}


def shown(frame: Any, chunks: Any) -> dict[str, Any]:
    """What players see of a stored map."""
    layers = shown_layers(frame)
    used = set(symbols_of(row for key, rows in chunks.items() if key[0] in layers for row in rows))
    return players_document(frame, used).frame | {
        "cells": {key: rows for key, rows in chunks.items() if key[0] in layers}
    }


@given(requests=st.lists(_edit(True), min_size=1, max_size=4))
def test_hidden_changes_are_not_revealed(requests: list[Any]) -> None:
    change, before, after, old, new = apply(DOCUMENT, requests)
    used = set(symbols_of(row for key, rows in new.items() if key[0] == 0 for row in rows))
    assert players_effect(change, before, after, (SIZE, SIZE), used) is None
    assert old.keys() == new.keys()


@given(requests=st.lists(st.one_of(_edit(True), _edit(False)), min_size=1, max_size=5))
def test_events_lead_to_the_current_state(requests: list[Any]) -> None:
    """A client that applies the effects has the same state as a new read, except for unused legend entries."""
    change, before, after, old, new = apply(DOCUMENT, requests)
    layers = shown_layers(after)
    used = set(symbols_of(row for key, rows in new.items() if key[0] in layers for row in rows))
    effect = players_effect(change, before, after, (SIZE, SIZE), used)
    client, wanted = shown(before, old), shown(after, new)
    if effect is None:
        assert same(_comparable(client), _comparable(wanted))
        return
    if "reload" in effect:
        return
    _apply(client, effect, layer_keys(after))
    assert _comparable(client) == _comparable(wanted)
    entries = {entry["symbol"]: entry for entry in client.get("legend", ())}
    assert all(entries[entry["symbol"]] == entry for entry in wanted.get("legend", ()))
    assert "gm" not in str(effect)
    assert "hidden" not in str(effect)


def _comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """What players see, without the order of things and the legend."""
    things = {
        name: {item["id"]: item for item in document.get(name, ())} for name in ("entities", "doors", "lights")
    }
    rest = {key: value for key, value in document.items() if key not in (*things, "legend", "cells")}
    cells = {str(key): rows for key, rows in document["cells"].items()}
    return {**rest, **things, "cells": cells}


def _apply(client: dict[str, Any], effect: Mapping[str, Any], keys: Mapping[str, int]) -> None:
    for name in ("entities", "doors", "lights"):
        items = {item["id"]: item for item in client.get(name, ())}
        for gone in effect.get(name, {}).get("removed", ()):
            del items[gone]
        items |= {item["id"]: item for item in effect.get(name, {}).get("put", ())}
        client[name] = list(items.values())
    if "walls" in effect:
        client["walls"] = effect["walls"]
    for layer in effect.get("cells", ()):
        for x, y, count, symbols in layer["runs"]:
            rows = list(client["cells"][keys[layer["layer"]], 0, 0])
            new = symbols * count if len(symbols) == 1 else symbols
            rows[y] = rows[y][:x] + new + rows[y][x + count :]
            client["cells"][keys[layer["layer"]], 0, 0] = rows
    for entry in effect.get("legend", ()):
        entries = {one["symbol"]: one for one in client.get("legend", ())}
        client["legend"] = [*{**entries, entry["symbol"]: entry}.values()]
    changed = effect.get("map", {"put": {}, "removed": []})
    client |= changed["put"]
    for key in changed["removed"]:
        client.pop(key, None)


def test_a_resized_map_is_reloaded() -> None:
    change, before, after, _, _ = apply(DOCUMENT, [{"op": "resize", "width": 6, "height": 5}])
    effect = players_effect(change, before, after, (6, 5), EVERY_SYMBOL)
    assert effect == {"size": {"width": 6, "height": 5}, "reload": True}


def test_a_layer_that_becomes_visible_is_reloaded() -> None:
    edit = {"op": "update_layer", "name": "secret", "changes": {"visible_to": None}}
    change, before, after, _, _ = apply(DOCUMENT, [edit])
    effect = players_effect(change, before, after, (SIZE, SIZE), "#.~!")
    assert effect is not None
    assert effect["reload"] is True


def test_a_secret_door_that_opens() -> None:
    door = {**DOCUMENT["doors"][0], "state": "open"}
    change, before, after, _, _ = apply(DOCUMENT, [{"op": "put_door", "door": door}])
    effect = players_effect(change, before, after, (SIZE, SIZE), "#.")
    assert effect is not None
    assert [one["id"] for one in effect["doors"]["put"]] == ["d1"]
    assert [(wall["x1"], wall["x2"]) for wall in effect["walls"]] == [(0, 2)]
