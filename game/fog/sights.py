"""Scenes and visions of maps, cached in the worker under the map's `scene_key`.

A new random key is stored whenever the grid changes. So the cache entries of a rolled back change are never found,
and workers need not notify each other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from time import perf_counter
from typing import Any, Final, NamedTuple
from uuid import UUID

from game.core.cache import LruCache
from game.fog.viewers import MapState
from game.grid.canvas import Loaded, Result, Steps, Wanted
from game.grid.cell_sets import NONE, Cells
from game.grid.geometry import Cell
from game.grid.scene import Scene
from game.grid.vision import Observer, Vision

_MAX_SCENES: Final = 1024
_MAX_WEIGHT: Final = 150_000
"""The maximum weight of all cache entries: the number of views from cells, and of objects, of about 1 KB each."""
_FAR: Final = 32
"""The range, in cells, from which sight is computed in a thread."""

_MAX_VERSIONS: Final = 16
_MAX_VIEWS: Final = 10_000
"""The maximum number of cached versions of a vision that differ only in walls and doors, and of their views."""

_TURN_SECONDS: Final = 0.002

Load = Callable[[Wanted], Awaitable[Loaded]]


Versions = LruCache[Hashable, Vision]
"""Visions of a map by its walls and doors; everything else is equal."""


class Sights(NamedTuple):
    """One version of a map's grid: its scene, its vision, and former visions, which are used again, for example
    when an opened door is closed."""

    scene: Scene
    vision: Vision
    versions: Versions

    @classmethod
    def of(cls, scene: Scene, vision: Vision) -> "Sights":
        """Sights without former visions."""
        return cls(scene, vision, LruCache(_MAX_VERSIONS, _MAX_VIEWS))

    @property
    def weight(self) -> int:
        """The approximate size in KB."""
        return self.vision.views + self.versions.weight + self.scene.size


_cache: LruCache[UUID, Sights] = LruCache(_MAX_SCENES, _MAX_WEIGHT)


def sights_of(key: UUID, frame: dict[str, Any], width: int, height: int) -> Sights:
    """The cached sights of a key, or new ones for that grid."""
    sights = _cache.get(key) or Sights.of(Scene(frame, width, height), Vision(frame, width, height))
    cache(key, sights)
    return sights


def cache(key: UUID, sights: Sights) -> None:
    """Cache sights under a key."""
    _cache.put(key, sights, sights.weight)


async def seen(map_state: MapState, vision: Vision, viewers: Iterable[UUID], load: Load) -> dict[UUID, Cells]:
    """The cells that each of some groups has in sight. Yields to the event loop if this takes long."""
    yielder = _Yielder()
    lights = tuple(map_state.lights()) if map_state.lighting == "dark" else ()
    found: dict[tuple[Observer, ...], Cells] = {(): NONE}
    observers_of = {viewer: map_state.observers(viewer) for viewer in viewers}
    for group in observers_of.values():
        if group in found:
            continue
        if not vision.knows_group(group, lights, map_state.lighting):
            for cell, reach in _looks(group, map_state.lighting):
                if not vision.knows(cell, reach):
                    await follow(vision.visible_from(cell, reach), load, in_thread=reach > _FAR)
                    await yielder.end()
            for light in lights:
                await follow(vision.lit_by([light], group), load, in_thread=light.range > _FAR)
                await yielder.end()
        found[group] = await follow(vision.seen_by_group(group, lights, map_state.lighting), load)
    return {viewer: found[group] for viewer, group in observers_of.items()}


class _Yielder:
    """Yields to the event loop whenever a task has run for a while."""

    def __init__(self) -> None:
        self._since = perf_counter()

    async def end(self) -> None:
        if perf_counter() - self._since > _TURN_SECONDS:
            await asyncio.sleep(0)
            self._since = perf_counter()


def _looks(group: Iterable[Observer], lighting: str) -> Iterator[tuple[Cell, float]]:
    """The cells of a group's observers, and their ranges."""
    for cells, sight in group:
        for cell in cells if sight.range > 0 else ():
            yield cell, sight.range
            if lighting == "dark" and sight.darkvision > 0:
                yield cell, min(sight.darkvision, sight.range)


async def follow(steps: Steps[Result], load: Load, *, in_thread: bool = False) -> Result:
    """Run steps, loading the chunks that they request; returns their result."""
    loaded: Loaded | None = None
    while True:
        outcome = await asyncio.to_thread(_step, steps, loaded) if in_thread else _step(steps, loaded)
        if not isinstance(outcome, Wanted):
            value: Result = outcome[0]
            return value
        loaded = await load(outcome)


def _step(steps: Steps[Any], loaded: Loaded | None) -> Wanted | tuple[Any]:
    try:
        return next(steps) if loaded is None else steps.send(loaded)
    except StopIteration as stop:
        return (stop.value,)
