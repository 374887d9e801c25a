"""Takes the pictures of the docs, of the demo on a server of its own: `make screenshots`."""

import json
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from game.core.schema import ROOT
from tests.browser.driver import MapEditor, Player, Visit, chromium
from tests.conftest import serving

IMAGES = ROOT / "docs" / "images"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def keep(page: Page, name: str) -> None:
    """Save what a page shows in 256 colours."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def zoom(editor: MapEditor, x: int, y: int, steps: int) -> None:
    """Turn the wheel over a cell."""
    editor.point(x, y)
    for _ in range(steps):
        editor.page.mouse.wheel(0, -100)


def see_as(editor: MapEditor) -> None:
    """Show the map as one of the players sees it."""
    zoom(editor, 7, 5, 9)
    editor.button("See as …").click()
    editor.page.get_by_label("Whose eyes").wait_for()
    keep(editor.page, "editor-see-as")
    editor.button("Back to my view").click()


def align(page: Page, player: Player) -> None:
    """Show a drawing of a map as the background of a new one."""
    names = {one["name"]: one for one in player.get("/maps")["items"]}
    inn = names["The Lantern and Eel"]
    drawing = (
        player.client.get(f"/maps/{inn['id']}/image.png", params={"cell_size": 32}).raise_for_status().content
    )
    universe = f"/universes/{inn['universe_id']}/assets"
    asset = player.client.post(universe, files={"file": ("the lantern and eel.png", drawing)}).json()
    grid = {"width": 30, "height": 24}
    created = player.post("/maps", universe_id=inn["universe_id"], name="The inn by night", grid_data=grid)
    page.goto(f"/admin/map/background/{created['id']}?asset_id={asset['id']}")
    page.locator(".wa-stage canvas").wait_for()
    page.get_by_label("Cell size").fill("32")
    page.get_by_label("Left").fill("1.4")
    page.get_by_label("Top").fill("0.6")
    keep(page, "background")
    player.client.delete(f"/maps/{created['id']}").raise_for_status()
    player.client.delete(f"/assets/{asset['id']}").raise_for_status()


def take(browser: Browser, url: str, player: Player) -> None:
    """Take all of them."""
    player.client.patch("/users/me", json={"display_name": "Mira"}).raise_for_status()
    player.post(
        "/universes", name="The Sunken Marches", description="Reeds, causeways, and what sleeps under them."
    )
    ids = {one["name"]: one["id"] for one in player.get("/maps")["items"]}

    visit = Visit(browser, url, player)
    editor = visit.edit(ids["Undermere Priory"])
    zoom(editor, 21, 17, 7)
    editor.take_tile("flagstones")
    editor.drag((21, 13), (21, 14))
    editor.point(23, 14)
    keep(editor.page, "editor-dungeon")
    editor.save()
    editor = visit.edit(ids["Map of the Tolling Coast"])
    zoom(editor, 38, 28, 9)
    editor.take_tile("broadleaf forest")
    editor.button("3").click()
    editor.click(36, 25)
    editor.point(37, 26)
    keep(editor.page, "editor-hexes")
    editor.save()
    see_as(visit.edit(ids["Undermere Priory"]))
    page = visit.page(f"/admin/map/history/{ids['Undermere Priory']}")
    page.get_by_role("link", name="Created").click()
    page.locator(".wa-past img").evaluate("image => image.decode()")
    keep(page, "history")
    align(page, player)
    page = visit.page("/admin/")
    keep(page, "dashboard")
    for name in ("universes", "maps"):
        page.goto(f"/admin/{name.removesuffix('s')}/list")
        keep(page, name)
    visit.context.close()

    inn = ids["The Lantern and Eel"]
    visit = Visit(browser, url, player, color_scheme="dark")
    editor = visit.edit(inn)
    editor.button("Select and move objects (O)").click()
    innkeeper = editor.grid()["entities"][0]
    editor.click(innkeeper["x"], innkeeper["y"])
    keep(editor.page, "editor-dark")
    visit.context.close()

    visit = Visit(browser, url, player, **PHONE)
    keep(visit.edit(inn).page, "editor-phone")
    visit.context.close()


def play(browser: Browser, url: str, master: Player, player: Player) -> None:
    """Take those of the players' page: a player with fog, the game master, a phone."""
    universe = next(one for one in master.get("/universes")["items"] if one["name"] == "The Tolling Coast")
    (other,) = [
        one["user_id"]
        for one in master.get(f"/universes/{universe['id']}/members")["items"]
        if one["display_name"] == "Bram"
    ]
    table = f"/universes/{universe['id']}"
    player.post(f"{table}/rolls", expression="1d20+3", reason="Perception")
    master.post(f"{table}/messages", text="Water drips somewhere behind the pillars.")
    player.post(f"{table}/messages", text="I do not trust the stair.", to=[other])
    for name, seat, tab, options in (
        ("play", player, "Log", {}),
        ("play-game-master", master, "Initiative", {}),
        ("play-phone", player, "", PHONE),
    ):
        visit = Visit(browser, url, seat, color_scheme="dark", **options)
        page = visit.page(f"/play/{universe['id']}")
        page.locator("[data-ready]").wait_for()
        page.wait_for_timeout(3000)
        if tab:
            page.get_by_role("tab", name=tab).click()
        if tab == "Log":
            page.get_by_role("tab", name=tab).click()
            page.evaluate("() => { const { store } = worldkeepTable; store.selected.value = store.mine[0].id; }")
        page.wait_for_timeout(1000)
        keep(page, name)
        visit.context.close()


def main() -> None:
    """Start a server with the demo, log in as its people, and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-screenshots-", ignore_cleanup_errors=True) as path:
        folder = Path(path).resolve()
        # Open to the system user that PostgreSQL runs as for root.
        folder.chmod(0o755)
        with serving(folder, "--demo") as server, chromium() as browser:
            logins = json.loads((folder / "demo-logins.json").read_text())
            master = Player.log_in(server.url, **logins["game master"])
            play(browser, server.url, master, Player.log_in(server.url, **logins["player one"]))
            take(browser, server.url, master)


if __name__ == "__main__":
    main()
