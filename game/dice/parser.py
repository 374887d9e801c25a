"""The parser of expressions of dice: recursive descent over the grammar in docs/dice.md.

An expression is checked completely before a die is rolled: an accepted expression can be rolled with any values of
the dice. So errors do not reveal values.
"""

import re
from dataclasses import replace
from typing import Final, NamedTuple

from game.dice.syntax import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_DICE,
    MAX_MODIFIERS,
    MAX_NUMBER,
    MAX_SIDES,
    Chain,
    Clamp,
    Condition,
    Count,
    Dice,
    Explode,
    ExpressionError,
    Keep,
    Lookup,
    Modifier,
    Negative,
    Node,
    Number,
    Path,
    Reroll,
)

_ADVANTAGE: Final = {"adv": "2d20kh1", "dis": "2d20kl1"}
_DIGITS: Final = re.compile("[0-9]+")
_WORD: Final = re.compile("[A-Za-z]+")
_PATH: Final = re.compile(r"\w+(\.\w+)*")
_MODIFIER: Final = re.compile("kh|kl|dh|dl|ro|rr|mi|ma|cs|!", re.IGNORECASE)
_OPERATOR: Final = re.compile("<=|>=|<|>|=")


class Range(NamedTuple):
    """The lowest and the highest result that a node can have."""

    low: int
    high: int


def parse(expression: str, lookup: Lookup | None = None) -> Node:
    """Parse an expression of dice.

    Args:
        expression: such as `2d20kh1+5`; blanks between its parts and the case of its letters do not matter.
        lookup: returns the number at an `@` path; None if there is no sheet.

    Raises:
        ExpressionError: it is invalid, or exceeds a limit; contains the error and its column.
    """
    if len(expression) > MAX_CHARACTERS:
        raise ExpressionError(f"is longer than {MAX_CHARACTERS} characters", MAX_CHARACTERS + 1)
    parser = _Parser(expression, lookup)
    node, _ = parser.sum(0)
    if (rest := parser.peek()) is not None:
        raise parser.error("this parenthesis was never opened" if rest == ")" else "this is unexpected here")
    return node


