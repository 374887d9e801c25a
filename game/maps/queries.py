"""The SQL of maps and their chunks, and the one statement that says which of them a person may read."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Integer, Select, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core import pages
from game.core.coalescer import HotStatement
from game.core.errors import NotFound, Unavailable
from game.core.hot import HotAnswer, HotRead, path_id
from game.core.models import rfc3339
from game.events import queries as events
from game.grid.canvas import Loaded, Result, Steps, Wanted
from game.grid.changes import same
from game.grid.chunks import ChunkKey, join, layer_keys, split
from game.grid.document import size
from game.maps.models import Map
from game.universes import queries as universes
from game.universes.models import Universe

_MOST_CHASES = 10
_LARGE_CHUNKS = 16
_LARGE = 65_536
"""Cells from which work on a grid goes to a thread, so that other requests go on."""

_HEAD = """
    concat('{"id":"', m.id, '","universe_id":"', m.universe_id, '","name":', to_json(m.name),
        ',"description":', to_json(m.description))
"""
_TAIL = f"""
    concat(',"version":', m.version,
        ',"created_at":"', {rfc3339("m.created_at")}, '","updated_at":"', {rfc3339("m.updated_at")}, '"}}')
"""
_DOCUMENT = f"""
    m.version, m.width, m.height, {_HEAD} || ',"grid_data":' AS head, m.grid_data::text AS frame, {_TAIL} AS tail,
    ARRAY(
        SELECT (c.layer, c.x, c.y, c.rows::text) FROM map_chunk c
        WHERE c.universe_id = m.universe_id AND c.map_id = m.id
    ) AS chunks
