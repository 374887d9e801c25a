"""Rate limits that hold across workers: counters in PostgreSQL, one row for each key and window of time."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

import asyncpg
from sqlmodel import Field, SQLModel

from game.core.errors import TooManyRequests
from game.core.models import instant

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Rate(NamedTuple):
    """So many times in so many seconds."""

    times: int
    seconds: int

    @classmethod
    def parse(cls, value: str) -> "Rate":
        """`10/minute` as a rate.

        Raises:
            ValueError: it is not written so.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{0,6})(second|minute|hour|day)s?", value.replace(" ", ""))
        times, units = (int(match[1]), int(match[2] or 1)) if match else (0, 0)
        if not match or not times or not units:
            raise ValueError("a limit is written as a number, a slash and a time: 10/minute, 5/hour")
        return cls(times, units * _SECONDS[match[3]])

    def __str__(self) -> str:
        """The rate as `parse` reads it."""
        word, seconds = next(pair for pair in reversed(_SECONDS.items()) if self.seconds % pair[1] == 0)
        units = self.seconds // seconds
        return f"{self.times}/{units if units > 1 else ''}{word}"


class RateLimit(SQLModel, table=True):
    """How often something happened in a window of time."""

    __tablename__ = "rate_limit"

    key: str = Field(primary_key=True, max_length=200)
    count: int
    expires_at: datetime = instant(index=True)


_COUNT = """
    INSERT INTO rate_limit AS r (key, count, expires_at)
    SELECT key, 1, now() + make_interval(secs => seconds) FROM unnest($1::text[], $2::int[]) AS q (key, seconds)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN r.expires_at <= now() THEN 1 ELSE r.count + 1 END,
        expires_at = CASE WHEN r.expires_at <= now() THEN excluded.expires_at ELSE r.expires_at END
    RETURNING key, count, ceil(extract(epoch FROM expires_at - now()))::int AS seconds
"""
_GIVE_BACK = """
    WITH held AS (
        SELECT key FROM rate_limit WHERE key = ANY($1::text[]) ORDER BY key COLLATE "C" FOR UPDATE
    )
    UPDATE rate_limit r SET count = greatest(count - 1, 0) FROM held WHERE r.key = held.key
"""


class Limiter:
    """Counts in a statement of its own, so that a refused or failed request counts too.

    It has connections other than the request's: a request never holds one while it waits for another of the
    same pool.
    """

    def __init__(self, pool: Callable[[], Awaitable[asyncpg.Pool]]) -> None:
        self._pool = pool

    async def count(self, limits: dict[str, Rate]) -> None:
        """Count one attempt under each key.

        Raises:
            TooManyRequests: one of the keys has had its number; says after how many seconds to come back.
        """
        # In one order everywhere, so that two requests cannot wait for each other's rows.
        keys = sorted(limits)
        pool = await self._pool()
        rows = await pool.fetch(_COUNT, keys, [limits[key].seconds for key in keys])
        waits = [max(row["seconds"], 1) for row in rows if row["count"] > limits[row["key"]].times]
        if waits:
            raise TooManyRequests(max(waits))

    async def give_back(self, keys: list[str]) -> None:
        """Take one attempt back: it was a good one."""
        await (await self._pool()).execute(_GIVE_BACK, keys)
