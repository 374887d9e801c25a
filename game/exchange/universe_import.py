"""The SQL of importing a universe, in one transaction."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from gzip import GzipFile
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as Uuid
from sqlalchemy.ext.asyncio import AsyncSession

from game.universes.models import Universe

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
