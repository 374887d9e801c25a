"""Effects: what they say is enough for a client to keep its map up to date."""

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from game.grid.changes import inverse
from game.grid.effects import MAX_BYTES, effect, replaced
from tests.grid.maps import Document, Store, edits, maps


def applied(document: Document, result: Document, fresh: Document) -> Document:
    """A client's map after an effect; `fresh` is what it reloads if the effect requires it."""
    if result.get("reload"):
        if "region" not in result:
            return fresh
        document = {**fresh, "layers": document["layers"]} if len(result) == 2 else document
    document = deepcopy(document)
    if "layers" in result:
        renamed = result.get("renamed_layers", {})
        rows = {renamed.get(layer["name"], layer["name"]): layer["rows"] for layer in document["layers"]}
        blank = [" " * len(row) for row in fresh["layers"][0]["rows"]]
        document["layers"] = [{**layer, "rows": rows.get(layer["name"], blank)} for layer in result["layers"]]
    layers = {layer["name"]: layer for layer in document["layers"]}
    for part in result.get("cells", ()):
        lines = layers[part["layer"]]["rows"] = list(layers[part["layer"]]["rows"])
        for x, y, count, symbols in part["runs"]:
            painted = symbols * count if len(symbols) == 1 else symbols
            lines[y] = lines[y][:x] + painted + lines[y][x + count :]
    for name in ("entities", "walls", "doors", "lights"):
        if name in result:
            items = {item.get("id", index): item for index, item in enumerate(document.get(name, []))}
            for removed in result[name]["removed"]:
                items.pop(removed, None)
            items |= {item["id"]: item for item in result[name]["put"]}
            document[name] = list(items.values())
    if "legend" in result:
        document["legend"] = result["legend"]
    for key in result.get("map", {}).get("removed", ()):
        document.pop(key, None)
    return document | result.get("map", {}).get("put", {})


def comparable(document: Document) -> Document:
    """A document without what effects need not keep: the order of things, and that an empty list is there."""
    for name in ("entities", "walls", "doors", "lights"):
        document = {**document, name: sorted(document.get(name, []), key=lambda item: str(item.get("id")))}
    return document


@given(st.data())
def test_a_client_that_applies_effects_has_the_map(data: st.DataObject) -> None:
    store = Store(data.draw(maps()))
    client = store.document()
    changes = []
    for _ in range(4):
        if changes and data.draw(st.booleans()):
            change = store.replay(inverse(changes.pop()))
        else:
            change = store.edit(*[data.draw(edits(store.document()))])
            changes.append(change)
        result = effect(change, store.frame, store.width, store.height)
        client = applied(client, result, store.document())
        assert comparable(client) == comparable(store.document())


def floor(side: int) -> Store:
    rows = ["." * side] * side
    legend = [{"symbol": symbol} for symbol in ".#~"]
    return Store({"legend": legend, "layers": [{"name": "ground", "rows": rows}]})


def result(store: Store, *requests: Document) -> Document:
    return effect(store.edit(*requests), store.frame, store.width, store.height)


def test_cells_and_things() -> None:
    fill = {"op": "fill_rectangle", "layer": "ground", "x": 1, "y": 2, "width": 3, "height": 2, "symbol": "#"}
    chest = {"id": "c", "x": 0, "y": 0}
    assert result(floor(9), fill, {"op": "put_entity", "entity": chest}) == {
        "region": {"x": 1, "y": 2, "width": 3, "height": 2},
        "cells": [{"layer": "ground", "runs": [[1, 2, 3, "#"], [1, 3, 3, "#"]]}],
        "entities": {"put": [chest], "removed": []},
    }


def test_of_a_large_change_the_region_alone() -> None:
    store = floor(200)
    rows = ["#~" * 100] * 200
    large = result(store, {"op": "paste", "layer": "ground", "x": 0, "y": 0, "rows": rows})
    assert large == {"region": {"x": 0, "y": 0, "width": 200, "height": 200}, "reload": True}
    many = [{"op": "put_entity", "entity": {"id": "e", "x": 0, "y": 0, "note": "x" * MAX_BYTES}}]
    assert result(floor(9), *many) == {"reload": True}


def test_a_new_size_is_reloaded() -> None:
    resize = {"op": "resize", "width": 5, "height": 4, "anchor": "center"}
    assert result(floor(9), resize) == {"size": {"width": 5, "height": 4}, "reload": True}


def test_removing_a_layer_removes_its_cells() -> None:
    store = floor(3)
    store.edit({"op": "add_layer", "layer": {"name": "roof", "rows": ["###"] * 3}})
    went = result(store, {"op": "remove_layer", "name": "roof"})
    assert went["layers"] == [{"name": "ground"}]
    assert "cells" not in went
    assert result(store, {"op": "update_layer", "name": "ground", "changes": {"name": "floor"}}) == {
        "layers": [{"name": "floor"}],
        "renamed_layers": {"ground": "floor"},
    }


def test_a_replaced_grid() -> None:
    before: dict[str, Any] = {
        "grid_data": {"a": 1},
        "size": [100, 80],
        "chunks": [[0, 1, 0, None], [2, 0, 1, None]],
    }
    assert replaced(before, {"a": 1}, 100, 80) == {
        "region": {"x": 0, "y": 0, "width": 100, "height": 80},
        "reload": True,
    }
    assert replaced(before, {"a": 2}, 100, 80) == {"size": {"width": 100, "height": 80}, "reload": True}
