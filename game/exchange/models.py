"""The request and response models of import and export."""

from typing import Annotated

from pydantic import WithJsonSchema
from sqlmodel import Field

from game.core.models import ApiModel
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


class ImportWarning(ApiModel):
    """Something that was lost, guessed or changed in an import."""

    code: WarningCode
    place: str = Field(
        description="The place in the file: `layers[2].objects[0]`, `line 12`, or a file name; empty for the "
        "whole file."
    )
    message: str = Field(description="A sentence for users.")


class FoundMap(ApiModel):
    """A map that a file contains."""

    name: str
    width: int = Field(description="In cells.")
    height: int = Field(description="In cells.")
    layers: list[str] = Field(description="The names of its layers.")
    entities: int = Field(description="The number of its entities.")


class ImportRead(ApiModel):
    """The result of an import: `map` if the file had one map, else `maps`; neither with `dry_run`."""

    format: str = Field(description="The format of the file: tiled, ldtk, uvtt or text.")
    map: MapRead | None
    maps: list[MapRead] | None
    found: list[FoundMap] = Field(description="The maps in the file.")
    warnings: list[ImportWarning]
