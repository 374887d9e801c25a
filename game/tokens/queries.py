"""The SQL of tokens, what each member sees of them, and who receives their events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

import orjson
from sqlalchemy import (
    ColumnElement,
    Double,
    Row,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.assets import queries as assets
from game.characters import queries as characters
from game.characters.models import Character
from game.characters.token_defaults import HIT_POINTS, bars
from game.core import models
from game.core.errors import Conflict, FieldError, NotFound, Unprocessable
from game.core.tags import players_tag
from game.core.versions import Tagged
from game.events import queries as events
from game.grants import Right
from game.grid.changes import same
from game.grid.geometry import GridType
from game.grid.moves import clamped, is_on_map
from game.grid.vision import anchor
from game.permissions import Role
from game.tokens.models import MAX_TOKENS, Token, json_number
from game.universes import quotas
from game.universes.access import Access
from game.universes.quotas import Usage

_NUMBERS = ("x", "y", "size", "rotation", "elevation")
_OPEN = (*_NUMBERS, "name", "asset_id", "color", "disposition", "light", "conditions")
"""Fields for everybody who sees the token."""
_SHEET = ("character_id", "sight", "properties")
"""Fields that need the right `sheet`."""
STORED = (*_OPEN, *_SHEET, "hidden", "bars", "grants", "gm")
_SHARED_FIELDS = (*_OPEN, "cells")
"""Fields in events for members who see the token; of its bars, only the public ones."""
_JSON = frozenset({"sight", "light", "conditions", "bars", "grants", "properties", "gm"})


class TooManyTokens(Conflict):
    """This map has the maximum number of tokens. Delete some first."""

    code = "TOO_MANY_TOKENS"


class NoBar(Conflict):
    """The token does not have this bar. Add it first."""

    code = "NO_BAR"


class MapRow(Protocol):
    """The map that a token is on, without its grid."""

    id: UUID
    universe_id: UUID
    width: int
    height: int
    fog: str

    @property
    def is_published(self) -> bool:
        """Whether members may read it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A token, the caller's access to its universe, and their rights from its grants and its character's."""

    row: Token
    access: Access
    rights: frozenset[Right]
    character: Mapping[str, Any]
    """Values of its character, see `with_character`; empty without a character."""

    @classmethod
    def of(cls, row: Token, caller: Access, character: Mapping[str, Any] | None) -> "Found":
        """A row with the rights of a caller."""
        character = character or {}
        rights = rights_of(row.grants, character.get("grants", {}), caller.user.id, caller.role)
        return cls(row, caller, rights, character)

    @property
    def character_grants(self) -> Mapping[str, list[str]]:
        """The grants of its character, which also apply to the token."""
        given: Mapping[str, list[str]] = self.character.get("grants", {})
        return given

    @property
    def bars(self) -> list[dict[str, Any]]:
        """Its bars, or the bar of its character's hit points."""
        return self.row.bars or bars(self.character.get("hit_points"))

    @property
    def is_shown(self) -> bool:
        """Whether the caller may know of it, regardless of its position."""
        return not self.row.hidden or Right.see in self.rights

    def read(self) -> dict[str, Any]:
        """The token as the caller may see it, as plain JSON values (see `TokenRead`)."""
        row, caller = self.row, self.access
        has_sheet = Right.sheet in self.rights
        fields: dict[str, Any] = {name: getattr(row, name) for name in ("id", "universe_id", "map_id", *_OPEN)}
        fields |= {name: json_number(fields[name]) for name in _NUMBERS}
        fields["hidden"] = row.hidden
        fields["asset_id"] = row.asset_id or self.character.get("asset_id")
        fields["bars"] = self.bars if has_sheet else _public(self.bars)
        fields["grants"] = grants.shown(row.grants, caller.user.id, caller.role)
        if has_sheet:
            fields |= {name: getattr(row, name) for name in _SHEET}
        if caller.is_game_master:
            fields |= {"gm": row.gm, "version": row.version, "updated_at": _time(row.updated_at)}
        return {**fields, "created_at": _time(row.created_at)}

    def for_drawing(self) -> dict[str, Any]:
        """The token in drawings of the map."""
        names = ("name", "x", "y", "size", "color", "disposition")
        return {name: getattr(self.row, name) for name in names}

    def document(self) -> Tagged:
        """The result of `read` as JSON text, with its tag."""
        body = as_json(self.read())
        if self.access.is_game_master:
            return Tagged(body, self.row.version)
        return Tagged(body, players_tag(self.row.etag_key, body))


def rights_of(
    own: Mapping[str, list[str]], characters: Mapping[str, list[str]], user_id: UUID, role: Role
) -> frozenset[Right]:
    """A member's rights, from a token's own grants and those of its character."""
    return grants.rights(own, user_id, role) | grants.rights(characters, user_id, role)


def as_json(value: Mapping[str, Any]) -> bytes:
    """The result of `read` as JSON text."""
    # The driver has its own subclass of UUID.
    return orjson.dumps(value, default=str)


def _time(value: Any) -> str:
    text: str = value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return text


