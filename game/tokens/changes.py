"""Changes of tokens in locked universes; each records its event."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from sqlalchemy import func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.assets import queries as assets
from game.characters import queries as characters
from game.characters.models import Character
from game.characters.token_defaults import HIT_POINTS
from game.core.errors import Conflict, FieldError, Unprocessable
from game.events import queries as events
from game.grants import Right
from game.grid.changes import same
from game.grid.geometry import GridType
from game.tokens.models import MAX_TOKENS, Token
from game.tokens.positions import MapRow, position_payload, require_place
from game.tokens.queries import STORED, Found, character_values, public_bars, reload
from game.tokens.recipients import Shared, State, shared_part
from game.universes import quotas
from game.universes.access import Access
from game.universes.quotas import Usage

_JSON = frozenset({"sight", "light", "conditions", "bars", "grants", "properties", "gm"})


class TooManyTokens(Conflict):
    """This map has the maximum number of tokens. Delete some first."""

    code = "TOO_MANY_TOKENS"


class NoBar(Conflict):
    """The token does not have this bar. Add it first."""

    code = "NO_BAR"


async def create(
    session: AsyncSession, caller: Access, map_row: MapRow, grid_type: GridType, fields: Mapping[str, Any]
) -> Found:
    """A new token on a map of a locked universe.

    Raises:
        TooManyTokens: the map is full.
        Unprocessable: it would be outside the map, or refers to something that does not exist.
        QuotaExceeded: there is no room for its event.
    """
    on_map = col(Token.universe_id) == map_row.universe_id, col(Token.map_id) == map_row.id
    count = (await session.execute(select(func.count()).select_from(Token).where(*on_map))).scalar_one()
    if count >= MAX_TOKENS:
        raise TooManyTokens
    character = await _checked(session, caller, fields)
    if fields.get("name") is None:
        fields = {**fields, "name": character.get("name")}
    if fields["name"] is None:
        message = "A token without a character needs a name."
        raise Unprocessable(errors=[FieldError("name", "missing", message)])
    row = Token(universe_id=map_row.universe_id, map_id=map_row.id, **fields)
    require_place(map_row, grid_type, row.x, row.y, row.size)
    session.add(row)
    await session.flush()
    found = Found.of(row, caller, character)
    payload = {**{name: getattr(row, name) for name in STORED}, "version": row.version}
    await _record(session, "token.created", found, map_row, payload, None, None, State.of(found))
    return found


async def change(
    session: AsyncSession, found: Found, map_row: MapRow, grid_type: GridType, fields: Mapping[str, Any]
) -> Found:
    """Set fields of a token in a locked universe. Equal values are not a change.

    Raises:
        Unprocessable: it would be outside the map, or refers to something that does not exist.
        QuotaExceeded: there is no room for its event.
    """
    row = found.row
    new = {name: value for name, value in fields.items() if not _is(row, name, value)}
    if not new:
        return found
    if new.keys() & {"x", "y", "size"}:
        place = {name: new.get(name, getattr(row, name)) for name in ("x", "y", "size")}
        require_place(map_row, grid_type, **place)
    character = await _checked(session, found.access, new)
    if "character_id" not in new:
        character = found.character
    return await _store(session, found, map_row, new, "token.updated", character)


async def change_bar(
    session: AsyncSession,
    found: Found,
    map_row: MapRow,
    name: str | None,
    amount: int,
    verb: Literal["damaged", "healed"],
) -> Found:
    """Decrease or increase a bar of a token in a locked universe, between 0 and its maximum; without a name, the
    first bar.

    Raises:
        NoBar: it has no bar with this name, or none at all.
        QuotaExceeded: there is no room for its event.
    """
    if not found.row.bars and found.row.character_id and Right.sheet in found.rights:
        return await _change_hit_points(session, found, name, amount, verb)
    own = found.row.bars
    # Nobody can discover bars that they do not see by trying names.
    seen = own if Right.sheet in found.rights else public_bars(own)
    bar = next((one for one in seen if name is None or one["name"] == name), None)
    if bar is None:
        raise NoBar
    step = amount if verb == "healed" else -amount
    after = {**bar, "value": max(0, min(bar["value"] + step, bar["max"]))}
    if after == bar:
        return found
    new = {"bars": [after if one is bar else one for one in own]}
    return await _store(session, found, map_row, new, f"token.{verb}", found.character, bar, amount)


async def _change_hit_points(
    session: AsyncSession, found: Found, name: str | None, amount: int, verb: Literal["damaged", "healed"]
) -> Found:
    """Decrease or increase the hit points of a token's character, by the rules for hit points.

    Raises:
        NoBar: it has no hit points, or the name is not theirs.
        QuotaExceeded: there is no room for the event.
    """
    key = found.row.universe_id, found.row.character_id
    row = await session.get(Character, key, populate_existing=True)
    if row is None or "hit_points" not in row.sheet or name not in (None, HIT_POINTS):
        raise NoBar
    change = characters.damage if verb == "damaged" else characters.heal
    await change(session, characters.Found.of(row, found.access), amount)
    await session.flush()
    return await reload(session, found.access, found.row.id)


async def set_position(
    session: AsyncSession, found: Found, map_row: MapRow, kind: str, x: float, y: float, details: Mapping[str, Any]
) -> int:
    """Set the position of a token of a locked universe, and record the move; returns the event's number."""
    row, state = found.row, State.of(found)
    before, version = position_payload(row.x, row.y), row.version
    row.x, row.y = x, y
    row.touch()
    payload = {**position_payload(x, y), **details, "version": version + 1}
    return await _record(session, kind, found, map_row, payload, before, state, state)


