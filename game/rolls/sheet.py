"""Numbers at `@` paths of a character's sheet."""

from collections.abc import Mapping
from typing import Any, Final

from game.dice.syntax import Lookup

_MODIFIER: Final = "modifier"
_ABILITIES: Final = "abilities"


def lookup_in(sheet: Mapping[str, Any]) -> Lookup:
    """What gives the number at a path of a sheet: keys, or numbers of items of a list, with dots between them.

    `abilities.<name>.modifier` is (score - 10) / 2, rounded down (System Reference Document 5.1, "Ability Scores
    and Modifiers"), unless the sheet has a number at this path.
    """

    def lookup(path: str) -> int:
        keys = path.split(".")
        found = _at(sheet, keys)
        if found is None and len(keys) == 3 and keys[0] == _ABILITIES and keys[2] == _MODIFIER:
            score = _whole(_at(sheet, keys[:2]))
            found = None if score is None else (score - 10) // 2
        number = _whole(found)
        if number is None:
            raise LookupError("the sheet has no whole number at this path")
        return number

    return lookup


def _at(value: Any, keys: list[str]) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 7:
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)
