"""The SQL of notes: what each member may read of them, and the search."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, false, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.accounts.models import User
from game.assets import queries as assets
from game.core import pages
from game.core.errors import FieldError, Forbidden, NotFound, Unprocessable
from game.core.tags import players_tag
from game.core.versions import Tagged
from game.events import queries as events
from game.fog import views
from game.fog.models import Fog
from game.fog.viewers import viewer_of
from game.fog.views import MapView
from game.grants import Right
from game.grid.cell_sets import contains
from game.maps.models import Map, Visibility
from game.maps.queries import WITHOUT_GRID
from game.notes.markdown import pictures
from game.notes.models import Note, NoteHtml, NoteRead, NoteSummary
from game.universes import access, quotas
from game.universes.access import Access
from game.universes.quotas import Usage

_PLACE = ("map_id", "x", "y")
_STORED = ("title", "body", "grants", *_PLACE)
_FOR_GAME_MASTERS = ("version", "updated_at")
_MAX_PICTURES = 20
"""The maximum number of pictures that a player may add to a note in one request."""
_MIN_PREFIX = 3
"""The minimum length of words for which a search also finds longer words that begin with them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A note, the caller's access and rights, and whether they see its position on the map."""

    row: Note
    access: Access
    rights: frozenset[Right]
    sees_place: bool

    def summary(self) -> NoteSummary:
        """The note without its text, as in lists."""
        return NoteSummary(**self._fields(set(NoteSummary.model_fields)))

    def document(self, html: str | None = None) -> Tagged:
        """The note as JSON, with its tag; with its text also as HTML, if that is given."""
        fields = self._fields(set(NoteRead.model_fields))
        body = NoteRead(**fields).model_dump_json(exclude_unset=True).encode()
        tag = self.row.version if self.access.is_game_master else players_tag(self.row.etag_key, body)
        if html is not None:
            body = NoteHtml(**fields, html=html).model_dump_json(exclude_unset=True).encode()
        return Tagged(body, tag)

    def _fields(self, names: set[str]) -> dict[str, Any]:
        row, caller = self.row, self.access
        fields = {name: getattr(row, name) for name in names}
        fields["grants"] = grants.shown(row.grants, caller.user.id, caller.role)
        if not self.sees_place:
            fields |= dict.fromkeys(_PLACE)
        if not caller.is_game_master:
            fields = {name: value for name, value in fields.items() if name not in _FOR_GAME_MASTERS}
        return fields


async def _found(session: AsyncSession, caller: Access, rows: Iterable[Note]) -> list[Found]:
    """Notes of a universe, each with the caller's rights, and whether they see its position."""
    rows = list(rows)
    pins = [row for row in rows if row.map_id]
    shown = {row.id for row in pins} if caller.is_game_master else await _pins_seen(session, caller, pins)
    return [
        Found(row, caller, grants.rights(row.grants, caller.user.id, caller.role), row.id in shown) for row in rows
    ]


async def _pins_seen(session: AsyncSession, caller: Access, pins: list[Note]) -> set[UUID]:
    """The ids of the pins whose position a player sees."""
    found = set()
    published = await _published(session, caller.universe.id, {pin.map_id for pin in pins})
    for row in published:
        on_map = [pin for pin in pins if pin.map_id == row.id]
        if row.fog == Fog.off:
            found |= {pin.id for pin in on_map}
            continue
        shown = (await _view(session, caller, row)).fogged.shown
        found |= {pin.id for pin in on_map if contains(shown, *_cell(pin, row))}
    return found


def _cell(pin: Note, row: Map) -> tuple[int, int]:
    """The cell of a pin; one on the far edge of the map is in the last cell."""
    return min(int(pin.x or 0), row.width - 1), min(int(pin.y or 0), row.height - 1)


async def _view(session: AsyncSession, caller: Access, row: Map) -> MapView:
    """What a player sees of a map with fog."""
    viewer = viewer_of(row.fog_sharing, caller.user.id)
    if kept := views.cached(views.ViewKey(row.id, viewer, caller.universe.event_seq)):
        return kept
    whole_row = await session.get_one(Map, (row.universe_id, row.id), populate_existing=True)
    return await views.view_of(session, whole_row, viewer)


async def _published(session: AsyncSession, universe_id: UUID, map_ids: set[UUID | None]) -> list[Map]:
    """The published maps among these, without their grids."""
    if not map_ids:
        return []
    statement = select(Map).where(
        col(Map.universe_id) == universe_id,
        col(Map.id).in_(map_ids),
        col(Map.visibility) == Visibility.members,
    )
    return [*(await session.execute(statement.options(*WITHOUT_GRID))).scalars()]


