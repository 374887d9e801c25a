"""Edits of a map that arrive while others of it are being written are applied together, in one transaction.

Each is a separate event, and the map is read and written once for all of them.

A batch locks the map before Idempotency-Keys, other requests lock in the opposite order. So it does not wait for a
key: an edit whose key is locked is applied alone, outside the batch.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.batches import Batches, Job, Outcome
from game.core.errors import OutcomeUnknown, Problem, Unavailable, as_problem, is_database_away
from game.core.idempotency import Once
from game.editing.opened import OpenMap
from game.maps import queries as maps
from game.maps.models import Map


class EditJob(Job):
    """A request to edit a map: the user, and the function that changes the open map."""

    def __init__(self, user: User, once: Once, act: Callable[[OpenMap], Awaitable[Response]]) -> None:
        super().__init__()
        self.user, self.once, self.act = user, once, act


class EditBatches(Batches[EditJob]):
    """The edits of one worker, by map."""

    async def _run(
        self, session: AsyncSession, map_id: UUID, jobs: list[EditJob]
    ) -> list[tuple[EditJob, Outcome]]:
        outcomes: list[tuple[EditJob, Outcome]] = []
        row, refused = await _lock(session, map_id, jobs)
        opened = None if row is None else OpenMap(session, row)
        for job in jobs:
            if opened is None or job.user.id in refused:
                outcomes.append((job, refused[job.user.id]))
            elif await job.once.within(session).try_lock(job.user.id) and job.begin():
                try:
                    outcomes.append((job, await _act(session, opened, job)))
                except Problem as problem:
                    outcomes.append((job, problem))
        if opened:
            await opened.store()
        return outcomes

    async def _transact(self, map_id: UUID, jobs: list[EditJob]) -> None:
        await super()._transact(map_id, jobs)
        for job in jobs:
            if not job.answer.done():
                # Its key is locked.
                self._start(self._apply_alone(map_id, job))

    async def _apply_alone(self, map_id: UUID, job: EditJob) -> None:
        """Apply a job in a separate transaction, which locks its key before the map."""
        try:
            async with self._database.session() as session:
                async with asyncio.timeout(self._seconds):
                    response = await _act_alone(session, map_id, job)
                try:
                    await session.commit()
                except Exception as error:
                    raise OutcomeUnknown if is_database_away(error) else error from None
            job.resolve(response)
        except Exception as error:
            job.resolve(as_problem(error) or error)
        finally:
            job.give_up()


async def _lock(
    session: AsyncSession, map_id: UUID, jobs: list[EditJob]
) -> tuple[Map | None, dict[UUID, Problem]]:
    """Lock a map for the users of jobs; returns the row, if one of them may edit it, and the errors of those who
    may not."""
    row: Map | None = None
    refused: dict[UUID, Problem] = {}
    for user in {job.user.id: job.user for job in jobs}.values():
        try:
            row = (await maps.get_to_change(session, user, map_id, "editMap")).row
        except Problem as problem:
            refused[user.id] = problem
    return row, refused


async def _act(session: AsyncSession, opened: OpenMap, job: EditJob) -> Response:
    """Apply a job whose user may edit the map, which is locked."""

    async def checked(_: Response) -> None:
        pass

    # If a job is rejected, the savepoint releases its key.
    async with session.begin_nested() if job.once.has_key else nullcontext():
        return await job.once.within(session)(job.user.id, lambda: job.act(opened), check=checked)


async def _act_alone(session: AsyncSession, map_id: UUID, job: EditJob) -> Response:
    """Lock a job's key, then the map, and apply the job to it."""

    async def act() -> Response:
        opened = OpenMap(session, (await maps.get_to_change(session, job.user, map_id, "editMap")).row)
        if not job.begin():
            raise Unavailable
        response = await job.act(opened)
        await opened.store()
        return response

    once = job.once.within(session)
    return await once(
        job.user.id, act, check=lambda _: maps.get(session, job.user, map_id, "editMap", with_grid=False)
    )
