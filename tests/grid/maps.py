"""Maps as whole documents, and edits done on them in the plainest way: what the real ones must equal."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import orjson
from hypothesis import strategies as st

from game.grid.canvas import Loaded, Wanted, run
from game.grid.changes import Change, Edited, replay
from game.grid.chunks import ChunkKey, Frame, join, split
from game.grid.document import size
from game.grid.edits import apply
from game.grid.edits.frame import ANCHORS
from game.grid.geometry import HEXES, Grid, centre, extent, neighbours

SYMBOLS = "#.~"
Document = dict[str, Any]


class Store:
    """A map as it is stored: its frame and chunks; counts what is loaded."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.frame: Frame
        self.chunks: dict[ChunkKey, list[str]]
        self.frame, self.chunks = split(document)
        self.width, self.height = size(document)
        self.loaded: set[ChunkKey] = set()
        self.rounds = 0

    def load(self, wanted: Wanted) -> Loaded:
        self.rounds += 1
        assert wanted.chunks == sorted(set(wanted.chunks))
        found = {key for key in self.chunks if key in wanted.chunks or key[0] in wanted.layers}
        self.loaded |= {*wanted.chunks, *found}
        return {key: tuple(self.chunks[key]) for key in found}

    def edit(self, *edits: Mapping[str, Any]) -> Change:
        count = iter(range(1000))
        steps = apply(self.frame, self.width, self.height, list(edits), lambda: f"new-{next(count)}")
        return self.keep(run(steps, self.load))

    def replay(self, change: Change) -> Change:
        change = orjson.loads(orjson.dumps(change))
        return self.keep(run(replay(self.frame, self.width, self.height, change), self.load))

    def keep(self, edited: Edited) -> Change:
        frame, self.width, self.height, chunks, change = edited
        if frame is not None:
            self.frame = frame
        for key, rows in chunks.items():
            if rows is None:
                del self.chunks[key]
            else:
                self.chunks[key] = rows
        return change

    def document(self) -> Document:
        text = orjson.dumps(self.frame).decode()
        chunks = [(*key, orjson.dumps(rows).decode()) for key, rows in self.chunks.items()]
        document: Document = orjson.loads(join(text, chunks, self.width, self.height))
        return document


def naive(document: Mapping[str, Any], edit: Mapping[str, Any]) -> Document:
    """The document after one valid edit, cell by cell."""
    out = deepcopy(dict(document))
    getattr(Naive(out), edit["op"])(**{key: value for key, value in edit.items() if key != "op"})
    return out


