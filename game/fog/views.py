"""What a group of viewers sees of a map with fog at one moment, computed once for all of them.

Every change of a view is an event, so views are cached in the worker under the number of the universe's last
event. They must be computed from one snapshot of the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from game.core.cache import LruCache
from game.fog import queries, sights
from game.fog.changes import FoggedMap, map_key_of, map_state_of
from game.fog.models import Fog
from game.fog.queries import StoredMemories
from game.fog.viewers import MapState
from game.grid.cell_sets import contains
from game.grid.fogged_view import FoggedView, Mode
from game.grid.geometry import Cell, Grid
from game.grid.memory import Memory
from game.grid.vision import footprint

_MAX_VIEWS: Final = 1024
_MAX_KIB: Final = 100_000
"""The maximum size of all cached views, in KiB."""


class ViewKey(NamedTuple):
    """The cache key of a view: a map, a group of viewers (`viewers.viewer_of`), and the last event's number."""

    map_id: UUID
    viewer: UUID
    seq: int


@dataclass
class MapView:
    """What a group sees of a map.

    `cache` has responses for other members of the group, by name.
    """

    fogged: FoggedView
    map_state: MapState
    cache: dict[Any, Any] = field(default_factory=dict)

    def shows(self, x: float, y: float, size: float) -> bool:
        """Whether any cell of a token at this position is in sight."""
        grid_type = Grid.of(self.map_state.frame).type
        return self.shows_any(footprint(grid_type, x, y, size, self.map_state.width, self.map_state.height))

    def shows_any(self, cells: Iterable[Cell]) -> bool:
        """Whether any of some cells is in sight."""
        return any(contains(self.fogged.visible, x, y) for x, y in cells)


_cache: LruCache[tuple[UUID, UUID], tuple[int, MapView]] = LruCache(_MAX_VIEWS, _MAX_KIB)
"""The newest view of each group of a map, with the number of the last event before it."""


def cached(key: ViewKey) -> MapView | None:
    """The cached view of a key."""
    found = _cache.get(key[:2])
    return found[1] if found is not None and found[0] == key.seq else None


async def view_of(session: AsyncSession, row: FoggedMap, viewer: UUID, seq: int | None = None) -> MapView:
    """What a group sees of a map, in this transaction.

    With the number of the universe's last event, the view is cached under it. Pass it only in a transaction with a
    snapshot that has not written.
    """
    key = None if seq is None else ViewKey(row.id, viewer, seq)
    if key is not None and (found := cached(key)):
        return found
    map_state = await map_state_of(session, row)
    memories = StoredMemories(session, map_key_of(row), [viewer])
    await memories.load_wholes()
    await memories.load(None)
    # Without a key, the map never had fog, and nothing of it is remembered.
    scene_key = row.scene_key or row.id
    load = partial(queries.cells, session, map_key_of(row))
    view = await compute(map_state, viewer, scene_key, row.fog, memories.of(viewer), load)
    if key is not None:
        cache(key, view)
    return view


async def compute(
    map_state: MapState, viewer: UUID, scene_key: UUID, fog: str, memory: Memory, load: sights.Load
) -> MapView:
    """Compute what a group sees of a map, from what it remembers."""
    scene, vision, _ = sights.sights_of(scene_key, map_state.frame, map_state.width, map_state.height)
    visible = (await sights.seen(map_state, vision, [viewer], load))[viewer]
    mode: Mode = "explored" if fog == Fog.explored else "sight"
    return MapView(FoggedView(scene, memory, visible, mode), map_state)


def cache(key: ViewKey, view: MapView) -> None:
    """Cache a view, and remove older views of the same group."""
    found = _cache.get(key[:2])
    if found is None or found[0] <= key.seq:
        # Each chunk of memory is about 1 KiB, and the encoded fog has a byte for each cell.
        scene = view.fogged.scene
        size = len(view.fogged.shown) + scene.width * scene.height // 1024
        _cache.put(key[:2], (key.seq, view), size)
