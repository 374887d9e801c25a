"""Rate limits shared by all workers: counters in PostgreSQL, one row per key and time window."""

import ipaddress
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

import asyncpg
from fastapi import Request
from sqlmodel import Field, SQLModel

from game.core.errors import TooManyRequests
from game.core.models import timestamp_column

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Rate(NamedTuple):
    """At most `times` per `seconds`."""

    times: int
    seconds: int

    @classmethod
    def parse(cls, value: str) -> "Rate":
        """Parse a rate such as `10/minute`.

        Raises:
            ValueError: it is not a rate.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{0,6})(second|minute|hour|day)s?", value.replace(" ", ""))
        times, units = (int(match[1]), int(match[2] or 1)) if match else (0, 0)
        if not match or not times or not units:
            raise ValueError("a limit is written as a number, a slash and a time: 10/minute, 5/hour")
        return cls(times, units * _SECONDS[match[3]])

    def scaled(self, factor: int) -> "Rate":
        """`factor` times this rate."""
        return self._replace(times=self.times * factor)

    def __str__(self) -> str:
        """The rate in the form that `parse` reads."""
        word, seconds = next(pair for pair in reversed(_SECONDS.items()) if self.seconds % pair[1] == 0)
        units = self.seconds // seconds
        return f"{self.times}/{units if units > 1 else ''}{word}"


class RateLimit(SQLModel, table=True):
    """A counter of one key in its current time window."""

    __tablename__ = "rate_limit"

    key: str = Field(primary_key=True, max_length=200)
    count: int
    expires_at: datetime = timestamp_column(index=True)


_COUNT = """
    INSERT INTO rate_limit AS r (key, count, expires_at)
    SELECT key, 1, now() + make_interval(secs => seconds) FROM unnest($1::text[], $2::int[]) AS q (key, seconds)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN r.expires_at <= now() THEN 1 ELSE r.count + 1 END,
        expires_at = CASE WHEN r.expires_at <= now() THEN excluded.expires_at ELSE r.expires_at END
    RETURNING key, count, ceil(extract(epoch FROM expires_at - now()))::int AS seconds
"""
_REFUND = """
    WITH locked AS (
        SELECT key FROM rate_limit WHERE key = ANY($1::text[]) ORDER BY key COLLATE "C" FOR UPDATE
    )
    UPDATE rate_limit r SET count = greatest(count - 1, 0) FROM locked WHERE r.key = locked.key
"""


def client_limits(request: Request, purpose: str, rate: Rate, of: str = "") -> dict[str, Rate]:
    """The rate limits for the client of a request, for a Limiter.

    An IPv4 address is one client. IPv6 subscribers get a /64 or a /56: the /64 has the rate, and the /56, which
    would otherwise count as 256 clients, has twice that.

    Args:
        request: its client is counted; its address may come from a trusted proxy.
        purpose: what is counted, such as "login".
        rate: the limit.
        of: the target of the action, if each target has its own counter; must not be personal data, because it is
            stored.
    """
    host = request.client.host if request.client else ""
    suffix = f":{of}" if of else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return {f"{purpose}:{host[:45]}{suffix}": rate}
    if isinstance(address, ipaddress.IPv4Address):
        return {f"{purpose}:{host}{suffix}": rate}
    if address.ipv4_mapped:
        # A dual-stack socket reports IPv4 addresses like this.
        return {f"{purpose}:{address.ipv4_mapped}{suffix}": rate}
    subnet, site = (ipaddress.ip_network((int(address), bits), strict=False) for bits in (64, 56))
    return {f"{purpose}:{subnet}{suffix}": rate, f"{purpose}:{site}{suffix}": rate.scaled(2)}


class Limiter:
    """Counts outside the request's transaction, so that rejected and failed requests count, too.

    It uses a separate connection pool, so that no request holds a connection of a pool while it waits for another
    one of it.
    """

    def __init__(self, pool: Callable[[], Awaitable[asyncpg.Pool]]) -> None:
        self._pool = pool

    async def count(self, limits: dict[str, Rate]) -> None:
        """Count one attempt under each key.

        Raises:
            TooManyRequests: one of the keys has reached its limit; contains the number of seconds to wait.
        """
        # Always in the same order, so that two requests cannot deadlock.
        keys = sorted(limits)
        pool = await self._pool()
        rows = await pool.fetch(_COUNT, keys, [limits[key].seconds for key in keys])
        waits = [max(row["seconds"], 1) for row in rows if row["count"] > limits[row["key"]].times]
        if waits:
            raise TooManyRequests(max(waits))

    @asynccontextmanager
    async def guess(self, limits: dict[str, Rate]) -> AsyncIterator[None]:
        """Count only failures: an attempt is counted first, and subtracted if the block ends without an error.

        So concurrent guesses cannot exceed the limit.

        Raises:
            TooManyRequests: one of the keys has reached its limit; the block does not run.
        """
        await self.count(limits)
        yield
        await self.refund(list(limits))

    async def refund(self, keys: list[str]) -> None:
        """Undo the count of one attempt, because it succeeded."""
        await (await self._pool()).execute(_REFUND, keys)
