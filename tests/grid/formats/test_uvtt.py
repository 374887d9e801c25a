"""Universal VTT to grid data and back."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid import formats
from game.grid.document import check
from game.grid.formats import FormatError
from tests.grid.formats.samples import file, png

ENDS = ("x1", "y1", "x2", "y2")


def cellar(**changes: Any) -> bytes:
    return orjson.dumps(orjson.loads(file("cellar.dd2vtt")) | changes)


def read(data: bytes) -> dict[str, Any]:
    return formats.read({"cellar.dd2vtt": data}).maps[0].grid_data


def written(document: dict[str, Any], **options: Any) -> Any:
    return orjson.loads(formats.write(document, "uvtt", **options).content)


class TestRead:
    def test_counts_walls_from_the_origin(self) -> None:
        walls = read(cellar())["walls"]
        assert [tuple(wall[end] for end in ENDS) for wall in walls] == [
            (0, 0, 4, 0), (4, 0, 4, 1.5), (1, 1, 2.25, 1), (3, 2, 3.5, 2.5),
        ]  # fmt: skip
        assert all(wall["blocks_sight"] and wall["blocks_movement"] for wall in walls)

    def test_takes_portals_for_doors(self) -> None:
        closed, opened = read(cellar())["doors"]
        assert tuple(closed[end] for end in ENDS) == (4, 1.5, 4, 2.5)
        assert (closed["state"], opened["state"]) == ("closed", "open")

    def test_reads_lights_with_their_colours(self) -> None:
        first, second = read(cellar())["lights"]
        assert (first["x"], first["y"], first["range"], first["intensity"]) == (2, 1.5, 5, 0.75)
        assert (first["color"], second["color"]) == ("#eccd8b", "#ff0000")

    def test_makes_the_picture_the_background(self) -> None:
        picture = png(8, 6, "red")
        made = formats.read({"cellar.dd2vtt": cellar(image=base64.b64encode(picture).decode())}).maps[0]
        assert made.grid_data["background"] == {
            "asset_id": "cellar.png",
            "x": 0,
            "y": 0,
            "width": 4,
            "height": 3,
        }
        assert made.pictures == {"cellar.png": picture}

    def test_rounds_a_size_in_fractions_up(self) -> None:
        resolution = {"map_size": {"x": 3.5, "y": 3}, "pixels_per_grid": 2}
        document = read(cellar(resolution=resolution))
        assert (document["width"], document["height"]) == (4, 3)
        assert written(document)["resolution"]["map_size"] == {"x": 3.5, "y": 3}

    @pytest.mark.parametrize(
        ("changes", "place"),
        [
            ({"resolution": {}}, "resolution.map_size"),
            ({"resolution": {"map_size": {"x": 50_000, "y": 1}}}, "resolution.map_size.x"),
            ({"resolution": 3}, "resolution"),
            ({"line_of_sight": [[{"x": n, "y": 0} for n in range(10_002)]]}, "walls"),
        ],
    )
    def test_names_what_is_broken(self, changes: Any, place: str) -> None:
        with pytest.raises(FormatError) as caught:
            read(cellar(**changes))
        assert caught.value.place == place

    @pytest.mark.parametrize(
        ("changes", "code", "place"),
        [
            ({"line_of_sight": 3}, "WALL_UNREADABLE", "line_of_sight"),
            ({"line_of_sight": [3]}, "WALL_UNREADABLE", "line_of_sight[0]"),
            ({"line_of_sight": [[{"x": 1}]]}, "WALL_UNREADABLE", "line_of_sight[0][0].y"),
            ({"line_of_sight": [[{"x": 1, "y": "2"}]]}, "WALL_UNREADABLE", "line_of_sight[0][0].y"),
            ({"portals": {}}, "PORTAL_UNREADABLE", "portals"),
            ({"portals": [{"bounds": []}]}, "PORTAL_UNREADABLE", "portals[0].bounds"),
            ({"portals": [{"position": {"x": 1, "y": 1}}]}, "PORTAL_UNREADABLE", "portals[0].bounds"),
            ({"lights": [{}]}, "LIGHT_UNREADABLE", "lights[0].position"),
            ({"lights": ["on"]}, "LIGHT_UNREADABLE", "lights[0]"),
            ({"image": "not base64!"}, "PICTURE_REFUSED", "image"),
            ({"image": base64.b64encode(b"GIF89a").decode()}, "PICTURE_REFUSED", "image"),
            ({"image": ["a.png"]}, "PICTURE_REFUSED", "image"),
        ],
    )
    def test_leaves_out_a_part_that_is_broken_with_a_warning(self, changes: Any, code: str, place: str) -> None:
        made = formats.read({"cellar.dd2vtt": cellar(**changes)})
        assert [(each.code, each.place) for each in made.warnings if each.code == code] == [(code, place)]
        assert made.maps[0].grid_data["width"] == 4

    def test_refuses_a_huge_picture_by_its_header(self) -> None:
        header = png(1, 1, "red")[:16] + (50_000).to_bytes(4) * 2
        made = formats.read({"cellar.dd2vtt": cellar(image=base64.b64encode(header).decode())})
        assert "background" not in made.maps[0].grid_data
        assert "50000 x 50000" in next(each.message for each in made.warnings if each.code == "PICTURE_REFUSED")


class TestWrite:
    def test_gives_a_file_back(self) -> None:
        picture = png(8, 6, "red")
        original = orjson.loads(cellar(image=base64.b64encode(picture).decode()))
        document = read(orjson.dumps(original))
        assert written(document, pictures={"cellar.png": picture}) == original

    def test_writes_the_drawing_of_a_map_without_a_picture(self) -> None:
        drawing = png(80, 60, "red")
        made = written({"width": 4, "height": 3}, drawing=drawing)
        assert base64.b64decode(made["image"]) == drawing
        assert made["resolution"] == {
            "map_origin": {"x": 0, "y": 0}, "map_size": {"x": 4, "y": 3}, "pixels_per_grid": 20,
        }  # fmt: skip

    def test_draws_lines_around_cells_that_block_sight(self) -> None:
        legend = [{"symbol": "#", "blocks_sight": True}, {"symbol": "."}]
        document = {
            "width": 4,
            "height": 3,
            "legend": legend,
            "layers": [{"name": "a", "rows": ["####", "#..#", "####"]}],
        }
        check(document)
        made = formats.read({"a.uvtt": formats.write(document, "uvtt").content}).maps[0].grid_data
        assert sorted(tuple(wall[end] for end in ENDS) for wall in made["walls"]) == [
            (1, 1, 1, 2), (1, 1, 3, 1), (1, 2, 3, 2), (3, 1, 3, 2),
        ]  # fmt: skip

    def test_leaves_the_way_through_a_door_to_its_portal(self) -> None:
        """A door at the edge of a cell of rock: only the portal is in the way there, as the door is on the map."""
        document = {
            "width": 3,
            "height": 3,
            "legend": [{"symbol": "#", "name": "rock", "blocks_movement": True, "blocks_sight": True}],
            "layers": [{"name": "ground", "rows": ["   ", "###", "   "]}],
            "doors": [{"x1": 1, "y1": 1, "x2": 2, "y2": 1, "state": "closed"}],
        }
        result = written(document)
        lines = {tuple(value for point in line for value in point.values()) for line in result["line_of_sight"]}
        assert lines == {
            (0, 1, 1, 1), (2, 1, 3, 1), (0, 2, 1, 2), (2, 2, 3, 2), (1, 1, 1, 2), (2, 1, 2, 2),
        }  # fmt: skip
        assert result["portals"][0]["bounds"] == [{"x": 1, "y": 1}, {"x": 2, "y": 1}]

    def test_names_what_is_lost(self) -> None:
        document = {
            "width": 1, "height": 1, "legend": [], "layers": [{"name": "a", "rows": [" "]}],
            "entities": [{"id": "a", "x": 0, "y": 0}],
            "walls": [{"x1": 0, "y1": 0, "x2": 1, "y2": 1, "blocks_sight": False}],
        }  # fmt: skip
        codes = [warning.code for warning in formats.write(document, "uvtt").warnings]
        assert codes == ["PICTURE_LOST", "WALLS_LOST", "LAYERS_LOST", "ENTITIES_LOST"]

    @given(
        st.lists(st.tuples(*[st.integers(-100, 900).map(lambda n: n / 64)] * 4), max_size=5),
        st.tuples(*[st.integers(-9, 9)] * 2),
    )
    def test_walls_come_back_whatever_the_origin(
        self, ends: list[tuple[float, ...]], origin: tuple[int, int]
    ) -> None:
        walls = [dict(zip(ENDS, each, strict=True)) for each in ends]
        about = {"resolution": {"map_origin": {"x": origin[0], "y": origin[1]}}}
        document = {"width": 9, "height": 9, "walls": walls, "uvtt": about}
        made = formats.read({"a.uvtt": formats.write(document, "uvtt").content}).maps[0].grid_data
        assert [tuple(wall[end] for end in ENDS) for wall in made.get("walls", [])] == ends

    @pytest.mark.parametrize("junk", [7, [], {"resolution": []}, {"resolution": {"map_origin": {"x": "a"}}}])
    def test_survives_edited_preserved_data(self, junk: Any) -> None:
        document = read(cellar()) | {"uvtt": junk}
        document["doors"][0]["uvtt"] = junk
        document["lights"][0]["uvtt"] = {"alpha": junk}
        assert written(document)["resolution"]["map_origin"] == {"x": 0, "y": 0}
