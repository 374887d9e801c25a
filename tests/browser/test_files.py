"""Files, backgrounds, copies and history in a browser, as a game master without the API would use them."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SMALL, Visiting
from tests.browser.driver import Player, paint, upload

FILES = Path(__file__).parents[1] / "grid" / "formats" / "files"
CELLAR = "####\n#..#\n####\n"

_DROP = """(form, files) => {
    const data = new DataTransfer();
    for (const { name, content } of files) {
        data.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name));
    }
    for (const kind of ['dragenter', 'dragover', 'drop']) {
        form.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
}"""


def drop(page: Page, form: str, **files: bytes) -> None:
    """Drop files on a form."""
    contents = [{"name": name, "content": base64.b64encode(content).decode()} for name, content in files.items()]
    page.locator(f"form.wa-enhanced[action*='{form}']").evaluate(_DROP, contents)


class TestImport:
    def test_a_map_is_dropped_on_its_universe(
        self, visit: Visiting, game_master: Player, universe_id: str
    ) -> None:
        page = visit(game_master).page(f"/admin/universe/details/{universe_id}")
        drop(page, "/map/import", **{"crypt.txt": CELLAR.encode()})
        page.wait_for_url("**/admin/map/details/*")
        expect(page.get_by_role("status")).to_have_text("Imported.")
        rows = game_master.get(f"/maps/{page.url.rpartition('/')[2].partition('?')[0]}")["grid_data"]["layers"][0]
        assert rows["rows"] == CELLAR.split()

    def test_what_is_lost_is_shown(self, visit: Visiting, game_master: Player, universe_id: str) -> None:
        page = visit(game_master).page(f"/admin/map/import?universe_id={universe_id}")
        page.locator("input[type=file]").set_input_files([FILES / "sparse-tile.tmx"])
        expect(page.get_by_role("heading", name="Maps imported")).to_be_visible()
        expect(page.locator("main")).to_contain_text("Warnings")
        expect(page.locator("main")).to_contain_text("sparse.png was not uploaded")
        page.locator(".wa-card").first.click()
        page.wait_for_url("**/admin/map/details/*")

    def test_a_broken_file_says_why(self, visit: Visiting, game_master: Player, universe_id: str) -> None:
        visiting = visit(game_master)
        page = visiting.page(f"/admin/universe/details/{universe_id}")
        drop(page, "/map/import", **{"broken.tmx": b"<map><broken"})
        expect(page.locator("form[action*='/map/import'] .alert")).to_contain_text("The file is broken")
        visiting.expect("422 POST /admin/map/import")
        # The same form takes another file.
        drop(page, "/map/import", **{"cellar.txt": CELLAR.encode()})
        page.wait_for_url("**/admin/map/details/*")

    def test_a_universe_out_and_in_again(
        self, visit: Visiting, game_master: Player, new_map: Callable[..., str]
    ) -> None:
        universe_id = str(game_master.post("/universes", name="The Drowned Fens")["id"])
        game_master.post("/maps", universe_id=universe_id, name="Ferry", grid_data=SMALL)
        page = visit(game_master).page(f"/admin/universe/details/{universe_id}")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export").click()
        assert download.value.suggested_filename == "The-Drowned-Fens.worldkeep.zip"
        page.goto("/admin/universe/import")
        page.locator("input[type=file]").set_input_files(download.value.path())
        page.wait_for_url("**/admin/universe/details/*")
        assert universe_id not in page.url
        expect(page.get_by_role("heading", level=1)).to_have_text("The Drowned Fens")
        expect(page.locator(".wa-card strong")).to_have_text(["Ferry"])

    def test_without_javascript(self, visit: Visiting, game_master: Player, universe_id: str) -> None:
        page = visit(game_master, java_script_enabled=False).page("/admin/map/import")
        page.get_by_label("Universe").select_option(universe_id)
        page.get_by_role("button", name="Continue").click()
        page.get_by_label("Import maps").set_input_files(
            {"name": "cave.txt", "mimeType": "text/plain", "buffer": CELLAR.encode()}
        )
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("cave")


class TestExport:
    def test_every_format_is_offered(
        self, visit: Visiting, game_master: Player, new_map: Callable[..., str]
    ) -> None:
        page = visit(game_master).page(f"/admin/map/files/{new_map()}")
        links = [link.get_attribute("href") or "" for link in page.locator("[data-export]").all()]
        operation = game_master.get("/openapi.json")["paths"]["/maps/{id}/export"]["get"]
        formats = next(one for one in operation["parameters"] if one["name"] == "format")["schema"]["enum"]
        assert sorted(link.partition("format=")[2] for link in links) == sorted(formats)
        for link in links:
            assert game_master.client.get(link).status_code == 200

    def test_a_map_as_a_file(self, visit: Visiting, game_master: Player, new_map: Callable[..., str]) -> None:
        page = visit(game_master).page(f"/admin/map/details/{new_map()}")
        page.get_by_role("link", name="Export").click()
        page.locator("[data-export=enhanced]").first.wait_for()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as Plain text").click()
        assert download.value.suggested_filename == "Cellar.txt"
        assert "#..........#" in download.value.path().read_text()
        expect(page.get_by_role("status")).to_contain_text("Cellar.txt was downloaded.")
        # What the format cannot express.
        expect(page.get_by_role("status")).to_contain_text("The format cannot express everything")


class TestPictures:
    def test_several_are_uploaded_with_one_choice(
        self, visit: Visiting, game_master: Player, universe_id: str
    ) -> None:
        page = visit(game_master).page(f"/admin/asset/upload?universe_id={universe_id}")
        page.locator("input[type=file]").set_input_files([FILES / "diamond.png", FILES / "four.png"])
        page.wait_for_url("**/admin/asset/list*")
        expect(page.locator(".wa-name").nth(0)).to_have_text("four.png")
        expect(page.locator(".wa-name").nth(1)).to_have_text("diamond.png")

    def test_one_is_refused(self, visit: Visiting, game_master: Player, universe_id: str) -> None:
        visiting = visit(game_master)
        page = visiting.page(f"/admin/asset/upload?universe_id={universe_id}")
        drop(page, "/asset/upload", **{"fine.png": (FILES / "four.png").read_bytes(), "page.png": b"<html>"})
        expect(page.locator("form .alert")).to_contain_text("page.png: The file is not a picture")
        expect(page.locator("form .alert")).to_contain_text("1 of 2 were uploaded.")
        visiting.expect("422 POST /admin/asset/upload")


@pytest.fixture
def stage(visit: Visiting, game_master: Player, universe_id: str, new_map: Callable[..., str]) -> tuple[Page, str]:
    """The alignment page of a map of 12 x 8 cells, with a picture of 1280 x 800 pixels on it; and the map's id."""
    map_id, asset_id = new_map(), upload(game_master, universe_id)
    page = visit(game_master).page(f"/admin/map/background/{map_id}?asset_id={asset_id}")
    page.locator(".wa-stage canvas").wait_for()
    return page, map_id


