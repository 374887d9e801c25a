"""The SQL of encounters, and what each member sees of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Text, cast, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.core import pages
from game.core.errors import Conflict, FieldError, NotFound, Unprocessable
from game.core.tags import players_tag
from game.core.versions import Tagged
from game.encounters import combatants, turns
from game.encounters.models import (
    CombatantRead,
    Encounter,
    EncounterRead,
    EncounterTurn,
    State,
)
from game.encounters.turns import Step, Turn, Turns
from game.events import queries as events
from game.grid.changes import same
from game.maps.models import Map
from game.rolls import queries as rolls
from game.rolls.models import Visibility as RollVisibility
from game.universes import access, quotas
from game.universes.access import Access
from game.universes.quotas import Usage

_ROLLED_APART = 20
"""The maximum number of combatants whose initiatives are separate rolls."""
_STORED = ("name", "map_id", "state", "round", "turn", "combatants", "gm")


class NoCombatants(Conflict):
    """This encounter has no combatants."""

    code = "NO_COMBATANTS"


class NotRunning(Conflict):
    """This encounter is not running. Start it first."""

    code = "NOT_RUNNING"


class AlreadyRunning(Conflict):
    """This encounter is already running."""

    code = "ALREADY_RUNNING"


class FirstTurn(Conflict):
    """This is the first turn. There is no previous one."""

    code = "FIRST_TURN"


@dataclass(frozen=True, slots=True)
class Found:
    """An encounter, the caller's access to its universe, and the referenced objects that they see."""

    row: Encounter
    access: Access
    seen: combatants.Seen

    def read(self) -> EncounterRead:
        """The encounter as the caller may see it."""
        row, is_game_master = self.row, self.access.is_game_master
        fields = {name: getattr(row, name) for name in EncounterRead.model_fields}
        if row.map_id not in self.seen.map_ids:
            fields["map_id"] = None
        shown = combatants.for_game_masters if is_game_master else self.seen.for_players
        listed = map(shown, turns.in_order(row.combatants))
        fields["combatants"] = [CombatantRead(**one) for one in listed if one is not None]
        if not is_game_master:
            fields |= {"round": row.shown_round, "turn": row.shown_turn}
            fields = {name: value for name, value in fields.items() if name not in ("gm", "version", "updated_at")}
        return EncounterRead(**fields)

    def document(self) -> Tagged:
        """The result of `read` as JSON, with its tag."""
        body = self.read().model_dump_json(exclude_unset=True).encode()
        if self.access.is_game_master:
            return Tagged(body, self.row.version)
        return Tagged(body, players_tag(self.row.etag_key, body))


async def _found(session: AsyncSession, caller: Access, rows: list[Encounter]) -> list[Found]:
    """Encounters of a universe, each with the referenced objects that the caller sees."""
    listed = [one for row in rows for one in row.combatants]
    seen = await combatants.seen(session, caller, {row.map_id for row in rows if row.map_id}, listed)
    return [Found(row, caller, seen) for row in rows]


async def get(session: AsyncSession, user: User, encounter_id: UUID, operation: str) -> Found:
    """An encounter that the user may see.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation in its universe.
    """
    row = (await session.execute(select(Encounter).where(col(Encounter.id) == encounter_id))).scalar_one_or_none()
    caller = (await access.find(session, user, [row.universe_id])).get(row.universe_id) if row else None
    if row is None or caller is None or not (caller.is_game_master or row.state != State.prepared):
        raise NotFound
    caller.require(operation)
    return (await _found(session, caller, [row]))[0]


async def get_to_change(session: AsyncSession, user: User, encounter_id: UUID, operation: str) -> Found:
    """An encounter of a universe that is locked until the transaction ends.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation.
    """
    universe_id = (await get(session, user, encounter_id, operation)).row.universe_id
    caller = (await access.lock(session, user, {universe_id: operation}))[universe_id]
    # Read again under the lock, because it may have been changed or deleted meanwhile.
    row = await session.get(Encounter, (universe_id, encounter_id), populate_existing=True)
    if row is None:
        raise NotFound
    return (await _found(session, caller, [row]))[0]


async def page(session: AsyncSession, caller: Access, query: pages.PageQuery) -> Mapping[str, Any]:
    """A page of the encounters of a universe that a member sees."""
    statement = select(Encounter).where(col(Encounter.universe_id) == caller.universe.id)
    if not caller.is_game_master:
        statement = statement.where(col(Encounter.state) != State.prepared)
    # Filtered in SQL, so that the number of items on a page reveals nothing about hidden ones.
    stored = func.octet_length(cast(col(Encounter.combatants), Text))
    size = stored if caller.is_game_master else combatants.SHOWN_BYTES
    listed = await pages.page_of(session, statement, Encounter, query, searched=[col(Encounter.name)], size=size)
    return {**listed, "items": [one.read() for one in await _found(session, caller, listed["items"])]}


