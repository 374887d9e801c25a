"""The data of the benchmarks: accounts with sessions, 25 universes each, and maps of 64 x 64 cells."""

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from game.accounts.tokens import AccessTokens
from game.grid.chunks import split

UNIVERSES_EACH = 25
_KEYS = 2000
_TEXT = "Salt marsh, old gods, and a road that sinks a little more with every spring. " * 3

_FILL = f"""
    INSERT INTO account (id, email, hashed_password, display_name, is_active, is_superuser, is_verified)
    SELECT uuidv7(), 'player' || n || '@example.com', '', 'Player ' || n, true, false, true
    FROM generate_series(1, %(accounts)s) n;

    INSERT INTO auth_session
        (id, user_id, refresh_hash, user_agent, ip_address, created_at, last_used_at, expires_at)
    SELECT uuidv7(), id, '', 'bench', '127.0.0.1', now(), now(), now() + interval '30 days' FROM account;

    -- The first universe of each account, then the second one, so that rows of one owner are not adjacent.
    INSERT INTO universe (id, owner_id, name, description)
    SELECT uuidv7(), a.id, 'World ' || n, '{_TEXT}' FROM generate_series(1, {UNIVERSES_EACH}) n, account a;

    INSERT INTO member (universe_id, user_id, role) SELECT id, owner_id, 'owner' FROM universe;

    INSERT INTO map (id, universe_id, name, description, grid_data, width, height)
    SELECT uuidv7(), u.id, 'Map of ' || u.name, '{_TEXT}', s.frame, 64, 64
    FROM (SELECT id, name, row_number() OVER (ORDER BY id) AS n FROM universe LIMIT %(maps)s) u
    JOIN sample s ON s.n = u.n %% 8;

    INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)
    SELECT m.universe_id, m.id, 0, 0, 0, s.rows
    FROM map m JOIN sample s ON s.n = abs(hashtext(m.id::text)) %% 8;
"""
_DOCUMENTS = """
    CREATE TABLE bench_map AS
    SELECT m.id, m.universe_id, m.name, m.description,
        jsonb_set(grid_data, '{layers,0,rows}', c.rows) AS grid_data, m.version, m.created_at, m.updated_at
    FROM map m JOIN map_chunk c ON c.universe_id = m.universe_id AND c.map_id = m.id ORDER BY m.id;
    ALTER TABLE bench_map ADD PRIMARY KEY (id);
    CREATE INDEX ON bench_map (universe_id, id);
"""


@dataclass
class Keys:
    """The requests of a workload: (path, token) pairs of many users; `script` is the script for wrk."""

    name: str
    pairs: list[tuple[str, str]]
    file: Path
    script: str = "load.lua"


def _waves(x: int, y: int, seed: int) -> float:
    return math.sin(x / 5 + seed) + math.cos(y / 7 - seed) + math.sin((x + y) / 11)


def _maps() -> list[dict[str, Any]]:
    """Eight slightly different maps of caves."""
    documents = []
    for seed in range(8):
        rows = ["".join("#~.,"[min(3, int((_waves(x, y, seed) + 3) * 0.7))] for x in range(64)) for y in range(64)]
        documents.append(
            {
                "width": 64,
                "height": 64,
                "grid_type": "square",
                "legend": [
                    {"symbol": "#", "name": "rock", "color": "#5b5348", "blocks_movement": True},
                    {"symbol": "~", "name": "water", "color": "#4f7cac", "movement_cost": 2},
                    {"symbol": ".", "name": "floor", "color": "#cfc6b0"},
                    {"symbol": ",", "name": "moss", "color": "#7c9a5e"},
                ],
                "layers": [{"name": "ground", "rows": rows}],
                "entities": [
                    {"id": f"bat-{n}", "kind": "monster", "name": "Bat", "x": 5 * n, "y": 3 * n} for n in range(8)
                ],
            }
        )
    return documents


