"""Quotas: how many bytes of pictures, maps and events an account and a universe may store.

Each universe's row has its own counters. Pictures are counted exactly. Maps and events are counted by the size of
writes. Large writes are checked first; small edits are only counted, and rejected once the housekeeping or a large
write has marked the universe as full (docs/decisions/0013).
"""

from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.core.database import Database
from game.core.errors import Problem
from game.core.settings import Settings
from game.universes.models import Universe

QUOTAS: Final = "quotas"
"""The key of a session's `info` for its quotas; without it, nothing is limited."""

_LARGE_BYTES = 2**20
"""From this size of a write, in bytes, the account's other universes are summed up, too."""

Kind = Literal["assets", "maps", "events"]
Scope = Literal["account", "universe"]


class QuotaExceeded(Problem):
    """This would exceed the storage quota of your account or of the universe."""

    status, code = 413, "QUOTA_EXCEEDED"

    def __init__(self, kind: Kind = "assets", scope: Scope = "account", limit: int = 0) -> None:
        owner = "The account of the universe's owner" if scope == "account" else "The universe"
        # Without the usage, which would tell players how much hidden work there is.
        detail = f"{owner} may store {limit:,} bytes of {kind}, and there is not enough room left."
        super().__init__(detail, quota=f"{scope}_{kind}", limit=limit)


@dataclass(frozen=True)
class Usage:
    """Bytes of each kind."""

    assets: int = 0
    maps: int = 0
    events: int = 0


@dataclass(frozen=True)
class Quotas:
    """The limits, in bytes."""

    account: Usage
    universe: Usage

    @classmethod
    def of(cls, settings: Settings) -> "Quotas":
        """The quotas of these settings."""
        return cls(
            Usage(settings.quota_account_assets, settings.quota_account_maps, settings.quota_account_events),
            Usage(settings.quota_universe_assets, settings.quota_universe_maps, settings.quota_universe_events),
        )

    def plainly_has_room(self, used: Usage, new: Usage, *, is_full: bool) -> bool:
        """Whether a small write certainly fits into the quotas, according to the universe's row; otherwise a full
        check is needed."""
        is_small = new.maps + new.events < _LARGE_BYTES
        fits = used.maps + new.maps <= self.universe.maps and used.events + new.events <= self.universe.events
        return is_small and fits and not is_full


_LOCK_ACCOUNT = text("SELECT pg_advisory_xact_lock(hashtextextended('quota ' || :owner_id, 0))")
_OF_UNIVERSE = text("SELECT asset_bytes, map_bytes, event_bytes FROM universe WHERE id = :universe_id")
_OF_ACCOUNT = text("""
    SELECT coalesce(sum(asset_bytes), 0)::bigint, coalesce(sum(map_bytes), 0)::bigint,
        coalesce(sum(event_bytes), 0)::bigint
    FROM universe WHERE owner_id = :owner_id
""")
_ADD_ASSETS = text("UPDATE universe SET asset_bytes = asset_bytes + :bytes WHERE id = :universe_id")
_ADD = text("""
    UPDATE universe SET asset_bytes = asset_bytes + :assets, map_bytes = map_bytes + :maps,
        event_bytes = event_bytes + :events, has_exact_map_bytes = false
    WHERE id = :universe_id
""")
# The size of a row is read from its header, without decompressing it.
_MAP_BYTES = """
    coalesce((SELECT sum(pg_column_size(c.rows)) FROM map_chunk c WHERE c.universe_id = u.id), 0)
    + coalesce((
        SELECT sum(pg_column_size(m.grid_data) + coalesce(pg_column_size(m.players_frame), 0))
        FROM map m WHERE m.universe_id = u.id
    ), 0)
"""
_MEASURE = text(f"""
    UPDATE universe u SET map_bytes = {_MAP_BYTES}, has_exact_map_bytes = true
    WHERE u.id = :universe_id AND NOT has_exact_map_bytes
""")
_INEXACT = text("SELECT id FROM universe WHERE NOT has_exact_map_bytes LIMIT 200")
_FULL = """
    SELECT u.id, u.map_bytes > :universe_maps OR u.event_bytes > :universe_events
        OR account.maps > :account_maps OR account.events > :account_events AS is_full
    FROM universe u
    JOIN (
        SELECT owner_id, sum(map_bytes) AS maps, sum(event_bytes) AS events FROM universe
        WHERE :owner_id ::uuid IS NULL OR owner_id = :owner_id GROUP BY owner_id
    ) account ON account.owner_id = u.owner_id
"""
_MARK_FULL = text(f"""
    UPDATE universe u SET is_full = now.is_full FROM ({_FULL}) now
    WHERE now.id = u.id AND now.is_full <> u.is_full
""")


