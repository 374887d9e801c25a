"""Errors of the API: RFC 9457 `application/problem+json`, which never contain the input or SQL."""

import asyncio
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

import asyncpg
import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import Scope

log = structlog.get_logger()

_MAX_ERRORS = 20
_MAX_ERROR_BYTES = 3_000
_MAX_TEXT = 300
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class FieldError(NamedTuple):
    """An error in a request: the place in `field`, a stable `code`, and a `message` for users."""

    field: str
    code: str
    message: str


def _few(errors: Iterable[FieldError]) -> list[FieldError]:
    """The first errors, up to a limited size, because they contain names from the client, which may be long."""
    few: list[FieldError] = []
    room = _MAX_ERROR_BYTES
    for error in errors:
        room -= len(orjson.dumps(error._asdict()))
        if few and (room < 0 or len(few) == _MAX_ERRORS):
            break
        few.append(error)
    return few


class Problem(HTTPException):
    """An error with its HTTP status and code; the docstring of a subclass is its default message."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    commits: ClassVar[bool] = False
    """Whether writes before this error are committed, such as the end of a session whose token was stolen."""

    schema: ClassVar[str] = "Problem"
    """The name of its schema in the OpenAPI document."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(self.status, detail or " ".join((self.__doc__ or "").split()), headers)
        self.errors = _few(errors)
        self.extra = extra


class BadRequest(Problem):
    """The request could not be understood."""

    status, code = 400, "BAD_REQUEST"


class Unauthorized(Problem):
    """Log in first: the access token is missing or has expired, or its session has ended."""

    status, code = 401, "UNAUTHORIZED"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    """You may see this, but not do that."""

    status, code = 403, "FORBIDDEN"


class NotFound(Problem):
    """It does not exist, or you may not see it."""

    status, code = 404, "NOT_FOUND"


class MethodNotAllowed(Problem):
    """This path does not support this method; the Allow header lists the methods that it supports."""

    status, code = 405, "METHOD_NOT_ALLOWED"


class Conflict(Problem):
    """The request conflicts with existing data."""

    status, code = 409, "CONFLICT"


class PreconditionFailed(Problem):
    """It has changed since you read it. Read it again before you change it."""

    status, code, schema = 412, "PRECONDITION_FAILED", "PreconditionFailedProblem"

    def __init__(self, version: int | str) -> None:
        # Players must not see versions. They get the ETag, a hash of what they are shown.
        super().__init__(headers={"ETag": f'"{version}"'})
        self.extra = {"current_version": version} if isinstance(version, int) else {}


class BodyTooLarge(Problem):
    """The request body is too large."""

    status, code = 413, "BODY_TOO_LARGE"

    @classmethod
    def of(cls, scope: Scope) -> "BodyTooLarge":
        """The error with the limit of a request, if it is known."""
        limit = scope.get(MAX_BODY_SIZE_SCOPE_KEY)
        if limit is None:
            return cls()
        mebibytes = f" ({limit / 2**20:.4g} MiB)" if limit >= 2**20 else ""
        return cls(f"The request body is larger than the limit of {limit} bytes{mebibytes}.")


class UnsupportedMediaType(Problem):
    """The body must be JSON, with Content-Type: application/json."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


class Unprocessable(Problem):
    """The request is well formed, but something in it is not allowed."""

    status, code = 422, "VALIDATION_ERROR"


class TooManyRequests(Problem):
    """Too many attempts. Wait a little, then try again."""

    status, code = 429, "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class Unavailable(Problem):
    """The server is busy, or its database is unavailable. Try again in a moment."""

    status, code = 503, "UNAVAILABLE"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class OutcomeUnknown(Unavailable):
    """The database connection was lost, or the time limit was reached, during a write: it may have been stored.

    Check before you send the request again, or retry it with an Idempotency-Key, which makes that safe. After any
    other 503, nothing was stored.
    """

    code = "OUTCOME_UNKNOWN"


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an endpoint that may respond with these problems."""
    meanings: dict[int, list[str]] = {}
    for problem in problems:
        meaning = f"`{problem.code}`: {' '.join((problem.__doc__ or '').split())}"
        meanings.setdefault(problem.status, []).append(meaning)
    schemas = {problem.status: {"$ref": f"#/components/schemas/{problem.schema}"} for problem in problems}
    return {
        status: {
            "description": "\n\n".join(texts),
            "content": {"application/problem+json": {"schema": schemas[status]}},
        }
        for status, texts in meanings.items()
    }


def problem_response(request: Request, problem: Problem) -> Response:
    """The response for a problem; the same bytes for the same problem, except for the request id."""
    return _answer(
        request, problem.status, problem.code, problem.detail, problem.errors, problem.headers, problem.extra
    )


