"""Grid data to LDtk: what comes in comes back, and the file has the shape that LDtk's schema asks for."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.grid import formats
from game.grid.document import check
from game.grid.formats import ldtk_shapes
from tests.grid.formats.samples import file, png, without
from tests.grid.formats.test_tiled_export import CAVE, documents

KEPT = {"rocks.png": png(16, 16, "red")}


def cave() -> dict[str, Any]:
    return formats.read({"cave.ldtk": file("cave.ldtk"), **KEPT}, "cave.ldtk").maps[0].grid_data


def again(document: dict[str, Any], **files: bytes) -> dict[str, Any]:
    """The document, written to LDtk and read again."""
    written = formats.write(document, "ldtk")
    made = formats.read({written.filename: written.content, **files}, written.filename).maps[0].grid_data
    check(made)
    return made


def parsed(document: dict[str, Any]) -> Any:
    return orjson.loads(formats.write(document, "ldtk", name="Cellar").content)


def has_keys(value: dict[str, Any], usual: dict[str, Any]) -> None:
    """An object has just the keys of a usual one, and null only where the usual one may have it."""
    assert set(value) == set(usual)
    for key, item in value.items():
        if item is None:
            assert usual[key] is None, key


class TestShape:
    @pytest.mark.parametrize("document", [CAVE, cave(), {}, {"width": 2, "height": 1, "grid_type": "hex_row"}])
    def test_is_that_of_the_schema(self, document: dict[str, Any]) -> None:
        root = parsed(document)
        settings = {key: root[key] for key in root if key not in ("__header__", "defs", "levels", "worlds")}
        has_keys(settings, ldtk_shapes.ROOT)
        definitions = root["defs"]
        assert list(definitions) == ["layers", "entities", "tilesets", "levelFields", "enums", "externalEnums"]
        for each in definitions["layers"]:
            has_keys(each, ldtk_shapes.LAYER_DEFINITION)
        for each in definitions["entities"]:
            has_keys(each, ldtk_shapes.ENTITY_DEFINITION)
        [level] = root["levels"]
        has_keys(level, ldtk_shapes.LEVEL)
        for instance in level["layerInstances"]:
            has_keys(instance, ldtk_shapes.LAYER)
            cells = instance["__cWid"] * instance["__cHei"] if instance["__type"] == "IntGrid" else 0
            assert len(instance["intGridCsv"]) == cells
            for entity in instance["entityInstances"]:
                has_keys(entity, ldtk_shapes.ENTITY)

    def test_refers_to_what_it_defines(self) -> None:
        root = parsed(CAVE)
        definitions = root["defs"]
        everything = [*definitions["layers"], *definitions["entities"], *definitions["levelFields"]]
        everything += [field for each in definitions["entities"] for field in each["fieldDefs"]]
        uids = [each["uid"] for each in everything]
        assert len(uids) == len(set(uids))
        assert max(uids) < root["nextUid"]
        for instance in root["levels"][0]["layerInstances"]:
            assert instance["layerDefUid"] in uids
            values = next(each for each in everything if each["uid"] == instance["layerDefUid"])["intGridValues"]
            assert set(instance["intGridCsv"]) <= {0, *(value["value"] for value in values)}
            assert {entity["defUid"] for entity in instance["entityInstances"]} <= set(uids)

    def test_has_the_layers_from_the_top_down(self) -> None:
        names = [each["__identifier"] for each in parsed(CAVE)["levels"][0]["layerInstances"]]
        assert names == ["Entities", "roof", "ground"]

    def test_shows_properties_as_fields(self) -> None:
        [orc] = parsed(CAVE)["levels"][0]["layerInstances"][0]["entityInstances"]
        values = {field["__identifier"]: field["__value"] for field in orc["fieldInstances"]}
        assert (orc["__identifier"], orc["px"], orc["__grid"], values) == ("orc", [16, 16], [1, 1], {"hp": 7})


class TestRoundTrip:
    def test_of_a_map_of_ours_gives_it_back(self) -> None:
        assert without(again(CAVE), "ldtk") == CAVE | {"grid_type": "square"}

    def test_of_a_map_of_ldtk_gives_everything_back(self) -> None:
        document = cave()
        second = again(document, **KEPT)
        for key in ("layers", "legend", "properties"):
            assert second[key] == document[key], key
        usual = ("__tile", "__worldX", "__worldY", "realEditorValues")
        assert [entity["px"] for entity in _kept(second)] == [entity["px"] for entity in _kept(document)]
        assert without(second["entities"], "ldtk") == without(document["entities"], "ldtk")
        fields = [without(entity["fields"], *usual, "defUid") for entity in _kept(second)]
        assert fields == [without(entity["fields"], *usual, "defUid") for entity in _kept(document)]
        for key in ("iid", "uid", "worldX", "worldY", "worldDepth", "__bgColor", "cell"):
            assert second["ldtk"][key] == document["ldtk"][key]

    def test_twice_changes_nothing_more(self) -> None:
        first = again(CAVE)
        assert again(first) == again(again(first))

    @given(documents())
    def test_of_any_map_gives_it_back(self, document: dict[str, Any]) -> None:
        assert without(again(document), "ldtk", "picture") == document


def _kept(document: dict[str, Any]) -> list[Any]:
    return [entity["ldtk"] for entity in document["entities"]]


class TestEdits:
    def test_of_values_and_tiles_reach_ldtk(self) -> None:
        document = cave()
        symbols = {entry["name"]: entry["symbol"] for entry in document["legend"]}
        values, tiles = document["layers"][0], document["layers"][1]
        values["rows"][0] = symbols["value 2"] + "# "
        tiles["rows"][0] = " " + tiles["rows"][0][0] + " "
        collisions = parsed(document)["levels"][0]["layerInstances"][-1]
        assert collisions["intGridCsv"] == [2, 1, 0, 0, 2, 1]
        assert [tile["px"] for tile in collisions["autoLayerTiles"]] == [[8, 0], [16, 8], [0, 0]]
        second = again(document, **KEPT)
        assert [layer["rows"] for layer in second["layers"][:2]] == [
            values["rows"],
            # A tile that has none beneath it any more is on the lowest layer.
            [document["layers"][2]["rows"][0][0] + tiles["rows"][0][1:], tiles["rows"][1]],
        ]

    def test_that_no_tileset_can_show_get_a_layer_of_their_own(self) -> None:
        document = cave()
        document["legend"].append({"symbol": "!", "name": "lava", "color": "#d9502e"})
        document["layers"][3]["rows"][0] = "!  "
        second = again(document, **KEPT)
        assert [layer["name"] for layer in second["layers"]][-1] == "Deco cells"
        # The tile had covered four cells: what is left of it is no tile of LDtk's.
        assert second["layers"][-1]["rows"] == ["!  ", document["layers"][3]["rows"][1]]
        assert second["legend"][-1] | {"ldtk": 0} == document["legend"][-1] | {"ldtk": 0}

    def test_that_move_an_entity_move_it_by_whole_cells(self) -> None:
        document = cave()
        document["entities"][0] |= {"x": 2, "y": 1}
        [chest] = parsed(document)["levels"][0]["layerInstances"][0]["entityInstances"]
        assert chest["px"] == [12 + 8, 8 + 8]

    def test_that_change_a_field_change_its_value(self) -> None:
        document = cave()
        document["entities"][0]["properties"] |= {"gold": 7, "cursed": True}
        [chest] = parsed(document)["levels"][0]["layerInstances"][0]["entityInstances"]
        fields = {field["__identifier"]: field for field in chest["fieldInstances"]}
        assert fields["gold"]["realEditorValues"] == [{"id": "V_Int", "params": [7]}]
        assert fields["cursed"]["__value"] is True
        assert again(document)["entities"][0]["properties"] == document["entities"][0]["properties"]


class TestLosses:
    def test_are_named(self) -> None:
        document = {"width": 1, "height": 1, "background": {"asset_id": "a"}, "grid_type": "isometric"}
        written = formats.write(document, "ldtk")
        assert [warning.code for warning in written.warnings] == ["GRID_LOST", "BACKGROUND_LOST"]

    def test_of_a_damaged_field_are_a_warning(self) -> None:
        root = parsed(CAVE)
        [field] = [each for each in root["levels"][0]["fieldInstances"] if each["__identifier"] == "worldkeep"]
        packed = orjson.loads(field["__value"])
        for text in ("{", "[]", orjson.dumps(packed | {"document": {"walls": 3}}).decode()):
            field["__value"] = text
            made = formats.read({"a.ldtk": orjson.dumps(root)})
            assert made.maps[0].grid_data["width"] == 4
            assert ("NOT_KEPT" in [warning.code for warning in made.warnings]) == (text != "[]")


class TestKeptData:
    JUNK = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-2, 9)
        | st.sampled_from([1e300, 2**53 - 1, "", "x", "IntGrid", "Entities"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["iid", "uid", "plane", "layer", "value", "px", "defs"]), inner, max_size=3
            )
        ),
        max_leaves=6,
    )

    @given(st.data())
    def test_edited_preserved_data_never_breaks_an_export(self, data: st.DataObject) -> None:
        document = cave()
        for _ in range(data.draw(st.integers(1, 4))):
            place: Any = document["ldtk"]
            for key in ("legend", "layers", "entities"):
                if data.draw(st.integers(0, 3)) == 0:
                    place = data.draw(st.sampled_from(document[key]))["ldtk"]
            while isinstance(place, dict | list) and place:
                keys = sorted(place) if isinstance(place, dict) else range(len(place))
                key = data.draw(st.sampled_from(keys))
                if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
                    place[key] = data.draw(self.JUNK)
                    break
                place = place[key]
        check(document)
        assert orjson.loads(formats.write(document, "ldtk").content)["levels"]


class TestLarge:
    def test_maps_are_refused(self) -> None:
        document = {"width": 4096, "height": 1025, "layers": []}
        with pytest.raises(formats.FormatError, match="more than 4194304 cells"):
            formats.write(document, "ldtk")
