"""Access: the role of a user in a universe. All queries for a request return it.

Only the table `member` determines who may read what. This module has the forms in which SQLAlchemy's statements,
the hot statements and the back office's session use it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, Select, and_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import permissions
from game.accounts.models import User
from game.core.errors import NotFound, Unavailable
from game.permissions import GAME_MASTERS, Role
from game.universes.models import Member, Universe

SUPERUSERS_FIRST = "superusers first"
"""A key of a session's `info`: superusers keep that role also in universes of which they are members."""

MEMBER_OF = "JOIN member mb ON mb.user_id = a.id AND mb.universe_id ="
"""SQL: joins the row `mb` of `member` for the account `a` and the universe id that follows."""
IS_GAME_MASTER = "mb.role IN ('owner', 'game_master')"
"""SQL: the condition that the member `mb` may see secrets."""
MEMBERSHIP = and_(col(Member.universe_id) == col(Universe.id), col(Member.user_id) == bindparam("user_id"))
"""The join condition of `member` for the user `:user_id` with a universe."""
_FIND = (
    select(Universe, col(Member.role))
    .outerjoin(Member, MEMBERSHIP)
    .where(col(Universe.id).in_(bindparam("ids", expanding=True)))
)
# An advisory lock that is held during a change that takes seconds. To find out whether it is held, it is acquired
# for a moment.
_BUSY = "hashtextextended('busy ' || {}, 0)"
_IS_FREE = text(f"""
    CASE WHEN pg_try_advisory_lock_shared({_BUSY.format("universe.id")})
    THEN pg_advisory_unlock_shared({_BUSY.format("universe.id")}) ELSE false END
""")
_SET_BUSY = text(f"SELECT pg_try_advisory_xact_lock({_BUSY.format('cast(:universe_id AS text)')})")
_LOCK = (
    select(Universe)
    .where(col(Universe.id).in_(bindparam("ids", expanding=True)), _IS_FREE)
    .order_by(col(Universe.id))
    .with_for_update(key_share=True)
    # The row as it is after locking, not as it was read before.
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True, slots=True)
class Access:
    """A user, a universe that they may read, and their role in it."""

    user: User
    universe: Universe
    role: Role

    @property
    def is_game_master(self) -> bool:
        """Whether everything in the universe may be read and written."""
        return self.role in GAME_MASTERS

    def require(self, operation: str) -> None:
        """Check that the role may do an operation.

        Raises:
            Forbidden: it may not.
        """
        permissions.require(operation, self.role)


def universes_of(user_id: UUID, roles: Iterable[Role] = ()) -> Select[tuple[UUID]]:
    """The ids of the universes that a user is a member of; with `roles`, in one of these roles."""
    statement = select(col(Member.universe_id)).where(col(Member.user_id) == user_id)
    return statement.where(col(Member.role).in_([*roles])) if roles else statement


async def is_only_player(session: AsyncSession, user: User) -> bool:
    """Whether a user is a member somewhere, but only as a player or spectator, and is not a superuser."""
    statement = select(col(Member.role)).where(col(Member.user_id) == user.id).distinct()
    roles = set((await session.execute(statement)).scalars())
    return bool(roles) and not user.is_superuser and not roles & GAME_MASTERS


def role_of(session: AsyncSession, user: User, member_role: str | None) -> Role | None:
    """The role of a user with this membership in a universe; None without access.

    A superuser who plays in a universe is a player there: otherwise they could not play without seeing its
    secrets.
    """
    if user.is_superuser and (member_role is None or session.info.get(SUPERUSERS_FIRST)):
        return Role.superuser
    return Role(member_role) if member_role else None


async def find(session: AsyncSession, user: User, universe_ids: Iterable[UUID]) -> dict[UUID, Access]:
    """The access of a user to those of the given universes that they may read, by id."""
    parameters = {"user_id": user.id, "ids": [*universe_ids]}
    rows: Iterable[Row[tuple[Universe, str]]] = await session.execute(_FIND, parameters)
    found = {}
    for universe, member_role in rows:
        if role := role_of(session, user, member_role):
            found[universe.id] = Access(user, universe, role)
    return found


async def get(session: AsyncSession, user: User, universe_id: UUID, operation: str) -> Access:
    """The access of a user to a universe in which they may do an operation.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation in it.
    """
    access = (await find(session, user, [universe_id])).get(universe_id)
    if access is None:
        raise NotFound
    access.require(operation)
    return access


async def get_created(session: AsyncSession, user: User, location: str) -> Access:
    """The access of a user to the universe in the Location of the answer with which they created it.

    Raises:
        NotFound: it no longer exists, or they are no longer a member.
    """
    return await get(session, user, UUID(location.rpartition("/")[2]), "readUniverse")


async def lock(session: AsyncSession, user: User, operations: Mapping[UUID, str]) -> dict[UUID, Access]:
    """Lock universes for a write until the transaction ends, in the order of their ids; returns the access to
    each, by id.

    Permission is checked before locking, and again under the locks: the user may have been removed meanwhile.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do its operation in one of them.
        Unavailable: a change of one of them takes seconds (`set_busy`).
    """
    before = {}
    for universe_id, operation in operations.items():
        before[universe_id] = await get(session, user, universe_id, operation)
    versions = {universe_id: access.universe.access_version for universe_id, access in before.items()}
    locked = (await session.execute(_LOCK, {"ids": [*operations]})).scalars().all()
    if any(universe.access_version != versions[universe.id] for universe in locked) or len(locked) < len(before):
        before = {one: await get(session, user, one, operation) for one, operation in operations.items()}
        if len(locked) < len(before):
            raise Unavailable("A very large change of this universe is being stored. Try again in some seconds.")
    return before


async def set_busy(session: AsyncSession, universe_id: UUID) -> bool:
    """Make `lock` reject other writes to a locked universe until the transaction ends, before a change that takes
    longer than they can wait. Returns False if a concurrent check prevented it."""
    done: bool = (await session.execute(_SET_BUSY, {"universe_id": str(universe_id)})).scalar_one()
    return done
