"""Endpoints of universes as files."""

import asyncio
import gzip
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Annotated
from uuid import UUID

from fastapi import APIRouter, File, Request, Response, UploadFile
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from game.accounts.current import CurrentUser
from game.accounts.models import User
from game.core.compute import Computing, until_disconnected
from game.core.database import Session
from game.core.errors import BadRequest, NotFound, Unauthorized, documented
from game.core.fair_semaphore import FairSemaphore
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.settings import Settings
from game.core.strict_json import StrictRoute
from game.core.versions import created
from game.exchange import universe_export, universe_import
from game.exchange.bundle import BundleError, Limits, check_lists
from game.exchange.contents import Contents, prepare
from game.exchange.router import InvalidFile, attachment, refused
from game.universes import access, quotas
from game.universes import queries as universes
from game.universes.access import Access
from game.universes.models import UniverseRead
from game.universes.quotas import QuotaExceeded, Usage

router = APIRouter(
    prefix="/universes", tags=["Files"], route_class=StrictRoute, responses=documented(Unauthorized)
)

_CHUNK_BYTES = 256 * 1024
_slots = FairSemaphore(2, 1)
"""Limits concurrent exports and imports, because each holds a database connection for seconds."""


@asynccontextmanager
async def _time_limit(request: Request) -> AsyncIterator[Callable[[], None]]:
    """Limits the time of each step in the database; yields a function to call after each step."""
    seconds: float = request.app.state.settings.bundle_timeout
    now = asyncio.get_running_loop().time

    def on_progress() -> None:
        limit.reschedule(now() + seconds)
        request.scope["on_progress"](seconds)

    async with asyncio.timeout(seconds) as limit:
        on_progress()
        yield on_progress


@router.get(
    "/{id}/export",
    response_class=Response,
    responses={**documented(NotFound), 200: {"description": "The file.", "content": {"application/zip": {}}}},
)
async def export_universe(request: Request, id: UUID, user: CurrentUser, session: Session) -> Response:
    """Export a universe as one file: its maps, pictures and history."""
    caller = await access.get(session, user, id, "exportUniverse")
    await session.close()
    # Written to disk first, so that a slow client does not hold a connection and a snapshot of the database.
    file = TemporaryFile(prefix="worldkeep-")  # noqa: SIM115 - closed when it was sent
    try:
        await until_disconnected(request.receive, _export(request, caller, file))
    except BaseException:
        file.close()
        raise
    length = file.seek(0, 2)
    headers = {**attachment(caller.universe.name, "worldkeep.zip"), "Content-Length": str(length)}
    return StreamingResponse(_sent(file), media_type="application/zip", headers=headers)


async def _export(request: Request, caller: Access, file: IO[bytes]) -> None:
    async with _slots.slot(caller.user.id), _time_limit(request) as on_progress:
        seconds = request.app.state.settings.bundle_timeout
        await universe_export.export(request.app.state.database, caller, file, seconds, on_progress)


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while part := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield part


@router.post(
    "/import",
    status_code=201,
    response_model=UniverseRead,
    responses=documented(BadRequest, NotFound, QuotaExceeded, InvalidFile, IdempotencyKeyReused),
)
async def import_universe(
    request: Request,
    file: Annotated[UploadFile, File(description="The file of `exportUniverse`.")],
    user: CurrentUser,
    session: Session,
    computing: Computing,
    once: Once,
) -> Response:
    """Import a universe from a file, with new ids. You become its owner."""
    settings: Settings = request.app.state.settings
    await session.close()
    with TemporaryDirectory(prefix="worldkeep-") as folder:
        source, target = Path(folder, "bundle"), Path(folder, "records")
        digest = await asyncio.to_thread(_save, file.file, source)
        limits = Limits(
            settings.max_bundle_maps,
            settings.max_bundle_assets,
            settings.max_bundle_events,
            settings.max_bundle_unpacked,
        )
        try:
            # Reject an obviously invalid file before waiting for a slot.
            await asyncio.to_thread(check_lists, str(source), limits)
            contents = await computing.run(
                user.id, prepare, str(source), str(target), limits, seconds=settings.bundle_timeout
            )
        except BundleError as error:
            raise refused(error) from None

        async def store() -> Response:
            caller = await _store(session, user, contents, target, on_progress)
            return created(f"/universes/{caller.universe.id}", universes.read(caller))

        async with _slots.slot(user.id), _time_limit(request) as on_progress:
            storing = once(
                user.id,
                store,
                digest,
                check=lambda first: access.get_created(session, user, first.headers["location"]),
            )
            response = await until_disconnected(request.receive, storing)
    response.background = BackgroundTask(request.app.state.processing.wake)
    return response


def _save(source: IO[bytes], target: Path) -> bytes:
    """Copy a file, and return its digest."""
    with target.open("wb") as file:
        source.seek(0)
        shutil.copyfileobj(source, file, _CHUNK_BYTES)
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def _store(
    session: Session, user: User, contents: Contents, target: Path, on_progress: Callable[[], None]
) -> Access:
    caller = await universes.add(session, user, {"name": contents.name, "description": contents.description})
    await quotas.add_import(
        session, caller.universe, Usage(contents.asset_bytes, contents.map_bytes, contents.event_bytes)
    )
    with gzip.open(target) as records:
        await universe_import.store(session, caller.universe, records, on_progress)
    caller.universe.event_seq = contents.events
    caller.universe.active_map_id = UUID(contents.active_map_id) if contents.active_map_id else None
    await universes.record_import(session, caller)
    return caller
