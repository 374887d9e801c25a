"""Editing maps over HTTP: one class for each operation."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from game.events.payloads import MapEdited, MapRestored, MapUndoOrRedo
from tests.conftest import Person

LEGEND = [{"symbol": "#", "name": "wall", "blocks_movement": True}, {"symbol": "."}, {"symbol": "~"}]


def grid(width: int, height: int, symbol: str = ".", **more: Any) -> dict[str, Any]:
    """A map of one layer, all of one symbol."""
    rows = [symbol * width] * height
    return {
        "width": width,
        "height": height,
        "legend": LEGEND,
        "layers": [{"name": "ground", "rows": rows}],
        **more,
    }


def set_cells(*cells: tuple[int, int, str]) -> dict[str, Any]:
    """An edit of single cells."""
    return {
        "op": "set",
        "layer": "ground",
        "cells": [{"x": x, "y": y, "symbol": symbol} for x, y, symbol in cells],
    }


async def edit(person: Person, map_id: str, *edits: dict[str, Any], **headers: str) -> httpx2.Response:
    """Send edits."""
    return await person.client.post(f"/maps/{map_id}/edits", json={"edits": list(edits)}, headers=headers)


async def rows(person: Person, map_id: str, layer: int = 0, **query: Any) -> list[str]:
    """The rows of a layer."""
    answer = await person.client.get(f"/maps/{map_id}", params=query)
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["grid_data"]["layers"][layer]["rows"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "edits", {"edits": [set_cells((0, 0, "#"))]}),
        ("POST", "undo", None),
        ("POST", "redo", None),
        ("GET", "history", None),
        ("POST", "restore", {"seq": 1}),
        ("GET", "region?x=0&y=0&width=1&height=1", None),
    ],
)
async def test_a_strangers_map_is_not_there(
    owner: Person, stranger: Person, client: httpx2.AsyncClient, method: str, path: str, body: Any
) -> None:
    one = await owner.map(grid_data=grid(4, 3))
    for who, status in ((client, 401), (stranger.client, 404)):
        answer = await who.request(method, f"/maps/{one['id']}/{path}", json=body)
        assert answer.status_code == status
    nothing = await stranger.client.request(method, f"/maps/{uuid4()}/{path}", json=body)
    assert {**answer.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
    assert await rows(owner, one["id"]) == ["...."] * 3


class TestEdit:
    async def test_all_edits_are_one_event(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 3))
        answer = await edit(owner, one["id"], set_cells((1, 1, "#"), (2, 1, "~")), set_cells((0, 0, " ")))
        assert answer.status_code == 200
        assert answer.headers["etag"] == '"2"'
        assert answer.json() == {"version": 2, "seq": 3, "changed": 3}
        assert await rows(owner, one["id"]) == [" ...", ".#~.", "...."]
        log = (await owner.client.get(f"/universes/{one['universe_id']}/events?after=2")).json()["items"]
        assert [(event["kind"], event["payload"]["version"]) for event in log] == [("map.edited", 2)]

    async def test_one_bad_edit_and_nothing_is_applied(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 3))
        answer = await edit(owner, one["id"], set_cells((0, 0, "#")), set_cells((1, 0, "#"), (4, 0, "#")))
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["code"] == "INVALID_EDIT"
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [
            ("edits[1].cells[1].x", "out_of_bounds")
        ]
        assert (await owner.client.get(f"/maps/{one['id']}")).json() == one

    async def test_a_failing_last_edit_leaves_the_whole_map_and_its_log_as_they_were(self, owner: Person) -> None:
        place = {"x1": 0, "y1": 0, "x2": 1, "y2": 0}
        one = await owner.map(
            grid_data=grid(
                4,
                3,
                entities=[{"id": "e", "x": 0, "y": 0, "properties": {"hp": 7}}],
                walls=[{"id": "w", **place}],
                doors=[{"id": "d", **place, "state": "closed"}],
                lights=[{"id": "l", "x": 1, "y": 1, "range": 2}],
                mood="dark",
            )
        )
        batch: list[dict[str, Any]] = [
            set_cells((1, 1, "#")),
            {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": 2, "height": 2, "symbol": "~"},
            {"op": "put_entity", "entity": {"id": "new", "x": 2, "y": 1}},
            {"op": "update_entity", "id": "e", "changes": {"properties": {"hp": 1}}},
            {"op": "move_entity", "id": "e", "x": 3, "y": 2},
            {"op": "put_wall", "wall": {"id": "w", **place, "blocks_sight": False}},
            {"op": "put_wall", "wall": {"id": "w2", **place}},
            {"op": "update_door", "id": "d", "changes": {"state": "open"}},
            {"op": "put_door", "door": {"id": "d2", **place, "state": "locked"}},
            {"op": "remove_light", "id": "l"},
            {"op": "put_light", "light": {"id": "l2", "x": 2, "y": 2, "range": 3}},
            {"op": "add_layer", "layer": {"name": "roof"}, "index": 0},
            {"op": "update_layer", "name": "ground", "changes": {"name": "floor"}},
            {"op": "update_legend", "legend": [{"symbol": "~", "movement_cost": 2}]},
            {"op": "update_map", "changes": {"mood": None}},
            {"op": "resize", "width": 6, "height": 5},
        ]
        path, log = f"/maps/{one['id']}", f"/universes/{one['universe_id']}/events"
        events = (await owner.client.get(log)).json()["items"]
        last = {"op": "remove_entity", "id": "nobody"}
        answer = await edit(owner, one["id"], *batch, last)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [f"edits[{len(batch)}].id"]
        now = await owner.client.get(path)
        assert (now.json(), now.headers["etag"]) == (one, '"1"')
        now_logged = (await owner.client.get(log)).json()["items"]
        assert [{**event, "cursor": ""} for event in now_logged] == [{**event, "cursor": ""} for event in events]
        # All but the last are edits that this map takes, and its undo takes them back.
        assert (await edit(owner, one["id"], *batch)).status_code == 200
        changed = (await owner.client.get(path)).json()["grid_data"]
        assert {key for key, value in one["grid_data"].items() if changed.get(key) != value} == {
            "width", "height", "legend", "layers", "entities", "walls", "doors", "lights", "mood"
        }  # fmt: skip
        assert (await owner.client.post(f"{path}/undo")).status_code == 200
        assert (await owner.client.get(path)).json()["grid_data"] == one["grid_data"]

    async def test_what_changes_nothing_is_no_event(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 3))
        answer = await edit(owner, one["id"], set_cells((1, 1, ".")))
        assert answer.json() == {"version": 1, "seq": None, "changed": 0}

    async def test_stale_if_match(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 3))
        assert (await edit(owner, one["id"], set_cells((0, 0, "#")), **{"If-Match": '"1"'})).status_code == 200
        answer = await edit(owner, one["id"], set_cells((1, 0, "#")), **{"If-Match": '"1"'})
        assert (answer.status_code, answer.json()["current_version"]) == (412, 2)
        assert await rows(owner, one["id"]) == ["#...", "....", "...."]

    async def test_many_paint_at_once_and_none_is_lost(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(70, 70))
        cells = [(x, y) for x in range(0, 70, 9) for y in range(0, 70, 9)][:48]
        answers = await asyncio.gather(*(edit(owner, one["id"], set_cells((x, y, "#"))) for x, y in cells))
        assert {answer.status_code for answer in answers} == {200}
        assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 50))
        painted = await rows(owner, one["id"])
        assert {(x, y) for y in range(70) for x in range(70) if painted[y][x] == "#"} == set(cells)

    async def test_sent_again_with_its_key_it_is_applied_once(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 3))
        key = {"Idempotency-Key": str(uuid4())}
        put = {"op": "put_light", "light": {"x": 1, "y": 1, "range": 4}}
        answers = await asyncio.gather(*(edit(owner, one["id"], put, **key) for _ in range(5)))
        assert {answer.text for answer in answers} == {'{"version":2,"seq":3,"changed":1}'}
        document = (await owner.client.get(f"/maps/{one['id']}")).json()["grid_data"]
        assert len(document["lights"]) == 1
        assert document["lights"][0].pop("id")

    @pytest.mark.parametrize(
        "faulty",
        [
            {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": "a", "height": [], "symbol": "#"},
            {"op": "set", "layer": "ground", "cells": 3},
            {"op": "paste", "layer": "ground", "x": 0, "y": 0, "rows": [1]},
            {"op": "remove_legend_entry", "symbol": "."},
            {"op": "update_map", "changes": {"width": 9}},
        ],
        ids=lambda edit: edit["op"],
    )
    async def test_what_is_faulty_is_refused(self, owner: Person, faulty: dict[str, Any]) -> None:
        one = await owner.map(grid_data=grid(4, 3))
        answer = await edit(owner, one["id"], faulty)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_EDIT")

    async def test_layers_legend_and_size(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 3))
        answer = await edit(
            owner,
            one["id"],
            {"op": "add_layer", "layer": {"name": "roof", "rows": ["#   ", "    ", "    "]}, "index": 0},
            {"op": "update_layer", "name": "roof", "changes": {"opacity": 0.5}},
            {"op": "update_legend", "legend": [{"symbol": "T", "name": "table"}]},
            {"op": "fill_rectangle", "layer": "ground", "x": 0, "y": 0, "width": 2, "height": 1, "symbol": "T"},
            {"op": "resize", "width": 66, "height": 4, "anchor": "top_right"},
        )
        assert answer.status_code == 200, answer.text
        document = (await owner.client.get(f"/maps/{one['id']}")).json()["grid_data"]
        assert (document["width"], document["height"]) == (66, 4)
        roof, ground = document["layers"]
        assert (roof["name"], roof["opacity"], roof["rows"][0]) == ("roof", 0.5, " " * 62 + "#   ")
        assert ground["rows"] == [" " * 62 + "TT..", *[" " * 62 + "...."] * 2, " " * 66]


class TestUndoAndRedo:
    async def test_back_and_forth(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        await edit(owner, one["id"], set_cells((0, 0, "#")))
        await edit(owner, one["id"], set_cells((1, 0, "#")))
        states = ["##.."]
        for verb in ("undo", "undo", "undo", "redo", "redo", "redo", "undo"):
            answer = await owner.client.post(f"/maps/{one['id']}/{verb}")
            states.append(answer.json().get("code") or (await rows(owner, one["id"]))[0])
        assert states == ["##..", "#...", "....", "NOTHING_TO_UNDO", "#...", "##..", "NOTHING_TO_REDO", "#..."]

    async def test_edits_that_overlap_each_other_go_back_and_forth(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(12, 9, legend=[{"symbol": symbol} for symbol in ".1234"]))
        path, states = f"/maps/{one['id']}", [await rows(owner, one["id"])]
        for at, symbol in enumerate("1234"):
            place = {"x": at, "y": 0, "width": 8, "height": 8}
            await edit(owner, one["id"], {"op": "fill_rectangle", "layer": "ground", "symbol": symbol, **place})
            states.append(await rows(owner, one["id"]))
        at = 4
        for verb in [*["undo"] * 4, *["redo"] * 4, "undo", "undo", "redo", *["undo"] * 3, *["redo"] * 4]:
            answer = await owner.client.post(f"{path}/{verb}")
            assert answer.status_code == 200, answer.text
            at += 1 if verb == "redo" else -1
            assert await rows(owner, one["id"]) == states[at]

    async def test_a_redo_over_an_undo_of_another_user_is_refused(self, owner: Person, database: Any) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        path = f"/maps/{one['id']}"

        async def by_somebody_else(seq: int) -> None:
            await database.execute(
                "UPDATE event SET actor_id = $3 WHERE universe_id = $1 AND seq = $2",
                one["universe_id"],
                seq,
                uuid4(),
            )

        await edit(owner, one["id"], set_cells((0, 0, "~")))
        await edit(owner, one["id"], set_cells((0, 0, "#")))
        assert (await owner.client.post(f"{path}/undo")).json()["seq"] == 5
        assert (await owner.client.post(f"{path}/undo")).json()["seq"] == 6
        for seq in (3, 6):
            await by_somebody_else(seq)
        refused = await owner.client.post(f"{path}/redo")
        assert (refused.status_code, refused.json()["code"]) == (409, "EDIT_OVERLAPPED")
        assert refused.json()["seq"] == 6

    async def test_a_new_edit_ends_what_could_be_repeated(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        await edit(owner, one["id"], set_cells((0, 0, "#")))
        await owner.client.post(f"/maps/{one['id']}/undo")
        await edit(owner, one["id"], set_cells((1, 0, "#")))
        assert (await owner.client.post(f"/maps/{one['id']}/redo")).json()["code"] == "NOTHING_TO_REDO"
        assert await rows(owner, one["id"]) == [".#.."]

    async def test_a_later_edit_of_the_same_cell_is_in_the_way(self, owner: Person, database: Any) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        await edit(owner, one["id"], set_cells((0, 0, "#")))
        await edit(owner, one["id"], set_cells((0, 0, "~"), (1, 0, "~")))
        # As if another user had made the later edit.
        await database.execute(
            "UPDATE event SET actor_id = NULL WHERE universe_id = $1 AND seq = 4", one["universe_id"]
        )
        answer = await owner.client.post(f"/maps/{one['id']}/undo")
        assert (answer.status_code, answer.json()["code"]) == (409, "EDIT_OVERLAPPED")
        assert "Event 4" in answer.json()["detail"]
        assert await rows(owner, one["id"]) == ["~~.."]

    async def test_a_later_edit_beside_it_stays(self, owner: Person, database: Any) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        await edit(owner, one["id"], set_cells((0, 0, "#")))
        await edit(owner, one["id"], set_cells((1, 0, "~")))
        await database.execute(
            "UPDATE event SET actor_id = NULL WHERE universe_id = $1 AND seq = 4", one["universe_id"]
        )
        assert (await owner.client.post(f"/maps/{one['id']}/undo")).status_code == 200
        assert await rows(owner, one["id"]) == [".~.."]

    async def test_a_replaced_grid_is_in_the_way(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        await edit(owner, one["id"], set_cells((0, 0, "#")))
        await owner.client.patch(f"/maps/{one['id']}", json={"grid_data": grid(4, 1, "~")})
        answer = await owner.client.post(f"/maps/{one['id']}/undo")
        assert (answer.status_code, answer.json()["code"]) == (409, "EDIT_OVERLAPPED")

    async def test_entries_of_the_legend_and_keys_of_the_map(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 1, grid_type="square", mood=None))
        path = f"/maps/{one['id']}"
        replace = {"op": "replace", "layer": "ground", "symbol": ".", "with": "o"}
        stone = {"op": "update_legend", "legend": [{"symbol": "o", "name": "stone"}], "index": 1}
        for request in (
            [stone, replace, {"op": "remove_legend_entry", "symbol": "."}],
            [{"op": "update_map", "changes": {"grid_type": None, "mood": {"now": "dark"}}}],
            [{"op": "update_map", "changes": {"mood": None}}],
        ):
            assert (await edit(owner, one["id"], *request)).status_code == 200
        states = [
            (await owner.client.get(path, params={"at_seq": seq})).json()["grid_data"] for seq in range(2, 6)
        ]
        legend = [LEGEND[0], {"symbol": "o", "name": "stone"}, LEGEND[2]]
        named = {**states[0], "legend": legend, "layers": [{"name": "ground", "rows": ["oooo"]}]}
        rest = {key: value for key, value in named.items() if key not in ("grid_type", "mood")}
        assert states == [one["grid_data"], named, {**rest, "mood": {"now": "dark"}}, rest]
        for verb, state in [*zip(["undo"] * 3, states[2::-1], strict=True), ("redo", states[1])]:
            assert (await owner.client.post(f"{path}/{verb}")).status_code == 200
            assert (await owner.client.get(path)).json()["grid_data"] == state
        # What undo and redo have recorded leads back as well.
        again = [
            (await owner.client.get(path, params={"at_seq": seq})).json()["grid_data"] for seq in range(5, 10)
        ]
        assert again == [states[3], states[2], states[1], states[0], states[1]]
        restored = await owner.client.post(f"{path}/restore", json={"seq": 4})
        assert restored.json()["grid_data"] == states[2]


class TestEvents:
    async def test_tell_what_they_left_behind(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        path = f"/maps/{one['id']}"
        await edit(
            owner, one["id"], set_cells((1, 0, "#")), {"op": "put_entity", "entity": {"id": "e", "x": 1, "y": 0}}
        )
        for verb in ("undo", "redo"):
            assert (await owner.client.post(f"{path}/{verb}")).status_code == 200
        assert (await owner.client.post(f"{path}/restore", json={"seq": 2})).status_code == 200
        log = (await owner.client.get(f"/universes/{one['universe_id']}/events?after=2")).json()["items"]
        edited, undone, redone, restored = (event["payload"] for event in log)
        entity = {"id": "e", "x": 1, "y": 0}
        done = {
            "touched": {"cells": 1, "entities": ["e"]},
            "region": {"x": 1, "y": 0, "width": 1, "height": 1},
            "cells": [{"layer": "ground", "runs": [[1, 0, 1, "#"]]}],
            "entities": {"put": [entity], "removed": []},
        }
        assert edited == {**done, "version": 2}
        assert redone == {**done, "version": 4, "of": 3}
        back = {
            "cells": [{"layer": "ground", "runs": [[1, 0, 1, "."]]}],
            "entities": {"put": [], "removed": ["e"]},
        }
        assert undone == {**done, **back, "version": 3, "of": 3}
        assert restored == {"seq": 2, "version": 5, "size": {"width": 4, "height": 1}, "reload": True}
        MapEdited.model_validate(edited)
        MapUndoOrRedo.model_validate(undone)
        MapRestored.model_validate(restored)


class TestHistory:
    async def test_newest_first_in_pages(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        await edit(owner, one["id"], set_cells((0, 0, "#"), (1, 0, "#")))
        await edit(owner, one["id"], {"op": "put_entity", "entity": {"id": "goblin", "x": 1, "y": 0}})
        await owner.client.post(f"/maps/{one['id']}/undo")
        keys = {"grid_type": "hex_row", "mood": "dark"}
        await edit(owner, one["id"], {"op": "update_map", "changes": keys})
        first = (await owner.client.get(f"/maps/{one['id']}/history?limit=4")).json()
        assert [(item["seq"], item["kind"], item["summary"]) for item in first["items"]] == [
            (6, "map.edited", "edited: map grid_type, mood"),
            (5, "map.undone", "undid event 4: entities goblin"),
            (4, "map.edited", "edited: entities goblin"),
            (3, "map.edited", "edited: 2 cells"),
        ]
        assert {(item["actor_id"], item["actor_name"]) for item in first["items"]} == {(owner.id, "Owner")}
        rest = (await owner.client.get(f"/maps/{one['id']}/history?cursor={first['next_cursor']}")).json()
        assert [item["kind"] for item in rest["items"]] == ["map.created"]
        assert rest["next_cursor"] is None

    async def test_without_reading_the_grid(self, owner: Person, statements: list[str]) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        statements.clear()
        answer = await owner.client.get(f"/maps/{one['id']}/history")
        assert answer.status_code == 200
        assert statements
        assert not any("grid_data" in statement for statement in statements)


class TestTheMapAsItWas:
    async def test_at_every_event(self, owner: Person) -> None:
        """Edits, a replaced grid, a new name, an undo: each past state can be read."""
        one = await owner.map(grid_data=grid(70, 2, "~"))
        path = f"/maps/{one['id']}"
        states = [one]
        for change in (
            lambda: edit(owner, one["id"], set_cells((66, 1, "#"))),
            lambda: owner.client.patch(path, json={"name": "Other", "description": "New."}),
            lambda: edit(owner, one["id"], {"op": "resize", "width": 3, "height": 1, "anchor": "bottom_right"}),
            lambda: owner.client.put(path, json={"name": "Third", "grid_data": {"mood": "dark"}}),
            lambda: owner.client.patch(path, json={"grid_data": grid(2, 2)}),
            lambda: edit(owner, one["id"], {"op": "add_layer", "layer": {"name": "roof", "rows": ["##", "  "]}}),
            lambda: owner.client.post(f"{path}/undo"),
        ):
            answer = await change()
            assert answer.status_code == 200, answer.text
            states.append((await owner.client.get(path)).json())
        for seq, state in enumerate(states, 2):
            was = await owner.client.get(path, params={"at_seq": seq})
            assert was.status_code == 200, was.text
            assert {**was.json(), "updated_at": ""} == {**state, "updated_at": ""}
        assert (await owner.client.get(path, params={"at_seq": 1})).status_code == 404

    async def test_restore(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(4, 1))
        await edit(owner, one["id"], set_cells((0, 0, "#")))
        await edit(owner, one["id"], {"op": "resize", "width": 2, "height": 1})
        answer = await owner.client.post(f"/maps/{one['id']}/restore", json={"seq": 3})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"4"')
        assert answer.json()["grid_data"]["layers"][0]["rows"] == ["#..."]
        assert answer.json() == (await owner.client.get(f"/maps/{one['id']}")).json()
        assert await rows(owner, one["id"], at_seq=4) == ["#."]


class TestRegion:
    async def test_cells_across_chunks(self, owner: Person) -> None:
        lines = ["".join(".#~"[(x + y) % 3] for x in range(150)) for y in range(140)]
        layers = [{"name": "ground", "rows": lines}, {"name": "a,b ü", "rows": [" " * 150] * 140}]
        one = await owner.map(grid_data=grid(150, 140, layers=layers))
        answer = await owner.client.get(f"/maps/{one['id']}/region?x=60&y=62&width=75&height=70")
        expected = {"x": 60, "y": 62, "width": 75, "height": 70, "version": 1}
        region = answer.json()
        assert {key: region[key] for key in expected} == expected
        assert region["layers"] == [
            {"name": "ground", "rows": [line[60:135] for line in lines[62:132]]},
            {"name": "a,b ü", "rows": [" " * 75] * 70},
        ]
        assert answer.headers["etag"] == '"1"'

    async def test_is_cut_off_at_the_edge(self, owner: Person) -> None:
        one = await owner.map(grid_data=grid(5, 4))
        region = (await owner.client.get(f"/maps/{one['id']}/region?x=3&y=3&width=9&height=9")).json()
        assert (region["width"], region["height"], region["layers"][0]["rows"]) == (2, 1, [".."])

    async def test_only_some_layers(self, owner: Person) -> None:
        layers = [{"name": name, "rows": ["."]} for name in ("a", "b", "c")]
        one = await owner.map(grid_data=grid(1, 1, layers=layers))
        answer = await owner.client.get(f"/maps/{one['id']}/region?x=0&y=0&width=1&height=1&layers=c,a")
        assert [layer["name"] for layer in answer.json()["layers"]] == ["a", "c"]

    @pytest.mark.parametrize(
        "query", ["x=5&y=0&width=1&height=1", "x=0&y=0&width=0&height=1", "x=-1&y=0&width=1&height=1"]
    )
    async def test_off_the_map(self, owner: Person, query: str) -> None:
        one = await owner.map(grid_data=grid(5, 4))
        answer = await owner.client.get(f"/maps/{one['id']}/region?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] in ("x", "width")
