"""The SQL of exporting a universe, from one snapshot."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import IO
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.assets.models import Asset
from game.core.database import Database, allow_idle, snapshot
from game.core.models import rfc3339
from game.exchange.bundle import (
    CHARACTERS,
    ENCOUNTERS,
    EVENTS,
    FORMAT,
    MANIFEST,
    MESSAGES,
    NOTES,
    ROLLS,
    TOKENS,
    VERSION,
    Writer,
)
from game.maps import documents
from game.maps import queries as maps
from game.maps.models import Map
from game.universes.access import Access

_EVENTS_AT_ONCE = 500
_BYTES_AT_ONCE = 4 * 2**20
_PIECES_AT_ONCE = 64
"""The maximum size of a part of a map's text, in bytes: a band of the widest map."""

# Only grants to all members are exported, because others name users.
_TO_MEMBERS = (
    "CASE WHEN {grants} ? 'members' THEN jsonb_build_object('members', {grants}->'members') ELSE '{{}}' END"
)
_GRANTS = f"'grants', {_TO_MEMBERS.format(grants='grants')}"


def _without_users(column: str) -> str:
    """SQL: `payload` or `before` of an event without what names users."""
    to_members = _TO_MEMBERS.format(grants=f"({column}->'grants')")
    return f"""
        CASE
            WHEN kind LIKE 'member.%' THEN CASE WHEN {column} IS NOT NULL THEN cast('{{}}' AS jsonb) END
            WHEN kind = 'universe.transferred' THEN {column} - 'owner_id'
            WHEN kind LIKE 'map.fog%' THEN {column} - 'for'
            WHEN kind ~ '^(character|token|note)[.]' AND {column} ? 'grants'
                THEN jsonb_set({column}, ARRAY['grants'], {to_members})
            ELSE {column}
        END
    """


# As text, because data of imported universes is not validated again.
_LINES = text(f"""
    SELECT seq, line FROM (
        SELECT seq, line, sum(octet_length(line)) OVER (ORDER BY seq) - octet_length(line) AS ahead
        FROM (
            SELECT seq, concat('{{"seq":', seq, ',"kind":', to_json(kind),
                ',"subject_id":"', CASE WHEN kind LIKE 'member.%' THEN universe_id ELSE subject_id END,
                '","payload":', {_without_users("payload")},
                ',"before":', coalesce(({_without_users("before")})::text, 'null'),
                ',"created_at":"', {rfc3339("created_at")}, '"}}') AS line
            FROM event WHERE universe_id = :universe_id AND seq > :seq ORDER BY seq LIMIT {_EVENTS_AT_ONCE}
        ) lines
    ) measured
    WHERE ahead < {_BYTES_AT_ONCE} ORDER BY seq
""")

# Rows of a universe as JSON, by their file.
_ROWS = {
    CHARACTERS: f"""
        SELECT id, jsonb_build_object('id', id, 'name', name, 'kind', kind, 'asset_id', asset_id, {_GRANTS},
            'sheet', sheet, 'gm', gm, 'version', version)::text AS line FROM character
    """,
    TOKENS: f"""
        SELECT id, jsonb_build_object('id', id, 'map_id', map_id, 'character_id', character_id, 'name', name,
            'x', x, 'y', y, 'size', size, 'rotation', rotation, 'elevation', elevation, 'asset_id', asset_id,
            'color', color, 'disposition', disposition, 'hidden', hidden, 'sight', sight, 'light', light,
            'conditions', conditions, 'bars', bars, {_GRANTS}, 'properties', properties, 'gm', gm,
            'version', version)::text AS line FROM token
    """,
    NOTES: f"""
        SELECT id, jsonb_build_object('id', id, 'title', title, 'body', body, {_GRANTS}, 'map_id', map_id,
            'x', x, 'y', y, 'version', version)::text AS line FROM note
    """,
    ENCOUNTERS: """
        SELECT id, jsonb_build_object('id', id, 'name', name, 'map_id', map_id, 'state', state, 'round', round,
            'turn', turn, 'shown_round', shown_round, 'shown_turn', shown_turn, 'combatants', combatants,
            'gm', gm, 'version', version)::text AS line FROM encounter
    """,
    ROLLS: """
        SELECT id, jsonb_build_object('id', id, 'expression', expression, 'total', total, 'terms', terms,
            'text', text, 'visibility', visibility, 'reason', reason, 'character_id', character_id,
            'created_at', created_at)::text AS line FROM (SELECT * FROM roll WHERE visibility <> 'me') shown
    """,
    MESSAGES: """
        SELECT id, jsonb_build_object('id', id, 'text', text, 'character_id', character_id,
            'created_at', created_at)::text AS line FROM (SELECT * FROM message WHERE "to" IS NULL) said
    """,
}
_SOME_ROWS = {
    name: text(f"""
        SELECT id, line FROM (
            SELECT id, line, sum(octet_length(line)) OVER (ORDER BY id) - octet_length(line) AS ahead
            FROM ({statement} WHERE universe_id = :universe_id AND id > :id ORDER BY id LIMIT 100) lines
        ) measured
        WHERE ahead < {_BYTES_AT_ONCE} ORDER BY id
    """)
    for name, statement in _ROWS.items()
}


