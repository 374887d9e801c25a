"""The database: a worker's connections for requests, for hot reads and for limits; one transaction per request."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
import orjson
from fastapi import Depends, Request
from sqlalchemy import event, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_only

from game.core.coalescer import HotStatement, Reads
from game.core.errors import OutcomeUnknown, Problem, is_database_away
from game.core.fair_semaphore import FairSemaphore
from game.core.settings import Settings

# Each wait is shorter than a request's time limit, so that the request can still answer with the error.
_CONNECT, _HOT_CONNECT, _STATEMENT, _POOL_WAIT, _IDLE = 1 / 2, 3 / 8, 3 / 4, 3 / 8, 5 / 2
_SIDE_POOL = 2
_LIVE_FEED = 4
"""Connections of the live feed: two for new events, one for a map in a transaction, and one to notify other
workers."""
_OTHERS = _SIDE_POOL + _LIVE_FEED
_READING_METHODS = ("GET", "HEAD", "OPTIONS")
_SHARE = 3
"""A user has at most one of this many connections of the pool."""

USER: ContextVar[UUID | None] = ContextVar("user", default=None)
"""The user whose request this is, for their share of the pool."""


class _FairPool(AsyncAdaptedQueuePool):
    """A pool whose connections are shared out among the users.

    Requests that wait for a lock hold their connections meanwhile. Without shares, one user who sends many writes
    to one universe would keep everybody from all others.
    """

    def __init__(self, creator: Callable[..., Any], pool_size: int = 5, **options: Any) -> None:
        super().__init__(creator, pool_size, **options)
        self._holders: dict[ConnectionPoolEntry, UUID] = {}
        share = max(1, pool_size // _SHARE)
        self._slots = FairSemaphore(
            pool_size, share, waiting=sys.maxsize, waiting_per_user=sys.maxsize, wait_seconds=self.timeout()
        )

    def _do_get(self) -> ConnectionPoolEntry:
        # Without a user, each request has its own share.
        user_id = USER.get() or uuid4()
        await_only(self._slots.acquire(user_id))
        try:
            entry = super()._do_get()
        except BaseException:
            self._slots.release(user_id)
            raise
        self._holders[entry] = user_id
        return entry

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        user_id = self._holders.pop(record)
        super()._do_return_conn(record)
        self._slots.release(user_id)


def connection_options(request_timeout: float) -> dict[str, Any]:
    """The options of asyncpg for requests with a time limit in seconds."""
    return {
        "timeout": request_timeout * _CONNECT,
        "command_timeout": request_timeout * _STATEMENT,
        "server_settings": {
            "application_name": "worldkeep",
            "statement_timeout": str(int(request_timeout * _STATEMENT * 1000)),
            "idle_in_transaction_session_timeout": str(int(request_timeout * _IDLE * 1000)),
            # Statements are short: JIT compilation costs more than it saves.
            "jit": "off",
        },
    }


def hot_connection_options(request_timeout: float) -> dict[str, Any]:
    """The options of asyncpg for hot statements."""
    options = connection_options(request_timeout)
    return {
        **options,
        # Together with the time limit of a statement, this is less than the time limit of a request.
        "timeout": request_timeout * _HOT_CONNECT,
        "server_settings": {
            **options["server_settings"],
            # A hot statement looks up a few rows by index. One plan serves every batch, the same whether there are
            # a hundred universes or a million.
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
        },
    }


def connections_of_a_worker(settings: Settings) -> int:
    """The maximum number of connections of one worker."""
    return settings.database_pool_size + settings.hot_pool_size + settings.hot_write_pool_size + _OTHERS


def engine(url: str, **options: Any) -> AsyncEngine:
    """An engine for a libpq URL, which asyncpg parses, because SQLAlchemy supports only some of its options.

    `options` are SQLAlchemy's, and `connect_args` asyncpg's.
    """
    arguments = options.pop("connect_args", {})
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url, **arguments), **options
    )


_ALLOW_IDLE = text("SELECT set_config('idle_in_transaction_session_timeout', :milliseconds, true)")


async def allow_idle(session: AsyncSession, seconds: float) -> None:
    """Allow this transaction to be idle for this time, while something is computed between two statements."""
    await session.execute(_ALLOW_IDLE, {"milliseconds": str(int(seconds * 1000))})


_SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


async def snapshot(session: AsyncSession) -> None:
    """Begin a new transaction that reads from one snapshot of the database."""
    await session.close()
    await session.execute(_SNAPSHOT)


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _check_open(connection: Any, *_: Any) -> None:
    """Let the pool replace connections that the database has closed, as it does when it restarts.

    The pool's own check, `pool_pre_ping`, takes three round trips.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


async def _no_reset(connection: Any) -> None:
    """Does not reset a connection of the side pool, because a single statement leaves nothing to reset."""


class _OneMoment:
    """Executes each hot statement by itself, in the transaction of a connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    def fetch(self, statement: HotStatement, *parameters: Any) -> Awaitable[asyncpg.Record | None]:
        return self._connection.fetchrow(statement.sql, *([one] for one in parameters))


class Database:
    """The connections of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url()
        self._options = connection_options(settings.request_timeout)
        self._hot_options = hot_connection_options(settings.request_timeout)
        self.engine = engine(
            self._url,
            poolclass=_FairPool,
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=settings.request_timeout * _POOL_WAIT,
            json_serializer=_json_text,
            json_deserializer=orjson.loads,
            # Messages of the driver may quote values, and would be logged.
            hide_parameters=True,
            connect_args=self._options,
        )
        event.listen(self.engine.sync_engine, "checkout", _check_open)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._side: asyncpg.Pool | None = None
        self._one_moment = asyncio.Lock()

    async def side_pool(self) -> asyncpg.Pool:
        """A small pool for statements outside a request's transaction, created on first use."""
        if self._side is None:
            self._side = asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=_SIDE_POOL,
                reset=_no_reset,
                **self._options,
            )
            await self._side
        return self._side

    async def hot_connection(self) -> asyncpg.Connection:
        """A connection for hot reads only."""
        return await asyncpg.connect(self._url, **self._hot_options)

    @asynccontextmanager
    async def one_moment(self) -> AsyncIterator[Reads]:
        """Reads hot statements in one transaction: all of them from the same snapshot of the database."""
        async with self._one_moment:
            connection = await self.hot_connection()
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    yield _OneMoment(connection)
            finally:
                connection.terminate()

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
        if self._side is not None:
            self._side.terminate()


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The transaction of a request: committed once, after the endpoint has returned and before the response is
    sent.

    An error rolls it back, unless the error says that the writes are to be kept (`Problem.commits`).
    """
    database: Database = request.app.state.database
    async with database.session() as session:
        try:
            yield session
        except Problem as problem:
            if problem.commits:
                await session.commit()
            raise
        await _commit(request, session)


async def _commit(request: Request, session: AsyncSession) -> None:
    """Commit what a request has written.

    Raises:
        OutcomeUnknown: the connection was lost, or the time limit was reached, during the commit.
    """
    try:
        await session.commit()
    except (Exception, asyncio.CancelledError) as error:
        is_lost = isinstance(error, asyncio.CancelledError) or is_database_away(error)
        if is_lost and request.method not in _READING_METHODS:
            raise OutcomeUnknown from error
        raise


Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
