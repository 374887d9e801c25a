"""Encounters, with their combatants."""

from typing import Any, ClassVar

from fastapi import Request
from sqlmodel import SQLModel

from admin.forms import EncounterForm
from admin.labels import COLUMNS, DATES
from admin.views.documents import DocumentView
from game.encounters import queries as encounters
from game.encounters.models import Encounter, EncounterPatch
from game.encounters.turns import in_order


class EncounterView(DocumentView, model=Encounter):
    """Encounters, with their combatants. Turns are taken through the API."""

    name, name_plural, icon = "Encounter", "Encounters", "history"
    summary = "Encounters with their combatants, and whose turn it is."
    column_list = ("name", "state", "round", "universe_id", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "universe_id": "Universe",
        "state": "State",
        "round": "Round",
    }
    column_details_list = ("universe_id", "state", "round", *DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "universe_id", "name", "state", "round", *DATES)
    column_searchable_list = ("name",)
    column_sortable_list = ("name", "updated_at")
    deferred = (Encounter.combatants, Encounter.gm)
    edit_form = EncounterForm
    queries: ClassVar[Any] = encounters
    operation = "Encounter"
    change_shape: ClassVar[type[SQLModel]] = EncounterPatch
    json_fields = ("gm",)

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """The combatants in the order of their turns, and the recent activity."""
        listed = (await self.whole(row, "combatants"))["combatants"]
        turn = str(row.turn)
        return {**await super().more_for_details(request, row), "combatants": in_order(listed), "turn": turn}
