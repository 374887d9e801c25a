"""The database's schema, and its migrations with Alembic."""

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
    # A percent sign in a password would be read as an interpolation.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


@cache
def head_revision() -> str | None:
    """The revision of the newest migration."""
    return ScriptDirectory.from_config(config()).get_current_head()


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision of a database; None if it was never migrated."""
    if not await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_known(revision: str) -> bool:
    """Whether a revision is known; unknown ones come from a newer version."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(config()).walk_revisions())


def upgrade(url: str) -> None:
    """Migrate a database to the newest revision. If several processes do this at the same time, one migrates and
    the others wait."""
    command.upgrade(config(url), "head")
