"""Picture headers, tile colours, tile pictures."""

import io
import struct
import zlib

import pytest
from PIL import Image

from game.grid.formats.imported import FormatError
from game.grid.formats.pictures import MAX_SIDE, average_colors, probe, tile_picture
from tests.grid.formats.samples import png


def saved(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (37, 21), "red").save(out, kind, **options)
    return out.getvalue()


def huge_png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


class TestProbe:
    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            ("png", saved("PNG")),
            ("jpeg", saved("JPEG")),
            ("jpeg", saved("JPEG", progressive=True)),
            ("webp", saved("WEBP")),
            ("webp", saved("WEBP", lossless=True)),
            ("webp", saved("WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")),
        ],
    )
    def test_reads_the_size_of_every_kind(self, kind: str, data: bytes) -> None:
        assert probe(data, "here") == (kind, 37, 21)

    @pytest.mark.parametrize(
        "data",
        [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\0\2", b"RIFF0000WEBP"],
    )
    def test_refuses_what_is_no_picture(self, data: bytes) -> None:
        with pytest.raises(FormatError, match="not a PNG, JPEG or WebP"):
            probe(data, "here")

    @pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (MAX_SIDE + 1, 1), (0, 5)])
    def test_refuses_a_size_from_the_header_alone(self, width: int, height: int) -> None:
        with pytest.raises(FormatError, match=f"{width} x {height}"):
            probe(huge_png(width, height), "here")


class TestAverageColors:
    def test_averages_each_box(self) -> None:
        picture = png(4, 2, "#ff0000", "#0000ff")
        boxes = [(0, 0, 2, 2), (2, 0, 2, 2), (0, 0, 4, 2), (9, 9, 2, 2)]
        assert average_colors(picture, boxes, "here") == ["#ff0000", "#0000ff", "#800080", None]

    def test_does_not_count_clear_pixels(self) -> None:
        picture = png(4, 2, "#ff0000ff", "#00ff0000")
        assert average_colors(picture, [(0, 0, 4, 2), (2, 0, 2, 2)], "here") == ["#ff0000", "#00000000"]
        assert average_colors(png(4, 2, "#ff0000", "#ff00ff"), [(2, 0, 2, 2)], "here", "#ff00ff") == ["#00000000"]

    def test_leaves_a_mostly_clear_tile_clear(self) -> None:
        assert average_colors(png(2, 2, "#00000040"), [(0, 0, 2, 2)], "here") == ["#00000040"]

    def test_counts_the_opacity_within_the_shape_of_a_cell(self) -> None:
        picture = png(4, 2, "#ff000000", "#00ff00ff")
        left, right = ([(x, -2), (x + 1, -2), (x + 1, -1), (x, -1)] for x in (0, 2))
        assert average_colors(picture, [(0, 0, 4, 2)], "here", shape=left) == ["#00ff0000"]
        assert average_colors(picture, [(0, 0, 4, 2)], "here", shape=right) == ["#00ff00"]

    def test_refuses_a_picture_that_breaks_off(self) -> None:
        with pytest.raises(FormatError, match="broken"):
            average_colors(saved("PNG")[:60], [(0, 0, 1, 1)], "here")

    def test_decodes_no_picture_that_is_too_large_for_it(self) -> None:
        assert average_colors(huge_png(16_000, 16_000), [(0, 0, 1, 1)], "here") == [None]


class TestTilePicture:
    @pytest.mark.parametrize("color", ["#f00", "#ff0000", "#ff0000ff"])
    def test_has_the_colour_and_the_size(self, color: str) -> None:
        data = tile_picture(color, "\ue000", [(0, 0), (7, 0), (7, 7), (0, 7)], (8, 8))
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (8, 8)
            assert image.convert("RGBA").getpixel((4, 4)) == (255, 0, 0, 255)
