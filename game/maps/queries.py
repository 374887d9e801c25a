"""The SQL of maps: reading them as the caller may see them, creating, changing, moving and deleting them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Select,
    TextClause,
    and_,
    bindparam,
    case,
    inspect,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core import pages
from game.core.coalescer import HotStatement
from game.core.errors import FieldError, NotFound, Unavailable, Unprocessable
from game.core.hot import HotRead, HotResponse, path_id
from game.core.models import now, rfc3339
from game.events import queries as events
from game.fog import changes as fog
from game.fog import views
from game.fog.models import PARTY
from game.grants import MEMBERS
from game.grid.chunks import frame_of, join
from game.grid.document import size
from game.grid.geometry import Grid
from game.maps.chunks import map_key_of
from game.maps.models import ANY_MEMBER, Map, MapChunk, MapSummary, Visibility
from game.maps.players import players_tag, with_legend
from game.maps.replacing import replace_grid, write_grid
from game.permissions import GAME_MASTERS, Role
from game.tokens import positions
from game.tokens.models import Token
from game.tokens.positions import Placed
from game.universes import access
from game.universes import queries as universes
from game.universes.access import IS_GAME_MASTER, MEMBER_OF, MEMBERSHIP, Access
from game.universes.models import Member, Universe

_SETTINGS = ("visibility", "fog", "fog_sharing", "lighting")
"""The fields that determine what members see of a map."""
_MAX_RETRIES = 10
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
"""SQL: the condition that the map `m` is read by one statement (`documents` reads larger ones)."""

VISIBLE = f"(m.visibility = 'members' OR {IS_GAME_MASTER})"
"""SQL: the condition that the member `mb` may read the map `m`."""

HAS_FOG = f"(m.fog <> 'off' AND NOT {IS_GAME_MASTER})"
"""SQL: the condition that the member `mb` sees only parts of the map `m`."""

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


def chunk_of(text: str) -> tuple[int, int, int, str]:
    """Parse a chunk from the statements of documents and regions: layer key, chunk x, chunk y, JSON list of
    rows."""
    layer, x, y, rows = text.split(" ", 3)
    return int(layer), int(x), int(y), rows


class MapText(NamedTuple):
    """A map as JSON text, and its version; for players, a hash of the text, because they must not see the
    version."""

    body: bytes
    version: int | str


def _document(row: Any) -> MapText:
    """The text of a map, from a row of _DOCUMENT."""
    chunks = [chunk_of(chunk) for chunk in row["chunks"]]
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
        {AUTHENTICATED.format(more_types=", $3::int[], $4::uuid[]", more_names=", most, after")}
        CROSS JOIN LATERAL (
            -- `last` is null unless the page is full.
            SELECT string_agg({_SUMMARY}, ',') AS items, (array_agg(m.id))[q.most] AS last
            FROM (
                SELECT m.id, m.json_head, m.version, m.updated_at, mb.role
                FROM member mb JOIN map m ON m.universe_id = mb.universe_id
                WHERE mb.user_id = a.id AND {VISIBLE} AND (q.after IS NULL OR m.id > q.after)
                ORDER BY m.id LIMIT q.most
            ) m
        ) page
    """),
    pages.hot_parameters,
    pages.hot_list,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A map, and the caller's access to its universe."""

    row: Map
    access: Access

    @property
    def role(self) -> Role:
        """The caller's role."""
        return self.access.role

    @property
    def has_fog(self) -> bool:
        """Whether the caller sees only parts of it (`game.fog.views`)."""
        return self.row.has_fog and not self.access.is_game_master


def _visible(session: AsyncSession, user: User) -> ColumnElement[bool]:
    """The condition that a user may read a map, from the joined row of `member`; the equivalent of VISIBLE."""
    return _visible_to(_game_masters(session, user), is_superuser=user.is_superuser)


def _game_masters(session: AsyncSession, user: User) -> frozenset[Role]:
    """The member roles with which this user may read everything."""
    return frozenset(one for one in Role if access.role_of(session, user, one) in GAME_MASTERS)


def _visible_to(roles: Iterable[Role], *, is_superuser: bool) -> ColumnElement[bool]:
    visible = or_(
        col(Member.role).in_(sorted(roles)),
        and_(col(Member.role).is_not(None), col(Map.visibility) == Visibility.members),
    )
    return or_(visible, col(Member.role).is_(None)) if is_superuser else visible


