"""Maps with secrets in every place that can hold one; each secret holds MARK, and nothing else does."""

from typing import Any

import orjson
from hypothesis import strategies as st

from tests.grid.grids import documents

MARK = "\ue5ec"
"""A symbol of the private use area, so that it can also be a secret cell, or stand in any text."""

WITHHELD = ("gm", "tiled", "ldtk", "uvtt")

secrets = st.dictionaries(st.sampled_from(WITHHELD), st.sampled_from([MARK, {"deep": [MARK]}, [MARK]]), max_size=2)
hidden = st.sampled_from([{}, {}, {"hidden": False}, {"hidden": True}])


def marked(thing: dict[str, Any], number: int) -> dict[str, Any]:
    """A thing with a mark in it if it is hidden."""
    return {**thing, "name": MARK, "id": f"{MARK}{number}"} if thing.get("hidden") else thing


def is_marked(thing: dict[str, Any]) -> bool:
    """Whether there is a mark in what players may get of a thing that is not hidden."""
    return MARK in orjson.dumps({key: value for key, value in thing.items() if key not in WITHHELD}).decode()


@st.composite
def secret_worlds(draw: st.DrawFn, width: int = 7, height: int = 6) -> dict[str, Any]:
    """Documents of `grids.documents` with secrets."""
    document = draw(documents(width, height))
    document["legend"].append({"symbol": MARK, "blocks_sight": draw(st.booleans()), "name": MARK})
    document["layers"].append({"name": MARK, "visible_to": "game_masters", "rows": [MARK * width] * height})
    draw(st.randoms(use_true_random=False)).shuffle(document["layers"])
    cell = {"x": st.integers(0, width - 1), "y": st.integers(0, height - 1)}
    document["entities"] = [
        {"id": f"e{n}", "kind": "trap", **draw(st.fixed_dictionaries(cell)), **draw(hidden)}
        for n in range(draw(st.integers(0, 4)))
    ]
    document["lights"] = [
        {
            "x": draw(st.integers(0, 2 * width)) / 2,
            "y": draw(st.integers(0, 2 * height)) / 2,
            "range": draw(st.integers(0, 4)),
            **draw(hidden),
        }
        for _ in range(draw(st.integers(0, 3)))
    ]
    for wall in document["walls"]:
        wall |= {"name": MARK, "properties": {"note": MARK}, **draw(hidden)}
        wall |= draw(st.sampled_from([{}, {}, {"blocks_sight": False}, {"blocks_movement": False}]))
    for n, door in enumerate(document["doors"]):
        door |= {"id": f"d{n}", "properties": {"wood": "oak"}, **draw(hidden)}
        if draw(st.booleans()):
            door["secret"] = draw(st.booleans())
        if door.get("secret") and door["state"] != "open":
            door |= {"id": f"d{n}{MARK}", "properties": {"wood": MARK}}
    for name in ("legend", "layers", "entities", "lights", "walls", "doors"):
        document[name] = [{**thing, **draw(secrets)} for thing in document[name]]
        if name not in ("legend", "layers"):
            document[name] = [marked(thing, number) for number, thing in enumerate(document[name])]
        if not document[name] and draw(st.booleans()):
            del document[name]
    if draw(st.booleans()):
        document["background"] = {"asset_id": "a", "x": 0, "y": 0, **draw(secrets)}
    return {**document, **draw(secrets), "mood": {"gm": "a key of the game's own"}}
