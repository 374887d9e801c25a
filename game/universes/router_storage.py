"""The endpoint for an account's storage usage."""

from fastapi import APIRouter, Request
from sqlmodel import Field

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import Unauthorized, documented
from game.core.models import ApiModel
from game.core.strict_json import StrictRoute
from game.universes import quotas
from game.universes.quotas import Quotas

router = APIRouter(prefix="/users", tags=["Users"], route_class=StrictRoute, responses=documented(Unauthorized))


class StorageRead(ApiModel):
    """The number of bytes stored, and the quota."""

    used: int
    limit: int


class AccountStorage(ApiModel):
    """What the universes of an account store in total, and their quotas."""

    assets: StorageRead = Field(description="Pictures, including their smaller versions.")
    maps: StorageRead = Field(description="Maps. An upper bound, corrected regularly by measuring.")
    events: StorageRead = Field(description="The history.")


@router.get("/me/storage", response_model=AccountStorage)
async def read_storage(request: Request, user: CurrentUser, session: Session) -> AccountStorage:
    """Read how many bytes your universes store."""
    allowed: Quotas = request.app.state.quotas
    used = await quotas.usage_of_account(session, user.id)
    return AccountStorage(
        assets=StorageRead(used=used.assets, limit=allowed.account.assets),
        maps=StorageRead(used=used.maps, limit=allowed.account.maps),
        events=StorageRead(used=used.events, limit=allowed.account.events),
    )
