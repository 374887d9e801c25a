"""Hints with events: what a room takes from them, and when it reads the log instead."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from game.events.hints import Hint
from tests.conftest import Person
from tests.live.client import Client
from tests.live.test_maps import token_on
from tests.live.test_router import GRID, bare, log_of, paint
from tests.members.test_router import join

Feed = Callable[..., Awaitable[Client]]


@pytest.fixture
def hints(app: FastAPI) -> Iterator[list[Hint]]:
    """The hints of fast writes, which the rooms do not get."""
    held: list[Hint] = []
    announce, app.state.announce = app.state.announce, held.extend
    yield held
    app.state.announce = announce


async def write(person: Person, map_id: str, token_id: str) -> None:
    """Write two events: an edit and a move."""
    for path, body in (
        (f"/maps/{map_id}/edits", {"edits": paint(0, ".")}),
        (f"/tokens/{token_id}/move", {"path": [{"x": 0, "y": 1}, {"x": 1, "y": 1}]}),
    ):
        answer = await person.client.post(path, json=body)
        assert answer.status_code == 200, answer.text


async def roll(person: Person, universe_id: str) -> None:
    answer = await person.client.post(f"/universes/{universe_id}/rolls", json={"expression": "1d20"})
    assert answer.status_code == 201, answer.text


async def test_in_any_order_and_twice(
    app: FastAPI, owner: Person, stranger: Person, feed: Feed, hints: list[Hint]
) -> None:
    """Each member gets each event once and in order, as the log has it."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
    token = await token_on(owner, made["id"], name="Hero", x=0, y=1)
    # The first roll also creates the series, which is not fast.
    await roll(owner, universe["id"])
    gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
    cursors = [client.welcomes[0]["cursor"] for client in (gm, player)]
    await write(owner, made["id"], token)
    await roll(owner, universe["id"])
    edited, moved, rolled = hints
    assert all(hint.event for hint in hints)
    app.state.live.announce([moved, edited, edited, moved, rolled, rolled])
    for client, person, cursor in zip((gm, player), (owner, stranger), cursors, strict=True):
        logged = bare(await log_of(person, universe["id"], cursor))
        assert [event["kind"] for event in logged] == ["map.edited", "token.moved", "roll.created"]
        await client.until(lambda client=client: len(client.events) >= 3)
        assert bare(client.events) == logged


async def test_only_the_next_event_is_sent_unread(
    app: FastAPI, owner: Person, feed: Feed, hints: list[Hint]
) -> None:
    """Not one after a gap, and not one that was written when other people had access."""
    universe = await owner.universe()
    made = await owner.map(universe["id"], grid_data=GRID)
    token = await token_on(owner, made["id"], name="Hero", x=0, y=1)
    gm = await feed(owner, universe["id"])
    room = app.state.live.rooms[UUID(universe["id"])]
    await write(owner, made["id"], token)
    await room.caught_up()
    last: Any = hints[-1].event
    version = hints[-1].access_version

    def forged(ahead: int, version: int | None) -> Hint:
        """A hint with an event that is not in the log, so that only the hint can be its source."""
        row = json.loads(last)
        row[0] += ahead
        row[5] = json.dumps({"forged": [ahead, version]})
        return Hint(UUID(universe["id"]), version, json.dumps(row))

    assert version is not None
    for hint in (forged(0, version), forged(2, version), forged(1, version + 1), forged(1, None)):
        app.state.live.announce([hint])
        await room.caught_up()
    app.state.live.announce([forged(1, version)])
    await gm.until(lambda: len(gm.events) >= 3)
    assert [event["payload"].get("forged") for event in gm.events] == [None, None, [1, version]]


async def test_a_command_whose_event_is_in_its_hint(
    app: FastAPI, owner: Person, stranger: Person, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event and what it changes in a view come before its response, without a read of the log."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    made = await owner.map(universe["id"], grid_data=GRID, visibility="members", fog="explored")
    sight, grants = {"range": 2, "darkvision": 0}, {stranger.id: ["act"]}
    token = await token_on(owner, made["id"], x=0, y=1, sight=sight, grants=grants)
    gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
    await player.watch(made["id"])
    room = app.state.live.rooms[UUID(universe["id"])]
    await room.caught_up()

    reads = []

    async def check() -> None:
        """The periodic check has the log read if it comes between a commit and its hint."""

    async def step() -> bool:
        reads.append(True)
        return await read()

    read = room._step
    monkeypatch.setattr(room, "_step", step)
    monkeypatch.setattr(app.state.live, "_check", check)
    for x, client, kinds in ((1, gm, ["event", "ack"]), (2, player, ["view", "ack"])):
        await client.command("move", token_id=token, path=[{"x": x, "y": 1}])
        assert client.order[-2:] == kinds
    assert not reads


async def test_of_a_hidden_layer(
    app: FastAPI, owner: Person, stranger: Person, feed: Feed, hints: list[Hint]
) -> None:
    """Players get nothing from hints about what they may not see."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    hidden = {**GRID, "layers": [{**GRID["layers"][0], "visible_to": "game_masters"}]}
    made = [
        await owner.map(universe["id"], grid_data=GRID),
        await owner.map(universe["id"], grid_data=hidden, visibility="members"),
    ]
    gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
    for one in made:
        answer = await owner.client.post(f"/maps/{one['id']}/edits", json={"edits": paint(0, ".")})
        assert answer.status_code == 200, answer.text
    assert all(hint.event for hint in hints)
    app.state.live.announce(hints)
    await gm.until(lambda: len(gm.events) >= 2)
    await app.state.live.rooms[UUID(universe["id"])].caught_up()
    await player.send({"type": "ping"})
    await player.next("pong")
    assert player.events == []
