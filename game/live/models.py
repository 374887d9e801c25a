"""The messages of the live feed, in both directions."""

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from game.core.models import unset
from game.editing.models import Region
from game.events.models import EventRead
from game.permissions import Role
from game.tokens.models import TokenRead

MAX_SIGNAL = 1024
"""Bytes of a signal's data."""


def _is_short(value: Any) -> Any:
    if len(orjson.dumps(value)) > MAX_SIGNAL:
        raise ValueError(f"a signal's data has at most {MAX_SIGNAL} bytes")
    return value


Cursor = Annotated[str, Field(max_length=100)]
SignalData = Annotated[Any, AfterValidator(_is_short), Field(description=f"Any JSON, up to {MAX_SIGNAL} bytes.")]
SignalName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,31}$"), Field(examples=["pointer", "ruler", "typing"])
]
Reference = Annotated[
    str,
    StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$"),
    Field(description="A value of your own, such as a UUID: sent again within 24 hours, it is carried out once."),
]


class Message(BaseModel):
    """A message of the live feed: one JSON object."""

    model_config = ConfigDict(extra="forbid")


class Hello(Message):
    """The first message, within 5 seconds; later, a fresh token."""

    type: Literal["hello"]
    token: str | None = Field(None, max_length=4096, description="An access token, where no header can be sent.")
    after: Cursor | None = Field(None, description="Resumes behind this cursor. Only in the first `hello`.")


class Watch(Message):
    """Asks for a map as it is, and for what changes in what you see of it."""

    type: Literal["watch"]
    map_id: UUID


class Unwatch(Message):
    """Ends `watch`."""

    type: Literal["unwatch"]
    map_id: UUID


class Command(Message):
    """Does what a request of the API does; its other fields are those of that request's path and body."""

    model_config = ConfigDict(extra="allow")

    type: Literal["command"]
    ref: Reference
    do: str = Field(max_length=20)


class Signal(Message):
    """Shown to others at once, and never stored: a pointer, a ruler, that somebody types."""

    type: Literal["signal"]
    name: SignalName
    map_id: UUID | None = Field(None, description="Only those who may see the map get it.")
    x: float | None = Field(None, ge=-10_000, le=10_000, description="With `y`: only those who see that cell.")
    y: float | None = Field(None, ge=-10_000, le=10_000)
    data: SignalData = None


class Ping(Message):
    """Asks for a `pong`."""

    type: Literal["ping"]


ClientMessage = Annotated[Hello | Watch | Unwatch | Command | Signal | Ping, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[Any] = TypeAdapter(ClientMessage)


class Online(BaseModel):
    """Somebody who is here."""

    user_id: UUID
    display_name: str


class OnlineList(BaseModel):
    """The members of a universe who are here."""

    items: list[Online]


class Welcome(Message):
    """The answer to `hello`: events follow, from `cursor` on."""

    type: Literal["welcome"]
    cursor: Cursor
    role: Role
    user_id: UUID
    resumed: bool = Field(description="false: `after` was of no use. Read everything anew.")
    online: list[Online]


class EventMessage(EventRead):
    """Something happened: an event as `GET /universes/{id}/events` gives it to you. In order, each once."""

    type: Literal["event"]


class At(Message):
    """Now and then, whether something happened or not: resume from here."""

    type: Literal["at"]
    cursor: Cursor


class MapFog(BaseModel):
    """What of a map is seen: a character a cell, `0` never seen, `1` seen before, `2` in sight."""

    mode: Literal["explored", "sight"]
    rows: list[str]


class MapMessage(Message):
    """What is on a watched map now: after `watch`, and again when its fog, your role or your rights change."""

    type: Literal["map"]
    map_id: UUID
    cursor: Cursor = Field(description="Events before it are in this; those behind it are not.")
    version: int = unset("Not for players.")
    tokens: list[TokenRead]
    fog: MapFog = unset("Where there is fog. Read cells by `GET /maps/{id}/region`, then apply what comes.")


class Moved(BaseModel):
    """A token that moved under fog."""

    id: UUID
    x: float
    y: float
    cells: list[dict[str, Any]] = Field(description="Those of its way that you saw: `{x, y}` each, in order.")


class ViewMessage(Message):
    """What changed in what you see of a watched map without being an event for you."""

    type: Literal["view"]
    map_id: UUID
    shown: list[TokenRead] = unset("Tokens that came into sight, were shown, or look different.")
    gone: list[UUID] = unset("Tokens that you see no more.")
    moved: list[Moved] = unset()
    region: Region = unset("The part of the map that looks different, as it is now.")


class Ack(Message):
    """A command was carried out; with the fields of the answer to its request."""

    model_config = ConfigDict(extra="allow")

    type: Literal["ack"]
    ref: Reference


class Error(Message):
    """A message was refused, and nothing happened."""

    type: Literal["error"]
    ref: Reference = unset("Of the command that was refused.")
    problem: dict[str, Any] = Field(description="The RFC 9457 document, as the API answers it.")


class CameOnline(Message):
    """A member is here now, by their first connection."""

    type: Literal["online"]
    user_id: UUID
    display_name: str


class WentOffline(Message):
    """A member is not here any more."""

    type: Literal["offline"]
    user_id: UUID


class SignalMessage(Message):
    """A signal of another member."""

    type: Literal["signal"]
    user_id: UUID
    name: SignalName
    map_id: UUID = unset()
    x: float = unset()
    y: float = unset()
    data: SignalData


class Pong(Message):
    """The answer to `ping`."""

    type: Literal["pong"]
