"""Endpoints of editing: regions, edits, undo and redo, history, and going back."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response

from game.accounts.current import CurrentUser
from game.accounts.models import User
from game.core.compute import Computing
from game.core.database import Session
from game.core.errors import (
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.hot import hot
from game.core.idempotency import AnswerNotKept, IdempotencyKeyReused, Once
from game.core.ids import uuid7
from game.core.pages import DEFAULT_LIMIT, MAX_LIMIT
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, etag, not_modified, require_match
from game.editing import history, hot_edits, queries, region, undoing
from game.editing.models import MAX_REGION, MAX_SIZE, EditRequest, EditResult, HistoryPage, Region, RestoreRequest
from game.editing.undoing import Turn
from game.events import phrases
from game.events.models import Event
from game.grid import changes, edits
from game.grid.changes import Change
from game.grid.document import GridError
from game.grid.stored import StoredError, check_change
from game.maps import queries as maps
from game.maps.history import HistoryBroken, TooLongAgo, rebuilt, record_of
from game.maps.models import Map, MapRead
from game.maps.queries import Found

router = APIRouter(prefix="/maps", tags=["Editing"], route_class=StrictRoute, responses=documented(Unauthorized))

_LARGE_EDITS = 65_536
_MAX_COMPARED = 1000
_COMPARED_AT_ONCE = 50


class InvalidEdit(Unprocessable):
    """One of the edits breaks the rules; none of them was applied."""

    code = "INVALID_EDIT"


class NothingToUndo(Conflict):
    """You have no edit of this map to undo."""

    code = "NOTHING_TO_UNDO"


class NothingToRedo(Conflict):
    """You have undone no edit of this map that could be redone."""

    code = "NOTHING_TO_REDO"


class EditOverlapped(Conflict):
    """Later edits changed the same."""

    code = "EDIT_OVERLAPPED"


async def _to_change(session: Session, operation: str, user: User, id: UUID, if_match: str | None) -> Found:
    found = await maps.get_to_change(session, user, id, operation)
    require_match(if_match, found.row)
    return found


def _result(row: Map, seq: int | None, change: Change) -> Response:
    changed = sum(sum(run[2] for run in part["runs"]) if "runs" in part else 1 for part in change)
    result = EditResult(version=row.version, seq=seq, changed=changed)
    return Response(result.model_dump_json(), headers={"ETag": etag(row.version)}, media_type="application/json")


@router.post(
    "/{id}/edits",
    response_model=EditResult,
    responses=documented(Forbidden, NotFound, PreconditionFailed, InvalidEdit, IdempotencyKeyReused),
)
@hot(hot_edits.SET_CELLS)
async def edit_map(
    id: UUID, body: EditRequest, user: CurrentUser, session: Session, if_match: IfMatch, once: Once
) -> Response:
    """Apply edits to a map: all of them or none, as one event.

    Edits of different cells commute, so people may paint at once without `If-Match`; with it, the map must be as
    you know it.
    """

    _name_things(body.edits)

    async def apply() -> Response:
        row = (await _to_change(session, "editMap", user, id, if_match)).row
        steps = edits.apply(row.grid_data, row.width, row.height, body.edits, lambda: str(uuid7()))
        try:
            edited = await queries.apply_steps(session, row, steps, large=_cells(body.edits) > _LARGE_EDITS)
        except GridError as error:
            fields = [FieldError(one.place, one.code, one.message) for one in error.breaches]
            raise InvalidEdit(errors=fields) from None
        if not edited.change:
            return _result(row, None, [])
        payload = {"edits": body.edits} if _cells(body.edits) <= _LARGE_EDITS else {}
        seq = await queries.record(session, "map.edited", user, row, edited.change, payload)
        return _result(row, seq, edited.change)

    return await once(user.id, apply)


def _name_things(edits: list[Any]) -> None:
    """Give things that come without an id one, so that the event tells it too."""
    for edit in edits:
        for kind in ("entity", "wall", "door", "light"):
            thing = edit.get(kind) if isinstance(edit, dict) and edit.get("op") == f"put_{kind}" else None
            if isinstance(thing, dict):
                thing.setdefault("id", str(uuid7()))


def _cells(edits: list[Any]) -> int:
    """About how many cells edits paint: enough to know whether the work is long. What is faulty paints none."""
    count = 0
    for edit in edits:
        match edit:
            case {"width": int(width), "height": int(height)}:
                count += width * height
            case {"cells": list(cells)}:
                count += len(cells)
            case {"rows": list(rows)}:
                count += sum(len(row) for row in rows if isinstance(row, str))
    return count


async def _turn(
    session: Session, user: User, row: Map, kind: str, turn: Turn, turned: Callable[[Change], Change]
) -> Response:
    """Undo or redo an edit by a new event.

    Raises:
        EditOverlapped: the map does not hold what the edit's last undo, redo, or the edit itself left there.
    """
    [edit] = await queries.events_at(session, row, [turn.edit])
    change = _stored_change(edit)
    await _require_no_overlap(session, row, change, turn.last)
    steps = changes.replay(row.grid_data, row.width, row.height, turned(change))
    try:
        edited = await queries.apply_steps(session, row, steps)
    except changes.Conflict as conflict:
        raise EditOverlapped(f"{str(conflict)[:1].upper()}{str(conflict)[1:]}.") from None
    seq = await queries.record(session, kind, user, row, edited.change, {"of": turn.edit})
    return _result(row, seq, edited.change)


async def _require_no_overlap(session: Session, row: Map, change: Change, since: int) -> None:
    """Refuse where others have changed the same since an event, and it still differs."""
    if replaced := await queries.replaced_since(session, row, since):
        raise _overlapped(replaced)
    steps = await queries.steps_since(session, row, since)
    others = undoing.net(steps)
    if len(steps) == queries.MAX_STEPS or len(others) > _MAX_COMPARED:
        raise EditOverlapped("Too much has happened to this map since then.")
    for first in range(0, len(others), _COMPARED_AT_ONCE):
        for event in await queries.events_at(session, row, others[first : first + _COMPARED_AT_ONCE]):
            if changes.overlaps(change, _stored_change(event)):
                raise _overlapped(event)


def _stored_change(event: Event) -> Change:
    """The change that an event stored.

    Raises:
        HistoryBroken: it is none.
    """
    change: Any = event.before.get("change") if isinstance(event.before, dict) else None
    try:
        check_change(change)
    except StoredError as error:
        raise HistoryBroken(f"Event {event.seq} cannot be used: {str(error)[:200]}.", seq=event.seq) from None
    stored: Change = change
    return stored


def _overlapped(event: Event) -> EditOverlapped:
    done = phrases.summary(event.kind, event.payload)
    return EditOverlapped(f"Event {event.seq} changed the same: {done}.", seq=event.seq)


_TURNS = documented(Forbidden, NotFound, PreconditionFailed)


@router.post(
    "/{id}/undo",
    response_model=EditResult,
    responses={**_TURNS, **documented(EditOverlapped, HistoryBroken, IdempotencyKeyReused)},
)
async def undo_edit(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch, once: Once) -> Response:
    """Undo your last edit of a map, as a new event; 409 where somebody else's later edits overlap it."""

    async def undo() -> Response:
        row = (await _to_change(session, "undoEdit", user, id, if_match)).row
        done, _ = undoing.stacks(await queries.steps_by(session, row, user))
        if not done:
            raise NothingToUndo
        return await _turn(session, user, row, "map.undone", done[-1], changes.inverse)

    return await once(user.id, undo)


