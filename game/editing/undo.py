"""Undo and redo: finds the user's next edit, compares it with later changes, and replays it as a new event."""

from collections.abc import Awaitable
from contextlib import nullcontext
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.compute import Computing
from game.core.errors import Conflict, Unprocessable
from game.core.idempotency import Once
from game.core.versions import etag, require_match
from game.editing import queries, undo_stack, work
from game.editing.apply import LARGE_CELLS, finish
from game.editing.models import EditResult
from game.editing.opened import OpenMap
from game.editing.undo_stack import UndoEntry
from game.editing.work import LoggedChange, Stored
from game.events import phrases
from game.events.queries import Subject
from game.fog import changes as fog
from game.grid.canvas import TooCostly
from game.grid.changes import Conflict as ReplayConflict
from game.grid.geometry import Grid
from game.maps import queries as maps
from game.maps.history import HistoryBroken
from game.maps.models import Map
from game.tokens.changes import set_position
from game.tokens.positions import require_place
from game.tokens.queries import reload

_MAX_COMPARED = 1000
_MAX_COMPARED_BYTES = 16 * 2**20
_LARGE_BYTES = 65_536


class NothingToUndo(Conflict):
    """You have no edit of this map to undo."""

    code = "NOTHING_TO_UNDO"


class NothingToRedo(Conflict):
    """There is no undone edit of this map that you could redo."""

    code = "NOTHING_TO_REDO"


class EditOverlapped(Conflict):
    """Later edits changed the same cells or objects."""

    code = "EDIT_OVERLAPPED"


class UndoTooCostly(Unprocessable):
    """This changes more cells than one request may change."""

    code = "EDIT_TOO_COSTLY"


async def undo_or_redo(
    session: AsyncSession,
    computing: Computing,
    user: User,
    map_id: UUID,
    if_match: str | None,
    once: Once,
    *,
    is_undo: bool,
) -> Response:
    """Undo the user's last edit or move on a map, or redo the one that they undid last; returns the response.

    Raises:
        NothingToUndo, NothingToRedo: there is no such edit.
        EditOverlapped: later changes of others overlap it.
        HistoryBroken: the event does not contain a valid change.
        NotFound, Forbidden, PreconditionFailed, IdempotencyKeyReused: as everywhere.
    """
    operation = "undoEdit" if is_undo else "redoEdit"

    async def act() -> Response:
        found = await maps.get_to_change(session, user, map_id, operation)
        row = found.row
        require_match(if_match, row)
        entry = await _next_entry(session, row, user, is_undo)
        if entry is None:
            raise NothingToUndo if is_undo else NothingToRedo
        if entry.is_move:
            return await _replay_move(session, found, entry, is_undo)
        opened = OpenMap(session, row)
        change, others = await _load_changes(session, row, entry)
        if is_large:
            frame = orjson.dumps(row.grid_data)
            arguments = frame, row.width, row.height, change, others, is_undo
            running = computing.run(user.id, work.replay_text, *arguments, load=opened.load)
        else:
            steps = work.replay(row.grid_data, row.width, row.height, change, others, is_undo=is_undo)
            running = opened.run(steps)
        stored = await _with_problems(session, row, running)
        kind = "map.undone" if is_undo else "map.redone"
        answer = await finish(opened, kind, user, stored, {"of": entry.edit})
        await opened.store()
        return answer

    is_large = await _is_large(session, user, map_id, is_undo)
    await session.close()
    async with computing.slot(user.id) if is_large else nullcontext():
        return await once(
            user.id, act, check=lambda _: maps.get(session, user, map_id, operation, with_grid=False)
        )


async def _next_entry(session: AsyncSession, row: Subject, user: User, is_undo: bool) -> UndoEntry | None:
    steps = [*await queries.steps_by(session, row, user), *await queries.moves_by(session, row, user)]
    done, undone = undo_stack.stacks(sorted(steps))
    stack = done if is_undo else undone
    return stack[-1] if stack else None


