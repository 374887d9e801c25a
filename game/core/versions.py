"""Optimistic locking: a document's version is its ETag (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from typing import Annotated, Any, NamedTuple, Protocol

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from game.core.errors import FieldError, PreconditionFailed, Unprocessable

_TAG = re.compile(r'"([^"]*)"')
_TAGS = re.compile(r'\*|(?:W/)?"[^"]*"(?:\s*,\s*(?:W/)?"[^"]*")*')


class Versioned(Protocol):
    """An object with a version."""

    version: int


def etag(version: int | str) -> str:
    """The ETag of a version or, if the version is secret, of a hash of the document."""
    return f'"{version}"'


def matches(header: str, version: int | str) -> bool:
    """Whether an If-Match or If-None-Match header names this version.

    Weak tags count, too: a compressing proxy may have made our tag weak.
    """
    return header.strip() == "*" or str(version) in _TAG.findall(header)


def _if_match(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=1000,
            description="The ETag that you read. The response is 412 if there is a newer version.",
            json_schema_extra={"pattern": r'^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$'},
        ),
    ] = None,
) -> str | None:
    if if_match is not None and not _TAGS.fullmatch(if_match.strip()):
        error = FieldError("If-Match", "etag_invalid", 'An ETag is written in quotes: If-Match: "3".')
        raise Unprocessable(errors=[error])
    return if_match


IfMatch = Annotated[str | None, Depends(_if_match)]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The ETag that you have. The response is 304 if there is no newer version.",
    ),
]


def require_match(if_match: str | None, row: Versioned) -> None:
    """Check that the client's If-Match, if any, is the row's version.

    Raises:
        PreconditionFailed: it is not; contains the current version.
    """
    require_tag(if_match, row.version)


def require_tag(if_match: str | None, version: int | str) -> None:
    """Check that the client's If-Match, if any, is this version, or this hash of what the client is shown.

    Raises:
        PreconditionFailed: it is not.
    """
    if if_match is not None and not matches(if_match, version):
        raise PreconditionFailed(version)


def tagged(response: Response, row: Any) -> Any:
    """The row, with its ETag set on the response."""
    response.headers["ETag"] = etag(row.version)
    return row


def not_modified(request: Request, version: int | str) -> Response | None:
    """A 304 if the client already has this version, otherwise None."""
    if matches(",".join(request.headers.getlist("if-none-match")), version):
        return Response(status_code=304, headers={"ETag": etag(version)})
    return None


class Tagged(NamedTuple):
    """A document as JSON, as the caller may see it, and its tag: its version or, for players, a hash of the
    text."""

    body: bytes
    tag: int | str

    def answer(self, status: int = 200, **headers: str) -> Response:
        """The answer with this document."""
        return Response(self.body, status, {"ETag": etag(self.tag), **headers}, "application/json")


def created(path: str, document: BaseModel) -> Response:
    """The 201 of a new document."""
    version: int = getattr(document, "version")  # noqa: B009 - these models share the field, not a base class
    headers = {"Location": path, "ETag": etag(version)}
    return Response(document.model_dump_json(), 201, headers, "application/json")
