"""Smaller versions of pictures, made after the upload; and what happens when they cannot be."""

import asyncio
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from PIL import Image

from game.assets.scaling import scale
from game.grid.drawing import PictureError, Region, draw_png
from tests.assets.test_router import huge_png, picture, upload
from tests.conftest import PATIENCE_SECONDS, Person


def large(size: tuple[int, int] = (5000, 300), mode: str = "RGB") -> bytes:
    """A picture that needs smaller versions, and is small as a file."""
    file = BytesIO()
    Image.new(mode, size, "#7f5539").save(file, "PNG")
    return file.getvalue()


async def processed(person: Person, universe: dict[str, Any]) -> dict[str, Any]:
    """The only asset of a universe, when it is processed."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        [asset] = (await person.client.get(f"/universes/{universe['id']}/assets")).json()["items"]
        if asset["state"] != "processing":
            return dict(asset)
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


class TestProcessing:
    async def test_makes_a_background_and_a_thumbnail(self, owner: Person) -> None:
        universe, data = await owner.universe(), large()
        answer = await upload(owner, universe, data)
        assert answer.json()["state"] == "processing"
        asset = await processed(owner, universe)
        assert (asset["state"], asset["width"], asset["bytes"]) == ("ready", 5000, len(data))
        for size, width in (("original", 5000), ("background", 4096), ("thumbnail", 256)):
            got = await owner.client.get(asset["url"], params={"size": size})
            assert got.status_code == 200
            assert Image.open(BytesIO(got.content)).width == width
        used = (await owner.client.get("/users/me/storage")).json()["assets"]["used"]
        assert used > len(data)

    async def test_a_small_picture_is_its_own_smaller_version(self, owner: Person) -> None:
        universe = await owner.universe()
        url = (await upload(owner, universe, picture())).json()["url"]
        for size in ("original", "background", "thumbnail"):
            assert (await owner.client.get(url, params={"size": size})).content == picture()
        assert (await processed(owner, universe))["state"] == "ready"

    async def test_a_broken_picture_has_failed(self, owner: Person) -> None:
        universe = await owner.universe()
        url = (await upload(owner, universe, huge_png(6000, 6000))).json()["url"]
        assert (await processed(owner, universe))["state"] == "failed"
        answer = await owner.client.get(url, params={"size": "thumbnail"})
        assert (answer.status_code, answer.json()["code"]) == (409, "PICTURE_NOT_READY")
        assert answer.json()["state"] == "failed"

    async def test_a_worker_that_dies_is_followed_by_another(
        self, app: FastAPI, owner: Person, database: asyncpg.Connection
    ) -> None:
        universe = await owner.universe()
        await upload(owner, universe, large())
        await processed(owner, universe)
        await database.execute(
            "DELETE FROM picture_file WHERE universe_id = $1 AND variant <> 'original'", universe["id"]
        )
        # As a worker leaves it that was killed in the middle.
        await database.execute(
            """UPDATE picture SET state = 'processing', attempts = 1, claimed_until = now() - interval '1 second'
            WHERE universe_id = $1""",
            universe["id"],
        )
        while await app.state.processing.process_next():
            pass
        assert (await processed(owner, universe))["state"] == "ready"
        await database.execute(
            "UPDATE picture SET state = 'processing', attempts = 3, claimed_until = NULL WHERE universe_id = $1",
            universe["id"],
        )
        while await app.state.processing.process_next():
            pass
        assert (await processed(owner, universe))["state"] == "failed"


class TestOnce:
    async def test_the_same_picture_is_stored_once(self, owner: Person, database: asyncpg.Connection) -> None:
        universe = await owner.universe()
        assets = [(await upload(owner, universe, picture(), name)).json() for name in ("a.png", "b.png")]
        assert [asset["name"] for asset in assets] == ["a.png", "b.png"]
        count = "SELECT count(*) FROM picture_file WHERE universe_id = $1"
        assert await database.fetchval(count, universe["id"]) == 1
        assert (await owner.client.delete(assets[0]["url"])).status_code == 204
        assert (await owner.client.get(assets[1]["url"])).content == picture()
        assert (await owner.client.delete(assets[1]["url"])).status_code == 204
        assert await database.fetchval(count, universe["id"]) == 0
        assert (await owner.client.get("/users/me/storage")).json()["assets"]["used"] == 0


class TestOrder:
    async def test_only_what_the_rows_have(self, owner: Person) -> None:
        path = f"/universes/{(await owner.universe())['id']}/assets"
        for sort in ("name", "-name", "created_at", "-created_at"):
            assert (await owner.client.get(path, params={"sort": sort})).status_code == 200
        assert (await owner.client.get(path, params={"sort": "updated_at"})).status_code == 422

    async def test_a_broken_form_is_a_problem(self, owner: Person) -> None:
        path = f"/universes/{(await owner.universe())['id']}/assets"
        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = await owner.client.post(path, content=b"--x\r\nnonsense", headers=headers)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"


_DRAW = """
import re, sys
from pathlib import Path
from game.grid.drawing import Region, draw_png

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

background = {"asset_id": "a", "x": 0, "y": 0, "width": 10, "height": 10}
region = Region.of({"width": 10, "height": 10, "background": background})
before = peak()
Path(sys.argv[2]).write_bytes(draw_png(region, background=Path(sys.argv[1]).read_bytes()))
print(peak() - before)
"""


class TestMemory:
    def test_of_a_drawing_is_bounded(self, tmp_path: Path) -> None:
        [background, thumbnail] = scale(large((8000, 8000)))
        assert Image.open(BytesIO(background.data)).size == (4096, 4096)
        assert Image.open(BytesIO(thumbnail.data)).size == (256, 256)
        (tmp_path / "background").write_bytes(background.data)
        arguments = [str(tmp_path / "background"), str(tmp_path / "drawn.png")]
        ran = subprocess.run([sys.executable, "-c", _DRAW, *arguments], capture_output=True, check=True)
        drawn = Image.open(tmp_path / "drawn.png").convert("RGB")
        assert drawn.size == (320, 320)
        middle = drawn.getpixel((160, 160))
        assert isinstance(middle, tuple)
        assert all(abs(part - wanted) <= 2 for part, wanted in zip(middle, (127, 85, 57), strict=True))
        # Of the whole picture it took 730 MB.
        assert 0 < int(ran.stdout) < 150 * 1024

    def test_a_background_of_too_many_pixels_is_not_decoded(self) -> None:
        background = {"asset_id": "a", "x": 0, "y": 0, "width": 10, "height": 10}
        region = Region.of({"width": 10, "height": 10, "background": background})
        with pytest.raises(PictureError, match="pixels"):
            draw_png(region, background=large((8000, 8000)))
