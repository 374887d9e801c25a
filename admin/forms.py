"""The forms of the admin: their fields, and what is checked before anything is written.

What a field may hold is said once, in the shapes of the API; here it becomes a sentence beside the field.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlmodel import SQLModel
from wtforms import (
    BooleanField,
    EmailField,
    Form,
    HiddenField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)

from game.accounts.models import MAX_EMAIL, MAX_PASSWORD, MIN_PASSWORD
from game.core.errors import FieldError, Unprocessable
from game.core.models import MAX_DESCRIPTION, MAX_NAME
from game.core.strict_json import JsonRefused, parse
from game.grid.document import GridError, check

_NAME = {"maxlength": MAX_NAME, "required": True, "autocomplete": "off"}
_DESCRIPTION = {"maxlength": MAX_DESCRIPTION, "rows": 4}


class InvalidForm(Unprocessable):
    """Something in the form is not right yet: see the fields in red. Nothing was saved."""


class UniverseForm(Form):
    """Makes or changes a universe."""

    version = HiddenField()
    name = StringField("Name", render_kw=_NAME)
    description = TextAreaField("Description", render_kw=_DESCRIPTION)


class MapForm(Form):
    """Makes or changes a map. Without `grid_data` its grid stays: the editor saves that by itself."""

    version = HiddenField()
    name = StringField("Name", render_kw=_NAME)
    universe_id = SelectField("Universe", validate_choice=False)
    description = TextAreaField("Description", render_kw=_DESCRIPTION)
    grid_data = TextAreaField("Grid data", render_kw={"rows": 24, "spellcheck": "false", "class_": "wa-code"})


class UserForm(Form):
    """Makes or changes an account."""

    version = HiddenField()
    email = EmailField(
        "E-mail address", render_kw={"maxlength": MAX_EMAIL, "required": True, "autocomplete": "off"}
    )
    display_name = StringField("Display name", render_kw=_NAME)
    password = PasswordField(
        "Password",
        description=f"{MIN_PASSWORD} to {MAX_PASSWORD} characters.",
        render_kw={"maxlength": MAX_PASSWORD, "autocomplete": "new-password"},
    )
    is_active = BooleanField("Active", description="May log in. Taking this away ends all sessions at once.")
    is_verified = BooleanField("Verified", description="Has shown that the address is theirs.")
    is_superuser = BooleanField("Superuser", description="Runs the server, and sees everything here.")


def checked(shape: type[SQLModel], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as a shape of the API takes them.

    Raises:
        InvalidForm: it does not; says for each field why.
    """
    try:
        return shape.model_validate(fields).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise InvalidForm(
            errors=[FieldError(str(one["loc"][0]), one["type"], _sentence(one)) for one in error.errors()]
        ) from None


def _sentence(error: Any) -> str:
    limits = error.get("ctx", {})
    match error["type"]:
        case "uuid_parsing":
            return "Please choose one."
        case "string_too_short" if limits["min_length"] == 1:
            return "Please fill this in."
        case "string_too_short":
            return f"At least {limits['min_length']} characters, please."
        case "string_too_long":
            return f"At most {limits['max_length']:,} characters, please."
        case _:
            text = str(limits.get("error") or error["msg"])
            return _as_sentence(text.removeprefix("value is not a valid email address: "))


def _as_sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def lines(text: str | None) -> str:
    """A text as it was before the browser wrote its line ends in its own way."""
    return (text or "").replace("\r\n", "\n")


async def grid(text: str | None) -> dict[str, Any]:
    """The document that a text area holds.

    Raises:
        InvalidForm: it is not JSON, or breaks the rules of grid data; says where.
    """
    return await asyncio.to_thread(_grid, lines(text))


def _grid(text: str) -> dict[str, Any]:
    try:
        document = parse(text.encode())
        if not isinstance(document, dict):
            raise JsonRefused("", "wrong_type", 'Grid data is an object: {"width": ...}.')
        check(document)
    except JsonRefused as refused:
        place = f"grid_data.{refused.place}" if refused.place else "grid_data"
        raise InvalidForm(errors=[FieldError(place, refused.code, refused.message)]) from None
    except GridError as error:
        raise InvalidForm(
            errors=[FieldError(one.place, one.code, _as_sentence(one.message)) for one in error.breaches]
        ) from None
    return document
