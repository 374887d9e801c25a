"""Changes of a map as data: recorded by a draft, inverted for undo, replayed, compared.

A **change** is a JSON list of parts. Each part contains the state before and after, so a change can be inverted
(`inverse`), and undo, redo and earlier states of the map need nothing else:

    {"cells": layer key, "runs": [[x, y, count, before, after], ...]}
    {"list": "walls", "before": item or null, "after": item or null, "from": index or null, "to": index or null}
    {"value": "background", "before": [value] or [], "after": [value] or []}
    {"size": [width, height], "before": [width, height], "shift": [dx, dy]}

A part of a list adds (no `before`), removes (no `after`), replaces, or moves (both and two indexes) one item of
the frame: legend entries by symbol, layers by name (as they are in the frame, with their mark in place of rows),
all others by id. `"new": true` marks an item whose list did not exist before. A part of a value sets any other key
of the frame; `[]` means that the key did not exist, in contrast to `[null]`. A part of the size shifts all cells;
it loses none, because the change first empties those that are cut off.

Undo replays the inverse of a change. It must be refused if a later change `overlaps`. `replay` also refuses a
change if the map is not in the state that the change expects, so it never corrupts a map.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from game.grid.canvas import Canvas, Run, Steps, unpack
from game.grid.chunks import ROWS_MARK, ChunkKey, Frame
from game.grid.document import EMPTY

Item: TypeAlias = Mapping[str, Any]
Part: TypeAlias = dict[str, Any]
Change: TypeAlias = list[Part]

NAMED_BY: Final = {
    "legend": "symbol",
    "layers": "name",
    "entities": "id",
    "walls": "id",
    "doors": "id",
    "lights": "id",
}
"""The lists of a document, and the key that identifies their items."""

_SINGULAR: Final = {
    "legend": "legend entry",
    "layers": "layer",
    "entities": "entity",
    "walls": "wall",
    "doors": "door",
    "lights": "light",
}

_OFF_THE_MAP: Final = {"legend", "layers"}
"""The lists whose items have no position on the map."""


class Conflict(Exception):
    """A change cannot be replayed on the current map; the message says why, for users."""


class Edited(NamedTuple):
    """The result to store: the frame if it changed (else None), the size, the chunks (None: delete it), the
    change."""

    frame: Frame | None
    width: int
    height: int
    chunks: dict[ChunkKey, list[str] | None]
    change: Change


class Draft:
    """A map with the changes so far. The given frame and items are not modified."""

    def __init__(
        self,
        frame: Frame,
        width: int,
        height: int,
        max_chunks: int | None = None,
        *,
        records: bool = True,
    ) -> None:
        self.frame = dict(frame)
        self.canvas = Canvas(width, height, max_chunks)
        self._records = records
        self._change: Change = []
        self._lists: dict[str, dict[Any, Item]] = {}
        # The order of the keys of lists with inserted items, because a new dict for each insertion would be slow.
        self._orders: dict[str, list[Any]] = {}
        self._values: dict[str, list[Any]] = {}  # that were set, as they were before

    def items(self, name: str) -> dict[Any, Item]:
        """A list of the frame by the names of its items, in order; one without a name is keyed by its index."""
        items = self._unordered(name)
        if order := self._orders.pop(name, None):
            items = self._lists[name] = {key: items[key] for key in order}
        return items

    def _unordered(self, name: str) -> dict[Any, Item]:
        """Like `items`, but with inserted items at the end."""
        if name not in self._lists:
            by = NAMED_BY[name]
            listed = self.frame.get(name, ())
            self._lists[name] = {item.get(by, index): item for index, item in enumerate(listed)}
        return self._lists[name]

    def find(self, name: str, item: Item) -> Any:
        """The key under which `items` holds an item; None when it does not."""
        items = self.items(name)
        key = item.get(NAMED_BY[name])
        if key is None:
            return next((key for key, held in items.items() if held == item), None)
        return key if key in items else None

    def cells_of(self, layer: Item) -> int | None:
        """The key of a layer's chunks; None for a layer without cells."""
        mark = layer.get("rows")
        return None if mark is None else int(mark) - ROWS_MARK

    def layer_keys(self) -> list[int]:
        """The keys of all layers with cells."""
        keys = (self.cells_of(layer) for layer in self.items("layers").values())
        return [key for key in keys if key is not None]

    def put(
        self, name: str, before: Item | None, after: Item | None, to: int | None = None, at: int | None = None
    ) -> None:
        """Add an item to a list (at index `to`, or at its end), replace, move (to index `to`), or remove one.

        `before`, if any, is in the list; a caller that removes many says at which index (`at`). The caller
        validates the result.
        """
        items = self.items(name)
        part: Part = {"list": name, "before": before, "after": after, "from": None, "to": None}
        if before is None:
            part["to"] = len(items) if to is None else to
            if name not in self.frame:
                part["new"] = True
        elif after is None or to is not None:
            part["from"] = list(items).index(self.find(name, before)) if at is None else at
            part["to"] = to
        elif same(before, after):
            return
        self._put(part)
        self._change.append(part)

    def value(self, key: str) -> list[Any]:
        """The value of a key of the frame, as [value]; [] if it does not exist."""
        return [self.frame[key]] if key in self.frame else []

    def set_value(self, key: str, after: list[Any]) -> None:
        """Set a key of the frame that is not a list of items to the value in [value], or remove it."""
        self._values.setdefault(key, self.value(key))
        if after:
            self.frame[key] = after[0]
        else:
            self.frame.pop(key, None)

    def resize(self, width: int, height: int, dx: int, dy: int) -> None:
        """Change the map's size and shift its cells. All layers must be loaded, and the parts that are cut off
        empty."""
        self.flush()
        before = [self.canvas.width, self.canvas.height]
        self._change.append({"size": [width, height], "before": before, "shift": [dx, dy]})
        self._resize(width, height, dx, dy)

    def flush(self) -> None:
        """Record the painted cells. Call it before changes that must come after them."""
        if not self._records:
            return
        for layer, runs in self.canvas.take_runs().items():
            self._change.append({"cells": layer, "runs": runs})

    def finished(self) -> Edited:
        """The result."""
        self.flush()
        # Only once for each key, because values may be large.
        for key, before in self._values.items():
            if not same(before, after := self.value(key)):
                self._change.append({"value": key, "before": before, "after": after})
        framed = any("cells" not in part for part in self._change)
        for name in self._lists:
            if name in self.frame:
                self.frame[name] = list(self.items(name).values())
        chunks = self.canvas.written()
        return Edited(self.frame if framed else None, self.canvas.width, self.canvas.height, chunks, self._change)

    def replay(self, change: Change) -> Steps[None]:
        """Apply a change; raises Conflict if the map is not in the state that the change expects, or would become
        invalid."""
        for part in change:
            if "cells" in part:
                yield from self._replay_cells(part)
            elif "list" in part:
                yield from self._replay_item(part)
            elif "value" in part:
                if self.value(part["value"]) != part["before"]:
                    raise Conflict(f"the {part['value']} has changed since")
                self.set_value(part["value"], part["after"])
            else:
                yield from self._replay_size(part)
        width, height = self.canvas.width, self.canvas.height
        # A game may store maps with entities, but without cells.
        for entity in self.items("entities").values() if width and height else ():
            if entity["x"] >= width or entity["y"] >= height:
                raise Conflict(f"the entity {entity['id']} would not be on the map")

    def _replay_cells(self, part: Part) -> Steps[None]:
        layer, canvas = part["cells"], self.canvas
        if layer not in self.layer_keys():
            raise Conflict("a layer that it changed was deleted")
        known = {*self.items("legend"), EMPTY}
        keys: set[ChunkKey] = set()
        rectangles = _rectangles(part["runs"])
        for x, y, count, height, _, after in rectangles:
            if x + count > canvas.width or y + height > canvas.height:
                raise Conflict(f"cell ({x + count - 1}, {y + height - 1}) is no longer on the map")
            if not known.issuperset(after):
                raise Conflict(f"the legend no longer has a symbol that belongs in cell ({x}, {y})")
            keys.update(canvas.keys(layer, x, y, count, height))
        yield from canvas.want(keys)
        for x, y, count, height, before, after in rectangles:
            expected = unpack(count, before)
            for line, found in enumerate(canvas.region(layer, x, y, count, height), y):
                if found != expected:
                    at = next(at for at in range(count) if found[at] != expected[at])
                    raise Conflict(f"cell ({x + at}, {line}) has changed since")
            if len(after) == 1:
                canvas.fill(layer, x, y, count, height, after)
                continue
            for line in range(y, y + height):
                canvas.paint(layer, x, line, after)

    def _replay_item(self, part: Part) -> Steps[None]:
        name, before, after = part["list"], part["before"], part["after"]
        items, by = self._unordered(name) if before is None else self.items(name), NAMED_BY[name]
        what = f"{_SINGULAR[name]} {(before or after).get(by, '')}".strip()
        if before is not None:
            key = self.find(name, before)
            if key is None:
                raise Conflict(f"the {what} no longer exists")
            if items[key] != before:
                raise Conflict(f"the {what} has changed since")
        renamed = before is None or after is None or before.get(by) != after.get(by)
        if after is not None and renamed and by in after and after[by] in items:
            raise Conflict(f"there is another {_SINGULAR[name]} {after[by]}")
        if name == "legend" and after is None:
            if self._records:
                yield from self.canvas.want(layers=self.layer_keys())
                if any(self.canvas.find(layer, before["symbol"]) for layer in self.layer_keys()):
                    raise Conflict(f"the {what} is in use")
            # In this order, so that in the inverse the cells come after the entry.
            self.flush()
        if name == "layers" and (before is None or after is None):
            yield from self._replay_layer(what, before, after)
        self._put(part)
        self._change.append(part)

    def _replay_layer(self, what: str, before: Item | None, after: Item | None) -> Steps[None]:
        cells = self.cells_of(before or after or {})
        if cells is None:
            return
        if before is None and cells in self.layer_keys():
            raise Conflict(f"the {what} cannot be restored: another layer uses its key")
        yield from self.canvas.want(layers=[cells])
        if not self.canvas.is_empty(cells):
            raise Conflict(f"the {what} has been painted on since")
        self.flush()

    def _replay_size(self, part: Part) -> Steps[None]:
        canvas = self.canvas
        if [canvas.width, canvas.height] != part["before"]:
            raise Conflict("the map's size has changed since")
        width, height = part["size"]
        dx, dy = part["shift"]
        yield from canvas.want(layers=self.layer_keys())
        for layer in self.layer_keys():
            for x, y, across, down in cut_off((canvas.width, canvas.height), (width, height), dx, dy):
                for line in range(y, y + down):
                    if canvas.read(layer, x, line, across).strip(EMPTY):
                        raise Conflict("cells that it added have been painted on since")
        self.resize(width, height, dx, dy)

    def _resize(self, width: int, height: int, dx: int, dy: int) -> None:
        self.canvas.resize(width, height, dx, dy)
        self.frame["width"], self.frame["height"] = width, height

    def _put(self, part: Part) -> None:
        """Apply a part that changes a list."""
        name, before, after, to = part["list"], part["before"], part["after"], part["to"]
        items, by = self._unordered(name) if before is None else self.items(name), NAMED_BY[name]
        key = None if before is None else self.find(name, before)
        if before is not None and after is not None and to is None and before.get(by) == after.get(by):
            items[key] = after
        elif before is None:
            # A new object as the key of an item without a name is unique.
            key = after.get(by, object())
            if to < len(items) or name in self._orders:
                if name not in self._orders:
                    self._orders[name] = list(items)
                self._orders[name].insert(to, key)
            items[key] = after
        elif after is None:
            del items[key]
        else:
            order = list(items.items())
            at = list(items).index(key)
            del order[at]
            order.insert(at if to is None else min(to, len(order)), (after.get(by, object()), after))
            self._lists[name] = dict(order)
        if before is None:
            self.frame.setdefault(name, [])
        elif after is None and part.get("new") and not self._lists[name]:
            del self.frame[name]


