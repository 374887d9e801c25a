"""What players are sent over HTTP, against the slow model of the rules: nothing more and nothing less."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from game.grid.cell_sets import contains, rectangle
from tests.conftest import Person, somebody
from tests.fog.conftest import forget_sights
from tests.grid.grids import each
from tests.grid.secret_worlds import MARK, secret_worlds
from tests.grid.test_fogged_view import (
    HEIGHT,
    WIDTH,
    Document,
    Model,
    Table,
    check_document,
    edited,
    named,
    pool_of,
    tidy,
)
from tests.members.test_router import join

STEPS = ["token", "token", "monster", "edit", "edit", "replace", "reveal", "hide"]


class Game:
    """A map with fog on a server, and the same as the model of the tests has it."""

    def __init__(
        self, wait: Callable[[Any], Any], owner: Person, player: Person, draw: Callable[[Any], Any]
    ) -> None:
        self.wait, self.owner, self.player, self.draw = wait, owner, player, draw
        self.table = Table(self.new_document())
        self.model = Model(self.table)
        self.grid = {key: self.table.document[key] for key in ("grid_type", "diagonal_rule")}
        self.names = {layer["name"] for layer in self.table.document["layers"]}
        self.token_ids: dict[int, str] = {}
        self.monsters: dict[str, Document] = {}

    def new_document(self) -> Document:
        return tidy(named(self.draw(secret_worlds()), 0, 0))

    def create(self) -> None:
        universe = self.wait(self.owner.universe())
        self.wait(join(self.player, self.owner, universe["id"]))
        made = self.wait(
            self.owner.map(universe["id"], grid_data=self.table.document, visibility="members", fog="explored")
        )
        self.path = f"/maps/{made['id']}"

    def call(self, method: str, path: str, body: Document | None = None) -> Document:
        answer = self.wait(self.owner.client.request(method, path, json=body))
        assert answer.is_success, (path, body, answer.text)
        return dict(answer.json()) if answer.content else {}

    def get(self, path: str) -> httpx2.Response:
        answer: httpx2.Response = self.wait(self.player.client.get(path))
        return answer

    def place(self) -> tuple[int, int]:
        return self.draw(st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)))

    def step(self, kind: str) -> None:
        before = set(each(self.table.visible))
        if kind == "token":
            self.move_token()
        elif kind == "monster":
            x, y = self.place()
            hidden = self.draw(st.booleans())
            body = {"name": MARK if hidden else "goblin", "x": x, "y": y, "hidden": hidden, "gm": MARK}
            self.monsters[(self.call("POST", f"{self.path}/tokens", body))["id"]] = body
        elif kind in ("edit", "replace"):
            document = edited(self.draw, self.table) if kind == "edit" else self.new_document()
            # A new layer may get the key of one that is gone, and be known as that.
            document["layers"] = [one for one in document["layers"] if one["name"] in self.names]
            document |= self.grid
            self.table.change(document)
            self.call("PATCH", self.path, {"grid_data": document})
        else:
            (x, y), (across, down) = self.place(), self.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
            inside = {c for c in each(rectangle(x, y, across, down)) if c[0] < WIDTH and c[1] < HEIGHT}
            self.call("POST", f"{self.path}/fog/{kind}", {"x": x, "y": y, "width": across, "height": down})
            if kind == "reveal":
                self.model.sees(inside)
            else:
                self.model.forgets(inside - before)
        pool_of(self.table)
        self.model.sees(set(each(self.table.visible)))

    def move_token(self) -> None:
        number = self.draw(st.integers(0, 2))
        token_id = self.token_ids.get(number)
        if token_id and self.draw(st.booleans()):
            self.call("DELETE", f"/tokens/{self.token_ids.pop(number)}")
            del self.table.tokens[number]
        else:
            (x, y), reach = self.place(), self.draw(st.sampled_from([0, 1, 2, 4]))
            body = {"x": x, "y": y, "sight": {"range": reach}}
            if token_id:
                self.call("PATCH", f"/tokens/{token_id}", body)
            else:
                body |= {"name": "Ashe", "grants": {self.player.id: ["act"]}}
                self.token_ids[number] = (self.call("POST", f"{self.path}/tokens", body))["id"]
            self.table.tokens[number] = (x, y), reach
        self.table.visible = self.table.look()

    def check(self) -> None:
        """All that the player is sent is what they may know, and it is all there."""
        texts = {}
        for part in ("", "/fog", f"/region?x=0&y=0&width={WIDTH}&height={HEIGHT}", "/tokens", "/image.svg"):
            answer = self.get(self.path + part)
            assert answer.status_code == 200, answer.text
            assert MARK not in answer.text
            texts[part.partition("?")[0]] = answer
        grid = texts[""].json()["grid_data"]
        rows = {layer["name"]: layer["rows"] for layer in grid.get("layers", ())}
        fog = grid["fog"]["rows"]
        assert texts["/fog"].json()["rows"] == texts["/region"].json()["fog"] == fog
        for layer in texts["/region"].json()["layers"]:
            assert rows.get(layer["name"], [" " * WIDTH] * HEIGHT) == layer["rows"]
        shown = {one["id"]: one for one in texts["/tokens"].json()["items"]}
        expected = {
            token_id
            for token_id, one in self.monsters.items()
            if not one["hidden"] and contains(self.table.visible, one["x"], one["y"])
        }
        assert shown.keys() == expected | set(self.token_ids.values())
        for token_id in self.monsters:
            there = self.get(f"/tokens/{token_id}").status_code
            assert there == (200 if token_id in expected else 404)
        check_document(self.table, self.model, "explored", grid)


@settings(max_examples=max(2, settings.default.max_examples // 10))
@given(data=st.data())
def check_games(wait: Callable[[Any], Any], app: FastAPI, data: st.DataObject) -> None:
    people = [wait(somebody(app)), wait(somebody(app))]
    game = Game(wait, *people, data.draw)
    game.create()
    for kind in data.draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=6)):
        if data.draw(st.booleans()):
            forget_sights()
        game.step(kind)
        game.check()
    for person in people:
        wait(person.client.aclose())


async def test_players_are_sent_what_they_may_know(app: FastAPI) -> None:
    loop = asyncio.get_running_loop()

    def wait(asked: Any) -> Any:
        """The result of a request, in the event loop of the app; hypothesis works in a thread."""
        return asyncio.run_coroutine_threadsafe(asked, loop).result(60)

    await asyncio.to_thread(check_games, wait, app)
