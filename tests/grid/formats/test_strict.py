"""Bounded and typed reading of JSON and XML."""

import pytest

from game.grid.formats.imported import FormatError, Notes
from game.grid.formats.strict import MAX_XML_DEPTH, Node, kept, parse_json, parse_xml


class TestParseJson:
    @pytest.mark.parametrize(
        "text",
        [
            b'{"a": NaN}',
            b'{"a": Infinity}',
            b'"\\ud800"',
            b'{"a": "\\u0000"}',
            b'{"\\u0000": 1}',
            b"[" * 2000,
            b"",
            b"{",
        ],
    )
    def test_refuses(self, text: bytes) -> None:
        with pytest.raises(FormatError):
            parse_json(text)

    def test_says_the_line_and_the_column(self) -> None:
        with pytest.raises(FormatError) as caught:
            parse_json(b'{\n  "a": ?\n}')
        assert caught.value.place == "line 2, column 8"

    def test_takes_an_escaped_backslash_before_u0000_for_what_it_is(self) -> None:
        assert parse_json(b'{"a": "\\\\u0000"}').value == {"a": "\\u0000"}


class TestParseXml:
    LAUGHS = b"""<!DOCTYPE map [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><map>&b;</map>"""
    OUTSIDE = b"""<!DOCTYPE map [<!ENTITY a SYSTEM "file:///etc/passwd">]><map>&a;</map>"""

    @pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, b"<map>&nothing;</map>", b"<map>", b"", b"<a/><b/>"])
    def test_refuses(self, text: bytes) -> None:
        with pytest.raises(FormatError):
            parse_xml(text)

    def test_takes_the_doctype_of_old_tiled_and_follows_it_nowhere(self) -> None:
        root = parse_xml(b'<!DOCTYPE map SYSTEM "http://mapeditor.org/dtd/1.0/map.dtd"><map a="1">x</map>')
        assert (root.tag, root.attributes, root.text) == ("map", {"a": "1"}, "x")

    def test_refuses_deep_nesting(self) -> None:
        deep = MAX_XML_DEPTH + 1
        with pytest.raises(FormatError, match="too deep"):
            parse_xml(b"<a>" * deep + b"</a>" * deep)

    def test_refuses_an_encoding_that_python_does_not_know(self) -> None:
        with pytest.raises(FormatError):
            parse_xml(b'<?xml version="1.0" encoding="klingon"?><map/>')

    def test_says_the_line_and_the_column(self) -> None:
        with pytest.raises(FormatError) as caught:
            parse_xml(b"<map>\n  <a></b>\n</map>")
        assert caught.value.place.startswith("line 2, column")


class TestNode:
    def test_reads_numbers_within_their_bounds(self) -> None:
        node = Node({"a": 5.0, "b": 0.5, "c": True, "d": 1e300, "e": 1e-200}, "here")
        assert node.integer("a", 0, 5) == 5
        assert node.number("b") == 0.5
        assert node.number("e") == 0
        for key in "bc":
            with pytest.raises(FormatError, match="whole number"):
                node.integer(key, 0, 5)
        with pytest.raises(FormatError, match="from 0 to 4") as caught:
            node.integer("a", 0, 4)
        assert caught.value.place == "here.a"
        with pytest.raises(FormatError, match="out of range"):
            node.number("d")

    def test_names_what_is_missing(self) -> None:
        with pytest.raises(FormatError, match=r"^map\.width: is missing$"):
            Node({}, "map").integer("width", 0, 1)

    def test_refuses_lists_of_anything_but_objects(self) -> None:
        with pytest.raises(FormatError) as caught:
            list(Node({"a": [{}, 1]}).list_of("a"))
        assert caught.value.place == "a[1]"


class TestKept:
    def test_leaves_out_what_no_document_may_hold(self) -> None:
        notes = Notes()
        deep: object = 1
        for _ in range(20):
            deep = [deep]
        value = {
            "text": "x" * 70_000,
            "big": 2**60,
            "tiny": 1e-300,
            "deep": deep,
            "fine": [1, "a", None, {"b": 2}],
        }
        result = kept(value, "map", notes)
        assert {key: result[key] for key in ("tiny", "fine")} == {"tiny": 0, "fine": [1, "a", None, {"b": 2}]}
        assert "text" not in result
        assert "big" not in result
        assert [warning.place.partition("[")[0] for warning in notes.all()] == [
            "map.text",
            "map.big",
            "map.deep",
        ]
