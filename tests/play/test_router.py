"""Playing on maps over HTTP: one class for each operation. The rules themselves are tested in tests/grid."""

from io import BytesIO
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import httpx2
import pytest
from PIL import Image

from tests.assets.test_router import picture, upload
from tests.conftest import Person

ROOM = {
    "width": 7,
    "height": 5,
    "legend": [
        {"symbol": "#", "blocks_movement": True, "blocks_sight": True},
        {"symbol": "."},
        {"symbol": "~", "movement_cost": 2},
    ],
    "layers": [{"name": "ground", "rows": ["#######", "#..#..#", "#..#..#", "#.....#", "#######"]}],
    "entities": [{"id": "near", "x": 2, "y": 1}, {"id": "far", "x": 4, "y": 1}],
}


async def get(person: Person, map_id: str, path: str, **query: Any) -> httpx2.Response:
    return await person.client.get(f"/maps/{map_id}/{path}", params=query)


@pytest.mark.parametrize(
    "path",
    [
        "path?from=1,1&to=2,2",
        "sight?x=1&y=1&range=3",
        "distance?from=1,1&to=2,2",
        "area?shape=sphere&x=1&y=1&size=10",
        "image.png",
        "image.svg",
    ],
)
async def test_a_strangers_map_is_not_there(
    owner: Person, stranger: Person, client: httpx2.AsyncClient, path: str
) -> None:
    one = await owner.map(grid_data=ROOM)
    assert (await client.get(f"/maps/{one['id']}/{path}")).status_code == 401
    theirs = await stranger.client.get(f"/maps/{one['id']}/{path}")
    nothing = await stranger.client.get(f"/maps/{uuid4()}/{path}")
    assert theirs.status_code == nothing.status_code == 404
    assert {**theirs.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}


class TestPath:
    async def test_around_a_wall(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        answer = (await get(owner, one["id"], "path", **{"from": "2,1", "to": "4,1"})).json()
        cells = [(cell["x"], cell["y"]) for cell in answer.pop("cells")]
        assert (cells[0], cells[-1], (3, 3) in cells) == ((2, 1), (4, 1), True)
        assert answer == {"found": True, "cost": 30, "distance": 30, "unit": "ft", "reason": None}

    async def test_there_is_no_path(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        answer = (await get(owner, one["id"], "path", **{"from": "1,1", "to": "0,0"})).json()
        assert (answer["found"], answer["cells"]) == (False, [])
        assert answer["reason"]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"from": "1;1", "to": "2,2"}, "from"),
            ({"from": "1,1", "to": "7,0"}, "to"),
            ({"from": "1,1", "to": "2,2", "walker": "ghost"}, "walker"),
            ({"to": "2,2"}, "from"),
        ],
    )
    async def test_a_bad_parameter_is_named(self, owner: Person, query: dict[str, str], field: str) -> None:
        one = await owner.map(grid_data=ROOM)
        answer = await get(owner, one["id"], "path", **query)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


