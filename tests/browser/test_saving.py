"""Saving in the editor: only what changed, conflicts between two tabs, drafts, and what the server refuses."""

import re
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SMALL, Opening
from tests.browser.driver import MapEditor, Visit, paint
from tests.conftest import Server


def drafts(editor: MapEditor) -> int:
    """How many drafts this browser keeps of the map."""
    keys = editor.page.evaluate("Object.keys(localStorage)")
    return sum("draft" in key and editor.map_id in key for key in keys)


class TestWhatIsSent:
    def test_nothing_when_nothing_changed(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.click(3, 3)
        editor.press("Control+z")
        assert editor.save() == []

    def test_only_what_changed_since_the_last_time(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.click(3, 3)
        editor.save()
        editor.click(4, 3)
        editor.press("n")
        editor.click(5, 5)
        (request,) = editor.save()
        assert request.headers["if-match"] == '"2"'
        assert request.post_data_json is not None
        painted, put = request.post_data_json["edits"]
        assert painted == paint(4, 3, "~")
        assert (put["op"], put["entity"]["x"], put["entity"]["y"]) == ("put_entity", 5, 5)
        assert editor.map()["version"] == 3

    def test_painted_cells_go_the_fast_way(self, editor: MapEditor, server: Server) -> None:
        """With the cookie of the session and `If-Match`, by one statement."""

        def fast_edits() -> float:
            lines = httpx2.get(f"{server.url}/metrics").text.splitlines()
            (line,) = [line for line in lines if line.startswith("worldkeep_fast_edits_total ")]
            return float(line.split()[1])

        before = fast_edits()
        editor.take_tile("water")
        editor.drag((3, 3), (7, 3))
        (request,) = editor.save()
        assert request.headers["if-match"] == '"1"'
        assert "cookie" in request.all_headers()
        assert editor.rows()[3] == "#..~~~~~...#"
        assert fast_edits() == before + 1
        # An entity goes the plain way.
        editor.press("n")
        editor.click(5, 5)
        editor.save()
        assert fast_edits() == before + 1

    def test_a_removed_tile_and_another_grid_type_are_edits(self, editor: MapEditor) -> None:
        editor.take_tile("wall")
        editor.field("tile-replace").select_option(label="~  water")
        editor.button("Delete this tile", exact=False).click()
        editor.take_tile("floor")
        editor.write("tile-symbol", "o")
        editor.show_panel("Map")
        editor.field("map-grid_type").select_option("hex_row")
        (request,) = editor.save()
        assert (request.method, request.url.rpartition("/")[2]) == ("POST", "edits")
        legend = [{**SMALL["legend"][1], "symbol": "o"}, SMALL["legend"][2]]
        rows = ["~" * 12, *["~oooooooooo~"] * 6, "~" * 12]
        layers = [{"name": "ground", "rows": rows}]
        assert editor.grid() == {**SMALL, "grid_type": "hex_row", "legend": legend, "layers": layers}
        editor.canvas.focus()
        editor.press(*["Control+z"] * 4)
        (request,) = editor.save()
        assert request.url.rpartition("/")[2] == "edits"
        assert editor.grid() == SMALL

    def test_what_no_edit_can_say_sends_the_whole_map(self, editor: MapEditor) -> None:
        editor.run(
            """(editor) => editor.run('turn', (step) =>
                step.change({ legend: editor.document.frame.legend.toReversed() }))"""
        )
        (request,) = editor.save()
        assert (request.method, request.url.rpartition("/")[2]) == ("PATCH", editor.map_id)
        assert editor.grid() == {**SMALL, "legend": SMALL["legend"][::-1]}

    def test_one_button_saves_the_map_and_the_fields_around_it(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.click(3, 3)
        name = editor.page.get_by_label("Name", exact=True).last
        name.fill("Deep cellar")
        assert editor.page.locator("form .wa-foot button").count() == 0
        edits, fields = editor.save()
        assert (edits.method, fields.method, fields.post_data_json) == ("POST", "PATCH", {"name": "Deep cellar"})
        saved = editor.map()
        assert (saved["name"], saved["version"], saved["grid_data"]["layers"][0]["rows"][3][3]) == (
            "Deep cellar",
            3,
            "~",
        )
        assert editor.save() == []
        name.fill("Cave")
        name.press("Enter")
        editor.saved()
        expect(editor.page.locator(".wk-title")).to_have_text("Cave")
        assert editor.map()["name"] == "Cave"

    def test_a_field_that_is_refused_says_why(self, editor: MapEditor) -> None:
        editor.page.get_by_label("Name", exact=True).last.fill(" ")
        editor.press("Control+s")
        expect(editor.page.locator(".wk-notice.wk-error")).to_contain_text("name")
        editor.visit.expect(f"422 PATCH {editor.url}")


class TestLargeChanges:
    """What one request may not carry goes in several, one after the other, each against the version before."""

    @pytest.fixture
    def wide(self, open_map: Opening) -> MapEditor:
        """A map of 320 x 320 cells in the editor."""
        grid = {**SMALL, "width": 320, "height": 320, "entities": []}
        return open_map({**grid, "layers": [{"name": "ground", "rows": ["." * 320] * 320}]})

    def test_more_objects_than_a_request_may_have_edits(self, editor: MapEditor) -> None:
        editor.run(
            """(editor) => {
                const goblin = (_, i) => ({ id: `g${i}`, kind: 'goblin', name: `G${i}`, x: i % 12, y: i % 8 });
                const entities = Array.from({ length: 2500 }, goblin);
                const legend = [...editor.document.frame.legend, { symbol: ',', name: 'moss' }];
                editor.run('many', (step) => step.change({ entities, legend, layers: [
                    ...editor.document.frame.layers, editor.palette.newLayer('roof')] }));
                editor.run('paint', (step) => step.paint(editor.document.frame.layers[1].key, [0], 44));
            }"""
        )
        sent = editor.save()
        assert [request.url.rpartition("/")[2] for request in sent] == ["edits"] * 3
        assert [request.headers["if-match"] for request in sent] == ['"1"', '"2"', '"3"']
        grid = editor.grid()
        assert len(grid["entities"]) == 2500
        assert grid["layers"][1]["rows"][0] == "," + " " * 11
        editor.click(3, 3)
        assert len(editor.save()) == 1

    def test_more_bytes_than_a_body_may_have(self, wide: MapEditor) -> None:
        # Every second cell emptied: nothing but single cells can say it.
        wide.run(
            """(editor) => editor.run('sieve', (step) => step.paint(editor.state.layer,
                Array.from({ length: 320 * 160 }, (_, i) => 2 * i + (Math.floor(i / 160) % 2)), 32))"""
        )
        sent = wide.save()
        assert len(sent) > 1
        assert all(len(request.post_data or "") < 2**20 for request in sent)
        assert wide.rows() == [" ." * 160, ". " * 160] * 160

    def test_a_conflict_on_the_way_keeps_what_is_not_saved_yet(self, editor: MapEditor) -> None:
        editor.run(
            """(editor) => editor.run('many', (step) => step.change({ entities: Array.from({ length: 1500 },
                (_, i) => ({ id: `g${i}`, kind: 'goblin', name: '', x: i % 12, y: 0 })) }))"""
        )

        def interfere(route: Any) -> None:
            if route.request.headers["if-match"] == '"2"':
                editor.edit_elsewhere(paint(8, 5, "#"))
            route.continue_()

        editor.page.route("**/edits", interfere)
        editor.press("Control+s")
        editor.page.locator("[data-answer=overwrite]").click()
        editor.saved()
        editor.visit.expect(f"412 POST {editor.url}/edits")
        grid = editor.grid()
        assert len(grid["entities"]) == 1500
        assert grid["layers"][0]["rows"][5][8] == "#"


class TestConflict:
    @pytest.fixture
    def second(self, desk: Visit, editor: MapEditor) -> MapEditor:
        """A second tab with its own changes, after the first one has saved."""
        second = desk.edit(editor.map_id)
        second.take_tile("water")
        second.click(3, 3)
        editor.take_tile("wall")
        editor.click(8, 5)
        editor.click(3, 3)
        editor.save()
        second.press("Control+s")
        dialog = second.page.get_by_role("dialog")
        expect(dialog).to_contain_text("This map was changed by somebody else")
        expect(dialog).to_contain_text("You opened version 1; the map is at version 2 now.")
        desk.expect(f"412 POST {second.url}/edits")
        return second

    def test_overwrite_keeps_what_only_the_others_changed(self, second: MapEditor) -> None:
        second.page.locator("[data-answer=overwrite]").click()
        second.saved()
        rows = second.rows()
        assert [rows[3][3], rows[5][8]] == ["~", "#"]
        assert drafts(second) == 0

    def test_reload_sets_mine_aside_until_it_is_put_back(self, second: MapEditor) -> None:
        second.page.locator("[data-answer=reload]").click()
        expect(second.notices).to_contain_text("This is version 2. Your changes are set aside.")
        assert [second.shown(3, 3), second.shown(8, 5)] == ["#", "#"]
        # Not even a reload of the page loses them.
        second.page.reload()
        second.wait()
        assert second.shown(3, 3) == "#"
        second.button("Apply them").click()
        second.save()
        rows = second.rows()
        assert [rows[3][3], rows[5][8]] == ["~", "#"]
        assert drafts(second) == 0

    def test_keep_as_a_copy(self, second: MapEditor) -> None:
        second.page.locator("[data-answer=copy]").click()
        expect(second.notices).to_contain_text("Your version was saved as “Cellar (copy)”.")
        assert [second.shown(3, 3), second.shown(8, 5)] == ["#", "#"]
        assert second.rows()[3][3] == "#"
        second.page.get_by_role("link", name="Open the copy").click()
        expect(second.page.locator(".wk-title")).to_have_text("Cellar (copy)")
        second.wait()
        copy = MapEditor(second.visit, second.page, second.page.url.rpartition("/")[2])
        assert [copy.rows()[3][3], copy.rows()[5][8]] == ["~", "."]

    def test_decide_later(self, second: MapEditor) -> None:
        second.press("Escape")
        expect(second.page.locator(".wk-status")).to_have_text("Not saved")
        assert second.shown(3, 3) == "~"
        assert second.rows()[3][3] == "#"


class TestLeaving:
    def test_with_unsaved_work_warns_and_keeps_a_draft(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.click(3, 3)
        editor.page.reload()
        assert editor.visit.asked == ["beforeunload"]
        editor.wait()
        expect(editor.notices).to_contain_text(re.compile("Your unsaved changes from .* were restored"))
        assert editor.shown(3, 3) == "~"
        expect(editor.page.locator(".wk-status")).to_have_text("Unsaved")
        editor.save()
        assert editor.rows()[3][3] == "~"
        editor.page.reload()
        editor.wait()
        assert editor.visit.asked == ["beforeunload"]
        expect(editor.notices).to_have_count(0)

    def test_a_draft_can_be_discarded(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.click(3, 3)
        editor.page.reload()
        editor.wait()
        editor.button("Discard them").click()
        assert editor.shown(3, 3) == "."
        assert drafts(editor) == 0
        editor.page.goto("/admin/")
        assert editor.visit.asked == ["beforeunload"]

    def test_the_draft_of_another_tab_is_offered(self, desk: Visit, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.click(3, 3)
        editor.page.wait_for_function("(id) => Object.keys(localStorage).join().includes(id)", arg=editor.map_id)
        second = desk.edit(editor.map_id)
        expect(second.notices).to_contain_text("unsaved changes from another tab")
        assert second.shown(3, 3) == "."
        second.button("Apply them").click()
        second.save()
        assert second.rows()[3][3] == "~"


class TestRefusal:
    def test_is_shown_where_it_is(self, editor: MapEditor) -> None:
        editor.run("(editor) => editor.run('break', (step) => step.paint(editor.state.layer, [40], 64))")
        editor.press("Control+s")
        fault = editor.page.locator(".wk-notice.wk-error")
        expect(fault).to_contain_text(re.compile("Cell \\(4, 3\\) of the layer “ground”.*not in the legend"))
        editor.visit.expect(f"422 POST {editor.url}/edits")
        editor.button("Show in JSON").click()
        expect(editor.page.locator(".wk-faults")).to_contain_text(re.compile("Line \\d+"))
        text = editor.page.get_by_label("Grid data as JSON")
        chosen = text.evaluate("(field) => field.value.slice(field.selectionStart, field.selectionEnd)")
        assert "@" in chosen

    def test_without_a_server_nothing_is_lost(self, editor: MapEditor) -> None:
        editor.take_tile("water")
        editor.click(3, 3)
        editor.visit.context.set_offline(True)
        editor.press("Control+s")
        expect(editor.notices).to_contain_text("The server cannot be reached.")
        editor.visit.context.set_offline(False)
        (failed,) = editor.visit.faults
        assert failed.startswith("net::ERR_INTERNET_DISCONNECTED: POST")
        editor.visit.faults.clear()
        editor.button("Try again").click()
        editor.saved()
        assert editor.rows()[3][3] == "~"
