"""The SQL of members and invitations."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.accounts.errors import OwnsUniverses
from game.accounts.manager import BEFORE_REMOVAL
from game.accounts.models import User
from game.core.errors import Conflict, NotFound
from game.core.models import now
from game.core.pages import decode_cursor, encode_cursor
from game.events import queries as events
from game.events.models import Event
from game.members.models import Invitation, InvitationPreview, InvitationWrite, MemberRead
from game.permissions import Role
from game.universes.access import Access, lock, universes_of
from game.universes.models import Member, MemberRole, Universe

_CODE_BYTES = 18
_MAX_INVITATIONS = 100
"""The maximum number of open invitations of a universe."""
_ORDER = "created_at"


class OwnerStays(Conflict):
    """The owner cannot leave or change roles. Transfer the universe to another member first."""

    code = "OWNER_STAYS"


class TooManyInvitations(Conflict):
    """This universe has too many open invitations. Withdraw some first."""

    code = "TOO_MANY_INVITATIONS"


def _members(universe_id: UUID) -> Select[tuple[Member, str]]:
    return (
        select(Member, col(User.display_name))
        .join(User, col(User.id) == col(Member.user_id))
        .where(col(Member.universe_id) == universe_id)
    )


def _read(member: Member, display_name: str) -> MemberRead:
    return MemberRead(
        user_id=member.user_id,
        display_name=display_name,
        role=MemberRole(member.role),
        created_at=member.created_at,
    )


async def page(session: AsyncSession, universe_id: UUID, limit: int, cursor: str | None) -> Mapping[str, Any]:
    """A page of the members of a universe, in the order in which they joined.

    Raises:
        Unprocessable: it is not a cursor of this list.
    """
    statement = _members(universe_id)
    order = col(Member.created_at), col(Member.user_id)
    if cursor is not None:
        created_at, user_id = decode_cursor(cursor, _ORDER, datetime)
        statement = statement.where(tuple_(*order) > tuple_(literal(created_at), literal(user_id)))
    rows = (await session.execute(statement.order_by(*order).limit(limit + 1))).all()
    items = [_read(*row) for row in rows[:limit]]
    more = len(rows) > limit
    next_cursor = encode_cursor(_ORDER, items[-1].created_at, items[-1].user_id) if more else None
    return {"items": items, "next_cursor": next_cursor}


async def get(session: AsyncSession, access: Access, user_id: UUID) -> tuple[Member, MemberRead]:
    """A member of a universe: the stored row, and the API's document.

    Raises:
        NotFound: the user is not a member.
    """
    statement = _members(access.universe.id).where(col(Member.user_id) == user_id)
    row = (await session.execute(statement.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound
    return row[0], _read(*row)


async def change_role(session: AsyncSession, access: Access, user_id: UUID, role: Role) -> MemberRead:
    """Change the role of a member of a locked universe.

    Raises:
        NotFound: the user is not a member.
        OwnerStays: they are the owner.
        Forbidden: only the owner may appoint and dismiss game masters.
    """
    member, read = await get(session, access, user_id)
    if member.role == role:
        return read
    if Role.game_master in (member.role, role):
        access.require("appointGameMaster")
    if member.role == Role.owner:
        access.require("appointGameMaster")
        raise OwnerStays
    before = {"role": member.role}
    if member.role == Role.game_master:
        await _withdraw(session, access.universe, everything=True)
    member.role = role
    access.universe.access_version += 1
    payload = {"user_id": user_id, "role": role}
    await events.record(session, "member.updated", access.user.id, member, payload, before, shared=payload)
    await grants.sight_changed(session, access.universe.id, user_id)
    return read.model_copy(update={"role": MemberRole(role)})


async def remove(session: AsyncSession, access: Access, user_id: UUID) -> None:
    """Remove a member from a locked universe, with their invitations; members may remove themselves.

    Raises:
        NotFound: the user is not a member.
        OwnerStays: they are the owner.
        Forbidden: the caller may not remove this member.
    """
    member, _ = await get(session, access, user_id)
    if user_id != access.user.id:
        access.require("removeOtherMember")
        if member.role in (Role.game_master, Role.owner):
            access.require("appointGameMaster")
    if member.role == Role.owner:
        raise OwnerStays
    await _remove(session, access.universe, member, access.user)


async def _remove(session: AsyncSession, universe: Universe, member: Member, actor: User) -> None:
    payload = {"user_id": member.user_id}
    universe.access_version += 1
    await events.record(
        session, "member.removed", actor.id, member, payload, {"role": member.role}, shared=payload
    )
    everything = member.role == Role.game_master
    await _withdraw(session, universe, everything=everything, created_by=member.user_id)
    await grants.drop(session, universe.id, member.user_id)
    await session.delete(member)


async def _leave_all(session: AsyncSession, user: User, actor: User) -> None:
    """Remove an account that is to be deleted from all of its universes, in the name of `actor`.

    Raises:
        OwnsUniverses: it owns some.
    """
    ids = (await session.execute(universes_of(user.id))).scalars().all()
    for access in (await lock(session, user, dict.fromkeys(ids, "removeMember"))).values():
        member, _ = await get(session, access, user.id)
        if member.role == Role.owner:
            raise OwnsUniverses
        await _remove(session, access.universe, member, actor)
    # The account's row is deleted after these.
    await session.flush()


BEFORE_REMOVAL.append(_leave_all)


async def _withdraw(
    session: AsyncSession, universe: Universe, *, everything: bool, created_by: UUID | None = None
) -> None:
    """Delete the invitations of a member. For a game master, delete all invitations of the universe, because they
    know the codes and could use them to return."""
    statement = select(Invitation).where(col(Invitation.universe_id) == universe.id)
    if not everything:
        statement = statement.where(col(Invitation.created_by) == created_by)
    for invitation in (await session.execute(statement)).scalars():
        await session.delete(invitation)


def _is_usable() -> ColumnElement[bool]:
    """The condition that an invitation can be used."""
    has_uses = or_(col(Invitation.max_uses).is_(None), col(Invitation.uses) < col(Invitation.max_uses))
    return has_uses & (col(Invitation.expires_at) > now())


async def invitations(session: AsyncSession, universe_id: UUID) -> list[Invitation]:
    """The open invitations of a universe, newest first."""
    statement = select(Invitation).where(col(Invitation.universe_id) == universe_id, _is_usable())
    return [*(await session.execute(statement.order_by(col(Invitation.id).desc()))).scalars()]


async def invite(session: AsyncSession, access: Access, body: InvitationWrite) -> Invitation:
    """Create an invitation to a locked universe.

    Raises:
        Forbidden: only the owner may invite game masters.
        TooManyInvitations: there are too many open invitations.
    """
    if body.role == Role.game_master:
        access.require("appointGameMaster")
    universe_id = access.universe.id
    if len(await invitations(session, universe_id)) >= _MAX_INVITATIONS:
        raise TooManyInvitations
    await session.execute(delete(Invitation).where(col(Invitation.universe_id) == universe_id, ~_is_usable()))
    invitation = Invitation(
        universe_id=universe_id,
        code=secrets.token_urlsafe(_CODE_BYTES),
        role=body.role,
        max_uses=body.max_uses,
        expires_at=now() + timedelta(seconds=body.expires_in),
        created_by=access.user.id,
    )
    session.add(invitation)
    payload = {"role": body.role, "max_uses": body.max_uses, "expires_at": invitation.expires_at}
    await events.record(session, "invitation.created", access.user.id, invitation, payload)
    return invitation


async def withdraw(session: AsyncSession, access: Access, invitation_id: UUID) -> None:
    """Withdraw an invitation to a locked universe.

    Raises:
        NotFound: it does not exist in this universe.
        Forbidden: only the owner may withdraw an invitation of game masters.
    """
    invitation = await session.get(Invitation, (access.universe.id, invitation_id))
    if invitation is None:
        raise NotFound
    if invitation.role == Role.game_master:
        access.require("appointGameMaster")
    await events.record(session, "invitation.deleted", access.user.id, invitation, {"role": invitation.role})
    await session.delete(invitation)


async def preview(session: AsyncSession, code: str) -> InvitationPreview:
    """What an invitation is for.

    Raises:
        NotFound: the code is invalid; the error is the same for all reasons.
    """
    statement = (
        select(Invitation, col(Universe.name), col(User.display_name))
        .join(Universe, col(Universe.id) == col(Invitation.universe_id))
        .join(User, col(User.id) == col(Invitation.created_by))
        .where(col(Invitation.code) == code, _is_usable())
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise NotFound
    invitation, name, invited_by = row
    return InvitationPreview(
        universe_name=name, role=invitation.role, invited_by=invited_by, expires_at=invitation.expires_at
    )


async def accept(session: AsyncSession, user: User, code: str) -> Member:
    """Make a user a member with a code; existing members keep their role.

    Raises:
        NotFound: the code is invalid, or the user was removed after it was created.
    """
    usable = select(Invitation).where(col(Invitation.code) == code, _is_usable())
    found = (await session.execute(usable)).scalar_one_or_none()
    if found is None:
        raise NotFound
    statement = select(Universe).where(col(Universe.id) == found.universe_id).with_for_update(key_share=True)
    again = usable.where(col(Invitation.universe_id) == found.universe_id)
    universe = (await session.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()
    # Read again under the lock, because the last use may have been taken meanwhile.
    options = {"populate_existing": True}
    invitation = (await session.execute(again.execution_options(**options))).scalar_one_or_none()
    if universe is None or invitation is None:
        raise NotFound
    member = await session.get(Member, (universe.id, user.id))
    if member is not None:
        return member
    if await _was_removed(session, user, invitation):
        raise NotFound
    invitation.uses += 1
    member = Member(universe_id=universe.id, user_id=user.id, role=invitation.role)
    session.add(member)
    universe.access_version += 1
    shared = {"user_id": user.id, "display_name": user.display_name, "role": member.role}
    payload = {**shared, "invitation_id": invitation.id}
    await events.record(session, "member.joined", user.id, member, payload, shared=shared)
    return member


async def _was_removed(session: AsyncSession, user: User, invitation: Invitation) -> bool:
    """Whether somebody else has removed a user since an invitation was created; they probably know its code."""
    statement = select(col(Event.seq)).where(
        col(Event.universe_id) == invitation.universe_id,
        col(Event.subject_id) == user.id,
        col(Event.kind) == "member.removed",
        col(Event.actor_id) != user.id,
        col(Event.created_at) > invitation.created_at,
    )
    return (await session.execute(statement.limit(1))).first() is not None
