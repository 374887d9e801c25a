"""A game master and a friend: invited by a link, joining, seeing no secrets, helping, and being out at once."""

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.sync_api import Page, expect

from tests.browser.conftest import SMALL, Visiting
from tests.browser.driver import Player
from tests.conftest import PASSWORD

_READ = """async (path) => {
    const answer = await fetch(path);
    return { status: answer.status, text: await answer.text() };
}"""


def read(page: Page, path: str) -> dict[str, Any]:
    """What the API answers to the session of a page."""
    return dict(page.evaluate(_READ, path))


def save(page: Page) -> None:
    """Press the editor's button, and wait for the response."""
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as answer:
        page.get_by_role("button", name="Save", exact=True).click()
    assert answer.value.ok


def test_a_friend_at_the_table(visit: Visiting, game_master: Player) -> None:
    universe = game_master.post("/universes", name="The Drowned Table")
    secret = {"id": "ghoul", "kind": "monster", "name": "Ghoul below the stairs", "x": 3, "y": 3, "hidden": True}
    grid = {**SMALL, "entities": [*SMALL["entities"], secret], "gm": "the key is under the altar"}
    map_id = game_master.post("/maps", universe_id=universe["id"], name="Cellar", grid_data=grid)["id"]

    # The game master publishes the map, sends the party there, and makes a link.
    desk = visit(game_master)
    page = desk.page(f"/admin/map/edit/{map_id}")
    page.locator(".wa-mounted").wait_for()
    page.get_by_label("Visibility").select_option("All members")
    save(page)
    page.goto(f"/admin/universe/edit/{universe['id']}")
    page.get_by_label("The party is on").select_option("Cellar")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Members").click()
    page.get_by_label("Number of uses").fill("1")
    page.get_by_role("button", name="Create link").click()
    expect(page.get_by_role("status")).to_have_text("Invitation created. Copy its link and send it.")
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")

    # The friend has no account yet.
    guest = visit()
    theirs = guest.page(urlsplit(link).path)
    expect(theirs.get_by_role("heading", level=1)).to_have_text("The Drowned Table")
    expect(theirs.locator("main")).to_contain_text("invites you to join as a player")
    theirs.get_by_role("link", name="Create an account").click()
    theirs.get_by_label("Name").fill("Pim")
    theirs.get_by_label("E-mail address").fill(f"{uuid4().hex}@example.com")
    theirs.get_by_label("Password", exact=True).fill(PASSWORD)
    theirs.get_by_role("button", name="Create account").click()
    theirs.get_by_role("button", name="Join as Pim").click()
    expect(theirs).to_have_url(re.compile(f"/play/{universe['id']}$"))
    expect(theirs.locator("canvas").first).to_be_visible()

    # They see the map without its secrets, and are not offered the back office.
    answer = read(theirs, f"/maps/{map_id}")
    assert answer["status"] == 200
    assert "Rat" in answer["text"]
    assert not re.search("Ghoul|altar", answer["text"])
    theirs.goto("/admin/")
    expect(theirs.locator("main")).to_contain_text("The back office is for game masters")
    guest.expect("403 GET /admin/")

    # As a game master they edit.
    page.reload()
    expect(page.get_by_text("No open invitations.")).to_be_visible()
    page.get_by_label("Role of Pim").select_option("Game master")
    page.get_by_role("button", name="Change the role of Pim").click()
    expect(page.get_by_role("status")).to_have_text("Role changed.")
    theirs.goto(f"/admin/map/edit/{map_id}")
    theirs.locator(".wa-mounted").wait_for()
    theirs.get_by_label("Name", exact=True).last.fill("Wine cellar")
    save(theirs)
    assert game_master.get(f"/maps/{map_id}")["name"] == "Wine cellar"
    assert "Ghoul" in read(theirs, f"/maps/{map_id}")["text"]

    # Removed, they are out at once: in the API and in the back office.
    page.locator("summary", has_text="Remove… Pim").click()
    page.get_by_role("button", name="Remove Pim").click()
    expect(page.get_by_role("status")).to_have_text("Removed.")
    expect(page.locator(".wa-member")).to_have_count(1)
    assert read(theirs, f"/maps/{map_id}")["status"] == 404
    theirs.goto(f"/admin/map/details/{map_id}")
    expect(theirs.get_by_role("heading", level=1)).to_have_text("Not found")
    theirs.goto(urlsplit(link).path)
    expect(theirs.get_by_text("This invitation does not work")).to_be_visible()
    guest.expect(
        f"404 GET /maps/{map_id}",
        f"404 GET /admin/map/details/{map_id}",
        f"404 GET /invitations/{link.split('/')[-1]}",
    )
