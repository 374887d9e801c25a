"""Accounts, for superusers."""

from typing import Any, ClassVar
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse
from sqladmin import expose
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from starlette.background import BackgroundTask
from starlette.responses import Response

from admin import writes
from admin.forms import InvalidForm, UserForm, checked
from admin.labels import COLUMNS, DATES, FLAGS, storage
from admin.scope import person
from admin.views.base import MAX_CARDS, YES_OR_NO, Filter, View, link
from game.accounts import emails, policy
from game.accounts import queries as accounts
from game.accounts.errors import UserAlreadyExists
from game.accounts.manager import UserManager
from game.accounts.models import User, UserRegister, UserUpdate
from game.core.errors import NotFound
from game.universes import quotas
from game.universes.models import Universe


class UserView(View, model=User):
    """Accounts, for superusers."""

    superusers_only = True
    name, name_plural, icon = "User", "Users", "user"
    summary = "People with an account."
    column_list = ("display_name", "email", *FLAGS, "created_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **COLUMNS,
        **FLAGS,
        "display_name": "Name",
        "email": "E-mail address",
        "created_at": "Signed up",
    }
    column_details_list = ("email", *FLAGS, *DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "email", "display_name", *FLAGS, *DATES)
    column_searchable_list = ("email", "display_name")
    column_sortable_list = ("display_name", "email", "created_at")
    column_default_sort = ("created_at", True)
    deferred = (User.hashed_password,)
    filters: ClassVar[dict[str, Filter]] = {name: Filter(label, YES_OR_NO) for name, label in FLAGS.items()}
    can_create = can_edit = can_delete = True
    add_page, add_label = "create", "New user"
    new_form = edit_form = UserForm
    delete_warning = "Accounts that own universes cannot be deleted. Deactivate them instead."

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """The user's universes and sessions, and what the universes store."""
        owned = select(Universe).where(col(Universe.owner_id) == row.id).order_by(col(Universe.updated_at).desc())
        async with self.session_maker() as session:
            sessions = await accounts.sessions_of(session, row.id)
            used = await quotas.usage_of_account(session, row.id)
        universes = await self._run_query(owned.limit(MAX_CARDS))
        return {"universes": universes, "sessions": sessions, "storage": storage(request, "account", used)}

    async def create_row(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Create an account."""
        fields = checked(UserRegister, self._fields(form))
        try:
            user = await _manager(session, request).sign_up(**fields, **_flags(form))
        except UserAlreadyExists:
            raise _address_taken() from None
        return user.id

    async def change_row(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> BackgroundTask | None:
        """Change an account. A new password, a deactivation or a demotion ends its sessions.

        Returns the mail to send to the old address if the address was changed.
        """
        manager = _manager(session, request)
        fields = await manager.with_hash(checked(UserUpdate, {**self._fields(form), **_flags(form)}))
        user = await self._locked(session, row.id, version)
        takes_rights = not fields["is_active"] or not fields["is_superuser"]
        policy.forbid_self_lockout(person(), user, takes_rights=takes_rights)
        old_address = user.email
        try:
            user = await manager.change(user, fields)
        except UserAlreadyExists:
            raise _address_taken() from None
        if user.email.lower() == old_address.lower():
            return None
        email = emails.address_changed(user, old_address)
        return BackgroundTask(request.app.state.mailer.send, lambda: email)

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete an account that owns no universes.

        Raises:
            OwnsUniverses: it owns universes.
        """
        user = await self._locked(session, row.id, version)
        policy.forbid_self_lockout(person(), user, takes_rights=True)
        await _manager(session, request).remove(user, person())

    @expose("/end-sessions/{pk}", methods=["POST"])
    async def end_sessions(self, request: Request) -> Response:
        """End all sessions of an account."""
        user = await self.row(request.path_params["pk"])
        async with self.session_maker() as session, session.begin():
            await accounts.end_sessions(session, user.id)
        return RedirectResponse(link("user", "details", user.id, done="ended"), 303)

    @staticmethod
    async def _locked(session: AsyncSession, user_id: UUID, version: int | None) -> User:
        user = await accounts.lock(session, user_id)
        if user is None:
            raise NotFound
        writes.require_version(version, user)
        return user

    @staticmethod
    def _fields(form: Any) -> dict[str, Any]:
        """The account's fields in the form; without the password if it is not changed."""
        fields = {"email": (form.email.data or "").strip(), "display_name": form.display_name.data or ""}
        is_new = not form.version.data
        return {**fields, "password": form.password.data or ""} if form.password.data or is_new else fields


def _flags(form: Any) -> dict[str, Any]:
    return {name: form[name].data for name in FLAGS}


def _manager(session: AsyncSession, request: Request) -> UserManager:
    return UserManager(session, request.app.state.secret)


def _address_taken() -> InvalidForm:
    return InvalidForm.at("email", "taken", "An account with this e-mail address already exists.")
