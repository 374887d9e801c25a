"""Rolls in a universe that arrive while other rolls in it are being written are written together, in one
transaction.

Each is a separate event. Rolls with an Idempotency-Key are not batched, because their key is locked before the
universe.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.batches import Batches, Job, Outcome
from game.core.errors import Problem
from game.universes import access
from game.universes.access import Access


class RollJob(Job):
    """One roll: the roller, and the function to call when the universe is locked."""

    def __init__(self, user: User, roll: Callable[[AsyncSession, Access], Awaitable[Response]]) -> None:
        super().__init__()
        self.user, self.roll = user, roll


class RollBatches(Batches[RollJob]):
    """The rolls of one worker, by universe."""

    async def _run(
        self, session: AsyncSession, universe_id: UUID, jobs: list[RollJob]
    ) -> list[tuple[RollJob, Outcome]]:
        callers = await _lock(session, universe_id, jobs)
        return [(job, await _roll(session, callers[job.user.id], job)) for job in jobs if job.begin()]


async def _lock(session: AsyncSession, universe_id: UUID, jobs: list[RollJob]) -> dict[UUID, Access | Problem]:
    """Lock a universe for the users of jobs; returns the access of each, or the error for those who may not
    roll."""
    callers: dict[UUID, Access | Problem] = {}
    for user in {job.user.id: job.user for job in jobs}.values():
        try:
            callers[user.id] = (await access.lock(session, user, {universe_id: "createRoll"}))[universe_id]
        except Problem as problem:
            callers[user.id] = problem
    return callers


async def _roll(session: AsyncSession, caller: Access | Problem, job: RollJob) -> Outcome:
    """The response to a roll; a rejected roll has written nothing."""
    if isinstance(caller, Problem):
        return caller
    try:
        return await job.roll(session, caller)
    except Problem as problem:
        return problem
