"""The differences between one version of a map's grid and the next. Pure."""

from collections.abc import Hashable, Mapping
from typing import Any, Final

from game.fog.sights import Sights
from game.grid.cell_sets import ChunkXY
from game.grid.changes import same
from game.grid.chunks import CHUNK, ChunkKey, region, touching
from game.grid.edits.frame import shift, shifted
from game.grid.geometry import Cell, Grid, Point, cell_at
from game.grid.memory import Rows
from game.grid.obstacles import FAR_DOOR
from game.grid.player_view import is_disguised
from game.grid.scene import Scene
from game.grid.segments import pieces_by_chunk
from game.grid.vision import Vision

_MAX_CHUNKS: Final = 16
"""With more changed chunks than this, nothing of a vision is reused."""
_MAX_THINGS: Final = 200

Frame = Mapping[str, Any]


def changed_chunks(before: Scene, after: Scene) -> set[ChunkXY]:
    """The chunks in which walls have changed."""
    if before.piece_set is after.piece_set:
        return set()
    pieces = before.piece_set ^ after.piece_set
    width, height = max(before.width, after.width), max(before.height, after.height)
    return set(pieces_by_chunk(after.grid.type, pieces, width, height)) if pieces else set()


def next_sights(
    sights: Sights, frame: dict[str, Any], width: int, height: int, rows: Mapping[ChunkKey, tuple[Rows, Rows]]
) -> Sights:
    """The sights of a map after a change. They reuse those parts of the vision that the change cannot affect.

    Takes the new frame and size, and the rows of the chunks that changed, before and after.
    """
    scene = Scene(frame, width, height)
    old = sights.scene
    kept = (old.width, old.height) == (width, height) and all(
        same(old.frame.get(key), frame.get(key))
        for key in ("grid_type", "diagonal_rule", "cell_distance", "legend", "layers")
    )
    things = _changed_barriers(old.frame, frame)
    if kept and not any(name == "walls" or is_disguised(thing) for name, thing in things):
        scene.take_walls(old)
    if not kept or len(rows) > _MAX_CHUNKS or len(things) > _MAX_THINGS:
        return Sights.of(scene, Vision(frame, width, height))
    cells = [cell for key, (was, now) in rows.items() for cell in _corners(key, was, now)]
    for _, thing in things:
        # Walls are assigned to cells like doors.
        cells += scene.cells_of("doors", thing)
        # A door at the edge of the map also affects adjacent cells.
        cells += _cells_of_ends(scene, thing)
    if rows:
        return Sights.of(scene, sights.vision.after(frame, cells))
    versions = sights.versions
    versions.put(_barriers(old.frame), sights.vision, sights.vision.views)
    vision = versions.get(_barriers(frame)) or sights.vision.after(frame, cells)
    return Sights(scene, vision, versions)


def _cells_of_ends(scene: Scene, barrier: Mapping[str, Any]) -> list[Cell]:
    """The cells, possibly outside the map, that contain the ends of a wall or door."""
    x1, y1, x2, y2 = (max(-FAR_DOOR, min(barrier[name], FAR_DOOR)) for name in ("x1", "y1", "x2", "y2"))
    return [cell_at(scene.grid.type, x1, y1), cell_at(scene.grid.type, x2, y2)]


def _barriers(frame: Frame) -> Hashable:
    """The data of a frame's walls and doors that matters for sight."""
    lists = (frame.get("walls", ()), frame.get("doors", ()))
    return tuple(
        tuple(
            (one["x1"], one["y1"], one["x2"], one["y2"], one.get("blocks_sight", True), one.get("state") == "open")
            for one in items
        )
        for items in lists
    )


def _changed_barriers(before: Frame, after: Frame) -> list[tuple[str, Mapping[str, Any]]]:
    """The changed `walls` and `doors`, in their old and new states, each with the name of its list."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    for name in ("walls", "doors"):
        old, new = before.get(name, ()), after.get(name, ())
        if old is new:
            continue
        if len(old) == len(new):
            # Most are unchanged and at the same index, which is fast to compare.
            pairs = [(was, now) for was, now in zip(old, new, strict=True) if was is not now and was != now]
            old, new = [was for was, _ in pairs], [now for _, now in pairs]
        texts = [{repr(sorted(one.items(), key=str)): one for one in items} for items in (old, new)]
        found += [(name, one) for text, one in texts[0].items() if text not in texts[1]]
        found += [(name, one) for text, one in texts[1].items() if text not in texts[0]]
    return found


def _corners(key: ChunkKey, was: Rows, now: Rows) -> list[Cell]:
    """Two corners of the bounding box of the changed cells of a chunk."""
    old, new = ([row.ljust(CHUNK) for row in rows or ()] for rows in (was, now))
    lines = max(len(old), len(new))
    old, new = ([*rows, *[" " * CHUNK] * (lines - len(rows))] for rows in (old, new))
    differing = ((y, *pair) for y, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1])
    places = [(x, y) for y, a, b in differing for x in range(CHUNK) if a[x] != b[x]]
    if not places:
        return []
    xs, ys = [x for x, _ in places], [y for _, y in places]
    left, top = key[1] * CHUNK, key[2] * CHUNK
    return [(left + min(xs), top + min(ys)), (left + max(xs), top + max(ys))]


def point_shift(frame: Frame, dx: int, dy: int) -> Point:
    """How far points move when the cells of a map are shifted."""
    return shift(Grid.of(frame).type, dx, dy)


def shifted_frame(frame: Frame, dx: int, dy: int) -> dict[str, Any]:
    """A frame whose cells are shifted, without other changes."""
    moved = dict(frame)
    for name in ("entities", "walls", "doors", "lights"):
        by = (dx, dy) if name == "entities" else point_shift(frame, dx, dy)
        if name in frame:
            moved[name] = [shifted(item, *by) for item in frame[name]]
    return moved


def shifted_rows(
    chunks: Mapping[ChunkKey, Rows], dx: int, dy: int, width: int, height: int
) -> dict[ChunkKey, list[str]]:
    """All chunks after the cells were shifted, on a map of the given size."""
    layers: dict[int, dict[ChunkXY, Any]] = {}
    for (layer, column, band), rows in chunks.items():
        if rows is not None:
            layers.setdefault(layer, {})[column, band] = rows
    found = {}
    for layer, parts in layers.items():
        reached = set()
        for column, band in parts:
            left, top = max(column * CHUNK + dx, 0), max(band * CHUNK + dy, 0)
            right, bottom = min(column * CHUNK + dx + CHUNK, width), min(band * CHUNK + dy + CHUNK, height)
            columns, bands = touching(left, top, max(right - left, 0), max(bottom - top, 0))
            reached |= {(x, y) for x in columns for y in bands}
        for column, band in reached:
            left, top = column * CHUNK, band * CHUNK
            across, down = min(CHUNK, width - left), min(CHUNK, height - top)
            found[layer, column, band] = region(parts, left - dx, top - dy, across, down)
    return found
