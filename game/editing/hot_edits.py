"""The fast edit: a few cells of one chunk, set by one SQL statement, for many maps at once."""

import re
from typing import Any

import orjson
from starlette.types import Scope

from game.accounts.queries import AUTHENTICATED
from game.core.coalescer import HotStatement
from game.core.hot import HotAnswer, HotWrite, if_match
from game.editing.models import MAX_SIZE, EditResult
from game.grid.chunks import CHUNK, ROWS_MARK
from game.grid.edits.fields import CELL
from game.universes.access import IS_GAME_MASTER, MEMBER_OF

_MAX_HOT_CELLS = 256
_VERSION = re.compile(rb'"[0-9]{1,9}"')
"""An If-Match of one version, as the editor sends it; the endpoint reads any other."""


def _hot_cells(scope: Scope, body: bytes) -> tuple[Any, ...] | None:
    """The question of one edit that sets cells of one chunk; None for any other, or where a rule is broken."""
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
            # One colon a pair: no key stands twice, which the parser would not say.
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
    """Whether a cell, which breaks no rule, is set to something other than empty, on what may be a map."""
    if cell.keys() != CELL.keys() or any(rule.check(cell[name]) for name, (rule, _) in CELL.items()):
        return False
    return max(cell["x"], cell["y"]) < MAX_SIZE and cell["symbol"] not in " \0"


