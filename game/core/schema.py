"""The database's schema: brought up to date by the migrations, which Alembic runs."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ROOT = Path(__file__).resolve().parents[2]


def config(url: str = "") -> Config:
    """Alembic's configuration for a database."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    # A percent sign in a password would be an interpolation.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


@cache
def head_revision() -> str | None:
    """The revision of the newest migration."""
    return ScriptDirectory.from_config(config()).get_current_head()


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision that a database is at; None for one that was never migrated."""
    if not await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_known(revision: str) -> bool:
    """Whether a revision is one of ours; one that is not comes from a newer version."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(config()).walk_revisions())


def upgrade(url: str) -> None:
    """Bring a database up to date. Several at once: one works, the others wait."""
    command.upgrade(config(url), "head")
