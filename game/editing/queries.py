"""The SQL of editing: applying steps to a locked map, and reading its events back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from starlette.types import Scope

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core.coalescer import HotStatement
from game.core.errors import FieldError, Unprocessable
from game.core.hot import HotAnswer, HotRead, HotWrite
from game.editing.models import MAX_REGION, MAX_SIZE, EditResult, HistoryEntry
from game.events import queries as events
from game.events.models import Event
from game.grid.canvas import Steps
from game.grid.changes import Change, Edited, counts
from game.grid.chunks import CHUNK, ROWS_MARK, layer_keys
from game.grid.chunks import region as cut
from game.maps import queries as maps
from game.maps.models import Map
from game.universes import queries as universes


async def carry_out(session: AsyncSession, row: Map, steps: Steps[Edited], *, large: bool = False) -> Edited:
    """Go through steps on a locked map, loading the chunks that they want, and store the result in its row.

    Raises:
        GridError, Conflict: as the steps do; then nothing is stored.
    """
    edited = await maps.follow(session, row, steps, large=large)
    await maps.write_chunks(session, row, edited.chunks)
    if edited.frame is not None:
        row.grid_data = edited.frame
        row.width, row.height = edited.width, edited.height
    return edited


async def record(
    session: AsyncSession, kind: str, user: User, row: Map, change: Change, payload: dict[str, Any]
) -> int:
    """Count a change of a locked map as its next version, and write its event; returns the event's number."""
    row.touch()
    payload = {**payload, "version": row.version, "touched": counts(change)}
    return await events.record(session, kind, user.id, row, payload, {"change": change})


_UNDO_DEPTH = 1000
STEPS = ("map.edited", "map.undone", "map.redone")
BARRIERS = ("map.created", "map.moved_in", "map.restored")


def _log(row: Map) -> Any:
    return (
        select(Event)
        .where(col(Event.universe_id) == row.universe_id, col(Event.subject_id) == row.id)
        .order_by(col(Event.seq).desc())
    )


async def steps_of(session: AsyncSession, row: Map, user: User) -> Sequence[Any]:
    """The edits of a user on a map and what became of them, oldest first: (seq, kind, of)."""
    statement = (
        _log(row)
        .where(col(Event.actor_id) == user.id, col(Event.kind).in_(STEPS))
        .with_only_columns(col(Event.seq), col(Event.kind), col(Event.payload)["of"].as_integer().label("of"))
        .limit(_UNDO_DEPTH)
    )
    return (await session.execute(statement)).all()[::-1]


async def events_since(session: AsyncSession, row: Map, seq: int) -> Sequence[Event]:
    """An event of a map and what came after it, oldest first; of too many, only the newest."""
    statement = _log(row).where(col(Event.seq) >= seq).limit(_UNDO_DEPTH)
    return (await session.execute(statement)).scalars().all()[::-1]


async def history(session: AsyncSession, row: Map, before: int, limit: int) -> Sequence[Any]:
    """The changes of a map before an event, newest first, with the names of who made them."""
    statement = (
        _log(row)
        .where(col(Event.seq) < before)
        .outerjoin(User, col(User.id) == col(Event.actor_id))
        .with_only_columns(
            col(Event.seq),
            col(Event.kind),
            col(Event.actor_id),
            col(User.display_name).label("actor_name"),
            col(Event.payload),
            col(Event.created_at),
        )
        .limit(limit)
    )
    return (await session.execute(statement)).all()


def entry(event: Any) -> HistoryEntry:
    """What the history says of an event, from a row of `history`."""
    names = HistoryEntry.model_fields.keys() - {"summary"}
    return HistoryEntry(**{name: getattr(event, name) for name in names}, summary=describe(event))


def describe(event: Any) -> str:
    """What an event of a map did, in a few words for people."""
    payload = event.payload
    words = {
        "map.created": "made",
        "map.moved_in": "came from another universe",
        "map.moved_out": "went to another universe",
        "map.restored": f"went back to event {payload.get('seq')}",
        "map.edited": "edited",
        "map.undone": f"took back event {payload.get('of')}",
        "map.redone": f"repeated event {payload.get('of')}",
        "map.updated": "changed " + ", ".join(sorted(payload.keys() - {"version"})),
    }.get(event.kind, event.kind)
    touched = payload.get("touched")
    return f"{words}: {_touched(touched)}" if touched else words


def _touched(touched: Mapping[str, Any]) -> str:
    """`{"cells": 3, "entities": ["goblin"]}` as `3 cells, entities goblin`."""
    parts = []
    for name, what in touched.items():
        if name == "cells":
            parts.append(f"{what} cell{'s' * (what != 1)}")
        elif isinstance(what, list):
            few = ", ".join(what[:3])
            parts.append(f"{name} {few}{f' and {len(what) - 3} more' if len(what) > 3 else ''}")
        else:
            parts.append(f"{name} {what}")
    return ", ".join(parts)[:300]


