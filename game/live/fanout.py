"""Messages between workers: each worker receives what the others publish.

Delivery is not guaranteed, and no code relies on it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

import asyncpg

from game.core.settings import Settings

Receive = Callable[[bytes], None]
"""Called with each message that another worker publishes."""

_CHANNEL = "worldkeep_live_2"
"""The number is that of the messages' format: workers of another version, as during a deployment, get none."""
_MAX_PAYLOAD = 7_900
"""Bytes; PostgreSQL allows less than 8,000."""
_MAX_PENDING = 20_000
_MAX_WAIT = 1.0
_PAUSE_SECONDS = 0.01
"""The time after a batch in which messages are collected for the next one. Each batch is a transaction that wakes
every worker, so under load its cost would be a tenth of that of an edit."""
_CONNECT_SECONDS, _STATEMENT_SECONDS = 2.0, 3.0


class Fanout(Protocol):
    """A channel between workers."""

    async def start(self, receive: Receive) -> None:
        """Call `receive` with the messages of other workers from now on, never with this worker's own."""

    def publish(self, message: bytes) -> None:
        """Send a short message without line breaks to the other workers, without waiting."""

    async def close(self) -> None:
        """Stop."""


class NoFanout:
    """For a single worker."""

    async def start(self, receive: Receive) -> None:
        """There is no other worker."""

    def publish(self, message: bytes) -> None:
        """There is no other worker."""

    async def close(self) -> None:
        """Nothing was started."""


class PostgresFanout:
    """Batches of NOTIFY on a separate connection. In the transactions that write, NOTIFY would serialize commits.

    `url` must be a direct connection, because PgBouncer does not support LISTEN.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._id = uuid4().hex
        # An ordered set: of equal messages, such as hints about a universe, only the last is sent.
        self._pending: dict[bytes, None] = {}
        self._is_pending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, receive: Receive) -> None:
        """Connect, and reconnect whenever the connection is lost."""
        self._task = asyncio.create_task(self._stay_connected(receive))

    def publish(self, message: bytes) -> None:
        """Send a message with the next batch; it is dropped if too many are waiting for the database."""
        self._pending.pop(message, None)
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
            # Lost messages are acceptable, because rooms also check the log at intervals.
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await self._connect(receive)
                wait = 0.05
                try:
                    await self._send_batches(connection)
                finally:
                    connection.terminate()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _MAX_WAIT)

    async def _connect(self, receive: Receive) -> asyncpg.Connection:
        def take(_: object, __: int, ___: str, payload: object) -> None:
            sender, *messages = str(payload).split("\n")
            if sender != self._id:
                for message in messages:
                    receive(message.encode())

        connection = await asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
            # A crash may lose notifications, so commits need not wait for the disk.
            server_settings={"application_name": "worldkeep live", "synchronous_commit": "off"},
        )
        await connection.add_listener(_CHANNEL, take)
        connection.add_termination_listener(lambda _: self._is_pending.set())
        return connection

    async def _send_batches(self, connection: asyncpg.Connection) -> None:
        """Send all pending messages as one batch, again and again; after a quiet time, the first one at once."""
        while not connection.is_closed():
            await self._is_pending.wait()
            self._is_pending.clear()
            pending, self._pending = list(self._pending), {}
            if pending:
                statement = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
                await connection.execute(statement, _CHANNEL, self._payloads(pending))
                await asyncio.sleep(_PAUSE_SECONDS)

    def _payloads(self, messages: list[bytes]) -> list[str]:
        """Pack messages into as few payloads as possible: lines, the first of which is the sender's id."""
        payloads: list[str] = []
        packed, room = [self._id], _MAX_PAYLOAD - len(self._id)
        for message in messages:
            size = 1 + len(message)
            if size > room and len(packed) > 1:
                payloads.append("\n".join(packed))
                packed, room = [self._id], _MAX_PAYLOAD - len(self._id)
            if size <= room:
                packed.append(message.decode())
                room -= size
        return [*payloads, "\n".join(packed)]


def fanout_of(settings: Settings) -> Fanout:
    """The channel between workers that the settings select."""
    if settings.live_fanout == "none" or (settings.live_fanout == "auto" and settings.workers == 1):
        return NoFanout()
    return PostgresFanout(settings.direct_url())
