"""Opening, closing and locking doors."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.errors import Forbidden, NotFound
from game.editing import work
from game.editing.opened import OpenMap
from game.grants import Right
from game.grid.scene import Scene
from game.grid.vision import footprint
from game.maps import fogged
from game.maps import queries as maps
from game.play.models import DoorResult
from game.tokens import queries as tokens


async def set_state(session: AsyncSession, found: maps.Found, door_id: str, state: str) -> DoorResult:
    """Open, close or lock a door of a locked map, as an edit of it.

    Players may open and close doors next to a token that they act for: in its cell, or in one beside it.

    Raises:
        NotFound: there is no such door that the user may know of.
        Forbidden: a player opens a door that is locked or secret, locks one, or is too far away.
    """
    opened = OpenMap(session, found.row)
    scene = Scene(opened.frame, opened.width, opened.height)
    door = scene.things["doors"].get(f"#{door_id}")
    if door is None:
        raise NotFound
    if not found.access.is_game_master:
        await _require_in_reach(session, found, scene, door, state)
    seq = await _edit(opened, found.access.user, door_id, state) if door.get("state", "closed") != state else None
    # Players must not see the number of events.
    return DoorResult(seq=seq) if found.access.is_game_master else DoorResult()


async def _edit(opened: OpenMap, user: User, door_id: str, state: str) -> int:
    edit = {"op": "update_door", "id": door_id, "changes": {"state": state}}
    stored = await opened.run(work.edit(opened.frame, opened.width, opened.height, [edit]))
    seq = await opened.record("map.edited", user, stored, {})
    await opened.store()
    return seq


async def _require_in_reach(
    session: AsyncSession, found: maps.Found, scene: Scene, door: Mapping[str, Any], state: str
) -> None:
    """Check that a player may do this to a door.

    Raises:
        NotFound: they may not know of it.
        Forbidden: they may not.
    """
    is_open = door.get("state") == "open"
    if door.get("hidden") or (door.get("secret") and not is_open):
        raise NotFound
    if not await _is_in_sight(session, found, door):
        raise NotFound
    if door.get("secret"):
        raise Forbidden("Only game masters may open and close a secret door.")
    if door.get("state") == "locked":
        raise Forbidden("The door is locked.")
    if state == "locked":
        raise Forbidden("Only game masters may lock doors.")
    for one in await tokens.of_map(session, found.access, found.row.id):
        if Right.act in one.rights:
            row = one.row
            cells = footprint(scene.grid.type, row.x, row.y, row.size, scene.width, scene.height)
            if scene.is_beside("doors", door, cells):
                return
    raise Forbidden("None of your tokens stands next to this door.")


async def _is_in_sight(session: AsyncSession, found: maps.Found, door: Mapping[str, Any]) -> bool:
    """Whether a player sees a door that is not hidden."""
    if not found.has_fog:
        return True
    view = (await fogged.view_of(session, found)).fogged
    return any(one.get("id") == door["id"] for one in view.doors(view.visible))
