"""Pictures of universes."""

from typing import Any, ClassVar

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from admin import api
from admin.labels import COLUMNS
from admin.views.base import MAX_CARDS, Filter, View
from game.assets.models import Asset
from game.maps.models import Map


class AssetView(View, model=Asset):
    """Pictures of universes, with the maps that show them."""

    name, name_plural, icon = "Picture", "Pictures", "asset"
    summary = "Backgrounds of maps, and other pictures of a universe."
    column_list = ("thumbnail", "name", "universe_id", "pixels", "created_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "thumbnail": "",
        "universe_id": "Universe",
        "pixels": "Pixels",
        "media_type": "Type",
        "created_at": "Uploaded",
    }
    column_details_list = ("universe_id", "pixels", "media_type", "created_at", "id")
    column_export_list: ClassVar[Any] = (
        "id",
        "universe_id",
        "name",
        "media_type",
        "width",
        "height",
        "created_at",
    )
    column_searchable_list = ("name",)
    column_sortable_list = ("name", "created_at")
    column_default_sort = ("created_at", True)
    filters: ClassVar[dict[str, Filter]] = {"universe_id": Filter("Universe", universes=True)}
    add_page, add_label, add_icon = "upload", "Upload pictures", "upload"
    can_delete = True
    delete_warning = "Maps that use it will have no background. This cannot be undone."

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """The maps that have the picture as their background."""
        shows = col(Map.grid_data)["background"]["asset_id"].as_string() == str(row.id)
        used = select(col(Map.id), col(Map.name)).where(col(Map.universe_id) == row.universe_id, shows)
        return {"maps": await self._run_arbitrary_query(used.order_by(col(Map.name)).limit(MAX_CARDS))}

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete the picture."""
        await api.call(request, "DELETE", f"/assets/{row.id}")