def _public(bars: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [bar for bar in bars if bar["public"]]


def _of_character() -> ColumnElement[Any]:
    """The values of a character that its tokens use."""
    return func.jsonb_build_object(
        "grants",
        col(Character.grants),
        "name",
        col(Character.name),
        "asset_id",
        col(Character.asset_id),
        "hit_points",
        col(Character.sheet)["hit_points"],
    )


def with_character() -> Select[tuple[Token, Any]]:
    """Tokens, each with these values of its character: `grants`, `name`, `asset_id`, `hit_points`."""
    its = and_(col(Character.universe_id) == col(Token.universe_id), col(Character.id) == col(Token.character_id))
    taken = case((col(Character.id).is_not(None), _of_character()))
    return select(Token, type_coerce(taken, JSONB)).outerjoin(Character, its)


ON_MAP = """
    (
        SELECT jsonb_agg(jsonb_build_array(
            to_jsonb(t),
            CASE WHEN c.id IS NOT NULL THEN jsonb_build_object(
                'grants', c.grants, 'name', c.name, 'asset_id', c.asset_id, 'hit_points', c.sheet->'hit_points'
            ) END,
            c.sheet->'senses'
        ) ORDER BY t.id)
        FROM token t LEFT JOIN character c ON c.universe_id = t.universe_id AND c.id = t.character_id
        WHERE t.universe_id = {universe_id} AND t.map_id = {map_id}
    )
"""
"""For the hot statements: the tokens of a map, each with the values of its character that `with_character`
selects, and the character's senses."""


async def of_map(session: AsyncSession, caller: Access, map_id: UUID) -> list[Found]:
    """All tokens of a map, hidden or not, in the order in which they were created."""
    on_map = col(Token.universe_id) == caller.universe.id, col(Token.map_id) == map_id
    rows: Iterable[Row[Any]] = await session.execute(with_character().where(*on_map).order_by(col(Token.id)))
    return [Found.of(row[0], caller, row[1]) for row in rows]


async def reload(session: AsyncSession, caller: Access, token_id: UUID) -> Found:
    """Read a token of a locked universe again.

    Raises:
        NotFound: it is gone.
    """
    statement = with_character().where(col(Token.universe_id) == caller.universe.id, col(Token.id) == token_id)
    row = (await session.execute(statement.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound
    return Found.of(row[0], caller, row[1])


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
    seen = own if Right.sheet in found.rights else _public(own)
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
    before, version = position(row.x, row.y), row.version
    row.x, row.y = x, y
    row.touch()
    payload = {**position(x, y), **details, "version": version + 1}
    return await _record(session, kind, found, map_row, payload, before, state, state)


def position(x: float, y: float) -> dict[str, int | float]:
    """A position as in events."""
    return {"x": json_number(x), "y": json_number(y)}


class Placed(NamedTuple):
    """The tokens that a change of a map has moved, as in events: all of them, and those that are not hidden."""

    tokens: list[dict[str, Any]]
    shown: list[dict[str, Any]]

    def for_game_masters(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload with all moved tokens."""
        return {**payload, "tokens": self.tokens} if self.tokens else dict(payload)

    def for_others(self, payload: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The payload with the moved tokens that are not hidden."""
        if payload is None:
            return None
        return {**payload, "tokens": self.shown} if self.shown else dict(payload)


_POSITIONS = text("""
    SELECT id, x, y, size, hidden FROM token
    WHERE universe_id = :universe_id AND map_id = :map_id ORDER BY id
""")
_SET_POSITIONS = text("""
    UPDATE token t SET x = placed.x, y = placed.y, version = t.version + 1, updated_at = :now
    FROM unnest(:ids, :xs, :ys) AS placed (id, x, y)
    WHERE t.universe_id = :universe_id AND t.id = placed.id
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)), *(bindparam(name, type_=ARRAY(Double)) for name in ("xs", "ys"))
)


async def fit_tokens(
    session: AsyncSession,
    universe_id: UUID,
    map_id: UUID,
    grid_type: GridType,
    size: tuple[int, int],
    shift: tuple[int, int] = (0, 0),
) -> Placed:
    """Move the tokens of a locked map after a change of its size or grid type, or after its cells were shifted.

    Tokens that would be outside are moved to the edge, and those between cells to a cell.
    """
    map_key = {"universe_id": universe_id, "map_id": map_id}
    moved = []
    for one in await session.execute(_POSITIONS, map_key):
        x, y = clamped(grid_type, one.x + shift[0], one.y + shift[1], one.size, *size)
        if grid_type != "none":
            x, y = floor(x), floor(y)
        if (x, y) != (one.x, one.y):
            moved.append((one, {"id": one.id, "x": json_number(x), "y": json_number(y)}))
    if moved:
        columns = {name: [place[name] for _, place in moved] for name in ("id", "x", "y")}
        await session.execute(
            _SET_POSITIONS,
            {**map_key, **{f"{name}s": column for name, column in columns.items()}, "now": models.now()},
        )
    return Placed([place for _, place in moved], [place for one, place in moved if not one.hidden])


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
    private = {name: payload[name] for name in _SHEET if name in payload}
    if "bars" in payload and new:
        public = _public(new.bars)
        if old is None or not same(public, _public(old.bars)):
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


def require_place(map_row: MapRow, grid_type: GridType, x: float, y: float, size: float) -> None:
    """Check that a token of this size can be at this place of a map.

    Raises:
        Unprocessable: it would be outside the map, or between cells.
    """
    if grid_type == "none":
        fits = x + size <= map_row.width and y + size <= map_row.height
    else:
        for name, value in (("x", x), ("y", y)):
            if not float(value).is_integer():
                message = "Must be a whole number, because this map has a grid."
                raise Unprocessable(errors=[FieldError(name, "not_whole", message)])
        fits = is_on_map(grid_type, anchor(grid_type, x, y, size), size, map_row.width, map_row.height)
    if not fits:
        message = f"The map is {map_row.width} x {map_row.height} cells: the token would not be on it."
        raise Unprocessable(errors=[FieldError("x", "out_of_bounds", message)])


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
    statement = select(type_coerce(_of_character(), JSONB)).where(*by_id)
    found: Mapping[str, Any] | None = (await session.execute(statement)).scalar_one_or_none()
    if found is None:
        message = "The character does not exist in this universe."
        raise Unprocessable(errors=[FieldError("character_id", "not_found", message)])
    return found
