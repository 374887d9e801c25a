"""A table at which everything happens at random, for a while; then every client is compared with a fresh read."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conftest import Person
from tests.live.client import Client, Refused
from tests.live.test_maps import applied, listed, read, token_on
from tests.live.test_router import GRID, bare, log_of, paint
from tests.members.test_router import join

SIDE = 16
FOGGED = {
    "width": SIDE,
    "height": SIDE,
    "legend": [
        {"symbol": "#", "name": "wall", "blocks_movement": True, "blocks_sight": True},
        {"symbol": ".", "name": "floor"},
    ],
    "layers": [{"name": "ground", "rows": ["." * SIDE] * SIDE}],
    "walls": [{"x1": 8, "y1": 0, "x2": 8, "y2": 12, "blocks_movement": True, "blocks_sight": True}],
}
Seat = tuple[Person, Client]


@dataclass
class Table:
    """A universe with a map of each kind, and the tokens of its players."""

    owner: Person
    universe_id: str
    fogged: str
    maps: list[str]
    heroes: dict[str, str]
    goblins: list[str]


async def lay(owner: Person, people: list[Person]) -> Table:
    """Set the table for some people: every other one has a token on the map with fog, the rest watch."""
    universe_id = (await owner.universe())["id"]
    for number, person in enumerate(people):
        await join(person, owner, universe_id, "spectator" if number % 4 == 3 else "player")
    fogged = (await owner.map(universe_id, grid_data=FOGGED, visibility="members", fog="explored"))["id"]
    shown = (await owner.map(universe_id, grid_data=GRID, visibility="members"))["id"]
    hidden = (await owner.map(universe_id, grid_data=GRID))["id"]
    heroes = {}
    for number, person in enumerate(people[::2]):
        sight, grants = {"range": 4, "darkvision": 0}, {person.id: ["act"]}
        heroes[person.id] = await token_on(owner, fogged, name="Hero", x=number % SIDE, sight=sight, grants=grants)
    goblins = [await token_on(owner, fogged, name="Goblin", x=10 + n, y=8) for n in range(3)]
    return Table(owner, universe_id, fogged, [shown, hidden], heroes, goblins)


def _command(table: Table, person: Person) -> dict[str, Any]:
    """A random command."""
    place = {"x": random.randrange(SIDE), "y": random.randrange(SIDE)}
    if person is not table.owner:
        if person.id in table.heroes and random.random() < 0.7:
            return {"do": "move", "token_id": table.heroes[person.id], **place}
        return random.choice([{"do": "roll", "expression": "d20"}, {"do": "say", "text": "Hear, hear!"}])
    cell = {**place, "symbol": random.choice("...#")}
    return random.choice(
        [
            {"do": "move", "token_id": random.choice(table.goblins), "force": True, **place},
            {
                "do": "edit",
                "map_id": table.fogged,
                "edits": [{"op": "set", "layer": "ground", "cells": [cell]}],
            },
            {
                "do": "edit",
                "map_id": random.choice(table.maps),
                "edits": paint(random.randrange(4), random.choice("#.")),
            },
        ]
    )


async def play(table: Table, seats: list[Seat], seconds: float, disturb: Callable[[float], None]) -> int:
    """Let everybody do something now and then, and lose connections; `disturb` gets the seconds that are left.

    Returns how many commands were carried out.
    """
    end = time.monotonic() + seconds
    done = 0
    problems: dict[int, Any] = {}

    async def act(person: Person, client: Client) -> None:
        nonlocal done
        while time.monotonic() < end:
            try:
                await client.command(**_command(table, person))
                done += 1
            except Refused as refused:
                problems[refused.problem["status"]] = refused.problem
            await asyncio.sleep(random.uniform(0.2, 0.8))

    async def cut() -> None:
        while time.monotonic() < end:
            random.choice(seats)[1].drop()
            goblin, is_hidden = random.choice(table.goblins), random.random() < 0.5
            await table.owner.client.patch(f"/tokens/{goblin}", json={"hidden": is_hidden})
            await asyncio.to_thread(disturb, end - time.monotonic())
            await asyncio.sleep(0.3)

    await asyncio.gather(cut(), *(act(person, client) for person, client in seats))
    # Blocked by a wall; a spectator; too many; the database or the server away.
    assert problems.keys() <= {403, 409, 422, 429, 503}, problems
    return done


async def compare(table: Table, seats: list[Seat]) -> None:
    """Hold what every client knows against a fresh read: events, tokens, and fog."""
    for person, client in seats:
        logged = bare(await log_of(person, table.universe_id, client.welcomes[0]["cursor"]))
        await client.until(lambda client=client, logged=logged: len(client.events) >= len(logged))
        assert bare(client.events) == logged
        if person is table.owner:
            continue
        tokens, fog = await listed(person, table.fogged), await read(person, f"/maps/{table.fogged}/fog")

        def is_same(client: Client = client, tokens: Any = tokens, fog: Any = fog) -> bool:
            known = sorted(applied(client, table.fogged).values(), key=lambda token: token["id"])
            return known == tokens and fog_of(client, table.fogged) == fog["rows"]

        await client.until(is_same)


def fog_of(client: Client, map_id: str) -> list[str]:
    """The fog that a client knows by the last map and the views since."""
    rows: list[str] = []
    for message in client.messages:
        if message.get("map_id") != map_id:
            continue
        if message["type"] == "map":
            rows = list(message["fog"]["rows"])
        elif region := message.get("region"):
            for y, part in enumerate(region["fog"], region["y"]):
                rows[y] = rows[y][: region["x"]] + part + rows[y][region["x"] + len(part) :]
    return rows
