"""Writing and reading the event log."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.core.errors import FieldError, Unprocessable
from game.core.json_gate import MAX_EVENT_DEPTH
from game.core.models import rfc3339
from game.events import hints
from game.events.cursors import Cursors, bound_to
from game.events.models import Epoch, Event
from game.grants import Right

_MAX_BYTES = 4 * 2**20
"""The maximum size of the payloads on a page, except for its last event, in bytes."""

_EVENT_BYTES = 200
"""The approximate size of an event without its payload."""

_PRIVATE_BYTES = 1024
"""The size of private events is rounded up to this, because the owner can read how much a universe stores."""

# The counter is in the universe's row, which a writer locks until the commit. So the numbers have no gaps and
# become visible in order, and a reader that resumes from a number misses nothing.
_RECORD = text("""
    WITH counted AS (
        UPDATE universe SET event_seq = event_seq + 1, event_bytes = event_bytes + :bytes
        WHERE id = :universe_id RETURNING event_seq
    )
    INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, before, audience, shared, created_at)
    SELECT :universe_id, event_seq, :actor_id, :kind, :subject_id,
        cast(:payload AS jsonb), cast(:before AS jsonb), :audience, cast(:shared AS jsonb), clock_timestamp()
    FROM counted
    RETURNING seq
""").bindparams(bindparam("audience", type_=ARRAY(Uuid)))


class Written(NamedTuple):
    """The stored parts of an event as JSON texts, and their approximate size."""

    payload: str | None
    before: str | None
    shared: str | None
    size: int

    @classmethod
    def of(
        cls,
        kind: str,
        payload: Mapping[str, Any],
        before: Mapping[str, Any] | None,
        shared: Mapping[str, Any] | None,
    ) -> "Written":
        """The stored form of the arguments of `record`."""
        payload_text, before_text, shared_text = (
            None if value is None else _json(value) for value in (payload, before, shared)
        )
        size = _EVENT_BYTES + sum(len(text) for text in (payload_text, before_text, shared_text) if text)
        if kind == PRIVATE:
            size = -(-size // _PRIVATE_BYTES) * _PRIVATE_BYTES
        return cls(payload_text, before_text, shared_text, size)


class Subject(Protocol):
    """The subject of an event: a universe, or an object in one."""

    @property
    def id(self) -> UUID:
        """The id that events have as their subject."""

    @property
    def universe_id(self) -> UUID:
        """The universe in whose log the events are."""


async def record(
    session: AsyncSession,
    kind: str,
    actor_id: UUID | None,
    subject: Subject,
    payload: dict[str, Any],
    before: dict[str, Any] | None = None,
    *,
    shared: Mapping[str, Any] | None = None,
    audience: Collection[UUID] | None = None,
) -> int:
    """Add an event to a universe's log, in the transaction of the write; returns its number.

    `payload` and `before` are for game masters. `shared` is the payload for other members (None: not for them),
    and `audience` are its recipients (None: all). It must not contain anything that one of them may not see.
    """
    await session.flush()
    written = Written.of(kind, payload, before, shared)
    result = await session.execute(
        _RECORD,
        {
            "universe_id": subject.universe_id,
            "actor_id": actor_id,
            "kind": kind,
            "subject_id": subject.id,
            "payload": written.payload,
            "before": written.before,
            "audience": None if audience is None else list(audience),
            "shared": written.shared,
            "bytes": written.size,
        },
    )
    hints.written(session, subject.universe_id)
    return int(result.scalar_one())


@dataclass(frozen=True, slots=True)
class _UniverseLog:
    id: UUID
    universe_id: UUID


PRIVATE: Final = "private"
"""The kind of events that game masters may not see either, such as whispers."""


async def record_private(
    session: AsyncSession,
    kind: str,
    actor_id: UUID,
    subject: Subject,
    payload: Mapping[str, Any],
    audience: Collection[UUID],
) -> int:
    """Add an event that only its audience gets, not even game masters; returns its number.

    The content is only in `shared`; the rest of the row shows no more than that there was an event.
    """
    universe_log = _UniverseLog(subject.universe_id, subject.universe_id)
    shared = {"kind": kind, "actor_id": actor_id, "subject_id": subject.id, "payload": payload}
    return await record(session, PRIVATE, None, universe_log, {}, shared=shared, audience=audience)


def unwrap_private(event: dict[str, Any]) -> dict[str, Any]:
    """A private event as its audience gets it: its payload is what `record_private` put into `shared`."""
    return {**event, **event["payload"]}


def _json(value: Mapping[str, Any]) -> str:
    # The driver has its own subclass of UUID.
    return orjson.dumps(value, default=str).decode()


def log_of(subject: Subject) -> Select[tuple[Event]]:
    """The events of one subject of a universe, newest first."""
    return (
        select(Event)
        .where(col(Event.universe_id) == subject.universe_id, col(Event.subject_id) == subject.id)
        .order_by(col(Event.seq).desc())
    )


# The tables are named in SQL, because their modules import this one.
_MAP = """
    map.universe_id = event.universe_id AND map.id =
        CASE WHEN event.kind LIKE 'token.%' THEN (event.shared->>'map_id')::uuid ELSE event.subject_id END
