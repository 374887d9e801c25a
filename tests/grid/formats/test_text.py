"""Plain text maps."""

import contextlib
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid import formats
from game.grid.document import check
from game.grid.formats import FormatError, Imported


def read(text: str | bytes) -> Imported:
    return formats.read({"cave.txt": text.encode() if isinstance(text, str) else text})


def rows(text: str | bytes) -> list[str]:
    result: list[str] = read(text).maps[0].grid_data["layers"][0]["rows"]
    return result


def codes(text: str) -> list[str]:
    return [warning.code for warning in read(text).warnings]


class TestRead:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_takes_every_line_end(self, end: str) -> None:
        assert rows(end.join(["###", "#.#", "###", "", ""])) == ["###", "#.#", "###"]

    def test_fills_short_lines_up_with_a_warning(self) -> None:
        assert rows("###\n#\n") == ["###", "#  "]
        assert codes("###\n#\n") == ["LINES_FILLED_UP"]

    def test_expands_tabs_with_a_warning(self) -> None:
        assert rows("#\t#\n") == ["#       #"]
        assert codes("#\t#\n") == ["TABS_EXPANDED"]

    def test_skips_the_mark_of_the_encoding(self) -> None:
        assert rows(b"\xef\xbb\xbf##\n##\n") == ["##", "##"]

    def test_guesses_the_usual_symbols(self) -> None:
        legend = {entry["symbol"]: entry for entry in read("#.~+T?\n").maps[0].grid_data["legend"]}
        assert legend["#"]["blocks_movement"] and legend["#"]["blocks_sight"]  # noqa: PT018 - one entry, one statement
        assert [legend[symbol]["name"] for symbol in "#.~+T"] == ["wall", "floor", "water", "door", "tree"]
        assert legend["~"]["movement_cost"] == 2
        assert legend["?"]["name"] == "question mark"

    def test_gives_an_emoji_a_symbol_for_private_use(self) -> None:
        made = read("🌲.🌲\n").maps[0].grid_data
        assert made["layers"][0]["rows"] == ["\ue000.\ue000"]
        assert made["legend"][1] | {"color": ""} == {
            "symbol": "\ue000",
            "name": "evergreen tree",
            "color": "",
        }

    def test_leaves_marks_out_with_a_warning(self) -> None:
        assert rows("⚔\ufe0f#\n") == ["⚔#"]
        assert codes("⚔\ufe0f#\n") == ["MARK_LOST"]

    @pytest.mark.parametrize(
        ("text", "place"),
        [("##\n#\x07\n", "line 2"), (b"##\n\xff\n", "line 2"), ("#" * 5000, ""), ("#\n" * 5000, "")],
    )
    def test_refuses(self, text: str | bytes, place: str) -> None:
        with pytest.raises(FormatError) as caught:
            read(text)
        assert caught.value.place == place

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
    def test_reads_any_text_or_says_why_not(self, text: str) -> None:
        with contextlib.suppress(FormatError):
            check(read(text).maps[0].grid_data)


class TestWrite:
    CAVE: ClassVar[dict[str, Any]] = {
        "width": 3,
        "height": 2,
        "legend": [
            {"symbol": "#"}, {"symbol": "."}, {"symbol": "\ue000", "name": "water"},
            {"symbol": "\ue001", "name": "moss"},
        ],
        "layers": [
            {"name": "ground", "rows": ["...", ".\ue000\ue001"]},
            {"name": "walls", "rows": ["#  ", "   "]},
            {"name": "roof", "visible": False, "rows": ["###", "###"]},
        ],
        "entities": [{"id": "a", "x": 0, "y": 0}],
    }  # fmt: skip

    def test_draws_visible_layers_over_each_other_in_readable_symbols(self) -> None:
        check(self.CAVE)
        written = formats.write(self.CAVE, "text")
        assert written.content.decode() == "#..\n.~a\n"
        assert [warning.code for warning in written.warnings] == [
            "LAYERS_FLATTENED", "ENTITIES_LOST", "SYMBOLS_REPLACED",
        ]  # fmt: skip

    @given(st.lists(st.text("#.~ T", max_size=9), min_size=1, max_size=5))
    def test_what_is_written_is_read_again(self, lines: list[str]) -> None:
        first = read("\n".join(lines)).maps[0].grid_data
        second = read(formats.write(first, "text").content).maps[0].grid_data
        # Empty cells at the right have no line that shows them, when all lines have them.
        assert [row.rstrip() for row in second["layers"][0]["rows"]] == [
            row.rstrip() for row in first["layers"][0]["rows"]
        ]
