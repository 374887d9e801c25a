"""The players' page, as a table plays at it: several browsers at one map."""

import io
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.driver import Player, Visit, upload
from tests.conftest import PASSWORD, Server, serving

ROOM = {
    "width": 12,
    "height": 7,
    "grid_type": "square",
    "legend": [
        {"symbol": "#", "name": "wall", "color": "#4a443c", "blocks_movement": True, "blocks_sight": True},
        {"symbol": ".", "name": "floor", "color": "#cfc6b0"},
    ],
    # Two rooms, and a door between them at (6, 3).
    "layers": [
        {
            "name": "ground",
            "rows": ["#" * 12, *["#....##....#"] * 2, "#..........#", *["#....##....#"] * 2, "#" * 12],
        }
    ],
    "doors": [{"id": "oak", "x1": 5, "y1": 3, "x2": 5, "y2": 4, "state": "closed"}],
}
SIGHT = {"range": 12, "darkvision": 0}

_AT = """([x, y]) => {
    const { stage } = window.worldkeepTable;
    const [sx, sy] = stage.view.toScreen(x + 0.5, y + 0.5);
    const box = stage.element.getBoundingClientRect();
    return [box.left + sx / stage.view.ratio, box.top + sy / stage.view.ratio];
}"""
_KEPT = """async () => {
    const [name] = await caches.keys();
    return (await (await caches.open(name)).keys()).map(({ url }) => url);
}"""
_IS_CENTRED = """(() => {
    const { store, stage } = window.worldkeepTable;
    const { left, right } = stage.covered();
    const [x] = store.mine.length ? stage.onPage(...stage.tokens.centre(store.mine[0])) : [0];
    return Math.abs(x - (left + stage.element.clientWidth - right) / 2) < 2;
})()"""
_IS_IN_VIEW = """() => {
    const { stage, store } = window.worldkeepTable;
    const [x] = stage.onPage(...stage.tokens.centre(store.selectedToken.value));
    const box = (name) => document.querySelector(name).getBoundingClientRect();
    return x > box('.pl-tools').right && x < box('.pl-side').left;
}"""
_BACKGROUND_AT = """([x, y]) => {
    const { tiles } = window.worldkeepTable.stage.cells.seenBackground;
    const tile = [...tiles.values()].findLast(({ seen }) => seen);
    if (!tile) return null;
    const at = [(x + 0.5) * tile.level, (y + 0.5) * tile.level];
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    context.drawImage(tile.sprite.texture.source.resource, -at[0], -at[1]);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""
# Each answer arrives up to 0.4 s late, so those that were asked for later may arrive earlier.
SLOW = """(() => {
    const fetched = window.fetch;
    window.fetch = async (...request) => {
        const response = await fetched(...request);
        await new Promise((done) => setTimeout(done, Math.random() * 400));
        return response;
    };
})()"""
_SWAY = """() => {
    const { stage } = window.worldkeepTable;
    let by = 1;
    const step = () => {
        stage.view.pan((by = -by), 0);
        stage.viewChanged();
        window.swaying = requestAnimationFrame(step);
    };
    stage.view.pan(-120, 60);
    step();
}"""
# The page sends nothing over its sockets until `window.release()`.
_HOLD_SOCKETS = """(() => {
    const { send } = WebSocket.prototype;
    window.held = [];
    WebSocket.prototype.send = function (text) {
        if (window.held) window.held.push(() => send.call(this, text));
        else send.call(this, text);
    };
    window.release = () => {
        const { held } = window;
        window.held = null;
        for (const sendNow of held) sendNow();
    };
})()"""
_DRAWN = """[...window.worldkeepTable.stage.tokens.pieces.values()].some(
    ({ token, state }) => token.name === '%s' && state.endsWith('true'))"""
_ANNOUNCED = """() => {
    window.announced = [];
    new MutationObserver((changes) => {
        for (const { addedNodes } of changes)
            for (const node of addedNodes) window.announced.push(node.querySelector('p')?.textContent);
    }).observe(document.querySelector('[role=log]'), { childList: true, subtree: true });
}"""
_TOKENS = """() => Object.fromEntries(
    [...window.worldkeepTable.store.tokens.value.values()].map(({ name, x, y }) => [name, [x, y]]))"""


class Seat:
    """The browser of a player at the table."""

    def __init__(self, visit: Visit, universe_id: str) -> None:
        self.visit = visit
        self.page: Page = visit.page(f"/play/{universe_id}")
        self.page.locator("[data-ready]").wait_for()
        self.until("store.connection.value === 'open'")

    def has_read_all(self) -> None:
        """Wait until the page has nothing left to read: it would be refused to those who lose access meanwhile."""
        self.page.wait_for_load_state("networkidle")

    def until(self, condition: str) -> None:
        """Wait until something holds of the `store`."""
        self.page.wait_for_function(f"() => {{ const {{ store }} = window.worldkeepTable; return {condition}; }}")

    def tokens(self) -> dict[str, list[float]]:
        """Where tokens are seen, by their names."""
        return dict(self.page.evaluate(_TOKENS))

    def sees(self, name: str, at: tuple[int, int] | None = None) -> None:
        """Wait until a token is seen; at a cell, where one is given."""
        place = f"[{at[0]}, {at[1]}]" if at else "[token.x, token.y]"
        self.until(
            "[...store.tokens.value.values()].some((token) => token.name === "
            f"'{name}' && String([token.x, token.y]) === String({place}))"
        )

    def sees_no(self, name: str) -> None:
        """Wait until a token is not seen."""
        self.until(f"[...store.tokens.value.values()].every((token) => token.name !== '{name}')")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a cell is on the page."""
        left, top = self.page.evaluate(_AT, [x, y])
        return left, top

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Drag from one cell to another."""
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=6)
        self.page.mouse.up()

    def color_at(self, x: float, y: float) -> tuple[int, ...]:
        """The colour in the middle of a cell."""
        left, top = self.at(x, y)
        pixel = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB").getpixel((round(left), round(top)))
        assert isinstance(pixel, tuple)
        return pixel

    def click_door(self) -> None:
        """Click the door of the room."""
        self.page.mouse.click(*self.at(4.5, 3))

    def panel(self, name: str) -> Any:
        """Open a panel; its locator."""
        tab = self.page.get_by_role("tab", name=re.compile(f"^{name}"))
        if tab.get_attribute("aria-selected") != "true":
            tab.click()
        return self.page.get_by_role("tabpanel")


@dataclass
class Table:
    """A universe with a map of two rooms, a game master and two players."""

    master: Player
    ashe: Player
    bram: Player
    universe_id: str
    map_id: str
    tokens: dict[str, str]

    def door(self, state: str) -> None:
        self.master.post(f"/maps/{self.map_id}/doors/oak", state=state)


def square(color: str) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(file, "PNG")
    return file.getvalue()


def sign_up(url: str, name: str) -> Player:
    """A new user."""
    email = f"{name.lower()}-{uuid4().hex}@example.com"
    httpx2.post(f"{url}/auth/register", json={"email": email, "password": PASSWORD}).raise_for_status()
    player = Player.log_in(url, email, PASSWORD)
    player.client.patch("/users/me", json={"display_name": name}).raise_for_status()
    return player


def new_table(url: str, **settings: Any) -> Table:
    """A new table."""
    master, ashe, bram = (sign_up(url, name) for name in ("Mira", "Ashe", "Bram"))
    universe_id = master.post("/universes", name="The Cellar")["id"]
    code = master.post(f"/universes/{universe_id}/invitations", role="player")["code"]
    for player in (ashe, bram):
        player.post(f"/invitations/{code}/accept")
    made = master.post("/maps", universe_id=universe_id, name="Two rooms", grid_data=ROOM, visibility="members")
    if settings:
        master.client.patch(f"/maps/{made['id']}", json=settings).raise_for_status()
    tokens = {}
    for name, x, y, player in [("Ashe", 4, 3, ashe), ("Bram", 1, 1, bram), ("Goblin", 9, 3, None)]:
        grants = {player.get("/users/me")["id"]: ["act"]} if player else {}
        token = master.post(f"/maps/{made['id']}/tokens", name=name, x=x, y=y, sight=SIGHT, grants=grants)
        tokens[name] = token["id"]
    return Table(master, ashe, bram, universe_id, made["id"], tokens)


Laying = Callable[..., Table]
Sitting = Callable[..., Seat]


@pytest.fixture
def lay(server: Server) -> Iterator[Laying]:
    """Lays tables."""
    tables = []

    def make(**settings: Any) -> Table:
        tables.append(new_table(server.url, **settings))
        return tables[-1]

    yield make
    for table in tables:
        for player in (table.master, table.ashe, table.bram):
            player.client.close()


@pytest.fixture
def sit(visit: Callable[..., Visit]) -> Iterator[Sitting]:
    """Seats people at a table."""
    seats = []

    def seat(player: Player, table: Table, **options: Any) -> Seat:
        seats.append(Seat(visit(player, **options), table.universe_id))
        return seats[-1]

    yield seat
    for one in seats:
        # On a busy machine the server gives up what a drag asks of it on the way; the page shows no way then.
        one.visit.faults = [fault for fault in one.visit.faults if not re.match(r"503 GET /maps/.*/path", fault)]


def test_a_door_opens_and_the_goblin_appears_to_the_player_in_line(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="explored", fog_sharing="each")
    master, ashe, bram = (sit(player, table) for player in (table.master, table.ashe, table.bram))
    master.sees("Goblin")
    ashe.sees_no("Goblin")
    ashe.click_door()
    ashe.sees("Goblin", (9, 3))
    assert "Goblin" not in bram.tokens()
    # They walk back, and it is gone; the room is still drawn.
    ashe.drag((4, 3), (2, 1))
    master.sees("Ashe", (2, 1))
    ashe.sees_no("Goblin")
    assert ashe.page.evaluate("window.worldkeepTable.store.fog.value[3][9]") == "1"
    table.door("closed")
    # What is built there now is not seen until they look again.
    table.master.post(
        f"/maps/{table.map_id}/edits",
        edits=[{"op": "set", "layer": "ground", "cells": [{"x": 9, "y": 3, "symbol": "#"}]}],
    )
    ashe.page.wait_for_timeout(500)
    cell = "String.fromCharCode(window.worldkeepTable.store.document.frame.layers[0].cells[3 * 12 + 9])"
    assert ashe.page.evaluate(cell) == "."


def test_a_move_that_is_blocked_is_taken_back_and_says_by_what(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    ashe.sees("Ashe", (4, 3))
    ashe.drag((4, 3), (5, 1))
    expect(ashe.page.get_by_role("alert")).to_be_visible()
    ashe.sees("Ashe", (4, 3))
    # By keys.
    ashe.page.locator("[data-map]").focus()
    ashe.page.keyboard.press("ArrowLeft")
    ashe.sees("Ashe", (3, 3))
    ashe.page.keyboard.press("Escape")
    # Somebody else's token does not move.
    ashe.drag((1, 1), (2, 2))
    ashe.page.wait_for_timeout(300)
    assert ashe.tokens()["Bram"] == [1, 1]


def test_a_token_stays_where_the_server_says_when_several_moves_are_refused(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    ashe.sees("Ashe", (4, 3))
    ashe.page.mouse.click(*ashe.at(4, 3))
    # Into the wall, and towards the edge of the map behind it.
    for _ in range(7):
        ashe.page.keyboard.press("ArrowLeft")
    expect(ashe.page.get_by_role("alert").first).to_contain_text("stopped by a blocked cell")
    master.sees("Ashe", (1, 3))
    ashe.until("!window.worldkeepTable.table.live.waiting.size")
    ashe.sees("Ashe", (1, 3))


def test_a_step_by_keys_does_not_walk_around_a_wall(lay: Laying, sit: Sitting) -> None:
    table = lay()
    wall = {"id": "screen", "x1": 4, "y1": 3, "x2": 4, "y2": 4}
    edits = [{"op": "put_wall", "wall": wall}]
    table.master.post(f"/maps/{table.map_id}/edits", edits=edits)
    ashe = sit(table.ashe, table)
    ashe.sees("Ashe", (4, 3))
    ashe.page.mouse.click(*ashe.at(4, 3))
    ashe.page.keyboard.press("ArrowLeft")
    expect(ashe.page.get_by_role("alert")).to_contain_text("stopped by a wall")
    ashe.sees("Ashe", (4, 3))
    assert table.master.get(f"/tokens/{table.tokens['Ashe']}")["x"] == 4


def test_a_token_that_walks_by_keys_stays_in_view(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table, viewport={"width": 1000, "height": 700})
    ashe.sees("Ashe", (4, 3))
    ashe.page.mouse.click(*ashe.at(4, 3))
    for key in ("+",) * 10 + ("ArrowLeft",) * 2:
        ashe.page.keyboard.press(key)
    ashe.sees("Ashe", (2, 3))
    ashe.page.wait_for_function(_IS_IN_VIEW)


def test_a_dragged_token_follows_the_pointer_by_the_cell_it_is_held_at(lay: Laying, sit: Sitting) -> None:
    table = lay()
    table.master.client.patch(f"/tokens/{table.tokens['Goblin']}", json={"size": 2}).raise_for_status()
    master = sit(table.master, table)
    master.sees("Goblin", (9, 3))
    centre = "stage.tokens.pieces.get('{}').container.position".format(table.tokens["Goblin"])
    master.page.mouse.move(*master.at(10, 4))
    master.page.mouse.down()
    master.page.mouse.move(*master.at(9, 4), steps=4)
    stage = "const { stage } = window.worldkeepTable"
    master.page.wait_for_function(f"() => {{ {stage}; return Math.abs({centre}.x - 9) < 0.01; }}")
    master.page.mouse.up()
    master.sees("Goblin", (8, 3))
    master.until("!window.worldkeepTable.table.live.waiting.size")
    assert table.master.get(f"/tokens/{table.tokens['Goblin']}")["x"] == 8


def test_talk_whispers_rolls_and_handouts(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master, ashe, bram = (sit(player, table) for player in (table.master, table.ashe, table.bram))
    logs = [seat.page.get_by_role("log") for seat in (master, ashe, bram)]
    ashe.page.get_by_label("Message, or /roll and dice").fill("Do you hear that?")
    ashe.page.keyboard.press("Enter")
    for log in logs:
        expect(log).to_contain_text("Do you hear that?")
    ashe.page.get_by_label("To", exact=True).select_option(label="Mira")
    ashe.page.get_by_label("Message, or /roll and dice").fill("<b>I do not trust Bram</b>")
    ashe.page.keyboard.press("Enter")
    expect(logs[0]).to_contain_text("<b>I do not trust Bram</b>")
    expect(logs[0]).to_contain_text("Whisper to Mira")
    ashe.page.get_by_label("Message, or /roll and dice").fill("/roll 2d6+3 # Javelin")
    ashe.page.keyboard.press("Enter")
    for log in logs:
        expect(log).to_contain_text("Javelin")
    bram.page.get_by_label("Rolls", exact=True).select_option(label="blind")
    bram.page.get_by_role("button", name="d20").click()
    expect(logs[2]).to_contain_text("The game master sees the result.")
    expect(logs[0]).to_contain_text("Blind")
    expect(logs[2]).not_to_contain_text("I do not trust Bram")
    note = table.master.post(f"/universes/{table.universe_id}/notes", title="A torn letter", body="*Burn this.*")
    notes = ashe.panel("Notes")
    expect(notes).not_to_contain_text("A torn letter")
    panel = master.panel("Notes")
    panel.get_by_role("button", name="A torn letter").click()
    panel.get_by_role("button", name="Show to everyone").click()
    notes.get_by_role("button", name="A torn letter").click()
    expect(notes.locator("em")).to_have_text("Burn this.")
    assert note["title"] == "A torn letter"


def test_a_command_that_there_is_not_is_read_by_nobody(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    message = ashe.page.get_by_label("Message, or /roll and dice")
    message.fill("/w Mira I do not trust Bram")
    message.press("Enter")
    expect(ashe.page.get_by_role("alert")).to_contain_text("The only command is /roll")
    expect(message).to_have_value("/w Mira I do not trust Bram")
    assert table.ashe.get(f"/universes/{table.universe_id}/messages")["items"] == []


def test_the_log_opens_at_its_end_and_stays_where_one_reads(lay: Laying, sit: Sitting) -> None:
    table = lay()
    messages = f"/universes/{table.universe_id}/messages"
    for number in range(20):
        table.master.post(messages, text=f"Message {number}")
    phone = sit(table.ashe, table, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    log = phone.page.get_by_role("log")
    # What was written before is not new.
    expect(phone.page.get_by_role("tab", name="Log")).to_have_text("Log")
    phone.panel("Log")
    expect(log.get_by_text("Message 19", exact=True)).to_be_in_viewport()
    log.get_by_text("Message 0", exact=True).scroll_into_view_if_needed()
    table.master.post(messages, text="Something new")
    expect(log.get_by_text("Something new")).to_be_attached()
    expect(log.get_by_text("Message 0", exact=True)).to_be_in_viewport()
    phone.panel("Party")
    table.master.post(messages, text="Something newer")
    expect(phone.page.get_by_role("tab", name="Log")).to_have_text("Log1")


def test_what_was_typed_remains_while_another_panel_is_shown(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    message = ashe.page.get_by_label("Message, or /roll and dice")
    message.fill("I listen at the")
    notes = ashe.panel("Notes")
    notes.get_by_role("button", name="New note").click()
    notes.get_by_label("Text (Markdown)").fill("Day one.")
    ashe.panel("Log")
    expect(message).to_have_value("I listen at the")
    ashe.panel("Notes")
    expect(notes.get_by_label("Text (Markdown)")).to_have_value("Day one.")


def test_a_roll_from_the_sheet_shows_its_result(lay: Laying, sit: Sitting) -> None:
    table = lay()
    character = table.ashe.post(
        f"/universes/{table.universe_id}/characters", name="Ashe", sheet={"abilities": {"wisdom": 15}}
    )
    ashe = sit(table.ashe, table)
    ashe.panel("Sheet").get_by_role("button", name=re.compile("^wisdom")).click()
    expect(ashe.page.get_by_text(re.compile("^Wisdom check: [0-9]+$"))).to_be_visible()
    assert character["name"] == "Ashe"


@pytest.mark.parametrize("size", [{"width": 640, "height": 400}, {"width": 844, "height": 390}])
def test_all_tools_can_be_reached_in_a_low_window(lay: Laying, sit: Sitting, size: dict[str, int]) -> None:
    table = lay(fog="explored")
    master = sit(table.master, table, viewport=size)
    for tool in master.page.get_by_role("navigation", name="Tools").get_by_role("button").all():
        tool.click(trial=True)


def test_a_fight_of_two_rounds(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    panel, seen = master.panel("Initiative"), ashe.panel("Initiative")
    panel.get_by_label("Name").fill("Ambush")
    panel.get_by_role("button", name="Prepare").click()
    expect(panel).to_contain_text("Prepared")
    expect(seen).not_to_contain_text("Ambush")
    panel.get_by_role("button", name="Roll initiative").click()
    panel.get_by_role("button", name="Start").click()
    expect(seen).to_contain_text("Ambush")
    expect(seen).to_contain_text("Round 1")
    for _ in range(3):
        before = panel.locator("[aria-current=true]").inner_text()
        panel.get_by_role("button", name="Next turn").click()
        expect(panel.locator("[aria-current=true]")).not_to_have_text(before)
    expect(seen).to_contain_text("Round 2")
    panel.get_by_role("button", name="End").click()
    expect(seen).not_to_contain_text("Round 2")


def test_an_attack_and_damage_until_a_monster_falls(lay: Laying, sit: Sitting) -> None:
    table = lay()
    table.master.client.patch(
        f"/tokens/{table.tokens['Goblin']}",
        json={"disposition": "hostile", "bars": [{"name": "hit points", "value": 7, "max": 7, "public": False}]},
    ).raise_for_status()
    table.ashe.post(
        f"/universes/{table.universe_id}/characters",
        name="Ashe",
        kind="player",
        sheet={
            "attacks": [{"name": "longbow", "expression": "1d20+5", "damage": "1d8+3"}],
            "equipment": ["rope", "torch"],
        },
    )
    combatants = [{"token_id": token} for token in table.tokens.values()]
    made = table.master.post(f"/universes/{table.universe_id}/encounters", name="Ambush", combatants=combatants)
    table.master.post(f"/encounters/{made['id']}/start")
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    sheet = ashe.panel("Sheet")
    expect(sheet.get_by_label("equipment", exact=True)).to_have_value("rope\ntorch")
    sheet.get_by_role("button", name="Attack: longbow").click()
    sheet.get_by_role("button", name="Damage: longbow").click()
    log = master.page.get_by_role("log")
    expect(log).to_contain_text("Attack: longbow")
    expect(log).to_contain_text("Damage: longbow")
    panel, seen = master.panel("Initiative"), ashe.panel("Initiative")
    goblin = panel.get_by_role("listitem").filter(has_text="Goblin")
    goblin.get_by_role("button").first.click()
    card = master.page.get_by_label("Selected: Goblin")
    card.get_by_label("Amount").fill("4")
    card.get_by_label("Amount").press("Enter")
    expect(card).to_contain_text("3 / 7")
    expect(goblin).not_to_contain_text("defeated")
    card.get_by_label("Amount").fill("4")
    card.get_by_role("button", name="Damage").click()
    expect(card).to_contain_text("0 / 7")
    expect(goblin).to_contain_text("defeated")
    expect(seen.get_by_role("listitem").filter(has_text="Goblin")).to_contain_text("defeated")
    ashe.until(f"window.worldkeepTable.stage.tokens.defeated.has('{table.tokens['Goblin']}')")
    goblin.get_by_role("button", name="Goblin is defeated").click()
    expect(seen).not_to_contain_text("defeated")


def test_the_card_of_a_token_does_not_cover_it(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    ashe.sees("Ashe", (4, 3))
    card = ashe.page.get_by_label("Selected: Ashe")
    ashe.page.mouse.click(*ashe.at(4, 3))
    box = card.bounding_box()
    assert box is not None
    ashe.page.keyboard.press("Escape")
    expect(card).not_to_be_visible()
    # To where the card was.
    to, place = (box["x"] + 150, box["y"] + 60), ashe.at(4, 3)
    ashe.page.evaluate(
        "([dx, dy]) => { const { stage } = window.worldkeepTable; stage.view.pan(dx, dy); stage.request(); }",
        [to[0] - place[0], to[1] - place[1]],
    )
    ashe.page.mouse.click(*to)
    expect(card).to_have_class(re.compile("is-aside"))
    beside = card.bounding_box()
    assert beside is not None
    assert beside["x"] > to[0]


def test_game_masters_lock_doors(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master = sit(table.master, table)
    state = "store.document.frame.doors[0].state"
    master.page.keyboard.down("Shift")
    master.click_door()
    master.page.keyboard.up("Shift")
    master.until(f"{state} === 'locked'")
    master.click_door()
    master.until(f"{state} === 'open'")
    expect(master.page.get_by_text("The door was locked.")).to_be_visible()
    # By a long press, as on touch screens; it is not a click, too.
    master.page.mouse.move(*master.at(4.5, 3))
    master.page.mouse.down()
    master.until(f"{state} === 'locked'")
    master.page.mouse.up()
    master.until("!window.worldkeepTable.table.live.waiting.size")
    assert master.page.evaluate(f"window.worldkeepTable.{state}") == "locked"


def test_a_long_press_is_a_ping_unless_the_map_is_dragged(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    marks = "window.worldkeepTable.stage.marks.sent.size"
    ashe.page.mouse.move(*ashe.at(2, 4))
    ashe.page.mouse.down()
    ashe.page.mouse.move(*ashe.at(3, 4), steps=3)
    ashe.page.wait_for_timeout(800)
    assert ashe.page.evaluate(marks) == 0
    ashe.page.mouse.up()
    ashe.page.mouse.down()
    ashe.until(f"{marks} === 1")
    ashe.page.mouse.up()


def test_a_map_opens_again_at_ones_own_token(lay: Laying, sit: Sitting) -> None:
    table = lay()
    other = table.master.post(
        "/maps", universe_id=table.universe_id, name="Elsewhere", grid_data=ROOM, visibility="members"
    )
    ashe = sit(table.ashe, table)
    ashe.until(_IS_CENTRED)
    for map_id, condition in ((other["id"], "store.tokens.value.size === 0"), (table.map_id, _IS_CENTRED)):
        table.master.client.patch(
            f"/universes/{table.universe_id}", json={"active_map_id": map_id}
        ).raise_for_status()
        ashe.until(f"store.mapId.value === '{map_id}' && {condition}")


def test_others_see_where_one_points_and_what_one_measures(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    marks = "window.worldkeepTable.stage.marks"
    sent = f"[...{marks}.sent.values()].map(({{ kind, label }}) => `${{kind}} ${{label?.text}}`)"
    master.page.get_by_role("button", name="Point and ping").click()
    master.page.mouse.move(*master.at(3, 3))
    master.page.mouse.move(*master.at(4, 4), steps=4)
    ashe.until(f"{sent}.includes('pointer Mira')")
    master.page.get_by_role("button", name="Measure").click()
    master.drag((1, 3), (4, 3))
    ashe.until(f"{sent}.includes('ruler Mira · 15 ft')")
    master.page.get_by_role("button", name="Area of effect").click()
    master.page.mouse.move(*master.at(3, 3))
    master.page.mouse.down()
    master.page.mouse.move(*master.at(4, 3), steps=4)
    ashe.until(f"{sent}.includes('area Mira · 20 ft sphere')")
    master.page.mouse.up()
    # They fade.
    ashe.until(f"{sent}.length === 0")


def test_tools_without_a_pointer(lay: Laying, sit: Sitting) -> None:
    """The arrow keys move a cell cursor; Enter begins and ends a ruler, a rectangle or a polygon of fog."""
    table = lay()
    table.master.client.patch(f"/maps/{table.map_id}", json={"fog": "explored"}).raise_for_status()
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    marks = "window.worldkeepTable.stage.marks"
    sent = f"[...{marks}.sent.values()].map(({{ kind, label }}) => `${{kind}} ${{label?.text}}`)"

    def press(tool: str, *keys: str) -> None:
        master.page.get_by_role("button", name=tool).press("Enter")
        master.page.locator("[data-map]").focus()
        for key in keys:
            master.page.keyboard.press(key)

    # The first cell of the map, and from there on.
    press("Measure", *["Shift+ArrowUp"] * 4, *["Shift+ArrowLeft"] * 4)
    assert master.page.evaluate(f"{marks}.shown[0].cells[0]") == [0, 0]
    press("Measure", "ArrowDown", "Enter", "ArrowRight", "ArrowRight", "ArrowRight")
    ashe.until(f"{sent}.includes('ruler Mira · 15 ft')")
    master.page.keyboard.press("Space")
    posted: list[Any] = []
    master.page.on("request", lambda one: one.method == "POST" and posted.append((one.url, one.post_data_json)))
    master.page.get_by_role("button", name="Reveal", exact=False).first.press("Enter")
    master.page.locator("[data-map]").focus()
    for key in ("Enter", "ArrowRight", "ArrowDown", "Enter"):
        master.page.keyboard.press(key)
    master.page.get_by_text("Revealed to the players.").wait_for()
    [(url, body)] = [one for one in posted if "/fog/" in one[0]]
    assert url.endswith("/fog/reveal")
    assert body == {"x": 3, "y": 1, "width": 2, "height": 2}


def test_the_first_reads_begin_before_the_scripts_and_are_made_once(
    lay: Laying, visit: Callable[..., Visit]
) -> None:
    table = lay()
    ashe = visit(table.ashe)
    # The page reads again what may have changed until the live feed began.
    ashe.context.add_init_script(_HOLD_SOCKETS)
    requested: list[str] = []
    ashe.context.on("request", lambda request: requested.append(request.url))
    page = ashe.page(f"/play/{table.universe_id}")
    page.wait_for_function("() => window.held.length")
    reads = page.locator("link[as=fetch]").evaluate_all("(links) => links.map(({ href }) => href)")
    assert len(reads) == 4
    assert [requested.count(url) for url in reads] == [1] * 4
    assert max(map(requested.index, reads)) < min(i for i, url in enumerate(requested) if url.endswith(".js"))


def test_the_service_worker_keeps_only_what_never_changes(lay: Laying, sit: Sitting) -> None:
    page = sit((table := lay()).ashe, table).page
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    page.reload()
    page.locator("[data-ready]").wait_for()
    assert page.evaluate("navigator.serviceWorker.controller !== null")
    # Here files may change, so they are requested each time.
    assert page.evaluate(_KEPT) == []
    served = """async () => {
        const { href } = document.querySelector('link[rel=modulepreload]');
        await (await caches.open((await caches.keys())[0])).put(href, new Response('kept'));
        return (await fetch(href)).text();
    }"""
    assert page.evaluate(served) == "kept"


def test_a_polygon_reveals_and_hides(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="explored")
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    for button, state in (("Reveal", "1"), ("Hide", "0")):
        master.page.get_by_role("button", name="Reveal or hide a polygon").click()
        for corner in ((8, 1), (10, 1), (10, 5), (8, 5)):
            master.page.mouse.click(*master.at(*corner))
        master.page.get_by_role("button", name=button, exact=True).click()
        ashe.until(f"store.fog.value[3][9] === '{state}'")


def test_game_masters_see_the_fog_that_they_change(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="explored")
    master = sit(table.master, table)
    rows = "window.worldkeepTable.stage.fog.rows"
    assert master.page.evaluate(rows) is None
    master.page.get_by_role("button", name="Reveal a rectangle").click()
    master.until(f"{rows}?.[3][9] === '0' && {rows}[3][3] === '2'")
    master.drag((8, 2), (10, 4))
    master.until(f"{rows}?.[3][9] === '1'")
    master.page.keyboard.press("Escape")
    master.until(f"{rows} === null")


def test_players_see_of_a_background_what_they_have_seen_of_the_map(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="explored")
    asset_id = upload(table.master, table.universe_id)
    background = {"asset_id": asset_id, "x": 0, "y": 0, "width": 12, "height": 7}
    grid = table.master.get(f"/maps/{table.map_id}")["grid_data"]
    for layer in grid["layers"]:
        layer["rows"] = [" " * 12] * 7
    grid["walls"] = [{"x1": 6, "y1": 0, "x2": 6, "y2": 7}]
    table.master.client.patch(
        f"/maps/{table.map_id}", json={"grid_data": {**grid, "background": background, "doors": []}}
    ).raise_for_status()
    ashe = sit(table.ashe, table)
    ashe.page.wait_for_function(f"() => ({_BACKGROUND_AT})([2, 2])")
    seen, unseen = (ashe.page.evaluate(_BACKGROUND_AT, cell) for cell in ([2, 2], [9, 2]))
    assert max(unseen) < 40 < max(seen)
    table.master.post(f"/maps/{table.map_id}/fog/reveal", x=9, y=2, width=1, height=1)
    ashe.page.wait_for_function(f"() => Math.max(...({_BACKGROUND_AT})([9, 2])) > 40")
    # The game master views it as they do.
    master = sit(table.master, table)
    master.panel("Master").get_by_label("See as").select_option(label="Ashe")
    master.page.wait_for_function(f"() => ({_BACKGROUND_AT})([2, 2])")
    assert max(master.page.evaluate(_BACKGROUND_AT, [8, 2])) < 40


def test_a_background_that_another_map_has_under_fog(lay: Laying, sit: Sitting) -> None:
    """Players do not get the picture, but this map has no fog: they see it all, from the server's drawing."""
    table = lay()
    asset_id = upload(table.master, table.universe_id)
    background = {"asset_id": asset_id, "x": 0, "y": 0, "width": 12, "height": 7}
    grid = table.master.get(f"/maps/{table.map_id}")["grid_data"]
    for layer in grid["layers"]:
        layer["rows"] = [" " * 12] * 7
    grid["background"] = background
    table.master.client.patch(f"/maps/{table.map_id}", json={"grid_data": grid}).raise_for_status()
    table.master.post("/maps", universe_id=table.universe_id, name="Lair", grid_data=grid, fog="explored")
    ashe = sit(table.ashe, table)
    ashe.page.wait_for_function(f"() => ({_BACKGROUND_AT})([9, 2])")
    assert max(ashe.page.evaluate(_BACKGROUND_AT, [9, 2])) > 40
    assert ashe.visit.faults == [f"404 GET /assets/{asset_id}"]
    ashe.visit.faults.clear()