"""


def _document(row: Any) -> str:
    """The JSON text of a map, from a row of _DOCUMENT."""
    grid_data = join(row["frame"], row["chunks"], row["width"], row["height"])
    return f"{row['head']}{grid_data}{row['tail']}"


BY_ID = HotRead(
    HotStatement(f"""
        SELECT q.n, {_DOCUMENT}
        {AUTHENTICATED.format(more_types=", $3::uuid[]", more_names=", id")}
        JOIN map m ON m.id = q.id
        JOIN universe u ON u.id = m.universe_id AND {universes.READABLE}
    """),
    lambda scope: (one,) if (one := path_id(scope, "id")) else None,
    lambda row: HotAnswer(_document(row).encode(), row["version"]),
)

_SUMMARY = f"{_HEAD} || {_TAIL}"

LIST = HotRead(
    HotStatement(f"""
        SELECT q.n, page.items, CASE WHEN EXISTS (
            SELECT FROM universe u JOIN map m ON m.universe_id = u.id
            WHERE {universes.READABLE} AND m.id > page.last
        ) THEN page.last END AS next_id
        {AUTHENTICATED.format(more_types=", $3::int[], $4::uuid[]", more_names=", most, after")}
        CROSS JOIN LATERAL (
            -- In the order of the rows below; the last is there when the page is full.
            SELECT string_agg({_SUMMARY}, ',') AS items, (array_agg(m.id))[q.most] AS last
            FROM (
                SELECT m.id, m.universe_id, m.name, m.description, m.version, m.created_at, m.updated_at
                FROM universe u JOIN map m ON m.universe_id = u.id
                WHERE {universes.READABLE} AND (q.after IS NULL OR m.id > q.after)
                ORDER BY m.id LIMIT q.most
            ) m
        ) page
    """),
    pages.hot_question,
    pages.hot_list,
)


def readable_by(user: User) -> Select[tuple[Map]]:
    """The maps that a user may read: those of the universes that they may read."""
    ours = universes.readable_by(user).with_only_columns(col(Universe.id))
    return select(Map).where(col(Map.universe_id).in_(ours))


def _summaries(user: User) -> Select[tuple[Map]]:
    without_grid = defer(Map.grid_data, raiseload=True)  # type: ignore[arg-type]
    return readable_by(user).options(without_grid)


async def page(
    session: AsyncSession, user: User, query: pages.PageQuery, universe_id: UUID | None
) -> Mapping[str, Any]:
    """One page of the maps that a user may read, of one universe or of all, without their grids.

    Raises:
        NotFound: there is no such universe for this user.
    """
    statement = _summaries(user)
    if universe_id is not None:
        await universes.get(session, user, universe_id)
        statement = statement.where(col(Map.universe_id) == universe_id)
    return await pages.page_of(session, statement, Map, query)


_READ = text(f"SELECT {_DOCUMENT} FROM map m WHERE m.id = :id")


async def document(session: AsyncSession, user: User, map_id: UUID) -> tuple[str, int]:
    """The JSON text of a map that the user may read, and its version.

    Raises:
        NotFound: there is none such for this user.
    """
    readable = readable_by(user).with_only_columns(col(Map.id)).where(col(Map.id) == map_id)
    if (await session.execute(readable)).scalar_one_or_none() is None:
        raise NotFound
    row = (await session.execute(_READ, {"id": map_id})).mappings().one_or_none()
    if row is None:
        raise NotFound
    large = row["width"] * row["height"] > _LARGE
    return await asyncio.to_thread(_document, row) if large else _document(row), row["version"]


async def get(session: AsyncSession, user: User, map_id: UUID) -> Map:
    """A map that the user may read.

    Raises:
        NotFound: there is none such for this user.
    """
    row = (await session.execute(readable_by(user).where(col(Map.id) == map_id))).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


async def get_held(session: AsyncSession, user: User, map_id: UUID) -> Map:
    """A map that the user may read, as it stays until the transaction ends.

    Raises:
        NotFound: there is none such for this user.
    """
    statement = readable_by(user).where(col(Map.id) == map_id).with_for_update(read=True, of=Map)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


async def get_to_change(session: AsyncSession, user: User, map_id: UUID) -> tuple[Map, Universe]:
    """A map that the user may read and its universe, both held until the transaction ends.

    Raises:
        NotFound: there is none such for this user.
    """
    row, held = await _hold(session, user, map_id, set())
    return row, held[row.universe_id]


async def get_to_move(
    session: AsyncSession, user: User, map_id: UUID, target_id: UUID
) -> tuple[Map, Universe, Universe]:
    """A map that the user may read, its universe and the one it is to move to, held until the transaction ends.

    Raises:
        NotFound: there is no such map or no such universe for this user.
    """
    row, held = await _hold(session, user, map_id, {target_id})
    return row, held[row.universe_id], held[target_id]


async def _hold(
    session: AsyncSession, user: User, map_id: UUID, more: set[UUID]
) -> tuple[Map, dict[UUID, Universe]]:
    """A map, and by their ids its universe and more of them.

    Universes are held before maps and in the order of their ids: so writers never wait for each other in a circle.
    A map that went to another universe while we waited is looked for there, with nothing held.
    """
    place = readable_by(user).with_only_columns(col(Map.universe_id)).where(col(Map.id) == map_id)
    for _ in range(_MOST_CHASES):
        home_id = (await session.execute(place)).scalar_one_or_none()
        if home_id is None:
            raise NotFound
        wanted = {home_id, *more}
        homes = universes.readable_by(user).where(col(Universe.id).in_(wanted)).order_by(col(Universe.id))
        maps = select(Map).where(col(Map.id) == map_id, col(Map.universe_id) == home_id)
        async with session.begin_nested() as attempt:
            held = {one.id: one for one in await _now(session, homes.with_for_update(key_share=True))}
            if rows := await _now(session, maps.with_for_update()):
                if held.keys() != wanted:
                    raise NotFound
                return rows[0], held
            await attempt.rollback()
    raise Unavailable


async def _now(session: AsyncSession, statement: Select[Any]) -> Sequence[Any]:
    """Rows as they are once they are held, not as this transaction may have read them before."""
    return (await session.execute(statement.execution_options(populate_existing=True))).scalars().all()


_CHUNKS = text("""
    SELECT layer, x, y, rows FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id