WITHOUT_GRID = (
    # SQLModel types a column as its value.
    defer(Map.grid_data, raiseload=True),  # type: ignore[arg-type]  # see above
    defer(Map.players_frame, raiseload=True),  # type: ignore[arg-type]  # see above
)


@lru_cache
def _readable(
    game_masters: frozenset[Role], *, is_superuser: bool, with_grid: bool
) -> Select[tuple[Map, Universe, str]]:
    """The map `:map_id` if the user `:user_id` may read it, with its universe and the user's role as a member.

    Cached, because building the statement takes longer than executing it.
    """
    statement = (
        select(Map, Universe, col(Member.role))
        .join(Universe, col(Universe.id) == col(Map.universe_id))
        .outerjoin(Member, MEMBERSHIP)
        .where(_visible_to(game_masters, is_superuser=is_superuser), col(Map.id) == bindparam("map_id"))
    )
    return statement if with_grid else statement.options(*WITHOUT_GRID)


async def page(
    session: AsyncSession, user: User, query: pages.PageQuery, universe_id: UUID | None
) -> Mapping[str, Any]:
    """A page of the maps that a user may read as a member, in one universe or in all, without their grids.

    Raises:
        NotFound: the universe does not exist, or the user may not see it.
    """
    statement = select(Map, col(Member.role)).where(_visible(session, user)).options(*WITHOUT_GRID)
    if universe_id is None:
        membership = and_(col(Member.universe_id) == col(Map.universe_id), col(Member.user_id) == user.id)
        statement = statement.join(Member, membership)
    else:
        await access.get(session, user, universe_id, "readUniverse")
        membership = and_(col(Member.universe_id) == universe_id, col(Member.user_id) == user.id)
        statement = statement.outerjoin(Member, membership).where(col(Map.universe_id) == universe_id)
    # Players must not see when a map was changed, so their maps are sorted by the time of creation instead.
    updated = case((col(Member.role).in_(["player", "spectator"]), col(Map.created_at)), else_=col(Map.updated_at))
    listed = await pages.page_of(session, statement, Map, query, updated_column=updated)
    return {**listed, "items": [_summary(session, user, *item) for item in listed["items"]]}


def _summary(session: AsyncSession, user: User, row: Map, member_role: str | None) -> MapSummary:
    names = set(MapSummary.model_fields)
    if access.role_of(session, user, member_role) not in GAME_MASTERS:
        names = names - {"version", "updated_at"}
    return MapSummary(**{name: getattr(row, name) for name in names})


_READ = text(f"""
    SELECT {_DOCUMENT} FROM map m
    CROSS JOIN (SELECT cast(:universe_id AS uuid) AS universe_id, cast(:role AS text) AS role) mb
    WHERE m.universe_id = :universe_id AND m.id = :map_id AND {VISIBLE}
""")


def statement_role(found: Found) -> Role:
    """The caller's role as a member role, for statements that do not know superusers."""
    return Role.game_master if found.access.is_game_master else Role.player


async def document(session: AsyncSession, found: Found) -> MapText:
    """The text of a map as the caller may see it.

    Raises:
        NotFound: the map no longer exists.
    """
    parameters = {"universe_id": found.row.universe_id, "map_id": found.row.id, "role": statement_role(found)}
    row = (await session.execute(_READ, parameters)).mappings().one_or_none()
    if row is None:
        raise NotFound
    large = row["width"] * row["height"] > _LARGE // 8 or len(row["frame"]) > _LARGE
    return await asyncio.to_thread(_document, row) if large else _document(row)


async def get(
    session: AsyncSession,
    user: User,
    map_id: UUID,
    operation: str,
    *,
    lock: bool = False,
    with_grid: bool = True,
    as_id: UUID | None = None,
) -> Found:
    """A map that the user may read; with `lock`, locked against changes until the transaction ends.

    Without the grid, the frame, which may be megabytes, is not loaded. With `as_id`, game masters get the access
    of that member.

    Raises:
        NotFound: it does not exist, or the user (or that member) may not see it.
        Forbidden: they may not do this operation, or may not view the map as another member.
        Unprocessable: `as_id` is not a member.
    """
    statement = _readable(_game_masters(session, user), is_superuser=user.is_superuser, with_grid=with_grid)
    row = (await session.execute(statement, {"user_id": user.id, "map_id": map_id})).one_or_none()
    role = access.role_of(session, user, row[2]) if row else None
    if row is None or role is None:
        raise NotFound
    found = Found(row[0], Access(user, row[1], role))
    found.access.require(operation)
    if lock:
        by_id = col(Map.universe_id) == found.row.universe_id, col(Map.id) == map_id
        if not await _locked_rows(session, select(Map).where(*by_id).with_for_update(read=True)):
            raise NotFound
    return found if as_id is None else await _as_member(session, found, as_id)


