"""LDtk projects to grid data."""

from typing import Any

import orjson
import pytest

from game.grid import formats
from game.grid.document import Limits, check
from game.grid.formats import FormatError
from tests.grid.formats.samples import file, png

LEVEL = ("worlds", 0, "levels", 0)


def project(*path: str | int, value: Any) -> bytes:
    """The sample project with one value changed."""
    root = orjson.loads(file("cave.ldtk"))
    place = root
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return orjson.dumps(root)


@pytest.fixture(scope="module")
def cave() -> dict[str, Any]:
    made = formats.read({"cave.ldtk": file("cave.ldtk"), "rocks.png": png(16, 16, "red")}, "cave.ldtk").maps[0]
    check(made.grid_data)
    return made.grid_data


class TestLevels:
    def test_become_maps_named_after_world_and_level(self) -> None:
        made = formats.read({"cave.ldtk": file("cave.ldtk")})
        assert [each.name for each in made.maps] == ["Under Cave"]
        assert "LEVEL_MISSING" in [warning.code for warning in made.warnings]

    def test_in_files_of_their_own_are_read_when_uploaded(self) -> None:
        level = {
            "identifier": "Deep",
            "iid": "level-2",
            "pxWid": 8,
            "pxHei": 8,
            "layerInstances": [],
            "fieldInstances": [],
        }
        files = {"cave.ldtk": file("cave.ldtk"), "Deep.ldtkl": orjson.dumps(level)}
        assert [each.name for each in formats.read(files).maps] == ["Under Cave", "Under Deep"]

    def test_keep_their_place_in_the_world_and_their_fields(self, cave: dict[str, Any]) -> None:
        assert (cave["ldtk"]["worldX"], cave["ldtk"]["worldY"]) == (128, -8)
        assert cave["properties"] == {"danger": 3}

    def test_have_a_background_where_their_picture_was_uploaded(self) -> None:
        root = orjson.loads(file("cave.ldtk"))
        position = {"topLeftPx": [8, 0], "scale": [0.5, 0.5], "cropRect": [16, 0, 16, 16]}
        root["worlds"][0]["levels"][0] |= {"bgRelPath": "../sky.png", "__bgPos": position}
        files = {"cave.ldtk": orjson.dumps(root), "sky.png": png(32, 16, "blue")}
        made = formats.read(files).maps[0]
        assert made.grid_data["background"] == {
            "asset_id": "sky.png",
            "x": 0,
            "y": 0,
            "width": 2,
            "height": 1,
        }


class TestLayers:
    def test_stand_in_the_order_of_drawing_with_values_beneath_tiles(self, cave: dict[str, Any]) -> None:
        assert [(layer["name"], layer["rows"]) for layer in cave["layers"]] == [
            ("Collisions", ["## ", " \ue000#"]),
            ("Collisions tiles", ["\ue001  ", "  \ue003"]),
            ("Collisions tiles 2", ["\ue002  ", "   "]),
            ("Deco", ["\ue004\ue004 ", "\ue004\ue004 "]),
        ]
        assert (cave["layers"][3]["visible"], cave["layers"][3]["opacity"]) == (False, 0.5)

    def test_that_do_not_fit_the_grid_are_left_out_with_a_warning(self) -> None:
        made = formats.read({"a.ldtk": project(*LEVEL, "layerInstances", 1, "__gridSize", value=12)})
        assert "LAYER_LOST" in [warning.code for warning in made.warnings]
        assert len(made.maps[0].grid_data["layers"]) == 3

    def test_beyond_the_limit_are_left_out_with_a_warning(self) -> None:
        made = formats.read({"a.ldtk": file("cave.ldtk")}, limits=Limits(max_layers=2))
        assert len(made.maps[0].grid_data["layers"]) == 2
        assert [warning.code for warning in made.warnings].count("LAYER_LOST") == 2


class TestOldVersions:
    def test_have_layers_without_ids_and_values_by_their_place(self) -> None:
        root = orjson.loads(file("cave.ldtk"))
        for layer in root["worlds"][0]["levels"][0]["layerInstances"]:
            del layer["iid"], layer["intGridCsv"]
        collisions = root["worlds"][0]["levels"][0]["layerInstances"][-1]
        collisions["intGrid"] = [{"coordId": at, "v": v} for at, v in ((0, 0), (1, 0), (4, 1), (5, 0))]
        for entry in root["defs"]["layers"][0]["intGridValues"]:
            del entry["value"]
        made = formats.read({"a.ldtk": orjson.dumps(root)}).maps[0].grid_data
        assert made["layers"][0]["rows"] == ["## ", " \ue000#"]
        assert len({layer["ldtk"]["iid"] for layer in made["layers"]}) == 2
        again = formats.read({"b.ldtk": formats.write(made, "ldtk").content}).maps[0].grid_data
        assert again["layers"] == made["layers"]


