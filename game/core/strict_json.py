"""Routes whose JSON bodies are checked by `game.core.json_gate` before pydantic parses them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from game.core.errors import BadRequest, FieldError, Unprocessable
from game.core.json_gate import JsonRefused, parse

Result = TypeVar("Result")
Dependency = TypeVar("Dependency", bound=Callable[..., Any])

MAX_FIELDS = 100
"""The maximum number of fields of a body: models have few, and reporting each of many unknown ones would take
seconds."""
_OFF_LOOP_BYTES = 65_536
_bodies = ThreadPoolExecutor(1, thread_name_prefix="bodies")
_SURROGATE = re.compile("[\ud800-\udfff]")


async def run_in_body_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function for a large body in the single thread for this, so that at most one competes with the event
    loop for the interpreter."""
    return await asyncio.get_running_loop().run_in_executor(_bodies, function, *arguments)


class StrictRequest(Request):
    """A request whose JSON body was checked by the gate."""

    async def json(self) -> Any:
        """The parsed body; a large one is parsed in a thread, so that it does not delay other requests."""
        if not hasattr(self, "_strict"):
            body = await self.body()
            try:
                value = parse(body) if len(body) < _OFF_LOOP_BYTES else await run_in_body_thread(parse, body)
                if isinstance(value, dict) and len(value) > MAX_FIELDS:
                    raise JsonRefused("", "too_many_fields", f"A body has at most {MAX_FIELDS} fields.")
            except JsonRefused as refused:
                raise Unprocessable(errors=[FieldError(refused.place, refused.code, refused.message)]) from None
            self._strict = value
        return self._strict

    async def form(self, **limits: Any) -> Any:  # type: ignore[override]  # awaited only
        """The form fields, without U+0000 and lone surrogates.

        Raises:
            Unprocessable: a field contains one of these.
            BadRequest: the form cannot be parsed.
        """
        try:
            form = await super().form(**limits)
        except UnicodeDecodeError:
            raise BadRequest("The form is not valid UTF-8.") from None
        for name, value in form.multi_items():
            # A multipart form may use an encoding that produces them.
            if _SURROGATE.search(name) or (isinstance(value, str) and _SURROGATE.search(value)):
                error = FieldError("", "lone_surrogate", "The form is not valid Unicode.")
                raise Unprocessable(errors=[error])
            if "\0" in name or (isinstance(value, str) and "\0" in value):
                error = FieldError(name.replace("\0", "\\0")[:64], "null_character", "Must not contain U+0000.")
                raise Unprocessable(errors=[error])
        return form


Check = Callable[[Request], Awaitable[None]]


def checked_before_body(check: Check) -> Callable[[Dependency], Dependency]:
    """Mark a dependency, such as the one that needs a user: `check` is called before a request's body is read.

    FastAPI reads a body before it solves dependencies, so anonymous clients could make it read megabytes.
    """

    def mark(dependency: Dependency) -> Dependency:
        dependency.__before_body__ = check  # type: ignore[attr-defined]  # our mark
        return dependency

    return mark


def _checks(dependant: Dependant) -> Iterator[Check]:
    if check := getattr(dependant.call, "__before_body__", None):
        yield check
    for inner in dependant.dependencies:
        yield from _checks(inner)


class StrictRoute(APIRoute):
    """A route that first runs the checks of `checked_before_body`, and then checks the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a `StrictRequest`."""
        handler = super().get_route_handler()
        checks = list(dict.fromkeys(_checks(self.dependant)))

        async def handle(request: Request) -> Response:
            for check in checks:
                await check(request)
            return await handler(StrictRequest(request.scope, request.receive))

        return handle
