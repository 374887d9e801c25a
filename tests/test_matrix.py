"""Who may do what: every operation of the OpenAPI document in every role, compared with `game.permissions`.

An operation without a row in the table fails here, and so does a row without an operation. A new operation is
called with its documented example; where that is not enough, PREPARED says how.
"""

import base64
import io
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from game.core.ids import uuid7
from game.maps.models import GRID_EXAMPLE
from game.permissions import PERMISSIONS, SPECIAL_CASES, Role, may
from tests.conftest import Person, new_client, sign_up_and_log_in
from tests.document import DOCUMENT, OPERATIONS


class TestTable:
    def test_every_operation_has_a_row(self) -> None:
        assert OPERATIONS.keys() - PERMISSIONS.keys() == set(), "say in game/permissions.py who may do this"

    def test_every_row_has_an_operation(self) -> None:
        assert PERMISSIONS.keys() - OPERATIONS.keys() == SPECIAL_CASES

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_the_document_says_which_need_a_log_in(self, name: str) -> None:
        _, _, operation = OPERATIONS[name]
        assert bool(operation.get("security")) == (not may(name, Role.anonymous))


class Things(NamedTuple):
    """What a request may be about: ids, by the first part of the path that they follow."""

    ids: dict[str, str]
    owner: Person
    member: Person
    refresh_token: str = ""
    bundle: bytes = b""

    def elsewhere(self) -> "Things":
        """The same, with ids that were never used."""
        return self._replace(ids={kind: str(uuid7()) for kind in self.ids})


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (1).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    pixels = zlib.compress(b"\0\xff\xff\xff")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _login_form(things: Things) -> dict[str, Any]:
    return {"data": {"username": things.owner.email, "password": things.owner.password}}


# The documented grid, with room for what the examples of other operations name.
GRID = {**GRID_EXAMPLE, "width": 8, "height": 8, "layers": [{"name": "ground", "rows": ["........"] * 8}]}
TILED = {
    "type": "map",
    "orientation": "orthogonal",
    "width": 1,
    "height": 1,
    "tilewidth": 8,
    "tileheight": 8,
    "layers": [],
    "tilesets": [],
}

# How to call what its documented example alone does not call.
PREPARED: dict[str, Callable[[Things], dict[str, Any]]] = {
    "logIn": _login_form,
    "logInWithCookie": _login_form,
    "registerUser": lambda _: {
        "json": {"email": f"{uuid7().hex}@example.com", "password": "correct horse battery"}
    },
    "refreshTokens": lambda things: {"json": {"refresh_token": things.refresh_token}},
    "transferUniverse": lambda things: {"json": {"user_id": things.member.id}},
    "updateUser": lambda _: {"json": {"display_name": "Somebody"}},
    "editMap": lambda _: {
        "json": {"edits": [{"op": "set", "layer": "ground", "cells": [{"x": 0, "y": 0, "symbol": "#"}]}]}
    },
    "findPath": lambda _: {"params": {"from": "0,0", "to": "1,1"}},
    "readSight": lambda _: {"params": {"from": "0,0"}},
    "readDistance": lambda _: {"params": {"from": "0,0", "to": "1,1"}},
    "moveToken": lambda _: {"json": {"x": 1, "y": 2}},
    "restoreMap": lambda _: {"json": {"seq": 2}},
    "createAsset": lambda _: {"files": {"file": ("dot.png", io.BytesIO(_png()), "image/png")}},
    "importMap": lambda _: {"json": TILED},
    "importUniverse": lambda things: {"files": {"file": ("universe.zip", things.bundle, "application/zip")}},
}


