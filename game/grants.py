"""Grants: what members may do with a token, a character or a note, given to one of them or to all.

`{"<user_id>" or "members": ["see", "sheet", "sight", "act"]}`: know that it exists, read its sheet or numbers,
see what it sees, move and change it. `act` includes the others. Game masters need no grants.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Uuid, bindparam, or_, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from game.core.errors import FieldError, Unprocessable
from game.core.models import now
from game.permissions import GAME_MASTERS, Role

MEMBERS: Final = "members"
"""The key in `grants` for all members."""
_MAX_HOLDERS = 200


class Right(StrEnum):
    """What a grant permits."""

    see = "see"
    sheet = "sheet"
    sight = "sight"
    act = "act"


ALL: Final = frozenset(Right)


def _normalized(grants: dict[str, list[str]]) -> dict[str, list[str]]:
    """Normalised grants: canonical ids, each right once, no holders without rights."""
    normalized: dict[str, list[str]] = {}
    for holder, given in grants.items():
        if holder != MEMBERS:
            try:
                holder = str(UUID(holder))
            except ValueError:
                message = "a key must be the id of a user, or `members`"
                raise PydanticCustomError("holder_invalid", message) from None
        if given:
            normalized[holder] = [right.value for right in Right if right in given]
    return normalized


_ABOUT = (
    "What members may do with it. The key is the id of a user, or `members` for all members. Only game masters "
    "see the grants of others."
)
_MAX_SIZE = Field(max_length=_MAX_HOLDERS)
Grants = Annotated[
    dict[str, list[Literal["see", "sheet", "sight", "act"]]],
    _MAX_SIZE,
    AfterValidator(_normalized),
    Field(
        description=f"{_ABOUT} `see`: know that it exists; `sheet`: read its sheet or numbers; `sight`: see what "
        "it sees; `act`: move and change it, which includes the others."
    ),
]
NoteGrants = Annotated[
    dict[str, list[Literal["see", "act"]]],
    _MAX_SIZE,
    AfterValidator(_normalized),
    Field(description=f"{_ABOUT} `see`: read it; `act`: change it, which includes `see`."),
]


def shown(grants: Mapping[str, list[str]], user_id: UUID, role: Role) -> dict[str, list[str]]:
    """The grants that a member sees: game masters all, others those that apply to them."""
    if role in GAME_MASTERS:
        return dict(grants)
    return {holder: given for holder, given in grants.items() if holder in (MEMBERS, str(user_id))}


def rights(grants: Mapping[str, list[str]], user_id: UUID, role: Role) -> frozenset[Right]:
    """The rights of a member. Spectators never have `act`."""
    if role in GAME_MASTERS:
        return ALL
    given = {Right(right) for one in shown(grants, user_id, role).values() for right in one}
    if Right.act in given:
        given |= ALL
    return frozenset(given - {Right.act} if role is Role.spectator else given)


def holders(grants: Mapping[str, list[str]], right: Right) -> frozenset[str]:
    """The holders of a right: user ids as text, and `members`. Spectators among them do not have `act`."""
    return frozenset([holder for holder, given in grants.items() if right in given or Right.act in given])


def granted(column: Any, right: Right, user_id: UUID) -> ColumnElement[bool]:
    """The condition that grants in a JSONB column give a user a right, regardless of their role."""
    options = [{holder: [one]} for holder in (MEMBERS, str(user_id)) for one in {right, Right.act}]
    return or_(*(column.contains(option) for option in options))


def seen_by(column: str) -> str:
    """SQL: the condition that grants in a column give the right `see` to the user `:user_id` (a text)."""
    rights = "ARRAY['see', 'act']"
    user = "cast(:user_id AS text)"
    return f"({column}->'{MEMBERS}' ?| {rights} OR {column}->{user} ?| {rights})"


_NOT_MEMBERS = text("""
    SELECT user_id FROM unnest(:user_ids) AS named (user_id)
    WHERE NOT EXISTS (SELECT FROM member mb WHERE mb.universe_id = :universe_id AND mb.user_id = named.user_id)
""").bindparams(bindparam("user_ids", type_=ARRAY(Uuid)))


async def require_members(session: AsyncSession, universe_id: UUID, grants: Mapping[str, list[str]]) -> None:
    """Check that every named user is a member of the universe.

    Raises:
        Unprocessable: a user is not a member.
    """
    user_ids = [UUID(holder) for holder in grants if holder != MEMBERS]
    if not user_ids:
        return
    found = await session.execute(_NOT_MEMBERS, {"universe_id": universe_id, "user_ids": user_ids})
    if not_members := found.scalars().all():
        errors = [
            FieldError(f"grants.{one}", "not_a_member", "Only members can have rights.") for one in not_members
        ]
        raise Unprocessable(errors=errors)


_READERS = text("""
    SELECT user_id, role FROM member WHERE universe_id = :universe_id AND role IN ('player', 'spectator')
""")


async def readers(session: AsyncSession, universe_id: UUID) -> list[tuple[UUID, Role]]:
    """The members of a universe who are not game masters, with their roles."""
    found = await session.execute(_READERS, {"universe_id": universe_id})
    return [(user_id, Role(role)) for user_id, role in found]


class VisibleChange(NamedTuple):
    """The recipients of a change, and those of the changed fields that all of them may read."""

    audience: list[UUID]
    fields: frozenset[str]

    def shared(self, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """The part of an event's payload for the recipients; None without recipients."""
        return {name: payload[name] for name in self.fields if name in payload} if self.audience else None


async def visible_change(
    session: AsyncSession,
    universe_id: UUID,
    before: Mapping[str, list[str]],
    after: Mapping[str, list[str]],
    changed: Mapping[str, Right],
) -> VisibleChange:
    """The members, other than game masters, who see a difference after a change of an object with grants.

    `before` and `after` are its grants (empty if it was created or deleted), and `changed` the changed fields with
    the right that is needed to read each.
    """
    audience: list[UUID] = []
    fields = set(changed)
    for user_id, role in await readers(session, universe_id):
        old, new = (rights(one, user_id, role) for one in (before, after))
        if Right.see not in old | new:
            continue
        readable = {name for name, right in changed.items() if Right.see in new and right in new}
        if readable or old != new or shown(before, user_id, role) != shown(after, user_id, role):
            audience.append(user_id)
            fields &= readable
    return VisibleChange(audience, frozenset(fields))


# By name: the modules of tables with grants must not be imported here.
_TABLES = ("character", "token", "note")
_DROP = [
    text(f"""
        UPDATE {table} SET grants = grants - :holder, version = version + 1, updated_at = :now
        WHERE universe_id = :universe_id AND grants ? :holder
    """)
    for table in _TABLES
]


async def drop(session: AsyncSession, universe_id: UUID, user_id: UUID) -> None:
    """Remove the grants of a user who was removed from a universe."""
    for statement in _DROP:
        await session.execute(statement, {"universe_id": universe_id, "holder": str(user_id), "now": now()})


AFTER_SIGHT_CHANGE: list[Callable[[AsyncSession, UUID, UUID], Awaitable[None]]] = []
"""Callbacks of `sight_changed`: `game.fog`, which this module must not import."""


async def sight_changed(session: AsyncSession, universe_id: UUID, cause_id: UUID) -> None:
    """Report that a viewer may see more than before although no token changed: a member's role, or a character's
    grants or senses, changed in this transaction. `cause_id` is that user or character."""
    await session.flush()
    for remember in AFTER_SIGHT_CHANGE:
        await remember(session, universe_id, cause_id)
