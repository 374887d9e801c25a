"""What the endpoints of exchange take and answer."""

from typing import Annotated

from pydantic import WithJsonSchema
from sqlmodel import Field

from game.core.models import Shape
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
    """The result of an import: `map` if the file had one map, else `maps`; neither with `dry_run`."""

    format: str = Field(description="What the file is: tiled, ldtk, uvtt or text.")
    map: MapRead | None
    maps: list[MapRead] | None
    found: list[FoundMap] = Field(description="The maps in the file.")
    warnings: list[ImportWarning]