async def _as_member(session: AsyncSession, found: Found, user_id: UUID) -> Found:
    """A map with the access of a member instead of the game master's."""
    found.access.require("lookAsMember")
    universe = found.access.universe
    if user_id == ANY_MEMBER:
        return _published(Found(found.row, any_member(universe)))
    statement = select(User, col(Member.role)).join(Member, col(Member.user_id) == col(User.id))
    by_id = col(Member.universe_id) == universe.id, col(Member.user_id) == user_id
    row = (await session.execute(statement.where(*by_id))).one_or_none()
    if row is None:
        raise Unprocessable(
            errors=[FieldError("as", "not_a_member", "This user is not a member of the universe.")]
        )
    return _published(Found(found.row, Access(row[0], universe, Role(row[1]))))


def any_member(universe: Universe) -> Access:
    """The access of a player with no other grants than those for all members."""
    anybody = User(id=ANY_MEMBER, email="", hashed_password="", display_name="")
    return Access(anybody, universe, Role.player)


def _published(found: Found) -> Found:
    """Check that the caller may read a map; returns it.

    Raises:
        NotFound: only game masters may.
    """
    if not found.access.is_game_master and not found.row.is_published:
        raise NotFound
    return found


async def get_to_change(session: AsyncSession, user: User, map_id: UUID, operation: str) -> Found:
    """A map that the user may change by an operation; it and its universe are locked until the transaction ends.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation with it.
    """
    found, _ = await get_to_move(session, user, map_id, operation, None)
    return found


async def get_to_move(
    session: AsyncSession, user: User, map_id: UUID, operation: str, target_id: UUID | None
) -> tuple[Found, Access]:
    """A map that the user may change by an operation, and their access to the universe that it is to be moved to.

    Map and universes are locked until the transaction ends. Universes are locked before maps, in the order of
    their ids, which avoids deadlocks. If the map was moved while this waited for the locks, they are released, and
    it is looked up again.

    Raises:
        NotFound: the map or universe does not exist, or the user may not see it.
        Forbidden: they may not do this operation, or may not create maps in that universe.
    """
    for _ in range(_MAX_RETRIES):
        universe_id = (await get(session, user, map_id, operation, with_grid=False)).row.universe_id
        operations = {universe_id: operation}
        if target_id is not None and target_id != universe_id:
            operations[target_id] = "createMap"
        by_id = select(Map).where(col(Map.universe_id) == universe_id, col(Map.id) == map_id)
        async with session.begin_nested() as attempt:
            locked = await access.lock(session, user, operations)
            if rows := await _locked_rows(session, by_id.with_for_update()):
                return Found(rows[0], locked[universe_id]), locked[target_id or universe_id]
            await attempt.rollback()
    raise Unavailable


async def _locked_rows(session: AsyncSession, statement: Select[Any]) -> Sequence[Any]:
    """The rows of a locking statement in their current state, even if this transaction has read them before."""
    return (await session.execute(statement.execution_options(populate_existing=True))).scalars().all()


_CHUNKS = text("SELECT layer, x, y, rows FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id")
_MAX_STORED_CHUNKS = 4096
"""The maximum number of chunks that the event of a deletion stores: a whole layer of the largest map."""
_COUNT_CHUNKS = text("SELECT count(*) FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id")


async def create(session: AsyncSession, caller: Access, fields: Mapping[str, Any]) -> Found:
    """Create a map in a locked universe; `grid_data` of `fields` must be valid."""
    row = await put(session, caller.universe, fields)
    payload = {"name": row.name, **{name: getattr(row, name) for name in _SETTINGS}, "version": row.version}
    shared = _shared(row) if row.is_published else None
    await events.record(session, "map.created", caller.user.id, row, payload, shared=shared)
    return Found(row, caller)


