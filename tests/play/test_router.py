"""Playing on maps over HTTP: one class for each operation. The rules themselves are tested in tests/grid."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

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

    async def test_there_is_none(self, owner: Person) -> None:
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
    async def test_walls_hide_cells_and_what_stands_in_them(self, owner: Person) -> None:
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
