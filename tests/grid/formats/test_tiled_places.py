"""Where Tiled puts things: objects by alignment, rotation and template, layers by their groups."""

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from game.grid import formats
from game.grid.document import check
from tests.grid.formats.samples import file, png, tile_layer, tmj, without
from tests.grid.formats.tiled_program import needs_tiled, run, through_tiled

HEAD = '<map version="1.8" orientation="{}" width="6" height="6" tilewidth="{}" tileheight="{}" {}>'
TILESET = (
    '<tileset firstgid="1" name="r" tilewidth="{0}" tileheight="{1}" tilecount="1" columns="1" {2}>'
    '<image source="r.png" width="{0}" height="{1}"/></tileset>'
)
STAGGER = 'staggeraxis="y" staggerindex="odd" '


def read(source: str | bytes, **files: bytes) -> formats.Imported:
    data = source.encode() if isinstance(source, str) else source
    made = formats.read({"m.tmx": data, **files}, "m.tmx")
    check(made.maps[0].grid_data)
    return made


def drawn(folder: Path, source: str) -> tuple[int, int, int, int]:
    """The box of what Tiled draws of a map."""
    (folder / "m.tmx").write_text(source)
    run(folder, "tmxrasterizer", "m.tmx", "m.png")
    with Image.open(io.BytesIO((folder / "m.png").read_bytes())) as image:
        box = image.convert("RGBA").getchannel("A").getbbox()
    assert box
    return box