# One statement is the whole of the commonest edit, painting a few cells of one chunk, for many maps at once: who
# asks, may they, the locks (the universes in the order of their ids, then the maps, then the chunks, as everywhere
# else), the rules, the cells, the versions and the events. For a question where anything is not as it should be it
# finds no row and changes nothing; the endpoint says what is.
#
# The locks give each row as it is when the lock is had, not as it was when the statement began; what the updates
# write is made of these. A map stands in a batch once; of a universe there may be several maps, hence the `turn`.
_SET_CELLS = f"""
    WITH asked AS MATERIALIZED (
        SELECT q.n, a.id AS actor_id, m.universe_id, m.id AS map_id, u.access_version, q.edits,
            q.edits->0->>'layer' AS layer, q.edits->0->'cells' AS cells, q.tag AS if_version
        {AUTHENTICATED.format(more_types=", $3::uuid[], $4::jsonb[], $5::int[]", more_names=", id, edits, tag")}
        -- What is remembered of a map with fog is written by the endpoint.
        JOIN map m ON m.id = q.id AND m.scene_key IS NULL
        {MEMBER_OF} m.universe_id AND {IS_GAME_MASTER}
        JOIN universe u ON u.id = mb.universe_id
    ), home AS MATERIALIZED (
        SELECT u.id, u.access_version, u.is_full FROM universe u
        WHERE u.id = ANY (ARRAY(SELECT universe_id FROM asked))
        ORDER BY u.id FOR NO KEY UPDATE WAIT
    ), target AS MATERIALIZED (
        SELECT asked.*, home.is_full, m.width, m.height, m.grid_data, m.version, m.players_layers, m.players_legend
        -- Where the members changed since `asked` read them, it has to be asked again.
        FROM home JOIN asked ON asked.universe_id = home.id AND asked.access_version = home.access_version
        JOIN map m ON m.id = asked.map_id AND m.universe_id = home.id AND m.scene_key IS NULL
        FOR NO KEY UPDATE OF m WAIT
    ), layered AS MATERIALIZED (
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
    ), held AS MATERIALIZED (
        SELECT layered.*, c.rows FROM layered
        JOIN map_chunk c ON c.universe_id = layered.universe_id AND c.map_id = layered.map_id
            AND c.layer = layered.layer_key AND c.x = layered.chunk_x AND c.y = layered.chunk_y
        FOR UPDATE OF c WAIT
    ), painted AS MATERIALIZED (
        SELECT held.*, cell.runs, cell.effect, cell.count, lines.rows AS new_rows,
            row_number() OVER (PARTITION BY held.universe_id ORDER BY held.n) AS turn
        FROM held,
        LATERAL (
            SELECT count(*) AS count, jsonb_agg(
                jsonb_build_array(cell.x, cell.y, 1, was.symbol, cell.symbol) ORDER BY cell.y, cell.x
            ) AS runs, jsonb_build_object(
                'region', jsonb_build_object(
                    'x', min(cell.x), 'y', min(cell.y),
                    'width', max(cell.x) - min(cell.x) + 1, 'height', max(cell.y) - min(cell.y) + 1
                ),
                'cells', jsonb_build_array(jsonb_build_object('layer', held.layer, 'runs', jsonb_agg(
                    jsonb_build_array(cell.x, cell.y, 1, cell.symbol) ORDER BY cell.y, cell.x
                )))
            ) AS effect
            FROM jsonb_to_recordset(held.cells) AS cell (x int, y int, symbol text),
            LATERAL (
                SELECT substr(held.rows->>(cell.y % {CHUNK}), cell.x % {CHUNK} + 1, 1) AS symbol
            ) was
            WHERE was.symbol <> cell.symbol
        ) cell,
        LATERAL (
            SELECT jsonb_agg(coalesce(to_jsonb(new.line), old.line) ORDER BY old.y) AS rows
            FROM jsonb_array_elements(held.rows) WITH ORDINALITY AS old (line, y)
            LEFT JOIN (
                -- Each symbol with what stands before it, back to the one before; then the end of the line.
                SELECT y, string_agg(substr(line, last + 1, at - last - 1) || symbol, '' ORDER BY at)
                    || substr(line, max(at) + 1) AS line
                FROM (
                    SELECT *, lag(at, 1, 0) OVER (PARTITION BY y ORDER BY at) AS last
                    FROM (
                        SELECT cell.y % {CHUNK} AS y, cell.x % {CHUNK} + 1 AS at, cell.symbol,
                            held.rows->>(cell.y % {CHUNK}) AS line
                        FROM jsonb_to_recordset(held.cells) AS cell (x int, y int, symbol text)
                    ) placed
                ) following
                GROUP BY y, line
            ) new ON new.y = old.y - 1
        ) lines
        WHERE cell.count > 0
    ), chunked AS (
        UPDATE map_chunk c SET rows = painted.new_rows FROM painted
        WHERE c.universe_id = painted.universe_id AND c.map_id = painted.map_id
            AND c.layer = painted.layer_key AND c.x = painted.chunk_x AND c.y = painted.chunk_y
    ), bumped AS (
        UPDATE map m SET version = m.version + 1, updated_at = statement_timestamp() FROM painted
        WHERE m.universe_id = painted.universe_id AND m.id = painted.map_id
        RETURNING m.id, m.version
    ), counted AS (
        -- The bytes of an event are about these, for the quotas.
        UPDATE universe u SET event_seq = u.event_seq + more.count, event_bytes = u.event_bytes + more.bytes
        FROM (
            SELECT universe_id, count(*), sum(400 + 80 * painted.count) AS bytes FROM painted GROUP BY universe_id
        ) more
        WHERE u.id = more.universe_id
        RETURNING u.id, u.event_seq - more.count AS last_seq
    ), done AS MATERIALIZED (
        SELECT painted.*, bumped.version AS new_version, counted.last_seq + painted.turn AS seq
        FROM painted
        JOIN bumped ON bumped.id = painted.map_id
        JOIN counted ON counted.id = painted.universe_id
    ), logged AS (
        INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, before, shared, created_at)
        SELECT universe_id, seq, actor_id, 'map.edited', map_id,
            effect || jsonb_build_object('version', new_version, 'touched', jsonb_build_object('cells', count)),
            jsonb_build_object('change', jsonb_build_array(
                jsonb_build_object('cells', layer_key, 'runs', runs)
            )),
            -- To players, where they see the layer; with the legend's entries, which may be new to them.
            CASE WHEN layer_key = ANY (players_layers) THEN effect || (
                SELECT jsonb_build_object('legend', jsonb_agg(players_legend[place + 1]::jsonb ORDER BY place))
                FROM generate_series(1, cardinality(players_legend), 2) AS place
                WHERE EXISTS (SELECT FROM jsonb_array_elements(runs) run WHERE run->>4 = players_legend[place])
            ) END,
            clock_timestamp()
        FROM done
    )
    -- Cells that were so already: nothing is written. Without `target` somebody has the universe, or the map.
    SELECT asked.n, asked.universe_id, coalesce(new_version, held.version) AS version, seq,
        coalesce(count, 0) AS changed,
        CASE WHEN target.n IS NULL THEN asked.universe_id END AS locked
    FROM asked
    LEFT JOIN target ON target.n = asked.n
    LEFT JOIN held ON held.n = asked.n
    LEFT JOIN done ON done.n = asked.n
    WHERE target.n IS NULL OR held.n IS NOT NULL
"""

_RESULT = tuple(EditResult.model_fields)
SET_CELLS = HotWrite(
    HotStatement(
        _SET_CELLS.replace("WAIT", "SKIP LOCKED"),
        # The third of the parameters: the map.
        subject=2,
        blocking=_SET_CELLS.replace("WAIT", ""),
    ),
    _hot_cells,
    lambda row: HotAnswer(orjson.dumps({name: row[name] for name in _RESULT}), row["version"]),
    lambda row: row["universe_id"] if row["seq"] else None,
)
