"""Maps from other programs' files and back, over HTTP. The formats themselves are tested in tests/grid/formats."""

from asyncio import create_task
from base64 import b64decode, b64encode
from io import BytesIO
from struct import pack
from typing import Any
from uuid import uuid4
from zlib import compress, crc32

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from PIL import Image

from tests.conftest import Person
from tests.grid.formats.samples import file, png

TILED = {
    "type": "map",
    "version": "1.10",
    "tiledversion": "1.11.0",
    "orientation": "orthogonal",
    "renderorder": "right-down",
    "infinite": False,
    "width": 3,
    "height": 2,
    "tilewidth": 16,
    "tileheight": 16,
    "nextlayerid": 2,
    "nextobjectid": 1,
    "tilesets": [
        {
            "firstgid": 1,
            "name": "tiles",
            "tilewidth": 16,
            "tileheight": 16,
            "tilecount": 4,
            "columns": 2,
            "image": "tiles.png",
            "imagewidth": 32,
            "imageheight": 32,
        }
    ],
    "layers": [
        {
            "type": "tilelayer",
            "id": 1,
            "name": "Ground",
            "x": 0,
            "y": 0,
            "width": 3,
            "height": 2,
            "visible": True,
            "opacity": 1,
            "data": [1, 2, 0, 2147483650, 1, 1],
        }
    ],
}


async def bring_in(person: Person, universe_id: str, data: bytes, **query: Any) -> httpx2.Response:
    headers = {"content-type": "application/json", **query.pop("headers", {})}
    params = {"universe_id": universe_id, **query}
    return await person.client.post("/maps/import", content=data, params=params, headers=headers)


