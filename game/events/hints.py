"""Notifies listeners of new events after the commit. Notifications are only hints; the log is the truth.

If the `info` of a session has ANNOUNCE, that function is called with a hint for each universe that was written to.
"""

from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

ANNOUNCE: Final = "announce"
_WRITTEN: Final = "universes written to"


class Hint(NamedTuple):
    """A universe that was written to.

    If the writer has written one event and read it back, it is in `event` (as `queries.WRITTEN_ROW`), with the
    universe's `access_version` at that moment. Then listeners that know all earlier events need not read the log.
    """

    universe_id: UUID
    access_version: int | None = None
    event: str | None = None


def written(session: AsyncSession, universe_id: UUID) -> None:
    """Record that this transaction writes an event."""
    session.info.setdefault(_WRITTEN, set()).add(universe_id)


@event.listens_for(Session, "after_commit")
def _announce(session: Session) -> None:
    # The end of a savepoint is not a commit.
    if not session.in_nested_transaction():
        universe_ids: Any = session.info.pop(_WRITTEN, None)
        announce = session.info.get(ANNOUNCE)
        if universe_ids and announce:
            announce(map(Hint, universe_ids))


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_WRITTEN, None)
