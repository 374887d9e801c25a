"""Misbehaving clients, and an unavailable database: only the faulty sockets are closed."""

import asyncio
import json
import socket
import struct
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx2
import psutil
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection

from game.core.embedded import running
from game.core.settings import Settings
from tests.conftest import PASSWORD, PATIENCE_SECONDS, Person, serving
from tests.live.client import Client, Refused
from tests.live.test_router import GRID, NewPerson, bare, close_code, log_of, open_socket, paint, say
from tests.live.test_workers import worker
from tests.members.test_router import join


def frame(opcode: int, content: bytes, *, fin: bool = True, first_bits: int = 0) -> bytes:
    """A client's frame, with a mask of zeroes."""
    head = bytes([(0x80 if fin else 0) | first_bits | opcode])
    size = len(content)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    return head + bytes(4) + content


def bomb() -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(bytes(20_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH)[:-4]


HOSTILE: dict[str, tuple[Callable[[], Iterator[bytes]], set[int | None]]] = {
    "a frame of 1 MB": (lambda: iter([frame(1, b"x" * 2**20)]), {1009}),
    "fragments for ever": (lambda: (frame(0 if n else 1, b"x" * 100, fin=False) for n in range(10_000)), {1009}),
    "empty fragments for ever": (lambda: (frame(0 if n else 1, b"", fin=False) for n in range(10_000)), {1009}),
    "bad UTF-8": (lambda: iter([frame(1, b"\xff\xfe{}")]), {1007}),
    "a compression bomb": (lambda: iter([frame(1, bomb()[:60_000], first_bits=0x40)]), {1002}),
    "10,000 commands": (
        lambda: (
            frame(1, json.dumps({"type": "command", "do": "dance", "ref": str(n)}).encode()) for n in range(10_000)
        ),
        {4429},
    ),
    "10,000 pings": (lambda: (frame(9, b"x" * 125) for n in range(10_000)), {4429}),
    "no mask": (lambda: iter([b"\x81\x02{}"]), {1002}),
    "half a frame": (lambda: iter([frame(1, b"x" * 1000)[:500]]), {None}),
}


LARGE_EVENT = """
    WITH counted AS (UPDATE universe SET event_seq = event_seq + 1 WHERE id = $1 RETURNING event_seq)
    INSERT INTO event (universe_id, seq, kind, subject_id, payload)
    SELECT $1, event_seq, 'map.edited', $1, jsonb_build_object('x', repeat('x', 16000000)) FROM counted
"""


async def write(connection: ClientConnection, pieces: Iterator[bytes]) -> None:
    """Write bytes past the client library."""
    with suppress(OSError, RuntimeError):
        for number, piece in enumerate(pieces):
            if connection.transport.is_closing():
                return
            connection.transport.write(piece)
            if not number % 100:
                await asyncio.sleep(0)


async def test_clients_that_violate_the_protocol(new_person: NewPerson, url: str) -> None:
    """All at once: the server gives each five seconds to close."""
    async with asyncio.TaskGroup() as group:
        for name in HOSTILE:
            group.create_task(break_rules(name, await new_person(), url), name=name)


async def break_rules(name: str, owner: Person, url: str) -> None:
    universe = await owner.universe()
    pieces, codes = HOSTILE[name]
    async with Client(url, universe["id"], owner.tokens["access_token"]) as other:
        hostile = await open_socket(url, universe["id"])
        await hostile.send(json.dumps({"type": "hello", "token": owner.tokens["access_token"]}))
        await hostile.recv()
        writing = asyncio.create_task(write(hostile, pieces()))
        await owner.map(universe["id"])
        await other.until(lambda: len(other.events) == 1)
        if None in codes:
            hostile.transport.abort()
        assert await close_code(hostile) in codes, name
        await writing
        hostile.transport.abort()
        assert other.code is None, name
        assert bare(other.events) == bare(await log_of(owner, universe["id"], other.welcomes[0]["cursor"]))


@asynccontextmanager
async def deaf_socket(person: Person, universe_id: str, url: str) -> AsyncIterator[socket.socket]:
    """A connection that has sent `hello`, and takes next to nothing from the server until somebody reads it."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((urlsplit(url).hostname, urlsplit(url).port))
        head = f"GET /universes/{universe_id}/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        head += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        head += f"Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
        deaf.sendall(head.encode())
        assert b"101 Switching" in await asyncio.to_thread(deaf.recv, 4096)
        hello = {"type": "hello", "token": person.tokens["access_token"]}
        deaf.sendall(frame(1, json.dumps(hello).encode()))
        yield deaf


async def test_a_large_message_in_the_queue(owner: Person, url: str, database: asyncpg.Connection) -> None:
    """A client that is still reading it is not too slow when the next ones are sent."""
    universe = await owner.universe()
    async with (
        deaf_socket(owner, universe["id"], url) as reader,
        Client(url, universe["id"], owner.tokens["access_token"]) as other,
    ):
        await asyncio.to_thread(reader.recv, 10)
        await database.execute(LARGE_EVENT, universe["id"])
        await other.until(lambda: len(other.events) == 1)
        for _ in range(3):
            await other.command("say", text="last words")
        data = b""
        reader.settimeout(PATIENCE_SECONDS)
        while data.count(b"last words") < 3:
            piece = await asyncio.to_thread(reader.recv, 2**20)
            assert piece
            data = data[-10_000:] + piece


async def test_signals_for_a_client_that_reads_slowly(
    owner: Person, url: str, database: asyncpg.Connection
) -> None:
    """Are dropped from 64 KiB on; it stays connected."""
    universe = await owner.universe()
    async with (
        Client(url, universe["id"], owner.tokens["access_token"]) as other,
        deaf_socket(owner, universe["id"], url) as reader,
    ):
        await asyncio.to_thread(reader.recv, 10)
        await database.execute(LARGE_EVENT, universe["id"])
        await other.until(lambda: len(other.events) == 1)
        before = dropped(await metrics(owner), "signal")
        await other.send({"type": "signal", "name": "typing", "data": "lost"})
        await other.command("say", text="last words")
        assert dropped(await metrics(owner), "signal") == before + 1
        data = b""
        reader.settimeout(PATIENCE_SECONDS)
        while b"last words" not in data:
            piece = await asyncio.to_thread(reader.recv, 2**20)
            assert piece
            data = data[-10_000:] + piece
        assert b"lost" not in data


async def test_a_client_that_never_reads(owner: Person, url: str, database: asyncpg.Connection) -> None:
    """Is closed when a megabyte waits for them; the others get everything meanwhile."""
    universe = await owner.universe()
    async with (
        deaf_socket(owner, universe["id"], url),
        Client(url, universe["id"], owner.tokens["access_token"]) as other,
    ):
        before, number = dropped(await metrics(owner)), 0
        while dropped(await metrics(owner)) == before:
            assert number < 300
            await database.execute(
                """
                WITH counted AS (
                    UPDATE universe SET event_seq = event_seq + 10 WHERE id = $1
                    RETURNING event_seq - 10 AS seq
                )
                INSERT INTO event (universe_id, seq, kind, subject_id, payload)
                SELECT $1, seq + n, 'map.edited', $1, jsonb_build_object('x', repeat('x', 100000))
                FROM counted, generate_series(1, 10) AS n
                """,
                universe["id"],
            )
            number += 10
            await other.until(lambda number=number: len(other.events) == number)
        numbers = [event["seq"] for event in other.events]
        assert numbers == [*range(numbers[0], numbers[0] + number)]
        assert other.code is None


@pytest.mark.parametrize("is_closed_first", [True, False])
async def test_a_client_that_ends_without_reading(
    is_closed_first: bool, owner: Person, stranger: Person, url: str, database: asyncpg.Connection
) -> None:
    """Its connection is aborted after a while, though what waits for it cannot be sent."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"], "game_master")
    async with (
        Client(url, universe["id"], owner.tokens["access_token"]) as other,
        deaf_socket(stranger, universe["id"], url) as deaf,
    ):
        await other.next("online")
        await database.execute(LARGE_EVENT, universe["id"])
        await other.until(lambda: len(other.events) == 1)
        if is_closed_first:
            deaf.sendall(frame(1, b"nonsense"))
            await other.next("offline")
            deaf.sendall(frame(8, struct.pack("!H", 4400)))
            async with asyncio.timeout(PATIENCE_SECONDS):
                with suppress(ConnectionError):
                    while deaf.send(b"x"):  # noqa: ASYNC110 - nothing tells when the server resets it
                        await asyncio.sleep(0.1)
        else:
            deaf.shutdown(socket.SHUT_WR)
            await other.next("offline")


