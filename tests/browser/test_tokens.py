"""Tokens in the editor, and the map as a player sees it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SMALL, Opening, Visiting
from tests.browser.driver import MapEditor, Player, Visit, upload

Row = dict[str, Any]


class Board:
    """A map with tokens in the editor; what the server has of them, and what is shown."""

    def __init__(self, editor: MapEditor) -> None:
        self.editor = editor

    def saved(self) -> dict[str, Row]:
        """By name."""
        return {one["name"]: one for one in self.editor.player.get(f"{self.editor.url}/tokens")["items"]}

    def shown(self) -> dict[str, list[float]]:
        script = "({ tokens }) => Object.fromEntries(tokens.shown.map(({ name, x, y }) => [name, [x, y]]))"
        return dict(self.editor.run(script))

    def shows(self, expected: dict[str, list[float]]) -> None:
        """Wait until the tokens are shown there."""
        self.editor.page.wait_for_function(
            "(places) => document.querySelector('[data-map-editor]').editor.tokens.shown.every("
            "({ name, x, y }) => places[name][0] === x && places[name][1] === y)",
            arg=expected,
        )
        assert self.shown() == expected

    def settle(self) -> None:
        """Wait until nothing is on its way to the server."""
        self.editor.run("async ({ tokens }) => { while (tokens.waiting) await tokens.writing; }")


@pytest.fixture
def place(game_master: Player) -> Callable[..., str]:
    """Places a token on a map by the API; its id."""
    return lambda editor, **fields: str(game_master.post(f"{editor.url}/tokens", **fields)["id"])


@pytest.fixture
def board(editor: MapEditor, place: Callable[..., str], universe_id: str) -> Board:
    """The small map with a goblin, and an ogre with a picture, that came while it was open."""
    place(editor, name="Goblin", x=3, y=3, color="#5f8a3a")
    place(editor, name="Ogre", x=6, y=4, size=2, asset_id=upload(editor.player, universe_id))
    editor.run("({ tokens }) => tokens.read()")
    return Board(editor)


class TestTokens:
    def test_are_shown_and_listed(self, board: Board) -> None:
        editor = board.editor
        assert board.shown() == {"Goblin": [3, 3], "Ogre": [6, 4]}
        editor.show_panel("Tokens")
        rows = editor.page.locator(".wk-map-tokens .wk-tile")
        expect(rows).to_have_text(["GGoblin3, 3", "Ogre6, 4"])
        rows.last.locator("img").evaluate("image => image.decode()")
        rows.first.click()
        expect(editor.field("token-name")).to_have_value("Goblin")

    def test_are_placed_with_a_click(self, board: Board) -> None:
        editor = board.editor
        editor.press("k")
        editor.click(9, 5)
        editor.hear("Placed New token")
        editor.write("token-name", "Rat king")
        editor.field("token-size").select_option(label="2 · large")
        editor.page.get_by_label("Hidden from players").uncheck()
        board.settle()
        king = board.saved()["Rat king"]
        assert (king["x"], king["y"], king["size"], king["hidden"]) == (9, 5, 2, False)
        # They are no part of the document: there is nothing to save.
        assert editor.save() == []

    def test_of_a_character(self, board: Board, universe_id: str) -> None:
        editor = board.editor
        name = "Ashe of the editor"
        character = editor.player.post(f"/universes/{universe_id}/characters", name=name)
        editor.page.reload()
        editor.wait()
        editor.press("k")
        editor.page.get_by_label("Character").select_option(label=name)
        editor.click(1, 6)
        editor.hear(f"Placed {name}")
        assert board.saved()[name]["character_id"] == character["id"]

    def test_are_dragged_and_nudged(self, board: Board) -> None:
        editor = board.editor
        editor.press("o")
        editor.drag((3, 3), (8, 1))
        editor.press("ArrowRight", "ArrowRight", "ArrowDown")
        # Beyond the edge it stays on the map with all of its cells.
        editor.drag((6, 4, 0.5, 0.5), (11, 7))
        board.settle()
        assert {name: (one["x"], one["y"]) for name, one in board.saved().items()} == {
            "Goblin": (10, 2),
            "Ogre": (10, 6),
        }
        editor.press("Escape")
        assert editor.run("({ tokens }) => tokens.selected") is None

    def test_are_hidden_and_deleted(self, board: Board) -> None:
        editor = board.editor
        editor.press("o")
        editor.click(3, 3)
        editor.page.get_by_label("Hidden from players").check()
        board.settle()
        assert board.saved()["Goblin"]["hidden"] is True
        editor.canvas.focus()
        editor.press("Delete")
        editor.page.locator("dialog").get_by_role("button", name="Keep it").click()
        assert "Goblin" in board.saved()
        editor.canvas.focus()
        editor.press("Delete")
        editor.page.locator("dialog").get_by_role("button", name="Delete").click()
        editor.hear("Deleted Goblin")
        assert set(board.saved()) == {"Ogre"}

    def test_what_others_do_is_shown_and_kept(self, board: Board) -> None:
        editor = board.editor
        goblin = board.saved()["Goblin"]
        editor.player.client.patch(f"/tokens/{goblin['id']}", json={"name": "Gob", "conditions": ["prone"]})
        editor.press("o")
        # From where it was read last: only its place is sent.
        editor.drag((3, 3), (4, 3))
        board.settle()
        gob = board.saved()["Gob"]
        assert (gob["x"], gob["y"], gob["conditions"]) == (4, 3, ["prone"])
        assert board.shown()["Gob"] == [4, 3]

    def test_a_name_is_kept_while_others_move_tokens(self, board: Board) -> None:
        editor = board.editor
        tokens = board.saved()
        editor.show_panel("Tokens")
        editor.page.locator(".wk-map-tokens .wk-tile").first.click()
        name, place = editor.field("token-name"), editor.page.locator(".wk-map-tokens .wk-tile .wk-count").last
        name.fill("Gob")
        editor.player.post(f"/tokens/{tokens['Ogre']['id']}/move", x=7, y=4, force=True)
        editor.run("async ({ tokens }) => { await tokens.read(); }")
        board.shows({"Goblin": [3, 3], "Ogre": [7, 4]})
        expect(name).to_have_value("Gob")
        name.press("Enter")
        expect(place).to_have_text("7, 4")
        board.settle()
        assert set(board.saved()) == {"Gob", "Ogre"}

    def test_without_a_server_nothing_is_lost(self, board: Board) -> None:
        editor = board.editor
        editor.page.route("**/tokens/*", lambda route: route.abort())
        editor.press("o")
        editor.drag((3, 3), (5, 5))
        expect(editor.notices).to_contain_text("The change of Goblin was not saved")
        assert board.shown()["Goblin"] == [3, 3]
        editor.page.unroute_all()
        editor.notices.get_by_role("button", name="Try again").click()
        board.settle()
        assert board.saved()["Goblin"]["x"] == 5
        editor.visit.expect(*[one for one in editor.visit.faults if "ERR_FAILED" in one])

    def test_a_resize_takes_them_along(self, board: Board) -> None:
        editor = board.editor
        editor.show_panel("Map")
        editor.page.get_by_role("radio", name="right", exact=True).check(force=True)
        editor.page.get_by_label("Width").fill("14")
        editor.page.get_by_label("Width").press("Enter")
        # Before saving, they are on the same cells as before.
        board.shows({"Goblin": [5, 3], "Ogre": [8, 4]})
        editor.press("o")
        editor.drag((5, 3), (6, 3))
        board.settle()
        assert board.saved()["Goblin"]["x"] == 4
        editor.save()
        assert board.saved()["Goblin"]["x"] == 6
        editor.run("({ tokens }) => tokens.read()")
        assert board.shown() == {"Goblin": [6, 3], "Ogre": [8, 4]}


WALLED: dict[str, Any] = {
    **SMALL,
    "layers": [{"name": "ground", "rows": ["#" * 12, *["#....#.....#"] * 6, "#" * 12]}],
    "gm": "the treasure is in the east",
}


@pytest.fixture(scope="module")
def player(game_master: Player, people: dict[str, Player], universe_id: str) -> Player:
    """A player of the universe of the tests."""
    somebody = people["player one"]
    code = game_master.post(f"/universes/{universe_id}/invitations", role="player")["code"]
    somebody.post(f"/invitations/{code}/accept")
    return somebody


@pytest.fixture
def cellar(player: Player, open_map: Opening, place: Callable[..., str]) -> MapEditor:
    """A map with fog and a wall through it: the player's token on one side, a goblin on the other."""
    editor = open_map(WALLED)
    settings = {"visibility": "members", "fog": "explored", "fog_sharing": "each"}
    assert editor.player.client.patch(editor.url, json=settings).is_success
    user_id = player.get("/users/me")["id"]
    place(editor, name="Scout", x=2, y=2, sight={"range": 2}, grants={user_id: ["act"]})
    place(editor, name="Goblin", x=8, y=2)
    editor.page.reload()
    editor.wait()
    return editor


