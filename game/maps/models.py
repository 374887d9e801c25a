"""Maps: a grid of cells in layers, with entities on it. The rows of the layers are stored in chunks."""

from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.models import (
    MAX_DESCRIPTION,
    MAX_NAME,
    UNMAPPED_HEAD,
    ApiModel,
    Assigned,
    Description,
    Document,
    Name,
    Timestamp,
    example,
    json_head,
    unset,
)
from game.fog.models import Fog, FogSharing, Lighting
from game.grants import MEMBERS
from game.grid import shapes
from game.grid.shapes import Described
from game.maps.players import players_columns

GRID_EXAMPLE = {
    "width": 6,
    "height": 3,
    "grid_type": "square",
    "cell_distance": 5,
    "distance_unit": "ft",
    "diagonal_rule": "5-5-5",
    "legend": [
        {"symbol": "#", "name": "wall", "color": "#5b5348", "blocks_movement": True, "blocks_sight": True},
        {"symbol": ".", "name": "floor", "color": "#cfc6b0"},
        {"symbol": "~", "name": "water", "color": "#4f7cac", "movement_cost": 2},
    ],
    "layers": [{"name": "ground", "rows": ["######", "#..~.#", "######"]}],
    "entities": [
        {"id": "chest-1", "kind": "chest", "name": "Old chest", "x": 2, "y": 1, "properties": {"locked": True}}
    ],
}


class Visibility(StrEnum):
    """Which members may read a map."""

    game_masters = "game_masters"
    members = "members"


_Visibility = Annotated[
    Visibility, Field(description="`game_masters`: players and spectators do not see the map.")
]
_Fog = Annotated[
    Fog,
    Field(
        description="What players see. `off`: all of it; `explored`: what is in sight, and what they have seen, "
        "as they last saw it; `sight`: only what is in sight."
    ),
]
_FogSharing = Annotated[
    FogSharing,
    Field(
        description="With fog: `party`: all players see what the tokens of any player see; `each`: players see "
        "only what their own tokens see."
    ),
]
_Lighting = Annotated[
    Lighting, Field(description="With `dark`, tokens see only what is lit or within their darkvision.")
]


class Map(Document, table=True):
    """A map. `grid_data` is its document without the rows: those are in `map_chunk`."""

    __tablename__ = "map"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Finds the universe of an id. Checked at the commit: a map that moves is in both universes until then.
        UniqueConstraint("id", deferrable=True, initially="DEFERRED"),
        Index("ix_map_universe_id_name", "universe_id", "name", "id"),
        # None on `updated_at` or `version`: each edit would have to update every index.
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("width BETWEEN 0 AND 4096 AND height BETWEEN 0 AND 4096", name="size"),
        CheckConstraint("jsonb_typeof(grid_data) = 'object'", name="grid_data_object"),
        CheckConstraint("visibility IN ('game_masters', 'members')", name="visibility"),
        CheckConstraint("fog IN ('off', 'explored', 'sight')", name="fog"),
        CheckConstraint("fog_sharing IN ('party', 'each')", name="fog_sharing"),
        CheckConstraint("lighting IN ('bright', 'dim', 'dark')", name="lighting"),
        json_head(
            "map",
            *("id", "universe_id", "name", "description", "visibility", "fog", "fog_sharing", "lighting"),
            "created_at",
        ),
    )
    __mapper_args__ = UNMAPPED_HEAD

    id: UUID = Field(default_factory=uuid7)
    universe_id: UUID = Field(foreign_key="universe.id", ondelete="CASCADE")
    name: str = Field(max_length=MAX_NAME)
    description: str = Field(default="", max_length=MAX_DESCRIPTION)
    grid_data: dict[str, Any] = Field(default_factory=dict, sa_type=Assigned)
    width: int = Field(default=0, sa_type=SmallInteger)
    height: int = Field(default=0, sa_type=SmallInteger)
    visibility: str = Field(
        default="game_masters", max_length=20, sa_column_kwargs={"server_default": "game_masters"}
    )
    fog: str = Field(default="off", max_length=20, sa_column_kwargs={"server_default": "off"})
    fog_sharing: str = Field(default="party", max_length=20, sa_column_kwargs={"server_default": "party"})
    lighting: str = Field(default="bright", max_length=20, sa_column_kwargs={"server_default": "bright"})
    # The key under which workers cache data of the grid. Replaced whenever the grid of a map that has or had fog
    # changes.
    scene_key: UUID | None = None
    # What players get instead of `grid_data`, prepared by `publish` when the map is written. Null if they may not
    # read the map, and with fog, where not all get the same.
    players_frame: dict[str, Any] | None = Field(default=None, sa_type=Assigned)
    players_legend: list[str] | None = Field(default=None, sa_type=ARRAY(Text))
    players_layers: list[int] | None = Field(default=None, sa_type=ARRAY(Integer))
    # The key of the hash that is the players' ETag; it is never sent to anybody.
    etag_key: UUID = Field(default_factory=uuid4, sa_column_kwargs={"server_default": text("gen_random_uuid()")})

    @property
    def is_published(self) -> bool:
        """Whether players and spectators may read it."""
        return self.visibility == Visibility.members

    @property
    def has_fog(self) -> bool:
        """Whether players and spectators see only parts of it."""
        return self.fog != Fog.off

    def publish(self) -> None:
        """Update what players get, after a change of the grid, the visibility or the fog."""
        if self.is_published and not self.has_fog:
            self.players_frame, self.players_legend, self.players_layers = players_columns(self.grid_data)
        else:
            self.players_frame = self.players_legend = self.players_layers = None

    def __str__(self) -> str:
        return self.name


