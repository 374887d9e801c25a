"""Watched maps, and signals: what each member is shown, and nothing of what they do not see."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from game.core.database import USER
from game.fog import views
from game.grid.fogged_view import FoggedView
from game.live import snapshots
from game.live.frames import LoggedEvent
from game.tokens.queries import OPEN, SHEET
from tests.conftest import Person
from tests.live.client import Client
from tests.live.test_router import GRID, Feed, NewPerson, paint
from tests.members.test_router import join


async def token_on(owner: Person, map_id: str, **fields: Any) -> str:
    body = {"name": "Goblin", "x": 0, "y": 1, **fields}
    answer = await owner.client.post(f"/maps/{map_id}/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def listed(person: Person, map_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await person.client.get(f"/maps/{map_id}/tokens")).json()["items"]
    return items


async def quiet(*clients: Client) -> None:
    """Wait until everything that was sent so far has come."""
    for client in clients:
        count = len(client.of("pong"))
        await client.send({"type": "ping"})
        await client.next("pong", count + 1)


def applied(client: Client, map_id: str) -> dict[str, dict[str, Any]]:
    """The tokens that a client knows by the last map and the views since."""
    known: dict[str, dict[str, Any]] = {}
    for message in client.messages:
        if message.get("map_id") != map_id:
            continue
        if message["type"] == "map":
            known = {token["id"]: token for token in message["tokens"]}
        elif message["type"] == "view":
            known |= {token["id"]: token for token in message.get("shown", ())}
            for moved in message.get("moved", ()):
                known[moved["id"]] = {**known[moved["id"]], "x": moved["x"], "y": moved["y"]}
            for gone in message.get("gone", ()):
                known.pop(gone, None)
    return known


def followed(client: Client, map_id: str) -> dict[str, dict[str, Any]]:
    """The changeable fields of tokens, as a client knows them by the last map, and the events and views since."""
    known: dict[str, dict[str, Any]] = {}
    events, others = iter(client.events), iter(client.messages)
    for kind in client.order:
        if kind == "welcome":
            continue
        message = next(events if kind == "event" else others)
        if kind == "event" and message["payload"].get("map_id") == map_id:
            if message["kind"] == "token.deleted":
                known.pop(message["subject_id"], None)
            else:
                known.setdefault(message["subject_id"], {"grants": {}}).update(message["payload"])
        elif kind == "map" and message["map_id"] == map_id:
            known = {token["id"]: {**token} for token in message["tokens"]}
        elif kind == "view" and message["map_id"] == map_id:
            known |= {token["id"]: {**token} for token in message.get("shown", ())}
            for moved in message.get("moved", ()):
                known[moved["id"]].update(x=moved["x"], y=moved["y"])
            for gone in message.get("gone", ()):
                known.pop(gone, None)
    return {token_id: changeable(token) for token_id, token in known.items()}


def changeable(token: dict[str, Any]) -> dict[str, Any]:
    return {name: token[name] for name in (*OPEN, *SHEET, "bars", "grants") if name in token}


class TestWatch:
    async def test_a_map_without_fog(self, owner: Person, stranger: Person, feed: Feed) -> None:
        """Tokens come and go as they are shown and hidden; what is an event for a player is no view."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
        shown = await token_on(owner, made["id"], name="Shown")
        hidden = await token_on(owner, made["id"], name="Hidden", hidden=True)
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        for client, person in ((gm, owner), (player, stranger)):
            await client.send({"type": "watch", "map_id": made["id"]})
            message = await client.next("map")
            assert message["tokens"] == await listed(person, made["id"])
            assert ("version" in message) == (person is owner)
        assert hidden not in str(player.messages)
        for token_id, is_hidden in ((hidden, False), (shown, True), (hidden, True), (shown, False)):
            path = f"/tokens/{token_id}"
            assert (await owner.client.patch(path, json={"hidden": is_hidden})).status_code == 200
            tokens = await listed(stranger, made["id"])
            await player.until(lambda tokens=tokens: list(applied(player, made["id"]).values()) == tokens)
        kinds = [{*view} - {"type", "map_id"} for view in player.of("view")]
        assert kinds == [{"shown"}, {"gone"}, {"gone"}, {"shown"}]
        # An event, and no view.
        assert (await owner.client.patch(f"/tokens/{shown}", json={"name": "Renamed"})).status_code == 200
        # Neither: it is hidden.
        assert (await owner.client.patch(f"/tokens/{hidden}", json={"name": "Secret"})).status_code == 200
        await gm.until(lambda: gm.events[-1]["payload"].get("name") == "Secret")
        await quiet(player)
        assert player.events[-1]["payload"]["name"] == "Renamed"
        assert len(player.of("view")) == 4
        assert "Secret" not in str(player.messages) + str(player.events)
        assert gm.of("view") == []
        grants = {stranger.id: ["see"]}
        assert (await owner.client.patch(f"/tokens/{hidden}", json={"grants": grants})).status_code == 200
        await player.next("map", 2)
        assert list(applied(player, made["id"]).values()) == await listed(stranger, made["id"])
        assert (await owner.client.patch(f"/maps/{made['id']}", json={"visibility": "game_masters"})).is_success
        await player.until(lambda: applied(player, made["id"]) == {})

    async def test_what_is_hidden_after_an_event(self, owner: Person, stranger: Person, feed: Feed) -> None:
        """It is gone for players, who know it by events since they watch; what is deleted needs no view."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
        moved, deleted = [await token_on(owner, made["id"]) for _ in range(2)]
        player = await feed(stranger, universe["id"])
        await player.send({"type": "watch", "map_id": made["id"]})
        await player.next("map")
        place = {"x": 1, "y": 1, "force": True}
        assert (await owner.client.post(f"/tokens/{moved}/move", json=place)).status_code == 200
        assert (await owner.client.delete(f"/tokens/{deleted}")).status_code == 204
        created = await token_on(owner, made["id"])
        await player.until(lambda: [one["subject_id"] for one in player.events[-3:]] == [moved, deleted, created])
        for token_id in (moved, created):
            assert (await owner.client.patch(f"/tokens/{token_id}", json={"hidden": True})).status_code == 200
            await player.until(lambda token_id=token_id: [token_id] in [one["gone"] for one in player.of("view")])
        assert len(player.of("view")) == 2

    async def test_what_changes_after_an_event(self, owner: Person, stranger: Person, feed: Feed) -> None:
        """A token that players know by an event: what they may see of later changes, and nothing of the others."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
        body = {"name": "Goblin", "sheet": {"hit_points": {"current": 5, "maximum": 9}}}
        path = f"/universes/{universe['id']}/characters"
        character = (await owner.client.post(path, json=body)).json()["id"]
        goblin = await token_on(owner, made["id"], character_id=character)
        player = await feed(stranger, universe["id"])
        await player.watch(made["id"])

        async def move(x: int) -> None:
            count = len(player.events) + 1
            place = {"x": x, "y": 1, "force": True}
            assert (await owner.client.post(f"/tokens/{goblin}/move", json=place)).status_code == 200
            await player.until(lambda: len(player.events) == count)

        async def patch(path: str, **fields: Any) -> None:
            answer = await owner.client.patch(path, json=fields)
            assert answer.status_code == 200, answer.text

        gm = await feed(owner, universe["id"])
        await move(1)
        await patch(f"/tokens/{goblin}", gm={"plan": "flee"})
        await patch(f"/characters/{character}", gm={"plan": "flee"})
        await gm.until(lambda: gm.events[-1]["kind"] == "character.updated")
        await quiet(player)
        assert player.of("view") == []
        await patch(f"/tokens/{goblin}", grants={stranger.id: ["sheet"]})
        await player.next("map", 2)
        assert list(applied(player, made["id"]).values()) == await listed(stranger, made["id"])
        await move(2)
        await patch(f"/characters/{character}", sheet={"hit_points": {"current": 3}})
        await player.next("view")
        assert list(applied(player, made["id"]).values()) == await listed(stranger, made["id"])
        assert [one["bars"][0]["value"] for one in player.of("view")[0]["shown"]] == [3]

    async def test_what_an_event_for_all_leaves_out(self, owner: Person, stranger: Person, feed: Feed) -> None:
        """Whoever may read the sheet of a token gets the rest in a view; the others get no more than the event."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
        path = f"/universes/{universe['id']}/characters"
        body = {"name": "Goblin", "sheet": {"hit_points": {"current": 5, "maximum": 9}}}
        character = (await owner.client.post(path, json=body)).json()["id"]
        sheet, sight = {stranger.id: ["sheet"]}, {"range": 2, "darkvision": 0}
        mine = await token_on(owner, made["id"], grants=sheet)
        other = await token_on(owner, made["id"], character_id=character)
        player = await feed(stranger, universe["id"])
        await player.watch(made["id"])

        def bars(public: int, private: int) -> list[dict[str, Any]]:
            return [
                {"name": "shield", "value": public, "max": 9, "public": True},
                {"name": "life", "value": private, "max": 9, "public": False},
            ]

        async def is_followed() -> bool:
            # It is answered after all that came before has been sent.
            await player.command("say", text="What else?")
            expected = {token["id"]: changeable(token) for token in await listed(stranger, made["id"])}
            return followed(player, made["id"]) == expected

        assert await is_followed()
        for fields in (
            {"name": "One", "sight": sight},
            {"name": "Two", "bars": bars(9, 9)},
            {"bars": bars(8, 8)},
            {"name": "Three", "bars": bars(8, 7)},
            {"name": "Four", "properties": {"speed": 1}},
            {"name": "Five", "character_id": character},
            {"name": "Six", "bars": []},
        ):
            count = len(player.of("view"))
            for token in (mine, other):
                assert (await owner.client.patch(f"/tokens/{token}", json=fields)).status_code == 200
            assert await is_followed(), fields
            assert [[token["id"] for token in view["shown"]] for view in player.of("view")[count:]] == [[mine]]
        assert (await owner.client.patch(f"/tokens/{mine}", json={"bars": bars(9, 9)})).status_code == 200
        assert (await owner.client.post(f"/tokens/{mine}/damage", json={"amount": 1})).status_code == 200
        assert await is_followed()
        assert player.events[-2]["kind"] == "token.damaged"
        for fields in ({}, {"sight": sight}, {"sight": sight, "grants": sheet}, {"bars": bars(1, 1)}):
            await token_on(owner, made["id"], **fields)
            assert await is_followed(), fields
        fields = {"name": "Eight", "grants": sheet}
        assert (await owner.client.patch(f"/tokens/{other}", json=fields)).status_code == 200
        await player.next("map", 2)
        assert await is_followed()
        bare = await token_on(owner, made["id"], character_id=character, bars=bars(1, 1))
        assert (await owner.client.patch(f"/characters/{character}", json={"grants": sheet})).status_code == 200
        assert await is_followed()
        assert "sight" in followed(player, made["id"])[bare]

    async def test_what_cannot_be_watched(self, owner: Person, stranger: Person, feed: Feed) -> None:
        universe, elsewhere = await owner.universe(), await owner.universe()
        await join(stranger, owner, universe["id"])
        hidden = await owner.map(universe["id"], grid_data=GRID)
        other = await owner.map(elsewhere["id"])
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        for client, map_id in ((player, hidden["id"]), (player, universe["id"]), (gm, other["id"])):
            count = len(client.of("error"))
            await client.send({"type": "watch", "map_id": map_id})
            assert (await client.next("error", count + 1))["problem"]["code"] == "NOT_FOUND"
        maps = [(await owner.map(universe["id"]))["id"] for _ in range(9)]
        for map_id in maps:
            await gm.send({"type": "watch", "map_id": map_id})
        assert (await gm.next("error", 2))["problem"]["code"] == "TOO_MANY_WATCHED"
        await gm.send({"type": "unwatch", "map_id": maps[0]})
        await gm.send({"type": "watch", "map_id": maps[8]})
        await gm.next("map", 9)
        # Deleted maps do not count.
        for map_id in maps[1:]:
            assert (await owner.client.delete(f"/maps/{map_id}")).status_code == 204
        await gm.command("say", text="They are gone.")
        await gm.watch(maps[0])
        assert gm.of("view") == []

    async def test_another_role_while_a_map_is_read(
        self, app: FastAPI, owner: Person, stranger: Person, feed: Feed
    ) -> None:
        """The other watched maps are sent again, too."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        maps = [await owner.map(universe["id"], grid_data=GRID, visibility="members") for _ in range(2)]
        first, second = (made["id"] for made in maps)
        hidden = await token_on(owner, first, hidden=True)
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        assert (await player.watch(first))["tokens"] == []
        room = app.state.live.rooms[UUID(universe["id"])]
        [session] = [one for one in room.sessions if str(one.user_id) == stranger.id]
        # As while another map is read for it.
        async with session.watching:
            room.leave(session)
            path = f"/universes/{universe['id']}/members/{stranger.id}"
            assert (await owner.client.patch(path, json={"role": "game_master"})).status_code == 200
            # It is answered after the room has read the event.
            await gm.command("say", text="Welcome behind the screen.")
            await room.join(session)
        await player.send({"type": "watch", "map_id": second})
        await player.until(lambda: len(player.of("map")) == 3)
        again = player.of("map")[-1]
        assert [again["map_id"], *(token["id"] for token in again["tokens"])] == [first, hidden]
        assert "version" in again

    async def test_fog_while_another_map_is_read(
        self, app: FastAPI, owner: Person, stranger: Person, feed: Feed
    ) -> None:
        """The map that got fog is sent again, even if the other one does not exist."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
        player = await feed(stranger, universe["id"])
        await player.watch(made["id"])
        room = app.state.live.rooms[UUID(universe["id"])]
        [session] = room.sessions
        for number, fog in enumerate(("sight", "explored", "off"), 1):
            # As while another map is read for it.
            async with session.watching:
                room.leave(session)
                answer = await owner.client.patch(f"/maps/{made['id']}", json={"fog": fog})
                assert answer.status_code == 200, answer.text
                await room.caught_up()
                await room.join(session)
            await player.send({"type": "watch", "map_id": stranger.id})
            await player.next("error", number)
            again = await player.next("map", number + 1)
            assert again.get("fog", {"mode": "off"})["mode"] == fog

    async def test_a_crowd_at_once(self, app: FastAPI, owner: Person, stranger: Person, feed: Feed) -> None:
        """More sockets than the pool has connections watch a map while requests hold all of these."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members", fog="explored")
        await token_on(owner, made["id"], sight={"range": 3, "darkvision": 0}, grants={"members": ["sight"]})
        count = app.state.settings.database_pool_size
        crowd = [await feed(person, universe["id"]) for person in (owner, stranger) for _ in range(count)]
        # They are of nobody, who has no share: in tests, requests leave their user in the context.
        USER.set(None)
        async with AsyncExitStack() as stack:
            for _ in range(count):
                await stack.enter_async_context(app.state.database.engine.connect())
            maps = await asyncio.gather(*(client.watch(made["id"]) for client in crowd))
        assert [len(one["tokens"]) for one in maps] == [1] * len(crowd)
        assert not any(client.codes for client in crowd)

    async def test_nothing_falls_between(self, owner: Person, feed: Feed) -> None:
        """Events before a map's cursor come before it, and those behind it behind it, while much happens."""
        universe = await owner.universe()
        made = await owner.map(universe["id"], grid_data=GRID)
        gm = await feed(owner, universe["id"])
        working = asyncio.create_task(_paint(owner, made["id"], 60))
        for _ in range(10):
            await gm.send({"type": "watch", "map_id": made["id"]})
            await asyncio.sleep(0.02)
        await working
        await gm.next("map", 10)
        await gm.until(lambda: len(gm.events) == 60)
        version, maps = made["version"], iter(gm.of("map"))
        for kind in gm.order:
            if kind == "map":
                assert next(maps)["version"] == version
            elif kind == "event":
                version += 1