class RegionQuestion(NamedTuple):
    """What a region is asked of: a map, a rectangle in cells, and names of layers, separated by commas."""

    map_id: UUID
    x: int
    y: int
    width: int
    height: int
    layers: str | None


_REGION_COLUMNS = """
    m.version, m.width AS map_width, m.height AS map_height, m.grid_data->'layers' AS layers,
    q.x, q.y, q.width, q.height, q.names,
    ARRAY(
        SELECT (c.layer, c.x, c.y, c.rows::text) FROM map_chunk c
        WHERE c.universe_id = m.universe_id AND c.map_id = m.id
            AND c.x BETWEEN q.x / 64 AND (q.x + q.width - 1) / 64
            AND c.y BETWEEN q.y / 64 AND (q.y + q.height - 1) / 64
    ) AS chunks
"""
_REGION = text(f"""
    SELECT {_REGION_COLUMNS} FROM map m
    CROSS JOIN (SELECT :x ::int AS x, :y ::int AS y, :width ::int AS width, :height ::int AS height,
        cast(:layers AS text) AS names) q
    WHERE m.id = :map_id
""")


async def region(session: AsyncSession, user: User, question: RegionQuestion) -> Any:
    """What `render_region` needs of a map that the user may read.

    Raises:
        NotFound: there is none such for this user.
        Unprocessable: the region does not begin on the map.
    """
    row = await maps.get(session, user, question.map_id)
    for name, start, size in (("x", question.x, row.width), ("y", question.y, row.height)):
        if start >= size:
            error = FieldError(name, "out_of_bounds", f"The map ends before: it is {row.width} x {row.height}.")
            raise Unprocessable(errors=[error])
    return (await session.execute(_REGION, question._asdict())).mappings().one()


def render_region(row: Any) -> HotAnswer:
    """The answer for a region, from a row of _REGION_COLUMNS. Cut off at the map's edges."""
    layers = row["layers"] if isinstance(row["layers"], list) else orjson.loads(row["layers"] or "[]")
    names = None if row["names"] is None else row["names"].split(",")
    width = min(row["width"], row["map_width"] - row["x"])
    height = min(row["height"], row["map_height"] - row["y"])
    chunks: dict[int, dict[tuple[int, int], list[str]]] = defaultdict(dict)
    for layer, x, y, rows in row["chunks"]:
        chunks[layer][x, y] = orjson.loads(rows)
    shown = [
        {"name": name, "rows": cut(chunks[key], row["x"], row["y"], width, height)}
        for name, key in layer_keys({"layers": layers}).items()
        if names is None or name in names
    ]
    body = {
        "x": row["x"],
        "y": row["y"],
        "width": width,
        "height": height,
        "version": row["version"],
        "layers": shown,
    }
    return HotAnswer(orjson.dumps(body), row["version"])


_LONGEST_QUERY = 1000
_PARAMETERS = {b"x": "x", b"y": "y", b"width": "width", b"height": "height"}


def _region_question(scope: Scope) -> tuple[Any, ...] | None:
    """The question of an ordinary request; None for one that the endpoint should look at."""
    try:
        pairs = dict(pair.split(b"=", 1) for pair in scope["query_string"].split(b"&"))
        numbers = {name: int(pairs.pop(raw)) for raw, name in _PARAMETERS.items()}
        map_id = UUID(scope["path_params"]["id"])
    except (KeyError, ValueError):
        return None
    if len(scope["query_string"]) > _LONGEST_QUERY:
        return None
    names = unquote_plus(pairs.pop(b"layers").decode("latin-1")) if b"layers" in pairs else None
    sides = 1 <= numbers["width"] <= MAX_REGION and 1 <= numbers["height"] <= MAX_REGION
    if pairs or not sides or not all(0 <= number < 2**15 for number in numbers.values()):
        return None
    return (map_id, *numbers.values(), names)


REGION = HotRead(
    HotStatement(f"""
        SELECT q.n, {_REGION_COLUMNS}
        {
        AUTHENTICATED.format(
            more_types=", $3::uuid[], $4::int[], $5::int[], $6::int[], $7::int[], $8::text[]",
            more_names=", id, x, y, width, height, names",
        )
    }
        JOIN map m ON m.id = q.id AND q.x < m.width AND q.y < m.height
        JOIN universe u ON u.id = m.universe_id AND {universes.READABLE}
    """),
    _region_question,
    render_region,
)


_MAX_HOT_CELLS = 256


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
    if not plain:
        return None
    return scope["path_params"]["id"], orjson.dumps([edit]).decode()