def numbers(page: Page) -> list[float]:
    """Left, top, width and height in the form."""
    return [float(page.locator(f"input[name={name}]").input_value()) for name in ("x", "y", "width", "height")]


def background(game_master: Player, map_id: str) -> list[float]:
    """Left, top, width and height of a map's background."""
    stored = game_master.get(f"/maps/{map_id}")["grid_data"]["background"]
    return [stored[name] for name in ("x", "y", "width", "height")]


class TestBackground:
    def test_starts_as_wide_as_the_map(self, stage: tuple[Page, str]) -> None:
        page, _ = stage
        assert numbers(page) == [0, 0, 12, 7.5]

    def test_the_cell_size_scales_it(self, stage: tuple[Page, str], game_master: Player) -> None:
        page, map_id = stage
        page.get_by_label("Cell size").fill("64")
        assert numbers(page) == [0, 0, 20, 12.5]
        page.get_by_label("Left").fill("-1.5")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cellar")
        assert background(game_master, map_id) == [-1.5, 0, 20, 12.5]

    def test_dragging_and_arrow_keys_move_it(self, stage: tuple[Page, str]) -> None:
        page, _ = stage
        box = page.locator(".wa-stage canvas").bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 100, y + 50, steps=4)
        page.mouse.up()
        left, top, width, height = numbers(page)
        assert (width, height) == (12, 7.5)
        assert left == pytest.approx(2 * top, rel=0.01)
        assert left > 0.5
        page.keyboard.press("Shift+ArrowRight")
        # Ten pixels of the picture, of which a cell has 1280 / 12.
        assert numbers(page)[0] == pytest.approx(left + 10 * 12 / 1280, abs=1e-3)
        page.get_by_role("button", name="Snap to cells").click()
        assert numbers(page)[:2] == [round(left), round(top)]

    def test_the_corner_scales_it(self, stage: tuple[Page, str]) -> None:
        page, _ = stage
        box = page.locator(".wa-stage canvas").bounding_box()
        assert box
        # The stage shows 12 x 8 cells with a margin.
        cell = 0.92 * min(box["width"] / 12, box["height"] / 8)
        left, top = box["x"] + (box["width"] - 12 * cell) / 2, box["y"] + (box["height"] - 8 * cell) / 2
        page.mouse.move(left + 12 * cell, top + 7.5 * cell)
        page.mouse.down()
        page.mouse.move(left + 6 * cell, top + 3.75 * cell, steps=4)
        page.mouse.up()
        assert numbers(page) == pytest.approx([0, 0, 6, 3.75], abs=0.1)

    def test_marked_cells_align_it(self, stage: tuple[Page, str]) -> None:
        page, _ = stage
        box = page.locator(".wa-stage canvas").bounding_box()
        assert box
        cell = 0.92 * min(box["width"] / 12, box["height"] / 8)
        left, top = box["x"] + (box["width"] - 12 * cell) / 2, box["y"] + (box["height"] - 8 * cell) / 2
        page.get_by_role("button", name="Mark cells").click()
        page.get_by_label("Columns").fill("3")
        page.get_by_label("Rows").fill("2")
        # What the picture shows as 3 x 2 cells takes 4.5 x 3 cells of the map.
        page.mouse.move(left + 1.2 * cell, top + 0.9 * cell)
        page.mouse.down()
        page.mouse.move(left + 5.7 * cell, top + 3.9 * cell, steps=4)
        page.mouse.up()
        x, y, width, height = numbers(page)
        assert [width, height] == pytest.approx([8, 5], abs=0.1)
        # The corner that was marked lies on a corner of a cell now.
        assert [x + 1.2 * 2 / 3, y + 0.9 * 2 / 3] == pytest.approx([1, 1], abs=0.1)

    def test_the_map_takes_the_size_of_the_picture(self, stage: tuple[Page, str], game_master: Player) -> None:
        page, map_id = stage
        page.get_by_label("Cell size").fill("64")
        page.get_by_label("Resize the map to the picture").check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cellar")
        grid = game_master.get(f"/maps/{map_id}")["grid_data"]
        assert (grid["width"], grid["height"]) == (20, 13)

    def test_another_save_was_first(
        self, visit: Visiting, game_master: Player, universe_id: str, new_map: Callable[..., str]
    ) -> None:
        map_id, asset_id = new_map(), upload(game_master, universe_id)
        visiting = visit(game_master)
        page = visiting.page(f"/admin/map/background/{map_id}?asset_id={asset_id}")
        page.locator(".wa-stage canvas").wait_for()
        page.get_by_label("Left").fill("2")
        game_master.post(f"/maps/{map_id}/edits", edits=[paint(8, 5, "#")])
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("The map has changed since you opened this page")
        visiting.expect(f"412 POST /admin/map/background/{map_id}")
        # Nothing that was typed is lost, and saving again overwrites the background only.
        assert numbers(page)[0] == 2
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cellar")
        assert background(game_master, map_id)[0] == 2

    def test_without_javascript(
        self, visit: Visiting, game_master: Player, universe_id: str, new_map: Callable[..., str]
    ) -> None:
        map_id = new_map()
        upload(game_master, universe_id, "plan.png")
        page = visit(game_master, java_script_enabled=False).page(f"/admin/map/background/{map_id}")
        page.get_by_label("Picture", exact=True).select_option(index=1)
        page.get_by_role("button", name="Show").click()
        page.get_by_label("Width").fill("24")
        page.get_by_label("Height").fill("15")
        page.get_by_role("button", name="Save").click()
        assert background(game_master, map_id) == [0, 0, 24, 15]
        page.goto(f"/admin/map/background/{map_id}")
        page.get_by_role("button", name="Remove the background").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cellar")
        assert "background" not in game_master.get(f"/maps/{map_id}")["grid_data"]