class Naive:
    """Each op on a whole document, in place."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.grid = Grid.of(document)

    def layer(self, name: str) -> Document:
        found: Document = next(layer for layer in self.document["layers"] if layer["name"] == name)
        return found

    def draw(self, name: str, symbols: Mapping[tuple[int, int], str]) -> None:
        layer = self.layer(name)
        layer["rows"] = [
            "".join(symbols.get((x, y), old) for x, old in enumerate(row)) for y, row in enumerate(layer["rows"])
        ]

    def set(self, layer: str, cells: Sequence[Mapping[str, Any]]) -> None:
        self.draw(layer, {(cell["x"], cell["y"]): cell["symbol"] for cell in cells})

    def fill_rectangle(self, layer: str, x: int, y: int, width: int, height: int, symbol: str) -> None:
        self.draw(layer, {(x + i, y + j): symbol for i in range(width) for j in range(height)})

    def flood_fill(self, layer: str, x: int, y: int, symbol: str) -> None:
        rows = self.layer(layer)["rows"]
        old, flooded, border = rows[y][x], {(x, y)}, [(x, y)]
        while border:
            cell = border.pop()
            for other in neighbours(self.grid, cell):
                side = self.grid.is_hex or cell[0] == other[0] or cell[1] == other[1]
                on_map = 0 <= other[0] < len(rows[0]) and 0 <= other[1] < len(rows)
                if side and on_map and rows[other[1]][other[0]] == old and other not in flooded:
                    flooded.add(other)
                    border.append(other)
        self.draw(layer, dict.fromkeys(flooded, symbol))

    def paste(self, layer: str, x: int, y: int, rows: Sequence[str], transparent: bool = False) -> None:
        cells = {(x + i, y + j): symbol for j, row in enumerate(rows) for i, symbol in enumerate(row)}
        self.draw(layer, {cell: s for cell, s in cells.items() if s != " " or not transparent})

    def replace(self, layer: str, symbol: str, **words: str) -> None:
        rows = self.layer(layer)["rows"]
        self.layer(layer)["rows"] = [row.replace(symbol, words["with"]) for row in rows]

    def put(self, name: str, item: Document) -> None:
        items = self.document.setdefault(name, [])
        at = next((index for index, held in enumerate(items) if held.get("id") == item["id"]), len(items))
        items[at : at + 1] = [item]

    def put_entity(self, entity: Document) -> None:
        self.put("entities", entity)

    def put_wall(self, wall: Document) -> None:
        self.put("walls", wall)

    def remove_entity(self, id: str) -> None:
        self.document["entities"] = [item for item in self.document["entities"] if item["id"] != id]

    def update_entity(self, id: str, changes: Document) -> None:
        patch(next(item for item in self.document["entities"] if item["id"] == id), changes)

    def move_entity(self, id: str, x: int, y: int) -> None:
        self.update_entity(id, {"x": x, "y": y})

    def add_layer(self, layer: Document, index: int | None = None) -> None:
        width, height = size(self.document)
        layers = self.document["layers"]
        blank = [" " * width] * height
        layers.insert(len(layers) if index is None else index, {"rows": blank, **layer})

    def update_layer(self, name: str, changes: Document) -> None:
        self.layer(name).update(changes)

    def remove_layer(self, name: str) -> None:
        self.document["layers"].remove(self.layer(name))

    def move_layer(self, name: str, index: int) -> None:
        layer = self.layer(name)
        self.document["layers"].remove(layer)
        self.document["layers"].insert(index, layer)

    def update_legend(self, legend: Sequence[Document], index: int | None = None) -> None:
        entries = self.document["legend"]
        at = len(entries) if index is None else index
        for entry in legend:
            held = next((old for old in entries if old["symbol"] == entry["symbol"]), None)
            if held is None:
                entries.insert(at, dict(entry))
                at += 1
            else:
                held.update(entry)

    def remove_legend_entry(self, symbol: str) -> None:
        self.document["legend"] = [entry for entry in self.document["legend"] if entry["symbol"] != symbol]

    def update_map(self, changes: Document) -> None:
        patch(self.document, changes)

    def resize(self, width: int, height: int, anchor: str = "top_left") -> None:
        old_width, old_height = size(self.document)
        across, down = ANCHORS[anchor]
        if (width, height) == (old_width, old_height):
            return
        dx, dy = across * (width - old_width) // 2, down * (height - old_height) // 2
        if self.grid.type == "hex_row":
            dy = dy // 2 * 2
        if self.grid.type == "hex_column":
            dx = dx // 2 * 2
        for layer in self.document["layers"]:
            cells = {(x + dx, y + dy): s for y, row in enumerate(layer["rows"]) for x, s in enumerate(row)}
            layer["rows"] = ["".join(cells.get((x, y), " ") for x in range(width)) for y in range(height)]
        self.document |= {"width": width, "height": height}
        zero, moved = centre(self.grid.type, (0, 0)), centre(self.grid.type, (dx, dy))
        px, py = (dx, dy) if self.grid.type not in HEXES else (moved[0] - zero[0], moved[1] - zero[1])
        right, bottom = extent(self.grid.type, width, height)
        if "background" in self.document:
            self.document["background"]["x"] += px
        for name in ("entities", "walls"):
            by = (dx, dy) if name == "entities" else (px, py)
            kept = []
            for item in self.document.get(name, []):
                for key in item:
                    if key in ("x", "x1", "x2"):
                        item[key] += by[0]
                    if key in ("y", "y1", "y2"):
                        item[key] += by[1]
                if name == "entities":
                    inside = 0 <= item["x"] < width and 0 <= item["y"] < height
                else:
                    inside = max(item["x1"], item["x2"]) >= 0 and min(item["x1"], item["x2"]) <= right
                    inside &= max(item["y1"], item["y2"]) >= 0 and min(item["y1"], item["y2"]) <= bottom
                if inside:
                    kept.append(item)
            if name in self.document:
                self.document[name] = kept


def patch(target: Document, changes: Document) -> None:
    """RFC 7396, in place."""
    for key, value in changes.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            patch(target[key], value)
        else:
            target[key] = value


def legend_of(document: Mapping[str, Any]) -> list[str]:
    """The symbols of the legend."""
    return [entry["symbol"] for entry in document["legend"]]


@st.composite
def maps(draw: st.DrawFn) -> Document:
    """Maps of up to four chunks a layer, mostly empty, with entities and walls."""
    width, height = draw(st.sampled_from([(3, 2), (65, 3), (2, 130), (70, 66)]))
    names = draw(st.sampled_from([["ground"], ["ground", "objects"]]))
    layers = []
    for name in names:
        rows = [" " * width] * height
        for _ in range(draw(st.integers(0, 4))):
            y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            count = draw(st.integers(1, width - x))
            rows[y] = rows[y][:x] + draw(st.sampled_from(SYMBOLS)) * count + rows[y][x + count :]
        layers.append({"name": name, "rows": rows, "opacity": 1})
    entities = [
        {"id": f"e{n}", "x": draw(st.integers(0, width - 1)), "y": draw(st.integers(0, height - 1))}
        for n in range(draw(st.integers(0, 3)))
    ]
    walls = [{"x1": 0, "y1": 0, "x2": width, "y2": 0}, {"id": "w", "x1": 1, "y1": 1, "x2": 1.5, "y2": 2}]
    document = {
        "width": width,
        "height": height,
        "grid_type": draw(st.sampled_from(["square", "hex_row", "hex_column"])),
        "legend": [{"symbol": symbol} for symbol in SYMBOLS],
        "layers": layers,
        "entities": entities,
        **draw(
            st.sampled_from([{}, {"mood": None}, {"mood": {"a": None, "b": {"c": 1}}, "background": {"x": 1}}])
        ),
    }
    return document if draw(st.booleans()) else {**document, "walls": walls}


def paints(document: Mapping[str, Any]) -> st.SearchStrategy[Document]:
    """Valid edits of cells."""
    width, height = size(document)
    xs, ys, known = st.integers(0, width - 1), st.integers(0, height - 1), [*legend_of(document), " "]
    symbols = st.sampled_from(known)
    layers = st.sampled_from([layer["name"] for layer in document["layers"]])
    cell = st.fixed_dictionaries({"x": xs, "y": ys, "symbol": symbols})

    @st.composite
    def rectangle(draw: st.DrawFn) -> Document:
        x, y = draw(xs), draw(ys)
        across, down = draw(st.integers(0, width - x)), draw(st.integers(0, height - y))
        place = {"layer": draw(layers), "x": x, "y": y}
        if draw(st.booleans()):
            symbol = draw(symbols)
            return {"op": "fill_rectangle", **place, "width": across, "height": down, "symbol": symbol}
        row = st.text(known, min_size=across, max_size=across)
        rows = draw(st.lists(row, min_size=1, max_size=min(3, height - y)))
        return {"op": "paste", **place, "rows": rows, "transparent": draw(st.booleans())}

    def op(name: str, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
        return st.fixed_dictionaries({"op": st.just(name), "layer": layers, **fields})

    return st.one_of(
        op("set", cells=st.lists(cell, max_size=4)),
        rectangle(),
        op("flood_fill", x=xs, y=ys, symbol=symbols),
        op("replace", symbol=symbols, **{"with": symbols}),
    )


def edits(document: Mapping[str, Any]) -> st.SearchStrategy[Document]:
    """Valid edits of any kind."""
    width, height = size(document)
    names = [layer["name"] for layer in document["layers"]]
    places = {"x": st.integers(0, width - 1), "y": st.integers(0, height - 1)}
    layer: st.SearchStrategy[Document] = st.just({"name": "new"})
    if "new" in names:
        layer = st.nothing()
    ids = [entity["id"] for entity in document.get("entities", [])]

    def op(name: str, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
        return st.fixed_dictionaries({"op": st.just(name), **fields})

    entity = {"id": st.sampled_from(["e0", "e1", "e9"]), **places, "name": st.sampled_from(["Orc", "Elf"])}
    wall = {"id": st.sampled_from(["w", "v"]), **{key: st.integers(0, 9) for key in ("x1", "y1", "x2", "y2")}}
    entry = {"symbol": st.sampled_from("#%&"), "name": st.sampled_from(["rock", "ice"])}
    legend = st.lists(st.fixed_dictionaries(entry), max_size=2)
    mood = st.recursive(
        st.sampled_from([None, 0, False, "dark"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
        max_leaves=4,
    )
    keys: dict[str, st.SearchStrategy[Any]] = {
        # Between squares and hexes, walls and lights move: tests of their own look at that.
        "grid_type": st.sampled_from([None, "square", "isometric"])
        if document.get("grid_type", "square") in ("square", "isometric")
        else st.just(document["grid_type"]),
        "background": st.sampled_from([None, {"x": 2}, {"x": 2.5, "y": None}]),
        "mood": mood,
        "weather": mood,
    }
    sides = st.sampled_from([1, 2, 3, 63, 64, 65, 71, 128])
    choices: list[st.SearchStrategy[Document]] = [
        paints(document),
        op("put_entity", entity=st.fixed_dictionaries(entity)),
        op("put_wall", wall=st.fixed_dictionaries(wall)),
        op("add_layer", layer=layer, index=st.integers(0, len(names))),
        op("move_layer", name=st.sampled_from(names), index=st.integers(0, len(names) - 1)),
        op("update_layer", name=st.sampled_from(names), changes=st.just({"opacity": 0.5})),
        op("update_layer", name=st.just(names[0]), changes=st.just({"name": names[0] + "'"})),
        op("update_legend", legend=legend),
        op("update_legend", legend=legend, index=st.integers(0, len(document["legend"]))),
        op("update_map", changes=st.fixed_dictionaries({}, optional=keys)),
        op("resize", width=sides, height=sides, anchor=st.sampled_from(list(ANCHORS))),
    ]
    painted = {symbol for layer in document["layers"] for row in layer["rows"] for symbol in row}
    if free := [symbol for symbol in legend_of(document) if symbol not in painted]:
        choices.append(op("remove_legend_entry", symbol=st.sampled_from(free)))
    if ids:
        changes = st.fixed_dictionaries({}, optional={**places, "name": st.sampled_from(["Orc", None])})
        choices.append(op("remove_entity", id=st.sampled_from(ids)))
        choices.append(op("update_entity", id=st.sampled_from(ids), changes=changes))
        choices.append(op("move_entity", id=st.sampled_from(ids), **places))
    if len(names) > 1:
        choices.append(op("remove_layer", name=st.sampled_from(names)))
    return st.one_of(choices)
