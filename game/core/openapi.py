"""The OpenAPI document: FastAPI's, with the headers and errors of this server, and without what does not apply."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from game.core.errors import BodyTooLarge, Unavailable, Unprocessable, UnsupportedMediaType, documented

_REF = "#/components/schemas/{model}"
_JSON = "application/json"
_HEADERS = {
    "ETag": {
        "description": (
            "The version, in quotes. Send it as If-Match to make a change only if this is still the version."
        ),
        "schema": {"type": "string", "examples": ['"3"']},
    },
    "Location": {"description": "The path of the created resource.", "schema": {"type": "string"}},
}


class FieldError(BaseModel):
    """An error in a request."""

    field: str = Field(
        description="The path of the field in the body, or the name of the parameter.", examples=["name"]
    )
    code: str = Field(description="A stable code for the error.", examples=["string_too_long"])
    message: str = Field(description="What, for people.")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["It does not exist, or you may not see it."])
    code: str = Field(description="A stable code for the error, in UPPER_SNAKE_CASE.", examples=["NOT_FOUND"])
    request_id: str = Field(description="Also in the X-Request-ID header, and in the server's log.")
    errors: list[FieldError]


class PreconditionFailedProblem(Problem):
    """The problem of a 412: the document has changed since it was read."""

    current_version: int = Field(
        default_factory=int,
        description="The current version. Absent for players who do not get `version`.",
        examples=[4],
    )


class ExpressionProblem(Problem):
    """The problem of a 422 of a request with a dice expression."""

    column: int = Field(
        default_factory=int,
        description="The column of the error in the expression, counted from 1. Absent for other errors.",
        examples=[4],
    )


_UNUSED_IN_LOG_IN = ("scope", "client_id", "client_secret")
"""OAuth 2 fields that this server ignores, but that generated clients would require."""


def tidy(document: dict[str, Any]) -> dict[str, Any]:
    """Improve the document that FastAPI generated, in place.

    Errors become problem documents, including those that any operation may respond with. Versions become ETag
    headers. Each summary is the first sentence of the description. Titles that only repeat a name are removed.
    """
    schemas: dict[str, Any] = document["components"]["schemas"]
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    _, ours = models_json_schema(
        [(one, "serialization") for one in (Problem, PreconditionFailedProblem, ExpressionProblem)],
        ref_template=_REF,
    )
    schemas |= ours["$defs"]
    for form in (schemas["Body_logIn"], schemas["Body_logInWithCookie"]):
        for name in _UNUSED_IN_LOG_IN:
            form["properties"].pop(name, None)
        for name in form["required"]:
            # An empty form field counts as missing.
            form["properties"][name]["minLength"] = 1
    document["components"]["headers"] = _HEADERS
    for path, _, operation in operations(document):
        first_paragraph = " ".join(operation["description"].partition("\n\n")[0].split())
        operation["summary"] = first_paragraph.partition(". ")[0].rstrip(".")
        for parameter in operation.get("parameters", ()):
            _tidy_parameter(parameter)
        responses = operation["responses"]
        if "requestBody" in operation:
            responses |= _common(BodyTooLarge)
        if _JSON in operation.get("requestBody", {}).get("content", ()):
            responses |= _common(UnsupportedMediaType)
        if any(status.startswith("4") for status in responses):
            responses |= _common(Unavailable)
        if "HTTPValidationError" in str(responses.get("422")):
            responses |= _common(Unprocessable)
        if any(parameter["name"] == "If-None-Match" for parameter in operation.get("parameters", ())):
            responses["304"] = {"description": "You already have this version."}
        for status, response in responses.items():
            schema = _resolved(document, response.get("content", {}).get(_JSON, {}).get("schema", {}))
            tagged = "version" in schema.get("properties", ()) or ("304" in responses and status < "400")
            names = ["ETag"] if tagged else []
            names += ["Location"] if status == "201" and f"{path}/{{id}}" in document["paths"] else []
            if names:
                response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        operation["responses"] = dict(sorted(responses.items()))
    _drop_unused(document)
    _drop_titles(document["paths"])
    _drop_titles(schemas)
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each operation of a document: path, method, and the operation object."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _common(*problems: Any) -> dict[str, Any]:
    return {str(status): answer for status, answer in documented(*problems).items()}


def _tidy_parameter(parameter: dict[str, Any]) -> None:
    """Remove `null` from the schemas of optional parameters, because a query string cannot contain it."""
    schema = parameter["schema"]
    schema.pop("description", None)
    if "anyOf" in schema:
        options = [option for option in schema.pop("anyOf") if option != {"type": "null"}]
        schema |= options[0] if len(options) == 1 else {"anyOf": options}


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    resolved: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return resolved


def _drop_unused(document: dict[str, Any]) -> None:
    """Remove unreferenced schemas."""
    schemas = document["components"]["schemas"]
    text = str(document)
    for name in [name for name in schemas if f"'{_REF.format(model=name)}'" not in text]:
        del schemas[name]


def _drop_titles(node: Any) -> None:
    if isinstance(node, list):
        for inner in node:
            _drop_titles(inner)
    elif isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        for name, inner in node.items():
            if name not in ("example", "examples", "default"):
                _drop_titles(inner)