def _shared(row: Map) -> dict[str, Any]:
    """The event payload for members when a map becomes visible to them."""
    return {"name": row.name, "description": row.description, "visibility": row.visibility}


async def put(session: AsyncSession, universe: Universe, fields: Mapping[str, Any]) -> Map:
    """Like `create`, without an event."""
    document = fields["grid_data"]
    width, height = size(document)
    new = {"universe_id": universe.id, "grid_data": frame_of(document), "width": width, "height": height}
    row = Map(**{**fields, **new})
    row.publish()
    session.add(row)
    await session.flush()
    async with fog.watch(session, row):
        await write_grid(session, row, document)
    return row


async def change(
    session: AsyncSession,
    found: Found,
    fields: Mapping[str, Any],
    target: Access | None = None,
    on_progress: Callable[[], object] = object,
) -> Found:
    """Set fields of a locked map, or move it to another locked universe. Equal values are not a change.

    Only chunks that differ are written; the event stores their old state. `on_progress` is called after each step.
    Returns the map, in the universe where it is then.

    Raises:
        TooLarge, QuotaExceeded: as `Replaced.put` does.
    """
    row, user = found.row, found.access.user
    was_published = row.is_published
    before: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("name", "description", *_SETTINGS)
        if name in fields and getattr(row, name) != fields[name]
    }
    payload: dict[str, Any] = {name: fields[name] for name in before}
    seen, placed = False, Placed([], [])
    async with fog.watch(session, row) as tracker:
        for name, value in payload.items():
            setattr(row, name, value)
        if "grid_data" in fields:
            replaced, seen = await replace_grid(session, row, fields["grid_data"], tracker, on_progress)
            before |= replaced
            if replaced:
                payload["grid_data"] = "replaced"
                placed = await fit_tokens(session, row)
    moves = target is not None and target.universe.id != row.universe_id
    if not before and not moves:
        return found
    row.touch()
    payload["version"] = row.version
    if moves and target is not None:
        payload = placed.for_game_masters(payload)
        return await _move(session, found, target, payload, before, was_published, on_progress)
    row.publish()
    if was_published and not row.is_published:
        await _unset_active(session, found)
    shared = placed.for_others(_for_members(payload, row, was_published, seen))
    await events.record(
        session, "map.updated", user.id, row, placed.for_game_masters(payload), before, shared=shared
    )
    return found


async def fit_tokens(session: AsyncSession, row: Map) -> Placed:
    """Move the tokens of a map whose grid was replaced to valid positions."""
    size = row.width, row.height
    return await positions.fit_tokens(session, row.universe_id, row.id, Grid.of(row.grid_data).type, size)


def _for_members(payload: Mapping[str, Any], row: Map, was_published: bool, seen: bool) -> dict[str, Any] | None:
    """The event payload for members after a change of a map; None if nothing changed for them.

    `seen` is whether it changed something in the grid that they see.
    """
    if was_published != row.is_published:
        return _shared(row) if row.is_published else {"visibility": row.visibility}
    if not row.is_published or row.has_fog:
        return None
    shared = {name: payload[name] for name in ("name", "description") if name in payload}
    return {**shared, "grid_data": "replaced"} if seen else shared or None


async def _move(
    session: AsyncSession,
    found: Found,
    target: Access,
    payload: dict[str, Any],
    before: dict[str, Any],
    was_published: bool,
    on_progress: Callable[[], object],
) -> Found:
    """Move a map to another universe, where only game masters see it: copy its rows, and delete the old ones.

    The event for members of the old universe has the name that they knew.
    """
    row, user = found.row, found.access.user
    await _remove_references(session, found)
    name = before.get("name", row.name)
    shared = {"name": name} if was_published else None
    moved_to = {"name": name, "to": str(target.universe.id)}
    await events.record(session, "map.moved_out", user.id, row, moved_to, shared=shared)
    row.visibility = Visibility.game_masters
    if row.scene_key is not None:
        row.scene_key = uuid4()
    row.publish()
    await session.flush()
    place = {"origin": row.universe_id, "target": target.universe.id, "map_id": row.id}
    await session.execute(_COPY_MAP, place)
    # Layer by layer: one statement for all chunks of the largest map would reach the statement timeout.
    for layer in (await session.execute(_LAYERS, place)).scalars().all():
        await session.execute(_COPY_CHUNKS, {**place, "layer": layer})
        on_progress()
    await session.execute(_COPY_TOKENS, place)
    await session.execute(_DELETE_MAP, place)
    session.expunge(row)
    by_id = select(Map).where(col(Map.universe_id) == target.universe.id, col(Map.id) == row.id)
    moved = (await session.execute(by_id)).scalar_one()
    payload = {**payload, "visibility": moved.visibility, "from": str(row.universe_id)}
    await events.record(session, "map.moved_in", user.id, moved, payload, before or None)
    return Found(moved, target)