async def get(session: AsyncSession, user: User, note_id: UUID, operation: str) -> Found:
    """A note that the user may read.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation in its universe.
    """
    row = (await session.execute(select(Note).where(col(Note.id) == note_id))).scalar_one_or_none()
    caller = (await access.find(session, user, [row.universe_id])).get(row.universe_id) if row else None
    if row is None or caller is None:
        raise NotFound
    [found] = await _found(session, caller, [row])
    if Right.see not in found.rights:
        raise NotFound
    caller.require(operation)
    return found


async def get_to_change(session: AsyncSession, user: User, note_id: UUID, operation: str) -> Found:
    """A note that the user may change, in a universe that is locked until the transaction ends.

    Raises:
        NotFound: it does not exist, or the user may not see it.
        Forbidden: they may not do this operation with it.
    """
    universe_id = (await get(session, user, note_id, operation)).row.universe_id
    caller = (await access.lock(session, user, {universe_id: operation}))[universe_id]
    # Read again under the lock, because it may have been changed or deleted meanwhile.
    row = await session.get(Note, (universe_id, note_id), populate_existing=True)
    if row is None:
        raise NotFound
    [found] = await _found(session, caller, [row])
    if Right.see not in found.rights:
        raise NotFound
    if Right.act not in found.rights:
        raise Forbidden
    return found


async def page(session: AsyncSession, caller: Access, query: pages.PageQuery) -> Mapping[str, Any]:
    """A page of the notes of a universe that a member may read; with `q`, only those with all of its words."""
    statement = select(Note).where(col(Note.universe_id) == caller.universe.id)
    if not caller.is_game_master:
        statement = statement.where(grants.granted(col(Note.grants), Right.see, caller.user.id))
    if query.q:
        statement = statement.where(_has_words(query.q, caller.universe.id))
    listed = await pages.page_of(session, statement, Note, query._replace(q=None), name_column=col(Note.title))
    return {**listed, "items": [one.summary() for one in await _found(session, caller, listed["items"])]}


def _has_words(q: str, universe_id: UUID) -> ColumnElement[bool]:
    """The condition that a note of a universe has the words of a text; for long words, a prefix is enough."""
    words = re.findall(r"\w+", q)
    if not words:
        return false()
    wanted = " & ".join(f"'{word}':*" if len(word) >= _MIN_PREFIX else f"'{word}'" for word in words)
    universe = f"'universe:{universe_id}'"
    # The cast tsquery is not parsed; to_tsquery parses the words like those of the notes.
    words_of_universe: ColumnElement[bool] = _HAS_WORDS.bindparams(wanted=wanted, universe=universe)
    return words_of_universe


_HAS_WORDS: Any = text("note.search @@ (to_tsquery('simple', :wanted) && cast(:universe AS tsquery))")


async def create(session: AsyncSession, caller: Access, fields: Mapping[str, Any]) -> Found:
    """Create a note in a locked universe; its author may change it.

    Raises:
        Unprocessable: a named user is not a member, or the author may not see the place.
        QuotaExceeded: there is no room for it.
    """
    if not caller.is_game_master:
        fields = {**fields, "grants": {**fields["grants"], str(caller.user.id): [Right.act]}}
    await _check(session, caller, fields, {})
    await _check_pictures(session, caller, fields["body"], "")
    shown = sorted(pictures(fields["body"]))
    row = Note(universe_id=caller.universe.id, author_id=caller.user.id, asset_ids=shown, **fields)
    session.add(row)
    await session.flush()
    payload = {name: getattr(row, name) for name in _STORED}
    await _record(session, "note.created", caller, row, payload, None, {})
    return (await _found(session, caller, [row]))[0]


async def change(session: AsyncSession, found: Found, fields: Mapping[str, Any]) -> Found:
    """Set fields of a note in a locked universe. Equal values are not a change.

    Raises:
        Forbidden: a field is for game masters.
        Unprocessable: a named user is not a member, or the user may not see the place.
        QuotaExceeded: there is no room for it.
    """
    row, caller = found.row, found.access
    if "grants" in fields and not caller.is_game_master:
        raise Forbidden("Only game masters may change `grants`. You can set them when you create a note.")
    # For a user who does not see its place, it has none.
    place = {name: getattr(row, name) if found.sees_place else None for name in _PLACE}
    if fields.get("map_id", row) is None:
        fields = {**fields, "x": None, "y": None}
    new = {name: value for name, value in fields.items() if value != place.get(name, getattr(row, name))}
    if not new:
        return found
    await _check(session, caller, new, place)
    if "body" in new:
        await _check_pictures(session, caller, new["body"], row.body)
        row.asset_ids = sorted(pictures(new["body"]))
    old = {name: getattr(row, name) for name in new}
    for name, value in new.items():
        setattr(row, name, value)
    row.touch()
    payload = {**new, "version": row.version}
    await _record(session, "note.updated", caller, row, payload, old, old.get("grants", row.grants))
    return (await _found(session, caller, [row]))[0]


