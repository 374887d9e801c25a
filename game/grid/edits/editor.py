"""A map while edits are applied to it, and the checks that several edits share."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from game.grid.canvas import Canvas
from game.grid.changes import Draft, Item
from game.grid.chunks import CHUNK
from game.grid.document import EMPTY, GridError, Limits, Violation, check
from game.grid.edits.budget import Budget
from game.grid.edits.fields import Edit, fault


class Editor:
    """A draft of a map that edits are applied to."""

    def __init__(self, draft: Draft, new_id: Callable[[], str], limits: Limits) -> None:
        self.draft, self.new_id, self.limits = draft, new_id, limits
        self.budget = Budget()

    @property
    def canvas(self) -> Canvas:
        """The draft's cells."""
        return self.draft.canvas

    def key_of(self, name: Any) -> int | None:
        """The key of the layer of this name; None if there is none, or it has no cells."""
        layer = self.draft.items("layers").get(name)
        return None if layer is None else self.draft.cells_of(layer)

    def spend_layers(self, layers: Iterable[int], share: int = 1) -> None:
        """Charge the chunks of whole layers to the budget, divided by `share`."""
        self.budget.spend(sum(len(self.canvas.used(layer)) for layer in layers) * CHUNK * CHUNK // share)

    def layer(self, edit: Edit, place: str) -> int:
        """The key of the layer that an edit paints on."""
        key = self.key_of(edit["layer"])
        if key is None:
            raise fault(f"{place}.layer", "not_found", "does not name a layer with cells on this map")
        return key

    def holds(self, x: int, y: int) -> bool:
        """Whether a cell is on the map."""
        return x < self.canvas.width and y < self.canvas.height

    def check_rectangle(self, x: int, y: int, width: int, height: int, place: str) -> None:
        """Check that a rectangle is on the map."""
        sides = ("x", "width", x, width, self.canvas.width), ("y", "height", y, height, self.canvas.height)
        for start, length, begin, count, size in sides:
            if begin >= size:
                raise fault(f"{place}.{start}", "out_of_bounds", f"must be less than {size}, the map's {length}")
            if begin + count > size:
                message = f"reaches beyond the map's {length}, {size}"
                raise fault(f"{place}.{length}", "out_of_bounds", message)

    def check_symbol(self, symbol: str, place: str) -> None:
        """Check that a symbol is the space or in the legend."""
        if symbol != EMPTY and symbol not in self.draft.items("legend"):
            message = f"{symbol!r} (U+{ord(symbol):04X}) is not in the legend"
            raise fault(place, "unknown_symbol", message)

    def check_layer(self, layer: Item, rows: Any, place: str, renamed_from: str | None = None) -> None:
        """Check a layer, with its rows if it has any."""
        document: dict[str, Any] = {"layers": [layer]}
        if rows is not None:
            legend = [{"symbol": symbol} for symbol in self.draft.items("legend")]
            size = {"width": self.canvas.width, "height": self.canvas.height}
            document = {**size, "legend": legend, "layers": [{**layer, "rows": rows}]}
        self.check(document, "layers[0]", place)
        if layer["name"] != renamed_from and layer["name"] in self.draft.items("layers"):
            raise fault(f"{place}.name", "duplicate_name", "is the name of another layer")

    def check_index(self, name: str, index: int | None, described: str, place: str) -> None:
        """Check the index of a new item of a list; None is the end."""
        count = len(self.draft.items(name))
        if index is not None and index > count:
            raise fault(f"{place}.index", "out_of_range", f"must be at most {count}, the number of {described}")

    def check_room(self, name: str, place: str) -> None:
        """Check that a list has room for a new item."""
        most = getattr(self.limits, f"max_{name}")
        if len(self.draft.items(name)) >= most:
            raise fault(place, "too_many", f"is too many: a map has at most {most} {name}")

    def check(self, document: Mapping[str, Any], inner: str, place: str) -> None:
        """Check a part by the document's rules; violations in `inner` are reported in `place`."""
        try:
            check(document, self.limits, "")
        except GridError as error:
            raise GridError(
                Violation(violation.place.replace(f".{inner}", place, 1), violation.code, violation.message)
                for violation in error.violations
            ) from None


def apply_merge_patch(value: Any, patch: Any) -> Any:
    """A JSON value after a merge patch (RFC 7396); neither is modified."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = apply_merge_patch(result.get(key), change)
    return result
