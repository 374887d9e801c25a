"""The SQL of playing: what a picture of a map needs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.assets.models import Asset
from game.maps import queries as maps
from game.maps.models import Map


async def to_draw(
    session: AsyncSession, user: User, row: Map
) -> tuple[Callable[[], dict[str, Any]], bytes | None]:
    """A map's grid data, parsed when it is called for, and the picture beneath it, if there is one."""
    text, _ = await maps.document(session, user, row.id)
    background = row.grid_data.get("background", {})
    return lambda: orjson.loads(text)["grid_data"], await _picture(session, row, background.get("asset_id"))


async def _picture(session: AsyncSession, row: Map, asset_id: Any) -> bytes | None:
    try:
        wanted = UUID(asset_id)
    except (ValueError, TypeError, AttributeError):
        return None
    statement = select(col(Asset.data)).where(col(Asset.id) == wanted, col(Asset.universe_id) == row.universe_id)
    return (await session.execute(statement)).scalar_one_or_none()
