"""The SQL of characters, and what each member sees of them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy import ColumnElement, Text, case, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.accounts.models import User
from game.assets import queries as assets
from game.characters.models import Character, CharacterRead, Kind
from game.characters.sheets import SHEET, damaged, healed
from game.core import pages
from game.core.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from game.core.models import now
from game.core.tags import players_tag
from game.core.versions import Tagged
from game.events import queries as events
from game.grants import Right
from game.grid.changes import same
from game.grid.edits.editor import apply_merge_patch
from game.permissions import Role
from game.universes import access, quotas
from game.universes.access import Access
from game.universes.quotas import Usage

_SHOWN = ("id", "universe_id", "name", "kind", "asset_id", "created_at")
_FOR_GAME_MASTERS = ("gm", "version", "updated_at")
_OPEN = ("name", "kind", "asset_id")
"""Fields for everybody who sees the character."""
_STORED = (*_OPEN, "sheet", "grants", "gm")
_EVENT_FIELDS = (*_OPEN, "sheet", "amount")
"""Fields in events for members other than game masters, if they may read them."""


# The table is named in SQL, because its module must not be imported here.
_LEAVE_TOKENS = text("""
    UPDATE token SET character_id = NULL, version = version + 1, updated_at = :now
    WHERE universe_id = :universe_id AND character_id = :character_id
""")


# Tokens with the name of their character get its new name.
_RENAME_TOKENS = text("""
    UPDATE token SET name = :new, version = version + 1, updated_at = :now
    WHERE universe_id = :universe_id AND character_id = :character_id AND name = :old
""")


class NoHitPoints(Conflict):
    """The character's sheet has no `hit_points`. Add them first."""

    code = "NO_HIT_POINTS"


@dataclass(frozen=True, slots=True)
class Found:
    """A character, the caller's access to its universe, and their rights."""

    row: Character
    access: Access
    rights: frozenset[Right]

    @classmethod
    def of(cls, row: Character, caller: Access) -> "Found":
        """A row with the rights of a caller."""
        return cls(row, caller, grants.rights(row.grants, caller.user.id, caller.role))

    @property
    def role(self) -> Role:
        """The caller's role in its universe."""
        return self.access.role

    def read(self) -> CharacterRead:
        """The character as the caller may see it."""
        row, caller = self.row, self.access
        names = _SHOWN + (_FOR_GAME_MASTERS if caller.is_game_master else ())
        fields = {name: getattr(row, name) for name in names}
        if Right.sheet in self.rights:
            fields["sheet"] = row.sheet
        fields["grants"] = grants.shown(row.grants, caller.user.id, caller.role)
        return CharacterRead(**fields)

    def document(self) -> Tagged:
        """The result of `read` as JSON, with its tag."""
        body = self.read().model_dump_json(exclude_unset=True).encode()
        if self.access.is_game_master:
            return Tagged(body, self.row.version)
        return Tagged(body, players_tag(self.row.etag_key, body))


async def get(session: AsyncSession, user: User, character_id: UUID, operation: str) -> Found:
    """A character that the user may see.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation in its universe.
    """
    statement = select(Character).where(col(Character.id) == character_id)
    row = (await session.execute(statement)).scalar_one_or_none()
    caller = (await access.find(session, user, [row.universe_id])).get(row.universe_id) if row else None
    if row is None or caller is None:
        raise NotFound
    found = Found.of(row, caller)
    if Right.see not in found.rights:
        raise NotFound
    caller.require(operation)
    return found


async def get_to_act(session: AsyncSession, user: User, character_id: UUID, operation: str) -> Found:
    """A character that the user may act for.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation with it.
    """
    found = await get(session, user, character_id, operation)
    if Right.act not in found.rights:
        raise Forbidden
    return found


async def get_to_change(session: AsyncSession, user: User, character_id: UUID, operation: str) -> Found:
    """A character that the user may act for, in a universe that is locked until the transaction ends.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation with it.
    """
    universe_id = (await get(session, user, character_id, operation)).row.universe_id
    caller = (await access.lock(session, user, {universe_id: operation}))[universe_id]
    # Read again under the lock, because it may have been changed or deleted meanwhile.
    row = await session.get(Character, (universe_id, character_id), populate_existing=True)
    found = Found.of(row, caller) if row else None
    if found is None or Right.see not in found.rights:
        raise NotFound
    if Right.act not in found.rights:
        raise Forbidden
    return found


