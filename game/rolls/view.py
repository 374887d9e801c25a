"""What a member sees of a roll. All answers with rolls use this module."""

from typing import Any
from uuid import UUID

from game.dice.drawing import commitment
from game.permissions import GAME_MASTERS, Role
from game.rolls.models import Proof, Roll, RollRead, Visibility

_ALWAYS = ("id", "actor_id", "expression", "visibility", "reason", "character_id", "created_at")
_RESULT = ("total", "terms", "text")


def is_known(roll: Roll, user_id: UUID, role: Role) -> bool:
    """Whether a member may know that a roll was made."""
    if roll.visibility == Visibility.everyone or roll.actor_id == user_id:
        return True
    return role in GAME_MASTERS and roll.visibility != Visibility.me


def is_result_shown(roll: Roll, user_id: UUID, role: Role) -> bool:
    """Whether a member may know the result of a roll. The roller of a blind roll may not, unless they are a game
    master."""
    if roll.visibility == Visibility.blind:
        return role in GAME_MASTERS
    return is_known(roll, user_id, role)


def may_reveal(roll: Roll, user_id: UUID, role: Role) -> bool:
    """Whether the caller may show a roll to everyone: the roller, unless it is blind, and game masters."""
    return is_known(roll, user_id, role) and is_result_shown(roll, user_id, role)


def shown(roll: Roll, user_id: UUID | None, role: Role, *, with_character: bool = True) -> RollRead:
    """A roll in the API, for a user who may know of it; without a user, for everybody except the roller.

    `with_character`: whether they may know the character that it was for.
    """
    viewer = user_id or UUID(int=0)
    has_result = is_result_shown(roll, viewer, role)
    fields: dict[str, Any] = {name: getattr(roll, name) for name in _ALWAYS}
    fields |= {name: getattr(roll, name) if has_result else None for name in _RESULT}
    if not with_character:
        fields["character_id"] = None
    return RollRead(**fields, proof=_proof(roll, has_result, roll.actor_id == viewer))


def _proof(roll: Roll, has_result: bool, is_own: bool) -> Proof | None:
    if roll.key is None:
        return None
    return Proof(
        series="hidden" if roll.is_hidden else "everyone",
        number=roll.number if is_own or not roll.is_hidden else None,
        hash=commitment(roll.key),
        key=roll.key.hex() if has_result else None,
        nonce=roll.nonce,
    )
