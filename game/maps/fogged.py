"""Responses for maps with fog: what the caller sees of a map, from one snapshot."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Integer, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.accounts.models import User
from game.assets import queries as assets
from game.core.compute import RequestComputing
from game.core.database import snapshot
from game.core.errors import NotFound, Unavailable
from game.core.tags import players_tag
from game.fog import packed, views
from game.fog.packed import PackedView
from game.fog.viewers import viewer_of
from game.fog.views import MapView, ViewKey
from game.grants import Right
from game.grid.canvas import Wanted
from game.grid.chunks import ChunkKey
from game.grid.fogged_view import part, whole
from game.grid.loading import ChunkTexts
from game.maps import queries
from game.maps.chunks import load_chunks
from game.maps.models import Map
from game.maps.queries import Found
from game.maps.texts import MapText
from game.universes.access import Access

_LARGE_CELLS = 8192
"""A response with more cells than this, over all layers, is built in a thread."""
_CHUNKS = text("""
    SELECT c.layer, c.x, c.y, c.rows::text AS rows
    FROM map m LEFT JOIN map_chunk c ON c.universe_id = m.universe_id AND c.map_id = m.id
        AND (c.layer, c.x, c.y) IN (SELECT * FROM unnest(:layers, :xs, :ys))
    WHERE m.universe_id = :universe_id AND m.id = :map_id AND m.scene_key = :scene_key
""").bindparams(*(bindparam(name, type_=ARRAY(Integer)) for name in ("layers", "xs", "ys")))


class ViewedMap(NamedTuple):
    """A map with fog, the caller's access to it, and what they see of it."""

    found: Found
    view: MapView

    @property
    def packed(self) -> PackedView:
        """The view in the form that compute processes use."""
        if "packed" not in self.view.cache:
            self.view.cache["packed"] = PackedView.of(self.view.fogged)
        packed_view: PackedView = self.view.cache["packed"]
        return packed_view


async def view_map(
    session: AsyncSession, user: User, map_id: UUID, operation: str, as_id: UUID | None = None
) -> ViewedMap:
    """What a user sees of a map with fog, in a new transaction of `snapshot`.

    Raises:
        NotFound, Forbidden, Unprocessable: as `queries.get` does.
    """
    await snapshot(session)
    return await view_map_in_snapshot(session, user, map_id, operation, as_id)


async def view_map_in_snapshot(
    session: AsyncSession, user: User, map_id: UUID, operation: str, as_id: UUID | None = None
) -> ViewedMap:
    """Like `view_map`, in a transaction of `snapshot` that has already begun."""
    found = await queries.get(session, user, map_id, operation, with_grid=False, as_id=as_id)
    return ViewedMap(found, await view_of(session, found, found.access.universe.event_seq))


async def view_of(session: AsyncSession, found: Found, seq: int | None = None) -> MapView:
    """What the caller sees of a map in this transaction; `seq` as in `views.view_of`."""
    row = found.row
    viewer = viewer_of(row.fog_sharing, found.access.user.id)
    if seq is not None and (kept := views.cached(ViewKey(row.id, viewer, seq))):
        return kept
    whole_row = await session.get(Map, (row.universe_id, row.id), populate_existing=True)
    if whole_row is None:
        raise NotFound
    return await views.view_of(session, whole_row, viewer, seq)


async def document(session: AsyncSession, seen: ViewedMap, head: str, tail: str) -> MapText:
    """The JSON text of a map that is small enough to be built in this process."""
    view, row = seen.view.fogged, seen.found.row
    if "document" not in seen.view.cache:
        stored = await load_chunks(session, row, view.keys())
        is_large = row.width * row.height * len(view.layers) > _LARGE_CELLS
        make = asyncio.to_thread(whole, view, stored) if is_large else None
        grid = await make if make else whole(view, stored)
        body = head.encode() + orjson.dumps(grid, option=packed.SORTED) + tail.encode()
        seen.view.cache["document"] = MapText(body, players_tag(row.etag_key, body))
    text: MapText = seen.view.cache["document"]
    return text


async def large_document(
    session: AsyncSession, computing: RequestComputing, user: User, seen: ViewedMap, head: str, tail: str
) -> MapText:
    """The JSON text of a large map, built in a compute process."""
    arguments = await asyncio.to_thread(lambda: seen.packed)
    load = loader(session, seen)
    await session.close()
    grid = await computing.run(user.id, packed.document, arguments, load=load)
    body = head.encode() + grid + tail.encode()
    return MapText(body, players_tag(seen.found.row.etag_key, body))


