"""Painting a map in the editor: the tools, undo and redo, the keyboard; each seen through the API after saving."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import SMALL, Visiting
from tests.browser.driver import MapEditor, Player


class TestGameMaster:
    def test_logs_in_paints_fills_undoes_and_saves(
        self, visit: Visiting, game_master: Player, new_map: Callable[..., str]
    ) -> None:
        visiting = visit()
        visiting.player = game_master
        page = visiting.page("/admin/")
        page.get_by_label("E-mail").fill(game_master.email)
        page.get_by_label("Password").fill(game_master.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
        editor = visiting.edit(new_map(), page)
        expect(page.locator(".wk-title")).to_have_text("Cellar")

        editor.take_tile("water")
        editor.click(3, 2)
        assert editor.heard() == "Painted 1 cell of water on ground"
        editor.press("f")
        editor.click(5, 5)
        assert editor.heard() == "Painted 59 cells of water on ground"
        editor.press("Control+z")
        assert editor.heard() == "Undid: Painted 59 cells of water on ground"
        (request,) = editor.save()
        assert (request.method, request.url.rpartition("/")[2]) == ("POST", "edits")
        assert request.headers["if-match"] == '"1"'
        assert request.post_data_json == {
            "edits": [{"op": "set", "layer": "ground", "cells": [{"x": 3, "y": 2, "symbol": "~"}]}]
        }

        page.reload()
        editor.wait()
        assert [editor.shown(x, 2) for x in range(12)] == list("#..~.......#")
        assert editor.rows()[2] == "#..~.......#"

    def test_widens_a_corridor_and_adds_a_door_and_a_goblin(self, visit: Visiting, game_master: Player) -> None:
        """In the demo's dungeon, found through the lists."""
        visiting = visit(game_master)
        page = visiting.page("/admin/map/list?search=Undermere")
        page.get_by_role("link", name="Undermere Priory").first.click()
        page.get_by_role("link", name="Edit", exact=True).click()
        page.locator(".wa-mounted").wait_for()
        editor = MapEditor(visiting, page, page.url.rpartition("/")[2])
        before = editor.grid()
        ground = before["layers"][0]
        assert [row[5:8] for row in ground["rows"][11:14]] == ["#.#"] * 3
        editor.take_layer("ground")
        editor.click(6, 12, button="right")
        editor.drag((7, 11), (7, 13))
        editor.press("d")
        editor.click(7, 11, 0, -0.4)
        editor.press("n")
        editor.page.get_by_label("Kind of the next entity").fill("goblin")
        editor.page.get_by_label("Kind of the next entity").press("Enter")
        editor.click(7, 13)
        editor.write("object-name", "Snag")
        editor.save()
        after = editor.grid()
        assert [row[5:8] for row in after["layers"][0]["rows"][11:14]] == ["#.."] * 3
        (door,) = [one for one in after["doors"] if one not in before["doors"]]
        assert [door[key] for key in ("x1", "y1", "x2", "y2", "state")] == [7, 11, 8, 11, "closed"]
        (goblin,) = [one for one in after["entities"] if one not in before["entities"]]
        assert [goblin[key] for key in ("kind", "name", "x", "y")] == ["goblin", "Snag", 7, 13]


