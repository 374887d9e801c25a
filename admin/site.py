"""The admin, put together: SQLAdmin's views and parts, with routes of our own where its are too open.

Not there at all: files named by columns, import, and anything that changes something by GET.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from sqladmin import Admin
from sqlalchemy import select
from sqlmodel import col
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.routing import Route

from admin import words
from admin.export import rows_as_csv
from admin.forms import InvalidForm
from admin.guard import BASE, Door, Guard, problem_for
from admin.scope import PERSON, ScopedSessions, is_superuser
from admin.view import Count, View, counted, link
from admin.views import VIEWS, EventView, recent
from game.accounts.models import AuthSession, User
from game.core import static
from game.core.errors import NotFound, PreconditionFailed, Problem, Unprocessable, problem_of
from game.core.strict_json import StrictRequest
from game.events.models import Event
from game.maps.models import Map
from game.universes.models import Universe

_HERE = Path(__file__).parent
_KEPT = {"statics", "index", "list", "details", "create", "edit", "export", "login"}
"""SQLAdmin's routes that stay; what they call is below."""
_MOST_AT_ONCE = 100


def install(app: FastAPI) -> None:
    """Serve the admin below /admin."""
    app.state.admin = Site(app)

    async def start(_: Request) -> Response:
        return RedirectResponse(f"{BASE}/")

    app.add_route(BASE, start, include_in_schema=False)


