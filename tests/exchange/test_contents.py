"""What a bundle contains is checked like what a client sends: each violation names its file and line."""

import gzip
import io
import random
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import hypothesis
import orjson
import pytest

from game.core.json_gate import MAX_EVENT_DEPTH
from game.core.settings import Settings
from game.exchange.bundle import BundleError, Limits
from game.exchange.contents import prepare
from game.main import create_app, lifespan
from tests.conftest import Person, somebody
from tests.exchange.test_universes import bring_in, full_universe
from tests.grid.test_stored import JUNK, changed, places
from tests.maps.test_history import everything

LIMITS = Limits(maps=10, assets=10, events=100, unpacked=2**24)
GRID = {
    "width": 2,
    "height": 1,
    "legend": [{"symbol": "#"}],
    "layers": [{"name": "ground", "rows": ["##"]}],
    "background": {"asset_id": "old-asset"},
}
MAP = {"id": "m", "name": "Cellar", "description": "", "version": 3, "grid_data": GRID}
CHANGE = [{"cells": 0, "runs": [[0, 0, 2, " ", "#"]]}]
FRAME = {**GRID, "layers": [{"name": "ground", "rows": 2**53}]}
EVENTS: list[dict[str, Any]] = [
    {"kind": "map.created", "payload": {"name": "Cellar", "version": 1}, "before": None},
    {"kind": "map.edited", "payload": {"version": 2, "touched": {"cells": 2}}, "before": {"change": CHANGE}},
    {
        "kind": "map.updated",
        "payload": {"version": 3, "grid_data": "replaced"},
        "before": {"grid_data": FRAME, "size": [2, 1], "chunks": [[0, 0, 0, ["##"]]]},
    },
    {"kind": "token.moved", "payload": {"anything": [1]}, "before": None},
]


def bundle(path: Path, events: Any = EVENTS, one: Any = MAP, manifest: Any = None, more: Any = ()) -> Path:
    """A bundle with one map and a history."""
    whole = {
        "format": "worldkeep-universe",
        "version": 1,
        "universe": {"name": "Here"},
        "maps": ["m"],
        "assets": [],
    }
    lines = []
    for seq, event in enumerate(events, 1):
        if isinstance(event, dict):
            fields = {"seq": seq, "subject_id": "m", "created_at": "2026-01-01T00:00:00Z"}
            event = orjson.dumps({**fields, **event})
        lines.append(event)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("worldkeep.json", orjson.dumps({**whole, **(manifest or {})}))
        file.writestr("maps/m.json", one if isinstance(one, bytes) else orjson.dumps(one))
        file.writestr("events.jsonl", b"\n".join(lines))
        for name, data in more:
            file.writestr(name, data)
    return path


def refused(tmp_path: Path, **parts: Any) -> str:
    """The place in the error of a rejected bundle."""
    with pytest.raises(BundleError) as error:
        prepare(str(bundle(tmp_path / "bundle", **parts)), str(tmp_path / "records"), LIMITS)
    return error.value.place


def test_a_good_one_is_prepared(tmp_path: Path) -> None:
    contents = prepare(str(bundle(tmp_path / "bundle")), str(tmp_path / "records"), LIMITS)
    assert (contents.name, contents.events, contents.asset_bytes) == ("Here", 4, 0)
    assert contents.map_bytes > 100
    records = [orjson.loads(line) for line in gzip.decompress((tmp_path / "records").read_bytes()).splitlines()]
    assert [record["kind"] for record in records] == ["map", "chunks", "events"]
    assert (records[0]["version"], records[0]["width"]) == (3, 2)
    assert set(records[2]["subject_ids"]) == {records[0]["id"]}


DEEP: Any = 1
for _ in range(90):
    DEEP = [DEEP]


