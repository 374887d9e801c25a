"""The SQL of tokens, what each member sees of them, and who is told of a change."""

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
from game.characters.pieces import HIT_POINTS, bars
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
from game.tokens.models import MAX_TOKENS, Token, plain
from game.universes import quotas
from game.universes.access import Access
from game.universes.quotas import Usage

_NUMBERS = ("x", "y", "size", "rotation", "elevation")
_OPEN = (*_NUMBERS, "name", "asset_id", "color", "disposition", "light", "conditions")
"""Fields for everybody who sees the token."""
_SHEET = ("character_id", "sight", "properties")
"""Fields that need the right `sheet`."""
STORED = (*_OPEN, *_SHEET, "hidden", "bars", "grants", "gm")
_TOLD = (*_OPEN, "cells")
"""Fields in events for members who see the token; of its bars, only the public ones."""
_JSON = frozenset({"sight", "light", "conditions", "bars", "grants", "properties", "gm"})


class TooManyTokens(Conflict):
    """This map has the maximum number of tokens. Delete some first."""

    code = "TOO_MANY_TOKENS"


class NoBar(Conflict):
    """The token does not have this bar. Add it first."""

    code = "NO_BAR"


class Ground(Protocol):
    """The map that a token is on."""

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
    """A token, with the access of somebody and their rights: the token's grants and its character's."""

    row: Token
    access: Access
    rights: frozenset[Right]
    character: Mapping[str, Any]
    """What it takes from its character, see `with_character`; empty without a character."""

    @classmethod
    def of(cls, row: Token, home: Access, character: Mapping[str, Any] | None) -> "Found":
        """A row as a user with this access finds it."""
        character = character or {}
        rights = rights_of(row.grants, character.get("grants", {}), home.user.id, home.role)
        return cls(row, home, rights, character)

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
        """Whether they may know of it, regardless of its position."""
        return not self.row.hidden or Right.see in self.rights

    def read(self) -> dict[str, Any]:
        """The document that they get, as plain JSON values (see `TokenRead`)."""
        row, home = self.row, self.access
        has_sheet = Right.sheet in self.rights
        fields: dict[str, Any] = {name: getattr(row, name) for name in ("id", "universe_id", "map_id", *_OPEN)}
        fields |= {name: plain(fields[name]) for name in _NUMBERS}
        fields["hidden"] = row.hidden
        fields["asset_id"] = row.asset_id or self.character.get("asset_id")
        fields["bars"] = self.bars if has_sheet else _public(self.bars)
        fields["grants"] = grants.shown(row.grants, home.user.id, home.role)
        if has_sheet:
            fields |= {name: getattr(row, name) for name in _SHEET}
        if home.is_game_master:
            fields |= {"gm": row.gm, "version": row.version, "updated_at": _time(row.updated_at)}
        return {**fields, "created_at": _time(row.created_at)}

    def drawn(self) -> dict[str, Any]:
        """The token in drawings of the map."""
        names = ("name", "x", "y", "size", "color", "disposition")
        return {name: getattr(self.row, name) for name in names}

    def document(self) -> Tagged:
        """The same as JSON text, with its tag."""
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
    """What a token takes from its character."""
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
    """Tokens, each with what it takes from its character: `grants`, `name`, `asset_id`, `hit_points`."""
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
"""For the hot statements: the tokens of a map, each with what it takes from its character, as from
`with_character`, and the character's senses."""


async def of_map(session: AsyncSession, home: Access, map_id: UUID) -> list[Found]:
    """All tokens of a map, hidden or not, in the order in which they were created."""
    here = col(Token.universe_id) == home.universe.id, col(Token.map_id) == map_id
    rows: Iterable[Row[Any]] = await session.execute(with_character().where(*here).order_by(col(Token.id)))
    return [Found.of(row[0], home, row[1]) for row in rows]


