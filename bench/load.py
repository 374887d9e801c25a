"""Load generators: wrk if it is installed, otherwise our own client, which is slower and gives lower figures."""

import asyncio
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from bench.data import Keys

_HERE = Path(__file__).parent


class Figures(NamedTuple):
    """The results of a load: requests per second, latencies in milliseconds, total requests."""

    rate: float
    p50: float
    p99: float
    requests: int


def has_wrk() -> bool:
    """Whether wrk is available, which edits need."""
    return shutil.which("wrk") is not None


def tool() -> str:
    """The name and version of the load generator."""
    wrk = shutil.which("wrk")
    if not wrk:
        return "our own client in Python (without wrk, all figures are lower)"
    return subprocess.run([wrk, "--version"], capture_output=True, text=True).stdout.split(" [")[0]


def load(port: int, keys: Keys, connections: int, seconds: float) -> Figures:
    """Request the keys in turn over a number of connections.

    Raises:
        RuntimeError: a response was not 200.
    """
    if has_wrk():
        figures = _wrk(port, keys, connections, seconds)
    else:
        figures = asyncio.run(_python(port, keys, connections, seconds))
    requests, microseconds, p50, p99, errors = figures
    if errors or not requests:
        raise RuntimeError(f"{errors} of {requests} responses were errors")
    return Figures(requests / microseconds * 1e6, p50 / 1000, p99 / 1000, requests)


def _wrk(port: int, keys: Keys, connections: int, seconds: float) -> tuple[int, ...]:
    options = f"-t1 -c{connections} -d{max(1, round(seconds))}s --latency --timeout 30s".split()
    call = ["wrk", *options, "-s", str(_HERE / keys.script), f"http://127.0.0.1:{port}", "--", str(keys.file)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("figures ")]
    return tuple(map(int, line.split()[1:]))


async def _python(port: int, keys: Keys, connections: int, seconds: float) -> tuple[int, ...]:
    requests = [
        f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n\r\n".encode()
        for path, token in keys.pairs
    ]
    took: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds

    async def ask(start: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = start
        while (began := time.perf_counter()) < end:
            writer.write(requests[number % len(requests)])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
            errors += b" 200 " not in head[:20]
            took.append(time.perf_counter() - began)
            number += 1
        writer.close()

    await asyncio.gather(*(ask(n * len(requests) // connections) for n in range(connections)))
    took.sort()
    p50, p99 = (round(took[int(len(took) * share)] * 1e6) for share in (0.5, 0.99))
    return len(took), round(seconds * 1e6), p50, p99, errors
