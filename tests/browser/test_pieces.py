"""Several objects, and pieces of a map, in the editor: chosen, moved, copied, stamped; walls, doors, secrets."""

import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import SMALL, Opening, Visiting
from tests.browser.driver import MapEditor, Player

ROOM: dict[str, Any] = {
    **SMALL,
    "legend": [*SMALL["legend"], {"symbol": "T", "name": "table", "color": "#8a5a30"}],
    "layers": [
        *SMALL["layers"],
        {"name": "furniture", "rows": [" " * 12, " " * 12, "  TT        ", *[" " * 12] * 5]},
    ],
    "entities": [
        {"id": "rat", "kind": "monster", "name": "Rat", "x": 2, "y": 1},
        {"id": "chest", "kind": "container", "name": "Chest", "x": 3, "y": 3},
        {"id": "sign", "kind": "sign", "name": "Sign", "x": 9, "y": 6},
    ],
    "walls": [{"id": "wall", "x1": 1, "y1": 4, "x2": 4, "y2": 4}],
    "lights": [{"id": "lamp", "x": 2.5, "y": 2.5, "range": 3}],
}
ENDS = ("x1", "y1", "x2", "y2")


@pytest.fixture
def room(open_map: Opening) -> MapEditor:
    """A map with furniture on a second layer, and objects, in the editor."""
    return open_map(ROOM)


def objects(editor: MapEditor) -> dict[str, list[Any]]:
    """Where everything on the map is, as the API gives it."""
    grid = editor.grid()
    return {
        "entities": sorted((one["name"], one["x"], one["y"]) for one in grid["entities"]),
        "walls": sorted([one[key] for key in ENDS] for one in grid.get("walls", [])),
        "doors": sorted([one[key] for key in ENDS] for one in grid.get("doors", [])),
        "lights": sorted((one["x"], one["y"]) for one in grid.get("lights", [])),
    }


class TestMarquee:
    def test_chooses_several_and_a_drag_moves_all(self, room: MapEditor) -> None:
        room.press("o")
        room.drag((0, 1, 0.3, -0.4), (4, 4, 0.4, 0.4))
        assert room.heard() == "Selected 4 objects"
        room.drag((2, 1), (4, 2))
        assert room.heard() == "Moved 4 objects"
        room.save()
        assert objects(room) == {
            "entities": [("Chest", 5, 4), ("Rat", 4, 2), ("Sign", 9, 6)],
            "walls": [[3, 5, 6, 5]],
            "doors": [],
            "lights": [(4.5, 3.5)],
        }
        room.press("Control+z")
        room.save()
        assert objects(room)["entities"] == [("Chest", 3, 3), ("Rat", 2, 1), ("Sign", 9, 6)]

    def test_with_shift_one_more_and_one_less(self, room: MapEditor) -> None:
        room.press("o")
        room.click(2, 1)
        room.page.keyboard.down("Shift")
        room.click(9, 6)
        room.click(3, 3)
        assert room.heard() == "Selected 3 objects"
        room.click(2, 1)
        room.page.keyboard.up("Shift")
        expect(room.page.locator(".wk-object-form")).to_contain_text("2 objects")
        room.press("ArrowUp", "Shift+ArrowLeft")
        # Beyond the edge of the map: none of them moves.
        assert room.heard() == "Moved 2 objects"
        room.press("Delete")
        room.save()
        assert objects(room)["entities"] == [("Rat", 2, 1)]

    def test_copies_are_pasted_under_the_pointer(self, room: MapEditor) -> None:
        room.press("o")
        room.drag((0, 1, 0.3, -0.4), (4, 4, 0.4, 0.4))
        room.press("Control+c")
        assert room.heard() == "Copied 4 objects."
        room.point(6, 2)
        room.press("Control+v")
        # It follows the pointer until a click.
        room.click(8, 3)
        assert room.heard() == "Selected 4 objects"
        room.save()
        found = objects(room)
        assert found["entities"] == [
            ("Chest", 3, 3),
            ("Chest", 9, 4),
            ("Rat", 2, 1),
            ("Rat", 8, 2),
            ("Sign", 9, 6),
        ]
        assert found["walls"] == [[1, 4, 4, 4], [7, 5, 10, 5]]
        assert found["lights"] == [(2.5, 2.5), (8.5, 3.5)]
        ids = [one["id"] for one in room.grid()["entities"]]
        assert len(set(ids)) == len(ids)

    def test_all_of_them_are_hidden_and_duplicated(self, room: MapEditor) -> None:
        room.press("o", "Control+a")
        assert room.heard() == "Selected 5 objects"
        room.page.get_by_label("Hidden from players").check()
        room.press("Control+d")
        room.save()
        grid = room.grid()
        assert [one["hidden"] for key in ("entities", "walls", "lights") for one in grid[key]] == [True] * 10


