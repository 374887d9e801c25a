"""Scenes and visions of maps, kept in the worker's memory under the map's `scene_key`.

A new random key is generated whenever the grid changes, and is stored with it: results for a change that was
rolled back are never found again, and workers need not notify each other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from time import perf_counter
from typing import Any, Final, NamedTuple
from uuid import UUID

from game.core.cache import LruCache
from game.fog.viewers import Table
from game.grid.canvas import Loaded, Result, Steps, Wanted
from game.grid.cell_sets import NONE, Cells
from game.grid.geometry import Cell
from game.grid.scene import Scene
from game.grid.vision import Eyes, Vision

_MAX_SCENES: Final = 1024
_MAX_WEIGHT: Final = 150_000
"""Views from cells, and walls, doors and other things, of all maps that are kept: of about 1 KB each."""
_FAR: Final = 32
"""The range, in cells, from which sight is computed in a thread."""

_MAX_VERSIONS: Final = 16
_MAX_VIEWS: Final = 10_000
"""How many versions of a vision are kept that differ only in walls and doors, and views from cells in them."""

_TURN_SECONDS: Final = 0.002

Load = Callable[[Wanted], Awaitable[Loaded]]


Versions = LruCache[Hashable, Vision]
"""Visions of a map by its walls and doors; nothing else differs."""


class Sights(NamedTuple):
    """One version of a map's grid: its scene, its vision, and the former visions that may be needed again.

    When a door that was opened is closed again, everything is known.
    """

    scene: Scene
    vision: Vision
    versions: Versions

    @classmethod
    def of(cls, scene: Scene, vision: Vision) -> "Sights":
        """The sights of a scene, without former visions."""
        return cls(scene, vision, LruCache(_MAX_VERSIONS, _MAX_VIEWS))

    @property
    def weight(self) -> int:
        """About how many KB of memory it takes."""
        return self.vision.views + self.versions.weight + self.scene.size


_kept: LruCache[UUID, Sights] = LruCache(_MAX_SCENES, _MAX_WEIGHT)


def sights_of(key: UUID, frame: dict[str, Any], width: int, height: int) -> Sights:
    """The cached sights of a key, or new ones for that grid."""
    sights = _kept.get(key) or Sights.of(Scene(frame, width, height), Vision(frame, width, height))
    keep(key, sights)
    return sights


def keep(key: UUID, sights: Sights) -> None:
    """Keep something under a key."""
    _kept.put(key, sights, sights.weight)


async def seen(table: Table, vision: Vision, viewers: Iterable[UUID], load: Load) -> dict[UUID, Cells]:
    """What each of some groups has in sight. When this takes long, others get their turn in between."""
    turn = _Turn()
    lights = tuple(table.lights()) if table.lighting == "dark" else ()
    found: dict[tuple[Eyes, ...], Cells] = {(): NONE}
    eyes = {viewer: table.group(viewer) for viewer in viewers}
    for group in eyes.values():
        if group in found:
            continue
        if not vision.knows_group(group, lights, table.lighting):
            for cell, reach in _looks(group, table.lighting):
                if not vision.knows(cell, reach):
                    await follow(vision.visible_from(cell, reach), load, in_thread=reach > _FAR)
                    await turn.end()
            for light in lights:
                await follow(vision.lit_by([light], group), load, in_thread=light.range > _FAR)
                await turn.end()
        found[group] = await follow(vision.seen_by_group(group, lights, table.lighting), load)
    return {viewer: found[group] for viewer, group in eyes.items()}


class _Turn:
    """Lets the other tasks of the event loop run whenever this one has run for a while."""

    def __init__(self) -> None:
        self._since = perf_counter()

    async def end(self) -> None:
        if perf_counter() - self._since > _TURN_SECONDS:
            await asyncio.sleep(0)
            self._since = perf_counter()


def _looks(group: Iterable[Eyes], lighting: str) -> Iterator[tuple[Cell, float]]:
    """The cells that a group looks from, and how far."""
    for cells, sight in group:
        for cell in cells if sight.range > 0 else ():
            yield cell, sight.range
            if lighting == "dark" and sight.darkvision > 0:
                yield cell, min(sight.darkvision, sight.range)


async def follow(steps: Steps[Result], load: Load, *, in_thread: bool = False) -> Result:
    """Run steps over a map's cells, loading what they need; returns their result."""
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
