"""The base of the views of characters, tokens, encounters and notes: rows with JSON fields, written as through the
API."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

import orjson
from fastapi import Request
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from admin.forms import InvalidForm, lines
from admin.scope import person
from admin.views.base import Filter, View
from admin.views.events import recent
from admin.writes import require_version
from game.core.errors import FieldError, NotFound
from game.core.json_gate import JsonRefused, parse
from game.events.models import Event
from game.universes import access


class DocumentView(View):
    """A view of rows that are created and changed by the queries of their domain, `queries`.

    `operation` is the end of the names of its operations, as in `createCharacter`.
    """

    queries: ClassVar[Any]
    operation: ClassVar[str]
    create_shape: ClassVar[type[SQLModel]]
    change_shape: ClassVar[type[SQLModel]]
    json_fields: ClassVar[Sequence[str]] = ()
    """Fields that the form has as JSON texts; for an empty one see `_EMPTY`."""
    filters: ClassVar[dict[str, Filter]] = {"universe_id": Filter("Universe", universes=True)}
    column_default_sort = ("updated_at", True)
    can_edit = can_delete = True

    async def whole(self, row: Any, *names: str) -> dict[str, Any]:
        """Columns of a row that lists do not load."""
        columns = [col(getattr(self.model, name)) for name in names]
        model: Any = self.model
        here = model.universe_id == row.universe_id, model.id == row.id
        [found] = await self._run_arbitrary_query(select(*columns).where(*here))
        return dict(zip(names, found, strict=True))

    async def more_for_details(self, request: Request, row: Any) -> dict[str, Any]:
        """Its recent activity."""
        ours = col(Event.universe_id) == row.universe_id, col(Event.subject_id) == row.id
        return {"events": await self.events(recent(*ours))}

    async def more_for_form(self, request: Request, row: Any | None, form: Any) -> dict[str, Any]:
        """The universes to choose from, for a new row."""
        chosen = form.universe_id.data if "universe_id" in form else None
        try:
            return {"universes": await self.universe_options(UUID(str(chosen)))}
        except ValueError:
            return {"universes": await self.universe_options()}

    async def fill(self, request: Request, row: Any) -> dict[str, Any]:
        """The fields of a row, JSON as text."""
        assert self.edit_form is not None
        names = [name for name in self.edit_form()._fields if name != "universe_id"]
        fields = await self.whole(row, *names)
        return {name: _text(value) if name in self.json_fields else value for name, value in fields.items()}

    async def create_row(self, session: AsyncSession, request: Request, form: Any) -> UUID:
        """Create a row in one of the universes that the user sees."""
        fields = self._checked(self.create_shape, form)
        try:
            universe_id = UUID(form.universe_id.data or "")
            caller = (await access.lock(session, person(), {universe_id: f"create{self.operation}"}))[universe_id]
        except (ValueError, NotFound):
            raise InvalidForm.at("universe_id", "not_found", "Choose a universe from the list.") from None
        created: UUID = (await self.queries.create(session, caller, fields)).row.id
        return created

    async def change_row(
        self, session: AsyncSession, request: Request, row: Any, version: int | None, form: Any
    ) -> None:
        """Change a row to the values of the form."""
        fields = self._checked(self.change_shape, form)
        found = await self.queries.get_to_change(session, person(), row.id, f"update{self.operation}")
        require_version(version, found.row)
        await self.queries.change(session, found, fields)

    async def delete_row(self, session: AsyncSession, request: Request, row: Any, version: int | None) -> None:
        """Delete a row."""
        found = await self.queries.get_to_change(session, person(), row.id, f"delete{self.operation}")
        require_version(version, found.row)
        await self.queries.remove(session, found)

    def _checked(self, shape: type[SQLModel], form: Any) -> dict[str, Any]:
        """The fields of a form, validated by a model of the API.

        Raises:
            InvalidForm: with an error for each invalid field.
        """
        texts = {name: lines(field.data) for name, field in form._fields.items() if name not in _NOT_OF_THE_ROW}
        fields = {name: _json(name, text) if name in self.json_fields else text for name, text in texts.items()}
        try:
            return shape.model_validate(fields).model_dump(include=set(fields))
        except ValidationError as error:
            raise InvalidForm(errors=[_fault(one) for one in error.errors()]) from None


_EMPTY: Mapping[str, Any] = {"gm": None, "sight": None, "light": None, "bars": [], "conditions": []}
"""The value of an empty text, if that is not an empty object."""
_NOT_OF_THE_ROW = ("version", "universe_id")


def _text(value: Any) -> str:
    return "" if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _json(name: str, text: str) -> Any:
    try:
        if not text.strip():
            return _EMPTY.get(name, {})
        return parse(text.encode())
    except JsonRefused as refused:
        raise InvalidForm.at(name, refused.code, _placed(refused.place, refused.message)) from None


def _fault(one: Mapping[str, Any]) -> FieldError:
    name, *inner = one["loc"]
    if one["type"] == "string_too_short":
        return FieldError(str(name), one["type"], "This field is required.")
    return FieldError(str(name), one["type"], _placed(".".join(map(str, inner)), one["msg"]))


def _placed(place: str, message: str) -> str:
    return f"{place}: {message}" if place else message
