"""Notifies listeners of new events after the commit. Notifications are only hints; listeners read the log.

If the `info` of a session has ANNOUNCE, that function is called with the ids of the universes that were written
to.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

ANNOUNCE: Final = "announce"
_WRITTEN: Final = "universes written to"


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
            announce(universe_ids)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_WRITTEN, None)
