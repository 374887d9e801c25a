"""The SQL of playing: what a picture of a map needs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.assets.models import Asset
from game.maps import queries as maps
from game.maps.models import Map
from game.maps.queries import Found


async def to_draw(
    session: AsyncSession, found: Found
) -> tuple[Callable[[], dict[str, Any]], int | str, bytes | None]:
    """A map's grid data as its reader may see it, parsed when it is called for; what its ETag is made of; and the
    picture beneath it, if there is one."""
    text, tag = await maps.document(session, found)
    background = found.row.grid_data.get("background", {})
    picture = await _picture(session, found.row, background.get("asset_id"))
    return lambda: orjson.loads(text)["grid_data"], tag, picture


async def _picture(session: AsyncSession, row: Map, asset_id: Any) -> bytes | None:
    try:
        wanted = UUID(asset_id)
    except (ValueError, TypeError, AttributeError):
        return None
    statement = select(col(Asset.data)).where(col(Asset.id) == wanted, col(Asset.universe_id) == row.universe_id)
    return (await session.execute(statement)).scalar_one_or_none()
