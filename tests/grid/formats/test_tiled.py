"""Tiled maps to grid data."""

import base64
import zlib
from array import array
from typing import Any

import orjson
import pytest

from game.grid import formats
from game.grid.document import Limits
from game.grid.formats import FormatError, Imported
from tests.grid.formats.samples import file, png, tile_layer, tmj

ALONG = {
    "stones.tsx": file("stones.tsx"),
    "art/stones.png": png(19, 10, "#ff0000", "#0000ff"),
    "masonry.png": png(16, 16, "#336699"),
    "parchment.png": png(32, 16, "#eeddaa"),
}


@pytest.fixture(scope="module")
def imported() -> Imported:
    return formats.read({"keep.tmx": file("keep.tmx"), **ALONG}, "keep.tmx")


@pytest.fixture(scope="module")
def kept(imported: Imported) -> dict[str, Any]:
    return imported.maps[0].grid_data


def read(limits: Limits | None = None, **changes: Any) -> dict[str, Any]:
    made = formats.read({"a.tmj": orjson.dumps(tmj(**changes))}, limits=limits or Limits())
    return made.maps[0].grid_data


def codes(**changes: Any) -> list[str]:
    made = formats.read({"a.tmj": orjson.dumps(tmj(**changes))})
    return [warning.code for warning in made.warnings]


def entry(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in document["legend"] if entry["name"] == name)


class TestCells:
    def test_of_a_tile_are_its_symbol_and_an_empty_one_is_a_space(self) -> None:
        document = read()
        assert document["layers"][0]["rows"] == ["\ue000\ue001\ue002", " \ue000\ue001"]
        assert [entry["tiled"]["gid"] for entry in document["legend"]] == [1, 2, 3]

    def test_keep_flips_apart(self, kept: dict[str, Any]) -> None:
        assert [entry["tiled"]["gid"] for entry in kept["legend"] if entry["name"] == "masonry 2"] == [
            0x20000003, 0x40000003, 0x80000003, 0xE0000003,
        ]  # fmt: skip

    def test_lose_their_flips_when_the_legend_would_overflow(self) -> None:
        data = [1, 0x80000001, 0x40000001, 2, 0x80000002, 0x20000001]
        document = read(Limits(max_legend=2), layers=[tile_layer(data)])
        assert document["layers"][0]["rows"] == ["\ue000" * 3, "\ue001\ue001\ue000"]
        with pytest.raises(FormatError, match="more than 1 different tiles"):
            read(Limits(max_legend=1), layers=[tile_layer(data)])

    def test_of_an_infinite_map_are_the_cells_of_its_chunks(self) -> None:
        chunks = [
            {"x": -2, "y": -1, "width": 2, "height": 1, "data": [1, 2]},
            {"x": 1, "y": 1, "width": 1, "height": 2, "data": [3, 0]},
        ]
        layer = tile_layer(None, chunks=chunks)
        del layer["data"]
        document = read(infinite=True, layers=[layer])
        assert document["layers"][0]["rows"] == ["\ue000\ue001  ", "    ", "   \ue002", "    "]
        assert document["tiled"]["origin"] == {"x": -2, "y": -1}

    def test_of_distant_chunks_are_refused(self) -> None:
        chunks = [{"x": x, "y": 0, "width": 1, "height": 1, "data": [1]} for x in (0, 5000)]
        layer = tile_layer(None, chunks=chunks)
        with pytest.raises(FormatError, match="5001 x 1"):
            read(infinite=True, layers=[layer])

    def test_outside_the_map_are_left_out_with_a_warning(self) -> None:
        layer = tile_layer([1, 2, 3, 4], width=2, height=2, x=2, y=-1)
        assert read(layers=[layer])["layers"][0]["rows"] == ["  \ue000", "   "]
        assert codes(layers=[layer]) == ["CELLS_OUTSIDE"]

    def test_without_a_tileset_are_kept_as_cells(self) -> None:
        assert read(tilesets=[])["layers"][0]["rows"][0] == "\ue000\ue001\ue002"
        assert codes(tilesets=[]) == ["UNKNOWN_TILE"]

    @pytest.mark.parametrize(
        ("layer", "place"),
        [
            (tile_layer([1, 2, 3]), "layers[0].data"),
            (tile_layer([1, 2, 3, 4, 5, -6]), "layers[0].data[5]"),
            (tile_layer("AAAA", encoding="base64", compression="zlib"), "layers[0].data"),
            (tile_layer([], width=5000), "layers[0].width"),
            (tile_layer([], type="heap"), "layers[0].type"),
            ({"type": "tilelayer"}, "layers[0].data"),
            (7, "layers[0]"),
        ],
    )
    def test_that_are_broken_are_named(self, layer: Any, place: str) -> None:
        with pytest.raises(FormatError) as caught:
            read(layers=[layer])
        assert caught.value.place == place

    def test_stop_a_bomb_before_it_is_unpacked(self) -> None:
        bomb = base64.b64encode(zlib.compress(bytes(100_000_000))).decode()
        with pytest.raises(FormatError, match="more than 24 bytes"):
            read(layers=[tile_layer(bomb, encoding="base64", compression="zlib")])

    def test_of_a_packed_layer_are_those_of_a_plain_one(self) -> None:
        data = base64.b64encode(zlib.compress(array("I", [1, 2, 3, 0, 1, 2]).tobytes())).decode()
        assert read(layers=[tile_layer(data, encoding="base64", compression="zlib")])["layers"] == read()["layers"]


