"""Moves a map to another universe, and removes what refers to a map that its universe loses."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from sqlalchemy import TextClause, inspect, text
from sqlalchemy.ext.asyncio import AsyncSession

from game.core.models import now
from game.events import queries as events
from game.grants import MEMBERS
from game.maps.chunks import map_key_of
from game.maps.models import Map, MapChunk, Visibility
from game.maps.queries import Found
from game.tokens.models import Token
from game.universes import queries as universes
from game.universes.access import Access


async def move(
    session: AsyncSession,
    found: Found,
    target: Access,
    payload: dict[str, Any],
    before: dict[str, Any],
    was_published: bool,
    on_progress: Callable[[], object],
) -> Found:
    """Move a map to another universe, where only game masters see it: copy its rows, and delete the old ones.

    The event for members of the old universe has the name that they knew.
    """
    row, user = found.row, found.access.user
    await remove_references(session, found)
    name = before.get("name", row.name)
    shared = {"name": name} if was_published else None
    moved_to = {"name": name, "to": str(target.universe.id)}
    await events.record(session, "map.moved_out", user.id, row, moved_to, shared=shared)
    row.visibility = Visibility.game_masters
    if row.scene_key is not None:
        row.scene_key = uuid4()
    row.publish()
    await session.flush()
    place = {"origin": row.universe_id, "target": target.universe.id, "map_id": row.id}
    await session.execute(_COPY_MAP, place)
    # Layer by layer: one statement for all chunks of the largest map would reach the statement timeout.
    for layer in (await session.execute(_LAYERS, place)).scalars().all():
        await session.execute(_COPY_CHUNKS, {**place, "layer": layer})
        on_progress()
    await session.execute(_COPY_TOKENS, place)
    await session.execute(_DELETE_MAP, place)
    session.expunge(row)
    moved = await session.get_one(Map, (target.universe.id, row.id))
    payload = {**payload, "visibility": moved.visibility, "from": str(row.universe_id)}
    await events.record(session, "map.moved_in", user.id, moved, payload, before or None)
    return Found(moved, target)


# The tables are named in SQL, because their modules import this one.
_REMOVE_REFERENCES = [
    text(f"""
        UPDATE {table} SET {", ".join(f"{column} = NULL" for column in columns)},
            version = version + 1, updated_at = :now
        WHERE universe_id = :universe_id AND map_id = :map_id
    """)
    for table, columns in (("note", ("map_id", "x", "y")), ("encounter", ("map_id",)))
]


async def remove_references(session: AsyncSession, found: Found) -> None:
    """Remove all references in the universe to a map that is deleted or moved."""
    await unset_active(session, found)
    for statement in _REMOVE_REFERENCES:
        await session.execute(statement, {**map_key_of(found.row), "now": now()})


async def unset_active(session: AsyncSession, found: Found) -> None:
    """Unset the universe's active map if it is this one, which members can no longer see."""
    if found.access.universe.active_map_id == found.row.id:
        await universes.change(session, found.access, {"active_map_id": None})


_IN_OTHER_UNIVERSE = {
    "character_id": "NULL",
    "asset_id": "NULL",
    "version": "version + 1",
    "updated_at": "clock_timestamp()",
    "grants": f"""coalesce((
        SELECT jsonb_object_agg(given.key, given.value) FROM jsonb_each(token.grants) given
        WHERE given.key = '{MEMBERS}' OR EXISTS (
            SELECT FROM member mb WHERE mb.universe_id = :target AND mb.user_id::text = given.key
        )
    ), '{{}}')""",
}
"""The columns of a token that change when its map is moved, because what they refer to stays in the old
universe."""


def _copy(model: Any, where: str, changed: Mapping[str, str] = MappingProxyType({})) -> TextClause:
    """A statement that copies rows of a map to another universe."""
    table: Any = inspect(model).local_table
    copied = (column for column in table.columns if column.name != "universe_id" and column.computed is None)
    names = [column.name for column in copied]
    return text(f"""
        INSERT INTO {table.name} (universe_id, {", ".join(names)})
        SELECT cast(:target AS uuid), {", ".join(changed.get(name, name) for name in names)}
        FROM {table.name} WHERE universe_id = :origin AND {where}
    """)


_COPY_MAP = _copy(Map, "id = :map_id")
_COPY_CHUNKS = _copy(MapChunk, "map_id = :map_id AND layer = :layer")
_COPY_TOKENS = _copy(Token, "map_id = :map_id", _IN_OTHER_UNIVERSE)
_LAYERS = text("SELECT DISTINCT layer FROM map_chunk WHERE universe_id = :origin AND map_id = :map_id")
_DELETE_MAP = text("DELETE FROM map WHERE universe_id = :origin AND id = :map_id")