class TestManifest:
    @pytest.mark.parametrize(
        ("manifest", "place"),
        [
            ({"maps": ["m", "m"]}, "worldkeep.json: maps[1]"),
            ({"maps": ["m"] * 11}, "worldkeep.json: maps"),
            ({"maps": [5]}, "worldkeep.json: maps[0]"),
            ({"maps": ["other"]}, "maps/other.json"),
            ({"assets": [{"id": "a"}] * 11}, "worldkeep.json: assets"),
            ({"assets": [{"id": "a"}]}, "assets/a"),
            ({"assets": [7]}, "worldkeep.json: assets[0]"),
            ({"universe": {"name": "a\tb"}}, "worldkeep.json: universe.name"),
            ({"universe": {"name": "A", "description": "x" * 10_001}}, "worldkeep.json: universe.description"),
            ({"universe": None}, "worldkeep.json: universe"),
        ],
    )
    def test_is_bounded(self, tmp_path: Path, manifest: Any, place: str) -> None:
        assert refused(tmp_path, manifest=manifest) == place

    def test_names_entries_once(self, tmp_path: Path) -> None:
        with pytest.warns(UserWarning, match="Duplicate name"):
            path = bundle(tmp_path / "bundle", more=[("maps/m.json", b"{}")])
        with pytest.raises(BundleError, match="two entries with the same name"):
            prepare(str(path), str(tmp_path / "records"), LIMITS)

    def test_a_directory_that_is_too_long_is_not_read(self, tmp_path: Path) -> None:
        data = bytearray(bundle(tmp_path / "bundle").read_bytes())
        at = data.rfind(b"PK\5\6")
        data[at + 12 : at + 16] = (2**31).to_bytes(4, "little")
        (tmp_path / "bundle").write_bytes(data)
        with pytest.raises(BundleError, match="too many entries"):
            prepare(str(tmp_path / "bundle"), str(tmp_path / "records"), LIMITS)


class TestMaps:
    @pytest.mark.parametrize(
        ("one", "place"),
        [
            (5, "maps/m.json"),
            ({**MAP, "version": 0}, "maps/m.json: version"),
            ({**MAP, "version": "3"}, "maps/m.json: version"),
            ({**MAP, "version": 2**31}, "maps/m.json: version"),
            ({**MAP, "name": "x" * 101}, "maps/m.json: name"),
            ({**MAP, "grid_data": 5}, "maps/m.json: grid_data"),
            ({**MAP, "grid_data": {"width": 15000}}, "maps/m.json: grid_data.width"),
            (
                {**MAP, "grid_data": {**GRID, "layers": [{"name": "a", "rows": ["??"]}]}},
                "maps/m.json: grid_data.layers[0].rows[0]",
            ),
            (
                {**MAP, "grid_data": {"layers": [{"name": "a", "rows": 2**53}]}},
                "maps/m.json: grid_data.layers[0].rows",
            ),
            ({**MAP, "grid_data": {"note": DEEP}}, "maps/m.json: grid_data.note" + "[0]" * 30),
            (b'{"name": "A", "name": "B"}', "maps/m.json: name"),
            (b'{"name": 1e999}', "maps/m.json"),
        ],
    )
    def test_violations(self, tmp_path: Path, one: Any, place: str) -> None:
        assert refused(tmp_path, one=one) == place


def event(kind: str = "map.edited", payload: Any = None, **fields: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "payload": {"version": 2} if payload is None else payload,
        "before": {"change": []},
        **fields,
    }