class MapChunk(SQLModel, table=True):
    """Up to 64 x 64 cells of one layer: a list of rows. Empty chunks are not stored."""

    __tablename__ = "map_chunk"
    __table_args__ = (
        ForeignKeyConstraint(
            ["universe_id", "map_id"],
            ["map.universe_id", "map.id"],
            ondelete="CASCADE",
        ),
        CheckConstraint("jsonb_array_length(rows) BETWEEN 1 AND 64", name="rows"),
    )

    universe_id: UUID = Field(primary_key=True)
    map_id: UUID = Field(primary_key=True)
    layer: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    x: int = Field(primary_key=True, sa_type=SmallInteger, sa_column_kwargs={"autoincrement": False})
    y: int = Field(primary_key=True, sa_type=SmallInteger, sa_column_kwargs={"autoincrement": False})
    rows: list[str] = Field(sa_type=JSONB)


ANY_MEMBER: Final = UUID(int=1)
"""Represents a player without grants; no user has this id."""


def _as_member(value: Any) -> Any:
    return ANY_MEMBER if value == MEMBERS else value


_SeenAs = Annotated[
    UUID,
    BeforeValidator(_as_member),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "string", "const": MEMBERS}]}),
]
AsMember = Annotated[
    _SeenAs | None,
    Query(
        alias="as",
        description="For game masters: read the map as this member sees it. The id of a user, or `members` for a "
        "player without grants.",
    ),
]
"""The parameter `as` of reads."""

GridData = Annotated[dict[str, Any], Described(shapes.GridData)]

_EXAMPLE = {
    "universe_id": "019a0000-0000-7000-8000-000000000001",
    "name": "The Drowned Crypt",
    "description": "Knee-deep, and colder than it should be.",
    "grid_data": GRID_EXAMPLE,
}


class MapSummary(ApiModel):
    """A map, without its grid."""

    id: UUID
    universe_id: UUID
    name: str
    description: str
    visibility: Visibility
    fog: Fog
    fog_sharing: FogSharing
    lighting: Lighting
    created_at: Timestamp
    version: int = unset("Incremented by each change; also the ETag. Absent for players.")
    updated_at: Timestamp = unset("Not for players.")


class MapRead(ApiModel):
    """A map with its grid."""

    id: UUID
    universe_id: UUID
    name: str
    description: str
    visibility: Visibility
    fog: Fog
    fog_sharing: FogSharing
    lighting: Lighting
    created_at: Timestamp
    grid_data: GridData
    version: int = unset("Incremented by each change; also the ETag. Absent for players.")
    updated_at: Timestamp = unset("Not for players.")


class MapCreate(ApiModel):
    """Creates a map in a universe."""

    model_config = example(_EXAMPLE)

    universe_id: UUID
    name: Name
    description: Description = ""
    grid_data: GridData = Field(default_factory=dict)
    visibility: _Visibility = Visibility.game_masters
    fog: _Fog = Fog.off
    fog_sharing: _FogSharing = FogSharing.party
    lighting: _Lighting = Lighting.bright


class MapReplace(ApiModel):
    """Replaces a map, and moves it if `universe_id` is another universe. Fog and lighting remain unchanged."""

    model_config = example(_EXAMPLE)

    universe_id: UUID = unset()
    name: Name
    description: Description = ""
    grid_data: GridData = Field(default_factory=dict)
    visibility: _Visibility = Visibility.game_masters


class MapPatch(ApiModel):
    """Changes the fields that it contains; `grid_data` is replaced as a whole."""

    model_config = example({"name": "The Dry Crypt"})

    universe_id: UUID = unset()
    name: Name = unset()
    description: Description = unset()
    grid_data: GridData = unset()
    visibility: _Visibility = unset()
    fog: _Fog = unset()
    fog_sharing: _FogSharing = unset()
    lighting: _Lighting = unset()


class MapPage(ApiModel):
    """A page of maps."""

    items: list[MapSummary]
    next_cursor: str | None
