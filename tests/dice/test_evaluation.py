"""What rolls come to: each form against exact probabilities, and the tree of its dice."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import icepool
import pytest
from icepool import d

from game.dice.evaluation import Result, evaluate
from game.dice.parser import parse


class _MoreNeeded(Exception):
    def __init__(self, sides: int) -> None:
        self.sides = sides


def rolled(expression: str, *values: int) -> Result:
    """A roll whose dice show these values, in this order."""
    left = iter(values)
    result = evaluate(parse(expression), lambda sides: next(left))
    assert not [*left], "it rolled fewer dice"
    return result


def distribution(expression: str, most: int = 8) -> tuple[dict[int, Fraction], Fraction]:
    """The probability of each total, by every possible order of dice; and that it takes more than `most` dice."""
    node = parse(expression)
    found: dict[int, Fraction] = defaultdict(Fraction)
    beyond = Fraction(0)
    waiting: list[tuple[tuple[int, ...], Fraction]] = [((), Fraction(1))]
    while waiting:
        values, probability = waiting.pop()
        left = iter(values)

        def draw(sides: int, left: Iterator[int] = left) -> int:
            value = next(left, None)
            if value is None:
                raise _MoreNeeded(sides)
            return value

        try:
            found[evaluate(node, draw).total] += probability
        except _MoreNeeded as more:
            if len(values) == most:
                beyond += probability
            else:
                waiting += [((*values, side), probability / more.sides) for side in range(1, more.sides + 1)]
    return found, beyond


def _count(die: Any, *values: int) -> Any:
    return die.map({value: int(value in values) for value in die.outcomes()})


d4, d6, d8, d10, d20 = (d(sides) for sides in (4, 6, 8, 10, 20))

# Each form of the notation, and the same by another program, which computes with probabilities.
FORMS: dict[str, Any] = {
    "d%": d(100),
    "2d20kh1+5": d20.highest(2) + 5,
    "adv": d20.highest(2),
    "dis-1": d20.lowest(2) - 1,
    "4d6dl1": d6.highest(4, 3),
    "4d6kh3": d6.highest(4, 3),
    "3d6kl2": d6.lowest(3, 2),
    "3d6dh1": d6.lowest(3, 2),
    "3d6kh2dl1": d6.highest(3, 1),
    "2d6ro<3": 2 @ d6.reroll([1, 2], depth=1),
    "2d6ro1ro2": 2 @ d6.reroll([1], depth=1).map(lambda n: d6 if n == 2 else n),
    "2d4rr1": 2 @ d4.reroll([1], depth="inf"),
    "1d4rr>=4": d4.reroll([4], depth="inf"),
    "3d8mi2": 3 @ d8.map(lambda n: max(n, 2)),
    "1d20ma15": d20.map(lambda n: min(n, 15)),
    "3d10cs>7": 3 @ _count(d10, 8, 9, 10),
    "3d6cs<=2": 3 @ _count(d6, 1, 2),
    "(1d4+2)*3": (d4 + 2) * 3,
    "-2*(3-d4)": -2 * (3 - d4),
    "7/2": icepool.Die([3]),
    "-7/2": icepool.Die([-4]),
    "1d20/3": d20.map(lambda n: n // 3),
    "2d6-1d4": 2 @ d6 - d4,
    "7": icepool.Die([7]),
}
EXPLODING: dict[str, Any] = {
    "2d6!": 2 @ d6.explode(depth=8),
    "1d4!>2": d4.explode([3, 4], depth=12),
    "2d4mi2!": 2 @ d4.map(lambda n: max(n, 2) if n < 4 else 4 + d4.explode(depth=8)),
}


@pytest.mark.parametrize("expression", FORMS)
def test_exact_probabilities(expression: str) -> None:
    expected = FORMS[expression]
    found, beyond = distribution(expression)
    whole = {value: Fraction(count, expected.denominator()) for value, count in expected.items()}
    if beyond:
        # Rolled again and again: what is left out is as much.
        assert sum(abs(found[value] - whole[value]) for value in whole) == beyond
        assert beyond < Fraction(1, 10)
    else:
        assert found == whole


@pytest.mark.parametrize("expression", EXPLODING)
def test_explosions(expression: str) -> None:
    expected = EXPLODING[expression]
    found, beyond = distribution(expression, 6)
    assert beyond < Fraction(1, 30)
    for value, probability in found.items():
        assert 0 <= Fraction(expected.quantity(value), expected.denominator()) - probability <= beyond
    assert sum(found.values()) == 1 - beyond


class TestTree:
    def test_dropped(self) -> None:
        result = rolled("4d6dl1", 3, 1, 6, 1)
        [term] = result.terms
        assert term["dice"] == [
            {"rolled": 3, "value": 3, "kept": True},
            {"rolled": 1, "value": 1, "kept": True},
            {"rolled": 6, "value": 6, "kept": True},
            {"rolled": 1, "value": 1, "kept": False},
        ]
        assert (result.total, result.text) == (10, "4d6dl1 (3, 1, 6, ~1~) = 10")

    def test_rerolled(self) -> None:
        result = rolled("2d6rr1", 1, 4, 1, 5)
        assert [die["kept"] for die in result.terms[0]["dice"]] == [False, True, False, True]
        assert [die.get("rerolled", False) for die in result.terms[0]["dice"]] == [True, False, True, False]
        assert result.text == "2d6rr1 (~1~, 4, ~1~, 5) = 9"

    def test_exploded(self) -> None:
        result = rolled("2d6!", 6, 2, 6, 3)
        assert [die.get("exploded", False) for die in result.terms[0]["dice"]] == [True, False, True, False]
        assert result.text == "2d6! (6!, 2, 6!, 3) = 17"

    def test_counted_and_clamped(self) -> None:
        result = rolled("3d6mi2cs>=5", 1, 5, 6)
        assert [die.get("counted", False) for die in result.terms[0]["dice"]] == [False, True, True]
        assert result.terms[0]["dice"][0] == {"rolled": 1, "value": 2, "kept": True}
        assert result.text == "3d6mi2cs>=5 (1→2, 5*, 6*) = 2"

    def test_modifiers_in_their_order(self) -> None:
        assert rolled("2d6kh1!", 6, 6, 2).total == 8
        assert rolled("2d6!kh1", 6, 6, 2, 3).total == 6
        assert rolled("1d4mi3!", 1).total == 3
        # Dice that are added later are not clamped by earlier modifiers.
        assert rolled("1d4mi3!", 4, 1).total == 5

    def test_terms(self) -> None:
        result = rolled("2*(1d4+1)[cold] - -1d6 [fire] + 5 [magic]", 3, 2)
        assert result.total == 2 * 4 + 2 + 5
        product, negative, number = result.terms
        assert [term["operator"] for term in result.terms] == ["+", "-", "+"]
        assert [term["kind"] for term in product["terms"]] == ["number", "group"]
        assert product["terms"][1]["label"] == "cold"
        assert negative["kind"] == "negative"
        assert negative["terms"][0]["label"] == "fire"
        assert number == {"operator": "+", "kind": "number", "value": 5, "label": "magic"}
        assert result.text == "2 * (1d4 (3) + 1) [cold] - -1d6 (2) [fire] + 5 [magic] = 15"

    def test_parentheses_around_all(self) -> None:
        result = rolled("-(1+2)[all]")
        assert (result.total, result.text) == (-3, "-(1 + 2) [all] = -3")

    def test_never_more_than_a_thousand_dice(self) -> None:
        result = evaluate(parse("600d2!"), lambda sides: sides)
        assert len(result.terms[0]["dice"]) == 1000
        assert result.total == 2000
