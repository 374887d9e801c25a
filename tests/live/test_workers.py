"""Two servers on one database, as two workers: events of one reach the other; one is killed."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from game.core.settings import Settings
from game.live.fanout import NoFanout, PostgresFanout, fanout_of
from game.live.hub import Hub
from tests.conftest import PATIENCE_SECONDS, Person, Server, serving
from tests.forked import set_constants
from tests.live import soak
from tests.live.client import Client
from tests.live.test_maps import token_on
from tests.live.test_router import GRID, NewPerson, close_code, open_socket, paint, say
from tests.members.test_router import join

PRESENCE = partial(set_constants, "game.live.presence", _ANNOUNCE_SECONDS=2.0, _TIMEOUT_SECONDS=15.0)


def worker(folder: Path, settings: Settings, before: Callable[[], None] | None = None, **environment: str) -> Any:
    """A server that takes the log-ins of the test worker's app."""
    assert settings.database_url
    assert settings.secret_key
    more = {"WORLDKEEP_LIVE_FANOUT": "postgres", "WORLDKEEP_MAX_USER_SOCKETS": "200", **environment}
    return serving(
        folder,
        before=before,
        DATABASE_URL=settings.database_url.get_secret_value(),
        WORLDKEEP_SECRET_KEY=settings.secret_key.get_secret_value(),
        **more,
    )


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(worker(tmp_path_factory.mktemp("worker"), settings)) for _ in range(2)]


async def test_what_happens_elsewhere(servers: list[Server], owner: Person, new_person: NewPerson) -> None:
    """Events, presence and who may not stay: within a second, though it was done at another worker."""
    universe = await owner.universe()
    players = [await new_person() for _ in range(3)]
    for person in players:
        await join(person, owner, universe["id"])
    made = await owner.map(universe["id"], grid_data=GRID, visibility="members")
    here, there = (server.url for server in servers)
    async with AsyncExitStack() as stack:
        gm = await stack.enter_async_context(Client(here, universe["id"], owner.tokens["access_token"]))
        feeds = []
        for person in players:
            client = Client(there, universe["id"], person.tokens["access_token"])
            feeds.append(await stack.enter_async_context(client))
        for person in players:
            await gm.until(lambda person=person: person.id in {one["user_id"] for one in gm.of("online")})
        named = [{"user_id": one["user_id"], "display_name": one["display_name"]} for one in gm.of("online")]
        named.append({"user_id": owner.id, "display_name": "Owner"})
        assert sorted(map(str, feeds[-1].welcomes[0]["online"])) == sorted(map(str, named))
        # One more socket of a member who is online elsewhere changes nothing.
        async with Client(here, universe["id"], players[2].tokens["access_token"]):
            pass
        started = time.monotonic()
        await gm.command("edit", map_id=made["id"], edits=paint(0, "."))
        await feeds[0].until(lambda: bool(feeds[0].events))
        # Long before the look at the log that mends lost hints: but under load nothing is sure.
        assert time.monotonic() - started < 5
        async with httpx2.AsyncClient(base_url=here) as client:
            client.headers["authorization"] = owner.client.headers["authorization"]
            path = f"/universes/{universe['id']}/members/{players[0].id}"
            assert (await client.delete(path)).status_code == 204
            client.headers["authorization"] = players[1].client.headers["authorization"]
            assert (await client.post("/auth/jwt/logout")).status_code == 204
        await feeds[0].until(lambda: feeds[0].code == 4403)
        await feeds[1].until(lambda: feeds[1].code == 4401)
        assert feeds[2].code is None
        await gm.next("offline", 2)
        assert {one["user_id"] for one in gm.of("offline")} == {person.id for person in players[:2]}
        assert len(gm.of("online")) == 3