async def create(session: AsyncSession, caller: Access, fields: Mapping[str, Any]) -> Found:
    """Create an encounter in a locked universe.

    Raises:
        Unprocessable: it refers to something that does not exist.
        QuotaExceeded: there is no room for it.
    """
    fields = await _checked(session, caller, fields, [])
    row = Encounter(universe_id=caller.universe.id, **fields)
    session.add(row)
    await session.flush()
    payload = {name: getattr(row, name) for name in _STORED}
    await _record(session, "created", caller, row, payload, None, {})
    return (await _found(session, caller, [row]))[0]


async def change(session: AsyncSession, found: Found, fields: Mapping[str, Any]) -> Found:
    """Set fields of an encounter in a locked universe. Equal values are not a change.

    Raises:
        Unprocessable: it would refer to something that does not exist.
        QuotaExceeded: there is no room for it.
    """
    row = found.row
    fields = await _checked(session, found.access, fields, row.combatants)
    new = {name: value for name, value in fields.items() if not _equals(row, name, value)}
    if not new:
        return found
    step = None
    if "combatants" in new and row.state == State.running:
        step = turns.change_combatants(row.combatants, new["combatants"], _turns(row))
    return await _store(session, found, "updated", new, step)


async def remove(session: AsyncSession, found: Found) -> None:
    """Delete an encounter of a locked universe."""
    row = found.row
    before = {name: getattr(row, name) for name in _STORED}
    shared: dict[str, Any] | None = None if row.state == State.prepared else {}
    user_id = found.access.user.id
    await events.record(session, "encounter.deleted", user_id, row, {"name": row.name}, before, shared=shared)
    await session.delete(row)


async def start(session: AsyncSession, found: Found) -> Found:
    """Start the first round.

    Raises:
        AlreadyRunning: it is already running.
        NoCombatants: it has no combatants.
    """
    row = found.row
    if row.state == State.running:
        raise AlreadyRunning
    if not row.combatants:
        raise NoCombatants
    ours = col(EncounterTurn.universe_id) == row.universe_id, col(EncounterTurn.encounter_id) == row.id
    await session.execute(delete(EncounterTurn).where(*ours))
    return await _store(session, found, "started", {"state": State.running}, turns.begin(row.combatants))


async def end(session: AsyncSession, found: Found) -> Found:
    """End an encounter.

    Raises:
        NotRunning: it is not running.
    """
    _require_running(found)
    return await _store(session, found, "ended", {"state": State.ended}, None)


async def advance(session: AsyncSession, found: Found) -> Found:
    """Begin the next turn.

    Raises:
        NotRunning: the encounter is not running.
        NoCombatants: it has no combatants.
    """
    _require_running(found)
    row = found.row
    if not row.combatants:
        raise NoCombatants
    step = turns.advance(row.combatants, _turns(row))
    last = await _last_turn(session, row)
    session.add(
        EncounterTurn(
            universe_id=row.universe_id,
            encounter_id=row.id,
            number=last.number + 1 if last else 1,
            round=row.round,
            turn=row.turn,
            shown_round=row.shown_round,
            shown_turn=row.shown_turn,
            effects={
                one["id"]: [one["effects"], step.effects[one["id"]]]
                for one in row.combatants
                if one["id"] in step.effects
            },
        )
    )
    return await _store(session, found, "advanced", {}, step)


async def go_back(session: AsyncSession, found: Found) -> Found:
    """Undo the last `next`: turn, round, and the effects that were decremented, unless they were changed later.

    Raises:
        NotRunning: the encounter is not running.
        FirstTurn: there is nothing to undo.
    """
    _require_running(found)
    row = found.row
    present = {one["id"] for one in row.combatants}
    while last := await _last_turn(session, row):
        await session.delete(last)
        await session.flush()
        if last.turn is None or str(last.turn) in present:
            break
    else:
        raise FirstTurn
    effects = {
        one["id"]: last.effects[one["id"]][0]
        for one in row.combatants
        if one["id"] in last.effects and same(last.effects[one["id"]][1], one["effects"])
    }
    now = turns.back(row.combatants, _turns(last))
    return await _store(session, found, "reverted", {}, Step(now, effects))


async def roll_initiative(session: AsyncSession, found: Found) -> Found:
    """Roll for all combatants without an initiative.

    Raises:
        NoCombatants: it has no combatants.
        QuotaExceeded: there is no room for the rolls.
    """
    row = found.row
    if not row.combatants:
        raise NoCombatants
    initiatives = await _rolled(session, found)
    rolled = [{**one, "initiative": initiatives.get(one["id"], one["initiative"])} for one in row.combatants]
    if same(rolled, row.combatants):
        return found
    step = turns.change_combatants(row.combatants, rolled, _turns(row)) if row.state == State.running else None
    return await _store(session, found, "updated", {"combatants": rolled}, step)


