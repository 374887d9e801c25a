"""Files broken at random: a FormatError or a valid document, and nothing else."""

import copy
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid import formats
from game.grid.document import check
from game.grid.formats import FormatError
from tests.grid.formats.samples import file, png, tile_layer, tmj

CHUNKS = [{"x": -2, "y": -1, "width": 2, "height": 1, "data": [1, 2]}]
KEEP = formats.read({"keep.tmx": file("keep.tmx")}).maps[0]
SAMPLES = {
    "keep.tmx": file("keep.tmx"),
    "cave.ldtk": file("cave.ldtk"),
    "cellar.dd2vtt": file("cellar.dd2vtt"),
    "plain.tmj": orjson.dumps(tmj()),
    "infinite.tmj": orjson.dumps(tmj(infinite=True, layers=[tile_layer(None, chunks=CHUNKS)])),
    "keep.tmj": formats.write(KEEP.grid_data, "tmj").content,
    "cave.export.ldtk": formats.write(
        formats.read({"cave.ldtk": file("cave.ldtk")}).maps[0].grid_data, "ldtk"
    ).content,
    "template-override.tmx": file("template-override.tmx"),
    "object-references.tmx": file("object-references.tmx"),
    "wang-corner-1.4.tmx": file("wang-corner-1.4.tmx"),
    "group-offset.tmx": file("group-offset.tmx"),
    "hex-odd-chunk.tmx": file("hex-odd-chunk.tmx"),
    "isometric-tile-object.tmx": file("isometric-tile-object.tmx"),
    "old-tileproperties.json": file("old-tileproperties.json"),
    "fraction.uvtt": file("fraction.uvtt"),
    "orc.tx": file("orc.tx"),
    "t.png": file("t.png"),
    "diamond.png": file("diamond.png"),
    "stones.tsx": file("stones.tsx"),
    "stones.png": png(19, 10, "red"),
}
MAPS = sorted(name for name in SAMPLES if not name.endswith((".tsx", ".tx", ".png")))
TOKENS = [
    b"-1", b"0", b"50000", b"2147483648", b"99999999999999999999", b"1e999", b"1e-300", b"0.5", b"null", b"true",
    b'"x"', b"[]", b"{}", b"csv", b"base64", b"zstd", b"&x;", b"<", b'"', b"\\u0000", b"\0", b"\xff", b"",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**53, 1e300, 1e-300, 0.5, "", "x", "x" * 70_000,
    [], {}, [1], [[]], [{}], {"x": 1},
]  # fmt: skip


def survives(name: str, data: bytes, **others: bytes) -> None:
    files = {**SAMPLES, name: data, **others}
    try:
        imported = formats.read(files, name)
    except FormatError:
        return
    for made in imported.maps:
        check(made.grid_data)
        for format in formats.WRITTEN:
            formats.write(made.grid_data, format, pictures=made.pictures)


@pytest.mark.parametrize("name", MAPS)
class TestBrokenFile:
    @given(data=st.data())
    def test_with_other_tokens(self, name: str, data: st.DataObject) -> None:
        broken = SAMPLES[name]
        for _ in range(data.draw(st.integers(1, 3))):
            spots = [match.span() for match in re.finditer(rb"-?\d+|true|false|\w+|[^\w\s]", broken)]
            if spots:
                start, end = data.draw(st.sampled_from(spots))
                broken = broken[:start] + data.draw(st.sampled_from(TOKENS)) + broken[end:]
        survives(name, broken)

    @given(cut=st.floats(0, 1), byte=st.binary(max_size=3))
    def test_that_breaks_off(self, name: str, cut: float, byte: bytes) -> None:
        survives(name, SAMPLES[name][: int(cut * len(SAMPLES[name]))] + byte)


@pytest.mark.parametrize("name", [name for name in MAPS if not name.endswith("tmx")])
class TestBrokenJson:
    @given(data=st.data())
    def test_with_other_values(self, name: str, data: st.DataObject) -> None:
        root = orjson.loads(SAMPLES[name])
        for _ in range(data.draw(st.integers(1, 3))):
            place = root
            while isinstance(place, dict | list) and place:
                key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
                if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
                    place[key] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
                    break
                place = place[key]
        survives(name, orjson.dumps(root))


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("stones.tsx", "keep.tmx"),
        ("stones.png", "keep.tmx"),
        ("orc.tx", "template-override.tmx"),
        ("t.png", "object-references.tmx"),
        ("diamond.png", "isometric-tile-object.tmx"),
    ],
)
class TestBrokenPart:
    """A tileset, a template or a picture that is broken never ends the import."""

    @given(data=st.data())
    def test_with_other_bytes(self, name: str, owner: str, data: st.DataObject) -> None:
        broken = bytearray(SAMPLES[name])
        for _ in range(data.draw(st.integers(1, 4))):
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
        made = formats.read({**SAMPLES, name: bytes(broken)}, owner)
        check(made.maps[0].grid_data)

    @given(data=st.data())
    def test_with_other_tokens(self, name: str, owner: str, data: st.DataObject) -> None:
        broken = SAMPLES[name]
        spots = [match.span() for match in re.finditer(rb"\w+|[^\w\s]", broken)]
        start, end = data.draw(st.sampled_from(spots))
        broken = broken[:start] + data.draw(st.sampled_from(TOKENS)) + broken[end:]
        made = formats.read({**SAMPLES, name: broken}, owner)
        check(made.maps[0].grid_data)
