"""The members of a universe: their roles, removing them, inviting people, transferring the universe."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID, uuid4

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from admin import api
from admin.scope import person
from admin.views.base import link
from game.core.errors import NotFound, Problem
from game.permissions import Role, may

if TYPE_CHECKING:
    from admin.site import Site

_PAGE_SIZE = 100
_DAY = 86_400
_LIFETIMES: Final = (("1 day", _DAY), ("1 week", 7 * _DAY), ("30 days", 30 * _DAY), ("90 days", 90 * _DAY))
_GIVEN: Final = (Role.player, Role.spectator, Role.game_master)
"""The roles that can be given; ownership is transferred instead."""


class Shown(NamedTuple):
    """A member, and the actions that the page offers."""

    user_id: UUID
    display_name: str
    role: Role
    created_at: str
    roles: tuple[Role, ...]
    """The roles that they can be given; empty if their role cannot be changed."""
    can_remove: bool
    can_own: bool

    @property
    def is_me(self) -> bool:
        """Whether this is the user of the page."""
        return self.user_id == person().id


async def show_members(site: "Site", request: Request, problem: Problem | None = None) -> Response:
    """The members and invitations of a universe, with the actions that the user may take."""
    row = await site.view("universe").row(request.path_params["pk"])
    path = f"/universes/{row.id}"
    # A superuser who plays in this universe is a player to the API.
    role = Role((await api.call(request, "GET", path)).json()["role"])
    cursor = request.query_params.get("cursor")
    query = {"limit": _PAGE_SIZE, **({"cursor": cursor} if cursor else {})}
    page = (await api.call(request, "GET", f"{path}/members", query=query)).json()
    can_invite = may("createInvitation", role)
    invitations = (await api.call(request, "GET", f"{path}/invitations")).json()["items"] if can_invite else []
    context = {
        "row": row,
        "members": [_shown(member, role) for member in page["items"]],
        "next_cursor": page["next_cursor"],
        "invitations": invitations,
        "can_invite": can_invite,
        "given": _given(role),
        "lifetimes": _LIFETIMES,
        "key": uuid4(),
        "here": "universe",
        "title": "Members",
    }
    return await site.show(request, "members", context, problem)


def _given(role: Role) -> tuple[Role, ...]:
    """The roles that a member with a role may give."""
    return tuple(one for one in _GIVEN if one is not Role.game_master or may("appointGameMaster", role))


def _shown(member: Mapping[str, Any], mine: Role) -> Shown:
    user_id, role = UUID(member["user_id"]), Role(member["role"])
    is_owner = role is Role.owner
    may_touch = not is_owner and (role is not Role.game_master or may("appointGameMaster", mine))
    return Shown(
        user_id=user_id,
        display_name=member["display_name"],
        role=role,
        created_at=member["created_at"],
        roles=_given(mine) if may_touch and may("updateMember", mine) else (),
        can_remove=not is_owner and (user_id == person().id or (may_touch and may("removeOtherMember", mine))),
        can_own=not is_owner and may("transferUniverse", mine),
    )


async def change_members(site: "Site", request: Request) -> Response:
    """Carry out the action of a button, by the operation of the API."""
    row = await site.view("universe").row(request.path_params["pk"])
    form = {name: str(value) for name, value in (await site.form_data(request)).items()}
    try:
        done = await _DO[form["do"]](request, f"/universes/{row.id}", form)
    except (KeyError, ValueError):
        raise NotFound from None
    except Problem as problem:
        return await show_members(site, request, problem)
    if done == "left":
        return RedirectResponse(link("universe", "list", done=done), 303)
    return RedirectResponse(link("universe", "members", row.id, done=done), 303)


Form = Mapping[str, str]


async def _change_role(request: Request, universe: str, form: Form) -> str:
    path = f"{universe}/members/{UUID(form['user_id'])}"
    await api.call(request, "PATCH", path, json={"role": form["role"]})
    return "role"


async def _remove(request: Request, universe: str, form: Form) -> str:
    user_id = UUID(form["user_id"])
    await api.call(request, "DELETE", f"{universe}/members/{user_id}")
    return "left" if user_id == person().id and not person().is_superuser else "removed"


async def _hand_over(request: Request, universe: str, form: Form) -> str:
    await api.call(request, "POST", f"{universe}/owner", json={"user_id": form["user_id"]})
    return "handed_over"


async def _invite(request: Request, universe: str, form: Form) -> str:
    body = {
        "role": form["role"],
        "expires_in": _number(form["expires_in"]),
        "max_uses": _number(form["max_uses"]) if form["max_uses"] else None,
    }
    headers = {"Idempotency-Key": form["key"]}
    await api.call(request, "POST", f"{universe}/invitations", json=body, headers=headers)
    return "invited"


def _number(text: str) -> int | str:
    """The number in a field; other text is passed on unchanged, so that the API reports the error."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


async def _withdraw(request: Request, universe: str, form: Form) -> str:
    await api.call(request, "DELETE", f"{universe}/invitations/{UUID(form['invitation_id'])}")
    return "withdrawn"


_DO: Final = {
    "role": _change_role,
    "remove": _remove,
    "hand_over": _hand_over,
    "invite": _invite,
    "withdraw": _withdraw,
}
"""By the value of the button."""