"""
NOT_OF_HIDDEN_MAP = f"""
    (
        event.kind !~ '^(map|token)[.]'
        OR event.shared->>'visibility' = 'game_masters'
        OR EXISTS (
            SELECT FROM map
            WHERE {_MAP} AND map.visibility = 'members' AND (map.fog = 'off' OR event.shared ? 'visibility')
        )
        OR event.kind IN ('map.deleted', 'map.moved_out') AND NOT EXISTS (SELECT FROM map WHERE {_MAP})
    )
"""
"""SQL: the condition that an event is not about a map that members cannot read now, unless it is the event that
took the map away from them: it was hidden, deleted or moved."""


CHARACTER_GRANTS = """
    (SELECT grants::text FROM character WHERE character.universe_id = event.universe_id AND character.id = cast(
        CASE WHEN event.kind ~ '^(roll|message)[.]' THEN event.shared->>'character_id'
            WHEN event.kind = 'private' THEN event.shared->'payload'->>'character_id' END AS uuid
    ))
"""
"""SQL: the grants of the character in a roll or message; null if there is none, or it was deleted."""


def row(payload: str, shared: str, character_grants: str = "NULL") -> str:
    """SQL: an event as a JSON array. Payloads remain text, because each is validated separately.

    The arguments are the SQL of the payloads as texts and, for rolls and messages, of CHARACTER_GRANTS.
    """
    return f"""json_build_array(
        seq, kind, actor_id, subject_id, {rfc3339("created_at")}, {payload}, {shared}, audience,
        extract(epoch FROM created_at), {character_grants}
    )"""


WRITTEN_ROW = row("payload::text", "shared::text")
"""SQL: the row of an event that was written just now, without a character."""


def without_unseen_character(event: dict[str, Any], *, is_seen: bool) -> dict[str, Any]:
    """Remove the character from a roll or message, unless the reader sees that character now."""
    payload = event["payload"]
    if is_seen or not event["kind"].startswith(("roll.", "message.")) or "character_id" not in payload:
        return event
    return {**event, "payload": {**payload, "character_id": None}}


def character_seen_by(character_grants: str | None) -> frozenset[str]:
    """Who sees the character with these `CHARACTER_GRANTS`: ids of users, or `members` for all members."""
    return frozenset() if character_grants is None else grants.holders(orjson.loads(character_grants), Right.see)


def is_holder(user_id: UUID, holders: frozenset[str]) -> bool:
    """Whether a user is one of the holders of a right."""
    return bool(holders) and (grants.MEMBERS in holders or str(user_id) in holders)


class Reader:
    """A reader of a universe's log, with the encryption of cursors for them."""

    __slots__ = ("_cursors", "bound", "universe_id", "user_id")

    def __init__(self, cursors: Cursors, user_id: UUID, universe_id: UUID, epoch: UUID) -> None:
        self.user_id, self.universe_id = user_id, universe_id
        self._cursors, self.bound = cursors, bound_to(user_id, universe_id, epoch)

    def cursor(self, seq: int) -> str:
        """The cursor after event `seq`."""
        return self._cursors.encrypt(seq, self.bound).decode()

    def find(self, cursor: str) -> int | None:
        """The number of the event of a cursor of this reader; None for any other text."""
        return self._cursors.decrypt(cursor, self.bound)

    def seq_of(self, cursor: str) -> int:
        """The number of the event of a cursor of this reader.

        Raises:
            Unprocessable: it is invalid, belongs to another user, or is older than a restore of the database.
        """
        seq = self.find(cursor)
        if seq is None:
            error = FieldError(
                "cursor", "cursor_invalid", "This is not your cursor for the events of this universe."
            )
            raise Unprocessable(errors=[error])
        return seq


