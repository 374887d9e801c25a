"""The SQL of universes, and the one statement that says which of them a person may read."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core import pages
from game.core.coalescer import HotStatement
from game.core.errors import NotFound
from game.core.hot import HotAnswer, HotRead, path_id
from game.core.models import rfc3339
from game.events import queries as events
from game.events.models import Event
from game.universes.models import Universe

READABLE = "u.owner_id = a.id"
"""`readable_by` for the hot statements: universe `u`, account `a`."""

_JSON = f"""
    concat('{{"id":"', u.id, '","name":', to_json(u.name), ',"description":', to_json(u.description),
        ',"owner_id":"', u.owner_id, '","version":', u.version,
        ',"created_at":"', {rfc3339("u.created_at")}, '","updated_at":"', {rfc3339("u.updated_at")}, '"}}')
"""

BY_ID = HotRead(
    HotStatement(f"""
        SELECT q.n, u.version, {_JSON} AS body
        {AUTHENTICATED.format(more_types=", $3::uuid[]", more_names=", id")}
        JOIN universe u ON u.id = q.id AND {READABLE}
    """),
    lambda scope: (one,) if (one := path_id(scope, "id")) else None,
    lambda row: HotAnswer(row["body"].encode(), row["version"]),
)


LIST = HotRead(
    HotStatement(f"""
        SELECT q.n, page.items, CASE WHEN EXISTS (
            SELECT FROM universe u WHERE {READABLE} AND u.id > page.last
        ) THEN page.last END AS next_id
        {AUTHENTICATED.format(more_types=", $3::int[], $4::uuid[]", more_names=", most, after")}
        CROSS JOIN LATERAL (
            -- In the order of the rows below; the last is there when the page is full.
            SELECT string_agg({_JSON}, ',') AS items, (array_agg(u.id))[q.most] AS last
            FROM (
                SELECT * FROM universe u
                WHERE {READABLE} AND (q.after IS NULL OR u.id > q.after)
                ORDER BY u.id LIMIT q.most
            ) u
        ) page
    """),
    pages.hot_question,
    pages.hot_list,
)


def readable_by(user: User) -> Select[tuple[Universe]]:
    """The universes that a user may read: their own."""
    return select(Universe).where(col(Universe.owner_id) == user.id)


async def get(session: AsyncSession, user: User, universe_id: UUID, *, lock: bool = False) -> Universe:
    """A universe that the user may read; with `lock`, held for a change until the transaction ends.

    Raises:
        NotFound: there is none such for this user.
    """
    statement = readable_by(user).where(col(Universe.id) == universe_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    universe = (await session.execute(statement)).scalar_one_or_none()
    if universe is None:
        raise NotFound
    return universe


async def page(session: AsyncSession, user: User, query: pages.PageQuery) -> Mapping[str, Any]:
    """One page of the universes that a user may read."""
    return await pages.page_of(session, readable_by(user), Universe, query)


async def create(session: AsyncSession, user: User, fields: Mapping[str, Any]) -> Universe:
    """A new universe of the user's."""
    universe = Universe(owner_id=user.id, **fields)
    session.add(universe)
    await events.record(session, "universe.created", user.id, universe, {**fields})
    return universe


async def record_import(session: AsyncSession, user: User, universe: Universe) -> None:
    """Write the event of a universe that came as a file."""
    await events.record(session, "universe.imported", user.id, universe, {"name": universe.name})


async def change(session: AsyncSession, user: User, universe: Universe, fields: Mapping[str, Any]) -> None:
    """Give fields of a locked universe new values; the same values are no change."""
    old = {name: getattr(universe, name) for name in fields if getattr(universe, name) != fields[name]}
    if not old:
        return
    new = {name: fields[name] for name in old}
    for name, value in new.items():
        setattr(universe, name, value)
    universe.touch()
    await events.record(session, "universe.updated", user.id, universe, {**new, "version": universe.version}, old)


async def remove(session: AsyncSession, user: User, universe: Universe) -> None:
    """Delete a locked universe with its maps and its log; one last event says who did it."""
    await events.record(session, "universe.deleted", user.id, universe, {"name": universe.name})
    last = select(func.max(col(Event.seq))).where(col(Event.universe_id) == universe.id).scalar_subquery()
    await session.execute(delete(Event).where(col(Event.universe_id) == universe.id, col(Event.seq) < last))
    await session.execute(delete(Universe).where(col(Universe.id) == universe.id))