async def character_to_act_for(session: AsyncSession, caller: Access, character_id: UUID) -> Character:
    """A character of a universe that the user may act for: speak as it, roll with its sheet.

    Raises:
        NotFound: it does not exist, or the user may not see it or act for it.
    """
    row = await session.get(Character, (caller.universe.id, character_id), populate_existing=True)
    if row is None or Right.act not in Found.of(row, caller).rights:
        raise NotFound
    return row


async def seen_ids(session: AsyncSession, caller: Access, ids: Collection[UUID | None]) -> frozenset[UUID | None]:
    """The ids of the characters among these that the caller sees; game masters see all, even deleted ones."""
    wanted = set(ids) - {None}
    if caller.is_game_master or not wanted:
        return frozenset(ids)
    statement = select(col(Character.id)).where(
        col(Character.universe_id) == caller.universe.id,
        col(Character.id).in_(wanted),
        grants.granted(col(Character.grants), Right.see, caller.user.id),
    )
    return frozenset((await session.execute(statement)).scalars())


async def page(session: AsyncSession, caller: Access, query: pages.PageQuery) -> Mapping[str, Any]:
    """A page of the characters of a universe that a member sees, with their sheets."""
    statement = select(Character).where(col(Character.universe_id) == caller.universe.id)
    size: ColumnElement[int] = func.octet_length(cast(col(Character.sheet), Text))
    if not caller.is_game_master:
        statement = statement.where(grants.granted(col(Character.grants), Right.see, caller.user.id))
        # Filtered in SQL, so that the number of items on a page reveals nothing about hidden ones.
        size = case((grants.granted(col(Character.grants), Right.sheet, caller.user.id), size), else_=0)
    listed = await pages.page_of(
        session,
        statement,
        Character,
        query,
        searched=[col(Character.name)],
        size=size,
    )
    return {**listed, "items": [Found.of(row, caller).read() for row in listed["items"]]}


async def create(session: AsyncSession, caller: Access, fields: Mapping[str, Any]) -> Found:
    """Create a character in a locked universe; a creator who is not a game master gets `act`.

    Raises:
        Forbidden: a field is for game masters.
        Unprocessable: a named user is not a member, or the user may not see the picture.
        QuotaExceeded: there is no room for it.
    """
    if not caller.is_game_master:
        _require_own(fields, Kind.player)
        fields = {**fields, "grants": {str(caller.user.id): [Right.act]}}
    await _check(session, caller, fields)
    row = Character(universe_id=caller.universe.id, **fields)
    session.add(row)
    await session.flush()
    payload = {**_difference({name: getattr(row, name) for name in _STORED}, {}), "version": row.version}
    await _record(session, "character.created", caller, row, payload, None, {})
    return Found.of(row, caller)


async def change(session: AsyncSession, found: Found, fields: Mapping[str, Any]) -> Found:
    """Set fields of a character in a locked universe. Equal values are not a change.

    Raises:
        Forbidden: a field is for game masters.
        Unprocessable: a named user is not a member, or the user may not see the picture.
        QuotaExceeded: there is no room for it.
    """
    row, caller = found.row, found.access
    if not caller.is_game_master:
        _require_own(fields, row.kind)
    new = {name: value for name, value in fields.items() if not _equals(row, name, value)}
    if not new:
        return found
    await _check(session, caller, new)
    return await _store(session, found, new, "updated")


def _equals(row: Character, name: str, value: Any) -> bool:
    """Whether a field has this value."""
    old = getattr(row, name)
    return same(old, value) if name in ("sheet", "grants", "gm") else bool(old == value)


def patched_sheet(found: Found, patch: Mapping[str, Any]) -> dict[str, Any]:
    """The sheet of a character after a merge patch.

    Raises:
        RequestValidationError: the sheet would be invalid; names the place.
    """
    try:
        return SHEET.validate_python(apply_merge_patch(found.row.sheet, patch))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", "sheet", *one["loc"])} for one in faults]) from None


async def damage(session: AsyncSession, found: Found, amount: int) -> Found:
    """Damage a character, whose universe is locked.

    Raises:
        NoHitPoints: it has no hit points.
    """
    return await _change_points(session, found, "damaged", damaged, amount)


async def heal(session: AsyncSession, found: Found, amount: int) -> Found:
    """Heal a character, whose universe is locked.

    Raises:
        NoHitPoints: it has no hit points.
    """
    return await _change_points(session, found, "healed", healed, amount)


