"""Who receives the event of a change of a token, and which part of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from game.grants import Right
from game.grid.changes import same
from game.permissions import Role
from game.tokens.positions import MapRow
from game.tokens.queries import OPEN, SHEET, Found, public_bars, rights_of

_SHARED_FIELDS = (*OPEN, "cells")
"""Fields in events for members who see the token; of its bars, only the public ones."""


class State(NamedTuple):
    """The state that determines who sees a token, and what of it."""

    hidden: bool
    grants: Mapping[str, list[str]]
    character_grants: Mapping[str, list[str]]
    bars: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, found: Found) -> "State":
        """The current state of a token."""
        row = found.row
        return cls(row.hidden, row.grants, found.character_grants, row.bars)


class Shared(NamedTuple):
    """The part of an event's payload for members other than game masters, and its recipients (None: all
    members)."""

    payload: dict[str, Any] | None = None
    audience: list[UUID] | None = None


def shared_part(
    map_row: MapRow,
    payload: Mapping[str, Any],
    old: State | None,
    new: State | None,
    readers: Sequence[tuple[UUID, Role]] | None = None,
) -> Shared | None:
    """What members other than game masters receive of a change between two states; None: the token did not exist.

    The recipients see the token before and after the change: a token that appears or disappears without being
    created or deleted is not an event for them. On a map with fog, there are no recipients. `readers` are the
    members who are not game masters; returns None if they are needed.
    """
    if not map_row.is_published or map_row.fog != "off":
        return Shared()
    states = [state for state in (old, new) if state]
    visible = {name: payload[name] for name in _SHARED_FIELDS if name in payload}
    private = {name: payload[name] for name in SHEET if name in payload}
    if "bars" in payload and new:
        public = public_bars(new.bars)
        if old is None or not same(public, public_bars(old.bars)):
            visible["bars"] = public
        else:
            private["bars"] = payload["bars"]
        (visible if "bars" in visible else private).update(
            {name: payload[name] for name in ("bar", "amount") if name in payload}
        )
    is_for_all = bool(visible) or len(states) < 2
    if is_for_all and not any(state.hidden for state in states):
        return Shared({"map_id": map_row.id, **visible})
    if readers is None:
        return None
    audience = []
    for user_id, role in readers:
        rights = [rights_of(state.grants, state.character_grants, user_id, role) for state in states]
        if any(state.hidden and Right.see not in one for state, one in zip(states, rights, strict=True)):
            continue
        if is_for_all or len({*rights}) > 1 or (private and Right.sheet in rights[-1]):
            audience.append(user_id)
    if not audience:
        return Shared()
    if private and not is_for_all and _same_rights(states):
        visible = private
    return Shared({"map_id": map_row.id, **visible}, audience)


def _same_rights(states: Sequence[State]) -> bool:
    old, new = states
    return same(old.grants, new.grants) and same(old.character_grants, new.character_grants)