# The tables are named in SQL, because their modules import this one.
_REMOVE_REFERENCES = [
    text(f"""
        UPDATE {table} SET {", ".join(f"{column} = NULL" for column in columns)},
            version = version + 1, updated_at = :now
        WHERE universe_id = :universe_id AND map_id = :map_id
    """)
    for table, columns in (("note", ("map_id", "x", "y")), ("encounter", ("map_id",)))
]


async def _remove_references(session: AsyncSession, found: Found) -> None:
    """Remove all references in the universe to a map that is deleted or moved."""
    await _unset_active(session, found)
    for statement in _REMOVE_REFERENCES:
        await session.execute(statement, {**map_key_of(found.row), "now": now()})


async def _unset_active(session: AsyncSession, found: Found) -> None:
    """Unset the universe's active map if it is this one, which members can no longer see."""
    if found.access.universe.active_map_id == found.row.id:
        await universes.change(session, found.access, {"active_map_id": None})


_IN_OTHER_UNIVERSE = {
    "character_id": "NULL",
    "asset_id": "NULL",
    "version": "version + 1",
    "updated_at": "clock_timestamp()",
    "grants": f"""coalesce((
        SELECT jsonb_object_agg(given.key, given.value) FROM jsonb_each(token.grants) given
        WHERE given.key = '{MEMBERS}' OR EXISTS (
            SELECT FROM member mb WHERE mb.universe_id = :target AND mb.user_id::text = given.key
        )
    ), '{{}}')""",
}
"""The columns of a token that change when its map is moved, because what they refer to stays in the old
universe."""


def _copy(model: Any, where: str, changed: Mapping[str, str] = MappingProxyType({})) -> TextClause:
    """A statement that copies rows of a map to another universe."""
    table: Any = inspect(model).local_table
    copied = (column for column in table.columns if column.name != "universe_id" and column.computed is None)
    names = [column.name for column in copied]
    return text(f"""
        INSERT INTO {table.name} (universe_id, {", ".join(names)})
        SELECT cast(:target AS uuid), {", ".join(changed.get(name, name) for name in names)}
        FROM {table.name} WHERE universe_id = :origin AND {where}
    """)


_COPY_MAP = _copy(Map, "id = :map_id")
_COPY_CHUNKS = _copy(MapChunk, "map_id = :map_id AND layer = :layer")
_COPY_TOKENS = _copy(Token, "map_id = :map_id", _IN_OTHER_UNIVERSE)
_LAYERS = text("SELECT DISTINCT layer FROM map_chunk WHERE universe_id = :origin AND map_id = :map_id")
_DELETE_MAP = text("DELETE FROM map WHERE universe_id = :origin AND id = :map_id")


async def remove(session: AsyncSession, found: Found) -> None:
    """Delete a locked map. The event stores its content, unless it has very many chunks."""
    row = found.row
    await _remove_references(session, found)
    before: dict[str, Any] = {
        "name": row.name,
        "description": row.description,
        **{name: getattr(row, name) for name in _SETTINGS},
    }
    if (await session.execute(_COUNT_CHUNKS, map_key_of(row))).scalar_one() <= _MAX_STORED_CHUNKS:
        chunks = [list(chunk) for chunk in await session.execute(_CHUNKS, map_key_of(row))]
        before |= {"grid_data": row.grid_data, "size": [row.width, row.height], "chunks": chunks}
    shared: dict[str, Any] | None = {} if row.is_published else None
    await events.record(
        session, "map.deleted", found.access.user.id, row, {"name": row.name}, before, shared=shared
    )
    await session.delete(row)
