"""Keyset pagination of lists: a limit, an order, and a cursor for the next page."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from fastapi import Depends, Query
from sqlalchemy import ColumnElement, Select, or_, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Scope

from game.core.errors import FieldError, Unprocessable
from game.core.hot import HotResponse

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_MAX_BYTES = 4 * 2**20
"""The limit for the rows of a page, if their sizes are known."""


class Sort(StrEnum):
    """Orders of a list; a minus sign means descending."""

    name = "name"
    name_down = "-name"
    created_at = "created_at"
    created_at_down = "-created_at"
    updated_at = "updated_at"
    updated_at_down = "-updated_at"


class ConstantSort(StrEnum):
    """Orders of a list of items that never change."""

    name = "name"
    name_down = "-name"
    created_at = "created_at"
    created_at_down = "-created_at"


class PageQuery(NamedTuple):
    """The parameters of every list."""

    limit: int
    cursor: str | None
    sort: Sort | ConstantSort
    q: str | None


_Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The maximum number of items.")]
_Cursor = Annotated[
    str | None, Query(max_length=1000, description="`next_cursor` of the previous page, with the same `sort`.")
]
_Text = Annotated[
    str | None, Query(max_length=100, description="Only items with this text in the name or description.")
]


def _page_query(
    limit: _Limit = DEFAULT_LIMIT,
    cursor: _Cursor = None,
    sort: Annotated[Sort, Query(description="The order.")] = Sort.created_at,
    q: _Text = None,
) -> PageQuery:
    return PageQuery(limit, cursor, sort, q)


def _constant_page_query(
    limit: _Limit = DEFAULT_LIMIT,
    cursor: _Cursor = None,
    sort: Annotated[ConstantSort, Query(description="The order.")] = ConstantSort.created_at,
    q: _Text = None,
) -> PageQuery:
    return PageQuery(limit, cursor, sort, q)


PageParameters = Annotated[PageQuery, Depends(_page_query)]
ConstantPageParameters = Annotated[PageQuery, Depends(_constant_page_query)]
"""The parameters of a list whose rows have no `updated_at`."""


def encode_cursor(sort: str, value: Any, last_id: UUID) -> str:
    """The cursor after a row."""
    return base64.urlsafe_b64encode(orjson.dumps([sort, value, str(last_id)])).decode().rstrip("=")


def decode_cursor(cursor: str, sort: str, kind: type) -> tuple[Any, UUID]:
    """Decode a cursor of `encode_cursor`.

    Raises:
        Unprocessable: it is not a cursor of this list, or has another order.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        made_for, value, last_id = orjson.loads(raw)
        value = datetime.fromisoformat(value) if kind is datetime else value
        if made_for != sort or not isinstance(value, kind) or "\0" in str(value):
            raise ValueError
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError
            value = value.astimezone(UTC)
        return value, UUID(last_id)
    except (ValueError, TypeError, AttributeError, OverflowError):
        error = FieldError("cursor", "cursor_invalid", "This is not a cursor of this list with this order.")
        raise Unprocessable(errors=[error]) from None


def contains(text: str, *columns: Any) -> ColumnElement[bool]:
    """The condition that one of the columns contains this text, ignoring case."""
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return or_(*(column.ilike(pattern, escape="\\") for column in columns))


async def page_of(
    session: AsyncSession,
    statement: Select[Any],
    model: Any,
    query: PageQuery,
    name_column: Any = None,
    searched: Sequence[Any] | None = None,
    updated_column: Any = None,
    size: ColumnElement[int] | None = None,
) -> Mapping[str, Any]:
    """A page of a statement that selects rows of `model`, and possibly more columns after them.

    `name_column` and `updated_column` are the columns for `sort=name` and `sort=updated_at`, and `searched` are
    those for `q`, if they are not the model's default columns. If `size`, the size of a row in bytes, is given, a
    page has fewer rows if they are large, but at least one. The items are rows of the model, or tuples if there
    are more columns.
    """
    down = query.sort.startswith("-")
    name = query.sort.removeprefix("-")
    # UUIDv7 sorts by time, so the order of creation needs no second column.
    if name == "created_at":
        column = model.id
    elif name == "name" and name_column is not None:
        column = name_column
    elif name == "updated_at" and updated_column is not None:
        column = updated_column
    else:
        column = getattr(model, name)
    if query.q:
        statement = statement.where(contains(query.q, *(searched or (model.name, model.description))))
    if query.cursor:
        kind = {"name": str, "updated_at": datetime}.get(name, str)
        value, last_id = decode_cursor(query.cursor, query.sort, kind)
        here = tuple_(column, model.id)
        there: Any = tuple_(*((last_id, last_id) if name == "created_at" else (value, last_id)))
        statement = statement.where(here < there if down else here > there)
    order = [column, model.id] if name != "created_at" else [model.id]
    statement = statement.order_by(*(one.desc() if down else one for one in order))
    if size is not None:
        query = query._replace(limit=await _fitting(session, statement, size, query.limit))
    statement = statement.limit(query.limit + 1)
    rows = [tuple(row) for row in await session.execute(statement.add_columns(column))]
    cursor = None
    if len(rows) > query.limit:
        last, *_, value = rows[query.limit - 1]
        cursor = encode_cursor(query.sort, str(value) if isinstance(value, UUID) else value, last.id)
    items = [row[:-1] if len(row) > 2 else row[0] for row in rows[: query.limit]]
    return {"items": items, "next_cursor": cursor}


async def _fitting(session: AsyncSession, statement: Select[Any], size: ColumnElement[int], limit: int) -> int:
    """The number of rows, up to `limit`, that fit in a page."""
    room, count = _MAX_BYTES, 0
    for one in (await session.execute(statement.with_only_columns(size).limit(limit))).scalars():
        room -= one
        count += 1
        if room < 0:
            break
    return max(count - (room < 0), 1)


def hot_parameters(scope: Scope) -> tuple[int, UUID | None] | None:
    """The limit, and the id to continue after, for a hot list statement; None if the plain endpoint is to handle
    the request.

    The statements support only the order of creation.
    """
    limit, after = DEFAULT_LIMIT, None
    if query := scope["query_string"]:
        for pair in query.split(b"&"):
            name, _, value = pair.partition(b"=")
            if name == b"limit" and value.isdigit() and len(value) < 4 and 1 <= int(value) <= MAX_LIMIT:
                limit = int(value)
            elif name == b"cursor" and len(value) < 200 and b"%" not in value and b"+" not in value:
                try:
                    after = decode_cursor(value.decode("latin-1"), "created_at", str)[1]
                except Unprocessable:
                    return None
            else:
                return None
    return limit, after


def hot_list(row: asyncpg.Record) -> HotResponse:
    """The response of a hot list: its `items` as JSON, and the id after which the next page starts."""
    last = row["next_id"]
    cursor = "null" if last is None else f'"{encode_cursor(Sort.created_at, str(last), last)}"'
    return HotResponse(f'{{"items":[{row["items"] or ""}],"next_cursor":{cursor}}}'.encode())
