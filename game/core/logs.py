"""Structured logs: JSON in production, readable in a terminal; uvicorn's lines look like ours."""

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

from game.core.settings import Settings

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _json(_: Any, __: Any, event: dict[str, Any]) -> str:
    return orjson.dumps(event, default=repr).decode()


def configure(settings: Settings) -> None:
    """Set up structlog and the standard library's logging, both to the same lines on standard error."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and settings.is_production)
    renderer: list[Any] = (
        # Never with the values of variables: they may be somebody's password.
        [ExceptionRenderer(ExceptionDictTransformer(show_locals=False)), _json]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    level = getattr(logging, settings.log_level.upper())
    structlog.configure(
        processors=[*_SHARED, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
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
