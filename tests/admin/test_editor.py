"""The editor's own tests, of what needs no browser: in the Node.js that Playwright brings."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any, get_args

import playwright
import pytest

from game.grid.geometry import GridType, corners
from game.grid.obstacles import can_open
from tests.grid.grids import whole

HERE = Path(__file__).parent / "editor"
NODE = next((Path(playwright.__file__).parent / "driver").glob("node*"))


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name.partition(".")[0])
def test_module(path: Path) -> None:
    done = subprocess.run([NODE, "--test", path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def _door_and_map(dice: random.Random, grid_type: GridType) -> tuple[dict[str, Any], dict[str, Any]]:
    """A map of 7 x 6 cells, a half of them rock, and a door on a side or through the middle of one of them."""

    def side(column: int, row: int) -> dict[str, float]:
        around = corners(grid_type, (column, row))
        at = dice.randrange(len(around))
        (x1, y1), (x2, y2) = around[at], around[(at + 1) % len(around)]
        return {"x1": x1, "y1": y1, "x2": x2, "y2": y2}

    def anywhere() -> dict[str, float]:
        return side(dice.randrange(7), dice.randrange(6))

    grid = {
        "width": 7,
        "height": 6,
        "grid_type": grid_type,
        "legend": [{"symbol": "#", "blocks_movement": True}, {"symbol": "."}],
        "layers": [{"name": "ground", "rows": ["".join(dice.choices("#.", k=7)) for _ in range(6)]}],
        "walls": [{**anywhere(), "blocks_movement": dice.random() < 0.7} for _ in range(6)],
    }
    door = anywhere()
    if dice.random() < 0.2:
        door = {**door, "x2": door["x1"] + 1, "y2": door["y1"]}
    return grid, door


def test_doors_lead_nowhere_by_the_rule_of_the_server() -> None:
    dice = random.Random(5)
    cases = [_door_and_map(dice, grid_type) for grid_type in get_args(GridType) for _ in range(120)]
    expected = [can_open(whole(grid), door) for grid, door in cases]
    assert 100 < sum(expected) < len(expected) - 100
    done = subprocess.run(
        [NODE, HERE / "doors-of.mjs"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for (grid, door), found, allowed in zip(cases, json.loads(done.stdout), expected, strict=True):
        assert found == allowed, (grid, door)
