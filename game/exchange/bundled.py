"""The shapes of what a bundle holds, and the payloads of its events by kind.

A kind that is not listed here may come from a newer server. Its payload is any JSON that a client could have sent;
nothing relies on it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, field_validator

from game.core.names import MAX_DESCRIPTION, MAX_NAME, Description, Name

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Text = Annotated[str, StringConstraints(max_length=MAX_NAME)]
Number = Annotated[int, Field(ge=1, lt=2**31, strict=True)]
Seq = Annotated[int, Field(ge=1, lt=2**53, strict=True)]
Id = Annotated[str, StringConstraints(max_length=64)]
Counted = dict[str, Annotated[int, Field(strict=True, ge=0)] | list[str]]


class Fields(BaseModel):
    """Fields that are read from a bundle, whatever else stands there."""


class BundledUniverse(Fields):
    """A universe in a bundle."""

    name: Name
    description: Description = ""
    active_map_id: Id | None = None


class BundledAsset(Fields):
    """A picture in a bundle."""

    name: Name = "picture"


class BundledMap(Fields):
    """A map in a bundle."""

    name: Name
    description: Description = ""
    visibility: Literal["game_masters", "members"] = "game_masters"
    grid_data: dict[str, Any] = Field(default_factory=dict)
    version: Number = 1


class BundledEvent(Fields):
    """An event in a bundle."""

    seq: Seq
    kind: Annotated[str, StringConstraints(max_length=50, pattern=r"^([a-z]+\.[a-z_]+|private)$")]
    subject_id: Id
    payload: dict[str, Any]
    before: dict[str, Any] | None = None
    created_at: AwareDatetime

    @field_validator("created_at")
    @classmethod
    def _plausible(cls, value: datetime) -> datetime:
        if not _EARLIEST <= value <= _LATEST:
            raise ValueError("must be between 1970 and 2200")
        return value


class _Payload(Fields):
    """What a payload says."""


class _Named(_Payload):
    name: Text


class _Described(_Payload):
    name: Text | None = None
    description: Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION)] | None = None


class _Versioned(_Described):
    version: Number


class _Moved(_Named):
    to: Id


class _Arrived(_Versioned):
    origin: Id = Field(alias="from")


class _Replaced(_Versioned):
    grid_data: Literal["replaced"] | None = None


class _Restored(_Versioned):
    seq: Seq


class _Edited(_Versioned):
    edits: list[dict[str, Any]] | None = None
    touched: Counted = Field(default_factory=dict)


class _Turned(_Edited):
    of: Seq


class _Picture(_Named):
    media_type: Text


PAYLOADS: Final[Mapping[str, type[_Payload]]] = {
    "universe.created": _Described,
    "universe.imported": _Named,
    "universe.updated": _Versioned,
    "universe.deleted": _Named,
    "map.created": _Versioned,
    "map.updated": _Replaced,
    "map.moved_out": _Moved,
    "map.moved_in": _Arrived,
    "map.restored": _Restored,
    "map.edited": _Edited,
    "map.undone": _Turned,
    "map.redone": _Turned,
    "map.deleted": _Named,
    "asset.created": _Picture,
    "asset.deleted": _Picture,
}
CHANGES: Final = ("map.edited", "map.undone", "map.redone")
"""The kinds whose `before` is a change."""
