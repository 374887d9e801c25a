"""A map without its secrets: its objects, and the cells in which each can be seen.

A scene is what players would know if they saw the whole map (`game.grid.player_view`). With fog, a player knows
parts of the current scene, and parts of earlier ones (`game.grid.memory`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

from game.grid.cell_sets import Cells, ChunkXY
from game.grid.changes import same
from game.grid.chunks import CHUNK, ROWS_MARK
from game.grid.geometry import Cell, Grid, GridType, Point, cell_at, neighbours
from game.grid.player_view import (
    players_door,
    players_entity,
    players_keys,
    players_layer,
    players_light,
    players_pieces,
    shown_layers,
)
from game.grid.segments import Ends, Piece, cut, near_map, pieces_by_cell, pieces_by_chunk, touched

KINDS: Final = ("doors", "entities", "lights")
"""The lists of a document whose items are seen and remembered as a whole."""

Thing = Mapping[str, Any]

_SHOW: Final[Mapping[str, Callable[[Thing], dict[str, Any] | None]]] = {
    "doors": players_door,
    "entities": players_entity,
    "lights": players_light,
}


class Scene:
    """One version of a stored map, without its secrets and without its rows. It may be cached between requests.

    `layers` are the keys of the visible layers. Everything else is computed on first use.
    """

    def __init__(self, frame: Thing, width: int, height: int) -> None:
        self.frame, self.width, self.height = frame, width, height
        self.grid = Grid.of(frame)
        self.layers = shown_layers(frame)
        self._shown: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._walls: dict[ChunkXY, dict[Cell, list[Piece]]] = {}

    @cached_property
    def size(self) -> int:
        """The number of walls, doors, entities, lights and legend entries."""
        return sum(len(self.frame.get(name, ())) for name in ("walls", "legend", *KINDS))

    @cached_property
    def layers_by_key(self) -> Mapping[int, dict[str, Any]]:
        """The visible layers with rows, by their keys, from the bottom up; `rows` are as in the frame."""
        shown = filter(None, map(players_layer, self.frame.get("layers", ())))
        return {layer["rows"] - ROWS_MARK: layer for layer in shown if "rows" in layer}

    @cached_property
    def legend(self) -> Mapping[str, dict[str, Any]]:
        """The legend's entries by symbol, also of symbols that no cell shows."""
        return {entry["symbol"]: players_keys(entry) for entry in self.frame.get("legend", ())}

    @cached_property
    def pieces(self) -> list[Piece]:
        """All walls, merged, with secret doors among them."""
        return players_pieces(self.frame)

    @cached_property
    def piece_set(self) -> frozenset[Piece]:
        """The walls as a set, for comparisons with other scenes."""
        return frozenset(self.pieces)

    def take_walls(self, other: "Scene") -> None:
        """Copy the cached walls of another scene of this size with the same walls and secret doors."""
        for name in ("pieces", "piece_set", "_pieces_near"):
            if name in other.__dict__:
                self.__dict__[name] = other.__dict__[name]
        self._walls = other._walls

    @cached_property
    def _pieces_near(self) -> Mapping[ChunkXY, list[Piece]]:
        return pieces_by_chunk(self.grid.type, self.pieces, self.width, self.height)

    @cached_property
    def things(self) -> Mapping[str, Mapping[str, Thing]]:
        """The stored objects, including hidden ones, by kind and key.

        The key is `#` and the id. For doors and lights without an id it is `@` and the position, so that a moved
        one counts as another one.
        """
        return {kind: _keyed(self.frame.get(kind, ())) for kind in KINDS}

    def thing(self, kind: str, key: str) -> dict[str, Any] | None:
        """An object as players get it; None if it does not exist or they may not know of it."""
        if (kind, key) not in self._shown:
            stored = self.things[kind].get(key)
            self._shown[kind, key] = None if stored is None else _SHOW[kind](stored)
        return self._shown[kind, key]

    def cells_of(self, kind: str, thing: Thing) -> Sequence[Cell]:
        """The cells on the map in which an object can be seen: those of a door, or the cell of an entity or
        light."""
        if kind == "doors":
            return _cells_of_line(
                self.grid.type, (thing["x1"], thing["y1"], thing["x2"], thing["y2"]), self.width, self.height
            )
        if kind == "lights":
            cell = light_cell(self.grid.type, thing, self.width, self.height)
            return () if cell is None else (cell,)
        x, y = thing["x"], thing["y"]
        return ((x, y),) if 0 <= x < self.width and 0 <= y < self.height else ()

    def is_beside(self, kind: str, thing: Thing, cells: Iterable[Cell]) -> bool:
        """Whether an object is in one of some cells, or in a neighbour of one: within reach of a token there."""
        reached = {other for cell in cells for other in (cell, *neighbours(self.grid, cell))}
        return not reached.isdisjoint(self.cells_of(kind, thing))

    def door_ends(self, door: Thing) -> Ends | None:
        """The segment of a door, clipped to the surroundings of the map; None if it is not near the map."""
        return near_map(self.grid.type, (door["x1"], door["y1"], door["x2"], door["y2"]), self.width, self.height)

    def walls_in(self, cells: Cells) -> dict[Cell, list[Piece]]:
        """The pieces of walls in each of some cells that has any."""
        found = {}
        for chunk, bits in cells.items():
            for cell, pieces in self._walls_of(chunk).items():
                if bits >> (cell[1] % CHUNK * CHUNK + cell[0] % CHUNK) & 1:
                    found[cell] = pieces
        return found

    def _walls_of(self, chunk: ChunkXY) -> dict[Cell, list[Piece]]:
        """The pieces of walls in each cell of a chunk."""
        if chunk not in self._walls:
            left, top = chunk[0] * CHUNK, chunk[1] * CHUNK
            box = left, top, min(left + CHUNK, self.width), min(top + CHUNK, self.height)
            near = self._pieces_near.get(chunk, ())
            self._walls[chunk] = pieces_by_cell(self.grid.type, near, self.width, self.height, box)
        return self._walls[chunk]


