"""Grid data to Tiled: what comes in comes back, also through Tiled itself."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid import formats
from game.grid.document import check
from tests.grid.formats.samples import file, png, tile_layer, tmj, without

KEEP = {
    "keep.tmx": file("keep.tmx"),
    "stones.tsx": file("stones.tsx"),
    "parchment.png": png(32, 16, "#eeddaa"),
}
CAVE: dict[str, Any] = {
    "width": 4,
    "height": 3,
    "cell_distance": 10,
    "legend": [
        {"symbol": "#", "name": "wall", "color": "#5b5348", "blocks_movement": True, "blocks_sight": True},
        {
            "symbol": "~",
            "name": "water",
            "color": "#4f7cac80",
            "movement_cost": 2,
            "properties": {"color": 3},
        },
        {"symbol": "\ue123", "name": "", "sound": ["drip", None]},
    ],
    "layers": [
        {"name": "ground", "rows": ["####", "#~\ue123#", "####"]},
        {
            "name": "roof",
            "visible": False,
            "opacity": 0.5,
            "rows": ["    ", " ## ", "    "],
            "mine": {"a": [1]},
        },
    ],
    "entities": [
        {
            "id": "orc-1",
            "kind": "orc",
            "name": "Bob",
            "x": 1,
            "y": 1,
            "properties": {"hp": 7, "bag": ["axe"]},
            "facing": 90,
        }
    ],
    "walls": [{"id": "w", "x1": 0, "y1": 1, "x2": 2.5, "y2": 1, "blocks_movement": False}],
    "doors": [{"id": "d", "x1": 2, "y1": 1, "x2": 3, "y2": 1, "state": "locked", "secret": True}],
    "lights": [{"x": 1.5, "y": 1.5, "range": 4, "color": "#ffd28a", "intensity": 0.5}],
    "properties": {"weather": "fog", "depth": None, "worldkeep": "mine", "huge": 2**40},
    "house_rule": {"no": ["magic"]},
}


def keep() -> dict[str, Any]:
    return formats.read(KEEP, "keep.tmx").maps[0].grid_data


def again(document: dict[str, Any], format: str = "tiled", **files: bytes) -> dict[str, Any]:
    """The document, written to Tiled and read again."""
    written = formats.write(document, format)
    result = formats.read({written.filename: written.content, **files}, written.filename).maps[0].grid_data
    check(result)
    return result


def parsed(document: dict[str, Any]) -> Any:
    return orjson.loads(formats.write(document, "tmj").content)


@pytest.mark.parametrize("format", ["tiled", "tmj"])
class TestRoundTrip:
    def test_of_a_map_of_ours_gives_it_back(self, format: str) -> None:
        expected = without(CAVE, "tiled") | {"grid_type": "square"}
        expected["legend"][2].pop("name")
        assert without(again(CAVE, format), "tiled") == expected

    def test_of_a_map_of_tiled_gives_everything_back(self, format: str) -> None:
        document = keep()
        second = again(document, format, **{"parchment.png": KEEP["parchment.png"]})
        # Tiled leaves out what has its usual value; an export says it.
        usual = ("visible", "rotation", "width", "height", "property_types", "nextobjectid", "type")
        keys = ("layers", "legend", "entities", "doors", "lights", "properties")
        for key in keys:
            assert without(second[key], *usual) == without(document[key], *usual), key
        assert second["background"] == document["background"]
        assert without(second["tiled"]["map"], *usual) == without(document["tiled"]["map"], *usual)
        assert second["tiled"]["property_types"] == document["tiled"]["property_types"]
        assert without(second["tiled"]["tilesets"], "type") == without(document["tiled"]["tilesets"], "type")
        ends = ("x1", "y1", "x2", "y2")
        assert [[wall[end] for end in ends] for wall in second["walls"]] == [
            [wall[end] for end in ends] for wall in document["walls"]
        ]
        assert [item["id"] for item in second["tiled"]["layers"]] == [7, 1, 3, 4, 5]
        assert [item.get("parent") for item in second["tiled"]["layers"]] == [None, None, None, 3, 3]

    @pytest.mark.parametrize("grid_type", ["square", "none", "isometric", "hex_row", "hex_column"])
    def test_of_every_grid_type_gives_it_back(self, format: str, grid_type: str) -> None:
        second = again({**CAVE, "grid_type": grid_type}, format)
        assert second["grid_type"] == grid_type
        for key in ("layers", "entities", "walls", "doors", "lights"):
            assert without(second[key], "tiled") == CAVE[key], key


KEYS = ["id", "gid", "x", "type", "layers", "tiles", "properties", "value", "polygon", "image", "imagedata"]
SYMBOLS = st.sampled_from("#.~é中\ue000\uf8ff&<\"'")
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e6, 1e6).map(lambda n: round(n, 3))
    | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
PROPERTIES = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Valid documents, with what the round trip adds by itself already there."""
    width, height = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    symbols = draw(st.lists(SYMBOLS, min_size=1, unique=True))
    row = st.text(st.sampled_from([" ", *symbols]), min_size=width, max_size=width)
    names = draw(st.lists(NAMES.filter(bool), min_size=1, max_size=3, unique=True))
    layers = [{"name": name, "rows": draw(st.lists(row, min_size=height, max_size=height))} for name in names]
    place = st.integers(-16, 64).map(lambda n: n / 8)
    wall = st.builds(
        lambda *ends: dict(zip(("x1", "y1", "x2", "y2"), ends, strict=True)), place, place, place, place
    )
    entity: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {
            "id": NAMES.filter(bool),
            "kind": NAMES.filter(bool) | st.sampled_from(["wall", "door", "Light"]),
            "name": NAMES,
            "x": st.integers(0, width - 1),
            "y": st.integers(0, height - 1),
        },
        optional={"properties": PROPERTIES, "own": VALUES},
    )
    document: dict[str, Any] = {
        "width": width,
        "height": height,
        "grid_type": draw(st.sampled_from(["square", "none", "isometric", "hex_row", "hex_column"])),
        "legend": [{"symbol": symbol, "name": draw(NAMES.filter(bool)), "color": "#123456"} for symbol in symbols],
        "layers": layers,
        "entities": draw(st.lists(entity, max_size=3, unique_by=lambda entity: entity["id"])),
        "walls": draw(st.lists(wall, max_size=3)),
        "properties": draw(PROPERTIES),
    }
    used = set("".join(row for layer in layers for row in layer["rows"]))
    document["legend"] = [entry for entry in document["legend"] if entry["symbol"] in used]
    return {key: value for key, value in document.items() if value != []}


