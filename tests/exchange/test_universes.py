"""A universe as one file, over HTTP: out, and in again."""

import io
import zipfile
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import orjson
import pytest

from seed.loader import content
from tests.assets.test_router import picture, upload
from tests.characters.test_router import create as create_character
from tests.conftest import Person
from tests.fog.conftest import ROOM, SIGHT
from tests.members.test_router import join
from tests.rolls.test_router import Table
from tests.rolls.test_router import table as table


async def full_universe(owner: Person) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A universe with the demo's maps, a picture, and a history."""
    universe = await owner.universe(name="Ünïverse/..", description="Old.")
    asset = (await upload(owner, universe, picture())).json()
    _, documents = content()
    background = {"asset_id": asset["id"], "x": 0, "y": 0, "width": 2, "height": 2}
    documents[0]["grid_data"]["background"] = background
    maps = [await owner.map(universe["id"], **one) for one in documents]
    edits = [{"op": "fill_rectangle", "layer": maps[0]["grid_data"]["layers"][0]["name"], "x": 0, "y": 0}]
    edits[0] |= {"width": 3, "height": 2, "symbol": " "}
    assert (await owner.client.post(f"/maps/{maps[0]['id']}/edits", json={"edits": edits})).status_code == 200
    assert (await owner.client.patch(f"/maps/{maps[1]['id']}", json={"name": "Renamed"})).status_code == 200
    return universe, [(await owner.client.get(f"/maps/{one['id']}")).json() for one in maps]


async def bring_in(person: Person, data: bytes) -> httpx2.Response:
    return await person.client.post("/universes/import", files={"file": ("universe.zip", data)})


