"""Files as other programs write them, each with the value that the program itself shows.

What Tiled shows was taken from Tiled 1.8.2 (`tiled --export-map json`, `tmxrasterizer`).
"""

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from game.grid import formats
from game.grid.distance import distance
from game.grid.document import check
from game.grid.drawing import Region, draw_png
from game.grid.geometry import Grid
from tests.grid.formats.samples import file
from tests.grid.formats.tiled_program import needs_tiled, through_tiled


def read(name: str, *along: str) -> formats.Imported:
    made = formats.read({name: file(name), **{each: file(each) for each in along}}, name)
    for each in made.maps:
        check(each.grid_data)
    return made


def document(name: str, *along: str) -> dict[str, Any]:
    return read(name, *along).maps[0].grid_data


def places(name: str, *along: str) -> dict[str, tuple[int, int]]:
    return {entity["name"]: (entity["x"], entity["y"]) for entity in document(name, *along)["entities"]}


def exported(grid_data: dict[str, Any], format: str) -> Any:
    return orjson.loads(formats.write(grid_data, format).content)


def pixel(made: formats.ImportedMap, x: int, y: int, cell_size: int = 32) -> Any:
    with Image.open(io.BytesIO(draw_png(Region.of(made.grid_data), cell_size=cell_size))) as image:
        return image.convert("RGB").getpixel((x, y))


class TestPlaceOfObjects:
    def test_follows_the_alignment_of_the_tileset(self) -> None:
        assert places("align-topleft.tmx", "t.png") == {"crate": (1, 2)}

    def test_of_a_tile_without_a_size_counts_with_that_of_the_tile(self) -> None:
        assert places("tile-object-without-size.tmx", "t.png") == {"crate": (1, 1)}
        layers = exported(document("tile-object-without-size.tmx", "t.png"), "tmj")["layers"]
        [crate] = layers[-1]["objects"]
        assert (crate["width"], crate["height"]) == (16, 16)

    def test_on_an_isometric_map_is_where_a_tile_would_be(self) -> None:
        assert places("isometric-tile-object.tmx", "diamond.png") == {"bush": (1, 1)}

    def test_counts_the_offset_of_a_group(self) -> None:
        assert places("group-offset.tmx", "t.png") == {"sign": (1, 0), "well": (2, 1)}


class TestTemplate:
    def test_says_what_the_object_does_not(self) -> None:
        [orc] = document("template-override.tmx", "t.png", "orc.tx")["entities"]
        assert (orc["name"], orc["kind"], orc["properties"]) == ("Orc", "monster", {"hp": 15})

    @needs_tiled
    @pytest.mark.parametrize("format", ["tiled", "tmj"])
    def test_still_counts_for_tiled_after_an_export(self, format: str, tmp_path: Path) -> None:
        made = document("template-override.tmx", "t.png", "orc.tx")
        along = {name: file(name) for name in ("t.png", "orc.tx")}
        tiled = through_tiled(formats.write(made, format), tmp_path, along, "--detach-templates")
        [orc] = tiled["layers"][-1]["objects"]
        assert (orc["name"], orc["type"], orc["rotation"], orc["visible"]) == ("Orc", "monster", 90, False)
        assert orc["properties"] == [{"name": "hp", "type": "int", "value": 15}]


class TestWangSets:
    @needs_tiled
    @pytest.mark.parametrize("format", ["tiled", "tmj"])
    def test_of_tiled_1_4_open_in_tiled(self, format: str, tmp_path: Path) -> None:
        made = document("wang-corner-1.4.tmx", "t.png")
        tiled = through_tiled(formats.write(made, format), tmp_path, {"t.png": file("t.png")})
        [shore] = tiled["tilesets"][0]["wangsets"]
        assert [color["name"] for color in shore["colors"]] == ["Sand", "Sea"]
        assert [tile["wangid"] for tile in shore["wangtiles"]] == [
            [0, 1, 0, 1, 0, 1, 0, 1],
            [0, 2, 0, 2, 0, 2, 0, 2],
        ]


