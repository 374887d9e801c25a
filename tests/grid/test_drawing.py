"""Pictures of maps, looked at pixel by pixel and tag by tag."""

from collections.abc import Mapping
from io import BytesIO
from math import sqrt
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from game.grid.document import GRID_TYPES, check
from game.grid.drawing import PictureError, PictureTooLarge, Region, draw_png, draw_svg
from game.grid.drawing.lettering import has_glyph, readable
from game.grid.drawing.scene import PAPER, Projection, compose, rgba

SVG = "{http://www.w3.org/2000/svg}"
RED, GREEN, BLUE, GREY = (204, 0, 0), (0, 153, 0), (0, 0, 204), (119, 119, 119)
LEGEND = [
    {"symbol": "r", "color": "#c00"},
    {"symbol": "g", "color": "#009900"},
    {"symbol": "b", "color": "#0000cc"},
    {"symbol": "#", "color": "#777777", "blocks_sight": True},
]


def a_map(*rows: str, **more: Any) -> dict[str, Any]:
    return {"legend": LEGEND, "layers": [{"name": "ground", "rows": list(rows)}], **more}


def picture(document: Mapping[str, Any] | Region, **options: Any) -> Image.Image:
    region = document if isinstance(document, Region) else Region.of(document)
    return Image.open(BytesIO(draw_png(region, **options))).convert("RGB")


def svg(document: Mapping[str, Any], **options: Any) -> ElementTree.Element:
    return ElementTree.fromstring(draw_svg(Region.of(document), **options))


def texts(document: Mapping[str, Any], **options: Any) -> list[str]:
    return [element.text or "" for element in svg(document, **options).iter(f"{SVG}text")]


def a_picture(color: tuple[int, int, int], size: tuple[int, int] = (8, 8), kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, color).save(file, kind)
    return file.getvalue()


