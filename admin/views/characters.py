"""Characters, with their sheets."""

from typing import Any, ClassVar

import orjson
from fastapi import Request
from sqlmodel import SQLModel

from admin.forms import CharacterForm, NewCharacterForm
from admin.labels import COLUMNS, DATES
from admin.views.documents import DocumentView
from game.characters import queries as characters
from game.characters.models import Character, CharacterWrite


class CharacterView(DocumentView, model=Character):
    """Characters, with their sheets."""

    name, name_plural, icon = "Character", "Characters", "user"
    summary = "Player and non-player characters, with their sheets."
    column_list = ("name", "kind", "universe_id", "version", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {**COLUMNS, "universe_id": "Universe", "kind": "Kind"}
    column_details_list = ("universe_id", "kind", *DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "universe_id", "name", "kind", *DATES)
    column_searchable_list = ("name",)
    column_sortable_list = ("name", "version", "updated_at")
    deferred = (Character.sheet, Character.gm)
    can_create = True
    add_page, add_label = "create", "New character"
    new_form, edit_form = NewCharacterForm, CharacterForm
    delete_warning = "Its tokens remain, without a character. This cannot be undone."
    queries: ClassVar[Any] = characters
    operation = "Character"
    create_shape: ClassVar[type[SQLModel]] = CharacterWrite
    change_shape: ClassVar[type[SQLModel]] = CharacterWrite
    json_fields = ("sheet", "grants", "gm")

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """Its sheet as indented JSON, and its recent activity."""
        sheet = (await self.whole(row, "sheet"))["sheet"]
        text = orjson.dumps(sheet, option=orjson.OPT_INDENT_2).decode()
        return {**await super().more_for_details(request, row), "sheet": text}