@router.post(
    "/{id}/redo",
    response_model=EditResult,
    responses={**_TURNS, **documented(EditOverlapped, HistoryBroken, IdempotencyKeyReused)},
)
async def redo_edit(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch, once: Once) -> Response:
    """Redo the edit that you undid last, as a new event; 409 where somebody else's later edits overlap it."""

    async def redo() -> Response:
        row = (await _to_change(session, "redoEdit", user, id, if_match)).row
        _, undone = undoing.stacks(await queries.steps_by(session, row, user))
        if not undone:
            raise NothingToRedo
        return await _turn(session, user, row, "map.redone", undone[-1], lambda change: change)

    return await once(user.id, redo)


@router.get("/{id}/history", response_model=HistoryPage, responses=documented(NotFound, Unprocessable))
async def list_history(
    id: UUID,
    user: CurrentUser,
    session: Session,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**53 - 1, description="`next_cursor` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Any:
    """List who changed a map and when, newest first."""
    row = (await maps.get(session, user, id, "listHistory")).row
    events = await history.entries(session, row, cursor or 2**53, limit + 1)
    items = [history.entry(event) for event in events[:limit]]
    return {"items": items, "next_cursor": str(items[-1].seq) if len(events) > limit else None}


@router.post(
    "/{id}/restore",
    response_model=MapRead,
    responses=documented(
        Forbidden, NotFound, HistoryBroken, PreconditionFailed, TooLongAgo, IdempotencyKeyReused, AnswerNotKept
    ),
)
async def restore_map(
    id: UUID,
    body: RestoreRequest,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    if_match: IfMatch,
    once: Once,
) -> Response:
    """Restore a map's grid to how it was after an event, as a new event."""

    async def restore() -> Response:
        found = await _to_change(session, "restoreMap", user, id, if_match)
        past = await rebuilt(computing, user, await record_of(session, found.row, body.seq))
        await maps.restore(session, found, orjson.loads(past.grid_data), body.seq)
        document, version = await maps.document(session, found)
        return Response(document, headers={"ETag": etag(version)}, media_type="application/json")

    # Waits for its turn before it locks anything.
    await session.close()
    async with computing.turn(user.id):
        return await once(user.id, restore)


@router.get(
    "/{id}/region",
    response_model=Region,
    response_model_exclude_unset=True,
    responses=documented(NotFound, Unprocessable),
)
@hot(region.REGION)
async def read_region(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    x: Annotated[int, Query(ge=0, le=MAX_SIZE, description="The region's left column.")],
    y: Annotated[int, Query(ge=0, le=MAX_SIZE, description="The region's top row.")],
    width: Annotated[int, Query(ge=1, le=MAX_REGION)],
    height: Annotated[int, Query(ge=1, le=MAX_REGION)],
    layers: Annotated[
        str | None, Query(max_length=5000, description="Names, separated by commas; none: all.")
    ] = None,
    _: IfNoneMatch = None,
) -> Response:
    """Read a rectangle of a map's cells: a viewport. It costs what it shows, however large the map is."""
    wanted = region.Question(id, x, y, width, height, layers)
    answer = region.render(await region.read(session, user, wanted))
    if unchanged := not_modified(request, answer.version or 0):
        return unchanged
    return Response(answer.body, headers={"ETag": etag(answer.version or 0)}, media_type="application/json")
