"""What players get of a map with fog: the current state of what is in sight, and the remembered state of what was
seen before.

The rules, in addition to those of `game.grid.player_view`:

- A cell is shown if it is in sight, or if it is explored and the fog's mode is `explored`. All others are
  spaces, on every layer.
- Doors, entities and lights are shown if any of their cells is. Doors are cut to the cells shown; if a door is cut
into several pieces, only the first has its id.
- Walls are cut to the cells shown in which they lie, and merged. Pieces are merged only if they are on exactly the
  same line: diagonal walls stay cut at each cell.
- In the mode `explored`, what is out of sight is shown as it is remembered (`game.grid.memory`).
- Objects are in the order of their keys (`Scene.things`), so that the order does not reveal which are remembered.
  Legend entries are in the order of their symbols, and only those that a cell shown uses are sent.
- `background` has no `asset_id`.
- `fog` is `{"mode", "rows"}`, a character per cell: `2` in sight, `1` seen before, `0` neither. In the mode
  `sight` no cell is `1`.

`FoggedView.frame` and `FoggedView.rows` are the frame and the chunks of the map as the player knows it, so
functions for stored maps also work on it (`through`): `paths.find`, `moves`, `sight.view`. `whole` and `part`
build the response for a map and for a region.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from game.grid.canvas import Result, Steps
from game.grid.cell_sets import Cells, ChunkXY, contains, intersection, rectangle, union
from game.grid.chunks import CHUNK, ROWS_MARK, ChunkKey, Frame, region, touching
from game.grid.document import EMPTY
from game.grid.memory import NOTHING, Memory, known_rows, known_things, known_walls, layer_order
from game.grid.moves import Known
from game.grid.player_view import players_document, symbols_of
from game.grid.scene import KINDS, Scene
from game.grid.segments import cut, joined, touched

Mode: TypeAlias = Literal["explored", "sight"]

_ONES: Final = re.compile("1+")
_LINE: Final = (1 << CHUNK) - 1
_CELLS: Final = CHUNK * CHUNK
_ZEROS: Final = int.from_bytes(b"0" * _CELLS)


class FoggedView:
    """What a group of viewers knows of a map.

    `shown` are the cells that are shown. A view is a snapshot: create a new one after each change.
    """

    def __init__(self, scene: Scene, memory: Memory, visible: Cells, mode: Mode) -> None:
        self.scene, self.visible, self.mode = scene, visible, mode
        self.memory = memory if mode == "explored" else NOTHING
        self.shown = union(memory.explored, visible) if mode == "explored" else visible

    @cached_property
    def layers(self) -> Mapping[int, dict[str, Any]]:
        """The layers with rows that the viewers know, by key from the bottom up; removed layers are included while
        any of their cells is remembered."""
        now, gone = self.scene.layers_by_key, self.memory.layers
        names = {layer["name"] for layer in now.values()}
        kept = {key for memory in self.memory.chunks.values() for key in memory.rows}
        found = {}
        for key in layer_order(self.memory.order, self.scene):
            if key in now:
                found[key] = now[key]
            elif key in kept and key in gone and gone[key]["name"] not in names:
                found[key] = gone[key]
        return found

    def rows(self, key: ChunkKey, rows: Sequence[str]) -> list[str] | None:
        """The rows of a chunk as the viewers know them, from the stored rows; None for an empty chunk.

        The viewers may remember symbols in a chunk that is empty now: pass its rows as spaces (`blank_rows`).
        """
        layer, column, band = key
        bits = self.shown.get((column, band), 0)
        if not bits or layer not in self.layers:
            return None
        if layer not in self.scene.layers:
            rows = self.blank_rows(key)
        known = []
        for line, row in enumerate(known_rows(self.memory, key, rows)):
            shown = bits >> line * CHUNK & _LINE
            if shown == 0:
                known.append(EMPTY * len(row))
            elif shown == (1 << len(row)) - 1:
                known.append(row)
            else:
                text = f"{shown:b}"[::-1].ljust(CHUNK, "0")
                known.append(_kept(row, text[: len(row)]))
        return known if any(row.strip(EMPTY) for row in known) else None

    def blank_rows(self, key: ChunkKey) -> list[str]:
        """The rows of an empty chunk."""
        _, column, band = key
        width, height = self.scene.width - column * CHUNK, self.scene.height - band * CHUNK
        return [EMPTY * min(CHUNK, width)] * min(CHUNK, height)

    def chunks(
        self, stored: Mapping[ChunkKey, Sequence[str]], keys: Iterable[ChunkKey]
    ) -> dict[ChunkKey, list[str]]:
        """Some chunks as the viewers know them, from those that are stored; without empty ones."""
        found = {}
        for key in keys:
            if key[1:] in self.shown:
                rows = self.rows(key, stored[key] if key in stored else self.blank_rows(key))
                if rows is not None:
                    found[key] = rows
        return found

    def keys(self) -> list[ChunkKey]:
        """The keys of the chunks that the viewers may know anything of, in ascending order."""
        return sorted((layer, *chunk) for layer in self.layers for chunk in self.shown)

    def keys_in(self, x: int, y: int, width: int, height: int) -> list[ChunkKey]:
        """Those of `keys` that a rectangle on the map touches."""
        chunks = rectangle(x, y, width, height)
        return [key for key in self.keys() if key[1:] in chunks]

    @cached_property
    def legend(self) -> Mapping[str, dict[str, Any]]:
        """The legend's entries by symbol, also of symbols that no cell shows, and removed ones that are
        remembered."""
        return {**self.memory.legend, **self.scene.legend}

    def symbols(self, stored: Mapping[ChunkKey, Sequence[str]]) -> set[str]:
        """The symbols that cells show, from the stored ones of the chunks `keys`."""
        return set().union(*map(symbols_of, self.chunks(stored, self.keys()).values()))

    def frame(self, used: Iterable[str]) -> Frame:
        """The frame of the map as the viewers know it, without `fog`.

        `used` are the symbols that `rows` shows them, over all chunks: `symbols_of` each.
        """
        symbols = set(used)
        frame = {key: value for key, value in self.bare.items() if key not in ("walls", "legend", *KINDS)}
        lists = {"legend": self._legend(symbols), "walls": self.walls(self.shown), "doors": self.doors(self.shown)}
        lists |= {kind: self.placed(kind, self.shown) for kind in ("entities", "lights")}
        return {**frame, **{key: items for key, items in lists.items() if items}}

    @cached_property
    def known(self) -> Known:
        """The map as these viewers know it, for their moves."""
        return Known(self.frame(self.legend), self.through)

    def known_near(self, x: int, y: int, width: int, height: int) -> Known:
        """Like `known`, but only within a rectangle, for steps that read nothing outside of it."""
        part = FoggedView(self.scene, self.memory, self.visible, self.mode)
        part.shown = intersection(self.shown, rectangle(x, y, width, height))
        return part.known

    def through(self, steps: Steps[Result]) -> Steps[Result]:
        """Convert steps on the map as the viewers know it into steps on the stored map. They must not request
        whole layers."""
        try:
            wanted = next(steps)
            while True:
                stored = yield wanted
                wanted = steps.send(self.chunks(stored, wanted.chunks))
        except StopIteration as stop:
            result: Result = stop.value
            return result

    def walls(self, cells: Cells) -> list[dict[str, Any]]:
        """The walls in some of the cells shown."""
        inside = intersection(cells, self.shown)
        return [one._asdict() for one in known_walls(self.memory, self.scene, inside)]

    def doors(self, cells: Cells) -> list[dict[str, Any]]:
        """The doors in some of the cells shown, each cut to these cells."""
        scene, inside = self.scene, intersection(cells, self.shown)
        found = []
        for door in known_things(self.memory, scene, "doors").values():
            ends = scene.door_ends(door)
            if ends is None:
                continue
            cells_with_parts = touched(scene.grid.type, ends, (0, 0, scene.width, scene.height))
            parts = [part for cell, part in cells_with_parts if contains(inside, *cell) and cut(ends, part)]
            for index, part in enumerate(joined(parts)):
                x1, y1, x2, y2 = cut(ends, part) or ends
                piece = {**door, "x1": x1, "y1": y1, "x2": x2, "y2": y2}
                if index:
                    piece.pop("id", None)
                found.append(piece)
        return found

    def placed(self, kind: Literal["entities", "lights"], cells: Cells) -> list[dict[str, Any]]:
        """The entities or lights in some of the cells shown."""
        inside = intersection(cells, self.shown)
        things = known_things(self.memory, self.scene, kind).values()
        return [one for one in things if any(contains(inside, *cell) for cell in self.scene.cells_of(kind, one))]

    def layers_in(
        self, chunks: Mapping[ChunkKey, Sequence[str]], x: int, y: int, width: int, height: int
    ) -> list[dict[str, Any]]:
        """The layers with rows in a rectangle on the map, from the bottom up; removed layers are included if they
        are remembered there.

        Takes the chunks of the rectangle as the viewers know them (`chunks`).
        """
        remembered = {layer for layer, _, _ in chunks} | self.scene.layers
        bare = [layer for layer in self.bare.get("layers", ()) if layer.get("rows", 0) - ROWS_MARK in remembered]
        return _layers(bare, chunks, x, y, width, height)

    def fog(self, x: int, y: int, width: int, height: int) -> list[str]:
        """The state of each cell of a rectangle on the map, row by row: in sight (2), seen before (1), or neither
        (0)."""
        columns, bands = touching(x, y, width, height)
        rows = []
        for band in bands:
            parts = [self._fog_of((column, band)) for column in columns]
            begin, end = max(y - band * CHUNK, 0), min(y + height - band * CHUNK, CHUNK)
            left = x - columns.start * CHUNK
            rows += ["".join(lines)[left : left + width] for lines in zip(*parts, strict=True)][begin:end]
        return rows or [""] * height

    def _fog_of(self, chunk: ChunkXY) -> list[str]:
        """The 64 rows of a chunk in the form of `fog`."""
        shown, seen = self.shown.get(chunk, 0), self.visible.get(chunk, 0)
        if not shown:
            return ["0" * CHUNK] * CHUNK
        # The digits of both as bytes are added as one number; none exceeds 2, so there is no carry.
        digits = (int.from_bytes(f"{bits:0{_CELLS}b}".encode()) for bits in (shown, seen))
        text = (sum(digits) - _ZEROS).to_bytes(_CELLS).decode()[::-1]
        return [text[at : at + CHUNK] for at in range(0, _CELLS, CHUNK)]

    @cached_property
    def bare(self) -> Frame:
        """What fog does not hide: the document's own keys, and its layers, including remembered removed ones."""
        bare = {key: value for key, value in self.scene.frame.items() if key not in ("walls", "legend", *KINDS)}
        frame = players_document(bare, ()).frame
        if "background" in frame:
            frame["background"] = {key: value for key, value in frame["background"].items() if key != "asset_id"}
        layers, at = list(frame.get("layers", ())), 0
        for key, layer in self.layers.items():
            if key in self.scene.layers:
                at = layers.index(layer, at) + 1
            else:
                layers.insert(at, layer)
                at += 1
        return {**frame, "layers": layers} if layers else frame

    def _legend(self, symbols: set[str]) -> list[dict[str, Any]]:
        """The legend entries of some symbols, in the order of the symbols."""
        return [entry for symbol, entry in sorted(self.legend.items()) if symbol in symbols]


