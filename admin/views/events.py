"""The event log, read only."""

from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from fastapi import Request
from sqlalchemy import Select, func, select
from sqlmodel import col

from admin.scope import is_superuser
from admin.views.base import Filter, View
from game.events.models import Event

_RECENT = 8
_MAX_PAYLOAD_CHARACTERS = 100_000


def recent(*conditions: Any) -> Select[Any]:
    """The most recent events that the user may see and that meet the conditions, which must name a universe."""
    return select(Event).where(*conditions).order_by(_by_time(bool(conditions)).desc()).limit(_RECENT)


def _by_time(in_one_universe: bool) -> Any:
    """The expression to order events by time with the help of an index."""
    if in_one_universe:
        return col(Event.seq)
    if is_superuser():
        return col(Event.created_at)
    # An expression without an index, so that PostgreSQL finds a game master's events by their universes and sorts
    # them. With the index by time, it would read all events until it finds theirs, which may be old.
    return func.timezone("UTC", col(Event.created_at))


class EventView(View, model=Event):
    """The event log, read only."""

    name, name_plural, icon = "Event", "Events", "event"
    summary = "Every change of a universe and its maps, in order. The log is read only."
    column_list = ("created_at", "kind", "subject_id", "universe_id", "actor_id", "seq")
    column_labels: ClassVar[dict[Any, str]] = {
        "created_at": "Time",
        "kind": "Event",
        "subject_id": "Subject",
        "universe_id": "Universe",
        "actor_id": "User",
        "seq": "Number",
    }
    column_details_list = ("kind", "subject_id", "universe_id", "actor_id", "created_at", "seq")
    column_export_list: ClassVar[Any] = ("universe_id", "seq", "kind", "subject_id", "actor_id", "created_at")
    column_searchable_list = ("kind",)
    column_sortable_list = ("created_at", "kind", "seq")
    column_default_sort = ("created_at", True)
    deferred = (Event.before,)
    filters: ClassVar[dict[str, Filter]] = {
        "universe_id": Filter("Universe", universes=True),
        "subject_id": Filter("Subject"),
        "actor_id": Filter("User"),
    }

    def sort_query(self, stmt: Select[Any], request: Request) -> Select[Any]:
        """The list in the order of the query string."""
        if request.query_params.get("sortBy", "created_at") != "created_at":
            return super().sort_query(stmt, request)
        is_up = "sortBy" in request.query_params and request.query_params.get("sort") != "desc"
        order = _by_time(bool(request.query_params.get("universe_id")))
        return stmt.order_by(order if is_up else order.desc())

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """The events of a list, without their payloads."""
        return await self.events(statement)

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """The payload as indented JSON; of a very long one, the start."""
        text = orjson.dumps(row.payload, option=orjson.OPT_INDENT_2).decode()
        if len(text) > _MAX_PAYLOAD_CHARACTERS:
            text = f"{text[:_MAX_PAYLOAD_CHARACTERS]}\n…"
        return {"payload": text}
