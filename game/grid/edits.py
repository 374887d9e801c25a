"""The edits of a map that clients send: their rules, and what they do to its frame and chunks.

Each edit is an object with an `op`; the table `_FIELDS` lists the ops and their fields. All edits of a
request are applied in order, or none. They ask only for the chunks that they touch: those of `set`,
`fill_rectangle` and `paste` in one go for the whole request, those of `flood_fill` as the flood spreads,
whole layers for `replace`, `remove_layer`, `remove_legend_entry` and `resize`.

Cells, rectangles and pasted rows must lie on the map, and every symbol must be the space or in the legend.
`put_...` replaces the item of that id as a whole, or adds it; without an id it gets a new one.
`update_layer`, `update_legend` and `update_map` take JSON merge patches (RFC 7396): at any depth, only the keys
that they name change, and null removes a key. `update_map` changes the document's own keys, those of a game among
them, but for its size and its lists, which have edits of their own. `update_legend` adds entries that are new at
`index`, or at the end. `remove_legend_entry` is refused while a cell has the symbol.
`resize` is a crop as in Tiled: what is cut off is lost, cells as well as the entities, lights, walls and
doors that would lie outside.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import randbelow
from typing import Any, Final, TypeAlias

import orjson

from game.grid.canvas import Canvas, Steps
from game.grid.changes import Draft, Edited, Item, cut_off
from game.grid.chunks import CHUNK, ROWS_MARK, ChunkKey, Frame
from game.grid.document import DEFAULT_LIMITS, EMPTY, Breach, GridError, Limits, check
from game.grid.geometry import HEXES, GridType, centre, extent

Edit: TypeAlias = Mapping[str, Any]

ANCHORS: Final = {
    "top_left": (0, 0),
    "top": (1, 0),
    "top_right": (2, 0),
    "left": (0, 1),
    "center": (1, 1),
    "right": (2, 1),
    "bottom_left": (0, 2),
    "bottom": (1, 2),
    "bottom_right": (2, 2),
}
"""Where the old map lies in the new one when it is resized: at the start, in the middle or at the end,
across and down."""

# Layer keys end here, so that ROWS_MARK + key keeps the digits that the frame's text is searched for.
_LAYER_KEYS: Final = 259_000

_PAINTS: Final = ("set", "fill_rectangle", "paste")
_KINDS: Final = {"entity": "entities", "wall": "walls", "door": "doors", "light": "lights"}

# What a field must be, and whether it may be left out (with what it then is).
_NEEDED: Final = object()
_Field: TypeAlias = tuple[str, Any]
_PLACE: Final[Mapping[str, _Field]] = {
    "layer": ("text", _NEEDED),
    "x": ("whole", _NEEDED),
    "y": ("whole", _NEEDED),
}
_FIELDS: Final[Mapping[str, Mapping[str, _Field]]] = {
    "set": {"layer": ("text", _NEEDED), "cells": ("list", _NEEDED)},
    "fill_rectangle": {
        **_PLACE,
        "width": ("whole", _NEEDED),
        "height": ("whole", _NEEDED),
        "symbol": ("text", _NEEDED),
    },
    "flood_fill": {**_PLACE, "symbol": ("text", _NEEDED)},
    "paste": {**_PLACE, "rows": ("list", _NEEDED), "transparent": ("boolean", False)},
    "replace": {"layer": ("text", _NEEDED), "symbol": ("text", _NEEDED), "with": ("text", _NEEDED)},
    **{f"put_{kind}": {kind: ("object", _NEEDED)} for kind in _KINDS},
    **{f"remove_{kind}": {"id": ("text", _NEEDED)} for kind in _KINDS},
    "add_layer": {"layer": ("object", _NEEDED), "index": ("whole", None)},
    "update_layer": {"name": ("text", _NEEDED), "changes": ("object", _NEEDED)},
    "remove_layer": {"name": ("text", _NEEDED)},
    "move_layer": {"name": ("text", _NEEDED), "index": ("whole", _NEEDED)},
    "update_legend": {"legend": ("list", _NEEDED), "index": ("whole", None)},
    "remove_legend_entry": {"symbol": ("text", _NEEDED)},
    "update_map": {"changes": ("object", _NEEDED)},
    "resize": {"width": ("whole", _NEEDED), "height": ("whole", _NEEDED), "anchor": ("text", "top_left")},
}
_OTHER_EDITS: Final = {
    "width": "resize",
    "height": "resize",
    "legend": "update_legend or remove_legend_entry",
    "layers": "add_layer, update_layer, move_layer or remove_layer",
    **{name: f"put_{kind} or remove_{kind}" for kind, name in _KINDS.items()},
}
"""The keys of a document that `update_map` leaves alone, and the edits that change them."""
_CELL: Final[Mapping[str, _Field]] = {
    "x": ("whole", _NEEDED),
    "y": ("whole", _NEEDED),
    "symbol": ("text", _NEEDED),
}
_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "text": (str, "a string"),
    "whole": (int, "a whole number, 0 or more"),
    "boolean": (bool, "true or false"),
    "list": (list, "a list"),
    "object": (dict, "an object"),
}


def apply(
    frame: Frame,
    width: int,
    height: int,
    edits: Sequence[Edit],
    new_id: Callable[[], str],
    limits: Limits = DEFAULT_LIMITS,
) -> Steps[Edited]:
    """Apply edits to a map; a generator that yields the chunks it wants and returns what to store (`Edited`).

    Takes the map's valid frame and size in cells, the edits as parsed JSON, and a function that makes an id.
    The frame is left as it is. Raises GridError, whose breach names the first fault: `edits[3].cells[0].x`; or
    just `edits`, when together they make the frame larger than `limits.max_frame`.
    """
    if not isinstance(edits, list):
        raise _fault("edits", "wrong_type", "must be a list")
    parsed = [_parsed(edit, f"edits[{index}]") for index, edit in enumerate(edits)]
    editor = _Editor(Draft(frame, width, height), new_id, limits)
    yield from editor.draft.canvas.want({key for edit in parsed for key in editor.reached(edit)})
    for index, edit in enumerate(parsed):
        yield from editor.apply(edit, f"edits[{index}]")
    edited = editor.draft.finished()
    if edited.frame is not None and (much := _bytes(edited.frame)) > limits.max_frame and much > _bytes(frame):
        message = f"make the map too large: all but its rows is at most {limits.max_frame:,} bytes of JSON"
        raise _fault("edits", "too_large", message)
    return edited


def _bytes(frame: Frame) -> int:
    return len(orjson.dumps(frame))


def _fault(place: str, code: str, message: str) -> GridError:
    return GridError([Breach(place, code, message)])


def _parsed(edit: Any, place: str) -> dict[str, Any]:
    """An edit with all fields of its op, each of its type; the defaults filled in."""
    if not isinstance(edit, dict):
        raise _fault(place, "wrong_type", "must be an object")
    if "op" not in edit:
        raise _fault(f"{place}.op", "missing", "is required")
    fields = _FIELDS.get(edit["op"]) if isinstance(edit["op"], str) else None
    if fields is None:
        raise _fault(f"{place}.op", "not_an_option", f"must be one of {', '.join(_FIELDS)}")
    parsed = _fields({name: value for name, value in edit.items() if name != "op"}, fields, place)
    for index, cell in enumerate(parsed.get("cells", ())):
        _fields(cell, _CELL, f"{place}.cells[{index}]")
    rows = parsed.get("rows", ())
    for index, row in enumerate(rows):
        if not isinstance(row, str):
            raise _fault(f"{place}.rows[{index}]", "wrong_type", "must be a string")
        if len(row) != len(rows[0]):
            message = f"must have as many cells as the first row, {len(rows[0])}"
            raise _fault(f"{place}.rows[{index}]", "uneven_rows", message)
    return {"op": edit["op"], **parsed}


def _fields(value: Any, fields: Mapping[str, _Field], place: str) -> dict[str, Any]:
    """An object's fields, each of its type, with the defaults filled in."""
    if not isinstance(value, dict):
        raise _fault(place, "wrong_type", "must be an object")
    if not fields.keys() >= value.keys():
        unknown = next(key for key in value if key not in fields)
        raise _fault(f"{place}.{unknown}", "unknown_field", f"is not one of {', '.join(fields)}")
    parsed = {}
    for name, (kind, default) in fields.items():
        item = value.get(name, default)
        if item is _NEEDED:
            raise _fault(f"{place}.{name}", "missing", "is required")
        if name in value:
            wanted, words = _TYPES[kind]
            # In Python a bool is an int; in JSON it is not a number.
            fits = isinstance(item, wanted) and (kind != "whole" or (item is not True and item is not False))
            if not fits:
                raise _fault(f"{place}.{name}", "wrong_type", f"must be {words}")
            if isinstance(item, int) and item < 0:
                raise _fault(f"{place}.{name}", "out_of_range", f"must be {words}")
        parsed[name] = item
    return parsed


