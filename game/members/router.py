"""Endpoints of members and invitations."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from game.accounts.current import CurrentUser
from game.core.database import Session
from game.core.errors import Forbidden, NotFound, TooManyRequests, Unauthorized, Unprocessable, documented
from game.core.idempotency import IdempotencyKeyReused, Once
from game.core.limits import client_limits
from game.core.links import link
from game.core.pages import DEFAULT_LIMIT, MAX_LIMIT
from game.core.strict_json import StrictRoute
from game.members import queries
from game.members.models import (
    Accepted,
    Invitation,
    InvitationList,
    InvitationPreview,
    InvitationRead,
    InvitationWrite,
    MemberPage,
    MemberPatch,
    MemberRead,
)
from game.members.queries import OwnerStays, TooManyInvitations
from game.permissions import Role, may
from game.universes import access
from game.universes.models import MemberRole

members = APIRouter(
    prefix="/universes", tags=["Members"], route_class=StrictRoute, responses=documented(Unauthorized)
)
invitations = APIRouter(prefix="/invitations", tags=["Members"], route_class=StrictRoute)

Code = Annotated[str, Path(description="The code of an invitation.")]


@members.get("/{id}/members", response_model=MemberPage, responses=documented(NotFound, Unprocessable))
async def list_members(
    id: UUID,
    user: CurrentUser,
    session: Session,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Any:
    """List the members of a universe, in the order in which they joined."""
    await access.get(session, user, id, "listMembers")
    return await queries.page(session, id, limit, cursor)


@members.patch(
    "/{id}/members/{user_id}",
    response_model=MemberRead,
    responses=documented(Forbidden, NotFound, OwnerStays, Unprocessable),
)
async def update_member(id: UUID, user_id: UUID, body: MemberPatch, user: CurrentUser, session: Session) -> Any:
    """Change the role of a member. Only the owner may appoint and dismiss game masters."""
    locked = (await access.lock(session, user, {id: "updateMember"}))[id]
    if not body.role:
        return (await queries.get(session, locked, user_id))[1]
    return await queries.change_role(session, locked, user_id, Role(body.role))


@members.delete("/{id}/members/{user_id}", status_code=204, responses=documented(Forbidden, NotFound, OwnerStays))
async def remove_member(id: UUID, user_id: UUID, user: CurrentUser, session: Session) -> None:
    """Remove a member, or leave a universe. A removed member loses all access at once."""
    locked = (await access.lock(session, user, {id: "removeMember"}))[id]
    await queries.remove(session, locked, user_id)


def _read(request: Request, invitation: Invitation) -> InvitationRead:
    fields = {name: getattr(invitation, name) for name in InvitationRead.model_fields if name != "url"}
    return InvitationRead(**fields, url=link(request, f"/join/{invitation.code}"))


@members.post(
    "/{id}/invitations",
    status_code=201,
    response_model=InvitationRead,
    responses=documented(Forbidden, NotFound, TooManyInvitations, Unprocessable, IdempotencyKeyReused),
)
async def create_invitation(
    request: Request, id: UUID, body: InvitationWrite, user: CurrentUser, session: Session, once: Once
) -> Response:
    """Create a link that invites people to a universe. Only the owner may invite game masters."""

    async def create() -> Response:
        locked = (await access.lock(session, user, {id: "createInvitation"}))[id]
        shape = _read(request, await queries.invite(session, locked, body))
        return Response(shape.model_dump_json(), 201, media_type="application/json")

    return await once(user.id, create, check=lambda _: access.get(session, user, id, "createInvitation"))


@members.get("/{id}/invitations", response_model=InvitationList, responses=documented(Forbidden, NotFound))
async def list_invitations(request: Request, id: UUID, user: CurrentUser, session: Session) -> Any:
    """List the open invitations of a universe, newest first."""
    caller = await access.get(session, user, id, "listInvitations")
    found = await queries.invitations(session, id)
    if not may("appointGameMaster", caller.role):
        # The codes are secrets.
        found = [one for one in found if one.role != Role.game_master]
    return {"items": [_read(request, one) for one in found]}


@members.delete("/{id}/invitations/{invitation_id}", status_code=204, responses=documented(Forbidden, NotFound))
async def delete_invitation(id: UUID, invitation_id: UUID, user: CurrentUser, session: Session) -> None:
    """Withdraw an invitation. Members who joined with it remain."""
    locked = (await access.lock(session, user, {id: "deleteInvitation"}))[id]
    await queries.withdraw(session, locked, invitation_id)


@invitations.get("/{code}", response_model=InvitationPreview, responses=documented(NotFound, TooManyRequests))
async def read_invitation(request: Request, code: Code, session: Session) -> Any:
    """Read what an invitation is for. No account is needed."""
    async with _guess(request):
        return await queries.preview(session, code)


@invitations.post(
    "/{code}/accept",
    response_model=Accepted,
    responses=documented(Unauthorized, NotFound, TooManyRequests, IdempotencyKeyReused),
)
async def accept_invitation(
    request: Request, code: Code, user: CurrentUser, session: Session, once: Once
) -> Response:
    """Become a member with a code. Existing members keep their role. Who was removed needs a newer invitation."""

    async def accept() -> Response:
        async with _guess(request):
            member = await queries.accept(session, user, code)
        shape = Accepted(universe_id=member.universe_id, role=MemberRole(member.role))
        return Response(shape.model_dump_json(), media_type="application/json")

    async def check(first: Response) -> None:
        # The code may be used up, so the universe is taken from the response.
        accepted = Accepted.model_validate_json(bytes(first.body))
        await access.get(session, user, accepted.universe_id, "readUniverse")

    return await once(user.id, accept, check=check)


def _guess(request: Request) -> Any:
    """Count only invalid codes towards the client's limit."""
    state = request.app.state
    return state.limiter.guess(client_limits(request, "code", state.settings.limit_code))
