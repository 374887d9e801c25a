"""The undo and redo stacks of a user, and the later changes of a map that may conflict. Pure."""

from collections.abc import Iterable
from typing import NamedTuple


class Step(NamedTuple):
    """An event of a map or token: an edit or a move, or the undo or redo of event `of`."""

    seq: int
    kind: str
    of: int | None


class UndoEntry(NamedTuple):
    """An entry of a stack: an edit or a move, and the event that last did or undid it."""

    edit: int
    last: int
    is_move: bool = False


def stacks(steps: Iterable[Step]) -> tuple[list[UndoEntry], list[UndoEntry]]:
    """A user's undo and redo stacks: the edits and moves in effect, and those that they undid.

    Takes their steps on a map, oldest first. As in any editor, a new edit clears the redo stack.
    """
    done: list[UndoEntry] = []
    undone: list[UndoEntry] = []
    for step in steps:
        if step.kind in ("map.edited", "token.moved"):
            done.append(UndoEntry(step.seq, step.seq, step.kind == "token.moved"))
            undone.clear()
        else:
            source, target = (done, undone) if step.kind.endswith("undone") else (undone, done)
            entry = next((entry for entry in source if entry.edit == step.of), None)
            if entry is not None:
                source.remove(entry)
                target.append(entry._replace(last=step.seq))
    return done, undone


def in_effect(steps: Iterable[Step]) -> list[int]:
    """The events, of these (oldest first), whose changes are still in effect.

    An edit and its undo cancel each other, and so do an undo and its redo. So undoing and redoing edits of the
    same cells restores the previous state, and only changes of others in between can conflict.
    """
    changed: dict[int, int] = {}
    for step in steps:
        edit = step.seq if step.of is None else step.of
        if changed.pop(edit, None) is None:
            changed[edit] = step.seq
    return sorted(changed.values())
