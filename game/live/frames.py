"""Messages as frames. What is the same for several sockets is encoded once."""

from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from game.core.sockets import frame_head, text_frame
from game.events.queries import (
    PRIVATE,
    Reader,
    character_seen_by,
    is_among,
    payload_of,
    unwrapped,
    without_unseen_character,
)

_CURSOR = 48
"""Characters of a cursor, always: so the length of an event's frame is known without it."""
_EVENT = b'{"type":"event","cursor":"'


def message(kind: str, **fields: Any) -> bytes:
    """A message as a frame."""
    return text_frame(orjson.dumps({"type": kind, **fields}, default=str))


class _Around(NamedTuple):
    """An event's frame without the cursor, which differs for each reader."""

    before: bytes
    behind: bytes


class LoggedEvent:
    """An event of the log, and its frames: for game masters, and for others whom it is shared with."""

    def __init__(self, row: list[Any]) -> None:
        self.seq: int = row[0]
        self.kind: str = row[1]
        self.subject_id = UUID(row[3])
        self.audience = None if row[7] is None else frozenset(map(UUID, row[7]))
        self.created = float(row[8])
        self._row = row
        self._frames: dict[tuple[bool, bool, bool], _Around] = {}

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The payload for game masters."""
        return payload_of(self._row[5])

    @cached_property
    def shared(self) -> dict[str, Any]:
        """The payload for members with whom it is shared."""
        return payload_of(self._row[6])

    @cached_property
    def _character_seen_by(self) -> frozenset[str]:
        """Who sees the character in a roll or message."""
        return character_seen_by(self._row[9])

    @property
    def is_public(self) -> bool:
        """Whether all members may know of it."""
        return self._row[6] is not None and self.audience is None

    def names(self, id: UUID) -> bool:
        """Whether its payload has an id anywhere."""
        return str(id) in self._row[5]

    def is_for(self, user_id: UUID, *, for_game_master: bool) -> bool:
        """Whether a reader may know of it."""
        if for_game_master:
            return True
        return self._row[6] is not None and (self.audience is None or user_id in self.audience)

    def frame(self, reader: Reader, *, for_game_master: bool) -> bytes | None:
        """The event for a reader; None if they may not know of it."""
        is_shared = self.is_for(reader.user_id, for_game_master=False)
        if not for_game_master and not is_shared:
            return None
        # Game masters learn no more of private events than others.
        as_shared = not for_game_master or (self.kind == PRIVATE and is_shared)
        is_character_hidden = not for_game_master and not is_among(reader.user_id, self._character_seen_by)
        form = for_game_master, as_shared, is_character_hidden
        around = self._frames.get(form)
        if around is None:
            around = self._frames[form] = self._around(*form)
        return b"".join((around.before, reader.cursor_bytes(self.seq), around.behind))

    def _around(self, for_game_master: bool, as_shared: bool, is_character_hidden: bool) -> _Around:
        seq, kind, actor_id, subject_id, created_at, payload, shared, *_ = self._row
        fields = {"seq": seq} if for_game_master else {}
        fields |= {"kind": kind, "actor_id": actor_id, "subject_id": subject_id}
        fields |= {"payload": payload_of(shared if as_shared else payload), "created_at": created_at}
        if kind == PRIVATE and as_shared:
            fields = unwrapped(fields)
        fields = without_unseen_character(fields, is_seen=not is_character_hidden)
        behind = b'",' + orjson.dumps(fields)[1:]
        return _Around(frame_head(len(_EVENT) + _CURSOR + len(behind)) + _EVENT, behind)


def events_of(text: str | None) -> list[LoggedEvent]:
    """Events from the column of `queries.SINCE`."""
    return [] if text is None else [LoggedEvent(row) for row in orjson.loads(text)]
