"""Rolling an expression: every die of it, and the result.

The dice of an expression are drawn in the order in which they appear in its result: term by term from the left,
and within a term in the order of its list, where dice that are added later come last. So anybody with the result
and the key can draw the dice again (`game.dice.drawing`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from game.dice.syntax import (
    MAX_DICE,
    Chain,
    Clamp,
    Count,
    Dice,
    Explode,
    Keep,
    Negative,
    Node,
    Number,
    Path,
    Reroll,
)

Draw = Callable[[int], int]
"""Draws a die: takes its number of sides, returns the number that it shows."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a roll. `terms` is JSON: the terms of the sum, each with those within it (docs/dice.md)."""

    total: int
    terms: list[dict[str, Any]]
    text: str


@dataclass(slots=True)
class _Die:
    sides: int
    rolled: int
    value: int
    kept: bool = True
    rerolled: bool = False
    exploded: bool = False
    counted: bool = False

    def json(self) -> dict[str, Any]:
        marks = {name: True for name in ("rerolled", "exploded", "counted") if getattr(self, name)}
        return {"rolled": self.rolled, "value": self.value, "kept": self.kept, **marks}


def evaluate(node: Node, draw: Draw) -> Result:
    """Roll a parsed expression."""
    roller = _Roller(draw, MAX_DICE - sum(dice.count for dice in _dice_of(node)))
    terms = roller.terms(node)
    total = sum_of(terms)
    return Result(total, terms, f"{_text(terms)} = {total}")


def sum_of(terms: list[dict[str, Any]]) -> int:
    """The value of terms, each with the operator before it. Division rounds down."""
    total = 0 if terms[0]["operator"] == "+" else 1
    for term in terms:
        value = term["value"]
        match term["operator"]:
            case "+":
                total += value
            case "-":
                total -= value
            case "*":
                total *= value
            case "/":
                total //= value
    return total


def _dice_of(node: Node) -> Iterator[Dice]:
    match node:
        case Dice():
            yield node
        case Negative():
            yield from _dice_of(node.term)
        case Chain():
            for _, one in node.terms:
                yield from _dice_of(one)


class _Roller:
    def __init__(self, draw: Draw, spare: int) -> None:
        self._draw = draw
        self._spare = spare
        """Counts the dice that may still be added to those in the expression."""

    def terms(self, node: Node) -> list[dict[str, Any]]:
        """A node as terms: several where it is a sum or a product without parentheses around it."""
        if isinstance(node, Chain) and not node.grouped:
            return self._within(node)
        return [{"operator": "+", **self._term(node)}]

    def _within(self, chain: Chain) -> list[dict[str, Any]]:
        return [{"operator": operator, **self._term(one)} for operator, one in chain.terms]

    def _term(self, node: Node) -> dict[str, Any]:
        found = self._unlabelled(node)
        return found if node.label is None else {**found, "label": node.label}

    def _unlabelled(self, node: Node) -> dict[str, Any]:
        match node:
            case Number():
                return {"kind": "number", "value": node.value}
            case Path():
                return {"kind": "path", "value": node.value, "path": node.path}
            case Dice():
                return self._dice(node)
            case Negative():
                inner = self.terms(node.term)
                return {"kind": "negative", "value": -sum_of(inner), "terms": inner}
            case Chain():
                inner = self._within(node)
                return {"kind": "group" if node.grouped else node.kind, "value": sum_of(inner), "terms": inner}

    def _dice(self, node: Dice) -> dict[str, Any]:
        dice = [self._roll(node.sides) for _ in range(node.count)]
        counts = False
        for modifier in node.modifiers:
            match modifier:
                case Keep():
                    _keep(dice, modifier)
                case Clamp():
                    for die in _kept(dice):
                        die.value = min(max(die.value, modifier.lowest), modifier.highest)
                case Reroll():
                    self._reroll(dice, modifier)
                case Explode():
                    self._explode(dice, modifier)
                case Count():
                    counts = True
                    for die in _kept(dice):
                        die.counted = modifier.condition.holds(die.value)
        value = sum(die.counted if counts else die.value for die in _kept(dice))
        shown = [die.json() for die in dice]
        return {"kind": "dice", "value": value, "text": node.text, "sides": node.sides, "dice": shown}

    def _roll(self, sides: int) -> _Die:
        rolled = self._draw(sides)
        return _Die(sides, rolled, rolled)

    def _extra(self, dice: list[_Die], sides: int) -> _Die | None:
        """One more die; None if the roll has reached the maximum."""
        if not self._spare:
            return None
        self._spare -= 1
        dice.append(self._roll(sides))
        return dice[-1]

    def _reroll(self, dice: list[_Die], modifier: Reroll) -> None:
        for first in _kept(dice):
            die: _Die | None = first
            while die and modifier.condition.holds(die.value) and (new := self._extra(dice, die.sides)):
                die.kept, die.rerolled = False, True
                die = new if modifier.again else None

    def _explode(self, dice: list[_Die], modifier: Explode) -> None:
        for first in _kept(dice):
            die: _Die | None = first
            while die and modifier.condition.holds(die.value) and (new := self._extra(dice, die.sides)):
                die.exploded = True
                die = new


def _kept(dice: list[_Die]) -> list[_Die]:
    return [die for die in dice if die.kept]


def _keep(dice: list[_Die], modifier: Keep) -> None:
    """Of equal dice, those that were rolled first count as the higher ones to keep, and as the later to drop."""
    kept = _kept(dice)
    # The best ones first: kept dice come first, dropped dice after them.
    prefers_high = modifier.highest == modifier.keeps
    kept.sort(key=lambda die: -die.value if prefers_high else die.value)
    for die in kept[modifier.kept_of(len(kept)) :]:
        die.kept = False


def _text(terms: list[dict[str, Any]]) -> str:
    parts = [_text_of(term) if not at else f"{term['operator']} {_text_of(term)}" for at, term in enumerate(terms)]
    return " ".join(parts)


def _text_of(term: dict[str, Any]) -> str:
    match term["kind"]:
        case "number":
            shown = str(term["value"])
        case "path":
            shown = f"@{term['path']} ({term['value']})"
        case "dice":
            shown = f"{term['text']} ({', '.join(map(_die_text, term['dice']))})"
        case "negative":
            shown = f"-{_text(term['terms'])}"
        case "group":
            shown = f"({_text(term['terms'])})"
        case _:
            shown = _text(term["terms"])
    return f"{shown} [{term['label']}]" if "label" in term else shown


def _die_text(die: dict[str, Any]) -> str:
    rolled, value = die["rolled"], die["value"]
    shown = str(value) if value == rolled else f"{rolled}→{value}"
    shown += "!" * die.get("exploded", False) + "*" * die.get("counted", False)
    return shown if die["kept"] else f"~{shown}~"