async def remove(session: AsyncSession, found: Found) -> None:
    """Delete a note of a locked universe.

    Raises:
        Forbidden: the user is neither a game master nor its author.
    """
    row, caller = found.row, found.access
    if not caller.is_game_master and row.author_id != caller.user.id:
        raise Forbidden
    before = {name: getattr(row, name) for name in _STORED}
    payload = {"title": row.title}
    visible = await grants.visible_change(session, row.universe_id, row.grants, {}, {})
    shared, audience = visible.shared(payload), visible.audience
    await events.record(
        session, "note.deleted", caller.user.id, row, payload, before, shared=shared, audience=audience
    )
    await session.delete(row)


async def _record(
    session: AsyncSession,
    kind: str,
    caller: Access,
    row: Note,
    payload: dict[str, Any],
    before: dict[str, Any] | None,
    old_grants: Mapping[str, list[str]],
) -> None:
    """Write the event of a change. Its payload only says that the text was changed; `before` has the old state."""
    size = len(orjson.dumps([payload, before], default=str))
    await quotas.require_room(session, row.universe_id, Usage(events=size))
    changed: dict[str, Right] = {name: Right.see for name in ("title", "body") if name in payload}
    places: set[UUID | None] = {one for one in (row.map_id, (before or {}).get("map_id")) if one}
    moves = any(name in payload for name in _PLACE)
    published = await _published(session, row.universe_id, places) if moves else []
    if any(one.fog == Fog.off for one in published):
        # Without the new position, because not all recipients may see both positions.
        changed["place"] = Right.see
    payload = {**payload, "body": "replaced"} if "body" in payload else payload
    visible = await grants.visible_change(session, row.universe_id, old_grants, row.grants, changed)
    shared, audience = visible.shared(payload), visible.audience
    await events.record(session, kind, caller.user.id, row, payload, before, shared=shared, audience=audience)


async def _check(
    session: AsyncSession, caller: Access, fields: Mapping[str, Any], place: Mapping[str, Any]
) -> None:
    """Check that the named users are members, and that the user may see the place.

    `place` is the note's current position.

    Raises:
        Unprocessable: one is not.
    """
    await grants.require_members(session, caller.universe.id, fields.get("grants", {}))
    if not fields.keys() & set(_PLACE):
        return
    map_id, x, y = ({**place, **fields}.get(name) for name in _PLACE)
    if map_id is x is y is None:
        return
    if map_id is None or x is None or y is None:
        message = "A place needs `map_id`, `x` and `y`. `map_id: null` removes it."
        raise Unprocessable(errors=[FieldError("map_id", "place_incomplete", message)])
    by_id = col(Map.universe_id) == caller.universe.id, col(Map.id) == map_id
    found = (await session.execute(select(Map).where(*by_id).options(*WITHOUT_GRID))).scalar_one_or_none()
    if found is None or not (found.is_published or caller.is_game_master):
        raise Unprocessable(
            errors=[
                FieldError(
                    "map_id", "not_found", "The map does not exist in this universe, or you may not see it."
                )
            ]
        )
    for name, value, end in (("x", x, found.width), ("y", y, found.height)):
        if value > end:
            raise Unprocessable(errors=[FieldError(name, "off_the_map", f"The map ends at {end}.")])


async def _check_pictures(session: AsyncSession, caller: Access, body: str, old: str) -> None:
    """Check that a player adds only pictures that they see, because all readers of a note may see its pictures.

    Raises:
        Unprocessable: they may not see a picture, or add too many.
    """
    new = set() if caller.is_game_master else pictures(body) - pictures(old)
    if len(new) > _MAX_PICTURES:
        raise Unprocessable(
            errors=[FieldError("body", "too_many_pictures", f"Add at most {_MAX_PICTURES} pictures.")]
        )
    for asset_id in new:
        if not await assets.is_seen(session, caller, asset_id):
            message = "One of the pictures does not exist in this universe, or you may not see it."
            raise Unprocessable(errors=[FieldError("body", "not_found", message)])
