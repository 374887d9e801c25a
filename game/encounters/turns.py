"""The order of turns. Pure: combatants are stored JSON objects, and are not changed here.

The rules:

- Higher initiative comes first; of equal ones the higher bonus, then the higher `tiebreak`, a roll made when the
  combatant was added. Combatants without an initiative come last. (System Reference Document 5.1, "The Order of
  Combat"; the rule for ties is ours.)
- The defeated take no turns, unless all are.
- `rounds` of an effect count down when a turn of its combatant begins; at 0 the effect ends.
- A combatant that is moved after others during its turn delays the turn: the next one begins. The same happens if
  the combatant is removed.
- Players see the last turn of a combatant that is visible to them, with its round. If the first turn is hidden, it
  is the first visible turn after it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Combatant: TypeAlias = Mapping[str, Any]
Effects: TypeAlias = list[dict[str, Any]]


class Turn(NamedTuple):
    """A round, and the id of the combatant whose turn it is; None if there is none."""

    round: int
    combatant: str | None


class Turns(NamedTuple):
    """The current turn, and the turn that players see."""

    now: Turn
    shown: Turn


class Step(NamedTuple):
    """The turns after a step; and, by combatant id, the remaining effects of the combatant whose turn begins, if
    they changed."""

    turns: Turns
    effects: dict[str, Effects]


def in_order(combatants: Sequence[Combatant]) -> list[Combatant]:
    """Combatants in the order of their turns."""
    return sorted(combatants, key=_sort_key, reverse=True)


def _sort_key(one: Combatant) -> tuple[Any, ...]:
    initiative = one["initiative"]
    rolled = (False, 0) if initiative is None else (True, initiative)
    return *rolled, one["initiative_bonus"], one["tiebreak"], one["id"]


def begin(combatants: Sequence[Combatant]) -> Step:
    """The first turn of the first round."""
    able = _able(in_order(combatants))
    visible = [one for one in able if not one["hidden"]]
    shown = Turn(1, visible[0]["id"] if visible else None)
    return _begin_turn(Turns(Turn(1, None), shown), able, able[0] if able else None, 1)


def advance(combatants: Sequence[Combatant], turns: Turns) -> Step:
    """The next turn. Takes at least one combatant."""
    order = in_order(combatants)
    at = _index(order, turns.now.combatant)
    next_one = _able(order[at + 1 :] + order[: at + 1])[0]
    return _begin_turn(turns, order, next_one, turns.now.round + (order.index(next_one) <= at))


def change_combatants(before: Sequence[Combatant], combatants: Sequence[Combatant], turns: Turns) -> Step:
    """The turn after combatants were changed, added or removed."""
    old, new = in_order(before), in_order(combatants)
    at, now = _index(old, turns.now.combatant), _index(new, turns.now.combatant)
    able_ids = {one["id"] for one in _able(new)}
    followers = [_index(new, one["id"]) for one in old[at + 1 :] if one["id"] in able_ids] if at >= 0 else []
    has_left = now < 0
    has_delayed = (
        not has_left and bool(followers) and followers[0] < now and _sort_key(new[now]) < _sort_key(old[at])
    )
    if not (has_left or has_delayed):
        return Step(Turns(turns.now, _shown(new, turns.now, turns.shown)), {})
    if followers:
        return _begin_turn(turns, new, new[followers[0]], turns.now.round)
    able = _able(new)
    return _begin_turn(turns, new, able[0] if able else None, turns.now.round + (at >= 0 and bool(able)))


def back(combatants: Sequence[Combatant], turns: Turns) -> Turns:
    """The turns for a stored turn, with the turn that players see now."""
    return Turns(turns.now, _shown(in_order(combatants), turns.now, turns.shown))


def _able(order: list[Combatant]) -> list[Combatant]:
    """The combatants that take turns."""
    return [one for one in order if not one["defeated"]] or order


def _index(order: list[Combatant], combatant_id: str | None) -> int:
    return next((at for at, one in enumerate(order) if one["id"] == combatant_id), -1)


def _begin_turn(turns: Turns, order: list[Combatant], next_one: Combatant | None, round: int) -> Step:
    """Make it the turn of a combatant; None for nobody."""
    now = Turn(round, next_one["id"] if next_one else None)
    return Step(Turns(now, _shown(order, now, turns.shown)), _counted_down(next_one) if next_one else {})


def _counted_down(one: Combatant) -> dict[str, Effects]:
    if all(effect.get("rounds") is None for effect in one["effects"]):
        return {}
    left = [
        effect if effect.get("rounds") is None else {**effect, "rounds": effect["rounds"] - 1}
        for effect in one["effects"]
    ]
    return {one["id"]: [effect for effect in left if effect.get("rounds") != 0]}


def _shown(order: list[Combatant], now: Turn, shown: Turn) -> Turn:
    """The turn that players see: the current one, unless its combatant is hidden."""
    visible = {one["id"] for one in order if not one["hidden"]}
    if now.combatant in visible:
        return now
    if shown.combatant in visible:
        return shown
    at = _index(order, now.combatant)
    before = [one["id"] for one in order[at:] + order[:at] if one["id"] in visible]
    return Turn(shown.round, before[-1] if before else None)
