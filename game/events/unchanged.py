"""Parts of statements that write to a universe only if it has not changed since it was read.

Every write to a universe is an event, so it is unchanged while the number of its last event is the same. A
statement begins with `request`, at most one row for each universe, with `universe_id`, `seq` (the number that was
read), `bytes` (of the new event), `is_heard` (whether listeners want the event) and `n`. It continues with
LOCK_UNIVERSE, defines `accepted` from `unchanged`, increments the counters with UPDATE_UNIVERSE, writes the event
as `logged_event`, and ends with RESULT.
"""

import asyncio
from typing import Any

from game.core.coalescer import Coalescer, HotStatement
from game.core.errors import OutcomeUnknown
from game.events.hints import Hint
from game.events.queries import WRITTEN_ROW

# The lock returns the row as it is when the lock is granted, not as it was when the statement began.
LOCK_UNIVERSE = """
    locked_universe AS MATERIALIZED (
        SELECT u.id, u.event_seq, u.access_version FROM universe u
        WHERE u.id = ANY (ARRAY(SELECT universe_id FROM request))
        ORDER BY u.id FOR NO KEY UPDATE /* wait */
    ), unchanged AS MATERIALIZED (
        SELECT request.* FROM locked_universe
        JOIN request ON request.universe_id = locked_universe.id AND request.seq = locked_universe.event_seq
    )
"""
UPDATE_UNIVERSE = """
    updated_universe AS (
        UPDATE universe u SET event_seq = u.event_seq + 1, event_bytes = u.event_bytes + accepted.bytes
        FROM accepted WHERE u.id = accepted.universe_id
    )
"""
RESULT = f"""
    SELECT request.n, accepted.n IS NOT NULL AS is_written, request.universe_id, locked_universe.access_version,
        CASE WHEN request.is_heard THEN (
            SELECT {WRITTEN_ROW} FROM logged_event WHERE logged_event.universe_id = request.universe_id
        ) END AS event,
        CASE WHEN locked_universe.id IS NULL THEN request.universe_id END AS locked
    FROM request
    LEFT JOIN locked_universe ON locked_universe.id = request.universe_id
    LEFT JOIN accepted ON accepted.n = request.n
"""


def statement(sql: str) -> HotStatement:
    """A hot statement of these parts, whose first parameter is the universe. `write` executes it."""
    return HotStatement(sql.replace("/* wait */", "SKIP LOCKED"), subject=0, blocking=sql)


async def write(writer: Coalescer, prepared: HotStatement, *parameters: Any) -> Hint | None:
    """Execute such a statement; returns the hint to announce, or None if the universe has changed meanwhile.

    Raises:
        OutcomeUnknown: the time limit was reached after it may have been sent.
    """
    try:
        row = await writer.fetch(prepared, *parameters)
    except asyncio.CancelledError:
        raise OutcomeUnknown from None
    if row is None or not row["is_written"]:
        return None
    return Hint(row["universe_id"], row["access_version"], row["event"])
