"""The SQL of assets."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from game.accounts.models import User
from game.assets.models import Asset
from game.assets.pictures import Picture
from game.core import pages
from game.core.errors import NotFound
from game.events import queries as events
from game.universes import access
from game.universes.access import Access
from game.universes.models import Universe

# A picture is there for players while something that they see of a map shows it: its background, an entity, or a
# legend entry that some cell uses.
_SHOWN_TO_PLAYERS = text("""
    SELECT EXISTS (
        SELECT FROM map m WHERE m.universe_id = :universe_id AND m.visibility = 'members' AND (
            strpos(m.players_frame::text, :id) > 0
            OR EXISTS (
                SELECT FROM generate_series(1, cardinality(m.players_legend), 2) AS entry (n)
                JOIN map_chunk c ON c.universe_id = :universe_id AND c.map_id = m.id
                    AND c.layer = ANY (m.players_layers)
                CROSS JOIN jsonb_array_elements_text(c.rows) AS line
                WHERE strpos(m.players_legend[entry.n + 1], :id) > 0
                    AND strpos(line, m.players_legend[entry.n]) > 0
            )
        )
    )
""")


class Found(NamedTuple):
    """An asset that somebody may read, with their access."""

    asset: Asset
    access: Access


async def get(session: AsyncSession, user: User, asset_id: UUID, operation: str) -> Found:
    """An asset that the user may read, with its bytes.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation with it.
    """
    asset = (await session.execute(select(Asset).where(col(Asset.id) == asset_id))).scalar_one_or_none()
    home = (await access.find(session, user, [asset.universe_id])).get(asset.universe_id) if asset else None
    if asset is None or home is None:
        raise NotFound
    if not home.is_game_master:
        place = {"universe_id": asset.universe_id, "id": str(asset.id)}
        if not (await session.execute(_SHOWN_TO_PLAYERS, place)).scalar_one():
            raise NotFound
    home.require(operation)
    return Found(asset, home)


async def page(session: AsyncSession, universe: Universe, query: pages.PageQuery) -> Mapping[str, Any]:
    """One page of the assets of a universe, without their bytes."""
    bytes_later = defer(Asset.data, raiseload=True)  # type: ignore[arg-type]
    statement = select(Asset).where(col(Asset.universe_id) == universe.id).options(bytes_later)
    return await pages.page_of(session, statement, Asset, query, searched=[col(Asset.name)])


async def create(session: AsyncSession, home: Access, name: str, picture: Picture, data: bytes) -> Asset:
    """A new asset in a locked universe."""
    asset = Asset(universe_id=home.universe.id, name=name, data=data, **picture._asdict())
    session.add(asset)
    await _record(session, "asset.created", home.user, asset)
    return asset


async def remove(session: AsyncSession, user: User, asset: Asset) -> None:
    """Delete an asset. Maps that name it show no background then."""
    await _record(session, "asset.deleted", user, asset)
    await session.delete(asset)


async def _record(session: AsyncSession, kind: str, user: User, asset: Asset) -> None:
    payload = {"name": asset.name, "media_type": asset.media_type}
    await events.record(session, kind, user.id, asset, payload)
