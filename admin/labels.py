"""The labels of the back office: the labels of rows, columns, times and events on its pages."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import Request

from game.accounts.models import AuthSession, User
from game.assets.models import Asset
from game.characters.models import Character
from game.core.errors import FieldError
from game.encounters.models import Encounter
from game.events import phrases
from game.events.models import Event
from game.maps.models import Map
from game.messages.models import Message
from game.notes.models import Note
from game.rolls.models import Roll
from game.tokens.models import Token
from game.universes.models import Member, Universe
from game.universes.quotas import Scope, Usage

MESSAGES: Mapping[str, str] = {
    "created": "Created.",
    "saved": "Saved.",
    "imported": "Imported.",
    "uploaded": "Uploaded.",
    "copied": "Copied. This is the copy.",
    "restored": "Restored.",
    "deleted": "Deleted.",
    "ended": "All sessions of this user have ended.",
    "role": "Role changed.",
    "removed": "Removed.",
    "left": "You left the universe.",
    "handed_over": "The universe has a new owner.",
    "invited": "Invitation created. Copy its link and send it.",
    "withdrawn": "Invitation withdrawn.",
}
"""Messages after a form was sent, by the parameter `done` of the page that it leads to."""

COLUMNS: Mapping[str, str] = {
    "id": "Id",
    "name": "Name",
    "description": "Description",
    "version": "Version",
    "created_at": "Created",
    "updated_at": "Updated",
}
ROLES: Mapping[str, str] = {
    "owner": "Owner",
    "game_master": "Game master",
    "player": "Player",
    "spectator": "Spectator",
}
VISIBILITIES: Mapping[str, str] = {"game_masters": "Game masters only", "members": "All members"}
DATES = ("version", "created_at", "updated_at")
FLAGS: Mapping[str, str] = {"is_active": "Active", "is_verified": "Verified", "is_superuser": "Superuser"}

_STORED = {"assets": "Pictures", "maps": "Maps", "events": "History"}


def storage(request: Request, scope: Scope, used: Usage) -> list[tuple[str, int, int]]:
    """What a universe or an account stores: label, bytes used and bytes allowed of each kind."""
    allowed: Usage = getattr(request.app.state.quotas, scope)
    return [(label, getattr(used, kind), getattr(allowed, kind)) for kind, label in _STORED.items()]


_TITLES = {
    401: "Log in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not supported",
    422: "Invalid input",
    429: "Too many attempts",
    503: "Please try again in a moment",
}

_MAX_LABEL = 60
_UNITS = ((31_536_000, "year"), (2_592_000, "month"), (86_400, "day"), (3600, "hour"), (60, "minute"))
# In this order: Edge also names Chrome, and Chrome also names Safari.
_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def title_of(status: int) -> str:
    """The headline of an error page."""
    return _TITLES.get(status, "Server error")


def label_of(row: Any, names: Mapping[UUID, str]) -> str:
    """The label of a row; `names` has the labels of the ids in it."""
    match row:
        case Universe() | Map() | Asset() | Character() | Encounter() | Token():
            return row.name
        case Note():
            return row.title
        case Roll():
            return f"{row.expression} = {row.total}"
        case Message():
            return row.text if len(row.text) <= _MAX_LABEL else f"{row.text[:_MAX_LABEL]}…"
        case User():
            return row.display_name
        case AuthSession():
            return f"Session of {names.get(row.user_id, 'a deleted user')}"
        case Member():
            return f"{names.get(row.user_id, 'Somebody')} in {names.get(row.universe_id, 'a universe')}"
        case Event():
            return f"{phrases.title(row.kind)}: event {row.seq}"
    return str(row.id)


def moment(time: datetime) -> str:
    """A time as "2 January 2026, 13:05 UTC"."""
    return time.astimezone(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def ago(time: datetime) -> str:
    """A time relative to now: "3 hours ago", "in 2 days"."""
    seconds = (datetime.now(UTC) - time).total_seconds()
    for size, name in _UNITS:
        number = int(abs(seconds) // size)
        if number:
            text = f"{number} {name}{'' if number == 1 else 's'}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "just now"


def device(user_agent: str) -> str:
    """The device of a session as "Firefox on Windows"; of an unknown browser, its User-Agent."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), None)
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), None)
    if browser is None:
        return user_agent or "Unknown"
    return f"{browser} on {system}" if system else browser


def with_query(request: Request, **changes: Any) -> str:
    """The query string of this page with some parameters changed; None removes one."""
    query = {**request.query_params, **changes}
    query.pop("done", None)
    return "?" + urlencode({name: value for name, value in query.items() if value not in (None, "")})


def ids_in(request: Request, names: Iterable[str]) -> dict[str, UUID]:
    """Those of the named query parameters that are UUIDs."""
    found = {}
    for name in names:
        try:
            found[name] = UUID(request.query_params.get(name, ""))
        except ValueError:
            continue
    return found


def errors_as_json(errors: Iterable[FieldError]) -> str:
    """Errors of a form, for the editor's script."""
    return orjson.dumps([error._asdict() for error in errors]).decode()


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ago": ago,
    "timestamp": datetime.fromisoformat,
    "moment": moment,
    "event_label": phrases.title,
    "device": device,
    "errors_as_json": errors_as_json,
}
GLOBALS: Mapping[str, Any] = {
    "with_query": with_query,
    "ids_in": ids_in,
    "label_of": label_of,
    "roles": ROLES,
    "visibilities": VISIBILITIES,
    "map_files": "Drop a map here together with the tilesets and pictures it uses, or choose the files.",
    "picture_files": "Drop PNG, JPEG or WebP pictures here, or choose files.",
}