async def _paint(owner: Person, map_id: str, times: int) -> None:
    for number in range(times):
        body = {"edits": paint(0, ".#"[number % 2])}
        assert (await owner.client.post(f"/maps/{map_id}/edits", json=body)).status_code == 200


class TestSignals:
    async def test_recipients(self, owner: Person, stranger: Person, feed: Feed) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        shown = await owner.map(universe["id"], grid_data=GRID, visibility="members")
        hidden = await owner.map(universe["id"], grid_data=GRID)
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        await player.send({"type": "signal", "name": "typing", "data": {"in": "chat"}})
        typing = {"type": "signal", "user_id": stranger.id, "name": "typing", "data": {"in": "chat"}}
        assert await gm.next("signal") == typing
        for number, made in enumerate((hidden, shown)):
            place = {"map_id": made["id"], "x": 1.5, "y": 0}
            await gm.send({"type": "signal", "name": "pointer", **place, "data": number})
        pointer = {"type": "signal", "user_id": owner.id, "name": "pointer", **place, "data": 1}
        assert await player.next("signal") == pointer
        await player.send({"type": "signal", "name": "pointer", "map_id": hidden["id"], "data": None})
        assert (await player.next("error"))["problem"]["code"] == "NOT_FOUND"
        assert hidden["id"] not in str(player.messages)
        assert len(gm.of("signal")) == 1

    async def test_too_many_and_by_a_spectator(self, owner: Person, stranger: Person, feed: Feed) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"], "spectator")
        gm, spectator = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        await spectator.send({"type": "signal", "name": "typing", "data": None})
        assert (await spectator.next("error"))["problem"]["code"] == "FORBIDDEN"
        for _ in range(40):
            await gm.send({"type": "signal", "name": "typing", "data": None})
        assert (await gm.next("error"))["problem"]["code"] == "RATE_LIMITED"
        await spectator.until(lambda: len(spectator.of("signal")) >= 20)


