"""The cost of members: reads of a player and of the owner, many memberships; and /health during reads of large
maps."""

import asyncio
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from bench.contenders import SECRET, Running
from bench.data import Keys, keys_of
from bench.load import Figures, load
from game.accounts.tokens import AccessTokens
from game.core.ids import uuid7
from game.grid.chunks import split
from game.maps.players import players_columns

CONNECTIONS = 32
MAPS = 200
LISTERS = 20
MANY_UNIVERSES = 200
READERS = 8
SIDE = 4096
HEAD = ["| what | measured | target |", "|---|--:|--:|"]
_DAY = 86_400
_ATTEMPTS = 20

Say = Callable[[str], None]


def rows(one: Running, url: str, folder: Path, rounds: int, seconds: float, say: Say) -> list[str]:
    """The rows of the table for a small database."""
    player, owner = compare(one, asyncio.run(_publish(url, folder)), rounds, seconds, say)
    asyncio.run(_store_large(url))
    waited = _longest_wait(one, asyncio.run(_large(url)))
    return [
        "| `GET /maps/{id}` of 64 x 64 cells as a player, with a hidden layer and ten hidden entities, to the "
        f"owner's | {player.rate / owner.rate:.2f} | 0.9 |",
        f"| longest wait of `/health` while {READERS} read a map of {SIDE} x {SIDE} cells each | {waited:.0f} ms "
        "| 50 ms |",
    ]


def many_universes(one: Running, url: str, folder: Path, rounds: int, seconds: float, say: Say) -> str:
    """The row of the table for lists in a large database."""
    many, few = compare(one, asyncio.run(_join_many(url, folder)), rounds, seconds, say)
    return (
        f"| `GET /universes` of a user in {MANY_UNIVERSES} universes, in time, to one in 25 "
        f"| {few.rate / many.rate:.2f} | 1.3 |"
    )


