"""The default bars and sight of a token, from its character. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from game.grid.sight import MAX_RANGE

HIT_POINTS: Final = "hit points"
"""The name of the bar of hit points."""
_CELL_DISTANCE: Final = 5


def bars(hit_points: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The bars of a token by the `hit_points` of a sheet: for those who may read the sheet."""
    if hit_points is None:
        return []
    value, maximum = hit_points["current"], hit_points["maximum"]
    return [{"name": HIT_POINTS, "value": value, "max": maximum, "public": False}]


def sight(senses: Mapping[str, Any] | None, cell_distance: Any) -> dict[str, Any] | None:
    """The sight of a token, in cells, by the `senses` of a sheet; None without them.

    By the 5e rules, sight reaches as far as there is light; darkvision has a range, in the unit of the map. If a
    map does not set the distance of its cells, it is the usual 5 feet.
    """
    if senses is None:
        return None
    is_known = isinstance(cell_distance, int | float) and cell_distance > 0
    cells = senses.get("darkvision", 0) / (cell_distance if is_known else _CELL_DISTANCE)
    return {"range": MAX_RANGE, "darkvision": min(cells, MAX_RANGE)}
