"""Writing in the admin: through the domains, so that each write is one event and one version, as through the API.

Game masters write what is theirs. A superuser may write everything: then the rows are looked for as their game
master sees them, and the event names the superuser.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from admin.scope import person
from game.accounts.models import User
from game.core.errors import NotFound, PreconditionFailed
from game.core.versions import Versioned
from game.maps import queries as maps
from game.maps.models import Map
from game.universes import queries as universes
from game.universes.models import Universe


async def game_master(session: AsyncSession, universe_id: UUID) -> User:
    """The owner of a universe that the person may see.

    Raises:
        NotFound: there is none such for this person.
    """
    statement = select(User).join(Universe, col(Universe.owner_id) == col(User.id))
    owner = (await session.execute(statement.where(col(Universe.id) == universe_id))).scalar_one_or_none()
    if owner is None:
        raise NotFound
    return owner


async def game_master_of_map(session: AsyncSession, map_id: UUID) -> User:
    """The owner of the universe of a map that the person may see.

    Raises:
        NotFound: there is none such for this person.
    """
    home = (await session.execute(select(col(Map.universe_id)).where(col(Map.id) == map_id))).scalar_one_or_none()
    if home is None:
        raise NotFound
    return await game_master(session, home)


def require_version(version: int | None, row: Versioned) -> None:
    """Go on only when a row still has the version that the form was made from; None: whatever it has.

    Raises:
        PreconditionFailed: somebody else was faster.
    """
    if version is not None and version != row.version:
        raise PreconditionFailed(row.version)


async def create_universe(session: AsyncSession, fields: Mapping[str, Any]) -> UUID:
    """A new universe of the person's; its id."""
    return (await universes.create(session, person(), fields)).id


async def change_universe(
    session: AsyncSession, universe_id: UUID, version: int | None, fields: Mapping[str, Any]
) -> None:
    """Change a universe."""
    owner = await game_master(session, universe_id)
    universe = await universes.get(session, owner, universe_id, lock=True)
    require_version(version, universe)
    await universes.change(session, person(), universe, fields)


async def remove_universe(session: AsyncSession, universe_id: UUID, version: int | None) -> None:
    """Delete a universe with its maps."""
    owner = await game_master(session, universe_id)
    universe = await universes.get(session, owner, universe_id, lock=True)
    require_version(version, universe)
    await universes.remove(session, person(), universe)


async def create_map(session: AsyncSession, universe_id: UUID, fields: Mapping[str, Any]) -> UUID:
    """A new map in a universe; its id."""
    owner = await game_master(session, universe_id)
    universe = await universes.get(session, owner, universe_id, lock=True)
    return (await maps.create(session, person(), universe, fields)).id


async def change_map(
    session: AsyncSession, map_id: UUID, version: int | None, universe_id: UUID, fields: Mapping[str, Any]
) -> None:
    """Change a map, and move it when the universe is another one."""
    owner = await game_master_of_map(session, map_id)
    row, _, target = await maps.get_to_move(session, owner, map_id, universe_id)
    require_version(version, row)
    await maps.change(session, person(), row, fields, target)


async def remove_map(session: AsyncSession, map_id: UUID, version: int | None) -> None:
    """Delete a map."""
    owner = await game_master_of_map(session, map_id)
    row, _ = await maps.get_to_change(session, owner, map_id)
    require_version(version, row)
    await maps.remove(session, person(), row)
