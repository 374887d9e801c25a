"""Edits of layers, of the legend, of the map's own keys and of its size."""

from secrets import randbelow
from typing import Any, Final

from game.grid.canvas import Steps
from game.grid.changes import Item, cut_off
from game.grid.chunks import CHUNK, ROWS_MARK
from game.grid.document import EMPTY, MAX_VIOLATIONS, GridError, Violation, check
from game.grid.edits.editor import Editor, apply_merge_patch
from game.grid.edits.fields import ANCHORS, OTHER_EDITS, Edit, fault
from game.grid.geometry import HEXES, GridType, centre, extent
from game.grid.regrid import DoesNotFit, door, is_other_plane, light, wall

# The end of layer keys, so that ROWS_MARK + key has the digits that are searched for in the frame's text.
_LAYER_KEYS: Final = 259_000


def add_layer(editor: Editor, edit: Edit, place: str) -> None:
    """Add a layer, with or without rows."""
    layer, index = dict(edit["layer"]), edit["index"]
    rows = layer.pop("rows", None)
    editor.check_layer(layer, rows, f"{place}.layer")
    editor.check_room("layers", f"{place}.layer")
    editor.check_index("layers", index, "layers", place)
    taken = set(editor.draft.layer_keys())
    # Random, so that it is unlikely to be the key of a removed layer whose removal may still be undone.
    while (key := randbelow(_LAYER_KEYS)) in taken:
        pass
    editor.canvas.add_layer(key)
    editor.draft.put("layers", None, {**layer, "rows": ROWS_MARK + key}, index)
    for y, row in enumerate(rows or ()):
        if row.strip(EMPTY):
            editor.canvas.paint(key, 0, y, row)


def update_layer(editor: Editor, edit: Edit, place: str) -> None:
    """Change keys of a layer by a merge patch; its rows are changed by other edits."""
    before = _named_layer(editor, edit, place)
    if "rows" in edit["changes"]:
        message = "cannot be changed here: paste or set cells"
        raise fault(f"{place}.changes.rows", "unknown_field", message)
    after = apply_merge_patch(before, edit["changes"])
    layer = {name: value for name, value in after.items() if name != "rows"}
    editor.check_layer(layer, None, f"{place}.changes", renamed_from=edit["name"])
    editor.draft.put("layers", before, after)


def remove_layer(editor: Editor, edit: Edit, place: str) -> Steps[None]:
    """Remove a layer with its cells."""
    before = _named_layer(editor, edit, place)
    key = editor.draft.cells_of(before)
    if key is not None:
        yield from editor.canvas.want(layers=[key])
        editor.spend_layers([key])
        for chunk in editor.canvas.used(key):
            rows = editor.canvas.open(chunk)
            rows[:] = [EMPTY * len(row) for row in rows]
        editor.draft.flush()
    editor.draft.put("layers", before, None)


def move_layer(editor: Editor, edit: Edit, place: str) -> None:
    """Move a layer to another index."""
    before = _named_layer(editor, edit, place)
    order = list(editor.draft.items("layers"))
    if edit["index"] >= len(order):
        message = f"must be less than {len(order)}, the number of layers"
        raise fault(f"{place}.index", "out_of_range", message)
    if order[edit["index"]] != edit["name"]:
        editor.draft.put("layers", before, before, edit["index"])


def update_legend(editor: Editor, edit: Edit, place: str) -> None:
    """Change legend entries by merge patches; new symbols are added."""
    index = edit["index"]
    editor.check_index("legend", index, "legend entries", place)
    for number, changes in enumerate(edit["legend"]):
        here = f"{place}.legend[{number}]"
        symbol = changes.get("symbol") if isinstance(changes, dict) else None
        before = editor.draft.items("legend").get(symbol) if isinstance(symbol, str) else None
        after = apply_merge_patch(before, changes)
        editor.check({"legend": [after]}, "legend[0]", here)
        if before is not None:
            editor.draft.put("legend", before, after)
            continue
        editor.check_room("legend", here)
        editor.draft.put("legend", None, after, index)
        if index is not None:
            index += 1


def remove_legend_entry(editor: Editor, edit: Edit, place: str) -> Steps[None]:
    """Remove a legend entry that no cell uses."""
    symbol = edit["symbol"]
    before = editor.draft.items("legend").get(symbol)
    if before is None:
        raise fault(f"{place}.symbol", "not_found", "is not the symbol of a legend entry on this map")
    layers = editor.draft.layer_keys()
    yield from editor.canvas.want(layers=layers)
    # Searching for a symbol costs a fraction of painting.
    editor.spend_layers(layers, share=8)
    for name, layer in editor.draft.items("layers").items():
        key = editor.draft.cells_of(layer)
        cell = None if key is None else editor.canvas.find(key, symbol)
        if cell:
            message = f"is still in cell ({cell[0]}, {cell[1]}) of the layer {name}"
            raise fault(f"{place}.symbol", "in_use", message)
    # Flush the painted cells first, so that undo restores the entry before the cells.
    editor.draft.flush()
    editor.draft.put("legend", before, None)


