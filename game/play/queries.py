"""The SQL of playing: the rules of a map's grid, and the background of a map."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from game.assets import queries as assets
from game.core.errors import NotFound
from game.grid.geometry import Grid
from game.maps.chunks import map_key_of
from game.maps.models import Map

_GRID = text("""
    SELECT grid_data - '{layers,legend,entities,walls,doors,lights,properties}'::text[] AS rest
    FROM map WHERE universe_id = :universe_id AND id = :map_id
""").columns(rest=JSONB)
_BACKGROUND = text("""
    SELECT grid_data->'background'->>'asset_id' FROM map WHERE universe_id = :universe_id AND id = :map_id
""")


async def grid_of(session: AsyncSession, row: Map) -> Grid:
    """The geometry and distance rules of a map's grid.

    Raises:
        NotFound: the map is gone.
    """
    rest: dict[str, Any] | None = (await session.execute(_GRID, map_key_of(row))).scalar_one_or_none()
    if rest is None:
        raise NotFound
    return Grid.of(rest)


async def background_of(session: AsyncSession, row: Map) -> bytes | None:
    """The background picture of a map, if it has one."""
    asset_id = (await session.execute(_BACKGROUND, map_key_of(row))).scalar_one_or_none()
    return await assets.background(session, row.universe_id, asset_id)
