"""A map in a bundle is read in parts, and comes out as `check` and `split` have it."""

import io
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.exchange import map_entries
from game.exchange.bundle import BundleError
from game.grid.chunks import split
from tests.grid.maps import Document, maps

Chunks = dict[tuple[int, int, int], list[str]]


class Parts(io.BytesIO):
    """A file that gives few bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self.most = most

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.most)


def read(text: bytes, most: int = 7) -> tuple[Any, Chunks]:
    """The frame and the chunks of a map in a text."""
    chunks: Chunks = {}

    def take(layer: int, x: int, y: int, rows: list[str]) -> None:
        chunks[layer, x, y] = rows

    found = map_entries.read(Parts(text, most), "m", take)
    frame, *_ = found.framed(orjson.loads(found.outline)["grid_data"], "m")
    return frame, chunks


@given(document=maps(), most=st.integers(1, 50), indent=st.booleans())
def test_is_the_same_as_split(document: Document, most: int, indent: bool) -> None:
    option = orjson.OPT_INDENT_2 if indent else 0
    text = orjson.dumps({"name": 'rows":[', "grid_data": document, "layers": [{"rows": [1]}]}, option=option)
    assert read(text, most) == split(document)


def grid(layers: Any, **more: Any) -> bytes:
    return orjson.dumps({"grid_data": {"legend": [{"symbol": "#"}], "layers": layers, **more}})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (grid([{"name": "a"}, {"name": "b", "rows": ["#", "##"]}]), "m: grid_data.layers[1].rows[1]"),
        (grid([{"name": "a", "rows": ["#", "?"]}]), "m: grid_data.layers[0].rows[1]"),
        (grid([{"name": "a", "rows": ["#"]}], height=2), "m: grid_data.layers[0].rows"),
        (grid([{"name": "a", "rows": ["#"]}], width=2), "m: grid_data.layers[0].rows[0]"),
        (grid([{"name": "a", "rows": ["#" * 4097]}]), "m: grid_data.layers[0].rows[0]"),
        (grid([{"name": "a", "rows": [""] * 4097}]), "m: grid_data.layers[0].rows[4096]"),
        (grid([{"name": str(n), "rows": []} for n in range(33)]), "m: grid_data.layers"),
        (grid([{"name": "a", "rows": [1]}]), "m"),
        (grid([{"name": "a", "rows": [["#"]]}]), "m"),
        (grid([{"name": "a", "rows": "#"}]), "m: grid_data.layers"),
        (grid([{"name": "a", "rows": ["#"]}]).replace(b'"rows"', b'"ro\\u0077s"'), "m: grid_data.layers"),
        (grid([{"name": "a", "rows": ["#"]}]).replace(b'"#"]}]', b'"#",]}]'), "m"),
        (grid([{"name": "a", "rows": ["#"]}]).replace(b'"#"]}]', b'"#" "#"]}]'), "m"),
        (
            grid([{"name": "a", "rows": ["#"]}]).replace(b'"#"]}]', b'"\\ud800"]}]'),
            "m: grid_data.layers[0].rows[0]",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(text: bytes, place: str) -> None:
    with pytest.raises(BundleError) as error:
        read(text)
    assert error.value.place == place
