"""The gate for JSON bodies: stops what Python's parser lets through and PostgreSQL or a client would choke on.

Runs before pydantic sees a value. Refuses NaN and Infinity, lone surrogates, duplicate keys, U+0000, numbers
that JavaScript or JSONB cannot carry, and what is too deep or too long; each with the place where it stands.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from game.core.errors import BadRequest, FieldError, Unprocessable

Dependency = TypeVar("Dependency", bound=Callable[..., Any])

MAX_INTEGER = 2**53 - 1
"""The largest integer that a double carries exactly: `Number.MAX_SAFE_INTEGER`."""
MIN_MAGNITUDE = 1e-64
"""Smaller numbers than this are refused: JSONB writes them out digit by digit, hundreds of them each."""
MAX_DEPTH = 32
MAX_STRING = 65_536
MAX_FIELDS = 100
"""Of the outermost object: a shape has few fields, and naming each unknown one of many would take seconds."""
_OFF_LOOP_BYTES = 65_536

_MAX_PLACE = 300
_TOO_DEEP = f"JSON is at most {MAX_DEPTH} levels deep."
_SURROGATE = re.compile("[\ud800-\udfff]")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class JsonRefused(ValueError):
    """A JSON text that is not taken: `place` (such as `grid_data.layers[0].name`), a stable code, a sentence."""

    def __init__(self, place: str, code: str, message: str) -> None:
        super().__init__(message)
        self.place, self.code, self.message = place, code, message


def parse(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        JsonRefused: the text is not JSON, or holds something that is not taken.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "depth limit" in error.msg:
            raise JsonRefused("", "too_deep", _TOO_DEEP) from None
        # The parser has no other words for a text of brackets alone.
        reason = "unexpected end of data" if "allocate" in error.msg else error.msg
        message = f"Not valid JSON: {reason} (line {error.lineno}, column {error.colno})."
        raise JsonRefused("", "json_invalid", message) from None
    keys = _Walk().count_keys(value)
    # Each pair of an object has one colon; a key that stood twice is one key in the parsed value.
    if raw.count(b":") != keys and _STRING.sub(b"", raw).count(b":") != keys:
        json.loads(raw, object_pairs_hook=_refuse_duplicates)
    return value


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise JsonRefused(key[:_MAX_PLACE], "duplicate_key", "An object has this key twice.")
        seen.add(key)


class _Walk:
    """One pass over a parsed value: checks each part and counts the keys."""

    def __init__(self) -> None:
        self.keys = 0

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
            if depth > MAX_DEPTH:
                self._refuse(path, "too_deep", _TOO_DEEP)
            if kind is dict:
                self.keys += len(value)
                for key in value:
                    self._check_key(key, path)
            for key, inner in value.items() if kind is dict else enumerate(value):
                path.append(key)
                self._check(inner, path, depth + 1)
                path.pop()
                if type(inner) is float and inner.is_integer():
                    # Godot reads every number as a float and sends 6 back as 6.0: in JSON they are the same.
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


class StrictRequest(Request):
    """A request whose JSON body went through the gate."""

    async def json(self) -> Any:
        """The parsed body; a large one is parsed in a thread, so that other requests go on."""
        if not hasattr(self, "_strict"):
            body = await self.body()
            try:
                value = parse(body) if len(body) < _OFF_LOOP_BYTES else await asyncio.to_thread(parse, body)
                if isinstance(value, dict) and len(value) > MAX_FIELDS:
                    raise JsonRefused("", "too_many_fields", f"A body has at most {MAX_FIELDS} fields.")
            except JsonRefused as refused:
                raise Unprocessable(errors=[FieldError(refused.place, refused.code, refused.message)]) from None
            self._strict = value
        return self._strict

    async def form(self, **limits: Any) -> Any:  # type: ignore[override]
        """The form fields, none of them with U+0000 or half of a surrogate pair.

        Raises:
            Unprocessable: a field contains such.
            BadRequest: the form cannot be parsed.
        """
        try:
            form = await super().form(**limits)
        except UnicodeDecodeError:
            raise BadRequest("The form is not valid UTF-8.") from None
        for name, value in form.multi_items():
            # A form in parts may name an encoding that makes them.
            if _SURROGATE.search(name) or (isinstance(value, str) and _SURROGATE.search(value)):
                error = FieldError("", "lone_surrogate", "The form is not valid Unicode.")
                raise Unprocessable(errors=[error])
            if "\0" in name or (isinstance(value, str) and "\0" in value):
                error = FieldError(name.replace("\0", "\\0")[:64], "null_character", "No U+0000, please.")
                raise Unprocessable(errors=[error])
        return form


Check = Callable[[Request], Awaitable[None]]


def checked_before_body(check: Check) -> Callable[[Dependency], Dependency]:
    """Mark a dependency, such as the one that needs a user: `check` is called before a request's body is read.

    FastAPI reads a body first and solves dependencies then: strangers could have it read megabytes.
    """

    def mark(dependency: Dependency) -> Dependency:
        dependency.__before_body__ = check  # type: ignore[attr-defined]
        return dependency

    return mark


def _checks(dependant: Dependant) -> Iterator[Check]:
    if check := getattr(dependant.call, "__before_body__", None):
        yield check
    for inner in dependant.dependencies:
        yield from _checks(inner)


class StrictRoute(APIRoute):
    """A route whose bodies go through the gate, after the checks that come before a body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a `StrictRequest`."""
        handler = super().get_route_handler()
        checks = list(dict.fromkeys(_checks(self.dependant)))

        async def handle(request: Request) -> Response:
            for check in checks:
                await check(request)
            return await handler(StrictRequest(request.scope, request.receive))

        return handle
