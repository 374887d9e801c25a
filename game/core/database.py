"""The database: one engine and one small pool for hot reads a worker, one transaction a request."""

import ssl
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
import orjson
from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from game.core.errors import Problem
from game.core.settings import Settings

CONNECT_SECONDS = 2.0
STATEMENT_SECONDS = 3.0
_POOL_WAIT_SECONDS = 1.5

_SERVER_SETTINGS = {
    "application_name": "worldkeep",
    "statement_timeout": str(int(STATEMENT_SECONDS * 1000)),
    "idle_in_transaction_session_timeout": "10000",
    # Statements here are short: compiling them costs more than it brings.
    "jit": "off",
}


def async_url(url: str) -> tuple[str, dict[str, Any]]:
    """A libpq URL as SQLAlchemy's asyncpg dialect takes it: the URL and the connect arguments.

    `sslmode` is libpq's; asyncpg takes it as `ssl`.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    arguments: dict[str, Any] = {}
    if mode := query.pop("sslmode", None):
        arguments["ssl"] = False if mode == "disable" else mode
        if mode == "verify-full" and (root := query.pop("sslrootcert", None)):
            arguments["ssl"] = ssl.create_default_context(cafile=root)
    return urlunsplit(parts._replace(scheme="postgresql+asyncpg", query=urlencode(query))), arguments


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


async def _keep(connection: Any) -> None:
    """What the pool of hot reads does at release: nothing, for one statement leaves nothing to reset."""


class Database:
    """The connections of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url()
        url, arguments = async_url(self._url)
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=_POOL_WAIT_SECONDS,
            pool_pre_ping=True,
            json_serializer=_json_text,
            json_deserializer=orjson.loads,
            # The driver's messages may quote values; ours go to a log.
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": STATEMENT_SECONDS,
                "server_settings": _SERVER_SETTINGS,
                **arguments,
            },
        )
        self.session = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._hot_size = settings.hot_pool_size
        self._hot: asyncpg.Pool | None = None

    async def hot_pool(self) -> asyncpg.Pool:
        """The pool of the hot reads, made at first use."""
        if self._hot is None:
            self._hot = asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._hot_size,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                server_settings=_SERVER_SETTINGS,
                reset=_keep,
            )
            await self._hot
        return self._hot

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
        if self._hot is not None:
            self._hot.terminate()


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The transaction of a request: committed once, when the endpoint has returned and before the answer is sent.

    An error rolls it back, unless the error says that what was written is to stay (`Problem.commits`).
    """
    database: Database = request.app.state.database
    async with database.session() as session:
        try:
            yield session
        except Problem as problem:
            if problem.commits:
                await session.commit()
            raise
        await session.commit()


Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
