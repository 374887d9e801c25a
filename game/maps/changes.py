"""Creates, changes and deletes maps in locked universes; each change records its event."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.events import queries as events
from game.fog import changes as fog
from game.grid.chunks import frame_of
from game.grid.document import size
from game.grid.geometry import Grid
from game.maps.chunks import map_key_of
from game.maps.models import Map
from game.maps.moving import move, remove_references, unset_active
from game.maps.queries import Found
from game.maps.replacing import replace_grid, write_grid
from game.tokens import positions
from game.tokens.positions import Placed
from game.universes.access import Access

_SETTINGS = ("visibility", "fog", "fog_sharing", "lighting")
"""The fields that determine what members see of a map."""
_CHUNKS = text("SELECT layer, x, y, rows FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id")
_MAX_STORED_CHUNKS = 4096
"""The maximum number of chunks that the event of a deletion stores: a whole layer of the largest map."""
_COUNT_CHUNKS = text("SELECT count(*) FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id")


async def create(session: AsyncSession, caller: Access, fields: Mapping[str, Any]) -> Found:
    """Create a map in a locked universe; `grid_data` of `fields` must be valid."""
    document = fields["grid_data"]
    width, height = size(document)
    new = {"universe_id": caller.universe.id, "grid_data": frame_of(document), "width": width, "height": height}
    row = Map(**{**fields, **new})
    row.publish()
    session.add(row)
    await session.flush()
    async with fog.watch(session, row):
        await write_grid(session, row, document)
    payload = {"name": row.name, **{name: getattr(row, name) for name in _SETTINGS}, "version": row.version}
    shared = _shared(row) if row.is_published else None
    await events.record(session, "map.created", caller.user.id, row, payload, shared=shared)
    return Found(row, caller)


def _shared(row: Map) -> dict[str, Any]:
    """The event payload for members when a map becomes visible to them."""
    return {"name": row.name, "description": row.description, "visibility": row.visibility}


async def change(
    session: AsyncSession,
    found: Found,
    fields: Mapping[str, Any],
    target: Access | None = None,
    on_progress: Callable[[], object] = object,
) -> Found:
    """Set fields of a locked map, or move it to another locked universe. Equal values are not a change.

    Only chunks that differ are written; the event stores their old state. `on_progress` is called after each step.
    Returns the map, in the universe where it is then.

    Raises:
        TooLarge, QuotaExceeded: as `Replaced.put` does.
    """
    row, user = found.row, found.access.user
    was_published = row.is_published
    before: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("name", "description", *_SETTINGS)
        if name in fields and getattr(row, name) != fields[name]
    }
    payload: dict[str, Any] = {name: fields[name] for name in before}
    seen, placed = False, Placed([], [])
    async with fog.watch(session, row) as tracker:
        for name, value in payload.items():
            setattr(row, name, value)
        if "grid_data" in fields:
            replaced, seen = await replace_grid(session, row, fields["grid_data"], tracker, on_progress)
            before |= replaced
            if replaced:
                payload["grid_data"] = "replaced"
                placed = await fit_tokens(session, row)
    moves = target is not None and target.universe.id != row.universe_id
    if not before and not moves:
        return found
    row.touch()
    payload["version"] = row.version
    if moves and target is not None:
        payload = placed.for_game_masters(payload)
        return await move(session, found, target, payload, before, was_published, on_progress)
    row.publish()
    if was_published and not row.is_published:
        await unset_active(session, found)
    shared = placed.for_others(_for_members(payload, row, was_published, seen))
    await events.record(
        session, "map.updated", user.id, row, placed.for_game_masters(payload), before, shared=shared
    )
    return found


async def fit_tokens(session: AsyncSession, row: Map) -> Placed:
    """Move the tokens of a map whose grid was replaced to valid positions."""
    size = row.width, row.height
    return await positions.fit_tokens(session, row.universe_id, row.id, Grid.of(row.grid_data).type, size)


def _for_members(payload: Mapping[str, Any], row: Map, was_published: bool, seen: bool) -> dict[str, Any] | None:
    """The event payload for members after a change of a map; None if nothing changed for them.

    `seen` is whether it changed something in the grid that they see.
    """
    if was_published != row.is_published:
        return _shared(row) if row.is_published else {"visibility": row.visibility}
    if not row.is_published or row.has_fog:
        return None
    shared = {name: payload[name] for name in ("name", "description") if name in payload}
    return {**shared, "grid_data": "replaced"} if seen else shared or None


async def remove(session: AsyncSession, found: Found) -> None:
    """Delete a locked map. The event stores its content, unless it has very many chunks."""
    row = found.row
    await remove_references(session, found)
    before: dict[str, Any] = {
        "name": row.name,
        "description": row.description,
        **{name: getattr(row, name) for name in _SETTINGS},
    }
    if (await session.execute(_COUNT_CHUNKS, map_key_of(row))).scalar_one() <= _MAX_STORED_CHUNKS:
        chunks = [list(chunk) for chunk in await session.execute(_CHUNKS, map_key_of(row))]
        before |= {"grid_data": row.grid_data, "size": [row.width, row.height], "chunks": chunks}
    shared: dict[str, Any] | None = {} if row.is_published else None
    await events.record(
        session, "map.deleted", found.access.user.id, row, {"name": row.name}, before, shared=shared
    )
    await session.delete(row)
