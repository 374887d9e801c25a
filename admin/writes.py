"""The admin's writes, through the domains' queries, so that each write is one event and one version, as through
the API.

Permissions are those of the user's role in `game.permissions`; a superuser has that role in every universe.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from admin.scope import person
from game.core.errors import PreconditionFailed
from game.core.versions import Versioned
from game.maps import changes
from game.maps import queries as maps
from game.universes import access
from game.universes import queries as universes


def require_version(version: int | None, row: Versioned) -> None:
    """Check that a row still has the version that the form was opened with; None means any version.

    Raises:
        PreconditionFailed: it has changed.
    """
    if version is not None and version != row.version:
        raise PreconditionFailed(row.version)


async def create_universe(session: AsyncSession, fields: Mapping[str, Any]) -> UUID:
    """Create a universe that the user owns; returns its id."""
    return (await universes.create(session, person(), fields)).universe.id


async def change_universe(
    session: AsyncSession, universe_id: UUID, version: int | None, fields: Mapping[str, Any]
) -> None:
    """Change a universe."""
    locked = (await access.lock(session, person(), {universe_id: "updateUniverse"}))[universe_id]
    require_version(version, locked.universe)
    await universes.change(session, locked, fields)


async def remove_universe(session: AsyncSession, universe_id: UUID, version: int | None) -> None:
    """Delete a universe with its maps."""
    locked = (await access.lock(session, person(), {universe_id: "deleteUniverse"}))[universe_id]
    require_version(version, locked.universe)
    await universes.remove(session, locked)


async def create_map(session: AsyncSession, universe_id: UUID, fields: Mapping[str, Any]) -> UUID:
    """Create a map in a universe; returns its id."""
    locked = (await access.lock(session, person(), {universe_id: "createMap"}))[universe_id]
    return (await changes.create(session, locked, fields)).row.id


async def change_map(
    session: AsyncSession, map_id: UUID, version: int | None, universe_id: UUID, fields: Mapping[str, Any]
) -> None:
    """Change a map, and move it when the universe is another one."""
    found, target = await maps.get_to_move(session, person(), map_id, "updateMap", universe_id)
    require_version(version, found.row)
    await changes.change(session, found, fields, target)


async def remove_map(session: AsyncSession, map_id: UUID, version: int | None) -> None:
    """Delete a map."""
    found = await maps.get_to_change(session, person(), map_id, "deleteMap")
    require_version(version, found.row)
    await changes.remove(session, found)