async def reader(session: AsyncSession, cursors: Cursors, user_id: UUID, universe_id: UUID) -> Reader:
    """A reader of a universe's log."""
    epoch = (await session.execute(select(col(Epoch.epoch)))).scalar_one()
    return Reader(cursors, user_id, universe_id, epoch)


async def page(
    session: AsyncSession, reader: Reader, seq: int, limit: int, *, for_game_masters: bool
) -> dict[str, Any]:
    """The events that follow number `seq`, oldest first: up to `limit`, fewer if they are large.

    Game masters get every event with its number. Others get those shared with them, with `shared` as the payload.
    Members who are not in the audience of a private event do not get it; game masters get it without its content.
    If the reader does not see the character of a roll or message now, it is left out. `before` is not included: it
    may be megabytes, and is only for undo. An imported payload that no request could have produced is left empty.
    """
    columns = [Event.seq, Event.kind, Event.actor_id, Event.subject_id, Event.created_at]
    payload: Any = col(Event.shared)
    if for_game_masters:
        payload = case((_is_private_for(reader.user_id), col(Event.shared)), else_=col(Event.payload))
    payload = cast(payload, Text)
    statement = select(
        *map(col, columns),
        payload.label("payload"),
        func.octet_length(payload).label("bytes"),
        literal_column(CHARACTER_GRANTS).label("character_grants"),
    )
    statement = statement.where(col(Event.universe_id) == reader.universe_id, col(Event.seq) > seq)
    if not for_game_masters:
        statement = statement.where(shared_with(reader.user_id))
    some = statement.order_by(col(Event.seq)).limit(limit).subquery()
    ahead = func.sum(some.c.bytes).over(order_by=some.c.seq) - some.c.bytes
    fitting = select(some, ahead.label("ahead")).subquery()
    ordered = select(fitting).where(fitting.c.ahead < _MAX_BYTES).order_by(fitting.c.seq)
    items, last = [], seq
    for row in (await session.execute(ordered)).mappings():
        last = row["seq"]
        item = {name: row[name] for name in ("kind", "actor_id", "subject_id", "created_at")}
        item |= {"payload": payload_of(row["payload"]), "cursor": reader.cursor(last)}
        if item["kind"] == PRIVATE and item["payload"]:
            item = unwrap_private(item)
        if not for_game_masters:
            is_seen = is_holder(reader.user_id, character_seen_by(row["character_grants"]))
            item = without_unseen_character(item, is_seen=is_seen)
        items.append({**item, "seq": last} if for_game_masters else item)
    found: dict[str, Any] = {"items": items, "next_cursor": reader.cursor(last)}
    return {**found, "next_after": last} if for_game_masters else found


def _is_private_for(user_id: UUID) -> ColumnElement[bool]:
    """The condition that an event is private and has this user in its audience."""
    return and_(col(Event.kind) == PRIVATE, col(Event.audience).any(user_id))  # type: ignore[arg-type]  # an array's `any`


def shared_with(user_id: UUID) -> ColumnElement[bool]:
    """The condition that a member who is not a game master gets an event.

    Of a map that is hidden, deleted or moved now, they get only the event of that, and nothing about its tokens;
    of a map that has fog now, only the events of showing and hiding it.
    """
    is_for_them = or_(col(Event.audience).is_(None), col(Event.audience).any(user_id))  # type: ignore[arg-type]  # an array's `any`
    return and_(col(Event.shared).is_not(None), is_for_them, text(NOT_OF_HIDDEN_MAP))


def payload_of(text: str) -> dict[str, Any]:
    """A payload from its text; empty if no request could have produced it."""
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    # Most texts have too few brackets for deep nesting.
    is_flat = text.count("[") + text.count("{") <= MAX_EVENT_DEPTH or _is_shallow(payload, MAX_EVENT_DEPTH)
    return payload if isinstance(payload, dict) and is_flat else {}


def _is_shallow(value: Any, depth: int) -> bool:
    """Whether a JSON value is nested at most `depth` deep; pydantic cannot serialize much deeper ones."""
    inner = value.values() if type(value) is dict else value
    return depth > 0 and all(_is_shallow(one, depth - 1) for one in inner if type(one) in (dict, list))
