"""The SQL of universes."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core import pages
from game.core.coalescer import HotStatement
from game.core.errors import FieldError, Unprocessable
from game.core.hot import HotRead, HotResponse, path_id
from game.events import queries as events
from game.events.models import Event
from game.permissions import Role
from game.universes.access import MEMBER_OF, MEMBERSHIP, Access
from game.universes.models import Member, Universe, UniverseRead

_JSON = """u.json_head || ',"role":"' || u.role || '"}'"""

BY_ID = HotRead(
    HotStatement(f"""
        SELECT q.n, u.version, {_JSON.replace("u.role", "mb.role")} AS body
        {AUTHENTICATED.format(more_types=", $3::uuid[]", more_names=", id")}
        {MEMBER_OF} q.id
        JOIN universe u ON u.id = mb.universe_id
    """),
    lambda scope: (one,) if (one := path_id(scope, "id")) else None,
    lambda row: HotResponse(row["body"].encode(), row["version"]),
)


LIST = HotRead(
    HotStatement(f"""
        SELECT q.n, page.items, CASE WHEN EXISTS (
            SELECT FROM member mb WHERE mb.user_id = a.id AND mb.universe_id > page.last
        ) THEN page.last END AS next_id
        {AUTHENTICATED.format(more_types=", $3::int[], $4::uuid[]", more_names=", max_items, after")}
        CROSS JOIN LATERAL (
            -- `last` is null unless the page is full.
            SELECT string_agg({_JSON}, ',') AS items, (array_agg(u.id))[q.max_items] AS last
            FROM (
                SELECT u.id, u.json_head, mb.role
                FROM member mb JOIN universe u ON u.id = mb.universe_id
                WHERE mb.user_id = a.id AND (q.after IS NULL OR mb.universe_id > q.after)
                ORDER BY mb.universe_id LIMIT q.max_items
            ) u
        ) page
    """),
    pages.hot_parameters,
    pages.hot_list,
)


def read(access: Access) -> UniverseRead:
    """A universe in the API, for a caller with this access."""
    names = UniverseRead.model_fields.keys() - {"role"}
    return UniverseRead(**{name: getattr(access.universe, name) for name in names}, role=access.role)


async def page(session: AsyncSession, user: User, query: pages.PageQuery, role: Role | None) -> Mapping[str, Any]:
    """A page of the universes that a user is a member of; with `role`, in this role only."""
    # Starts from `member`, so that only the user's own universes are read.
    statement = select(Universe, col(Member.role)).join(Member, MEMBERSHIP).params(user_id=user.id)
    if role is not None:
        statement = statement.where(col(Member.role) == role)
    page = await pages.page_of(session, statement, Universe, query)
    return {**page, "items": [read(Access(user, *item)) for item in page["items"]]}


async def add(session: AsyncSession, user: User, fields: Mapping[str, Any]) -> Access:
    """Store a new universe that a user owns, without an event."""
    universe = Universe(owner_id=user.id, **fields)
    session.add(universe)
    await session.flush()
    session.add(Member(universe_id=universe.id, user_id=user.id, role=Role.owner))
    await session.flush()
    return Access(user, universe, Role.owner)


async def create(session: AsyncSession, user: User, fields: Mapping[str, Any]) -> Access:
    """Create a universe; the user is its owner."""
    access = await add(session, user, fields)
    await events.record(session, "universe.created", user.id, access.universe, {**fields}, shared={**fields})
    return access


async def record_import(session: AsyncSession, access: Access) -> None:
    """Write the event of an imported universe."""
    name = {"name": access.universe.name}
    await events.record(session, "universe.imported", access.user.id, access.universe, name, shared=name)


async def change(session: AsyncSession, access: Access, fields: Mapping[str, Any]) -> None:
    """Set fields of a locked universe. Equal values are not a change."""
    universe = access.universe
    if fields.get("active_map_id") and not await _is_published(session, universe.id, fields["active_map_id"]):
        message = "The map must be in this universe, and visible to members."
        raise Unprocessable(errors=[FieldError("active_map_id", "not_visible", message)])
    old = {name: getattr(universe, name) for name in fields if getattr(universe, name) != fields[name]}
    if not old:
        return
    new = {name: fields[name] for name in old}
    for name, value in new.items():
        setattr(universe, name, value)
    universe.touch()
    payload = {**new, "version": universe.version}
    await events.record(session, "universe.updated", access.user.id, universe, payload, old, shared=payload)


_PUBLISHED = text("SELECT 1 FROM map WHERE universe_id = :universe_id AND id = :id AND visibility = 'members'")


async def _is_published(session: AsyncSession, universe_id: UUID, map_id: UUID) -> bool:
    # The table is named in SQL, because the module of maps imports this one.
    return (await session.execute(_PUBLISHED, {"universe_id": universe_id, "id": map_id})).first() is not None


_WITHDRAW = text("DELETE FROM invitation WHERE universe_id = :universe_id AND role = 'game_master'")


async def transfer(session: AsyncSession, access: Access, user_id: UUID) -> Access:
    """Make another member the owner of a locked universe; the owner becomes a game master. Returns the new access.

    Raises:
        Unprocessable: the user is not a member.
    """
    universe, old = access.universe, access.universe.owner_id
    if user_id == old:
        return access
    member = await session.get(Member, (universe.id, user_id))
    if member is None:
        raise Unprocessable(errors=[FieldError("user_id", "not_a_member", "Only a member can become the owner.")])
    former = await session.get_one(Member, (universe.id, old))
    former.role = Role.game_master
    # In this order, because a unique index allows only one owner at a time.
    await session.flush()
    member.role = Role.owner
    # The new owner may not want the game masters whom the old owner invited.
    await session.execute(_WITHDRAW, {"universe_id": universe.id})
    universe.owner_id = user_id
    universe.access_version += 1
    universe.touch()
    payload = {"owner_id": user_id, "version": universe.version}
    await events.record(
        session, "universe.transferred", access.user.id, universe, payload, {"owner_id": old}, shared=payload
    )
    role = access.role if access.role is Role.superuser else Role.game_master
    return Access(access.user, universe, role)


async def remove(session: AsyncSession, access: Access) -> None:
    """Delete a locked universe with its maps and its log; a last event records who did it."""
    universe = access.universe
    await events.record(session, "universe.deleted", access.user.id, universe, {"name": universe.name}, shared={})
    last = select(func.max(col(Event.seq))).where(col(Event.universe_id) == universe.id).scalar_subquery()
    await session.execute(delete(Event).where(col(Event.universe_id) == universe.id, col(Event.seq) < last))
    await session.execute(delete(Universe).where(col(Universe.id) == universe.id))