class _Parser:
    def __init__(self, text: str, lookup: Lookup | None) -> None:
        self._text, self._lookup = text, lookup
        self._at = 0
        self._dice = 0

    def error(self, message: str, at: int | None = None) -> ExpressionError:
        return ExpressionError(message, (self._at if at is None else at) + 1)

    def peek(self) -> str | None:
        """The next character that is not a space; None at the end."""
        text = self._text
        while self._at < len(text) and text[self._at] == " ":
            self._at += 1
        return text[self._at] if self._at < len(text) else None

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match[0]

    def sum(self, depth: int) -> tuple[Node, Range]:
        return self._chain("sum", "+-", depth)

    def _chain(self, kind: str, operators: str, depth: int) -> tuple[Node, Range]:
        """A sum of products, or a product of factors."""
        parse_term = self._product if kind == "sum" else self._factor
        node, whole = parse_term(depth)
        terms = [(operators[0], node)]
        while (operator := self.peek()) is not None and operator in operators:
            at = self._at
            self._at += 1
            node, one = parse_term(depth)
            whole = self._bounded(self._combined(whole, operator, one, at), at)
            terms.append((operator, node))
        return (node if len(terms) == 1 else Chain(kind, tuple(terms))), whole  # type: ignore[arg-type]  # operators of one kind

    def _product(self, depth: int) -> tuple[Node, Range]:
        return self._chain("product", "*/", depth)

    def _combined(self, left: Range, operator: str, right: Range, at: int) -> Range:
        match operator:
            case "+":
                return Range(left.low + right.low, left.high + right.high)
            case "-":
                return Range(left.low - right.high, left.high - right.low)
            case "*":
                corners = [one * other for one in left for other in right]
            case _:
                if right.low <= 0 <= right.high:
                    raise self.error("the divisor of this `/` can be 0", at)
                corners = [one // other for one in left for other in right]
        return Range(min(corners), max(corners))

    def _bounded(self, found: Range, at: int) -> Range:
        if found.low < -MAX_NUMBER or found.high > MAX_NUMBER:
            raise self.error(f"the result can exceed ±{MAX_NUMBER}", at)
        return found

    def _factor(self, depth: int) -> tuple[Node, Range]:
        """A primary with signs before it and labels after it."""
        sign = self.peek()
        if sign in ("+", "-"):
            self._at += 1
            node, found = self._factor(self._deeper(depth))
            return (Negative(node), Range(-found.high, -found.low)) if sign == "-" else (node, found)
        node, found = self._primary(depth)
        while self.peek() == "[":
            node = replace(node, label=self._label(node.label))
        return node, found

    def _deeper(self, depth: int) -> int:
        if depth + 1 > MAX_DEPTH:
            raise self.error(f"is nested deeper than {MAX_DEPTH}", self._at - 1)
        return depth + 1

    def _label(self, before: str | None) -> str:
        end = self._text.find("]", self._at)
        label = self._text[self._at + 1 : end].strip()
        if end < 0 or "[" in label:
            raise self.error("this label has no `]`")
        if not label:
            raise self.error("this label is empty")
        self._at = end + 1
        return f"{before}, {label}" if before else label

    def _primary(self, depth: int) -> tuple[Node, Range]:
        first = self.peek()
        start = self._at
        if first is None:
            raise self.error("expected a number or dice here")
        if first == "(":
            return self._group(depth)
        if first == "@":
            return self._path()
        word = self._take(_WORD) if first.isascii() and first.isalpha() else None
        if word and word.lower() in _ADVANTAGE:
            return self._advantage(word)
        self._at = start
        digits = self._take(_DIGITS)
        if (following := self.peek()) is not None and following in "dD":
            return self._dice_term(start, digits)
        if digits is None:
            raise self.error("expected a number or dice here", start)
        value = self._number(digits, start)
        return Number(value), Range(value, value)

    def _group(self, depth: int) -> tuple[Node, Range]:
        start = self._at
        self._at += 1
        node, found = self.sum(self._deeper(depth))
        if self.peek() != ")":
            raise self.error("this parenthesis is never closed", start)
        self._at += 1
        # A single term needs no separate group.
        return (replace(node, grouped=True) if isinstance(node, Chain) else node), found

    def _path(self) -> tuple[Node, Range]:
        start = self._at
        self._at += 1
        path = self._take(_PATH)
        if path is None:
            raise self.error("expected a path in the sheet after `@`", start)
        if self._lookup is None:
            raise self.error("a path needs a character: name one in `character_id`", start)
        try:
            value = self._lookup(path)
        except LookupError as error:
            raise self.error(str(error.args[0]), start) from None
        return Path(path, value), self._bounded(Range(value, value), start)

    def _number(self, digits: str, at: int) -> int:
        # Limited, because parsing millions of digits takes long.
        if len(digits.lstrip("0")) > len(str(MAX_NUMBER)) or int(digits) > MAX_NUMBER:
            raise self.error(f"this number is larger than {MAX_NUMBER}", at)
        return int(digits)

    def _advantage(self, word: str) -> tuple[Node, Range]:
        self._count_dice(2, self._at - len(word))
        keep = Keep(keeps=True, highest=word.lower() == "adv", number=1)
        return Dice(2, 20, (keep,), _ADVANTAGE[word.lower()]), Range(1, 20)

    def _count_dice(self, count: int, at: int) -> None:
        self._dice += count
        if self._dice > MAX_DICE:
            raise self.error(f"more than {MAX_DICE} dice", at)

    def _dice_term(self, start: int, digits: str | None) -> tuple[Node, Range]:
        """`4d6dl1`, from its `d` on."""
        count = 1 if digits is None else self._number(digits, start)
        self._count_dice(count, start)
        self._at += 1
        sides = self._sides()
        modifiers: list[Modifier] = []
        while (modifier := self._modifier(sides, modifiers)) is not None:
            modifiers.append(modifier)
        text = "".join(self._text[start : self._at].split()).lower()
        found = self._bounded(_range(count, sides, modifiers), start)
        return Dice(count, sides, tuple(modifiers), text), found

    def _sides(self) -> int:
        if self.peek() == "%":
            self._at += 1
            return 100
        at = self._at
        digits = self._take(_DIGITS)
        if digits is None:
            raise self.error("expected the number of sides after `d`")
        sides = self._number(digits, at)
        if not 1 <= sides <= MAX_SIDES:
            raise self.error(f"a die has 1 to {MAX_SIDES} sides", at)
        return sides

    def _modifier(self, sides: int, before: list[Modifier]) -> Modifier | None:
        self.peek()
        at = self._at
        name = (self._take(_MODIFIER) or "").lower()
        if not name:
            return None
        if len(before) == MAX_MODIFIERS:
            raise self.error(f"more than {MAX_MODIFIERS} modifiers", at)
        if before and isinstance(before[-1], Count):
            raise self.error("nothing can follow `cs`", at)
        if name in ("kh", "kl", "dh", "dl"):
            digits = self._take(_DIGITS)
            number = 1 if digits is None else self._number(digits, at + 2)
            return Keep(keeps=name[0] == "k", highest=name[1] == "h", number=number)
        if name in ("mi", "ma"):
            number = self._required_number()
            return Clamp(number, MAX_NUMBER) if name == "mi" else Clamp(-MAX_NUMBER, number)
        if name == "!":
            return self._explosion(sides, before, at)
        condition = self._condition()
        if condition is None:
            raise self.error(f"expected a number or a condition after `{name}`")
        if name == "cs":
            return Count(condition)
        if name == "rr" and all(map(condition.holds, range(1, sides + 1))):
            raise self.error("this would reroll forever", at)
        return Reroll(condition, again=name == "rr")

    def _explosion(self, sides: int, before: list[Modifier], at: int) -> Explode:
        if any(isinstance(one, Explode) for one in before):
            raise self.error("a term can have only one `!`", at)
        condition = self._condition() or Condition("=", sides)
        if all(map(condition.holds, range(1, sides + 1))):
            raise self.error("this would explode forever", at)
        return Explode(condition)

    def _required_number(self) -> int:
        at = self._at
        digits = self._take(_DIGITS)
        if digits is None:
            raise self.error("expected a number here")
        return self._number(digits, at)

    def _condition(self) -> Condition | None:
        operator = self._take(_OPERATOR)
        if operator is None:
            digits = self._take(_DIGITS)
            return None if digits is None else Condition("=", self._number(digits, self._at - len(digits)))
        return Condition(operator, self._required_number())  # type: ignore[arg-type]  # one of _OPERATOR


def _range(count: int, sides: int, modifiers: list[Modifier]) -> Range:
    """The range of a term of dice; an upper bound if dice may be dropped or added."""
    low, high = 1, sides
    min_count = max_count = count
    for one in modifiers:
        match one:
            case Clamp():
                low, high = (min(max(value, one.lowest), one.highest) for value in (low, high))
            case Reroll():
                low, high = min(low, 1), max(high, sides)
            case Explode():
                low, high, max_count = min(low, 1), max(high, sides), MAX_DICE
            case Keep():
                min_count, max_count = one.kept_of(min_count), one.kept_of(max_count)
            case Count():
                return Range(0, max_count)
    return Range(min_count * low, max_count * high)
