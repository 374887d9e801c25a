"""The memory of a group of viewers of a map with fog: the cells that they have seen, and what they last saw there.

A group is all players of a map together, or one of them (`fog_sharing`). Its memory is

- `explored`: the cells that it sees or has seen, one bit each;
- what has changed out of its sight, as it was when last seen. Only differences from the current map are stored:
symbols of cells by layer, the walls in a cell, doors, entities, lights, and removed legend entries and layers.

The rules:

- While a cell is in sight, its current state is known. A change out of sight leaves the old state in memory until
the cell is in sight again, or is revealed by a game master.
- A door, entity or light is seen while any of its cells is in sight, and remembered where it was last seen. It is
  forgotten when it is seen again, anywhere, or when a cell in which it is remembered is in sight and it is not
  there.
- Walls are remembered per cell. The side between two cells belongs to both: if it is seen from one of them, it is
known in both.
- A layer that is removed or hidden leaves its cells in memory like any others that change, and is itself kept,
  in its place among the layers, as long as any of its cells is remembered. The cells of a layer that is added or
  shown are seen when they are in sight. A layer is identified by its key (`chunks.layer_keys`): one that is given
  the key of another counts as that layer with a new name. All else about layers, the legend and the document's own
  keys is known as it is now.

How to use it, for each group (all functions are pure, and take the scene, `game.grid.scene`, after the change):

| what happened | function |
|---|---|
| a token moved, came, went or changed, or a token's light | `see`, with what is in sight now |
| the map was edited, replaced or undone | `remember`, with what is in sight now |
| a game master reveals or hides cells | `reveal`, `hide` |
| the map was resized | `resized` |
| sharing changed from `party` to `each` | give each player the same memory |
| sharing changed from `each` to `party` | `join` |
| the grid type changed, a member was removed | NOTHING |

A memory may be loaded in part, if it has the chunks that are in sight, changed, revealed or hidden, the chunks
beside those (`chunks_beside`), and the chunks of all things that it remembers or that changed (`chunks_of`).
`pack` and `unpack` convert it to what is stored: 512 bytes per chunk for `explored`, and JSON where something
differs.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from game.grid.cell_sets import (
    CHUNK_BYTES,
    NONE,
    Cells,
    ChunkXY,
    bits_of,
    cells_from,
    contains,
    difference,
    intersection,
    moved,
    rectangle,
    union,
)
from game.grid.changes import same
from game.grid.chunks import CHUNK, ChunkKey
from game.grid.document import EMPTY
from game.grid.edits.frame import shifted
from game.grid.geometry import Cell, Point, neighbours
from game.grid.scene import KINDS, Scene, moved_key
from game.grid.segments import Piece, divide, merge, piece, pieces_by_cell, pieces_by_chunk

AS_NOW: Final = "\uffff"
"""In remembered rows: the cell does not differ from the current map. This character cannot be a symbol."""

Things: TypeAlias = Mapping[str, Mapping[str, dict[str, Any] | None]]
"""Differences from the current map, by kind and key: the object as it was last seen, or None for an existing
object that is not known."""

Rows: TypeAlias = Sequence[str] | None
"""The rows of a chunk; None for an empty one."""

_LINE: Final = (1 << CHUNK) - 1


class ChunkDiff(NamedTuple):
    """The differences from the current map in a chunk.

    `rows`: 64 symbols by layer key and line (0 to 63), AS_NOW where nothing differs. `walls`: the pieces of walls
    in a cell, by bit (64 y + x in the chunk).
    """

    rows: Mapping[int, Mapping[int, str]] = MappingProxyType({})
    walls: Mapping[int, Sequence[Piece]] = MappingProxyType({})


class Memory(NamedTuple):
    """What a group of viewers remembers; immutable.

    `legend` has removed entries by symbol, and `layers` removed layers by key. If there are any, `order` has the
    keys of all known layers from the bottom up.
    """

    explored: Cells = NONE
    chunks: Mapping[ChunkXY, ChunkDiff] = MappingProxyType({})
    things: Things = MappingProxyType({})
    legend: Mapping[str, dict[str, Any]] = MappingProxyType({})
    layers: Mapping[int, dict[str, Any]] = MappingProxyType({})
    order: tuple[int, ...] = ()


NOTHING: Final = Memory()


def see(memory: Memory, scene: Scene, visible: Cells) -> Memory:
    """The memory of a group after it saw some cells: they become explored, and their current state is known."""
    explored = union(memory.explored, visible)
    chunks = dict(memory.chunks)
    for chunk in memory.chunks.keys() & chunks_beside(visible):
        diff = memory.chunks[chunk]
        rows = _rows_within(diff.rows, ~visible.get(chunk, 0)) if chunk in visible else diff.rows
        walls = _unseen_walls(diff.walls, chunk, scene, visible) if diff.walls else {}
        _put(chunks, chunk, ChunkDiff(rows, walls))
    things = _unseen_things(memory.things, scene, visible, explored)
    return memory._replace(explored=explored, chunks=chunks, things=things)


def reveal(memory: Memory, scene: Scene, cells: Cells) -> Memory:
    """The memory of a group after cells were revealed to it in their current state."""
    return see(memory, scene, intersection(cells, rectangle(0, 0, scene.width, scene.height)))


def hide(memory: Memory, scene: Scene, cells: Cells, visible: Cells) -> Memory:
    """The memory of a group after cells were hidden from it; cells in sight stay explored."""
    explored = union(difference(memory.explored, cells), visible)
    return _limited_to(memory, scene, explored)


def remember(
    memory: Memory,
    before: Scene,
    after: Scene,
    rows: Mapping[ChunkKey, tuple[Rows, Rows]],
    things: Sequence[tuple[str, str]],
    visible: Cells,
) -> Memory:
    """The memory of a group after a change of the map.

    Takes the map before and after, and the rows of each chunk that changed, before and after; of layers that were
    added, removed, hidden or shown, those of all chunks that are not empty. `things` are those that changed
    (`changed_things`), `visible` is what is in sight after the change. Both scenes have the same grid type. If the
    size differs, cells keep their coordinates.
    """
    # First, the known old state of everything that changed is recorded. Then, what is in sight or unchanged is
    # removed.
    explored = memory.explored
    if (before.width, before.height) != (after.width, after.height):
        explored = intersection(explored, rectangle(0, 0, after.width, after.height))
        memory = _limited_to(memory, after, explored)
    chunks = dict(memory.chunks)
    for (layer, column, band), (old, new) in rows.items():
        known = explored.get((column, band), 0)
        if known and (layer in before.layers or layer in after.layers):
            diff = chunks.get((column, band), ChunkDiff())
            old_rows = old if layer in before.layers else None
            new_rows = new if layer in after.layers else None
            lines = _rows_after(diff.rows.get(layer, {}), old_rows, new_rows, known)
            chunks[column, band] = diff._replace(rows={**diff.rows, layer: lines})
    _record_walls(chunks, before, after, explored)
    for chunk, diff in list(chunks.items()):
        _put(chunks, chunk, diff)
    remembered = _things_after(memory, things, before)
    entries = (*before.legend.items(), *memory.legend.items())
    legend = {symbol: entry for symbol, entry in entries if symbol not in after.legend}
    known_layers = (*memory.layers.items(), *before.layers_by_key.items())
    layers = {key: layer for key, layer in known_layers if key not in after.layers}
    order = layer_order(layer_order(memory.order, before), after) if layers else ()
    return see(Memory(explored, chunks, remembered, legend, layers, order), after, visible)


def layer_order(order: Sequence[int], scene: Scene) -> tuple[int, ...]:
    """The keys of all known layers from the bottom up: those of the scene, and the removed ones of `order`, each
    above the layer that it was above."""
    found = list(scene.layers_by_key)
    below: int | None = None
    for key in order:
        if key not in scene.layers:
            found.insert(0 if below is None else found.index(below) + 1, key)
        below = key
    return tuple(found)


def resized(memory: Memory, after: Scene, dx: int, dy: int, shift: Point) -> Memory:
    """The memory of a group after a change of the map's size that shifted its cells by (dx, dy), and its points by
    `shift`.

    `after` is the map in its new size, with nothing else changed. On hexes dx (hex_column) or dy (hex_row) is
    even.
    """
    explored = moved(memory.explored, dx, dy, after.width, after.height)
    chunks: dict[ChunkXY, ChunkDiff] = {}
    for (column, band), diff in memory.chunks.items():
        left, top = column * CHUNK + dx, band * CHUNK + dy
        for layer, lines in diff.rows.items():
            for line, text in lines.items():
                _add_row(chunks, layer, left, top + line, text)
        for bit, pieces in diff.walls.items():
            x, y = left + bit % CHUNK, top + bit // CHUNK
            if x >= 0 and y >= 0:
                _add_walls(chunks, (x, y), [_moved_piece(one, shift) for one in pieces])
    things: dict[str, dict[str, dict[str, Any] | None]] = {}
    for kind, remembered in memory.things.items():
        offset = (dx, dy) if kind == "entities" else shift
        things[kind] = {
            moved_key(key, offset): thing and shifted(thing, *offset) for key, thing in remembered.items()
        }
    moved_memory = memory._replace(explored=explored, chunks=chunks, things=things)
    return _limited_to(moved_memory, after, explored)


def join(memories: Sequence[Memory], scene: Scene, visible: Cells) -> Memory:
    """Merge the memories of several groups.

    What is known in its current state by one of them is so in the result. If several remember different states,
    the first one's is used. The two cells beside a side may then remember it differently. The result contains
    nothing that none of them knew.
    """
    explored = union(NONE, *(memory.explored for memory in memories))
    chunks: dict[ChunkXY, ChunkDiff] = {}
    for chunk in {chunk for memory in memories for chunk in memory.chunks}:
        _put(chunks, chunk, _joined_chunk(memories, chunk))
    things: dict[str, dict[str, dict[str, Any] | None]] = {}
    for kind in KINDS:
        things[kind] = {}
        for key in {key for memory in memories for key in memory.things.get(kind, ())}:
            known = [_known_thing(memory, scene, kind, key) for memory in memories]
            if scene.thing(kind, key) is None or scene.thing(kind, key) not in known:
                things[kind][key] = next(filter(None, known), None)
    legend = {symbol: entry for memory in reversed(memories) for symbol, entry in memory.legend.items()}
    layers = {key: layer for memory in reversed(memories) for key, layer in memory.layers.items()}
    order: tuple[int, ...] = ()
    for memory in memories if layers else ():
        order += tuple(key for key in memory.order if key not in order)
    return see(Memory(explored, chunks, things, legend, layers, order), scene, visible)


def known_rows(memory: Memory, key: ChunkKey, rows: Sequence[str]) -> list[str]:
    """The remembered rows of a chunk, from the current ones, as if all of it was explored."""
    layer, column, band = key
    lines = memory.chunks.get((column, band), ChunkDiff()).rows.get(layer, {})
    known = list(rows)
    for line, text in lines.items():
        if line < len(known):
            now = known[line]
            known[line] = "".join(a if b == AS_NOW else b for a, b in zip(now, text, strict=False))
    return known


def known_walls(memory: Memory, scene: Scene, cells: Cells) -> list[Piece]:
    """The remembered walls in some cells, merged."""
    found: list[Piece] = []
    unchanged = dict(cells)
    for chunk, diff in memory.chunks.items():
        for bit, pieces in diff.walls.items():
            if unchanged.get(chunk, 0) >> bit & 1:
                unchanged[chunk] &= ~(1 << bit)
                found += pieces
    for pieces in scene.walls_in(unchanged).values():
        found += pieces
    return merge(found)


def known_things(memory: Memory, scene: Scene, kind: str) -> dict[str, dict[str, Any]]:
    """The remembered objects of a kind, by key in ascending order, as if all of the map was explored."""
    remembered = memory.things.get(kind, {})
    found = {}
    for key in sorted(scene.things[kind].keys() | remembered.keys()):
        thing = remembered[key] if key in remembered else scene.thing(kind, key)
        if thing is not None:
            found[key] = thing
    return found


def chunks_beside(cells: Cells) -> set[ChunkXY]:
    """The chunks of some cells, and the chunks around them."""
    around = (-1, 0, 1)
    return {(x + i, y + j) for x, y in cells for i in around for j in around if x + i >= 0 and y + j >= 0}


def chunks_of(memory: Memory, scene: Scene, changed: Iterable[tuple[str, str]] = ()) -> set[ChunkXY]:
    """The chunks of the objects that are remembered or have changed; these as (kind, key)."""
    keys = {*changed, *((kind, key) for kind, remembered in memory.things.items() for key in remembered)}
    cells: list[Cell] = []
    for kind, key in keys:
        for thing in (memory.things.get(kind, {}).get(key), scene.thing(kind, key)):
            if thing is not None:
                cells += scene.cells_of(kind, thing)
    return {(x // CHUNK, y // CHUNK) for x, y in cells}


def pack(memory: Memory) -> tuple[dict[ChunkXY, tuple[bytes, dict[str, Any] | None]], dict[str, Any]]:
    """The stored form of a memory: for each chunk the explored cells, and the differences as JSON or None; and the
    data of the whole map as JSON."""
    chunks = {}
    for chunk in memory.explored.keys() | memory.chunks.keys():
        differs = None
        if diff := memory.chunks.get(chunk):
            rows = {
                str(layer): {str(line): text for line, text in lines.items()} for layer, lines in diff.rows.items()
            }
            walls = {str(bit): [list(one) for one in pieces] for bit, pieces in diff.walls.items()}
            differs = {"rows": rows, "walls": walls}
        chunks[chunk] = memory.explored.get(chunk, 0).to_bytes(CHUNK_BYTES, "little"), differs
    things = {kind: dict(remembered) for kind, remembered in memory.things.items() if remembered}
    layers = {str(key): layer for key, layer in memory.layers.items()}
    whole = {"things": things, "legend": dict(memory.legend), "layers": layers, "order": list(memory.order)}
    return chunks, whole


def unpack(
    chunks: Mapping[ChunkXY, tuple[bytes, Mapping[str, Any] | None]], whole: Mapping[str, Any] | None
) -> Memory:
    """The memory from its stored form; `whole` is None if nothing was stored."""
    explored = {chunk: int.from_bytes(bits, "little") for chunk, (bits, _) in chunks.items() if any(bits)}
    diffs = {
        chunk: ChunkDiff(
            {
                int(layer): {int(line): text for line, text in lines.items()}
                for layer, lines in differs["rows"].items()
            },
            {int(bit): [Piece(*one) for one in pieces] for bit, pieces in differs["walls"].items()},
        )
        for chunk, (_, differs) in chunks.items()
        if differs
    }
    if whole is None:
        return Memory(explored, diffs)
    layers = {int(key): layer for key, layer in whole["layers"].items()}
    return Memory(explored, diffs, whole["things"], whole["legend"], layers, tuple(whole["order"]))


def _put(chunks: dict[ChunkXY, ChunkDiff], chunk: ChunkXY, diff: ChunkDiff) -> None:
    """Store the differences in a chunk, if there are any."""
    rows = {layer: lines for layer, lines in diff.rows.items() if lines}
    if rows or diff.walls:
        chunks[chunk] = ChunkDiff(rows, diff.walls)
    else:
        chunks.pop(chunk, None)


def _rows_after(remembered: Mapping[int, str], old: Rows, new: Rows, known: int) -> dict[int, str]:
    """The remembered rows of a chunk after a change, with the old symbols of the known cells that changed."""
    result = dict(remembered)
    for line in range(CHUNK):
        before = (old[line] if old and line < len(old) else "").ljust(CHUNK, EMPTY)
        after = (new[line] if new and line < len(new) else "").ljust(CHUNK, EMPTY)
        bits = known >> line * CHUNK & _LINE
        if before == after or not bits:
            continue
        text = remembered.get(line, AS_NOW * CHUNK)
        symbols = [
            (a if text[x] == AS_NOW else text[x]) if bits >> x & 1 else AS_NOW for x, a in enumerate(before)
        ]
        result[line] = "".join(AS_NOW if a == b else a for a, b in zip(symbols, after, strict=True))
    return {line: text for line, text in result.items() if text.strip(AS_NOW)}


def _rows_within(rows: Mapping[int, Mapping[int, str]], cells: int) -> dict[int, dict[int, str]]:
    """The remembered rows of a chunk, limited to some cells."""
    found: dict[int, dict[int, str]] = {}
    for layer, lines in rows.items():
        found[layer] = {}
        for line, text in lines.items():
            bits = cells >> line * CHUNK & _LINE
            masked = "".join(a if bits >> x & 1 else AS_NOW for x, a in enumerate(text))
            if masked.strip(AS_NOW):
                found[layer][line] = masked
    return found


def _record_walls(chunks: dict[ChunkXY, ChunkDiff], before: Scene, after: Scene, explored: Cells) -> None:
    """Record the old walls in the explored cells where walls have changed."""
    changed = () if before.piece_set is after.piece_set else before.piece_set ^ after.piece_set
    if not changed:
        return
    width, height = max(before.width, after.width), max(before.height, after.height)
    changed_cells: list[Cell] = []
    for (column, band), pieces in pieces_by_chunk(after.grid.type, changed, width, height).items():
        if (column, band) in explored:
            left, top = column * CHUNK, band * CHUNK
            box = left, top, min(left + CHUNK, width), min(top + CHUNK, height)
            changed_cells += pieces_by_cell(after.grid.type, pieces, width, height, box)
    cells = intersection(cells_from(changed_cells), explored)
    old, new = before.walls_in(cells), after.walls_in(cells)
    for chunk, bits in cells.items():
        diff = chunks.get(chunk, ChunkDiff())
        walls = dict(diff.walls)
        for bit in bits_of(bits):
            cell = chunk[0] * CHUNK + bit % CHUNK, chunk[1] * CHUNK + bit // CHUNK
            known = walls.pop(bit, old.get(cell, []))
            if known != new.get(cell, []):
                walls[bit] = known
        chunks[chunk] = diff._replace(walls=walls)


def _unseen_walls(
    remembered: Mapping[int, Sequence[Piece]], chunk: ChunkXY, scene: Scene, visible: Cells
) -> dict[int, Sequence[Piece]]:
    """The remembered walls in a chunk, without the cells in sight and their sides."""
    result: dict[int, Sequence[Piece]] = {}
    for bit, pieces in remembered.items():
        cell = chunk[0] * CHUNK + bit % CHUNK, chunk[1] * CHUNK + bit // CHUNK
        if contains(visible, *cell):
            continue
        beside = (other for other in neighbours(scene.grid, cell) if min(other) >= 0)
        visible_beside = [other for other in beside if contains(visible, *other)]
        if visible_beside:
            now = scene.walls_in(cells_from([cell])).get(cell, [])
            seen, _ = divide(scene.grid.type, now, visible_beside)
            _, unseen = divide(scene.grid.type, pieces, visible_beside)
            pieces = merge([*seen, *unseen])
            if pieces == now:
                continue
        result[bit] = pieces
    return result


def _things_after(memory: Memory, changed: Iterable[tuple[str, str]], before: Scene) -> Things:
    """The remembered objects after a change, with the known old states of those that changed."""
    remembered = {kind: dict(memory.things.get(kind, {})) for kind in KINDS}
    for kind, key in changed:
        if key not in remembered[kind]:
            thing = before.thing(kind, key)
            seen = thing is not None and _any_in(before.cells_of(kind, thing), memory.explored)
            remembered[kind][key] = thing if seen else None
    return remembered


def _unseen_things(things: Things, scene: Scene, visible: Cells, explored: Cells) -> Things:
    """The remembered objects, without those that are seen, and without positions that are known to be outdated."""
    result: dict[str, dict[str, dict[str, Any] | None]] = {}
    for kind, remembered in things.items():
        remaining: dict[str, dict[str, Any] | None] = {}
        for key, last_seen in remembered.items():
            now = scene.thing(kind, key)
            cells = [] if now is None else scene.cells_of(kind, now)
            if _any_in(cells, visible):
                continue
            if last_seen is not None:
                last_cells = scene.cells_of(kind, last_seen)
                if _any_in(last_cells, visible) or not _any_in(last_cells, explored):
                    last_seen = None
            # Without an entry, its current state would count as known where its cells are explored.
            if not same(last_seen, now if _any_in(cells, explored) else None):
                remaining[key] = last_seen
        if remaining:
            result[kind] = remaining
    return result


def _known_thing(memory: Memory, scene: Scene, kind: str, key: str) -> dict[str, Any] | None:
    remembered = memory.things.get(kind, {})
    if key in remembered:
        return remembered[key]
    now = scene.thing(kind, key)
    return now if now is not None and _any_in(scene.cells_of(kind, now), memory.explored) else None


def _limited_to(memory: Memory, scene: Scene, explored: Cells) -> Memory:
    """A memory without data of cells that are not explored."""
    chunks: dict[ChunkXY, ChunkDiff] = {}
    for chunk, diff in memory.chunks.items():
        bits = explored.get(chunk, 0)
        walls = {bit: pieces for bit, pieces in diff.walls.items() if bits >> bit & 1}
        _put(chunks, chunk, ChunkDiff(_rows_within(diff.rows, bits), walls))
    things = _unseen_things(memory.things, scene, NONE, explored)
    return memory._replace(explored=explored, chunks=chunks, things=things)


def _joined_chunk(memories: Sequence[Memory], chunk: ChunkXY) -> ChunkDiff:
    """The cells of a chunk whose current state none of several groups knows, although some have explored them."""
    explorers = [memory for memory in memories if memory.explored.get(chunk)]
    rows: dict[int, dict[int, str]] = {}
    walls: dict[int, Sequence[Piece]] = {}
    places = {
        (layer, line, x)
        for memory in explorers
        for layer, lines in memory.chunks.get(chunk, ChunkDiff()).rows.items()
        for line, text in lines.items()
        for x, symbol in enumerate(text)
        if symbol != AS_NOW
    }
    for layer, line, x in places:
        symbols = [
            memory.chunks.get(chunk, ChunkDiff()).rows.get(layer, {}).get(line, AS_NOW * CHUNK)[x]
            for memory in explorers
            if memory.explored[chunk] >> line * CHUNK + x & 1
        ]
        if AS_NOW not in symbols:
            text = rows.setdefault(layer, {}).get(line, AS_NOW * CHUNK)
            rows[layer][line] = text[:x] + symbols[0] + text[x + 1 :]
    for bit in {bit for memory in explorers for bit in memory.chunks.get(chunk, ChunkDiff()).walls}:
        known = [
            memory.chunks.get(chunk, ChunkDiff()).walls.get(bit)
            for memory in explorers
            if memory.explored[chunk] >> bit & 1
        ]
        if known and known[0] is not None and None not in known:
            walls[bit] = known[0]
    return ChunkDiff(rows, walls)


def _any_in(cells: Iterable[Cell], within: Cells) -> bool:
    return any(contains(within, *cell) for cell in cells)


def _add_row(chunks: dict[ChunkXY, ChunkDiff], layer: int, left: int, y: int, text: str) -> None:
    """Insert a remembered row that begins in the cell (left, y)."""
    if y < 0:
        return
    for column in (left // CHUNK, left // CHUNK + 1):
        begin = column * CHUNK - left
        part = (AS_NOW * -begin + text)[max(begin, 0) : max(begin, 0) + CHUNK].ljust(CHUNK, AS_NOW)
        if column >= 0 and part.strip(AS_NOW):
            diff = chunks.setdefault((column, y // CHUNK), ChunkDiff({}, {}))
            lines = {**diff.rows.get(layer, {})}
            old = lines.get(y % CHUNK, AS_NOW * CHUNK)
            lines[y % CHUNK] = "".join(b if a == AS_NOW else a for a, b in zip(part, old, strict=True))
            chunks[column, y // CHUNK] = diff._replace(rows={**diff.rows, layer: lines})


def _add_walls(chunks: dict[ChunkXY, ChunkDiff], cell: Cell, pieces: Sequence[Piece]) -> None:
    x, y = cell
    chunk, bit = (x // CHUNK, y // CHUNK), y % CHUNK * CHUNK + x % CHUNK
    diff = chunks.get(chunk, ChunkDiff())
    chunks[chunk] = diff._replace(walls={**diff.walls, bit: pieces})


def _moved_piece(one: Piece, offset: Point) -> Piece:
    return piece(one.x1 + offset[0], one.y1 + offset[1], one.x2 + offset[0], one.y2 + offset[1], *one[4:])
