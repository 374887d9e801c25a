"""Edits of cells: set, fill, paste, replace and flood fill."""

from collections import defaultdict
from collections.abc import Iterable

from game.grid.canvas import Steps
from game.grid.chunks import CHUNK, ChunkKey
from game.grid.document import EMPTY
from game.grid.edits.editor import Editor
from game.grid.edits.fields import Edit

_STRETCH_COST = CHUNK
"""The cost of a run of a flood fill, in cells: it takes about as long as painting a row of a chunk."""


def reached(editor: Editor, edit: Edit) -> Iterable[ChunkKey]:
    """The chunks that an edit touches, if they are known in advance; none for an invalid edit, which is refused
    when it is applied."""
    if edit["op"] not in ("set", "fill_rectangle", "paste") or (key := editor.key_of(edit["layer"])) is None:
        return ()
    if edit["op"] == "set":
        spots = {
            (cell["x"] // CHUNK, cell["y"] // CHUNK)
            for cell in edit["cells"]
            if editor.holds(cell["x"], cell["y"])
        }
        return [(key, *spot) for spot in spots]
    width, height = _size(edit)
    if edit["x"] + width > editor.canvas.width or edit["y"] + height > editor.canvas.height:
        return ()
    return editor.canvas.keys(key, edit["x"], edit["y"], width, height)


def set_cells(editor: Editor, edit: Edit, place: str) -> None:
    """Set single cells."""
    layer = editor.layer(edit, place)
    known = {*editor.draft.items("legend"), EMPTY}
    for index, cell in enumerate(edit["cells"]):
        x, y, symbol = cell["x"], cell["y"], cell["symbol"]
        if symbol not in known or not editor.holds(x, y):
            editor.check_rectangle(x, y, 1, 1, f"{place}.cells[{index}]")
            editor.check_symbol(symbol, f"{place}.cells[{index}].symbol")
        editor.canvas.paint(layer, x, y, symbol)


def fill_rectangle(editor: Editor, edit: Edit, place: str) -> None:
    """Set all cells of a rectangle to one symbol."""
    layer = editor.layer(edit, place)
    editor.check_rectangle(edit["x"], edit["y"], edit["width"], edit["height"], place)
    editor.check_symbol(edit["symbol"], f"{place}.symbol")
    editor.canvas.fill(layer, edit["x"], edit["y"], edit["width"], edit["height"], edit["symbol"])


def paste(editor: Editor, edit: Edit, place: str) -> None:
    """Paint rows; with `transparent`, their spaces are skipped."""
    layer, rows = editor.layer(edit, place), edit["rows"]
    editor.check_rectangle(edit["x"], edit["y"], *_size(edit), place)
    known = {*editor.draft.items("legend"), EMPTY}
    for index, row in enumerate(rows):
        if not known.issuperset(row):
            for symbol in row:
                editor.check_symbol(symbol, f"{place}.rows[{index}]")
        y, painted = edit["y"] + index, row
        if edit["transparent"] and EMPTY in row:
            under = editor.canvas.read(layer, edit["x"], y, len(row))
            painted = "".join(old if new == EMPTY else new for old, new in zip(under, row, strict=True))
        editor.canvas.paint(layer, edit["x"], y, painted)


def replace(editor: Editor, edit: Edit, place: str) -> Steps[None]:
    """Replace one symbol of a layer by another."""
    layer, old, new = editor.layer(edit, place), edit["symbol"], edit["with"]
    editor.check_symbol(old, f"{place}.symbol")
    editor.check_symbol(new, f"{place}.with")
    canvas = editor.canvas
    yield from canvas.want(layers=[layer])
    if old == EMPTY:
        editor.budget.spend(canvas.width * canvas.height)
        keys = canvas.keys(layer, 0, 0, canvas.width, canvas.height)
    else:
        editor.spend_layers([layer])
        keys = canvas.used(layer)
    for key in keys:
        rows = canvas.open(key)
        rows[:] = [row.replace(old, new) for row in rows]


def flood_fill(editor: Editor, edit: Edit, place: str) -> Steps[None]:
    """Fill the cells of one symbol that are connected by their sides to the one at (x, y)."""
    layer, x, y, symbol = editor.layer(edit, place), edit["x"], edit["y"], edit["symbol"]
    editor.check_rectangle(x, y, 1, 1, place)
    editor.check_symbol(symbol, f"{place}.symbol")
    yield from editor.canvas.want([(layer, x // CHUNK, y // CHUNK)])
    old = editor.canvas.read(layer, x, y, 1)
    if old != symbol:
        yield from _Flood(editor, layer, old, symbol).run(x, y)


class _Flood:
    """A flood fill over chunks: it processes those that are loaded, and requests more when none are left."""

    def __init__(self, editor: Editor, layer: int, old: str, new: str) -> None:
        self._canvas, self._budget = editor.canvas, editor.budget
        self._grid_type = editor.draft.frame.get("grid_type", "square")
        self._layer, self._old, self._new = layer, old, new
        # Runs (y, first x, last x) from which the flood may spread, by chunk.
        self._waiting: dict[ChunkKey, list[tuple[int, int, int]]] = defaultdict(list)
        self._filled: set[ChunkKey] = set()

    def run(self, x: int, y: int) -> Steps[None]:
        """Fill from a cell on."""
        self._spread((y, x, x))
        while self._waiting:
            key = next((key for key in self._waiting if self._canvas.knows(key)), None)
            if key is None:
                yield from self._canvas.want(self._waiting)
                continue
            rows, left, top = self._canvas.open(key), key[1] * CHUNK, key[2] * CHUNK
            if rows == [self._old * len(rows[0])] * len(rows):
                self._filled.add(key)
                self._fill_whole(rows, left, top)
            else:
                runs = self._waiting[key]
                while runs:
                    y, first, last = runs.pop()
                    self._budget.spend(_STRETCH_COST)
                    for begin, end in _fill(rows, y - top, first - left, last - left, self._old, self._new):
                        self._budget.spend(_STRETCH_COST)
                        for beside in self._beside(y, begin + left, end + left):
                            self._spread(beside)
            del self._waiting[key]

    def _fill_whole(self, rows: list[str], left: int, top: int) -> None:
        """Fill a chunk that has only the old symbol."""
        right, bottom = left + len(rows[0]) - 1, top + len(rows) - 1
        self._budget.spend(CHUNK * len(rows))
        rows[:] = [self._new * len(rows[0])] * len(rows)
        for y in range(top, bottom + 1):
            before, behind, above, below = self._beside(y, left, right)
            self._spread(before)
            self._spread(behind)
            if y == top:
                self._spread(above)
            if y == bottom:
                self._spread(below)

    def _beside(self, y: int, first: int, last: int) -> tuple[tuple[int, int, int], ...]:
        """The runs that share sides with a run of cells in a row: left, right, above and below."""
        up, down = (first, last), (first, last)
        if self._grid_type == "hex_row":
            up = down = (first, last + 1) if y % 2 else (first - 1, last)
        elif self._grid_type == "hex_column":
            # Even columns also touch the row above at both sides, odd ones the row below.
            up = (first - (first % 2 == 0), last + (last % 2 == 0))
            down = (first - first % 2, last + last % 2)
        return ((y, first - 1, first - 1), (y, last + 1, last + 1), (y - 1, *up), (y + 1, *down))

    def _spread(self, run: tuple[int, int, int]) -> None:
        """Add the part of a run that is on the map to the runs of its chunks."""
        y, first, last = run
        first, last = max(first, 0), min(last, self._canvas.width - 1)
        if not 0 <= y < self._canvas.height:
            return
        for column in range(first // CHUNK, last // CHUNK + 1) if first <= last else ():
            key = self._layer, column, y // CHUNK
            if key not in self._filled:
                part = (y, max(first, column * CHUNK), min(last, column * CHUNK + CHUNK - 1))
                self._waiting[key].append(part)


def _fill(rows: list[str], line: int, first: int, last: int, old: str, new: str) -> Iterable[tuple[int, int]]:
    """Fill all runs of `old` in a row that overlap first..last; returns them as (first, last).

    Runs are filled to their full length.
    """
    row = rows[line]
    at = row.find(old, first, last + 1)
    while at >= 0:
        begin = len(row[:at].rstrip(old))
        end = len(row) - len(row[at:].lstrip(old))
        rows[line] = row = row[:begin] + new * (end - begin) + row[end:]
        yield begin, end - 1
        at = row.find(old, end, last + 1)


def _size(edit: Edit) -> tuple[int, int]:
    """The width and height of the rectangle of an edit, from its numbers or its rows."""
    if "rows" in edit:
        return len(edit["rows"][0]) if edit["rows"] else 0, len(edit["rows"])
    return edit["width"], edit["height"]
