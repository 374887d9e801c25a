"""The endpoint of doors."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.strict_json import StrictRoute
from game.maps import queries as maps
from game.play import doors
from game.play.models import DoorChange, DoorResult
from game.universes.quotas import QuotaExceeded

router = APIRouter(prefix="/maps", tags=["Playing"], route_class=StrictRoute, responses=documented(Unauthorized))

DoorId = Annotated[str, Path(max_length=200, description="The `id` of a door in the map's `grid_data`.")]


@router.post(
    "/{id}/doors/{door_id}",
    response_model=DoorResult,
    responses=documented(Forbidden, NotFound, Unprocessable, IdempotencyKeyReused, QuotaExceeded),
)
async def set_door(
    id: UUID, door_id: DoorId, body: DoorChange, user: CurrentUser, session: Session, once: Once
) -> Response:
    """Open, close or lock a door.

    Players may open and close a door that is next to a token that they act for, unless it is locked or secret.
    """

    async def change() -> Response:
        found = await maps.get_to_change(session, user, id, "setDoor")
        once.depend_on_role(found.role)
        result = await doors.set_state(session, found, door_id, body.state)
        return Response(result.model_dump_json(exclude_unset=True), media_type="application/json")

    return await once(user.id, change, check=lambda _: maps.get(session, user, id, "setDoor", with_grid=False))
