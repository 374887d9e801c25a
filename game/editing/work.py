"""Applies edits, undo and redo to a map's grid, possibly in a compute process. The results are ready to be
stored."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from game.core.ids import uuid7
from game.grid import changes, edits
from game.grid.canvas import Steps
from game.grid.changes import Change, Edited, counts
from game.grid.chunks import ChunkKey, Frame
from game.grid.edits.budget import MAX_CHUNKS
from game.grid.effects import effect
from game.grid.stored import StoredError, check_change


class Stored(NamedTuple):
    """An edited map as it is to be stored: JSON text, except for the frame if it is already parsed.

    `frame` is None if it did not change; `chunks` has None for a chunk to delete. `change`, `effect` and
    `touched` are for the event; `changed` counts cells and objects. An edit that changed nothing has no `change`.
    """

    frame: Frame | bytes | None
    width: int
    height: int
    chunks: dict[ChunkKey, bytes | None]
    change: bytes | None
    effect: dict[str, Any]
    touched: dict[str, Any]
    changed: int


class LoggedChange(NamedTuple):
    """The stored change of an event, as JSON text; None if there is none."""

    seq: int
    text: str | None


class Overlap(Exception):
    """Another change touched the same cells or objects; `seq` is its event's number."""

    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.seq = seq


class Broken(Exception):
    """The data of an event is not a valid change: the number of the event, and the error."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(seq, reason)
        self.seq, self.reason = seq, reason


def edit(frame: Frame, width: int, height: int, requests: Sequence[Any]) -> Steps[Stored]:
    """Apply edits to a map.

    Raises:
        GridError: an edit is invalid.
    """
    return (yield from _stored(frame, edits.apply(frame, width, height, requests, _new_id)))


def edit_text(frame: bytes, width: int, height: int, requests: bytes) -> Steps[Stored]:
    """Like `edit`, with JSON text as arguments and result."""
    return (yield from _as_text(edit(orjson.loads(frame), width, height, orjson.loads(requests))))


def replay(
    frame: Frame, width: int, height: int, change: LoggedChange, others: Sequence[LoggedChange], *, is_undo: bool
) -> Steps[Stored]:
    """Undo or redo a change, after comparing it with later changes of `others`.

    Raises:
        Overlap: one of them touched the same cells or objects.
        Conflict: the map is not in the state that the change, or its undo, left.
        Broken: a change cannot be read.
        TooCostly: the change has more cells than a request may paint.
    """
    own = _parsed(change)
    for other in others:
        if changes.overlaps(own, _parsed(other)):
            raise Overlap(other.seq)
    replayed = changes.inverse(own) if is_undo else own
    return (yield from _stored(frame, changes.replay(frame, width, height, replayed, MAX_CHUNKS)))


def replay_text(
    frame: bytes, width: int, height: int, change: LoggedChange, others: Sequence[LoggedChange], is_undo: bool
) -> Steps[Stored]:
    """Like `replay`, with JSON text as arguments and result."""
    return (yield from _as_text(replay(orjson.loads(frame), width, height, change, others, is_undo=is_undo)))


def _new_id() -> str:
    return str(uuid7())


def _parsed(logged: LoggedChange) -> Change:
    try:
        change: Change = orjson.loads(logged.text or b"null")
        check_change(change)
    except (StoredError, ValueError) as error:
        raise Broken(logged.seq, str(error)[:200]) from None
    return change


def _as_text(steps: Steps[Stored]) -> Steps[Stored]:
    stored = yield from steps
    return stored._replace(frame=None if stored.frame is None else orjson.dumps(stored.frame))


def _stored(frame: Frame, steps: Steps[Edited]) -> Steps[Stored]:
    edited = yield from steps
    change = edited.change
    now = frame if edited.frame is None else edited.frame
    return Stored(
        edited.frame,
        edited.width,
        edited.height,
        {key: None if rows is None else orjson.dumps(rows) for key, rows in edited.chunks.items()},
        orjson.dumps(change) if change else None,
        effect(change, now, edited.width, edited.height),
        counts(change),
        sum(sum(run[2] for run in part["runs"]) if "runs" in part else 1 for part in change),
    )
