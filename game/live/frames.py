"""Messages encoded as frames. What several sockets are sent is encoded once."""

from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from game.core.sockets import frame_head, text_frame
from game.events import cursors
from game.events.queries import (
    PRIVATE,
    character_seen_by,
    is_holder,
    payload_of,
    unwrap_private,
    without_unseen_character,
)

_EVENT = b'{"type":"event","cursor":"'


def message(kind: str, **fields: Any) -> bytes:
    """A message as a frame."""
    return text_frame(orjson.dumps({"type": kind, **fields}, default=str))


class FrameParts(NamedTuple):
    """An event's frame without the cursor, which differs for each reader."""

    before_cursor: bytes
    after_cursor: bytes


class LoggedEvent:
    """An event of the log, and its frames for game masters and for other members."""

    def __init__(self, row: list[Any]) -> None:
        self.seq: int = row[0]
        self.kind: str = row[1]
        self.subject_id: str = row[3]
        self.audience = None if row[7] is None else frozenset(map(UUID, row[7]))
        self.created = float(row[8])
        self._row = row
        self._character_seen_by = character_seen_by(row[9])
        """Who sees the character in a roll or message."""
        self._frames: dict[tuple[bool, bool, bool], FrameParts] = {}
        self._is_personal = row[7] is not None or row[9] is not None
        """Whether it depends on the reader, not only on whether they are a game master."""
        self._common: dict[bool, FrameParts | None] = {}
        """If it is not personal: the frame for game masters, and that for others."""

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The payload for game masters."""
        return payload_of(self._row[5])

    @cached_property
    def shared(self) -> dict[str, Any]:
        """The payload for members with whom it is shared."""
        return payload_of(self._row[6])

    @property
    def is_public(self) -> bool:
        """Whether all members may read it."""
        return self._row[6] is not None and self.audience is None

    def mentions(self, id: str) -> bool:
        """Whether its payload contains an id anywhere."""
        return id in self._row[5]

    def is_for(self, user_id: UUID, *, for_game_master: bool) -> bool:
        """Whether a reader may read it."""
        if for_game_master:
            return True
        return self._row[6] is not None and (self.audience is None or user_id in self.audience)

    def parts(self, user_id: UUID, *, for_game_master: bool) -> FrameParts | None:
        """The event's frame for a reader, without the cursor; None if they may not read it."""
        if self._is_personal:
            return self._parts_for(user_id, for_game_master=for_game_master)
        if for_game_master not in self._common:
            self._common[for_game_master] = self._parts_for(user_id, for_game_master=for_game_master)
        return self._common[for_game_master]

    def _parts_for(self, user_id: UUID, *, for_game_master: bool) -> FrameParts | None:
        is_shared = self.is_for(user_id, for_game_master=False)
        if not for_game_master and not is_shared:
            return None
        # Of private events, game masters get no more than other members.
        as_shared = not for_game_master or (self.kind == PRIVATE and is_shared)
        is_character_hidden = not for_game_master and not is_holder(user_id, self._character_seen_by)
        form = for_game_master, as_shared, is_character_hidden
        if form not in self._frames:
            self._frames[form] = self._parts(*form)
        return self._frames[form]

    def _parts(self, for_game_master: bool, as_shared: bool, is_character_hidden: bool) -> FrameParts:
        seq, kind, actor_id, subject_id, created_at, *_ = self._row
        fields = {"seq": seq} if for_game_master else {}
        fields |= {"kind": kind, "actor_id": actor_id, "subject_id": subject_id}
        fields |= {"payload": self.shared if as_shared else self.payload, "created_at": created_at}
        if kind == PRIVATE and as_shared:
            fields = unwrap_private(fields)
        fields = without_unseen_character(fields, is_seen=not is_character_hidden)
        rest = b'",' + orjson.dumps(fields)[1:]
        return FrameParts(frame_head(len(_EVENT) + cursors.LENGTH + len(rest)) + _EVENT, rest)


def events_of(text: str | None) -> list[LoggedEvent]:
    """The events in the column `events` of `queries.SINCE`."""
    return [] if text is None else [LoggedEvent(row) for row in orjson.loads(text)]
