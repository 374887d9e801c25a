"""Log-in sessions of all accounts, for superusers."""

from typing import Any, ClassVar

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from admin.labels import COLUMNS
from admin.views.base import Filter, View
from game.accounts import queries as accounts
from game.accounts.models import AuthSession


class SessionView(View, model=AuthSession):
    """Sessions of all accounts, for superusers."""

    superusers_only = True
    name, name_plural, icon = "Session", "Sessions", "session"
    summary = "One for each device that is logged in. Deleting a session logs its device out."
    column_list = ("user_id", "user_agent", "ip_address", "created_at", "last_used_at", "expires_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        "user_id": "User",
        "user_agent": "Device",
        "ip_address": "IP address",
        "created_at": "Logged in",
        "last_used_at": "Last used",
        "expires_at": "Expires",
    }
    column_details_list = (*column_list, "id")
    column_export_list: ClassVar[Any] = ("id", *column_list)
    column_searchable_list = ("user_agent", "ip_address")
    column_sortable_list = ("created_at", "last_used_at", "expires_at")
    column_default_sort = ("last_used_at", True)
    deferred = (AuthSession.refresh_hash,)
    filters: ClassVar[dict[str, Filter]] = {"user_id": Filter("User")}
    can_delete = True
    delete_warning = "Its device is logged out immediately."

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """End the session."""
        await accounts.end_session(session, row.user_id, row.id)


SessionView.identity = "session"
