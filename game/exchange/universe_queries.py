"""The SQL of exporting a universe, from one snapshot, and of importing one, in one transaction."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from gzip import GzipFile
from itertools import islice
from typing import IO, Any
from uuid import UUID

import orjson
from sqlalchemy import Integer, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as Uuid
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.assets.models import Asset
from game.core.database import Database, allow_idle
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
from game.universes.models import Universe

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
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
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
_PICTURE = text("""
    WITH stored AS (
        INSERT INTO picture (universe_id, sha256, bytes) VALUES (:universe_id, :sha256, :bytes)
    )
    INSERT INTO picture_file (universe_id, sha256, variant, media_type, data)
    VALUES (:universe_id, :sha256, 'original', :media_type, :data)
""")
_ASSET = text("""
    INSERT INTO asset (id, universe_id, name, media_type, width, height, sha256)
    VALUES (:id, :universe_id, :name, :media_type, :width, :height, :sha256)
""")
_MAP = text("""
    INSERT INTO map (
        id, universe_id, name, description, version, grid_data, width, height,
        visibility, fog, fog_sharing, lighting, players_frame, players_legend, players_layers, scene_key
    ) VALUES (
        :id, :universe_id, :name, :description, :version, cast(:frame AS jsonb), :width, :height,
        :visibility, :fog, :fog_sharing, :lighting, cast(:players_frame AS jsonb), :players_legend,
        :players_layers,
        -- A map with fog remembers what players see from now on.
        CASE WHEN cast(:fog AS varchar) <> 'off' THEN gen_random_uuid() END
    )
""").bindparams(bindparam("players_legend", type_=ARRAY(Text)), bindparam("players_layers", type_=ARRAY(Integer)))
_INTEGERS = [bindparam(name, type_=ARRAY(Integer)) for name in ("layers", "xs", "ys")]
_CHUNKS = text("""
    INSERT INTO map_chunk (universe_id, map_id, layer, x, y, rows)
    SELECT :universe_id, :map_id, layer, x, y, rows::jsonb
    FROM unnest(:layers, :xs, :ys, :rows) AS chunk (layer, x, y, rows)
""").bindparams(*_INTEGERS, bindparam("rows", type_=ARRAY(Text)))
_EVENTS = text("""
    INSERT INTO event (universe_id, seq, kind, subject_id, payload, before, created_at)
    SELECT :universe_id, seq, kind, coalesce(subject_id, :universe_id), payload::jsonb, before::jsonb, created_at
    FROM unnest(:seqs, :kinds, :subject_ids, :payloads, :befores, :times)
        AS event (seq, kind, subject_id, payload, before, created_at)
""").bindparams(
    bindparam("universe_id", type_=Uuid()),
    bindparam("seqs", type_=ARRAY(Integer)),
    *(bindparam(name, type_=ARRAY(Text)) for name in ("kinds", "payloads", "befores")),
    bindparam("subject_ids", type_=ARRAY(Uuid())),
    bindparam("times", type_=ARRAY(TIMESTAMP(timezone=True))),
)

_COLUMNS = {
    "character": "id uuid, name text, kind text, asset_id uuid, grants jsonb, sheet jsonb, gm jsonb, version int",
    "token": "id uuid, map_id uuid, character_id uuid, name text, x float, y float, size float, rotation float, "
    "elevation float, asset_id uuid, color text, disposition text, hidden bool, sight jsonb, light jsonb, "
    "conditions jsonb, bars jsonb, grants jsonb, properties jsonb, gm jsonb, version int",
    "note": "id uuid, title text, body text, grants jsonb, map_id uuid, x float, y float, asset_ids uuid[], "
    "version int",
    "encounter": "id uuid, name text, map_id uuid, state text, round int, turn uuid, shown_round int, "
    "shown_turn uuid, combatants jsonb, gm jsonb, version int",
    "roll": "id uuid, expression text, total bigint, terms jsonb, text text, visibility text, reason text, "
    "character_id uuid, nonce text, created_at timestamptz",
    "message": "id uuid, text text, character_id uuid, created_at timestamptz",
}
_INSERT = {
    table: text(f"""
        INSERT INTO {table} (universe_id, {", ".join(column.split()[0] for column in columns.split(", "))})
        SELECT :universe_id, one.* FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS one ({columns})
    """)
    for table, columns in _COLUMNS.items()
}


async def store(
    session: AsyncSession, universe: Universe, records: GzipFile, on_progress: Callable[[], None]
) -> None:
    """Store the records of a bundle (`exchange.contents`) in a new universe; `on_progress` is called for each."""
    while line := await asyncio.to_thread(records.readline):
        on_progress()
        record = await asyncio.to_thread(orjson.loads, line)
        values: dict[str, Any] = {"universe_id": universe.id, **record}
        match values.pop("kind"):
            case "picture":
                values["data"] = await asyncio.to_thread(records.read, values["bytes"])
                await session.execute(_PICTURE, {**values, "sha256": bytes.fromhex(values["sha256"])})
            case "asset":
                ids = {"id": UUID(values["id"]), "sha256": bytes.fromhex(values["sha256"])}
                await session.execute(_ASSET, {**values, **ids})
            case "rows":
                await session.execute(_INSERT[values.pop("table")], values)
            case "map":
                await session.execute(_MAP, {**values, "id": UUID(values["id"])})
            case "chunks":
                await session.execute(_CHUNKS, {**values, "map_id": UUID(values["map_id"])})
            case "events":
                values["subject_ids"] = [one and UUID(one) for one in values["subject_ids"]]
                values["times"] = [datetime.fromisoformat(one) for one in values["times"]]
                await session.execute(_EVENTS, values)
