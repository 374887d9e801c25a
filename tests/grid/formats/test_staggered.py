"""Staggered maps are isometric here: Tiled draws what it gets back just like what it had."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from game.grid import formats
from game.grid.document import Limits, check
from tests.grid.formats.samples import png
from tests.grid.formats.tiled_program import needs_tiled, run

HEAD = (
    '<map version="1.10" orientation="staggered" staggeraxis="{}" staggerindex="{}" width="12" height="14"'
    ' tilewidth="32" tileheight="16" infinite="{}">'
    '<tileset firstgid="1" name="t" tilewidth="32" tileheight="24" tilecount="4" columns="4">'
    '<image source="t.png" width="128" height="24"/></tileset>'
)
SHAPE = ["12341", "20034", "30102", "44003", "10204", "23412"]
# Tiled clips what is drawn beyond the edge of the map: this one has room around its cells.
ROWS = ["0" * 12, "011111111110", *[f"010{row}0010" for row in SHAPE], *["010000000010"] * 3, "011111111110"]
ROWS += ["0" * 12] * 2
CELLS = '<layer id="1" name="g" width="12" height="14" {}><data encoding="csv">' + ",".join("".join(ROWS))
CELLS += "</data></layer>"
CHUNKS = (
    '<layer id="1" name="g" width="12" height="14"><data encoding="csv">'
    '<chunk x="-3" y="-3" width="2" height="3">1,2,3,4,1,2</chunk>'
    '<chunk x="-1" y="-3" width="2" height="3">4,3,2,1,2,1</chunk>'
    '<chunk x="1" y="0" width="2" height="3">1,1,2,2,3,3</chunk></data></layer>'
)
THINGS = """
<imagelayer id="2" name="i" offsetx="104" offsety="60"><image source="i.png" width="24" height="10"/></imagelayer>
<objectgroup id="3" name="o" offsetx="40" offsety="20">
 <object id="1" gid="2" x="50" y="50" width="32" height="24"/>
 <object id="2" gid="3" x="70" y="60" width="16" height="12" rotation="30"/>
</objectgroup>"""
SHAPES = """
<objectgroup id="4" name="p">
 <object name="Box" x="64" y="56" template="box.tx"/>
 <object name="Line" type="wall" x="64" y="56"><polyline points="0,0 32,0"/></object>
 <object name="Turned" type="wall" x="64" y="56" rotation="90"><polyline points="0,0 32,0"/></object>
 <object name="Area" type="wall" x="64" y="56" width="32" height="16"/>
 <object name="Pond" x="64" y="56" width="32" height="16"><ellipse/></object>
 <object name="Lamp" type="light" x="64" y="56" width="32" height="16"><ellipse/></object>
