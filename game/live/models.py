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
    Field(
        description="Any unique value, such as a UUID. A command that is sent again with the same `ref` within "
        "24 hours is not executed again."
    ),
]


class Message(BaseModel):
    """A message of the live feed: one JSON object."""

    model_config = ConfigDict(extra="forbid")


class Hello(Message):
    """The first message, within 5 seconds of connecting. Later, it replaces the token."""

    type: Literal["hello"]
    token: str | None = Field(None, max_length=4096, description="An access token, if no header can be sent.")
    # Of any length: a cursor that is of no use is no error.
    after: str | None = Field(None, description="Resume after this cursor. Only in the first `hello`.")


class Watch(Message):
    """Requests the state of a map, and updates when what you see of it changes."""

    type: Literal["watch"]
    map_id: UUID


class Unwatch(Message):
    """Stops watching a map."""

    type: Literal["unwatch"]
    map_id: UUID


class Command(Message):
    """Executes an operation of the API. The other fields are those of the request's path and body."""

    model_config = ConfigDict(extra="allow")

    type: Literal["command"]
    ref: Reference
    do: str = Field(max_length=20)


class Signal(Message):
    """Sent to the other members immediately, and never stored: a pointer, a ruler, a typing indicator."""

    type: Literal["signal"]
    name: SignalName
    map_id: UUID | None = Field(None, description="Sent only to members who may see the map.")
    x: float | None = Field(
        None, ge=-10_000, le=10_000, description="With `y`: sent only to members who see that cell."
    )
    y: float | None = Field(None, ge=-10_000, le=10_000)
    data: SignalData = None


class Ping(Message):
    """Asks for a `pong`."""

    type: Literal["ping"]


ClientMessage = Annotated[Hello | Watch | Unwatch | Command | Signal | Ping, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[Any] = TypeAdapter(ClientMessage)


class Online(BaseModel):
    """A member who is online."""

    user_id: UUID
    display_name: str


class OnlineList(BaseModel):
    """The members of a universe who are online."""

    items: list[Online]


class Welcome(Message):
    """The response to `hello`. Events after `cursor` follow."""

    type: Literal["welcome"]
    cursor: Cursor
    role: Role
    user_id: UUID
    resumed: bool = Field(description="false: `after` could not be used. Read everything again.")
    online: list[Online]


class EventMessage(EventRead):
    """An event, as in `GET /universes/{id}/events`. Events arrive in order, each exactly once."""

    type: Literal["event"]


class At(Message):
    """A cursor to resume from, sent regularly even if there are no events."""

    type: Literal["at"]
    cursor: Cursor


class MapFog(BaseModel):
    """Which cells of a map you see, one character each: `0` never seen, `1` seen before, `2` in sight."""

    mode: Literal["explored", "sight"]
    rows: list[str]


class MapMessage(Message):
    """The state of a watched map: after `watch`, and again when its fog, your role or your rights change."""

    type: Literal["map"]
    map_id: UUID
    cursor: Cursor = Field(description="The state includes all events up to this cursor, and none after it.")
    version: int = unset("Not for players.")
    tokens: list[TokenRead]
    fog: MapFog = unset(
        "Only with fog. Read cells with `GET /maps/{id}/region`, then apply the messages that follow."
    )


class Moved(BaseModel):
    """A token that moved under fog."""

    id: UUID
    x: float
    y: float
    cells: list[dict[str, Any]] = Field(description="The positions on its path that you saw, in order.")


class SeenRegion(Region):
    """A part of a map with fog as you see it, with what is in its cells."""

    legend: list[dict[str, Any]] = Field(description="The entries of the symbols in it.")
    walls: list[dict[str, Any]]
    doors: list[dict[str, Any]]
    entities: list[dict[str, Any]]
    lights: list[dict[str, Any]]


class ViewMessage(Message):
    """Changes to what you see of a watched map for which you get no event."""

    type: Literal["view"]
    map_id: UUID
    shown: list[TokenRead] = unset("Tokens that came into sight, were revealed, or changed.")
    gone: list[UUID] = unset("Tokens that you no longer see.")
    moved: list[Moved] = unset()
    region: SeenRegion = unset("The part of the map that looks different now, in its new state.")


class Ack(Message):
    """A command succeeded. It has the fields of the API's response."""

    model_config = ConfigDict(extra="allow")

    type: Literal["ack"]
    ref: Reference


class Error(Message):
    """A message was refused, and nothing was changed."""

    type: Literal["error"]
    ref: str = unset(
        "The `ref` of the refused message, even if it is not valid; not if it has more than 64 characters."
    )
    problem: dict[str, Any] = Field(description="The problem document (RFC 9457), as in the API's response.")


class CameOnline(Message):
    """A member came online with their first connection, or changed their name while online."""

    type: Literal["online"]
    user_id: UUID
    display_name: str


class WentOffline(Message):
    """A member went offline."""

    type: Literal["offline"]
    user_id: UUID


class SignalMessage(Message):
    """A signal from another member."""

    type: Literal["signal"]
    user_id: UUID
    name: SignalName
    map_id: UUID = unset()
    x: float = unset()
    y: float = unset()
    data: SignalData


class Pong(Message):
    """The response to `ping`."""

    type: Literal["pong"]