def changed_things(before: Scene, after: Scene) -> list[tuple[str, str]]:
    """The kinds and keys of the doors, entities and lights that differ between two scenes."""
    found = []
    for kind in KINDS:
        old, new = before.things[kind], after.things[kind]
        for key in old.keys() | new.keys():
            was, now = old.get(key), new.get(key)
            if was is not now and not same(was, now):
                found.append((kind, key))
    return found


@lru_cache(maxsize=1024)
def _cells_of_line(grid_type: GridType, line: Ends, width: int, height: int) -> Sequence[Cell]:
    ends = near_map(grid_type, line, width, height)
    parts = touched(grid_type, ends, (0, 0, width, height)) if ends else ()
    return tuple(cell for cell, part in parts if ends and cut(ends, part))


def light_cell(grid_type: GridType, light: Thing, width: int, height: int) -> Cell | None:
    """The cell of a light; None if it is outside the map."""
    x, y = light["x"], light["y"]
    if not (-2 < x < 2 * width + 2 and -2 < y < 2 * height + 2):
        return None
    column, row = cell_at(grid_type, x, y)
    return (column, row) if 0 <= column < width and 0 <= row < height else None


def moved_key(key: str, by: Point) -> str:
    """The key of an object after it was moved."""
    if not key.startswith("@"):
        return key
    place, slash, more = key[1:].partition("/")
    numbers = [float(text) + by[index % 2] for index, text in enumerate(place.split(","))]
    return _place_key(numbers) + slash + more


def _keyed(items: Iterable[Thing]) -> dict[str, Thing]:
    found: dict[str, Thing] = {}
    for item in items:
        if "id" in item:
            found[f"#{item['id']}"] = item
            continue
        key = place = _place_key([item[name] for name in ("x", "y", "x1", "y1", "x2", "y2") if name in item])
        more = 1
        while key in found:
            more += 1
            key = f"{place}/{more}"
        found[key] = item
    return found


def _place_key(numbers: Iterable[float]) -> str:
    return "@" + ",".join(repr(float(number)) for number in numbers)
