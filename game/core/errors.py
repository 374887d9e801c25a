"""Errors as the API gives them: RFC 9457 `application/problem+json`, never with the input or the SQL in it."""

import asyncio
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

import asyncpg
import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

log = structlog.get_logger()

_MAX_ERRORS = 20
_MAX_TEXT = 300


class FieldError(NamedTuple):
    """One thing that is wrong with a request: `field` says where, `code` is stable, `message` is for people."""

    field: str
    code: str
    message: str


class FieldErrorShape(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(description="Where: a path into the body, or the parameter.", examples=["name"])
    code: str = Field(description="What, as a stable word.", examples=["string_too_long"])
    message: str = Field(description="What, for people.")


class ProblemShape(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["It does not exist, or you may not see it."])
    code: str = Field(description="What happened, as a stable UPPER_SNAKE word.", examples=["NOT_FOUND"])
    request_id: str = Field(description="Also in the X-Request-ID header, and in the server's log.")
    errors: list[FieldErrorShape] = []


class Problem(HTTPException):
    """An error with its status and code; the docstring of a subclass is its message."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    commits: ClassVar[bool] = False
    """Whether what was written before this error is kept: ending a stolen session is, a half-done edit is not."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(self.status, detail or " ".join((self.__doc__ or "").split()), headers)
        self.errors = list(errors)[:_MAX_ERRORS]
        self.extra = extra


class BadRequest(Problem):
    """The request could not be understood."""

    status, code = 400, "BAD_REQUEST"


class Unauthorized(Problem):
    """Log in first: the access token is missing, has expired or was ended."""

    status, code = 401, "UNAUTHORIZED"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    """You may see this, but not do that."""

    status, code = 403, "FORBIDDEN"


class NotFound(Problem):
    """It does not exist, or you may not see it."""

    status, code = 404, "NOT_FOUND"


class Conflict(Problem):
    """This does not go together with what is there already."""

    status, code = 409, "CONFLICT"


class PreconditionFailed(Problem):
    """It has changed since you read it. Read it again, then decide."""

    status, code = 412, "PRECONDITION_FAILED"

    def __init__(self, version: int) -> None:
        super().__init__(headers={"ETag": f'"{version}"'}, current_version=version)


class Unprocessable(Problem):
    """The request is well formed, but something in it is not allowed."""

    status, code = 422, "VALIDATION_ERROR"


class TooManyRequests(Problem):
    """Too many attempts. Wait a little, then try again."""

    status, code = 429, "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class Unavailable(Problem):
    """The server is busy or its database is away. Try again in a moment."""

    status, code = 503, "UNAVAILABLE"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an endpoint that may end in these problems."""
    return {
        problem.status: {
            "model": ProblemShape,
            "description": " ".join((problem.__doc__ or "").split()),
            "content": {"application/problem+json": {}},
        }
        for problem in problems
    }


def problem_response(request: Request, problem: Problem) -> Response:
    """The answer for a problem; the same bytes for the same problem, but for the request id."""
    return _answer(
        request, problem.status, problem.code, problem.detail, problem.errors, problem.headers, problem.extra
    )


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.scope.get("request_id", ""),
        "errors": [error._asdict() for error in errors],
        **(extra or {}),
    }
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type="application/problem+json")


_BUSY_STATES = ("08", "40", "53", "55", "57")
"""SQLSTATE classes of a database that is away, overloaded or in conflict with itself: connection, rollback
(deadlock, serialization), resources, object not in the needed state (lock timeout), operator intervention
(shut-down, cancelled by a timeout)."""


def is_database_away(error: BaseException) -> bool:
    """Whether an exception says that the database cannot answer now (as against: that the request is wrong)."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError):
            return True
        return is_database_away(error.orig.__cause__ or error.orig) if error.orig else True
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_BUSY_STATES)
    return isinstance(error, PoolTimeout | OperationalError | asyncpg.InterfaceError | OSError | TimeoutError)


def as_problem(error: Exception) -> Problem | None:
    """The problem that an exception of the database means for the client, or None for a bug of ours."""
    if isinstance(error, Problem):
        return error
    if is_database_away(error):
        return Unavailable()
    if isinstance(error, IntegrityError):
        return Conflict()
    if isinstance(error, DBAPIError | asyncpg.DataError):
        cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
        if isinstance(cause, asyncpg.DataError):
            return Unprocessable()
    return None


def _field(location: Iterable[str | int]) -> str:
    """`("body", "layers", 0, "name")` as `layers[0].name`."""
    parts = list(location)
    if len(parts) > 1 and parts[0] in ("body", "query", "path", "header", "cookie"):
        parts = parts[1:]
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path[:_MAX_TEXT]


def _from_validation(error: RequestValidationError) -> Problem:
    errors = error.errors()
    fields = [
        FieldError(_field(one["loc"]), str(one["type"]), str(one["msg"])[:_MAX_TEXT])
        for one in errors[:_MAX_ERRORS]
    ]
    if any(one["loc"][0] == "path" for one in errors):
        return NotFound()
    return Unprocessable(errors=fields)


def install(app: FastAPI) -> None:
    """Make every error of an app a problem document."""

    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError):
            return problem_response(request, _from_validation(error))
        if isinstance(error, HTTPException) and not isinstance(error, Problem):
            code = HTTPStatus(error.status_code).phrase.upper().replace(" ", "_").replace("-", "_")
            detail = {413: "The body is larger than this server takes."}.get(error.status_code)
            return _answer(request, error.status_code, code, detail or str(error.detail), headers=error.headers)
        problem = as_problem(error)
        if problem is None:
            log.error("unexpected_error", path=request.url.path, exc_info=error)
            problem = Problem("Something went wrong on the server. The request id finds it in the log.")
        elif isinstance(problem, Unavailable) and not isinstance(error, Problem):
            log.warning("database_unavailable", error=type(error).__name__)
        return problem_response(request, problem)

    for kind in (
        RequestValidationError,
        HTTPException,
        DBAPIError,
        PoolTimeout,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        OSError,
        asyncio.TimeoutError,
        Exception,
    ):
        app.add_exception_handler(kind, handle)