async def test_signals_from_elsewhere(servers: list[Server], owner: Person, stranger: Person) -> None:
    """They reach only members who see the position, also at another worker."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    hidden = await owner.map(universe["id"], grid_data=GRID)
    fogged = await owner.map(universe["id"], grid_data=soak.FOGGED, visibility="members", fog="explored")
    sight, grants = {"range": 3, "darkvision": 0}, {stranger.id: ["act"]}
    await token_on(owner, fogged["id"], x=1, y=1, sight=sight, grants=grants)
    here, there = (server.url for server in servers)
    async with (
        Client(here, universe["id"], owner.tokens["access_token"]) as gm,
        Client(there, universe["id"], stranger.tokens["access_token"]) as player,
    ):
        await gm.until(lambda: bool(gm.of("online")))
        for map_id, x in ((hidden["id"], 1), (fogged["id"], 12), (fogged["id"], 2)):
            place = {"map_id": map_id, "x": x, "y": 1}
            await gm.send({"type": "signal", "name": "pointer", **place, "data": x})
        await gm.send({"type": "signal", "name": "typing", "data": None})
        first = {"type": "signal", "user_id": owner.id, "name": "pointer", **place, "data": 2}
        await player.next("signal", 2)
        await player.send({"type": "signal", "name": "typing", "data": "back"})
        assert (await gm.next("signal"))["data"] == "back"
        assert sorted(player.of("signal"), key=lambda one: one["name"])[0] == first
        assert len(player.of("signal")) == 2


async def test_who_is_online_elsewhere(app: FastAPI, settings: Settings) -> None:
    """Many members with the longest names; and one who comes and goes several times at once."""
    universe_id, last = uuid4(), uuid4()
    people = {uuid4(): "\U0001f409" * 100 for _ in range(60)}
    here, there = (Hub(app, PostgresFanout(settings.direct_url()), app.state.live.metrics) for _ in range(2))

    async def until(is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)

    for user_id, name in people.items():
        here.presence.enter(universe_id, user_id, name)
    async with here.running(), there.running():
        await until(lambda: there.presence.online(universe_id) == people)
        one = next(iter(people))
        here.presence.leave(universe_id, one)
        here.presence.enter(universe_id, one, people[one])
        here.presence.leave(universe_id, one)
        here.presence.enter(universe_id, last, "Last")
        await until(lambda: last in there.presence.online(universe_id))
        assert one not in there.presence.online(universe_id)


@pytest.mark.parametrize(
    ("live_fanout", "workers", "kind"),
    [("auto", 1, NoFanout), ("auto", 2, PostgresFanout), ("postgres", 1, PostgresFanout), ("none", 2, NoFanout)],
)
def test_a_single_worker_needs_no_channel(live_fanout: str, workers: int, kind: type, settings: Settings) -> None:
    fields = {"live_fanout": live_fanout, "workers": workers}
    assert isinstance(fanout_of(settings.model_copy(update=fields)), kind)


@pytest.mark.parametrize("limit", ["USER", "UNIVERSE", "CLIENT", ""])
async def test_too_many_sockets(
    limit: str, servers: list[Server], tmp_path: Path, settings: Settings, owner: Person, stranger: Person
) -> None:
    """A socket above the limit is closed, existing ones stay; each worker counts separately."""
    universe, elsewhere = await owner.universe(), await owner.universe()
    await join(stranger, owner, universe["id"])
    name = "_".join(filter(None, ("WORLDKEEP_MAX", limit, "SOCKETS")))
    other = servers[0]
    with worker(tmp_path, settings, **{name: "2"}) as one:
        async with AsyncExitStack() as stack:

            async def connect(server: Server, person: Person, universe_id: str) -> int | None:
                socket = await stack.enter_async_context(open_socket(server.url, universe_id))
                answer = await hello(socket, person)
                return None if answer else await close_code(socket)

            first = [await connect(one, owner, universe["id"]) for _ in range(3)]
            assert first == [None, None, 4429]
            assert await connect(other, owner, universe["id"]) is None
            others = [await connect(one, stranger, universe["id"]), await connect(one, owner, elsewhere["id"])]
            held = {"USER": [None, 4429], "UNIVERSE": [4429, None]}
            assert others == held.get(limit, [4429, 4429])


async def hello(socket: ClientConnection, person: Person) -> dict[str, Any] | None:
    """The response to a hello; None if the socket is closed instead."""
    try:
        return await say(socket, type="hello", token=person.tokens["access_token"])
    except ConnectionClosed:
        return None


async def test_a_table_that_everything_happens_to(
    tmp_path: Path, settings: Settings, owner: Person, new_person: NewPerson
) -> None:
    """Twenty seconds of commands, lost connections and a killed worker: then all clients have all their events."""
    people = [await new_person() for _ in range(7)]
    table = await soak.lay(owner, people)
    with ExitStack() as servers:
        one, other = (servers.enter_context(worker(tmp_path, settings, PRESENCE)) for _ in range(2))
        killed = False

        def disturb(seconds_left: float) -> None:
            nonlocal killed
            if not killed and seconds_left < 16:
                one.stop(signal.SIGKILL)
                killed = True

        async with AsyncExitStack() as stack:
            seats = []
            for number, person in enumerate([owner, *people]):
                first, second = (one, other) if number % 2 else (other, one)
                client = Client(first.url, table.universe_id, person.tokens["access_token"], others=[second.url])
                seats.append((person, await stack.enter_async_context(client)))
                await client.watch(table.fogged)
            assert await soak.play(table, seats, 20, disturb) > 20
            await soak.compare(table, seats)
        # Those whom the killed worker had are offline for the other one after a while.
        async with Client(other.url, table.universe_id, owner.tokens["access_token"]) as client:
            gone = {here["user_id"] for here in client.welcomes[0]["online"]} - {owner.id}
            await client.until(lambda: {one["user_id"] for one in client.of("offline")} >= gone)


async def test_a_server_that_stops(tmp_path: Path, settings: Settings, owner: Person) -> None:
    """Its sockets are closed with a code to reconnect, and resume at the other worker without losing events."""
    universe = await owner.universe()
    with worker(tmp_path, settings, WORLDKEEP_WORKERS="2") as server, worker(tmp_path, settings) as other:
        codes: list[int | None] = []
        async with AsyncExitStack() as stack:
            clients = []
            for _ in range(20):
                client = Client(server.url, universe["id"], owner.tokens["access_token"], others=[other.url])
                clients.append(await stack.enter_async_context(client))
            stopped = asyncio.create_task(asyncio.to_thread(server.stop))
            await owner.map(universe["id"])
            for client in clients:
                await client.until(lambda client=client: len(client.welcomes) == 2)
                codes += client.codes
                await client.until(lambda client=client: len(client.events) == 1)
            assert await stopped == 0
        assert codes == [4410] * 20
