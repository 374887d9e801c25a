"""Endpoints of notes."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from game.accounts.current import CurrentUser
from game.core import pages
from game.core.compute import Computing
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Unprocessable, documented
from game.core.fair_semaphore import TooMuchAtOnce
from game.core.idempotency import IdempotencyKeyReused, Once, ResponseForAnotherRole
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, not_modified, require_tag
from game.notes import queries
from game.notes.markdown import as_html
from game.notes.models import NoteHtml, NotePage, NotePatch, NoteRead, NoteWrite
from game.universes import access
from game.universes.quotas import QuotaExceeded

router = APIRouter(tags=["Notes"], route_class=StrictRoute, responses=documented(Unauthorized))

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable)
_LONG = 2_000
"""The length of Markdown, in characters, from which it is rendered in a compute process."""


@router.post(
    "/universes/{id}/notes",
    status_code=201,
    response_model=NoteRead,
    responses=documented(
        Forbidden, NotFound, QuotaExceeded, Unprocessable, IdempotencyKeyReused, ResponseForAnotherRole
    ),
)
async def create_note(id: UUID, body: NoteWrite, user: CurrentUser, session: Session, once: Once) -> Response:
    """Create a note. A player who creates one may `act` on it, and can set its `grants`."""

    async def create() -> Response:
        caller = (await access.lock(session, user, {id: "createNote"}))[id]
        found = await queries.create(session, caller, body.model_dump())
        once.depend_on_role(caller.role)
        return found.document().answer(201, Location=f"/notes/{found.row.id}")

    return await once(user.id, create, check=lambda _: access.get(session, user, id, "createNote"))


@router.get(
    "/universes/{id}/notes",
    response_model=NotePage,
    response_model_exclude_unset=True,
    responses=documented(NotFound, Unprocessable),
)
async def list_notes(id: UUID, query: pages.ConstantPageParameters, user: CurrentUser, session: Session) -> Any:
    """List the notes of a universe that you may read, without their texts.

    `q` finds notes with all of its words in the title or the text. A word of three or more characters also finds
    words that begin with it. `sort=name` orders by title.
    """
    return await queries.page(session, await access.get(session, user, id, "listNotes"), query)


@router.get("/notes/{id}", response_model=NoteHtml, responses=documented(NotFound, TooMuchAtOnce))
async def read_note(
    request: Request, id: UUID, user: CurrentUser, session: Session, computing: Computing, _: IfNoneMatch = None
) -> Response:
    """Read a note, with its Markdown and the rendered, safe HTML."""
    found = await queries.get(session, user, id, "readNote")
    if unchanged := not_modified(request, found.document().tag):
        return unchanged
    await session.close()
    body = found.row.body
    html = as_html(body) if len(body) < _LONG else await computing.run(user.id, as_html, body)
    return found.document(html).answer()


@router.put("/notes/{id}", response_model=NoteRead, responses=_CHANGES)
async def replace_note(
    id: UUID, body: NoteWrite, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Replace a note. Fields that you leave out get their defaults, except those that players may not set."""
    found = await _to_change(session, "replaceNote", user, id, if_match)
    fields = body.model_dump()
    if not found.access.is_game_master and "grants" not in body.model_fields_set:
        del fields["grants"]
    return (await queries.change(session, found, fields)).document().answer()


@router.patch("/notes/{id}", response_model=NoteRead, responses=_CHANGES)
async def update_note(
    id: UUID, body: NotePatch, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Change the fields of a note that you send, and no others."""
    found = await _to_change(session, "updateNote", user, id, if_match)
    return (await queries.change(session, found, body.model_dump(exclude_unset=True))).document().answer()


@router.delete("/notes/{id}", status_code=204, responses=_CHANGES)
async def delete_note(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete a note. Players may delete only notes that they wrote."""
    await queries.remove(session, await _to_change(session, "deleteNote", user, id, if_match))


async def _to_change(
    session: Session, operation: str, user: CurrentUser, id: UUID, if_match: str | None
) -> queries.Found:
    """A note in a locked universe that the user may change; If-Match must name its current version."""
    found = await queries.get_to_change(session, user, id, operation)
    require_tag(if_match, found.document().tag)
    return found
