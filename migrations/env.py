"""Alembic's environment: one migration at a time, on a direct connection."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import game.main  # noqa: F401 - brings in every table
from game.core.database import async_url
from game.core.settings import Settings

_LOCK = 7_236_040


def _render(kind: str, item: object, _: object) -> str | bool:
    """SQLModel's string type is SQLAlchemy's; migrations should not need SQLModel."""
    if kind == "type" and type(item).__name__ == "AutoString":
        length = getattr(item, "length", None)
        return f"sa.String(length={length})" if length else "sa.String()"
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
        # Whoever comes second waits, then finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # A migration must not make every request queue up behind it: better to fail, and be run again.
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()


async def _connect_and_migrate() -> None:
    url, arguments = async_url(context.config.get_main_option("sqlalchemy.url") or Settings().url())
    engine = create_async_engine(url, poolclass=pool.NullPool, connect_args={"timeout": 10, **arguments})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_connect_and_migrate())
