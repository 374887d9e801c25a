"""Reads regions: the cells of a rectangle of a map, by one statement."""

from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Scope

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core.coalescer import HotStatement
from game.core.compute import RequestComputing
from game.core.errors import FieldError, NotFound, Unprocessable
from game.core.hot import HotRead, HotResponse
from game.core.tags import players_tag
from game.editing.models import MAX_REGION
from game.grid.regions import RegionParts
from game.maps import fogged
from game.maps import queries as maps
from game.maps.fogged import ViewedMap
from game.maps.queries import HAS_FOG, VISIBLE, Found, statement_role
from game.maps.texts import LAYERS
from game.universes.access import IS_GAME_MASTER, MEMBER_OF


class RegionQuery(NamedTuple):
    """A query for a region: a map, a rectangle in cells, and names of layers, separated by commas."""

    map_id: UUID
    x: int
    y: int
    width: int
    height: int
    layers: str | None
    as_id: UUID | None = None


_REGION_COLUMNS = f"""
    CASE WHEN {IS_GAME_MASTER} THEN m.version END AS version, m.etag_key,
    m.width AS map_width, m.height AS map_height,
    CASE WHEN {IS_GAME_MASTER} THEN m.grid_data ELSE m.players_frame END->'layers' AS layers,
    q.x, q.y, q.width, q.height, q.names,
    ARRAY(
        SELECT concat_ws(' ', c.layer, c.x, c.y, c.rows) FROM map_chunk c
        WHERE c.universe_id = mb.universe_id AND c.map_id = m.id
            AND c.x BETWEEN q.x / 64 AND (q.x + q.width - 1) / 64
            AND c.y BETWEEN q.y / 64 AND (q.y + q.height - 1) / 64
            AND ({IS_GAME_MASTER} OR c.layer = ANY (m.players_layers))
    ) AS chunks
"""
_REGION = text(f"""
    SELECT {_REGION_COLUMNS} FROM map m
    CROSS JOIN (SELECT cast(:universe_id AS uuid) AS universe_id, cast(:role AS text) AS role) mb
    CROSS JOIN (SELECT :x ::int AS x, :y ::int AS y, :width ::int AS width, :height ::int AS height,
        cast(:layers AS text) AS names) q
    WHERE m.universe_id = :universe_id AND m.id = :map_id AND {VISIBLE}
""")


async def _find(session: AsyncSession, user: User, query: RegionQuery) -> Found:
    """A map that the user may read.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not view it as another member.
        Unprocessable: the top left corner of the region is outside the map.
    """
    found = await maps.get(session, user, query.map_id, "readRegion", with_grid=False, as_id=query.as_id)
    row = found.row
    for name, start, size in (("x", query.x, row.width), ("y", query.y, row.height)):
        if start >= size:
            error = FieldError(
                name, "out_of_bounds", f"This is outside the map, which is {row.width} x {row.height}."
            )
            raise Unprocessable(errors=[error])
    return found


async def _read(session: AsyncSession, found: Found, query: RegionQuery) -> Any:
    """The data of a map that `render` needs."""
    row = found.row
    parameters = {**query._asdict(), "universe_id": row.universe_id, "role": statement_role(found)}
    region = (await session.execute(_REGION, parameters)).mappings().one_or_none()
    if region is None:
        # The map was deleted, or hidden from players, meanwhile.
        raise NotFound
    return region


_PARTS = RegionParts._fields


def _parts(row: Any) -> RegionParts:
    return RegionParts(*(row[name] for name in _PARTS))


def _answer(row: Any, text: bytes) -> HotResponse:
    version = row["version"]
    return HotResponse(text, players_tag(row["etag_key"], text) if version is None else version)


def render(row: Any) -> HotResponse:
    """The response for a region, from a row of _REGION_COLUMNS."""
    return _answer(row, _parts(row).text())


async def read(session: AsyncSession, computing: RequestComputing, user: User, query: RegionQuery) -> HotResponse:
    """The response for a region; a large one is built in a compute process.

    Raises:
        NotFound, Forbidden, Unprocessable: as `_find` does. TooMuchAtOnce, Unavailable: the region is large, and
        too many are being computed.
    """
    found = await _find(session, user, query)
    if found.has_fog:
        seen = await fogged.view_map(session, user, query.map_id, "readRegion", query.as_id)
        return await _fogged(session, seen, query)
    row = await _read(session, found, query)
    parts = _parts(row)
    if parts.cells() <= _MAX_HOT_CELLS:
        return _answer(row, parts.text())
    await session.close()
    return _answer(row, await computing.run(user.id, RegionParts.text, parts))


_FOGGED = ("x", "y", "width", "height", "layers", "fog")


async def _fogged(session: AsyncSession, seen: ViewedMap, query: RegionQuery) -> HotResponse:
    """The response for a region of a map with fog."""
    rectangle = query.x, query.y, query.width, query.height
    shown = await fogged.region_of(session, seen, *rectangle, query.layers)
    text = orjson.dumps({name: shown[name] for name in _FOGGED}, option=orjson.OPT_SORT_KEYS)
    return HotResponse(text, players_tag(seen.found.row.etag_key, text))


_MAX_HOT_CELLS = 131_072
"""The maximum number of cells, of all layers together, of a region that is built in the event loop."""
_LONGEST_QUERY = 1000
_PARAMETERS = {b"x": "x", b"y": "y", b"width": "width", b"height": "height"}


def _parameters(scope: Scope) -> tuple[Any, ...] | None:
    """The statement's parameters for an ordinary request; None if the endpoint is to handle it."""
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


_AUTHENTICATED = AUTHENTICATED.format(
    more_types=", $3::uuid[], $4::int[], $5::int[], $6::int[], $7::int[], $8::text[]",
    more_names=", id, x, y, width, height, names",
)
REGION = HotRead(
    HotStatement(f"""
        SELECT q.n, {_REGION_COLUMNS}
        {_AUTHENTICATED}
        JOIN map m ON m.id = q.id AND q.x < m.width AND q.y < m.height
            AND q.width * q.height * {LAYERS} <= {_MAX_HOT_CELLS}
        {MEMBER_OF} m.universe_id AND {VISIBLE} AND NOT {HAS_FOG}
    """),
    _parameters,
    render,
)