class Site(Admin):
    """SQLAdmin with our session, log-in, pages and writes."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            app,
            session_maker=ScopedSessions(app),
            base_url=BASE,
            title="Worldkeep",
            templates_dir=str(_HERE / "templates"),
            authentication_backend=Door(),
            middlewares=[Middleware(Guard, site=self)],
        )
        self.admin.state = app.state
        self.admin.exception_handlers = {HTTPException: self._answer_problem}
        self.admin.router.routes = [
            route for route in self.admin.router.routes if getattr(route, "name", "") in _KEPT
        ]
        self.admin.router.routes += [
            Route("/logout", self.logout, name="logout", methods=["POST"]),
            Route("/{identity}/delete", self.delete, name="delete", methods=["POST", "DELETE"]),
        ]
        self.templates.env.globals |= {
            "person": PERSON.get,
            "is_superuser": is_superuser,
            "link": link,
            "static": lambda path: static.address(f"admin/static/{path}"),
            "BASE": BASE,
            **words.GLOBALS,
        }
        self.templates.env.filters |= words.FILTERS
        for view in VIEWS:
            self.add_view(view)
            # SQLAdmin writes these on the class; another app in this process would share them.
            mine: Any = self.views[-1]
            mine.session_maker, mine.templates, mine._admin_ref = self.session_maker, self.templates, self

    def _find_model_view(self, identity: str) -> View:
        # SQLAdmin knows them as its own; all that were added are ours.
        view = cast(View, super()._find_model_view(identity))
        if PERSON.get() is None or not view.is_accessible(cast(Request, None)):
            raise NotFound
        return view

    def _view(self, request: Request, needs: str = "") -> View:
        """The view of a request, which can do what is needed.

        Raises:
            NotFound: there is none such for this person.
        """
        view = self._find_model_view(request.path_params["identity"])
        if needs and not getattr(view, needs):
            raise NotFound("This cannot be done here.")
        return view

    # Pages

    async def show(
        self, request: Request, template: str, context: Mapping[str, Any], problem: Problem | None = None
    ) -> Response:
        """A page; with the status and the sentence of a problem, if there is one."""
        response = await self.templates.TemplateResponse(
            request,
            f"admin/{template}.html",
            {**context, "problem": problem, "done": words.DONE.get(request.query_params.get("done", ""))},
            status_code=problem.status_code if problem else 200,
        )
        response.headers.update(problem.headers or {} if problem else {})
        # Nobody should see it with the back button after a log-out.
        response.headers["cache-control"] = "no-store"
        return response

    async def error_page(self, request: Request, problem: Problem) -> Response:
        """The page of a problem that has no better place."""
        if problem.errors:
            problem.detail = problem.errors[0].message
        return await self.show(request, "error", {"title": words.title_of(problem.status_code)}, problem)

    async def _answer_problem(self, request: Request, error: Exception) -> Response:
        return await self.error_page(request, problem_for(error))

    async def index(self, request: Request) -> Response:
        """The dashboard: how much there is, and what happened last."""
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
        """Some rows of a view."""
        view = self._view(request)
        page = await view.page(request)
        chosen = words.ids_in(request, view.filters)
        context = {
            "view": view,
            "page": page,
            # What the list is filtered by is shown by its name too.
            "names": await view.names([*page.rows, SimpleNamespace(**chosen)]),
            "options": await view.filter_options(chosen),
            "title": view.name_plural,
            **await view.more_for_list(request, page.rows),
        }
        return await self.show(request, "list", context)

    async def details(self, request: Request) -> Response:
        """One row."""
        view = self._view(request)
        row = await view.row(request.path_params["pk"])
        more = await view.more_for_details(request, row)
        names = await view.names([row, *more.get("events", ())])
        context = {"view": view, "row": row, "names": names, "title": words.label_of(row, names), **more}
        return await self.show(request, f"details-{view.identity}", context)

    async def create(self, request: Request) -> Response:
        """The form of a new row, and what it sends."""
        view = self._view(request, "can_create")
        assert view.new_form is not None
        if request.method == "GET":
            universe_id = request.query_params.get("universe_id")
            return await self._form_page(request, view, None, view.new_form(data=_new(view, universe_id)))
        data = await _form_data(request)
        form = view.new_form(data)
        try:
            async with self.session_maker() as session, session.begin():
                made = await view.make(session, request, form)
        except Exception as error:
            return await self._form_page(request, view, None, form, problem_of(error))
        return RedirectResponse(link(view.identity, "details", made, done="made"), 303)

    async def edit(self, request: Request) -> Response:
        """The form of a row, and what it sends: refused when it was made from another version."""
        view = self._view(request, "can_edit")
        assert view.edit_form is not None
        row = await view.row(request.path_params["pk"])
        if request.method == "GET":
            return await self._form_page(request, view, row, view.edit_form(data=await view.fill(request, row)))
        data = await _form_data(request)
        form: Any = view.edit_form(data)
        try:
            version = _version(data.get("overwrite") or form.version.data, needed=True)
            async with self.session_maker() as session, session.begin():
                await view.change(session, request, row, version, form)
        except Exception as error:
            return await self._form_page(request, view, row, form, problem_of(error))
        return RedirectResponse(link(view.identity, "details", row.id, done="saved"), 303)

    async def _form_page(
        self, request: Request, view: View, row: Any, form: Any, problem: Problem | None = None
    ) -> Response:
        """A form, with what was typed and what is wrong with it."""
        faults = []
        for error in problem.errors if problem else ():
            name = error.field.split(".")[0].split("[")[0]
            if name in form and name != "grid_data":
                form[name].errors = [error.message]
            else:
                faults.append(error)
        if problem is not None and faults and not isinstance(problem, InvalidForm):
            problem.detail = f"{problem.detail} {faults[0].message}"
        context = {
            "view": view,
            "row": row,
            "form": form,
            "faults": faults,
            "conflict": isinstance(problem, PreconditionFailed) and problem.extra["current_version"],
            "title": f"Edit {words.label_of(row, {})}" if row else f"New {view.name.lower()}",
            **await view.more_for_form(request, row, form),
        }
        if request.method == "POST" and "grid_data" in await request.form():
            # What was typed is in the text area now: the editor must not load the saved map over it.
            context["map_url"] = ""
        return await self.show(request, "form", context, problem)

    async def delete(self, request: Request) -> Response:
        """Delete rows: all of them or none. Asks first, unless the request says that it is sure."""
        view = self._view(request, "can_delete")
        data = await _form_data(request)
        asked = data.getlist("pks") or request.query_params.get("pks", "").split(",")
        pks = sorted({str(pk) for pk in asked if pk})
        if not pks or len(pks) > _MOST_AT_ONCE:
            raise Unprocessable(f"Choose from one to {_MOST_AT_ONCE} rows to delete.")
        rows = [await view.row(pk) for pk in pks]
        version = _version(data.get("version"))
        problem = None
        if request.method == "DELETE" or data.get("sure"):
            try:
                async with self.session_maker() as session, session.begin():
                    for row in rows:
                        await view.remove(session, request, row, version if len(rows) == 1 else None)
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
        """A list as a file, with the search and the filters of the address."""
        view = self._view(request)
        if request.path_params["export_type"] not in view.export_types:
            raise NotFound
        # Asked for once before the answer begins: then it is too late to say what is wrong.
        view.statement(request)
        disposition = f'attachment; filename="{view.name_plural.lower()}.csv"'
        headers = {"content-disposition": disposition, "cache-control": "no-store"}
        return StreamingResponse(rows_as_csv(view, request), headers=headers, media_type="text/csv; charset=utf-8")

    # The door

    async def login(self, request: Request) -> Response:
        """The log-in page, and what it sends."""
        if request.method == "GET":
            if PERSON.get() is not None:
                return RedirectResponse(f"{BASE}/", 303)
            return await self.show(request, "login", {"next": request.query_params.get("next", "")})
        data = await _form_data(request)
        try:
            return await Door().login(request, data)
        except Problem as problem:
            context = {"next": data.get("next", ""), "email": data.get("username", "")}
            return await self.show(request, "login", context, problem)

    async def logout(self, request: Request) -> Response:
        """End the session."""
        return await Door().logout(request)


def _new(view: View, universe_id: str | None) -> dict[str, Any]:
    return {"universe_id": universe_id, "is_active": True}


async def _form_data(request: Request) -> FormData:
    """The fields of a form.

    Raises:
        Unprocessable: one of them has U+0000 in it.
    """
    size: int = request.app.state.settings.max_body_size
    # Kept on the request too: a form's body is read once.
    request._form = await StrictRequest(request.scope, request.receive).form(max_part_size=size, max_files=0)
    return request._form


def _version(text: Any, *, needed: bool = False) -> int | None:
    if not text and not needed:
        return None
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10):
        raise Unprocessable("The form does not say which version it was made from. Open it again.")
    return int(text)
