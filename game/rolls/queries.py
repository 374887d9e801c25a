"""The SQL of rolls."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.characters import queries as characters
from game.core.errors import FieldError, Forbidden, NotFound, Unprocessable
from game.core.pages import decode_cursor, encode_cursor
from game.dice.drawing import Drawing
from game.dice.evaluation import evaluate
from game.dice.parser import parse
from game.dice.syntax import ExpressionError, Node
from game.events import queries as events
from game.permissions import Role
from game.rolls import keys, view
from game.rolls.models import Roll, RollRead, Visibility
from game.rolls.sheet import lookup_in
from game.universes import access, quotas
from game.universes.access import Access
from game.universes.quotas import Usage

_ORDER = "rolls"
MAX_EVENT_BYTES = 256 * 2**10
"""The size of the event of a roll of a thousand dice, in bytes."""


class ExpressionInvalid(Unprocessable):
    """The dice expression is invalid. `column` is the column of the error, counted from 1."""

    code, schema = "EXPRESSION_INVALID", "ExpressionProblem"

    def __init__(self, message: str = "", column: int = 1) -> None:
        error = FieldError("expression", "expression_invalid", f"column {column}: {message}")
        super().__init__(errors=[error], column=column)


async def parsed(session: AsyncSession, caller: Access, expression: str, character_id: UUID | None) -> Node:
    """A parsed expression, with the numbers of the character's sheet.

    Raises:
        ExpressionInvalid: it is not one.
        NotFound: the user may not act for this character.
    """
    sheet = None
    if character_id is not None:
        sheet = (await characters.character_to_act_for(session, caller, character_id)).sheet
    try:
        return parse(expression, None if sheet is None else lookup_in(sheet))
    except ExpressionError as error:
        raise ExpressionInvalid(error.message, error.column) from None


async def create(
    session: AsyncSession,
    caller: Access,
    expression: str,
    *,
    visibility: Visibility = Visibility.everyone,
    reason: str | None = None,
    character_id: UUID | None = None,
    nonce: str = "",
) -> Roll:
    """Roll dice in a locked universe.

    Raises:
        ExpressionInvalid: the expression is invalid.
        NotFound: the user may not act for this character.
        QuotaExceeded: there is no room for it.
    """
    universe_id, user_id = caller.universe.id, caller.user.id
    node = await parsed(session, caller, expression, character_id)
    # Evaluated before a key is taken, so that no key of a series is skipped.
    await quotas.require_room(session, universe_id, Usage(events=MAX_EVENT_BYTES))
    taken = await keys.take(session, universe_id, series_of(universe_id, user_id, visibility))
    fields = {"expression": expression, "visibility": visibility, "reason": reason, "nonce": nonce}
    roll = rolled(universe_id, user_id, node, taken, character_id=character_id, **fields)
    session.add(roll)
    await _record(session, "roll.created", caller, roll)
    return roll


def series_of(universe_id: UUID, user_id: UUID, visibility: Visibility) -> UUID:
    """The owner of the series of keys that a roll uses."""
    return universe_id if visibility == Visibility.everyone else user_id


def rolled(universe_id: UUID, user_id: UUID, node: Node, taken: keys.Key, **fields: Any) -> Roll:
    """A roll of an expression with a key; `fields` are from the request."""
    result = evaluate(node, Drawing(taken.key, fields["nonce"]))
    return Roll(
        universe_id=universe_id,
        actor_id=user_id,
        total=result.total,
        terms=result.terms,
        text=result.text,
        is_hidden=fields["visibility"] != Visibility.everyone,
        number=taken.number,
        key=taken.key,
        **fields,
    )


class EventParts(NamedTuple):
    """The payloads of the event of a roll: for game masters, and for the `audience` (None: all members)."""

    payload: dict[str, Any]
    shared: dict[str, Any]
    audience: list[UUID] | None


def event_parts(roll: Roll, user_id: UUID) -> EventParts:
    """The event about a roll that this user made or revealed."""
    payload = _payload(view.shown(roll, None, Role.game_master))
    if roll.visibility == Visibility.everyone:
        return EventParts(payload, _payload(view.shown(roll, None, Role.player)), None)
    return EventParts(payload, _payload(view.shown(roll, user_id, Role.player)), [user_id])


async def _record(session: AsyncSession, kind: str, caller: Access, roll: Roll) -> None:
    """Write the event of a roll, with what each member may know of it."""
    if roll.visibility == Visibility.me:
        payload = _payload(view.shown(roll, caller.user.id, caller.role))
        await events.record_private(session, kind, caller.user.id, roll, payload, [caller.user.id])
        return
    payload, shared, audience = event_parts(roll, caller.user.id)
    await events.record(session, kind, caller.user.id, roll, payload, shared=shared, audience=audience)


def _payload(roll: RollRead) -> dict[str, Any]:
    """A roll in an event, without its id, roller and time, which the event itself has."""
    return roll.model_dump(mode="json", exclude={"id", "actor_id", "created_at"})


async def read(session: AsyncSession, roll: Roll, caller: Access) -> RollRead:
    """A roll in the API, for a caller who may know of it."""
    seen = await characters.seen_ids(session, caller, [roll.character_id])
    return view.shown(roll, caller.user.id, caller.role, with_character=roll.character_id in seen)


async def get(session: AsyncSession, user: User, roll_id: UUID, operation: str) -> tuple[Roll, Access]:
    """A roll that the user may know of, with their access.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation in its universe.
    """
    by_id = col(Roll.id) == roll_id
    universe_id = (await session.execute(select(col(Roll.universe_id)).where(by_id))).scalar_one_or_none()
    caller = (await access.find(session, user, [universe_id])).get(universe_id) if universe_id else None
    if caller is None:
        raise NotFound
    roll = await _known(session, caller, roll_id)
    caller.require(operation)
    return roll, caller


async def reveal(session: AsyncSession, user: User, roll_id: UUID) -> tuple[Roll, Access]:
    """Show a roll to everyone, unless everyone already sees it.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: it is a blind one, and the user is its roller.
    """
    universe_id = (await get(session, user, roll_id, "revealRoll"))[1].universe.id
    caller = (await access.lock(session, user, {universe_id: "revealRoll"}))[universe_id]
    roll = await _known(session, caller, roll_id)
    if not view.may_reveal(roll, user.id, caller.role):
        raise Forbidden
    if roll.visibility != Visibility.everyone:
        await quotas.require_room(session, universe_id, Usage(events=MAX_EVENT_BYTES))
        roll.visibility = Visibility.everyone
        await _record(session, "roll.revealed", caller, roll)
    return roll, caller


async def _known(session: AsyncSession, caller: Access, roll_id: UUID) -> Roll:
    roll = await session.get(Roll, (caller.universe.id, roll_id), populate_existing=True)
    if roll is None or not view.is_known(roll, caller.user.id, caller.role):
        raise NotFound
    return roll


async def page(session: AsyncSession, caller: Access, limit: int, cursor: str | None) -> Mapping[str, Any]:
    """A page of the rolls of a universe that a member may know of, newest first.

    Raises:
        Unprocessable: it is not a cursor of this list.
    """
    # Each condition has its own index, so that hidden rolls of others are not read.
    mine = col(Roll.actor_id) == caller.user.id
    others = col(Roll.visibility) != Visibility.me if caller.is_game_master else col(Roll.visibility) == "everyone"
    before = None if cursor is None else decode_cursor(cursor, _ORDER, str)[1]
    ids = {
        one for condition in (mine, others) for one in await _ids(session, caller, condition, before, limit + 1)
    }
    newest = sorted(ids, reverse=True)[:limit]
    statement: Select[Any] = select(Roll).where(
        col(Roll.universe_id) == caller.universe.id, col(Roll.id).in_(newest)
    )
    rows = (await session.execute(statement.order_by(col(Roll.id).desc()))).scalars().all()
    seen = await characters.seen_ids(session, caller, [row.character_id for row in rows])
    items = [view.shown(row, caller.user.id, caller.role, with_character=row.character_id in seen) for row in rows]
    next_cursor = encode_cursor(_ORDER, "", items[-1].id) if len(ids) > limit else None
    return {"items": items, "next_cursor": next_cursor}


async def _ids(
    session: AsyncSession, caller: Access, condition: ColumnElement[bool], before: UUID | None, limit: int
) -> list[UUID]:
    statement = select(col(Roll.id)).where(col(Roll.universe_id) == caller.universe.id, condition)
    if before is not None:
        statement = statement.where(col(Roll.id) < before)
    return [*(await session.execute(statement.order_by(col(Roll.id).desc()).limit(limit))).scalars()]
