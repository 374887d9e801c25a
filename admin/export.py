"""Lists as CSV: read in batches, with cells that a spreadsheet would run as formulas neutralised."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from admin.views.base import View

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""The characters that start a formula, also in full width (OWASP, CSV Injection)."""
_BYTE_ORDER_MARK = "\ufeff"


def cell(value: Any) -> str:
    """The text of a cell for a value."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    text = str(value)
    is_formula = text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if is_formula else text


async def rows_as_csv(view: View, request: Request) -> AsyncIterator[str]:
    """The rows of a list, filtered as its query string says, after a line of column names."""
    names = view._export_prop_names
    # Spreadsheets read a file as UTF-8 only when it starts with this mark.
    yield _BYTE_ORDER_MARK + _line(names)
    async for rows in view.export_batches(request):
        yield "".join(_line([cell(getattr(row, name)) for name in names]) for row in rows)


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