class TestImport:
    async def test_a_file_as_the_body(self, owner: Person) -> None:
        universe = await owner.universe()
        answer = await bring_in(owner, universe["id"], orjson.dumps(TILED))
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert body["format"] == "tiled"
        assert body["maps"] is None
        stored = (await owner.client.get(f"/maps/{body['map']['id']}")).json()
        assert stored == body["map"]
        grid = stored["grid_data"]
        assert (grid["width"], grid["height"], [layer["name"] for layer in grid["layers"]]) == (3, 2, ["Ground"])
        first, second = grid["layers"][0]["rows"]
        assert (first[0] == second[1] == second[2], first[2]) == (True, " ")
        assert len({first[0], first[1], second[0]}) == 3

    async def test_files_of_a_form(self, owner: Person) -> None:
        universe = await owner.universe()
        files = {"files": ("cellar.txt", b"#####\n#...#\n##+##\n")}
        answer = await owner.client.post("/maps/import", params={"universe_id": universe["id"]}, files=files)
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert (body["format"], body["map"]["name"]) == ("text", "cellar")
        assert body["map"]["grid_data"]["layers"][0]["rows"] == ["#####", "#...#", "##+##"]

    async def test_a_dry_run_makes_nothing(self, owner: Person) -> None:
        universe = await owner.universe()
        answer = await bring_in(owner, universe["id"], orjson.dumps(TILED), dry_run=True)
        assert answer.status_code == 200
        body = answer.json()
        assert (body["map"], body["maps"]) == (None, None)
        assert body["found"] == [{"name": "map", "width": 3, "height": 2, "layers": ["Ground"], "entities": 0}]
        assert (await owner.client.get("/maps", params={"universe_id": universe["id"]})).json()["items"] == []

    async def test_sent_again_with_its_key_it_is_made_once(self, owner: Person) -> None:
        universe, key = await owner.universe(), {"Idempotency-Key": str(uuid4())}
        answers = [await bring_in(owner, universe["id"], orjson.dumps(TILED), headers=key) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert len((await owner.client.get("/maps", params={"universe_id": universe["id"]})).json()["items"]) == 1

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x1f\x8b\x08",
            b'{"type": "map", "width": 1e999}',
            orjson.dumps({**TILED, "width": 50_000, "height": 50_000}),
            orjson.dumps({**TILED, "layers": [{**TILED["layers"][0], "data": [1]}]}),  # type: ignore[index]  # JSON, typed as object
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><map>&b;</map>',
        ],
    )
    async def test_a_broken_file(self, owner: Person, data: bytes) -> None:
        universe = await owner.universe()
        answer = await bring_in(owner, universe["id"], data)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_FILE"), answer.text
        assert answer.json()["errors"][0]["message"]

    async def test_a_file_of_sixty_five_megabytes(self, owner: Person) -> None:
        universe = await owner.universe()
        # A picture with 49 MB of notes in it: 65 MB as base64.
        notes = b"tEXt" + b"a\0" + bytes([65]) * 49_000_000
        start, end = png(30, 20, "red")[:33], png(30, 20, "red")[33:]
        picture = start + pack(">I", len(notes) - 4) + notes + pack(">I", crc32(notes)) + end
        resolution = {"map_size": {"x": 3, "y": 2}, "pixels_per_grid": 10}
        data = orjson.dumps({"resolution": resolution, "image": b64encode(picture).decode()})
        answer = await bring_in(owner, universe["id"], data)
        assert answer.status_code == 201, answer.text
        asset = answer.json()["map"]["grid_data"]["background"]["asset_id"]
        assert (await owner.client.get(f"/assets/{asset}")).content == picture

    async def test_the_error_for_a_larger_file_names_the_limit(self, owner: Person) -> None:
        universe = await owner.universe()
        answer = await bring_in(owner, universe["id"], bytes(64 * 2**20 + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
        assert "67108864 bytes (64 MiB)" in answer.json()["detail"]

    async def test_a_broken_form(self, owner: Person) -> None:
        universe = await owner.universe()
        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = await bring_in(owner, universe["id"], b"--y\r\nnonsense", headers=headers)
        assert (answer.status_code, answer.json()["code"]) in ((400, "BAD_REQUEST"), (422, "INVALID_FILE"))

    async def test_stores_the_picture_that_levels_share_once(self, owner: Person) -> None:
        universe = await owner.universe()
        root = orjson.loads(file("cave.ldtk"))
        level = root["worlds"][0]["levels"][0]
        root["worlds"][0]["levels"] = [level | {"identifier": name, "iid": name} for name in ("A", "B", "C")]
        files = [("files", ("a.ldtk", orjson.dumps(root))), ("files", ("rocks.png", png(16, 16, "red")))]
        answer = await owner.client.post("/maps/import", params={"universe_id": universe["id"]}, files=files)
        assert len(answer.json()["maps"]) == 3, answer.text
        assets = (await owner.client.get(f"/universes/{universe['id']}/assets")).json()["items"]
        assert [asset["name"] for asset in assets] == ["rocks.png"]
        legends = [one["grid_data"]["legend"] for one in answer.json()["maps"]]
        named = {entry["picture"]["asset_id"] for legend in legends for entry in legend if "picture" in entry}
        assert named == {assets[0]["id"]}

    async def test_holds_no_connection_while_it_computes(
        self, owner: Person, stranger: Person, app: FastAPI
    ) -> None:
        universe = await owner.universe()
        size = 700
        cells = b64encode(compress(b"\1\0\0\0" * size * size)).decode()
        layer = {**TILED["layers"][0], "width": size, "height": size, "data": cells}  # type: ignore[index]  # JSON, typed as object
        layer |= {"encoding": "base64", "compression": "zlib"}
        data = orjson.dumps({**TILED, "width": size, "height": size, "layers": [layer] * 2})
        many = app.state.settings.database_pool_size + 4
        imports = [create_task(bring_in(owner, universe["id"], data, dry_run=True)) for _ in range(many)]
        reads = 0
        while not all(each.done() for each in imports):
            assert (await stranger.client.get("/universes")).status_code == 200
            assert (await stranger.client.post("/universes", json={"name": "Elsewhere"})).status_code == 201
            reads += 1
        assert reads > 5
        assert {(await each).status_code for each in imports} <= {200, 429, 503}
        assert 200 in {(await each).status_code for each in imports}

    async def test_with_a_picture_that_is_not_taken(self, owner: Person) -> None:
        universe = await owner.universe()
        files = [("files", ("cave.tmj", orjson.dumps(TILED))), ("files", ("tiles.png", b"GIF89a" + bytes(20)))]
        answer = await owner.client.post("/maps/import", params={"universe_id": universe["id"]}, files=files)
        assert answer.status_code == 201, answer.text
        [warning] = answer.json()["warnings"]
        assert (warning["code"], warning["place"]) == ("PICTURE_REFUSED", "tiles.png")
        assert warning["message"].endswith("Reason: tiles.png: is not a PNG, JPEG or WebP picture.")

    async def test_into_a_universe_of_another_user(
        self, owner: Person, stranger: Person, client: httpx2.AsyncClient
    ) -> None:
        universe = await owner.universe()
        assert (await bring_in(stranger, universe["id"], orjson.dumps(TILED))).status_code == 404
        nobody = Person(client, "", "", "")
        assert (await bring_in(nobody, universe["id"], orjson.dumps(TILED))).status_code == 401


class TestExport:
    @pytest.mark.parametrize(
        ("format", "start"),
        [("tiled", b"<?xml"), ("tmj", b"{"), ("ldtk", b"{"), ("uvtt", b"{"), ("text", b"")],
    )
    async def test_and_in_again(self, owner: Person, format: str, start: bytes) -> None:
        universe = await owner.universe()
        one = (await bring_in(owner, universe["id"], orjson.dumps(TILED))).json()["map"]
        out = await owner.client.get(f"/maps/{one['id']}/export", params={"format": format})
        assert out.status_code == 200, out.text
        assert out.content.startswith(start)
        assert "attachment" in out.headers["content-disposition"]
        back = (await bring_in(owner, universe["id"], out.content)).json()
        assert back["format"] == ("tiled" if format == "tmj" else format)
        if format in ("tiled", "tmj"):
            assert back["map"]["grid_data"]["layers"] == one["grid_data"]["layers"]

    async def test_tells_what_is_lost(self, owner: Person) -> None:
        walls = [{"x1": 0, "y1": n, "x2": 1, "y2": n, "blocks_sight": False} for n in range(40)]
        grid = {"width": 9, "height": 9, "walls": walls, "properties": {"a": "\u00e9"}}
        one = await owner.map(grid_data=grid)
        out = await owner.client.get(f"/maps/{one['id']}/export", params={"format": "uvtt"})
        warnings = orjson.loads(out.headers["x-warnings"])
        assert [warning["code"] for warning in warnings] == ["WALLS_LOST", "PROPERTIES_LOST"]
        assert all(set(warning) == {"code", "place", "message"} for warning in warnings)

    async def test_draws_cells_over_a_background(self, owner: Person) -> None:
        universe = await owner.universe()
        picture = png(40, 20, "red")
        files = {"file": ("sky.png", picture, "image/png")}
        asset = (await owner.client.post(f"/universes/{universe['id']}/assets", files=files)).json()
        grid = {
            "width": 2,
            "height": 1,
            "background": {"asset_id": asset["id"], "x": 0, "y": 0, "width": 2, "height": 1},
            "legend": [{"symbol": "#", "color": "#0000ff"}],
            "layers": [{"name": "a", "rows": ["# "]}],
        }
        one = await owner.map(universe["id"], grid_data=grid)
        out = await owner.client.get(f"/maps/{one['id']}/export", params={"format": "uvtt"})
        with Image.open(BytesIO(b64decode(out.json()["image"]))) as image:
            left, right = (image.convert("RGB").getpixel((x, image.height // 2)) for x in (5, image.width - 5))
        assert left[2] > 150 > left[0]  # type: ignore[index,operator]  # an RGB pixel
        assert right[0] > 150 > right[2]  # type: ignore[index,operator]  # an RGB pixel

    async def test_of_another_user(self, owner: Person, stranger: Person) -> None:
        one = await owner.map()
        answer = await stranger.client.get(f"/maps/{one['id']}/export", params={"format": "text"})
        assert answer.status_code == 404
