"""`python -m bench.vision`: times of sight, fog and moves, without a database. Writes bench/VISION.md."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.__main__ import machine, say
from game.grid import memory as memories
from game.grid.canvas import Loaded, Wanted, run
from game.grid.cell_sets import Cells, rectangle, union
from game.grid.chunks import split
from game.grid.fogged_view import FoggedView, whole
from game.grid.geometry import Cell
from game.grid.memory import NOTHING, Memory, pack, remember, see
from game.grid.moves import MoveBlocked, Token, move_along
from game.grid.player_view import players_document
from game.grid.scene import Scene, changed_things
from game.grid.vision import Sight, Vision

HERE = Path(__file__).parent
LEGEND = [{"symbol": "#", "blocks_movement": True, "blocks_sight": True}, {"symbol": "."}]
SYMBOLS = "#."
RANGE = 12

Line = tuple[str, str, str]


class Stored:
    """A stored map; missing chunks are floor."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.width, self.height = document["width"], document["height"]
        self.frame, self.chunks = split(document)
        self.scene = Scene(self.frame, self.width, self.height)

    def load(self, wanted: Wanted) -> Loaded:
        return {key: self.chunks[key] for key in wanted.chunks if key in self.chunks}

    def vision(self) -> Vision:
        return Vision(self.frame, self.width, self.height)


def town(side: int, walls: int, *, aligned: bool = True, doors: int = 10, seed: int = 1) -> Stored:
    """A map with doors and with walls of one to four cells, along the grid or at any angle."""
    dice = random.Random(seed)
    made = []
    for _ in range(walls):
        x, y, long = dice.randrange(64), dice.randrange(64), dice.randrange(1, 5)
        across = dice.random() < 0.5
        ends = (x, y, x + long * across, y + long * (not across))
        if not aligned:
            ends = (x + dice.random(), y + dice.random(), ends[2] + dice.random(), ends[3] + dice.random())
        made.append(dict(zip(("x1", "y1", "x2", "y2"), ends, strict=True)))
    places = [(dice.randrange(8, 56), dice.randrange(8, 56)) for _ in range(doors)]
    document: dict[str, Any] = {
        "width": side,
        "height": side,
        "legend": LEGEND,
        "layers": [{"name": "ground", "rows": ["." * side] * side}],
        "walls": made,
        "doors": [{"id": f"d{n}", "x1": x, "y1": y, "x2": x, "y2": y + 1} for n, (x, y) in enumerate(places)],
        "entities": [{"id": f"e{n}", "x": dice.randrange(64), "y": dice.randrange(64)} for n in range(40)],
        "lights": [{"id": f"l{n}", "x": dice.randrange(64) + 0.5, "y": 5.5, "range": 4} for n in range(10)],
    }
    return Stored(document)


@contextmanager
def timed(results: list[float]) -> Iterator[None]:
    """Append the time of the block, in milliseconds."""
    start = time.perf_counter()
    yield
    results.append((time.perf_counter() - start) * 1000)


