"""Sheets: what is checked in them, and hit points by the 5e rules."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from game.characters.models import SHEET_EXAMPLE
from game.characters.sheets import MAX_BYTES, SHEET, damaged, healed


@pytest.mark.parametrize(
    ("sheet", "place", "code"),
    [
        ({"abilities": {"strength": 31}}, ("abilities", "strength"), "less_than_equal"),
        ({"abilities": {"charisma": "8"}}, ("abilities", "charisma"), "int_type"),
        ({"abilities": []}, ("abilities",), "model_type"),
        ({"level": True}, ("level",), "int_type"),
        ({"level": None}, ("level",), "int_type"),
        ({"hit_points": {"current": 3}}, ("hit_points", "maximum"), "missing"),
        ({"hit_points": {"current": 9, "maximum": 8}}, ("hit_points",), "above_maximum"),
        ({"hit_points": {"current": -1, "maximum": 8}}, ("hit_points", "current"), "greater_than_equal"),
        ({"speed": {"fly": "fast"}}, ("speed", "fly"), "float_type"),
        ({"conditions": ["prone", 1]}, ("conditions", 1), "string_type"),
        ({"exhaustion": 7}, ("exhaustion",), "less_than_equal"),
        ({"death_saves": {"failures": 4}}, ("death_saves", "failures"), "less_than_equal"),
        ({"senses": {"darkvision": -1}}, ("senses", "darkvision"), "greater_than_equal"),
        ({"story": "x" * MAX_BYTES}, (), "too_large"),
    ],
)
def test_what_is_refused(sheet: dict[str, Any], place: tuple[Any, ...], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SHEET.validate_python(sheet)
    [fault] = caught.value.errors()
    assert (fault["loc"], fault["type"]) == (place, code)


def test_it_stays_as_it_was_sent() -> None:
    sheet = {**SHEET_EXAMPLE, "speed": {"walk": 30, "hover": True}, "spells": [{"name": "Light", "level": 0}]}
    kept = SHEET.validate_python(sheet)
    assert kept == sheet
    assert type(kept["speed"]["walk"]) is int


class TestHitPoints:
    def test_temporary_ones_go_first(self) -> None:
        points = {"current": 10, "maximum": 12, "temporary": 4}
        assert damaged(points, 3) == {**points, "temporary": 1}
        assert damaged(points, 6) == {"current": 8, "maximum": 12, "temporary": 0}
        assert damaged({"current": 3, "maximum": 12}, 5) == {"current": 0, "maximum": 12}

    def test_healing_ends_at_the_maximum(self) -> None:
        points = {"current": 10, "maximum": 12, "temporary": 4, "dice": "2d8"}
        assert healed(points, 1) == {**points, "current": 11}
        assert healed(points, 9) == {**points, "current": 12}

    @given(*[st.integers(0, 20)] * 3, st.integers(0, 60))
    def test_bounds(self, current: int, more: int, temporary: int, amount: int) -> None:
        points = {"current": current, "maximum": current + more, "temporary": temporary}
        left = damaged(points, amount)
        lost = current + temporary - left["current"] - left["temporary"]
        assert lost == min(amount, current + temporary)
        assert left["temporary"] == 0 or left["current"] == current
        assert healed(left, amount)["current"] <= points["maximum"]
