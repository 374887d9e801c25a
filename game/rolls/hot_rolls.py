"""The fast roll, of dice that need no character's sheet.

As with the fast move (`game.play.hot_moves`), the data is read without locks, and one statement writes the roll if
nothing has happened in the universe meanwhile. The endpoint handles what is refused or unusual.
"""

import asyncio
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import orjson
from pydantic import ValidationError
from starlette.types import Scope

from game.accounts.queries import AUTHENTICATED
from game.core.coalescer import HotStatement
from game.core.hot import HotResponse, HotWork, path_id
from game.dice.parser import parse
from game.dice.syntax import ExpressionError
from game.events.hints import Hint
from game.events.queries import Written
from game.events.unchanged import LOCK_UNIVERSE, RESULT, UPDATE_UNIVERSE, statement, write
from game.permissions import Role, may
from game.rolls import queries, view
from game.rolls.keys import Key, key_of
from game.rolls.models import RollWrite, Visibility
from game.universes.access import MEMBER_OF
from game.universes.quotas import Usage

_TRIES = 4
"""The number of attempts before the endpoint handles a roll, which locks the universe first."""
# Without a row of `dice_series`, the endpoint handles the roll, and creates the series.
_READ = HotStatement(f"""
    SELECT q.n, a.id AS user_id, mb.role, u.event_seq, u.is_full, u.map_bytes, u.event_bytes,
        series.seed, series.next, coalesce(l.count, 0) AS rolls
    {AUTHENTICATED.format(more_types=", $3::uuid[], $4::boolean[]", more_names=", id, is_hidden")}
    {MEMBER_OF} q.id
    JOIN universe u ON u.id = mb.universe_id
    JOIN dice_series series
        ON series.universe_id = u.id AND series.owner_id = CASE WHEN q.is_hidden THEN a.id ELSE u.id END
    LEFT JOIN rate_limit l ON l.key = 'roll:' || a.id AND l.expires_at > now()
""")
# Rate limits are locked in the order of their keys, as everywhere, to avoid deadlocks.
WRITTEN = statement(f"""
    WITH request AS MATERIALIZED (
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[], $7::jsonb[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::uuid[], $13::bigint[], $14::bytea[], $15::timestamptz[],
            $16::jsonb[], $17::jsonb[], $18::text[], $19::bigint[], $20::int[], $21::boolean[]
        ) WITH ORDINALITY AS q (
            universe_id, seq, actor_id, id, expression, total, terms, text,
            visibility, reason, nonce, owner_id, number, key, created_at,
            payload, shared, audience, bytes, limit_seconds, is_heard, n
        )
    ), {LOCK_UNIVERSE}, accepted AS MATERIALIZED (
        SELECT * FROM unchanged
    ), updated_series AS (
        UPDATE dice_series s SET next = accepted.number + 1
        FROM accepted WHERE s.universe_id = accepted.universe_id AND s.owner_id = accepted.owner_id
    ), stored_roll AS (
        INSERT INTO roll (
            universe_id, id, actor_id, expression, total, terms, text, visibility, reason, nonce, is_hidden,
            number, key, created_at
        )
        SELECT universe_id, id, actor_id, expression, total, terms, text, visibility, reason, nonce,
            owner_id <> universe_id, number, key, created_at
        FROM accepted
    ), {UPDATE_UNIVERSE}, logged_event AS (
        INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, audience, shared, created_at)
        SELECT universe_id, seq + 1, actor_id, 'roll.created', id, payload, audience::uuid[], shared,
            clock_timestamp()
        FROM accepted
        RETURNING *
    ), updated_limit AS (
        INSERT INTO rate_limit AS r (key, count, expires_at)
        SELECT key, times, now() + make_interval(secs => seconds) FROM (
            SELECT 'roll:' || actor_id AS key, count(*) AS times, max(limit_seconds) AS seconds
            FROM accepted GROUP BY actor_id
        ) one ORDER BY key COLLATE "C"
        ON CONFLICT (key) DO UPDATE SET
            count = CASE WHEN r.expires_at <= now() THEN excluded.count ELSE r.count + excluded.count END,
            expires_at = CASE WHEN r.expires_at <= now() THEN excluded.expires_at ELSE r.expires_at END
    )
    {RESULT}
""")


