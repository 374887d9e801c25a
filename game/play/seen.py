"""A map as a viewer sees it, for a function in a compute process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.compute import TooLarge
from game.core.errors import documented
from game.core.fair_semaphore import TooMuchAtOnce
from game.maps import fogged
from game.maps import queries as maps
from game.maps.loading import frame_of, loader
from game.maps.queries import Found
from game.play import work
from game.play.work import UnfoggedMap

HEAVY = documented(TooLarge, TooMuchAtOnce)
"""The errors of endpoints that use compute processes."""


class MapAsSeen(NamedTuple):
    """A map as a viewer sees it, and a function that loads parts of it for a compute process."""

    found: Found
    seen: work.Map
    load: Callable[[Any], Awaitable[Any]]


async def map_as_seen(
    session: AsyncSession,
    user: User,
    map_id: UUID,
    operation: str,
    as_id: UUID | None = None,
    view: Any = fogged.view_map,
) -> MapAsSeen:
    """A map as the user sees it or, for a game master, as a member sees it. In a transaction that already has a
    snapshot, `view` is `fogged.view_map_in_snapshot`.

    Raises:
        NotFound, Forbidden, Unprocessable: as `maps.get` does.
    """
    found = await maps.get(session, user, map_id, operation, with_grid=False, as_id=as_id)
    if not found.has_fog:
        stored = await frame_of(session, found)
        return MapAsSeen(found, UnfoggedMap(stored, not found.access.is_game_master), loader(session, found.row))
    fog = await view(session, user, map_id, operation, as_id)
    packed = await asyncio.to_thread(lambda: fog.packed)
    return MapAsSeen(fog.found, packed, fogged.loader(session, fog))
