"""The views of the admin: universes, maps and events for game masters; users and sessions for superusers."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

import orjson
from fastapi import Request
from fastapi.responses import RedirectResponse
from sqladmin import expose
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col
from starlette.responses import Response

from admin import writes
from admin.forms import InvalidForm, MapForm, UniverseForm, UserForm, checked, grid, lines
from admin.scope import is_superuser, person
from admin.view import YES_OR_NO, Filter, View, link
from game.accounts import policy
from game.accounts import queries as accounts
from game.accounts.errors import UserAlreadyExists
from game.accounts.manager import UserManager
from game.accounts.models import AuthSession, User, UserRegister, UserUpdate
from game.core.errors import FieldError, NotFound
from game.events.models import Event
from game.grid.drawing.scene import NAMES_FROM
from game.maps import queries as maps
from game.maps.models import Map, MapCreate, MapPatch
from game.play.router import Picture, draw_map_as_png
from game.universes.models import Universe, UniverseWrite

_RECENT = 8
_MOST_CARDS = 24
_SMALL_PIXELS, _LARGE_PIXELS = 400, 1600
_DRAWN_CELLS = 1024
"""Of a larger map, a picture shows its first so many columns and rows."""
_OFFERED_BYTES = 2_000_000
"""Grid data above this is not put into a page as text: the editor loads what it shows."""
_SHOWN_CHARACTERS = 100_000
"""Of what an event says."""

_LABELS = {
    "id": "Id",
    "name": "Name",
    "description": "Description",
    "version": "Version",
    "created_at": "Made",
    "updated_at": "Changed",
}
_DATES = ("version", "created_at", "updated_at")
_FLAGS = {"is_active": "Active", "is_verified": "Verified", "is_superuser": "Superuser"}


def recent(*conditions: Any) -> Select[Any]:
    """The last events that the person may see: of everything, or of one universe as the conditions say."""
    return select(Event).where(*conditions).order_by(_by_time(bool(conditions)).desc()).limit(_RECENT)


def _by_time(in_one_universe: bool) -> Any:
    """What puts events into the order of time, and is found by an index."""
    if in_one_universe:
        return col(Event.seq)
    if is_superuser():
        return col(Event.created_at)
    # By something that the index by time does not have. A game master's events may be few and long ago: along that
    # index they would be met behind everybody's. So they are found by their universes, then sorted.
    return func.timezone("UTC", col(Event.created_at))


class UniverseView(View, model=Universe):
    """Universes with their maps."""

    name, name_plural, icon = "Universe", "Universes", "universe"
    summary = "Game worlds. Each has one game master, and holds maps."
    column_list = ("name", "owner_id", "maps", "version", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **_LABELS,
        "owner_id": "Game master",
        "maps": "Maps",
    }
    column_details_list = ("owner_id", *_DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "name", "description", "owner_id", *_DATES)
    column_searchable_list = ("name", "description")
    column_sortable_list = ("name", "version", "updated_at")
    column_default_sort = ("updated_at", True)
    filters: ClassVar[dict[str, Filter]] = {"owner_id": Filter("Game master")}
    can_create = can_edit = can_delete = True
    new_form = edit_form = UniverseForm
    delete_warning = "Its maps and its log go with it. This cannot be undone."

    async def more_for_list(self, request: Request, rows: Sequence[Any]) -> dict[str, Any]:
        """How many maps each universe has."""
        statement = select(col(Map.universe_id), func.count()).group_by(col(Map.universe_id))
        ids = [row.id for row in rows]
        counted = await self._run_arbitrary_query(statement.where(col(Map.universe_id).in_(ids)))
        return {"counts": dict(map(tuple, counted))}

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """Its maps, and what happened last."""
        ours = col(Map.universe_id) == row.id
        # SQLModel types a column as its value, here and wherever a loader takes it.
        without_grid = defer(Map.grid_data, raiseload=True)  # type: ignore[arg-type]
        cards = select(Map).options(without_grid).where(ours).order_by(col(Map.updated_at).desc())
        count = await self._run_query(select(func.count(col(Map.id))).where(ours))
        return {
            "maps": await self._run_query(cards.limit(_MOST_CARDS)),
            "map_count": count[0],
            "events": await self.events(recent(col(Event.universe_id) == row.id)),
        }

    async def make(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Make a universe of the person's."""
        return await writes.create_universe(session, self._fields(form))

    async def change(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> None:
        """Change its name and description."""
        await writes.change_universe(session, row.id, version, self._fields(form))

    async def remove(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete it with its maps."""
        await writes.remove_universe(session, row.id, version)

    @staticmethod
    def _fields(form: Any) -> dict[str, Any]:
        return checked(UniverseWrite, {"name": form.name.data or "", "description": lines(form.description.data)})


class MapView(View, model=Map):
    """Maps, with their pictures and their grids."""

    name, name_plural, icon = "Map", "Maps", "map"
    summary = "Grids of cells in layers, with entities on them."
    column_list = ("picture", "name", "universe_id", "size", "version", "updated_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **_LABELS,
        "picture": "",
        "universe_id": "Universe",
        "size": "Cells",
    }
    column_details_list = ("universe_id", "size", *_DATES, "id")
    column_export_list: ClassVar[Any] = (
        "id",
        "universe_id",
        "name",
        "description",
        "width",
        "height",
        *_DATES,
    )
    column_searchable_list = ("name", "description")
    column_sortable_list = ("name", "version", "updated_at")
    column_default_sort = ("updated_at", True)
    deferred = (Map.grid_data,)
    filters: ClassVar[dict[str, Filter]] = {"universe_id": Filter("Universe", universes=True)}
    can_create = can_edit = can_delete = True
    new_form = edit_form = MapForm

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """What happened to it last."""
        ours = col(Event.universe_id) == row.universe_id, col(Event.subject_id) == row.id
        return {"events": await self.events(recent(*ours))}

    @expose("/picture/{pk}", methods=["GET"])
    async def picture(self, request: Request) -> Response:
        """Draw it, small: what the API draws for its game master, for everybody who may see it here."""
        row = await self.row(request.path_params["pk"])
        cells = min(max(row.width, row.height), _DRAWN_CELLS)
        # On a small picture names would hide the map, and be cut off themselves.
        side, most = (_LARGE_PIXELS, 32) if "large" in request.query_params else (_SMALL_PIXELS, NAMES_FROM - 1)
        size = min(max(side // max(cells, 1), 1), most)
        part = Picture(width=_DRAWN_CELLS, height=_DRAWN_CELLS, cell_size=size)
        async with self.session_maker() as session:
            owner = await writes.game_master_of_map(session, row.id)
            return await draw_map_as_png(request, row.id, owner, session, part)

    async def more_for_form(self, request: Request, row: Any | None, form: Any) -> dict[str, Any]:
        """The universes it may be in; and whether the editor may save by itself, through the API."""
        chosen = _uuid(form.universe_id.data)
        if row is None:
            return {"universes": await self.universe_options(chosen), "map_url": ""}
        async with self.session_maker() as session:
            owner = await writes.game_master_of_map(session, row.id)
        options = await self.universe_options(chosen, owner.id)
        mine = owner.id == person().id
        return {"universes": options, "map_url": f"/maps/{row.id}" if mine else ""}

    async def fill(self, request: Request, row: Any) -> dict[str, Any]:
        """Its fields, and its grid data as text."""
        async with self.session_maker() as session:
            owner = await writes.game_master_of_map(session, row.id)
            text, version = await maps.document(session, owner, row.id)
        if len(text) > _OFFERED_BYTES:
            return {name: getattr(row, name) for name in ("name", "description", "universe_id", "version")}
        document = orjson.loads(text)
        shown = orjson.dumps(document["grid_data"], option=orjson.OPT_INDENT_2).decode()
        fields = {name: document[name] for name in ("name", "description", "universe_id")}
        return {**fields, "version": version, "grid_data": shown if len(shown) <= _OFFERED_BYTES else None}

    async def make(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Make a map in one of the universes that the person sees."""
        text = form.grid_data.data or ""
        fields = {**self._fields(form), "grid_data": await grid(text) if text.strip() else {}}
        fields = checked(MapCreate, fields)
        try:
            return await writes.create_map(session, fields.pop("universe_id"), fields)
        except NotFound:
            raise _no_such_universe() from None

    async def change(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> None:
        """Change what the form has; its grid stays when the form has none."""
        fields = checked(MapPatch, self._fields(form))
        if "grid_data" in (await request.form()):
            fields["grid_data"] = await grid(form.grid_data.data)
        target = fields.pop("universe_id")
        try:
            await writes.change_map(session, row.id, version, target, fields)
        except NotFound:
            await self.row(str(row.id))
            raise _no_such_universe() from None

    async def remove(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete it."""
        await writes.remove_map(session, row.id, version)

    @staticmethod
    def _fields(form: Any) -> dict[str, Any]:
        return {
            "name": form.name.data or "",
            "description": lines(form.description.data),
            "universe_id": form.universe_id.data or "",
        }


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _no_such_universe() -> InvalidForm:
    message = "A map goes into a universe that you see here, and moves only between those of one game master."
    return InvalidForm(errors=[FieldError("universe_id", "not_found", message)])


class EventView(View, model=Event):
    """The log of what happened, read only."""

    name, name_plural, icon = "Event", "Events", "event"
    summary = "What happened in universes, as it was written down. Nothing here can be changed."
    column_list = ("created_at", "kind", "subject_id", "universe_id", "actor_id", "seq")
    column_labels: ClassVar[dict[Any, str]] = {
        "created_at": "When",
        "kind": "What",
        "subject_id": "To what",
        "universe_id": "Universe",
        "actor_id": "Who",
        "seq": "Number",
    }
    column_details_list = ("kind", "subject_id", "universe_id", "actor_id", "created_at", "seq")
    column_export_list: ClassVar[Any] = ("universe_id", "seq", "kind", "subject_id", "actor_id", "created_at")
    column_searchable_list = ("kind",)
    column_sortable_list = ("created_at", "kind", "seq")
    column_default_sort = ("created_at", True)
    deferred = (Event.before,)
    filters: ClassVar[dict[str, Filter]] = {
        "universe_id": Filter("Universe", universes=True),
        "subject_id": Filter("Only"),
        "actor_id": Filter("By"),
    }

    def sort_query(self, stmt: Select[Any], request: Request) -> Select[Any]:
        """The list in its order."""
        if request.query_params.get("sortBy", "created_at") != "created_at":
            return super().sort_query(stmt, request)
        is_up = "sortBy" in request.query_params and request.query_params.get("sort") != "desc"
        order = _by_time(bool(request.query_params.get("universe_id")))
        return stmt.order_by(order if is_up else order.desc())

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """The events of a list."""
        return await self.events(statement)

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """What the event says, readable; of very much, the start."""
        text = orjson.dumps(row.payload, option=orjson.OPT_INDENT_2).decode()
        return {"payload": text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}\n…"}


class UserView(View, model=User):
    """Accounts, for superusers."""

    superusers_only = True
    name, name_plural, icon = "User", "Users", "user"
    summary = "People with an account."
    column_list = ("display_name", "email", *_FLAGS, "created_at")
    column_labels: ClassVar[dict[Any, str]] = {
        **_LABELS,
        **_FLAGS,
        "display_name": "Name",
        "email": "E-mail address",
        "created_at": "Signed up",
    }
    column_details_list = ("email", *_FLAGS, *_DATES, "id")
    column_export_list: ClassVar[Any] = ("id", "email", "display_name", *_FLAGS, *_DATES)
    column_searchable_list = ("email", "display_name")
    column_sortable_list = ("display_name", "email", "created_at")
    column_default_sort = ("created_at", True)
    deferred = (User.hashed_password,)
    filters: ClassVar[dict[str, Filter]] = {name: Filter(label, YES_OR_NO) for name, label in _FLAGS.items()}
    can_create = can_edit = can_delete = True
    new_form = edit_form = UserForm
    delete_warning = "An account that owns universes stays: delete them first, or take away its log-in instead."

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """Its universes and its sessions."""
        owned = select(Universe).where(col(Universe.owner_id) == row.id).order_by(col(Universe.updated_at).desc())
        async with self.session_maker() as session:
            sessions = await accounts.sessions_of(session, row.id)
        return {"universes": await self._run_query(owned.limit(_MOST_CARDS)), "sessions": sessions}

    async def make(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Sign somebody up."""
        fields = checked(UserRegister, self._fields(form))
        try:
            user = await _manager(session, request).sign_up(**fields, **_flags(form))
        except UserAlreadyExists:
            raise _address_taken() from None
        return user.id

    async def change(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> None:
        """Change an account; a new password, a deactivation or a demotion ends its sessions."""
        fields = checked(UserUpdate, {**self._fields(form), **_flags(form)})
        user = await self._held(session, row.id, version)
        policy.forbid_self_lockout(
            person(), user, takes_rights=not fields["is_active"] or not fields["is_superuser"]
        )
        try:
            await _manager(session, request).change(user, fields)
        except UserAlreadyExists:
            raise _address_taken() from None

    async def remove(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete an account that owns no universes."""
        user = await self._held(session, row.id, version)
        policy.forbid_self_lockout(person(), user, takes_rights=True)
        await _manager(session, request).user_db.delete(user)

    @expose("/end-sessions/{pk}", methods=["POST"])
    async def end_sessions(self, request: Request) -> Response:
        """End all sessions of an account."""
        user = await self.row(request.path_params["pk"])
        async with self.session_maker() as session, session.begin():
            await accounts.end_sessions(session, user.id)
        return RedirectResponse(link("user", "details", user.id, done="ended"), 303)

    @staticmethod
    async def _held(session: AsyncSession, user_id: UUID, version: int | None) -> User:
        user = await accounts.lock(session, user_id)
        if user is None:
            raise NotFound
        writes.require_version(version, user)
        return user

    @staticmethod
    def _fields(form: Any) -> dict[str, Any]:
        """What the form says of a person; an empty password is none."""
        fields = {"email": (form.email.data or "").strip(), "display_name": form.display_name.data or ""}
        is_new = not form.version.data
        return {**fields, "password": form.password.data or ""} if form.password.data or is_new else fields


def _flags(form: Any) -> dict[str, Any]:
    return {name: form[name].data for name in _FLAGS}


def _manager(session: AsyncSession, request: Request) -> UserManager:
    return UserManager(session, request.app.state.secret)


def _address_taken() -> InvalidForm:
    message = "There is an account with this address already."
    return InvalidForm(errors=[FieldError("email", "taken", message)])


class SessionView(View, model=AuthSession):
    """Sessions of all accounts, for superusers."""

    superusers_only = True
    name, name_plural, icon = "Session", "Sessions", "session"
    summary = "Log-ins, one for each device. Whoever is ended must log in again."
    column_list = ("user_id", "user_agent", "ip_address", "created_at", "last_used_at", "expires_at")
    column_labels: ClassVar[dict[Any, str]] = {
        "user_id": "User",
        "user_agent": "Device",
        "ip_address": "Address",
        "created_at": "Since",
        "last_used_at": "Renewed",
        "expires_at": "Ends",
        "id": "Id",
    }
    column_details_list = (*column_list, "id")
    column_export_list: ClassVar[Any] = ("id", *column_list)
    column_searchable_list = ("user_agent", "ip_address")
    column_sortable_list = ("created_at", "last_used_at", "expires_at")
    column_default_sort = ("last_used_at", True)
    deferred = (AuthSession.refresh_hash,)
    filters: ClassVar[dict[str, Filter]] = {"user_id": Filter("User")}
    can_delete = True
    delete_warning = "Its device is logged out at once."

    async def remove(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """End it."""
        await accounts.end_session(session, row.user_id, row.id)


SessionView.identity = "session"

VIEWS: Sequence[type[View]] = (UniverseView, MapView, EventView, UserView, SessionView)
