"""Scenes and visions of maps, kept in the worker's memory under the map's `scene_key`.

A key is drawn anew whenever the grid changes, and is stored with it: what was computed for a change that was
rolled back is never found again, and no worker has to tell another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple
from uuid import UUID

from game.core.cache import LruCache
from game.fog.viewers import Table
from game.grid.canvas import Loaded, Result, Steps, Wanted
from game.grid.cell_sets import NONE, Cells
from game.grid.scene import Scene
from game.grid.vision import Vision

_MAX_SCENES: Final = 1024
_MAX_WEIGHT: Final = 150_000
"""Views from cells, and walls, doors and other things, of all maps that are kept: of about 1 KB each."""
_FAR: Final = 32
"""A range in cells from which a look around takes so long that it goes to a thread."""

Load = Callable[[Wanted], Awaitable[Loaded]]


class Sights(NamedTuple):
    """One version of a map's grid: what could be seen of it, and from where."""

    scene: Scene
    vision: Vision


_kept: LruCache[UUID, Sights] = LruCache(_MAX_SCENES, _MAX_WEIGHT)


def sights_of(key: UUID, frame: dict[str, Any], width: int, height: int) -> Sights:
    """What is kept under a key, else something new for that grid."""
    sights = _kept.get(key) or Sights(Scene(frame, width, height), Vision(frame, width, height))
    keep(key, sights)
    return sights


def keep(key: UUID, sights: Sights) -> None:
    """Keep something under a key."""
    _kept.put(key, sights, sights.vision.views + sights.scene.size)


async def seen(table: Table, vision: Vision, viewers: Iterable[UUID], load: Load) -> dict[UUID, Cells]:
    """What each of some groups has in sight. Between two looks that take long, others get their turn."""
    viewers = list(viewers)
    eyes = {viewer: table.eyes_of(viewer) for viewer in viewers}
    looks = {
        (cell, reach)
        for piece in {piece.id: piece for some in eyes.values() for piece in some}.values()
        for cell in table.eye(piece).cells
        for reach in _reaches(table, piece)
    }
    for cell, reach in looks:
        if not vision.knows(cell, reach):
            await follow(vision.visible_from(cell, reach), load, in_thread=reach > _FAR)
            await asyncio.sleep(0)
    if looks and table.lighting == "dark":
        all_eyes = [table.eye(piece) for some in eyes.values() for piece in some]
        for light in table.lights():
            await follow(vision.lit_by([light], all_eyes), load, in_thread=light.range > _FAR)
            await asyncio.sleep(0)
    found: dict[tuple[UUID, ...], Cells] = {(): NONE}
    for viewer in viewers:
        same_eyes = tuple(piece.id for piece in eyes[viewer])
        if same_eyes not in found:
            found[same_eyes] = await follow(table.seen(vision, viewer), load)
    return {viewer: found[tuple(piece.id for piece in eyes[viewer])] for viewer in viewers}


def _reaches(table: Table, piece: Any) -> set[float]:
    sight = table.eye(piece).sight
    if sight.range <= 0:
        return set()
    reaches = {sight.range}
    if table.lighting == "dark" and sight.darkvision > 0:
        reaches.add(min(sight.darkvision, sight.range))
    return reaches


async def follow(steps: Steps[Result], load: Load, *, in_thread: bool = False) -> Result:
    """Go through steps over a map's cells, loading what they want; their result."""
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