def _parameters(scope: Scope, body: bytes) -> tuple[UUID, RollWrite] | None:
    """The universe and the roll; None if the request is invalid, or needs a sheet or a key."""
    universe_id = path_id(scope, "id")
    try:
        given = orjson.loads(body)
        roll = RollWrite.model_validate(given)
    except (ValueError, ValidationError):
        return None
    # There is one colon for each pair, so there are no duplicate keys, which the parser would not report.
    is_plain = body.count(b":") == len(given) and b"\\u0000" not in body
    is_alone = roll.character_id is None and not any(name == b"idempotency-key" for name, _ in scope["headers"])
    if universe_id is None or not is_plain or not is_alone or roll.visibility == Visibility.me:
        return None
    return UUID(universe_id), roll


_contended: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
"""A lock for each universe with running rolls, because concurrent rolls would conflict."""


async def _run(
    state: Any, session_id: UUID, user_id: UUID, universe_id: UUID, request: RollWrite
) -> tuple[HotResponse, Hint] | None:
    if state.hot is None:
        return None
    lock = _contended.setdefault(universe_id, asyncio.Lock())
    for _ in range(_TRIES):
        async with lock:
            is_hidden = request.visibility != Visibility.everyone
            row = await state.hot.fetch(_READ, session_id, user_id, universe_id, is_hidden)
            if row is None or not _may_roll(state, row):
                return None
            try:
                rolled = await _roll(state, universe_id, request, row)
            except ExpressionError:
                return None
            if rolled is not None:
                return rolled
    return None


def _may_roll(state: Any, row: asyncpg.Record) -> bool:
    """Whether the caller certainly may roll, and the quota has room."""
    used = Usage(maps=row["map_bytes"], events=row["event_bytes"])
    has_room = state.quotas.plainly_has_room(used, Usage(events=queries.MAX_EVENT_BYTES), is_full=row["is_full"])
    return may("createRoll", Role(row["role"])) and row["rolls"] < state.settings.limit_roll.times and has_room


async def _roll(
    state: Any, universe_id: UUID, request: RollWrite, row: asyncpg.Record
) -> tuple[HotResponse, Hint] | None:
    """Draw a roll and write it; returns None if something has changed meanwhile.

    Raises:
        ExpressionError: the expression is invalid, or needs a sheet.
    """
    user_id, number = row["user_id"], row["next"]
    fields = request.model_dump(exclude={"character_id"})
    key = Key(number, key_of(row["seed"], number))
    roll = queries.rolled(universe_id, user_id, parse(request.expression, None), key, **fields)
    payload, shared, audience = queries.event_parts(roll, user_id)
    event = Written.of("roll.created", payload, None, shared)
    hint = await write(
        state.hot_writes,
        WRITTEN,
        universe_id,
        row["event_seq"],
        user_id,
        roll.id,
        roll.expression,
        roll.total,
        orjson.dumps(roll.terms).decode(),
        roll.text,
        str(roll.visibility),
        roll.reason,
        roll.nonce,
        queries.series_of(universe_id, user_id, request.visibility),
        number,
        roll.key,
        roll.created_at,
        event.payload,
        event.shared,
        None if audience is None else f"{{{','.join(map(str, audience))}}}",
        event.size,
        state.settings.limit_roll.seconds,
        state.live.has_listeners,
    )
    if hint is None:
        return None
    shown = view.shown(roll, user_id, Role(row["role"]))
    return HotResponse(shown.model_dump_json().encode(), status=201), hint


ROLL = HotWork(_parameters, _run)
