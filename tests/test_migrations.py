"""The migrations, on real databases: they make what the models say, can be undone, and run one at a time."""

import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from sqlmodel import SQLModel

from game.core import schema
from game.core.embedded import binary
from tests.conftest import game

VERSIONS = schema.ROOT / "migrations" / "versions"


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    """A database that was migrated by the real migrations."""
    return new_database()


def ask(url: str, sql: str) -> list[str]:
    """The lines of psql's answer, sorted."""
    done = subprocess.run(
        [binary("psql"), "-XAtq", "-d", url, "-c", sql], capture_output=True, text=True, check=True
    )
    return sorted(done.stdout.splitlines())


TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
TYPES = (
    "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype <> 'c' AND typelem = 0"
)
ROUTINES = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
EXTENSIONS = "SELECT extname FROM pg_extension"


class TestUpgrade:
    def test_makes_what_the_models_say(self, url: str) -> None:
        """`alembic check`: no difference between the models and the migrated database."""
        command.check(schema.config(url))

    def test_check_sees_a_difference(self, url: str) -> None:
        ask(url, "ALTER TABLE map DROP COLUMN scene_key")
        with pytest.raises(Exception, match=r"New upgrade operations detected.*scene_key"):
            command.check(schema.config(url))

    def test_tables_and_nothing_else(self, url: str) -> None:
        assert ask(url, TABLES) == sorted([*SQLModel.metadata.tables, "alembic_version"])
        # The embedded PostgreSQL has no others, and another may not let us make them.
        assert ask(url, EXTENSIONS) == ["plpgsql"]

    def test_twice_changes_nothing(self, url: str) -> None:
        schema.upgrade(url)
        command.check(schema.config(url))

    def test_at_once(self, tmp_path: Path, new_database: Callable[..., str]) -> None:
        """Several migrations of one empty database at once: one works, the others wait, all succeed."""
        url = new_database(empty=True)
        with ThreadPoolExecutor(3) as threads:
            done = list(threads.map(lambda _: game(tmp_path, "migrate", DATABASE_URL=url), range(3)))
        assert [one.returncode for one in done] == [0] * 3, [one.stderr for one in done]
        command.check(schema.config(url))


class TestDowngrade:
    def test_to_nothing_and_up_again(self, url: str) -> None:
        command.downgrade(schema.config(url), "base")
        assert ask(url, TABLES) == ["alembic_version"]
        assert ask(url, TYPES) == ask(url, ROUTINES) == []
        schema.upgrade(url)
        command.check(schema.config(url))


class TestFiles:
    @pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda path: path.stem)
    def test_is_dated_and_needs_no_models(self, path: Path) -> None:
        """A migration is a step of the past: it may not change with the code."""
        assert re.fullmatch(r"\d{4}_\d\d_\d\d_[a-z0-9_]+\.py", path.name)
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) (game|seed|sqlmodel)\b", text, re.MULTILINE)
        assert "sqlmodel" not in text

    def test_one_head(self) -> None:
        head = schema.head_revision()
        assert head is not None
        assert schema.is_known(head)
        assert not schema.is_known("9999")
