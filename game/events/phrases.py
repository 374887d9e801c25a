"""Events in English: a title by kind, and a summary by kind and payload."""

from collections.abc import Mapping
from typing import Any

_VERBS: Mapping[str, str] = {
    "created": "created",
    "updated": "changed",
    "deleted": "deleted",
    "imported": "imported",
    "edited": "edited",
    "undone": "edit undone",
    "redone": "edit redone",
    "restored": "restored to an earlier state",
    "moved_in": "moved here",
    "moved_out": "moved away",
    "fog_revealed": "fog revealed",
    "fog_hidden": "fog hidden",
}
_SUBJECTS: Mapping[str, str] = {"asset": "picture"}
_MAX_SUMMARY = 300
_NAMED = 3


def title(kind: str) -> str:
    """The title of an event: `map.moved_in` as "Map moved here"."""
    subject, _, verb = kind.partition(".")
    return f"{_SUBJECTS.get(subject, subject).capitalize()} {_VERBS.get(verb, verb.replace('_', ' '))}".rstrip()


def summary(kind: str, payload: Any) -> str:
    """What an event of a map did: "undid event 12: 3 cells, entities goblin".

    Takes any payload, because that of an imported event may be anything.
    """
    payload = payload if isinstance(payload, dict) else {}
    phrase = {
        "map.restored": f"restored to event {payload.get('seq')}",
        "map.undone": f"undid event {payload.get('of')}",
        "map.redone": f"redid event {payload.get('of')}",
        "map.updated": "changed " + ", ".join(sorted(payload.keys() - {"version"})),
    }.get(kind) or title(kind).partition(" ")[2]
    touched = payload.get("touched")
    phrase = f"{phrase}: {_touched(touched)}" if touched and isinstance(touched, dict) else phrase
    return phrase[:_MAX_SUMMARY]


def _touched(touched: Mapping[str, Any]) -> str:
    """`{"cells": 3, "entities": ["goblin"]}` as `3 cells, entities goblin`."""
    parts = []
    for name, what in touched.items():
        if name == "cells":
            parts.append(f"{what} cell{'s' * (what != 1)}")
        elif isinstance(what, list):
            first = ", ".join(map(str, what[:_NAMED]))
            more = f" and {len(what) - _NAMED} more" if len(what) > _NAMED else ""
            parts.append(f"{name} {first}{more}")
        else:
            parts.append(f"{name} {what}")
    return ", ".join(parts)
