"""The view with fog, and memory, against a slow model of the rules: what was seen when, cell by cell."""

from copy import deepcopy
from random import Random
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from game.grid import memory as memories
from game.grid.canvas import Loaded, Wanted, run
from game.grid.cell_sets import NONE, Cells, contains, rectangle, union
from game.grid.chunks import split
from game.grid.fogged_view import FoggedView, Mode, whole
from game.grid.geometry import Cell, Grid, cell_at, corners
from game.grid.memory import Memory
from game.grid.scene import Scene, changed_things
from game.grid.segments import piece, pieces_by_cell
from game.grid.vision import Sight, Vision
from tests.grid.grids import each
from tests.grid.secret_worlds import MARK, WITHHELD, is_marked, secret_worlds

Document = dict[str, Any]
Point = tuple[float, float]
WIDTH, HEIGHT = 7, 6
PARTS = [(2 * n + 1) / 26 + 0.0037 for n in range(13)]


class Table:
    """A map with tokens, as a server would keep it: stored, changed, seen and remembered by one group of
    players."""

    def __init__(self, document: Document, left: int = 0, top: int = 0) -> None:
        self.left, self.top = left, top
        self.keys: dict[str, int] = {}
        self.memory = Memory()
        self.visible: Cells = {}
        self.tokens: dict[int, tuple[Cell, int]] = {}
        self.store(document)

    def store(self, document: Document) -> None:
        self.document = document
        # A layer is identified by its key, so no key is used twice.
        for layer in document["layers"]:
            self.keys.setdefault(layer["name"], len(self.keys))
        self.frame, self.chunks = split(document, self.keys)
        self.width, self.height = document["width"], document["height"]
        self.scene = Scene(self.frame, self.width, self.height)

    def look(self) -> Cells:
        vision = Vision(self.frame, self.width, self.height)
        seen = (run(vision.seen_by([cell], Sight(reach)), self.load) for cell, reach in self.tokens.values())
        return union(NONE, *seen)

    def load(self, wanted: Wanted) -> Loaded:
        return {key: self.chunks[key] for key in wanted.chunks if key in self.chunks}

    def move(self) -> None:
        self.visible = self.look()
        self.memory = memories.see(self.memory, self.scene, self.visible)

    def change(self, document: Document) -> None:
        before, chunks = self.scene, self.chunks
        self.store(document)
        self.visible = self.look()
        rows = {
            key: (chunks.get(key), self.chunks.get(key))
            for key in chunks.keys() | self.chunks.keys()
            if chunks.get(key) != self.chunks.get(key)
            or (key[0] in before.layers) != (key[0] in self.scene.layers)
        }
        self.memory = memories.remember(
            self.memory, before, self.scene, rows, changed_things(before, self.scene), self.visible
        )

    def stored_again(self) -> None:
        """Through what a database would hold."""
        chunks, things = memories.pack(self.memory)
        assert all(len(bits) == 512 for bits, _ in chunks.values())
        again = {chunk: (bits, orjson.loads(orjson.dumps(differs))) for chunk, (bits, differs) in chunks.items()}
        self.memory = memories.unpack(again, orjson.loads(orjson.dumps(things)))

    def view(self, mode: Mode) -> FoggedView:
        return FoggedView(self.scene, self.memory, self.visible, mode)


