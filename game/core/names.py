"""Names and descriptions, as every table and shape has them. Light: computing processes check them, too."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic import Field as Constraint

MAX_NAME = 100
MAX_DESCRIPTION = 10_000
MAX_MESSAGE = 4_000


def _printable(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise ValueError("no control characters, please")
    return value


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME),
    AfterValidator(_printable),
]
Description = Annotated[str, Constraint(max_length=MAX_DESCRIPTION)]
