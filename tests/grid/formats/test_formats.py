"""Telling formats apart, choosing the map among the files, and what all formats promise."""

import re
from pathlib import Path

import orjson
import pytest

from game.core.schema import ROOT
from game.grid import formats
from game.grid.document import Limits, check
from game.grid.formats import FormatError
from game.grid.formats.imported import MAX_WARNINGS_OF_A_KIND, Notes, unique
from tests.grid.formats.samples import file, png, tile_layer, tmj, without


class TestRead:
    @pytest.mark.parametrize(
        ("name", "format"),
        [("keep.tmx", "tiled"), ("cave.ldtk", "ldtk"), ("cellar.dd2vtt", "uvtt")],
    )
    def test_tells_the_format_by_the_content(self, name: str, format: str) -> None:
        imported = formats.read({"upload": file(name)})
        assert imported.format == format
        for made in imported.maps:
            check(made.grid_data)

    def test_takes_anything_else_for_a_text_map(self) -> None:
        assert formats.read({"a": b"###\n#.#\n"}).format == "text"

    def test_names_the_map_after_its_file(self) -> None:
        [made] = formats.read({"maps/The Cellar.tmj": orjson.dumps(tmj())}).maps
        assert made.name == "The Cellar"

    def test_finds_the_map_beside_its_tileset_its_picture_and_a_note(self) -> None:
        files = {"stones.tsx": file("stones.tsx"), "stones.png": png(19, 10, "red"), "LICENSE": b"Free!\n"}
        assert formats.read({**files, "keep.tmx": file("keep.tmx")}).format == "tiled"

    def test_asks_which_of_two_maps_is_meant(self) -> None:
        files = {"a.tmj": orjson.dumps(tmj()), "b.tmj": orjson.dumps(tmj(width=2, layers=[]))}
        with pytest.raises(FormatError, match="more than one map"):
            formats.read(files)
        assert formats.read(files, "b.tmj").maps[0].grid_data["width"] == 2

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("a.png", png(1, 1, "red"), "is a picture, not a map"),
            (
                "a.tsx",
                b'<?xml version="1.0"?><tileset tilewidth="1" tileheight="1"/>',
                "is a tileset, not a map",
            ),
            ("a.tx", b"<template></template>", "is a template, not a map"),
            ("a.zip", b"PK\x03\x04....", "decompress it first"),
            ("a.tmx.gz", b"\x1f\x8b....", "decompress it first"),
            ("a.tmj", b"not JSON", "neither JSON nor XML"),
            ("a.tmj", b'{"a": 1}', "unknown kind"),
            ("a.tmx", b"<svg></svg>", "unknown kind"),
            ("a.txt", b"#\0#", r"U\+0000"),
            ("a.txt", b"#\xff#", "not UTF-8"),
        ],
    )
    def test_says_what_is_wrong_with_a_file(self, name: str, data: bytes, message: str) -> None:
        with pytest.raises(FormatError, match=message):
            formats.read({name: data}, name)

    def test_refuses_a_main_file_that_was_not_uploaded_and_no_file_at_all(self) -> None:
        with pytest.raises(FormatError, match="was not uploaded"):
            formats.read({}, "a.tmx")
        with pytest.raises(FormatError, match="no map"):
            formats.read({})

    def test_says_where_a_limit_of_documents_is_broken(self) -> None:
        layers = [tile_layer([0] * 6, id=n + 1, name=f"layer {n}") for n in range(3)]
        with pytest.raises(FormatError) as caught:
            formats.read({"a.tmj": orjson.dumps(tmj(layers=layers))}, limits=Limits(max_layers=2))
        assert caught.value.place == "layers"

    def test_refuses_more_cells_than_an_import_may_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("game.grid.formats.uploads.MAX_CELLS", 11)
        layers = [tile_layer([0] * 6), tile_layer([0] * 6, id=2)]
        with pytest.raises(FormatError, match="more than 11 cells in all") as caught:
            formats.read({"a.tmj": orjson.dumps(tmj(layers=layers))})
        assert caught.value.place == "layers[1]"


class TestWrite:
    def test_refuses_an_unknown_format(self) -> None:
        with pytest.raises(ValueError, match="tiled, tmj, ldtk, uvtt, text"):
            formats.write({}, "doc")

    @pytest.mark.parametrize("format", ["tiled", "tmj", "ldtk", "uvtt", "text"])
    def test_writes_an_empty_document(self, format: str) -> None:
        assert formats.write({}, format).content is not None

    def test_makes_a_safe_file_name(self) -> None:
        assert formats.write({}, "text", name="../Höhle: \r\n1/2").filename == "Höhle- -1-2.txt"
        assert formats.write({}, "text", name="//").filename == "map.txt"


class TestLinkPictures:
    def test_puts_ids_for_names_at_every_level_and_changes_nothing_else(self) -> None:
        data = {"background": {"asset_id": "a.png"}, "list": [{"asset_id": "b.png"}], "name": "a.png"}
        linked = formats.link_pictures(data, {"a.png": "id-1"})
        assert linked == {
            "background": {"asset_id": "id-1"},
            "list": [{"asset_id": "b.png"}],
            "name": "a.png",
        }
        assert without(linked, "asset_id") == without(data, "asset_id")


class TestNotes:
    def test_lists_the_first_of_a_kind_and_counts_the_rest(self) -> None:
        notes = Notes()
        for number in range(MAX_WARNINGS_OF_A_KIND + 5):
            notes.add("LOST", f"[{number}]", "It is lost.")
        assert len(notes.all()) == MAX_WARNINGS_OF_A_KIND + 1
        assert notes.all()[-1].message == "There are 5 more of these."


class TestUnique:
    def test_numbers_names_that_are_used_and_shortens_long_ones(self) -> None:
        used: set[str] = set()
        names = [unique(name, used, 16) for name in ("a", "a", "b" * 40, "b" * 40)]
        assert names == ["a", "a 2", "b" * 16, "b" * 8 + " 2"]


class TestWarnings:
    SOURCES = "".join(path.read_text() for path in Path(formats.__file__).parent.glob("*.py"))

    def test_are_all_explained_in_the_docs(self) -> None:
        page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
        rows = "".join(f"| `{code}` | {text} |\n" for code, text in formats.WARNINGS.items())
        assert rows in page

    def test_have_codes_of_the_list(self) -> None:
        used = set(re.findall(r'\b(?:add|skipping|parts)\(\s*(?:"\w+", )?"([A-Z_]+)"', self.SOURCES))
        assert len(used) > 20
        assert used <= set(formats.WARNINGS)
