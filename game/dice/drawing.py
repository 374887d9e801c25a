"""Drawing dice from a key, without bias, so that everybody with the key can draw them again.

The key of a roll is 32 random bytes. Its SHA-256 is shown before the roll, the key itself afterwards. The random
numbers of a roll are the blocks HMAC-SHA256(key, "<block>:<nonce>"), counted from 0, each read as eight unsigned
numbers of 32 bits, the most significant byte first. The nonce is the roller's: if the roller chooses it, the
server cannot choose the key for a result.
"""

import hmac
import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

KEY_BYTES: Final = 32
_RANGE: Final = 2**32
_BLOCK: Final = struct.Struct(">8I")


def commitment(key: bytes) -> str:
    """What is shown of a key before its roll: its SHA-256, in hexadecimal."""
    return sha256(key).hexdigest()


class Drawing:
    """Draws the dice of one roll, in their order."""

    def __init__(self, key: bytes, nonce: str = "") -> None:
        self._numbers = _numbers(key, nonce)

    def __call__(self, sides: int) -> int:
        """Draw a die with `sides` sides.

        Numbers from the last, incomplete run of `sides` are skipped: with them, low sides would be more likely.
        """
        limit = _RANGE - _RANGE % sides
        number = next(self._numbers)
        while number >= limit:
            number = next(self._numbers)
        return number % sides + 1


def _numbers(key: bytes, nonce: str) -> Iterator[int]:
    block = 0
    while True:
        yield from _BLOCK.unpack(hmac.digest(key, f"{block}:{nonce}".encode(), "sha256"))
        block += 1
