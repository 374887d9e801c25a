"""Strict JSON: rejects what Python's parser accepts, but PostgreSQL or clients cannot handle.

Rejects NaN and Infinity, lone surrogates, duplicate keys, U+0000, numbers that JavaScript or JSONB cannot
represent, and values that are nested too deep or too long. Errors name the place. Pure, and without imports that
compute processes do not need.
"""

import json
import re
from typing import Any

import orjson

MAX_INTEGER = 2**53 - 1
"""The largest integer that a double represents exactly: `Number.MAX_SAFE_INTEGER`."""
MIN_MAGNITUDE = 1e-64
"""Smaller numbers are rejected, because JSONB writes them with hundreds of digits."""
MAX_DEPTH = 32
MAX_EVENT_DEPTH = 80
"""The maximum depth of stored events: the result of a roll has two levels for each of up to 32 parentheses."""
MAX_STRING = 65_536
_MAX_PLACE = 300
_TOO_DEEP = "JSON is at most {} levels deep."
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class JsonRefused(ValueError):
    """A JSON text is rejected; `place` is such as `grid_data.layers[0].name`, `code` is stable, and `message` is a
    sentence."""

    def __init__(self, place: str, code: str, message: str) -> None:
        super().__init__(message)
        self.place, self.code, self.message = place, code, message


def parse(raw: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text.

    Raises:
        JsonRefused: the text is not JSON, or contains something that is rejected.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "depth limit" in error.msg:
            raise JsonRefused("", "too_deep", _TOO_DEEP.format(max_depth)) from None
        # The parser reports this for a text that consists of opening brackets only.
        reason = "unexpected end of data" if "allocate" in error.msg else error.msg
        message = f"Not valid JSON: {reason} (line {error.lineno}, column {error.colno})."
        raise JsonRefused("", "json_invalid", message) from None
    keys = _Walk(max_depth).count_keys(value)
    # Each pair of an object has one colon, but a duplicate key is only one key in the parsed value.
    colons = raw.count(b":")
    if colons != keys:
        # String by string, because a long call in a thread blocks the event loop.
        colons -= sum(match[0].count(b":") for match in _STRING.finditer(raw))
    if colons != keys:
        json.loads(raw, object_pairs_hook=_refuse_duplicates)
    return value


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise JsonRefused(key[:_MAX_PLACE], "duplicate_key", "The object contains this key twice.")
        seen.add(key)


class _Walk:
    """One pass over a parsed value: checks each part and counts the keys."""

    def __init__(self, max_depth: int) -> None:
        self.keys = 0
        self._max_depth = max_depth

    def count_keys(self, value: Any) -> int:
        self._check(value, [], 1)
        return self.keys

    def _check(self, value: Any, path: list[str | int], depth: int) -> None:
        kind = type(value)
        if kind is str:
            if len(value) > MAX_STRING:
                self._refuse(path, "string_too_long", f"A string has at most {MAX_STRING:,} characters.")
            if "\0" in value:
                self._refuse(path, "null_character", "A string may not contain U+0000.")
        elif kind is int:
            if not -MAX_INTEGER <= value <= MAX_INTEGER:
                self._refuse(path, "number_too_large", "A number is at most 2^53 - 1 in magnitude.")
        elif kind is float:
            if not -MAX_INTEGER <= value <= MAX_INTEGER:
                self._refuse(path, "number_too_large", "A number is at most 2^53 - 1 in magnitude.")
            if value and -MIN_MAGNITUDE < value < MIN_MAGNITUDE:
                self._refuse(path, "number_too_small", "A number other than 0 is at least 1e-64 in magnitude.")
        elif kind is list or kind is dict:
            if depth > self._max_depth:
                self._refuse(path, "too_deep", _TOO_DEEP.format(self._max_depth))
            if kind is dict:
                self.keys += len(value)
                for key in value:
                    self._check_key(key, path)
            for key, inner in value.items() if kind is dict else enumerate(value):
                path.append(key)
                self._check(inner, path, depth + 1)
                path.pop()
                if type(inner) is float and inner.is_integer():
                    # Godot reads every number as a float and sends 6 back as 6.0, which is the same number in
                    # JSON.
                    value[key] = int(inner)

    def _check_key(self, key: str, path: list[str | int]) -> None:
        if len(key) > MAX_STRING:
            self._refuse(path, "string_too_long", f"A key has at most {MAX_STRING:,} characters.")
        if "\0" in key:
            self._refuse(path, "null_character", "A key may not contain U+0000.")

    @staticmethod
    def _refuse(path: list[str | int], code: str, message: str) -> None:
        place = ""
        for part in path:
            part = part[:64] if isinstance(part, str) else part
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
        raise JsonRefused(place[:_MAX_PLACE].replace("\0", "\\0"), code, message)