def test_the_name_of_an_entity_leaves_space_for_a_token(lay: Laying, sit: Sitting) -> None:
    table = lay()
    entity = {"id": "chest", "kind": "chest", "name": "Chest", "x": 4, "y": 3}
    table.master.post(f"/maps/{table.map_id}/edits", edits=[{"op": "put_entity", "entity": entity}])
    ashe = sit(table.ashe, table)
    name = "[...window.worldkeepTable.stage.tokens.entityNames.names.values()][0]?.text.visible"
    ashe.until(f"{name} === false")
    ashe.drag((4, 3), (2, 3))
    ashe.until(f"{name} === true")


def test_the_names_of_neighbours_do_not_overlap(lay: Laying, sit: Sitting) -> None:
    table = lay()
    table.master.client.patch(f"/tokens/{table.tokens['Ashe']}", json={"name": "Ashe of the Reeds"})
    table.master.client.patch(f"/tokens/{table.tokens['Bram']}", json={"name": "Bram of the Hills"})
    master = sit(table.master, table)
    name = f"window.worldkeepTable.stage.tokens.pieces.get('{table.tokens['Bram']}').name"
    master.until(f"{name} !== null")
    alone = master.page.evaluate(f"{name}.y")
    for token, x in (("Ashe", 4), ("Bram", 3)):
        table.master.post(f"/tokens/{table.tokens[token]}/move", x=x, y=3)
    both = f"{name}.y, window.worldkeepTable.stage.tokens.pieces.get('{table.tokens['Ashe']}').name.y"
    master.until(f"String([{both}].map((y) => y > {alone}).sort()) === 'false,true'")


