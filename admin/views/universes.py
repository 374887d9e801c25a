"""Universes, with their maps and their recent activity."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID, uuid4

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from admin import writes
from admin.forms import EditUniverseForm, UniverseForm, checked, lines
from admin.labels import COLUMNS, DATES, storage
from admin.views.base import MAX_CARDS, MAX_OPTIONS, Filter, View
from admin.views.events import recent
from game.assets.models import Asset
from game.events.models import Event
from game.maps.models import Map, Visibility
from game.universes.models import Universe, UniversePatch, UniverseWrite
from game.universes.quotas import Usage

_MAX_PICTURES = 8


class UniverseView(View, model=Universe):
    """Universes, with their maps."""

    name, name_plural, icon = "Universe", "Universes", "universe"
    summary = "Game worlds. Each has an owner, members and maps."
    column_list = ("name", "owner_id", "maps", "version", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "owner_id": "Owner",
        "maps": "Maps",
    }
    column_details_list = ("owner_id", *DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "name", "description", "owner_id", *DATES)
    column_searchable_list = ("name", "description")
    column_sortable_list = ("name", "version", "updated_at")
    column_default_sort = ("updated_at", True)
    filters: ClassVar[dict[str, Filter]] = {"owner_id": Filter("Owner")}
    can_create = can_edit = can_delete = True
    add_page, add_label = "create", "New universe"
    new_form, edit_form = UniverseForm, EditUniverseForm
    delete_warning = "Its maps, pictures and event log are deleted with it. This cannot be undone."

    async def more_for_list(self, request: Request, rows: Sequence[Any]) -> dict[str, Any]:
        """The number of maps of each universe."""
        statement = select(col(Map.universe_id), func.count()).group_by(col(Map.universe_id))
        ids = [row.id for row in rows]
        counted = await self._run_arbitrary_query(statement.where(col(Map.universe_id).in_(ids)))
        return {"counts": dict(map(tuple, counted))}

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """The universe's maps, its recent activity and what it stores."""
        ours = col(Map.universe_id) == row.id
        # SQLModel types a column as its value, here and wherever a loader takes it.
        without_grid = defer(Map.grid_data, raiseload=True)  # type: ignore[arg-type]  # see above
        cards = select(Map).options(without_grid).where(ours).order_by(col(Map.updated_at).desc())
        count = await self._run_query(select(func.count(col(Map.id))).where(ours))
        return {
            "maps": await self._run_query(cards.limit(MAX_CARDS)),
            "map_count": count[0],
            "storage": storage(request, "universe", Usage(row.asset_bytes, row.map_bytes, row.event_bytes)),
            "events": await self.events(recent(col(Event.universe_id) == row.id)),
            **await self._pictures(row.id),
            "key": uuid4(),
        }

    async def _pictures(self, universe_id: UUID) -> dict[str, Any]:
        ours = col(Asset.universe_id) == universe_id
        newest = select(Asset).where(ours).order_by(col(Asset.id).desc()).limit(_MAX_PICTURES)
        count = await self._run_query(select(func.count(col(Asset.id))).where(ours))
        return {"pictures": await self._run_query(newest), "picture_count": count[0]}

    async def more_for_form(self, request: Request, row: Any | None, form: Any) -> dict[str, Any]:
        """The maps where the party can be: those that members may see."""
        if row is not None:
            ours = col(Map.universe_id) == row.id, col(Map.visibility) == Visibility.members
            named = select(col(Map.id), col(Map.name)).where(*ours).order_by(col(Map.name)).limit(MAX_OPTIONS)
            found = await self._run_arbitrary_query(named)
            form.active_map_id.choices = [("", "No map"), *((str(one), name) for one, name in found)]
        return {}

    async def create_row(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Create a universe that the user owns."""
        return await writes.create_universe(session, checked(UniverseWrite, self._fields(form)))

    async def change_row(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> None:
        """Change the fields of the form."""
        fields = self._fields(form)
        if "active_map_id" in await request.form():
            fields["active_map_id"] = form.active_map_id.data or None
        await writes.change_universe(session, row.id, version, checked(UniversePatch, fields))

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete the universe with its maps."""
        await writes.remove_universe(session, row.id, version)

    @staticmethod
    def _fields(form: Any) -> dict[str, Any]:
        return {"name": form.name.data or "", "description": lines(form.description.data)}