def update_map(editor: Editor, edit: Edit, place: str) -> None:
    """Change the document's own keys by a merge patch."""
    changes, here = edit["changes"], f"{place}.changes"
    for key in changes:
        if key in OTHER_EDITS:
            message = f"cannot be changed here: use {OTHER_EDITS[key]}"
            raise fault(f"{here}.{key}", "unknown_field", message)
    # The rules for these keys concern one value each, so unchanged keys need not be checked again.
    check(apply_merge_patch(None, changes), editor.limits, here)
    if "grid_type" in changes:
        _regrid(editor, changes["grid_type"] or "square", f"{here}.grid_type")
    for key, change in changes.items():
        old = editor.draft.value(key)
        after = [] if change is None else [apply_merge_patch(old[0] if old else None, change)]
        editor.draft.set_value(key, after)


def _regrid(editor: Editor, new: GridType, place: str) -> None:
    """Convert walls, doors and lights to another grid type, so that they remain between or in the same cells.

    Raises:
        GridError: some do not fit; names each of these objects.
    """
    old: GridType = editor.draft.frame.get("grid_type", "square")
    if not is_other_plane(old, new):
        return
    size = editor.canvas.width, editor.canvas.height
    moved: list[tuple[str, Item, list[dict[str, Any]]]] = []
    violations = []
    for name in ("walls", "doors", "lights"):
        for index, item in enumerate(editor.draft.items(name).values()):
            editor.budget.spend(CHUNK)
            try:
                match name:
                    case "walls":
                        placed = wall(old, new, item, *size)
                    case "doors":
                        placed = [door(old, new, item, *size)]
                    case _:
                        placed = [light(old, new, item)]
            except DoesNotFit as reason:
                named = f" ({item['id']})" if "id" in item else ""
                message = f"{name}[{index}]{named} {reason}: remove or move it first"
                violations.append(Violation(place, "does_not_fit", message))
            else:
                moved.append((name, item, placed))
    if violations:
        raise GridError(violations[:MAX_VIOLATIONS])
    for name, before, (first, *more) in moved:
        editor.draft.put(name, before, first)
        for item in more:
            editor.check_room(name, place)
            editor.draft.put(name, None, {**item, "id": editor.new_id()} if "id" in item else item)


def resize(editor: Editor, edit: Edit, place: str) -> Steps[None]:
    """Change the size; objects and cells that are cut off are removed."""
    canvas, new = editor.canvas, (edit["width"], edit["height"])
    old = canvas.width, canvas.height
    if new == old:
        return
    grid_type: GridType = editor.draft.frame.get("grid_type", "square")
    dx, dy = (part * (b - a) // 2 for part, a, b in zip(ANCHORS[edit["anchor"]], old, new, strict=True))
    # Odd and even lines of hexes are staggered differently, so an odd shift would distort everything.
    dx, dy = dx - dx % 2 * (grid_type == "hex_column"), dy - dy % 2 * (grid_type == "hex_row")
    layers = editor.draft.layer_keys()
    yield from canvas.want(layers=layers)
    editor.spend_layers(layers)
    for layer in layers:
        for x, y, across, down in cut_off(old, new, dx, dy):
            for line in range(y, y + down):
                if canvas.read(layer, x, line, across).strip(EMPTY):
                    canvas.paint(layer, x, line, EMPTY * across)
    _move_things(editor, new, dx, dy, shift(grid_type, dx, dy))
    editor.draft.resize(*new, dx, dy)


def _move_things(editor: Editor, size: tuple[int, int], dx: int, dy: int, shift: tuple[float, float]) -> None:
    """Shift all objects, and remove those that would be outside the new size.

    Takes the size and the shift in cells, and the shift in points.
    """
    right, bottom = extent(editor.draft.frame.get("grid_type", "square"), *size)
    for name in ("entities", "walls", "doors", "lights"):
        by = (dx, dy) if name == "entities" else shift
        kept = 0
        for item in list(editor.draft.items(name).values()):
            moved = shifted(item, *by)
            xs = [moved[key] for key in ("x", "x1", "x2") if key in moved]
            ys = [moved[key] for key in ("y", "y1", "y2") if key in moved]
            inside = max(xs) >= 0 and max(ys) >= 0 and min(xs) <= right and min(ys) <= bottom
            if name == "entities":
                inside = 0 <= moved["x"] < size[0] and 0 <= moved["y"] < size[1]
            # Of equal objects without ids, the first one is removed.
            editor.draft.put(name, item, moved if inside else None, at=kept if "id" in item else None)
            kept += inside
    if "background" in editor.draft.frame:
        editor.draft.set_value("background", [shifted(editor.draft.frame["background"], *shift)])


def shift(grid_type: GridType, dx: int, dy: int) -> tuple[float, float]:
    """The shift of points if cells are shifted by (dx, dy)."""
    if grid_type not in HEXES:
        return dx, dy
    (x1, y1), (x2, y2) = centre(grid_type, (0, 0)), centre(grid_type, (dx, dy))
    return x2 - x1, y2 - y1


def shifted(item: Item, dx: float, dy: float) -> dict[str, Any]:
    """A shifted copy of an entity, wall, door, light or background."""
    moved = dict(item)
    for key, by in (("x", dx), ("x1", dx), ("x2", dx), ("y", dy), ("y1", dy), ("y2", dy)):
        if key in moved:
            moved[key] += by
    return moved


def _named_layer(editor: Editor, edit: Edit, place: str) -> Item:
    layer = editor.draft.items("layers").get(edit["name"])
    if layer is None:
        raise fault(f"{place}.name", "not_found", "does not name a layer on this map")
    return layer
