"""Endpoints of maps."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from game.accounts.current import CurrentUser
from game.core import pages
from game.core.compute import Computing, until_disconnected
from game.core.database import Session
from game.core.errors import (
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.hot import hot
from game.core.idempotency import IdempotencyKeyReused, Once, ResponseNotStored
from game.core.strict_json import StrictRoute, run_in_body_thread
from game.core.versions import IfMatch, IfNoneMatch, etag, require_match
from game.grid.document import GridError, check
from game.maps import changes, documents, history, queries, texts
from game.maps.models import AsMember, MapCreate, MapPage, MapPatch, MapRead, MapReplace
from game.universes import access

router = APIRouter(prefix="/maps", tags=["Maps"], route_class=StrictRoute, responses=documented(Unauthorized))

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable)


class InvalidGrid(Unprocessable):
    """The grid data is invalid."""

    code = "INVALID_GRID_DATA"


async def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body whose grid data, if any, keeps the rules.

    Raises:
        InvalidGrid: it does not; says where.
    """
    if "grid_data" in fields:
        try:
            await run_in_body_thread(check, fields["grid_data"])
        except GridError as error:
            raise InvalidGrid(
                errors=[FieldError(one.place, one.code, one.message) for one in error.violations]
            ) from None
    return fields


def _given(body: MapReplace | MapPatch) -> dict[str, Any]:
    """The fields that a client sent. `model_dump` would copy all of the grid data on the event loop."""
    return {name: value for name, value in body if name in body.model_fields_set}


def _answer(text: texts.MapText, status: int = 200, **headers: str) -> Response:
    """A map as JSON. Its text is built once, in `texts`, for hot and plain responses alike."""
    return Response(text.body, status, {"ETag": etag(text.version), **headers}, "application/json")


@router.post(
    "",
    status_code=201,
    response_model=MapRead,
    responses=documented(Forbidden, NotFound, Unprocessable, IdempotencyKeyReused, ResponseNotStored),
)
async def create_map(body: MapCreate, user: CurrentUser, session: Session, once: Once) -> Response:
    """Create a map in one of your universes."""
    fields = await _checked(dict(body))

    async def create() -> Response:
        caller = (await access.lock(session, user, {body.universe_id: "createMap"}))[body.universe_id]
        found = await changes.create(session, caller, fields)
        # As one text: it is no larger than the body of this request.
        return _answer(await texts.document(session, found), 201, Location=f"/maps/{found.row.id}")

    return await once(user.id, create, check=lambda _: access.get(session, user, body.universe_id, "createMap"))


@router.get(
    "", response_model=MapPage, response_model_exclude_unset=True, responses=documented(NotFound, Unprocessable)
)
@hot(texts.LIST)
async def list_maps(
    query: pages.PageParameters,
    user: CurrentUser,
    session: Session,
    universe_id: Annotated[UUID | None, Query(description="Only maps of this universe.")] = None,
) -> Any:
    """List the maps that you may read as a member of their universes, without their grids."""
    return await queries.page(session, user, query, universe_id)


@router.get(
    "/{id}",
    response_model=MapRead,
    responses=documented(Forbidden, NotFound, Unprocessable, history.HistoryBroken, history.TooLongAgo),
)
@hot(texts.BY_ID)
async def read_map(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    _: IfNoneMatch = None,
    at_seq: Annotated[
        int | None, Query(ge=1, le=2**53 - 1, description="The state of the map after this event of its universe.")
    ] = None,
    as_id: AsMember = None,
) -> Response:
    """Read a map with its grid, as far as you may see it."""
    if at_seq is not None:
        if as_id is not None:
            message = "It is not known what members saw at that time: use either at_seq or as."
            raise Unprocessable(errors=[FieldError("as", "not_allowed", message)])
        return await history.read(request, session, computing, user, id, at_seq)
    return await documents.read(request, session, computing, user, id, as_id)


async def _change(
    request: Request,
    session: Session,
    operation: str,
    user: CurrentUser,
    id: UUID,
    if_match: str | None,
    fields: dict[str, Any],
) -> Response:
    async def change() -> Response:
        target_id: UUID | None = fields.pop("universe_id", None)
        found, target = await queries.get_to_move(session, user, id, operation, target_id)
        require_match(if_match, found.row)
        found = await changes.change(session, found, fields, target, request.scope["on_progress"])
        await session.flush()
        return await documents.changed(request, session, found)

    # A very large grid takes seconds.
    return await until_disconnected(request.receive, change())


@router.put("/{id}", response_model=MapRead, responses=_CHANGES)
async def replace_map(
    request: Request, id: UUID, body: MapReplace, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Replace a map. Fields that you leave out get their defaults."""
    fields = {
        "description": body.description,
        "visibility": body.visibility,
        "grid_data": body.grid_data,
        **_given(body),
    }
    return await _change(request, session, "replaceMap", user, id, if_match, await _checked(fields))


@router.patch("/{id}", response_model=MapRead, responses=_CHANGES)
async def update_map(
    request: Request, id: UUID, body: MapPatch, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Change the fields of a map that you send, and no others."""
    fields = await _checked(_given(body))
    return await _change(request, session, "updateMap", user, id, if_match, fields)


@router.delete("/{id}", status_code=204, responses=_CHANGES)
async def delete_map(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete a map."""
    found = await queries.get_to_change(session, user, id, "deleteMap")
    require_match(if_match, found.row)
    await changes.remove(session, found)