async def _add_rows(
    session: AsyncSession, universe_id: UUID, writer: Writer, name: str, on_progress: Callable[[], None]
) -> None:
    with writer.open(name) as entry:
        last = UUID(int=0)
        while lines := (await session.execute(_SOME_ROWS[name], {"universe_id": universe_id, "id": last})).all():
            part = b"".join(line.line.encode() + b"\n" for line in lines)
            await asyncio.to_thread(entry.write, part)
            last = lines[-1].id
            on_progress()


async def export(
    database: Database, caller: Access, file: IO[bytes], seconds: float, on_progress: Callable[[], None]
) -> None:
    """Write a snapshot of a universe to a file as a bundle.

    Each step may take `seconds`; `on_progress` is called after it.
    """
    universe, writer = caller.universe, Writer(file)
    async with database.session() as session:
        await snapshot(session)
        # Compressing the largest map takes longer than the usual idle timeout of a transaction.
        await allow_idle(session, seconds)
        statement = select(col(Map.id)).where(col(Map.universe_id) == universe.id).order_by(col(Map.id))
        map_ids = (await session.execute(statement)).scalars().all()
        listed = (
            await session.execute(
                select(col(Asset.id), col(Asset.name), col(Asset.sha256))
                .where(col(Asset.universe_id) == universe.id)
                .order_by(col(Asset.id))
            )
        ).all()
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "universe": {
                "name": universe.name,
                "description": universe.description,
                "active_map_id": universe.active_map_id and str(universe.active_map_id),
            },
            "maps": [str(one) for one in map_ids],
            "assets": [{"id": str(one.id), "name": one.name} for one in listed],
        }
        writer.add(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        for map_id in map_ids:
            found = await maps.get(session, caller.user, map_id, "exportMap", with_grid=False)
            await _add_map(writer, map_id, await documents.load(session, found, on_progress), on_progress)
        for one in listed:
            data = (await session.execute(_FILE, {"universe_id": universe.id, "sha256": one.sha256})).scalar_one()
            await asyncio.to_thread(writer.add, f"assets/{one.id}", data)
            on_progress()
        for name in _ROWS:
            await _add_rows(session, universe.id, writer, name, on_progress)
        with writer.open(EVENTS) as entry:
            seq = 0
            while lines := (await session.execute(_LINES, {"universe_id": universe.id, "seq": seq})).all():
                part = b"".join(line.line.encode() + b"\n" for line in lines)
                await asyncio.to_thread(entry.write, part)
                seq = lines[-1].seq
                on_progress()
    await asyncio.to_thread(writer.close)


async def _add_map(
    writer: Writer, map_id: UUID, loaded: documents.MapPieces, on_progress: Callable[[], None]
) -> None:
    with closing(loaded), writer.open(f"maps/{map_id}.json") as entry:
        # In batches, so that this stops when the client disconnects.
        while await asyncio.to_thread(_write_some, entry, loaded):
            on_progress()


def _write_some(entry: IO[bytes], pieces: documents.MapPieces) -> bool:
    """Write some pieces; returns whether there were any."""
    some = b"".join(islice(pieces, _PIECES_AT_ONCE))
    entry.write(some)
    return bool(some)


_FILE = text("""
    SELECT data FROM picture_file
    WHERE universe_id = :universe_id AND sha256 = :sha256 AND variant = 'original'
""")