class TestLegend:
    def test_has_the_class_the_usual_symbol_and_what_it_usually_blocks(self, kept: dict[str, Any]) -> None:
        wall = entry(kept, "wall")
        assert (wall["symbol"], wall["blocks_movement"], wall["blocks_sight"]) == ("#", True, True)

    def test_takes_symbol_and_rules_from_custom_properties(self, kept: dict[str, Any]) -> None:
        mud = entry(kept, "mud")
        assert (mud["symbol"], mud["movement_cost"], mud["properties"]) == ("m", 2, {"smell": "bad"})

    def test_has_the_average_colour_of_an_uploaded_picture(self, kept: dict[str, Any]) -> None:
        assert entry(kept, "wall")["color"] == "#336699"
        assert entry(kept, "gravel")["color"] == "#0000ff"
        assert entry(kept, "gravel")["picture"] == {
            "asset_id": "stones.png", "x": 10, "y": 1, "width": 8, "height": 8,
        }  # fmt: skip

    def test_has_a_colour_of_its_own_without_a_picture_always_the_same(self) -> None:
        first, second = read()["legend"], read()["legend"]
        assert first == second
        assert len({entry["color"] for entry in first}) == 3

    def test_says_which_tileset_was_not_uploaded(self) -> None:
        made = formats.read({"keep.tmx": file("keep.tmx")})
        missing = [warning.place for warning in made.warnings if warning.code == "TILESET_MISSING"]
        assert missing == ["tilesets[1]"]
        assert made.maps[0].grid_data["tiled"]["tilesets"][1] == {"firstgid": 5, "source": "stones.tsx"}

    def test_reads_a_collection_of_pictures(self) -> None:
        tiles = [{"id": 3, "image": "a/b.png", "imagewidth": 4, "imageheight": 4}]
        tileset = {"firstgid": 1, "name": "c", "tilewidth": 4, "tileheight": 4, "tiles": tiles}
        map_file = orjson.dumps(tmj(tilesets=[tileset], layers=[tile_layer([4] * 6)]))
        made = formats.read({"a.tmj": map_file, "b.png": png(4, 4, "#abcdef")}).maps[0]
        assert made.grid_data["legend"][0]["color"] == "#abcdef"
        assert made.grid_data["tiled"]["tilesets"][0]["tiles"][0]["asset_id"] == "b.png"

    def test_refuses_a_huge_picture_by_its_header(self) -> None:
        header = png(1, 1, "red")[:16] + (50_000).to_bytes(4) * 2 + png(1, 1, "red")[24:]
        made = formats.read({"keep.tmx": file("keep.tmx"), **ALONG, "masonry.png": header}, "keep.tmx")
        [refused] = [warning for warning in made.warnings if warning.code == "PICTURE_REFUSED"]
        assert (refused.place, "50000 x 50000" in refused.message) == ("masonry.png", True)

    def test_reads_the_tiles_of_old_tiled_by_their_ids(self) -> None:
        tiles = {"0": {"type": "wall"}, "junk": 7}
        tileset = {"firstgid": 1, "name": "old", "tilewidth": 16, "tileheight": 16, "tiles": tiles}
        assert read(tilesets=[tileset])["legend"][0]["name"] == "wall"
        assert read(tilesets=[tileset | {"tiles": {"junk": 7}}])["legend"][0]["name"] == "old 0"

    @pytest.mark.parametrize(
        "path", ["/etc/passwd", "../../etc/passwd", "http://[::1]:1/a.tsx", "file:///etc/passwd"]
    )
    def test_follows_no_path_and_no_address(self, path: str) -> None:
        assert codes(tilesets=[{"firstgid": 1, "source": path}]) == ["TILESET_MISSING"]


