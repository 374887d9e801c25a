"""What is stored of a map's past: real changes pass, junk is named or at worst a conflict."""

import contextlib
import random
import zlib
from base64 import b64encode
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.core.json_gate import MAX_STRING
from game.grid.changes import Change, Conflict, inverse
from game.grid.chunks import CHUNK, ROWS_MARK
from game.grid.stored import StoredError, check_change, check_replaced, pack, replaced_chunks
from tests.grid.maps import Store, edits, maps

JUNK = [
    None,
    True,
    -1,
    5000,
    2**53,
    1.5,
    "",
    "ab",
    "x" * 5000,
    [],
    [[]],
    [1],
    {},
    {"a": 1},
    {"cells": 0},
]


def stored_change(data: st.DataObject) -> tuple[Store, Change]:
    """A map and the last change that was made to it, as JSON brings it back."""
    store = Store(data.draw(maps()))
    change = store.edit(*(data.draw(edits(store.document())) for _ in range(1)))
    return store, orjson.loads(orjson.dumps(change))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in pairs for place in places(inner, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """A copy of a value with junk at a path."""
    if not path:
        return junk
    copy = deepcopy(value)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return copy


class TestChange:
    @given(st.data())
    def test_what_edits_record_passes_and_so_does_its_inverse(self, data: st.DataObject) -> None:
        _, change = stored_change(data)
        check_change(change)
        check_change(orjson.loads(orjson.dumps(inverse(change))))

    @given(st.data())
    def test_junk_anywhere_is_refused_or_a_conflict(self, data: st.DataObject) -> None:
        store, change = stored_change(data)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.sampled_from(places(change)))
            change = changed(change, place, data.draw(st.sampled_from(JUNK)))
        try:
            check_change(change)
            store.replay(inverse(change))
        except (StoredError, Conflict):
            pass

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            (None, "change"),
            ([7], "change[0]"),
            ([{}], "change[0]"),
            ([{"cells": 0, "runs": [], "more": 1}], "change[0]"),
            ([{"cells": True, "runs": []}], "change[0].cells"),
            ([{"cells": 0}], "change[0].runs"),
            ([{"cells": 0, "runs": [[0, 0, 1, " "]]}], "change[0].runs[0]"),
            ([{"cells": 0, "runs": [[0, 0, 15000, " ", "#"]]}], "change[0].runs[0]"),
            ([{"cells": 0, "runs": [[4000, 0, 200, " ", "#"]]}], "change[0].runs[0]"),
            ([{"cells": 0, "runs": [[0, 0, 3, " ", "##"]]}], "change[0].runs[0]"),
            ([{"cells": 0, "runs": [[0, 0, 1, " ", "\n"]]}], "change[0].runs.legend[0].symbol"),
            ([{"size": [15000, 15000], "before": [1, 1], "shift": [0, 0]}], "change[0].size"),
            ([{"size": [1, 1], "before": [1, 1]}], "change[0].shift"),
            ([{"list": "maps", "before": None, "after": {}}], "change[0].list"),
            ([{"list": [], "before": None, "after": {}}], "change[0].list"),
            ([{"list": "walls", "before": None, "after": None, "from": None, "to": None}], "change[0]"),
            ([{"list": "walls", "before": None, "after": {}, "from": None, "to": None}], "change[0]"),
            (
                [{"list": "entities", "before": None, "after": {"id": "e", "x": 1}, "from": None, "to": 0}],
                "change[0].after.entities[0].y",
            ),
            (
                [{"list": "layers", "before": None, "after": {"name": "a", "rows": 5}, "from": None, "to": 0}],
                "change[0].after.rows",
            ),
            ([{"value": "width", "before": [], "after": [5]}], "change[0].value"),
            ([{"value": "grid_type", "before": [], "after": ["round"]}], "change[0].after.grid_type"),
            ([{"value": "note", "before": [1, 2], "after": []}], "change[0].before"),
        ],
    )
    def test_names_the_place(self, change: Any, place: str) -> None:
        with pytest.raises(StoredError) as error:
            check_change(change)
        assert error.value.place == place


def replaced(**changes: Any) -> dict[str, Any]:
    """The grid of 70 x 2 cells that a write replaced, as its event keeps it."""
    frame = {
        "width": 70,
        "legend": [{"symbol": "#"}],
        "layers": [{"name": "ground", "rows": ROWS_MARK + 3}, {"name": "notes"}],
        "entities": [{"id": "e", "x": 69, "y": 1}],
    }
    chunks = [[3, 0, 0, ["#" * 64, " " * 64]], [3, 1, 0, ["#" * 6] * 2], [9, 0, 0, None]]
    return {"grid_data": frame, "size": [70, 2], "chunks": chunks, **changes}


