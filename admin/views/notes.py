"""Notes: journals, handouts and pins."""

from typing import Any, ClassVar

from fastapi import Request
from sqlmodel import SQLModel

from admin.forms import NewNoteForm, NoteForm
from admin.labels import COLUMNS, DATES
from admin.views.documents import DocumentView
from game.notes import queries as notes
from game.notes.models import Note, NotePatch, NoteWrite


class NoteView(DocumentView, model=Note):
    """Notes: journals, handouts and pins."""

    name, name_plural, icon = "Note", "Notes", "edit"
    summary = "Journals, handouts, and pins on maps, in Markdown."
    column_list = ("title", "author_id", "universe_id", "version", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "title": "Title",
        "author_id": "Author",
        "universe_id": "Universe",
    }
    column_details_list = ("universe_id", "author_id", *DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "universe_id", "title", "author_id", *DATES)
    column_searchable_list = ("title",)
    column_sortable_list = ("title", "version", "updated_at")
    deferred = (Note.body,)
    can_create = True
    add_page, add_label = "create", "New note"
    new_form, edit_form = NewNoteForm, NoteForm
    queries: ClassVar[Any] = notes
    operation = "Note"
    create_shape: ClassVar[type[SQLModel]] = NoteWrite
    change_shape: ClassVar[type[SQLModel]] = NotePatch
    json_fields = ("grants",)

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """Its text, and its recent activity."""
        return {**await super().more_for_details(request, row), **await self.whole(row, "body")}
