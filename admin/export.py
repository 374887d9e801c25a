"""Lists as CSV: a batch of rows at a time, and no cell that a spreadsheet would take for a formula."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from admin.view import View

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""How a formula starts, also in the wide characters of East Asian keyboards (OWASP, CSV Injection)."""
_BYTE_ORDER_MARK = "\ufeff"


def cell(value: Any) -> str:
    """A value as the text of a cell."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    text = str(value)
    is_formula = text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if is_formula else text


async def rows_as_csv(view: View, request: Request) -> AsyncIterator[str]:
    """The rows that the address of a list asks for, with a line of column names."""
    names = view._export_prop_names
    # Spreadsheets take a file for UTF-8 when it starts so.
    yield _BYTE_ORDER_MARK + _line(names)
    async for rows in view.export_batches(request):
        yield "".join(_line([cell(getattr(row, name)) for name in names]) for row in rows)


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
