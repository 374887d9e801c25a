"""Models of the payloads of events, by kind, for the OpenAPI document.

The payloads of a kind are described in `models.py` of its domain; those of maps, here:

    @describes("token.created", "token.updated")
    class TokenChanged(Payload):
        name: str = optional()

Every field is optional: players get fewer than game masters, and imported payloads may be incomplete.
`grid/effects.py` computes the effects of edits.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from game.grid.shapes import Described, Door, Entity, Layer, LegendEntry, Light, Wall


class Payload(BaseModel):
    """The payload of an event. It may have more fields than its model."""

    model_config = ConfigDict(extra="allow")


KINDS: Final[dict[str, type[Payload]]] = {}
"""The payload of each kind of event that this server records."""

_Model = TypeVar("_Model", bound=type[Payload])


def describes(*kinds: str) -> Callable[[_Model], _Model]:
    """Make a model the payload of these kinds of events."""

    def register(model: _Model) -> _Model:
        KINDS.update(dict.fromkeys(kinds, model))
        return model

    return register


def optional(description: str = "", alias: str | None = None) -> Any:
    """An optional field of a payload; `alias` is its name in JSON, if that is not a valid name in Python."""
    return Field(default_factory=lambda: None, description=description or None, alias=alias)


class Named(Payload):
    """The name of the event's subject."""

    name: str = optional()


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


class PlacedToken(BaseModel):
    """A token that the change of a map moved along, or put back inside of it: where it stands now."""

    id: UUID
    x: float
    y: float


class ChangedCells(BaseModel):
    """Cells of one layer as they are now."""

    layer: str
    runs: list[tuple[int, int, int, str]] = Field(
        description="x, y, number of cells to the right, and symbols: one for all of the cells, or one for each."
    )


class ChangedKeys(BaseModel):
    """Keys of the document: those that were set, with their values, and those that were removed."""

    put: dict[str, Any]
    removed: list[str]


# The models are made from tables: type checkers regard them as values, not types.
_ENTITIES, _WALLS, _DOORS, _LIGHTS, _LAYERS, _LEGEND = (
    list[model]  # type: ignore[valid-type]  # see above
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


@describes("map.edited")
class MapEdited(Payload):
    """The effect of an edit, which a client applies to its copy of the map."""

    version: int = optional("The map's version after the change. Absent for players.")
    touched: dict[str, Any] = optional(
        "A summary of the change: numbers of cells, ids of objects. Absent for players."
    )
    region: ChangedRegion = optional("The bounding box of all changed cells.")
    cells: list[ChangedCells] = optional("Apply them in order.")
    entities: ChangedEntities = optional()
    walls: ChangedWalls | Annotated[list[Any], Described(_WALLS)] = optional(
        "For players, all walls that they see, without ids."
    )
    doors: ChangedDoors = optional()
    lights: ChangedLights = optional()
    legend: Annotated[list[Any], Described(_LEGEND)] = optional(
        "All entries, if any changed. For players, the entries to add or replace in the legend."
    )
    layers: Annotated[list[Any], Described(_LAYERS)] = optional("All layers, without their rows.")
    renamed_layers: dict[str, str] = optional("New names, by old names.")
    map: ChangedKeys = optional()
    size: ChangedSize = optional("When it changed.")
    tokens: list[PlacedToken] = optional("The ones that the change moved.")
    reload: bool = optional(
        "Too much changed to be listed: read the region again, or the whole map if there is no region."
    )


@describes("map.undone", "map.redone")
class MapUndoOrRedo(MapEdited):
    """The effect of undoing or redoing an edit, and the number of that edit."""

    of: int = optional("The number of the edit's event. Absent for players.")


@describes("map.restored")
class MapRestored(Payload):
    """The map was restored to its state after event `seq`."""

    seq: int = optional("Not for players.")
    version: int = optional("Not for players.")
    region: ChangedRegion = optional()
    size: ChangedSize = optional()
    tokens: list[PlacedToken] = optional("The ones that the change moved.")
    reload: bool = optional()
    grid_data: str = optional("For players: `replaced`, read the map again.")


@describes("map.created", "map.updated")
class MapChanged(Payload):
    """A map was created or changed: its fields with their new values."""

    name: str = optional()
    description: str = optional()
    visibility: str = optional()
    fog: str = optional()
    fog_sharing: str = optional()
    lighting: str = optional()
    grid_data: str = optional("`replaced`: read the map again.")
    tokens: list[PlacedToken] = optional("The ones that the change moved.")
    version: int = optional("Not for players.")


@describes("map.moved_in")
class MapMovedIn(MapChanged):
    """A map was moved here from another universe."""

    origin: UUID = optional("The universe from which the map was moved.", alias="from")


@describes("map.moved_out")
class MapMovedOut(Named):
    """A map was moved to another universe."""

    to: UUID = optional("The universe to which the map was moved. Absent for players.")


@describes("map.deleted")
class MapDeleted(Named):
    """A map was deleted."""
