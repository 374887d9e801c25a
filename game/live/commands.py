"""Commands: each is a request of the API, sent to the same routes within this process, one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote
from uuid import UUID

import orjson
from starlette.types import Message, Scope

from game.core.errors import FieldError, TooManyRequests, Unavailable, Unprocessable, problem_document, problem_of
from game.events.hints import Hint
from game.live import frames
from game.live.models import Command

if TYPE_CHECKING:
    from game.live.session import LiveSession

_TOKEN_SECONDS = 600
_MAX_WAITING = 100
"""The maximum number of commands of a socket that wait for the running one."""


class Operation(NamedTuple):
    """What a command does: an operation of the API, and the path that its fields are put into."""

    operation_id: str
    path: str


OPERATIONS: Mapping[str, Operation] = {
    "edit": Operation("editMap", "/maps/{map_id}/edits"),
    "move": Operation("moveToken", "/tokens/{token_id}/move"),
    "door": Operation("setDoor", "/maps/{map_id}/doors/{door_id}"),
    "roll": Operation("createRoll", "/universes/{universe_id}/rolls"),
    "say": Operation("createMessage", "/universes/{universe_id}/messages"),
}
"""By the command's `do`."""


class Commands:
    """The commands of one socket: executed and answered in order."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._waiting: list[Command] = []
        self._task: asyncio.Task[None] | None = None
        self._token, self._token_until = "", 0.0

    def put(self, command: Command) -> None:
        """Queue a command.

        Raises:
            TooManyRequests: too many are waiting.
        """
        if len(self._waiting) >= _MAX_WAITING:
            raise TooManyRequests(1)
        self._waiting.append(command)
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Wait for the running command, which may be in the database already. Drop the others."""
        self._waiting.clear()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._execute(self._waiting.pop(0))
        finally:
            self._task = None

    async def _execute(self, command: Command) -> None:
        session, is_hinted = self._session, False
        try:
            request = _request(command, session.universe_id)
            status, body, is_hinted = await self._call(*request, command.ref)
        except Exception as error:
            problem = (
                Unavailable("The request took too long.") if isinstance(error, TimeoutError) else problem_of(error)
            )
            status, body = problem.status, orjson.dumps(problem_document(problem, session.request_id))
        # The event of a write comes first, then its ack.
        room = session.hub.rooms.get(session.universe_id)
        if room is not None and status < 400:
            await room.caught_up(is_hinted=is_hinted)
        if status < 400:
            frame = frames.message("ack", ref=command.ref, **(orjson.loads(body) if body else {}))
        else:
            frame = frames.message("error", ref=command.ref, problem=orjson.loads(body))
        session.transport.send(frame)

    async def _call(self, path: str, body: bytes, ref: str) -> tuple[int, bytes, bool]:
        """The status and body of the API's answer, and whether the room has got the event by a hint."""
        state = self._session.hub.state
        headers = {
            "authorization": f"Bearer {self._access_token()}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "idempotency-key": ref,
        }
        scope: Scope = {
            "type": "http",
            "app": self._session.hub.app,
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": self._session.client,
            "server": None,
            "state": {},
            "extensions": {},
            "request_id": self._session.request_id,
        }
        status, parts = 0, []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            # A command is finished even if its socket is closed.
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            # A hot response has its body with its start.
            parts.append(message.get("body", b""))

        await state.commands(scope, receive, send)
        written: Hint | None = scope.get("written")
        return status, b"".join(parts), written is not None and written.event is not None

    def _access_token(self) -> str:
        """A token of the socket's session, which may have outlived the one that it came with."""
        now = time.monotonic()
        if now > self._token_until:
            session = self._session
            tokens = session.hub.state.tokens
            self._token = tokens.sign(session.user_id, session.identity.session_id, _TOKEN_SECONDS)
            self._token_until = now + _TOKEN_SECONDS / 2
        return self._token

    def forget_token(self) -> None:
        """Sign a new token for the next command, because the socket has logged in again."""
        self._token_until = 0.0


def _request(command: Command, universe_id: UUID) -> tuple[str, bytes]:
    """The path and body of the request for a command.

    Raises:
        Unprocessable: the command is unknown, or a part of its path is missing.
    """
    operation = OPERATIONS.get(command.do)
    fields = dict(command.model_extra or {})
    if operation is None:
        raise Unprocessable(errors=[FieldError("do", "unknown_command", f"One of {', '.join(OPERATIONS)}.")])
    parts = []
    for part in operation.path.split("/"):
        if part == "{universe_id}":
            part = str(universe_id)
        elif part.startswith("{"):
            value = fields.pop(part[1:-1], None)
            if not isinstance(value, str) or not 0 < len(value) <= 100 or "/" in value:
                raise Unprocessable(errors=[FieldError(part[1:-1], "missing", "This field is required.")])
            part = value
        parts.append(part)
    return "/".join(parts), orjson.dumps(fields)
