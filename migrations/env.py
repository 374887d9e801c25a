"""Alembic's environment: one migration at a time, on a direct connection."""

import asyncio
from typing import Any

import asyncpg
from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

import game.main  # noqa: F401 - brings in every table
from game.core.database import engine
from game.core.settings import Settings

_LOCK = 7_236_040
_TRIES = 20


def _render(kind: str, item: object, autogenerate: Any) -> str | bool:
    """Render SQLModel's types and ours as SQLAlchemy's, so that migrations do not depend on them."""
    if kind == "type" and type(item).__name__ == "AutoString":
        length = getattr(item, "length", None)
        return f"sa.String(length={length})" if length else "sa.String()"
    if kind == "type" and isinstance(item, JSONB):
        autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
        return "postgresql.JSONB()"
    return False


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_item=_render,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        # A second process waits, then finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # While it waits for a table's lock, all requests for that table wait behind it, so it gives up early.
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        context.run_migrations()


async def _connect_and_migrate() -> None:
    url = context.config.get_main_option("sqlalchemy.url") or Settings().url()
    direct = engine(url, poolclass=pool.NullPool, connect_args={"timeout": 10})
    for attempt in range(1, _TRIES + 1):
        try:
            async with direct.connect() as connection:
                await connection.run_sync(_migrate)
                await connection.commit()
            return
        except DBAPIError as error:
            cause = error.orig and error.orig.__cause__
            if not isinstance(cause, asyncpg.LockNotAvailableError) or attempt == _TRIES:
                raise
            await asyncio.sleep(1)


asyncio.run(_connect_and_migrate())
