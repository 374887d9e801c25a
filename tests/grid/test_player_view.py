"""What players get of a map without fog, against the rules written out plainly."""

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given

from game.grid.chunks import ChunkKey, join, split
from game.grid.document import size
from game.grid.player_view import (
    PlayersDocument,
    players_document,
    players_door,
    players_entity,
    players_keys,
    players_light,
    players_wall,
    shown_layers,
    symbols_of,
)
from game.grid.segments import merge, piece
from tests.grid.secret_worlds import MARK, WITHHELD, secret_worlds

Document = dict[str, Any]


def stored_view(document: Document) -> tuple[PlayersDocument, dict[ChunkKey, list[str]]]:
    """As a server would do it: the frame and the chunks of a map, through the view."""
    frame, chunks = split(document)
    shown = shown_layers(frame)
    used = set().union(*(symbols_of(rows) for key, rows in chunks.items() if key[0] in shown))
    view = players_document(frame, used)
    return view, {key: rows for key, rows in chunks.items() if key[0] in view.layers}


def seen_by_players(document: Document) -> Document:
    view, chunks = stored_view(document)
    texts = [(*key, orjson.dumps(rows).decode()) for key, rows in chunks.items()]
    read: Document = orjson.loads(join(orjson.dumps(view.frame).decode(), texts, *size(document)))
    return read


def plain(document: Document) -> Document:
    """TABLE's rules of secrets, one after the other, on the whole document."""
    out = deepcopy(document)
    things = ("layers", "legend", "entities", "walls", "doors", "lights")
    for name in things:
        out.setdefault(name, [])
    out["layers"] = [layer for layer in out["layers"] if layer.get("visible_to") != "game_masters"]
    used = {symbol for layer in out["layers"] for row in layer["rows"] for symbol in row}
    out["legend"] = [entry for entry in out["legend"] if entry["symbol"] in used]
    for name in ("entities", "walls", "doors", "lights"):
        out[name] = [thing for thing in out[name] if not thing.get("hidden")]
    doors = out["doors"]
    out["doors"] = [door for door in doors if not door.get("secret") or door["state"] == "open"]
    walls = [*out["walls"], *(door for door in doors if door not in out["doors"])]
    pieces = [
        piece(
            *(w[k] for k in ("x1", "y1", "x2", "y2")), w.get("blocks_movement", True), w.get("blocks_sight", True)
        )
        for w in walls
    ]
    out["walls"] = [one._asdict() for one in merge(pieces)]
    for thing in [out, out.get("background", {}), *(thing for name in things for thing in out[name])]:
        for key in WITHHELD:
            thing.pop(key, None)
    return {key: value for key, value in out.items() if value or key not in things}


class TestPlayersDocument:
    @given(secret_worlds())
    def test_is_what_the_rules_say_and_no_more(self, document: Document) -> None:
        before = deepcopy(document)
        shown = seen_by_players(document)
        assert shown == plain(document)
        assert MARK not in orjson.dumps(shown).decode()
        assert document == before

    def test_keeps_a_document_of_a_games_own(self) -> None:
        document = {"score": 3, "gm": 1, "levels": [{"gm": 1, "hidden": True}]}
        assert seen_by_players(document) == {"score": 3, "levels": [{"gm": 1, "hidden": True}]}

    def test_a_secret_door_in_a_gap_or_over_a_wall_leaves_no_trace(self) -> None:
        door = {"id": "d", "x1": 3.0, "y1": 0.0, "x2": 2.0, "y2": 0.0, "secret": True}
        wall = {"x1": 0, "y1": 0, "x2": 9, "y2": 0}
        only = seen_by_players({"walls": [wall]})
        assert seen_by_players({"walls": [wall], "doors": [door]}) == only
        parts = [{**wall, "x2": 2}, {**wall, "x1": 3}]
        assert seen_by_players({"walls": parts, "doors": [{**door, "state": "locked"}]}) == only
        opened = {**door, "state": "open"}
        assert seen_by_players({"doors": [opened]}) == {"doors": [opened]}

    def test_the_first_hidden_thing_changes_nothing(self) -> None:
        hidden = {"id": "e", "x": 0, "y": 0, "hidden": True}
        assert seen_by_players({"width": 1, "height": 1, "entities": [hidden]}) == {"width": 1, "height": 1}

    def test_an_unused_symbol_is_not_explained(self) -> None:
        document = {
            "legend": [{"symbol": "a"}, {"symbol": "b"}, {"symbol": "c"}],
            "layers": [
                {"name": "1", "rows": ["a "], "visible": False},
                {"name": "2", "rows": ["bb"], "visible_to": "game_masters"},
            ],
        }
        assert seen_by_players(document)["legend"] == [{"symbol": "a"}]


class TestSingleThings:
    @pytest.mark.parametrize("value", [True, 1, "yes", None, [], {}])
    def test_what_is_not_plainly_shown_is_hidden(self, value: Any) -> None:
        thing = {"x": 0, "y": 0, "x1": 0, "y1": 0, "x2": 1, "y2": 0, "hidden": value}
        assert [show(thing) for show in (players_entity, players_light, players_door, players_wall)] == [None] * 4
        assert shown_layers({"layers": [{"name": "a", "rows": 2**53, "visible_to": value}]}) == frozenset()
        assert players_door({**thing, "hidden": False, "secret": value}) is None

    def test_changes_lose_the_keys_of_game_masters(self) -> None:
        assert players_keys({"gm": {"a": 1}, "tiled": 1, "ldtk": 1, "uvtt": None, "opacity": 1}) == {"opacity": 1}

    def test_symbols_of_a_chunk(self) -> None:
        assert symbols_of(["ba ", "a c"]) == "abc"
        assert symbols_of([]) == ""