class TestFog:
    async def test_what_comes_into_sight(self, owner: Person, stranger: Person, feed: Feed) -> None:
        """Tokens, cells and doors as they are seen and no longer seen; of all else not a byte."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        grid = {
            "width": 20,
            "height": 3,
            "legend": [{"symbol": "#", "name": "wall"}, {"symbol": ".", "name": "floor"}],
            "layers": [{"name": "ground", "rows": ["." * 20] * 3}],
        }
        made = await owner.map(universe["id"], grid_data=grid, visibility="members", fog="explored")
        path = f"/maps/{made['id']}"
        sight = {"range": 3, "darkvision": 0}
        hero = await token_on(owner, made["id"], name="Hero", sight=sight, grants={stranger.id: ["act"]})
        goblin = await token_on(owner, made["id"], name="Goblin", x=15)
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        await player.send({"type": "watch", "map_id": made["id"]})
        first = await player.next("map")
        fog = [list(row) for row in first["fog"]["rows"]]
        cells = [[" "] * 20 for _ in range(3)]
        assert [token["id"] for token in first["tokens"]] == [hero]
        assert first["fog"] == {"mode": "explored", "rows": (await read(stranger, path + "/fog"))["rows"]}

        async def move(token_id: str, x: int) -> None:
            answer = await owner.client.patch(f"/tokens/{token_id}", json={"x": x})
            assert answer.status_code == 200, answer.text

        seen = len(player.messages)
        for x in (14, 13, 12):
            await move(goblin, x)
        edits = [{"op": "set", "layer": "ground", "cells": [{"x": 18, "y": 0, "symbol": "#"}]}]
        await gm.command("edit", map_id=made["id"], edits=edits)
        # Nothing of it is to be seen: nothing was sent.
        await quiet(gm, player)
        assert {message["type"] for message in player.messages[seen:]} == {"pong"}
        await move(goblin, 2)
        await player.until(lambda: goblin in applied(player, made["id"]))
        await move(goblin, 3)
        await player.until(lambda: any("moved" in view for view in player.of("view")))
        await move(goblin, 15)
        await player.until(lambda: goblin not in applied(player, made["id"]))
        edits = [{"op": "set", "layer": "ground", "cells": [{"x": 1, "y": 0, "symbol": "#"}]}]
        await gm.command("edit", map_id=made["id"], edits=edits)
        await move(hero, 16)
        await move(hero, 5)
        tokens, rows = await listed(stranger, made["id"]), (await read(stranger, path + "/fog"))["rows"]
        await player.until(lambda: list(applied(player, made["id"]).values()) == tokens)
        await quiet(gm, player)
        for view in player.of("view"):
            region = view.get("region")
            for y, row in enumerate(region["fog"] if region else ()):
                for x, symbol in enumerate(row):
                    fog[region["y"] + y][region["x"] + x] = symbol
                    cells[region["y"] + y][region["x"] + x] = region["layers"][0]["rows"][y][x]
        assert ["".join(row) for row in fog] == rows
        document = (await read(stranger, path))["grid_data"]["layers"][0]["rows"]
        shown = ["".join(row) for row in cells]
        # What was in sight from the beginning was read, and only one cell of it changed.
        assert shown[0][4:] == document[0][4:]
        assert shown[0][1] == document[0][1] == "#"
        assert not any(event["kind"].startswith(("token.", "map.edited")) for event in player.events)
        assert all("seq" not in message for message in player.messages)

        await player.send({"type": "unwatch", "map_id": made["id"]})
        for x in (0, 19):
            await gm.send({"type": "signal", "name": "ping", "map_id": made["id"], "x": x, "y": 1, "data": None})
        await gm.send({"type": "signal", "name": "ping", "map_id": made["id"], "x": 5, "y": 1, "data": "here"})
        signal = await player.next("signal")
        assert signal["data"] == "here"
        assert player.of("signal") == [signal]

    async def test_what_fog_does_not_hide(self, owner: Person, stranger: Person, feed: Feed) -> None:
        """A new size, grid or layer is a new map, since players get no event. What they do not see is nothing."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members", fog="explored")
        sight, grants = {"range": 1, "darkvision": 0}, {stranger.id: ["act"]}
        await token_on(owner, made["id"], sight=sight, grants=grants)
        player = await feed(stranger, universe["id"])
        await player.watch(made["id"])

        async def edit(edit: dict[str, Any]) -> list[str]:
            count = len(player.messages)
            answer = await owner.client.post(f"/maps/{made['id']}/edits", json={"edits": [edit]})
            assert answer.status_code == 200, answer.text
            # It is answered after all that came before has been sent.
            await player.command("say", text="What else?")
            return [message["type"] for message in player.messages[count:]]

        for shown in (
            {"op": "resize", "width": 20, "height": 4},
            {"op": "resize", "width": 4, "height": 2},
            {"op": "update_map", "changes": {"cell_distance": 10, "gm": "A trap."}},
            {"op": "add_layer", "layer": {"name": "roof", "rows": ["    "] * 2}},
            {"op": "update_layer", "name": "roof", "changes": {"opacity": 0.5}},
        ):
            assert await edit(shown) == ["map", "ack"], shown
            rows = (await read(stranger, f"/maps/{made['id']}/fog"))["rows"]
            assert player.of("map")[-1]["fog"]["rows"] == rows
        for hidden in (
            {"op": "update_map", "changes": {"gm": "No trap."}},
            {"op": "add_layer", "layer": {"name": "lair", "rows": ["    "] * 2, "visible_to": "game_masters"}},
            {"op": "update_layer", "name": "lair", "changes": {"opacity": 0.5}},
        ):
            assert await edit(hidden) == ["ack"], hidden
        assert player.codes == []

    async def test_a_legend_entry_that_changes(self, owner: Person, stranger: Person, feed: Feed) -> None:
        """It is a new map if a cell has it that they see or remember: remembered cells have its present name."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        legend = [{"symbol": symbol, "name": symbol} for symbol in "agu"]
        layers = [{"name": "ground", "rows": ["aaa" + "g" * 16 + "u"]}]
        grid = {"width": 20, "height": 1, "legend": legend, "layers": layers}
        made = await owner.map(universe["id"], grid_data=grid, visibility="members", fog="explored")
        path = f"/maps/{made['id']}"
        sight, grants = {"range": 1, "darkvision": 0}, {stranger.id: ["act"]}
        hero = await token_on(owner, made["id"], y=0, sight=sight, grants=grants)
        player = await feed(stranger, universe["id"])
        answer = await owner.client.patch(f"/tokens/{hero}", json={"x": 10})
        assert answer.status_code == 200, answer.text
        await player.watch(made["id"])
        known = (await read(stranger, path))["grid_data"]
        assert known["layers"][0]["rows"] == ["aa       ggg        "]

        async def change(**entry: Any) -> list[str]:
            count = len(player.messages)
            edit = {"op": "update_legend", "legend": [entry]}
            answer = await owner.client.post(f"{path}/edits", json={"edits": [edit]})
            assert answer.status_code == 200, answer.text
            # It is answered after all that came before has been sent.
            await player.command("say", text="What else?")
            return [message["type"] for message in player.messages[count:]]

        for entry, sent in (
            ({"symbol": "a", "name": "ash"}, ["map", "ack"]),
            ({"symbol": "g", "name": "grass", "color": "#00ff00"}, ["map", "ack"]),
            ({"symbol": "g", "name": "grass", "color": "#00ff00", "gm": "It grows."}, ["ack"]),
            ({"symbol": "u", "name": "urn"}, ["ack"]),
            ({"symbol": "x", "name": "nothing"}, ["ack"]),
        ):
            assert await change(**entry) == sent, entry
            # What is read after each `map` stays true.
            if "map" in sent:
                known = (await read(stranger, path))["grid_data"]
            assert (await read(stranger, path))["grid_data"] == known
        assert [entry["name"] for entry in known["legend"]] == ["ash", "grass"]

    async def test_what_several_see_alike_is_made_once(
        self, owner: Person, new_person: NewPerson, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Frames of events for each form, and views for each group of members that sees the same."""
        universe = await owner.universe()
        players = [await new_person() for _ in range(3)]
        for player in players:
            await join(player, owner, universe["id"])
        layers = [{"name": "ground", "rows": ["." * 20]}]
        grid = {"width": 20, "height": 1, "legend": [{"symbol": ".", "name": "floor"}], "layers": layers}
        made = await owner.map(universe["id"], grid_data=grid, visibility="members", fog="explored")
        sight = {"range": 2, "darkvision": 0}
        hero = await token_on(owner, made["id"], y=0, sight=sight, grants={"members": ["sight"]})
        # One has two sockets.
        gms = [await feed(owner, universe["id"]) for _ in range(2)]
        clients = [await feed(player, universe["id"]) for player in (*players, players[0])]
        made_of: Counter[str] = Counter()

        def count(of: Any, name: str) -> None:
            original = getattr(of, name)

            def counting(*arguments: Any) -> Any:
                made_of[name] += 1
                return original(*arguments)

            monkeypatch.setattr(of, name, counting)

        count(LoggedEvent, "_parts")
        count(views, "compute")
        count(snapshots, "part_of")
        count(FoggedView, "fog")
        for client in clients:
            await client.watch(made["id"])
        # The region in sight has the fog, too.
        assert made_of == {"compute": 1, "part_of": 1, "fog": 2}
        for sharing, groups in (("party", 1), ("each", 3)):
            maps = [len(client.of("map")) for client in clients]
            answer = await owner.client.patch(f"/maps/{made['id']}", json={"fog_sharing": sharing})
            assert answer.status_code == 200, answer.text
            # It is "party" from the beginning.
            if sharing == "each":
                for client, number in zip(clients, maps, strict=True):
                    await client.next("map", number + 1)
            await quiet(*gms, *clients)
            made_of.clear()
            seen = [len(client.of("view")) for client in clients]
            answer = await owner.client.patch(f"/tokens/{hero}", json={"x": 5 * groups})
            assert answer.status_code == 200, answer.text
            for client, number in zip(clients, seen, strict=True):
                view = await client.next("view", number + 1)
                assert view["region"]["fog"][0].count("2") == 5
            # Players do not get the event.
            assert made_of == {"_parts": 1, "compute": groups, "part_of": 2 * groups, "fog": 2 * groups}
            made_of.clear()
            counts = [len(client.events) for client in (*gms, *clients)]
            await gms[0].command("say", text="Hear, hear!")
            for client, number in zip((*gms, *clients), counts, strict=True):
                await client.until(lambda client=client, number=number: len(client.events) == number + 1)
            assert made_of == {"_parts": 2}

    async def test_a_map_that_changes_whenever_it_is_read(
        self, app: FastAPI, owner: Person, stranger: Person, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those who watch it get what is new all the same, and signals do not wait until nobody changes it."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        layers = [{"name": "ground", "rows": ["." * 20]}]
        legend = [{"symbol": symbol, "name": symbol} for symbol in ".#"]
        grid = {"width": 20, "height": 1, "legend": legend, "layers": layers}
        made = await owner.map(universe["id"], grid_data=grid, visibility="members", fog="explored")
        path = f"/maps/{made['id']}"
        sight, grants = {"range": 2, "darkvision": 0}, {stranger.id: ["act"]}
        hero = await token_on(owner, made["id"], y=0, sight=sight, grants=grants)
        goblin = await token_on(owner, made["id"], x=19, y=0)
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        read_grid, is_busy, symbols = snapshots.board_of, True, cycle("#.")

        async def changed_before(*arguments: Any) -> Any:
            if is_busy:
                edit = {"op": "set", "layer": "ground", "cells": [{"x": 10, "y": 0, "symbol": next(symbols)}]}
                assert (await owner.client.post(f"{path}/edits", json={"edits": [edit]})).status_code == 200
            return await read_grid(*arguments)

        monkeypatch.setattr(snapshots, "board_of", changed_before)
        first = await player.watch(made["id"])
        assert [token["id"] for token in first["tokens"]] == [hero]
        assert first["fog"]["rows"] == ["222" + "0" * 17]
        answer = await owner.client.patch(f"/tokens/{goblin}", json={"x": 1})
        assert answer.status_code == 200, answer.text
        await player.until(lambda: goblin in applied(player, made["id"]))
        await gm.send({"type": "signal", "name": "ping", "map_id": made["id"], "x": 1, "y": 0, "data": None})
        await quiet(gm, player)
        is_busy = False
        await app.state.live.rooms[UUID(universe["id"])].caught_up()
        await quiet(player)
        assert list(applied(player, made["id"]).values()) == await listed(stranger, made["id"])
        assert player.codes == []

    async def test_only_the_part_of_a_way_that_was_seen(
        self, app: FastAPI, owner: Person, stranger: Person, feed: Feed
    ) -> None:
        """Moves are one view: nothing of those that were hidden, or in cells that came into sight later."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        layers = [{"name": "ground", "rows": ["." * 20] * 3}]
        grid = {"width": 20, "height": 3, "legend": [{"symbol": ".", "name": "floor"}], "layers": layers}
        made = await owner.map(universe["id"], grid_data=grid, visibility="members", fog="sight")
        sight = {"range": 5, "darkvision": 0}
        hero = await token_on(owner, made["id"], name="Hero", sight=sight, grants={stranger.id: ["act"]})
        hidden, far = [await token_on(owner, made["id"], name="Goblin") for _ in range(2)]
        player = await feed(stranger, universe["id"])
        await player.watch(made["id"])
        room = app.state.live.rooms[UUID(universe["id"])]

        async def move(token_id: str, x: int) -> None:
            answer = await owner.client.post(f"/tokens/{token_id}/move", json={"x": x, "y": 1})
            assert answer.status_code == 200, answer.text

        async def hide(*, is_hidden: bool) -> None:
            answer = await owner.client.patch(f"/tokens/{hidden}", json={"hidden": is_hidden})
            assert answer.status_code == 200, answer.text

        # The room reads all of it at once.
        room._task = asyncio.get_running_loop().create_future()
        await move(hidden, 1)
        await hide(is_hidden=True)
        await move(hidden, 3)
        await hide(is_hidden=False)
        await move(hidden, 4)
        for token_id, x in ((far, 7), (far, 5), (hero, 3)):
            await move(token_id, x)
        room._task = None
        await room.caught_up()
        [view] = [view for view in player.of("view") if "moved" in view] or [await player.next("view")]
        ways = {one["id"]: [cell["x"] for cell in one["cells"]] for one in view["moved"]}
        assert ways == {hidden: [0, 1, 3, 4], far: [0, 1, 2, 3, 4, 5, 5], hero: [0, 1, 2, 3]}


async def read(person: Person, path: str) -> dict[str, Any]:
    answer = await person.client.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