class TestHistory:
    def test_a_map_is_restored(self, visit: Visiting, game_master: Player, new_map: Callable[..., str]) -> None:
        map_id = new_map()
        before = game_master.get(f"/maps/{map_id}")["grid_data"]
        game_master.post(f"/maps/{map_id}/edits", edits=[paint(8, 5, "#")])
        page = visit(game_master).page(f"/admin/map/details/{map_id}")
        page.get_by_role("link", name="History").click()
        expect(page.locator(".wa-what")).to_have_text(["Edited: 1 cell", "Created"])
        page.get_by_role("link", name="Created").click()
        picture = page.locator(".wa-past img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
        page.get_by_role("button", name="Restore this state").click()
        expect(page.get_by_role("status")).to_have_text("Restored.")
        assert json.dumps(game_master.get(f"/maps/{map_id}")["grid_data"]) == json.dumps(before)

    def test_a_copy(self, visit: Visiting, game_master: Player, new_map: Callable[..., str]) -> None:
        map_id = new_map()
        page = visit(game_master).page(f"/admin/map/details/{map_id}")
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cellar (copy)")
        copy_id = page.url.rpartition("/")[2].partition("?")[0]
        assert copy_id != map_id
        grids = [game_master.get(f"/maps/{one}")["grid_data"] for one in (map_id, copy_id)]
        assert grids[0] == grids[1]
