"""Tiled's Wang sets: converts those of Tiled 1.1 to 1.4 to the form of later versions, and removes invalid parts.

Tiled crashes on a Wang tile whose id does not have exactly eight colours, so exports must not contain one.
Sources: Tiled's TMX Map Format and JSON Map Format (wangset; the changes of 1.5), and Tiled itself.
"""

from collections.abc import Iterable
from typing import Any, Final

from game.grid.formats.imported import Notes

Json = dict[str, Any]

_SIDES: Final = 8
"""The number of colours of a Wang id, clockwise from the top: even indexes are edges, odd ones corners."""
MAX_COLORS: Final = 254
_TYPES: Final = ("corner", "edge", "mixed")


def legacy_id(text: str) -> list[int]:
    """The colours of a Wang id of Tiled 1.1 to 1.4, four bits each from the lowest on; [] if it is invalid."""
    try:
        number = int(text, 0)
    except ValueError:
        return []
    return [number >> 4 * side & 15 for side in range(_SIDES)] if 0 <= number < 1 << 4 * _SIDES else []


def modern(wangset: Json, place: str, notes: Notes) -> Json:
    """A Wang set as in Tiled 1.5 and later; what Tiled would not accept is left out with a warning.

    Up to 1.4, edges and corners had separate lists of colours, each numbered from 1: `edgecolors` and
    `cornercolors`. `tmx` returns them as one list `colors`, in the file's order, each with its `kind`.
    """
    result = dict(wangset)
    old = {kind: result.pop(f"{kind}colors", None) for kind in ("edge", "corner")}
    colors = list(_objects(result.get("colors")))
    colors += [{**color, "kind": kind} for kind, each in old.items() for color in _objects(each)]
    kinds = [color.get("kind") if color.get("kind") in ("edge", "corner") else None for color in colors]
    colors = [{key: value for key, value in color.items() if key != "kind"} for color in colors]
    is_old = any(kinds) or any(each is not None for each in old.values())
    if len(colors) > MAX_COLORS:
        notes.add("WANG_SET_LOST", place, f"It has {len(colors)} colours; {MAX_COLORS} may be.")
        colors = colors[:MAX_COLORS]
    result["colors"] = colors
    if is_old:
        result["type"] = "mixed" if set(kinds) >= {"edge", "corner"} else next(filter(None, kinds), "corner")
    elif result.get("type") not in _TYPES:
        result["type"] = "mixed"
    numbers = {
        kind: [0, *(at for at, each in enumerate(kinds, 1) if each == kind and at <= len(colors))]
        for kind in ("edge", "corner")
    }
    tiles = []
    for index, tile in enumerate(_objects(result.get("wangtiles"))):
        sides = tile.get("wangid")
        if is_old:
            sides = _renumbered(sides, numbers["edge"], numbers["corner"])
        tile = {key: value for key, value in tile.items() if key not in ("hflip", "vflip", "dflip")}
        if _is_valid(tile, sides, len(colors)):
            tiles.append({**tile, "wangid": sides})
        else:
            notes.add("WANG_SET_LOST", f"{place}.wangtiles[{index}]", "It must have eight of the set's colours.")
    return {**result, "wangtiles": tiles}


def _renumbered(sides: Any, edges: list[int], corners: list[int]) -> list[int] | None:
    if not isinstance(sides, list) or len(sides) != _SIDES or not all(type(side) is int for side in sides):
        return None
    lists = [edges, corners] * (_SIDES // 2)
    if not all(0 <= side < len(numbers) for side, numbers in zip(sides, lists, strict=True)):
        return None
    return [numbers[side] for side, numbers in zip(sides, lists, strict=True)]


def _is_valid(tile: Json, sides: Any, colors: int) -> bool:
    if type(tile.get("tileid")) is not int or tile["tileid"] < 0:
        return False
    return (
        isinstance(sides, list)
        and len(sides) == _SIDES
        and all(type(side) is int and 0 <= side <= colors for side in sides)
    )


def _objects(value: Any) -> Iterable[Json]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
