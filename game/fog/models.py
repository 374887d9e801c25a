"""The tables of what players have seen of maps with fog, and the API's request and response models."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field as Constraint
from pydantic import model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from game.core.models import ApiModel, Assigned, example
from game.events.payloads import Payload, describes, optional
from game.grid.document import DEFAULT_LIMITS

PARTY = UUID(int=0)
"""The viewer id of the group of all players, if they share what they see."""


class Fog(StrEnum):
    """What players see of a map: all of it, what they see or have seen, or only what they see now."""

    off = "off"
    explored = "explored"
    sight = "sight"


class FogSharing(StrEnum):
    """Whether players see what the tokens of all players see, or only what their own tokens see."""

    party = "party"
    each = "each"


class Lighting(StrEnum):
    """How bright a map is. Only `dark` affects sight."""

    bright = "bright"
    dim = "dim"
    dark = "dark"


class MapMemory(SQLModel, table=True):
    """What a group of viewers remembers of a map apart from its chunks: `whole` of `game.grid.memory.pack`.

    `viewer_id` is a member, or PARTY; the row is deleted with the member.
    """

    __tablename__ = "map_memory"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "map_id", "viewer_id"),
        ForeignKeyConstraint(["universe_id", "map_id"], ["map.universe_id", "map.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["universe_id", "member_id"],
            ["member.universe_id", "member.user_id"],
            ondelete="CASCADE",
        ),
        Index("ix_map_memory_universe_id_member_id", "universe_id", "member_id"),
    )

    universe_id: UUID
    map_id: UUID
    viewer_id: UUID
    member_id: UUID | None = Field(
        default=None,
        sa_column_args=[Computed(f"nullif(viewer_id, '{PARTY}'::uuid)", persisted=True)],
    )
    whole: dict[str, Any] = Field(default_factory=dict, sa_type=Assigned)


class MapMemoryChunk(SQLModel, table=True):
    """What a group of viewers remembers of 64 x 64 cells of a map.

    `explored` has a bit for each cell (`game.grid.cell_sets`), or is empty if all of them are explored; `differs`
    is the remembered state, as far as it differs from the present one.
    """

    __tablename__ = "map_memory_chunk"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "map_id", "viewer_id", "x", "y"),
        ForeignKeyConstraint(
            ["universe_id", "map_id", "viewer_id"],
            ["map_memory.universe_id", "map_memory.map_id", "map_memory.viewer_id"],
            ondelete="CASCADE",
        ),
        CheckConstraint("octet_length(explored) IN (0, 512)", name="explored"),
    )

    universe_id: UUID
    map_id: UUID
    viewer_id: UUID
    x: int = Field(sa_type=SmallInteger)
    y: int = Field(sa_type=SmallInteger)
    explored: bytes = Field(sa_type=LargeBinary)
    differs: dict[str, Any] | None = Field(default=None, sa_type=JSONB)


class FogRead(ApiModel):
    """What the caller sees of a map with fog."""

    mode: Fog
    sharing: FogSharing
    rows: list[str] = Field(
        description="One character for each cell: `0` never seen, `1` seen before, `2` in sight. Without fog, "
        "all are `2`."
    )


_Cell = Annotated[int, Constraint(ge=-DEFAULT_LIMITS.max_size, le=2 * DEFAULT_LIMITS.max_size, strict=True)]
_Side = Annotated[int, Constraint(ge=1, le=DEFAULT_LIMITS.max_size, strict=True)]
_Coordinate = Annotated[float, Constraint(ge=-2 * DEFAULT_LIMITS.max_size, le=4 * DEFAULT_LIMITS.max_size)]


class FogPoint(ApiModel):
    """A corner of a polygon, in cells; 0.5 is the middle of the first."""

    x: _Coordinate
    y: _Coordinate


class FogArea(ApiModel):
    """Cells of a map: a rectangle, a polygon (the cells whose centres are inside) or all of them; and whose fog is
    changed."""

    model_config = example({"x": 3, "y": 2, "width": 6, "height": 4})

    x: _Cell | None = None
    y: _Cell | None = None
    width: _Side | None = None
    height: _Side | None = None
    polygon: Annotated[list[FogPoint], Constraint(min_length=3, max_length=500)] | None = None
    all: bool = False
    for_: Annotated[
        list[UUID] | None,
        Constraint(
            alias="for",
            min_length=1,
            max_length=200,
            description="Players and spectators whose fog changes. Default: everybody. Only if `fog_sharing` is "
            "`each`.",
        ),
    ] = None

    @model_validator(mode="after")
    def _is_one_area(self) -> "FogArea":
        sides = [self.x, self.y, self.width, self.height]
        given = [None not in sides, self.polygon is not None, self.all]
        if given.count(True) != 1 or (not given[0] and sides.count(None) != len(sides)):
            raise PydanticCustomError("one_area", "give either x, y, width and height, or polygon, or all: true")
        return self


class FogChanged(ApiModel):
    """The result of the change."""

    seq: int = Field(description="The number of the event.")


@describes("map.fog_revealed", "map.fog_hidden")
class FogDrawn(Payload):
    """A game master revealed or hid cells of the fog. Not sent to players."""

    x: int = optional()
    y: int = optional()
    width: int = optional()
    height: int = optional()
    polygon: list[FogPoint] = optional()
    all: bool = optional()
    viewers: list[UUID] = optional("Whose fog changed. Absent: everybody's.", alias="for")
    version: int = optional()
