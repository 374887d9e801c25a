"""Cursors into an event log that tell nothing: not even how many events lie between two of them.

The number of an event counts hidden ones too, so it is encrypted (AES-GCM), each time with another nonce. A cursor
is good for one user, one universe and one epoch of the database.
"""

import base64
import os
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Cursors:
    """Encrypts and decrypts cursors with a key made from the server's secret."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESGCM(sha256(b"event cursors\0" + secret.encode()).digest())

    def encrypt(self, seq: int, user_id: UUID, universe_id: UUID, epoch: UUID) -> str:
        """The cursor behind event number `seq`, safe in a URL."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = user_id.bytes + universe_id.bytes + epoch.bytes
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, seq.to_bytes(8), bound)).decode()

    def decrypt(self, cursor: str, user_id: UUID, universe_id: UUID, epoch: UUID) -> int | None:
        """The number in a cursor; None for one that was not made for this user, universe and epoch."""
        try:
            raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
            bound = user_id.bytes + universe_id.bytes + epoch.bytes
            return int.from_bytes(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound))
        except (ValueError, InvalidTag):
            return None
