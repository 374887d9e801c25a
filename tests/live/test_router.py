"""Connecting, events, resuming, and how sockets are closed: on a real socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from game.core.settings import Settings
from tests.conftest import PASSWORD, PATIENCE_SECONDS, Person
from tests.live.client import Client, Refused
from tests.members.test_router import join

Feed = Callable[..., Awaitable[Client]]
NewPerson = Callable[..., Awaitable[Person]]
GRID = {
    "width": 4,
    "height": 2,
    "legend": [{"symbol": "#", "name": "wall"}, {"symbol": ".", "name": "floor"}],
    "layers": [{"name": "ground", "rows": ["####", "...."]}],
}


def paint(x: int, symbol: str) -> list[dict[str, Any]]:
    return [{"op": "set", "layer": "ground", "cells": [{"x": x, "y": 0, "symbol": symbol}]}]


async def log_of(person: Person, universe_id: str, cursor: str | None = None) -> list[dict[str, Any]]:
    """The events of somebody, as the API tells them."""
    items: list[dict[str, Any]] = []
    while True:
        query = f"?limit=1000&cursor={cursor}" if cursor else "?limit=1000"
        page = (await person.client.get(f"/universes/{universe_id}/events{query}")).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if not page["items"]:
            return items


def bare(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without what differs each time."""
    return [{name: event[name] for name in event if name not in ("type", "cursor")} for event in events]