class TestPieces:
    def test_all_layers_are_copied(self, room: MapEditor) -> None:
        room.press("s")
        room.button("All layers").click()
        room.drag((0, 1), (3, 2))
        room.press("Control+c")
        assert room.heard() == "Copied 16 cells."
        room.point(6, 5)
        room.press("Control+v", "Enter")
        room.save()
        assert [row[5:9] for row in room.rows()[5:7]] == ["#...", "#..."]
        assert [row[5:9] for row in room.rows(1)[5:7]] == ["    ", "  TT"]
        assert len(room.grid()["entities"]) == 3

    def test_everything_moves_with_its_objects(self, room: MapEditor) -> None:
        room.press("s")
        room.button("Everything").click()
        room.drag((1, 1), (4, 3))
        room.drag((2, 2), (6, 4))
        room.press("Enter")
        room.save()
        assert room.rows()[1] == "#    ......#"
        assert room.rows(1)[2:5] == [" " * 12, " " * 12, "      TT    "]
        assert objects(room) == {
            "entities": [("Chest", 7, 5), ("Rat", 6, 3), ("Sign", 9, 6)],
            "walls": [[5, 6, 8, 6]],
            "doors": [],
            "lights": [(6.5, 4.5)],
        }
        room.press("Control+z")
        room.save()
        assert room.grid() == ROOM

    def test_escape_puts_back_what_was_lifted(self, room: MapEditor) -> None:
        room.press("s")
        room.button("Everything").click()
        room.drag((1, 1), (4, 3))
        room.drag((2, 2), (6, 4))
        room.press("Escape")
        assert room.save() == []
        expect(room.page.locator(".wk-status")).to_have_text("All saved")

    def test_empty_cells_clear_those_below_if_set(self, room: MapEditor) -> None:
        room.take_layer("furniture")
        room.press("s")
        room.drag((5, 5), (6, 5))
        room.button("Empty cells clear the cells below").click()
        room.press("Control+c")
        room.point(2, 2)
        room.press("Control+v", "Enter")
        room.save()
        assert room.rows(1)[2] == " " * 12

    def test_a_locked_layer_stays(self, room: MapEditor) -> None:
        room.button("Lock furniture").click()
        room.press("s")
        room.button("All layers").click()
        room.drag((1, 1), (4, 3))
        room.press("Delete")
        room.save()
        assert [room.rows()[2], room.rows(1)[2]] == ["#    ......#", "  TT        "]


class TestStamp:
    def test_is_taken_with_the_right_button_and_put_again_and_again(self, room: MapEditor) -> None:
        room.press("t")
        room.drag((0, 0), (1, 1), button="right")
        assert room.heard() == "Copied a stamp of 2 by 2 cells."
        room.click(4, 4)
        assert room.heard() == "Stamped 4 cells"
        # Dragged, the places lie beside each other.
        room.drag((6, 2), (10, 2))
        room.save()
        rows = room.rows()
        assert [rows[4][3:7], rows[5][3:7]] == [".##.", ".#.."]
        assert [rows[2], rows[3]] == ["#.....######", "#.....#.#.#."]
        room.press("Control+z")
        room.save()
        assert room.rows()[2] == "#..........#"

    def test_is_made_of_a_selection_with_all_that_is_in_it(self, room: MapEditor) -> None:
        room.press("s")
        room.button("Everything").click()
        room.drag((2, 1), (3, 3))
        room.button("Use as a stamp").click()
        room.click(8, 3)
        assert room.heard() == "Stamped 8 cells and 3 objects"
        room.save()
        assert room.rows(1)[3] == "        TT  "
        assert [one[1:] for one in objects(room)["entities"]] == [(3, 3), (9, 4), (2, 1), (8, 2), (9, 6)]


