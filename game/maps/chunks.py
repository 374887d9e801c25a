"""The SQL of the chunks of maps."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Generic, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from game.grid.canvas import Loaded, Result, Steps, Wanted
from game.grid.chunks import ChunkKey, Frame
from game.maps.models import Map
from game.universes import quotas
from game.universes.quotas import Usage

_LARGE_CHUNKS = 16
_BATCH_CHUNKS = 1024

_KEYS = [bindparam(name, type_=ARRAY(Integer)) for name in ("layers", "xs", "ys")]
_SOME_CHUNKS = text("""
    SELECT layer, x, y, rows::text AS rows FROM map_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id
        AND (layer = ANY(:whole) OR (layer, x, y) IN (SELECT * FROM unnest(:layers, :xs, :ys)))
    LIMIT cast(:limit AS int)
""").bindparams(*_KEYS, bindparam("whole", type_=ARRAY(Integer)))
_PART = text("""
    SELECT layer, x, y, rows::text AS rows FROM map_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id AND layer = ANY(:whole) AND y BETWEEN :top AND :bottom
""").bindparams(bindparam("whole", type_=ARRAY(Integer)))
# The size of what is written is added to the universe's usage, until the usage is measured exactly.
_PUT_CHUNKS = text("""
    WITH counted AS (
        UPDATE universe SET map_bytes = map_bytes + :bytes, has_exact_map_bytes = false WHERE id = :universe_id
    )
    INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)
    SELECT :universe_id, :map_id, layer, x, y, rows::jsonb
    FROM unnest(:layers, :xs, :ys, :rows) AS chunk (layer, x, y, rows)
    ON CONFLICT (universe_id, map_id, layer, x, y) DO UPDATE SET rows = excluded.rows
""").bindparams(*_KEYS, bindparam("rows", type_=ARRAY(Text)))
# The subquery forces an index lookup for each chunk, even without statistics, as for a map that was just created.
_DROP_CHUNKS = text("""
    DELETE FROM map_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id AND ctid = ANY(ARRAY(
        SELECT (
            SELECT c.ctid FROM map_chunk c WHERE c.universe_id = :universe_id AND c.map_id = :map_id
                AND c.layer = gone.layer AND c.x = gone.x AND c.y = gone.y
        ) FROM unnest(:layers, :xs, :ys) AS gone (layer, x, y)
    ))
""").bindparams(*_KEYS)


def map_key_of(row: Map) -> dict[str, UUID]:
    """The parameters that identify a map in statements."""
    return {"universe_id": row.universe_id, "map_id": row.id}


async def load_chunks(
    session: AsyncSession,
    row: Map,
    keys: Iterable[ChunkKey] = (),
    layers: Iterable[int] = (),
    limit: int | None = None,
) -> dict[ChunkKey, list[str]]:
    """The stored chunks of a map with these keys, and all of these layers; at most `limit`, if given."""
    texts = await load_texts(session, row, keys, layers, limit)
    return await asyncio.to_thread(_parsed, texts) if len(texts) > _LARGE_CHUNKS else _parsed(texts)


async def load_texts(
    session: AsyncSession,
    row: Map,
    keys: Iterable[ChunkKey] = (),
    layers: Iterable[int] = (),
    limit: int | None = None,
) -> dict[ChunkKey, str]:
    """Like `load_chunks`, but as JSON texts."""
    wanted = {**_columns(list(keys)), "whole": list(layers), "limit": limit}
    return _texts(await session.execute(_SOME_CHUNKS, {**map_key_of(row), **wanted}))


async def load_bands(session: AsyncSession, row: Map, layers: Iterable[int], bands: range) -> dict[ChunkKey, str]:
    """The stored chunks of these layers in these bands (chunk ys) of a map, as JSON texts."""
    if not bands:
        return {}
    wanted = {"whole": list(layers), "top": bands[0], "bottom": bands[-1]}
    return _texts(await session.execute(_PART, {**map_key_of(row), **wanted}))


def _texts(found: Iterable[Any]) -> dict[ChunkKey, str]:
    return {(one.layer, one.x, one.y): one.rows for one in found}


def _parsed(texts: Mapping[ChunkKey, str]) -> dict[ChunkKey, list[str]]:
    return {key: orjson.loads(text) for key, text in texts.items()}


_SYMBOLS = text("""
    SELECT symbol FROM unnest(:symbols) AS symbol
    WHERE EXISTS (
        SELECT FROM map_chunk c CROSS JOIN jsonb_array_elements_text(c.rows) AS line
        WHERE c.universe_id = :universe_id AND c.map_id = :map_id AND c.layer = ANY(:layers)
            AND strpos(line, symbol) > 0
    )
