"""The fast edit: a few cells of one chunk, set by one SQL statement, for many maps at once."""

import re
from typing import Any

import orjson
from starlette.types import Scope

from game.accounts.queries import AUTHENTICATED
from game.core.coalescer import HotStatement
from game.core.hot import HotResponse, HotWrite, if_match
from game.editing.models import MAX_SIZE, EditResult
from game.events.hints import Hint
from game.events.queries import WRITTEN_ROW
from game.grid.chunks import CHUNK, ROWS_MARK
from game.grid.edits.fields import CELL
from game.universes.access import IS_GAME_MASTER, MEMBER_OF

_MAX_HOT_CELLS = 256
_VERSION = re.compile(rb'"[0-9]{1,9}"')
"""An If-Match with one version, as the editor sends it; the endpoint handles other forms."""


def _hot_cells(scope: Scope, body: bytes) -> tuple[Any, ...] | None:
    """The statement's parameters for one edit that sets cells of one chunk; None for any other, or an invalid
    one."""
    try:
        request = orjson.loads(body)
        [edit] = request["edits"]
        cells = edit["cells"]
        plain = (
            len(request) == 1
            and edit.keys() == {"op", "layer", "cells"}
            and edit["op"] == "set"
            and type(edit["layer"]) is str
            and "\0" not in edit["layer"]
            and 0 < len(cells) <= _MAX_HOT_CELLS
            and all(map(_is_plain, cells))
            and len({(cell["x"], cell["y"]) for cell in cells}) == len(cells)
            and len({(cell["x"] // CHUNK, cell["y"] // CHUNK) for cell in cells}) == 1
            # There is one colon for each pair, so there are no duplicate keys, which the parser would not report.
            and body.count(b":") == 4 + 3 * len(cells)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    versions = if_match(scope)
    if not plain or len(versions) > 1 or not all(map(_VERSION.fullmatch, versions)):
        return None
    version = int(versions[0].strip(b'"')) if versions else None
    return scope["path_params"]["id"], orjson.dumps([edit]).decode(), version


def _is_plain(cell: dict[str, Any]) -> bool:
    """Whether a cell is valid, within the largest map, and set to a symbol other than empty."""
    if cell.keys() != CELL.keys() or any(rule.check(cell[name]) for name, (rule, _) in CELL.items()):
        return False
    return max(cell["x"], cell["y"]) < MAX_SIZE and cell["symbol"] not in " \0"


# One statement carries out the most common edit, painting a few cells of one chunk, for many maps at once. It
# checks the session and the permission, takes the locks in the order that all writers use (universes by id, then
# maps, then chunks), checks the rules, and writes the cells, the versions and the events. If anything is unusual
# or not allowed, it returns no row and changes nothing, and the endpoint reports the reason.
#
# A locking CTE returns the rows as they are after the lock was granted, not as they were when the statement began,
# so the updates use only these rows. A batch has each map at most once, but may have several maps of a universe,
# whose events are numbered by `position`.
_AUTHENTICATED = AUTHENTICATED.format(
    more_types=", $3::uuid[], $4::jsonb[], $5::int[], $6::boolean[]", more_names=", id, edits, tag, is_heard"
)
_SET_CELLS = f"""
    WITH request AS MATERIALIZED (
        SELECT q.n, q.is_heard, a.id AS actor_id, m.universe_id, m.id AS map_id, u.access_version, q.edits,
            q.edits->0->>'layer' AS layer, q.edits->0->'cells' AS cells, q.tag AS if_version
        {_AUTHENTICATED}
        -- For maps with fog, the endpoint also writes what players remember.
        JOIN map m ON m.id = q.id AND m.scene_key IS NULL
        {MEMBER_OF} m.universe_id AND {IS_GAME_MASTER}
        JOIN universe u ON u.id = mb.universe_id
    ), locked_universe AS MATERIALIZED (
        SELECT u.id, u.access_version, u.is_full FROM universe u
        WHERE u.id = ANY (ARRAY(SELECT universe_id FROM request))
        ORDER BY u.id FOR NO KEY UPDATE WAIT
    ), target AS MATERIALIZED (
        SELECT request.*, locked_universe.is_full, m.width, m.height, m.grid_data, m.version, m.players_layers,
            m.players_legend
        -- If the members changed after `request` read them, the permission has to be checked again.
        FROM locked_universe
        JOIN request ON request.universe_id = locked_universe.id
            AND request.access_version = locked_universe.access_version
        JOIN map m ON m.id = request.map_id AND m.universe_id = locked_universe.id AND m.scene_key IS NULL
        FOR NO KEY UPDATE OF m WAIT
    ), with_layer AS MATERIALIZED (
        SELECT target.*, (found.item->>'rows')::bigint - {ROWS_MARK} AS layer_key,
            (target.cells->0->>'x')::int / {CHUNK} AS chunk_x, (target.cells->0->>'y')::int / {CHUNK} AS chunk_y
        FROM target, jsonb_array_elements(target.grid_data->'layers') AS found (item)
        WHERE NOT target.is_full AND coalesce(target.if_version, target.version) = target.version
            AND found.item->>'name' = target.layer AND found.item ? 'rows' AND NOT EXISTS (
            SELECT FROM jsonb_to_recordset(target.cells) AS cell (x int, y int, symbol text)
            WHERE cell.x >= target.width OR cell.y >= target.height OR cell.symbol NOT IN (
                SELECT entry.item->>'symbol' FROM jsonb_array_elements(target.grid_data->'legend') AS entry (item)
            )
        )
    ), old_chunk AS MATERIALIZED (
        SELECT with_layer.*, c.rows FROM with_layer
        JOIN map_chunk c ON c.universe_id = with_layer.universe_id AND c.map_id = with_layer.map_id
            AND c.layer = with_layer.layer_key AND c.x = with_layer.chunk_x AND c.y = with_layer.chunk_y
        FOR UPDATE OF c WAIT
    ), painted AS MATERIALIZED (
        SELECT old_chunk.*, cell.runs, cell.effect, cell.count, lines.rows AS new_rows,
            row_number() OVER (PARTITION BY old_chunk.universe_id ORDER BY old_chunk.n) AS position
        FROM old_chunk,
        LATERAL (
            SELECT count(*) AS count, jsonb_agg(
                jsonb_build_array(cell.x, cell.y, 1, was.symbol, cell.symbol) ORDER BY cell.y, cell.x
            ) AS runs, jsonb_build_object(
                'region', jsonb_build_object(
                    'x', min(cell.x), 'y', min(cell.y),
                    'width', max(cell.x) - min(cell.x) + 1, 'height', max(cell.y) - min(cell.y) + 1
                ),
                'cells', jsonb_build_array(jsonb_build_object('layer', old_chunk.layer, 'runs', jsonb_agg(
                    jsonb_build_array(cell.x, cell.y, 1, cell.symbol) ORDER BY cell.y, cell.x
                )))
            ) AS effect
            FROM jsonb_to_recordset(old_chunk.cells) AS cell (x int, y int, symbol text),
            LATERAL (
                SELECT substr(old_chunk.rows->>(cell.y % {CHUNK}), cell.x % {CHUNK} + 1, 1) AS symbol
            ) was
            WHERE was.symbol <> cell.symbol
        ) cell,
        LATERAL (
            SELECT CASE jsonb_array_length(old_chunk.cells) WHEN 1 THEN (
                -- The most frequent edit: it needs only its line, not all lines of the chunk.
                SELECT jsonb_set(old_chunk.rows, ARRAY[(cell.y % {CHUNK})::text], to_jsonb(
                    overlay(old_chunk.rows->>(cell.y % {CHUNK}) PLACING cell.symbol FROM cell.x % {CHUNK} + 1)
                ))
                FROM jsonb_to_recordset(old_chunk.cells) AS cell (x int, y int, symbol text)
            ) ELSE (
                SELECT jsonb_agg(coalesce(to_jsonb(new.line), old.line) ORDER BY old.y)
                FROM jsonb_array_elements(old_chunk.rows) WITH ORDINALITY AS old (line, y)
                LEFT JOIN (
                    -- Each new symbol with the text between it and the previous one; then the rest of the line.
                    SELECT y, string_agg(substr(line, last + 1, at - last - 1) || symbol, '' ORDER BY at)
                        || substr(line, max(at) + 1) AS line
                    FROM (
                        SELECT *, lag(at, 1, 0) OVER (PARTITION BY y ORDER BY at) AS last
                        FROM (
                            SELECT cell.y % {CHUNK} AS y, cell.x % {CHUNK} + 1 AS at, cell.symbol,
                                old_chunk.rows->>(cell.y % {CHUNK}) AS line
                            FROM jsonb_to_recordset(old_chunk.cells) AS cell (x int, y int, symbol text)
                        ) placed
                    ) following
                    GROUP BY y, line
                ) new ON new.y = old.y - 1
            ) END AS rows
        ) lines
        WHERE cell.count > 0
    ), updated_chunk AS (
        UPDATE map_chunk c SET rows = painted.new_rows FROM painted
        WHERE c.universe_id = painted.universe_id AND c.map_id = painted.map_id
            AND c.layer = painted.layer_key AND c.x = painted.chunk_x AND c.y = painted.chunk_y
    ), updated_map AS (
        UPDATE map m SET version = m.version + 1, updated_at = statement_timestamp() FROM painted
        WHERE m.universe_id = painted.universe_id AND m.id = painted.map_id
        RETURNING m.id, m.version
    ), updated_universe AS (
        -- An estimate of the size of the event, for the quotas.
        UPDATE universe u SET event_seq = u.event_seq + more.count, event_bytes = u.event_bytes + more.bytes
        FROM (
            SELECT universe_id, count(*), sum(400 + 80 * painted.count) AS bytes FROM painted GROUP BY universe_id
        ) more
        WHERE u.id = more.universe_id
        RETURNING u.id, u.event_seq - more.count AS last_seq
    ), done AS MATERIALIZED (
        SELECT painted.*, updated_map.version AS new_version, updated_universe.last_seq + painted.position AS seq
        FROM painted
        JOIN updated_map ON updated_map.id = painted.map_id
        JOIN updated_universe ON updated_universe.id = painted.universe_id
    ), logged_event AS (
        INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, before, shared, created_at)
        SELECT universe_id, seq, actor_id, 'map.edited', map_id,
            effect || jsonb_build_object('version', new_version, 'touched', jsonb_build_object('cells', count)),
            jsonb_build_object('change', jsonb_build_array(
                jsonb_build_object('cells', layer_key, 'runs', runs)
            )),
            -- For players, if they see the layer, with the legend entries, which may be new to them.
            CASE WHEN layer_key = ANY (players_layers) THEN effect || (
                SELECT jsonb_build_object('legend', jsonb_agg(players_legend[place + 1]::jsonb ORDER BY place))
                FROM generate_series(1, cardinality(players_legend), 2) AS place
                WHERE EXISTS (SELECT FROM jsonb_array_elements(runs) run WHERE run->>4 = players_legend[place])
            ) END,
            clock_timestamp()
        FROM done
        RETURNING *
    )
    -- If no cell changes, nothing is written. Without a row in `target`, the universe or the map is locked.
    SELECT request.n, request.universe_id, coalesce(new_version, old_chunk.version) AS version, seq,
        coalesce(count, 0) AS changed,
        request.access_version, CASE WHEN request.is_heard THEN (
            SELECT {WRITTEN_ROW} FROM logged_event
            WHERE logged_event.universe_id = done.universe_id AND logged_event.seq = done.seq
        ) END AS event,
        CASE WHEN target.n IS NULL THEN request.universe_id END AS locked
    FROM request
    LEFT JOIN target ON target.n = request.n
    LEFT JOIN old_chunk ON old_chunk.n = request.n
    LEFT JOIN done ON done.n = request.n
    WHERE target.n IS NULL OR old_chunk.n IS NOT NULL
"""

_RESULT = tuple(EditResult.model_fields)
SET_CELLS = HotWrite(
    HotStatement(
        _SET_CELLS.replace("WAIT", "SKIP LOCKED"),
        # The index of the map's id in the parameters.
        subject=2,
        blocking=_SET_CELLS.replace("WAIT", ""),
    ),
    _hot_cells,
    lambda row: HotResponse(orjson.dumps({name: row[name] for name in _RESULT}), row["version"]),
    lambda row: Hint(row["universe_id"], row["access_version"], row["event"]) if row["seq"] else None,
)
