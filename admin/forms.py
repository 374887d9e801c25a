"""The forms of the back office: their fields, and the checks before anything is written.

The rules of the fields are those of the API's models; here their errors are shown next to the fields.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError
from sqlmodel import SQLModel
from wtforms import (
    BooleanField,
    EmailField,
    Form,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)

from admin.labels import VISIBILITIES
from game.accounts.models import MAX_EMAIL, MAX_PASSWORD, MIN_PASSWORD
from game.core.errors import FieldError, Unprocessable
from game.core.json_gate import MAX_STRING, JsonRefused, parse
from game.core.models import MAX_DESCRIPTION, MAX_NAME
from game.grid.document import GridError, check

_NAME = {"maxlength": MAX_NAME, "required": True, "autocomplete": "off"}
MAX_NEW_SIDE = 1024
"""The maximum side length, in cells, of a map that is created here. The editor can make it larger."""
_SIDE = {"min": 1, "max": MAX_NEW_SIDE, "required": True}
_GRID_TYPES = [
    ("square", "Squares"),
    ("hex_row", "Hexes in rows"),
    ("hex_column", "Hexes in columns"),
    ("isometric", "Isometric"),
    ("none", "No grid"),
]
_DESCRIPTION = {"maxlength": MAX_DESCRIPTION, "rows": 4}


class InvalidForm(Unprocessable):
    """The form has errors: see the fields in red. Nothing was saved."""

    @classmethod
    def at(cls, field: str, code: str, message: str) -> Self:
        """An error at one field."""
        return cls(errors=[FieldError(field, code, message)])


class UniverseForm(Form):
    """Creates or changes a universe."""

    version = HiddenField()
    name = StringField("Name", render_kw=_NAME)
    description = TextAreaField("Description", render_kw=_DESCRIPTION)


class EditUniverseForm(UniverseForm):
    """Changes a universe: also, where the party is."""

    active_map_id = SelectField(
        "The party is on",
        validate_choice=False,
        description="Players see this map first. It can be any map whose visibility is “All members”.",
    )


class MapForm(Form):
    """Creates or changes a map. Without `grid_data` its grid stays: the editor saves the grid itself."""

    version = HiddenField()
    name = StringField("Name", render_kw=_NAME)
    universe_id = SelectField("Universe", validate_choice=False)
    visibility = SelectField(
        "Visibility", choices=[*VISIBILITIES.items()], description="Players never see what is hidden on the map."
    )
    description = TextAreaField("Description", render_kw=_DESCRIPTION)
    grid_data = TextAreaField("Grid data", render_kw={"rows": 24, "spellcheck": "false", "class_": "wa-code"})


class NewMapForm(MapForm):
    """Creates a map: with a grid of the given type and size, or with grid data as text."""

    grid_type = SelectField(
        "Grid",
        choices=_GRID_TYPES,
    )
    width = IntegerField("Width in cells", default=40, render_kw=_SIDE)
    height = IntegerField("Height in cells", default=30, render_kw=_SIDE)


def _json_text(label: str, rows: int, description: str = "JSON.") -> TextAreaField:
    return TextAreaField(
        label, description=description, render_kw={"rows": rows, "spellcheck": "false", "class_": "wa-code"}
    )


_GRANTS = 'JSON: what members may do with it, such as {"members": ["see"]}; see characters.md in the docs.'
_SECRETS = "JSON, for game masters only."


class CharacterForm(Form):
    """Changes a character."""

    version = HiddenField()
    name = StringField("Name", render_kw=_NAME)
    kind = SelectField("Kind", choices=[("player", "Player"), ("nonplayer", "Nonplayer")], validate_choice=False)
    sheet = _json_text("Sheet", 20)
    grants = _json_text("Grants", 3, _GRANTS)
    gm = _json_text("Secrets", 3, _SECRETS)


class NewCharacterForm(CharacterForm):
    """Creates a character."""

    universe_id = SelectField("Universe", validate_choice=False)


_DISPOSITIONS = [(one, one.capitalize()) for one in ("friendly", "neutral", "hostile")]


class TokenForm(Form):
    """Changes a token."""

    version = HiddenField()
    name = StringField("Name", render_kw=_NAME)
    x = StringField("Column")
    y = StringField("Row")
    size = StringField("Size", description="Cells a side: 0.5, 1, 2, 3 or 4.")
    rotation = StringField("Rotation", description="In degrees.")
    elevation = StringField("Elevation", description="In the map's unit.")
    disposition = SelectField("Disposition", choices=_DISPOSITIONS, validate_choice=False)
    hidden = SelectField("Hidden", choices=[("false", "No"), ("true", "Yes")], validate_choice=False)
    bars = _json_text("Bars", 4, 'JSON, such as [{"name": "hit points", "value": 7, "max": 9}].')
    conditions = _json_text("Conditions", 2, 'JSON, such as ["prone"].')
    sight = _json_text("Sight", 2, 'JSON, such as {"range": 12, "darkvision": 12}, in cells.')
    light = _json_text("Light", 2, 'JSON, such as {"bright": 4, "dim": 8}, in cells.')
    properties = _json_text("Properties", 3)
    grants = _json_text("Grants", 3, _GRANTS)
    gm = _json_text("Secrets", 3, _SECRETS)


class EncounterForm(Form):
    """Changes an encounter."""

    version = HiddenField()
    name = StringField("Name", render_kw=_NAME)
    gm = _json_text("Secrets", 6, _SECRETS)


class NoteForm(Form):
    """Changes a note."""

    version = HiddenField()
    title = StringField("Title", render_kw=_NAME)
    body = TextAreaField("Text", description="Markdown.", render_kw={"rows": 16, "maxlength": MAX_STRING})
    grants = _json_text("Grants", 3, _GRANTS)


class NewNoteForm(NoteForm):
    """Creates a note."""

    universe_id = SelectField("Universe", validate_choice=False)


class UserForm(Form):
    """Creates or changes an account."""

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
    is_active = BooleanField("Active", description="May log in. Deactivating an account ends all its sessions.")
    is_verified = BooleanField("Verified", description="Has confirmed the e-mail address.")
    is_superuser = BooleanField("Superuser", description="Administers the server and sees all universes.")


def checked(shape: type[SQLModel], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a form, validated by a model of the API.

    Raises:
        InvalidForm: with an error for each invalid field.
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
            return "Choose one."
        case "string_too_short" if limits["min_length"] == 1:
            return "This field is required."
        case "string_too_short":
            return f"At least {limits['min_length']} characters."
        case "string_too_long":
            return f"At most {limits['max_length']:,} characters."
        case _:
            text = str(limits.get("error") or error["msg"])
            return _as_sentence(text.removeprefix("value is not a valid email address: "))


def _as_sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def lines(text: str | None) -> str:
    """A text with the line ends that it had before the browser sent it as CRLF."""
    return (text or "").replace("\r\n", "\n")


def new_grid(form: NewMapForm) -> dict[str, Any]:
    """The grid data of a new map: one empty layer, and a few initial tiles. None without a size.

    Raises:
        InvalidForm: the type of the grid or its size is invalid.
    """
    if not (form.width.raw_data or form.height.raw_data or form.grid_type.raw_data):
        return {}
    errors = []
    if form.grid_type.data not in dict(_GRID_TYPES):
        errors.append(FieldError("grid_type", "unknown", "Choose one."))
    width, height = (_side(field, errors) for field in (form.width, form.height))
    if errors:
        raise InvalidForm(errors=errors)
    return {
        "width": width,
        "height": height,
        "grid_type": form.grid_type.data,
        "legend": [
            {"symbol": "#", "name": "wall", "color": "#5b5348", "blocks_movement": True, "blocks_sight": True},
            {"symbol": ".", "name": "floor", "color": "#cfc6b0"},
            {"symbol": "~", "name": "water", "color": "#6a929c", "movement_cost": 2},
        ],
        "layers": [{"name": "ground", "rows": [" " * width] * height}],
    }


def _side(field: IntegerField, errors: list[FieldError]) -> int:
    """The number of cells of a side; if it is invalid, 0 and an error."""
    if field.data is not None and 1 <= field.data <= MAX_NEW_SIDE:
        return int(field.data)
    errors.append(FieldError(field.name, "out_of_range", f"A whole number from 1 to {MAX_NEW_SIDE:,}."))
    return 0


async def grid(text: str | None) -> dict[str, Any]:
    """The grid data in a text area.

    Raises:
        InvalidForm: it is not JSON, or not valid grid data; names the place.
    """
    return await asyncio.to_thread(_grid, lines(text))


def _grid(text: str) -> dict[str, Any]:
    try:
        document = parse(text.encode())
        if not isinstance(document, dict):
            raise JsonRefused("", "wrong_type", 'Grid data must be an object: {"width": ...}.')
        check(document)
    except JsonRefused as refused:
        place = f"grid_data.{refused.place}" if refused.place else "grid_data"
        raise InvalidForm.at(place, refused.code, refused.message) from None
    except GridError as error:
        raise InvalidForm(
            errors=[FieldError(one.place, one.code, _as_sentence(one.message)) for one in error.violations]
        ) from None
    return document