class TestLaw:
    @given(documents())
    def test_an_export_to_tiled_can_be_imported(self, document: dict[str, Any]) -> None:
        assert without(again(document), "tiled") == document


class TestKeptData:
    JUNK = st.recursive(
        st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from([1e300, 2**53 - 1, "", "x", "tilelayer"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        max_leaves=6,
    )

    @given(st.data())
    def test_edited_preserved_data_never_breaks_an_export(self, data: st.DataObject) -> None:
        document = keep()
        for _ in range(data.draw(st.integers(1, 3))):
            _replace(data, document["tiled"], self.JUNK)
            for key in ("legend", "layers", "entities", "walls", "lights"):
                thing = data.draw(st.sampled_from(document[key]))
                if data.draw(st.booleans()):
                    thing["tiled"] = data.draw(self.JUNK)
                elif isinstance(thing.get("tiled"), dict):
                    _replace(data, thing["tiled"], self.JUNK)
        check(document)
        for format in ("tiled", "tmj"):
            formats.write(document, format)
        written = formats.write({**document, "tiled": data.draw(self.JUNK)}, "tiled")
        second = formats.read({"a.tmx": written.content}).maps[0].grid_data
        assert len(second["layers"]) == len(document["layers"])

    def test_tiles_without_a_usable_id(self) -> None:
        tiles = [{"id": []}, 5, {"id": 1, "type": "chest"}]
        tileset = {"firstgid": 1, "name": "x", "tilewidth": 8, "tileheight": 8, "tilecount": 2, "columns": 2}
        upload = tmj(tilesets=[{**tileset, "tiles": tiles}], layers=[tile_layer([1] * 6)])
        document = formats.read({"a.tmj": orjson.dumps(upload)}).maps[0].grid_data
        document["tiled"]["tilesets"][0]["tiles"] = tiles
        assert formats.write(document, "tmj").content


def _replace(data: st.DataObject, value: Any, junk: st.SearchStrategy[Any]) -> None:
    """Put junk somewhere into a JSON object."""
    while isinstance(value, dict | list) and value:
        key = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        if not isinstance(value[key], dict | list) or not value[key] or data.draw(st.integers(0, 3)) == 0:
            value[key] = data.draw(junk)
            return
        value = value[key]


class TestEdits:
    def test_of_layers_keep_the_order_and_the_groups(self) -> None:
        document = keep()
        ground, roof = document["layers"]
        blank = {"rows": ground["rows"]}
        document["layers"] = [{"name": "below", **blank}, roof, ground, {"name": "above", **blank}]
        layers = parsed(document)["layers"]
        assert [layer["name"] for layer in layers] == ["Parchment", "below", "Ground", "Upstairs"]
        assert [layer["name"] for layer in layers[-1]["layers"]] == ["Ground", "above", "Things"]

    def test_that_rename_a_layer_rename_it_in_tiled(self) -> None:
        document = keep()
        assert parsed(document)["layers"][-1]["layers"][0]["name"] == "Ground"
        document["layers"][1]["name"] = "Roof"
        assert parsed(document)["layers"][-1]["layers"][0]["name"] == "Roof"

    def test_that_remove_a_layer_remove_it_from_tiled(self) -> None:
        document = keep()
        del document["layers"][1]
        upstairs = parsed(document)["layers"][-1]
        assert [layer["name"] for layer in upstairs["layers"]] == ["Things"]

    def test_that_move_an_entity_move_its_object_by_whole_cells(self) -> None:
        document = keep()
        document["entities"][0] |= {"x": 3, "name": "Beginning"}
        things = parsed(document)["layers"][-1]["layers"][-1]["objects"]
        start = next(thing for thing in things if thing["id"] == 1)
        assert (start["x"], start["y"], start["name"], start["point"]) == (12 + 2 * 8, 20, "Beginning", True)

    def test_that_add_a_legend_entry_add_a_tile_after_tiled_s(self) -> None:
        document = keep()
        document["legend"].append({"symbol": "!", "name": "lava", "color": "#d9502e"})
        document["layers"][0]["rows"][2] = "#!  !#"
        second = again(document)
        assert second["layers"][0]["rows"][2] == "#!  !#"
        assert [tileset["firstgid"] for tileset in parsed(document)["tilesets"]] == [1, 5, 7]
        assert again(second)["legend"] == second["legend"]

    def test_that_change_what_a_tile_blocks_reach_tiled(self) -> None:
        document = keep()
        mud = next(entry for entry in document["legend"] if entry["name"] == "mud")
        mud["blocks_movement"] = True
        del mud["movement_cost"]
        second = next(entry for entry in again(document)["legend"] if entry["name"] == "mud")
        assert second["blocks_movement"] is True
        assert "movement_cost" not in second

    def test_that_replace_the_background_replace_its_layer(self) -> None:
        document = keep()
        document["background"] = {"asset_id": "new", "x": 0, "y": 0, "width": 6, "height": 4}
        picture = png(96, 64, "blue")
        written = formats.write(document, "tiled", pictures={"new": picture})
        made = formats.read({"a.tmx": written.content}).maps[0]
        assert list(made.pictures.values()) == [picture]
        assert without(made.grid_data["background"], "asset_id") == {"x": 0, "y": 0, "width": 6, "height": 4}
        assert [warning.code for warning in written.warnings] == ["BACKGROUND_SCALED"]


class TestInfinite:
    def test_map_keeps_its_origin(self) -> None:
        layer = tile_layer(None, chunks=[{"x": -2, "y": 3, "width": 2, "height": 1, "data": [1, 2]}])
        thing = {"id": 1, "x": -8, "y": 50, "point": True}
        layers = [layer, {"type": "objectgroup", "id": 2, "name": "o", "objects": [thing]}]
        document = formats.read({"a.tmj": orjson.dumps(tmj(infinite=True, layers=layers))}).maps[0].grid_data
        assert (document["entities"][0]["x"], document["entities"][0]["y"]) == (1, 0)
        written = parsed(document)
        assert written["layers"][0]["chunks"] == [{"x": -2, "y": 3, "width": 2, "height": 1, "data": [1, 2]}]
        assert (written["layers"][1]["objects"][0]["x"], written["layers"][1]["objects"][0]["y"]) == (-8, 50)
        assert again(document)["layers"] == document["layers"]


class TestWarnings:
    def test_name_what_is_lost(self) -> None:
        document = {**CAVE, "background": {"asset_id": "gone"}}
        assert [warning.code for warning in formats.write(document, "tiled").warnings] == ["BACKGROUND_LOST"]
        assert [warning.code for warning in formats.write(CAVE, "tmj").warnings] == ["PICTURE_LOST"]

    def test_name_characters_that_xml_cannot_hold(self) -> None:
        document = {**CAVE, "properties": {"a": "\x07"}}
        assert [warning.code for warning in formats.write(document, "tiled").warnings] == ["CHARACTERS_REPLACED"]
        assert again(document)["properties"] == {"a": "\ufffd"}


@pytest.mark.skipif(
    shutil.which("tiled") is None, reason="Tiled is not installed (Debian: apt-get install tiled)."
)
class TestThroughTiled:
    """Our export, opened and written by Tiled itself, has the same cells."""

    def open(self, written: formats.Exported, folder: Path, ending: str) -> formats.ImportedMap:
        source, target = folder / written.filename, folder / f"out{ending}"
        source.write_bytes(written.content)
        (folder / "runtime").mkdir(mode=0o700)
        environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
        }
        kind = {".tmx": "tmx", ".tmj": "json"}[ending]
        command = ["tiled", "--export-map", kind, str(source), str(target)]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        return formats.read({target.name: target.read_bytes()}).maps[0]

    @pytest.mark.parametrize("format", ["tiled", "tmj"])
    @pytest.mark.parametrize("ending", [".tmx", ".tmj"])
    def test_a_map_of_ours(self, format: str, ending: str, tmp_path: Path) -> None:
        document = {**CAVE, "grid_type": "hex_row"}
        made = self.open(formats.write(document, format), tmp_path, ending).grid_data
        for key in (
            "width",
            "height",
            "grid_type",
            "layers",
            "entities",
            "walls",
            "doors",
            "lights",
            "house_rule",
        ):
            assert without(made[key], "tiled") == document[key], key
        assert [entry["symbol"] for entry in made["legend"]] == ["#", "~", "\ue123"]

    @pytest.mark.parametrize("ending", [".tmx", ".tmj"])
    def test_a_map_of_tiled(self, ending: str, tmp_path: Path) -> None:
        (tmp_path / "masonry.png").write_bytes(png(16, 16, "#336699"))
        (tmp_path / "stones.png").write_bytes(png(19, 10, "red"))
        document = keep()
        made = self.open(formats.write(document, "tiled"), tmp_path, ending).grid_data
        assert [layer["rows"] for layer in made["layers"]] == [layer["rows"] for layer in document["layers"]]
        gids = [[entry["tiled"]["gid"] for entry in each["legend"]] for each in (made, document)]
        assert gids[0] == gids[1]
        assert without(made["entities"], "tiled", "width", "height") == without(document["entities"], "tiled")
        assert without(made["properties"], "stats") == without(document["properties"], "stats")
        assert [item["id"] for item in made["tiled"]["layers"]] == [7, 1, 3, 4, 5]

    def test_an_infinite_map(self, tmp_path: Path) -> None:
        layer = tile_layer(
            None, chunks=[{"x": -16, "y": 16, "width": 16, "height": 16, "data": list(range(1, 9)) * 32}]
        )
        document = formats.read({"a.tmj": orjson.dumps(tmj(infinite=True, layers=[layer]))}).maps[0].grid_data
        made = self.open(formats.write(document, "tiled"), tmp_path, ".tmj").grid_data
        assert made["layers"][0]["rows"] == document["layers"][0]["rows"]
        assert made["tiled"]["origin"] == {"x": -16, "y": 16}


class TestLarge:
    def test_maps_have_packed_cells_in_json(self) -> None:
        row = "#" + " " * 1099
        document = {
            "width": 1100,
            "height": 1000,
            "grid_type": "square",
            "legend": [{"symbol": "#", "name": "wall", "color": "#123456"}],
            "layers": [{"name": "a", "rows": [row] * 1000}],
        }
        [layer] = parsed(document)["layers"]
        assert (layer["encoding"], layer["compression"], len(layer["data"]) < 20_000) == ("base64", "zlib", True)
        assert again(document, "tmj")["layers"][0]["rows"] == document["layers"][0]["rows"]  # type: ignore[index]  # JSON, typed as object
