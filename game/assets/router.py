"""Endpoints of assets."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from starlette.background import BackgroundTask

from game.accounts.current import CurrentUser
from game.assets import queries
from game.assets.models import AssetPage, AssetRead, Variant
from game.assets.pictures import PictureError, inspect
from game.assets.scaling import BACKGROUND_SIDE, THUMBNAIL_SIDE
from game.core import pages
from game.core.database import Session
from game.core.errors import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    Unauthorized,
    Unprocessable,
    documented,
)
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.models import MAX_NAME
from game.core.strict_json import StrictRoute
from game.universes import access
from game.universes.quotas import QuotaExceeded

router = APIRouter(tags=["Assets"], route_class=StrictRoute, responses=documented(Unauthorized))


class InvalidPicture(Unprocessable):
    """The file is not a picture in a supported format."""

    code = "INVALID_PICTURE"


class PictureNotReady(Conflict):
    """This smaller version does not exist, or is not ready yet: see the picture's `state`."""

    code = "PICTURE_NOT_READY"


@router.post(
    "/universes/{id}/assets",
    status_code=201,
    response_model=AssetRead,
    responses=documented(BadRequest, Forbidden, NotFound, QuotaExceeded, InvalidPicture, IdempotencyKeyReused),
)
async def create_asset(
    request: Request,
    id: UUID,
    file: Annotated[UploadFile, File(description="A PNG, JPEG or WebP picture.")],
    user: CurrentUser,
    session: Session,
    once: Once,
) -> Response:
    """Upload a picture for the maps of a universe."""
    await access.get(session, user, id, "createAsset")
    data = await file.read()
    try:
        picture = await asyncio.to_thread(inspect, data)
    except PictureError as error:
        raise InvalidPicture(errors=[FieldError("file", "invalid_picture", str(error))]) from None

    async def create() -> Response:
        caller = (await access.lock(session, user, {id: "createAsset"}))[id]
        shape = (await queries.create(session, caller, _name(file), picture, data)).read()
        return Response(shape.model_dump_json(), 201, {"Location": shape.url}, media_type="application/json")

    content = _name(file).encode(), data
    response = await once(user.id, create, *content, check=lambda _: access.get(session, user, id, "createAsset"))
    response.background = BackgroundTask(request.app.state.processing.wake)
    return response


def _name(file: UploadFile) -> str:
    """The last part of the file's name, as plain text."""
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in name if character.isprintable())[:MAX_NAME] or "picture"


@router.get("/universes/{id}/assets", response_model=AssetPage, responses=documented(NotFound, Unprocessable))
async def list_assets(id: UUID, query: pages.ConstantPageParameters, user: CurrentUser, session: Session) -> Any:
    """List the pictures of a universe."""
    caller = await access.get(session, user, id, "listAssets")
    return await queries.page(session, caller.universe, query)


@router.get(
    "/assets/{id}",
    response_class=Response,
    responses={
        **documented(NotFound, PictureNotReady, Unprocessable),
        200: {"description": "The picture.", "content": {"image/png": {}, "image/jpeg": {}, "image/webp": {}}},
    },
)
async def read_asset(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    size: Annotated[
        Variant,
        Query(
            description=f"`original`: as it was uploaded; `background`: at most {BACKGROUND_SIDE} pixels a side; "
            f"`thumbnail`: at most {THUMBNAIL_SIDE}."
        ),
    ] = Variant.original,
) -> Response:
    """Get a picture, or a smaller version of it. It never changes, so clients may cache it."""
    stored, caller = await queries.get(session, user, id, "readAsset")
    # Players may lose access to a picture, so they must revalidate each time.
    kept = "private, max-age=31536000, immutable" if caller.is_game_master else "private, no-cache"
    tag = f'"{id}"' if size is Variant.original else f'"{id}-{size}"'
    headers = {"ETag": tag, "Cache-Control": kept}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    file = await queries.file(session, stored.asset, size)
    if file is None:
        raise PictureNotReady(state=stored.picture.state)
    return Response(file.data, headers=headers, media_type=file.media_type)


@router.delete("/assets/{id}", status_code=204, responses=documented(Forbidden, NotFound))
async def delete_asset(id: UUID, user: CurrentUser, session: Session) -> None:
    """Delete a picture. Maps that use it as background lose their background."""
    universe_id = (await queries.get(session, user, id, "deleteAsset")).access.universe.id
    await access.lock(session, user, {universe_id: "deleteAsset"})
    # Read again under the lock, because it may have been deleted meanwhile.
    stored, caller = await queries.get(session, user, id, "deleteAsset")
    await queries.remove(session, caller, stored)
