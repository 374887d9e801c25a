"""The proof that a player is sent no secret.

Worlds are made at random, with marked secrets in every place that can hold one; not one byte of a mark may be
in anything that a player or a spectator fetches, on any route of the OpenAPI document.

What a mark cannot show, a second look does: after a game master has worked on secrets only, each response is the
same as before, to the byte, ETags included.
"""

import asyncio
import io
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from game.live.hub import Hub
from tests.assets.test_processing import processed
from tests.conftest import Person, somebody
from tests.document import OPERATIONS
from tests.live.client import Client
from tests.members.test_router import join
from tests.test_matrix import PREPARED, Things, call

MARK = "x5EcReTx"
MAX_MARKS = 200
OTHERS_ONLY = {"logOut", "logOutWithCookie", "updateMe", "endSession", "resetPassword"}
"""What would end the player's own log-in. Nothing of a universe is in their responses."""


def secret(number: int = 0) -> str:
    return f"{MARK}{number}"


def gm() -> st.SearchStrategy[dict[str, Any]]:
    """Nothing, or a key for game masters."""
    return st.sampled_from([{}, {"gm": secret()}, {"gm": {"deep": [secret(), {secret(1): 1}]}}])


def kept() -> st.SearchStrategy[dict[str, Any]]:
    """Nothing, or what an importer keeps of another program."""
    names = st.sampled_from(["tiled", "ldtk", "uvtt"])
    return st.one_of(st.just({}), names.map(lambda name: {name: {"class": secret(2)}}))


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {key: value for one in found for key, value in one.items()})


SIZE = 5
EYES = {"range": 1, "darkvision": 1}
_cells = st.text("#.~", min_size=SIZE, max_size=SIZE)
_hidden_cells = st.text("#!", min_size=SIZE, max_size=SIZE)
_rows = st.lists(_cells, min_size=SIZE, max_size=SIZE)
_places = st.integers(0, SIZE - 1)
_ends = st.fixed_dictionaries({name: st.integers(0, SIZE) for name in ("x1", "y1", "x2", "y2")}).filter(
    lambda one: (one["x1"], one["y1"]) != (one["x2"], one["y2"])
)


def _layers() -> st.SearchStrategy[list[dict[str, Any]]]:
    shown = merged(st.fixed_dictionaries({"name": st.just("ground"), "rows": _rows}), gm(), kept())
    hidden = merged(
        st.fixed_dictionaries(
            {
                "name": st.just(secret(3)),
                "visible_to": st.just("game_masters"),
                "rows": st.lists(_hidden_cells, min_size=SIZE, max_size=SIZE),
            }
        ),
        gm(),
    )
    return st.tuples(shown, hidden).map(list)


