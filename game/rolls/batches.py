"""Rolls in a universe that arrive while other rolls in it are being written are written together, in one
transaction.

Each is a separate event, and is refused separately. But the universe is locked once for all of them, one commit
reaches the disk, and they hold no connection while they wait. Rolls with an Idempotency-Key are not batched,
because their key is locked before the universe.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.errors import OutcomeUnknown, Problem, is_database_away
from game.core.idempotency import Once
from game.editing.batches import Batches, Job
from game.universes import access
from game.universes.access import Access

Act = Callable[[AsyncSession, Access], Awaitable[Response]]


class RollJob(Job):
    """One roll: the roller, and the function to call when the universe is locked."""

    def __init__(self, user: User, once: Once, roll: Act) -> None:
        super().__init__(user, once, _not_of_a_map)
        self.roll = roll


async def _not_of_a_map(_: Any) -> Response:
    raise NotImplementedError


class RollBatches(Batches):
    """The rolls of one worker, by universe."""

    async def _transact(self, universe_id: UUID, jobs: Sequence[RollJob]) -> None:  # type: ignore[override]  # of its own jobs
        outcomes: list[tuple[RollJob, Response | Problem]] = []
        async with self._database.session() as session:
            async with asyncio.timeout(self._seconds):
                homes = await _lock(session, universe_id, jobs)
                for job in jobs:
                    if job.begin():
                        outcomes.append((job, await _roll(session, homes[job.user.id], job)))
            try:
                await session.commit()
            except Exception as error:
                if not is_database_away(error):
                    raise
                for job, outcome in outcomes:
                    job.resolve(outcome if isinstance(outcome, Problem) else OutcomeUnknown())
                return
        for job, outcome in outcomes:
            job.resolve(outcome)


async def _lock(session: AsyncSession, universe_id: UUID, jobs: Sequence[RollJob]) -> dict[UUID, Access | Problem]:
    """Lock a universe for the users of jobs; returns the access of each, or the error for those who may not
    roll."""
    homes: dict[UUID, Access | Problem] = {}
    for user in {job.user.id: job.user for job in jobs}.values():
        try:
            homes[user.id] = (await access.lock(session, user, {universe_id: "createRoll"}))[universe_id]
        except Problem as problem:
            homes[user.id] = problem
    return homes


async def _roll(session: AsyncSession, caller: Access | Problem, job: RollJob) -> Response | Problem:
    """The response to a roll; a rejected roll has written nothing."""
    if isinstance(caller, Problem):
        return caller
    try:
        return await job.roll(session, caller)
    except Problem as problem:
        return problem