def problem_document(problem: Problem, request_id: str) -> dict[str, Any]:
    """The document of a problem without a request."""
    return _document(request_id, problem.status, problem.code, problem.detail, problem.errors, problem.extra)


def _document(
    request_id: str,
    status: int,
    code: str,
    detail: str,
    errors: Iterable[FieldError],
    extra: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "errors": [error._asdict() for error in errors],
        **(extra or {}),
    }


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    body = _document(request.scope.get("request_id", ""), status, code, detail, errors, extra)
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type="application/problem+json")


_BUSY_STATES = ("08", "40", "53", "55", "57")
"""SQLSTATE classes of a database that is unavailable, overloaded or has a conflict: connection, rollback
(deadlock, serialization), resources, object not in the needed state (lock timeout), operator intervention
(shut-down, cancelled by a timeout)."""


def is_database_away(error: BaseException) -> bool:
    """Whether an exception means that the database is unavailable now (and not that the request is wrong)."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError):
            return True
        return is_database_away(error.orig.__cause__ or error.orig) if error.orig else True
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.InternalClientError):
        # A migration has just changed the type of a column, which the driver knows from the next request on; or
        # the driver's state is inconsistent because the connection was lost.
        return True
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_BUSY_STATES)
    return isinstance(error, PoolTimeout | OperationalError | asyncpg.InterfaceError | OSError | TimeoutError)


def may_have_happened(error: BaseException) -> bool:
    """Whether a statement that ended in this error may have been carried out, because the connection was lost.

    If the database reports the error, it was not.
    """
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(("08", "57P"))
    return True


def as_problem(error: Exception) -> Problem | None:
    """The problem for an exception of the database; None for a bug."""
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


def problem_of(error: Exception) -> Problem:
    """The problem for any exception; details that the client must not see are logged."""
    problem = as_problem(error)
    if problem is None:
        log.error("unexpected_error", exc_info=error)
        return Problem("Internal server error. The log has the details under this request id.")
    if isinstance(problem, Unavailable) and not isinstance(error, Problem):
        cause = (isinstance(error, DBAPIError) and error.orig and error.orig.__cause__) or error
        log.warning("database_unavailable", error=type(cause).__name__, reason=str(cause)[:_MAX_TEXT])
    return problem


def _field(location: Iterable[str | int]) -> str:
    """`("body", "layers", 0, "name")` as `layers[0].name`."""
    parts = list(location)
    if len(parts) > 1 and parts[0] in ("body", "query", "path", "header", "cookie"):
        parts = parts[1:]
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path[:_MAX_TEXT]


def field_error(location: Iterable[str | int], code: str, message: str) -> FieldError:
    """An error of pydantic, with limited texts, because they contain names and values from the client."""
    return FieldError(_field(location), code, message[:_MAX_TEXT])


def _from_validation(error: RequestValidationError) -> Problem:
    if isinstance(error.body, bytes):
        return UnsupportedMediaType()
    errors = error.errors()
    if any(one["loc"][0] == "path" for one in errors):
        return NotFound()
    return Unprocessable(errors=[field_error(one["loc"], one["type"], one["msg"]) for one in errors[:_MAX_ERRORS]])


def _from_framework(request: Request, error: HTTPException) -> Response:
    """The response for errors that Starlette and FastAPI raise."""
    problem: Problem
    match error.status_code:
        case 400:
            problem = BadRequest(str(error.detail).rstrip(".") + ".")
        case 404:
            problem = NotFound("This path does not exist.")
        case 405:
            problem = MethodNotAllowed(headers={"Allow": ", ".join(_allowed_methods(request))})
        case 413:
            problem = BodyTooLarge.of(request.scope)
        case status:
            return _answer(request, status, f"HTTP_{status}", str(error.detail), headers=error.headers)
    return problem_response(request, problem)


def _allowed_methods(request: Request) -> list[str]:
    """The methods of a path. Starlette lists only those of the first route with this path."""
    # Mounted apps serve files.
    routes = [route for route in request.app.router.routes if not isinstance(route, Mount)]
    allowed = [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ] or ["GET"]
    return ["GET", "HEAD", *allowed[1:]] if allowed[:1] == ["GET"] else allowed


def install(app: FastAPI) -> None:
    """Render every error of an app as a problem document."""

    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError):
            return problem_response(request, _from_validation(error))
        if isinstance(error, HTTPException) and not isinstance(error, Problem):
            return _from_framework(request, error)
        return problem_response(request, problem_of(error))

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