class TestLayers:
    def test_have_unique_names_and_keep_how_they_are_shown(self, kept: dict[str, Any]) -> None:
        ground, roof = kept["layers"]
        assert (ground["name"], roof["name"]) == ("Ground", "Ground 2")
        assert (roof["visible"], roof["opacity"], roof["properties"]) == (False, 0.2, {"roof": False})

    def test_are_all_kept_in_order_with_their_groups(self, kept: dict[str, Any]) -> None:
        items = [(item["id"], item["type"], item.get("parent")) for item in kept["tiled"]["layers"]]
        assert items == [
            (7, "imagelayer", None), (1, "tilelayer", None), (3, "group", None), (4, "tilelayer", 3),
            (5, "objectgroup", 3),
        ]  # fmt: skip

    def test_without_ids_get_some(self) -> None:
        layers = [tile_layer([0] * 6, id=0), tile_layer([0] * 6), tile_layer([0] * 6)]
        assert [item["id"] for item in read(layers=layers)["tiled"]["layers"]] == [2, 1, 3]

    def test_nested_too_deep_are_refused(self) -> None:
        layer: dict[str, Any] = {"type": "group", "layers": []}
        for _ in range(20):
            layer = {"type": "group", "layers": [layer]}
        with pytest.raises(FormatError, match="nested"):
            read(layers=[layer])

    def test_with_a_picture_become_the_background(self, kept: dict[str, Any]) -> None:
        assert kept["background"] == {"asset_id": "parchment.png", "x": 1, "y": -0.5, "width": 4, "height": 2}


class TestObjects:
    def test_become_entities_in_their_cells(self, kept: dict[str, Any]) -> None:
        cells = {entity["name"]: (entity["kind"], entity["x"], entity["y"]) for entity in kept["entities"]}
        assert cells == {
            "Start": ("spawn", 1, 2), "Hall": ("rectangle", 1, 1), "Pond": ("water", 3, 1),
            "Path": ("route", 5, 3), "Field": ("polygon", 0, 0), "Sign": ("text", 2, 0), "Rock": ("tile", 4, 3),
        }  # fmt: skip
        assert kept["entities"][0]["properties"] == {"team": "red"}

    def test_of_class_wall_door_and_light_become_these(self, kept: dict[str, Any]) -> None:
        ends = [(wall["x1"], wall["y1"], wall["x2"], wall["y2"]) for wall in kept["walls"]]
        assert ends == [(0, 1, 2, 1), (2, 1, 2, 2)]
        assert [(door["x1"], door["y1"], door["x2"], door["y2"], door["state"]) for door in kept["doors"]] == [
            (2, 2, 3, 2, "open")
        ]
        assert [(light["x"], light["y"], light["range"]) for light in kept["lights"]] == [
            (4.5, 1.5, 4.5),
            (1, 1, 1),
        ]
        assert kept["lights"][0]["color"] == "#ffd28a"

    def test_turned_walls_are_turned(self) -> None:
        line = [{"x": 0, "y": 0}, {"x": 16, "y": 0}]
        thing = {"id": 1, "type": "wall", "x": 16, "y": 0, "rotation": 90, "polyline": line}
        wall = read(layers=[{"type": "objectgroup", "objects": [thing]}])["walls"][0]
        assert (wall["x1"], wall["y1"], wall["x2"], wall["y2"]) == (1, 0, 1, 1)

    def test_outside_are_put_at_the_edge_with_a_warning(self) -> None:
        layer = {"type": "objectgroup", "objects": [{"id": 1, "x": 1e6, "y": -1e6, "point": True}]}
        assert (read(layers=[layer])["entities"][0]["x"], codes(layers=[layer])) == (2, ["OBJECT_OUTSIDE"])

    def test_on_a_map_without_cells_are_kept(self) -> None:
        layer = {"type": "objectgroup", "objects": [{"id": 1, "x": 1, "y": 1}]}
        document = read(width=0, height=0, layers=[layer])
        assert "entities" not in document
        assert document["tiled"]["layers"][0]["objects"] == [{"id": 1, "x": 1, "y": 1}]

    def test_with_the_same_id_get_ids_of_their_own(self) -> None:
        things = [{"id": 4, "x": 0, "y": 0}, {"id": 4, "x": 0, "y": 0}, {"x": 0, "y": 0}]
        document = read(layers=[{"type": "objectgroup", "objects": things}])
        assert [entity["id"] for entity in document["entities"]] == ["4", "5", "6"]

    def test_of_a_template_are_kept_with_a_warning(self) -> None:
        layer = {"type": "objectgroup", "objects": [{"id": 1, "template": "orc.tx", "x": 0, "y": 0}]}
        assert codes(layers=[layer]) == ["TEMPLATE_NOT_READ"]

    @pytest.mark.parametrize("format", ["tiled", "tmj"])
    def test_that_are_not_shown_are_hidden_and_stay_so(self, format: str) -> None:
        def objects(*visible: bool) -> list[dict[str, Any]]:
            at = {"x": 4, "y": 4, "width": 0, "height": 0, "rotation": 0, "point": True}
            kinds = ("goblin", "light", "goblin", "light")
            return [
                {"id": number, "name": "", "type": kind, "visible": shown, **at}
                for number, (kind, shown) in enumerate(zip(kinds, visible, strict=True), 1)
            ]

        layer = {"id": 2, "name": "things", "type": "objectgroup", "objects": objects(False, False, True, True)}
        made = read(layers=[tile_layer([1] * 6), layer])
        for _ in range(2):
            found = [[thing.get("hidden") for thing in made[key]] for key in ("entities", "lights")]
            assert found == [[True, None], [True, None]]
            made = formats.read({"a": formats.write(made, format).content}).maps[0].grid_data
        shown = [{key: value for key, value in thing.items() if key != "hidden"} for thing in made["entities"]]
        hidden = [{**light, "hidden": True} for light in made["lights"]]
        again = orjson.loads(formats.write({**made, "entities": shown, "lights": hidden}, "tmj").content)
        assert [item["visible"] for item in again["layers"][-1]["objects"]] == [True, True, False, False]


