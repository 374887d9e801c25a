"""Makes the smaller versions of pictures in the background, after the upload.

Every worker looks for pictures to process when it is woken, and at intervals. A picture is claimed for a limited
time: if its worker crashes, another one claims it. After several attempts, its state is `failed`.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.assets.models import PictureFile, State
from game.assets.pictures import PictureError
from game.assets.scaling import Scaled, scale
from game.core.compute import Compute, TooLarge
from game.core.database import Database
from game.core.errors import Unavailable
from game.universes import quotas
from game.universes.models import Universe
from game.universes.quotas import QuotaExceeded

log = structlog.get_logger()

MAX_ATTEMPTS = 3
_INTERVAL_SECONDS = 20
_SECONDS = 30
"""The time limit for one picture."""

_CLAIM = text("""
    UPDATE picture p SET attempts = p.attempts + 1, claimed_until = now() + interval '90 seconds'
    FROM (
        SELECT universe_id, sha256 FROM picture
        WHERE state = 'processing' AND (claimed_until IS NULL OR claimed_until < now())
        ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) next
    WHERE p.universe_id = next.universe_id AND p.sha256 = next.sha256
    RETURNING p.universe_id, p.sha256, p.attempts
""")
_UNCLAIM = text("""
    UPDATE picture SET attempts = attempts - 1, claimed_until = now() + interval '5 seconds'
    WHERE universe_id = :universe_id AND sha256 = :sha256 AND state = 'processing'
""")
_ORIGINAL = text("""
    SELECT data FROM picture_file
    WHERE universe_id = :universe_id AND sha256 = :sha256 AND variant = 'original'
""")
_FINISH = text("""
    UPDATE picture SET state = :state, claimed_until = NULL
    WHERE universe_id = :universe_id AND sha256 = :sha256 AND state = 'processing'
""")


class Processing:
    """A worker's background task that makes smaller versions of pictures."""

    def __init__(self, database: Database, compute: Compute) -> None:
        self._database, self._compute = database, compute
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Wake the task; call this after the transaction that stored new pictures."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Process pictures while the context is open."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                # A random interval, so that the workers do not run at the same time.
                async with asyncio.timeout(_INTERVAL_SECONDS * random.uniform(0.5, 1.5)):  # noqa: S311 - no secret
                    await self._woken.wait()
            self._woken.clear()
            try:
                while await self.process_next():
                    pass
            except Exception as error:
                log.warning("processing_failed", error=type(error).__name__)

    async def process_next(self) -> bool:
        """Process one picture; returns False if none is waiting, or no process is free."""
        async with self._database.session() as session, session.begin():
            claimed = (await session.execute(_CLAIM)).one_or_none()
            if claimed is None:
                return False
            picture_key = {"universe_id": claimed.universe_id, "sha256": claimed.sha256}
            data = (await session.execute(_ORIGINAL, picture_key)).scalar()
        if data is None or claimed.attempts > MAX_ATTEMPTS:
            await self._finish(picture_key, None)
            return True
        try:
            async with self._compute.slots.slot(claimed.universe_id):
                scaled = await self._compute.run(scale, data, seconds=_SECONDS)
        except Unavailable:
            async with self._database.session() as session, session.begin():
                await session.execute(_UNCLAIM, picture_key)
            return False
        except (PictureError, TooLarge, TimeoutError):
            scaled = None
        await self._finish(picture_key, scaled)
        return True

    async def _finish(self, picture_key: dict[str, Any], scaled: list[Scaled] | None) -> None:
        """Store the smaller versions; None: the picture has failed."""
        async with self._database.session() as session, session.begin():
            if scaled is None or not await _store(session, picture_key, scaled):
                await session.execute(_FINISH, {**picture_key, "state": State.failed})


async def _store(session: AsyncSession, picture_key: dict[str, Any], scaled: list[Scaled]) -> bool:
    """Store smaller versions of a picture, if it still exists; returns False if the quota is exceeded."""
    universe_id: UUID = picture_key["universe_id"]
    # The universe is locked first, as in every write.
    universe = await session.get(Universe, universe_id, with_for_update={"key_share": True})
    if universe is None:
        return True
    try:
        await quotas.add_assets(session, universe, sum(len(one.data) for one in scaled))
    except QuotaExceeded:
        return False
    done = await session.execute(_FINISH, {**picture_key, "state": State.ready})
    if done.rowcount:  # type: ignore[attr-defined]  # the result of an UPDATE has it
        session.add_all(PictureFile(**picture_key, **one._asdict()) for one in scaled)
    else:
        # It was deleted meanwhile.
        await quotas.add_assets(session, universe, -sum(len(one.data) for one in scaled))
    return True