def _is_plain(cell: dict[str, Any]) -> bool:
    """Whether a cell is set to something other than empty, on what may be a map."""
    x, y, symbol = cell["x"], cell["y"], cell["symbol"]
    whole = type(x) is int and type(y) is int and 0 <= x < MAX_SIZE and 0 <= y < MAX_SIZE
    return whole and len(cell) == 3 and type(symbol) is str and len(symbol) == 1 and symbol not in " \0"


# One statement is the whole of the commonest edit, painting a few cells of one chunk, for many maps at once: who
# asks, may they, the locks (the universes in the order of their ids, then the maps, then the chunks, as everywhere
# else), the rules, the cells, the versions and the events. For a question where anything is not as it should be it
# finds no row and changes nothing; the endpoint says what is.
#
# The locks give each row as it is when the lock is had, not as it was when the statement began; what the updates
# write is made of these. A map stands in a batch once; of a universe there may be several maps, hence the `turn`.
_SET_CELLS = f"""
    WITH asked AS MATERIALIZED (
        SELECT q.n, a.id AS actor_id, m.universe_id, m.id AS map_id, q.edits,
            q.edits->0->>'layer' AS layer, q.edits->0->'cells' AS cells
        {AUTHENTICATED.format(more_types=", $3::uuid[], $4::jsonb[]", more_names=", id, edits")}
        JOIN map m ON m.id = q.id
        JOIN universe u ON u.id = m.universe_id AND {universes.READABLE}
    ), home AS MATERIALIZED (
        SELECT u.id, u.owner_id FROM universe u WHERE u.id = ANY (ARRAY(SELECT universe_id FROM asked))
        ORDER BY u.id FOR NO KEY UPDATE WAIT
    ), target AS MATERIALIZED (
        SELECT asked.*, m.width, m.height, m.grid_data, m.version
        -- The owner again: what `asked` read may be from before the wait.
        FROM home JOIN asked ON asked.universe_id = home.id AND asked.actor_id = home.owner_id
        JOIN map m ON m.id = asked.map_id AND m.universe_id = home.id
        FOR NO KEY UPDATE OF m WAIT
    ), layered AS MATERIALIZED (
        SELECT target.*, (found.item->>'rows')::bigint - {ROWS_MARK} AS layer_key,
            (target.cells->0->>'x')::int / {CHUNK} AS chunk_x, (target.cells->0->>'y')::int / {CHUNK} AS chunk_y
        FROM target, jsonb_array_elements(target.grid_data->'layers') AS found (item)
        WHERE found.item->>'name' = target.layer AND found.item ? 'rows' AND NOT EXISTS (
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
        SELECT held.*, cell.runs, cell.count, lines.rows AS new_rows,
            row_number() OVER (PARTITION BY held.universe_id ORDER BY held.n) AS turn
        FROM held,
        LATERAL (
            SELECT count(*) AS count, jsonb_agg(
                jsonb_build_array(cell.x, cell.y, 1, was.symbol, cell.symbol) ORDER BY cell.y, cell.x
            ) AS runs
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
        UPDATE map m SET version = m.version + 1, updated_at = clock_timestamp() FROM painted
        WHERE m.id = painted.map_id
        RETURNING m.id, m.version
    ), counted AS (
        UPDATE universe u SET event_seq = u.event_seq + more.count
        FROM (SELECT universe_id, count(*) FROM painted GROUP BY universe_id) more
        WHERE u.id = more.universe_id
        RETURNING u.id, u.event_seq - more.count AS last_seq
    ), done AS MATERIALIZED (
        SELECT painted.*, bumped.version AS new_version, counted.last_seq + painted.turn AS seq
        FROM painted
        JOIN bumped ON bumped.id = painted.map_id
        JOIN counted ON counted.id = painted.universe_id
    ), logged AS (
        INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, before, created_at)
        SELECT universe_id, seq, actor_id, 'map.edited', map_id,
            jsonb_build_object(
                'edits', edits, 'version', new_version, 'touched', jsonb_build_object('cells', count)
            ),
            jsonb_build_object('change', jsonb_build_array(
                jsonb_build_object('cells', layer_key, 'runs', runs)
            )),
            clock_timestamp()
        FROM done
    )
    -- Cells that were so already: nothing is written. Without `target` somebody has the universe, or the map.
    SELECT asked.n, coalesce(new_version, held.version) AS version, seq, coalesce(count, 0) AS changed,
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
        patient=_SET_CELLS.replace("WAIT", ""),
    ),
    _hot_cells,
    lambda row: HotAnswer(orjson.dumps({name: row[name] for name in _RESULT}), row["version"]),
)
