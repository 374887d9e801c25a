"""The SQL of messages."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.characters import queries as characters
from game.core.errors import FieldError, Unprocessable
from game.core.pages import decode_cursor, encode_cursor
from game.events import queries as events
from game.messages.models import Message, MessageRead, WhisperReader
from game.universes import quotas
from game.universes.access import Access
from game.universes.models import Member
from game.universes.quotas import Usage

_ORDER = "messages"


async def create(
    session: AsyncSession, caller: Access, text: str, to: Sequence[UUID] | None, character_id: UUID | None
) -> Message:
    """Send a message in a locked universe; with `to`, a whisper.

    Raises:
        Unprocessable: a recipient is not a member.
        NotFound: the user may not act for this character.
        QuotaExceeded: there is no room for it.
    """
    if character_id is not None:
        await characters.character_to_act_for(session, caller, character_id)
    recipients = None if to is None else list(dict.fromkeys(to))
    if recipients:
        await _require_members(session, caller, recipients)
    message = Message(
        universe_id=caller.universe.id,
        actor_id=caller.user.id,
        text=text,
        to=recipients,
        character_id=character_id,
    )
    session.add(message)
    # The fields that the event itself does not have.
    payload = read(message).model_dump(mode="json", exclude={"id", "actor_id", "created_at"})
    await quotas.require_room(session, message.universe_id, Usage(events=2 * len(orjson.dumps(payload))))
    if recipients is None:
        await events.record(session, "message.created", caller.user.id, message, payload, shared=payload)
        return message
    await session.flush()
    readers = list(dict.fromkeys([caller.user.id, *recipients]))
    session.add_all(
        WhisperReader(universe_id=message.universe_id, user_id=one, message_id=message.id) for one in readers
    )
    await events.record_private(session, "message.created", caller.user.id, message, payload, readers)
    return message


def read(message: Message, *, with_character: bool = True) -> MessageRead:
    """A message in the API.

    `with_character`: whether the caller may know the character that spoke.
    """
    fields = {name: getattr(message, name) for name in MessageRead.model_fields}
    return MessageRead(**(fields if with_character else {**fields, "character_id": None}))


async def _require_members(session: AsyncSession, caller: Access, user_ids: Sequence[UUID]) -> None:
    """Check that all of these users are members.

    Raises:
        Unprocessable: one is not; names it.
    """
    statement = select(col(Member.user_id)).where(
        col(Member.universe_id) == caller.universe.id, col(Member.user_id).in_(user_ids)
    )
    members = set((await session.execute(statement)).scalars())
    errors = [
        FieldError(f"to[{at}]", "not_a_member", "Only members can receive whispers.")
        for at, one in enumerate(user_ids)
        if one not in members
    ]
    if errors:
        raise Unprocessable(errors=errors)


async def page(session: AsyncSession, caller: Access, limit: int, cursor: str | None) -> Mapping[str, Any]:
    """A page of the messages of a universe that the caller sees, newest first: messages to all members, and their
    whispers.

    Raises:
        Unprocessable: it is not a cursor of this list.
    """
    universe_id = caller.universe.id
    before = None if cursor is None else decode_cursor(cursor, _ORDER, str)[1]
    # Each has its own index, so that whispers of others are not read.
    to_all = select(col(Message.id)).where(col(Message.universe_id) == universe_id, col(Message.to).is_(None))
    whispers = select(col(WhisperReader.message_id)).where(
        col(WhisperReader.universe_id) == universe_id, col(WhisperReader.user_id) == caller.user.id
    )
    ids: set[UUID] = set()
    for statement, column in ((to_all, col(Message.id)), (whispers, col(WhisperReader.message_id))):
        ids |= await _newest(session, statement, column, before, limit + 1)
    newest = sorted(ids, reverse=True)[:limit]
    found = select(Message).where(col(Message.universe_id) == universe_id, col(Message.id).in_(newest))
    rows = (await session.execute(found.order_by(col(Message.id).desc()))).scalars().all()
    next_cursor = encode_cursor(_ORDER, "", rows[-1].id) if len(ids) > limit else None
    seen = await characters.seen_ids(session, caller, [row.character_id for row in rows])
    items = [read(row, with_character=row.character_id in seen) for row in rows]
    return {"items": items, "next_cursor": next_cursor}


async def _newest(
    session: AsyncSession, statement: Select[tuple[UUID]], column: Any, before: UUID | None, limit: int
) -> set[UUID]:
    if before is not None:
        statement = statement.where(column < before)
    return set((await session.execute(statement.order_by(column.desc()).limit(limit))).scalars())
