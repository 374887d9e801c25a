"""The SQL of assets."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.accounts.models import User
from game.assets.models import Asset, PictureFile, State, StoredAsset, StoredPicture, Variant
from game.assets.pictures import Picture
from game.assets.scaling import BACKGROUND_SIDE, THUMBNAIL_SIDE, is_small
from game.core import pages
from game.core.errors import NotFound
from game.events import queries as events
from game.universes import access, quotas
from game.universes.access import Access
from game.universes.models import Universe

# Players see a picture while something that they see refers to it by a key `asset_id`: a map's background, an
# entity, or a legend entry that a cell uses; a character, a token or a note. An id in a name or description is no
# reference.
_SHOWN_TO_PLAYERS = text(f"""
    SELECT EXISTS (
        SELECT FROM map m WHERE m.universe_id = :universe_id AND m.visibility = 'members' AND (
            EXISTS (
                SELECT FROM jsonb_path_query(m.players_frame, '$.**.asset_id') AS shown (asset_id)
                WHERE lower(shown.asset_id #>> '{{}}') = :id
            )
            OR EXISTS (
                SELECT FROM generate_series(1, cardinality(m.players_legend), 2) AS entry (n)
                JOIN map_chunk c ON c.universe_id = :universe_id AND c.map_id = m.id
                    AND c.layer = ANY (m.players_layers)
                CROSS JOIN jsonb_array_elements_text(c.rows) AS line
                WHERE EXISTS (
                    SELECT FROM jsonb_path_query(
                        cast(m.players_legend[entry.n + 1] AS jsonb), '$.**.asset_id'
                    ) AS shown (asset_id)
                    WHERE lower(shown.asset_id #>> '{{}}') = :id
                )
                    AND strpos(line, m.players_legend[entry.n]) > 0
            )
        )
        UNION ALL
        SELECT FROM character c
        WHERE c.universe_id = :universe_id AND c.asset_id = :asset_id AND {grants.seen_by("c.grants")}
        UNION ALL
        SELECT FROM note n
        WHERE n.universe_id = :universe_id AND n.asset_ids @> ARRAY[cast(:asset_id AS uuid)]
            AND {grants.seen_by("n.grants")}
        UNION ALL
        SELECT FROM token t
        JOIN map m ON m.universe_id = t.universe_id AND m.id = t.map_id
        LEFT JOIN character c ON c.universe_id = t.universe_id AND c.id = t.character_id
        WHERE t.universe_id = :universe_id AND coalesce(t.asset_id, c.asset_id) = :asset_id
            AND m.visibility = 'members'
            AND (NOT t.hidden OR {grants.seen_by("t.grants")} OR {grants.seen_by("c.grants")})
            AND m.fog = 'off'
    )
""")


# The picture of the background of a map with fog is never served whole, even if something else refers to it: the
# map serves the parts that were seen.
_IS_UNDER_FOG = text("""
    SELECT EXISTS (
        SELECT FROM map m
        JOIN asset background ON background.universe_id = m.universe_id
            AND background.id::text = lower(m.grid_data->'background'->>'asset_id')
        JOIN asset a ON a.universe_id = m.universe_id AND a.sha256 = background.sha256
        WHERE m.universe_id = :universe_id AND m.fog <> 'off' AND a.id = :asset_id
    )
""")
SHOWN_IN_FOG: list[Callable[[AsyncSession, Access, UUID], Awaitable[bool]]] = []
"""Checks whether a map with fog shows a picture to a user: set by `game.maps.fogged`, which this module must not
import."""


class Found(NamedTuple):
    """An asset that the caller may read, its picture, and the caller's access."""

    stored: StoredAsset
    access: Access


class File(NamedTuple):
    """A picture's file."""

    media_type: str
    data: bytes


def same_picture(table: type[StoredPicture | PictureFile]) -> ColumnElement[bool]:
    """The join of an asset with its picture, or with the picture's files."""
    return and_(col(table.universe_id) == col(Asset.universe_id), col(table.sha256) == col(Asset.sha256))


def _stored() -> Select[tuple[Asset, StoredPicture]]:
    return select(Asset, StoredPicture).join(StoredPicture, same_picture(StoredPicture))


async def get(session: AsyncSession, user: User, asset_id: UUID, operation: str) -> Found:
    """An asset that the user may read.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation with it.
    """
    row = (await session.execute(_stored().where(col(Asset.id) == asset_id))).one_or_none()
    if row is None:
        raise NotFound
    stored = StoredAsset(*row)
    asset = stored.asset
    caller = (await access.find(session, user, [asset.universe_id])).get(asset.universe_id)
    if caller is None:
        raise NotFound
    if not await _is_shown(session, caller, asset.id):
        raise NotFound
    caller.require(operation)
    return Found(stored, caller)


async def is_seen(session: AsyncSession, caller: Access, asset_id: UUID) -> bool:
    """Whether a picture exists in a universe, and a member may see it."""
    found = await session.get(Asset, (caller.universe.id, asset_id)) is not None
    return found and await _is_shown(session, caller, asset_id)


async def _is_shown(session: AsyncSession, caller: Access, asset_id: UUID) -> bool:
    """Whether a member may see an existing picture."""
    if caller.is_game_master:
        return True
    universe_id, user_id = caller.universe.id, str(caller.user.id)
    parameters = {"universe_id": universe_id, "id": str(asset_id), "asset_id": asset_id, "user_id": user_id}
    if (await session.execute(_IS_UNDER_FOG, parameters)).scalar_one():
        return False
    if (await session.execute(_SHOWN_TO_PLAYERS, parameters)).scalar_one():
        return True
    return any([await shows(session, caller, asset_id) for shows in SHOWN_IN_FOG])


async def file(session: AsyncSession, asset: Asset, variant: Variant) -> File | None:
    """The file of a variant of a picture; None if it does not exist.

    A picture that is small enough is its own smaller version.
    """
    wanted = [variant, Variant.original] if _has(asset, variant) else [variant]
    statement = select(col(PictureFile.variant), col(PictureFile.media_type), col(PictureFile.data)).where(
        col(PictureFile.universe_id) == asset.universe_id,
        col(PictureFile.sha256) == asset.sha256,
        col(PictureFile.variant).in_(wanted),
    )
    files = {row.variant: File(row.media_type, row.data) for row in await session.execute(statement)}
    return files.get(variant) or files.get(Variant.original)


def _has(asset: Asset, variant: Variant) -> bool:
    """Whether the uploaded picture is already as small as this variant."""
    if variant is Variant.thumbnail:
        return is_small(asset.width, asset.height, THUMBNAIL_SIDE)
    return variant is Variant.original or is_small(asset.width, asset.height, BACKGROUND_SIDE)


async def background(session: AsyncSession, universe_id: UUID, asset_id: Any) -> bytes | None:
    """The file for drawing a map's background; None if there is none, or it is not ready."""
    try:
        wanted = UUID(asset_id)
    except (ValueError, TypeError, AttributeError):
        return None
    if str(wanted) != asset_id.lower():
        # The statements above do not know other notations, such as one without hyphens.
        return None
    asset = await session.get(Asset, (universe_id, wanted))
    found = await file(session, asset, Variant.background) if asset else None
    return found.data if found else None


async def page(session: AsyncSession, universe: Universe, query: pages.PageQuery) -> Mapping[str, Any]:
    """One page of the assets of a universe."""
    statement = _stored().where(col(Asset.universe_id) == universe.id)
    listed = await pages.page_of(session, statement, Asset, query, searched=[col(Asset.name)])
    return {**listed, "items": [StoredAsset(*item).read() for item in listed["items"]]}


async def create(session: AsyncSession, caller: Access, name: str, picture: Picture, data: bytes) -> StoredAsset:
    """Create an asset in a locked universe; if the picture already exists, only the name is stored.

    Raises:
        QuotaExceeded: there is no room for the picture.
    """
    universe_id, digest = caller.universe.id, sha256(data).digest()
    stored = await session.get(StoredPicture, (universe_id, digest))
    if stored is None:
        await quotas.add_assets(session, caller.universe, len(data))
        stored = StoredPicture(universe_id=universe_id, sha256=digest, bytes=len(data), state=State.processing)
        session.add(stored)
        await session.flush()
        session.add(
            PictureFile(
                universe_id=universe_id,
                sha256=digest,
                variant=Variant.original,
                media_type=picture.media_type,
                data=data,
            )
        )
        await session.flush()
    asset = Asset(universe_id=universe_id, name=name, sha256=digest, **picture._asdict())
    session.add(asset)
    created = StoredAsset(asset, stored)
    await _record(session, "asset.created", caller.user, created)
    return created


_DROP_PICTURE = text("""
    WITH size AS (
        SELECT coalesce(sum(length(data)), 0) AS bytes FROM picture_file
        WHERE universe_id = :universe_id AND sha256 = :sha256
    ), dropped AS (
        DELETE FROM picture p WHERE p.universe_id = :universe_id AND p.sha256 = :sha256
            AND NOT EXISTS (SELECT FROM asset a WHERE a.universe_id = p.universe_id AND a.sha256 = p.sha256)
        RETURNING p.sha256
    )
    SELECT bytes FROM size, dropped
""")


async def remove(session: AsyncSession, caller: Access, stored: StoredAsset) -> None:
    """Delete an asset of a locked universe and, with its last asset, the picture. Maps that use it lose their
    background.
    """
    await _record(session, "asset.deleted", caller.user, stored)
    await session.delete(stored.asset)
    await session.flush()
    picture_key = {"universe_id": stored.asset.universe_id, "sha256": stored.asset.sha256}
    size = (await session.execute(_DROP_PICTURE, picture_key)).scalar()
    if size:
        await quotas.add_assets(session, caller.universe, -int(size))


async def _record(session: AsyncSession, kind: str, user: User, stored: StoredAsset) -> None:
    payload = {"name": stored.asset.name, "media_type": stored.asset.media_type}
    await events.record(session, kind, user.id, stored.asset, payload)