class TestReferences:
    @pytest.mark.parametrize("format", ["tiled", "tmj"])
    def test_between_objects_point_at_them_after_an_export(self, format: str) -> None:
        made = document("object-references.tmx", "t.png")
        again = formats.read({"a": formats.write(made, format).content}).maps[0].grid_data
        objects = exported(again, "tmj")["layers"][-1]["objects"]
        ids = {item["name"]: item["id"] for item in objects}
        values = {item["name"]: {each["name"]: each["value"] for each in item["properties"]} for item in objects}
        assert values["lever"]["opens"] == ids["gate"]
        assert values["fuse"]["feeds"] == ids["lamp"]


class TestOldTiled:
    def test_says_what_tiles_block_in_tileproperties(self) -> None:
        made = document("old-tileproperties.json", "t.png")
        entry = next(entry for entry in made["legend"] if entry["tiled"]["gid"] == 2)
        assert (entry["blocks_movement"], entry["movement_cost"]) == (True, 2)
        again = formats.read({"a.tmx": formats.write(made, "tiled").content}).maps[0].grid_data
        entry = next(entry for entry in again["legend"] if entry["tiled"]["gid"] == 2)
        assert (entry["blocks_movement"], entry["movement_cost"]) == (True, 2)


class TestHexes:
    def test_of_a_chunk_in_an_odd_row_keep_their_neighbours(self) -> None:
        made = read("hex-odd-chunk.tmx", "t.png")
        grid_data = made.maps[0].grid_data
        # Tiled's cell (1, 0) and its cell (2, -1), which lies two cells away.
        top = grid_data["tiled"]["origin"]["y"]
        assert distance(Grid.of(grid_data), (1, -top), (2, -1 - top)).cells == 2
        assert [warning.code for warning in made.warnings] == ["ROW_ADDED"]


class TestPictures:
    def test_without_a_stated_width_are_measured(self) -> None:
        legend = document("image-without-width.tmx", "four.png")["legend"]
        assert [entry["color"] for entry in legend] == ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]

    def test_of_isometric_tiles_are_opaque_where_they_fill_the_diamond(self) -> None:
        made = read("isometric-diamond.tmx", "diamond.png").maps[0]
        with Image.open(io.BytesIO(draw_png(Region.of(made.grid_data), cell_size=32))) as image:
            assert image.convert("RGB").getpixel((image.width // 2, image.height // 2)) == (0, 128, 0)

    def test_of_nearly_empty_tiles_hide_nothing(self) -> None:
        assert pixel(read("sparse-tile.tmx", "sparse.png").maps[0], 48, 16) == pytest.approx((40, 90, 40), abs=6)

    @pytest.mark.parametrize(
        ("name", "along", "cells"),
        [("tileset-gif.tmx", "t.gif", 16), ("aseprite.ldtk", "t.aseprite", 2)],
    )
    def test_of_a_kind_that_is_not_taken_are_a_warning(self, name: str, along: str, cells: int) -> None:
        made = read(name, along)
        rows = made.maps[0].grid_data["layers"][0]["rows"]
        assert len("".join(rows).replace(" ", "")) == cells
        assert [warning.code for warning in made.warnings] == ["PICTURE_REFUSED"]

    def test_that_are_a_path_in_universal_vtt_are_a_warning(self) -> None:
        made = read("image-path.uvtt")
        assert len(made.maps[0].grid_data["walls"]) == 1
        assert [warning.code for warning in made.warnings] == ["PICTURE_REFUSED"]


class TestScale:
    def test_of_universal_vtt_may_have_fractions_of_cells(self) -> None:
        made = read("fraction.uvtt").maps[0]
        background = made.grid_data["background"]
        assert (background["width"], background["height"]) == (10.5, 8.25)
        content = formats.write(made.grid_data, "uvtt", pictures=made.pictures).content
        assert orjson.loads(content)["resolution"]["pixels_per_grid"] == 40