class TestReplaced:
    def test_a_real_one_passes(self) -> None:
        check_replaced(replaced())
        check_replaced({"grid_data": {}, "size": [0, 0], "chunks": []})
        # A game's own document may place entities without having cells.
        check_replaced({"grid_data": {"entities": [{"id": "e", "x": 5, "y": 5}]}, "size": [0, 0], "chunks": []})

    @pytest.mark.parametrize(
        ("changes", "place"),
        [
            ({"size": [15000, 15000]}, "before.size"),
            ({"size": [70]}, "before.size"),
            ({"size": [71, 2]}, "before.grid_data"),
            ({"grid_data": 5}, "before.grid_data"),
            ({"grid_data": {"layers": 5}, "chunks": []}, "before.grid_data.layers"),
            ({"grid_data": {"layers": [{"name": "a", "rows": 7}]}, "chunks": []}, "before.grid_data.layers"),
            (
                {"grid_data": {"layers": [{"name": name, "rows": ROWS_MARK} for name in "ab"]}, "chunks": []},
                "before.grid_data.layers",
            ),
            (
                {"grid_data": {**replaced()["grid_data"], "entities": [{"id": "e", "x": 70, "y": 1}]}},
                "before.grid_data.entities[0].x",
            ),
            ({"chunks": 5}, "before.chunks"),
            ({"chunks": [[3, 0, 0]]}, "before.chunks[0]"),
            ({"chunks": [[3, 64, 0, None]]}, "before.chunks[0]"),
            ({"chunks": [[4, 0, 0, ["#" * 64] * 2]]}, "before.chunks[0]"),
            ({"chunks": [[3, 0, 0, ["#" * 64]]]}, "before.chunks[0]"),
            ({"chunks": [[3, 1, 0, ["#" * 7] * 2]]}, "before.chunks[0]"),
            ({"chunks": [[3, 2, 0, ["#" * 6] * 2]]}, "before.chunks[0]"),
            ({"chunks": [[3, 1, 0, ["?" * 6] * 2]]}, "before.chunks[0]"),
        ],
    )
    def test_names_the_place(self, changes: dict[str, Any], place: str) -> None:
        with pytest.raises(StoredError) as error:
            check_replaced(replaced(**changes))
        assert error.value.place == place

    def test_packed_chunks_are_as_good(self) -> None:
        chunks = replaced()["chunks"]
        packed = replaced(chunks=chunks[:1], packed=pack(chunks[1:]))
        check_replaced(packed)
        assert list(replaced_chunks(packed)) == chunks

    def test_packed_texts_are_short_enough_to_be_imported(self) -> None:
        symbols = [chr(0x4E00 + number) for number in range(4096)]
        noise = random.Random(4)
        chunks = [[0, x, 0, ["".join(noise.choices(symbols, k=CHUNK)) for _ in range(CHUNK)]] for x in range(20)]
        texts = pack(chunks)
        assert 1 < len(texts) < len(chunks)
        assert max(map(len, texts)) <= MAX_STRING
        assert [chunk for text in texts for chunk in replaced_chunks({"chunks": [], "packed": [text]})] == chunks

    @pytest.mark.parametrize(
        ("packed", "place"),
        [
            (5, "before.packed"),
            ([5], "before.packed[0]"),
            (["é"], "before.packed[0]"),
            (["AAAA"], "before.packed[0]"),
            ([b64encode(zlib.compress(b"[]"))[:-4].decode()], "before.packed[0]"),
            ([b64encode(zlib.compress(b"5")).decode()], "before.packed[0]"),
            (pack([[4, 0, 0, ["#" * 64] * 2]]), "before.chunks[3]"),
            # 100 MB of brackets in 97 kB.
            ([b64encode(zlib.compress(b"[" + b"[]," * 2**25 + b"[]]")).decode()], "before.packed[0]"),
        ],
        ids=["no list", "no text", "no base64", "not compressed", "cut off", "no list of chunks", "junk", "huge"],
    )
    def test_data_that_cannot_be_unpacked_is_reported(self, packed: Any, place: str) -> None:
        with pytest.raises(StoredError) as error:
            check_replaced(replaced(packed=packed))
        assert error.value.place == place

    @given(st.data())
    def test_junk_anywhere_is_refused_by_name(self, data: st.DataObject) -> None:
        before = replaced(packed=pack([[3, 1, 0, None]]))
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.sampled_from(places(before)))
            before = changed(before, place, data.draw(st.sampled_from(JUNK)))
        with contextlib.suppress(StoredError):
            check_replaced(before)