def in_turns(times: int, *works: Callable[[], Any]) -> list[float]:
    """The median time of each, alternating (A B A B ...), so that all run under the same conditions."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for work, results in zip(works, taken, strict=True):
            with timed(results):
                work()
    return [median(results) for results in taken]


def paths(count: int, steps: int = 6) -> list[list[Cell]]:
    """Straight paths to the right, from random cells of a 64 x 64 map."""
    dice = random.Random(2)
    starts = [(dice.randrange(2, 56), dice.randrange(2, 62)) for _ in range(count)]
    return [[(x + n, y) for n in range(steps + 1)] for x, y in starts]


def sight() -> list[Line]:
    lines = []
    for name, aligned in (("along the grid", True), ("at any angle", False)):
        stored = town(64, 200, aligned=aligned)
        results: list[float] = []
        for path in paths(60):
            vision = stored.vision()
            run(vision.visible_from(path[0], RANGE), stored.load)
            for cell in path[1:]:
                with timed(results):
                    run(vision.visible_from(cell, RANGE), stored.load)
        lines.append(
            (f"sight from a cell, range {RANGE}, 64 x 64, 200 walls {name}", f"{median(results):.2f} ms", "1 ms")
        )
    large, small = town(4096, 200), town(256, 200)

    def see_far(stored: Stored) -> Callable[[], Any]:
        return lambda: run(stored.vision().visible_from((30, 30), 24), stored.load)

    a, b = in_turns(60, see_far(large), see_far(small))
    lines.append(
        ("sight of range 24, 4096 x 4096 against 256 x 256", f"{a:.2f} / {b:.2f} ms = {a / b:.2f}", "1.2")
    )
    return lines


def moves() -> list[Line]:
    """A player's move of 6 cells with fog: the checks, what is seen along the path, and the view afterwards."""
    stored = town(64, 200)
    priced = players_document(stored.frame, SYMBOLS).frame
    kept = Scene(stored.frame, 64, 64), stored.vision()
    walked: dict[bool, list[float]] = {False: [], True: []}
    shown: list[float] = []

    def walk(memory: Memory, start: Cells, path: list[Cell], scene: Scene, vision: Vision) -> tuple[Memory, Cells]:
        known = FoggedView(scene, memory, start, "explored").known
        with suppress(MoveBlocked):  # what it would have seen is measured nevertheless
            run(move_along(stored.frame, 64, 64, Token(*path[0]), path, known, priced), stored.load)
        seen = [run(vision.seen_by([cell], Sight(RANGE)), stored.load) for cell in path]
        return see(memory, scene, union(*seen)), seen[-1]

    for path in paths(120):
        start = run(stored.vision().visible_from(path[0], RANGE), stored.load)
        memory = see(NOTHING, stored.scene, start)
        for keep in walked:
            with timed(walked[keep]):
                scene, vision = kept if keep else (Scene(stored.frame, 64, 64), stored.vision())
                after, seen = walk(memory, start, path, scene, vision)
        with timed(shown):
            orjson.dumps(whole(FoggedView(scene, after, seen, "explored"), stored.chunks))
    return [
        ("a move of 6 cells with fog, 64 x 64, 200 walls", f"{median(walked[False]):.1f} ms", "15 ms"),
        ("the same, with Scene and Vision of the map's version kept", f"{median(walked[True]):.1f} ms", ""),
        ("the document of it as a player gets it, Scene kept", f"{median(shown):.1f} ms", ""),
    ]


def size() -> list[Line]:
    scene = Scene({"width": 1024, "height": 1024}, 1024, 1024)
    stored = 0
    for _ in range(6):
        chunks, whole_map = pack(memories.reveal(NOTHING, scene, rectangle(0, 0, 1024, 1024)))
        stored += sum(len(bits) + len(orjson.dumps(differs)) for bits, differs in chunks.values())
        stored += len(orjson.dumps(whole_map))
    return [("explored memory of 1024 x 1024 for 6 viewers", f"{stored / 1e6:.2f} MB", "1 MB")]


def doors() -> list[Line]:
    """Open and close doors on a map with 200 tokens, which are distributed over six players."""
    dice = random.Random(3)
    stored = town(64, 200)
    tokens = [(dice.randrange(64), dice.randrange(64)) for _ in range(200)]
    eyes = [tokens[player::6] for player in range(6)]

    def look(vision: Vision, at: Stored) -> list[Cells]:
        return [union(*(run(vision.seen_by([cell], Sight(RANGE)), at.load) for cell in mine)) for mine in eyes]

    vision = stored.vision()
    visible = look(vision, stored)
    groups: list[Memory] = [see(NOTHING, stored.scene, seen) for seen in visible]
    results: list[float] = []
    for turn in range(200):
        document = dict(stored.document)
        number = turn % len(document["doors"])
        document["doors"] = [dict(door) for door in document["doors"]]
        door = document["doors"][number]
        door["state"] = "closed" if door.get("state") == "open" else "open"
        frame = {**stored.frame, "doors": document["doors"]}
        with timed(results):
            scene = Scene(frame, 64, 64)
            vision = vision.after(frame, scene.cells_of("doors", door))
            visible = look(vision, stored)
            groups = [
                remember(memory, stored.scene, scene, {}, changed_things(stored.scene, scene), seen)
                for memory, seen in zip(groups, visible, strict=True)
            ]
        stored.document, stored.frame, stored.scene = document, frame, scene
    return [
        (
            "a door opened or closed, 200 tokens that see, 6 players with fog each",
            f"{median(results):.1f} ms",
            "40 ms",
        )
    ]


def main() -> None:
    """Measure, print and write bench/VISION.md."""
    lines = [line for part in (sight, moves, size, doors) for line in part()]
    text = "\n".join(
        ["| what | measured | target |", "|---|--:|--:|", *(f"| {a} | {b} | {c} |" for a, b, c in lines), ""]
    )
    say(text)
    (HERE / "VISION.md").write_text(
        f"# Sight and fog, measured by `python -m bench.vision`\n\n{machine()}\n\n{text}"
    )


if __name__ == "__main__":
    main()
