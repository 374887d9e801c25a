"""Endpoints of characters."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from game.accounts.current import CurrentUser
from game.characters import queries
from game.characters.models import Amount, CharacterPage, CharacterPatch, CharacterRead, CharacterWrite
from game.characters.queries import NoHitPoints
from game.core import pages
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once, ResponseForAnotherRole
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, not_modified, require_tag
from game.universes import access
from game.universes.quotas import QuotaExceeded

router = APIRouter(tags=["Characters"], route_class=StrictRoute, responses=documented(Unauthorized))

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable)
_POINTS = documented(Forbidden, NotFound, NoHitPoints, Unprocessable, IdempotencyKeyReused, ResponseForAnotherRole)


@router.post(
    "/universes/{id}/characters",
    status_code=201,
    response_model=CharacterRead,
    responses=documented(
        Forbidden, NotFound, QuotaExceeded, Unprocessable, IdempotencyKeyReused, ResponseForAnotherRole
    ),
)
async def create_character(
    id: UUID, body: CharacterWrite, user: CurrentUser, session: Session, once: Once
) -> Response:
    """Create a character. A player who creates one may `act` for it."""
    fields = {**_defaults(body), **body.model_dump(exclude_unset=True)}

    async def create() -> Response:
        caller = (await access.lock(session, user, {id: "createCharacter"}))[id]
        found = await queries.create(session, caller, fields)
        once.depend_on_role(caller.role)
        return found.document().answer(201, Location=f"/characters/{found.row.id}")

    return await once(user.id, create, check=lambda _: access.get(session, user, id, "createCharacter"))


@router.get(
    "/universes/{id}/characters",
    response_model=CharacterPage,
    response_model_exclude_unset=True,
    responses=documented(NotFound, Unprocessable),
)
async def list_characters(
    id: UUID, query: pages.ConstantPageParameters, user: CurrentUser, session: Session
) -> Any:
    """List the characters of a universe that you may see, with the sheets that you may read."""
    return await queries.page(session, await access.get(session, user, id, "listCharacters"), query)


@router.get("/characters/{id}", response_model=CharacterRead, responses=documented(NotFound))
async def read_character(
    request: Request, id: UUID, user: CurrentUser, session: Session, _: IfNoneMatch = None
) -> Response:
    """Read a character, with the fields that you may see."""
    document = (await queries.get(session, user, id, "readCharacter")).document()
    return not_modified(request, document.tag) or document.answer()


@router.put("/characters/{id}", response_model=CharacterRead, responses=_CHANGES)
async def replace_character(
    id: UUID, body: CharacterWrite, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Replace a character. Fields that you leave out get their defaults, except those that players may not set."""
    found = await queries.get_to_change(session, user, id, "replaceCharacter")
    require_tag(if_match, found.document().tag)
    fields = body.model_dump(exclude_unset=True)
    if found.access.is_game_master:
        fields = {"grants": {}, "gm": None, **_defaults(body), **fields}
    else:
        fields = {"asset_id": None, "sheet": {}, **fields}
    return (await queries.change(session, found, fields)).document().answer()


@router.patch("/characters/{id}", response_model=CharacterRead, responses=_CHANGES)
async def update_character(
    id: UUID, body: CharacterPatch, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Change the fields of a character that you send, and no others. `sheet` is a merge patch (RFC 7396)."""
    found = await queries.get_to_change(session, user, id, "updateCharacter")
    require_tag(if_match, found.document().tag)
    fields = body.model_dump(exclude_unset=True)
    if "sheet" in fields:
        fields["sheet"] = queries.patched_sheet(found, fields["sheet"])
    return (await queries.change(session, found, fields)).document().answer()


@router.delete("/characters/{id}", status_code=204, responses=_CHANGES)
async def delete_character(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete a character. Its tokens remain, without a character."""
    found = await queries.get_to_change(session, user, id, "deleteCharacter")
    require_tag(if_match, found.document().tag)
    await queries.remove(session, found)


@router.post("/characters/{id}/damage", response_model=CharacterRead, responses=_POINTS)
async def damage_character(id: UUID, body: Amount, user: CurrentUser, session: Session, once: Once) -> Response:
    """Damage a character by the 5e rules: temporary hit points first, and never below 0."""

    async def damage() -> Response:
        found = await queries.get_to_change(session, user, id, "damageCharacter")
        once.depend_on_role(found.role)
        return (await queries.damage(session, found, body.amount)).document().answer()

    return await once(user.id, damage, check=lambda _: queries.get_to_act(session, user, id, "damageCharacter"))


@router.post("/characters/{id}/heal", response_model=CharacterRead, responses=_POINTS)
async def heal_character(id: UUID, body: Amount, user: CurrentUser, session: Session, once: Once) -> Response:
    """Heal a character, up to its maximum of hit points."""

    async def heal() -> Response:
        found = await queries.get_to_change(session, user, id, "healCharacter")
        once.depend_on_role(found.role)
        return (await queries.heal(session, found, body.amount)).document().answer()

    return await once(user.id, heal, check=lambda _: queries.get_to_act(session, user, id, "healCharacter"))


def _defaults(body: CharacterWrite) -> dict[str, Any]:
    """The defaults of fields that were left out, except those that only game masters may set."""
    return {"kind": body.kind, "asset_id": body.asset_id, "sheet": body.sheet}
