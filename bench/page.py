"""`python -m bench.page`: the players' page in Chromium, with a processor slowed down four times. Writes
bench/PAGE.md."""

import gzip
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.__main__ import free_port, machine, say

HERE = Path(__file__).parent
SLOWER = 4
"""The factor by which the processor of the page is slowed down."""
MOVES = 200
HOUR = 3600
"""The number of moves in an hour of play."""
_ARGUMENTS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--js-flags=--expose-gc")

Line = tuple[str, str, str]


@contextmanager
def server() -> Iterator[str]:
    """A server with the demo; yields its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="worldkeep-page-") as folder:
        command = [sys.executable, "-m", "game", "serve", "--demo", "--port", str(port), "--data-dir", folder]
        limits = {"WORLDKEEP_LIMIT_LOGIN": "100000/hour", "WORLDKEEP_LIMIT_SIGNUP": "100000/hour"}
        process = subprocess.Popen(command, env={**os.environ, **limits}, stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    if httpx2.get(f"{url}/health/ready").is_success:
                        break
                except httpx2.TransportError:
                    pass
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait()


class Person:
    """A user with a client of the API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.email, self.password = f"{uuid4().hex}@example.com", "long enough for this"
        self.client = httpx2.Client(base_url=url, timeout=60)
        self.id = self.post("/auth/register", email=self.email, password=self.password)["id"]
        form = {"username": self.email, "password": self.password}
        token = self.client.post("/auth/jwt/login", data=form).json()["access_token"]
        self.client.headers["authorization"] = f"Bearer {token}"

    def post(self, path: str, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def page(self, browser: Browser, path: str) -> tuple[Page, CDPSession]:
        """A page in a separate browser context, slowed down."""
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        form = {"username": self.email, "password": self.password}
        context.request.post(f"{self.url}/auth/cookie/login", form=form, headers={"origin": self.url})
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto(f"{self.url}{path}")
        page.locator("[data-ready]").wait_for(timeout=60_000)
        return page, session


def table(url: str, side: int, tokens: int, **settings: Any) -> tuple[Person, Person, str, str, list[str]]:
    """A universe with a map: its game master, a player, the ids of the universe, the map and the tokens."""
    master, player = Person(url), Person(url)
    universe = master.post("/universes", name="Bench")["id"]
    code = master.post(f"/universes/{universe}/invitations", role="player")["code"]
    player.post(f"/invitations/{code}/accept")
    rows = ["".join(random.choices("..#~", (8, 6, 1, 1), k=side)) for _ in range(side)]
    legend = [{"symbol": "#", "blocks_movement": True, "blocks_sight": True}, {"symbol": "."}, {"symbol": "~"}]
    grid = {"width": side, "height": side, "legend": legend, "layers": [{"name": "ground", "rows": rows}]}
    one = master.post("/maps", universe_id=universe, name="Bench", grid_data=grid, visibility="members")["id"]
    free = [(x, y) for y in range(side) for x in range(side) if rows[y][x] != "#"]
    ids = [
        master.post(
            f"/maps/{one}/tokens",
            name=f"Token {number}",
            x=x,
            y=y,
            sight={"range": 12},
            grants={"members": ["act"]},
        )["id"]
        for number, (x, y) in enumerate(random.sample(free, tokens))
    ]
    if settings:
        master.client.patch(f"/maps/{one}", json=settings).raise_for_status()
    return master, player, universe, one, ids


_FIRST_MAP = """new Promise((done) => new PerformanceObserver((list) => {
    for (const { name, startTime } of list.getEntries()) if (name === 'first map') done(startTime);
}).observe({ type: 'mark', buffered: true }))"""


def first_map(browser: Browser, url: str) -> list[Line]:
    """The time from an empty cache to the first drawn map, and the transferred size of the scripts."""
    master, _, universe, _, _ = table(url, 64, 8)
    taken, scripts = [], 0
    for _ in range(5):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        form = {"username": master.email, "password": master.password}
        context.request.post(f"{url}/auth/cookie/login", form=form, headers={"origin": url})
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        bodies: list[bytes] = []
        page.on("response", lambda one, to=bodies: one.url.endswith(".js") and to.append(one.body()))
        page.goto(f"{url}/play/{universe}")
        # Not `page.wait_for_function`, whose own script would delay the page.
        first = session.send("Runtime.evaluate", {"expression": _FIRST_MAP, "awaitPromise": True})
        taken.append(first["result"]["value"])
        page.locator("[data-ready]").wait_for()
        scripts = sum(len(gzip.compress(body, 6)) for body in bodies)
        context.close()
    taken.sort()
    return [
        ("cold cache to the first drawn map, p50", f"{taken[len(taken) // 2] / 1000:.2f} s", "2.5 s"),
        ("script, compressed", f"{scripts / 1000:.0f} KB", "450 KB"),
    ]


def _timed(begin: str, draw: str) -> str:
    """A script that draws 300 frames and returns the milliseconds between them."""
    return f"""async () => {{
        {begin}
        const times = [];
        let last = 0;
        for (let frame = 0; frame < 300; frame++) {{
            const now = await new Promise(requestAnimationFrame);
            if (last) times.push(now - last);
            last = now;
            {draw}
        }}
        return times;
    }}"""


_PAN = _timed(
    "const { stage } = window.worldkeepTable; stage.fit();",
    """
            if (frame % 60 < 30) stage.view.zoom(frame % 120 < 60 ? 1.06 : 0.95);
            stage.view.pan(14 * Math.cos(frame / 20), 9 * Math.sin(frame / 20));
            stage.viewChanged();
    """,
)
_CLEAR = _timed(
    """
        document.body.innerHTML = '<canvas>';
        const canvas = document.querySelector('canvas');
        Object.assign(canvas, { width: innerWidth, height: innerHeight });
        const context = canvas.getContext('webgl2', { alpha: false, antialias: false });
    """,
    "context.clearColor(frame % 2, 0, 0, 1); context.clear(context.COLOR_BUFFER_BIT);",
)


def frames(browser: Browser, url: str) -> list[Line]:
    """Panning and zooming over a large map with fog; and as limits, without the map, and a window that is only
    cleared."""
    master, player, universe, one, _ = table(url, 512, 200, fog="explored")
    master.post(f"/maps/{one}/fog/reveal", x=0, y=0, width=300, height=300)
    page, _ = player.page(browser, f"/play/{universe}")
    page.wait_for_timeout(2000)
    taken = page.evaluate(_PAN)
    page.evaluate("window.worldkeepTable.stage.world.visible = false")
    empty = page.evaluate(_PAN)
    page.goto("about:blank")
    cleared = page.evaluate(_CLEAR)
    page.context.close()
    return [
        ("frames under 33 ms, of 300: 512 x 512, 200 tokens, fog", _frames(taken), "95 %"),
        ("the same page without anything on the map", _frames(empty), ""),
        ("a window that is only cleared", _frames(cleared), ""),
    ]


def _frames(taken: list[float]) -> str:
    good = sum(one < 33.4 for one in taken) / len(taken)
    return f"{good:.0%}, p50 {sorted(taken)[len(taken) // 2]:.0f} ms"


_SEEN = """async ([id, x, y]) => {
    const { store, stage } = window.worldkeepTable;
    while (true) {
        const token = store.tokens.value.get(id);
        if (token && token.x === x && token.y === y) break;
        await new Promise((done) => setTimeout(done, 1));
    }
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return Date.now();
}"""


def moves(browser: Browser, url: str) -> list[Line]:
    """The time from releasing a token to its picture in another browser, and the memory after an hour of moves."""
    master, player, universe, one, ids = table(url, 64, 4)
    page, session = player.page(browser, f"/play/{universe}")
    page.wait_for_timeout(1500)
    place = {token["id"]: token for token in master.client.get(f"/maps/{one}/tokens").json()["items"]}[ids[0]]
    x, y = place["x"], place["y"]
    taken = []
    for number in range(MOVES):
        to = x + (1 if number % 2 == 0 and x < 63 else -1 if number % 2 == 0 else 0), y
        handle = page.evaluate_handle(f"() => {{ window.seen = ({_SEEN})(['{ids[0]}', {to[0]}, {to[1]}]); }}")
        handle.dispose()
        begin = time.time() * 1000
        master.post(f"/tokens/{ids[0]}/move", x=to[0], y=to[1], force=True)
        taken.append(page.evaluate("() => window.seen") - begin)
    taken.sort()
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    session.send("HeapProfiler.collectGarbage")
    before = page.evaluate("performance.memory.usedJSHeapSize")
    for number in range(HOUR):
        master.post(f"/tokens/{ids[1 + number % 3]}/move", x=number % 2 + 10, y=number % 60, force=True)
    page.wait_for_timeout(3000)
    session.send("HeapProfiler.collectGarbage")
    grown = (page.evaluate("performance.memory.usedJSHeapSize") - before) / 1e6
    return [
        (
            "from a move's request to its picture elsewhere, p95",
            f"{taken[int(MOVES * 0.95)]:.0f} ms",
            "150 ms",
        ),
        (f"growth of the page's memory by {HOUR:,} moves", f"{grown:.1f} MB", "20 MB"),
    ]


def main() -> None:
    """Measure, print and write."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("The page is measured in Chromium, and none is installed.")
    busy = os.getloadavg()[0]
    lines: list[Line] = []
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        for part in (first_map, frames, moves):
            for line in part(browser, url):
                say(f"{line[0]}: {line[1]} (target: {line[2]})")
                lines.append(line)
        browser.close()
    text = [
        "# The players' page",
        "",
        f"`python -m bench.page`, {time.strftime('%Y-%m-%d')}, on {machine()}. Chromium draws by the",
        f"processor, which is slowed {SLOWER} times for the page; server, database and browser share the machine,",
        f"with other work at a load average of {busy:.1f}.",
        "",
        "| what | measured | target |",
        "|---|--:|--:|",
        *(f"| {what} | {value} | {goal} |" for what, value, goal in lines),
    ]
    (HERE / "PAGE.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
