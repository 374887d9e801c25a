"""Maps, with their pictures and their grids."""

from typing import Any, ClassVar
from uuid import UUID

import orjson
from fastapi import Request
from sqladmin import expose
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from starlette.responses import Response

from admin import writes
from admin.forms import InvalidForm, MapForm, NewMapForm, checked, grid, lines, new_grid
from admin.labels import COLUMNS, DATES
from admin.scope import person
from admin.views.base import Filter, View
from admin.views.events import recent
from game.core.compute import RequestComputing
from game.core.errors import NotFound
from game.events.models import Event
from game.grid.drawing.scene import NAMES_FROM
from game.maps import queries as maps
from game.maps import texts
from game.maps.models import Map, MapCreate, MapPatch
from game.permissions import GAME_MASTERS
from game.play.router_pictures import Picture, drawn
from game.universes.models import Member

_SMALL_PIXELS, _LARGE_PIXELS = 400, 1600
_MAX_DRAWN_CELLS = 1024
"""The maximum number of columns and rows in a picture; larger maps are shown from the top left."""
_FIELDS = ("name", "description", "universe_id", "visibility")
_MAX_TEXT_BYTES = 2_000_000
"""Larger grid data is not put into a page as text: the editor loads only what it shows."""


class MapView(View, model=Map):
    """Maps, with their pictures and their grids."""

    name, name_plural, icon = "Map", "Maps", "map"
    summary = "Grids of cells in layers, with entities on them."
    column_list = ("picture", "name", "universe_id", "size", "version", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "picture": "",
        "universe_id": "Universe",
        "size": "Size",
        "visibility": "Visibility",
    }
    column_details_list = ("universe_id", "size", "visibility", *DATES, "id")
    column_export_list: ClassVar[Any] = (
        "id",
        "universe_id",
        "name",
        "description",
        "width",
        "height",
        "visibility",
        *DATES,
    )
    column_searchable_list = ("name", "description")
    column_sortable_list = ("name", "version", "updated_at")
    column_default_sort = ("updated_at", True)
    deferred = (Map.grid_data,)
    filters: ClassVar[dict[str, Filter]] = {"universe_id": Filter("Universe", universes=True)}
    can_create = can_edit = can_delete = True
    add_page, add_label = "create", "New map"
    new_form, edit_form = NewMapForm, MapForm
    after_create = "edit"

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """The map's recent activity."""
        ours = col(Event.universe_id) == row.universe_id, col(Event.subject_id) == row.id
        return {"events": await self.events(recent(*ours))}

    @expose("/picture/{pk}", methods=["GET"])
    async def picture(self, request: Request) -> Response:
        """A small PNG of the map, as the API draws it for its game master."""
        row = await self.row(request.path_params["pk"])
        cells = min(max(row.width, row.height), _MAX_DRAWN_CELLS)
        # Names would cover a small picture.
        is_large = "large" in request.query_params
        pixels, largest = (_LARGE_PIXELS, 32) if is_large else (_SMALL_PIXELS, NAMES_FROM - 1)
        size = min(max(pixels // max(cells, 1), 1), largest)
        part = Picture(width=_MAX_DRAWN_CELLS, height=_MAX_DRAWN_CELLS, cell_size=size)
        async with self.session_maker() as session:
            return await drawn(request, session, RequestComputing(request), person(), row.id, part)

    async def more_for_form(self, request: Request, row: Any | None, form: Any) -> dict[str, Any]:
        """The universes to choose from, and the URL at which the editor may save through the API."""
        chosen = _uuid(form.universe_id.data)
        if row is None:
            return {"universes": await self.universe_options(chosen), "map_url": ""}
        # A superuser who plays in this universe is a player to the API.
        mine = col(Member.universe_id) == row.universe_id, col(Member.user_id) == person().id
        roles = await self._run_query(select(col(Member.role)).where(*mine))
        edits = not roles or roles[0] in GAME_MASTERS
        return {
            "universes": await self.universe_options(chosen),
            "map_url": f"/maps/{row.id}" if edits else "",
        }

    async def fill(self, request: Request, row: Any) -> dict[str, Any]:
        """The map's fields, with its grid data as text unless it is too large."""
        if row.width * row.height > _MAX_TEXT_BYTES:
            return {name: getattr(row, name) for name in (*_FIELDS, "version")}
        async with self.session_maker() as session:
            text, version = await texts.document(session, await maps.get(session, person(), row.id, "readMap"))
        if len(text) > _MAX_TEXT_BYTES:
            return {name: getattr(row, name) for name in (*_FIELDS, "version")}
        document = orjson.loads(text)
        shown = orjson.dumps(document["grid_data"], option=orjson.OPT_INDENT_2).decode()
        fields = {name: document[name] for name in _FIELDS}
        return {**fields, "version": version, "grid_data": shown if len(shown) <= _MAX_TEXT_BYTES else None}

    async def create_row(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Create a map in one of the universes that the user sees."""
        text = form.grid_data.data or ""
        fields = {**self._fields(form), "grid_data": await grid(text) if text.strip() else new_grid(form)}
        fields = checked(MapCreate, fields)
        try:
            return await writes.create_map(session, fields.pop("universe_id"), fields)
        except NotFound:
            raise _no_such_universe() from None

    async def change_row(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> None:
        """Change the fields of the form; without grid data, the grid is not changed."""
        fields = checked(MapPatch, self._fields(form))
        if "grid_data" in (await request.form()):
            fields["grid_data"] = await grid(form.grid_data.data)
        target = fields.pop("universe_id")
        try:
            await writes.change_map(session, row.id, version, target, fields)
        except NotFound:
            await self.row(str(row.id))
            raise _no_such_universe() from None

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete the map."""
        await writes.remove_map(session, row.id, version)

    @staticmethod
    def _fields(form: Any) -> dict[str, Any]:
        fields = {
            "name": form.name.data or "",
            "description": lines(form.description.data),
            "universe_id": form.universe_id.data or "",
        }
        # Forms that were opened before an update may lack the field.
        return {**fields, "visibility": form.visibility.data} if form.visibility.data else fields


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _no_such_universe() -> InvalidForm:
    message = "Choose a universe from the list. A map can only move to another universe of the same game master."
    return InvalidForm.at("universe_id", "not_found", message)
