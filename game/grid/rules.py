"""Rules for single values of JSON: the allowed values, as a check and as an equivalent JSON schema."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any, Final, NamedTuple, TypeAlias

Fault: TypeAlias = tuple[str, str]
"""The code and the message of a violation."""


class Rule(NamedTuple):
    """A rule: `check` returns None or the violation of a value, and `schema` describes the accepted values.

    The schema may accept slightly more, because it cannot express NaN, 1.0 as opposed to 1, or Unicode categories.
    """

    check: Callable[[Any], Fault | None]
    schema: Mapping[str, Any]


Rules: TypeAlias = Mapping[str, Rule]

_TYPES: Final = {bool: "boolean", str: "string", dict: "object", list: "array"}


def of_type(kind: type, name: str) -> Rule:
    """A value of one type of JSON, which messages call `name`."""
    fault = "wrong_type", f"must be {name}"
    return Rule(lambda value: None if isinstance(value, kind) else fault, {"type": _TYPES[kind]})


def text(shortest: int, longest: int) -> Rule:
    """A string of `shortest` to `longest` characters."""

    def check(value: Any) -> Fault | None:
        if not isinstance(value, str):
            return "wrong_type", "must be a string"
        if len(value) < shortest:
            return "too_short", f"must have at least {shortest} character(s)"
        if len(value) > longest:
            return "too_long", f"must have at most {longest} characters"
        return None

    return Rule(check, {"type": "string", "minLength": shortest, "maxLength": longest})


def one_of(options: tuple[str, ...]) -> Rule:
    """One of some strings."""
    fault = "not_an_option", f"must be one of {', '.join(options)}"
    return Rule(
        lambda value: None if isinstance(value, str) and value in options else fault,
        {"type": "string", "enum": list(options)},
    )


def whole(low: int, high: float = inf, code: str = "out_of_range") -> Rule:
    """A whole number in a range; errors have this code."""

    def check(value: Any) -> Fault | None:
        # In Python a bool is an int; in JSON it is not a number.
        if not isinstance(value, int) or isinstance(value, bool):
            return "wrong_type", "must be a whole number"
        if not low <= value <= high:
            limits = f"must be from {low} to {high}" if high < inf else f"must be {low} or more"
            return code, limits if low <= high else "is on a map without cells"
        return None

    return Rule(check, {"type": "integer", "minimum": low, **({"maximum": high} if high < inf else {})})


def number(low: float = -inf, high: float = inf, *, above: float = -inf) -> Rule:
    """A finite number in a range."""
    wanted = f"{low} or more" if low > -inf else f"more than {above}"
    if high < inf:
        wanted = f"from {low} to {high}"
    bounds = {"minimum": low, "maximum": high, "exclusiveMinimum": above}

    def check(value: Any) -> Fault | None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return "wrong_type", "must be a number"
        if isinstance(value, float) and not isfinite(value):
            return "out_of_range", "must be finite"
        return None if low <= value <= high and value > above else ("out_of_range", f"must be {wanted}")

    return Rule(check, {"type": "number", **{name: bound for name, bound in bounds.items() if abs(bound) < inf}})


_COLOR: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def _color(value: Any) -> Fault | None:
    if isinstance(value, str) and _COLOR.fullmatch(value):
        return None
    return "not_a_color", "must be #rgb, #rrggbb or #rrggbbaa"


def _symbol(value: Any) -> Fault | None:
    """One character of Unicode's basic plane that is visible by itself.

    Refused general categories: control, format and surrogate (Cc, Cf, Cs), marks (M*), separators (Z*), and the
    noncharacters. Private use and unassigned code points are allowed; which ones are assigned depends on the
    Unicode version of the reader.
    """
    if not isinstance(value, str) or len(value) != 1 or value > "\uffff":
        return "not_a_symbol", "must be exactly one character of Unicode's basic plane (U+0021 to U+FFFD)"
    if value == " ":
        return "not_a_symbol", "must not be the space, which is the empty cell and needs no entry"
    category = unicodedata.category(value)
    noncharacter = value >= "\ufffe" or "\ufdd0" <= value <= "\ufdef"
    if noncharacter or category in ("Cc", "Cf", "Cs") or category[0] in "MZ":
        return "not_a_symbol", "must not be white space or a control, format, combining or non-character"
    return None


def _cell(value: Any) -> Fault | None:
    if not isinstance(value, str):
        return "wrong_type", "must be a string"
    return None if len(value) == 1 else ("not_a_symbol", "must be exactly one character")


def _reserved(_: Any) -> Fault | None:
    return "reserved", "is set by the server: leave it out"


color: Final = Rule(_color, {"type": "string", "pattern": f"^{_COLOR.pattern}$"})
symbol: Final = Rule(_symbol, {"type": "string", "minLength": 1, "maxLength": 1})
cell: Final = Rule(_cell, symbol.schema)
"""The value of a cell: a symbol of the legend, or the space. Whether it is in the legend depends on the map."""
boolean: Final = of_type(bool, "true or false")
string: Final = of_type(str, "a string")
json_object: Final = of_type(dict, "an object")
reserved: Final = Rule(_reserved, {"not": {}})
"""A key that only the server sends."""