class TestEvents:
    @pytest.mark.parametrize(
        ("second", "place"),
        [
            (b"[]", ""),
            (b" ", ""),
            (b'{"seq": 2', ""),
            (event(seq=3), ": seq"),
            (event(seq=True), ": seq"),
            (event(kind="Map edited"), ": kind"),
            (event(created_at="yesterday"), ": created_at"),
            (event(created_at="0001-01-01T00:00:00+14:00"), ": created_at"),
            (event(created_at="2026-01-01T00:00:00"), ": created_at"),
            (event(subject_id=5), ": subject_id"),
            (event(payload=5), ": payload"),
            (event(payload={}), ": payload.version"),
            (event(payload={"version": 0}), ": payload.version"),
            (event(payload={"version": 2**40}), ": payload.version"),
            (event(payload={"version": 2, "touched": {"cells": -1}}), ": payload.touched.cells.constrained-int"),
            (event(payload={"version": 2, "note": DEEP}), ": payload.note" + "[0]" * (MAX_EVENT_DEPTH - 2)),
            (event("map.undone", {"version": 2}), ": payload.of"),
            (event("map.undone", {"version": 2, "of": 2}), ": payload.of"),
            (event("map.restored", {"version": 2, "seq": 9}, before=None), ": payload.seq"),
            (event("map.updated", {"version": 2, "grid_data": 5}, before=None), ": payload.grid_data"),
            (event("map.created", {"name": 5, "version": 1}, before=None), ": payload.name"),
            (event("asset.created", {"name": "a"}, before=None), ": payload.media_type"),
            (event("token.moved", {"big": 2**53}), ": payload.big"),
            (event(before=None), ": before"),
            (event(before={}), ": before"),
            (event(before={"change": 5}), ": before.change"),
            (
                event(before={"change": [{"size": [15000, 15000], "before": [2, 1], "shift": [0, 0]}]}),
                ": before.change[0].size",
            ),
            (
                event("map.updated", before={"size": [15000, 15000], "grid_data": {}, "chunks": []}),
                ": before.size",
            ),
            (event("map.updated", before={"grid_data": {}}), ": before"),
            (event("map.updated", before={"name": 5}), ": before.name"),
            (event("token.moved", before={"change": [5]}), ": before.change[0]"),
            (event("token.moved", before={"note": 2**53}), ": before.note"),
        ],
    )
    def test_violations(self, tmp_path: Path, second: Any, place: str) -> None:
        assert refused(tmp_path, events=[EVENTS[0], second]) == f"events.jsonl: line 2{place}"

    def test_are_bounded(self, tmp_path: Path) -> None:
        assert refused(tmp_path, events=[EVENTS[0]] * 101) == "events.jsonl"


async def test_what_is_imported_can_be_read(settings: Settings) -> None:
    """Junk put in at random places of a real bundle is refused, or does no harm."""
    app = create_app(settings.model_copy(update={"request_timeout": 60}))
    async with lifespan(app):
        person = await somebody(app)
        universe, _ = await full_universe(person)
        out = (await person.client.get(f"/universes/{universe['id']}/export")).content
        chance = random.Random(7)
        imported = [
            await _import_spoiled(person, out, chance)
            for _ in range(hypothesis.settings.default.max_examples // 4)
        ]
        await person.client.aclose()
    assert any(imported)


async def _import_spoiled(person: Person, out: bytes, chance: random.Random) -> bool:
    data = with_junk(out, lambda value: changed(value, chance.choice(places(value)), chance.choice(JUNK)), chance)
    answer = await bring_in(person, data)
    assert answer.status_code in (201, 422), answer.text
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["field"].startswith(("events.jsonl: line", "maps/"))
        return False
    listed = await person.client.get("/maps", params={"universe_id": answer.json()["id"]})
    for one in listed.json()["items"]:
        statuses = await everything(person, one)
        # A cell that is not on the map, a map that is too large for a picture.
        assert set(statuses.values()) <= {200, 422}, statuses
        for seq in (1, 4, 8):
            was = await person.client.get(f"/maps/{one['id']}", params={"at_seq": seq})
            assert was.status_code in (200, 404, 409, 422), was.text
    return True


def with_junk(data: bytes, spoil: Callable[[Any], Any], chance: random.Random) -> bytes:
    """A bundle with one map or one event spoiled."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        names = [name for name in source.namelist() if name.startswith(("maps/", "events"))]
        chosen = chance.choice([*names, "events.jsonl", "events.jsonl"])
        for entry in source.namelist():
            content = source.read(entry)
            if entry == chosen and entry == "events.jsonl":
                lines = content.splitlines()
                at = chance.randrange(len(lines))
                lines[at] = orjson.dumps(spoil(deepcopy(orjson.loads(lines[at]))))
                content = b"\n".join(lines)
            elif entry == chosen:
                content = orjson.dumps(spoil(orjson.loads(content)))
            target.writestr(entry, content)
    return out.getvalue()
