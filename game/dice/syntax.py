"""What an expression of dice consists of: the nodes that the parser creates, and their limits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

MAX_CHARACTERS: Final = 200
MAX_DEPTH: Final = 32
MAX_DICE: Final = 1_000
"""The maximum of a whole expression, including dice that are rerolled or added by explosions."""
MAX_SIDES: Final = 1_000
MAX_MODIFIERS: Final = 8
"""The maximum of one dice term."""
MAX_NUMBER: Final = 2**53 - 1
"""Numbers and results are within ± this: the integers that JavaScript represents exactly."""


class ExpressionError(ValueError):
    """An invalid dice expression: the error, and its column, counted from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.message, self.column = message, column


@dataclass(frozen=True, slots=True)
class Condition:
    """Which values of dice are meant: `<3`, `>=5`, or `1` for exactly this one."""

    operator: Literal["<", "<=", "=", ">=", ">"]
    number: int

    def holds(self, value: int) -> bool:
        """Whether a value meets the condition."""
        match self.operator:
            case "<":
                return value < self.number
            case "<=":
                return value <= self.number
            case "=":
                return value == self.number
            case ">=":
                return value >= self.number
            case ">":
                return value > self.number


@dataclass(frozen=True, slots=True)
class Keep:
    """`kh`, `kl`: keep the highest or lowest dice; `dh`, `dl`: drop them."""

    keeps: bool
    highest: bool
    number: int

    def kept_of(self, count: int) -> int:
        """How many of some dice it keeps."""
        return min(count, self.number) if self.keeps else max(count - self.number, 0)


@dataclass(frozen=True, slots=True)
class Reroll:
    """`ro`: reroll once; `rr`: until no die meets the condition."""

    condition: Condition
    again: bool


@dataclass(frozen=True, slots=True)
class Explode:
    """`!`: each die that meets the condition adds another, which may do so too. Without a condition, the highest
    side."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Clamp:
    """`mi`, `ma`: a lower or higher value counts as this one."""

    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Count:
    """`cs`: the result is the number of dice that meet the condition, not their sum."""

    condition: Condition


Modifier = Keep | Reroll | Explode | Clamp | Count


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was written."""

    value: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """`@a.b`: a number from the character's sheet."""

    path: str
    value: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Dice:
    """Dice of one kind, with modifiers that are applied in order. `text` is their part of the expression."""

    count: int
    sides: int
    modifiers: tuple[Modifier, ...]
    text: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Negative:
    """A minus sign before a term."""

    term: "Node"
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Terms with operators before them: a `sum` (`+`, `-`) or a `product` (`*`, `/`). The first has `+` or `*`."""

    kind: Literal["sum", "product"]
    terms: tuple[tuple[str, "Node"], ...]
    grouped: bool = False
    """Whether it was in parentheses."""
    label: str | None = None


Node = Number | Path | Dice | Negative | Chain

Lookup = Callable[[str], int]
"""The number at a path of the sheet.

Raises:
    LookupError: there is none; its message says why.
"""
