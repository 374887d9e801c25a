"""Members of all universes, for superusers. Read only: they are changed through the API."""

from typing import Any, ClassVar

from admin.labels import COLUMNS
from admin.views.base import Filter, View
from game.universes.models import Member


class MemberView(View, model=Member):
    """The members of all universes, with their roles."""

    superusers_only = True
    name, name_plural, icon = "Member", "Members", "user"
    summary = "The members of all universes, with their roles."
    column_list = ("universe_id", "user_id", "role", "created_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "universe_id": "Universe",
        "user_id": "User",
        "role": "Role",
        "created_at": "Since",
    }
    column_details_list = column_list
    column_export_list: ClassVar[Any] = column_list
    column_searchable_list = ("role",)
    column_sortable_list = ("created_at", "role")
    column_default_sort = ("created_at", True)
    filters: ClassVar[dict[str, Filter]] = {
        "universe_id": Filter("Universe", universes=True),
        "user_id": Filter("User"),
    }