def compare(one: Running, workloads: tuple[Keys, Keys], rounds: int, seconds: float, say: Say) -> list[Figures]:
    """The medians of two workloads, measured alternately."""
    taken: list[list[Figures]] = [[], []]
    for keys in workloads:
        load(one.port, keys, CONNECTIONS, 1)
    for number in range(rounds):
        for keys, figures in zip(workloads, taken, strict=True):
            figures.append(load(one.port, keys, CONNECTIONS, seconds))
            say(f"  round {number + 1}  {keys.name:<24} {figures[-1].rate:>9,.0f}/s")
    return [sorted(figures, key=lambda each: each.rate)[len(figures) // 2] for figures in taken]


def _secret_map() -> dict[str, Any]:
    """A map of 64 x 64 cells whose second layer and ten of its entities are hidden from players."""
    floor, traps = ["." * 64] * 64, ["." * 31 + "^" + "." * 32] * 64
    bats = [{"id": f"bat-{n}", "kind": "monster", "name": "Bat", "x": 3 * n, "y": 2 * n} for n in range(20)]
    return {
        "width": 64,
        "height": 64,
        "legend": [{"symbol": ".", "name": "floor", "color": "#cfc6b0"}, {"symbol": "^", "name": "trap"}],
        "layers": [
            {"name": "ground", "rows": floor},
            {"name": "traps", "visible_to": "game_masters", "rows": traps},
        ],
        "entities": [bat if n < 10 else {**bat, "hidden": True} for n, bat in enumerate(bats)],
    }


async def _publish(url: str, folder: Path) -> tuple[Keys, Keys]:
    """Add secrets and a player to maps; returns the workloads of the players and of the owners."""
    frame, chunks = split(_secret_map())
    shown, legend, layers = players_columns(frame)
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT m.universe_id, m.id, u.owner_id FROM map m JOIN universe u ON u.id = m.universe_id"
            " ORDER BY m.id LIMIT $1",
            MAPS,
        )
        ids = [row["id"] for row in found]
        await connection.execute(
            "UPDATE map SET grid_data = $2, players_frame = $3, players_legend = $4, players_layers = $5,"
            " visibility = 'members' WHERE id = ANY($1)",
            ids,
            *(orjson.dumps(one).decode() for one in (frame, shown)),
            legend,
            layers,
        )
        await connection.execute("DELETE FROM map_chunk WHERE map_id = ANY($1)", ids)
        await _insert_chunks(connection, [(row["universe_id"], row["id"]) for row in found], chunks)
        tokens = await _tokens(connection, 2 * MAPS)
        owners = {row["owner_id"] for row in found}
        players = [user_id for user_id in tokens if user_id not in owners]
        chosen = [(row, players[number % len(players)]) for number, row in enumerate(found)]
        await connection.executemany(
            "INSERT INTO member (universe_id, user_id, role) VALUES ($1, $2, 'player') ON CONFLICT DO NOTHING",
            [(row["universe_id"], player) for row, player in chosen],
        )
        await connection.execute("ANALYZE")
        tokens |= await _tokens(connection, users=owners)
    finally:
        await connection.close()
    as_player = [(f"/maps/{row['id']}", tokens[player]) for row, player in chosen]
    as_owner = [(f"/maps/{row['id']}", tokens[row["owner_id"]]) for row in found]
    return keys_of("map as a player", as_player, folder), keys_of("map as its owner", as_owner, folder)


async def _tokens(connection: Any, limit: int = 1_000_000, users: set[UUID] | None = None) -> dict[UUID, str]:
    """The access tokens of some users with a session, by user id."""
    statement = (
        "SELECT id, user_id FROM auth_session WHERE $1::uuid[] IS NULL OR user_id = ANY($1) ORDER BY id LIMIT $2"
    )
    rows = await connection.fetch(statement, users and [*users], limit)
    signer = AccessTokens(SECRET)
    return {row["user_id"]: signer.sign(row["user_id"], row["id"], _DAY) for row in rows}


async def _insert_chunks(connection: Any, maps: list[tuple[UUID, UUID]], chunks: Mapping[Any, list[str]]) -> None:
    await connection.executemany(
        "INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows) VALUES ($1, $2, $3, $4, $5, $6)",
        [(*one, *key, orjson.dumps(rows).decode()) for one in maps for key, rows in chunks.items()],
    )


async def _join_many(url: str, folder: Path) -> tuple[Keys, Keys]:
    """Make some users players in many universes; returns the workloads of these and of other users."""
    dice = random.Random(7)
    connection = await asyncpg.connect(url)
    try:
        tokens = await _tokens(connection, 2 * LISTERS)
        users = [*tokens]
        many, few = users[:LISTERS], users[LISTERS : 2 * LISTERS]
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM universe TABLESAMPLE BERNOULLI (1)")]
        for user_id in many:
            missing = MANY_UNIVERSES - await connection.fetchval(
                "SELECT count(*) FROM member WHERE user_id = $1", user_id
            )
            await connection.executemany(
                "INSERT INTO member (universe_id, user_id, role) VALUES ($1, $2, 'player') ON CONFLICT DO NOTHING",
                [(one, user_id) for one in dice.sample(ids, min(max(missing, 0), len(ids)))],
            )
        await connection.execute("ANALYZE member")
    finally:
        await connection.close()
    return tuple(
        keys_of(name, [("/universes", tokens[user_id]) for user_id in chosen], folder)
        for name, chosen in ((f"list, in {MANY_UNIVERSES}", many), ("list, in 25", few))
    )  # type: ignore[return-value] - of the two above


async def _store_large(url: str) -> None:
    """Store a large map for each reader."""
    empty = {"width": SIDE, "height": SIDE, "legend": [{"symbol": ".", "name": "floor"}]}
    frame, _ = split({**empty, "layers": [{"name": "ground", "rows": [" " * SIDE] * SIDE}]})
    rows = orjson.dumps(["." * 64] * 64).decode()
    connection = await asyncpg.connect(url)
    try:
        for universe in await connection.fetch("SELECT id FROM universe ORDER BY id DESC LIMIT $1", READERS):
            map_id = uuid7()
            await connection.execute(
                "INSERT INTO map (id, universe_id, name, description, grid_data, width, height)"
                " VALUES ($1, $2, 'Large', '', $3, $4, $4)",
                map_id,
                universe["id"],
                orjson.dumps(frame).decode(),
                SIDE,
            )
            await connection.execute(
                "INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)"
                " SELECT $1, $2, 0, x, y, cast($3::text AS jsonb)"
                " FROM generate_series(0, $4) x, generate_series(0, $4) y",
                universe["id"],
                map_id,
                rows,
                SIDE // 64 - 1,
                timeout=120,
            )
    finally:
        await connection.close()


async def _large(url: str) -> list[tuple[str, str]]:
    """The large maps, each with an access token of its owner."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT m.id, u.owner_id FROM map m JOIN universe u ON u.id = m.universe_id WHERE m.name = 'Large'"
        )
        tokens = await _tokens(connection, users={row["owner_id"] for row in found})
    finally:
        await connection.close()
    return [(f"/maps/{row['id']}", tokens[row["owner_id"]]) for row in found]


def _longest_wait(one: Running, readers: list[tuple[str, str]]) -> float:
    """The longest time of `/health`, in milliseconds, while each reader reads its map; the median of three."""
    return median(_one_wait(one, readers) for _ in range(3))


def _one_wait(one: Running, readers: list[tuple[str, str]]) -> float:
    base, sizes, longest = f"http://127.0.0.1:{one.port}", [], 0.0

    def read(path: str, token: str) -> None:
        request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
        for _ in range(_ATTEMPTS):
            # On a busy machine, a reader may get a 503.
            with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=60) as answer:
                size = 0
                while part := answer.read(1 << 20):
                    size += len(part)
                sizes.append(size)
                return
            time.sleep(1)

    threads = [Thread(target=read, args=pair) for pair in readers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        began = time.perf_counter()
        with urllib.request.urlopen(f"{base}/health", timeout=60) as answer:
            answer.read()
        longest = max(longest, time.perf_counter() - began)
        time.sleep(0.002)
    if len(sizes) < len(readers) or min(sizes) < SIDE * SIDE:
        raise RuntimeError("a large map was not read whole")
    return longest * 1000