async def close_code(socket: ClientConnection) -> int | None:
    """Read until the server closes; its code."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


def address(url: str, universe_id: str) -> str:
    return f"{url.replace('http', 'ws', 1)}/universes/{universe_id}/live"


def open_socket(url: str, universe_id: str, **headers: str) -> connect:
    subprotocols: Any = ["worldkeep.v1"]
    return connect(
        address(url, universe_id), subprotocols=subprotocols, additional_headers=headers, max_size=None, proxy=None
    )


async def say(socket: ClientConnection, **message: Any) -> dict[str, Any]:
    await socket.send(json.dumps(message))
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer: dict[str, Any] = json.loads(await socket.recv())
        return answer


class TestEvents:
    async def test_each_gets_what_the_log_tells_them(self, owner: Person, stranger: Person, feed: Feed) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        assert gm.welcomes[0] | {"cursor": ""} == {
            "type": "welcome",
            "cursor": "",
            "role": "owner",
            "user_id": owner.id,
            "resumed": False,
            "online": [{"user_id": owner.id, "display_name": "Owner"}],
        }
        hidden = await owner.map(universe["id"], grid_data=GRID)
        shown = await owner.map(universe["id"], grid_data=GRID)
        patched = await owner.client.patch(f"/maps/{shown['id']}", json={"visibility": "members"})
        assert patched.status_code == 200
        for map_id in (hidden["id"], shown["id"]):
            for x in range(3):
                # The fast edit, and the plain one.
                for headers in ({}, {"Idempotency-Key": f"{map_id}{x}"}):
                    body = {"edits": paint(x, "." if headers else "#")}
                    answer = await owner.client.post(f"/maps/{map_id}/edits", json=body, headers=headers)
                    assert answer.status_code == 200, answer.text
        renamed = await owner.client.patch(f"/universes/{universe['id']}", json={"name": "Elsewhere"})
        assert renamed.status_code == 200
        for client, person in ((gm, owner), (player, stranger)):
            logged = await log_of(person, universe["id"], client.welcomes[0]["cursor"])
            await client.until(lambda client=client, logged=logged: len(client.events) >= len(logged))
            assert bare(client.events) == bare(logged)
        assert len(gm.events) > len(player.events) > 3
        assert all("seq" in event for event in gm.events)
        assert not any("seq" in event or hidden["id"] in json.dumps(event) for event in player.events)

    async def test_online_and_offline(self, owner: Person, stranger: Person, feed: Feed, url: str) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        gm = await feed(owner, universe["id"])
        for _ in range(2):
            async with Client(url, universe["id"], stranger.tokens["access_token"]) as one:
                assert {here["user_id"] for here in one.welcomes[0]["online"]} == {owner.id, stranger.id}
                async with Client(url, universe["id"], stranger.tokens["access_token"]):
                    pass
        await gm.next("offline", 2)
        seen = [message for message in gm.messages if message["type"] in ("online", "offline")]
        came = {"type": "online", "user_id": stranger.id, "display_name": "Stranger"}
        assert seen == [came, {"type": "offline", "user_id": stranger.id}] * 2

    async def test_a_member_who_takes_another_name_is_online_with_it(
        self, owner: Person, stranger: Person, feed: Feed
    ) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        await feed(stranger, universe["id"])
        gm = await feed(owner, universe["id"])
        answer = await stranger.client.patch("/users/me", json={"display_name": "Mira of the Marsh"})
        assert answer.status_code == 200
        assert await gm.next("online") == {
            "type": "online",
            "user_id": stranger.id,
            "display_name": "Mira of the Marsh",
        }
        again = await feed(owner, universe["id"])
        named = {one["user_id"]: one["display_name"] for one in again.welcomes[0]["online"]}
        assert named[stranger.id] == "Mira of the Marsh"

    async def test_online_for_a_superuser_who_is_no_member(
        self, app: FastAPI, owner: Person, superuser: Person, feed: Feed
    ) -> None:
        """They learn who comes and goes, also at another worker."""
        universe = await owner.universe()
        there = {"worker": "other", "universe_id": universe["id"], "people": {owner.id: "Owner"}}
        app.state.live.presence.receive("came", there)
        visitor = await feed(superuser, universe["id"])
        assert visitor.welcomes[0]["online"] == [{"user_id": owner.id, "display_name": "Owner"}]
        app.state.live.presence.receive("left", there)
        await visitor.next("offline")
        assert visitor.order == ["welcome", "offline"]


class TestResume:
    async def test_missed_events_come_first(self, owner: Person, feed: Feed, database: asyncpg.Connection) -> None:
        universe = await owner.universe()
        first = await feed(owner, universe["id"])
        cursor = first.welcomes[0]["cursor"]
        made = await owner.map(universe["id"], grid_data=GRID)
        await database.execute(
            """
            WITH counted AS (
                UPDATE universe SET event_seq = event_seq + 1100 WHERE id = $1
                RETURNING id, event_seq - 1100 AS seq
            )
            INSERT INTO event (universe_id, seq, kind, subject_id, payload)
            SELECT id, seq + n, 'map.edited', $2, jsonb_build_object('n', n)
            FROM counted, generate_series(1, 1100) AS n
            """,
            universe["id"],
            made["id"],
        )
        again = await feed(owner, universe["id"], cursor)
        await again.until(lambda: len(again.events) >= 1100)
        await owner.client.patch(f"/universes/{universe['id']}", json={"name": "Elsewhere"})
        await again.until(lambda: again.events[-1]["kind"] == "universe.updated")
        assert again.welcomes[0]["resumed"] is True
        assert bare(again.events) == bare(await log_of(owner, universe["id"], cursor))
        numbers = [event["seq"] for event in again.events]
        assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]

    async def test_each_ping_brings_a_cursor(self, app: FastAPI, owner: Person, feed: Feed) -> None:
        """Even if there was no event."""
        universe = await owner.universe()
        gm = await feed(owner, universe["id"])
        [session] = app.state.live.rooms[UUID(universe["id"])].sessions
        session.transport.protocol.send_keepalive_ping()
        at = await gm.next("at")
        answer = await owner.client.get(f"/universes/{universe['id']}/events?cursor={at['cursor']}")
        assert answer.json()["items"] == []

    async def test_a_cursor_of_no_use(self, owner: Person, stranger: Person, feed: Feed) -> None:
        here, elsewhere = await owner.universe(), await owner.universe()
        await join(stranger, owner, here["id"])
        others = (await feed(stranger, here["id"])).welcomes[0]["cursor"]
        foreign = (await feed(owner, elsewhere["id"])).welcomes[0]["cursor"]
        for cursor in (others, foreign, "forged", foreign[:-2] + "AA"):
            client = await feed(owner, here["id"], cursor)
            assert client.welcomes[0]["resumed"] is False
            assert client.events == []

    async def test_a_cursor_from_before_a_restore(
        self, owner: Person, feed: Feed, database: asyncpg.Connection
    ) -> None:
        universe = await owner.universe()
        cursor = (await feed(owner, universe["id"])).welcomes[0]["cursor"]
        before = await database.fetchval("SELECT epoch FROM epoch")
        await database.execute("UPDATE epoch SET epoch = gen_random_uuid()")
        try:
            assert (await feed(owner, universe["id"], cursor)).welcomes[0]["resumed"] is False
            page = await owner.client.get(f"/universes/{universe['id']}/events?cursor={cursor}")
            assert page.status_code == 422
        finally:
            await database.execute("UPDATE epoch SET epoch = $1", before)
        assert (await feed(owner, universe["id"], cursor)).welcomes[0]["resumed"] is True

    async def test_a_cursor_of_an_event_that_was_lost(
        self, owner: Person, feed: Feed, database: asyncpg.Connection
    ) -> None:
        """As after a failover: the next events get the numbers of those that were lost."""
        made = await owner.map()
        before = await feed(owner, made["universe_id"])
        universe_id = UUID(made["universe_id"])
        await database.execute("UPDATE universe SET event_seq = event_seq - 1 WHERE id = $1", universe_id)
        await database.execute("DELETE FROM event WHERE universe_id = $1 AND kind = 'map.created'", universe_id)
        client = await feed(owner, made["universe_id"], before.welcomes[0]["cursor"])
        assert client.welcomes[0]["resumed"] is False


class TestHello:
    async def test_the_three_ways_to_log_in(self, owner: Person, url: str, settings: Settings) -> None:
        universe = await owner.universe()
        token = owner.tokens["access_token"]
        cookie = {"Cookie": f"worldkeep_session={token}"}
        async with open_socket(url, universe["id"]) as socket:
            assert (await say(socket, type="hello", token=token))["type"] == "welcome"
        for headers in ({"Authorization": f"Bearer {token}"}, {**cookie, "Origin": url}):
            async with open_socket(url, universe["id"], **headers) as socket:
                assert socket.subprotocol == "worldkeep.v1"
                assert (await say(socket, type="hello"))["role"] == "owner"
        for headers in (cookie, {**cookie, "Origin": "https://evil.example"}, {**cookie, "Origin": "null"}):
            async with open_socket(url, universe["id"], **headers) as socket:
                await socket.send('{"type": "hello"}')
                assert await close_code(socket) == 4401

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            ('{"type": "hello"}', 4401),
            ('{"type": "hello", "token": "wrong"}', 4401),
            ('{"type": "ping"}', 4400),
            ('{"type": "hello", "more": 1}', 4400),
            ("[]", 4400),
            ("{", 4400),
            (b"\x00", 4400),
            (None, 4408),
        ],
    )
    async def test_what_is_no_hello(self, sent: Any, code: int, owner: Person, url: str) -> None:
        async with open_socket(url, owner.id) as socket:
            if sent is not None:
                await socket.send(sent)
            assert await close_code(socket) == code

    @pytest.mark.parametrize(
        ("more", "field"), [({"after": 5}, "after"), ({"token": "x" * 5000}, "token"), ({"more": 1}, "more")]
    )
    async def test_a_hello_that_is_not_valid(
        self, more: dict[str, Any], field: str, owner: Person, url: str
    ) -> None:
        async with open_socket(url, owner.id) as socket:
            answer = await say(socket, type="hello", **more)
            assert [one["field"] for one in answer["problem"]["errors"]] == [field]
            assert await close_code(socket) == 4400

    @pytest.mark.parametrize("after", ["x", "x" * 60_000, "ü"])
    async def test_a_cursor_that_is_none(self, after: str, owner: Person, url: str) -> None:
        universe = await owner.universe()
        async with open_socket(url, universe["id"]) as socket:
            answer = await say(socket, type="hello", token=owner.tokens["access_token"], after=after)
            assert (answer["type"], answer["resumed"]) == ("welcome", False)

    async def test_too_many(self, owner: Person, url: str) -> None:
        """Each is a query, so they count as commands."""
        universe = await owner.universe()
        hello = {"type": "hello", "token": owner.tokens["access_token"]}
        async with open_socket(url, universe["id"]) as socket:
            await say(socket, **hello)
            for _ in range(100):
                await socket.send(json.dumps(hello))
            kinds = {json.loads(await socket.recv())["type"] for _ in range(100)}
            assert kinds == {"welcome", "error"}
            assert await say(socket, type="ping") == {"type": "pong"}

    async def test_a_stranger(self, owner: Person, stranger: Person, url: str) -> None:
        """Gets the same as for a universe that is not there, and for what cannot be one."""
        universe = await owner.universe()
        for universe_id in (universe["id"], stranger.id, "nothing"):
            async with open_socket(url, universe_id) as socket:
                await socket.send(json.dumps({"type": "hello", "token": stranger.tokens["access_token"]}))
                assert await close_code(socket) == 4404

    async def test_another_subprotocol(self, owner: Person, url: str) -> None:
        subprotocols: Any = ["worldkeep.v9"]
        async with connect(address(url, owner.id), subprotocols=subprotocols, proxy=None) as socket:
            assert await close_code(socket) == 4400

    async def test_another_host(self, owner: Person, url: str) -> None:
        port = int(url.rpartition(":")[2])
        with pytest.raises(InvalidStatus) as refused:
            async with connect("ws://evil.example/", host="127.0.0.1", port=port, proxy=None):
                pass
        assert refused.value.response.status_code == 400


class TestEnd:
    async def test_sessions_that_are_closed(
        self, owner: Person, new_person: NewPerson, feed: Feed, app: FastAPI
    ) -> None:
        universe = await owner.universe()
        people = [await new_person() for _ in range(3)]
        for person in people:
            await join(person, owner, universe["id"])
        removed, ended, deactivated = [await feed(person, universe["id"]) for person in people]
        gm = await feed(owner, universe["id"])
        path = f"/universes/{universe['id']}/members/{people[0].id}"
        assert (await owner.client.delete(path)).status_code == 204
        assert (await people[1].client.post("/auth/jwt/logout")).status_code == 204
        async with app.state.database.session() as session, session.begin():
            connection = await session.connection()
            await connection.exec_driver_sql(f"UPDATE account SET is_active = false WHERE id = '{people[2].id}'")
        for client, code in ((removed, 4403), (ended, 4401), (deactivated, 4401)):
            await client.until(lambda client=client, code=code: client.code == code)
        assert removed.events == []
        assert gm.code is None

    async def test_a_universe_that_is_deleted(self, owner: Person, feed: Feed) -> None:
        universe = await owner.universe()
        client = await feed(owner, universe["id"])
        assert (await owner.client.delete(f"/universes/{universe['id']}")).status_code == 204
        await client.until(lambda: client.code == 4404)

    async def test_a_superuser_who_is_removed(
        self, owner: Person, superuser: Person, feed: Feed, database: asyncpg.Connection
    ) -> None:
        """They stay as a superuser, as long as they are one, and are not online as a member."""
        universe = await owner.universe()
        await join(superuser, owner, universe["id"])
        gm, client = await feed(owner, universe["id"]), await feed(superuser, universe["id"])
        assert client.welcomes[0]["role"] == "player"
        path = f"/universes/{universe['id']}/members/{superuser.id}"
        assert (await owner.client.delete(path)).status_code == 204
        assert (await gm.next("offline"))["user_id"] == superuser.id
        await gm.command("say", text="Farewell.")
        await client.until(lambda: len(client.events) == 2)
        assert all("seq" in event for event in client.events)
        await database.execute("UPDATE account SET is_superuser = false WHERE id = $1", UUID(superuser.id))
        await client.until(lambda: client.code == 4401)

    async def test_a_token_that_expires(self, owner: Person, feed: Feed, app: FastAPI, url: str) -> None:
        """The socket stays as long as its log-in does, with commands and all; a fresh token may be sent."""
        universe = await owner.universe()
        made = await owner.map(universe["id"], grid_data=GRID)
        identity = app.state.tokens.read(owner.tokens["access_token"].encode())
        short = app.state.tokens.sign(identity.user_id, identity.session_id, 1)
        async with Client(url, universe["id"], short) as client:
            await asyncio.sleep(1.5)
            assert app.state.tokens.read(short.encode()) is None
            assert (await client.command("edit", map_id=made["id"], edits=paint(0, ".")))["changed"] == 1
            form = {"username": owner.email, "password": PASSWORD}
            login = (await owner.client.post("/auth/jwt/login", data=form)).json()
            await client.send({"type": "hello", "token": login["access_token"]})
            await client.until(lambda: len(client.welcomes) == 2)
            assert (await owner.client.post("/auth/jwt/logout")).status_code == 204
            await asyncio.sleep(1)
            assert (await client.command("edit", map_id=made["id"], edits=paint(1, ".")))["changed"] == 1

    async def test_another_role(self, owner: Person, stranger: Person, feed: Feed) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        client = await feed(stranger, universe["id"])
        for role in ("game_master", "player"):
            path = f"/universes/{universe['id']}/members/{stranger.id}"
            assert (await owner.client.patch(path, json={"role": role})).status_code == 200
            await owner.map(universe["id"])
        await client.until(lambda: len(client.events) == 3)
        seen = [(event["kind"], "seq" in event) for event in client.events]
        assert seen == [("member.updated", True), ("map.created", True), ("member.updated", False)]


class TestCommands:
    async def test_a_door_whose_id_is_not_ascii(self, owner: Person, feed: Feed) -> None:
        door = {"id": "Tür 1%", "x1": 1, "y1": 0, "x2": 1, "y2": 1, "state": "closed"}
        made = await owner.map(grid_data=GRID | {"doors": [door]})
        gm = await feed(owner, made["universe_id"])
        answer = await gm.command("door", map_id=made["id"], door_id=door["id"], state="open")
        assert answer["seq"] == gm.events[-1]["seq"]

    async def test_the_event_comes_before_the_response(self, owner: Person, stranger: Person, feed: Feed) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
        gm, player = await feed(owner, universe["id"]), await feed(stranger, universe["id"])
        for x in range(3):
            answer = await gm.command("edit", map_id=made["id"], edits=paint(x, "."))
            assert answer["seq"] == gm.events[-1]["seq"]
        assert gm.order[-6:] == ["event", "ack"] * 3
        with pytest.raises(Refused) as refused:
            await player.command("edit", map_id=made["id"], edits=paint(0, "#"))
        rest = await stranger.client.post(f"/maps/{made['id']}/edits", json={"edits": paint(0, "#")})
        assert refused.value.problem | {"request_id": ""} == rest.json() | {"request_id": ""}
        await player.until(lambda: len(player.events) == 3)

    async def test_a_reference_is_used_once(self, owner: Person, url: str) -> None:
        universe = await owner.universe()
        made = await owner.map(universe["id"], grid_data=GRID)
        command = {"type": "command", "do": "edit", "ref": "a", "map_id": made["id"], "edits": paint(0, ".")}
        async with open_socket(url, universe["id"]) as socket:
            await say(socket, type="hello", token=owner.tokens["access_token"])
            assert (await say(socket, **command))["type"] == "event"
            first = json.loads(await socket.recv())
            assert await say(socket, **command) == first
            other = await say(socket, **{**command, "edits": paint(1, ".")})
            assert other["problem"]["code"] == "IDEMPOTENCY_KEY_REUSED"

    @pytest.mark.parametrize(
        ("message", "field"),
        [
            ({"type": "dance"}, "type"),
            ({}, "type"),
            ({"type": "ping", "more": 1}, "more"),
            ({"type": "x" * 50_000}, "type"),
            ({"type": "ping", "x" * 50_000: 1}, "x" * 300),
            ({"type": "ping", **{f"field {number}": 1 for number in range(2000)}}, "type"),
            ({"type": "command", "do": "edit"}, "ref"),
            ({"type": "command", "do": "dance", "ref": "a"}, "do"),
            ({"type": "command", "do": "edit", "ref": "a"}, "map_id"),
            ({"type": "signal", "name": "pointer", "data": "x" * 1025}, "data"),
            ({"type": "ping", "type\u0000": 1}, ""),
        ],
    )
    async def test_what_cannot_be_done(self, message: dict[str, Any], field: str, owner: Person, url: str) -> None:
        universe = await owner.universe()
        async with open_socket(url, universe["id"], **{"X-Request-Id": "known-to-the-proxy"}) as socket:
            await say(socket, type="hello", token=owner.tokens["access_token"])
            answer = await say(socket, **message)
            assert answer["problem"]["request_id"] == "known-to-the-proxy"
            assert (answer["type"], answer["problem"]["status"]) == ("error", 422)
            assert len(json.dumps(answer)) < 4096
            assert answer["problem"]["errors"][0]["field"] == field
            assert await say(socket, type="ping") == {"type": "pong"}