class TestWalls:
    def test_corner_after_corner(self, editor: MapEditor) -> None:
        editor.press("w")
        for cell in ((3, 3), (6, 3), (6, 5), (3, 5), (3, 3)):
            editor.click(*cell, -0.5, -0.5)
        assert editor.heard() == "Placed 4 objects"
        editor.save()
        assert objects(editor)["walls"] == [[3, 3, 6, 3], [3, 5, 3, 3], [6, 3, 6, 5], [6, 5, 3, 5]]

    def test_undo_takes_the_last_corner_back(self, editor: MapEditor) -> None:
        editor.press("w")
        for cell in ((3, 3), (6, 3), (6, 5)):
            editor.click(*cell, -0.5, -0.5)
        editor.press("Control+z")
        editor.click(8, 3, -0.5, -0.5)
        # The same corner again is the end.
        editor.click(8, 3, -0.5, -0.5)
        editor.click(2, 2, -0.5, -0.5)
        editor.press("Escape")
        editor.save()
        assert objects(editor)["walls"] == [[3, 3, 6, 3], [6, 3, 8, 3]]

    def test_by_keyboard(self, editor: MapEditor) -> None:
        editor.press("w")
        editor.canvas.focus()
        editor.press("ArrowRight")
        x, y = editor.run("(editor) => editor.state.cursor")
        editor.press("Space", "ArrowRight", "ArrowRight", "Space", "ArrowDown", "Space", "Space")
        assert editor.heard() == "Placed 2 objects"
        editor.save()
        assert objects(editor)["walls"] == [[x, y, x + 2, y], [x + 2, y, x + 2, y + 1]]


class TestDoors:
    def test_that_lead_nowhere_are_a_warning(self, editor: MapEditor) -> None:
        editor.press("d")
        editor.click(5, 0, 0, -0.4)
        problem = editor.page.locator(".wk-problem")
        expect(problem).to_contain_text("This door leads nowhere")
        # Into the room it would lead, if there was something on the other side.
        editor.show_panel("Map")
        editor.field("map-Height").fill("10")
        editor.page.get_by_role("radio", name="bottom", exact=True).check(force=True)
        editor.field("map-Height").press("Enter")
        editor.show_panel("Objects")
        expect(problem).to_have_count(0)

    def test_on_a_wall_offer_to_cut_it(self, open_map: Opening) -> None:
        editor = open_map({**SMALL, "walls": [{"id": "wall", "x1": 2, "y1": 4, "x2": 8, "y2": 4}]})
        editor.press("d")
        editor.click(5, 3, 0, 0.4)
        expect(editor.page.locator(".wk-problem")).to_contain_text("A wall blocks this door")
        editor.button("Cut the wall here").click()
        expect(editor.page.locator(".wk-problem")).to_have_count(0)
        editor.save()
        assert objects(editor)["walls"] == [[2, 4, 5, 4], [6, 4, 8, 4]]
        # The API says that there is a way now, once the door is open.
        editor.button("open", exact=True).click()
        editor.save()
        path = editor.player.get(f"{editor.url}/path?from=5,3&to=5,4")
        assert path["cost"] == 5

    def test_in_a_wall_of_cells_open_a_way(self, editor: MapEditor) -> None:
        """What any newcomer does: draw a room, put a door on its wall, open it."""
        editor.take_tile("wall")
        editor.press("r")
        editor.button("outline").click()
        editor.drag((3, 2), (7, 5))
        editor.press("d")
        editor.click(5, 2, 0, 0.4)
        expect(editor.page.locator(".wk-problem")).to_have_count(0)
        editor.save()
        into = f"{editor.url}/path?from=5,1&to=5,3"
        assert editor.player.get(into)["cells"] == []
        editor.button("open", exact=True).click()
        editor.save()
        assert editor.player.get(into)["cost"] == 10


class TestForGameMasters:
    def test_layers_objects_and_secret_doors(self, room: MapEditor) -> None:
        room.button("Only game masters see furniture").click()
        room.press("o")
        room.click(2, 1)
        room.page.get_by_label("Hidden from players").check()
        room.press("d")
        room.click(6, 4, 0, -0.4)
        room.page.get_by_label("Secret").check()
        room.save()
        grid = room.grid()
        assert [layer.get("visible_to") for layer in grid["layers"]] == [None, "game_masters"]
        assert [one.get("hidden") for one in grid["entities"]] == [True, None, None]
        assert grid["doors"][0]["secret"] is True
        room.button("Only game masters see furniture").click()
        room.page.get_by_label("Secret").uncheck()
        room.save()
        assert ["visible_to" in layer for layer in room.grid()["layers"]] == [False, False]


