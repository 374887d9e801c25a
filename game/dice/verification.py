"""Checks rolls by their proofs: the key must be the published one, and the dice must follow from it."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from game.dice.drawing import Drawing
from game.dice.evaluation import evaluate
from game.dice.parser import parse
from game.dice.syntax import ExpressionError

Commitments = Mapping[tuple[str, int], str]
"""Hashes of keys that were published before their rolls, by series (`everyone`, `hidden`) and number."""


class Checked(NamedTuple):
    """The result of checking a roll; None: there is no key to check it with."""

    roll_id: str
    fault: str | None = None
    is_proved: bool = False
    was_committed: bool = False


def commitments_of(dice: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], str]:
    """The commitments in responses of `GET /universes/{id}/dice`.

    Raises:
        KeyError, TypeError: one is not such a response.
    """
    found: dict[tuple[str, int], str] = {}
    for one in dice:
        for series, part in (("everyone", one), ("hidden", one["hidden"])):
            found |= {(series, commitment["number"]): commitment["hash"] for commitment in part["commitments"]}
    return found


def verify(rolls: Iterable[Mapping[str, Any]], commitments: Commitments) -> Iterator[Checked]:
    """Check rolls in the format of `GET /universes/{id}/rolls`.

    `commitments` of the series `hidden` are the reader's own: rolls of others are not compared with them.
    """
    used: dict[tuple[str, str], str] = {}
    for roll in rolls:
        roll_id = str(roll.get("id"))
        proof = roll.get("proof")
        if not isinstance(proof, Mapping) or proof.get("key") is None:
            yield Checked(roll_id)
            continue
        try:
            fault, is_committed = _fault(roll, proof, commitments)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
            fault, is_committed = "this is not a roll in the server's format", False
        # A key that is already known could be chosen for its result.
        if not fault and used.setdefault((str(proof["key"]), str(proof["nonce"])), roll_id) != roll_id:
            fault = "its key was used before"
        yield Checked(roll_id, fault, is_proved=fault is None, was_committed=is_committed and fault is None)


def _fault(roll: Mapping[str, Any], proof: Mapping[str, Any], commitments: Commitments) -> tuple[str | None, bool]:
    key = bytes.fromhex(proof["key"])
    if sha256(key).hexdigest() != proof["hash"]:
        return "its hash is not the hash of its key", False
    commitment = commitments.get((proof["series"], proof["number"])) if proof["number"] is not None else None
    if commitment is not None and commitment != proof["hash"]:
        return "a different key was promised for its number", False
    paths = dict(_paths(roll["terms"]))
    try:
        node = parse(roll["expression"], lambda path: paths[path])
    except ExpressionError as error:
        return f"its expression is invalid: column {error.column}: {error.message}", False
    result = evaluate(node, Drawing(key, proof["nonce"]))
    if result.terms != roll["terms"] or result.total != roll["total"]:
        return f"its key gives a different result: {result.text}", False
    return None, commitment is not None


def _paths(terms: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    """The numbers of the sheet that a roll was made with."""
    for term in terms:
        if term["kind"] == "path":
            yield term["path"], int(term["value"])
        yield from _paths(term.get("terms", ()))