""").bindparams(bindparam("layers", type_=ARRAY(Integer)), bindparam("symbols", type_=ARRAY(Text)))


async def symbols_used(session: AsyncSession, row: Map, layers: Iterable[int], symbols: Iterable[str]) -> set[str]:
    """Which of these symbols the cells of these layers use."""
    found = await session.execute(_SYMBOLS, {**map_key_of(row), "layers": list(layers), "symbols": list(symbols)})
    return set(found.scalars())


async def follow(session: AsyncSession, row: Map, steps: Steps[Result], *, large: bool = False) -> Result:
    """Run a generator over a map's cells, loading the chunks that it requests; returns its result.

    Steps with many chunks run in a thread; with `large`, all of them do.
    """
    loaded: Loaded | None = None
    while True:
        large = large or (loaded is not None and len(loaded) > _LARGE_CHUNKS)
        outcome = await asyncio.to_thread(_step, steps, loaded) if large else _step(steps, loaded)
        if not isinstance(outcome, Wanted):
            return outcome.value
        limit = None if outcome.limit is None else outcome.limit + 1
        loaded = await load_chunks(session, row, outcome.chunks, outcome.layers, limit)


class _Done(NamedTuple, Generic[Result]):
    value: Result


def _step(steps: Steps[Result], loaded: Loaded | None) -> Wanted | _Done[Result]:
    try:
        return next(steps) if loaded is None else steps.send(loaded)
    except StopIteration as stop:
        return _Done(stop.value)


async def write_chunks(
    session: AsyncSession,
    row: Map,
    chunks: Mapping[ChunkKey, list[str] | bytes | None],
    frame: Frame | None = None,
) -> None:
    """Store chunks of a locked map: the rows of each, or their JSON text, or None to delete it.

    `frame` is the map's new frame, if there is one; the caller stores it, but its size is counted here.

    Raises:
        QuotaExceeded: they do not fit into the quota.
    """
    is_large = len(chunks) > _LARGE_CHUNKS
    put, size = await asyncio.to_thread(_put, chunks, frame) if is_large else _put(chunks, frame)
    await quotas.require_room(session, row.universe_id, Usage(maps=size))
    keys = list(put)
    # In batches: one statement for thousands of chunks could reach the statement timeout.
    for start in range(0, len(keys), _BATCH_CHUNKS):
        batch = keys[start : start + _BATCH_CHUNKS]
        values = {"rows": [put[key] for key in batch], "bytes": 0 if start else size}
        await session.execute(_PUT_CHUNKS, {**map_key_of(row), **_columns(batch), **values})
    if frame and not keys:
        await quotas.add_maps(session, row.universe_id, size)
    if gone := [key for key, rows in chunks.items() if rows is None]:
        await session.execute(_DROP_CHUNKS, {**map_key_of(row), **_columns(gone)})


def _put(
    chunks: Mapping[ChunkKey, list[str] | bytes | None], frame: Frame | None
) -> tuple[dict[ChunkKey, str], int]:
    """The texts of the chunks to store, and their total size with the frame's."""
    put = {
        key: (rows if isinstance(rows, bytes) else orjson.dumps(rows)).decode()
        for key, rows in chunks.items()
        if rows is not None
    }
    return put, sum(map(len, put.values())) + (len(orjson.dumps(frame)) if frame else 0)


def _columns(keys: list[ChunkKey]) -> dict[str, list[int]]:
    """Keys as three arrays."""
    return {name: [key[at] for key in keys] for at, name in enumerate(("layers", "xs", "ys"))}
