"""What people do in the back office: log in, open maps, point at cells, save."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.conftest import PATIENCE_SECONDS

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# On a busy machine the defaults are too short.
_PATIENCE_MS = 120_000
expect.set_options(timeout=_PATIENCE_MS)

Cell = tuple[int, int]

_PICTURE = Path(__file__).parents[2] / "docs" / "images" / "maps.png"

_PLACE_OF_CELL = """([x, y, dx, dy]) => {
    const { view, document: map, canvas } = document.querySelector('[data-map-editor]').editor;
    const [px, py] = map.geometry.centre(x, y);
    const [X, Y] = view.toScreen(px + dx, py + dy);
    const box = canvas.getBoundingClientRect();
    return [box.left + X / view.ratio, box.top + Y / view.ratio];
}"""


class NoChromium(Exception):
    """The back office is shown in Chromium, and none is installed."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine, without a window.

    Raises:
        NoChromium: there is none.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise NoChromium(NoChromium.__doc__)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Player:
    """A user: a client of the API, and the cookie of their browser."""

    client: httpx2.Client
    email: str
    password: str
    # For the browser; Playwright has a type for it, and does not export it.
    cookie: Any

    @classmethod
    def log_in(cls, url: str, email: str, password: str) -> Self:
        """Log in to the API, and to the back office."""
        client = httpx2.Client(base_url=url, timeout=PATIENCE_SECONDS)
        form = {"username": email, "password": password}
        token = client.post("/auth/jwt/login", data=form).raise_for_status().json()["access_token"]
        answer = client.post("/admin/login", data=form)
        assert answer.status_code == 303, answer.text
        ((name, value),) = client.cookies.items()
        client.cookies.clear()
        client.headers["authorization"] = f"Bearer {token}"
        return cls(client, email, password, {"name": name, "value": value, "url": url})

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """What the API answers to a write."""
        answer = self.client.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        """What the API answers to a read."""
        answer = self.client.get(path)
        assert answer.is_success, answer.text
        return dict(answer.json())


class Visit:
    """A browser of one person's.

    `faults` collects what must not happen on any page: errors in the console, requests that fail. `asked` has the
    kinds of dialogs that the browser itself showed (`beforeunload`); the response is always yes.
    """

    def __init__(self, browser: Browser, url: str, player: Player | None = None, **options: Any) -> None:
        options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        self.context = browser.new_context(base_url=url, **options)
        self.context.set_default_timeout(_PATIENCE_MS)
        self.player = player
        if player:
            self.context.add_cookies([player.cookie])
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.context.on("dialog", self._agree)
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        self.context.on("response", self._look)
        self.context.on("requestfailed", self._miss)

    def _agree(self, dialog: Dialog) -> None:
        self.asked.append(dialog.type)
        dialog.accept()

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium says there too what `_look` hears of first hand, and that it draws without a graphics card.
        known = message.text.startswith("Failed to load resource") or "GL Driver Message" in message.text
        if message.type in ("error", "warning") and not known:
            self.faults.append(f"console: {message.text}")

    def _look(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status} {response.request.method} {urlsplit(response.url).path}")

    def _miss(self, request: Request) -> None:
        # These are missed if the test continues before all pictures are loaded.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.failure}: {request.method} {request.url}")

    def expect(self, *faults: str) -> None:
        """These faults were meant, and there are no others."""
        assert sorted(self.faults) == sorted(faults)
        self.faults.clear()

    def page(self, path: str = "/admin/") -> Page:
        """A new tab with a page."""
        page = self.context.new_page()
        page.goto(path)
        return page

    def edit(self, map_id: str, page: Page | None = None) -> "MapEditor":
        """A tab with a map in the editor."""
        editor = MapEditor(self, page or self.context.new_page(), map_id)
        editor.page.goto(f"/admin/map/edit/{map_id}")
        editor.wait()
        return editor


