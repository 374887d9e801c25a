"""What stands in the way."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from game.grid.geometry import AXIAL, DIAGONAL, STRAIGHT
from game.grid.obstacles import SCALE, Segment, crossings, survey
from tests.grid.grids import documents, whole


def touch(a: Segment, b: Segment) -> bool:
    """Whether two segments have a point in common, by the signs of their corners' areas."""

    def side(ax: int, ay: int, bx: int, by: int, cx: int, cy: int) -> int:
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        return (area > 0) - (area < 0)

    first, second = a[:2], a[2:]
    third, fourth = b[:2], b[2:]
    if side(*first, *second, *third) * side(*first, *second, *fourth) > 0:
        return False
    if side(*third, *fourth, *first) * side(*third, *fourth, *second) > 0:
        return False
    return all(
        max(min(a[i], a[i + 2]), min(b[i], b[i + 2])) <= min(max(a[i], a[i + 2]), max(b[i], b[i + 2]))
        for i in (0, 1)
    )


numbers = st.one_of(st.integers(-6, 6).map(lambda n: n * SCALE // 2), st.integers(-3 * SCALE, 3 * SCALE))


class TestCrossings:
    @given(st.tuples(numbers, numbers, numbers, numbers), st.booleans())
    def test_are_the_steps_that_touch_the_segment(self, segment: Segment, is_hex: bool) -> None:
        steps = [(1, 0), (0, 1), (1, -1)] + [(1, 1)] * (not is_hex)
        expected = {
            (u, v, du, dv)
            for u in range(-4, 5)
            for v in range(-4, 5)
            for du, dv in steps
            if touch(segment, (u * SCALE, v * SCALE, (u + du) * SCALE, (v + dv) * SCALE))
        }
        found = list(crossings(segment, is_hex, (-4, -4, 4, 4)))
        assert set(found) == expected

    @given(st.tuples(numbers, numbers, numbers, numbers), st.booleans())
    def test_stay_within_the_bounds(self, segment: Segment, is_hex: bool) -> None:
        everywhere = set(crossings(segment, is_hex, (-9, -9, 9, 9)))
        inside = {step for step in everywhere if -1 <= step[0] <= 2 and 0 <= step[1] <= 1}
        assert set(crossings(segment, is_hex, (-1, 0, 2, 1))) == inside

    def test_a_wall_without_end_takes_no_time(self) -> None:
        assert len(set(crossings((-(10**300), 384, 10**300, 384), False, (0, 0, 9, 9)))) == 30

    def test_half_of_all_steps_are_named(self) -> None:
        named = {(1, 0), (0, 1), (1, -1)}
        assert {(-u, -v) for u, v in named} | named == set(AXIAL)
        named |= {(1, 1)}
        assert {(-u, -v) for u, v in named} | named == set(STRAIGHT + DIAGONAL)


class TestSurvey:
    @settings(max_examples=50, deadline=None)
    @given(documents(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 3))
    def test_equals_a_look_at_each_cell(
        self, document: dict[str, Any], x: int, y: int, width: int, height: int
    ) -> None:
        rows = [[row[x : x + width] for row in layer["rows"][y : y + height]] for layer in document["layers"]]
        found = survey(document, rows, x, y, width, height)
        legend = {entry["symbol"]: entry for entry in document["legend"]} | {" ": {}}
        for index in range(width * height):
            stack = [legend[cells[index // width][index % width]] for cells in rows]
            stated = [entry["movement_cost"] for entry in stack if "movement_cost" in entry]
            assert found.solid[index] == any(entry.get("blocks_movement") for entry in stack)
            assert found.opaque[index] == any(entry.get("blocks_sight") for entry in stack)
            assert found.costs[found.terrain[index]] == (stated[-1] if stated else 1)

    def test_hidden_layers_and_layers_without_cells_do_not_count(self) -> None:
        layers = [{"name": "roof", "visible": False}, {"name": "notes"}]
        document = {"legend": [{"symbol": "#", "blocks_movement": True}], "layers": layers}
        assert survey(document, [["#"], None], 0, 0, 1, 1).solid == b"\0"

    def test_more_costs_than_a_byte_counts(self) -> None:
        symbols = [chr(0xE000 + n) for n in range(400)]
        legend = [{"symbol": symbol, "movement_cost": n} for n, symbol in enumerate(symbols)]
        layers = [{"name": "a"}, {"name": "b"}]
        rows = ["".join(symbols)], ["".join(reversed(symbols))]
        found = survey({"legend": legend, "layers": layers}, rows, 0, 0, 400, 1)
        assert [found.costs[n] for n in found.terrain] == [399 - n for n in range(400)]

    def test_a_door_counts_while_it_is_not_open(self) -> None:
        document = {"width": 2, "height": 1, "layers": []}
        counts = {}
        for state in ("open", "closed", "locked"):
            door = {"x1": 1, "y1": 0, "x2": 1, "y2": 1, "state": state}
            counts[state] = len(whole({**document, "doors": [door]}).barriers)
        assert counts == {"open": 0, "closed": 1, "locked": 1}

    def test_a_window_lets_light_through(self) -> None:
        wall = {"x1": 1, "y1": 0, "x2": 1, "y2": 1}
        document = {"width": 2, "height": 1, "layers": [], "walls": [{**wall, "blocks_sight": False}]}
        found = whole(document)
        assert (found.barriers, found.screens) == (((SCALE // 2, -SCALE // 2, SCALE // 2, SCALE // 2),), ())

    def test_walls_far_away_are_left_out(self) -> None:
        document = {"layers": [], "walls": [{"x1": 50, "y1": 0, "x2": 50, "y2": 9}]}
        assert survey(document, [], 0, 0, 9, 9).barriers == ()
        assert len(survey(document, [], 45, 0, 9, 9).barriers) == 1
