"""The SQL of maps as files: storing imported maps, and finding the pictures for an export."""

import asyncio
import re
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.assets import queries as assets
from game.assets.models import Asset, PictureFile, StoredPicture, Variant
from game.core.models import MAX_NAME
from game.exchange.map_files import ReadFile, link_document
from game.maps import changes, texts
from game.maps.queries import Found
from game.universes.access import Access


async def put_maps(
    session: AsyncSession, caller: Access, file: ReadFile, progress: Callable[[], None]
) -> list[bytes]:
    """Create the maps of a file in a locked universe; returns their JSON texts."""
    created = []
    # Shared, because the levels of a project use the same pictures.
    stored: dict[bytes, str] = {}
    for one in file.maps:
        ids: dict[str, str] = {}
        for name, (picture, data) in one.pictures.items():
            if data not in stored:
                called = "".join(part for part in name if part.isprintable())[-MAX_NAME:] or "picture"
                asset = await assets.create(session, caller, called, picture, data)
                stored[data] = str(asset.asset.id)
                progress()
            ids[name] = stored[data]
        document = await asyncio.to_thread(link_document, one.document, ids)
        fields = {"name": one.name, "description": one.description, "grid_data": document}
        found = await changes.create(session, caller, fields)
        created.append((await texts.document(session, found)).body)
        progress()
    return created


_ASSET_ID = re.compile('"asset_id": ?"([0-9a-f-]{36})"')


async def pictures_of(
    session: AsyncSession, found: Found, frame: str, format: str, limit: int
) -> dict[str, bytes]:
    """The pictures that an exported file contains, by id; at most `limit` bytes in total.

    Takes the JSON text of the map's frame. All pictures that it names go into a TMX file, its background into
    other formats.
    """
    named = set(_ASSET_ID.findall(frame))
    if format != "tiled":
        background = found.row.grid_data.get("background")
        named &= {str(background.get("asset_id"))} if isinstance(background, dict) else set()
    ids = [id for one in sorted(named) if (id := _uuid(one))]
    own = col(Asset.universe_id) == found.row.universe_id
    sizes = (
        select(col(Asset.id), col(StoredPicture.bytes))
        .join(StoredPicture, assets.same_picture(StoredPicture))
        .where(own, col(Asset.id).in_(ids))
        .order_by(col(Asset.id))
    )
    taken = []
    for id, length in (await session.execute(sizes)).all() if ids else ():
        if length <= limit:
            taken.append(id)
            limit -= length
    statement = (
        select(col(Asset.id), col(PictureFile.data))
        .join(PictureFile, assets.same_picture(PictureFile))
        .where(own, col(Asset.id).in_(taken), col(PictureFile.variant) == Variant.original)
    )
    return {str(one.id): one.data for one in await session.execute(statement)} if taken else {}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
