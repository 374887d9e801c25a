"""The panels of the editor: layers, the legend, objects on the map, its size, its JSON; seen through the API."""

import json

from playwright.sync_api import expect

from tests.browser.conftest import SMALL, Opening
from tests.browser.driver import MapEditor, Visit


class TestLayers:
    def test_add_paint_opacity_and_hide(self, editor: MapEditor) -> None:
        editor.button("Add a layer").click()
        editor.page.keyboard.type("roof")
        editor.press("Enter")
        editor.take_tile("wall")
        editor.click(5, 5)
        editor.page.get_by_label("Opacity").fill("50")
        editor.button("Hide ground").click()
        editor.save()
        ground, roof = editor.grid()["layers"]
        assert (ground["name"], ground["visible"]) == ("ground", False)
        assert (roof["name"], roof["opacity"], roof["rows"][5]) == ("roof", 0.5, "     #      ")
        editor.button("Show ground").click()
        editor.save()
        assert editor.grid()["layers"][0].get("visible", True) is True

    def test_reorder_rename_and_delete(self, editor: MapEditor) -> None:
        editor.button("Add a layer").click()
        editor.page.keyboard.type("roof")
        editor.press("Enter")
        editor.click(5, 5)
        editor.button("Move down").click()
        editor.page.locator(".wk-layer-name", has_text="ground").dblclick()
        editor.page.keyboard.type("floor")
        editor.press("Enter")
        editor.save()
        assert [layer["name"] for layer in editor.grid()["layers"]] == ["roof", "floor"]
        editor.take_layer("roof")
        editor.button("Delete the layer").click()
        expect(editor.page.get_by_role("dialog")).to_contain_text("You can undo this")
        editor.button("Delete").click()
        editor.hear("Deleted the layer roof")
        editor.save()
        assert [layer["name"] for layer in editor.grid()["layers"]] == ["floor"]
        editor.canvas.focus()
        editor.press("Control+z")
        editor.save()
        assert editor.rows()[5] == "     #      "


class TestLegend:
    def test_says_how_often_each_is_used(self, editor: MapEditor) -> None:
        tile = editor.page.locator(".wk-legend .wk-tile", has_text="floor")
        expect(tile.locator(".wk-count")).to_have_text("60")
        editor.take_tile("water")
        editor.drag((3, 3), (6, 3))
        expect(tile.locator(".wk-count")).to_have_text("56")

    def test_change_and_replace(self, editor: MapEditor) -> None:
        editor.take_tile("floor")
        editor.write("tile-name", "marble")
        editor.page.get_by_label("Blocks sight").check()
        editor.page.get_by_label("Blocks movement").check()
        editor.write("tile-cost", "3")
        editor.field("tile-color").fill("#e8e4da")
        editor.field("tile-replace").select_option(label="~  water")
        assert editor.heard() == "Replaced 60 cells of marble by water"
        editor.save()
        grid = editor.grid()
        assert grid["legend"][1] == {
            "symbol": ".",
            "name": "marble",
            "color": "#e8e4da",
            "blocks_movement": True,
            "blocks_sight": True,
            "movement_cost": 3,
        }
        assert grid["layers"][0]["rows"][1] == "#~~~~~~~~~~#"

    def test_add_change_the_symbol_and_delete(self, editor: MapEditor) -> None:
        editor.take_tile("wall")
        editor.write("tile-symbol", "W")
        editor.button("Add a tile").click()
        editor.page.keyboard.type("lava")
        editor.press("Tab")
        editor.click(4, 4)
        editor.take_tile("water")
        editor.button("Delete this tile", exact=False).click()
        editor.save()
        grid = editor.grid()
        lava = grid["legend"][-1]["symbol"]
        assert [(one["symbol"], one["name"]) for one in grid["legend"]] == [
            ("W", "wall"),
            (".", "floor"),
            (lava, "lava"),
        ]
        assert (grid["layers"][0]["rows"][0], grid["layers"][0]["rows"][4][4]) == ("W" * 12, lava)