class TestPalette:
    @pytest.fixture
    def many(self, open_map: Opening) -> MapEditor:
        """A map with 60 tiles."""
        tiles = [{"symbol": chr(0x100 + i), "name": f"tile {i}", "color": f"#{i * 4:02x}8060"} for i in range(60)]
        return open_map({**SMALL, "legend": [*SMALL["legend"], *tiles]})

    def test_shows_many_at_once(self, many: MapEditor) -> None:
        many.page.set_viewport_size({"width": 1280, "height": 720})
        shown = """(list) => {
            const box = list.getBoundingClientRect();
            const rows = [...list.children].map((row) => row.getBoundingClientRect());
            return rows.filter(({ top, bottom }) => top >= box.top && bottom <= box.bottom).length;
        }"""
        assert many.page.locator(".wk-palette").evaluate(shown) >= 40
        many.take_tile("tile 12")
        expect(many.page.locator(".wk-tile-form summary")).to_contain_text("tile 12")
        many.click(3, 3)
        many.save()
        assert many.rows()[3][3] == chr(0x100 + 12)
        many.button("Show a list").click()
        expect(many.page.locator(".wk-tiles .wk-tile").first).to_contain_text("wall")
        many.page.reload()
        many.wait()
        expect(many.page.locator(".wk-tiles")).to_be_visible()


class TestImported:
    def test_tiles_are_drawn_with_their_pictures(
        self, visit: Visiting, game_master: Player, universe_id: str
    ) -> None:
        sheet = Image.new("RGB", (32, 16), "#204060")
        # The second tile: its upper left quarter is red, all else yellow.
        sheet.paste("#e0c040", (16, 0, 32, 16))
        sheet.paste("#c03030", (16, 0, 24, 8))
        picture = BytesIO()
        sheet.save(picture, "PNG")
        mirrored, down, diagonal = 2 + 0x80000000, 2 + 0x40000000, 2 + 0x20000000
        tmx = f"""<?xml version="1.0"?>
            <map version="1.10" orientation="orthogonal" width="5" height="1" tilewidth="16" tileheight="16">
              <tileset firstgid="1" name="t" tilewidth="16" tileheight="16" tilecount="2" columns="2">
                <image source="t.png" width="32" height="16"/></tileset>
              <layer id="1" name="g" width="5" height="1">
                <data encoding="csv">1,2,{mirrored},{down},{diagonal}</data></layer></map>"""
        answer = game_master.client.post(
            f"/maps/import?universe_id={universe_id}",
            files=[("files", ("m.tmx", tmx.encode())), ("files", ("t.png", picture.getvalue()))],
        )
        assert answer.status_code == 201, answer.text
        editor = visit(game_master).edit(answer.json()["map"]["id"])
        script = """({ canvas, view, document: map, renderer }, [x, dx, dy]) => {
            while (!renderer.draw());
            const [X, Y] = view.toScreen(x + 0.5 + dx, 0.5 + dy).map(Math.round);
            const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
            copy.drawImage(canvas, -X, -Y);
            return [...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)];
        }"""

        def red(x: int) -> list[tuple[float, float]]:
            """The quarters of a cell that are red."""
            quarters = [(dx, dy) for dy in (-0.25, 0.25) for dx in (-0.25, 0.25)]
            return [one for one in quarters if editor.run(script, [x, *one]) == [0xC0, 0x30, 0x30]]

        editor.page.wait_for_function(
            "() => [...document.querySelector('[data-map-editor]').editor.state.pictures.images.values()]"
            ".every((image) => image.complete)"
        )
        assert editor.run(script, [0, 0.2, 0.2]) == [0x20, 0x40, 0x60]
        assert [red(x) for x in range(1, 5)] == [
            [(-0.25, -0.25)],
            [(0.25, -0.25)],
            [(-0.25, 0.25)],
            [(-0.25, -0.25)],
        ]

    def test_symbols_of_private_use_are_shown_nowhere(self, open_map: Opening) -> None:
        grid = json.loads(json.dumps(SMALL).replace('#"', '\\ue012"').replace("##", "\\ue012\\ue012"))
        grid["legend"][0] = {"symbol": "\ue012", "color": "#5b5348"}
        grid["layers"][0]["rows"] = [row.replace("#", "\ue012") for row in grid["layers"][0]["rows"]]
        editor = open_map(grid)
        editor.take_tile("tile E012")
        expect(editor.field("tile-symbol")).to_have_value("")
        editor.click(3, 3)
        assert editor.heard() == "Painted 1 cell of tile E012 on ground"
        assert "\ue012" not in editor.page.locator(".wk-editor").inner_text()