class TestThereAndBack:
    async def test_everything_is_imported_with_new_ids(self, owner: Person, stranger: Person) -> None:
        universe, maps = await full_universe(owner)
        out = await owner.client.get(f"/universes/{universe['id']}/export")
        assert out.status_code == 200
        assert out.headers["content-type"] == "application/zip"
        answer = await bring_in(stranger, out.content)
        assert answer.status_code == 201, answer.text
        copy = answer.json()
        assert copy["id"] != universe["id"]
        assert (copy["name"], copy["description"], copy["owner_id"]) == (universe["name"], "Old.", stranger.id)
        listed = (await stranger.client.get("/maps", params={"universe_id": copy["id"]})).json()["items"]
        copies = [(await stranger.client.get(f"/maps/{one['id']}")).json() for one in listed]
        [asset] = (await stranger.client.get(f"/universes/{copy['id']}/assets")).json()["items"]
        assert (await stranger.client.get(asset["url"])).content == picture()
        assert copies[0]["grid_data"]["background"]["asset_id"] == asset["id"]
        for one, other in zip(maps, copies, strict=True):
            one["grid_data"].pop("background", None)
            other["grid_data"].pop("background", None)
            for field in ("name", "description", "grid_data", "version"):
                assert other[field] == one[field]
            assert other["id"] != one["id"]

    async def test_what_was_said_and_rolled(self, table: Table, stranger: Person) -> None:
        """But for whispers and for what is for the roller alone: neither the owner's own nor others' are in it."""
        ashe = (await create_character(table.player, table.universe_id))["id"]
        deep = "-(1+" * 15 + "2d6kh1 [fire]" + ")" * 15
        shown = await table.roll(table.player, deep, reason="Why", character_id=ashe)
        blind = await table.roll(table.player, "d20", visibility="blind")
        await table.roll(table.player, "7", visibility="me", reason="x5EcReT")
        await table.roll(table.owner, "7", visibility="me", reason="x5EcReT")
        for person, text, to in (
            (table.player, "Hello", None),
            (table.player, "x5EcReT", [table.other.id]),
            (table.owner, "x5EcReT", [table.game_master.id]),
        ):
            said = {"text": text, "to": to}
            answer = await person.client.post(f"/universes/{table.universe_id}/messages", json=said)
            assert answer.status_code == 201
        out = await table.owner.client.get(f"/universes/{table.universe_id}/export")
        unpacked = zipfile.ZipFile(io.BytesIO(out.content))
        for name in unpacked.namelist():
            assert b"x5EcReT" not in unpacked.read(name), name
        answer = await bring_in(stranger, out.content)
        assert answer.status_code == 201, answer.text
        path = f"/universes/{answer.json()['id']}"
        second, first = (await stranger.client.get(f"{path}/rolls")).json()["items"]
        for field in ("expression", "total", "terms", "text", "visibility", "reason", "created_at"):
            assert first[field] == shown[field]
        assert (first["actor_id"], first["proof"]) == (None, None)
        assert first["id"] != shown["id"]
        assert first["character_id"] not in (None, ashe)
        assert (second["expression"], blind["total"], type(second["total"])) == ("d20", None, int)
        [message] = (await stranger.client.get(f"{path}/messages")).json()["items"]
        assert (message["text"], message["actor_id"], message["to"]) == ("Hello", None, None)
        items = (await stranger.client.get(f"{path}/events", params={"limit": 1000})).json()["items"]
        about = {one["subject_id"]: one for one in items}
        assert about[first["id"]]["payload"]["terms"] == shown["terms"]
        assert about[message["id"]]["payload"]["text"] == "Hello"
        assert [one["kind"] for one in items].count("private") == 4

    async def test_the_history_is_imported_and_can_be_restored(self, owner: Person, stranger: Person) -> None:
        universe, _ = await full_universe(owner)
        out = await owner.client.get(f"/universes/{universe['id']}/export")
        copy = (await bring_in(stranger, out.content)).json()
        theirs, ours = [
            (await person.client.get(f"/universes/{one['id']}/events")).json()["items"]
            for person, one in ((owner, universe), (stranger, copy))
        ]
        assert [event["kind"] for event in ours] == [*(event["kind"] for event in theirs), "universe.imported"]
        assert [event["seq"] for event in ours] == list(range(1, len(ours) + 1))
        assert {event["actor_id"] for event in ours[:-1]} == {None}
        [edit] = [event for event in ours if event["kind"] == "map.edited"]
        before = await stranger.client.get(f"/maps/{edit['subject_id']}", params={"at_seq": edit["seq"] - 1})
        _, documents = content()
        assert before.json()["grid_data"]["layers"] == documents[0]["grid_data"]["layers"]

    async def test_of_a_token_that_was_resized(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        made = await owner.map(universe["id"], grid_data={"width": 4, "height": 4})
        token = (
            await owner.client.post(f"/maps/{made['id']}/tokens", json={"name": "Ashe", "x": 0, "y": 0})
        ).json()
        assert (await owner.client.patch(f"/tokens/{token['id']}", json={"size": 2})).status_code == 200
        out = await owner.client.get(f"/universes/{universe['id']}/export")
        copy = await bring_in(stranger, out.content)
        assert copy.status_code == 201, copy.text

    async def test_players_remember_what_they_see_from_then_on(self, owner: Person) -> None:
        universe = await owner.universe()
        made = await owner.map(universe["id"], grid_data=ROOM, visibility="members", fog="explored")
        token = {"name": "Ashe", "x": 1, "y": 2, "sight": SIGHT, "grants": {"members": ["sight"]}}
        assert (await owner.client.post(f"/maps/{made['id']}/tokens", json=token)).status_code == 201
        opened = await owner.client.post(f"/maps/{made['id']}/doors/door", json={"state": "open"})
        assert opened.status_code == 200
        out = await owner.client.get(f"/universes/{universe['id']}/export")
        copy = (await bring_in(owner, out.content)).json()
        [here] = (await owner.client.get("/maps", params={"universe_id": copy["id"]})).json()["items"]
        path = f"/maps/{here['id']}"
        for state, row in (("open", "2" * 12), ("closed", "222222111111")):
            assert (await owner.client.post(f"{path}/doors/door", json={"state": state})).status_code == 200
            assert (await owner.client.get(f"{path}/fog?as=members")).json()["rows"][2] == row

    async def test_a_stranger_takes_nothing_out(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        assert (await stranger.client.get(f"/universes/{universe['id']}/export")).status_code == 404


async def everything_played(person: Person, universe_id: str) -> dict[str, list[dict[str, Any]]]:
    """The tokens, characters, notes and encounters of a universe, whole."""
    [on_map] = (await person.client.get("/maps", params={"universe_id": universe_id})).json()["items"]
    assert on_map["fog"] == "explored"
    found = {"tokens": (await person.client.get(f"/maps/{on_map['id']}/tokens")).json()["items"]}
    for kind in ("characters", "notes", "encounters"):
        items = (await person.client.get(f"/universes/{universe_id}/{kind}")).json()["items"]
        found[kind] = [(await person.client.get(f"/{kind}/{one['id']}")).json() for one in items]
    return found


async def test_nobody_is_named(table: Table, stranger: Person) -> None:
    """A file has no ids and names of users, not even in the log."""
    owner, path = table.owner.client, f"/universes/{table.universe_id}"
    await join(stranger, table.owner, table.universe_id)
    made = await table.owner.map(
        table.universe_id,
        grid_data={"width": 2, "height": 2},
        visibility="members",
        fog="sight",
        fog_sharing="each",
    )
    grants = {"members": ["see"], stranger.id: ["act"]}
    for url, body in (
        (f"{path}/characters", {"name": "Ashe"}),
        (f"{path}/notes", {"title": "Map"}),
        (f"/maps/{made['id']}/tokens", {"name": "Ashe", "x": 0, "y": 0}),
    ):
        location = (await owner.post(url, json={**body, "grants": grants})).headers["location"]
        assert (await owner.patch(location, json={"grants": {}})).status_code == 200
    reveal = {"all": True, "for": [stranger.id]}
    assert (await owner.post(f"/maps/{made['id']}/fog/reveal", json=reveal)).status_code == 200
    member = f"{path}/members/{stranger.id}"
    assert (await owner.patch(member, json={"role": "spectator"})).status_code == 200
    assert (await owner.delete(member)).status_code == 204
    assert (await owner.post(f"{path}/owner", json={"user_id": table.player.id})).status_code == 200
    out = await table.player.client.get(f"{path}/export")
    with zipfile.ZipFile(io.BytesIO(out.content)) as file:
        content = b"".join(map(file.read, file.namelist()))
        events = [orjson.loads(line) for line in file.read("events.jsonl").splitlines()]
    for person in (table.owner, table.player, stranger):
        name = (await person.client.get("/users/me")).json()["display_name"]
        assert person.id.encode() not in content
        assert name.encode() not in content
    assert {"member.joined", "member.updated", "member.removed"} <= {event["kind"] for event in events}
    assert [event["payload"]["grants"] for event in events if event["kind"] == "token.created"] == [
        {"members": ["see"]}
    ]
    assert (await bring_in(stranger, out.content)).status_code == 201


class TestWhatIsPlayedWith:
    async def test_are_imported(self, owner: Person, stranger: Person) -> None:
        """With new ids, and with grants only to all members: who a file names may be anybody."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        post = owner.client.post
        asset = (await upload(owner, universe, picture())).json()
        made = await owner.map(universe["id"], grid_data={"width": 4, "height": 4}, visibility="members")
        assert (await owner.client.patch(f"/maps/{made['id']}", json={"fog": "explored"})).status_code == 200
        grants = {"members": ["see"], stranger.id: ["act"]}
        path = f"/universes/{universe['id']}"
        sheet = {"level": 3, "story": "é\n" * 9}
        body = {"name": "Ashe", "sheet": sheet, "asset_id": asset["id"], "grants": grants, "gm": [1]}
        character = (await post(f"{path}/characters", json=body)).json()
        token = {
            "x": 1,
            "y": 2,
            "character_id": character["id"],
            "hidden": True,
            "sight": {"range": 3},
            "gm": "spy",
        }
        token |= {"bars": [{"name": "hp", "value": 1, "max": 2}], "asset_id": asset["id"], "grants": grants}
        assert (await post(f"/maps/{made['id']}/tokens", json=token)).status_code == 201
        body = {"title": "Map", "body": f"![x]({asset['url']})", "map_id": made["id"], "x": 1, "y": 2.5}
        assert (await post(f"{path}/notes", json={**body, "grants": grants})).status_code == 201
        assert (await stranger.client.post(f"{path}/notes", json={"title": "Journal"})).status_code == 201
        combatants = [
            {"character_id": character["id"], "initiative": 12, "effects": [{"name": "bless", "rounds": 3}]},
            {"name": "Spy", "hidden": True, "initiative": 11.5, "gm": "x"},
        ]
        body = {"name": "At the well", "map_id": made["id"], "combatants": combatants, "gm": {"a": 1}}
        encounter = (await post(f"{path}/encounters", json=body)).json()
        for verb in ("start", "next"):
            assert (await post(f"/encounters/{encounter['id']}/{verb}")).status_code == 200
        out = await owner.client.get(f"{path}/export")
        copy = (await bring_in(owner, out.content)).json()
        theirs, ours = [await everything_played(owner, one) for one in (universe["id"], copy["id"])]
        [new_map] = (await owner.client.get("/maps", params={"universe_id": copy["id"]})).json()["items"]
        [new_asset] = (await owner.client.get(f"/universes/{copy['id']}/assets")).json()["items"]
        [known], [handout, journal], [fight] = ours["characters"], ours["notes"], ours["encounters"]
        renamed = {character["id"]: known["id"], made["id"]: new_map["id"], asset["id"]: new_asset["id"]}
        expected = orjson.dumps(theirs).decode()
        for old, new in renamed.items():
            expected = expected.replace(old, new)
        for old, new in zip(orjson.loads(expected).values(), ours.values(), strict=True):
            for before, after in zip(old, new, strict=True):
                assert before["id"] != after["id"] or before["id"] == known["id"]
                for name in before.keys() - {
                    "id",
                    "universe_id",
                    "created_at",
                    "updated_at",
                    "grants",
                    "author_id",
                }:
                    assert after[name] == before[name], name
        assert (known["grants"], handout["grants"], journal["grants"]) == ({"members": ["see"]},) * 2 + ({},)
        assert fight["turn"] == fight["combatants"][1]["id"]
        assert ours["tokens"][0]["grants"] == {"members": ["see"]}
        # What it shows is seen by who may read it.
        await join(stranger, owner, copy["id"])
        assert (await stranger.client.get(new_asset["url"])).status_code == 200

    @pytest.mark.parametrize(
        ("name", "change", "place"),
        [
            ("characters", lambda it: {**it, "sheet": {"level": 21}}, "characters.jsonl: line 1: sheet.level"),
            ("characters", lambda it: {**it, "grants": {"x": ["see"]}}, "characters.jsonl: line 1: grants"),
            ("characters", lambda _: b"[]", "characters.jsonl: line 1"),
            ("tokens", lambda it: {**it, "x": 4}, "tokens.jsonl"),
            ("tokens", lambda it: {**it, "y": 0.5}, "tokens.jsonl"),
            ("tokens", lambda it: {**it, "size": 7}, "tokens.jsonl: line 1: size"),
            ("tokens", lambda it: {**it, "map_id": "x"}, "tokens.jsonl"),
            ("notes", lambda it: {**it, "body": "x" * 65_537}, "notes.jsonl: line 1"),
            ("notes", lambda it: {**it, "id": 5}, "notes.jsonl: line 1: id"),
            ("encounters", lambda it: {**it, "combatants": [{}]}, "encounters.jsonl: line 1: combatants.0"),
            (
                "encounters",
                lambda it: {**it, "turn": "01a1fbbf-0000-7000-8000-000000000000"},
                "encounters.jsonl: line 1",
            ),
            ("encounters", lambda it: {**it, "combatants": it["combatants"] * 2}, "encounters.jsonl: line 1"),
        ],
    )
    async def test_what_is_broken(
        self, owner: Person, name: str, change: Callable[[Any], Any], place: str
    ) -> None:
        universe = await owner.universe()
        for kind, body in (
            ("characters", {"name": "Ashe"}),
            ("notes", {"title": "x"}),
            ("encounters", {"name": "x", "combatants": [{"name": "x"}]}),
        ):
            assert (await owner.client.post(f"/universes/{universe['id']}/{kind}", json=body)).status_code == 201
        made = await owner.map(universe["id"], grid_data={"width": 4, "height": 4})
        body = {"name": "Ashe", "x": 1, "y": 1}
        assert (await owner.client.post(f"/maps/{made['id']}/tokens", json=body)).status_code == 201
        out = (await owner.client.get(f"/universes/{universe['id']}/export")).content
        answer = await bring_in(owner, changed(out, f"{name}.jsonl", change))
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_FILE"), answer.text
        assert answer.json()["errors"][0]["field"].startswith(place)


def changed(data: bytes, name: str, change: Callable[[Any], Any]) -> bytes:
    """A bundle with one JSON entry changed; None leaves it out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.namelist():
            content = source.read(entry)
            if entry.startswith(name):
                is_lines = entry.endswith(".jsonl")
                value = change(orjson.loads(content.splitlines()[0] if is_lines else content))
                if value is None:
                    continue
                content = value if isinstance(value, bytes) else orjson.dumps(value)
            target.writestr(entry, content)
    return out.getvalue()


class TestLargeMap:
    async def test_that_can_be_stored_is_read_back(self, owner: Person, database: asyncpg.Connection) -> None:
        """One of 67 million cells, more than a file of it may take in memory."""
        rows = [{"name": str(layer), "rows": ["#"]} for layer in range(4)]
        one = await owner.map(grid_data={"legend": [{"symbol": "#"}, {"symbol": "~"}], "layers": rows})
        await database.execute(
            """UPDATE map SET width = 4096, height = 4096,
                grid_data = grid_data || '{"width": 4096, "height": 4096}' WHERE id = $1""",
            UUID(one["id"]),
        )
        await database.execute(
            """INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)
            SELECT $1, $2, layer, x, y, (
                SELECT jsonb_agg(repeat(CASE WHEN (line * x + y) % 7 = layer THEN '#~' ELSE '##' END, 32))
                FROM generate_series(1, 64) line
            ) FROM generate_series(0, 3) layer, generate_series(0, 63) x, generate_series(0, 63) y
            ON CONFLICT (universe_id, map_id, layer, x, y) DO UPDATE SET rows = excluded.rows""",
            UUID(one["universe_id"]),
            UUID(one["id"]),
        )
        out = await owner.client.get(f"/universes/{one['universe_id']}/export", timeout=120)
        assert out.status_code == 200
        answer = await owner.client.post(
            "/universes/import", files={"file": ("universe.zip", out.content)}, timeout=120
        )
        assert answer.status_code == 201, answer.text
        same = """
            SELECT count(*), sum(hashtextextended(concat(layer, ' ', x, ' ', y, rows), 0))
            FROM map_chunk WHERE universe_id = $1
        """
        here, there = [
            await database.fetchrow(same, UUID(each)) for each in (one["universe_id"], answer.json()["id"])
        ]
        assert here == there
        assert here[0] == 4 * 64 * 64


class TestBrokenFiles:
    @pytest.mark.parametrize(
        ("name", "change", "place"),
        [
            ("worldkeep.json", lambda _: None, "worldkeep.json"),
            ("worldkeep.json", lambda _: b"[", "worldkeep.json"),
            ("worldkeep.json", lambda it: {**it, "format": "other"}, "worldkeep.json"),
            ("worldkeep.json", lambda it: {**it, "maps": ["../../etc/passwd"]}, "maps/../../etc/passwd.json"),
            ("worldkeep.json", lambda it: {**it, "maps": 5}, "worldkeep.json: maps"),
            ("worldkeep.json", lambda it: {**it, "universe": {"name": ""}}, "worldkeep.json: universe.name"),
            ("maps/", lambda it: {**it, "grid_data": {"width": -1}}, ": grid_data.width"),
            ("maps/", lambda it: {**it, "name": "a\0b"}, ": name"),
            ("maps/", lambda _: b'{"name": 1e999}', "maps/"),
            ("assets/", lambda _: b"<svg/>", "assets/"),
            ("events", lambda it: {**it, "seq": 7}, "events.jsonl: line 1"),
            ("events", lambda it: {**it, "payload": 7}, "events.jsonl: line 1"),
            ("events", lambda _: b"\xff\n", "events.jsonl: line 1"),
        ],
    )
    async def test_report_the_place_and_store_nothing(
        self, owner: Person, name: str, change: Callable[[Any], Any], place: str
    ) -> None:
        universe = await owner.universe()
        await owner.map(universe["id"])
        good = await upload(owner, universe, picture())
        assert good.status_code == 201
        out = (await owner.client.get(f"/universes/{universe['id']}/export")).content
        if name == "assets/":
            change, real = (lambda it: it), change
            out = replaced(out, "assets/", real(None))
        answer = await bring_in(owner, changed(out, name, change) if name != "assets/" else out)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_FILE")
        assert place in answer.json()["errors"][0]["field"]
        assert len((await owner.client.get("/universes")).json()["items"]) == 1

    async def test_no_zip_and_a_bomb(self, owner: Person) -> None:
        assert (await bring_in(owner, b"PK\x03\x04 nothing")).status_code == 422
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
            for number in range(10):
                file.writestr(f"assets/{number}", b"\0" * (60 * 2**20))
        assert len(bomb.getvalue()) < 2**20
        answer = await bring_in(owner, bomb.getvalue())
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "file")


def replaced(data: bytes, prefix: str, content: bytes) -> bytes:
    """A bundle with other bytes in the entries of a folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.namelist():
            target.writestr(entry, content if entry.startswith(prefix) else source.read(entry))
    return out.getvalue()
