"""Fair shares of something limited."""

import asyncio
from uuid import UUID

import pytest

from game.core.errors import Unavailable
from game.core.fair_semaphore import FairSemaphore, TooMuchAtOnce

ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)


class TestFairSemaphore:
    async def _begin(self, slots: FairSemaphore, user: UUID, order: list[UUID], release: asyncio.Event) -> None:
        async with slots.slot(user):
            order.append(user)
            await release.wait()

    async def test_one_user_does_not_take_all(self) -> None:
        slots, release, order = FairSemaphore(2, 1), asyncio.Event(), []
        tasks = [asyncio.create_task(self._begin(slots, user, order, release)) for user in (ONE, ONE, ONE, TWO)]
        await asyncio.sleep(0.05)
        assert order == [ONE, TWO]
        release.set()
        await asyncio.gather(*tasks)
        assert order == [ONE, TWO, ONE, ONE]

    async def test_users_take_turns(self) -> None:
        slots, release, order = FairSemaphore(1, 1), asyncio.Event(), []
        users = (THREE, ONE, ONE, ONE, TWO, TWO)
        tasks = [asyncio.create_task(self._begin(slots, user, order, release)) for user in users]
        await asyncio.sleep(0.05)
        release.set()
        await asyncio.gather(*tasks)
        assert order == [THREE, ONE, TWO, ONE, TWO, ONE]

    async def test_refuses_a_user_with_too_many(self) -> None:
        slots, release, order = FairSemaphore(1, 1, waiting_per_user=2), asyncio.Event(), []
        tasks = [asyncio.create_task(self._begin(slots, ONE, order, release)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(TooMuchAtOnce) as refused:
            await self._begin(slots, ONE, order, release)
        assert refused.value.status_code == 429
        assert refused.value.headers == {"Retry-After": "2"}
        release.set()
        await asyncio.gather(*tasks, self._begin(slots, TWO, order, release))

    async def test_refuses_when_too_many_wait_or_for_too_long(self) -> None:
        slots, release, order = FairSemaphore(1, 1, waiting=1, wait_seconds=0.3), asyncio.Event(), []
        first = asyncio.create_task(self._begin(slots, ONE, order, release))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(self._begin(slots, TWO, order, release))
        await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await self._begin(slots, THREE, order, release)
        with pytest.raises(Unavailable, match="busy with other requests"):
            await second
        release.set()
        await first
        await self._begin(slots, THREE, order, release)
        assert order == [ONE, THREE]

    async def test_who_gives_up_waiting_leaves_the_turn_to_others(self) -> None:
        slots, release, order = FairSemaphore(1, 1), asyncio.Event(), []
        tasks = [asyncio.create_task(self._begin(slots, user, order, release)) for user in (ONE, TWO, THREE)]
        await asyncio.sleep(0.05)
        release.set()
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [ONE, THREE]
