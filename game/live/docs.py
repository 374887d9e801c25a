"""The AsyncAPI document at /asyncapi.json, and a page that shows it at /docs/live."""

from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from game.core import webpages
from game.live.asyncapi import document


def install(app: FastAPI) -> None:
    """Serve both; they are made when somebody asks first."""

    @cache
    def made() -> dict[str, Any]:
        return document(app)

    async def read(_: Request) -> Response:
        return Response(orjson.dumps(made()), media_type="application/json")

    async def show(_: Request) -> Response:
        return webpages.render("live.html", title="The live feed", **_shown(made()))

    app.add_route("/asyncapi.json", read, include_in_schema=False)
    app.add_route("/docs/live", show, include_in_schema=False)


def _shown(made: dict[str, Any]) -> dict[str, Any]:
    """What the page shows: the messages of both sides, each with its fields."""
    schemas = made["components"]["schemas"]
    sides = []
    for action in made["operations"].values():
        names = [one["$ref"].rpartition("/")[2] for one in action["messages"]]
        messages = [made["components"]["messages"][name] for name in names]
        shown = [{**message, "fields": _fields(message["payload"], schemas)} for message in messages]
        sides.append({"summary": action["summary"], "messages": shown})
    return {"info": made["info"], "address": made["channels"]["live"]["address"], "sides": sides}


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
                "description": field.get("description", ""),
            }
    return list(fields.values())


def _type(field: dict[str, Any]) -> str:
    """A field's type in a few words."""
    if "const" in field:
        return f'"{field["const"]}"'
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if variants := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, variants)))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("format") or field.get("type") or "any JSON")
