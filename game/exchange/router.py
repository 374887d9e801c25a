"""Endpoints of exchange."""

import asyncio
import json
import re
from hashlib import sha256
from typing import Annotated, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response, UploadFile
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile as Upload

from game.accounts.current import CurrentUser
from game.core.compute import Computing, TooLarge
from game.core.database import Session
from game.core.errors import BadRequest, FieldError, Forbidden, NotFound, Unauthorized, Unprocessable, documented
from game.core.fair_semaphore import TooMuchAtOnce
from game.core.idempotency import IdempotencyKeyReused, Once, ResponseNotStored
from game.core.settings import Settings
from game.core.strict_json import StrictRoute
from game.exchange import queries
from game.exchange.bundle import BundleError
from game.exchange.map_files import ReadFile, read_file, write_file
from game.exchange.models import ImportRead
from game.grid import formats
from game.maps import queries as maps
from game.maps.loading import frame_of, loader
from game.universes import access

_MAX_WARNINGS_HEADER = 4000
_MAX_WARNING = 300


class InvalidFile(Unprocessable):
    """The file is broken, or its format is not supported."""

    code = "INVALID_FILE"


map_files = APIRouter(prefix="/maps", tags=["Files"], route_class=StrictRoute, responses=documented(Unauthorized))

_FILE = {"type": "string", "format": "binary"}
_IMPORT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": _FILE,
                            "description": "The map, and the tilesets and pictures that it refers to.",
                        },
                        "main": {
                            "type": "string",
                            "description": "Which of the files is the map, if it is unclear.",
                        },
                    },
                }
            },
            "application/json": {"schema": {"type": "object", "description": "The map's file itself."}},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}


async def _uploaded(request: Request) -> tuple[dict[str, bytes], str | None]:
    """The files of a request by name, and the name of the main one: a form with several files, or one file as the
    body."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return {"map": await request.body()}, None
    form = await request.form()
    uploads = [value for _, value in form.multi_items() if isinstance(value, UploadFile | Upload)]
    main = form.get("main")
    files = {upload.filename or f"file {number}": await upload.read() for number, upload in enumerate(uploads)}
    await form.close()
    return files, main if isinstance(main, str) else None


def _digest(files: dict[str, bytes]) -> bytes:
    """A digest that identifies an upload."""
    digest = sha256()
    for name in sorted(files):
        digest.update(b"%d %s\n" % (len(files[name]), name.encode()))
        digest.update(files[name])
    return digest.digest()


@map_files.post(
    "/import",
    status_code=201,
    response_model=ImportRead,
    openapi_extra=_IMPORT_BODY,
    responses={
        **documented(
            BadRequest,
            Forbidden,
            NotFound,
            InvalidFile,
            TooLarge,
            IdempotencyKeyReused,
            ResponseNotStored,
            TooMuchAtOnce,
        ),
        200: {"model": ImportRead, "description": "With `dry_run`: the content of the file."},
    },
)
async def import_map(
    request: Request,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    once: Once,
    universe_id: Annotated[UUID, Query(description="The universe into which the maps are imported.")],
    dry_run: Annotated[bool, Query(description="Only check the file, store nothing.")] = False,
) -> Response:
    """Import maps from another program: Tiled (TMX, TMJ), LDtk, Universal VTT, or plain text.

    The format is recognised by the content. Data without an equivalent in maps is preserved, and included in an
    export to the same format. Anything lost is reported as a warning.
    """
    await access.get(session, user, universe_id, "importMap")
    # No database connection is held while the file is received and read.
    await session.close()
    files, main = await _uploaded(request)
    if not any(files.values()):
        raise refused(formats.FormatError("file", "The request contains no file, or the file is empty."))
    try:
        seconds: float = request.app.state.settings.bundle_timeout
        file = await computing.run(user.id, read_file, files, main, seconds=seconds)
    except formats.FormatError as error:
        raise refused(error) from None
    if dry_run:
        return _import_answer(200, file, [])

    async def import_file() -> Response:
        caller = (await access.lock(session, user, {universe_id: "importMap"}))[universe_id]
        return _import_answer(
            201, file, await queries.put_maps(session, caller, file, request.scope["on_progress"])
        )

    digest = await asyncio.to_thread(_digest, files)
    response = await once(
        user.id, import_file, digest, check=lambda _: access.get(session, user, universe_id, "importMap")
    )
    response.background = BackgroundTask(request.app.state.processing.wake)
    return response


def _import_answer(status: int, file: ReadFile, texts: list[bytes]) -> Response:
    maps = [orjson.Fragment(text) for text in texts]
    body = {
        "format": file.format,
        "map": maps[0] if len(maps) == 1 else None,
        "maps": maps if len(maps) > 1 else None,
        "found": [one.found for one in file.maps],
        "warnings": [warning._asdict() for warning in file.warnings],
    }
    return Response(orjson.dumps(body), status, media_type="application/json")


@map_files.get(
    "/{id}/export",
    response_class=Response,
    responses={
        **documented(NotFound, InvalidFile, TooLarge, TooMuchAtOnce),
        200: {
            "description": "The file.",
            "content": {"*/*": {}},
            "headers": {
                "X-Warnings": {
                    "description": "What the format cannot express, as JSON: a list of objects with `code`, "
                    "`place` and `message`, as in the response of an import. If there are many, only the first.",
                    "schema": {"type": "string", "contentMediaType": "application/json"},
                },
            },
        },
    },
)
async def export_map(
    request: Request,
    id: UUID,
    user: CurrentUser,
    session: Session,
    computing: Computing,
    format: Annotated[
        Literal["tiled", "tmj", "ldtk", "uvtt", "text"],
        Query(description="`tiled` is TMX, `tmj` is Tiled's JSON."),
    ],
) -> Response:
    """Export a map as a file of another program."""
    found = await maps.get(session, user, id, "exportMap")
    stored = await frame_of(session, found)
    settings: Settings = request.app.state.settings
    pictures = await queries.pictures_of(session, found, stored.text, format, settings.max_import_size)
    await session.close()
    load = loader(session, found.row)
    try:
        arguments = stored, found.row.name, format, pictures
        exported = await computing.run(user.id, write_file, *arguments, load=load, seconds=settings.bundle_timeout)
    except formats.FormatError as error:
        raise refused(error) from None
    stem, _, extension = exported.filename.rpartition(".")
    headers = attachment(stem, extension)
    if exported.warnings:
        headers["X-Warnings"] = _short(exported.warnings)
    return Response(exported.content, headers=headers, media_type=exported.media_type)


def _short(warnings: list[formats.FormatWarning]) -> str:
    """As many warnings as fit into a header, as JSON."""
    parts: list[str] = []
    room = _MAX_WARNINGS_HEADER
    for warning in warnings:
        # Only ASCII, with JSON escapes.
        part = json.dumps({**warning._asdict(), "message": warning.message[:_MAX_WARNING]})
        room -= len(part) + 1
        if room < 0:
            break
        parts.append(part)
    return f"[{','.join(parts)}]"


def refused(error: BundleError | formats.FormatError) -> InvalidFile:
    """The problem for an invalid file."""
    return InvalidFile(errors=[FieldError(error.place[:300] or "file", "invalid_file", error.message[:300])])


def attachment(name: str, extension: str) -> dict[str, str]:
    """The Content-Disposition header of a download, with a name in ASCII."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "worldkeep"
    return {"Content-Disposition": f'attachment; filename="{slug}.{extension}"'}
