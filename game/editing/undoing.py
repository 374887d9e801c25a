"""Undo and redo: which edit of a person is next, and whether later edits conflict with it. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from game.grid.changes import Change, overlaps


class Step(Protocol):
    """An edit, or the taking back or repeating of the edit `of`."""

    seq: int
    kind: str
    of: int | None


class LoggedEvent(Protocol):
    """An event of a map."""

    seq: int
    kind: str
    payload: dict[str, Any]
    before: dict[str, Any] | None


def stacks(steps: Iterable[Step]) -> tuple[list[int], list[int]]:
    """A person's edits that stand and those they took back, each with the next one last.

    Takes their steps on a map, oldest first. As in any editor, a new edit ends what could be repeated.
    """
    done: list[int] = []
    undone: list[int] = []
    for step in steps:
        if step.kind == "map.edited":
            done.append(step.seq)
            undone.clear()
        elif step.of is not None:
            source, target = (done, undone) if step.kind == "map.undone" else (undone, done)
            if step.of in source:
                source.remove(step.of)
                target.append(step.of)
    return done, undone


def first_conflict(edit: LoggedEvent, later: Sequence[LoggedEvent]) -> LoggedEvent | None:
    """The first event after an edit that changed the same, and was not taken back itself; None if there is none.

    `later` are the events of the map after the edit, oldest first. An event that replaced the whole grid always
    conflicts.
    """
    change: Change = (edit.before or {})["change"]
    standing: dict[int, tuple[LoggedEvent, Change]] = {}
    known: dict[int, tuple[LoggedEvent, Change]] = {}
    for event in later:
        before = event.before or {}
        if "grid_data" in before:
            return event
        if "change" not in before:
            continue
        known[event.seq] = event, before["change"]
        of = event.payload.get("of")
        if of == edit.seq:
            continue
        if of in known:
            # An edit and the undo of it leave nothing.
            if event.kind == "map.undone":
                standing.pop(of, None)
            else:
                standing[of] = known[of]
        else:
            standing[event.seq] = known[event.seq]
    for event, other in standing.values():
        if overlaps(change, other):
            return event
    return None
