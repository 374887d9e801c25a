"""The SQL of maps and their chunks, and the one statement that says which of them a person may read."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, SmallInteger, Text, bindparam, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core import pages
from game.core.coalescer import HotStatement
from game.core.errors import NotFound
from game.core.hot import HotAnswer, HotRead, path_id
from game.core.models import rfc3339
from game.events import queries as events
from game.grid.chunks import ChunkKey, join, split
from game.grid.document import size
from game.maps.models import Map
from game.universes import queries as universes
from game.universes.models import Universe

_LARGE = 65_536
"""Cells from which work on a grid goes to a thread, so that other requests go on."""

_HEAD = """
    '{"id":"' || m.id || '","universe_id":"' || m.universe_id || '","name":' || to_json(m.name)
    || ',"description":' || to_json(m.description)
"""
_TAIL = f"""
    ',"version":' || m.version
    || ',"created_at":"' || {rfc3339("m.created_at")} || '","updated_at":"' || {rfc3339("m.updated_at")} || '"}}'
"""
_DOCUMENT = f"""
    m.version, m.width, m.height, {_HEAD} || ',"grid_data":' AS head, m.grid_data::text AS frame, {_TAIL} AS tail,
    ARRAY(
        SELECT (c.layer, c.x, c.y, c.rows::text) FROM map_chunk c
        WHERE c.universe_id = m.universe_id AND c.map_id = m.id
    ) AS chunks
"""


def _document(row: Mapping[str, Any]) -> str:
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
        SELECT q.n, page.items, page.next_id
        {AUTHENTICATED.format(more_types=", $3::int[], $4::uuid[]", more_names=", most, after")}
        CROSS JOIN LATERAL (
            SELECT string_agg({_SUMMARY}, ',' ORDER BY m.id) FILTER (WHERE m.place <= q.most) AS items,
                CASE WHEN count(*) > q.most THEN (array_agg(m.id ORDER BY m.id))[q.most] END AS next_id
            FROM (
                SELECT m.id, m.universe_id, m.name, m.description, m.version, m.created_at, m.updated_at,
                    row_number() OVER (ORDER BY m.id) AS place
                FROM universe u JOIN map m ON m.universe_id = u.id
                WHERE {universes.READABLE} AND (q.after IS NULL OR m.id > q.after)
                ORDER BY m.id LIMIT q.most + 1
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
    row = (await session.execute(_READ, {"id": map_id})).mappings().one()
    large = row["width"] * row["height"] > _LARGE
    return await asyncio.to_thread(_document, row) if large else _document(row), row["version"]


async def get_to_change(session: AsyncSession, user: User, map_id: UUID) -> tuple[Map, Universe]:
    """A map that the user may read and its universe, both held until the transaction ends.

    The universe first, as everywhere: its row counts the events, so writers would meet there in any case.

    Raises:
        NotFound: there is none such for this user.
    """
    home = (
        universes.readable_by(user)
        .join(Map, col(Map.universe_id) == col(Universe.id))
        .where(col(Map.id) == map_id)
        .with_for_update(key_share=True, of=Universe)
    )
    universe = (await session.execute(home)).scalar_one_or_none()
    if universe is None:
        raise NotFound
    statement = select(Map).where(col(Map.id) == map_id, col(Map.universe_id) == universe.id)
    row = (await session.execute(statement.with_for_update())).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row, universe


async def lock_for_move(session: AsyncSession, user: User, map_id: UUID, target_id: UUID) -> Universe:
    """Hold the universe that a map is in and the one that it is to move to, in the order of their ids.

    Raises:
        NotFound: there is no such universe for this user.
    """
    home = select(col(Map.universe_id)).where(col(Map.id) == map_id).scalar_subquery()
    both = (
        universes.readable_by(user)
        .where(or_(col(Universe.id) == target_id, col(Universe.id) == home))
        .order_by(col(Universe.id))
        .with_for_update(key_share=True)
    )
    for universe in (await session.execute(both)).scalars():
        if universe.id == target_id:
            return universe
    raise NotFound


_CHUNKS = text("""
    SELECT layer, x, y, rows FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id
""")
_PUT_CHUNKS = text("""
    INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)
    SELECT :universe_id, :map_id, layer, x, y, rows::jsonb
    FROM unnest(:layers, :xs, :ys, :rows) AS chunk (layer, x, y, rows)
    ON CONFLICT (universe_id, map_id, layer, x, y) DO UPDATE SET rows = excluded.rows
