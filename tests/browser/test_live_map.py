"""A page that stays open shows what a page that is opened now shows, whatever happened at the table meanwhile."""

import random
import time
from typing import Any

import pytest

from tests.browser.driver import paint
from tests.browser.test_play import SLOW, Laying, Seat, Sitting, Table, lay, sit
from tests.conftest import PATIENCE_SECONDS

__all__ = ["lay", "sit"]

_STATE = """() => {
    const { store } = window.worldkeepTable;
    const { document: map, fog, tokens, characters, notes, encounters, maps, members } = store;
    const { frame } = map;
    const text = (cells, y) => String.fromCharCode(...cells.subarray(y * frame.width, (y + 1) * frame.width));
    const used = new Set(frame.layers.flatMap(({ cells }) => [...(cells ?? [])]));
    const sorted = (items) => items.map((item) => JSON.stringify(item, Object.keys(item).sort())).sort();
    return {
        size: [frame.width, frame.height],
        layers: frame.layers.map(({ meta, cells }) => [
            meta.name, cells && Array.from({ length: frame.height }, (_, y) => text(cells, y))]),
        legend: sorted(frame.legend.filter(({ symbol }) => used.has(symbol.charCodeAt(0)))),
        ...Object.fromEntries(['entities', 'walls', 'doors', 'lights'].map((name) => [name, sorted(frame[name])])),
        other: JSON.stringify(frame.other),
        fog: fog.value,
        tokens: [...tokens.value.values()].map(({ id, name, x, y, hidden, conditions, bars, sight }) =>
            JSON.stringify([id, name, x, y, hidden, conditions, bars, sight])).sort(),
        characters: sorted([...characters.value.values()].map(({ id, name }) => ({ id, name }))),
        notes: sorted(notes.value.map(({ id, title }) => ({ id, title }))),
        encounters: sorted([...encounters.value.values()].map(({ id, state, turn }) => ({ id, state, turn }))),
        maps: sorted(maps.value.map(({ id, name, fog }) => ({ id, name, fog }))),
    };
}"""


class RandomChanges:
    """Random changes of a map and its tokens by the game master. Some are refused."""

    def __init__(self, table: Table, seed: str) -> None:
        self.table, self.choice = table, random.Random(seed)
        self.url = f"/maps/{table.map_id}"

    def edit(self, *edits: dict[str, Any]) -> None:
        self.table.master.client.post(f"{self.url}/edits", json={"edits": list(edits)})

    def patch(self, **fields: Any) -> None:
        self.table.master.client.patch(self.url, json=fields)

    def make_one(self) -> None:
        """One random change."""
        choice, client = self.choice, self.table.master.client
        x, y = choice.randrange(12), choice.randrange(7)
        token = self.table.tokens[choice.choice(list(self.table.tokens))]
        kind = choice.randrange(16)
        if kind <= 3:
            self.edit(paint(x, y, choice.choice("#.~"), choice.choice(["ground", "ground", "roof"])))
        elif kind == 4:
            self.edit({"op": "add_layer", "layer": {"name": "roof"}, "at": choice.choice([0, 1])})
        elif kind == 5:
            self.edit({"op": "remove_layer", "layer": "roof"})
        elif kind == 6:
            name = choice.choice(["water", "lava", "ice"])
            self.edit({"op": "update_legend", "legend": [{"symbol": choice.choice("~."), "name": name}]})
        elif kind == 7:
            item = {"id": f"chest-{choice.randrange(3)}", "kind": "chest", "x": x, "y": y}
            item |= {"hidden": True} if choice.random() < 0.3 else {}
            self.edit({"op": "put_entity", "entity": item})
        elif kind == 8:
            self.edit({"op": "remove_entity", "id": f"chest-{choice.randrange(3)}"})
        elif kind == 9:
            client.post(f"{self.url}/doors/oak", json={"state": choice.choice(["open", "closed", "locked"])})
        elif kind == 10:
            client.post(f"{self.url}/{choice.choice(['undo', 'redo'])}", json={})
        elif kind == 11:
            client.patch(
                f"/tokens/{token}", json={"hidden": choice.random() < 0.3, "conditions": [choice.choice("ab")]}
            )
        elif kind == 12:
            self.edit({"op": "resize", "width": choice.choice([12, 14]), "height": choice.choice([7, 8])})
        elif kind == 13:
            act = choice.choice(["reveal", "hide"])
            client.post(f"{self.url}/fog/{act}", json={"x": x, "y": y, "width": 2, "height": 2})
        elif kind == 14:
            self.patch(fog=choice.choice(["off", "explored", "explored", "sight"]))
        else:
            self.patch(lighting=choice.choice(["bright", "dim"]), fog_sharing=choice.choice(["party", "each"]))
        if choice.random() < 0.7:
            client.post(f"/tokens/{token}/move", json={"x": x, "y": y, "force": True})


def settled(seat: Seat) -> dict[str, Any]:
    """What a page shows, once it no longer changes."""
    before = None
    while True:
        now = dict(seat.page.evaluate(_STATE))
        if now == before:
            return now
        before = now
        seat.page.wait_for_timeout(300)


@pytest.mark.parametrize("fog", ["off", "explored"])
def test_an_open_page_shows_what_a_new_one_shows(fog: str, lay: Laying, sit: Sitting) -> None:
    table = lay(fog=fog)
    people = {"Mira": table.master, "Ashe": table.ashe, "Bram": table.bram}
    seats = {name: sit(player, table) for name, player in people.items()}
    for seat in seats.values():
        seat.page.evaluate(SLOW)
    changes = RandomChanges(table, fog)
    for _ in range(40):
        changes.make_one()
    for name, seat in seats.items():
        expected = settled(sit(people[name], table))
        found = settled(seat)
        end = time.monotonic() + PATIENCE_SECONDS
        while found != expected and time.monotonic() < end:
            found = settled(seat)
        assert found == expected, name


def test_a_map_that_is_hidden_and_shown_again(lay: Laying, sit: Sitting) -> None:
    table = lay(fog="explored")
    ashe = sit(table.ashe, table)
    ashe.has_read_all()
    url = f"/maps/{table.map_id}"
    table.master.client.patch(url, json={"visibility": "game_masters"}).raise_for_status()
    ashe.until("store.mapId.value === null")
    # Nothing of it remains on the screen.
    ashe.until("store.document.frame.width === 0 && !store.fog.value && !store.tokens.value.size")
    table.master.client.patch(url, json={"visibility": "members"}).raise_for_status()
    ashe.sees("Ashe")
    table.master.client.delete(url).raise_for_status()
    ashe.until("store.mapId.value === null")
    # A read that is under way at that moment is refused.
    ashe.visit.faults = [fault for fault in ashe.visit.faults if not fault.startswith("404 GET /maps/")]
