"""Deletes expired rows: idempotency keys, rate limit counters and sessions."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from sqlalchemy import text

from game.core.database import Database

log = structlog.get_logger()

_INTERVAL_SECONDS = 600
_BATCH = 5000
_LOCK = 7_236_041
_TABLES = ("idempotency_key", "rate_limit", "auth_session")


async def delete_expired(database: Database) -> int:
    """Delete a batch of expired rows of each table, unless another worker does; returns their number."""
    count = 0
    async with database.engine.begin() as connection:
        if not await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}):
            return 0
        for table in _TABLES:
            result = await connection.execute(
                text(
                    f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("
                    f"SELECT ctid FROM {table} WHERE expires_at <= now() LIMIT {_BATCH}))"
                )
            )
            count += result.rowcount
    return count


@asynccontextmanager
async def housekeeping(database: Database, *jobs: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Delete expired rows, and run `more`, at regular intervals while the context is open."""

    async def work() -> None:
        while True:
            # A random interval, so that the workers do not run at the same time.
            await asyncio.sleep(_INTERVAL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            try:
                while await delete_expired(database) >= _BATCH:
                    pass
                for job in jobs:
                    await job()
            except Exception as error:
                log.warning("housekeeping_failed", error=type(error).__name__)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