""").bindparams(
    bindparam("layers", type_=ARRAY(SmallInteger)),
    bindparam("xs", type_=ARRAY(SmallInteger)),
    bindparam("ys", type_=ARRAY(SmallInteger)),
    bindparam("rows", type_=ARRAY(Text)),
)
_DROP_CHUNKS = text("""
    DELETE FROM map_chunk c USING unnest(:layers, :xs, :ys) AS gone (layer, x, y)
    WHERE c.universe_id = :universe_id AND c.map_id = :map_id
        AND (c.layer, c.x, c.y) = (gone.layer, gone.x, gone.y)
""").bindparams(
    bindparam("layers", type_=ARRAY(SmallInteger)),
    bindparam("xs", type_=ARRAY(SmallInteger)),
    bindparam("ys", type_=ARRAY(SmallInteger)),
)


async def create(session: AsyncSession, user: User, universe: Universe, fields: Mapping[str, Any]) -> Map:
    """A new map in a locked universe; `fields` with a checked document as `grid_data`."""
    frame, chunks = await _split(fields["grid_data"])
    width, height = size(fields["grid_data"])
    row = Map(**{**fields, "universe_id": universe.id, "grid_data": frame, "width": width, "height": height})
    session.add(row)
    await session.flush()
    await _write_chunks(session, row, chunks, {})
    await _record(session, "map.created", user, row, {"name": row.name, "version": row.version})
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
        before |= await _replace_grid(session, row, fields["grid_data"])
        if "chunks" in before:
            payload["grid_data"] = "replaced"
    moves = target is not None and target.id != row.universe_id
    if not before and not moves:
        return
    row.touch()
    payload["version"] = row.version
    if moves and target is not None:
        await _record(session, "map.moved_out", user, row, {"name": row.name, "to": str(target.id)})
        origin, row.universe_id = row.universe_id, target.id
        await session.flush()
        await _record(session, "map.moved_in", user, row, {**payload, "from": str(origin)}, before or None)
    else:
        await _record(session, "map.updated", user, row, payload, before)


async def remove(session: AsyncSession, user: User, row: Map) -> None:
    """Delete a locked map."""
    await _record(session, "map.deleted", user, row, {"name": row.name})
    await session.delete(row)


async def _split(document: dict[str, Any]) -> tuple[dict[str, Any], dict[ChunkKey, list[str]]]:
    width, height = size(document)
    return await asyncio.to_thread(split, document) if width * height > _LARGE else split(document)


async def _replace_grid(session: AsyncSession, row: Map, document: dict[str, Any]) -> dict[str, Any]:
    """Store a checked document as a map's grid; returns what it replaced, or nothing when they are equal."""
    frame, chunks = await _split(document)
    place = {"universe_id": row.universe_id, "map_id": row.id}
    stored = (await session.execute(_CHUNKS, place)).all()
    old = {(one.layer, one.x, one.y): one.rows for one in stored}
    if frame == row.grid_data and chunks == old:
        return {}
    changed = [key for key in {*old, *chunks} if old.get(key) != chunks.get(key)]
    before = {"grid_data": row.grid_data, "chunks": [[*key, old.get(key)] for key in sorted(changed)]}
    await _write_chunks(session, row, chunks, old)
    row.grid_data = frame
    row.width, row.height = size(document)
    return before


async def _write_chunks(
    session: AsyncSession, row: Map, chunks: Mapping[ChunkKey, list[str]], old: Mapping[ChunkKey, list[str]]
) -> None:
    place = {"universe_id": row.universe_id, "map_id": row.id}
    if new := [key for key in chunks if chunks[key] != old.get(key)]:
        rows = [orjson.dumps(chunks[key]).decode() for key in new]
        await session.execute(_PUT_CHUNKS, {**place, **_columns(new), "rows": rows})
    if gone := [key for key in old if key not in chunks]:
        await session.execute(_DROP_CHUNKS, {**place, **_columns(gone)})


def _columns(keys: list[ChunkKey]) -> dict[str, list[int]]:
    layers, xs, ys = zip(*keys, strict=True)
    return {"layers": list(layers), "xs": list(xs), "ys": list(ys)}


async def _record(
    session: AsyncSession,
    kind: str,
    user: User,
    row: Map,
    payload: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> None:
    await events.record(
        session,
        kind,
        universe_id=row.universe_id,
        actor_id=user.id,
        subject_id=row.id,
        payload=payload,
        before=before,
    )
