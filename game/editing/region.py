"""A region: the cells of a rectangle of a map, by one statement."""

from collections import defaultdict
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
from game.core.errors import FieldError, Unprocessable
from game.core.hot import HotAnswer, HotRead
from game.editing.models import MAX_REGION
from game.grid.chunks import layer_keys
from game.grid.chunks import region as cut
from game.maps import queries as maps
from game.maps.players import players_tag
from game.universes.access import IS_GAME_MASTER, MEMBER_OF


class Question(NamedTuple):
    """What a region is asked of: a map, a rectangle in cells, and names of layers, separated by commas."""

    map_id: UUID
    x: int
    y: int
    width: int
    height: int
    layers: str | None


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
    WHERE m.universe_id = :universe_id AND m.id = :map_id
""")


async def read(session: AsyncSession, user: User, question: Question) -> Any:
    """What `render` needs of a map that the user may read.

    Raises:
        NotFound: there is none such for this user.
        Unprocessable: the region does not begin on the map.
    """
    found = await maps.get(session, user, question.map_id, "readRegion")
    row = found.row
    for name, start, size in (("x", question.x, row.width), ("y", question.y, row.height)):
        if start >= size:
            error = FieldError(name, "out_of_bounds", f"The map ends before: it is {row.width} x {row.height}.")
            raise Unprocessable(errors=[error])
    parameters = {**question._asdict(), "universe_id": row.universe_id, "role": maps.statement_role(found)}
    return (await session.execute(_REGION, parameters)).mappings().one()


def render(row: Any) -> HotAnswer:
    """The answer for a region, from a row of _REGION_COLUMNS. Cut off at the map's edges."""
    layers = row["layers"] if isinstance(row["layers"], list) else orjson.loads(row["layers"] or "[]")
    names = None if row["names"] is None else row["names"].split(",")
    width = min(row["width"], row["map_width"] - row["x"])
    height = min(row["height"], row["map_height"] - row["y"])
    chunks: dict[int, dict[tuple[int, int], list[str]]] = defaultdict(dict)
    for layer, x, y, rows in map(maps.chunk_of, row["chunks"]):
        chunks[layer][x, y] = orjson.loads(rows)
    shown = [
        {"name": name, "rows": cut(chunks[key], row["x"], row["y"], width, height)}
        for name, key in layer_keys({"layers": layers}).items()
        if names is None or name in names
    ]
    version = row["version"]
    body = {
        "x": row["x"],
        "y": row["y"],
        "width": width,
        "height": height,
        **({} if version is None else {"version": version}),
        "layers": shown,
    }
    text = orjson.dumps(body)
    return HotAnswer(text, players_tag(row["etag_key"], text) if version is None else version)


_LONGEST_QUERY = 1000
_PARAMETERS = {b"x": "x", b"y": "y", b"width": "width", b"height": "height"}


def _question(scope: Scope) -> tuple[Any, ...] | None:
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
        {MEMBER_OF} m.universe_id AND {maps.VISIBLE}
    """),
    _question,
    render,
)
