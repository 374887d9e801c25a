"""Endpoints of tokens."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once, ResponseForAnotherRole
from game.core.strict_json import StrictRoute
from game.core.versions import IfMatch, IfNoneMatch, not_modified, require_tag
from game.maps import queries as maps
from game.maps.models import AsMember
from game.play import tokens
from game.tokens.changes import NoBar, TooManyTokens, change_bar
from game.tokens.models import BarAmount, TokenCreate, TokenList, TokenPatch, TokenRead
from game.tokens.queries import as_json
from game.universes.quotas import QuotaExceeded

router = APIRouter(tags=["Tokens"], route_class=StrictRoute, responses=documented(Unauthorized))

_CHANGES = documented(Forbidden, NotFound, PreconditionFailed, Unprocessable, QuotaExceeded)
_POINTS = documented(
    Forbidden, NotFound, NoBar, Unprocessable, IdempotencyKeyReused, ResponseForAnotherRole, QuotaExceeded
)


@router.post(
    "/maps/{id}/tokens",
    status_code=201,
    response_model=TokenRead,
    responses=documented(Forbidden, NotFound, TooManyTokens, Unprocessable, IdempotencyKeyReused, QuotaExceeded),
)
async def create_token(id: UUID, body: TokenCreate, user: CurrentUser, session: Session, once: Once) -> Response:
    """Create a token on a map."""

    async def create() -> Response:
        found = await tokens.create(session, user, id, body.model_dump())
        return found.document().answer(201, Location=f"/tokens/{found.row.id}")

    return await once(user.id, create, check=lambda _: maps.get(session, user, id, "createToken", with_grid=False))


@router.get(
    "/maps/{id}/tokens", response_model=TokenList, responses=documented(Forbidden, NotFound, Unprocessable)
)
async def list_tokens(id: UUID, user: CurrentUser, session: Session, as_id: AsMember = None) -> Response:
    """List the tokens on a map that you may see."""
    items = [one.read() for one in await tokens.on_map(session, user, id, "listTokens", as_id)]
    return Response(as_json({"items": items}), media_type="application/json")


@router.get("/tokens/{id}", response_model=TokenRead, responses=documented(NotFound))
async def read_token(
    request: Request, id: UUID, user: CurrentUser, session: Session, _: IfNoneMatch = None
) -> Response:
    """Read a token, with the fields that you may see."""
    document = (await tokens.get(session, user, id, "readToken")).found.document()
    return not_modified(request, document.tag) or document.answer()


@router.patch("/tokens/{id}", response_model=TokenRead, responses=_CHANGES)
async def update_token(
    id: UUID, body: TokenPatch, user: CurrentUser, session: Session, if_match: IfMatch
) -> Response:
    """Change the fields of a token that you send, and no others."""
    piece = await tokens.get_to_change(session, user, id, "updateToken")
    require_tag(if_match, piece.found.document().tag)
    # Each field is replaced as a whole.
    fields = body.model_dump(include=body.model_fields_set)
    return (await tokens.change(session, piece, fields)).document().answer()


@router.delete("/tokens/{id}", status_code=204, responses=_CHANGES)
async def delete_token(id: UUID, user: CurrentUser, session: Session, if_match: IfMatch) -> None:
    """Delete a token. Its character remains."""
    piece = await tokens.get_to_change(session, user, id, "deleteToken")
    require_tag(if_match, piece.found.document().tag)
    await tokens.remove(session, piece)


@router.post("/tokens/{id}/damage", response_model=TokenRead, responses=_POINTS)
async def damage_token(id: UUID, body: BarAmount, user: CurrentUser, session: Session, once: Once) -> Response:
    """Decrease a bar of a token, at least to 0."""

    async def damage() -> Response:
        piece = await tokens.get_to_change(session, user, id, "damageToken")
        once.depend_on_role(piece.role)
        found = await change_bar(session, *piece, body.bar, body.amount, "damaged")
        return found.document().answer()

    return await once(user.id, damage, check=lambda _: tokens.get_to_act(session, user, id, "damageToken"))


@router.post("/tokens/{id}/heal", response_model=TokenRead, responses=_POINTS)
async def heal_token(id: UUID, body: BarAmount, user: CurrentUser, session: Session, once: Once) -> Response:
    """Increase a bar of a token, up to its maximum."""

    async def heal() -> Response:
        piece = await tokens.get_to_change(session, user, id, "healToken")
        once.depend_on_role(piece.role)
        found = await change_bar(session, *piece, body.bar, body.amount, "healed")
        return found.document().answer()

    return await once(user.id, heal, check=lambda _: tokens.get_to_act(session, user, id, "healToken"))
