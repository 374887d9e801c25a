"""The deadline of a request."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MAX_UPLOAD_SECONDS = 120


class Deadline:
    """The innermost middleware: ends a request that takes too long, and adds the request id to its log lines.

    The time limit restarts with each part of a body that is received or sent, and when the app reports progress
    (`scope["on_progress"]`, with the seconds that it needs next, if that is more than usual).

    Raises:
        TimeoutError: the time limit was reached.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time
        started = now()

        def on_progress(seconds: float = 0) -> None:
            later = now() + max(seconds, self._seconds)
            deadline.reschedule(max(later, deadline.when() or 0))

        async def receive_in_time() -> Message:
            # The limit is for the time without progress: a slow connection is not aborted.
            message = await receive()
            if message["type"] == "http.request" and now() - started < _MAX_UPLOAD_SECONDS:
                on_progress()
            return message

        async def send_in_time(message: Message) -> None:
            await send(message)
            if message.get("more_body"):
                on_progress()

        scope["on_progress"] = on_progress
        with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
            async with asyncio.timeout(self._seconds) as deadline:
                await self._app(scope, receive_in_time, send_in_time)