class MapEditor:
    """The editor in a tab, and the map as its game master reads it through the API."""

    def __init__(self, visit: Visit, page: Page, map_id: str) -> None:
        assert visit.player is not None
        self.visit, self.player, self.page, self.map_id = visit, visit.player, page, map_id
        self.url = f"/maps/{map_id}"
        self.canvas = page.locator("canvas.wk-canvas")
        self.notices = page.locator(".wk-notice")
        self.sent: list[Request] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.method != "GET":
            self.sent.append(request)

    def wait(self) -> None:
        """Wait until the map is shown."""
        self.page.locator(".wa-mounted").wait_for()

    def run(self, script: str, argument: Any = None) -> Any:
        """The result of a function of the editor, in JavaScript."""
        call = f"(argument) => ({script})(document.querySelector('[data-map-editor]').editor, argument)"
        return self.page.evaluate(call, argument)

    # What the hands do

    def at(self, x: float, y: float, dx: float = 0, dy: float = 0) -> tuple[float, float]:
        """Where the middle of a cell is on the page; or a point a number of cells beside it."""
        left, top = self.page.evaluate(_PLACE_OF_CELL, [x, y, dx, dy])
        return left, top

    def point(self, x: float, y: float, dx: float = 0, dy: float = 0) -> None:
        self.page.mouse.move(*self.at(x, y, dx, dy))

    def click(self, x: int, y: int, dx: float = 0, dy: float = 0, **options: Any) -> None:
        self.page.mouse.click(*self.at(x, y, dx, dy), **options)

    def drag(self, start: tuple[float, ...], end: tuple[float, ...], **options: Any) -> None:
        self.point(*start)
        self.page.mouse.down(**options)
        self.page.mouse.move(*self.at(*end), steps=4)
        self.page.mouse.up(**options)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, name: str, exact: bool = True) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def field(self, name: str) -> Locator:
        """A field of a panel, by the name that the editor finds it by again after a change."""
        return self.page.locator(f"[data-focus={name}]")

    def write(self, name: str, text: str) -> None:
        """Fill in a field of a panel, as with Enter."""
        self.field(name).fill(text)
        self.field(name).press("Enter")

    def take_tile(self, name: str) -> None:
        self.page.locator(".wk-legend").get_by_role("button", name=name, exact=True).click()

    def take_layer(self, name: str) -> None:
        self.page.locator(".wk-layer-name", has_text=name).click()

    def show_panel(self, name: str) -> None:
        self.page.locator(".wk-side-tabs").get_by_role("tab", name=name, exact=True).click()

    def save(self) -> list[Request]:
        """Press Ctrl+S and wait until all is saved; gives what was sent."""
        self.sent.clear()
        self.press("Control+s")
        self.saved()
        return list(self.sent)

    def saved(self) -> None:
        """Wait until all is saved."""
        self.page.locator(".wk-status[data-status=saved]").wait_for()

    # What the eyes see, and the ears hear

    def heard(self) -> str:
        """What a screen reader said last."""
        return self.page.locator("[aria-live=polite]").text_content() or ""

    def hear(self, text: str) -> None:
        """Wait until a screen reader says this."""
        expect(self.page.locator("[aria-live=polite]")).to_have_text(text)

    def shown(self, x: int, y: int, layer: int = 0) -> str:
        """The symbol that a cell has in the editor, saved or not."""
        script = """({ document: { frame } }, [x, y, layer]) =>
            String.fromCharCode(frame.layers[layer].cells[y * frame.width + x])"""
        return str(self.run(script, [x, y, layer]))

    # What the server has

    def map(self) -> dict[str, Any]:
        return self.player.get(self.url)

    def grid(self) -> dict[str, Any]:
        return dict(self.map()["grid_data"])

    def rows(self, layer: int = 0) -> list[str]:
        return list(self.grid()["layers"][layer]["rows"])

    def edit_elsewhere(self, *edits: dict[str, Any]) -> None:
        """Change the map as another user."""
        self.player.post(f"{self.url}/edits", edits=list(edits))


def upload(player: Player, universe_id: str, name: str = "priory.png") -> str:
    """Upload a picture of 1280 x 800 pixels to a universe; its id."""
    files = {"file": (name, _PICTURE.read_bytes())}
    answer = player.client.post(f"/universes/{universe_id}/assets", files=files).raise_for_status()
    return str(answer.json()["id"])


def paint(x: int, y: int, symbol: str, layer: str = "ground") -> dict[str, Any]:
    """The edit that paints one cell."""
    return {"op": "set", "layer": layer, "cells": [{"x": x, "y": y, "symbol": symbol}]}
