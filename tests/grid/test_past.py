"""A map is rebuilt from what its events kept: the same as it was, from few of its chunks."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid.chunks import CHUNK, ROWS_MARK, ChunkKey, join, split
from game.grid.document import size
from game.grid.loading import BandTexts, LayerPart, StoredFrame
from game.grid.past import Changed, PastError, PastMap, rebuild
from tests.grid.maps import Document, Store, edits, maps

Before = Mapping[str, Any]


class Past:
    """A stored map on its way back, with what was loaded for that."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.chunks: dict[ChunkKey, list[str]] = dict(store.chunks)
        self.loaded: set[ChunkKey] = set()
        self.most = 0
        self.map: PastMap

    def load(self, part: LayerPart) -> BandTexts:
        columns, bands = range(part.left, part.right + 1), range(part.top, part.bottom + 1)
        wanted = {
            key for key in self.store.chunks if key[0] == part.layer and key[1] in columns and key[2] in bands
        }
        self.loaded |= wanted
        self.most = max(self.most, len(wanted))
        xs = {band: sorted(x for _, x, y in wanted if y == band) for band in bands}
        stored = self.store.chunks
        return [
            (y, xs[y], orjson.dumps([stored[part.layer, x, y] for x in xs[y]]).decode()) for y in bands if xs[y]
        ]

    def rebuild(self, befores: Sequence[Before]) -> Document:
        """Take back what these events did, the newest first, and return the document."""
        store = self.store
        events = [(-number, orjson.dumps(before).decode()) for number, before in enumerate(befores)]
        frame = StoredFrame(orjson.dumps(store.frame).decode(), store.width, store.height)
        steps = rebuild(frame, events)
        try:
            step = next(steps)
            while True:
                answer: BandTexts = ()
                if isinstance(step, Changed):
                    self.most = max(self.most, len(step.chunks))
                    for key, rows in step.chunks:
                        self.chunks.pop(key, None)
                        if rows is not None:
                            self.chunks[key] = orjson.loads(rows)
                else:
                    answer = self.load(step)
                step = steps.send(answer)
        except StopIteration as stop:
            self.map = stop.value
        chunks = [(*key, orjson.dumps(rows).decode()) for key, rows in self.chunks.items()]
        document: Document = orjson.loads(join(self.map.frame, chunks, self.map.width, self.map.height))
        # What a restore writes are the chunks of that document, and no others.
        assert {key for key, rows in self.chunks.items() if any(row.strip() for row in rows)} == set(self.chunks)
        assert len(self.chunks) == len(split(document)[1])
        return document


def put(store: Store, document: Document) -> Before:
    """Replace a stored map; what its event keeps."""
    names = {layer["name"]: layer["rows"] - ROWS_MARK for layer in store.frame["layers"]}
    frame, chunks = split(document, names)
    keys = sorted({*store.chunks, *chunks})
    changed = [[*key, store.chunks.get(key)] for key in keys if store.chunks.get(key) != chunks.get(key)]
    before = {"grid_data": store.frame, "size": [store.width, store.height], "chunks": changed}
    store.frame, store.chunks = frame, chunks
    store.width, store.height = size(document)
    return before


@given(st.data())
def test_is_the_document_as_it_was(data: st.DataObject) -> None:
    store = Store(data.draw(maps()))
    states, befores = [store.document()], list[Before]()
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.integers(0, 4)):
            befores.insert(0, {"change": store.edit(data.draw(edits(store.document())))})
        else:
            befores.insert(0, put(store, data.draw(maps())))
        states.insert(0, store.document())
    for number, state in enumerate(states):
        assert Past(store).rebuild(befores[:number]) == state


SIDE, LAYERS = 1024, 8


def large() -> Store:
    rows = ["#." * (SIDE // 2)] * SIDE
    layers = [{"name": f"layer {number}", "rows": rows} for number in range(LAYERS)]
    return Store({"width": SIDE, "height": SIDE, "legend": [{"symbol": "#"}, {"symbol": "."}], "layers": layers})


class TestOfALargeMap:
    def test_only_chunks_that_have_changed_are_loaded(self) -> None:
        store = large()
        was = store.document()
        place = {"x": 60, "y": 60, "width": 8, "height": 8}
        edited = store.edit({"op": "fill_rectangle", "layer": "layer 3", **place, "symbol": "#"})
        past = Past(store)
        assert past.rebuild([{"change": edited}]) == was
        assert past.loaded == {(3, x, y) for x in (0, 1) for y in (0, 1)}

    def test_a_legend_that_was_smaller_is_checked_some_chunks_at_a_time(self) -> None:
        store = large()
        was = deepcopy(store.document())
        entry = store.edit({"op": "update_legend", "legend": [{"symbol": "~"}]})
        past = Past(store)
        assert past.rebuild([{"change": entry}]) == was
        assert len(past.loaded) == LAYERS * (SIDE // CHUNK) ** 2
        assert past.most < len(past.loaded) / LAYERS + 1
        store.chunks[7, 15, 15] = ["~" * CHUNK] * CHUNK
        with pytest.raises(PastError, match="cells: has a symbol that is not in its legend"):
            Past(store).rebuild([{"change": entry}])

    def test_a_size_without_its_chunks_is_refused(self) -> None:
        store = large()
        frame = {**store.frame, "width": SIDE - 1}
        with pytest.raises(PastError, match="cells: must have 64 rows of 63 cells"):
            Past(store).rebuild([{"grid_data": frame, "size": [SIDE - 1, SIDE], "chunks": []}])

    def test_cells_of_a_missing_layer_are_refused(self) -> None:
        store = large()
        frame = {**store.frame, "layers": store.frame["layers"][:-1]}
        with pytest.raises(PastError, match="cells: are of a layer that does not exist"):
            Past(store).rebuild([{"grid_data": frame, "size": [SIDE, SIDE], "chunks": []}])