async def _rolled(session: AsyncSession, found: Found) -> dict[str, int]:
    """Initiatives for all combatants without one, by their ids.

    A roll shows the bonus, so players see only the rolls of combatants whose bonus all members may read. Each is a
    separate roll, unless there are very many: then the dice of all that players see are one roll, and those of all
    others another one.
    """
    row = found.row
    missing = [one for one in row.combatants if one["initiative"] is None]
    shown = set() if row.state == State.prepared else await combatants.read_by_all(session, found.access, missing)
    initiatives: dict[str, int] = {}
    for is_seen in (True, False):
        some = [one for one in missing if (one["id"] in shown) is is_seen]
        visibility = RollVisibility.everyone if is_seen else RollVisibility.game_masters
        if len(some) > _ROLLED_APART:
            reason = f"Initiative of {len(some)}"
            roll = await rolls.create(
                session, found.access, f"{len(some)}d20", visibility=visibility, reason=reason
            )
            dice = [die["value"] for die in roll.terms[0]["dice"]]
            initiatives |= {one["id"]: die + one["initiative_bonus"] for one, die in zip(some, dice, strict=True)}
            continue
        for one in some:
            expression, reason = f"1d20{one['initiative_bonus']:+d}", f"Initiative: {one['name']}"
            roll = await rolls.create(session, found.access, expression, visibility=visibility, reason=reason)
            initiatives[one["id"]] = roll.total
    return initiatives


def _require_running(found: Found) -> None:
    if found.row.state != State.running:
        raise NotRunning


def _turns(row: Encounter | EncounterTurn) -> Turns:
    now, shown = (
        Turn(number, str(turn) if turn else None)
        for number, turn in ((row.round, row.turn), (row.shown_round, row.shown_turn))
    )
    return Turns(now, shown)


async def _last_turn(session: AsyncSession, row: Encounter) -> EncounterTurn | None:
    ours = col(EncounterTurn.universe_id) == row.universe_id, col(EncounterTurn.encounter_id) == row.id
    statement = select(EncounterTurn).where(*ours).order_by(col(EncounterTurn.number).desc()).limit(1)
    return (await session.execute(statement)).scalar_one_or_none()


def _equals(row: Encounter, name: str, value: Any) -> bool:
    """Whether a field has this value."""
    old = getattr(row, name)
    return same(old, value) if name in ("combatants", "gm") else bool(old == value)


async def _store(
    session: AsyncSession, found: Found, verb: str, fields: Mapping[str, Any], step: Step | None
) -> Found:
    """Write new values of fields, the state after a step, and the event."""
    row, caller = found.row, found.access
    was = _players_see(row)
    new = dict(fields)
    if step is not None:
        (new["round"], turn), (row.shown_round, shown) = step.turns
        new["turn"] = UUID(turn) if turn else None
        row.shown_turn = UUID(shown) if shown else None
        if step.effects:
            listed = new.get("combatants", row.combatants)
            new["combatants"] = [
                {**one, "effects": step.effects[one["id"]]} if one["id"] in step.effects else one for one in listed
            ]
    old = {name: getattr(row, name) for name in new if not _equals(row, name, new[name])}
    for name in old:
        setattr(row, name, new[name])
    row.touch()
    payload = {**{name: new[name] for name in old}, "version": row.version}
    await _record(session, verb, caller, row, payload, old, was)
    return (await _found(session, caller, [row]))[0]


async def _record(
    session: AsyncSession,
    verb: str,
    caller: Access,
    row: Encounter,
    payload: dict[str, Any],
    before: dict[str, Any] | None,
    was: Mapping[str, Any],
) -> None:
    """Write the event of a change; players get the part that they see."""
    size = len(orjson.dumps([payload, before], default=str))
    await quotas.require_room(session, row.universe_id, Usage(events=size))
    now = _players_see(row)
    shared = {name: value for name, value in now.items() if name not in was or not same(was[name], value)}
    await events.record(session, f"encounter.{verb}", caller.user.id, row, payload, before, shared=shared or None)


def _players_see(row: Encounter) -> dict[str, Any]:
    """What all players see of an encounter, in the form of an event; nothing while it is prepared.

    Without the ids of tokens and characters, because these depend on the player.
    """
    if row.state == State.prepared:
        return {}
    fields: dict[str, Any] = {"name": row.name, "state": str(row.state), "round": row.shown_round}
    fields["turn"] = str(row.shown_turn) if row.shown_turn else None
    nothing = combatants.Seen()
    shown = [nothing.for_players(one) for one in turns.in_order(row.combatants)]
    return {**fields, "combatants": [one for one in shown if one is not None]}


async def _checked(
    session: AsyncSession, caller: Access, fields: Mapping[str, Any], stored: list[dict[str, Any]]
) -> dict[str, Any]:
    """Checked fields, with combatants in their stored form.

    Raises:
        Unprocessable: a map, token or character does not exist, or a name is missing.
    """
    map_id = fields.get("map_id")
    if map_id is not None and await session.get(Map, (caller.universe.id, map_id)) is None:
        raise Unprocessable(errors=[FieldError("map_id", "not_found", "The map does not exist in this universe.")])
    checked = dict(fields)
    if "combatants" in fields:
        checked["combatants"] = await combatants.complete(session, caller, fields["combatants"], stored)
    return checked
