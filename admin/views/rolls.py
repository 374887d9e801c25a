"""Dice rolls, except those that only their roller sees. Read only."""

from typing import Any, ClassVar

from admin.labels import COLUMNS
from admin.views.base import Filter, View
from game.rolls.models import Roll


class RollView(View, model=Roll):
    """Rolls of dice."""

    name, name_plural, icon = "Roll", "Rolls", "roll"
    summary = "Dice rolls, except those that only their roller sees. Rolls are read only."
    column_list = ("created_at", "actor_id", "expression", "total", "visibility", "universe_id")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "created_at": "Time",
        "actor_id": "User",
        "expression": "Roll",
        "total": "Result",
        "text": "In full",
        "visibility": "For",
        "reason": "Reason",
        "universe_id": "Universe",
    }
    column_details_list = ("text", "reason", "visibility", "actor_id", "universe_id", "created_at", "id")
    column_export_list: ClassVar[Any] = (
        *("id", "universe_id", "actor_id", "expression", "total", "visibility", "reason", "created_at"),
    )
    column_searchable_list = ("expression", "reason")
    column_sortable_list = ("created_at", "total", "visibility")
    column_default_sort = ("created_at", True)
    deferred = (Roll.terms, Roll.key)
    filters: ClassVar[dict[str, Filter]] = {
        "universe_id": Filter("Universe", universes=True),
        "actor_id": Filter("User"),
    }
