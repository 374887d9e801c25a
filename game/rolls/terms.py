"""The result of a roll as JSON: a tree of terms. Light: compute processes use it to validate bundles, too."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel
from pydantic import Field as Constraint

from game.dice.syntax import MAX_CHARACTERS

MAX_EXPRESSION: Final = MAX_CHARACTERS
MAX_REASON: Final = 200


def _optional(description: str) -> Any:
    return Constraint(default_factory=lambda: None, description=description)


class Die(BaseModel):
    """A die that was rolled."""

    rolled: int = Constraint(description="What it showed.")
    value: int = Constraint(description="The value that it counts as, which `mi` and `ma` can change.")
    kept: bool = Constraint(description="Whether it counts.")
    rerolled: Literal[True] = _optional("Whether another die was rolled instead.")
    exploded: Literal[True] = _optional("Whether it added another die.")
    counted: Literal[True] = _optional("Counted by `cs`.")


class _Term(BaseModel):
    operator: Literal["+", "-", "*", "/"] = Constraint(description="`+` or `*` for the first of a sum or product.")
    value: int = Constraint(description="The value of the term.")
    label: str = _optional("The label in brackets.")


class NumberTerm(_Term):
    """A number in the expression."""

    kind: Literal["number"]


class PathTerm(_Term):
    """A number from the character's sheet."""

    kind: Literal["path"]
    path: str


class DiceTerm(_Term):
    """Dice of one kind, in the order in which they were drawn."""

    kind: Literal["dice"]
    text: str = Constraint(description="The text of the term in the expression.")
    sides: int
    dice: list[Die]


class GroupTerm(_Term):
    """Terms of their own: in parentheses, a sum or product, or one with a minus sign before it."""

    kind: Literal["group", "sum", "product", "negative"]
    terms: list["Term"]


Term = Annotated[NumberTerm | PathTerm | DiceTerm | GroupTerm, Constraint(discriminator="kind")]
