"""The SQL of assets, and the one statement that says which of them a person may read."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from game.accounts.models import User
from game.assets.models import Asset
from game.assets.pictures import Picture
from game.core import pages
from game.core.errors import NotFound
from game.events import queries as events
from game.universes import queries as universes
from game.universes.models import Universe


def readable_by(user: User) -> Select[tuple[Asset]]:
    """The assets that a user may read: those of the universes that they may read."""
    ours = universes.readable_by(user).with_only_columns(col(Universe.id))
    return select(Asset).where(col(Asset.universe_id).in_(ours))


async def get(session: AsyncSession, user: User, asset_id: UUID) -> Asset:
    """An asset that the user may read, with its bytes.

    Raises:
        NotFound: there is none such for this user.
    """
    asset = (await session.execute(readable_by(user).where(col(Asset.id) == asset_id))).scalar_one_or_none()
    if asset is None:
        raise NotFound
    return asset


async def page(session: AsyncSession, universe: Universe, query: pages.PageQuery) -> Mapping[str, Any]:
    """One page of the assets of a universe, without their bytes."""
    bytes_later = defer(Asset.data, raiseload=True)  # type: ignore[arg-type]
    statement = select(Asset).where(col(Asset.universe_id) == universe.id).options(bytes_later)
    return await pages.page_of(session, statement, Asset, query, searched=[col(Asset.name)])


async def create(
    session: AsyncSession, user: User, universe: Universe, name: str, picture: Picture, data: bytes
) -> Asset:
    """A new asset in a locked universe."""
    asset = Asset(universe_id=universe.id, name=name, data=data, **picture._asdict())
    session.add(asset)
    await _record(session, "asset.created", user, asset)
    return asset


async def remove(session: AsyncSession, user: User, asset: Asset) -> None:
    """Delete an asset. Maps that name it show no background then."""
    await _record(session, "asset.deleted", user, asset)
    await session.delete(asset)


async def _record(session: AsyncSession, kind: str, user: User, asset: Asset) -> None:
    payload = {"name": asset.name, "media_type": asset.media_type}
    await events.record(session, kind, user.id, asset, payload)
