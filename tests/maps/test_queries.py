"""How maps are stored: what goes in comes out, only what changed is written, and the log can take it all back."""

import copy
import json
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from game.accounts.models import User
from game.grid.chunks import CHUNK, join, split
from game.grid.document import size
from game.maps import changes, queries
from tests.conftest import Person, new_client, sign_up_and_log_in
from tests.grid.test_document import documents as small_documents

SIDES = st.sampled_from([1, 7, 63, 64, 65, 128, 130])
SYMBOLS = "#.~é中\ue000"


def clean(value: Any) -> Any:
    """A value as the gate lets it through: no U+0000, no tiny numbers, and whole numbers as integers."""
    if isinstance(value, dict):
        return {clean(key): clean(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [clean(inner) for inner in value]
    if isinstance(value, str):
        return value.replace("\0", "?")
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if abs(value) > 1e-60 else 0.5
    return value


@st.composite
def large_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents over several chunks, with layers that are empty here and there."""
    width, height = draw(SIDES), draw(SIDES)
    layers = []
    for name in draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3)):
        layer: dict[str, Any] = {"name": name, "opacity": 0.5}
        if draw(st.booleans()):
            patterns = draw(
                st.lists(st.text(SYMBOLS + " ", min_size=1, max_size=5) | st.just(" "), min_size=1, max_size=3)
            )
            bands = draw(st.integers(1, 70))
            layer["rows"] = [(patterns[y // bands % len(patterns)] * width)[:width] for y in range(height)]
        layers.append(layer)
    legend = [{"symbol": symbol} for symbol in SYMBOLS]
    return {"width": width, "height": height, "legend": legend, "layers": layers}


DOCUMENTS = small_documents().map(clean) | large_documents() | st.just({})

EXAMPLES = hypothesis_settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


def text(value: Any) -> str:
    """A value as text: in Python, 1 and True are equal."""
    return json.dumps(value, sort_keys=True)


@pytest.fixture(scope="module")
async def keeper(app: FastAPI) -> Person:
    """Somebody with maps; one for all examples of a property."""
    return await sign_up_and_log_in(new_client(app))


async def read(person: Person, map_id: str) -> Any:
    """A map's grid by the hot and by the plain way, which are equal."""
    hot, plain = [await person.client.get(f"/maps/{map_id}{query}") for query in ("", "?x=1")]
    assert (hot.status_code, hot.content) == (200, plain.content)
    return hot.json()["grid_data"]


async def stored(database: asyncpg.Connection, map_id: str) -> dict[tuple[int, int, int], tuple[str, int]]:
    """The stored chunks of a map: rows, and the transaction that wrote them."""
    rows = await database.fetch(
        "SELECT layer, x, y, rows::text, xmin::text::bigint FROM map_chunk WHERE map_id = $1", UUID(map_id)
    )
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


class TestDocuments:
    @EXAMPLES
    @given(first=DOCUMENTS, second=DOCUMENTS)
    async def test_come_back_equal(
        self, keeper: Person, database: asyncpg.Connection, first: dict[str, Any], second: dict[str, Any]
    ) -> None:
        made = await keeper.map(grid_data=first)
        assert text(made["grid_data"]) == text(first)
        assert text(await read(keeper, made["id"])) == text(first)
        before = await stored(database, made["id"])
        answer = await keeper.client.put(f"/maps/{made['id']}", json={"name": "Cellar", "grid_data": second})
        assert answer.status_code == 200, answer.text
        assert text(answer.json()["grid_data"]) == text(second)
        assert text(await read(keeper, made["id"])) == text(second)
        assert answer.json()["version"] == (1 if text(first) == text(second) else 2)
        # A chunk was written just when its rows are others; an empty one has no row.
        after = await stored(database, made["id"])
        for key, (rows, transaction) in after.items():
            assert json.loads(rows)
            assert any(line.strip() for line in json.loads(rows))
            if key in before:
                assert (transaction == before[key][1]) == (rows == before[key][0])

    async def test_one_cell_writes_one_chunk(self, owner: Person, database: asyncpg.Connection) -> None:
        rows = ["#" * 200] * 200
        grid: dict[str, Any] = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": rows}]}
        made = await owner.map(grid_data=grid)
        before = await stored(database, made["id"])
        assert len(before) == 16
        changed = copy.deepcopy(grid)
        changed["layers"][0]["rows"][70] = "#" * 130 + " " + "#" * 69
        await owner.client.patch(f"/maps/{made['id']}", json={"grid_data": changed})
        after = await stored(database, made["id"])
        assert {key for key in after if after[key] != before[key]} == {(0, 130 // CHUNK, 70 // CHUNK)}

    async def test_a_patch_of_the_name_writes_no_chunk(self, owner: Person, database: asyncpg.Connection) -> None:
        grid = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["#" * 100]}]}
        made = await owner.map(grid_data=grid)
        before = await stored(database, made["id"])
        await owner.client.patch(f"/maps/{made['id']}", json={"name": "New"})
        assert await stored(database, made["id"]) == before
        assert await read(owner, made["id"]) == grid

    async def test_empty_chunks_have_no_row(self, owner: Person, database: asyncpg.Connection) -> None:
        rows = [" " * 200] * 199 + [" " * 199 + "#"]
        grid = {
            "legend": [{"symbol": "#"}],
            "layers": [{"name": "a", "rows": rows}, {"name": "b", "rows": [" " * 200] * 200}],
        }
        made = await owner.map(grid_data=grid)
        assert (await stored(database, made["id"])).keys() == {(0, 3, 3)}
        assert await read(owner, made["id"]) == grid

    async def test_others_are_told_at_once_of_a_very_large_change(
        self, app: FastAPI, owner: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They do not wait for the lock, each with a connection, until their time is over."""
        monkeypatch.setattr("game.maps.replacing._BUSY_CHUNKS", 1)
        made = await owner.map(grid_data={})
        path = f"/universes/{made['universe_id']}"
        document = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": ["#" * 130]}]}
        async with app.state.database.session() as session:
            user = await session.get(User, UUID(owner.id))
            found = await queries.get_to_change(session, user, UUID(made["id"]), "updateMap")
            await changes.change(session, found, {"grid_data": document})
            answer = await owner.client.patch(path, json={"name": "Meanwhile"})
            assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
            assert "very large change" in answer.json()["detail"]
            assert answer.headers["retry-after"] == "1"
            await session.commit()
        assert (await owner.client.patch(path, json={"name": "Afterwards"})).status_code == 200

    async def test_the_largest_map_is_cheap_when_it_is_empty(
        self, owner: Person, database: asyncpg.Connection
    ) -> None:
        made = await owner.map(grid_data={"width": 4096, "height": 4096, "layers": [{"name": "a"}]})
        assert await stored(database, made["id"]) == {}

    async def test_a_body_of_megabytes(self, owner: Person) -> None:
        rows = ["#." * 1000] * 1900
        grid = {"legend": [{"symbol": "#"}, {"symbol": "."}], "layers": [{"name": "a", "rows": rows}]}
        made = await owner.map(grid_data=grid)
        assert made["grid_data"] == grid
        assert await read(owner, made["id"]) == grid


class Past:
    """A map on its way back through the `before` of its events."""

    def __init__(self, grid: dict[str, Any], fields: dict[str, Any]) -> None:
        # The map as it is: keys of layers are the stored ones, so the chunks come from the database.
        self.fields = fields
        self.frame: Any = None
        self.size = size(grid)
        self.chunks: dict[tuple[int, int, int], list[str]] = {}

    @classmethod
    async def of(cls, database: asyncpg.Connection, map_id: str) -> "Past":
        row = await database.fetchrow("SELECT * FROM map WHERE id = $1", UUID(map_id))
        past = cls({}, {"name": row["name"], "description": row["description"]})
        past.frame, past.size = orjson.loads(row["grid_data"]), (row["width"], row["height"])
        past.chunks = {key: json.loads(rows) for key, (rows, _) in (await stored(database, map_id)).items()}
        return past

    def take_back(self, before: dict[str, Any]) -> None:
        self.fields |= {name: before[name] for name in ("name", "description") if name in before}
        if "grid_data" in before:
            self.frame, self.size = before["grid_data"], tuple(before["size"])
            for layer, x, y, rows in before["chunks"]:
                if rows is None:
                    self.chunks.pop((layer, x, y), None)
                else:
                    self.chunks[layer, x, y] = rows

    def grid(self) -> Any:
        chunks = [(*key, orjson.dumps(rows).decode()) for key, rows in self.chunks.items()]
        return orjson.loads(join(orjson.dumps(self.frame).decode(), chunks, *self.size))


async def befores(database: asyncpg.Connection, map_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What each event of a map kept of the time before, the newest first."""
    rows = await database.fetch(
        "SELECT kind, before FROM event WHERE subject_id = $1 ORDER BY created_at DESC, seq DESC", UUID(map_id)
    )
    return [(row["kind"], orjson.loads(row["before"] or "{}")) for row in rows]


class TestBefore:
    @EXAMPLES
    @given(grids=st.lists(DOCUMENTS, min_size=2, max_size=4), moves=st.booleans())
    async def test_rebuilds_the_map_as_it_was(
        self, keeper: Person, database: asyncpg.Connection, grids: list[dict[str, Any]], moves: bool
    ) -> None:
        made = await keeper.map(name="0", grid_data=grids[0])
        path = f"/maps/{made['id']}"
        history = [made]
        for number, grid in enumerate(grids[1:], 1):
            body: dict[str, Any] = {"grid_data": grid, "name": str(number)}
            if moves and number == 1:
                body["universe_id"] = (await keeper.universe())["id"]
            history.append((await keeper.client.patch(path, json=body)).json())
        past = await Past.of(database, made["id"])
        for kind, before in await befores(database, made["id"]):
            if kind == "map.moved_out":
                # The other half of a move tells what was before.
                assert before == {}
                continue
            was = history.pop()
            assert text(past.grid()) == text(was["grid_data"])
            assert past.fields["name"] == was["name"]
            past.take_back(before)
        assert history == []

    async def test_knows_the_size_of_a_map_that_did_not_say_it(
        self, owner: Person, database: asyncpg.Connection
    ) -> None:
        # Its rows were its size; they are in chunks, and an empty chunk is nowhere.
        grid = {"layers": [{"name": "a", "rows": [" " * 70] * 65}]}
        made = await owner.map(grid_data=grid)
        await owner.client.patch(f"/maps/{made['id']}", json={"grid_data": {}})
        past = await Past.of(database, made["id"])
        past.take_back((await befores(database, made["id"]))[0][1])
        assert past.grid() == grid

    async def test_holds_only_the_chunks_that_changed(self, owner: Person, database: asyncpg.Connection) -> None:
        rows = ["#" * 130] * 130
        grid: dict[str, Any] = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": rows}]}
        made = await owner.map(grid_data=grid)
        changed = copy.deepcopy(grid)
        changed["layers"][0]["rows"][0] = " " + "#" * 129
        await owner.client.patch(f"/maps/{made['id']}", json={"grid_data": changed})
        [(_, before), _] = await befores(database, made["id"])
        assert [chunk[:3] for chunk in before["chunks"]] == [[0, 0, 0]]

    async def test_of_a_deleted_map_is_the_whole_map(self, owner: Person, database: asyncpg.Connection) -> None:
        rows = ["# " * 40] * 70
        grid = {"legend": [{"symbol": "#"}], "layers": [{"name": "a", "rows": rows}], "own": {"x": 1.5}}
        made = await owner.map(name="Gone", description="Soon", grid_data=grid)
        await owner.client.delete(f"/maps/{made['id']}")
        [(kind, before), _] = await befores(database, made["id"])
        assert kind == "map.deleted"
        past = Past({}, {})
        past.take_back(before)
        assert past.grid() == grid
        assert past.fields == {"name": "Gone", "description": "Soon"}


def test_a_frame_tells_nothing_of_empty_rows() -> None:
    # Why `before` keeps the size: two sizes, one frame, no chunks.
    frames = [split({"layers": [{"name": "a", "rows": [" " * width]}]}) for width in (3, 9)]
    assert frames[0] == frames[1]