async def test_a_client_that_does_not_answer_a_ping(
    app: FastAPI, owner: Person, stranger: Person, url: str
) -> None:
    """Is closed after 20 seconds."""
    universe = await owner.universe()
    await join(stranger, owner, universe["id"])
    async with (
        Client(url, universe["id"], owner.tokens["access_token"]) as other,
        deaf_socket(stranger, universe["id"], url) as silent,
    ):
        await other.next("online")
        sessions = app.state.live.rooms[UUID(universe["id"])].sessions
        [protocol] = [one.transport.protocol for one in sessions if str(one.user_id) == stranger.id]
        assert protocol.ping_timeout == 20
        protocol.stop_keepalive()
        protocol.ping_timeout = 0
        protocol.send_keepalive_ping()
        await other.next("offline")
        silent.settimeout(PATIENCE_SECONDS)
        data = b""
        while struct.pack("!H", 4408) + b"No response to a ping." not in data:
            piece = await asyncio.to_thread(silent.recv, 2**16)
            assert piece
            data += piece
        assert other.code is None


async def test_more_commands_than_can_be_executed(
    owner: Person, url: str, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that too many wait for are refused; the others are executed in order."""
    monkeypatch.setattr("game.live.commands._MAX_WAITING", 3)
    universe = await owner.universe()
    async with open_socket(url, universe["id"]) as client:
        await say(client, type="hello", token=owner.tokens["access_token"])
        async with database.transaction():
            await database.execute("SELECT FROM universe WHERE id = $1 FOR UPDATE", universe["id"])
            for number in range(6):
                message = {"type": "command", "do": "say", "ref": str(number), "text": "Hear, hear!"}
                await client.send(json.dumps(message))
                if not number:
                    # It is running when the others arrive.
                    assert await say(client, type="ping") == {"type": "pong"}
            async with asyncio.timeout(PATIENCE_SECONDS):
                refused = [json.loads(await client.recv()) for _ in range(2)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            answers = [json.loads(await client.recv()) for _ in range(8)]
        assert [(one["ref"], one["problem"]["status"]) for one in refused] == [("4", 429), ("5", 429)]
        assert [one["ref"] for one in answers if one["type"] == "ack"] == ["0", "1", "2", "3"]


def whole_messages(data: bytes) -> list[dict[str, Any]]:
    """The messages of the frames of which every byte has come."""
    messages = []
    while len(data) >= 4:
        long = (data[1] & 127) == 126
        start, size = (4, int.from_bytes(data[2:4])) if long else (2, data[1] & 127)
        if len(data) < start + size:
            break
        messages.append(json.loads(data[start : start + size]))
        data = data[start + size :]
    return messages


@pytest.mark.parametrize("cut", [1, 3, 200])
async def test_a_cut_in_the_middle_of_a_frame(cut: int, owner: Person, url: str) -> None:
    """Of an event and of a command: a client that resumes after the last complete frame gets everything once."""
    universe = await owner.universe()
    made = await owner.map(universe["id"], grid_data=GRID)
    token = owner.tokens["access_token"]

    def command(number: int) -> dict[str, Any]:
        edits = paint(number % 4, ".#"[number // 4 % 2])
        return {"type": "command", "do": "edit", "ref": f"c{number}", "map_id": made["id"], "edits": edits}

    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    lines = [
        f"GET /universes/{universe['id']}/live HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {'A' * 22}==",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await reader.readuntil(b"\r\n\r\n")
    asked = [frame(1, json.dumps(command(number)).encode()) for number in range(5)]
    writer.write(frame(1, json.dumps({"type": "hello", "token": token}).encode()) + b"".join(asked[:4]))
    data = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while b'"ref":"c3"' not in data:
            data += await reader.read(2**16)
    # The client's last command is cut off on its way, and so is the last event of what the client has read.
    writer.write(asked[4][: len(asked[4]) - cut])
    writer.transport.abort()
    events = [one for one in whole_messages(data[: data.rindex(b'{"type":"event"') + cut]) if "cursor" in one]
    assert [one["type"] for one in events] == ["welcome", *["event"] * 3]
    async with Client(url, universe["id"], token, events[-1]["cursor"]) as again:
        for number in range(3, 5):
            await again.send(command(number))
        await again.next("ack", 2)
        had = [*events[1:], *again.events]
        assert bare(had) == bare(await log_of(owner, universe["id"], events[0]["cursor"]))
        assert len(had) == 5


async def test_metrics(owner: Person, url: str) -> None:
    """Of sockets, messages, bytes, and the delay of events."""

    def values(text: str) -> dict[str, float]:
        lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("worldkeep_live_")]
        return {name.removeprefix("worldkeep_live_"): float(value) for name, _, value in lines}

    universe = await owner.universe()
    before = values(await metrics(owner))
    async with Client(url, universe["id"], owner.tokens["access_token"]) as client:
        await client.command("say", text="Hear, hear!")
        names = [f'{what}_total{{direction="{way}"}}' for what in ("messages", "bytes") for way in ("in", "out")]
        names += ["sockets", "lag_seconds_count"]
        after = before
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Sent messages are counted at intervals.
            while not all(after.get(name, 0) > before.get(name, 0) for name in names):
                await asyncio.sleep(0.1)
                after = values(await metrics(owner))


async def test_a_line_in_the_log(owner: Person, settings: Settings, tmp_path: Path) -> None:
    """For each socket, when it has ended, like that of a request; without its token."""
    universe = await owner.universe()
    token = owner.tokens["access_token"]
    with worker(tmp_path, settings, WORLDKEEP_LOG_FORMAT="json", WORLDKEEP_LOG_LEVEL="info") as server:
        async with open_socket(server.url, universe["id"], **{"X-Request-Id": "known-to-the-proxy"}) as client:
            assert (await say(client, type="hello", token=token))["type"] == "welcome"
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if "known-to-the-proxy" in line]
    assert [{**line, "timestamp": "", "ms": 0} for line in lines] == [
        {
            "event": "request",
            "level": "info",
            "timestamp": "",
            "request_id": "known-to-the-proxy",
            "method": "GET",
            "path": f"/universes/{universe['id']}/live",
            "status": 101,
            "ms": 0,
            "client": "127.0.0.1",
        }
    ]
    assert token not in text


async def metrics(person: Person) -> str:
    return (await person.client.get("/metrics")).text


def dropped(text: str, what: str = "socket") -> float:
    lines = [line for line in text.splitlines() if line.startswith(f'worldkeep_live_drops_total{{what="{what}"}}')]
    return float(lines[0].rpartition(" ")[2]) if lines else 0


async def test_a_hundred_come_back_at_once(owner: Person, settings: Settings, tmp_path: Path) -> None:
    universe = await owner.universe()
    with worker(tmp_path, settings) as server:
        async with AsyncExitStack() as stack:
            clients = [Client(server.url, universe["id"], owner.tokens["access_token"]) for _ in range(100)]
            await asyncio.gather(*(stack.enter_async_context(client) for client in clients))
            await owner.map(universe["id"])
            for client in clients:
                client.drop()
            await owner.map(universe["id"])
            for client in clients:
                await client.until(lambda client=client: len(client.events) == 2)
                assert len(client.welcomes) == 2
                assert client.welcomes[1]["resumed"]


def processes(home: Path) -> list[psutil.Process]:
    """Those of the embedded PostgreSQL in a data directory."""
    pid = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    return [psutil.Process(pid), *psutil.Process(pid).children()]


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory: not below pytest's folder, which is closed to PostgreSQL's user."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-live-", ignore_cleanup_errors=True) as path:
        Path(path).chmod(0o755)
        yield Path(path).resolve()


async def test_a_database_that_is_away(home: Path) -> None:
    """The database is frozen, then killed and restarted: the sockets stay open, and no event is lost or
    repeated."""
    with (
        serving(home) as server,
        httpx2.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as http,
        ExitStack() as stack,
    ):
        account = {"email": "gm@example.com", "password": PASSWORD}
        http.post("/auth/register", json=account).raise_for_status()
        form = {"username": account["email"], "password": PASSWORD}
        token = http.post("/auth/jwt/login", data=form).raise_for_status().json()["access_token"]
        http.headers["authorization"] = f"Bearer {token}"
        universe_id = http.post("/universes", json={"name": "Here"}).raise_for_status().json()["id"]
        body = {"universe_id": universe_id, "name": "Cellar", "grid_data": GRID}
        map_id = http.post("/maps", json=body).raise_for_status().json()["id"]
        async with Client(server.url, universe_id, token) as client:

            async def edit(x: int) -> None:
                while True:
                    with suppress(Refused):
                        await client.command("edit", map_id=map_id, edits=paint(x, "."))
                        return
                    await asyncio.sleep(0.2)

            await edit(0)
            frozen = processes(home)
            for process in frozen:
                process.suspend()
            waiting = asyncio.create_task(edit(1))
            await asyncio.sleep(4)
            for process in frozen:
                process.resume()
            await waiting
            for process in processes(home):
                process.kill()
            waiting = asyncio.create_task(edit(2))
            await asyncio.sleep(1)
            # Whoever closes it last stops it.
            await asyncio.to_thread(stack.enter_context, running(home))
            await waiting
            await edit(3)
            logged = http.get(f"/universes/{universe_id}/events?after=0&limit=1000").json()["items"]
            logged = [event for event in logged if event["kind"] == "map.edited"]
            await client.until(lambda: len(client.events) >= len(logged))
            assert bare(client.events) == bare(logged)
            assert (client.codes, len(client.welcomes)) == ([], 1), server.log.read_text()