def call(name: str, things: Things) -> tuple[str, str, dict[str, Any]]:
    """Method, path and the rest of a request for an operation."""
    path, method, operation = OPERATIONS[name]
    before, braces, after = path.partition("{id}")
    if braces:
        path = before + things.ids[before.strip("/").rpartition("/")[2]] + after
    for parameter in ("user_id", "invitation_id", "code", "door_id"):
        path = path.replace(f"{{{parameter}}}", things.ids[parameter])
    rest: dict[str, Any] = {}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if name in PREPARED:
        rest = PREPARED[name](things)
    elif body:
        schema = DOCUMENT["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
        rest = {"json": dict(schema["examples"][0])}
    if "universe_id" in rest.get("json", {}):
        rest["json"]["universe_id"] = things.ids["universes"]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and parameter["required"]:
            rest.setdefault("params", {})[parameter["name"]] = _value(parameter, things)
    return method.upper(), path, rest


def _value(parameter: dict[str, Any], things: Things) -> Any:
    """Something that a required parameter of a query takes."""
    schema = parameter["schema"]
    if parameter["name"] == "universe_id":
        return things.ids["universes"]
    return next(iter(schema.get("examples") or schema.get("enum") or [max(schema["minimum"], 0)]))


def comparable(answer: httpx2.Response) -> tuple[int, dict[str, str], str]:
    """A response without the request's id."""
    request_id = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, headers, answer.text.replace(request_id, "")


ALLOWED = {200, 201, 202, 204, 400, 409}
"""A response of the operation itself. 400 and 409 tell of a token or a state that the example does not have."""


class Crowd(NamedTuple):
    """A user of every kind. The owner comes last, which shows that refused callers have changed nothing."""

    stranger: Person
    removed: Person
    spectator: Person
    player: Person
    game_master: Person
    superuser: Person
    owner: Person


SPENT = {
    "deleteUniverse",
    "deleteMap",
    "deleteAsset",
    "deleteCharacter",
    "deleteEncounter",
    "deleteToken",
    "deleteInvitation",
    "deleteNote",
    "removeMember",
    "transferUniverse",
}
"""Operations after which the next caller would find nothing, or be another user."""

ROLES = {"stranger": Role.signed_in, "removed": Role.signed_in}


async def make_crowd(app: FastAPI, database_url: str) -> Crowd:
    people = [await sign_up_and_log_in(new_client(app), display_name=role) for role in Crowd._fields]
    crowd = Crowd(*people)
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE account SET is_superuser = true WHERE id = $1", UUID(crowd.superuser.id))
    await connection.close()
    return crowd


@pytest.fixture(scope="module")
async def shared_crowd(app: FastAPI, database_url: str) -> Crowd:
    """The same users for all operations that end no session, because hashing passwords is slow."""
    return await make_crowd(app, database_url)


@pytest.fixture
async def crowd(request: Any, app: FastAPI, database_url: str, shared_crowd: Crowd) -> Crowd:
    path, _, _ = OPERATIONS[request.node.callspec.params["name"]]
    ends_log_ins = path.startswith("/auth") and request.cls is TestMatrix
    return await make_crowd(app, database_url) if ends_log_ins else shared_crowd


@pytest.fixture(scope="module")
def looked_at() -> dict[Any, Things]:
    """Things that are only looked at, by what they are of."""
    return {}


@pytest.fixture
async def things(
    request: Any,
    crowd: Crowd,
    new_person: Callable[..., Awaitable[Person]],
    database: asyncpg.Connection,
    looked_at: dict[Any, Things],
) -> Things:
    """One of each thing; the owner's, except for the user."""
    name = request.node.callspec.params["name"]
    path, method, _ = OPERATIONS[name]
    if method.upper() != "GET" or path.startswith("/auth") or request.cls is not TestMatrix:
        return await make_things(name, crowd, new_person, database)
    kind = (*path.split("/")[1:3], name == "readBackground")
    if kind not in looked_at:
        looked_at[kind] = await make_things(name, crowd, new_person, database)
    return looked_at[kind]


async def make_things(
    name: str, crowd: Crowd, new_person: Callable[..., Awaitable[Person]], database: asyncpg.Connection
) -> Things:
    path, _, _ = OPERATIONS[name]
    owner = crowd.owner
    made = await owner.map(grid_data=GRID, visibility="members")
    for role in ("spectator", "player", "game_master"):
        member = UUID(made["universe_id"]), UUID(getattr(crowd, role).id), role
        await database.execute("INSERT INTO member VALUES ($1, $2, $3)", *member)
    ids = {"maps": made["id"], "universes": made["universe_id"], "user_id": crowd.player.id}
    invitation = await owner.client.post(f"/universes/{made['universe_id']}/invitations", json={"role": "player"})
    ids |= {"invitation_id": invitation.json()["id"], "code": invitation.json()["code"], "door_id": "oak"}
    if path.startswith("/users/{id}"):
        ids["users"] = (await new_person()).id
    if path.startswith("/auth/sessions"):
        session = (await owner.client.get("/auth/sessions")).json()["items"][0]
        ids["sessions"] = session["id"]
    if path.startswith("/assets") or name == "readBackground":
        file = {"file": ("dot.png", _png(), "image/png")}
        asset = await owner.client.post(f"/universes/{made['universe_id']}/assets", files=file)
        ids["assets"] = asset.json()["id"]
        # Players see a picture only where something shows it.
        background = {"asset_id": ids["assets"], "x": 0, "y": 0, "width": 8, "height": 8}
        edits = [{"op": "update_map", "changes": {"background": background}}]
        assert (await owner.client.post(f"/maps/{made['id']}/edits", json={"edits": edits})).status_code == 200
    if path.startswith("/characters"):
        sheet = {"hit_points": {"current": 5, "maximum": 9}}
        body = {"name": "Ashe", "sheet": sheet, "grants": {"members": ["act"]}}
        character = await owner.client.post(f"/universes/{made['universe_id']}/characters", json=body)
        ids["characters"] = character.json()["id"]
    if path.startswith("/notes"):
        body = {"title": "A letter", "grants": {"members": ["act"]}}
        # Who wrote it may also delete it.
        note = await crowd.player.client.post(f"/universes/{made['universe_id']}/notes", json=body)
        ids["notes"] = note.json()["id"]
    if path.startswith("/encounters"):
        body = {"name": "At the well", "combatants": [{"name": "Ashe"}]}
        encounter = await owner.client.post(f"/universes/{made['universe_id']}/encounters", json=body)
        ids["encounters"] = encounter.json()["id"]
        assert (await owner.client.post(f"/encounters/{ids['encounters']}/start")).status_code == 200
    if path.startswith("/rolls"):
        roll = await crowd.player.client.post(
            f"/universes/{made['universe_id']}/rolls", json={"expression": "d20"}
        )
        ids["rolls"] = roll.json()["id"]
    if "/doors/" in path:
        door = {"id": "oak", "x1": 1, "y1": 0, "x2": 1, "y2": 1, "state": "closed"}
        edits = [{"op": "put_door", "door": door}]
        assert (await owner.client.post(f"/maps/{made['id']}/edits", json={"edits": edits})).status_code == 200
        body = {"name": "Ashe", "x": 0, "y": 0, "grants": {"members": ["act"]}}
        assert (await owner.client.post(f"/maps/{made['id']}/tokens", json=body)).status_code == 201
    if path.startswith("/tokens"):
        bars = [{"name": "hit points", "value": 5, "max": 9}]
        body = {"name": "Ashe", "x": 1, "y": 1, "bars": bars, "grants": {"members": ["act"]}}
        token = await owner.client.post(f"/maps/{made['id']}/tokens", json=body)
        ids["tokens"] = token.json()["id"]
    bundle = b""
    if path == "/universes/import":
        bundle = (await owner.client.get(f"/universes/{made['universe_id']}/export")).content
    return Things(ids, owner, crowd.player, bundle=bundle)


OF_OWNER = {"account": "id = $1", "universe": "owner_id = $1"}
IN_UNIVERSE = (
    *("map", "map_chunk", "asset", "character", "token", "encounter", "note", "roll", "message"),
    *("member", "invitation", "event"),
)
STATE = "SELECT " + ", ".join(
    f"(SELECT string_agg(one::text, ',' ORDER BY one::text) FROM {table} one WHERE {which}) AS {table}"
    for table, which in {**OF_OWNER, **dict.fromkeys(IN_UNIVERSE, "universe_id = $2")}.items()
)


async def state(things: Things, database: asyncpg.Connection) -> dict[str, str]:
    """What the owner has, and what is in the universe, to see that nothing has changed."""
    row = await database.fetchrow(STATE, UUID(things.owner.id), UUID(things.ids["universes"]))
    return dict(row or ())


class TestMatrix:
    """Anonymous first, the owner last, which shows that refused callers change nothing."""

    @pytest.mark.parametrize("name", OPERATIONS)
    async def test_everybody(
        self,
        name: str,
        things: Things,
        client: httpx2.AsyncClient,
        crowd: Crowd,
        new_person: Callable[..., Awaitable[Person]],
        database: asyncpg.Connection,
    ) -> None:
        people = {"anonymous": client, **{role: person.client for role, person in crowd._asdict().items()}}
        before = await state(things, database)
        for person, browser in people.items():
            answer = await self.send(browser, name, things)
            if answer.status_code == 404:
                elsewhere = await self.send(browser, name, things.elsewhere())
                assert comparable(answer) == comparable(elsewhere), person
            role = ROLES.get(person) or Role(person)
            assert answer.status_code in self.expected(name, role), (person, answer.status_code, answer.text[:500])
            if answer.status_code not in ALLOWED:
                assert await state(things, database) == before, person
                continue
            if name in SPENT:
                things = await make_things(name, crowd, new_person, database)
            before = await state(things, database)

    @staticmethod
    async def send(client: httpx2.AsyncClient, name: str, things: Things) -> httpx2.Response:
        if name == "refreshTokens":
            # A refresh token works once.
            login = await client.post("/auth/jwt/login", **_login_form(things))
            things = things._replace(refresh_token=login.json()["refresh_token"])
        method, path, rest = call(name, things)
        return await client.request(method, path, **rest)

    @staticmethod
    def expected(name: str, role: Role) -> set[int]:
        path, _, _ = OPERATIONS[name]
        if name == "removeMember" and role is not Role.player:
            # The player is who is removed; they may remove themselves.
            name = "removeOtherMember"
        if may(name, role):
            # What users may do to their own objects, such as ending a session, they may not do to others'.
            own = path.startswith(("/auth", "/users")) and "{id}" in path and may(name, Role.signed_in)
            return {404} if own and role is not Role.owner else ALLOWED
        if role is Role.anonymous:
            return {401}
        return {404} if role is Role.signed_in and not path.startswith("/users") else {403}


COMES_FIRST = {
    "undoEdit": ["editMap"],
    "redoEdit": ["editMap", "undoEdit"],
    "startEncounter": ["endEncounter"],
    "revertEncounter": ["advanceEncounter"],
}
"""What has to be done before an operation that then answers 2xx."""
WITH_KEY = [
    name
    for name, (_, _, operation) in OPERATIONS.items()
    if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
]


async def make_a_spectator(person: Person, heir: Person, database: asyncpg.Connection) -> None:
    """Make a user a spectator everywhere, and another one the owner of their universes."""
    both = UUID(person.id), UUID(heir.id)
    async with database.transaction():
        await database.execute("UPDATE member SET role = 'spectator' WHERE user_id = $1", both[0])
        await database.execute(
            """
            WITH theirs AS (UPDATE universe SET owner_id = $2 WHERE owner_id = $1 RETURNING id)
            INSERT INTO member (universe_id, user_id, role) SELECT id, $2, 'owner' FROM theirs
            ON CONFLICT (universe_id, user_id) DO UPDATE SET role = 'owner'
            """,
            *both,
        )


class TestRepeats:
    """A response is repeated only to whom it could still be given."""

    @pytest.mark.parametrize("name", WITH_KEY)
    async def test_after_a_demotion_and_a_removal(
        self, name: str, things: Things, crowd: Crowd, database: asyncpg.Connection
    ) -> None:
        person = crowd.game_master if may(name, Role.game_master) else crowd.owner

        async def send(name: str, **headers: str) -> httpx2.Response:
            method, path, rest = call(name, things)
            return await person.client.request(method, path, headers=headers, **rest)

        for before in COMES_FIRST.get(name, ()):
            assert (await send(before)).is_success
        key = {"idempotency-key": uuid7().hex}
        first = await send(name, **key)
        assert first.is_success, f"say in COMES_FIRST what has to be done before: {first.text}"
        again = await send(name, **key)
        assert comparable(again) == comparable(first)
        await make_a_spectator(person, crowd.superuser, database)
        demoted = await send(name, **key)
        assert demoted.status_code == (first.status_code if may(name, Role.spectator) else 403)
        await database.execute("DELETE FROM member WHERE user_id = $1", UUID(person.id))
        removed = await send(name, **key)
        assert (removed.status_code, removed.json()["code"]) == (404, "NOT_FOUND")


# Things with grants, and how one is made of which a player knows only by a grant.
GRANTED: dict[str, tuple[str, dict[str, Any]]] = {
    "tokens": (
        "/maps/{maps}/tokens",
        {"name": "Bee", "x": 1, "y": 1, "hidden": True, "bars": [{"name": "hit points", "value": 5, "max": 9}]},
    ),
    "characters": (
        "/universes/{universes}/characters",
        {"name": "Bee", "sheet": {"hit_points": {"current": 5, "maximum": 9}}},
    ),
    "notes": ("/universes/{universes}/notes", {"title": "A letter"}),
}
ABOUT_GRANTED = [name for name, (path, _, _) in OPERATIONS.items() if path.split("/")[1] in GRANTED]


class TestGrants:
    """A player with each right to a token, a character or a note, and with none."""

    @pytest.mark.parametrize("name", ABOUT_GRANTED)
    async def test_each_right(self, name: str, things: Things, crowd: Crowd) -> None:
        kind = OPERATIONS[name][0].split("/")[1]
        where, body = GRANTED[kind]
        for right in (None, "see", "sheet", "sight", "act"):
            if kind == "notes" and right in ("sheet", "sight"):
                continue
            grants = {crowd.player.id: [right]} if right else {}
            made = await things.owner.client.post(where.format(**things.ids), json={**body, "grants": grants})
            assert made.status_code == 201, made.text
            one = things._replace(ids={**things.ids, kind: made.json()["id"]})
            method, path, rest = call(name, one)
            answer = await crowd.player.client.request(method, path, **rest)
            assert answer.status_code in self.expected(name, right), (right, answer.status_code, answer.text)

    @pytest.mark.parametrize("name", [name for name in ABOUT_GRANTED if name.endswith("Token")])
    async def test_each_right_under_fog(self, name: str, things: Things, crowd: Crowd) -> None:
        """A token where the player sees nothing, except through the token itself."""
        settings = {"visibility": "members", "fog": "sight", "grid_data": {"width": 9, "height": 9}}
        ground = await things.owner.map(things.ids["universes"], **settings)
        body = {"name": "Bee", "x": 1, "y": 1, "sight": {"range": 3}, "bars": GRANTED["tokens"][1]["bars"]}
        for right in (None, "see", "sheet", "sight", "act"):
            grants = {crowd.player.id: [right]} if right else {}
            made = await things.owner.client.post(f"/maps/{ground['id']}/tokens", json={**body, "grants": grants})
            assert made.status_code == 201, made.text
            one = things._replace(ids={**things.ids, "tokens": made.json()["id"]})
            method, path, rest = call(name, one)
            answer = await crowd.player.client.request(method, path, **rest)
            seen = {200} if name.startswith("read") else {403}
            expected = {"sight": seen, "act": self.expected(name, "act")}.get(right or "", {404})
            assert answer.status_code in expected, (right, answer.status_code, answer.text)
            gone = await things.owner.client.delete(f"/tokens/{made.json()['id']}")
            assert gone.status_code in (204, 404)

    @staticmethod
    def expected(name: str, right: str | None) -> set[int]:
        if right is None:
            return {404}
        if name.startswith("read"):
            # To know a token or a character takes `see`; the other rights are of no use without it, but for `act`.
            return {200} if right in ("see", "act") else {404}
        if name.startswith("delete"):
            return {403} if right in ("see", "act") else {404}
        return {"see": {403}, "act": ALLOWED}.get(right, {404})


class TestBearer:
    """An operation that needs a log-in does not accept a forged token."""

    @pytest.mark.parametrize("name", [name for name in OPERATIONS if not may(name, Role.anonymous)])
    async def test_forged_tokens(self, name: str, things: Things, client: httpx2.AsyncClient) -> None:
        tokens = things.owner.tokens
        header, payload, signature = tokens["access_token"].split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        for token in (
            "",
            "x",
            f"{none}.{payload}.",
            f"{header}.{payload}.{signature[::-1]}",
            things.refresh_token,
        ):
            method, path, rest = call(name, things)
            answer = await client.request(method, path, headers={"authorization": f"Bearer {token}"}, **rest)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
