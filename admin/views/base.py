"""The base of all views: lists with search, order and filters, single rows, labels of ids, hooks for writing."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from sqladmin import ModelView
from sqladmin.helpers import get_object_identifier
from sqlalchemy import Select, func, inspect, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col
from starlette.background import BackgroundTask
from wtforms import Form

from admin.auth import BASE, user_of
from admin.scope import PERSON, is_superuser
from game.accounts.models import User
from game.characters.models import Character
from game.core.errors import FieldError, NotFound, Unprocessable
from game.core.pages import contains
from game.encounters.models import Encounter
from game.events.models import Event
from game.maps.models import Map
from game.messages.models import Message
from game.notes.models import Note
from game.rolls.models import Roll
from game.tokens.models import Token
from game.universes.models import Universe

_PAGE_SIZES = (25, 50, 100)
_MAX_SEARCH = 100
_LAST_PAGE = 1_000_000
MAX_OPTIONS = 500
"""The number of universes that a select offers."""
MAX_CARDS = 24
"""The number of related rows that a page shows."""
MAX_COUNTED = 10_000
"""The maximum number of rows of a list, because counting or skipping millions of rows takes seconds."""
_EXPORT_BATCH = 500

Names = Mapping[UUID, str]


class Count(int):
    """A number of rows; MAX_COUNTED means that many or more."""

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) + ("+" if self >= MAX_COUNTED else "")


def counted(statement: Select[Any]) -> Select[Any]:
    """The statement that counts the rows of another, up to MAX_COUNTED."""
    return select(func.count()).select_from(statement.limit(MAX_COUNTED).subquery())


class Filter(NamedTuple):
    """A filter of a list by the value of a column, chosen from `options` or set by a link."""

    label: str
    options: Sequence[tuple[str, str]] = ()
    universes: bool = False


YES_OR_NO = (("yes", "yes"), ("no", "no"))


class Page(NamedTuple):
    """One page of a list."""

    rows: Sequence[Any]
    number: int
    pages: int
    size: int
    total: Count


class View(ModelView):
    """A view of one model, configured by SQLAdmin's attributes."""

    superusers_only: ClassVar[bool] = False
    summary: ClassVar[str] = ""
    deferred: ClassVar[Sequence[Any]] = ()
    """Columns that are never loaded, because they are large or secret."""
    filters: ClassVar[Mapping[str, Filter]] = {}
    add_page: ClassVar[str] = ""
    """The path of the page that adds rows; empty if there is none."""
    add_label: ClassVar[str] = ""
    add_icon: ClassVar[str] = "plus"
    new_form: ClassVar[type[Form] | None] = None
    edit_form: ClassVar[type[Form] | None] = None
    after_create: ClassVar[str] = "details"
    """The page of a row that was just created."""
    delete_warning: ClassVar[str] = "This cannot be undone."

    can_create = can_edit = can_delete = can_import = False
    page_size = _PAGE_SIZES[0]
    page_size_options: ClassVar[list[int]] = list(_PAGE_SIZES)
    export_types: ClassVar[list[str]] = ["csv"]

    def is_accessible(self, request: Request) -> bool:
        """Whether the user may use this view."""
        return is_superuser() or not self.superusers_only

    def is_visible(self, request: Request) -> bool:
        """Whether the menu shows it."""
        return self.is_accessible(request)

    # Reading

    @property
    def _key(self) -> list[Any]:
        """The columns of the primary key, as the model has them."""
        return [getattr(self.model, column.name) for column in self.pk_columns]

    def list_query(self, request: Request) -> Select[Any]:
        """All rows that the user may see, without the deferred columns."""
        return select(self.model).options(*(defer(column, raiseload=True) for column in self.deferred))

    def search_query(self, stmt: Select[Any], term: str) -> Select[Any]:
        """The rows of a list whose searchable columns contain a text.

        Raises:
            Unprocessable: the text is too long.
        """
        if len(term) > _MAX_SEARCH:
            raise Unprocessable(f"Search for at most {_MAX_SEARCH} characters.")
        return stmt.where(contains(term, *(getattr(self.model, name) for name in self._search_fields)))

    def statement(self, request: Request) -> Select[Any]:
        """The rows of a list, filtered as its query string says, in no order.

        Raises:
            Unprocessable: a filter or the search is invalid.
        """
        statement = self.list_query(request)
        for name in self.filters:
            if text := request.query_params.get(name):
                statement = statement.where(getattr(self.model, name) == _value(name, self.filters[name], text))
        term = request.query_params.get("search", "").strip()
        return self.search_query(statement, term) if term and self._search_fields else statement

    async def page(self, request: Request) -> Page:
        """One page of the list.

        Raises:
            Unprocessable: a number, a filter, the order or the search is invalid.
        """
        size = min(_number(request, "pageSize", self.page_size), _PAGE_SIZES[-1])
        requested = _number(request, "page", 1)
        statement = self.statement(request)
        total = Count(await self.count(request, counted(statement.with_only_columns(*self._key))))
        pages = max(1, -(-total // size))
        number = min(requested, pages)
        order = self.sort_query(statement, request).order_by(*self._key)
        rows = await self.rows(order.limit(size).offset((number - 1) * size))
        return Page(rows, number, pages, size, total)

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """The rows that a statement of a list finds."""
        rows: Sequence[Any] = await self._run_query(statement)
        return rows

    async def row(self, pk: str) -> Any:
        """A row that the user may see.

        Raises:
            NotFound: it does not exist, or the user may not see it.
        """
        try:
            # The id is sufficient, even if the primary key also has the universe.
            column: Any = inspect(self.model).columns.get("id")
            statement = (
                self._stmt_by_identifier(pk) if column is None else select(self.model).where(column == UUID(pk))
            )
        except ValueError:
            raise NotFound from None
        options = [defer(column, raiseload=True) for column in self.deferred]
        rows = await self._run_query(statement.options(*options))
        if not rows:
            raise NotFound
        return rows[0]

    async def events(self, statement: Select[Any]) -> Sequence[Event]:
        """The events that a statement finds. Their payloads, which may be megabytes, are reduced to `name`."""
        # In an outer statement, so that only the payloads of the rows of this page are read, after sorting.
        found = statement.with_only_columns(*(getattr(Event, key) for key in (*_EVENT_KEYS, "payload"))).subquery()
        name = func.jsonb_build_object("name", found.c.payload["name"]).label("payload")
        without_payload = select(*(found.c[key] for key in _EVENT_KEYS), name)
        return [Event(**row._mapping) for row in await self._run_arbitrary_query(without_payload)]

    async def export_batches(self, request: Request) -> AsyncIterator[Sequence[Any]]:
        """The exported columns of the filtered rows in batches, in the order of the primary key.

        Each batch is a separate statement that checks the session again, so that a slow client does not occupy a
        connection, and gets no more data after its session has ended.
        """
        columns = [getattr(self.model, name) for name in self._export_prop_names]
        statement = self.statement(request).with_only_columns(*columns)
        statement = statement.order_by(*self._key).limit(_EXPORT_BATCH)
        after = statement
        while rows := await self._run_arbitrary_query(after):
            yield rows
            PERSON.set(await user_of(request))
            last = tuple(getattr(rows[-1], column.key) for column in self._key)
            after = statement.where(tuple_(*self._key) > tuple_(*last))

    async def names(self, rows: Iterable[Any]) -> Names:
        """The labels of the ids in some rows that the user may see."""
        found: dict[UUID, str] = {}
        rows = list(rows)
        for model, label, columns in _NAMED:
            ids = {getattr(row, name, None) for row in rows for name in columns} - {None}
            if ids:
                named = await self._run_arbitrary_query(select(model.id, label).where(model.id.in_(ids)))
                found |= {one[0]: one[1] for one in named}
        return found

    async def more_for_list(self, request: Request, rows: Sequence[Any]) -> dict[str, Any]:
        """More variables for the template of the list."""
        return {}

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """More variables for the template of a row's page."""
        return {}

    async def more_for_form(self, request: Request, row: Any | None, form: Any) -> dict[str, Any]:
        """More variables for the template of the form."""
        return {}

    async def universe_options(self, chosen: UUID | None = None) -> list[tuple[str, str]]:
        """The options of a select of universes that the user may see, by name.

        At most MAX_OPTIONS, and always the `chosen` one, because the form would select another one without it.
        """
        every = select(col(Universe.id), col(Universe.name))
        found = await self._run_arbitrary_query(every.order_by(col(Universe.name)).limit(MAX_OPTIONS))
        if chosen is not None and chosen not in {one.id for one in found}:
            found += await self._run_arbitrary_query(every.where(col(Universe.id) == chosen))
        return [(str(one), name) for one, name in found]

    async def filter_options(self, chosen: Mapping[str, UUID]) -> dict[str, Sequence[tuple[str, str]]]:
        """The options of each filter; `chosen` has the ids that are set."""
        return {
            name: await self.universe_options(chosen.get(name)) if one.universes else one.options
            for name, one in self.filters.items()
            if one.universes or one.options
        }

    # Writing: hooks for the views that support it

    async def fill(self, request: Request, row: Any) -> dict[str, Any]:
        """The initial values of the form of a row."""
        return {name: getattr(row, name, None) for name in self.edit_form()._fields} if self.edit_form else {}

    async def create_row(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Create a row from a form; returns its id."""
        raise NotFound

    async def change_row(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> BackgroundTask | None:
        """Change a row to the values of a form; returns a function to call after the commit."""
        raise NotFound

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete a row."""
        raise NotFound


_EVENT_KEYS = ("universe_id", "seq", "kind", "actor_id", "subject_id", "created_at")
_NAMED: Sequence[tuple[Any, Any, Sequence[str]]] = (
    (Universe, Universe.name, ("universe_id", "subject_id")),
    (Map, Map.name, ("subject_id", "map_id")),
    (Token, Token.name, ("subject_id",)),
    (Character, Character.name, ("subject_id",)),
    (Encounter, Encounter.name, ("subject_id",)),
    (Note, Note.title, ("subject_id",)),
    (Roll, Roll.expression, ("subject_id",)),
    (Message, func.left(Message.text, 60), ("subject_id",)),
    (User, User.display_name, ("owner_id", "actor_id", "user_id", "author_id")),
)


def identifier(row: Any) -> str:
    """The identification of a row in the URL of its page: its id, or its whole key."""
    has_id = "id" in inspect(type(row)).columns
    return str(row.id) if has_id else str(get_object_identifier(row))


def _value(name: str, one: Filter, text: str) -> Any:
    try:
        return {"yes": True, "no": False}[text] if one.options else UUID(text)
    except (KeyError, ValueError):
        message = f"This is not a value of the filter “{one.label}”."
        raise Unprocessable(errors=[FieldError(name, "invalid", message)]) from None


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or int(text[:20]) < 1:
        raise Unprocessable(f"`{name}` must be a whole number of at least 1.")
    return min(int(text[:20]), _LAST_PAGE)


def link(identity: str, page: str, pk: Any = "", **query: Any) -> str:
    """The URL of a page of the back office."""
    end = f"/{pk}" if pk else ""
    return f"{BASE}/{identity}/{page}{end}" + (f"?{urlencode(query)}" if query else "")
