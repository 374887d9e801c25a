"""The SQL of maps: finding those that a user may read, and locking one to change it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from game.accounts.models import User
from game.core import pages
from game.core.errors import FieldError, NotFound, Unavailable, Unprocessable
from game.maps.models import ANY_MEMBER, Map, MapSummary, Visibility
from game.permissions import GAME_MASTERS, Role
from game.universes import access
from game.universes.access import IS_GAME_MASTER, MEMBERSHIP, Access
from game.universes.models import Member, Universe

_MAX_RETRIES = 10

VISIBLE = f"(m.visibility = 'members' OR {IS_GAME_MASTER})"
"""SQL: the condition that the member `mb` may read the map `m`."""

HAS_FOG = f"(m.fog <> 'off' AND NOT {IS_GAME_MASTER})"
"""SQL: the condition that the member `mb` sees only parts of the map `m`."""


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


def _game_masters(session: AsyncSession, user: User) -> frozenset[Role]:
    """The member roles with which this user may read everything."""
    return frozenset(one for one in Role if access.role_of(session, user, one) in GAME_MASTERS)


def _visible(game_masters: Iterable[Role], *, is_superuser: bool) -> ColumnElement[bool]:
    """The condition that a user may read a map, from the joined row of `member`; the equivalent of VISIBLE."""
    visible = or_(
        col(Member.role).in_(sorted(game_masters)),
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
        .where(_visible(game_masters, is_superuser=is_superuser), col(Map.id) == bindparam("map_id"))
    )
    return statement if with_grid else statement.options(*WITHOUT_GRID)


async def page(
    session: AsyncSession, user: User, query: pages.PageQuery, universe_id: UUID | None
) -> Mapping[str, Any]:
    """A page of the maps that a user may read as a member, in one universe or in all, without their grids.

    Raises:
        NotFound: the universe does not exist, or the user may not see it.
    """
    visible = _visible(_game_masters(session, user), is_superuser=user.is_superuser)
    statement = select(Map, col(Member.role)).where(visible).options(*WITHOUT_GRID)
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


def statement_role(found: Found) -> Role:
    """The caller's role as a member role, for statements that do not know superusers."""
    return Role.game_master if found.access.is_game_master else Role.player


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
