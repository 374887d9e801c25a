"""The budget of a request with edits: the number of cells that it may paint or scan, computed in advance if
possible.

Cells are stored in chunks, so a cell counts as its row of a chunk, 64 cells, and a layer as its stored chunks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from game.grid.canvas import TooCostly
from game.grid.chunks import CHUNK, touching

MAX_CELLS: Final = 2**24
"""The maximum number of cells that a request may paint or scan: one layer of the largest map."""
MAX_CHUNKS: Final = 2 * MAX_CELLS // CHUNK**2
"""The maximum number of stored chunks that a request may load: two layers of the largest map."""

_WHOLE_LAYER: Final = ("flood_fill", "replace", "remove_layer")
_ALL_LAYERS: Final = ("resize", "remove_legend_entry")


class Budget:
    """The cells that a request may still paint or scan."""

    def __init__(self) -> None:
        self._left = MAX_CELLS

    def spend(self, cells: int) -> None:
        """Subtract cells.

        Raises:
            TooCostly: fewer cells are left.
        """
        self._left -= cells
        if self._left < 0:
            raise TooCostly(
                f"is too much work together with the edits before it: a request may paint or scan {MAX_CELLS:,} "
                f"cells, where each counts as its row of {CHUNK}"
            )


def stated(edit: Mapping[str, Any]) -> int:
    """The number of cells that a parsed edit paints, if the edit determines it."""
    match edit:
        case {"cells": cells}:
            return CHUNK * len(cells)
        case {"op": "paste", "rows": rows}:
            return _rectangle(edit["x"], len(rows[0]) if rows else 0, len(rows))
        case {"op": "fill_rectangle"}:
            return _rectangle(edit["x"], edit["width"], edit["height"])
    return 0


def depends_on_map(edits: Sequence[Any]) -> bool:
    """Whether the maximum cost of edits depends on the map's size."""
    ops = (edit.get("op") for edit in edits if isinstance(edit, dict))
    return any(op in _WHOLE_LAYER + _ALL_LAYERS for op in ops)


def at_most(edit: Any, width: int, height: int, layers: int) -> int:
    """The approximate maximum number of cells that an unvalidated edit may paint or scan on a map of this size; 0
    if it is invalid."""
    match edit:
        case {"cells": list(cells)}:
            return 8 * len(cells)
        case {"op": "paste", "rows": list(rows)}:
            return sum(len(row) for row in rows if isinstance(row, str))
        case {"op": "fill_rectangle", "width": int(across), "height": int(down)}:
            return across * down
        case {"op": str(op)} if op in _WHOLE_LAYER:
            return width * height
        case {"op": "resize", "width": int(across), "height": int(down)}:
            return layers * max(width * height, across * down)
        case {"op": "remove_legend_entry"}:
            return layers * width * height
        case {"op": "add_layer", "layer": {"rows": list(rows)}}:
            return sum(len(row) for row in rows if isinstance(row, str))
    return 0


def _rectangle(x: int, width: int, height: int) -> int:
    return len(touching(x, 0, width, 1)[0]) * CHUNK * height