class TestPhone:
    def test_the_toolbar_shows_that_it_can_be_scrolled(
        self, visit: Visiting, game_master: Player, editor: MapEditor
    ) -> None:
        size = {"width": 390, "height": 844}
        phone = visit(game_master, viewport=size, has_touch=True, is_mobile=True).edit(editor.map_id)
        before, after = (
            phone.page.locator(f".wk-body > .wk-scroller > .wk-more-{side}") for side in ("before", "after")
        )
        expect(before).to_be_hidden()
        expect(after).to_be_visible()
        expect(phone.button("Move the view (H)")).not_to_be_in_viewport()
        after.tap()
        expect(before).to_be_visible()
        phone.button("Move the view (H)").tap()
        expect(after).to_be_hidden()
        expect(phone.button("Move the view (H)")).to_have_attribute("aria-pressed", "true")


class TestKeyboard:
    def test_a_rectangle_selects_and_a_stamp_is_taken(self, room: MapEditor) -> None:
        room.press("o")
        room.canvas.focus()
        room.press(
            "ArrowRight", *["ArrowLeft"] * 12, *["ArrowUp"] * 9, "Space", *["ArrowRight"] * 5, *["ArrowDown"] * 5
        )
        room.press("Space")
        assert room.heard() == "Selected 4 objects"
        room.press("t", *["ArrowLeft"] * 5, *["ArrowUp"] * 5, "Space", "ArrowRight", "ArrowDown", "Space")
        assert room.heard() == "Copied a stamp of 2 by 2 cells."
        room.press(*["ArrowRight"] * 4, *["ArrowDown"] * 3, "Space")
        room.save()
        assert [row[5:7] for row in room.rows()[4:6]] == ["##", "#."]


class TestGridType:
    def test_what_is_placed_by_points_is_as_the_server_has_it(self, room: MapEditor) -> None:
        room.press("o")
        room.click(9, 6)
        room.press("Delete")
        room.show_panel("Map")
        room.field("map-grid_type").select_option("hex_row")
        room.button("Save and change").click()
        room.hear("Changed the grid; walls, doors and lights moved with their cells.")
        room.saved()
        grid = room.grid()
        assert (grid["grid_type"], len(grid["entities"])) == ("hex_row", 2)
        shown = room.run("({ document: { frame } }) => [frame.other.grid_type, frame.walls, frame.lights]")
        assert shown == ["hex_row", grid["walls"], grid["lights"]]

    def test_what_does_not_fit_is_named_and_shown(self, open_map: Opening) -> None:
        door = {"id": "gate", "x1": 2, "y1": 2, "x2": 5, "y2": 6, "state": "closed"}
        editor = open_map({**SMALL, "doors": [door]})
        editor.show_panel("Map")
        editor.field("map-grid_type").select_option("hex_row")
        editor.button("Save and change").click()
        expect(editor.page.locator(".wk-notice.wk-error")).to_contain_text("doors[0] (gate)")
        editor.visit.expect(f"422 POST {editor.url}/edits")
        expect(editor.field("map-grid_type")).to_have_value("square")
        editor.button("Show on the map").click()
        assert editor.heard() == "Selected door"
        assert editor.grid() == {**SMALL, "doors": [door]}

    def test_is_unchanged_after_cancel(self, room: MapEditor) -> None:
        room.show_panel("Map")
        room.field("map-grid_type").select_option("hex_row")
        room.button("Cancel").click()
        expect(room.field("map-grid_type")).to_have_value("square")
        assert room.save() == []