async def _is_large(session: AsyncSession, user: User, map_id: UUID, is_undo: bool) -> bool:
    """Whether the next undo or redo probably needs a compute process; estimated before anything is locked."""
    row = await queries.outline(session, user, map_id)
    entry = await _next_entry(session, row, user, is_undo) if row else None
    if row is None or entry is None or entry.is_move:
        return False
    size, touched = await queries.weight_of(session, row, entry.edit)
    touched = touched if isinstance(touched, dict) else {}
    cells = touched.get("cells", 0)
    # A change of size or of layers may move cells that `touched` does not count.
    moves = not touched.keys().isdisjoint(("width", "layers", "legend"))
    cells = max(cells if isinstance(cells, int) else 0, row.layers * row.width * row.height if moves else 0)
    return size > _LARGE_BYTES or cells > LARGE_CELLS


async def _replay_move(session: AsyncSession, found: maps.Found, entry: UndoEntry, is_undo: bool) -> Response:
    """Undo or redo a move of a token. Explored cells stay explored.

    Raises:
        EditOverlapped: the token is no longer at the end of the move, or at its start for a redo.
    """
    row = found.row
    event = await queries.move_at(session, row.universe_id, entry.edit)
    left, target = event.payload, event.before or {}
    if not is_undo:
        left, target = target, left
    token = await reload(session, found.access, event.subject_id)
    try:
        is_there = (token.row.x, token.row.y) == (left["x"], left["y"])
        x, y = float(target["x"]), float(target["y"])
        require_place(row, Grid.of(row.grid_data).type, x, y, token.row.size)
    except (KeyError, TypeError, ValueError, Unprocessable):
        is_there = False
    if not is_there:
        raise EditOverlapped(f"{token.row.name} has moved since then, or the map has changed.")
    async with fog.watch(session, row):
        kind = "token.move_undone" if is_undo else "token.move_redone"
        seq = await set_position(session, token, row, kind, x, y, {"of": entry.edit})
    result = EditResult(version=row.version, seq=seq, changed=1)
    headers = {"ETag": etag(row.version)}
    return Response(result.model_dump_json(), headers=headers, media_type="application/json")


async def _load_changes(
    session: AsyncSession, row: Map, entry: UndoEntry
) -> tuple[LoggedChange, list[LoggedChange]]:
    """The change of an edit, and the changes that it may overlap with: all since it was last done or undone,
    except those that cancel each other.

    Raises:
        EditOverlapped: the whole grid was replaced since then, or there are too many.
    """
    if replaced := await queries.replaced_since(session, row, entry.last):
        raise await _overlap_error(session, row, replaced)
    steps = await queries.steps_since(session, row, entry.last)
    others = undo_stack.in_effect(steps)
    if len(steps) < queries.MAX_STEPS and len(others) <= _MAX_COMPARED:
        changes = await queries.changes_at(session, row, [entry.edit, *others], _MAX_COMPARED_BYTES)
        if changes:
            return changes[0], changes[1:]
    raise EditOverlapped("There were too many changes to this map since then.")


async def _with_problems(session: AsyncSession, row: Map, running: Awaitable[Stored]) -> Stored:
    """The result of a replay; errors become problems."""
    try:
        return await running
    except work.Overlap as overlap:
        raise await _overlap_error(session, row, overlap.seq) from None
    except ReplayConflict as conflict:
        raise EditOverlapped(f"{str(conflict)[:1].upper()}{str(conflict)[1:]}.") from None
    except work.Broken as broken:
        raise HistoryBroken(f"Event {broken.seq} cannot be used: {broken.reason}.", seq=broken.seq) from None
    except TooCostly as error:
        raise UndoTooCostly(f"This {error}.") from None


async def _overlap_error(session: AsyncSession, row: Map, seq: int) -> EditOverlapped:
    event = await queries.event_at(session, row, seq)
    return EditOverlapped(f"Event {seq} changed the same: {phrases.summary(event.kind, event.payload)}.", seq=seq)
