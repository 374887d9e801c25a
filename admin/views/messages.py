"""Messages to all members; whispers are only for their sender and recipients. Read only."""

from typing import Any, ClassVar

from admin.labels import COLUMNS
from admin.views.base import Filter, View
from game.messages.models import Message


class MessageView(View, model=Message):
    """Messages to all members."""

    name, name_plural, icon = "Message", "Messages", "message"
    summary = "Messages to all members. Whispers are not shown here. Messages are read only."
    column_list = ("created_at", "actor_id", "text", "universe_id")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "created_at": "Time",
        "actor_id": "User",
        "text": "Text",
        "universe_id": "Universe",
    }
    column_details_list = ("text", "actor_id", "universe_id", "created_at", "id")
    column_export_list: ClassVar[Any] = ("id", "universe_id", "actor_id", "text", "created_at")
    column_searchable_list = ("text",)
    column_sortable_list = ("created_at",)
    column_default_sort = ("created_at", True)
    filters: ClassVar[dict[str, Filter]] = {
        "universe_id": Filter("Universe", universes=True),
        "actor_id": Filter("User"),
    }
