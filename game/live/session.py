"""A member's socket, from `hello` to its end: its requests, and what it was sent so far."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import structlog
from pydantic import ValidationError
from starlette.types import Scope
from websockets.frames import CloseCode

from game import permissions
from game.accounts.tokens import Identity
from game.core.errors import (
    FieldError,
    Problem,
    TooManyRequests,
    Unprocessable,
    field_error,
    is_database_away,
    problem_document,
)
from game.core.json_gate import JsonRefused, parse
from game.core.sockets import Close
from game.events.queries import Reader
from game.live import frames, queries
from game.live.commands import Commands
from game.live.models import CLIENT_MESSAGE, Command, Hello, Ping, Signal, Unwatch, Watch
from game.live.transport import Bucket, Disconnected, Transport
from game.permissions import GAME_MASTERS, Role

if TYPE_CHECKING:
    from game.live.hub import Hub, Login
    from game.live.maps import Shown
    from game.live.rooms import Room

log = structlog.get_logger()

HELLO_SECONDS = 5.0
_COMMANDS, _COMMANDS_AT_ONCE = 20.0, 40.0
_SIGNALS = 20.0
_STOP_SECONDS = 4.0
_MAX_FIELDS = 50
"""The maximum number of fields of a message that is not a command, which has the fields of a REST body."""


class LiveSession:
    """One socket in one universe; `identity` is that of its headers, if any."""

    role: Role
    is_game_master: bool
    """Whether it may get everything."""
    user_id: UUID
    display_name: str
    reader: Reader
    room: Room
    seq: int
    access_version: int
    is_visitor: bool
    """Whether they are here as a superuser, and not as a member."""

    def __init__(
        self, hub: Hub, transport: Transport, universe_id: UUID | None, identity: Identity | None, scope: Scope
    ) -> None:
        self.hub, self.transport = hub, transport
        self.request_id, self.client = scope["request_id"], scope["client"]
        self._universe_id, self._identity = universe_id, identity
        self.watched: dict[str, Shown] = {}
        """What it was sent of the maps that it watches, by their ids as text: UUIDs take long to hash."""
        self.watching = asyncio.Lock()
        self.is_welcome = False
        """Whether `welcome` was sent. Nothing is sent before it."""
        self._command_rate = Bucket(_COMMANDS, _COMMANDS_AT_ONCE)
        self._signal_rate = Bucket(_SIGNALS, _SIGNALS)
        self._commands = Commands(self)

    @property
    def universe_id(self) -> UUID:
        """The universe of this session, once it is known to exist."""
        if self._universe_id is None:
            raise Disconnected
        return self._universe_id

    def set_role(self, role: Role) -> None:
        """Set the role, which decides what is sent from now on."""
        self.role, self.is_game_master = role, role in GAME_MASTERS
        self.is_visitor = role == Role.superuser

    @property
    def login(self) -> Login:
        """What must stay valid: the session, its user, and whether they are here as a superuser."""
        return self.identity.session_id, self.user_id, self.is_visitor

    @property
    def identity(self) -> Identity:
        """Who this is."""
        if self._identity is None:
            raise Disconnected
        return self._identity

    async def run(self) -> None:
        """Serve the socket until it is closed."""
        try:
            await self._run()
        except Disconnected:
            pass
        except Exception as error:
            if not is_database_away(error):
                log.error("live_session_failed", exc_info=error, request_id=self.request_id)
            self.transport.close(CloseCode.TRY_AGAIN_LATER, "The server is busy, or its database is unavailable.")

    async def _run(self) -> None:
        is_resumed = await self._log_in(await self._first_hello())
        with self.hub.entered(self) as room:
            self.room = room
            room.start_at(self._head, self.access_version)
            self._welcome(resumed=is_resumed)
            self.transport.protocol.on_shutdown, self.transport.protocol.on_ping = self._stop, self._send_at
            await room.join(self)
            await self._listen()

    def _stop(self) -> None:
        """Close because the server is stopping, after the running command has been answered."""
        self._stopping = asyncio.create_task(self._stop_soon())

    async def _stop_soon(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._commands.close()
        self.transport.close(Close.STOPPING, "The server is stopping: connect again.")

    async def _first_hello(self) -> Hello:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                raw = await self.transport.receive()
        except TimeoutError:
            self._close(Close.TOO_SLOW, "There was no hello within 5 seconds.")
        value = None
        with suppress(JsonRefused):
            value = parse(raw)
        if not isinstance(value, dict) or value.get("type") != "hello":
            self._close(Close.NOT_UNDERSTOOD, "The first message must be a hello.")
        try:
            hello: Hello = _validated(value)
        except Unprocessable as problem:
            self.refuse(problem, None)
            self._close(Close.NOT_UNDERSTOOD, "The hello is not valid.")
        return hello

    async def _log_in(self, hello: Hello) -> bool:
        """Authenticate, and find the position from which to read; returns whether the socket resumes."""
        if hello.token is not None:
            self._identity = self.hub.state.tokens.read(hello.token.encode())
        if self._identity is None:
            self._close(Close.NOT_LOGGED_IN, "Log in first.")
        # All zeroes for an invalid id: then only the token is checked.
        universe_id = self._universe_id or UUID(int=0)
        identity = self.identity
        row = await self.hub.fetch(queries.WHO, identity.session_id, identity.user_id, universe_id)
        if row is None:
            self._close(Close.NOT_LOGGED_IN, "Log in first.")
        role = Role(row["role"]) if row["role"] else Role.superuser if row["is_superuser"] else None
        if row["event_seq"] is None or role is None:
            self._close(Close.NOT_FOUND, "The universe does not exist.")
        self.set_role(role)
        self.user_id, self.display_name = identity.user_id, row["display_name"]
        self.access_version, self._head = row["access_version"], row["event_seq"]
        self.reader = Reader(self.hub.state.cursors, self.user_id, universe_id, row["epoch"])
        after = None if hello.after is None else self.reader.find(hello.after)
        if after is not None and after > self._head:
            # The database has lost events, such as by a failover, and will give their numbers to others.
            after = None
        self.seq = self._head if after is None else after
        return after is not None

    def _welcome(self, *, resumed: bool) -> None:
        self.is_welcome = True
        online = self.hub.presence.online(self.universe_id).items()
        self.transport.send(
            frames.message(
                "welcome",
                cursor=self.reader.cursor(self.seq),
                role=self.role,
                user_id=self.user_id,
                resumed=resumed,
                online=[{"user_id": user_id, "display_name": name} for user_id, name in online],
            )
        )

    async def _listen(self) -> None:
        while True:
            raw = await self.transport.receive()
            try:
                value = parse(raw)
            except JsonRefused as refused:
                if refused.code == "json_invalid":
                    self._close(Close.NOT_UNDERSTOOD, "Not JSON.")
                self.refuse(Unprocessable(errors=[FieldError(refused.place, refused.code, refused.message)]), None)
                continue
            if not isinstance(value, dict):
                self._close(Close.NOT_UNDERSTOOD, "A message must be a JSON object.")
            try:
                await self._handle(_validated(value))
            except Problem as problem:
                self.refuse(problem, value.get("ref"))

    async def _handle(self, message: Any) -> None:
        is_query = isinstance(message, Command | Hello | Watch)
        if (is_query and not self._command_rate.take()) or (
            isinstance(message, Signal) and not self._signal_rate.take()
        ):
            raise TooManyRequests(1)
        match message:
            case Command():
                self._commands.put(message)
            case Signal():
                permissions.require("sendSignal", self.role)
                await self.room.signals.send(self, message)
            case Ping():
                self.transport.send(frames.message("pong"))
            case Hello():
                await self._hello_again(message)
            case Watch():
                await self.room.maps.watch(self, str(message.map_id))
            case Unwatch():
                self.watched.pop(str(message.map_id), None)

    async def _hello_again(self, hello: Hello) -> None:
        """Continue with a new token."""
        if hello.after is not None:
            raise Unprocessable("Only the first hello can resume: connect again.")
        identity = self.identity if hello.token is None else self.hub.state.tokens.read(hello.token.encode())
        if identity is None or identity.user_id != self.user_id:
            self._close(Close.NOT_LOGGED_IN, "This is not a valid token of this user.")
        row = await self.hub.fetch(queries.WHO, identity.session_id, identity.user_id, self.universe_id)
        if row is None:
            self._close(Close.NOT_LOGGED_IN, "Log in first.")
        self.hub.logged_out(self)
        self._identity = identity
        self.hub.logged_in(self)
        self._commands.forget_token()
        self._welcome(resumed=True)

    def _send_at(self) -> None:
        """Send a cursor to resume from, with each ping: at times that do not depend on events."""
        self.transport.send(frames.message("at", cursor=self.reader.cursor(self.seq)))

    def refuse(self, problem: Problem, ref: Any) -> None:
        """Send an error."""
        fields: dict[str, Any] = {"ref": ref} if isinstance(ref, str) and len(ref) <= 64 else {}
        self.transport.send(frames.message("error", **fields, problem=problem_document(problem, self.request_id)))

    def _close(self, code: int, reason: str) -> NoReturn:
        self.transport.close(code, reason)
        raise Disconnected


def _validated(value: dict[str, Any]) -> Any:
    """A message from its JSON object.

    Raises:
        Unprocessable: it is not valid; names the fields.
    """
    # Each unknown field would be an error of its own: thousands of them take longer than all other checks.
    if len(value) > _MAX_FIELDS and value.get("type") != "command":
        too_many = FieldError("type", "too_many_fields", f"A message has at most {_MAX_FIELDS} fields.")
        raise Unprocessable(errors=[too_many])
    try:
        return CLIENT_MESSAGE.validate_python(value)
    except ValidationError as error:
        # The first part of a place is the message's type. If that is unknown, there is no place.
        errors = [
            field_error(one["loc"][1:] or ["type"], one["type"], one["msg"])
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise Unprocessable(errors=errors) from None
