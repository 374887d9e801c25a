"""The field types `Name` and `Description`. Without heavy imports, because compute processes use them, too."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic import Field as Constraint

MAX_NAME = 100
MAX_DESCRIPTION = 10_000
MAX_MESSAGE = 4_000


def _printable(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise ValueError("must not contain control characters")
    return value


_PRINTABLE = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]"
_SEEN = r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME),
    # For the OpenAPI document only: `_printable` does the check.
    Constraint(json_schema_extra={"pattern": f"^{_PRINTABLE}*{_SEEN}{_PRINTABLE}*$"}),
    AfterValidator(_printable),
]
Description = Annotated[str, Constraint(max_length=MAX_DESCRIPTION)]