class Model:
    """What the players know: for each cell, each thing and each point of a wall, what it was when it was seen
    last."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.grid = Grid.of(table.document)
        self.cells: dict[Cell, dict[str, str]] = {}
        self.things: dict[tuple[str, str], Document] = {}
        self.walls: dict[Cell, tuple[int, list[Document]]] = {}
        self.time = 0
        self.legend: dict[str, Document] = {}
        self.layers: dict[str, Document] = {}
        self.order: list[str] = []

    def sees(self, cells: set[Cell]) -> None:
        document = self.table.document
        layers = [layer for layer in document["layers"] if "visible_to" not in layer]
        names = [layer["name"] for layer in layers]
        self.layers |= {layer["name"]: stripped(layer) for layer in layers}
        for below, name in zip([None, *self.order], list(self.order), strict=False):
            if name not in names:
                names.insert(0 if below is None else names.index(below) + 1, name)
        self.order = names
        for x, y in cells:
            self.cells[x, y] = {layer["name"]: layer["rows"][y][x] for layer in layers}
        now = {
            (kind, thing["id"]): stripped(thing)
            for kind in ("doors", "entities", "lights")
            for thing in document.get(kind, [])
            if not thing.get("hidden") and not disguised(thing)
        }
        for key, thing in [*self.things.items()]:
            if self.places(key[0], thing) & cells:
                del self.things[key]
        for key, thing in now.items():
            if self.places(key[0], thing) & cells:
                self.things[key] = thing
        walls = [wall for wall in document.get("walls", []) if not wall.get("hidden")]
        walls += [door for door in document.get("doors", []) if disguised(door) and not door.get("hidden")]
        self.time += 1
        self.walls |= dict.fromkeys(cells, (self.time, walls))
        self.legend |= {entry["symbol"]: stripped(entry) for entry in document["legend"]}

    def forgets(self, cells: set[Cell]) -> None:
        for cell in cells & self.cells.keys():
            del self.cells[cell]
        self.things = {
            k: thing for k, thing in self.things.items() if self.places(k[0], thing) & self.cells.keys()
        }

    def at(self, point: Point, touching: set[Cell]) -> set[tuple[bool, bool]]:
        """What is known to block at a point: as it was when any of its cells was seen last."""
        if not touching & self.cells.keys():
            return set()
        _, walls = max((self.walls[cell] for cell in touching if cell in self.walls), key=lambda seen: seen[0])
        return {flags(wall) for wall in walls if covers(wall, point)}

    def places(self, kind: str, thing: Document) -> set[Cell]:
        if kind == "entities":
            return {(thing["x"], thing["y"])}
        if kind == "lights":
            return {cell_at(self.grid.type, thing["x"], thing["y"])}
        ends = piece(*(thing[key] for key in ("x1", "y1", "x2", "y2")))
        return set(pieces_by_cell(self.grid.type, [ends], self.table.width, self.table.height))


def stripped(thing: Document) -> Document:
    return {key: value for key, value in thing.items() if key not in WITHHELD}


def disguised(thing: Document) -> bool:
    return bool(thing.get("secret")) and thing["state"] != "open"


def flags(wall: Document) -> tuple[bool, bool]:
    return wall.get("blocks_movement", True), wall.get("blocks_sight", True)


def covers(wall: Document, point: Point) -> bool:
    """Whether a point lies on a wall, or nearly."""
    x1, y1, x2, y2 = wall["x1"], wall["y1"], wall["x2"], wall["y2"]
    px, py = point
    along = ((px - x1) * (x2 - x1) + (py - y1) * (y2 - y1)) / ((x2 - x1) ** 2 + (y2 - y1) ** 2)
    along = min(max(along, 0), 1)
    return max(abs(x1 + along * (x2 - x1) - px), abs(y1 + along * (y2 - y1) - py)) < 3e-3


def depth(grid: Grid, cell: Cell, point: Point) -> float:
    """How far within a cell a point lies; negative outside."""
    around = corners(grid.type, cell)
    sides = [
        ((bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)) / ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
        for (ax, ay), (bx, by) in zip(around, around[1:] + around[:1], strict=True)
    ]
    return min(sides)


_kept: dict[Any, list[tuple[Point, set[Cell]]]] = {}


def wall_points(grid: Grid, table: Table, wall: Document) -> list[tuple[Point, set[Cell]]]:
    """Points of a wall, each with the cells that it lies in; without those too near to the side of a cell to
    tell."""
    ends = tuple(wall[key] for key in ("x1", "y1", "x2", "y2"))
    key = grid.type, table.left, table.top, ends
    if key not in _kept:
        _kept[key] = []
        x1, y1, x2, y2 = ends
        long = max(abs(x2 - x1), abs(y2 - y1))
        for along in PARTS if long else ():
            point = x1 + along * (x2 - x1), y1 + along * (y2 - y1)
            near = [(x1 + a * (x2 - x1), y1 + a * (y2 - y1)) for a in (along - 0.01 / long, along + 0.01 / long)]
            inside, clear = set(), True
            for x in range(table.left, table.left + WIDTH):
                for y in range(table.top, table.top + HEIGHT):
                    depths = [depth(grid, (x, y), p) for p in (point, *near)]
                    if min(depths) > -1e-9:
                        inside.add((x, y))
                    clear &= min(depths) > -1e-9 or max(depths) < -2e-3
            if clear:
                _kept[key].append((point, inside))
    return _kept[key]


def sample_points(grid: Grid, table: Table) -> list[tuple[Point, set[Cell]]]:
    return [sample for wall in pool_of(table) for sample in wall_points(grid, table, wall)]


def pool_of(table: Table) -> list[Document]:
    """Every wall and door that has ever been on the map."""
    pool: list[Document] = table.__dict__.setdefault("pool", [])
    for wall in [*table.document.get("walls", []), *table.document.get("doors", [])]:
        ends = {key: wall[key] for key in ("x1", "y1", "x2", "y2")}
        if ends not in pool:
            pool.append(ends)
    return pool


def named(document: Document, left: int, top: int) -> Document:
    """A world moved into a larger map, with an id for each thing, and ends of walls on halves of cells."""
    for kind in ("walls", "doors"):
        for wall in document.get(kind, []):
            wall |= {key: round(wall[key] * 2) / 2 for key in ("x1", "y1", "x2", "y2")}
            if (wall["x1"], wall["y1"]) == (wall["x2"], wall["y2"]):
                wall["x2"] += 1
    for kind in ("walls", "doors", "lights", "entities"):
        for n, thing in enumerate(document.get(kind, [])):
            if kind != "walls":
                thing.setdefault("id", f"{kind}{n}")
            for key, by in (("x", left), ("y", top), ("x1", left), ("y1", top), ("x2", left), ("y2", top)):
                if key in thing:
                    thing[key] += by
    for layer in document["layers"]:
        rows = [" " * left + row for row in layer["rows"]]
        layer["rows"] = [" " * (left + WIDTH)] * top + rows
    document["width"], document["height"] = left + WIDTH, top + HEIGHT
    return document


def check(table: Table, model: Model, mode: Mode) -> None:
    """The view is what the model knows, and nothing else."""
    check_document(table, model, mode, whole(table.view(mode), table.chunks))


def check_document(table: Table, model: Model, mode: Mode, view: Document) -> None:
    """A document that players are sent is what the model knows, and nothing else."""
    assert MARK not in orjson.dumps(view).decode()
    seen = set(each(table.visible))
    if mode == "sight":
        model = deepcopy_model(model)
        model.forgets(model.cells.keys() - seen)
    document = table.document
    expected = stripped(document)
    expected.pop("background", None)
    expected["layers"] = []
    current = {layer["name"] for layer in document["layers"] if "visible_to" not in layer}
    for name in model.order:
        rows = [
            "".join(model.cells.get((x, y), {}).get(name, " ") for x in range(table.width))
            for y in range(table.height)
        ]
        if name in current or "".join(rows).strip():
            expected["layers"].append({**model.layers[name], "rows": rows})
    used = {symbol for layer in expected["layers"] for row in layer["rows"] for symbol in row} - {" "}
    legend = {entry["symbol"]: stripped(entry) for entry in document["legend"]}
    expected["legend"] = [legend.get(symbol, model.legend.get(symbol)) for symbol in sorted(used)]
    marks = [
        "".join("2" if (x, y) in seen else "1" if (x, y) in model.cells else "0" for x in range(table.width))
        for y in range(table.height)
    ]
    expected["fog"] = {"mode": mode, "rows": marks}
    for kind in ("entities", "lights"):
        expected[kind] = sorted((t for (k, _), t in model.things.items() if k == kind), key=lambda t: t["id"])
    for key in ("layers", "legend", "entities", "lights"):
        if not expected[key]:
            del expected[key]
    if "background" in document:
        expected["background"] = {k: v for k, v in stripped(document["background"]).items() if k != "asset_id"}
    walls, doors = view.pop("walls", []), view.pop("doors", [])
    expected.pop("walls", None)
    expected.pop("doors", None)
    assert view == expected
    check_walls(table, model, walls)
    check_doors(table, model, doors)


def deepcopy_model(model: Model) -> Model:
    copy = Model(model.table)
    copy.cells, copy.things = dict(model.cells), dict(model.things)
    copy.layers, copy.order = model.layers, model.order
    copy.walls, copy.legend = dict(model.walls), dict(model.legend)
    return copy


def check_walls(table: Table, model: Model, walls: list[Document]) -> None:
    shown = model.cells.keys()
    for point, touching in sample_points(model.grid, table):
        known = model.at(point, touching)
        assert {flags(wall) for wall in walls if covers(wall, point)} == known, (point, touching)
    for wall in walls:
        assert wall.keys() == {"x1", "y1", "x2", "y2", "blocks_movement", "blocks_sight"}
        middle = (wall["x1"] + wall["x2"]) / 2, (wall["y1"] + wall["y2"]) / 2
        assert any(depth(model.grid, cell, middle) > -1e-3 for cell in shown)


def check_doors(table: Table, model: Model, doors: list[Document]) -> None:
    known = {key[1]: thing for key, thing in model.things.items() if key[0] == "doors"}
    assert {door["id"] for door in doors if "id" in door} == known.keys()
    bare = [
        {key: value for key, value in door.items() if key not in ("id", "x1", "y1", "x2", "y2")} for door in doors
    ]
    for door in known.values():
        rest = {key: value for key, value in door.items() if key not in ("id", "x1", "y1", "x2", "y2")}
        mine = [piece for piece, shown in zip(doors, bare, strict=True) if shown == rest]
        for point, touching in wall_points(model.grid, table, door):
            if touching & model.cells.keys():
                assert any(covers(piece, point) for piece in mine)
    for door in doors:
        middle = (door["x1"] + door["x2"]) / 2, (door["y1"] + door["y2"]) / 2
        assert any(depth(model.grid, cell, middle) > -1e-3 for cell in model.cells)


def edited(draw: Any, table: Table) -> Document:
    """The map after some change of it, at random."""
    random = draw(st.randoms(use_true_random=False))
    document = deepcopy(table.document)
    for _ in range(random.randint(1, 3)):
        _edit(document, random, table)
    return document


def _edit(document: Document, random: Random, table: Table) -> None:
    x, y = table.left + random.randrange(WIDTH), table.top + random.randrange(HEIGHT)
    kind = random.choice(
        ["paint"] * 4 + ["wall", "wall", "door", "door", "entity", "entity", "light", "layer", "legend"]
    )
    if kind == "paint":
        layer = random.choice(document["layers"])
        symbol = random.choice(
            [entry["symbol"] for entry in document["legend"] if entry["symbol"] != MARK] + [" "]
        )
        if "visible_to" not in layer:
            layer["rows"][y] = layer["rows"][y][:x] + symbol + layer["rows"][y][x + 1 :]
    elif kind == "layer":
        layer = random.choice([layer for layer in document["layers"] if layer["name"] != MARK])
        if random.random() < 0.3 and len(document["layers"]) > 2:
            document["layers"].remove(layer)
        elif random.random() < 0.3:
            rows = ["".join(random.choice(" .#") for _ in row) for row in layer["rows"]]
            new = {"name": f"new-{random.randrange(1000)}", "rows": rows}
            document["layers"].insert(random.randrange(len(document["layers"]) + 1), new)
        elif layer.pop("visible_to", None) is None:
            layer["visible_to"] = "game_masters"
    elif kind == "legend":
        used = {symbol for layer in document["layers"] for row in layer["rows"] for symbol in row}
        document["legend"] = [entry for entry in document["legend"] if entry["symbol"] in used]
    else:
        _edit_thing(document, random, table, kind, x, y)


def _edit_thing(document: Document, random: Random, table: Table, kind: str, x: int, y: int) -> None:
    things = document.setdefault({"entity": "entities"}.get(kind, kind + "s"), [])
    if things and random.random() < 0.6:
        thing = random.choice(things)
        change = random.choice(["remove", "hide", "change", "move"])
        if change == "remove":
            things.remove(thing)
        elif change == "hide" and not is_marked(thing):
            thing["hidden"] = not thing.get("hidden", False)
        elif change == "change" and kind == "door":
            thing["state"] = random.choice(["open", "closed", "locked"])
        elif change == "change":
            thing["properties"] = {"n": random.randrange(100)}
        elif kind in ("entity", "light"):
            thing["x"], thing["y"] = x, y
        return
    new: Document = {"id": f"{kind}-{random.randrange(10**6)}", "x": x, "y": y}
    if kind == "light":
        new |= {"x": x + 0.6, "y": y + 0.6, "range": 2}
    if kind in ("wall", "door"):
        long = random.randrange(1, 4)
        new = {"id": new["id"], "x1": x, "y1": y, "x2": x, "y2": y + long} if random.random() < 0.5 else {
            "id": new["id"], "x1": x, "y1": y, "x2": x + long, "y2": y + random.choice([0, 0, 1.5])}  # fmt: skip
        new |= (
            {"state": random.choice(["open", "closed"]), "secret": random.random() < 0.3} if kind == "door" else {}
        )
    things.append(new)


def tidy(document: Document) -> Document:
    """Marks are placed where a secret is: the hidden and disguised things of `secret_worlds` keep theirs, so these
    never come to light here."""
    for kind in ("doors", "entities", "lights"):
        for thing in document.get(kind, []):
            if is_marked(thing):
                thing["hidden"] = True
                thing.pop("secret", None)
    return document


class TestFoggedView:
    @given(st.data(), st.sampled_from([(0, 0), (0, 0), (60, 62)]), st.integers(2, 7))
    def test_is_what_was_seen_and_no_more(self, data: Any, place: tuple[int, int], steps: int) -> None:
        table = Table(tidy(named(data.draw(secret_worlds()), *place)), *place)
        model = Model(table)
        cell = st.tuples(st.integers(place[0], place[0] + WIDTH - 1), st.integers(place[1], place[1] + HEIGHT - 1))
        grid_type, rule = table.document["grid_type"], table.document["diagonal_rule"]
        for _ in range(steps):
            kind = data.draw(st.sampled_from(["token", "token", "edit", "edit", "replace", "reveal", "hide"]))
            before = set(each(table.visible))
            if kind == "token":
                token = data.draw(st.integers(0, 2))
                if token in table.tokens and data.draw(st.booleans()):
                    del table.tokens[token]
                else:
                    table.tokens[token] = data.draw(cell), data.draw(st.sampled_from([0, 1, 2, 4]))
                table.move()
            elif kind in ("edit", "replace"):
                if kind == "edit":
                    document = edited(data.draw, table)
                else:
                    document = tidy(named(data.draw(secret_worlds()), *place))
                table.change({**document, "grid_type": grid_type, "diagonal_rule": rule})
            else:
                x, y = data.draw(cell)
                area = rectangle(x, y, data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)))
                inside = {c for c in each(area) if c[0] < table.width and c[1] < table.height}
                if kind == "reveal":
                    table.memory = memories.reveal(table.memory, table.scene, area)
                    model.sees(inside)
                else:
                    table.memory = memories.hide(table.memory, table.scene, area, table.visible)
                    model.forgets(inside - before)
            pool_of(table)
            model.sees(set(each(table.visible)))
            if data.draw(st.booleans()):
                table.stored_again()
            check(table, model, "explored")
        check(table, model, "sight")


class TestLarge:
    def test_fog_of_many_chunks(self) -> None:
        """The rows of `fog`, across chunks, against cell by cell."""
        scene = Scene({"width": 150, "height": 140}, 150, 140)
        explored, visible = rectangle(30, 50, 90, 40), rectangle(60, 60, 10, 10)
        view = FoggedView(scene, memories.see(Memory(), scene, explored), visible, "explored")
        for x, y, width, height in (
            (0, 0, 150, 140),
            (63, 61, 3, 5),
            (10, 10, 1, 1),
            (5, 5, 0, 3),
            (64, 64, 64, 64),
        ):
            expected = [
                "".join(
                    "2" if contains(visible, i, j) else "1" if contains(explored, i, j) else "0"
                    for i in range(x, x + width)
                )
                for j in range(y, y + height)
            ]
            assert view.fog(x, y, width, height) == expected


class TestAtATable:
    """Two players in front of a door, and a game master: what each of them is sent."""

    def test_a_door_opens_and_a_trap_is_built(self) -> None:
        document: Document = {
            "width": 7,
            "height": 5,
            "legend": [
                {"symbol": "#", "blocks_movement": True, "blocks_sight": True},
                {"symbol": "."},
                {"symbol": "^"},
            ],
            "layers": [{"name": "ground", "rows": ["...#...", "...#...", ".......", "...#...", "...#..."]}],
            "doors": [{"id": "door", "x1": 3, "y1": 2, "x2": 3, "y2": 3, "state": "closed"}],
        }
        goblin = (6, 2)
        right, aside = Table(deepcopy(document)), Table(deepcopy(document))
        right.tokens, aside.tokens = {0: ((1, 2), 9)}, {0: ((2, 0), 9)}
        for table in (right, aside):
            table.move()
            assert whole(table.view("explored"), table.chunks)["doors"][0]["state"] == "closed"
            assert not contains(table.visible, *goblin)

        document["doors"][0]["state"] = "open"
        for table in (right, aside):
            table.change(deepcopy(document))
            assert whole(table.view("explored"), table.chunks)["doors"][0]["state"] == "open"
        assert contains(right.visible, *goblin)
        assert not contains(aside.visible, *goblin)

        right.tokens = {0: ((0, 0), 9)}
        right.move()
        assert not contains(right.visible, *goblin)
        assert self.row(right) == ".......", "the room is still drawn"

        document["layers"][0]["rows"][2] = "....^^."
        document["entities"] = [{"id": "trap", "kind": "trap", "x": 5, "y": 2}]
        for table in (right, aside):
            table.change(deepcopy(document))
            view = orjson.dumps(whole(table.view("explored"), table.chunks)).decode()
            assert "trap" not in view
            assert "^" not in view
        right.tokens = {0: ((1, 2), 9)}
        right.move()
        assert self.row(right) == "....^^."
        assert [one["id"] for one in whole(right.view("explored"), right.chunks)["entities"]] == ["trap"]

    def row(self, table: Table) -> str:
        row: str = whole(table.view("explored"), table.chunks)["layers"][0]["rows"][2]
        return row