</objectgroup>"""
TEMPLATE = b'<template><object name="Box" type="box" width="20" height="10"/></template>'
KINDS = [(axis, index) for axis in "xy" for index in ("odd", "even")]


def tiles() -> bytes:
    """Four diamonds with a mark each, higher than a cell."""
    image = Image.new("RGBA", (128, 24))
    draw = ImageDraw.Draw(image)
    for at, color in enumerate(("red", "green", "blue", "orange")):
        draw.polygon([(at * 32 + x, y) for x, y in ((16, 8), (31, 16), (16, 23), (0, 16))], color)
        draw.rectangle((at * 32 + 14, at * 2, at * 32 + 17, 15), "black")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


ALONG = {"t.png": tiles(), "i.png": png(24, 10, "magenta"), "box.tx": TEMPLATE}


def drawn(folder: Path, content: bytes) -> Image.Image:
    """What Tiled draws of a map, without the empty space around it."""
    (folder / "m.tmx").write_bytes(content)
    run(folder, "tmxrasterizer", "m.tmx", "m.png")
    image = Image.open(io.BytesIO((folder / "m.png").read_bytes())).convert("RGBA")
    return image.crop(image.getchannel("A").getbbox())


@needs_tiled
class TestDrawing:
    @pytest.mark.parametrize(("axis", "index"), KINDS)
    @pytest.mark.parametrize("parts", ["cells", "shifted", "things", "chunks"])
    def test_is_the_same_in_tiled(self, axis: str, index: str, parts: str, tmp_path: Path) -> None:
        shift = 'offsetx="16" offsety="-8"' if parts == "shifted" else ""
        cells = CHUNKS if parts == "chunks" else CELLS.format(shift)
        things = THINGS if parts == "things" else ""
        head = HEAD.format(axis, index, int(parts == "chunks"))
        source = f"{head}{cells}{things}</map>".encode()
        for name, data in ALONG.items():
            (tmp_path / name).write_bytes(data)
        made = formats.read({"m.tmx": source, **ALONG}, "m.tmx")
        assert [warning.code for warning in made.warnings] in ([], ["BACKGROUND_SCALED"])
        document = made.maps[0].grid_data
        check(document)
        assert document["grid_type"] == "isometric"
        expected = drawn(tmp_path, source)
        written = drawn(tmp_path, formats.write(document, "tiled").content)
        assert written.size == expected.size
        assert ImageChops.difference(expected, written).getbbox() is None


def middle(axis: str, index: str, column: int, row: int) -> tuple[int, int]:
    """The pixel in the middle of a cell, as Tiled counts them."""
    shifted = ((row if axis == "y" else column) % 2 == 1) == (index == "odd")
    x, y = (32 * column + 16 * shifted, 8 * row) if axis == "y" else (16 * column, 16 * row + 8 * shifted)
    return x + 16, y + 8


@pytest.mark.parametrize(("axis", "index"), KINDS)
class TestObjects:
    def read(self, axis: str, index: str, things: str) -> dict[str, Any]:
        source = f"{HEAD.format(axis, index, 0)}{CELLS.format('')}{things}</map>"
        document = formats.read({"m.tmx": source.encode(), **ALONG}, "m.tmx").maps[0].grid_data
        check(document)
        return document

    def test_are_in_the_cell_that_is_drawn_there(self, axis: str, index: str) -> None:
        things = ""
        for row, line in enumerate(ROWS):
            for column, tile in enumerate(line):
                x, y = middle(axis, index, column, row)
                things += f'<object name="{tile}" x="{x}" y="{y}"><point/></object>'
        document = self.read(axis, index, f"<objectgroup>{things}</objectgroup>")
        names = {entry["symbol"]: entry["name"] for entry in document["legend"]} | {" ": "t -1"}
        rows = document["layers"][0]["rows"]
        assert len(document["entities"]) == 12 * 14
        for entity in document["entities"]:
            assert names[rows[entity["y"]][entity["x"]]] == f"t {int(entity['name']) - 1}"

    def test_keep_their_shapes(self, axis: str, index: str) -> None:
        document = self.read(axis, index, SHAPES)
        walls = [[wall[key] for key in ("x1", "y1", "x2", "y2")] for wall in document["walls"]]
        x, y = walls[0][:2]
        # A tile to the right on the screen is a cell right and one up; two tiles down are two cells of each.
        assert walls[0] == [x, y, x + 1, y - 1]
        assert walls[1] == pytest.approx([x, y, x + 2, y + 2])
        assert walls[2:] == [
            [x, y, x + 1, y - 1],
            [x + 1, y - 1, x + 2, y],
            [x + 2, y, x + 1, y + 1],
            [x + 1, y + 1, x, y],
        ]
        box, pond = document["entities"]
        assert (box["name"], box["kind"], "template" in box["tiled"]) == ("Box", "box", False)
        assert (pond["kind"], pond["x"], pond["y"]) == ("ellipse", int(x + 1), int(y))
        [lamp] = document["lights"]
        assert (lamp["x"], lamp["y"], lamp["range"]) == pytest.approx((x + 1, y, 0.7071), abs=1e-4)


class TestLimits:
    def test_a_map_that_becomes_too_large_is_refused_with_its_size(self) -> None:
        source = HEAD.format("y", "odd", 0).replace('width="12"', 'width="4000"') + "</map>"
        with pytest.raises(formats.FormatError, match="isometric map of 4007 x 4006 cells"):
            formats.read({"m.tmx": source.encode()}, "m.tmx", limits=Limits(max_size=4000))
