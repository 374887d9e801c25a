"""Heavy computing: pure functions run in separate processes, with limits per user, on time and on memory.

A thread would share the interpreter with the event loop and could not be stopped. A process can be killed, so work
whose result is no longer needed (a deadline, a disconnected client) can be stopped at any time.

    endpoint --run()--> a slot of its user -->  a process: function(*arguments)  -->  result
                                                   | generator: what to load |
                                                   +------- load(...) <------+
"""

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Annotated, Any, TypeVar, overload
from uuid import UUID

from fastapi import Depends, Request
from starlette.types import Receive

from game.core.errors import Unavailable, Unprocessable
from game.core.fair_semaphore import FairSemaphore

Result = TypeVar("Result")
Wanted = TypeVar("Wanted")
Loaded = TypeVar("Loaded")

_CHILD = "from game.core.compute_process import main; main()"


class TooLarge(Unprocessable):
    """This needs more memory than the server allows for one request."""

    code = "TOO_LARGE"


class ClientGone(Unavailable):
    """The client disconnected."""


class Compute:
    """The compute processes of one worker, started when they are first needed.

    `processes` run at the same time, and all but one of them for one user; each gets at most `memory` bytes and,
    by default, at most `seconds` for a function.
    """

    def __init__(self, processes: int, memory: int, seconds: float) -> None:
        self.slots = FairSemaphore(processes, max(1, processes - 1))
        self._memory, self._seconds = memory, seconds
        self._threads = ThreadPoolExecutor(2 * processes, thread_name_prefix="compute")
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        load: Callable[[Any], Awaitable[Any]] | None = None,
        seconds: float | None = None,
    ) -> Any:
        """Run a function in a process and return its result. The caller must hold a slot.

        The function must be importable, its arguments and result picklable. Pass large documents as JSON text,
        not as parsed values: pickling those blocks the event loop. With `load`, the function returns a generator
        that yields what it wants and is sent what `load` returns for that; its result is the result. Each step may
        take `seconds`.

        Raises:
            TimeoutError: it took too long; the process is gone.
            TooLarge: it took too much memory.
            Exception: what the function raised.
        """
        seconds = self._seconds if seconds is None else seconds
        loop = asyncio.get_running_loop()
        process = self._take()
        self._busy.add(process)
        sent: Any = (function, arguments, seconds)
        answered = False
        try:
            async with asyncio.timeout(seconds) as limit:
                while True:
                    kind, value = await loop.run_in_executor(self._threads, process.exchange, sent)
                    if kind != "wanted" or load is None:
                        break
                    sent = await load(value)
                    limit.reschedule(loop.time() + seconds)
            answered = True
        except EOFError:
            # Killed by the system, usually because memory ran out.
            raise TooLarge from None
        finally:
            self._busy.discard(process)
            if answered and not process.is_done:
                self._idle.append(process)
            else:
                self._end(process)
        if kind == "error":
            raise TooLarge if value.kind is MemoryError else value.error()
        return value

    def _take(self) -> "_Process":
        while self._idle:
            process = self._idle.pop()
            if process.is_alive():
                return process
            self._end(process)
        return _Process(self._memory)

    def close(self) -> None:
        """Kill all processes."""
        for process in (*self._idle, *self._busy):
            self._end(process)
        self._threads.shutdown(wait=True)

    def _end(self, process: "_Process") -> None:
        process.kill()
        # The system needs a moment to free a lot of memory.
        self._threads.submit(process.reap)


class _Process:
    """A compute process, `game.core.compute_process`. Its methods block, except `kill`."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False
        self.is_done = False
        """Whether the process exits by itself after its result."""

    def exchange(self, message: Any) -> tuple[str, Any]:
        """Send a message; returns the kind of the reply ("result", "error", "wanted") and its value.

        Raises:
            EOFError: the process is gone.
        """
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - Python itself
                [sys.executable, "-c", _CHILD, str(self._memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))},
            )
        process = self._process
        if self._is_killed:
            process.kill()
        assert process.stdin
        assert process.stdout
        try:
            pickle.dump(message, process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            kind, value, self.is_done = pickle.load(process.stdout)  # noqa: S301 - from a process of ours
        except (OSError, EOFError, pickle.UnpicklingError):
            process.kill()
            raise EOFError from None
        return kind, value

    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once; a thread in `exchange` is notified."""
        self._is_killed = True
        if self._process:
            self._process.kill()

    def reap(self) -> None:
        """Wait until a killed process has ended."""
        if self._process:
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    pipe and pipe.close()


async def until_disconnected(receive: Receive, work: Awaitable[Result]) -> Result:
    """The result of `work`, which is cancelled when the client disconnects. The request's body has been read.

    Raises:
        ClientGone: the client disconnected.
    """
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class RequestComputing:
    """Heavy computing for one request.

    A read loads what it needs, ends its transaction and computes:

        row = await maps.get(session, user, id)
        await session.close()
        return await computing.run(user.id, pure_function, row.width, row.height)

    A write that computes under a lock acquires a slot before it locks:

        await session.close()
        async with computing.slot(user.id):
            row = await maps.get_to_change(session, user, id)
            changed = await computing.run(user.id, pure_steps, load=load_chunks)
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._compute: Compute = request.app.state.compute
        self._has_slot = False

    @asynccontextmanager
    async def slot(self, user_id: UUID, wait_seconds: float | None = None) -> AsyncIterator[None]:
        """Hold a slot of the user for the computations in the block; acquire it before anything is locked.

        Where others may need their slots for seconds, this waits for one at most `wait_seconds`.

        Raises: see `FairSemaphore.slot`.
        """
        if wait_seconds is not None:
            self._request.scope["on_progress"](wait_seconds)
        async with self._compute.slots.slot(user_id, wait_seconds):
            self._has_slot = True
            self._request.scope["on_progress"]()
            try:
                yield
            finally:
                self._has_slot = False

    @overload
    async def run(
        self, user_id: UUID, function: Callable[..., Result], *arguments: Any, seconds: float | None = None
    ) -> Result: ...

    @overload
    async def run(
        self,
        user_id: UUID,
        function: Callable[..., Generator[Wanted, Loaded, Result]],
        *arguments: Any,
        load: Callable[[Wanted], Awaitable[Loaded]],
        seconds: float | None = None,
    ) -> Result: ...

    async def run(
        self, user_id: UUID, function: Any, *arguments: Any, load: Any = None, seconds: float | None = None
    ) -> Any:
        """`Compute.run` with a slot of the user, until the client disconnects or the request's time limit is
        reached.

        Do not hold a database connection while waiting for this: end a read's transaction first
        (`await session.close()`), or acquire a `slot` before the transaction begins. `seconds` are for work that
        may take longer than other requests: all of it, or each step of a generator.

        Raises: see `Compute.run`, `FairSemaphore.slot` and `until_disconnected`.
        """
        work = self._run(user_id, function, *arguments, load=load, seconds=seconds)
        return await until_disconnected(self._request.receive, work)

    async def _run(self, user_id: UUID, function: Any, *arguments: Any, load: Any, seconds: float | None) -> Any:
        async def load_and_report(wanted: Any) -> Any:
            loaded = await load(wanted)
            self._request.scope["on_progress"](seconds)
            return loaded

        async with nullcontext() if self._has_slot else self.slot(user_id):
            if seconds is None:
                return await self._compute.run(function, *arguments, load=load)
            self._request.scope["on_progress"](seconds)
            steps = load and load_and_report
            return await self._compute.run(function, *arguments, load=steps, seconds=seconds)


Computing = Annotated[RequestComputing, Depends()]
