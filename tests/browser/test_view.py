"""How maps are shown: pan, zoom and fit, kinds of grids, only what is on the screen; on a phone and by touch."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, expect

from tests.browser.conftest import SMALL, Opening, Visiting
from tests.browser.driver import MapEditor, Player

Pixel = tuple[int, int, int]

_COLOR_AT = """({ canvas, view, document: map, renderer }, [x, y, dx, dy]) => {
    renderer.draw();
    const [px, py] = map.geometry.centre(x, y);
    const [X, Y] = view.toScreen(px + dx, py + dy).map(Math.round);
    const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, -X, -Y);
    return [...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""
WALL, FLOOR, WATER = (0x5B, 0x53, 0x48), (0xCF, 0xC6, 0xB0), (0x6A, 0x92, 0x9C)


def color_at(editor: MapEditor, x: int, y: int, dx: float = 0, dy: float = 0) -> Pixel:
    """The colour that is drawn at the middle of a cell, or a number of cells beside it."""
    red, green, blue = editor.run(_COLOR_AT, [x, y, dx, dy])
    return red, green, blue


def place(editor: MapEditor) -> dict[str, float]:
    """Where the map lies on the screen."""
    return dict(editor.run("({ view: { x, y, scale } }) => ({ x, y, scale })"))


class TestView:
    def test_pan_zoom_and_fit_paint_nothing(self, editor: MapEditor) -> None:
        fitted = place(editor)
        x, y = editor.at(5, 4)
        editor.page.mouse.move(x, y)
        editor.page.mouse.down(button="middle")
        editor.page.mouse.move(x + 40, y + 25, steps=3)
        editor.page.mouse.up(button="middle")
        assert place(editor) == {**fitted, "x": fitted["x"] + 40, "y": fitted["y"] + 25}
        editor.canvas.focus()
        editor.page.keyboard.down("Space")
        editor.page.mouse.down()
        editor.page.mouse.move(x, y, steps=3)
        editor.page.mouse.up()
        editor.page.keyboard.up("Space")
        assert place(editor) == fitted
        editor.page.mouse.wheel(0, -400)
        editor.page.wait_for_function(
            "(scale) => document.querySelector('[data-map-editor]').editor.view.scale > scale", arg=fitted["scale"]
        )
        # The point under the pointer stays there.
        assert editor.at(5, 4) == pytest.approx((x, y), abs=3)
        editor.press("0")
        assert place(editor) == fitted
        assert editor.button("Undo (Ctrl+Z)").is_disabled()

    def test_symbols_gridlines_and_coordinates_can_be_hidden(self, editor: MapEditor) -> None:
        half = 0.5 - 1 / place(editor)["scale"]
        # A gridline lies on the last pixel of a cell; the ruler above the map.
        shown = [color_at(editor, 3, 3, half, 0), color_at(editor, 3, 0, 0, -0.75)]
        assert shown[0] != FLOOR
        editor.press("g")
        assert color_at(editor, 3, 3, half, 0) == FLOOR
        editor.button("Coordinates").click()
        script = "(field) => field.getAttribute('aria-pressed')"
        assert editor.button("Coordinates").evaluate(script) == "false"

        def ink() -> int:
            """Points in a cell of wall that have another colour than it."""
            points = [step / 10 for step in range(-3, 4)]
            return sum(color_at(editor, 3, 0, dx, dy) != WALL for dx in points for dy in points)

        assert ink() > 2
        editor.button("Symbols").click()
        assert ink() == 0

    def test_symbols_for_private_use_are_not_drawn(self, open_map: Opening) -> None:
        grid = json.loads(json.dumps(SMALL).replace(".", "\\ue012"))
        imported = open_map(grid)
        size = place(imported)["scale"]
        points = [(dx / size, dy / size) for dx in range(-8, 9, 2) for dy in range(-8, 9, 2)]
        assert {color_at(imported, 4, 4, *point) for point in points} == {FLOOR}
        options = imported.field("tile-replace").locator("option").all_text_contents()
        assert [option.strip() for option in options] == ["choose…", "empty", "floor", "~  water"]


class TestGrids:
    def test_squares_meet_at_their_corners(self, editor: MapEditor) -> None:
        editor.press("g")
        corners = [(dx, dy) for dx in (-0.4, 0.4) for dy in (-0.4, 0.4)]
        assert {color_at(editor, 0, 3, *corner) for corner in corners} == {WALL}
        assert {color_at(editor, 1, 3, *corner) for corner in corners} == {FLOOR}

    @pytest.mark.parametrize("kind", ["hex_row", "hex_column", "isometric"])
    def test_a_click_paints_the_cell_it_is_on(self, open_map: Opening, kind: str) -> None:
        editor = open_map({**SMALL, "grid_type": kind, "entities": []})
        editor.take_tile("water")
        cells = [(4, 2), (5, 2), (8, 5)]
        for cell in cells:
            editor.click(*cell, 0.2, 0.2)
        editor.save()
        rows = editor.rows()
        assert [(x, y) for y, row in enumerate(rows) for x, symbol in enumerate(row) if symbol == "~"] == cells
        assert color_at(editor, 8, 5, 0.2, 0.1) == WATER
        # A square would have its corners here.
        if kind != "isometric":
            assert color_at(editor, 8, 5, 0.44, 0.44) == FLOOR
        # To the next cell, and to the next row.
        steps = {
            "hex_row": (1, 0, 0.5, 0.75**0.5),
            "hex_column": (0.75**0.5, 0.5, 0, 1),
            "isometric": (0.5, 0.25, -0.5, 0.25),
        }
        (x, y), right, below = editor.at(4, 2), editor.at(5, 2), editor.at(4, 3)
        moves = (right[0] - x, right[1] - y, below[0] - x, below[1] - y)
        assert moves == pytest.approx([step * place(editor)["scale"] for step in steps[kind]], abs=1)


class TestLargeMap:
    """512 x 512 cells in two layers."""

    @pytest.fixture
    def large(self, open_map: Opening) -> MapEditor:
        rows = [("#" + "." * 30 + "~") * 16] * 512
        layers = [{"name": "ground", "rows": rows}, {"name": "roof", "rows": [" " * 512] * 512}]
        large = open_map({**SMALL, "width": 512, "height": 512, "layers": layers})
        large.page.evaluate(
            """() => {
                const draw = CanvasRenderingContext2D.prototype.drawImage;
                window.drawn = 0;
                CanvasRenderingContext2D.prototype.drawImage = function (...of) {
                    window.drawn += 1;
                    return draw.apply(this, of);
                };
            }"""
        )
        return large

    def drawn(self, large: MapEditor, act: Callable[[], Any]) -> int:
        """How many pictures (of a cell, of a chunk of cells) were drawn until all is shown after an act."""
        large.page.evaluate("() => { window.drawn = 0; }")
        act()
        large.run("async ({ renderer }) => { while (!renderer.draw()); }")
        return int(large.page.evaluate("() => window.drawn"))

    def test_only_what_is_on_the_screen_is_drawn(self, large: MapEditor) -> None:
        # 32 pixels a cell: about 25 x 20 cells are on the screen, of 262,144.
        zoom = "({ view, renderer }) => { view.zoom(32 / view.exact); renderer.request(); }"
        assert 0 < self.drawn(large, lambda: large.run(zoom)) < 6000
        large.take_tile("wall")
        x, y = large.run(
            "({ view, document: map }) => map.geometry.cellAt(...view.toPoint(view.width / 2, view.height / 2))"
        )
        # A stroke redraws only the chunks of 16 x 16 cells that it touched.
        assert 0 < self.drawn(large, lambda: large.drag((x, y), (x + 1, y))) < 6000
        assert self.drawn(large, lambda: large.run("({ view }) => view.pan(8, 8)")) < 1500
        large.save()
        assert large.rows()[y][x : x + 2] == "##"


class TestPhone:
    @pytest.fixture
    def phone(self, visit: Visiting, game_master: Player, new_map: Callable[..., str]) -> MapEditor:
        size = {"width": 390, "height": 844}
        visiting = visit(game_master, viewport=size, has_touch=True, is_mobile=True, device_scale_factor=2)
        return visiting.edit(new_map())

    @pytest.fixture
    def touch(self, phone: MapEditor) -> Iterator[Callable[..., None]]:
        """Puts fingers on the screen, moves them, takes them off."""
        session: CDPSession = phone.visit.context.new_cdp_session(phone.page)

        def send(kind: str, *fingers: tuple[float, float]) -> None:
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        yield send
        session.detach()

    def test_one_finger_paints_and_two_zoom(self, phone: MapEditor, touch: Callable[..., None]) -> None:
        wide = phone.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide == [390, 390]
        before = place(phone)
        (x, y), (right, bottom) = phone.at(4, 3), phone.at(7, 4)
        touch("touchStart", (x, y))
        touch("touchStart", (x, y), (right, bottom))
        for step in range(1, 6):
            touch("touchMove", (x - 8 * step, y - 4 * step), (right + 8 * step, bottom + 4 * step))
        touch("touchEnd")
        assert place(phone)["scale"] > before["scale"]
        assert phone.button("Undo (Ctrl+Z)").is_disabled()

        phone.button("Panels").click()
        phone.take_tile("water")
        phone.button("Panels").click()
        expect(phone.page.locator(".wk-side")).to_be_hidden()
        touch("touchStart", phone.at(3, 3))
        touch("touchMove", phone.at(5, 3))
        touch("touchEnd")
        phone.hear("Painted 3 cells of water on ground")
        # A tap right after a quick stroke would only end the fling that Chromium sees in it.
        phone.page.get_by_title("Save (Ctrl+S)").click()
        phone.saved()
        assert phone.rows()[3] == "#..~~~.....#"

    def test_every_page_fits(self, phone: MapEditor) -> None:
        for path in ("", "universe/list", "map/list", "event/list", f"map/details/{phone.map_id}", "map/create"):
            phone.page.goto(f"/admin/{path}")
            assert phone.page.evaluate("document.documentElement.scrollWidth") == 390, path
