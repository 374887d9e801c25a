"""Every page of the back office in a browser: without a fault, without JavaScript, and nothing for strangers."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from admin.views import VIEWS
from tests.browser.conftest import SMALL, Visiting
from tests.browser.driver import MapEditor, Player, paint, upload


class TestEveryPage:
    """The fixture `visit` fails a test when a page has an error in its console or a request that fails."""

    @pytest.mark.parametrize("role", ["game master", "superuser"])
    def test_has_no_fault(
        self, visit: Visiting, people: dict[str, Player], role: str, game_master: Player, universe_id: str
    ) -> None:
        upload(game_master, universe_id)
        game_master.post(f"/universes/{universe_id}/rolls", expression="1d20")
        game_master.post(f"/universes/{universe_id}/messages", text="Who is there?")
        visiting = visit(people[role])
        page = visiting.page("/admin/")
        expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
        for view in VIEWS:
            if view.superusers_only and role != "superuser":
                page.goto(f"/admin/{view.identity}/list")
                visiting.expect(f"404 GET /admin/{view.identity}/list")
                continue
            page.goto(f"/admin/{view.identity}/list")
            expect(page.get_by_role("heading", level=1)).to_have_text(view.name_plural)
            if role == "superuser" and not view.superusers_only:
                # Of their other pages only the rows differ.
                continue
            row = page.locator(f"tbody a[href*='/admin/{view.identity}/details/']").first.get_attribute("href")
            assert row is not None
            page.goto(row)
            expect(page.get_by_role("heading", level=1)).not_to_be_empty()
            if view.can_edit:
                page.goto(row.replace("/details/", "/edit/"))
                expect(page.locator("form.card")).to_be_visible()
            if view.can_create:
                page.goto(f"/admin/{view.identity}/create")
                expect(page.get_by_role("button", name="Create")).to_be_visible()
            page.goto(f"/admin/{view.identity}/list?search=no+such+object")
            expect(page.locator("main")).to_contain_text("Nothing matches the search.")

    def test_errors_and_the_door(self, visit: Visiting, game_master: Player) -> None:
        visiting = visit()
        page = visiting.page("/admin/map/list")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        page.get_by_label("E-mail").fill(game_master.email)
        page.get_by_label("Password").fill("not the password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        visiting.expect("400 POST /admin/login")
        page.get_by_label("Password").fill(game_master.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Maps")
        page.goto("/admin/map/details/nothing")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        visiting.expect("404 GET /admin/map/details/nothing")
        page.goto("/admin/")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("button", name="Log in")).to_be_visible()

    def test_a_universe_is_made_and_deleted(self, visit: Visiting, game_master: Player) -> None:
        page = visit(game_master).page("/admin/universe/create")
        page.get_by_label("Name").fill("The Sunken Marches")
        page.get_by_role("button", name="Create universe").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The Sunken Marches")
        page.get_by_role("link", name="Delete").or_(page.get_by_role("button", name="Delete")).first.click()
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Universes")
        expect(page.locator("main")).not_to_contain_text("The Sunken Marches")


class TestStranger:
    def test_is_shown_nothing(
        self, visit: Visiting, people: dict[str, Player], new_map: Callable[..., str], universe_id: str
    ) -> None:
        visiting = visit(people["somebody"])
        page = visiting.page("/admin/")
        map_id = new_map()
        for path in (f"map/details/{map_id}", f"map/edit/{map_id}", f"universe/details/{universe_id}"):
            page.goto(f"/admin/{path}")
            visiting.expect(f"404 GET /admin/{path}")
            expect(page.locator("body")).not_to_contain_text("Cellar")
        for identity, plural in (("universe", "universes"), ("map", "maps"), ("event", "events")):
            page.goto(f"/admin/{identity}/list")
            expect(page.locator("main")).to_contain_text(f"No {plural} yet.")


class TestSuperuser:
    def test_edits_the_map_of_another_user(
        self, visit: Visiting, people: dict[str, Player], new_map: Callable[..., str], game_master: Player
    ) -> None:
        map_id = new_map()
        editor = visit(people["superuser"]).edit(map_id)
        expect(editor.page.locator(".wk-title")).to_have_text("Cellar")
        editor.take_tile("water")
        editor.click(3, 3)
        editor.save()
        grid = game_master.get(f"/maps/{map_id}")["grid_data"]
        assert grid["layers"][0]["rows"][3] == "#..~.......#"

    def test_is_notified_of_an_earlier_save(
        self, visit: Visiting, people: dict[str, Player], new_map: Callable[..., str], game_master: Player
    ) -> None:
        map_id = new_map()
        visiting = visit(people["superuser"])
        editor = visiting.edit(map_id)
        editor.take_tile("water")
        editor.click(3, 3)
        game_master.post(f"/maps/{map_id}/edits", edits=[paint(8, 5, "#")])
        editor.press("Control+s")
        editor.page.locator("[data-answer=overwrite]").click()
        editor.saved()
        visiting.expect(f"412 POST /maps/{map_id}/edits")
        rows = game_master.get(f"/maps/{map_id}")["grid_data"]["layers"][0]["rows"]
        assert [rows[3][3], rows[5][8]] == ["~", "#"]


class TestNewMap:
    def test_is_created_with_its_grid_and_opens_in_the_editor(
        self, visit: Visiting, game_master: Player, universe_id: str
    ) -> None:
        visiting = visit(game_master)
        page = visiting.page(f"/admin/map/create?universe_id={universe_id}")
        page.get_by_label("Name", exact=True).fill(f"Attic {uuid4().hex[:6]}")
        page.get_by_label("Grid", exact=True).select_option("Hexes in rows")
        page.get_by_label("Width").fill("21")
        page.get_by_label("Height").fill("9")
        assert page.locator("form#form button").all_inner_texts() == ["Create map"]
        page.get_by_role("button", name="Create map").click()
        page.locator(".wa-mounted").wait_for()
        editor = MapEditor(visiting, page, page.url.rpartition("/")[2])
        editor.take_tile("wall")
        editor.click(4, 4)
        editor.save()
        grid = editor.grid()
        assert (grid["width"], grid["height"], grid["grid_type"]) == (21, 9, "hex_row")
        assert grid["layers"][0]["rows"][4] == "    #" + " " * 16
        # The first save, like every other, stays in the editor.
        assert page.url.endswith(f"/admin/map/edit/{editor.map_id}")

    def test_grid_data_instead_of_a_size(self, visit: Visiting, game_master: Player, universe_id: str) -> None:
        page = visit(game_master).page(f"/admin/map/create?universe_id={universe_id}")
        page.get_by_label("Name", exact=True).fill("Copied")
        page.get_by_text("Start from grid data").click()
        page.get_by_label("Grid data").fill(json.dumps(SMALL))
        page.get_by_role("button", name="Create map").click()
        page.locator(".wa-mounted").wait_for()
        assert game_master.get(f"/maps/{page.url.rpartition('/')[2]}")["grid_data"] == SMALL


class TestWithoutJavaScript:
    def test_the_text_is_saved_and_faults_are_at_their_place(
        self, visit: Visiting, game_master: Player, new_map: Callable[..., str]
    ) -> None:
        map_id = new_map()
        visiting = visit(game_master, java_script_enabled=False)
        page = visiting.page(f"/admin/map/edit/{map_id}")
        text = page.get_by_label("Grid data")
        grid = json.loads(text.input_value())
        assert grid == SMALL
        grid["layers"][0]["rows"][3] = "#..@.......#"
        broken = json.dumps(grid, ensure_ascii=False)
        text.fill(broken)
        page.get_by_role("button", name="Save").click()
        visiting.expect(f"422 POST /admin/map/edit/{map_id}")
        expect(page.get_by_role("alert").last).to_contain_text("grid_data.layers[0].rows[3]")
        expect(page.get_by_role("alert").last).to_contain_text("in cell 3, which is not in the legend")
        # What was typed is still there.
        assert text.input_value() == broken
        text.fill(broken.replace("@", "~"))
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cellar")
        saved = game_master.get(f"/maps/{map_id}")
        assert saved["grid_data"]["layers"][0]["rows"][3] == "#..~.......#"

    def test_a_missing_name_is_reported_at_its_field(
        self, visit: Visiting, game_master: Player, universe_id: str
    ) -> None:
        visiting = visit(game_master, java_script_enabled=False)
        page = visiting.page(f"/admin/map/create?universe_id={universe_id}")
        page.get_by_label("Name", exact=True).fill("  ")
        page.get_by_role("button", name="Create map").click()
        visiting.expect("422 POST /admin/map/create")
        expect(page.locator(".wa-field-name .invalid-feedback")).to_be_visible()