class TestProperties:
    def test_of_every_type_are_values(self, kept: dict[str, Any]) -> None:
        assert kept["properties"] == {
            "author": "A. Mapper", "depth": 3, "gravity": 2, "haunted": True, "mood": "#80ff0000",
            "music": "../../etc/passwd", "exit": 4, "rank": "high", "stats": {"armour": 12, "speed": 1.5},
            "story": "Two\nlines",
        }  # fmt: skip

    def test_of_old_tiled_are_an_object(self) -> None:
        assert read(properties={"a": 1})["properties"] == {"a": 1}


class TestOrientation:
    @pytest.mark.parametrize(
        ("changes", "grid_type", "warnings"),
        [
            ({}, "square", []),
            ({"orientation": "isometric"}, "isometric", []),
            ({"orientation": "staggered", "staggeraxis": "y"}, "isometric", []),
            ({"orientation": "hexagonal", "staggeraxis": "y", "hexsidelength": 6}, "hex_row", []),
            ({"orientation": "hexagonal", "staggeraxis": "x", "hexsidelength": 6}, "hex_column", []),
            ({"orientation": "hexagonal", "staggerindex": "even"}, "hex_row", ["ROW_ADDED"]),
        ],
    )
    def test_gives_the_grid_type(self, changes: Any, grid_type: str, warnings: list[str]) -> None:
        assert read(**changes)["grid_type"] == grid_type
        assert codes(**changes) == warnings

    @pytest.mark.parametrize(
        "changes",
        [
            {"orientation": "spherical"},
            {"staggeraxis": "z"},
            {"tilewidth": 0},
            {"width": 5000},
            {"width": "3"},
        ],
    )
    def test_that_is_nonsense_is_refused(self, changes: Any) -> None:
        with pytest.raises(FormatError):
            read(**changes)


class TestCost:
    """A small file must not buy a lot of work."""

    def test_of_deep_class_properties_is_bounded(self) -> None:
        nested = b'{"name":"a","type":"class","value":{},"members":[' * 505 + b"{}" + b"]}" * 505
        text = orjson.dumps(tmj(properties=["nested"])).replace(b'"nested"', nested)
        assert formats.read({"a.tmj": text}).maps[0].grid_data["properties"] == {"a": {}}

    def test_of_one_picture_in_many_tiles_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("game.grid.formats.uploads.MAX_PIXELS", 20)
        tiles = [{"id": number, "image": "b.png"} for number in range(6)]
        tileset = {"firstgid": 1, "name": "c", "tilewidth": 4, "tileheight": 4, "tiles": tiles}
        map_file = orjson.dumps(tmj(tilesets=[tileset], layers=[tile_layer([1, 2, 3, 4, 5, 6])]))
        made = formats.read({"a.tmj": map_file, "b.png": png(4, 4, "#abcdef")})
        assert [entry["color"] == "#abcdef" for entry in made.maps[0].grid_data["legend"]] == [True] + 5 * [False]
        assert [warning.code for warning in made.warnings] == ["COLORS_MADE_UP"] * 5

    def test_of_a_picture_that_is_too_large_to_decode_is_a_warning(self) -> None:
        header = png(1, 1, "red")[:16] + (5000).to_bytes(4) * 2 + png(1, 1, "red")[24:]
        tileset = {"firstgid": 1, "name": "c", "tilewidth": 4, "tileheight": 4, "image": "b.png"}
        made = formats.read({"a.tmj": orjson.dumps(tmj(tilesets=[tileset])), "b.png": header})
        assert [warning.code for warning in made.warnings] == ["COLORS_MADE_UP"]

    def test_of_too_many_objects_ends_at_the_first_too_many(self) -> None:
        things = [{"id": number, "x": 0, "y": 0} for number in range(1, 9)]
        with pytest.raises(FormatError, match="at most 3 entities") as caught:
            read(Limits(max_entities=3), layers=[{"type": "objectgroup", "objects": things}])
        assert caught.value.place == "layers[0].objects[3]"