def whole(view: FoggedView, stored: Mapping[ChunkKey, Sequence[str]]) -> dict[str, Any]:
    """The document of a map for a player.

    Takes the stored ones of the chunks `view.keys()`.
    """
    scene = view.scene
    known = view.chunks(stored, view.keys())
    document = view.frame(set().union(*map(symbols_of, known.values())))
    document["layers"] = _layers(document.get("layers", ()), known, 0, 0, scene.width, scene.height)
    if not document["layers"]:
        del document["layers"]
    return {**document, "fog": {"mode": view.mode, "rows": view.fog(0, 0, scene.width, scene.height)}}


def part(
    view: FoggedView, stored: Mapping[ChunkKey, Sequence[str]], x: int, y: int, width: int, height: int
) -> dict[str, Any]:
    """A rectangle on a map as a player gets it: `layers` (name and rows), `fog` (rows), `legend`, and the
    walls, doors, entities and lights in its cells.

    Takes the stored ones of the chunks that the rectangle touches.
    """
    cells = rectangle(x, y, width, height)
    known = view.chunks(stored, ((layer, *chunk) for layer in sorted(view.layers) for chunk in cells))
    layers = view.layers_in(known, x, y, width, height)
    symbols = {symbol for layer in layers for row in layer.get("rows", ()) for symbol in row}
    return {
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "layers": [{"name": layer["name"], "rows": layer["rows"]} for layer in layers],
        "legend": view._legend(symbols),
        "fog": view.fog(x, y, width, height),
        "walls": view.walls(cells),
        "doors": view.doors(cells),
        "entities": view.placed("entities", cells),
        "lights": view.placed("lights", cells),
    }


def _layers(
    layers: Iterable[Mapping[str, Any]],
    chunks: Mapping[ChunkKey, Sequence[str]],
    x: int,
    y: int,
    width: int,
    height: int,
) -> list[dict[str, Any]]:
    found = []
    for layer in layers:
        shown = dict(layer)
        if "rows" in layer:
            key = layer["rows"] - ROWS_MARK
            parts = {chunk[1:]: rows for chunk, rows in chunks.items() if chunk[0] == key}
            shown["rows"] = region(parts, x, y, width, height)
        found.append(shown)
    return found


def _kept(row: str, marks: str) -> str:
    """A row with spaces where the mark is not 1."""
    parts, end = [], 0
    for match in _ONES.finditer(marks):
        parts += [EMPTY * (match.start() - end), row[match.start() : match.end()]]
        end = match.end()
    return "".join(parts) + EMPTY * (len(row) - end)
