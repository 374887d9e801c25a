"""The payloads of events of maps, by kind. How effects are made stands in `grid/effects.py`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from game.grid.shapes import Described, Door, Entity, Layer, LegendEntry, Light, Wall


def _optional(description: str = "") -> Any:
    return Field(default_factory=lambda: None, description=description or None)


class ChangedRegion(BaseModel):
    """A rectangle of cells."""

    x: int
    y: int
    width: int
    height: int


class ChangedSize(BaseModel):
    """The size of a map, in cells."""

    width: int
    height: int


class ChangedCells(BaseModel):
    """Cells of one layer as they are now."""

    layer: str
    runs: list[tuple[int, int, int, str]] = Field(
        description="x, y, number of cells to the right, and their symbols: one for all of them, or one for each."
    )


class ChangedKeys(BaseModel):
    """Keys of the document: those that were set, with their values, and those that were removed."""

    put: dict[str, Any]
    removed: list[str]


# The models are made from tables: to a type checker they are values, and no types.
_ENTITIES, _WALLS, _DOORS, _LIGHTS, _LAYERS, _LEGEND = (
    list[model]  # type: ignore[valid-type]
    for model in (Entity, Wall, Door, Light, Layer, LegendEntry)
)


class ChangedEntities(BaseModel):
    """The entities that were put, as they are now, and the ids of those that were removed."""

    put: Annotated[list[Any], Described(_ENTITIES)]
    removed: list[str]


class ChangedWalls(BaseModel):
    """The walls that were put, as they are now, and the ids of those that were removed."""

    put: Annotated[list[Any], Described(_WALLS)]
    removed: list[str]


class ChangedDoors(BaseModel):
    """The doors that were put, as they are now, and the ids of those that were removed."""

    put: Annotated[list[Any], Described(_DOORS)]
    removed: list[str]


class ChangedLights(BaseModel):
    """The lights that were put, as they are now, and the ids of those that were removed."""

    put: Annotated[list[Any], Described(_LIGHTS)]
    removed: list[str]


class MapEdited(BaseModel):
    """`map.edited`: what an edit left behind, to be applied to a map that a client holds."""

    model_config = ConfigDict(extra="allow")

    version: int = Field(description="The map's version after it.")
    touched: dict[str, Any] = Field(description="What changed, in short: numbers of cells, ids of things.")
    region: ChangedRegion = _optional("Around all cells that changed.")
    cells: list[ChangedCells] = _optional("To be applied in order.")
    entities: ChangedEntities = _optional()
    walls: ChangedWalls = _optional()
    doors: ChangedDoors = _optional()
    lights: ChangedLights = _optional()
    legend: Annotated[list[Any], Described(_LEGEND)] = _optional("All entries, when one changed.")
    layers: Annotated[list[Any], Described(_LAYERS)] = _optional("All layers, without rows.")
    renamed_layers: dict[str, str] = _optional("New names by the old ones.")
    map: ChangedKeys = _optional()
    size: ChangedSize = _optional("When it changed.")
    reload: bool = _optional("Too much changed to be told: read the region anew, or the whole map without one.")


class MapTurned(MapEdited):
    """`map.undone` and `map.redone`: likewise, and the edit that was undone or redone."""

    of: int = Field(description="The number of the edit's event.")


class MapRestored(BaseModel):
    """`map.restored`: the map is again as it was after event `seq`."""

    seq: int
    version: int
    region: ChangedRegion = _optional()
    size: ChangedSize = _optional()
    reload: bool


class OtherPayload(BaseModel):
    """Events of other kinds: the fields that changed, with their new values."""

    model_config = ConfigDict(extra="allow")


Payload = Annotated[dict[str, Any], Described(MapTurned | MapEdited | MapRestored | OtherPayload)]