async def region_of(
    session: AsyncSession, seen: ViewedMap, x: int, y: int, width: int, height: int, names: str | None
) -> dict[str, Any]:
    """A rectangle of a map as the caller sees it; `names` as in a request for a region."""
    view, row = seen.view.fogged, seen.found.row
    # The map may have become smaller since the rectangle was checked.
    width, height = max(min(width, row.width - x), 0), max(min(height, row.height - y), 0)
    stored = await load_chunks(session, row, view.keys_in(x, y, width, height))
    found = await part_of(seen.view, stored, x, y, width, height)
    layers = [one for one in found["layers"] if names is None or one["name"] in names.split(",")]
    return {**found, "layers": layers}


async def part_of(
    seen: MapView, stored: Mapping[ChunkKey, Sequence[str]], x: int, y: int, width: int, height: int
) -> dict[str, Any]:
    """A rectangle of a map as a group of viewers sees it, from the stored chunks in it."""
    is_large = width * height * len(seen.fogged.layers) > _LARGE_CELLS
    arguments = seen.fogged, stored, x, y, width, height
    return await asyncio.to_thread(part, *arguments) if is_large else part(*arguments)


def loader(session: AsyncSession, seen: ViewedMap) -> Callable[[Wanted], Awaitable[ChunkTexts]]:
    """Returns a function that loads chunks of a map for a compute process, in the state that `seen` shows.

    No connection is held between two loads.

    It raises:
        Unavailable: the map has changed meanwhile.
    """
    row = seen.found.row
    place = {"universe_id": row.universe_id, "map_id": row.id, "scene_key": row.scene_key}

    async def load(wanted: Wanted) -> ChunkTexts:
        layers, xs, ys = ([key[at] for key in wanted.chunks] for at in range(3))
        found = (await session.execute(_CHUNKS, {**place, "layers": layers, "xs": xs, "ys": ys})).all()
        await session.close()
        if not found:
            raise Unavailable("The map changed while it was being read. Try again in a moment.")
        return {(one.layer, one.x, one.y): one.rows for one in found if one.rows is not None}

    return load


_WITH_PICTURE = text("""
    SELECT m.id FROM map m
    WHERE m.universe_id = :universe_id AND m.visibility = 'members' AND m.fog <> 'off' AND (
        strpos(lower(m.grid_data::text), :text) > 0
        OR EXISTS (SELECT FROM map_memory k
            WHERE k.universe_id = m.universe_id AND k.map_id = m.id AND strpos(lower(k.whole::text), :text) > 0)
        OR EXISTS (SELECT FROM token t
            LEFT JOIN character c ON c.universe_id = t.universe_id AND c.id = t.character_id
            WHERE t.universe_id = m.universe_id AND t.map_id = m.id
                AND coalesce(t.asset_id, c.asset_id) = :asset_id)
    )
""")
_TOKENS_WITH_PICTURE = text("""
    SELECT t.x, t.y, t.size, t.hidden, t.grants, c.grants AS character_grants FROM token t
    LEFT JOIN character c ON c.universe_id = t.universe_id AND c.id = t.character_id
    WHERE t.universe_id = :universe_id AND t.map_id = :map_id AND coalesce(t.asset_id, c.asset_id) = :asset_id
""")


async def shows_picture(session: AsyncSession, caller: Access, asset_id: UUID) -> bool:
    """Whether a map with fog shows a picture to a player or spectator: on a token in sight, or on anything else
    that they see or remember."""
    place = {"universe_id": caller.universe.id, "text": str(asset_id), "asset_id": asset_id}
    for map_id in (await session.execute(_WITH_PICTURE, place)).scalars().all():
        by_id = select(Map).where(col(Map.universe_id) == caller.universe.id, col(Map.id) == map_id)
        row = (await session.execute(by_id)).scalar_one_or_none()
        if row is not None and await _shows(session, Found(row, caller), asset_id):
            return True
    return False


async def _shows(session: AsyncSession, found: Found, asset_id: UUID) -> bool:
    row, (user_id, role) = found.row, (found.access.user.id, found.access.role)
    view = await views.view_of(session, row, viewer_of(row.fog_sharing, user_id))
    place = {"universe_id": row.universe_id, "map_id": row.id, "asset_id": asset_id}
    for one in await session.execute(_TOKENS_WITH_PICTURE, place):
        rights = grants.rights(one.grants, user_id, role) | grants.rights(
            one.character_grants or {}, user_id, role
        )
        if view.shows(one.x, one.y, one.size) and (not one.hidden or Right.see in rights):
            return True
    fogged, text = view.fogged, str(asset_id).encode()
    with_picture = {symbol for symbol, entry in fogged.legend.items() if text in orjson.dumps(entry).lower()}
    used: set[str] = set()
    if with_picture:
        used = with_picture & fogged.symbols(await load_chunks(session, row, fogged.keys()))
    return text in await asyncio.to_thread(lambda: orjson.dumps(fogged.frame(used)).lower())


assets.SHOWN_IN_FOG.append(shows_picture)
