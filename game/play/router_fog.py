"""Endpoints of fog."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.strict_json import StrictRoute
from game.core.versions import IfNoneMatch, not_modified
from game.fog.models import FogArea, FogChanged, FogRead
from game.maps import queries as maps
from game.maps.models import AsMember
from game.play import fog

router = APIRouter(prefix="/maps", tags=["Fog"], route_class=StrictRoute, responses=documented(Unauthorized))

_DRAWN = documented(Forbidden, NotFound, Unprocessable, IdempotencyKeyReused)


@router.get("/{id}/fog", response_model=FogRead, responses=documented(Forbidden, NotFound, Unprocessable))
async def read_fog(
    request: Request, id: UUID, user: CurrentUser, session: Session, as_id: AsMember = None, _: IfNoneMatch = None
) -> Response:
    """Read which cells of a map you see now, and which you have seen."""
    document = await fog.read(session, user, id, as_id)
    return not_modified(request, document.tag) or document.answer()


@router.post("/{id}/fog/reveal", response_model=FogChanged, responses=_DRAWN)
async def reveal_fog(id: UUID, body: FogArea, user: CurrentUser, session: Session, once: Once) -> Response:
    """Reveal cells of a map to players, as if they had seen them."""

    async def draw() -> Response:
        return _answer(await fog.reveal(session, user, id, body))

    return await once(user.id, draw, check=lambda _: maps.get(session, user, id, "revealFog", with_grid=False))


@router.post("/{id}/fog/hide", response_model=FogChanged, responses=_DRAWN)
async def hide_fog(id: UUID, body: FogArea, user: CurrentUser, session: Session, once: Once) -> Response:
    """Make players forget cells of a map. Cells in sight stay visible."""

    async def draw() -> Response:
        return _answer(await fog.hide(session, user, id, body))

    return await once(user.id, draw, check=lambda _: maps.get(session, user, id, "hideFog", with_grid=False))


def _answer(seq: int) -> Response:
    return Response(FogChanged(seq=seq).model_dump_json(), media_type="application/json")