class TestObjects:
    def test_place_edit_drag_and_delete_an_entity(self, editor: MapEditor) -> None:
        editor.press("n")
        editor.page.get_by_label("Kind of the next entity").fill("monster")
        editor.page.get_by_label("Kind of the next entity").press("Enter")
        editor.click(6, 4)
        assert editor.heard() == "Placed monster"
        editor.write("object-name", "Goblin")
        editor.write("property-new", "hit_points")
        editor.field("property-0").fill("7")
        editor.field("property-0").blur()
        box = editor.field("property-0").bounding_box()
        assert box is not None
        assert box["height"] < 50  # as high as its one line
        editor.press("o")
        editor.drag((6, 4), (8, 3))
        assert editor.heard() == "Moved Goblin"
        editor.save()
        _, goblin = editor.grid()["entities"]
        assert goblin.pop("id")
        assert goblin == {"kind": "monster", "name": "Goblin", "x": 8, "y": 3, "properties": {"hit_points": 7}}
        editor.click(2, 1)
        editor.press("Delete")
        assert editor.heard() == "Deleted Rat"
        editor.save()
        assert [one["name"] for one in editor.grid()["entities"]] == ["Goblin"]

    def test_doors_walls_and_lights(self, editor: MapEditor) -> None:
        editor.press("d")
        editor.click(5, 0, 0, 0.4)
        editor.button("locked").click()
        editor.page.get_by_label("Secret").check()
        editor.press("w")
        editor.drag((2, 2, -0.5, -0.5), (4, 2, -0.5, -0.5))
        editor.press("i")
        editor.click(3, 5)
        editor.write("object-range", "6")
        editor.save()
        grid = editor.grid()
        ((door,), (wall,), (light,)) = grid["doors"], grid["walls"], grid["lights"]
        ends = ("x1", "y1", "x2", "y2")
        assert [door[key] for key in (*ends, "state", "secret")] == [5, 1, 6, 1, "locked", True]
        assert [wall[key] for key in ends] == [2, 2, 4, 2]
        assert [light[key] for key in ("x", "y", "range")] == [3.5, 5.5, 6]

    def test_a_number_off_the_map_is_not_taken(self, editor: MapEditor) -> None:
        editor.press("o")
        editor.click(2, 1)
        editor.write("object-x", "12")
        assert editor.field("object-x").evaluate("(field) => field.validity.valid") is False
        editor.write("object-x", "11")
        editor.save()
        assert editor.grid()["entities"][0]["x"] == 11

    def test_names_are_text_whatever_they_hold(self, desk: Visit, open_map: Opening) -> None:
        evil = "<img src=x onerror=alert(1)>"
        grid = json.loads(json.dumps(SMALL))
        grid["layers"][0]["name"] = grid["legend"][0]["name"] = grid["entities"][0]["name"] = evil
        second = open_map(grid, evil)
        second.press("o")
        second.click(2, 1)
        expect(second.field("object-name")).to_have_value(evil)
        expect(second.page.locator(".wk-layer-name")).to_have_text(evil)
        assert second.page.locator(".wk-editor img").count() == 0
        page = desk.page("/admin/map/list")
        expect(page.get_by_role("link", name=evil)).to_be_visible()


class TestSize:
    def test_resize_with_an_anchor_is_one_edit(self, editor: MapEditor) -> None:
        editor.show_panel("Map")
        editor.field("map-Width").fill("14")
        editor.page.get_by_role("radio", name="top right").check(force=True)
        editor.field("map-Width").press("Enter")
        (request,) = editor.save()
        assert request.post_data_json == {
            "edits": [{"op": "resize", "width": 14, "height": 8, "anchor": "top_right"}]
        }
        grid = editor.grid()
        assert (grid["layers"][0]["rows"][0], grid["entities"][0]["x"]) == ("  ############", 4)
        editor.canvas.focus()
        editor.press("Control+z")
        editor.save()
        assert editor.rows()[0] == "############"

    def test_what_is_typed_stays_while_other_things_change(self, editor: MapEditor) -> None:
        editor.show_panel("Map")
        width, anchor = editor.field("map-Width"), editor.page.get_by_role("radio", name="bottom right")
        width.fill("14")
        anchor.check(force=True)
        editor.run("(editor) => editor.refresh()")
        editor.field("map-diagonal_rule").select_option("5-10-5")
        expect(width).to_have_value("14")
        expect(anchor).to_be_checked()

    def test_an_empty_map_is_begun(self, open_map: Opening) -> None:
        editor = open_map({})
        editor.button("Start drawing").click()
        editor.click(5, 5)
        editor.save()
        grid = editor.grid()
        assert (grid["width"], grid["height"], grid["layers"][0]["rows"][5][5]) == (40, 30, "#")


class TestJson:
    def test_a_fault_of_form_has_its_line(self, editor: MapEditor) -> None:
        editor.page.get_by_role("tab", name="JSON").click()
        text = editor.page.get_by_label("Grid data as JSON")
        text.fill(text.input_value().replace('"width": 12,', '"width": 12,,'))
        editor.button("Apply to the map").click()
        expect(editor.page.locator(".wk-faults")).to_contain_text("Line 2")
        editor.button("Discard changes").click()
        expect(editor.page.locator(".wk-faults")).to_be_empty()

    def test_what_is_typed_is_saved_and_undone(self, editor: MapEditor) -> None:
        editor.page.get_by_role("tab", name="JSON").click()
        text = editor.page.get_by_label("Grid data as JSON")
        grid = json.loads(text.input_value())
        assert grid == editor.grid()
        grid["weather"] = "fog"
        grid["layers"][0]["rows"][1] = "#~~~~~~~~~~#"
        text.fill(json.dumps(grid))
        editor.save()
        assert editor.grid() == grid
        editor.page.get_by_role("tablist", name="View of the map").get_by_role("tab", name="Map").click()
        editor.press("Control+z")
        editor.save()
        assert "weather" not in editor.grid()

    def test_a_fault_of_the_server_has_its_line(self, editor: MapEditor) -> None:
        editor.page.get_by_role("tab", name="JSON").click()
        text = editor.page.get_by_label("Grid data as JSON")
        text.fill(text.input_value().replace('"width": 12,', '"width": 12,\n  "cell_distance": -1,'))
        editor.press("Control+s")
        expect(editor.page.locator(".wk-faults")).to_contain_text("Line 3 cell_distance must be more than 0")
        editor.visit.expect(f"422 POST {editor.url}/edits")
