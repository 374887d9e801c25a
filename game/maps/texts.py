"""Small maps, and lists of maps, as JSON text that one statement reads; `documents` reads larger maps."""

import asyncio
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.queries import AUTHENTICATED
from game.core import pages
from game.core.coalescer import HotStatement
from game.core.errors import NotFound
from game.core.hot import HotRead, HotResponse, path_id
from game.core.models import rfc3339
from game.core.tags import players_tag
from game.fog import views
from game.fog.models import PARTY
from game.grid.chunks import join
from game.maps.chunks import map_key_of
from game.maps.players import with_legend
from game.maps.queries import HAS_FOG, VISIBLE, Found, statement_role
from game.universes.access import IS_GAME_MASTER, MEMBER_OF

_LARGE = 65_536
"""With more cells than this, over all layers, a grid is processed in a thread, to keep the event loop free."""
_LARGE_FRAME = 131_072
"""The same limit for a frame, in bytes as stored (compressed)."""
LAYERS = """
    CASE jsonb_typeof(m.grid_data->'layers') WHEN 'array' THEN jsonb_array_length(m.grid_data->'layers') ELSE 0 END
"""
"""SQL: the number of layers of the map `m`."""
IS_SMALL = f"""
    (m.width::int * m.height * {LAYERS} <= {_LARGE}
    AND pg_column_size(m.grid_data) <= {_LARGE_FRAME})
"""

# The version and the time of the last change would reveal hidden changes, so players get neither.
_TAIL = f"""
    concat(CASE WHEN {IS_GAME_MASTER} THEN
        concat(',"version":', m.version, ',"updated_at":"', {rfc3339("m.updated_at")}, '"')
    END, '}}')
"""
OUTLINE = f"""
    m.version, m.width, m.height, m.json_head || ',"grid_data":' AS head, {_TAIL} AS tail,
    CASE WHEN {IS_GAME_MASTER} THEN m.grid_data ELSE m.players_frame END::text AS frame,
    CASE WHEN NOT {IS_GAME_MASTER} THEN m.players_legend END AS players_legend, m.etag_key
"""
_DOCUMENT = f"""
    {OUTLINE},
    ARRAY(
        -- As text: Citus does not support arrays of anonymous records.
        SELECT concat_ws(' ', c.layer, c.x, c.y, c.rows) FROM map_chunk c
        WHERE c.universe_id = mb.universe_id AND c.map_id = m.id
            AND ({IS_GAME_MASTER} OR c.layer = ANY (m.players_layers))
    ) AS chunks
"""
# With fog, the hot read uses a cached view; if there is none, the endpoint computes it.
_FOG = f"""
    CASE WHEN {HAS_FOG} THEN m.id END AS fogged_id,
    CASE WHEN m.fog_sharing = 'each' THEN mb.user_id END AS viewer_id,
    CASE WHEN {HAS_FOG} THEN (SELECT event_seq FROM universe u WHERE u.id = m.universe_id) END AS seq
"""


def _chunk_of(text: str) -> tuple[int, int, int, str]:
    """Parse a chunk of _DOCUMENT: layer key, chunk x, chunk y, JSON list of rows."""
    layer, x, y, rows = text.split(" ", 3)
    return int(layer), int(x), int(y), rows


class MapText(NamedTuple):
    """A map as JSON text, and its version; for players, a hash of the text, because they must not see the
    version."""

    body: bytes
    version: int | str


def _document(row: Any) -> MapText:
    """The text of a map, from a row of _DOCUMENT."""
    chunks = [_chunk_of(chunk) for chunk in row["chunks"]]
    frame, legend = row["frame"], row["players_legend"]
    if legend is not None:
        frame = with_legend(frame, legend, [rows for _, _, _, rows in chunks])
    body = f"{row['head']}{join(frame, chunks, row['width'], row['height'])}{row['tail']}".encode()
    return MapText(body, row["version"] if legend is None else players_tag(row["etag_key"], body))


def _hot_document(row: Any) -> HotResponse | None:
    """The response for a map, from a row of _DOCUMENT and _FOG."""
    if row["fogged_id"] is None:
        return HotResponse(*_document(row))
    view = views.cached(views.ViewKey(row["fogged_id"], row["viewer_id"] or PARTY, row["seq"]))
    text: MapText | None = view.cache.get("document") if view else None
    return HotResponse(*text) if text else None


BY_ID = HotRead(
    HotStatement(f"""
        SELECT q.n, {_DOCUMENT}, {_FOG}
        {AUTHENTICATED.format(more_types=", $3::uuid[]", more_names=", id")}
        JOIN map m ON m.id = q.id AND {IS_SMALL}
        {MEMBER_OF} m.universe_id AND {VISIBLE}
    """),
    lambda scope: (one,) if (one := path_id(scope, "id")) else None,
    _hot_document,
)

_SUMMARY = f"m.json_head || {_TAIL}".replace("mb.role", "m.role")

LIST = HotRead(
    HotStatement(f"""
        SELECT q.n, page.items, CASE WHEN EXISTS (
            SELECT FROM member mb JOIN map m ON m.universe_id = mb.universe_id
            WHERE mb.user_id = a.id AND {VISIBLE} AND m.id > page.last
        ) THEN page.last END AS next_id
        {AUTHENTICATED.format(more_types=", $3::int[], $4::uuid[]", more_names=", max_items, after")}
        CROSS JOIN LATERAL (
            -- `last` is null unless the page is full.
            SELECT string_agg({_SUMMARY}, ',') AS items, (array_agg(m.id))[q.max_items] AS last
            FROM (
                SELECT m.id, m.json_head, m.version, m.updated_at, mb.role
                FROM member mb JOIN map m ON m.universe_id = mb.universe_id
                WHERE mb.user_id = a.id AND {VISIBLE} AND (q.after IS NULL OR m.id > q.after)
                ORDER BY m.id LIMIT q.max_items
            ) m
        ) page
    """),
    pages.hot_parameters,
    pages.hot_list,
)


_READ = text(f"""
    SELECT {_DOCUMENT} FROM map m
    CROSS JOIN (SELECT cast(:universe_id AS uuid) AS universe_id, cast(:role AS text) AS role) mb
    WHERE m.universe_id = :universe_id AND m.id = :map_id AND {VISIBLE}
""")


async def document(session: AsyncSession, found: Found) -> MapText:
    """The text of a map as the caller may see it.

    Raises:
        NotFound: the map no longer exists.
    """
    parameters = {**map_key_of(found.row), "role": statement_role(found)}
    row = (await session.execute(_READ, parameters)).mappings().one_or_none()
    if row is None:
        raise NotFound
    large = row["width"] * row["height"] > _LARGE // 8 or len(row["frame"]) > _LARGE
    return await asyncio.to_thread(_document, row) if large else _document(row)