def replay(
    frame: Frame,
    width: int,
    height: int,
    change: Change,
    max_chunks: int | None = None,
    *,
    records: bool = True,
) -> Steps[Edited]:
    """Apply a change, or the inverse of one, to a map.

    Without `records`, the result has no changes of cells, and a legend entry may be removed while cells use it.
    Raises Conflict with the reason, with nothing applied; TooCostly, when it needs more than `max_chunks`.
    """
    draft = Draft(frame, width, height, max_chunks, records=records)
    yield from draft.replay(change)
    return draft.finished()


def _rectangles(runs: Iterable[Run]) -> list[tuple[int, int, int, int, str, str]]:
    """Runs as rectangles (x, y, width, height, before, after): like ones, each below the other, are one."""
    found: list[tuple[int, int, int, int, str, str]] = []
    for x, y, count, before, after in runs:
        if found:
            left, top, width, height, *sides = found[-1]
            if (left, top + height, width, sides) == (x, y, count, [before, after]):
                found[-1] = left, top, width, height + 1, before, after
                continue
        found.append((x, y, count, 1, before, after))
    return found


def inverse(change: Change) -> Change:
    """The inverse of a change."""
    return [_inverse_part(part) for part in reversed(change)]


def _inverse_part(part: Part) -> Part:
    if "cells" in part:
        return {
            "cells": part["cells"],
            "runs": [[x, y, n, after, was] for x, y, n, was, after in part["runs"]],
        }
    if "size" in part:
        dx, dy = part["shift"]
        return {"size": part["before"], "before": part["size"], "shift": [-dx, -dy]}
    turned = {**part, "before": part["after"], "after": part["before"]}
    if "list" in part:
        turned |= {"from": part["to"], "to": part["from"]}
    return turned


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; in Python, 1 equals True."""
    sort = orjson.OPT_SORT_KEYS
    return bool(one == other) and orjson.dumps(one, option=sort) == orjson.dumps(other, option=sort)


def overlaps(one: Change, other: Change) -> bool:
    """Whether two changes touched the same cell, item or value; then the earlier one cannot be undone alone.

    A change of size touches all cells, all objects on the map and the background. Adding or removing a layer
    touches all of its cells. Adding or removing a legend entry touches the cells in which its symbol is added or
    removed.
    """
    return _parts_overlap(one, other) or _parts_overlap(other, one)


def _parts_overlap(one: Change, other: Change) -> bool:
    if any("size" in part for part in one) and any(map(_lies_on_map, other)):
        return True
    things = {thing for part in one for thing in _things(part)}
    if any(thing in things for part in other for thing in _things(part)):
        return True
    layers = {key for kind, key in things if kind == "cells"}
    symbols = {key for kind, key in things if kind == "symbol"}
    runs: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for part in one:
        for x, y, count, *_ in part.get("runs", ()):
            runs[part["cells"], y].append((x, x + count))
    for part in other:
        if "cells" not in part:
            continue
        if part["cells"] in layers:
            return True
        for x, y, count, before, after in part["runs"]:
            if symbols and not symbols.isdisjoint(before + after):
                return True
            if any(x < end and begin < x + count for begin, end in runs.get((part["cells"], y), ())):
                return True
    return False


def _lies_on_map(part: Part) -> bool:
    """Whether a part touches what a change of size moves."""
    return part.get("list") not in _OFF_THE_MAP and part.get("value", "background") == "background"


def _things(part: Part) -> set[tuple[str, Any]]:
    """What a part touches other than single cells; ("cells", key) is all of a layer, ("symbol", s) all cells of
    it."""
    if "value" in part:
        return {("value", part["value"])}
    if "list" not in part:
        return set()
    name, sides = part["list"], [item for item in (part["before"], part["after"]) if item is not None]
    # An item without a name is identified by its index.
    touched = {(name, item.get(NAMED_BY[name], str(sorted(item.items(), key=str)))) for item in sides}
    if name == "layers" and len(sides) == 1 and "rows" in sides[0]:
        touched.add(("cells", sides[0]["rows"] - ROWS_MARK))
    if name == "legend" and len(sides) == 1:
        touched.add(("symbol", sides[0]["symbol"]))
    return touched


def summary(change: Change) -> str:
    """A summary of a change for users: `3 cells, entity Old chest, size 80 x 60`."""
    cells = sum(count for part in change for _, _, count, *_ in part.get("runs", ()))
    words = [f"{cells} cell{'s' * (cells != 1)}"] if cells else []
    words += [f"size {part['size'][0]} x {part['size'][1]}" for part in change if "size" in part]
    for name in NAMED_BY:
        items = [part["after"] or part["before"] for part in change if part.get("list") == name]
        if len(items) == 1:
            label = items[0].get("name") or items[0].get(NAMED_BY[name], "")
            words.append(f"{_SINGULAR[name]} {label}".strip())
        elif items:
            words.append(f"{len(items)} {name.replace('legend', 'legend entries')}")
    words += [part["value"] for part in change if "value" in part]
    return ", ".join(words) or "nothing"


def counts(change: Change) -> dict[str, Any]:
    """What a change touched, for programs: `{"cells": 12, "entities": ["id", ...], "map": ["background"]}`,
    without empty keys."""
    cells = sum(count for part in change for _, _, count, *_ in part.get("runs", ()))
    touched: dict[str, Any] = {"cells": cells} if cells else {}
    for part in change:
        if "list" in part:
            names = touched.setdefault(part["list"], [])
            name = (part["after"] or part["before"]).get(NAMED_BY[part["list"]])
            if name is not None and name not in names:
                names.append(name)
        elif "size" in part:
            touched["width"], touched["height"] = part["size"]
        elif "value" in part:
            touched.setdefault("map", []).append(part["value"])
    return touched


def cut_off(size: Sequence[int], new: Sequence[int], dx: int, dy: int) -> Iterable[tuple[int, int, int, int]]:
    """The rectangles (x, y, width, height) of a map that are cut off by a new size, with cells shifted by (dx,
    dy)."""
    (width, height), (new_width, new_height) = size, new
    left, top = min(width, max(0, -dx)), min(height, max(0, -dy))
    right, bottom = max(left, min(width, new_width - dx)), max(top, min(height, new_height - dy))
    bands = [(0, 0, width, top), (0, bottom, width, height - bottom)]
    sides = [(0, top, left, bottom - top), (right, top, width - right, bottom - top)]
    return [band for band in bands + sides if band[2] > 0 and band[3] > 0]