async def remove(session: AsyncSession, found: Found, map_row: MapRow) -> None:
    """Delete a token of a locked universe."""
    row = found.row
    before = {name: getattr(row, name) for name in STORED}
    await _record(session, "token.deleted", found, map_row, {"name": row.name}, before, State.of(found), None)
    await session.delete(row)


async def _store(
    session: AsyncSession,
    found: Found,
    map_row: MapRow,
    new: Mapping[str, Any],
    kind: str,
    character: Mapping[str, Any],
    bar: Mapping[str, Any] | None = None,
    amount: int = 0,
) -> Found:
    """Write new values of fields, and the event."""
    row, old = found.row, State.of(found)
    before = {name: getattr(row, name) for name in new}
    for name, value in new.items():
        setattr(row, name, value)
    row.touch()
    after = Found.of(row, found.access, character)
    payload = {**new, "version": row.version}
    if bar is not None:
        payload |= {"bar": bar["name"], "amount": amount}
    await _record(session, kind, after, map_row, payload, before, old, State.of(after))
    return after


def _is(row: Token, name: str, value: Any) -> bool:
    """Whether a field already has this value."""
    old = getattr(row, name)
    return same(old, value) if name in _JSON else bool(old == value)


async def _record(
    session: AsyncSession,
    kind: str,
    found: Found,
    map_row: MapRow,
    payload: dict[str, Any],
    before: dict[str, Any] | None,
    old: State | None,
    new: State | None,
) -> int:
    """Write the event of a change from one state to another; None if the token does not exist."""
    row = found.row
    payload = {"map_id": map_row.id, **payload}
    size = len(orjson.dumps([payload, before], default=str))
    await quotas.require_room(session, row.universe_id, Usage(events=size))
    shared = shared_part(map_row, payload, old, new)
    if shared is None:
        readers = await grants.readers(session, row.universe_id)
        shared = shared_part(map_row, payload, old, new, readers) or Shared()
    actor_id = found.access.user.id
    return await events.record(
        session, kind, actor_id, row, payload, before, shared=shared.payload, audience=shared.audience
    )


async def _checked(session: AsyncSession, caller: Access, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check that the caller may see everything that fields refer to, including what a token takes from the
    character.

    Raises:
        Unprocessable: a named user is not a member, or the user may not see the character or picture.
    """
    await grants.require_members(session, caller.universe.id, fields.get("grants", {}))
    asset_id, character_id = fields.get("asset_id"), fields.get("character_id")
    if asset_id is not None and not await assets.is_seen(session, caller, asset_id):
        message = "The picture does not exist in this universe, or you may not see it."
        raise Unprocessable(errors=[FieldError("asset_id", "not_found", message)])
    if character_id is None:
        return {}
    by_id = col(Character.universe_id) == caller.universe.id, col(Character.id) == character_id
    statement = select(type_coerce(character_values(), JSONB)).where(*by_id)
    found: Mapping[str, Any] | None = (await session.execute(statement)).scalar_one_or_none()
    if found is None:
        message = "The character does not exist in this universe."
        raise Unprocessable(errors=[FieldError("character_id", "not_found", message)])
    return found
