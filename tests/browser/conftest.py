"""Fixtures for the tests in a browser: a server with the demo, Chromium, and people who are logged in in it."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser

from tests.browser.driver import MapEditor, NoChromium, Player, Visit, chromium
from tests.conftest import PASSWORD, Server, serving

SMALL: dict[str, Any] = {
    "width": 12,
    "height": 8,
    "grid_type": "square",
    "legend": [
        {"symbol": "#", "name": "wall", "color": "#5b5348", "blocks_movement": True, "blocks_sight": True},
        {"symbol": ".", "name": "floor", "color": "#cfc6b0"},
        {"symbol": "~", "name": "water", "color": "#6a929c", "movement_cost": 2},
    ],
    "layers": [{"name": "ground", "rows": ["#" * 12, *["#..........#"] * 6, "#" * 12]}],
    "entities": [{"id": "rat", "kind": "monster", "name": "Rat", "x": 2, "y": 1}],
}


@pytest.fixture(scope="session")
def server(new_database: Callable[..., str]) -> Iterator[Server]:
    """A server with the demo."""
    # Straight under /tmp: pytest's own folders close themselves to PostgreSQL's user in the next session.
    with tempfile.TemporaryDirectory(prefix="worldkeep-browser-", ignore_cleanup_errors=True) as path:
        folder = Path(path).resolve()
        with serving(folder, "--demo", DATABASE_URL=new_database()) as server:
            yield server


@pytest.fixture(scope="session")
def people(server: Server) -> Iterator[dict[str, Player]]:
    """The demo's people by their role, and "somebody", who has just signed up."""
    logins = json.loads((server.log.parent / "demo-logins.json").read_text())
    logins["somebody"] = {"email": "somebody@example.com", "password": PASSWORD}
    httpx2.post(f"{server.url}/auth/register", json=logins["somebody"]).raise_for_status()
    people = {role: Player.log_in(server.url, **one) for role, one in logins.items()}
    yield people
    for player in people.values():
        player.client.close()


@pytest.fixture(scope="session")
def game_master(people: dict[str, Player]) -> Player:
    """The demo's game master."""
    return people["game master"]


@pytest.fixture(scope="session")
def universe_id(game_master: Player) -> str:
    """A universe of the game master's, for the maps of tests."""
    return str(game_master.post("/universes", name="The workshop")["id"])


@pytest.fixture(scope="package")
def browser(server: Server) -> Iterator[Browser]:
    """Chromium. One for this folder: while it runs, no test of this worker can have an event loop."""
    try:
        with chromium() as browser:
            yield browser
    except NoChromium as error:
        # A person may have no browser; where changes are let in, these tests must run.
        pytest.fail(str(error)) if os.environ.get("CI") else pytest.skip(str(error))


Visiting = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visiting]:
    """Opens a browser, logged in or not. A test fails if a page has a fault that it does not expect."""
    visits = []

    def begin(player: Player | None = None, **options: Any) -> Visit:
        visits.append(Visit(browser, server.url, player, **options))
        return visits[-1]

    yield begin
    for one in visits:
        one.context.close()
    assert [fault for one in visits for fault in one.faults] == []


@pytest.fixture(scope="package")
def desk(browser: Browser, server: Server, game_master: Player) -> Iterator[Visit]:
    """The game master's browser. Its first tab stays open: it has loaded everything before."""
    visit = Visit(browser, server.url, game_master)
    visit.context.new_page()
    yield visit
    visit.context.close()


@pytest.fixture
def new_map(game_master: Player, universe_id: str) -> Callable[..., str]:
    """Makes maps of the game master's; gives their ids."""

    def make(grid: dict[str, Any] = SMALL, name: str = "Cellar") -> str:
        return str(game_master.post("/maps", universe_id=universe_id, name=name, grid_data=grid)["id"])

    return make


Opening = Callable[..., MapEditor]


@pytest.fixture
def open_map(desk: Visit, new_map: Callable[..., str]) -> Iterator[Opening]:
    """Opens a new map in the first tab of the game master's browser; unexpected faults fail the test, as in
    `visit`."""
    tab, *_ = desk.context.pages
    yield lambda *fields: desk.edit(new_map(*fields), tab)
    for page in desk.context.pages[1:]:
        page.close()
    tab.unroute_all()
    tab.evaluate("localStorage.clear()")
    faults, desk.faults, desk.asked = desk.faults, [], []
    assert faults == []


@pytest.fixture
def editor(open_map: Opening) -> MapEditor:
    """The game master's editor with a small new map in it."""
    return open_map()
