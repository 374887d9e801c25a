"""Tokens on maps."""

from typing import Any, ClassVar

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from admin.forms import TokenForm
from admin.labels import COLUMNS, DATES
from admin.scope import person
from admin.views.base import Filter
from admin.views.documents import DocumentView
from admin.writes import require_version
from game.play import tokens
from game.tokens.models import Token, TokenPatch


class TokenView(DocumentView, model=Token):
    """Tokens on maps. They are created and moved in play."""

    name, name_plural, icon = "Token", "Tokens", "user"
    summary = "The pieces that move on maps in play."
    column_list = ("name", "map_id", "x", "y", "universe_id", "version", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "universe_id": "Universe",
        "map_id": "Map",
        "x": "Column",
        "y": "Row",
        "size": "Size",
        "disposition": "Disposition",
        "hidden": "Hidden",
    }
    column_details_list = ("universe_id", "map_id", "x", "y", "size", "disposition", "hidden", *DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "universe_id", "map_id", "name", "x", "y", *DATES)
    column_searchable_list = ("name",)
    column_sortable_list = ("name", "version", "updated_at")
    filters: ClassVar[dict[str, Filter]] = {**DocumentView.filters, "map_id": Filter("Map")}
    deferred = (Token.sight, Token.light, Token.conditions, Token.bars, Token.grants, Token.properties, Token.gm)
    edit_form = TokenForm
    delete_warning = "Its character is not deleted. This cannot be undone."
    operation = "Token"
    change_shape: ClassVar[type[SQLModel]] = TokenPatch
    json_fields = (
        *("x", "y", "size", "rotation", "elevation", "hidden"),
        *("sight", "light", "conditions", "bars", "grants", "properties", "gm"),
    )

    async def change_row(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> None:
        """Change a token to the values of the form."""
        fields = self._checked(self.change_shape, form)
        piece = await tokens.get_to_change(session, person(), row.id, "updateToken")
        require_version(version, piece.found.row)
        await tokens.change(session, piece, fields)

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete a token."""
        piece = await tokens.get_to_change(session, person(), row.id, "deleteToken")
        require_version(version, piece.found.row)
        await tokens.remove(session, piece)
