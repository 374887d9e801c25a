"""Chunks: what is split comes back as it was, and a region is a slice of the whole."""

import copy
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from game.grid.chunks import (
    CHUNK,
    ROWS_MARK,
    ChunkKey,
    join,
    layer_keys,
    marked_layers,
    pieces,
    region,
    split,
    touching,
)
from game.grid.document import size

MARK_TEXT = f'"rows": {ROWS_MARK}'


def as_postgresql(value: Any) -> str:
    """JSON text with a space after colons and commas, as PostgreSQL prints JSONB."""
    return json.dumps(value, ensure_ascii=False)


def as_orjson(value: Any) -> str:
    return orjson.dumps(value).decode()


texts = st.sampled_from([as_postgresql, as_orjson])
# A row repeats a short pattern: large maps are drawn quickly, and still differ from chunk to chunk.
symbols = st.sampled_from(' #."\\/é中\ue000\uffee{,')
sides = st.integers(0, 8) | st.sampled_from([63, 64, 65, 127, 128, 129, 200])


@st.composite
def rows(draw: st.DrawFn, width: int, height: int) -> list[str]:
    empty = st.just(" ")
    patterns = st.lists(empty | st.text(symbols, min_size=1, max_size=90), min_size=1, max_size=70)
    lines = [(pattern * width)[:width] for pattern in draw(patterns)]
    return [lines[y % len(lines)] for y in range(height)]


