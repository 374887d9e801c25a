"""Undo and redo: which edit of a person is next, and what has changed on the map since. Pure."""

from collections.abc import Iterable
from typing import NamedTuple


class Step(NamedTuple):
    """An event of a map: an edit, or the undo or redo of the edit `of`."""

    seq: int
    kind: str
    of: int | None


class Turn(NamedTuple):
    """An edit, and the event that last did or undid it: the edit itself, or an undo or redo of it."""

    edit: int
    last: int


def stacks(steps: Iterable[Step]) -> tuple[list[Turn], list[Turn]]:
    """A person's edits that stand and those that they undid, each with the next one last.

    Takes their steps on a map, oldest first. As in any editor, a new edit ends what could be redone.
    """
    done: list[Turn] = []
    undone: list[Turn] = []
    for step in steps:
        if step.kind == "map.edited":
            done.append(Turn(step.seq, step.seq))
            undone.clear()
        else:
            source, target = (done, undone) if step.kind == "map.undone" else (undone, done)
            turn = next((turn for turn in source if turn.edit == step.of), None)
            if turn is not None:
                source.remove(turn)
                target.append(Turn(turn.edit, step.seq))
    return done, undone


def net(steps: Iterable[Step]) -> list[int]:
    """The events that made a map differ, out of those of some time, oldest first.

    An edit and its undo leave nothing, nor do an undo and the redo of it. So whoever goes back and forth through
    edits of the same cells finds everything as they left it, and only what others did between counts.
    """
    changed: dict[int, int] = {}
    for step in steps:
        edit = step.seq if step.of is None else step.of
        if changed.pop(edit, None) is None:
            changed[edit] = step.seq
    return sorted(changed.values())