class TestSeeAs:
    def see(self, editor: MapEditor) -> dict[str, Any]:
        """What is shown: the ground, the fog, names of tokens."""
        script = """({ seeAs }) => ({
            ground: seeAs.document.frame.layers.map(({ cells }) => String.fromCharCode(...cells))[0]?.slice(0, 36),
            fog: seeAs.fog?.join('') ?? '',
            tokens: seeAs.tokens.map(({ name }) => name),
            other: seeAs.document.frame.other,
        })"""
        return dict(editor.run(script))

    def begin(self, editor: MapEditor, who: str) -> None:
        editor.button("See as …").click()
        banner = editor.page.locator(".wk-seeing")
        expect(banner).to_be_visible()
        banner.get_by_label("Whose eyes").select_option(label=who)
        editor.page.wait_for_function(
            "(who) => document.querySelector('[aria-live=polite]').textContent.includes(`as ${who} sees`)", arg=who
        )

    def test_what_a_player_sees(self, cellar: MapEditor, player: Player) -> None:
        name = player.get("/users/me")["display_name"]
        cellar.run("({ renderer }) => renderer.draw()")
        self.begin(cellar, name)
        seen = self.see(cellar)
        answer = player.get(cellar.url)["grid_data"]
        assert seen["fog"] == "".join(answer["fog"]["rows"])
        assert seen["ground"] == "".join(answer["layers"][0]["rows"])[:36]
        assert seen["tokens"] == ["Scout"]
        assert "gm" not in seen["other"]
        # Dark where nobody has been, bright in sight.
        dark, bright = cellar.run(
            """({ seeAs }) => {
                const { renderer, view, document: map, canvas } = seeAs;
                renderer.draw();
                const { data } = renderer.context.getImageData(0, 0, canvas.width, canvas.height);
                return [[9, 4], [3, 3]].map(([x, y]) => {
                    const [X, Y] = view.toScreen(...map.geometry.centre(x, y)).map(Math.round);
                    const at = 4 * (Y * canvas.width + X);
                    return Math.max(...data.slice(at, at + 3));
                });
            }"""
        )
        assert dark < 40 < 120 < bright

    def test_a_member_without_a_token_and_the_way_back(self, cellar: MapEditor) -> None:
        cellar.take_tile("water")
        cellar.click(2, 4)
        self.begin(cellar, "a member with no token")
        assert self.see(cellar)["tokens"] == []
        assert set(self.see(cellar)["fog"]) == {"0"}
        banner = cellar.page.locator(".wk-seeing")
        expect(banner).to_contain_text("Unsaved changes are not included.")
        # Nothing is changed by whatever is pressed.
        cellar.sent.clear()
        cellar.press("f", "Delete", "Control+z", "k")
        cellar.page.mouse.click(*cellar.at(3, 3))
        assert cellar.run("({ state }) => state.tool") == "brush"
        banner.get_by_role("button", name="Back to my view").click()
        expect(banner).to_be_hidden()
        assert cellar.shown(2, 4) == "~"
        assert cellar.shown(3, 3) == "."
        assert [one.method for one in cellar.save()] == ["POST"]
        assert cellar.grid()["gm"] == WALLED["gm"]

    def test_a_map_that_players_do_not_see(self, editor: MapEditor) -> None:
        editor.button("See as …").click()
        expect(editor.page.locator(".wk-seeing")).to_contain_text("it is for game masters only")
        editor.press("Escape")
        expect(editor.page.locator(".wk-seeing")).to_be_hidden()
        editor.visit.expect(*[one for one in editor.visit.faults if one.startswith("404 GET /maps/")])


def test_a_co_game_master(
    visit: Visiting, game_master: Player, people: dict[str, Player], new_map: Callable[..., str], universe_id: str
) -> None:
    """Somebody who was made a game master places tokens, too."""
    other = people["player two"]
    code = game_master.post(f"/universes/{universe_id}/invitations", role="game_master")["code"]
    other.post(f"/invitations/{code}/accept")
    there: Visit = visit(other)
    editor = there.edit(new_map())
    editor.press("k")
    editor.click(4, 4)
    editor.hear("Placed New token")
    assert set(Board(editor).saved()) == {"New token"}
