"""Batches requests: those that write to the same object and arrive while others are being written share one
transaction.

Each request succeeds or fails by itself, in the order of arrival. But the object is locked once, and there is one
commit for all of them, and they hold no connection while they wait.

    requests  --apply()-->  waiting, by object  --one task an object: lock, run one by one, commit-->  answers
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Coroutine
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.core.database import Database
from game.core.errors import OutcomeUnknown, Problem, Unavailable, as_problem, is_database_away

_MAX_BATCH = 64


class Job:
    """A request that waits for its turn, and its response."""

    def __init__(self) -> None:
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


AnyJob = TypeVar("AnyJob", bound=Job)
Outcome: TypeAlias = Response | Problem


class Batches(ABC, Generic[AnyJob]):
    """The waiting requests of one worker, by the id of the object that they write to. A batch gets at most
    `seconds` until its commit."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database, self._seconds = database, seconds
        self._waiting: dict[UUID, deque[AnyJob]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def apply(self, id: UUID, job: AnyJob) -> Response:
        """The response of a job, which is applied together with others for the same object.

        Raises:
            NotFound, Forbidden: its user may not write to the object.
            OutcomeUnknown: it was cancelled, or the database connection was lost, after it may have been applied.
            Problem: raised by the job.
        """
        waiting = self._waiting.get(id)
        if waiting is None:
            waiting = self._waiting[id] = deque()
            self._start(self._work(id, waiting))
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

    async def _work(self, id: UUID, waiting: deque[AnyJob]) -> None:
        """Apply the jobs for an object until none is waiting."""
        jobs: list[AnyJob] = []
        try:
            while waiting:
                jobs = [waiting.popleft() for _ in range(min(len(waiting), _MAX_BATCH))]
                await self._apply_all(id, [job for job in jobs if not job.answer.done()])
                # Any that are unanswered are applied by separate tasks.
                jobs = []
        finally:
            # No job is added after the object is removed here; there are waiting jobs only if the server is
            # stopping.
            del self._waiting[id]
            for job in (*jobs, *waiting):
                job.give_up()

    async def _apply_all(self, id: UUID, jobs: list[AnyJob]) -> None:
        """Apply jobs in one transaction or, if the database refuses that because of one of them, each in a
        separate one."""
        try:
            await self._transact(id, jobs)
        except Exception as error:
            if len(jobs) == 1 or is_database_away(error):
                problem = as_problem(error)
                for job in jobs:
                    job.resolve(problem or error)
            else:
                for job in jobs:
                    await self._apply_all(id, [job])

    async def _transact(self, id: UUID, jobs: list[AnyJob]) -> None:
        """Apply jobs in one transaction, and resolve those that have an outcome."""
        async with self._database.session() as session:
            async with asyncio.timeout(self._seconds):
                outcomes = await self._run(session, id, jobs)
            try:
                await session.commit()
            except Exception as error:
                if not is_database_away(error):
                    raise
                outcomes = [(job, one if isinstance(one, Problem) else OutcomeUnknown()) for job, one in outcomes]
        for job, outcome in outcomes:
            job.resolve(outcome)

    @abstractmethod
    async def _run(self, session: AsyncSession, id: UUID, jobs: list[AnyJob]) -> list[tuple[AnyJob, Outcome]]:
        """Lock the object and execute jobs, each of which begins if it was not abandoned; returns their
        outcomes."""