async def usage_of(session: AsyncSession, universe_id: UUID) -> Usage:
    """The usage of a universe."""
    return Usage(*(await session.execute(_OF_UNIVERSE, {"universe_id": universe_id})).one())


async def usage_of_account(session: AsyncSession, owner_id: UUID) -> Usage:
    """The total usage of an account's universes."""
    return Usage(*(await session.execute(_OF_ACCOUNT, {"owner_id": owner_id})).one())


async def add_assets(session: AsyncSession, universe: Universe, size: int) -> None:
    """Count bytes of pictures of a locked universe exactly; negative for removed ones.

    Raises:
        QuotaExceeded: there is no room for them.
    """
    if size > 0:
        # Serializes uploads to all universes of the account, so that each sees what the previous ones have added.
        await session.execute(_LOCK_ACCOUNT, {"owner_id": str(universe.owner_id)})
        await _require(session, universe, Usage(assets=size))
    await session.execute(_ADD_ASSETS, {"universe_id": universe.id, "bytes": size})


async def add_import(session: AsyncSession, universe: Universe, new: Usage) -> None:
    """Count the content of a bundle in a new universe.

    Raises:
        QuotaExceeded: there is no room for it.
    """
    await session.execute(_LOCK_ACCOUNT, {"owner_id": str(universe.owner_id)})
    await _require(session, universe, new)
    await session.execute(_ADD, {"universe_id": universe.id, **vars(new)})


async def add_maps(session: AsyncSession, universe_id: UUID, size: int) -> None:
    """Count what was written to the maps of a locked universe, unless the writing statement does so."""
    await session.execute(_ADD, {"universe_id": universe_id, **vars(Usage(maps=size))})


async def require_room(session: AsyncSession, universe_id: UUID, new: Usage) -> None:
    """Check that the quotas of a locked universe have room for a write to its maps and log.

    For a small write, this needs no statement: the locked row of the universe shows whether it is full.

    Raises:
        QuotaExceeded: there is no room.
    """
    quotas: Quotas | None = session.info.get(QUOTAS)
    universe = await session.get(Universe, universe_id)
    if quotas is None or universe is None:
        return
    used = Usage(maps=universe.map_bytes, events=universe.event_bytes)
    if not quotas.plainly_has_room(used, new, is_full=universe.is_full):
        await _require(session, universe, new)


async def _require(session: AsyncSession, universe: Universe, new: Usage) -> None:
    quotas: Quotas | None = session.info.get(QUOTAS)
    if quotas is None:
        return
    await session.flush()
    if _first_over(quotas, await _used(session, universe), new):
        # The sum of writes may be more than what is stored.
        await session.execute(_MEASURE, {"universe_id": universe.id})
    if universe.is_full:
        await session.execute(_MARK_FULL, {**_limits(quotas), "owner_id": universe.owner_id})
    if over := _first_over(quotas, await _used(session, universe), new):
        raise QuotaExceeded(*over)


async def _used(session: AsyncSession, universe: Universe) -> dict[Scope, Usage]:
    return {
        "account": await usage_of_account(session, universe.owner_id),
        "universe": await usage_of(session, universe.id),
    }


def _first_over(quotas: Quotas, used: dict[Scope, Usage], new: Usage) -> tuple[Kind, Scope, int] | None:
    """The first quota that would be exceeded: its kind, its scope and the limit."""
    kinds: tuple[Kind, ...] = ("assets", "maps", "events")
    scopes: tuple[tuple[Scope, Usage], ...] = ("account", quotas.account), ("universe", quotas.universe)
    for scope, limits in scopes:
        for kind in kinds:
            now, more, limit = (getattr(one, kind) for one in (used[scope], new, limits))
            # Pictures only need room for pictures; everything else also needs a universe that is within its
            # limits.
            is_asked = more or (kind != "assets" and not new.assets)
            if is_asked and now + more > limit:
                return kind, scope, limit
    return None


def _limits(quotas: Quotas) -> dict[str, Any]:
    return {
        f"{scope}_{kind}": getattr(getattr(quotas, scope), kind)
        for scope in ("account", "universe")
        for kind in ("maps", "events")
    }


async def sweep(database: Database, quotas: Quotas) -> None:
    """Measure the maps of universes that were written to, and update which universes are full."""
    async with database.engine.begin() as connection:
        ids = (await connection.execute(_INEXACT)).scalars().all()
    for universe_id in ids:
        async with database.engine.begin() as connection:
            await connection.execute(_MEASURE, {"universe_id": universe_id})
    async with database.engine.begin() as connection:
        await connection.execute(_MARK_FULL, {**_limits(quotas), "owner_id": None})