@needs_tiled
class TestTileObject:
    """A tile object is in the cell whose tile Tiled draws nearest to it."""

    @pytest.mark.parametrize(
        ("orientation", "cell", "tile", "alignment", "place", "rotation", "offset"),
        [
            ("orthogonal", (16, 16), (16, 16), "", (48, 48), 0, (0, 0)),
            ("orthogonal", (16, 16), (16, 16), "", (48, 48), 90, (0, 0)),
            ("orthogonal", (16, 16), (16, 16), "topleft", (48, 48), 180, (0, 0)),
            ("orthogonal", (16, 16), (16, 16), "bottomright", (48, 48), 270, (0, 0)),
            ("orthogonal", (16, 16), (16, 16), "center", (40, 56), 45, (0, 0)),
            ("orthogonal", (16, 16), (16, 16), "top", (56, 48), 0, (16, 24)),
            ("orthogonal", (16, 16), (32, 32), "", (48, 64), 0, (0, 0)),
            ("isometric", (32, 16), (32, 16), "", (48, 48), 0, (0, 0)),
            ("isometric", (32, 16), (32, 48), "", (48, 48), 0, (0, 0)),
            ("isometric", (32, 16), (32, 16), "top", (48, 48), 0, (16, 8)),
            ("hexagonal", (16, 16), (16, 16), "", (40, 44), 0, (0, 12)),
        ],
    )
    def test_is_in_the_nearest_cell(
        self,
        orientation: str,
        cell: tuple[int, int],
        tile: tuple[int, int],
        alignment: str,
        place: tuple[int, int],
        rotation: int,
        offset: tuple[int, int],
        tmp_path: Path,
    ) -> None:
        (tmp_path / "r.png").write_bytes(png(*tile, "red"))
        more = STAGGER if orientation == "hexagonal" else ""
        more += 'hexsidelength="8"' if orientation == "hexagonal" else ""
        head = HEAD.format(orientation, *cell, more)
        head += TILESET.format(*tile, f'objectalignment="{alignment}"' if alignment else "")
        thing = f'<object id="1" gid="1" x="{place[0]}" y="{place[1]}" rotation="{rotation}"/>'
        group = (
            f'<group offsetx="{offset[0]}" offsety="{offset[1]}"><objectgroup>{thing}</objectgroup></group></map>'
        )
        [entity] = read(head + group).maps[0].grid_data["entities"]
        cells = ",".join(str(int((n % 6, n // 6) == (entity["x"], entity["y"]))) for n in range(36))
        data = f'<data encoding="csv">{cells}</data>'
        as_tile = drawn(tmp_path, f'{head}<layer id="1" name="g" width="6" height="6">{data}</layer></map>')
        as_object = drawn(tmp_path, head + group)
        for axis in (0, 1):
            away = (as_object[axis] + as_object[axis + 2] - as_tile[axis] - as_tile[axis + 2]) / 2
            assert abs(away) <= cell[axis] / 2 + 1


THINGS = """
 <group id="1" name="cellar" visible="0" offsetx="16" opacity="0.5">
  <layer id="2" name="a" width="6" height="6"><data encoding="csv">{}</data></layer>
  <layer id="3" name="b" width="6" height="6" offsety="16" opacity="0.5"><data encoding="csv">{}</data></layer>
  <objectgroup id="4" name="o" draworder="index">
   <object id="1" name="keep" type="wall" x="0" y="0" rotation="90"><polygon points="0,0 16,0 16,16"/></object>
   <object id="2" type="light" x="8" y="8" width="32" height="16" rotation="45"><ellipse/></object>
   <object id="3" type="light" x="8" y="8" width="32" height="16"/>
   <object id="4" type="light" gid="1" x="16" y="32" width="16" height="16"/>
   <object id="5" type="door" x="32" y="32"><polyline points="0,0 16,0 16,16"/>
    <properties><property name="state" value="locked"/><property name="key" type="object" value="6"/></properties>
   </object>
   <object id="6" gid="1" x="16" y="48" width="16" height="16"/>
  </objectgroup>
 </group>
</map>"""
ROWS = ["1,1,0,0,0,0" + ",0,0,0,0,0,0" * 5] * 2
SQUARE = (
    HEAD.format("orthogonal", 16, 16, "") + TILESET.format(16, 16, "").replace(
        "</tileset>", '<tile id="0" type="torch"/></tileset>'
    ) + THINGS.format(*ROWS)
)  # fmt: skip


class TestLayer:
    def test_in_a_hidden_group_is_hidden(self) -> None:
        layers = read(SQUARE).maps[0].grid_data["layers"]
        assert [(layer["visible"], layer["opacity"]) for layer in layers] == [(False, 0.5), (False, 0.25)]

    def test_is_shifted_by_its_offset_and_that_of_its_groups(self) -> None:
        first, second = (layer["rows"] for layer in read(SQUARE).maps[0].grid_data["layers"])
        symbol = first[0][1]
        assert first == [f" {symbol}{symbol}   ", *[" " * 6] * 5]
        assert second == [" " * 6, *first[:1], *[" " * 6] * 4]

    def test_that_is_shown_here_is_shown_in_tiled_and_its_neighbours_are_not(self) -> None:
        document = read(SQUARE).maps[0].grid_data
        document["layers"][0]["visible"] = True
        [group] = orjson.loads(formats.write(document, "tmj").content)["layers"]
        assert group["visible"] is True
        assert [layer["visible"] for layer in group["layers"]] == [True, False, False]
        again = formats.read({"a": formats.write(document, "tiled").content}).maps[0].grid_data
        assert [layer.get("visible", True) for layer in again["layers"]] == [True, False]

    def test_with_cells_that_its_offset_would_put_outside_loses_the_offset(self) -> None:
        document = read(SQUARE).maps[0].grid_data
        layer = document["layers"][0]
        layer["rows"][5] = layer["rows"][0][1] + " " * 5
        again = formats.read({"a": formats.write(document, "tiled").content}).maps[0].grid_data
        assert [layer["rows"] for layer in again["layers"]] == [layer["rows"] for layer in document["layers"]]

    def test_shifted_by_a_part_of_a_cell_is_put_in_the_nearest_with_a_warning(self) -> None:
        layer = tile_layer([1, 0, 0, 0, 0, 0], offsetx=20)
        made = formats.read({"a.tmj": orjson.dumps(tmj(layers=[layer]))})
        assert made.maps[0].grid_data["layers"][0]["rows"][0][1] != " "
        assert [warning.code for warning in made.warnings] == ["LAYER_OFFSET"]

    @pytest.mark.parametrize("offset", [(16, 0), (-16, 0), (0, 16), (32, -16)])
    def test_shifted_off_the_map_keeps_its_cells_and_shows_what_is_inside(self, offset: tuple[int, int]) -> None:
        data = [1, 2, 3, 4, 5, 6]
        layer = tile_layer(data, offsetx=offset[0], offsety=offset[1])
        made = formats.read({"a.tmj": orjson.dumps(tmj(layers=[layer]))})
        assert [warning.code for warning in made.warnings] == ["CELLS_OUTSIDE"]
        document = made.maps[0].grid_data
        shown = [symbol for row in document["layers"][0]["rows"] for symbol in row if symbol != " "]
        assert 0 < len(shown) < 6
        [written] = orjson.loads(formats.write(document, "tmj").content)["layers"]
        assert (written["data"], written.get("offsetx")) == (data, offset[0])

    def test_with_a_hidden_picture_is_no_background(self) -> None:
        layer = {"type": "imagelayer", "id": 1, "name": "b", "image": "b.png", "visible": False}
        made = formats.read({"a.tmj": orjson.dumps(tmj(layers=[layer])), "b.png": png(4, 4, "red")})
        assert "background" not in made.maps[0].grid_data
        assert [warning.code for warning in made.warnings] == ["IMAGE_LAYER_NOT_SHOWN"]


class TestObjects:
    def test_of_the_class_light_shine_from_their_middle_as_far_as_they_reach(self) -> None:
        lights = read(SQUARE).maps[0].grid_data["lights"]
        turned, plain, torch = ((light["x"], light["y"], light.get("range")) for light in lights)
        # The ellipse turns by 45 degrees around its corner: its middle is (16, 8) from there, turned.
        assert turned == (
            pytest.approx(1.5 + 8 / 16 * 0.7071, abs=1e-4),
            pytest.approx(0.5 + 24 / 16 * 0.7071, abs=1e-4),
            1,
        )
        assert (plain, torch) == ((2.5, 1, 1), (2.5, 1.5, None))

    def test_without_a_class_have_that_of_their_tile(self) -> None:
        [torch] = read(SQUARE).maps[0].grid_data["entities"]
        assert torch["kind"] == "torch"

    def test_of_the_class_door_have_ids_for_each_of_their_parts(self) -> None:
        doors = read(SQUARE).maps[0].grid_data["doors"]
        assert [(door["id"], door["state"], door["properties"]) for door in doors] == [
            ("5", "locked", {"key": 6}),
            ("5-2", "locked", {"key": 6}),
        ]

    @needs_tiled
    @pytest.mark.parametrize("format", ["tiled", "tmj"])
    @pytest.mark.parametrize(
        "orientation",
        ["orthogonal", 'hexagonal" staggeraxis="y" hexsidelength="8" staggerindex="even'],
    )
    def test_go_back_to_tiled_as_they_came(self, format: str, orientation: str, tmp_path: Path) -> None:
        source = SQUARE.replace('"orthogonal"', f'"{orientation}"').replace(' offsety="16"', "").encode()
        along = {"r.png": png(16, 16, "red")}
        (tmp_path / "expected").mkdir()
        (tmp_path / "written").mkdir()
        original = formats.Exported("m.tmx", "", source, [])
        expected = through_tiled(original, tmp_path / "expected", along)
        document = read(source).maps[0].grid_data
        written = through_tiled(formats.write(document, format), tmp_path / "written", along)
        last = ("nextlayerid", "nextobjectid")
        assert without(written, *last) == without(expected, *last)

    @pytest.mark.parametrize("format", ["tiled", "tmj"])
    def test_that_were_moved_are_moved_in_tiled(self, format: str) -> None:
        document = read(SQUARE).maps[0].grid_data
        for wall in document["walls"]:
            wall["x1"], wall["x2"] = wall["x1"] + 1, wall["x2"] + 1
        document["lights"][0]["y"] += 2
        document["entities"][0]["x"] -= 1
        written = formats.write(document, format)
        again = formats.read({"a": written.content}).maps[0].grid_data
        for key in ("walls", "lights", "entities", "doors"):
            assert without(again[key], "tiled") == without(document[key], "tiled"), key
        tree = orjson.loads(formats.write(document, "tmj").content)["layers"]
        things = {item["id"]: item for item in tree[0]["layers"][2]["objects"]}
        assert (things[1]["x"], things[1]["rotation"], len(things[1]["polygon"])) == (16, 90, 3)
        assert (things[2]["y"], things[2]["ellipse"], things[2]["width"]) == (8 + 32, True, 32)
        assert things[6]["x"] == 0

    def test_of_which_one_part_was_changed_become_several(self) -> None:
        document = read(SQUARE).maps[0].grid_data
        document["doors"][1]["state"] = "open"
        document["walls"][0]["x1"] += 0.5
        tree = orjson.loads(formats.write(document, "tmj").content)["layers"]
        things = tree[0]["layers"][2]["objects"]
        assert sorted(item["id"] for item in things) == [1, 2, 3, 4, 5, 6, 7]
        again = formats.read({"a": formats.write(document, "tiled").content}).maps[0].grid_data
        for key in ("walls", "doors"):
            places = [{name: one[name] for name in ("x1", "y1", "x2", "y2")} for one in again[key]]
            assert places == [{name: one[name] for name in ("x1", "y1", "x2", "y2")} for one in document[key]]
        assert [door["state"] for door in again["doors"]] == ["locked", "open"]

    def test_that_look_like_a_light_but_are_entities_stay_entities(self) -> None:
        document = read(SQUARE).maps[0].grid_data
        document["entities"][0]["kind"] = "light"
        again = formats.read({"a": formats.write(document, "tiled").content}).maps[0].grid_data
        assert (again["entities"][0]["kind"], len(again["lights"])) == ("light", 3)

    def test_that_cannot_be_read_are_left_out_with_a_warning(self) -> None:
        things: list[Any] = [{"id": 1, "x": "left"}, 7, {"id": 2, "polyline": 3}, {"id": 3, "x": 0, "y": 0}]
        layer = {"type": "objectgroup", "objects": things}
        made = formats.read({"a.tmj": orjson.dumps(tmj(layers=[layer]))})
        assert [entity["id"] for entity in made.maps[0].grid_data["entities"]] == ["3"]
        assert [(each.code, each.place) for each in made.warnings] == [
            ("OBJECT_UNREADABLE", "layers[0].objects[1]"),
            ("OBJECT_UNREADABLE", "layers[0].objects[0].x"),
            ("OBJECT_UNREADABLE", "layers[0].objects[2].polyline"),
        ]


DOOR = b"""<template><tileset firstgid="1" source="t.tsx"/>
 <object name="Gate" type="door" width="16" height="16">
 <properties><property name="state" value="open"/></properties>
 <polyline points="0,0 16,0"/></object></template>"""
TILE = b"""{"type": "template", "tileset": {"firstgid": 1, "source": "t.tsj"},
 "object": {"name": "Chest", "type": "", "gid": 1, "width": 0, "height": 0, "visible": true}}"""
T_TSJ = b"""{"name": "t", "tilewidth": 8, "tileheight": 8, "tilecount": 1, "columns": 1,
 "objectalignment": "topleft",
 "tiles": [{"id": 0, "type": "chest"}]}"""


class TestTemplates:
    def test_of_doors_and_of_tiles_of_another_tileset(self) -> None:
        things = [
            {"id": 1, "template": "door.tx", "x": 16, "y": 16},
            {"id": 2, "template": "maps/chest.tj", "x": 16, "y": 8, "width": 8, "height": 8},
        ]
        source = orjson.dumps(
            tmj(layers=[tile_layer([0] * 6), {"type": "objectgroup", "id": 2, "objects": things}])
        )
        files = {"a.tmj": source, "door.tx": DOOR, "chest.tj": TILE, "t.tsj": T_TSJ}
        made = formats.read(files, "a.tmj")
        document = made.maps[0].grid_data
        check(document)
        [door], [chest] = document["doors"], document["entities"]
        assert without(door, "tiled") == {"x1": 1, "y1": 1, "x2": 2, "y2": 1, "state": "open", "id": "1"}
        assert (chest["name"], chest["kind"], chest["x"], chest["y"]) == ("Chest", "chest", 1, 0)
        assert orjson.loads(formats.write(document, "tmj").content)["layers"][1]["objects"] == [
            {"id": 2, "template": "maps/chest.tj", "x": 16, "y": 8, "width": 8, "height": 8},
            {"id": 1, "template": "door.tx", "x": 16, "y": 16},
        ]

    def test_that_a_thing_no_longer_follows_are_overridden(self) -> None:
        document = formats.read(
            {name: file(name) for name in ("template-override.tmx", "orc.tx")}, "template-override.tmx"
        ).maps[0].grid_data  # fmt: skip
        document["entities"][0] |= {"name": "Bob", "x": 3, "properties": {"hp": 3, "axe": True}}
        [orc] = orjson.loads(formats.write(document, "tmj").content)["layers"][-1]["objects"]
        assert (orc["name"], "type" in orc, orc["x"], orc["template"]) == ("Bob", False, 16 + 48, "orc.tx")
        assert {item["name"]: item["value"] for item in orc["properties"]} == {"hp": 3, "axe": True}

    @pytest.mark.parametrize("data", [b"<template/>", b"{", b"<map/>", b"{}", b'{"object": 3}'])
    def test_that_are_broken_are_a_warning(self, data: bytes) -> None:
        made = formats.read({"m.tmx": file("template-override.tmx"), "orc.tx": data}, "m.tmx")
        assert "TEMPLATE_NOT_READ" in [warning.code for warning in made.warnings]
        assert made.maps[0].grid_data["entities"][0]["kind"] == "rectangle"

    @pytest.mark.parametrize("path", ["/etc/passwd", "../../../etc/passwd", "file:///etc/passwd"])
    def test_follow_no_path_on_the_disk(self, path: str) -> None:
        layer = {"type": "objectgroup", "objects": [{"id": 1, "template": path, "x": 0, "y": 0}]}
        made = formats.read({"a.tmj": orjson.dumps(tmj(layers=[layer]))})
        assert [warning.code for warning in made.warnings] == ["TEMPLATE_NOT_READ"]


class TestBackground:
    @pytest.mark.parametrize("orientation", ["orthogonal", "isometric", "hexagonal"])
    @pytest.mark.parametrize("offset", [(0, 0), (16, -8)])
    def test_keeps_the_place_that_it_has_in_tiled(self, orientation: str, offset: tuple[int, int]) -> None:
        # 6 + 6 half tiles across and down on an isometric map.
        picture = png(96, 48, "red")
        layer = {
            "type": "imagelayer",
            "id": 1,
            "name": "b",
            "image": "b.png",
            "offsetx": offset[0],
            "offsety": offset[1],
        }
        about = {"orientation": orientation, "tilewidth": 16, "tileheight": 8, "width": 6, "height": 6}
        source = orjson.dumps(tmj(**about, hexsidelength=4, layers=[layer]))
        made = formats.read({"a.tmj": source, "b.png": picture})
        document = made.maps[0].grid_data
        if orientation != "hexagonal" and offset == (0, 0):
            assert without(document["background"], "asset_id") == {"x": 0, "y": 0, "width": 6, "height": 6}
        [written] = orjson.loads(formats.write(document, "tmj").content)["layers"]
        assert (written["offsetx"], written["offsety"]) == pytest.approx(offset, abs=1e-4)
        assert made.warnings == []


class TestPaths:
    def test_of_the_pictures_of_a_tileset_in_a_folder_count_from_the_map(self) -> None:
        tileset = {"name": "t", "tilewidth": 8, "tileheight": 8, "image": "../art/t.png", "tiles": [
            {"id": 0, "image": "a.png"}, {"id": 1, "image": "/b.png"}, {"id": 2, "image": "http://x.example/c.png"},
        ]}  # fmt: skip
        source = orjson.dumps(tmj(tilesets=[{"firstgid": 1, "source": "sets/t.tsj"}]))
        document = formats.read({"a.tmj": source, "t.tsj": orjson.dumps(tileset)}, "a.tmj").maps[0].grid_data
        [written] = orjson.loads(formats.write(document, "tmj").content)["tilesets"]
        assert written["image"] == "art/t.png"
        assert [tile["image"] for tile in written["tiles"]] == ["sets/a.png", "/b.png", "http://x.example/c.png"]


class TestInfinite:
    def test_map_keeps_the_size_that_it_states(self) -> None:
        layer = tile_layer(None, chunks=[{"x": 0, "y": 0, "width": 1, "height": 1, "data": [1]}])
        document = formats.read({"a.tmj": orjson.dumps(tmj(infinite=True, layers=[layer]))}).maps[0].grid_data
        assert (document["width"], document["height"]) == (1, 1)
        written = orjson.loads(formats.write(document, "tmj").content)
        assert (written["width"], written["height"]) == (3, 2)
