"""Edits side by side: a cell, its event, version and counter; PostgreSQL's own tool sends the same statements."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import median

import asyncpg

from bench import data
from bench.contenders import SECRET, Running
from bench.data import Keys
from bench.load import load
from game.core.embedded import binary

CLIENTS = 32
PGBENCH = "pgbench, the same statements"
_HEAD = [
    "| | edits/s, 32 connections | rate of the first row, relative | p50 ms | p99 ms "
    "| CPU seconds a million edits | lost |",
    "|---|--:|--:|--:|--:|--:|--:|",
]
_TABLES = f"""
    DROP TABLE IF EXISTS bench_universe, bench_version, bench_chunk, bench_event;
    CREATE TABLE bench_universe (id int PRIMARY KEY, event_seq bigint);
    CREATE TABLE bench_version (id int PRIMARY KEY, version int, updated_at timestamptz);
    CREATE TABLE bench_chunk (id int PRIMARY KEY, rows jsonb);
    CREATE TABLE bench_event (id int, seq bigint, payload jsonb, before jsonb, PRIMARY KEY (id, seq));
    INSERT INTO bench_universe SELECT n, 0 FROM generate_series(0, {CLIENTS - 1}) n;
    INSERT INTO bench_version SELECT n, 1, now() FROM generate_series(0, {CLIENTS - 1}) n;
    INSERT INTO bench_chunk SELECT n, (SELECT jsonb_agg(repeat('.', 64)) FROM generate_series(1, 64))
    FROM generate_series(0, {CLIENTS - 1}) n;
"""
_TRANSACTION = """\\set x random(1, 64)
\\set y random(0, 63)
BEGIN;
UPDATE bench_universe SET event_seq = event_seq + 1 WHERE id = {who} RETURNING event_seq AS seq \\gset
UPDATE bench_version SET version = version + 1, updated_at = clock_timestamp() WHERE id = {who};
UPDATE bench_chunk SET rows = jsonb_set(rows, ARRAY[:y::text],
    to_jsonb(overlay(rows->>:y placing '#' from :x for 1))) WHERE id = {who};
INSERT INTO bench_event VALUES ({who}, :seq, '{{"cells": 1}}', '{{"runs": [[1, 2, 1, "#", "."]]}}');
COMMIT;
"""


def pgbench(url: str, folder: Path, seconds: float, maps: int) -> float:
    """Transactions per second on separate tables with only primary keys, without authentication."""
    script = folder / "edit.sql"
    script.write_text(_TRANSACTION.format(who=":client_id" if maps > 1 else "0"))
    command = [
        binary("pgbench"),
        "-n",
        "-c",
        str(CLIENTS),
        "-j",
        "2",
        "-T",
        str(round(seconds)),
        "-f",
        script,
        url,
    ]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(next(line for line in out.splitlines() if line.startswith("tps")).split()[2])


async def _prepare(url: str, folder: Path) -> list[Keys]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_TABLES)
    finally:
        await connection.close()
    return await data.choose_edits(url, SECRET, folder)


async def _versions(url: str, keys: Keys) -> int:
    """The sum of the versions of the maps, which each edit increments by one."""
    connection = await asyncpg.connect(url)
    try:
        ids = [path.split("/")[2] for path, _ in keys.pairs]
        return int(await connection.fetchval("SELECT sum(version) FROM map WHERE id = ANY($1::uuid[])", ids))
    finally:
        await connection.close()


def side_by_side(
    contenders: dict[str, Running], url: str, folder: Path, rounds: int, seconds: float, say: Callable[[str], None]
) -> str:
    """Load all contenders in interleaved rounds. Returns a table for 32 maps and one for one map, with the medians
    of all rounds."""
    lines = []
    for keys in asyncio.run(_prepare(url, folder)):
        measured: dict[str, list[tuple[float, ...]]] = {}
        lost = dict.fromkeys(contenders, 0)
        for one in contenders.values():
            load(one.port, keys, CLIENTS, 1)
        for number in range(rounds):
            for name, one in contenders.items():
                cpu, versions = one.cpu_seconds(), asyncio.run(_versions(url, keys))
                figures = load(one.port, keys, CLIENTS, seconds)
                cost = (one.cpu_seconds() - cpu) / figures.requests * 1e6
                # More edits may have been carried out than responses received, because wrk stops with requests in
                # flight.
                lost[name] += max(0, figures.requests - (asyncio.run(_versions(url, keys)) - versions))
                measured.setdefault(name, []).append((figures.rate, figures.p50, figures.p99, cost))
            measured.setdefault(PGBENCH, []).append((pgbench(url, folder, seconds, len(keys.pairs)),))
            rates = ", ".join(f"{name} {taken[-1][0]:,.0f}/s" for name, taken in measured.items())
            say(f"  round {number + 1}  {keys.name}: {rates}")
        lines += [f"### {keys.name}", "", *_HEAD]
        first = 0.0
        for name, taken in measured.items():
            rate, *rest = (median(column) for column in zip(*taken, strict=True))
            first = first or rate
            cells = [f"{one:.{digits}f}" for one, digits in zip(rest, (2, 2, 0), strict=False)] or [""] * 3
            lines.append(
                f"| {name} | {rate:,.0f} | {first / rate:.2f} | {' | '.join(cells)} | {lost.get(name, '')} |"
            )
        lines.append("")
    return "\n".join(lines)
