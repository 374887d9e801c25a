"""Rate limits that hold across workers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from game.core.errors import TooManyRequests
from game.core.limits import Limiter, Rate, client_limits


class TestRate:
    @pytest.mark.parametrize(
        ("text", "rate"),
        [
            ("10/minute", Rate(10, 60)),
            ("1/second", Rate(1, 1)),
            ("5/hours", Rate(5, 3600)),
            ("100 / day", Rate(100, 86_400)),
            ("3/15minutes", Rate(3, 900)),
            ("3/15 minutes", Rate(3, 900)),
        ],
    )
    def test_parse(self, text: str, rate: Rate) -> None:
        assert Rate.parse(text) == rate

    @pytest.mark.parametrize(
        "text",
        [
            *("", "10", "minute", "10/", "/minute", "0/minute", "-1/minute", "1.5/minute", "10/week"),
            *("10 per minute", "1/minute/2", "1000000000/day", "10/0minutes", "٣/minute", "1/minute; 2/hour"),
            "1/minute\n",
        ],
    )
    def test_refuse(self, text: str) -> None:
        with pytest.raises(ValueError, match="10/minute"):
            Rate.parse(text)

    @given(st.integers(1, 999_999), st.integers(1, 999_999), st.sampled_from(["second", "minute", "hour", "day"]))
    def test_whatever_is_written_is_read(self, times: int, units: int, unit: str) -> None:
        one = Rate.parse(f"1/{unit}").seconds
        assert Rate.parse(f"{times}/{units}{unit}s") == Rate(times, units * one)


NewLimiter = Callable[[], Awaitable[Limiter]]


@pytest.fixture
async def new_limiter(database_url: str) -> AsyncIterator[NewLimiter]:
    """Makes limiters, each with connections of its own, like another worker's."""
    pools = []

    async def make() -> Limiter:
        pool = await asyncpg.create_pool(database_url, min_size=0, max_size=3)
        pools.append(pool)

        async def get() -> asyncpg.Pool:
            return pool

        return Limiter(get)

    yield make
    for pool in pools:
        await pool.close()


@pytest.fixture
def key() -> str:
    return uuid4().hex


async def allows(limiter: Limiter, limits: dict[str, Rate]) -> bool:
    try:
        await limiter.count(limits)
    except TooManyRequests:
        return False
    return True


class TestCount:
    async def test_at_most_the_maximum(self, new_limiter: NewLimiter, key: str) -> None:
        limiter = await new_limiter()
        assert [await allows(limiter, {key: Rate(3, 60)}) for _ in range(5)] == [True, True, True, False, False]
        assert await allows(limiter, {key + "x": Rate(3, 60)})

    async def test_says_when_to_come_back(self, new_limiter: NewLimiter, key: str) -> None:
        limiter = await new_limiter()
        await limiter.count({key: Rate(1, 60), key + "x": Rate(1, 3600)})
        for limits, least, most in (
            ({key: Rate(1, 60)}, 50, 60),
            ({key: Rate(1, 60), key + "x": Rate(1, 3600)}, 3_500, 3_600),
        ):
            with pytest.raises(TooManyRequests) as refused:
                await limiter.count(limits)
            assert refused.value.status_code == 429
            assert refused.value.headers is not None
            assert least <= int(refused.value.headers["Retry-After"]) <= most

    async def test_holds_across_workers(self, new_limiter: NewLimiter, key: str) -> None:
        workers = [await new_limiter(), await new_limiter()]
        counted = [await allows(workers[number % 2], {key: Rate(4, 60)}) for number in range(6)]
        assert counted == [True] * 4 + [False] * 2

    async def test_holds_for_attempts_at_once(self, new_limiter: NewLimiter, key: str) -> None:
        workers = [await new_limiter(), await new_limiter()]
        counted = await asyncio.gather(*(allows(one, {key: Rate(7, 60)}) for one in workers for _ in range(20)))
        assert sum(counted) == 7

    async def test_a_window_ends(self, new_limiter: NewLimiter, key: str, database: asyncpg.Connection) -> None:
        limiter = await new_limiter()
        rate = {key: Rate(2, 60)}
        assert [await allows(limiter, rate) for _ in range(3)] == [True, True, False]
        await database.execute("UPDATE rate_limit SET expires_at = now() WHERE key = $1", key)
        assert [await allows(limiter, rate) for _ in range(3)] == [True, True, False]

    async def test_being_refused_does_not_move_the_end(
        self, new_limiter: NewLimiter, key: str, database: asyncpg.Connection
    ) -> None:
        limiter = await new_limiter()
        query = "SELECT expires_at FROM rate_limit WHERE key = $1"
        await limiter.count({key: Rate(1, 60)})
        end = await database.fetchval(query, key)
        assert not await allows(limiter, {key: Rate(1, 60)})
        assert await database.fetchval(query, key) == end

    @pytest.mark.parametrize("second", ["count", "refund"])
    async def test_keys_in_any_order_never_wait_for_each_other(
        self, new_limiter: NewLimiter, key: str, database: asyncpg.Connection, second: str
    ) -> None:
        """Two requests with the same keys, named in different orders, do not end in a deadlock."""
        limiter = await new_limiter()
        names = [f"{key}{mark}" for mark in ("B", "a", "b")]
        forth, back = dict.fromkeys(names, Rate(9, 60)), dict.fromkeys(reversed(names), Rate(9, 60))
        await limiter.count(forth)
        waiting = """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
        """
        async with database.transaction():
            await database.execute("SELECT FROM rate_limit WHERE key = $1 FOR UPDATE", names[1])
            one = asyncio.create_task(limiter.count(forth))
            two = asyncio.create_task(limiter.count(back) if second == "count" else limiter.refund(list(back)))
            async with asyncio.timeout(5):
                while await database.fetchval(waiting) < 2:
                    await asyncio.sleep(0.01)
                    await database.execute("SELECT pg_stat_clear_snapshot()")
        await asyncio.gather(one, two)


