"""Large maps: in pieces, the same document, and nobody waits for it. ACCEPTANCE 51 and 52."""

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psutil
import pytest

from game.maps.documents import StoredRows
from tests.conftest import Person, Server, serving, sign_up_and_log_in
from tests.universes.members import Member

SIDE = 300
"""Cells; 90,000 of them are a large map, of chunks that are cut off at its edges."""
EDGE_CASES = '"\\é中\ue000'


def rows(offset: int) -> list[str]:
    symbols = f"#. {EDGE_CASES}"
    return ["".join(symbols[(x * y + offset) % len(symbols)] for x in range(SIDE)) for y in range(SIDE)]


def grid() -> dict[str, Any]:
    return {
        "width": SIDE,
        "height": SIDE,
        "legend": [{"symbol": symbol, "name": f"U+{ord(symbol):04X}"} for symbol in f"#.{EDGE_CASES}"],
        "layers": [
            {"name": "ground", "rows": rows(0)},
            {"name": "no rows"},
            {"name": "empty", "rows": [" " * SIDE] * SIDE},
            {"name": "one corner", "rows": [*([" " * SIDE] * (SIDE - 1)), " " * (SIDE - 1) + "#"]},
        ],
    }


class TestRead:
    async def test_is_the_document(self, owner: Person) -> None:
        made = await owner.map(grid_data=grid(), description='with "quotes"')
        path = f"/maps/{made['id']}"
        answer = await owner.client.get(path)
        assert answer.json() == made
        assert made["grid_data"] == grid()
        assert answer.headers["etag"] == '"1"'
        assert "content-length" not in answer.headers
        packed = await owner.client.get(path, headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == answer.content

    async def test_not_modified(self, owner: Person) -> None:
        path = f"/maps/{(await owner.map(grid_data=grid()))['id']}"
        assert (await owner.client.get(path, headers={"if-none-match": '"1"'})).status_code == 304
        assert (await owner.client.get(path, headers={"if-none-match": '"2"'})).status_code == 200

    async def test_a_change_answers_with_it(self, owner: Person) -> None:
        made = await owner.map(grid_data=grid())
        path = f"/maps/{made['id']}"
        changed = await owner.client.patch(path, json={"name": "Large"})
        assert changed.json() == {**made, "name": "Large", "version": 2, "updated_at": changed.json()["updated_at"]}
        assert changed.headers["etag"] == '"2"'
        replaced = await owner.client.put(path, json={"name": "Large", "grid_data": {**grid(), "mine": 1}})
        assert replaced.json()["grid_data"] == {**grid(), "mine": 1}
        edited = {"edits": [{"op": "fill_rect", "layer": "ground", "x": 0, "y": 0, "width": 9, "height": 9, "symbol": "#"}]}
        assert (await owner.client.post(f"{path}/edits", json=edited)).status_code == 200
        restored = await owner.client.post(f"{path}/restore", json={"seq": 2}, headers={"idempotency-key": made["id"]})
        assert (restored.status_code, restored.json()["grid_data"]) == (200, grid())


class TestStoredRows:
    @pytest.mark.parametrize("count", [3, 4000], ids=["in memory", "in a file"])
    def test_gives_back_what_was_added(self, count: int) -> None:
        stored = StoredRows(with_symbols=True)
        bands = {band: [[f"{band}é", "b\\"], [str(band * 7919), '"c']] for band in range(count)}
        for band, chunks in bands.items():
            stored.add(5, band, [1, 9], orjson.dumps(chunks).decode())
        assert stored.band(5, count) == stored.band(4, 0) == {}
        for band in reversed(bands):
            assert stored.band(5, band) == {1: bands[band][0], 9: bands[band][1]}
        assert set(stored.symbols()) >= set('é\\"bc0123456789'[: 6 + min(count, 10)])
        stored.close()