class _Editor:
    """Applies parsed edits to a draft."""

    def __init__(self, draft: Draft, new_id: Callable[[], str], limits: Limits) -> None:
        self.draft, self.new_id, self.limits = draft, new_id, limits

    @property
    def canvas(self) -> Canvas:
        return self.draft.canvas

    def apply(self, edit: Edit, place: str) -> Steps[None]:
        """Apply one edit whose fields have their types; `place` is its path in the request."""
        op = edit["op"]
        yield from self.canvas.want(self.reached(edit), self.whole(edit))
        if op == "flood_fill":
            yield from self.flood_fill(edit, place)
        elif op.startswith("put_"):
            self.put(op.removeprefix("put_"), edit, place)
        elif op in ("remove_entity", "remove_wall", "remove_door", "remove_light"):
            self.remove(op.removeprefix("remove_"), edit, place)
        else:
            getattr(self, op)(edit, place)

    def reached(self, edit: Edit) -> Iterable[ChunkKey]:
        """The chunks that an edit of known cells touches; none if it is faulty, which shows when it is
        applied."""
        layer = self.draft.items("layers").get(edit.get("layer")) if edit["op"] in _PAINTS else None
        key = None if layer is None else self.draft.cells_of(layer)
        if key is None:
            return ()
        if edit["op"] == "set":
            spots = {(cell["x"] // CHUNK, cell["y"] // CHUNK) for cell in edit["cells"] if self.holds(**cell)}
            return [(key, *spot) for spot in spots]
        width, height = _size_of(edit)
        if edit["x"] + width > self.canvas.width or edit["y"] + height > self.canvas.height:
            return ()
        return self.canvas.keys(key, edit["x"], edit["y"], width, height)

    def whole(self, edit: Edit) -> Iterable[int]:
        """The layers that an edit needs whole."""
        if edit["op"] in ("resize", "remove_legend_entry"):
            return self.draft.layer_keys()
        if edit["op"] not in ("replace", "remove_layer"):
            return ()
        layer = self.draft.items("layers").get(edit["layer" if edit["op"] == "replace" else "name"])
        key = None if layer is None else self.draft.cells_of(layer)
        return () if key is None else (key,)

    def holds(self, x: int, y: int, **_: Any) -> bool:
        """Whether a cell lies on the map."""
        return x < self.canvas.width and y < self.canvas.height

    # Cells

    def set(self, edit: Edit, place: str) -> None:
        layer = self.layer(edit, place)
        known = {*self.draft.items("legend"), EMPTY}
        for index, cell in enumerate(edit["cells"]):
            x, y, symbol = cell["x"], cell["y"], cell["symbol"]
            if symbol not in known or not self.holds(x, y):
                self.check_rectangle(x, y, 1, 1, f"{place}.cells[{index}]")
                self.check_symbol(symbol, f"{place}.cells[{index}].symbol")
            self.canvas.paint(layer, x, y, symbol)

    def fill_rectangle(self, edit: Edit, place: str) -> None:
        layer = self.layer(edit, place)
        self.check_rectangle(edit["x"], edit["y"], edit["width"], edit["height"], place)
        self.check_symbol(edit["symbol"], f"{place}.symbol")
        for y in range(edit["y"], edit["y"] + edit["height"]):
            self.canvas.paint(layer, edit["x"], y, edit["symbol"] * edit["width"])

    def paste(self, edit: Edit, place: str) -> None:
        """Paint rows; with `transparent`, their spaces leave what is there."""
        layer, rows = self.layer(edit, place), edit["rows"]
        self.check_rectangle(edit["x"], edit["y"], *_size_of(edit), place)
        known = {*self.draft.items("legend"), EMPTY}
        for index, row in enumerate(rows):
            if not known.issuperset(row):
                for symbol in row:
                    self.check_symbol(symbol, f"{place}.rows[{index}]")
            y, painted = edit["y"] + index, row
            if edit["transparent"] and EMPTY in row:
                under = self.canvas.read(layer, edit["x"], y, len(row))
                painted = "".join(old if new == EMPTY else new for old, new in zip(under, row, strict=True))
            self.canvas.paint(layer, edit["x"], y, painted)

    def replace(self, edit: Edit, place: str) -> None:
        layer, old, new = self.layer(edit, place), edit["symbol"], edit["with"]
        self.check_symbol(old, f"{place}.symbol")
        self.check_symbol(new, f"{place}.with")
        everywhere = self.canvas.keys(layer, 0, 0, self.canvas.width, self.canvas.height)
        for key in everywhere if old == EMPTY else self.canvas.used(layer):
            rows = self.canvas.open(key)
            rows[:] = [row.replace(old, new) for row in rows]

    def flood_fill(self, edit: Edit, place: str) -> Steps[None]:
        """Fill the cells of one symbol that hang together by their sides with the one at (x, y)."""
        layer, x, y, symbol = self.layer(edit, place), edit["x"], edit["y"], edit["symbol"]
        self.check_rectangle(x, y, 1, 1, place)
        self.check_symbol(symbol, f"{place}.symbol")
        yield from self.canvas.want([(layer, x // CHUNK, y // CHUNK)])
        old = self.canvas.read(layer, x, y, 1)
        if old == symbol:
            return
        # Stretches (y, first x, last x) in which the flood may go on, by chunk.
        waiting: dict[ChunkKey, list[tuple[int, int, int]]] = defaultdict(list)
        waiting[layer, x // CHUNK, y // CHUNK] = [(y, x, x)]
        while waiting:
            key = next((key for key in waiting if self.canvas.knows(key)), None)
            if key is None:
                yield from self.canvas.want(waiting)
                continue
            rows, left, top = self.canvas.open(key), key[1] * CHUNK, key[2] * CHUNK
            stretches = waiting[key]
            while stretches:
                line, first, last = stretches.pop()
                for begin, end in _fill(rows, line - top, first - left, last - left, old, symbol):
                    for reached in self.beside(line, begin + left, end + left):
                        self.spread(waiting, layer, reached)
            del waiting[key]

    def beside(self, y: int, first: int, last: int) -> Iterable[tuple[int, int, int]]:
        """The stretches that share sides with a stretch of cells in a row: left, right, above and below."""
        grid_type = self.draft.frame.get("grid_type", "square")
        up, down = (first, last), (first, last)
        if grid_type == "hex_row":
            up = down = (first, last + 1) if y % 2 else (first - 1, last)
        elif grid_type == "hex_column":
            # Even columns also touch the row above at both sides, odd ones the row below.
            up = (first - (first % 2 == 0), last + (last % 2 == 0))
            down = (first - first % 2, last + last % 2)
        return ((y, first - 1, first - 1), (y, last + 1, last + 1), (y - 1, *up), (y + 1, *down))

    def spread(
        self,
        waiting: dict[ChunkKey, list[tuple[int, int, int]]],
        layer: int,
        stretch: tuple[int, int, int],
    ) -> None:
        """Add a stretch, as far as it is on the map, to those of its chunks."""
        y, first, last = stretch
        first, last = max(first, 0), min(last, self.canvas.width - 1)
        if not 0 <= y < self.canvas.height:
            return
        for column in range(first // CHUNK, last // CHUNK + 1) if first <= last else ():
            part = (y, max(first, column * CHUNK), min(last, column * CHUNK + CHUNK - 1))
            waiting[layer, column, y // CHUNK].append(part)

    # Things on the map

    def put(self, kind: str, edit: Edit, place: str) -> None:
        name, item = _KINDS[kind], dict(edit[kind])
        if "id" not in item:
            item["id"] = self.new_id()
        document: dict[str, Any] = {name: [item]}
        for side, cells in (("width", self.canvas.width), ("height", self.canvas.height)):
            # A map of a game's own making may hold entities without having cells.
            if cells or side in self.draft.frame:
                document[side] = cells
        self.check(document, f"{name}[0]", f"{place}.{kind}")
        before = self.draft.items(name).get(item["id"])
        if before is None:
            self.check_room(name, f"{place}.{kind}")
        self.draft.put(name, before, item)

    def remove(self, kind: str, edit: Edit, place: str) -> None:
        before = self.draft.items(_KINDS[kind]).get(edit["id"])
        if before is None:
            raise _fault(f"{place}.id", "not_found", f"is the id of no {kind} on this map")
        self.draft.put(_KINDS[kind], before, None)

    # Layers and legend

    def add_layer(self, edit: Edit, place: str) -> None:
        layer, index = dict(edit["layer"]), edit["index"]
        rows = layer.pop("rows", None)
        self.check_layer(layer, rows, f"{place}.layer")
        self.check_room("layers", f"{place}.layer")
        self.check_index("layers", index, "layers", place)
        taken = set(self.draft.layer_keys())
        # By chance, so that hardly ever is it the key of a layer whose removal somebody may still undo.
        while (key := randbelow(_LAYER_KEYS)) in taken:
            pass
        self.canvas.add_layer(key)
        self.draft.put("layers", None, {**layer, "rows": ROWS_MARK + key}, index)
        for y, row in enumerate(rows or ()):
            if row.strip(EMPTY):
                self.canvas.paint(key, 0, y, row)

    def update_layer(self, edit: Edit, place: str) -> None:
        before = self.named_layer(edit, place)
        if "rows" in edit["changes"]:
            message = "cannot be changed here: paste or set cells"
            raise _fault(f"{place}.changes.rows", "unknown_field", message)
        after = _patched(before, edit["changes"])
        layer = {name: value for name, value in after.items() if name != "rows"}
        self.check_layer(layer, None, f"{place}.changes", renamed_from=edit["name"])
        self.draft.put("layers", before, after)

    def remove_layer(self, edit: Edit, place: str) -> None:
        before = self.named_layer(edit, place)
        key = self.draft.cells_of(before)
        if key is not None:
            for chunk in self.canvas.used(key):
                rows = self.canvas.open(chunk)
                rows[:] = [EMPTY * len(row) for row in rows]
            self.draft.flush()
        self.draft.put("layers", before, None)

    def move_layer(self, edit: Edit, place: str) -> None:
        before = self.named_layer(edit, place)
        order = list(self.draft.items("layers"))
        if edit["index"] >= len(order):
            message = f"must be less than {len(order)}, the number of layers"
            raise _fault(f"{place}.index", "out_of_range", message)
        if order[edit["index"]] != edit["name"]:
            self.draft.put("layers", before, before, edit["index"])

    def update_legend(self, edit: Edit, place: str) -> None:
        index = edit["index"]
        self.check_index("legend", index, "legend entries", place)
        for number, changes in enumerate(edit["legend"]):
            here = f"{place}.legend[{number}]"
            symbol = changes.get("symbol") if isinstance(changes, dict) else None
            before = self.draft.items("legend").get(symbol) if isinstance(symbol, str) else None
            after = _patched(before, changes)
            self.check({"legend": [after]}, "legend[0]", here)
            if before is not None:
                self.draft.put("legend", before, after)
                continue
            self.check_room("legend", here)
            self.draft.put("legend", None, after, index)
            if index is not None:
                index += 1

    def remove_legend_entry(self, edit: Edit, place: str) -> None:
        symbol = edit["symbol"]
        before = self.draft.items("legend").get(symbol)
        if before is None:
            raise _fault(f"{place}.symbol", "not_found", "is the symbol of no legend entry on this map")
        for name, layer in self.draft.items("layers").items():
            key = self.draft.cells_of(layer)
            cell = None if key is None else self.canvas.find(key, symbol)
            if cell:
                message = f"is still in cell ({cell[0]}, {cell[1]}) of the layer {name}"
                raise _fault(f"{place}.symbol", "in_use", message)
        # What was painted over it until now: undo brings the entry back first, and then the cells.
        self.draft.flush()
        self.draft.put("legend", before, None)

    # The map itself

    def update_map(self, edit: Edit, place: str) -> None:
        changes, here = edit["changes"], f"{place}.changes"
        for key in changes:
            if key in _OTHER_EDITS:
                message = f"cannot be changed here: use {_OTHER_EDITS[key]}"
                raise _fault(f"{here}.{key}", "unknown_field", message)
        # The rules for these keys look at one value each, so those that stay need no second look.
        check(_patched(None, changes), self.limits, here)
        for key, change in changes.items():
            held = self.draft.value(key)
            after = [] if change is None else [_patched(held[0] if held else None, change)]
            self.draft.set_value(key, after)

    def resize(self, edit: Edit, place: str) -> None:
        for side in ("width", "height"):
            if edit[side] > self.limits.max_size:
                raise _fault(f"{place}.{side}", "out_of_range", f"must be from 0 to {self.limits.max_size}")
        if edit["anchor"] not in ANCHORS:
            raise _fault(f"{place}.anchor", "not_an_option", f"must be one of {', '.join(ANCHORS)}")
        canvas, new = self.canvas, (edit["width"], edit["height"])
        old = canvas.width, canvas.height
        if new == old:
            return
        grid_type: GridType = self.draft.frame.get("grid_type", "square")
        dx, dy = (part * (b - a) // 2 for part, a, b in zip(ANCHORS[edit["anchor"]], old, new, strict=True))
        # Odd and even lines of hexes are staggered differently: an odd move would tear every figure apart.
        dx, dy = dx - dx % 2 * (grid_type == "hex_column"), dy - dy % 2 * (grid_type == "hex_row")
        for layer in self.draft.layer_keys():
            for x, y, across, down in cut_off(old, new, dx, dy):
                for line in range(y, y + down):
                    if canvas.read(layer, x, line, across).strip(EMPTY):
                        canvas.paint(layer, x, line, EMPTY * across)
        self.move_things(new, dx, dy, _shift(grid_type, dx, dy))
        self.draft.resize(*new, dx, dy)

    def move_things(self, size: tuple[int, int], dx: int, dy: int, shift: tuple[float, float]) -> None:
        """Move everything that is not a cell, and remove what would lie outside of the new size.

        Takes the size and the move in cells, and the move as a point.
        """
        right, bottom = extent(self.draft.frame.get("grid_type", "square"), *size)
        for name in ("entities", "walls", "doors", "lights"):
            by = (dx, dy) if name == "entities" else shift
            for item in list(self.draft.items(name).values()):
                moved = _moved(item, *by)
                xs = [moved[key] for key in ("x", "x1", "x2") if key in moved]
                ys = [moved[key] for key in ("y", "y1", "y2") if key in moved]
                inside = max(xs) >= 0 and max(ys) >= 0 and min(xs) <= right and min(ys) <= bottom
                if name == "entities":
                    inside = 0 <= moved["x"] < size[0] and 0 <= moved["y"] < size[1]
                self.draft.put(name, item, moved if inside else None)
        if "background" in self.draft.frame:
            self.draft.set_value("background", [_moved(self.draft.frame["background"], *shift)])

    # Rules

    def layer(self, edit: Edit, place: str) -> int:
        """The key of the layer that an edit paints on."""
        layer = self.draft.items("layers").get(edit["layer"])
        key = None if layer is None else self.draft.cells_of(layer)
        if key is None:
            raise _fault(f"{place}.layer", "not_found", "is the name of no layer with cells on this map")
        return key

    def named_layer(self, edit: Edit, place: str) -> Item:
        layer = self.draft.items("layers").get(edit["name"])
        if layer is None:
            raise _fault(f"{place}.name", "not_found", "is the name of no layer on this map")
        return layer

    def check_rectangle(self, x: int, y: int, width: int, height: int, place: str) -> None:
        sides = ("x", "width", x, width, self.canvas.width), ("y", "height", y, height, self.canvas.height)
        for start, length, begin, count, size in sides:
            if begin >= size:
                raise _fault(f"{place}.{start}", "out_of_bounds", f"must be less than {size}, the map's {length}")
            if begin + count > size:
                message = f"reaches beyond the map's {length}, {size}"
                raise _fault(f"{place}.{length}", "out_of_bounds", message)

    def check_symbol(self, symbol: str, place: str) -> None:
        if len(symbol) != 1:
            raise _fault(place, "not_a_symbol", "must be exactly one character")
        if symbol != EMPTY and symbol not in self.draft.items("legend"):
            message = f"{symbol!r} (U+{ord(symbol):04X}) is not in the legend"
            raise _fault(place, "unknown_symbol", message)

    def check_layer(self, layer: Item, rows: Any, place: str, renamed_from: str | None = None) -> None:
        document: dict[str, Any] = {"layers": [layer]}
        if rows is not None:
            legend = [{"symbol": symbol} for symbol in self.draft.items("legend")]
            size = {"width": self.canvas.width, "height": self.canvas.height}
            document = {**size, "legend": legend, "layers": [{**layer, "rows": rows}]}
        self.check(document, "layers[0]", place)
        if layer["name"] != renamed_from and layer["name"] in self.draft.items("layers"):
            raise _fault(f"{place}.name", "duplicate_name", "is the name of another layer")

    def check_index(self, name: str, index: int | None, words: str, place: str) -> None:
        """Whether a new item of a list can go to an index; None is the end."""
        count = len(self.draft.items(name))
        if index is not None and index > count:
            raise _fault(f"{place}.index", "out_of_range", f"must be at most {count}, the number of {words}")

    def check_room(self, name: str, place: str) -> None:
        most = getattr(self.limits, f"max_{name}")
        if len(self.draft.items(name)) >= most:
            raise _fault(place, "too_many", f"is one too many: a map has at most {most} of the {name}")

    def check(self, document: Mapping[str, Any], inner: str, place: str) -> None:
        """Check a part by the document's rules; a breach in `inner` is named as one in `place`."""
        try:
            check(document, self.limits, "")
        except GridError as error:
            raise GridError(
                Breach(breach.place.replace(f".{inner}", place, 1), breach.code, breach.message)
                for breach in error.breaches
            ) from None


def _size_of(edit: Edit) -> tuple[int, int]:
    """The width and height of a rectangle that is given by numbers or by rows."""
    if "rows" in edit:
        return len(edit["rows"][0]) if edit["rows"] else 0, len(edit["rows"])
    return edit["width"], edit["height"]


def _fill(rows: list[str], line: int, first: int, last: int, old: str, new: str) -> Iterable[tuple[int, int]]:
    """Fill all stretches of `old` in a row that meet first..last, and give them (first, last).

    A stretch is followed to both sides as far as the row goes.
    """
    row = rows[line]
    at = row.find(old, first, last + 1)
    while at >= 0:
        begin = len(row[:at].rstrip(old))
        end = len(row) - len(row[at:].lstrip(old))
        rows[line] = row = row[:begin] + new * (end - begin) + row[end:]
        yield begin, end - 1
        at = row.find(old, end, last + 1)


def _patched(value: Any, patch: Any) -> Any:
    """A JSON value after a merge patch (RFC 7396); both stay as they are."""
    if not isinstance(patch, dict):
        return patch
    patched = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            patched.pop(key, None)
        else:
            patched[key] = _patched(patched.get(key), change)
    return patched


def _shift(grid_type: GridType, dx: int, dy: int) -> tuple[float, float]:
    """How far points move when cells move by (dx, dy); by whole numbers where cells are square."""
    if grid_type not in HEXES:
        return dx, dy
    (x1, y1), (x2, y2) = centre(grid_type, (0, 0)), centre(grid_type, (dx, dy))
    return x2 - x1, y2 - y1


def _moved(item: Item, dx: float, dy: float) -> dict[str, Any]:
    moved = dict(item)
    for key, by in (("x", dx), ("x1", dx), ("x2", dx), ("y", dy), ("y1", dy), ("y2", dy)):
        if key in moved:
            moved[key] += by
    return moved