async def _change_points(
    session: AsyncSession,
    found: Found,
    verb: str,
    rule: Callable[[dict[str, Any], int], dict[str, Any]],
    amount: int,
) -> Found:
    points = found.row.sheet.get("hit_points")
    if points is None:
        raise NoHitPoints
    after = rule(points, amount)
    if after == points:
        return found
    return await _store(session, found, {"sheet": {**found.row.sheet, "hit_points": after}}, verb, amount=amount)


async def remove(session: AsyncSession, found: Found) -> None:
    """Delete a character, whose universe is locked. Its tokens and combatants remain."""
    row = found.row
    before = {name: getattr(row, name) for name in _STORED}
    visible = await grants.visible_change(session, row.universe_id, row.grants, {}, {})
    payload = {"name": row.name}
    await events.record(
        session,
        "character.deleted",
        found.access.user.id,
        row,
        payload,
        before,
        shared=visible.shared(payload),
        audience=visible.audience,
    )
    await session.execute(_LEAVE_TOKENS, {"universe_id": row.universe_id, "character_id": row.id, "now": now()})
    await session.delete(row)


async def _store(session: AsyncSession, found: Found, new: Mapping[str, Any], verb: str, **more: Any) -> Found:
    """Write new values of fields, and the event."""
    row = found.row
    old = {name: getattr(row, name) for name in new}
    for name, value in new.items():
        setattr(row, name, value)
    row.touch()
    payload = {**more, **_difference(new, old), "version": row.version}
    if "name" in new:
        names = {"old": old["name"], "new": new["name"]}
        place = {"universe_id": row.universe_id, "character_id": row.id}
        await session.execute(_RENAME_TOKENS, {**place, **names, "now": now()})
    before = _difference(old, new)
    await _record(session, f"character.{verb}", found.access, row, payload, before, old.get("grants", row.grants))
    if "grants" in new or _senses(new.get("sheet", {})) != _senses(old.get("sheet", {})):
        await grants.sight_changed(session, row.universe_id, row.id)
    return Found.of(row, found.access)


def _senses(sheet: Mapping[str, Any]) -> Any:
    """The fields that determine what a character's tokens see."""
    return sheet.get("senses")


async def _record(
    session: AsyncSession,
    kind: str,
    caller: Access,
    row: Character,
    payload: dict[str, Any],
    before: dict[str, Any] | None,
    old_grants: Mapping[str, list[str]],
) -> None:
    """Write the event of a change.

    Members other than game masters get it only if they see the change, with the fields that all recipients may
    read.
    """
    size = len(orjson.dumps([payload, before], default=str))
    await quotas.require_room(session, row.universe_id, Usage(events=size))
    changed = {name: Right.see if name in _OPEN else Right.sheet for name in payload if name in _EVENT_FIELDS}
    visible = await grants.visible_change(session, row.universe_id, old_grants, row.grants, changed)
    shared = visible.shared(payload)
    await events.record(
        session, kind, caller.user.id, row, payload, before, shared=shared, audience=visible.audience
    )


def _difference(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """New values of fields in the form of an event: for a sheet, the changed keys."""
    fields = dict(new)
    if "sheet" in new:
        was = old.get("sheet", {})
        put = {key: one for key, one in new["sheet"].items() if key not in was or not same(one, was[key])}
        fields["sheet"] = {"put": put, "removed": sorted(was.keys() - new["sheet"].keys())}
    return fields


def _require_own(fields: Mapping[str, Any], kind: str) -> None:
    """Check that players may set these fields of a character of this kind.

    Raises:
        Forbidden: one of them is for game masters.
    """
    if fields.get("kind", kind) != kind or "grants" in fields or "gm" in fields:
        raise Forbidden("Only game masters may set `grants` and `gm`, or `kind` to anything other than `player`.")


async def _check(session: AsyncSession, caller: Access, fields: Mapping[str, Any]) -> None:
    """Check that the named users are members, and that the user may see the picture.

    Raises:
        Unprocessable: one is not.
    """
    await grants.require_members(session, caller.universe.id, fields.get("grants", {}))
    asset_id = fields.get("asset_id")
    if asset_id is not None and not await assets.is_seen(session, caller, asset_id):
        raise Unprocessable(
            errors=[
                FieldError(
                    "asset_id", "not_found", "The picture does not exist in this universe, or you may not see it."
                )
            ]
        )