class TestSight:
    async def test_walls_hide_cells_and_entities(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        answer = (await get(owner, one["id"], "sight", x=1, y=1, range=10)).json()
        assert {key: answer[key] for key in ("x", "y", "width", "height")} == {
            "x": 0,
            "y": 0,
            "width": 7,
            "height": 5,
        }
        assert answer["rows"][1][:5] == "11110"
        assert [entity["id"] for entity in answer["entities"]] == ["near"]

    async def test_off_the_map(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        assert (await get(owner, one["id"], "sight", x=7, y=1)).status_code == 422
        assert (await get(owner, one["id"], "sight", x=1, y=1, range=1e9)).status_code == 422


class TestDistance:
    async def test_by_the_maps_rule(self, owner: Person) -> None:
        one = await owner.map(
            grid_data={**ROOM, "diagonal_rule": "5-10-5", "distance_unit": "m", "cell_distance": 1.5}
        )
        answer = await get(owner, one["id"], "distance", **{"from": "1,1", "to": "4,3"})
        assert answer.json() == {"cells": 4, "distance": 6, "unit": "m"}


class TestArea:
    async def test_a_sphere(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        answer = await get(owner, one["id"], "area", shape="sphere", x=2.5, y=2.5, size=5)
        assert {(cell["x"], cell["y"]) for cell in answer.json()["cells"]} == {
            (2, 2),
            (1, 2),
            (3, 2),
            (2, 1),
            (2, 3),
        }

    async def test_bad_parameters(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        for query in (
            {"shape": "blob", "size": 5},
            {"shape": "cone", "size": -1},
            {"shape": "cone", "size": "nan"},
        ):
            assert (await get(owner, one["id"], "area", x=1, y=1, **query)).status_code == 422


class TestPicture:
    async def test_png_of_a_part(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        answer = await get(owner, one["id"], "image.png", x=1, y=1, width=3, height=2, cell_size=20, grid=True)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        with Image.open(BytesIO(answer.content)) as picture:
            assert picture.size == (60, 40)

    async def test_svg(self, owner: Person) -> None:
        hostile = [{"id": "a", "x": 2, "y": 1, "name": "<script>alert(1)</script>"}]
        one = await owner.map(grid_data={**ROOM, "entities": hostile})
        answer = await get(owner, one["id"], "image.svg")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        assert ElementTree.fromstring(answer.text).tag.endswith("svg")
        assert "<script" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    async def test_is_drawn_again_only_for_a_new_version(self, owner: Person) -> None:
        one = await owner.map(grid_data=ROOM)
        first = await get(owner, one["id"], "image.png")
        have = {"If-None-Match": first.headers["etag"]}
        again = await owner.client.get(f"/maps/{one['id']}/image.png", headers=have)
        assert (again.status_code, again.content) == (304, b"")
        await owner.client.patch(f"/maps/{one['id']}", json={"name": "Other"})
        assert (await owner.client.get(f"/maps/{one['id']}/image.png", headers=have)).status_code == 200

    async def test_with_a_background_of_its_universe_only(self, owner: Person, stranger: Person) -> None:
        theirs = (await upload(stranger, await stranger.universe(), picture(size=(70, 50)))).json()
        universe = await owner.universe()
        ours = (await upload(owner, universe, picture(size=(70, 50)))).json()
        colors = []
        for asset in (ours["id"], theirs["id"], "nonsense", 7):
            grid = {
                "width": 7,
                "height": 5,
                "background": {"asset_id": asset, "x": 0, "y": 0, "width": 7, "height": 5},
            }
            created = await owner.client.post(
                "/maps", json={"universe_id": universe["id"], "name": "M", "grid_data": grid}
            )
            if created.status_code == 422:
                continue
            answer = await get(owner, created.json()["id"], "image.png")
            with Image.open(BytesIO(answer.content)) as drawn:
                colors.append(drawn.convert("RGB").getpixel((100, 80)))
        assert colors[0] == (0x7F, 0x55, 0x39)
        assert all(color != colors[0] for color in colors[1:])

    async def test_too_large(self, owner: Person) -> None:
        wide = {
            "width": 4096,
            "height": 1,
            "legend": [{"symbol": "#"}],
            "layers": [{"name": "a", "rows": ["#" * 4096]}],
        }
        one = await owner.map(grid_data=wide)
        answer = await get(owner, one["id"], "image.png", cell_size=64)
        assert (answer.status_code, answer.json()["code"]) == (422, "PICTURE_REFUSED")
        assert (await get(owner, one["id"], "image.png", cell_size=2)).status_code == 200

    async def test_an_empty_map(self, owner: Person) -> None:
        one = await owner.map(grid_data={})
        for name in ("image.png", "image.svg"):
            assert (await get(owner, one["id"], name)).status_code in (200, 422)
