"""`python -m bench.notes`: the time of searches in many notes of a universe. Writes bench/NOTES.md."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import asyncpg
import httpx2

from bench.__main__ import free_port, machine, say
from bench.maps import Line, timed, wait_for
from game.core.embedded import running as postgresql

HERE = Path(__file__).parent
NOTES = 100_000
_TIMES = 40
_WORDS = [
    "bell",
    "river",
    "goblin",
    "letter",
    "priory",
    "tide",
    "salt",
    "map",
    "door",
    "brother",
    "silver",
    "hill",
]
_INSERT = """
    INSERT INTO note (universe_id, id, title, body, grants)
    SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[])
"""


async def fill(url: str, universe_id: UUID, count: int, player_id: str) -> None:
    """Notes of 40 words: common ones, one that is in every thousandth note, and a unique one. The player may read
    every tenth note."""
    chance, connection = random.Random(7), await asyncpg.connect(url)
    for start in range(0, count, 5_000):
        numbers = range(start, min(start + 5_000, count))
        bodies = [
            " ".join([f"single{n}", f"rare{n % 1000}", "the", *chance.choices(_WORDS, k=37)]) for n in numbers
        ]
        grants = [f'{{"{player_id}": ["see"]}}' if n % 10 == 0 else "{}" for n in numbers]
        titles = [f"Note {n}" for n in numbers]
        await connection.execute(_INSERT, universe_id, [uuid4() for _ in numbers], titles, bodies, grants)
    await connection.execute("ANALYZE note")
    await connection.close()


async def log_in(client: httpx2.AsyncClient) -> str:
    """Create an account, and log in with it; returns its id."""
    fields = {"email": f"{uuid4().hex}@example.com", "password": "correct horse battery"}
    user = await client.post("/auth/register", json=fields)
    form = {"username": fields["email"], "password": fields["password"]}
    token = (await client.post("/auth/jwt/login", data=form)).json()["access_token"]
    client.headers["authorization"] = f"Bearer {token}"
    return str(user.json()["id"])


async def measure(base: str, url: str) -> list[Line]:
    """The median times of searches, by a game master and by a player who may read every tenth note."""
    async with (
        httpx2.AsyncClient(base_url=base, timeout=60) as owner,
        httpx2.AsyncClient(base_url=base, timeout=60) as player,
    ):
        await log_in(owner)
        player_id = await log_in(player)
        universe_id = (await owner.post("/universes", json={"name": "Here"})).json()["id"]
        code = (await owner.post(f"/universes/{universe_id}/invitations", json={"role": "player"})).json()["code"]
        await player.post(f"/invitations/{code}/accept")
        # The same number of notes, with the same words, in another universe.
        other = (await owner.post("/universes", json={"name": "There"})).json()["id"]
        for one in (universe_id, other):
            await fill(url, UUID(one), NOTES, player_id)
        lines = []
        for q, about in (
            ("", "nothing"),
            ("single50000", "a word of one note"),
            ("rare500", "a word of 100 notes"),
            ("rare50 goblin", "two words, one of them usual"),
            ("the", "a word of every note"),
            ("nowhere", "a word of no note"),
        ):
            taken = []
            for client in (owner, player):
                ask = partial(client.get, f"/universes/{universe_id}/notes", params={"q": q} if q else {})
                await ask()
                taken.append(median([await timed(ask) for _ in range(_TIMES)]))
            lines.append((f"{about} (`{q}`)", *(f"{one:.1f} ms" for one in taken)))
    return lines


def main() -> None:
    """Measure, print and write bench/NOTES.md."""
    with tempfile.TemporaryDirectory(prefix="worldkeep-bench-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o711)
        with postgresql(folder) as url:
            command = [sys.executable, "-m", "game", "serve", "--port", str(port)]
            environment = {"DATABASE_URL": url, "WORLDKEEP_DATA_DIR": name, "WORLDKEEP_LOG_FORMAT": "json"}
            with (
                (folder / "log").open("wb") as log,
                subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log) as server,
            ):
                try:
                    wait_for(f"http://127.0.0.1:{port}")
                    lines = asyncio.run(measure(f"http://127.0.0.1:{port}", url))
                finally:
                    server.terminate()
    head = ["| search for | game master | player who reads one in ten |", "|---|--:|--:|"]
    text = "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines), ""])
    say(text)
    about = (
        f"The median of {_TIMES} searches among {NOTES:,} notes of a universe, in a database with as many notes "
        "of another. The target is 50 ms. The first row is a list without a search, for comparison."
    )
    (HERE / "NOTES.md").write_text(
        f"# Searching notes, measured by `python -m bench.notes`\n\n{machine()}\n\n{about}\n\n{text}"
    )


if __name__ == "__main__":
    main()
