"""A reference client of the live feed: it resumes, waits longer and longer to reconnect, and repeats what was not
acknowledged.
"""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Union
from uuid import uuid4

from pydantic import Field, TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from game.live import models
from game.live.asyncapi import FROM_SERVER
from tests.conftest import PATIENCE_SECONDS

_DOCUMENTED: TypeAdapter[Any] = TypeAdapter(
    Annotated[Union[*FROM_SERVER, models.Ack], Field(discriminator="type")]  # a tuple of types
)
FINAL = {4400, 4401, 4403, 4404}
"""Codes after which a client does not come back by itself."""


class Refused(Exception):
    """A command was refused; `problem` is the RFC 9457 document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("code"))
        self.problem = problem


class Client:
    """One member of one universe. `events` holds every event, in order; `messages` all else."""

    def __init__(
        self, url: str, universe_id: str, token: str, after: str | None = None, *, others: Sequence[str] = ()
    ) -> None:
        """`others` are the addresses of other servers, where to go when one does not answer."""
        path = f"/universes/{universe_id}/live"
        self._urls = [one.replace("http", "ws", 1) + path for one in (url, *others)]
        self.token, self.cursor = token, after
        self.events: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.welcomes: list[dict[str, Any]] = []
        self.order: list[str] = []
        """The types of all messages, in order."""
        self.undocumented: list[str] = []
        """How messages differ from the AsyncAPI document."""
        self.code: int | None = None
        self.codes: list[int] = []
        """Of all connections that were closed."""
        self._answers: dict[str, tuple[dict[str, Any], asyncio.Future[dict[str, Any]]]] = {}
        self._watched: list[str] = []
        self._changed = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Client":
        self._task = asyncio.create_task(self._stay_connected())
        await self.until(lambda: bool(self.welcomes) or self.code is not None)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._socket is not None:
            await self._socket.close()
        assert not self.undocumented

    async def watch(self, map_id: str) -> dict[str, Any]:
        """Watch a map, also after a reconnect; what it is now."""
        count = len(self.of("map"))
        self._watched.append(map_id)
        await self.send({"type": "watch", "map_id": map_id})
        return await self.next("map", count + 1)

    async def command(self, do: str, **fields: Any) -> dict[str, Any]:
        """Do something; the response. Sent again after a reconnect, which is safe: `ref` is its key."""
        ref = str(uuid4())
        message = {"type": "command", "ref": ref, "do": do, **fields}
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[ref] = message, future
        await self.send(message)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await future

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message, if there is a connection."""
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._socket.send(json.dumps(message))

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; asked again at each message."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def _send_all(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            await self.send(message)

    async def next(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th message of a type that is no event."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type, so far."""
        return [message for message in self.messages if message["type"] == kind]

    def drop(self) -> None:
        """Lose the connection, as a bad line does."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _stay_connected(self) -> None:
        wait = 0.05
        while self.code not in FINAL:
            try:
                async with connect(
                    self._urls[0],
                    subprotocols=["worldkeep.v1"],
                    max_size=None,
                    compression=None,
                    proxy=None,
                    close_timeout=2,
                ) as self._socket:
                    hello = {"type": "hello", "token": self.token}
                    await self._socket.send(json.dumps(hello | ({"after": self.cursor} if self.cursor else {})))
                    async for raw in self._socket:
                        self._take(json.loads(raw))
                        wait = 0.05
                    self.code = self._socket.close_code
            except ConnectionClosed as closed:
                self.code = closed.rcvd.code if closed.rcvd else 1006
            except (OSError, WebSocketException, TimeoutError):
                pass
            if self.code is not None:
                self.codes.append(self.code)
            self._urls.append(self._urls.pop(0))
            self._changed.set()
            # At random, so that those who were cut off together do not come back together.
            await asyncio.sleep(random.uniform(wait / 2, wait))
            wait = min(wait * 2, 2.0)

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        try:
            _DOCUMENTED.validate_python(message)
        except ValidationError as error:
            self.undocumented.append(str(error))
        self.order.append(kind)
        if kind == "welcome":
            self.welcomes.append(message)
            self.code = None
            self.cursor = message["cursor"]
            watches = [{"type": "watch", "map_id": map_id} for map_id in self._watched]
            again = [*watches, *(sent for sent, _ in self._answers.values())]
            self._again = asyncio.get_running_loop().create_task(self._send_all(again))
        elif kind == "event":
            self.events.append(message)
            self.cursor = message["cursor"]
        else:
            self.messages.append(message)
            if kind == "at":
                self.cursor = message["cursor"]
            if message.get("ref") in self._answers and kind in ("ack", "error"):
                _, future = self._answers.pop(message["ref"])
                if not future.done():
                    if kind == "ack":
                        future.set_result(message)
                    else:
                        future.set_exception(Refused(message["problem"]))
        self._changed.set()