own_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [MARK_TEXT, f"{{{MARK_TEXT}}}", "rows", 'my "rows"', 'my\\"rows"', str(ROWS_MARK)]
)
own_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.just(2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just(float(ROWS_MARK))
    | own_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(own_text, inner, max_size=3),
    max_leaves=8,
)
own_keys = st.dictionaries(
    own_text.filter(lambda key: key not in ("layers", "width", "height")), own_values, max_size=3
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents with every size, several layers with and without rows, and keys of a game's own."""
    width, height = draw(sides), draw(sides)
    document: dict[str, Any] = draw(own_keys)
    if draw(st.integers(0, 9)):
        layers: list[dict[str, Any]] = draw(
            st.lists(own_keys.filter(lambda layer: "rows" not in layer), max_size=3)
        )
        for index, layer in enumerate(layers):
            layer["name"] = f"layer {index}"
            if draw(st.integers(0, 4)):
                layer["rows"] = draw(rows(width, height))
        document["layers"] = layers
    if draw(st.booleans()):
        document |= {"width": width, "height": height}
    return document


def rejoined(document: dict[str, Any], text: Callable[[Any], str]) -> Any:
    frame, chunks = split(document)
    return orjson.loads(join(text(frame), [(*key, text(part)) for key, part in chunks.items()], *size(document)))


class TestPieces:
    @given(documents(), texts)
    @example({"width": 0, "height": 70, "layers": [{"name": "a", "rows": [""] * 70}]}, as_postgresql)
    @example({"width": 70, "height": 0, "layers": [{"name": "a", "rows": []}]}, as_postgresql)
    def test_are_the_whole(self, document: dict[str, Any], text: Callable[[Any], str]) -> None:
        frame, chunks = split(document)

        def bands(layer: int, band: int) -> dict[int, list[str]]:
            return {x: rows for (key, x, y), rows in chunks.items() if (key, y) == (layer, band)}

        width, height = size(document)
        parts = list(pieces(text(frame), bands, width, height))
        assert orjson.loads("".join(parts)) == document
        whole = join(text(frame), [(*key, as_orjson(part)) for key, part in chunks.items()], width, height)
        assert "".join(parts) == whole
        assert marked_layers(text(frame)) == [
            layer["rows"] - ROWS_MARK for layer in frame.get("layers", ()) if "rows" in layer
        ]


class TestSplitAndJoin:
    @given(documents(), texts)
    @example({"layers": [{"name": "a", "rows": []}, {"name": "b", "rows": []}]}, as_postgresql)
    @example({"width": 0, "height": 3, "layers": [{"name": "a", "rows": ["", "", ""]}]}, as_orjson)
    def test_split_and_join_are_inverse(self, document: dict[str, Any], text: Callable[[Any], str]) -> None:
        before = copy.deepcopy(document)
        assert rejoined(document, text) == document
        assert document == before

    @pytest.mark.parametrize("text", [as_postgresql, as_orjson])
    def test_the_clients_own_rows_are_left_alone(self, text: Callable[[Any], str]) -> None:
        document = {
            "note": f"{{{MARK_TEXT}, {MARK_TEXT}}}",
            MARK_TEXT: MARK_TEXT,
            'my "rows"': 2**53 - 1,
            "properties": {"rows": 2**53 - 1, "deeper": [{"rows": float(2**53)}, {"rows": 9007199254000000}]},
            "layers": [{"name": MARK_TEXT, "rows": ["##"], "properties": {"rows": [1, 2], "rows ": "rows"}}],
        }
        assert rejoined(document, text) == document


class TestSplit:
    def test_marks_rows_in_order_and_changes_nothing_else(self) -> None:
        layers = [{"name": "a", "rows": ["#"]}, {"name": "b", "tint": 1}, {"rows": [" "], "name": "c"}]
        frame, chunks = split({"layers": layers, "mood": "dark"})
        assert frame == {
            "layers": [
                {"name": "a", "rows": ROWS_MARK},
                {"name": "b", "tint": 1},
                {"name": "c", "rows": ROWS_MARK + 1},
            ],
            "mood": "dark",
        }
        assert chunks == {(0, 0, 0): ["#"]}

    def test_layers_keep_the_keys_that_they_have(self) -> None:
        layers = [{"name": name, "rows": [name]} for name in ("new", "b", "a", "newer")]
        frame, chunks = split({"layers": layers}, {"a": 0, "b": 2, "gone": 1})
        assert layer_keys(frame) == {"new": 1, "b": 2, "a": 0, "newer": 3}
        assert chunks == {(1, 0, 0): ["new"], (2, 0, 0): ["b"], (0, 0, 0): ["a"], (3, 0, 0): ["newer"]}

    @given(documents())
    def test_chunks_have_the_maps_size_and_are_not_empty(self, document: dict[str, Any]) -> None:
        width, height = size(document)
        _, chunks = split(document)
        for (_, x, y), part in chunks.items():
            assert len(part) == min(CHUNK, height - y * CHUNK)
            assert {len(row) for row in part} == {min(CHUNK, width - x * CHUNK)}
            assert "".join(part).strip(" ")

    def test_of_a_sparse_map_keeps_only_what_is_there(self) -> None:
        lines = [" " * 200] * 200
        lines[130] = " " * 70 + "#" + " " * 129
        _, chunks = split({"layers": [{"name": "a", "rows": lines}]})
        assert list(chunks) == [(0, 1, 2)]
        assert chunks[0, 1, 2][130 - 128][70 - 64] == "#"

    def test_of_a_document_of_its_own_making(self) -> None:
        assert split({"tiles": [1, 2]}) == ({"tiles": [1, 2]}, {})


class TestJoin:
    def test_of_one_chunk_uses_its_text_unchanged(self) -> None:
        frame = f'{{"layers": [{{"name": "a", {MARK_TEXT}}}, {{"name": "b", "rows": {ROWS_MARK + 7}}}]}}'
        joined = join(frame, [(7, 0, 0, '["#\\\\",  "\\"."]')], 2, 2)
        assert joined == (
            '{"layers": [{"name": "a", "rows": ["  ","  "]}, {"name": "b", "rows": ["#\\\\",  "\\"."]}]}'
        )

    @pytest.mark.parametrize("width", [3, 70])
    def test_ignores_chunks_of_a_missing_layer(self, width: int) -> None:
        frame = f'{{"layers":[{{"rows":{ROWS_MARK + 5}}}]}}'
        joined = orjson.loads(join(frame, [(5, 0, 0, '["#.."]'), (4, 0, 0, '["???"]')], width, 1))
        assert joined == {"layers": [{"rows": ["#..".ljust(width)]}]}

    @given(documents(), st.data())
    def test_takes_chunks_in_any_order(self, document: dict[str, Any], data: st.DataObject) -> None:
        frame, chunks = split(document)
        texts = [(*key, as_orjson(part)) for key, part in chunks.items()]
        shuffled = data.draw(st.permutations(texts))
        assert join(as_orjson(frame), shuffled, *size(document)) == join(as_orjson(frame), texts, *size(document))


class TestRegion:
    @given(st.data())
    def test_is_a_slice_of_the_whole(self, data: st.DataObject) -> None:
        width, height = data.draw(sides), data.draw(sides)
        whole = data.draw(rows(width, height))
        document = {"width": width, "height": height, "layers": [{"name": "a", "rows": whole}]}
        x, y = data.draw(st.integers(-70, 210)), data.draw(st.integers(-70, 210))
        wide, high = data.draw(st.integers(0, 210)), data.draw(st.integers(0, 210))
        xs, ys = touching(x, y, wide, high)
        keys: dict[ChunkKey, list[str]] = split(document)[1]
        seen = {(cx, cy): part for (_, cx, cy), part in keys.items() if cx in xs and cy in ys}

        margin = 300
        padded = [" " * margin + row + " " * (margin * 2) for row in whole]
        blank = " " * (margin * 3 + width)
        padded = [blank] * margin + padded + [blank] * (margin * 2)
        expected = [row[x + margin : x + margin + wide] for row in padded[y + margin : y + margin + high]]
        assert region(seen, x, y, wide, high) == expected

    def test_reaches_beyond_the_map_and_over_missing_chunks(self) -> None:
        assert region({(0, 0): ["#.", ".#"]}, 1, 1, 2, 3) == ["# ", "  ", "  "]
        assert region({(1, 0): ["#.", ".#"]}, 62, -1, 5, 3) == ["     ", "  #. ", "  .# "]
        assert region({}, 0, 0, 0, 2) == ["", ""]

    @pytest.mark.parametrize(
        ("rectangle", "expected"),
        [
            ((0, 0, 64, 64), (range(1), range(1))),
            ((63, 64, 2, 1), (range(2), range(1, 2))),
            ((-1, 0, 1, 129), (range(-1, 0), range(3))),
            ((65, 65, 0, 1), (range(1, 1), range(1, 2))),
        ],
    )
    def test_touches_these_chunks(
        self, rectangle: tuple[int, int, int, int], expected: tuple[range, range]
    ) -> None:
        assert touching(*rectangle) == expected
