"""The keys that dice are drawn from: two kinds of series, for which the hashes of the next keys are published.

The key of number n is HMAC-SHA256(seed of the series, n): a published key reveals nothing about the others.
"""

import hmac
import os
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.dice.drawing import KEY_BYTES, commitment
from game.rolls.models import Commitment, Commitments

_AHEAD = 100
"""The number of published commitments."""


class Key(NamedTuple):
    """A key, and its number in its series."""

    number: int
    key: bytes


# Takes the next number. A series is created with its first roll, or when its commitments are first read.
_TAKE = text("""
    INSERT INTO dice_series AS s (universe_id, owner_id, seed, next) VALUES (:universe_id, :owner_id, :seed, 2)
    ON CONFLICT (universe_id, owner_id) DO UPDATE SET next = s.next + 1
    RETURNING seed, next - 1 AS number
""")
_BEGIN = text("""
    INSERT INTO dice_series (universe_id, owner_id, seed, next) VALUES (:universe_id, :owner_id, :seed, 1)
    ON CONFLICT (universe_id, owner_id) DO NOTHING
""")
_READ = text("SELECT seed, next FROM dice_series WHERE universe_id = :universe_id AND owner_id = :owner_id")


async def take(session: AsyncSession, universe_id: UUID, owner_id: UUID) -> Key:
    """Take the next key of a series: of a user's hidden rolls or, with the universe as owner, of all others."""
    values = {"universe_id": universe_id, "owner_id": owner_id, "seed": os.urandom(KEY_BYTES)}
    row = (await session.execute(_TAKE, values)).one()
    return Key(row.number, key_of(row.seed, row.number))


async def commitments(session: AsyncSession, universe_id: UUID, owner_id: UUID) -> Commitments:
    """The hashes of the next keys of a series."""
    place = {"universe_id": universe_id, "owner_id": owner_id}
    row = (await session.execute(_READ, place)).one_or_none()
    if row is None:
        await session.execute(_BEGIN, {**place, "seed": os.urandom(KEY_BYTES)})
        row = (await session.execute(_READ, place)).one()
    numbers = range(row.next, row.next + _AHEAD)
    shown = [Commitment(number=number, hash=commitment(key_of(row.seed, number))) for number in numbers]
    return Commitments(commitments=shown, next=row.next)


def key_of(seed: bytes, number: int) -> bytes:
    """The key of a number."""
    return hmac.digest(seed, b"%d" % number, "sha256")
