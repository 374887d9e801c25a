"""The way between workers: what one publishes, the others receive.

A message may get lost: no code relies on it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

import asyncpg
import orjson

from game.core.settings import Settings

Receive = Callable[[bytes], None]
"""Called with what another worker has published."""

_CHANNEL = "worldkeep_live"
_MAX_PAYLOAD = 7_900
"""Bytes; PostgreSQL takes less than 8,000."""
_MAX_PENDING = 20_000
_LONGEST_WAIT = 1.0
_CONNECT_SECONDS, _STATEMENT_SECONDS = 2.0, 3.0


class Fanout(Protocol):
    """A channel between workers."""

    async def start(self, receive: Receive) -> None:
        """Receive what the others publish from now on; what this one publishes does not come back."""

    def publish(self, message: bytes) -> None:
        """Send a short message to the other workers, without waiting."""

    async def close(self) -> None:
        """Stop."""


class NoFanout:
    """For a single worker."""

    async def start(self, receive: Receive) -> None:
        """Nobody publishes."""

    def publish(self, message: bytes) -> None:
        """Nobody listens."""

    async def close(self) -> None:
        """Nothing was begun."""


class PostgresFanout:
    """NOTIFY on a separate connection, in batches; never within a writing transaction, where it makes commits wait
    for each other.

    `url` must be a direct connection: PgBouncer has no LISTEN.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._id = uuid4().hex
        # In their order, each once: of many hints about a universe one is enough.
        self._pending: dict[bytes, None] = {}
        self._is_pending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, receive: Receive) -> None:
        """Connect, and reconnect after a loss."""
        self._task = asyncio.create_task(self._stay_connected(receive))

    def publish(self, message: bytes) -> None:
        """Send a message with the next batch; without a database, the newest are dropped."""
        if len(self._pending) < _MAX_PENDING:
            self._pending[message] = None
            self._is_pending.set()

    async def close(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _stay_connected(self, receive: Receive) -> None:
        wait = 0.05
        while True:
            # Whatever goes wrong: messages may get lost, and rooms check the log anyway.
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await self._connect(receive)
                wait = 0.05
                try:
                    await self._send_always(connection)
                finally:
                    connection.terminate()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _connect(self, receive: Receive) -> asyncpg.Connection:
        def take(_: object, __: int, ___: str, payload: object) -> None:
            sender, *messages = orjson.loads(str(payload))
            if sender != self._id:
                for message in messages:
                    receive(message.encode())

        connection = await asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
            # A notification that a crash loses is one that got lost: no reason to wait for the disk.
            server_settings={"application_name": "worldkeep live", "synchronous_commit": "off"},
        )
        await connection.add_listener(_CHANNEL, take)
        connection.add_termination_listener(lambda _: self._is_pending.set())
        return connection

    async def _send_always(self, connection: asyncpg.Connection) -> None:
        """Send all pending messages at once; meanwhile, the next batch collects."""
        while not connection.is_closed():
            await self._is_pending.wait()
            self._is_pending.clear()
            pending, self._pending = list(self._pending), {}
            if pending:
                statement = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
                await connection.execute(statement, _CHANNEL, self._payloads(pending))

    def _payloads(self, messages: list[bytes]) -> list[str]:
        """Messages packed into as few payloads as they fit in, each with the sender first."""
        payloads: list[str] = []
        packed: list[str] = [self._id]
        room = _MAX_PAYLOAD - len(self._id) - 10
        for message in messages:
            # Quotes within a message are escaped in the payload.
            size = len(message) + message.count(b'"') + message.count(b"\\") + 3
            if size > room and len(packed) > 1:
                payloads.append(orjson.dumps(packed).decode())
                packed, room = [self._id], _MAX_PAYLOAD - len(self._id) - 10
            if size <= _MAX_PAYLOAD - 50:
                packed.append(message.decode())
                room -= size
        return [*payloads, orjson.dumps(packed).decode()]


def fanout_of(settings: Settings) -> Fanout:
    """The channel between workers for these settings."""
    if settings.live_fanout == "none" or (settings.live_fanout == "auto" and settings.workers == 1):
        return NoFanout()
    return PostgresFanout(settings.direct_url())
