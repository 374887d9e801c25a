"""Reads the fog, and carries out game masters' changes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.errors import FieldError, Unprocessable
from game.core.tags import players_tag
from game.core.versions import Tagged
from game.events import queries as events
from game.fog import changes
from game.fog.models import PARTY, FogArea, FogSharing
from game.fog.queries import members
from game.grid.cell_sets import Cells, polygon, rectangle
from game.grid.geometry import Grid
from game.maps import fogged
from game.maps import queries as maps
from game.maps.models import Map
from game.permissions import GAME_MASTERS

Change = Callable[[AsyncSession, Map, Cells, list[UUID]], Awaitable[None]]


async def read(session: AsyncSession, user: User, map_id: UUID, as_id: UUID | None) -> Tagged:
    """What the user sees of a map: the body of a response, and its tag.

    Raises:
        NotFound, Forbidden, Unprocessable: as `maps.get` does.
    """
    found = await maps.get(session, user, map_id, "readFog", with_grid=False, as_id=as_id)
    row = found.row
    if found.has_fog:
        seen = await fogged.view_map(session, user, map_id, "readFog", as_id)
        row = seen.found.row
        rows = await asyncio.to_thread(seen.view.fogged.fog, 0, 0, row.width, row.height)
    else:
        rows = ["2" * row.width] * row.height
    body = await asyncio.to_thread(orjson.dumps, {"mode": row.fog, "sharing": row.fog_sharing, "rows": rows})
    return Tagged(body, players_tag(row.etag_key, body))


async def reveal(session: AsyncSession, user: User, map_id: UUID, area: FogArea) -> int:
    """Reveal cells, in their current state, to players; returns the number of the event.

    Raises:
        NotFound, Forbidden: as `maps.get_to_change` does.
        Unprocessable: `for` names a user who is not a player or spectator, or players share what they see.
    """
    return await _change(session, user, map_id, "revealFog", "map.fog_revealed", area, changes.reveal)


async def hide(session: AsyncSession, user: User, map_id: UUID, area: FogArea) -> int:
    """Make players forget cells that are not in sight; returns the number of the event.

    Raises:
        NotFound, Forbidden, Unprocessable: as `reveal` does.
    """
    return await _change(session, user, map_id, "hideFog", "map.fog_hidden", area, changes.hide)


async def _change(
    session: AsyncSession, user: User, map_id: UUID, operation: str, kind: str, area: FogArea, change: Change
) -> int:
    row = (await maps.get_to_change(session, user, map_id, operation)).row
    viewers = await _viewers(session, row, area)
    await change(session, row, await _cells(row, area), viewers)
    payload = {**area.model_dump(mode="json", by_alias=True, exclude_unset=True), "version": row.version}
    return await events.record(session, kind, user.id, row, payload)


async def _viewers(session: AsyncSession, row: Map, area: FogArea) -> list[UUID]:
    """The groups of viewers whose fog is to change."""
    if row.fog_sharing == FogSharing.party:
        if area.for_ is not None:
            message = "On this map, players share what they see: `fog_sharing` is `party`."
            raise Unprocessable(errors=[FieldError("for", "not_allowed", message)])
        return [PARTY]
    roles = await members(session, row.universe_id)
    viewers = {user_id for user_id, role in roles.items() if role not in GAME_MASTERS}
    if others := set(area.for_ or ()) - viewers:
        message = "Only players and spectators of the universe have their own fog."
        raise Unprocessable(errors=[FieldError("for", "not_a_player", message) for _ in others])
    return sorted(viewers if area.for_ is None else set(area.for_))


async def _cells(row: Map, area: FogArea) -> Cells:
    """The selected cells of the map."""
    if area.polygon is not None:
        points: Any = [(point.x, point.y) for point in area.polygon]
        grid_type = Grid.of(row.grid_data).type
        return await asyncio.to_thread(polygon, grid_type, points, row.width, row.height)
    if area.x is None or area.y is None or area.width is None or area.height is None:
        return rectangle(0, 0, row.width, row.height)
    left, top = max(area.x, 0), max(area.y, 0)
    right, bottom = min(area.x + area.width, row.width), min(area.y + area.height, row.height)
    return rectangle(left, top, max(right - left, 0), max(bottom - top, 0))
