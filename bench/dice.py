"""`python -m bench.dice`: rolls beside one-cell edits, the worst expressions, lists of messages.

It needs wrk, and writes bench/DICE.md.
"""

import asyncio
import os
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated
from uuid import UUID

import asyncpg
import typer

from bench import data
from bench.__main__ import database, free_port, machine, say
from bench.contenders import SECRET, running, worldkeep
from bench.data import Keys, keys_of
from bench.load import load
from game.dice.drawing import Drawing
from game.dice.evaluation import evaluate
from game.dice.parser import parse

HERE = Path(__file__).parent
CONNECTIONS = 32
WORST = [
    "1000d1000",
    "999d2!+d6",
    "1000d1000" + "".join(f"kh{1000 - n}" for n in range(8)),
    "500d2rr1ro2mi1ma2!kh999",
    "1d1000rr<1000",
    "+".join(["15d6kh3!"] * 22),
    "(1+" * 32 + "15d20" + ")" * 32,
    "1+" * 99 + "10",
]
_FILL = """
    INSERT INTO message (universe_id, id, actor_id, text, created_at)
    SELECT $1, (lpad(to_hex(1790000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, $2,
        'A message of a usual length, number ' || n, now()
    FROM generate_series(1, $3::int) n
"""


async def _lists(url: str, folder: Path) -> list[Keys]:
    """Workloads for the last messages of a universe with 1,000 messages, and of one with 1,000,000."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT id, owner_id FROM universe ORDER BY id OFFSET 200 LIMIT 2")
        workloads = []
        for row, count in zip(rows, (1_000, 1_000_000), strict=True):
            await connection.execute(_FILL, row["id"], row["owner_id"], count, timeout=600)
            token = await _token(connection, row["owner_id"])
            path = f"/universes/{row['id']}/messages?limit=50"
            workloads.append(keys_of(f"50 of {count} messages", [(path, token)], folder))
        await connection.execute("VACUUM ANALYZE message", timeout=600)
    finally:
        await connection.close()
    return workloads


async def _token(connection: asyncpg.Connection, user_id: UUID) -> str:
    session_id = await connection.fetchval("SELECT id FROM auth_session WHERE user_id = $1 LIMIT 1", user_id)
    return data.AccessTokens(SECRET).sign(user_id, session_id, 86400)


async def _rolls(url: str, edits: list[Keys], folder: Path) -> list[Keys]:
    """Workloads for rolls in the universes of the edited maps."""
    connection = await asyncpg.connect(url)
    try:
        workloads = []
        for keys in edits:
            ids = [UUID(path.split("/")[2]) for path, _ in keys.pairs]
            homes = dict(await connection.fetch("SELECT id, universe_id FROM map WHERE id = ANY($1)", ids))
            pairs = [
                (f"/universes/{homes[one]}/rolls", token) for one, (_, token) in zip(ids, keys.pairs, strict=True)
            ]
            place = "32 universes" if len(pairs) > 1 else "one universe"
            workloads.append(keys_of(f"rolls in {place}", pairs, folder, "rolls.lua"))
    finally:
        await connection.close()
    return workloads


def expressions() -> list[str]:
    """A table of the times for parsing and rolling the most expensive expressions."""
    lines = ["| expression | ms |", "|---|--:|"]
    for expression in WORST:
        took = []
        for _ in range(15):
            began = time.process_time()
            evaluate(parse(expression), Drawing(os.urandom(32)))
            took.append(time.process_time() - began)
        shown = expression if len(expression) < 40 else f"{expression[:37]}..."
        lines.append(f"| `{shown}` | {median(took) * 1000:.2f} |")
        say(lines[-1])
    return lines


def main(
    rounds: Annotated[int, typer.Option(help="Number of rounds; the medians are reported.")] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds of load per round.")] = 5,
) -> None:
    """Measure dice and messages."""
    os.environ |= {"WORLDKEEP_LIMIT_ROLL": "900000/second"}
    table = expressions()
    with ExitStack() as stack:
        folder, url = database(stack, 40, 200)
        edits = asyncio.run(data.choose_edits(url, SECRET, folder))
        workloads = [*edits, *asyncio.run(_rolls(url, edits, folder)), *asyncio.run(_lists(url, folder))]
        ours = stack.enter_context(running(worldkeep(), free_port(), url, folder))
        rates: dict[str, list[tuple[float, float, float]]] = {}
        for number in range(rounds):
            for keys in workloads:
                try:
                    figures = load(ours.port, keys, CONNECTIONS, seconds)
                except RuntimeError as error:
                    # On a busy machine, a full connection pool causes a 503.
                    say(f"  round {number + 1}  {keys.name}: {error}")
                    continue
                rates.setdefault(keys.name, []).append((figures.rate, figures.p50, figures.p99))
                say(f"  round {number + 1}  {keys.name:<28}{figures.rate:>9,.0f}/s  p50 {figures.p50:.2f} ms")
    lines = ["| | a second | p50 ms | p99 ms |", "|---|--:|--:|--:|"]
    for name, measured in rates.items():
        rate, p50, p99 = (median(column) for column in zip(*measured, strict=True))
        lines.append(f"| {name} | {rate:,.0f} | {p50:.2f} | {p99:.2f} |")
    head = f"{datetime.now(UTC):%Y-%m-%d}. {machine()}. Load average at the end: {os.getloadavg()[0]:.1f}."
    parts = ["# Results of `python -m bench.dice`", "", head, ""]
    parts += [f"## {CONNECTIONS} connections, one worker, wrk", "", *lines, "", "## Expressions", "", *table, ""]
    text = "\n".join(parts)
    say(f"\n{text}")
    (HERE / "DICE.md").write_text(text)


if __name__ == "__main__":
    typer.run(main)
