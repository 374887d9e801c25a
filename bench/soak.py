"""`python -m bench.soak [--seconds 600] [--people 50]`: a table with random commands while workers are killed.

Clients send random commands and lose connections, and one of two workers is killed and restarted repeatedly. At
the end, the events, tokens and fog of every client are compared with a fresh read. Writes its part of
bench/LIVE.md.
"""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import httpx2
import psutil
import typer

from bench.__main__ import say
from bench.live import write
from bench.maps import Line
from game.core import schema
from game.core.embedded import running as postgresql
from tests.conftest import Person, Server, serving, sign_up_and_log_in
from tests.live import soak
from tests.live.client import Client

_BETWEEN_KILLS = 20.0


@contextmanager
def server(folder: Path, url: str, workers: int) -> Iterator[Server]:
    """A server that notifies the other one through the database."""
    more = {
        "WORLDKEEP_LIVE_FANOUT": "postgres",
        "WORLDKEEP_ACCESS_TOKEN_MINUTES": "60",
        "WORLDKEEP_SECRET_KEY": "a secret for soaking: 0123456789abcdef",
    }
    with serving(folder, "--workers", str(workers), DATABASE_URL=url, **more) as one:
        yield one


def kill_worker(one: Server) -> None:
    """Kill a worker of a server, which then starts a new one."""
    children = psutil.Process(one.process.pid).children()
    workers = [child for child in children if any("spawn_main" in word for word in child.cmdline())]
    random.choice(workers).kill()


async def run(seconds: float, count: int, folder: Path, url: str) -> list[Line]:
    async with AsyncExitStack() as stack:
        stays = stack.enter_context(server(folder, url, 1))
        dies = stack.enter_context(server(folder, url, 2))
        people: list[Person] = []
        for _ in range(count):
            client = await stack.enter_async_context(httpx2.AsyncClient(base_url=stays.url, timeout=30))
            people.append(await sign_up_and_log_in(client))
        owner, *others = people
        table = await soak.lay(owner, others)
        seats: list[soak.Seat] = []
        for number, person in enumerate(people):
            first, second = (stays, dies) if number % 4 == 0 else (dies, stays)
            feed = Client(first.url, table.universe_id, person.tokens["access_token"], others=[second.url])
            seats.append((person, await stack.enter_async_context(feed)))
            await feed.watch(table.fogged)
        say(f"{count} people are at the table")
        kills, next_at = 0, time.monotonic() + _BETWEEN_KILLS

        def disturb(seconds_left: float) -> None:
            nonlocal kills, next_at
            if time.monotonic() >= next_at and seconds_left > 5:
                next_at = time.monotonic() + _BETWEEN_KILLS * random.uniform(0.5, 1.5)
                kill_worker(dies)
                kills += 1

        done = await soak.play(table, seats, seconds, disturb)
        welcomes = sum(len(feed.welcomes) for _, feed in seats)
        happened = f"{done:,} commands, {kills} kills of a worker, {welcomes:,} connections"
        say(happened)
        await soak.compare(table, seats)
        what = f"{count} clients for {seconds:.0f} s"
        return [(what, happened, ""), ("clients whose state equals a fresh read", f"{len(seats)}", f"{count}")]


def main(seconds: float = 600, people: int = 50) -> None:
    """Play, and compare."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgresql(folder / "database", settings={"max_connections": "200"}) as url:
            schema.upgrade(url)
            load = os.getloadavg()[0]
            write("soak", asyncio.run(run(seconds, people, folder, url)), load)


if __name__ == "__main__":
    typer.run(main)