def _things(place: st.SearchStrategy[dict[str, Any]], kind: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    shown = merged(place, gm(), kept())
    hidden = merged(
        place, st.just({"hidden": True, "name": secret(4), "kind": secret(5), "properties": {secret(6): 1}})
    )
    named = st.lists(st.one_of(shown, hidden), max_size=4)
    return named.map(
        lambda items: [
            {**one, "id": f"{kind}-{MARK if one.get('hidden') else ''}{number}"}
            for number, one in enumerate(items)
        ]
    )


def _doors() -> st.SearchStrategy[list[dict[str, Any]]]:
    secrets = merged(_ends, st.just({"secret": True, "state": "closed", "name": secret(7), "id": secret(8)}))
    return st.tuples(_things(_ends, "door"), st.lists(secrets, max_size=1)).map(lambda both: [*both[0], *both[1]])


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Grids with secrets in every place that can hold one."""
    entity = st.fixed_dictionaries({"kind": st.just("chest"), "x": _places, "y": _places})
    light = st.fixed_dictionaries({"x": _places, "y": _places, "range": st.just(2)})
    return merged(
        st.fixed_dictionaries(
            {
                "width": st.just(SIZE),
                "height": st.just(SIZE),
                "legend": st.tuples(gm(), kept()).map(
                    lambda more: [
                        {"symbol": "#", "name": "wall", "blocks_movement": True, **more[0], **more[1]},
                        {"symbol": ".", "name": "floor"},
                        {"symbol": "~", "name": "water"},
                        # Only cells of the hidden layer have it, if any.
                        {"symbol": "!", "name": secret(9), "color": "#5ec5e7"},
                    ]
                ),
                "layers": _layers(),
                "entities": _things(entity, "entity"),
                "walls": _things(_ends, "wall"),
                "doors": _doors(),
                "lights": _things(light, "light"),
            }
        ),
        gm(),
        kept(),
    )


def _png(note: str) -> bytes:
    """A picture with a note in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (1).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    parts = [
        chunk(b"IHDR", header),
        chunk(b"tEXt", b"Comment\0" + note.encode()),
        chunk(b"IDAT", zlib.compress(b"\0\xff\xff\xff")),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


class World:
    """A universe with a published map and one that is not, its owner, a player and a spectator."""

    owner: Person
    player: Person
    spectator: Person
    other: Person
    url: str
    hub: Hub

    async def create(self, app: FastAPI, document: dict[str, Any]) -> None:
        names = ("owner", "player", "spectator", "other")
        # The e-mail addresses are secret from all other members.
        people = [
            await somebody(app, email=f"{secret(10)}-{uuid4().hex}-{n}@example.com", display_name=n) for n in names
        ]
        self.owner, self.player, self.spectator, self.other = people
        universe = await self.owner.universe()
        self.universe_id = universe["id"]
        await join(self.player, self.owner, self.universe_id, "player")
        await join(self.spectator, self.owner, self.universe_id, "spectator")
        await join(self.other, self.owner, self.universe_id, "player")
        files = {"file": (f"{secret(11)}.png", io.BytesIO(_png(secret(12))), "image/png")}
        asset = await self.owner.client.post(f"/universes/{self.universe_id}/assets", files=files)
        assert asset.status_code == 201, asset.text
        self.asset_id = asset.json()["id"]
        # Else it may become ready between two looks.
        await processed(self.owner, universe)
        background = {"asset_id": self.asset_id, "x": 0, "y": 0, "width": 1, "height": 1}
        shown = await self.owner.map(self.universe_id, name="Shown", grid_data=document, visibility="members")
        hidden = await self.owner.map(
            self.universe_id,
            name=secret(13),
            description=secret(14),
            grid_data={**document, "background": background},
        )
        self.map_id, self.hidden_id = shown["id"], hidden["id"]
        invitation = await self.owner.client.post(
            f"/universes/{self.universe_id}/invitations", json={"role": "player"}
        )
        # One that is told of, one whose sheet is, and one that is not.
        self.character_ids = []
        for grants in ({"members": ["see"]}, {"members": ["see", "sheet"]}, {}):
            hidden = {} if grants else {"name": secret(31)}
            sheet = {"plans": secret(32)} if "sheet" not in str(grants) else {"level": 3}
            body = {"name": "Ashe", "gm": secret(30), "grants": grants, "sheet": sheet, **hidden}
            made = await self.owner.client.post(f"/universes/{self.universe_id}/characters", json=body)
            assert made.status_code == 201, made.text
            self.character_ids.append(made.json()["id"])
        # One that is a pin on a map that is not published, one of another player, one for game masters.
        pin = {"map_id": self.hidden_id, "x": 1, "y": 1}
        self.note_ids = []
        for writer, body in (
            (self.owner, {"title": "Rumours", "body": "# Told", "grants": {"members": ["see"]}, **pin}),
            (self.other, {"title": secret(40), "body": secret(41)}),
            (self.owner, {"title": secret(42), "body": secret(43)}),
        ):
            made = await writer.client.post(f"/universes/{self.universe_id}/notes", json=body)
            assert made.status_code == 201, made.text
            self.note_ids.append(made.json()["id"])
        # One that runs, with somebody hidden, and one that is prepared.
        listed = [
            {"name": "Ashe", "initiative": 9, "gm": secret(50), "character_id": self.character_ids[0]},
            {"name": "A shade", "initiative": 4, "character_id": self.character_ids[-1]},
            {"name": secret(51), "initiative": 7, "hidden": True, "effects": [{"name": secret(52), "rounds": 9}]},
        ]
        self.encounter_ids = []
        for fields in ({"name": "At the well", "gm": secret(53)}, {"name": secret(54)}):
            body = {"combatants": listed, "map_id": self.hidden_id, **fields}
            made = await self.owner.client.post(f"/universes/{self.universe_id}/encounters", json=body)
            assert made.status_code == 201, made.text
            self.encounter_ids.append(made.json()["id"])
        started = await self.owner.client.post(f"/encounters/{self.encounter_ids[0]}/start")
        assert started.status_code == 200, started.text
        # Hidden rolls of the owner's: the reason, and a label in the expression.
        for visibility in ("game_masters", "blind", "me"):
            roll = {"expression": f"d20 [{secret(40)}]", "reason": secret(41), "visibility": visibility}
            made = await self.owner.client.post(f"/universes/{self.universe_id}/rolls", json=roll)
            assert made.status_code == 201, made.text
        # A whisper between game masters, which is of no player.
        whisper = {"text": secret(43), "to": [self.owner.id]}
        said = await self.owner.client.post(f"/universes/{self.universe_id}/messages", json=whisper)
        assert said.status_code == 201, said.text
        self.roll_id = made.json()["id"]
        # One that is shown, one that is told of, one that is not, and one on the hidden map.
        self.token_ids, self.granted_ids = [], []
        bars = [
            {"name": secret(40), "value": 5, "max": 9},
            {"name": "shield", "value": 1, "max": 1, "public": True},
        ]
        for map_id, fields in (
            (self.map_id, {"name": "Ashe"}),
            (self.map_id, {"name": "Bee", "hidden": True, "grants": {"members": ["see"]}}),
            (self.map_id, {"name": secret(41), "hidden": True, "conditions": [secret(42)]}),
            (self.hidden_id, {"name": secret(43), "grants": {"members": ["act"]}}),
        ):
            more = {"x": 1, "y": 1, "gm": secret(44), "properties": {"plan": secret(45)}, "bars": bars}
            made = await self.owner.client.post(f"/maps/{map_id}/tokens", json={**more, **fields})
            assert made.status_code == 201, made.text
            self.token_ids.append(made.json()["id"])
        await self._create_fog(document)
        self.code = invitation.json()["code"]
        self.invitation_id = invitation.json()["id"]

    async def _create_fog(self, document: dict[str, Any]) -> None:
        """A map with fog, on which the player sees one corner and has seen another; all else on it is marked."""
        far = {"x": SIZE - 1, "y": SIZE - 1}
        rows = ["....."] * (SIZE - 1) + ["....@"]
        legend = [{"symbol": ".", "name": "floor"}, {"symbol": "@", "name": secret(60), "color": "#5ec5e7"}]
        ends = {"x1": SIZE - 1, "y1": SIZE - 2, "x2": SIZE, "y2": SIZE - 2}
        grid = {
            **{name: document[name] for name in ("width", "height")},
            "legend": legend,
            "layers": [{"name": "ground", "rows": rows}],
            "entities": [{"id": secret(61), "kind": secret(62), "name": secret(63), **far}],
            "walls": [{**ends, "id": secret(64)}],
            "doors": [{**ends, "id": secret(65), "name": secret(66)}],
            "lights": [{"id": secret(67), "x": SIZE - 0.5, "y": SIZE - 0.5, "range": 1, "color": "#5ec5e7"}],
            "background": {"asset_id": self.asset_id, "x": 0, "y": 0, "width": SIZE, "height": SIZE},
        }
        settings = {"visibility": "members", "fog": "explored", "lighting": "dark"}
        made = await self.owner.map(self.universe_id, name="Fog", grid_data=grid, **settings)
        self.fog_id, path = made["id"], f"/maps/{made['id']}"
        for fields in (
            {"name": "Ashe", "x": 0, "y": 0, "sight": EYES, "grants": {self.player.id: ["act"]}},
            {"name": secret(68), "conditions": [secret(69)], "asset_id": self.asset_id, **far},
        ):
            answer = await self.owner.client.post(f"{path}/tokens", json=fields)
            assert answer.status_code == 201, answer.text
            self.token_ids.append(answer.json()["id"])
        await self._create_granted(path, far)
        corner = {"x": SIZE - 1, "y": 0, "width": 1, "height": 1}
        assert (await self.owner.client.post(f"{path}/fog/reveal", json=corner)).is_success
        # Changed out of sight, where the player has been.
        trap = {"id": secret(70), "kind": "trap", "x": SIZE - 1, "y": 0}
        paint = {"op": "set", "layer": "ground", "cells": [{"x": SIZE - 1, "y": 0, "symbol": "@"}]}
        edits = [{"op": "put_entity", "entity": trap}, paint]
        assert (await self.owner.client.post(f"{path}/edits", json={"edits": edits})).is_success

    async def _create_granted(self, path: str, far: dict[str, int]) -> None:
        """Tokens on the map with fog of which the player has one right each, or none: in sight, and out of it."""
        unread = {
            "gm": secret(71),
            "properties": {"plan": secret(72)},
            "bars": [{"name": secret(73), "value": 5, "max": 9}],
        }
        named = {"name": secret(74), "conditions": [secret(75)]}
        near = {"x": 1, "y": 1}
        for right, fields in (
            # What they only know of, or may read, they see where they look; there it keeps what they may not read.
            ("see", {**named, **unread, **far}),
            ("sheet", {**named, **unread, **far}),
            ("see", {"name": "Bee", "hidden": True, **unread, **near}),
            ("sheet", {"name": "Cade", "gm": secret(76), **near}),
            (None, {"name": "Dara", **unread, **near}),
            # To share the eyes of a hidden one is not to know of it.
            ("sight", {**named, **unread, "hidden": True, "sight": EYES, "x": 0, "y": 1}),
            ("sight", {"name": "Eve", **unread, "sight": EYES, "x": 1, "y": 0}),
            ("act", {"name": "Fay", "gm": secret(77), "x": 1, "y": 0}),
            (None, {**named, **unread, "hidden": True, **near}),
        ):
            grants = {self.player.id: [right]} if right else {}
            answer = await self.owner.client.post(f"{path}/tokens", json={**fields, "grants": grants})
            assert answer.status_code == 201, answer.text
            self.granted_ids.append(answer.json()["id"])

    def things(self, map_id: str) -> Things:
        """What the requests of the matrix are about, with this map."""
        ids = {
            "maps": map_id,
            "universes": self.universe_id,
            "assets": self.asset_id,
            "characters": self.character_ids[-1],
            "notes": self.note_ids[-1],
            "encounters": self.encounter_ids[-1],
            "rolls": self.roll_id,
            "tokens": self.token_ids[2],
            "users": self.owner.id,
            "sessions": self.asset_id,
            "user_id": self.owner.id,
            "invitation_id": self.invitation_id,
            "door_id": "door-0",
            "code": "unknown",
        }
        return Things(ids, self.player, self.player)

    async def close(self) -> None:
        for person in (self.owner, self.player, self.spectator, self.other):
            await person.client.aclose()


def requests(world: World, *, only_get: bool = False) -> Iterator[tuple[str, tuple[str, str, dict[str, Any]]]]:
    """A request for every operation, of both maps, and of what else is asked for a map."""
    for map_id in (world.map_id, world.hidden_id, world.fog_id):
        things = world.things(map_id)
        for name in OPERATIONS:
            if name in OTHERS_ONLY or (name in PREPARED and name.startswith(("logIn", "register", "refresh"))):
                continue
            method, path, rest = call(name, things)
            # What is not about a map is asked once.
            if (only_get and method != "GET") or (map_id != world.map_id and map_id not in str((path, rest))):
                continue
            if name in ("readMetrics", "listSessions"):
                # They count requests; nothing of a universe is in them.
                continue
            yield name, (method, path, rest)
    for path in (
        "/maps?limit=1",
        f"/maps?universe_id={world.universe_id}&sort=-updated_at",
        f"/maps?q={MARK}",
        f"/maps/{world.map_id}?at_seq=5",
        f"/maps/{world.map_id}/region?x=0&y=0&width=9&height=9&layers={secret(3)},ground",
        f"/maps/{world.map_id}/image.svg?layers={secret(3)},ground",
        f"/universes/{world.universe_id}/events?after=0",
        f"/universes/{world.universe_id}/events?limit=1000",
        f"/assets/{world.asset_id}?size=thumbnail",
        f"/tokens/{world.token_ids[-1]}",
        f"/maps/{world.fog_id}/path?from=0,0&to=4,4",
        f"/maps/{world.fog_id}/sight?from=4,4",
        f"/maps/{world.fog_id}/image.svg?layers=ground&grid=true",
        f"/universes/{world.universe_id}/characters?q={MARK}",
        f"/universes/{world.universe_id}/characters?limit=1",
        *(f"/characters/{one}" for one in world.character_ids),
        f"/universes/{world.universe_id}/notes?q={MARK}",
        f"/universes/{world.universe_id}/notes?limit=1",
        *(f"/notes/{one}" for one in world.note_ids),
        f"/universes/{world.universe_id}/encounters?q={MARK}",
        *(f"/encounters/{one}" for one in world.encounter_ids),
        *(f"/tokens/{one}" for one in (*world.token_ids, *world.granted_ids)),
        f"/maps/{world.fog_id}/tokens",
    ):
        yield path, ("GET", path, {})


async def ask(client: httpx2.AsyncClient, request: tuple[str, str, dict[str, Any]]) -> httpx2.Response:
    method, path, rest = request
    return await client.request(method, path, **rest)


def everything_in(answer: httpx2.Response) -> str:
    return answer.content.decode("latin-1") + str(answer.headers)


@settings(max_examples=settings.default.max_examples // 10)
@given(document=documents())
def check_marks(
    run: Callable[[Callable[[World], Awaitable[None]], dict[str, Any]], None], document: dict[str, Any]
) -> None:
    async def look(world: World) -> None:
        for person in (world.player, world.spectator):
            for name, request in requests(world):
                if name == "removeMember" or (name == "acceptInvitation"):
                    continue
                answer = await ask(person.client, request)
                own = everything_in(answer).replace(person.email, "")
                # What the request itself had in it, such as a name to search for, is no news.
                assert MARK not in own, (name, request, answer.text[:2000])

    run(look, document)


def comparable(answer: httpx2.Response) -> Any:
    """A response but for what is new each time: the request's id, cursors."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    text = answer.text.replace(answer.headers["x-request-id"], "")
    if "events" in str(answer.url.path):
        body = answer.json()
        body.pop("next_cursor", None)
        for item in body.get("items", ()):
            item.pop("cursor", None)
        body.pop("request_id", None)
        return answer.status_code, body
    return answer.status_code, headers, text


async def hidden_work(world: World, document: dict[str, Any]) -> None:
    """What a game master may do without that a player notices anything."""
    owner, path = world.owner.client, f"/maps/{world.map_id}"
    entity = {"id": secret(20), "kind": "spy", "x": 0, "y": 0, "hidden": True}
    edits: list[dict[str, Any]] = [
        {"op": "set", "layer": secret(3), "cells": [{"x": 1, "y": 1, "symbol": "!"}]},
        {"op": "set", "layer": secret(3), "cells": [{"x": 1, "y": 1, "symbol": "#"}]},
        {"op": "put_entity", "entity": entity},
        {"op": "put_light", "light": {"id": secret(21), "x": 1, "y": 1, "range": 1, "hidden": True}},
        {"op": "update_map", "changes": {"gm": secret(22)}},
        {"op": "add_layer", "layer": {"name": secret(23), "visible_to": "game_masters"}},
        {"op": "update_legend", "legend": [{"symbol": "?", "name": secret(24)}]},
        {"op": "remove_entity", "id": secret(20)},
    ]
    for edit in edits:
        answer = await owner.post(f"{path}/edits", json={"edits": [edit]})
        assert answer.status_code == 200, (edit, answer.text)
    assert (await owner.post(f"{path}/undo")).status_code == 200
    assert (await owner.post(f"{path}/redo")).status_code == 200
    replaced = {**document, "gm": secret(25)}
    assert (await owner.patch(path, json={"grid_data": replaced})).status_code == 200
    assert (await owner.patch(f"/maps/{world.hidden_id}", json={"name": secret(26)})).status_code == 200
    await world.owner.map(world.universe_id, name=secret(27))
    assert (await owner.post(f"/universes/{world.universe_id}/invitations", json={"role": "player"})).is_success
    seen, read, hidden = world.character_ids
    for character_id, fields in (
        (seen, {"sheet": {"plans": secret(33), "hit_points": {"current": 9, "maximum": 9}}, "gm": secret(34)}),
        (seen, {"grants": {"members": ["see"], world.owner.id: ["act"]}}),
        (read, {"gm": secret(35)}),
        (hidden, {"name": secret(36)}),
    ):
        assert (await owner.patch(f"/characters/{character_id}", json=fields)).status_code == 200
    assert (await owner.post(f"/characters/{seen}/damage", json={"amount": 3})).status_code == 200
    running, prepared = world.encounter_ids
    # The turn of one who is hidden.
    assert (await owner.post(f"/encounters/{running}/next")).status_code == 200
    listed = (await owner.get(f"/encounters/{running}")).json()["combatants"]
    listed = [{**one, "name": secret(55)} if one["hidden"] else {**one, "gm": secret(56)} for one in listed]
    for encounter_id, fields in (
        (running, {"combatants": [*listed, {"name": secret(57), "hidden": True}], "gm": secret(58)}),
        (prepared, {"name": secret(59)}),
    ):
        answer = await owner.patch(f"/encounters/{encounter_id}", json=fields)
        assert answer.status_code == 200, answer.text
    for visibility in ("game_masters", "blind", "me"):
        roll = {"expression": "d20", "reason": secret(42), "visibility": visibility}
        assert (await owner.post(f"/universes/{world.universe_id}/rolls", json=roll)).status_code == 201
    whisper = {"text": secret(44), "to": [world.owner.id]}
    assert (await owner.post(f"/universes/{world.universe_id}/messages", json=whisper)).status_code == 201
    shown, others, hidden = world.note_ids
    for note_id, fields in (
        (shown, {"x": 2}),
        (shown, {"map_id": None}),
        (shown, {"grants": {"members": ["see"], world.owner.id: ["act"]}}),
        (others, {"body": secret(44)}),
        (hidden, {"title": secret(45)}),
    ):
        assert (await owner.patch(f"/notes/{note_id}", json=fields)).status_code == 200
    shown, _, unseen, elsewhere, *_ = world.token_ids
    for token_id, changes in (
        (shown, {"gm": secret(46)}),
        (shown, {"properties": {secret(47): 1}, "sight": {"range": 3}, "grants": {world.owner.id: ["act"]}}),
        (unseen, {"name": secret(48), "x": 2}),
        (elsewhere, {"name": secret(49)}),
    ):
        assert (await owner.patch(f"/tokens/{token_id}", json=changes)).status_code == 200
    assert (await owner.post(f"/tokens/{shown}/damage", json={"amount": 3})).status_code == 200
    known, readable, bee, _, dara, *_ = world.granted_ids
    for token_id, changes in (
        (known, {"name": secret(78), "y": SIZE - 2}),
        (readable, {"conditions": [secret(79)], "bars": []}),
        (bee, {"properties": {secret(80): 1}}),
        (dara, {"gm": secret(81)}),
    ):
        assert (await owner.patch(f"/tokens/{token_id}", json=changes)).status_code == 200
    body = {"name": secret(50), "x": 1, "y": 1, "hidden": True}
    made = await owner.post(f"{path}/tokens", json=body)
    assert made.status_code == 201
    assert (await owner.delete(f"/tokens/{made.json()['id']}")).status_code == 204


@settings(max_examples=settings.default.max_examples // 15)
@given(document=documents())
def check_traces(
    run: Callable[[Callable[[World], Awaitable[None]], dict[str, Any]], None], document: dict[str, Any]
) -> None:
    async def look(world: World) -> None:
        asked = [*requests(world, only_get=True)]
        before = [comparable(await ask(world.player.client, request)) for _, request in asked]
        async with AsyncExitStack() as stack:
            feeds = []
            for person in (world.player, world.spectator):
                client = Client(world.url, world.universe_id, person.tokens["access_token"])
                feeds.append(await stack.enter_async_context(client))
                for map_id in (world.map_id, world.hidden_id):
                    await client.send({"type": "watch", "map_id": map_id})
                await client.next("error")
            await hidden_work(world, document)
            await world.hub.rooms[UUID(world.universe_id)].caught_up()
            for client in feeds:
                await client.send({"type": "ping"})
                await client.next("pong")
                assert client.events == []
                assert {message["type"] for message in client.messages} <= {"map", "error", "pong", "online", "at"}
                assert len(client.of("map")) == 1
                assert MARK not in str(client.messages)
        for (name, request), expected in zip(asked, before, strict=True):
            assert comparable(await ask(world.player.client, request)) == expected, name

    run(look, document)


@pytest.fixture
async def run(app: FastAPI, url: str) -> Callable[[Callable[[World], Awaitable[None]], dict[str, Any]], None]:
    """Runs a look at a new world in the event loop of the app, from the thread that hypothesis works in."""
    loop = asyncio.get_running_loop()

    async def in_world(look: Callable[[World], Awaitable[None]], document: dict[str, Any]) -> None:
        world = World()
        world.url, world.hub = url, app.state.live
        await world.create(app, document)
        try:
            await look(world)
        finally:
            await world.close()

    return lambda look, document: asyncio.run_coroutine_threadsafe(in_world(look, document), loop).result()


async def test_no_mark_is_sent(run: Any) -> None:
    await asyncio.to_thread(check_marks, run)


async def test_players_get_events_of_what_they_see(owner: Person, stranger: Person) -> None:
    """An edit of a hidden and a shown layer: players learn of the cells that they see, and of no others."""
    universe = await owner.universe()
    layers = [
        {"name": "ground", "rows": ["..", ".."]},
        {"name": secret(3), "rows": ["..", ".."], "visible_to": "game_masters"},
    ]
    legend = [{"symbol": ".", "name": "floor"}, {"symbol": "#", "name": "wall", "gm": secret(9)}]
    grid = {"width": 2, "height": 2, "legend": legend, "layers": layers}
    made = await owner.map(universe["id"], grid_data=grid, visibility="members")
    await join(stranger, owner, universe["id"])
    for layer in ("ground", secret(3)):
        # The first by the fast statement, the second, of two edits, the plain way.
        for edits in (
            [{"op": "set", "layer": layer, "cells": [{"x": 1, "y": 0, "symbol": "#"}]}],
            [{"op": "set", "layer": layer, "cells": [{"x": 0, "y": n, "symbol": "#"}]} for n in (0, 1)],
        ):
            answer = await owner.client.post(f"/maps/{made['id']}/edits", json={"edits": edits})
            assert answer.status_code == 200, answer.text
    assert (await owner.client.post(f"/maps/{made['id']}/undo")).status_code == 200
    answer = await stranger.client.get(f"/universes/{universe['id']}/events")
    assert MARK not in answer.text
    payloads = [item["payload"] for item in answer.json()["items"] if item["kind"].startswith("map.")]
    wall = {"symbol": "#", "name": "wall"}
    assert payloads[1:] == [
        {
            "region": {"x": 1, "y": 0, "width": 1, "height": 1},
            "cells": [{"layer": "ground", "runs": [[1, 0, 1, "#"]]}],
            "legend": [wall],
        },
        {
            "region": {"x": 0, "y": 0, "width": 1, "height": 2},
            "cells": [{"layer": "ground", "runs": [[0, 0, 1, "#"], [0, 1, 1, "#"]]}],
            "legend": [wall],
        },
    ]


async def test_a_map_that_moves_or_is_hidden(owner: Person, stranger: Person) -> None:
    """Moving a map reveals nothing about it to members who did not see it, and no new name; if it is hidden, its
    history is not shown."""
    universe, other = await owner.universe(), await owner.universe()
    await join(stranger, owner, universe["id"])
    unseen = await owner.map(universe["id"], name=secret(30))
    inn = await owner.map(universe["id"], name="Inn", visibility="members")
    shown = await owner.map(universe["id"], name="Shown", visibility="members")
    away = {"universe_id": other["id"]}
    for map_id, fields in (
        (unseen["id"], {**away, "visibility": "members"}),
        (inn["id"], {**away, "name": secret(31)}),
        (shown["id"], {"visibility": "game_masters"}),
    ):
        assert (await owner.client.patch(f"/maps/{map_id}", json=fields)).status_code == 200
    answer = await stranger.client.get(f"/universes/{universe['id']}/events")
    assert MARK not in answer.text
    payloads = [
        (item["kind"], item["payload"]) for item in answer.json()["items"] if item["kind"].startswith("map.")
    ]
    assert ("map.moved_out", {"name": "Inn"}) in payloads
    assert "Shown" not in str(payloads)
    assert payloads[-1] == ("map.updated", {"visibility": "game_masters"})


async def test_a_hidden_map_that_is_deleted_or_moved(owner: Person, stranger: Person) -> None:
    """Its history stays hidden; of a map that members saw until then, they get that it is gone."""
    universe, other = await owner.universe(), await owner.universe()
    await join(stranger, owner, universe["id"])
    gone = []
    for name, is_moved in (("Hidden", False), ("Hidden", True), ("Seen", False), ("Seen", True)):
        made = await owner.map(
            universe["id"], name=name, visibility="members", grid_data={"width": 2, "height": 2}
        )
        token = {"name": "Guard", "x": 0, "y": 0}
        assert (await owner.client.post(f"/maps/{made['id']}/tokens", json=token)).status_code == 201
        path, hidden = f"/maps/{made['id']}", {"visibility": "game_masters"}
        if name == "Hidden":
            assert (await owner.client.patch(path, json=hidden)).status_code == 200
        away = (
            owner.client.patch(path, json={"universe_id": other["id"]}) if is_moved else owner.client.delete(path)
        )
        assert (await away).is_success
        event = ("map.moved_out", {"name": name}) if is_moved else ("map.deleted", {})
        gone.append((made["id"], *(event if name == "Seen" else ("map.updated", hidden))))
    items = (await stranger.client.get(f"/universes/{universe['id']}/events")).json()["items"]
    about = [item for item in items if item["kind"].startswith(("map.", "token."))]
    assert [(item["subject_id"], item["kind"], item["payload"]) for item in about] == gone


async def test_secret_work_leaves_no_trace(run: Any) -> None:
    await asyncio.to_thread(check_traces, run)
