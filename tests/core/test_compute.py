import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from game.core.compute import ClientGone, Compute, TooLarge, until_disconnected
from tests.conftest import PATIENCE_SECONDS
from tests.core import heavy


@pytest.fixture
def compute() -> Iterator[Compute]:
    compute = Compute(2, 512 * 2**20, 30)
    yield compute
    compute.close()


async def _written(path: Path) -> int:
    """The process that wrote its id there."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if path.exists() and path.read_text():
            return int(path.read_text())
        await asyncio.sleep(0.02)
    raise AssertionError("nobody computes")


async def _ends(pid: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while psutil.pid_exists(pid):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


class TestRun:
    async def test_gives_the_result(self, compute: Compute) -> None:
        assert await compute.run(heavy.double, 21) == 42

    async def test_keeps_a_process_for_the_next(self, compute: Compute) -> None:
        first = await compute.run(heavy.pid)
        assert first != os.getpid()
        assert await compute.run(heavy.pid) == first

    async def test_runs_at_once(self, compute: Compute) -> None:
        pids = await asyncio.gather(compute.run(heavy.pid, 0.2), compute.run(heavy.pid, 0.2))
        assert len(set(pids)) == 2

    async def test_loads_what_a_generator_wants(self, compute: Compute) -> None:
        async def load(name: str) -> str:
            return name.upper()

        assert await compute.run(heavy.ask, ["a", "b"], load=load) == {"a": "A", "b": "B"}

    async def test_passes_errors_on(self, compute: Compute) -> None:
        with pytest.raises(ValueError, match="no"):
            await compute.run(heavy.refuse, "no")
        with pytest.raises(heavy.Odd) as odd:
            await compute.run(heavy.odd)
        assert (odd.value.args, odd.value.name) == (("x", "odd"), "x")
        with pytest.raises(RuntimeError, match="Unsendable: what"):
            await compute.run(heavy.unsendable)
        assert await compute.run(heavy.double, 1) == 2

    async def test_an_error_while_loading_ends_the_process(self, compute: Compute) -> None:
        async def load(name: str) -> str:
            raise ConnectionError(name)

        with pytest.raises(ConnectionError):
            await compute.run(heavy.ask, ["a"], load=load)
        assert await compute.run(heavy.double, 1) == 2

    async def test_ends_the_process_at_the_deadline(self, compute: Compute, tmp_path: Path) -> None:
        with pytest.raises(TimeoutError):
            await compute.run(heavy.spin, str(tmp_path / "pid"), seconds=1)
        await _ends(await _written(tmp_path / "pid"))
        assert await compute.run(heavy.double, 1) == 2

    async def test_ends_the_process_when_cancelled(self, compute: Compute, tmp_path: Path) -> None:
        task = asyncio.create_task(compute.run(heavy.spin, str(tmp_path / "pid")))
        pid = await _written(tmp_path / "pid")
        task.cancel()
        await _ends(pid)

    async def test_refuses_what_takes_too_much_memory(self, compute: Compute) -> None:
        with pytest.raises(TooLarge):
            await compute.run(heavy.take, 600 * 2**20)
        assert await compute.run(heavy.take, 2**20) == 2**20

    async def test_gives_memory_back(self, compute: Compute) -> None:
        first = await compute.run(heavy.pid)
        await compute.run(heavy.take, 300 * 2**20)
        await _ends(first)
        assert await compute.run(heavy.double, 1) == 2

    async def test_survives_a_crash(self, compute: Compute) -> None:
        with pytest.raises(TooLarge):
            await compute.run(heavy.crash)
        assert await compute.run(heavy.double, 1) == 2

    async def test_survives_a_process_that_was_killed_while_idle(self, compute: Compute) -> None:
        pid = await compute.run(heavy.pid)
        psutil.Process(pid).kill()
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert await compute.run(heavy.double, 1) == 2


class TestUntilGone:
    async def test_cancels_the_work_of_a_client_that_hung_up(self, compute: Compute, tmp_path: Path) -> None:
        hangs_up = asyncio.Event()
        messages = iter([{"type": "http.request"}])

        async def receive() -> Any:
            if message := next(messages, None):
                return message
            await hangs_up.wait()
            return {"type": "http.disconnect"}

        task = asyncio.create_task(until_disconnected(receive, compute.run(heavy.spin, str(tmp_path / "pid"))))
        pid = await _written(tmp_path / "pid")
        hangs_up.set()
        with pytest.raises(ClientGone):
            await task
        await _ends(pid)

    async def test_gives_the_result_of_work(self) -> None:
        async def receive() -> Any:
            await asyncio.sleep(3600)

        async def work() -> int:
            return 3

        assert await until_disconnected(receive, work()) == 3
