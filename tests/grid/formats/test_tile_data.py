"""The encodings of a Tiled layer's cells, and bombs in them."""

import base64
import gzip
import zlib
from array import array
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from game.grid.formats.imported import FormatError
from game.grid.formats.strict import Node
from game.grid.formats.tile_data import decode, encode_csv

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda raw: raw,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}
GIDS = st.lists(st.integers(0, 2**32 - 1), max_size=40)


def text(raw: bytes, compression: str) -> Node:
    return Node(base64.b64encode(PACK[compression](raw)).decode(), "layers[0].data")


class TestDecode:
    @given(GIDS, st.sampled_from(sorted(PACK)))
    def test_gives_back_what_base64_packs(self, gids: list[int], compression: str) -> None:
        packed = text(array("I", gids).tobytes(), compression)
        assert decode(packed, "base64", compression, len(gids)).tolist() == gids

    @given(GIDS, st.integers(1, 8))
    def test_gives_back_what_csv_says(self, gids: list[int], width: int) -> None:
        assert decode(Node(encode_csv(array("I", gids), width)), "csv", "", len(gids)).tolist() == gids

    @given(GIDS)
    def test_takes_a_list_of_numbers(self, gids: list[int]) -> None:
        assert decode(Node(gids), "csv", "", len(gids)).tolist() == gids

    @pytest.mark.parametrize("compression", ["zlib", "gzip", "zstd"])
    def test_unpacks_no_more_than_the_cells_need(self, compression: str) -> None:
        with pytest.raises(FormatError, match="more than 16 bytes") as caught:
            decode(text(bytes(50_000_000), compression), "base64", compression, 4)
        assert caught.value.place == "layers[0].data"

    @pytest.mark.parametrize(
        ("data", "encoding", "compression"),
        [
            ("not base64!", "base64", ""),
            ("AAAA", "base64", "zlib"),
            ("AAAA", "base64", "gzip"),
            ("AAAA", "base64", "zstd"),
            ("AAAA", "base64", "lzma"),
            ("AAAA", "base64", ""),
            ("AAAA", "base32", ""),
            ("1,2", "csv", ""),
            ("1,2,x,4", "csv", ""),
            ("1,2,-3,4", "csv", ""),
            ("1,2,1_0,4", "csv", ""),
            ("1,2,4294967296,4", "csv", ""),
            ([1, 2, 3], "csv", ""),
            ([1, 2, -1, 3], "csv", ""),
            ([1, 2, 2**32, 3], "csv", ""),
            ([1, 2, 1.5, 3], "csv", ""),
            ([1, 2, "3", 4], "csv", ""),
            (7, "csv", ""),
            (None, "csv", ""),
        ],
    )
    def test_says_what_is_broken(self, data: object, encoding: str, compression: str) -> None:
        with pytest.raises(FormatError) as caught:
            decode(Node(data, "data"), encoding, compression, 4)
        assert caught.value.place.startswith("data")
