"""Every kind of event has a model of its payload, and what is recorded has the shape that the model says."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from game.core.schema import ROOT
from game.events.models import event_models
from game.events.payloads import KINDS
from tests.assets.test_router import picture
from tests.conftest import Person

_KIND = re.compile(r"[a-z]+\.([a-z_]+_)?([a-z]+ed|undone|redone|in|out|)")
"""A kind such as `map.moved_in`, or the beginning of one that is put together, such as `character.`"""


def recorded() -> Iterator[tuple[str, str]]:
    """What looks like the kind of an event in the source, or its beginning, and where."""
    subjects = {kind.partition(".")[0] for kind in KINDS}
    for path in sorted((ROOT / "game").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and _KIND.fullmatch(text) and text.partition(".")[0] in subjects:
                yield text, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_each_kind_has_a_model() -> None:
    found = [*recorded()]
    assert len(found) > len(KINDS)
    missing = [(kind, place) for kind, place in found if not any(known.startswith(kind) for known in KINDS)]
    assert missing == [], "say in its models.py what the event tells: @tells, in game/events/payloads.py"


@pytest.fixture
async def player(owner: Person, stranger: Person) -> Person:
    return stranger


async def scene(owner: Person, player: Person) -> str:
    """A universe in which something of everything happened; its id."""
    call = owner.client
    universe = await owner.universe(name="The Marches")
    path = f"/universes/{universe['id']}"

    async def post(path: str, **body: Any) -> dict[str, Any]:
        answer = await call.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json()) if answer.content else {}

    async def patch(path: str, **body: Any) -> None:
        answer = await call.patch(path, json=body)
        assert answer.is_success, answer.text

    invited = await post(f"{path}/invitations", role="player")
    await player.client.post(f"/invitations/{invited['code']}/accept")
    await patch(f"{path}/members/{player.id}", role="spectator")
    await patch(f"{path}/members/{player.id}", role="player")
    spare = await post(f"{path}/invitations", role="spectator")
    await call.delete(f"{path}/invitations/{spare['id']}")
    uploaded = await call.post(f"{path}/assets", files={"file": ("a.png", picture())})
    await call.delete(uploaded.json()["url"])
    legend = [{"symbol": "#", "name": "wall"}, {"symbol": ".", "name": "floor"}]
    grid = {"width": 4, "height": 2, "legend": legend, "layers": [{"name": "g", "rows": ["....", "...."]}]}
    made = await owner.map(universe["id"], visibility="members", grid_data=grid)
    map_path = f"/maps/{made['id']}"
    await patch(path, active_map_id=made["id"], description="Wet.")
    cells = [{"x": 1, "y": 1, "symbol": "#"}]
    await post(f"{map_path}/edits", edits=[{"op": "set", "layer": "g", "cells": cells}])
    wall = {"id": "w", "x1": 0, "y1": 0, "x2": 1, "y2": 0, "blocks_movement": True}
    entity = {"id": "e", "kind": "chest", "x": 0, "y": 0}
    await post(
        f"{map_path}/edits", edits=[{"op": "put_wall", "wall": wall}, {"op": "put_entity", "entity": entity}]
    )
    await post(f"{map_path}/undo")
    await post(f"{map_path}/redo")
    await post(f"{map_path}/edits", edits=[{"op": "resize", "width": 5, "height": 3}])
    await post(f"{map_path}/restore", seq=universe_seq(await events_of(owner, universe["id"]), "map.created"))
    token = await post(f"{map_path}/tokens", name="Ashe", x=1, y=1, bars=[{"name": "hp", "value": 5, "max": 9}])
    await post(f"/tokens/{token['id']}/damage", amount=2)
    await post(f"/tokens/{token['id']}/heal", amount=1)
    await post(f"/tokens/{token['id']}/move", x=2, y=1)
    await post(f"{map_path}/undo")
    await post(f"{map_path}/redo")
    await post(f"{map_path}/edits", edits=[{"op": "resize", "width": 2, "height": 2}])
    await patch(map_path, fog="explored")
    for step in ("reveal", "hide"):
        await post(f"{map_path}/fog/{step}", x=0, y=0, width=2, height=1)
    await patch(map_path, fog="off")
    await patch(f"/tokens/{token['id']}", hidden=True, gm="a mimic")
    await call.delete(f"/tokens/{token['id']}")
    await patch(map_path, name="Cellar", grid_data={**grid, "lights": [{"x": 1, "y": 1, "range": 3}]})
    elsewhere = await owner.universe()
    await patch(map_path, universe_id=elsewhere["id"])
    await patch(map_path, universe_id=universe["id"])
    await call.delete(map_path)
    character = await post(f"{path}/characters", name="Ashe", grants={"members": ["sheet"]}, sheet=HIT_POINTS)
    await post(f"/characters/{character['id']}/damage", amount=3)
    await post(f"/characters/{character['id']}/heal", amount=1)
    await patch(f"/characters/{character['id']}", name="Ash", gm="a spy")
    await call.delete(f"/characters/{character['id']}")
    note = await post(f"{path}/notes", title="A letter", body="Come.", grants={"members": ["see"]})
    await patch(f"/notes/{note['id']}", body="Stay.")
    await call.delete(f"/notes/{note['id']}")
    combatants = [
        {"name": "Goblin", "initiative": 3, "hidden": True},
        {"name": "Ashe", "effects": [{"name": "Bless"}]},
    ]
    encounter = await post(f"{path}/encounters", name="At the well", combatants=combatants)
    for step in ("initiative", "start", "next", "previous", "end"):
        await post(f"/encounters/{encounter['id']}/{step}")
    await patch(f"/encounters/{encounter['id']}", gm="an ambush")
    await call.delete(f"/encounters/{encounter['id']}")
    roll = await post(f"{path}/rolls", expression="2d20kh1+5", reason="Stealth", visibility="game_masters")
    await post(f"/rolls/{roll['id']}/reveal")
    await post(f"{path}/messages", text="Who goes there?")
    await post(f"{path}/owner", user_id=player.id)
    return str(universe["id"])


HIT_POINTS = {"hit_points": {"current": 9, "maximum": 9, "temporary": 0}}


async def events_of(person: Person, universe_id: str) -> list[dict[str, Any]]:
    answer = await person.client.get(f"/universes/{universe_id}/events", params={"limit": 1000})
    return list(answer.json()["items"])


def universe_seq(events: list[dict[str, Any]], kind: str) -> int:
    return int(next(event["seq"] for event in events if event["kind"] == kind))


async def test_events_are_as_their_models_say(owner: Person, player: Person, new_person: Any) -> None:
    shapes = TypeAdapter(event_models())
    universe_id = await scene(owner, player)
    spectator = await new_person()
    invited = await owner.client.post(f"/universes/{universe_id}/invitations", json={"role": "spectator"})
    await spectator.client.post(f"/invitations/{invited.json()['code']}/accept")
    seen = set()
    for person in (owner, spectator):
        for event in await events_of(person, universe_id):
            shapes.validate_python(event)
            fields = {field.alias or name for name, field in KINDS[event["kind"]].model_fields.items()}
            assert event["payload"].keys() <= fields, event
            seen.add(event["kind"])
    rest = {"member.removed", "universe.imported", "universe.deleted"}
    assert seen == KINDS.keys() - rest
