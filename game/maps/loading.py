"""Loads parts of a stored map for a compute process, as JSON text; holds no connection between two loads."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from sqlalchemy import Integer, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from game.core.compute import TooLarge
from game.core.errors import NotFound
from game.grid.canvas import Wanted
from game.grid.loading import BandTexts, ChunkTexts, LayerPart, StoredFrame
from game.maps.chunks import map_key_of
from game.maps.models import Map
from game.maps.queries import Found

_MAX_BYTES = 256 * 2**20
"""The maximum size of the JSON text that is loaded for one request."""

_FRAME = text("""
    SELECT grid_data::text FROM map
    WHERE universe_id = :universe_id AND id = :map_id
        AND (visibility = 'members' AND fog = 'off' OR :for_game_masters)
""")
_CHUNKS = text("""
    SELECT layer, x, y, rows::text AS rows FROM map_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id
        AND (layer = ANY(:whole) OR (layer, x, y) IN (SELECT * FROM unnest(:layers, :xs, :ys)))
""").bindparams(*(bindparam(name, type_=ARRAY(Integer)) for name in ("whole", "layers", "xs", "ys")))
_PART = text("""
    SELECT y, array_agg(x ORDER BY x) AS xs, concat('[', string_agg(rows::text, ',' ORDER BY x), ']') AS rows
    FROM map_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id AND layer = :layer
        AND x BETWEEN :left AND :right AND y BETWEEN :top AND :bottom
    GROUP BY y ORDER BY y
""")


async def frame_of(session: AsyncSession, found: Found) -> StoredFrame:
    """The frame of a map as JSON text, with its secrets.

    Raises:
        NotFound: the map no longer exists; or the reader is not a game master, and it has fog or is not published.
    """
    row = found.row
    place = {**map_key_of(row), "for_game_masters": found.access.is_game_master}
    frame = (await session.execute(_FRAME, place)).scalar_one_or_none()
    if frame is None:
        raise NotFound
    return StoredFrame(frame, row.width, row.height)


def part_loader(session: AsyncSession, row: Map) -> Callable[[LayerPart], Awaitable[BandTexts]]:
    """Returns a function that loads parts of a locked map, in the transaction that has locked it."""
    place = map_key_of(row)

    async def load(wanted: LayerPart) -> BandTexts:
        return _bands(await session.execute(_PART, {**place, **wanted._asdict()}))

    return load


def _bands(found: Iterable[Any]) -> BandTexts:
    return [(one.y, one.xs, one.rows) for one in found]


def loader(session: AsyncSession, row: Map) -> Callable[[Any], Awaitable[Any]]:
    """Returns a function that loads the parts of a map that generators of `grid.loading` request.

    It raises:
        TooLarge: this is more than one request may load.
    """
    place = map_key_of(row)
    left = _MAX_BYTES

    async def load(wanted: Wanted | LayerPart) -> ChunkTexts | BandTexts:
        nonlocal left
        if isinstance(wanted, LayerPart):
            found = (await session.execute(_PART, {**place, **wanted._asdict()})).all()
        else:
            layers, xs, ys = [[key[at] for key in wanted.chunks] for at in range(3)]
            keys = {"layers": layers, "xs": xs, "ys": ys, "whole": wanted.layers}
            found = (await session.execute(_CHUNKS, {**place, **keys})).all()
        await session.close()
        left -= sum(len(one.rows) for one in found)
        if left < 0:
            raise TooLarge
        if isinstance(wanted, LayerPart):
            return _bands(found)
        return {(one.layer, one.x, one.y): one.rows for one in found}

    return load
