"""Assets over HTTP: one class for each operation."""

import os
import struct
import zlib
from io import BytesIO
from json import dumps, loads
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from PIL import Image

from game.core.settings import Settings
from game.main import create_app, lifespan
from tests.conftest import Person, somebody


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 6)) -> bytes:
    """A small picture."""
    buffer = BytesIO()
    Image.new("RGB", size, "#7f5539").save(buffer, kind)
    return buffer.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its data does not have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


async def upload(
    person: Person, universe: dict[str, Any], data: bytes, name: str = "map.png", **headers: str
) -> Any:
    return await person.client.post(
        f"/universes/{universe['id']}/assets", files={"file": (name, data)}, headers=headers
    )


class TestCreate:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    async def test_and_read_back(self, owner: Person, kind: str) -> None:
        data = picture(kind)
        answer = await upload(owner, await owner.universe(), data, "../a/background.bin")
        assert answer.status_code == 201, answer.text
        asset = answer.json()
        assert (asset["name"], asset["media_type"]) == ("background.bin", f"image/{kind.lower()}")
        assert (asset["width"], asset["height"]) == (8, 6)
        got = await owner.client.get(asset["url"])
        assert (got.content, got.headers["content-type"]) == (data, f"image/{kind.lower()}")
        assert got.headers["x-content-type-options"] == "nosniff"
        again = await owner.client.get(asset["url"], headers={"If-None-Match": got.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

    @pytest.mark.parametrize(
        "data",
        [b"", b"<svg onload='alert(1)'/>", b"GIF89a" + b"\0" * 20, picture()[:40], huge_png(50_000, 50_000)],
    )
    async def test_no_picture(self, owner: Person, data: bytes) -> None:
        universe = await owner.universe()
        answer = await upload(owner, universe, data)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_PICTURE")
        assert (await owner.client.get(f"/universes/{universe['id']}/assets")).json()["items"] == []

    async def test_larger_than_other_bodies(self, owner: Person) -> None:
        universe = await owner.universe()
        noise = Image.frombytes("RGB", (1400, 1400), os.urandom(1400 * 1400 * 3))
        buffer = BytesIO()
        noise.save(buffer, "PNG")
        assert len(buffer.getvalue()) > 4 * 2**20
        assert (await upload(owner, universe, buffer.getvalue())).status_code == 201

    async def test_up_to_a_limit_that_the_answer_names(self, settings: Settings) -> None:
        app = create_app(settings.model_copy(update={"max_import_size": 5 * 2**20}))
        async with lifespan(app):
            person = await somebody(app)
            answer = await upload(person, await person.universe(), b"\0" * (6 * 2**20))
            await person.client.aclose()
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
        assert "5242880 bytes (5 MiB)" in answer.json()["detail"]

    async def test_sent_again_with_its_key_there_is_one(self, owner: Person) -> None:
        universe, key = await owner.universe(), {"Idempotency-Key": str(uuid4())}
        first = await upload(owner, universe, picture(), **key)
        assert (await upload(owner, universe, picture(), **key)).json() == first.json()
        assert (await upload(owner, universe, picture("JPEG"), **key)).status_code == 422
        assert len((await owner.client.get(f"/universes/{universe['id']}/assets")).json()["items"]) == 1


class TestStrangers:
    async def test_see_and_change_nothing(
        self, owner: Person, stranger: Person, client: httpx2.AsyncClient
    ) -> None:
        universe = await owner.universe()
        asset = (await upload(owner, universe, picture())).json()
        for who, status in ((client, 401), (stranger.client, 404)):
            files = {"file": ("a.png", picture())}
            assert (await who.post(f"/universes/{universe['id']}/assets", files=files)).status_code == status
            assert (await who.get(f"/universes/{universe['id']}/assets")).status_code == status
            assert (await who.get(asset["url"])).status_code == status
            assert (await who.delete(asset["url"])).status_code == status
        assert (await owner.client.get(asset["url"])).status_code == 200


class TestPlayers:
    """A picture is there for them while a key `asset_id` that they are sent names it."""

    @pytest.mark.parametrize(
        ("grid", "status"),
        [
            ({"background": {"asset_id": "ID", "x": 0, "y": 0, "width": 1, "height": 1}}, 200),
            ({"background": {"asset_id": "UPPER", "x": 0, "y": 0, "width": 1, "height": 1}}, 200),
            ({"entities": [{"id": "a", "x": 0, "y": 0, "look": [{"asset_id": "ID"}]}]}, 200),
            ({"legend": [{"symbol": ".", "picture": {"asset_id": "UPPER"}}]}, 200),
            ({"legend": [{"symbol": "#", "picture": {"asset_id": "ID"}}]}, 404),
            ({"legend": [{"symbol": ".", "name": "ID"}]}, 404),
            ({"entities": [{"id": "ID", "x": 0, "y": 0, "name": "see ID"}]}, 404),
            ({"entities": [{"id": "a", "x": 0, "y": 0, "properties": {"ID": "asset_id"}}]}, 404),
            ({"entities": [{"id": "a", "x": 0, "y": 0, "hidden": True, "asset_id": "ID"}]}, 404),
        ],
    )
    async def test_what_shows_a_picture(
        self, owner: Person, stranger: Person, grid: dict[str, Any], status: int
    ) -> None:
        universe = await owner.universe()
        asset = (await upload(owner, universe, picture())).json()
        legend = [{"symbol": ".", "name": "floor"}, {"symbol": "#", "name": "wall"}]
        whole = {"width": 1, "height": 1, "legend": legend, "layers": [{"name": "g", "rows": ["."]}], **grid}
        if all(entry["symbol"] != "." for entry in whole["legend"]):
            whole["legend"] = [*whole["legend"], legend[0]]
        text = dumps(whole).replace("UPPER", asset["id"].upper()).replace("ID", asset["id"])
        await owner.map(universe["id"], visibility="members", grid_data=loads(text))
        invited = await owner.client.post(f"/universes/{universe['id']}/invitations", json={"role": "player"})
        await stranger.client.post(f"/invitations/{invited.json()['code']}/accept")
        assert (await stranger.client.get(asset["url"])).status_code == status


class TestDelete:
    async def test_is_an_event(self, owner: Person) -> None:
        universe = await owner.universe()
        asset = (await upload(owner, universe, picture())).json()
        assert (await owner.client.delete(asset["url"])).status_code == 204
        assert (await owner.client.get(asset["url"])).status_code == 404
        events = (await owner.client.get(f"/universes/{universe['id']}/events")).json()["items"]
        assert [event["kind"] for event in events] == ["universe.created", "asset.created", "asset.deleted"]
