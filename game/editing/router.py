"""Endpoints of editing: regions, edits, undo and redo, history, and restore."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from game.accounts.current import CurrentUser
from game.core.compute import Computing, until_disconnected
from game.core.database import Session
from game.core.errors import (
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.hot import hot
from game.core.idempotency import IdempotencyKeyReused, Once, ResponseNotStored
from game.core.pages import DEFAULT_LIMIT, MAX_LIMIT
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, etag, not_modified, require_match
from game.editing import history, hot_edits, region, undo
from game.editing.apply import InvalidEdit, apply_edits
from game.editing.batches import EditBatches
from game.editing.models import MAX_REGION, MAX_SIZE, EditRequest, EditResult, HistoryPage, Region, RestoreRequest
from game.maps import documents
from game.maps import queries as maps
from game.maps.history import HistoryBroken, TooLongAgo, restore_grid
from game.maps.models import AsMember, MapRead

router = APIRouter(prefix="/maps", tags=["Editing"], route_class=StrictRoute, responses=documented(Unauthorized))


@router.post(
    "/{id}/edits",
    response_model=EditResult,
    responses=documented(
        Forbidden, NotFound, PreconditionFailed, InvalidEdit, IdempotencyKeyReused, OutcomeUnknown
    ),
)
@hot(hot_edits.SET_CELLS)
async def edit_map(
    request: Request,
    id: UUID,
    body: EditRequest,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    if_match: IfMatch,
    once: Once,
) -> Response:
    """Apply edits to a map as one event. Either all of them are applied or none.

    Edits of different cells commute, so several people can paint at the same time without `If-Match`. With
    `If-Match`, the edits are applied only to that version.
    """
    batches: EditBatches = request.app.state.edits
    return await apply_edits(batches, session, computing, user, id, body.edits, if_match, once)


_UNDO_ERRORS = Forbidden, NotFound, PreconditionFailed, OutcomeUnknown


@router.post(
    "/{id}/undo",
    response_model=EditResult,
    responses=documented(
        *_UNDO_ERRORS, undo.EditOverlapped, HistoryBroken, undo.UndoTooCostly, IdempotencyKeyReused
    ),
)
async def undo_edit(
    id: UUID, user: CurrentUser, session: Session, computing: Computing, if_match: IfMatch, once: Once
) -> Response:
    """Undo your last edit of a map, as a new event. The response is 409 if later edits of another user overlap
    it."""
    return await undo.undo_or_redo(session, computing, user, id, if_match, once, is_undo=True)


@router.post(
    "/{id}/redo",
    response_model=EditResult,
    responses=documented(
        *_UNDO_ERRORS, undo.EditOverlapped, HistoryBroken, undo.UndoTooCostly, IdempotencyKeyReused
    ),
)
async def redo_edit(
    id: UUID, user: CurrentUser, session: Session, computing: Computing, if_match: IfMatch, once: Once
) -> Response:
    """Redo the edit that you undid last, as a new event. The response is 409 if later edits of another
    user overlap it."""
    return await undo.undo_or_redo(session, computing, user, id, if_match, once, is_undo=False)


@router.get("/{id}/history", response_model=HistoryPage, responses=documented(NotFound, Unprocessable))
async def list_history(
    id: UUID,
    user: CurrentUser,
    session: Session,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**53 - 1, description="`next_cursor` of the previous page.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Any:
    """List the changes of a map, newest first."""
    row = (await maps.get(session, user, id, "listHistory", with_grid=False)).row
    events = await history.entries(session, row, cursor or 2**53, limit + 1)
    items = [history.entry(event) for event in events[:limit]]
    return {"items": items, "next_cursor": str(items[-1].seq) if len(events) > limit else None}


@router.post(
    "/{id}/restore",
    response_model=MapRead,
    responses=documented(
        Forbidden, NotFound, HistoryBroken, PreconditionFailed, TooLongAgo, IdempotencyKeyReused, ResponseNotStored
    ),
)
async def restore_map(
    request: Request,
    id: UUID,
    body: RestoreRequest,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    if_match: IfMatch,
    once: Once,
) -> Response:
    """Restore the grid of a map to its state after an event, as a new event."""

    async def restore() -> Response:
        found = await maps.get_to_change(session, user, id, "restoreMap")
        require_match(if_match, found.row)
        await restore_grid(request, session, computing, found, body.seq)
        return await documents.changed(request, session, found)

    # Waits for a slot before anything is locked.
    await session.close()
    async with computing.slot(user.id):
        restoring = once(
            user.id, restore, check=lambda _: maps.get(session, user, id, "restoreMap", with_grid=False)
        )
        return await until_disconnected(request.receive, restoring)


@router.get(
    "/{id}/region",
    response_model=Region,
    response_model_exclude_unset=True,
    responses=documented(Forbidden, NotFound, Unprocessable),
)
@hot(region.REGION)
async def read_region(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    x: Annotated[int, Query(ge=0, le=MAX_SIZE, description="The leftmost column of the region.")],
    y: Annotated[int, Query(ge=0, le=MAX_SIZE, description="The top row of the region.")],
    width: Annotated[int, Query(ge=1, le=MAX_REGION)],
    height: Annotated[int, Query(ge=1, le=MAX_REGION)],
    layers: Annotated[
        str | None, Query(max_length=5000, description="Names of layers, separated by commas. Default: all.")
    ] = None,
    as_id: AsMember = None,
    _: IfNoneMatch = None,
) -> Response:
    """Read a rectangle of a map's cells, such as a viewport. The cost depends on its size, not on the size of the
    map."""
    wanted = region.RegionQuery(id, x, y, width, height, layers, as_id)
    answer = await region.read(session, computing, user, wanted)
    if unchanged := not_modified(request, answer.version or 0):
        return unchanged
    return Response(answer.body, headers={"ETag": etag(answer.version or 0)}, media_type="application/json")
