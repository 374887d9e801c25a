"""Rolls are checked by their proofs: by the program, and by both recipes of docs/dice.md."""

import asyncio
import json
import re
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from game.core import schema
from game.dice.drawing import commitment
from game.dice.verification import Checked, commitments_of, verify
from tests.conftest import game
from tests.rolls.test_router import Table
from tests.rolls.test_router import table as table

SNIPPETS = dict(
    re.findall(r"```(python|javascript)\n(.*?)```", (schema.ROOT / "docs/dice.md").read_text(), re.DOTALL)
)


async def kept(table: Table) -> dict[str, Any]:
    """What a player keeps: the promises, and then the rolls."""
    path = f"/universes/{table.universe_id}"
    dice = (await table.player.client.get(f"{path}/dice")).json()
    for expression, fields in (
        ("2d20kh1+8d6!-(3d10rr<3)*2", {"nonce": "mine, Ω"}),
        ("1d1000+7", {"nonce": "more"}),
        ("40d7cs>3", {"visibility": "me"}),
        ("5", {}),
    ):
        await table.roll(table.player, expression, **fields)
    await table.roll(table.player, "d20", visibility="blind")
    await table.roll(table.other, "d20")
    rolls = (await table.player.client.get(f"{path}/rolls")).json()["items"]
    return {"items": rolls, "dice": [dice]}


def false_ones(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The same, each with something that is not so, in the first roll of many dice."""
    found = []
    for spoil in (
        lambda roll: roll["terms"][0]["dice"][0].update(rolled=roll["terms"][0]["dice"][0]["rolled"] % 20 + 1),
        lambda roll: roll["proof"].update(nonce="another"),
        lambda roll: roll["proof"].update(key="00" * 32),
        lambda roll: roll["proof"].update(key="00" * 32, hash=commitment(bytes(32))),
    ):
        spoiled = deepcopy(document)
        spoil(next(roll for roll in spoiled["items"] if roll["expression"].startswith("2d20")))
        found.append(spoiled)
    return found


async def test_the_program(table: Table, tmp_path: Path) -> None:
    document = await kept(table)
    file = tmp_path / "rolls.json"

    def run(content: Any) -> subprocess.CompletedProcess[str]:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return game(tmp_path, "verify-rolls", str(file))

    good = run(document)
    said = "5 fair, 5 of them with a key that was promised before; 0 false; 1 without a key."
    assert (good.returncode, said in good.stderr) == (0, True), good.stderr
    bad = run(false_ones(document)[0])
    assert (bad.returncode, "different result" in bad.stderr) == (1, True), bad.stderr
    for broken in ("[]", '{"items": [], "dice": [1]}'):
        answer = run(broken)
        assert answer.returncode == 1
        assert "contains no rolls" in answer.stderr


async def test_what_is_false(table: Table) -> None:
    document = await kept(table)
    promises = commitments_of(document["dice"])
    for spoiled in false_ones(document):
        assert [one.fault is None for one in verify(spoiled["items"], promises)].count(False) == 1
    items = document["items"]
    wrong = {**items[-1], "total": items[-1]["total"] + 1}
    assert "different result" in str(next(verify([wrong], promises)).fault)
    twice = {**items[0], "id": "another"}
    assert [one.fault for one in verify([items[0], twice], promises)] == [None, "its key was used before"]
    for nonsense in ({}, {"proof": {"key": 5}}, {**items[0], "terms": 5}, {**items[0], "expression": "d"}):
        [found] = verify([nonsense], {})
        assert not found.is_proved
    assert [*verify([{"id": "x", "proof": None}], {})] == [Checked("x")]


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_the_recipes(table: Table, tmp_path: Path, language: str) -> None:
    document = await kept(table)
    promises = {f"{series}{number}": known for (series, number), known in commitments_of(document["dice"]).items()}
    (tmp_path / "rolls.json").write_text(json.dumps([document, *false_ones(document)]))
    (tmp_path / "promises.json").write_text(json.dumps(promises))
    if language == "python":
        call = """
import json
promises = json.load(open("promises.json"))
for document in json.load(open("rolls.json")):
    for roll in document["items"]:
        proof = roll["proof"]
        if proof["key"]:
            print("fair" if is_fair(roll, promises[f"{proof['series']}{proof['number']}"]) else "false")
"""
        command = ["python3", "-I", "recipe"]
    else:
        call = """
import { readFileSync } from "node:fs";
const promises = JSON.parse(readFileSync("promises.json"));
for (const document of JSON.parse(readFileSync("rolls.json"))) {
  for (const roll of document.items) {
    const { key, series, number } = roll.proof;
    if (key) console.log((await isFair(roll, promises[`${series}${number}`])) ? "fair" : "false");
  }
}
"""
        command = ["node", "recipe.mjs"]
    (tmp_path / command[-1]).write_text(SNIPPETS[language] + call)
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert said[:5] == ["fair"] * 5
    assert said.count("false") == 4
