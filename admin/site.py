"""The back office: SQLAdmin with its own routes where SQLAdmin's are too permissive.

Removed are SQLAdmin's downloads and previews of files named by columns, its import, and all writes by GET.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from jinja2 import ChoiceLoader
from sqladmin import Admin
from sqlalchemy import select
from sqlmodel import col
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.routing import Route

from admin import labels
from admin.auth import BASE, AdminAuth
from admin.export import rows_as_csv
from admin.forms import InvalidForm
from admin.guard import Guard, problem_for
from admin.pages import background, copies, files, history, members
from admin.scope import PERSON, ScopedSessions, is_superuser
from admin.views import VIEWS
from admin.views.base import Count, View, counted, identifier, link
from admin.views.events import EventView, recent
from game.accounts.models import AuthSession, User
from game.core import static, webpages
from game.core.errors import NotFound, PreconditionFailed, Problem, Unprocessable, problem_of
from game.core.strict_json import StrictRequest
from game.events.models import Event
from game.maps.models import Map
from game.universes.models import Universe

_HERE = Path(__file__).parent
_SQLADMIN_ROUTES = {"statics", "index", "list", "details", "create", "edit", "export", "login"}
"""The routes of SQLAdmin that are kept; the methods below replace what they call."""
_MAX_DELETED = 100


def install(app: FastAPI) -> None:
    """Serve the back office below /admin."""
    app.state.admin = Site(app)

    async def start(_: Request) -> Response:
        return RedirectResponse(f"{BASE}/")

    app.add_route(BASE, start, include_in_schema=False)


Page = Callable[["Site", Request], Awaitable[Response]]


class Site(Admin):
    """SQLAdmin, with our sessions, log-in, pages and writes."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            app,
            session_maker=ScopedSessions(app),
            base_url=BASE,
            title="Worldkeep",
            templates_dir=str(_HERE / "templates"),
            authentication_backend=AdminAuth(),
            middlewares=[Middleware(Guard, site=self)],
        )
        self.admin.state = app.state
        self.admin.exception_handlers = {HTTPException: self._answer_problem}
        self.admin.router.routes = [
            route for route in self.admin.router.routes if getattr(route, "name", "") in _SQLADMIN_ROUTES
        ]
        self.admin.router.routes += [
            Route("/logout", self.logout, name="logout", methods=["POST"]),
            Route("/{identity}/delete", self.delete, name="delete", methods=["POST", "DELETE"]),
            *self._page_routes(),
        ]
        assert self.templates.env.loader is not None
        # The layout and the icons are shared with the pages outside of the back office.
        self.templates.env.loader = ChoiceLoader([self.templates.env.loader, webpages.LOADER])
        self.templates.env.globals |= {
            "person": PERSON.get,
            "is_superuser": is_superuser,
            "link": link,
            "get_object_identifier": identifier,
            "static": static.url,
            "BASE": BASE,
            **labels.GLOBALS,
        }
        self.templates.env.filters |= labels.FILTERS
        for view in VIEWS:
            self.add_view(view)
            # SQLAdmin sets these on the class, where another app in this process would overwrite them.
            instance: Any = self.views[-1]
            instance.session_maker, instance.templates = self.session_maker, self.templates
            instance._admin_ref = self

    def _page_routes(self) -> list[Route]:
        def route(path: str, page: Page, *methods: str) -> Route:
            return Route(path, partial(page, self), name=page.__name__, methods=methods)

        return [
            route("/map/import", files.import_maps, "GET", "POST"),
            route("/map/files/{pk}", files.export_map, "GET"),
            route("/map/copy/{pk}", copies.copy_map, "POST"),
            route("/map/background/{pk}", background.edit_background, "GET", "POST"),
            route("/map/history/{pk}", history.show_history, "GET"),
            route("/map/history/{pk}/picture", history.draw_past_map, "GET"),
            route("/map/restore/{pk}", history.restore_map, "POST"),
            route("/universe/import", files.import_universe, "GET", "POST"),
            route("/universe/members/{pk}", members.show_members, "GET"),
            route("/universe/members/{pk}", members.change_members, "POST"),
            route("/asset/upload", files.upload_picture, "GET", "POST"),
        ]

    def view(self, identity: str) -> View:
        """The view with this identity.

        Raises:
            NotFound: it does not exist, or the user may not use it.
        """
        return self._find_model_view(identity)

    def _find_model_view(self, identity: str) -> View:
        # All views are ours, although SQLAdmin's type is more general.
        view = cast(View, super()._find_model_view(identity))
        if PERSON.get() is None or not view.is_accessible(cast(Request, None)):
            raise NotFound
        return view

    def _view(self, request: Request, needs: str = "") -> View:
        """The view that a request is about; `needs` names an attribute such as `can_edit` that must be true.

        Raises:
            NotFound: there is none, the user may not use it, or it does not support that.
        """
        view = self._find_model_view(request.path_params["identity"])
        if needs and not getattr(view, needs):
            raise NotFound("This page does not exist.")
        return view

    # Pages

    async def show(
        self, request: Request, template: str, context: Mapping[str, Any], problem: Problem | None = None
    ) -> Response:
        """Render a page; with a problem, with its status and message."""
        response = await self.templates.TemplateResponse(
            request,
            f"admin/{template}.html",
            {**context, "problem": problem, "done": labels.MESSAGES.get(request.query_params.get("done", ""))},
            status_code=problem.status_code if problem else 200,
        )
        response.headers.update(problem.headers or {} if problem else {})
        # So that the back button shows nothing after a log-out.
        response.headers["cache-control"] = "no-store"
        return response

    async def error_page(self, request: Request, problem: Problem) -> Response:
        """Render the page of an error that no other page can show."""
        if problem.errors:
            problem.detail = problem.errors[0].message
        return await self.show(request, "error", {"title": labels.title_of(problem.status_code)}, problem)

    async def _answer_problem(self, request: Request, error: Exception) -> Response:
        return await self.error_page(request, problem_for(error))

    async def index(self, request: Request) -> Response:
        """The dashboard: counts, recently changed maps and recent activity."""
        shown: list[tuple[str, str, Any]] = [
            ("universe", "Universes", Universe.id),
            ("map", "Maps", Map.id),
            ("event", "Events", Event.seq),
        ]
        if is_superuser():
            shown += [("user", "Users", User.id), ("session", "Sessions", AuthSession.id)]
        async with self.session_maker() as session:
            counts = [
                (identity, label, Count((await session.execute(counted(select(column)))).scalar_one()))
                for identity, label, column in shown
            ]
            cards = select(col(Map.id), col(Map.name), col(Map.universe_id), col(Map.version), col(Map.updated_at))
            maps = (await session.execute(cards.order_by(col(Map.updated_at).desc()).limit(6))).all()
        log = self._find_model_view(EventView.identity)
        events = await log.events(recent())
        names = await log.names([*events, *maps])
        context = {"counts": counts, "events": events, "maps": maps, "names": names, "title": "Dashboard"}
        return await self.show(request, "index", context)

    async def list(self, request: Request) -> Response:
        """A list of the rows of a view."""
        view = self._view(request)
        page = await view.page(request)
        chosen = labels.ids_in(request, view.filters)
        context = {
            "view": view,
            "page": page,
            # The values of filters are shown by their names too.
            "names": await view.names([*page.rows, SimpleNamespace(**chosen)]),
            "options": await view.filter_options(chosen),
            "title": view.name_plural,
            **await view.more_for_list(request, page.rows),
        }
        return await self.show(request, "list", context)

    async def details(self, request: Request) -> Response:
        """The page of one row."""
        view = self._view(request)
        row = await view.row(request.path_params["pk"])
        more = await view.more_for_details(request, row)
        names = await view.names([row, *more.get("events", ())])
        context = {"view": view, "row": row, "names": names, "title": labels.label_of(row, names), **more}
        return await self.show(request, f"details-{view.identity}", context)

    async def create(self, request: Request) -> Response:
        """The form of a new row (GET and POST)."""
        view = self._view(request, "can_create")
        assert view.new_form is not None
        if request.method == "GET":
            universe_id = request.query_params.get("universe_id")
            defaults = {"universe_id": universe_id, "is_active": True}
            return await self._form_page(request, view, None, view.new_form(data=defaults))
        data = await self.form_data(request)
        form = view.new_form(data)
        try:
            async with self.session_maker() as session, session.begin():
                created = await view.create_row(session, request, form)
        except Exception as error:
            return await self._form_page(request, view, None, form, problem_of(error))
        done = {"done": "created"} if view.after_create == "details" else {}
        return RedirectResponse(link(view.identity, view.after_create, created, **done), 303)

    async def edit(self, request: Request) -> Response:
        """The form of a row (GET and POST). A form with an outdated version is rejected."""
        view = self._view(request, "can_edit")
        assert view.edit_form is not None
        row = await view.row(request.path_params["pk"])
        if request.method == "GET":
            return await self._form_page(request, view, row, view.edit_form(data=await view.fill(request, row)))
        data = await self.form_data(request)
        form: Any = view.edit_form(data)
        try:
            version = _version(data.get("overwrite") or form.version.data, needed=True)
            async with self.session_maker() as session, session.begin():
                task = await view.change_row(session, request, row, version, form)
        except Exception as error:
            return await self._form_page(request, view, row, form, problem_of(error))
        return RedirectResponse(link(view.identity, "details", row.id, done="saved"), 303, background=task)

    async def _form_page(
        self, request: Request, view: View, row: Any, form: Any, problem: Problem | None = None
    ) -> Response:
        """Render a form with the entered values and their errors."""
        other_errors = []
        for error in problem.errors if problem else ():
            name = error.field.split(".")[0].split("[")[0]
            if name in form and name != "grid_data":
                form[name].errors = [error.message]
            else:
                other_errors.append(error)
        if problem is not None and other_errors and not isinstance(problem, InvalidForm):
            problem.detail = f"{problem.detail} {other_errors[0].message}"
        context = {
            "view": view,
            "row": row,
            "form": form,
            "errors": other_errors,
            "conflict": isinstance(problem, PreconditionFailed) and problem.extra["current_version"],
            "title": f"Edit {labels.label_of(row, {})}" if row else f"New {view.name.lower()}",
            **await view.more_for_form(request, row, form),
        }
        if request.method == "POST" and "grid_data" in await request.form():
            # The text area has the entered text, which the editor must not replace with the saved map.
            context["map_url"] = ""
        return await self.show(request, "form", context, problem)

    async def delete(self, request: Request) -> Response:
        """Delete rows, all or none. Without the parameter `sure`, ask for confirmation."""
        view = self._view(request, "can_delete")
        data = await self.form_data(request)
        requested = data.getlist("pks") or request.query_params.get("pks", "").split(",")
        pks = sorted({str(pk) for pk in requested if pk})
        if not pks or len(pks) > _MAX_DELETED:
            raise Unprocessable(f"Choose 1 to {_MAX_DELETED} rows to delete.")
        rows = [await view.row(pk) for pk in pks]
        version = _version(data.get("version"))
        problem = None
        if request.method == "DELETE" or data.get("sure"):
            try:
                async with self.session_maker() as session, session.begin():
                    for row in rows:
                        await view.delete_row(session, request, row, version if len(rows) == 1 else None)
                return RedirectResponse(link(view.identity, "list", done="deleted"), 303)
            except Exception as error:
                problem = problem_of(error)
        context = {
            "view": view,
            "rows": rows,
            "names": await view.names(rows),
            "version": None if problem else version,
            "title": f"Delete {view.name.lower() if len(rows) == 1 else view.name_plural.lower()}?",
        }
        return await self.show(request, "delete", context, problem)

    async def export(self, request: Request) -> Response:
        """A list as a CSV file, with the search and the filters of the query string."""
        view = self._view(request)
        if request.path_params["export_type"] not in view.export_types:
            raise NotFound
        # Built before the response starts, so that an invalid query string still gets an error.
        view.statement(request)
        disposition = f'attachment; filename="{view.name_plural.lower()}.csv"'
        headers = {"content-disposition": disposition, "cache-control": "no-store"}
        return StreamingResponse(rows_as_csv(view, request), headers=headers, media_type="text/csv; charset=utf-8")

    async def form_data(self, request: Request) -> FormData:
        """The fields of a form.

        Raises:
            Unprocessable: one of them contains U+0000.
        """
        size: int = request.app.state.settings.max_body_size
        # Stored on the request, because a body can be read only once.
        request._form = await StrictRequest(request.scope, request.receive).form(max_part_size=size, max_files=0)
        return request._form

    # Log-in

    async def login(self, request: Request) -> Response:
        """The log-in page (GET and POST)."""
        if request.method == "GET":
            if PERSON.get() is not None:
                return RedirectResponse(f"{BASE}/", 303)
            return await self.show(request, "login", {"next": request.query_params.get("next", "")})
        data = await self.form_data(request)
        try:
            return await AdminAuth().login(request, data)
        except Problem as problem:
            context = {"next": data.get("next", ""), "email": data.get("username", "")}
            return await self.show(request, "login", context, problem)

    async def logout(self, request: Request) -> Response:
        """End the session."""
        return await AdminAuth().logout(request)


def _version(text: Any, *, needed: bool = False) -> int | None:
    if not text and not needed:
        return None
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10):
        raise Unprocessable("The form has no version. Open it again.")
    return int(text)