def near(one: Any, other: Any, by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


class TestSize:
    @pytest.mark.parametrize(
        ("grid_type", "size"),
        [
            ("square", (30, 20)),
            ("none", (30, 20)),
            ("hex_row", (35, 21)),
            ("hex_column", (29, 25)),
            ("isometric", (25, 13)),
        ],
    )
    def test_of_a_map(self, grid_type: str, size: tuple[int, int]) -> None:
        document = a_map("rrr", "ggg", grid_type=grid_type)
        assert picture(document, cell_size=10).size == size
        root = svg(document, cell_size=10)
        assert (root.get("width"), root.get("height")) == (str(size[0]), str(size[1]))

    @pytest.mark.parametrize("document", [{}, {"width": 0, "height": 5}, {"legend": [], "layers": []}])
    def test_an_empty_map_is_one_pixel_of_paper(self, document: dict[str, Any]) -> None:
        assert picture(document).size == (1, 1)
        assert picture(document).getpixel((0, 0)) == PAPER
        assert svg(document).get("width") == "1"

    @pytest.mark.parametrize("draw", [draw_png, draw_svg])
    def test_too_large_names_the_cell_size_that_would_do(self, draw: Any) -> None:
        region = Region.of({"width": 500, "height": 100, "legend": [], "layers": []})
        with pytest.raises(PictureTooLarge, match="the largest possible cell_size is 16") as caught:
            draw(region, cell_size=20)
        assert caught.value.cell_size == 16
        assert isinstance(caught.value, ValueError)
        assert draw(region, cell_size=16)

    def test_too_many_pixels_though_no_side_is_too_long(self) -> None:
        with pytest.raises(PictureTooLarge, match="40,000,000") as caught:
            draw_png(Region.of({"width": 800, "height": 800}), cell_size=10)
        assert caught.value.cell_size == 7

    def test_a_region_that_is_too_large_at_any_size(self) -> None:
        with pytest.raises(PictureTooLarge, match="draw a smaller region"):
            draw_png(Region(0, 0, 9000, 1, {}, []), cell_size=10**9)

    def test_cells_smaller_than_a_pixel(self) -> None:
        with pytest.raises(PictureError, match="1 pixel or more"):
            draw_png(Region.of(a_map("r")), cell_size=0)

    def test_an_svg_of_more_cells_than_a_browser_bears(self) -> None:
        with pytest.raises(PictureError, match="smaller region"):
            draw_svg(Region.of({"width": 4000, "height": 1000}), cell_size=1)


class TestCells:
    @pytest.mark.parametrize("cell_size", [1, 5, 11])
    def test_each_cell_has_the_colour_of_its_symbol(self, cell_size: int) -> None:
        drawn = picture(a_map("rg ", "b r"), cell_size=cell_size)
        wanted = ((RED, GREEN, PAPER), (BLUE, PAPER, RED))
        for y, row in enumerate(wanted):
            for x, color in enumerate(row):
                for corner in (0, cell_size - 1):
                    assert drawn.getpixel((x * cell_size + corner, y * cell_size + corner)) == color

    @pytest.mark.parametrize("grid_type", GRID_TYPES)
    @pytest.mark.parametrize(("left", "top"), [(0, 0), (1, 0), (0, 1), (1, 1)])
    def test_every_centre_on_every_grid_and_wherever_the_region_begins(
        self, grid_type: str, left: int, top: int
    ) -> None:
        document = a_map("rgbr", "gbrg", "brgb", "rrgb", grid_type=grid_type)
        region = Region.of(document, left, top)
        drawn, projection = picture(region, cell_size=11), Projection(region, 11)
        colors = {"r": RED, "g": GREEN, "b": BLUE}
        for x, y in region.cells():
            px, py = projection.centre((x, y))
            wanted = colors[document["layers"][0]["rows"][y][x]]
            assert near(drawn.getpixel((int(px), int(py))), wanted), (x, y)

    def test_odd_rows_of_hexes_stand_half_a_cell_to_the_right(self) -> None:
        drawn = picture(a_map("rr", "gg", grid_type="hex_row"), cell_size=10)
        y = int(10 * (sqrt(3) / 2 + 1 / sqrt(3)))
        assert drawn.getpixel((1, y)) == PAPER
        assert drawn.getpixel((24, y)) == GREEN

    def test_an_isometric_map_is_drawn_as_a_diamond(self) -> None:
        drawn = picture(a_map("rb", "gr", grid_type="isometric"), cell_size=40)
        assert drawn.size == (80, 40)
        assert [drawn.getpixel(point) for point in ((40, 3), (12, 20), (67, 20), (40, 36))] == [
            RED,
            GREEN,
            BLUE,
            RED,
        ]
        assert drawn.getpixel((1, 1)) == PAPER

    def test_a_symbol_without_a_colour_has_one_of_its_own(self) -> None:
        document = {"legend": [{"symbol": "x"}, {"symbol": "y"}], "layers": [{"name": "l", "rows": ["xy"]}]}
        drawn = picture(document, cell_size=4)
        assert len({drawn.getpixel((2, 2)), drawn.getpixel((6, 2)), PAPER}) == 3
        assert picture(document, cell_size=4).tobytes() == drawn.tobytes()

    def test_more_symbols_than_a_palette_holds(self) -> None:
        symbols = [chr(0xE000 + number) for number in range(600)]
        legend = [{"symbol": s, "color": f"#{0x100 + n:06x}"} for n, s in enumerate(symbols)]
        document = {"legend": legend, "layers": [{"name": "l", "rows": ["".join(symbols)]}]}
        drawn = picture(document, cell_size=2)
        for n in range(600):
            assert drawn.getpixel((2 * n, 1)) == rgba(f"#{0x100 + n:06x}", PAPER)[:3]

    def test_what_blocks_sight_throws_a_shadow_to_the_right(self) -> None:
        drawn = picture(a_map("g#g"), cell_size=10)
        assert drawn.getpixel((9, 5)) == GREEN
        assert drawn.getpixel((15, 5)) == GREY
        darker, lit = drawn.getpixel((20, 5)), drawn.getpixel((27, 5))
        assert lit == GREEN
        assert sum(darker) < sum(GREEN)  # type: ignore[arg-type]  # an RGB pixel

    @pytest.mark.parametrize(
        ("color", "channels"), [("#abc", (170, 187, 204, 255)), ("#01020380", (1, 2, 3, 128))]
    )
    def test_colours_are_read_in_all_their_forms(self, color: str, channels: tuple[int, ...]) -> None:
        assert rgba(color, PAPER) == channels


class TestLayers:
    LAYERS = (
        {"name": "ground", "rows": ["rr"]},
        {"name": "top", "rows": [" b"], "opacity": 0.5},
        {"name": "secrets", "rows": ["g "], "visible": False},
    )

    def colors(self, **options: Any) -> list[Any]:
        drawn = picture({"legend": LEGEND, "layers": list(self.LAYERS)}, cell_size=4, **options)
        return [drawn.getpixel((2, 2)), drawn.getpixel((6, 2))]

    def test_lie_on_each_other_with_their_opacity_and_hidden_ones_are_left_out(self) -> None:
        one, two = self.colors()
        assert one == RED
        assert near(two, (102, 0, 102), 1)

    def test_only_those_named_are_drawn_even_hidden_ones(self) -> None:
        assert self.colors(layers=["secrets"]) == [GREEN, PAPER]
        assert self.colors(layers=[]) == [PAPER, PAPER]

    def test_svg_and_png_show_the_same_colours(self) -> None:
        root = svg({"legend": LEGEND, "layers": list(self.LAYERS)}, cell_size=4)
        fills = {path.get("fill") for path in root.iter(f"{SVG}path")}
        assert fills == {"#cc0000", "#660066"}

    def test_a_layer_without_rows_is_nothing(self) -> None:
        document = {
            "width": 1,
            "height": 1,
            "legend": [],
            "layers": [{"name": "a"}, {"name": "b", "rows": []}],
        }
        assert picture(document, cell_size=2).getpixel((0, 0)) == PAPER


class TestSymbols:
    def drawn(self, symbol: str, cell_size: int = 24, color: str = "#808080") -> int:
        """How many colours a cell has: 1 where no symbol is on it."""
        legend = [{"symbol": symbol, "color": color}]
        cell = picture({"legend": legend, "layers": [{"name": "l", "rows": [symbol]}]}, cell_size=cell_size)
        return len(cell.getcolors() or ())

    @pytest.mark.parametrize("symbol", ["T", "é", "Ж", "♣", "▲", "≈", "░", "∩", "Ω", "→"])
    def test_are_drawn(self, symbol: str) -> None:
        assert self.drawn(symbol) > 1

    @pytest.mark.parametrize("symbol", ["\ue000", "\uf8ff", "字", "\u0378"])
    def test_that_the_font_lacks_are_not_drawn_as_boxes(self, symbol: str) -> None:
        assert self.drawn(symbol) == 1

    def test_are_left_out_of_small_cells(self) -> None:
        assert self.drawn("T", 12) > 1
        assert self.drawn("T", 11) == 1

    @pytest.mark.parametrize(("color", "lighter"), [("#101010", True), ("#f0f0f0", False)])
    def test_are_light_on_dark_and_dark_on_light(self, color: str, lighter: bool) -> None:
        legend = [{"symbol": "H", "color": color}]
        cell = picture({"legend": legend, "layers": [{"name": "l", "rows": ["H"]}]}, cell_size=24)
        values = [value for _, value in cell.convert("L").getcolors() or ()]
        assert (max(values) > 0x20) if lighter else (min(values) < 0xE0)  # type: ignore[operator]  # an RGB pixel

    def test_private_use_is_no_text_in_svg_either(self) -> None:
        legend = [{"symbol": "\ue000"}, {"symbol": "&"}]
        assert texts({"legend": legend, "layers": [{"name": "l", "rows": ["\ue000&"]}]}) == ["&"]

    def test_readable_text_has_only_characters_of_the_font(self) -> None:
        assert readable("Élodie\n 字 ♣\x01") == "Élodie ♣"
        assert len(readable("x" * 500)) == 32
        assert not has_glyph("\uffff")


class TestThings:
    def entity(self, **more: Any) -> dict[str, Any]:
        return {"id": "1", "kind": "npc", "name": "Odo", "x": 3, "y": 2, **more}

    def test_an_entity_is_a_disc_with_an_initial_and_a_name(self) -> None:
        document = a_map(*["gggggggg"] * 5, entities=[self.entity()])
        drawn = picture(document, cell_size=32)
        assert near(drawn.getpixel((3 * 32 + 8, 2 * 32 + 16)), (38, 112, 78), 30)
        assert drawn.getpixel((6 * 32 + 2, 2 * 32 + 2)) == GREEN
        assert {"O", "Odo"} <= set(texts(document))

    def test_entities_outside_of_the_region_are_not_drawn(self) -> None:
        document = a_map(*["gggggggg"] * 5, entities=[self.entity()])
        assert not compose(Projection(Region.of(document, 4, 0), 32), grid=False, secrets=False).tokens

    def test_names_never_lie_on_each_other_nor_on_tokens(self) -> None:
        names = [self.entity(id=str(n), name=f"Somebody {n}", x=n % 12, y=n // 12) for n in range(120)]
        scene = compose(
            Projection(Region.of({"width": 12, "height": 10, "entities": names}), 24),
            grid=False,
            secrets=False,
        )
        assert len(scene.tokens) == 120
        assert not scene.labels

    def test_a_wall_is_dark(self) -> None:
        drawn = picture(a_map("gg", "gg", walls=[{"x1": 1, "y1": 0, "x2": 1, "y2": 2}]), cell_size=20)
        assert sum(drawn.getpixel((20, 20))) < 120  # type: ignore[arg-type]  # an RGB pixel
        assert drawn.getpixel((14, 20)) == GREEN

    def test_doors_differ_by_state_and_secret_ones_are_shown_on_request(self) -> None:
        def door(**more: Any) -> dict[str, Any]:
            return a_map("gg", "gg", doors=[{"id": "d", "x1": 0, "y1": 1, "x2": 1, "y2": 1, **more}])

        states = [draw_png(Region.of(door(state=state))) for state in ("open", "closed", "locked")]
        plain = draw_png(Region.of(a_map("gg", "gg")))
        assert len({*states, plain}) == 4
        assert draw_png(Region.of(door())) == states[1]
        secret = Region.of(door(secret=True))
        assert draw_png(secret) == plain
        assert draw_png(secret, secrets=True) != plain
        assert draw_svg(secret) == draw_svg(Region.of(a_map("gg", "gg")))

    def test_a_light_brightens_what_is_near(self) -> None:
        light = {"x": 2, "y": 2, "range": 2, "color": "#ffffff"}
        drawn = picture(a_map(*["######"] * 6, lights=[light]), cell_size=10)
        assert drawn.getpixel((20, 20))[0] > GREY[0] + 30  # type: ignore[index]  # an RGB pixel
        assert drawn.getpixel((20, 41)) == GREY
        assert svg(a_map("gg", lights=[light])).find(f"{SVG}radialGradient") is not None

    @pytest.mark.parametrize("grid_type", GRID_TYPES)
    def test_grid_lines_are_drawn_on_request(self, grid_type: str) -> None:
        region = Region.of(a_map("ggg", "ggg", grid_type=grid_type))
        same = draw_png(region, grid=True) == draw_png(region)
        assert same == (grid_type == "none")

    def test_things_at_the_end_of_the_world_do_no_harm(self) -> None:
        far = 1e308
        document = a_map(
            "gg",
            walls=[{"x1": -far, "y1": -far, "x2": far, "y2": far}, {"x1": 0, "y1": far, "x2": 0, "y2": far}],
            doors=[{"id": s, "x1": -far, "y1": 0, "x2": far, "y2": 1, "state": s} for s in ("open", "locked")],
            lights=[{"x": 0, "y": 0, "range": far, "intensity": far}, {"x": far, "y": far, "range": 1}],
            background={"x": -far, "y": -far, "width": far, "height": far},
        )
        check(document)
        assert draw_png(Region.of(document), background=a_picture(RED))
        assert draw_svg(Region.of(document), background=a_picture(RED))


class TestBackground:
    def test_lies_beneath_the_cells_at_its_place(self) -> None:
        document = a_map("g   ", "    ", background={"asset_id": "a", "x": 0, "y": 0, "width": 2, "height": 2})
        drawn = picture(document, cell_size=4, background=a_picture(BLUE))
        points = (2, 2), (6, 2), (2, 6), (10, 2)
        assert [drawn.getpixel(point) for point in points] == [GREEN, BLUE, BLUE, PAPER]

    def test_fills_the_map_unless_it_says_otherwise(self) -> None:
        drawn = picture({"width": 3, "height": 2, "background": {}}, cell_size=4, background=a_picture(RED))
        assert drawn.getpixel((11, 7)) == RED

    def test_moves_with_the_region(self) -> None:
        halves = Image.new("RGB", (20, 10), RED)
        halves.paste(BLUE, (10, 0, 20, 10))
        file = BytesIO()
        halves.save(file, "PNG")
        region = Region.of({"width": 4, "height": 2}, 2, 0)
        assert near(picture(region, cell_size=8, background=file.getvalue()).getpixel((8, 8)), BLUE)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_is_embedded_in_the_svg(self, kind: str) -> None:
        image = svg({"width": 1, "height": 1}, background=a_picture(RED, kind=kind)).find(f"{SVG}image")
        assert image is not None
        assert (image.get("href") or "").startswith(f"data:image/{kind.lower()};base64,")

    @pytest.mark.parametrize("draw", [draw_png, draw_svg])
    @pytest.mark.parametrize("file", [b"", b"no picture", b"<svg onload='alert(1)'/>"])
    def test_that_cannot_be_read_is_refused(self, draw: Any, file: bytes) -> None:
        with pytest.raises(PictureError, match="background"):
            draw(Region.of({"width": 1, "height": 1}), background=file)

    def test_that_ends_too_early_is_refused(self) -> None:
        with pytest.raises(PictureError, match="background"):
            draw_png(Region.of({"width": 1, "height": 1}), background=a_picture(RED, (300, 300))[:60])


class TestEscaping:
    HOSTILE = '</text><script>alert("1")</script>&\'\x01\x1b\ufffe'

    def test_hostile_names_are_text(self) -> None:
        entities = [{"id": self.HOSTILE, "kind": self.HOSTILE, "name": self.HOSTILE, "x": 1, "y": 1}]
        document = a_map(*["r" * 40] * 3, entities=entities)
        root = svg(document)
        assert {element.tag for element in root.iter()} <= {
            f"{SVG}{tag}" for tag in ("svg", "rect", "path", "g", "text", "title", "circle")
        }
        assert any("<script>" in text for text in texts(document))
        assert (root.findtext(f".//{SVG}title") or "").startswith("</text><script>")

    @pytest.mark.parametrize("symbol", list("<>&\"'"))
    def test_hostile_symbols_are_text(self, symbol: str) -> None:
        assert texts({"legend": [{"symbol": symbol}], "layers": [{"name": "l", "rows": [symbol]}]}) == [symbol]


SYMBOLS = st.sampled_from("#.~<&♣≈字\ue000\uffee")
NUMBERS = st.floats(-4, 12) | st.integers(-3, 9) | st.sampled_from([1e300, -1e300, 0.0])
COLORS = st.sampled_from(["#fff", "#102030", "#10203040"])


def some(fields: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.fixed_dictionaries(fields, optional=optional), max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    legend = draw(
        st.lists(
            st.fixed_dictionaries({"symbol": SYMBOLS}, optional={"color": COLORS, "blocks_sight": st.booleans()}),
            unique_by=lambda entry: entry["symbol"],
            max_size=5,
        )
    )
    row = st.text(st.sampled_from([" ", *(entry["symbol"] for entry in legend)]), min_size=width, max_size=width)
    layer = st.fixed_dictionaries(
        {"name": st.text(min_size=1, max_size=5), "rows": st.lists(row, min_size=height, max_size=height)},
        optional={"opacity": st.floats(0, 1), "visible": st.booleans()},
    )
    ends = dict.fromkeys(("x1", "y1", "x2", "y2"), NUMBERS)
    entity = {"x": st.integers(0, width - 1), "y": st.integers(0, height - 1)}
    document = {
        "width": width,
        "height": height,
        "legend": legend,
        "grid_type": draw(st.sampled_from(GRID_TYPES)),
        "layers": draw(st.lists(layer, max_size=3, unique_by=lambda layer: layer["name"])),
        "entities": draw(some(entity, name=st.text(max_size=9), kind=st.text(max_size=9))),
        "walls": draw(some(ends)),
        "doors": draw(some(ends, state=st.sampled_from(["open", "closed", "locked"]), secret=st.booleans())),
        "lights": draw(
            some(
                {"x": NUMBERS, "y": NUMBERS},
                range=st.floats(0, 9) | st.just(1e300),
                color=COLORS,
                intensity=st.floats(0, 9),
            )
        ),
        "background": draw(st.fixed_dictionaries({}, optional={"x": NUMBERS, "width": st.floats(0, 9)})),
    }
    for number, item in enumerate(document["entities"]):
        item["id"] = str(number)
    check(document)
    return document


class TestAnyDocument:
    @given(
        documents(),
        st.integers(1, 40),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, a_picture(RED)]),
        st.integers(0, 3),
        st.integers(0, 3),
    )
    def test_is_drawn_the_same_twice_in_both_formats(
        self,
        document: dict[str, Any],
        size: int,
        grid: bool,
        secrets: bool,
        file: bytes | None,
        x: int,
        y: int,
    ) -> None:
        region = Region.of(document, x, y)
        options: dict[str, Any] = {"cell_size": size, "grid": grid, "secrets": secrets, "background": file}
        png, text = draw_png(region, **options), draw_svg(region, **options)
        root = ElementTree.fromstring(text)
        with Image.open(BytesIO(png)) as image:
            image.load()
            assert (str(image.width), str(image.height)) == (root.get("width"), root.get("height"))
        assert draw_png(region, **options) == png
        assert draw_svg(region, **options) == text
