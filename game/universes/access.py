"""Access: who somebody is in a universe. Whatever is fetched for a request comes with it.

The table `member` alone says who may read what: the statements of SQLAlchemy, the hot statements and the back
office's session all ask it, each in the form given here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import permissions
from game.accounts.models import User
from game.core.errors import NotFound
from game.permissions import GAME_MASTERS, Role
from game.universes.models import Member, Universe

SUPERUSERS_FIRST = "superusers first"
"""Set in a session's `info` where superusers are superusers in every universe, also in those they play in."""

MEMBER_OF = "JOIN member mb ON mb.user_id = a.id AND mb.universe_id ="
"""For the hot statements: the membership `mb` of the account `a` in the universe whose id follows."""
IS_GAME_MASTER = "mb.role IN ('owner', 'game_master')"
"""For the hot statements: whether the membership `mb` may see secrets."""


@dataclass(frozen=True, slots=True)
class Access:
    """A user in a universe that they may read."""

    user: User
    universe: Universe
    role: Role

    @property
    def is_game_master(self) -> bool:
        """Whether everything in the universe may be read and written."""
        return self.role in GAME_MASTERS

    def require(self, operation: str) -> None:
        """Go on only when the role may do an operation.

        Raises:
            Forbidden: it may not.
        """
        permissions.require(operation, self.role)


def universes_of(user_id: UUID, roles: Iterable[Role] = ()) -> Select[tuple[UUID]]:
    """The ids of the universes that a user is a member of; with `roles`, in one of these roles."""
    statement = select(col(Member.universe_id)).where(col(Member.user_id) == user_id)
    return statement.where(col(Member.role).in_([*roles])) if roles else statement


async def only_plays(session: AsyncSession, user: User) -> bool:
    """Whether somebody is in other people's universes, and runs none: neither one of their own nor the server."""
    statement = select(col(Member.role)).where(col(Member.user_id) == user.id).distinct()
    roles = set((await session.execute(statement)).scalars())
    return bool(roles) and not user.is_superuser and not roles & GAME_MASTERS


def membership(user: User) -> ColumnElement[bool]:
    """What joins a user's membership to a universe."""
    return and_(col(Member.universe_id) == col(Universe.id), col(Member.user_id) == user.id)


def role_of(session: AsyncSession, user: User, member_role: str | None) -> Role | None:
    """What somebody is in a universe, by their membership; None for a stranger.

    A superuser who plays in a universe is a player there: else they could not play without seeing its secrets.
    """
    if user.is_superuser and (member_role is None or session.info.get(SUPERUSERS_FIRST)):
        return Role.superuser
    return Role(member_role) if member_role else None


async def find(session: AsyncSession, user: User, universe_ids: Iterable[UUID]) -> dict[UUID, Access]:
    """The access of a user to those of some universes that they may read, by id."""
    statement = (
        select(Universe, col(Member.role))
        .outerjoin(Member, membership(user))
        .where(col(Universe.id).in_([*universe_ids]))
    )
    rows: Iterable[Row[tuple[Universe, str]]] = await session.execute(statement)
    found = {}
    for universe, member_role in rows:
        if role := role_of(session, user, member_role):
            found[universe.id] = Access(user, universe, role)
    return found


async def get(session: AsyncSession, user: User, universe_id: UUID, operation: str) -> Access:
    """The access of a user to a universe in which they may do an operation.

    Raises:
        NotFound: there is no such universe for this user.
        Forbidden: they may not do this in it.
    """
    access = (await find(session, user, [universe_id])).get(universe_id)
    if access is None:
        raise NotFound
    access.require(operation)
    return access


async def get_created(session: AsyncSession, user: User, location: str) -> Access:
    """The access of a user to the universe at the Location of an answer, by which they created it once.

    Raises:
        NotFound: it does not exist any more, or they are no member of it any more.
    """
    return await get(session, user, UUID(location.rpartition("/")[2]), "readUniverse")


async def lock(session: AsyncSession, user: User, operations: Mapping[UUID, str]) -> dict[UUID, Access]:
    """Lock universes for a write until the transaction ends, in the order of their ids; their access, by id.

    Permission is asked for before the locks, and once more under them: somebody may have been removed meanwhile.

    Raises:
        NotFound: there is no such universe for this user.
        Forbidden: they may not do its operation in one of them.
    """
    before = {}
    for universe_id, operation in operations.items():
        before[universe_id] = await get(session, user, universe_id, operation)
    versions = {universe_id: access.universe.access_version for universe_id, access in before.items()}
    statement = (
        select(Universe)
        .where(col(Universe.id).in_(operations))
        .order_by(col(Universe.id))
        .with_for_update(key_share=True)
        # As it is under the lock, not as it was read before.
        .execution_options(populate_existing=True)
    )
    locked = (await session.execute(statement)).scalars().all()
    if any(universe.access_version != versions[universe.id] for universe in locked) or len(locked) < len(before):
        before = {one: await get(session, user, one, operation) for one, operation in operations.items()}
    return before