class TestLegend:
    def test_names_values_and_guesses_what_they_block(self, cave: dict[str, Any]) -> None:
        walls, second = cave["legend"][:2]
        assert (walls["symbol"], walls["name"], walls["color"], walls["blocks_sight"]) == (
            "#",
            "walls",
            "#B86F50",
            True,
        )
        assert (second["name"], second["color"]) == ("value 2", "#4f7cac")

    def test_has_the_average_colours_and_the_tags_of_tiles(self, cave: dict[str, Any]) -> None:
        tiles = {(entry["ldtk"]["tile"], entry["ldtk"]["flips"]): entry for entry in cave["legend"][2:]}
        assert [tiles[key]["color"] for key in ((0, 0), (1, 1), (3, 0))] == [
            "#112233",
            "#445566",
            "#8899aa33",
        ]
        assert tiles[3, 0]["name"] == "Moss"
        assert tiles[3, 0]["picture"] == {"asset_id": "rocks.png", "x": 8, "y": 8, "width": 8, "height": 8}


class TestEntities:
    def test_have_their_cell_and_their_fields(self, cave: dict[str, Any]) -> None:
        [chest] = cave["entities"]
        # Its pivot is the middle of its lower edge, on the border between two cells.
        assert (chest["id"], chest["kind"], chest["x"], chest["y"]) == ("e-1", "Chest", 1, 0)
        assert chest["properties"] == {"gold": 20, "owner": {"entityIid": "e-2"}}


class TestBroken:
    @pytest.mark.parametrize(
        ("path", "value", "place"),
        [
            (("defs",), None, "defs"),
            ((*LEVEL, "pxWid"), 10**9, "worlds[0].levels[0].pxWid"),
            ((*LEVEL, "pxHei"), 8 * 5000, "worlds[0].levels[0].pxHei"),
            (
                (*LEVEL, "layerInstances", 2, "intGridCsv"),
                [1],
                "worlds[0].levels[0].layerInstances[2].intGridCsv",
            ),
            (
                (*LEVEL, "layerInstances", 2, "intGridCsv", 3),
                -1,
                "worlds[0].levels[0].layerInstances[2].intGridCsv[3]",
            ),
            (
                (*LEVEL, "layerInstances", 1, "__gridSize"),
                0,
                "worlds[0].levels[0].layerInstances[1].__gridSize",
            ),
            ((*LEVEL, "layerInstances", 1, "__type"), "Heap", "worlds[0].levels[0].layerInstances[1].__type"),
            (("worlds", 0, "levels"), [], "levels"),
        ],
    )
    def test_is_named(self, path: tuple[str | int, ...], value: Any, place: str) -> None:
        with pytest.raises(FormatError) as caught:
            formats.read({"a.ldtk": project(*path, value=value)})
        assert caught.value.place == place

    @pytest.mark.parametrize(
        ("path", "value", "code"),
        [
            ((*LEVEL, "layerInstances", 1, "gridTiles", 0, "px"), [1], "TILES_UNREADABLE"),
            ((*LEVEL, "layerInstances", 1, "gridTiles", 0), 7, "TILES_UNREADABLE"),
            ((*LEVEL, "layerInstances", 0, "entityInstances", 0, "px"), None, "OBJECT_UNREADABLE"),
            ((*LEVEL, "layerInstances", 0, "entityInstances"), {}, "OBJECT_UNREADABLE"),
            ((*LEVEL, "fieldInstances"), 5, "NOT_KEPT"),
        ],
    )
    def test_in_a_part_is_a_warning(self, path: tuple[str | int, ...], value: Any, code: str) -> None:
        made = formats.read({"a.ldtk": project(*path, value=value)})
        [warning] = [each for each in made.warnings if each.code == code][:1]
        assert warning.place.startswith("worlds[0].levels[0]")
        assert made.maps[0].grid_data["layers"][0]["rows"] == ["## ", " \ue000#"]

    def test_level_file_is_a_warning(self) -> None:
        made = formats.read({"cave.ldtk": file("cave.ldtk"), "Deep.ldtkl": b"{"}, "cave.ldtk")
        assert [each.name for each in made.maps] == ["Under Cave"]
        assert "LEVEL_UNREADABLE" in [each.code for each in made.warnings]

    def test_picture_of_a_level_is_a_warning(self) -> None:
        root = orjson.loads(file("cave.ldtk"))
        root["worlds"][0]["levels"][0]["bgRelPath"] = "sky.gif"
        made = formats.read({"cave.ldtk": orjson.dumps(root), "sky.gif": b"GIF89a"})
        assert "PICTURE_REFUSED" in [each.code for each in made.warnings]
        assert "background" not in made.maps[0].grid_data

    def test_is_a_level_file_that_two_levels_name(self) -> None:
        root = orjson.loads(file("cave.ldtk"))
        root["worlds"][0]["levels"].append(root["worlds"][0]["levels"][1])
        level = {"identifier": "Deep", "pxWid": 8, "pxHei": 8, "layerInstances": []}
        with pytest.raises(FormatError, match="another level"):
            formats.read({"cave.ldtk": orjson.dumps(root), "Deep.ldtkl": orjson.dumps(level)})

    def test_is_a_layer_whose_tiles_cover_too_many_cells(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("game.grid.formats.uploads.MAX_CELLS", 27)
        with pytest.raises(FormatError, match="more than 27 cells in all"):
            formats.read({"a.ldtk": file("cave.ldtk")})
