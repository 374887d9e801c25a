"""The SQL of the live feed: connecting users, new events, and ended sessions and memberships."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.accounts.queries import AUTHENTICATED
from game.core.coalescer import HotStatement
from game.events import queries as events
from game.events.queries import CHARACTER_GRANTS, NOT_OF_HIDDEN_MAP
from game.fog.queries import MEMORIES
from game.permissions import Role
from game.tokens.queries import ON_MAP
from game.universes import access
from game.universes.models import Member

PAGE = 500
"""The maximum number of events that are read at once."""
_PAGE_BYTES = 2**20
_MAP = {
    "universe_id": "m.universe_id",
    "map_id": "m.id",
    "viewers": "q.viewers::uuid[]",
    "chunks": "m.fog <> 'off'",
}

WHO = HotStatement(f"""
    SELECT q.n, a.display_name, a.is_superuser, mb.role, u.event_seq, u.access_version,
        (SELECT epoch FROM epoch) AS epoch
    {AUTHENTICATED.format(more_types=", $3::uuid[]", more_names=", universe_id")}
    LEFT JOIN universe u ON u.id = q.universe_id
    LEFT JOIN member mb ON mb.universe_id = u.id AND mb.user_id = a.id
""")
"""The user of a session, and their role in a universe. No row if the session is not valid."""

SINCE = HotStatement(f"""
    SELECT q.n, u.event_seq, u.access_version, (
        SELECT json_agg({events.row("payload", "shared", "character_grants")} ORDER BY seq)
        FROM (
            SELECT *, sum(bytes) OVER (ORDER BY seq) - bytes AS ahead
            FROM (
                SELECT *, octet_length(payload) + coalesce(octet_length(shared), 0) AS bytes
                FROM (
                    SELECT seq, kind, actor_id, subject_id, created_at, audience, payload::text AS payload,
                        CASE WHEN shared IS NOT NULL AND {NOT_OF_HIDDEN_MAP} THEN shared::text END AS shared,
                        {CHARACTER_GRANTS} AS character_grants
                    FROM event WHERE event.universe_id = q.universe_id AND seq > q.after
                    ORDER BY seq LIMIT {PAGE}
                ) texts
            ) sizes
        ) page
        WHERE ahead < {_PAGE_BYTES}
    ) AS events
    FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS q (universe_id, after, n)
    JOIN universe u ON u.id = q.universe_id
""")
"""The next page of a universe's events after a number, oldest first; `frames.LoggedEvent` unpacks each. No row if
the universe is gone."""

SNAPSHOT = HotStatement(f"""
    SELECT q.n, u.event_seq, m.universe_id, m.id AS map_id, m.version, m.updated_at, m.visibility, m.fog,
        m.fog_sharing, m.lighting, m.scene_key, (
            SELECT jsonb_object_agg(mb.user_id, mb.role) FROM member mb
            WHERE mb.universe_id = m.universe_id AND (m.fog <> 'off' OR mb.user_id = ANY (q.viewers::uuid[]))
        ) AS members,
        {ON_MAP.format(universe_id="m.universe_id", map_id="m.id")} AS tokens,
        {MEMORIES.format(**_MAP)}
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS q (universe_id, map_id, viewers, n)
    JOIN universe u ON u.id = q.universe_id
    JOIN map m ON m.universe_id = q.universe_id AND m.id = q.map_id
""")
"""Everything that determines what some viewers see of a map, except its grid. `snapshots.Snapshot` unpacks it."""

_CHANGED = """
    SELECT q.n, a.display_name FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::text[])
        WITH ORDINALITY AS q (session_id, user_id, as_superuser, display_name, n)
    LEFT JOIN auth_session s ON s.id = q.session_id AND s.user_id = q.user_id AND s.expires_at > now()
    LEFT JOIN account a ON a.id = s.user_id AND a.is_active AND (a.is_superuser OR NOT q.as_superuser)
    WHERE a.display_name IS DISTINCT FROM q.display_name
"""
_HEADS = """
    SELECT q.id, u.event_seq, u.access_version FROM unnest($1::uuid[]) AS q (id)
    LEFT JOIN universe u ON u.id = q.id
"""


async def changed_logins(
    pool: asyncpg.Pool, logins: Sequence[tuple[UUID, UUID, bool]], names: Sequence[str]
) -> dict[int, str | None]:
    """The indexes of those logins (session, user, whether as a superuser) that are no longer valid, with None; and
    of those whose user has another name than in `names`, with the new one."""
    rows = await pool.fetch(_CHANGED, *([login[at] for login in logins] for at in range(3)), names)
    return {row["n"] - 1: row["display_name"] for row in rows}


async def heads(pool: asyncpg.Pool, universe_ids: Collection[UUID]) -> dict[UUID, tuple[int, int] | None]:
    """The number of the last event and the access version of each universe; None for deleted ones."""
    rows = await pool.fetch(_HEADS, list(universe_ids))
    return {
        row["id"]: None if row["event_seq"] is None else (row["event_seq"], row["access_version"]) for row in rows
    }


async def roles(session: AsyncSession, universe_id: UUID, user_ids: Collection[UUID]) -> dict[UUID, Role | None]:
    """The roles of active users in a universe; None for those who have none."""
    statement = (
        select(User, col(Member.role))
        .outerjoin(Member, (col(Member.user_id) == col(User.id)) & (col(Member.universe_id) == universe_id))
        .where(col(User.id).in_(user_ids), col(User.is_active))
    )
    rows: Any = await session.execute(statement)
    return {user.id: access.role_of(session, user, role) for user, role in rows}
