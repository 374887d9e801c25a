"""Structured logs: JSON in production, text in a terminal; uvicorn's lines have the same format."""

import asyncio
import io
import logging
import re
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, TextIO, cast

import orjson
import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

from game.core.settings import Settings

_FLUSH_SECONDS = 0.2

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def _without_control_characters(_: Any, __: Any, event: dict[str, Any]) -> dict[str, Any]:
    """Remove control characters, which could manipulate the terminal: paths are untrusted."""
    return {
        name: _CONTROL.sub(lambda found: ascii(found[0])[1:-1], value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def _json(_: Any, __: Any, event: dict[str, Any]) -> str:
    return orjson.dumps(event, default=repr).decode()


class _Stderr(io.TextIOBase):
    """Standard error that never fails: with a full disk or a closed pipe, log lines are lost, but requests are
    answered."""

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


_STDERR = cast(TextIO, _Stderr())


def is_json(settings: Settings) -> bool:
    """Whether log lines are JSON."""
    return settings.log_format == "json" or (settings.log_format == "auto" and settings.is_production)


def configure(settings: Settings) -> None:
    """Configure structlog and the standard library's logging, both with the same format, on standard error."""
    as_json = is_json(settings)
    renderer: list[Any] = (
        # Without the values of local variables, which may be passwords.
        [ExceptionRenderer(ExceptionDictTransformer(show_locals=False)), _json]
        if as_json
        else [
            _without_control_characters,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    )
    level = getattr(logging, settings.log_level.upper())
    structlog.configure(
        processors=[*_SHARED, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=_STDERR),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_STDERR)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
        logging.getLogger(name).propagate = True


class _LoggedRequest(NamedTuple):
    """A finished request, or a closed socket."""

    method: str
    path: str
    status: int
    ms: float
    client: str
    request_id: str


class RequestLog:
    """Logs finished requests: as JSON all of them; in a terminal those that failed, or all at level `debug`.

    JSON lines are formatted and written in batches. Formatting each with structlog, and one system call for each,
    would cost as much as handling the requests.
    """

    def __init__(self, settings: Settings) -> None:
        self._silent = logging.getLevelName(settings.log_level.upper()) > logging.INFO
        self._as_json = is_json(settings)
        self._log = structlog.get_logger()
        self._pending: list[tuple[float, _LoggedRequest]] = []

    def __call__(self, method: str, path: str, status: int, ms: float, client: str, request_id: str) -> None:
        """Log a request that took `ms` milliseconds."""
        if self._silent:
            return
        request = _LoggedRequest(method, path, status, ms, client, request_id)
        if not self._as_json:
            # In a terminal, a line per request would scroll important lines away, such as the demo's accounts.
            (self._log.warning if status >= 500 else self._log.debug)("request", **_fields(request))
            return
        if not self._pending:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        self._pending.append((time.time(), request))

    def flush(self) -> None:
        """Write the pending lines; called periodically, and when the server stops."""
        pending, self._pending = self._pending, []
        _STDERR.write(b"".join([_line(*one) for one in pending]).decode())
        _STDERR.flush()


def _fields(request: _LoggedRequest) -> dict[str, Any]:
    return {**request._asdict(), "ms": round(request.ms, 2)}


def _line(timestamp: float, request: _LoggedRequest) -> bytes:
    """A request as a line of JSON, with the same keys as structlog's lines."""
    time = datetime.fromtimestamp(timestamp, UTC)
    fields = {**_fields(request), "event": "request", "level": "info", "timestamp": time}
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