class Failed(Exception):
    """A guess was wrong."""


async def guess(limiter: Limiter, limits: dict[str, Rate], *, right: bool) -> str:
    try:
        async with limiter.guess(limits):
            if not right:
                raise Failed
    except Failed:
        return "wrong"
    except TooManyRequests:
        return "refused"
    return "right"


class TestGuess:
    async def test_only_failures_count(self, new_limiter: NewLimiter, key: str) -> None:
        limiter, limits = await new_limiter(), {key: Rate(2, 60), f"{key}-site": Rate(4, 60)}
        for _ in range(6):
            assert await guess(limiter, limits, right=True) == "right"
        results = [await guess(limiter, limits, right=False) for _ in range(3)]
        assert results == ["wrong", "wrong", "refused"]
        assert await guess(limiter, limits, right=True) == "refused"

    async def test_guesses_at_once(self, new_limiter: NewLimiter, key: str) -> None:
        """They cannot run past the limit together."""
        limiter = await new_limiter()
        results = await asyncio.gather(*(guess(limiter, {key: Rate(5, 60)}, right=False) for _ in range(20)))
        assert sorted(results) == ["refused"] * 15 + ["wrong"] * 5


class TestClientLimits:
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("198.51.100.1", {"code:198.51.100.1": 3}),
            ("::ffff:198.51.100.1", {"code:198.51.100.1": 3}),
            ("2001:db8:1:2::9", {"code:2001:db8:1:2::/64": 3, "code:2001:db8:1::/56": 6}),
            ("2001:db8:1:2ff::9", {"code:2001:db8:1:2ff::/64": 3, "code:2001:db8:1:200::/56": 6}),
            ("fe80::1%eth0", {"code:fe80::/64": 3, "code:fe80::/56": 6}),
            ("", {"code:": 3}),
            ("x" * 300, {f"code:{'x' * 45}": 3}),
        ],
    )
    def test_keys(self, host: str, expected: dict[str, int]) -> None:
        request = Request({"type": "http", "client": (host, 1) if host else None, "headers": []})
        limits = client_limits(request, "code", Rate(3, 60))
        assert limits == {key: Rate(times, 60) for key, times in expected.items()}
        of = client_limits(request, "code", Rate(3, 60), of="what")
        assert list(of) == [f"{key}:what" for key in expected]


class TestRefund:
    async def test_one_attempt(self, new_limiter: NewLimiter, key: str) -> None:
        limiter = await new_limiter()
        for _ in range(10):
            assert await allows(limiter, {key: Rate(2, 60)})
            await limiter.refund([key])
        assert [await allows(limiter, {key: Rate(2, 60)}) for _ in range(3)] == [True, True, False]

    async def test_never_more_than_there_were(self, new_limiter: NewLimiter, key: str) -> None:
        limiter = await new_limiter()
        await limiter.refund([key])
        await limiter.count({key: Rate(2, 60)})
        for _ in range(5):
            await limiter.refund([key])
        assert [await allows(limiter, {key: Rate(2, 60)}) for _ in range(3)] == [True, True, False]
