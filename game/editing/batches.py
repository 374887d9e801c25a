"""Batches edits: those that arrive while other edits of the same map are being written share one transaction.

Each edit is a separate event, applied or rejected by itself, in the order of arrival. But the map is locked, read
and written once for all of them, and they hold no connection while they wait.

A batch locks the map before Idempotency-Keys, other requests lock in the opposite order. So it does not wait for a
key: an edit whose key is locked is applied alone, outside the batch.

    requests  --apply()-->  waiting, by map  --one task a map: lock, apply one by one, write, commit-->  answers
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.database import Database
from game.core.errors import OutcomeUnknown, Problem, Unavailable, as_problem, is_database_away
from game.core.idempotency import Once
from game.editing.opened import OpenMap
from game.maps import queries as maps
from game.maps.models import Map

_MAX_BATCH = 64


class Job:
    """A request for a map: the user, the function that changes the open map, and the response."""

    def __init__(self, user: User, once: Once, act: Callable[[OpenMap], Awaitable[Response]]) -> None:
        self.user, self.once, self.act = user, once, act
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.has_begun = False

    def begin(self) -> bool:
        """Mark the job as begun; returns False if it was abandoned, and its client knows that nothing was
        changed."""
        self.has_begun = not self.answer.done()
        return self.has_begun

    def give_up(self) -> None:
        """Fail because the server is stopping, unless there is already a response."""
        self.resolve(OutcomeUnknown() if self.has_begun else Unavailable("The server stops."))

    def resolve(self, outcome: Response | Exception) -> None:
        """Set the response, unless there already is one or the job was cancelled."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Batches:
    """The edits of one worker, by map. A batch gets at most `seconds` until its commit."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database, self._seconds = database, seconds
        self._waiting: dict[UUID, deque[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def apply(self, map_id: UUID, job: Job) -> Response:
        """The response of a job, which is applied together with others of its map.

        Raises:
            NotFound, Forbidden: its user may not edit the map.
            OutcomeUnknown: it was cancelled, or the database connection was lost, after it may have been applied.
            Problem: raised by the job.
        """
        waiting = self._waiting.get(map_id)
        if waiting is None:
            waiting = self._waiting[map_id] = deque()
            self._start(self._work(map_id, waiting))
        waiting.append(job)
        try:
            return await job.answer
        except asyncio.CancelledError:
            if job.has_begun:
                raise OutcomeUnknown from None
            raise

    async def close(self) -> None:
        """Cancel the running batches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, map_id: UUID, waiting: deque[Job]) -> None:
        """Apply the jobs of a map until none is waiting."""
        jobs: list[Job] = []
        try:
            while waiting:
                jobs = [waiting.popleft() for _ in range(min(len(waiting), _MAX_BATCH))]
                await self._apply_all(map_id, [job for job in jobs if not job.answer.done()])
                # The unanswered ones are applied by separate tasks.
                jobs = []
        finally:
            # No job is added after the map is removed here; there are waiting jobs only if the server is stopping.
            del self._waiting[map_id]
            for job in (*jobs, *waiting):
                job.give_up()

    async def _apply_all(self, map_id: UUID, jobs: list[Job]) -> None:
        """Apply jobs in one transaction or, if the database refuses that because of one of them, each in a
        separate one."""
        try:
            await self._transact(map_id, jobs)
        except Exception as error:
            if len(jobs) == 1 or is_database_away(error):
                problem = as_problem(error)
                for job in jobs:
                    job.resolve(problem or error)
            else:
                for job in jobs:
                    await self._apply_all(map_id, [job])

    async def _transact(self, map_id: UUID, jobs: list[Job]) -> None:
        outcomes: list[tuple[Job, Response | Problem]] = []
        busy: list[Job] = []
        async with self._database.session() as session:
            async with asyncio.timeout(self._seconds):
                row, refused = await _lock(session, map_id, jobs)
                opened = None if row is None else OpenMap(session, row)
                for job in jobs:
                    if opened is None or job.user.id in refused:
                        outcomes.append((job, refused[job.user.id]))
                        continue
                    if not await job.once.within(session).try_lock(job.user.id):
                        busy.append(job)
                        continue
                    if not job.begin():
                        continue
                    try:
                        outcomes.append((job, await _act(session, opened, job)))
                    except Problem as problem:
                        outcomes.append((job, problem))
                if opened:
                    await opened.store()
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
        for job in busy:
            self._start(self._apply_alone(map_id, job))

    async def _apply_alone(self, map_id: UUID, job: Job) -> None:
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


async def _lock(session: AsyncSession, map_id: UUID, jobs: list[Job]) -> tuple[Map | None, dict[UUID, Problem]]:
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


async def _act(session: AsyncSession, opened: OpenMap, job: Job) -> Response:
    """Apply a job whose user may edit the map, which is locked."""

    async def checked(_: Response) -> None:
        pass

    # If a job is rejected, the savepoint releases its key.
    async with session.begin_nested() if job.once.has_key else nullcontext():
        return await job.once.within(session)(job.user.id, lambda: job.act(opened), check=checked)


async def _act_alone(session: AsyncSession, map_id: UUID, job: Job) -> Response:
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