async def fill(url: str, accounts: int, maps: int) -> None:
    """Fill a migrated, empty database.

    Maps are stored twice: in chunks, and as whole documents (`bench_map`) for the alternatives.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TEMPORARY TABLE sample (n int, frame jsonb, rows jsonb)")
        for number, (frame, chunks) in enumerate(map(split, _maps())):
            texts = (orjson.dumps(part).decode() for part in (frame, chunks[0, 0, 0]))
            await connection.execute("INSERT INTO sample VALUES ($1, $2, $3)", number, *texts)
        await connection.execute(_FILL % {"accounts": accounts, "maps": maps} + _DOCUMENTS, timeout=3600)
        await connection.execute("VACUUM ANALYZE", timeout=3600)
        await connection.execute("CHECKPOINT", timeout=3600)
    finally:
        await connection.close()


async def choose_keys(url: str, secret: str, folder: Path, people: int = _KEYS) -> list[Keys]:
    """The requests of each workload, from a number of users spread over the database; the same in each run."""
    tokens, dice = AccessTokens(secret), random.Random(5)
    connection = await asyncpg.connect(url)
    try:
        sessions = await connection.fetch("SELECT id, user_id FROM auth_session ORDER BY id")
        chosen = dice.sample(sessions, min(people, len(sessions)))
        users = {row["user_id"]: tokens.sign(row["user_id"], row["id"], 86400) for row in chosen}
        universes = await connection.fetch(
            "SELECT owner_id, id FROM universe WHERE owner_id = ANY($1) ORDER BY id", list(users)
        )
        maps = await connection.fetch(
            "SELECT u.owner_id, m.id FROM map m JOIN universe u ON u.id = m.universe_id "
            "WHERE u.owner_id = ANY($1) ORDER BY m.id",
            list(users),
        )
    finally:
        await connection.close()
    pairs = {
        "universe": [
            (f"/universes/{row['id']}", users[row["owner_id"]])
            for row in dice.sample(universes, min(_KEYS, len(universes)))
        ],
        "list of 20": [("/universes", token) for token in users.values()],
        "map 64 x 64": [
            (f"/maps/{row['id']}", users[row["owner_id"]]) for row in dice.sample(maps, min(_KEYS, len(maps)))
        ],
    }
    return [keys_of(name, chosen_pairs, folder) for name, chosen_pairs in pairs.items()]


def keys_of(name: str, pairs: list[tuple[str, str]], folder: Path, *script: str) -> Keys:
    """A workload of these pairs, also as a file for wrk."""
    file = folder / f"{len(pairs)}-{name.replace(' ', '-')}.keys"
    file.write_text("".join(f"{path} {token}\n" for path, token in pairs))
    return Keys(name, pairs, file, *script)


async def choose_edits(url: str, secret: str, folder: Path) -> list[Keys]:
    """Maps for edits, filled with floor: one map, and 32 maps of different universes."""
    tokens = AccessTokens(secret)
    connection = await asyncpg.connect(url)
    try:
        maps = await connection.fetch(
            "SELECT DISTINCT ON (u.id) m.id, s.user_id, s.id AS session_id FROM map m"
            " JOIN universe u ON u.id = m.universe_id JOIN auth_session s ON s.user_id = u.owner_id"
            " ORDER BY u.id LIMIT 33"
        )
        floor = orjson.dumps(["." * 64] * 64).decode()
        ids = [row["id"] for row in maps]
        await connection.execute("UPDATE map_chunk SET rows = $1 WHERE map_id = ANY($2)", floor, ids)
    finally:
        await connection.close()
    pairs = [(f"/maps/{row['id']}/edits", tokens.sign(row["user_id"], row["session_id"], 86400)) for row in maps]
    return [
        keys_of("one-cell edits of 32 maps", pairs[1:], folder, "edits.lua"),
        keys_of("one-cell edits of one map", pairs[:1], folder, "edits.lua"),
    ]
