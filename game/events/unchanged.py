"""Parts of statements that write to a universe only if nothing has happened in it since it was read.

Whatever is written to a universe is an event: as long as the number of its last event is the same, nothing else
has changed. A statement begins with `asked`, at most one row for each universe, with `universe_id`, `seq` (the
number that was read), `bytes` (of the new event) and `n`. It continues with HOME, defines `same` from `unchanged`,
increments the counters with COUNTED, and ends with OUTCOME.
"""

from game.core.coalescer import HotStatement

# The lock returns the row as it is when the lock is granted, not as it was when the statement began.
HOME = """
    home AS MATERIALIZED (
        SELECT u.id, u.event_seq FROM universe u WHERE u.id = ANY (ARRAY(SELECT universe_id FROM asked))
        ORDER BY u.id FOR NO KEY UPDATE /* wait */
    ), unchanged AS MATERIALIZED (
        SELECT asked.* FROM home JOIN asked ON asked.universe_id = home.id AND asked.seq = home.event_seq
    )
"""
COUNTED = """
    counted AS (
        UPDATE universe u SET event_seq = u.event_seq + 1, event_bytes = u.event_bytes + same.bytes
        FROM same WHERE u.id = same.universe_id
    )
"""
OUTCOME = """
    SELECT asked.n, same.n IS NOT NULL AS is_written,
        CASE WHEN home.id IS NULL THEN asked.universe_id END AS locked
    FROM asked
    LEFT JOIN home ON home.id = asked.universe_id
    LEFT JOIN same ON same.n = asked.n
"""


def statement(sql: str) -> HotStatement:
    """A hot statement of these parts, whose first parameter is the universe. Its rows have `is_written`."""
    return HotStatement(sql.replace("/* wait */", "SKIP LOCKED"), subject=0, blocking=sql)
