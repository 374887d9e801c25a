"""Strategies for grids, cells and maps that the tests of the rules share."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from game.grid.cell_sets import Cells, bits_of
from game.grid.chunks import CHUNK
from game.grid.geometry import Cell, Grid
from game.grid.obstacles import Obstacles, survey

GRIDS = (
    Grid("square", "5-5-5"),
    Grid("square", "5-10-5"),
    Grid("square", "none"),
    Grid("isometric", "5-5-5"),
    Grid("hex_row"),
    Grid("hex_column"),
    Grid("none"),
)

grids = st.sampled_from(GRIDS)


def each(cells: Cells) -> Iterator[Cell]:
    """The cells of a set, chunk by chunk, in each row by row."""
    for (column, band), bits in sorted(cells.items()):
        left, top = column * CHUNK, band * CHUNK
        for bit in bits_of(bits):
            yield left + bit % CHUNK, top + bit // CHUNK


def cells(low: int = 0, high: int = 20) -> st.SearchStrategy[Cell]:
    """Cells with both coordinates from `low` to `high`."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


def places(low: int = 0, high: int = 8) -> st.SearchStrategy[float]:
    """Coordinates of walls: mostly on the corners of cells, also on their centres, and in between."""
    return st.one_of(
        st.integers(low, high).map(float),
        st.integers(2 * low, 2 * high).map(lambda n: n / 2),
        st.floats(low, high),
    )


@st.composite
def walls(draw: st.DrawFn, low: int = 0, high: int = 8) -> dict[str, float]:
    """A wall of a document."""
    x1, y1, x2, y2 = (draw(places(low, high)) for _ in range(4))
    if draw(st.booleans()):
        x2 = x1
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2}


@st.composite
def documents(draw: st.DrawFn, width: int = 7, height: int = 6) -> dict[str, Any]:
    """Small maps with two layers, rock, rubble, mud, glass, walls and doors."""
    legend = [
        {"symbol": "#", "blocks_movement": True, "blocks_sight": True},
        {"symbol": "g", "blocks_movement": True},
        {"symbol": "f", "blocks_sight": True},
        {"symbol": ",", "movement_cost": 2},
        {"symbol": "m", "movement_cost": 3.5},
        {"symbol": "=", "movement_cost": 0.5},
        {"symbol": "."},
    ]
    row = st.text(draw(st.sampled_from(["....#", ". ##", "..,,m=#", "..gf#,"])), min_size=width, max_size=width)
    rows = st.lists(row, min_size=height, max_size=height)
    states = st.sampled_from(["open", "closed", "locked"])
    doors = st.builds(lambda wall, state: {**wall, "state": state}, walls(), states)
    names = draw(st.sampled_from([["ground"], ["ground", "objects"]]))
    grid = draw(grids)
    return {
        "width": width,
        "height": height,
        "grid_type": grid.type,
        "diagonal_rule": grid.diagonal_rule,
        "legend": legend,
        "layers": [{"name": name, "rows": draw(rows)} for name in names],
        "walls": draw(st.lists(walls(), max_size=5)),
        "doors": draw(st.lists(doors, max_size=2)),
    }


def whole(document: dict[str, Any]) -> Obstacles:
    """The obstacles on a whole map."""
    rows = [layer.get("rows") for layer in document["layers"]]
    return survey(document, rows, 0, 0, document["width"], document["height"])
