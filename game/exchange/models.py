"""What the endpoints of exchange take and answer."""

from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, StringConstraints, WithJsonSchema
from sqlmodel import Field

from game.core.models import Name, Shape
from game.grid.formats import WARNINGS
from game.maps.models import MapRead

WarningCode = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "enum": list(WARNINGS),
            "description": " ".join(f"`{code}`: {text}" for code, text in WARNINGS.items()),
        }
    ),
]


class ImportWarning(Shape):
    """Something that a file says and a map does not keep, or that was guessed or changed."""

    code: WarningCode
    place: str = Field(
        description="Where in the file: `layers[2].objects[0]`, `line 12`, a file's name; empty for all of it."
    )
    message: str = Field(description="A sentence for people.")


class FoundMap(Shape):
    """A map in a file."""

    name: str
    width: int = Field(description="In cells.")
    height: int = Field(description="In cells.")
    layers: list[str] = Field(description="The names of its layers.")
    entities: int = Field(description="The number of its entities.")


class ImportRead(Shape):
    """What came of a file: `map` when it held one, else `maps`; neither with `dry_run`."""

    format: str = Field(description="What the file is: tiled, ldtk, uvtt or text.")
    map: MapRead | None
    maps: list[MapRead] | None
    found: list[FoundMap] = Field(description="What the file holds.")
    warnings: list[ImportWarning]


class AssetName(Shape):
    """The name of an asset in a bundle."""

    name: Name


class BundledEvent(Shape):
    """An event in a bundle."""

    model_config = ConfigDict(extra="ignore")

    seq: int
    kind: Annotated[str, StringConstraints(max_length=50, pattern=r"^[a-z]+\.[a-z_]+$")]
    subject_id: Annotated[str, StringConstraints(max_length=36)]
    payload: dict[str, Any]
    before: dict[str, Any] | None = None
    created_at: AwareDatetime
