"""Endpoints of assets."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Request, Response, UploadFile

from game.accounts.current import CurrentUser
from game.assets import queries
from game.assets.models import AssetPage, AssetRead
from game.assets.pictures import PictureError, inspect
from game.core import pages
from game.core.database import Session
from game.core.errors import FieldError, Forbidden, NotFound, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.models import MAX_NAME
from game.core.strict_json import StrictRoute
from game.universes import access

router = APIRouter(tags=["Assets"], route_class=StrictRoute, responses=documented(Unauthorized))


class InvalidPicture(Unprocessable):
    """The file is not a picture that this server takes."""

    code = "INVALID_PICTURE"


@router.post(
    "/universes/{id}/assets",
    status_code=201,
    response_model=AssetRead,
    responses=documented(Forbidden, NotFound, InvalidPicture, IdempotencyKeyReused),
)
async def create_asset(
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
        home = (await access.lock(session, user, {id: "createAsset"}))[id]
        asset = await queries.create(session, home, _name(file), picture, data)
        shape = AssetRead.of(asset)
        return Response(shape.model_dump_json(), 201, {"Location": shape.url}, media_type="application/json")

    return await once(user.id, create, _name(file).encode(), data)


def _name(file: UploadFile) -> str:
    """The last part of the name that the file had, as plain text."""
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in name if character.isprintable())[:MAX_NAME] or "picture"


@router.get("/universes/{id}/assets", response_model=AssetPage, responses=documented(NotFound, Unprocessable))
async def list_assets(id: UUID, query: pages.PageParameters, user: CurrentUser, session: Session) -> Any:
    """List the pictures of a universe."""
    home = await access.get(session, user, id, "listAssets")
    page = await queries.page(session, home.universe, query)
    return {**page, "items": [AssetRead.of(asset) for asset in page["items"]]}


@router.get(
    "/assets/{id}",
    response_class=Response,
    responses={
        **documented(NotFound),
        200: {"description": "The picture.", "content": {"image/png": {}, "image/jpeg": {}, "image/webp": {}}},
    },
)
async def read_asset(request: Request, id: UUID, user: CurrentUser, session: Session) -> Response:
    """Get a picture. It never changes, so a client may keep it."""
    asset, home = await queries.get(session, user, id, "readAsset")
    # To players a picture may be gone tomorrow: they have to ask each time.
    kept = "private, max-age=31536000, immutable" if home.is_game_master else "private, no-cache"
    headers = {"ETag": f'"{asset.id}"', "Cache-Control": kept}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(asset.data, headers=headers, media_type=asset.media_type)


@router.delete("/assets/{id}", status_code=204, responses=documented(Forbidden, NotFound))
async def delete_asset(id: UUID, user: CurrentUser, session: Session) -> None:
    """Delete a picture. Maps that show it as their background go without."""
    asset, home = await queries.get(session, user, id, "deleteAsset")
    await access.lock(session, user, {home.universe.id: "deleteAsset"})
    await queries.remove(session, user, asset)
