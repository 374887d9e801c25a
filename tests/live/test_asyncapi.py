"""The AsyncAPI document: it is the committed one, refers to nothing that is not there, and is shown."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
from typer.testing import CliRunner

from game.cli import app as command_line
from game.core.schema import ROOT
from game.core.sockets import Close
from game.live.commands import OPERATIONS

COMMITTED = (ROOT / "asyncapi.json").read_text(encoding="utf-8")


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


async def test_it_is_current(client: httpx2.AsyncClient) -> None:
    result = CliRunner().invoke(command_line, ["asyncapi"])
    assert result.exit_code == 0
    assert result.stdout == COMMITTED, "run `make openapi`"
    assert (await client.get("/asyncapi.json")).json() == json.loads(COMMITTED)


def test_it_is_whole() -> None:
    document = json.loads(COMMITTED)
    assert document["asyncapi"].startswith("3.")
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    messages = document["components"]["messages"]
    assert {f"{kind}.{do}" for kind in ("command", "ack") for do in OPERATIONS} <= messages.keys()
    assert all(str(code.value) in document["info"]["description"] for code in Close)


async def test_a_page_shows_it(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs/live")
    assert page.status_code == 200
    for name in json.loads(COMMITTED)["components"]["messages"]:
        assert f'id="{name}"' in page.text