""")
_KEYS = [bindparam(name, type_=ARRAY(Integer)) for name in ("layers", "xs", "ys")]
_SOME_CHUNKS = text("""
    SELECT layer, x, y, rows FROM map_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id
        AND (layer = ANY(:whole) OR (layer, x, y) IN (SELECT * FROM unnest(:layers, :xs, :ys)))
""").bindparams(*_KEYS, bindparam("whole", type_=ARRAY(Integer)))
_PUT_CHUNKS = text("""
    INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)
    SELECT :universe_id, :map_id, layer, x, y, rows::jsonb
    FROM unnest(:layers, :xs, :ys, :rows) AS chunk (layer, x, y, rows)
    ON CONFLICT (universe_id, map_id, layer, x, y) DO UPDATE SET rows = excluded.rows
""").bindparams(*_KEYS, bindparam("rows", type_=ARRAY(Text)))
_DROP_CHUNKS = text("""
    DELETE FROM map_chunk c USING unnest(:layers, :xs, :ys) AS gone (layer, x, y)
    WHERE c.universe_id = :universe_id AND c.map_id = :map_id
        AND (c.layer, c.x, c.y) = (gone.layer, gone.x, gone.y)
""").bindparams(*_KEYS)


async def create(session: AsyncSession, user: User, universe: Universe, fields: Mapping[str, Any]) -> Map:
    """A new map in a locked universe; `fields` with a checked document as `grid_data`."""
    row = await put(session, universe, fields)
    await events.record(session, "map.created", user.id, row, {"name": row.name, "version": row.version})
    return row


async def put(session: AsyncSession, universe: Universe, fields: Mapping[str, Any]) -> Map:
    """Store a new map as `create` does, without an event."""
    frame, chunks = await _split(fields["grid_data"], {})
    width, height = size(fields["grid_data"])
    row = Map(**{**fields, "universe_id": universe.id, "grid_data": frame, "width": width, "height": height})
    session.add(row)
    await session.flush()
    await write_chunks(session, row, chunks)
    return row


async def change(
    session: AsyncSession, user: User, row: Map, fields: Mapping[str, Any], target: Universe | None = None
) -> None:
    """Give fields of a locked map new values, or move it to another locked universe; the same is no change.

    Of the grid, only the chunks that differ are written. The event keeps what they were before.
    """
    before: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("name", "description")
        if name in fields and getattr(row, name) != fields[name]
    }
    payload: dict[str, Any] = {name: fields[name] for name in before}
    for name, value in payload.items():
        setattr(row, name, value)
    if "grid_data" in fields:
        before |= await replace_grid(session, row, fields["grid_data"])
        if "chunks" in before:
            payload["grid_data"] = "replaced"
    moves = target is not None and target.id != row.universe_id
    if not before and not moves:
        return
    row.touch()
    payload["version"] = row.version
    if moves and target is not None:
        await events.record(session, "map.moved_out", user.id, row, {"name": row.name, "to": str(target.id)})
        origin, row.universe_id = row.universe_id, target.id
        await session.flush()
        await events.record(
            session, "map.moved_in", user.id, row, {**payload, "from": str(origin)}, before or None
        )
    else:
        await events.record(session, "map.updated", user.id, row, payload, before)


async def restore(session: AsyncSession, user: User, row: Map, document: dict[str, Any], seq: int) -> None:
    """Give a locked map the grid that it had after event `seq`; the same is no change."""
    if before := await replace_grid(session, row, document):
        row.touch()
        await events.record(session, "map.restored", user.id, row, {"seq": seq, "version": row.version}, before)


async def remove(session: AsyncSession, user: User, row: Map) -> None:
    """Delete a locked map."""
    chunks = [list(chunk) for chunk in await session.execute(_CHUNKS, _place(row))]
    before = {
        "name": row.name,
        "description": row.description,
        "grid_data": row.grid_data,
        "size": [row.width, row.height],
        "chunks": chunks,
    }
    await events.record(session, "map.deleted", user.id, row, {"name": row.name}, before)
    await session.delete(row)


async def _split(
    document: dict[str, Any], keys: Mapping[str, int]
) -> tuple[dict[str, Any], dict[ChunkKey, list[str]]]:
    width, height = size(document)
    if width * height > _LARGE:
        return await asyncio.to_thread(split, document, keys)
    return split(document, keys)


async def replace_grid(session: AsyncSession, row: Map, document: dict[str, Any]) -> dict[str, Any]:
    """Store a checked document as a locked map's grid; returns what it replaced, or nothing when they are equal.

    What it replaced is `grid_data`, the frame; `size`, width and height; and `chunks`, the changed ones, as
    [layer, x, y, rows or null].
    """
    frame, chunks = await _split(document, layer_keys(row.grid_data))
    stored = (await session.execute(_CHUNKS, _place(row))).all()
    old = {(one.layer, one.x, one.y): one.rows for one in stored}
    if chunks == old and same(frame, row.grid_data):
        return {}
    changed = sorted(key for key in {*old, *chunks} if old.get(key) != chunks.get(key))
    before = {
        "grid_data": row.grid_data,
        "size": [row.width, row.height],
        "chunks": [[*key, old.get(key)] for key in changed],
    }
    await write_chunks(session, row, {key: chunks.get(key) for key in changed})
    row.grid_data = frame
    row.width, row.height = size(document)
    return before


async def load_chunks(
    session: AsyncSession, row: Map, keys: Iterable[ChunkKey] = (), layers: Iterable[int] = ()
) -> dict[ChunkKey, list[str]]:
    """The stored chunks of a map among those of these keys, and all of these layers."""
    found = await session.execute(_SOME_CHUNKS, {**_place(row), **_columns(list(keys)), "whole": list(layers)})
    return {(one.layer, one.x, one.y): one.rows for one in found}


async def follow(session: AsyncSession, row: Map, steps: Steps[Result], *, large: bool = False) -> Result:
    """Go through steps over a map's cells, loading the chunks that they want; their result.

    Much work goes to a thread: that on many chunks, and that which the caller knows to be `large`.
    """
    loaded: Loaded | None = None
    while True:
        large = large or (loaded is not None and len(loaded) > _LARGE_CHUNKS)
        outcome = await asyncio.to_thread(_step, steps, loaded) if large else _step(steps, loaded)
        if not isinstance(outcome, Wanted):
            return outcome.value
        loaded = await load_chunks(session, row, outcome.chunks, outcome.layers)


class _Done(NamedTuple, Generic[Result]):
    value: Result


def _step(steps: Steps[Result], loaded: Loaded | None) -> Wanted | _Done[Result]:
    try:
        return next(steps) if loaded is None else steps.send(loaded)
    except StopIteration as stop:
        return _Done(stop.value)


async def write_chunks(session: AsyncSession, row: Map, chunks: Mapping[ChunkKey, list[str] | None]) -> None:
    """Store chunks of a locked map: the rows of each, or None to delete it."""
    put = {key: orjson.dumps(rows).decode() for key, rows in chunks.items() if rows is not None}
    if put:
        await session.execute(_PUT_CHUNKS, {**_place(row), **_columns(list(put)), "rows": list(put.values())})
    if gone := [key for key, rows in chunks.items() if rows is None]:
        await session.execute(_DROP_CHUNKS, {**_place(row), **_columns(gone)})


def _place(row: Map) -> dict[str, UUID]:
    return {"universe_id": row.universe_id, "map_id": row.id}


def _columns(keys: list[ChunkKey]) -> dict[str, list[int]]:
    """Keys as three arrays."""
    return {name: [key[at] for key in keys] for at, name in enumerate(("layers", "xs", "ys"))}
