"""Generates the AsyncAPI 3 document of the live feed from the models of its messages and the OpenAPI document."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, get_args

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from game.core.sockets import MAX_MESSAGE, Close
from game.live import models
from game.live.commands import OPERATIONS

PATH = "/universes/{id}/live"
SUBPROTOCOL = "worldkeep.v1"
_REF = "#/components/schemas/{model}"
_FROM_CLIENT: tuple[type[BaseModel], ...] = (
    models.Hello,
    models.Watch,
    models.Unwatch,
    models.Signal,
    models.Ping,
)
FROM_SERVER: tuple[type[BaseModel], ...] = (
    models.Welcome,
    models.EventMessage,
    models.At,
    models.MapMessage,
    models.ViewMessage,
    models.Error,
    models.CameOnline,
    models.WentOffline,
    models.SignalMessage,
    models.Pong,
)
_MEANINGS: Mapping[Close, str] = {
    Close.NOT_UNDERSTOOD: "not a JSON object, a first message that is not `hello`, or an unknown subprotocol",
    Close.NOT_LOGGED_IN: "not logged in, or the session has ended",
    Close.NOT_A_MEMBER: "no longer a member",
    Close.NOT_FOUND: "the universe does not exist, or you may not read it",
    Close.TOO_SLOW: "reads too slowly, sent no `hello`, or did not answer a ping",
    Close.STOPPING: "the server is stopping: reconnect",
    Close.TOO_MUCH: "too many messages or sockets",
}
_DESCRIPTION = f"""The events of a universe as they happen, and commands. Each text message is one JSON object;
clients may send at most {MAX_MESSAGE // 1024} KiB in one. To resume without missing an event, send the last
`cursor` as `after`.

Clients authenticate with `Authorization: Bearer`, with the session's cookie from a page of this site, or with
`token` in `hello`; never in the URL.

Close codes: {"; ".join(f"{code.value} {meaning}" for code, meaning in _MEANINGS.items())}. From the WebSocket
standard: 1002 and 1007 for an invalid message, 1009 for a message that is too large, 1011 for an internal error,
1013 if the server is busy.
"""


def document(app: FastAPI) -> dict[str, Any]:
    """The AsyncAPI document of an app's live feed."""
    api = app.openapi()
    schemas = _schemas()
    messages = {}
    for model in (*_FROM_CLIENT, *FROM_SERVER):
        messages[_name(model)] = _message(
            _name(model), model.__doc__ or "", {"$ref": _REF.format(model=model.__name__)}
        )
    commands, answers = [], []
    for do in OPERATIONS:
        operation = _operation(api, OPERATIONS[do].path)
        summary = str(operation["summary"])
        command, answer = f"command.{do}", f"ack.{do}"
        messages[command] = _message(command, f"{summary}.", _command(api, do, operation))
        messages[answer] = _message(answer, f"Succeeded: {summary}.", _answer(api, operation))
        commands.append(command)
        answers.append(answer)
    _add_referenced(schemas, messages, api["components"]["schemas"])
    incoming = [*map(_name, _FROM_CLIENT), *commands]
    outgoing = [*map(_name, FROM_SERVER), *answers]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{app.title}: the live feed",
            "version": app.version,
            "description": _DESCRIPTION.strip(),
        },
        "defaultContentType": "application/json",
        "channels": {
            "live": {
                "address": PATH,
                "title": "The live feed of a universe",
                "parameters": {"id": {"description": "The universe's id."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "receive": _action("receive", "Messages from clients.", incoming),
            "send": _action("send", "Messages from the server.", outgoing),
        },
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def _name(model: type[BaseModel]) -> str:
    """A message's type; `server.signal` for the server's, because clients send a `signal` too."""
    [kind] = get_args(model.model_fields["type"].annotation)
    return f"server.{kind}" if model is models.SignalMessage else str(kind)


def _message(name: str, summary: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "summary": " ".join(summary.split()), "payload": payload}


def _action(action: str, summary: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/live"},
        "messages": [{"$ref": f"#/channels/live/messages/{name}"} for name in names],
    }


def _schemas() -> dict[str, Any]:
    directions: tuple[tuple[tuple[type[BaseModel], ...], Any], ...] = (
        (_FROM_CLIENT, "validation"),
        (FROM_SERVER, "serialization"),
    )
    used = [(model, mode) for group, mode in directions for model in group]
    _, found = models_json_schema(used, ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    for schema in schemas.values():
        schema.pop("title", None)
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
    return schemas


def _operation(api: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The POST operation of a path in the OpenAPI document, where its parameters may have other names."""
    wanted = re.sub(r"\{\w+\}", "{}", path)
    [found] = [item for known, item in api["paths"].items() if re.sub(r"\{\w+\}", "{}", known) == wanted]
    operation: dict[str, Any] = found["post"]
    return operation


def _command(api: Mapping[str, Any], do: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    body = _resolved(api, operation["requestBody"]["content"]["application/json"]["schema"])
    names = re.findall(r"\{(\w+)\}", OPERATIONS[do].path)
    ids = {name: {"type": "string", "format": "uuid"} for name in names if name != "universe_id"}
    base = models.Command.model_json_schema()["properties"]
    ref = {name: value for name, value in base["ref"].items() if name != "title"}
    return _merged({"type": {"const": "command"}, "do": {"const": do}, "ref": ref, **ids}, body)


def _answer(api: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any]:
    good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
    body = _resolved(api, good["content"]["application/json"]["schema"])
    return _merged({"type": {"const": "ack"}, "ref": {"type": "string"}}, body)


def _resolved(api: Mapping[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return deepcopy(schema)


def _merged(first: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with the fields of `first`, all required, and those of `body`."""
    for variants in ("anyOf", "oneOf"):
        if variants in body:
            return {variants: [_merged(first, one) for one in body[variants]]}
    return {
        **{name: value for name, value in body.items() if name not in ("title", "description", "examples")},
        "type": "object",
        "properties": {**first, **body.get("properties", {})},
        "required": [*first, *body.get("required", [])],
    }


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _add_referenced(schemas: dict[str, Any], messages: Any, known: Mapping[str, Any]) -> None:
    """Add to `schemas` those of the OpenAPI document (`known`) that are referred to, also indirectly."""
    waiting = [*_references(messages), *_references(schemas)]
    while waiting:
        name = waiting.pop()
        if name not in schemas:
            schemas[name] = known[name]
            waiting += _references(known[name])
