"""The AsyncAPI document at /asyncapi.json, and its page at /docs/live."""

from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from game.core import webpages
from game.core.schema import ROOT


def install(app: FastAPI) -> None:
    """Serve both from the committed document: generating it takes a second, and a test keeps it up to date."""

    async def read(_: Request) -> Response:
        return Response(_committed(), media_type="application/json")

    async def show(_: Request) -> Response:
        return webpages.render("live.html", title="The live feed", **_context(orjson.loads(_committed())))

    app.add_route("/asyncapi.json", read, include_in_schema=False)
    app.add_route("/docs/live", show, include_in_schema=False)


@cache
def _committed() -> bytes:
    return (ROOT / "asyncapi.json").read_bytes()


def _context(document: dict[str, Any]) -> dict[str, Any]:
    """The variables of the page's template: the messages of both sides, each with its fields."""
    schemas = document["components"]["schemas"]
    sides = []
    for action in document["operations"].values():
        names = [one["$ref"].rpartition("/")[2] for one in action["messages"]]
        messages = []
        for message in (document["components"]["messages"][name] for name in names):
            fields = _fields(message["payload"], schemas)
            messages.append({"name": message["name"], "summary": _markup(message["summary"]), "fields": fields})
        sides.append({"summary": action["summary"], "messages": messages})
    info = document["info"]
    paragraphs = [_markup(paragraph) for paragraph in info["description"].split("\n\n")]
    return {
        "heading": info["title"],
        "paragraphs": paragraphs,
        "address": document["channels"]["live"]["address"],
        "sides": sides,
    }


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    variants = schema.get("anyOf") or schema.get("oneOf") or [schema]
    fields = {}
    for variant in variants:
        for name, field in variant.get("properties", {}).items():
            is_required = all(name in one.get("required", ()) for one in variants)
            fields[name] = {
                "name": name,
                "type": _type(field),
                "required": is_required,
                "description": _markup(field.get("description", "")),
            }
    return list(fields.values())


def _markup(text: str) -> Markup:
    """A text as HTML, with what is between backticks as <code>."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def _type(field: dict[str, Any]) -> str:
    """A short name of a field's type."""
    if "const" in field:
        return f'"{field["const"]}"'
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if variants := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, variants)))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("format") or field.get("type") or "any JSON")