async def now(session: AsyncSession, home: Access, token_id: UUID) -> Found:
    """The current row of a token in a locked universe.

    Raises:
        NotFound: it is gone.
    """
    statement = with_character().where(col(Token.universe_id) == home.universe.id, col(Token.id) == token_id)
    row = (await session.execute(statement.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound
    return Found.of(row[0], home, row[1])


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
    session: AsyncSession, home: Access, ground: Ground, grid_type: GridType, fields: Mapping[str, Any]
) -> Found:
    """A new token on a map of a locked universe.

    Raises:
        TooManyTokens: the map is full.
        Unprocessable: it would be outside the map, or refers to something that does not exist.
        QuotaExceeded: there is no room for its event.
    """
    here = col(Token.universe_id) == ground.universe_id, col(Token.map_id) == ground.id
    count = (await session.execute(select(func.count()).select_from(Token).where(*here))).scalar_one()
    if count >= MAX_TOKENS:
        raise TooManyTokens
    character = await _checked(session, home, fields)
    if fields.get("name") is None:
        fields = {**fields, "name": character.get("name")}
    if fields["name"] is None:
        message = "A token without a character needs a name."
        raise Unprocessable(errors=[FieldError("name", "missing", message)])
    row = Token(universe_id=ground.universe_id, map_id=ground.id, **fields)
    require_place(ground, grid_type, row.x, row.y, row.size)
    session.add(row)
    await session.flush()
    found = Found.of(row, home, character)
    payload = {**{name: getattr(row, name) for name in STORED}, "version": row.version}
    await _record(session, "token.created", found, ground, payload, None, None, State.of(found))
    return found


async def change(
    session: AsyncSession, found: Found, ground: Ground, grid_type: GridType, fields: Mapping[str, Any]
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
        require_place(ground, grid_type, **place)
    character = await _checked(session, found.access, new)
    if "character_id" not in new:
        character = found.character
    return await _store(session, found, ground, new, "token.updated", character)


async def change_bar(
    session: AsyncSession,
    found: Found,
    ground: Ground,
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
    return await _store(session, found, ground, new, f"token.{verb}", found.character, bar, amount)


async def _change_hit_points(
    session: AsyncSession, found: Found, name: str | None, amount: int, verb: Literal["damaged", "healed"]
) -> Found:
    """Decrease or increase the hit points of a token's character, by the rules for hit points.

    Raises:
        NoBar: it has no hit points, or the name is not theirs.
        QuotaExceeded: there is no room for the event.
    """
    place = found.row.universe_id, found.row.character_id
    row = await session.get(Character, place, populate_existing=True)
    if row is None or "hit_points" not in row.sheet or name not in (None, HIT_POINTS):
        raise NoBar
    change = characters.damage if verb == "damaged" else characters.heal
    await change(session, characters.Found.of(row, found.access), amount)
    await session.flush()
    return await now(session, found.access, found.row.id)


async def put_at(
    session: AsyncSession, found: Found, ground: Ground, kind: str, x: float, y: float, more: Mapping[str, Any]
) -> int:
    """Put a token of a locked universe at a place, and record the move; returns the event's number."""
    row, state = found.row, State.of(found)
    before, version = position(row.x, row.y), row.version
    row.x, row.y = x, y
    row.touch()
    payload = {**position(x, y), **more, "version": version + 1}
    return await _record(session, kind, found, ground, payload, before, state, state)


def position(x: float, y: float) -> dict[str, int | float]:
    """A position in the form of events."""
    return {"x": plain(x), "y": plain(y)}


class Placed(NamedTuple):
    """Tokens that the change of a map has moved, as events name them: all, and those that are not hidden."""

    tokens: list[dict[str, Any]]
    shown: list[dict[str, Any]]

    def told(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload for game masters, with all of them."""
        return {**payload, "tokens": self.tokens} if self.tokens else dict(payload)

    def shared(self, payload: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The payload for others, with those that are not hidden."""
        if payload is None:
            return None
        return {**payload, "tokens": self.shown} if self.shown else dict(payload)


_PLACES = text("""
    SELECT id, x, y, size, hidden FROM token
    WHERE universe_id = :universe_id AND map_id = :map_id ORDER BY id
""")
_PLACE = text("""
    UPDATE token t SET x = placed.x, y = placed.y, version = t.version + 1, updated_at = :now
    FROM unnest(:ids, :xs, :ys) AS placed (id, x, y)
    WHERE t.universe_id = :universe_id AND t.id = placed.id
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)), *(bindparam(name, type_=ARRAY(Double)) for name in ("xs", "ys"))
)


async def settle(
    session: AsyncSession,
    universe_id: UUID,
    map_id: UUID,
    grid_type: GridType,
    size: tuple[int, int],
    shift: tuple[int, int] = (0, 0),
) -> Placed:
    """Move the tokens of a locked map when its grid gets another size or type, or its cells are shifted.

    Tokens that would be outside are put at the edge, and those between cells into a cell.
    """
    here = {"universe_id": universe_id, "map_id": map_id}
    moved = []
    for one in await session.execute(_PLACES, here):
        x, y = clamped(grid_type, one.x + shift[0], one.y + shift[1], one.size, *size)
        if grid_type != "none":
            x, y = floor(x), floor(y)
        if (x, y) != (one.x, one.y):
            moved.append((one, {"id": one.id, "x": plain(x), "y": plain(y)}))
    if moved:
        columns = {name: [place[name] for _, place in moved] for name in ("id", "x", "y")}
        await session.execute(
            _PLACE, {**here, **{f"{name}s": column for name, column in columns.items()}, "now": models.now()}
        )
    return Placed([place for _, place in moved], [place for one, place in moved if not one.hidden])


async def remove(session: AsyncSession, found: Found, ground: Ground) -> None:
    """Delete a token of a locked universe."""
    row = found.row
    before = {name: getattr(row, name) for name in STORED}
    await _record(session, "token.deleted", found, ground, {"name": row.name}, before, State.of(found), None)
    await session.delete(row)


async def _store(
    session: AsyncSession,
    found: Found,
    ground: Ground,
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
    await _record(session, kind, after, ground, payload, before, old, State.of(after))
    return after


def _is(row: Token, name: str, value: Any) -> bool:
    """Whether a field has this value."""
    old = getattr(row, name)
    return same(old, value) if name in _JSON else bool(old == value)


async def _record(
    session: AsyncSession,
    kind: str,
    found: Found,
    ground: Ground,
    payload: dict[str, Any],
    before: dict[str, Any] | None,
    old: State | None,
    new: State | None,
) -> int:
    """Write the event of a change from one state to another; None if the token does not exist."""
    row = found.row
    payload = {"map_id": ground.id, **payload}
    size = len(orjson.dumps([payload, before], default=str))
    await quotas.require_room(session, row.universe_id, Usage(events=size))
    told = shared(ground, payload, old, new)
    if told is None:
        told = shared(ground, payload, old, new, await grants.readers(session, row.universe_id)) or Shared()
    actor_id = found.access.user.id
    return await events.record(
        session, kind, actor_id, row, payload, before, shared=told.payload, audience=told.audience
    )


class Shared(NamedTuple):
    """What members other than game masters are told of a change, and who they are (None: all members)."""

    payload: dict[str, Any] | None = None
    audience: list[UUID] | None = None


def shared(
    ground: Ground,
    payload: Mapping[str, Any],
    old: State | None,
    new: State | None,
    readers: Sequence[tuple[UUID, Role]] | None = None,
) -> Shared | None:
    """What others are told of a change from one state to another; None if the token did not exist.

    Only who sees the token before and after is told: for them, a token that appears or disappears without being
    created or deleted is not an event. On a map with fog nobody is. `readers` are the members who are not game
    masters; returns None if these have to be given.
    """
    if not ground.is_published or ground.fog != "off":
        return Shared()
    states = [state for state in (old, new) if state]
    told = {name: payload[name] for name in _TOLD if name in payload}
    private = {name: payload[name] for name in _SHEET if name in payload}
    if "bars" in payload and new:
        public = _public(new.bars)
        if old is None or not same(public, _public(old.bars)):
            told["bars"] = public
        else:
            private["bars"] = payload["bars"]
        (told if "bars" in told else private).update(
            {name: payload[name] for name in ("bar", "amount") if name in payload}
        )
    is_told = bool(told) or len(states) < 2
    if is_told and not any(state.hidden for state in states):
        return Shared({"map_id": ground.id, **told})
    if readers is None:
        return None
    audience = []
    for user_id, role in readers:
        rights = [rights_of(state.grants, state.character_grants, user_id, role) for state in states]
        if any(state.hidden and Right.see not in one for state, one in zip(states, rights, strict=True)):
            continue
        if is_told or len({*rights}) > 1 or (private and Right.sheet in rights[-1]):
            audience.append(user_id)
    if not audience:
        return Shared()
    if private and not is_told and _same_rights(states):
        told = private
    return Shared({"map_id": ground.id, **told}, audience)


def _same_rights(states: Sequence[State]) -> bool:
    old, new = states
    return same(old.grants, new.grants) and same(old.character_grants, new.character_grants)


def require_place(ground: Ground, grid_type: GridType, x: float, y: float, size: float) -> None:
    """Check that a token of this size can be at this place of a map.

    Raises:
        Unprocessable: it would be outside the map, or between cells.
    """
    if grid_type == "none":
        fits = x + size <= ground.width and y + size <= ground.height
    else:
        for name, value in (("x", x), ("y", y)):
            if not float(value).is_integer():
                message = "Must be a whole number, because this map has a grid."
                raise Unprocessable(errors=[FieldError(name, "not_whole", message)])
        fits = is_on_map(grid_type, anchor(grid_type, x, y, size), size, ground.width, ground.height)
    if not fits:
        message = f"The map is {ground.width} x {ground.height} cells: the token would not be on it."
        raise Unprocessable(errors=[FieldError("x", "out_of_bounds", message)])


async def _checked(session: AsyncSession, home: Access, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check that the user may see everything that fields refer to, including what a token takes from the
    character.

    Raises:
        Unprocessable: a named user is not a member, or the user may not see the character or picture.
    """
    await grants.require_members(session, home.universe.id, fields.get("grants", {}))
    asset_id, character_id = fields.get("asset_id"), fields.get("character_id")
    if asset_id is not None and not await assets.is_seen(session, home, asset_id):
        message = "The picture does not exist in this universe, or you may not see it."
        raise Unprocessable(errors=[FieldError("asset_id", "not_found", message)])
    if character_id is None:
        return {}
    here = col(Character.universe_id) == home.universe.id, col(Character.id) == character_id
    statement = select(type_coerce(_of_character(), JSONB)).where(*here)
    found: Mapping[str, Any] | None = (await session.execute(statement)).scalar_one_or_none()
    if found is None:
        message = "The character does not exist in this universe."
        raise Unprocessable(errors=[FieldError("character_id", "not_found", message)])
    return found