class TestTools:
    def test_brush_line_and_rectangle(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.button("3").click()
        editor.click(3, 3)
        editor.press("[")
        editor.click(6, 1)
        editor.page.keyboard.down("Shift")
        editor.click(10, 1)
        editor.page.keyboard.up("Shift")
        editor.press("l")
        editor.drag((6, 6), (10, 6))
        editor.press("r")
        editor.button("outline").click()
        editor.drag((6, 3), (9, 5))
        editor.save()
        assert editor.rows() == [
            "############",
            "#.....~~~~~#",
            "#.~~~......#",
            "#.~~~.~~~~.#",
            "#.~~~.~..~.#",
            "#.....~~~~.#",
            "#.....~~~~~#",
            "############",
        ]

    def test_brush_of_five(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.press("]", "]", "]")
        editor.click(5, 3)
        editor.save()
        assert [row[3:8] for row in editor.rows()[1:6]] == ["~~~~~"] * 5
        assert "".join(editor.rows()).count("~") == 25

    def test_a_quick_stroke_has_no_gaps(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.point(1, 1)
        editor.page.mouse.down()
        editor.point(10, 6)
        editor.page.mouse.up()
        editor.save()
        places = [(x, y) for y, row in enumerate(editor.rows()) for x, symbol in enumerate(row) if symbol == "~"]
        assert (places[0], places[-1], len(places)) == ((1, 1), (10, 6), 10)

    def test_fill_eraser_undo_and_redo(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.press("f")
        editor.click(1, 1)
        editor.press("e")
        editor.click(0, 0)
        editor.save()
        assert editor.rows()[:2] == [" ###########", "#~~~~~~~~~~#"]
        editor.press("Control+z", "Control+z")
        editor.save()
        assert editor.rows()[:2] == ["############", "#..........#"]
        editor.press("Control+y", "Control+Shift+z")
        editor.save()
        assert editor.rows()[:2] == [" ###########", "#~~~~~~~~~~#"]

    def test_picker_and_right_click(self, editor: MapEditor) -> None:
        editor.click(0, 0, button="right")
        assert editor.heard() == "Tile wall"
        editor.click(3, 3)
        editor.press("p")
        editor.click(5, 5)
        editor.click(0, 4)
        editor.save()
        assert [editor.rows()[3][3], editor.rows()[4][0]] == ["#", "."]

    def test_select_moves_copies_cuts_and_pastes(self, editor: MapEditor) -> None:
        editor.press("s")
        editor.drag((0, 0), (1, 1))
        editor.drag((0, 0), (4, 3))
        editor.press("Enter")
        editor.save()
        rows = editor.rows()
        assert [rows[0][:3], rows[1][:3], rows[3][3:7], rows[4][3:7]] == ["  #", "  .", ".##.", ".#.."]
        editor.drag((4, 3), (5, 3))
        editor.press("Control+c")
        assert editor.heard() == "Copied 2 cells."
        editor.point(8, 5)
        editor.press("Control+v", "Enter")
        editor.save()
        assert editor.rows()[5][7:11] == ".##."
        editor.drag((8, 5), (9, 5))
        editor.press("Control+x")
        assert editor.heard() == "Cut 2 cells"
        editor.point(2, 6)
        editor.press("Control+v", "ArrowRight", "Enter")
        editor.save()
        assert [editor.rows()[5][7:11], editor.rows()[6][2:6]] == [".  .", ".##."]

    def test_two_hundred_steps_are_undone(self, editor: MapEditor) -> None:
        editor.run(
            """(editor) => {
                const cell = (i) => (1 + Math.floor(i / 10)) * 12 + 1 + (i % 10);
                for (let i = 0; i < 240; i++)
                    editor.run('', (step) => step.paint(editor.state.layer, [cell(i % 60)], [126, 35][i % 2]));
            }"""
        )
        for _ in range(4):
            editor.press(*["Control+z"] * 60)
        assert editor.button("Undo (Ctrl+Z)").is_disabled()
        expect(editor.page.locator(".wk-status")).to_have_text("All saved")
        assert editor.shown(1, 1) == "."

    def test_a_locked_layer_is_left_alone(self, editor: MapEditor) -> None:
        editor.button("Lock ground").click()
        editor.click(3, 3)
        assert editor.heard() == "The layer ground is locked."
        editor.save()
        grid = editor.grid()
        assert grid["layers"][0]["locked"] is True
        assert grid["layers"][0]["rows"] == SMALL["layers"][0]["rows"]


class TestKeyboard:
    def test_a_map_is_painted_without_a_pointer(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.canvas.focus()
        editor.press("ArrowRight")
        x, y = editor.run("(editor) => editor.state.cursor")
        assert editor.heard().startswith(f"Column {x}, row {y}: floor")
        editor.press("Space", "l", "ArrowDown", "Enter", "ArrowRight", "ArrowRight", "Enter")
        assert editor.heard() == "Painted 3 cells of water on ground"
        editor.save()
        rows = editor.rows()
        assert [rows[y][x], rows[y + 1][x : x + 3]] == ["~", "~~~"]

    def test_letters_take_the_tools_of_tiled(self, editor: MapEditor) -> None:
        for key, tool in {
            "b": "Brush (B)",
            "f": "Fill (F)",
            "r": "Rectangle (R)",
            "e": "Eraser (E)",
            "p": "Picker (P)",
            "l": "Line (L)",
            "s": "Select cells (S)",
        }.items():
            editor.press(key)
            expect(editor.button(tool)).to_have_attribute("aria-pressed", "true")

    def test_question_mark_shows_the_keys(self, editor: MapEditor) -> None:
        editor.press("?")
        keys = editor.page.get_by_role("dialog")
        for words in ("Ctrl", "Brush", "Undo", "Save"):
            expect(keys).to_contain_text(words)
        editor.press("Escape")
        expect(keys).to_have_count(0)

    def test_letters_in_a_field_are_text(self, editor: MapEditor) -> None:
        editor.press("b")
        editor.page.get_by_placeholder("Find a tile").fill("")
        editor.page.get_by_placeholder("Find a tile").press("f")
        expect(editor.button("Brush (B)")).to_have_attribute("aria-pressed", "true")
