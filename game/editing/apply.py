"""Applying the edits of a request: small ones in a batch with others, large ones in a compute process."""

from typing import Any
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.compute import Computing
from game.core.errors import FieldError, Unprocessable
from game.core.idempotency import Once
from game.core.ids import uuid7
from game.core.versions import etag, require_match
from game.editing import queries, work
from game.editing.batches import EditBatches, EditJob
from game.editing.models import EditResult
from game.editing.opened import OpenMap
from game.editing.work import Stored
from game.grid.document import GridError
from game.grid.edits.budget import at_most, depends_on_map
from game.grid.edits.fields import KINDS
from game.maps import queries as maps

LARGE_CELLS = 65_536
"""With more painted cells than this, an edit runs in a compute process, because it would block the event loop for
about 20 ms."""
_LARGE_BODY = 131_072


class InvalidEdit(Unprocessable):
    """One of the edits is invalid. None of them was applied."""

    code = "INVALID_EDIT"


async def apply_edits(
    batches: EditBatches,
    session: AsyncSession,
    computing: Computing,
    user: User,
    map_id: UUID,
    edits: list[Any],
    if_match: str | None,
    once: Once,
) -> Response:
    """Apply edits, all or none, as one event; returns the answer with the result.

    Raises:
        InvalidEdit: an edit is invalid, or the edits cost too much in total; names the place.
        NotFound, Forbidden, PreconditionFailed, IdempotencyKeyReused: as everywhere.
    """
    _assign_ids(edits)
    body = orjson.dumps(edits)
    size = 0, 0, 0
    if depends_on_map(edits):
        found = await queries.outline(session, user, map_id)
        size = (found.width, found.height, found.layers) if found else size
    cells = sum(at_most(edit, *size) for edit in edits)
    # No connection is held while a compute process works.
    await session.close()

    async def small(opened: OpenMap) -> Response:
        require_match(if_match, opened)
        steps = work.edit(opened.frame, opened.width, opened.height, edits)
        try:
            return await finish(opened, "map.edited", user, await opened.run(steps), {})
        except GridError as error:
            raise _invalid(error) from None

    async def large() -> Response:
        row = (await maps.get_to_change(session, user, map_id, "editMap")).row
        require_match(if_match, row)
        opened = OpenMap(session, row)
        frame = orjson.dumps(row.grid_data)
        try:
            stored = await computing.run(
                user.id, work.edit_text, frame, row.width, row.height, body, load=opened.load
            )
        except GridError as error:
            raise _invalid(error) from None
        answer = await finish(opened, "map.edited", user, stored, {})
        await opened.store()
        return answer

    if cells <= LARGE_CELLS and len(body) <= _LARGE_BODY:
        return await batches.apply(map_id, EditJob(user, once, small))
    async with computing.slot(user.id):
        return await once(
            user.id, large, check=lambda _: maps.get(session, user, map_id, "editMap", with_grid=False)
        )


async def finish(opened: OpenMap, kind: str, user: User, stored: Stored, payload: dict[str, Any]) -> Response:
    """Record a change, if anything changed, and build the response."""
    seq = await opened.record(kind, user, stored, payload) if stored.change else None
    result = EditResult(version=opened.version, seq=seq, changed=stored.changed)
    headers = {"ETag": etag(opened.version)}
    return Response(result.model_dump_json(), headers=headers, media_type="application/json")


def _invalid(error: GridError) -> InvalidEdit:
    return InvalidEdit(errors=[FieldError(one.place, one.code, one.message) for one in error.violations])


def _assign_ids(edits: list[Any]) -> None:
    """Assign ids to new objects without one, so that a retry with the same key uses the same ids."""
    for edit in edits:
        for kind in KINDS:
            thing = edit.get(kind) if isinstance(edit, dict) and edit.get("op") == f"put_{kind}" else None
            if isinstance(thing, dict):
                thing.setdefault("id", str(uuid7()))
