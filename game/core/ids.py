"""Identifiers: UUID version 7, which sort by creation time."""

import os
import time
from uuid import UUID

_NANOSECONDS = 1_000_000


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562, section 5.7).

    48 bits of Unix milliseconds, 12 bits of the fraction of that millisecond (method 3 of section 6.2),
    62 random bits.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), _NANOSECONDS)
    fraction = (nanoseconds << 12) // _NANOSECONDS
    random = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random)