def test_a_member_who_takes_another_name(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    panel = master.panel("Party")
    expect(panel).to_contain_text("Bram")
    ashe.until("store.online.value.size === 2")
    table.ashe.client.patch("/users/me", json={"display_name": "Ashe of the Marsh"}).raise_for_status()
    expect(panel).to_contain_text("Ashe of the Marsh")


def test_a_sheet_is_filled_in(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    sheet = ashe.panel("Sheet")
    sheet.get_by_label("Name", exact=True).fill("Ashe")
    sheet.get_by_role("button", name="Create").click()
    sheet.get_by_text("Change abilities, hit points and senses").click()
    for label, value in (("Dexterity", "17"), ("Maximum hit points", "12"), ("Darkvision", "60")):
        sheet.get_by_label(label, exact=True).fill(value)
        sheet.get_by_label(label, exact=True).press("Enter")
    sheet.get_by_label("Add a condition").select_option("prone")
    sheet.get_by_text("Add an attack").click()
    sheet.get_by_label("Attack", exact=True).fill("longbow")
    sheet.get_by_label("Roll", exact=True).fill("1d20+5")
    sheet.get_by_label("Damage", exact=True).fill("1d8+3")
    sheet.get_by_role("button", name="Add", exact=True).first.click()
    expect(sheet.get_by_role("button", name="Attack: longbow")).to_be_visible()
    sheet.get_by_label("Name of a new field").fill("Hit dice")
    sheet.get_by_label("Value of the new field").fill("1d10")
    sheet.get_by_label("Value of the new field").press("Enter")
    expect(sheet.get_by_label("hit_dice", exact=True)).to_have_value("1d10")
    sheet.get_by_label("damage", exact=True).fill("1d8+4")
    sheet.get_by_label("damage", exact=True).press("Enter")
    expect(sheet.get_by_label("dexterity 17, roll a check with +3")).to_be_visible()
    # 8 of 8 hit points, of which a higher maximum heals none.
    sheet.get_by_label("Amount").fill("8")
    sheet.get_by_role("button", name="Damage", exact=True).click()
    sheet.get_by_label("Death saves, failures").fill("1")
    sheet.get_by_label("Death saves, failures").press("Enter")
    ashe.until("[...store.characters.value.values()][0].sheet.death_saves?.failures === 1")
    (character,) = table.ashe.get(f"/universes/{table.universe_id}/characters")["items"]
    stored = character["sheet"]
    assert stored["abilities"]["dexterity"] == 17
    assert stored["hit_points"] == {"current": 0, "maximum": 12, "temporary": 0}
    assert (stored["conditions"], stored["senses"], stored["hit_dice"]) == (["prone"], {"darkvision": 60}, "1d10")
    assert stored["attacks"] == [{"name": "longbow", "expression": "1d20+5", "damage": "1d8+4"}]


def test_what_is_being_typed_is_kept_while_others_change_the_sheet(lay: Laying, sit: Sitting) -> None:
    table = lay()
    sheet = {"level": 1, "class": "ranger", "hit_points": {"current": 8, "maximum": 8}}
    made = table.ashe.post(f"/universes/{table.universe_id}/characters", name="Ashe", sheet=sheet)
    ashe = sit(table.ashe, table)
    panel = ashe.panel("Sheet")
    panel.get_by_label("class", exact=True).press("End")
    panel.get_by_label("class", exact=True).press_sequentially(" of the marsh")
    table.master.post(f"/characters/{made['id']}/damage", amount=3)
    expect(panel.get_by_label("Hit points", exact=True)).to_contain_text("5 of 8")
    expect(panel.get_by_label("class", exact=True)).to_have_value("ranger of the marsh")
    panel.get_by_label("Level").fill("2")
    panel.get_by_label("Level").press("Enter")
    ashe.until("[...store.characters.value.values()][0].sheet.level === 2")
    stored = table.ashe.get(f"/characters/{made['id']}")["sheet"]
    assert (stored["class"], stored["level"]) == ("ranger of the marsh", 2)


def test_game_masters_place_a_token_and_give_it_to_a_player(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master, bram = sit(table.master, table), sit(table.bram, table)
    panel = master.panel("Master")
    panel.get_by_label("Name").fill("Wolf")
    panel.get_by_role("button", name="Place", exact=True).click()
    card = master.page.get_by_label("Selected: Wolf")
    card.get_by_text("More").click()
    card.get_by_label("Maximum hit points").fill("11")
    card.get_by_label("Maximum hit points").press("Enter")
    expect(card).to_contain_text("11 / 11")
    bram.sees_no("Wolf")
    card.get_by_label("Played by").select_option(label="Bram")
    bram.sees("Wolf")
    bram.until("store.mine.length === 2")
    # Through the wall.
    card.get_by_label("Move through everything, as with Shift").check()
    x, y = master.tokens()["Wolf"]
    master.drag((int(x), int(y)), (10, 1))
    bram.sees("Wolf", (10, 1))


def test_game_masters_choose_and_upload_pictures_of_tokens(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="explored", fog_sharing="each")
    priory = upload(table.master, table.universe_id)
    goblin = table.tokens["Goblin"]
    master, ashe, bram = (sit(player, table) for player in (table.master, table.ashe, table.bram))
    ashe.click_door()
    ashe.sees("Goblin")
    # One is chosen for a token as it is placed.
    panel = master.panel("Master")
    panel.get_by_label("Name").fill("Wolf")
    panel.get_by_label("Hidden from players").uncheck()
    panel.get_by_role("button", name="Choose a picture").click()
    pictures = master.page.get_by_role("dialog", name="Pictures")
    pictures.get_by_role("button", name="priory.png").click()
    expect(pictures).not_to_be_visible()
    panel.get_by_role("button", name="Place", exact=True).click()
    for seat in (master, ashe):
        seat.until(_DRAWN % "Wolf")
    # The form is ready for the next token.
    expect(panel.get_by_role("button", name="Choose a picture").get_by_role("img")).to_have_count(0)
    # One is uploaded for a token that is there; what is not a picture is refused.
    master.page.mouse.click(*master.at(9, 3))
    card = master.page.get_by_label("Selected: Goblin")
    card.get_by_text("More").click()
    card.get_by_role("button", name="Choose a picture").press("Enter")
    chooser = pictures.get_by_label("Upload a picture")
    chooser.set_input_files({"name": "goblin.png", "mimeType": "image/png", "buffer": b"not a picture"})
    expect(pictures.get_by_role("alert")).to_contain_text("file: ")
    master.visit.expect(f"422 POST /universes/{table.universe_id}/assets")
    chooser.set_input_files({"name": "goblin.png", "mimeType": "image/png", "buffer": square("#00ff00")})
    expect(pictures).not_to_be_visible()
    for seat in (master, ashe):
        seat.until(_DRAWN % "Goblin")
    assert ashe.color_at(9, 3) == (0, 255, 0)
    assert "Goblin" not in bram.tokens()
    # The game master views the map as others see it, with the pictures, and as they see it.
    panel.get_by_label("See as").select_option(label="Ashe")
    master.until(f"store.seeAs.value && {_DRAWN % 'Goblin'}")
    panel.get_by_label("See as").select_option(label="myself")
    master.until(f"!store.seeAs.value && {_DRAWN % 'Goblin'}")
    # A search finds them by name. Escape empties it, and then closes the pictures and nothing else.
    card.get_by_role("button", name="Choose a picture").press("Enter")
    find = pictures.get_by_label("Find a picture")
    find.press_sequentially("prio ")
    expect(pictures.get_by_role("listitem")).to_have_count(1)
    expect(find).to_have_value("prio ")
    master.page.keyboard.press("Escape")
    expect(pictures.get_by_role("listitem")).to_have_count(2)
    master.page.keyboard.press("Escape")
    expect(pictures).not_to_be_visible()
    expect(card.get_by_role("button", name="Choose a picture")).to_be_focused()
    card.get_by_role("button", name="Choose a picture").press("Enter")
    pictures.get_by_role("button", name="No picture").click()
    ashe.until(f"!({_DRAWN % 'Goblin'})")
    assert table.master.get(f"/tokens/{goblin}")["asset_id"] is None
    assert priory in [one["id"] for one in table.master.get(f"/universes/{table.universe_id}/assets")["items"]]


def test_tokens_are_placed_where_they_can_stand(lay: Laying, sit: Sitting) -> None:
    table = lay()
    # Between the rooms, in a wall.
    cells = [{"x": x, "y": y, "symbol": "#"} for x in (4, 5, 6, 7) for y in (2, 3, 4)]
    table.master.post(f"/maps/{table.map_id}/edits", edits=[{"op": "set", "layer": "ground", "cells": cells}])
    master = sit(table.master, table)
    panel = master.panel("Master")
    for name in ("Wolf", "Bear", "Crow"):
        panel.get_by_label("Name").fill(name)
        panel.get_by_role("button", name="Place", exact=True).click()
        master.sees(name)
    rows = table.master.get(f"/maps/{table.map_id}")["grid_data"]["layers"][0]["rows"]
    places = [(int(x), int(y)) for name, (x, y) in master.tokens().items() if name in ("Wolf", "Bear", "Crow")]
    assert [rows[y][x] for x, y in places] == ["."] * 3
    assert len(set(places)) == 3


def test_the_whole_fog_changes_with_a_second_click(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="explored")
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    panel = master.panel("Master")
    panel.get_by_role("button", name="Reveal all").click()
    expect(panel.get_by_role("button", name="Reveal all for good")).to_be_visible()
    assert "0" in "".join(table.ashe.get(f"/maps/{table.map_id}/fog")["rows"])
    panel.get_by_role("button", name="Reveal all for good").click()
    ashe.until("!store.fog.value.join('').includes('0')")
    expect(panel.get_by_role("button", name="Reveal all", exact=True)).to_be_visible()


def test_game_masters_go_from_the_table_to_a_new_map_and_back(lay: Laying, sit: Sitting) -> None:
    table = lay()
    table.master.post("/universes", name="Another")
    master = sit(table.master, table)
    master.panel("Master").get_by_role("link", name="New map").click()
    expect(master.page.locator("select[name=universe_id] option:checked")).to_have_text("The Cellar")
    master.page.get_by_role("link", name="Play").click()
    expect(master.page.get_by_role("link", name="The Cellar")).to_be_visible()


def test_a_token_shows_the_picture_of_its_character(lay: Laying, sit: Sitting) -> None:
    table = lay()
    asset_id = upload(table.master, table.universe_id)
    table.master.post(f"/universes/{table.universe_id}/characters", name="Mordecai", asset_id=asset_id)
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    master.panel("Master").get_by_role("button", name="Mordecai").click()
    for seat in (master, ashe):
        seat.until(_DRAWN % "Mordecai")
    card = master.page.get_by_label("Selected: Mordecai")
    card.get_by_text("More").click()
    card.get_by_role("button", name="Choose a picture").click()
    pictures = master.page.get_by_role("dialog", name="Pictures")
    pictures.get_by_label("Upload a picture").set_input_files(
        {"name": "mask.png", "mimeType": "image/png", "buffer": square("#00ff00")}
    )
    tokens = "[...store.tokens.value.values()].find((token) => token.name === 'Mordecai').asset_id"
    ashe.until(f"{tokens} !== '{asset_id}'")
    card.get_by_role("button", name="Choose a picture").click()
    pictures.get_by_role("button", name="Picture of the character").click()
    ashe.until(f"{tokens} === '{asset_id}'")


def test_an_encounter_is_changed(lay: Laying, sit: Sitting) -> None:
    table = lay()
    combatants = [{"token_id": table.tokens[name], "initiative": 5, "name": name} for name in ("Ashe", "Bram")]
    made = table.master.post(f"/universes/{table.universe_id}/encounters", name="Ambush", combatants=combatants)
    table.master.post(f"/encounters/{made['id']}/start")
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    panel, seen = master.panel("Initiative"), ashe.panel("Initiative")
    master.page.mouse.click(*master.at(9, 3))
    panel.get_by_role("button", name="Add Goblin").click()
    panel.get_by_label("Initiative of Goblin").fill("20")
    panel.get_by_label("Initiative of Goblin").press("Enter")
    expect(seen.get_by_role("listitem").first).to_contain_text("Goblin")
    expect(seen.get_by_role("listitem").first).to_contain_text("20")
    panel.get_by_role("button", name="Goblin is hidden").click()
    expect(seen).not_to_contain_text("Goblin")
    # One may click faster than the server answers, and while somebody else changes it.
    master.page.evaluate(SLOW)
    table.master.client.patch(f"/encounters/{made['id']}", json={"name": "Ambush at dusk"}).raise_for_status()
    for flag in ("Bram is hidden", "Bram is defeated", "Ashe is defeated"):
        panel.get_by_role("button", name=flag).click()
    panel.get_by_role("button", name="Remove Goblin from the encounter").click()
    expect(panel.get_by_label("Initiative of Goblin")).not_to_be_visible()
    for flag in ("Bram is hidden", "Bram is defeated", "Ashe is defeated"):
        expect(panel.get_by_role("button", name=flag)).to_have_attribute("aria-pressed", "true")
    master.visit.faults = [fault for fault in master.visit.faults if not fault.startswith("412 PATCH")]


def test_a_change_of_an_encounter_that_has_ended_removes_nobody_from_it(lay: Laying, sit: Sitting) -> None:
    table = lay()
    combatants = [{"token_id": table.tokens[name], "initiative": 5, "name": name} for name in ("Ashe", "Bram")]
    named = {"name": "Ambush", "map_id": table.map_id, "combatants": combatants}
    made = table.master.post(f"/universes/{table.universe_id}/encounters", **named)
    table.master.post(f"/encounters/{made['id']}/start")
    master = sit(table.master, table)
    panel = master.panel("Initiative")
    expect(panel).to_contain_text("Round 1")
    # At once: after the event of its end, the encounter is gone.
    master.page.evaluate(
        """() => {
            const nameOf = (button) => button.ariaLabel ?? button.textContent.trim();
            const buttons = [...document.querySelectorAll('button')];
            for (const name of ['End', 'Bram is defeated']) buttons.find((one) => nameOf(one) === name).click();
        }"""
    )
    expect(master.page.get_by_role("alert")).to_contain_text("The encounter has ended.")
    assert len(table.master.get(f"/encounters/{made['id']}")["combatants"]) == 2


def test_several_encounters_are_prepared_and_one_is_deleted(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master = sit(table.master, table)
    panel = master.panel("Initiative")
    for name in ("Ambush", "Siege"):
        panel.get_by_label("Name").fill(name)
        panel.get_by_role("button", name="Prepare").click()
        expect(panel.get_by_role("heading", name=name)).to_be_visible()
    panel.get_by_role("combobox").select_option(label="Ambush")
    panel.get_by_role("button", name="Delete", exact=True).click()
    panel.get_by_role("button", name="Delete for good").click()
    expect(panel.get_by_role("heading", name="Siege")).to_be_visible()
    panel.get_by_role("button", name="Start").click()
    expect(panel).to_contain_text("Round 1")
    expect(panel.get_by_role("button", name="Prepare")).not_to_be_visible()


def test_rolls_that_are_refused_dropped_and_shown_later(lay: Laying, sit: Sitting) -> None:
    table = lay()
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    line = ashe.page.get_by_label("Message, or /roll and dice")
    line.fill("/roll 2d6+x")
    line.press("Enter")
    expect(ashe.page.get_by_role("alert")).to_have_text("expression: column 5: expected a number or dice here")
    expect(line).to_have_value("/roll 2d6+x")
    ashe.page.get_by_label("Rolls", exact=True).select_option(label="blind")
    line.fill("/roll adv")
    line.press("Enter")
    log = master.page.get_by_role("log")
    expect(log.locator("s")).to_have_count(1)
    expect(log).not_to_contain_text("~")
    expect(ashe.page.get_by_role("log")).to_contain_text("The game master sees the result.")
    log.get_by_role("button", name="Show this roll to everyone").click()
    expect(ashe.page.get_by_role("log").locator("s")).to_have_count(1)


def test_earlier_messages_are_read_page_by_page(lay: Laying, sit: Sitting) -> None:
    table = lay()
    universe = f"/universes/{table.universe_id}"
    # Between messages, so that the pages of both lists end at different times.
    for i in range(1, 131):
        table.master.post(f"{universe}/messages", text=f"message {i}.")
        if i % 13 == 0:
            table.master.post(f"{universe}/rolls", expression="1d20", reason=f"roll {i}.")
    ashe = sit(table.ashe, table)
    ashe.page.evaluate(_ANNOUNCED)
    log = ashe.page.get_by_role("log")
    list_ = ashe.page.get_by_role("group", name="Messages and rolls")
    more = list_.get_by_role("button", name="Show earlier")
    entries = list_.get_by_role("article")
    expect(entries).to_have_count(50 + 4)
    expect(entries.first).to_contain_text("message 81.")
    # Reading on by keys: what was at the top stays where it was.
    more.scroll_into_view_if_needed()
    list_.evaluate("(list) => { list.scrollTop = 0; }")
    where = "(entry) => Math.round(entry.getBoundingClientRect().top)"
    top = entries.first.evaluate(where)
    more.press("Enter")
    expect(entries).to_have_count(100 + 8)
    assert abs(entries.nth(54).evaluate(where) - top) <= 1
    expect(entries.nth(54)).to_contain_text("message 81.")
    # A new message is announced, and does not scroll away from what is read.
    place = list_.evaluate("(list) => list.scrollTop")
    table.master.post(f"{universe}/messages", text="news.")
    expect(log).to_contain_text("news.")
    assert list_.evaluate("(list) => list.scrollTop") == place
    more.press("Enter")
    expect(entries).to_have_count(130 + 10 + 1)
    expect(more).not_to_be_visible()
    expect(list_).to_be_focused()
    assert ashe.page.evaluate("window.announced") == ["news."]
    numbers = [int(one) for one in re.findall(r"(?:message|roll) (\d+)\.", list_.inner_text())]
    assert numbers == sorted([*range(1, 131), *range(13, 131, 13)])
    # Ones own message is shown wherever one reads.
    ashe.page.get_by_label("Message, or /roll and dice").fill("I am here.")
    ashe.page.keyboard.press("Enter")
    expect(log.get_by_text("I am here.")).to_be_in_viewport()


def test_notes_are_pinned_to_the_map(lay: Laying, sit: Sitting) -> None:
    table = lay()
    notes = f"/universes/{table.universe_id}/notes"
    note = table.master.post(notes, title="A torn letter", body="*Burn this.*", grants={"members": ["see"]})
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    pins = "JSON.stringify(window.worldkeepTable.stage.pins.shown.map(({ pin }) => [pin.title, pin.x, pin.y]))"
    panel, seen = master.panel("Notes"), ashe.panel("Notes")
    panel.get_by_role("button", name="A torn letter").click()
    panel.get_by_role("button", name="Pin to the map").click()
    master.page.mouse.click(*master.at(2, 4))
    for seat in (master, ashe):
        seat.until(f"""{pins} === '[["A torn letter",2.5,4.5]]'""")
    # A click opens it, also from another panel.
    expect(seen.get_by_role("heading", name="A torn letter")).not_to_be_visible()
    ashe.panel("Log")
    ashe.page.mouse.click(*ashe.at(2, 4))
    expect(seen.locator("em")).to_have_text("Burn this.")
    expect(seen.get_by_role("button", name="Pin", exact=False)).to_have_count(0)
    seen.get_by_role("button", name="Show on the map").click()
    # So does the list of what is in sight.
    ashe.panel("Party").get_by_role("button", name="A torn letter").press("Enter")
    expect(seen.get_by_role("heading", name="A torn letter")).to_be_focused()
    seen.get_by_role("button", name="All notes").click()
    # A token below a pin is dragged, and a click there opens the note. By keys, the pin is moved there.
    panel.get_by_role("button", name="Move the pin", exact=True).press("Enter")
    for key in ("Shift+ArrowUp", "Shift+ArrowUp", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        master.page.keyboard.press(key)
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        master.page.keyboard.press(key)
    for seat in (master, ashe):
        seat.until(f"""{pins} === '[["A torn letter",1.5,1.5]]'""")
    master.panel("Log")
    master.page.mouse.click(*master.at(1, 1))
    expect(panel.get_by_role("heading", name="A torn letter")).to_be_visible()
    expect(master.page.get_by_label("Selected: Bram")).not_to_be_visible()
    master.drag((1, 1), (2, 2))
    ashe.sees("Bram", (2, 2))
    panel.get_by_role("button", name="Remove the pin").click()
    for seat in (master, ashe):
        seat.until(f"{pins} === '[]'")
    place = {"map_id": table.map_id, "x": 3, "y": 3}
    table.master.client.patch(f"/notes/{note['id']}", json=place).raise_for_status()
    ashe.until(f"""{pins} === '[["A torn letter",3,3]]'""")
    table.master.client.patch(f"/notes/{note['id']}", json={"grants": {}}).raise_for_status()
    ashe.until(f"{pins} === '[]'")


def test_pins_are_seen_where_their_place_is(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="sight", fog_sharing="each")
    place = {"map_id": table.map_id, "x": 8.5, "y": 3.5}
    everybody = {"members": ["see"]}
    table.master.post(f"/universes/{table.universe_id}/notes", title="Scratches", grants=everybody, **place)
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    pins = "window.worldkeepTable.stage.pins.shown.map(({ pin }) => pin.title).join()"
    master.until(f"{pins} === 'Scratches'")
    ashe.until(f"{pins} === '' && store.notes.value.length === 1")
    ashe.click_door()
    ashe.until(f"{pins} === 'Scratches'")
    # The game master sees them as others do.
    see_as = master.panel("Master").get_by_label("See as")
    for name, seen in (("Bram", ""), ("Ashe", "Scratches"), ("myself", "Scratches")):
        see_as.select_option(label=name)
        master.until(f"{pins} === '{seen}'")
    ashe.drag((4, 3), (2, 1))
    ashe.until(f"{pins} === ''")


def test_the_first_map_of_a_universe_opens(lay: Laying, sit: Sitting) -> None:
    table = lay()
    table.master.client.delete(f"/maps/{table.map_id}").raise_for_status()
    master, ashe = sit(table.master, table), sit(table.ashe, table)
    expect(ashe.page.get_by_text("The game master has not shown a map yet.")).to_be_visible()
    expect(master.panel("Master").get_by_role("link", name="New map")).to_be_visible()
    # Without a map there are no tokens to read again.
    table.master.post(f"/universes/{table.universe_id}/characters", name="Cass")
    master.until("[...store.characters.value.values()].some(({ name }) => name === 'Cass')")
    table.master.post("/maps", universe_id=table.universe_id, name="Attic", grid_data=ROOM, visibility="members")
    for seat in (master, ashe):
        seat.until("store.map.value?.name === 'Attic' && store.document.frame.width === 12")
        expect(seat.page.get_by_text("map yet")).not_to_be_visible()


def test_a_map_of_which_nothing_is_in_sight_says_so(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="sight")
    ashe = sit(table.ashe, table)
    text = ashe.page.get_by_text("Nothing of this map is in sight")
    expect(text).not_to_be_visible()
    for token in table.tokens.values():
        table.master.client.delete(f"/tokens/{token}").raise_for_status()
    expect(text).to_be_visible()


def test_the_ring_of_the_focus_is_only_for_keys(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    map_ = ashe.page.locator("[data-map]")
    ashe.page.mouse.click(*ashe.at(4, 3))
    expect(map_).to_have_css("outline-style", "none")
    ashe.page.keyboard.press("n")
    expect(map_).to_have_css("outline-style", "solid")


def test_what_happens_before_the_live_feed_begins_is_shown(lay: Laying, visit: Callable[..., Visit]) -> None:
    table = lay()
    ashe = visit(table.ashe)
    ashe.context.add_init_script(_HOLD_SOCKETS)
    page = ashe.page(f"/play/{table.universe_id}")
    page.wait_for_function("() => window.held.length && window.worldkeepTable")
    page.wait_for_load_state("networkidle")
    grid = {"width": 2, "height": 2}
    named = {"name": "The attic", "grid_data": grid, "visibility": "members"}
    attic = table.master.post("/maps", universe_id=table.universe_id, **named)
    table.master.client.patch(
        f"/universes/{table.universe_id}", json={"active_map_id": attic["id"]}
    ).raise_for_status()
    table.master.post(f"/universes/{table.universe_id}/messages", text="Upstairs!")
    page.evaluate("window.release()")
    expect(page.get_by_role("log")).to_contain_text("Upstairs!")
    expect(page.get_by_label("Map", exact=True).locator("option:checked")).to_contain_text("The attic")


def test_a_player_becomes_a_game_master_and_a_player_again(lay: Laying, sit: Sitting) -> None:
    table = lay()
    ashe = sit(table.ashe, table)
    member = f"/universes/{table.universe_id}/members/{table.ashe.get('/users/me')['id']}"
    named = {"name": "The crypt", "grid_data": {"width": 2, "height": 2}}
    table.master.post("/maps", universe_id=table.universe_id, **named)
    for role, maps in (("game_master", 2), ("player", 1)):
        table.master.client.patch(member, json={"role": role}).raise_for_status()
        ashe.until(f"store.maps.value.length === {maps}")
        expect(ashe.page.get_by_role("tab", name="Master")).to_have_count(maps - 1)


def test_a_map_that_the_member_does_not_see_is_not_shown_as_theirs(lay: Laying, sit: Sitting) -> None:
    table = lay()
    table.master.client.patch(f"/maps/{table.map_id}", json={"visibility": "game_masters"}).raise_for_status()
    master = sit(table.master, table)
    master.panel("Master").get_by_label("See as").select_option(label="Ashe")
    expect(master.page.get_by_role("alert")).to_contain_text("Ashe cannot see this map.")
    master.until("!store.seeAs.value")
    master.visit.faults = [fault for fault in master.visit.faults if not fault.startswith("404 GET /maps/")]


def test_a_removed_member_loses_access_at_once(lay: Laying, sit: Sitting) -> None:
    table = lay()
    bram = sit(table.bram, table)
    bram.has_read_all()
    me = table.bram.get("/users/me")["id"]
    table.master.client.delete(f"/universes/{table.universe_id}/members/{me}").raise_for_status()
    expect(bram.page.get_by_role("alertdialog")).to_contain_text("no longer at this table")
    expect(bram.page.get_by_role("link", name="Your tables")).to_be_focused()
    bram.page.get_by_role("link", name="Your tables").click()
    expect(bram.page.get_by_role("heading", name="Your tables")).to_be_visible()
    expect(bram.page.get_by_role("main")).not_to_contain_text("The Cellar")


def test_a_picture_moves_with_the_view_where_drawing_is_slow(lay: Laying, sit: Sitting) -> None:
    table = lay()
    goblin = table.tokens["Goblin"]
    table.master.client.patch(f"/tokens/{goblin}", json={"color": "#00ff00"}).raise_for_status()
    master = sit(table.master, table)
    page = master.page
    stage = "window.worldkeepTable.stage"

    def picture() -> Image.Image:
        return Image.open(io.BytesIO(page.screenshot())).convert("RGB")

    def is_green(x: int, y: int) -> bool:
        left, top = master.at(x + 0.25, y)
        red, green, blue = picture().getpixel((round(left), round(top)))  # type: ignore[misc]  # it is an RGB picture
        return green > red + 80 and green > blue + 80

    # Chromium draws without a graphics card here.
    expect(page.locator("html")).to_have_class(re.compile("is-slow"))
    assert is_green(9, 3)
    page.evaluate(_SWAY)
    page.wait_for_function(f"() => {stage}.picture")
    assert is_green(9, 3)
    # What changes during the movement is shown, and clicks hit it.
    table.master.post(f"/tokens/{goblin}/move", x=8, y=5, force=True)
    master.sees("Goblin", (8, 5))
    page.wait_for_function(f"() => !{stage}.isAnimating")
    assert is_green(8, 5)
    assert not is_green(9, 3)
    page.mouse.click(*master.at(8, 5))
    expect(page.get_by_label("Selected: Goblin")).to_be_visible()
    assert page.evaluate(f"!!{stage}.picture")
    page.keyboard.press("Escape")
    table.master.client.delete(f"/tokens/{goblin}").raise_for_status()
    master.sees_no("Goblin")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert not is_green(8, 5)
    assert page.evaluate(f"!!{stage}.picture")
    # At rest, the map is as sharp as if it had never moved.
    page.evaluate("cancelAnimationFrame(window.swaying)")
    is_still = f"() => !{stage}.picture && !{stage}.requested && {stage}.isWhole"
    page.wait_for_function(is_still)
    rested = picture()
    page.evaluate(f"{stage}.cells.clear(); {stage}.request()")
    page.wait_for_function(is_still)
    assert rested.tobytes() == picture().tobytes()
    page.mouse.click(*master.at(4, 3))
    expect(page.get_by_label("Selected: Ashe")).to_be_visible()


def test_a_phone(lay: Laying, sit: Sitting) -> None:
    table = lay()
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    ashe = sit(table.ashe, table, **phone)
    ashe.sees("Ashe", (4, 3))
    ashe.page.touchscreen.tap(*ashe.at(4, 3))
    expect(ashe.page.get_by_label("Selected: Ashe")).to_be_visible()
    ashe.page.get_by_label("Close").click()
    ashe.panel("Party")
    expect(ashe.page.get_by_role("tabpanel")).to_contain_text("Bram")
    assert ashe.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_connection_that_is_silent_is_given_up(server: Server, lay: Laying, visit: Callable[..., Visit]) -> None:
    table = lay()
    watching = visit(table.ashe)
    watching.context.clock.install()
    ashe = Seat(watching, table.universe_id)
    server.process.send_signal(signal.SIGSTOP)
    try:
        ashe.page.clock.fast_forward("01:00")
        expect(ashe.page.get_by_text("Reconnecting…")).to_be_visible()
    finally:
        server.process.send_signal(signal.SIGCONT)
    ashe.page.clock.fast_forward("00:20")
    ashe.until("store.connection.value === 'open'")


def test_a_server_that_is_killed_loses_no_move(browser: Browser) -> None:
    with tempfile.TemporaryDirectory(prefix="worldkeep-play-", ignore_cleanup_errors=True) as path:
        folder = Path(path).resolve()
        with serving(folder) as server:
            table = new_table(server.url)
            visit = Visit(browser, server.url, table.ashe)
            ashe = Seat(visit, table.universe_id)
            ashe.sees("Ashe", (4, 3))
            server.process.kill()
            ashe.until("store.connection.value !== 'open'")
            expect(ashe.page.get_by_text("Reconnecting…")).to_be_visible()
            # Shown at once, and done when the server is back.
            ashe.drag((4, 3), (2, 2))
            ashe.sees("Ashe", (2, 2))
        with serving(folder, port=urlsplit(server.url).port or 0):
            ashe.until("store.connection.value === 'open'")
            ashe.until("!window.worldkeepTable.table.live.waiting.size")
            token = table.master.get(f"/tokens/{table.tokens['Ashe']}")
            assert (token["x"], token["y"]) == (2, 2)
            ashe.sees("Ashe", (2, 2))
            events = table.master.get(f"/universes/{table.universe_id}/events?after=0&limit=200")["items"]
            kinds = [one["kind"] for one in events]
            assert kinds.count("token.moved") == 1, kinds
            visit.context.close()
            # While it was away, nothing else went wrong.
            assert [fault for fault in visit.faults if not re.search("ERR_(CONNECTION|SOCKET)_", fault)] == []
        for player in (table.master, table.ashe, table.bram):
            player.client.close()
