"""The SQL of accounts: users and their sessions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.errors import SpentRefreshToken
from game.accounts.models import GRACE_SECONDS, MAX_SESSIONS, AuthSession, User
from game.accounts.tokens import Identity, RefreshTokens
from game.core import pages
from game.core.coalescer import HotStatement
from game.core.hot import HotRead, HotResponse
from game.core.models import rfc3339

AUTHENTICATED = """
    FROM unnest($1::uuid[], $2::uuid[]{more_types}) WITH ORDINALITY AS q (session_id, user_id{more_names}, n)
    JOIN auth_session s ON s.id = q.session_id AND s.user_id = q.user_id AND s.expires_at > now()
    JOIN account a ON a.id = s.user_id AND a.is_active
"""
"""SQL at the start of every hot statement: the requests of the batch with a valid session and an active user."""

_ME_JSON = f"""
    '{{"id":"' || a.id || '","email":' || to_json(a.email) || ',"display_name":' || to_json(a.display_name)
    || ',"is_active":' || a.is_active || ',"is_superuser":' || a.is_superuser
    || ',"is_verified":' || a.is_verified || ',"version":' || a.version
    || ',"created_at":"' || {rfc3339("a.created_at")} || '","updated_at":"' || {rfc3339("a.updated_at")}
    || '","pending_email":' || coalesce(to_json(a.pending_email)::text, 'null') || '}}'
"""


def readable_by(user: User) -> Select[tuple[User]]:
    """The accounts that a user may read: their own; superusers, all."""
    statement = select(User)
    return statement if user.is_superuser else statement.where(col(User.id) == user.id)


async def user_of_session(session: AsyncSession, identity: Identity) -> User | None:
    """The user of an access token; None when its session was ended or the account deactivated."""
    statement = (
        select(User)
        .join(AuthSession, col(AuthSession.user_id) == col(User.id))
        .where(
            col(AuthSession.id) == identity.session_id,
            col(User.id) == identity.user_id,
            col(AuthSession.expires_at) > func.now(),
            col(User.is_active),
        )
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def get(session: AsyncSession, user: User, user_id: UUID) -> User | None:
    """An account that a user may read."""
    return (await session.execute(readable_by(user).where(col(User.id) == user_id))).scalar_one_or_none()


async def by_id(session: AsyncSession, user_id: UUID) -> User | None:
    """A user by id, without a check of permissions."""
    return await session.get(User, user_id)


async def lock(session: AsyncSession, user_id: UUID) -> User | None:
    """A user by id, locked for a change until the transaction ends."""
    statement = select(User).where(col(User.id) == user_id).with_for_update(key_share=True)
    # The current row, not the one that this transaction may have read before it got the lock.
    return (await session.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()


async def start_session(
    session: AsyncSession, tokens: RefreshTokens, user_id: UUID, days: int, *, user_agent: str, ip_address: str
) -> tuple[AuthSession, str]:
    """Create a session for a locked user; returns it and its refresh token.

    It expires after `days` without use. Beyond MAX_SESSIONS, it evicts the least recently used one.
    """
    now = datetime.now(UTC)
    row = AuthSession(
        user_id=user_id,
        refresh_hash=b"",
        user_agent=user_agent[:200],
        ip_address=ip_address[:45],
        created_at=now,
        last_used_at=now,
        expires_at=now + timedelta(days=days),
    )
    token, row.refresh_hash = tokens.new(row.id)
    recent = select(col(AuthSession.id)).where(col(AuthSession.user_id) == user_id)
    recent = recent.order_by(col(AuthSession.last_used_at).desc()).limit(MAX_SESSIONS - 1)
    await session.execute(
        delete(AuthSession).where(col(AuthSession.user_id) == user_id, col(AuthSession.id).not_in(recent))
    )
    session.add(row)
    await session.flush()
    return row, token


async def lock_session(session: AsyncSession, session_id: UUID) -> AuthSession | None:
    """A session that is valid and whose user is active, locked until the transaction ends."""
    statement = (
        select(AuthSession)
        .join(User, col(User.id) == col(AuthSession.user_id))
        .where(
            col(AuthSession.id) == session_id,
            col(AuthSession.expires_at) > func.now(),
            col(User.is_active),
        )
        .with_for_update(of=AuthSession)
    )
    return (await session.execute(statement)).scalar_one_or_none()


def rotate_refresh_token(row: AuthSession, tokens: RefreshTokens, token: str, token_hash: bytes, days: int) -> str:
    """Replace the refresh token of a locked session, which now expires `days` from now; returns the new token.

    A token that was used within the last GRACE_SECONDS gets the same successor again: two tabs of a browser may
    refresh at once.

    Raises:
        SpentRefreshToken: the token was used before that, or is older.
    """
    now = datetime.now(UTC)
    successor, successor_hash = tokens.successor(token)
    if row.refresh_hash == token_hash:
        row.refresh_hash = successor_hash
        row.last_used_at = now
        row.expires_at = now + timedelta(days=days)
    elif row.refresh_hash != successor_hash or now - row.last_used_at > timedelta(seconds=GRACE_SECONDS):
        raise SpentRefreshToken
    return successor


async def page(session: AsyncSession, user: User, query: pages.PageQuery) -> Mapping[str, Any]:
    """One page of the users that a user may read."""
    return await pages.page_of(
        session, readable_by(user), User, query, User.display_name, (col(User.email), User.display_name)
    )


async def sessions_of(session: AsyncSession, user_id: UUID) -> Sequence[AuthSession]:
    """The valid sessions of a user, newest first."""
    statement = (
        select(AuthSession)
        .where(col(AuthSession.user_id) == user_id, col(AuthSession.expires_at) > func.now())
        .order_by(col(AuthSession.id).desc())
    )
    return (await session.execute(statement)).scalars().all()


async def end_session(session: AsyncSession, user_id: UUID, session_id: UUID) -> bool:
    """End one session of a user; returns whether it existed."""
    statement = delete(AuthSession).where(col(AuthSession.id) == session_id, col(AuthSession.user_id) == user_id)
    return (await session.execute(statement.returning(col(AuthSession.id)))).first() is not None


async def end_sessions(session: AsyncSession, user_id: UUID, keep: UUID | None = None) -> None:
    """End all sessions of a user, except `keep`."""
    statement = delete(AuthSession).where(col(AuthSession.user_id) == user_id)
    if keep is not None:
        statement = statement.where(col(AuthSession.id) != keep)
    await session.execute(statement)


ME = HotRead(
    HotStatement(
        f"SELECT q.n, a.version, {_ME_JSON} AS body {AUTHENTICATED.format(more_types='', more_names='')}"
    ),
    lambda scope: None if scope["query_string"] else (),
    lambda row: HotResponse(row["body"].encode(), row["version"]),
)
