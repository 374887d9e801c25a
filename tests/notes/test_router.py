"""Notes: who reads and changes what, pins on maps, and the search."""

from typing import Any

import pytest

from game.core.json_gate import MAX_STRING
from tests.conftest import Person
from tests.members.test_router import join
from tests.test_matrix import _png as png

UNKNOWN = "01a1fbbf-0000-7000-8000-000000000000"


async def write(person: Person, universe_id: str, **fields: Any) -> dict[str, Any]:
    answer = await person.client.post(f"/universes/{universe_id}/notes", json={"title": "A letter", **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/notes/{answer.json()['id']}"
    return dict(answer.json())


async def events_of(person: Person, universe_id: str) -> list[tuple[str, Any]]:
    items = (await person.client.get(f"/universes/{universe_id}/events")).json()["items"]
    return [(one["kind"], one["payload"]) for one in items if one["kind"].startswith("note.")]


async def titles(person: Person, universe_id: str, **query: Any) -> list[str]:
    answer = await person.client.get(f"/universes/{universe_id}/notes", params=query)
    assert answer.status_code == 200, answer.text
    return [one["title"] for one in answer.json()["items"]]


@pytest.fixture
async def universe_id(owner: Person, stranger: Person) -> str:
    """A universe in which the stranger is a player."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    return str(universe["id"])


async def fogged_map(owner: Person, universe_id: str) -> dict[str, Any]:
    """A published map with fog: two rooms, and a wall of rock between them."""
    legend = [{"symbol": "."}, {"symbol": "#", "blocks_sight": True, "blocks_movement": True}]
    grid = {"width": 7, "height": 1, "legend": legend, "layers": [{"name": "ground", "rows": ["...#..."]}]}
    made = await owner.map(universe_id, grid_data=grid, visibility="members")
    answer = await owner.client.patch(f"/maps/{made['id']}", json={"fog": "explored"})
    assert answer.status_code == 200, answer.text
    return made


async def eyes(owner: Person, made: dict[str, Any], player: Person) -> None:
    """A token of a player's in the first room of a map."""
    token = {"name": "Ashe", "x": 0, "y": 0, "sight": {"range": 10}, "grants": {player.id: ["act"]}}
    answer = await owner.client.post(f"/maps/{made['id']}/tokens", json=token)
    assert answer.status_code == 201, answer.text


class TestNotes:
    async def test_a_players_own(self, owner: Person, stranger: Person, universe_id: str) -> None:
        body = "<b>HTML</b> is *text*\r\n[x](javascript:alert(1))"
        made = await write(stranger, universe_id, body=body, grants={owner.id: ["see"]})
        assert made["grants"] == {stranger.id: ["act"]}
        assert (made["author_id"], made["body"]) == (stranger.id, body)
        assert not made.keys() & {"version", "updated_at", "html"}
        read = await stranger.client.get(f"/notes/{made['id']}")
        assert read.json()["body"] == body
        expected = "<p>&lt;b&gt;HTML&lt;/b&gt; is <em>text</em>\n[x](javascript:alert(1))</p>\n"
        assert read.json()["html"] == expected
        again = await stranger.client.get(f"/notes/{made['id']}", headers={"if-none-match": read.headers["etag"]})
        assert again.status_code == 304
        seen = (await owner.client.get(f"/notes/{made['id']}")).json()
        assert (seen["version"], seen["grants"]) == (1, {stranger.id: ["act"], owner.id: ["see"]})
        assert await events_of(stranger, universe_id) == [
            ("note.created", {"title": "A letter", "body": "replaced"})
        ]

    async def test_a_long_one(self, owner: Person, universe_id: str) -> None:
        made = await write(owner, universe_id, body="word *word* " * 2_000)
        read = (await owner.client.get(f"/notes/{made['id']}")).json()
        assert read["html"].count("<em>word</em>") == 2_000

    async def test_by_rights(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await write(owner, universe_id)
        path = f"/notes/{made['id']}"
        assert (await stranger.client.get(path)).json()["code"] == "NOT_FOUND"
        assert await titles(stranger, universe_id) == []
        await owner.client.patch(path, json={"grants": {"members": ["see"], owner.id: ["act"]}})
        assert (await stranger.client.get(path)).json()["grants"] == {"members": ["see"]}
        assert await titles(stranger, universe_id) == ["A letter"]
        assert (await stranger.client.patch(path, json={"title": "x"})).status_code == 403
        assert (await stranger.client.delete(path)).status_code == 403
        await owner.client.patch(path, json={"grants": {"members": ["act"]}})
        assert (await stranger.client.patch(path, json={"grants": {}})).status_code == 403
        changed = await stranger.client.put(path, json={"title": "Mine"})
        assert (changed.status_code, changed.json()["grants"]) == (200, {"members": ["act"]})
        # They may change it; but it is not theirs.
        assert (await stranger.client.delete(path)).status_code == 403
        stale = await owner.client.delete(path, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["current_version"]) == (412, 4)
        assert (await owner.client.delete(path)).status_code == 204
        own = await write(stranger, universe_id)
        assert (await stranger.client.delete(f"/notes/{own['id']}")).status_code == 204

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"title": "  "}, "title"),
            ({"body": "x" * (MAX_STRING + 1)}, "body"),
            ({"grants": {"members": ["sheet"]}}, "grants.members[0]"),
            ({"grants": {UNKNOWN: ["see"]}}, "grants." + UNKNOWN),
            ({"map_id": UNKNOWN, "x": 1, "y": 1}, "map_id"),
            ({"x": 1}, "map_id"),
            ({"author_id": UNKNOWN}, "author_id"),
        ],
    )
    async def test_bad_input(self, owner: Person, universe_id: str, fields: Any, place: str) -> None:
        path = f"/universes/{universe_id}/notes"
        answer = await owner.client.post(path, json={"title": "A letter", **fields})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, place), answer.text

    async def test_a_key_repeats_the_answer(self, stranger: Person, universe_id: str) -> None:
        path, headers = f"/universes/{universe_id}/notes", {"idempotency-key": "once"}
        answers = [await stranger.client.post(path, json={"title": "x"}, headers=headers) for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert await titles(stranger, universe_id) == ["x"]


class TestPins:
    async def test_where_the_map_is_seen(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """A pin's note is read by its grants; its place only by those who see the map."""
        grid = {"width": 4, "height": 4}
        made = await owner.map(universe_id, grid_data=grid, visibility="members")
        place = {"map_id": made["id"], "x": 1.5, "y": 4}
        note = await write(owner, universe_id, grants={"members": ["see"]}, **place)
        path, nowhere = f"/notes/{note['id']}", dict.fromkeys(place)
        assert (await stranger.client.get(path)).json().items() >= place.items()
        await owner.client.patch(f"/maps/{made['id']}", json={"visibility": "game_masters"})
        assert (await stranger.client.get(path)).json().items() >= nowhere.items()
        [listed] = (await stranger.client.get(f"/universes/{universe_id}/notes")).json()["items"]
        assert listed.items() >= nowhere.items()
        assert (await owner.client.get(path)).json().items() >= place.items()
        own = {"title": "x", **place}
        assert (await stranger.client.post(f"/universes/{universe_id}/notes", json=own)).status_code == 422

    async def test_a_note_keeps_a_position_that_the_caller_does_not_see(
        self, owner: Person, stranger: Person, universe_id: str
    ) -> None:
        made = await owner.map(universe_id, grid_data={"width": 4, "height": 4})
        place = {"map_id": made["id"], "x": 1, "y": 2}
        note = await write(owner, universe_id, grants={"members": ["act"]}, **place)
        path = f"/notes/{note['id']}"
        for method, body in (("PUT", {"title": "x"}), ("PATCH", {"map_id": None})):
            assert (await stranger.client.request(method, path, json=body)).status_code == 200
        assert (await stranger.client.patch(path, json={"x": 3})).status_code == 422
        assert (await owner.client.get(path)).json().items() >= place.items()

    async def test_places(self, owner: Person, stranger: Person, universe_id: str) -> None:
        made = await owner.map(universe_id, grid_data={"width": 4, "height": 4})
        note = await write(owner, universe_id, map_id=made["id"], x=1, y=1, grants={"members": ["see"]})
        path = f"/notes/{note['id']}"
        for body in ({"x": 4.5}, {"x": None}, {"x": -1}, {"y": "1e999"}):
            assert (await owner.client.patch(path, json=body)).status_code == 422, body
        assert (await owner.client.patch(path, json={"x": 4})).json()["x"] == 4
        # The new position of a pin is not sent to members who do not see the map.
        assert len(await events_of(stranger, universe_id)) == 1
        await owner.client.patch(f"/maps/{made['id']}", json={"visibility": "members"})
        await owner.client.patch(path, json={"x": 3})
        assert (await events_of(stranger, universe_id))[1:] == [("note.updated", {})]
        cleared = (await owner.client.patch(path, json={"map_id": None})).json()
        assert (cleared["map_id"], cleared["x"], cleared["y"]) == (None, None, None)

    async def test_under_fog(self, owner: Person, stranger: Person, universe_id: str) -> None:
        """In cells that a player has not seen, a pin has no place."""
        made = await fogged_map(owner, universe_id)
        for x in (1, 5):
            await write(
                owner, universe_id, title=str(x), map_id=made["id"], x=x, y=0.5, grants={"members": ["see"]}
            )
        path = f"/universes/{universe_id}/notes"

        async def places() -> dict[str, Any]:
            items = (await stranger.client.get(path)).json()["items"]
            return {one["title"]: (one["map_id"], one["x"]) for one in items}

        assert await places() == {"1": (None, None), "5": (None, None)}
        await eyes(owner, made, stranger)
        assert await places() == {"1": (made["id"], 1), "5": (None, None)}
        [hidden] = [one for one in (await owner.client.get(path)).json()["items"] if one["title"] == "5"]
        assert (await stranger.client.get(f"/notes/{hidden['id']}")).json()["x"] is None
        assert hidden["x"] == 5

    @pytest.mark.parametrize("moves", [True, False])
    async def test_notes_remain_when_their_map_is_deleted_or_moved(
        self, owner: Person, universe_id: str, moves: bool
    ) -> None:
        made = await owner.map(universe_id, grid_data={"width": 4, "height": 4})
        note = await write(owner, universe_id, map_id=made["id"], x=1, y=1)
        path = f"/maps/{made['id']}"
        if moves:
            target = {"universe_id": (await owner.universe())["id"]}
            assert (await owner.client.patch(path, json=target)).status_code == 200
        else:
            assert (await owner.client.delete(path)).status_code == 204
        left = (await owner.client.get(f"/notes/{note['id']}")).json()
        assert (left["map_id"], left["x"], left["version"]) == (None, None, 2)


class TestSearch:
    async def test_words(self, owner: Person, stranger: Person, universe_id: str) -> None:
        await write(owner, universe_id, title="Goblins", body="The **Bell** of Undermere")
        await write(owner, universe_id, title="Inn", body="A bell, and ale; étagère", grants={"members": ["see"]})
        elsewhere = await owner.universe()
        await write(owner, elsewhere["id"], title="Elsewhere", body="bell")
        for q, expected in (
            ("bell", ["Goblins", "Inn"]),
            ("BELL und", ["Goblins"]),
            ("gobl", ["Goblins"]),
            ("go", []),
            ("a bell", ["Inn"]),
            ("ÉTAGÈRE", ["Inn"]),
            ("bell' | ale & !x:*", []),
            ("!!! ::* &", []),
            ("'", []),
            (f"universe:{universe_id}", []),
        ):
            assert await titles(owner, universe_id, q=q) == expected, q
        assert await titles(stranger, universe_id, q="bell") == ["Inn"]
        assert await titles(owner, universe_id, sort="-name") == ["Inn", "Goblins"]

    async def test_pages(self, owner: Person, universe_id: str) -> None:
        for number in range(5):
            await write(owner, universe_id, title=f"Bell {number}")
        found: list[str] = []
        cursor: str | None = None
        while cursor is not None or not found:
            query = {"q": "bell", "limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await owner.client.get(f"/universes/{universe_id}/notes", params=query)).json()
            found += [one["title"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert found == [f"Bell {number}" for number in range(5)]


async def test_pictures_of_a_handout(owner: Person, stranger: Person, universe_id: str) -> None:
    """Who reads a note sees its pictures; players show those that they see."""
    file = {"file": ("dot.png", png(), "image/png")}
    url = (await owner.client.post(f"/universes/{universe_id}/assets", files=file)).json()["url"]
    path = f"/universes/{universe_id}/notes"
    body = {"title": "x", "body": f"![x]({url})"}
    refused = await stranger.client.post(path, json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body")
    handout = await write(owner, universe_id, body=f"A map: ![x]({url}?size=thumbnail)")
    assert (await stranger.client.get(url)).status_code == 404
    await owner.client.patch(f"/notes/{handout['id']}", json={"grants": {stranger.id: ["act"]}})
    assert (await stranger.client.get(url)).status_code == 200
    assert (await stranger.client.post(path, json=body)).status_code == 201
    # What is already there may remain.
    assert (await stranger.client.patch(f"/notes/{handout['id']}", json={"body": f"{url} again"})).is_success
